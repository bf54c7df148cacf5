"""The links of mails, as the worker of an app makes them: for tests that press their buttons."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select

from reminder.storage.auth.signed_links import SignedLinks
from reminder.storage.db.tables import Contact
from reminder.wiring import App


@dataclass(frozen=True)
class MailedLinks:
    """`public_url`: what stands in front of each; "" where a test asks the web application itself."""

    app: App
    public_url: str = ""

    def stop(self, contact_id: int) -> str:
        return str(self._made.stop(contact_id, self._added_at(contact_id)))

    def take(self, card_id: int, contact_id: int) -> str:
        return str(self._made.take(card_id, contact_id, self._added_at(contact_id)))

    def reached(self, contact_id: int) -> str:
        return str(self._made.reached(contact_id, self._added_at(contact_id)))

    @property
    def _made(self) -> SignedLinks:
        return SignedLinks(self.app.keys, self.public_url, in_carer_mail=True)

    def _added_at(self, contact_id: int) -> datetime:
        """Of a contact that is gone, or never was, some instant."""
        with self.app.database.reading() as tx:
            found = tx.execute(select(Contact.created_at).where(Contact.id == contact_id)).scalar_one_or_none()
        return found or datetime(2026, 12, 1, tzinfo=UTC)
