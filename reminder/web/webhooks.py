"""Webhooks of providers. A signed event is stored at once and the next pass works on it: the answer must be quick."""

from collections.abc import Callable
from typing import Annotated, TypeVar
from urllib.parse import parse_qsl, quote

from fastapi import Depends, Header, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reminder.clock import monotonic, pause
from reminder.conversation import call_flow, inbox
from reminder.delivery import apply_receipts, record_bounces, send_canaries
from reminder.domain.parsing.bounces import Bounce, named, read_report, read_returned
from reminder.errors import DatabaseNotReadyError, RefusedInputError
from reminder.storage.auth.signed_links import is_bounces_mark
from reminder.storage.db.row_security import Access, AccessScope
from reminder.storage.db.unit_of_work import CurrentAccess
from reminder.web.declared import declares, page_router
from reminder.wiring import App

router = page_router(prefix="/webhooks")

T = TypeVar("T")
Form = list[tuple[str, str]]
MOST_FIELDS = 200
# The group is that of the message, call or telephone number that a provider's event names.
OF_PROVIDERS = Access(scope=AccessScope.PROVIDER)


def access_of(request: Request) -> CurrentAccess:
    """Return for whom the units of this request act: nobody until a rule has found who asks."""
    if not hasattr(request.state, "access"):
        request.state.access = CurrentAccess()
    access: CurrentAccess = request.state.access
    return access


def app_of(request: Request) -> App:
    """Return the App for this request."""
    app: App = request.app.state.app
    return app.with_access(access_of(request))


OpenApp = Annotated[App, Depends(app_of)]


async def signed_form(
    request: Request,
    app: OpenApp,
    x_twilio_signature: Annotated[str | None, Header()] = None,
    x_twilio_webhooks_signature_settings: Annotated[str | None, Header()] = None,
) -> Form:
    """Return the fields in order. A request that the configured account has not signed gets a bare 403."""
    from reminder.channels.twilio.webhooks import TwilioSignature

    body = await request.body()

    def checked() -> Form:
        # Twilio sends some forty fields.
        if body.count(b"&") >= MOST_FIELDS:
            raise NotSignedError
        form = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
        signature = TwilioSignature(app.settings.twilio_auth_token, app.settings.public_url or "")
        is_signed = signature.is_valid(
            request.scope["raw_path"].decode("latin-1"),
            request.scope["query_string"].decode("latin-1"),
            form,
            x_twilio_signature,
            x_twilio_webhooks_signature_settings,
        )
        if not is_signed:
            raise NotSignedError
        return form

    form = await run_in_threadpool(checked)
    access_of(request).now = OF_PROVIDERS
    return form


class NotSignedError(Exception):
    """The request is not signed by our provider."""


async def answer_not_signed(_request: Request, _raised: Exception) -> Response:
    """Return a bare 403."""
    return Response(status_code=403)


SignedForm = Annotated[Form, Depends(signed_form)]


@router.post("/twilio/status")
@declares()
async def twilio_status(request: Request, app: OpenApp, form: SignedForm) -> Response:
    """Store the receipt of a text or a call."""
    from reminder.channels.twilio.webhooks import parse_status

    receipt = parse_status(form)
    if receipt is None:
        raise RefusedInputError("request_malformed")

    def keep() -> None:
        with app.writing() as uow:
            apply_receipts.keep_from_twilio(
                uow,
                provider_id=receipt.provider_id,
                status=receipt.status,
                error_code=None if receipt.error_code is None else str(receipt.error_code),
                reference=named_message(request),
                seconds=receipt.seconds,
            )

    await _patiently(keep)
    return Response(status_code=204)


# A provider waits fifteen seconds for an answer, and most repeat nothing that was refused.
_PATIENCE, _BETWEEN = 8.0, 0.5


async def _patiently(work: Callable[[], T]) -> T:
    """Run it in a thread; again after a moment, while the database is locked, busy or restarting."""
    until = monotonic() + _PATIENCE
    while True:
        try:
            return await run_in_threadpool(work)
        except DatabaseNotReadyError as not_ready:
            if not not_ready.is_short or monotonic() >= until:
                raise
        await pause(_BETWEEN)


