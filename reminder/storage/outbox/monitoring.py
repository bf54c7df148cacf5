"""The numbers of messages by state, for monitoring."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, bindparam, case, func, select
from sqlalchemy.orm import Session

from reminder.storage.db.tables import (
    AWAITS_OUTCOME,
    IS_QUEUED,
    Message,
)


def counts(tx: Session) -> Mapping[str, int]:
    """Return the number of messages in each state."""
    rows = tx.execute(select(Message.state, func.count()).group_by(Message.state).order_by(Message.state))
    return dict(list(rows))


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
