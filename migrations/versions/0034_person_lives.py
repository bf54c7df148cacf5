"""Where a person is: away for a time, moved out, dead."""

# ruff: noqa: S608  # every name in these statements stands in this file

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

_MONITORING = "kigen_monitoring"
_THEIRS = "EXISTS (SELECT 1 FROM people WHERE people.id = person_lives.person_id)"


def upgrade() -> None:
    op.create_table(
        "person_lives",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column(
            "person_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.ForeignKey("people.id", ondelete="CASCADE", name="fk_person_lives_person_id_people"),
            nullable=False,
        ),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("until", sa.Date(), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("before", sa.JSON(), nullable=True),
        sa.CheckConstraint("state IN ('here', 'paused', 'moved_out', 'died')", name="state"),
        sa.UniqueConstraint("person_id", name="uq_person_lives_person_id"),
    )
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    owner = connection.exec_driver_sql("SELECT quote_ident(current_user)").scalar()
    connection.exec_driver_sql("ALTER TABLE person_lives ENABLE ROW LEVEL SECURITY")
    connection.exec_driver_sql("ALTER TABLE person_lives FORCE ROW LEVEL SECURITY")
    connection.exec_driver_sql(f"CREATE POLICY everything ON person_lives TO {owner} USING (true) WITH CHECK (true)")
    connection.exec_driver_sql(f"CREATE POLICY acted_for ON person_lives USING ({_THEIRS}) WITH CHECK ({_THEIRS})")

    # Otherwise `reminder database roles` makes it.
    if not connection.exec_driver_sql(f"SELECT 1 FROM pg_roles WHERE rolname = '{_MONITORING}'").scalar():
        return
    for table in ("card_lives", "person_lives"):
        connection.exec_driver_sql(f"CREATE POLICY monitoring ON {table} FOR SELECT TO {_MONITORING} USING (true)")


def downgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("DROP POLICY IF EXISTS monitoring ON card_lives")
    op.drop_table("person_lives")
