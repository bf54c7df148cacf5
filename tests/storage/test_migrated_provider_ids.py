"""Ids that an earlier version gave twice: the migration parts them, and says of no message what nobody knows."""

from datetime import datetime, timedelta

from alembic import command
from sqlalchemy import text

from reminder.clock import SystemClock
from reminder.storage.db import schema
from reminder.storage.db.session import Database

COLUMNS = (
    "key, kind, audience, channel, segments, state, scheduled_at, expires_at, attempts, not_found_count,"
    " possibly_double, provider_id, handed_at, created_at, address_sealed"
)


def test_of_messages_with_one_id_the_one_that_was_reported_about_keeps_it(empty_database_url: str) -> None:
    database, now = Database(empty_database_url, durable=False), SystemClock().now().replace(microsecond=0)
    schema.move(database, command.upgrade, "0025")
    on_sqlite = empty_database_url.startswith("sqlite")
    lately, long_ago = now - timedelta(hours=2), now - timedelta(days=40)
    rows = [
        ("first", "accepted", "SM1", "sms", lately),
        ("second", "delivered", "SM1", "sms", lately),
        ("third", "accepted", "SM1", "sms", long_ago),
        ("a call", "accepted", "SM1", "voice", lately),
        ("alone", "accepted", "SM2", "sms", lately),
        ("queued", "queued", None, "sms", lately),
    ]
    with database.writing() as tx:
        for name, state, provider_id, channel, at in rows:
            instant: datetime | str = at.replace(tzinfo=None).isoformat(" ") if on_sqlite else at
            tx.execute(
                text(
                    f"INSERT INTO messages ({COLUMNS}) VALUES (:key, 'reminder', 'person', :channel, 1, :state, :at,"
                    " :at, 1, 0, :no, :id, :at, :at, :address)"
                ),
                {"key": name, "channel": channel, "state": state, "id": provider_id, "at": instant}
                | {"no": False, "address": b"sealed"},
            )

    schema.migrate(database)

    with database.reading() as tx:
        found = {row[0]: tuple(row[1:]) for row in tx.execute(text("SELECT key, state, provider_id FROM messages"))}
        told = dict(list(tx.execute(text("SELECT key, followed_up_at IS NOT NULL FROM messages"))))
    database.close()
    assert found == {
        "first": ("unknown", None),
        "second": ("delivered", "SM1"),
        "third": ("failed", None),
        "a call": ("accepted", "SM1"),
        "alone": ("accepted", "SM2"),
        "queued": ("queued", None),
    }
    assert {name for name, is_told in told.items() if is_told} == {"third"}, "nobody is told of what is long over"
