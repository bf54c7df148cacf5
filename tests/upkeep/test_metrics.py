"""What a measuring program reads: in Prometheus' own format, numbers only, and only for the operator."""

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from reminder.storage.maintenance import counters
from reminder.storage.runtime import heartbeats
from reminder.upkeep.metrics import exposition
from tests.village import Village, open_village
from tests.web.asking import Visitor, visitor, web_of

END = date(2027, 3, 31)
TOKEN = "invented-token-of-the-operator"


def measured(village: Village) -> dict[str, float]:
    """By name and labels, without those of the process."""
    families = text_string_to_metric_families(exposition(village.app.units, village.now).decode())
    return {
        " ".join([sample.name, *(f"{name}={value}" for name, value in sorted(sample.labels.items()))]): sample.value
        for family in families
        for sample in family.samples
        if not sample.name.startswith("process_")
    }


@pytest.fixture
def family(village: Village) -> Village:
    village.member("娘", "musume@example.jp")
    village.person("父", phone="090-0000-0002")
    village.card("父", END)
    with village.app.database.writing() as tx:
        heartbeats.record(tx, heartbeats.COUNTED, village.now)
    return village


def test_an_empty_service_measures_nothing_but_that_it_is_not_ready(village: Village) -> None:
    assert measured(village) == {
        "kigen_ready": 0,
        "kigen_troubles code=worker_silent": 1,
        "kigen_oldest_due_age_seconds": 0,
        "kigen_cards_due": 0,
    }


def test_what_waits_is_counted_by_channel_and_state(family: Village) -> None:
    family.run_until("2027-01-04 00:00")
    planned = measured(family)
    family.sleep_until("2027-01-04 09:04")
    late = measured(family)

    assert planned["kigen_ready"] == 1
    assert planned["kigen_messages channel=sms state=queued"] == 1
    assert "kigen_messages_due channel=sms" not in planned
    assert late["kigen_messages_due channel=sms"] == 1
    assert late["kigen_oldest_due_age_seconds"] == 240
    assert late["kigen_last_pass_age_seconds"] == 9 * 3600 + 240
    assert late["kigen_troubles code=worker_silent"] == 1


def test_what_was_handed_over_is_a_counter_and_a_histogram(family: Village) -> None:
    family.run_until("2027-01-04 08:59")
    family.sleep_until("2027-01-04 09:00:07")
    family.pass_once()
    family.clock.move_to(family.now + timedelta(minutes=5))
    with family.app.database.writing() as tx:
        heartbeats.record(tx, heartbeats.COUNTED, family.now - timedelta(minutes=10))
        counters.rollup(tx, family.now)

    found = measured(family)

    assert found["kigen_handed_over_total channel=sms state=accepted"] == 1
    below = {name: value for name, value in found.items() if name.startswith("kigen_due_to_handed_seconds_bucket")}
    assert below["kigen_due_to_handed_seconds_bucket channel=sms le=5"] == 0
    assert below["kigen_due_to_handed_seconds_bucket channel=sms le=10"] == 1
    assert below["kigen_due_to_handed_seconds_bucket channel=sms le=+Inf"] == 1
    assert found["kigen_due_to_handed_seconds_count channel=sms"] == 1
    assert found["kigen_due_to_handed_seconds_sum channel=sms"] == 7


def test_channels_that_wait_and_people_whom_nobody_can_tell_are_measured(family: Village) -> None:
    family.person("母")
    with family.app.database.writing() as tx:
        heartbeats.pause(tx, "sms", "20003", now=family.now, until=family.now + timedelta(minutes=15))
        tx.execute(text("UPDATE contacts SET state = 'unreachable'"))
        tx.execute(text("UPDATE cards SET next_reminder_on = '2026-12-02'"))

    found = measured(family)

    assert found["kigen_channel_paused channel=sms"] == 1
    assert found["kigen_concerns code=people_out_of_reach"] == 1


def test_of_a_database_that_is_away_only_that_is_measured(village: Village) -> None:
    with village.app.database.writing() as tx:
        tx.execute(text("DROP TABLE alembic_version"))

    found = measured(village)

    assert (found["kigen_ready"], found["kigen_troubles code=database_behind"]) == (0, 1)


def test_nothing_of_anybody_is_in_it(family: Village) -> None:
    family.run_until("2027-02-01 12:00")

    whole = exposition(family.app.units, family.now).decode()
    # The numbers of the process itself are of any digits.
    said = "\n".join(line for line in whole.splitlines() if not line.startswith(("process_", "python_")))

    assert "process_resident_memory_bytes" in whole
    assert [word for word in ("父", "娘", "田中家", "090", "+81", "example.jp") if word in said] == []


# ── who is answered ──


HERE, ELSEWHERE = "127.0.0.1", "192.0.2.7"
PUBLIC = "https://kigen.example.jp"


@pytest.mark.parametrize(
    ("machine", "headers", "settings", "status", "why"),
    [
        (HERE, {}, {}, 200, "the operator sits at this machine"),
        (ELSEWHERE, {}, {}, 404, "somebody else does"),
        (HERE, {"x-forwarded-for": "192.0.2.1"}, {}, 404, "through a proxy"),
        (HERE, {}, {"public_url": PUBLIC}, 404, "a proxy may hide that it is one"),
        (HERE, {}, {"metrics_token": TOKEN}, 200, "this machine needs no token"),
        (ELSEWHERE, {"authorization": f"Bearer {TOKEN}"}, {"metrics_token": TOKEN, "public_url": PUBLIC}, 200, "shown"),
        (ELSEWHERE, {"authorization": f"Bearer {TOKEN}x"}, {"metrics_token": TOKEN}, 404, "another token"),
        (ELSEWHERE, {"authorization": "Bearer "}, {}, 404, "no token is set"),
        (ELSEWHERE, {"authorization": "Bearer None"}, {}, 404, "no token is set"),
    ],
)
def test_only_the_operator_is_answered(
    sqlite_url: str,
    tmp_path: Path,
    machine: str,
    headers: Mapping[str, str],
    settings: dict[str, object],
    status: int,
    why: str,
) -> None:
    with open_village(sqlite_url, tmp_path, "2026-12-01 08:00", **settings) as village:
        answer = Visitor(web_of(village, local_pages=False), machine=machine).get("/metrics", headers)

    assert answer.status == status, why
    assert ("kigen_ready" in answer.text) is (status == 200)
    assert status != 200 or answer.headers["content-type"].startswith("text/plain; version=0.0.4")


def test_the_door_keeps_it_from_being_copied(village: Village) -> None:
    assert visitor(village).get("/metrics").headers["cache-control"] == "no-store"
