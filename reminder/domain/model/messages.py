"""A message: one text to one contact by one channel, its states and the moves between them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Protocol
from zlib import crc32

from reminder.domain.model.people import ContactState, Language
from reminder.domain.model.state_machine import Move, StateMachine
from reminder.errors import (
    ChannelError,
    PermanentChannelError,
    SetupChannelError,
    TemporaryChannelError,
    UnknownOutcomeError,
)


@dataclass(frozen=True)
class Outgoing:
    """What a channel needs to hand one message over.

    `handed_at` is the instant of the claim (aware UTC), and the earliest the provider can have seen it.
    `created_at` never changes between attempts, so a repeated e-mail has the same bytes.
    """

    message_id: int
    address: str  # E.164 phone number or e-mail address
    text: str
    subject: str | None
    created_at: datetime
    handed_at: datetime
    stop_url: str | None = None  # where an e-mail's one-click "stop" goes
    language: Language | None = None  # of an e-mail; None of one that was kept before messages knew it


@dataclass(frozen=True)
class Accepted:
    """The provider has taken it; `provider_id` names it there."""

    provider_id: str


class ProviderAnswer(StrEnum):
    """What a provider says when asked about a message whose fate is unknown."""

    NOT_SEEN = "not_found_count"  # it lists none such: ask once more later, then send again
    SAFE_TO_REPEAT = "safe_to_repeat"  # it cannot be asked, but a second copy is recognised as the same
    SAFE_TO_REPEAT_SOON = "safe_to_repeat_soon"  # the same, but it is forgotten after a day


class Channel(Protocol):
    """One way to reach people. Raises only errors.ChannelError."""

    async def send(self, outgoing: Outgoing) -> Accepted: ...

    async def ask(self, outgoing: Outgoing, others: Collection[str]) -> Accepted | ProviderAnswer:
        """What became of a message handed over at `outgoing.handed_at` whose answer was lost. `others` are the
        provider's ids of other messages: two people may share a phone, and their texts the words."""

    async def close(self) -> None: ...


class MessageState(StrEnum):
    QUEUED = "queued"
    SENDING = "sending"
    UNKNOWN = "unknown"
    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    FAILED = "failed"
    STALE = "stale"
    CANCELLED = "cancelled"


_QUEUED, _SENDING, _UNKNOWN = MessageState.QUEUED, MessageState.SENDING, MessageState.UNKNOWN

TAKE_LEASE = Move("a worker leases it", (_QUEUED,), (_SENDING,))
MISS = Move("its time is over", (_QUEUED,), (MessageState.STALE,))
CANCEL = Move("it is not wanted any more", (_QUEUED,), (MessageState.CANCELLED,))
# Of a message in a database that was restored nobody knows whether it went out since the back-up.
DOUBT = Move("the database was restored", (_QUEUED,), (_UNKNOWN,))
RECORD_OUTCOME = Move(
    "the provider has answered",
    (_SENDING,),
    (MessageState.ACCEPTED, _QUEUED, _UNKNOWN, MessageState.FAILED, MessageState.STALE),
)
LOSE_LEASE = Move("its lease has run out", (_SENDING,), (_UNKNOWN,))
RECORD_ANSWER = Move(
    "the provider was asked about it",
    (_UNKNOWN,),
    (MessageState.ACCEPTED, _QUEUED, _UNKNOWN, MessageState.FAILED),
)
FAIL_UNREADABLE = Move("its key is gone", (_SENDING,), (MessageState.FAILED,))
FAIL_UNASKABLE = Move("its key is gone: nobody can be asked", (_UNKNOWN,), (MessageState.FAILED,))
FORGET_WORDS = Move("its text is erased", (_UNKNOWN,), (MessageState.FAILED,))
# A message that waits for another attempt may turn out to have arrived with an earlier one.
ACCEPT_BY_RECEIPT = Move("a receipt names it", (_QUEUED, _SENDING, _UNKNOWN), (MessageState.ACCEPTED,))
END_BY_RECEIPT = Move(
    "a receipt says its end",
    (_QUEUED, _SENDING, _UNKNOWN, MessageState.ACCEPTED),
    (MessageState.DELIVERED, MessageState.UNDELIVERED),
)
MESSAGE_STATES = StateMachine(
    "message",
    MessageState,
    starts=(_QUEUED,),
    moves=(
        TAKE_LEASE,
        MISS,
        CANCEL,
        DOUBT,
        RECORD_OUTCOME,
        LOSE_LEASE,
        RECORD_ANSWER,
        FAIL_UNREADABLE,
        FAIL_UNASKABLE,
        FORGET_WORDS,
        ACCEPT_BY_RECEIPT,
        END_BY_RECEIPT,
    ),
)


