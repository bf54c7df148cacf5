"""Erasing: a person, a contact, a card or a whole group is gone at once, and nothing that waits speaks of it any more.

The journal keeps that it was done, by ids only.
"""

from datetime import datetime

from reminder.clock import japan_date
from reminder.errors import NotFoundError
from reminder.storage import cards, contacts, digests, forgetting, groups, health, journal, people
from reminder.storage.people import PersonView
from reminder.storage.session import Database, Tx


def erase_person(database: Database, now: datetime, *, person_id: int, by: int | None = None) -> None:
    """With their cards, their contacts, what was sent to them and what they answered. `by`: the member who does this,
    for the journal; None at the console. Raises NotFoundError."""
    with database.writing() as tx:
        person = _person(tx, person_id, field="person")
        card_ids, contact_ids = forgetting.cards_of(tx, person_id), forgetting.contacts_of(tx, person_id)
        to_them = forgetting.to_contacts(tx, contact_ids)
        spoken = forgetting.about(tx, person_id=person_id, card_ids=card_ids, contact_ids=contact_ids)
        _forget_words(tx, spoken - to_them, now)
        forgetting.delete_messages(tx, to_them)
        forgetting.person(tx, person_id)
        _keep_that_done(tx, "person_erased", now, group_id=person.group_id, person_id=person_id, member_id=by)
    database.empty_log()


def erase_contact(database: Database, now: datetime, *, contact_id: int, by: int | None = None) -> None:
    """With what was sent there and answered from there; who is told instead is planned anew. Raises NotFoundError."""
    with database.writing() as tx:
        group_id = contacts.group_of(tx, contact_id)
        if group_id is None:
            raise NotFoundError(field="contact")
        groups.lock(tx, group_id)
        if contacts.group_of(tx, contact_id) is None:
            raise NotFoundError(field="contact")
        to_it = forgetting.to_contacts(tx, [contact_id])
        _forget_words(tx, forgetting.about(tx, contact_ids=[contact_id]) - to_it, now)
        _ask_anew(tx, forgetting.waiting(tx, to_it), now)
        forgetting.delete_messages(tx, to_it)
        forgetting.contact(tx, contact_id)
        cards.look_again_at_group(tx, group_id, japan_date(now))
        _keep_that_done(tx, "contact_erased", now, group_id=group_id, contact_id=contact_id, member_id=by)
    database.empty_log()


def erase_card(database: Database, now: datetime, *, card_id: int, by: int | None = None) -> None:
    """As if it had never been registered. Cards that lived in it, or were told with it, are looked at again. Raises
    NotFoundError."""
    with database.writing() as tx:
        card = cards.find(tx, card_id)
        person = _person(tx, 0 if card is None else card.person_id, field="card")
        if cards.find(tx, card_id) is None:
            raise NotFoundError(field="card")
        _forget_words(tx, forgetting.about(tx, card_ids=[card_id]), now)
        forgetting.card(tx, card_id)
        # Others may have lived in it or ended with it.
        cards.look_again_at_person(tx, person.id, japan_date(now))
        ids = {"group_id": person.group_id, "person_id": person.id, "card_id": card_id}
        _keep_that_done(tx, "card_erased", now, **ids, member_id=by)
    database.empty_log()


def erase_group(database: Database, now: datetime, *, group_id: int, by: int | None = None) -> None:
    """With everybody in it, its invitations, tokens, calendars and members, and the accounts of those who are then in
    no group. Raises NotFoundError."""
    with database.writing() as tx:
        groups.lock(tx, group_id)
        if groups.find(tx, group_id) is None:
            raise NotFoundError(field="group")
        forgetting.group(tx, group_id)
        _keep_that_done(tx, "group_erased", now, group_id=group_id, member_id=by)
    database.empty_log()


def _person(tx: Tx, person_id: int, *, field: str) -> PersonView:
    """As they are once nobody else plans, changes or erases them."""
    found = people.find(tx, person_id)
    if found is not None:
        groups.lock(tx, found.group_id)
        found = people.find(tx, person_id)
    if found is None:
        raise NotFoundError(field=field)
    return found


def _forget_words(tx: Tx, message_ids: set[int], now: datetime) -> None:
    """What else the forgotten messages were to tell, or to ask, is told and asked anew."""
    untold = forgetting.forget_words(tx, message_ids, now)
    cards.look_again_at_told(tx, untold.cancelled + untold.uncertain, japan_date(now))
    _ask_anew(tx, untold.cancelled, now)
    digests.make_again(tx, untold.cancelled)


def _ask_anew(tx: Tx, message_ids: list[int], now: datetime) -> None:
    """These were to ask a human about cards of which nobody has said anything, and do not any more."""
    cards.ask_again(tx, forgetting.cards_asked_about(tx, message_ids), japan_date(now))


def _keep_that_done(tx: Tx, act: str, now: datetime, **ids: int | None) -> None:
    journal.write(tx, act, now, **ids)
    # Once a day a file in which something was erased is written anew.
    health.beat(tx, health.ERASED, now)
