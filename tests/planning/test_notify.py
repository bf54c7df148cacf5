"""A text that reached nobody: a named human is told, each once."""

from datetime import date, timedelta

import pytest

from reminder.domain.model.people import ChannelName, GroupKind, Language, Role
from reminder.domain.rules.sending_limits import HoldReason
from reminder.enrolment import register
from reminder.errors import PermanentChannelError
from reminder.storage.outbox import group_limits
from reminder.storage.registry import contacts
from reminder.upkeep.health import assess
from tests.village import Village

END = date(2027, 3, 31)
LOST = "届きませんでした"


def test_a_family_is_told_that_a_phone_cannot_be_reached(village: Village) -> None:
    village.member("娘", "musume@example.jp")
    village.person("父", phone="090-0000-0002")
    village.card("父", END)
    village.sleep_until("2027-03-17 08:00")
    village.sms.fail_next(PermanentChannelError("21211"))

    village.run_until("2027-03-17 23:00")

    assert sum(LOST in words for words in village.words_to("娘")) == 1
    assert any("お父さまの電話にお知らせが届きませんでした" in words for words in village.words_to("娘"))


def test_in_a_home_the_staff_is_told_where_a_resident_has_no_family(village: Village) -> None:
    village.group(GroupKind.HOME, "さくら苑")
    village.member("事務", "jimu@example.jp")
    village.person("佐藤", phone="090-0000-0003")
    village.card("佐藤", END)
    village.sleep_until("2027-03-17 09:30")
    village.sms.fail_next(PermanentChannelError("21211"))

    village.run_until("2027-03-17 23:00")

    assert sum(LOST in words for words in village.words_to("事務")) == 1


def test_a_family_contact_hears_of_it_before_the_home_does(village: Village) -> None:
    village.group(GroupKind.HOME, "さくら苑")
    village.member("事務", "jimu@example.jp")
    village.person("佐藤", phone="090-0000-0003")
    village.contact("佐藤", ChannelName.EMAIL, "musuko@example.jp", family="息子")
    village.card("佐藤", END)
    village.sleep_until("2027-03-17 09:30")
    village.sms.fail_next(PermanentChannelError("21211"))

    village.run_until("2027-03-17 23:00")

    assert any(LOST in words for words in village.words_to("息子"))
    assert not any(LOST in words for words in village.words_to("事務"))


def test_two_texts_that_come_back_on_one_day_are_told_once(village: Village) -> None:
    village.member("娘", "musume@example.jp")
    for label, phone in (("父", "090-0000-0002"), ("母", "090-0000-0001")):
        village.person(label, phone=phone)
        village.card(label, END)
    village.sleep_until("2027-03-17 08:00")
    village.sms.fail_when(lambda _: PermanentChannelError("21211"))

    village.run_until("2027-03-17 23:00")

    told = [words for words in village.words_to("娘") if LOST in words]
    assert len(told) == 2, "one about each parent, and no more"
    assert {"お父さま" in words for words in told} == {True, False}


FLOOD = "明日にまわしました"


def flood(village: Village, persons: int, phone: str) -> None:
    """A household that registers one number of somebody else for many persons."""
    village.group(name="だれか")
    village.member("だれか", "dareka@example.jp")
    for place in range(persons):
        village.person(f"人{'甲乙丙丁戊己庚辛壬癸子丑寅卯'[place]}", phone=phone)
        village.card(f"人{'甲乙丙丁戊己庚辛壬癸子丑寅卯'[place]}", date(2026, 12, 3), "passport")


def test_a_stranger_s_flood_waits_and_is_told_to_the_stranger_and_the_family_s_elder_is_reminded(
    village: Village,
) -> None:
    flood(village, 14, "090-1212-3434")
    village.run_until("2026-12-01 10:30")
    village.group(name="田中家")
    village.member("娘", "musume@example.jp")
    village.person("母", phone="090-1212-3434")
    village.card("母", date(2026, 12, 3))

    village.run_until("2026-12-02 18:00")

    of_the_family = [one for one in village.messages(group_id=2) if one.channel == "sms"]
    assert {(one.state, one.reason) for one in of_the_family} == {("accepted", None)}
    assert f"{of_the_family[0].handed_at:%m-%d}" == "12-01", "on the day on which it is due"
    assert sum(FLOOD in words for words in village.words_to("だれか")) == 2, "once on each day"
    assert not any(FLOOD in words for words in village.words_to("娘"))
    village.pass_once()
    health = assess(village.app.units, village.now)
    assert health.troubles == ()
    assert [one.name for one in health.concerns if one.code == "group_over_limit"] == ["1 (sms, daily_cap)"]


@pytest.mark.parametrize("language", ["ja", "ja-easy", "en"])
def test_each_limit_is_said_in_the_language_of_the_member(village: Village, language: str) -> None:
    group = village.group()
    village.member("娘", "musume@example.jp", language=Language(language))
    with village.app.database.writing() as tx:
        for reason in HoldReason:
            group_limits.hold(
                tx, ChannelName.SMS, group, reason, now=village.now, until=village.now + timedelta(days=1)
            )

    village.run_until("2026-12-01 12:00")

    assert len({*village.words_to("娘")}) == len(HoldReason)


@pytest.mark.parametrize("persons", [2, 3])
def test_a_son_who_gets_texts_is_told_of_both_parents_on_the_last_day(village: Village, persons: int) -> None:
    """A text speaks of one person; near an end the next one must not wait until it is over."""
    labels = ("父", "母", "祖母")[:persons]
    for label in labels:
        village.person(label)
        village.contact(label, ChannelName.SMS, "090-0000-0007", family=f"息子{label}")
        village.card(label, date(2026, 12, 4), "passport")

    village.run_until("2026-12-04 20:00")

    said = [text for label in labels for text in village.words_to(f"息子{label}")]
    for label in ("お父さま", "お母さま", "おばあさま")[:persons]:
        assert any(label in text for text in said), label


def test_a_member_who_gets_texts_is_told_of_all_whose_end_is_near_on_one_day(village: Village) -> None:
    group = village.group()
    with village.app.writing() as uow:
        member = register.add_member(
            uow, group_id=group, email="musuko@example.jp", role=Role.OWNER, language=Language.JAPANESE
        )
        register.add_contact(uow, member_id=member, channel=ChannelName.SMS, address="090-0000-0007")
        (mail,) = [one for one in contacts.of_member(uow.tx, uow.keys, member) if one.channel.is_mail]
        contacts.mark_unreachable(uow.tx, [mail.id])
    village._addresses["息子"] = {"+819000000007"}
    for label in ("父", "母"):
        village.person(label)
        village.card(label, date(2026, 12, 4), "passport")

    village.run_until("2026-12-01 20:00")

    assert [any(label in text for text in village.words_to("息子")) for label in ("お父さま", "お母さま")] == [
        True,
        True,
    ]
