"""The ledger of consents, one for each number and address, which outlives the contact."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_INSTANT = sa.DateTime(timezone=True)
_ACTS = "act IN ('asked', 'consented', 'withdrew', 'wrong_person')"
_WAYS = (
    "way IN ('text', 'mail', 'reply', 'link', 'sign_in', 'member', 'spoken', 'written', 'agent', 'provider', 'page', "
    "'operator', 'unknown')"
)


def upgrade() -> None:
    op.create_table(
        "consent_records",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("address_index", sa.LargeBinary(), nullable=False),
        sa.Column("group_id", _NUMBER, nullable=True),
        sa.Column("act", sa.String(12), nullable=False),
        sa.Column("way", sa.String(10), nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_consent_records"),
        sa.CheckConstraint(_ACTS, name=op.f("ck_consent_records_act")),
        sa.CheckConstraint(_WAYS, name=op.f("ck_consent_records_way")),
    )
    op.create_index("ix_consent_records_address_index", "consent_records", ["address_index"])
    op.create_index("ix_consent_records_group_id", "consent_records", ["group_id"])
    op.add_column("contacts", sa.Column("consent_index", sa.LargeBinary(), nullable=True))
    op.create_index("ix_contacts_consent_index", "contacts", ["consent_index"])


def downgrade() -> None:
    op.drop_index("ix_contacts_consent_index", "contacts")
    op.drop_column("contacts", "consent_index")
    op.drop_table("consent_records")
