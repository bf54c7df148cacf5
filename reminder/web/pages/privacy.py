"""The privacy notice: what is kept of whom, for what, for how long, who receives it, and whom to ask.

It says what Japan's Act on the Protection of Personal Information (個人情報保護法) asks to be told: articles 21
(purpose of use), 28 (third parties abroad) and 32 (retained personal data, security measures, requests, contact).
"""

from collections.abc import Mapping, Sequence

from fastapi import Request
from fastapi.responses import HTMLResponse

from reminder.channels import registry
from reminder.upkeep.privacy import retention
from reminder.web.declared import page_router
from reminder.web.support.authorization import Anyone, OpenApp
from reminder.web.support.rendering import page
from reminder.wiring import App

router = page_router()

TWILIO, MAIL, LINE, OTHER = "twilio", "mail", "line", "other"
# Which company carries the messages of a channel.
CARRIED_BY: Mapping[str, str] = {"sms": TWILIO, "voice": TWILIO, "email": MAIL, "line": LINE}


def carriers(app: App) -> Sequence[str]:
    """Return those that receive addresses and texts with the present settings, each once."""
    settings = app.settings
    connected = {TWILIO: settings.has_twilio, MAIL: settings.smtp_url is not None}
    used = dict.fromkeys(CARRIED_BY.get(name, OTHER) for name in registry.in_use(settings))
    return [name for name in used if connected.get(name, True)]


@router.get("/privacy")
def privacy_notice(request: Request, app: OpenApp, _: Anyone) -> HTMLResponse:
    """Show the notice to everybody."""
    return page(
        request,
        app,
        "privacy.html",
        contact=app.settings.operator_contact,
        carriers=carriers(app),
        keep_messages_days=app.settings.keep_messages_days,
        two_way=app.settings.two_way_sms,
        words_days=retention.WORDS.days,
        sheet_days=retention.SHEETS.days,
        over_days=retention.SESSIONS.days,
    )
