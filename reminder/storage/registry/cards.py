"""Cards, and the day on which planning is due for each: `next_reminder_on`."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Executable,
    TextClause,
    Update,
    and_,
    bindparam,
    case,
    delete,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from reminder.domain.model.card_states import NOT_BEGUN, LifeDays
from reminder.domain.model.own_kinds import public_name, stored_kind
from reminder.domain.rules.escalation_policy import Progress
from reminder.storage.crypto.keyring import KeyRing, new_row_token
from reminder.storage.db import sealing, statements
from reminder.storage.db.statements import add_many, among, each, ids_param, insert_many, insert_or_ignore
from reminder.storage.db.tables import (
    CARDS,
    IS_SILENT,
    Assignment,
    Card,
    CardLife,
    Group,
    MessageReminder,
    Person,
    Reminder,
)
from reminder.storage.registry import people
from reminder.storage.registry.people import PersonView

_CURRENT = Card.retired_at.is_(None)


@dataclass(frozen=True)
class CardView:
    """A card of a person."""

    id: int
    person_id: int
    kind: str
    label: str
    expires_on: date
    is_computed: bool
    carried_by: int | None
    next_reminder_on: date | None
    renewed_at: datetime | None
    retired_at: datetime | None
    acknowledged_on: date | None
    escalation_level: int
    own_days: str = ""  # days before the end in place of its group's: "60 30 7"


class CardBrief(NamedTuple):
    """A current card without its details, made for thousands at once: a tuple, because it is the quickest to make."""

    id: int
    person_id: int
    kind: str
    expires_on: date
    acknowledged_on: date | None
    escalation_level: int
    carried_by: int | None


@dataclass(frozen=True)
class DueCard:
    """A card that planning is due for, with its person."""

    id: int
    kind: str
    label: str
    expires_on: date
    is_computed: bool
    carrier_ends_on: date | None  # the end of the card that carries this one
    progress: Progress
    escalate_on: date | None
    person: PersonView
    own_days: str = ""  # days before the end in place of its group's: "60 30 7"


# A card of a group's own kind is read with the facts of that kind; see domain/model/own_kinds.
_KIND = func.coalesce(Card.own_kind, Card.kind).label("kind")
_COLUMNS = (
    Card.id,
    Card.person_id,
    _KIND,
    Card.label,
    Card.expires_on,
    Card.is_computed,
    Card.carried_by,
    Card.next_reminder_on,
    Card.renewed_at,
    Card.retired_at,
    Card.acknowledged_on,
    Card.escalation_level,
    Card.own_days,
)


def _view(row: Sequence[Any], read: people.Reader) -> CardView:
    """Return the card of a row with the columns of `_COLUMNS`. `read`: see `_reader`."""
    return CardView(row[0], row[1], row[2], read(row[3]), *row[4:])


def _reader(tx: Session) -> people.Reader:
    """Return the function that opens the labels of cards."""
    return sealing.reader_of(tx, Card.label)


_CURRENT_OF_PERSON = (
    select(*_COLUMNS).where(Card.person_id == bindparam("person"), Card.retired_at.is_(None)).order_by(Card.id)
)
_TAKEN = (
    select(*_COLUMNS, Assignment.contact_id)
    .outerjoin(Assignment, and_(Assignment.card_id == Card.id, Assignment.expires_on == Card.expires_on))
    .where(_CURRENT)
    .order_by(Card.id)
)
_TAKEN_OF_PEOPLE = _TAKEN.where(among(Card.person_id, ids_param("people")))
_TAKEN_OF_GROUP = _TAKEN.join(Person, Person.id == Card.person_id).where(Person.group_id == bindparam("group"))
_BRIEF = (
    select(
        Card.id,
        Card.person_id,
        _KIND,
        Card.expires_on,
        Card.acknowledged_on,
        Card.escalation_level,
        Card.carried_by,
    )
    .join(Person, Person.id == Card.person_id)
    .where(_CURRENT, Person.group_id == bindparam("group"))
    .order_by(Card.id)
)
_ASSIGNED_OF_GROUP = (
    select(Card.id)
    .join(Person, Person.id == Card.person_id)
    .join(Assignment, and_(Assignment.card_id == Card.id, Assignment.expires_on == Card.expires_on))
    .where(_CURRENT, Person.group_id == bindparam("group"))
)
_ENDING = (
    select(*_COLUMNS)
    .join(Person, Person.id == Card.person_id)
    .where(
        Person.group_id == bindparam("group"),
        _CURRENT,
        Card.expires_on.between(bindparam("first"), bindparam("last")),
        or_(
            Card.expires_on > bindparam("end"),
            and_(Card.expires_on == bindparam("end"), Card.id > bindparam("card")),
        ),
    )
    .order_by(Card.expires_on, Card.id)
    .limit(bindparam("limit"))
)
_BY_PERSON = select(*_COLUMNS).where(among(Card.person_id, ids_param("people")), _CURRENT)
_IN_ORDER = _BY_PERSON.order_by(Card.id)
_ENDS_OF_PEOPLE = select(Card.person_id, Card.kind, Card.expires_on).where(
    among(Card.person_id, ids_param("people")), _CURRENT
)
_ENDS_OF_CARDS = select(Card.id, Card.expires_on).where(among(Card.id, ids_param("cards")), _CURRENT)
_TAKERS = (
    select(Card.id, Assignment.contact_id)
    .join(Assignment, and_(Assignment.card_id == Card.id, Assignment.expires_on == Card.expires_on))
    .where(among(Card.id, ids_param("cards")))
)
_FIND = select(*_COLUMNS).where(Card.id == bindparam("card"))


def add_all(tx: Session, rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """Add cards; return their ids, in the order of the rows."""
    keys = sealing.keys_of(tx)
    return add_many(tx, CARDS, [{**row, **_label(keys, row["person_id"], row["label"])} for row in rows])


def _label(keys: KeyRing, person_id: int, label: str) -> dict[str, Any]:
    """Return the columns of a card's label. A card without one has nothing to seal, and needs no token."""
    if not label:
        return {"label": "", "label_sealed": None, "label_index": "", "row_token": None}
    row_token = new_row_token()
    return {
        "label": "",
        "label_sealed": sealing.words(keys, Card.label, label, row_token),
        "label_index": sealing.card_index(keys, person_id, label),
        "row_token": row_token,
    }


