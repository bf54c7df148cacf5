"""Days at the ends of the calendar, and what looks like a day: a page or a refusal everywhere, and never a failure."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path

import pytest

from reminder.domain.model.people import ChannelName, GroupKind
from reminder.web.app import create_web
from tests.village import USER_CERTIFICATE, Village, open_village
from tests.web.asking import visitor
from tests.web.browsing import Browser
from tests.web.calling import Program, described, token_of
from tests.web.every_route import Route, every_route

PAGES = Path(__file__).parents[2] / "reminder" / "web"
# A month, a day and a year, each at and past the ends of what date, ISO 8601, the eras and our own rules know.
ENDS = (
    "9999-12", "9999-12-31", "10000-01", "0001-01", "0001-01-01", "0000-00", "2100-02-29", "令和9999年12月31日", "9" * 15, "-1",
    "\u0000",
)  # fmt: skip
IDS = {
    "person_id": 1, "kind_id": 1, "card_id": 1, "contact_id": 1, "member_id": 1, "invitation_id": 9, "session_id": 9, "passkey_id": 9,
    "token_id": 9, "feed_id": 9, "import_id": 1, "message_id": 9, "kind": USER_CERTIFICATE, "act": "reopen",
}  # fmt: skip


@pytest.fixture
def village(sqlite_url: str, tmp_path: Path) -> Iterator[Village]:
    limits = {"api_requests_per_minute": 100_000}
    with open_village(sqlite_url, tmp_path, "2026-12-01 08:00", durable=False, **limits) as opened:
        opened.group(GroupKind.HOME, "さくら苑")
        opened.member("娘", "musume@example.jp")
        opened.person("母", phone="090-0000-0001")
        opened.contact("母", ChannelName.EMAIL, "musuko@example.jp", family="息子")
        opened.card("母", date(2027, 3, 31))
        opened.own_kind("会員証")
        yield opened


def names_of_fields() -> list[str]:
    """Every name that a form of a page may have."""
    code = "".join(path.read_text(encoding="utf-8") for path in PAGES.rglob("*.py"))
    template = "".join(path.read_text(encoding="utf-8") for path in PAGES.rglob("*.html"))
    found = set(re.findall(r'typed\(form, f?"([\w{}.]+)"', code)) | set(re.findall(r'name="([\w]+)"', template))
    days = {f"{name}_{part}" for name in ("expires", "issued", "born") for part in ("era", "year", "month", "day")}
    return sorted({re.sub(r"\{[\w.]+\}", "1", name) for name in found | days} - {"seal"})


def test_every_parameter_of_every_page_takes_the_ends_of_the_calendar(village: Village) -> None:
    owner = Browser(village)
    owner.sign_in("musume@example.jp")
    owner.get("/imports")
    owner.send_file("/imports", "residents.csv", "居室,氏名,電子証明書期限\n201,ハナ,2027-11-16\n".encode())
    failed = {}
    for route in pages(village, "GET"):
        for name in route.query:
            for end in ENDS:
                address = f"{route.at(**IDS)}?{name}={end.replace('%', '%25').replace('+', '%2B')}"
                if (status := owner._ask("GET", address, b"", {}).status) >= 500:
                    failed[address] = status

    assert failed == {}


def pages(village: Village, method: str) -> list[Route]:
    found = every_route(create_web(village.app, local_pages=False))
    return [route for route in found if route.method == method and not route.path.startswith(("/api/", "/webhooks/"))]


def test_every_part_of_every_address_takes_the_ends_of_the_calendar(village: Village) -> None:
    owner = Browser(village)
    owner.sign_in("musume@example.jp")
    failed = {}
    for route in every_route(create_web(village.app, local_pages=True)):
        for name in re.findall(r"\{(\w+)", route.path):
            for end in ("9999-12", "0001-01-01", "99999999999", "0", "-1", "%00", "²"):
                address = route.at(**{**IDS, name: end})
                if (status := owner._ask(route.method, address, b"", {}).status) >= 500:
                    failed[f"{route.method} {address}"] = status

    assert failed == {}


# Each costs a village of its own.
TYPED = ("9999-12-31", "0001-01-01", "-001-01", "2100-02-29", "令和9999年12月31日", "令和99年1月1日", "9999", "\u0000")


@pytest.mark.parametrize("end", TYPED)
def test_every_field_of_every_form_takes_the_ends_of_the_calendar(village: Village, end: str) -> None:
    owner = Browser(village)
    owner.sign_in("musume@example.jp")
    owner.get("/settings/group")
    seal, names, failed = owner.seal, names_of_fields(), {}
    assert {"kind", "end1", "expires1"} <= set(names)
    for route in pages(village, "POST"):
        if "erase" in route.path or "sign-out" in route.path or route.path.startswith("/settings/members"):
            continue
        usual = {"kind": USER_CERTIFICATE, "confirmed": "yes", "yes1": "yes", "card": "1", "seal": seal, "act": "renew"}
        for fields in ({**dict.fromkeys(names, end), **usual}, {**dict.fromkeys(names, end), "seal": seal}):
            answer = owner._ask("POST", route.at(**IDS), form(fields), FORM)
            if answer.status >= 500:
                failed[f"{route} {sorted(fields)[:3]}"] = answer.status
    village.pass_once()
    failed |= {path: status for path in SHOWN if (status := owner._ask("GET", path, b"", {}).status) >= 500}

    assert failed == {}


# What is drawn, counted and listed from the days of the cards.
SHOWN = ("/", "/people/1", "/months", "/visits", "/letters", "/undelivered", "/settings/calendar", "/homes")
FORM = {"content-type": "application/x-www-form-urlencoded", "origin": "http://127.0.0.1:8000"}


def form(fields: Mapping[str, str]) -> bytes:
    from urllib.parse import urlencode

    return urlencode(fields).encode()


@pytest.mark.parametrize("end", TYPED)
def test_every_field_of_every_operation_takes_the_ends_of_the_calendar(village: Village, end: str) -> None:
    program = Program(visitor(village, local_pages=False), token_of(village, 1))
    failed = {}
    for one in described():
        if not isinstance(one.example, dict) or one.method == "DELETE":
            continue
        for body in ({**one.example, name: end, "confirmed": True} for name in one.texts):
            for given in (body, {name: value for name, value in body.items() if name != "confirmed"}):
                answer = program.ask(one.method, one.at(**IDS), json.dumps(given).encode())
                if answer.status >= 500:
                    failed[f"{one.id} {given}"] = answer.status
    village.pass_once()
    owner = Browser(village)
    owner.sign_in("musume@example.jp")
    failed |= {path: status for path in SHOWN if (status := owner._ask("GET", path, b"", {}).status) >= 500}

    assert failed == {}
