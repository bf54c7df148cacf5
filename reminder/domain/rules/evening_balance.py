"""The evening balance: what became, by the evening, of everything that was due on a day."""

from collections.abc import Collection
from dataclasses import dataclass, fields
from datetime import date, datetime, time, timedelta
from enum import StrEnum

from reminder.domain.model.people import ChannelName
from reminder.domain.model.promise_states import PromiseState
from reminder.domain.rules import hours
from reminder.domain.rules.promise_checks import PromisedMessage

# A day is counted first when its promises to persons are over and the lists of providers have been read.
COUNTED_FROM = time(19)
# What is still open then is counted again: mails to carers leave until 21:00, and some carriers report after hours.
COUNTED_AGAIN = timedelta(hours=1)
COUNTED_FOR = timedelta(days=7)
# After a longer absence the days before are left out.
FARTHEST_BACK = timedelta(days=400)


class Fate(StrEnum):
    """What became of a promise. Each promise of a day that was needed has exactly one."""

    ARRIVED = "arrived"  # proved, by the way that was promised
    OTHER_WAY = "other_way"  # proved, by another way to the same human
    TO_HUMAN = "to_human"  # not told: the family, the staff or the operator has it
    OPEN = "open"  # it waits, and nothing has left
    NOT_KNOWN = "not_known"  # something has left, or may have, and nobody knows whether it arrived


_FATES = {
    PromiseState.PROVEN: Fate.ARRIVED,
    PromiseState.OTHER_WAY: Fate.OTHER_WAY,
    PromiseState.FAMILY: Fate.TO_HUMAN,
    PromiseState.STAFF: Fate.TO_HUMAN,
    PromiseState.OPERATOR: Fate.TO_HUMAN,
}


def fate_of(state: PromiseState, messages: Collection[PromisedMessage] = ()) -> Fate | None:
    """Return what became of a promise; None for one that was not needed, which was not due.

    `messages`: those that tell an open one to its addressee.
    """
    if state is not PromiseState.OPEN:
        return _FATES.get(state)
    if any(one.is_proof for one in messages):
        return Fate.ARRIVED  # its promise is looked at a little later
    return Fate.NOT_KNOWN if any(one.may_have_left for one in messages) else Fate.OPEN


@dataclass(frozen=True)
class DayBalance:
    """The balance of one day (a date in Japan) and one channel, the one by which each human was to be told first.

    `due`: promises, each of one step to one human. They are the sum of what became of them. `people`: whom these
    concern. `messages`: reminders and copies that were handed over by this channel on this day, on whosever account.
    """

    day: date
    channel: str
    people: int = 0
    messages: int = 0
    due: int = 0
    arrived: int = 0
    other_way: int = 0
    to_human: int = 0
    open: int = 0
    not_known: int = 0

    @property
    def is_settled(self) -> bool:
        """Whether the fate of everything that was due is known."""
        return not (self.open or self.not_known)


COUNTS = tuple(field.name for field in fields(DayBalance) if field.name not in ("day", "channel"))


def total(balances: Collection[DayBalance], day: date, channel: str = "") -> DayBalance:
    """Return the sum of several balances. People who are told by two channels count twice."""
    return DayBalance(day, channel, **{name: sum(getattr(one, name) for one in balances) for name in COUNTS})


def in_order(balances: Collection[DayBalance], channels: Collection[ChannelName]) -> list[DayBalance]:
    """Return the balances by day, and on each in the order of the channels; others come last."""
    places = {name: place for place, name in enumerate(channels)}
    return sorted(balances, key=lambda one: (one.day, places.get(one.channel, len(places)), one.channel))  # type: ignore[call-overload]


def last_day_to_count(now: datetime) -> date:
    """Return the latest day in Japan whose evening has come."""
    at = hours.japan(now)
    return at.date() if at.time() >= COUNTED_FROM else at.date() - timedelta(days=1)


def is_final(day: date, now: datetime, balances: Collection[DayBalance]) -> bool:
    """Return whether a count at this instant is the last one of the day: it is over, and so is everything in it."""
    is_over = now >= hours.instant(day + timedelta(days=1), time(0))
    return is_over and all(one.is_settled for one in balances)
