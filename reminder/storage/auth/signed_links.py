"""Addresses of pages that need no sign-in: each acts for one contact, and only our own key ring can make it.

Each shows a button; nothing happens by looking, for mail scanners follow every link.
"""

from collections.abc import Callable
from dataclasses import dataclass

from reminder.domain.parsing.bounces import return_path
from reminder.errors import NotFoundError
from reminder.storage.crypto.keyring import KeyRing

STOP, ASSIGN, VERIFY, BOUNCE = "stop", "take", "reached", "bounce"


@dataclass(frozen=True)
class SignedLinks:
    """`in_carer_mail`: the operator allows links in e-mails to carers. None is made without a public address."""

    keys: KeyRing
    public_url: str | None
    in_carer_mail: bool = False

    def stop(self, contact_id: int) -> str | None:
        """Behind an e-mail's one-click "stop"; the same for every mail to this contact."""
        return self._page(STOP, str(contact_id))

    def take(self, card_id: int, contact_id: int) -> str | None:
        """For a carer who sees to a card."""
        return self._page(ASSIGN, f"{card_id}/{contact_id}") if self.in_carer_mail else None

    def reached(self, contact_id: int) -> str | None:
        """For a carer who proves once a year that mail still arrives."""
        return self._page(VERIFY, str(contact_id)) if self.in_carer_mail else None

    def months(self) -> str | None:
        """For a home's staff: this month and the next. It acts for nobody; who opens it signs in."""
        return f"{self.public_url}/months" if self.in_carer_mail and self.public_url is not None else None

    def bounces(self) -> str | None:
        """Where a mail server posts what came back. It names nobody, so knowing it is the permission."""
        return None if self.public_url is None else f"{self.public_url}/webhooks/mail/bounce/{bounces_mark(self.keys)}"

    def _page(self, act: str, about: str) -> str | None:
        return None if self.public_url is None else f"{self.public_url}/{act}/{about}/{self.keys.sign(about, act)}"


def bounces_mark(keys: KeyRing) -> str:
    return keys.sign("all", BOUNCE)


def is_bounces_mark(keys: KeyRing, mark: str) -> bool:
    return keys.is_signed("all", BOUNCE, mark)


def return_path_of(keys: KeyRing, bounce_address: str) -> Callable[[int], str]:
    """By message id, where its bounces are sent to."""
    return lambda message_id: return_path(bounce_address, message_id, keys.sign(str(message_id), BOUNCE))


def require_mark(keys: KeyRing, act: str, about: str, mark: str) -> None:
    """Raises NotFoundError for an address we did not make."""
    if not keys.is_signed(about, act, mark):
        raise NotFoundError("page_not_found")
