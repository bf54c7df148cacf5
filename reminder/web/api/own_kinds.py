"""A group's own kinds of cards in the API. A card of such a kind is registered under its name: `own:7`."""

from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter
from pydantic import BeforeValidator, ConfigDict, Field

from reminder.domain.model.card_kinds import RenewalPlace
from reminder.domain.model.own_kinds import FURTHEST_OPENING, LONGEST_LEAD, LONGEST_NAME
from reminder.enrolment import own_kinds as enrolment
from reminder.enrolment.own_kinds import OwnKindDraft
from reminder.storage.auth import authorized
from reminder.storage.registry import own_kinds
from reminder.storage.registry.own_kinds import OwnKindView
from reminder.web.api.cards import OwnDays
from reminder.web.api.operation import PREFIX, Changes, Operation, Sees
from reminder.web.api.shapes import GUARDED, Id, In, Out, whole
from reminder.web.declared import declares

router = APIRouter(prefix=PREFIX, tags=["own-kinds"], route_class=Operation)


class WhoMayGo(StrEnum):
    """Who may go in the holder's place."""

    ANYBODY = "anybody"
    RELATIVES = "relatives"
    NOBODY = "nobody"


class OwnKindIn(In):
    """A kind of card of the group's own; `place`: where it is done; `stand_in`: who may go for the holder."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"name": "プール会員証", "place": "shop", "opens_days": 30, "lead_days": 7, "stand_in": "anybody"}
            ]
        }
    )
    name: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME), GUARDED]
    place: Annotated[RenewalPlace, Field(strict=False)] = RenewalPlace.ISSUER
    opens_days: Annotated[
        int | None,
        Field(ge=1, le=FURTHEST_OPENING, description="From how many days before its end it can be done."),
        BeforeValidator(whole),
    ] = None
    lead_days: Annotated[
        int, Field(ge=0, le=LONGEST_LEAD, description="Days until the new one is there."), BeforeValidator(whole)
    ] = 0
    stand_in: Annotated[WhoMayGo, Field(strict=False)] = WhoMayGo.ANYBODY
    days: OwnDays = []  # noqa: RUF012  # pydantic copies it

    def draft(self) -> OwnKindDraft:
        """Return the kind for the use case."""
        return OwnKindDraft(self.name, self.place, self.opens_days, self.lead_days, self.stand_in, tuple(self.days))


class OwnKindOut(Out):
    """A kind of the group's own; `kind`: how a card of it is registered, `cards`: how many current ones there are."""

    id: int
    kind: str
    name: str
    place: RenewalPlace
    opens_days: int | None
    lead_days: int
    stand_in: WhoMayGo
    days: list[int]
    cards: int


class OwnKindsOut(Out):
    """All kinds of the group's own."""

    items: list[OwnKindOut]


@router.get("/own-kinds")
def list_own_kinds(caller: Sees) -> OwnKindsOut:
    """List the group's own kinds of cards."""
    with caller.reading() as uow:
        authorized.group(uow.tx, caller.who)
        counts = own_kinds.counts(uow.tx, caller.who.group_id)
        return OwnKindsOut(items=[_shown(one, counts) for one in own_kinds.of_group(uow.tx, caller.who.group_id)])


@router.post("/own-kinds", status_code=201)
@declares(logs=["own_kind_added"])
def add_own_kind(caller: Changes, given: OwnKindIn) -> OwnKindOut:
    """Add a kind of card to the group."""
    with caller.writing() as uow:
        authorized.group(uow.tx, caller.who)
        group_id, by = caller.who.group_id, caller.who.member_id
        return _shown(enrolment.add_own_kind(uow, group_id=group_id, wanted=given.draft(), by=by), {})


@router.post("/own-kinds/{kind_id}")
@declares(logs=["own_kind_changed"])
def change_own_kind(caller: Changes, kind_id: Id, given: OwnKindIn) -> OwnKindOut:
    """Replace the name and the facts of a kind. All its cards are called and planned by the new ones."""
    with caller.writing() as uow:
        authorized.group(uow.tx, caller.who)
        group_id, by = caller.who.group_id, caller.who.member_id
        kind = enrolment.change_own_kind(uow, group_id=group_id, kind_id=kind_id, wanted=given.draft(), by=by)
        return _shown(kind, own_kinds.counts(uow.tx, group_id))


@router.delete("/own-kinds/{kind_id}", status_code=204)
@declares(logs=["own_kind_removed"])
def remove_own_kind(caller: Changes, kind_id: Id) -> None:
    """Remove a kind. While a current card is of it, that is refused."""
    with caller.writing() as uow:
        authorized.group(uow.tx, caller.who)
        group_id, by = caller.who.group_id, caller.who.member_id
        enrolment.remove_own_kind(uow, group_id=group_id, kind_id=kind_id, by=by)


def _shown(kind: OwnKindView, counts: dict[str, int]) -> OwnKindOut:
    return OwnKindOut(
        id=kind.id,
        kind=kind.public_name,
        name=kind.name,
        place=kind.facts.place,
        opens_days=kind.facts.opens_days,
        lead_days=kind.facts.lead_days,
        stand_in=WhoMayGo(kind.facts.stand_in),
        days=list(kind.facts.own_days),
        cards=counts.get(kind.public_name, 0),
    )
