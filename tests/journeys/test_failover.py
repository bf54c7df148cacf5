"""A way that fails: the same person another way, still that day if there is time; each way once; then the family."""

from collections.abc import Iterator
from datetime import UTC, date, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from reminder.channels.memory import MemoryChannel
from reminder.clock import JAPAN, SteppedClock
from reminder.domain.model.channels import registered
from reminder.domain.model.messages import Outgoing
from reminder.domain.model.people import ChannelName, GroupKind, Mode, Role
from reminder.errors import ChannelError, PermanentChannelError, TemporaryChannelError, UnknownOutcomeError
from reminder.simulate import SimulatedWorld
from reminder.storage.auth.signed_links import SignedLinks
from reminder.storage.crypto.keyring import new_key
from reminder.storage.outbox import receipts
from reminder.wiring import build_app, read_settings
from reminder.worker.jobs import run_once
from tests.fakes import twilio as fake
from tests.fakes.line import TOKEN as LINE_TOKEN
from tests.fakes.line import Behaviour, FakeLine
from tests.fakes.smtp import FakeSmtp
from tests.fakes.twilio import Callback, FakeTwilio
from tests.returned import report
from tests.village import Village, japan, open_village
from tests.web.asking import visitor

END = date(2027, 3, 31)
PUBLIC = "https://kigen.example.jp"
FATHER, HIS_LINE = "090-0000-0002", "U" + "5e" * 16


@pytest.fixture
def reached_by_all(database_url: str, tmp_path: Path) -> Iterator[Village]:
    """A father with a mobile, a landline that may be called, LINE and mail, and his daughter: on the morning of d14."""
    with open_village(database_url, tmp_path, "2026-12-01 08:00", voice_enabled=True, line_token="invented") as village:
        village.member("娘", "musume@example.jp")
        village.person("父", phone=FATHER)
        village.contact("父", ChannelName.VOICE, "03-3500-0001")
        village.contact("父", ChannelName("line"), HIS_LINE)
        village.contact("父", ChannelName.EMAIL, "chichi@example.jp")
        village.card("父", END)
        village.sleep_until("2027-03-17 08:00")
        yield village


def came_back(village: Village, channel: ChannelName, error_code: str | None = None) -> None:
    """The provider says of the latest message of this way that it did not arrive."""
    message = [one for one in village.messages() if one.channel == channel and one.audience == "person"][-1]
    with village.app.database.writing() as tx:
        receipts.keep(
            tx,
            provider_id=message.provider_id or "",
            status="undelivered",
            error_code=error_code,
            message_id=None,
            now=village.now,
        )


def ways(village: Village) -> list[str]:
    """How the father was told, in order."""
    own = [one for one in village.messages() if one.audience == "person"]
    return [
        f"{one.channel} {one.handed_at.astimezone(JAPAN):%m-%d %H:%M} {one.key.rpartition(':')[2]}"
        for one in own
        if one.handed_at is not None
    ]


def notices(village: Village) -> list[str]:
    return [words for words in village.words_to("娘") if "届きませんでした" in words or "つながりませんでした" in words]


def test_each_way_is_tried_once_and_then_it_ends_with_the_family(reached_by_all: Village) -> None:
    village = reached_by_all
    for at, way in (
        ("09:00", ChannelName.SMS),
        ("10:01", ChannelName.VOICE),
        ("10:10", ChannelName("line")),
        ("10:20", ChannelName.EMAIL),
    ):
        village.run_until(f"2027-03-17 {at}")
        came_back(village, way, "30005" if way is ChannelName("line") else None)
    village.run_until("2027-03-17 23:00")

    assert ways(village) == ["sms 03-17 09:00 0", "voice 03-17 10:00 1", "line 03-17 10:01 2", "email 03-17 10:10 3"]
    assert len(notices(village)) == 1, "the family is told once a day, not of each"

    came_back(village, ChannelName.EMAIL)
    village.run_until("2027-03-18 12:00")
    came_back(village, ChannelName.SMS)
    village.run_until("2027-03-23 23:00")

    assert ways(village)[4:] == ["sms 03-18 09:00 0"], "once more by the usual one, and by no other"
    assert len(notices(village)) == 2


def test_a_call_whose_hours_are_over_gives_way_to_what_is_still_possible_today(reached_by_all: Village) -> None:
    village = reached_by_all
    village.run_until("2027-03-17 16:30")
    came_back(village, ChannelName.SMS, "30003")
    village.run_until("2027-03-23 23:00")

    assert ways(village) == ["sms 03-17 09:00 0", "line 03-17 16:30 1"]


