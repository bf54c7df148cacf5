"""Words that were stored before the gate: on everything that leaves the group, neutral words stand in their place."""

import io
from datetime import date
from urllib.parse import quote

import pypdf
import pytest
from icalendar import Calendar
from python_calamine import CalamineWorkbook
from sqlalchemy import text

from reminder.domain.model.access import Actor
from reminder.domain.model.people import GroupKind, Language, Mode, Role
from reminder.domain.text.catalog import SHEETS
from reminder.enrolment import register
from reminder.enrolment.identity import membership
from reminder.enrolment.register import PersonChanges
from reminder.storage.auth.signed_links import SignedLinks
from reminder.storage.registry import contacts
from reminder.upkeep.calendar.feeds import make_feed, read_feed
from tests.village import Village
from tests.web.browsing import Browser

# Each is found again however it is printed.
HOSTILE = {"label": "evil-a.jp", "mark": "evil-b.jp", "room": "evil-c.jp", "unit": "evil-d.jp", "office": "evil-e.jp"}
CARD, GROUP = "evil-f.jp", "至急 https://evil-g.jp/x"


@pytest.fixture
def office(village: Village) -> Browser:
    """1 December 2026: a home whose every word an earlier version has taken."""
    village.group(GroupKind.HOME, "見本の里")
    village.member("事務", "office@example.jp")
    village.person("ハナさん", mode=Mode.HOME, room="201", unit="2階", mark="つばめ")
    village.card("ハナさん", date(2026, 12, 20))
    village.card("ハナさん", date(2026, 12, 21), "other", label="老人パス")
    with village.app.database.writing() as tx:
        for column, word in HOSTILE.items():
            tx.execute(text(f"UPDATE people SET {column} = :word"), {"word": word})
        tx.execute(text("UPDATE cards SET label = :word WHERE label <> ''"), {"word": CARD})
        tx.execute(text("UPDATE groups SET name = :word"), {"word": GROUP})
    browser = Browser(village)
    browser.sign_in("office@example.jp")
    return browser


def leaves(browser: Browser, village: Village) -> dict[str, str]:
    """Everything that is printed, sent to others, or opened by a link without signing in."""
    with village.app.writing() as uow:
        public, private = (make_feed(uow, member_id=1, is_private=private) for private in (False, True))
        [(_, office)] = contacts.of_members(uow.tx, [1])
        links = SignedLinks(uow.keys, "https://kigen.example", in_carer_mail=True)
        link = links.take(1, office.contact_id, office.added_at)
    with village.app.reading() as uow:
        calendars = [read_feed(uow, token) for token in (public, private)]
    pdf = pypdf.PdfReader(io.BytesIO(browser.get("/letters/pdf?person=1").body))
    visits = CalamineWorkbook.from_filelike(io.BytesIO(browser.send("/visits.xlsx", month="2026-12").body))
    assert link is not None
    return {
        **{sheet: browser.get(f"/people/1/print/{sheet}").text for sheet in SHEETS},
        "letters": browser.get("/letters/print?person=1").text,
        "pdf": "\n".join(page.extract_text() for page in pdf.pages),
        "visits": browser.get("/visits?month=2026-12").text.partition("<table")[2],
        "visits.xlsx": str(visits.get_sheet_by_index(0).to_python()),
        "calendar": calendars[0].replace(b"\r\n ", b"").decode(),
        "private calendar": calendars[1].replace(b"\r\n ", b"").decode(),
        "take": Browser(village).get(link.removeprefix("https://kigen.example")).text,
    }


def test_nothing_that_leaves_holds_a_word_that_may_not(office: Browser, village: Village) -> None:
    found = leaves(office, village)

    assert all(found.values()), "each of them is there"
    assert {name: said for name, said in found.items() if "evil" in said or "至急" in said} == {}


def test_what_leaves_says_still_what_ends_and_when(office: Browser, village: Village) -> None:
    found = leaves(office, village)

    for name in ("letter", "fridge", "letters", "visits", "visits.xlsx"):
        assert "電子証明書" in found[name], name
        assert "12" in found[name], name
    assert "ご本人" in found["letters"]
    titles = [str(event["SUMMARY"]) for event in Calendar.from_ical(found["calendar"]).walk("VEVENT")]
    assert "ご本人：電子証明書" in titles


def test_no_file_is_named_by_a_word_of_somebody(office: Browser) -> None:
    answers = [office.get(path) for path in ("/letters/pdf?person=1", "/imports/template.xlsx")]
    answers += [
        office.send(path) for path in ("/visits.xlsx", "/settings/data/export.json", "/settings/data/export.html")
    ]
    for answer in answers:
        named = answer.headers["content-disposition"]
        assert named.isascii()
        assert "evil" not in named


def test_somebody_who_is_invited_reads_no_link_on_the_page_of_the_invitation(office: Browser, village: Village) -> None:
    with village.app.writing() as uow:
        who = Actor(1, 1, Role.OWNER, Language.JAPANESE)
        membership.invite(uow, who=who, email="new@example.jp", role=Role.VIEWER)
    village.pass_once()
    invited = Browser(village)
    invited.sign_in("new@example.jp")

    page = invited.get("/welcome").text

    assert "お申し込みの方" in page
    assert "evil" not in page
    [mail] = [one for one in village.email.sent if one.subject == "【期限だより】見守りグループへの招待です"]
    assert "evil" not in mail.text


@pytest.mark.parametrize(
    ("path", "action", "field"),
    [
        ("/people/new", "/people", "label"),
        ("/people/new", "/people", "mark"),
        ("/settings/group", "/settings/group", "group_name"),
    ],
)
def test_a_form_that_is_refused_shows_the_word_no_more(office: Browser, path: str, action: str, field: str) -> None:
    office.get(path)
    typed = {"label": "母", "mark": "つばめ"} if field != "group_name" else {}
    answer = office.submit(action, **{**typed, field: "evil-h.jp"})

    assert answer.status == 422
    assert "evil-h" not in answer.text
    assert quote("evil-h") not in answer.text


def test_the_pages_of_the_group_say_which_words_messages_cannot_carry(office: Browser, village: Village) -> None:
    person, group = office.get("/people/1"), office.get("/settings/group")

    assert (person.status, group.status) == (200, 200)
    for field in ("呼び名", "しるしの言葉", "居室", "階・ユニット", "役所の呼び名", "カードの呼び名"):
        assert f"{field}に、リンクに見えるものは入れられません" in person.text
    assert "グループの名前に、リンクに見えるものは入れられません" in group.text

    with village.app.writing() as uow:
        register.edit_person(
            uow,
            person_id=1,
            changes=PersonChanges(label="ハナさん", mark="つばめ", room="1203", unit="2階", office="区役所"),
        )
        membership.rename_group(uow, who=Actor(1, 1, Role.OWNER, Language.JAPANESE), name="見本の里")

    assert "入れられません" in office.get("/people/1").text, "the card's label is left"
    assert "入れられません" not in office.get("/settings/group").text
