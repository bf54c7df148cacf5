"""Circuit breakers of channels, and an index by which login codes are found without all other due messages."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_INSTANT = sa.DateTime(timezone=True)
_QUEUED_CODES = sa.text("messages.state = 'queued' AND messages.kind = 'login_code'")


def upgrade() -> None:
    op.create_table(
        "channel_breakers",
        sa.Column("channel", sa.String(10), nullable=False),
        sa.Column("reason", sa.String(40), nullable=False),
        sa.Column("failing_since", _INSTANT, nullable=False),
        sa.Column("last_failed_at", _INSTANT, nullable=False),
        sa.Column("failures", _NUMBER, nullable=False),
        sa.Column("certainty", sa.SmallInteger(), nullable=False),
        sa.Column("first_address_index", sa.LargeBinary(), nullable=False),
        sa.Column("opened_at", _INSTANT, nullable=True),
        sa.Column("probe_at", _INSTANT, nullable=True),
        sa.Column("failed_probes", _NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("channel", name="pk_channel_breakers"),
    )
    op.create_index(
        "ix_messages_queued_codes",
        "messages",
        ["channel", "scheduled_at"],
        sqlite_where=_QUEUED_CODES,
        postgresql_where=_QUEUED_CODES,
    )


def downgrade() -> None:
    op.drop_index("ix_messages_queued_codes", "messages")
    op.drop_table("channel_breakers")
