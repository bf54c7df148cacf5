"""The client of Twilio's calls: it requests a call, asks for its outcome, and renders its turns as TwiML."""

from collections.abc import Collection
from datetime import UTC, datetime

from twilio.rest import Client
from twilio.twiml.voice_response import Gather, Say, VoiceResponse

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
)
from reminder.domain.model.messages import Accepted, ListedEntries, ListedEntry, Outgoing, ProviderReport
from reminder.domain.model.provider_history import HistoryPage
from reminder.domain.text.call_scripts import Turn
from reminder.errors import UnknownOutcomeError

# The ringing time: an elderly person needs time to walk to the telephone.
RINGS_SECONDS = 40
# The waiting time for a key, and the pause between two sentences.
WAITS_SECONDS = 8
BETWEEN_SENTENCES = "800ms"

PAGE_SIZE = 50
MOST_A_PAGE = 1000


class TwilioVoice:
    """A channel that calls through Twilio.

    `sender`: the one domestic number of every call. Twilio's webhook requests the script when somebody answers.

    Opens its connections at the first call and may be used again after close(), each time within one event loop.
    """

    def __init__(
        self,
        account_sid: str,
        auth_token: str,
        *,
        sender: str,
        base_url: str,
        public_url: str,
        timeout: float = 10,
    ) -> None:
        self._transport = Transport(base_url, timeout)
        self._path = f"/2010-04-01/Accounts/{account_sid}/Calls.json"
        self._calls = Client(account_sid, auth_token, http_client=self._transport).calls
        self._sender = sender
        self._public_url = public_url.rstrip("/")

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Request the call with one attempt; a second one within the lease could ring twice."""
        last_answer.set(None)
        webhooks = f"{self._public_url}/webhooks/twilio"
        try:
            created = await self._calls.create_async(
                to=outgoing.address,
                from_=self._sender,
                url=f"{webhooks}/voice?m={outgoing.outside_name}",
                method="POST",
                status_callback=f"{webhooks}/status?m={outgoing.outside_name}",
                status_callback_event=["completed"],
                machine_detection="DetectMessageEnd",
                timeout=RINGS_SECONDS,
            )
        except FAILURES as failure:
            raise meaning(failure) from None
        if not isinstance(created.sid, str) or not created.sid:
            raise UnknownOutcomeError("no_sid")
        return Accepted(created.sid)

    async def ask(self, outgoing: Outgoing, others: Collection[str]) -> ListedEntries:
        """Return the calls to this number that may be this one: a list does not say what was spoken."""
        last_answer.set(None)
        earliest = outgoing.handed_at.astimezone(UTC) - CLOCK_SLACK
        try:
            page = await self._calls.page_async(to=outgoing.address, page_size=PAGE_SIZE)
            return ListedEntries(
                tuple(
                    ListedEntry(row.sid, row.date_created)
                    for row in page
                    if row.sid and row.sid not in others
                    if row.date_created is None or row.date_created >= earliest
                )
            )
        except FAILURES as failure:
            raise asking_failed(failure) from None

    async def history(self, since: datetime, page: str | None) -> HistoryPage:
        """Return the calls that began since then; see ProviderHistory."""
        last_answer.set(None)
        try:
            address = None if page is None else address_of(page, self._path)
            if address is not None:
                listed = await self._calls.get_page_async(address)
            else:
                listed = await self._calls.page_async(start_time_after=since.astimezone(UTC), page_size=MOST_A_PAGE)
            found = [
                fate_of(row.sid, report_of(row.status, seconds=row.duration, answered_by=row.answered_by))
                for row in listed
                if row.direction != "inbound"
            ]
            fates = tuple(one for one in found if one is not None)
            return HistoryPage(fates, (), following(listed, self._path))
        except FAILURES as failure:
            raise asking_failed(failure) from None

    async def look_up(self, address: str, provider_id: str) -> ProviderReport | None:
        """Return the state of one of the latest calls to this number; raises TemporaryChannelError."""
        last_answer.set(None)
        try:
            page = await self._calls.page_async(to=address, page_size=PAGE_SIZE)
            found = next((row for row in page if row.sid == provider_id), None)
        except FAILURES as failure:
            raise asking_failed(failure) from None
        if found is None:
            return None
        return report_of(found.status, seconds=found.duration, answered_by=found.answered_by)

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.close()


def render_turn(turn: Turn, *, language: str, voice: str, rate: str, action: str) -> str:
    """Return the turn as TwiML. `rate`: the speed of speech, such as 85%; `action`: the address that gets the key."""
    response = VoiceResponse()
    if not turn.waits_for_key:
        response.append(_say(turn, language, voice, rate))
        response.hangup()
        return str(response)
    gather = Gather(
        input="dtmf",
        num_digits=1,
        timeout=WAITS_SECONDS,
        action=action,
        method="POST",
        action_on_empty_result=True,
        language=language,
    )
    gather.append(_say(turn, language, voice, rate))
    response.append(gather)
    return str(response)


def _say(turn: Turn, language: str, voice: str, rate: str) -> Say:
    say = Say(voice=voice, language=language)
    for line in turn.lines:
        say.prosody(line, rate=rate)
        say.break_(time=BETWEEN_SENTENCES)
    return say