def named_message(request: Request) -> str:
    """Return our reference to the message that an event is about, from the address that we gave to the provider."""
    named = request.query_params.getlist("m")
    return named[0] if len(named) == 1 else ""


# Nothing is said on the telephone; the next pass answers.
_SILENCE = '<?xml version="1.0" encoding="UTF-8"?><Response/>'


@router.post("/twilio/sms")
@declares(logs=["contact_stopped", "contact_confirmed", "card_acknowledged"])
async def twilio_sms(app: OpenApp, form: SignedForm) -> Response:
    """Store an incoming text. A repeated one changes nothing, a stranger gets no answer."""
    from reminder.channels.twilio.webhooks import parse_inbound

    inbound = parse_inbound(form)
    if inbound is None:
        raise RefusedInputError("request_malformed")
    said = inbox.InboundText(inbound.provider_id, inbound.sender, inbound.text)

    def keep() -> None:
        with app.writing() as uow:
            inbox.keep(uow, said)

    await _patiently(keep)
    return Response(_SILENCE, media_type="text/xml")


@router.post("/twilio/voice")
@declares()
async def twilio_voice(request: Request, app: OpenApp, form: SignedForm, turn: int = 0) -> Response:
    """Return the next turn of a call: when somebody has answered, and when a key was pressed."""
    from reminder.channels.twilio.webhooks import parse_call
    from reminder.channels.voice.client import render_turn

    on_call, reference = parse_call(form), named_message(request)
    if on_call is None or not reference or not 0 <= turn <= 2:
        raise RefusedInputError("request_malformed")
    asked = call_flow.CallEvent(
        reference, on_call.provider_id, on_call.is_machine, turn, on_call.key, on_call.answered_by
    )
    now = app.clock.now()
    spoken, language = await _patiently(lambda: call_flow.answer(app.units, now, asked))
    facts = app.rules.wording.of(language).facts
    twiml = render_turn(
        spoken,
        language=facts.speech,
        voice=facts.voice or app.settings.call_voice,
        rate=app.settings.call_rate,
        action=f"{app.settings.public_url}/webhooks/twilio/voice?m={quote(reference)}&turn={spoken.number}",
    )
    return Response(twiml, media_type="text/xml")


def secret_address(request: Request, app: OpenApp, mark: str) -> None:
    """Check the secret in the address, which only the operator gives out; else 403, before the body is read."""
    if not is_bounces_mark(app.keys, mark):
        raise NotSignedError
    access_of(request).now = OF_PROVIDERS


class BounceNotice(BaseModel):
    """A bounce as a provider's program reports it.

    One of the first two fields names the mail. `status` is the enhanced code (RFC 3463); one that begins with 5 is
    final unless `is_final` says otherwise.
    """

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    return_path: str = Field("", max_length=400)
    message_id: str = Field("", max_length=400)
    status: str = Field(max_length=40)
    is_final: bool | None = None

    def read(self) -> Bounce | None:
        """Return the bounce, or None if it names no mail of ours."""
        is_final = self.status.strip().startswith("5") if self.is_final is None else self.is_final
        # Programs write it with and without its brackets.
        return named(self.return_path, f"<{self.message_id.strip(' <>')}>", self.status, is_final=is_final)


@router.post("/mail/bounce/{mark}", dependencies=[Depends(secret_address)])
@declares()
async def mail_bounce(request: Request, app: OpenApp) -> Response:
    """Store a bounce: the report itself (RFC 3464), or a short JSON object; or that a canary has come back.

    What is not about a mail of ours gets the same answer, so that nobody sends it again.
    """
    body = await request.body()
    is_json = request.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"

    def keep() -> None:
        bounce = _read_notice(body) if is_json else read_report(body)
        returned = frozenset[str]() if is_json or bounce is not None else read_returned(body)
        if bounce is not None:
            with app.writing() as uow:
                record_bounces.keep(uow, bounce)
        elif returned:
            with app.writing() as uow:
                send_canaries.keep_return(uow, returned)

    await _patiently(keep)
    return Response(status_code=204)


def _read_notice(body: bytes) -> Bounce | None:
    try:
        return BounceNotice.model_validate_json(body).read()
    except ValidationError:
        raise RefusedInputError("request_malformed") from None
