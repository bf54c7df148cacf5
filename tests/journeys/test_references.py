"""Every name of ours that leaves the house: none can be guessed, none is the same in another installation."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date
from email import message_from_bytes
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from icalendar import Calendar

from reminder.channels.memory import MemoryChannel
from reminder.clock import SteppedClock
from reminder.domain.model.channels import registered
from reminder.domain.model.people import ChannelName, Mode
from reminder.simulate import SimulatedWorld
from reminder.storage.auth.signed_links import SignedLinks
from reminder.storage.crypto.keyring import new_key
from reminder.upkeep.calendar.feeds import make_feed, read_feed
from reminder.wiring import build_app, read_settings
from reminder.worker.jobs import run_once
from tests.fakes import twilio as fake
from tests.fakes.line import FakeLine
from tests.fakes.smtp import FakeSmtp
from tests.fakes.twilio import FakeTwilio
from tests.village import Village, japan

PUBLIC = "https://kigen.example.jp"
# Every place in the source that puts our public address in front of something, and what it puts there.
PLACES = {
    ("channels/sms/client.py", "status callback"),
    ("channels/twilio/webhooks.py", "what is checked, not sent"),
    ("channels/voice/client.py", "call and status callback"),
    ("storage/auth/signed_links.py", "links of mails, the address for bounces"),
    ("web/webhooks.py", "the next turn of a call"),
}
# What a mail, a text, a call, a push and a calendar carry. A new kind of reference is added here and below.
KINDS = {
    "Message-ID", "boundary", "return path", "List-Unsubscribe", "take link", "reached link", "status callback",
    "call callback", "call status callback", "LINE retry key", "calendar UID", "calendar address", "bounce address",
}  # fmt: skip
LINK = re.compile(rf"{re.escape(PUBLIC)}/([a-z/-]+?)/([^\s/]+)(?:\s|$)")


@dataclass
class Installation:
    village: Village
    smtp: FakeSmtp
    twilio: FakeTwilio
    line: FakeLine
    found: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def collect(self) -> Mapping[str, list[str]]:
        """What left the house, by kind."""
        for mail in self.smtp.mails:
            parsed = message_from_bytes(mail.raw)
            assert (parsed["References"], parsed["In-Reply-To"]) == (None, None)
            self.found["Message-ID"].append(str(parsed["Message-ID"]).strip("<>").partition("@")[0])
            self.found["boundary"].append(str(parsed.get_boundary()).removeprefix("=_"))
            self.found["return path"].append(mail.sender.removeprefix("bounces+").partition("@")[0])
            if parsed["List-Unsubscribe"]:
                stop = urlsplit(str(parsed["List-Unsubscribe"]).strip("<>")).path
                self.found["List-Unsubscribe"].append(stop.removeprefix("/stop/"))
            for act, named in LINK.findall(mail.body("plain")):
                self.found[f"{act} link"].append(named)
        for text in self.twilio.texts:
            self.found["status callback"].append(_m(str(text.status_callback)))
        for ring in self.twilio.rings:
            self.found["call callback"].append(_m(ring.form["Url"]))
            self.found["call status callback"].append(_m(ring.form["StatusCallback"]))
        self.found["LINE retry key"] += [push.retry_key for push in self.line.pushed]
        app = self.village.app
        with app.writing() as uow:
            token = make_feed(uow, member_id=1, is_private=False)
        with app.reading() as uow:
            events = Calendar.from_ical(read_feed(uow, token)).walk("VEVENT")
        self.found["calendar address"].append(token)
        self.found["calendar UID"] += [str(event["UID"]).partition("-")[2].partition("@")[0] for event in events]
        self.found["bounce address"].append(str(SignedLinks(app.keys, PUBLIC).bounces()).rpartition("/")[2])
        return self.found


def _m(url: str) -> str:
    return parse_qs(urlsplit(url).query)["m"][0]


@contextmanager
def installed(folder: Path, name: str) -> Iterator[Installation]:
    """The same people at the same instants, each time in an installation of its own."""
    with ExitStack() as stack:
        smtp, line = stack.enter_context(FakeSmtp()), stack.enter_context(FakeLine())
        clock = SteppedClock(japan("2026-12-01 08:00"))
        twilio = stack.enter_context(FakeTwilio(now=clock.now))
        twilio.allow_all()
        settings = read_settings(
            data_dir=folder / name,
            secret_keys=(new_key(),),
            public_url=PUBLIC,
            smtp_url=smtp.url,
            mail_from="otayori@example.jp",
            bounce_address="bounces@example.jp",
            links_in_carer_mail=True,
            twilio_account_sid=fake.ACCOUNT_SID,
            twilio_auth_token=(fake.AUTH_TOKEN,),
            twilio_from=fake.SENDER,
            twilio_base_url=twilio.url,
            twilio_voice_base_url=twilio.url,
            twilio_voice_from="+815000000001",
            voice_enabled=True,
            line_token="invented",
            line_base_url=line.url,
        )
        app = stack.enter_context(build_app(settings, clock=clock, durable=False))
        village = Village(SimulatedWorld(app, clock, {one: MemoryChannel() for one in registered()}))
        village.member("娘", "musume@example.jp")
        for label, channel, address in (
            ("母", ChannelName.SMS, "090-0000-0001"),
            ("父", ChannelName.EMAIL, "chichi@example.jp"),
            ("祖母", ChannelName.VOICE, "03-3500-0001"),
            ("祖父", ChannelName("line"), "U" + "ab" * 16),
        ):
            village.person(label, mode=Mode.ELDERLY)
            village.contact(label, channel, address)
            village.card(label, date(2027, 3, 31))
        yield Installation(village, smtp, twilio, line)


def tell(one: Installation) -> None:
    for instant in (
        "2026-12-05 11:00",
        "2027-01-05 11:00",
        "2027-02-22 10:30",
        "2027-03-17 11:00",
        "2028-01-04 11:00",
        "2028-01-11 11:00",
    ):
        one.village.sleep_until(instant)
        run_once(one.village.app, one.village.now)
        run_once(one.village.app, one.village.now)


def test_no_reference_that_leaves_the_house_can_be_guessed_or_is_the_same_elsewhere(tmp_path: Path) -> None:
    with installed(tmp_path, "one") as first, installed(tmp_path, "other") as second:
        tell(first)
        tell(second)
        ours, theirs = first.collect(), second.collect()

    assert ours.keys() == theirs.keys() == KINDS
    assert all(ours[kind] and len(ours[kind]) == len(theirs[kind]) for kind in KINDS), "the same was told in both"
    for kind in KINDS:
        assert not set(ours[kind]) & set(theirs[kind]), kind
        for one in ours[kind]:
            if kind == "LINE retry key":
                assert re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", one), kind
            else:
                # Letters of at least 16 make 128 bits out of 32; no id and no second stands in them.
                assert re.fullmatch("[a-z]{32,64}", one), (kind, one)
    for kind in ("Message-ID", "status callback", "call callback", "LINE retry key", "calendar address"):
        assert len(set(ours[kind])) == len(ours[kind]), f"each message has its own: {kind}"
    assert ours["Message-ID"] == ours["return path"] == ours["boundary"], "one name for one message"
    assert not set(ours["List-Unsubscribe"]) & set(ours["Message-ID"])


def test_references_stay_the_same_through_a_change_of_keys_and_when_the_old_key_is_gone(tmp_path: Path) -> None:
    old, new = new_key(), new_key()

    def stop_link(*keys: str) -> str:
        settings = read_settings(data_dir=tmp_path, secret_keys=keys, public_url=PUBLIC)
        with build_app(settings, clock=SteppedClock(japan("2026-12-01 08:00")), durable=False) as app:
            if len(keys) == 2:
                from reminder.upkeep import key_rotation

                key_rotation.rotate(app.units, app.clock.now(), lambda *_: None)
            return str(SignedLinks(app.keys, PUBLIC).stop(7, app.clock.now()))

    assert stop_link(old) == stop_link(new, old) == stop_link(new)


def test_every_place_that_gives_our_address_away_is_known() -> None:
    source = Path(__file__).parents[2] / "reminder"
    found = {
        str(path.relative_to(source))
        for path in source.rglob("*.py")
        if re.search(r"public_url\}", path.read_text(encoding="utf-8"))
    }

    assert found == {place for place, _ in PLACES}


@pytest.mark.parametrize("kind", ["Message-ID", "List-Unsubscribe", "status callback"])
def test_knowing_one_reference_tells_nothing_of_the_next(tmp_path: Path, kind: str) -> None:
    with installed(tmp_path, "one") as home:
        tell(home)
        some = home.collect()[kind]

    beginnings = {one[:8] for one in some}
    assert len(beginnings) == len(set(some))
