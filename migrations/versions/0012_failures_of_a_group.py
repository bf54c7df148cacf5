"""The failed messages of a group are found without reading all that it was ever sent."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

NAME = "ix_messages_failures_of_group"
DID_NOT_ARRIVE = sa.text("state IN ('failed', 'undelivered')")


def upgrade() -> None:
    """Add the index."""
    op.create_index(NAME, "messages", ["group_id"], sqlite_where=DID_NOT_ARRIVE, postgresql_where=DID_NOT_ARRIVE)


def downgrade() -> None:
    """Drop the index."""
    op.drop_index(NAME, "messages")
