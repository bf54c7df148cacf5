"""Which keys a database knows, the secrets of an installation, and the chain of the activity log."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_INSTANT = sa.DateTime(timezone=True)
_UNCHAINED = sa.text("position IS NULL")


def upgrade() -> None:
    op.create_table(
        "known_keys",
        sa.Column("name", sa.String(8), nullable=False),
        sa.Column("seen_at", _INSTANT, nullable=False),
        sa.Column("abandoned_at", _INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("name", name="pk_known_keys"),
    )
    op.create_table(
        "installation_secrets",
        sa.Column("name", sa.String(20), nullable=False),
        sa.Column("value_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("older_until", _INSTANT, nullable=True),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_installation_secrets"),
    )
    op.add_column("activity_log", sa.Column("position", _NUMBER, nullable=True))
    op.add_column("activity_log", sa.Column("content_hash", sa.LargeBinary(), nullable=True))
    op.add_column("activity_log", sa.Column("chain_hash", sa.LargeBinary(), nullable=True))
    op.create_index(
        "ix_activity_log_unchained", "activity_log", ["id"], sqlite_where=_UNCHAINED, postgresql_where=_UNCHAINED
    )
    op.create_index("ix_activity_log_position", "activity_log", ["position"])


def downgrade() -> None:
    op.drop_index("ix_activity_log_position", table_name="activity_log")
    op.drop_index("ix_activity_log_unchained", table_name="activity_log")
    with op.batch_alter_table("activity_log") as batch:
        batch.drop_column("chain_hash")
        batch.drop_column("content_hash")
        batch.drop_column("position")
    op.drop_table("installation_secrets")
    op.drop_table("known_keys")
