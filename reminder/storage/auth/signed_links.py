"""Signed links: addresses of pages without a sign-in. Each acts for one contact, and only our key ring can make it.

Each page shows a button; a GET changes nothing, because mail scanners follow every link.
"""

from collections.abc import Callable
from dataclasses import dataclass

from reminder.domain.parsing.bounces import return_path
from reminder.errors import NotFoundError
from reminder.storage.crypto.keyring import KeyRing

STOP, ASSIGN, VERIFY, AGREE, BOUNCE = "stop", "take", "reached", "agree", "bounce"


@dataclass(frozen=True)
class SignedLinks:
    """A factory of signed links, which returns none without a public address.

    `in_carer_mail`: the operator allows links in e-mails to carers.
    """

    keys: KeyRing
    public_url: str | None
    in_carer_mail: bool = False

    def stop(self, contact_id: int) -> str | None:
        """Return the target of an e-mail's one-click "stop"; the same for every mail to this contact."""
        return self._page(STOP, str(contact_id))

    def take(self, card_id: int, contact_id: int) -> str | None:
        """Return the link with which a carer assigns a card to themselves."""
        return self._page(ASSIGN, f"{card_id}/{contact_id}") if self.in_carer_mail else None

    def reached(self, contact_id: int) -> str | None:
        """Return the link with which a carer proves once a year that mail still arrives."""
        return self._page(VERIFY, str(contact_id)) if self.in_carer_mail else None

    def agree(self, contact_id: int) -> str | None:
        """Return the link with which the owner of an e-mail address agrees to messages of a group on trial."""
        return self._page(AGREE, str(contact_id))

    def months(self) -> str | None:
        """Return the link to the monthly plan, for a home's staff. It acts for nobody; its reader signs in."""
        return f"{self.public_url}/months" if self.in_carer_mail and self.public_url is not None else None

    def bounces(self) -> str | None:
        """Return the address to which a mail server posts bounces. Knowledge of it is the permission."""
        return None if self.public_url is None else f"{self.public_url}/webhooks/mail/bounce/{bounces_mark(self.keys)}"

    def _page(self, act: str, about: str) -> str | None:
        return None if self.public_url is None else f"{self.public_url}/{act}/{about}/{self.keys.sign(about, act)}"


def bounces_mark(keys: KeyRing) -> str:
    """Return the signature in the address for bounces."""
    return keys.sign("all", BOUNCE)


def is_bounces_mark(keys: KeyRing, mark: str) -> bool:
    """Return whether this is the signature in the address for bounces."""
    return keys.is_signed("all", BOUNCE, mark)


def return_path_of(keys: KeyRing, bounce_address: str) -> Callable[[int], str]:
    """Return a function from a message id to the return path of its bounces."""
    return lambda message_id: return_path(bounce_address, message_id, keys.sign(str(message_id), BOUNCE))


def require_mark(keys: KeyRing, act: str, about: str, mark: str) -> None:
    """Raise NotFoundError for an address that we did not sign."""
    if not keys.is_signed(about, act, mark):
        raise NotFoundError("page_not_found")
