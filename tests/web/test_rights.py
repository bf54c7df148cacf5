"""Who may do what: every page has a rule, and each rule holds for an owner, an editor, a viewer and a stranger."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from reminder.domain.model.access import RIGHTS, Right
from reminder.domain.model.people import Role
from reminder.web import api, webhooks
from reminder.web.app import create_web
from reminder.web.pages import public
from reminder.web.support import authorization
from tests.web.browsing import Browser
from tests.web.town import Town, everything, open_town

# Each of these is open to everybody, and why.
OPEN = {
    "/healthz": "says that we are alive",
    "/readyz": "says whether we can work",
    "/metrics": "answers only the operator: who holds its token, or sits at this machine",
    "/static/{name}": "style, script, pictures",
    "/stop/{named}": "only we can make the address",
    "/take/{named}": "only we can make the address",
    "/reached/{named}": "only we can make the address",
    "/stop/{contact_id}/{mark}": "the address is signed",
    "/take/{card_id}/{contact_id}/{mark}": "the address is signed",
    "/reached/{contact_id}/{mark}": "the address is signed",
    "/agree/{named}": "only we can make the address",
    "/feeds/{token}": "the address is secret",
    "/uploads": "leads to /imports, which has a rule of its own",
    "/uploads/{rest:path}": "leads to /imports/…, which has a rule of its own",
}
# A passkey's answers come as JSON, which no form of another page can send.
JSON = {f"{of}{more}" for of in ("/passkey", "/sign-in/passkey", "/confirm/passkey") for more in ("", "/options")}
# Who was refused what, by the address of the route: no id and nothing that was typed.
REFUSED_LINE = (
    r"access refused \((?:role_too_small|page_not_found|not_found)\): account \d+, ((?:GET|POST) /[a-z/{}_.-]*)"
)
ACTS = {
    "/contacts/{contact_id}/{act}": ("confirm", "stop", "ask", "test-call", "verify", "erase"),
    "/cards/{card_id}/{act}": ("acknowledge", "reopen", "assign", "retire"),
}


@dataclass(frozen=True)
class Door:
    """One method of one route, with the right it asks for; None where signing in is enough, or nothing."""

    method: str
    path: str
    rule: str
    right: Right | None
    seals: bool

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def doors(web: FastAPI) -> list[Door]:
    found = []
    for route in routes(web.routes):
        calls = list(dependencies(route.dependant))
        rights = [call.right for call in calls if isinstance(call, authorization.RequireRight)]
        rule = (
            "right" if rights
            else "signed in" if authorization.signed_in in calls
            else "provider" if webhooks.signed_form in calls or webhooks.secret_address in calls
            else "this machine" if public.only_this_machine in calls
            else "anyone" if authorization.maybe_signed_in in calls
            else ""
        )  # fmt: skip
        for method in sorted(route.methods):
            right = rights[0] if rights else None
            seals = authorization.filled in calls or authorization.filled_with_file in calls
            found.append(Door(method, route.path, rule, right, seals))
    return found


def routes(some: object) -> Iterator[APIRoute]:
    for one in some:
        inner = getattr(one, "original_router", None)
        # The API has rules, and a test, of its own.
        if inner is not None and inner is not api.router:
            yield from routes(inner.routes)
        elif isinstance(one, APIRoute):
            yield one


def dependencies(dependant: Dependant) -> Iterator[object]:
    for one in dependant.dependencies:
        yield one.call
        yield from dependencies(one)


@pytest.fixture
def town(database_url: str, tmp_path: Path) -> Iterator[Town]:
    with open_town(database_url, tmp_path) as opened:
        yield opened


def addresses(door: Door, ids: dict[str, int]) -> list[str]:
    """Every concrete address of a door that names something of the household."""
    filled = [door.path]
    if door.path in ACTS:
        filled = [door.path.replace("{act}", act) for act in ACTS[door.path]]
    filled = [re.sub(r"\{(\w+)\}", lambda name: str(ids.get(name[1], "fridge")), one) for one in filled]
    return filled if any(f"{{{name}}}" in door.path for name in ids) else []


def ask(browser: Browser, door: Door, address: str) -> int:
    browser.get("/settings")
    if door.method == "GET":
        return browser._ask("GET", address, b"", {}).status
    return browser._ask(
        "POST",
        address,
        f"seal={browser.seal}".encode(),
        {
            "content-type": "application/x-www-form-urlencoded",
            "origin": f"http://{browser.visitor.host}",
            "sec-fetch-site": "same-origin",
        },
    ).status


def refused_in(caplog: pytest.LogCaptureFixture) -> set[str]:
    """The methods and routes of the refused access that the log tells of."""
    lines = [line for line in caplog.messages if line.startswith("access refused")]
    found = [re.fullmatch(REFUSED_LINE, line) for line in lines]
    assert all(found), lines
    return {one[1] for one in found if one}


def test_every_route_names_who_may_come_in(town: Town) -> None:
    without = {door.path for door in doors(create_web(town.village.app, local_pages=True)) if not door.rule}

    assert without == set(OPEN)


def test_every_form_is_taken_only_from_our_own_pages(town: Town) -> None:
    loose = {
        door.path
        for door in doors(create_web(town.village.app, local_pages=True))
        if door.method == "POST" and not door.seals and door.rule != "provider"
    }

    assert loose == JSON | {path for path in OPEN if "{mark}" in path or "{named}" in path}


def test_nothing_acts_on_a_look(town: Town) -> None:
    before = everything(town.village)

    for door in doors(create_web(town.village.app, local_pages=False)):
        if door.method == "GET" and door.rule in ("right", "signed in", "anyone"):
            for address in addresses(door, town.ids) or [door.path]:
                ask(town.members[Role.OWNER], door, address)

    assert everything(town.village) == before


def test_what_is_not_theirs_is_not_found_by_a_stranger(town: Town, caplog: pytest.LogCaptureFixture) -> None:
    before = everything(town.village)
    tried, answers, refused = 0, {}, set()

    for door in doors(create_web(town.village.app, local_pages=False)):
        if door.rule in ("right", "signed in"):
            for address in addresses(door, town.ids):
                tried += 1
                refused.add(f"{door.method} {door.path}")
                answers[f"{door.method} {address}"] = ask(town.stranger, door, address)

    assert {address: status for address, status in answers.items() if status != 404} == {}
    assert tried > 30
    assert refused_in(caplog) == refused
    assert everything(town.village) == before


@pytest.mark.parametrize("role", [Role.VIEWER, Role.EDITOR])
def test_nobody_does_what_their_role_does_not_allow(town: Town, role: Role, caplog: pytest.LogCaptureFixture) -> None:
    before = everything(town.village)
    browser = town.members[role]
    answers, refused = {}, set()

    for door in doors(create_web(town.village.app, local_pages=False)):
        if door.rule == "right" and door.right not in RIGHTS[role]:
            refused.add(f"{door.method} {door.path}")
            for address in addresses(door, town.ids) or [door.path]:
                answers[f"{door.method} {address}"] = ask(browser, door, address)

    assert {address: status for address, status in answers.items() if status != 403} == {}
    assert refused_in(caplog) == refused
    assert len(answers) > (10 if role is Role.EDITOR else 30)
    assert everything(town.village) == before


TEMPLATES = Path(__file__).parents[2] / "reminder" / "web" / "templates"
# How templates write where a button or a form about one card or contact posts to.
_POSTS = re.compile(r"""(?:act\(|action=)"/(cards|contacts)/(?:"\s*~[^~]*~\s*"|\{\{[^}]*\}\})/([a-z-]+)\"""")


