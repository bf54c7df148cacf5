"""Taking along: all that is held of a group or a person, and nothing of anybody else."""

import json
import re
from datetime import date
from html import unescape
from typing import Any

import pytest

from reminder.domain.model.access import Actor
from reminder.domain.model.consent_records import ConsentAct, ConsentWay
from reminder.domain.model.people import ChannelName, GroupKind, Language, Mode, Role, StoppedBy
from reminder.enrolment.identity import membership
from reminder.errors import NotFoundError
from reminder.storage.registry import contacts
from reminder.upkeep.calendar.feeds import make_feed
from reminder.upkeep.privacy.erasure import erase_person
from reminder.upkeep.privacy.export import export_group, export_page
from tests.rules import LANGUAGES
from tests.village import Village

END = date(2027, 3, 31)
SECRETS = ("_sealed", "_index", "_hash", "provider_id", "lease_until")


def taken(village: Village, **which: int) -> Any:
    """As a program reads it back."""
    app = village.app
    with app.units.reading(village.now) as uow:
        return json.loads(json.dumps(export_group(uow, **which)))


def names(held: object) -> set[str]:
    """Every name of an entry, however deep."""
    if isinstance(held, dict):
        return {*held, *(name for value in held.values() for name in names(value))}
    return {name for value in held for name in names(value)} if isinstance(held, list) else set()


@pytest.fixture
def family(talking_village: Village) -> Village:
    """A mother and a father of whom their daughter hears, together and each by themselves; and the neighbours."""
    village = talking_village
    village.member("娘", "musume@example.jp")
    village.person("母", phone="090-0000-0001", mode=Mode.ELDERLY, mark="つばめ", reference="203")
    village.person("父", phone="090-0000-0002", mode=Mode.ELDERLY)
    village.card("母", END)
    village.card("父", END)
    village.run_until("2027-01-16 00:00")
    village.answers("母", "むすこに きいて みます")
    village.group(GroupKind.HOUSEHOLD, "鈴木家")
    village.member("鈴木", "suzuki@example.jp")
    village.person("祖母", phone="090-0000-0003")
    village.card("祖母", END)
    village.run_until("2027-02-02 00:00")
    return village


def test_a_group_takes_along_everything_with_addresses_and_texts_opened(family: Village) -> None:
    who = Actor(1, 1, Role.OWNER, Language.JAPANESE)
    app = family.app
    with app.units.writing(family.now) as uow:
        membership.invite(uow, who=who, email="mago@example.jp", role=Role.VIEWER)
        make_feed(uow, member_id=1, is_private=False)

    held = taken(family, group_id=1)

    assert held["format"] == "kigen-dayori export 1"
    assert held["exported_at"] == "2027-02-02T00:00:00+09:00"
    assert held["group"]["name"] == "田中家"
    mother, father = held["people"]
    assert (mother["label"], mother["mark"], mother["reference"]) == ("母", "つばめ", "203")
    assert [contact["address"] for contact in mother["contacts"]] == ["+81" + "9000000001"]
    assert [contact["consent_by"] for contact in father["contacts"]] == ["長女"]
    assert [card["expires_on"] for card in mother["cards"]] == ["2027-03-31"]
    assert "opens" in [reminder["step"] for reminder in mother["cards"][0]["reminders"]]
    assert [notice["kind"] for notice in mother["notices"]] == ["family"]
    assert [one["contacts"][0]["address"] for one in held["members"]] == ["musume@example.jp"]
    assert [one["address"] for one in held["invitations"]] == ["mago@example.jp"]
    assert [reply["text"] for reply in held["replies"]] == ["むすこに きいて みます"]
    assert len(held["calendar_feeds"]) == 1
    texts = [message["text"] for message in held["messages"]]
    assert any("むすこに きいて みます" in text for text in texts), "what the daughter was told of it"
    assert any("お母さん" in text for text in texts)
    assert {"person_added", "card_added", "member_invited", "feed_made"} <= {act["act"] for act in held["activity_log"]}


def test_nothing_of_another_group_is_in_it(family: Village) -> None:
    written = json.dumps(taken(family, group_id=1), ensure_ascii=False)

    assert not any(word in written for word in ("鈴木", "祖母", "suzuki", "9000000003"))


def test_nothing_that_only_we_need_is_in_it(family: Village) -> None:
    with family.app.writing() as uow:
        make_feed(uow, member_id=1, is_private=False)

    assert [name for name in names(taken(family, group_id=1)) if name.endswith(SECRETS)] == []


