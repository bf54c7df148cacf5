"""Idempotency keys: a request that is sent again has no second effect and gets the stored response.

Keys and requests are stored as keyed hashes: a program may send a number that we refuse.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from reminder.storage.crypto.keyring import KeyRing, new_row_token
from reminder.storage.db.statements import insert_or_ignore
from reminder.storage.db.tables import ANSWER_BODY, IdempotencyKey

BODY = ANSWER_BODY
KEPT_FOR = timedelta(hours=24)


@dataclass(frozen=True)
class IdempotentRequest:
    """A request under one idempotency key. The hashes are those under every key of the ring, newest first."""

    token_id: int
    key_hashes: Sequence[bytes]
    request_hashes: Sequence[bytes]


@dataclass(frozen=True)
class StoredResponse:
    """The response to an idempotent request. `status` is None while it is being answered.

    `is_same`: the stored request is the same.
    """

    id: int
    is_same: bool
    status: int | None
    body: str | None
    created_at: datetime


def request_of(keys: KeyRing, token_id: int, key: str, request: bytes) -> IdempotentRequest:
    """Return the request with its keyed hashes."""
    return IdempotentRequest(
        token_id,
        keys.blind_indexes(f"answer key {key}"),
        keys.blind_indexes(f"answered request {request.decode('latin-1')}"),
    )


def begin(tx: Session, one: IdempotentRequest, now: datetime) -> bool:
    """Record that the request is being answered; return False where its key is already known."""
    return insert_or_ignore(
        tx,
        IdempotencyKey,
        token_id=one.token_id,
        key_hash=one.key_hashes[0],
        request_hash=one.request_hashes[0],
        created_at=now,
    )


def find(tx: Session, keys: KeyRing, one: IdempotentRequest) -> StoredResponse | None:
    """Return the stored response for the request's key, None where the key is unknown."""
    row = tx.execute(
        select(
            IdempotencyKey.id,
            IdempotencyKey.request_hash,
            IdempotencyKey.status,
            IdempotencyKey.body_sealed,
            IdempotencyKey.created_at,
        )
        .where(IdempotencyKey.token_id == one.token_id, IdempotencyKey.key_hash.in_(one.key_hashes))
        .order_by(IdempotencyKey.id.desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        return None
    body = None if row.body_sealed is None else keys.open(row.body_sealed)
    return StoredResponse(row.id, row.request_hash in one.request_hashes, row.status, body, row.created_at)


def begin_again(tx: Session, kept: StoredResponse, one: IdempotentRequest, now: datetime) -> bool:
    """Take over an abandoned request; return False where another process was faster."""
    taken = tx.execute(
        update(IdempotencyKey)
        .where(IdempotencyKey.id == kept.id, IdempotencyKey.created_at == kept.created_at)
        .values(request_hash=one.request_hashes[0], status=None, body_sealed=None, created_at=now)
        .returning(IdempotencyKey.id)
    )
    return taken.first() is not None


def keep(tx: Session, keys: KeyRing, one: IdempotentRequest, began: datetime, *, status: int, body: str) -> bool:
    """Store the response; return False where another process has taken the request over since `began`.

    In that case the response must be discarded.
    """
    # Nothing else in the row is sealed, so that it may have a token of its own for each response.
    row_token = new_row_token()
    kept = tx.execute(
        update(IdempotencyKey)
        .where(
            IdempotencyKey.token_id == one.token_id,
            IdempotencyKey.key_hash.in_(one.key_hashes),
            IdempotencyKey.status.is_(None),
            IdempotencyKey.created_at == began,
        )
        .values(status=status, row_token=row_token, body_sealed=keys.seal(body, BODY, row_token))
        .returning(IdempotencyKey.id)
    )
    return kept.first() is not None


def give_up(tx: Session, one: IdempotentRequest, began: datetime) -> None:
    """Delete the key of a request that could not be answered, so that the next attempt starts at once."""
    tx.execute(
        delete(IdempotencyKey).where(
            IdempotencyKey.token_id == one.token_id,
            IdempotencyKey.key_hash.in_(one.key_hashes),
            IdempotencyKey.status.is_(None),
            IdempotencyKey.created_at == began,
        )
    )
