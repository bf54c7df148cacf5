"""Another copy of this installation: what comes back from outside and cannot be ours."""

from collections.abc import Collection
from datetime import UTC, datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from reminder.domain.model.people import ChannelName
from reminder.domain.rules.other_copy import SAME_DAY, HandOvers, NamedRow, Neighbours, explained_until, is_of_another
from reminder.storage.crypto.address_index import address_indexes
from reminder.storage.crypto.keyring import KeyRing
from reminder.storage.crypto.references import MESSAGE
from reminder.storage.db import sqlite_ids
from reminder.storage.db.statements import put
from reminder.storage.db.tables import Contact, Message, ServiceState
from reminder.storage.outbox import queries, queue, restore_guard, unknown_outcomes
from reminder.storage.outbox.queries import ReferredMessage
from reminder.storage.runtime import copy_notice, heartbeats, service_state, work_conditions

# In `service_state`: the reference that no pass has explained yet.
STRAY = work_conditions.STRAY_REFERENCE_IN
_LAST_OF_SEQUENCE = "SELECT pg_sequence_last_value(pg_get_serial_sequence('messages', 'id')::regclass)"


def referred(tx: Session, keys: KeyRing, reference: str) -> ReferredMessage | None:
    """Return the message with this reference, None for one that names no message of ours.

    One that was sealed with our secret and names no message is kept for the next pass, which explains it: the latest
    is enough, since a copy that is at work makes many.
    """
    found = queries.referred(tx, keys, reference)
    named = keys.references.read(MESSAGE, reference) if found is None else None
    if named is not None:
        put(tx, ServiceState, {"name": STRAY}, {"value": f"{named.ids[0]} {named.second}"})
    return found


def explain_stray(tx: Session, now: datetime) -> bool:
    """Explain the reference that is kept, and forget it; return whether only another copy can have made it."""
    value = service_state.find(tx, STRAY)
    if value is None:
        return False
    tx.execute(delete(ServiceState).where(ServiceState.name == STRAY, ServiceState.value == value))
    message_id, second = map(int, value.split())
    named = NamedRow(message_id, datetime.fromtimestamp(second, UTC))
    is_strange = is_of_another(named, _neighbours(tx, message_id), explained=explained(tx), now=now)
    if is_strange:
        copy_notice.notice(tx, now)
    return is_strange


def _neighbours(tx: Session, message_id: int) -> Neighbours:
    rows = select(Message.id, Message.created_at)
    found = (
        rows.where(Message.id == message_id),
        rows.where(Message.id < message_id).order_by(Message.id.desc()).limit(1),
        rows.where(Message.id > message_id).order_by(Message.id).limit(1),
    )
    itself, before, after = (None if (row := tx.execute(one).first()) is None else NamedRow(*row) for one in found)
    return Neighbours(_last_id(tx), itself, before, after)


def _last_id(tx: Session) -> int:
    if tx.get_bind().dialect.name != "postgresql":
        return sqlite_ids.last_ids(tx.connection()).get(Message.__tablename__, 0)
    return int(tx.connection().exec_driver_sql(_LAST_OF_SEQUENCE).scalar() or 0)


def explained(tx: Session) -> datetime:
    """Return until when (aware UTC) everything strange is explained: see domain/rules/other_copy."""
    return explained_until(restore_guard.restored_at(tx), heartbeats.last(tx, heartbeats.FIRST))


def alike(
    tx: Session, keys: KeyRing, channel: ChannelName, *, address: str, text: str, at: datetime
) -> list[HandOvers]:
    """Return our messages of these words to this address that may have been handed over around then."""
    prints = queue.fingerprints(keys, None, text)
    rows = tx.execute(
        select(
            Message.created_at,
            Message.handed_at,
            Message.attempts,
            Message.provider_id,
            Message.is_matched,
            Message.possibly_double,
        )
        .join(Contact, Contact.id == Message.contact_id)
        .where(
            Contact.address_index.in_(address_indexes(keys, address)),
            Message.channel == channel,
            Message.body_fingerprint.in_(prints),
            Message.handed_at > at - SAME_DAY,
            Message.handed_at < at + SAME_DAY,
        )
    )
    return [HandOvers(*row) for row in rows]


def strange_ids(tx: Session, channel: ChannelName, provider_ids: Collection[str]) -> set[str]:
    """Return those of these ids of the provider that no message has, nor one that was erased lately."""
    return set(provider_ids) - unknown_outcomes.known_provider_ids(tx, channel, provider_ids)
