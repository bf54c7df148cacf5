"""Everything that is held of a group, or of one person in it, as plain values: theirs to read and to take along."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import DeclarativeBase, Session

from reminder.clock import JAPAN
from reminder.errors import SettingsError
from reminder.storage import accounts, contacts
from reminder.storage.keys import KeyRing
from reminder.storage.messages import readable
from reminder.storage.replies import text_of
from reminder.storage.tables import (
    Account,
    ApiToken,
    Card,
    Contact,
    Feed,
    Group,
    Invitation,
    JournalEntry,
    Member,
    Mention,
    Message,
    MessageReminder,
    Notice,
    Person,
    Reminder,
    Reply,
    Taking,
    Upload,
)

Row = dict[str, Any]


class Which:
    """Of a whole group, or of one person in it."""

    def __init__(self, group_id: int, person_id: int | None) -> None:
        self.group_id, self.person_id = group_id, person_id
        self.people: ColumnElement[bool] = Person.group_id == group_id
        if person_id is not None:
            self.people = self.people & (Person.id == person_id)
        ids = select(Person.id).where(self.people)
        members = select(Member.id).where(Member.group_id == group_id)
        self.cards: ColumnElement[bool] = Card.person_id.in_(ids)
        self.contacts: ColumnElement[bool] = Contact.person_id.in_(ids)
        if person_id is None:
            self.contacts = or_(self.contacts, Contact.member_id.in_(members))
        self.of_cards = select(Card.id).where(self.cards)
        self.of_contacts = select(Contact.id).where(self.contacts)
        self.notices = Notice.person_id.in_(ids)


def group(tx: Session, group_id: int) -> Row | None:
    return next(iter(_rows(tx, Group, Group.id == group_id)), None)


def people(tx: Session, which: Which) -> list[Row]:
    return _rows(tx, Person, which.people)


def members(tx: Session, keys: KeyRing, group_id: int) -> list[Row]:
    """`signs_in_with`: None for whoever has not signed in yet."""
    rows = tx.execute(
        select(Member, Account.address_sealed)
        .outerjoin(Account, Account.id == Member.account_id)
        .where(Member.group_id == group_id)
        .order_by(Member.id)
    )
    return [
        {**_plain(row, but=("group_id", "account_id")), "signs_in_with": _open(keys, sealed, accounts.ADDRESS)}
        for row, sealed in rows
    ]


def contacts_of(tx: Session, keys: KeyRing, which: Which) -> list[Row]:
    return [
        {**_plain(row), "address": _open(keys, row.address_sealed, contacts.ADDRESS)}
        for row in tx.scalars(select(Contact).where(which.contacts).order_by(Contact.id))
    ]


def cards(tx: Session, which: Which) -> list[Row]:
    return _rows(tx, Card, which.cards)


def reminders(tx: Session, which: Which) -> list[Row]:
    return _rows(tx, Reminder, Reminder.card_id.in_(which.of_cards))


def takings(tx: Session, which: Which) -> list[Row]:
    return _rows(tx, Taking, Taking.card_id.in_(which.of_cards))


def notices(tx: Session, which: Which) -> list[Row]:
    return _rows(tx, Notice, which.notices)


def replies(tx: Session, keys: KeyRing, which: Which) -> list[Row]:
    """`text` is None where it looked like a number, or was forgotten."""
    rows = tx.scalars(select(Reply).where(Reply.contact_id.in_(which.of_contacts)).order_by(Reply.id))
    return [{**_plain(row, but=("provider_id",)), "text": text_of(keys, row.body_sealed)} for row in rows]


# What only we need: how a message is sent, not what it is.
NOT_TOLD = ("key", "group_id", "provider_id", "lease_until", "not_seen", "asks", "likeness", "urgency", "turn")


def messages(tx: Session, keys: KeyRing, which: Which) -> list[Row]:
    """With the cards that each tells of. Of one person's those that speak of others, too, are there without words."""
    told = (
        select(MessageReminder.message_id)
        .join(Reminder, Reminder.id == MessageReminder.reminder_id)
        .where(Reminder.card_id.in_(which.of_cards))
    )
    if which.person_id is None:
        wanted = or_(Message.group_id == which.group_id, Message.contact_id.in_(which.of_contacts))
    else:
        spoken = select(Mention.message_id).where(Mention.person_id == which.person_id)
        wanted = or_(Message.id.in_(told), Message.id.in_(spoken), Message.contact_id.in_(which.of_contacts))
    found = list(tx.scalars(select(Message).where(wanted).order_by(Message.id)))
    tells, whom = _told_of(tx, wanted)
    rows = []
    for row in found:
        subject, text = readable(keys, row.body_sealed)
        others = which.person_id is not None and not whom.get(row.id, set()) <= {which.person_id}
        rows.append(
            {
                **_plain(row, but=NOT_TOLD),
                "address": _open(keys, row.address_sealed, contacts.ADDRESS),
                "subject": None if others else subject,
                "text": None if others else text,
                "tells_of_cards": [] if others else sorted(tells.get(row.id, ())),
                "speaks_of_people": [] if others else sorted(whom.get(row.id, ())),
                "speaks_of_others": others,
            }
        )
    return rows


