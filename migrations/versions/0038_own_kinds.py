"""Kinds of a group's own, and the facts of such a kind in the cards of it."""

# every name in these statements stands in this file

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

_THEIRS = "group_id = ANY ((SELECT kigen_groups())::bigint[])"


def upgrade() -> None:
    op.create_table(
        "own_kinds",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column(
            "group_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.ForeignKey("groups.id", ondelete="CASCADE", name="fk_own_kinds_group_id_groups"),
            nullable=False,
        ),
        sa.Column("row_token", sa.LargeBinary(), nullable=True),
        sa.Column("name_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("name", sa.String(20), nullable=False, server_default=""),
        sa.Column("place", sa.String(20), nullable=False),
        sa.Column("opens_days", sa.SmallInteger(), nullable=True),
        sa.Column("lead_days", sa.SmallInteger(), nullable=False),
        sa.Column("stand_in", sa.String(10), nullable=False),
        sa.Column("own_days", sa.String(80), nullable=False, server_default=""),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_own_kinds_group_id", "own_kinds", ["group_id"])
    # Beside the kind "other", as which programs of the version before read these cards.
    op.add_column("cards", sa.Column("own_kind", sa.String(120), nullable=True))
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    owner = connection.exec_driver_sql("SELECT quote_ident(current_user)").scalar()
    connection.exec_driver_sql("ALTER TABLE own_kinds ENABLE ROW LEVEL SECURITY")
    connection.exec_driver_sql("ALTER TABLE own_kinds FORCE ROW LEVEL SECURITY")
    connection.exec_driver_sql(f"CREATE POLICY everything ON own_kinds TO {owner} USING (true) WITH CHECK (true)")
    connection.exec_driver_sql(f"CREATE POLICY acted_for ON own_kinds USING ({_THEIRS}) WITH CHECK ({_THEIRS})")


def downgrade() -> None:
    op.drop_column("cards", "own_kind")
    op.drop_table("own_kinds")
