"""Kinds of a group's own: its facts are in the key by which a card of it is read, so that no rule needs the database.

The key is "own:7:60:14:municipal_counter:anybody:60-30": the id of the kind, how many days before its end renewal
opens ("" where that is not known), how many days a new one takes, where it is done, who may go for the holder, and
its own days of reminders. People and programs call the kind "own:7".
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from reminder.domain.model.card_kinds import (
    OTHER,
    PUBLIC_OFFICES,
    CardKind,
    Confidence,
    Grace,
    LeadTime,
    LeadTimeBasis,
    LifeStage,
    NoOpeningDay,
    OnlyTheCardSays,
    OpensDaysBefore,
    Proxy,
    RenewalPlace,
    StandIn,
)

# A card's own name is as long; so many kinds fit into a list that people read.
LONGEST_NAME, MOST_KINDS = 16, 50
FURTHEST_OPENING, LONGEST_LEAD = 730, 365
# Whom a group may name: who is excused differs by office.
STAND_INS = (StandIn.ANYBODY, StandIn.RELATIVES, StandIn.NOBODY)
# From these on the one who acts is told earlier, and more often.
EARLY_FROM, SLOW_FROM = 120, 30

_NAME = re.compile(r"own:([1-9][0-9]{0,18})(?::.*)?")
_KEY = re.compile(
    r"own:([1-9][0-9]{0,18}):([0-9]{0,3}):([0-9]{1,3}):([a-z_]+):([a-z]+):((?:[0-9]{1,3}(?:-[0-9]{1,3})*)?)"
)


@dataclass(frozen=True)
class OwnKindFacts:
    """The facts of a group's own kind.

    `opens_days`: before the end, None where it is not known. `lead_days`: until the holder has a new one. `own_days`:
    before the end, farthest first, in place of the group's.
    """

    place: RenewalPlace = RenewalPlace.ISSUER
    opens_days: int | None = None
    lead_days: int = 0
    stand_in: StandIn = StandIn.ANYBODY
    own_days: tuple[int, ...] = ()

    def key(self, kind_id: int) -> str:
        """Return the key of the kind with this id."""
        opens = "" if self.opens_days is None else self.opens_days
        days = "-".join(map(str, self.own_days))
        return f"own:{kind_id}:{opens}:{self.lead_days}:{self.place}:{self.stand_in}:{days}"


class OwnKind(CardKind):
    """A kind of a group's own. `own_days`: before the end, farthest first."""

    own_days: tuple[int, ...] = ()


def name_of(kind_id: int) -> str:
    """Return how people and programs call the kind with this id."""
    return f"own:{kind_id}"


def public_name(key: str) -> str:
    """Return how people and programs call a kind: that of a group's own without its facts."""
    found = own_id(key)
    return key if found is None else name_of(found)


def own_id(key: str) -> int | None:
    """Return the id of a group's own kind, by its name or its key; None for a kind of config/cards.toml."""
    found = _NAME.fullmatch(key)
    return int(found[1]) if found else None


def stored_kind(key: str) -> str:
    """Return the kind of config/cards.toml under which a card of this kind is stored.

    Programs of the version before know no others: they take it for a card with a name of its own.
    """
    return key if own_id(key) is None else OTHER


def days_of_kind(kind: CardKind) -> tuple[int, ...]:
    """Return the days before the end that a kind has chosen in place of its group's."""
    return kind.own_days if isinstance(kind, OwnKind) else ()


@lru_cache(maxsize=4096)
def read_key(key: str) -> OwnKind | None:
    """Return the kind of a group's own that this key describes, None for any other text."""
    found = _KEY.fullmatch(key)
    if found is None or found[4] not in list(RenewalPlace) or found[5] not in STAND_INS:
        return None
    opens, lead = int(found[2]) if found[2] else None, int(found[3])
    if not 0 <= lead <= LONGEST_LEAD or (opens is not None and not 1 <= opens <= FURTHEST_OPENING):
        return None
    days = tuple(map(int, found[6].split("-"))) if found[6] else ()
    facts = OwnKindFacts(RenewalPlace(found[4]), opens, lead, StandIn(found[5]), days)
    return _kind(key, facts)


def _kind(key: str, facts: OwnKindFacts) -> OwnKind:
    arrives = facts.place is RenewalPlace.ARRIVES
    return OwnKind(
        key=key,
        texts="arrival" if arrives else "procedure",
        schedule="arrival" if arrives else _schedule(facts),
        opens=NoOpeningDay() if facts.opens_days is None else OpensDaysBefore(days=facts.opens_days),
        lasts=OnlyTheCardSays(),
        moves_past_holidays=False,
        lead_time=LeadTime(days=facts.lead_days, basis=LeadTimeBasis.STATED),
        done_at=facts.place,
        stages=(LifeStage.APPLIED, LifeStage.READY) if facts.lead_days else (),
        closes_with_counters=facts.place in PUBLIC_OFFICES,
        sealed_form=False,
        stand_in=Proxy(apply=facts.stand_in),
        ends_use_of=(),
        law="",
        grace=Grace.NONE,
        carried_by="",
        bound_by="",
        offers=(),
        told_to_elders=True,
        source=(),
        checked_on=date.min,
        confidence=Confidence.VERIFIED,
        own_days=facts.own_days,
    )


def _schedule(facts: OwnKindFacts) -> str:
    if (facts.opens_days or 0) >= EARLY_FROM or facts.lead_days >= EARLY_FROM:
        return "early"
    return "slow" if facts.lead_days >= SLOW_FROM else "renewal"


class Kinds(Mapping[str, CardKind]):
    """The kinds of config/cards.toml in its order; any key of a group's own kind is found too, and none is listed."""

    def __init__(self, shipped: Mapping[str, CardKind]) -> None:
        self._shipped = dict(shipped)

    def __getitem__(self, key: str) -> CardKind:
        """Return a kind by its key. Raises KeyError."""
        found = self._shipped.get(key) or read_key(key)
        if found is None:
            raise KeyError(key)
        return found

    def __iter__(self) -> Iterator[str]:
        """Yield the keys of the file."""
        return iter(self._shipped)

    def __len__(self) -> int:
        """Return the number of kinds in the file."""
        return len(self._shipped)


class Families(Mapping[str, str]):
    """The family of texts of each kind, as `Kinds` finds it."""

    def __init__(self, kinds: Mapping[str, CardKind]) -> None:
        self._kinds = kinds

    def __getitem__(self, key: str) -> str:
        """Return the family of texts of a kind. Raises KeyError."""
        return self._kinds[key].texts

    def __iter__(self) -> Iterator[str]:
        """Yield the keys of the file."""
        return iter(self._kinds)

    def __len__(self) -> int:
        """Return the number of kinds in the file."""
        return len(self._kinds)
