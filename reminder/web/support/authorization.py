"""Authorization: every page and every operation names one of the rules below, and a test finds one that does not.

What belongs to another group is not found; what the member's role does not allow is refused.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import timedelta
from typing import Annotated
from urllib.parse import parse_qsl, urlsplit

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, Headers
from starlette.formparsers import MultiPartException, MultiPartParser

from reminder.domain.model.access import Actor, Right
from reminder.enrolment.identity import sign_in
from reminder.enrolment.imports.reader import LARGEST
from reminder.errors import KigenError, RefusedInputError
from reminder.storage.auth.sessions import SignedIn
from reminder.storage.auth.signed_links import SignedLinks
from reminder.storage.db.row_security import Access, AccessScope
from reminder.storage.db.unit_of_work import CurrentAccess
from reminder.web.declared import Asks, declared
from reminder.web.support import security_headers
from reminder.web.support.network import network_named
from reminder.web.webhooks import access_of, app_of
from reminder.wiring import App

OpenApp = Annotated[App, Depends(app_of)]

SAFE_METHODS = ("GET", "HEAD")
# A sheet may have a thousand columns to be named, and a page of two hundred rows a checkbox in each.
FORM_FIELDS = 1_200
# Bytes of one field as they are sent: 900 kanji, which take nine bytes each in a form. Pages ask for 200 at most.
LONGEST_FIELD = 8 * 1024


class NotSignedInError(KigenError):
    """Nobody is signed in; the answer redirects to the sign-in page."""

    code = "not_signed_in"


class NotAllowedError(KigenError):
    """The member's role does not allow it."""

    code = "role_too_small"


class NoGroupError(KigenError):
    """The account is in no group yet; the answer redirects to the page where it can found or join one."""

    code = "no_group"


class GroupSuspendedError(KigenError):
    """The operator has suspended the group: nobody may change anything in it. `why`: the operator's words."""

    code = "group_suspended"


class ForeignFormError(RefusedInputError):
    """The form was not filled in on a page of ours, or long ago."""

    code = "form_foreign"


def session_cookie(app: App) -> str:
    """Return the name of the session cookie."""
    return cookie_name(app, "kigen")


def cookie_name(app: App, name: str) -> str:
    """Return the name of a cookie that decides something; with https no other host and no page without can set it."""
    return f"__Host-{name}" if is_https(app) else name


def is_https(app: App) -> bool:
    """Return whether the public address uses https."""
    return security_headers.is_https(app.settings)


def home_sessions(app: App) -> sign_in.HomeSessions:
    """Return the operator's limits for sessions that act in a home."""
    hours, minutes = app.settings.home_session_hours, app.settings.home_idle_minutes
    return sign_in.HomeSessions(
        lasts=None if hours is None else timedelta(hours=hours),
        idle=None if minutes is None else timedelta(minutes=minutes),
    )


def maybe_signed_in(request: Request, app: OpenApp) -> SignedIn | None:
    """Return who is signed in, or None.

    What the request does from now on it does for the account and all of its groups, and may sign somebody in.
    """
    access = access_of(request)
    access.now = Access(scope=AccessScope.SIGN_IN)
    token = request.cookies.get(session_cookie(app))
    found = sign_in.session_of(app.units, app.clock.now(), token, home_sessions(app)) if token else None
    if found is not None:
        access.now = access_of_account(found).now
    request.state.signed_in = found
    return found


def access_of_account(found: SignedIn) -> CurrentAccess:
    """Return the access of what is done for the account itself, and not for the group in which it acts."""
    return CurrentAccess(Access(account_id=found.account_id, of_account=True, scope=AccessScope.SIGN_IN))


def signed_in(found: Annotated[SignedIn | None, Depends(maybe_signed_in)]) -> SignedIn:
    """Return who is signed in. Raises NotSignedInError."""
    if found is None:
        raise NotSignedInError
    return found


class RequireRight:
    """The requirement of a signed-in member of a group whose role has this right."""

    def __init__(self, right: Right) -> None:
        self.right = right

    def __call__(self, request: Request, found: Annotated[SignedIn, Depends(signed_in)]) -> Actor:
        """Return the member, for whose group alone the request acts from now on.

        Raises NoGroupError, NotAllowedError, or GroupSuspendedError for a change.
        """
        if found.who is None:
            raise NoGroupError
        access_of(request).now = Access((found.who.group_id,), found.account_id)
        if not found.who.may(self.right):
            raise NotAllowedError
        refuse_suspended(request, found.suspended_why)
        return found.who


def refuse_suspended(request: Request, why: str | None) -> None:
    """Raise GroupSuspendedError for a request that changes something in a suspended group. `why`: None if it is not.

    An export is sent for by a form, and still only reads: its people keep their right to see what is held of them.
    """
    found = declared(request.scope["endpoint"])
    is_export = found is not None and found.asks is Asks.EXPORT
    if why is not None and request.method not in SAFE_METHODS and not is_export:
        raise GroupSuspendedError(why=why)


