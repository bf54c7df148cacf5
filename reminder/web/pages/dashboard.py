"""The home page: for each person the next act and its date, the most urgent first, and who takes care of it."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from fastapi import Request
from fastapi.responses import Response

from reminder.domain.model.people import ChannelName, ContactState
from reminder.domain.rules.provider_errors import failure_cause
from reminder.enrolment.identity import sign_in
from reminder.errors import NotFoundError
from reminder.planning.reports.group_overview import GroupOverview, group_overview
from reminder.planning.reports.monthly_plan import DatedCard
from reminder.planning.reports.status import CardStatus, PersonStatus, group_status
from reminder.storage.auth import accounts, authorized
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.outbox import failures
from reminder.storage.outbox.failures import ContactFailures
from reminder.storage.registry import contacts, groups, people
from reminder.storage.registry.contacts import ContactView
from reminder.storage.registry.groups import GroupView
from reminder.web.declared import declares, page_router
from reminder.web.support.authorization import Filled, OpenApp, Sees, WhoIsSignedIn
from reminder.web.support.paging import ROWS_SHOWN, Paging, Search, Searched, paged
from reminder.web.support.rendering import go, local_path, minutes_since, page, recent_health, typed

router = page_router()

# So many people at once of a large group, each with so many cards: its page is not larger than 100 kB.
PEOPLE_SHOWN = 20
CARDS_SHOWN = 3


@router.get("/")
def home(request: Request, app: OpenApp, who: Sees, found: WhoIsSignedIn, search: Searched) -> Response:
    """Show everybody, the most urgent first; of a large group some at a time, with a search by name, room and unit."""
    with app.reading() as uow:
        now = uow.now
        group = authorized.group(uow.tx, who)
        ids, paging, overview = _page_of_people(uow, group, search)
        rows = group_status(uow, group, ids, with_latest=True)
        names = groups.names_by_contact(uow.tx, group.id)
        other_groups = [
            one for one in accounts.memberships(uow.tx, uow.keys, found.account_id) if one.group_id != group.id
        ]
        has_sisters = len(authorized.homes(uow.tx, uow.keys, who, found.account_id)) > 1
    found_health = recent_health(request, app)
    return page(
        request,
        app,
        "home.html",
        group=group,
        rows=rows,
        most_cards=None if paging is None else CARDS_SHOWN,
        search=search,
        paging=paging,
        units=() if overview is None else overview.units,
        to_do=sum(card.next.is_now for card in (_cards(rows) if overview is None else overview.cards)),
        first=_first_reminder(rows) if overview is None else None,
        names=names,
        other_groups=other_groups,
        has_sisters=has_sisters,
        minutes=minutes_since(now, found_health.last_pass),
        health=found_health,
    )


def _page_of_people(
    uow: UnitOfWork, group: GroupView, search: Search
) -> tuple[Sequence[int] | None, Paging | None, GroupOverview | None]:
    """Return the ids on this page, its place among the pages, and the overview; a small group is shown whole (None)."""
    if not people.are_more_than(uow.tx, group.id, ROWS_SHOWN):
        return None, None, None
    overview = group_overview(uow, group)
    found = search.people_found(uow.tx, group.id)
    in_order = [person_id for person_id in overview.worst_first() if found is None or person_id in found]
    ids, paging = paged(in_order, search, "/", PEOPLE_SHOWN)
    return ids, paging, overview


def _cards(rows: Sequence[PersonStatus]) -> Iterator[CardStatus]:
    for row in rows:
        yield from row.cards


class FirstReminder(NamedTuple):
    """The next reminder of a group: its date in Japan, and the name of the person it is about."""

    on: date
    label: str


def _first_reminder(rows: Sequence[PersonStatus]) -> FirstReminder | None:
    coming = [
        FirstReminder(card.card.next_reminder_on, row.person.label)
        for row in rows
        for card in row.cards
        if card.card.next_reminder_on is not None
    ]
    return min(coming, default=None)


@router.post("/groups")
@declares()
def look_at_another_group(app: OpenApp, found: WhoIsSignedIn, form: Filled) -> Response:
    """Switch the session to another group of its account: a second household, or the home where they work."""
    wanted = typed(form, "group")
    if not wanted.isdecimal() or len(wanted) > 11:
        raise NotFoundError(field="group")
    with app.writing() as uow:
        if not sign_in.act_in(uow, found, int(wanted)):
            raise NotFoundError(field="group")
    return go(local_path(typed(form, "to")))


@dataclass(frozen=True)
class UnreachedContact:
    """A contact that gets nothing; `why`: a provider's answer in plain words, else its state."""

    contact: ContactView
    why: str
    failure: ContactFailures | None


