"""A change of keys: nothing is unreadable or unfindable for a moment, and in the end the old key may go."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from reminder.domain.model.people import ChannelName, ConsentHow
from reminder.enrolment import register
from reminder.errors import ConflictError
from reminder.storage.crypto.keyring import KeyRing, new_key, read_keys
from reminder.storage.db.tables import Base, Contact
from reminder.storage.maintenance import key_rotation
from reminder.storage.registry import contacts
from reminder.storage.reminders import open_questions
from reminder.storage.runtime import heartbeats
from reminder.upkeep import key_rotation as upkeep
from reminder.upkeep.key_rotation import Rotated
from reminder.wiring import App
from tests.village import Village, open_village

LATER = timedelta(minutes=5)


def with_new_key(village: Village) -> App:
    """The same service, restarted with a new key in front."""
    return replace(village.app, keys=read_keys([new_key(), *village.app.settings.secret_keys]))


def rotate(app: App, village: Village) -> Rotated:
    return upkeep.rotate(app.units, village.now + LATER, lambda column, rows: None)


def newest_alone(app: App) -> KeyRing:
    return read_keys(app.keys.written()[:1])


@pytest.fixture
def family(talking_village: Village) -> Village:
    village = talking_village
    village.member("娘", "musume@example.jp")
    village.person("母", phone="090-0000-0001")
    village.person("父", phone="090-0000-0001")  # they share one
    village.card("母", date(2027, 3, 31))
    village.run_until("2027-02-20 12:00")
    village.answers("母", "ありがとう")
    return village


def test_afterwards_the_newest_key_opens_and_finds_everything(family: Village) -> None:
    app = with_new_key(family)

    done = rotate(app, family)

    assert done.changed > 5
    assert (done.left, done.unneeded) == (0, app.keys.ids[1:])
    with app.database.reading() as tx:
        assert key_rotation.keys_in_use(tx) == {app.keys.ids[0]}
        alone = newest_alone(app)
        assert len(contacts.of_group(tx, alone, None)) == 3
        assert contacts.at_phone(tx, alone, "+819000000001") == contacts.at_phone(tx, app.keys, "+819000000001") != []


def test_a_second_time_there_is_nothing_to_do(family: Village) -> None:
    app = with_new_key(family)
    first = rotate(app, family)

    assert rotate(app, family) == replace(first, changed=0)


def test_killed_in_the_middle_it_goes_on_where_it_stopped(family: Village, monkeypatch: pytest.MonkeyPatch) -> None:
    app, batches = with_new_key(family), []
    monkeypatch.setattr(key_rotation, "AT_ONCE", 1)

    def stop(column: str, rows: int) -> None:
        batches.append(column)
        if len(batches) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        upkeep.rotate(app.units, family.now + LATER, stop)
    with app.database.reading() as tx:
        assert key_rotation.keys_in_use(tx) == set(app.keys.ids)
        assert len(contacts.of_group(tx, app.keys, None)) == 3

    done = rotate(app, family)
    assert (done.left, done.unneeded) == (0, app.keys.ids[1:])


def test_two_who_share_a_telephone_are_found_together_whatever_key_is_the_newest(family: Village) -> None:
    app = with_new_key(family)
    with app.database.reading() as tx:
        mother, *_ = contacts.at_phone(tx, app.keys, "+819000000001")

    def sharing() -> int:
        with app.database.reading() as tx:
            return len(open_questions.sharing(tx, [mother])[mother])

    assert sharing() == 2
    _add_contact(app, family, family.person("祖母"))
    assert sharing() == 3
    rotate(app, family)
    assert sharing() == 3
    _add_contact(app, family, family.person("祖父"))
    assert sharing() == 4


def _add_contact(app: App, village: Village, person: int) -> None:
    with app.units.writing(village.now) as uow:
        register.add_contact(
            uow,
            person_id=person,
            channel=ChannelName.SMS,
            address="090-0000-0001",
            is_family=False,
            consent_how=ConsentHow.SPOKEN,
            consent_by="長女",
        )


def test_what_is_written_meanwhile_is_neither_lost_nor_left(family: Village, monkeypatch: pytest.MonkeyPatch) -> None:
    app = with_new_key(family)
    monkeypatch.setattr(key_rotation, "AT_ONCE", 1)
    people = [family.person(f"{number}号室") for number in range(20)]
    rotating = threading.Event()

    def write() -> None:
        rotating.wait(30)
        for person in people:
            # Half of them by a process that does not know yet that the new key is the newest.
            keys = app.keys if person % 2 else read_keys([*reversed(app.keys.written())])
            _add_contact(replace(app, keys=keys), family, person)

    with ThreadPoolExecutor(1) as writer:
        written = writer.submit(write)
        upkeep.rotate(app.units, family.now + LATER, lambda column, rows: rotating.set())
        written.result()
    done = rotate(app, family)

    assert done.left == 0
    with app.database.reading() as tx:
        alone = newest_alone(app)
        assert len(contacts.at_phone(tx, alone, "+819000000001")) == 22
        assert {contact.address for contact in contacts.of_group(tx, alone, None)} == {
            "musume@example.jp",
            "+819000000001",
        }


@pytest.mark.postgres
def test_a_row_that_somebody_holds_is_left_with_all_of_its_telephone(postgres_url: str, tmp_path: Path) -> None:
    with open_village(postgres_url, tmp_path, "2026-12-01 08:00") as village:
        village.person("母", phone="090-0000-0001")
        village.person("父", phone="090-0000-0001")
        app = with_new_key(village)
        with app.database.writing() as other:
            other.execute(select(Contact.id).where(Contact.id == 1).with_for_update()).all()

            held = rotate(app, village)

        assert (held.left > 0, held.unneeded) == (True, ())
        with app.database.reading() as tx:
            assert len(open_questions.sharing(tx, [2])[2]) == 2
        assert rotate(app, village).left == 0


def test_it_waits_for_workers_that_could_not_read_what_it_seals(family: Village) -> None:
    app = with_new_key(family)

    with pytest.raises(ConflictError) as refused:
        upkeep.rotate(app.units, family.now, lambda column, rows: None)

    assert refused.value.code == "keys_not_everywhere"
    with app.database.writing() as tx:
        assert key_rotation.keys_in_use(tx) == {app.keys.ids[1]}
        heartbeats.record_pass(tx, app.keys.ids[0], family.now + LATER)
    assert rotate(app, family).left == 0


def test_what_no_key_opens_keeps_the_old_keys_and_stops_nothing_else(family: Village) -> None:
    lost = read_keys([new_key()])
    with family.app.database.writing() as tx:
        tx.get(Contact, 1).address_sealed = lost.seal("musume@example.jp", contacts.ADDRESS)
    app = with_new_key(family)

    done = rotate(app, family)

    assert (done.left, done.unneeded) == (1, ())
    with app.database.reading() as tx:
        assert key_rotation.keys_in_use(tx) == {app.keys.ids[0], lost.ids[0]}


def test_every_sealed_column_and_every_index_of_the_tables_is_looked_after() -> None:
    columns = {f"{table.name}.{column.name}" for table in Base.metadata.tables.values() for column in table.columns}
    looked_after = {sealed.name for sealed in key_rotation.SEALED}
    looked_after |= {f"{sealed.table.name}.{sealed.index}" for sealed in key_rotation.SEALED if sealed.index}

    wanted = {name for name in columns if name.endswith(("_sealed", "_index", "body_fingerprint", "fingerprint"))}
    others = (key_rotation.FORGOTTEN_SOON, key_rotation.COUNTED_FOR_A_DAY, key_rotation.BY_A_SECRET)
    assert wanted <= looked_after.union(*others)