def reserve_ids(tx: Session, count: int) -> list[int]:
    """Return ids for cards that this transaction is about to insert."""
    return statements.reserve_ids(tx, CARDS, count)


def insert_all(tx: Session, new: Sequence[CardView], now: datetime) -> None:
    """Add cards with their reserved ids; a card that carries another comes before it."""
    keys = sealing.keys_of(tx)
    rows = [
        {
            "id": card.id,
            "person_id": card.person_id,
            "kind": stored_kind(card.kind),
            "own_kind": None if stored_kind(card.kind) == card.kind else card.kind,
            **_label(keys, card.person_id, card.label),
            "expires_on": card.expires_on,
            "is_computed": card.is_computed,
            "carried_by": card.carried_by,
            "next_reminder_on": card.next_reminder_on,
            "created_at": now,
            "own_days": card.own_days,
        }
        for card in new
    ]
    insert_many(tx, CARDS, rows)


def find(tx: Session, card_id: int) -> CardView | None:
    """Return the card with this id, None where there is none."""
    row = tx.execute(_FIND, {"card": card_id}).one_or_none()
    return None if row is None else _view(row, _reader(tx))


def current_of_person(tx: Session, person_id: int) -> list[CardView]:
    """Return a person's current cards."""
    read = _reader(tx)
    return [_view(row, read) for row in tx.execute(_CURRENT_OF_PERSON, {"person": person_id})]


def current_with_assignees(
    tx: Session, group_id: int, person_ids: Collection[int] | None = None
) -> list[tuple[CardView, int | None]]:
    """Return the current cards of a group, or of some of its persons, in the order of their ids.

    Each comes with the id of the contact who is assigned for its present end date, or None.
    """
    rows = (
        tx.execute(_TAKEN_OF_GROUP, {"group": group_id})
        if person_ids is None
        else tx.execute(_TAKEN_OF_PEOPLE, {"people": person_ids})
    )
    read = _reader(tx)
    return [(_view(row[:-1], read), row.contact_id) for row in rows]


