"""What may leave now by one channel: due, still true, at its sender's pace, and within what a day may come to."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from reminder.clock import Clock, japan_date
from reminder.delivery import again
from reminder.domain import hours
from reminder.domain.messages import LEASE, Urgency
from reminder.domain.pace import A_DAY, MOST_ALIKE, Stop, bound_of_day, may_still_leave
from reminder.domain.people import Audience, ChannelName, Mode
from reminder.storage import claims, digests, health, pace
from reminder.storage.claims import DueRow, InHand
from reminder.storage.keys import KeyRing
from reminder.storage.session import Database, Tx

log = logging.getLogger(__name__)

# A claim of thousands would cost a little less for each and keep the first waiting: so the first one is small.
FIRST, BATCH = 100, 1000
# How far ahead one worker takes turns of a sender: long enough to spare claims, short enough that what becomes urgent,
# and other workers, do not wait.
AHEAD = timedelta(seconds=5)
# Under this name the operator sees that somebody would have been sent too much.
ADDRESS = "address"


@dataclass(frozen=True)
class Claim:
    """`is_all`: nothing more is due at this moment. `wait`: the seconds until this sender has turns again."""

    in_hand: Sequence[InHand] = ()
    is_all: bool = True
    wait: float = 0.0


class Claimer:
    """`per_second`: the pace of texts, which all workers share (None: as fast as it goes)."""

    def __init__(self, database: Database, keys: KeyRing, clock: Clock, *, per_second: float | None) -> None:
        self._database, self._keys, self._clock = database, keys, clock
        self._between = None if per_second is None else timedelta(seconds=1 / per_second)

    def claim(self, channel: ChannelName, *, can_send: bool, most: int = BATCH) -> Claim:
        """`can_send`: else only what has missed its day ends."""
        now = self._clock.now()
        with self._database.writing() as tx:
            room, wait = self._room(tx, channel, now)
            room = min(room, most)
            if not room:
                return Claim(is_all=False, wait=wait)
            least = _least(tx, channel, now) if can_send else None
            picked = claims.pick(tx, channel, now=now, limit=room, least=least)
            again.today(tx, picked.refused + picked.forgotten, now)
            digests.make_again(tx, picked.forgotten)
            again.on_the_next_day(tx, picked.stale, now)
            rows = _within_a_day(tx, channel, _within_reason(tx, channel, picked.ready, now), now)
            claims.take(tx, [row.id for row in rows], now=now, lease=LEASE)
            starts_in = self._turns(tx, channel, len(rows), now)
        ended = len(picked.stale) + len(picked.refused) + len(picked.forgotten)
        return Claim(self._opened(rows, now, starts_in), is_all=len(picked.ready) + ended < room)

    def _room(self, tx: Tx, channel: ChannelName, now: datetime) -> tuple[int, float]:
        """How many may be claimed, or in how many seconds any."""
        if self._between is None or not channel.can.is_paced:
            return BATCH, 0.0
        free = pace.free_at(tx, channel)
        taken = max(timedelta(0), free - now) if free is not None else timedelta(0)
        if taken > AHEAD / 2:
            return 0, (taken - AHEAD / 2).total_seconds()
        return min(BATCH, max(1, (AHEAD - taken) // self._between)), 0.0

    def _turns(self, tx: Tx, channel: ChannelName, count: int, now: datetime) -> float:
        """In how many seconds the first of them is, counted into the day."""
        if not count:
            return 0.0
        pace.count(tx, channel, japan_date(now), count)
        if self._between is None or not channel.can.is_paced:
            return 0.0
        first = pace.take_turns(tx, channel, count, between=self._between, now=now)
        return (first - now).total_seconds()

    def _opened(self, rows: Sequence[DueRow], now: datetime, starts_in: float) -> list[InHand]:
        """Outside the transaction: what is sealed takes longer to open than to claim."""
        is_paced = self._between is not None and bool(rows) and ChannelName(rows[0].channel).can.is_paced
        between = self._between.total_seconds() if is_paced and self._between is not None else 0.0
        in_hand, unreadable = claims.opened(self._keys, rows, now, now + LEASE, starts_in=starts_in, between=between)
        if unreadable:
            log.error("messages %s were sealed with a key that is gone; they cannot be sent", unreadable)
            with self._database.writing() as tx:
                claims.fail_unreadable(tx, unreadable, now)
        return in_hand


def _least(tx: Tx, channel: ChannelName, now: datetime) -> Urgency | None:
    """A channel that waits sends nothing; one that had too much for a day still answers."""
    match health.pause_of(tx, channel, now):
        case None:
            return Urgency.ROUTINE
        case Stop.UNUSUAL_DAY:
            return Urgency.ANSWER
        case _:
            return None


def _within_reason(tx: Tx, channel: ChannelName, rows: Sequence[DueRow], now: datetime) -> list[DueRow]:
    """Without what would be one too many for its address. That is put off to the next day, or ends with its own."""
    told = claims.told_lately(tx, {row.address_index for row in rows if row.address_index}, now - A_DAY)
    every, alike = Counter(told.all), Counter(told.alike)
    fits, stopped, most = [], dict[Stop, list[DueRow]](), channel.can.most_a_day
    for row in rows:
        address, likeness = row.address_index, row.likeness
        words = (address, likeness)
        if address and every[address] >= most and row.urgency > Urgency.ANSWER:
            stopped.setdefault(Stop.DAILY_CAP, []).append(row)
        elif address and likeness and alike[words] >= MOST_ALIKE:
            stopped.setdefault(Stop.REPEATED, []).append(row)
        else:
            every[address] += 1
            alike[words] += 1
            fits.append(row)
    for why, kept in stopped.items():
        log.error("%s messages are kept back: %s (the first: %s)", len(kept), why, kept[0].id)
        health.pause(tx, ADDRESS, why, now=now, until=now + A_DAY)
        _put_off(tx, channel, kept, why, now)
    return fits


def _put_off(tx: Tx, channel: ChannelName, rows: Sequence[DueRow], why: Stop, now: datetime) -> None:
    tomorrow = hours.instant(japan_date(now) + timedelta(days=1), time(0))
    for audience in {row.audience for row in rows}:
        until = hours.next_allowed(tomorrow, Mode.ELDERLY, Audience(audience), channel)
        theirs = [row for row in rows if row.audience == audience]
        claims.put_off(tx, [row.id for row in theirs if until < row.stale_after], until=until, reason=why)
        over = [row.id for row in theirs if until >= row.stale_after]
        claims.end_stale(tx, over, why, now)
        again.on_the_next_day(tx, over, now)


def _within_a_day(tx: Tx, channel: ChannelName, rows: Sequence[DueRow], now: datetime) -> Sequence[DueRow]:
    """Without what would make this day one unlike any other, until the operator says that it is right."""
    today = japan_date(now)
    days = pace.days(tx, channel, today)
    bound = None if days.is_lifted else bound_of_day(days.before)
    allowed = may_still_leave(bound, days.handed, len(rows))
    if allowed == len(rows):
        return rows
    log.error("channel %s: %s have left today, ten times a usual day; the others wait", channel, days.handed + allowed)
    until = hours.instant(today + timedelta(days=1), time(0))
    health.pause(tx, channel, Stop.UNUSUAL_DAY, now=now, until=until)
    return [row for place, row in enumerate(rows) if place < allowed or row.urgency == Urgency.ANSWER]
