"""A message: one text to one contact by one channel, its states and the transitions between them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from typing import NamedTuple, Protocol, runtime_checkable
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


class Outgoing(NamedTuple):
    """Everything a channel needs to hand one message over.

    `handed_at` is the instant of the lease (aware UTC), the earliest at which the provider can have seen the message.
    `first_handed_at` is the beginning of the first hand-over of an e-mail, None of other messages. It and `created_at`
    never change between attempts, so a repeated e-mail has the same bytes.
    `reference` is the message's name outside of this service, which nobody can guess; "" where there is none.
    `is_older`: it was made before messages had references, and may have been attempted under the name of then.
    """

    message_id: int
    address: str  # E.164 phone number or e-mail address
    text: str
    subject: str | None
    created_at: datetime
    handed_at: datetime
    stop_url: str | None = None  # the target of an e-mail's one-click "stop"
    language: Language | None = None  # of an e-mail; None for one stored before messages recorded it
    reference: str = ""
    is_older: bool = False
    first_handed_at: datetime | None = None

    @property
    def has_old_name(self) -> bool:
        """Whether a provider may know this message by its id and its instant, and must go on doing so."""
        return self.is_older or not self.reference

    @property
    def outside_name(self) -> str:
        """What names this message in an address that we give to a provider."""
        return self.reference or str(self.message_id)


@dataclass(frozen=True)
class Accepted:
    """The provider's acceptance of a message; `provider_id` is its id there."""

    provider_id: str


@dataclass(frozen=True)
class ProviderReport:
    """What a provider says of a message that it has accepted: its own word for the state, as `ENDS` reads it.

    `error_code`: of one that did not arrive. `seconds`: how long a call lasted.
    """

    status: str
    error_code: str | None = None
    seconds: int | None = None


@dataclass(frozen=True)
class ListedEntry:
    """An entry of a provider's list. `created_at`: aware UTC; None: just now."""

    provider_id: str
    created_at: datetime | None


@dataclass(frozen=True)
class ListedEntries:
    """All entries of a provider's list that may be the message asked about: its address and its words, not older.

    They may be other messages with the same words to the same address: see domain/rules/same_words.py.
    """

    entries: tuple[ListedEntry, ...]


class ProviderAnswer(StrEnum):
    """A provider's answer about a message whose outcome is unknown."""

    NOT_FOUND = "not_seen"  # it lists no such message: ask once more later, then send again
    NOT_TOLD_APART = "not_told_apart"  # it lists fewer such messages than may be meant, and nobody knows which
    SAFE_TO_REPEAT = "safe_to_repeat"  # it cannot be asked, but it recognises a second copy as the same
    SAFE_TO_REPEAT_SOON = "safe_to_repeat_soon"  # the same, but it forgets the message after a day


