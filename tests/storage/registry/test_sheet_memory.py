"""What a home's sheet said when it was last saved is recognised, and cannot be read."""

from sqlalchemy import select

from reminder.domain.model.imports import SheetAnswer
from reminder.storage.crypto.keyring import new_key, read_keys
from reminder.storage.db.tables import SheetAnswerGiven, SheetPerson
from reminder.storage.registry import sheet_memory
from reminder.storage.registry.sheet_memory import SaidOfPerson
from tests.storage.conftest import HOUR, NOW, Rows

IDENTITY = "label\0ハナ\x00201"


def said(person: int, **cells: str) -> SaidOfPerson:
    return SaidOfPerson(person, IDENTITY, cells)


def test_a_cell_is_known_to_be_as_before_or_changed_or_not_known(rows: Rows) -> None:
    group = rows.group()
    person = rows.person(group)
    sheet_memory.remember(rows.tx, rows.keys, group, [said(person, label="ハナ", room="201")], NOW)

    found = sheet_memory.of_people(rows.tx, [person, 999])

    assert list(found) == [person]
    kept = found[person]
    assert [kept.said(rows.keys, "room", room) for room in ("201", "305")] == [True, False]
    assert kept.said(rows.keys, "unit", "2F") is None
    assert not {"ハナ", "201"} & {*kept.cells.values()}


def test_equal_words_of_two_people_have_nothing_in_common(rows: Rows) -> None:
    group = rows.group()
    first, second = rows.person(group), rows.person(group)
    sheet_memory.remember(rows.tx, rows.keys, group, [said(one, room="201") for one in (first, second)], NOW)

    kept = sheet_memory.of_people(rows.tx, [first, second])

    assert kept[first].cells["room"] != kept[second].cells["room"]


def test_what_the_next_sheet_leaves_out_stays_known(rows: Rows) -> None:
    group = rows.group()
    person = rows.person(group)
    sheet_memory.remember(rows.tx, rows.keys, group, [said(person, label="ハナ", room="201")], NOW)
    sheet_memory.remember(rows.tx, rows.keys, group, [said(person, label="ハナ")], NOW + HOUR)

    kept = sheet_memory.of_people(rows.tx, [person])[person]

    assert kept.said(rows.keys, "room", "201") is True
    assert rows.column(SheetPerson.saved_at) == [NOW + HOUR]


def test_it_is_known_after_the_key_ring_was_changed(rows: Rows) -> None:
    group = rows.group()
    person = rows.person(group)
    sheet_memory.remember(rows.tx, rows.keys, group, [said(person, room="201")], NOW)
    sheet_memory.answer(rows.tx, rows.keys, group, {"だれ": (SheetAnswer.SAME, person)}, NOW)
    newer = read_keys([new_key()]).referring_by(rows.keys.references)

    kept = sheet_memory.of_people(rows.tx, [person])[person]

    assert [kept.said(newer, "room", room) for room in ("201", "305")] == [True, False]
    assert sheet_memory.by_identity(rows.tx, newer, group, [IDENTITY]) == {IDENTITY: person}
    assert sheet_memory.answers(rows.tx, newer, group, ["だれ"]) == {"だれ": SheetAnswer.SAME}


def test_another_installation_recognises_nothing(rows: Rows) -> None:
    group = rows.group()
    person = rows.person(group)
    sheet_memory.remember(rows.tx, rows.keys, group, [said(person, room="201")], NOW)
    other = read_keys([new_key()])

    kept = sheet_memory.of_people(rows.tx, [person])[person]

    assert kept.said(other, "room", "201") is False
    assert sheet_memory.by_identity(rows.tx, other, group, [IDENTITY]) == {}


def test_a_person_is_found_by_what_the_sheet_called_them_in_their_own_group(rows: Rows) -> None:
    group, other = rows.group(), rows.group("鈴木家")
    person = rows.person(group)
    sheet_memory.remember(rows.tx, rows.keys, group, [said(person)], NOW)

    assert sheet_memory.by_identity(rows.tx, rows.keys, group, [IDENTITY, "label\0キヨ\0"]) == {IDENTITY: person}
    assert sheet_memory.by_identity(rows.tx, rows.keys, other, [IDENTITY]) == {}


def test_an_answer_is_kept_for_its_question_and_may_be_changed(rows: Rows) -> None:
    group, other = rows.group(), rows.group("鈴木家")
    person = rows.person(group)
    sheet_memory.answer(rows.tx, rows.keys, group, {"だれ": (SheetAnswer.SAME, person)}, NOW)
    sheet_memory.answer(rows.tx, rows.keys, group, {"だれ": (SheetAnswer.LEAVE, None)}, NOW + HOUR)

    assert sheet_memory.answers(rows.tx, rows.keys, group, ["だれ", "いつ"]) == {"だれ": SheetAnswer.LEAVE}
    assert sheet_memory.answers(rows.tx, rows.keys, other, ["だれ"]) == {}
    assert rows.column(SheetAnswerGiven.person_id) == [None]
    assert "だれ".encode() not in rows.tx.scalars(select(SheetAnswerGiven.question_fingerprint)).one()
