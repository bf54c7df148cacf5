"""Sign-in by a code in an e-mail or by a passkey, and the sessions that follow.

An e-mail holds a six-digit code for ten minutes and a long one for a day. Both work in every browser that has asked for
a code of the same address, so that nobody's requests can stop the owner's: when no further e-mail may be sent, the
latest one counts. It costs the same effort for known and unknown addresses. A session can be seen and ended from any
other.
"""

import hmac
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from reminder.clock import random_bytes, random_code
from reminder.domain.model.account_acts import AccountAct
from reminder.domain.model.messages import MessageKind, MessageState, Urgency
from reminder.domain.model.people import Audience, ChannelName, GroupKind, Language
from reminder.domain.parsing import addresses
from reminder.enrolment.identity import owner_mails
from reminder.enrolment.identity.sign_up import SignUp, add_account
from reminder.errors import ConflictError, NotFoundError, RefusedInputError
from reminder.storage.auth import accounts, login_codes, passkeys, sessions
from reminder.storage.auth.accounts import AccountView
from reminder.storage.auth.login_codes import CodeAttempt, MailedCode
from reminder.storage.auth.sessions import Device, SignedIn
from reminder.storage.crypto.keyring import KeyRing, letters, new_token, token_hash
from reminder.storage.db import row_security
from reminder.storage.db.locks import lock
from reminder.storage.db.unit_of_work import UnitOfWork, UnitsOfWork
from reminder.storage.outbox import queue
from reminder.storage.outbox.queue import MessageDraft
from reminder.storage.runtime import activity_log, mail_trials

CODE_LASTS = timedelta(minutes=10)
# 48 random bits: it needs no limit of tries, and so nobody can use its tries up.
LONG_CODE_LASTS = timedelta(days=1)
LONG_CODE_BYTES, LONG_CODE_GROUP = 6, 4
MOST_TRIES = 5
# Fifty tries a day in a million, for all browsers that are not known together; the long code has no tries to use up.
MOST_TRIES_A_DAY = 50
# Few e-mails annoy. Browsers that have been signed in before have as many of their own.
MOST_AN_HOUR, MOST_A_DAY = 5, 10
MOST_A_NETWORK = 30  # an hour; a care home's staff share one network
MOST_WITHOUT_MAIL = 300  # an hour; requests for which the latest e-mail counts, from one network
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
    """A new session; the browser keeps `token`, and `known`, by which it is told from a browser never seen before."""

    token: str
    account_id: int
    is_member: bool
    known: str = ""


def ask_for_code(
    uow: UnitOfWork,
    *,
    email: str,
    network: str,
    browser: str | None,
    language: Language,
    sign_up: bool,
    known: str | None = None,
) -> str:
    """Send a login code, or let the latest e-mail count, and return what the browser must hold to use it.

    `network`: the browser's network, stored only as a keyed hash. `browser`: what an earlier call returned. `known`:
    what an earlier sign-in left in this browser. Unless `sign_up`, only accounts and invited addresses get a code; the
    answer is the same for all.
    Raises AddressError, and ConflictError (too_many_codes, code_just_sent): alike for known and unknown addresses, and
    only because of requests by the same browser or network.
    """
    address = addresses.read_email(email, field="email")
    _lock(uow, address)
    lock(uow.tx, f"login codes of network {network}")
    is_awaited = accounts.is_awaited(uow.tx, uow.keys, address, uow.now)
    is_known = _is_known(uow, address, known)
    mailed = _mailed(uow, address)
    if browser and _just_asked(uow, browser, address):
        raise ConflictError("code_just_sent", field="email")
    if not is_known:
        _refuse_too_many(uow, network, has_mail=bool(mailed))
    may_mail = _may_mail(uow, address, is_known=is_known)
    # Somebody with an account is never left without an e-mail in which a code is.
    has_mail = may_mail or (is_awaited and not mailed)
    mail_trials.want(uow.tx, uow.now)
    browser = new_token()
    sign_in = login_codes.add(
        uow.tx,
        uow.keys,
        address=address,
        network=network,
        browser_hash=token_hash(browser),
        now=uow.now,
        expires_at=uow.now + CODE_LASTS,
        is_mailed=has_mail,
        is_known=is_known,
    )
    if has_mail:
        code, long_code = random_code(), letters(random_bytes(LONG_CODE_BYTES))
        login_codes.set_code(
            uow.tx,
            sign_in,
            code_hash(uow.keys, sign_in, address, code),
            code_hash(uow.keys, sign_in, address, long_code),
        )
        if sign_up or is_awaited:
            _mail(uow, sign_in, address, language, code, long_code)
    return browser


def _lock(uow: UnitOfWork, address: str) -> None:
    """Let nobody else count, ask for or enter codes of this mailbox until the end of the transaction."""
    lock(uow.tx, f"login codes of {addresses.mailbox_of(address)}")


