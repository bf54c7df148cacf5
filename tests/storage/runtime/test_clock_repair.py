"""After a clock was set back: what lies further in the future than it can be comes back, and nothing else moves."""

from datetime import timedelta

from sqlalchemy import select

from reminder.domain.model.messages import BEFORE_ASKING_AGAIN, LEASE, OUTCOME_WITHIN, MessageState
from reminder.domain.model.people import ChannelName
from reminder.domain.rules.sending_limits import HoldReason
from reminder.storage.db.tables import Message, RequestRate
from reminder.storage.outbox import leases, rate_limits
from reminder.storage.runtime import clock_repair, heartbeats, request_rates
from tests.storage.conftest import DAY, HOUR, NOW, Rows

SECOND = timedelta(seconds=1)


def test_what_a_wrong_clock_has_put_off_comes_back(rows: Rows) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()))
    leased, failed, sending, unknown = (rows.message(phone) for _ in range(4))
    leases.lease(rows.tx, [leased], until=NOW + DAY)
    rows.change(Message, failed, handed_at=NOW + DAY, attempts=1, scheduled_at=NOW + DAY)
    rows.handed(sending, MessageState.SENDING, lease_until=NOW + DAY)
    rows.handed(unknown, MessageState.UNKNOWN, lease_until=NOW + DAY)
    rate_limits.reserve(rows.tx, ChannelName.SMS, 1, between=SECOND, now=NOW + DAY)
    heartbeats.pause(rows.tx, "sms", "account", now=NOW + DAY, until=NOW + DAY + HOUR)
    heartbeats.record(rows.tx, heartbeats.AUDIT, NOW + DAY)
    request_rates.take(rows.tx, "one", 1, most=1, within=HOUR, now=NOW + DAY)

    clock_repair.mend(rows.tx, NOW)

    assert [row.id for row in leases.pick_due_and_end_stale(rows.tx, ChannelName.SMS, now=NOW, limit=9).ready] == [
        leased,
        failed,
    ]
    assert rows.one(Message.lease_until, sending) == NOW + OUTCOME_WITHIN
    assert rows.one(Message.lease_until, unknown) == NOW + BEFORE_ASKING_AGAIN
    assert rate_limits.free_at(rows.tx, ChannelName.SMS) == NOW
    assert [one.until <= NOW + HOUR for one in heartbeats.pauses(rows.tx, NOW)] == [True]
    assert heartbeats.last(rows.tx, heartbeats.AUDIT) == NOW
    assert request_rates.take(rows.tx, "one", 1, most=1, within=HOUR, now=NOW).is_allowed


def test_what_is_where_it_belongs_stays_there(rows: Rows) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()))
    later, leased, sending = rows.message(phone, scheduled_at=NOW + DAY), rows.message(phone), rows.message(phone)
    leases.lease(rows.tx, [leased], until=NOW + LEASE)
    rows.handed(sending, MessageState.SENDING, lease_until=NOW + OUTCOME_WITHIN)
    heartbeats.pause(rows.tx, "sms", HoldReason.UNUSUAL_DAY, now=NOW, until=NOW + DAY)
    request_rates.take(rows.tx, "one", 1, most=1, within=HOUR, now=NOW)
    before = (*rows.column(Message.scheduled_at), *rows.column(Message.lease_until), heartbeats.pauses(rows.tx, NOW))

    clock_repair.mend(rows.tx, NOW)

    after = (*rows.column(Message.scheduled_at), *rows.column(Message.lease_until), heartbeats.pauses(rows.tx, NOW))
    assert (before, rows.one(Message.scheduled_at, later)) == (after, NOW + DAY)
    assert rows.tx.execute(select(RequestRate.used_until)).scalar_one() > 0
    assert not request_rates.take(rows.tx, "one", 1, most=1, within=HOUR, now=NOW).is_allowed
