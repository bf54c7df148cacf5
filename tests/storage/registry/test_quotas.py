"""What a group holds and uses is counted, and who would go beyond a limit is refused, also two at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from reminder.domain.model.people import GroupKind, Role
from reminder.domain.rules.quotas import AddressQuota, Quota, Quotas, read_quotas
from reminder.errors import NotFoundError, QuotaReachedError
from reminder.settings import read_table, shipped
from reminder.storage.auth import accounts, calendar_feeds
from reminder.storage.crypto.keyring import KeyRing
from reminder.storage.db.session import Database
from reminder.storage.db.tables import Card, GroupUsage
from reminder.storage.registry import group_standing, groups, people, quotas
from tests.storage.conftest import DAY, HOUR, NOW, TODAY, Rows

QUOTAS = read_quotas(read_table(shipped("config") / "quotas.toml"))
HANA = "hana@example.jp"


def only(limit: int, quota: Quota) -> Quotas:
    return Quotas({"trial": {quota: limit}, "household": {quota: limit}, "home": {quota: limit}}, QUOTAS.of_address)


def a_feed(rows: Rows, group: int) -> int:
    return calendar_feeds.add(
        rows.tx, rows.keys, member_id=rows.member(group), token_hash=str(rows._made).encode(), is_private=True, now=NOW
    )


def an_invitation(rows: Rows, group: int) -> int:
    return accounts.invite(
        rows.tx, rows.keys, group_id=group, address=HANA, role=Role.VIEWER, now=NOW, expires_at=NOW + DAY
    )


def used(quota: Quota) -> Callable[[Rows, int], None]:
    return lambda rows, group: quotas.record_use(rows.tx, group, quota, NOW)


# How a group comes to hold, or use, one more of each.
ONE_MORE: dict[Quota, Callable[[Rows, int], object]] = {
    Quota.PEOPLE: lambda rows, group: rows.person(group),
    Quota.CONTACTS: lambda rows, group: rows.contact(person_id=rows.person(group)),
    Quota.CARDS: lambda rows, group: rows.card(rows.person(group)),
    Quota.MESSAGES_A_DAY: lambda rows, group: rows.message(
        rows.contact(person_id=rows.person(group)), group_id=group
    ),
    Quota.INVITATIONS: an_invitation,
    Quota.INVITATIONS_A_DAY: used(Quota.INVITATIONS_A_DAY),
    Quota.IMPORTS_OPEN: lambda rows, group: rows.sheet_import(group),
    Quota.IMPORTS_A_DAY: used(Quota.IMPORTS_A_DAY),
    Quota.TOKENS: lambda rows, group: rows.token(rows.member(group), group, token_hash=str(rows.token).encode() + bytes([group])),
    Quota.MEMBERS: lambda rows, group: rows.member(group),
    Quota.FEEDS: a_feed,
}  # fmt: skip


def test_every_quota_but_that_around_a_person_can_be_counted() -> None:
    assert ONE_MORE.keys() == {*Quota} - {Quota.CONTACTS_OF_PERSON}


@pytest.mark.parametrize("quota", [*ONE_MORE])
def test_what_one_group_holds_is_counted_for_no_other(rows: Rows, quota: Quota) -> None:
    mine, other = rows.group(), rows.group("他人家")
    assert quotas.held(rows.tx, mine, quota, NOW) == 0

    ONE_MORE[quota](rows, mine)

    assert quotas.held(rows.tx, mine, quota, NOW) == 1
    assert quotas.held(rows.tx, other, quota, NOW) == 0


@pytest.mark.parametrize("quota", [*ONE_MORE])
def test_the_last_place_is_taken_and_one_more_is_refused(rows: Rows, quota: Quota) -> None:
    mine, other, limits = rows.group(), rows.group("他人家"), only(1, quota)

    assert quotas.require_room(rows.tx, limits, mine, {quota: 1}, NOW).group_id == mine
    with pytest.raises(QuotaReachedError, match=f"quota_{quota}"):
        quotas.require_room(rows.tx, limits, mine, {quota: 2}, NOW)
    ONE_MORE[quota](rows, mine)
    with pytest.raises(QuotaReachedError) as refused:
        quotas.require_room(rows.tx, limits, mine, {quota: 1}, NOW)

    assert refused.value.details == {"limit": 1, "adding": 1}
    quotas.require_room(rows.tx, limits, mine, {quota: 0}, NOW)
    quotas.require_room(rows.tx, limits, other, {quota: 1}, NOW)


def test_what_is_over_does_not_count(rows: Rows) -> None:
    group = rows.group()
    card, invitation = rows.card(rows.person(group)), an_invitation(rows, group)
    rows.change(Card, card, retired_at=NOW)
    accounts.end_invitation(rows.tx, invitation, NOW)

    assert quotas.held(rows.tx, group, Quota.CARDS, NOW) == 0
    assert quotas.held(rows.tx, group, Quota.INVITATIONS, NOW) == 0
    assert quotas.held(rows.tx, group, Quota.MESSAGES_A_DAY, NOW + DAY) == 0


@pytest.mark.parametrize("quota", sorted(quotas.DAILY))
def test_what_is_used_in_a_day_adds_up_and_ends_with_the_day(rows: Rows, quota: Quota) -> None:
    group = rows.group()
    quotas.record_use(rows.tx, group, quota, NOW, 2)
    quotas.record_use(rows.tx, group, quota, NOW)

    assert quotas.held(rows.tx, group, quota, NOW) == 3
    assert quotas.held(rows.tx, group, quota, NOW + DAY) == 0


def test_counting_ends_where_the_limit_is_reached(rows: Rows) -> None:
    group = rows.group()
    for _ in range(5):
        rows.person(group)

    assert quotas.held(rows.tx, group, Quota.PEOPLE, NOW, most=3) == 3


def test_an_unknown_group_has_no_room(rows: Rows) -> None:
    with pytest.raises(NotFoundError):
        quotas.require_room(rows.tx, QUOTAS, 99, {Quota.PEOPLE: 1}, NOW)


def test_contacts_are_bounded_around_each_person(rows: Rows) -> None:
    group = rows.group()
    mother, father = rows.person(group), rows.person(group)
    rows.contact(person_id=mother)
    standing = group_standing.find(rows.tx, group)
    limits = only(2, Quota.CONTACTS_OF_PERSON)

    quotas.require_room_around(rows.tx, limits, standing, {mother: 1, father: 2})
    quotas.require_room_around(rows.tx, limits, standing, {})
    with pytest.raises(QuotaReachedError, match="quota_contacts_of_person"):
        quotas.require_room_around(rows.tx, limits, standing, {father: 1, mother: 2})


def test_the_limit_of_a_group_is_that_of_its_kind_its_trial_or_its_own(rows: Rows) -> None:
    household, home, trial, own = (
        rows.group(), rows.group(kind=GroupKind.HOME), rows.group(kind=GroupKind.HOME), rows.group()
    )  # fmt: skip
    group_standing.begin_trial(rows.tx, trial, NOW)
    group_standing.set_quotas(rows.tx, own, {Quota.PEOPLE: 7})

    found = [group_standing.find(rows.tx, one) for one in (household, home, trial, own)]

    limits = [quotas.limit_of(QUOTAS, one, Quota.PEOPLE) for one in found]
    assert limits == [QUOTAS.of_groups[name][Quota.PEOPLE] for name in ("household", "home", "trial")] + [7]


def test_messages_are_counted_by_group_and_day(rows: Rows) -> None:
    mine, other = rows.group(), rows.group("他人家")
    quotas.record_messages(rows.tx, {mine: 2}, NOW - DAY)
    quotas.record_messages(rows.tx, {mine: 2, other: 1}, NOW)
    quotas.record_messages(rows.tx, {mine: 1}, NOW)
    quotas.record_messages(rows.tx, {}, NOW)

    limits = only(4, Quota.MESSAGES_A_DAY)
    assert quotas.messages_left(rows.tx, limits, [mine, other], NOW) == {mine: 1, other: 3}
    assert quotas.messages_left(rows.tx, limits, [mine], NOW + DAY) == {mine: 4}
    group_standing.suspend(rows.tx, other, "調査", NOW)
    assert quotas.messages_left(rows.tx, limits, [other], NOW) == {other: 0}
    assert rows.column(GroupUsage.used, GroupUsage.day == TODAY) == [3, 1]


def test_the_operator_sees_what_a_group_holds_and_its_messages_of_the_month(rows: Rows) -> None:
    group = rows.group()
    for quota in Quota:
        if quota in ONE_MORE:
            ONE_MORE[quota](rows, group)
    quotas.record_messages(rows.tx, {group: 5}, NOW - DAY)
    quotas.record_messages(rows.tx, {group: 2}, NOW + 10 * DAY)

    found = quotas.usage(rows.tx, group, NOW + 10 * DAY)

    assert found.used.keys() == ONE_MORE.keys()
    assert found.used[Quota.PEOPLE] == 4
    assert found.used[Quota.MESSAGES_A_DAY] == 2
    assert found.messages_this_month == 3, "not those of November"


def test_an_address_is_protected_from_all_groups_together(rows: Rows) -> None:
    limits = (AddressQuota.INVITATIONS_AN_HOUR, AddressQuota.INVITATIONS_A_DAY)

    def invite(address: str, later: timedelta) -> None:
        quotas.use_address(rows.tx, rows.keys, QUOTAS, address, limits, NOW + later)

    invite(HANA, timedelta(0))
    invite("Hana+x@example.jp", timedelta(0))
    with pytest.raises(QuotaReachedError, match="quota_address_invitations_an_hour"), rows.tx.begin_nested():
        invite(HANA, HOUR / 2)
    invite("taro@example.jp", timedelta(0))
    invite(HANA, 5 * HOUR)
    invite(HANA, 8 * HOUR)
    invite(HANA, 11 * HOUR)
    with pytest.raises(QuotaReachedError, match="quota_address_invitations_a_day"):
        invite(HANA, 14 * HOUR)
    invite(HANA, 3 * DAY)


def test_of_two_who_take_the_last_place_at_once_one_is_refused(database: Database, keys: KeyRing) -> None:
    with database.writing() as tx:
        group = groups.add(tx, name="田中家", kind=GroupKind.HOUSEHOLD, now=NOW)
    limits = only(1, Quota.PEOPLE)

    def add(_: int) -> bool:
        try:
            with database.writing() as tx:
                quotas.require_room(tx, limits, group, {Quota.PEOPLE: 1}, NOW)
                Rows(tx, keys).person(group)
        except QuotaReachedError:
            return False
        return True

    with ThreadPoolExecutor(4) as four:
        assert sorted(four.map(add, range(4))) == [False, False, False, True]
    with database.reading() as tx:
        assert len(people.of_group(tx, group)) == 1


def test_of_several_who_write_to_one_address_at_once_no_more_than_allowed_do(database: Database, keys: KeyRing) -> None:
    limits = (AddressQuota.INVITATIONS_AN_HOUR,)

    def invite(_: int) -> bool:
        try:
            with database.writing() as tx:
                quotas.use_address(tx, keys, QUOTAS, HANA, limits, NOW)
        except QuotaReachedError:
            return False
        return True

    with ThreadPoolExecutor(4) as four:
        assert sum(four.map(invite, range(6))) == QUOTAS.of_address[AddressQuota.INVITATIONS_AN_HOUR]
