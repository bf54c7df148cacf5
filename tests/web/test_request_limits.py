"""What is bounded of every request before any code of ours works on it, and what every answer carries."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from reminder.domain.model.people import Language
from reminder.web.app import (
    LONGEST_BODY,
    LONGEST_BODY_OF_STRANGER,
    LONGEST_HEADERS,
    LONGEST_URL,
    MOST_HEADERS,
    create_web,
)
from reminder.web.support.authorization import FORM_FIELDS, LONGEST_FIELD
from reminder.web.support.security_headers import HEADERS, HSTS
from tests.village import Village, open_village
from tests.web.asking import Answer, Visitor, visitor
from tests.web.browsing import Browser
from tests.web.every_route import Route, every_route

FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def village(sqlite_url: str, tmp_path: Path) -> Iterator[Village]:
    with open_village(sqlite_url, tmp_path, "2026-12-01 08:00") as opened:
        yield opened


@pytest.fixture
def browser(village: Village) -> Visitor:
    return visitor(village)


@pytest.fixture
def routes(village: Village) -> list[Route]:
    return every_route(create_web(village.app, local_pages=True))


def long_address(route: Route) -> str:
    start = route.at() + "?q="
    return start + "1-O" * ((LONGEST_URL - len(start)) // 3) + "z" * 4


def test_no_route_takes_an_address_longer_than_two_kilobytes(browser: Visitor, routes: list[Route]) -> None:
    answers = {str(route): browser.ask(route.method, long_address(route)) for route in routes}

    assert {name: (answer.status, answer.json["code"]) for name, answer in answers.items()} == dict.fromkeys(
        answers, (414, "url_too_long")
    )


def test_an_address_of_two_kilobytes_is_taken(browser: Visitor) -> None:
    assert browser.get("/healthz?q=" + "z" * (LONGEST_URL - len("/healthz?q="))).status == 200


def test_a_long_address_is_refused_before_it_is_looked_at(browser: Visitor) -> None:
    # Of a megabyte that would take hours to search, the length is all that is read.
    assert browser.get("/healthz?" + "1-O" * 350_000).json["code"] == "url_too_long"


@pytest.mark.parametrize(
    "headers",
    [
        {"x-some": "x" * LONGEST_HEADERS},
        {"accept-language": "en," * LONGEST_HEADERS},
        {f"x-{number}": "x" for number in range(MOST_HEADERS + 1)},
    ],
    ids=["long", "a long list of languages", "many"],
)
def test_no_route_takes_headers_without_end(browser: Visitor, routes: list[Route], headers: dict[str, str]) -> None:
    answers = {str(route): browser.ask(route.method, route.at(), headers=headers) for route in routes}

    assert {name: answer.status for name, answer in answers.items()} == dict.fromkeys(answers, 431)


def test_whoever_has_not_signed_in_may_send_little(browser: Visitor) -> None:
    for path in ("/sign-in", "/sign-in/code", "/look", "/stop/1/x", "/sign-in/passkey"):
        assert browser.post(path, b"x" * (LONGEST_BODY_OF_STRANGER + 1)).status == 413, path


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("email=" + "1-O" * (LONGEST_FIELD // 3 + 1), "a long field"),
        ("1-O" * (LONGEST_FIELD // 3 + 1) + "=x", "a long name"),
        ("&".join(f"f{number}=x" for number in range(FORM_FIELDS + 1)), "many fields"),
        ("&" * (FORM_FIELDS + 1), "many fields without a name"),
    ],
)
def test_a_form_has_bounded_fields(village: Village, body: str, why: str) -> None:
    owner = Browser(village)
    owner.sign_in("musume@example.jp")
    said = {"content-type": FORM, "origin": f"http://{owner.visitor.host}", "sec-fetch-site": "same-origin"}
    for path in ("/people", "/settings/group", "/months/act"):
        answer = owner._ask("POST", path, body.encode(), said)

        assert (answer.status, "form_too_large") == (422, code_of(village, answer)), (path, why)


def code_of(village: Village, answer: Answer) -> str:
    sentences = village.app.rules.wording.languages[Language.JAPANESE].table["errors"]
    return next((code for code, sentence in sentences.items() if str(sentence) in answer.text), "")


def test_a_file_has_no_more_fields_than_a_form(village: Village) -> None:
    owner = Browser(village)
    owner.sign_in("musume@example.jp")
    owner.get("/imports")

    owner.send_file("/imports", "residents.csv", b"x", **{f"f{number}": "x" for number in range(FORM_FIELDS)})

    assert owner.page.status == 422
    assert code_of(village, owner.page) == "form_too_large"


def carried(answer: Answer, https: bool) -> dict[str, object]:
    names = [*HEADERS, *HSTS]
    wanted = {**HEADERS, **(HSTS if https else dict.fromkeys(HSTS, None))}
    found = {name: answer.headers.get(name) for name in names}
    if (found["cache-control"] or "").startswith("public"):
        found["cache-control"] = wanted["cache-control"]
    return {name: (found[name], wanted[name]) for name in names if found[name] != wanted[name]}


@pytest.mark.parametrize("https", [False, True])
def test_every_answer_of_every_route_carries_every_header(sqlite_url: str, tmp_path: Path, https: bool) -> None:
    settings = {"public_url": "https://kigen.example.jp"} if https else {}
    with open_village(sqlite_url, tmp_path, "2026-12-01 08:00", **settings) as village:
        somebody, owner = visitor(village), Browser(village)
        owner.sign_in("musume@example.jp")
        routes = every_route(create_web(village.app, local_pages=True))
        missing: dict[str, object] = {}
        for route in [
            *routes,
            Route("GET", "/nowhere", ()),
            Route("GET", "/static/house.css", ()),
            Route("TRACE", "/", ()),
        ]:
            body = b"x" if route.method in ("POST", "PATCH") else b""
            for answer in (
                somebody.ask(route.method, route.at()),
                somebody.ask(route.method, route.at(), b"x" * (LONGEST_BODY + 1)),
                somebody.ask(route.method, long_address(route)),
                owner._ask(route.method, route.at(), body, {"content-type": FORM}),
            ):
                if lacks := carried(answer, https):
                    missing[f"{route} {answer.status}"] = lacks

        assert missing == {}
