"""Rows as a version wrote them that bound nothing to rows and had words in plain columns."""

from typing import Any

from sqlalchemy import LargeBinary, select, type_coerce

from reminder.storage.crypto.keyring import KeyRing, SealedValue
from reminder.storage.db import sealing
from reminder.storage.db.columns import ROW_TOKEN
from reminder.storage.db.sealing import RowSeals
from reminder.storage.db.session import Tx
from reminder.storage.db.statements import update_many

# What the version before did not have.
NEWER: dict[str, dict[str, Any]] = {
    "people": {"reference_index": None, "label_index": None, "room_index": None},
    "cards": {"label_index": ""},
}


def unseal(tx: Tx, keys: KeyRing) -> None:
    """Write every row as it was before."""
    for seals in sealing.row_seals():
        stored = [
            type_coerce(column, LargeBinary).label(column.name)
            for column in (*seals.sealed, *seals.words, seals.table.c[ROW_TOKEN])
        ]
        rows = [row._asdict() for row in tx.execute(select(*seals.key, *stored))]
        values = [_before(keys, seals, row) for row in rows if row[ROW_TOKEN] is not None]
        update_many(tx, seals.table, [column.name for column in seals.key], values)


def _before(keys: KeyRing, seals: RowSeals, row: dict[str, Any]) -> dict[str, Any]:
    token = row.pop(ROW_TOKEN)

    def opened(name: str) -> str | None:
        place = seals.table.c[name].type.place  # type: ignore[attr-defined]
        return None if row[name] is None else keys.open(SealedValue(place, token, row[name]))

    values: dict[str, Any] = {column.name: row[column.name] for column in seals.key}
    values |= {ROW_TOKEN: None, **NEWER.get(seals.table.name, {})}
    for column in seals.sealed:
        text = opened(column.name)
        values[column.name] = None if text is None else keys.seal(text, column.type.place)  # type: ignore[attr-defined]
    for column in seals.words:
        text, type_ = opened(column.name), column.type
        values[column.name] = None
        if text is None:
            continue
        said = type_.read(text)  # type: ignore[attr-defined]
        plain = type_.plain  # type: ignore[attr-defined]
        values |= dict(zip(plain, said if len(plain) > 1 else [said], strict=True))
    for column in seals.plain:
        values.setdefault(column.name, sealing.no_plain_words(seals.table)[column.name])
    return values
