"""What became of each day's promises, and by which channel each was to be kept."""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

_UNSETTLED = sa.text("NOT is_final")
_NUMBERS = ("people", "messages", "due", "arrived", "other_way", "to_human", "open", "not_known")


def upgrade() -> None:
    op.add_column("promises", sa.Column("channel", sa.String(10), nullable=True))
    op.create_index("ix_promises_day", "promises", ["day"])
    op.create_table(
        "daily_balances",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("channel", sa.String(10), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in _NUMBERS),
        sa.Column("is_final", sa.Boolean(), nullable=False),
        sa.Column("counted_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "due = arrived + other_way + to_human + open + not_known", name=op.f("ck_daily_balances_adds_up")
        ),
        sa.PrimaryKeyConstraint("day", "channel", name="pk_daily_balances"),
    )
    op.create_index(
        "ix_daily_balances_unsettled",
        "daily_balances",
        ["day"],
        sqlite_where=_UNSETTLED,
        postgresql_where=_UNSETTLED,
    )


def downgrade() -> None:
    op.drop_table("daily_balances")
    op.drop_index("ix_promises_day", table_name="promises")
    op.drop_column("promises", "channel")
