"""Cards in the API: the dates at which they end. A card's number is never accepted."""

from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter
from pydantic import BeforeValidator, ConfigDict, Field

from reminder.domain.model.card_states import NOT_BEGUN, CardState, EndReason
from reminder.domain.model.own_kinds import public_name
from reminder.domain.parsing.days_before import MOST_DAYS, days_of
from reminder.domain.rulebook import Rulebook
from reminder.domain.rules.next_step import NextAct, next_step
from reminder.domain.rules.schedule_model import CardDates
from reminder.enrolment import card_acts, card_days
from reminder.enrolment import cards as enrolment
from reminder.enrolment.card_acts import CardAct
from reminder.enrolment.cards import CardAdded, TypedDates
from reminder.storage.auth import authorized
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.registry import card_lives, cards
from reminder.storage.registry.cards import CardView
from reminder.storage.registry.people import PersonView
from reminder.upkeep.privacy import erasure
from reminder.web.api.operation import PREFIX, Caller, Changes, Operation, Owns, Sees
from reminder.web.api.shapes import GUARDED, Id, IdIn, In, Instant, Listed, Out, Paged, TypedDate, part, whole_numbers
from reminder.web.declared import declares

LOGGED_ACTS = ("card_applied", "card_ready", "card_booked", "card_unbooked", "card_retired", "card_taken_back")
router = APIRouter(prefix=PREFIX, tags=["cards"], route_class=Operation)

Kind = Annotated[str, Field(min_length=1, max_length=40, description="One of `GET /kinds`."), GUARDED]
CardLabel = Annotated[
    str, Field(min_length=1, max_length=16, description="For the kind `other`: what its owner calls it."), GUARDED
]

OwnDays = Annotated[
    list[int],
    Field(max_length=MOST_DAYS, description="Days before the end to be reminded on, in place of the group's."),
    BeforeValidator(whole_numbers),
]


class DatesIn(In):
    """The dates of a card as people type them.

    `issued` and `born` are used and dropped: without `expires` the end is worked out from them, with it they are only
    compared with it.
    """

    expires: Annotated[TypedDate | None, Field(description="The last valid day: 令和11年2月20日, 2029-02-20.")] = None
    issued: Annotated[TypedDate | None, Field(description="The day of issue. Not kept.")] = None
    born: Annotated[TypedDate | None, Field(description="The holder's birth date. Not kept.")] = None
    computed: Annotated[bool, Field(description="`expires` was worked out, not read from the card.")] = False
    confirmed: Annotated[bool, Field(description="Take a date that is past, far ahead or unlikely.")] = False

    def typed(self) -> TypedDates:
        """Return the dates for the use case."""
        return TypedDates(self.expires, self.issued, self.born, is_computed=self.computed)


class CardIn(DatesIn):
    """A new card. It has a kind and an end; never a number."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"kind": "mynumber_user_certificate", "expires": "令和9年3月31日"}]}
    )
    kind: Kind
    label: CardLabel | None = None
    days: OwnDays = []  # noqa: RUF012  # pydantic copies it


class RenewedIn(DatesIn):
    """The new date of a card that was renewed."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"expires": "令和14年3月31日"}]})


class AssignIn(In):
    """The contact of the human who takes the card on, a relative or a member."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"contact_id": 1}]})
    contact_id: IdIn


class ShownCardState(StrEnum):
    """The state of a card."""

    CURRENT = "current"
    DONE = "done"
    RETIRED = "retired"


class DaysIn(In):
    """The days before its end on which a card is reminded of; none: those of its group."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"days": [60, 30, 7]}]})
    days: OwnDays


class CardOut(Out):
    """A card and the days that matter.

    `state`: `done` is renewed, its new date not known yet. `assigned_to`: the contact of the human who takes care of
    it. `days`: its own days before the end, none where it is reminded of on those of its group.
    """

    id: int
    person_id: int
    kind: str
    label: str | None
    expires_on: date
    computed: bool
    state: ShownCardState
    opens_on: date | None
    last_counter_day: date | None
    grace_ends_on: date | None
    next_reminder_on: date | None
    carried_by: int | None
    assigned_to: int | None
    renewed_at: Instant | None
    days: list[int]


