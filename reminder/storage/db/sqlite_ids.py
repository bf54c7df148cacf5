"""Ids on SQLite: an id is never given twice, whatever is deleted. PostgreSQL's sequences do so by themselves.

Without AUTOINCREMENT SQLite gives a new row the highest id of its table plus one, so the id of a deleted row again.
SQLite cannot add it to a table that exists: the table is made anew, copied and renamed, as its documentation advises
(https://www.sqlite.org/lang_altertable.html, "Making other kinds of table schema changes").
"""

import re
from collections.abc import Mapping

from sqlalchemy import Connection

_KEY = re.compile(r"PRIMARY KEY \((\"?)id\1\)")
_HEAD = re.compile(r"\s*CREATE TABLE\s+(?:\"(?P<quoted>[^\"]+)\"|(?P<bare>\w+))\s*\(")
_DRAFT = "kigen_draft"
# Columns that name rows of a table, which may be gone: their ids were given, too.
_MENTIONS: Mapping[str, tuple[str, ...]] = {
    "groups": ("activity_log.group_id", "consent_records.group_id"),
    "members": ("activity_log.member_id",),
    "people": ("activity_log.person_id",),
    "contacts": ("activity_log.contact_id",),
    "cards": ("activity_log.card_id",),
    "messages": ("activity_log.message_id", "receipts.message_id"),
}


def last_ids(connection: Connection) -> dict[str, int]:
    """Return the last id that was given in each table that counts its ids, by the name of the table."""
    if not _exists(connection, "sqlite_sequence"):
        return {}
    found = connection.exec_driver_sql("SELECT name, max(seq) FROM sqlite_sequence GROUP BY name")
    return {name: int(last or 0) for name, last in found}


def next_id(connection: Connection, table: str) -> int | None:
    """Return the next id of a table; None for a table of an earlier version, which does not count its ids."""
    sql = connection.exec_driver_sql(
        "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)
    ).scalar()
    return last_ids(connection).get(table, 0) + 1 if "AUTOINCREMENT" in (sql or "") else None


def count_from(connection: Connection, last: Mapping[str, int]) -> None:
    """Let each of these tables give only ids above these, and above those that it has given."""
    before = last_ids(connection)
    for table, given in last.items():
        if given <= before.get(table, -1):
            continue
        connection.exec_driver_sql("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
        connection.exec_driver_sql("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, given))


def never_reuse(connection: Connection, given: Mapping[str, int] | None = None) -> None:
    """Let every table count the ids that it has given, also the tables that a migration has made anew.

    `given`: the last ids that were given before the migration. Foreign keys must be off, and a transaction open.
    """
    changed = [name for name, sql in _tables(connection) if _KEY.search(sql)]
    for name in changed:
        _make_anew(connection, name)
    mentioned = {name: _mentioned(connection, name) for name in changed}
    names = {name for name, _ in _tables(connection)}
    count_from(connection, {name: last for name, last in (given or {}).items() if name in names})
    count_from(connection, mentioned)


def _tables(connection: Connection) -> list[tuple[str, str]]:
    found = connection.exec_driver_sql(
        "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_' ORDER BY name"
    )
    return [(name, sql) for name, sql in found]


def _exists(connection: Connection, table: str) -> bool:
    found = connection.exec_driver_sql("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (table,))
    return found.first() is not None


def _make_anew(connection: Connection, name: str) -> None:
    sql, *others = connection.exec_driver_sql(
        "SELECT sql FROM sqlite_master WHERE tbl_name = ? AND sql IS NOT NULL ORDER BY type <> 'table', name", (name,)
    ).scalars()
    head = _HEAD.match(sql)
    assert head is not None, name
    draft = f'CREATE TABLE "{_DRAFT}" ({_KEY.sub("PRIMARY KEY (id AUTOINCREMENT)", sql[head.end() :])}'
    for statement in (
        draft,
        f'INSERT INTO "{_DRAFT}" SELECT * FROM "{name}"',  # noqa: S608
        f'DROP TABLE "{name}"',
        f'ALTER TABLE "{_DRAFT}" RENAME TO "{name}"',
        *others,
    ):
        connection.exec_driver_sql(statement)


def _mentioned(connection: Connection, table: str) -> int:
    """Return the highest id of a row of this table, which may be gone, that another table still names."""
    highest = 0
    for place in _MENTIONS.get(table, ()):
        other, _, column = place.partition(".")
        columns = {row[1] for row in connection.exec_driver_sql(f'PRAGMA table_info("{other}")')}
        if column in columns:
            found = connection.exec_driver_sql(f'SELECT max("{column}") FROM "{other}"').scalar()  # noqa: S608
            highest = max(highest, int(found or 0))
    return highest
