"""Messages of unknown outcome: found, leased for asking, and told apart from others of the same words."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import (
    and_,
    bindparam,
    or_,
    select,
)
from sqlalchemy.orm import Session, aliased

from reminder.domain.model.channels import registered
from reminder.domain.model.messages import (
    BEFORE_ASKING_AGAIN,
    FAIL_UNASKABLE,
    FORGET_WORDS,
    ID_TAKEN,
    LOSE_OUTCOME,
    MESSAGE_STATES,
    NOT_FOUND,
    OUTCOME_WITHIN,
    RECORD_ANSWER,
    UNREADABLE,
    MessageState,
)
from reminder.domain.model.people import ChannelName
from reminder.domain.rules.same_words import Claimant
from reminder.storage.crypto.keyring import KeyRing
from reminder.storage.db.locks import lock
from reminder.storage.db.statements import among, ids_param, in_batches
from reminder.storage.db.tables import (
    AWAITS_OUTCOME,
    Contact,
    Message,
    SentTrace,
)
from reminder.storage.db.transitions import staying, transition
from reminder.storage.outbox import restore_guard
from reminder.storage.outbox.leases import LEASED_COLUMNS, LeasedMessage, decrypt, is_openable, with_recipient


class Unknown(NamedTuple):
    """Leased messages of unknown fate, and the ids of those whose words were forgotten: they may have arrived."""

    leased: list[LeasedMessage]
    forgotten: list[int]


_ASKABLE = (
    select(*LEASED_COLUMNS, Message.handed_at)
    .where(AWAITS_OUTCOME, Message.state == MessageState.UNKNOWN, Message.lease_until <= bindparam("now"))
    .order_by(Message.lease_until)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True)
    .cte("due")
)
_ASK = with_recipient(_ASKABLE).order_by(_ASKABLE.c.id)


def mark_lost_unknown(tx: Session, now: datetime) -> list[int]:
    """Mark messages whose hand-over has no outcome in time as unknown: nobody knows whether they left.

    Return their ids.
    """
    lost = tx.execute(
        transition(MESSAGE_STATES, LOSE_OUTCOME, and_(AWAITS_OUTCOME, Message.lease_until <= now))
        .values(reason="lease_ran_out", not_found_count=0)
        .returning(Message.id)
    )
    return list(lost.scalars())


def ask_soon(tx: Session, unknown: Collection[LeasedMessage], now: datetime) -> None:
    """End the leases of these messages of unknown outcome: nobody was asked about them."""
    if unknown:
        these = among(Message.id, [leased.outgoing.message_id for leased in unknown])
        tx.execute(staying(MESSAGE_STATES, these, states=RECORD_ANSWER.leaves).values(lease_until=now))


def set_aside(tx: Session, message_id: int, until: datetime) -> None:
    """Let a message whose outcome could not be recorded be asked about then, and not before."""
    values = {"reason": "not_recorded", "lease_until": until}
    tx.execute(transition(MESSAGE_STATES, LOSE_OUTCOME, Message.id == message_id).values(values))
    tx.execute(staying(MESSAGE_STATES, Message.id == message_id, states=RECORD_ANSWER.leaves).values(values))


def lease_unknown(tx: Session, keys: KeyRing, *, now: datetime, lease: timedelta, limit: int) -> Unknown:
    """Lease messages of unknown outcome whose reconciliation is due.

    One whose key is missing waits for it. One that was changed cannot be asked about, and fails.
    """
    found = tx.execute(_ASK, {"now": now, "limit": limit}).all()
    closed = [row.id for row in found if not is_openable(keys, row)]
    if closed:
        later = {"lease_until": now + BEFORE_ASKING_AGAIN}
        tx.execute(staying(MESSAGE_STATES, among(Message.id, closed), states=RECORD_ANSWER.leaves).values(later))
    askable = [row for row in found if row.id not in set(closed)]
    forgotten = [row.id for row in askable if row.body_sealed is None]
    leased, unreadable = decrypt(keys, [row for row in askable if row.body_sealed is not None], None, now + lease)
    if leased:
        these = among(Message.id, [message.outgoing.message_id for message in leased])
        tx.execute(staying(MESSAGE_STATES, these, states=RECORD_ANSWER.leaves).values(lease_until=now + lease))
    for ids, move, reason in ((forgotten, FORGET_WORDS, NOT_FOUND), (unreadable, FAIL_UNASKABLE, UNREADABLE)):
        if ids:
            failed = {"reason": reason, "lease_until": None, "ended_at": now}
            tx.execute(transition(MESSAGE_STATES, move, among(Message.id, ids)).values(failed))
    return Unknown(leased, forgotten)


# What may have left and has no id of the provider yet.
_MAY_HAVE_LEFT = or_(
    AWAITS_OUTCOME,
    Message.possibly_double,
    Message.reason.in_((NOT_FOUND, ID_TAKEN)),
)
_ITSELF, _OTHER_CONTACT = aliased(Message, name="itself"), aliased(Contact, name="other_contact")
_CLAIMANTS = (
    select(_ITSELF.id, Message.id, Message.handed_at, Message.state, Message.attempts)
    .select_from(_ITSELF)
    .join(Contact, Contact.id == _ITSELF.contact_id)
    .join(_OTHER_CONTACT, _OTHER_CONTACT.address_index == Contact.address_index)
    .join(Message, Message.contact_id == _OTHER_CONTACT.id)
    .where(
        among(_ITSELF.id, ids_param("ids")),
        Message.channel == _ITSELF.channel,
        # A list of calls does not say what was spoken.
        or_(
            Message.body_fingerprint == _ITSELF.body_fingerprint,
            Message.channel.in_(bindparam("spoken", expanding=True)),
        ),
        Message.provider_id.is_(None),
        Message.handed_at >= bindparam("since"),
        _MAY_HAVE_LEFT,
    )
)
# Older ones were asked about for long enough.
_CLAIM_FOR = timedelta(days=2)


def lock_addresses(tx: Session, leased: Collection[LeasedMessage]) -> None:
    """Wait until no other worker decides which entries of a provider's list messages to these addresses are."""
    ids = [one.contact_id for one in leased if one.contact_id is not None]
    indexes = set(tx.scalars(select(Contact.address_index).where(among(Contact.id, ids)))) if ids else set()
    for index in sorted(indexes):
        lock(tx, f"identify {index.hex()}")


