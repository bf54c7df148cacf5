"""Canaries: messages to the operator's own telephone and mailbox, which prove a channel from end to end."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from reminder.domain.model.people import Audience, ChannelName, Mode
from reminder.domain.rules import hours

# A text goes round within seconds; other mail servers let a stranger wait for minutes.
BACK_WITHIN, MAIL_BACK_WITHIN = timedelta(minutes=15), timedelta(minutes=30)
# What was not sent by then proves nothing any more.
TRUE_FOR = timedelta(hours=2)
# One is made by the next pass; a worker that works has done so by then.
MADE_WITHIN = timedelta(hours=1)
# Somebody who has let mails come back once does so for ever, or sees that they do not for so long.
CAME_BACK_FOR = timedelta(days=30)
# Where the provider does not call us it is asked.
ASKED_AFTER, ASKED_AGAIN = timedelta(minutes=2), timedelta(minutes=5)
# A holiday at the turn of the year is the longest time without a sending day.
_FARTHEST = 14


class CanaryEvery(StrEnum):
    """How often a canary is sent, within the hours of messages."""

    HOUR = "hour"
    DAY = "day"  # when the hours of messages begin


class CanaryProof(StrEnum):
    """What has proved a canary."""

    DELIVERED = "delivered"  # the provider says that it has arrived
    RETURNED = "returned"  # the mail has come back through the mail pipe
    ACCEPTED = "accepted"  # nothing more is ever known: it does not come back


@dataclass(frozen=True)
class CanaryView:
    """A canary. `back_by`: by when its proof is awaited. Instants are aware UTC."""

    channel: str
    due_at: datetime
    made_at: datetime
    back_by: datetime
    returned_at: datetime | None
    how: CanaryProof | None

    def is_missing(self, now: datetime) -> bool:
        """Return whether its proof has not come in time."""
        return self.returned_at is None and self.back_by <= now


def last_due(now: datetime, channel: ChannelName, every: CanaryEvery) -> datetime | None:
    """Return the latest instant up to `now` at which a canary of this channel was due, aware UTC."""
    today = hours.japan(now).date()
    for before in range(_FARTHEST):
        day = today - timedelta(days=before)
        opens, closes = hours.sending_window(day, Mode.STANDARD, Audience.CARER, channel)
        if not hours.is_sending_day(day, Mode.STANDARD) or now < opens:
            continue
        if every is CanaryEvery.DAY:
            return opens
        step = timedelta(hours=1)
        return opens + (min(now, closes - timedelta(microseconds=1)) - opens) // step * step
    return None


def may_leave(now: datetime, channel: ChannelName) -> bool:
    """Return whether a canary may be sent at this instant."""
    return hours.next_allowed(now, Mode.STANDARD, Audience.CARER, channel) <= now


def back_within(channel: ChannelName) -> timedelta:
    """Return how long the proof of a canary may take."""
    return MAIL_BACK_WITHIN if channel.is_mail else BACK_WITHIN


def is_missing(latest: list[CanaryView], now: datetime, channel: ChannelName, every: CanaryEvery) -> datetime | None:
    """Return since when a canary of this channel is missing, None while none is.

    `latest`: the newest of the channel, the newest first. Until the time of the newest is over the one before counts.
    """
    if not latest:
        return None  # none was ever sent: a worker that makes none fails its passes
    due = last_due(now, channel, every)
    if due is not None and latest[0].due_at < due <= now - MADE_WITHIN and may_leave(now, channel):
        return due
    over = next((one for one in latest if one.returned_at is not None or one.is_missing(now)), None)
    return over.due_at if over is not None and over.is_missing(now) else None
