"""reminder/channels/twilio/webhooks.py: only Twilio's own webhooks pass, and nothing a stranger sends raises."""

import random
from collections.abc import Mapping, Sequence

import pytest

from reminder.channels.twilio.webhooks import StatusReceipt, TwilioSignature, parse_status
from tests.fakes.twilio import sign

PUBLIC_URL = "https://kigen.example.jp"
PATH = "/webhooks/twilio/status"
QUERY = "m=17"
TOKEN = "invented-token"
SID = "SM" + "fa" * 16
FORM = [("MessageSid", SID), ("MessageStatus", "delivered"), ("To", "+81900000001"), ("RawDlrDoneDate", "")]
SIGNATURE = sign(TOKEN, f"{PUBLIC_URL}{PATH}?{QUERY}", FORM)

ours = TwilioSignature([TOKEN], PUBLIC_URL)


def test_a_webhook_signed_with_our_token_is_valid() -> None:
    assert ours.is_valid(PATH, QUERY, FORM, SIGNATURE)


def test_a_form_may_also_be_a_mapping() -> None:
    assert ours.is_valid(PATH, QUERY, dict(FORM), SIGNATURE)


def test_the_order_of_fields_does_not_matter() -> None:
    shuffled = random.Random(3).sample(FORM, len(FORM))

    assert ours.is_valid(PATH, QUERY, shuffled, SIGNATURE)


def test_both_tokens_are_good_while_one_is_being_changed() -> None:
    changing = TwilioSignature(["new-token", TOKEN], PUBLIC_URL)

    assert changing.is_valid(PATH, QUERY, FORM, SIGNATURE)
    assert changing.is_valid(PATH, QUERY, FORM, sign("new-token", f"{PUBLIC_URL}{PATH}?{QUERY}", FORM))
    assert not changing.is_valid(PATH, QUERY, FORM, sign("older-token", f"{PUBLIC_URL}{PATH}?{QUERY}", FORM))


def test_a_webhook_without_a_query_is_signed_without_a_question_mark() -> None:
    assert ours.is_valid(PATH, "", FORM, sign(TOKEN, f"{PUBLIC_URL}{PATH}", FORM))


def test_a_repeated_field_counts_with_each_of_its_values() -> None:
    form = [*FORM, ("MediaUrl", "b"), ("MediaUrl", "a")]
    signature = sign(TOKEN, f"{PUBLIC_URL}{PATH}?{QUERY}", form)

    assert ours.is_valid(PATH, QUERY, form, signature)
    assert not ours.is_valid(PATH, QUERY, [*FORM, ("MediaUrl", "a")], signature)


@pytest.mark.parametrize("leaked", [":443", ""])
def test_the_standard_port_may_be_named_or_not(leaked: str) -> None:
    assert ours.is_valid(PATH, QUERY, FORM, sign(TOKEN, f"{PUBLIC_URL}{leaked}{PATH}?{QUERY}", FORM))


def test_japanese_and_encoded_text_is_signed_as_it_came() -> None:
    form = [("Body", "はい　髙橋"), ("From", "+81900000001")]
    query = "m=17&x=%E3%81%AF%20"

    assert ours.is_valid(PATH, query, form, sign(TOKEN, f"{PUBLIC_URL}{PATH}?{query}", form))


