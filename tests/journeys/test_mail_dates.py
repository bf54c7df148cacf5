"""A mail carries the date of its first attempt, and the same one when it is tried again."""

from datetime import date
from pathlib import Path

from reminder.channels.memory import MemoryChannel
from reminder.clock import SteppedClock
from reminder.domain.model.channels import registered
from reminder.domain.model.people import Mode
from reminder.simulate import SimulatedWorld
from reminder.wiring import build_app, read_settings
from reminder.worker.jobs import run_once
from tests.fakes.smtp import FakeSmtp
from tests.village import Village, japan


def test_a_mail_planned_at_midnight_and_refused_at_ten_is_dated_ten_and_repeated_byte_by_byte(
    tmp_path: Path, sqlite_url: str
) -> None:
    with FakeSmtp() as smtp:
        given = {"smtp_url": smtp.url, "mail_from": "otayori@example.jp"}
        settings = read_settings(database_url=sqlite_url, data_dir=tmp_path, **given)
        clock = SteppedClock(japan("2027-03-10 12:00"))
        with build_app(settings, clock=clock, durable=False) as app:
            village = Village(SimulatedWorld(app, clock, {one: MemoryChannel() for one in registered()}))
            village.member("娘", "musume@example.jp")
            village.person("母", mode=Mode.STANDARD)
            village.card("母", date(2027, 3, 31))
            run_once(app, clock.now())
            before = len(smtp.mails)
            clock.move_to(japan("2027-03-17 00:01"))
            run_once(app, clock.now())
            assert len(smtp.mails) == before, "it is planned, and waits for the morning"
            smtp.lose_answer_next()

            for at in ("2027-03-17 10:01", "2027-03-17 10:03", "2027-03-17 10:10"):
                clock.move_to(japan(at))
                run_once(app, clock.now())

    first, second = smtp.mails[before:]
    assert first.raw == second.raw
    assert first.parsed["Date"] == "Wed, 17 Mar 2027 10:01:00 +0900"
