"""Fresh proofs: before what is grave, somebody who is signed in shows once more that the account is theirs.

A code by e-mail or a passkey counts in its session for a few minutes. What they were about to do is kept meanwhile in
the session, sealed, and goes on afterwards. Codes are counted for each session, so that nobody can use up those of
another browser; who can use nobody's codes any more signs out and in again.
"""

import hmac
import json
import re
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from reminder.clock import random_bytes, random_code
from reminder.enrolment.identity import sign_in
from reminder.enrolment.identity.sign_in import (
    BETWEEN_CODES,
    CODE_LASTS,
    MOST_A_DAY,
    MOST_AN_HOUR,
    MOST_TRIES,
    code_draft,
    code_hash,
)
from reminder.errors import ConflictError, NotFoundError, RefusedInputError
from reminder.storage.auth import accounts, login_codes, passkeys, sessions
from reminder.storage.auth.accounts import AccountView
from reminder.storage.auth.sessions import SignedIn
from reminder.storage.crypto.keyring import KeyRing, letters, token_hash
from reminder.storage.db.locks import lock
from reminder.storage.db.unit_of_work import UnitOfWork, UnitsOfWork
from reminder.storage.outbox import queue
from reminder.storage.runtime import mail_trials

# A proof this old still counts.
PROVED_WITHIN = timedelta(minutes=10)
# What waits for a proof is kept this long: somebody has to find the e-mail.
HELD_FOR = timedelta(hours=1)
_LIMITS = ((BETWEEN_CODES, 1, "code_just_sent"), (timedelta(hours=1), MOST_AN_HOUR, "too_many_codes"))
_LIMIT_OF_A_DAY = (timedelta(days=1), MOST_A_DAY, "too_many_codes")


@dataclass(frozen=True)
class HeldForm:
    """A form that waits for a fresh proof. `path`: where it goes; `back`: where they come from; `mark`: names it."""

    path: str
    asks: str
    fields: Sequence[tuple[str, str]]
    back: str
    mark: str


def is_proved(signed_in: SignedIn, now: datetime) -> bool:
    """Return whether the owner of the session has just shown that it is theirs."""
    return signed_in.proved_at is not None and now - signed_in.proved_at <= PROVED_WITHIN


def hold(
    uow: UnitOfWork, signed_in: SignedIn, *, path: str, asks: str, fields: Sequence[tuple[str, str]], back: str
) -> None:
    """Keep a form until its sender has shown who they are; it replaces one that waited before."""
    text = json.dumps([path, asks, fields, back, letters(random_bytes(8))])
    sessions.hold(uow.tx, uow.keys, signed_in.session_id, text, uow.now)


def held(uow: UnitOfWork, signed_in: SignedIn) -> HeldForm | None:
    """Return the form that waits in this session, None where none does."""
    text = sessions.held(uow.tx, uow.keys, signed_in.session_id, uow.now - HELD_FOR)
    if text is None:
        return None
    path, asks, fields, back, mark = json.loads(text)
    return HeldForm(path, asks, [(name, value) for name, value in fields], back, mark)


def take(uow: UnitOfWork, signed_in: SignedIn, *, path: str, mark: str) -> HeldForm:
    """Take the form out of the session, to go on with it. Raises ConflictError where it does not wait any more."""
    waiting = held(uow, signed_in)
    if waiting is None or waiting.path != path or not hmac.compare_digest(waiting.mark.encode(), mark.encode()):
        raise ConflictError("confirm_lost")
    if not sessions.release(uow.tx, signed_in.session_id):
        raise ConflictError("confirm_lost")
    return waiting


