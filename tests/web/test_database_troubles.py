"""What the web answers while the database is closed, full or locked: a code of its own, and when to come again."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import event

from reminder.storage.maintenance import moving
from reminder.worker.jobs import run_once
from tests.fakes.twilio import FakeTwilio
from tests.patience import PATIENCE, until
from tests.village import Village, open_village
from tests.web.asking import visitor
from tests.web.test_webhooks import FORM, open_office

HTML = {"accept": "text/html"}
API = {"authorization": f"Bearer {'x' * 43}"}


def test_a_closed_database_is_not_served_from_and_readiness_says_so(small_village: Village) -> None:
    small_village.member("娘", "musume@example.jp")
    small_village.person("母", phone="090-0000-0001")
    small_village.card("母", date(2027, 3, 31))
    run_once(small_village.app, small_village.now)
    someone = visitor(small_village)
    assert someone.get("/readyz").status == 200

    moving.close(small_village.app.database, to="the new place", now=small_village.now)
    small_village.app.database._looks_again_at = 0.0

    for target, headers in (("/overview", HTML), ("/outbox", HTML), ("/sign-in", HTML), ("/api/v1/people", API)):
        small_village.app.database._looks_again_at = 0.0
        answer = someone.get(target, headers)
        if target != "/sign-in":  # which shows nothing of anybody
            assert (answer.status, "retry-after" in answer.headers) == (503, True), target
            assert "database_moved" in answer.text
    small_village.app.database._looks_again_at = 0.0
    ready = someone.get("/readyz")
    assert (ready.status, ready.json["troubles"]) == (503, ["database_moved"])
    assert someone.get("/healthz").status == 200


@pytest.fixture
def small_village(sqlite_url: str, tmp_path: Path) -> Iterator[Village]:
    with open_village(sqlite_url, tmp_path, "2026-12-01 08:00", durable=False) as opened:
        yield opened


@pytest.fixture
def quick_to_refuse(small_village: Village) -> Village:
    """Its writes do not wait for a lock."""
    engine = small_village.app.database.engine
    event.listen(engine, "connect", lambda own, _: own.execute("PRAGMA busy_timeout = 0").close())
    engine.dispose()
    return small_village


def file_of(village: Village) -> Path:
    return Path(village.app.database.url.removeprefix("sqlite:///"))


def test_a_write_that_failed_is_a_trouble_at_once_and_gone_with_the_next_that_succeeds(
    quick_to_refuse: Village,
) -> None:
    village = quick_to_refuse
    run_once(village.app, village.now)
    someone = visitor(village)
    with closing(sqlite3.connect(file_of(village))) as other:
        other.execute("BEGIN IMMEDIATE")
        posted = someone.post(
            "/sign-in", b"address=hana%40example.jp", {**FORM, **HTML, "sec-fetch-site": "same-origin"}
        )
        assert (posted.status, posted.headers["retry-after"]) == (503, "5")
        assert "database_locked" in posted.text
        assert someone.get("/readyz").json["troubles"] == ["database_locked"]
        other.rollback()
    run_once(village.app, village.now)

    assert someone.get("/readyz").json["troubles"] == []


def test_a_receipt_waits_for_a_lock_that_is_short(sqlite_url: str, tmp_path: Path) -> None:
    with FakeTwilio() as twilio, open_office(sqlite_url, tmp_path, twilio) as office:
        twilio.allow_all()
        sid = office.send_one()
        database = office.village.app.database
        event.listen(database.engine, "connect", lambda own, _: own.execute("PRAGMA busy_timeout = 0").close())
        database.engine.dispose()
        holding = sqlite3.connect(file_of(office.village), check_same_thread=False)
        holding.execute("BEGIN IMMEDIATE")

        def let_go_once_refused() -> None:
            until(lambda: database.write_trouble == "database_locked", "the receipt was refused once")
            holding.rollback()
            holding.close()

        with ThreadPoolExecutor() as others:
            letting_go = others.submit(let_go_once_refused)
            answer = office.say(twilio.callback(sid, "delivered"))
            letting_go.result(PATIENCE)

    assert answer.status == 204
