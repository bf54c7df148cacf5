"""The group by the API: its name, its members, and the journal of what was done in it."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import ConfigDict, Field

from reminder.domain.people import GroupKind, Role
from reminder.enrolment import membership
from reminder.storage import accounts, contacts, journal, owned
from reminder.web.api.contacts import ContactOut
from reminder.web.api.contacts import shown as contact_shown
from reminder.web.api.operation import PREFIX, Caller, Operation, Owns, Sees
from reminder.web.api.shapes import GUARDED, In, Instant, Listed, Out, Paged, part

router = APIRouter(prefix=PREFIX, tags=["group"], route_class=Operation)


class GroupChange(In):
    """What the group is called from now on."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "田中家"}]})
    name: Annotated[str, Field(min_length=1, max_length=60), GUARDED]


class MemberOut(Out):
    """Somebody who signs in. By one of their contacts they may take a card on; addresses are masked."""

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
    members: list[MemberOut]


class EntryOut(Out):
    """What was done, by ids only. `member_id`: by whom; null where nobody was signed in."""

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
    """The group that the token belongs to, and who is in it."""
    return _look_up(caller)


@router.patch("/group")
def rename_group(caller: Owns, given: GroupChange) -> GroupOut:
    """Gives the group another name: it stands in the texts."""
    membership.rename_group(caller.app.database, caller.app.clock.now(), who=caller.who, name=given.name)
    return _look_up(caller)


@router.get("/journal")
def list_journal(caller: Owns, page: Paged) -> Listed[EntryOut]:
    """Everything that was done in the group, oldest first."""
    with caller.app.database.reading() as tx:
        found = journal.some_of_group(tx, caller.who.group_id, after=page.after, limit=page.limit + 1)
    rows, after = part(found, page.limit)
    return Listed(items=[EntryOut(**vars(row)) for row in rows], next=after)


def _look_up(caller: Caller) -> GroupOut:
    app, who = caller.app, caller.who
    with app.database.reading() as tx:
        group = owned.group(tx, who)
        members = accounts.members(tx, app.keys, group.id)
        theirs = contacts.of_every_member(tx, app.keys, group.id)
    return GroupOut(
        id=group.id,
        name=group.name,
        kind=group.kind,
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
