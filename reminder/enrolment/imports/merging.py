"""Merging: what a row of a sheet changes of the person it is about, what stays as it is here, and what is asked.

Three sides are compared: the sheet, the registry, and what the sheet said when it was last saved.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from reminder.domain.model.imports import CARD, WHICH, Finding, Level
from reminder.domain.model.people import ConsentHow, ContactState
from reminder.domain.parsing import addresses
from reminder.domain.parsing.days_before import kept_form
from reminder.domain.parsing.resident_rows import Resident, ResidentContact
from reminder.domain.rules import sheet_merge
from reminder.domain.rules.sheet_merge import Verdict
from reminder.enrolment.register import PersonChanges
from reminder.storage.crypto.address_index import address_indexes
from reminder.storage.crypto.keyring import KeyRing
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.registry import cards, contacts, people, sheet_memory
from reminder.storage.registry.cards import CardView
from reminder.storage.registry.contacts import ContactView, KnownContact
from reminder.storage.registry.people import PersonView
from reminder.storage.registry.sheet_memory import LastSaid

# The words of a person that a sheet has a column for.
_WORDS = ("label", "room", "unit", "reference", "mode")
_CONSENT, _MADE, _DAYS = "consent", "made:", "own_days"


@dataclass(frozen=True)
class Registered:
    """What is registered of some people, and what the sheet said of them when it was last saved, by person.

    `cards`: by kind. `ended`: the last end of a kind of card that they had, and that was retired here.
    """

    people: Mapping[int, PersonView]
    cards: Mapping[int, Mapping[str, CardView]]
    ended: Mapping[int, Mapping[str, date]]
    contacts: Mapping[int, Sequence[KnownContact]]
    last_said: Mapping[int, LastSaid]


def standing_of(uow: UnitOfWork, person_ids: Iterable[int]) -> Registered:
    """Return what is registered of these people, and what the last sheet said."""
    ids = list(person_ids)
    return Registered(
        people.by_id(uow.tx, ids),
        cards.current_of_people(uow.tx, ids),
        cards.retired_ends_of_people(uow.tx, ids),
        contacts.known_of_people(uow.tx, ids),
        sheet_memory.of_people(uow.tx, ids),
    )


@dataclass(frozen=True)
class RowChange:
    """A change that saving a row makes.

    `field`: as a column names it, the channel of a contact that is added or replaced, or "consent". `was` is None if
    there was nothing.
    """

    field: str
    was: str | date | None
    becomes: str | date


@dataclass
class Merged:
    """What a row changes of a person.

    `cards`: the new ends, by kind. `contacts`: those to add, with the contact that each replaces, None for an
    additional one. `consents`: contacts whose owner has agreed, as the row says. `takes_days`: the cards that the row
    names get its days of reminders. `findings`: questions, and what stays as it is here.
    """

    words: PersonChanges = field(default_factory=PersonChanges)
    cards: dict[str, date] = field(default_factory=dict)
    contacts: list[tuple[ResidentContact, int | None]] = field(default_factory=list)
    consents: list[int] = field(default_factory=list)
    takes_days: bool = False
    findings: list[Finding] = field(default_factory=list)
    changes: list[RowChange] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is changed."""
        return not (self.changes or self.contacts or self.consents)


def merge(
    uow: UnitOfWork,
    standing: Registered,
    person: PersonView,
    resident: Resident,
    places: Mapping[str, int],
    *,
    keeps: bool = False,
) -> Merged:
    """Return what a row changes of a person. `places`: the columns, by field.

    `keeps`: where the row asks, what is registered stays. Otherwise the sheet's value is among the changes, and the
    question among the findings.
    """
    return _Merge(uow, standing, person, resident, places, keeps=keeps).made()