def test_of_one_person_nothing_is_told_of_the_others(family: Village) -> None:
    held = taken(family, group_id=1, person_id=1)

    written = json.dumps(held, ensure_ascii=False)
    assert [person["label"] for person in held["people"]] == ["母"]
    assert not any(word in written for word in ("お父", '"父"', "9000000002", "musume"))
    assert held["group"].keys() == {"id", "name", "kind"}
    assert not {"members", "invitations", "tokens", "calendar_feeds"} & held.keys()
    of_both = [message for message in held["messages"] if message["speaks_of_others"]]
    assert of_both
    assert {(message["text"], message["subject"]) for message in of_both} == {(None, None)}
    assert any("お母さま" in (message["text"] or "") for message in held["messages"]), "what she alone is spoken of in"
    assert {act["person_id"] for act in held["activity_log"]} <= {1, None}
    assert "person_added" in [act["act"] for act in held["activity_log"]]


@pytest.mark.parametrize(
    ("which", "field"),
    [
        ({"group_id": 9}, "group"),
        ({"group_id": 1, "person_id": 9}, "person"),
        ({"group_id": 1, "person_id": 3}, "person"),
    ],
)
def test_what_is_not_there_or_in_another_group_is_not_found(family: Village, which: dict[str, int], field: str) -> None:
    with pytest.raises(NotFoundError) as refused:
        taken(family, **which)

    assert refused.value.field == field


def test_of_the_erased_the_journal_alone_is_taken_along(family: Village) -> None:
    erase_person(family.app.units, family.now, person_id=1)

    held = taken(family, group_id=1)

    assert [person["label"] for person in held["people"]] == ["父"]
    assert "お母" not in json.dumps(held, ensure_ascii=False)
    assert held["activity_log"][-1]["act"] == "person_erased"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("which", [{"group_id": 1}, {"group_id": 1, "person_id": 1}])
def test_the_page_says_the_same_in_every_language(family: Village, which: dict[str, int], language: Language) -> None:
    held = taken(family, **which)

    page = export_page(held, family.app.rules, language)

    said = unescape(re.sub(r"<rt>.*?</rt>|<rp>.*?</rp>|<style>.*?</style>|<[^>]+>", "", page, flags=re.DOTALL))
    assert page.count("<h1>") == 1
    assert "@page { size: A4" in page
    assert not re.search(r"<script|<a |<img|://|url\(|\bon\w+=", page)
    assert not re.search(r"[{}]|None|\bFalse\b|_added|_erased", said)
    assert "090" not in said
    for word in ("母", "つばめ", "203", "+81" + "9000000001", "むすこに きいて みます"):
        assert word in said
    assert ("父" in said) == ("person_id" not in which)
    texts = [message["text"] for message in held["messages"] if message["text"]]
    assert all(first_line(text) in said for text in texts)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_has_a_word_for_everything_that_the_ledger_of_consents_may_say(
    family: Village, language: Language
) -> None:
    words = family.app.rules.wording.of(language).in_mail.section("export")

    assert all(words[f"ledger_{act}"] for act in ConsentAct)
    assert all(words[f"way_{way}"] for way in ConsentWay)


def test_the_page_tells_what_the_owner_of_an_address_agreed_to_and_refused(village: Village) -> None:
    village.person("母")
    contact = village.contact("母", ChannelName.EMAIL, "haha@example.jp")
    with village.app.units.writing(village.now) as uow:
        contacts.stop(uow.tx, [contact], StoppedBy.CLICK, village.now)

    page = export_page(taken(village, group_id=1), village.app.rules, Language.JAPANESE)

    table = unescape(re.sub(r"<[^>]+>", "", page.partition("同意の記録")[2].partition("</table>")[0]))
    assert "haha@example.jp" in table
    assert "「やめる」と言われました" in table
    assert "本人がメールのボタンで" in table


def first_line(text: str) -> str:
    return re.sub("（[ぁ-ゖー]+）", "", text.splitlines()[0])


def test_what_people_typed_is_no_part_of_the_page_s_own_language(village: Village) -> None:
    village.person("<b>母</b>")
    village.contact("<b>母</b>", ChannelName.EMAIL, "haha@example.jp")

    page = export_page(taken(village, group_id=1), village.app.rules, Language.JAPANESE)

    assert "&lt;b&gt;母&lt;/b&gt;" in page
    assert "<b>" not in page


def test_an_empty_group_has_a_page_too(village: Village) -> None:
    village.group(name="空の家")

    page = export_page(taken(village, group_id=1), village.app.rules, Language.JAPANESE)

    assert "空の家" in page
    assert "ありません。" in page
