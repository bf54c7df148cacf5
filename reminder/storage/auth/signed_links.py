"""Signed links: addresses of pages without a sign-in. Each acts for one contact, and only we can make it.

Each page shows a button; a GET changes nothing, because mail scanners follow every link. A link holds a reference
(storage/crypto/references.py). One of a mail from before references holds ids with a signature of the key ring: it goes
on working for what was there then, and for nothing that was added since.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from reminder.domain.parsing.bounces import return_path
from reminder.errors import NotFoundError
from reminder.storage.crypto import references
from reminder.storage.crypto.keyring import KeyRing
from reminder.storage.db import row_security
from reminder.storage.db.tables import Contact

STOP, ASSIGN, VERIFY = references.STOP, references.ASSIGN, references.VERIFY
AGREE, BOUNCE = references.AGREE, "bounce"


@dataclass(frozen=True)
class SignedLinks:
    """A factory of signed links, which returns none without a public address.

    `in_carer_mail`: the operator allows links in e-mails to carers. `added_at`: when the contact was added.
    """

    keys: KeyRing
    public_url: str | None
    in_carer_mail: bool = False

    def stop(self, contact_id: int, added_at: datetime) -> str | None:
        """Return the target of an e-mail's one-click "stop"; the same for every mail to this contact."""
        return self._page(STOP, [contact_id], added_at)

    def take(self, card_id: int, contact_id: int, added_at: datetime) -> str | None:
        """Return the link with which a carer assigns a card to themselves."""
        return self._page(ASSIGN, [card_id, contact_id], added_at) if self.in_carer_mail else None

    def reached(self, contact_id: int, added_at: datetime) -> str | None:
        """Return the link with which a carer proves once a year that mail still arrives."""
        return self._page(VERIFY, [contact_id], added_at) if self.in_carer_mail else None

    def agree(self, contact_id: int, added_at: datetime) -> str | None:
        """Return the link with which the owner of an e-mail address agrees to messages of a group on trial."""
        return self._page(AGREE, [contact_id], added_at)

    def months(self) -> str | None:
        """Return the link to the monthly plan, for a home's staff. It acts for nobody; its reader signs in."""
        return f"{self.public_url}/months" if self.in_carer_mail and self.public_url is not None else None

    def bounces(self) -> str | None:
        """Return the address to which a mail server posts bounces. Knowledge of it is the permission."""
        return None if self.public_url is None else f"{self.public_url}/webhooks/mail/bounce/{bounces_mark(self.keys)}"

    def _page(self, act: str, ids: list[int], added_at: datetime) -> str | None:
        if self.public_url is None:
            return None
        return f"{self.public_url}/{act}/{self.keys.references.make(act, ids, added_at)}"


class LinkTarget(NamedTuple):
    """What a link acts for; `card_id` is None where it concerns no card."""

    contact_id: int
    card_id: int | None


def bounces_mark(keys: KeyRing) -> str:
    """Return the signature in the address for bounces."""
    return keys.sign("all", BOUNCE)


def is_bounces_mark(keys: KeyRing, mark: str) -> bool:
    """Return whether this is the signature in the address for bounces."""
    return keys.is_signed("all", BOUNCE, mark)


def return_path_of(bounce_address: str) -> Callable[[str], str]:
    """Return a function from the reference of a message to the return path of its bounces."""
    return lambda reference: return_path(bounce_address, reference)


def target(tx: Session, keys: KeyRing, act: str, named: str) -> LinkTarget:
    """Return what the link of a mail acts for. `named`: what follows the act in its address.

    Raises NotFoundError for an address that we did not make, or whose contact is gone.
    """
    read = _of_before if "/" in named else _of_reference
    found = read(tx, keys, act, named)
    if found is None:
        raise NotFoundError("page_not_found")
    return found


def _of_reference(tx: Session, keys: KeyRing, act: str, named: str) -> LinkTarget | None:
    referred = keys.references.read(act, named, ids=2 if act == ASSIGN else 1)
    if referred is None:
        return None
    *card, contact_id = referred.ids
    added_at = _added_at(tx, contact_id)
    if added_at is None or not referred.was_made(added_at):
        return None
    return LinkTarget(contact_id, card[0] if card else None)


def _of_before(tx: Session, keys: KeyRing, act: str, named: str) -> LinkTarget | None:
    about, _, mark = named.rpartition("/")
    *card, contact = about.split("/")
    numbers = [*card, contact]
    if len(card) != (act == ASSIGN) or not all(one.isascii() and one.isdigit() and len(one) < 19 for one in numbers):
        return None
    if not keys.is_signed(about, act, mark):
        return None
    added_at = _added_at(tx, int(contact))
    if added_at is None or not keys.references.is_older(added_at):
        return None
    return LinkTarget(int(contact), int(card[0]) if card else None)


def _added_at(tx: Session, contact_id: int) -> datetime | None:
    row_security.include_contact(tx, contact_id)
    return tx.execute(select(Contact.created_at).where(Contact.id == contact_id)).scalar_one_or_none()