def claimants(
    tx: Session, message_ids: Collection[int], *, slack: timedelta, now: datetime
) -> Mapping[int, list[Claimant]]:
    """Return, for each of these messages, those of the same words to the same address that may have left unanswered.

    Each of them is among its own, unless the provider's id of it is known by now. `slack`: how far the provider's clock
    may be from ours.
    """
    restored_at = restore_guard.restored_at(tx)
    found: dict[int, list[Claimant]] = {}
    spoken = [name for name in registered() if name.is_call]
    asked = {"ids": message_ids, "since": now - _CLAIM_FOR, "spoken": spoken}
    for of_id, message_id, handed_at, state, attempts in tx.execute(_CLAIMANTS, asked):
        assert handed_at is not None  # by the statement
        # Of one that was handed over before a restore only the earliest instant is known: it may have been tried again
        # since the back-up.
        is_from_before = restored_at is not None and handed_at < restored_at
        # So it is of one that was never handed over here, and may have been by another copy of the installation.
        is_open = state == MessageState.SENDING or is_from_before or attempts == 0
        latest = None if is_open else handed_at + OUTCOME_WITHIN + slack
        found.setdefault(of_id, []).append(Claimant(message_id, handed_at - slack, latest))
    return found


def known_provider_ids(tx: Session, channel: ChannelName, provider_ids: Collection[str]) -> set[str]:
    """Return those of these ids of the provider that belong to a message, or to one that was erased lately."""
    known: set[str] = set()
    for some in in_batches(provider_ids):
        for column, which in (
            (Message.provider_id, Message.channel == channel),
            (SentTrace.provider_id, SentTrace.channel == channel),
        ):
            found = tx.scalars(select(column).where(column.in_(some), which))
            known.update(one for one in found if one is not None)
    return known


def provider_ids_at_same_addresses(tx: Session, contact_ids: Collection[int | None]) -> list[str]:
    """Return the provider's ids of the messages to the addresses of these contacts.

    Every contact with the same address counts.
    """
    if not contact_ids:
        return []
    addresses = select(Contact.address_index).where(among(Contact.id, [one for one in contact_ids if one is not None]))
    sharing = select(Contact.id).where(Contact.address_index.in_(addresses))
    known = tx.execute(
        select(Message.provider_id).where(Message.contact_id.in_(sharing), Message.provider_id.is_not(None))
    )
    return [provider_id for provider_id in known.scalars() if provider_id is not None]
