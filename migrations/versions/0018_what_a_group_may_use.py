"""What a group may hold and use, whether it is on trial, and whether it is suspended."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("groups", sa.Column("quotas", sa.JSON(), nullable=False, server_default="{}"))
    op.add_column("groups", sa.Column("trial_since", _INSTANT, nullable=True))
    op.add_column("groups", sa.Column("suspended_at", _INSTANT, nullable=True))
    op.add_column("groups", sa.Column("suspended_why", sa.String(100), nullable=False, server_default=""))
    op.create_table(
        "group_usage",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("group_id", _NUMBER, nullable=False),
        sa.Column("quota", sa.String(30), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["group_id"], ["groups.id"], name="fk_group_usage_group_id_groups", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_group_usage"),
        sa.UniqueConstraint("group_id", "quota", "day", name="uq_group_usage_group_id_quota_day"),
    )
    op.create_index("ix_group_usage_day", "group_usage", ["day"])
    op.create_table(
        "address_usage",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("address_index", sa.LargeBinary(), nullable=False),
        sa.Column("what", sa.String(30), nullable=False),
        sa.Column("hour", _INSTANT, nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_address_usage"),
        sa.UniqueConstraint("address_index", "what", "hour", name="uq_address_usage_address_index_what_hour"),
    )
    op.create_index("ix_address_usage_hour", "address_usage", ["hour"])


def downgrade() -> None:
    op.drop_table("address_usage")
    op.drop_table("group_usage")
    for name in ("suspended_why", "suspended_at", "trial_since", "quotas"):
        op.drop_column("groups", name)
