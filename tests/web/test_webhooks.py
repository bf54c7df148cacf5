"""Receipts at the web's door: only signed ones come in, each is kept once, and the first end a text came to stays."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from pathlib import Path
from urllib.parse import parse_qs, quote_from_bytes, urlencode, urlsplit

import pytest
from sqlalchemy import func, select, update

from reminder.channels.memory import MemoryChannel
from reminder.clock import SteppedClock
from reminder.domain.model.channels import registered
from reminder.domain.model.people import ChannelName, ConsentHow, ContactState
from reminder.simulate import SimulatedWorld
from reminder.storage.crypto.keyring import new_key
from reminder.storage.db.tables import Message, Receipt
from reminder.storage.outbox import queries, receipts
from reminder.storage.registry import contacts
from reminder.web.app import LONGEST_BODY
from reminder.wiring import build_app, read_settings
from reminder.worker.jobs import run_once
from tests.fakes import twilio as fake
from tests.fakes.twilio import Callback, FakeTwilio, sign
from tests.village import Village, japan
from tests.web.asking import Answer, Visitor, visitor

PUBLIC = "https://kigen.example.jp"
PATH = "/webhooks/twilio/status"
FORM = {"content-type": "application/x-www-form-urlencoded"}
NEW_TOKEN = "invented-token-of-tomorrow"
SOMEBODY = "SM" + "5e" * 16  # a text that none of ours is


@dataclass(frozen=True)
class Office:
    """A village that sends through a Twilio, and Twilio's way in."""

    village: Village
    twilio: FakeTwilio
    twilio_calls: Visitor

    def send_one(self) -> str:
        """A text that Twilio has taken; its id there."""
        self.village.person("母", phone="090-0000-0001")
        self.village.card("母", date(2027, 3, 31))
        self.village.sleep_until("2027-03-17 09:00")
        self.run_a_pass()
        assert self.states() == ["accepted"]
        return self.twilio.texts[0].sid

    def say(self, callback: Callback) -> Answer:
        parts = urlsplit(callback.url)
        return self.twilio_calls.post(f"{parts.path}?{parts.query}", callback.body, callback.headers)

    def say_of(self, sid: str, status: str, error_code: int | None = None) -> None:
        answer = self.say(self.twilio.callback(sid, status, error_code))
        assert (answer.status, answer.body) == (204, b"")

    def run_a_pass(self) -> None:
        self.village.clock.move_to(self.village.now + timedelta(seconds=5))
        run_once(self.village.app, self.village.now)

    def states(self) -> list[str]:
        return [str(message.state) for message in self.village.messages()]

    def kept(self) -> int:
        with self.village.app.database.reading() as tx:
            return tx.execute(select(func.count()).select_from(Receipt)).scalar_one()


@contextmanager
def open_office(
    database_url: str, folder: Path, twilio: FakeTwilio, tokens: Sequence[str] = (fake.AUTH_TOKEN,)
) -> Iterator[Office]:
    account = {"twilio_account_sid": fake.ACCOUNT_SID, "twilio_auth_token": tuple(tokens), "twilio_from": fake.SENDER}
    settings = read_settings(
        database_url=database_url,
        data_dir=folder,
        secret_keys=(new_key(),),
        public_url=PUBLIC,
        twilio_base_url=twilio.url,
        **(account if tokens else {}),
    )
    clock = SteppedClock(japan("2027-03-16 08:00"))
    with build_app(settings, clock=clock) as app:
        village = Village(SimulatedWorld(app, clock, {name: MemoryChannel() for name in registered()}))
        yield Office(village, twilio, visitor(village, local_pages=False))


@pytest.fixture
def twilio() -> Iterator[FakeTwilio]:
    with FakeTwilio(now=lambda: japan("2027-03-17 09:00").astimezone(UTC)) as server:
        server.allow_all()
        yield server


@pytest.fixture
def office(database_url: str, tmp_path: Path, twilio: FakeTwilio) -> Iterator[Office]:
    with open_office(database_url, tmp_path, twilio) as opened:
        yield opened


@pytest.fixture
def small_office(sqlite_url: str, tmp_path: Path, twilio: FakeTwilio) -> Iterator[Office]:
    """On SQLite only, for what does not depend on the database."""
    with open_office(sqlite_url, tmp_path, twilio) as opened:
        yield opened


def fields(status: str = "delivered", sid: str = SOMEBODY, **more: str) -> list[tuple[str, str]]:
    return [("MessageSid", sid), ("MessageStatus", status), *more.items()]


