"""What a provider has said while nobody heard it is asked for, and acted on as if it had come."""

import asyncio
from collections.abc import Iterator
from datetime import date, datetime, timedelta

import pytest

from reminder.channels.sms.client import TwilioSms
from reminder.channels.twilio.transport import address_of
from reminder.channels.voice.client import TwilioVoice
from reminder.clock import JAPAN
from reminder.conversation import inbox
from reminder.delivery import provider_lists
from reminder.domain.model.messages import Accepted, Outgoing
from reminder.domain.model.people import ChannelName, ContactState
from reminder.domain.model.provider_history import HistoryPage, ListedFate, ListedText
from reminder.errors import TemporaryChannelError
from reminder.storage.outbox import receipts
from reminder.storage.runtime import provider_fetches
from reminder.worker import fetching
from tests.fakes import twilio as fake
from tests.fakes.twilio import FakeTwilio
from tests.village import Village, japan

END = date(2027, 3, 31)
SMS = ChannelName.SMS
SID = "SM" + "0" * 30
FATHER = "+819000000002"


class Listing:
    """A provider that lists these pages, or fails."""

    def __init__(self, *pages: HistoryPage | Exception) -> None:
        self.pages, self.asked = list(pages), list[tuple[datetime, str | None]]()

    async def history(self, since: datetime, page: str | None) -> HistoryPage:
        self.asked.append((since, page))
        found = self.pages.pop(0)
        if isinstance(found, Exception):
            raise found
        return found


def page(*fates: ListedFate, texts: tuple[ListedText, ...] = (), following: str | None = None) -> HistoryPage:
    return HistoryPage(fates, texts, following)


def read(village: Village, listing: Listing, since: timedelta = timedelta(hours=1)) -> provider_lists.Fetched | None:
    with village.app.writing() as uow:
        provider_lists.want(uow, [SMS], uow.now - since)
    return provider_lists.fetch(village.app.units, village.app.clock, SMS, listing, asyncio.run, inbox.keep_listed)


@pytest.fixture
def told(talking_village: Village) -> Village:
    """A father who was told at nine o'clock on 17 March; he reads mail, too, and nobody has heard of the text since."""
    village = talking_village
    village.person("父", phone="090-0000-0002")
    village.contact("父", ChannelName.EMAIL, "chichi@example.jp")
    village.card("父", END)
    village.sleep_until("2027-03-17 01:00")
    village.run_until("2027-03-17 09:30")
    assert village.states() == ["accepted"]
    return village


def provider_id(village: Village) -> str:
    return village.messages()[0].provider_id or ""


def heard(village: Village, sid: str, text: str, at: str) -> ListedText:
    return ListedText(sid, FATHER, text, japan(at))


def test_a_receipt_that_was_lost_is_fetched_and_its_person_told_another_way(told: Village) -> None:
    found = read(told, Listing(page(ListedFate(provider_id(told), "undelivered", "30006"))))

    assert found == provider_lists.Fetched(SMS, receipts=1)
    told.run_until("2027-03-17 23:00")
    assert told.states() == ["undelivered", "accepted"]
    assert states_of(told) == [ContactState.UNREACHABLE]
    assert len(told.email.sent) == 1


def test_what_is_known_or_is_no_message_of_ours_is_not_stored(told: Village) -> None:
    fates = (ListedFate("SM" + "9" * 32, "delivered", None), ListedFate(provider_id(told), "sent", None))
    assert read(told, Listing(page(*fates))) == provider_lists.Fetched(SMS)
    end = ListedFate(provider_id(told), "delivered", None)
    assert read(told, Listing(page(end))) == provider_lists.Fetched(SMS, receipts=1)
    assert read(told, Listing(page(end))) == provider_lists.Fetched(SMS), "before it was applied"

    told.pass_once()

    assert told.states() == ["delivered"]
    assert read(told, Listing(page(end))) == provider_lists.Fetched(SMS)


def test_a_stop_that_was_lost_is_acted_on_once(told: Village) -> None:
    stop = heard(told, SID + "01", "停止", "2027-03-17 09:10")

    assert read(told, Listing(page(texts=(stop,)))) == provider_lists.Fetched(SMS, texts=1)
    told.pass_once()
    with told.app.writing() as uow:
        assert inbox.keep(uow, inbox.InboundText(stop.provider_id, FATHER, "停止"))
    assert read(told, Listing(page(texts=(stop,)))) == provider_lists.Fetched(SMS)

    assert states_of(told) == [ContactState.OPTED_OUT]


def states_of(village: Village) -> list[ContactState]:
    from reminder.storage.registry import contacts

    with village.app.database.reading() as tx:
        known = contacts.of_group(tx, village.app.keys, None)
    return [one.state for one in known if one.channel is SMS]


