"""What proves that the program has given a member their role, and invited somebody to it."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("members", sa.Column("proof", sa.LargeBinary(), nullable=True))
    op.add_column("invitations", sa.Column("proof", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    op.drop_column("invitations", "proof")
    op.drop_column("members", "proof")
