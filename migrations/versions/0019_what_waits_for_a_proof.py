"""What somebody was about to do in a session when they were asked once more who they are."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sessions", sa.Column("held_sealed", sa.LargeBinary(), nullable=True))
    op.add_column("sessions", sa.Column("held_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("sessions", "held_at")
    op.drop_column("sessions", "held_sealed")
