"""What people typed is found and ordered in one place, so that it can be sealed one day."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import reminder
from reminder.domain.model.people import GroupKind
from reminder.storage.registry import name_index
from tests.village import Village

WORDS = {
    "Person": ("words", "label_plain", "reference_plain", "room_plain", "unit_plain", "mark_plain", "office_plain"),
    "Group": ("name", "organisation", "name_plain", "organisation_plain"),
    "Member": ("name", "name_plain"),
    "Card": ("label", "label_plain"),
}
# What reads a column, opens it, or seals a word for it.
READING = {"select", "unread", "sealing.reader", "sealing.reader_of", "sealing.words", "set_words", "groups.set_words"}
HERE = "storage/registry/name_index.py"


@pytest.fixture
def home(village: Village) -> Village:
    village.group(GroupKind.HOME, "見本の里")
    village.person("ハナさん", unit="2階", room="10")
    village.person("Ｔｏｍさん", unit="2階", room="9")
    village.person("トミさん", unit="10階", room="1", reference="A7")
    village.person("サチさん")
    village.group(GroupKind.HOME, "隣の里")
    village.person("ハナさん", unit="2階", room="10")
    return village


@pytest.mark.parametrize(
    ("asked", "ids", "total"),
    [
        ({}, [4, 2, 1, 3], 4),
        ({"limit": 2}, [4, 2], 4),
        ({"skip": 2, "limit": 2}, [1, 3], 4),
        ({"unit": "2階"}, [2, 1], 2),
        ({"unit": ""}, [4], 1),
        ({"words": "ハナ"}, [1], 1),
        ({"words": "tom 2階"}, [2], 1),
        ({"words": "ａ７"}, [3], 1),
        ({"words": "鈴木"}, [], 0),
    ],
)
def test_people_are_found_and_stand_as_one_walks_through_the_house(
    home: Village, asked: dict[str, object], ids: list[int], total: int
) -> None:
    with home.app.database.reading() as tx:
        assert name_index.page(tx, 1, **asked) == name_index.NamePage(ids, total)  # type: ignore[arg-type]


def test_the_units_of_a_house_are_in_order_and_none_is_another_s(home: Village) -> None:
    with home.app.database.reading() as tx:
        assert name_index.matching(tx, 1, words="2階") == name_index.page(tx, 1, words="2階").person_ids == [2, 1]
        assert name_index.units(tx, 1) == ["2階", "10階"]
        assert name_index.units(tx, 2) == ["2階"]


def test_those_who_share_something_are_found_within_their_group(home: Village) -> None:
    with home.app.database.reading() as tx:
        found = name_index.alike(tx, 1, references=["A7"], labels=["ハナさん", "鈴木"], rooms=["9"])

    assert found == [1, 2, 3]


def compared(source: str) -> Iterator[str]:
    """Columns of typed words that stand anywhere but in a list of columns that are read."""
    tree = ast.parse(source)
    parent = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.attr in WORDS.get(node.value.id, ())
        ):
            above = parent[node]
            is_read = isinstance(above, ast.Tuple | ast.Dict) or (
                isinstance(above, ast.Call) and ast.unparse(above.func) in READING
            )
            if not is_read:
                yield f"{ast.unparse(above)} (line {node.lineno})"


def test_no_other_module_compares_or_sorts_what_people_typed() -> None:
    package = Path(reminder.__file__).parent
    found = {
        path.relative_to(package).as_posix(): list(compared(path.read_text(encoding="utf-8")))
        for path in package.rglob("*.py")
    }

    assert {place: some for place, some in found.items() if some and place != HERE} == {}


@pytest.mark.parametrize(
    "source",
    ["select(Person.id).where(Person.words == name)", "query.order_by(Person.room_plain)", "Card.label.like('%x%')"],
)
def test_the_look_at_the_source_would_see_it(source: str) -> None:
    assert list(compared(source)) != []
