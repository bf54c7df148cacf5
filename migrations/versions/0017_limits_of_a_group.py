"""What each group sends on a day, and the groups that have reached a limit."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "group_day_totals",
        sa.Column("group_id", _NUMBER, nullable=False),
        sa.Column("channel", sa.String(10), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("handed", sa.Integer(), nullable=False),
        sa.Column("is_lifted", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.PrimaryKeyConstraint("group_id", "channel", "day", name="pk_group_day_totals"),
    )
    op.create_index("ix_group_day_totals_day", "group_day_totals", ["day"])
    op.create_table(
        "group_holds",
        sa.Column("group_id", _NUMBER, nullable=False),
        sa.Column("channel", sa.String(10), nullable=False),
        sa.Column("reason", sa.String(40), nullable=False),
        sa.Column("since", _INSTANT, nullable=False),
        sa.Column("until", _INSTANT, nullable=False),
        sa.Column("notified_at", _INSTANT, nullable=True),
        sa.ForeignKeyConstraint(["group_id"], ["groups.id"], name="fk_group_holds_group_id_groups", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("group_id", "channel", "reason", name="pk_group_holds"),
    )
    op.create_index(
        "ix_group_holds_untold",
        "group_holds",
        ["since"],
        sqlite_where=sa.text("notified_at IS NULL"),
        postgresql_where=sa.text("notified_at IS NULL"),
    )
    op.add_column("day_totals", sa.Column("counted", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column("day_totals", "counted")
    op.drop_table("group_holds")
    op.drop_table("group_day_totals")
