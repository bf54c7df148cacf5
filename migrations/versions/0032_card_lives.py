"""The life of a card between two end dates: applied, ready to be collected, booked, done, renewed, or ended and why."""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

_STATES = ("open", "applied", "ready_to_collect", "done", "renewed", "ended")
_REASONS = ("not_needed", "returned", "lost", "died", "moved_away")
_THEIRS = "EXISTS (SELECT 1 FROM cards WHERE cards.id = card_lives.card_id)"


def upgrade() -> None:
    op.create_table(
        "card_lives",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column(
            "card_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.ForeignKey("cards.id", ondelete="CASCADE", name="fk_card_lives_card_id_cards"),
            nullable=False,
        ),
        sa.Column("expires_on", sa.Date(), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        *(sa.Column(name, sa.Date(), nullable=True) for name in ("expected_by", "collect_by", "appointment_on")),
        sa.Column("renewed_to", sa.Date(), nullable=True),
        sa.Column("reason", sa.String(20), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("before", sa.JSON(), nullable=True),
        sa.CheckConstraint(f"state IN ({_listed(_STATES)})", name="state"),
        sa.CheckConstraint(f"reason IN ({_listed(_REASONS)})", name="reason"),
        sa.UniqueConstraint("card_id", "expires_on", name="uq_card_lives_card_id_expires_on"),
    )
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    owner = connection.exec_driver_sql("SELECT quote_ident(current_user)").scalar()
    connection.exec_driver_sql("ALTER TABLE card_lives ENABLE ROW LEVEL SECURITY")
    connection.exec_driver_sql("ALTER TABLE card_lives FORCE ROW LEVEL SECURITY")
    connection.exec_driver_sql(f"CREATE POLICY everything ON card_lives TO {owner} USING (true) WITH CHECK (true)")
    connection.exec_driver_sql(f"CREATE POLICY acted_for ON card_lives USING ({_THEIRS}) WITH CHECK ({_THEIRS})")


def downgrade() -> None:
    op.drop_table("card_lives")


def _listed(values: tuple[str, ...]) -> str:
    return ", ".join(f"'{value}'" for value in values)
