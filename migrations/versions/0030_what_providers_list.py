"""How far the lists of providers have been read, which texts were heard, and which receipts were fetched."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("receipts", sa.Column("is_fetched", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table(
        "provider_fetches",
        sa.Column("channel", sa.String(10), primary_key=True),
        *(
            sa.Column(name, sa.DateTime(timezone=True), nullable=True)
            for name in ("fetched_until", "wanted_since", "since", "began_at")
        ),
        sa.Column("next_page", sa.String(400), nullable=True),
        sa.Column("tried_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failure", sa.String(40), nullable=True),
    )
    op.create_table(
        "inbound_text_ids",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("provider_id", sa.String(80), nullable=False),
        sa.Column("heard_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("provider_id", name="uq_inbound_text_ids_provider_id"),
    )
    op.create_index("ix_inbound_text_ids_heard_at", "inbound_text_ids", ["heard_at"])


def downgrade() -> None:
    op.drop_table("inbound_text_ids")
    op.drop_table("provider_fetches")
    op.drop_column("receipts", "is_fetched")
