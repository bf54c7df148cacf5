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
from reminder.storage.people import PersonView
from reminder.storage.session import Tx
from reminder.upkeep import erase
from reminder.web import timeline
from reminder.web.access import Changes, Filled, OpenApp, Owns, Sees
from reminder.web.view import go, kept, page, problem_of, typed, words_of
from reminder.wiring import App

router = APIRouter()
HISTORY = 200


@router.get("/people/new")
def ask_for_person(request: Request, app: OpenApp, who: Changes) -> Response:
    with app.database.reading() as tx:
        is_home = owned.group(tx, who).kind is GroupKind.HOME
    first = {"mode": Mode.HOME if is_home else Mode.ELDERLY, "language": who.language, "insurance": "yes"}
    return page(request, app, "person_form.html", typed=first, person=None, is_home=is_home)


@router.post("/people")
def add_person(request: Request, app: OpenApp, who: Changes, form: Filled) -> Response:
    try:
        person_id = register.add_person(
            app.database,
            app.clock.now(),
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
    person: PersonView | None,
    refused: RefusedInputError,
) -> HTMLResponse:
    with app.database.reading() as tx:
        is_home = owned.group(tx, who).kind is GroupKind.HOME
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
    with app.database.reading() as tx:
        person = owned.person(tx, who, person_id)
        group = owned.group(tx, who)
        row = standing(tx, app.rules, app.clock.now(), group, [person.id])[0]
        known = contacts.of_person(tx, app.keys, person.id)
        names = groups.names_by_contact(tx, group.id)
        member_names = groups.member_names(tx, group.id)
        past = history.of_person(tx, app.keys, person.id, HISTORY)
        drawings = {one.card.id: _timeline(request, app, tx, person, one.card) for one in row.cards}
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


def _timeline(request: Request, app: App, tx: Tx, person: PersonView, card: CardView) -> Markup:
    now = app.clock.now()
    words = app.rules.wording.of(words_of(request).language)
    plan = outlook(tx, app.keys, app.rules, now, person=person, card=planned(card))
    told = [
        timeline.Text(japan_date(at), audience, timeline.Telling.TOLD, "")
        for at, audience in messages.told_days(tx, card.id)
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
            japan_date(now),
            at_counter=not app.rules.kind(card.kind).comes_by_itself,
        ),
        words,
    )
    return Markup(drawn)  # noqa: S704  # its words are escaped


@router.get("/people/{person_id}/edit")
def ask_for_changes(request: Request, app: OpenApp, who: Changes, person_id: int) -> Response:
    with app.database.reading() as tx:
        person = owned.person(tx, who, person_id)
        is_home = owned.group(tx, who).kind is GroupKind.HOME
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
    with app.database.reading() as tx:
        person = owned.person(tx, who, person_id)
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
        register.edit_person(app.database, app.clock.now(), person_id=person.id, changes=changes, by=who.member_id)
    except RefusedInputError as refused:
        return _person_again(request, app, who, kept(form), person, refused)
    return go(f"/people/{person.id}")


@router.get("/people/{person_id}/erase")
def ask_whether_to_erase(request: Request, app: OpenApp, who: Owns, person_id: int) -> Response:
    with app.database.reading() as tx:
        person = owned.person(tx, who, person_id)
    return page(request, app, "sure.html", what="erase_person", name=person.label, back=f"/people/{person.id}")


@router.post("/people/{person_id}/erase")
def erase_person(app: OpenApp, who: Owns, person_id: int, _form: Filled) -> Response:
    with app.database.reading() as tx:
        owned.person(tx, who, person_id)
    erase.erase_person(app.database, app.clock.now(), person_id=person_id, by=who.member_id)
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
    with app.database.reading() as tx:
        person = owned.person(tx, who, person_id)
        has_some = bool(contacts.of_people(tx, [person.id]))
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
    with app.database.reading() as tx:
        owned.person(tx, who, person_id)
    try:
        how = _consent(typed(form, "consent"))
        contact_id = register.add_contact(
            app.database,
            app.keys,
            app.clock.now(),
            channel=_channel(app, typed(form, "channel")),
            address=typed(form, "address"),
            person_id=person_id,
            is_family=typed(form, "whose") == "family",
            consent_how=how,
            consent_by=(typed(form, "consent_by") or None) if how else None,
            by=who.member_id,
        )
    except RefusedInputError as refused:
        return _contact_form(request, app, who, person_id, kept(form), refused)
    with app.database.reading() as tx:
        has_card = bool(people.has_card(tx, person_id))
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
    with app.database.reading() as tx:
        contact = owned.contact(tx, app.keys, who, contact_id)
        person = None if contact.person_id is None else owned.person(tx, who, contact.person_id)
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
    with app.database.reading() as tx:
        contact = owned.contact(tx, app.keys, who, contact_id)
    if contact.member_id not in (None, who.member_id):
        # What a member hears by is theirs alone.
        raise NotFoundError(field="contact")
    database, keys, rules, now, by = app.database, app.keys, app.rules, app.clock.now(), who.member_id
    said_by = typed(form, "consent_by")
    try:
        match act:
            case "confirm":
                how = _consent(typed(form, "consent"))
                if how is None or not said_by:
                    raise RefusedInputError("consent_by_needed", field="consent_by")
                consent.confirm(database, now, contact_id=contact_id, how=how, said_by=said_by, by=by)
            case "stop":
                consent.stop(database, keys, rules, now, contact_id=contact_id, by=by)
            case "ask":
                consent.ask(database, keys, rules, now, contact_id=contact_id, told_by=said_by, by=by)
            case "practise":
                consent.practise(database, keys, rules, now, contact_id=contact_id, by=by)
            case "reached":
                consent.reached(database, now, contact_id=contact_id, by=by)
            case "erase":
                erase.erase_contact(database, now, contact_id=contact_id, by=by)
                return go("/settings" if contact.person_id is None else f"/people/{contact.person_id}")
            case _:
                raise NotFoundError("page_not_found")
    except NotFoundError:
        raise
    except RefusedInputError as refused:
        return _contact(request, app, who, contact_id, refused)
    return go(f"/contacts/{contact_id}" if contact.person_id is None else f"/people/{contact.person_id}")


# Paper.


@router.get("/people/{person_id}/print/{sheet}")
def print_sheet(
    request: Request, app: OpenApp, who: Sees, person_id: int, sheet: str, card: int | None = None
) -> HTMLResponse:
    """A sheet of paper; for the letter with `card`."""
    if sheet not in SHEETS:
        raise NotFoundError("page_not_found")
    now = app.clock.now()
    with app.database.reading() as tx:
        person = owned.person(tx, who, person_id)
        group = owned.group(tx, who)
        row = standing(tx, app.rules, now, group, [person.id])[0]
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
                today=japan_date(now),
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
