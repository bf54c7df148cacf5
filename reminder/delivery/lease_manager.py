"""The lease manager: leases messages of a channel that are due and still true, within rate and daily limits."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from reminder.clock import Clock, japan_date
from reminder.delivery import reschedule
from reminder.delivery.channel_breakers import ChannelBreakers, Permit
from reminder.domain.model.messages import LEASE, UNREADABLE, MessageKind, Urgency
from reminder.domain.model.people import Audience, ChannelName, GroupKind, Mode
from reminder.domain.rules import hours
from reminder.domain.rules.sending_limits import (
    A_DAY,
    BETWEEN_CALLS,
    LEAST_BOUND_OF,
    MOST_ALIKE,
    PRESSING_TIMES,
    HoldReason,
    bound_of_day,
    bound_of_group,
    counts_for_service,
    is_within_share,
    may_still_leave,
)
from reminder.storage.crypto.keyring import KeyRing
from reminder.storage.db.locks import lock
from reminder.storage.db.session import Database, Tx
from reminder.storage.outbox import group_limits, leases, rate_limits, told_before
from reminder.storage.outbox.leases import DueRow, LeasedMessage, RecentlySent
from reminder.storage.outbox.told_before import Said
from reminder.storage.reminders import digests
from reminder.storage.runtime import breakers, heartbeats

log = logging.getLogger(__name__)

# Leasing thousands at once would cost a little less for each. What is leased is handed over within seconds, so that
# something more urgent, and a worker that takes over, waits no longer.
MOST = 1000
# When a message whose key is missing is looked at again.
BEFORE_KEY = timedelta(minutes=5)
# How far ahead one worker reserves slots of a sender: long enough to save leases, short enough that urgent messages and
# other workers do not wait.
AHEAD = timedelta(seconds=5)
# Why a call waits: another one to the same number has just begun.
LINE_IN_USE = "line_in_use"
# Why and how long a message waits whose words another one is about to say to the same address, of the same cards.
SAME_WORDS, BEFORE_SAME_WORDS = "same_words", timedelta(minutes=1)
# How long a message of a suspended group waits before it is looked at again; resuming the group releases it at once.
WHILE_SUSPENDED = timedelta(hours=6)


@dataclass(frozen=True)
class LeaseBatch:
    """Leased messages.

    `is_all`: nothing more is due at this instant. `wait`: the seconds until this sender has slots again.
    """

    leased: Sequence[LeasedMessage] = ()
    is_all: bool = True
    wait: float = 0.0


class LeaseManager:
    """Leases messages; `per_second` is the rate of texts that all workers share (None: no limit).

    `breakers`: what the sender has seen of the channels' breakers. Codes leave whatever they say.
    """

    def __init__(
        self,
        database: Database,
        keys: KeyRing,
        clock: Clock,
        *,
        per_second: float | None,
        breakers: ChannelBreakers | None = None,
    ) -> None:
        self._database, self._keys, self._clock = database, keys, clock
        self._between = None if per_second is None else timedelta(seconds=1 / per_second)
        self._breakers = breakers or ChannelBreakers(keys)

    def claim(self, channel: ChannelName, *, can_send: bool, most: int = MOST, codes: bool = False) -> LeaseBatch:
        """Lease up to `most` messages; unless `can_send`, only end those that are past their day.

        `codes`: login codes; else all other messages. While the breaker of the channel is open, one message is leased
        from time to time as a probe, and nothing else.
        """
        now = self._clock.now()
        with self._database.writing() as tx:
            if channel.is_call:
                # Two workers would each start one of two calls to a number.
                lock(tx, f"lease {channel}")
            count, wait = self._leasable(tx, channel, now)
            count = min(count, most)
            if not count:
                return LeaseBatch(is_all=False, wait=wait)
            # Codes leave whatever it is; but their success closes an open breaker, which must be known then.
            found = self._breakers.permit(tx, channel, now)
            permit = Permit.ALL if codes else found
            least = self._least(tx, channel, permit, now, codes=codes) if can_send else None
            is_probe = permit is Permit.PROBE and least is not None
            if is_probe:
                self._pick(tx, channel, now, count, None)
                count = 1
            picked = self._pick(tx, channel, now, count, least, codes=codes)
            readable = self._readable(tx, picked.ready, now)
            apart = _one_call_after_the_other(tx, channel, readable, now) if channel.is_call else readable
            if is_probe and apart and not breakers.take_probe(tx, channel, now):
                apart = []  # another worker sends it
            rows = _Limits(tx, self._keys, channel, now).within(apart)
            leases.lease(tx, [row.id for row in rows], until=now + LEASE)
            starts_in = self._reserve_slots(tx, channel, len(rows), now)
        ended = len(picked.stale) + len(picked.refused) + len(picked.forgotten) + len(picked.suspended)
        leased = self._decrypt(rows, now, starts_in)
        if is_probe:
            return LeaseBatch([one._replace(is_probe=True) for one in leased])
        return LeaseBatch(leased, is_all=len(picked.ready) + ended < count)

    def _pick(
        self, tx: Tx, channel: ChannelName, now: datetime, count: int, least: Urgency | None, *, codes: bool = False
    ) -> leases.DueMessages:
        """Return what is due, and end what may not be sent any more, with the consequences."""
        picked = leases.pick_due_and_end_stale(tx, channel, now=now, limit=count, least=least, codes=codes)
        reschedule.reschedule_today(tx, picked.refused + picked.forgotten, now)
        digests.restart_if_lost(tx, picked.forgotten)
        leases.hold(tx, picked.suspended, WHILE_SUSPENDED)
        reschedule.reschedule_next_day(tx, picked.stale, now)
        return picked

    def _least(self, tx: Tx, channel: ChannelName, permit: Permit, now: datetime, *, codes: bool) -> Urgency | None:
        """Return the lowest urgency that may be sent now, or None if nothing may be sent.

        Codes are always tried. A paused channel sends nothing else, nor does one whose breaker is open. A channel that
        has reached its daily limit still sends answers.
        """
        if codes:
            return Urgency.ROUTINE
        if permit is Permit.NOTHING:
            return None
        match heartbeats.pause_of(tx, channel, now):
            case None:
                return Urgency.ROUTINE
            case HoldReason.UNUSUAL_DAY:
                return Urgency.ANSWER
            case _:
                return None

    def _readable(self, tx: Tx, rows: Sequence[DueRow], now: datetime) -> Sequence[DueRow]:
        """Return the rows that a key of the ring has sealed.

        The others wait: a missing key is the operator's mistake, and giving it back mends it. They end with their own
        day, as every message does.
        """
        closed = [row.id for row in rows if not leases.is_openable(self._keys, row)]
        if not closed:
            return rows
        log.error("messages %s were sealed with a key that is missing; they wait for it", closed)
        leases.defer(tx, closed, until=now + BEFORE_KEY, reason=UNREADABLE)
        return [row for row in rows if row.id not in set(closed)]

    def _leasable(self, tx: Tx, channel: ChannelName, now: datetime) -> tuple[int, float]:
        """Return how many messages may be leased now, and if none, in how many seconds."""
        if self._between is None or not channel.can.is_paced:
            return MOST, 0.0
        free = rate_limits.free_at(tx, channel)
        taken = max(timedelta(0), free - now) if free is not None else timedelta(0)
        if taken > AHEAD / 2:
            return 0, (taken - AHEAD / 2).total_seconds()
        return min(MOST, max(1, (AHEAD - taken) // self._between)), 0.0

    def _reserve_slots(self, tx: Tx, channel: ChannelName, count: int, now: datetime) -> float:
        """Reserve `count` slots of the sender and return in how many seconds the first one is."""
        if not count or self._between is None or not channel.can.is_paced:
            return 0.0
        first = rate_limits.reserve(tx, channel, count, between=self._between, now=now)
        return (first - now).total_seconds()

    def _decrypt(self, rows: Sequence[DueRow], now: datetime, starts_in: float) -> list[LeasedMessage]:
        """Decrypt the messages; this runs outside the transaction because it takes longer than leasing."""
        is_paced = self._between is not None and bool(rows) and ChannelName(rows[0].channel).can.is_paced
        between = self._between.total_seconds() if is_paced and self._between is not None else 0.0
        leased, unreadable = leases.decrypt(self._keys, rows, now, now + LEASE, starts_in=starts_in, between=between)
        if unreadable:
            log.error("messages %s were changed in the database; they cannot be sent", unreadable)
            with self._database.writing() as tx:
                leases.fail_unreadable(tx, unreadable, now)
        return leased


class _Limits:
    """The limits of one channel at one instant, each a group's own first."""

    def __init__(self, tx: Tx, keys: KeyRing, channel: ChannelName, now: datetime) -> None:
        self._tx, self._keys, self._channel, self._now, self._today = tx, keys, channel, now, japan_date(now)

    def within(self, rows: Sequence[DueRow]) -> Sequence[DueRow]:
        """Return the rows that may leave now, and count them; the others wait, or end with their own day.

        A row that was leased today and not handed over has been let through and counted, and so has one that is tried
        again: a day of failures must not use up what a group may send.
        """
        new = [row for row in rows if row.attempts == 0 and not self._was_leased_today(row)]
        if not new:
            return rows
        held = {row.id for row in new} - {row.id for row in self._let_through(new)}
        return [row for row in rows if row.id not in held]

    def _was_leased_today(self, row: DueRow) -> bool:
        return row.lease_until is not None and japan_date(row.lease_until) >= self._today

    def _let_through(self, rows: Sequence[DueRow]) -> Sequence[DueRow]:
        rows = self._within_reason(rows)
        wanted = Counter(_group_of(row) for row in rows)
        totals = group_limits.count(self._tx, self._channel, self._today, wanted) if wanted else {}
        before = {group_id: total - wanted[group_id] for group_id, total in totals.items()}
        of_groups = self._within_groups(rows, before, totals)
        leaving = self._within_a_day(of_groups, before)
        if len(leaving) < len(rows):
            left = Counter(_group_of(row) for row in leaving)
            unsent = {group_id: left[group_id] - count for group_id, count in wanted.items() if left[group_id] < count}
            group_limits.count(self._tx, self._channel, self._today, unsent)
        return leaving

    def _within_reason(self, rows: Sequence[DueRow]) -> Sequence[DueRow]:
        """Return the rows without those that are one too many for their address, from their own group.

        Those are deferred to the next day, or end with their own day.
        """
        written_to = [row.address_index for row in rows if row.address_index]
        addresses = set(written_to)
        sent = leases.sent_recently(self._tx, addresses, self._now - A_DAY, self._now)
        rows = self._not_told_before(rows, sent)
        if not sent.all and len(addresses) == len(written_to):
            # As on most mornings: one message to each, and none before it.
            return rows
        every, of_group, alike = Counter(sent.all), Counter(sent.of_group), Counter(sent.alike)
        writing: dict[bytes, set[int | None]] = {}
        for address, group_id in (*sent.of_group, *((row.address_index, row.group_id) for row in rows)):
            writing.setdefault(address, set()).add(group_id)
        fits, held, most = [], dict[HoldReason, list[DueRow]](), self._channel.can.most_a_day
        for row in rows:
            address, group = row.address_index, row.group_id
            words, groups = (address, group, row.body_fingerprint), len(writing[address])
            is_asked_for = row.urgency <= Urgency.ANSWER
            if address and not (
                is_asked_for or is_within_share(most, every[address], of_group[address, group], groups)
            ):
                held.setdefault(HoldReason.DAILY_CAP, []).append(row)
            elif address and row.body_fingerprint and alike[words] >= MOST_ALIKE:
                held.setdefault(HoldReason.REPEATED, []).append(row)
            else:
                every[address] += 1
                of_group[address, group] += 1
                alike[words] += 1
                fits.append(row)
        for why, kept in held.items():
            self._hold(kept, why, self._now + A_DAY)
        return fits

    def _not_told_before(self, rows: Sequence[DueRow], sent: RecentlySent) -> Sequence[DueRow]:
        """Return the rows without those whose very words have gone, or are about to go, to their address today."""
        said = {
            row.id: Said(row.id, row.group_id, row.address_index, row.body_fingerprint)
            for row in rows
            if row.address_index and row.body_fingerprint and not MessageKind(row.kind).is_asked_for
        }
        today, done = hours.instant(self._today, time(0)), set[int]()
        if said and told_before.has_traces(self._tx, today):
            adopted = told_before.by_traces(
                self._tx, self._keys, self._channel, list(said.values()), today, self._now
            ).adopted
            done.update(adopted)
        in_rows = Counter((one.address_index, one.group_id, one.body_fingerprint) for one in said.values())
        alike = [
            one.message_id
            for one in said.values()
            if in_rows[words := (one.address_index, one.group_id, one.body_fingerprint)] > 1 or words in sent.alike
            if one.message_id not in done
        ]
        if alike:
            twins = told_before.by_twins(self._tx, alike, today, self._now)
            waiting = [row for row in rows if row.id in set(twins.waiting)]
            _wait(self._tx, waiting, self._now + BEFORE_SAME_WORDS, SAME_WORDS, self._now)
            done.update(twins.cancelled, twins.waiting)
        return [row for row in rows if row.id not in done]

    def _within_groups(
        self, rows: Sequence[DueRow], before: Mapping[int, int], totals: Mapping[int, int]
    ) -> Sequence[DueRow]:
        """Return the rows without those of a group that sends far more than on its other days."""
        kinds = {_group_of(row): row.group_kind for row in rows if row.group_kind is not None}
        bounds = {
            group_id: bound
            for group_id, total in totals.items()
            if group_id in kinds and total > LEAST_BOUND_OF[kinds[group_id]]
            if (bound := self._bound_of(group_id, kinds[group_id])) is not None and total > bound
        }
        if not bounds:
            return rows
        handed, fits, held = Counter(before), list[DueRow](), list[DueRow]()
        for row in rows:
            group_id = _group_of(row)
            handed[group_id] += 1
            bound = bounds.get(group_id)
            times = PRESSING_TIMES if row.urgency <= Urgency.PRESSING else 1
            # The notice of this very limit has nobody to wait for, and answers were asked for.
            is_notice = row.kind == MessageKind.NOTICE and row.urgency <= Urgency.ANSWER
            is_kept = is_notice or row.kind in (MessageKind.ANSWER, MessageKind.LOGIN_CODE)
            is_over = bound is not None and handed[group_id] > times * bound and not is_kept
            (held if is_over else fits).append(row)
        if held:
            self._hold(held, HoldReason.UNUSUAL_DAY, hours.instant(self._today + timedelta(days=1), time(0)))
        return fits

    def _bound_of(self, group_id: int, kind: GroupKind) -> int | None:
        days = group_limits.days(self._tx, self._channel, group_id, self._today)
        return None if days.is_lifted else bound_of_group(kind, days.before)

    def _hold(self, rows: Sequence[DueRow], why: HoldReason, until: datetime) -> None:
        group_ids = sorted({row.group_id for row in rows if row.group_id is not None})
        log.error("%s messages of the groups %s are held: %s (the first: %s)", len(rows), group_ids, why, rows[0].id)
        for group_id in group_ids:
            group_limits.hold(self._tx, self._channel, group_id, why, now=self._now, until=until)
        _defer(self._tx, self._channel, rows, why, self._now)

    def _within_a_day(self, rows: Sequence[DueRow], before: Mapping[int, int]) -> Sequence[DueRow]:
        """Return the rows that keep this day like other days; more need the operator's consent.

        It is the last safety, behind the groups' own limits: of no group more than a few messages count.
        """
        days = rate_limits.days(self._tx, self._channel, self._today)
        bound = None if days.is_lifted else bound_of_day(days.before)
        wanted = Counter(map(_group_of, rows))
        weights = sum(counts_for_service(before.get(group_id, 0), count) for group_id, count in wanted.items())
        if rows and may_still_leave(bound, days.counted, weights) == weights:
            rate_limits.count(self._tx, self._channel, self._today, len(rows), weights)
            return rows
        handed, counted, fits = Counter(before), days.counted, []
        for row in rows:
            weight = counts_for_service(handed[_group_of(row)], 1)
            if may_still_leave(bound, counted, weight) == weight or row.urgency == Urgency.ANSWER:
                handed[_group_of(row)] += 1
                counted += weight
                fits.append(row)
        if len(fits) < len(rows):
            log.error(
                "channel %s: %s messages wait: today is like ten usual days", self._channel, len(rows) - len(fits)
            )
            until = hours.instant(self._today + timedelta(days=1), time(0))
            heartbeats.pause(self._tx, self._channel, HoldReason.UNUSUAL_DAY, now=self._now, until=until)
        if fits:
            rate_limits.count(self._tx, self._channel, self._today, len(fits), counted - days.counted)
        return fits


