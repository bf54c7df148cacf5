"""Erasing: a person, a contact, a card or a whole group is gone at once, and nothing that waits speaks of it any more.

The journal keeps that it was done, by ids only.
"""

from datetime import datetime

from reminder.errors import NotFoundError
from reminder.storage.db.session import Tx
from reminder.storage.db.unit_of_work import UnitOfWork, UnitsOfWork
from reminder.storage.maintenance import erasure
from reminder.storage.registry import cards, contacts, groups, people
from reminder.storage.registry.people import PersonView
from reminder.storage.reminders import digests
from reminder.storage.runtime import activity_log, heartbeats


def erase_person(units: UnitsOfWork, now: datetime, *, person_id: int, by: int | None = None) -> None:
    """With their cards, their contacts, what was sent to them and what they answered. `by`: the member who does this,
    for the journal; None at the console. Raises NotFoundError."""
    with units.writing(now) as uow:
        person = _person(uow.tx, person_id, field="person")
        card_ids, contact_ids = erasure.cards_of(uow.tx, person_id), erasure.contacts_of(uow.tx, person_id)
        to_them = erasure.to_contacts(uow.tx, contact_ids)
        spoken = erasure.about(uow.tx, person_id=person_id, card_ids=card_ids, contact_ids=contact_ids)
        _forget_words(uow, spoken - to_them)
        erasure.delete_messages(uow.tx, to_them)
        erasure.person(uow.tx, person_id)
        _keep_that_done(uow, "person_erased", group_id=person.group_id, person_id=person_id, member_id=by)
        uow.note_erasure()


def erase_contact(units: UnitsOfWork, now: datetime, *, contact_id: int, by: int | None = None) -> None:
    """With what was sent there and answered from there; who is told instead is planned anew. Raises NotFoundError."""
    with units.writing(now) as uow:
        group_id = contacts.group_of(uow.tx, contact_id)
        if group_id is None:
            raise NotFoundError(field="contact")
        groups.lock(uow.tx, group_id)
        if contacts.group_of(uow.tx, contact_id) is None:
            raise NotFoundError(field="contact")
        to_it = erasure.to_contacts(uow.tx, [contact_id])
        _forget_words(uow, erasure.about(uow.tx, contact_ids=[contact_id]) - to_it)
        _ask_anew(uow, erasure.waiting(uow.tx, to_it))
        erasure.delete_messages(uow.tx, to_it)
        erasure.contact(uow.tx, contact_id)
        cards.schedule_replan_of_group(uow.tx, group_id, uow.today)
        _keep_that_done(uow, "contact_erased", group_id=group_id, contact_id=contact_id, member_id=by)
        uow.note_erasure()


def erase_card(units: UnitsOfWork, now: datetime, *, card_id: int, by: int | None = None) -> None:
    """As if it had never been registered. Cards that lived in it, or were told with it, are looked at again. Raises
    NotFoundError."""
    with units.writing(now) as uow:
        card = cards.find(uow.tx, card_id)
        if card is None:
            raise NotFoundError(field="card")
        person = _person(uow.tx, card.person_id, field="card")
        if cards.find(uow.tx, card_id) is None:
            raise NotFoundError(field="card")
        _forget_words(uow, erasure.about(uow.tx, card_ids=[card_id]))
        erasure.card(uow.tx, card_id)
        # Others may have lived in it or ended with it.
        cards.schedule_replan_of_person(uow.tx, person.id, uow.today)
        ids = {"group_id": person.group_id, "person_id": person.id, "card_id": card_id}
        _keep_that_done(uow, "card_erased", **ids, member_id=by)
        uow.note_erasure()


def erase_group(units: UnitsOfWork, now: datetime, *, group_id: int, by: int | None = None) -> None:
    """With everybody in it, its invitations, tokens, calendars and members, and the accounts of those who are then in
    no group. Raises NotFoundError."""
    with units.writing(now) as uow:
        groups.lock(uow.tx, group_id)
        if groups.find(uow.tx, group_id) is None:
            raise NotFoundError(field="group")
        erasure.group(uow.tx, group_id)
        _keep_that_done(uow, "group_erased", group_id=group_id, member_id=by)
        uow.note_erasure()


def _person(tx: Tx, person_id: int, *, field: str) -> PersonView:
    """As they are once nobody else plans, changes or erases them."""
    found = people.find(tx, person_id)
    if found is not None:
        groups.lock(tx, found.group_id)
        found = people.find(tx, person_id)
    if found is None:
        raise NotFoundError(field=field)
    return found


def _forget_words(uow: UnitOfWork, message_ids: set[int]) -> None:
    """What else the forgotten messages were to tell, or to ask, is told and asked anew."""
    untold = erasure.erase_bodies(uow.tx, message_ids, uow.now)
    cards.schedule_replan_of_messages(uow.tx, untold.cancelled + untold.uncertain, uow.today)
    _ask_anew(uow, untold.cancelled)
    digests.restart_if_lost(uow.tx, untold.cancelled)


def _ask_anew(uow: UnitOfWork, message_ids: list[int]) -> None:
    """These were to ask a human about cards of which nobody has said anything, and do not any more."""
    cards.restart_escalation(uow.tx, erasure.cards_asked_about(uow.tx, message_ids), uow.today)


def _keep_that_done(uow: UnitOfWork, act: str, **ids: int | None) -> None:
    activity_log.write(uow.tx, act, uow.now, **ids)
    # Once a day a file in which something was erased is written anew.
    heartbeats.record(uow.tx, heartbeats.ERASED, uow.now)