class MessageKind(StrEnum):
    """What a message is for."""

    REMINDER = "reminder"  # of a step, to the person
    COPY = "copy"  # of a step, to a carer or to staff
    ESCALATION = "escalation"  # nobody has answered: the next contact is asked
    NOTICE = "notice"  # of something that happened, to those around a person
    FAILURE_NOTICE = "failure_notice"  # of a message that reached nobody, to those around its person
    VERIFICATION = "verification"  # the yearly proof that a contact can still be reached
    DIGEST = "digest"
    ANSWER = "answer"  # to what somebody has just said or done
    CONSENT_REQUEST = "consent_request"
    TEST_CALL = "test_call"
    LOGIN_CODE = "login_code"
    INVITATION = "invitation"

    @property
    def is_asked_for(self) -> bool:
        """Whether somebody has asked for it by an act of their own, at the moment at which it was made."""
        return self in _ASKED_FOR

    @property
    def is_immediate(self) -> bool:
        """Whether somebody waits for it: it is sent at any hour."""
        return self in (MessageKind.ANSWER, MessageKind.LOGIN_CODE)


_ASKED_FOR = frozenset(
    (
        MessageKind.ANSWER,
        MessageKind.CONSENT_REQUEST,
        MessageKind.TEST_CALL,
        MessageKind.LOGIN_CODE,
        MessageKind.INVITATION,
    )
)


class CancelReason(StrEnum):
    RENEWED = "renewed"
    RETIRED = "retired"
    OPTED_OUT = "opted_out"
    DONE = "done"
    ERASED = "erased"  # what it spoke of is forgotten
    CHANGED = "changed"  # who is told, or how, is otherwise now: it is planned anew
    SUPERSEDED = "superseded"  # the group wants to be told otherwise, and it is planned again


class Urgency(IntEnum):
    """Who goes first when more is due than a sender may send at once."""

    ANSWER = 0  # somebody waits for it, before a telephone or a screen
    PRESSING = 1  # an end, or the last day on which a counter is open, is within a week
    USUAL = 2
    ROUTINE = 3  # a greeting or a digest, for which another hour would do as well


class ReminderState(StrEnum):
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    SUPERSEDED = "superseded"
    SETTLED = "settled"


SUPERSEDE = Move("a later step has come", (ReminderState.OPEN,), (ReminderState.SUPERSEDED,))
ACKNOWLEDGE = Move("its person says that it is done", (ReminderState.OPEN,), (ReminderState.ACKNOWLEDGED,))
SETTLE = Move("the card has a new date or is gone", (ReminderState.OPEN,), (ReminderState.SETTLED,))
REMINDER_STATES = StateMachine(
    "reminder", ReminderState, starts=(ReminderState.OPEN,), moves=(SUPERSEDE, ACKNOWLEDGE, SETTLE)
)


# One try after a minute, then slower, so that a provider in trouble is not pressed and a short one costs little.
FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(minutes=30)
# About one day of trying; after that a new text is planned on the next day, if it is still the most urgent.
MOST_ATTEMPTS = 25
# A channel whose account or sender is at fault waits this long before it is tried again.
CHANNEL_PAUSE = timedelta(minutes=15)
# Pauses differ by up to this part, so that what was refused together does not come back together.
SPREAD = 0.25
# Renewed while a message is in hand: one that has run out has nobody who is still sending it. Clocks of workers may
# differ by as much as is left of it between two renewals before one takes from another what is not lost.
LEASE = timedelta(minutes=6)
RENEWED_EVERY = timedelta(minutes=1)
# How long a provider may take to list what it has accepted.
BEFORE_ASKING = timedelta(seconds=60)
BEFORE_ASKING_AGAIN = timedelta(minutes=5)  # when it could not be asked
# An e-mail whose answers keep getting lost is repeated as the same e-mail, but not for ever.
MOST_REPEATS = 5
# LINE knows a retry key for 24 hours; a second copy after that would be a second message.
REPEATED_SOON = timedelta(hours=20)
GAVE_UP = "gave_up"  # certainly not sent
NOT_SEEN = "not_found_count"  # very likely not sent, and nobody can know
UNREADABLE = "unreadable"  # sealed with a key that is gone
RESTORED = "restored"  # it may have gone out between the back-up and now


@dataclass(frozen=True)
class Outcome:
    """What becomes of a message after an attempt or a question.

    `wait_until` is when it may be sent again (queued) or asked about (unknown). `pause_channel_until`: nobody's text
    can go by this channel before then. `contact` is the new state of an address that will not take texts any more.
    `not_found_count` counts the provider's answers that it has no such message.
    """

    state: MessageState
    reason: str | None = None
    provider_id: str | None = None
    wait_until: datetime | None = None
    pause_channel_until: datetime | None = None
    contact: ContactState | None = None
    possibly_double: bool = False
    not_found_count: int = 0


