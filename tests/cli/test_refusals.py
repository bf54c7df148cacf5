"""What the command line refuses: with a stable code, a sentence that says what to do, and nothing of what was typed."""

import shlex
import unicodedata

import pytest

from tests.cli.terminal import SPELLINGS, TWELVE, WIDE, Terminal

GROUP = "group add --kind household"
PERSON = "person add --group 1"
CONTACT = "contact add --person 1"
CARD = "card add --person 1"
SIGNATURE = "mynumber_signature_certificate"
CONSENT = "--consent spoken --consent-by 長女"
DIGITS = "{digits}"

NUMBER_TYPED = [
    (f"{GROUP} --name {DIGITS}", "forbidden_number", "a group's name"),
    (f"{GROUP} --name 田中家{DIGITS}", "forbidden_number", "behind a name"),
    (f"{PERSON} --label {DIGITS}", "forbidden_number", "a label"),
    (f"{PERSON} --label 父 --mark {DIGITS}", "forbidden_number", "a mark word"),
    (f"{PERSON} --label 父 --ref {DIGITS}", "forbidden_number", "a room"),
    (f"{PERSON} --label 父 --office {DIGITS}", "forbidden_number", "an office"),
    (f"member add --group 1 --email {DIGITS}", "email_unreadable", "no address at all"),
    (f"member add --group 1 --email {DIGITS}@example.jp", "forbidden_number", "in front of an address"),
    (f"{CONTACT} --channel email --address {DIGITS}@example.jp", "forbidden_number", "the same of a contact"),
    (f"{CONTACT} --channel sms --address {DIGITS}", "phone_unreadable", "in a phone's place"),
    (f"{CONTACT} --channel voice --address {DIGITS}", "phone_unreadable", "in another phone's place"),
    (f"{CONTACT} --channel sms --address 090-0000-0009 --consent spoken --consent-by {DIGITS}", "forbidden_number", "who asked"),
    (f"{CONTACT} --channel {DIGITS} --address 090-0000-0009", "unknown_choice", "a channel"),
    (f"{CARD} --kind {SIGNATURE} --expires {DIGITS}", "forbidden_number", "the end"),
    (f"{CARD} --kind {DIGITS} --expires 2027-03-31", "unknown_choice", "a kind"),
    (f"card renew 1 --expires {DIGITS}", "forbidden_number", "a new end"),
    (f"card retire {DIGITS}", "not_found|usage_value", "a card"),
    (f"card retire {DIGITS}{DIGITS}", "not_found|usage_value", "larger than any database counts"),
    (f"{PERSON}{DIGITS}{DIGITS} --label 父", "not_found|usage_value", "such a group"),
    (f"{PERSON} --label 父 --mode {DIGITS}", "usage_value", "a mode"),
    (f"{PERSON}x{DIGITS} --label 父", "usage_value", "a group that is no number"),
    (f"contact stop {DIGITS}", "not_found|usage_value", "a contact"),
    (f"contact stop-number {DIGITS}", "phone_unreadable|phone_foreign|forbidden_number", "a number"),
    (f"list {DIGITS}", "unknown_choice", "what to list"),
    (f"list messages --state {DIGITS}", "unknown_choice", "a state"),
    (f"list people --group {DIGITS}{DIGITS}", "not_found|usage_value", "a group of the list"),
    (f"read-date {DIGITS}", "forbidden_number", "a date"),
    (f"expiry mynumber_card --issued {DIGITS} --born 1985-11-14", "forbidden_number", "an issue date"),
    (f"expiry mynumber_card --issued 2021-11-20 --born {DIGITS}", "forbidden_number", "a birth date"),
    (f"expiry {DIGITS} --issued 2021-11-20 --born 1985-11-14", "unknown_choice", "a kind to work out"),
    (f"preview {DIGITS} 2027-03-31", "unknown_choice", "a kind to show"),
    (f"preview mynumber_card {DIGITS}", "forbidden_number", "an end to show"),
    (f"preview mynumber_card 2027-03-31 --today {DIGITS}", "forbidden_number", "a today"),
    (f"run-once --at {DIGITS}", "instant_unreadable", "an instant"),
    (f"simulate --from {DIGITS} --until 2027-03-31", "forbidden_number", "a first day"),
    (f"simulate --from 2027-03-31 --until {DIGITS}", "forbidden_number", "a last day"),
    (DIGITS, "usage", "a command"),
    (f"card {DIGITS}", "usage", "a command of a card"),
    (f"--{DIGITS}", "usage_option", "an option"),
    (f"{PERSON} --label 父 --{DIGITS}", "usage_option", "an option of a command"),
    (f"{PERSON} --label 父 --number={DIGITS}", "usage_option", "an option's value"),
    (f"{PERSON} --label 父 {DIGITS}", "usage", "a word too many"),
    (f"kinds {DIGITS}", "usage", "a word too many where none is taken"),
]  # fmt: skip


