"""Days of a card, in place of those of its group."""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("cards", sa.Column("own_days", sa.String(80), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("cards", "own_days")
