"""A simulated village: what the product has counted is what the simulation knows of each end, and nothing else."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import product

from reminder.domain.model.card_states import EndReason
from reminder.domain.model.people import GroupKind, Mode
from reminder.enrolment import card_acts
from reminder.enrolment import cards as enrolment
from reminder.enrolment.cards import TypedDates
from reminder.storage.reminders import counted_ends
from reminder.upkeep.privacy import erasure
from tests.journeys.whole_village import roll
from tests.village import USER_CERTIFICATE, Village

BEGAN, UNTIL = date(2026, 12, 2), date(2027, 8, 20)
LICENCE, PASSPORT = "driving_licence", "passport"
# What the law says of these ends: the last valid day, and the last day of the grace.
ENDS = {
    USER_CERTIFICATE: (date(2027, 3, 10), date(2027, 3, 10), date(2027, 6, 30)),
    LICENCE: (date(2027, 5, 1), date(2027, 5, 6), None),  # Saturday, and then holidays until Wednesday
    PASSPORT: (date(2027, 4, 20), date(2027, 4, 20), None),
}
NEW_END = date(2031, 6, 1)
Sort = tuple[str, str, str, str, str]


@dataclass
class Known:
    """What the simulation knows of one end, from what its people did."""

    kind: str
    group_kind: GroupKind
    mode: Mode
    person: int
    done_on: date | None = None
    ended_for: EndReason | None = None
    is_gone: bool = False
    is_counted: bool = True

    def sort(self) -> Sort:
        _, valid_until, grace = ENDS[self.kind]
        outcome, reason = "unknown", ""
        if self.done_on is not None:
            late = "in_grace" if grace is not None and self.done_on <= grace else "after"
            outcome = "before" if self.done_on <= valid_until else late
        elif self.ended_for is not None:
            outcome, reason = "ended", self.ended_for.value
        return self.kind, self.group_kind.value, self.mode.value, outcome, reason


@dataclass
class Lived:
    village: Village
    known: dict[int, Known] = field(default_factory=dict)

    def settle(self) -> None:
        for group_kind in GroupKind:
            self.village.group(group_kind, f"村の{group_kind.value}")
            self.village.member(f"係{group_kind.value}", f"{group_kind.value}@example.jp")
            for place, (mode, _) in enumerate(product(Mode, range(4))):
                label = f"{'甲乙'[group_kind is GroupKind.HOME]}{chr(0x3042 + place)}"
                phone = f"090-0000-{1000 * (group_kind is GroupKind.HOME) + place:04}" if place % 3 else None
                person = self.village.person(label, phone=phone, mode=mode)
                for kind, (ends, _, _) in ENDS.items():
                    with self.village.app.writing() as uow:
                        typed = TypedDates(ends.isoformat())
                        card = enrolment.add_card(uow, person_id=person, kind=kind, typed=typed, confirmed=True).id
                    self.known[card] = Known(kind, group_kind, mode, person)

    def live(self) -> None:
        agenda: dict[date, list[tuple[str, int]]] = {}
        for card, one in self.known.items():
            for act, on in self._plan(card, one):
                agenda.setdefault(on, []).append((act, card))
        day = BEGAN
        while day < UNTIL:
            if day in agenda:
                self.village.run_until(f"{day} 12:00")
                self.village.pass_once()
                for act, card in sorted(agenda[day]):
                    if not self.known[card].is_gone:
                        getattr(self, f"_{act}")(card, day)
            day += timedelta(days=1)
        self.village.run_until(f"{UNTIL} 09:00")
        self.village.pass_once()

    def _plan(self, card: int, one: Known) -> list[tuple[str, date]]:
        ends = ENDS[one.kind][0]
        chance, when = roll("effect", card), roll("effect when", card)
        on = ends + timedelta(days=int(190 * when) - 70)
        nearly = ends + timedelta(days=int(14 * when) - 3)
        if chance < 0.4:
            return [("renew", on if chance < 0.25 else nearly)]
        if chance < 0.5:
            return [("done", on), ("renew", on + timedelta(days=20))]
        if chance < 0.6:
            return [("done", on), ("undone", on + timedelta(days=9))]
        if chance < 0.7:
            return [("retire", on)]
        if chance < 0.78:
            return [("renew", nearly), ("take_back", nearly + timedelta(days=1))]
        return [("erase", on)] if chance < 0.84 else []

    # ── what people do, and what the simulation keeps of it ──

    def _renew(self, card: int, day: date) -> None:
        self.village.renew(card, NEW_END)
        self.known[card].done_on = self.known[card].done_on or day

    def _done(self, card: int, day: date) -> None:
        with self.village.app.writing() as uow:
            enrolment.acknowledge_card(uow, card_id=card)
        self.known[card].done_on = day

    def _undone(self, card: int, _: date) -> None:
        with self.village.app.writing() as uow:
            enrolment.reopen_card(uow, card_id=card)
        self.known[card].done_on = None

    def _retire(self, card: int, _: date) -> None:
        reason = list(EndReason)[card % len(EndReason)]
        with self.village.app.writing() as uow:
            enrolment.retire_card(uow, card_id=card, reason=reason)
        self.known[card].ended_for = reason

    def _take_back(self, card: int, _: date) -> None:
        with self.village.app.writing() as uow:
            card_acts.step_back(uow, card_id=card)
        self.known[card].done_on = None

    def _erase(self, card: int, day: date) -> None:
        """The person goes; of their ends those that have passed stay in the numbers."""
        gone = self.known[card].person
        erasure.erase_person(self.village.app.units, self.village.now, person_id=gone)
        for one in self.known.values():
            one.is_gone = one.is_gone or one.person == gone
            one.is_counted = one.is_counted and (one.person != gone or ENDS[one.kind][1] < day)


def test_the_effect_that_is_counted_is_what_the_village_knows(village: Village) -> None:
    lived = Lived(village)
    lived.settle()
    lived.live()

    with village.app.database.reading() as tx:
        counts = counted_ends.counts(tx, date(2026, 1, 1), date(2040, 1, 1))
        of_groups = [one for group in (1, 2) for one in counted_ends.counts_of_group(tx, group, BEGAN, UNTIL)]

    counted, present = Counter[Sort](), Counter[Sort]()
    for found, rows in ((counted, counts), (present, of_groups)):
        for one in rows:
            found[one.kind, one.group_kind, one.mode, one.outcome, one.reason] += one.ends
    assert counted == Counter(one.sort() for one in lived.known.values() if one.is_counted)
    assert present == Counter(one.sort() for one in lived.known.values() if not one.is_gone)
    assert {sort[3] for sort in counted} == {"before", "in_grace", "after", "ended", "unknown"}, "all of it happened"
    assert any(one.is_gone and one.is_counted for one in lived.known.values())
