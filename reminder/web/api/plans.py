"""Plans in the API: every future text about a card, registered or not, with its day, hour and words."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter
from pydantic import ConfigDict, Field

from reminder.domain.model.people import Audience, ContactState
from reminder.enrolment import cards as enrolment
from reminder.enrolment.cards import NewCard
from reminder.errors import ConflictError
from reminder.planning.forecast import ForecastCard, PlannedText, forecast
from reminder.storage.auth import authorized
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.registry.people import PersonView
from reminder.web.api.cards import CardIn
from reminder.web.api.operation import PREFIX, Operation, Sees
from reminder.web.api.problems import refusals
from reminder.web.api.shapes import Channel, Id, IdIn, Instant, Out
from reminder.web.declared import declares

router = APIRouter(prefix=PREFIX, tags=["plans"], route_class=Operation)


class PlanIn(CardIn):
    """A card as it would be registered for a person; nothing is stored."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"person_id": 1, "kind": "mynumber_user_certificate", "expires": "令和9年3月31日"}]
        }
    )
    person_id: IdIn


class PlannedOut(Out):
    """A future text."""

    step: str
    on: date
    send_at: Instant
    audience: Audience
    channel: Channel
    contact_id: int
    subject: str | None
    text: str
    segments: Annotated[int, Field(description="How many SMS it is billed as; 0 for an e-mail.")]


class WaitingOut(Out):
    """A contact that gets nothing, and why."""

    contact_id: int
    state: ContactState


class PlanOut(Out):
    """The future texts about a card, in order of `send_at`, if nobody answers and nothing changes."""

    person_id: int
    kind: str
    label: str | None
    expires_on: date
    computed: bool
    opens_on: date | None
    last_counter_day: date
    grace_ends_on: date | None
    items: list[PlannedOut]
    waiting: list[WaitingOut]


@router.get("/cards/{card_id}/plan", responses=refusals(409))
def get_plan(caller: Sees, card_id: Id) -> PlanOut:
    """Get every future text about a card."""
    with caller.reading() as uow:
        card, person = authorized.card(uow.tx, caller.who, card_id)
        if card.retired_at is not None or card.kind not in uow.rules.kinds:
            raise ConflictError("card_retired", field="card")
        kept = ForecastCard(
            card.kind, card.expires_on, is_computed=card.is_computed, label=card.label or None, card_id=card.id
        )
        return _plan(uow, person, kept)


@router.post("/plans", responses=refusals(404))
@declares()
def plan_card(caller: Sees, given: PlanIn) -> PlanOut:
    """Get every future text about a card before it is registered. Nothing is stored."""
    wanted = NewCard(given.kind, given.typed(), given.label)
    with caller.reading() as uow:
        person = authorized.person(uow.tx, caller.who, given.person_id)
        draft = enrolment.draft(uow, person_id=person.id, wanted=wanted, confirmed=given.confirmed)
        card = ForecastCard(draft.kind, draft.expires_on, is_computed=draft.is_computed, label=draft.label or None)
        return _plan(uow, person, card)


def _plan(uow: UnitOfWork, person: PersonView, card: ForecastCard) -> PlanOut:
    found = forecast(uow, person=person, card=card)
    return PlanOut(
        person_id=person.id,
        kind=card.kind,
        label=card.label,
        expires_on=card.expires_on,
        computed=card.is_computed,
        opens_on=found.dates.opens_on,
        last_counter_day=found.dates.last_counter_day,
        grace_ends_on=found.dates.grace_ends_on,
        items=[_shown(row) for row in found.texts],
        waiting=[WaitingOut(contact_id=contact_id, state=state) for contact_id, state in found.waiting],
    )


def _shown(row: PlannedText) -> PlannedOut:
    return PlannedOut(
        step=row.step,
        on=row.on,
        send_at=row.send_at,
        audience=row.audience,
        channel=row.channel,
        contact_id=row.contact_id,
        subject=row.subject,
        text=row.text,
        segments=row.segments,
    )
