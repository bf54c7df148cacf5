"""The numbers of messages by state, for monitoring."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from sqlalchemy import Executable, and_, bindparam, case, exists, func, select
from sqlalchemy.orm import Session

from reminder.domain.model.channels import ChannelName, registered
from reminder.domain.model.messages import MessageState
from reminder.domain.rules.step_result import OWN_REASONS
from reminder.storage.db.tables import AWAITS_OUTCOME, IS_DEFERRED, IS_QUEUED, Message

# It is tried again, and does not wait for a limit, for its hour or for a key.
_HAS_FAILED = and_(Message.reason.is_not(None), Message.reason.not_in(sorted(OWN_REASONS)))


def counts(tx: Session) -> Mapping[str, int]:
    """Return the number of messages in each state."""
    rows = tx.execute(select(Message.state, func.count()).group_by(Message.state).order_by(Message.state))
    return dict(list(rows))


_DEFERRED = (
    select(Message.channel, Message.contact_id, Message.reason)
    .where(IS_DEFERRED, Message.due_at <= bindparam("since"), _HAS_FAILED)
    .limit(1000)
)
_ACCEPTED = (MessageState.ACCEPTED, MessageState.DELIVERED, MessageState.UNDELIVERED)


# Nobody knows whether they left: their provider did not answer, and cannot be asked.
_UNANSWERED = (
    select(Message.channel)
    .where(AWAITS_OUTCOME, Message.state == MessageState.UNKNOWN, Message.handed_at <= bindparam("since"))
    .distinct()
)


def stuck_channels(tx: Session, since: datetime) -> set[str]:
    """Return the channels with messages that were due before then and fail, which have accepted nothing since then.

    One address that is refused with a code of the provider's own says nothing of the others.
    """
    failing: dict[str, set[int | str | None]] = {}
    for channel, contact_id, reason in tx.execute(_DEFERRED, {"since": since}):
        is_of_address = reason is not None and reason.replace(".", "").isdecimal()
        failing.setdefault(channel, set()).add(contact_id if is_of_address else reason)
        if not is_of_address:
            failing[channel].add(None)
    found = {channel for channel, addresses in failing.items() if len(addresses) > 1}
    found.update(tx.scalars(_UNANSWERED, {"since": since}))
    return found - accepting_channels(tx, since) if found else found


def accepting_channels(tx: Session, since: datetime) -> set[str]:
    """Return the channels by which a message that was handed over since then was accepted."""
    channels = registered()
    row = tx.execute(_accepting(channels), {"since": since}).one()
    return {name for name, is_any in zip(channels, row, strict=True) if is_any}


# For each channel one message is looked for, and not all of the hour.
@cache
def _accepting(channels: Sequence[ChannelName]) -> Executable:
    """Return the statement, built once for the channels of this process."""
    which = and_(Message.handed_at >= bindparam("since"), Message.state.in_(_ACCEPTED))
    return select(*(exists().where(which, Message.channel == name) for name in channels))


@dataclass(frozen=True)
class OpenMessages:
    """Messages of one channel and state that wait or are leased; of those waiting, how many are due, since when."""

    channel: str
    state: str
    count: int
    due: int
    due_since: datetime | None


_IS_DUE = and_(IS_QUEUED, Message.scheduled_at <= bindparam("now"))


_NOT_OVER = [
    select(
        Message.channel,
        Message.state,
        func.count(),
        func.count(case((_IS_DUE, 1))),
        func.min(case((_IS_DUE, Message.scheduled_at))),
    )
    .where(which)
    .group_by(Message.channel, Message.state)
    for which in (IS_QUEUED, AWAITS_OUTCOME)
]


def open_messages(tx: Session, now: datetime) -> list[OpenMessages]:
    """Return the messages that have not ended.

    It uses indexes that hold only these: the cost does not depend on how many were ever sent.
    """
    found = [OpenMessages(*row) for query in _NOT_OVER for row in tx.execute(query, {"now": now})]
    return sorted(found, key=lambda one: (one.channel, one.state))
