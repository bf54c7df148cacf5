"""A limit is said where somebody meets it: on each page and by each operation that adds, in three languages."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reminder.domain.rules.quotas import Quota
from tests.village import Village, open_village
from tests.web.browsing import Browser
from tests.web.calling import Program, program, token_of

SHEET = "居室,氏名,電子証明書期限\n201,ハナ,2027-11-16\n202,キヨ,2027-11-16\n".encode()
LANGUAGES = ("ja", "en", "ja-easy")


@pytest.fixture
def household(database_url: str, tmp_path: Path) -> Iterator[tuple[Village, Browser]]:
    """Group 1 with an owner (member 1) and her mother, and everything at its limit; group 2 is somebody else's."""
    with open_village(database_url, tmp_path, "2026-12-01 10:00") as village:
        owner = Browser(village)
        owner.sign_in("musume@example.jp")
        stranger = Browser(village)
        stranger.sign_in("tanin@example.jp", household="他人家")
        village._group = 1
        village.person("母")
        village.limit(1, **dict.fromkeys(Quota, 0))
        yield village, owner


def post(path: str, **fields: str) -> Callable[[Browser], None]:
    return lambda browser: browser.post(path, [("seal", browser.seal), *fields.items()])


PAGES: dict[Quota, tuple[str, Callable[[Browser], object]]] = {
    Quota.PEOPLE: ("/people/new", post("/people", label="父", mode="standard", language="ja")),
    Quota.CONTACTS: (
        "/people/1/contacts/new",
        post("/people/1/contacts", channel="sms", address="090-0000-0001", whose="own", consent="none"),
    ),
    Quota.CARDS: (
        "/people/1/cards/new",
        post("/people/1/cards", card="1", kind1="driving_licence", label1="", expires1="2027-11-16", computed1=""),
    ),
    Quota.INVITATIONS: ("/settings/members", post("/settings/members", email="ane@example.jp", role="viewer")),
    Quota.TOKENS: ("/settings/tokens", post("/settings/tokens", token_name="表計算", scope="read")),
    Quota.FEEDS: ("/settings/calendar", post("/settings/calendar")),
    Quota.IMPORTS_OPEN: ("/imports", lambda browser: browser.send_file("/imports", "r.csv", SHEET)),
}
OPERATIONS: dict[Quota, Callable[[Program], object]] = {
    Quota.PEOPLE: lambda api: api.post("/people", {"label": "父"}),
    Quota.CONTACTS: lambda api: api.post("/people/1/contacts", {"channel": "sms", "address": "090-0000-0001"}),
    Quota.CARDS: lambda api: api.post("/people/1/cards", {"kind": "driving_licence", "expires": "2027-11-16"}),
    Quota.IMPORTS_OPEN: lambda api: api.post("/imports", SHEET, {"content-type": "application/octet-stream"}),
}


@pytest.mark.parametrize("quota", [*PAGES], ids=str)
def test_a_page_says_the_limit_and_what_to_do(household: tuple[Village, Browser], quota: Quota) -> None:
    village, owner = household
    path, add = PAGES[quota]
    owner.get(path)

    add(owner)

    assert owner.page.status in (409, 422)
    said = village.app.rules.wording.of("ja").table["errors"][f"quota_{quota}"].format(limit=0, adding=1)
    assert said in owner.page.text
    village.limit(1, **dict.fromkeys(Quota, 9))
    owner.get(path)
    add(owner)
    assert owner.page.status == 200


@pytest.mark.parametrize("quota", [*OPERATIONS], ids=str)
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_api_refuses_with_a_code_and_a_sentence_in_each_language(
    household: tuple[Village, Browser], quota: Quota, language: str
) -> None:
    village, _ = household
    village.limit(1, tokens=9)
    mine, theirs = (program(village, token_of(village, member)) for member in (1, 2))

    refused = OPERATIONS[quota](mine)

    assert (refused.status, refused.json["code"]) == (409, f"quota_{quota}")
    words = village.app.rules.wording.of(language).table["errors"][f"quota_{quota}"]
    assert "{limit}" in words
    if quota is Quota.PEOPLE:
        assert OPERATIONS[quota](theirs).status == 201


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_limit_has_its_sentence_in_every_language(language: str) -> None:
    from tests.rules import WORDING

    said = WORDING.of(language).table["errors"]

    assert {f"quota_{quota}" for quota in Quota} <= said.keys()


def test_an_import_that_is_too_large_names_the_number_on_its_page(household: tuple[Village, Browser]) -> None:
    from reminder.worker.jobs import work_on_imports

    village, owner = household
    village.limit(1, **dict.fromkeys(Quota, 9))
    village.limit(1, people=2)
    owner.get("/imports")
    owner.send_file("/imports", "r.csv", SHEET)
    owner.submit("/imports/1/columns")
    work_on_imports(village.app)
    owner.get("/imports/1")

    owner.submit("/imports/1/save")

    assert owner.page.status == 422
    assert "2人まで" in owner.page.text
    assert "加えようとした人数：2" in owner.page.text
