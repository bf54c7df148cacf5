"""Receipts: what a provider says became of a text, and what follows from it."""

from datetime import date, timedelta

import pytest
from sqlalchemy import text

from reminder.clock import JAPAN
from reminder.domain.model.people import ChannelName, ConsentHow
from reminder.enrolment import consent
from reminder.errors import ConflictError, UnknownOutcomeError
from reminder.storage.outbox import receipts
from reminder.storage.outbox.queries import MessageView
from reminder.storage.registry import contacts
from reminder.storage.runtime import heartbeats
from reminder.upkeep.health import assess
from tests.village import Village

END = date(2027, 3, 31)


@pytest.fixture
def told(village: Village) -> Village:
    """A father with a phone and a mail address, and his daughter; the phone has taken the text of 17 March at 09:00."""
    village.member("娘", "musume@example.jp")
    village.person("父", phone="090-0000-0002")
    village.contact("父", ChannelName.EMAIL, "chichi@example.jp")
    village.card("父", END)
    village.sleep_until("2027-03-17 08:00")
    village.run_until("2027-03-17 09:00")
    assert last_text(village).state == "accepted"
    return village


def last_text(village: Village) -> MessageView:
    return [message for message in village.messages() if message.channel == ChannelName.SMS][-1]


def hear(village: Village, status: str, error_code: str | None = None, *, provider_id: str | None = None) -> None:
    """Of the latest text to the phone, if not of another."""
    provider_id = provider_id or last_text(village).provider_id or ""
    with village.app.database.writing() as tx:
        receipts.keep(
            tx, provider_id=provider_id, status=status, error_code=error_code, message_id=None, now=village.now
        )
    village.run_until(f"{village.now.astimezone(JAPAN) + timedelta(minutes=1):%Y-%m-%d %H:%M}")


def phone_state(village: Village) -> str:
    with village.app.database.reading() as tx:
        return next(
            contact.state
            for contact in contacts.of_group(tx, village.app.keys, None)
            if contact.channel is ChannelName.SMS
        )


@pytest.mark.parametrize(
    ("heard", "state", "why"),
    [
        (["queued", "sent"], "accepted", "steps on the way"),
        (["sent", "delivered"], "delivered", "as it should be"),
        (["delivered", "sent", "queued"], "delivered", "steps that come late change nothing"),
        (["delivered", "undelivered"], "delivered", "an end is an end"),
        (["undelivered", "delivered"], "undelivered", "an end is an end"),
        (["delivered", "delivered"], "delivered", "said twice"),
        (["read"], "delivered", "whoever read it has it"),
        (["something-new"], "accepted", "a word nobody knows yet"),
    ],
)
def test_an_end_wins_over_steps_and_over_a_later_end(told: Village, heard: list[str], state: str, why: str) -> None:
    for status in heard:
        hear(told, status)

    assert last_text(told).state == state, why


def test_a_receipt_for_a_text_that_is_not_ours_is_kept_and_changes_nothing(told: Village) -> None:
    before = told.states()

    hear(told, "undelivered", "30006", provider_id="somebody-elses")

    assert told.states() == before
    assert phone_state(told) == "confirmed"


@pytest.mark.parametrize(
    ("error_code", "state", "why"),
    [
        ("30005", "unreachable", "the number does not exist any more"),
        ("30006", "unreachable", "a landline, or a phone that takes no texts"),
        ("21610", "opted_out", "its owner told the provider to stop"),
        ("30003", "confirmed", "switched off today"),
        ("30008", "confirmed", "nobody knows why"),
        ("30007", "confirmed", "filtered: our sender is at fault, not the phone"),
        (None, "confirmed", "no reason given"),
    ],
)
def test_only_a_number_that_is_gone_or_said_no_is_given_up(
    told: Village, error_code: str | None, state: str, why: str
) -> None:
    hear(told, "undelivered", error_code)

    assert phone_state(told) == state, why


def test_when_the_phone_is_gone_the_person_is_told_by_mail_the_same_day_and_the_family_that_it_is(
    told: Village,
) -> None:
    hear(told, "undelivered", "30005")
    told.run_until("2027-03-17 23:00")

    assert told.texts_to("父") == ["03-17 09:00", "03-17 09:01"]
    assert len(told.sms.sent) == 1
    assert any("届きませんでした" in words for words in told.words_to("娘"))


