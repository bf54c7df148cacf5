"""The web application: its routes, the headers of every answer, and how refusals are shown."""

import logging
import re
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import unquote_to_bytes

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reminder.domain.text.error_messages import explain
from reminder.enrolment.imports.reader import LARGEST
from reminder.errors import (
    ConflictError,
    DatabaseNotReadyError,
    ForbiddenNumberError,
    KigenError,
    NotFoundError,
    RefusedInputError,
    TooBusyError,
    TooManyRequestsError,
)
from reminder.guard.numbers import LooksLike, forbidden_in_running_text
from reminder.storage.auth.sessions import SignedIn
from reminder.storage.crypto import references
from reminder.storage.crypto.keyring import TOKEN_LETTERS
from reminder.upkeep.health import RecentHealth
from reminder.web import api, webhooks
from reminder.web.api import imports
from reminder.web.api.operation import Caller
from reminder.web.pages import (
    cards,
    city_visits,
    confirm,
    contacts,
    dashboard,
    letters,
    monthly_plan,
    organisation,
    own_kinds,
    people,
    privacy,
    public,
    renewals,
    settings,
    sign_in,
)
from reminder.web.pages import imports as import_pages
from reminder.web.pages import print as print_pages
from reminder.web.support.api_rates import RequestRates
from reminder.web.support.authorization import (
    SAFE_METHODS,
    ForeignFormError,
    GroupSuspendedError,
    NoGroupError,
    NotAllowedError,
    NotSignedInError,
    cookie_name,
    is_https,
)
from reminder.web.support.confirmation import NotProvedError, ProofNeededError
from reminder.web.support.liveness import WEBHOOKS, WebLiveness
from reminder.web.support.page_catalog import read_pages
from reminder.web.support.refused_requests import CLIENT_GONE, REFUSED_CODE, RefusedRequests, cause_of, note_refusal
from reminder.web.support.rendering import go, language_of, local_path, page, with_cookie, words_of
from reminder.web.support.security_headers import headers_of
from reminder.web.support.sheet_bodies import SHEET_BODY, SheetBodies, SheetBody
from reminder.wiring import App

log = logging.getLogger(__name__)

PROBLEM = "application/problem+json"
LONGEST_BODY = 64 * 1024
# What somebody may send who has not signed in: one address, one code, one button, one passkey.
LONGEST_BODY_OF_STRANGER = 16 * 1024
OF_STRANGERS = ("/sign-in", "/look", "/stop/", "/take/", "/reached/", "/passkey")
# Bytes of an address with its query, and of all headers; the number of headers. Browsers send a tenth of it.
LONGEST_URL, SHORT_URL = 2048, 256
LONGEST_HEADERS, MOST_HEADERS = 16 * 1024, 100
# In the state of a request whose body was too long.
TOO_LONG = "body_is_too_long"
FOR_PROGRAMS = ("/api/", "/webhooks/")
_LENGTH = re.compile("[0-9]{1,9}")


