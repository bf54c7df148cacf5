"""What people answer, what a human must be told, and who has taken a card on."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_WAITING = sa.text("handled_at IS NULL")
_UNTOLD = sa.text("told_at IS NULL")
_SILENT = sa.text("retired_at IS NULL AND escalate_on IS NOT NULL")


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("contacts", sa.Column("stopped_by", sa.String(10), nullable=True))
    op.add_column("contacts", sa.Column("practised_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("cards", sa.Column("done_on", sa.Date(), nullable=True))
    op.add_column("cards", sa.Column("remind_on", sa.Date(), nullable=True))
    op.add_column("cards", sa.Column("asked", sa.SmallInteger(), nullable=False, server_default="0"))
    op.add_column("cards", sa.Column("escalate_on", sa.Date(), nullable=True))
    op.create_index("ix_cards_silent", "cards", ["escalate_on"], sqlite_where=_SILENT, postgresql_where=_SILENT)
    op.add_column("messages", sa.Column("asks", sa.SmallInteger(), nullable=True))
    op.create_index("ix_replies_waiting", "replies", ["id"], sqlite_where=_WAITING, postgresql_where=_WAITING)
    op.create_table(
        "takings",
        sa.Column("id", number, nullable=False),
        sa.Column("card_id", number, nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=False),
        sa.Column("contact_id", number, nullable=False),
        sa.Column("taken_on", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(["card_id"], ["cards.id"], name="fk_takings_card_id_cards", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contacts.id"], name="fk_takings_contact_id_contacts", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_takings"),
        sa.UniqueConstraint("card_id", "expires_on", name="uq_takings_card_id_expires_on"),
    )
    op.create_index("ix_takings_contact_id", "takings", ["contact_id"])
    op.create_table(
        "notices",
        sa.Column("id", number, nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("person_id", number, nullable=False),
        sa.Column("contact_id", number, nullable=True),
        sa.Column("card_id", number, nullable=True),
        sa.Column("reply_id", number, nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_notices_person_id_people", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contacts.id"], name="fk_notices_contact_id_contacts", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["card_id"], ["cards.id"], name="fk_notices_card_id_cards", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["reply_id"], ["replies.id"], name="fk_notices_reply_id_replies", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_notices"),
    )
    op.create_index("ix_notices_person_id", "notices", ["person_id"])
    op.create_table(
        "remembered",
        sa.Column("name", sa.String(20), nullable=False),
        sa.Column("value", sa.String(80), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_remembered"),
    )
    op.create_index("ix_notices_waiting", "notices", ["id"], sqlite_where=_UNTOLD, postgresql_where=_UNTOLD)


def downgrade() -> None:
    op.drop_table("remembered")
    op.drop_table("notices")
    op.drop_table("takings")
    op.drop_index("ix_replies_waiting", table_name="replies")
    with op.batch_alter_table("messages") as messages:
        messages.drop_column("asks")
    op.drop_index("ix_cards_silent", table_name="cards")
    with op.batch_alter_table("cards") as cards:
        for name in ("escalate_on", "asked", "remind_on", "done_on"):
            cards.drop_column(name)
    with op.batch_alter_table("contacts") as contacts:
        contacts.drop_column("practised_at")
        contacts.drop_column("stopped_by")