@pytest.fixture
def only_a_phone(village: Village) -> Village:
    """The same father without a mail address."""
    village.member("娘", "musume@example.jp")
    village.person("父", phone="090-0000-0002")
    village.card("父", END)
    village.sleep_until("2027-03-17 08:00")
    village.run_until("2027-03-17 09:00")
    return village


@pytest.mark.parametrize(
    ("error_code", "texts", "why"),
    [
        ("30003", ["03-17 09:00", "03-18 09:00", "03-19 09:00"], "switched off: three days"),
        ("30008", ["03-17 09:00", "03-18 09:00"], "nobody knows why: once more"),
        (None, ["03-17 09:00", "03-18 09:00"], "nobody says why: once more"),
        ("30007", ["03-17 09:00"], "filtered: it would be filtered again"),
        ("30005", ["03-17 09:00"], "no such number"),
    ],
)
def test_a_phone_that_brings_a_text_back_is_tried_again_tomorrow_and_not_for_ever(
    only_a_phone: Village, error_code: str | None, texts: list[str], why: str
) -> None:
    heard = 0
    for evening in ("2027-03-17 23:00", "2027-03-18 23:00", "2027-03-19 23:00", "2027-03-22 23:00"):
        if len(only_a_phone.sms.sent) > heard:
            heard += 1
            hear(only_a_phone, "undelivered", error_code)
        only_a_phone.run_until(evening)

    assert only_a_phone.texts_to("父") == texts, why
    assert (phone_state(only_a_phone) == "confirmed") is (error_code != "30005"), "the next step is tried again"
    assert sum("届きませんでした" in words for words in only_a_phone.words_to("娘")) == len(texts)


@pytest.mark.parametrize("error_code", ["30003", "30008", "30007", "30002", "30410", "39999", None])
def test_whatever_brings_a_text_back_the_person_is_told_another_way_the_same_day(
    told: Village, error_code: str | None
) -> None:
    hear(told, "undelivered", error_code)
    told.run_until("2027-03-23 23:00")

    assert told.texts_to("父") == ["03-17 09:00", "03-17 09:01"]
    assert len(told.sms.sent) == 1
    failovers = [one.key.rpartition(":")[2] for one in told.messages() if one.audience == "person"]
    assert failovers == ["0", "1"]
    (heard,) = [words for words in told.words_to("娘") if "届きませんでした" in words]
    assert "かわりに、メールでお知らせします。" in heard


def test_one_that_may_have_arrived_is_marked_where_it_is_told_again(told: Village) -> None:
    hear(told, "undelivered", "30410")
    told.run_until("2027-03-17 23:00")

    to_him = [(one.channel, one.possibly_double) for one in told.messages() if one.audience == "person"]
    assert to_him == [("sms", False), ("email", True)]


@pytest.mark.parametrize(
    ("error_code", "pauses"), [("30018", True), ("30002", True), ("30007", False), ("30003", False), ("30005", False)]
)
def test_a_receipt_that_says_that_the_sender_or_the_account_is_at_fault_stops_the_channel_and_keeps_what_waits(
    told: Village, error_code: str, pauses: bool
) -> None:
    told.person("母", phone="090-0000-0001")
    hear(told, "undelivered", error_code)
    told.card("母", END)
    told.run_until("2027-03-17 09:10")

    with told.app.database.reading() as tx:
        paused = {pause.channel: pause.reason for pause in heartbeats.pauses(tx, told.now)}
    assert paused == ({"sms": error_code} if pauses else {})
    assert ("channel_paused_sms" in assess(told.app.units, told.now).troubles) is pauses
    told.run_until("2027-03-17 23:00")
    assert len(told.texts_to("母")) == 1, "nothing is lost"


def test_where_most_texts_are_filtered_the_channel_stops(told: Village) -> None:
    for number in range(3):
        with told.app.database.writing() as tx:
            receipts.keep(
                tx,
                provider_id=f"SM{number}",
                status="undelivered",
                error_code="30007",
                message_id=None,
                now=told.now,
            )

    hear(told, "undelivered", "30007")

    with told.app.database.reading() as tx:
        assert [(pause.channel, pause.reason) for pause in heartbeats.pauses(tx, told.now)] == [("sms", "30007")]


