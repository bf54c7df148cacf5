"""One id of a provider belongs to one message; traces of texts whose contact was erased.

Earlier programs could give one id to two messages of the same words, of which one may never have arrived. The first
keeps it. Of the others of the last day the provider is asked again; older ones count as not seen, and nobody is told of
them any more.
"""

from datetime import timedelta

import sqlalchemy as sa
from alembic import op

from reminder.clock import SystemClock

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

_HAS_ID = sa.text("provider_id IS NOT NULL")
_LATELY = timedelta(days=1)
_MESSAGES = sa.table(
    "messages",
    sa.column("id", sa.BigInteger()),
    sa.column("channel", sa.String()),
    sa.column("state", sa.String()),
    sa.column("reason", sa.String()),
    sa.column("provider_id", sa.String()),
    sa.column("handed_at", sa.DateTime(timezone=True)),
    sa.column("ended_at", sa.DateTime(timezone=True)),
    sa.column("followed_up_at", sa.DateTime(timezone=True)),
    sa.column("lease_until", sa.DateTime(timezone=True)),
    sa.column("not_found_count", sa.BigInteger()),
)


def upgrade() -> None:
    op.add_column("messages", sa.Column("is_matched", sa.Boolean(), nullable=False, server_default=sa.false()))
    _part_shared_ids()
    op.create_index(
        "uq_messages_provider_id",
        "messages",
        ["provider_id", "channel"],
        unique=True,
        sqlite_where=_HAS_ID,
        postgresql_where=_HAS_ID,
    )
    op.drop_index("ix_messages_provider_id", "messages")
    op.create_table(
        "sent_traces",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("trace_index", sa.LargeBinary(), nullable=False),
        sa.Column("channel", sa.String(10), nullable=False),
        sa.Column("provider_id", sa.String(80), nullable=True),
        sa.Column("is_certain", sa.Boolean(), nullable=False),
        sa.Column("is_delivered", sa.Boolean(), nullable=False),
        sa.Column("handed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
    )
    for column in ("trace_index", "provider_id", "handed_at"):
        op.create_index(f"ix_sent_traces_{column}", "sent_traces", [column])


def _part_shared_ids() -> None:
    bind = op.get_bind()
    now = SystemClock().now()
    if bind.dialect.name == "sqlite":
        now = now.replace(tzinfo=None)
    first = _MESSAGES.alias("first")
    is_first = sa.or_(
        first.c.id < _MESSAGES.c.id,
        # One that the provider has reported about keeps it.
        sa.and_(first.c.state == "delivered", _MESSAGES.c.state != "delivered"),
    )
    is_before = sa.and_(is_first, ~sa.and_(_MESSAGES.c.state == "delivered", first.c.state != "delivered"))
    shared = sa.exists().where(
        first.c.channel == _MESSAGES.c.channel,
        first.c.provider_id == _MESSAGES.c.provider_id,
        first.c.id != _MESSAGES.c.id,
        is_before,
    )
    ids = list(bind.execute(sa.select(_MESSAGES.c.id).where(_MESSAGES.c.provider_id.is_not(None), shared)).scalars())
    for message_id in ids:
        this = sa.update(_MESSAGES).where(_MESSAGES.c.id == message_id)
        bind.execute(this.values(provider_id=None))
        settled = this.where(_MESSAGES.c.state.in_(("accepted", "delivered", "undelivered")))
        lately = _MESSAGES.c.handed_at >= now - _LATELY
        asked = {"state": "unknown", "reason": "not_told_apart", "lease_until": now, "not_found_count": 0}
        bind.execute(settled.where(lately).values(**asked, ended_at=None))
        failed = {"state": "failed", "reason": "not_seen", "ended_at": now, "followed_up_at": now}
        bind.execute(settled.where(sa.not_(lately)).values(**failed))


def downgrade() -> None:
    op.drop_table("sent_traces")
    op.create_index("ix_messages_provider_id", "messages", ["provider_id"])
    op.drop_index("uq_messages_provider_id", "messages")
    op.drop_column("messages", "is_matched")
