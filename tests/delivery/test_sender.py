"""Sending: nobody is texted who said no since it was planned, and what goes wrong in a channel loses nothing."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import update

from reminder.clock import JAPAN
from reminder.delivery import dispatcher as dispatcher_module
from reminder.delivery.dispatcher import Answered, Dispatcher
from reminder.delivery.lease_manager import LeaseBatch, LeaseManager
from reminder.delivery.sender import Sender
from reminder.domain.model.messages import LEASE, OUTCOME_WITHIN, Accepted, MessageKind, MessageState, Outcome, Outgoing
from reminder.domain.model.people import Audience, ChannelName, Mode
from reminder.errors import (
    DatabaseNotReadyError,
    PermanentChannelError,
    SetupChannelError,
    TemporaryChannelError,
    UnknownOutcomeError,
)
from reminder.storage.crypto.keyring import new_key, read_keys
from reminder.storage.db.tables import Contact, Message
from reminder.storage.outbox import leases, queue
from reminder.storage.outbox.leases import LeasedMessage
from reminder.storage.outbox.queue import MessageDraft
from reminder.storage.registry import contacts
from reminder.storage.runtime import heartbeats
from reminder.upkeep.health import assess
from reminder.worker.jobs import run_once
from tests.patience import PATIENCE
from tests.village import Village, japan

END = date(2027, 3, 31)


@pytest.fixture
def planned(village: Village) -> Village:
    """A text to the father that waits for nine o'clock on 17 March; he reads mail too."""
    village.person("父", phone="090-0000-0002")
    village.contact("父", ChannelName.EMAIL, "chichi@example.jp")
    village.card("父", END)
    village.sleep_until("2027-03-17 01:00")
    village.run_until("2027-03-17 08:00")
    assert village.states() == ["queued"]
    return village


def test_who_cannot_be_told_any_more_is_replaced_by_who_can_the_same_day(planned: Village) -> None:
    with planned.app.database.writing() as tx:
        contacts.mark_unreachable(tx, [phone(planned)])

    planned.run_until("2027-03-17 23:00")

    assert planned.texts_to("父") == ["03-17 09:01"]
    assert planned.sms.sent == []
    assert "cancelled" in planned.states()


def phone(village: Village) -> int:
    with village.app.database.reading() as tx:
        known = contacts.of_group(tx, village.app.keys, None)
    return next(contact.id for contact in known if contact.channel is ChannelName.SMS)


def test_a_channel_that_breaks_its_word_leaves_a_text_to_be_asked_about_and_not_to_be_repeated(
    planned: Village,
) -> None:
    planned.sms.fail_when(lambda _: 1 / 0)  # type: ignore[arg-type, return-value]

    planned.run_until("2027-03-17 09:00")

    assert planned.states() == ["unknown"]


def test_a_provider_that_names_a_pause_is_left_alone_for_it(planned: Village) -> None:
    planned.sms.fail_next(TemporaryChannelError("20429", retry_after=300))

    planned.run_until("2027-03-17 23:00")

    assert planned.texts_to("父") == ["03-17 09:05"]


def test_a_pause_of_one_channel_is_shown_to_the_operator_and_ends_by_itself(planned: Village) -> None:
    planned.sms.fail_next(SetupChannelError("20003"))
    planned.run_until("2027-03-17 09:00")

    with planned.app.database.reading() as tx:
        (pause,) = heartbeats.pauses(tx, planned.now)
    assert (pause.channel, pause.reason) == ("sms", "20003")
    assert "channel_paused_sms" in assess(planned.app.units, planned.now).troubles

    planned.run_until("2027-03-17 23:00")

    assert planned.texts_to("父") == ["03-17 09:15"]
    with planned.app.database.reading() as tx:
        assert heartbeats.pauses(tx, planned.now) == []


def test_a_text_is_never_sent_after_its_day_even_by_a_worker_that_slept_with_it_queued(planned: Village) -> None:
    planned.sleep_until("2027-03-17 18:00")
    planned.run_until("2027-03-17 23:00")
    assert planned.texts_to("父") == []
    assert planned.states() == ["stale"]

    planned.run_until("2027-03-18 23:00")

    assert planned.texts_to("父") == ["03-18 09:00"]