@pytest.mark.parametrize(("then", "state"), [("再開", ContactState.CONFIRMED), ("停止", ContactState.OPTED_OUT)])
def test_an_old_stop_never_undoes_a_later_start(told: Village, then: str, state: ContactState) -> None:
    with told.app.writing() as uow:
        inbox.keep(uow, inbox.InboundText(SID + "01", FATHER, "停止"))
    told.pass_once()
    told.run_until("2027-03-17 10:00")
    with told.app.writing() as uow:
        inbox.keep(uow, inbox.InboundText(SID + "02", FATHER, then))
    told.pass_once()
    assert states_of(told) == [state]

    read(told, Listing(page(texts=(heard(told, SID + "03", "停止", "2027-03-17 09:45"),))))
    told.pass_once()

    assert states_of(told) == [state]


def test_an_old_start_never_undoes_a_later_stop(told: Village) -> None:
    told.run_until("2027-03-17 10:00")
    with told.app.writing() as uow:
        inbox.keep(uow, inbox.InboundText(SID + "01", FATHER, "停止"))
    told.pass_once()

    read(told, Listing(page(texts=(heard(told, SID + "02", "再開", "2027-03-17 09:45"),))))
    told.pass_once()

    assert states_of(told) == [ContactState.OPTED_OUT]


def test_an_old_answer_answers_what_had_been_sent_by_then(told: Village) -> None:
    before = heard(told, SID + "01", "1", "2027-03-17 08:30")
    read(told, Listing(page(texts=(before,))))
    told.pass_once()
    assert told.card_of(1).acknowledged_on is None, "nothing had been asked at half past eight"

    after = heard(told, SID + "02", "1", "2027-03-17 09:10")
    read(told, Listing(page(texts=(after,))))
    told.pass_once()

    assert told.card_of(1).acknowledged_on == date(2027, 3, 17)


@pytest.mark.parametrize("text", ["番号は1234-5678-9018です", "My Number 123456789018"])
def test_a_fetched_text_passes_the_guard(told: Village, text: str) -> None:
    read(told, Listing(page(texts=(heard(told, SID + "01", text, "2027-03-17 09:10"),))))

    from reminder.storage.reminders import replies

    with told.app.database.reading() as tx:
        assert [one.text for one in replies.of_group(tx, told.app.keys, None)] == [None]


def test_pages_are_read_to_the_end_and_go_on_where_a_run_stopped(told: Village) -> None:
    many = [page(following=f"page {n}") for n in range(provider_lists.PAGES_A_RUN)]
    first = Listing(*many)
    assert read(told, first) == provider_lists.Fetched(SMS, is_all=False)

    second = Listing(page(ListedFate(provider_id(told), "delivered", None)))
    found = read(told, second)

    assert found == provider_lists.Fetched(SMS, receipts=1)
    assert second.asked == [(first.asked[0][0], f"page {provider_lists.PAGES_A_RUN - 1}")]
    with told.app.database.reading() as tx:
        assert provider_fetches.of(tx, SMS).began_at is None


def test_a_list_that_cannot_be_read_is_wanted_still_and_read_from_its_beginning(told: Village) -> None:
    failed = Listing(page(following="page 1"), TemporaryChannelError("500"))
    assert read(told, failed) == provider_lists.Fetched(SMS, is_all=False, failure="500")
    with told.app.database.reading() as tx:
        assert provider_fetches.of(tx, SMS).is_wanted
        assert provider_fetches.of(tx, SMS).failure == "500"

    again = Listing(page())
    assert read(told, again) == provider_lists.Fetched(SMS)

    assert again.asked == [(failed.asked[0][0], None)]


def test_two_workers_do_not_read_one_list_at_once(told: Village) -> None:
    inner = Listing(page())

    class Meanwhile(Listing):
        async def history(self, since: datetime, page: str | None) -> HistoryPage:
            seen.append(await asyncio.to_thread(read, told, inner))
            return HistoryPage((), (), None)

    seen: list[provider_lists.Fetched | None] = []

    assert read(told, Meanwhile()) == provider_lists.Fetched(SMS)
    assert seen == [None]
    assert inner.asked == []


# ── Twilio's own lists ──

AT = japan("2027-03-17 09:00")


@pytest.fixture
def twilio() -> Iterator[FakeTwilio]:
    with FakeTwilio(now=lambda: AT) as started:
        started.allow_all()
        yield started


def every_page(channel: TwilioSms | TwilioVoice, since: datetime) -> list[HistoryPage]:
    async def go() -> list[HistoryPage]:
        found, following = list[HistoryPage](), None
        try:
            while not found or following is not None:
                found.append(await channel.history(since, following))
                following = found[-1].following
            return found
        finally:
            await channel.close()

    return asyncio.run(go())


