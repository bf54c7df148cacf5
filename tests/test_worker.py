"""The bell: it rings at once, outlives a pass that fails, and finishes what runs when it is stopped."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import text

from reminder.domain.messages import Accepted, Outgoing
from reminder.domain.people import ChannelName
from reminder.storage import health
from reminder.worker import Bell, TickReport, tick
from tests.program import until
from tests.village import Village

END = date(2027, 3, 31)
PATIENCE = 30


class Provider:
    """Takes texts, and calls `meanwhile` while it holds one."""

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        self.meanwhile, self.took, self.taken = meanwhile, threading.Event(), 0

    async def send(self, outgoing: Outgoing) -> Accepted:
        self.taken += 1
        self.took.set()
        self.meanwhile()
        return Accepted(f"sms-{outgoing.message_id}")

    async def ask(self, outgoing: Outgoing, others: object) -> Accepted:
        raise AssertionError("nothing is unknown here")

    async def close(self) -> None:
        """Nothing was opened."""


@pytest.fixture
def due(village: Village) -> Village:
    village.person("父", phone="090-0000-0002")
    village.card("父", END)
    village.sleep_until("2027-03-17 09:00")
    return village


def test_a_pass_with_nothing_to_do_only_says_that_it_passed(village: Village) -> None:
    assert tick(village.app, village.now) == TickReport(0, 0, 0, 0, 0)

    with village.app.database.reading() as tx:
        assert health.last_beat(tx, health.TICK) == village.now


def test_the_bell_rings_as_soon_as_it_hangs(due: Village) -> None:
    provider = Provider(lambda: None)
    due.app.channels[ChannelName.SMS] = provider  # type: ignore[index]

    with Bell(due.app):
        assert provider.took.wait(PATIENCE)

    assert due.states() == ["accepted"]


def test_whoever_stops_the_bell_waits_for_the_text_that_is_leaving(due: Village) -> None:
    may_answer = threading.Event()
    provider = Provider(lambda: may_answer.wait(PATIENCE) and None)
    due.app.channels[ChannelName.SMS] = provider  # type: ignore[index]
    bell = Bell(due.app)
    bell.__enter__()
    assert provider.took.wait(PATIENCE)

    stopping = threading.Thread(target=bell.__exit__, args=(None, None, None))
    stopping.start()
    assert due.states() == ["sending"]
    may_answer.set()
    stopping.join(PATIENCE)

    assert due.states() == ["accepted"]


def test_a_pass_that_fails_is_followed_by_one_that_works(due: Village, caplog: pytest.LogCaptureFixture) -> None:
    provider = Provider(lambda: None)
    due.app.channels[ChannelName.SMS] = provider  # type: ignore[index]
    often = replace(due.app, settings=due.app.settings.model_copy(update={"tick_seconds": 0.05}))
    rename(due, "beats", "beats_away")

    with Bell(often):
        until(lambda: "the next one tries again" in caplog.text, "a pass has failed")
        rename(due, "beats_away", "beats")
        until(lambda: has_passed(due) and due.states() == ["accepted"], "a pass has ended well and the text has left")

    assert provider.taken == 1


def rename(village: Village, table: str, to: str) -> None:
    with village.app.database.writing() as tx:
        tx.execute(text(f"ALTER TABLE {table} RENAME TO {to}"))


def has_passed(village: Village) -> bool:
    with village.app.database.reading() as tx:
        return health.last_beat(tx, health.TICK) is not None
