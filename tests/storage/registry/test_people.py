"""Persons: who they are to their group, and how they are found in it."""

from dataclasses import replace

from reminder.domain.model.people import Language, Mode
from reminder.storage.db.tables import Card, Person
from reminder.storage.registry import people
from tests.storage.conftest import NOW, Rows


def test_a_person_is_found_as_they_were_added_and_changed(rows: Rows) -> None:
    group = rows.group()
    added = people.add(
        rows.tx, group_id=group, label="父", mode=Mode.HOME, language=Language.ENGLISH, reference="R7", room="101",
        unit="2階", mark="つばめ", office="市役所", insurance=False, now=NOW,
    )  # fmt: skip

    found = people.find(rows.tx, added)

    assert found is not None
    assert (found.label, found.mode, found.language, found.insurance) == ("父", Mode.HOME, Language.ENGLISH, False)
    assert people.find(rows.tx, added + 1) is None
    assert people.by_id(rows.tx, [added, added + 1]) == {added: found}
    people.change(rows.tx, replace(found, label="祖父", mode=Mode.ELDERLY, room=None))
    changed = people.find(rows.tx, added)
    assert changed == replace(found, label="祖父", mode=Mode.ELDERLY, room=None)


def test_a_person_is_found_by_their_place_or_by_the_groups_own_reference(rows: Rows) -> None:
    group = rows.group()
    in_room = people.find(rows.tx, rows.person(group, room="101", unit="2階", reference="R7"))
    by_reference = people.find(rows.tx, rows.person(group, "母", reference="R8"))

    assert in_room is not None
    assert by_reference is not None
    assert ("101" in in_room.place, by_reference.place) == (True, "R8")


def test_many_people_are_added_at_once_and_their_ids_are_in_the_order_of_the_rows(rows: Rows) -> None:
    group = rows.group()
    usual = {
        "group_id": group,
        "mode": Mode.HOME,
        "language": "ja",
        "office": "市役所",
        "insurance": True,
        "created_at": NOW,
    }
    nothing = dict.fromkeys(("reference", "room", "unit", "mark"))

    added = people.add_all(rows.tx, [{**usual, **nothing, "label": label} for label in ("父", "母")])

    assert [one.label for one in people.some(rows.tx, group, added)] == ["父", "母"]


def test_lists_hold_a_groups_people_in_the_order_of_their_ids(rows: Rows) -> None:
    group, other = rows.group(), rows.group("鈴木家")
    first, second, elsewhere = rows.person(group), rows.person(group, "母"), rows.person(other)

    assert [one.id for one in people.of_group(rows.tx, group)] == [first, second]
    assert [one.id for one in people.of_group(rows.tx, None)] == [first, second, elsewhere]
    assert [one.id for one in people.each_of_group(rows.tx, group)] == [first, second]
    assert [one.id for one in people.each_of_group(rows.tx, None)] == [first, second, elsewhere]
    assert [one.id for one in people.some(rows.tx, group, [second, elsewhere])] == [second]
    assert [one.id for one in people.some_of_group(rows.tx, group, after=first, limit=9)] == [second]


def test_people_are_alike_who_share_a_reference_a_label_or_a_room(rows: Rows) -> None:
    group = rows.group()
    by_reference, by_label, by_room = (
        rows.person(group, "甲", reference="R7"),
        rows.person(group, "乙"),
        rows.person(group, "丙", room="101"),
    )
    rows.person(group, "丁", reference="R8", room="102")
    rows.person(rows.group("鈴木家"), "乙")

    found = people.like(rows.tx, group, references=["R7"], labels=["乙"], rooms=["101"])

    assert [one.id for one in found] == [by_reference, by_label, by_room]
    assert people.like(rows.tx, group, references=[], labels=[], rooms=[]) == []


def test_a_row_of_the_table_is_a_person(rows: Rows) -> None:
    person = rows.person(rows.group())

    row = rows.tx.execute(Person.__table__.select()).one()

    values = [row._mapping[column.name] for column in people.COLUMNS]  # type: ignore[attr-defined]
    assert people.view(values, people.reader(rows.tx)) == people.find(rows.tx, person)


def test_a_person_has_a_card_until_it_is_retired(rows: Rows) -> None:
    person = rows.person(rows.group())
    assert not people.has_card(rows.tx, person)

    card = rows.card(person)
    assert people.has_card(rows.tx, person)

    rows.change(Card, card, retired_at=NOW)
    assert not people.has_card(rows.tx, person)


def test_the_people_of_a_group_are_listed_without_details_and_counted_up_to_a_limit(rows: Rows) -> None:
    group = rows.group()
    first, second = rows.person(group, room="101", unit="2階"), rows.person(group, "母", insurance=False)
    rows.person(rows.group())

    found = people.brief_of_group(rows.tx, group)

    assert [(one.id, one.label, one.room, one.unit, one.insurance) for one in found] == [
        (first, "父", "101", "2階", True),
        (second, "母", None, None, False),
    ]
    assert people.are_more_than(rows.tx, group, 1)
    assert not people.are_more_than(rows.tx, group, 2)
