"""Operations of the API: who may call one, and what happens to a call before and after its own work.

Only a token gives access to the API, never a browser's cookie. Every operation names the right that it needs; one that
names none cannot be made.
"""

from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import wraps
from typing import Annotated, Any, cast

from fastapi import Depends, Request
from fastapi.concurrency import contextmanager_in_threadpool, run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from reminder.domain.model.access import RIGHTS, ROLES, Actor, Right
from reminder.domain.model.people import Language
from reminder.enrolment.identity import api_tokens
from reminder.enrolment.imports import service
from reminder.errors import KigenError, RefusedInputError, TooManyRequestsError
from reminder.storage.auth import idempotency
from reminder.storage.auth.idempotency import IdempotentRequest
from reminder.storage.db.row_security import Access
from reminder.storage.db.unit_of_work import UnitOfWork, UnitsOfWork, UnitsWithin
from reminder.web.api import idempotent, problems
from reminder.web.api.problems import NoTokenError, ScopeTooSmallError, WrongTokenError
from reminder.web.declared import require_declaration
from reminder.web.support.api_rates import Rate, RequestRates
from reminder.web.support.authorization import NotAllowedError, network_of, refuse_suspended
from reminder.web.support.sheet_bodies import receiving
from reminder.web.webhooks import access_of, app_of
from reminder.wiring import App

PREFIX = "/api/v1"
# The one route with a large body.
TAKES_SHEETS = (f"{PREFIX}/imports",)
KEY_HEADER = "idempotency-key"
LONGEST_KEY = 200
# Names, and lists and objects, in a body: a sheet has a thousand columns. Each of them may be a refusal of its own.
MOST_NAMES, MOST_NESTED = 1_200, 100


@dataclass(frozen=True)
class Caller:
    """A program with a valid token: as whom it acts, and its key for this request, if any."""

    app: App
    who: Actor
    token_id: int
    language: Language  # of the sentences in its answers
    asked: IdempotentRequest | None = None
    unit: UnitOfWork | None = None  # if the request has a key: the unit of work in which its answer is stored

    @property
    def units(self) -> UnitsOfWork:
        """Return the factory for steps of several units; if the request has a key, all of them are `unit`."""
        units = self.app.units
        return units if self.unit is None else UnitsWithin(units.database, units.keys, units.rules, self.unit)

    @contextmanager
    def writing(self) -> Iterator[UnitOfWork]:
        """Open the unit of work of this request, so that what it does and its answer are kept together."""
        if self.unit is not None:
            yield self.unit
        else:
            with self.app.writing() as uow:
                yield uow

    @contextmanager
    def reading(self) -> Iterator[UnitOfWork]:
        """Open a unit of work that changes nothing; a request that has a key sees what it has done itself."""
        if self.unit is not None:
            yield self.unit
        else:
            with self.app.reading() as uow:
                yield uow


class RequireScope:
    """The requirement of a token with this right, made by a member whose role still has it."""

    def __init__(self, right: Right) -> None:
        self.right = right

    def __call__(self, request: Request) -> Caller:
        """Return the caller that was let in."""
        return cast(Caller, request.state.caller)

    def let_in(self, request: Request) -> Caller:
        """Return the caller with this token.

        Raises NoTokenError, WrongTokenError, ScopeTooSmallError, or GroupSuspendedError for a change.
        """
        app = app_of(request)
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise NoTokenError
        now, settings = app.clock.now(), app.settings
        shown = api_tokens.shown(app.units, now, token.strip())
        if shown is None:
            # By network, and after the look-up: whoever shares it with an attacker still gets in with a right token.
            network = app.keys.blind_index(network_of(request)).hex()[:32]
            _count(request, f"wrong token {network}", settings.api_wrong_tokens_per_minute)
            raise WrongTokenError
        access_of(request).now = Access((shown.who.group_id,))
        _count(request, f"token {shown.token_id}", settings.api_requests_per_minute)
        if not any(self.right in RIGHTS[ROLES[scope]] for scope in shown.scopes):
            raise ScopeTooSmallError
        if not shown.who.may(self.right):
            raise NotAllowedError
        refuse_suspended(request, shown.suspended_why)
        return Caller(app, shown.who, shown.token_id, problems.language_of(request))


def _count(request: Request, name: str, most: int) -> None:
    """Count the request; its answer says what is left. Raises TooManyRequestsError."""
    app: App = request.app.state.app
    rates: RequestRates = request.app.state.rates
    rate = rates.ask(app.units, app.clock.now(), name, most=most)
    request.state.rate = rate
    if not rate.is_allowed:
        raise TooManyRequestsError(retry_after=rate.retry_after)


