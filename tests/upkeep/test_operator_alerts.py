"""The operator hears of a fault by every way that still works, once a day of each."""

from datetime import date, timedelta

import pytest

from reminder.channels.heartbeat import HeartbeatClient
from reminder.channels.memory import MemoryChannel
from reminder.domain.model.people import ChannelName
from reminder.errors import SetupChannelError, TemporaryChannelError
from reminder.storage.runtime import heartbeats
from reminder.upkeep.audit_job import run_audit
from reminder.upkeep.operator_alerts import OperatorContacts
from tests.village import Village, japan

END = date(2027, 3, 31)
MAIL, PHONE = "unyou@example.jp", "+819000000099"
BOTH = OperatorContacts.of(email=MAIL, phone=PHONE)


@pytest.fixture
def morning(village: Village) -> Village:
    """A text and a mail are due at nine."""
    village.member("娘", "musume@example.jp")
    for place in range(3):
        village.person(f"隣{place}", phone=f"090-0000-010{place}")
        village.card(f"隣{place}", END)
        village.person(f"友{place}")
        village.contact(f"友{place}", ChannelName.EMAIL, f"tomo{place}@example.jp")
        village.card(f"友{place}", END)
    village.sleep_until("2027-03-17 01:00")
    village.run_until("2027-03-17 08:59")
    return village


def audit_each_minute(village: Village, until: str, contacts: OperatorContacts = BOTH) -> None:
    while village.now < japan(until):
        village.clock.move_to(village.now + timedelta(minutes=1))
        village.pass_once()
        with village.app.database.writing() as tx:
            heartbeats.record(tx, heartbeats.PASS, village.now)
        run_audit(village.app.units, village.now, HeartbeatClient(None, None), operator=contacts)


def told(channel: MemoryChannel, address: str) -> list[str]:
    return [one.text.partition(":")[0] for one in channel.sent if one.address == address]


def test_while_texts_fail_the_operator_reads_of_it_by_mail_within_a_quarter_of_an_hour(morning: Village) -> None:
    morning.sms.fail_when(lambda _: TemporaryChannelError("connect"))

    audit_each_minute(morning, "2027-03-17 09:15")

    assert told(morning.email, MAIL) == ["channel_failing_sms"], "once"
    assert told(morning.sms, PHONE) == []
    [mail] = [one for one in morning.email.sent if one.address == MAIL]
    assert mail.subject == "channel_failing_sms"
    assert "Twilio" in mail.text


def test_while_mails_fail_the_operator_reads_of_it_by_text(morning: Village) -> None:
    morning.email.fail_when(lambda _: TemporaryChannelError("connect"))

    audit_each_minute(morning, "2027-03-17 09:15")

    assert told(morning.sms, PHONE) == ["channel_failing_email"]
    assert told(morning.email, MAIL) == []


def test_a_channel_that_waits_for_the_operator_is_told_by_the_other(morning: Village) -> None:
    morning.sms.fail_when(lambda _: SetupChannelError("20003"))

    audit_each_minute(morning, "2027-03-17 09:15")

    assert told(morning.email, MAIL) == ["channel_paused_sms"]
    assert told(morning.sms, PHONE) == []


def test_without_addresses_and_without_faults_nobody_is_written_to(morning: Village) -> None:
    audit_each_minute(morning, "2027-03-17 09:03")
    assert (told(morning.email, MAIL), told(morning.sms, PHONE)) == ([], [])
    morning.sms.fail_when(lambda _: TemporaryChannelError("connect"))
    morning.person("叔父", phone="090-0000-0109")
    morning.card("叔父", END)

    audit_each_minute(morning, "2027-03-17 09:12", OperatorContacts.of(email=None, phone=None))

    assert (told(morning.email, MAIL), told(morning.sms, PHONE)) == ([], [])
