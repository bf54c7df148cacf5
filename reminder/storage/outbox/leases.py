"""Leases and hand-overs: a worker leases queued messages and begins their hand-over.

A leased message is queued and has a `lease_until` in the future. It stays whatever it was if its worker dies, and what
cancels queued messages cancels it. Just before its first byte leaves, `begin_hand_over` looks once more whether it is
still true and moves it to `sending`: from then on only an outcome says whether it has left (recording.py,
unknown_outcomes.py).
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import (
    CTE,
    ColumnElement,
    Row,
    Select,
    TextClause,
    and_,
    bindparam,
    case,
    exists,
    false,
    func,
    literal_column,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.orm import InstrumentedAttribute, Session

from reminder.domain.model.messages import (
    CANCEL,
    FAIL_UNREADABLE,
    HAND_OVER,
    MESSAGE_STATES,
    MISS,
    OUTCOME_WITHIN,
    UNREADABLE,
    CancelReason,
    MessageKind,
    MessageState,
    Outgoing,
    ReminderState,
    Urgency,
)
from reminder.domain.model.people import Audience, ChannelName, ContactState, Mode
from reminder.domain.model.state_machine import Move
from reminder.errors import SettingsError
from reminder.storage.crypto.keyring import KeyRing
from reminder.storage.crypto.references import MESSAGE
from reminder.storage.db.columns import Instant
from reminder.storage.db.statements import among, ids_param, update_many
from reminder.storage.db.tables import (
    IS_LEASED,
    IS_QUEUED,
    IS_QUEUED_CODE,
    MESSAGES,
    Card,
    Contact,
    Group,
    Message,
    MessageReminder,
    Person,
    Reminder,
)
from reminder.storage.db.transitions import staying, transition
from reminder.storage.outbox import restore_guard
from reminder.storage.outbox.sealed_body import open_body

# A row of a due message, with its recipient's address, until it is leased.
DueRow = Row[*tuple[Any, ...]]


class LeasedMessage(NamedTuple):
    """A message that this worker has leased.

    `attempts` counts its hand-overs, with the one for which it is leased. It fences an outcome off from those of other
    hand-overs, as `lease_until` fences the lease off from other leases: each is later than the one before.
    `starts_in`: seconds after the lease, where its sender is paced. `is_probe`: it finds out whether its channel works.
    """

    kind: MessageKind
    outgoing: Outgoing
    channel: ChannelName
    contact_id: int | None
    audience: Audience
    attempts: int
    not_found_count: int
    possibly_double: bool
    expires_at: datetime
    lease_until: datetime  # no hand-over may begin after this instant
    on_holidays: bool = False  # may be sent on a Sunday or holiday
    contact_added_at: datetime | None = None
    starts_in: float = 0.0
    is_probe: bool = False


@dataclass(frozen=True)
class DueMessages:
    """The due messages of one channel, locked until the transaction ends.

    `ready` may be leased. The others are ids of messages that have ended: it is too late for today (`stale`), the
    contact refuses messages (`refused`), or their text was erased because it mentions somebody who was erased
    (`forgotten`). `suspended` wait: the operator has suspended their group.
    """

    ready: Sequence[DueRow]
    stale: list[int]
    refused: list[int]
    forgotten: list[int]
    suspended: list[int]


class Opened(NamedTuple):
    """Messages with their words, and the ids of those that cannot be read."""

    leased: list[LeasedMessage]
    unreadable: list[int]


# A message about cards is true while each of them still ends on the day that it tells, and nobody has said meanwhile
# that it is renewed.
_OVER = (ReminderState.ACKNOWLEDGED, ReminderState.SETTLED)


def _is_untrue(message_id: ColumnElement[int] | InstrumentedAttribute[int]) -> ColumnElement[bool]:
    # A value and not an EXISTS: PostgreSQL would join that with all cards, where each message has few.
    found = (
        select(true())
        .select_from(Card)
        .join(Reminder, Reminder.card_id == Card.id)
        .join(MessageReminder, MessageReminder.reminder_id == Reminder.id)
        .where(
            MessageReminder.message_id == message_id,
            or_(Card.expires_on != Reminder.expires_on, Card.retired_at.is_not(None), Reminder.state.in_(_OVER)),
        )
        .limit(1)
    )
    return func.coalesce(found.scalar_subquery(), false())


def _may_be_contacted(message: Any) -> ColumnElement[bool]:
    """Return whether the contact of a message agrees to it. `message`: the table of messages, or rows of it."""
    return or_(
        Contact.state == ContactState.CONFIRMED,
        message.contact_id.is_(None),
        message.kind == MessageKind.ANSWER,
        and_(message.kind == MessageKind.CONSENT_REQUEST, Contact.state == ContactState.UNCONFIRMED),
    )


LEASED_COLUMNS = (
    Message.id,
    Message.kind,
    Message.channel,
    Message.contact_id,
    Message.group_id,
    Message.audience,
    Message.attempts,
    Message.not_found_count,
    Message.possibly_double,
    Message.row_token,
    Message.body_sealed,
    Message.body_fingerprint,
    Message.address_sealed,
    Message.created_at,
    Message.expires_at,
    Message.urgency,
    Message.lease_until,
    Message.first_handed_at,
)
_IS_FREE = or_(Message.lease_until.is_(None), Message.lease_until <= bindparam("now"))


# Every column of a message is read from the locked rows: values read elsewhere in the same statement may be
# a moment older.
def _due(*which: ColumnElement[bool] | TextClause) -> CTE:
    return (
        select(*LEASED_COLUMNS, Message.fairness_rank, Message.scheduled_at)
        .where(
            *which,
            Message.channel == bindparam("channel"),
            Message.scheduled_at <= bindparam("now"),
            _IS_FREE,
            or_(Message.expires_at <= bindparam("now"), Message.urgency <= bindparam("least")),
        )
        .order_by(Message.urgency, Message.fairness_rank, Message.scheduled_at, Message.id)
        .limit(bindparam("limit"))
        .with_for_update(skip_locked=True)
        .cte("due")
    )


# Columns that only find and order the rows, or that are returned in another form.
_INSIDE = {Message.fairness_rank.key, Message.scheduled_at.key, Message.row_token.key}


def with_recipient(due: CTE) -> Select[Any]:
    """Return the rows with the recipient's address and channel facts."""
    # A group may want this; but elderly people themselves are written to only when counters are open.
    on_holidays = and_(
        func.coalesce(Group.on_holidays, false()),
        or_(due.c.audience != Audience.PERSON, func.coalesce(Person.mode, Mode.STANDARD) == Mode.STANDARD),
    )
    return (
        select(
            *(column for column in due.c if column.name not in _INSIDE),
            Contact.address_sealed.label("contact_address_sealed"),
            Contact.address_index,
            Group.kind.label("group_kind"),
            Contact.created_at.label("contact_added_at"),
            on_holidays.label("on_holidays"),
            Group.suspended_at.is_not(None).label("is_suspended"),
        )
        .select_from(due)
        .outerjoin(Contact, Contact.id == due.c.contact_id)
        .outerjoin(Person, Person.id == Contact.person_id)
        .outerjoin(Group, Group.id == due.c.group_id)
    )


