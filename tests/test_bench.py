"""What the benchmarks call is still there: nobody runs them every day."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from reminder.storage.crypto.keyring import new_key, read_keys
from reminder.storage.db.session import Database
from reminder.storage.runtime import heartbeats
from tests.bench import sheets
from tests.bench.fill import SMALL, fill


@pytest.mark.postgres
def test_a_sheet_is_measured_on_both_databases(capfd: pytest.CaptureFixture[str]) -> None:
    sheets.measure(20)

    said = capfd.readouterr().out
    assert said.count("times the least") == 2
    assert said.count("most memory") == 2


def test_a_filled_database_holds_what_was_asked_for_and_nothing_is_due_in_it(database_url: str) -> None:
    now = datetime(2026, 12, 1, 3, tzinfo=UTC)

    fill(database_url, read_keys((new_key(),)), now, SMALL)

    database = Database(database_url)
    with database.reading() as tx:
        counted = {
            table: tx.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()
            for table in ("groups", "people", "cards", "messages", "reminders", "receipts")
        }
        assert not heartbeats.messages_due(tx, now)
    database.close()
    people = 20 * 4 + 2 * 10 + 40
    assert counted == {
        "groups": 23,
        "people": people,
        "cards": people * 3,
        "messages": 1500,
        "reminders": 1500,
        "receipts": 500,
    }
