"""Accounts and invitations: found by an address that nobody can read in the table."""

from reminder.domain.model.people import Language, Role
from reminder.storage.auth import accounts
from reminder.storage.db.tables import Member
from tests.storage.conftest import DAY, NOW, Rows

HANA = "hana@example.jp"


def test_an_account_is_found_by_its_address_and_by_its_id(rows: Rows) -> None:
    added = accounts.add(rows.tx, rows.keys, address=HANA, language=Language.ENGLISH, now=NOW)

    assert accounts.at_address(rows.tx, rows.keys, HANA) == added
    assert accounts.find(rows.tx, rows.keys, added.id) == added
    assert accounts.at_address(rows.tx, rows.keys, "taro@example.jp") is None
    assert accounts.find(rows.tx, rows.keys, added.id + 1) is None


def test_the_language_of_an_account_is_that_of_its_members(rows: Rows) -> None:
    account = rows.account()
    member = rows.member(rows.group())
    accounts.set_account(rows.tx, rows.keys, member, account)

    accounts.set_language(rows.tx, account, Language.ENGLISH)

    assert accounts.member(rows.tx, rows.keys, member).language == Language.ENGLISH


def test_members_entered_with_an_address_become_those_of_its_account_once_in_each_group(rows: Rows) -> None:
    first, second = rows.group(), rows.group("鈴木家")
    mine = [rows.member(first, email=HANA), rows.member(second, email=HANA)]
    other = rows.member(first, email="taro@example.jp")
    account = accounts.add(rows.tx, rows.keys, address=HANA, language=Language.JAPANESE, now=NOW)

    accounts.link_members(rows.tx, rows.keys, account)

    assert [one.member_id for one in accounts.memberships(rows.tx, rows.keys, account.id)] == mine
    assert rows.one(Member.account_id, other) is None


def test_somebody_is_awaited_who_is_a_member_is_invited_or_has_an_account(rows: Rows) -> None:
    group = rows.group()
    rows.member(group, email="member@example.jp")
    rows.account("account@example.jp")
    accounts.invite(
        rows.tx, rows.keys, group_id=group, address="guest@example.jp", role=Role.VIEWER, now=NOW, expires_at=NOW + DAY
    )

    awaited = [
        accounts.is_awaited(rows.tx, rows.keys, f"{name}@example.jp", NOW)
        for name in ("member", "account", "guest", "nobody")
    ]

    assert awaited == [True, True, True, False]


def test_an_invitation_is_seen_from_both_sides_until_it_ends(rows: Rows) -> None:
    group = rows.group()
    invited = accounts.invite(
        rows.tx, rows.keys, group_id=group, address=HANA, role=Role.EDITOR, now=NOW, expires_at=NOW + DAY
    )

    (seen,) = accounts.invitations_to(rows.tx, rows.keys, HANA, NOW)
    assert (seen.id, seen.group, seen.address, seen.role) == (invited, "田中家", HANA, Role.EDITOR)
    assert accounts.invitations_of(rows.tx, rows.keys, group, NOW) == [seen]
    assert accounts.invitations_of(rows.tx, rows.keys, group, NOW + DAY) == []
    assert accounts.end_invitation(rows.tx, invited, NOW)
    assert not accounts.end_invitation(rows.tx, invited, NOW)
    assert accounts.invitations_to(rows.tx, rows.keys, HANA, NOW) == []


def test_a_member_is_shown_by_what_they_sign_in_with_or_were_entered_with(rows: Rows) -> None:
    group = rows.group()
    entered, signed_in, silent = rows.member(group, email="first@example.jp"), rows.member(group), rows.member(group)
    accounts.set_account(rows.tx, rows.keys, signed_in, rows.account())

    members = accounts.members(rows.tx, rows.keys, group)

    assert [(one.id, one.address, one.has_signed_in) for one in members] == [
        (entered, "first@example.jp", False),
        (signed_in, HANA, True),
        (silent, None, False),
    ]
    assert accounts.member(rows.tx, rows.keys, signed_in) == members[1]
