"""Messages to the operator's own addresses, which try each channel from end to end."""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "canaries",
        sa.Column("channel", sa.String(10), nullable=False),
        sa.Column("due_at", _INSTANT, nullable=False),
        sa.Column("address_index", sa.LargeBinary(), nullable=False),
        sa.Column("message_id", _NUMBER, nullable=True),
        sa.Column("made_at", _INSTANT, nullable=False),
        sa.Column("back_by", _INSTANT, nullable=False),
        sa.Column("needs_arrival", sa.Boolean(), nullable=False),
        sa.Column("asked_at", _INSTANT, nullable=True),
        sa.Column("returned_at", _INSTANT, nullable=True),
        sa.Column("how", sa.String(10), nullable=True),
        sa.PrimaryKeyConstraint("channel", "due_at", name="pk_canaries"),
    )
    op.create_index("ix_canaries_message_id", "canaries", ["message_id"])


def downgrade() -> None:
    op.drop_table("canaries")