def _is_known(uow: UnitOfWork, address: str, known: str | None) -> bool:
    account = accounts.at_address(uow.tx, uow.keys, address)
    return bool(known) and account is not None and sessions.knows(uow.tx, account.id, token_hash(known or ""))


def _just_asked(uow: UnitOfWork, browser: str, address: str) -> bool:
    since = uow.now - BETWEEN_CODES
    return bool(login_codes.asked_by_browser(uow.tx, uow.keys, token_hash(browser), address, since))


def _refuse_too_many(uow: UnitOfWork, network: str, *, has_mail: bool) -> None:
    asked = login_codes.asked_by_network(uow.tx, uow.keys, network, uow.now - timedelta(hours=1))
    if asked >= (MOST_WITHOUT_MAIL if has_mail else MOST_A_NETWORK):
        raise ConflictError("too_many_codes", field="email")


def _may_mail(uow: UnitOfWork, address: str, *, is_known: bool) -> bool:
    """Return whether one more e-mail keeps the limits of this mailbox."""
    asked = login_codes.mailed_by_known if is_known else login_codes.mailed_by_strangers
    limits = ((BETWEEN_CODES, 1), (timedelta(hours=1), MOST_AN_HOUR), (timedelta(days=1), MOST_A_DAY))
    return all(asked(uow.tx, uow.keys, address, uow.now - within) < most for within, most in limits)


def _mailed(uow: UnitOfWork, address: str) -> Sequence[MailedCode]:
    """Return the codes that are in the mailbox or on their way, the latest first."""
    found = login_codes.mailed_codes(uow.tx, uow.keys, address, uow.now - LONG_CODE_LASTS)
    states = queue.taken(uow.tx, [queue.login_code_key(one.id) for one in found])
    lost = (None, MessageState.FAILED, MessageState.UNDELIVERED)
    return [one for one in found if states.get(queue.login_code_key(one.id)) not in lost]


def _mail(uow: UnitOfWork, sign_in: int, address: str, language: Language, code: str, long_code: str) -> None:
    said = uow.rules.composer.login_code(language, code, _in_groups(long_code))
    queue.add(uow.tx, uow.keys, [code_draft(sign_in, address, language, said.subject, said.text, uow.now)], uow.now)


def code_draft(
    sign_in: int, address: str, language: Language, subject: str | None, text: str, now: datetime
) -> MessageDraft:
    """Return the e-mail with a code, which is of no use once the code is over."""
    return MessageDraft(
        key=queue.login_code_key(sign_in),
        kind=MessageKind.LOGIN_CODE,
        group_id=None,
        contact_id=None,
        address=address,
        audience=Audience.CARER,
        channel=ChannelName.EMAIL,
        subject=subject,
        text=text,
        segments=0,
        scheduled_at=now,
        expires_at=now + CODE_LASTS,
        urgency=Urgency.ANSWER,
        language=language,
    )


def _in_groups(code: str) -> str:
    return "-".join(code[at : at + LONG_CODE_GROUP] for at in range(0, len(code), LONG_CODE_GROUP))


def enter_code(
    units: UnitsOfWork,
    now: datetime,
    *,
    browser: str,
    code: str,
    device: str,
    language: Language,
    sign_up: SignUp,
    known: str | None = None,
) -> Entered:
    """Open a session for the browser that holds the code; `sign_up` decides whether a new address gets an account.

    A wrong code counts as a try too, so this opens its own unit of work and refuses once the try is stored.
    Raises RefusedInputError: code_wrong (with the tries `left`), code_over if a new one must be asked for,
    code_long_wrong, and code_long_needed if too many six-digit codes were tried for the address today.
    """
    plain = unicodedata.normalize("NFKC", code).lower()
    digits, long_code = re.sub("[^0-9]", "", plain), re.sub("[^a-z]", "", plain)
    with units.writing(now) as uow:
        asked = login_codes.latest(uow.tx, uow.keys, token_hash(browser), now)
        if asked is None:
            raise RefusedInputError("code_over", field="code")
        _lock(uow, asked.address)
        if long_code:
            if not _is_long_code(uow, asked, long_code):
                raise RefusedInputError("code_long_wrong", field="code")
            return _enter_by_code(uow, asked, device, language, sign_up, known)
        tried = _try(uow, asked, token_hash(browser))
        if _is_code(uow, tried, digits):
            return _enter_by_code(uow, tried, device, language, sign_up, known)
        left = MOST_TRIES - tried.tries
    raise RefusedInputError("code_wrong" if left else "code_over", field="code", left=left)


