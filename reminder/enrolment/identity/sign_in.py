"""Sign-in by a six-digit code in an e-mail or by a passkey, and the sessions that follow.

A code works once, for ten minutes, in the browser that asked for it. It costs the same effort for known and unknown
addresses. A session can be seen and ended from any other.
"""

import hmac
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from reminder.clock import random_bytes, random_code
from reminder.domain.model.messages import MessageKind, Urgency
from reminder.domain.model.people import Audience, ChannelName, Language
from reminder.domain.parsing import addresses
from reminder.enrolment.identity.sign_up import SignUp, add_account
from reminder.errors import ConflictError, RefusedInputError
from reminder.storage.auth import accounts, login_codes, passkeys, sessions
from reminder.storage.auth.accounts import AccountView
from reminder.storage.auth.sessions import Device, SignedIn
from reminder.storage.crypto.keyring import KeyRing, new_token, token_hash
from reminder.storage.db.unit_of_work import UnitOfWork, UnitsOfWork
from reminder.storage.outbox import queue
from reminder.storage.outbox.queue import MessageDraft
from reminder.storage.runtime import activity_log

CODE_LASTS = timedelta(minutes=10)
MOST_TRIES = 5
# At most ten codes a day for an address: an attacker has fifty tries in a million, and few e-mails annoy.
MOST_AN_HOUR, MOST_A_DAY = 5, 10
MOST_A_NETWORK = 30  # an hour; a care home's staff share one network
BETWEEN_CODES = timedelta(seconds=60)

SESSION_LASTS = timedelta(days=365)
SEEN_WITHIN = timedelta(days=60)
# Not at every page: opening the home page should not write.
SEEN_EVERY = timedelta(hours=1)
CHALLENGE_LASTS = timedelta(minutes=5)
_NONCE, LONGEST_CHALLENGE = 16, 80
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Entered:
    """A new session; the browser keeps `token`."""

    token: str
    account_id: int
    is_member: bool


def ask_for_code(
    uow: UnitOfWork, *, email: str, network: str, browser: str | None, language: Language, sign_up: bool
) -> str:
    """Send a login code and return what the browser must hold to use it.

    `network`: the browser's network, stored only as a keyed hash. `browser`: what an earlier call returned. Unless
    `sign_up`, only accounts and invited addresses get a code; the answer is the same for all.
    Raises AddressError, and ConflictError (too_many_codes, code_just_sent): alike for known and unknown addresses.
    """
    address = addresses.read_email(email, field="email")
    browser = browser or new_token()
    code = random_code()
    _refuse_too_many(uow, address, network)
    sign_in = login_codes.add(
        uow.tx,
        uow.keys,
        address=address,
        network=network,
        browser_hash=token_hash(browser),
        now=uow.now,
        expires_at=uow.now + CODE_LASTS,
    )
    login_codes.set_code(uow.tx, sign_in, _code_hash(uow.keys, sign_in, code))
    if sign_up or accounts.is_awaited(uow.tx, uow.keys, address, uow.now):
        said = uow.rules.composer.login_code(language, code)
        draft = MessageDraft(
            key=queue.login_code_key(sign_in),
            kind=MessageKind.LOGIN_CODE,
            group_id=None,
            contact_id=None,
            address=address,
            audience=Audience.CARER,
            channel=ChannelName.EMAIL,
            subject=said.subject,
            text=said.text,
            segments=0,
            scheduled_at=uow.now,
            expires_at=uow.now + CODE_LASTS,
            urgency=Urgency.ANSWER,
            language=language,
        )
        queue.add(uow.tx, uow.keys, [draft], uow.now)
    return browser


def _refuse_too_many(uow: UnitOfWork, address: str, network: str) -> None:
    if login_codes.asked_by_address(uow.tx, uow.keys, address, uow.now - BETWEEN_CODES):
        raise ConflictError("code_just_sent", field="email")
    hour, day = uow.now - timedelta(hours=1), uow.now - timedelta(days=1)
    if (
        login_codes.asked_by_address(uow.tx, uow.keys, address, hour) >= MOST_AN_HOUR
        or login_codes.asked_by_address(uow.tx, uow.keys, address, day) >= MOST_A_DAY
        or login_codes.asked_by_network(uow.tx, uow.keys, network, hour) >= MOST_A_NETWORK
    ):
        raise ConflictError("too_many_codes", field="email")


def enter_code(
    units: UnitsOfWork, now: datetime, *, browser: str, code: str, device: str, language: Language, sign_up: SignUp
) -> Entered:
    """Open a session for the browser that holds the code; `sign_up` decides whether a new address gets an account.

    A wrong code counts as a try too, so this opens its own unit of work and refuses once the try is stored.
    Raises RefusedInputError: code_wrong (with the tries `left`), code_over if a new one must be asked for.
    """
    typed = "".join(filter(str.isdecimal, unicodedata.normalize("NFKC", code)))
    with units.writing(now) as uow:
        tried = login_codes.try_code(uow.tx, uow.keys, token_hash(browser), MOST_TRIES, now)
        if tried is None:
            raise RefusedInputError("code_over", field="code")
        if hmac.compare_digest(_code_hash(uow.keys, tried.id, typed), tried.code_hash):
            login_codes.use(uow.tx, tried.id, now)
            login_codes.end_other_codes(uow.tx, uow.keys, tried.address, now)
            account = accounts.at_address(uow.tx, uow.keys, tried.address)
            if account is None:
                account = add_account(uow, sign_up, address=tried.address, language=language)
            if account is None:
                # Withdrawn meanwhile, or somebody else was the first owner.
                raise RefusedInputError("code_over", field="code")
            return enter(uow, account, device)
        left = MOST_TRIES - tried.tries
    raise RefusedInputError("code_wrong" if left else "code_over", field="code", left=left)


