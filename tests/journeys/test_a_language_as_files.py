"""A language is added as files alone: a made-up one reaches every page, text, mail, call, sheet of paper and calendar."""

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from reminder.domain.model.people import ChannelName, GroupKind, Language, Mode
from reminder.domain.rulebook import Rulebook
from reminder.domain.text.catalog import SHEETS
from reminder.domain.text.email_html import renderer
from reminder.storage.registry import groups
from reminder.upkeep.calendar.ics import calendar_of
from reminder.wiring import read_rulebook
from tests import pseudo
from tests.village import CARD, USER_CERTIFICATE, Village, open_village
from tests.web.browsing import Browser

PSEUDO = Language(pseudo.CODE)
RESIDENT, FAMILY, HOME, MARK, ROOM, OFFICE = "ЖА", "ЖБ", "ЖВ", "ЖГ", "ЖД", "市役所"
DATA = (
    *(RESIDENT, FAMILY, HOME, MARK, ROOM, OFFICE),
    *(f"{name}@example.jp" for name in ("office", "family", "other")),
    "example.jp",
    "長女",
    # What every page names as it is, whatever its language.
    *("JSON", "XLSX", "CSV", "iPhone", "PDF"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pseudo.add_pseudo_language(tmp_path_factory.mktemp("pseudo") / "config")


@pytest.fixture
def rules(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Rulebook:
    monkeypatch.setenv("REMINDER_CONFIG", str(folder))
    from reminder.wiring import read_settings

    return read_rulebook(read_settings())


@pytest.fixture
def home(sqlite_url: str, tmp_path: Path, rules: Rulebook) -> Iterator[Village]:
    """A home whose staff, resident and family read the made-up language, with a card on which a text goes out."""
    del rules
    with open_village(
        sqlite_url,
        tmp_path,
        "2026-12-01 08:00",
        two_way_sms=True,
        public_url="https://kigen.example.jp",
        voice_enabled=True,
    ) as village:
        village.group(GroupKind.HOME, HOME)
        village.member("office", "office@example.jp", language=PSEUDO)
        village.person(
            RESIDENT, phone="090-0000-0001", mode=Mode.HOME, language=PSEUDO, mark=MARK, room=ROOM, unit=ROOM
        )
        village.contact(RESIDENT, ChannelName.VOICE, "03-0000-0002")
        village.card(RESIDENT, date(2027, 1, 20), USER_CERTIFICATE)
        village.card(RESIDENT, date(2027, 1, 20), CARD)
        yield village


def test_every_list_of_languages_names_it_and_every_way_of_choosing_finds_it(home: Village) -> None:
    web = Browser(home, **{"accept-language": "fr, qps;q=0.9, en;q=0.5"})
    page = web.get("/sign-in").text

    assert pseudo.tags_of(page) == [pseudo.TAG]
    web.get("/sign-in")
    chosen = Browser(home, **{"accept-language": "en"})
    chosen.get("/sign-in")
    assert f'value="{pseudo.CODE}" lang="{pseudo.TAG}">{pseudo.NAME}<' in chosen.page.text
    chosen.post("/look", [("seal", chosen.seal), ("language", pseudo.CODE), ("back", "/sign-in")])
    assert pseudo.tags_of(chosen.page.text) == [pseudo.TAG]


@pytest.mark.parametrize("kind", [GroupKind.HOME, GroupKind.HOUSEHOLD])
def test_no_page_says_a_word_in_another_language(home: Village, folder: Path, kind: GroupKind) -> None:
    browser = Browser(home, **{"accept-language": "qps"})
    if kind is GroupKind.HOUSEHOLD:
        browser.sign_in("other@example.jp", household=HOME, name=FAMILY)
    else:
        home.run_until("2026-12-07 18:00")
        browser.sign_in("office@example.jp")
    seen: dict[str, str] = {}
    waiting = ["/"]
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        answer = browser.get(path)
        assert answer.status == 200, path
        seen[path] = answer.text if "html" in answer.headers["content-type"] else ""
        waiting += [
            link
            for link in re.findall(r'href="(/[^"#?]*)"', seen[path])
            if not link.startswith(("/static", "/api", "/docs", "/feeds"))
        ]

    foreign = [
        f"{path}: {found}" for path, page in seen.items() for found in pseudo.foreign_in_page(page, data=_data(folder))
    ]
    assert len(seen) > (25 if kind is GroupKind.HOME else 12)
    assert "\n".join(foreign) == ""
    tags = {path: pseudo.tags_of(page) for path, page in seen.items() if page}
    assert {path: found for path, found in tags.items() if set(found) != {pseudo.TAG}} == {}


def test_sheets_of_paper_and_letters_are_in_it(home: Village, folder: Path) -> None:
    browser = Browser(home, **{"accept-language": pseudo.TAG})
    browser.sign_in("office@example.jp")

    pages = [browser.get(f"/people/1/print/{sheet}").text for sheet in SHEETS]
    pages += [browser.get(f"/letters/print?person=1&furigana={furigana}").text for furigana in ("", "yes")]

    assert "".join(foreign for page in pages for foreign in _foreign(page, folder)) == ""
    assert {tag for page in pages for tag in pseudo.tags_of(page)} == {pseudo.TAG}


def test_texts_mails_and_the_weekly_digest_are_in_it(home: Village, folder: Path) -> None:
    home.run_until("2026-12-21 18:00")

    sent = [one.outgoing for one in home.world.all_sent()]
    mails = [one for one in sent if one.subject]
    render = renderer(home.app.rules.wording)
    htmls = [render(one.text, one.language) for one in mails]

    assert len(mails) >= 3
    assert len(sent) > len(mails)
    said = [part for one in sent for part in (one.subject or "", one.text)]
    assert [found for text in said for found in pseudo.foreign(text, data=_data(folder))] == []
    assert {one.language for one in mails} == {PSEUDO}
    assert [tag for page in htmls for tag in pseudo.tags_of(page)] == [pseudo.TAG] * len(htmls)
    assert "".join(foreign for page in htmls for foreign in _foreign(page, folder)) == ""


def test_the_calendar_is_in_it(home: Village, folder: Path) -> None:
    with home.app.database.reading() as tx:
        group = groups.everyone(tx)[0]
        made = calendar_of(
            tx,
            home.app.rules,
            group,
            language=PSEUDO,
            is_private=False,
            now=home.now,
            references=home.app.keys.references,
        ).decode()

    assert f"PRODID:-//Kigen Dayori//reminder//{pseudo.TAG.upper()}" in made
    lines = made.replace("\r\n ", "").split("\r\n")
    words = [line.partition(":")[2] for line in lines if line.startswith(("SUMMARY", "DESCRIPTION", "X-WR-CALNAME"))]
    assert len(words) > 2
    assert [found for said in words for found in pseudo.foreign(said.replace("\\n", " "), data=_data(folder))] == []


def test_a_call_speaks_it_with_its_own_voice(home: Village, folder: Path) -> None:
    words = home.app.rules.wording.of(PSEUDO)

    assert (words.facts.speech, words.facts.voice) == (pseudo.TAG, "Polly.Pseudo")
    script = [text for name, text in words.section("call").items() if isinstance(text, str) and name != "language"]
    assert [found for said in script for found in pseudo.foreign(re.sub(r"{.*?}", "", said), data=_data(folder))] == []


def _data(folder: Path) -> tuple[str, ...]:
    return (*DATA, *pseudo.quoted(folder))


def _foreign(page: str, folder: Path) -> list[str]:
    return pseudo.foreign_in_page(page, data=_data(folder))
