"""The export of everything about a group, or about one person in it, as plain values."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select, union, union_all
from sqlalchemy import Row as SqlRow
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute, Session

from reminder.clock import JAPAN
from reminder.errors import SettingsError
from reminder.storage.crypto.keyring import KeyRing, SealedValue
from reminder.storage.db import sealing
from reminder.storage.db.columns import SealedPersonWords, SealedWords, StoredWords
from reminder.storage.db.statements import among, each, ids_param
from reminder.storage.db.tables import (
    Account,
    ActivityEntry,
    ApiToken,
    Assignment,
    CalendarFeed,
    Card,
    CardLife,
    Contact,
    CountedEnd,
    Group,
    Import,
    Invitation,
    Member,
    Mention,
    Message,
    MessageReminder,
    Notice,
    OwnKindRow,
    Person,
    PersonLife,
    Promise,
    Reminder,
    Reply,
)
from reminder.storage.outbox.queries import ids_about_person
from reminder.storage.outbox.sealed_body import readable
from reminder.storage.registry import consents
from reminder.storage.reminders.replies import text_of

Row = dict[str, Any]
# The most rows of one kind in memory at once.
AT_ONCE = 1_000


class ExportScope:
    """A whole group, or one person in it."""

    def __init__(self, group_id: int, person_id: int | None) -> None:
        self.group_id, self.person_id = group_id, person_id
        self.people: ColumnElement[bool] = Person.group_id == group_id
        if person_id is not None:
            self.people = self.people & (Person.id == person_id)
        # A contact is a person's or a member's. Each way has an index; with OR between them there is none.
        ways = [select(Contact.id).join(Person, Person.id == Contact.person_id).where(self.people)]
        if person_id is None:
            members = select(Contact.id).join(Member, Member.id == Contact.member_id)
            ways.append(members.where(Member.group_id == group_id))
        self.contacts = union_all(*ways)


def group(tx: Session, group_id: int) -> Row | None:
    """Return the group, None where there is none."""
    return next(_rows(tx, Group, Group.id == group_id), None)


def people(tx: Session, which: ExportScope) -> Iterator[list[Row]]:
    """Yield the persons in batches, in the order of their ids."""
    rows = _rows(tx, Person, which.people)
    while some := list(islice(rows, AT_ONCE)):
        yield some


def members(tx: Session, keys: KeyRing, group_id: int) -> list[Row]:
    """Return the members. `signs_in_with`: None for a member who has not signed in yet."""
    names = _names(Member, but=("group_id", "account_id"))
    rows = tx.execute(
        select(*_columns(Member, names), Account.address_sealed)
        .outerjoin(Account, Account.id == Member.account_id)
        .where(Member.group_id == group_id)
        .order_by(Member.id)
    )
    return [{**_plain(tx, Member, names, row), "signs_in_with": _open(keys, row[-1])} for row in rows]


def contacts_of_people(tx: Session, keys: KeyRing, person_ids: Collection[int]) -> Mapping[int, list[Row]]:
    """Return the contacts of these persons, by person.

    `consents`: what the ledger says of each, to its own group, and to every group since it was entered.
    """
    return _by("person_id", _contacts(tx, keys, among(Contact.person_id, person_ids)))


def contacts_of_members(tx: Session, keys: KeyRing, member_ids: Collection[int]) -> Mapping[int, list[Row]]:
    """Return the contacts of these members, by member."""
    return _by("member_id", _contacts(tx, keys, among(Contact.member_id, member_ids)))


def _contacts(tx: Session, keys: KeyRing, which: ColumnElement[bool]) -> Iterator[Row]:
    names = _names(Contact)
    query = (
        select(*_columns(Contact, names), func.coalesce(Person.group_id, Member.group_id), Contact.address_sealed)
        .outerjoin(Person, Person.id == Contact.person_id)
        .outerjoin(Member, Member.id == Contact.member_id)
        .where(which)
        .order_by(Contact.id)
    )
    rows = tx.execute(query).all()
    records = consents.of_contacts(tx, [row.id for row in rows])
    for row in rows:
        said = [
            one
            for one in records[row.id]
            if one.group_id == row[-2] or (one.group_id is None and one.at >= row.created_at)
        ]
        yield {
            **_plain(tx, Contact, names, row),
            "address": _open(keys, row[-1]),
            "consents": [{"at": _value(one.at), "act": str(one.act), "way": str(one.way)} for one in said],
        }


def cards(tx: Session, person_ids: Collection[int]) -> Mapping[int, list[Row]]:
    """Return the cards of these persons, by person."""
    return _by("person_id", _rows(tx, Card, among(Card.person_id, person_ids)))


def reminders(tx: Session, card_ids: Collection[int]) -> Mapping[int, list[Row]]:
    """Return the reminders of these cards, by card."""
    return _by("card_id", _rows(tx, Reminder, among(Reminder.card_id, card_ids)))


def promises(tx: Session, reminder_ids: Collection[int]) -> Mapping[int, list[Row]]:
    """Return the delivery promises of these reminders, by reminder."""
    return _by("reminder_id", _rows(tx, Promise, among(Promise.reminder_id, reminder_ids)))


def assignments(tx: Session, card_ids: Collection[int]) -> Mapping[int, list[Row]]:
    """Return the assignments of these cards, by card."""
    return _by("card_id", _rows(tx, Assignment, among(Assignment.card_id, card_ids)))


def card_lives(tx: Session, card_ids: Collection[int]) -> Mapping[int, list[Row]]:
    """Return what was done for each end of these cards, by card."""
    return _by("card_id", _rows(tx, CardLife, among(CardLife.card_id, card_ids)))


def counted_ends(tx: Session, card_ids: Collection[int]) -> Mapping[int, list[Row]]:
    """Return what became of each end of these cards that has passed, by card."""
    return _by("card_id", _rows(tx, CountedEnd, among(CountedEnd.card_id, card_ids), but=("group_id",)))


def person_lives(tx: Session, person_ids: Collection[int]) -> Mapping[int, list[Row]]:
    """Return where these persons are, by person."""
    return _by("person_id", _rows(tx, PersonLife, among(PersonLife.person_id, person_ids)))


def notices(tx: Session, person_ids: Collection[int]) -> Mapping[int, list[Row]]:
    """Return the notices about these persons, by person."""
    return _by("person_id", _rows(tx, Notice, among(Notice.person_id, person_ids)))


def replies(tx: Session, keys: KeyRing, which: ExportScope) -> Iterator[Row]:
    """Yield the replies. `text` is None where it looked like a number, or was erased."""
    names = _names(Reply, but=("provider_id",))
    theirs = which.contacts.subquery()
    query = (
        select(*_columns(Reply, names), Reply.body_sealed)
        .join(theirs, theirs.c.id == Reply.contact_id)
        .order_by(Reply.id)
    )
    for row in each(tx, query):
        yield {**_plain(tx, Reply, names, row), "text": text_of(keys, row[-1])}


# Internal columns: how a message is sent, not its content.
INTERNAL_COLUMNS = (
    "key",
    "group_id",
    "provider_id",
    "lease_until",
    "not_found_count",
    "reply_code",
    "body_fingerprint",
    "urgency",
    "turn",
)


def messages(tx: Session, keys: KeyRing, which: ExportScope) -> Iterator[Row]:
    """Yield the messages, with the cards that each is about.

    For one person, messages that also mention others are included without their text.
    """
    if which.person_id is None:
        theirs = which.contacts.subquery()
        wanted = union(
            select(Message.id).where(Message.group_id == which.group_id),
            select(Message.id).join(theirs, theirs.c.id == Message.contact_id),
        ).subquery()
    else:
        wanted = ids_about_person(which.person_id).subquery()
    # Ids only: a few of the messages are in memory at once.
    ids = iter(list(tx.scalars(select(wanted.c[0]).order_by(wanted.c[0]))))
    while some := list(islice(ids, AT_ONCE)):
        yield from _messages(tx, keys, which, some)


def _messages(tx: Session, keys: KeyRing, which: ExportScope, message_ids: Collection[int]) -> Iterator[Row]:
    names = _names(Message, but=INTERNAL_COLUMNS)
    card_ids_of, whom = _subjects_of(tx, message_ids)
    query = select(*_columns(Message, names), Message.id, Message.body_sealed, Message.address_sealed)
    for row in tx.execute(query.where(among(Message.id, message_ids)).order_by(Message.id)):
        message_id, body, address = row[-3:]
        subject, text = readable(keys, body)
        others = which.person_id is not None and not whom.get(message_id, set()) <= {which.person_id}
        yield {
            **_plain(tx, Message, names, row),
            "address": _open(keys, address),
            "subject": None if others else subject,
            "text": None if others else text,
            "tells_of_cards": [] if others else sorted(card_ids_of.get(message_id, ())),
            "speaks_of_people": [] if others else sorted(whom.get(message_id, ())),
            "speaks_of_others": others,
        }


_SUBJECTS = (
    select(MessageReminder.message_id, Card.id, Card.person_id)
    .join(Reminder, Reminder.id == MessageReminder.reminder_id)
    .join(Card, Card.id == Reminder.card_id)
    .where(among(MessageReminder.message_id, ids_param("messages")))
)
_SPOKEN_OF = select(Mention.message_id, Mention.person_id).where(among(Mention.message_id, ids_param("messages")))


def _subjects_of(tx: Session, message_ids: Collection[int]) -> tuple[Mapping[int, set[int]], Mapping[int, set[int]]]:
    """By message, the cards it card_ids_of of and the people it speaks of."""
    card_ids_of: dict[int, set[int]] = {}
    whom: dict[int, set[int]] = {}
    for message_id, card_id, person_id in tx.execute(_SUBJECTS, {"messages": message_ids}):
        card_ids_of.setdefault(message_id, set()).add(card_id)
        whom.setdefault(message_id, set()).add(person_id)
    for message_id, person_id in tx.execute(_SPOKEN_OF, {"messages": message_ids}):
        whom.setdefault(message_id, set()).add(person_id)
    return card_ids_of, whom


def invitations(tx: Session, keys: KeyRing, group_id: int) -> Iterator[Row]:
    """Yield the invitations to the group."""
    names = _names(Invitation)
    query = select(*_columns(Invitation, names), Invitation.address_sealed).where(Invitation.group_id == group_id)
    for row in tx.execute(query.order_by(Invitation.id)):
        yield {**_plain(tx, Invitation, names, row), "address": _open(keys, row[-1])}


def api_tokens(tx: Session, group_id: int) -> Iterator[Row]:
    """Yield the API tokens of the group."""
    return _rows(tx, ApiToken, ApiToken.group_id == group_id)


def own_kinds(tx: Session, group_id: int) -> Iterator[Row]:
    """Yield the kinds of cards of the group's own."""
    return _rows(tx, OwnKindRow, OwnKindRow.group_id == group_id)


