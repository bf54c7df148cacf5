"""Canaries: a text and a mail to the operator's own addresses, which prove a channel, or whose absence is a fault."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from reminder.channels.heartbeat import HeartbeatClient
from reminder.channels.memory import MemoryChannel
from reminder.clock import SteppedClock
from reminder.delivery import send_canaries
from reminder.delivery.send_canaries import CanarySettings
from reminder.domain.model.channels import registered
from reminder.domain.parsing.bounces import read_returned
from reminder.errors import SettingsError
from reminder.simulate import SimulatedWorld
from reminder.storage.crypto.keyring import new_key
from reminder.storage.db.tables import Canary, GroupUsage, Message, Promise
from reminder.storage.runtime import heartbeats
from reminder.upkeep.audit_job import run_audit
from reminder.upkeep.health import assess
from reminder.upkeep.metrics import exposition
from reminder.wiring import build_app, read_settings
from tests.fakes import twilio as fake
from tests.fakes.listener import Listener
from tests.fakes.smtp import FakeSmtp
from tests.fakes.twilio import FakeTwilio
from tests.village import Village, japan

PHONE, MAILBOX, PIPE = "+819000000099", "unyou@example.jp", "modori@example.jp"


@dataclass
class Operator:
    """Twilio, which calls nobody and can be asked, and a mail server, at the other end of sockets."""

    village: Village
    twilio: FakeTwilio
    smtp: FakeSmtp

    def at(self, moment: str) -> None:
        """Passes and an audit at this moment."""
        self.village.sleep_until(moment)
        for _ in range(2):
            self.village.pass_once()

    def troubles(self) -> list[str]:
        found = assess(self.village.app.units, self.village.now).found
        return [one.code for one in found if one.code.startswith("canary_")]

    def proofs(self) -> list[tuple[str, str | None]]:
        with self.village.app.database.reading() as tx:
            rows = tx.execute(select(Canary.channel, Canary.how).order_by(Canary.channel, Canary.due_at))
            return [(channel, how) for channel, how in rows]

    def come_back(self, place: int = -1) -> bool:
        """What the operator's mailbox does with a mail that it sends on to the pipe."""
        with self.village.app.writing() as uow:
            return send_canaries.keep_return(uow, read_returned(self.smtp.mails[place].raw))


def opened(stack: ExitStack, database_url: str, folder: Path, **more: object) -> Operator:
    clock = SteppedClock(japan("2027-03-17 06:00"))
    twilio = stack.enter_context(FakeTwilio(now=lambda: clock.now().astimezone(UTC)))
    smtp = stack.enter_context(FakeSmtp())
    twilio.allow_all()
    twilio.arrives_after = timedelta(seconds=20)
    settings = read_settings(
        database_url=database_url,
        data_dir=folder,
        secret_keys=(new_key(),),
        twilio_account_sid=fake.ACCOUNT_SID,
        twilio_auth_token=(fake.AUTH_TOKEN,),
        twilio_from=fake.SENDER,
        twilio_base_url=twilio.url,
        smtp_url=smtp.url,
        mail_from="otayori@example.jp",
        bounce_address=PIPE,
        **{"canary_sms": PHONE, "canary_email": MAILBOX, **more},
    )
    app = stack.enter_context(build_app(settings, clock=clock))
    village = Village(SimulatedWorld(app, clock, {name: MemoryChannel() for name in registered()}))
    return Operator(village, twilio, smtp)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as kept:
        yield kept


@pytest.fixture
def operator(stack: ExitStack, database_url: str, tmp_path: Path) -> Operator:
    return opened(stack, database_url, tmp_path)


def test_one_of_each_is_sent_when_the_hours_of_messages_begin(operator: Operator) -> None:
    operator.at("2027-03-17 06:59")
    assert (operator.twilio.texts, operator.smtp.mails) == ([], [])
    operator.at("2027-03-17 07:00")
    operator.at("2027-03-17 09:00")
    for minute in range(1, 4):
        operator.at(f"2027-03-17 09:0{minute}")

    [text] = operator.twilio.texts
    assert (text.to, text.body) == (
        PHONE,
        "【期限だより】送信の確認です（3月17日（水） 9時）。届いていれば、何もいりません。",
    )
    assert [mail.recipients for mail in operator.smtp.mails] == [(MAILBOX,)]


def test_an_hourly_one_is_sent_each_hour_until_the_evening(stack: ExitStack, database_url: str, tmp_path: Path) -> None:
    operator = opened(stack, database_url, tmp_path, canary_every="hour", canary_email=None)
    for hour in range(6, 24):
        operator.at(f"2027-03-17 {hour:02}:00")

    assert len(operator.twilio.texts) == 9
    assert len({text.body for text in operator.twilio.texts}) == 9, "no two have the same words"


def test_a_text_counts_when_the_provider_says_that_it_was_delivered(operator: Operator) -> None:
    operator.at("2027-03-17 09:00")
    assert ("sms", None) in operator.proofs()
    operator.at("2027-03-17 09:03")
    operator.at("2027-03-17 09:04")

    assert ("sms", "delivered") in operator.proofs()
    assert "canary_missing_sms" not in operator.troubles()


def test_a_text_that_is_only_accepted_is_missing_after_a_quarter_of_an_hour(operator: Operator) -> None:
    operator.twilio.arrives_after = timedelta(hours=9)
    operator.at("2027-03-17 09:00")
    operator.at("2027-03-17 09:14")
    assert operator.troubles() == []

    operator.at("2027-03-17 09:15")
    assert operator.troubles() == ["canary_missing_sms"]
    operator.twilio.arrives_after = timedelta(seconds=20)
    operator.at("2027-03-18 09:00")
    operator.at("2027-03-18 09:03")
    operator.at("2027-03-18 09:04")
    assert operator.troubles() == [], "the next one has come"


