"""The web's door: what every answer carries, how a refusal reads, and which addresses and bodies never come in."""

import sqlite3
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from datetime import date
from itertools import product
from pathlib import Path
from urllib.parse import quote

import pytest

from reminder.domain.model.people import Language
from reminder.web.app import LONGEST_BODY
from tests.village import Village, open_village
from tests.web.asking import Answer, Visitor, visitor

RECEIPTS = "/webhooks/twilio/status"
NUMBER = "3074" + "1852" + "9630"  # invented
WIDE = NUMBER.translate({ord(digit): ord("０") + int(digit) for digit in "0123456789"})
CARRIED = {
    "content-security-policy": "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; "
    "img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}


@pytest.fixture
def village(sqlite_url: str, tmp_path: Path) -> Iterator[Village]:
    with open_village(sqlite_url, tmp_path, "2026-12-01 08:00") as opened:
        yield opened


@pytest.fixture
def browser(village: Village) -> Visitor:
    """Sits at the machine itself, where all pages are shown."""
    return visitor(village)


def in_pieces(size: int) -> Iterable[bytes]:
    return [b"x" * 1000] * (size // 1000) + [b"x" * (size % 1000)]


def tear_out_the_groups(village: Village) -> None:
    """What no program of ours does to its database: persons are left without the group they are in."""
    village.person("母")
    village.card("母", date(2027, 3, 31))
    with closing(sqlite3.connect(village.app.database.url.removeprefix("sqlite:///"))) as connection, connection:
        connection.execute("DELETE FROM groups")


def language_says(village: Village, code: str, language: Language = Language.JAPANESE) -> str:
    return str(village.app.rules.wording.languages[language].table["errors"][code])


ANSWERS = [
    pytest.param("GET", "/healthz", b"", 200, id="an answer"),
    pytest.param("GET", "/overview", b"", 200, id="a page"),
    pytest.param("GET", "/static/house.css", b"", 200, id="a file"),
    pytest.param("GET", "/readyz", b"", 503, id="not ready"),
    pytest.param("POST", RECEIPTS, b"", 403, id="not signed"),
    pytest.param("GET", "/nowhere", b"", 404, id="no such page"),
    pytest.param("GET", "/stop/1/wrong", b"", 404, id="no such link"),
    pytest.param("POST", "/healthz", b"", 405, id="no such method"),
    pytest.param("POST", RECEIPTS, b"x" * (LONGEST_BODY + 1), 413, id="too long"),
    pytest.param("POST", RECEIPTS, in_pieces(LONGEST_BODY + 1), 413, id="too long in pieces"),
    pytest.param("GET", "/stop/mother/x", b"", 422, id="malformed"),
    pytest.param("GET", f"/people/{NUMBER}", b"", 422, id="a number"),
]


@pytest.mark.parametrize(("method", "target", "body", "status"), ANSWERS)
def test_every_answer_forbids_scripts_frames_guesses_and_copies(
    browser: Visitor, method: str, target: str, body: bytes, status: int
) -> None:
    answer = browser.ask(method, target, body)

    # What is the same for everybody may be kept by the browser.
    carried = CARRIED | ({"cache-control": "public, max-age=86400"} if target.startswith("/static/") else {})
    assert answer.status == status
    assert {name: answer.headers.get(name) for name in CARRIED} == carried


def test_an_answer_about_our_own_failure_carries_the_same_and_says_nothing_of_it(village: Village) -> None:
    tear_out_the_groups(village)

    answer = visitor(village).get("/overview")

    assert answer.status == 500
    assert {name: answer.headers.get(name) for name in CARRIED} == CARRIED
    assert answer.json["code"] == "failure"
    assert answer.json["detail"] == language_says(village, "failure")
    assert "KeyError" not in answer.everything
    assert "母" not in answer.everything


@pytest.mark.parametrize(
    ("method", "target", "body", "status", "code"),
    [
        ("GET", "/nowhere", b"", 404, "page_not_found"),
        ("GET", "/static/app.py", b"", 404, "page_not_found"),
        ("GET", "/static/..%2Fapp.py", b"", 404, "page_not_found"),
        ("GET", "/stop/1/wrong", b"", 404, "page_not_found"),
        ("DELETE", "/healthz", b"", 405, "method_not_allowed"),
        ("POST", RECEIPTS, b"x" * (LONGEST_BODY + 1), 413, "body_too_long"),
        ("GET", "/stop/mother/x", b"", 422, "request_malformed"),
        ("GET", f"/people/{NUMBER}", b"", 422, "forbidden_number"),
    ],
)
def test_a_refusal_is_a_problem_with_a_stable_code_and_a_sentence(
    browser: Visitor, method: str, target: str, body: bytes, status: int, code: str
) -> None:
    answer = browser.ask(method, target, body)

    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json.items() >= {"type": "about:blank", "title": code, "status": status, "code": code}.items()
    assert answer.json["detail"].endswith("。")
    assert set(answer.json) <= {"type", "title", "status", "code", "detail", "field"}


def test_a_refused_method_names_one_that_works(browser: Visitor) -> None:
    assert browser.ask("PUT", RECEIPTS).headers["allow"] == "POST"


@pytest.mark.parametrize(
    ("wanted", "language", "why"),
    [
        (None, Language.JAPANESE, "most who read it are in Japan"),
        ("en", Language.ENGLISH, "asked for"),
        ("EN-us,en;q=0.9", Language.ENGLISH, "of a country, in capitals"),
        ("ja,en;q=0.8", Language.JAPANESE, "Japanese first"),
        ("en-GB,ja;q=0.5", Language.ENGLISH, "English first"),
        ("pt-BR,en;q=0.5", Language.ENGLISH, "neither first, but English is understood"),
        ("pt-BR", Language.JAPANESE, "neither of ours"),
        ("*", Language.JAPANESE, "any"),
        ("", Language.JAPANESE, "nothing said"),
        ("fr-enx", Language.JAPANESE, "only looks like it"),
    ],
)
def test_a_refusal_speaks_the_language_that_is_asked_for(
    village: Village, wanted: str | None, language: Language, why: str
) -> None:
    answer = visitor(village).get("/nowhere", {} if wanted is None else {"accept-language": wanted})

    assert answer.json["detail"] == language_says(village, "page_not_found", language), why


@pytest.mark.parametrize(
    ("method", "target", "body", "headers"),
    [
        ("GET", "/namazu", b"", {}),
        ("GET", "/healthz/?of=namazu", b"", {}),
        ("GET", "/stop/namazu/x", b"", {}),
        ("GET", "/stop/1/namazu", b"", {}),
        ("GET", "/outbox?state=namazu", b"", {}),
        ("NAMAZU", "/healthz", b"", {}),
        ("POST", RECEIPTS, b"MessageStatus=namazu", {"x-twilio-signature": "namazu"}),
        ("POST", RECEIPTS, b"namazu" * LONGEST_BODY, {}),
        ("POST", "/healthz", b"namazu", {"content-length": "namazu"}),
        ("GET", "/nowhere", b"", {"host": "namazu.example.jp", "referer": "namazu", "cookie": "a=namazu"}),
        ("GET", "/overview", b"", {"host": "namazu.example.jp"}),
    ],
)
def test_no_answer_repeats_what_was_sent(
    browser: Visitor, method: str, target: str, body: bytes, headers: Mapping[str, str]
) -> None:
    answer = browser.ask(method, target, body, headers)

    assert answer.status >= 400
    assert "namazu" not in answer.everything.lower()


def test_an_address_with_a_slash_too_many_is_not_sent_back_as_a_redirect(browser: Visitor) -> None:
    assert browser.get("/healthz/").status == 404


def holds_the_number(answer: Answer) -> bool:
    plain = "".join(c for c in unicodedata.normalize("NFKC", answer.everything) if c.isdecimal())
    return NUMBER[:6] in plain or NUMBER[-6:] in plain


@pytest.mark.parametrize(
    ("target", "why"),
    [
        (f"/people/{NUMBER}", "in the path"),
        (f"/{NUMBER[:4]}/{NUMBER[4:8]}/{NUMBER[8:]}", "in parts of the path"),
        (f"/stop/{NUMBER}/x", "as an id: ours are shorter"),
        (f"/stop/1/{NUMBER}", "as a mark: ours are letters"),
        (f"/healthz?of={NUMBER}", "in the query"),
        (f"/healthz?{NUMBER}", "as a name in the query"),
        (f"/healthz?of={NUMBER[:4]}+{NUMBER[4:8]}+{NUMBER[8:]}", "with spaces, as forms write them"),
        (RECEIPTS + f"?m={NUMBER}", "as a message's id: ours are shorter"),
        ("/people/" + "".join(f"%3{digit}" for digit in NUMBER), "percent-encoded in the path"),
        ("/healthz?of=" + "".join(f"%3{digit}" for digit in NUMBER), "percent-encoded in the query"),
        ("/people/" + "".join(f"%253{digit}" for digit in NUMBER), "percent-encoded twice"),
        (f"/people/{quote(WIDE)}", "full width in the path"),
        (f"/healthz?of={quote(WIDE)}", "full width in the query"),
        (f"/people/%23{NUMBER}", "behind what may look like the end of the path"),
        (f"/people/%3F{NUMBER}", "behind what may look like the begin of the query"),
        ("//" + NUMBER, "in place of another host"),
        ("/healthz?of=" + quote("暗証番号 ") + "4321", "a passcode"),
        ("/people/" + "AB" + NUMBER[:8] + "CD", "the shape of a residence card's"),
    ],
)
def test_an_address_that_holds_a_number_is_refused_and_not_repeated(browser: Visitor, target: str, why: str) -> None:
    for method in ("GET", "POST"):
        answer = browser.ask(method, target)

        assert answer.status == 422, why
        assert (answer.json["code"], answer.json["field"]) == ("forbidden_number", "url")
        assert not holds_the_number(answer)


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "/stop/1/x", 404),
        ("GET", "/stop/123456/x", 404),
        ("GET", "/stop/12345678/x", 404),
        ("GET", "/stop/12345678901/x", 404),
        ("POST", RECEIPTS + "?m=1234567", 403),
        ("POST", RECEIPTS + "?m=12345678", 403),
        ("POST", RECEIPTS + "?m=12345678901", 403),
    ],
)
def test_our_own_ids_pass_the_door_up_to_eleven_digits(browser: Visitor, method: str, target: str, status: int) -> None:
    answer = browser.ask(method, target)

    assert answer.status == status
    assert "forbidden_number" not in answer.text


