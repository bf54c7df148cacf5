"""Counter days and sending hours: never on a Sunday or holiday, elders only when counters are open."""

from datetime import UTC, date, datetime, time, timedelta

import jpholiday
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reminder.domain.model.people import Audience, ChannelName, Mode
from reminder.domain.rules import hours
from reminder.domain.rules.preferences import Preferences

DAYS = st.dates(date(2020, 1, 1), date(2050, 12, 31))
MODES = st.sampled_from(Mode)
INSTANTS = st.integers(0, 30 * 365 * 24 * 60 * 60).map(
    lambda seconds: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)


@pytest.mark.parametrize(
    ("day", "why"),
    [
        ("2026-11-21", "a Saturday"),
        ("2026-11-22", "a Sunday"),
        ("2026-11-23", "Labour Thanksgiving Day"),
        ("2026-12-29", "the new year's closing begins"),
        ("2026-12-31", "New Year's Eve"),
        ("2027-01-01", "New Year's Day"),
        ("2030-01-03", "the new year's closing ends, a Thursday"),
        ("2026-05-06", "振替休日: 3 May is a Sunday"),
        ("2030-05-06", "振替休日: 5 May is a Sunday"),
        ("2031-05-06", "振替休日: 4 May is a Sunday"),
        ("2027-05-03", "Golden Week"),
        ("2027-05-04", "Golden Week"),
        ("2027-05-05", "Golden Week"),
        ("2028-05-03", "Golden Week"),
        ("2028-05-04", "Golden Week"),
        ("2028-05-05", "Golden Week"),
        ("2029-04-30", "振替休日: 29 April is a Sunday"),
        ("2029-05-03", "Golden Week"),
        ("2029-05-04", "Golden Week"),
        ("2026-09-21", "Respect for the Aged Day"),
        ("2026-09-22", "国民の休日: between two holidays"),
        ("2026-09-23", "autumn equinox"),
        ("2032-09-21", "国民の休日: between two holidays"),
        ("2027-03-22", "振替休日 of the spring equinox"),
    ],
)
def test_counters_are_closed(day, why):
    assert not hours.is_counter_open(date.fromisoformat(day))


@pytest.mark.parametrize(
    ("day", "why"),
    [
        ("2026-11-20", "a Friday"),
        ("2026-12-28", "the last Monday of the year"),
        ("2027-01-04", "the first Monday of the year"),
        ("2026-05-07", "after Golden Week"),
        ("2028-05-02", "between Golden Week's halves"),
        ("2027-05-06", "no 振替休日 in this year"),
        ("2027-09-22", "no 国民の休日 in this year"),
        ("2026-12-23", "the former emperor's birthday is no holiday any more"),
    ],
)
def test_counters_are_open(day, why):
    assert hours.is_counter_open(date.fromisoformat(day))


@pytest.mark.parametrize(
    ("end", "last", "why"),
    [
        ("2026-11-23", "2026-11-20", "a holiday after a weekend"),
        ("2026-11-20", "2026-11-20", "an open day is its own"),
        ("2027-01-03", "2026-12-28", "the whole new year's closing"),
        ("2026-05-06", "2026-05-01", "the whole of Golden Week"),
        ("2026-09-23", "2026-09-18", "the whole Silver Week"),
        ("2029-05-06", "2029-05-02", "the second half of Golden Week"),
    ],
)
def test_the_last_counter_day_comes_before_a_closing(end, last, why):
    assert hours.last_counter_day(date.fromisoformat(end)) == date.fromisoformat(last)


@pytest.mark.parametrize(
    ("day", "standard", "elderly", "why"),
    [
        ("2026-11-20", True, True, "a Friday"),
        ("2026-11-21", True, False, "a Saturday"),
        ("2026-11-22", False, False, "a Sunday"),
        ("2026-11-23", False, False, "a holiday"),
        ("2026-12-29", False, False, "the new year"),
        ("2027-01-03", False, False, "the new year"),
    ],
)
def test_on_which_days_each_mode_is_written_to(day, standard, elderly, why):
    allowed = {mode: hours.is_sending_day(date.fromisoformat(day), mode) for mode in Mode}

    assert allowed == {Mode.STANDARD: standard, Mode.ELDERLY: elderly, Mode.HOME: elderly}