def test_a_text_that_cannot_leave_is_missing_too(operator: Operator) -> None:
    operator.twilio.outage = fake.refuse(500)
    for minute in range(0, 20, 5):
        operator.at(f"2027-03-17 09:{minute:02}")

    assert operator.troubles() == ["canary_missing_sms"]


def test_the_heartbeat_carries_it(operator: Operator) -> None:
    with Listener() as well, Listener() as wrong:
        client = HeartbeatClient(well.url, wrong.url)
        operator.twilio.arrives_after = timedelta(hours=9)
        operator.at("2027-03-17 09:00")
        heard(operator, client)
        before = (len(well.heard), len(wrong.heard))
        operator.at("2027-03-17 09:16")
        heard(operator, client)

    assert before == (1, 0)
    assert (len(well.heard), len(wrong.heard)) == (1, 1)


def heard(operator: Operator, client: HeartbeatClient) -> None:
    with operator.village.app.database.writing() as tx:
        heartbeats.record(tx, heartbeats.PASS, operator.village.now)
    run_audit(operator.village.app.units, operator.village.now, client)


def test_a_mail_that_does_not_come_back_is_said_to_be_accepted_only(operator: Operator) -> None:
    operator.at("2027-03-17 07:00")
    operator.at("2027-03-17 07:01")
    operator.at("2027-03-17 08:00")

    assert operator.proofs() == [("email", "accepted")]
    assert operator.troubles() == []


def test_once_a_mail_has_come_back_the_next_ones_must(operator: Operator) -> None:
    operator.at("2027-03-17 07:00")
    operator.at("2027-03-17 07:01")
    assert operator.come_back()
    assert not operator.come_back(), "once"
    assert operator.proofs() == [("email", "returned")]

    operator.at("2027-03-18 07:00")
    operator.at("2027-03-18 07:01")
    assert operator.proofs() == [("email", "returned"), ("email", None)]
    operator.at("2027-03-18 07:30")
    assert "canary_missing_email" in operator.troubles()
    assert operator.come_back()
    assert "canary_missing_email" not in operator.troubles()


def test_a_mail_to_the_mail_pipe_itself_must_come_back_from_the_first(
    stack: ExitStack, database_url: str, tmp_path: Path
) -> None:
    operator = opened(stack, database_url, tmp_path, canary_email=f"{PIPE.partition('@')[0]}+kanaria@example.jp")
    operator.at("2027-03-17 07:00")
    operator.at("2027-03-17 07:30")

    assert operator.proofs() == [("email", None)]
    assert "canary_missing_email" in operator.troubles()


@pytest.mark.parametrize("mail", [b"", b"\xff\x00", b"Message-ID: <abc@example.jp>\r\n\r\nx"])
def test_other_mail_in_the_pipe_proves_nothing(operator: Operator, mail: bytes) -> None:
    operator.at("2027-03-17 07:00")

    with operator.village.app.writing() as uow:
        assert not send_canaries.keep_return(uow, read_returned(mail))


def test_a_mail_of_somebody_else_that_comes_back_is_no_canary(operator: Operator) -> None:
    operator.village.member("娘", "musume@example.jp")
    operator.village.person("母")
    operator.village.card("母", japan("2027-03-31 00:00").date())
    operator.at("2027-03-17 07:00")
    operator.at("2027-03-17 10:30")
    theirs = [place for place, mail in enumerate(operator.smtp.mails) if mail.recipients != (MAILBOX,)]

    assert theirs
    assert not operator.come_back(theirs[0])


def test_canaries_are_in_no_group_no_promise_and_no_balance(operator: Operator) -> None:
    operator.at("2027-03-17 09:00")
    operator.at("2027-03-17 19:30")

    with operator.village.app.database.reading() as tx:
        assert tx.scalar(select(func.count()).select_from(GroupUsage)) == 0
        assert tx.scalar(select(func.count()).select_from(Promise)) == 0
        assert set(tx.scalars(select(Message.group_id))) == {None}


def test_a_missed_one_is_not_made_up_for_at_night_nor_twice(operator: Operator) -> None:
    operator.at("2027-03-17 21:30")
    assert operator.proofs() == []
    operator.at("2027-03-20 15:00")

    assert [channel for channel, _ in operator.proofs()] == ["email", "sms"]


def test_the_metrics_say_how_long_each_took(operator: Operator) -> None:
    operator.at("2027-03-17 07:00")
    operator.at("2027-03-17 07:01")

    measured = exposition(operator.village.app.units, operator.village.now).decode()

    assert 'kigen_canary_age_seconds{channel="email"} 60.0' in measured
    assert 'kigen_canary_back_seconds{channel="email",how="accepted"} 0.0' in measured


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"canary_sms": PHONE}, "TWILIO_ACCOUNT_SID"),
        ({"canary_email": MAILBOX}, "SMTP_URL"),
    ],
)
def test_a_canary_that_nothing_sends_refuses_to_start(given: dict[str, object], named: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read_settings(**given)

    assert named in refused.value.setting


def test_the_bounce_address_and_its_parts_end_in_the_pipe() -> None:
    settings = CanarySettings({}, PIPE)

    assert [
        settings.ends_in_pipe(one)
        for one in (PIPE, "Modori+x@EXAMPLE.jp", "modoru@example.jp", "modori@example.com", MAILBOX)
    ] == [True, True, False, False, False]
    assert not CanarySettings({}).ends_in_pipe("")
