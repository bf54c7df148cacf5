"""What is forgotten: a person, a contact, a card, a group, and the words of every message that speaks of them.

A message to somebody who stays keeps its row, so that nobody is told twice in a day; its words go.
"""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, case, delete, or_, select, update
from sqlalchemy.orm import Session

from reminder.domain.messages import NOT_SEEN, CancelReason, MessageState
from reminder.storage.tables import (
    Account,
    Card,
    Contact,
    Group,
    Member,
    Message,
    MessageReminder,
    Person,
    Receipt,
    Reminder,
    SignIn,
    Taking,
)

# How many numbers one statement names: SQLite takes 32766, PostgreSQL 65535.
_AT_ONCE = 10_000


def about_cards(tx: Session, card_ids: Collection[int]) -> set[int]:
    """The messages that speak of these cards."""
    told = (
        select(MessageReminder.message_id)
        .join(Reminder, Reminder.id == MessageReminder.reminder_id)
        .where(Reminder.card_id.in_(card_ids))
    )
    return set(tx.scalars(told))


def to_contacts(tx: Session, contact_ids: Collection[int]) -> set[int]:
    return set(tx.scalars(select(Message.id).where(Message.contact_id.in_(contact_ids))))


def cards_of(tx: Session, person_id: int) -> list[int]:
    """Retired ones too."""
    return list(tx.scalars(select(Card.id).where(Card.person_id == person_id)))


def contacts_of(tx: Session, person_id: int) -> list[int]:
    return list(tx.scalars(select(Contact.id).where(Contact.person_id == person_id)))


def taken_by(tx: Session, contact_id: int) -> list[int]:
    """The cards that its owner sees to, or saw to before an earlier end."""
    return list(tx.scalars(select(Taking.card_id).where(Taking.contact_id == contact_id)))


def forget_words(tx: Session, message_ids: Collection[int], now: datetime) -> list[int]:
    """The words of these messages are gone, and those that wait do not go out. The ids of what was thereby not told:
    what else they were to tell may be told anew.

    One of unknown fate can no longer be repeated as it was, so it ends as one that may have arrived. One that is being
    sent at this moment ends as its sender says.
    """
    ended = {MessageState.QUEUED: MessageState.CANCELLED, MessageState.UNKNOWN: MessageState.FAILED}
    why = {MessageState.QUEUED: str(CancelReason.ERASED), MessageState.UNKNOWN: NOT_SEEN}
    untold = []
    for some in _portions(message_ids):
        waiting = select(Message.id).where(Message.id.in_(some), Message.state.in_(ended)).with_for_update()
        untold += list(tx.scalars(waiting))
        is_waiting = Message.state.in_(ended)
        tx.execute(
            update(Message)
            .where(Message.id.in_(some))
            .values(
                body_sealed=None,
                reason=case(why, value=Message.state, else_=Message.reason),
                ended_at=case((is_waiting, now), else_=Message.ended_at),
                lease_until=case((is_waiting, None), else_=Message.lease_until),
                state=case(ended, value=Message.state, else_=Message.state),
            )
            .execution_options(synchronize_session=False)
        )
    return untold


def delete_messages(tx: Session, message_ids: Collection[int]) -> None:
    """With what their providers said of them."""
    for some in _portions(message_ids):
        names = select(Message.provider_id).where(Message.id.in_(some), Message.provider_id.is_not(None))
        _delete(tx, Receipt, Receipt.provider_id.in_(names))
        _delete(tx, Message, Message.id.in_(some))


def person(tx: Session, person_id: int) -> None:
    _delete(tx, Person, Person.id == person_id)


def contact(tx: Session, contact_id: int) -> None:
    _delete(tx, Contact, Contact.id == contact_id)


def card(tx: Session, card_id: int) -> None:
    _delete(tx, Card, Card.id == card_id)


def group(tx: Session, group_id: int) -> None:
    """With everybody and everything in it, and the accounts that are in no group then."""
    accounts = set(
        tx.scalars(select(Member.account_id).where(Member.group_id == group_id, Member.account_id.is_not(None)))
    )
    delete_messages(tx, set(tx.scalars(_messages_of_group(group_id))))
    _delete(tx, Group, Group.id == group_id)
    elsewhere = select(Member.id).where(Member.account_id == Account.id).exists()
    gone = tx.execute(select(Account.id, Account.address_index).where(Account.id.in_(accounts), ~elsewhere)).all()
    _forget_codes(tx, SignIn.address_index.in_([index for _, index in gone]))
    _delete(tx, Account, Account.id.in_([account_id for account_id, _ in gone]))


def _messages_of_group(group_id: int) -> Select[int]:
    theirs = (
        select(Contact.id)
        .outerjoin(Person, Person.id == Contact.person_id)
        .outerjoin(Member, Member.id == Contact.member_id)
        .where(or_(Person.group_id == group_id, Member.group_id == group_id))
    )
    return select(Message.id).where(or_(Message.group_id == group_id, Message.contact_id.in_(theirs)))


def _forget_codes(tx: Session, which: ColumnElement[bool]) -> int:
    """Codes that were asked for, with the e-mails that brought them."""
    asked = list(tx.scalars(select(SignIn.id).where(which)))
    delete_messages(
        tx,
        set(
            tx.scalars(
                select(Message.id).where(
                    and_(Message.key.in_([f"code:{sign_in}" for sign_in in asked]), Message.contact_id.is_(None))
                )
            )
        ),
    )
    _delete(tx, SignIn, SignIn.id.in_(asked))
    return len(asked)


def _delete(tx: Session, table: type[object], which: ColumnElement[bool]) -> None:
    tx.execute(delete(table).where(which).execution_options(synchronize_session=False))


def _portions(ids: Collection[int]) -> list[list[int]]:
    in_order = sorted(ids)
    return [in_order[at : at + _AT_ONCE] for at in range(0, len(in_order), _AT_ONCE)]