def enter(uow: UnitOfWork, account: AccountView, device: str) -> Entered:
    """Open a session for somebody who has proved that the account is theirs."""
    accounts.link_members(uow.tx, uow.keys, account)
    as_whom = accounts.memberships(uow.tx, account.id)
    token = new_token()
    sessions.add(
        uow.tx,
        account_id=account.id,
        member_id=as_whom[0].member_id if as_whom else None,
        token_hash=token_hash(token),
        device=device,
        now=uow.now,
        expires_at=uow.now + SESSION_LASTS,
    )
    for one in as_whom:
        activity_log.write(uow.tx, "signed_in", uow.now, group_id=one.group_id, member_id=one.member_id)
    return Entered(token, account.id, bool(as_whom))


def _code_hash(keys: KeyRing, sign_in: int, code: str) -> bytes:
    """Return a keyed hash: without a key, a million codes are soon tried on a copy of the database."""
    return keys.sign(f"{sign_in} {code}", "code").encode()


def session_of(units: UnitsOfWork, now: datetime, token: str) -> SignedIn | None:
    """Return who is signed in with this token, or None. Most requests only read; once an hour the use is stored."""
    with units.reading(now) as uow:
        found = sessions.find(uow.tx, token_hash(token), now=now, seen_since=now - SEEN_WITHIN)
    if found is not None and now - found.seen_at >= SEEN_EVERY:
        with units.writing(now) as uow:
            sessions.seen(uow.tx, found.session_id, now)
    return found


def devices(uow: UnitOfWork, account_id: int) -> list[Device]:
    """Return the devices with a session that was used lately."""
    return sessions.devices(uow.tx, account_id, now=uow.now, seen_since=uow.now - SEEN_WITHIN)


def leave(uow: UnitOfWork, signed_in: SignedIn, session_id: int | None = None) -> bool:
    """End this session, or another one of the same account; return False for anybody else's, which stays."""
    return sessions.revoke(uow.tx, signed_in.account_id, session_id or signed_in.session_id, uow.now)


def leave_everywhere_else(uow: UnitOfWork, signed_in: SignedIn) -> None:
    """End all other sessions of the account."""
    sessions.revoke_others(uow.tx, signed_in.account_id, signed_in.session_id, uow.now)


def act_in(uow: UnitOfWork, signed_in: SignedIn, group_id: int) -> bool:
    """Switch the session to another group of its account; return False if the account is not in it."""
    for one in accounts.memberships(uow.tx, signed_in.account_id):
        if one.group_id == group_id:
            sessions.act_as(uow.tx, signed_in.session_id, one.member_id)
            return True
    return False


def new_challenge(keys: KeyRing, now: datetime, account_id: int | None) -> bytes:
    """Return a challenge for a passkey to sign, once. `account_id`: None for a sign-in.

    It is stored nowhere: it holds its own end and our signature, so that strangers who ask for thousands write nothing.
    """
    nonce, expires_at = random_bytes(_NONCE), now + CHALLENGE_LASTS
    ends = (expires_at - _EPOCH) // timedelta(milliseconds=1)
    return nonce + ends.to_bytes(8, "big") + keys.sign(_challenge_text(nonce, ends, account_id), "challenge").encode()


def use_challenge(uow: UnitOfWork, challenge: bytes, account_id: int | None) -> bool:
    """Use a challenge whose signature was verified; return whether it is ours, for this account, in time and unused."""
    nonce, ends, mark = challenge[:_NONCE], challenge[_NONCE : _NONCE + 8], challenge[_NONCE + 8 :]
    if len(challenge) > LONGEST_CHALLENGE or len(ends) < 8 or not mark.isascii():
        return False
    until = int.from_bytes(ends, "big")
    if not uow.keys.is_signed(_challenge_text(nonce, until, account_id), "challenge", mark.decode("ascii")):
        return False
    expires_at = _EPOCH + timedelta(milliseconds=until)
    return expires_at > uow.now and passkeys.use_challenge(uow.tx, challenge, account_id, expires_at)


def _challenge_text(nonce: bytes, ends: int, account_id: int | None) -> str:
    return f"{nonce.hex()} {ends} {account_id or ''}"


def enter_with_passkey(uow: UnitOfWork, *, passkey_id: int, account_id: int, sign_count: int, device: str) -> Entered:
    """Open a session after the passkey's signature was verified."""
    account = accounts.find(uow.tx, uow.keys, account_id)
    if account is None:
        raise ConflictError("passkey_unknown")
    passkeys.used(uow.tx, passkey_id, sign_count, uow.now)
    return enter(uow, account, device)