def brief_of_group(tx: Session, group_id: int) -> list[CardBrief]:
    """Return the current cards of everybody in the group without their details, in the order of their ids."""
    # Plain rows: the session would double the time for tens of thousands.
    rows = tx.connection().execute(_BRIEF, {"group": group_id})
    return [
        CardBrief(card_id, person_id, kind, expires_on, acknowledged_on, level, carried_by)
        for card_id, person_id, kind, expires_on, acknowledged_on, level, carried_by in rows
    ]


def assigned_of_group(tx: Session, group_id: int) -> set[int]:
    """Return the ids of the group's current cards that somebody sees to before their present end."""
    return set(tx.scalars(_ASSIGNED_OF_GROUP, {"group": group_id}))


def ending(
    tx: Session, group_id: int, first: date, last: date, *, after: tuple[date, int] = (date.min, 0), limit: int
) -> list[CardView]:
    """Return the group's current cards that end within these days, both included, the soonest first.

    `after`: the end and the id of the last card on the page before.
    """
    escalation_level = {
        "group": group_id,
        "first": first,
        "last": last,
        "end": after[0],
        "card": after[1],
        "limit": limit,
    }
    read = _reader(tx)
    return [_view(row, read) for row in tx.execute(_ENDING, escalation_level)]


def current_of_people(tx: Session, person_ids: Collection[int]) -> dict[int, dict[str, CardView]]:
    """Return the current cards by person and the name of the kind; of several of one kind, one."""
    read = _reader(tx)
    found: dict[int, dict[str, CardView]] = {}
    for row in tx.execute(_BY_PERSON, {"people": person_ids}):
        found.setdefault(row.person_id, {})[public_name(row.kind)] = _view(row, read)
    return found


def every_current_of_people(tx: Session, person_ids: Collection[int]) -> dict[int, list[CardView]]:
    """Return the current cards by person, in the order of their ids."""
    read = _reader(tx)
    found: dict[int, list[CardView]] = {person_id: [] for person_id in person_ids}
    for row in tx.execute(_IN_ORDER, {"people": person_ids}):
        found[row.person_id].append(_view(row, read))
    return found


def ends_of_people(tx: Session, person_ids: Collection[int]) -> dict[int, dict[str, date]]:
    """Return the ends of each person's cards, by kind."""
    ends: dict[int, dict[str, date]] = {person_id: {} for person_id in person_ids}
    for person_id, kind, expires_on in tx.execute(_ENDS_OF_PEOPLE, {"people": person_ids}):
        ends[person_id][kind] = expires_on
    return ends


def retired_ends_of_people(tx: Session, person_ids: Collection[int]) -> dict[int, dict[str, date]]:
    """Return the last ends of retired cards, by person and kind; a kind of which one is current is not among them."""
    query = select(Card.person_id, Card.kind, func.max(Card.expires_on)).where(among(Card.person_id, person_ids))
    ended = query.group_by(Card.person_id, Card.kind).having(func.count(Card.retired_at) == func.count(Card.id))
    found: dict[int, dict[str, date]] = {}
    for person_id, kind, expires_on in tx.execute(ended):
        found.setdefault(person_id, {})[kind] = expires_on
    return found


def ends_of(tx: Session, card_ids: Collection[int]) -> dict[int, date]:
    """Return the ends of these cards, by id."""
    return dict(list(tx.execute(_ENDS_OF_CARDS, {"cards": card_ids})))


def of_group(tx: Session, group_id: int | None) -> list[CardView]:
    """Return the cards of a group, or of all groups where `group_id` is None; retired ones too."""
    return list(each_of_group(tx, group_id))


class CardRevision(NamedTuple):
    """When a card was added and last renewed (aware UTC), and how often it was changed."""

    added_at: datetime
    changed_at: datetime
    number: int


def revisions(tx: Session, group_id: int) -> Mapping[int, CardRevision]:
    """Return the revision of each card of a group, by its id."""
    query = select(Card.id, Card.created_at, Card.renewed_at, Card.revision)
    rows = tx.execute(query.join(Person, Person.id == Card.person_id).where(Person.group_id == group_id))
    return {
        card_id: CardRevision(added_at, renewed_at or added_at, number)
        for card_id, added_at, renewed_at, number in rows
    }


