"""Addresses of pages that need no sign-in: each acts for one contact, and only our own key ring can make it.

Each shows a button; nothing happens by looking, for mail scanners follow every link.
"""

from dataclasses import dataclass

from reminder.errors import NotFoundError
from reminder.storage.keys import KeyRing

STOP, TAKE, REACHED = "stop", "take", "reached"


@dataclass(frozen=True)
class Links:
    """`in_carer_mail`: the operator allows links in e-mails to carers. None is made without a public address."""

    keys: KeyRing
    public_url: str | None
    in_carer_mail: bool = False

    def stop(self, contact_id: int) -> str | None:
        """Behind an e-mail's one-click "stop"; the same for every mail to this contact."""
        return self._page(STOP, str(contact_id))

    def take(self, card_id: int, contact_id: int) -> str | None:
        """For a carer who sees to a card."""
        return self._page(TAKE, f"{card_id}/{contact_id}") if self.in_carer_mail else None

    def reached(self, contact_id: int) -> str | None:
        """For a carer who proves once a year that mail still arrives."""
        return self._page(REACHED, str(contact_id)) if self.in_carer_mail else None

    def months(self) -> str | None:
        """For a home's staff: this month and the next. It acts for nobody; who opens it signs in."""
        return f"{self.public_url}/months" if self.in_carer_mail and self.public_url is not None else None

    def _page(self, act: str, about: str) -> str | None:
        return None if self.public_url is None else f"{self.public_url}/{act}/{about}/{self.keys.sign(about, act)}"


def require_mark(keys: KeyRing, act: str, about: str, mark: str) -> None:
    """Raises NotFoundError for an address we did not make."""
    if not keys.is_signed(about, act, mark):
        raise NotFoundError("page_not_found")
