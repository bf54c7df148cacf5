"""The standard names of docs/glossary.md: tables, columns, indexes and stored names; message kinds; typed findings.

It carries databases and back-ups of 0009 over. It is the last migration that is not additive: a program of the version
before cannot run beside it.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _upgrade_imports()
    _upgrade_names()
    _add_kinds_and_checks()


def downgrade() -> None:
    _drop_kinds_and_checks()
    _downgrade_names()
    _downgrade_imports()


# Part 1: tables, columns, indexes and stored names.
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


def _upgrade_names() -> None:
    for old, new in _TABLES.items():
        _rename_table(old, new)
    _rename_columns(_COLUMNS)
    for old, (table, new) in _INDEXES.items():
        _rename_index(table, old, new)
    _rename_values(_VALUES)


def _downgrade_names() -> None:
    _rename_values({place: _inverse(names) for place, names in _VALUES.items()})
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


# Part 2: what a message is for, and the closed sets that the database holds to itself.
# How the keys of messages begin that were made before they had a kind.
_KIND_OF_KEY = {
    "silent:": "escalation",
    "notice:": "notice",
    "undelivered:": "failure_notice",
    "reach:": "verification",
    "digest:": "digest",
    "answer:": "answer",
    "consent:": "consent_request",
    "practice:": "test_call",
    "code:": "login_code",
    "invitation:": "invitation",
}
_KINDS = ("reminder", "copy", *_KIND_OF_KEY.values())

# By table and column, every value that it may have.
_CLOSED: Mapping[str, Mapping[str, Sequence[str]]] = {
    "groups": {"kind": ("household", "home")},
    "members": {"role": ("owner", "editor", "viewer"), "copies": ("all", "near", "none")},
    "people": {"mode": ("standard", "elderly", "home")},
    "contacts": {
        "state": ("unconfirmed", "confirmed", "opted_out", "unreachable"),
        "consent_how": ("spoken", "written", "agent", "reply"),
        "stopped_by": ("reply", "click", "family", "provider"),
    },
    "reminders": {"state": ("open", "acknowledged", "superseded", "settled")},
    "messages": {
        "kind": _KINDS,
        "audience": ("person", "carer", "staff"),
        "state": (
            "queued",
            "sending",
            "unknown",
            "accepted",
            "delivered",
            "undelivered",
            "failed",
            "stale",
            "cancelled",
        ),
    },
    "replies": {
        "intent": (
            "number",
            "stop",
            "start",
            "wrong_person",
            "who",
            "family",
            "later",
            "going",
            "done",
            "thanks",
            "unknown",
        )
    },
    "notices": {
        "kind": (
            "undelivered",
            "undelivered_mail",
            "undelivered_call",
            "undelivered_line",
            "lost",
            "lost_member",
            "done",
            "which",
            "family",
            "unread",
            "number",
            "stopped",
            "declined",
            "wrong_person",
            "silent",
            "unproven",
            "landline",
            "sender",
            "reach",
        )
    },
    "invitations": {"role": ("owner", "editor", "viewer")},
}


def _add_kinds_and_checks() -> None:
    op.add_column("messages", sa.Column("kind", sa.String(20), nullable=True))
    _fill_kinds()
    for table, columns in _CLOSED.items():
        with op.batch_alter_table(table) as batch:
            if table == "messages":
                batch.alter_column("kind", existing_type=sa.String(20), nullable=False)
            if table == "reminders":
                _rename_step_constraint(batch, "rung", "step")
            for column, values in columns.items():
                batch.create_check_constraint(op.f(f"ck_{table}_{column}"), f"{column} IN ({_listed(values)})")


def _fill_kinds() -> None:
    """Fill the kind of each message from the prefix of its key.

    A key with none of the known prefixes is of a reminder where the message is linked to one, as those of `told:` are.
    Of any other nobody knows the purpose: it counts as a notice.
    """
    known = " ".join(f"WHEN key LIKE '{prefix}%' THEN '{kind}'" for prefix, kind in _KIND_OF_KEY.items())
    is_of_step = "key LIKE 'told:%' OR EXISTS (SELECT 1 FROM message_reminders WHERE message_id = messages.id)"
    op.execute(
        f"UPDATE messages SET kind = CASE {known} WHEN NOT ({is_of_step}) THEN 'notice' "  # noqa: S608
        "WHEN audience = 'person' THEN 'reminder' ELSE 'copy' END"
    )


def _listed(values: Sequence[str]) -> str:
    return ", ".join(f"'{value}'" for value in values)


def _drop_kinds_and_checks() -> None:
    for table, columns in reversed(_CLOSED.items()):
        with op.batch_alter_table(table) as batch:
            for column in columns:
                batch.drop_constraint(op.f(f"ck_{table}_{column}"), type_="check")
            if table == "messages":
                batch.drop_column("kind")
            if table == "reminders":
                _rename_step_constraint(batch, "step", "rung")


def _rename_step_constraint(batch: "op.BatchOperations", old: str, new: str) -> None:
    """Rename the constraint that makes a step of a card unique. `old`, `new`: the names of its column."""
    before, after = (f"uq_reminders_card_id_expires_on_{name}" for name in (old, new))
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"ALTER TABLE reminders RENAME CONSTRAINT {before} TO {after}")
        return
    batch.drop_constraint(before, type_="unique")
    batch.create_unique_constraint(after, ["card_id", "expires_on", "step"])


# Part 3: imports, with findings and columns as objects in place of lists read by position.
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

_IMPORT_STATES = "'reading', 'read', 'checking', 'checked', 'saving', 'saved', 'cancelled'"
_STATUSES = "'unchecked', 'accepted', 'warned', 'refused', 'saved'"
_EFFECTS = "'none', 'new', 'changed', 'unchanged'"
_IN_WORK = sa.text("state IN ('checking', 'saving')")

# By weight, as they were kept.
_LEVELS = ("note", "warn", "confirm", "refuse")
_USES = {"mapped": "mapped", "forgotten": "discarded", "refused": "refused", "unknown": "unknown"}

# Rows that are changed by one statement.
_BATCH = 1_000


def _upgrade_imports() -> None:
    _create_imports(
        "imports",
        ("last_row", "confirms_all", "ix_imports_in_work"),
        checks=(sa.CheckConstraint(f"state IN ({_IMPORT_STATES})", name=op.f("ck_imports_state")),),
    )
    _create_rows(
        "import_rows",
        "import_id",
        "imports",
        ("row_fingerprint", "reader_findings", "status", "is_confirmed"),
        ("unchecked", "none"),
        checks=(
            sa.CheckConstraint(f"status IN ({_STATUSES})", name=op.f("ck_import_rows_status")),
            sa.CheckConstraint(f"effect IN ({_EFFECTS})", name=op.f("ck_import_rows_effect")),
        ),
    )
    op.execute(
        "INSERT INTO imports (id, group_id, member_id, state, columns, mapping, counts, rows, last_row, done,"
        " confirms_all, created_at, changed_at) SELECT id, group_id, member_id, state, columns, mapping, counts, rows,"
        " reached, done, says_yes, created_at, changed_at FROM uploads"
    )
    op.execute(
        "INSERT INTO import_rows (import_id, number, cells_sealed, row_fingerprint, reader_findings, status, findings,"
        " effect, person_id, is_confirmed) SELECT upload_id, number, cells_sealed, likeness, facts,"
        " CASE verdict WHEN '' THEN 'unchecked' ELSE verdict END, findings,"
        " CASE effect WHEN '' THEN 'none' ELSE effect END, person_id, is_agreed FROM upload_rows"
    )
    _convert("imports", ("id",), {"columns": _columns_as_objects, "counts": _counts_renamed})
    _convert(
        "import_rows",
        ("import_id", "number"),
        {"reader_findings": _findings_as_objects, "findings": _findings_as_objects},
    )
    _go_on_with_ids("imports", "uploads")
    op.drop_table("upload_rows")
    op.drop_table("uploads")


def _downgrade_imports() -> None:
    _create_imports("uploads", ("reached", "says_yes", "ix_uploads_working"))
    _create_rows("upload_rows", "upload_id", "uploads", ("likeness", "facts", "verdict", "is_agreed"), ("", ""))
    op.execute(
        "INSERT INTO uploads (id, group_id, member_id, state, columns, mapping, counts, rows, reached, done, says_yes,"
        " created_at, changed_at) SELECT id, group_id, member_id, state, columns, mapping, counts, rows, last_row,"
        " done, confirms_all, created_at, changed_at FROM imports"
    )
    op.execute(
        "INSERT INTO upload_rows (upload_id, number, cells_sealed, likeness, facts, verdict, findings, effect,"
        " person_id, is_agreed) SELECT import_id, number, cells_sealed, row_fingerprint, reader_findings,"
        " CASE status WHEN 'unchecked' THEN '' ELSE status END, findings,"
        " CASE effect WHEN 'none' THEN '' ELSE effect END, person_id, is_confirmed FROM import_rows"
    )
    _convert("uploads", ("id",), {"columns": _columns_by_old_names, "counts": _counts_by_old_name})
    _convert("upload_rows", ("upload_id", "number"), {"facts": _findings_as_lists, "findings": _findings_as_lists})
    _go_on_with_ids("uploads", "imports")
    op.drop_table("import_rows")
    op.drop_table("imports")


def _create_imports(table: str, names: tuple[str, str, str], checks: tuple[sa.CheckConstraint, ...] = ()) -> None:
    """`names`: of the two columns and of the index that are called otherwise in the other version."""
    last_row, confirms_all, index = names
    op.create_table(
        table,
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("group_id", _NUMBER, nullable=False),
        sa.Column("member_id", _NUMBER),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("columns", sa.JSON(), nullable=False),
        sa.Column("mapping", sa.JSON(), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column(last_row, sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column(confirms_all, sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        sa.ForeignKeyConstraint(["group_id"], ["groups.id"], name=f"fk_{table}_group_id_groups", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["member_id"], ["members.id"], name=f"fk_{table}_member_id_members", ondelete="SET NULL"
        ),
        *checks,
    )
    op.create_index(f"ix_{table}_group_id", table, ["group_id"])
    op.create_index(f"ix_{table}_member_id", table, ["member_id"])
    op.create_index(index, table, ["id"], sqlite_where=_IN_WORK, postgresql_where=_IN_WORK)


def _create_rows(
    table: str,
    parent_id: str,
    parent: str,
    names: tuple[str, str, str, str],
    defaults: tuple[str, str],
    checks: tuple[sa.CheckConstraint, ...] = (),
) -> None:
    """`names`: of the columns that are called otherwise in the other version. `defaults`: of status and effect."""
    fingerprint, reader_findings, status, is_confirmed = names
    status_default, effect_default = defaults
    op.create_table(
        table,
        sa.Column(parent_id, _NUMBER, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("cells_sealed", sa.LargeBinary()),
        sa.Column(fingerprint, sa.LargeBinary()),
        sa.Column(reader_findings, sa.JSON(), nullable=False),
        sa.Column(status, sa.String(10), server_default=status_default, nullable=False),
        sa.Column("findings", sa.JSON(), nullable=False),
        sa.Column("effect", sa.String(10), server_default=effect_default, nullable=False),
        sa.Column("person_id", _NUMBER),
        sa.Column(is_confirmed, sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.PrimaryKeyConstraint(parent_id, "number", name=f"pk_{table}"),
        sa.ForeignKeyConstraint(
            [parent_id], [f"{parent}.id"], name=f"fk_{table}_{parent_id}_{parent}", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=f"fk_{table}_person_id_people", ondelete="SET NULL"),
        *checks,
    )
    op.create_index(f"ix_{table}_{parent_id}_{fingerprint}", table, [parent_id, fingerprint])
    op.create_index(f"ix_{table}_person_id", table, ["person_id"])


def _go_on_with_ids(table: str, before: str) -> None:
    """On PostgreSQL an id that was given once is not given again, also where its row has gone."""
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    old = connection.exec_driver_sql(f"SELECT pg_get_serial_sequence('{before}', 'id')").scalar_one()
    connection.exec_driver_sql(
        f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), last_value, is_called) FROM {old}"  # noqa: S608
    )


def _convert(table: str, key: tuple[str, ...], shapes: Mapping[str, Callable[[Any], Any]]) -> None:
    """Write JSON columns anew, batch by batch; `shapes`: by column, from what stands there to what is to stand."""
    rows = sa.table(table, *(sa.column(name) for name in key), *(sa.column(name, sa.JSON()) for name in shapes))
    # Of most rows there is nothing to say.
    says_anything = sa.or_(*(sa.cast(rows.c[name], sa.Text()).not_in(["[]", "{}"]) for name in shapes))
    columns = [rows.c[name] for name in key]
    query = sa.select(*columns, *(rows.c[name] for name in shapes)).where(says_anything).order_by(*columns)
    change = (
        sa.update(rows)
        .where(*(rows.c[name] == sa.bindparam(f"key_{name}") for name in key))
        .values({name: sa.bindparam(f"new_{name}", type_=sa.JSON()) for name in shapes})
    )
    connection, after = op.get_bind(), None
    while True:
        some = query if after is None else query.where(sa.tuple_(*columns) > sa.tuple_(*map(sa.literal, after)))
        found = connection.execute(some.limit(_BATCH)).mappings().all()
        if not found:
            return
        values = [
            {f"key_{name}": row[name] for name in key}
            | {f"new_{name}": shape(_read(row[name])) for name, shape in shapes.items()}
            for row in found
        ]
        connection.execute(change, values)
        after = [found[-1][name] for name in key]


def _read(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def _columns_as_objects(columns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "place": column["place"],
            "letter": column["letter"],
            "heading": column["heading"],
            "use": _USES[column["fate"]],
            "field": column["field"],
            "is_hidden": column["hidden"],
        }
        for column in columns
    ]


def _columns_by_old_names(columns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    fates = {use: fate for fate, use in _USES.items()}
    return [
        {
            "place": column["place"],
            "letter": column["letter"],
            "heading": column["heading"],
            "fate": fates[column["use"]],
            "field": column["field"],
            "hidden": column["is_hidden"],
        }
        for column in columns
    ]


def _counts_renamed(counts: dict[str, int]) -> dict[str, int]:
    return {"needs_confirmation" if name == "asks" else name: count for name, count in counts.items()}


def _counts_by_old_name(counts: dict[str, int]) -> dict[str, int]:
    return {"asks" if name == "needs_confirmation" else name: count for name, count in counts.items()}


def _findings_as_objects(findings: list[list[Any]]) -> list[dict[str, Any]]:
    """From [code, weight, place or null, details or null]."""
    return [
        {"code": code, "level": _LEVELS[level]}
        | ({} if place is None else {"place": place})
        | ({"details": details} if details else {})
        for code, level, place, details in findings
    ]


def _findings_as_lists(findings: list[dict[str, Any]]) -> list[list[Any]]:
    return [[one["code"], _LEVELS.index(one["level"]), one.get("place"), one.get("details")] for one in findings]