# The rules.
Anyone = Annotated[SignedIn | None, Depends(maybe_signed_in)]
WhoIsSignedIn = Annotated[SignedIn, Depends(signed_in)]
Sees = Annotated[Actor, Depends(RequireRight(Right.SEE))]
Changes = Annotated[Actor, Depends(RequireRight(Right.CHANGE))]
Owns = Annotated[Actor, Depends(RequireRight(Right.OWN))]


async def filled(request: Request, app: OpenApp) -> FormData:
    """Return the fields of a form of ours.

    Two checks protect against forms of others: the origin that the browser sends, and the seal of this session.
    """
    return await _sealed(request, app, files=0)


async def filled_with_file(request: Request, app: OpenApp) -> AsyncIterator[FormData]:
    """Yield the same for a form with a file, which is deleted after the answer."""
    form = await _sealed(request, app, files=1)
    try:
        yield form
    finally:
        await form.close()


async def _sealed(request: Request, app: App, *, files: int) -> FormData:
    if not is_from_here(request, app):
        raise ForeignFormError
    form = await _fields(request, files=files)
    token = request.cookies.get(session_cookie(app))
    seal = form.get("seal")
    if token and not (isinstance(seal, str) and app.keys.is_signed(token, "form", seal)):
        await form.close()
        raise ForeignFormError
    return form


async def _fields(request: Request, *, files: int) -> FormData:
    """Return the fields of a form. Raises RefusedInputError for one with too many fields, too long ones, or no form.

    The body is read here and parsed in a thread: parsing takes longer than the event loop may be held.
    """
    return await run_in_threadpool(read_form, request.headers, await request.body(), files)


def read_form(headers: Headers, body: bytes, files: int) -> FormData:
    """Return the fields, at most `files` of them files. Raises RefusedInputError."""
    try:
        return _parsed(headers, body, files)
    except MultiPartException:
        raise RefusedInputError("form_too_large", field="body") from None
    except Exception:  # noqa: BLE001  # the parser names nowhere all that it raises for a malformed body
        raise RefusedInputError("request_malformed", field="body") from None


def _parsed(headers: Headers, body: bytes, files: int) -> FormData:
    kind = parse_options_header(headers.get("content-type"))[0]

    async def pieces() -> AsyncGenerator[bytes, None]:
        for place in range(0, len(body), _PIECE):
            yield body[place : place + _PIECE]

    if kind == b"multipart/form-data":
        parser = MultiPartParser(
            headers, pieces(), max_files=files, max_fields=FORM_FIELDS, max_part_size=LONGEST_FIELD
        )
        # Nothing in it waits: what is sent is here, and it stays in memory.
        return asyncio.run(parser.parse())
    if kind != b"application/x-www-form-urlencoded":
        return FormData()
    if body.count(b"&") >= FORM_FIELDS or max(map(len, body.split(b"&"))) > LONGEST_FIELD:
        raise MultiPartException("too large")
    return FormData([*parse_qsl(body.decode("latin-1"), keep_blank_values=True)])


_PIECE = 1 << 16

Filled = Annotated[FormData, Depends(filled)]
FilledWithFile = Annotated[FormData, Depends(filled_with_file)]

# A sheet may hold numbers until it has been read: it stays in memory and is never written to the disk.
MultiPartParser.spool_max_size = LARGEST + 1


def form_seal(request: Request, app: App) -> str:
    """Return the value that a form must hold, so that only pages of this session can send it."""
    token = request.cookies.get(session_cookie(app))
    return app.keys.sign(token, "form") if token else ""


def is_from_here(request: Request, app: App) -> bool:
    """Return whether the request comes from our pages.

    A client that sends no origin is no browser, and has no cookie that could be misused.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        return False
    origin = request.headers.get("origin")
    if origin is None:
        return True
    ours = {request.headers.get("host", ""), urlsplit(app.settings.public_url or "").netloc} - {""}
    return urlsplit(origin).netloc in ours


def from_here(request: Request, app: App) -> None:
    """Raise ForeignFormError for JSON that a page of others may have sent: no form of theirs can send this type."""
    if request.headers.get("content-type") != "application/json" or not is_from_here(request, app):
        raise ForeignFormError


def signed_links(app: App) -> SignedLinks:
    """Return what makes the links of a message that somebody asks for on a page or by the API."""
    return SignedLinks(app.keys, app.settings.public_url)


def network_of(request: Request) -> str:
    """Return the network of a request, as coarse as one household: counted, never stored."""
    return network_named(request.client.host if request.client else "")