# The requirements.
Sees = Annotated[Caller, Depends(RequireScope(Right.SEE))]
Changes = Annotated[Caller, Depends(RequireScope(Right.CHANGE))]
Owns = Annotated[Caller, Depends(RequireScope(Right.OWN))]


class Operation(APIRoute):
    """A route that checks the caller before it reads the body, and answers every refusal as a problem."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **given: Any) -> None:
        if "POST" in given["methods"]:
            endpoint = _at_most_once(endpoint, given.get("status_code") or 200)
        given["operation_id"] = endpoint.__name__
        given["responses"] = {**_refusals(path, given["methods"]), **(given.get("responses") or {})}
        super().__init__(path, endpoint, **given)
        self.declared = require_declaration(self)

    @property
    def rule(self) -> RequireScope:
        """Return the requirement of the operation. Raises TypeError unless there is exactly one."""
        rules = [below.call for below in self.dependant.dependencies if isinstance(below.call, RequireScope)]
        if len(rules) != 1:
            raise TypeError(f"{self.path}: name the one right that this operation needs")
        return rules[0]

    def get_route_handler(self) -> Callable[[Request], Any]:
        """Return the handler with authorization, idempotency and refusals around it."""
        answer = super().get_route_handler()
        rule = self.rule

        async def handled(request: Request) -> Response:
            response = await answered(request)
            rate: Rate | None = getattr(request.state, "rate", None)
            if rate is not None:
                response.headers.update(rate.headers)
            return response

        async def answered(request: Request) -> Response:
            try:
                caller = await run_in_threadpool(rule.let_in, request)
                async with contextmanager_in_threadpool(_turn(request, caller)):
                    request.state.caller = await _named(request, caller)
                    return await cast(Awaitable[Response], answer(request))
            except KigenError as refused:
                return problems.answer(request, refused)
            except RequestValidationError as wrong:
                return problems.malformed(request, wrong)
            except HTTPException:
                # The body is no text, or nested too deeply to be read.
                return problems.answer(request, RefusedInputError("request_malformed", field="body"))

        return handled


def _turn(request: Request, caller: Caller) -> AbstractContextManager[None]:
    """Return what a sheet needs before its body is received; nothing elsewhere."""
    if request.method == "POST" and request.scope["path"] in TAKES_SHEETS:
        return _turn_to_send(request, caller)
    return nullcontext()


@contextmanager
def _turn_to_send(request: Request, caller: Caller) -> Iterator[None]:
    """Hold the group's turn to send a sheet, and room for its body."""
    turn = service.turn_to_read(caller.app.units, caller.app.clock.now(), group_id=caller.who.group_id)
    with turn, receiving(request):
        yield


def _refusals(path: str, methods: Collection[str]) -> dict[int | str, dict[str, Any]]:
    """Return the refusals that any such operation may answer."""
    statuses = [401, 403, 422, 429, 500, 503]
    statuses += [404] if "{" in path else []
    statuses += [409] if "POST" in methods else []
    statuses += [413] if not {"POST", "PATCH"}.isdisjoint(methods) else []
    return problems.refusals(*sorted(statuses))


async def _named(request: Request, caller: Caller) -> Caller:
    """Return the caller with the key and fingerprint of this request, so that a repetition is recognised."""
    # The body is read here, so that one that is too long is cut off as everywhere.
    body = await request.body()
    if request.scope["path"] not in TAKES_SHEETS and (
        body.count(b":") > MOST_NAMES or body.count(b"{") + body.count(b"[") > MOST_NESTED
    ):
        raise RefusedInputError("request_malformed", field="body")
    key = request.headers.get(KEY_HEADER)
    if request.method != "POST" or key is None:
        return caller
    if not 0 < len(key) <= LONGEST_KEY or not key.isascii() or not key.isprintable():
        raise RefusedInputError("idempotency_key_unreadable", field="Idempotency-Key")
    said = b"\n".join((request.method.encode(), request.scope["path"].encode(), body))
    return replace(caller, asked=idempotency.request_of(caller.app.keys, caller.token_id, key, said))


def _at_most_once(endpoint: Callable[..., Any], status: int) -> Callable[..., Any]:
    @wraps(endpoint)
    def answered(*, caller: Caller, **given: Any) -> Any:
        if caller.asked is None:
            return endpoint(caller=caller, **given)

        def act(uow: UnitOfWork) -> Any:
            return endpoint(caller=replace(caller, unit=uow), **given)

        return idempotent.answer(caller.app, caller.asked, caller.language, status, act)

    return answered
