"""Tables, columns and stored names by the standard terms of docs/glossary.md."""

from collections.abc import Mapping

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_TABLES = {
    "takings": "assignments",
    "paces": "rate_limits",
    "beats": "heartbeats",
    "tallies": "counters",
    "remembered": "service_state",
    "kept_answers": "idempotency_keys",
    "feeds": "calendar_feeds",
    "journal": "activity_log",
    "sign_ins": "login_codes",
}
# By the new name of the table.
_COLUMNS = {
    "messages": {
        "send_after": "scheduled_at",
        "stale_after": "expires_at",
        "not_seen": "not_found_count",
        "turn": "fairness_rank",
        "likeness": "body_fingerprint",
        "asks": "reply_code",
    },
    "reminders": {"rung": "step"},
    "cards": {"done_on": "acknowledged_on", "asked": "escalation_level"},
    "assignments": {"taken_on": "assigned_on"},
    "notices": {"told_at": "notified_at"},
    "contacts": {"practised_at": "test_called_at"},
}
_INDEXES = {
    "ix_messages_waiting": ("messages", "ix_messages_queued"),
    "ix_messages_in_hand": ("messages", "ix_messages_leased"),
    "ix_messages_worded": ("messages", "ix_messages_old_bodies"),
    "ix_replies_worded": ("replies", "ix_replies_bodies"),
}
# Constraints whose names tell of a column that is called otherwise now: old -> (table, new).
_CONSTRAINTS = {"uq_reminders_card_id_expires_on_rung": ("reminders", "uq_reminders_card_id_expires_on_step")}
# Names that are kept in rows: (table, column) -> old value -> new value.
_VALUES = {
    ("heartbeats", "name"): {
        "tick": "pass",
        "reach": "verification",
        "forget": "retention",
        "tallied": "counted",
    },
    ("activity_log", "act"): {
        "card_said_done": "card_acknowledged",
        "card_not_done": "card_reopened",
        "card_taken": "card_assigned",
        "call_practised": "test_called",
        "contact_reached": "contact_verified",
        "rhythm_changed": "preferences_changed",
    },
}


def upgrade() -> None:
    for old, new in _TABLES.items():
        _rename_table(old, new)
    _rename_columns(_COLUMNS)
    for old, (table, new) in _INDEXES.items():
        _rename_index(table, old, new)
    for old, (table, new) in _CONSTRAINTS.items():
        _rename_constraint(table, old, new)
    _rename_values(_VALUES)


def downgrade() -> None:
    _rename_values({place: _inverse(names) for place, names in _VALUES.items()})
    for old, (table, new) in _CONSTRAINTS.items():
        _rename_constraint(table, new, old)
    for old, (table, new) in _INDEXES.items():
        _rename_index(table, new, old)
    _rename_columns({table: _inverse(names) for table, names in _COLUMNS.items()})
    for old, new in _TABLES.items():
        _rename_table(new, old)


def _inverse(names: Mapping[str, str]) -> dict[str, str]:
    return {new: old for old, new in names.items()}


def _rename_columns(columns: Mapping[str, Mapping[str, str]]) -> None:
    """Both databases change what refers to a column, its indexes included."""
    for table, names in columns.items():
        for old, new in names.items():
            op.execute(f"ALTER TABLE {table} RENAME COLUMN {old} TO {new}")


def _rename_values(values: Mapping[tuple[str, str], Mapping[str, str]]) -> None:
    for (table, column), names in values.items():
        for old, new in names.items():
            op.execute(f"UPDATE {table} SET {column} = '{new}' WHERE {column} = '{old}'")  # noqa: S608


def _rename_index(table: str, old: str, new: str) -> None:
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        op.execute(f"ALTER INDEX {old} RENAME TO {new}")
        return
    # SQLite cannot rename an index; it keeps the statement that made it.
    made = connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE name = ?", (old,)).scalar_one()
    op.drop_index(old, table_name=table)
    op.execute(sa.text(made.replace(old, new)))


def _rename_constraint(table: str, old: str, new: str) -> None:
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        op.execute(f"ALTER TABLE {table} RENAME CONSTRAINT {old} TO {new}")
        return
    # SQLite keeps the name in the statement that made the table: it is made anew, and filled.
    query = "SELECT sql FROM sqlite_master WHERE type = ? AND tbl_name = ? AND sql IS NOT NULL"
    made = connection.exec_driver_sql(query, ("table", table)).scalar_one()
    indexes = connection.exec_driver_sql(query, ("index", table)).scalars().all()
    _, columns = made.split("(", 1)
    connection.exec_driver_sql(f"CREATE TABLE {table}_anew ({columns.replace(old, new)}")
    connection.exec_driver_sql(f"INSERT INTO {table}_anew SELECT * FROM {table}")  # noqa: S608
    op.drop_table(table)
    op.rename_table(f"{table}_anew", table)
    for statement in indexes:
        connection.exec_driver_sql(statement)


def _rename_table(old: str, new: str) -> None:
    """Rename a table with its indexes, constraints and, on PostgreSQL, the sequence of its ids."""
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        op.rename_table(old, new)
        for kind, query in (
            ("TABLE {table} RENAME CONSTRAINT", "SELECT conname FROM pg_constraint WHERE conrelid = to_regclass(%s)"),
            ("INDEX", "SELECT indexname FROM pg_indexes WHERE tablename = %s"),
            ("SEQUENCE", "SELECT relname FROM pg_class WHERE relkind = 'S' AND relname = %s || '_id_seq'"),
        ):
            asked = old if kind == "SEQUENCE" else new
            for name in connection.exec_driver_sql(query, (asked,)).scalars().all():
                # The index of a constraint has been renamed with it.
                if old in name and new not in name:
                    spaced = "" if kind.startswith("TABLE") else " RENAME TO"
                    source = f" {name} TO" if kind.startswith("TABLE") else f" {name}{spaced}"
                    op.execute(f"ALTER {kind.format(table=new)}{source} {name.replace(old, new)}")
        return
    # SQLite keeps the names of constraints in the statement that made the table: it is made anew, and filled.
    made = connection.exec_driver_sql(
        "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?", (old,)
    ).scalar_one()
    indexes = (
        connection.exec_driver_sql(
            "SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL", (old,)
        )
        .scalars()
        .all()
    )
    connection.exec_driver_sql(made.replace(old, new))
    connection.exec_driver_sql(f"INSERT INTO {new} SELECT * FROM {old}")  # noqa: S608
    op.drop_table(old)
    for statement in indexes:
        connection.exec_driver_sql(statement.replace(old, new))