def test_the_family_hears_once_a_day_of_texts_that_came_back(told: Village) -> None:
    hear(told, "undelivered", "30003")
    told.run_until("2027-03-17 23:00")

    assert sum("届きませんでした" in words for words in told.words_to("娘")) == 1


def test_receipts_that_pile_up_about_one_person_are_one_notice_and_stop_nobody_elses_text(told: Village) -> None:
    told.run_until("2027-03-24 09:00")
    first, second = (message for message in told.messages() if message.channel == ChannelName.SMS)
    with told.app.database.writing() as tx:
        for one in (first, second):
            receipts.keep(
                tx,
                provider_id=one.provider_id or "",
                status="undelivered",
                error_code="30003",
                message_id=None,
                now=told.now,
            )
    told.person("母", phone="090-0000-0001")
    told.card("母", END)

    told.run_until("2027-03-24 23:00")

    assert sum("届きませんでした" in words for words in told.words_to("娘")) == 1
    assert told.texts_to("母") == ["03-24 09:01"]


def test_a_receipt_for_a_text_that_waits_to_be_repeated_is_believed(village: Village) -> None:
    village.person("父", phone="090-0000-0002")
    village.card("父", END)
    village.sleep_until("2027-03-17 08:00")
    village.sms.fail_when(lambda _: UnknownOutcomeError("timeout"))
    village.run_until("2027-03-17 09:01")
    with village.app.database.writing() as tx:
        tx.execute(text("UPDATE messages SET state = 'queued', scheduled_at = expires_at"))
        receipts.keep(
            tx,
            provider_id="SM1",
            status="delivered",
            error_code=None,
            message_id=village.messages()[0].id,
            now=village.now,
        )

    village.run_until("2027-03-17 23:00")

    assert village.states() == ["delivered"]


def test_whoever_says_no_where_texts_no_longer_arrive_has_said_no(told: Village) -> None:
    hear(told, "undelivered", "30005")
    with told.app.database.reading() as tx:
        phone = next(c.id for c in contacts.of_group(tx, told.app.keys, None) if c.channel is ChannelName.SMS)

    told.stop(phone)

    assert phone_state(told) == "opted_out"
    with pytest.raises(ConflictError), told.app.writing() as uow:
        consent.confirm(uow, contact_id=phone, how=ConsentHow.SPOKEN, said_by="長女")


def test_a_phone_that_works_again_is_confirmed_by_a_human_and_told_at_once(told: Village) -> None:
    hear(told, "undelivered", "30005")
    with told.app.database.reading() as tx:
        phone = next(c.id for c in contacts.of_group(tx, told.app.keys, None) if c.channel is ChannelName.SMS)
    told.run_until("2027-03-20 08:00")

    with told.app.writing() as uow:
        consent.confirm(uow, contact_id=phone, how=ConsentHow.SPOKEN, said_by="長女 3月20日")
    told.run_until("2027-03-24 23:00")

    assert told.sms.sent[-1].handed_at.astimezone(JAPAN).date() == date(2027, 3, 24)


@pytest.mark.parametrize(
    ("status", "code", "state"),
    [("delivered", None, "delivered"), ("undelivered", "30006", "undelivered"), ("failed", "21610", "undelivered")],
)
def test_a_receipt_counts_for_a_message_to_somebody_who_is_no_contact(
    told: Village, status: str, code: str | None, state: str
) -> None:
    """The answer to a telephone that several share, a code, an invitation: there is no contact to draw anything from."""
    with told.app.database.writing() as tx:
        tx.execute(
            text("UPDATE messages SET contact_id = NULL, address_sealed = body_sealed WHERE id = :id"),
            {"id": last_text(told).id},
        )

    hear(told, status, code)

    with told.app.database.reading() as tx:
        assert [*tx.execute(text("SELECT state FROM messages WHERE channel = 'sms'")).scalars()] == [state]
    assert phone_state(told) == "confirmed"
