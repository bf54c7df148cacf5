"""An elder with a landline, with calls and without: whole stories on both databases, and every turn of a call."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from urllib.parse import urlencode

import pytest
from sqlalchemy import update

from reminder.clock import JAPAN
from reminder.domain.model.people import ChannelName, Mode
from reminder.enrolment import consent
from reminder.errors import ConflictError, PermanentChannelError, RefusedInputError
from reminder.storage.db.tables import Message
from reminder.storage.outbox import queries, receipts
from reminder.web.app import LONGEST_BODY
from tests.fakes import twilio as fake
from tests.fakes.twilio import sign
from tests.village import Village, open_village
from tests.web.asking import Answer, visitor

END = date(2027, 3, 31)
LANDLINE = "03-3500-0001"
PUBLIC, PATH = "https://kigen.example.jp", "/webhooks/twilio/voice"
FORM = {"content-type": "application/x-www-form-urlencoded"}
STRANGE_CALL = "CA" + "1a" * 16


@pytest.fixture
def calling_village(database_url: str, tmp_path: Path) -> Iterator[Village]:
    account = {"twilio_account_sid": fake.ACCOUNT_SID, "twilio_auth_token": (fake.AUTH_TOKEN,), "twilio_from": "KIGEN"}
    with open_village(
        database_url,
        tmp_path,
        "2026-12-01 08:00",
        voice_enabled=True,
        twilio_voice_from="+815000000001",
        public_url=PUBLIC,
        **account,
    ) as village:
        yield village


def with_a_landline(village: Village) -> int:
    """The contact of a mother who has no mobile."""
    village.member("娘", "musume@example.jp")
    village.person("母", mode=Mode.ELDERLY, mark="つばめ")
    village.card("母", END)
    return village.contact("母", ChannelName.VOICE, LANDLINE)


def rang(village: Village) -> list[str]:
    return [f"{one.handed_at.astimezone(JAPAN):%m-%d %H:%M}" for one in village.calls.sent]


def became(village: Village, status: str) -> None:
    """What the provider says of the latest call; of one that is completed, somebody has listened to it."""
    with village.app.database.writing() as tx:
        latest = queries.by_id(tx, village.calls.sent[-1].message_id)
        assert latest is not None
        if status == "completed":
            queries.record_answer(tx, latest.id, answered_by="human", date_after=None)
        provider_id = str(latest.provider_id)
        receipts.keep(tx, provider_id=provider_id, status=status, error_code=None, message_id=None, now=village.now)


def ended(
    village: Village, message_id: int, *, seconds: int | None = None, **fields: str
) -> list[tuple[str, str | None]]:
    """What the provider's callback says at the end of a call, and how the message stands then."""
    query = f"m={reference_of(village, message_id)}"
    form = [("CallSid", call_of(village, message_id)), ("CallStatus", "completed"), *fields.items()]
    form += [] if seconds is None else [("CallDuration", str(seconds))]
    path = "/webhooks/twilio/status"
    headers = {**FORM, "X-Twilio-Signature": sign(fake.AUTH_TOKEN, f"{PUBLIC}{path}?{query}", form)}
    answer = visitor(village, local_pages=False).post(f"{path}?{query}", urlencode(form).encode(), headers)
    assert answer.status == 204
    village.pass_once()
    return [(str(one.state), one.reason) for one in village.messages() if one.id == message_id]


def call_of(village: Village, message_id: int) -> str:
    """The provider's id of a call: the memory channel's own names are no ids of Twilio's."""
    call = f"CA{message_id:032x}"
    with village.app.database.writing() as tx:
        tx.execute(update(Message).where(Message.id == message_id).values(provider_id=call))
    return call


def reference_of(village: Village, message_id: int) -> str:
    return next((one.reference for one in village.calls.sent if one.message_id == message_id), "a" * 45)


def turn(
    village: Village, message_id: int, *, forged: bool = False, at: int = 0, named: str | None = None, **fields: str
) -> Answer:
    """`named`: what the address names, instead of the call's reference."""
    form = [("CallSid", call_of(village, message_id)), *fields.items()]
    query = f"m={named or reference_of(village, message_id)}" + (f"&turn={at}" if at else "")
    url = f"{PUBLIC}{PATH}?{query}"
    token = "somebody-elses" if forged else fake.AUTH_TOKEN
    headers = {**FORM, "X-Twilio-Signature": sign(token, url, form)}
    return visitor(village, local_pages=False).post(f"{PATH}?{query}", urlencode(form).encode(), headers)