def each_of_group(tx: Session, group_id: int | None) -> Iterator[CardView]:
    """Yield the cards that `of_group` returns, in bounded memory."""
    query = select(*_COLUMNS).order_by(Card.id)
    if group_id is not None:
        query = query.join(Person, Person.id == Card.person_id).where(Person.group_id == group_id)
    read = _reader(tx)
    return (_view(row, read) for row in each(tx, query))


def some_of_person(tx: Session, person_id: int, *, after: int, limit: int) -> list[CardView]:
    """Return a person's cards with a higher id than `after`, retired ones too."""
    query = select(*_COLUMNS).where(Card.person_id == person_id, Card.id > after).order_by(Card.id).limit(limit)
    read = _reader(tx)
    return [_view(row, read) for row in tx.execute(query)]


def renew(
    tx: Session, card_id: int, *, expires_on: date, is_computed: bool, next_on: date | None, now: datetime
) -> None:
    """Set a new end date, and clear the answers about the old one."""
    tx.execute(
        update(Card)
        .where(Card.id == card_id)
        .values(
            expires_on=expires_on,
            is_computed=is_computed,
            next_reminder_on=next_on,
            renewed_at=now,
            revision=Card.revision + 1,
            acknowledged_on=None,
            remind_on=None,
            escalation_level=0,
            escalate_on=None,
        )
    )


def retire(tx: Session, card_id: int, now: datetime) -> None:
    """Retire a card."""
    tx.execute(update(Card).where(Card.id == card_id, _CURRENT).values(retired_at=now, next_reminder_on=None))


def take_back(
    tx: Session,
    card_id: int,
    *,
    expires_on: date,
    is_computed: bool,
    next_on: date | None,
    acknowledged_on: date | None,
) -> None:
    """Undo a renewal, an acknowledgement or an end: the card has this end again, and is reminded of."""
    tx.execute(
        update(Card)
        .where(Card.id == card_id)
        .values(
            expires_on=expires_on,
            is_computed=is_computed,
            next_reminder_on=next_on,
            acknowledged_on=acknowledged_on,
            retired_at=None,
            remind_on=None,
            escalation_level=0,
            escalate_on=None,
            revision=Card.revision + 1,
        )
    )


def carry(tx: Session, card_id: int, carried: Collection[int]) -> None:
    """Record that this card carries the cards of `carried`, which end with it."""
    if carried:
        tx.execute(_changing(among(Card.id, carried)).values(carried_by=card_id))


def _groups_with(day: InstrumentedAttribute[date | None], which: ColumnElement[bool] | TextClause) -> Executable:
    return (
        select(Person.group_id)
        .join(Card, Card.person_id == Person.id)
        .where(
            which,
            day <= bindparam("today"),
            ~among(Person.group_id, ids_param("but_not")),
            ~among(Card.id, ids_param("aside")),
        )
        .group_by(Person.group_id)
        .order_by(func.min(day), Person.group_id)
        .limit(bindparam("limit"))
    )


_GROUPS_DUE = _groups_with(Card.next_reminder_on, _CURRENT)
_GROUPS_SILENT = _groups_with(Card.escalate_on, IS_SILENT)
_LOCK_GROUPS = select(Group.id).where(among(Group.id, ids_param("groups"))).with_for_update(skip_locked=True)


def groups_due(
    tx: Session, today: date, *, limit: int, but_not: Collection[int] = (), aside: Collection[int] = ()
) -> list[int]:
    """Return the groups with a card that planning is due for, longest waiting first.

    They are locked, so that no other worker plans them at the same time. `aside`: cards that do not count.
    """
    return _locked_groups(tx, _GROUPS_DUE, {"today": today, "limit": limit, "but_not": but_not, "aside": aside})


def groups_silent(
    tx: Session, today: date, *, limit: int, but_not: Collection[int] = (), aside: Collection[int] = ()
) -> list[int]:
    """Return the groups with a card whose escalation is due, locked as those of `groups_due`."""
    return _locked_groups(tx, _GROUPS_SILENT, {"today": today, "limit": limit, "but_not": but_not, "aside": aside})