# Words of which a passcode can be read; random letters hold each of them now and then.
SPELT = ["pin", "pw", "two", "ango", "passwd", "anshou", "goninisan", "issan", "hokenbango", "rokugoichi"]


@pytest.mark.parametrize("length", [45, 55, 64])
@pytest.mark.parametrize("target", ["/stop/{}", "/take/{}", "/feeds/{}", RECEIPTS + "?m={}", RECEIPTS + "?m={}&turn=1"])
def test_no_random_letters_of_a_reference_or_a_token_are_taken_for_a_number(
    browser: Visitor, target: str, length: int
) -> None:
    spelt = [(one + other + one)[:length] for one, other in product(SPELT, SPELT)]
    unlucky = ["jtfjpkcthxpieqzqhwutwonbywcvciskfnjkmlqbxkuln", *(word + "x" * (length - len(word)) for word in spelt)]

    for letters in [*unlucky, *(letters[::-1] for letters in unlucky)]:
        assert "forbidden_number" not in browser.ask("POST", target.format(letters)).text, letters


def test_what_only_resembles_a_reference_is_searched(browser: Visitor) -> None:
    assert browser.ask("GET", f"/stop/{'x' * 45}{NUMBER}").json["code"] == "forbidden_number"
    assert browser.ask("GET", f"/healthz?of={'x' * 45}{quote(' 暗証番号 4321')}").json["code"] == "forbidden_number"


