"""The rulebook: everything the rules are told from config/, read and checked once."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from reminder.domain import ladder
from reminder.domain.cards import CardKind
from reminder.domain.ladder import CardDates, Ladders, Plan
from reminder.domain.people import Mode
from reminder.domain.words import Wording
from reminder.errors import UnknownChoiceError


@dataclass(frozen=True)
class Rulebook:
    kinds: Mapping[str, CardKind]
    ladders: Ladders
    wording: Wording
    card_grace: bool

    def kind(self, key: str) -> CardKind:
        """Raises UnknownChoiceError."""
        if key not in self.kinds:
            raise UnknownChoiceError(field="kind", choices=list(self.kinds))
        return self.kinds[key]

    def plan(
        self, kind: str, expires_on: date, mode: Mode, *, insurance: bool, carrier_ends_on: date | None = None
    ) -> tuple[CardDates, Plan]:
        """The dates that matter and every rung with its day. `carrier_ends_on`: the end of the card this lives in."""
        card_kind = self.kind(kind)
        dates = ladder.dates_of(
            card_kind, expires_on, insurance=insurance, card_grace=self.card_grace, carrier_ends_on=carrier_ends_on
        )
        return dates, ladder.plan(self.ladders.of(mode, card_kind), dates, mode)