def _pick(due: CTE) -> Select[Any]:
    return (
        with_recipient(due)
        .add_columns(
            _may_be_contacted(due.c).label("may_be_contacted"), _is_untrue(literal_column("due.id")).label("is_untrue")
        )
        .order_by(due.c.urgency, due.c.fairness_rank, due.c.scheduled_at, due.c.id)
    )


_PICK = _pick(_due(IS_QUEUED, Message.kind != MessageKind.LOGIN_CODE))
_PICK_CODES = _pick(_due(IS_QUEUED_CODE))


def pick_due_and_end_stale(
    tx: Session,
    channel: ChannelName,
    *,
    now: datetime,
    limit: int,
    least: Urgency | None = Urgency.ROUTINE,
    codes: bool = False,
) -> DueMessages:
    """Return the due messages, the most urgent first; of those every group's first comes before any second.

    `codes`: only login codes, which have a way of their own; else all others.

    `least`: no message less urgent than this; None: none at all, only stale messages end. A stale message, one that is
    no longer true, and one to a contact that was stopped end here.
    On PostgreSQL rows that another worker is leasing are skipped; on SQLite the transaction locks the file.
    """
    asked = {"channel": channel, "now": now, "limit": limit, "least": -1 if least is None else least}
    stale, refused, forgotten, untrue = list[int](), list[int](), list[int](), list[int]()
    true: list[DueRow] = []
    # Plain rows, which avoids the cost of the session's objects.
    for row in tx.connection().execute(_PICK_CODES if codes else _PICK, asked):
        if row.expires_at <= now:
            stale.append(row.id)
        elif not row.may_be_contacted:
            refused.append(row.id)
        elif row.body_sealed is None:
            forgotten.append(row.id)
        elif row.is_untrue:
            untrue.append(row.id)
        else:
            true.append(row)
    suspended = [row.id for row in true if row.is_suspended and row.kind != MessageKind.ANSWER]
    true = [row for row in true if row.id not in {*suspended}]
    doubtful = restore_guard.mark_doubtful_unknown(tx, [row.id for row in true], now)
    _end_queued(tx, stale, MISS, None, now)
    _end_queued(tx, refused, CANCEL, CancelReason.OPTED_OUT, now)
    _end_queued(tx, untrue, CANCEL, CancelReason.RENEWED, now)
    _end_queued(tx, forgotten, CANCEL, CancelReason.ERASED, now)
    return DueMessages([row for row in true if row.id not in doubtful], stale, refused, forgotten, suspended)


