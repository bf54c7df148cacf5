"""Plans by the API: every text that would be sent of a card, registered or not, with its day, hour and words."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter
from pydantic import ConfigDict, Field

from reminder.clock import japan_date
from reminder.domain.people import Audience, ChannelName
from reminder.enrolment import cards as enrolment
from reminder.enrolment.cards import NewCard
from reminder.errors import ConflictError
from reminder.planning.preview import Preview, PreviewedCard, Sample, preview
from reminder.storage import cards, owned
from reminder.storage.people import PersonView
from reminder.web.api.cards import CardIn
from reminder.web.api.operation import Caller, Operation, Sees
from reminder.web.api.problems import refusals
from reminder.web.api.shapes import Id, IdIn, Instant, Out

router = APIRouter(tags=["plans"], route_class=Operation)


class PlanIn(CardIn):
    """A card as it would be registered for a person; nothing is kept."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"person_id": 1, "kind": "mynumber_user_certificate", "expires": "令和9年3月31日"}]
        }
    )
    person_id: IdIn


class PlannedOut(Out):
    """One text to come. `contact_id` is null where nobody can be told yet."""

    rung: str
    on: date
    send_at: Instant
    audience: Audience
    channel: ChannelName
    contact_id: int | None
    subject: str | None
    text: str
    segments: Annotated[int, Field(description="How many SMS it is billed as; 0 for an e-mail.")]


class PlanOut(Out):
    """What would be told of a card, in order of `send_at`, if nothing changed."""

    person_id: int
    kind: str
    label: str | None
    expires_on: date
    computed: bool
    items: list[PlannedOut]


@router.get("/cards/{card_id}/plan", responses=refusals(409))
def get_plan(caller: Sees, card_id: Id) -> PlanOut:
    """Every text to come of a card."""
    with caller.app.database.reading() as tx:
        card, person = owned.card(tx, caller.who, card_id)
    if card.retired_at is not None or card.kind not in caller.app.rules.kinds:
        raise ConflictError("card_retired", field="card")
    return _plan(caller, person, card.kind, card.label, card.expires_on, is_computed=card.is_computed)


@router.post("/plans", responses=refusals(404))
def plan_card(caller: Sees, given: PlanIn) -> PlanOut:
    """Every text of a card before it is registered. Nothing is kept."""
    app = caller.app
    with app.database.reading() as tx:
        person = owned.person(tx, caller.who, given.person_id)
    wanted = NewCard(given.kind, given.typed(), given.label)
    draft = enrolment.draft(
        app.database, app.rules, app.clock.now(), person_id=person.id, wanted=wanted, confirmed=given.confirmed
    )
    return _plan(caller, person, draft.kind, draft.label, draft.expires_on, is_computed=draft.is_computed)


def _plan(caller: Caller, person: PersonView, kind: str, label: str, expires_on: date, *, is_computed: bool) -> PlanOut:
    app = caller.app
    with app.database.reading() as tx:
        ends = cards.ends_of_people(tx, [person.id])[person.id]
    is_bound = app.rules.is_bound(kind, expires_on, ends)
    told = preview(
        app.rules,
        PreviewedCard(kind, expires_on, computed=is_computed, label=label or None, bound=is_bound),
        mode=person.mode,
        language=person.language,
        today=japan_date(app.clock.now()),
        sample=Sample(label=person.label, mark=person.mark or "", office=person.office),
    )
    return PlanOut(
        person_id=person.id,
        kind=kind,
        label=label or None,
        expires_on=expires_on,
        computed=is_computed,
        items=[_shown(row) for row in told],
    )


def _shown(row: Preview) -> PlannedOut:
    return PlannedOut(
        rung=row.rung,
        on=row.on,
        send_at=row.send_at,
        audience=row.audience,
        channel=row.channel,
        contact_id=None,
        subject=row.subject,
        text=row.text,
        segments=row.segments,
    )
