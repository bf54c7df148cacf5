"""A text that reached nobody: a named human is told, each once."""

from datetime import date

from reminder.domain.model.people import ChannelName, GroupKind
from reminder.errors import PermanentChannelError
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