def test_a_text_that_comes_back_in_the_evening_is_followed_by_a_call_on_the_next_day(reached_by_all: Village) -> None:
    village = reached_by_all
    village.run_until("2027-03-17 19:00")
    came_back(village, ChannelName.SMS, "30003")
    village.run_until("2027-03-23 23:00")

    assert ways(village) == ["sms 03-17 09:00 0", "voice 03-18 10:00 0"]


def test_who_said_no_to_one_way_is_not_called_instead(reached_by_all: Village) -> None:
    village = reached_by_all
    village.run_until("2027-03-17 09:00")
    came_back(village, ChannelName.SMS, "21610")
    village.run_until("2027-03-23 23:00")

    assert village.calls.sent == []


@pytest.mark.parametrize(
    ("failure", "instead", "why"),
    [
        (PermanentChannelError("21614"), "line", "no mobile: from now on LINE is his usual way"),
        (PermanentChannelError("21617", address_is_gone=False), "voice", "these words"),
        (UnknownOutcomeError("timeout"), "voice", "nobody knows, twice"),
    ],
)
def test_what_cannot_be_sent_goes_another_way_the_same_day(
    reached_by_all: Village, failure: ChannelError, instead: str, why: str
) -> None:
    village = reached_by_all
    handed_over: list[Outgoing] = []

    def fails(outgoing: Outgoing) -> ChannelError:
        handed_over.append(outgoing)
        return failure

    village.sms.fail_when(fails)

    village.run_until("2027-03-23 23:00")

    assert [way.split()[0] for way in ways(village)] == ["sms", instead], why
    assert all(one.scheduled_at.astimezone(JAPAN).date() == date(2027, 3, 17) for one in village.messages()), why
    assert len(handed_over) == (2 if isinstance(failure, UnknownOutcomeError) else 1)
    assert len(notices(village)) == 1
    assert f"かわりに、{'LINE' if instead == 'line' else '電話'}でお知らせします。" in notices(village)[0]


def test_two_cards_of_which_one_failed_are_not_told_by_two_ways_in_one_morning(reached_by_all: Village) -> None:
    village = reached_by_all
    village.card("父", date(2027, 4, 1), "mynumber_signature_certificate")  # its d14 is 18 March
    village.run_until("2027-03-17 19:00")
    came_back(village, ChannelName.SMS, "30003")
    village.run_until("2027-03-18 23:00")

    assert len([way for way in ways(village) if "03-18" in way]) == 1


def test_a_carer_whose_address_dies_is_told_another_way_and_the_others_hear_of_it(village: Village) -> None:
    village.member("娘", "musume@example.jp")
    village.member("息子", "musuko@example.jp")
    village.person("父", phone=FATHER)
    village.contact("父", ChannelName.SMS, "090-0000-0007", family="姪")
    village.card("父", END)
    village.sleep_until("2027-03-31 08:00")
    gone = PermanentChannelError("5.1.1")
    village.email.fail_when(lambda outgoing: gone if outgoing.address == "musume@example.jp" else None)

    village.run_until("2027-03-31 23:00")

    assert village.contacts()["musume@example.jp"] == "unreachable"
    lost = [words for words in village.words_to("息子") if "届かなくなりました" in words]
    assert len(lost) == 1
    assert "田中家でお知らせを受け取る方のうち、お一人にメール" in lost[0]
    village.run_until("2027-04-02 23:00")
    assert sum("届かなくなりました" in words for words in village.words_to("息子")) == 1, "once"


def test_a_relative_whose_phone_dies_is_noticed_by_who_is_left(village: Village) -> None:
    village.group(GroupKind.HOME, "さくら苑")
    village.member("事務", "jimu@example.jp")
    village.member("見学", "kengaku@example.jp", role=Role.VIEWER)
    village.person("タケさん", reference="202")
    village.contact("タケさん", ChannelName.SMS, "090-0000-0007", family="姪")
    village.card("タケさん", END)
    village.sms.fail_when(lambda _: PermanentChannelError("21614"))

    village.run_until("2027-02-01 23:00")

    assert sum("ご家族のうち、お一人にSMSが届かなくなりました" in words for words in village.words_to("事務")) == 1
    assert village.texts_to("見学") == []


def test_trouble_of_a_minute_is_no_reason_to_use_another_way(reached_by_all: Village) -> None:
    reached_by_all.sms.fail_next(TemporaryChannelError("503"))

    reached_by_all.run_until("2027-03-17 23:00")

    assert ways(reached_by_all) == ["sms 03-17 09:01 0"]


