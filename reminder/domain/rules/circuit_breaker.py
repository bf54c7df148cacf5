"""The circuit breaker of a channel: when a failing provider is left alone, and when it is tried again.

A channel works until one of its messages fails for a reason that is not the message's own. While nothing succeeds,
failures are counted. After a minute of them, or at once after many, the breaker opens: nothing leaves by the channel
but one message from time to time, a probe. The first success closes it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import IntEnum

from reminder.domain.model.channels import ProviderError
from reminder.domain.model.messages import Accepted, Evidence
from reminder.errors import (
    ChannelError,
    PermanentChannelError,
    SetupChannelError,
    TemporaryChannelError,
    UnknownOutcomeError,
)

# It opens after so many failures in so much time, or at once after many.
FEWEST, OPENS_AFTER, AT_ONCE = 2, timedelta(minutes=1), 20
# From one probe to the next; each failed one doubles the time, up to the longest.
FIRST_PROBE, LONGEST_PROBE = timedelta(seconds=30), timedelta(minutes=2)
# The operator is told when nothing has succeeded for so long.
TOLD_AFTER = timedelta(minutes=5)
# Where nothing was tried for so long, nothing waits for the channel, and whether it works is unknown.
UNTRIED_AFTER = timedelta(hours=1)


class Certainty(IntEnum):
    """How certain it is that the provider fails, and not one address."""

    ONE_ADDRESS = 0
    SILENT = 1  # nothing was answered about one address
    CHANNEL = 2  # it said so, or several addresses are concerned


_CERTAINTY = {
    Evidence.FAILS: Certainty.CHANNEL,
    Evidence.SILENT: Certainty.SILENT,
    Evidence.DOUBTFUL: Certainty.ONE_ADDRESS,
}

# Our own words for what happened on the way to a provider.
_WORDS: Mapping[str, Evidence] = {
    "connect": Evidence.FAILS,
    "timeout": Evidence.SILENT,
    "reset": Evidence.SILENT,
    "lost": Evidence.SILENT,
    "truncated": Evidence.SILENT,
    "unreadable": Evidence.SILENT,
}
# Failures of ours that say nothing of a provider: an address that was never sent, a hand-over that we cut off.
_OF_OURS = frozenset({"address", "stop_url", "stopped", "unforeseen"})
_TOO_MANY_REQUESTS = 429


@dataclass(frozen=True)
class FailedAttempt:
    """A failed message: the evidence, the provider's reason, and the index by which its address is recognised."""

    evidence: Evidence
    reason: str
    address_index: bytes


@dataclass(frozen=True)
class Breaker:
    """The state of a failing channel; a channel that works has none.

    `reason`: of its latest failure. Instants are aware UTC. `opened_at`: None while it is closed. `probe_at`: when the
    next probe may leave. `failed_probes`: in a row. `first_address_index`: of the address that failed first.
    """

    channel: str
    reason: str
    failing_since: datetime
    last_failed_at: datetime
    failures: int
    certainty: Certainty
    first_address_index: bytes
    opened_at: datetime | None = None
    probe_at: datetime | None = None
    failed_probes: int = 0

    @property
    def is_open(self) -> bool:
        """Whether only probes leave."""
        return self.opened_at is not None

    def may_probe(self, now: datetime) -> bool:
        """Return whether a probe may leave at this instant. One that lies too far ahead was set by a wrong clock."""
        at = self.probe_at
        return at is None or at <= now or at > now + 2 * LONGEST_PROBE

    def is_trouble(self, now: datetime) -> bool:
        """Return whether the operator must be told that nothing leaves by this channel."""
        is_long = now - self.failing_since >= TOLD_AFTER
        was_tried = self.last_failed_at - UNTRIED_AFTER <= now <= self.last_failed_at + UNTRIED_AFTER
        return self.certainty > Certainty.ONE_ADDRESS and is_long and was_tried


def evidence_of(answer: Accepted | ChannelError, read_error: Callable[[str | None], ProviderError]) -> Evidence | None:
    """Return what an answer says about the provider, None for nothing. `read_error`: of the channel's capabilities."""
    if isinstance(answer, Accepted):
        return Evidence.WORKS
    if answer.reason in _OF_OURS:
        return None
    match answer:
        case PermanentChannelError():
            return Evidence.WORKS
        case SetupChannelError():
            return Evidence.FAILS
        case TemporaryChannelError() | UnknownOutcomeError():
            if answer.reason in _WORDS:
                return _WORDS[answer.reason]
            is_general = _is_failing_server(answer.reason) or read_error(answer.reason).is_general
            return Evidence.FAILS if is_general else Evidence.DOUBTFUL
        case _:
            return Evidence.DOUBTFUL


def _is_failing_server(reason: str) -> bool:
    """Return whether the reason is an HTTP status by which a server says that it takes nothing at present."""
    return reason.isdecimal() and (500 <= int(reason) <= 599 or int(reason) == _TOO_MANY_REQUESTS)


def after_failures(
    before: Breaker | None, channel: str, failures: Sequence[FailedAttempt], now: datetime, *, of_probe: bool = False
) -> Breaker:
    """Return the state after these failures, of which there is at least one. `of_probe`: a probe is among them."""
    latest = failures[-1]
    first = before.first_address_index if before else failures[0].address_index
    is_several = any(one.address_index != first for one in failures)
    found = Certainty.CHANNEL if is_several else max(_CERTAINTY[one.evidence] for one in failures)
    state = Breaker(
        channel,
        latest.reason,
        failing_since=min(before.failing_since, now) if before else now,
        last_failed_at=now,
        failures=(before.failures if before else 0) + len(failures),
        certainty=max(found, before.certainty) if before else found,
        first_address_index=first,
        opened_at=before.opened_at if before else None,
        probe_at=before.probe_at if before else None,
        failed_probes=before.failed_probes if before else 0,
    )
    if state.is_open:
        if not of_probe:
            return state
        failed = state.failed_probes + 1
        return replace(state, failed_probes=failed, probe_at=now + _until_probe(failed))
    is_enough = state.failures >= FEWEST and now - state.failing_since >= OPENS_AFTER
    if state.certainty is Certainty.CHANNEL and (is_enough or state.failures >= AT_ONCE):
        return replace(state, opened_at=now, probe_at=now + FIRST_PROBE)
    return state


def _until_probe(failed: int) -> timedelta:
    return min(FIRST_PROBE * (1 << min(failed, 8)), LONGEST_PROBE)
