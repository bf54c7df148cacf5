"""After a restore: which queued messages may have gone out since the back-up, and which ids may have been given."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from reminder.domain.model.messages import MessageKind
from reminder.domain.rules.hours import japan

# What is planned so soon after the first pass may make up for what was told before the restore.
MAKES_UP = timedelta(hours=1)
# What tells of a step, or that somebody was not told, may do so all day: what became of a text that was sent before
# the restore is heard hours later, as it was heard then.
_MAKES_UP_ALL_DAY = (MessageKind.REMINDER, MessageKind.COPY, MessageKind.FAILURE_NOTICE, MessageKind.ESCALATION)
# More rows than one table gets in a second (two receipts for each of the 870 texts a second of a national service), and
# the least that is left out: a clock that is wrong by minutes makes no difference.
MOST_IDS_A_SECOND, LEAST_IDS = 2_000, 1_000_000


@dataclass(frozen=True)
class Restore:
    """When the back-up was taken, when it was restored, and the first pass since then (aware UTC)."""

    taken_at: datetime
    restored_at: datetime
    first_pass_at: datetime | None


@dataclass(frozen=True)
class QueuedMessage:
    """What is known of a message that is about to be leased. Instants are aware UTC."""

    kind: MessageKind
    created_at: datetime
    scheduled_at: datetime
    handed_at: datetime | None


def is_in_doubt(message: QueuedMessage, restore: Restore, now: datetime) -> bool:
    """Return whether the message may have gone out already, so that its provider is asked before it is sent.

    It was due before the first pass since the restore, or it makes up for one that was; what somebody has just asked
    for does neither. Until that pass the service of before may have been at work: it is closed after the restore, or
    by hand. A message that has been asked about, whose hand-over counts from the back-up, or that was handed over since
    the restore, has been looked at already. One that was handed over while the back-up was made has not.
    """
    begins = restore.first_pass_at or now
    handed_at = message.handed_at
    if handed_at is not None and (handed_at == restore.taken_at or handed_at >= restore.restored_at):
        return False
    # After a fail-over some rows are there that were added after the instant that is certain.
    if message.created_at < restore.restored_at:
        return message.scheduled_at <= max(restore.restored_at, begins)
    is_of_the_day = message.kind in _MAKES_UP_ALL_DAY and japan(message.created_at).date() == japan(begins).date()
    return is_of_the_day or (message.created_at <= begins + MAKES_UP and not message.kind.is_asked_for)


def ids_left_out(taken_at: datetime, restored_at: datetime) -> int:
    """Return how many ids are left out in each table after a restore.

    Ids that were given between the back-up and the restore are still outside: in links, receipts, calendars, in what
    programs have stored and people have noted. None of them may come to name a new row.
    """
    since = max(timedelta(0), restored_at - taken_at)
    return max(LEAST_IDS, MOST_IDS_A_SECOND * int(since.total_seconds()))
