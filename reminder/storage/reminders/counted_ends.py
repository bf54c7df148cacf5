"""Ends of cards that have passed: what became of each, and how many there are of each sort."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, Executable, Select, bindparam, delete, exists, func, insert, or_, select, union
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from reminder.clock import japan_date
from reminder.domain.model.card_states import CardState, EndReason
from reminder.domain.model.end_outcomes import EndOutcome
from reminder.domain.model.people import Audience, ChannelName, GroupKind, Mode
from reminder.domain.model.promise_states import WAS_TOLD, PromiseState
from reminder.domain.rules.effect import EndCount, ToldStep
from reminder.storage.db.locks import lock
from reminder.storage.db.statements import add_to_each, among, ids_param, update_many
from reminder.storage.db.tables import (
    COUNTED_ENDS,
    IS_UNANSWERED_END,
    Card,
    CardLife,
    CountedEnd,
    EffectCount,
    Group,
    Person,
    Promise,
    Reminder,
)
from reminder.storage.reminders import promises

# ── which ends are looked at ──


class CardEnd(NamedTuple):
    """One end of one card."""

    expires_on: date
    card_id: int


FIRST_END = CardEnd(date.min, 0)


def _page_of(day: InstrumentedAttribute[date], card: InstrumentedAttribute[int], which: Any) -> Select[Any]:
    end: BindParameter[date] = bindparam("end")
    card_id: BindParameter[int] = bindparam("card")
    is_later = or_(day > end, (day == end) & (card > card_id))
    found: Select[Any] = which.where(day.between(bindparam("first"), bindparam("last")), day >= end, is_later)
    return found


def _is_new(day: InstrumentedAttribute[date], card: InstrumentedAttribute[int]) -> Any:
    return ~exists().where(CountedEnd.card_id == card, CountedEnd.expires_on == day)


_OF_CARDS = _page_of(
    Card.expires_on, Card.id, select(Card.expires_on, Card.id).where(_is_new(Card.expires_on, Card.id))
)
_OF_LIVES = _page_of(
    CardLife.expires_on,
    CardLife.card_id,
    select(CardLife.expires_on, CardLife.card_id).where(_is_new(CardLife.expires_on, CardLife.card_id)),
)


def _first_of(page: Select[Any]) -> Select[Any]:
    """Return at most so many of a page: a union would otherwise read all of each."""
    first, second = page.selected_columns
    found = page.order_by(first, second).limit(bindparam("limit")).subquery()
    return select(*found.c)


_NEW = union(_first_of(_OF_CARDS), _first_of(_OF_LIVES)).order_by("expires_on", "id").limit(bindparam("limit"))
_UNANSWERED = (
    _page_of(
        CountedEnd.expires_on,
        CountedEnd.card_id,
        select(CountedEnd.expires_on, CountedEnd.card_id).where(IS_UNANSWERED_END),
    )
    .order_by(CountedEnd.expires_on, CountedEnd.card_id)
    .limit(bindparam("limit"))
)
_ACTED_ON = (
    select(CardLife.changed_at, CardLife.id, CardLife.expires_on, CardLife.card_id)
    .where(
        CardLife.changed_at >= bindparam("since"),
        or_(
            CardLife.changed_at > bindparam("since"),
            (CardLife.changed_at == bindparam("since")) & (CardLife.id > bindparam("life")),
        ),
        CardLife.expires_on < bindparam("today"),
    )
    .order_by(CardLife.changed_at, CardLife.id)
    .limit(bindparam("limit"))
)


def hold(tx: Session) -> None:
    """Be the only one who counts ends until the transaction ends."""
    lock(tx, "counted ends")


def new_ends(tx: Session, first: date, last: date, *, after: CardEnd = FIRST_END, limit: int) -> list[CardEnd]:
    """Return ends within these days, both included, that are not counted, in their order, later than `after`."""
    return _page(tx, _NEW, first, last, after, limit)


def unanswered_ends(tx: Session, first: date, last: date, *, after: CardEnd = FIRST_END, limit: int) -> list[CardEnd]:
    """Return counted ends within these days, both included, of which nobody has said anything, as `new_ends`."""
    return _page(tx, _UNANSWERED, first, last, after, limit)


def _page(tx: Session, query: Executable, first: date, last: date, after: CardEnd, limit: int) -> list[CardEnd]:
    asked = {"first": first, "last": last, "end": after.expires_on, "card": after.card_id, "limit": limit}
    return [CardEnd(*row) for row in tx.execute(query, asked)]


@dataclass(frozen=True)
class ActedEnd:
    """An end for which somebody has acted. `changed_at`, `life_id`: its place in the order of acts."""

    changed_at: datetime
    life_id: int
    end: CardEnd


def acted_ends(tx: Session, since: datetime, today: date, *, after_life: int = 0, limit: int) -> list[ActedEnd]:
    """Return the ends before today for which somebody has acted since then, in the order of the acts.

    `after_life`: of several acts at this very instant those of later lives.
    """
    asked = {"since": since, "life": after_life, "today": today, "limit": limit}
    return [ActedEnd(row[0], row[1], CardEnd(row[2], row[3])) for row in tx.execute(_ACTED_ON, asked)]


# ── what is recorded of them ──


@dataclass(frozen=True)
class CountedView:
    """The row of an end that is counted already."""

    id: int
    valid_until: date
    grace_ends_on: date | None
    kind: str
    group_kind: GroupKind
    mode: Mode
    step: str
    channel: str
    outcome: EndOutcome
    reason: EndReason | None
    acted_on: date | None


@dataclass(frozen=True)
class RecordedEnd:
    """What is recorded of one end: the card and its person as they are now, what was done for it, what was told of it.

    `state`, `since`, `renewed_to`, `reason`: of the life for this end; `said_done_on`: see effect.EndFacts.
    """

    end: CardEnd
    person_id: int
    group_id: int
    group_kind: GroupKind
    mode: Mode
    insurance: bool
    kind: str
    carrier_ends_on: date | None
    registered_on: date
    state: CardState | None
    since: date | None
    said_done_on: date | None
    renewed_to: date | None
    reason: EndReason | None
    told: Sequence[ToldStep]
    counted: CountedView | None


_CARRIER = aliased(Card)
_CARDS = (
    select(
        Card.id,
        Card.kind,
        Card.expires_on,
        Card.created_at,
        Card.acknowledged_on,
        Card.retired_at,
        _CARRIER.expires_on.label("carrier_ends_on"),
        Person.id.label("person_id"),
        Person.group_id,
        Person.mode,
        Person.insurance,
        Group.kind.label("group_kind"),
    )
    .join(Person, Person.id == Card.person_id)
    .join(Group, Group.id == Person.group_id)
    .outerjoin(_CARRIER, (_CARRIER.id == Card.carried_by) & _CARRIER.retired_at.is_(None))
    .where(among(Card.id, ids_param("cards")))
)
_LIVES = select(
    CardLife.card_id,
    CardLife.expires_on,
    CardLife.state,
    CardLife.since,
    CardLife.renewed_to,
    CardLife.reason,
    CardLife.before,
).where(among(CardLife.card_id, ids_param("cards")))
_TOLD = (
    select(
        Reminder.card_id,
        Reminder.expires_on,
        Reminder.step,
        Promise.day,
        Promise.audience,
        Promise.channel,
        Promise.state,
        Promise.reminder_id,
        Promise.addressee,
    )
    .join(Promise, Promise.reminder_id == Reminder.id)
    .where(among(Reminder.card_id, ids_param("cards")), Promise.state.in_(WAS_TOLD))
)
_KNOWN = select(
    CountedEnd.card_id,
    CountedEnd.expires_on,
    CountedEnd.id,
    CountedEnd.valid_until,
    CountedEnd.grace_ends_on,
    CountedEnd.kind,
    CountedEnd.group_kind,
    CountedEnd.mode,
    CountedEnd.step,
    CountedEnd.channel,
    CountedEnd.outcome,
    CountedEnd.reason,
    CountedEnd.acted_on,
).where(among(CountedEnd.card_id, ids_param("cards")))


def recorded(tx: Session, ends: Collection[CardEnd], proving: Collection[ChannelName]) -> list[RecordedEnd]:
    """Return what is recorded of these ends. `proving`: the channels that can say whether a message arrived."""
    asked = {"cards": {one.card_id for one in ends}}
    cards = {row.id: row for row in tx.execute(_CARDS, asked)}
    lives = {CardEnd(row.expires_on, row.card_id): row for row in tx.execute(_LIVES, asked)}
    entered = {
        CardEnd(row.renewed_to, row.card_id): row.since
        for row in lives.values()
        if row.state is CardState.RENEWED and row.renewed_to is not None
    }
    known = {CardEnd(row[1], row[0]): _counted_view(row) for row in tx.execute(_KNOWN, asked)}
    told = _told(tx, asked, set(ends), proving)
    return [
        _recorded(end, cards[end.card_id], lives.get(end), entered.get(end), told.get(end, ()), known.get(end))
        for end in ends
        if end.card_id in cards
    ]


def _counted_view(row: Any) -> CountedView:
    return CountedView(*row[2:])


def _recorded(
    end: CardEnd, card: Any, life: Any, entered_on: date | None, told: Sequence[ToldStep], counted: CountedView | None
) -> RecordedEnd:
    is_present = card.expires_on == end.expires_on
    said_done = (life.before or {}).get("acknowledged_on") if life is not None else None
    said_done_on = None if said_done is None else date.fromisoformat(said_done)
    if is_present and card.acknowledged_on is not None:
        said_done_on = card.acknowledged_on
    state, since = (None, None) if life is None else (life.state, life.since)
    if state in (CardState.OPEN, None) and is_present and card.retired_at is not None:
        # A program of the version before has retired it.
        state, since = CardState.ENDED, japan_date(card.retired_at)
    return RecordedEnd(
        end=end,
        person_id=card.person_id,
        group_id=card.group_id,
        group_kind=card.group_kind,
        mode=card.mode,
        insurance=card.insurance,
        kind=card.kind,
        carrier_ends_on=card.carrier_ends_on,
        registered_on=entered_on or japan_date(card.created_at),
        state=state,
        since=since,
        said_done_on=said_done_on,
        renewed_to=None if life is None else life.renewed_to,
        reason=None if life is None else life.reason,
        told=told,
        counted=counted,
    )


def _told(
    tx: Session, asked: Mapping[str, object], ends: Collection[CardEnd], proving: Collection[ChannelName]
) -> Mapping[CardEnd, list[ToldStep]]:
    rows = [row for row in tx.execute(_TOLD, asked) if CardEnd(row.expires_on, row.card_id) in ends]
    elsewhere = {row.reminder_id for row in rows if row.state is PromiseState.OTHER_WAY}
    by = promises.messages_of(tx, elsewhere, proving) if elsewhere else {}
    found: dict[CardEnd, list[ToldStep]] = {}
    for row in rows:
        channel = row.channel or ""
        if row.state is PromiseState.OTHER_WAY:
            messages = by.get((row.reminder_id, row.addressee), ())
            channel = next((str(one.channel) for one in messages if one.is_proof), "")
        step = ToldStep(row.step, row.day, Audience(row.audience), channel)
        found.setdefault(CardEnd(row.expires_on, row.card_id), []).append(step)
    return found


# ── what is counted ──


@dataclass(frozen=True)
class EndCounting:
    """How an end is counted from now on. `was`: the row of it, None for a new one; `now`: None where it is no end."""

    end: CardEnd
    group_id: int
    was: CountedView | None
    now: CountedView | None


_COUNTED = ("kind", "group_kind", "mode", "step", "channel", "outcome", "reason", "acted_on")
_KEY = ("month", "kind", "group_kind", "mode", "step", "channel", "outcome", "reason")


def count(tx: Session, countings: Collection[EndCounting], now: datetime) -> int:
    """Count these ends, and return how many were changed. Hold them first (`hold`): nobody else may count them."""
    changed = [one for one in countings if one.was != one.now]
    counts = Counter[tuple[Any, ...]]()
    added, replaced, removed = list[dict[str, Any]](), list[dict[str, Any]](), list[int]()
    for one in changed:
        for view, number in ((one.was, -1), (one.now, 1)):
            if view is not None:
                counts[_key(one.end, view)] += number
        if one.now is None:
            assert one.was is not None
            removed.append(one.was.id)
            continue
        values = {name: getattr(one.now, name) for name in _COUNTED} | {"counted_at": now}
        if one.was is None:
            days = {"valid_until": one.now.valid_until, "grace_ends_on": one.now.grace_ends_on}
            added.append({**one.end._asdict(), "group_id": one.group_id, **days, **values})
        else:
            replaced.append({**values, "id": one.was.id})
    if added:
        tx.execute(insert(CountedEnd), added)
    update_many(tx, COUNTED_ENDS, ("id",), replaced)
    if removed:
        which = delete(CountedEnd).where(among(CountedEnd.id, removed))
        tx.execute(which.execution_options(synchronize_session=False))
    rows = [{**dict(zip(_KEY, key, strict=True)), "ends": number} for key, number in sorted(counts.items()) if number]
    add_to_each(tx, EffectCount, _KEY, ("ends",), rows)
    return len(changed)


def _key(end: CardEnd, view: CountedView) -> tuple[Any, ...]:
    month = end.expires_on.replace(day=1)
    reason = "" if view.reason is None else view.reason.value
    return month, view.kind, view.group_kind, view.mode, view.step, view.channel, view.outcome, reason


_COUNTS = select(*(getattr(EffectCount, name) for name in _KEY), EffectCount.ends).where(
    EffectCount.month.between(bindparam("first"), bindparam("last")), EffectCount.ends > 0
)
_UNDER = (
    CountedEnd.kind,
    CountedEnd.group_kind,
    CountedEnd.mode,
    CountedEnd.step,
    CountedEnd.channel,
    CountedEnd.outcome,
    CountedEnd.reason,
)
_OF_GROUP = (
    select(CountedEnd.expires_on, *_UNDER, func.count())
    .where(
        CountedEnd.group_id == bindparam("group"),
        CountedEnd.expires_on.between(bindparam("first"), bindparam("last")),
    )
    .group_by(CountedEnd.expires_on, *_UNDER)
)


def counts(tx: Session, first: date, last: date) -> list[EndCount]:
    """Return how many ends of these months, given by their first days, there are of each sort, of all groups."""
    rows: Iterable[Any] = tx.execute(_COUNTS, {"first": first, "last": last})
    return [EndCount(*row) for row in rows]


def counts_of_group(tx: Session, group_id: int, first: date, last: date) -> list[EndCount]:
    """Return how many ends within these days the current and former cards of a group have, of each sort."""
    rows: Iterable[Any] = tx.execute(_OF_GROUP, {"group": group_id, "first": first, "last": last})
    return [_count_of_day(row) for row in rows]


def _count_of_day(row: Any) -> EndCount:
    expires_on, *under, reason, ends = row
    values: list[Any] = [expires_on.replace(day=1), *under, reason or "", ends]
    return EndCount(*values)