def calendar_feeds(tx: Session, group_id: int) -> Iterator[Row]:
    """Yield the calendar feeds of the group's members."""
    return _rows(tx, CalendarFeed, CalendarFeed.member_id.in_(select(Member.id).where(Member.group_id == group_id)))


def imports(tx: Session, group_id: int) -> Iterator[Row]:
    """Yield the imports of the group."""
    return _rows(tx, Import, Import.group_id == group_id)


def activity_log(tx: Session, which: ExportScope) -> Iterator[Row]:
    """Yield the acts in the group, or those about the one person, their cards and their contacts."""
    wanted: ColumnElement[bool] = ActivityEntry.group_id == which.group_id
    if which.person_id is not None:
        wanted = wanted & or_(
            ActivityEntry.person_id == which.person_id,
            ActivityEntry.card_id.in_(select(Card.id).where(Card.person_id == which.person_id)),
            ActivityEntry.contact_id.in_(select(Contact.id).where(Contact.person_id == which.person_id)),
        )
    return _rows(tx, ActivityEntry, wanted, but=("position",))


def _rows(
    tx: Session, table: type[DeclarativeBase], which: ColumnElement[bool], *, but: Sequence[str] = ()
) -> Iterator[Row]:
    names, first = _names(table, but=but), table.__mapper__.primary_key[0]
    query = select(*_columns(table, names)).where(which).order_by(first)
    return (_plain(tx, table, names, row) for row in each(tx, query))


