"""Browsers in which somebody is signed in."""

from datetime import datetime

from reminder.domain.model.people import Role
from reminder.storage.auth import accounts, sessions
from reminder.storage.auth.sessions import Device
from reminder.storage.db.tables import Session as SessionRow
from tests.storage.conftest import DAY, HOUR, NOW, Rows


def add(rows: Rows, account: int, secret: bytes, device: str = "Safari") -> int:
    return sessions.add(
        rows.tx,
        rows.keys,
        account_id=account,
        member_id=None,
        token_hash=secret,
        device=device,
        now=NOW,
        expires_at=NOW + DAY,
    )


def test_a_session_is_found_by_its_secret_and_acts_as_a_member_of_its_own_account(rows: Rows) -> None:
    account, group = rows.account(), rows.group()
    mine, theirs = rows.member(group, role=Role.EDITOR), rows.member(group)
    accounts.set_account(rows.tx, rows.keys, mine, account)
    session = sessions.add(
        rows.tx,
        rows.keys,
        account_id=account,
        member_id=None,
        token_hash=b"s",
        device="Safari",
        now=NOW,
        expires_at=NOW + DAY,
    )

    def found() -> sessions.SignedIn | None:
        return sessions.find(rows.tx, rows.keys, b"s", now=NOW, seen_since=NOW)

    signed_in = sessions.find(rows.tx, rows.keys, b"s", now=NOW, seen_since=NOW)
    assert signed_in is not None
    assert (signed_in.session_id, signed_in.account_id, signed_in.who) == (session, account, None)
    sessions.act_as(rows.tx, session, theirs)
    assert found() == signed_in, "a member of somebody else"
    sessions.act_as(rows.tx, session, mine)
    acting = found()
    assert acting is not None
    assert acting.who is not None
    assert (acting.who.group_id, acting.who.member_id, acting.who.role) == (group, mine, Role.EDITOR)


def test_a_session_that_is_over_unseen_for_long_or_unknown_is_not_found(rows: Rows) -> None:
    session = add(rows, rows.account(), b"s")

    assert sessions.find(rows.tx, rows.keys, b"other", now=NOW, seen_since=NOW) is None
    assert sessions.find(rows.tx, rows.keys, b"s", now=NOW + DAY, seen_since=NOW) is None
    assert sessions.find(rows.tx, rows.keys, b"s", now=NOW + HOUR, seen_since=NOW + HOUR) is None
    sessions.seen(rows.tx, session, NOW + HOUR)
    assert sessions.find(rows.tx, rows.keys, b"s", now=NOW + HOUR, seen_since=NOW + HOUR) is not None


def test_the_devices_of_an_account_are_ended_one_by_one_or_all_but_one(rows: Rows) -> None:
    account, other = rows.account(), rows.account("taro@example.jp")
    first, second, third = (add(rows, account, name.encode(), name) for name in "abc")
    sessions.seen(rows.tx, first, NOW + HOUR)

    def devices() -> list[int]:
        return [one.session_id for one in sessions.devices(rows.tx, account, now=NOW, seen_since=NOW)]

    assert devices() == [first, third, second]
    assert sessions.devices(rows.tx, account, now=NOW, seen_since=NOW)[0] == Device(first, "a", NOW, NOW + HOUR)
    assert not sessions.revoke(rows.tx, other, first, NOW)
    assert sessions.revoke(rows.tx, account, first, NOW)
    assert not sessions.revoke(rows.tx, account, first, NOW)
    assert devices() == [third, second]
    sessions.revoke_others(rows.tx, account, second, NOW)
    assert devices() == [second]


def test_a_browser_is_known_to_the_accounts_that_were_signed_in_to_there(rows: Rows) -> None:
    account, other = rows.account(), rows.account("taro@example.jp")
    lost = _in_browser(rows, account, b"1", b"laptop")
    _in_browser(rows, account, b"2", b"laptop")
    mine = _in_browser(rows, account, b"3", b"phone")

    def knows() -> list[bool]:
        return [sessions.knows(rows.tx, account, one) for one in (b"laptop", b"phone", b"new")]

    assert knows() == [True, True, False]
    assert not sessions.knows(rows.tx, other, b"laptop")
    assert [sessions.is_seen_before(rows.tx, one) for one in (b"laptop", b"new")] == [True, False]
    assert sessions.revoke(rows.tx, account, mine, NOW)
    assert knows() == [True, True, False], "who signs out comes back"
    assert sessions.revoke(rows.tx, account, lost, NOW, forgets=True)
    assert knows() == [False, True, False], "whom another device signed out does not"
    assert sessions.revoke_others(rows.tx, account, None, NOW) == 1
    assert knows() == [False, False, False]


def _in_browser(rows: Rows, account: int, token: bytes, browser: bytes) -> int:
    return sessions.add(
        rows.tx,
        rows.keys,
        account_id=account,
        member_id=None,
        token_hash=token,
        browser_hash=browser,
        device="",
        now=NOW,
        expires_at=NOW + DAY,
    )


def test_a_session_says_when_its_owner_was_last_proved(rows: Rows) -> None:
    session = add(rows, rows.account(), b"s")

    def proved() -> datetime | None:
        found = sessions.find(rows.tx, rows.keys, b"s", now=NOW, seen_since=NOW)
        assert found is not None
        return found.proved_at

    assert proved() == NOW
    sessions.record_proof(rows.tx, session, NOW + HOUR)
    assert proved() == NOW + HOUR


def test_what_was_about_to_be_done_is_held_sealed_until_it_is_released_or_replaced(rows: Rows) -> None:
    account = rows.account()
    session, other = add(rows, account, b"s"), add(rows, account, b"t")

    sessions.hold(rows.tx, rows.keys, session, "first", NOW)
    sessions.hold(rows.tx, rows.keys, session, "second", NOW + HOUR)

    assert sessions.held(rows.tx, rows.keys, session, NOW) == "second"
    assert sessions.held(rows.tx, rows.keys, session, NOW + HOUR + HOUR) is None, "too old"
    assert sessions.held(rows.tx, rows.keys, other, NOW) is None
    assert not sessions.release(rows.tx, other)
    assert sessions.release(rows.tx, session)
    assert not sessions.release(rows.tx, session), "only one request goes on with it"
    assert sessions.held(rows.tx, rows.keys, session, NOW) is None


def test_an_ended_session_holds_nothing(rows: Rows) -> None:
    account = rows.account()
    one, another, mine = add(rows, account, b"s"), add(rows, account, b"t"), add(rows, account, b"u")
    for session in (one, another, mine):
        sessions.hold(rows.tx, rows.keys, session, "what", NOW)

    sessions.revoke(rows.tx, account, one, NOW)
    sessions.revoke_others(rows.tx, account, mine, NOW)

    held = [sessions.held(rows.tx, rows.keys, session, NOW) for session in (one, another, mine)]
    assert held == [None, None, "what"]


def test_all_sessions_of_everybody_are_revoked_and_their_browsers_forgotten(rows: Rows) -> None:
    one, other = rows.account(), rows.account("b@example.jp")
    add(rows, one, b"s")
    add(rows, other, b"t")
    rows.change(SessionRow, 1, browser_hash=b"known")

    assert sessions.revoke_all(rows.tx, NOW) == 2

    assert sessions.revoke_all(rows.tx, NOW) == 0
    assert sessions.devices(rows.tx, one, now=NOW, seen_since=NOW) == []
    assert not sessions.is_seen_before(rows.tx, b"known")
