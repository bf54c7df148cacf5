"""The page that asks once more who somebody is, before what is grave: a code by e-mail, or a passkey."""

from typing import Annotated, Any

from fastapi import Body, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from reminder.domain.parsing.addresses import shown
from reminder.enrolment.identity import codes_held_up, sign_in, step_up
from reminder.errors import ConflictError, RefusedInputError
from reminder.storage.auth import accounts, passkeys
from reminder.storage.auth.sessions import SignedIn
from reminder.web.declared import declares, page_router
from reminder.web.support import webauthn
from reminder.web.support.authorization import Filled, OpenApp, WhoIsSignedIn, access_of_account, from_here, network_of
from reminder.web.support.rendering import go, page, problem_of
from reminder.wiring import App

router = page_router()


@router.get("/confirm")
def ask_for_proof(request: Request, app: OpenApp, found: WhoIsSignedIn) -> Response:
    """Show what waits, and the ways to show who one is."""
    return show(request, app, found)


def show(
    request: Request, app: App, found: SignedIn, refused: RefusedInputError | None = None, status: int = 422
) -> Response:
    """Return the page; without anything that waits, a redirect to the settings."""
    now = app.clock.now()
    with app.reading() as uow:
        waiting = step_up.held(uow, found)
        account = accounts.find(uow.tx, uow.keys, found.account_id)
        held_up = codes_held_up.is_held_up(uow)
        has_code, has_passkey = step_up.has_code(uow, found), step_up.has_passkey(uow, found)
    if waiting is None or account is None:
        return go("/settings")
    return page(
        request,
        app,
        "confirm.html",
        status=status if refused else 200,
        waiting=waiting,
        address=shown(account.address),
        has_code=has_code,
        held_up=held_up,
        has_passkey=has_passkey,
        is_proved=step_up.is_proved(found, now),
        problems=[problem_of(request, app, refused)] if refused else (),
    )


@router.post("/confirm/code")
@declares()
def send_code(request: Request, app: OpenApp, found: WhoIsSignedIn, _form: Filled) -> Response:
    """Send a code to the account's own address."""
    try:
        with app.writing() as uow:
            step_up.send_code(uow, found, network=network_of(request))
    except ConflictError as refused:
        return show(request, app, found, refused, 429)
    return go("/confirm")


@router.post("/confirm/passkey/options")
@declares()
def options_to_confirm(request: Request, app: OpenApp, found: WhoIsSignedIn) -> JSONResponse:
    """Return the options for showing who one is by a passkey."""
    from_here(request, app)
    challenge = sign_in.new_challenge(app.keys, app.clock.now(), found.account_id)
    return JSONResponse(webauthn.options_to_sign_in(webauthn.site_of(request, app), challenge))


@router.post("/confirm/passkey")
@declares(logs=["confirmed"])
def confirm_by_passkey(
    request: Request, app: OpenApp, found: WhoIsSignedIn, credential: Annotated[dict[str, Any], Body()]
) -> JSONResponse:
    """Take the passkey's signature as a fresh proof; the page then goes on with what waits."""
    from_here(request, app)
    with app.reading() as uow:
        known = passkeys.find(uow.tx, uow.keys, webauthn.credential_id(credential))
    if known is None or known.account_id != found.account_id:
        raise RefusedInputError("passkey_unknown")
    challenge, sign_count = webauthn.read_signature(
        webauthn.site_of(request, app), credential, known.public_key, known.sign_count
    )
    with app.writing() as uow:
        is_ours = sign_in.use_challenge(uow, challenge, found.account_id)
    if not is_ours:
        raise RefusedInputError("passkey_refused")
    with app.writing() as uow:
        step_up.enter_passkey(uow, found, passkey_id=known.id, account_id=known.account_id, sign_count=sign_count)
    return JSONResponse({"then": "/confirm"})


def wrong_code(request: Request, app: App, refused: RefusedInputError) -> Response:
    """Return the page again, with why the code was refused."""
    found: SignedIn | None = getattr(request.state, "signed_in", None)
    assert found is not None
    answer = show(request, app.with_access(access_of_account(found)), found, refused)
    assert isinstance(answer, HTMLResponse) or answer.status_code == 303
    return answer
