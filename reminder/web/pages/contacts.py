"""Pages about one contact of a person."""

from collections.abc import Mapping

from fastapi import Request
from fastapi.responses import HTMLResponse, Response

from reminder.channels import registry
from reminder.domain.model.access import Actor
from reminder.domain.model.people import ChannelName, ConsentHow
from reminder.enrolment import consent, register
from reminder.errors import NotFoundError, RefusedInputError, UnknownChoiceError
from reminder.storage.auth import authorized
from reminder.storage.registry import contacts, people
from reminder.upkeep.privacy import erasure
from reminder.web.declared import Asks, declares
from reminder.web.pages.people import _own_or_of_a_person, router
from reminder.web.support.authorization import Changes, Filled, OpenApp, Sees, signed_links
from reminder.web.support.confirmation import Confirmed
from reminder.web.support.rendering import go, kept, page, problem_of, typed
from reminder.wiring import App


@router.get("/people/{person_id}/contacts/new")
def ask_for_contact(request: Request, app: OpenApp, who: Changes, person_id: int) -> Response:
    """Show the form for a new contact."""
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
        person = authorized.person(uow.tx, who, person_id)
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
@declares(logs=["contact_added"])
def add_contact(request: Request, app: OpenApp, who: Changes, person_id: int, form: Filled) -> Response:
    """Add the contact."""
    try:
        how = _consent(typed(form, "consent"))
        with app.writing() as uow:
            authorized.person(uow.tx, who, person_id)
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
    """Show one contact."""
    return _contact(request, app, who, contact_id)


def _contact(
    request: Request, app: App, who: Actor, contact_id: int, refused: RefusedInputError | None = None
) -> HTMLResponse:
    with app.reading() as uow:
        contact = authorized.contact(uow.tx, uow.keys, who, contact_id)
        person = None if contact.person_id is None else authorized.person(uow.tx, who, contact.person_id)
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


@router.post("/contacts/{contact_id}/erase")
@declares(asks=Asks.ERASE, logs=["contact_erased"])
def erase_contact(app: OpenApp, who: Changes, contact_id: int, _form: Confirmed) -> Response:
    """Erase a contact."""
    with app.reading() as uow:
        contact = _own_or_of_a_person(uow, who, contact_id)
    erasure.erase_contact(app.units, app.clock.now(), contact_id=contact_id, by=who.member_id)
    return go("/settings" if contact.person_id is None else f"/people/{contact.person_id}")


@router.post("/contacts/{contact_id}/{act}")
@declares(logs=["contact_confirmed", "contact_stopped", "consent_asked", "test_called", "contact_verified"])
def act_on_contact(request: Request, app: OpenApp, who: Changes, contact_id: int, act: str, form: Filled) -> Response:
    """Act on a contact; `act`: confirm, stop, ask, test-call or verify."""
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
                    consent.ask(uow, contact_id=contact_id, told_by=said_by, by=by, links=signed_links(app))
                case "test-call":
                    consent.make_test_call(uow, contact_id=contact_id, by=by)
                case "verify":
                    consent.verify(uow, contact_id=contact_id, by=by)
                case _:
                    raise NotFoundError("page_not_found")
    except NotFoundError:
        raise
    except RefusedInputError as refused:
        return _contact(request, app, who, contact_id, refused)
    return go(f"/contacts/{contact_id}" if contact.person_id is None else f"/people/{contact.person_id}")