def test_no_stop_link_that_we_make_is_taken_for_a_number(village: Village) -> None:
    browser = visitor(village)
    ids = [*range(1, 60), *(10**size - 1 for size in range(3, 12))]

    links = [village.app.keys.references.make("stop", [contact_id], village.now) for contact_id in ids]

    assert {browser.get(f"/stop/{link}").status for link in links} == {404}, "none is refused as a number"


@pytest.mark.parametrize(
    ("body", "headers", "status", "why"),
    [
        (b"x" * LONGEST_BODY, {}, 403, "as long as may be: read, and not signed"),
        (in_pieces(LONGEST_BODY), {}, 403, "the same in pieces"),
        (b"x" * (LONGEST_BODY + 1), {}, 413, "a byte too long"),
        (in_pieces(LONGEST_BODY + 1), {}, 413, "the same in pieces"),
        (b"", {"content-length": str(10**9)}, 413, "only promised to be long"),
        (b"", {"content-length": "9" * 5000}, 413, "a length too long to count"),
        (b"", {"content-length": "-1"}, 413, "no length"),
        (b"", {"content-length": "1e3"}, 413, "no length"),
        (b"", {"content-length": "\u00b2"}, 413, "a digit, but not a length"),
    ],
)
def test_a_body_is_taken_up_to_its_bound_however_it_comes(
    browser: Visitor, body: bytes, headers: Mapping[str, str], status: int, why: str
) -> None:
    assert browser.post(RECEIPTS, body, headers).status == status, why


@pytest.mark.parametrize("target", ["/docs", "/redoc", "/openapi.json", "/static/"])
def test_there_are_no_pages_but_our_own(browser: Visitor, target: str) -> None:
    assert browser.get(target).status == 404
