"""What a row costs on a real PostgreSQL, with its indexes: `python -m tests.bench.rows [--rows N]`."""

import argparse
import tempfile
from pathlib import Path

from sqlalchemy import Connection, text

from reminder.clock import SteppedClock
from reminder.planning.planner import plan_due
from reminder.storage.crypto.keyring import new_key
from reminder.storage.db import schema
from reminder.storage.db.session import Database
from reminder.wiring import build_app, read_settings
from tests.chaos import people, servers

# Each row of these is a copy of a real one with what differs from row to row, {n} its number: (table, of which row, what).
# A text has a contact, a reminder and two receipts of its own.
INDEX = "substring(sha256(convert_to(n::text, 'UTF8')) for length(t.address_index))"
COPIES = (
    ("groups", "id = 1", {"id": "{n}"}),
    ("people", "id = 1", {"id": "{n}", "group_id": "{n}"}),
    ("contacts", "person_id = 1", {"id": "{n}", "person_id": "{n}", "address_index": INDEX}),
    ("cards", "id = 1", {"id": "{n}", "person_id": "{n}", "next_reminder_on": "date '2027-04-01' + ({n} % 1800)::int"}),
    ("reminders", "card_id = 1", {"id": "{n}", "card_id": "{n}"}),
    (
        "messages",
        "audience = 'person' AND id < 100",
        {
            "id": "{n}", "group_id": "{n}", "contact_id": "{n}", "key": "concat_ws(chr(58), 'told', {n}, '2027-03-17', 'sms', 0)", "state": "'delivered'",
            "provider_id": "'SM' || md5({n}::text)", "handed_at": "t.scheduled_at", "ended_at": "t.scheduled_at", "attempts": "1",
        },
    ),
    ("message_reminders", "message_id < 100", {"message_id": "{n}", "reminder_id": "{n}"}),
)  # fmt: skip
RECEIPTS = """
    INSERT INTO receipts (provider_id, status, message_id, received_at, applied_at)
    SELECT m.provider_id, s.status, m.id, m.ended_at, m.ended_at
    FROM messages m CROSS JOIN (VALUES ('sent'), ('delivered')) s (status) WHERE m.id > 1000
"""
SIZES = text(
    "SELECT c.relname, pg_table_size(c.oid), pg_indexes_size(c.oid), pg_total_relation_size(c.oid) FROM pg_class c"
    " WHERE c.relname IN ('people', 'contacts', 'cards', 'reminders', 'messages', 'message_reminders', 'receipts')"
    " ORDER BY c.oid"
)
INDEXES = text(
    "SELECT indexrelname, pg_relation_size(indexrelid) FROM pg_stat_user_indexes"
    " WHERE relname IN ('messages', 'receipts', 'cards') ORDER BY relname, 2 DESC"
)
FIRST = 1000  # ids of the copies lie beyond those of the real rows


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rows", type=int, default=1_000_000)
    count = arguments.parse_args().rows
    with tempfile.TemporaryDirectory() as folder, servers.made() as (server, _):
        servers.start_primary(server)
        url = servers.url(server)
        database = Database(url)
        schema.migrate(database)
        settings = read_settings(database_url=url, data_dir=Path(folder), secret_keys=(new_key(),))
        with build_app(settings, clock=SteppedClock(people.MORNING)) as app:
            people.enrol(app, people.IN_A_FAMILY)
            plan_due(app.units, people.MORNING)
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            fill(connection, count)
            show(connection, count, "with their words")
            connection.execute(text("UPDATE messages SET body_sealed = NULL"))
            connection.execute(text("VACUUM FULL messages"))
            show(connection, count, "their words forgotten")
        database.close()


def fill(connection: Connection, count: int) -> None:
    for table, which, changed in COPIES:
        columns = [row[0] for row in connection.execute(text(
            "SELECT column_name FROM information_schema.columns WHERE table_name = :t AND table_schema = 'public'"), {"t": table}
        )]  # fmt: skip
        values = [changed.get(name, f"t.{name}").replace("{n}", "n") for name in columns]
        connection.execute(
            text(
                f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(values)}"
                f" FROM (SELECT * FROM {table} WHERE {which} LIMIT 1) t, generate_series({FIRST + 1}, {FIRST + count}) n"
            )
        )
    connection.execute(text(RECEIPTS))
    connection.execute(text("VACUUM ANALYZE"))


def show(connection: Connection, count: int, what: str) -> None:
    print(f"{count} of each, {what}: bytes a row in the table, in its indexes, together")
    for name, table, indexes, whole in connection.execute(SIZES):
        rows = 2 * count if name == "receipts" else count
        print(f"  {name:20} {table / rows:6.0f} {indexes / rows:6.0f} {whole / rows:6.0f}")
    for name, size in connection.execute(INDEXES):
        if size / count >= 1:
            print(f"    {name:36} {size / count:6.0f} a message or card")


if __name__ == "__main__":
    main()
