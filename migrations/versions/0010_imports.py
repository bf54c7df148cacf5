"""The tables of imports by their standard names; findings and columns as objects in place of lists read by position."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

_STATES = "'reading', 'read', 'checking', 'checked', 'saving', 'saved', 'cancelled'"
_STATUSES = "'unchecked', 'accepted', 'warned', 'refused', 'saved'"
_EFFECTS = "'none', 'new', 'changed', 'unchanged'"
_IN_WORK = sa.text("state IN ('checking', 'saving')")

# By weight, as they were kept.
_LEVELS = ("note", "warn", "confirm", "refuse")
_USES = {"mapped": "mapped", "forgotten": "discarded", "refused": "refused", "unknown": "unknown"}

# Rows that are changed by one statement.
_BATCH = 1_000


def upgrade() -> None:
    _create(
        "imports",
        ("last_row", "confirms_all", "ix_imports_in_work"),
        checks=(sa.CheckConstraint(f"state IN ({_STATES})", name=op.f("ck_imports_state")),),
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


def downgrade() -> None:
    _create("uploads", ("reached", "says_yes", "ix_uploads_working"))
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


def _create(table: str, names: tuple[str, str, str], checks: tuple[sa.CheckConstraint, ...] = ()) -> None:
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
