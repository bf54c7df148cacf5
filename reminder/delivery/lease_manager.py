"""The lease manager: leases messages of a channel that are due and still true, within rate and daily limits."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from reminder.clock import Clock, japan_date
from reminder.delivery import reschedule
from reminder.domain.model.messages import LEASE, Urgency
from reminder.domain.model.people import Audience, ChannelName, Mode
from reminder.domain.rules import hours
from reminder.domain.rules.sending_limits import A_DAY, MOST_ALIKE, HoldReason, bound_of_day, may_still_leave
from reminder.storage.crypto.keyring import KeyRing
from reminder.storage.db.session import Database, Tx
from reminder.storage.outbox import leases, rate_limits
from reminder.storage.outbox.leases import DueRow, LeasedMessage
from reminder.storage.reminders import digests
from reminder.storage.runtime import heartbeats

log = logging.getLogger(__name__)

# Leasing thousands at once would cost a little less for each but delay the first, so the first batch is small.
FIRST, BATCH = 100, 1000
# How far ahead one worker reserves slots of a sender: long enough to save leases, short enough that urgent messages and
# other workers do not wait.
AHEAD = timedelta(seconds=5)
# How long a message of a suspended group waits before it is looked at again; resuming the group releases it at once.
WHILE_SUSPENDED = timedelta(hours=6)
# The operator sees this name if one address would have got too much.
ADDRESS = "address"


@dataclass(frozen=True)
class LeaseBatch:
    """Leased messages.

    `is_all`: nothing more is due at this instant. `wait`: the seconds until this sender has slots again.
    """

    leased: Sequence[LeasedMessage] = ()
    is_all: bool = True
    wait: float = 0.0


class LeaseManager:
    """Leases messages; `per_second` is the rate of texts that all workers share (None: no limit)."""

    def __init__(self, database: Database, keys: KeyRing, clock: Clock, *, per_second: float | None) -> None:
        self._database, self._keys, self._clock = database, keys, clock
        self._between = None if per_second is None else timedelta(seconds=1 / per_second)

    def claim(self, channel: ChannelName, *, can_send: bool, most: int = BATCH) -> LeaseBatch:
        """Lease up to `most` messages; unless `can_send`, only end those that are past their day."""
        now = self._clock.now()
        with self._database.writing() as tx:
            count, wait = self._leasable(tx, channel, now)
            count = min(count, most)
            if not count:
                return LeaseBatch(is_all=False, wait=wait)
            least = _least(tx, channel, now) if can_send else None
            picked = leases.pick_due_and_end_stale(tx, channel, now=now, limit=count, least=least)
            reschedule.reschedule_today(tx, picked.refused + picked.forgotten, now)
            digests.restart_if_lost(tx, picked.forgotten)
            leases.hold(tx, picked.suspended, WHILE_SUSPENDED)
            reschedule.reschedule_next_day(tx, picked.stale, now)
            rows = _within_a_day(tx, channel, _within_reason(tx, channel, picked.ready, now), now)
            leases.lease(tx, [row.id for row in rows], now=now, lease=LEASE)
            starts_in = self._reserve_slots(tx, channel, len(rows), now)
        ended = len(picked.stale) + len(picked.refused) + len(picked.forgotten) + len(picked.suspended)
        return LeaseBatch(self._decrypt(rows, now, starts_in), is_all=len(picked.ready) + ended < count)

    def _leasable(self, tx: Tx, channel: ChannelName, now: datetime) -> tuple[int, float]:
        """Return how many messages may be leased now, and if none, in how many seconds."""
        if self._between is None or not channel.can.is_paced:
            return BATCH, 0.0
        free = rate_limits.free_at(tx, channel)
        taken = max(timedelta(0), free - now) if free is not None else timedelta(0)
        if taken > AHEAD / 2:
            return 0, (taken - AHEAD / 2).total_seconds()
        return min(BATCH, max(1, (AHEAD - taken) // self._between)), 0.0

    def _reserve_slots(self, tx: Tx, channel: ChannelName, count: int, now: datetime) -> float:
        """Reserve `count` slots of the sender and return in how many seconds the first one is."""
        if not count:
            return 0.0
        rate_limits.count(tx, channel, japan_date(now), count)
        if self._between is None or not channel.can.is_paced:
            return 0.0
        first = rate_limits.reserve(tx, channel, count, between=self._between, now=now)
        return (first - now).total_seconds()

    def _decrypt(self, rows: Sequence[DueRow], now: datetime, starts_in: float) -> list[LeasedMessage]:
        """Decrypt the messages; this runs outside the transaction because it takes longer than leasing."""
        is_paced = self._between is not None and bool(rows) and ChannelName(rows[0].channel).can.is_paced
        between = self._between.total_seconds() if is_paced and self._between is not None else 0.0
        leased, unreadable = leases.decrypt(self._keys, rows, now, now + LEASE, starts_in=starts_in, between=between)
        if unreadable:
            log.error("messages %s were sealed with a key that is gone; they cannot be sent", unreadable)
            with self._database.writing() as tx:
                leases.fail_unreadable(tx, unreadable, now)
        return leased


def _least(tx: Tx, channel: ChannelName, now: datetime) -> Urgency | None:
    """Return the lowest urgency that may be sent now, or None if nothing may be sent.

    A paused channel sends nothing. A channel that has reached its daily limit still sends answers.
    """
    match heartbeats.pause_of(tx, channel, now):
        case None:
            return Urgency.ROUTINE
        case HoldReason.UNUSUAL_DAY:
            return Urgency.ANSWER
        case _:
            return None


def _within_reason(tx: Tx, channel: ChannelName, rows: Sequence[DueRow], now: datetime) -> list[DueRow]:
    """Return the rows without those that are one too many for their address.

    Those are deferred to the next day, or end with their own day.
    """
    sent = leases.sent_recently(tx, {row.address_index for row in rows if row.address_index}, now - A_DAY)
    every, alike = Counter(sent.all), Counter(sent.alike)
    fits, stopped, most = [], dict[HoldReason, list[DueRow]](), channel.can.most_a_day
    for row in rows:
        address, body_fingerprint = row.address_index, row.body_fingerprint
        words = (address, body_fingerprint)
        if address and every[address] >= most and row.urgency > Urgency.ANSWER:
            stopped.setdefault(HoldReason.DAILY_CAP, []).append(row)
        elif address and body_fingerprint and alike[words] >= MOST_ALIKE:
            stopped.setdefault(HoldReason.REPEATED, []).append(row)
        else:
            every[address] += 1
            alike[words] += 1
            fits.append(row)
    for why, kept in stopped.items():
        log.error("%s messages are kept back: %s (the first: %s)", len(kept), why, kept[0].id)
        heartbeats.pause(tx, ADDRESS, why, now=now, until=now + A_DAY)
        _defer(tx, channel, kept, why, now)
    return fits


def _defer(tx: Tx, channel: ChannelName, rows: Sequence[DueRow], why: HoldReason, now: datetime) -> None:
    tomorrow = hours.instant(japan_date(now) + timedelta(days=1), time(0))
    for audience in {row.audience for row in rows}:
        until = hours.next_allowed(tomorrow, Mode.ELDERLY, Audience(audience), channel)
        theirs = [row for row in rows if row.audience == audience]
        leases.defer(tx, [row.id for row in theirs if until < row.expires_at], until=until, reason=why)
        over = [row.id for row in theirs if until >= row.expires_at]
        leases.end_stale(tx, over, why, now)
        reschedule.reschedule_next_day(tx, over, now)


def _within_a_day(tx: Tx, channel: ChannelName, rows: Sequence[DueRow], now: datetime) -> Sequence[DueRow]:
    """Return the rows that keep this day like other days; more need the operator's consent."""
    today = japan_date(now)
    days = rate_limits.days(tx, channel, today)
    bound = None if days.is_lifted else bound_of_day(days.before)
    allowed = may_still_leave(bound, days.handed, len(rows))
    if allowed == len(rows):
        return rows
    log.error("channel %s: %s have left today, ten times a usual day; the others wait", channel, days.handed + allowed)
    until = hours.instant(today + timedelta(days=1), time(0))
    heartbeats.pause(tx, channel, HoldReason.UNUSUAL_DAY, now=now, until=until)
    return [row for place, row in enumerate(rows) if place < allowed or row.urgency == Urgency.ANSWER]