class Watched:
    """A provider that notes when each text reaches it."""

    def __init__(self) -> None:
        self.at: list[float] = []

    async def send(self, outgoing: Outgoing) -> Accepted:
        self.at.append(asyncio.get_running_loop().time())
        return Accepted(f"watched-{outgoing.message_id}")

    async def ask(self, outgoing: Outgoing, others: object) -> Accepted:
        raise AssertionError("nothing is unknown here")

    async def close(self) -> None:
        """Nothing was opened."""


def test_texts_leave_no_faster_than_the_sender_may_send(village: Village) -> None:
    for place in range(5):
        village.person(f"入居者{place}", phone=f"090-0000-01{place:02}")
        village.card(f"入居者{place}", END)
    village.sleep_until("2027-03-17 01:00")
    village.run_until("2027-03-17 08:00")
    village.sleep_until("2027-03-17 09:00")
    watched = Watched()
    sender = Sender(
        village.app.database,
        village.app.keys,
        village.clock,
        {ChannelName.SMS: watched},  # type: ignore[dict-item]
        per_second=100,
        stop_url=lambda *_: None,
    )

    assert sender.send_due(village.app.loop.run) == 5

    assert watched.at[-1] - watched.at[0] >= 0.035, "five texts at a hundred a second; a slow machine only takes longer"


class Uneven(Watched):
    """A provider that answers for the first text only after it has got one to another telephone."""

    def __init__(self) -> None:
        super().__init__()
        self.order: list[str] = []
        self._another = asyncio.Event()

    async def send(self, outgoing: Outgoing) -> Accepted:
        if outgoing.text == "first":
            await self._another.wait()
        if outgoing.text == "another":
            self._another.set()
        self.order.append(outgoing.text)
        return Accepted(f"uneven-{outgoing.message_id}")


def test_texts_to_one_telephone_arrive_in_order_and_hold_up_no_other(village: Village) -> None:
    village.sleep_until("2026-12-01 10:00")
    for label, phone in (("母", "090-0000-0001"), ("父", "090-0000-0001"), ("叔母", "090-0000-0002")):
        village.person(label, phone=phone)
    add_texts(village, [(1, "first"), (2, "second"), (1, "third"), (3, "another")])
    uneven = Uneven()
    sender = Sender(
        village.app.database,
        village.app.keys,
        village.clock,
        {ChannelName.SMS: uneven},  # type: ignore[dict-item]
        per_second=None,
        stop_url=lambda *_: None,
    )

    assert sender.send_due(village.app.loop.run) == 4

    assert uneven.order == ["another", "first", "second", "third"]


def add_texts(village: Village, texts: Sequence[tuple[int, str]]) -> None:
    """Texts that are due, each to a contact."""
    drafts = [
        MessageDraft(
            key=text,
            kind=MessageKind.NOTICE,
            group_id=1,
            contact_id=contact_id,
            audience=Audience.PERSON,
            channel=ChannelName.SMS,
            subject=None,
            text=text,
            segments=1,
            scheduled_at=village.now,
            expires_at=village.now + timedelta(hours=8),
        )
        for contact_id, text in texts
    ]
    with village.app.database.writing() as tx:
        queue.add(tx, village.app.keys, drafts, village.now)


def test_a_lease_that_ran_out_is_asked_about_before_anything_else_is_done_with_it(planned: Village) -> None:
    planned.sms.lose_answer_next()
    planned.run_until("2027-03-17 09:00")
    assert planned.states() == ["unknown"]
    planned.sleep_until("2027-03-17 20:00")

    planned.run_until("2027-03-17 23:00")

    assert planned.states() == ["accepted"], "its day is over, but it had been sent"
    assert planned.texts_to("父") == ["03-17 09:00"]
    assert planned.clock.now() - japan("2027-03-17 09:00") > timedelta(hours=10)