class Channel(Protocol):
    """One way to reach people. Its methods raise only errors.ChannelError."""

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Hand the message to the provider and return its acceptance."""

    async def ask(self, outgoing: Outgoing, others: Collection[str]) -> Accepted | ListedEntries | ProviderAnswer:
        """Return what became of a message handed over at `outgoing.handed_at` whose answer was lost.

        `others` are the provider's ids of other messages, which are left out: two people may share a phone.
        """

    async def close(self) -> None:
        """Close the connections to the provider."""


@runtime_checkable
class ReportingChannel(Protocol):
    """A channel whose provider can be asked whether a message that it has accepted has arrived.

    It raises only ChannelError.
    """

    async def look_up(self, address: str, provider_id: str) -> ProviderReport | None:
        """Return what the provider says now of its message to this address, None where it shows none of this id."""


@runtime_checkable
class TriableChannel(Protocol):
    """A channel whose provider can be tried without a message."""

    async def try_out(self) -> None:
        """Find out whether the provider takes messages now; raises ChannelError where it does not."""


class MessageState(StrEnum):
    """The state of a message in the outbox."""

    QUEUED = "queued"
    SENDING = "sending"  # recorded before a byte leaves; only its outcome says whether any did
    UNKNOWN = "unknown"
    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    FAILED = "failed"
    STALE = "stale"
    CANCELLED = "cancelled"


_QUEUED, _SENDING, _UNKNOWN = MessageState.QUEUED, MessageState.SENDING, MessageState.UNKNOWN

# A lease is no move: a leased message is still queued, and whatever cancels a queued message cancels it too.
HAND_OVER = Move("its hand-over begins", (_QUEUED,), (_SENDING,))
MISS = Move("its time is over", (_QUEUED,), (MessageState.STALE,))
CANCEL = Move("it is not wanted any more", (_QUEUED,), (MessageState.CANCELLED,))
# Of a message in a database that was restored nobody knows whether it went out since the back-up.
DOUBT = Move("the database was restored", (_QUEUED,), (_UNKNOWN,))
RECORD_OUTCOME = Move(
    "the provider has answered",
    (_SENDING,),
    (MessageState.ACCEPTED, _QUEUED, _UNKNOWN, MessageState.FAILED, MessageState.STALE),
)
LOSE_OUTCOME = Move("nobody has recorded an outcome in time", (_SENDING,), (_UNKNOWN,))
RECORD_ANSWER = Move(
    "the provider was asked about it",
    (_UNKNOWN,),
    (MessageState.ACCEPTED, _QUEUED, _UNKNOWN, MessageState.FAILED),
)
FAIL_UNREADABLE = Move("it cannot be read", (_QUEUED,), (MessageState.FAILED,))
FAIL_UNASKABLE = Move("it cannot be read: nobody can be asked", (_UNKNOWN,), (MessageState.FAILED,))
FORGET_WORDS = Move("its text is erased", (_UNKNOWN,), (MessageState.FAILED,))
# A message that waits for another attempt may turn out to have arrived with an earlier one.
ACCEPT_BY_RECEIPT = Move("a receipt names it", (_QUEUED, _SENDING, _UNKNOWN), (MessageState.ACCEPTED,))
ADOPT = Move(
    "its contact was erased and entered again: it is the text that went there today",
    (_QUEUED,),
    (MessageState.ACCEPTED, MessageState.DELIVERED),
)
LOSE_ID = Move(
    "a receipt shows that the id it was matched with is another message's",
    (MessageState.ACCEPTED,),
    (_UNKNOWN,),
)
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
        HAND_OVER,
        MISS,
        CANCEL,
        DOUBT,
        RECORD_OUTCOME,
        LOSE_OUTCOME,
        RECORD_ANSWER,
        FAIL_UNREADABLE,
        FAIL_UNASKABLE,
        FORGET_WORDS,
        ACCEPT_BY_RECEIPT,
        ADOPT,
        LOSE_ID,
        END_BY_RECEIPT,
    ),
)


class MessageKind(StrEnum):
    """The purpose of a message."""

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
        """Whether the message is the direct result of an act of its recipient."""
        return self in _ASKED_FOR

    @property
    def is_immediate(self) -> bool:
        """Whether somebody waits for the message, so that it is sent at any hour."""
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
    """The reason for which a message was cancelled before it was sent."""

    RENEWED = "renewed"
    RETIRED = "retired"
    OPTED_OUT = "opted_out"
    DONE = "done"
    ERASED = "erased"  # its subject was erased
    CHANGED = "changed"  # the recipients or their channels changed: it is planned again
    SUPERSEDED = "superseded"  # the group's preferences changed: it is planned again
    TOLD_BEFORE = "told_before"  # the same words went to the same address today, of the same cards


class Urgency(IntEnum):
    """The order in which messages go when more is due than a sender may send at once."""

    ANSWER = 0  # somebody waits for it, before a telephone or a screen
    PRESSING = 1  # an end, or the last day on which a counter is open, is within a week
    USUAL = 2
    ROUTINE = 3  # a greeting or a digest, which may as well leave an hour later


class ReminderState(StrEnum):
    """The state of a reminder."""

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


# The first retry comes after a minute, later ones more slowly: a short outage costs little, a long one adds no load.
FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(minutes=30)
# Attempts span about one day; then a new text is planned on the next day, if it is still the most urgent.
MOST_ATTEMPTS = 25
# The pause of a channel whose account or sender is at fault.
CHANNEL_PAUSE = timedelta(minutes=15)
# The jitter of pauses, as a fraction, so that messages refused together are not retried together.
SPREAD = 0.25
# A worker begins the hand-over of a message within this time after it has leased it, or another worker may lease it.
LEASE = timedelta(seconds=10)
# The longest time in which a channel hands a message over; what takes longer has an unknown outcome.
LONGEST_HAND_OVER = timedelta(seconds=90)
# A message whose hand-over has no outcome after this time has no sender any more. Until then a hand-over ends, outcomes
# wait for a database that is away, and the clocks of two workers differ.
OUTCOME_WITHIN = timedelta(minutes=6)
# The longest time a provider takes to list what it has accepted.
BEFORE_ASKING = timedelta(seconds=60)
BEFORE_ASKING_AGAIN = timedelta(minutes=5)  # when it could not be asked
# Once the day of a message is over, an answer only makes its row true: less and less often, at least once a day.
LONGEST_BEFORE_ASKING_AGAIN = timedelta(days=1)
# The limit for repeating the same e-mail when its answers keep getting lost.
MOST_REPEATS = 5
# LINE knows a retry key for 24 hours; a second copy after that would be a second message.
REPEATED_SOON = timedelta(hours=20)
GAVE_UP = "gave_up"  # certainly not sent
NOT_FOUND = "not_seen"  # very likely not sent, and nobody can know
ID_TAKEN = "id_taken"  # the provider has given it the id of another message
UNREADABLE = "unreadable"  # its key is missing, or it was changed
RESTORED = "restored"  # it may have been sent between the back-up and now


class Evidence(StrEnum):
    """What the outcome of one message says about its provider."""

    WORKS = "works"  # it has taken the message, or judged it
    FAILS = "fails"  # it takes nothing at present
    SILENT = "silent"  # it has not answered
    DOUBTFUL = "doubtful"  # it may be about this one message


class Outcome(NamedTuple):
    """The result of an attempt to send a message, or of a question about it.

    `wait_until` is when it may be sent again (queued) or asked about (unknown). `pause_channel_until`: no message may
    leave by this channel before then. `contact` is the new state of an address that refuses messages. `not_found_count`
    counts the provider's answers that it has no such message. `evidence`: what it says of the provider, None for
    nothing; an accepted message says that it works.
    """

    state: MessageState
    reason: str | None = None
    provider_id: str | None = None
    wait_until: datetime | None = None
    pause_channel_until: datetime | None = None
    contact: ContactState | None = None
    possibly_double: bool = False
    not_found_count: int = 0
    evidence: Evidence | None = None


def after_sending(
    outcome: Accepted | ChannelError,
    message_id: int,
    attempts: int,
    expires_at: datetime,
    now: datetime,
    *,
    is_open: bool = False,
) -> Outcome:
    """Return the outcome of an attempt; `attempts` counts this one.

    A message that can no longer be sent today becomes stale; tomorrow's plan includes it if it is still the most
    urgent. `is_open`: the breaker of its channel is. Then it waits for the channel, however often it was tried.
    """
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
            if attempts >= MOST_ATTEMPTS and not is_open:
                return Outcome(MessageState.FAILED, GAVE_UP, possibly_double=outcome.maybe_taken)
            pause = max(pause_after(1 if is_open else attempts, message_id), timedelta(seconds=asked or 0))
            again = _again(outcome.reason, now + pause, expires_at)
            return again._replace(possibly_double=outcome.maybe_taken)
        case _:
            raise AssertionError(f"a channel raised {type(outcome).__name__}")


def _again(reason: str, at: datetime, expires_at: datetime, pause: datetime | None = None) -> Outcome:
    if at >= expires_at:
        return Outcome(MessageState.STALE, reason, pause_channel_until=pause)
    return Outcome(MessageState.QUEUED, reason, wait_until=at, pause_channel_until=pause)


def pause_after(attempts: int, message_id: int) -> timedelta:
    """Return the pause before the next attempt: always the same for the same attempt of the same message."""
    doublings = min(max(attempts - 1, 0), 10)
    chance = crc32(f"{message_id}:{attempts}".encode()) / 2**32
    return min(FIRST_PAUSE * (1 << doublings), LONGEST_PAUSE) * (1 + SPREAD * chance)


@dataclass(frozen=True)
class Inquiry:
    """The known facts of a message when its provider is asked about it."""

    attempts: int
    not_found_count: int  # how often the provider has already answered that it has no such message
    possibly_double: bool
    expires_at: datetime
    handed_at: datetime  # when it was last handed over
    is_open: bool = False  # the breaker of its channel: the provider takes nothing at present


def after_asking(answer: Accepted | ProviderAnswer | ChannelError, asked: Inquiry, now: datetime) -> Outcome:
    """Return the outcome of a question about a message.

    One that is not told apart from others of the same words is neither said to have arrived nor sent again: it waits
    for a receipt that names it.

    A text is sent again only after two answers of "not found", a while apart, once, and marked: the list may lag, and
    nobody can rule out that it was sent twice. A message that was repeated already, or that has missed its day, is not
    repeated. But while the breaker of its channel is open, the provider's failure is no reason to give a message up: it
    waits for the channel.
    """
    match answer:
        case Accepted(provider_id=provider_id):
            return Outcome(MessageState.ACCEPTED, provider_id=provider_id)
        case ProviderAnswer.SAFE_TO_REPEAT_SOON if now - asked.handed_at > REPEATED_SOON:
            return Outcome(MessageState.FAILED, NOT_FOUND)
        case ProviderAnswer.SAFE_TO_REPEAT | ProviderAnswer.SAFE_TO_REPEAT_SOON if (
            asked.attempts >= MOST_REPEATS and not asked.is_open
        ) or now >= asked.expires_at:
            return Outcome(MessageState.FAILED, NOT_FOUND)
        case ProviderAnswer.SAFE_TO_REPEAT | ProviderAnswer.SAFE_TO_REPEAT_SOON:
            return Outcome(MessageState.QUEUED, "repeated", wait_until=now, possibly_double=True)
        case ProviderAnswer.NOT_FOUND if asked.not_found_count == 0:
            return Outcome(MessageState.UNKNOWN, NOT_FOUND, wait_until=now + BEFORE_ASKING, not_found_count=1)
        case ProviderAnswer.NOT_FOUND if (asked.possibly_double and not asked.is_open) or now >= asked.expires_at:
            return Outcome(MessageState.FAILED, NOT_FOUND)
        case ProviderAnswer.NOT_FOUND:
            return Outcome(MessageState.QUEUED, NOT_FOUND, wait_until=now, possibly_double=True)
        case _:
            return Outcome(
                MessageState.UNKNOWN,
                "not_told_apart" if answer is ProviderAnswer.NOT_TOLD_APART else "cannot_ask",
                wait_until=now + _before_asking_again(asked, now),
                not_found_count=asked.not_found_count,
            )


def _before_asking_again(asked: Inquiry, now: datetime) -> timedelta:
    """Return how long to wait after an answer that settles nothing: while its day lasts, as little as always."""
    if now < asked.expires_at:
        return BEFORE_ASKING_AGAIN
    return min(LONGEST_BEFORE_ASKING_AGAIN, max(BEFORE_ASKING_AGAIN, (now - asked.handed_at) / 2))


# A mail server's later report: the mail is not delivered, or not yet.
BOUNCED, DELAYED = "bounced", "delayed"
# Twilio's word for a call that was answered and has ended: what was heard is another question.
COMPLETED = "completed"

# Twilio's final states of a text or a call, and ours of a mail; all other states are intermediate.
ENDS: Mapping[str, MessageState] = {
    "delivered": MessageState.DELIVERED,
    "read": MessageState.DELIVERED,
    "undelivered": MessageState.UNDELIVERED,
    "failed": MessageState.UNDELIVERED,
    "canceled": MessageState.UNDELIVERED,
    # The result of a call: somebody or something has answered, or nobody has.
    COMPLETED: MessageState.DELIVERED,
    "machine": MessageState.UNDELIVERED,
    "busy": MessageState.UNDELIVERED,
    "no_answer": MessageState.UNDELIVERED,
    BOUNCED: MessageState.UNDELIVERED,
}
