"""A queued message may be leased: an index of those that are, by whom they are for."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_LEASED = sa.text("state = 'queued' AND lease_until IS NOT NULL")


def upgrade() -> None:
    op.create_index(
        "ix_messages_leased_contact",
        "messages",
        ["contact_id"],
        sqlite_where=_LEASED,
        postgresql_where=_LEASED,
    )


def downgrade() -> None:
    op.drop_index("ix_messages_leased_contact", table_name="messages")
