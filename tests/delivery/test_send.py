"""Sending: nobody is texted who said no since it was planned, and what goes wrong in a channel loses nothing."""

import asyncio
from datetime import date, timedelta

import pytest

from reminder.delivery.send import Sender
from reminder.domain.messages import Accepted, Outgoing
from reminder.domain.people import ChannelName, ContactState
from reminder.errors import SetupChannelError, TemporaryChannelError
from reminder.storage import contacts, health
from reminder.upkeep.health import look
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
        contacts.set_state(tx, [phone(planned)], ContactState.UNREACHABLE)

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
        (pause,) = health.pauses(tx, planned.now)
    assert (pause.channel, pause.reason) == ("sms", "20003")
    assert "channel_paused_sms" in look(planned.app.database, planned.now).troubles

    planned.run_until("2027-03-17 23:00")

    assert planned.texts_to("父") == ["03-17 09:15"]
    with planned.app.database.reading() as tx:
        assert health.pauses(tx, planned.now) == []


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
        stop_url=lambda _: None,
    )

    assert sender.send_due(village.app.runner.run) == 5

    assert watched.at[-1] - watched.at[0] >= 0.035, "five texts at a hundred a second; a slow machine only takes longer"


def test_a_lease_that_ran_out_is_asked_about_before_anything_else_is_done_with_it(planned: Village) -> None:
    planned.sms.lose_answer_next()
    planned.run_until("2027-03-17 09:00")
    assert planned.states() == ["unknown"]
    planned.sleep_until("2027-03-17 20:00")

    planned.run_until("2027-03-17 23:00")

    assert planned.states() == ["accepted"], "its day is over, but it had been sent"
    assert planned.texts_to("父") == ["03-17 09:00"]
    assert planned.clock.now() - japan("2027-03-17 09:00") > timedelta(hours=10)
