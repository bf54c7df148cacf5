"""Who asks for a code, and the proofs of sessions, tokens, calendars and passkeys."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("login_codes", sa.Column("mailbox_index", sa.LargeBinary(), nullable=True))
    op.add_column("login_codes", sa.Column("long_code_hash", sa.LargeBinary(), nullable=True))
    op.add_column("login_codes", sa.Column("is_mailed", sa.Boolean(), server_default=sa.true(), nullable=False))
    op.add_column("login_codes", sa.Column("is_known", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("login_codes", sa.Column("session_id", _NUMBER, nullable=True))
    op.create_index("ix_login_codes_mailbox_index", "login_codes", ["mailbox_index"])
    op.add_column("sessions", sa.Column("token_proof", sa.LargeBinary(), nullable=True))
    op.add_column("sessions", sa.Column("browser_hash", sa.LargeBinary(), nullable=True))
    op.add_column("sessions", sa.Column("proved_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("api_tokens", sa.Column("token_proof", sa.LargeBinary(), nullable=True))
    op.add_column("calendar_feeds", sa.Column("token_proof", sa.LargeBinary(), nullable=True))
    op.add_column("passkeys", sa.Column("proof", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    op.drop_column("passkeys", "proof")
    op.drop_column("calendar_feeds", "token_proof")
    op.drop_column("api_tokens", "token_proof")
    for column in ("proved_at", "browser_hash", "token_proof"):
        op.drop_column("sessions", column)
    op.drop_index("ix_login_codes_mailbox_index", table_name="login_codes")
    for column in ("session_id", "is_known", "is_mailed", "long_code_hash", "mailbox_index"):
        op.drop_column("login_codes", column)