def _one_call_after_the_other(tx: Tx, channel: ChannelName, rows: Sequence[DueRow], now: datetime) -> Sequence[DueRow]:
    """Return the rows of which no two call one number, and none a number that was called a moment ago.

    The others wait their turn, within the hours of calls. What is too late then is planned for the next day.
    """
    addresses = {row.address_index for row in rows if row.address_index}
    last = dict(leases.last_handed(tx, channel, addresses, now - BETWEEN_CALLS, now))
    fits, waiting = [], dict[datetime, list[DueRow]]()
    for row in rows:
        address = row.address_index
        at = now if address not in last else max(now, last[address] + BETWEEN_CALLS)
        if at > now:
            at = hours.next_allowed(at, Mode.ELDERLY, Audience(row.audience), channel)
            waiting.setdefault(at, []).append(row)
        else:
            fits.append(row)
        if address:
            last[address] = at
    for until, some in waiting.items():
        _wait(tx, some, until, LINE_IN_USE, now)
    return fits


def _wait(tx: Tx, rows: Sequence[DueRow], until: datetime, why: str, now: datetime) -> None:
    """Let messages wait until then; one that has ended by then is planned for the next day."""
    leases.defer(tx, [row.id for row in rows if until < row.expires_at], until=until, reason=why)
    over = [row.id for row in rows if until >= row.expires_at]
    leases.end_stale(tx, over, why, now)
    reschedule.reschedule_next_day(tx, over, now)


def _group_of(row: DueRow) -> int:
    return row.group_id or group_limits.NO_GROUP


def _defer(tx: Tx, channel: ChannelName, rows: Sequence[DueRow], why: HoldReason, now: datetime) -> None:
    tomorrow = hours.instant(japan_date(now) + timedelta(days=1), time(0))
    for audience in {row.audience for row in rows}:
        until = hours.next_allowed(tomorrow, Mode.ELDERLY, Audience(audience), channel)
        _wait(tx, [row for row in rows if row.audience == audience], until, why, now)
