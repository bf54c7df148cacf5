"""When a message was due, whether it is still counted on, what is known of a call, and delivery promises."""

# ruff: noqa: S608  # every name in these statements stands in this file

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_INSTANT = sa.DateTime(timezone=True)
_DEFERRED = sa.text("state = 'queued' AND due_at < scheduled_at")
_OPEN = sa.text("state = 'open'")
_LEFT_TO_OPERATOR = sa.text("state = 'operator' AND taken_at IS NULL")
_STATES = ("open", "proven", "other_way", "family", "staff", "operator", "not_needed")
_AUDIENCES = ("person", "carer", "staff")
_THEIRS = "EXISTS (SELECT 1 FROM reminders WHERE reminders.id = promises.reminder_id)"
_MONITORING = "kigen_monitoring"


def _among(column: str, values: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


def upgrade() -> None:
    op.add_column("messages", sa.Column("due_at", _INSTANT, nullable=True))
    op.add_column("messages", sa.Column("doubted_at", _INSTANT, nullable=True))
    op.add_column("messages", sa.Column("answered_by", sa.String(20), nullable=True))
    op.add_column("messages", sa.Column("date_after", sa.SmallInteger(), nullable=True))
    op.add_column("receipts", sa.Column("seconds", _NUMBER, nullable=True))
    op.create_index("ix_messages_deferred", "messages", ["due_at"], sqlite_where=_DEFERRED, postgresql_where=_DEFERRED)
    op.create_table(
        "promises",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("reminder_id", _NUMBER, nullable=False),
        sa.Column("addressee", sa.String(30), nullable=False),
        sa.Column("audience", sa.String(10), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("reason", sa.String(40), nullable=True),
        sa.Column("is_ours", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("due_at", _INSTANT, nullable=False),
        sa.Column("ends_at", _INSTANT, nullable=False),
        sa.Column("check_at", _INSTANT, nullable=False),
        sa.Column("asked_at", _INSTANT, nullable=True),
        sa.Column("closed_at", _INSTANT, nullable=True),
        sa.Column("taken_at", _INSTANT, nullable=True),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.CheckConstraint(_among("audience", _AUDIENCES), name=op.f("ck_promises_audience")),
        sa.CheckConstraint(_among("state", _STATES), name=op.f("ck_promises_state")),
        sa.ForeignKeyConstraint(
            ["reminder_id"], ["reminders.id"], name="fk_promises_reminder_id_reminders", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_promises"),
        sa.UniqueConstraint("reminder_id", "addressee", "day", name="uq_promises_reminder_id_addressee_day"),
    )
    op.create_index("ix_promises_open", "promises", ["check_at"], sqlite_where=_OPEN, postgresql_where=_OPEN)
    op.create_index(
        "ix_promises_left_to_operator",
        "promises",
        ["closed_at"],
        sqlite_where=_LEFT_TO_OPERATOR,
        postgresql_where=_LEFT_TO_OPERATOR,
    )
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    owner = connection.exec_driver_sql(
        "SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = 'promises'::regclass"
    ).scalar()
    connection.exec_driver_sql("ALTER TABLE promises ENABLE ROW LEVEL SECURITY")
    connection.exec_driver_sql("ALTER TABLE promises FORCE ROW LEVEL SECURITY")
    connection.exec_driver_sql(f"CREATE POLICY everything ON promises TO {owner} USING (true) WITH CHECK (true)")
    connection.exec_driver_sql(f"CREATE POLICY acted_for ON promises USING ({_THEIRS}) WITH CHECK ({_THEIRS})")
    # Otherwise `reminder database roles` makes it.
    if connection.exec_driver_sql(f"SELECT 1 FROM pg_roles WHERE rolname = '{_MONITORING}'").scalar():
        connection.exec_driver_sql(f"CREATE POLICY monitoring ON promises FOR SELECT TO {_MONITORING} USING (true)")


def downgrade() -> None:
    op.drop_table("promises")
    op.drop_index("ix_messages_deferred", table_name="messages")
    op.drop_column("receipts", "seconds")
    for name in ("date_after", "answered_by", "doubted_at", "due_at"):
        op.drop_column("messages", name)