class ActIn(In):
    """An act on a card; `day` is by when it is expected, until when it is kept, or that of the appointment."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"act": "apply", "day": "2027-02-10"}]})
    act: Annotated[CardAct, Field(strict=False)]
    day: TypedDate | None = None
    reason: Annotated[
        EndReason | None, Field(strict=False, description="With `end`: why it is reminded of no more.")
    ] = None


class LifeOut(Out):
    """How far a card is for its present end, and what is to be done next until or from `next_on`.

    `begin_by`: the latest day to begin. `taken_back_until`: until when `step_back` undoes the last act.
    """

    card_id: int
    state: CardState
    next: NextAct | None
    next_on: date | None
    begin_by: date | None
    expected_by: date | None
    collect_by: date | None
    appointment_on: date | None
    reason: EndReason | None
    taken_back_until: Instant | None


class OfferOut(Out):
    """A card that belongs to this one and is not registered yet, with its end if that is known."""

    kind: str
    expires_on: date | None


class AskOut(Out):
    """A card that depended on the renewed one: its new date is asked for."""

    card_id: int
    kind: str
    expires_on: date


class CardKeptOut(CardOut):
    """A card that was registered or renewed, with what to register or to ask for next."""

    offers: list[OfferOut]
    asks: list[AskOut]


@router.get("/people/{person_id}/cards")
def list_cards(caller: Sees, person_id: Id, page: Paged) -> Listed[CardOut]:
    """List a person's cards, also those that are retired."""
    with caller.reading() as uow:
        person = authorized.person(uow.tx, caller.who, person_id)
        found = cards.some_of_person(uow.tx, person_id, after=page.after, limit=page.limit + 1)
        rows, after = part(found, page.limit)
        return Listed(items=_shown(uow, rows, person), next=after)


@router.post("/people/{person_id}/cards", status_code=201)
@declares(logs=["card_added"])
def add_card(caller: Changes, person_id: Id, given: CardIn) -> CardKeptOut:
    """Add a card or certificate with its end date. A date that is past, far ahead or unlikely needs a confirmation."""
    with caller.writing() as uow:
        authorized.person(uow.tx, caller.who, person_id)
        added = enrolment.add_card(
            uow,
            person_id=person_id,
            kind=given.kind,
            typed=given.typed(),
            label=given.label,
            own_days=tuple(given.days),
            confirmed=given.confirmed,
            by=caller.who.member_id,
        )
        return _kept(uow, caller, added)


@router.get("/cards/{card_id}")
def get_card(caller: Sees, card_id: Id) -> CardOut:
    """Get one card."""
    with caller.reading() as uow:
        return _look_up(uow, caller, card_id)


@router.delete("/cards/{card_id}", status_code=204)
@declares(logs=["card_erased"])
def erase_card(caller: Owns, card_id: Id) -> None:
    """Erase a card and its reminders. This cannot be undone; `retire` keeps its history."""
    with caller.reading() as uow:
        authorized.card(uow.tx, caller.who, card_id)
    erasure.erase_card(caller.app.units, caller.app.clock.now(), card_id=card_id, by=caller.who.member_id)


@router.post("/cards/{card_id}/renew")
@declares(logs=["card_renewed"])
def renew_card(caller: Changes, card_id: Id, given: RenewedIn) -> CardKeptOut:
    """Give the card its new date: a fresh plan, and no more reminders about the old one."""
    with caller.writing() as uow:
        authorized.card(uow.tx, caller.who, card_id)
        renewed = enrolment.renew_card(
            uow,
            card_id=card_id,
            typed=given.typed(),
            confirmed=given.confirmed,
            by=caller.who.member_id,
        )
        return _kept(uow, caller, renewed)


@router.post("/cards/{card_id}/acknowledge")
@declares(logs=["card_acknowledged"])
def acknowledge_card(caller: Changes, card_id: Id) -> CardOut:
    """Record that it is renewed but its new date is unknown: no reminders; the date is asked for every fortnight."""
    with caller.writing() as uow:
        authorized.card(uow.tx, caller.who, card_id)
        enrolment.acknowledge_card(uow, card_id=card_id, by=caller.who.member_id)
        return _look_up(uow, caller, card_id)


@router.post("/cards/{card_id}/reopen")
@declares(logs=["card_reopened"])
def reopen_card(caller: Changes, card_id: Id) -> CardOut:
    """Record that it was not renewed after all: reminders continue."""
    with caller.writing() as uow:
        authorized.card(uow.tx, caller.who, card_id)
        enrolment.reopen_card(uow, card_id=card_id, by=caller.who.member_id)
        return _look_up(uow, caller, card_id)


@router.post("/cards/{card_id}/assign")
@declares(logs=["card_assigned"])
def assign_card(caller: Changes, card_id: Id, given: AssignIn) -> CardOut:
    """Assign the card to somebody of the family or the home: the others are not asked any more."""
    with caller.writing() as uow:
        authorized.card(uow.tx, caller.who, card_id)
        authorized.contact(uow.tx, uow.keys, caller.who, given.contact_id)
        enrolment.assign_card(uow, card_id=card_id, contact_id=given.contact_id, by=caller.who.member_id)
        return _look_up(uow, caller, card_id)


@router.post("/cards/{card_id}/days")
@declares(logs=["card_days_changed"])
def set_days(caller: Changes, card_id: Id, given: DaysIn) -> CardOut:
    """Set the days before its end on which the card is reminded of. An empty list: those of its group again."""
    with caller.writing() as uow:
        authorized.card(uow.tx, caller.who, card_id)
        card_days.set_card_days(uow, card_id=card_id, own_days=given.days, by=caller.who.member_id)
        return _look_up(uow, caller, card_id)


