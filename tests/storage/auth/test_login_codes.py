"""Codes to sign in with: what is counted for whom, which codes an e-mail has brought, and how often one is tried."""

from datetime import datetime

from reminder.storage.auth import login_codes
from reminder.storage.auth.login_codes import CodeAttempt, MailedCode
from tests.storage.conftest import DAY, HOUR, NOW, Rows

HANA = "hana@example.jp"


def ask(
    rows: Rows,
    address: str = HANA,
    network: str = "192.0.2.0/24",
    browser: bytes = b"browser",
    now: datetime = NOW,
    **more: object,
) -> int:
    return login_codes.add(
        rows.tx,
        rows.keys,
        address=address,
        network=network,
        browser_hash=browser,
        now=now,
        expires_at=now + HOUR,
        **more,  # type: ignore[arg-type]
    )


def test_a_code_is_tried_in_its_browser_until_its_tries_or_its_time_are_over(rows: Rows) -> None:
    asked = ask(rows)
    login_codes.set_code(rows.tx, asked, b"code")

    assert login_codes.try_code(rows.tx, rows.keys, b"other", 2, NOW) is None
    assert login_codes.try_code(rows.tx, rows.keys, b"browser", 2, NOW + HOUR) is None
    assert login_codes.try_code(rows.tx, rows.keys, b"browser", 2, NOW) == CodeAttempt(asked, HANA, b"code", 1)
    second = login_codes.try_code(rows.tx, rows.keys, b"browser", 2, NOW)
    assert second is not None
    assert second.tries == 2
    assert login_codes.try_code(rows.tx, rows.keys, b"browser", 2, NOW) is None


def test_the_latest_request_of_a_browser_is_looked_at_without_counting_a_try(rows: Rows) -> None:
    asked = ask(rows, is_mailed=False, is_known=True)

    looked = [login_codes.latest(rows.tx, rows.keys, b"browser", NOW) for _ in range(9)]

    assert looked == [CodeAttempt(asked, HANA, b"", 0, is_mailed=False, is_known=True)] * 9
    assert login_codes.latest(rows.tx, rows.keys, b"other", NOW) is None
    assert login_codes.latest(rows.tx, rows.keys, b"browser", NOW + HOUR) is None
    login_codes.use(rows.tx, asked, NOW)
    assert login_codes.latest(rows.tx, rows.keys, b"browser", NOW) is None


def test_only_the_latest_code_of_a_browser_can_be_tried_and_only_once_used(rows: Rows) -> None:
    ask(rows)
    latest = ask(rows)

    tried = login_codes.try_code(rows.tx, rows.keys, b"browser", 9, NOW)
    assert tried is not None
    assert tried.id == latest
    login_codes.use(rows.tx, latest, NOW)
    assert login_codes.try_code(rows.tx, rows.keys, b"browser", 9, NOW) is None


def test_mails_are_counted_by_mailbox_for_strangers_and_by_address_for_known_browsers(rows: Rows) -> None:
    ask(rows)
    ask(rows, address="Hana+tag@Example.jp")
    ask(rows, address="taro@example.jp")
    ask(rows, is_mailed=False)
    ask(rows, is_known=True)
    ask(rows, session_id=1)

    assert login_codes.mailed_by_strangers(rows.tx, rows.keys, HANA, NOW) == 2
    assert login_codes.mailed_by_known(rows.tx, rows.keys, "HANA@example.jp", NOW) == 1
    assert login_codes.mailed_by_known(rows.tx, rows.keys, "hana+tag@example.jp", NOW) == 0
    assert login_codes.mailed_by_strangers(rows.tx, rows.keys, HANA, NOW + DAY) == 0


def test_requests_are_counted_by_network_by_browser_and_by_session(rows: Rows) -> None:
    ask(rows, session_id=7)
    ask(rows, address="taro@example.jp", is_mailed=False)
    ask(rows, network="198.51.100.0/24", browser=b"other")

    assert login_codes.asked_by_network(rows.tx, rows.keys, "192.0.2.0/24", NOW) == 2
    assert login_codes.asked_by_network(rows.tx, rows.keys, "192.0.2.0/24", NOW + DAY) == 0
    assert login_codes.asked_by_browser(rows.tx, rows.keys, b"browser", HANA.upper(), NOW) == 1
    assert login_codes.asked_by_browser(rows.tx, rows.keys, b"browser", HANA, NOW + DAY) == 0
    assert login_codes.asked_by_session(rows.tx, 7, NOW) == 1
    assert login_codes.asked_by_session(rows.tx, 8, NOW) == 0


def test_tries_are_added_up_over_the_browsers_that_are_not_known(rows: Rows) -> None:
    ask(rows)
    ask(rows, browser=b"second", is_mailed=False)
    ask(rows, browser=b"known", is_known=True)
    assert login_codes.tries_by_strangers(rows.tx, rows.keys, HANA, NOW) == 0

    for browser in (b"browser", b"browser", b"second", b"known"):
        login_codes.try_code(rows.tx, rows.keys, browser, 9, NOW)

    assert login_codes.tries_by_strangers(rows.tx, rows.keys, HANA, NOW) == 3
    assert login_codes.tries_by_strangers(rows.tx, rows.keys, HANA, NOW + DAY) == 0


def test_the_codes_of_the_mails_to_an_address_are_found_the_latest_first(rows: Rows) -> None:
    first, used, latest = ask(rows), ask(rows), ask(rows)
    login_codes.set_code(rows.tx, latest, b"code", b"long")
    login_codes.use(rows.tx, used, NOW)
    ask(rows, is_mailed=False)
    ask(rows, session_id=1)
    ask(rows, address="hana+tag@example.jp")

    assert login_codes.mailed_codes(rows.tx, rows.keys, HANA, NOW) == [
        MailedCode(latest, b"code", b"long"),
        MailedCode(first, b"", None),
    ]
    assert login_codes.mailed_codes(rows.tx, rows.keys, HANA, NOW + DAY) == []


def test_older_codes_to_an_address_are_worth_nothing_once_somebody_is_in(rows: Rows) -> None:
    first, second, used = ask(rows), ask(rows), ask(rows)
    ask(rows, address="taro@example.jp", browser=b"other")
    login_codes.use(rows.tx, used, NOW)

    assert list(login_codes.end_other_codes(rows.tx, rows.keys, HANA, NOW)) == [first, second]

    assert login_codes.try_code(rows.tx, rows.keys, b"browser", 9, NOW) is None
    assert login_codes.try_code(rows.tx, rows.keys, b"other", 9, NOW) is not None
