"""What somebody may see is in their own group; everything else is not found, as if it did not exist."""

import pytest

from reminder.domain.model.access import Actor
from reminder.domain.model.people import GroupKind, Language, Role
from reminder.errors import NotFoundError
from reminder.storage.auth import accounts, authorized
from reminder.storage.registry import groups
from tests.storage.conftest import Rows


def actor(group_id: int) -> Actor:
    return Actor(group_id, 1, Role.OWNER, Language.JAPANESE)


def test_what_is_in_ones_own_group_is_found_and_what_is_in_another_is_not(rows: Rows) -> None:
    group, other = rows.group(), rows.group("鈴木家")
    person, member, sheet = rows.person(group), rows.member(group), rows.sheet_import(group)
    card, phone = rows.card(person), rows.contact(person_id=person)
    mine, stranger = actor(group), actor(other)

    assert authorized.group(rows.tx, mine).id == group
    assert authorized.person(rows.tx, mine, person).id == person
    assert [one.id for one in authorized.card(rows.tx, mine, card)] == [card, person]
    assert authorized.contact(rows.tx, rows.keys, mine, phone).id == phone
    assert authorized.sheet_import(rows.tx, mine, sheet).id == sheet
    authorized.member(rows.tx, mine, member)

    for ask in (
        lambda: authorized.group(rows.tx, actor(999)),
        lambda: authorized.person(rows.tx, stranger, person),
        lambda: authorized.card(rows.tx, stranger, card),
        lambda: authorized.contact(rows.tx, rows.keys, stranger, phone),
        lambda: authorized.sheet_import(rows.tx, stranger, sheet),
        lambda: authorized.member(rows.tx, stranger, member),
    ):
        with pytest.raises(NotFoundError):
            ask()


def test_the_homes_of_an_organisation_are_those_in_which_the_account_is_a_member(rows: Rows) -> None:
    here, sister, unknown, apart = (
        rows.group(name, GroupKind.HOME) for name in ("さくら苑", "ひまわり苑", "すみれ苑", "別の苑")
    )
    account = rows.account()
    for home in (here, sister, apart):
        accounts.set_account(rows.tx, rows.keys, rows.member(home), account)
    for home in (here, sister, unknown):
        groups.set_organisation(rows.tx, home, "花の会")

    assert [one.id for one in authorized.homes(rows.tx, rows.keys, actor(here), account)] == [here, sister]
    assert [one.id for one in authorized.homes(rows.tx, rows.keys, actor(apart), account)] == [apart]
