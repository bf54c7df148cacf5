"""What became of each end date of a card, and the counts of it that name nobody."""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_UNKNOWN = sa.text("outcome = 'unknown'")
_THEIRS = "group_id = ANY ((SELECT kigen_groups())::bigint[])"
_OF_THEIR_CARD = "EXISTS (SELECT 1 FROM cards WHERE cards.id = counted_ends.card_id)"
_CLOSED = {
    "group_kind": ("household", "home"),
    "mode": ("standard", "elderly", "home"),
    "outcome": ("before", "in_grace", "after", "ended", "unknown"),
    "reason": ("not_needed", "returned", "lost", "died", "moved_away"),
}


def upgrade() -> None:
    op.create_index("ix_cards_expires_on", "cards", ["expires_on", "id"])
    op.create_index("ix_card_lives_expires_on", "card_lives", ["expires_on", "card_id"])
    op.create_index("ix_card_lives_changed_at", "card_lives", ["changed_at"])
    op.create_table(
        "counted_ends",
        sa.Column("id", _ID, primary_key=True),
        sa.Column(
            "card_id",
            _ID,
            sa.ForeignKey("cards.id", ondelete="CASCADE", name="fk_counted_ends_card_id_cards"),
            nullable=False,
        ),
        sa.Column(
            "group_id",
            _ID,
            sa.ForeignKey("groups.id", ondelete="CASCADE", name="fk_counted_ends_group_id_groups"),
            nullable=False,
        ),
        sa.Column("expires_on", sa.Date(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=False),
        sa.Column("grace_ends_on", sa.Date(), nullable=True),
        *_counted_under(),
        sa.Column("outcome", sa.String(10), nullable=False),
        sa.Column("reason", sa.String(20), nullable=True),
        sa.Column("acted_on", sa.Date(), nullable=True),
        sa.Column("counted_at", sa.DateTime(timezone=True), nullable=False),
        *_checks(*_CLOSED),
        sa.UniqueConstraint("card_id", "expires_on", name="uq_counted_ends_card_id_expires_on"),
    )
    op.create_index("ix_counted_ends_group_id_expires_on", "counted_ends", ["group_id", "expires_on"])
    op.create_index(
        "ix_counted_ends_unknown", "counted_ends", ["expires_on"], sqlite_where=_UNKNOWN, postgresql_where=_UNKNOWN
    )
    op.create_table(
        "effect_counts",
        sa.Column("month", sa.Date(), nullable=False),
        *_counted_under(),
        sa.Column("outcome", sa.String(10), nullable=False),
        sa.Column("reason", sa.String(20), nullable=False),
        sa.Column("ends", sa.Integer(), nullable=False),
        *_checks("group_kind", "mode", "outcome"),
        sa.PrimaryKeyConstraint(
            "month", "kind", "group_kind", "mode", "step", "channel", "outcome", "reason", name="pk_effect_counts"
        ),
    )
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    owner = connection.exec_driver_sql("SELECT quote_ident(current_user)").scalar()
    connection.exec_driver_sql("ALTER TABLE counted_ends ENABLE ROW LEVEL SECURITY")
    connection.exec_driver_sql("ALTER TABLE counted_ends FORCE ROW LEVEL SECURITY")
    connection.exec_driver_sql(f"CREATE POLICY everything ON counted_ends TO {owner} USING (true) WITH CHECK (true)")
    check = f"{_THEIRS} AND {_OF_THEIR_CARD}"
    connection.exec_driver_sql(f"CREATE POLICY acted_for ON counted_ends USING ({_THEIRS}) WITH CHECK ({check})")


def downgrade() -> None:
    op.drop_table("effect_counts")
    op.drop_table("counted_ends")
    op.drop_index("ix_card_lives_changed_at", table_name="card_lives")
    op.drop_index("ix_card_lives_expires_on", table_name="card_lives")
    op.drop_index("ix_cards_expires_on", table_name="cards")


def _counted_under() -> tuple[sa.Column[str], ...]:
    lengths = {"kind": 40, "group_kind": 20, "mode": 10, "step": 20, "channel": 10}
    return tuple(sa.Column(name, sa.String(length), nullable=False) for name, length in lengths.items())


def _checks(*names: str) -> tuple[sa.CheckConstraint, ...]:
    return tuple(
        sa.CheckConstraint(f"{name} IN ({', '.join(repr(one) for one in _CLOSED[name])})", name=name) for name in names
    )
