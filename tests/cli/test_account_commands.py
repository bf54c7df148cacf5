"""The operator ends sessions: of one account, or of everybody."""

from datetime import timedelta

from reminder.domain.model.people import Language
from reminder.storage.auth import accounts, sessions
from reminder.wiring import build_app, read_settings
from tests.cli.terminal import Terminal


def signed_in(*addresses: str) -> None:
    """Each of them on one more device."""
    with build_app(read_settings()) as app, app.writing() as uow:
        for number, address in enumerate(addresses):
            account = accounts.at_address(uow.tx, uow.keys, address) or accounts.add(
                uow.tx, uow.keys, address=address, language=Language.JAPANESE, now=uow.now
            )
            accounts.link_members(uow.tx, uow.keys, account)
            sessions.add(
                uow.tx,
                uow.keys,
                account_id=account.id,
                member_id=None,
                token_hash=f"{address} {number}".encode(),
                device="Safari",
                now=uow.now,
                expires_at=uow.now + timedelta(days=1),
            )


def test_all_sessions_of_an_account_end_and_nobody_else_s(family: Terminal) -> None:
    signed_in("musume@example.jp", "musume@example.jp", "other@example.jp")

    assert family.answer("account", "end-sessions", "MUSUME@example.jp") == {"ended": 2}

    assert family.answer("account", "end-sessions", "musume@example.jp") == {"ended": 0}
    assert family.answer("account", "end-sessions", "other@example.jp") == {"ended": 1}
    assert any("devices_signed_out" in row for row in family.rows())


def test_the_sessions_of_everybody_end(family: Terminal) -> None:
    signed_in("musume@example.jp", "other@example.jp")

    assert family.answer("account", "end-sessions", "--everybody") == {"ended": 2}

    assert any("all_signed_out" in row for row in family.rows())


def test_whose_sessions_must_be_said_and_be_there(family: Terminal) -> None:
    assert family.refusal("account", "end-sessions")["error"] == "sessions_of_whom"
    assert family.refusal("account", "end-sessions", "a@example.jp", "--everybody")["error"] == "sessions_of_whom"
    assert family.refusal("account", "end-sessions", "a@example.jp")["error"] == "not_found"
    assert "error" in family.refusal("account", "end-sessions", "nobody")