def test_a_text_whose_answers_keep_getting_lost_is_repeated_once_and_not_all_day(planned: Village) -> None:
    handed_over = []

    def lose(outgoing: Outgoing) -> UnknownOutcomeError:
        handed_over.append(outgoing)
        return UnknownOutcomeError("timeout")

    planned.sms.fail_when(lose)

    planned.run_until("2027-03-17 23:00")

    assert len(handed_over) == 2
    assert [(message.channel, message.state, message.possibly_double) for message in planned.messages()] == [
        ("sms", "failed", True),
        ("email", "accepted", True),
    ], "another way is no second text"


def test_what_may_have_arrived_and_is_told_again_the_next_day_is_marked(planned: Village) -> None:
    planned.sleep_until("2027-03-17 17:59")
    planned.sms.fail_next(UnknownOutcomeError("timeout"))

    planned.run_until("2027-03-18 23:00")

    assert planned.texts_to("父") == ["03-18 09:00"]
    assert [(message.state, message.possibly_double) for message in planned.messages()] == [
        ("failed", False),
        ("accepted", True),
    ]


def _with_another_sealed(planned: Village, column: str, sealed: bytes | None = None) -> None:
    """A second text, to the mother; of the first one the body or the address is sealed otherwise."""
    planned.person("母", phone="090-0000-0001")
    planned.card("母", END)
    planned.run_until("2027-03-17 08:30")
    sealed = sealed or read_keys([new_key()]).seal('[null, "お知らせ"]', "messages.body")
    change = (
        update(Message).where(Message.id == 1).values(body_sealed=sealed)
        if column == "body"
        else update(Contact).where(Contact.id == planned.messages()[0].contact_id).values(address_sealed=sealed)
    )
    with planned.app.database.writing() as tx:
        tx.execute(change)


@pytest.mark.parametrize("column", ["body", "address"])
def test_a_text_whose_key_is_missing_waits_and_keeps_no_other_from_leaving(planned: Village, column: str) -> None:
    _with_another_sealed(planned, column)

    planned.run_until("2027-03-17 09:05")

    assert planned.texts_to("母") == ["03-17 09:00"]
    first = planned.messages()[0]
    assert (first.state, first.reason, first.attempts) == ("queued", "unreadable", 0)
    app = planned.app
    found = {one.code: one.count for one in assess(app.units, app.clock.now()).found}
    assert found["messages_unreadable"] == 1
    planned.run_until("2027-03-18 00:30")
    assert planned.messages()[0].state == "stale", "it waits no longer than its own day"
    assert set(planned.contacts().values()) == {"confirmed"} if column == "body" else True
    assert "messages_unreadable" not in assess(app.units, app.clock.now()).troubles


def test_a_text_whose_key_is_given_back_in_time_leaves_on_its_day(planned: Village) -> None:
    planned.person("母", phone="090-0000-0001")
    planned.card("母", END)
    planned.run_until("2027-03-17 08:30")
    right = planned.app
    wrong = replace(right, keys=read_keys([new_key()]))
    for minute in ("09:00", "09:05", "09:10"):
        planned.clock.move_to(japan(f"2027-03-17 {minute}"))
        run_once(wrong, planned.now)
    assert set(planned.states()) == {"queued"}

    planned.run_until("2027-03-17 09:20")

    assert set(planned.states()) == {"accepted"}
    assert len(planned.texts_to("母")) == len(planned.texts_to("父")) == 1
    assert assess(right.units, planned.now).troubles == ()


def test_a_text_that_was_changed_in_the_database_fails_and_keeps_no_other_from_leaving(planned: Village) -> None:
    key = planned.app.keys
    _with_another_sealed(planned, "body", key.seal("x", "contacts.address"))

    planned.run_until("2027-03-17 09:05")

    assert planned.texts_to("母") == ["03-17 09:00"]
    first = planned.messages()[0]
    assert (first.state, first.reason) == ("failed", "unreadable")