def test_the_bound_of_an_elders_texts_does_not_stand_between_a_text_that_came_back_and_the_other_way(
    village: Village,
) -> None:
    village.person("父", phone=FATHER, mode=Mode.ELDERLY)
    village.contact("父", ChannelName.EMAIL, "chichi@example.jp")
    for later in range(10):
        village.card("父", END + timedelta(days=3 * later), "other", label=f"券{later}")
    day = date(2027, 1, 1)
    while len(village.sms.sent) < 6:
        day += timedelta(days=1)
        village.run_until(f"{day} 12:00")
    first = village.sms.sent[0].handed_at.astimezone(JAPAN).date()
    assert day - first < timedelta(days=31), "today's was the last text of this month"

    came_back(village, ChannelName.SMS, "30003")
    village.run_until(f"{day} 23:00")

    assert [one.handed_at.astimezone(JAPAN).date() for one in village.email.sent] == [day]


# ── the same over sockets: Twilio, LINE and a mail server at the other end ──


def test_a_text_then_line_then_mail_then_the_daughter_each_once_and_with_what_became_of_it(
    database_url: str, tmp_path: Path
) -> None:
    clock = SteppedClock(japan("2027-03-16 08:00"))
    with FakeTwilio(now=lambda: clock.now().astimezone(UTC)) as twilio, FakeLine() as line, FakeSmtp() as smtp:
        settings = read_settings(
            database_url=database_url,
            data_dir=tmp_path,
            secret_keys=(new_key(),),
            public_url=PUBLIC,
            twilio_account_sid=fake.ACCOUNT_SID,
            twilio_auth_token=(fake.AUTH_TOKEN,),
            twilio_from=fake.SENDER,
            twilio_base_url=twilio.url,
            line_token=LINE_TOKEN,
            line_base_url=line.url,
            smtp_url=smtp.url,
            mail_from="otayori@example.jp",
            bounce_address="bounces@example.jp",
        )
        with build_app(settings, clock=clock) as app:
            village = Village(SimulatedWorld(app, clock, {name: MemoryChannel() for name in registered()}))
            browser = visitor(village, local_pages=False)
            village.member("娘", "musume@example.jp")
            village.person("父", phone=FATHER, mode=Mode.ELDERLY)
            village.contact("父", ChannelName("line"), HIS_LINE)
            village.contact("父", ChannelName.EMAIL, "chichi@example.jp")
            village.card("父", END)
            twilio.phone("+819000000002").expect(lambda text: "3月31日" in text, times=2)  # d14, d7
            line.script(Behaviour(accepts=False, status=400, body='{"message": "Failed to send messages"}'))

            village.sleep_until("2027-03-17 10:00")
            passes(village, 1)
            callback = twilio.callback(twilio.texts[0].sid, "undelivered", 30003)
            assert browser.post(target_of(callback), callback.body, callback.headers).status == 204
            passes(village, 3)
            (path,) = [mail.sender for mail in smtp.mails if mail.recipients == ("chichi@example.jp",)]
            address = SignedLinks(app.keys, PUBLIC).bounces()
            assert address is not None
            assert browser.post(address.removeprefix(PUBLIC), report(to=path)).status == 204
            passes(village, 3)

            assert ways(village) == [
                "sms 03-17 10:00 0", "line 03-17 10:01 1", "email 03-17 10:02 2"
            ]  # fmt: skip
            assert [one.state for one in village.messages() if one.audience == "person"] == [
                "undelivered", "failed", "undelivered"
            ]  # fmt: skip
            assert village.contacts()["chichi@example.jp"] == "unreachable"
            to_her = [mail.body() for mail in smtp.mails if mail.recipients == ("musume@example.jp",)]
            (told,) = [words for words in to_her if "届きませんでした。" in words]
            assert "かわりに、LINEでお知らせします。" in told or "かわりに、メールでお知らせします。" in told

            village.sleep_until("2027-03-24 10:00")
            passes(village, 2)
            copy = [mail.body() for mail in smtp.mails if mail.recipients == ("musume@example.jp",)][-1]
            assert "3月17日（水）　SMS　届きませんでした" in copy
            assert "3月17日（水）　LINE　送れませんでした" in copy
            assert "3月17日（水）　メール　届きませんでした" in copy


def passes(village: Village, minutes: int) -> None:
    """So many passes, a minute apart."""
    for _ in range(minutes):
        run_once(village.app, village.now)
        village.clock.move_to(village.now + timedelta(minutes=1))


def target_of(callback: Callback) -> str:
    parts = urlsplit(callback.url)
    return f"{parts.path}?{parts.query}"