def _try(uow: UnitOfWork, asked: CodeAttempt, browser_hash: bytes) -> CodeAttempt:
    since = uow.now - timedelta(days=1)
    if not asked.is_known and (
        login_codes.tries_by_strangers(uow.tx, uow.keys, asked.address, since) >= MOST_TRIES_A_DAY
    ):
        raise RefusedInputError("code_long_needed", field="code")
    tried = login_codes.try_code(uow.tx, uow.keys, browser_hash, MOST_TRIES, uow.now)
    if tried is None:
        raise RefusedInputError("code_over", field="code")
    return tried


def _is_code(uow: UnitOfWork, tried: CodeAttempt, code: str) -> bool:
    """Return whether this is the request's own six-digit code, or that of the latest e-mail to its address."""
    valid = [(tried.id, tried.code_hash)] if tried.is_mailed else []
    valid += [(one.id, one.code_hash) for one in _mailed(uow, tried.address)[:1]]
    return any(hmac.compare_digest(code_hash(uow.keys, one, tried.address, code), kept) for one, kept in valid)


def _is_long_code(uow: UnitOfWork, asked: CodeAttempt, code: str) -> bool:
    return any(
        one.long_code_hash is not None
        and hmac.compare_digest(code_hash(uow.keys, one.id, asked.address, code), one.long_code_hash)
        for one in _mailed(uow, asked.address)
    )


def _enter_by_code(
    uow: UnitOfWork, asked: CodeAttempt, device: str, language: Language, sign_up: SignUp, known: str | None
) -> Entered:
    login_codes.use(uow.tx, asked.id, uow.now)
    login_codes.end_other_codes(uow.tx, uow.keys, asked.address, uow.now)
    account = accounts.at_address(uow.tx, uow.keys, asked.address)
    is_new = account is None
    if account is None:
        account = add_account(uow, sign_up, address=asked.address, language=language)
    if account is None:
        # Withdrawn meanwhile, or somebody else was the first owner.
        raise RefusedInputError("code_over", field="code")
    return enter(uow, account, device, known, is_new=is_new)


def enter(
    uow: UnitOfWork, account: AccountView, device: str, known: str | None = None, *, is_new: bool = False
) -> Entered:
    """Open a session for somebody who has proved that the account is theirs, and tell them of a new device.

    `known`: what an earlier sign-in left in this browser; it stays if any account knows it. `is_new`: this very sign-in
    has made the account, so that every device is new.
    """
    is_seen = bool(known) and sessions.knows(uow.tx, account.id, token_hash(known or ""))
    accounts.link_members(uow.tx, uow.keys, account)
    row_security.include_account(uow.tx, account.id)
    as_whom = accounts.memberships(uow.tx, uow.keys, account.id)
    token = new_token()
    if not known or not sessions.is_seen_before(uow.tx, token_hash(known)):
        known = new_token()
    session_id = sessions.add(
        uow.tx,
        uow.keys,
        account_id=account.id,
        member_id=as_whom[0].member_id if as_whom else None,
        token_hash=token_hash(token),
        browser_hash=token_hash(known),
        device=device,
        now=uow.now,
        expires_at=uow.now + SESSION_LASTS,
    )
    log(uow, account.id, "signed_in")
    if not is_seen and not is_new:
        owner_mails.tell_account(uow, AccountAct.NEW_DEVICE, account.id, device=device, about=session_id)
    return Entered(token, account.id, bool(as_whom), known)


def code_hash(keys: KeyRing, sign_in: int, address: str, code: str) -> bytes:
    """Return a keyed hash: without a key, a million codes are soon tried on a copy of the database.

    It is bound to the address too: nobody who writes into the database can turn their own code into another's.
    """
    return keys.sign(f"{sign_in} {addresses.address_identity(address)} {code}", "code").encode()


@dataclass(frozen=True)
class HomeSessions:
    """How long a session that acts in a home may last, and be unused; None for as long as any other."""

    lasts: timedelta | None = None
    idle: timedelta | None = None

    def is_over(self, found: SignedIn, now: datetime) -> bool:
        """Return whether the session acts in a home and is too old, or was unused for too long."""
        if found.kind is not GroupKind.HOME:
            return False
        is_old = self.lasts is not None and now - found.created_at >= self.lasts
        return is_old or (self.idle is not None and now - found.seen_at >= self.idle)

    @property
    def seen_every(self) -> timedelta:
        """How often the use of a session is stored: often enough to know that it is in use."""
        return SEEN_EVERY if self.idle is None else min(SEEN_EVERY, self.idle / 10)


def session_of(
    units: UnitsOfWork, now: datetime, token: str, in_homes: HomeSessions = HomeSessions()
) -> SignedIn | None:
    """Return who is signed in with this token, or None. Most requests only read; once an hour the use is stored."""
    with units.reading(now) as uow:
        found = sessions.find(uow.tx, uow.keys, token_hash(token), now=now, seen_since=now - SEEN_WITHIN)
    if found is None or in_homes.is_over(found, now):
        return None
    if now - found.seen_at >= (in_homes.seen_every if found.kind is GroupKind.HOME else SEEN_EVERY):
        with units.writing(now) as uow:
            sessions.seen(uow.tx, found.session_id, now)
    return found