def texts_of(twilio: FakeTwilio) -> TwilioSms:
    return TwilioSms(
        fake.ACCOUNT_SID,
        fake.AUTH_TOKEN,
        sender=fake.SENDER,
        messaging_service_sid=None,
        base_url=twilio.url,
        public_url="https://kigen.example.jp",
    )


def sent(channel: TwilioSms | TwilioVoice, to: str, name: int) -> Accepted:
    async def go() -> Accepted:
        try:
            return await channel.send(Outgoing(name, to, "期限", None, AT, AT))
        finally:
            await channel.close()

    return asyncio.run(go())


def test_twilio_lists_texts_of_both_directions_by_date(twilio: FakeTwilio) -> None:
    channel = texts_of(twilio)
    ids = [sent(channel, FATHER, name).provider_id for name in range(3)]
    twilio.end(ids[0], "delivered")
    twilio.end(ids[1], "undelivered", 30006)
    stop = twilio.receive(FATHER, "停止")

    (found,) = every_page(channel, AT.astimezone(JAPAN) - timedelta(minutes=5))

    assert found.fates == (ListedFate(ids[1], "undelivered", "30006"), ListedFate(ids[0], "delivered", None))
    assert found.texts == (ListedText(stop.sid, FATHER, "停止", AT),)
    assert every_page(channel, AT + timedelta(minutes=5)) == [HistoryPage((), (), None)]


def test_twilio_s_pages_are_followed_and_no_other_address_is(
    twilio: FakeTwilio, monkeypatch: pytest.MonkeyPatch
) -> None:
    from reminder.channels.sms import client

    monkeypatch.setattr(client, "MOST_A_PAGE", 2)
    channel = texts_of(twilio)
    ids = [sent(channel, FATHER, name).provider_id for name in range(5)]
    for one in ids:
        twilio.end(one)

    pages = every_page(channel, AT - timedelta(minutes=5))

    assert [len(one.fates) for one in pages] == [2, 2, 1]
    assert [fate.provider_id for one in pages for fate in one.fates] == ids[::-1]
    path = channel._path
    assert address_of(f"{path}?Page=1", path) == f"https://api.twilio.com{path}?Page=1"
    assert address_of("/2010-04-01/Accounts/another/Messages.json?Page=1", path) is None


@pytest.mark.parametrize(
    ("status", "answered_by", "said"),
    [
        ("completed", "human", "completed"),
        ("completed", None, "completed"),
        ("completed", "machine_end_beep", "machine"),
        ("busy", None, "busy"),
        ("no-answer", None, "no_answer"),
        ("failed", None, "failed"),
        ("canceled", None, "canceled"),
    ],
)
def test_twilio_lists_calls_in_the_words_of_receipts(
    twilio: FakeTwilio, status: str, answered_by: str | None, said: str
) -> None:
    channel = TwilioVoice(
        fake.ACCOUNT_SID,
        fake.AUTH_TOKEN,
        sender="+815000000001",
        base_url=twilio.url,
        public_url="https://kigen.example.jp/",
    )
    call = sent(channel, "+81335000001", 1).provider_id
    twilio.end(call, status, answered_by=answered_by)

    (found,) = every_page(channel, AT - timedelta(minutes=5))

    assert found == HistoryPage((ListedFate(call, said, None),), (), None)


def test_a_list_that_twilio_refuses_is_no_list(twilio: FakeTwilio) -> None:
    twilio.script_list(fake.refuse(403, 20003))

    with pytest.raises(TemporaryChannelError):
        every_page(texts_of(twilio), AT)


# ── when ──


@pytest.mark.parametrize(
    ("now", "until", "since"),
    [
        ("2027-03-17 10:00", "2027-03-17 09:30", None),
        ("2027-03-17 10:31", "2027-03-17 09:30", "2027-03-17 09:30"),
        ("2027-03-17 18:31", "2027-03-17 18:20", "2027-03-17 00:00"),
        ("2027-03-17 18:31", "2027-03-17 18:30", None),
    ],
)
def test_lists_are_read_every_hour_and_of_the_whole_day_in_the_evening(now: str, until: str, since: str | None) -> None:
    state = provider_fetches.FetchView(SMS, fetched_until=japan(until))

    assert fetching._since(state, japan(now)) == (None if since is None else japan(since))


def test_a_receipt_that_comes_after_it_was_fetched_says_that_the_way_is_open(told: Village) -> None:
    from sqlalchemy import select

    from reminder.storage.db.tables import Receipt

    name = provider_id(told)
    read(told, Listing(page(ListedFate(name, "delivered", None))))
    with told.app.database.writing() as tx:
        assert tx.execute(select(Receipt.is_fetched)).scalars().all() == [True]
        receipts.keep(tx, provider_id=name, status="delivered", error_code=None, message_id=None, now=told.now)
        assert tx.execute(select(Receipt.is_fetched)).scalars().all() == [False]