def test_a_landline_is_called_three_times_at_most_and_only_in_the_hours_for_it(calling_village: Village) -> None:
    village = calling_village
    with_a_landline(village)

    village.run_until("2027-02-22 12:00")
    assert rang(village) == ["02-22 10:00"]
    became(village, "no_answer")
    village.run_until("2027-02-24 12:00")
    assert rang(village) == ["02-22 10:00", "02-24 10:00"], "the 23rd is a holiday"
    became(village, "busy")
    village.run_until("2027-02-25 12:00")
    became(village, "machine")
    village.run_until("2027-12-31 00:00")

    assert rang(village) == ["02-22 10:00", "02-24 10:00", "02-25 10:00"]
    assert sum("つながりませんでした" in words for words in village.words_to("娘")) == 3


def test_a_couple_with_one_landline_is_called_one_after_the_other(calling_village: Village) -> None:
    village = calling_village
    with_a_landline(village)
    village.person("父", mode=Mode.ELDERLY)
    village.card("父", END)
    village.contact("父", ChannelName.VOICE, LANDLINE)

    village.run_until("2027-02-22 18:00")

    assert rang(village) == ["02-22 10:00", "02-22 10:06"]
    assert village.texts_to("母") == rang(village), "both are the same telephone"


def test_who_answers_is_called_at_the_next_step_and_not_before(calling_village: Village) -> None:
    village = calling_village
    with_a_landline(village)

    for _ in range(3):
        village.run_until(
            "2027-02-22 12:00"
            if not rang(village)
            else "2027-03-24 12:00"
            if len(rang(village)) == 1
            else "2027-12-31 00:00"
        )
        if village.calls.sent:
            became(village, "completed")

    assert rang(village) == ["02-22 10:00", "03-24 10:00", "03-30 10:00"]


def test_where_calls_are_off_a_landline_never_rings_and_the_family_is_told(village: Village) -> None:
    with_a_landline(village)

    village.run_until("2027-12-31 00:00")

    assert village.calls.sent == []
    assert len(village.texts_to("娘")) >= 10


def test_a_telephone_without_consent_never_rings(calling_village: Village) -> None:
    village = calling_village
    village.person("母", mode=Mode.ELDERLY)
    village.contact("母", ChannelName.VOICE, LANDLINE, consent=False)
    village.card("母", END)

    village.run_until("2027-12-31 00:00")

    assert village.calls.sent == []


def test_a_text_that_came_back_is_followed_by_a_call_where_calls_were_agreed_to(calling_village: Village) -> None:
    village = calling_village
    with_a_landline(village)
    village.contact("母", ChannelName.SMS, "090-0000-0001")
    village.run_until("2027-01-29 12:00")
    assert rang(village) == []
    provider_id = f"memory-{village.sms.sent[-1].message_id}"
    with village.app.database.writing() as tx:
        receipts.keep(
            tx, provider_id=provider_id, status="undelivered", error_code="30003", message_id=None, now=village.now
        )

    village.run_until("2027-02-10 00:00")

    assert rang(village) == ["01-29 13:30"], "on the same day, at the next hour at which a telephone may ring"


def test_who_wants_no_more_texts_is_not_called_instead(calling_village: Village) -> None:
    village = calling_village
    with_a_landline(village)
    phone = village.contact("母", ChannelName.SMS, "090-0000-0001")
    village.stop(phone)

    village.run_until("2027-12-31 00:00")

    assert rang(village) == []


def test_a_call_asked_for_at_noon_rings_in_the_afternoon(calling_village: Village) -> None:
    village = calling_village
    contact = with_a_landline(village)
    village.run_until("2026-12-01 12:00")

    with village.app.writing() as uow:
        rings_at = consent.make_test_call(uow, contact_id=contact)

    assert f"{rings_at.astimezone(JAPAN):%m-%d %H:%M}" == "12-01 13:30"


# --- turns


def first_call(village: Village) -> int:
    with_a_landline(village)
    village.run_until("2027-02-22 12:00")
    return village.calls.sent[-1].message_id


def test_a_human_hears_the_relative_first_the_date_twice_and_no_key(calling_village: Village) -> None:
    answer = turn(calling_village, first_call(calling_village), AnsweredBy="human")

    assert (answer.status, answer.headers["content-type"]) == (200, "text/xml; charset=utf-8")
    said = answer.text
    assert said.index("田中家に頼まれて、お母さんにお電話しました。録音の声です。") < said.index("期限だより")
    assert "しるしの言葉は、つばめです" in said
    assert "役所や警察からの電話ではありません" in said
    assert said.count("さんがつさんじゅういちにち、すいようびまでです") == 2
    assert "<Gather" not in said
    assert "<Hangup" in said
    assert 'rate="85%"' in said
    assert 'voice="Polly.Kazuha-Neural"' in said


