"""Nobody is told to begin what is too late to begin, and a passport is spoken of while half a year is still left."""

from datetime import date, timedelta
from itertools import product

import pytest

from reminder.domain.model.card_kinds import FirstAct
from reminder.domain.model.people import Audience, ChannelName, Language, Mode
from reminder.domain.rules import schedule
from reminder.domain.rules.preferences import DEFAULT_PREFERENCES, Preferences
from reminder.domain.rules.steps import Stage, text_at
from reminder.domain.text.composer import Composer
from reminder.domain.text.model import Reader, ReminderContent
from tests.rules import KINDS, LANGUAGES, SCHEDULES, WORDING

COMPOSER = Composer(WORDING)
HALF_A_YEAR = timedelta(days=184)
A_FORTNIGHT = timedelta(days=14)
ENDS = tuple(date(2028, 1, 1) + timedelta(days=37 * n) for n in range(12))
CHOICES = (DEFAULT_PREFERENCES, Preferences("few"), Preferences("often"))
BOOKED = [kind for kind, facts in KINDS.items() if facts.first_act is FirstAct.BOOK and facts.lead_time.days > 30]


@pytest.mark.parametrize(("kind", "mode", "language"), [*product(BOOKED, (Mode.ELDERLY, Mode.HOME), LANGUAGES)])
def test_in_the_last_week_no_elder_is_told_to_book_what_is_booked_out_for_months(
    kind: str, mode: Mode, language: Language
) -> None:
    words = WORDING.of(language)
    dates = schedule.dates_of(KINDS[kind], date(2027, 3, 31), insurance=True, card_grace=True)
    plan = schedule.plan(SCHEDULES.of(mode, KINDS[kind], DEFAULT_PREFERENCES), dates, mode)
    reads = Reader(Audience.PERSON, ChannelName.SMS, language, mode, "花子", office="市役所", from_="田中家")
    told = words.kinds[kind]["elder_to_do"].format(helper=words.helper(mode), office="市役所")

    for step in plan:
        said = text_at(step, plan)
        if Audience.PERSON in step.audiences and said.stage in (Stage.NEAR, Stage.LAST):
            content = ReminderContent(
                kind, dates.expires_on, False, step=said, last_counter_day=dates.last_counter_day, grace_ends_on=None
            )
            assert told not in COMPOSER.reminder([content], reads).text


@pytest.mark.parametrize(("end", "mode", "preferences"), [*product(ENDS, Mode, CHOICES)])
def test_a_passport_is_spoken_of_a_fortnight_before_the_last_half_year_and_not_on_its_first_day_only(
    end: date, mode: Mode, preferences: Preferences
) -> None:
    kind = KINDS["passport"]
    dates = schedule.dates_of(kind, end, insurance=False, card_grace=False)
    plan = schedule.plan(SCHEDULES.of(mode, kind, preferences), dates, mode)
    must_begin = end - HALF_A_YEAR - timedelta(days=kind.lead_time.days)

    for audience in (Audience.PERSON, Audience.CARER):
        days = [step.on for step in plan if step.name == "half_year" and audience in step.audiences]
        assert [must_begin - A_FORTNIGHT <= day <= must_begin for day in days] == [True]


@pytest.mark.parametrize(
    ("language", "half_a_year"),
    [(Language.JAPANESE, "6か月"), (Language.EASY_JAPANESE, "6か月"), (Language.ENGLISH, "6 months")],
)
@pytest.mark.parametrize("audience", [Audience.PERSON, Audience.CARER])
@pytest.mark.parametrize("mode", Mode)
def test_its_text_says_what_countries_ask_for(
    language: Language, half_a_year: str, audience: Audience, mode: Mode
) -> None:
    kind, end = KINDS["passport"], date(2028, 3, 15)
    dates = schedule.dates_of(kind, end, insurance=False, card_grace=False)
    plan = schedule.plan(SCHEDULES.of(mode, kind, DEFAULT_PREFERENCES), dates, mode)
    step = next(one for one in plan if one.name == "half_year")
    content = ReminderContent(
        "passport", end, False, step=text_at(step, plan), last_counter_day=end, grace_ends_on=None
    )

    reads = Reader(audience, ChannelName.SMS, language, mode, "花子", office="市役所", from_="田中家")
    assert half_a_year in COMPOSER.reminder([content], reads).text
