"""A day on which every provider is down until three: everybody is told by six, or a human is told that they were not.

The real worker's passes on a stepped clock; Twilio, LINE and a mail server are at the other end of sockets.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from reminder.channels.memory import MemoryChannel
from reminder.clock import JAPAN, SteppedClock
from reminder.domain.model.channels import registered
from reminder.domain.model.people import ChannelName, GroupKind, Mode
from reminder.domain.rules.evening_balance import Fate, total
from reminder.simulate import SimulatedWorld
from reminder.storage.crypto.keyring import new_key
from reminder.storage.db.tables import Promise
from reminder.storage.reminders import daily_balances
from reminder.upkeep.health import assess
from reminder.wiring import build_app, read_settings
from tests.fakes import line as fake_line
from tests.fakes import twilio as fake
from tests.fakes.line import FakeLine
from tests.fakes.smtp import FakeSmtp
from tests.fakes.twilio import FakeTwilio
from tests.village import CARD, Village, japan

TOLD = {"proven", "other_way"}
HANDED_TO = {"family", "staff", "operator"}
NEAR, FAR = date(2027, 3, 31), date(2027, 5, 23)  # on 24 March a week, and two months, before the end

# What Twilio, LINE and the mail server answer while they are down.
OUTAGES = {
    "busy": (
        fake.refuse(429, 20429),
        fake_line.Behaviour(accepts=False, status=429, body='{"message": "The API rate limit has been exceeded."}'),
        "451 4.3.2 try again later",
    ),
    "suspended": (
        fake.refuse(401, 20003),
        fake_line.Behaviour(accepts=False, status=429, body='{"message": "You have reached your monthly limit."}'),
        "530 5.7.0 sign in first",
    ),
    "broken": (
        fake.refuse(500),
        fake_line.Behaviour(accepts=False, status=500),
        "421 4.3.0 going down",
    ),
}


@dataclass
class Day:
    village: Village
    twilio: FakeTwilio
    line: FakeLine
    smtp: FakeSmtp

    def down(self, name: str) -> None:
        self.twilio.outage, self.line.outage, self.smtp.outage = OUTAGES[name]

    def up(self) -> None:
        self.twilio.outage = self.line.outage = self.smtp.outage = None

    def promises(self) -> list[tuple[str, str, str, datetime | None]]:
        """Of each promise of 24 March its audience, state, reason and when it was closed."""
        with self.village.app.database.reading() as tx:
            rows = tx.execute(
                select(Promise.audience, Promise.state, Promise.reason, Promise.closed_at)
                .where(Promise.day == date(2027, 3, 24))
                .order_by(Promise.id)
            ).all()
        return [(str(audience), str(state), reason or "", at) for audience, state, reason, at in rows]


@pytest.fixture
def day(database_url: str, tmp_path: Path) -> Iterator[Day]:
    """The night before: a family with two ways, one with one, an elder without anybody, and a home."""
    clock = SteppedClock(japan("2027-03-16 08:00"))
    with ExitStack() as stack:
        twilio = stack.enter_context(FakeTwilio(now=lambda: clock.now().astimezone(UTC)))
        line, smtp = stack.enter_context(FakeLine()), stack.enter_context(FakeSmtp())
        twilio.allow_all()
        twilio.arrives_after = timedelta(minutes=1)
        settings = read_settings(
            database_url=database_url,
            data_dir=tmp_path,
            secret_keys=(new_key(),),
            sign_up="open",
            public_url="https://kigen.example.jp",
            twilio_account_sid=fake.ACCOUNT_SID,
            twilio_auth_token=(fake.AUTH_TOKEN,),
            twilio_from=fake.SENDER,
            twilio_base_url=twilio.url,
            line_token=fake_line.TOKEN,
            line_base_url=line.url,
            smtp_url=smtp.url,
            mail_from="otayori@example.jp",
        )
        app = stack.enter_context(build_app(settings, clock=clock))
        village = Village(SimulatedWorld(app, clock, {name: MemoryChannel() for name in registered()}))
        village.group(name="田中家")
        village.member("娘", "musume@example.jp")
        village.person("母", phone="090-0000-0001", mode=Mode.ELDERLY)
        village.contact("母", ChannelName.EMAIL, "haha@example.jp")
        village.card("母", NEAR)
        village.person("父", phone="090-0000-0002", mode=Mode.ELDERLY)
        village.contact("父", ChannelName("line"), "U" + "5e" * 16)
        village.card("父", FAR)
        village.group(name="鈴木家")
        village.member("息子", "musuko@example.jp")
        village.person("伯母", phone="090-0000-0003", mode=Mode.ELDERLY)
        village.card("伯母", NEAR)
        village.group(name="一人")
        village.person("伯父", phone="090-0000-0004", mode=Mode.ELDERLY)
        village.card("伯父", NEAR, CARD)
        village.person("叔父", phone="090-0000-0007", mode=Mode.ELDERLY)
        village.card("叔父", FAR)
        village.person("従姉", phone="090-0000-0008", mode=Mode.STANDARD)
        village.card("従姉", NEAR)
        village.group(GroupKind.HOME, "さくら苑")
        village.member("事務", "jimu@example.jp")
        village.person("キヨさん", phone="090-0000-0005", room="201")
        village.contact("キヨさん", ChannelName.SMS, "090-0000-0006", family="姪")
        village.card("キヨさん", NEAR)
        village.sleep_until("2027-03-24 00:01")
        yield Day(village, twilio, line, smtp)


FATES = {
    "proven": "arrived",
    "other_way": "other_way",
    **dict.fromkeys(HANDED_TO, "to_human"),
}


def assert_adds_up(village: Village, promised: list[tuple[str, str, str, datetime | None]]) -> None:
    """The balance of 24 March says of each promise what its own row says; it is there from seven o'clock on."""
    with village.app.database.reading() as tx:
        found = daily_balances.between(tx, date(2027, 3, 24), date(2027, 3, 24))
    if village.now < japan("2027-03-24 19:00"):
        assert found == []
        return
    whole = total(found, date(2027, 3, 24))
    expected = Counter(FATES.get(state, "open") for _, state, _, _ in promised if state != "not_needed")
    assert whole.due == sum(expected.values()) == sum(getattr(whole, fate) for fate in Fate)
    assert whole.open + whole.not_known + whole.arrived == expected["open"] + expected["arrived"]
    assert (whole.to_human, whole.other_way) == (expected["to_human"], expected["other_way"])