def signed(
    form: Sequence[tuple[str, str]], *, query: str = "m=1", token: str = fake.AUTH_TOKEN, public: str = PUBLIC
) -> Callback:
    """A webhook as Twilio sends it; without a form, nothing but what is signed."""
    url = f"{public}{PATH}" + (f"?{query}" if query else "")
    return Callback(url, urlencode(form).encode(), {**FORM, "X-Twilio-Signature": sign(token, url, form)})


def test_a_signed_receipt_is_kept_at_once_and_the_next_pass_believes_it(office: Office) -> None:
    sid = office.send_one()

    office.say_of(sid, "delivered")

    assert (office.kept(), office.states()) == (1, ["accepted"]), "the answer does not wait for the work"
    office.run_a_pass()
    assert office.states() == ["delivered"]


UNSIGNED: list[tuple[Callback, str]] = [
    (Callback(f"{PUBLIC}{PATH}?m=1", urlencode(fields()).encode(), FORM), "no signature"),
    (Callback(f"{PUBLIC}{PATH}?m=1", urlencode(fields()).encode(), {**FORM, "X-Twilio-Signature": ""}), "an empty one"),
    (Callback(f"{PUBLIC}{PATH}?m=1", urlencode(fields()).encode(), {**FORM, "X-Twilio-Signature": "\u00e9"}), "odd"),
    (signed(fields(), token="somebody-elses"), "somebody else's token"),
    (signed(fields(), token=""), "no token, as where none is set"),
    (signed(fields(), public="https://elsewhere.example.jp"), "signed for another service"),
    (Callback(f"{PUBLIC}{PATH}?m=1", urlencode(fields("failed")).encode(), signed(fields()).headers), "another status"),
    (Callback(f"{PUBLIC}{PATH}?m=2", urlencode(fields()).encode(), signed(fields()).headers), "another message"),
    (Callback(f"{PUBLIC}{PATH}?m=1", urlencode(fields(More="1")).encode(), signed(fields()).headers), "a field more"),
    (Callback(f"{PUBLIC}{PATH}?m=1", b"", signed(fields()).headers), "nothing of what was signed"),
    (
        Callback(
            f"{PUBLIC}{PATH}?m=1",
            urlencode(fields()).encode(),
            {**signed(fields()).headers, "X-Twilio-Webhooks-Signature-Settings": "algorithm=NONE,=,a=b=c"},
        ),
        "a way to sign that does not exist",
    ),
]


@pytest.mark.parametrize(("callback", "why"), [pytest.param(*row, id=row[1]) for row in UNSIGNED])
def test_what_the_account_did_not_sign_is_refused_without_a_word_and_not_kept(
    small_office: Office, callback: Callback, why: str
) -> None:
    answer = small_office.say(callback)

    assert (answer.status, answer.body) == (403, b""), why
    assert small_office.kept() == 0


def test_without_an_account_nothing_is_believed_not_even_an_empty_token(
    sqlite_url: str, tmp_path: Path, twilio: FakeTwilio
) -> None:
    with open_office(sqlite_url, tmp_path, twilio, tokens=()) as office:
        answers = [office.say(signed(fields(), token=token)) for token in ("", fake.AUTH_TOKEN)]

        assert [answer.status for answer in answers] == [403, 403]
        assert office.kept() == 0


def test_while_the_token_is_changed_the_old_and_the_new_are_believed_and_no_third(
    sqlite_url: str, tmp_path: Path, twilio: FakeTwilio
) -> None:
    with open_office(sqlite_url, tmp_path, twilio, tokens=(NEW_TOKEN, fake.AUTH_TOKEN)) as office:
        answers = [
            office.say(signed(fields(status), token=token)).status
            for status, token in (("queued", fake.AUTH_TOKEN), ("sent", NEW_TOKEN), ("delivered", "a-third"))
        ]

        assert answers == [204, 204, 403]
        assert office.kept() == 2


def test_the_signature_counts_for_the_public_address_whatever_name_the_request_came_by(small_office: Office) -> None:
    web = small_office.twilio_calls.web

    for host in ("127.0.0.1:8000", "kigen.example.jp", "elsewhere.example.jp"):
        proxied = Visitor(web, machine="192.0.2.1", host=host, headers={"x-forwarded-proto": "https"})
        assert proxied.post(PATH + "?m=1", signed(fields()).body, signed(fields()).headers).status == 204


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_a_receipt_is_posted_or_refused(small_office: Office, method: str) -> None:
    callback = signed(fields())

    answer = small_office.twilio_calls.ask(method, PATH + "?m=1", callback.body, callback.headers)

    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert small_office.kept() == 0