def _told_of(tx: Session, which: ColumnElement[bool]) -> tuple[Mapping[int, set[int]], Mapping[int, set[int]]]:
    """By message, the cards it tells of and the people it speaks of."""
    wanted = select(Message.id).where(which)
    tells: dict[int, set[int]] = {}
    whom: dict[int, set[int]] = {}
    told = tx.execute(
        select(MessageReminder.message_id, Card.id, Card.person_id)
        .join(Reminder, Reminder.id == MessageReminder.reminder_id)
        .join(Card, Card.id == Reminder.card_id)
        .where(MessageReminder.message_id.in_(wanted))
    )
    for message_id, card_id, person_id in told:
        tells.setdefault(message_id, set()).add(card_id)
        whom.setdefault(message_id, set()).add(person_id)
    spoken = select(Mention.message_id, Mention.person_id).where(Mention.message_id.in_(wanted))
    for message_id, person_id in tx.execute(spoken):
        whom.setdefault(message_id, set()).add(person_id)
    return tells, whom


def invitations(tx: Session, keys: KeyRing, group_id: int) -> list[Row]:
    rows = tx.scalars(select(Invitation).where(Invitation.group_id == group_id).order_by(Invitation.id))
    return [{**_plain(row), "address": _open(keys, row.address_sealed, accounts.INVITED)} for row in rows]


def tokens(tx: Session, group_id: int) -> list[Row]:
    return _rows(tx, ApiToken, ApiToken.group_id == group_id)


def feeds(tx: Session, group_id: int) -> list[Row]:
    return _rows(tx, Feed, Feed.member_id.in_(select(Member.id).where(Member.group_id == group_id)))


def uploads(tx: Session, group_id: int) -> list[Row]:
    return _rows(tx, Upload, Upload.group_id == group_id)


def journal(tx: Session, which: Which, card_ids: Collection[int], contact_ids: Collection[int]) -> list[Row]:
    """What was done in the group, or of the one person, their cards and their contacts."""
    wanted: ColumnElement[bool] = JournalEntry.group_id == which.group_id
    if which.person_id is not None:
        wanted = wanted & or_(
            JournalEntry.person_id == which.person_id,
            JournalEntry.card_id.in_(card_ids),
            JournalEntry.contact_id.in_(contact_ids),
        )
    return _rows(tx, JournalEntry, wanted)


def _rows(tx: Session, table: type[DeclarativeBase], which: ColumnElement[bool]) -> list[Row]:
    first = table.__mapper__.primary_key[0]
    return [_plain(row) for row in tx.scalars(select(table).where(which).order_by(first))]


def _plain(row: DeclarativeBase, *, but: Sequence[str] = ()) -> Row:
    """What was sealed is opened by whoever asks, and hashes are nothing anybody could read."""
    names = [column.key for column in row.__mapper__.column_attrs if column.key not in but]
    hidden = ("_sealed", "_index", "_hash")
    return {name: _value(getattr(row, name)) for name in names if not name.endswith(hidden)}


def _value(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(JAPAN).isoformat(timespec="seconds")
    return value.isoformat() if isinstance(value, date) else value


def _open(keys: KeyRing, sealed: bytes | None, purpose: str) -> str | None:
    """None, too, for what was sealed with a key that is gone: the rest can still be taken along."""
    try:
        return None if sealed is None else keys.open(sealed, purpose)
    except SettingsError:
        return None
