"""What programs were answered, so that a request that is sent again does nothing and is answered the same.

Keys and requests are kept as keyed hashes: what a program sends may be a number that we refuse.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from reminder.storage.keys import KeyRing
from reminder.storage.statements import insert_or_ignore
from reminder.storage.tables import KeptAnswer

KEPT_FOR = timedelta(hours=24)
BODY = "kept_answers.body"


@dataclass(frozen=True)
class Asked:
    """One request under one key. The hashes are those under every key of the ring, the newest first."""

    token_id: int
    key_hashes: Sequence[bytes]
    request_hashes: Sequence[bytes]


@dataclass(frozen=True)
class Kept:
    """`status` is None while it is being answered. `is_same`: it was this very request."""

    id: int
    is_same: bool
    status: int | None
    body: str | None
    created_at: datetime


def asked(keys: KeyRing, token_id: int, key: str, request: bytes) -> Asked:
    return Asked(
        token_id,
        keys.blind_indexes(f"answer key {key}"),
        keys.blind_indexes(f"answered request {request.decode('latin-1')}"),
    )


def begin(tx: Session, one: Asked, now: datetime) -> bool:
    """From now on this request is being answered; False where one under this key is known already."""
    return insert_or_ignore(
        tx,
        KeptAnswer,
        token_id=one.token_id,
        key_hash=one.key_hashes[0],
        request_hash=one.request_hashes[0],
        created_at=now,
    )


def find(tx: Session, keys: KeyRing, one: Asked) -> Kept | None:
    row = tx.scalars(
        select(KeptAnswer)
        .where(KeptAnswer.token_id == one.token_id, KeptAnswer.key_hash.in_(one.key_hashes))
        .order_by(KeptAnswer.id.desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        return None
    body = None if row.body_sealed is None else keys.open(row.body_sealed, BODY)
    return Kept(row.id, row.request_hash in one.request_hashes, row.status, body, row.created_at)


def begin_again(tx: Session, kept: Kept, one: Asked, now: datetime) -> bool:
    """What nobody is answering any more is answered now; False where somebody else was faster."""
    taken = tx.execute(
        update(KeptAnswer)
        .where(KeptAnswer.id == kept.id, KeptAnswer.created_at == kept.created_at)
        .values(request_hash=one.request_hashes[0], status=None, body_sealed=None, created_at=now)
        .returning(KeptAnswer.id)
    )
    return taken.first() is not None


def keep(tx: Session, keys: KeyRing, one: Asked, began: datetime, *, status: int, body: str) -> bool:
    """False where somebody else has begun to answer it since `began`: then this answer must not count."""
    kept = tx.execute(
        update(KeptAnswer)
        .where(
            KeptAnswer.token_id == one.token_id,
            KeptAnswer.key_hash.in_(one.key_hashes),
            KeptAnswer.status.is_(None),
            KeptAnswer.created_at == began,
        )
        .values(status=status, body_sealed=keys.seal(body, BODY))
        .returning(KeptAnswer.id)
    )
    return kept.first() is not None


def give_up(tx: Session, one: Asked, began: datetime) -> None:
    """It could not be answered: the next try begins at once."""
    tx.execute(
        delete(KeptAnswer).where(
            KeptAnswer.token_id == one.token_id,
            KeptAnswer.key_hash.in_(one.key_hashes),
            KeptAnswer.status.is_(None),
            KeptAnswer.created_at == began,
        )
    )
