"""What the auditor looks for without reading everything, and how often what has happened."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_UNPLANNED = sa.text("retired_at IS NULL AND next_reminder_on IS NULL")
_HANDED = sa.text("handed_at IS NOT NULL")


def upgrade() -> None:
    op.create_index(
        "ix_cards_unplanned", "cards", ["kind", "expires_on"], sqlite_where=_UNPLANNED, postgresql_where=_UNPLANNED
    )
    op.create_index("ix_messages_handed", "messages", ["handed_at"], sqlite_where=_HANDED, postgresql_where=_HANDED)
    op.create_table(
        "tallies",
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("value", _NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_tallies"),
    )


def downgrade() -> None:
    op.drop_table("tallies")
    op.drop_index("ix_messages_handed", table_name="messages")
    op.drop_index("ix_cards_unplanned", table_name="cards")
