"""The rows that an actor may see: those of the actor's group. Every other row raises NotFoundError.

No row is protected by an id that is hard to guess.
"""

from sqlalchemy.orm import Session

from reminder.domain.model.access import Actor
from reminder.domain.model.people import GroupKind
from reminder.errors import NotFoundError
from reminder.storage.auth import accounts
from reminder.storage.crypto.keyring import KeyRing
from reminder.storage.db import row_security
from reminder.storage.registry import cards, contacts, groups, imports, people
from reminder.storage.registry.cards import CardView
from reminder.storage.registry.contacts import ContactView
from reminder.storage.registry.groups import GroupView
from reminder.storage.registry.imports import ImportView
from reminder.storage.registry.people import PersonView


def group(tx: Session, who: Actor) -> GroupView:
    """Return the actor's group; raises NotFoundError."""
    found = groups.find(tx, who.group_id)
    if found is None:
        raise NotFoundError(field="group")
    return found


def homes(tx: Session, keys: KeyRing, who: Actor, account_id: int) -> list[GroupView]:
    """Return the actor's home and the other homes of its organisation, by their names.

    Only homes in which the account is a member are returned; the transaction acts for these too from now on.
    """
    row_security.include_account(tx, account_id)
    here = group(tx, who)
    mine = groups.by_id(tx, [one.group_id for one in accounts.memberships(tx, keys, account_id)])
    others = [
        one
        for one in mine.values()
        if one.id != here.id and here.organisation and one.organisation == here.organisation
    ]
    return sorted([here, *(one for one in others if one.kind is GroupKind.HOME)], key=lambda one: (one.name, one.id))


def person(tx: Session, who: Actor, person_id: int) -> PersonView:
    """Return a person of the actor's group; raises NotFoundError."""
    found = people.find(tx, person_id)
    if found is None or found.group_id != who.group_id:
        raise NotFoundError(field="person")
    return found


def card(tx: Session, who: Actor, card_id: int) -> tuple[CardView, PersonView]:
    """Return a card of the actor's group, also a retired one, with its person; raises NotFoundError."""
    found = cards.find(tx, card_id)
    whose = None if found is None else people.find(tx, found.person_id)
    if found is None or whose is None or whose.group_id != who.group_id:
        raise NotFoundError(field="card")
    return found, whose


def contact(tx: Session, keys: KeyRing, who: Actor, contact_id: int) -> ContactView:
    """Return a contact of the actor's group; raises NotFoundError."""
    found = contacts.owned_by_group(tx, keys, who.group_id, contact_id)
    if found is None:
        raise NotFoundError(field="contact")
    return found


def sheet_import(tx: Session, who: Actor, import_id: int) -> ImportView:
    """Return an import of the actor's group; raises NotFoundError."""
    found = imports.find(tx, import_id)
    if found is None or found.group_id != who.group_id:
        raise NotFoundError(field="import")
    return found


def member(tx: Session, who: Actor, member_id: int) -> None:
    """Raise NotFoundError for a member of another group."""
    if groups.group_of_member(tx, member_id) != who.group_id:
        raise NotFoundError(field="member")
