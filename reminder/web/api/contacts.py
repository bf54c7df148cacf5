"""Contacts in the API: phones and addresses, and whether their owners agreed to get messages."""

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import ConfigDict, Field

from reminder.domain.model.people import ConsentHow, ContactState
from reminder.domain.parsing.addresses import LONGEST_EMAIL
from reminder.domain.parsing.addresses import shown as masked
from reminder.enrolment import consent, register
from reminder.errors import NotFoundError
from reminder.storage.auth import authorized
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.registry import contacts
from reminder.storage.registry.contacts import ContactView
from reminder.storage.runtime import activity_log
from reminder.upkeep.privacy import erasure
from reminder.web.api.operation import PREFIX, Caller, Changes, Operation, Owns, Sees
from reminder.web.api.shapes import GUARDED, Channel, Id, In, Instant, Listed, Out, Paged, part
from reminder.web.declared import declares
from reminder.web.support.authorization import signed_links

router = APIRouter(prefix=PREFIX, tags=["contacts"], route_class=Operation)

# A reply is only ever their own text.
How = Annotated[
    Literal["spoken", "written", "agent"],
    Field(description="How its owner agreed; `agent`: by who may legally decide for them."),
]
By = Annotated[str, Field(min_length=1, max_length=40, description="Who asked them, in a word: 長女, 事務."), GUARDED]


class ContactIn(In):
    """A new phone or address. Without consent nothing is sent there."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"channel": "sms", "address": "090-0000-0001", "consent": "spoken", "consent_by": "長女"}]
        }
    )
    channel: Channel
    address: Annotated[str, Field(min_length=1, max_length=LONGEST_EMAIL, description="As people write it.")]
    family: Annotated[bool, Field(description="It belongs to a relative of the person.")] = False
    consent: How | None = None
    consent_by: By | None = None


class ConsentIn(In):
    """The way in which its owner has agreed, or confirmed that they can be reached there again."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"consent": "spoken", "consent_by": "長女"}]})
    consent: How
    consent_by: By


class AskIn(In):
    """The person who has announced to its owner that a text will ask for 1 or 2."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"told_by": "長女"}]})
    told_by: By


class ContactOut(Out):
    """A phone or address. In lists, and after every act, `address` is masked; only `GET /contacts/{id}` shows it."""

    id: int
    person_id: int | None
    member_id: int | None
    family: bool
    channel: Channel
    address: str
    state: ContactState
    reached_at: Instant | None


class AskedOut(ContactOut):
    """A contact, and when the text that asks will be sent."""

    send_at: Instant


@router.get("/people/{person_id}/contacts")
def list_contacts(caller: Sees, person_id: Id, page: Paged) -> Listed[ContactOut]:
    """List a person's own contacts and their family's, with masked addresses."""
    with caller.reading() as uow:
        authorized.person(uow.tx, caller.who, person_id)
        found = contacts.some_of_person(uow.tx, uow.keys, person_id, after=page.after, limit=page.limit + 1)
    rows, after = part(found, page.limit)
    return Listed(items=[shown(row) for row in rows], next=after)


@router.post("/people/{person_id}/contacts", status_code=201)
@declares(logs=["contact_added"])
def add_contact(caller: Changes, person_id: Id, given: ContactIn) -> ContactOut:
    """Add a phone or address of a person or of their family."""
    with caller.writing() as uow:
        authorized.person(uow.tx, caller.who, person_id)
        contact_id = register.add_contact(
            uow,
            channel=given.channel,
            address=given.address,
            person_id=person_id,
            is_family=given.family,
            consent_how=None if given.consent is None else ConsentHow(given.consent),
            consent_by=given.consent_by,
            by=caller.who.member_id,
        )
        return shown(_look_up(uow, caller, contact_id))


@router.get("/contacts/{contact_id}")
@declares(logs=["address_read"])
def get_contact(caller: Sees, contact_id: Id) -> ContactOut:
    """Get one contact with its whole address; the activity log keeps that it was read."""
    with caller.writing() as uow:
        contact = _look_up(uow, caller, contact_id)
        activity_log.write(
            uow.tx,
            "address_read",
            uow.now,
            group_id=caller.who.group_id,
            member_id=caller.who.member_id,
            contact_id=contact_id,
        )
    return shown(contact).model_copy(update={"address": contact.address})


@router.delete("/contacts/{contact_id}", status_code=204)
@declares(logs=["contact_erased"])
def erase_contact(caller: Owns, contact_id: Id) -> None:
    """Erase a contact of a person. This cannot be undone. A member's contact is erased with the member."""
    with caller.reading() as uow:
        if _look_up(uow, caller, contact_id).person_id is None:
            raise NotFoundError(field="contact")
    erasure.erase_contact(caller.app.units, caller.app.clock.now(), contact_id=contact_id, by=caller.who.member_id)


@router.post("/contacts/{contact_id}/confirm")
@declares(logs=["contact_confirmed"])
def confirm_contact(caller: Changes, contact_id: Id, given: ConsentIn) -> ContactOut:
    """Record that its owner has agreed, or is reached there again. A "no" by text is taken back only by a text."""
    with caller.writing() as uow:
        _look_up(uow, caller, contact_id)
        consent.confirm(
            uow,
            contact_id=contact_id,
            how=ConsentHow(given.consent),
            said_by=given.consent_by,
            by=caller.who.member_id,
        )
        return shown(_look_up(uow, caller, contact_id))


@router.post("/contacts/{contact_id}/stop")
@declares(logs=["contact_stopped"])
def stop_contact(caller: Changes, contact_id: Id) -> ContactOut:
    """Stop a contact, because its owner wants no more messages. A second call changes nothing."""
    with caller.writing() as uow:
        _look_up(uow, caller, contact_id)
        consent.stop(uow, contact_id=contact_id, by=caller.who.member_id)
        return shown(_look_up(uow, caller, contact_id))


@router.post("/contacts/{contact_id}/ask")
@declares(logs=["consent_asked"])
def ask_contact(caller: Changes, contact_id: Id, given: AskIn) -> AskedOut:
    """Ask its owner by a text whether they want messages; needs texts that can be answered."""
    with caller.writing() as uow:
        _look_up(uow, caller, contact_id)
        links = signed_links(caller.app)
        send_at = consent.ask(uow, contact_id=contact_id, told_by=given.told_by, by=caller.who.member_id, links=links)
        return AskedOut(**shown(_look_up(uow, caller, contact_id)).model_dump(), send_at=send_at)


@router.post("/contacts/{contact_id}/verify")
@declares(logs=["contact_verified"])
def verify_contact(caller: Changes, contact_id: Id) -> ContactOut:
    """Record that somebody has made sure that it is still theirs."""
    with caller.writing() as uow:
        _look_up(uow, caller, contact_id)
        consent.verify(uow, contact_id=contact_id, by=caller.who.member_id)
        return shown(_look_up(uow, caller, contact_id))


def _look_up(uow: UnitOfWork, caller: Caller, contact_id: int) -> ContactView:
    """Return the contact. Raises NotFoundError for a contact of another group."""
    return authorized.contact(uow.tx, uow.keys, caller.who, contact_id)


def shown(contact: ContactView) -> ContactOut:
    """Return the contact with a masked address."""
    return ContactOut(
        id=contact.id,
        person_id=contact.person_id,
        member_id=contact.member_id,
        family=contact.is_family,
        channel=contact.channel,
        address=masked(contact.address),
        state=contact.state,
        reached_at=contact.reached_at,
    )
