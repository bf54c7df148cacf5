"""A channel as the rules see it: its name and its capabilities, which each channel's package defines."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import time
from enum import StrEnum
from typing import ClassVar, Self

from reminder.domain.model.notices import NoticeKind


class TextForm(StrEnum):
    """The form of the text that a channel carries."""

    SHORT = "short"  # a text of one or two segments, without a subject
    LETTER = "letter"  # an e-mail: a subject, headings, advice
    SPOKEN = "spoken"  # a call: sentences and keys


class AddressKind(StrEnum):
    """The kind of address a channel uses. Two contacts with one telephone number share one telephone."""

    PHONE = "phone"
    EMAIL = "email"
    OTHER = "other"  # a provider's own id


class Fault(StrEnum):
    """The cause of a failed delivery, which decides what happens next."""

    NUMBER = "number"  # this address never accepts it: given up, another channel is used, the family is notified
    OPTED_OUT = "opted_out"  # its owner asked the provider to stop
    TEXT = "text"  # this text to this number: another channel is tried; other messages are not affected
    OPERATOR = "operator"  # sender or setting: the channel waits for the operator; a retry changes nothing
    ACCOUNT = "account"  # nothing can be sent at all: the whole channel waits
    RETRY = "retry"  # not now, perhaps later
    UNSURE = "unsure"  # the provider itself does not know whether it arrived: ask before sending again


@dataclass(frozen=True)
class ProviderError:
    """The meaning of one error code of a provider.

    `is_away`: the phone was only off, so a try on a third day is worthwhile. `is_general`: the provider takes nothing
    at present, whoever it is for.
    """

    fault: Fault
    is_away: bool = False
    is_general: bool = False


@dataclass(frozen=True)
class SendingHours:
    """A span of a day in Japan time, from `opens` until just before `closes`."""

    opens: time
    closes: time


@dataclass(frozen=True)
class Preference:
    """The rank of a channel among several of one person: the lowest number is used, None means never.

    `own` is for the person themselves, `carer` for who looks after them, `instead` for failover to another channel of
    the same person.
    """

    own: int | None
    carer: int | None
    instead: int


@dataclass(frozen=True)
class ChannelCapabilities:
    """The capabilities and requirements of a channel.

    `read_address` returns a typed address in its stored form; it raises AddressError. `read_error` returns the meaning
    of the reason stored with a message (None: the provider gave none). `undelivered` is the notice to those around a
    person. `own_hours` are several spans of a day, on working days, outside which the channel is not used (empty: the
    reader's own hours apply). `reads_early`: who looks after a person may be written to from 7 to 21.
    `can_be_answered`: the reader's answer reaches us by this channel. `is_two_way`: in the reader's own words.
    `gives_receipts`: the provider reports whether a message arrived. `proves_arrival`: it reports that of each one and
    can be asked about it, so that acceptance alone proves nothing. `needs_consent`: the owner of the address must
    agree before the first message. `costs`: each message is paid for. `counts_segments`: it is billed by the segments
    of an SMS. `is_paced`: its one sender may send only so many messages a second. `most_a_day` is the most messages to
    one address in 24 hours. `tries_a_step` is how often a step may fail before the channel counts as unreachable (None:
    the fault decides). `judges_sender`: a message refused for its words or its sender speaks for all others.
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
    proves_arrival: bool = False
    needs_consent: bool = True
    costs: bool = True
    counts_segments: bool = False
    is_paced: bool = False
    has_stop_link: bool = False
    most_a_day: int = 10
    concurrency: int = 64
    tries_a_step: int | None = None
    judges_sender: bool = True


class ChannelName(str):
    """The name of a registered channel. There is one object for each name, so names may be compared with `is`.

    Raises ValueError for a name that no channel is registered under.
    """

    __slots__ = ()

    # Channels that a rule names for a use of their own: texts are answered, mails carry login codes, calls have keys.
    SMS: ClassVar["ChannelName"]
    EMAIL: ClassVar["ChannelName"]
    VOICE: ClassVar["ChannelName"]

    def __new__(cls, name: str) -> Self:
        """Return the one object of this name."""
        try:
            return _KNOWN[name]  # type: ignore[return-value]  # nobody makes a subclass
        except KeyError:
            raise ValueError("no channel of this name is registered") from None

    @property
    def can(self) -> ChannelCapabilities:
        """The capabilities of this channel."""
        return _CAPABILITIES[self]

    @property
    def is_call(self) -> bool:
        """Whether the message is spoken on the telephone."""
        return _CAPABILITIES[self].form is TextForm.SPOKEN

    @property
    def is_mail(self) -> bool:
        """Whether the message is an e-mail."""
        return _CAPABILITIES[self].form is TextForm.LETTER


_KNOWN: dict[str, ChannelName] = {}
_CAPABILITIES: dict[ChannelName, ChannelCapabilities] = {}


def _named(name: str) -> ChannelName:
    return _KNOWN.setdefault(name, str.__new__(ChannelName, name))


ChannelName.SMS, ChannelName.EMAIL, ChannelName.VOICE = map(_named, ("sms", "email", "voice"))


def register(name: str, capabilities: ChannelCapabilities) -> ChannelName:
    """Make the channel known to the rules, and return its name.

    Only channels/registry.py calls this, once for each channel. Raises ValueError where another channel has the name.
    """
    known = _named(name)
    if _CAPABILITIES.setdefault(known, capabilities) is not capabilities:
        raise ValueError(f"two channels are called {name}")
    return known


def registered() -> tuple[ChannelName, ...]:
    """Return the names of all channels, in the order of the registry."""
    return tuple(_CAPABILITIES)


def with_form(form: TextForm, channels: Iterable[ChannelName]) -> tuple[ChannelName, ...]:
    """Return those of the channels that carry texts of this form."""
    return tuple(one for one in channels if one.can.form is form)
