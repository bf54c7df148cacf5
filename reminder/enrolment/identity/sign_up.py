"""Sign-up: who may begin. By default the first owner, by a code from the operator's terminal, and then who is invited.

The code works once, for a day, and for a bounded number of wrong tries. `reminder serve` shows it while the
installation has no owner; `reminder setup-code` makes a new one.
"""

import unicodedata
from datetime import datetime, timedelta
from enum import StrEnum

from reminder.clock import random_bytes
from reminder.domain.model.people import Language
from reminder.errors import ConflictError, RefusedInputError
from reminder.storage.auth import accounts, setup_codes
from reminder.storage.auth.accounts import AccountView
from reminder.storage.crypto.keyring import KeyRing
from reminder.storage.db.unit_of_work import UnitOfWork, UnitsOfWork
from reminder.storage.runtime import activity_log, service_state

SETUP_CODE_LASTS = timedelta(hours=24)
# Twelve letters of twenty have 51 bits: twenty guesses are of no use.
MOST_WRONG_TRIES = 20
# No vowels, so that no word appears, and nothing that looks like a digit.
_ALPHABET, _LETTERS, _BLOCK = "bcdfghjkmnpqrstvwxyz", 12, 4
# From the setup code to the end of the sign-in that it begins: longer than a login code lasts.
_SIGN_IN_WITHIN = timedelta(minutes=15)
# The fact, in the service's state, which account is that of the first owner.
_FIRST_OWNER = "first_owner"


class SignUp(StrEnum):
    """Who may begin to use the service. The values of the setting SIGN_UP."""

    FIRST = "first"
    INVITED = "invited"
    OPEN = "open"


def new_setup_code(uow: UnitOfWork, rule: SignUp) -> str:
    """Return a new setup code, in place of any earlier one.

    Raises ConflictError where the installation has an owner already, or where the setting asks for no code.
    """
    if rule is not SignUp.FIRST:
        raise ConflictError("setup_code_not_used")
    if setup_codes.is_claimed(uow.tx):
        raise ConflictError("setup_done")
    # The remainders of 128 bits are even enough.
    number, letters = int.from_bytes(random_bytes(16)), ""
    for _ in range(_LETTERS):
        number, place = divmod(number, len(_ALPHABET))
        letters += _ALPHABET[place]
    code_id = setup_codes.replace(uow.tx, now=uow.now, expires_at=uow.now + SETUP_CODE_LASTS)
    setup_codes.set_code(uow.tx, code_id, uow.keys.sign(_signed(code_id, letters), "setup_code").encode())
    activity_log.write(uow.tx, "setup_code_made", uow.now)
    return "-".join(letters[at : at + _BLOCK] for at in range(0, _LETTERS, _BLOCK))


def needs_setup_code(uow: UnitOfWork, rule: SignUp) -> bool:
    """Return whether a sign-in needs the setup code: the installation has no owner yet."""
    return rule is SignUp.FIRST and not setup_codes.is_claimed(uow.tx)


def check_setup_code(units: UnitsOfWork, now: datetime, typed: str) -> None:
    """Check a typed setup code. A wrong one counts, so this opens its own unit of work.

    Raises RefusedInputError: setup_code_needed where nothing is typed, setup_code_wrong with the tries `left`,
    setup_code_over where a new one must be made.
    """
    letters = "".join(char for char in unicodedata.normalize("NFKC", typed[:100]).lower() if char in _ALPHABET)
    if not letters:
        raise RefusedInputError("setup_code_needed", field="setup_code")
    with units.writing(now) as uow:
        tried = setup_codes.try_code(uow.tx, MOST_WRONG_TRIES, now)
        if tried is None:
            raise RefusedInputError("setup_code_over", field="setup_code")
        if _is_right(uow.keys, tried, letters):
            setup_codes.accept(uow.tx, tried.id, now)
            return
    left = MOST_WRONG_TRIES - tried.tries
    raise RefusedInputError("setup_code_wrong" if left else "setup_code_over", field="setup_code", left=left)


def _is_right(keys: KeyRing, tried: setup_codes.TriedCode, letters: str) -> bool:
    return keys.is_signed(_signed(tried.id, letters), "setup_code", tried.code_hash.decode())


def _signed(code_id: int, letters: str) -> str:
    return f"{code_id} {letters}"


def add_account(uow: UnitOfWork, rule: SignUp, *, address: str, language: Language) -> AccountView | None:
    """Add an account for somebody who has proved that the address is theirs; None where they may not begin.

    `first`: only who typed the setup code, once, or is awaited; `invited`: who is awaited; `open`: anybody.
    """
    is_first = needs_setup_code(uow, rule)
    if is_first:
        if not setup_codes.use(uow.tx, accepted_since=uow.now - _SIGN_IN_WITHIN, now=uow.now):
            return None
    elif rule is not SignUp.OPEN and not accounts.is_awaited(uow.tx, uow.keys, address, uow.now):
        return None
    account = accounts.add(uow.tx, uow.keys, address=address, language=language, now=uow.now)
    if is_first:
        service_state.replace(uow.tx, _FIRST_OWNER, str(account.id))
        activity_log.write(uow.tx, "setup_done", uow.now)
    return account


def may_found(uow: UnitOfWork, rule: SignUp, account_id: int) -> bool:
    """Return whether this account may found a household."""
    if rule is SignUp.FIRST:
        return service_state.find(uow.tx, _FIRST_OWNER) == str(account_id)
    return rule is SignUp.OPEN
