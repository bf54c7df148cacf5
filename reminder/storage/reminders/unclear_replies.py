"""Unclear replies: texts from a shared telephone that wait until it is known whom they are about."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, func, insert, select, update
from sqlalchemy.orm import Session

from reminder.domain.parsing.replies import Intent
from reminder.storage.crypto.keyring import KeyRing
from reminder.storage.db.statements import among, insert_or_ignore
from reminder.storage.db.tables import Message, ReplyChoice, UnclearReply
from reminder.storage.reminders.replies import text_of

BODY = "unclear_replies.body"


@dataclass(frozen=True)
class UnclearReplyView:
    """A reply that waits.

    `choices`: by digit, the contact that it may be about. `text` is None where it was not stored.
    """

    id: int
    provider_id: str
    intent: Intent
    text: str | None
    received_at: datetime
    expires_at: datetime
    asked_at: datetime | None
    choices: Mapping[int, int]


def keep(
    tx: Session,
    keys: KeyRing,
    *,
    provider_id: str,
    intent: Intent,
    text: str | None,
    choices: Mapping[int, int],
    now: datetime,
    expires_at: datetime,
) -> None:
    """Store a reply with its choices; a repeated one changes nothing."""
    is_new = insert_or_ignore(
        tx,
        UnclearReply,
        provider_id=provider_id,
        intent=intent,
        body_sealed=None if text is None else keys.seal(text, BODY),
        received_at=now,
        expires_at=expires_at,
    )
    if is_new:
        reply_id = tx.execute(select(UnclearReply.id).where(UnclearReply.provider_id == provider_id)).scalar_one()
        rows = [{"reply_id": reply_id, "digit": digit, "contact_id": one} for digit, one in choices.items()]
        tx.execute(insert(ReplyChoice), rows)


_COLUMNS = (
    UnclearReply.id,
    UnclearReply.provider_id,
    UnclearReply.intent,
    UnclearReply.body_sealed,
    UnclearReply.received_at,
    UnclearReply.expires_at,
    UnclearReply.asked_at,
)
_WAITING = select(*_COLUMNS).where(UnclearReply.settled_at.is_(None)).order_by(UnclearReply.id)


def waiting_at(tx: Session, keys: KeyRing, contact_ids: Collection[int]) -> list[UnclearReplyView]:
    """Return the replies that may be about any of these contacts, oldest first, locked until the transaction ends."""
    ids = select(ReplyChoice.reply_id).where(among(ReplyChoice.contact_id, contact_ids))
    return _views(tx, keys, _WAITING.where(UnclearReply.id.in_(ids)).with_for_update())


def next_due(tx: Session, now: datetime) -> int | None:
    """Return the id of the next reply that a worker has to look at, locked, without reading what it says."""
    query = select(UnclearReply.id).where(UnclearReply.settled_at.is_(None), UnclearReply.expires_at <= now)
    query = query.order_by(UnclearReply.expires_at, UnclearReply.id).limit(1)
    return tx.execute(query.with_for_update(skip_locked=True)).scalar_one_or_none()


def next_moment(tx: Session) -> datetime | None:
    """Return when a worker has to look at a reply next, None where none waits."""
    return tx.execute(select(func.min(UnclearReply.expires_at)).where(UnclearReply.settled_at.is_(None))).scalar_one()


def find(tx: Session, keys: KeyRing, reply_id: int) -> UnclearReplyView:
    """Return a reply that waits."""
    (found,) = _views(tx, keys, _WAITING.where(UnclearReply.id == reply_id))
    return found


def _views(tx: Session, keys: KeyRing, query: Select[*tuple[Any, ...]]) -> list[UnclearReplyView]:
    rows = tx.execute(query).all()
    choices: dict[int, dict[int, int]] = {row.id: {} for row in rows}
    of_these = select(ReplyChoice.reply_id, ReplyChoice.digit, ReplyChoice.contact_id).order_by(ReplyChoice.digit)
    for reply_id, digit, contact_id in tx.execute(of_these.where(among(ReplyChoice.reply_id, list(choices)))):
        choices[reply_id][digit] = contact_id
    return [
        UnclearReplyView(
            id=row.id,
            provider_id=row.provider_id,
            intent=Intent(row.intent),
            text=text_of(keys, row.body_sealed, BODY),
            received_at=row.received_at,
            expires_at=row.expires_at,
            asked_at=row.asked_at,
            choices=choices[row.id],
        )
        for row in rows
    ]


# The list of those who have written to a telephone, as it was sent. It waits for nothing; its digits are looked up.
_IS_LIST = and_(UnclearReply.intent == Intent.WHO, UnclearReply.provider_id.startswith("list:"))


def question_key(reply_id: int) -> str:
    """Return the key of the text that was sent about an unclear reply, or that holds a list.

    It may name persons of several groups. It is no message of any of them, and is erased with any of them.
    """
    return f"choice:{reply_id}"


def keep_list(tx: Session, *, name: str, choices: Mapping[int, int], now: datetime) -> int:
    """Store the list that is sent to a telephone, by digit a contact, and return its id.

    `name`: of the reply that asked for it.
    """
    list_id = tx.execute(
        insert(UnclearReply)
        .values(
            provider_id=f"list:{name}",
            intent=Intent.WHO,
            body_sealed=None,
            received_at=now,
            expires_at=now,
            asked_at=now,
            settled_at=now,
        )
        .returning(UnclearReply.id)
    ).scalar_one()
    tx.execute(
        insert(ReplyChoice),
        [{"reply_id": list_id, "digit": digit, "contact_id": one} for digit, one in choices.items()],
    )
    return list_id


def latest_list(tx: Session, contact_ids: Collection[int], since: datetime) -> Mapping[int, int]:
    """Return the latest list that was sent to the telephone of these contacts since then: by digit, a contact.

    A contact that was erased since is left out. Empty where no list was sent.
    """
    at_phone = select(ReplyChoice.reply_id).where(among(ReplyChoice.contact_id, contact_ids))
    newest = select(func.max(UnclearReply.id)).where(
        UnclearReply.id.in_(at_phone), _IS_LIST, UnclearReply.asked_at >= since
    )
    chosen = select(ReplyChoice.digit, ReplyChoice.contact_id).where(ReplyChoice.reply_id == newest.scalar_subquery())
    return dict(list(tx.execute(chosen.order_by(ReplyChoice.digit))))


def lists_sent(tx: Session, contact_ids: Collection[int], since: datetime) -> int:
    """Return how many lists were sent to the telephone of these contacts since then."""
    at_phone = select(ReplyChoice.reply_id).where(among(ReplyChoice.contact_id, contact_ids))
    sent = select(func.count()).where(UnclearReply.id.in_(at_phone), _IS_LIST, UnclearReply.asked_at >= since)
    return tx.execute(sent).scalar_one()


def is_known(tx: Session, provider_id: str) -> bool:
    """Return whether this text was stored here before."""
    return tx.execute(select(UnclearReply.id).where(UnclearReply.provider_id == provider_id)).first() is not None


def wait_for_sender(tx: Session, reply_id: int, *, asked_at: datetime, until: datetime) -> None:
    """Record that the sender was offered a choice, and has until then to answer."""
    tx.execute(update(UnclearReply).where(UnclearReply.id == reply_id).values(asked_at=asked_at, expires_at=until))


def settle(tx: Session, reply_ids: Collection[int], now: datetime) -> None:
    """Record that these replies were filed, or that others were asked about them. Their texts are erased here."""
    settled = update(UnclearReply).where(among(UnclearReply.id, reply_ids)).values(settled_at=now, body_sealed=None)
    tx.execute(settled.execution_options(synchronize_session=False))


def times_asked(tx: Session, contact_ids: Collection[int], since: datetime) -> int:
    """Return how often the senders from the telephone of these contacts were offered a choice since then."""
    ids = select(ReplyChoice.reply_id).where(among(ReplyChoice.contact_id, contact_ids))
    asked = select(func.count(func.distinct(UnclearReply.asked_at))).where(UnclearReply.id.in_(ids), ~_IS_LIST)
    return tx.execute(asked.where(UnclearReply.asked_at >= since)).scalar_one()


def last_question_sent(tx: Session, contact_ids: Collection[int]) -> datetime | None:
    """Return when the latest text with a digit of its own left for any of these contacts, None where none did."""
    query = select(func.max(Message.handed_at)).where(
        among(Message.contact_id, contact_ids), Message.reply_code.is_not(None)
    )
    return tx.execute(query).scalar_one()


def leave(tx: Session, reply_ids: Collection[int], now: datetime) -> None:
    """Take these replies out of the queue as they are, with their texts."""
    these = update(UnclearReply).where(among(UnclearReply.id, reply_ids)).values(settled_at=now)
    tx.execute(these.execution_options(synchronize_session=False))


def mark_waiting(tx: Session, reply_ids: Collection[int]) -> None:
    """Put these replies back into the queue."""
    these = update(UnclearReply).where(among(UnclearReply.id, reply_ids)).values(settled_at=None)
    tx.execute(these.execution_options(synchronize_session=False))
