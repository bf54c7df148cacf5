"""Days and hours in Japan on which counters are open and on which messages may be sent."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from functools import lru_cache

import jpholiday

from reminder.domain.model.channels import SendingHours
from reminder.domain.model.people import Audience, ChannelName, Mode
from reminder.domain.rules.preferences import DEFAULT_PREFERENCES, Preferences

# One zone without summer time since 1952: a fixed offset is exact.
JAPAN = timezone(timedelta(hours=9), "Asia/Tokyo")

ONE_DAY = timedelta(days=1)
SATURDAY, SUNDAY = 5, 6


PERSON = SendingHours(time(9), time(18))
# Elderly people read in the later morning, when the family and the office can be asked.
ELDER = SendingHours(time(10), time(18))
CARER_EMAIL = SendingHours(time(7), time(21))


# The simulation calls this millions of times; one look-up costs about a tenth of a millisecond.
@lru_cache(maxsize=16_384)
def is_holiday(day: date) -> bool:
    """Return whether the day is a national holiday, or from 29 December to 3 January, when offices are closed."""
    if (day.month, day.day) >= (12, 29) or (day.month, day.day) <= (1, 3):
        return True
    return bool(jpholiday.is_holiday(day))


def is_counter_open(day: date) -> bool:
    """Return whether counters are open on the day.

    The few offices that also open on a weekend want a reservation, so weekends are not counted.
    """
    return day.weekday() < SATURDAY and not is_holiday(day)


def last_counter_day(expires_on: date) -> date:
    """Return the last open day up to the end date, which itself does not move for a weekend or holiday."""
    day = expires_on
    while not is_counter_open(day):
        day -= ONE_DAY
    return day


def counter_day_on_or_after(day: date) -> date:
    """Return the first open day from this day on."""
    while not is_counter_open(day):
        day += ONE_DAY
    return day


def is_sending_day(day: date, mode: Mode, on_holidays: bool = False) -> bool:
    """Return whether reminders are sent on the day.

    Elderly people are reminded on days on which they can act: when counters are open. Nobody is reminded on a Sunday or
    holiday, except in a group that wants it (`on_holidays`).
    """
    if mode is Mode.STANDARD:
        return on_holidays or (day.weekday() != SUNDAY and not is_holiday(day))
    return is_counter_open(day)


def sending_day_on_or_before(day: date, mode: Mode, on_holidays: bool = False) -> date:
    """Return the last sending day up to this day."""
    while not is_sending_day(day, mode, on_holidays):
        day -= ONE_DAY
    return day


def sending_day_on_or_after(day: date, mode: Mode, on_holidays: bool = False) -> date:
    """Return the first sending day from this day on."""
    while not is_sending_day(day, mode, on_holidays):
        day += ONE_DAY
    return day


def sending_hours(mode: Mode, audience: Audience, channel: ChannelName = ChannelName.EMAIL) -> SendingHours:
    """Return the sending hours of an audience and a channel, in Japan time.

    A carer or member of staff reads e-mail early and late; a message that rings a telephone keeps a person's hours.
    """
    if own := channel.can.own_hours:
        return SendingHours(own[0].opens, own[-1].closes)
    if audience is Audience.PERSON:
        return PERSON if mode is Mode.STANDARD else ELDER
    return CARER_EMAIL if channel.can.reads_early else PERSON


def sending_window(
    day: date,
    mode: Mode,
    audience: Audience,
    channel: ChannelName = ChannelName.EMAIL,
    preferences: Preferences = DEFAULT_PREFERENCES,
) -> tuple[datetime, datetime]:
    """Return the first instant of the day at which a message may be sent, and the first at which it no longer may."""
    allowed = sending_hours(mode, audience, channel)
    return instant(day, _not_before(preferences, channel, allowed.opens)), instant(day, allowed.closes)


def reminder_window(
    day: date, mode: Mode, audience: Audience, channel: ChannelName, preferences: Preferences = DEFAULT_PREFERENCES
) -> tuple[datetime, datetime]:
    """Return the sending window of a reminder: a carer's copy does not arrive before its original."""
    opens, closes = sending_window(day, mode, audience, channel, preferences)
    return max(opens, instant(day, sending_hours(mode, Audience.PERSON).opens)), closes


def next_allowed(
    now: datetime,
    mode: Mode,
    audience: Audience,
    channel: ChannelName = ChannelName.EMAIL,
    preferences: Preferences = DEFAULT_PREFERENCES,
) -> datetime:
    """Return the first instant from `now` on at which a message may be sent, aware UTC."""
    today = japan(now).date()
    if own := channel.can.own_hours:
        # Calls go only on days on which a family can be asked at once, whoever is called.
        mode = Mode.ELDERLY
        if is_sending_day(today, mode):
            for allowed in own:
                if now < instant(today, allowed.closes):
                    return max(now.astimezone(UTC), instant(today, allowed.opens))
    elif is_sending_day(today, mode, preferences.on_holidays):
        opens, closes = sending_window(today, mode, audience, channel, preferences)
        if now < closes:
            return max(now.astimezone(UTC), opens)
    following = sending_day_on_or_after(today + ONE_DAY, mode, preferences.on_holidays)
    return sending_window(following, mode, audience, channel, preferences)[0]


def _not_before(preferences: Preferences, channel: ChannelName, opens: time) -> time:
    """Return the hour before which nothing is sent. Calls keep their own hours: they end early in the afternoon."""
    if preferences.send_hour is None or channel.can.own_hours:
        return opens
    return max(opens, time(preferences.send_hour))


def instant(day: date, at: time) -> datetime:
    """Return the instant of a local time in Japan, as aware UTC."""
    return datetime.combine(day, at, JAPAN).astimezone(UTC)


def japan(instant: datetime) -> datetime:
    """Return the same instant in Japan's zone."""
    return instant.astimezone(JAPAN)
