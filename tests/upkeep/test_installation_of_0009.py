"""What an installation of version 0009 has left, a back-up and a database, lives on in the program of today.

Both were made by the code of that version (tests/data/make_of_0009.py.txt says how): a household and a home after six
weeks, with rows in every table, a value in every column and a message in every state. Everybody in it is invented.

A migration that renames or moves something says so in the three mappings below, and nowhere else: what no mapping names
must stand where it stood, with the value that it had.
"""

import gzip
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path

import pytest

from reminder.clock import JAPAN
from reminder.storage.crypto.keyring import new_key, read_keys, sealed_with
from reminder.storage.db import schema
from reminder.storage.db.session import Database
from reminder.storage.maintenance import key_rotation as sealed_columns
from reminder.storage.maintenance import snapshot
from reminder.upkeep import backup, key_rotation
from tests.upkeep.old_names import TABLES
from tests.village import Village, japan, open_village

Row = Mapping[str, object]


def _finding(value: object, _: Row) -> object:
    """At 0009 a list: code, weight, place or nothing, details or nothing."""
    return [
        {"code": code, "level": ("note", "warn", "confirm", "refuse")[weight]}
        | ({} if place is None else {"place": place})
        | ({"details": details} if details else {})
        for code, weight, place, details in value  # type: ignore[attr-defined]
    ]


def _column(value: object, _: Row) -> object:
    use, renamed = {"forgotten": "discarded"}, {"fate": "use", "hidden": "is_hidden"}
    return [
        {renamed.get(name, name): use.get(one, one) if name == "fate" else one for name, one in column.items()}
        for column in value  # type: ignore[attr-defined]
    ]


# By "table.column" as both were called at 0009, what the column is called now.
COLUMNS: Mapping[str, str] = {
    "uploads.reached": "last_row",
    "uploads.says_yes": "confirms_all",
    "upload_rows.upload_id": "import_id",
    "upload_rows.likeness": "row_fingerprint",
    "upload_rows.facts": "reader_findings",
    "upload_rows.verdict": "status",
    "upload_rows.is_agreed": "is_confirmed",
    "messages.send_after": "scheduled_at",
    "messages.stale_after": "expires_at",
    "messages.not_seen": "not_found_count",
    "messages.turn": "fairness_rank",
    "messages.likeness": "body_fingerprint",
    "messages.asks": "reply_code",
    "reminders.rung": "step",
    "cards.done_on": "acknowledged_on",
    "cards.asked": "escalation_level",
    "takings.taken_on": "assigned_on",
    "notices.told_at": "notified_at",
    "contacts.practised_at": "test_called_at",
}
# By "table.column" of 0009, what became of a value: from the old value and its whole old row to the new value. A column
# whose facts stand in another column now is left out of this table only with a test of its own for where they stand.
VALUES: Mapping[str, Callable[[object, Row], object]] = {
    "uploads.columns": _column,
    "uploads.counts": lambda value, _: {
        "needs_confirmation" if name == "asks" else name: count
        for name, count in value.items()  # type: ignore[attr-defined]
    },
    "upload_rows.facts": _finding,
    "upload_rows.findings": _finding,
    "upload_rows.verdict": lambda value, _: value or "unchecked",
    "upload_rows.effect": lambda value, _: value or "none",
    "beats.name": lambda value, _: {
        "tick": "pass",
        "reach": "verification",
        "forget": "retention",
        "tallied": "counted",
    }.get(str(value), value),
    "journal.act": lambda value, _: {
        "card_said_done": "card_acknowledged",
        "card_not_done": "card_reopened",
        "card_taken": "card_assigned",
        "call_practised": "test_called",
        "contact_reached": "contact_verified",
        "rhythm_changed": "preferences_changed",
    }.get(str(value), value),
}

VERSION = "0009"
DATA = Path(__file__).parents[1] / "data"
BACKUP, DATABASE = DATA / "backup_of_0009.kigen", DATA / "database_of_0009.db.gz"
BACKUP_KEY = b"k" * 32
# The newest first; a few rows are still sealed with the second.
KEYS = ("B" * 42 + "A=", "A" * 43 + "=")
TAKEN = "2027-01-12 11:02"
# To what each sealed column was bound at 0009. A value opens with these words and no other.
SEALED_AS = {
    "accounts.address_sealed": "accounts.address",
    "contacts.address_sealed": "contacts.address",
    "invitations.address_sealed": "invitations.address",
    "sign_ins.address_sealed": "sign_ins.address",
    "kept_answers.body_sealed": "kept_answers.body",
    "messages.address_sealed": "contacts.address",
    "messages.body_sealed": "messages.body",
    "replies.body_sealed": "replies.body",
    "upload_rows.cells_sealed": "upload_rows.cells",
}


