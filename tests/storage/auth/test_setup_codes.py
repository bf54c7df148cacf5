"""The code of an installation that nobody owns yet: tried a few times, used once, and replaced by the next."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from reminder.storage.auth import setup_codes
from reminder.storage.auth.setup_codes import TriedCode
from reminder.storage.db.session import Database
from tests.storage.conftest import DAY, HOUR, NOW, Rows


def made(rows: Rows) -> int:
    code = setup_codes.replace(rows.tx, now=NOW, expires_at=NOW + DAY)
    setup_codes.set_code(rows.tx, code, b"hash")
    return code


@pytest.mark.parametrize("first", ["account", "group"])
def test_any_account_and_any_group_is_an_owner(rows: Rows, first: str) -> None:
    assert not setup_codes.is_claimed(rows.tx)

    getattr(rows, first)()

    assert setup_codes.is_claimed(rows.tx)


def test_a_code_is_tried_until_its_tries_or_its_time_are_over(rows: Rows) -> None:
    assert setup_codes.try_code(rows.tx, 2, NOW) is None
    code = made(rows)

    assert setup_codes.try_code(rows.tx, 2, NOW + DAY) is None
    assert setup_codes.try_code(rows.tx, 2, NOW) == TriedCode(code, b"hash", 1)
    assert setup_codes.try_code(rows.tx, 2, NOW) == TriedCode(code, b"hash", 2)
    assert setup_codes.try_code(rows.tx, 2, NOW) is None


def test_a_right_try_costs_none(rows: Rows) -> None:
    code = made(rows)

    for _ in range(5):
        assert setup_codes.try_code(rows.tx, 1, NOW) == TriedCode(code, b"hash", 1)
        setup_codes.accept(rows.tx, code, NOW)


def test_a_code_is_used_once_and_only_soon_after_it_was_typed_correctly(rows: Rows) -> None:
    code = made(rows)
    assert not setup_codes.use(rows.tx, accepted_since=NOW - HOUR, now=NOW)
    setup_codes.accept(rows.tx, code, NOW)

    assert not setup_codes.use(rows.tx, accepted_since=NOW + HOUR, now=NOW + 2 * HOUR)
    assert setup_codes.use(rows.tx, accepted_since=NOW, now=NOW)
    assert not setup_codes.use(rows.tx, accepted_since=NOW, now=NOW)
    assert setup_codes.try_code(rows.tx, 9, NOW) is None


def test_a_new_code_takes_the_place_of_the_one_before(rows: Rows) -> None:
    setup_codes.accept(rows.tx, made(rows), NOW)

    latest = made(rows)

    assert not setup_codes.use(rows.tx, accepted_since=NOW, now=NOW)
    tried = setup_codes.try_code(rows.tx, 9, NOW)
    assert tried is not None
    assert tried.id == latest


def test_of_several_who_use_it_at_once_one_gets_it(database: Database) -> None:
    with database.writing() as tx:
        code = setup_codes.replace(tx, now=NOW, expires_at=NOW + DAY)
        setup_codes.set_code(tx, code, b"hash")
        setup_codes.accept(tx, code, NOW)

    def use(_: int) -> bool:
        with database.writing() as tx:
            return setup_codes.use(tx, accepted_since=NOW, now=NOW)

    with ThreadPoolExecutor(4) as four:
        assert sorted(four.map(use, range(4))) == [False, False, False, True]
