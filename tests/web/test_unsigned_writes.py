"""Whoever has not signed in can make the database grow by no more than a limit, whatever they send and how often."""

from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from urllib.parse import urlencode

import pytest
from sqlalchemy import text

from reminder.domain.model.people import ChannelName
from reminder.enrolment.identity.sign_in import MOST_A_NETWORK
from reminder.storage.auth.signed_links import SignedLinks
from reminder.storage.db.tables import Base
from reminder.web.app import create_web
from tests.village import Village, open_village
from tests.web.asking import Visitor, visitor
from tests.web.calling import API, Program
from tests.web.every_route import every_route

TIMES = MOST_A_NETWORK + 3
# What a stranger may leave behind, and which limit ends it.
BOUNDED: Mapping[str, tuple[set[str], int]] = {
    # Of the heartbeats one row, however many ask: when the mail server was last to be tried.
    "POST /sign-in": ({"login_codes", "messages", "heartbeats"}, MOST_A_NETWORK),
}
# Rows of rates: one for each network that has shown a wrong token.
RATES = {"request_rates": 1}
FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture
def village(sqlite_url: str, tmp_path: Path) -> Iterator[Village]:
    limits = {"public_url": "http://127.0.0.1:8000", "sign_up": "open"}
    with open_village(sqlite_url, tmp_path, "2026-12-01 08:00", durable=False, **limits) as opened:
        opened.group()
        opened.member("娘", "musume@example.jp")
        yield opened


def rows(village: Village) -> dict[str, int]:
    with village.app.database.reading() as tx:
        return {name: tx.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in Base.metadata.tables}


def grown(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    return {name: count - before[name] for name, count in after.items() if count > before[name]}


def sent(stranger: Visitor, method: str, path: str, number: int) -> None:
    fields = {
        "email": f"stranger{number}@example.jp",
        "code": f"{number:06}",
        "language": "en",
        "setup_code": f"{number}",
    }
    stranger.ask(method, path, urlencode(fields).encode() if method != "GET" else b"", FORM)
    if "passkey" in path:
        stranger.ask(method, path, b'{"rawId": "eA", "response": {}}', {"content-type": "application/json"})


def test_no_route_lets_a_stranger_write_without_end(village: Village) -> None:
    stranger = visitor(village, local_pages=False)
    for route in every_route(create_web(village.app, local_pages=False)):
        if route.path.startswith(API):
            continue
        before = rows(village)

        for number in range(TIMES if route.method == "POST" else 2):
            sent(stranger, route.method, route.at(number=number), number)

        more = grown(before, rows(village))
        tables, most = BOUNDED.get(str(route), (set(), 0))
        assert set(more) <= tables, route
        assert max(more.values(), default=0) <= most, route


def test_no_operation_writes_for_whoever_has_no_token(village: Village) -> None:
    before = rows(village)
    for token in (None, "kigen_" + "a" * 64, "x"):
        program = Program(visitor(village, local_pages=False), token)
        for route in every_route(create_web(village.app, local_pages=False)):
            if route.path.startswith(API):
                for _ in range(3):
                    program.ask(route.method, route.at().removeprefix(API), b"{}")

    assert grown(before, rows(village)).items() <= RATES.items()


@pytest.mark.parametrize("act", ["stop", "take", "reached"])
def test_a_signed_link_that_is_opened_again_and_again_writes_once(village: Village, act: str) -> None:
    village.person("母", phone="090-0000-0001")
    carer = village.contact("母", ChannelName.EMAIL, "musuko@example.jp", family="息子")
    card = village.card("母", date(2027, 3, 31))
    stranger, links = visitor(village, local_pages=False), SignedLinks(village.app.keys, "", in_carer_mail=True)
    by_act = {
        "stop": links.stop(carer, village.now),
        "take": links.take(card, carer, village.now),
        "reached": links.reached(carer, village.now),
    }
    link = str(by_act[act])
    assert stranger.post(link).status == 200
    before = rows(village)

    for _ in range(20):
        assert stranger.post(link).status == 200

    assert grown(before, rows(village)) == {}
