"""Nothing: no migration of this number was ever shipped, and a gap in the numbers would look like a lost file.

Databases at 0009 have passed it without noticing.
"""

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change nothing."""


def downgrade() -> None:
    """Change nothing."""
