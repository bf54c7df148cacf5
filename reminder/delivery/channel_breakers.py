"""The breakers of the channels as one sender uses them: what may leave now, and what outcomes say of a provider."""

import logging
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from enum import Enum

from reminder.domain.model.messages import Evidence, MessageState, Outcome
from reminder.domain.model.people import ChannelName
from reminder.domain.rules.circuit_breaker import Breaker, FailedAttempt, after_failures
from reminder.storage.crypto.keyring import KeyRing
from reminder.storage.db.session import Tx
from reminder.storage.outbox.leases import LeasedMessage
from reminder.storage.runtime import breakers

log = logging.getLogger(__name__)

_INDEX_BYTES = 8


class Permit(Enum):
    """What may leave by a channel at an instant."""

    ALL = "all"
    PROBE = "probe"  # one message, to find out whether the provider is well
    NOTHING = "nothing"


class ChannelBreakers:
    """The breakers, with what this sender has last seen of them.

    They are in the database; what is remembered here saves a statement for each turn while all is well.
    """

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys
        self._failing: dict[ChannelName, Breaker] = {}

    def permit(self, tx: Tx, channel: ChannelName, now: datetime) -> Permit:
        """Return what may leave by the channel now."""
        found = breakers.find(tx, channel)
        self._remember(channel, found)
        if found is None or not found.is_open:
            return Permit.ALL
        return Permit.PROBE if found.may_probe(now) else Permit.NOTHING

    def is_open(self, channel: ChannelName) -> bool:
        """Return whether the breaker was open when it was last looked at."""
        found = self._failing.get(channel)
        return found is not None and found.is_open

    def note(self, tx: Tx, outcomes: Sequence[tuple[LeasedMessage, Outcome]], now: datetime) -> None:
        """Record what these outcomes of hand-overs say of their channels."""
        works, failed = set[ChannelName](), defaultdict[ChannelName, list[tuple[LeasedMessage, Outcome]]](list)
        for leased, outcome in outcomes:
            if outcome.state is MessageState.ACCEPTED or outcome.evidence is Evidence.WORKS:
                works.add(leased.channel)
            elif outcome.evidence is not None:
                failed[leased.channel].append((leased, outcome))
        for channel in sorted(works):
            if channel in self._failing or channel in failed:
                self._close(tx, channel, now)
        for channel in sorted(failed.keys() - works):
            self._fail(tx, channel, failed[channel], now)

    def _close(self, tx: Tx, channel: ChannelName, now: datetime) -> None:
        before = breakers.clear(tx, channel)
        self._remember(channel, None)
        if before is not None and before.is_open:
            log.warning("channel %s works again; it had failed for %s", channel, now - before.failing_since)

    def _fail(self, tx: Tx, channel: ChannelName, some: Sequence[tuple[LeasedMessage, Outcome]], now: datetime) -> None:
        before = breakers.find(tx, channel, lock=True)
        failures = [
            FailedAttempt(outcome.evidence, outcome.reason or "", self._index(leased))
            for leased, outcome in some
            if outcome.evidence is not None
        ]
        of_probe = any(leased.is_probe for leased, _ in some)
        after = after_failures(before, channel, failures, now, of_probe=of_probe)
        breakers.replace(tx, after)
        self._remember(channel, after)
        if after.is_open and not (before and before.is_open):
            log.error(
                "channel %s takes nothing (%s); it is tried from time to time, and nothing else is sent by it",
                channel,
                after.reason,
            )

    def _index(self, leased: LeasedMessage) -> bytes:
        return self._keys.blind_index(f"failed\0{leased.outgoing.address}")[:_INDEX_BYTES]

    def _remember(self, channel: ChannelName, state: Breaker | None) -> None:
        if state is None:
            self._failing.pop(channel, None)
        else:
            self._failing[channel] = state
