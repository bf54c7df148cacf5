"""Who signs in and with what, how a group wants to be told, and messages to an address that is nobody's contact."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    for name in ("api_tokens", "passkeys", "sessions", "sign_ins"):
        # Nothing has ever been written into these.
        op.drop_table(name)
    with op.batch_alter_table("groups") as groups:
        groups.add_column(sa.Column("preset", sa.String(20), server_default="", nullable=False))
        groups.add_column(sa.Column("own_days", sa.String(80), server_default="", nullable=False))
        groups.add_column(sa.Column("send_hour", sa.SmallInteger(), nullable=True))
        groups.add_column(sa.Column("on_holidays", sa.Boolean(), server_default=sa.false(), nullable=False))
    _create("accounts", _sealed("address"), _text("language", 10), _instant("created_at"), unique=["address_index"])
    with op.batch_alter_table("members") as members:
        members.add_column(sa.Column("account_id", _NUMBER, nullable=True))
        members.add_column(sa.Column("name", sa.String(20), server_default="", nullable=False))
        members.add_column(sa.Column("copies", sa.String(10), server_default="all", nullable=False))
        members.create_index("ix_members_account_id", ["account_id"])
        members.create_unique_constraint("uq_members_group_id_account_id", ["group_id", "account_id"])
        members.create_foreign_key(
            "fk_members_account_id_accounts", "accounts", ["account_id"], ["id"], ondelete="SET NULL"
        )
    with op.batch_alter_table("messages") as messages:
        messages.add_column(sa.Column("address_sealed", sa.LargeBinary(), nullable=True))
        messages.alter_column("group_id", existing_type=_NUMBER, nullable=True)
        messages.alter_column("contact_id", existing_type=_NUMBER, nullable=True)
        messages.create_check_constraint(
            op.f("ck_messages_one_reader"), "(contact_id IS NULL) <> (address_sealed IS NULL)"
        )
    _create(
        "sign_ins",
        _sealed("address"),
        [_bytes("network_index"), _bytes("browser_hash"), _bytes("code_hash"), _number("tries")],
        _instant("created_at", "expires_at"),
        _instant("used_at", nullable=True),
        indexed=["address_index", "network_index", "browser_hash", "created_at"],
    )
    _create(
        "sessions",
        _reference("sessions", "account_id", "accounts"),
        _reference("sessions", "member_id", "members", ondelete="SET NULL"),
        [_bytes("token_hash")],
        _text("device", 40),
        _instant("created_at", "seen_at", "expires_at"),
        _instant("revoked_at", nullable=True),
        unique=["token_hash"],
        indexed=["account_id", "member_id"],
    )
    _create(
        "passkeys",
        _reference("passkeys", "account_id", "accounts"),
        [_bytes("credential_id"), _bytes("public_key"), _number("sign_count")],
        _text("device", 40),
        _instant("created_at"),
        _instant("used_at", nullable=True),
        unique=["credential_id"],
        indexed=["account_id"],
    )
    _create(
        "challenges",
        _reference("challenges", "account_id", "accounts", nullable=True),
        [_bytes("challenge")],
        _instant("expires_at"),
        unique=["challenge"],
        indexed=["account_id", "expires_at"],
    )
    _create(
        "invitations",
        _reference("invitations", "group_id", "groups"),
        _sealed("address"),
        _text("role", 10),
        _instant("created_at", "expires_at"),
        _instant("ended_at", nullable=True),
        indexed=["group_id", "address_index"],
    )
    _create(
        "api_tokens",
        _reference("api_tokens", "group_id", "groups"),
        _reference("api_tokens", "made_by", "members"),
        _text("name", 30),
        [_bytes("token_hash")],
        _text("scopes", 100),
        _instant("created_at"),
        _instant("used_at", "revoked_at", nullable=True),
        unique=["token_hash"],
        indexed=["group_id", "made_by"],
    )
    _create(
        "kept_answers",
        _reference("kept_answers", "token_id", "api_tokens"),
        [
            _bytes("key_hash"),
            _bytes("request_hash"),
            sa.Column("status", _NUMBER),
            _bytes("body_sealed", nullable=True),
        ],
        _instant("created_at"),
        indexed=["created_at"],
    )
    with op.batch_alter_table("kept_answers") as kept:
        kept.create_unique_constraint("uq_kept_answers_token_id_key_hash", ["token_id", "key_hash"])
    _create(
        "feeds",
        _reference("feeds", "member_id", "members"),
        [_bytes("token_hash"), sa.Column("is_private", sa.Boolean(), nullable=False)],
        _instant("created_at"),
        _instant("revoked_at", nullable=True),
        unique=["token_hash"],
        indexed=["member_id"],
    )


def downgrade() -> None:
    """Forgets who signs in; messages to addresses that are nobody's contact go with it."""
    for name in (
        "feeds", "kept_answers", "api_tokens", "invitations", "challenges", "passkeys", "sessions", "sign_ins",
    ):  # fmt: skip
        op.drop_table(name)
    op.execute("DELETE FROM messages WHERE contact_id IS NULL")
    with op.batch_alter_table("messages") as messages:
        messages.drop_constraint(op.f("ck_messages_one_reader"), type_="check")
        messages.drop_column("address_sealed")
        messages.alter_column("group_id", existing_type=_NUMBER, nullable=False)
        messages.alter_column("contact_id", existing_type=_NUMBER, nullable=False)
    with op.batch_alter_table("members") as members:
        members.drop_constraint("fk_members_account_id_accounts", type_="foreignkey")
        members.drop_constraint("uq_members_group_id_account_id", type_="unique")
        members.drop_index("ix_members_account_id")
        for name in ("copies", "name", "account_id"):
            members.drop_column(name)
    op.drop_table("accounts")
    with op.batch_alter_table("groups") as groups:
        for name in ("on_holidays", "send_hour", "own_days", "preset"):
            groups.drop_column(name)
    _create(
        "sign_ins",
        [_bytes("address_index"), _bytes("code_hash"), _number("tries")],
        _instant("created_at", "expires_at"),
        _instant("used_at", nullable=True),
        indexed=["address_index"],
    )
    _create(
        "sessions",
        _reference("sessions", "member_id", "members"),
        [_bytes("token_hash")],
        _instant("created_at", "expires_at"),
        _instant("revoked_at", nullable=True),
        unique=["token_hash"],
        indexed=["member_id"],
    )
    _create(
        "passkeys",
        _reference("passkeys", "member_id", "members"),
        [_bytes("credential_id"), _bytes("public_key"), _number("sign_count")],
        _instant("created_at"),
        unique=["credential_id"],
        indexed=["member_id"],
    )
    _create(
        "api_tokens",
        _reference("api_tokens", "group_id", "groups"),
        [_bytes("token_hash")],
        _text("scopes", 100),
        _instant("created_at"),
        _instant("revoked_at", nullable=True),
        unique=["token_hash"],
        indexed=["group_id"],
    )


