"""Who goes first, at what pace a sender sends, and how much leaves in a day."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_QUEUED = sa.text("state = 'queued'")


def upgrade() -> None:
    op.add_column("messages", sa.Column("likeness", sa.LargeBinary()))
    op.add_column("messages", sa.Column("urgency", sa.SmallInteger(), server_default="2", nullable=False))
    op.add_column("messages", sa.Column("turn", sa.Integer(), server_default="0", nullable=False))
    _index_what_waits(["channel", "send_after", "urgency", "turn", "id"])
    op.drop_index("ix_messages_contact_id", table_name="messages")
    op.create_index("ix_messages_contact_id_handed_at", "messages", ["contact_id", "handed_at"])
    op.create_table(
        "paces",
        sa.Column("channel", sa.String(10), nullable=False),
        sa.Column("free_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("channel", name="pk_paces"),
    )
    op.create_table(
        "day_totals",
        sa.Column("channel", sa.String(10), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("handed", sa.Integer(), nullable=False),
        sa.Column("is_lifted", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.PrimaryKeyConstraint("channel", "day", name="pk_day_totals"),
    )


def downgrade() -> None:
    op.drop_table("day_totals")
    op.drop_table("paces")
    op.drop_index("ix_messages_contact_id_handed_at", table_name="messages")
    op.create_index("ix_messages_contact_id", "messages", ["contact_id"])
    _index_what_waits(["send_after", "id"])
    for column in ("turn", "urgency", "likeness"):
        op.drop_column("messages", column)


def _index_what_waits(columns: list[str]) -> None:
    op.drop_index("ix_messages_waiting", table_name="messages")
    op.create_index("ix_messages_waiting", "messages", columns, sqlite_where=_QUEUED, postgresql_where=_QUEUED)
