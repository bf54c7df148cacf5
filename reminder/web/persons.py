"""Pages of a person: adding and changing one, their page with its history, and how they can be reached."""

from collections.abc import Mapping

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from markupsafe import Markup

from reminder.channels import registry
from reminder.clock import japan_date
from reminder.domain.access import Actor
from reminder.domain.people import ChannelName, ConsentHow, GroupKind, Mode
from reminder.domain.text import leaflets
from reminder.domain.text.catalog import SHEETS
from reminder.domain.text.leaflets import OnPaper, ToPrint
from reminder.enrolment import consent, register
from reminder.enrolment.register import PersonChanges
from reminder.errors import NotFoundError, RefusedInputError, UnknownChoiceError
from reminder.planning.outlook import OutlookCard, outlook
from reminder.planning.standing import standing
from reminder.storage import contacts, groups, history, messages, owned, people
from reminder.storage.cards import CardView
from reminder.storage.contacts import ContactView
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.people import PersonView
from reminder.upkeep import erase
from reminder.web import timeline
from reminder.web.access import Changes, Filled, OpenApp, Owns, Sees
from reminder.web.view import go, kept, page, problem_of, typed, words_of
from reminder.wiring import App

router = APIRouter()
HISTORY = 200


@router.get("/people/new")
def ask_for_person(request: Request, app: OpenApp, who: Changes) -> Response:
    with app.reading() as uow:
        is_home = owned.group(uow.tx, who).kind is GroupKind.HOME
    first = {"mode": Mode.HOME if is_home else Mode.ELDERLY, "language": who.language, "insurance": "yes"}
    return page(request, app, "person_form.html", typed=first, person=None, is_home=is_home)


@router.post("/people")
def add_person(request: Request, app: OpenApp, who: Changes, form: Filled) -> Response:
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
        person = None if person_id is None else owned.person(uow.tx, who, person_id)
        is_home = owned.group(uow.tx, who).kind is GroupKind.HOME
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
    with app.reading() as uow:
        person = owned.person(uow.tx, who, person_id)
        group = owned.group(uow.tx, who)
        row = standing(uow, group, [person.id])[0]
        known = contacts.of_person(uow.tx, uow.keys, person.id)
        names = groups.names_by_contact(uow.tx, group.id)
        member_names = groups.member_names(uow.tx, group.id)
        past = history.of_person(uow.tx, uow.keys, person.id, HISTORY)
        drawings = {one.card.id: _timeline(request, uow, person, one.card) for one in row.cards}
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
    )


def _timeline(request: Request, uow: UnitOfWork, person: PersonView, card: CardView) -> Markup:
    words = uow.rules.wording.of(words_of(request).language)
    plan = outlook(uow, person=person, card=planned(card))
    told = [
        timeline.Text(japan_date(at), audience, timeline.Telling.TOLD, "")
        for at, audience in messages.told_days(uow.tx, card.id)
    ]
    coming = [
        timeline.Text(text.on, text.audience, timeline.Telling.COMING, text.subject or text.text.splitlines()[0])
        for text in plan.texts
    ]
    drawn = timeline.draw(
        timeline.Timeline(
            card.label or words.kinds[card.kind]["name"],
            plan.dates,
            (*told, *coming),
            uow.today,
            at_counter=not uow.rules.kind(card.kind).comes_by_itself,
        ),
        words,
    )
    return Markup(drawn)  # noqa: S704  # its words are escaped


@router.get("/people/{person_id}/edit")
def ask_for_changes(request: Request, app: OpenApp, who: Changes, person_id: int) -> Response:
    with app.reading() as uow:
        person = owned.person(uow.tx, who, person_id)
        is_home = owned.group(uow.tx, who).kind is GroupKind.HOME
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
def edit_person(request: Request, app: OpenApp, who: Changes, person_id: int, form: Filled) -> Response:
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
            owned.person(uow.tx, who, person_id)
            register.edit_person(uow, person_id=person_id, changes=changes, by=who.member_id)
    except RefusedInputError as refused:
        return _person_again(request, app, who, kept(form), person_id, refused)
    return go(f"/people/{person_id}")


