"""Codes to sign in with: each works in the browser that asked for it, a few times."""

from reminder.storage.auth import login_codes
from reminder.storage.auth.login_codes import CodeAttempt
from tests.storage.conftest import DAY, HOUR, NOW, Rows

HANA = "hana@example.jp"


def ask(rows: Rows, address: str = HANA, network: str = "192.0.2.0/24", browser: bytes = b"browser") -> int:
    return login_codes.add(
        rows.tx, rows.keys, address=address, network=network, browser_hash=browser, now=NOW, expires_at=NOW + HOUR
    )


def test_a_code_is_tried_in_its_browser_until_its_tries_or_its_time_are_over(rows: Rows) -> None:
    asked = login_codes.add(
        rows.tx, rows.keys, address=HANA, network="n", browser_hash=b"browser", now=NOW, expires_at=NOW + HOUR
    )
    login_codes.set_code(rows.tx, asked, b"code")

    assert login_codes.try_code(rows.tx, rows.keys, b"other", 2, NOW) is None
    assert login_codes.try_code(rows.tx, rows.keys, b"browser", 2, NOW + HOUR) is None
    assert login_codes.try_code(rows.tx, rows.keys, b"browser", 2, NOW) == CodeAttempt(asked, HANA, b"code", 1)
    second = login_codes.try_code(rows.tx, rows.keys, b"browser", 2, NOW)
    assert second is not None
    assert second.tries == 2
    assert login_codes.try_code(rows.tx, rows.keys, b"browser", 2, NOW) is None


def test_only_the_latest_code_of_a_browser_can_be_tried_and_only_once_used(rows: Rows) -> None:
    ask(rows)
    latest = ask(rows)

    tried = login_codes.try_code(rows.tx, rows.keys, b"browser", 9, NOW)
    assert tried is not None
    assert tried.id == latest
    login_codes.use(rows.tx, latest, NOW)
    assert login_codes.try_code(rows.tx, rows.keys, b"browser", 9, NOW) is None


def test_how_often_was_asked_is_counted_by_address_and_by_network(rows: Rows) -> None:
    ask(rows)
    ask(rows, address="taro@example.jp")
    ask(rows, network="198.51.100.0/24")

    assert login_codes.asked_by_address(rows.tx, rows.keys, HANA, NOW) == 2
    assert login_codes.asked_by_network(rows.tx, rows.keys, "192.0.2.0/24", NOW) == 2
    assert login_codes.asked_by_network(rows.tx, rows.keys, "192.0.2.0/24", NOW + DAY) == 0


def test_older_codes_to_an_address_are_worth_nothing_once_somebody_is_in(rows: Rows) -> None:
    first, second, used = ask(rows), ask(rows), ask(rows)
    ask(rows, address="taro@example.jp", browser=b"other")
    login_codes.use(rows.tx, used, NOW)

    assert list(login_codes.end_other_codes(rows.tx, rows.keys, HANA, NOW)) == [first, second]

    assert login_codes.try_code(rows.tx, rows.keys, b"browser", 9, NOW) is None
    assert login_codes.try_code(rows.tx, rows.keys, b"other", 9, NOW) is not None
