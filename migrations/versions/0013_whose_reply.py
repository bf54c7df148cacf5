"""Replies to a shared telephone whose person is not known yet, and rows that no worker could read."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_INSTANT = sa.DateTime(timezone=True)
_WAITING = sa.text("settled_at IS NULL")
_INTENTS = (
    "intent IN ('number', 'stop', 'start', 'wrong_person', 'who', 'family', 'later', 'going', 'done', 'thanks', "
    "'unknown')"
)


def upgrade() -> None:
    op.create_table(
        "unclear_replies",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("provider_id", sa.String(80), nullable=False),
        sa.Column("intent", sa.String(20), nullable=False),
        sa.Column("body_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("received_at", _INSTANT, nullable=False),
        sa.Column("expires_at", _INSTANT, nullable=False),
        sa.Column("asked_at", _INSTANT, nullable=True),
        sa.Column("settled_at", _INSTANT, nullable=True),
        sa.CheckConstraint(_INTENTS, name=op.f("ck_unclear_replies_intent")),
        sa.PrimaryKeyConstraint("id", name="pk_unclear_replies"),
        sa.UniqueConstraint("provider_id", name="uq_unclear_replies_provider_id"),
    )
    op.create_index(
        "ix_unclear_replies_waiting",
        "unclear_replies",
        ["expires_at"],
        sqlite_where=_WAITING,
        postgresql_where=_WAITING,
    )
    op.create_index("ix_unclear_replies_received_at", "unclear_replies", ["received_at"])
    op.create_table(
        "reply_choices",
        sa.Column("reply_id", _NUMBER, nullable=False),
        sa.Column("digit", sa.SmallInteger(), nullable=False),
        sa.Column("contact_id", _NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("reply_id", "digit", name="pk_reply_choices"),
        sa.ForeignKeyConstraint(
            ["reply_id"],
            ["unclear_replies.id"],
            name="fk_reply_choices_reply_id_unclear_replies",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contacts.id"], name="fk_reply_choices_contact_id_contacts", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_reply_choices_contact_id", "reply_choices", ["contact_id"])
    op.create_table(
        "set_aside_rows",
        sa.Column("queue", sa.String(20), nullable=False),
        sa.Column("row_id", _NUMBER, nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("queue", "row_id", name="pk_set_aside_rows"),
    )
    op.create_index("ix_set_aside_rows_at", "set_aside_rows", ["at"])


def downgrade() -> None:
    op.drop_table("set_aside_rows")
    op.drop_table("reply_choices")
    op.drop_table("unclear_replies")