@router.get("/people/{person_id}/erase")
def ask_whether_to_erase(request: Request, app: OpenApp, who: Owns, person_id: int) -> Response:
    with app.reading() as uow:
        person = owned.person(uow.tx, who, person_id)
    return page(request, app, "sure.html", what="erase_person", name=person.label, back=f"/people/{person.id}")


@router.post("/people/{person_id}/erase")
def erase_person(app: OpenApp, who: Owns, person_id: int, _form: Filled) -> Response:
    with app.reading() as uow:
        owned.person(uow.tx, who, person_id)
    erase.erase_person(app.units, app.clock.now(), person_id=person_id, by=who.member_id)
    return go("/")


# How a person can be reached.


@router.get("/people/{person_id}/contacts/new")
def ask_for_contact(request: Request, app: OpenApp, who: Changes, person_id: int) -> Response:
    return _contact_form(request, app, who, person_id, {"channel": "sms", "whose": "own", "consent": ""})


def _contact_form(
    request: Request,
    app: App,
    who: Actor,
    person_id: int,
    shown: Mapping[str, str],
    refused: RefusedInputError | None = None,
) -> HTMLResponse:
    with app.reading() as uow:
        person = owned.person(uow.tx, who, person_id)
        has_some = bool(contacts.of_people(uow.tx, [person.id]))
    return page(
        request,
        app,
        "contact_form.html",
        status=422 if refused else 200,
        typed=shown,
        person=person,
        has_some=has_some,
        channels=[one for one in registry.on_forms() if one in app.rules.channels],
        two_way=app.rules.two_way,
        problems=[problem_of(request, app, refused)] if refused else (),
    )


@router.post("/people/{person_id}/contacts")
def add_contact(request: Request, app: OpenApp, who: Changes, person_id: int, form: Filled) -> Response:
    try:
        how = _consent(typed(form, "consent"))
        with app.writing() as uow:
            owned.person(uow.tx, who, person_id)
            contact_id = register.add_contact(
                uow,
                channel=_channel(app, typed(form, "channel")),
                address=typed(form, "address"),
                person_id=person_id,
                is_family=typed(form, "whose") == "family",
                consent_how=how,
                consent_by=(typed(form, "consent_by") or None) if how else None,
                by=who.member_id,
            )
            has_card = bool(people.has_card(uow.tx, person_id))
    except RefusedInputError as refused:
        return _contact_form(request, app, who, person_id, kept(form), refused)
    if how is None:
        return go(f"/contacts/{contact_id}")
    return go(f"/people/{person_id}" if has_card else f"/people/{person_id}/cards/new")


def _channel(app: App, value: str) -> ChannelName:
    if value not in app.rules.channels:
        raise UnknownChoiceError(field="channel", choices=list(app.rules.channels))
    return ChannelName(value)


def _consent(value: str) -> ConsentHow | None:
    if value in ("", "none"):
        return None
    if value not in consent.RECORDED:
        raise UnknownChoiceError(field="consent", choices=list(consent.RECORDED))
    return ConsentHow(value)


@router.get("/contacts/{contact_id}")
def show_contact(request: Request, app: OpenApp, who: Sees, contact_id: int) -> Response:
    return _contact(request, app, who, contact_id)


def _contact(
    request: Request, app: App, who: Actor, contact_id: int, refused: RefusedInputError | None = None
) -> HTMLResponse:
    with app.reading() as uow:
        contact = owned.contact(uow.tx, uow.keys, who, contact_id)
        person = None if contact.person_id is None else owned.person(uow.tx, who, contact.person_id)
    return page(
        request,
        app,
        "contact.html",
        status=422 if refused else 200,
        contact=contact,
        person=person,
        two_way=app.rules.two_way,
        calls=any(channel.is_call for channel in app.rules.channels),
        typed={},
        problems=[problem_of(request, app, refused)] if refused else (),
    )


