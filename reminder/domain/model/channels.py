"""A channel as the rules see it: its name, and what it can do. Each channel's folder in channels/ says what that is."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import time
from enum import StrEnum
from typing import ClassVar, Self

from reminder.domain.model.notices import NoticeKind


class TextForm(StrEnum):
    """What is written for a channel."""

    SHORT = "short"  # a text of one or two segments, without a subject
    LETTER = "letter"  # an e-mail: a subject, headings, advice
    SPOKEN = "spoken"  # a call: sentences and keys


class AddressKind(StrEnum):
    """What an address of a channel is. Two contacts with one telephone number are at one telephone."""

    PHONE = "phone"
    EMAIL = "email"
    OTHER = "other"  # a provider's own id


class Fault(StrEnum):
    """Whose fault it is that a message did not arrive, and so what happens next."""

    NUMBER = "number"  # this number or address will never take it: given up, told another way, the family hears
    OPTED_OUT = "opted_out"  # its owner told the provider to stop
    TEXT = "text"  # this one text to this one number: another way is tried, and all others go on
    OPERATOR = "operator"  # sender or setting: the channel waits for the operator, trying again changes nothing
    ACCOUNT = "account"  # nothing can be sent at all: the whole channel waits
    RETRY = "retry"  # not now, perhaps later
    UNSURE = "unsure"  # the provider itself does not know whether it arrived: ask before sending again


@dataclass(frozen=True)
class ProviderError:
    """What one code of a provider means. `is_away`: the phone was only off, which is worth a try on a third day."""

    fault: Fault
    is_away: bool = False


@dataclass(frozen=True)
class SendingHours:
    """Japan time, from `opens` until just before `closes`."""

    opens: time
    closes: time


@dataclass(frozen=True)
class Preference:
    """Which of several channels somebody is told by: the one with the lowest number. None: never by this one.

    `own` is for the person themselves, `carer` for who looks after them, `instead` for what another channel did not
    bring to the same human.
    """

    own: int | None
    carer: int | None
    instead: int


@dataclass(frozen=True)
class ChannelCapabilities:
    """What a channel can do, and what it asks for.

    `read_address` returns a typed address as it is kept; it raises AddressError. `read_error` says what the reason that
    a message kept means (None: the provider gave none). `undelivered` is the notice to those around a person.
    `own_hours` are several stretches of a day in which alone it may be used, on working days (empty: the reader's own
    hours). `reads_early`: who looks after a person may be written to from 7 to 21. `can_be_answered`: what the reader
    says comes back to us, by this channel. `is_two_way`: in the reader's own words. `gives_receipts`: the provider says
    whether a message arrived. `needs_consent`: its owner must have agreed before the first message. `costs` is true
    where each message is paid for. `counts_segments`: it is paid for by the segments of an SMS. `is_paced`: it has one
    sender that may send only so many a second. `most_a_day` is how many one address is sent in 24 hours. `tries_a_step`
    is how often a step comes back before the channel counts as one that does not reach (None: the fault decides).
    `judges_sender`: a message that comes back for its words or its sender speaks for all others.
    """

    form: TextForm
    address: AddressKind
    read_address: Callable[[str], str]
    read_error: Callable[[str | None], ProviderError]
    preference: Preference
    undelivered: NoticeKind = NoticeKind.UNDELIVERED
    own_hours: tuple[SendingHours, ...] = ()
    reads_early: bool = False
    can_be_answered: bool = False
    is_two_way: bool = False
    gives_receipts: bool = False
    needs_consent: bool = True
    costs: bool = True
    counts_segments: bool = False
    is_paced: bool = False
    has_stop_link: bool = False
    most_a_day: int = 10
    tries_a_step: int | None = None
    judges_sender: bool = True


class ChannelName(str):
    """The name of a registered channel. There is one object for each name, so names may be compared with `is`.

    Raises ValueError for a name that no channel is registered under.
    """

    __slots__ = ()

    # Those that some rule names for what only it does: texts are answered, mails sign somebody in, calls are practised.
    SMS: ClassVar["ChannelName"]
    EMAIL: ClassVar["ChannelName"]
    VOICE: ClassVar["ChannelName"]

    def __new__(cls, name: str) -> Self:
        try:
            return _KNOWN[name]  # type: ignore[return-value]  # nobody makes a subclass
        except KeyError:
            raise ValueError("no channel of this name is registered") from None

    @property
    def can(self) -> ChannelCapabilities:
        """What this channel can do."""
        return _CAPABILITIES[self]

    @property
    def is_call(self) -> bool:
        return _CAPABILITIES[self].form is TextForm.SPOKEN

    @property
    def is_mail(self) -> bool:
        return _CAPABILITIES[self].form is TextForm.LETTER


_KNOWN: dict[str, ChannelName] = {}
_CAPABILITIES: dict[ChannelName, ChannelCapabilities] = {}


def _named(name: str) -> ChannelName:
    return _KNOWN.setdefault(name, str.__new__(ChannelName, name))


ChannelName.SMS, ChannelName.EMAIL, ChannelName.VOICE = map(_named, ("sms", "email", "voice"))


def register(name: str, capabilities: ChannelCapabilities) -> ChannelName:
    """Make the channel known to the rules, and return its name. channels/registry.py does so, once, for all of them.

    Raises ValueError where another channel has the name.
    """
    known = _named(name)
    if _CAPABILITIES.setdefault(known, capabilities) is not capabilities:
        raise ValueError(f"two channels are called {name}")
    return known


def registered() -> tuple[ChannelName, ...]:
    """Return the names of all channels, in the order of the registry."""
    return tuple(_CAPABILITIES)


def with_form(form: TextForm, channels: Iterable[ChannelName]) -> tuple[ChannelName, ...]:
    """Return those of the channels for which this is written."""
    return tuple(one for one in channels if one.can.form is form)
