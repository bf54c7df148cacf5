"""What a message is for, and the closed sets that the database holds to itself."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# How the keys of messages begin that were made before they had a kind.
_KIND_OF_KEY = {
    "silent:": "escalation",
    "notice:": "notice",
    "undelivered:": "failure_notice",
    "reach:": "verification",
    "digest:": "digest",
    "answer:": "answer",
    "consent:": "consent_request",
    "practice:": "test_call",
    "code:": "login_code",
    "invitation:": "invitation",
}
_KINDS = ("reminder", "copy", *_KIND_OF_KEY.values())

# By table and column, every value that it may have.
_CLOSED: Mapping[str, Mapping[str, Sequence[str]]] = {
    "groups": {"kind": ("household", "home")},
    "members": {"role": ("owner", "editor", "viewer"), "copies": ("all", "near", "none")},
    "people": {"mode": ("standard", "elderly", "home")},
    "contacts": {
        "state": ("unconfirmed", "confirmed", "opted_out", "unreachable"),
        "consent_how": ("spoken", "written", "agent", "reply"),
        "stopped_by": ("reply", "click", "family", "provider"),
    },
    "reminders": {"state": ("open", "acknowledged", "superseded", "settled")},
    "messages": {
        "kind": _KINDS,
        "audience": ("person", "carer", "staff"),
        "state": (
            "queued",
            "sending",
            "unknown",
            "accepted",
            "delivered",
            "undelivered",
            "failed",
            "stale",
            "cancelled",
        ),
    },
    "replies": {
        "intent": (
            "number",
            "stop",
            "start",
            "wrong_person",
            "who",
            "family",
            "later",
            "going",
            "done",
            "thanks",
            "unknown",
        )
    },
    "notices": {
        "kind": (
            "undelivered",
            "undelivered_mail",
            "undelivered_call",
            "undelivered_line",
            "lost",
            "lost_member",
            "done",
            "which",
            "family",
            "unread",
            "number",
            "stopped",
            "declined",
            "wrong_person",
            "silent",
            "unproven",
            "landline",
            "sender",
            "reach",
        )
    },
    "invitations": {"role": ("owner", "editor", "viewer")},
}


def upgrade() -> None:
    op.add_column("messages", sa.Column("kind", sa.String(20), nullable=True))
    _tell_kinds()
    for table, columns in _CLOSED.items():
        with op.batch_alter_table(table) as batch:
            if table == "messages":
                batch.alter_column("kind", existing_type=sa.String(20), nullable=False)
            for column, values in columns.items():
                batch.create_check_constraint(op.f(f"ck_{table}_{column}"), f"{column} IN ({_listed(values)})")


def _tell_kinds() -> None:
    """A key that begins in none of the known ways is of a reminder where the message is linked to one, as those of
    `told:` are; else nobody knows what it was for, and it counts as a notice."""
    known = " ".join(f"WHEN key LIKE '{prefix}%' THEN '{kind}'" for prefix, kind in _KIND_OF_KEY.items())
    is_of_step = "key LIKE 'told:%' OR EXISTS (SELECT 1 FROM message_reminders WHERE message_id = messages.id)"
    op.execute(
        f"UPDATE messages SET kind = CASE {known} WHEN NOT ({is_of_step}) THEN 'notice' "  # noqa: S608
        "WHEN audience = 'person' THEN 'reminder' ELSE 'copy' END"
    )


def _listed(values: Sequence[str]) -> str:
    return ", ".join(f"'{value}'" for value in values)


def downgrade() -> None:
    for table, columns in reversed(_CLOSED.items()):
        with op.batch_alter_table(table) as batch:
            for column in columns:
                batch.drop_constraint(op.f(f"ck_{table}_{column}"), type_="check")
            if table == "messages":
                batch.drop_column("kind")