def unpacked(folder: Path) -> str:
    """The address of a copy of the database that nobody has opened yet."""
    file = folder / "of_0009.db"
    file.write_bytes(gzip.decompress(DATABASE.read_bytes()))
    return f"sqlite:///{file}"


def everything(url: str) -> dict[str, list[Row]]:
    """All rows by table; JSON as what it means."""
    database = Database(url)
    with snapshot.snapshot(database) as taken:
        found = {shape.name: [_row(shape.columns, row) for row in taken.rows(shape)] for shape in taken.tables}
    database.close()
    return found


def _row(columns: tuple[tuple[str, str], ...], values: list[snapshot.Value]) -> Row:
    return {
        name: json.loads(str(value)) if kind == "json" and value is not None else value
        for (name, kind), value in zip(columns, values, strict=True)
    }


@pytest.fixture
def before(tmp_path: Path) -> dict[str, list[Row]]:
    folder = tmp_path / "untouched"
    folder.mkdir()
    return everything(unpacked(folder))


WAYS = ["migrated", "restored into sqlite", pytest.param("restored into postgresql", marks=pytest.mark.postgres)]


@pytest.fixture(params=WAYS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database that was brought to the tables of today, by each way there is. A restore makes the tables of 0009,
    fills them and migrates them: on PostgreSQL, too, the migrations find rows."""
    if request.param == "migrated":
        address = unpacked(tmp_path)
    elif request.param == "restored into sqlite":
        address = f"sqlite:///{tmp_path / 'restored.db'}"
    else:
        address = request.getfixturevalue("empty_postgres_url")
    database = Database(address)
    if request.param == "migrated":
        schema.migrate(database)
    else:
        ring = read_keys(KEYS)
        backup.restore(database, BACKUP, BACKUP_KEY, japan(TAKEN), ring=ring, keep_keys=lambda keys: None, exact=True)
    database.close()
    return address


@pytest.fixture
def village(url: str, tmp_path: Path) -> Iterator[Village]:
    """The same, at work again a minute after it was left."""
    with open_village(
        url, tmp_path, TAKEN, secret_keys=KEYS, two_way_sms=True, voice_enabled=True, line_token="t",
        public_url="https://kigen.example.jp",
    ) as opened:  # fmt: skip
        yield opened


def column_now(table: str, column: str) -> str:
    return COLUMNS.get(f"{table}.{column}", column)


def test_the_files_are_of_that_version_and_of_one_moment_and_leave_nothing_out(
    before: dict[str, list[Row]], tmp_path: Path
) -> None:
    database = Database(unpacked(tmp_path))
    assert schema.present(database) == VERSION
    database.close()

    contents = backup.check(BACKUP, BACKUP_KEY).contents

    assert contents.version == VERSION
    assert contents.keys == KEYS
    assert contents.rows == {name: len(rows) for name, rows in before.items()}
    empty = [
        f"{table}.{column}"
        for table, rows in before.items()
        for column in (rows[0] if rows else {"": None})
        if all(row.get(column) is None for row in rows)
    ]
    assert empty == []
    assert {row["state"] for row in before["messages"]} == {
        "queued", "sending", "unknown", "accepted", "delivered", "undelivered", "failed", "stale", "cancelled",
    }  # fmt: skip


def test_every_value_of_every_row_stands_where_the_mappings_say(url: str, before: dict[str, list[Row]]) -> None:
    now = everything(url)

    lost = []
    for table, rows in before.items():
        table_now = TABLES.get(table, table)
        assert table_now in now, f"{table}: there is no table {table_now}"
        assert len(now[table_now]) == len(rows), f"{table}: rows were lost or added"
        wanted = [_became(table, row) for row in rows]
        # Of rows that are the same, whatever else a row holds now, none is counted twice.
        found = [{name: row.get(name, "no such column") for name in wanted[0]} for row in now[table_now]]
        left = sorted(map(_written, found))
        for row in wanted:
            written = _written(row)
            if written in left:
                left.remove(written)
            else:
                lost.append((table_now, row))
    assert lost == []


def _became(table: str, row: Row) -> Row:
    """What a row of 0009 must be today, as far as it had been there."""
    values = {column: VALUES.get(f"{table}.{column}", lambda value, _: value) for column in row}
    return {column_now(table, column): values[column](value, row) for column, value in row.items()}


def _written(row: Row) -> str:
    return json.dumps(row, ensure_ascii=False, sort_keys=True)


def test_the_tables_are_those_of_today(url: str) -> None:
    database = Database(url)

    assert schema.present(database) == schema.newest()
    assert schema.differences(database) == []

    database.close()


def test_every_sealed_value_opens_and_says_what_it_said(url: str, before: dict[str, list[Row]]) -> None:
    ring, database = read_keys(KEYS), Database(url)
    sealed_now = {one.name: one for one in sealed_columns.SEALED}

    for name, purpose in SEALED_AS.items():
        table, column = name.split(".")
        sealed = sealed_now[f"{TABLES.get(table, table)}.{column_now(table, column)}"]
        with database.reading() as tx:
            found = [row[len(sealed.key)] for row in tx.execute(sealed.rows().order_by(*sealed.key))]
        said = [ring.open(_bytes(row[column]), purpose) for row in before[table] if row[column] is not None]
        assert said, name
        assert [ring.open(one, sealed.purpose) for one in found] == said, name

    database.close()


def _bytes(value: object) -> bytes:
    return snapshot.base64.b64decode(str(value))


def test_addresses_are_still_found_by_their_keyed_index(url: str, before: dict[str, list[Row]]) -> None:
    """A restored or migrated database must know who answers."""
    ring, database = read_keys(KEYS), Database(url)

    for sealed in sealed_columns.SEALED:
        if sealed.index is None:
            continue
        with database.reading() as tx:
            rows = tx.execute(sealed.rows()).all()
        assert rows, sealed.name
        for row in rows:
            assert row[-1] in ring.blind_indexes(ring.open(row[-2], sealed.purpose)), sealed.name

    database.close()


def test_a_change_of_keys_reaches_every_sealed_row(url: str, tmp_path: Path) -> None:
    with open_village(url, tmp_path, "2027-01-12 12:00", secret_keys=(new_key(), *KEYS)) as village:
        with village.app.database.reading() as tx:
            # Secrets that this start has made are sealed with the new key. A restore has made one with the old key.
            rows = [(one, row) for one in sealed_columns.SEALED for row in tx.execute(one.rows())]
            old = [row for one, row in rows if sealed_with(row[len(one.key)]) != village.app.keys.ids[0]]
            sealed_rows = len(old)

        done = key_rotation.rotate(village.app.units, village.now, lambda name, count: None)

        assert (done.changed, done.left) == (sealed_rows, 0)
        assert set(done.unneeded) == set(read_keys(KEYS).ids)


def test_it_goes_on_where_it_stopped(village: Village) -> None:
    before = {one.id: one.state for one in village.messages()}

    village.run_until("2027-02-20 23:00")

    after = {one.id: one.state for one in village.messages()}
    # What went to somebody without an account is forgotten after a week.
    kept = before.keys() & after.keys()
    assert len(kept) > len(before) - 10
    assert not [one for one in kept if after[one] in ("queued", "sending", "unknown")], "what was on its way is over"
    ends = ("accepted", "delivered", "undelivered", "failed", "stale", "cancelled")
    assert all(after[one] == before[one] for one in kept if before[one] in ends)
    assert len(after) > len(before) + 10, "and more was told"
    told = [(one.channel, f"{one.outgoing.handed_at.astimezone(JAPAN):%m-%d}") for one in village.world.all_sent()]
    assert ("line", "01-20") in told, "a residence card that ends on this day"
    assert ("voice", "01-14") in told or ("voice", "01-15") in told
    texts = [one.outgoing.text for one in village.world.all_sent()]
    assert any("これは何でしょう" in text for text in texts), "a reply that waited to be read is passed on"
    assert any("バスの券" in text for text in texts), "a card by the name that its owner gave it"


def test_what_waits_in_a_sheet_is_checked_by_the_next_worker(village: Village) -> None:
    from reminder.storage.registry import imports
    from reminder.worker.jobs import work_on_imports

    assert work_on_imports(village.app) == 1

    with village.app.database.reading() as tx:
        states = sorted(one.state for one in imports.of_group(tx, 2, limit=10))
    assert states == ["checked", "checked", "read"]


def test_a_card_is_renewed_and_a_person_answers_as_before(village: Village) -> None:
    village.renew(8, date(2031, 2, 10))

    assert village.card_of(8).expires_on == date(2031, 2, 10)
    village._addresses["母"] = {"+819000000001"}
    village._heard = 100  # those texts are known by now
    assert village.answers("母", "だれですか？")
    assert any("役所ではありません" in text for text in village.words_to("母"))
