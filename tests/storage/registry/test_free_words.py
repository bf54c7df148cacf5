"""The words that stand in messages, by group: every one that is stored in a column for typed words."""

from reminder.domain.model.people import GroupKind
from reminder.storage.db.columns import GuardedText
from reminder.storage.db.tables import Base
from reminder.storage.registry import free_words
from reminder.storage.registry.free_words import FreeWord
from tests.storage.conftest import NOW, Rows

# Columns of typed words that no message holds: they are shown on pages and in exports to the group itself.
# The name of a kind of a group's own stands in messages as the label of its cards.
NOT_IN_MESSAGES = {
    "groups.organisation", "members.name", "people.reference", "contacts.consent_by", "api_tokens.name", "own_kinds.name",
}  # fmt: skip
OF_THE_OPERATOR = {"groups.suspended_why"}
READ = {
    "groups.name": "group_name",
    **{f"people.{field}": field for field in ("label", "mark", "room", "unit", "office")},
    "cards.label": "card_label",
}


def test_every_column_of_typed_words_is_read_or_stands_in_no_message() -> None:
    columns = {
        f"{table.name}.{column.name}"
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, GuardedText)
    }

    assert columns - OF_THE_OPERATOR == NOT_IN_MESSAGES | set(READ)


def test_the_words_of_some_groups_are_read_with_the_places_where_they_stand(rows: Rows) -> None:
    home, family = rows.group("さくら苑", GroupKind.HOME), rows.group("田中家")
    rows.group("たなか家")
    resident = rows.person(home, "ハナさん", room="203", unit="2階", mark="つばめ", office="区役所")
    mother = rows.person(family, "母")
    rows.card(mother, "other", label="老人パス")
    rows.card(mother, "other", label="前の券", retired_at=NOW)
    rows.card(mother)

    found = free_words.of_groups(rows.tx, [home, family])

    assert [word for word in found if word.group_id == home] == [
        FreeWord(home, "group_name", "さくら苑"),
        FreeWord(home, "label", "ハナさん", resident, "2階 203"),
        FreeWord(home, "mark", "つばめ", resident, "2階 203"),
        FreeWord(home, "room", "203", resident, "2階 203"),
        FreeWord(home, "unit", "2階", resident, "2階 203"),
        FreeWord(home, "office", "区役所", resident, "2階 203"),
    ]
    assert [word for word in found if word.group_id == family] == [
        FreeWord(family, "group_name", "田中家"),
        FreeWord(family, "label", "母", mother, "母", is_name=True),
        FreeWord(family, "office", "市役所", mother, "母", is_name=True),
        FreeWord(family, "card_label", "老人パス", mother, "母", is_name=True),
    ]
    assert {word.field for word in found} <= set(READ.values())
    assert free_words.of_groups(rows.tx, []) == []


def test_groups_follow_one_another_in_the_order_of_their_ids(rows: Rows) -> None:
    first, second, third = (rows.group() for _ in range(3))

    assert free_words.groups_after(rows.tx, 0, limit=2) == [first, second]
    assert free_words.groups_after(rows.tx, second, limit=2) == [third]
    assert free_words.groups_after(rows.tx, third, limit=2) == []
