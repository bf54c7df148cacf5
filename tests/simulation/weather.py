"""How the world outside behaves, and when: a list of spells, each for a time, a share of the requests, or one address.

A spell is written in words: `refuse:400:21211`, `slow:5`, `accept_then:500`. What stands in front of the first colon is
its kind; each provider says which kinds it knows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

WELL = "well"


@dataclass(frozen=True)
class Spell:
    """From `begin` to `end` (seconds since the beginning), a share of what is asked by `about` goes `how`.

    `about`: sms, sms_list, voice, voice_list, email, line, receipts, inbound, or web. `to`: only this address.
    """

    about: str
    how: str
    begin: float = 0.0
    end: float = float("inf")
    share: float = 1.0
    to: str | None = None


class Weather:
    """All spells. `time` is the present, in seconds since the beginning; `chance_of` returns a source of chance."""

    def __init__(self, time: Callable[[], float], chance_of: Callable[[str], Random]) -> None:
        self._time, self._chance_of = time, chance_of
        self.spells: list[Spell] = []

    def now(self, about: str, to: str | None = None) -> list[str]:
        """Return what a request meets, in words; the kind first. A later spell covers an earlier one."""
        for spell in reversed(self.spells):
            is_on = spell.about == about and spell.begin <= self._time() < spell.end and spell.to in (None, to)
            if is_on and (spell.share >= 1 or self._chance_of(f"weather of {about}").random() < spell.share):
                return spell.how.split(":")
        return [WELL]
