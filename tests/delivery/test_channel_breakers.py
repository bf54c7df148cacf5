"""A provider that fails: nothing is lost and nobody is given up, the operator knows, and the most urgent go first."""

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from sqlalchemy import select

from reminder.domain.model.messages import MessageKind, Outgoing, Urgency
from reminder.domain.model.people import Audience, ChannelName
from reminder.errors import (
    ChannelError,
    PermanentChannelError,
    SetupChannelError,
    TemporaryChannelError,
    UnknownOutcomeError,
)
from reminder.storage.db.tables import Message
from reminder.storage.outbox import queue
from reminder.storage.outbox.queue import MessageDraft
from reminder.storage.runtime import breakers, heartbeats
from reminder.upkeep.health import assess
from tests.village import Village, japan

END = date(2027, 3, 31)
# How a provider fails, whatever it is sent.
OUTAGES: dict[str, Callable[[], ChannelError]] = {
    "nothing listens": lambda: TemporaryChannelError("connect"),
    "HTTP 500": lambda: UnknownOutcomeError("500"),
    "HTTP 503": lambda: UnknownOutcomeError("503"),
    "no answer": lambda: UnknownOutcomeError("timeout"),
    "cut off": lambda: UnknownOutcomeError("reset"),
    "busy": lambda: TemporaryChannelError("20503"),
    "too many": lambda: TemporaryChannelError("20429"),
    "account": lambda: SetupChannelError("20003"),
    "an unknown code": lambda: TemporaryChannelError("99999"),
}


def neighbours(village: Village, count: int) -> None:
    """People whose texts are all due at nine o'clock on 17 March."""
    village.member("娘", "musume@example.jp")
    for place in range(count):
        village.person(f"隣{place}", phone=f"090-0000-01{place:02}")
        village.card(f"隣{place}", END)
    village.sleep_until("2027-03-17 01:00")
    village.run_until("2027-03-17 08:59")
    village.email.fail_when(None)


def reminders(village: Village) -> list[tuple[str, str | None]]:
    with village.app.database.reading() as tx:
        query = select(Message.state, Message.reason).where(Message.kind == "reminder").order_by(Message.id)
        return [(state, reason) for state, reason in tx.execute(query)]


def opened(village: Village) -> list[str]:
    with village.app.database.reading() as tx:
        return sorted(breakers.open_channels(tx))


def troubles(village: Village) -> tuple[str, ...]:
    with village.app.database.writing() as tx:
        heartbeats.record(tx, heartbeats.PASS, village.now)
    return assess(village.app.units, village.now).troubles


@pytest.mark.parametrize(("kind", "people"), [*((kind, 2) for kind in OUTAGES), ("HTTP 500", 30)])
def test_seven_minutes_of_any_outage_fail_no_text(village: Village, kind: str, people: int) -> None:
    neighbours(village, people)
    village.sms.fail_when(lambda _: OUTAGES[kind]())

    village.run_until("2027-03-17 09:07")
    assert opened(village) == ["sms"] or "channel_paused_sms" in troubles(village)
    village.sms.fail_when(None)
    village.run_until("2027-03-17 09:30")

    assert {state for state, _ in reminders(village)} == {"accepted"}, reminders(village)
    assert len(village.sms.sent) == people
    assert opened(village) == []


@pytest.mark.parametrize("kind", OUTAGES)
def test_a_whole_day_of_any_outage_is_a_trouble_within_ten_minutes_and_fails_no_text(
    village: Village, kind: str
) -> None:
    neighbours(village, 3)
    village.sms.fail_when(lambda _: OUTAGES[kind]())

    village.run_until("2027-03-17 09:10")
    said = "channel_paused_sms" if kind == "account" else "channel_failing_sms"
    assert said in troubles(village)
    while village.now < japan("2027-03-17 17:40"):
        village.clock.move_to(village.now + timedelta(minutes=10))
        village.pass_once()
        assert said in troubles(village), village.now

    assert "failed" not in {state for state, _ in reminders(village)}
    assert "messages_overdue" not in troubles(village)


