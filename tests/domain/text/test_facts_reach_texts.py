"""What config/cards.toml says of a kind decides what is said of it, in every mode, language and medium."""

from datetime import date

import pytest

from reminder.domain.model.people import Audience, ChannelName, Language, Mode
from reminder.domain.rules import hours, schedule
from reminder.domain.rules.next_step import NextAct, next_step
from reminder.domain.rules.schedule_model import CardDates
from reminder.domain.rules.steps import Plan, text_at
from reminder.domain.text.model import Reader, ReminderContent
from tests.rules import COMPOSER, KINDS, LANGUAGES, SCHEDULES, WORDING

# A Saturday: its last open day is before it.
SATURDAY = date(2027, 2, 20)
MAIL, TEXT = ChannelName.EMAIL, ChannelName.SMS


def dates_of(kind: str, end: date) -> CardDates:
    return schedule.dates_of(KINDS[kind], end, insurance=True, card_grace=True)


def plan_of(kind: str, end: date, mode: Mode) -> Plan:
    return schedule.plan(SCHEDULES.of(mode, KINDS[kind]), dates_of(kind, end), mode)


def said(kind: str, end: date, mode: Mode, channel: ChannelName, language: Language) -> list[str]:
    """Return every text of a plan, to each of its audiences."""
    dates, plan = dates_of(kind, end), plan_of(kind, end, mode)
    return [
        f"{composed.subject or ''}\n{composed.text}"
        for step in plan
        for audience in sorted(step.audiences)
        for composed in [
            COMPOSER.reminder(
                [ReminderContent(kind, end, step=text_at(step, plan), last_counter_day=dates.last_counter_day,
                                 grace_ends_on=dates.grace_ends_on)],
                Reader(Audience(audience), channel, language, mode, "花子", office="市役所", from_="田中家"),
            )
        ]
    ]  # fmt: skip


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("kind", sorted(key for key, kind in KINDS.items() if not kind.closes_with_counters))
def test_no_counter_day_is_told_of_what_does_not_close_with_counters(kind: str, mode: Mode) -> None:
    assert "lastopen" not in {step.name for step in plan_of(kind, SATURDAY, mode)}
    for language in LANGUAGES:
        counter_day = WORDING.of(language).date(hours.last_counter_day(SATURDAY))
        for channel in (MAIL, TEXT):
            assert not [text for text in said(kind, SATURDAY, mode, channel, language) if counter_day in text]


@pytest.mark.parametrize("kind", sorted(key for key, kind in KINDS.items() if kind.closes_with_counters))
def test_the_last_open_day_is_told_of_what_closes_with_counters(kind: str) -> None:
    texts = said(kind, SATURDAY, Mode.ELDERLY, MAIL, Language.JAPANESE)

    assert "lastopen" in {step.name for step in plan_of(kind, SATURDAY, Mode.ELDERLY)}
    assert [text for text in texts if WORDING.of(Language.JAPANESE).date(hours.last_counter_day(SATURDAY)) in text]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("kind", sorted(key for key, kind in KINDS.items() if not kind.sealed_form))
def test_no_mail_names_the_sealed_form_where_there_is_none(kind: str, mode: Mode, language: Language) -> None:
    for text in said(kind, SATURDAY, mode, MAIL, language):
        assert "照会書" not in text
        assert "sealed" not in text


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_first_day_of_what_closes_with_counters_is_one_on_which_they_are_open(kind: str) -> None:
    for end in (date(2027, 4, 29), date(2027, 8, 30), date(2027, 10, 31), date(2027, 4, 1)):
        dates = dates_of(kind, end)
        if dates.opens_on is None:
            continue
        step = next_step(dates, None, dates.opens_on.replace(year=dates.opens_on.year - 1))
        assert step.act is NextAct.OPENS
        assert step.first >= dates.opens_on
        assert not KINDS[kind].closes_with_counters or hours.is_counter_open(step.first)


@pytest.mark.parametrize("kind", sorted(key for key, kind in KINDS.items() if not kind.closes_with_counters))
def test_what_does_not_close_with_counters_is_never_called_closed(kind: str) -> None:
    dates = dates_of(kind, SATURDAY)

    assert next_step(dates, None, SATURDAY).act is not NextAct.CLOSED
