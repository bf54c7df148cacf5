"""What a program was answered: the same request under one key is answered once."""

import pytest

from reminder.storage.auth import idempotency
from reminder.storage.auth.idempotency import IdempotentRequest
from tests.storage.conftest import HOUR, NOW, Rows


@pytest.fixture
def one(rows: Rows) -> IdempotentRequest:
    group = rows.group()
    return idempotency.request_of(rows.keys, rows.token(rows.member(group), group), "key", b"POST /people")


def test_an_answer_is_kept_for_the_request_that_began_it(rows: Rows, one: IdempotentRequest) -> None:
    assert idempotency.find(rows.tx, rows.keys, one) is None
    assert idempotency.begin(rows.tx, one, NOW)
    assert not idempotency.begin(rows.tx, one, NOW)

    begun = idempotency.find(rows.tx, rows.keys, one)
    assert begun is not None
    assert (begun.is_same, begun.status, begun.body) == (True, None, None)
    assert not idempotency.keep(rows.tx, rows.keys, one, NOW + HOUR, status=201, body="{}")
    assert idempotency.keep(rows.tx, rows.keys, one, NOW, status=201, body="{}")

    kept = idempotency.find(rows.tx, rows.keys, one)
    assert kept is not None
    assert (kept.status, kept.body, kept.created_at) == (201, "{}", NOW)


def test_another_request_under_the_same_key_is_told_apart(rows: Rows, one: IdempotentRequest) -> None:
    idempotency.begin(rows.tx, one, NOW)

    other = idempotency.request_of(rows.keys, one.token_id, "key", b"POST /cards")

    found = idempotency.find(rows.tx, rows.keys, other)
    assert found is not None
    assert not found.is_same


def test_what_nobody_is_answering_any_more_is_begun_again_by_one(rows: Rows, one: IdempotentRequest) -> None:
    idempotency.begin(rows.tx, one, NOW)
    begun = idempotency.find(rows.tx, rows.keys, one)
    assert begun is not None

    assert idempotency.begin_again(rows.tx, begun, one, NOW + HOUR)
    assert not idempotency.begin_again(rows.tx, begun, one, NOW + HOUR)
    idempotency.give_up(rows.tx, one, NOW)
    assert idempotency.find(rows.tx, rows.keys, one) is not None, "given up by who began earlier"
    idempotency.give_up(rows.tx, one, NOW + HOUR)
    assert idempotency.find(rows.tx, rows.keys, one) is None
