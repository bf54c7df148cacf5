"""Open questions: texts that somebody may still answer, and the cards that they are about."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, bindparam, func, select
from sqlalchemy.orm import Session

from reminder.domain.model.messages import MessageState
from reminder.domain.model.people import ContactState
from reminder.storage.db.statements import among, ids_param
from reminder.storage.db.tables import Card, Contact, Message, MessageReminder, Reminder

# An answer that comes later than this refers to no question.
OPEN_FOR = timedelta(days=45)
# The clocks of a worker and of the web server may be so far apart.
CLOCKS_APART = timedelta(minutes=2)

# One digit for each question where several are open on one telephone; 2 and 9 have other meanings.
CODES = (1, 3, 4, 5, 6, 7, 8)

_NEVER_LEFT = (MessageState.CANCELLED, MessageState.STALE, MessageState.FAILED)


@dataclass(frozen=True)
class Question:
    """The latest text about some cards of one person, to a contact. `code`: the digit that answers "done"."""

    message_id: int
    person_id: int
    code: int
    card_ids: frozenset[int]
    contact_id: int


_OPEN = (
    select(Message.id, Contact.person_id, Message.reply_code, Card.id, Contact.id)
    .join(Contact, Contact.id == Message.contact_id)
    .join(MessageReminder, MessageReminder.message_id == Message.id)
    .join(Reminder, Reminder.id == MessageReminder.reminder_id)
    .join(Card, and_(Card.id == Reminder.card_id, Card.expires_on == Reminder.expires_on))
    .where(
        among(Message.contact_id, ids_param("contacts")),
        Message.reply_code.is_not(None),
        Message.created_at >= bindparam("since"),
        func.coalesce(Message.handed_at, Message.created_at) <= bindparam("until"),
        Message.state.not_in(_NEVER_LEFT),
        Card.retired_at.is_(None),
        Card.acknowledged_on.is_(None),
    )
    .order_by(Message.id.desc())
)
_ITSELF, _OTHER = Contact.__table__.alias(), Contact.__table__.alias()
_OF_SEVERAL = (
    select(_ITSELF.c.id)
    .join_from(
        _ITSELF,
        _OTHER,
        and_(_OTHER.c.address_index == _ITSELF.c.address_index, _OTHER.c.channel == _ITSELF.c.channel),
    )
    .where(
        among(_ITSELF.c.id, ids_param("contacts")),
        _OTHER.c.person_id != _ITSELF.c.person_id,
        _OTHER.c.is_family.is_(False),
        _OTHER.c.state == ContactState.CONFIRMED,
    )
    .distinct()
)
_SHARING = (
    select(_ITSELF.c.id, _OTHER.c.id)
    .join_from(
        _ITSELF,
        _OTHER,
        and_(_OTHER.c.address_index == _ITSELF.c.address_index, _OTHER.c.channel == _ITSELF.c.channel),
    )
    .where(among(_ITSELF.c.id, ids_param("contacts")))
)


def open_at(tx: Session, contact_ids: Collection[int], now: datetime) -> list[Question]:
    """Return the questions that were open then and still are, oldest first: nobody answers what comes later.

    Only the latest text about a card counts, and only until the card is acknowledged or has a new date.
    """
    rows = tx.execute(_OPEN, {"contacts": contact_ids, "since": now - OPEN_FOR, "until": now + CLOCKS_APART})
    seen: set[int] = set()
    asked: dict[int, tuple[int, int, int, set[int]]] = {}
    for message_id, person_id, code, card_id, contact_id in rows:
        if card_id not in seen and person_id is not None and code is not None:
            seen.add(card_id)
            asked.setdefault(message_id, (person_id, code, contact_id, set()))[3].add(card_id)
    return [
        Question(message_id, person_id, code, frozenset(card_ids), contact_id)
        for message_id, (person_id, code, contact_id, card_ids) in sorted(asked.items())
    ]


def free_code(questions: Collection[Question], about: Collection[int]) -> int:
    """Return the digit for a new text about these cards, which replaces older questions about them."""
    taken = {question.code for question in questions if not question.card_ids <= set(about)}
    return next((code for code in CODES if code not in taken), CODES[0])


def of_several_persons(tx: Session, contact_ids: Collection[int]) -> set[int]:
    """Return those of these persons' contacts at whose address another person is written to, in any group."""
    return set(tx.scalars(_OF_SEVERAL, {"contacts": contact_ids})) if contact_ids else set()


def sharing(tx: Session, contact_ids: Collection[int]) -> Mapping[int, list[int]]:
    """Return, for each of these contacts, all that have its channel and address, including itself."""
    rows = tx.execute(_SHARING, {"contacts": contact_ids})
    found: dict[int, list[int]] = {}
    for contact_id, other_id in rows:
        found.setdefault(contact_id, []).append(other_id)
    return found