@router.post("/cards/{card_id}/retire")
@declares(logs=["card_retired"])
def retire_card(caller: Changes, card_id: Id) -> CardOut:
    """Retire a card: it is not reminded of any more; its history stays."""
    with caller.writing() as uow:
        authorized.card(uow.tx, caller.who, card_id)
        enrolment.retire_card(uow, card_id=card_id, by=caller.who.member_id)
        return _look_up(uow, caller, card_id)


@router.get("/cards/{card_id}/life")
def get_life(caller: Sees, card_id: Id) -> LifeOut:
    """Get how far a card is: what is to be done next and by when, and what was done for its present end."""
    with caller.reading() as uow:
        return _life(uow, caller, card_id)


@router.post("/cards/{card_id}/life")
@declares(logs=LOGGED_ACTS)
def act_on_card(caller: Changes, card_id: Id, given: ActIn) -> LifeOut:
    """Record that somebody has applied, that it can be collected, an appointment (without `day`: none), or an end.

    `step_back` undoes the last act, also a renewal, within 24 hours.
    """
    with caller.writing() as uow:
        authorized.card(uow.tx, caller.who, card_id)
        card_acts.act_on_card(
            uow, card_id=card_id, act=given.act, day=given.day, reason=given.reason, by=caller.who.member_id
        )
        return _life(uow, caller, card_id)


def _life(uow: UnitOfWork, caller: Caller, card_id: int) -> LifeOut:
    card, person = authorized.card(uow.tx, caller.who, card_id)
    life, last = card_lives.of_cards(uow.tx, [card_id]).get(card_id), card_lives.last_of(uow.tx, card_id)
    ends = cards.ends_of_people(uow.tx, [person.id])[person.id]
    carriers = cards.ends_of(uow.tx, [card.carried_by] if card.carried_by is not None else [])
    days = _days(uow.rules, card, person, carriers.get(card.carried_by or 0), ends)
    how_far = NOT_BEGUN if life is None else life.days
    step = next_step(days, card.acknowledged_on, uow.today, how_far) if days and card.retired_at is None else None
    return LifeOut(
        card_id=card_id,
        state=CardState.DONE if card.acknowledged_on is not None and card.retired_at is None else how_far.state,
        next=step.act if step else None,
        next_on=step.day if step else None,
        begin_by=days.begin_by if days else None,
        expected_by=how_far.expected_by,
        collect_by=how_far.collect_by,
        appointment_on=how_far.appointment_on,
        reason=life.reason if life else None,
        taken_back_until=card_acts.taken_back_until(last, uow.now),
    )


def _look_up(uow: UnitOfWork, caller: Caller, card_id: int) -> CardOut:
    """Return the card. Raises NotFoundError for a card of another group."""
    card, person = authorized.card(uow.tx, caller.who, card_id)
    return _shown(uow, [card], person)[0]


def _kept(uow: UnitOfWork, caller: Caller, kept: CardAdded) -> CardKeptOut:
    return CardKeptOut(
        **_look_up(uow, caller, kept.id).model_dump(),
        offers=[OfferOut(kind=offer.kind, expires_on=offer.expires_on) for offer in kept.offers],
        asks=[AskOut(card_id=one.id, kind=public_name(one.kind), expires_on=one.expires_on) for one in kept.asks],
    )


def _shown(uow: UnitOfWork, found: Sequence[CardView], person: PersonView) -> list[CardOut]:
    ends = cards.ends_of_people(uow.tx, [person.id])[person.id]
    carriers = cards.ends_of(uow.tx, {card.carried_by for card in found if card.carried_by is not None})
    takers = cards.assignees(uow.tx, [card.id for card in found])
    rows = []
    for card in found:
        carrier_ends_on = None if card.carried_by is None else carriers.get(card.carried_by)
        days = _days(uow.rules, card, person, carrier_ends_on, ends)
        done = ShownCardState.DONE if card.acknowledged_on is not None else ShownCardState.CURRENT
        rows.append(
            CardOut(
                id=card.id,
                person_id=card.person_id,
                kind=public_name(card.kind),
                label=card.label or None,
                expires_on=card.expires_on,
                computed=card.is_computed,
                state=ShownCardState.RETIRED if card.retired_at is not None else done,
                opens_on=days.opens_on if days else None,
                last_counter_day=days.last_counter_day if days else None,
                grace_ends_on=days.grace_ends_on if days else None,
                next_reminder_on=card.next_reminder_on,
                carried_by=card.carried_by,
                assigned_to=takers.get(card.id),
                renewed_at=card.renewed_at,
                days=list(days_of(card.own_days)),
            )
        )
    return rows


def _days(
    rules: Rulebook, card: CardView, person: PersonView, carrier_ends_on: date | None, ends: dict[str, date]
) -> CardDates | None:
    """Return the dates that matter, or None for a kind that config/ no longer has."""
    if card.kind not in rules.kinds:
        return None
    days, _ = rules.plan(
        card.kind,
        card.expires_on,
        person.mode,
        insurance=person.insurance,
        carrier_ends_on=carrier_ends_on,
        is_bound=rules.is_bound(card.kind, card.expires_on, ends),
    )
    return days
