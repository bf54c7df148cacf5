"""The stories of the demo: a mother who answers, a father whom nobody hears of, and a care home's Monday.

Everybody is invented. What they do goes through the use cases of the service; the clock is stepped.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date, datetime, time

from reminder.conversation import inbox
from reminder.domain.model.people import ChannelName, ConsentHow, GroupKind, Language, Mode, Role
from reminder.domain.rules import hours
from reminder.enrolment import cards, register
from reminder.enrolment.cards import TypedDates
from reminder.simulate import SimulatedMessage, SimulatedWorld
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.registry import cards as kept_cards

CERTIFICATE = "mynumber_user_certificate"
# A fixed day, so that everyone sees the same demo.
START = date(2026, 12, 1)
ENDS = date(2027, 4, 1)
RENEWED_UNTIL = date(2032, 4, 1)
# The first working day after the end: nobody has answered for the father.
SHOWN_ON = date(2027, 4, 2)
# Of the home's Mondays the one that is shown.
MONDAY = date(2027, 2, 1)

MOTHER, FATHER = "090-0000-0001", "090-0000-0002"
DAUGHTER, SON, SISTER = "musume@example.jp", "chonan@example.jp", "jijo@example.jp"
OFFICE = "jimu@example.jp"


_RESIDENTS = (
    ("201", "demo_kiyo", CERTIFICATE, date(2027, 3, 20)),
    ("202", "demo_take", "care_certification", date(2027, 3, 31)),
    ("203", "demo_hana", "mynumber_card", date(2027, 4, 12)),
    ("204", "demo_masa", CERTIFICATE, date(2028, 9, 3)),
)


@dataclass(frozen=True)
class Moment:
    """Something that happened: `text` was sent to `address`, or, without `sent`, said or done by its owner.

    `at`: an instant, aware UTC.
    """

    at: datetime
    address: str
    text: str
    sent: SimulatedMessage | None = None


@dataclass
class Stories:
    """The people of the demo in its world. `names`: who answers to which address; `home`: the id of the care home."""

    world: SimulatedWorld
    language: Language
    words: Mapping[str, str]
    names: dict[str, str] = field(default_factory=dict)
    acts: list[Moment] = field(default_factory=list)
    home: int = 0
    mother: int = 0

    def settle(self) -> None:
        """Enrol two families and a care home."""
        word = self.words
        with self._writing() as uow:
            tanaka = self._household(uow, word["demo_tanaka"], {DAUGHTER: word["demo_daughter"]})
            self.mother = self._parent(uow, tanaka, word["demo_mother"], MOTHER, word["demo_mark_mother"])
            suzuki = self._household(uow, word["demo_suzuki"], {SON: word["demo_son"], SISTER: word["demo_sister"]})
            self._parent(uow, suzuki, word["demo_father"], FATHER, word["demo_mark_father"])
            self._settle_home(uow)

    def play(self) -> None:
        """Let the months pass; the mother answers, and her daughter records the new date."""
        mother = addresses_of(MOTHER)
        self._at(date(2027, 2, 22), time(18, 20), mother, self.words["demo_reply_go"])
        self._at(date(2027, 3, 10), time(14, 5), mother, self.words["demo_reply_done"])
        self._run_until(hours.instant(date(2027, 3, 10), time(20, 0)))
        with self._writing() as uow:
            (card,) = kept_cards.current_of_person(uow.tx, self.mother)
            cards.renew_card(uow, card_id=card.id, typed=TypedDates(RENEWED_UNTIL.isoformat()))
        self.acts.append(Moment(self.world.clock.now(), DAUGHTER, self.words["demo_renewed"]))
        self._run_until(hours.instant(SHOWN_ON, time(12)))

    def _household(self, uow: UnitOfWork, name: str, members: Mapping[str, str]) -> int:
        group = register.add_group(uow, name=name, kind=GroupKind.HOUSEHOLD)
        for email, called in members.items():
            self._member(uow, group, email, called)
        return group

    def _member(self, uow: UnitOfWork, group: int, email: str, called: str) -> None:
        register.add_member(uow, group_id=group, email=email, role=Role.OWNER, language=self.language)
        self.names[email] = called

    def _parent(self, uow: UnitOfWork, group: int, label: str, phone: str, mark: str) -> int:
        person = register.add_person(
            uow, group_id=group, label=label, mode=Mode.ELDERLY, language=self.language, mark=mark
        )
        register.add_contact(
            uow,
            person_id=person,
            channel=ChannelName.SMS,
            address=phone,
            consent_how=ConsentHow.SPOKEN,
            consent_by=self.words["demo_daughter"],
        )
        self.names[addresses_of(phone)] = label
        cards.add_card(uow, person_id=person, kind=CERTIFICATE, typed=TypedDates(ENDS.isoformat()))
        return person

    def _settle_home(self, uow: UnitOfWork) -> None:
        self.home = register.add_group(uow, name=self.words["demo_home"], kind=GroupKind.HOME)
        self._member(uow, self.home, OFFICE, self.words["demo_office"])
        for room, named, kind, ends in _RESIDENTS:
            resident = register.add_person(
                uow, group_id=self.home, label=self.words[named], mode=Mode.HOME, language=self.language, room=room
            )
            cards.add_card(uow, person_id=resident, kind=kind, typed=TypedDates(ends.isoformat()))

    def _writing(self) -> AbstractContextManager[UnitOfWork]:
        return self.world.app.units.writing(self.world.clock.now())

    def _at(self, day: date, at: time, address: str, text: str) -> None:
        """Let somebody answer at this moment in Japan."""
        self._run_until(hours.instant(day, at))
        with self._writing() as uow:
            inbox.keep(uow, inbox.InboundText(f"SM{len(self.acts):032x}", address, text))
        self.acts.append(Moment(self.world.clock.now(), address, text))

    def _run_until(self, until: datetime) -> None:
        for _ in self.world.run_until(until):
            pass

    def told(self, *of: str) -> list[Moment]:
        """Return what was sent to these addresses and what their owners did, in the order of time."""
        wanted = {addresses_of(one) for one in of}
        sent = [Moment(one.at, one.outgoing.address, one.outgoing.text, one) for one in self.world.all_sent()]
        return sorted(
            (one for one in (*sent, *self.acts) if one.address in wanted),
            key=lambda one: (one.at, one.sent is not None),
        )


def addresses_of(typed: str) -> str:
    """Return an address as messages carry it."""
    return typed if "@" in typed else "+81" + typed.replace("-", "")[1:]
