"""The watch, the walk and the looks find what they are there to find: each is shown a page with that very fault."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from playwright.sync_api import Browser, Page

from reminder.web.server import listen
from reminder.web.support.security_headers import HEADERS
from tests.browser import axe, looks
from tests.browser.site import HOST, served
from tests.browser.visit import HEAVIEST, Visit, Watch, visiting, watched_visits

FRAME = """<!doctype html><html lang="ja"><head><title>見本</title><link rel="icon" href="/icon.svg">
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="stylesheet" href="/style.css"></head>
<body><main><h1>見本</h1>{}</main></body></html>"""
RING = ":focus-visible { outline: 4px solid #000 }"
HIGH = "<p>" + "行<br>" * 80 + "</p>"

Show = Callable[..., Visit]


class _Exhibition(FastAPI):
    """One page, as a test wants it, and what belongs to it."""

    def __init__(self) -> None:
        super().__init__()
        self.show("")
        self.get("/")(lambda: HTMLResponse(FRAME.format(self.body), self.status, self.policy))
        self.get("/moved")(lambda: RedirectResponse("/", 303))
        self.get("/language")(self._language)
        self.get("/style.css")(lambda: Response(self.style, media_type="text/css"))
        self.get("/icon.svg")(lambda: Response('<svg xmlns="http://www.w3.org/2000/svg"/>', media_type="image/svg+xml"))

    def show(self, body: str, *, style: str = RING, status: int = 200, policy: Mapping[str, str] = HEADERS) -> None:
        self.body, self.style, self.status, self.policy = body, style, status, policy

    async def _language(self, request: Request) -> Response:
        return HTMLResponse(FRAME.format(request.headers["accept-language"]), headers=self.policy)


def _plain_server(exhibition: FastAPI) -> uvicorn.Server:
    return uvicorn.Server(uvicorn.Config(exhibition, log_config=None, lifespan="off"))


@pytest.fixture(scope="module")
def open_house() -> Iterator[tuple[_Exhibition, str]]:
    exhibition = _Exhibition()
    with listen(HOST, 0) as listening, served(_plain_server(exhibition), listening):
        yield exhibition, f"http://localhost:{listening.getsockname()[1]}"


@pytest.fixture
def exhibition(open_house: tuple[_Exhibition, str]) -> _Exhibition:
    exhibition, _ = open_house
    exhibition.show("")
    return exhibition


@pytest.fixture
def home(open_house: tuple[_Exhibition, str], exhibition: _Exhibition) -> str:
    return open_house[1]


@pytest.fixture(scope="module")
def rooms(browser: Browser, open_house: tuple[_Exhibition, str]) -> Iterator[Callable[[str], Page]]:
    """An open page of each size, for whoever comes: to open one takes ten times as long as most tests."""
    opened: dict[str, Page] = {}
    with ExitStack() as leaving:

        def room(size: str) -> Page:
            if size not in opened or opened[size].is_closed():
                opened[size] = leaving.enter_context(visiting(browser, open_house[1], size=size)).page
            return opened[size]

        yield room


@pytest.fixture
def show(rooms: Callable[[str], Page], exhibition: _Exhibition, home: str) -> Iterator[Show]:
    """show(body, style="…"): a visit to a page of these words, under the policy of all our pages."""
    shown: list[Page] = []

    def show(body: str, *, size: str = "phone", path: str = "/", **more: object) -> Visit:
        exhibition.show(body, **more)
        page = rooms(size)
        shown.append(page)
        # What the visitor before has left is over before the next one is watched.
        page.goto("about:blank")
        visit = Visit(page, Watch(home, page.context))
        page.goto(path)
        return visit

    yield show
    for page in shown:
        for window in page.context.pages:
            if window != page:
                window.close()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('<img alt="" src="http://elsewhere.example/x.png">', "asked elsewhere: http://elsewhere.example/x.png"),
        ('<p style="color: red">赤</p>', "violates the following Content Security Policy directive 'style-src"),
        ("<script>alert(1)</script>", "violates the following Content Security Policy directive"),
        ('<img alt="" src="/gone.png">', "Failed to load resource: the server responded with a status of 404"),
    ],
)
def test_a_page_that_asks_for_what_it_may_not_have_is_told_of(show: Show, body: str, said: str) -> None:
    assert said in "\n".join(show(body).watch.troubles())


@pytest.mark.parametrize("script", ["console.error('broken')", "throw new Error('broken')", "Promise.reject('broken')"])
def test_a_script_that_breaks_is_told_of(show: Show, script: str) -> None:
    assert "broken" in "\n".join(show(f"<script>{script}</script>", policy={}).watch.troubles())


@pytest.mark.parametrize(("status", "is_trouble"), [(200, False), (404, False), (422, False), (500, True), (503, True)])
def test_a_page_that_refuses_is_no_trouble_and_one_that_breaks_is(show: Show, status: int, is_trouble: bool) -> None:
    assert any("the server broke" in said for said in show("", status=status).watch.troubles()) is is_trouble
    assert bool(show("", status=status).watch.troubles()) is is_trouble


@pytest.mark.parametrize("path", ["/", "/moved"])
def test_a_page_weighs_what_was_transferred_with_all_that_belongs_to_it(show: Show, path: str) -> None:
    words = "重い" * 100
    visit = show(words, style=" " * 5000, path=path)

    assert visit.watch.weight_of(visit.page) == len(FRAME.format(words).encode()) + 5000
    assert visit.watch.troubles() == []


def test_a_page_too_heavy_for_a_slow_line_is_told_of_also_after_one_has_left_it(
    show: Show, exhibition: _Exhibition
) -> None:
    visit = show("", style=" " * HEAVIEST)
    exhibition.show("", style="")

    visit.page.goto("/?light")
    (left,) = visit.watch.troubles()
    visit.page.close()
    (closed,) = visit.watch.troubles()

    assert left == closed
    assert left.startswith("too heavy: 100")


def test_a_new_window_is_watched_too(show: Show) -> None:
    visit = show('<a href="/gone" target="_blank" rel="noopener">窓</a>')
    with visit.page.context.expect_page() as opened:
        visit.page.get_by_role("link").click()
    opened.value.wait_for_load_state()
    opened.value.set_content('<img src="http://elsewhere.example/x.png">')

    assert any("asked elsewhere" in trouble for trouble in visit.watch.troubles())


@pytest.mark.parametrize(("asked", "first"), [({}, "ja"), ({"locale": "en-US"}, "en")])
def test_a_visitor_says_what_to_read_to_him_in(browser: Browser, home: str, asked: dict[str, str], first: str) -> None:
    with visiting(browser, home, **asked) as visit:
        visit.page.goto("/language")

        assert visit.page.get_by_role("main").inner_text().removeprefix("見本").strip().startswith(first)


def test_the_test_fails_when_its_visitor_was_in_trouble(browser: Browser, exhibition: _Exhibition, home: str) -> None:
    exhibition.show("<script>1</script>")
    with pytest.raises(pytest.fail.Exception, match="Content Security Policy"), watched_visits(browser, home) as visit:
        visit().page.goto("/")


@pytest.mark.parametrize(
    ("body", "style", "rule"),
    [
        ("<p>ふつうの文です。</p>", "", None),
        ('<img src="/icon.svg">', "", "image-alt"),
        ("<p>うすい文です。</p>", "p { color: #999; }", "color-contrast"),
        ("<form><input name=x></form>", "", "label"),
        ("<h4>飛ばした見出し</h4>", "", "heading-order"),
        (
            "<button>✕</button><button>○</button>",
            "button { width: 16px; height: 16px; padding: 0; border: 0; margin: 0 }",
            "target-size",
        ),
    ],
)
def test_axe_finds_what_shuts_people_out(show: Show, body: str, style: str, rule: str | None) -> None:
    visit = show(body, style=style)

    assert {found.rule for found in axe.violations(visit.page)} == ({rule} if rule else set())
    # Our policy has not been in its way, nor it in that of our policy.
    assert visit.watch.troubles() == []


def test_what_axe_found_can_be_read(show: Show) -> None:
    page = show('<img src="/icon.svg">').page

    with pytest.raises(
        AssertionError, match=r"1 faults:\nimage-alt \(critical\): Images must have .*\n  at img: <img "
    ):
        axe.assert_accessible(page)


FORM = """<a href="#x">先へ</a><p id=x tabindex=-1>ここ</p><form><label>名前 <input name=name></label>
<label>日 <input type=date name=day></label><input type=hidden name=h><button disabled>まだ</button>
<fieldset><legend>選ぶ</legend><label><input type=radio name=r>一</label><label><input type=radio name=r checked>二</label></fieldset>
<details><summary>くわしく</summary><a href="/hidden">中</a></details><select name=s><option>い</select><button>送る</button></form>"""


@pytest.mark.parametrize("size", ["phone", "desktop"])
def test_the_walk_stops_at_everything_once_in_order(show: Show, size: str) -> None:
    page = show(FORM, size=size).page
    page.get_by_label("名前").focus()

    assert looks.walk_by_keyboard(page) == [
        "a 先へ", "input 名前", "input 日", "input 二", "summary くわしく", "select い", "button 送る"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "style", "said"),
    [
        pytest.param("<a href=/>先へ</a>", ":focus-visible { outline: none }", "no ring", id="no ring"),
        pytest.param(
            "<a href=/>先へ</a>", ":focus-visible { outline: 3px solid transparent }", "no ring", id="a clear ring"
        ),
        pytest.param(
            "<a href=/>先へ</a>",
            "a, a:focus-visible { outline: 3px solid red }",
            "no ring",
            id="a ring that is always there",
        ),
        pytest.param("<button tabindex=-1>押す</button>", "", "does not reach: button 押す", id="left out"),
        pytest.param(
            "<a href=/1>一</a><a href=/2 tabindex=1>二</a>",
            "",
            "not in the order of the page: a 二",
            id="an order of its own",
        ),
        pytest.param(
            "<a href=/1>一</a><a href=/2>二</a><a href=/3>三</a><script>const jump = (from, to) => document.links[from]"
            ".onkeydown = e => { to === null ? e.target.blur() : document.links[to].focus(); e.preventDefault() };"
            "jump(0, 2); jump(2, 1); jump(1, null)</script>",
            "",
            "not in the order of the page: a 一, a 三, a 二",
            id="a script that jumps",
        ),
        pytest.param(
            f"{HIGH}<a href=/>下</a><footer>帯</footer>",
            "footer { position: fixed; inset: 0; background: #fff }",
            "something hides: a 下",
            id="under a band that stays",
        ),
        pytest.param(
            "<input name=in><script>document.querySelector('input').onkeydown = e => e.preventDefault()</script>",
            "",
            "no way on from: input in",
            id="a trap",
        ),
        pytest.param(
            "<a href=/1>一</a><a href=/2>二</a><a href=/3>三</a><script>document.links[1].onkeydown = "
            "e => { document.links[0].focus(); e.preventDefault() }</script>",
            "",
            "goes round in a ring at: a 一",
            id="round and round",
        ),
    ],
)
def test_the_walk_finds_what_stops_it(show: Show, body: str, style: str, said: str) -> None:
    page = show(body, style=RING + style, policy={}).page

    with pytest.raises(AssertionError, match=said):
        looks.walk_by_keyboard(page)


def test_a_ring_drawn_as_a_shadow_is_a_ring(show: Show) -> None:
    page = show("<a href=/>先へ</a>", style=":focus { outline: none; box-shadow: 0 0 0 4px #000 }").page

    assert looks.walk_by_keyboard(page) == ["a 先へ"]


LONG = "<p>" + "とても長い文です。" * 20 + "</p>"


@pytest.mark.parametrize(
    ("body", "style", "said"),
    [
        pytest.param(LONG, "", None, id="text flows"),
        pytest.param("<p class=deaf>声</p>", ".deaf { position: absolute; width: 1px; height: 1px; overflow: hidden }", None, id="only spoken"),
        pytest.param("<pre>" + "x" * 300 + "</pre>", "pre { overflow-x: auto }", None, id="scrolls by itself"),
        pytest.param("<p class=wide>幅</p>", ".wide { width: 350px }", "at 200 %: the page is", id="too wide when zoomed"),
        pytest.param("<p>幅</p>", "p { width: 13rem }", "twice as large: sticks out by", id="too wide with large letters"),
        pytest.param(LONG, "p { white-space: nowrap } body { overflow-x: clip }", "sticks out by", id="too wide and cut off by the page"),
        pytest.param(LONG, "p { height: 2em; overflow: hidden }", "text is cut off: p", id="a box that does not grow"),
        pytest.param(f"<button>{'長い' * 8}</button>", "button { width: 6rem; height: 2rem }", "text does not fit: button", id="a button that does not grow"),
        pytest.param("<p>大</p>", "html { font-size: 112.5% } p { font-size: 1.2rem }", None, id="letters that follow the reader's"),
        pytest.param("<p>小</p>", "html { font-size: 18px }", "html has letters of 18px, whatever the reader", id="letters that do not"),
        pytest.param("<p>小</p>", "p { font-size: 18px }", "letters stay at 18", id="letters of a fixed size"),
    ],
)  # fmt: skip
def test_the_looks_find_what_does_not_grow_with_its_letters(
    show: Show, body: str, style: str, said: str | None
) -> None:
    page = show(body, style=style).page
    before = page.content(), page.viewport_size

    found = looks.overflows(page)

    assert any(said in one for one in found) if said else found == [], found
    assert (page.content(), page.viewport_size) == before


@pytest.mark.parametrize("size", ["phone", "desktop"])
def test_a_picture_is_named_by_page_size_and_language(
    show: Show, size: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCREENSHOTS", str(tmp_path / "pictures"))
    visit = show("", size=size)

    looks.keep(visit.page, "Two words")

    (picture,) = (tmp_path / "pictures").iterdir()
    assert picture.name == f"two-words-{size}-ja.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert visit.watch.troubles() == []