@pytest.mark.parametrize("kind", ["nothing listens", "HTTP 500", "account"])
def test_while_it_is_open_only_probes_use_attempts(village: Village, kind: str) -> None:
    neighbours(village, 30)
    tried: list[int] = []

    def fail(outgoing: Outgoing) -> ChannelError:
        tried.append(outgoing.message_id)
        return OUTAGES[kind]()

    village.sms.fail_when(fail)
    village.run_until("2027-03-17 09:17")
    before = len(tried)

    village.run_until("2027-03-17 09:37")

    assert opened(village) == ["sms"]
    assert len(tried) - before <= 20 / 2 + 1


@pytest.mark.parametrize(
    "refused",
    [
        PermanentChannelError("21211"),
        TemporaryChannelError("21635"),
        TemporaryChannelError("30003"),
        UnknownOutcomeError("timeout"),
    ],
    ids=lambda one: f"{type(one).__name__} {one.reason}",
)
@pytest.mark.parametrize("others", [0, 3])
def test_one_bad_address_opens_nothing_and_holds_up_nobody(
    village: Village, refused: ChannelError, others: int
) -> None:
    neighbours(village, 1 + others)
    bad = "+819000000100"
    village.sms.fail_when(lambda outgoing: refused if outgoing.address == bad else None)

    for minute in ("09:00", "09:20", "10:30"):
        village.run_until(f"2027-03-17 {minute}")
        assert opened(village) == []

    assert len(village.sms.sent) == others


def test_the_first_success_lets_the_others_go_the_most_urgent_first(village: Village) -> None:
    village.sleep_until("2027-03-17 10:00")
    phones = [f"090-0000-01{place:02}" for place in range(6)]
    for place, phone in enumerate(phones):
        village.person(f"隣{place}", phone=phone)
    urgencies = [Urgency.ROUTINE, Urgency.USUAL, Urgency.PRESSING] * 2
    drafts = [
        MessageDraft(
            key=f"one:{place}",
            kind=MessageKind.NOTICE,
            group_id=1,
            contact_id=place + 1,
            audience=Audience.PERSON,
            channel=ChannelName.SMS,
            subject=None,
            text=f"{urgency.name} {place}",
            segments=1,
            scheduled_at=village.now,
            expires_at=village.now + timedelta(hours=8),
            urgency=urgency,
        )
        for place, urgency in enumerate(urgencies)
    ]
    with village.app.database.writing() as tx:
        queue.add(tx, village.app.keys, drafts, village.now)
    village.sms.fail_when(lambda _: TemporaryChannelError("connect"))
    village.run_until("2027-03-17 10:05")
    assert opened(village) == ["sms"]

    village.sms.fail_when(None)
    village.run_until("2027-03-17 10:10")

    assert [one.text.split()[0] for one in village.sms.sent] == sorted(
        (one.text.split()[0] for one in village.sms.sent), key=["PRESSING", "USUAL", "ROUTINE"].index
    )
    assert len(village.sms.sent) == 6


def test_one_channel_that_fails_delays_no_other(village: Village) -> None:
    neighbours(village, 2)
    village.contact("隣0", ChannelName.EMAIL, "tonari@example.jp")
    village.email.fail_when(lambda _: TemporaryChannelError("connect"))

    village.run_until("2027-03-17 09:10")

    assert len(village.sms.sent) == 2
    assert "channel_failing_sms" not in troubles(village)


def test_what_is_over_before_the_channel_works_ends_with_its_day(village: Village) -> None:
    neighbours(village, 2)
    village.sms.fail_when(lambda _: TemporaryChannelError("connect"))

    while village.now < japan("2027-03-17 23:00"):
        village.clock.move_to(village.now + timedelta(minutes=20))
        village.pass_once()

    assert {state for state, _ in reminders(village)} == {"stale"}
    assert troubles(village) == (), "nothing waits for it at night"
    village.sleep_until("2027-03-18 08:00")
    village.run_until("2027-03-18 09:10")
    assert "channel_failing_sms" in troubles(village), "since yesterday"
