"""What a provider lists of a time: what became of messages, and the texts that it has received for us."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, runtime_checkable


@dataclass(frozen=True)
class ListedWords:
    """To whom a listed text went, what it says, and when the provider dates it (aware UTC)."""

    address: str
    text: str
    at: datetime


@dataclass(frozen=True)
class ListedFate:
    """What became of one message, in the words of a receipt (see messages.ENDS).

    `seconds`: how long a call lasted. `said`: of a text, where its row is complete.
    """

    provider_id: str
    status: str
    error_code: str | None
    seconds: int | None = None
    said: ListedWords | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class ListedText:
    """A text to our own number. `at`: when the provider received it (aware UTC); None: not said."""

    provider_id: str
    sender: str
    text: str
    at: datetime | None


@dataclass(frozen=True)
class HistoryPage:
    """One page of a list. `following` names the next page, None: this is the last."""

    fates: tuple[ListedFate, ...]
    texts: tuple[ListedText, ...]
    following: str | None


@runtime_checkable
class ProviderHistory(Protocol):
    """A channel whose provider lists what it has carried. It raises only errors.ChannelError."""

    async def history(self, since: datetime, page: str | None) -> HistoryPage:
        """Return what was sent and received since then (aware UTC). `page`: the one that the page before names."""
