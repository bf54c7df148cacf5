"""How far a provider's list has been read: gaps are joined, and a reading goes on where it stopped."""

from reminder.domain.model.people import ChannelName
from reminder.storage.runtime import provider_fetches
from reminder.storage.runtime.provider_fetches import FetchView
from tests.storage.conftest import HOUR, NOW, Rows

SMS, VOICE = ChannelName.SMS, ChannelName.VOICE


def test_of_several_gaps_the_earliest_beginning_counts(rows: Rows) -> None:
    assert provider_fetches.of(rows.tx, SMS) == FetchView(SMS)

    for since in (NOW, NOW - HOUR, NOW + HOUR):
        provider_fetches.want(rows.tx, [SMS, VOICE], since)

    assert provider_fetches.of(rows.tx, SMS).wanted_since == NOW - HOUR
    assert provider_fetches.of(rows.tx, VOICE).is_wanted


def test_a_reading_is_known_until_it_ends_and_a_gap_found_meanwhile_is_read_afterwards(rows: Rows) -> None:
    provider_fetches.want(rows.tx, [SMS], NOW - HOUR)
    provider_fetches.begin(rows.tx, SMS, since=NOW - 2 * HOUR, now=NOW)
    provider_fetches.go_on(rows.tx, SMS, "page 2", NOW)
    provider_fetches.want(rows.tx, [SMS], NOW)

    going = provider_fetches.of(rows.tx, SMS)
    assert (going.since, going.began_at, going.next_page) == (NOW - 2 * HOUR, NOW, "page 2")
    provider_fetches.finish(rows.tx, SMS, NOW, NOW + HOUR)

    assert provider_fetches.of(rows.tx, SMS) == FetchView(SMS, fetched_until=NOW, wanted_since=NOW, tried_at=NOW + HOUR)


def test_a_reading_that_failed_is_wanted_still(rows: Rows) -> None:
    provider_fetches.begin(rows.tx, SMS, since=NOW - HOUR, now=NOW)
    provider_fetches.go_on(rows.tx, SMS, "page 2", NOW)

    provider_fetches.fail(rows.tx, SMS, "20003", NOW + HOUR)

    failed = provider_fetches.of(rows.tx, SMS)
    assert failed.is_wanted
    assert (failed.since, failed.next_page, failed.tried_at) == (NOW - HOUR, None, NOW + HOUR)
    assert failed.failure == "20003"