@pytest.mark.parametrize("outage", OUTAGES)
def test_everybody_is_told_by_six_when_all_providers_are_down_until_three(day: Day, outage: str) -> None:
    village = day.village
    day.down(outage)
    village.run_until("2027-03-24 09:15")
    known = assess(village.app.units, village.now).troubles
    assert any(code.startswith(("channel_failing_", "channel_paused_")) for code in known), "the operator knows"
    village.run_until("2027-03-24 15:00")
    assert (day.twilio.texts, day.line.pushed, day.smtp.mails) == ([], [], [])

    day.up()
    village.run_until("2027-03-24 18:15")

    found = day.promises()
    assert len(found) >= 9
    assert_adds_up(village, found)
    to_people = [state for audience, state, _, _ in found if audience == "person"]
    assert to_people
    assert set(to_people) <= TOLD, found
    assert not [one for one in found if one[3] is None and one[0] == "person"]
    assert "promises_open" not in assess(village.app.units, village.now).troubles
    told = [
        one.handed_at
        for one in village.messages()
        if one.audience == "person" and one.state in ("accepted", "delivered")
    ]
    assert all(at is not None and at.astimezone(JAPAN) <= japan("2027-03-24 18:00") for at in told)
    numbers = [text.to for text in day.twilio.texts]
    assert len(numbers) == len(set(numbers)), "nobody is told twice by one telephone"
    if outage != "broken":
        # A text of unknown outcome waits for the answer to a question about it, however urgent it is.
        assert numbers[-1] == "+819000000007", "who has months left is the last"
    village.run_until("2027-03-24 21:15")
    assert {state for _, state, _, _ in day.promises()} <= TOLD
    village.sleep_until("2027-03-24 21:30")
    village.pass_once()
    assert_adds_up(village, day.promises())


@pytest.mark.parametrize("outage", OUTAGES)
def test_who_cannot_be_told_all_day_is_handed_to_the_operator_by_name(day: Day, outage: str) -> None:
    village = day.village
    day.down(outage)

    village.run_until("2027-03-24 18:15")

    to_people = [(state, at) for audience, state, _, at in day.promises() if audience == "person"]
    village.sleep_until("2027-03-24 19:00")
    village.pass_once()
    assert_adds_up(village, day.promises())
    assert {state for state, _ in to_people} == {"operator"}, "no way works, so nobody around could be told"
    assert all(at is not None and at.astimezone(JAPAN) <= japan("2027-03-24 18:01") for _, at in to_people)
    assert "promises_open" in assess(village.app.units, village.now).troubles


@pytest.mark.parametrize("outage", OUTAGES)
def test_where_only_mail_works_everybody_is_told_by_mail_or_their_family_or_home_is(day: Day, outage: str) -> None:
    village = day.village
    day.down(outage)
    day.smtp.outage = None

    village.run_until("2027-03-24 21:15")

    states = [state for audience, state, _, _ in day.promises() if audience == "person"]
    assert sorted(states) == ["family", "family", "operator", "operator", "operator", "other_way", "staff"]
    mails = [(mail.recipients[0], mail.body()) for mail in day.smtp.mails]
    for reader in ("musume@example.jp", "musuko@example.jp", "jimu@example.jp"):
        assert any(
            (to == reader and "まだ届いていません" in words) or "確かめられません" in words for to, words in mails
        )