_LEASE = staying(MESSAGE_STATES, among(Message.id, ids_param("ids")), states=HAND_OVER.leaves).values(
    lease_until=bindparam("until")
)


def lease(tx: Session, ids: Sequence[int], *, until: datetime) -> None:
    """Lease these queued messages to this worker until then."""
    if ids:
        tx.connection().execute(_LEASE, {"ids": ids, "until": until})


def release(tx: Session, leased: Collection[LeasedMessage], now: datetime) -> None:
    """End the leases that this worker still holds; another may lease the messages from `now` on."""
    for until, ids in _by_lease(leased).items():
        mine = and_(among(Message.id, ids), Message.lease_until == until)
        tx.execute(staying(MESSAGE_STATES, mine, states=HAND_OVER.leaves).values(lease_until=now))


def _by_lease(leased: Collection[LeasedMessage]) -> dict[datetime, list[int]]:
    """Return the ids of the messages by the end of their lease; those that were leased together share it."""
    by_lease: dict[datetime, list[int]] = {}
    for one in leased:
        by_lease.setdefault(one.lease_until, []).append(one.outgoing.message_id)
    return by_lease


_IS_MINE = and_(among(Message.id, ids_param("ids")), Message.lease_until == bindparam("mine"))
_IS_SUSPENDED = and_(Message.kind != MessageKind.ANSWER, Group.suspended_at.is_not(None))
_BEGIN = (
    transition(
        MESSAGE_STATES,
        HAND_OVER,
        _IS_MINE,
        Message.expires_at > bindparam("now"),
        Message.body_sealed.is_not(None),
        ~_is_untrue(Message.id),
        or_(
            Message.contact_id.is_(None),
            exists().where(Contact.id == Message.contact_id, _may_be_contacted(Message)),
        ),
        ~exists().where(Group.id == Message.group_id, _IS_SUSPENDED),
    )
    .values(lease_until=bindparam("until"), handed_at=bindparam("now"), attempts=Message.attempts + 1)
    .returning(Message.id)
)
# An e-mail carries the date of its first attempt; one of the version before carried that of its planning.
_BEGIN_DATED = _BEGIN.values(
    first_handed_at=func.coalesce(
        Message.first_handed_at,
        case((Message.attempts > 0, Message.created_at), else_=bindparam("now", type_=Instant())),
    )
)


