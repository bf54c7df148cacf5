"""Pages of settings: oneself, the group, its preferences, members, devices, programs, the calendar, one's data."""

from collections.abc import Mapping

from fastapi import Request
from fastapi.responses import HTMLResponse, Response

from reminder.domain.model.access import Actor
from reminder.domain.model.account_acts import AccountAct
from reminder.domain.model.people import Copies, GroupKind, Role
from reminder.domain.parsing.days_before import read_days
from reminder.domain.rules.preferences import Preferences, read_hour
from reminder.enrolment import preferences
from reminder.enrolment.identity import api_tokens, membership, owner_mails, sign_in
from reminder.errors import NotFoundError, RefusedInputError, UnknownChoiceError
from reminder.storage.auth import accounts, authorized, passkeys
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.registry import contacts
from reminder.storage.registry.groups import GroupView
from reminder.upkeep.calendar import feeds
from reminder.upkeep.privacy import erasure, export
from reminder.web.declared import Asks, declares, page_router
from reminder.web.support.authorization import Filled, OpenApp, Owns, Sees, WhoIsSignedIn, is_https, session_cookie
from reminder.web.support.confirmation import Confirmed
from reminder.web.support.rendering import go, kept, page, problem_of, typed, unsafe_words_of, words_of
from reminder.wiring import App

router = page_router()
INVITABLE = (Role.EDITOR, Role.VIEWER, Role.OWNER)


@router.get("/settings")
def settings(request: Request, app: OpenApp, who: Sees) -> Response:
    """Show the list of settings."""
    with app.reading() as uow:
        group = authorized.group(uow.tx, who)
    return page(request, app, "settings.html", group=group)


@router.get("/settings/me")
def me(request: Request, app: OpenApp, who: Sees) -> Response:
    """Show the member's own settings."""
    return _me(request, app, who)


def _me(request: Request, app: App, who: Actor, refused: RefusedInputError | None = None) -> HTMLResponse:
    with app.reading() as uow:
        mine = accounts.member(uow.tx, uow.keys, who.member_id)
        own = contacts.of_member(uow.tx, uow.keys, who.member_id)
    return page(
        request,
        app,
        "settings_me.html",
        status=422 if refused else 200,
        me=mine,
        contacts=own,
        problems=[problem_of(request, app, refused)] if refused else (),
    )


@router.post("/settings/me")
@declares(logs=["member_changed"])
def change_me(request: Request, app: OpenApp, who: Sees, form: Filled) -> Response:
    """Change the member's own settings, which every role may do."""
    try:
        copies = typed(form, "copies")
        if copies not in list(Copies):
            raise UnknownChoiceError(field="copies", choices=list(Copies))
        with app.writing() as uow:
            membership.rename_member(uow, who=who, name=typed(form, "member_name"))
            preferences.set_copies(uow, member_id=who.member_id, copies=Copies(copies), by=who.member_id)
    except RefusedInputError as refused:
        return _me(request, app, who, refused)
    return go("/settings")


@router.get("/settings/group")
def group(request: Request, app: OpenApp, who: Sees) -> Response:
    """Show the settings of the group."""
    with app.reading() as uow:
        found = authorized.group(uow.tx, who)
    return _group(request, app, who, _as_typed(found))


def _as_typed(group: GroupView) -> Mapping[str, str]:
    has = group.preferences
    return {
        "group_name": group.name,
        "organisation": group.organisation,
        "preset": has.preset,
        "own_days": " ".join(map(str, has.own_days)),
        "send_hour": "" if has.send_hour is None else str(has.send_hour),
        "on_holidays": "yes" if has.on_holidays else "",
    }


def _group(
    request: Request, app: App, who: Actor, shown: Mapping[str, str], refused: RefusedInputError | None = None
) -> HTMLResponse:
    with app.reading() as uow:
        is_home = authorized.group(uow.tx, who).kind is GroupKind.HOME
    return page(
        request,
        app,
        "settings_group.html",
        is_home=is_home,
        status=422 if refused else 200,
        typed=shown,
        presets=app.rules.schedules.presets,
        problems=[problem_of(request, app, refused)]
        if refused
        else unsafe_words_of(request, app, [("group_name", shown.get("group_name"))]),
    )


