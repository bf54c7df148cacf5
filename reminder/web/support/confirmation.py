"""The requirement of a fresh proof: a form without one waits in the session until its sender has shown who they are.

The page that asks sends the code, and the name of the waiting form, to where the form was going. So the act goes on in
the same request, and answers as it always does.
"""

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request
from starlette.datastructures import FormData

from reminder.enrolment.identity import step_up
from reminder.errors import ConflictError, ForbiddenNumberError, KigenError, RefusedInputError
from reminder.guard import outgoing
from reminder.guard.numbers import forbidden, forbidden_in_record
from reminder.storage.auth.sessions import SignedIn
from reminder.web.declared import Asks, PageRoute, looks_at_proof
from reminder.web.support.authorization import Filled, OpenApp, WhoIsSignedIn, access_of_account, network_of
from reminder.web.support.rendering import FREE_WORDS, local_path, typed

# The fields that the page which asks adds to a form.
MARK, CODE = "held", "code"
_OURS = frozenset({"seal", MARK, CODE})


class ProofNeededError(KigenError):
    """A fresh proof is needed; the answer leads to the page that asks for one."""

    code = "confirm_needed"


class NotProvedError(KigenError):
    """The code was not right. `refused`: why; the answer is the page that asks, with the form still waiting."""

    def __init__(self, refused: RefusedInputError) -> None:
        self.refused = refused
        super().__init__(refused.code)


@looks_at_proof
def confirmed(request: Request, app: OpenApp, found: WhoIsSignedIn, form: Filled) -> FormData:
    """Return the fields of a form whose sender has just shown who they are.

    Raises ProofNeededError and keeps the form if they have not; NotProvedError for a wrong code; ConflictError where
    the form that waited is gone.
    """
    # Codes are the account's, whatever group this is about.
    app = app.with_access(access_of_account(found))
    mark, now = form.get(MARK), app.clock.now()
    if not isinstance(mark, str):
        if not step_up.is_proved(found, now):
            _keep(request, app, found, form)
            raise ProofNeededError
        return form
    path = request.url.path
    with app.reading() as uow:
        waiting = step_up.held(uow, found)
    if waiting is None or (waiting.path, waiting.mark) != (path, mark):
        raise ConflictError("confirm_lost")
    if not step_up.is_proved(found, now):
        try:
            step_up.enter_code(app.units, now, found, typed(form, CODE))
        except RefusedInputError as refused:
            raise NotProvedError(refused) from None
    with app.writing() as uow:
        return FormData([*step_up.take(uow, found, path=path, mark=mark).fields])


@looks_at_proof
def proved(app: OpenApp, found: WhoIsSignedIn) -> SignedIn:
    """Return who is signed in and has just shown who they are. Raises ProofNeededError; nothing waits."""
    if not step_up.is_proved(found, app.clock.now()):
        raise ProofNeededError
    return found


Confirmed = Annotated[FormData, Depends(confirmed)]
WhoIsProved = Annotated[SignedIn, Depends(proved)]


def _keep(request: Request, app: OpenApp, found: SignedIn, form: FormData) -> None:
    """Keep the form, unless it holds what is never kept, and send a code to who has no other proof."""
    if "text/html" not in request.headers.get("accept", ""):
        return
    fields = [(name, value) for name, value in form.multi_items() if isinstance(value, str) and name not in _OURS]
    _refuse_forbidden(fields)
    with app.writing() as uow:
        step_up.hold(uow, found, path=request.url.path, asks=asks_of(request), fields=fields, back=_came_from(request))
        if not step_up.has_passkey(uow, found) and not step_up.has_code(uow, found):
            # One more than the limits allow is asked for on the page, which says when.
            step_up.send_code_if_allowed(uow, found, network=network_of(request))


def _refuse_forbidden(fields: list[tuple[str, str]]) -> None:
    for name, value in fields:
        looks_like = forbidden(value)
        if looks_like is not None:
            raise ForbiddenNumberError(field=name, looks_like=looks_like)
        why = outgoing.unsafe(value, field=name) if name in FREE_WORDS and value else None
        if why is not None:
            raise outgoing.refusal(why, field=name)
    looks_like = forbidden_in_record(value for name, value in fields if name in FREE_WORDS)
    if looks_like is not None:
        raise ForbiddenNumberError(looks_like=looks_like)


def asks_of(request: Request) -> Asks:
    """Return what the route of this request asks a fresh proof for."""
    route = request.scope["route"]
    assert isinstance(route, PageRoute)
    assert route.declared.asks is not None
    return route.declared.asks


def _came_from(request: Request) -> str:
    """Return the page of ours on which the form was filled in."""
    return local_path(urlsplit(request.headers.get("referer", "")).path or "/settings")
