"""The chain of the activity log: a changed, deleted or inserted row shows, even to somebody who can write anything.

A row is chained by the auditor, within about a minute: it gets a position, a keyed hash of its content, and a keyed
hash of that and of the chain before it. The key is a secret of the installation; the end of the chain is stored sealed.
Writers take no lock for it. What is changed before it is chained does not show.
"""

import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, func, select, update
from sqlalchemy.orm import Session

from reminder.storage.crypto.keyring import KeyRing
from reminder.storage.db.statements import update_many
from reminder.storage.db.tables import ACTIVITY_LOG, IS_UNCHAINED, ActivityEntry, InstallationSecret
from reminder.storage.maintenance import installation
from reminder.storage.maintenance.installation import ACTIVITY_CHAIN, CHAIN_HEAD

# No batch holds the log for long, and no check reads more.
AT_ONCE = 1000
_CONTENT = (
    ActivityEntry.id,
    ActivityEntry.at,
    ActivityEntry.act,
    ActivityEntry.group_id,
    ActivityEntry.member_id,
    ActivityEntry.person_id,
    ActivityEntry.contact_id,
    ActivityEntry.card_id,
    ActivityEntry.message_id,
)
_UNCHAINED = select(*_CONTENT).where(IS_UNCHAINED).order_by(ActivityEntry.id)
_CHAINED = select(*_CONTENT, ActivityEntry.position, ActivityEntry.content_hash, ActivityEntry.chain_hash)


@dataclass(frozen=True)
class ChainEnd:
    """The end of the chain: how many rows are chained, and the hash of the last one; b"" before the first."""

    position: int
    chain_hash: bytes


@dataclass(frozen=True)
class ChainCheck:
    """What a check of some positions found. `wrong`: the first position that is not as it was chained, None for none.

    `last`: the last position of the chain.
    """

    wrong: int | None
    last: int


def extend(tx: Session, keys: KeyRing, now: datetime, limit: int = AT_ONCE) -> int:
    """Chain rows that are not chained yet, and return their number; in a writing transaction.

    Raises SettingsError where the key of the chain cannot be opened.
    """
    rows = tx.execute(_UNCHAINED.limit(limit)).all()
    if not rows:
        return 0
    key = _key(installation.secret(tx, keys, ACTIVITY_CHAIN, now))
    # Two auditors at once would give one position twice.
    tx.execute(select(InstallationSecret.name).where(InstallationSecret.name == ACTIVITY_CHAIN).with_for_update())
    rows = tx.execute(_UNCHAINED.limit(limit).execution_options(populate_existing=True)).all()
    end = _end(tx, keys) or ChainEnd(0, b"")
    position, chain_hash, changes = end.position, end.chain_hash, []
    for row in rows:
        position += 1
        content_hash = _content_hash(key, row)
        chain_hash = _chain_hash(key, chain_hash, position, content_hash)
        changes.append({"position": position, "content_hash": content_hash, "chain_hash": chain_hash, "id": row.id})
    update_many(tx, ACTIVITY_LOG, ("id",), changes)
    installation.keep_secret(tx, keys, CHAIN_HEAD, f"{position} {chain_hash.hex()}", now)
    return len(rows)


def check(tx: Session, keys: KeyRing, *, first: int | None = None, limit: int = AT_ONCE) -> ChainCheck:
    """Check `limit` positions from `first` on, and the end of the chain where it is among them.

    `first`: None for the latest ones. Raises SettingsError where the key of the chain cannot be opened.
    """
    written = installation.find_secret(tx, keys, ACTIVITY_CHAIN)
    end = _end(tx, keys)
    highest = tx.execute(select(func.max(ActivityEntry.position))).scalar_one() or 0
    if written is None or end is None:
        # Whoever deletes the secret or the end of a chain leaves its rows.
        return ChainCheck(1 if highest or written or end else None, highest)
    if highest > end.position:
        return ChainCheck(end.position + 1, end.position)
    if first is None:
        first = max(1, end.position - limit + 1)
    if first > end.position:
        return ChainCheck(None, end.position)
    last = min(end.position, first + limit - 1)
    return ChainCheck(_first_wrong(tx, _key(written), end, first, last), end.position)


def _first_wrong(tx: Session, key: bytes, end: ChainEnd, first: int, last: int) -> int | None:
    rows = tx.execute(
        _CHAINED.where(ActivityEntry.position.between(first - 1, last)).order_by(
            ActivityEntry.position, ActivityEntry.id
        )
    ).all()
    expected, before = first, b""
    if first > 1:
        if not rows or rows[0].position != first - 1:
            return first - 1
        before, rows = rows[0].chain_hash or b"", rows[1:]
    for row in rows:
        content_hash = _content_hash(key, row)
        chain_hash = _chain_hash(key, before, expected, content_hash)
        if (row.position, row.content_hash, row.chain_hash) != (expected, content_hash, chain_hash):
            return expected
        expected, before = expected + 1, chain_hash
    if expected != last + 1:
        return expected
    return last if last == end.position and before != end.chain_hash else None


def check_all(tx: Session, keys: KeyRing) -> ChainCheck:
    """Check the whole chain, from its first position on. Raises SettingsError as `check` does."""
    first = 1
    while True:
        found = check(tx, keys, first=first)
        first += AT_ONCE
        if found.wrong is not None or first > found.last:
            return found


def restart(tx: Session) -> None:
    """Take every row off the chain, so that it begins anew with what is there now."""
    tx.execute(
        update(ActivityEntry)
        .values(position=None, content_hash=None, chain_hash=None)
        .execution_options(synchronize_session=False)
    )
    for name in (ACTIVITY_CHAIN, CHAIN_HEAD):
        found = tx.get(InstallationSecret, name)
        if found is not None:
            tx.delete(found)
    tx.flush()


def _end(tx: Session, keys: KeyRing) -> ChainEnd | None:
    written = installation.find_secret(tx, keys, CHAIN_HEAD)
    if written is None:
        return None
    position, _, chain_hash = written.partition(" ")
    return ChainEnd(int(position), bytes.fromhex(chain_hash))


def _key(secret: str) -> bytes:
    return hmac.digest(secret.encode(), b"kigen activity chain", "sha256")


def _content_hash(key: bytes, row: Row[*tuple[Any, ...]]) -> bytes:
    # The instant as both databases keep it; ids are the same after a restore and a move.
    at = row.at.astimezone(UTC).isoformat(timespec="microseconds")
    content: Sequence[object] = [row.id, at, *row[2 : len(_CONTENT)]]
    return hmac.digest(key, b"content\0" + json.dumps(content).encode(), "sha256")


def _chain_hash(key: bytes, before: bytes, position: int, content_hash: bytes) -> bytes:
    return hmac.digest(key, b"chain\0" + position.to_bytes(8) + content_hash + before, "sha256")