@pytest.mark.parametrize("answered_by", ["machine_end_beep", "machine_start", "fax"])
def test_an_answering_machine_learns_neither_the_card_nor_the_date_nor_the_mark(
    calling_village: Village, answered_by: str
) -> None:
    said = turn(calling_village, first_call(calling_village), AnsweredBy=answered_by).text

    assert "田中家にお電話ください" in said
    assert not any(word in said for word in ("マイナンバー", "がつ", "つばめ", "<Gather"))


def record_test_call(village: Village) -> int:
    """A call to who has tried out the keys."""
    contact = with_a_landline(village)
    app = village.app
    with app.units.writing(village.now) as uow:
        consent.make_test_call(uow, contact_id=contact)
    village.run_until("2026-12-01 11:00")
    practice = village.calls.sent[-1].message_id
    assert "<Gather" in turn(village, practice, AnsweredBy="human").text
    assert "練習は、これで終わりです" in turn(village, practice, at=1, Digits="1").text
    village.run_until("2027-02-22 11:00")
    return village.calls.sent[-1].message_id


def test_keys_are_offered_to_who_has_practised_and_1_asks_the_family_for_the_new_date(calling_village: Village) -> None:
    village = calling_village
    message = record_test_call(village)
    said = turn(village, message, AnsweredBy="human").text
    assert "<Gather" in said
    assert 'numDigits="1"' in said
    assert f'action="{PUBLIC}{PATH}?m={reference_of(village, message)}&amp;turn=1"' in said

    assert "おつかれさまでした" in turn(village, message, at=1, Digits="1").text
    assert "おつかれさまでした" in turn(village, message, at=1, Digits="1").text, "repeated by the provider"
    village.run_until("2027-02-22 11:10")

    assert village.card_of(1).acknowledged_on == date(2027, 2, 22)
    assert sum("「済んだ」と返事がありました" in words for words in village.words_to("娘")) == 1


def test_9_tells_the_family_and_2_calls_again(calling_village: Village) -> None:
    village = calling_village
    message = record_test_call(village)

    assert "ご家族にお伝えします" in turn(village, message, at=1, Digits="9").text
    village.run_until("2027-02-22 11:10")
    assert sum("「家族に聞きたい」" in words for words in village.words_to("娘")) == 1

    assert "またお知らせします" in turn(village, message, at=2, Digits="2").text
    became(village, "completed")
    village.run_until("2027-03-01 00:00")
    assert rang(village)[-1] == "02-25 10:00"


def test_a_strange_key_is_asked_for_once_more_and_then_it_is_good_bye(calling_village: Village) -> None:
    village = calling_village
    message = record_test_call(village)

    once_more = turn(village, message, at=1, Digits="7").text
    assert "もう一度お願いします" in once_more
    assert "turn=2" in once_more
    assert "turn=2" in turn(village, message, at=1, Digits="").text
    last = turn(village, message, at=2, Digits="").text
    assert "失礼いたします" in last
    assert "<Gather" not in last
    assert village.card_of(1).acknowledged_on is None


def test_before_the_practice_a_key_is_not_asked_for_and_a_machine_is_not_practised_with(
    calling_village: Village,
) -> None:
    village = calling_village
    contact = with_a_landline(village)
    app = village.app
    with app.units.writing(village.now) as uow:
        consent.make_test_call(uow, contact_id=contact)
    village.run_until("2026-12-01 11:00")

    assert "<Gather" not in turn(village, village.calls.sent[-1].message_id, AnsweredBy="machine_start").text


