"""A request sent again under the same Idempotency-Key does nothing and is answered the same, through crashes too."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from reminder.storage.auth import idempotency
from reminder.storage.db.session import Database
from tests.village import Village
from tests.web.asking import Answer
from tests.web.calling import API, Program, program, token_of

MOTHER, FATHER = {"label": "母"}, {"label": "父"}
KEY = {"idempotency-key": "enrol-1"}


@pytest.fixture
def sheet(village: Village) -> Program:
    return program(village, token_of(village, village.member("娘", "musume@example.jp")))


def people(program: Program) -> list[str]:
    return [one["label"] for one in program.get("/people").json["items"]]


def same(one: Answer, other: Answer) -> bool:
    return (one.status, one.headers["content-type"], one.body) == (
        other.status,
        other.headers["content-type"],
        other.body,
    )


def test_the_same_request_is_done_once_and_answered_the_same(sheet: Program) -> None:
    first = sheet.post("/people", MOTHER, KEY)
    again = sheet.post("/people", MOTHER, KEY)

    assert (first.status, first.json["id"]) == (201, 1)
    assert same(again, first)
    assert people(sheet) == ["母"]


def test_what_is_answered_is_the_same_as_without_a_key(sheet: Program) -> None:
    with_key, without = sheet.post("/people", MOTHER, KEY), sheet.post("/people", MOTHER)

    assert with_key.json == {**without.json, "id": 1}
    counted = {name: value for name, value in with_key.headers.items() if name.startswith(("ratelimit", "content-l"))}
    assert with_key.headers == {**without.headers, **counted}


def test_a_refusal_is_kept_too(sheet: Program) -> None:
    sheet.post("/people", MOTHER)
    card = {"kind": "mynumber_card", "expires": "2010-01-01"}

    first = sheet.post("/people/1/cards", card, KEY)
    again = sheet.post("/people/1/cards", card, KEY)

    assert (first.status, first.json["code"]) == (422, "date_past")
    assert same(again, first)
    assert sheet.post("/people/1/cards", {**card, "confirmed": True}, {"idempotency-key": "enrol-2"}).status == 201


def test_another_request_under_the_same_key_is_refused(sheet: Program) -> None:
    sheet.post("/people", MOTHER, KEY)

    for path, given in (("/people", FATHER), ("/plans", MOTHER), ("/people", b'{"label":  "\xe6\xaf\x8d"}')):
        answer = sheet.post(path, given, KEY)

        expected = "request_malformed" if path == "/plans" else "idempotency_key_reused"
        assert (answer.status, answer.json["code"]) == (422, expected)
    assert people(sheet) == ["母"]


def test_a_key_is_only_its_own_tokens(village: Village, sheet: Program) -> None:
    other = program(village, token_of(village, 1))
    sheet.post("/people", MOTHER, KEY)

    assert other.post("/people", FATHER, KEY).status == 201

    assert people(sheet) == ["母", "父"]


def test_a_key_may_be_used_for_something_else_a_day_later(village: Village, sheet: Program) -> None:
    sheet.post("/people", MOTHER, KEY)
    village.clock.move_to(village.now + timedelta(hours=24) - timedelta(seconds=1))
    assert sheet.post("/people", FATHER, KEY).status == 422

    village.clock.move_to(village.now + timedelta(seconds=1))

    assert sheet.post("/people", FATHER, KEY).status == 201


@pytest.mark.parametrize("key", ["", "\u00e9", "a\tb", "x" * 201])
def test_a_key_that_is_no_plain_word_is_refused(sheet: Program, key: str) -> None:
    answer = sheet.post("/people", MOTHER, {"idempotency-key": key})

    assert (answer.status, answer.json["field"]) == (422, "Idempotency-Key")
    assert people(sheet) == []


def test_nothing_readable_is_kept_of_a_key_a_request_or_an_answer(village: Village, sheet: Program) -> None:
    sheet.post("/people", MOTHER, KEY)

    [(key, asked, body)] = rows(village, "SELECT key_hash, request_hash, body_sealed FROM idempotency_keys")

    assert b"enrol-1" not in key + asked
    assert "母".encode() not in asked + body


# Crashes, and others who are faster.


def rows(village: Village, query: str) -> list[tuple[bytes, ...]]:
    with village.app.database.engine.connect() as connection:
        return [tuple(bytes(value) for value in row) for row in connection.exec_driver_sql(query)]


def left_behind(village: Village) -> None:
    """What a process leaves that was killed while it answered the mother's request under the key."""
    said = b"\n".join((b"POST", f"{API}/people".encode(), b'{"label": "\\u6bcd"}'))
    asked = idempotency.request_of(village.app.keys, 1, KEY["idempotency-key"], said)
    with village.app.database.writing() as tx:
        assert idempotency.begin(tx, asked, village.now)