@pytest.mark.parametrize(
    ("form", "why"),
    [
        ([], "nothing at all"),
        ([("MessageStatus", "delivered")], "of no text"),
        ([("MessageSid", SOMEBODY)], "no status"),
        (fields(sid=""), "of no text"),
        (fields(sid="SM1"), "an id that is not Twilio's"),
        (fields(sid=SOMEBODY + "0"), "an id that is too long"),
        (fields(sid=SOMEBODY[:-1] + "５"), "an id with another digit in it"),
        (fields(""), "no status"),
        (fields("Delivered!"), "a status that is no word"),
        (fields("delivered\0"), "a status with something behind it"),
        (fields("delivered\n"), "a status with something behind it"),
        (fields("d" * 21), "a word longer than there is room for"),
        (fields("d" * 40_000), "a word without an end"),
    ],
)
def test_a_signed_form_that_is_no_receipt_is_called_malformed_and_not_kept(
    office: Office, form: Sequence[tuple[str, str]], why: str
) -> None:
    answer = office.say(signed(form))

    assert (answer.status, answer.json["code"]) == (422, "request_malformed"), why
    assert office.kept() == 0


def test_a_repeated_receipt_is_kept_once(office: Office) -> None:
    sid = office.send_one()

    for _ in range(3):
        office.say_of(sid, "delivered")
    office.run_a_pass()
    office.say_of(sid, "delivered")

    assert office.kept() == 1
    assert office.states() == ["delivered"]


@pytest.mark.parametrize("in_one_pass", [True, False], ids=["in one pass", "each in a pass of its own"])
@pytest.mark.parametrize(
    ("heard", "end", "why"),
    [
        (["queued", "sending", "sent", "delivered"], "delivered", "the usual course"),
        (["delivered", "sent", "sending", "queued"], "delivered", "the wrong way round"),
        (["delivered", "undelivered"], "delivered", "it did arrive"),
        (["undelivered", "sent"], "undelivered", "what was said before it failed"),
        (["undelivered", "delivered"], "undelivered", "its end has been told of already"),
        (["sent", "a_word_of_tomorrow"], "accepted", "a word nobody knows yet is no end"),
    ],
)
def test_the_first_end_stays_whatever_is_heard_later(
    office: Office, heard: Sequence[str], end: str, why: str, in_one_pass: bool
) -> None:
    sid = office.send_one()

    for status in heard:
        office.say_of(sid, status)
        if not in_one_pass:
            office.run_a_pass()
    office.run_a_pass()

    assert office.states()[0] == end, why


def test_a_phone_whose_owner_told_the_provider_to_stop_is_told_nothing_more(office: Office) -> None:
    sid = office.send_one()

    office.say_of(sid, "undelivered", 21610)
    office.run_a_pass()

    with office.village.app.database.reading() as tx:
        [contact] = contacts.of_group(tx, office.village.app.keys, None)
    assert contact.state is ContactState.OPTED_OUT


def test_a_receipt_for_a_text_that_is_not_ours_harms_nothing_and_is_not_looked_at_for_ever(office: Office) -> None:
    office.send_one()

    answers = [office.say(signed(fields("undelivered", ErrorCode="21610"), query="m=999")) for _ in range(2)]
    office.run_a_pass()

    assert [answer.status for answer in answers] == [204, 204]
    assert office.states() == ["accepted"]
    with office.village.app.database.reading() as tx:
        assert receipts.waiting(tx, 10) == []


@pytest.mark.parametrize("query", ["", "m=", "m=x", "m=-1", "m=0", "m=1.5", "m=%EF%BC%91", "m=99999999999", "m=2&m=1"])
def test_an_address_that_names_no_message_of_ours_harms_nothing(office: Office, query: str) -> None:
    office.send_one()

    answer = office.say(signed(fields("undelivered"), query=query))
    office.run_a_pass()

    assert answer.status == 204
    assert office.states() == ["accepted"]


def test_a_receipt_that_names_another_message_than_its_own_changes_nothing(office: Office) -> None:
    sid = office.send_one()
    office.village.person("父", phone="090-0000-0002")
    office.village.card("父", date(2027, 3, 31))
    office.run_a_pass()
    first, second = office.twilio.texts
    with office.village.app.database.writing() as tx:
        # The answer to the second text was lost.
        lost = update(Message).where(Message.provider_id == second.sid)
        tx.execute(lost.values(provider_id=None, state="unknown", lease_until=office.village.now + timedelta(hours=1)))
    own, other = (parse_qs(urlsplit(str(text.status_callback)).query)["m"][0] for text in (first, second))
    references = office.village.app.keys.references
    wrong = {
        "the name of another message": (sid, other),
        "its own name, cut": (sid, own[:-1]),
        "its own name in capitals": (sid, own.upper()),
        "a name for another purpose": (sid, references.make("stop", [1], office.village.now)),
        "of a text that is not ours, by our name": (SOMEBODY, own),
        "an id alone": (SOMEBODY, "1"),
        "an id of the lost text": (second.sid, "2"),
        "no name, of the lost text": (second.sid, ""),
        "two names": (second.sid, f"{other}&m={own}"),
    }

    for why, (named_sid, name) in wrong.items():
        answer = office.say(signed(fields("undelivered", named_sid, ErrorCode="30005"), query=f"m={name}"))
        office.run_a_pass()
        assert (answer.status, office.states()) == (204, ["accepted", "unknown"]), why

    office.say(signed(fields("undelivered", second.sid, ErrorCode="30005"), query=f"m={other}"))
    office.run_a_pass()
    assert office.states() == ["accepted", "undelivered"], "the name alone finds a text whose answer was lost"


