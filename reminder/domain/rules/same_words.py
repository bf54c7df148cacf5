"""Messages of the same words to the same address: which of them an entry of the provider's list is.

The provider lists words, addresses and times, and not our reference. Two people may share a telephone, and their texts
may be equal. Every entry belongs to one of the messages that have no provider's id yet. A message is there only if the
entries cannot be explained without it: else neither is guessed to have arrived.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from reminder.domain.model.messages import Accepted, ListedEntry, ProviderAnswer


@dataclass(frozen=True)
class Claimant:
    """A message without a provider's id, and between which instants the provider can have taken it (aware UTC).

    `latest` None: until now.
    """

    message_id: int
    earliest: datetime
    latest: datetime | None = None

    def may_be(self, entry: ListedEntry) -> bool:
        """Return whether the provider made the entry while the message was being handed over."""
        at = entry.created_at
        if at is None:
            return self.latest is None
        return self.earliest <= at and (self.latest is None or at <= self.latest)


def identify(
    message_id: int, claimants: Sequence[Claimant], entries: Sequence[ListedEntry]
) -> Accepted | ProviderAnswer:
    """Return whether a message is among the entries, and as which.

    `claimants`: every message that one of the entries may be, with the one asked about. `entries`: those that belong to
    no other message.
    """
    others = [one for one in claimants if one.message_id != message_id]
    itself = [one for one in claimants if one.message_id == message_id]
    every = _assignment([*itself, *others], entries)
    if message_id in every and len(_assignment(others, entries)) < len(every):
        return Accepted(every[message_id])
    is_possible = any(one.may_be(entry) for one in itself for entry in entries)
    return ProviderAnswer.NOT_TOLD_APART if is_possible else ProviderAnswer.NOT_FOUND


def some_are_doubled(claimants: Sequence[Claimant], entries: Sequence[ListedEntry]) -> bool:
    """Return whether one of the messages was taken twice: more entries may be theirs than there are messages.

    Arguments as of `identify`. Which of them it was, nobody knows. It shows after a restore: that a message was sent
    again, and marked, is not in the back-up.
    """
    theirs = [entry for entry in entries if any(one.may_be(entry) for one in claimants)]
    return len(theirs) > len(claimants)


def _assignment(claimants: Sequence[Claimant], entries: Sequence[ListedEntry]) -> Mapping[int, str]:
    """Return a largest assignment of entries to messages, as provider's ids by message id.

    The first entry goes to the first hand-over where both are possible: the order is kept.
    """
    in_order = sorted(claimants, key=lambda one: (one.earliest, one.message_id))
    dated = sorted(
        (one for one in entries if one.created_at is not None), key=lambda one: (one.created_at, one.provider_id)
    )
    listed = [*dated, *(one for one in entries if one.created_at is None)]
    owner_of: dict[str, Claimant] = {}

    def give(claimant: Claimant, tried: set[str]) -> bool:
        for entry in listed:
            if entry.provider_id in tried or not claimant.may_be(entry):
                continue
            tried.add(entry.provider_id)
            owner = owner_of.get(entry.provider_id)
            if owner is None or give(owner, tried):
                owner_of[entry.provider_id] = claimant
                return True
        return False

    for claimant in in_order:
        give(claimant, set())
    return {owner.message_id: provider_id for provider_id, owner in owner_of.items()}