def assert_nowhere(reminder: Terminal, *printed: str) -> None:
    """The digits are in none of what was printed, nor in any byte of any file."""
    for text in printed:
        assert "1234" not in unicodedata.normalize("NFKC", text)
    for spelling in (TWELVE, WIDE):
        for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
            assert spelling.encode(encoding) not in reminder.bytes_kept()


@pytest.mark.parametrize("typed", SPELLINGS)
@pytest.mark.parametrize(("line", "code", "place"), NUMBER_TYPED, ids=[place for _, _, place in NUMBER_TYPED])
def test_a_number_typed_anywhere_is_refused_and_left_nowhere(
    family: Terminal, line: str, code: str, place: str, typed: str
) -> None:
    before = family.rows()
    arguments = [word.replace(DIGITS, typed) for word in shlex.split(line)]

    as_json = family.run(*arguments, "--json")
    plain = family.run(*arguments)

    assert (as_json.code, plain.code) == (2, 2)
    assert as_json.answer["error"] in code.split("|"), place
    assert as_json.err == plain.err == as_json.answer["message"] + "\n"
    assert plain.out == ""
    assert len(plain.err) > 12, "a sentence"
    assert_nowhere(family, as_json.out, as_json.err, plain.out, plain.err)
    assert family.rows() == before


@pytest.mark.parametrize("typed", ["70000", "-1", TWELVE])
def test_no_server_starts_on_a_port_that_is_none(reminder: Terminal, typed: str) -> None:
    done = reminder.run("serve", "--port", typed)

    assert (done.code, done.out) == (2, "")
    assert "--port" in done.err
    assert typed not in done.err
    assert not reminder.data.exists()


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        (" ".join(["1234"] * 3), "in fours"),
        ("-".join(["1234"] * 3), "with hyphens"),
        ("一二三四" * 3, "in kanji"),
        ("\u200b".join(TWELVE), "with what nobody sees between"),
        ("暗証番号1234", "a passcode"),
        ("%31%32%33%34" * 3, "as an address writes it"),
        ("AB" + "1234" * 2 + "CD", "a residence card's"),
    ],
)
def test_no_disguise_helps_a_number_into_a_name(family: Terminal, typed: str, why: str) -> None:
    before = family.rows()

    refused = family.refusal("group", "add", "--kind", "home", "--name", typed)

    assert refused["error"] == "forbidden_number", why
    assert "1234" not in str(refused)
    assert family.rows() == before