@router.post("/settings/group")
@declares(logs=["group_changed", "preferences_changed"])
def change_group(request: Request, app: OpenApp, who: Owns, form: Filled) -> Response:
    """Change the name and the preferences of the group."""
    try:
        wanted = Preferences(
            preset=typed(form, "preset"),
            own_days=read_days(typed(form, "own_days")),
            send_hour=read_hour(typed(form, "send_hour")),
            on_holidays=typed(form, "on_holidays") == "yes",
        ).checked(app.rules.schedules.presets)
        with app.writing() as uow:
            membership.rename_group(uow, who=who, name=typed(form, "group_name"))
            if "organisation" in form:
                said = typed(form, "organisation")
                membership.set_organisation(uow, group_id=who.group_id, organisation=said, by=who.member_id)
            preferences.set_preferences(uow, group_id=who.group_id, preferences=wanted, by=who.member_id)
    except RefusedInputError as refused:
        return _group(request, app, who, kept(form), refused)
    return go("/settings")


# Members.


@router.get("/settings/members")
def members(request: Request, app: OpenApp, who: Sees) -> Response:
    """Show the members and invitations."""
    return _members(request, app, who, {})


def _members(
    request: Request, app: App, who: Actor, shown: Mapping[str, str], refused: RefusedInputError | None = None
) -> HTMLResponse:
    with app.reading() as uow:
        is_home = authorized.group(uow.tx, who).kind is GroupKind.HOME
        everyone = accounts.members(uow.tx, uow.keys, who.group_id)
        invited = accounts.invitations_of(uow.tx, uow.keys, who.group_id, uow.now)
    return page(
        request,
        app,
        "settings_members.html",
        status=422 if refused else 200,
        is_home=is_home,
        members=everyone,
        invited=invited,
        roles=INVITABLE,
        typed=shown,
        problems=[problem_of(request, app, refused)] if refused else (),
    )


def _role(value: str) -> Role:
    if value not in list(Role):
        raise UnknownChoiceError(field="role", choices=list(Role))
    return Role(value)


@router.post("/settings/members")
@declares(asks=Asks.MEMBER, logs=["member_invited"])
def invite(request: Request, app: OpenApp, who: Owns, form: Confirmed) -> Response:
    """Invite an address."""
    try:
        with app.writing() as uow:
            membership.invite(uow, who=who, email=typed(form, "email"), role=_role(typed(form, "role")))
    except RefusedInputError as refused:
        return _members(request, app, who, kept(form), refused)
    return go("/settings/members")


@router.post("/settings/members/leave")
@declares(asks=Asks.MEMBER, logs=["member_removed"])
def leave_group(request: Request, app: OpenApp, who: Sees, _form: Confirmed) -> Response:
    """Leave the group."""
    try:
        with app.writing() as uow:
            membership.remove(uow, who=who, member_id=who.member_id)
    except RefusedInputError as refused:
        return _members(request, app, who, {}, refused)
    return go("/welcome")


@router.post("/settings/members/{member_id}")
@declares(asks=Asks.MEMBER, logs=["member_changed", "member_removed"])
def change_member(request: Request, app: OpenApp, who: Owns, member_id: int, form: Confirmed) -> Response:
    """Change a member's role, or remove them from the group."""
    try:
        with app.writing() as uow:
            authorized.member(uow.tx, who, member_id)
            if typed(form, "act") == "remove":
                membership.remove(uow, who=who, member_id=member_id)
            else:
                membership.set_role(uow, who=who, member_id=member_id, role=_role(typed(form, "role")))
    except NotFoundError:
        raise
    except RefusedInputError as refused:
        return _members(request, app, who, {}, refused)
    return go("/settings/members")


@router.post("/settings/invitations/{invitation_id}")
@declares(logs=["invitation_ended"])
def take_invitation_back(app: OpenApp, who: Owns, invitation_id: int, _form: Filled) -> Response:
    """Withdraw an invitation."""
    with app.writing() as uow:
        membership.take_back(uow, who=who, invitation_id=invitation_id)
    return go("/settings/members")


