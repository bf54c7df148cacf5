"""The home page: for each person the next act and its date, the most urgent first, and who takes care of it."""

from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import Response

from reminder.domain.model.people import ContactState
from reminder.domain.rules.provider_errors import failure_cause
from reminder.enrolment.identity import sign_in
from reminder.errors import NotFoundError
from reminder.planning.reports.status import group_status
from reminder.storage.auth import accounts, authorized
from reminder.storage.outbox import failures
from reminder.storage.outbox.failures import ContactFailures
from reminder.storage.registry import contacts, groups
from reminder.storage.registry.contacts import ContactView
from reminder.web.support.authorization import Filled, OpenApp, Sees, WhoIsSignedIn
from reminder.web.support.rendering import go, local_path, minutes_since, page, recent_health, typed

router = APIRouter()


@router.get("/")
def home(request: Request, app: OpenApp, who: Sees, found: WhoIsSignedIn) -> Response:
    """Show the home page of the group."""
    with app.reading() as uow:
        now = uow.now
        group = authorized.group(uow.tx, who)
        rows = group_status(uow, group, with_latest=True)
        names = groups.names_by_contact(uow.tx, group.id)
        other_groups = [one for one in accounts.memberships(uow.tx, found.account_id) if one.group_id != group.id]
        has_sisters = len(authorized.homes(uow.tx, who, found.account_id)) > 1
    found_health = recent_health(request, app)
    return page(
        request,
        app,
        "home.html",
        group=group,
        rows=rows,
        names=names,
        other_groups=other_groups,
        has_sisters=has_sisters,
        minutes=minutes_since(now, found_health.last_pass),
        health=found_health,
    )


@router.post("/groups")
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


def _unreached(contact: ContactView, failure: ContactFailures | None) -> UnreachedContact:
    # An owner's own refusal counts more than a provider's answer.
    is_theirs = contact.state in (ContactState.OPTED_OUT, ContactState.UNCONFIRMED)
    if failure is None or is_theirs:
        return UnreachedContact(contact, contact.state, failure)
    return UnreachedContact(contact, failure_cause(contact.channel, failure.reason), failure)


@router.get("/undelivered")
def undelivered(request: Request, app: OpenApp, who: Sees, unit: str = "", reason: str = "") -> Response:
    """Show who cannot be reached and why, each with what can be done."""
    with app.reading() as uow:
        now = uow.now
        group = authorized.group(uow.tx, who)
        everyone = group_status(uow, group)
        failed = failures.failures_by_contact(uow.tx, group.id)
        # Only the addresses that the page shows are decrypted.
        unheard = {one.contact_id for row in everyone for one in row.unheard}
        known = contacts.by_ids(uow.tx, uow.keys, unheard | failed.keys()).values()
    missed: dict[int, list[UnreachedContact]] = {row.person.id: [] for row in everyone}
    for one in known:
        if one.person_id in missed:
            missed[one.person_id].append(_unreached(one, failed.get(one.id)))
    wanted = [
        row
        for row in everyone
        if (missed[row.person.id] or row.is_red)
        and unit in ("", row.person.unit)
        and (not reason or any(one.why == reason for one in missed[row.person.id]))
    ]
    found_health = recent_health(request, app)
    return page(
        request,
        app,
        "undelivered.html",
        rows=wanted,
        missed=missed,
        units=sorted({row.person.unit for row in everyone if row.person.unit}),
        reasons=sorted({one.why for some in missed.values() for one in some}),
        chosen={"unit": unit, "reason": reason},
        minutes=minutes_since(now, found_health.last_pass),
        health=found_health,
    )


@router.get("/calendar")
def calendar(request: Request, app: OpenApp, who: Sees) -> Response:
    """Show every future date, month by month: the last day on which a counter is open."""
    with app.reading() as uow:
        rows = group_status(uow, authorized.group(uow.tx, who))
    days = sorted(
        ((one.dates.last_counter_day, row.person, one) for row in rows for one in row.cards),
        key=lambda day: (day[0], day[1].id, day[2].card.id),
    )
    months: dict[tuple[int, int], list[object]] = {}
    for day, person, one in days:
        months.setdefault((day.year, day.month), []).append((day, person, one))
    return page(request, app, "calendar.html", months=months)
