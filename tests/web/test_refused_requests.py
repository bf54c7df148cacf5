"""What is refused is counted by its cause, and nothing else is: the operator learns of attacks from it."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from reminder.domain.model.people import GroupKind
from reminder.errors import DatabaseNotReadyError
from reminder.storage.maintenance import counters
from reminder.web.connections import HEAD_SECONDS
from reminder.web.support.refused_requests import Cause, RefusedRequests
from tests.village import Village, open_village
from tests.web.asking import Lent, Visitor, visitor
from tests.web.browsing import Browser
from tests.web.calling import SHEET, Program, token_of
from tests.web.test_connections import BODY, FAR, HEALTH, Site, came, story

FORM = {"content-type": "application/x-www-form-urlencoded"}
OCTETS = {"content-type": "application/octet-stream"}


@pytest.fixture
def village(sqlite_url: str, tmp_path: Path) -> Iterator[Village]:
    limits = {"api_requests_per_minute": 4, "sign_up": "open", "public_url": "https://example.jp"}
    with open_village(sqlite_url, tmp_path, "2026-12-01 08:00", **limits) as opened:
        opened.group(GroupKind.HOME, "さくら苑")
        opened.member("娘", "musume@example.jp")
        yield opened


@dataclass(frozen=True)
class Asked:
    browser: Visitor
    program: Program
    village: Village


def sheet(content: bytes) -> Callable[[Asked], object]:
    return lambda asked: asked.program.post("/imports", content, OCTETS)


def too_many(asked: Asked) -> None:
    for _ in range(5):
        asked.program.get("/kinds")


def over_quota(asked: Asked) -> None:
    asked.village.limit(1, people=0)
    asked.program.post("/people", {"label": "母"})


REFUSED: Mapping[Cause, Callable[[Asked], object]] = {
    Cause.FORGED_MESSAGES: lambda asked: asked.browser.post("/webhooks/twilio/sms", b"Body=1", FORM),
    Cause.WRONG_TOKENS: lambda asked: Program(asked.browser, "x" * 30).get("/kinds"),
    Cause.TOO_MANY_REQUESTS: too_many,
    Cause.TOO_LARGE: lambda asked: asked.browser.get("/healthz?" + "z" * 5000),
    Cause.MALFORMED: lambda asked: asked.program.post("/people", b"{", {"content-type": "application/json"}),
    Cause.HIDDEN_NUMBERS: lambda asked: asked.browser.get("/healthz?q=3820-5714-9628"),
    Cause.REFUSED_SHEETS: sheet(b"PK\x03\x04 no workbook"),
    Cause.QUOTA_REACHED: over_quota,
    Cause.LOGIN_CODES: lambda asked: asked.browser.post("/sign-in", b"email=a@example.jp", FORM),
}
OF_CONNECTIONS = {Cause.TOO_SLOW, Cause.TOO_MANY_CONNECTIONS}


def counted(village: Village, refused: RefusedRequests) -> Mapping[str, int]:
    refused.store(village.app.units, village.now)
    with village.app.reading() as uow:
        return counters.requests(uow.tx)


def asked_of(village: Village) -> tuple[Asked, RefusedRequests]:
    browser = visitor(village, local_pages=False)
    assert isinstance(browser.web, Lent)
    return Asked(browser, Program(browser, token_of(village, 1)), village), browser.web.refused_requests


@pytest.mark.parametrize("cause", [one for one in Cause if one not in OF_CONNECTIONS])
def test_each_refusal_is_counted_once_by_its_cause(village: Village, cause: Cause) -> None:
    asked, refused = asked_of(village)

    REFUSED[cause](asked)

    assert counted(village, refused) == {cause: 1}
    assert counted(village, refused) == {cause: 1}, "stored once"


def test_what_honest_people_do_is_not_counted(village: Village) -> None:
    asked, refused = asked_of(village)
    asked.browser.get("/healthz")
    asked.browser.get("/sign-in")
    asked.browser.get("/nowhere")
    asked.browser.get("/people/1")
    asked.program.post("/people", {"label": "母"})
    asked.program.post("/imports", SHEET, OCTETS)
    asked.program.get("/people/77")

    assert counted(village, refused) == {}


def test_slow_clients_and_too_many_connections_are_counted_and_idle_ones_are_not(
    sqlite_url: str, tmp_path: Path
) -> None:
    limits = {"web_connections": 8, "web_connections_per_client": 3}
    with open_village(sqlite_url, tmp_path, "2026-12-01 08:00", **limits) as small:

        async def told(site: Site) -> None:
            for _ in range(2):
                await site.client()
            slow = await site.client(b"GET /heal", FAR)
            await came(site, len(b"GET /heal"))
            site.after(HEAD_SECONDS + 1)
            await slow.all_of_it()
            for _ in range(5):
                await site.client(BODY, FAR)
            honest = await site.client(HEALTH, FAR)
            assert (await honest.answer())[0] == 200
            refused = site.refused
            await asyncio.to_thread(refused.store, small.app.units, small.now)
            with small.app.reading() as uow:
                assert counters.requests(uow.tx) == {Cause.TOO_SLOW: 1, Cause.TOO_MANY_CONNECTIONS: 3}

        story(small, told)


def test_while_the_database_is_away_the_counts_wait(village: Village) -> None:
    class Away:
        def writing(self, _now: object) -> object:
            raise DatabaseNotReadyError

    refused = RefusedRequests()
    refused.count(Cause.TOO_SLOW)
    refused.store(Away(), village.now)  # type: ignore[arg-type]
    refused.count(Cause.TOO_SLOW)

    assert counted(village, refused) == {Cause.TOO_SLOW: 2}


def test_every_cause_is_explained_to_the_operator() -> None:
    said = (Path(__file__).parents[2] / "docs" / "operating.md").read_text(encoding="utf-8")

    assert [cause for cause in Cause if f"`{cause}`" not in said.partition("### Floods of requests")[2]] == []


def test_a_refusal_that_a_page_shows_is_counted_as_well(village: Village) -> None:
    browser = Browser(village)
    refused = browser.visitor.web.refused_requests

    browser.get("/sign-in")
    browser.submit("/sign-in", email="3820-5714-9628@example.jp")

    assert counted(village, refused) == {Cause.HIDDEN_NUMBERS: 1}
