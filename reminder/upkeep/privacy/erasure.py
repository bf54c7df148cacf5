"""Erasure: deletes a person, contact, card or group at once; no waiting message mentions it any more.

The activity log keeps the fact, by ids only.
"""

from datetime import datetime, time

from reminder.domain.rules import hours
from reminder.errors import NotFoundError
from reminder.storage.db.session import Tx
from reminder.storage.db.unit_of_work import UnitOfWork, UnitsOfWork
from reminder.storage.maintenance import erasure
from reminder.storage.outbox import told_before
from reminder.storage.registry import cards, contacts, groups, people
from reminder.storage.registry.people import PersonView
from reminder.storage.reminders import digests
from reminder.storage.runtime import activity_log, heartbeats


def erase_person(units: UnitsOfWork, now: datetime, *, person_id: int, by: int | None = None) -> None:
    """Erase a person with their cards, contacts, messages and replies.

    `by`: the member who does this, for the activity log; None on the console. Raises NotFoundError.
    """
    with units.writing(now) as uow:
        person = _person(uow.tx, person_id, field="person")
        card_ids, contact_ids = erasure.cards_of(uow.tx, person_id), erasure.contacts_of(uow.tx, person_id)
        to_them = erasure.to_contacts(uow.tx, contact_ids)
        _keep_traces(uow, to_them)
        spoken = erasure.about(uow.tx, person_id=person_id, card_ids=card_ids, contact_ids=contact_ids)
        _erase_bodies(uow, spoken - to_them)
        erasure.delete_messages(uow.tx, to_them)
        erasure.person(uow.tx, person_id)
        _log_erasure(uow, "person_erased", group_id=person.group_id, person_id=person_id, member_id=by)
        uow.note_erasure()


def erase_contact(units: UnitsOfWork, now: datetime, *, contact_id: int, by: int | None = None) -> None:
    """Erase a contact with its messages and replies, and plan the reminders for others again. Raises NotFoundError."""
    with units.writing(now) as uow:
        group_id = contacts.group_of(uow.tx, contact_id)
        if group_id is None:
            raise NotFoundError(field="contact")
        groups.lock(uow.tx, group_id)
        if contacts.group_of(uow.tx, contact_id) is None:
            raise NotFoundError(field="contact")
        to_it = erasure.to_contacts(uow.tx, [contact_id])
        _keep_traces(uow, to_it)
        _erase_bodies(uow, erasure.about(uow.tx, contact_ids=[contact_id]) - to_it)
        _ask_anew(uow, erasure.waiting(uow.tx, to_it))
        erasure.delete_messages(uow.tx, to_it)
        erasure.contact(uow.tx, contact_id)
        cards.schedule_replan_of_group(uow.tx, group_id, uow.today)
        _log_erasure(uow, "contact_erased", group_id=group_id, contact_id=contact_id, member_id=by)
        uow.note_erasure()


def erase_card(units: UnitsOfWork, now: datetime, *, card_id: int, by: int | None = None) -> None:
    """Erase a card as if it had never been registered. Raises NotFoundError.

    Cards that depend on it, or were in one message with it, are planned again.
    """
    with units.writing(now) as uow:
        card = cards.find(uow.tx, card_id)
        if card is None:
            raise NotFoundError(field="card")
        person = _person(uow.tx, card.person_id, field="card")
        if cards.find(uow.tx, card_id) is None:
            raise NotFoundError(field="card")
        _erase_bodies(uow, erasure.about(uow.tx, card_ids=[card_id]))
        erasure.card(uow.tx, card_id)
        # Other cards may have depended on it or ended with it.
        cards.schedule_replan_of_person(uow.tx, person.id, uow.today)
        ids = {"group_id": person.group_id, "person_id": person.id, "card_id": card_id}
        _log_erasure(uow, "card_erased", **ids, member_id=by)
        uow.note_erasure()


def erase_group(units: UnitsOfWork, now: datetime, *, group_id: int, by: int | None = None) -> None:
    """Erase a group with its people, invitations, tokens, calendars and members. Raises NotFoundError.

    Accounts that are in no group after that are erased too.
    """
    with units.writing(now) as uow:
        groups.lock(uow.tx, group_id)
        if groups.find(uow.tx, group_id) is None:
            raise NotFoundError(field="group")
        erasure.group(uow.tx, group_id)
        _log_erasure(uow, "group_erased", group_id=group_id, member_id=by)
        uow.note_erasure()


def _person(tx: Tx, person_id: int, *, field: str) -> PersonView:
    """Return the person, locked so that nobody else plans, changes or erases them."""
    found = people.find(tx, person_id)
    if found is not None:
        groups.lock(tx, found.group_id)
        found = people.find(tx, person_id)
    if found is None:
        raise NotFoundError(field=field)
    return found


def _keep_traces(uow: UnitOfWork, message_ids: set[int]) -> None:
    """Keep for a day which words went where, so that whoever is entered again is not told the same twice."""
    told_before.keep_traces(uow.tx, uow.keys, message_ids, hours.instant(uow.today, time(0)))


def _erase_bodies(uow: UnitOfWork, message_ids: set[int]) -> None:
    """Plan again what else the erased messages were to say or to ask."""
    erased = erasure.erase_bodies(uow.tx, message_ids, uow.now)
    cards.schedule_replan_of_messages(uow.tx, erased.cancelled + erased.uncertain, uow.today)
    _ask_anew(uow, erased.cancelled)
    digests.restart_if_lost(uow.tx, erased.cancelled)


def _ask_anew(uow: UnitOfWork, message_ids: list[int]) -> None:
    """Ask again about the other cards of erased questions that nobody has answered yet."""
    cards.restart_escalation(uow.tx, erasure.escalated_cards(uow.tx, message_ids), uow.today)


def _log_erasure(uow: UnitOfWork, act: str, **ids: int | None) -> None:
    activity_log.write(uow.tx, act, uow.now, **ids)
    # Once a day a file in which something was erased is rewritten.
    heartbeats.record(uow.tx, heartbeats.ERASED, uow.now)
