"""Delivery promises: by when a step is told, what proves it, and when a promise is looked at."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from reminder.domain.model.channels import Fault
from reminder.domain.model.messages import MessageState
from reminder.domain.model.people import Audience, ChannelName, Mode
from reminder.domain.rules import hours

# A message that has not left so long after it was due gives way to another contact of the same human.
GIVES_WAY_AFTER = timedelta(hours=1)
LOOKS_AGAIN_AFTER = timedelta(minutes=30)
# So long before the end of its day a message that is only accepted is asked about, and then not counted on any more.
ASKS_BEFORE_END = timedelta(hours=1)
# So long before it those around a person are told that they were not told: also by text, which ends at that hour.
TELLS_BEFORE_END = timedelta(minutes=30)
# A step that is planned shortly before the end of its day is not given up at once.
AT_LEAST = timedelta(minutes=15)


@dataclass(frozen=True)
class PromisedMessage:
    """A message that tells a step to one human. Instants are aware UTC.

    `is_doubted`: it is not counted on any more. `needs_arrival`: its channel can say whether it arrived, so that its
    acceptance alone proves nothing.
    """

    message_id: int
    contact_id: int
    channel: ChannelName
    state: MessageState
    reason: str | None
    attempts: int
    due_at: datetime
    is_doubted: bool
    needs_arrival: bool

    @property
    def is_proof(self) -> bool:
        """Whether its addressee was told."""
        is_accepted = self.state is MessageState.ACCEPTED and not self.needs_arrival
        return self.state is MessageState.DELIVERED or is_accepted

    @property
    def is_waiting(self) -> bool:
        """Whether it may still leave."""
        return self.state is MessageState.QUEUED

    @property
    def is_unproven(self) -> bool:
        """Whether it has left, or may have, and nobody knows whether it arrived."""
        return self.state in (MessageState.ACCEPTED, MessageState.UNKNOWN) and not self.is_proof

    @property
    def may_have_left(self) -> bool:
        """Whether it has left, or may have."""
        return self.state in (MessageState.SENDING, MessageState.UNKNOWN, MessageState.ACCEPTED, MessageState.DELIVERED)

    @property
    def has_failed(self) -> bool:
        """Whether it ended as refused or returned: its failure is told by itself."""
        return self.state in (MessageState.FAILED, MessageState.UNDELIVERED)

    @property
    def is_of_operator(self) -> bool:
        """Whether it was refused or returned for the operator's account, sender or settings."""
        return self.channel.can.read_error(self.reason).fault in (Fault.OPERATOR, Fault.ACCOUNT)

    @property
    def is_of_provider(self) -> bool:
        """Whether the provider did not even refuse it with a code: it was out of reach, or did not answer."""
        return self.reason is not None and not self.reason.replace(".", "").isdecimal()


def ends_at(day: date, due_at: datetime, mode: Mode, audience: Audience, channel: ChannelName) -> datetime:
    """Return the end of the day on which a step is due, for its addressee: 18:00, for e-mail to a carer 21:00.

    `due_at`: when its first message is due. A call has hours of its own, after which there are other ways.
    """
    channel = ChannelName.SMS if channel.can.own_hours else channel
    return max(hours.instant(day, hours.sending_hours(mode, audience, channel).closes), due_at + AT_LEAST)


def next_check(ends: datetime, now: datetime, *, waits: bool) -> datetime:
    """Return when an open promise is looked at next. `waits`: one of its messages may still leave."""
    marks = [ends - ASKS_BEFORE_END, ends - TELLS_BEFORE_END, ends]
    if waits:
        marks.append(now + LOOKS_AGAIN_AFTER)
    return min((mark for mark in marks if mark > now), default=now + AT_LEAST)


def first_check(due_at: datetime, ends: datetime) -> datetime:
    """Return when a new promise is looked at first."""
    return min(due_at + GIVES_WAY_AFTER, ends)


def newest(messages: Sequence[PromisedMessage]) -> PromisedMessage | None:
    """Return the message that was made last, None where there is none."""
    return max(messages, key=lambda one: one.message_id, default=None)


# A machine, a call that ended before the date was said, one whose words were never fetched.
MACHINE, CUT_SHORT, NOT_SPOKEN = "machine", "cut_short", "not_spoken"


def unheard(answered_by: str | None, date_after: int | None, seconds: int | None, *, is_practice: bool) -> str | None:
    """Return why nobody has heard the date in a completed call, None where a human has.

    `answered_by`: what our own webhook was told when it was asked for the words; None: it never was. `date_after`: the
    fewest seconds until the date has been said. `seconds`: how long the call lasted, None where nobody says so.
    """
    if answered_by is None:
        return NOT_SPOKEN
    if answered_by.startswith(("machine", "fax")):
        return MACHINE
    if is_practice or date_after is None or seconds is None or seconds >= date_after:
        return None
    return CUT_SHORT
