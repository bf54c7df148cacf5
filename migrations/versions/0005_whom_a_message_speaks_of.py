"""Whom a message speaks of besides by its reminders, and what makes forgetting cheap."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_WORDED = "body_sealed IS NOT NULL"
_INDEXES = (
    ("ix_messages_worded", "messages", "created_at", f"{_WORDED} AND state NOT IN ('queued', 'sending', 'unknown')"),
    ("ix_messages_to_strangers", "messages", "created_at", "contact_id IS NULL"),
    ("ix_replies_worded", "replies", "received_at", _WORDED),
)
_REFERENCES = ("contact_id", "card_id", "reply_id")


def upgrade() -> None:
    op.create_table(
        "mentions",
        sa.Column("id", _NUMBER, nullable=False),
        *_reference("message_id", "messages"),
        *_reference("person_id", "people"),
        *_reference("card_id", "cards", nullable=True),
        *_reference("contact_id", "contacts", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_mentions"),
    )
    for column in ("message_id", "person_id", "card_id", "contact_id"):
        op.create_index(f"ix_mentions_{column}", "mentions", [column])
    # Without these each row that is erased reads every notice there ever was.
    for column in _REFERENCES:
        op.create_index(f"ix_notices_{column}", "notices", [column])
    for name, table, column, where in _INDEXES:
        op.create_index(name, table, [column], sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def downgrade() -> None:
    for name, table, _, _ in _INDEXES:
        op.drop_index(name, table_name=table)
    for column in _REFERENCES:
        op.drop_index(f"ix_notices_{column}", table_name="notices")
    op.drop_table("mentions")


def _reference(column: str, to: str, *, nullable: bool = False) -> "list[sa.Column[int] | sa.ForeignKeyConstraint]":
    name = f"fk_mentions_{column}_{to}"
    return [
        sa.Column(column, _NUMBER, nullable=nullable),
        sa.ForeignKeyConstraint([column], [f"{to}.id"], name=name, ondelete="CASCADE"),
    ]
