"""Who is not reached: whose, by which way, since when, and what to do about it."""

import re
from datetime import date

import pytest

from reminder.domain.model.people import ChannelName, GroupKind, Mode
from reminder.domain.rules.provider_errors import FailureCause, failure_cause
from reminder.errors import PermanentChannelError
from tests.village import Village
from tests.web.browsing import Browser


@pytest.fixture
def office(village: Village) -> Browser:
    """The morning after a day on which one text was refused by the network and another found nobody."""
    village.group(GroupKind.HOME, "見本の里")
    village.member("事務", "office@example.jp")
    village.person("ハナさん", mode=Mode.ELDERLY, room="201", unit="2階", phone="090-0000-0001")
    village.person("トミさん", mode=Mode.ELDERLY, room="305", unit="3階", phone="090-0000-0002")
    village.person("キヨさん", mode=Mode.ELDERLY, room="306", unit="3階", phone="090-0000-0003", consent=False)
    for label in ("ハナさん", "トミさん"):
        village.card(label, date(2026, 12, 31))
    village.sms.fail_when(
        lambda outgoing: (
            PermanentChannelError("21606", address_is_gone=False) if outgoing.address.endswith("1") else PermanentChannelError("30005")
            if outgoing.address.endswith("2") else None
        )
    )  # fmt: skip
    village.run_until("2026-12-02 11:00")
    browser = Browser(village)
    browser.sign_in("office@example.jp")
    return browser


def said_of(page: str) -> dict[str, str]:
    parts = [re.sub(r"<[^>]+>", " ", part) for part in page.split("<li>")[1:]]
    return {label: part for part in parts for label in ("ハナさん", "トミさん", "キヨさん") if label in part}


def test_each_stands_with_its_place_and_a_reason_and_our_own_fault_is_called_ours(office: Browser) -> None:
    found = said_of(office.get("/undelivered").text)

    assert "2階 201" in found["ハナさん"]
    assert "このサービスの不具合" in found["ハナさん"]
    assert "使われていない番号" in found["トミさん"]
    assert "12月" in found["トミさん"]
    assert "同意がまだ" in found["キヨさん"]


@pytest.mark.parametrize(
    ("asked", "here"),
    [("unit=3階", {"トミさん", "キヨさん"}), ("reason=ours", {"ハナさん"}), ("unit=3階&reason=number", {"トミさん"})],
)
def test_only_those_of_a_floor_or_with_a_reason_are_shown(office: Browser, asked: str, here: set[str]) -> None:
    assert set(said_of(office.get(f"/undelivered?{asked}").text)) == here


def test_whom_the_next_text_reaches_is_on_the_list_no_more(office: Browser, village: Village) -> None:
    village.sms.fail_when(None)
    village.run_until("2026-12-18 11:00")

    # Nor is she silent: before this text nobody had told her anything.
    assert "ハナさん" not in said_of(office.get("/undelivered").text)


@pytest.mark.parametrize(
    ("channel", "reason", "meant"),
    [
        ("sms", "30003", FailureCause.AWAY),
        ("sms", "30005", FailureCause.NUMBER),
        ("sms", "21610", FailureCause.REFUSED),
        ("sms", "20003", FailureCause.OURS),
        ("sms", "30008", FailureCause.LATER),
        ("sms", None, FailureCause.LATER),
        ("sms", "gave_up", FailureCause.LATER),
        ("email", "550", FailureCause.NUMBER),
        ("email", "452", FailureCause.LATER),
        ("email", "address", FailureCause.NUMBER),
        ("voice", "no-answer", FailureCause.LATER),
    ],
)
def test_what_a_provider_says_is_told_in_a_few_words(channel: str, reason: str | None, meant: FailureCause) -> None:
    assert failure_cause(ChannelName(channel), reason) is meant
