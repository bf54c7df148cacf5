"""The client of Twilio's SMS: it hands a message over, and asks for its outcome."""

from collections.abc import Collection
from datetime import UTC, datetime

from twilio.base import values
from twilio.base.page import Page
from twilio.rest import Client
from twilio.rest.api.v2010.account.message import MessageInstance

from reminder.channels.twilio.transport import (
    CLOCK_SLACK,
    FAILURES,
    Transport,
    address_of,
    asking_failed,
    fate_of,
    following,
    last_answer,
    meaning,
    report_of,
    words_of,
)
from reminder.channels.twilio.webhooks import read_listed_text
from reminder.domain.model.messages import Accepted, ListedEntries, ListedEntry, Outgoing, ProviderReport
from reminder.domain.model.provider_history import HistoryPage, ListedFate, ListedText
from reminder.errors import TemporaryChannelError, UnknownOutcomeError

# A text that waited longer than four hours would arrive in the evening; our own schedule decides about that.
VALID_SECONDS = 4 * 60 * 60

PAGE_SIZE = 100
MOST_A_PAGE = 1000
PAGES = 3  # and one more, to know whether the list ends there


class TwilioSms:
    """A channel that sends texts through Twilio.

    `sender` or `messaging_service_sid` is the one sender of every text. `timeout`: seconds to connect, and again for
    the answer.

    Opens its connections at the first call and may be used again after close(), each time within one event loop.
    """

    def __init__(
        self,
        account_sid: str,
        auth_token: str,
        *,
        sender: str | None,
        messaging_service_sid: str | None,
        base_url: str,
        public_url: str | None,
        timeout: float = 10,
    ) -> None:
        self._transport = Transport(base_url, timeout)
        self._path = f"/2010-04-01/Accounts/{account_sid}/Messages.json"
        self._messages = Client(account_sid, auth_token, http_client=self._transport).messages
        self._sender = {"messaging_service_sid": messaging_service_sid} if messaging_service_sid else {"from_": sender}
        self._public_url = public_url.rstrip("/") if public_url else None

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Send the text with one attempt; a second one within the lease could be a second text."""
        last_answer.set(None)
        try:
            created = await self._messages.create_async(
                to=outgoing.address,
                body=outgoing.text,
                status_callback=self._callback(outgoing.outside_name),
                validity_period=VALID_SECONDS,
                **self._sender,
            )
        except FAILURES as failure:
            # The original error would carry the phone number, which Twilio repeats, into logs.
            raise meaning(failure) from None
        if not isinstance(created.sid, str) or not created.sid:
            raise UnknownOutcomeError("no_sid")
        return Accepted(created.sid)

    def _callback(self, name: str) -> str | object:
        # With our reference, the first receipt identifies the message even if the answer to `send` was lost.
        return f"{self._public_url}/webhooks/twilio/status?m={name}" if self._public_url else values.unset

    async def ask(self, outgoing: Outgoing, others: Collection[str]) -> ListedEntries:
        """Return the texts to this number that may be this one; raises TemporaryChannelError if Twilio cannot be asked.

        Only the number is passed to Twilio: whether its date filter also lists unsent texts is undocumented. A list
        shows no StatusCallback, so that only receipts bring our reference back.
        """
        last_answer.set(None)
        earliest = outgoing.handed_at.astimezone(UTC) - CLOCK_SLACK
        try:
            return await self._find(outgoing.address, outgoing.text, earliest, others)
        except FAILURES as failure:
            raise asking_failed(failure) from None

    async def _find(self, address: str, text: str, earliest: datetime, others: Collection[str]) -> ListedEntries:
        page: Page | None = await self._messages.page_async(to=address, page_size=PAGE_SIZE)
        found: list[ListedEntry] = []
        reached_older = False
        for _ in range(PAGES):
            if page is None:
                break
            for row in page:
                if _is_older(row, earliest):
                    reached_older = True
                elif row.body == text and row.sid and row.sid not in others:
                    found.append(ListedEntry(row.sid, row.date_created))
            if reached_older:
                break
            page = await page.next_page_async()
        if page is not None and not reached_older:
            # Newer texts filled the pages, so ours may come after them: "not found" could cause a second copy.
            raise TemporaryChannelError("list_too_long")
        return ListedEntries(tuple(found))

    async def history(self, since: datetime, page: str | None) -> HistoryPage:
        """Return the texts in both directions that Twilio dates since then; see ProviderHistory."""
        last_answer.set(None)
        try:
            listed = await self._listed(since, page)
            fates, texts = list[ListedFate](), list[ListedText]()
            for row in listed:
                if row.direction == "inbound":
                    text = read_listed_text(row.sid, row.from_, row.body, row.date_sent or row.date_created)
                    texts += [] if text is None else [text]
                else:
                    said = words_of(row.to, row.body, row.date_sent or row.date_created)
                    fate = fate_of(row.sid, report_of(row.status, row.error_code), said)
                    fates += [] if fate is None else [fate]
            return HistoryPage(tuple(fates), tuple(texts), following(listed, self._path))
        except FAILURES as failure:
            raise asking_failed(failure) from None

    async def _listed(self, since: datetime, page: str | None) -> Page:
        if page is not None and (address := address_of(page, self._path)) is not None:
            return await self._messages.get_page_async(address)
        # The SDK writes an instant without its zone.
        return await self._messages.page_async(date_sent_after=since.astimezone(UTC), page_size=MOST_A_PAGE)

    async def look_up(self, address: str, provider_id: str) -> ProviderReport | None:
        """Return the state of one of the latest texts to this number; raises TemporaryChannelError."""
        last_answer.set(None)
        try:
            page = await self._messages.page_async(to=address, page_size=PAGE_SIZE)
            found = next((row for row in page if row.sid == provider_id), None)
        except FAILURES as failure:
            raise asking_failed(failure) from None
        return None if found is None else report_of(found.status, found.error_code)

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.close()


def _is_older(row: MessageInstance, earliest: datetime) -> bool:
    # A row without a date was created just now.
    return row.date_created is not None and row.date_created < earliest