@router.post("/contacts/{contact_id}/{act}")
def act_on_contact(request: Request, app: OpenApp, who: Changes, contact_id: int, act: str, form: Filled) -> Response:
    """`act`: confirm, stop, ask, practise, reached or erase."""
    if act == "erase":
        return _erase_contact(app, who, contact_id)
    said_by, by = typed(form, "consent_by"), who.member_id
    try:
        with app.writing() as uow:
            contact = _own_or_of_a_person(uow, who, contact_id)
            match act:
                case "confirm":
                    how = _consent(typed(form, "consent"))
                    if how is None or not said_by:
                        raise RefusedInputError("consent_by_needed", field="consent_by")
                    consent.confirm(uow, contact_id=contact_id, how=how, said_by=said_by, by=by)
                case "stop":
                    consent.stop(uow, contact_id=contact_id, by=by)
                case "ask":
                    consent.ask(uow, contact_id=contact_id, told_by=said_by, by=by)
                case "practise":
                    consent.practise(uow, contact_id=contact_id, by=by)
                case "reached":
                    consent.reached(uow, contact_id=contact_id, by=by)
                case _:
                    raise NotFoundError("page_not_found")
    except NotFoundError:
        raise
    except RefusedInputError as refused:
        return _contact(request, app, who, contact_id, refused)
    return go(f"/contacts/{contact_id}" if contact.person_id is None else f"/people/{contact.person_id}")


def _own_or_of_a_person(uow: UnitOfWork, who: Actor, contact_id: int) -> ContactView:
    """Raises NotFoundError for another group's contact, and for another member's: what they hear by is theirs."""
    contact = owned.contact(uow.tx, uow.keys, who, contact_id)
    if contact.member_id not in (None, who.member_id):
        raise NotFoundError(field="contact")
    return contact


def _erase_contact(app: App, who: Actor, contact_id: int) -> Response:
    with app.reading() as uow:
        contact = _own_or_of_a_person(uow, who, contact_id)
    erase.erase_contact(app.units, app.clock.now(), contact_id=contact_id, by=who.member_id)
    return go("/settings" if contact.person_id is None else f"/people/{contact.person_id}")


# Paper.


@router.get("/people/{person_id}/print/{sheet}")
def print_sheet(
    request: Request, app: OpenApp, who: Sees, person_id: int, sheet: str, card: int | None = None
) -> HTMLResponse:
    """A sheet of paper; for the letter with `card`."""
    if sheet not in SHEETS:
        raise NotFoundError("page_not_found")
    with app.reading() as uow:
        person = owned.person(uow.tx, who, person_id)
        group = owned.group(uow.tx, who)
        row = standing(uow, group, [person.id])[0]
    told = sorted((one.card for one in row.cards if card in (None, one.card.id)), key=lambda one: one.expires_on)
    if sheet in ("letter", "fridge") and not told:
        raise NotFoundError("page_not_found")
    language = words_of(request).language if sheet == "consent" else person.language
    return HTMLResponse(
        leaflets.render_sheet(
            sheet,
            app.rules.wording.of(language),
            ToPrint(
                label=person.label,
                office=person.office,
                from_=group.name,
                mark=person.mark,
                sender=app.settings.twilio_from or "＿＿＿＿＿＿＿＿＿＿",
                today=uow.today,
                cards=tuple(OnPaper(one.kind, one.expires_on, one.label or None, one.is_computed) for one in told),
            ),
            stylesheet="/static/sheet.css",
        )
    )


def planned(card: CardView) -> OutlookCard:
    """A card as it is registered."""
    return OutlookCard(
        card.kind, card.expires_on, is_computed=card.is_computed, label=card.label or None, card_id=card.id
    )