def _why(channel: ChannelName, state: ContactState, failure: ContactFailures | None) -> str:
    # An owner's own refusal counts more than a provider's answer.
    is_theirs = state in (ContactState.OPTED_OUT, ContactState.UNCONFIRMED)
    return state if failure is None or is_theirs else failure_cause(channel, failure.reason)


@router.get("/undelivered")
def undelivered(request: Request, app: OpenApp, who: Sees, search: Searched, reason: str = "") -> Response:
    """Show who cannot be reached and why, each with what can be done."""
    with app.reading() as uow:
        now = uow.now
        group = authorized.group(uow.tx, who)
        overview = group_overview(uow, group)
        failed = failures.failures_by_contact(uow.tx, group.id)
        reasons_of: dict[int, dict[int, str]] = {}  # by person and contact
        for person_id, one in contacts.unheard_of_group(uow.tx, group.id, failed.keys()):
            failure = failed.get(one.contact_id)
            if person_id in overview.people:
                reasons_of.setdefault(person_id, {})[one.contact_id] = _why(one.channel, one.state, failure)
        is_large = len(overview.people) > ROWS_SHOWN
        found = search.people_found(uow.tx, group.id)
        red = overview.red
        wanted = [
            person_id
            for person_id in overview.worst_first()
            if (person_id in reasons_of or person_id in red)
            and (found is None or person_id in found)
            and (not reason or reason in reasons_of.get(person_id, {}).values())
        ]
        ids, paging = paged(wanted, search, "/undelivered", reason=reason) if is_large else (wanted, None)
        rows = group_status(uow, group, ids)
        # Only the addresses that the page shows are decrypted.
        shown = {contact_id: why for person_id in ids for contact_id, why in reasons_of.get(person_id, {}).items()}
        missed: dict[int, list[UnreachedContact]] = {person_id: [] for person_id in ids}
        for contact in contacts.by_ids(uow.tx, uow.keys, shown.keys()).values():
            assert contact.person_id is not None
            said = UnreachedContact(contact, shown[contact.id], failed.get(contact.id))
            missed[contact.person_id].append(said)
    found_health = recent_health(request, app)
    return page(
        request,
        app,
        "undelivered.html",
        rows=rows,
        missed=missed,
        units=overview.units,
        reasons=sorted({one for some in reasons_of.values() for one in some.values()}),
        search=search,
        paging=paging,
        chosen={"unit": search.unit, "reason": reason},
        minutes=minutes_since(now, found_health.last_pass),
        health=found_health,
    )


def _day_of(card: DatedCard) -> date:
    """Return the day on which a card stands in the calendar: that of its next act once somebody has begun."""
    return card.next.day if card.next.act.is_under_way else card.dates.begin_by


@router.get("/calendar")
def calendar(request: Request, app: OpenApp, who: Sees, search: Searched) -> Response:
    """Show everything that is not done, month by month, by the latest day to begin."""
    with app.reading() as uow:
        group = authorized.group(uow.tx, who)
        paging: Paging | None = None
        units: Sequence[str] = ()
        wanted: Collection[int] | None = None
        if people.are_more_than(uow.tx, group.id, ROWS_SHOWN):
            overview = group_overview(uow, group)
            units, found = overview.units, search.people_found(uow.tx, group.id)
            in_order = sorted(
                (
                    card
                    for card in overview.cards
                    if not card.is_acknowledged and (found is None or card.person_id in found)
                ),
                key=lambda card: (_day_of(card), card.person_id, card.card_id),
            )
            shown, paging = paged(in_order, search, "/calendar")
            wanted = {card.card_id for card in shown}
            rows = group_status(uow, group, {card.person_id for card in shown})
        else:
            rows = group_status(uow, group)
    days = sorted(
        (
            (_day_of(one), row.person, one)
            for row in rows
            for one in row.cards
            if not one.is_acknowledged and (wanted is None or one.card.id in wanted)
        ),
        key=lambda day: (day[0], day[1].id, day[2].card.id),
    )
    months: dict[tuple[int, int], list[object]] = {}
    for day, person, one in days:
        months.setdefault((day.year, day.month), []).append((day, person, one))
    return page(request, app, "calendar.html", months=months, search=search, paging=paging, units=units)
