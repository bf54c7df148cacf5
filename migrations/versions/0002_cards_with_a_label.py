"""Cards with a label of their owner's, and so several of one kind."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_IN_USE = sa.text("retired_at IS NULL")


def upgrade() -> None:
    op.add_column("cards", sa.Column("label", sa.String(length=20), server_default="", nullable=False))
    _replace_index("person_id", "kind", "label")


def downgrade() -> None:
    """Fails, changing nothing, where a person has two cards of one kind: the older index cannot hold them."""
    _replace_index("person_id", "kind")
    with op.batch_alter_table("cards") as cards:
        cards.drop_column("label")


def _replace_index(*columns: str) -> None:
    op.drop_index("uq_cards_current", table_name="cards")
    op.create_index(
        "uq_cards_current", "cards", [*columns], unique=True, sqlite_where=_IN_USE, postgresql_where=_IN_USE
    )