@pytest.mark.parametrize(
    ("line", "code", "field", "why"),
    [
        (f"{GROUP} --name ''", "label_empty", "name", "nobody's"),
        (f"{GROUP} --name 'た\nなか'", "label_control_character", "name", "two lines"),
        (f"{PERSON} --label {'あ' * 21}", "label_too_long", "label", "a name, not a story"),
        (f"{PERSON} --label 母1234", "label_too_many_digits", "label", "four digits are a passcode"),
        (f"{PERSON} --label 父 --mark つばめ2", "label_too_many_digits", "mark", "a word has no digits"),
        ("person add --group 9 --label 父", "not_found", "group", "no such group"),
        ("member add --group 9 --email mago@example.jp", "not_found", "group", "no such group"),
        ("member add --group 1 --email musume@example.jp", "member_known", "email", "she is there already"),
        ("member add --group 1 --email musume", "email_unreadable", "email", "half an address"),
        (f"contact add --channel sms --address 090-0000-0009 {CONSENT}", "one_owner_needed", "person", "whose?"),
        (f"{CONTACT} --member 1 --channel sms --address 090-0000-0009", "one_owner_needed", "person", "whose of both?"),
        ("contact add --person 9 --channel sms --address 090-0000-0009", "not_found", "person", "nobody's"),
        ("contact add --member 9 --channel sms --address 090-0000-0009", "not_found", "member", "nobody's"),
        (f"{CONTACT} --channel sms --address 090-0000-0009 --consent spoken", "consent_by_needed", "consent_by", "who asked?"),
        (f"{CONTACT} --channel sms --address 090-0000-0001", "contact_known", "address", "it is there already"),
        (f"{CONTACT} --channel sms --address 03-0000-0001 {CONSENT}", "phone_landline", "address", "it cannot be texted"),
        (f"{CONTACT} --channel sms --address 050-0000-0001 {CONSENT}", "phone_ip", "address", "nor can most of these"),
        (f"{CONTACT} --channel sms --address 119 {CONSENT}", "phone_emergency", "address", "of all numbers"),
        (f"{CONTACT} --channel line --address haha {CONSENT}", "line_unreadable", "address", "no id of LINE's"),
        (f"{CARD} --kind mynumber_user_certificate --expires 2031-03-31", "card_known", "kind", "renewed, perhaps?"),
        (f"{CARD} --kind {SIGNATURE} --expires 2026-11-30", "date_past", "expires", "yesterday"),
        (f"{CARD} --kind {SIGNATURE} --expires 2037-12-02", "date_far", "expires", "in eleven years and a day"),
        (f"{CARD} --kind {SIGNATURE} --expires 27/3/31", "date_ambiguous", "expires", "which end is the year?"),
        ("card add --person 9 --kind mynumber_card --expires 2031-03-31", "not_found", "person", "nobody's"),
        ("card renew 1 --expires 2027-03-31", "same_date", "expires", "nothing is new"),
        ("card renew 1 --expires 2026-11-30", "date_past", "expires", "renewed into the past"),
        ("card renew 1 --expires 2037-12-02", "date_far", "expires", "too far"),
        ("card renew 9 --expires 2032-03-31", "not_found", "card", "no such card"),
        ("card retire 9", "not_found", "card", "no such card"),
        ("contact stop 9", "not_found", "contact", "no such contact"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_is_refused_by_place_and_nothing_is_half_kept(
    family: Terminal, line: str, code: str, field: str, why: str
) -> None:
    before = family.rows()

    refused = family.refusal(*shlex.split(line))

    assert (refused["error"], refused["field"]) == (code, field), why
    assert family.rows() == before


@pytest.mark.parametrize(
    ("expires", "code", "why"),
    [
        ("2026-12-01", None, "today it is still valid"),
        ("2026-11-30", "date_past", "yesterday"),
        ("2037-12-01", None, "eleven years to the day"),
        ("2037-12-02", "date_far", "and a day"),
    ],
)
def test_a_date_that_is_past_or_far_is_asked_about_and_taken_with_a_yes(
    family: Terminal, expires: str, code: str | None, why: str
) -> None:
    line = [*shlex.split(f"{CARD} --kind {SIGNATURE}"), "--expires", expires]

    if code is not None:
        refused = family.refusal(*line)
        assert refused["error"] == code, why
        assert "--yes" in refused["message"]
        line.append("--yes")

    assert family.answer(*line)["expires_on"] == expires


def test_a_renewal_into_the_past_is_taken_with_a_yes_too(family: Terminal) -> None:
    renewed = family.answer("card", "renew", "1", "--expires", "2026-11-30", "--yes")

    assert renewed["expires_on"] == "2026-11-30"


def test_a_landline_is_kept_for_calls_and_never_texted(family: Terminal) -> None:
    family.answer("person", "add", "--group", "1", "--label", "祖父")
    phone = shlex.split(f"contact add --person 2 --channel voice --address 03-0000-0001 {CONSENT}")
    kept = family.answer(*phone)
    family.answer("card", "add", "--person", "2", "--kind", "mynumber_card", "--expires", "2026-12-31")

    family.run("run-once", "--at", "2026-12-01T12:00+09:00")

    assert "+81300000001" in [contact["address"] for contact in family.answer("list", "contacts")]
    told = {message["contact_id"] for message in family.answer("list", "messages")}
    assert told, "somebody was told"
    assert kept["id"] not in told


SPOKEN = [
    ({"LANG": "ja_JP.UTF-8"}, "ja", "as most machines of those who use it"),
    ({"LANG": "en_US.UTF-8"}, "en", "as others"),
    ({"LANG": None}, "ja", "nothing is said"),
    ({"LANG": "C.UTF-8"}, "en", "as servers"),
    ({"LANG": "en_US.UTF-8", "LC_ALL": "ja_JP.UTF-8"}, "ja", "LC_ALL wins over everything"),
    ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "ja_JP.UTF-8"}, "ja", "messages have a setting of their own"),
    ({"LANG": "ja_JP.UTF-8", "LC_ALL": ""}, "ja", "an empty one says nothing"),
]


@pytest.mark.parametrize(("environment", "language", "why"), SPOKEN)
def test_a_refusal_speaks_the_language_of_the_terminal(
    reminder: Terminal, environment: dict[str, str | None], language: str, why: str
) -> None:
    reminder.set(**environment)

    sentence = reminder.run("read-date", "らいねん").err

    assert sentence.startswith({"ja": "日付が読めません。", "en": "In the date: "}[language]), why


@pytest.mark.parametrize("language", ["ja_JP.UTF-8", "en_US.UTF-8"])
@pytest.mark.parametrize(
    ("line", "advice"),
    [
        ("read-date らいねん", "2026-03-31"),
        (f"{CARD} --kind {SIGNATURE} --expires 2026-11-30", "--yes"),
        (f"{CARD} --kind {SIGNATURE} --expires 2099-01-01", "--yes"),
        (f"{CARD} --kind mynumber_user_certificate --expires 2031-03-31", "`reminder card renew 1`"),
        (f"{CONTACT} --channel sms --address 03-0000-0001", "voice"),
        (f"{CONTACT} --channel sms --address 12", "090-0000-0001"),
        (f"{CONTACT} --channel sms --address 090-0000-0009 --consent spoken", "--consent-by"),
        ("contact add --channel sms --address 090-0000-0009", "--person"),
        ("expiry mynumber_card --issued 2021-11-20", "--born"),
        ("tick --at 2026-12-01T09:00", "2026-12-01T09:00+09:00"),
        ("card add --person 1 --kind mynumber_card", "--expires"),
        ("simulate --until 2027-01-01", "--from"),
        ("expiry --issued 2021-11-20", "KIND"),
        ("list", "people|contacts|cards"),
        ("card retire 9", "`reminder list`"),
        ("list cats", "people"),
        ("list messages --state lost", "undelivered"),
        ("preview passports 2027-03-31", "mynumber_card"),
        ("card ad", "reminder card --help"),
        ("card retire 1 --now", "reminder card retire --help"),
    ],
)
def test_a_refusal_says_what_to_do_in_both_languages(family: Terminal, line: str, advice: str, language: str) -> None:
    family.set(LANG=language)

    done = family.run(*shlex.split(line))

    assert done.code == 2
    sentence = done.err.strip()
    assert advice.strip("`") in sentence.replace("`", "")
    assert sentence.endswith(("。", ".", *"abcdefghijklmnopqrstuvwxyz")), "no placeholder was left open"
    assert "{" not in sentence
    assert any("ぁ" <= letter <= "ん" for letter in sentence) is language.startswith("ja")


@pytest.mark.parametrize(
    ("at", "why"),
    [
        ("2026-12-01T09:00", "in which zone?"),
        ("2026-12-01", "at what hour?"),
        ("9:00", "on what day?"),
        ("2026-12-01T25:00+09:00", "no such hour"),
        ("0001-01-01T00:00+09:00", "before time began in Greenwich"),
        ("9999-12-31T23:00-12:00", "after it ended"),
    ],
)
def test_an_instant_that_is_not_sure_is_refused_and_nothing_is_sent(family: Terminal, at: str, why: str) -> None:
    before = family.rows()

    refused = family.refusal("run-once", "--at", at)

    assert (refused["error"], refused["field"]) == ("instant_unreadable", "at"), why
    assert family.rows() == before