class _Merge:
    def __init__(
        self,
        uow: UnitOfWork,
        standing: Registered,
        person: PersonView,
        resident: Resident,
        places: Mapping[str, int],
        *,
        keeps: bool,
    ) -> None:
        self._uow, self._person, self._resident, self._places, self._keeps = uow, person, resident, places, keeps
        self._cards = standing.cards.get(person.id, {})
        self._ended = standing.ended.get(person.id, {})
        self._contacts = standing.contacts.get(person.id, ())
        self._before = standing.last_said.get(person.id)
        self._found = Merged()

    def made(self) -> Merged:
        words = dict(self._words())
        self._found.words = PersonChanges(**words)  # type: ignore[arg-type]  # of a field its own type
        for kind, end in self._resident.cards.items():
            self._card(kind, end)
        self._own_days()
        for name, contact in contact_fields(self._resident):
            self._contact(name, contact)
        return self._found

    def _said(self, name: str, value: str) -> bool | None:
        return None if self._before is None else self._before.said(self._uow.keys, name, value)

    def _say(self, code: str, level: Level, name: str, **details: str | int) -> None:
        self._found.findings.append(Finding(code, level, self._places.get(name), details or None))

    def _asks(self, code: str, name: str, **details: str | int) -> bool:
        """Ask, and return whether the sheet's value is taken if nobody says otherwise."""
        assert code in WHICH
        self._say(code, Level.CONFIRM, name, **details)
        return not self._keeps

    def _verdict(self, name: str, theirs: str, ours: str | None) -> Verdict:
        return sheet_merge.verdict(
            is_equal=ours == theirs,
            sheet_as_before=self._said(name, theirs),
            ours_as_before=None if ours is None else self._said(name, ours),
        )

    def _words(self) -> Iterator[tuple[str, object]]:
        for name in _WORDS:
            theirs, ours = getattr(self._resident, name), getattr(self._person, name)
            if not theirs:
                continue
            found = self._verdict(name, str(theirs), None if ours is None else str(ours))
            place = "name" if name == "label" and "label" not in self._places else name
            if found is Verdict.KEEP:
                self._say("kept_ours", Level.NOTE, place, ours=str(ours or "-"))
            if found is Verdict.ASK and not self._asks(
                "changed_on_both", place, ours=str(ours or "-"), theirs=str(theirs)
            ):
                continue
            if found in (Verdict.TAKE, Verdict.ASK):
                self._found.changes.append(RowChange(name, ours, theirs))
                yield name, theirs

    def _card(self, kind: str, end: date) -> None:
        name, card = CARD + kind, self._cards.get(kind)
        ours = None if card is None else card.expires_on
        ended = self._ended.get(kind) if card is None else None
        found = self._verdict(name, end.isoformat(), None if ours is None else ours.isoformat())
        if found is Verdict.SAME:
            return
        if found is Verdict.KEEP:
            self._say("kept_ours", Level.NOTE, name, ours="-" if ours is None else ours.isoformat())
            return
        if ended is not None:
            is_taken = self._asks("was_ended", name, ours=ended.isoformat(), theirs=end.isoformat())
        elif found is Verdict.ASK:
            said = "-" if ours is None else ours.isoformat()
            is_taken = self._asks("changed_on_both", name, ours=said, theirs=end.isoformat())
        else:
            is_taken = self._is_plausible(kind, ours, end)
        if is_taken:
            self._found.cards[kind] = end
            self._found.changes.append(RowChange(name, ours, end))

    def _own_days(self) -> None:
        """Compare the days of reminders that the row gives for all its cards with those of the registered ones."""
        theirs = kept_form(self._resident.own_days)
        ours = {kind: self._cards[kind].own_days for kind in self._resident.cards if kind in self._cards}
        if not theirs or not ours:
            return
        shown = next((one for one in sorted(ours.values()) if one != theirs), theirs)
        found = {self._verdict(_days_of(kind), theirs, one) for kind, one in ours.items()}
        if Verdict.KEEP in found:
            self._say("kept_ours", Level.NOTE, _DAYS, ours=shown or "-")
        takes = Verdict.TAKE in found
        if Verdict.ASK in found:
            takes = self._asks("changed_on_both", _DAYS, ours=shown or "-", theirs=theirs)
        if takes:
            self._found.takes_days = True
            self._found.changes.append(RowChange(_DAYS, shown or None, theirs))

    def _is_plausible(self, kind: str, ours: date | None, end: date) -> bool:
        others = {other: card.expires_on for other, card in self._cards.items()}
        odd = sheet_merge.odd_date(
            self._uow.rules.kinds,
            kind,
            ours,
            end,
            others=others,
            sheet=self._resident.cards,
            today=self._uow.today,
        )
        if odd is None:
            return True
        said: dict[str, str | int] = {"theirs": end.isoformat()}
        if ours is not None:
            said["ours"] = ours.isoformat()
        if odd.other:
            said["kind"] = odd.other
        return self._asks(odd.code, CARD + kind, **said)

    def _contact(self, name: str, contact: ResidentContact) -> None:
        known = _same_contact(self._uow.keys, self._contacts, contact)
        as_before = self._said(name, contact.address)
        if known is not None:
            self._consent(known, is_new=as_before is not True)
            return
        if as_before is True:
            # It was removed here, or corrected.
            self._note(contact, "contact_kept_off", Level.NOTE)
            return
        shown = addresses.shown(contact.address)
        if as_before is None:
            self._found.contacts.append((contact, None))
            self._found.changes.append(RowChange(contact.channel, None, shown))
            return
        old = self._as_last_saved(name, contact)
        if old is None or not self._is_of_the_sheet(name, old):
            beside = old or next((one for one in self._opened() if _is_alike(one, contact)), None)
            ours = "-" if beside is None else addresses.shown(beside.address)
            self._note(contact, "changed_on_both", Level.CONFIRM, ours=ours, theirs=shown)
            if not self._keeps:
                self._found.contacts.append((contact, None))
                self._found.changes.append(RowChange(contact.channel, None, shown))
            return
        self._note(contact, "contact_replaced", Level.NOTE, ours=addresses.shown(old.address), theirs=shown)
        self._found.contacts.append((contact, old.id))
        self._found.changes.append(RowChange(contact.channel, addresses.shown(old.address), shown))

    def _note(self, contact: ResidentContact, code: str, level: Level, **details: str | int) -> None:
        self._found.findings.append(Finding(code, level, contact.place, details or None))

    def _opened(self) -> list[ContactView]:
        return contacts.of_person(self._uow.tx, self._uow.keys, self._person.id)

    def _as_last_saved(self, name: str, contact: ResidentContact) -> ContactView | None:
        """Return the contact that the sheet named in this column when it was last saved."""
        return next(
            (one for one in self._opened() if _is_alike(one, contact) and self._said(name, one.address)),
            None,
        )

    def _is_of_the_sheet(self, name: str, old: ContactView) -> bool:
        """Return whether nobody but the sheet stands for a contact.

        One that somebody has entered here, or whose owner has agreed by their own answer, is never replaced.
        """
        known = next((one for one in self._contacts if one.id == old.id), None)
        by_answer = known is not None and known.consent_how is ConsentHow.REPLY
        return not by_answer and self._said(_MADE + name, str(old.id)) is True

    def _consent(self, known: KnownContact, *, is_new: bool) -> None:
        """Record a consent that the row has and that is not recorded yet. A "no" is never overwritten here."""
        said = consent_text(self._resident)
        if said is None or known.state is not ContactState.UNCONFIRMED:
            return
        # A consent that the sheet had before was taken, or was refused, when it was saved.
        if self._said(_CONSENT, said) is True and not is_new:
            return
        assert self._resident.consent is not None
        self._found.consents.append(known.id)
        self._found.changes.append(RowChange(_CONSENT, None, self._resident.consent.on))


