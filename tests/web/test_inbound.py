"""What somebody texts us: only what Twilio signed comes in, each once, and nothing of a number is kept."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from urllib.parse import urlencode

import pytest

from reminder.domain.model.people import ChannelName, ContactState, Mode
from reminder.storage.registry import consents
from reminder.web.app import LONGEST_BODY
from tests.fakes import twilio as fake
from tests.fakes.twilio import sign
from tests.village import Village, open_village
from tests.web.asking import Answer, visitor

PUBLIC, PATH = "https://kigen.example.jp", "/webhooks/twilio/sms"
FORM = {"content-type": "application/x-www-form-urlencoded"}
MOTHER = "+819000000001"


@contextmanager
def opened(database_url: str, folder: Path) -> Iterator[Village]:
    account = {
        "twilio_account_sid": fake.ACCOUNT_SID,
        "twilio_auth_token": (fake.AUTH_TOKEN,),
        "twilio_from": "+815000000001",
    }
    with open_village(
        database_url, folder, "2027-01-29 11:00", two_way_sms=True, public_url=PUBLIC, **account
    ) as village:
        village.member("娘", "musume@example.jp")
        village.person("母", phone="090-0000-0001", mode=Mode.ELDERLY, mark="つばめ")
        # Who was never written to has nothing to answer.
        village.card("母", date(2027, 2, 28))
        village.run_until("2027-01-29 11:00")
        yield village


@pytest.fixture
def village_of_twilio(database_url: str, tmp_path: Path) -> Iterator[Village]:
    with opened(database_url, tmp_path) as village:
        yield village


def texted(
    village: Village, body: str, *, sid: str = "SM" + "1a" * 16, sender: str = MOTHER, signature: str | None = None
) -> Answer:
    form = [("MessageSid", sid), ("From", sender), ("To", "+815000000001"), ("Body", body)]
    mark = sign(fake.AUTH_TOKEN, PUBLIC + PATH, form) if signature is None else signature
    headers = {**FORM, "X-Twilio-Signature": mark}
    return visitor(village, local_pages=False).post(PATH, urlencode(form).encode(), headers)


def kept(village: Village) -> list[tuple[object, ...]]:
    with village.app.database.reading() as tx:
        rows = tx.connection().exec_driver_sql("SELECT intent, handled_at IS NULL FROM replies").all()
    return [(row[0], bool(row[1])) for row in rows]


def test_a_signed_text_is_kept_at_once_and_the_next_pass_acts_on_it(village_of_twilio: Village) -> None:
    village = village_of_twilio

    answer = texted(village, "家族にきいて")

    assert (answer.status, answer.body) == (200, b'<?xml version="1.0" encoding="UTF-8"?><Response/>')
    assert kept(village) == [("family", True)], "the answer does not wait for the work"
    village.run_until("2027-01-29 11:01")
    assert kept(village) == [("family", False)]
    assert "ご家族にお伝えしました" in village.words_to("母")[-1]


@pytest.mark.parametrize("signature", ["", "wrong", "AAAA=="])
def test_what_twilio_did_not_sign_is_refused_and_nothing_of_it_is_kept(
    village_of_twilio: Village, signature: str
) -> None:
    answer = texted(village_of_twilio, "停止", signature=signature)

    assert (answer.status, answer.body) == (403, b"")
    assert kept(village_of_twilio) == []


def test_a_text_that_is_repeated_is_acted_on_once(village_of_twilio: Village) -> None:
    village = village_of_twilio
    for _ in range(5):
        assert texted(village, "だれ？").status == 200
    village.run_until("2027-01-29 11:05")
    assert texted(village, "だれ？").status == 200
    village.run_until("2027-01-29 11:10")

    assert len(kept(village)) == 1
    assert len(village.texts_to("母")) == 2, "what she answers, and the answer"


def test_a_body_of_more_than_64_kibibytes_is_refused(village_of_twilio: Village) -> None:
    answer = texted(village_of_twilio, "あ" * (LONGEST_BODY // 9 + 1))

    assert answer.status == 413
    assert kept(village_of_twilio) == []


@pytest.mark.parametrize("sender", ["+819000000099", "+15005550006", "KIGEN", "", "anonymous", "090"])
def test_a_stranger_gets_nothing_and_nothing_is_kept(village_of_twilio: Village, sender: str) -> None:
    answer = texted(village_of_twilio, "１", sender=sender)

    assert answer.status == (200 if sender else 422)
    assert kept(village_of_twilio) == []


def test_a_number_in_a_text_is_nowhere_in_the_database(sqlite_url: str, tmp_path: Path) -> None:
    with opened(sqlite_url, tmp_path) as village:
        texted(village, "番号は 1234 5678 9018 です")  # invented
        village.run_until("2027-01-29 11:05")
        assert kept(village) == [("number", False)]
    everything = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())

    assert b"9018" not in everything
    assert b"5678" not in everything


@pytest.mark.parametrize("name", ["MessageSid", "From"])
def test_a_text_without_its_id_or_sender_is_malformed(village_of_twilio: Village, name: str) -> None:
    form = [(key, value) for key, value in (("MessageSid", "SM" + "1a" * 16), ("From", MOTHER)) if key != name]
    headers = {**FORM, "X-Twilio-Signature": sign(fake.AUTH_TOKEN, PUBLIC + PATH, form)}

    answer = visitor(village_of_twilio, local_pages=False).post(PATH, urlencode(form).encode(), headers)

    assert answer.status == 422
    assert answer.json["code"] == "request_malformed"


def test_the_owner_of_a_number_learns_who_writes_and_leaves_one_of_two_groups(village_of_twilio: Village) -> None:
    village = village_of_twilio
    village.group(name="鈴木家")
    village.person("叔母", phone="090-0000-0001", mode=Mode.ELDERLY)
    village.card("叔母", date(2027, 2, 28))
    village.run_until("2027-01-29 11:05")
    assert texted(village, "だれから", sid="SM" + "2a" * 16).status == 200
    village.run_until("2027-01-29 11:06")
    assert "2＝" in village.words_to("母")[-1]

    assert texted(village, "1 停止", sid="SM" + "3a" * 16).status == 200
    village.run_until("2027-01-29 11:07")

    assert "からのお知らせを止めました" in village.words_to("母")[-1]
    with village.app.database.reading() as tx:
        states = tx.connection().exec_driver_sql("SELECT state FROM contacts WHERE channel = 'sms' ORDER BY id").all()
    assert sorted(row[0] for row in states) == ["confirmed", "opted_out"]


@pytest.mark.parametrize("sender", ["+819000000099", MOTHER])
def test_a_stop_is_in_the_ledger_at_once_whoever_knows_the_number(village_of_twilio: Village, sender: str) -> None:
    village = village_of_twilio
    for number in range(2):
        texted(village, "停止", sid=f"SM{number}{'4a' * 15}b", sender=sender)

    with village.app.database.reading() as tx:
        records = consents.of_addresses(tx, village.app.keys, [sender])[sender]
    assert [one.group_id for one in records if one.act == "withdrew"] == [None]


def test_a_number_that_said_stop_is_entered_on_a_page_as_one_that_did(village_of_twilio: Village) -> None:
    village = village_of_twilio
    texted(village, "停止", sender="+819000000099")

    village.contact("母", ChannelName.SMS, "090-0000-0099")

    assert village.contacts()["+819000000099"] is ContactState.OPTED_OUT