def test_while_it_is_being_answered_the_same_request_waits(village: Village, sheet: Program) -> None:
    left_behind(village)
    village.clock.move_to(village.now + timedelta(seconds=59))

    answer = sheet.post("/people", MOTHER, KEY)

    assert (answer.status, answer.json["code"]) == (409, "being_answered")
    assert people(sheet) == []


def test_after_a_crash_the_same_request_is_answered_a_minute_later(village: Village, sheet: Program) -> None:
    left_behind(village)
    village.clock.move_to(village.now + timedelta(minutes=1))

    answers = [sheet.post("/people", MOTHER, KEY) for _ in range(2)]

    assert [answer.status for answer in answers] == [201, 201]
    assert same(*answers)
    assert people(sheet) == ["母"]


def test_after_a_crash_another_request_still_does_not_get_its_key(village: Village, sheet: Program) -> None:
    left_behind(village)
    village.clock.move_to(village.now + timedelta(minutes=1))

    assert sheet.post("/people", FATHER, KEY).json["code"] == "idempotency_key_reused"


@contextmanager
def answers_cannot_be_kept(database: Database) -> Iterator[None]:
    """As if the process were killed between what it does and the keeping of its answer."""
    make, drop = (
        (
            "CREATE TRIGGER killed BEFORE UPDATE ON idempotency_keys BEGIN SELECT RAISE(ABORT, 'killed'); END",
            "DROP TRIGGER killed",
        )
        if database.is_sqlite
        else (
            "CREATE FUNCTION killed() RETURNS trigger AS 'BEGIN RAISE EXCEPTION ''killed''; END' LANGUAGE plpgsql;"
            "CREATE TRIGGER killed BEFORE UPDATE ON idempotency_keys EXECUTE FUNCTION killed()",
            "DROP TRIGGER killed ON idempotency_keys",
        )
    )
    with database.engine.begin() as connection:
        connection.exec_driver_sql(make)
    yield
    with database.engine.begin() as connection:
        connection.exec_driver_sql(drop)


@pytest.mark.parametrize(
    ("path", "given"),
    [
        ("/people", FATHER),
        ("/people/1/contacts", {"channel": "sms", "address": "090-0000-0001"}),
        ("/people/1/cards", {"kind": "mynumber_card", "expires": "2031-03-31"}),
        ("/contacts/1/stop", None),
    ],
)
def test_what_is_done_is_kept_with_its_answer_or_not_at_all(
    village: Village, sheet: Program, path: str, given: object
) -> None:
    sheet.post("/people", MOTHER)
    before = entries(sheet)
    with answers_cannot_be_kept(village.app.database):
        broken = sheet.post(path, given, KEY)
    done_meanwhile = entries(sheet)

    answers = [sheet.post(path, given, KEY) for _ in range(2)]

    assert broken.status == 500
    assert done_meanwhile == before
    assert answers[0].status in (200, 201)
    assert same(*answers)
    assert len(entries(sheet)) == len(before) + 1


def entries(program: Program) -> list[str]:
    return [one["act"] for one in program.get("/activity").json["items"]]


def test_of_the_same_request_many_times_at_once_one_is_done(village: Village, sheet: Program) -> None:
    together, answers = threading.Barrier(4), list[Answer]()

    def send() -> None:
        together.wait()
        answers.append(sheet.post("/people", MOTHER, KEY))

    run_all([send] * 4)

    done = [answer for answer in answers if answer.status == 201]
    assert done
    assert {answer.status for answer in answers} <= {201, 409}
    assert len({answer.body for answer in done}) == 1
    assert people(sheet) == ["母"]


def test_of_several_who_take_over_after_a_crash_one_does_it(village: Village, sheet: Program) -> None:
    left_behind(village)
    village.clock.move_to(village.now + timedelta(minutes=1))
    together = threading.Barrier(3)

    def send() -> None:
        together.wait()
        sheet.post("/people", MOTHER, KEY)

    run_all([send] * 3)

    assert people(sheet) == ["母"]


def run_all(several: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=one) for one in several]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_who_was_slow_and_was_taken_over_from_keeps_nothing(village: Village, sheet: Program) -> None:
    """The one who took over has begun later than the one who is still busy."""
    left_behind(village)
    began = village.now
    said = idempotency.request_of(village.app.keys, 1, KEY["idempotency-key"], b"whatever it was")
    village.clock.move_to(village.now + timedelta(minutes=1))
    assert sheet.post("/people", MOTHER, KEY).status == 201

    with village.app.database.writing() as tx:
        kept = idempotency.keep(tx, village.app.keys, said, began, status=201, body="{}")

    assert not kept
