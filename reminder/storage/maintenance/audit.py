"""The audit's own queries: it must find what the jobs that do the work overlook.

Each query uses an index that holds only waiting rows, and stops counting at AT_MOST: the cost of an audit does not
depend on how much is enrolled or was ever sent.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    Row,
    Select,
    Subquery,
    and_,
    bindparam,
    exists,
    false,
    func,
    literal_column,
    or_,
    select,
    text,
    true,
)
from sqlalchemy.orm import InstrumentedAttribute, Session

from reminder.domain.model.messages import UNREADABLE, MessageState
from reminder.domain.model.people import ContactState, Role
from reminder.domain.rules.step_result import OWN_REASONS
from reminder.storage.db.columns import Instant
from reminder.storage.db.statements import among
from reminder.storage.db.tables import (
    AWAITS_OUTCOME,
    IS_DEFERRED,
    IS_LEFT_TO_OPERATOR,
    IS_OPEN_PROMISE,
    IS_QUEUED,
    IS_SILENT,
    IS_UNPLANNED,
    IS_UNREPORTED_FAILURE,
    WAS_HANDED_OVER,
    Card,
    Contact,
    Import,
    Member,
    Message,
    Notice,
    Person,
    Promise,
    Receipt,
    Reply,
)

AT_MOST = 1000
IS_BEING_READ = text("imports.state IN ('checking', 'saving')")
_IN_USE = Card.retired_at.is_(None)


@dataclass(frozen=True)
class LateWork:
    """Overdue work of one kind.

    `count` of AT_MOST: that many or more. `since`: when the first of it should have been done.
    """

    count: int
    since: datetime | None


@dataclass(frozen=True)
class LateCards:
    """Overdue cards of one kind of work."""

    count: int
    since: date | None


def _counted(since: InstrumentedAttribute[Any], *which: Any) -> Select[*tuple[Any, ...]]:
    some = select(since.label("since")).where(*which).limit(AT_MOST).subquery()
    return select(func.count(), func.min(some.c.since))


# By the code of the problem. `late` is some minutes ago, `long_ago` an hour.
_WAITING: Mapping[str, Select[*tuple[Any, ...]]] = {
    # A missing lease would never expire: nobody would ever ask about such a message.
    "messages_stuck": _counted(
        Message.handed_at,
        AWAITS_OUTCOME,
        Message.state == literal_column("'sending'"),
        or_(Message.lease_until.is_(None), Message.lease_until < bindparam("late")),
    ),
    "messages_unknown": _counted(
        Message.handed_at,
        AWAITS_OUTCOME,
        Message.state == literal_column("'unknown'"),
        or_(Message.lease_until.is_(None), Message.handed_at < bindparam("long_ago")),
    ),
    "failures_untold": _counted(Message.ended_at, IS_UNREPORTED_FAILURE, Message.ended_at < bindparam("late")),
    "receipts_waiting": _counted(
        Receipt.received_at, Receipt.applied_at.is_(None), Receipt.received_at < bindparam("late")
    ),
    "replies_waiting": _counted(Reply.received_at, Reply.handled_at.is_(None), Reply.received_at < bindparam("late")),
    "notices_waiting": _counted(Notice.created_at, Notice.notified_at.is_(None), Notice.created_at < bindparam("late")),
    "sheets_waiting": _counted(Import.changed_at, IS_BEING_READ, Import.changed_at < bindparam("late")),
}


def waiting(tx: Session, *, late: datetime, long_ago: datetime) -> dict[str, LateWork]:
    """Return the overdue work, by the code of the problem."""
    found = {}
    for code, query in _WAITING.items():
        count, since = tx.execute(query, {"late": late, "long_ago": long_ago}).one()
        if count:
            found[code] = LateWork(count, since)
    return found


def _texts() -> Select[*tuple[Any, ...]]:
    return select(Message.provider_id.label("provider_id"), Message.handed_at.label("handed_at")).where(
        WAS_HANDED_OVER,
        Message.channel.in_(bindparam("channels", expanding=True)),
        Message.handed_at >= bindparam("since"),
        Message.handed_at <= bindparam("before"),
        Message.provider_id.is_not(None),
        Message.state.in_((MessageState.ACCEPTED, MessageState.DELIVERED, MessageState.UNDELIVERED)),
    )


def _with_calls(texts: Subquery) -> Select[*tuple[Any, ...]]:
    """Return how many texts there are, since when, and whether the provider has called about any of them."""
    called = (
        select(true())
        .select_from(texts)
        .join(Receipt, Receipt.provider_id == texts.c.provider_id)
        .where(Receipt.is_fetched == false())
        .limit(1)
    )
    is_called = func.coalesce(called.scalar_subquery(), false())
    return select(func.count(), func.min(texts.c.handed_at), is_called).select_from(texts)


# So few texts may all have gone to telephones about which carriers report late.
LEAST_TEXTS = 3
_OF_TODAY = _with_calls(_texts().order_by(Message.handed_at).limit(AT_MOST).subquery())
_LATEST_FEW = _with_calls(_texts().order_by(Message.handed_at.desc()).limit(LEAST_TEXTS).subquery())


def without_receipts(
    tx: Session, channels: Collection[str], *, today: datetime, week: datetime, before: datetime
) -> LateWork:
    """Return the texts of today that were taken before then, if the provider has called about none of them.

    Where today has too few to tell, the latest ones since `week` count. Receipts that were fetched are no calls.
    """
    for query, since in ((_OF_TODAY, today), (_LATEST_FEW, week)):
        asked = {"channels": list(channels), "since": since, "before": before}
        count, first, is_called = tx.execute(query, asked).one()
        if count >= LEAST_TEXTS:
            return LateWork(0, None) if is_called else LateWork(count, first)
    return LateWork(0, None)


@dataclass(frozen=True)
class LateMessages:
    """Messages of one channel to one audience that are due and not leased."""

    channel: str
    audience: str
    count: int
    since: datetime


def _late(since: InstrumentedAttribute[Any], *which: Any) -> Select[*tuple[Any, ...]]:
    some = (
        select(Message.channel, Message.audience, since.label("since"))
        .where(*which, since < bindparam("before"), Message.channel.not_in(bindparam("but_not", expanding=True)))
        .order_by(since)
        .limit(AT_MOST)
        .subquery()
    )
    return select(some.c.channel, some.c.audience, func.count(), func.min(some.c.since)).group_by(
        some.c.channel, some.c.audience
    )


_LATE = (
    # Nobody has taken it.
    _late(Message.scheduled_at, IS_QUEUED),
    # It is tried again and again: late is measured from when it was due. What waits for a limit, its hour or its key is
    # reported as that.
    _late(
        Message.due_at,
        IS_DEFERRED,
        Message.scheduled_at >= bindparam("before"),
        Message.reason.is_not(None),
        Message.reason.not_in(sorted(OWN_REASONS)),
    ),
)


def late_messages(
    tx: Session, before: datetime, but_not: Collection[str], working: Collection[str] = ()
) -> list[LateMessages]:
    """Return the messages that were due before then. `but_not`: channels that are known to wait.

    `working`: channels that take messages. What they do not take lies with its address, and is left to its promise.
    """
    untaken, tried_again = _LATE
    found: dict[tuple[str, str], LateMessages] = {}
    rows = [
        *tx.execute(untaken, {"before": before, "but_not": list(but_not)}),
        *tx.execute(tried_again, {"before": before, "but_not": [*but_not, *working]}),
    ]
    for channel, audience, count, since in rows:
        one = found.get((channel, audience), LateMessages(channel, audience, 0, since))
        found[channel, audience] = LateMessages(channel, audience, one.count + count, min(one.since, since))
    return list(found.values())


_OPEN_PROMISES = _counted(Promise.ends_at, IS_OPEN_PROMISE, Promise.ends_at < bindparam("late"))
# A day and a half later the operator has seen it, or it is one of many.
_LEFT_TO_OPERATOR = {
    is_ours: _counted(
        Promise.ends_at,
        IS_LEFT_TO_OPERATOR,
        Promise.closed_at >= bindparam("since"),
        Promise.is_ours.is_(is_ours),
    )
    for is_ours in (True, False)
}


def open_promises(tx: Session, *, late: datetime, since: datetime) -> LateWork:
    """Return the promises whose day was over by `late` and that nobody has kept.

    Those too that were left to the operator since then for a fault of the service, and that they have not seen to.
    """
    return _together(
        tx.execute(_OPEN_PROMISES, {"late": late}).one(), tx.execute(_LEFT_TO_OPERATOR[True], {"since": since}).one()
    )


def people_not_told(tx: Session, since: datetime) -> LateWork:
    """Return the promises left to the operator since then because an address takes nothing and nobody is around."""
    return _together(tx.execute(_LEFT_TO_OPERATOR[False], {"since": since}).one())


def _together(*rows: Row[*tuple[Any, ...]]) -> LateWork:
    return LateWork(sum(row[0] for row in rows), min((row[1] for row in rows if row[1] is not None), default=None))


_UNREADABLE = _counted(
    Message.created_at,
    IS_QUEUED,
    Message.channel.in_(bindparam("channels", expanding=True)),
    Message.scheduled_at < bindparam("until"),
    Message.reason == literal_column(f"'{UNREADABLE}'"),
)


def unreadable_messages(tx: Session, channels: Collection[str], until: datetime) -> LateWork:
    """Return the queued messages that wait for a missing key, of those that are looked at until then."""
    return LateWork(*tx.execute(_UNREADABLE, {"channels": list(channels), "until": until}).one())


_DAYS_PASSED = (
    select(Card.next_reminder_on.label("since"))
    .where(_IN_USE, Card.next_reminder_on < bindparam("before"))
    .limit(AT_MOST)
    .subquery()
)
_SILENCES_PASSED = (
    select(Card.escalate_on.label("since"))
    .where(IS_SILENT, Card.escalate_on < bindparam("before"))
    .limit(AT_MOST)
    .subquery()
)


_PASSED_OVER = select(func.count(), func.min(_DAYS_PASSED.c.since))
_SILENT_FOR_TOO_LONG = select(func.count(), func.min(_SILENCES_PASSED.c.since))


def overdue_cards(tx: Session, before: date) -> LateCards:
    """Return the current cards whose planning day is before this day."""
    return LateCards(*tx.execute(_PASSED_OVER, {"before": before}).one())


def overdue_escalations(tx: Session, before: date) -> LateCards:
    """Return the unanswered cards whose escalation day is before this day."""
    return LateCards(*tx.execute(_SILENT_FOR_TOO_LONG, {"before": before}).one())


def cards_due(tx: Session, today: date, limit: int) -> list[int]:
    """Return the ids of the first cards that planning is due for."""
    due = select(Card.id).where(_IN_USE, Card.next_reminder_on <= today)
    return list(tx.scalars(due.order_by(Card.next_reminder_on, Card.id).limit(limit)))


def still_due(tx: Session, card_ids: Sequence[int], today: date) -> LateCards:
    """Return those of these cards that are still due."""
    if not card_ids:
        return LateCards(0, None)
    row = tx.execute(
        select(func.count(), func.min(Card.next_reminder_on)).where(
            among(Card.id, card_ids), _IN_USE, Card.next_reminder_on <= today
        )
    ).one()
    return LateCards(*row)


_SOME_WITHOUT = (
    select(Card.id, Card.person_id)
    .where(IS_UNPLANNED, Card.kind.in_(bindparam("kinds", expanding=True)), Card.expires_on >= bindparam("ends_from"))
    .limit(AT_MOST)
    .subquery()
)
_WITHOUT = select(_SOME_WITHOUT.c.id)
_WITHOUT_OF_THE_INSURED = _WITHOUT.join(Person, Person.id == _SOME_WITHOUT.c.person_id).where(Person.insurance)


def without_next_day(tx: Session, kinds: Collection[str], ends_from: date, *, insured: bool) -> list[int]:
    """Return the ids of current cards of these kinds, ending then or later, without a planning day.

    `insured`: only cards whose person uses them at hospitals.
    """
    query = _WITHOUT_OF_THE_INSURED if insured else _WITHOUT
    return list(tx.scalars(query, {"kinds": list(kinds), "ends_from": ends_from}))


_SOON = (
    select(Card.person_id)
    .where(_IN_USE, Card.next_reminder_on <= bindparam("until"))
    .order_by(Card.next_reminder_on)
    .limit(AT_MOST)
    .subquery()
)
_MAY_BE_CONTACTED = and_(
    Contact.state == literal_column(f"'{ContactState.CONFIRMED}'"),
    Contact.channel.in_(bindparam("channels", expanding=True)),
)
_BY_A_MEMBER = (
    select(Contact.id)
    .join(Member, Member.id == Contact.member_id)
    .where(Member.group_id == Person.group_id, Member.role != literal_column(f"'{Role.VIEWER}'"), _MAY_BE_CONTACTED)
    .exists()
)
_OUT_OF_REACH = (
    select(func.count(func.distinct(Person.id)))
    .join(_SOON, _SOON.c.person_id == Person.id)
    .where(~exists().where(Contact.person_id == Person.id, _MAY_BE_CONTACTED), ~_BY_A_MEMBER)
)


def people_out_of_reach(tx: Session, until: date, channels: Collection[str]) -> int:
    """Return how many persons have no recipient who can be reached.

    It looks at the AT_MOST cards with the next reminders, until a day. `channels`: those in use.
    """
    return tx.execute(_OUT_OF_REACH, {"until": until, "channels": list(channels)}).scalar_one()


# The only place that asks the database for the time, to compare it with ours.
_ITS_CLOCK = text("SELECT CURRENT_TIMESTAMP AS at").columns(at=Instant())


def database_clock(tx: Session) -> datetime:
    """Return the database server's present instant, aware UTC."""
    at: datetime = tx.execute(_ITS_CLOCK).scalar_one()
    return at
