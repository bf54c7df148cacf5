"""How fast programs and addresses ask, and who reads a sheet at present, for all processes."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "request_rates",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("used_until", _NUMBER, nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_request_rates"),
        sa.UniqueConstraint("name", name="uq_request_rates_name"),
    )
    op.create_index("ix_request_rates_asked_at", "request_rates", ["asked_at"])


def downgrade() -> None:
    op.drop_index("ix_request_rates_asked_at", table_name="request_rates")
    op.drop_table("request_rates")
