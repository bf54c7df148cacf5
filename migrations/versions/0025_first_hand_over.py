"""When a message was handed over for the first time.

With this version ids on SQLite are never given twice (storage/db/sqlite_ids.py, which the migration runs at its end).
"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("messages", sa.Column("first_handed_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("messages", "first_handed_at")
