"""A machine is cloned, or an old one runs on after a restore: each copy notices the other by what comes back."""

import asyncio
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from reminder.channels.sms.client import TwilioSms
from reminder.clock import JAPAN
from reminder.conversation import inbox
from reminder.delivery import apply_receipts, provider_lists
from reminder.domain.model.people import ChannelName
from reminder.storage.maintenance import moving
from reminder.upkeep.health import assess
from reminder.upkeep.privacy.erasure import erase_person
from tests.fakes import twilio as fake
from tests.fakes.twilio import FakeTwilio, Text
from tests.journeys.test_restored import BEFORE_IT_IS_PLANNED, BEFORE_IT_IS_SENT, MOTHER, backed_up, restored
from tests.village import Village

SMS = ChannelName.SMS


@pytest.fixture
def twilio() -> Iterator[FakeTwilio]:
    with FakeTwilio(now=lambda: server.heard_by.now) as server:
        server.phone(MOTHER).allow_all()
        yield server


def speaks_to(twilio: FakeTwilio, village: Village) -> Village:
    village.app.channels[SMS] = TwilioSms(  # type: ignore[index]
        fake.ACCOUNT_SID,
        fake.AUTH_TOKEN,
        sender=fake.SENDER,
        messaging_service_sid=None,
        base_url=twilio.url,
        public_url="https://kigen.example.jp",
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


def run(twilio: FakeTwilio, village: Village, until: str) -> None:
    twilio.heard_by = village
    village.run_until(until)


def hears(village: Village, text: Text, status: str = "delivered") -> None:
    """The provider calls the one public address, behind which this copy is."""
    reference = (text.status_callback or "").partition("?m=")[2]
    assert reference
    with village.app.writing() as uow:
        apply_receipts.keep_from_twilio(uow, provider_id=text.sid, status=status, error_code=None, reference=reference)
    village.pass_once()


def reads_list(twilio: FakeTwilio, village: Village) -> None:
    twilio.heard_by = village
    for text in twilio.texts:
        twilio.end(text.sid)
    with village.app.writing() as uow:
        provider_lists.want(uow, [SMS], uow.now - timedelta(hours=1))
    app = village.app
    history = provider_lists.listed(app.channels)[SMS]
    assert provider_lists.fetch(app.units, app.clock, SMS, history, app.loop.run, inbox.keep_listed) is not None


def notices(village: Village) -> bool:
    return "other_copy" in assess(village.app.units, village.now).troubles


def to_the_mother(twilio: FakeTwilio, day: str) -> int:
    return sum(f"{text.created_at.astimezone(JAPAN):%m-%d}" == day for text in twilio.texts)


@pytest.mark.parametrize("cloned_at", [BEFORE_IT_IS_PLANNED, BEFORE_IT_IS_SENT])
def test_a_clone_is_noticed_by_the_receipt_of_its_text_and_by_the_list(
    cloned_at: str, village: Village, twilio: FakeTwilio, tmp_path: Path
) -> None:
    run(twilio, village, cloned_at)
    with restored(village, backed_up(village, tmp_path), cloned_at, tmp_path, exact=True) as clone:
        speaks_to(twilio, clone)
        run(twilio, village, "2027-03-17 09:30")
        run(twilio, clone, "2027-03-17 09:30")
        ours, its = twilio.texts
        assert not notices(village)
        hears(village, ours)
        assert not notices(village), "a receipt of its own"

        hears(village, its)
        reads_list(twilio, clone)

        assert notices(village), "by the receipt"
        assert notices(clone), "by the list, for nobody calls it"


def test_what_a_clone_alone_has_made_is_noticed_by_its_receipt(
    village: Village, twilio: FakeTwilio, tmp_path: Path
) -> None:
    run(twilio, village, BEFORE_IT_IS_PLANNED)
    with restored(village, backed_up(village, tmp_path), BEFORE_IT_IS_PLANNED, tmp_path, exact=True) as clone:
        speaks_to(twilio, clone)
        village.run_until("2027-03-16 23:00")
        clone.run_until("2027-03-17 09:30")

        hears(village, twilio.texts[0])

        assert notices(village), "its id was never given here"


def test_once_noticed_a_text_that_the_other_has_sent_is_not_sent_again_and_none_is_lost(
    village: Village, twilio: FakeTwilio, tmp_path: Path
) -> None:
    run(twilio, village, BEFORE_IT_IS_SENT)
    with restored(village, backed_up(village, tmp_path), BEFORE_IT_IS_SENT, tmp_path, exact=True) as clone:
        speaks_to(twilio, clone)
        run(twilio, clone, "2027-03-17 09:30")
        run(twilio, village, "2027-03-17 09:31")
        for text in twilio.texts:
            hears(village, text)
        assert notices(village)
        assert to_the_mother(twilio, "03-17") == 2, "nobody could know"

        # The next reminder: the other copy is at nine, this one asks at nine, and finds it.
        run(twilio, clone, "2027-03-25 12:00")
        sent = len(twilio.texts)
        assert sent > 2
        run(twilio, village, "2027-03-25 12:00")

        assert len(twilio.texts) == sent, "none of them twice"
        later = [m for m in village.messages() if m.channel == SMS and m.scheduled_at > twilio.texts[1].created_at]
        assert {m.state for m in later} == {"accepted"}
        # The other one is gone without a word: what it has not sent is sent here, once.
        run(twilio, village, "2027-04-01 00:00")
        assert len(twilio.texts) > sent
        assert len({text.body for text in twilio.texts[sent:]}) == len(twilio.texts) - sent


def test_when_the_operator_has_stopped_one_of_them_what_it_did_before_is_explained(
    village: Village, twilio: FakeTwilio, tmp_path: Path
) -> None:
    run(twilio, village, BEFORE_IT_IS_SENT)
    with restored(village, backed_up(village, tmp_path), BEFORE_IT_IS_SENT, tmp_path, exact=True) as clone:
        speaks_to(twilio, clone)
        run(twilio, village, "2027-03-17 09:30")
        run(twilio, clone, "2027-03-17 09:31")
    hears(village, twilio.texts[1], "sent")
    assert notices(village)
    run(twilio, village, "2027-03-17 09:40")

    with village.app.writing() as uow:
        was = moving.settle_other_copy(uow.tx, uow.now)
    assert was is not None
    village.pass_once()
    hears(village, twilio.texts[1], "delivered")
    reads_list(twilio, village)

    assert not notices(village)


# ── no false alarm ──


def test_after_a_restore_receipts_and_lists_of_the_lost_hours_are_no_other_copy(
    village: Village, twilio: FakeTwilio, tmp_path: Path
) -> None:
    for taken_at in (BEFORE_IT_IS_PLANNED, BEFORE_IT_IS_SENT):
        run(twilio, village, taken_at)
        file = backed_up(village, tmp_path)
    run(twilio, village, "2027-03-17 10:00")
    with restored(village, file, "2027-03-17 10:30", tmp_path) as after:
        speaks_to(twilio, after)
        reads_list(twilio, after)
        hears(after, twilio.texts[0], "sent")
        run(twilio, after, "2027-03-17 12:00")
        hears(after, twilio.texts[0])
        reads_list(twilio, after)
        run(twilio, after, "2027-04-02 12:00")
        for text in twilio.texts:
            hears(after, text)
        reads_list(twilio, after)

        assert not notices(after)


@pytest.mark.parametrize("proof", ["receipt", "list"])
def test_an_old_service_that_runs_on_after_a_restore_is_noticed(
    proof: str, village: Village, twilio: FakeTwilio, tmp_path: Path
) -> None:
    run(twilio, village, "2027-03-16 20:00")
    with restored(village, backed_up(village, tmp_path), "2027-03-16 21:00", tmp_path) as after:
        speaks_to(twilio, after)
        after.pass_once()
        run(twilio, after, "2027-03-17 09:30")
        run(twilio, village, "2027-03-17 09:30")
        assert len(twilio.texts) == 2
        assert not notices(after)

        if proof == "receipt":
            hears(after, twilio.texts[-1])
        else:
            reads_list(twilio, after)

        assert notices(after)


def test_what_was_erased_is_no_other_copy_in_receipts_or_in_the_list(
    village: Village, twilio: FakeTwilio, tmp_path: Path
) -> None:
    village.person("父", phone="090-0000-0001", consent=True)
    village.card("父", date(2027, 3, 31))
    run(twilio, village, "2027-03-17 09:30")
    texts = list(twilio.texts)
    assert texts
    erase_person(village.app.units, village.now, person_id=1)
    for text in texts:
        hears(village, text, "sent")
        hears(village, text)
    reads_list(twilio, village)
    run(twilio, village, "2027-04-05 12:00")
    for text in twilio.texts:
        hears(village, text)
    reads_list(twilio, village)

    assert not notices(village)


def test_a_text_of_another_program_by_the_same_account_is_no_other_copy(village: Village, twilio: FakeTwilio) -> None:
    run(twilio, village, "2027-03-17 09:30")
    channel = TwilioSms(
        fake.ACCOUNT_SID,
        fake.AUTH_TOKEN,
        sender=fake.SENDER,
        messaging_service_sid=None,
        base_url=twilio.url,
        public_url=None,
    )

    async def other() -> None:
        from reminder.domain.model.messages import Outgoing

        await channel.send(Outgoing(1, MOTHER, "通院は明日です。", None, village.now, village.now))
        await channel.close()

    asyncio.run(other())
    reads_list(twilio, village)

    assert not notices(village)