def begin_hand_over(tx: Session, leased: Sequence[LeasedMessage], now: datetime) -> list[LeasedMessage]:
    """Record that the hand-over of these messages begins, and return those of which it may.

    The same statement looks whether each is leased by this worker, still true and still wanted. What is not stays
    queued without a lease: the next to pick it sees why, and ends it. `attempts` counts from here; a crash before this
    is committed leaves no trace, and one after it a message of unknown outcome.
    """
    begun: set[int] = set()
    is_dated = bool(leased) and leased[0].channel is ChannelName.EMAIL
    for mine, ids in _by_lease(leased).items():
        asked = {"ids": ids, "mine": mine, "now": now, "until": now + OUTCOME_WITHIN}
        begun.update(tx.connection().execute(_BEGIN_DATED if is_dated else _BEGIN, asked).scalars())
    if len(begun) < len(leased):
        release(tx, [one for one in leased if one.outgoing.message_id not in begun], now)
    until = now + OUTCOME_WITHIN
    going = [one._replace(lease_until=until) for one in leased if one.outgoing.message_id in begun]
    return [_dated(one, now) for one in going] if is_dated else going


def _dated(leased: LeasedMessage, now: datetime) -> LeasedMessage:
    first = leased.outgoing.first_handed_at or now
    return leased._replace(outgoing=leased.outgoing._replace(first_handed_at=first))


def defer(tx: Session, ids: Sequence[int], *, until: datetime, reason: str) -> None:
    """Set a later `scheduled_at` for these messages, and end their lease."""
    if ids:
        values = {"scheduled_at": until, "reason": reason, "lease_until": None}
        tx.execute(staying(MESSAGE_STATES, among(Message.id, ids), states=HAND_OVER.leaves).values(values))


# Of no use later: a digest is of its week, and nobody sits beside the telephone for a test call any more.
_OF_THEIR_HOUR = (MessageKind.DIGEST, MessageKind.TEST_CALL)
SUSPENDED = "suspended"


def hold(tx: Session, ids: Sequence[int], by: timedelta) -> None:
    """Set these messages later; their validity is as much longer, so that they wait for their group to be resumed."""
    if not ids:
        return
    waiting = tx.execute(
        select(Message.id, Message.kind, Message.scheduled_at, Message.expires_at).where(among(Message.id, ids))
    )
    rows = [
        {
            "scheduled_at": scheduled_at + by,
            "expires_at": expires_at if kind in _OF_THEIR_HOUR else expires_at + by,
            "reason": SUSPENDED,
            "id": message_id,
        }
        for message_id, kind, scheduled_at, expires_at in waiting
    ]
    MESSAGE_STATES.require(HAND_OVER)
    (queued,) = HAND_OVER.leaves
    update_many(tx, MESSAGES, ("id",), rows, only=f"messages.state = '{queued}'")


def end_stale(tx: Session, ids: Sequence[int], reason: str, now: datetime) -> None:
    """End these messages as stale."""
    _end_queued(tx, ids, MISS, reason, now)


def fail_unreadable(tx: Session, ids: Sequence[int], now: datetime) -> None:
    """End these messages as failed, because nobody can read them."""
    if ids:
        values = {"reason": UNREADABLE, "lease_until": None, "ended_at": now}
        tx.execute(transition(MESSAGE_STATES, FAIL_UNREADABLE, among(Message.id, ids)).values(values))


@dataclass(frozen=True)
class RecentlySent:
    """The number of recent messages per address, by its keyed index: of all, of each group, and of its same texts."""

    all: Mapping[bytes, int]
    of_group: Mapping[tuple[bytes, int | None], int]
    alike: Mapping[tuple[bytes, int | None, bytes], int]


# What was handed over, and what is leased to be handed over at once.
_SENT_RECENTLY = union_all(
    *(
        select(Contact.address_index, Message.group_id, Message.body_fingerprint)
        .join(Message, Message.contact_id == Contact.id)
        .where(Contact.address_index.in_(bindparam("addresses", expanding=True)), *which)
        for which in (
            (Message.handed_at >= bindparam("since"), Message.state != MessageState.QUEUED),
            (IS_LEASED, Message.lease_until > bindparam("now")),
        )
    )
)


