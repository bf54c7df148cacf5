"""Proofs of rows that sign somebody in, or give them a role.

Each is made with the key ring, over what the row grants and to whom.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Row, Select, Table, select

from reminder.storage.crypto.keyring import KeyRing
from reminder.storage.db.tables import ApiToken, CalendarFeed, Invitation, Member, Passkey, Session


@dataclass(frozen=True)
class Proof:
    """A column that holds a proof, and the columns that it is made over. The purpose is bound into it.

    `since`: the migration that has added the column; rows that were there are proved with it, and none later.
    """

    table: Table
    column: str
    over: tuple[str, ...]
    purpose: str
    since: str = "0016"

    @property
    def name(self) -> str:
        """The name of the column, with its table."""
        return f"{self.table.name}.{self.column}"

    def rows(self) -> Select[Any]:
        """Return a query for the id, the proof, and what it is made over."""
        return select(self.table.c.id, self.table.c[self.column], *(self.table.c[name] for name in self.over))


SESSION = Proof(cast(Table, Session.__table__), "token_proof", ("token_hash", "account_id"), "session")
API_TOKEN = Proof(
    cast(Table, ApiToken.__table__), "token_proof", ("token_hash", "group_id", "made_by", "scopes"), "api token"
)
CALENDAR_FEED = Proof(cast(Table, CalendarFeed.__table__), "token_proof", ("token_hash", "member_id"), "calendar feed")
PASSKEY = Proof(cast(Table, Passkey.__table__), "proof", ("credential_id", "public_key", "account_id"), "passkey")
MEMBER = Proof(cast(Table, Member.__table__), "proof", ("id", "group_id", "account_id", "role"), "member", since="0021")
INVITATION = Proof(cast(Table, Invitation.__table__), "proof", ("id", "group_id", "role"), "invitation", since="0021")
PROOFS = (SESSION, API_TOKEN, CALENDAR_FEED, PASSKEY, MEMBER, INVITATION)


def prove(keys: KeyRing, of: Proof, *over: object) -> bytes:
    """Return the proof of a row, over its values of the columns `of.over`, in their order."""
    return keys.prove(_text(over), of.purpose)


def is_proved(keys: KeyRing, of: Proof, proof: bytes | None, *over: object) -> bool:
    """Return whether the proof was made over these values by a key of the ring."""
    return keys.is_proved(_text(over), of.purpose, proof)


def prove_row(keys: KeyRing, of: Proof, row: Row[Any]) -> bytes:
    """Return the proof, by the newest key, of a row of `of.rows()`."""
    _, _, *over = tuple(row)
    return prove(keys, of, *over)


def row_is_proved(keys: KeyRing, of: Proof, row: Row[Any]) -> bool:
    """Return whether a row of `of.rows()` has a proof by a key of the ring."""
    _, proof, *over = tuple(row)
    return is_proved(keys, of, proof, *over)


def _text(over: Sequence[object]) -> str:
    """Return the values as one text that no other values have: each with its length in front."""
    parts = [value.hex() if isinstance(value, bytes | memoryview) else str(value) for value in over]
    return "".join(f"{len(part)}:{part}" for part in parts)
