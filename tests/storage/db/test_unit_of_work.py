"""The unit of work, on both databases: what is kept, what is not, and what it carries."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from reminder.domain.model.people import GroupKind
from reminder.errors import DatabaseNotReadyError
from reminder.storage.db.row_security import NOBODY, Access
from reminder.storage.db.unit_of_work import CurrentAccess, UnitOfWork, UnitsOfWork, UnitsWithin
from reminder.storage.maintenance import moving
from reminder.storage.registry import groups
from reminder.storage.runtime import activity_log
from tests.village import Village

NOW = datetime(2026, 12, 1, tzinfo=UTC)


def found(uow: UnitOfWork, name: str) -> int:
    """One act made of two statements in different modules."""
    group_id = groups.add(uow.tx, name=name, kind=GroupKind.HOUSEHOLD, now=uow.now)
    activity_log.write(uow.tx, "group_added", uow.now, group_id=group_id)
    return group_id


def found_then_fail(uow: UnitOfWork, name: str) -> None:
    found(uow, name)
    raise RuntimeError


def names(village: Village) -> list[str]:
    with village.app.reading() as uow:
        return sorted(group.name for group in groups.everyone(uow.tx))


def test_what_several_acts_wrote_in_one_unit_is_kept_together(village: Village) -> None:
    with village.app.writing() as uow:
        found(uow, "田中家")
        found(uow, "佐藤家")

    assert names(village) == ["佐藤家", "田中家"]


def test_an_act_that_fails_takes_the_one_before_it_along(village: Village) -> None:
    with pytest.raises(RuntimeError), village.app.writing() as uow:
        found_then_fail(uow, "田中家")

    assert names(village) == []


def test_an_act_sees_what_the_one_before_it_wrote(village: Village) -> None:
    with village.app.writing() as uow:
        group_id = found(uow, "田中家")

        assert groups.find(uow.tx, group_id) is not None


def test_a_reading_unit_keeps_nothing(village: Village) -> None:
    with village.app.reading() as uow:
        found(uow, "田中家")

    assert names(village) == []


def test_somebody_may_write_while_a_reading_unit_is_open(village: Village) -> None:
    with village.app.reading() as reading:
        assert groups.everyone(reading.tx) == []
        with village.app.writing() as writing:
            found(writing, "田中家")

    assert names(village) == ["田中家"]


@pytest.mark.parametrize(
    ("after_midnight_utc", "day"),
    [
        (timedelta(hours=14, minutes=59), date(2026, 12, 1)),
        (timedelta(hours=15), date(2026, 12, 2)),
    ],
)
def test_today_is_the_date_in_japan(village: Village, after_midnight_utc: timedelta, day: date) -> None:
    with village.app.units.reading(NOW + after_midnight_utc) as uow:
        assert uow.now == NOW + after_midnight_utc
        assert uow.today == day


def test_the_app_s_own_units_take_the_time_of_its_clock(village: Village) -> None:
    with village.app.reading() as reading:
        pass
    with village.app.writing() as writing:
        pass

    assert reading.now == writing.now == village.now
    assert reading.keys is writing.keys is village.app.keys
    assert reading.rules is writing.rules is village.app.rules


def found_two(units: UnitsOfWork, now: datetime) -> None:
    """A step that needs two units of work."""
    with units.writing(now) as uow:
        found(uow, "田中家")
    with units.writing(now) as uow:
        found(uow, "佐藤家")
    with units.reading(now) as uow:
        assert len(groups.everyone(uow.tx)) == 2


def found_two_then_fail(village: Village) -> None:
    with village.app.writing() as uow:
        found_two(UnitsWithin(village.app.database, uow.keys, uow.rules, uow), uow.now)
        raise RuntimeError


def test_a_step_of_several_units_inside_an_open_one_is_kept_with_it(village: Village) -> None:
    with village.app.writing() as uow:
        found_two(UnitsWithin(village.app.database, uow.keys, uow.rules, uow), uow.now)

    assert names(village) == ["佐藤家", "田中家"]


def test_a_step_of_several_units_inside_an_open_one_that_fails_leaves_nothing(village: Village) -> None:
    with pytest.raises(RuntimeError):
        found_two_then_fail(village)

    assert names(village) == []


@pytest.mark.parametrize("erases", [True, False])
def test_the_log_of_writes_is_begun_anew_after_a_unit_that_erased(village: Village, erases: bool) -> None:
    with village.app.writing() as uow:
        found(uow, "田中家")
        if erases:
            uow.note_erasure()

    if village.app.database.is_sqlite:
        log = Path(f"{village.app.database.engine.url.database}-wal")
        assert (log.stat().st_size == 0) is erases
    assert names(village) == ["田中家"]


def test_a_unit_knows_whether_something_was_erased_in_it(village: Village) -> None:
    with village.app.writing() as uow:
        assert not uow.has_erased
        uow.note_erasure()
        assert uow.has_erased
    with village.app.writing() as uow:
        assert not uow.has_erased


def test_a_unit_acts_for_whom_its_factory_says_when_it_begins(village: Village) -> None:
    units, current = village.app.units, CurrentAccess()
    for_one = UnitsOfWork(units.database, units.keys, units.rules, access=current)

    current.now = Access((1,))

    assert for_one.access.now == Access((1,))
    assert units.acting_for(Access((2,))).access.now == Access((2,))
    assert units.access.now == NOBODY
    with units.acting_for(Access((2,))).reading(NOW) as uow:
        assert uow.today == date(2026, 12, 1)


def test_a_unit_that_only_logs_is_kept_in_a_closed_database_where_nothing_else_is(village: Village) -> None:
    moving.close(village.app.database, to="elsewhere", now=NOW)

    with village.app.units.logging(NOW) as uow:
        activity_log.write(uow.tx, "addresses_listed", uow.now)
    with pytest.raises(DatabaseNotReadyError, match="database_moved"), village.app.writing() as uow:
        found(uow, "田中家")
    assert names(village) == []