def sent_recently(tx: Session, address_indexes: Collection[bytes], since: datetime, now: datetime) -> RecentlySent:
    """Return the messages handed over to these addresses since then, or leased at present.

    Every contact with the address counts, and every outcome.
    """
    if not address_indexes:
        return RecentlySent({}, {}, {})
    found = tx.execute(_SENT_RECENTLY, {"addresses": list(address_indexes), "since": since, "now": now})
    every, of_group = Counter[bytes](), Counter[tuple[bytes, int | None]]()
    alike = Counter[tuple[bytes, int | None, bytes]]()
    for address, group_id, body_fingerprint in found:
        every[address] += 1
        of_group[address, group_id] += 1
        if body_fingerprint is not None:
            alike[address, group_id, body_fingerprint] += 1
    return RecentlySent(every, of_group, alike)


_CALLED_LAST = union_all(
    *(
        select(Contact.address_index, at.label("at"))
        .join(Message, Message.contact_id == Contact.id)
        .where(
            Contact.address_index.in_(bindparam("addresses", expanding=True)),
            Message.channel == bindparam("channel"),
            *which,
        )
        for at, which in (
            (Message.handed_at, (Message.handed_at >= bindparam("since"), Message.state != MessageState.QUEUED)),
            (bindparam("now", type_=Instant()), (IS_LEASED, Message.lease_until > bindparam("now", type_=Instant()))),
        )
    )
)


def last_handed(
    tx: Session, channel: ChannelName, address_indexes: Collection[bytes], since: datetime, now: datetime
) -> Mapping[bytes, datetime]:
    """Return when a message of this channel was last handed over to each of these addresses, if since then.

    Every contact with the address counts, in every group. One that waits for another attempt was not taken; one that is
    leased is about to be: it counts as `now`.
    """
    if not address_indexes:
        return {}
    asked = {"addresses": list(address_indexes), "channel": channel, "since": since, "now": now}
    found: dict[bytes, datetime] = {}
    for index, at in tx.execute(_CALLED_LAST, asked):
        if at is not None:
            found[index] = max(at, found.get(index, at))
    return found


def _end_queued(tx: Session, ids: Sequence[int], move: Move[MessageState], reason: str | None, now: datetime) -> None:
    if ids:
        values = {"ended_at": now} | ({"reason": reason} if reason else {})
        tx.execute(transition(MESSAGE_STATES, move, among(Message.id, ids)).values(values))


def is_openable(keys: KeyRing, row: DueRow) -> bool:
    """Return whether the keys that sealed a message and its address are on the ring."""
    return keys.can_open(row.body_sealed) and keys.can_open(row.address_sealed or row.contact_address_sealed)


def decrypt(
    keys: KeyRing,
    rows: Sequence[DueRow],
    claimed_at: datetime | None,
    lease_until: datetime,
    *,
    starts_in: float = 0.0,
    between: float = 0.0,
) -> Opened:
    """Return the leased messages, for sending (`claimed_at`) or for reconciliation, and the ids of the unreadable ones.

    A message is unreadable if it was changed, or its key is missing; it must not delay the others. `starts_in`,
    `between`: the seconds to the first message, and from one to the next.
    """
    leased: list[LeasedMessage] = []
    unreadable: list[int] = []
    for row in rows:
        try:
            subject, text, language = open_body(keys, row.body_sealed)
            address = keys.open(row.address_sealed or row.contact_address_sealed)
        except SettingsError:
            unreadable.append(row.id)
            continue
        outgoing = Outgoing(
            message_id=row.id,
            address=address,
            text=text,
            subject=subject,
            created_at=row.created_at,
            handed_at=claimed_at or row.handed_at,
            language=language,
            reference=keys.references.make(MESSAGE, [row.id], row.created_at),
            is_older=keys.references.is_older(row.created_at),
            first_handed_at=row.first_handed_at or (row.created_at if row.attempts else None),
        )
        leased.append(
            LeasedMessage(
                kind=MessageKind(row.kind),
                outgoing=outgoing,
                channel=ChannelName(row.channel),
                contact_id=row.contact_id,
                audience=Audience(row.audience),
                attempts=row.attempts + (1 if claimed_at else 0),
                not_found_count=row.not_found_count,
                possibly_double=row.possibly_double,
                expires_at=row.expires_at,
                lease_until=lease_until,
                on_holidays=row.on_holidays,
                contact_added_at=row.contact_added_at,
                starts_in=starts_in + len(leased) * between,
            )
        )
    return Opened(leased, unreadable)
