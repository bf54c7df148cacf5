"""What providers tell us. A signed receipt is kept at once and applied by the next pass: the answer must be quick."""

from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, Header, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from reminder.errors import RefusedInputError
from reminder.storage import receipts
from reminder.wiring import App

router = APIRouter(prefix="/webhooks")


def app_of(request: Request) -> App:
    app: App = request.app.state.app
    return app


@router.post("/twilio/status")
async def twilio_status(
    request: Request,
    app: Annotated[App, Depends(app_of)],
    x_twilio_signature: Annotated[str | None, Header()] = None,
    x_twilio_webhooks_signature_settings: Annotated[str | None, Header()] = None,
) -> Response:
    """What became of a text. Anything not signed by the configured account is 403, and says nothing more."""
    from reminder.channels.signature import TwilioSignature, parse_status

    form = parse_qsl((await request.body()).decode("utf-8", "replace"), keep_blank_values=True)
    signature = TwilioSignature(app.settings.twilio_auth_token, app.settings.public_url or "")
    is_signed = signature.is_valid(
        request.scope["raw_path"].decode("latin-1"),
        request.scope["query_string"].decode("latin-1"),
        form,
        x_twilio_signature,
        x_twilio_webhooks_signature_settings,
    )
    if not is_signed:
        return Response(status_code=403)
    receipt = parse_status(form)
    if receipt is None:
        raise RefusedInputError("request_malformed")
    named = request.query_params.get("m", "")

    def keep() -> None:
        with app.database.writing() as tx:
            receipts.keep(
                tx,
                provider_id=receipt.provider_id,
                status=receipt.status,
                error_code=None if receipt.error_code is None else str(receipt.error_code),
                message_id=int(named) if named.isascii() and named.isdigit() and len(named) < 19 else None,
                now=app.clock.now(),
            )

    await run_in_threadpool(keep)
    return Response(status_code=204)