def test_a_receipt_about_a_mail_by_its_name_changes_nothing(small_office: Office) -> None:
    village = small_office.village
    small_office.send_one()
    village.person("父")
    village.contact("父", ChannelName.EMAIL, "chichi@example.jp")
    village.card("父", date(2027, 3, 31))
    small_office.run_a_pass()
    mail = next(one for one in village.messages() if one.channel == ChannelName.EMAIL)
    with village.app.database.reading() as tx:
        made_at = queries.by_id(tx, mail.id)
    assert made_at is not None
    name = village.app.keys.references.make("message", [mail.id], made_at.created_at)

    small_office.say(signed(fields("undelivered"), query=f"m={name}"))
    small_office.run_a_pass()

    assert "undelivered" not in small_office.states()
    assert small_office.kept() == 0


@pytest.mark.parametrize("times", [2, 5])
def test_a_receipt_that_is_replayed_is_kept_once_and_its_contact_may_be_put_right_between(
    small_office: Office, times: int
) -> None:
    sid = small_office.send_one()
    callback = small_office.twilio.callback(sid, "undelivered", 30005)
    small_office.say(callback)
    small_office.run_a_pass()
    with small_office.village.app.database.writing() as tx:
        contacts.confirm(tx, 1, how=ConsentHow.REPLY, by=None, now=small_office.village.now)

    for _ in range(times):
        assert small_office.say(callback).status == 204
        small_office.run_a_pass()

    assert small_office.kept() == 1
    assert set(small_office.village.contacts().values()) == {"confirmed"}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"\xff\xfe\x00\x01", 403),
        (b"%", 403),
        (b"%zz=%", 403),
        (b"=&=&&;=", 403),
        (b"\0" * 100, 403),
        (b"MessageSid", 403),
        ('{"MessageSid": "ひらがな"}'.encode("cp932"), 403),
        (b"&" * LONGEST_BODY, 403),
        (b"a=1&" * (LONGEST_BODY // 4), 403),
        (b"a" * (LONGEST_BODY + 1), 413),
        ([b"a" * 1000] * 66, 413),
    ],
    ids=range(11),
)
def test_odd_and_huge_bodies_are_refused_and_break_nothing(small_office: Office, body: bytes, status: int) -> None:
    answer = small_office.twilio_calls.post(PATH + "?m=1", body, {**FORM, "x-twilio-signature": "x"})

    assert answer.status == status
    assert small_office.kept() == 0


def test_a_huge_body_is_refused_even_when_it_is_signed(small_office: Office) -> None:
    answer = small_office.say(signed(fields(Body="a" * LONGEST_BODY)))

    assert (answer.status, answer.json["code"]) == (413, "body_too_long")
    assert small_office.kept() == 0


@pytest.mark.parametrize(
    "more",
    [
        {"Body": "🕊　、改行\r\nとゼロ\0"},
        {"To": "+819000000001", "ErrorMessage": "＆＝％"},
        {"MessageStatus": "delivered"},
        {"": ""},
    ],
    ids=["words", "signs", "the same twice", "no name"],
)
def test_signed_forms_with_odd_fields_are_receipts_all_the_same(small_office: Office, more: Mapping[str, str]) -> None:
    form = [*fields(), *more.items()]

    assert small_office.say(signed(form)).status == 204


def test_bytes_that_are_no_text_in_a_signed_form_are_read_as_gaps(small_office: Office) -> None:
    with_a_gap = [*fields(), ("Body", "\ufffd")]
    body = urlencode(fields()) + "&Body=" + quote_from_bytes(b"\xff")

    answer = small_office.say(Callback(signed(with_a_gap).url, body.encode(), signed(with_a_gap).headers))

    assert answer.status == 204


def test_a_receipt_that_cannot_be_kept_is_not_said_to_be_kept(small_office: Office, tmp_path: Path) -> None:
    kept = tmp_path / "kigen.db"
    small_office.village.app.database.close()
    kept.rename(tmp_path / "away.db")
    kept.mkdir()

    answer = small_office.say(signed(fields()))

    assert (answer.status, answer.json["code"]) == (503, "database_unreachable")