@pytest.mark.parametrize(
    ("answered_by", "seconds", "known", "why"),
    [
        ("human", 45, ("delivered", None), "she has heard the date"),
        ("human", None, ("delivered", None), "nobody says how long it lasted"),
        ("unknown", 45, ("delivered", None), "somebody, who said nothing at first"),
        ("human", 2, ("undelivered", "cut_short"), "she has hung up before the date"),
        ("machine_end_beep", 45, ("undelivered", "machine"), "our own webhook was told so"),
        ("fax", 45, ("undelivered", "machine"), "our own webhook was told so"),
        (None, 45, ("undelivered", "not_spoken"), "the words were never fetched"),
    ],
)
def test_a_call_has_arrived_only_if_the_date_was_spoken_to_a_human(
    calling_village: Village, answered_by: str | None, seconds: int | None, known: tuple[str, str | None], why: str
) -> None:
    village = calling_village
    message = first_call(village)
    if answered_by is not None:
        assert turn(village, message, AnsweredBy=answered_by).status == 200

    assert ended(village, message, seconds=seconds) == [known], why
    village.run_until("2027-02-22 18:00")
    assert bool([words for words in village.words_to("娘") if "つながりませんでした" in words]) is (
        known[0] != "delivered"
    )


def test_a_call_that_was_listened_to_until_a_key_was_asked_for_has_arrived(calling_village: Village) -> None:
    village = calling_village
    message = record_test_call(village)
    turn(village, message, AnsweredBy="human")
    turn(village, message, at=1, Digits="")

    assert ended(village, message, seconds=70) == [("delivered", None)]


@pytest.mark.parametrize("at", [0, 1])
def test_a_turn_that_is_not_signed_is_refused(calling_village: Village, at: int) -> None:
    village = calling_village
    message = record_test_call(village)

    assert turn(village, message, forged=True, at=at, Digits="1").status == 403
    village.run_until("2027-02-22 11:10")
    assert village.card_of(1).acknowledged_on is None


def test_a_turn_whose_address_does_not_name_its_call_changes_nothing(calling_village: Village) -> None:
    village = calling_village
    message = record_test_call(village)
    references = village.app.keys.references
    reference = reference_of(village, message)
    earlier = village.calls.sent[0].reference

    for named in (str(message), reference[:-1], earlier, references.make("stop", [message], village.now), "999"):
        assert turn(village, message, at=1, named=named, Digits="1").status == 404
    form = [("CallSid", STRANGE_CALL), ("Digits", "1")]
    for named in (reference, str(message)):
        query = f"m={named}&turn=1"
        headers = {"X-Twilio-Signature": sign(fake.AUTH_TOKEN, f"{PUBLIC}{PATH}?{query}", form), **FORM}
        answer = visitor(village, local_pages=False).post(f"{PATH}?{query}", urlencode(form).encode(), headers)
        assert answer.status == 404


def test_a_turn_that_is_repeated_when_its_call_is_over_changes_nothing(calling_village: Village) -> None:
    village = calling_village
    message = record_test_call(village)
    assert turn(village, message, at=1, Digits="2").status == 200
    became(village, "completed")
    village.run_until("2027-02-22 11:10")

    assert turn(village, message, at=1, Digits="1").status == 404

    village.run_until("2027-02-22 11:20")
    assert village.card_of(1).acknowledged_on is None


@pytest.mark.parametrize(("message", "at", "status"), [(99_999, 0, 404), (1, 0, 404), (2, 3, 422), (2, -1, 422)])
def test_what_is_no_call_of_ours_is_not_answered(calling_village: Village, message: int, at: int, status: int) -> None:
    first_call(calling_village)

    assert turn(calling_village, message, at=at, Digits="1").status == status


def test_a_turn_of_more_than_64_kibibytes_is_refused(calling_village: Village) -> None:
    assert turn(calling_village, first_call(calling_village), Digits="1" * LONGEST_BODY).status == 413


def test_a_practice_is_refused_where_calls_are_off(village: Village) -> None:
    contact = with_a_landline(village)
    with pytest.raises(ConflictError), village.app.writing() as uow:
        consent.make_test_call(uow, contact_id=contact)


def test_a_practice_is_refused_where_nobody_agreed_to_calls(calling_village: Village) -> None:
    app = calling_village.app
    with_a_landline(calling_village)
    with pytest.raises(RefusedInputError), app.units.writing(calling_village.now) as uow:
        consent.make_test_call(uow, contact_id=1)
    silent = calling_village.contact("母", ChannelName.VOICE, "03-3500-0002", consent=False)
    with pytest.raises(ConflictError), app.units.writing(calling_village.now) as uow:
        consent.make_test_call(uow, contact_id=silent)


def test_a_number_that_cannot_be_called_is_told_to_the_family(calling_village: Village) -> None:
    village = calling_village
    village.calls.fail_when(lambda _: PermanentChannelError("21211"))
    with_a_landline(village)

    village.run_until("2027-03-01 00:00")

    assert sum("つながりませんでした" in words for words in village.words_to("娘")) == 1
