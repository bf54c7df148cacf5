"""How fast programs may ask: each token has its own share, wrong tokens one for each network, in all processes."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from reminder.domain.model.people import GroupKind
from reminder.enrolment.imports import service
from reminder.web.api import document, router
from reminder.web.support.api_rates import RequestRates
from tests.village import Village, open_village
from tests.web.asking import Lent, visitor
from tests.web.calling import SHEET, Program, described, token_of

MOST, WRONG = 40, 6
HEADERS = ("ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "ratelimit-policy")


@pytest.fixture
def village(database_url: str, tmp_path: Path) -> Iterator[Village]:
    limits = {"api_requests_per_minute": MOST, "api_wrong_tokens_per_minute": WRONG}
    with open_village(database_url, tmp_path, "2026-12-01 08:00", **limits) as opened:
        opened.group(GroupKind.HOME, "さくら苑")
        opened.member("娘", "musume@example.jp")
        yield opened


@pytest.fixture
def program(village: Village) -> Program:
    return Program(visitor(village, local_pages=False), token_of(village, 1))


def another_process(program: Program) -> Program:
    """The same program, answered by another process."""
    web = program.browser.web
    assert isinstance(web, Lent)
    return replace(program, browser=replace(program.browser, web=replace(web, rates=RequestRates())))


def statuses(program: Program, count: int, path: str = "/kinds") -> list[int]:
    return [program.get(path).status for _ in range(count)]


def test_a_token_may_ask_so_often_in_a_minute(village: Village, program: Program) -> None:
    assert statuses(program, MOST) == [200] * MOST

    answer = program.get("/kinds")

    assert (answer.status, answer.json["code"]) == (429, "too_many_requests")
    assert answer.headers["retry-after"] == "2"
    village.clock.move_to(village.now + timedelta(seconds=1))
    assert program.get("/kinds").status == 429
    village.clock.move_to(village.now + timedelta(seconds=1))
    assert statuses(program, 2) == [200, 429]
    village.clock.move_to(village.now + timedelta(minutes=2))
    assert statuses(program, MOST + 1) == [200] * MOST + [429]


def test_several_processes_allow_no_more_than_one(village: Village, program: Program) -> None:
    others = [another_process(program) for _ in range(3)]

    allowed = [one.get("/kinds").status for _ in range(MOST) for one in others].count(200)

    assert allowed == MOST


def test_every_answer_says_what_is_left(program: Program) -> None:
    first, unknown, wrong = program.get("/kinds"), program.get("/people/9"), program.post("/people", {"label": 7})

    assert [answer.status for answer in (first, unknown, wrong)] == [200, 404, 422]
    assert {name: first.headers[name] for name in HEADERS} == {
        "ratelimit-limit": f"{MOST}",
        "ratelimit-remaining": f"{MOST - 1}",
        "ratelimit-reset": "2",
        "ratelimit-policy": f"{MOST};w=60",
    }
    assert [answer.headers["ratelimit-remaining"] for answer in (unknown, wrong)] == [f"{MOST - 2}", f"{MOST - 3}"]


def test_one_token_uses_up_nothing_of_another(village: Village, program: Program) -> None:
    other = replace(program, token=token_of(village, 1))
    statuses(program, MOST + 1)

    assert statuses(other, MOST) == [200] * MOST


def test_no_operation_is_free(program: Program) -> None:
    statuses(program, MOST)

    refused = {
        one.id: program.ask(one.method, one.at(**dict.fromkeys(IDS, 1)), one.example).status for one in described()
    }

    assert set(refused.values()) == {429}


IDS = ("person_id", "contact_id", "card_id", "kind_id", "message_id", "import_id", "group_id", "member_id", "token_id")


def test_wrong_tokens_are_counted_for_each_network_and_a_right_one_still_works(program: Program) -> None:
    wrong = replace(program, token="kigen_" + "a" * 64)
    assert statuses(wrong, WRONG) == [401] * WRONG

    answer = wrong.get("/kinds")

    assert (answer.status, answer.headers["retry-after"]) == (429, "10")
    assert replace(program, token="kigen_" + "b" * 64).get("/kinds").status == 429
    assert replace(program, token="a").get("/kinds").status == 429
    assert program.get("/kinds").status == 200
    elsewhere = replace(wrong, browser=replace(program.browser, machine="192.0.2.7"))
    assert elsewhere.get("/kinds").status == 401


def test_whoever_shows_no_token_is_counted_nowhere(village: Village, program: Program) -> None:
    nobody = replace(program, token=None)

    assert statuses(nobody, 50) == [401] * 50
    with village.app.database.reading() as tx:
        from sqlalchemy import text

        assert tx.execute(text("SELECT count(*) FROM request_rates")).scalar_one() == 0


def test_most_requests_write_nothing(village: Village, program: Program) -> None:
    rates = RequestRates()
    units, now = village.app.units, village.now
    for _ in range(MOST):
        rates.ask(units, now, "a", most=MOST)

    assert len(rates._held) == 1
    for name in range(30):
        rates.ask(units, now, f"{name}", most=MOST)
    assert len(rates._held) <= 31


def test_a_second_sheet_of_a_group_waits_for_the_first(village: Village, program: Program) -> None:
    with service.turn_to_read(village.app.units, village.now, group_id=1):
        answer = program.post("/imports", SHEET, {"content-type": "application/octet-stream"})
    again = program.post("/imports", SHEET, {"content-type": "application/octet-stream"})

    assert (answer.status, answer.json["code"], answer.headers["retry-after"]) == (429, "sheet_being_read", "10")
    assert again.status == 201


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"[" * 60_000, "nested without end"),
        (b'{"a":' * 10_000, "nested objects"),
        (b"{" + b",".join(b'"a%d":1' % number for number in range(5_000)) + b"}", "five thousand fields"),
        (b'{"label":"' + b"1-O" * 20_000 + b'"}', "a long text"),
        (b'{"label":"' + b"\\u0031" * 10_000 + b'"}', "a long text, escaped"),
        (b"[" + b"1," * 30_000 + b"1]", "thirty thousand numbers"),
        (b'{"rows":[' + b'"1",' * 12_000 + b"1]}", "twelve thousand wrong numbers"),
        (b"1" * 60_000, "one number without end"),
        (b"\xff" * 1000, "no text"),
    ],
)
def test_a_body_without_measure_is_malformed_everywhere(sqlite_url: str, tmp_path: Path, body: bytes, why: str) -> None:
    with open_village(sqlite_url, tmp_path, "2026-12-01 08:00", api_requests_per_minute=10_000) as village:
        village.group(GroupKind.HOME, "さくら苑")
        village.member("娘", "musume@example.jp")
        program = Program(visitor(village, local_pages=False), token_of(village, 1))
        taking = [one for one in described() if isinstance(one.example, dict)]

        answers = {one.id: program.ask(one.method, one.at(**dict.fromkeys(IDS, 1)), body) for one in taking}

        assert {name: answer.status for name, answer in answers.items()} == dict.fromkeys(answers, 422), why
        assert max(len(answer.body) for answer in answers.values()) < 8_000


def test_the_document_names_the_limit_and_its_headers() -> None:
    shown = document.made_of(router.routes)

    for path, methods in shown["paths"].items():
        for method, operation in methods.items():
            refused = operation["responses"]["429"]
            assert {"Retry-After", "RateLimit-Limit", "RateLimit-Remaining"} <= set(refused["headers"]), (path, method)