def _locked_groups(tx: Session, waiting: Executable, asked: Mapping[str, object]) -> list[int]:
    ids = list(tx.execute(waiting, asked).scalars())
    return list(tx.execute(_LOCK_GROUPS, {"groups": ids}).scalars()) if ids else []


_CARRIER = aliased(Card)
_WITH_PERSONS = (
    select(
        Card.id,
        _KIND,
        Card.label,
        Card.expires_on,
        Card.is_computed,
        _CARRIER.expires_on,
        Card.acknowledged_on,
        Card.remind_on,
        Card.escalation_level,
        Assignment.assigned_on,
        Assignment.contact_id,
        Card.escalate_on,
        CardLife.state,
        CardLife.since,
        CardLife.expected_by,
        CardLife.collect_by,
        CardLife.appointment_on,
        Card.own_days,
        *people.COLUMNS,
    )
    .join(Person, Person.id == Card.person_id)
    .outerjoin(_CARRIER, and_(_CARRIER.id == Card.carried_by, _CARRIER.retired_at.is_(None)))
    .outerjoin(Assignment, and_(Assignment.card_id == Card.id, Assignment.expires_on == Card.expires_on))
    .outerjoin(CardLife, and_(CardLife.card_id == Card.id, CardLife.expires_on == Card.expires_on))
    .where(_CURRENT)
    .order_by(Card.id)
)
_HELD = _WITH_PERSONS.with_for_update(of=Card)
_OF_GROUPS = among(Person.group_id, ids_param("groups"))
_IDS = select(Card.id).join(Person, Person.id == Card.person_id).where(_CURRENT, _OF_GROUPS).order_by(Card.id)
_ONLY, _NOT_ASIDE = among(Card.id, ids_param("cards")), ~among(Card.id, ids_param("aside"))
_IS_DUE = Card.next_reminder_on <= bindparam("today")
_IS_SILENT = and_(IS_SILENT, Card.escalate_on <= bindparam("today"))
_DUE, _DUE_ONLY = _HELD.where(_IS_DUE, _OF_GROUPS, _NOT_ASIDE), _HELD.where(_IS_DUE, _ONLY)
_DUE_IDS = _IDS.where(_IS_DUE)
_SILENT, _SILENT_ONLY = _HELD.where(_IS_SILENT, _OF_GROUPS, _NOT_ASIDE), _HELD.where(_IS_SILENT, _ONLY)
_SILENT_IDS = _IDS.where(_IS_SILENT)
_HELD_OF_GROUP = _HELD.where(Person.group_id == bindparam("group"))
_AS_DUE = _WITH_PERSONS.where(among(Card.id, ids_param("cards")))
_UNANSWERED = _WITH_PERSONS.where(
    Card.escalation_level == bindparam("asked"), Card.acknowledged_on.is_(None), Assignment.id.is_(None)
)


def due(
    tx: Session, group_ids: Sequence[int], today: date, *, aside: Collection[int] = (), only: int | None = None
) -> list[DueCard]:
    """Return the cards of these groups that planning is due for, locked until the transaction ends.

    A concurrent request to plan a card again waits for it, and then applies. `aside`: these are left out; `only`:
    nothing but this card is read.
    """
    if only is not None:
        return _with_persons(tx, tx.execute(_DUE_ONLY, {"cards": [only], "today": today}))
    return _with_persons(tx, tx.execute(_DUE, {"groups": group_ids, "today": today, "aside": aside}))


def silent(
    tx: Session, group_ids: Sequence[int], today: date, *, aside: Collection[int] = (), only: int | None = None
) -> list[DueCard]:
    """Return the cards of these groups whose escalation is due, locked as those of `due`."""
    if only is not None:
        return _with_persons(tx, tx.execute(_SILENT_ONLY, {"cards": [only], "today": today}))
    return _with_persons(tx, tx.execute(_SILENT, {"groups": group_ids, "today": today, "aside": aside}))


def due_ids(tx: Session, group_ids: Sequence[int], today: date) -> list[int]:
    """Return the ids of the cards that `due` would read."""
    return list(tx.scalars(_DUE_IDS, {"groups": group_ids, "today": today}))


