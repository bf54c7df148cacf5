"""What has left the house names what it named, or nothing: never a row that came later.

Rows are erased, or lost with the hours since a back-up, and another family is enrolled in the same second.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
from icalendar import Calendar
from sqlalchemy import select

from reminder.channels.memory import MemoryChannel
from reminder.clock import SteppedClock
from reminder.domain.model.channels import registered
from reminder.domain.model.people import ChannelName, Mode
from reminder.errors import NotFoundError
from reminder.simulate import SimulatedWorld
from reminder.storage.auth import signed_links
from reminder.storage.crypto import references
from reminder.storage.crypto.references import AGREE, ASSIGN, CARD, MESSAGE, STOP, VERIFY
from reminder.storage.db.session import Database
from reminder.storage.db.tables import Base, Card, Contact, Message
from reminder.storage.maintenance import snapshot
from reminder.storage.outbox import queries
from reminder.storage.registry import cards
from reminder.upkeep import backup
from reminder.upkeep.calendar.feeds import make_feed, read_feed
from reminder.upkeep.privacy.erasure import erase_group
from reminder.wiring import App, build_app, read_settings
from tests.village import Village

KEY = b"k" * 32
# Every purpose for which a reference is made.
KINDS = {
    value
    for name, value in vars(references).items()
    if name.isupper() and not name.startswith("_") and isinstance(value, str)
}
TARGETS = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]


@dataclass(frozen=True)
class Name:
    """What names rows outside: a reference of one kind, or ids with a signature as before references."""

    kind: str
    said: str
    is_older: bool = False


def enrol(village: Village, name: str) -> int:
    """A family with everything that has a name outside; returns its group."""
    village._group = None
    group = village.group(name=f"{name}家")
    village.member(f"{name}の娘", f"musume.{len(name)}@example.jp")
    village.person(name, mode=Mode.ELDERLY, phone="090-0000-0001")
    village.contact(name, ChannelName.EMAIL, "oya@example.jp")
    village.card(name, date(2027, 1, 29))
    village.pass_once()
    return group


def names_in(app: App) -> list[Name]:
    """Every name of every row that is there."""
    keys, found = app.keys, list[Name]()
    with app.database.reading() as tx:
        messages = tx.execute(select(Message.id, Message.created_at)).all()
        contacts = tx.execute(select(Contact.id, Contact.created_at)).all()
        ends = tx.execute(select(Card.id, Card.created_at)).all()
    for message_id, at in messages:
        found.append(Name(MESSAGE, keys.references.make(MESSAGE, [message_id], at)))
    for contact_id, at in contacts:
        for kind in (STOP, VERIFY, AGREE):
            found.append(Name(kind, keys.references.make(kind, [contact_id], at)))
            found.append(Name(kind, f"{contact_id}/{keys.sign(str(contact_id), kind)}", is_older=True))
        for card_id, _ in ends:
            about = f"{card_id}/{contact_id}"
            found.append(Name(ASSIGN, keys.references.make(ASSIGN, [card_id, contact_id], at)))
            found.append(Name(ASSIGN, f"{about}/{keys.sign(about, ASSIGN)}", is_older=True))
    for card_id, at in ends:
        found.append(Name(CARD, keys.references.make(CARD, [card_id], at)))
    return found


def is_known(app: App, name: Name) -> bool:
    """Whether this name leads to anything."""
    if name.kind == MESSAGE:
        with app.database.reading() as tx:
            return queries.referred(tx, app.keys, name.said) is not None
    if name.kind == CARD:
        return name.said in calendar_names(app)
    try:
        with app.database.reading() as tx:
            found = signed_links.target(tx, app.keys, name.kind, name.said)
            return found.card_id is None or cards.find(tx, found.card_id) is not None
    except NotFoundError:
        return False


def calendar_names(app: App) -> set[str]:
    with app.writing() as uow:
        members = list(uow.tx.scalars(select(Base.metadata.tables["members"].c.id)))
        feeds = [make_feed(uow, member_id=member, is_private=False) for member in members]
    found = set()
    for feed in feeds:
        with app.reading() as uow:
            events = Calendar.from_ical(read_feed(uow, feed)).walk("VEVENT")
        found |= {str(event["UID"]).partition("-")[2].partition("@")[0] for event in events}
    return found


def ids_in(database: Database) -> dict[str, set[int]]:
    with snapshot.snapshot(database) as taken:
        return {
            shape.name: {int(str(dict(zip([name for name, _ in shape.columns], row, strict=True))["id"])) for row in taken.rows(shape)}
            for shape in taken.tables
            if shape.next_id is not None
        }  # fmt: skip


@contextmanager
def restored(village: Village, file: Path, folder: Path, url: str, *, exact: bool) -> Iterator[Village]:
    """The same service on another database, at the same instant."""
    database = Database(url)
    keys = village.app.settings.secret_keys
    backup.restore(database, file, KEY, village.now, ring=village.app.keys, keep_keys=lambda _: None, exact=exact)
    database.close()
    clock, channels = SteppedClock(village.now), {name: MemoryChannel() for name in registered()}
    settings = read_settings(database_url=url, data_dir=folder, secret_keys=keys)
    with build_app(settings, clock=clock, channels=channels, durable=False) as app:
        yield Village(SimulatedWorld(app, clock, channels))


@pytest.fixture
def target(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return (
        f"sqlite:///{tmp_path / 'new.db'}"
        if request.param == "sqlite"
        else request.getfixturevalue("empty_postgres_url")
    )


def given_again(before: dict[str, set[int]], after: dict[str, set[int]], lost: dict[str, set[int]]) -> dict[str, int]:
    """By table, how many ids of rows that are gone were given to new rows."""
    found = {table: len((after[table] - before[table]) & lost[table]) for table in after}
    return {table: count for table, count in found.items() if count}


def assert_nothing_is_taken_for_another(app: App, names: list[Name], again: dict[str, int]) -> None:
    assert {name.kind for name in names} == KINDS, "every kind of reference is tried"
    assert [name for name in names if is_known(app, name)] == []
    assert again == {}, "no id of a row that is gone is given again"
    assert all(is_known(app, name) for name in names_in(app) if not name.is_older)


def test_what_named_an_erased_family_never_names_the_next_one(village: Village) -> None:
    start = ids_in(village.app.database)
    first = enrol(village, "甲")
    names, lost = names_in(village.app), ids_in(village.app.database)
    erase_group(village.app.units, village.now, group_id=first)
    before = ids_in(village.app.database)

    enrol(village, "乙")

    assert_nothing_is_taken_for_another(village.app, names, given_again(before, ids_in(village.app.database), lost))
    assert start.keys() == lost.keys()


@pytest.mark.parametrize("target", TARGETS, indirect=True)
def test_what_named_a_family_of_the_lost_hours_never_names_one_enrolled_after_the_restore(
    village: Village, target: str, tmp_path: Path
) -> None:
    file = tmp_path / "kigen.backup"
    backup.make(village.app.database, village.app.keys, KEY, file, village.now)
    enrol(village, "甲")
    names, lost = names_in(village.app), ids_in(village.app.database)

    with restored(village, file, tmp_path, target, exact=False) as after:
        before = ids_in(after.app.database)
        enrol(after, "乙")

        again = given_again(before, ids_in(after.app.database), lost)
        assert_nothing_is_taken_for_another(after.app, names, again)


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("target", TARGETS, indirect=True)
def test_what_named_an_erased_family_names_nobody_after_a_move(
    village: Village, target: str, exact: bool, tmp_path: Path
) -> None:
    enrol(village, "先")
    first = enrol(village, "甲乙")
    everything, lost = names_in(village.app), ids_in(village.app.database)
    erase_group(village.app.units, village.now, group_id=first)
    still = set(names_in(village.app))
    names = [name for name in everything if name not in still]
    file = tmp_path / "kigen.backup"
    backup.make(village.app.database, village.app.keys, KEY, file, village.now)

    with restored(village, file, tmp_path, target, exact=exact) as after:
        assert all(is_known(after.app, name) for name in still if not name.is_older), "what was there is still named"
        before = ids_in(after.app.database)
        enrol(after, "丙丁戊")
        given = {table: ids - before[table] for table, ids in ids_in(after.app.database).items()}

        assert_nothing_is_taken_for_another(after.app, names, {})
        assert not any(min(new) <= max(lost[table], default=0) for table, new in given.items() if new)


def test_the_names_of_before_references_are_tried_with_a_signature_that_is_right(village: Village) -> None:
    enrol(village, "甲")
    keys, older = village.app.keys, [name for name in names_in(village.app) if name.is_older]

    assert older
    for name in older:
        about, _, mark = name.said.rpartition("/")
        assert keys.is_signed(about, name.kind, mark)
