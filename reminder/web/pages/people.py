"""Pages of a person: adding and changing one, their page with its history, and their contacts."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from markupsafe import Markup

from reminder.clock import japan_date
from reminder.domain.model.access import Actor
from reminder.domain.model.people import Audience, GroupKind, Mode
from reminder.domain.model.person_states import HERE
from reminder.enrolment import person_acts, register
from reminder.enrolment.person_acts import PersonAct
from reminder.enrolment.register import PersonChanges
from reminder.errors import NotFoundError, RefusedInputError, UnknownChoiceError
from reminder.planning.forecast import Forecast, ForecastCard, forecasts
from reminder.planning.reports.status import group_status
from reminder.storage.auth import authorized
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.outbox import queries
from reminder.storage.registry import contacts, groups, people, person_lives
from reminder.storage.registry.cards import CardView
from reminder.storage.registry.contacts import ContactView
from reminder.storage.registry.people import PersonView
from reminder.storage.reminders import timeline as history
from reminder.upkeep.privacy import erasure
from reminder.web.declared import Asks, declares, page_router
from reminder.web.drawing import timeline
from reminder.web.support.authorization import Changes, Filled, OpenApp, Owns, Sees
from reminder.web.support.confirmation import Confirmed
from reminder.web.support.day_fields import day_text
from reminder.web.support.paging import Searched, paged
from reminder.web.support.rendering import go, kept, page, problem_of, typed, unsafe_words_of, words_of
from reminder.wiring import App

router = page_router()
HISTORY = 200


@router.get("/people/new")
def ask_for_person(request: Request, app: OpenApp, who: Changes) -> Response:
    """Show the form for a new person."""
    with app.reading() as uow:
        is_home = authorized.group(uow.tx, who).kind is GroupKind.HOME
    first = {"mode": Mode.HOME if is_home else Mode.ELDERLY, "language": who.language, "insurance": "yes"}
    return page(request, app, "person_form.html", typed=first, person=None, is_home=is_home)


@router.post("/people")
@declares(logs=["person_added"])
def add_person(request: Request, app: OpenApp, who: Changes, form: Filled) -> Response:
    """Register the person."""
    try:
        with app.writing() as uow:
            person_id = register.add_person(
                uow,
                group_id=who.group_id,
                label=typed(form, "label"),
                mode=_mode(form.get("mode")),
                language=app.rules.language(typed(form, "language")),
                mark=typed(form, "mark") or None,
                reference=typed(form, "ref") or None,
                room=typed(form, "room") or None,
                unit=typed(form, "unit") or None,
                office=typed(form, "office") or None,
                insurance=typed(form, "insurance") == "yes",
                by=who.member_id,
            )
    except RefusedInputError as refused:
        return _person_again(request, app, who, kept(form), None, refused)
    return go(f"/people/{person_id}/contacts/new")


def _mode(value: object) -> Mode:
    if value not in list(Mode):
        raise UnknownChoiceError(field="mode", choices=list(Mode))
    return Mode(str(value))


def _person_again(
    request: Request,
    app: App,
    who: Actor,
    shown: Mapping[str, str],
    person_id: int | None,
    refused: RefusedInputError,
) -> HTMLResponse:
    with app.reading() as uow:
        person = None if person_id is None else authorized.person(uow.tx, who, person_id)
        is_home = authorized.group(uow.tx, who).kind is GroupKind.HOME
    return page(
        request,
        app,
        "person_form.html",
        status=422,
        typed=shown,
        person=person,
        is_home=is_home,
        problems=[problem_of(request, app, refused)],
    )


@router.get("/people/{person_id}")
def show_person(request: Request, app: OpenApp, who: Sees, person_id: int) -> Response:
    """Show the person with their cards, contacts and history."""
    with app.reading() as uow:
        person = authorized.person(uow.tx, who, person_id)
        group = authorized.group(uow.tx, who)
        row = group_status(uow, group, [person.id])[0]
        known = contacts.of_person(uow.tx, uow.keys, person.id)
        names = groups.names_by_contact(uow.tx, group.id)
        member_names = groups.member_names(uow.tx, group.id)
        past = history.of_person(uow.tx, uow.keys, person.id, HISTORY)
        drawings = _timelines(request, uow, person, [one.card for one in row.cards])
    return page(
        request,
        app,
        "person.html",
        person=person,
        row=row,
        contacts=known,
        names=names,
        member_names=member_names,
        history=past,
        timelines=drawings,
        unsafe=unsafe_words_of(request, app, _words_of(person, [one.card for one in row.cards])),
    )


def _words_of(person: PersonView, kept: Sequence[CardView]) -> Iterator[tuple[str, str | None]]:
    """Yield the words of a person that messages carry, each after its field."""
    yield from (("label", person.label), ("mark", person.mark), ("room", person.room), ("unit", person.unit))
    yield "office", person.office
    yield from (("card_label", card.label) for card in kept)


def _timelines(request: Request, uow: UnitOfWork, person: PersonView, kept: Sequence[CardView]) -> Mapping[int, Markup]:
    plans = forecasts(uow, person=person, wanted=[planned(card) for card in kept])
    days = queries.days_sent(uow.tx, [card.id for card in kept])
    return {card.id: _timeline(request, uow, card, plan, days[card.id]) for card, plan in zip(kept, plans, strict=True)}


def _timeline(
    request: Request, uow: UnitOfWork, card: CardView, plan: Forecast, days: Iterable[tuple[datetime, Audience]]
) -> Markup:
    words = uow.rules.wording.of(words_of(request).language)
    sent = [timeline.TimelineMark(japan_date(at), audience, timeline.MarkState.TOLD, "") for at, audience in days]
    coming = [
        timeline.TimelineMark(
            text.on, text.audience, timeline.MarkState.COMING, text.subject or text.text.splitlines()[0]
        )
        for text in plan.texts
    ]
    drawn = timeline.draw(
        timeline.Timeline(
            card.label or words.kinds[card.kind]["name"],
            plan.dates,
            (*sent, *coming),
            uow.today,
            at_counter=uow.rules.kind(card.kind).closes_with_counters,
        ),
        words,
    )
    return Markup(drawn)  # noqa: S704  # its words are escaped


@router.get("/people/{person_id}/edit")
def ask_for_changes(request: Request, app: OpenApp, who: Changes, person_id: int) -> Response:
    """Show the form with the person's present data."""
    with app.reading() as uow:
        person = authorized.person(uow.tx, who, person_id)
        is_home = authorized.group(uow.tx, who).kind is GroupKind.HOME
    shown = {
        "label": person.label,
        "mode": person.mode,
        "language": person.language,
        "mark": person.mark or "",
        "ref": person.reference or "",
        "room": person.room or "",
        "unit": person.unit or "",
        "office": person.office,
        "insurance": "yes" if person.insurance else "",
    }
    return page(request, app, "person_form.html", typed=shown, person=person, is_home=is_home)