def equinoxes(year: int) -> tuple[date, date]:
    """The formula of the National Astronomical Observatory's tables, valid from 1980 to 2099."""
    drift = 0.242194 * (year - 1980) - (year - 1980) // 4
    return date(year, 3, int(20.8431 + drift)), date(year, 9, int(23.2488 + drift))


@pytest.mark.parametrize("year", range(2020, 2051))
def test_the_holidays_of_the_years_ahead_are_known(year):
    listed = [row[0] for row in jpholiday.year_holidays(year)]

    assert {*equinoxes(year), date(year, 1, 1), date(year, 2, 11), date(year, 11, 3)} <= set(listed)
    assert 16 <= len(set(listed)) <= 21


@given(DAYS, MODES)
def test_a_sending_day_before_is_the_nearest_allowed_one_not_after(day, mode):
    found = hours.sending_day_on_or_before(day, mode)

    assert found <= day
    assert hours.is_sending_day(found, mode)
    assert not any(hours.is_sending_day(found + timedelta(days=n), mode) for n in range(1, (day - found).days + 1))


@given(DAYS, MODES)
def test_a_sending_day_after_is_the_nearest_allowed_one_not_before(day, mode):
    found = hours.sending_day_on_or_after(day, mode)

    assert found >= day
    assert hours.is_sending_day(found, mode)
    assert not any(hours.is_sending_day(day + timedelta(days=n), mode) for n in range((found - day).days))


@given(DAYS)
def test_the_last_counter_day_is_open_and_not_after(day):
    found = hours.last_counter_day(day)

    assert day - timedelta(days=10) < found <= day
    assert hours.is_counter_open(found)


@pytest.mark.parametrize(
    ("mode", "audience", "channel", "opens", "closes"),
    [
        (Mode.STANDARD, Audience.PERSON, ChannelName.SMS, 9, 18),
        (Mode.STANDARD, Audience.PERSON, ChannelName.EMAIL, 9, 18),
        (Mode.ELDERLY, Audience.PERSON, ChannelName.SMS, 10, 18),
        (Mode.HOME, Audience.PERSON, ChannelName.SMS, 10, 18),
        (Mode.ELDERLY, Audience.CARER, ChannelName.EMAIL, 7, 21),
        (Mode.HOME, Audience.STAFF, ChannelName.EMAIL, 7, 21),
        (Mode.ELDERLY, Audience.CARER, ChannelName.SMS, 9, 18),
    ],
)
def test_in_which_hours_each_audience_is_written_to(mode, audience, channel, opens, closes):
    assert hours.sending_hours(mode, audience, channel) == hours.SendingHours(time(opens), time(closes))


def test_a_window_is_given_in_utc():
    window = hours.sending_window(date(2026, 11, 20), Mode.ELDERLY, Audience.PERSON)

    assert window == (datetime(2026, 11, 20, 1, tzinfo=UTC), datetime(2026, 11, 20, 9, tzinfo=UTC))


def test_a_wall_clock_in_japan_is_nine_hours_ahead_of_utc():
    at = hours.instant(date(2027, 1, 1), time(8, 30))

    assert at == datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
    assert hours.japan(at).isoformat() == "2027-01-01T08:30:00+09:00"


@pytest.mark.parametrize(
    ("now", "mode", "audience", "allowed", "why"),
    [
        ("2026-11-20 12:34", Mode.STANDARD, Audience.PERSON, "2026-11-20 12:34", "now is allowed"),
        ("2026-11-20 08:59", Mode.STANDARD, Audience.PERSON, "2026-11-20 09:00", "too early"),
        ("2026-11-20 09:30", Mode.ELDERLY, Audience.PERSON, "2026-11-20 10:00", "too early for an elder"),
        ("2026-11-20 17:59", Mode.STANDARD, Audience.PERSON, "2026-11-20 17:59", "just in time"),
        ("2026-11-20 18:00", Mode.STANDARD, Audience.PERSON, "2026-11-21 09:00", "too late: on Saturday"),
        ("2026-11-20 18:00", Mode.ELDERLY, Audience.PERSON, "2026-11-24 10:00", "elders: after the long weekend"),
        ("2026-11-22 12:00", Mode.STANDARD, Audience.CARER, "2026-11-24 07:00", "Sunday and holiday are quiet"),
        ("2026-12-28 21:00", Mode.HOME, Audience.STAFF, "2027-01-04 07:00", "the new year is quiet"),
    ],
)
def test_the_next_allowed_moment(now, mode, audience, allowed, why):
    assert hours.next_allowed(in_japan(now), mode, audience) == in_japan(allowed)