def send_code(uow: UnitOfWork, signed_in: SignedIn, *, network: str) -> None:
    """Send a code to the account's own address; it works in this session alone.

    Raises ConflictError (code_just_sent, too_many_codes), only because of requests in this very session.
    """
    account = _account(uow, signed_in)
    _lock(uow, signed_in)
    for within, most, code in (*_LIMITS, _LIMIT_OF_A_DAY):
        if login_codes.asked_by_session(uow.tx, signed_in.session_id, uow.now - within) >= most:
            raise ConflictError(code, field="code")
    mail_trials.want(uow.tx, uow.now)
    asked = login_codes.add(
        uow.tx,
        uow.keys,
        address=account.address,
        network=network,
        browser_hash=_browser(uow.keys, signed_in),
        now=uow.now,
        expires_at=uow.now + CODE_LASTS,
        is_known=True,
        session_id=signed_in.session_id,
    )
    digits = random_code()
    login_codes.set_code(uow.tx, asked, code_hash(uow.keys, asked, account.address, digits))
    said = uow.rules.composer.confirm_code(account.language, digits)
    draft = code_draft(asked, account.address, account.language, said.subject, said.text, uow.now)
    queue.add(uow.tx, uow.keys, [draft], uow.now)


def send_code_if_allowed(uow: UnitOfWork, signed_in: SignedIn, *, network: str) -> None:
    """Send a code, unless the session has had as many as it may."""
    with suppress(ConflictError):
        send_code(uow, signed_in, network=network)


def has_passkey(uow: UnitOfWork, signed_in: SignedIn) -> bool:
    """Return whether the account has a passkey, which can prove it too."""
    return bool(passkeys.of_account(uow.tx, signed_in.account_id))


def has_code(uow: UnitOfWork, signed_in: SignedIn) -> bool:
    """Return whether a code that was sent for this session can still be entered."""
    return login_codes.latest(uow.tx, uow.keys, _browser(uow.keys, signed_in), uow.now) is not None


def enter_code(units: UnitsOfWork, now: datetime, signed_in: SignedIn, typed: str) -> None:
    """Prove the session with the code. A wrong one counts as a try, so this opens its own unit of work.

    Raises RefusedInputError: code_wrong (with the tries `left`), or code_over if a new one must be asked for.
    """
    digits, left = re.sub("[^0-9]", "", unicodedata.normalize("NFKC", typed[:100])), 0
    with units.writing(now) as uow:
        _lock(uow, signed_in)
        account = _account(uow, signed_in)
        tried = login_codes.try_code(uow.tx, uow.keys, _browser(uow.keys, signed_in), MOST_TRIES, now)
        if tried is not None and tried.address == account.address:
            if hmac.compare_digest(code_hash(uow.keys, tried.id, tried.address, digits), tried.code_hash):
                login_codes.use(uow.tx, tried.id, now)
                _prove(uow, signed_in)
                return
            left = MOST_TRIES - tried.tries
    raise RefusedInputError("code_wrong" if left else "code_over", field="code", left=left)


def enter_passkey(uow: UnitOfWork, signed_in: SignedIn, *, passkey_id: int, account_id: int, sign_count: int) -> None:
    """Prove the session after a passkey's signature was verified. Raises ConflictError for another account's."""
    if account_id != signed_in.account_id:
        raise ConflictError("passkey_unknown")
    passkeys.used(uow.tx, passkey_id, sign_count, uow.now)
    _prove(uow, signed_in)


def _prove(uow: UnitOfWork, signed_in: SignedIn) -> None:
    sessions.record_proof(uow.tx, signed_in.session_id, uow.now)
    sign_in.log(uow, signed_in.account_id, "confirmed")


def _account(uow: UnitOfWork, signed_in: SignedIn) -> AccountView:
    account = accounts.find(uow.tx, uow.keys, signed_in.account_id)
    if account is None:
        raise NotFoundError(field="member")
    return account


def _lock(uow: UnitOfWork, signed_in: SignedIn) -> None:
    lock(uow.tx, f"codes of session {signed_in.session_id}")


def _browser(keys: KeyRing, signed_in: SignedIn) -> bytes:
    """Return what stands for the browser of this session; no cookie has this hash, so nobody signs in with its codes.

    It lasts as long as the newest key, which is longer than a code.
    """
    return token_hash(keys.sign(f"session {signed_in.session_id}", "confirm"))
