"""The homes of one organisation, for members of several of them: the counts of each, and a way to switch."""

from fastapi import Request
from fastapi.responses import Response

from reminder.planning.reports.organisation import counts
from reminder.storage.auth import authorized
from reminder.web.declared import page_router
from reminder.web.support.authorization import OpenApp, Sees, WhoIsSignedIn
from reminder.web.support.rendering import page

router = page_router()


@router.get("/homes")
def list_homes(request: Request, app: OpenApp, who: Sees, found: WhoIsSignedIn) -> Response:
    """Show the homes in which this account is a member, and no others of the organisation."""
    with app.reading() as uow:
        here = authorized.group(uow.tx, who)
        homes = [(one, counts(uow, one)) for one in authorized.homes(uow.tx, uow.keys, who, found.account_id)]
    return page(request, app, "homes.html", here=here, homes=homes)