# Devices and passkeys.


@router.get("/settings/devices")
def show_devices(request: Request, app: OpenApp, found: WhoIsSignedIn) -> Response:
    """Show the devices and passkeys of the account."""
    with app.reading() as uow:
        devices = sign_in.devices(uow, found.account_id)
        keys = passkeys.of_account(uow.tx, found.account_id)
    return page(
        request,
        app,
        "settings_devices.html",
        devices=devices,
        passkeys=keys,
        present=found.session_id,
    )


@router.post("/settings/devices")
@declares(logs=["devices_signed_out"])
def leave_other_devices(app: OpenApp, found: WhoIsSignedIn, _form: Filled) -> Response:
    """End the other sessions of the account."""
    with app.writing() as uow:
        sign_in.leave_everywhere_else(uow, found)
    return go("/settings/devices")


@router.post("/settings/devices/all")
@declares(logs=["devices_signed_out"])
def leave_everywhere(app: OpenApp, found: WhoIsSignedIn, _form: Filled) -> Response:
    """End all sessions of the account, this one too."""
    with app.writing() as uow:
        sign_in.leave_everywhere(uow, found.account_id)
    answer = go("/sign-in")
    answer.delete_cookie(session_cookie(app), path="/", secure=is_https(app), httponly=True)
    return answer


@router.post("/settings/devices/{session_id}")
@declares(logs=["device_signed_out"])
def leave_device(app: OpenApp, found: WhoIsSignedIn, session_id: int, _form: Filled) -> Response:
    """End a session of the account; somebody else's is not found."""
    with app.writing() as uow:
        if not sign_in.leave(uow, found, session_id):
            raise NotFoundError("page_not_found")
    return go("/settings/devices")


@router.post("/settings/passkeys/{passkey_id}")
@declares(asks=Asks.PASSKEY, logs=["passkey_removed"])
def remove_passkey(app: OpenApp, found: WhoIsSignedIn, passkey_id: int, _form: Confirmed) -> Response:
    """Remove a passkey."""
    with app.writing() as uow:
        if not sign_in.remove_passkey(uow, found, passkey_id):
            raise NotFoundError("page_not_found")
    return go("/settings/devices")


# Programs.


@router.get("/settings/tokens")
def show_tokens(request: Request, app: OpenApp, who: Owns) -> Response:
    """Show the API tokens of the group."""
    return _tokens(request, app, who)


def _tokens(
    request: Request, app: App, who: Actor, made: str | None = None, refused: RefusedInputError | None = None
) -> HTMLResponse:
    with app.reading() as uow:
        present = api_tokens.tokens_of(uow, who)
    return page(
        request,
        app,
        "settings_tokens.html",
        status=422 if refused else 200,
        tokens=present,
        made=made,
        problems=[problem_of(request, app, refused)] if refused else (),
    )


@router.post("/settings/tokens")
@declares(asks=Asks.TOKEN, logs=["token_made"])
def make_token(request: Request, app: OpenApp, who: Owns, form: Confirmed) -> Response:
    """Make a token and show it once: in this answer, because a redirect would have to store it."""
    try:
        with app.writing() as uow:
            made = api_tokens.make_token(uow, who=who, name=typed(form, "token_name"), scopes=[typed(form, "scope")])
    except RefusedInputError as refused:
        return _tokens(request, app, who, refused=refused)
    return _tokens(request, app, who, made)


@router.post("/settings/tokens/{token_id}")
@declares(asks=Asks.TOKEN, logs=["token_revoked"])
def revoke_token(app: OpenApp, who: Owns, token_id: int, _form: Confirmed) -> Response:
    """Revoke a token."""
    with app.writing() as uow:
        api_tokens.revoke_token(uow, who=who, token_id=token_id)
    return go("/settings/tokens")


# The calendar.


@router.get("/settings/calendar")
def calendar(request: Request, app: OpenApp, who: Sees) -> Response:
    """Show the member's calendar feeds."""
    return _calendar(request, app, who)