def _is_alike(one: ContactView, contact: ResidentContact) -> bool:
    return (one.channel, one.is_family) == (contact.channel, contact.is_family)


def _same_contact(keys: KeyRing, known: Sequence[KnownContact], contact: ResidentContact) -> KnownContact | None:
    indexes = address_indexes(keys, contact.address) if known else ()
    return next((one for one in known if one.channel == contact.channel and one.index in indexes), None)


def has_contact(keys: KeyRing, standing: Registered, person_id: int, contact: ResidentContact) -> bool:
    """Return whether a person has this contact already."""
    return _same_contact(keys, standing.contacts.get(person_id, ()), contact) is not None


def contact_fields(resident: Resident) -> Iterator[tuple[str, ResidentContact]]:
    """Yield the contacts of a row with the names by which they are kept."""
    times: dict[str, int] = {}
    for contact in resident.contacts:
        name = f"{'family' if contact.is_family else 'own'}:{contact.channel}"
        times[name] = times.get(name, 0) + 1
        yield (name if times[name] == 1 else f"{name}:{times[name]}"), contact


def consent_text(resident: Resident) -> str | None:
    """Return a consent in the words by which it is kept."""
    return None if resident.consent is None else f"{resident.consent.how} {resident.consent.on.isoformat()}"


def cells_of(resident: Resident, made: Mapping[str, int] | None = None) -> dict[str, str]:
    """Return what a row says, by the names under which it is kept.

    `made`: by the name of a contact, the id under which this sheet has registered it.
    """
    said = {name: getattr(resident, name) for name in _WORDS}
    found = {name: str(value) for name, value in said.items() if value}
    found |= {CARD + kind: end.isoformat() for kind, end in resident.cards.items()}
    if resident.own_days:
        found |= dict.fromkeys(map(_days_of, resident.cards), kept_form(resident.own_days))
    found |= {name: contact.address for name, contact in contact_fields(resident)}
    consent = consent_text(resident)
    if consent is not None:
        found[_CONSENT] = consent
    return found | {_MADE + name: str(contact_id) for name, contact_id in (made or {}).items()}


def _days_of(kind: str) -> str:
    """Return the name under which the days of reminders are kept that a row gave a card: each has its own."""
    return f"{_DAYS}:{kind}"


# Questions of the reader about one cell: once they are answered, they are not asked again while the cell is the same.
_OF_A_CELL = frozenset({"date_past", "date_era_over", "date_with_note", "outlives_carrier"})


def without_settled(
    keys: KeyRing,
    last_said: LastSaid | None,
    resident: Resident,
    fields: Mapping[int, str],
    findings: Sequence[Finding],
) -> list[Finding]:
    """Return the findings; those about a cell that was saved before as it stands are notes. `fields`: by place."""
    if last_said is None:
        return list(findings)
    said = cells_of(resident)

    def is_settled(one: Finding) -> bool:
        name = fields.get(-1 if one.place is None else one.place, "")
        asks = one.level is Level.CONFIRM and one.code in _OF_A_CELL
        return asks and name in said and last_said.said(keys, name, said[name]) is True

    return [replace(one, level=Level.NOTE) if is_settled(one) else one for one in findings]