@router.post("/people/{person_id}/edit")
@declares(logs=["person_changed"])
def edit_person(request: Request, app: OpenApp, who: Changes, person_id: int, form: Filled) -> Response:
    """Change the person."""
    try:
        changes = PersonChanges(
            label=typed(form, "label"),
            mode=_mode(form.get("mode")),
            language=app.rules.language(typed(form, "language")),
            mark=typed(form, "mark"),
            reference=typed(form, "ref"),
            room=typed(form, "room"),
            unit=typed(form, "unit"),
            office=typed(form, "office"),
            insurance=typed(form, "insurance") == "yes",
        )
        with app.writing() as uow:
            authorized.person(uow.tx, who, person_id)
            register.edit_person(uow, person_id=person_id, changes=changes, by=who.member_id)
    except RefusedInputError as refused:
        return _person_again(request, app, who, kept(form), person_id, refused)
    return go(f"/people/{person_id}")


@router.get("/away")
def show_who_is_not_here(request: Request, app: OpenApp, who: Sees, search: Searched) -> Response:
    """Show who is away, has moved out or died, the latest first, with the way to record that they are back."""
    with app.reading() as uow:
        found = person_lives.of_group(uow.tx, who.group_id).values()
        lives = {life.person_id: life for life in found if life.where.is_away(uow.today)}
        latest = sorted(lives, key=lambda one: (lives[one].changed_at, one), reverse=True)
        ids, paging = paged(latest, search, "/away")
        known = people.by_id(uow.tx, ids)
    rows = [(known[person_id], lives[person_id]) for person_id in ids if person_id in known]
    return page(request, app, "away.html", rows=rows, paging=paging)