@pytest.mark.parametrize(
    ("path", "query", "form", "signature", "why"),
    [
        (PATH, QUERY, FORM, None, "no header: the SDK raises TypeError"),
        (PATH, QUERY, FORM, "", "an empty header"),
        (PATH, QUERY, FORM, "x", "a header that is no signature"),
        (PATH, QUERY, FORM, "あ" * 28, "not even ASCII"),
        (PATH, QUERY, FORM, SIGNATURE.lower(), "a signature is exact"),
        (PATH, QUERY, FORM, SIGNATURE + " ", "a signature is exact"),
        (PATH, QUERY, FORM, sign("another", f"{PUBLIC_URL}{PATH}?{QUERY}", FORM), "somebody else's token"),
        (PATH, "m=18", FORM, SIGNATURE, "another message's id"),
        (PATH, "", FORM, SIGNATURE, "the query is part of the address"),
        (PATH + "/", QUERY, FORM, SIGNATURE, "a slash added by a proxy"),
        ("/webhooks/twilio/sms", QUERY, FORM, SIGNATURE, "another webhook"),
        (PATH, "m=1%37", FORM, SIGNATURE, "the same, written otherwise: the raw query counts"),
        (
            PATH,
            QUERY,
            [pair for pair in FORM if pair[1]],
            SIGNATURE,
            "blank fields dropped on the way, as parse_qs does",
        ),
        (PATH, QUERY, [(n, v.strip("+")) for n, v in FORM], SIGNATURE, "a plus sign lost in decoding"),
        (PATH, QUERY, [*FORM, ("MessageStatus", "failed")], SIGNATURE, "a second status slipped in"),
        (PATH, QUERY, [], SIGNATURE, "an empty form"),
        (PATH, QUERY, FORM, sign(TOKEN, f"http://kigen.example.jp{PATH}?{QUERY}", FORM), "http instead of https"),
        (PATH, QUERY, FORM, sign(TOKEN, f"https://other.example.jp{PATH}?{QUERY}", FORM), "another host"),
        (PATH, QUERY, [("To", "\ud800")], SIGNATURE, "half a character cannot be encoded"),
        (PATH, QUERY, [("To", b"bytes")], SIGNATURE, "bytes instead of text"),
        (PATH, QUERY, [("To", None)], SIGNATURE, "nothing instead of text"),
        (PATH, QUERY, [(7, "x"), ("a", "x")], SIGNATURE, "names that cannot be sorted"),
        (b"/bytes", QUERY, FORM, b"bytes", "bytes instead of text"),
    ],
)
def test_whatever_is_wrong_is_invalid_and_never_raises(
    path: str, query: str, form: Sequence[tuple[str, str]], signature: str | None, why: str
) -> None:
    assert ours.is_valid(path, query, form, signature) is False


def test_the_signature_of_a_json_webhook_does_not_open_a_form() -> None:
    # Twilio signs only the address then, so the SDK says True without having read the form.
    query = "bodySHA256=" + "fa" * 32
    signature = sign(TOKEN, f"{PUBLIC_URL}{PATH}?{query}", [])

    assert not ours.is_valid(PATH, query, {}, signature)


@pytest.mark.parametrize("tokens", [[], [""], ["", ""]])
def test_without_a_token_nothing_is_valid(tokens: list[str]) -> None:
    assert not TwilioSignature(tokens, PUBLIC_URL).is_valid(
        PATH, QUERY, FORM, sign("", f"{PUBLIC_URL}{PATH}?{QUERY}", FORM)
    )


@pytest.mark.parametrize("broken", ["https://kigen.example.jp:port", "https://[kigen", "kigen", ""])
def test_a_broken_public_address_makes_everything_invalid_instead_of_raising(broken: str) -> None:
    assert not TwilioSignature([TOKEN], broken).is_valid(PATH, QUERY, FORM, SIGNATURE)


@pytest.mark.parametrize(
    ("settings", "valid"),
    [
        (None, True),
        ("", True),
        ("key=webhooks_sharedkey_1", True),
        ("key=webhooks_sharedkey_1,algorithm=HMAC_SHA1", True),
        ("key=webhooks_sharedkey_1,algorithm=HMAC_SHA256", False),  # announced so, but not signed so
        ("algorithm=NONE", False),
        ("algorithm=md5\r\nSet-Cookie: x", False),
    ],
)
def test_the_settings_header_names_the_algorithm_and_unknown_ones_are_invalid(
    settings: str | None, valid: bool, caplog: pytest.LogCaptureFixture
) -> None:
    assert ours.is_valid(PATH, QUERY, FORM, SIGNATURE, settings) is valid
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("form", "receipt", "why"),
    [
        (FORM, StatusReceipt(SID, "delivered", None), "as it comes"),
        (dict(FORM), StatusReceipt(SID, "delivered", None), "a mapping"),
        ([*FORM, ("ErrorCode", "30006")], StatusReceipt(SID, "delivered", 30006), "with a code"),
        ([*FORM, ("ErrorCode", "")], StatusReceipt(SID, "delivered", None), "a blank code"),
        ([*FORM, ("ErrorCode", "none")], StatusReceipt(SID, "delivered", None), "a code that is no number"),
        ([("SmsSid", SID), ("SmsStatus", "sent")], StatusReceipt(SID, "sent", None), "the older names alone"),
        ([("MessageStatus", "sent")], None, "no message named"),
        ([("MessageSid", SID)], None, "no status"),
        ([("MessageSid", "090"), ("MessageStatus", "sent")], None, "not one of Twilio's ids"),
        ([("MessageSid", SID), ("MessageStatus", "お元気ですか")], None, "not one of Twilio's words"),
        ([], None, "nothing at all"),
    ],
)
def test_a_receipt_says_which_message_its_status_and_the_code(
    form: Mapping[str, str] | Sequence[tuple[str, str]], receipt: StatusReceipt | None, why: str
) -> None:
    assert parse_status(form) == receipt
