"""Messages in the API: what was sent to whom, what waits, and the outcomes."""

from datetime import date, time
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from reminder.domain.model.messages import MessageState
from reminder.domain.model.people import Audience, ChannelName
from reminder.domain.parsing import dates
from reminder.domain.rules import hours
from reminder.storage.auth import authorized
from reminder.storage.outbox import queries
from reminder.storage.outbox.queries import SentMessage
from reminder.web.api.operation import PREFIX, Operation, Sees
from reminder.web.api.problems import refusals
from reminder.web.api.shapes import GREATEST_ID, Channel, Instant, Listed, Out, Page, TypedDate, part

router = APIRouter(prefix=PREFIX, tags=["messages"], route_class=Operation)


class MessageFilter(Page):
    """The choice of messages."""

    state: MessageState | None = None
    person: Annotated[
        int | None, Field(ge=1, le=GREATEST_ID, description="To them or their family, or about them.")
    ] = None
    since: Annotated[TypedDate | None, Field(description="Made on that day in Japan or later: 2026-12-01.")] = None


class MessageOut(Out):
    """A text to one contact.

    `text` is null once it was erased, after ninety days. `card_ids`: the cards that a reminder was about.
    """

    id: int
    state: MessageState
    reason: str | None
    audience: Audience
    channel: Channel
    contact_id: int | None
    card_ids: list[int]
    created_at: Instant
    scheduled_at: Instant
    handed_at: Instant | None
    ended_at: Instant | None
    segments: int
    subject: str | None
    text: str | None


@router.get("/messages", responses=refusals(404))
def list_messages(caller: Sees, which: Annotated[MessageFilter, Query()]) -> Listed[MessageOut]:
    """List the messages that were sent or wait, with their outcomes, oldest first."""
    since = None if which.since is None else _midnight(dates.read_typed(which.since, field="since"))
    with caller.reading() as uow:
        if which.person is not None:
            authorized.person(uow.tx, caller.who, which.person)
        found = queries.some_of_group(
            uow.tx,
            uow.keys,
            caller.who.group_id,
            state=which.state,
            person_id=which.person,
            since=since,
            after=which.after,
            limit=which.limit + 1,
        )
    rows, after = part(found, which.limit)
    return Listed(items=[_shown(row) for row in rows], next=after)


def _midnight(day: date) -> Instant:
    return hours.instant(day, time(0))


def _shown(row: SentMessage) -> MessageOut:
    return MessageOut(
        id=row.id,
        state=MessageState(row.state),
        reason=row.reason,
        audience=Audience(row.audience),
        channel=ChannelName(row.channel),
        contact_id=row.contact_id,
        card_ids=list(row.card_ids),
        created_at=row.created_at,
        scheduled_at=row.scheduled_at,
        handed_at=row.handed_at,
        ended_at=row.ended_at,
        segments=row.segments,
        subject=row.subject,
        text=row.text,
    )
