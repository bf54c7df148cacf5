"""What a program was answered: the same request under one key is answered once."""

import pytest

from reminder.storage import kept_answers
from reminder.storage.kept_answers import Asked
from tests.storage.conftest import HOUR, NOW, Rows


@pytest.fixture
def one(rows: Rows) -> Asked:
    group = rows.group()
    return kept_answers.asked(rows.keys, rows.token(rows.member(group), group), "key", b"POST /people")


def test_an_answer_is_kept_for_the_request_that_began_it(rows: Rows, one: Asked) -> None:
    assert kept_answers.find(rows.tx, rows.keys, one) is None
    assert kept_answers.begin(rows.tx, one, NOW)
    assert not kept_answers.begin(rows.tx, one, NOW)

    begun = kept_answers.find(rows.tx, rows.keys, one)
    assert begun is not None
    assert (begun.is_same, begun.status, begun.body) == (True, None, None)
    assert not kept_answers.keep(rows.tx, rows.keys, one, NOW + HOUR, status=201, body="{}")
    assert kept_answers.keep(rows.tx, rows.keys, one, NOW, status=201, body="{}")

    kept = kept_answers.find(rows.tx, rows.keys, one)
    assert kept is not None
    assert (kept.status, kept.body, kept.created_at) == (201, "{}", NOW)


def test_another_request_under_the_same_key_is_told_apart(rows: Rows, one: Asked) -> None:
    kept_answers.begin(rows.tx, one, NOW)

    other = kept_answers.asked(rows.keys, one.token_id, "key", b"POST /cards")

    found = kept_answers.find(rows.tx, rows.keys, other)
    assert found is not None
    assert not found.is_same


def test_what_nobody_is_answering_any_more_is_begun_again_by_one(rows: Rows, one: Asked) -> None:
    kept_answers.begin(rows.tx, one, NOW)
    begun = kept_answers.find(rows.tx, rows.keys, one)
    assert begun is not None

    assert kept_answers.begin_again(rows.tx, begun, one, NOW + HOUR)
    assert not kept_answers.begin_again(rows.tx, begun, one, NOW + HOUR)
    kept_answers.give_up(rows.tx, one, NOW)
    assert kept_answers.find(rows.tx, rows.keys, one) is not None, "given up by who began earlier"
    kept_answers.give_up(rows.tx, one, NOW + HOUR)
    assert kept_answers.find(rows.tx, rows.keys, one) is None
