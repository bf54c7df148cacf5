"""A back-up: everything comes back, into either database, whole or not at all."""

import os
import random
import signal
import stat
import subprocess
import zlib
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import pytest
from sqlalchemy import insert

from reminder.domain.model.people import Language
from reminder.enrolment.identity.sign_in import enter
from reminder.errors import ConflictError, DatabaseNotReadyError, RefusedInputError
from reminder.storage.auth import accounts
from reminder.storage.crypto import sealed_file
from reminder.storage.crypto.keyring import new_key, read_keys
from reminder.storage.crypto.sealed_file import CHUNK, Sealing
from reminder.storage.db import schema
from reminder.storage.db.session import Database
from reminder.storage.db.tables import Reply
from reminder.storage.maintenance import snapshot
from reminder.storage.registry import cards, people
from reminder.upkeep import backup
from tests.program import PROGRAM
from tests.upkeep import old_backup
from tests.upkeep.old_names import TABLES
from tests.village import Village, japan

KEY = b"k" * 32
AT = japan("2027-03-20 12:00")
TARGETS = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]


@pytest.fixture(params=TARGETS)
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Where to restore to."""
    url = f"sqlite:///{tmp_path / 'restored.db'}"
    database = Database(url if request.param == "sqlite" else request.getfixturevalue("empty_postgres_url"))
    yield database
    database.close()


@pytest.fixture
def lived_in(talking_village: Village) -> Village:
    """A family in which texts were sent and answered."""
    village = talking_village
    village.member("娘", "musume@example.jp")
    village.person("母", phone="090-0000-0001")
    village.card("母", date(2027, 3, 31))
    village.run_until("2027-02-20 12:00")
    village.answers("母", "ありがとう")
    return village


def made(village: Village, folder: Path, at: datetime | None = None) -> Path:
    file = folder / "kigen.backup"
    backup.make(village.app.database, village.app.keys, KEY, file, at or village.now)
    return file


def rows(database: Database) -> dict[str, list[list[object]]]:
    with snapshot.snapshot(database) as taken:
        return {shape.name: list(taken.rows(shape)) for shape in taken.tables}


def restore(database: Database, file: Path, **more: object) -> backup.BackupContents:
    given = {"ring": None, "keep_keys": lambda keys: None, "exact": True, **more}
    return backup.restore(database, file, KEY, AT, **given)


def is_empty(database: Database) -> bool:
    return schema.present(database) is None and rows(database) == {}


def test_everything_comes_back_in_either_database(lived_in: Village, empty: Database, tmp_path: Path) -> None:
    file = made(lived_in, tmp_path)

    contents = restore(empty, file)

    assert rows(empty) == rows(lived_in.app.database)
    assert contents.rows["messages"] > 0
    assert schema.differences(empty) == []


def test_new_rows_get_ids_that_were_never_given(lived_in: Village, empty: Database, tmp_path: Path) -> None:
    with lived_in.app.database.reading() as tx:
        [mother] = people.of_group(tx, 1)

    restore(empty, made(lived_in, tmp_path))

    empty.open_with(lived_in.app.keys)
    with empty.writing() as tx:
        tx.connection().exec_driver_sql(
            "INSERT INTO people (group_id, label, office, mode, language, insurance, created_at) "
            "VALUES (1, '父', '市役所', 'standard', 'ja', TRUE, '2027-03-20 12:00:00')"
        )
        assert [person.id for person in people.of_group(tx, 1)] == [mother.id, mother.id + 1]


def test_a_backup_is_one_moment_whatever_is_written_meanwhile(lived_in: Village) -> None:
    before = rows(lived_in.app.database)

    with snapshot.snapshot(lived_in.app.database) as taken:
        lived_in.person("父", phone="090-0000-0002")
        seen = {shape.name: list(taken.rows(shape)) for shape in taken.tables}

    assert seen == before
    assert rows(lived_in.app.database) != before


def test_nobody_else_may_read_a_backup_and_nothing_readable_is_in_it(lived_in: Village, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    file = made(lived_in, folder)

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(folder.iterdir()) == [file], "no draft is left"
    for secret in ("musume", "田中家", "つばめ", lived_in.app.settings.secret_keys[0]):
        assert secret.encode() not in file.read_bytes()


def test_a_check_reads_the_whole_and_says_what_is_in_it(lived_in: Village, tmp_path: Path) -> None:
    file = tmp_path / "kigen.backup"
    kept = backup.make(lived_in.app.database, lived_in.app.keys, KEY, file, lived_in.now)

    assert backup.check(file, KEY) == kept
    assert kept.contents.taken_at == lived_in.now
    assert backup.keys_in(file, KEY) == lived_in.app.settings.secret_keys


def test_an_older_backup_is_replaced_and_another_file_is_not(lived_in: Village, tmp_path: Path) -> None:
    file = made(lived_in, tmp_path)
    made(lived_in, tmp_path, AT)
    assert backup.check(file, KEY).contents.taken_at == AT

    file.write_text("my own letter", encoding="utf-8")
    with pytest.raises(RefusedInputError) as refused:
        made(lived_in, tmp_path)

    assert refused.value.code == "backup_would_replace"
    assert file.read_text(encoding="utf-8") == "my own letter"


def test_a_database_with_a_row_in_it_is_left_alone(lived_in: Village, database_url: str, tmp_path: Path) -> None:
    before = rows(lived_in.app.database)

    with pytest.raises(ConflictError) as refused:
        restore(lived_in.app.database, made(lived_in, tmp_path))

    assert refused.value.code == "restore_not_empty"
    assert rows(lived_in.app.database) == before


def test_somebody_else_s_tables_are_left_alone(empty: Database) -> None:
    with empty.writing() as tx:
        tx.connection().exec_driver_sql("CREATE TABLE recipes (id INTEGER PRIMARY KEY)")

    with pytest.raises(ConflictError):
        restore(empty, old_backup.FILE)

    assert rows(empty) == {"recipes": []}


def test_tables_that_were_made_and_never_used_count_as_empty(database_url: str) -> None:
    database = Database(database_url)

    restore(database, old_backup.FILE)

    assert len(rows(database)["cards"]) == 1
    database.close()


@pytest.mark.parametrize("hurt", ["cut", "turned"])
def test_what_is_damaged_leaves_nothing_behind(hurt: str, lived_in: Village, empty: Database, tmp_path: Path) -> None:
    _write_much(lived_in)
    file = made(lived_in, tmp_path)
    whole = bytearray(file.read_bytes())
    assert len(whole) > 3 * CHUNK, "it must break in the middle of the rows"
    if hurt == "cut":
        del whole[-CHUNK:]
    else:
        whole[-100] ^= 1
    file.write_bytes(whole)

    with pytest.raises(RefusedInputError) as refused:
        restore(empty, file)

    assert refused.value.code == "backup_damaged"
    assert is_empty(empty)


def test_wherever_a_bit_is_turned_or_the_end_is_cut_it_is_refused(lived_in: Village, tmp_path: Path) -> None:
    file = made(lived_in, tmp_path)
    whole, chance = file.read_bytes(), random.Random(11)
    hurt = tmp_path / "hurt"

    for _ in range(150):
        place = chance.randrange(len(whole))
        turned = bytearray(whole)
        turned[place] ^= 1 << chance.randrange(8)
        for content in (bytes(turned), whole[:place]):
            hurt.write_bytes(content)
            with pytest.raises(RefusedInputError) as refused:
                backup.check(hurt, KEY)
            assert refused.value.code.startswith("backup_")


def test_a_restore_that_is_killed_leaves_nothing_behind(
    lived_in: Village, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    _write_much(lived_in)
    content = made(lived_in, tmp_path).read_bytes()
    url = f"sqlite:///{tmp_path / 'restored.db'}"
    if not lived_in.app.database.is_sqlite:
        url = request.getfixturevalue("empty_postgres_url")
    key_file, pipe = tmp_path / "key", tmp_path / "pipe"
    key_file.write_text(sealed_file._grouped(KEY))
    os.mkfifo(pipe)
    environment = {
        **os.environ,
        "REMINDER_DATABASE_URL": url,
        "REMINDER_SECRET_KEYS": lived_in.app.settings.secret_keys[0],
    }
    restoring = subprocess.Popen([*PROGRAM, "restore", str(pipe), "--key-file", str(key_file)], env=environment)

    with pipe.open("wb", buffering=0) as writing:
        # A pipe holds one chunk: the program has read, and kept, all that was before it.
        for at in range(0, len(content) - CHUNK, CHUNK // 2):
            writing.write(content[at : at + CHUNK // 2])
        restoring.send_signal(signal.SIGKILL)
        restoring.wait()

    database = Database(url)
    assert is_empty(database)
    database.close()


def test_a_backup_of_older_tables_lives_on_in_those_of_today(empty: Database) -> None:
    assert backup.check(old_backup.FILE, old_backup.KEY).contents.version == old_backup.VERSION

    contents = restore(empty, old_backup.FILE)

    schema.require_newest(empty)
    assert schema.differences(empty) == []
    with empty.reading() as tx:
        [card] = cards.current_of_person(tx, 1)
    assert card.expires_on == date(2027, 3, 31)
    now = rows(empty)
    assert {name: len(now[TABLES.get(name, name)]) for name in contents.rows} == contents.rows


def test_an_older_database_can_be_backed_up_before_it_is_migrated(empty: Database, tmp_path: Path) -> None:
    with schema.building(empty) as building:
        building.up_to("0003")

    kept = backup.make(empty, read_keys([new_key()]), KEY, tmp_path / "kigen.backup", AT)

    assert kept.contents.version == "0003"


def test_an_empty_database_has_nothing_to_back_up(empty: Database, tmp_path: Path) -> None:
    with pytest.raises(DatabaseNotReadyError):
        backup.make(empty, read_keys([new_key()]), KEY, tmp_path / "kigen.backup", AT)

    assert not (tmp_path / "kigen.backup").exists()


def test_a_backup_of_newer_tables_is_refused(empty: Database, tmp_path: Path) -> None:
    file = tmp_path / "of_tomorrow"
    head = b'{"version": "9999", "taken_at": "2031-01-01T00:00:00+00:00", "rows": {}, "keys": []}\n'
    with file.open("wb") as out:
        sealing = Sealing(out, KEY)
        sealing.write(zlib.compress(head))
        sealing.end()

    with pytest.raises(RefusedInputError) as refused:
        restore(empty, file)

    assert refused.value.code == "backup_newer"
    assert is_empty(empty)


def test_keys_come_along_where_there_are_none_and_must_fit_where_there_are(
    lived_in: Village, empty: Database, tmp_path: Path
) -> None:
    file, kept = made(lived_in, tmp_path), list[tuple[str, ...]]()

    with pytest.raises(RefusedInputError) as refused:
        restore(empty, file, ring=read_keys([new_key()]))
    assert refused.value.code == "restore_keys_missing"
    assert is_empty(empty)

    restore(empty, file, keep_keys=kept.append)
    assert kept == [lived_in.app.settings.secret_keys]


def test_who_was_signed_in_signs_in_again_unless_nothing_can_have_happened(
    lived_in: Village, empty: Database, tmp_path: Path
) -> None:
    app, now = lived_in.app, lived_in.now
    with app.writing() as uow:
        account = accounts.add(uow.tx, uow.keys, address="musume@example.jp", language=Language.JAPANESE, now=now)
        enter(uow, account, "a browser")

    restore(empty, made(lived_in, tmp_path), exact=False)

    assert rows(empty)["sessions"] == []
    assert len(rows(app.database)["sessions"]) == 1


def _write_much(village: Village) -> None:
    """What no squeezing makes small."""
    chance = random.Random(5)
    with village.app.database.writing() as tx:
        rows_of = [
            {"contact_id": 1, "provider_id": f"SM{n}", "body_sealed": chance.randbytes(40_000)} for n in range(12)
        ]
        tx.execute(insert(Reply), [{**row, "received_at": village.now, "handled_at": village.now} for row in rows_of])
