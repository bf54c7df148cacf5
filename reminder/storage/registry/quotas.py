"""Counts for quotas: what a group holds, what it has used today, and how often an address was written to.

`require_room` locks the group, so that two transactions that add at once cannot both take the last place.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import BindParameter, Select, and_, bindparam, func, select, union_all
from sqlalchemy.orm import Session

from reminder.clock import japan_date
from reminder.domain.model.imports import ImportState
from reminder.domain.parsing.addresses import mailbox_of
from reminder.domain.rules.quotas import AddressQuota, Quota, Quotas, refuse_beyond
from reminder.errors import NotFoundError, QuotaReachedError
from reminder.storage.crypto.keyring import KeyRing
from reminder.storage.db.statements import add_to, add_to_each, among, ids_param
from reminder.storage.db.tables import (
    AddressUsage,
    ApiToken,
    CalendarFeed,
    Card,
    Contact,
    Group,
    GroupUsage,
    Import,
    Invitation,
    Member,
    Person,
)
from reminder.storage.registry import group_standing
from reminder.storage.registry.group_standing import Standing

_GROUP: BindParameter[int] = bindparam("group")
_MOST: BindParameter[int] = bindparam("most")
_OVER = (ImportState.SAVED, ImportState.CANCELLED)
DAILY = frozenset({Quota.MESSAGES_A_DAY, Quota.INVITATIONS_A_DAY, Quota.IMPORTS_A_DAY})


def _bounded(rows: Select[Any]) -> Select[Any]:
    """Return the query for the number of rows; no more than `most` are read."""
    return select(func.count()).select_from(rows.limit(_MOST).subquery())


_HELD: Mapping[Quota, Select[Any]] = {
    Quota.PEOPLE: _bounded(select(Person.id).where(Person.group_id == _GROUP)),
    Quota.CONTACTS: _bounded(
        select(
            union_all(
                select(Contact.id).join(Person, Person.id == Contact.person_id).where(Person.group_id == _GROUP),
                select(Contact.id).join(Member, Member.id == Contact.member_id).where(Member.group_id == _GROUP),
            ).subquery()
        )
    ),
    Quota.CARDS: _bounded(
        select(Card.id)
        .join(Person, Person.id == Card.person_id)
        .where(Person.group_id == _GROUP, Card.retired_at.is_(None))
    ),
    Quota.INVITATIONS: _bounded(
        select(Invitation.id).where(
            Invitation.group_id == _GROUP, Invitation.ended_at.is_(None), Invitation.expires_at > bindparam("now")
        )
    ),
    Quota.IMPORTS_OPEN: _bounded(select(Import.id).where(Import.group_id == _GROUP, Import.state.not_in(_OVER))),
    Quota.TOKENS: _bounded(select(ApiToken.id).where(ApiToken.group_id == _GROUP, ApiToken.revoked_at.is_(None))),
    Quota.MEMBERS: _bounded(select(Member.id).where(Member.group_id == _GROUP)),
    Quota.FEEDS: _bounded(
        select(CalendarFeed.id)
        .join(Member, Member.id == CalendarFeed.member_id)
        .where(Member.group_id == _GROUP, CalendarFeed.revoked_at.is_(None))
    ),
}
_AROUND_PEOPLE = (
    select(Contact.person_id, func.count())
    .where(among(Contact.person_id, ids_param("people")))
    .group_by(Contact.person_id)
)
_USED_TODAY = select(GroupUsage.used).where(
    GroupUsage.group_id == _GROUP, GroupUsage.quota == bindparam("quota"), GroupUsage.day == bindparam("day")
)
# More than any quota, and within what a database counts.
_ALL = 2_000_000_000


def held(tx: Session, group_id: int, quota: Quota, now: datetime, *, most: int = _ALL) -> int:
    """Return how much of it the group holds, or has used today in Japan; counting ends at `most`.

    Raises KeyError for CONTACTS_OF_PERSON, which is a limit around each person.
    """
    if quota in DAILY:
        asked = {"group": group_id, "quota": quota, "day": japan_date(now)}
        return tx.execute(_USED_TODAY, asked).scalar_one_or_none() or 0
    return int(tx.execute(_HELD[quota], {"group": group_id, "most": most, "now": now}).scalar_one())


def limit_of(quotas: Quotas, standing: Standing, quota: Quota) -> int:
    """Return the limit of this group."""
    return quotas.limit(quota, standing.kind, is_on_trial=standing.is_on_trial, own=standing.quotas)


def require_room(tx: Session, quotas: Quotas, group_id: int, wanted: Mapping[Quota, int], now: datetime) -> Standing:
    """Raise QuotaReachedError where the group may not hold or use so much more; return its standing.

    The group is locked until the transaction ends. Raises NotFoundError for an unknown group.
    """
    standing = group_standing.lock(tx, group_id)
    if standing is None:
        raise NotFoundError(field="group")
    for quota, adding in wanted.items():
        if adding:
            limit = limit_of(quotas, standing, quota)
            there = held(tx, group_id, quota, now, most=limit + 1) if adding <= limit else 0
            refuse_beyond(quota, limit=limit, there=there, adding=adding)
    return standing


def require_room_around(tx: Session, quotas: Quotas, standing: Standing, adding: Mapping[int, int]) -> None:
    """Raise QuotaReachedError where a person would have too many contacts. `adding`: how many more, by person id."""
    if not adding:
        return
    limit = limit_of(quotas, standing, Quota.CONTACTS_OF_PERSON)
    there: dict[int, int] = dict(list(tx.execute(_AROUND_PEOPLE, {"people": list(adding)})))
    for person_id, more in adding.items():
        refuse_beyond(Quota.CONTACTS_OF_PERSON, limit=limit, there=there.get(person_id, 0), adding=more)


def record_use(tx: Session, group_id: int, quota: Quota, now: datetime, count: int = 1) -> None:
    """Count what a group uses of a daily quota; what is taken back later still counts."""
    key = {"group_id": group_id, "quota": str(quota), "day": japan_date(now)}
    add_to(tx, GroupUsage, key, {"used": count})


def record_messages(tx: Session, messages: Mapping[int, int], now: datetime) -> None:
    """Count messages against the quota of a day, by group id."""
    of_day = {"quota": str(Quota.MESSAGES_A_DAY), "day": japan_date(now)}
    rows = [{"group_id": group_id, **of_day, "used": messages[group_id]} for group_id in sorted(messages)]
    add_to_each(tx, GroupUsage, ("group_id", "quota", "day"), ("used",), rows)


def messages_left(tx: Session, quotas: Quotas, group_ids: Sequence[int], now: datetime) -> dict[int, int]:
    """Return how many more messages each of these groups may have today; 0 for a group that is suspended."""
    rows = tx.execute(_LEFT, {"groups": list(group_ids), "day": japan_date(now)})
    left = {}
    for group_id, kind, trial_since, suspended_at, own_limits, used in rows:
        standing = Standing(group_id, kind, trial_since, suspended_at, "", own_limits)
        limit = limit_of(quotas, standing, Quota.MESSAGES_A_DAY)
        left[standing.group_id] = 0 if standing.is_suspended else max(0, limit - (used or 0))
    return left


_LEFT = (
    select(
        Group.id,
        Group.kind,
        Group.trial_since,
        Group.suspended_at,
        Group.quotas,
        GroupUsage.used,
    )
    .outerjoin(
        GroupUsage,
        and_(
            GroupUsage.group_id == Group.id,
            GroupUsage.quota == Quota.MESSAGES_A_DAY.value,
            GroupUsage.day == bindparam("day"),
        ),
    )
    .where(among(Group.id, ids_param("groups")))
)

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_SINCE: Mapping[AddressQuota, tuple[str, timedelta]] = {
    AddressQuota.INVITATIONS_AN_HOUR: ("invitation", _HOUR),
    AddressQuota.INVITATIONS_A_DAY: ("invitation", _DAY),
    AddressQuota.CONSENT_REQUESTS_A_DAY: ("consent_request", _DAY),
}


def use_address(
    tx: Session, keys: KeyRing, quotas: Quotas, address: str, limits: Sequence[AddressQuota], now: datetime
) -> None:
    """Count that an address is written to; raise QuotaReachedError where that is too often, whoever did it before.

    `limits`: of one kind. What is counted here stays counted when the invitation is withdrawn. The row is written
    before the sum is read, so that of two transactions the second waits and then sees the first.
    """
    what = _SINCE[limits[0]][0]
    # Spellings of one mailbox count together.
    mailbox = mailbox_of(address) if "@" in address else address
    key = {"address_index": keys.blind_index(mailbox), "what": what, "hour": _hour_of(now)}
    add_to(tx, AddressUsage, key, {"used": 1})
    for one in limits:
        _, period = _SINCE[one]
        used = tx.execute(
            select(func.coalesce(func.sum(AddressUsage.used), 0)).where(
                AddressUsage.address_index.in_(keys.blind_indexes(mailbox)),
                AddressUsage.what == what,
                AddressUsage.hour >= _hour_of(now - period),
            )
        ).scalar_one()
        if used > quotas.of_address[one]:
            raise QuotaReachedError(f"address_{one}", limit=quotas.of_address[one])


def _hour_of(now: datetime) -> datetime:
    return now.replace(minute=0, second=0, microsecond=0)


@dataclass(frozen=True)
class GroupUsageRow:
    """What a group holds and uses, for the operator."""

    group_id: int
    used: Mapping[Quota, int]
    messages_this_month: int


def usage(tx: Session, group_id: int, now: datetime) -> GroupUsageRow:
    """Return what a group holds and has used today, and its messages since the first of this month in Japan."""
    first = japan_date(now).replace(day=1)
    month: int = tx.execute(
        select(func.coalesce(func.sum(GroupUsage.used), 0)).where(
            GroupUsage.group_id == group_id,
            GroupUsage.quota == Quota.MESSAGES_A_DAY.value,
            GroupUsage.day >= first,
            GroupUsage.day <= _last_of(first),
        )
    ).scalar_one()
    counted: list[Quota] = [quota for quota in Quota if quota is not Quota.CONTACTS_OF_PERSON]
    return GroupUsageRow(group_id, {quota: held(tx, group_id, quota, now) for quota in counted}, month)


def _last_of(first: date) -> date:
    return (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
