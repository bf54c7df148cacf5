"""A disk dies, yesterday's back-up is restored, and nobody is told the same thing twice."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest

from reminder.channels.memory import MemoryChannel
from reminder.channels.sms.client import TwilioSms
from reminder.clock import SteppedClock
from reminder.domain.model.channels import registered
from reminder.domain.model.people import ChannelName
from reminder.simulate import SimulatedWorld
from reminder.storage.db.session import Database
from reminder.upkeep import backup
from reminder.wiring import build_app, read_settings
from tests.fakes import twilio as fake
from tests.fakes.twilio import FakeTwilio
from tests.village import Village, japan

KEY = b"k" * 32
MOTHER = "+819000000001"
# The text goes at nine on the 17th, and is planned when that day begins.
BEFORE_IT_IS_PLANNED, BEFORE_IT_IS_SENT = "2027-03-16 20:00", "2027-03-17 03:00"


@pytest.fixture
def twilio() -> Iterator[FakeTwilio]:
    with FakeTwilio(now=lambda: server.heard_by.now) as server:
        server.phone(MOTHER).allow_all()
        yield server


def speaks_to(twilio: FakeTwilio, village: Village) -> Village:
    village.app.channels[ChannelName.SMS] = TwilioSms(  # type: ignore[index]
        fake.ACCOUNT_SID,
        fake.AUTH_TOKEN,
        sender=fake.SENDER,
        messaging_service_sid=None,
        base_url=twilio.url,
        public_url=None,
    )
    twilio.heard_by = village
    return village


@pytest.fixture
def village(village: Village, twilio: FakeTwilio) -> Village:
    village.person("母", phone="090-0000-0001")
    village.sleep_until("2027-03-05 12:00")
    village.card("母", date(2027, 3, 31))
    village.run_until("2027-03-16 12:00")
    return speaks_to(twilio, village)


@contextmanager
def restored(village: Village, file: Path, at: str, folder: Path, *, exact: bool = False) -> Iterator[Village]:
    """The same service on another machine."""
    keys = village.app.settings.secret_keys
    url = f"sqlite:///{folder / 'restored.db'}"
    database = Database(url)
    backup.restore(database, file, KEY, japan(at), ring=None, keep_keys=lambda keys: None, exact=exact)
    database.close()
    settings = read_settings(database_url=url, data_dir=folder, secret_keys=keys)
    clock, channels = SteppedClock(japan(at)), {name: MemoryChannel() for name in registered()}
    with build_app(settings, clock=clock, channels=channels, durable=False) as app:
        yield Village(SimulatedWorld(app, clock, channels))


def backed_up(village: Village, folder: Path) -> Path:
    file = folder / "kigen.backup"
    backup.make(village.app.database, village.app.keys, KEY, file, village.now)
    return file


def of_the_17th(village: Village) -> list[tuple[str, bool]]:
    return [(m.state, m.possibly_double) for m in village.messages() if m.scheduled_at >= japan("2027-03-17 00:00")]


@pytest.mark.parametrize("taken_at", [BEFORE_IT_IS_PLANNED, BEFORE_IT_IS_SENT])
def test_a_text_that_went_out_after_the_backup_is_found_and_not_sent_again(
    taken_at: str, village: Village, twilio: FakeTwilio, tmp_path: Path
) -> None:
    village.run_until(taken_at)
    file = backed_up(village, tmp_path)
    village.run_until("2027-03-17 10:00")
    assert len(twilio.texts) == 1

    with restored(village, file, "2027-03-17 10:30", tmp_path) as after:
        speaks_to(twilio, after)
        after.run_until("2027-03-17 18:00")

        assert len(twilio.texts) == 1
        assert of_the_17th(after) == [("accepted", False)]


@pytest.mark.parametrize("taken_at", [BEFORE_IT_IS_PLANNED, BEFORE_IT_IS_SENT])
def test_a_text_that_never_went_out_is_asked_about_and_then_sent(
    taken_at: str, village: Village, twilio: FakeTwilio, tmp_path: Path
) -> None:
    village.run_until(taken_at)
    file = backed_up(village, tmp_path)

    with restored(village, file, "2027-03-17 10:30", tmp_path) as after:
        speaks_to(twilio, after)
        after.run_until("2027-03-17 18:00")

        assert len(twilio.texts) == 1
        assert of_the_17th(after) == [("accepted", True)]


def test_a_planned_move_goes_on_as_if_nothing_had_been(village: Village, twilio: FakeTwilio, tmp_path: Path) -> None:
    village.run_until(BEFORE_IT_IS_SENT)
    file = backed_up(village, tmp_path)

    with restored(village, file, "2027-03-17 04:00", tmp_path, exact=True) as after:
        speaks_to(twilio, after)
        after.run_until("2027-03-17 09:30")

        assert len(twilio.texts) == 1
        assert of_the_17th(after) == [("accepted", False)]


def test_what_was_to_be_told_long_after_the_restore_is_not_doubted(
    village: Village, twilio: FakeTwilio, tmp_path: Path
) -> None:
    village.run_until(BEFORE_IT_IS_PLANNED)
    file = backed_up(village, tmp_path)

    with restored(village, file, "2027-03-16 21:00", tmp_path) as after:
        speaks_to(twilio, after)
        after.pass_once()
        after.run_until("2027-03-17 09:30")

        assert of_the_17th(after) == [("accepted", False)]
