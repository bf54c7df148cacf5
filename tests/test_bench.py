"""What the benchmarks call is still there: nobody runs them every day."""

import asyncio
import threading
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from reminder.storage.crypto.keyring import new_key, read_keys
from reminder.storage.db.session import Database
from reminder.storage.runtime import heartbeats
from tests import databases
from tests.bench import contenders, engines, sheets
from tests.bench.fill import SMALL, fill
from tests.bench.sink import sink


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


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> int:
    """So many are due for everybody that is measured."""
    monkeypatch.setenv("BENCH_TOTAL", "60")
    monkeypatch.setattr(contenders, "TOTAL", 60)
    return 60


@pytest.mark.postgres
def test_engines_are_measured_side_by_side_and_who_is_not_installed_is_named(
    few: int, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(contenders.NEEDS, "DBOS", ("no_such_module",))

    engines.side_by_side(
        0.0, 1, databases.running_server(), ours=(("ours", "SQLite"), ("ours", "PostgreSQL")), rivals=(),
        slow=(("DBOS", "SQLite"),),
    )  # fmt: skip

    said = capfd.readouterr().out.splitlines()
    assert said[0] == "(DBOS is left out: it is not installed here; `make bench` installs it.)"
    assert [row.split(" | ")[0] for row in said[1:]] == ["| bare SDK", "| ours", "| ours"]
    assert all(row.endswith(" | 1 |") for row in said[1:])


def rivals_installed() -> list[engines.Who]:
    return [who for who in (*engines.RIVALS, *engines.SLOW_RIVALS) if contenders.is_installed(who[0])]


@pytest.mark.postgres
@pytest.mark.parametrize("who", rivals_installed(), ids=" on ".join)
def test_a_rival_that_is_installed_sends_all_that_is_due_once(who: engines.Who, few: int) -> None:
    name, kind = who
    with sink(0.0) as provider, engines.filled(name, kind, provider, databases.running_server()) as place:
        engines.run(name, place, provider)

        assert provider.count() == few


@pytest.mark.postgres
@pytest.mark.parametrize("kind", ["SQLite", "PostgreSQL"])
def test_what_a_killed_worker_of_ours_held_is_counted_and_nothing_is_doubled(kind: str, few: int) -> None:
    row = engines.kill("ours", kind, 0.1, databases.running_server(), threading.Lock(), within=0)

    name, database, _, held, sent, doubled, _ = row.strip("| ").split(" | ")
    assert (name, database, doubled) == ("ours", kind, "0")
    assert held.startswith("leased ")
    assert 1 <= int(held.partition("being handed over ")[2].partition(":")[0]) <= 64
    assert int(sent) >= few // 3


def test_a_sink_lists_what_it_has_taken_by_number_the_newest_first() -> None:
    with sink(0.0) as provider:
        transport, messages = contenders.sdk(provider.url)

        async def ask() -> list[tuple[str, str]]:
            for place in (1, 2, 1):
                await contenders.hand_over(messages, place)
            page = await messages.page_async(to=contenders.number(1))
            await transport.close()
            return [(row.sid, row.body) for row in page]

        listed = asyncio.run(ask())
        taken = provider.taken()

    body = contenders.TEXT.format(number=1)
    assert listed == [(f"SM{2:032x}", body), (f"SM{0:032x}", body)]
    assert (taken.count, taken.doubled) == (3, 1)