def _calendar(request: Request, app: App, who: Actor, made: str | None = None) -> HTMLResponse:
    with app.reading() as uow:
        mine = feeds.feeds_of(uow, who.member_id)
    return page(
        request,
        app,
        "settings_calendar.html",
        feeds=mine,
        made=made,
        address=app.settings.public_url or f"http://{request.headers.get('host', '')}",
    )


@router.post("/settings/calendar")
@declares(asks=Asks.CALENDAR, logs=["feed_made"])
def make_feed(request: Request, app: OpenApp, who: Sees, form: Confirmed) -> Response:
    """Make a calendar feed and show its address once."""
    with app.writing() as uow:
        made = feeds.make_feed(uow, member_id=who.member_id, is_private=typed(form, "private") == "yes")
        owner_mails.tell_group(uow, AccountAct.CALENDAR_MADE, who.group_id, device=who.device, by=who.member_id)
    return _calendar(request, app, who, made)


@router.post("/settings/calendar/{feed_id}")
@declares(logs=["feed_revoked"])
def revoke_feed(app: OpenApp, who: Sees, feed_id: int, _form: Filled) -> Response:
    """Revoke a calendar feed."""
    with app.writing() as uow:
        feeds.revoke_feed(uow, member_id=who.member_id, feed_id=feed_id)
    return go("/settings/calendar")


@router.get("/feeds/{token}")
def read_feed(app: OpenApp, token: str) -> Response:
    """Return the calendar. Calendar programs cannot sign in, so the address itself is the secret."""
    with app.reading() as uow:
        found = feeds.read_feed(uow, token.removesuffix(".ics"))
    return Response(found, media_type="text/calendar; charset=utf-8")


# One's data.


@router.get("/settings/data")
def data(request: Request, app: OpenApp, who: Sees) -> Response:
    """Show the page about the group's data."""
    with app.reading() as uow:
        found = authorized.group(uow.tx, who)
    return page(request, app, "settings_data.html", group=found)


@router.post("/settings/data/export.json")
@declares(asks=Asks.EXPORT, logs=["exported"])
def export_json(app: OpenApp, who: Owns, _form: Confirmed) -> Response:
    """Return the export as JSON."""
    # The whole export is read before the first byte leaves: a slow reader must not keep a transaction open.
    with app.writing() as uow:
        _record_export(uow, who)
    with app.reading() as uow:
        text = "".join(export.export_json(uow, group_id=who.group_id))
    return Response(
        text,
        media_type="application/json",
        headers={"content-disposition": 'attachment; filename="kigen-dayori.json"'},
    )


@router.post("/settings/data/export.html")
@declares(asks=Asks.EXPORT, logs=["exported"])
def export_page(request: Request, app: OpenApp, who: Owns, _form: Confirmed) -> Response:
    """Return the export as a page."""
    with app.writing() as uow:
        _record_export(uow, who)
    with app.reading() as uow:
        found = export.export_group(uow, group_id=who.group_id)
    text = export.export_page(found, app.rules, words_of(request).language)
    return Response(
        text,
        media_type="text/html; charset=utf-8",
        headers={"content-disposition": 'attachment; filename="kigen-dayori.html"'},
    )


def _record_export(uow: UnitOfWork, who: Actor) -> None:
    export.record_export(uow, group_id=who.group_id, by=who.member_id)
    owner_mails.tell_group(uow, AccountAct.EXPORTED, who.group_id, device=who.device, by=who.member_id)


@router.get("/settings/data/erase")
def ask_whether_to_erase(request: Request, app: OpenApp, who: Owns) -> Response:
    """Ask whether to erase the group."""
    with app.reading() as uow:
        found = authorized.group(uow.tx, who)
    return page(request, app, "sure.html", what="erase_group", name=found.name, back="/settings/data")


@router.post("/settings/data/erase")
@declares(asks=Asks.ERASE, logs=["group_erased"])
def erase_group(app: OpenApp, who: Owns, _form: Confirmed) -> Response:
    """Erase the group."""
    erasure.erase_group(app.units, app.clock.now(), group_id=who.group_id, by=who.member_id)
    return go("/welcome")