def silent_ids(tx: Session, group_ids: Sequence[int], today: date) -> list[int]:
    """Return the ids of the cards that `silent` would read."""
    return list(tx.scalars(_SILENT_IDS, {"groups": group_ids, "today": today}))


def as_due(tx: Session, card_ids: Collection[int]) -> list[DueCard]:
    """Return these current cards as planning would see them, without a lock."""
    return _with_persons(tx, tx.execute(_AS_DUE, {"cards": card_ids}))


def of_group_as_due(tx: Session, group_id: int) -> list[DueCard]:
    """Return all current cards of the group, locked as those of `due`."""
    return _with_persons(tx, tx.execute(_HELD_OF_GROUP, {"group": group_id}))


def unanswered(tx: Session, escalation_level: int) -> list[DueCard]:
    """Return the cards at this escalation level: everybody was asked, and nobody has acted."""
    return _with_persons(tx, tx.execute(_UNANSWERED, {"asked": escalation_level}))


def _with_persons(tx: Session, rows: Iterable[Any]) -> list[DueCard]:
    label_of, words_of = _reader(tx), people.reader(tx)
    return [
        DueCard(
            row[0],
            row[1],
            label_of(row[2]),
            row[3],
            row[4],
            row[5],
            Progress(row[6], row[7], row[8], row[9], row[10], NOT_BEGUN if row[12] is None else LifeDays(*row[12:17])),
            row[11],
            people.view(row[18:], words_of),
            row[17],
        )
        for row in rows
    ]


_NEXT_DUE_ON = select(func.min(Card.next_reminder_on)).where(_CURRENT)
_NEXT_SILENCE_ON = select(func.min(Card.escalate_on)).where(IS_SILENT)


def next_due_on(tx: Session) -> date | None:
    """Return the next day for which planning is due, None where there is none."""
    return tx.execute(_NEXT_DUE_ON).scalar()


def set_own_days(tx: Session, card_id: int, own_days: str) -> None:
    """Set the own days of a current card: "60 30 7", "" for those of its group."""
    tx.execute(_changing(Card.id == card_id, _CURRENT).values(own_days=own_days, revision=Card.revision + 1))


def set_next(tx: Session, next_on: Mapping[int, date | None]) -> None:
    """Set the next planning day of cards, by id."""
    if next_on:
        tx.connection().execute(
            update(CARDS).where(CARDS.c.id == bindparam("card")).values(next_reminder_on=bindparam("on")),
            [{"card": card_id, "on": on} for card_id, on in next_on.items()],
        )


def next_silence_on(tx: Session) -> date | None:
    """Return the next day for which an escalation is due, None where there is none."""
    return tx.execute(_NEXT_SILENCE_ON).scalar()


def _changing(*which: ColumnElement[bool] | TextClause) -> Update:
    return update(Card).where(*which).execution_options(synchronize_session=False)


def acknowledge(tx: Session, card_ids: Collection[int], on: date) -> None:
    """Acknowledge cards: they have no reminders until their end, and no further escalation."""
    tx.execute(
        _changing(among(Card.id, card_ids), _CURRENT, Card.acknowledged_on.is_(None)).values(
            acknowledged_on=on,
            remind_on=None,
            escalate_on=None,
            next_reminder_on=on,
            revision=Card.revision + 1,
        )
    )


def replan(tx: Session, card_id: int, on: date) -> None:
    """Have a current card planned on this day, and wait for no answer until it is reminded of again."""
    tx.execute(
        _changing(Card.id == card_id, _CURRENT).values(
            next_reminder_on=on, remind_on=None, escalate_on=None, escalation_level=0, revision=Card.revision + 1
        )
    )


def reopen(tx: Session, card_id: int, on: date) -> None:
    """Undo the acknowledgement of a card."""
    tx.execute(
        update(Card)
        .where(Card.id == card_id, _CURRENT)
        .values(acknowledged_on=None, next_reminder_on=on, revision=Card.revision + 1)
    )


def remind_again(tx: Session, card_ids: Collection[int], on: date) -> None:
    """Record the day on which the person asked to be reminded again."""
    tx.execute(
        _changing(among(Card.id, card_ids), _CURRENT, Card.acknowledged_on.is_(None)).values(
            remind_on=on, next_reminder_on=_no_later_than(on)
        )
    )