@given(INSTANTS, MODES, st.sampled_from(Audience))
def test_the_next_allowed_moment_is_allowed_not_past_and_stays_put(now, mode, audience):
    found = hours.next_allowed(now, mode, audience)

    at = hours.japan(found)
    allowed = hours.sending_hours(mode, audience)
    assert found >= now
    assert found.tzinfo is UTC
    assert hours.is_sending_day(at.date(), mode)
    assert allowed.opens <= at.time() < allowed.closes
    assert hours.next_allowed(found, mode, audience) == found


TODAY = date(2026, 11, 20)  # a Friday


@pytest.mark.parametrize(
    ("mode", "audience", "channel", "hour", "opens", "why"),
    [
        (Mode.STANDARD, Audience.PERSON, ChannelName.SMS, 11, 11, "from that hour on"),
        (Mode.STANDARD, Audience.PERSON, ChannelName.SMS, 9, 9, "as early as anybody is told"),
        (Mode.ELDERLY, Audience.PERSON, ChannelName.SMS, 9, 10, "elders not before ten"),
        (Mode.ELDERLY, Audience.PERSON, ChannelName.SMS, 17, 17, "elders as well"),
        (Mode.STANDARD, Audience.CARER, ChannelName.EMAIL, 11, 11, "carers with them"),
        (Mode.ELDERLY, Audience.CARER, ChannelName.EMAIL, 9, 10, "a copy not before its text"),
        (Mode.HOME, Audience.STAFF, ChannelName.EMAIL, 14, 14, "a home's staff"),
        (Mode.STANDARD, Audience.PERSON, ChannelName.VOICE, 17, 10, "calls end in the afternoon and keep their hours"),
    ],
)
def test_from_a_group_s_own_hour_on_everybody_is_told(mode, audience, channel, hour, opens, why):
    window = hours.reminder_window(TODAY, mode, audience, channel, Preferences(send_hour=hour))

    closes = hours.reminder_window(TODAY, mode, audience, channel)[1]
    assert window == (hours.instant(TODAY, time(opens)), closes), why


@pytest.mark.parametrize("day", ["2026-11-22", "2026-11-23", "2027-01-01"])
def test_who_wants_to_be_told_on_holidays_is_and_elders_are_not(day):
    allowed = {mode: hours.is_sending_day(date.fromisoformat(day), mode, True) for mode in Mode}

    assert allowed == {Mode.STANDARD: True, Mode.ELDERLY: False, Mode.HOME: False}


@pytest.mark.parametrize(
    ("now", "mode", "channel", "allowed", "why"),
    [
        ("2026-11-22 08:00", Mode.STANDARD, ChannelName.SMS, "2026-11-22 13:00", "a Sunday, from their hour on"),
        ("2026-11-22 14:00", Mode.STANDARD, ChannelName.SMS, "2026-11-22 14:00", "now"),
        ("2026-11-22 19:00", Mode.STANDARD, ChannelName.SMS, "2026-11-23 13:00", "the holiday after it"),
        ("2026-11-22 08:00", Mode.ELDERLY, ChannelName.SMS, "2026-11-24 13:00", "elders when counters are open"),
        ("2026-11-22 08:00", Mode.STANDARD, ChannelName.VOICE, "2026-11-24 10:00", "nobody is called on holidays"),
    ],
)
def test_the_next_allowed_moment_of_a_group_with_its_own_preferences(now, mode, channel, allowed, why):
    preferences = Preferences(send_hour=13, on_holidays=True)

    assert hours.next_allowed(in_japan(now), mode, Audience.PERSON, channel, preferences) == in_japan(allowed), why


def in_japan(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=hours.JAPAN)
