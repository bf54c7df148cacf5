"""The group in the API: its name, its members, and its activity log."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import ConfigDict, Field

from reminder.domain.model.people import GroupKind, Role
from reminder.enrolment.identity import membership
from reminder.planning.reports.organisation import counts
from reminder.storage.auth import accounts, authorized
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.registry import contacts
from reminder.storage.runtime import activity_log
from reminder.web.api.contacts import ContactOut
from reminder.web.api.contacts import shown as contact_shown
from reminder.web.api.operation import PREFIX, Caller, Operation, Owns, Sees
from reminder.web.api.shapes import GUARDED, In, Instant, Listed, Out, Paged, part
from reminder.web.declared import declares

router = APIRouter(prefix=PREFIX, tags=["group"], route_class=Operation)


class GroupChange(In):
    """The new name of the group or of its organisation; what is left out stays as it is."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "田中家"}]})
    name: Annotated[str | None, Field(min_length=1, max_length=60), GUARDED] = None
    organisation: Annotated[str | None, Field(max_length=60), GUARDED] = None


class MemberOut(Out):
    """A member, who signs in. By one of their contacts they can be assigned a card; addresses are masked."""

    id: int
    name: str
    role: Role
    language: str
    contacts: list[ContactOut]


class GroupOut(Out):
    """A family or a care home."""

    id: int
    name: str
    kind: GroupKind
    organisation: str
    members: list[MemberOut]


class GroupCountsOut(Out):
    """The number of cards of this month and the next that need attention, and of persons who cannot be reached."""

    residents: int
    opens: int
    nears: int
    ended: int
    unanswered: int
    unreached: int


class EntryOut(Out):
    """An entry of the activity log, by ids only. `member_id`: by whom; null if nobody was signed in."""

    id: int
    at: Instant
    act: str
    member_id: int | None
    person_id: int | None
    contact_id: int | None
    card_id: int | None
    message_id: int | None


@router.get("/group")
def get_group(caller: Sees) -> GroupOut:
    """Get the group that the token belongs to, and its members."""
    with caller.reading() as uow:
        return _look_up(uow, caller)


@router.patch("/group")
@declares(logs=["group_changed"])
def rename_group(caller: Owns, given: GroupChange) -> GroupOut:
    """Change the name of the group, which its texts contain, or of its organisation."""
    who = caller.who
    with caller.writing() as uow:
        if given.name is not None:
            membership.rename_group(uow, who=who, name=given.name)
        if given.organisation is not None:
            membership.set_organisation(uow, group_id=who.group_id, organisation=given.organisation, by=who.member_id)
        return _look_up(uow, caller)


@router.get("/group/counts")
def get_counts(caller: Sees) -> GroupCountsOut:
    """Count what needs attention in this month and the next.

    A token sees one home; a program for several homes asks with the token of each.
    """
    with caller.reading() as uow:
        found = counts(uow, authorized.group(uow.tx, caller.who))
    return GroupCountsOut(**vars(found))


@router.get("/activity")
def list_activity(caller: Owns, page: Paged) -> Listed[EntryOut]:
    """List everything that was done in the group, oldest first."""
    with caller.reading() as uow:
        found = activity_log.some_of_group(uow.tx, caller.who.group_id, after=page.after, limit=page.limit + 1)
    rows, after = part(found, page.limit)
    return Listed(items=[EntryOut(**vars(row)) for row in rows], next=after)


def _look_up(uow: UnitOfWork, caller: Caller) -> GroupOut:
    group = authorized.group(uow.tx, caller.who)
    members = accounts.members(uow.tx, uow.keys, group.id)
    theirs = contacts.of_every_member(uow.tx, uow.keys, group.id)
    return GroupOut(
        id=group.id,
        name=group.name,
        kind=group.kind,
        organisation=group.organisation,
        members=[
            MemberOut(
                id=member.id,
                name=member.name,
                role=member.role,
                language=member.language,
                contacts=[contact_shown(one) for one in theirs if one.member_id == member.id],
            )
            for member in members
        ],
    )
