"""What is said once somebody has begun: one text each, for every kind, voice and language, and nothing that is done."""

from datetime import date
from itertools import product

import pytest

from reminder.domain.model.people import Audience, ChannelName, Language, Mode
from reminder.domain.rules.steps import Stage, StepText
from reminder.domain.text import sms_segments
from reminder.domain.text.catalog import lint
from reminder.domain.text.model import Copy, Reader, ReminderContent
from reminder.settings import read_table
from tests.rules import COMPOSER, CONFIG, KINDS, LANGUAGES, WORDING

LINT = read_table(CONFIG / "wording" / "lint.toml")
END, UNTIL = date(2026, 12, 23), date(2026, 12, 22)
STAGES = [stage for stage in Stage if stage.is_of_life]
MODES = (Mode.STANDARD, Mode.ELDERLY, Mode.HOME)


def content(kind: str, stage: Stage, until: date | None = UNTIL) -> ReminderContent:
    label = "老人パスカード" if kind == "other" else None
    step = StepText(f"{stage}20261222", stage, 0)
    return ReminderContent(
        kind, END, False, label, step=step, last_counter_day=END, grace_ends_on=None, on=date(2026, 12, 8), until=until
    )


def reader(audience: Audience, channel: ChannelName, language: Language, mode: Mode) -> Reader:
    code = 1 if audience is Audience.PERSON else None
    return Reader(audience, channel, language, mode, "長谷川花子", "つばめや", "市役所", "田中家", code)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_text_to_a_person_is_one_segment_names_the_day_and_asks_for_nothing_that_is_done(language: Language) -> None:
    for kind, stage, mode, until in product(KINDS, STAGES, MODES, (UNTIL, None)):
        if until is None and stage is Stage.VISIT:
            continue
        composed = COMPOSER.reminder(
            [content(kind, stage, until)], reader(Audience.PERSON, ChannelName.SMS, language, mode)
        )
        where = (kind, stage, mode, composed.text)
        assert sms_segments.count(composed.text) == 1, where
        assert lint(composed.text, LINT) == [], where
        assert "{" not in composed.text, where
        if until is not None and stage is not Stage.COME:
            assert WORDING.of(language).date(UNTIL) in composed.text, where


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_mail_to_a_carer_says_the_same_and_gives_no_advice_about_the_act_that_is_done(language: Language) -> None:
    said = WORDING.of(language).in_mail
    for kind, stage in product(KINDS, STAGES):
        composed = COMPOSER.reminder(
            [content(kind, stage)], reader(Audience.CARER, ChannelName.EMAIL, language, Mode.ELDERLY), copy=Copy("…")
        )
        assert composed.subject, (kind, stage)
        assert "{" not in composed.text, (kind, stage)
        assert f"■ {said.section('email.part')['done']}" in composed.text, (kind, stage)
        assert f"■ {said.section('email.part')['to_do']}" not in composed.text, (kind, stage)


@pytest.mark.parametrize("language", LANGUAGES)
def test_whether_it_has_come_is_answered_by_a_digit_that_says_that_it_has(language: Language) -> None:
    someone = Reader(
        Audience.PERSON, ChannelName.SMS, language, Mode.STANDARD, "母", None, "市役所", "田中家", reply_code=1
    )

    text = COMPOSER.reminder([content("passport", Stage.COME)], someone).text

    assert WORDING.of(language).word("reply_come").format(code=1).strip() in text
