"""A home's sheet, worked off by real processes that are killed in the middle: every row whole, and each once."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from reminder.domain.model.imports import ImportState
from reminder.domain.model.people import GroupKind
from reminder.enrolment import register
from reminder.enrolment.imports import service
from reminder.enrolment.imports.reader import read_sheet
from reminder.storage.crypto.keyring import new_key
from reminder.storage.db.tables import ActivityEntry, Card, Contact, Person
from reminder.storage.registry import imports
from reminder.storage.registry.imports import ImportView
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


def look(app: App) -> ImportView:
    with app.database.reading() as tx:
        found = imports.find(tx, 1)
    assert found is not None
    return found


def kill_in_the_middle(app: App, program: Program, state: ImportState) -> ImportView:
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
                select(func.count()).select_from(ActivityEntry).where(ActivityEntry.act == "person_added")
            ).scalar_one()
        }


def test_a_sheet_whose_workers_are_killed_is_checked_and_saved_all_the_same(worked: tuple[App, Program]) -> None:
    app, program = worked
    now = app.clock.now()
    with app.units.writing(now) as uow:
        register.add_group(uow, name="見本の里", kind=GroupKind.HOME)
    found = read_sheet(sheet(), app.rules.headings)
    service.begin_import(app.units, now, group_id=1, sheet=found, by=None)
    with app.writing() as uow:
        service.set_mapping(uow, import_id=1, by_place=look(app).mapping.by_place)

    in_the_middle_of_checking = kill_in_the_middle(app, program, ImportState.CHECKING)
    checked = service.process_to_end(app.units, now, import_id=1)
    with app.writing() as uow:
        service.start_saving(uow, import_id=1)
    in_the_middle_of_saving = kill_in_the_middle(app, program, ImportState.SAVING)
    half = counted(app)
    finish_with_two(app, program, lambda: look(app).state is ImportState.SAVED)

    assert (in_the_middle_of_checking.state, in_the_middle_of_saving.state) == (
        ImportState.CHECKING,
        ImportState.SAVING,
    )
    assert 0 < in_the_middle_of_checking.done < ROWS
    assert (checked.counts.accepted, checked.counts.new, checked.done) == (ROWS, ROWS, ROWS)
    # What stands there after a kill are whole batches, and people with all that is theirs.
    assert half["people"] == in_the_middle_of_saving.done
    assert len(set(half.values())) == 1
    assert counted(app) == dict.fromkeys(("people", "contacts", "cards", "journal"), ROWS)
    assert look(app).counts.saved == ROWS
