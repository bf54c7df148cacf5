"""A home's sheet, worked off by real processes that are killed in the middle: every row whole, and each once."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from reminder.domain.people import GroupKind
from reminder.enrolment import bulk, register
from reminder.enrolment.spreadsheet import read_sheet
from reminder.storage import uploads
from reminder.storage.keys import new_key
from reminder.storage.tables import Card, Contact, JournalEntry, Person
from reminder.storage.uploads import UploadState, UploadView
from reminder.wiring import App, build_app, read_settings
from tests.program import PATIENCE, Program, until

ROWS = 2_000  # four batches


@pytest.fixture
def worked(database_url: str, tmp_path: Path) -> Iterator[tuple[App, Program]]:
    """An application that looks on, and the program whose workers do the work."""
    key = new_key()
    settings = read_settings(data_dir=tmp_path / "data", database_url=database_url, secret_keys=(key,))
    given = {"REMINDER_DATABASE_URL": database_url, "REMINDER_SECRET_KEYS": key}
    with build_app(settings) as app:
        yield app, Program(tmp_path, **given)


def sheet() -> bytes:
    rows = (
        f"{number},ハナ{chr(0x30A2 + number % 80)},090-0000-{number:04},2030-11-16" for number in range(1, ROWS + 1)
    )
    return "\n".join(["居室,氏名,携帯電話,電子証明書期限", *rows]).encode()


def look(app: App) -> UploadView:
    with app.database.reading() as tx:
        found = uploads.find(tx, 1)
    assert found is not None
    return found


def kill_in_the_middle(app: App, program: Program, state: UploadState) -> UploadView:
    worker = program.start("worker")
    try:
        until(lambda: look(app).state is not state or look(app).done > 0, "a batch is done")
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait(PATIENCE)
    return look(app)


def finish_with_two(app: App, program: Program, is_over: Callable[[], bool]) -> None:
    workers = [program.start("worker") for _ in range(2)]
    try:
        until(is_over, "two workers have finished it")
    finally:
        for worker in workers:
            worker.send_signal(signal.SIGTERM)
        for worker in workers:
            worker.wait(PATIENCE)


def counted(app: App) -> dict[str, int]:
    with app.database.reading() as tx:
        return {
            table.__tablename__: tx.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (Person, Contact, Card)
        } | {
            "journal": tx.execute(
                select(func.count()).select_from(JournalEntry).where(JournalEntry.act == "person_added")
            ).scalar_one()
        }


def test_a_sheet_whose_workers_are_killed_is_checked_and_saved_all_the_same(worked: tuple[App, Program]) -> None:
    app, program = worked
    now = app.clock.now()
    register.add_group(app.database, now, name="見本の里", kind=GroupKind.HOME)
    found = read_sheet(sheet(), app.rules.headings)
    bulk.begin(app.database, app.keys, now, group_id=1, sheet=found, by=None)
    bulk.set_mapping(app.database, app.rules, now, upload_id=1, mapping=look(app).mapping)

    in_the_middle_of_checking = kill_in_the_middle(app, program, UploadState.CHECKING)
    checked = bulk.finish(app.database, app.keys, app.rules, now, upload_id=1)
    bulk.save(app.database, now, upload_id=1, all_agreed=False)
    in_the_middle_of_saving = kill_in_the_middle(app, program, UploadState.SAVING)
    half = counted(app)
    finish_with_two(app, program, lambda: look(app).state is UploadState.SAVED)

    assert (in_the_middle_of_checking.state, in_the_middle_of_saving.state) == (
        UploadState.CHECKING,
        UploadState.SAVING,
    )
    assert 0 < in_the_middle_of_checking.done < ROWS
    assert (checked.counts["accepted"], checked.counts["new"], checked.done) == (ROWS, ROWS, ROWS)
    # What stands there after a kill are whole batches, and people with all that is theirs.
    assert half["people"] == in_the_middle_of_saving.done
    assert len(set(half.values())) == 1
    assert counted(app) == dict.fromkeys(("people", "contacts", "cards", "journal"), ROWS)
    assert look(app).counts["saved"] == ROWS