def after_sending(
    outcome: Accepted | ChannelError, message_id: int, attempts: int, expires_at: datetime, now: datetime
) -> Outcome:
    """`attempts` counts this one. What can no longer be told today is stale, and told tomorrow if still most urgent."""
    match outcome:
        case Accepted(provider_id=provider_id):
            return Outcome(MessageState.ACCEPTED, provider_id=provider_id)
        case UnknownOutcomeError():
            return Outcome(MessageState.UNKNOWN, outcome.reason, wait_until=now + BEFORE_ASKING)
        case PermanentChannelError():
            gone = ContactState.UNREACHABLE if outcome.address_is_gone else None
            contact = ContactState.OPTED_OUT if outcome.opted_out else gone
            return Outcome(MessageState.FAILED, outcome.reason, contact=contact)
        case SetupChannelError():
            return _again(outcome.reason, now + CHANNEL_PAUSE, expires_at, pause=now + CHANNEL_PAUSE)
        case TemporaryChannelError(retry_after=asked):
            if attempts >= MOST_ATTEMPTS:
                return Outcome(MessageState.FAILED, GAVE_UP)
            pause = max(pause_after(attempts, message_id), timedelta(seconds=asked or 0))
            return _again(outcome.reason, now + pause, expires_at)
        case _:
            raise AssertionError(f"a channel raised {type(outcome).__name__}")


def _again(reason: str, at: datetime, expires_at: datetime, pause: datetime | None = None) -> Outcome:
    if at >= expires_at:
        return Outcome(MessageState.STALE, reason, pause_channel_until=pause)
    return Outcome(MessageState.QUEUED, reason, wait_until=at, pause_channel_until=pause)


def pause_after(attempts: int, message_id: int) -> timedelta:
    """The same for the same attempt of the same message."""
    doublings = min(max(attempts - 1, 0), 10)
    chance = crc32(f"{message_id}:{attempts}".encode()) / 2**32
    return min(FIRST_PAUSE * (1 << doublings), LONGEST_PAUSE) * (1 + SPREAD * chance)


@dataclass(frozen=True)
class Inquiry:
    """What is known of a message when its provider is asked about it."""

    attempts: int
    not_found_count: int  # how often the provider has already answered that it has no such message
    possibly_double: bool
    expires_at: datetime
    handed_at: datetime  # when it was last handed over


def after_asking(answer: Accepted | ProviderAnswer | ChannelError, asked: Inquiry, now: datetime) -> Outcome:
    """Only after two answers of "not seen", a while apart, is a text sent again, once, and marked: the list may lag,
    and nobody can rule out that it went out twice. What was repeated already, or has missed its day, is not repeated.
    """
    match answer:
        case Accepted(provider_id=provider_id):
            return Outcome(MessageState.ACCEPTED, provider_id=provider_id)
        case ProviderAnswer.SAFE_TO_REPEAT_SOON if now - asked.handed_at > REPEATED_SOON:
            return Outcome(MessageState.FAILED, NOT_SEEN)
        case ProviderAnswer.SAFE_TO_REPEAT | ProviderAnswer.SAFE_TO_REPEAT_SOON if (
            asked.attempts >= MOST_REPEATS or now >= asked.expires_at
        ):
            return Outcome(MessageState.FAILED, NOT_SEEN)
        case ProviderAnswer.SAFE_TO_REPEAT | ProviderAnswer.SAFE_TO_REPEAT_SOON:
            return Outcome(MessageState.QUEUED, "repeated", wait_until=now, possibly_double=True)
        case ProviderAnswer.NOT_SEEN if asked.not_found_count == 0:
            return Outcome(MessageState.UNKNOWN, NOT_SEEN, wait_until=now + BEFORE_ASKING, not_found_count=1)
        case ProviderAnswer.NOT_SEEN if asked.possibly_double or now >= asked.expires_at:
            return Outcome(MessageState.FAILED, NOT_SEEN)
        case ProviderAnswer.NOT_SEEN:
            return Outcome(MessageState.QUEUED, NOT_SEEN, wait_until=now, possibly_double=True)
        case _:
            return Outcome(
                MessageState.UNKNOWN,
                "cannot_ask",
                wait_until=now + BEFORE_ASKING_AGAIN,
                not_found_count=asked.not_found_count,
            )


# What a mail server says later: it will not be delivered, or not yet.
BOUNCED, DELAYED = "bounced", "delayed"

# Twilio's words for what became of a text or a call, and ours of a mail; the others are steps on the way.
ENDS: Mapping[str, MessageState] = {
    "delivered": MessageState.DELIVERED,
    "read": MessageState.DELIVERED,
    "undelivered": MessageState.UNDELIVERED,
    "failed": MessageState.UNDELIVERED,
    "canceled": MessageState.UNDELIVERED,
    # Of a call: a human has answered, or nobody has.
    "completed": MessageState.DELIVERED,
    "machine": MessageState.UNDELIVERED,
    "busy": MessageState.UNDELIVERED,
    "no_answer": MessageState.UNDELIVERED,
    BOUNCED: MessageState.UNDELIVERED,
}