@pytest.mark.parametrize("column", ["body", "address"])
def test_a_text_of_unknown_outcome_whose_key_is_missing_is_asked_about_when_it_is_back(
    planned: Village, column: str
) -> None:
    planned.sms.lose_answer_next()
    planned.run_until("2027-03-17 09:00")
    assert planned.states() == ["unknown"]
    wrong = replace(planned.app, keys=read_keys([new_key()]))
    planned.clock.move_to(planned.now + timedelta(minutes=2))

    run_once(wrong, planned.now)
    assert planned.states() == ["unknown"]

    planned.run_until("2027-03-17 09:30")
    assert (planned.states(), planned.texts_to("父")) == (["accepted"], ["03-17 09:00"])


def test_after_an_outage_over_the_night_yesterdays_text_is_told_today(village: Village) -> None:
    village.person("母", phone="090-0000-0001", mode=Mode.ELDERLY)
    village.card("母", END)
    village.run_until("2027-03-30 00:30")
    assert village.states()[-1] == "queued"

    village.sleep_until("2027-03-31 08:00")
    village.run_until("2027-03-31 23:00")

    assert village.texts_to("母")[-1] == "03-31 10:00"


def test_a_worker_that_comes_up_at_night_wakes_nobody_with_a_notice_of_yesterday(planned: Village) -> None:
    planned.member("娘", "musume@example.jp")
    planned.contact("父", ChannelName.SMS, "090-0000-0003", family="息子")
    planned.sms.fail_when(
        lambda outgoing: PermanentChannelError("21211") if outgoing.address == "+819000000002" else None
    )
    planned.run_until("2027-03-17 17:50")
    planned.sms.fail_when(lambda _: TemporaryChannelError("503"))
    planned.email.fail_when(lambda _: TemporaryChannelError("503"))
    planned.sleep_until("2027-03-18 02:00")
    planned.sms.fail_when(None)
    planned.email.fail_when(None)

    planned.run_until("2027-03-18 12:00")

    assert all(7 <= sent.at.astimezone(JAPAN).hour < 21 for sent in planned.world.all_sent())


def test_a_phone_added_after_the_mail_was_told_waits_for_the_next_step(village: Village) -> None:
    village.person("父")
    village.contact("父", ChannelName.EMAIL, "chichi@example.jp")
    village.card("父", END)
    village.sleep_until("2027-03-17 08:00")
    village.run_until("2027-03-17 12:00")
    village.contact("父", ChannelName.SMS, "090-0000-0002")

    village.run_until("2027-03-25 00:00")

    assert village.texts_to("父") == ["03-17 09:00", "03-24 09:00"]
    assert len(village.sms.sent) == 1


def leased_by(village: Village) -> LeaseBatch:
    app = village.app
    return LeaseManager(app.database, app.keys, village.clock, per_second=None).claim(ChannelName.SMS, can_send=True)


def test_a_lease_that_has_run_out_hands_nothing_over(planned: Village) -> None:
    planned.sleep_until("2027-03-17 09:00")
    first = leased_by(planned)
    planned.clock.move_to(planned.now + LEASE)
    second = leased_by(planned)

    with planned.app.database.writing() as tx:
        assert leases.begin_hand_over(tx, first.leased, planned.now) == []
        assert len(leases.begin_hand_over(tx, second.leased, planned.now)) == 1


def test_a_process_that_slept_as_it_was_about_to_hand_over_does_not(planned: Village) -> None:
    planned.sleep_until("2027-03-17 09:00")
    watched, held = Watched(), leased_by(planned).leased
    with planned.app.database.writing() as tx:
        (begun,) = leases.begin_hand_over(tx, held, planned.now)
    planned.clock.move_to(planned.now + OUTCOME_WITHIN)
    sender = Sender(
        planned.app.database,
        planned.app.keys,
        planned.clock,
        {ChannelName.SMS: watched},  # type: ignore[dict-item]
        per_second=None,
        stop_url=lambda *_: None,
    )

    outcome = planned.app.loop.run(sender._hand_over(begun))

    assert (outcome.state, watched.at) == (MessageState.QUEUED, [])


def turns(outcomes: list[Answered]) -> Callable[[Sequence[Answered], Sequence[LeasedMessage]], Sequence[LeasedMessage]]:
    """Turns that keep outcomes and begin whatever they are given."""

    def turn(answered: Sequence[Answered], begins: Sequence[LeasedMessage]) -> Sequence[LeasedMessage]:
        outcomes.extend(answered)
        return begins

    return turn


