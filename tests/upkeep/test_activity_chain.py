"""The activity log under audit: a change in it is told to the operator, wherever it was, until they have looked."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, select, update

from reminder.storage.db import schema
from reminder.storage.db.session import Database
from reminder.storage.db.tables import ActivityEntry
from reminder.storage.maintenance import activity_chain
from reminder.storage.runtime import activity_log
from reminder.upkeep import backup, health, key_rotation
from reminder.upkeep.health import accept_activity, assess
from reminder.upkeep.privacy.erasure import erase_group, erase_person
from reminder.worker.jobs import audit_once
from tests.upkeep.test_key_rotation import with_new_key
from tests.village import Village

KEY = bytes(range(32))
CHANGED = "activity_log_changed"


@pytest.fixture
def logged(village: Village) -> Village:
    """A family with some acts, which an audit has chained."""
    village.member("娘", "musume@example.jp")
    village.person("母", phone="090-0000-0001")
    village.person("父", phone="090-0000-0002")
    audited(village)
    return village


def audited(village: Village) -> tuple[str, ...]:
    village.clock.move_to(village.now + timedelta(minutes=1))
    return audit_once(village.app)


def shown(village: Village) -> bool:
    return CHANGED in assess(village.app.units, village.now).troubles


def last(village: Village) -> int:
    with village.app.database.reading() as tx:
        found = activity_chain.check_all(tx, village.app.keys)
    assert found.wrong is None
    return found.last


def test_acts_are_chained_within_an_audit_and_nothing_is_wrong_with_them(logged: Village) -> None:
    with logged.app.database.reading() as tx:
        acts = len(list(tx.scalars(select(ActivityEntry.id))))

    assert last(logged) == acts > 3
    assert not shown(logged)


@pytest.mark.parametrize("act", ["changed", "deleted"])
def test_a_change_of_the_latest_acts_shows_at_once_and_until_it_is_accepted(logged: Village, act: str) -> None:
    position = last(logged)
    tampered = update(ActivityEntry).values(member_id=99) if act == "changed" else delete(ActivityEntry)
    with logged.app.database.writing() as tx:
        tx.execute(tampered.where(ActivityEntry.position == position))

    assert shown(logged)
    assert CHANGED in audited(logged)
    assert CHANGED in audited(logged)
    with logged.app.writing() as uow:
        accept_activity(uow)
    assert not shown(logged)
    assert CHANGED not in audited(logged)
    with logged.app.database.reading() as tx:
        assert "activity_log_accepted" in set(tx.scalars(select(ActivityEntry.act)))


def test_a_change_far_back_is_found_by_one_of_the_next_audits(logged: Village, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "LATEST_ACTS", 2)
    monkeypatch.setattr(activity_chain, "AT_ONCE", 1000)
    with logged.app.database.writing() as tx:
        tx.execute(update(ActivityEntry).where(ActivityEntry.position == 1).values(act="other"))

    assert not shown(logged), "it is not among the latest"
    audited(logged)
    assert shown(logged)
    with logged.app.database.writing() as tx:
        tx.execute(update(ActivityEntry).where(ActivityEntry.position == 1).values(act="group_added"))
    audited(logged)
    assert not shown(logged), "it is as it was"


def test_erasing_people_breaks_nothing(logged: Village) -> None:
    erase_person(logged.app.units, logged.now, person_id=1)
    audited(logged)
    erase_group(logged.app.units, logged.now, group_id=1)
    audited(logged)

    assert not shown(logged)
    assert last(logged) > 5


def test_a_change_of_keys_breaks_nothing(logged: Village) -> None:
    app = with_new_key(logged)
    key_rotation.rotate(app.units, logged.now + timedelta(minutes=5), lambda *_: None)
    with app.database.writing() as tx:
        activity_chain.extend(tx, app.keys, logged.now)
    alone = replace(app, keys=type(app.keys)([app.keys._keys[0].secret], app.keys.references))

    with alone.database.writing() as tx:
        activity_log.write(tx, "card_renewed", logged.now)
        assert activity_chain.extend(tx, alone.keys, logged.now) == 1
    with alone.database.reading() as tx:
        assert activity_chain.check_all(tx, alone.keys).wrong is None


def test_a_restore_and_a_move_to_the_other_database_keep_it_whole(
    logged: Village, empty_database_url: str, tmp_path: Path
) -> None:
    app, file = logged.app, tmp_path / "kigen.backup"
    before = last(logged)
    backup.make(app.database, app.keys, KEY, file, logged.now)
    database = Database(empty_database_url)

    backup.restore(database, file, KEY, logged.now, ring=app.keys, keep_keys=lambda _: None, exact=True)

    schema.require_newest(database)
    with database.reading() as tx:
        found = activity_chain.check_all(tx, app.keys)
    assert (found.wrong, found.last) == (None, before)
    with database.writing() as tx:
        activity_log.write(tx, "card_renewed", logged.now)
        assert activity_chain.extend(tx, app.keys, logged.now) == 1
    with database.reading() as tx:
        assert activity_chain.check_all(tx, app.keys).last == before + 1
    database.close()