def test_every_button_of_a_page_is_known_where_it_leads(town: Town) -> None:
    offered = sorted({found for page in TEMPLATES.rglob("*.html") for found in _POSTS.findall(page.read_text("utf-8"))})
    numbers = {"cards": town.ids["card_id"], "contacts": town.ids["contact_id"]}
    owner = town.members[Role.OWNER]

    # What ends a card or contact comes last: of one that has ended nothing is left to act on.
    last = ("stop", "retire", "erase")
    answers = {}
    for noun, act in sorted(offered, key=lambda one: last.index(one[1]) if one[1] in last else -1):
        address = f"/{noun}/{numbers[noun]}/{act}"
        answers[address] = ask(owner, Door("POST", address, "right", None, seals=True), address)

    assert {address for address, status in answers.items() if status in (404, 405)} == set()
    assert len(answers) > 8


@pytest.mark.parametrize("role", list(Role))
def test_everybody_sees_every_page_that_their_role_allows(town: Town, role: Role) -> None:
    browser = town.members[role]
    answers = {}

    for door in doors(create_web(town.village.app, local_pages=False)):
        if door.rule == "right" and door.method == "GET" and door.right in RIGHTS[role]:
            for address in addresses(door, town.ids) or [door.path]:
                answers[address] = ask(browser, door, address)

    assert {address: status for address, status in answers.items() if status != 200} == {}


def test_a_viewer_changes_nothing_but_what_is_their_own(town: Town) -> None:
    """Their name, their copies, their devices, their calendar."""
    allowed = {
        door.path
        for door in doors(create_web(town.village.app, local_pages=False))
        if door.method == "POST" and (door.rule == "signed in" or door.right is Right.SEE)
    }

    assert allowed == {
        "/sign-out",
        "/confirm/code",
        "/confirm/passkey/options",
        "/confirm/passkey",
        "/passkey/begin",
        "/passkey/options",
        "/passkey",
        "/welcome",
        "/invitations/{invitation_id}",
        "/groups",
        "/settings/me",
        "/settings/members/leave",
        "/settings/devices",
        "/settings/devices/all",
        "/settings/devices/{session_id}",
        "/settings/passkeys/{passkey_id}",
        "/settings/calendar",
        "/settings/calendar/{feed_id}",
        "/visits.xlsx",
    }


def test_a_look_at_what_was_never_there_and_a_strangers_request_are_no_refused_access(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    town.members[Role.OWNER].get("/no-such-page")
    Browser(town.village).get("/no-such-page")
    Browser(town.village).get("/stop/nobody")

    assert [line for line in caplog.messages if line.startswith("access refused")] == []


@pytest.mark.parametrize("path", ["/", "/people/1", "/people/new", "/settings", "/cards/1"])
def test_who_is_not_signed_in_is_led_to_the_sign_in_page(town: Town, path: str) -> None:
    nobody = Browser(town.village)

    nobody.get(path)

    assert nobody.path == "/sign-in"
    assert "母" not in nobody.page.text