async def accepted(_: LeasedMessage) -> Outcome:
    return Outcome(MessageState.ACCEPTED)


class _StillLoop(asyncio.SelectorEventLoop):
    """Its time stands still, so that no pause in it ever ends."""

    def time(self) -> float:
        return 0.0


def test_a_pass_that_has_told_everybody_waits_for_nothing_more(planned: Village) -> None:
    planned.sleep_until("2027-03-17 09:00")
    kept, loop = list[Answered](), _StillLoop()
    dispatcher = Dispatcher(
        concurrency=64,
        lease=lambda _: LeaseBatch(),
        turn=turns(kept),
        release=lambda _: None,
        hand_over=accepted,
        goes_on=lambda: True,
    )
    batch = leased_by(planned)
    patience = threading.Timer(PATIENCE, loop.call_soon_threadsafe, [loop.stop])
    patience.start()
    try:
        assert loop.run_until_complete(dispatcher.run(batch)) == 1
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        patience.cancel()
        loop.close()
    assert [outcome.state for _, outcome in kept] == [MessageState.ACCEPTED]


class _SteppedLoop(asyncio.SelectorEventLoop):
    """Its time moves only when it is moved."""

    now = 0.0

    def time(self) -> float:
        return self.now


@pytest.mark.parametrize("between", [0.0, 0.001])
def test_a_batch_waits_for_its_pace_alone_however_late_the_one_before_was(planned: Village, between: float) -> None:
    planned.sleep_until("2027-03-17 09:00")
    (message,) = leased_by(planned).leased
    kept, loop = list[Answered](), _SteppedLoop()

    def batch(first: int, *, is_all: bool) -> LeaseBatch:
        outgoing = [
            message.outgoing._replace(message_id=number, address=f"+8190{number:08}")
            for number in range(first, first + 4)
        ]
        leased = [message._replace(outgoing=one, starts_in=place * between) for place, one in enumerate(outgoing)]
        return LeaseBatch(leased, is_all=is_all)

    async def hand_over(leased: LeasedMessage) -> Outcome:
        loop.now += 1.0
        return await accepted(leased)

    dispatcher = Dispatcher(
        concurrency=1,
        lease=lambda _: batch(5, is_all=True),
        turn=turns(kept),
        release=lambda _: None,
        hand_over=hand_over,
        goes_on=lambda: True,
    )
    patience = threading.Timer(PATIENCE, loop.call_soon_threadsafe, [loop.stop])
    patience.start()
    try:
        assert loop.run_until_complete(dispatcher.run(batch(1, is_all=False))) == 8
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        patience.cancel()
        loop.close()
    assert [leased.outgoing.message_id for leased, _ in kept] == [*range(1, 9)]


@pytest.mark.parametrize("slow", [1, 2])
def test_an_outcome_that_comes_while_others_are_recorded_is_recorded_too(planned: Village, slow: int) -> None:
    planned.sleep_until("2027-03-17 09:00")
    (message,) = leased_by(planned).leased
    kept, is_recorded, loop = list[Answered](), asyncio.Event(), planned.app.loop
    outgoing = [message.outgoing._replace(message_id=number, address=f"+8190{number:08}") for number in (1, 2)]

    def turn(answered: Sequence[Answered], begins: Sequence[LeasedMessage]) -> Sequence[LeasedMessage]:
        if answered:
            running.call_soon_threadsafe(is_recorded.set)
        return turns(kept)(answered, begins)

    async def hand_over(leased: LeasedMessage) -> Outcome:
        if leased.outgoing.message_id == slow:
            await is_recorded.wait()
        return await accepted(leased)

    dispatcher = Dispatcher(
        concurrency=2,
        lease=lambda _: LeaseBatch(),
        turn=turn,
        release=lambda _: None,
        hand_over=hand_over,
        goes_on=lambda: True,
    )

    async def running_loop() -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    running = loop.run(running_loop())
    assert loop.run(dispatcher.run(LeaseBatch([message._replace(outgoing=one) for one in outgoing]))) == 2
    assert sorted(leased.outgoing.message_id for leased, _ in kept) == [1, 2]


