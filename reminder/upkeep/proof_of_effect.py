"""Proof of effect: once a day the ends that have passed are counted, and those for which somebody has acted."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from reminder.clock import japan_date
from reminder.domain.model.card_kinds import OTHER
from reminder.domain.model.end_outcomes import EndOutcome
from reminder.domain.model.own_kinds import stored_kind
from reminder.domain.model.people import ChannelName
from reminder.domain.rules import effect
from reminder.domain.rules.effect import EndFacts
from reminder.storage.db.unit_of_work import UnitOfWork, UnitsOfWork
from reminder.storage.registry import cards
from reminder.storage.reminders import counted_ends
from reminder.storage.reminders.counted_ends import (
    FIRST_END,
    ActedEnd,
    CardEnd,
    CountedView,
    EndCounting,
    RecordedEnd,
)
from reminder.storage.runtime import heartbeats

AT_ONCE = 500
_ONE_DAY = timedelta(days=1)


def count_ends(units: UnitsOfWork, now: datetime, proving: Collection[ChannelName]) -> int:
    """Count the ends that have passed since the last count, and return how many rows have changed.

    Some hundred are counted in each transaction, so that a killed worker leaves what is done, and the next one goes on.
    `proving`: the channels that can say whether a message arrived.
    """
    with units.reading(now) as uow:
        last = heartbeats.last(uow.tx, heartbeats.EFFECT)
    pages = _Pages(units, now, proving)
    today = japan_date(now)
    changed = pages.of_ends(counted_ends.new_ends, _first_new_day(last, now), today - _ONE_DAY)
    if last is not None:
        counted_on = min(japan_date(last), today)
        for age in effect.LOOKED_AT_AGAIN:
            changed += pages.of_ends(counted_ends.unanswered_ends, counted_on - age, today - age - _ONE_DAY)
        changed += pages.of_acts(min(last, now) - effect.ACTS_COMPARED_FOR)
    with units.writing(now) as uow:
        heartbeats.record(uow.tx, heartbeats.EFFECT, now)
    return changed


def _first_new_day(last: datetime | None, now: datetime) -> date:
    if last is None:
        return japan_date(now) - effect.FARTHEST_BACK
    return min(japan_date(last), japan_date(now)) - effect.MOVES_AT_MOST


@dataclass(frozen=True)
class _Pages:
    """The pages of one count, each in a transaction of its own."""

    units: UnitsOfWork
    now: datetime
    proving: Collection[ChannelName]

    def of_ends(self, read: Callable[..., list[CardEnd]], first: date, last: date) -> int:
        changed, after, is_full = 0, FIRST_END, first <= last
        while is_full:
            with self.units.writing(self.now) as uow:
                counted_ends.hold(uow.tx)
                page = read(uow.tx, first, last, after=after, limit=AT_ONCE)
                changed += self._count(uow, page)
            is_full = len(page) == AT_ONCE
            after = page[-1] if page else after
        return changed

    def of_acts(self, since: datetime) -> int:
        changed, life, is_full = 0, 0, True
        while is_full:
            with self.units.writing(self.now) as uow:
                counted_ends.hold(uow.tx)
                page: Sequence[ActedEnd] = counted_ends.acted_ends(
                    uow.tx, since, uow.today, after_life=life, limit=AT_ONCE
                )
                changed += self._count(uow, [one.end for one in page])
            is_full = len(page) == AT_ONCE
            if page:
                since, life = page[-1].changed_at, page[-1].life_id
        return changed

    def _count(self, uow: UnitOfWork, ends: Sequence[CardEnd]) -> int:
        if not ends:
            return 0
        found = counted_ends.recorded(uow.tx, ends, self.proving)
        others = cards.ends_of_people(uow.tx, {one.person_id for one in found})
        return counted_ends.count(uow.tx, [_counting(uow, one, others[one.person_id]) for one in found], uow.now)


def _counting(uow: UnitOfWork, recorded: RecordedEnd, others: Mapping[str, date]) -> EndCounting:
    """Return how an end is to be counted. `others`: the ends of the person's current cards, by kind."""
    was = recorded.counted
    base = was if was is not None else _new_row(uow, recorded, others)
    facts = EndFacts(
        expires_on=recorded.end.expires_on,
        valid_until=base.valid_until,
        grace_ends_on=base.grace_ends_on,
        registered_on=recorded.registered_on,
        state=recorded.state,
        since=recorded.since,
        said_done_on=recorded.said_done_on,
        renewed_to=recorded.renewed_to,
        reason=recorded.reason,
    )
    result = effect.result_of(facts, uow.today)
    if result is None:
        return EndCounting(recorded.end, recorded.group_id, was, None)
    told = effect.last_told(recorded.told, result.acted_on)
    row = replace(
        base,
        step=effect.NOTHING if told is None else effect.step_name(told.step),
        channel=effect.NOTHING if told is None else told.channel,
        outcome=result.outcome,
        reason=result.reason,
        acted_on=result.acted_on,
    )
    return EndCounting(recorded.end, recorded.group_id, was, row)


def _new_row(uow: UnitOfWork, recorded: RecordedEnd, others: Mapping[str, date]) -> CountedView:
    """Return the row of an end that is not counted yet, with all that does not change later."""
    expires_on, kind = recorded.end.expires_on, recorded.kind
    valid_until, grace_ends_on = expires_on, None
    if kind in uow.rules.kinds:
        dates = uow.rules.dates_of(
            kind,
            expires_on,
            insurance=recorded.insurance,
            carrier_ends_on=recorded.carrier_ends_on,
            is_bound=uow.rules.is_bound(kind, expires_on, others),
        )
        valid_until, grace_ends_on = dates.over_after, dates.grace_ends_on
    return CountedView(
        id=0,
        valid_until=valid_until,
        grace_ends_on=grace_ends_on,
        # A kind of a group's own, or of a config/ of before, would name the group in numbers about all.
        kind=stored_kind(kind) if kind in uow.rules.kinds else OTHER,
        group_kind=recorded.group_kind,
        mode=recorded.mode,
        step=effect.NOTHING,
        channel=effect.NOTHING,
        outcome=EndOutcome.UNKNOWN,
        reason=None,
        acted_on=None,
    )
