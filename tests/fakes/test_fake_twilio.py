"""tests/fakes/twilio.py: the fake fails a test when it should, and its receipts are signed as Twilio signs."""

import http.server
import random
import threading
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

import pytest
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from tests.fakes.twilio import ACCOUNT_SID, AUTH_TOKEN, SENDER, FakeTwilio, sign

MOTHER = "+81900000001"


class _Webhook(http.server.ThreadingHTTPServer):
    received: list[tuple[str, list[tuple[str, str]], str]]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        assert isinstance(self.server, _Webhook)
        fields = parse_qsl(body, keep_blank_values=True)
        self.server.received.append((self.path, fields, self.headers["X-Twilio-Signature"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """A test's output is its own."""


@pytest.fixture
def webhook() -> Iterator[_Webhook]:
    with _Webhook(("127.0.0.1", 0), _Handler) as server:
        server.received = []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def take(twilio: FakeTwilio, to: str, body: str) -> str:
    callback = "https://kigen.example.jp/webhooks/twilio/status?m=17"
    return twilio._take({"To": to, "Body": body, "From": SENDER, "StatusCallback": callback}).sid


@pytest.mark.parametrize(
    ("expected", "came", "complaint"),
    [
        ([], ["A"], "unexpected text: A"),
        (["A"], ["A", "A"], "unexpected text: A"),
        (["A"], [], "never got: A"),
        (["A"], ["B"], "unexpected text: B"),
    ],
)
def test_a_text_nobody_expected_or_that_never_came_fails_the_test(
    expected: list[str], came: list[str], complaint: str
) -> None:
    def use() -> None:
        with FakeTwilio() as twilio:
            phone = twilio.phone(MOTHER)
            for text in came:
                take(twilio, MOTHER, text)
            for text in expected:
                phone.expect(text)

    with pytest.raises(AssertionError, match=complaint):
        use()


def test_a_text_to_a_phone_nobody_named_fails_the_test() -> None:
    def use() -> None:
        with FakeTwilio() as twilio:
            take(twilio, MOTHER, "A")

    with pytest.raises(AssertionError, match="unexpected phone"):
        use()


def test_a_failing_test_keeps_its_own_reason() -> None:
    def use() -> None:
        with FakeTwilio() as twilio:
            take(twilio, MOTHER, "A")
            raise LookupError("its own")

    with pytest.raises(LookupError):
        use()


def test_exact_words_are_matched_before_looser_expectations() -> None:
    with FakeTwilio() as twilio:
        phone = twilio.phone(MOTHER)
        phone.expect(lambda text: True)
        phone.expect("A")
        take(twilio, MOTHER, "A")
        take(twilio, MOTHER, "B")


def test_a_load_may_allow_everything() -> None:
    with FakeTwilio() as twilio:
        twilio.allow_all()
        take(twilio, MOTHER, "A")


def test_a_receipt_is_accepted_by_the_sdk_and_a_forged_one_is_not(webhook: _Webhook) -> None:
    with FakeTwilio() as twilio:
        twilio.callbacks_to = webhook.url
        twilio.phone(MOTHER).expect("A")
        sid = take(twilio, MOTHER, "A")

        assert twilio.deliver(sid, "undelivered", 30006) == 204
        twilio.deliver(sid, "delivered", forged=True)

        assert twilio.texts[0].status == "undelivered"
    (path, fields, honest), (_, _, forged) = webhook.received
    url = "https://kigen.example.jp" + path
    assert urlsplit(url).query == "m=17"
    assert dict(fields)["MessageStatus"] == "undelivered"
    assert dict(fields)["ErrorCode"] == "30006"
    validator = RequestValidator(AUTH_TOKEN)
    assert validator.validate(url, dict(fields), honest)
    assert not validator.validate(url, dict(fields), forged)


def test_receipts_can_be_repeated_and_shuffled(webhook: _Webhook) -> None:
    with FakeTwilio() as twilio:
        twilio.callbacks_to = webhook.url
        twilio.allow_all()
        sids = [take(twilio, MOTHER, str(n)) for n in range(5)]

        statuses = twilio.deliver_all(times=2, shuffled_by=random.Random(1))

    came = [dict(fields)["MessageSid"] for _, fields, _ in webhook.received]
    assert statuses == [204] * 10
    assert sorted(came) == sorted(sids * 2)
    assert came != sorted(came)


def test_the_fake_signs_as_the_sdk_would() -> None:
    fields = [("To", MOTHER), ("Body", "はい　髙橋"), ("Digits", ""), ("Caller", "+81900000002")]
    url = "https://kigen.example.jp/webhooks/twilio/sms?foo=1&bar=2"

    assert sign("12345", url, fields) == RequestValidator("12345").compute_signature(url, dict(fields))


def test_the_sdk_s_ordinary_client_reads_what_the_fake_lists() -> None:
    with FakeTwilio() as twilio:
        twilio.allow_all()
        sids = [take(twilio, MOTHER, str(n)) for n in range(7)]
        client = Client(ACCOUNT_SID, AUTH_TOKEN)
        client.http_client = _Redirected(client.http_client, twilio.url)

        rows = client.messages.list(to=MOTHER, page_size=3)

    assert [row.sid for row in rows] == sids[::-1]
    client.http_client.close()


class _Redirected:
    """The SDK's synchronous client, led to the fake."""

    is_async = False

    def __init__(self, inner: object, url: str) -> None:
        self._inner, self._url = inner, url

    def request(self, method: str, url: str, **rest: object) -> object:
        return self._inner.request(method, url.replace("https://api.twilio.com", self._url), **rest)  # type: ignore[attr-defined]

    def close(self) -> None:
        self._inner.session.close()  # type: ignore[attr-defined]
