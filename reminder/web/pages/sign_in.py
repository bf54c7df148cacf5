"""Pages for signing in and out: a code by e-mail, then a passkey if wanted; never a password, never a link."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

from fastapi import Body, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from reminder.domain.text.safe_words import safe_sender
from reminder.enrolment.identity import codes_held_up, membership, sign_in, sign_up, step_up
from reminder.enrolment.identity.sign_in import Entered
from reminder.enrolment.identity.sign_up import SignUp
from reminder.errors import ConflictError, NotFoundError, RefusedInputError
from reminder.storage.auth import accounts, passkeys
from reminder.storage.auth.accounts import InvitationView
from reminder.web.declared import Asks, declares, page_router
from reminder.web.support import webauthn
from reminder.web.support.authorization import (
    Anyone,
    Filled,
    OpenApp,
    WhoIsSignedIn,
    cookie_name,
    from_here,
    is_https,
    network_of,
    session_cookie,
)
from reminder.web.support.confirmation import Confirmed, WhoIsProved
from reminder.web.support.rendering import (
    LANGUAGE_COOKIE,
    SIZE_COOKIE,
    SIZES,
    device_of,
    go,
    kept,
    language_of,
    local_path,
    page,
    problem_of,
    typed,
    with_cookie,
    words_of,
)
from reminder.wiring import App

router = page_router()

# The cookie of a browser that waits for its code, and the page that it wanted to open.
BROWSER_COOKIE, NEXT_COOKIE = "kigen_browser", "kigen_next"
CODE_COOKIE_LASTS = 15 * 60
# The cookie of a browser in which somebody has signed in: its requests for codes are not counted with strangers'.
KNOWN_COOKIE = "kigen_known"


@router.get("/sign-in")
def ask_for_address(request: Request, app: OpenApp, found: Anyone) -> Response:
    """Show the form for the address."""
    if found is not None:
        return go("/")
    return _sign_in_page(request, app)


def _sign_in_page(request: Request, app: App, status: int = 200, **values: object) -> HTMLResponse:
    with app.reading() as uow:
        needs_setup_code = sign_up.needs_setup_code(uow, _rule(app))
        held_up = codes_held_up.is_held_up(uow)
    shown = {"typed": {}, "held_up": held_up, "needs_setup_code": needs_setup_code, **values}
    return page(request, app, "sign_in.html", status=status, **shown)


def _rule(app: App) -> SignUp:
    return SignUp(app.settings.sign_up)


@router.post("/sign-in")
@declares()
def send_code(request: Request, app: OpenApp, _found: Anyone, form: Filled) -> Response:
    """Send a code. The answer is the same whether or not the address is known.

    While the installation has no owner, nothing is sent without the setup code: it decides who that owner is.
    """
    rule = _rule(app)
    try:
        with app.reading() as uow:
            is_first = sign_up.needs_setup_code(uow, rule)
        if is_first:
            sign_up.check_setup_code(app.units, app.clock.now(), typed(form, "setup_code"))
        with app.writing() as uow:
            browser = sign_in.ask_for_code(
                uow,
                email=typed(form, "email"),
                network=network_of(request),
                browser=request.cookies.get(cookie_name(app, BROWSER_COOKIE)),
                known=request.cookies.get(cookie_name(app, KNOWN_COOKIE)),
                language=language_of(request),
                sign_up=is_first or rule is SignUp.OPEN,
            )
    except ConflictError as refused:
        return _sign_in_page(request, app, 429, typed=kept(form), problems=[problem_of(request, app, refused)])
    except RefusedInputError as refused:
        return _sign_in_page(request, app, 422, typed=kept(form), problems=[problem_of(request, app, refused)])
    answer = go("/sign-in/code")
    with_cookie(answer, cookie_name(app, BROWSER_COOKIE), browser, secure=is_https(app), lasts=CODE_COOKIE_LASTS)
    return answer


@router.get("/sign-in/code")
def ask_for_code(request: Request, app: OpenApp, found: Anyone) -> Response:
    """Show the form for the code."""
    if found is not None:
        return go("/")
    if not request.cookies.get(cookie_name(app, BROWSER_COOKIE)):
        return go("/sign-in")
    return _code_page(request, app)


def _code_page(request: Request, app: App, status: int = 200, **values: object) -> HTMLResponse:
    with app.reading() as uow:
        held_up = codes_held_up.is_held_up(uow)
    return page(request, app, "sign_in_code.html", status=status, held_up=held_up, **values)


@router.post("/sign-in/code")
@declares(logs=["signed_in"])
def enter_code(request: Request, app: OpenApp, _found: Anyone, form: Filled) -> Response:
    """Sign in with the code."""
    try:
        entered = sign_in.enter_code(
            app.units,
            app.clock.now(),
            browser=request.cookies.get(cookie_name(app, BROWSER_COOKIE), ""),
            known=request.cookies.get(cookie_name(app, KNOWN_COOKIE)),
            code=typed(form, "code"),
            device=device_of(request),
            language=language_of(request),
            sign_up=_rule(app),
        )
    except RefusedInputError as refused:
        return _code_page(request, app, 422, problems=[problem_of(request, app, refused)])
    with app.reading() as uow:
        has_passkey = bool(passkeys.of_account(uow.tx, entered.account_id))
    to = "/welcome" if not entered.is_member else "/passkey" if not has_passkey else _wanted(request, app)
    return _inside(request, app, entered, go(to))


def _wanted(request: Request, app: App) -> str:
    return local_path(request.cookies.get(cookie_name(app, NEXT_COOKIE)))


def _inside(request: Request, app: App, entered: Entered, answer: Response) -> Response:
    """Return the answer with the cookie of the new session; whatever the browser held before is invalid."""
    old = request.cookies.get(session_cookie(app))
    before = sign_in.session_of(app.units, app.clock.now(), old) if old else None
    if before is not None:
        with app.writing() as uow:
            sign_in.leave(uow, before)
    lasts = int(sign_in.SEEN_WITHIN.total_seconds())
    with_cookie(answer, session_cookie(app), entered.token, secure=is_https(app), lasts=lasts)
    with_cookie(answer, cookie_name(app, KNOWN_COOKIE), entered.known, secure=is_https(app))
    name = cookie_name(app, BROWSER_COOKIE)
    answer.delete_cookie(name, path="/", secure=is_https(app), httponly=True, samesite="lax")
    return answer


@router.post("/sign-out")
@declares(logs=["signed_out"])
def sign_out(app: OpenApp, found: WhoIsSignedIn, _form: Filled) -> Response:
    """End the session."""
    with app.writing() as uow:
        sign_in.leave(uow, found)
    answer = go("/sign-in")
    answer.delete_cookie(session_cookie(app), path="/", secure=is_https(app), httponly=True)
    return answer


@router.post("/look")
@declares()
def choose_look(request: Request, app: OpenApp, found: Anyone, form: Filled) -> Response:
    """Set language and text size in this browser, and the language of the member who is signed in."""
    answer = go(local_path(typed(form, "back")))
    language, size = typed(form, "language"), typed(form, "size")
    if language in request.app.state.pages:
        with_cookie(answer, LANGUAGE_COOKIE, language, secure=is_https(app))
        if found is not None:
            with app.writing() as uow:
                accounts.set_language(uow.tx, found.account_id, uow.rules.language(language))
    if size in SIZES:
        with_cookie(answer, SIZE_COOKIE, size, secure=is_https(app))
    return answer


@router.get("/passkey")
def offer_passkey(request: Request, app: OpenApp, found: WhoIsSignedIn) -> HTMLResponse:
    """Offer to register a passkey."""
    is_proved = step_up.is_proved(found, app.clock.now())
    return page(request, app, "passkey.html", then=_wanted(request, app), is_proved=is_proved)


@router.post("/passkey/begin")
@declares(asks=Asks.PASSKEY)
def begin_passkey(_found: WhoIsSignedIn, _form: Confirmed) -> Response:
    """Lead back to the page that registers a passkey, which a fresh proof has opened."""
    return go("/passkey")


@router.post("/passkey/options")
@declares(asks=Asks.PASSKEY)
def options_to_register(request: Request, app: OpenApp, found: WhoIsProved) -> JSONResponse:
    """Return the options for registering a passkey."""
    from_here(request, app)
    with app.reading() as uow:
        account = accounts.find(uow.tx, uow.keys, found.account_id)
        known = [one.credential_id for one in passkeys.of_account(uow.tx, found.account_id)]
    challenge = sign_in.new_challenge(app.keys, app.clock.now(), found.account_id)
    assert account is not None
    return JSONResponse(webauthn.options_to_register(webauthn.site_of(request, app), account, challenge, known))


@router.post("/passkey")
@declares(asks=Asks.PASSKEY, logs=["passkey_added"])
def register_passkey(
    request: Request, app: OpenApp, found: WhoIsProved, credential: Annotated[dict[str, Any], Body()]
) -> JSONResponse:
    """Register a passkey."""
    from_here(request, app)
    challenge, made = webauthn.read_registration(webauthn.site_of(request, app), credential)
    with app.writing() as uow:
        if not sign_in.use_challenge(uow, challenge, found.account_id):
            raise RefusedInputError("passkey_refused")
        sign_in.add_passkey(
            uow,
            found,
            credential_id=made.credential_id,
            public_key=made.credential_public_key,
            sign_count=made.sign_count,
            device=device_of(request),
        )
    return JSONResponse({"then": "/"})


@router.post("/sign-in/passkey/options")
@declares()
def options_to_sign_in(request: Request, app: OpenApp, _found: Anyone) -> JSONResponse:
    """Return the options for signing in with a passkey."""
    from_here(request, app)
    challenge = sign_in.new_challenge(app.keys, app.clock.now(), None)
    return JSONResponse(webauthn.options_to_sign_in(webauthn.site_of(request, app), challenge))


@router.post("/sign-in/passkey")
@declares(logs=["signed_in"])
def sign_in_by_passkey(
    request: Request, app: OpenApp, _found: Anyone, credential: Annotated[dict[str, Any], Body()]
) -> Response:
    """Sign in with a passkey."""
    from_here(request, app)
    with app.reading() as uow:
        known = passkeys.find(uow.tx, uow.keys, webauthn.credential_id(credential))
    if known is None:
        raise RefusedInputError("passkey_unknown")
    challenge, sign_count = webauthn.read_signature(
        webauthn.site_of(request, app), credential, known.public_key, known.sign_count
    )
    with app.writing() as uow:
        is_ours = sign_in.use_challenge(uow, challenge, None)
    if not is_ours:
        raise RefusedInputError("passkey_refused")
    with app.writing() as uow:
        entered = sign_in.enter_with_passkey(
            uow,
            passkey_id=known.id,
            account_id=known.account_id,
            sign_count=sign_count,
            device=device_of(request),
            known=request.cookies.get(cookie_name(app, KNOWN_COOKIE)),
        )
    return _inside(
        request, app, entered, JSONResponse({"then": _wanted(request, app) if entered.is_member else "/welcome"})
    )


@router.get("/welcome")
def welcome(request: Request, app: OpenApp, found: WhoIsSignedIn) -> Response:
    """Show invitations and the form for a new household to somebody without a group, or invited to one more."""
    return _welcome(request, app, found)


def _welcome(request: Request, app: App, found: WhoIsSignedIn, status: int = 200, **values: object) -> HTMLResponse:
    with app.reading() as uow:
        account = accounts.find(uow.tx, uow.keys, found.account_id)
        assert account is not None
        invited = _shown(request, app, accounts.invitations_to(uow.tx, uow.keys, account.address, uow.now))
        may_found = sign_up.may_found(uow, _rule(app), account.id)
    shown = {"account": account, "invited": invited, "may_found": may_found, "typed": {}, **values}
    return page(request, app, "welcome.html", status=status, **shown)


@router.post("/welcome")
@declares(logs=["group_added", "member_added"])
def found_household(request: Request, app: OpenApp, found: WhoIsSignedIn, form: Filled) -> Response:
    """Found a household."""
    with app.reading() as uow:
        if not sign_up.may_found(uow, _rule(app), found.account_id):
            raise NotFoundError("page_not_found")
    try:
        with app.writing() as uow:
            membership.found_household(
                uow,
                signed_in=found,
                name=typed(form, "group_name"),
                member_name=typed(form, "member_name"),
                on_trial=_rule(app) is SignUp.OPEN,
            )
    except RefusedInputError as refused:
        return _welcome(request, app, found, 422, typed=kept(form), problems=[problem_of(request, app, refused)])
    return go("/passkey")


@router.get("/invitations/{invitation_id}")
def show_invitation(request: Request, app: OpenApp, found: WhoIsSignedIn, invitation_id: int) -> Response:
    """Show an invitation; only the button answers it."""
    with app.reading() as uow:
        account = accounts.find(uow.tx, uow.keys, found.account_id)
        assert account is not None
        mine = [
            one
            for one in accounts.invitations_to(uow.tx, uow.keys, account.address, uow.now)
            if one.id == invitation_id
        ]
    if not mine:
        raise NotFoundError("page_not_found")
    invited = _shown(request, app, mine)
    return page(request, app, "welcome.html", account=account, invited=invited, may_found=False, typed={})


def _shown(request: Request, app: App, invited: Sequence[InvitationView]) -> list[InvitationView]:
    """Return the invitations with names of groups that may be shown to a stranger."""
    words = app.rules.wording.of(words_of(request).language)
    return [replace(one, group=safe_sender(words, one.group)) for one in invited]


@router.post("/invitations/{invitation_id}")
@declares(logs=["member_added", "invitation_ended"])
def answer_invitation(app: OpenApp, found: WhoIsSignedIn, invitation_id: int, form: Filled) -> Response:
    """Accept or decline an invitation."""
    accepts = typed(form, "answer") == "yes"
    with app.writing() as uow:
        membership.answer(uow, signed_in=found, invitation_id=invitation_id, accepts=accepts)
    return go("/" if accepts else "/welcome")
