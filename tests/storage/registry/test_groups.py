"""Groups and their members: what they chose, and which of them are care homes."""

from reminder.domain.model.people import Copies, GroupKind, Language, Role
from reminder.domain.rules.preferences import Preferences
from reminder.storage.auth import accounts
from reminder.storage.db.tables import CalendarFeed, Member
from reminder.storage.registry import groups
from tests.storage.conftest import DAY, NOW, Rows


def test_a_group_is_found_as_it_was_added(rows: Rows) -> None:
    added = groups.add(rows.tx, name="ひまわり苑", kind=GroupKind.HOME, now=NOW)
    other = rows.group()

    found = groups.find(rows.tx, added)

    assert found is not None
    assert (found.name, found.kind, found.preferences, found.organisation) == (
        "ひまわり苑",
        GroupKind.HOME,
        Preferences(),
        "",
    )
    assert groups.find(rows.tx, other + 1) is None
    assert groups.by_id(rows.tx, [added]) == {added: found}
    assert [one.id for one in groups.everyone(rows.tx)] == [added, other]


def test_homes_come_in_the_order_of_their_ids_and_a_household_is_none(rows: Rows) -> None:
    rows.group()
    assert not groups.has_homes(rows.tx)
    first, second = (rows.group(name, GroupKind.HOME) for name in ("ひまわり苑", "さくら苑"))

    def homes(after: int) -> list[int]:
        return groups.home_ids_after(rows.tx, after, founded_before=NOW + DAY, limit=9)

    assert groups.has_homes(rows.tx)
    assert homes(0) == [first, second]
    assert homes(first) == [second]
    assert [one.name for one in groups.homes(rows.tx, [second, second - 2, first])] == ["ひまわり苑", "さくら苑"]
    assert groups.home_ids_after(rows.tx, 0, founded_before=NOW, limit=9) == []


def test_what_a_group_chose_is_kept(rows: Rows) -> None:
    group = rows.group()
    preferences = Preferences("", (60, 30, 7), 18, True)
    groups.lock(rows.tx, group)

    groups.rename(rows.tx, group, "山田家")
    groups.set_organisation(rows.tx, group, "ひまわり会")
    groups.set_preferences(rows.tx, group, preferences)

    found = groups.find(rows.tx, group)
    assert found is not None
    assert (found.name, found.organisation, found.preferences) == ("山田家", "ひまわり会", preferences)


def test_what_a_groups_own_headings_mean_is_added_to_what_was_known(rows: Rows) -> None:
    group = rows.group()
    assert groups.headings(rows.tx, group) == {}

    groups.save_column_headings(rows.tx, group, {"なまえ": "label", "へや": "room"})
    groups.save_column_headings(rows.tx, group, {"へや": "unit"})

    assert groups.headings(rows.tx, group) == {"なまえ": "label", "へや": "unit"}


def test_a_member_has_a_role_a_name_and_chooses_which_copies_they_get(rows: Rows) -> None:
    group = rows.group()
    member = accounts.add_member(
        rows.tx, rows.keys, group_id=group, role=Role.VIEWER, language=Language.JAPANESE, now=NOW
    )
    phone = rows.contact(member_id=member)

    assert accounts.set_role(rows.tx, rows.keys, member, Role.EDITOR)
    groups.set_copies(rows.tx, member, Copies.NEAR)
    groups.name_member(rows.tx, member, "長女")

    assert (rows.one(Member.role, member), rows.one(Member.copies, member)) == (Role.EDITOR, Copies.NEAR)
    assert groups.group_of_member(rows.tx, member) == group
    assert groups.group_of_member(rows.tx, member + 1) is None
    assert groups.names_by_contact(rows.tx, group) == {phone: "長女"}
    assert groups.member_names(rows.tx, group) == {member: "長女"}


def test_a_member_goes_with_what_is_theirs(rows: Rows) -> None:
    member = rows.member(rows.group())
    rows.tx.add(CalendarFeed(member_id=member, token_hash=b"secret", is_private=False, created_at=NOW))
    rows.tx.flush()

    groups.remove_member(rows.tx, member)

    assert (rows.column(Member.id), rows.column(CalendarFeed.id)) == ([], [])