@router.get("/people/{person_id}/life")
def ask_where(request: Request, app: OpenApp, who: Changes, person_id: int) -> Response:
    """Show where the person is, with the acts that can be recorded or taken back."""
    return _life_page(request, app, who, person_id, {})


def _life_page(
    request: Request,
    app: App,
    who: Actor,
    person_id: int,
    shown: Mapping[str, str],
    refused: RefusedInputError | None = None,
) -> HTMLResponse:
    with app.reading() as uow:
        person = authorized.person(uow.tx, who, person_id)
        life = person_lives.of_people(uow.tx, [person_id]).get(person_id)
        until = person_acts.taken_back_until(life, uow.now)
    return page(
        request,
        app,
        "person_life.html",
        status=422 if refused else 200,
        person=person,
        where=HERE if life is None else life.where,
        until=until,
        typed=shown,
        problems=[problem_of(request, app, refused)] if refused else (),
    )


@router.post("/people/{person_id}/life")
@declares(
    logs=[
        *("person_pause", "person_return", "person_move_out", "person_died", "person_step_back"),
        *("card_retired", "card_taken_back"),
    ]
)
def record_where(request: Request, app: OpenApp, who: Changes, person_id: int, form: Filled) -> Response:
    """Record where the person is, or take the last act back; `act`: of PersonAct."""
    act = typed(form, "act")
    try:
        if act not in list(PersonAct):
            raise RefusedInputError("nothing_chosen")
        day = day_text(form, "until") if act == PersonAct.PAUSE else ""
        with app.writing() as uow:
            authorized.person(uow.tx, who, person_id)
            person_acts.act_on_person(uow, person_id=person_id, act=PersonAct(act), until=day or None, by=who.member_id)
    except RefusedInputError as refused:
        return _life_page(request, app, who, person_id, kept(form), refused)
    return go(f"/people/{person_id}/life")


@router.get("/people/{person_id}/erase")
def ask_whether_to_erase(request: Request, app: OpenApp, who: Owns, person_id: int) -> Response:
    """Ask whether to erase the person."""
    with app.reading() as uow:
        person = authorized.person(uow.tx, who, person_id)
    return page(request, app, "sure.html", what="erase_person", name=person.label, back=f"/people/{person.id}")


@router.post("/people/{person_id}/erase")
@declares(asks=Asks.ERASE, logs=["person_erased"])
def erase_person(app: OpenApp, who: Owns, person_id: int, _form: Confirmed) -> Response:
    """Erase the person."""
    with app.reading() as uow:
        authorized.person(uow.tx, who, person_id)
    erasure.erase_person(app.units, app.clock.now(), person_id=person_id, by=who.member_id)
    return go("/")


# Contacts.


def _own_or_of_a_person(uow: UnitOfWork, who: Actor, contact_id: int) -> ContactView:
    """Return the contact.

    Raises NotFoundError for another group's contact, and for another member's own contact.
    """
    contact = authorized.contact(uow.tx, uow.keys, who, contact_id)
    if contact.member_id not in (None, who.member_id):
        raise NotFoundError(field="contact")
    return contact


# Leaflets.


def planned(card: CardView) -> ForecastCard:
    """Return the registered card for a forecast."""
    return ForecastCard(
        card.kind, card.expires_on, is_computed=card.is_computed, label=card.label or None, card_id=card.id
    )
