"""People who act while they are written to: a carer renews, says "done", stops, takes a task over and erases."""

import random
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from sqlalchemy import text
from sqlalchemy.orm import Session

from reminder.enrolment import consent
from reminder.enrolment.cards import TypedDates, acknowledge_card, assign_card, renew_card
from reminder.errors import DatabaseNotReadyError
from reminder.upkeep.privacy.erasure import erase_person
from reminder.wiring import App

RENEWED_UNTIL = "2032-03-31"
# So many of a hundred persons does each kind of act happen to.
SHARE = 2.0

_WHOM = text(
    "SELECT c.id AS card_id, c.person_id, k.id AS contact_id, m.id AS mail_id FROM cards c"
    " JOIN contacts k ON k.person_id = c.person_id JOIN people p ON p.id = c.person_id"
    " JOIN members b ON b.group_id = p.group_id JOIN contacts m ON m.member_id = b.id ORDER BY c.id"
)
_TEXTS = text(
    "SELECT m.id, m.attempts FROM messages m JOIN message_reminders mr ON mr.message_id = m.id"
    " JOIN reminders r ON r.id = mr.reminder_id"
    " WHERE m.audience = 'person' AND r.card_id = :card"
)
_SHARING = text(
    "SELECT card.id FROM cards card JOIN contacts k ON k.person_id = card.person_id"
    " WHERE k.address_index = (SELECT address_index FROM contacts WHERE id = :contact)"
)


class Kind(StrEnum):
    RENEW = "renewed"
    DONE = "done"
    STOP = "stopped"
    TAKE = "taken"
    ERASE = "erased"


# After these nothing more may be handed over.
ENDING = (Kind.RENEW, Kind.DONE, Kind.STOP, Kind.ERASE)


@dataclass(frozen=True)
class Target:
    card_id: int
    person_id: int
    contact_id: int
    mail_id: int


@dataclass(frozen=True)
class Act:
    """What somebody did. `at`: when it was committed, by the clock of the run. `before`: how often each text to the
    person had begun to be handed over by then, by its id. `cards`: of everybody at the person's telephone."""

    kind: Kind
    card_id: int
    at: datetime
    before: Mapping[int, int]
    cards: Collection[int]


@dataclass
class Actors:
    """They act upon the database of `app`, which is replaced when the service moves. `each`: acts of each kind."""

    app: App
    now: Callable[[], datetime]
    seed: int
    each: int
    acts: list[Act] = field(default_factory=list)

    def __post_init__(self) -> None:
        with self.app.database.reading() as tx:
            targets = [Target(*row) for row in tx.execute(_WHOM)]
        chance = random.Random(self.seed)
        chosen = chance.sample(targets, min(len(targets), self.each * len(Kind)))
        self._waiting = [(kind, one) for place, one in enumerate(chosen) for kind in [list(Kind)[place % len(Kind)]]]
        self._all = len(self._waiting)

    def act_until(self, share: float) -> None:
        """Act, one after the other, until this share of all acts is done. A database that is away is tried later."""
        while self._waiting and 1 - len(self._waiting) / self._all < share:
            kind, target = self._waiting[0]
            try:
                self.acts.append(self._act(kind, target))
            except DatabaseNotReadyError:
                return
            self._waiting.pop(0)

    def forget_since(self, taken_at: datetime) -> None:
        """What was done after a back-up is lost with the database of then: it is done again."""
        lost = [one for one in self.acts if one.at >= taken_at]
        self.acts = [one for one in self.acts if one.at < taken_at]
        again = {one.card_id: one.kind for one in lost}
        with self.app.database.reading() as tx:
            targets = [Target(*row) for row in tx.execute(_WHOM)]
        self._waiting += [(again[one.card_id], one) for one in targets if one.card_id in again]

    def _act(self, kind: Kind, target: Target) -> Act:
        app, now = self.app, self.now()
        with app.database.reading() as tx:
            cards = {*tx.execute(_SHARING, {"contact": target.contact_id}).scalars()}
            before = {one.id: one.attempts for one in tx.execute(_TEXTS, {"card": target.card_id})}
        match kind:
            case Kind.RENEW:
                with app.units.writing(now) as uow:
                    renew_card(uow, card_id=target.card_id, typed=TypedDates(RENEWED_UNTIL), confirmed=True)
            case Kind.DONE:
                with app.units.writing(now) as uow:
                    acknowledge_card(uow, card_id=target.card_id)
            case Kind.STOP:
                with app.units.writing(now) as uow:
                    consent.stop(uow, contact_id=target.contact_id)
            case Kind.TAKE:
                with app.units.writing(now) as uow:
                    assign_card(uow, card_id=target.card_id, contact_id=target.mail_id)
            case Kind.ERASE:
                erase_person(app.units, now, person_id=target.person_id)
        at = self.now()
        # Of an erased person nothing is left to count: what the provider takes later is found by its time.
        if kind is not Kind.ERASE:
            with app.database.reading() as tx:
                before = {one.id: one.attempts for one in tx.execute(_TEXTS, {"card": target.card_id})}
        return Act(kind, target.card_id, at, before, cards)


def handed_over_since(tx: Session, act: Act) -> list[int]:
    """The ids of the texts to the person that began to be handed over after the act."""
    rows = tx.execute(_TEXTS, {"card": act.card_id})
    return [row.id for row in rows if row.attempts > act.before.get(row.id, 0)]
