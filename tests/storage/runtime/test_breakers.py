"""Circuit breakers of channels: one row for all workers, only while a channel fails."""

from dataclasses import replace
from datetime import timedelta

from reminder.domain.rules.circuit_breaker import FIRST_PROBE, LONGEST_PROBE, Breaker, Certainty
from reminder.storage.runtime import breakers
from tests.storage.conftest import DAY, NOW, Rows

CLOSED = Breaker("sms", "500", NOW, NOW, 1, Certainty.CHANNEL, b"first")
OPEN = replace(CLOSED, failures=20, opened_at=NOW, probe_at=NOW + FIRST_PROBE)


def test_a_channel_is_known_as_failing_until_it_works_and_as_open_only_when_it_is(rows: Rows) -> None:
    assert breakers.find(rows.tx, "sms") is None
    assert breakers.clear(rows.tx, "sms") is None

    breakers.replace(rows.tx, CLOSED)
    breakers.replace(rows.tx, replace(OPEN, channel="email"))

    assert breakers.find(rows.tx, "sms", lock=True) == CLOSED
    assert [one.channel for one in breakers.failing(rows.tx)] == ["email", "sms"]
    assert breakers.open_channels(rows.tx) == {"email": replace(OPEN, channel="email")}

    breakers.replace(rows.tx, OPEN)
    assert breakers.clear(rows.tx, "sms") == OPEN

    assert breakers.find(rows.tx, "sms") is None
    assert [one.channel for one in breakers.failing(rows.tx)] == ["email"]


def test_one_of_all_workers_sends_the_probe_and_the_next_when_it_is_due(rows: Rows) -> None:
    assert not breakers.take_probe(rows.tx, "sms", NOW), "it works"
    breakers.replace(rows.tx, CLOSED)
    assert not breakers.take_probe(rows.tx, "sms", NOW + DAY), "it is not open"
    breakers.replace(rows.tx, OPEN)

    taken = [breakers.take_probe(rows.tx, "sms", NOW + after) for after in (timedelta(0), FIRST_PROBE, FIRST_PROBE)]

    assert taken == [False, True, False]
    assert breakers.take_probe(rows.tx, "sms", NOW + FIRST_PROBE + LONGEST_PROBE), "a worker that died with it"


def test_a_probe_that_a_wrong_clock_has_put_off_is_due(rows: Rows) -> None:
    breakers.replace(rows.tx, replace(OPEN, probe_at=NOW + DAY))

    assert breakers.take_probe(rows.tx, "sms", NOW)
