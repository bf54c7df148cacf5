"""The outcomes of hand-overs, recorded where the message is still in the state and attempt they are of."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import (
    bindparam,
    case,
    func,
    or_,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from reminder.domain.model.messages import (
    MESSAGE_STATES,
    RECORD_ANSWER,
    RECORD_OUTCOME,
    MessageKind,
    MessageState,
    Outcome,
)
from reminder.domain.model.state_machine import Move
from reminder.storage.db.columns import Instant
from reminder.storage.db.statements import update_many
from reminder.storage.db.tables import (
    MESSAGES,
)
from reminder.storage.outbox.leases import LeasedMessage


class AcceptedSql(NamedTuple):
    """Parts of the statement that records many acceptances."""

    change: str
    only: str


_STILL_NEEDED = (MessageState.QUEUED, MessageState.UNKNOWN)
_RECORD = (
    update(MESSAGES)
    .where(
        MESSAGES.c.id == bindparam("message"),
        MESSAGES.c.state == bindparam("leaving"),
        MESSAGES.c.attempts == bindparam("in_attempt"),
    )
    .values(
        state=bindparam("to"),
        reason=bindparam("why"),
        provider_id=func.coalesce(bindparam("known_as"), MESSAGES.c.provider_id),
        not_found_count=bindparam("seen_not"),
        scheduled_at=func.coalesce(bindparam("again_at", type_=Instant()), MESSAGES.c.scheduled_at),
        lease_until=bindparam("ask_at"),
        possibly_double=or_(MESSAGES.c.possibly_double, bindparam("double")),
        ended_at=bindparam("ended"),
        # A code is erased as soon as it is handed over, or cannot be any more.
        body_sealed=case((bindparam("forget"), None), else_=MESSAGES.c.body_sealed),
        body_fingerprint=case((bindparam("forget"), None), else_=MESSAGES.c.body_fingerprint),
    )
)


def _accepted(move: Move[MessageState]) -> AcceptedSql:
    """Return what changes in a message that the provider has simply taken, and in which state it must be, as SQL."""
    MESSAGE_STATES.require(move)
    to, (leaving,) = move.target(MessageState.ACCEPTED), move.leaves
    matched = ", is_matched = TRUE" if move is RECORD_ANSWER else ""
    return AcceptedSql(
        f"state = '{to}', reason = NULL, lease_until = NULL, not_found_count = 0{matched}",
        f"messages.state = '{leaving}'",
    )


_ACCEPTED = {move.name: _accepted(move) for move in (RECORD_OUTCOME, RECORD_ANSWER)}


def _is_simply_taken(leased: LeasedMessage, outcome: Outcome) -> bool:
    """Return whether only the provider's acceptance is to be recorded; a code is erased with it."""
    return outcome.state is MessageState.ACCEPTED and leased.kind is not MessageKind.LOGIN_CODE


class ProviderIdTakenError(Exception):
    """A provider has named a message by the id of another one; nothing of this transaction was recorded."""


def record(
    tx: Session, outcomes: Sequence[tuple[LeasedMessage, Outcome]], move: Move[MessageState], now: datetime
) -> None:
    """Record the outcomes of messages that this worker had leased.

    `move`: RECORD_OUTCOME or RECORD_ANSWER; it reaches the state of each outcome. A message that a receipt or another
    worker has moved on keeps its state. Raises ProviderIdTakenError where the transaction must be given up.
    """
    try:
        _record(tx, outcomes, move, now)
    except IntegrityError as refused:
        # PostgreSQL names the index, SQLite its columns.
        if "provider_id" not in str(refused.orig):
            raise
        raise ProviderIdTakenError from None


def _record(
    tx: Session, outcomes: Sequence[tuple[LeasedMessage, Outcome]], move: Move[MessageState], now: datetime
) -> None:
    (leaving,) = move.leaves
    # In the order of their ids, the lock order of all changes to several messages.
    in_order = sorted(outcomes, key=lambda one: one[0].outgoing.message_id)
    taken = [one for one in in_order if _is_simply_taken(*one)]
    # Nearly all messages are in this group, and few of their columns change.
    update_many(
        tx,
        MESSAGES,
        ("id", "attempts"),
        [
            {"provider_id": outcome.provider_id, "id": leased.outgoing.message_id, "attempts": leased.attempts}
            for leased, outcome in taken
        ],
        also=_ACCEPTED[move.name].change,
        only=_ACCEPTED[move.name].only,
    )
    others = [one for one in in_order if not _is_simply_taken(*one)]
    if not others:
        return
    tx.connection().execute(
        _RECORD,
        [
            {
                "message": leased.outgoing.message_id,
                "leaving": leaving,
                "in_attempt": leased.attempts,
                "to": move.target(outcome.state),
                "why": outcome.reason,
                "known_as": outcome.provider_id,
                "again_at": outcome.wait_until if outcome.state is MessageState.QUEUED else None,
                "ask_at": outcome.wait_until if outcome.state is MessageState.UNKNOWN else None,
                "double": outcome.possibly_double,
                "seen_not": outcome.not_found_count,
                "forget": leased.kind is MessageKind.LOGIN_CODE and outcome.state not in _STILL_NEEDED,
                "ended": now if outcome.state in (MessageState.FAILED, MessageState.STALE) else None,
            }
            for leased, outcome in others
        ],
    )
