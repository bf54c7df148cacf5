"""Tokens of rows, to which sealed values are bound, and sealed columns for the words that people type."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_WITH_TOKENS = (
    "groups",
    "accounts",
    "members",
    "people",
    "contacts",
    "cards",
    "messages",
    "replies",
    "unclear_replies",
    "installation_secrets",
    "login_codes",
    "sessions",
    "invitations",
    "api_tokens",
    "idempotency_keys",
    "imports",
    "import_rows",
)
_SEALED = (
    ("groups", "name_sealed"),
    ("groups", "organisation_sealed"),
    ("groups", "headings_sealed"),
    ("groups", "suspended_why_sealed"),
    ("members", "name_sealed"),
    ("people", "words_sealed"),
    ("contacts", "consent_by_sealed"),
    ("cards", "label_sealed"),
    ("api_tokens", "name_sealed"),
    ("imports", "columns_sealed"),
    ("import_rows", "findings_sealed"),
)
_INDEXED = ("reference", "label", "room")
_IN_USE = sa.text("retired_at IS NULL")


def upgrade() -> None:
    for table in _WITH_TOKENS:
        op.add_column(table, sa.Column("row_token", sa.LargeBinary(), nullable=True))
    for table, column in _SEALED:
        op.add_column(table, sa.Column(column, sa.LargeBinary(), nullable=True))
    op.add_column("cards", sa.Column("label_index", sa.String(16), nullable=False, server_default=""))
    for name in _INDEXED:
        op.add_column("people", sa.Column(f"{name}_index", sa.LargeBinary(), nullable=True))
        op.create_index(f"ix_people_group_id_{name}_index", "people", ["group_id", f"{name}_index"])
        op.drop_index(f"ix_people_group_id_{name}", "people")
    # The labels are empty once they are sealed; their indexes tell two cards of one kind apart.
    op.create_index(
        "uq_cards_in_use",
        "cards",
        ["person_id", "kind", "label", "label_index"],
        unique=True,
        sqlite_where=_IN_USE,
        postgresql_where=_IN_USE,
    )
    op.drop_index("uq_cards_current", "cards")


def downgrade() -> None:
    op.create_index(
        "uq_cards_current",
        "cards",
        ["person_id", "kind", "label"],
        unique=True,
        sqlite_where=_IN_USE,
        postgresql_where=_IN_USE,
    )
    op.drop_index("uq_cards_in_use", "cards")
    for name in _INDEXED:
        op.create_index(f"ix_people_group_id_{name}", "people", ["group_id", name])
        op.drop_index(f"ix_people_group_id_{name}_index", "people")
        op.drop_column("people", f"{name}_index")
    op.drop_column("cards", "label_index")
    for table, column in _SEALED:
        op.drop_column(table, column)
    for table in _WITH_TOKENS:
        op.drop_column(table, "row_token")