def set_escalation(tx: Session, until: Mapping[int, tuple[int, date | None]]) -> None:
    """Set, by card id, the number of further humans asked, and the day of the next escalation."""
    if until:
        tx.connection().execute(
            update(CARDS)
            .where(CARDS.c.id == bindparam("card"))
            .values(escalation_level=bindparam("humans"), escalate_on=bindparam("on")),
            [
                {"card": card_id, "humans": escalation_level, "on": on}
                for card_id, (escalation_level, on) in until.items()
            ],
        )


def restart_escalation(tx: Session, card_ids: Collection[int], on: date) -> None:
    """Reset the escalation of these cards, whose next contact was not asked after all."""
    tx.execute(
        _changing(among(Card.id, card_ids), IS_SILENT, Card.escalation_level > 0).values(
            escalation_level=Card.escalation_level - 1, escalate_on=on
        )
    )


def assign(tx: Session, card_id: int, expires_on: date, contact_id: int, on: date) -> bool:
    """Assign a contact to a card's end date; return False where somebody is assigned already.

    The table holds one for each end date.
    """
    return insert_or_ignore(
        tx, Assignment, card_id=card_id, expires_on=expires_on, contact_id=contact_id, assigned_on=on
    )


def assigned_to(tx: Session, card_id: int, expires_on: date) -> int | None:
    """Return the contact assigned for this end date, None where there is none."""
    query = select(Assignment.contact_id).where(Assignment.card_id == card_id, Assignment.expires_on == expires_on)
    return tx.execute(query).scalar_one_or_none()


def assignees(tx: Session, card_ids: Collection[int]) -> dict[int, int]:
    """Return the contacts assigned for the present end dates, by card."""
    return dict(list(tx.execute(_TAKERS, {"cards": card_ids})))


def unassign(tx: Session, card_id: int) -> None:
    """Remove the assignment of a card whose contact has not reported since."""
    tx.execute(delete(Assignment).where(Assignment.card_id == card_id))


def schedule_replan_of_carried(tx: Session, card_id: int, on: date) -> None:
    """Request a new plan of the cards that this card carries, because this card has changed."""
    tx.execute(update(Card).where(Card.carried_by == card_id, _CURRENT).values(next_reminder_on=_no_later_than(on)))


def schedule_replan_of_person(tx: Session, person_id: int, on: date) -> None:
    """Request a new plan of every current card of a person, on this day at the latest."""
    tx.execute(update(Card).where(Card.person_id == person_id, _CURRENT).values(next_reminder_on=_no_later_than(on)))


def schedule_replan_of_people(tx: Session, person_ids: Collection[int], on: date) -> None:
    """Request a new plan of every current card of these persons, on this day at the latest."""
    tx.execute(_changing(among(Card.person_id, person_ids), _CURRENT).values(next_reminder_on=_no_later_than(on)))


def schedule_replan_of_group(tx: Session, group_id: int, on: date) -> None:
    """Request a new plan of every current card of a group, on this day at the latest."""
    of_group = select(Person.id).where(Person.group_id == group_id)
    tx.execute(update(Card).where(Card.person_id.in_(of_group), _CURRENT).values(next_reminder_on=_no_later_than(on)))


def schedule_replan_of_messages(tx: Session, message_ids: Collection[int], on: date) -> None:
    """Request a new plan of the cards of these messages that have not changed since.

    Their reminders are still to be sent.
    """
    if not message_ids:
        return
    present = aliased(Card)
    mentioned = (
        select(Reminder.card_id)
        .join(MessageReminder, MessageReminder.reminder_id == Reminder.id)
        .join(present, and_(present.id == Reminder.card_id, present.expires_on == Reminder.expires_on))
        .where(among(MessageReminder.message_id, message_ids))
    )
    tx.execute(update(Card).where(Card.id.in_(mentioned), _CURRENT).values(next_reminder_on=_no_later_than(on)))


def _no_later_than(on: date) -> ColumnElement[date]:
    """Return the earlier of the row's day and this one.

    It is computed on the row once it is locked: planning may be setting a later day at this moment.
    """
    return case((or_(Card.next_reminder_on.is_(None), Card.next_reminder_on > on), on), else_=Card.next_reminder_on)