def create_web(app: App, *, local_pages: bool) -> FastAPI:
    """Return the application.

    `local_pages`: with the pages that show what is enrolled, due and sent. They have no sign-in, so only this machine
    may see them.
    """
    web = FastAPI(
        title="期限だより",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        # A redirect would repeat the address, and traces would keep it before the request guard has checked it.
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    web.state.app = app
    web.state.pages = read_pages()
    web.state.health = RecentHealth()
    web.state.rates = RequestRates()
    web.state.refused_requests = RefusedRequests()
    web.state.liveness = WebLiveness()
    web.state.sheet_bodies = SheetBodies()
    web.include_router(webhooks.router)
    web.include_router(public.public)
    at_home = (dashboard, organisation, renewals, monthly_plan, city_visits, letters, import_pages)
    for module in (sign_in, confirm, privacy, *at_home, people, contacts, print_pages, cards, settings, own_kinds):
        web.include_router(module.router)
    web.include_router(api.router)
    if local_pages:
        web.include_router(public.local)
    web.add_exception_handler(KigenError, _refuse)
    web.add_exception_handler(NotSignedInError, _lead_to_sign_in)
    web.add_exception_handler(NoGroupError, _lead_to_welcome)
    web.add_exception_handler(ProofNeededError, _lead_to_confirm)
    web.add_exception_handler(NotProvedError, _ask_for_proof_again)
    web.add_exception_handler(webhooks.NotSignedError, webhooks.answer_not_signed)
    web.add_exception_handler(HTTPException, _not_there)
    web.add_exception_handler(RequestValidationError, _malformed)
    web.add_exception_handler(ClientDisconnect, _cut_off)
    web.add_exception_handler(Exception, _broke)
    web.add_middleware(RequestGuard)
    return web


# Our own ids occur in addresses; they are far from twelve digits long.
_MAY_BE_AN_ID = (LooksLike.LONG_DIGITS, LooksLike.INSURANCE_NUMBER)
# What has the shape of a reference or a token of ours is not searched: among millions of random letters some spell a
# passcode ("…pin…two…").
_RANDOM_LETTERS = re.compile(
    f"(?<![A-Za-z])(?:{'|'.join(f'[a-z]{{{length}}}' for length in (*references.LENGTHS, TOKEN_LETTERS))})(?![A-Za-z])"
)


class RequestGuard:
    """The check of every request before anything else of ours looks at it.

    Its address, headers and body are bounded. Its address must hold no number.
    """

    def __init__(self, inner: ASGIApp) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check the request and add our headers to its answer."""
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        if scope["method"] == "HEAD":
            # Wherever GET is: monitors and balancers ask so. The server knows the method by its own scope.
            scope, send = {**scope, "method": "GET"}, _without_body(send)
        app: App = scope["app"].state.app
        app.database.serve()
        headers = headers_of(app.settings)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._count(scope, message["status"])
                sent = MutableHeaders(scope=message)
                for name, value in headers.items():
                    # Only what never changes may be cached, and says so itself.
                    sent.setdefault(name, value)
            await send(message)

        refused = self._too_long(scope) or self._body_too_long(Request(scope))
        if refused is None:
            # A page's address is searched in a tenth of a millisecond; what takes longer must not hold the event loop.
            is_short = len(scope["path"]) + len(scope["query_string"]) <= SHORT_URL
            request = Request(scope)
            refused = self._number(request) if is_short else await run_in_threadpool(self._number, request)
        if refused is not None:
            await refused(scope, receive, with_headers)
        else:
            await self._inner(scope, _bounded(scope, receive), with_headers)

    def _count(self, scope: Scope, status: int) -> None:
        """Count the answer if it is one that strangers cause, and note a provider's call that was lost."""
        if status >= 500 and scope["path"].startswith(WEBHOOKS):
            _note_missed(scope["app"])
        code = str(scope.get("state", {}).get(REFUSED_CODE, ""))
        cause = cause_of(scope["method"], scope["path"], status, code)
        if cause is not None:
            counted: RefusedRequests = scope["app"].state.refused_requests
            counted.count(cause)
        if status in _REFUSED_ACCESS and (who := _named_in(scope)):
            _log_refused_access(scope, status, who, code)

    def _too_long(self, scope: Scope) -> Response | None:
        """Return the refusal of a head that is too long. Of a long header not even the language is read."""
        if len(scope.get("raw_path") or scope["path"].encode()) + len(scope["query_string"]) > LONGEST_URL:
            code, status = "url_too_long", 414
        elif (
            len(scope["headers"]) > MOST_HEADERS
            or sum(len(name) + len(value) for name, value in scope["headers"]) > LONGEST_HEADERS
        ):
            code, status = "headers_too_long", 431
            scope["headers"] = []
        else:
            return None
        return problem(Request(scope), RefusedInputError(code, field="url" if status == 414 else None), status=status)

    def _number(self, request: Request) -> Response | None:
        for part in (request.scope["path"], unquote_to_bytes(request.scope["query_string"]).decode("utf-8", "replace")):
            looks_like = forbidden_in_running_text(_RANDOM_LETTERS.sub("random", part))
            if looks_like is not None and looks_like not in _MAY_BE_AN_ID:
                return problem(request, ForbiddenNumberError(field="url", looks_like=looks_like))
        return None

    def _body_too_long(self, request: Request) -> Response | None:
        length = request.headers.get("content-length", "0")
        if not _LENGTH.fullmatch(length) or int(length) > _longest_body(request.scope):
            return problem(request, RefusedInputError("body_too_long", field="body"), status=413)
        return None


def _without_body(send: Send) -> Send:
    """Return `send` for an answer of which only the head is wanted."""

    async def without(message: Message) -> None:
        await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

    return without


def _longest_body(scope: Scope) -> int:
    """Return the size limit; only the route for a home's sheet has a large one."""
    if scope["method"] == "POST" and scope["path"] in import_pages.TAKES_SHEETS + imports.TAKES_SHEETS:
        return LARGEST + LONGEST_BODY
    return LONGEST_BODY_OF_STRANGER if scope["path"].startswith(OF_STRANGERS) else LONGEST_BODY


def _bounded(scope: Scope, receive: Receive) -> Receive:
    """Return `receive` with a limit for bodies without a length; past it they end as if the sender had gone."""
    seen, longest = 0, _longest_body(scope)

    async def bounded() -> Message:
        nonlocal seen
        body: SheetBody | None = scope.get("state", {}).get(SHEET_BODY)
        message = await (receive() if body is None else body.next_of(receive))
        seen += len(message.get("body", b""))
        if seen <= longest:
            return message
        scope.setdefault("state", {})[TOO_LONG] = True
        return {"type": "http.disconnect"}

    return bounded


def problem(
    request: Request, refused: KigenError, *, status: int | None = None, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Return RFC 9457 problem details; `detail` says what to do and never repeats what was sent."""
    app: App = request.app.state.app
    note_refusal(request, refused)
    if status is None:
        status = _status(refused)
    headers = {**_retry_after(refused), **(headers or {})}
    sentence = explain(app.rules.wording, refused, language_of(request))
    body: dict[str, object] = {
        "type": "about:blank",
        "title": refused.code,
        "status": status,
        "code": refused.code,
        "detail": sentence,
    }
    if isinstance(refused, RefusedInputError) and refused.field:
        body["field"] = refused.field
    return JSONResponse(body, status, headers, media_type=PROBLEM)


_STATUS: dict[type[KigenError], int] = {
    NotAllowedError: 403,
    GroupSuspendedError: 403,
    ForeignFormError: 403,
    NotFoundError: 404,
    ConflictError: 409,
    TooBusyError: 503,
    TooManyRequestsError: 429,
    RefusedInputError: 422,
    DatabaseNotReadyError: 503,
}


def _refusal(
    request: Request, refused: KigenError, *, status: int | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """Return the refusal: a page for a browser, problem details for a program."""
    is_page = "text/html" in request.headers.get("accept", "") and not request.url.path.startswith(FOR_PROGRAMS)
    if not is_page:
        return problem(request, refused, status=status, headers=headers)
    app: App = request.app.state.app
    note_refusal(request, refused)
    sentence = words_of(request).explain(app.rules.wording, refused)
    answer = page(request, app, "refused.html", status=status or _status(refused), sentence=sentence, code=refused.code)
    answer.headers.update({**_retry_after(refused), **(headers or {})})
    return answer


def _retry_after(refused: KigenError) -> Mapping[str, str]:
    if isinstance(refused, TooManyRequestsError | DatabaseNotReadyError):
        return {"retry-after": str(refused.retry_after)}
    return {}


def _status(refused: KigenError) -> int:
    return next((code for kind, code in _STATUS.items() if isinstance(refused, kind)), 500)


# These render pages, so they are no coroutines: Starlette runs them in threads.
def _lead_to_sign_in(request: Request, refused: Exception) -> Response:
    assert isinstance(refused, KigenError)
    if "text/html" not in request.headers.get("accept", ""):
        return problem(request, refused, status=401)
    answer = go("/sign-in")
    if request.method in SAFE_METHODS:
        secure = is_https(request.app.state.app)
        name = cookie_name(request.app.state.app, sign_in.NEXT_COOKIE)
        with_cookie(answer, name, local_path(request.url.path), secure=secure, lasts=60 * 60)
    return answer


def _lead_to_welcome(_request: Request, _refused: Exception) -> Response:
    return go("/welcome")


def _lead_to_confirm(request: Request, refused: Exception) -> Response:
    assert isinstance(refused, ProofNeededError)
    if "text/html" not in request.headers.get("accept", ""):
        return problem(request, refused, status=403)
    return go("/confirm")


def _ask_for_proof_again(request: Request, refused: Exception) -> Response:
    assert isinstance(refused, NotProvedError)
    if "text/html" not in request.headers.get("accept", ""):
        return problem(request, refused.refused)
    return confirm.wrong_code(request, request.app.state.app, refused.refused)


def _refuse(request: Request, refused: Exception) -> Response:
    assert isinstance(refused, KigenError)
    return _refusal(request, refused)


def _not_there(request: Request, raised: Exception) -> Response:
    assert isinstance(raised, HTTPException)
    code = {404: "page_not_found", 405: "method_not_allowed", 403: "not_allowed"}.get(raised.status_code, "refused")
    return _refusal(request, RefusedInputError(code), status=raised.status_code, headers=raised.headers)


async def _cut_off(request: Request, _raised: Exception) -> Response:
    answer = problem(request, RefusedInputError("body_too_long", field="body"), status=413)
    if not getattr(request.state, TOO_LONG, False):
        # The client has gone, or was too slow, which its connection has counted.
        request.state.refused_code = CLIENT_GONE
    return answer


async def _broke(request: Request, _raised: Exception) -> Response:
    """Return the answer to an unexpected error, which the server logs. The request guard does not see this answer."""
    if request.url.path.startswith(WEBHOOKS):
        _note_missed(request.app)
    return problem(request, KigenError("failure"), headers=headers_of(request.app.state.app.settings))


_REFUSED_ACCESS = (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)


def _named_in(scope: Scope) -> str:
    """Return who asked, in the words of the log; "" for somebody who is not signed in."""
    state = scope.get("state", {})
    signed_in: SignedIn | None = state.get("signed_in")
    caller: Caller | None = state.get("caller")
    if caller is not None:
        return f"program {caller.token_id}"
    return "" if signed_in is None else f"account {signed_in.account_id}"


def _log_refused_access(scope: Scope, status: int, who: str, code: str) -> None:
    """Say who was refused what: by its role, or a row that does not exist or belongs to another group.

    The address of a route and not of the request: what somebody typed is in no log.
    """
    path = getattr(scope.get("route"), "path", "")
    if status == HTTPStatus.FORBIDDEN or "{" in path or code == NotFoundError.code:
        log.warning("access refused (%s): %s, %s %s", code or status, who, scope["method"], path)


def _note_missed(web: FastAPI) -> None:
    liveness: WebLiveness = web.state.liveness
    liveness.note_missed(web.state.app.clock.now())


def _malformed(request: Request, _raised: Exception) -> Response:
    return _refusal(request, RefusedInputError("request_malformed"), status=422)