@pytest.mark.parametrize("away", ["lease", "turn", "both"])
def test_a_database_that_is_away_for_a_moment_ends_neither_leases_nor_outcomes(
    planned: Village, away: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher_module, "BETWEEN_TRIES", 0.001)
    planned.sleep_until("2027-03-17 09:00")
    (message,) = leased_by(planned).leased
    kept, failures = list[Answered](), {"lease": 2, "turn": 3}
    more = [LeaseBatch([message._replace(outgoing=message.outgoing._replace(message_id=2))])]

    def fail(what: str) -> None:
        if away in (what, "both") and failures[what]:
            failures[what] -= 1
            raise DatabaseNotReadyError("database_unreachable")

    def lease(_: int) -> LeaseBatch:
        fail("lease")
        return more.pop() if more else LeaseBatch()

    def turn(answered: Sequence[Answered], begins: Sequence[LeasedMessage]) -> Sequence[LeasedMessage]:
        fail("turn")
        return turns(kept)(answered, begins)

    dispatcher = Dispatcher(
        concurrency=64, lease=lease, turn=turn, release=lambda _: None, hand_over=accepted, goes_on=lambda: True
    )

    assert planned.app.loop.run(dispatcher.run(LeaseBatch([message], is_all=False))) == 2
    assert [leased.outgoing.message_id for leased, _ in kept] == [message.outgoing.message_id, 2]


def test_an_error_in_leasing_is_raised_after_what_was_handed_over_is_recorded(planned: Village) -> None:
    planned.sleep_until("2027-03-17 09:00")
    kept, may_answer = list[Answered](), asyncio.Event()

    def lease(_: int) -> LeaseBatch:
        raise ZeroDivisionError

    async def hand_over(leased: LeasedMessage) -> Outcome:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(may_answer.wait(), 0.05)
        return await accepted(leased)

    dispatcher = Dispatcher(
        concurrency=64, lease=lease, turn=turns(kept), release=lambda _: None, hand_over=hand_over, goes_on=lambda: True
    )

    with pytest.raises(ZeroDivisionError):
        planned.app.loop.run(dispatcher.run(LeaseBatch(leased_by(planned).leased, is_all=False)))
    assert len(kept) == 1


def test_a_channel_that_hangs_when_the_worker_is_stopped_is_waited_for_no_longer_than_a_while(
    planned: Village, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher_module, "STOPS_WITHIN", 0.01)
    monkeypatch.setattr(dispatcher_module, "LOOKS_EVERY", 0.005)
    planned.sleep_until("2027-03-17 09:00")
    hangs, app = Hangs(), planned.app
    sender = Sender(
        app.database,
        app.keys,
        planned.clock,
        {ChannelName.SMS: hangs},  # type: ignore[dict-item]
        per_second=None,
        stop_url=lambda *_: None,
        goes_on=lambda: not hangs.has_begun,
    )

    assert sender.send_due(app.loop.run) == 1

    (message,) = planned.messages()
    assert (message.state, message.reason) == ("unknown", "stopped"), "the provider is asked about it"


def test_a_hand_over_that_hangs_ends_and_the_provider_is_asked(
    planned: Village, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher_module, "LONGEST_HAND_OVER", timedelta(milliseconds=1))
    monkeypatch.setattr(dispatcher_module, "LOOKS_EVERY", 0.005)
    planned.sleep_until("2027-03-17 09:00")
    app, channels = planned.app, {ChannelName.SMS: Hangs()}
    sender = Sender(
        app.database,
        app.keys,
        planned.clock,
        channels,  # type: ignore[arg-type]
        per_second=None,
        stop_url=lambda *_: None,
    )

    assert sender.send_due(app.loop.run) == 1

    (message,) = planned.messages()
    assert (message.state, message.reason) == ("unknown", "timeout")


class Hangs(Watched):
    """A provider that never answers."""

    has_begun = False

    async def send(self, outgoing: Outgoing) -> Accepted:
        self.has_begun = True
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")