def devices(uow: UnitOfWork, account_id: int) -> list[Device]:
    """Return the devices with a session that was used lately."""
    return sessions.devices(uow.tx, account_id, now=uow.now, seen_since=uow.now - SEEN_WITHIN)


def leave(uow: UnitOfWork, signed_in: SignedIn, session_id: int | None = None) -> bool:
    """End this session, or another one of the same account; return False for anybody else's, which stays.

    The browser of another one is from then on as one that was never signed in.
    """
    is_other = session_id is not None and session_id != signed_in.session_id
    ended = sessions.revoke(uow.tx, signed_in.account_id, session_id or signed_in.session_id, uow.now, forgets=is_other)
    if ended:
        log(uow, signed_in.account_id, "device_signed_out" if is_other else "signed_out")
    return ended


def leave_everywhere_else(uow: UnitOfWork, signed_in: SignedIn) -> None:
    """End all other sessions of the account."""
    if sessions.revoke_others(uow.tx, signed_in.account_id, signed_in.session_id, uow.now):
        log(uow, signed_in.account_id, "devices_signed_out")


def leave_everywhere(uow: UnitOfWork, account_id: int) -> int:
    """End all sessions of an account, and return how many."""
    ended = sessions.revoke_others(uow.tx, account_id, None, uow.now)
    if ended:
        log(uow, account_id, "devices_signed_out")
    return ended


def end_sessions_of(uow: UnitOfWork, *, email: str) -> int:
    """End all sessions of the account with this address, and return how many.

    Raises NotFoundError for an address that nobody signs in with, nor may.
    """
    address = addresses.read_email(email, field="email")
    account = accounts.at_address(uow.tx, uow.keys, address)
    if account is not None:
        return leave_everywhere(uow, account.id)
    if not accounts.is_awaited(uow.tx, uow.keys, address, uow.now):
        raise NotFoundError(field="email")
    return 0


def end_all_sessions(uow: UnitOfWork) -> int:
    """End the sessions of all accounts, and return how many."""
    ended = sessions.revoke_all(uow.tx, uow.now)
    activity_log.write(uow.tx, "all_signed_out", uow.now)
    return ended


def add_passkey(
    uow: UnitOfWork, signed_in: SignedIn, *, credential_id: bytes, public_key: bytes, sign_count: int, device: str
) -> None:
    """Add a passkey to the account; one that is registered already stays whose it is."""
    if passkeys.is_registered(uow.tx, credential_id):
        return
    passkey_id = passkeys.add(
        uow.tx,
        uow.keys,
        account_id=signed_in.account_id,
        credential_id=credential_id,
        public_key=public_key,
        sign_count=sign_count,
        device=device,
        now=uow.now,
    )
    log(uow, signed_in.account_id, "passkey_added")
    owner_mails.tell_account(
        uow, AccountAct.PASSKEY_ADDED, signed_in.account_id, device=signed_in.device, about=passkey_id
    )


def remove_passkey(uow: UnitOfWork, signed_in: SignedIn, passkey_id: int) -> bool:
    """Remove a passkey of the account; return False for anybody else's, which stays."""
    removed = passkeys.remove(uow.tx, signed_in.account_id, passkey_id)
    if removed:
        log(uow, signed_in.account_id, "passkey_removed")
        owner_mails.tell_account(
            uow, AccountAct.PASSKEY_REMOVED, signed_in.account_id, device=signed_in.device, about=passkey_id
        )
    return removed


def log(uow: UnitOfWork, account_id: int, act: str) -> None:
    """Write what an account did into the activity log of each of its groups."""
    mine = [
        {"group_id": one.group_id, "member_id": one.member_id}
        for one in accounts.memberships(uow.tx, uow.keys, account_id)
    ]
    activity_log.write_all(uow.tx, uow.now, [{"act": act, **ids} for ids in mine])


def act_in(uow: UnitOfWork, signed_in: SignedIn, group_id: int) -> bool:
    """Switch the session to another group of its account; return False if the account is not in it."""
    for one in accounts.memberships(uow.tx, uow.keys, signed_in.account_id):
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


def enter_with_passkey(
    uow: UnitOfWork, *, passkey_id: int, account_id: int, sign_count: int, device: str, known: str | None = None
) -> Entered:
    """Open a session after the passkey's signature was verified."""
    account = accounts.find(uow.tx, uow.keys, account_id)
    if account is None:
        raise ConflictError("passkey_unknown")
    passkeys.used(uow.tx, passkey_id, sign_count, uow.now)
    return enter(uow, account, device, known)
