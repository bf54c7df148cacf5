"""Calendar feeds of a member: making and revoking them, and reading one by its address."""

from collections.abc import Sequence

from reminder.domain.rules.quotas import Quota
from reminder.errors import NotFoundError
from reminder.storage.auth import calendar_feeds
from reminder.storage.auth.calendar_feeds import FeedView
from reminder.storage.crypto.keyring import new_token, token_hash
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.registry import groups, quotas
from reminder.storage.runtime import activity_log
from reminder.upkeep.calendar.ics import calendar_of


def make_feed(uow: UnitOfWork, *, member_id: int, is_private: bool) -> str:
    """Make a feed and return the secret of its address, which cannot be shown again.

    Raises NotFoundError for an unknown member.
    """
    token = new_token()
    group_id = groups.group_of_member(uow.tx, member_id)
    if group_id is None:
        raise NotFoundError(field="member")
    quotas.require_room(uow.tx, uow.rules.quotas, group_id, {Quota.FEEDS: 1}, uow.now)
    calendar_feeds.add(
        uow.tx,
        uow.keys,
        member_id=member_id,
        token_hash=token_hash(token),
        is_private=is_private,
        now=uow.now,
    )
    activity_log.write(uow.tx, "feed_made", uow.now, group_id=group_id, member_id=member_id)
    return token


def feeds_of(uow: UnitOfWork, member_id: int) -> Sequence[FeedView]:
    """Return the feeds of a member."""
    return calendar_feeds.of_member(uow.tx, member_id)


def revoke_feed(uow: UnitOfWork, *, member_id: int, feed_id: int) -> None:
    """Revoke a feed. Raises NotFoundError for one that is somebody else's or revoked."""
    if not calendar_feeds.revoke(uow.tx, member_id=member_id, feed_id=feed_id, now=uow.now):
        raise NotFoundError("page_not_found")
    group_id = groups.group_of_member(uow.tx, member_id)
    activity_log.write(uow.tx, "feed_revoked", uow.now, group_id=group_id, member_id=member_id)


def read_feed(uow: UnitOfWork, token: str) -> bytes:
    """Return the calendar as of now. Raises NotFoundError for an unknown or revoked address."""
    found = calendar_feeds.find(uow.tx, uow.keys, token_hash(token))
    group = None if found is None else groups.find(uow.tx, found.group_id)
    if found is None or group is None:
        raise NotFoundError("page_not_found")
    return calendar_of(
        uow.tx,
        uow.rules,
        group,
        language=found.language,
        is_private=found.is_private,
        now=uow.now,
        references=uow.keys.references,
    )