def _by(owner: str, rows: Iterable[Row]) -> Mapping[int, list[Row]]:
    found: dict[int, list[Row]] = {}
    for row in rows:
        found.setdefault(row[owner], []).append(row)
    return found


def _names(table: type[DeclarativeBase], *, but: Sequence[str] = ()) -> list[str]:
    """Return the exported columns of a table.

    Sealed columns are opened by the caller; hashes are unreadable and left out.
    """
    hidden = ("_sealed", "_index", "_hash", "_plain", "proof", "row_token")
    names = [column.key for column in table.__mapper__.column_attrs if column.key not in but]
    return [name for name in names if not name.endswith(hidden)]


def _columns(table: type[DeclarativeBase], names: Sequence[str]) -> list[InstrumentedAttribute[Any]]:
    return [getattr(table, name) for name in names]


def _plain(tx: Session, table: type[DeclarativeBase], names: Sequence[str], row: SqlRow[*tuple[Any, ...]]) -> Row:
    found: Row = {}
    for name, stored in zip(names, row, strict=False):
        value = _words(tx, getattr(table, name), stored)
        if isinstance(value, StoredWords):
            found |= value._asdict()
        else:
            found[name] = _value(value)
    return found


def _words(tx: Session, column: InstrumentedAttribute[Any], stored: object) -> object:
    """Return words opened, None where they were sealed with a key that is gone, and every other value as it is."""
    if not isinstance(column.type, SealedWords):
        return stored
    try:
        return sealing.reader_of(tx, column)(stored)
    except SettingsError:
        return StoredWords("", None, None, None, None, "") if isinstance(column.type, SealedPersonWords) else None


def _value(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(JAPAN).isoformat(timespec="seconds")
    return value.isoformat() if isinstance(value, date) else value


def _open(keys: KeyRing, sealed: SealedValue | None) -> str | None:
    """Return the text; None where it was sealed with a key that is gone, so that the rest can still be exported."""
    try:
        return None if sealed is None else keys.open(sealed)
    except SettingsError:
        return None