_Parts = Sequence["sa.Column[object] | sa.Constraint"]


def _create(table: str, *parts: _Parts, unique: Sequence[str] = (), indexed: Sequence[str] = ()) -> None:
    """With an id of its own in front."""
    op.create_table(
        table,
        _number("id"),
        *(part for some in parts for part in some),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        *(sa.UniqueConstraint(column, name=f"uq_{table}_{column}") for column in unique),
    )
    for column in indexed:
        op.create_index(f"ix_{table}_{column}", table, [column])


def _reference(table: str, column: str, to: str, *, nullable: bool = False, ondelete: str = "CASCADE") -> _Parts:
    name = f"fk_{table}_{column}_{to}"
    return [
        sa.Column(column, _NUMBER, nullable=nullable or ondelete == "SET NULL"),
        sa.ForeignKeyConstraint([column], [f"{to}.id"], name=name, ondelete=ondelete),
    ]


def _sealed(name: str) -> _Parts:
    return [_bytes(f"{name}_sealed"), _bytes(f"{name}_index")]


def _text(name: str, length: int) -> _Parts:
    return [sa.Column(name, sa.String(length), nullable=False)]


def _instant(*names: str, nullable: bool = False) -> _Parts:
    return [sa.Column(name, sa.DateTime(timezone=True), nullable=nullable) for name in names]


def _bytes(name: str, *, nullable: bool = False) -> "sa.Column[object]":
    return sa.Column(name, sa.LargeBinary(), nullable=nullable)


def _number(name: str) -> "sa.Column[object]":
    return sa.Column(name, _NUMBER, nullable=False)
