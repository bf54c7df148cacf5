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


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_resident_of_a_home_is_sent_to_the_staff_and_never_to_a_family(kind: str, language: Language) -> None:
    family = WORDING.of(language).helper(Mode.ELDERLY)
    plan, dates = plan_of(kind, SATURDAY, Mode.HOME), dates_of(kind, SATURDAY)
    resident = Reader(Audience.PERSON, TEXT, language, Mode.HOME, "花子", office="市役所", from_="さくら苑")
    for step in plan:
        if Audience.PERSON in step.audiences:
            told = ReminderContent(
                kind, SATURDAY, step=text_at(step, plan), last_counter_day=dates.last_counter_day,
                grace_ends_on=dates.grace_ends_on,
            )  # fmt: skip
            assert family not in COMPOSER.reminder([told], resident).text


@pytest.mark.parametrize("mode", [Mode.ELDERLY, Mode.HOME])
@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_names_whom_to_ask_twice(mode: Mode, language: Language) -> None:
    helper = WORDING.of(language).helper(mode)
    tail = WORDING.of(language).word("ask_helper").format(helper=helper)
    for kind in KINDS:
        plan, dates = plan_of(kind, SATURDAY, mode), dates_of(kind, SATURDAY)
        reader = Reader(Audience.PERSON, TEXT, language, mode, "花子", office="市役所", from_="田中家")
        for step in plan:
            told = ReminderContent(
                kind, SATURDAY, step=text_at(step, plan), last_counter_day=dates.last_counter_day,
                grace_ends_on=dates.grace_ends_on,
            )  # fmt: skip
            text = COMPOSER.reminder([told], reader).text
            assert tail not in text or text.count(helper) == 1, text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("mode", list(Mode))
def test_a_date_that_was_worked_out_is_never_a_day_to_be_done_by_nor_has_it_a_weekday(
    mode: Mode, language: Language
) -> None:
    words = WORDING.of(language)
    about = words.word("about_date").format(date=words.date(SATURDAY, "short_date"))
    for kind in KINDS:
        plan, dates = plan_of(kind, SATURDAY, mode), dates_of(kind, SATURDAY)
        for step in plan:
            for audience in step.audiences:
                reader = Reader(audience, TEXT, language, mode, "花子", office="市役所", from_="田中家")
                told = ReminderContent(
                    kind, SATURDAY, step=text_at(step, plan), last_counter_day=dates.last_counter_day,
                    grace_ends_on=None, computed=True,
                )  # fmt: skip
                text = COMPOSER.reminder([told], reader).text
                assert f"{about}までに" not in text
                assert f"by {about}" not in text
                assert words.word("about_date").format(date=words.date(SATURDAY)) not in text


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_call_says_what_there_is_to_do(kind: str, language: Language) -> None:
    words, dates = WORDING.of(language), dates_of(kind, SATURDAY)
    reader = Reader(Audience.PERSON, ChannelName.VOICE, language, Mode.ELDERLY, "母", "つばめ", "市役所", "田中家")
    plan = plan_of(kind, SATURDAY, Mode.STANDARD)
    before = next(step for step in plan if step.name == "d7")
    told = ReminderContent(kind, SATURDAY, step=text_at(before, plan), last_counter_day=dates.last_counter_day,
                           grace_ends_on=None)  # fmt: skip

    call = COMPOSER.call([told], reader)

    act = words.kinds[kind]["elder_to_do"].format(office=words.read("市役所"), helper=words.helper(Mode.ELDERLY))
    assert act in "\n".join(call.human)
    assert act not in "\n".join(call.machine)


def test_an_english_voice_is_given_no_japanese_word_to_read() -> None:
    dates = dates_of("passport", SATURDAY)
    plan = plan_of("passport", SATURDAY, Mode.STANDARD)
    reader = Reader(
        Audience.PERSON, ChannelName.VOICE, Language.ENGLISH, Mode.ELDERLY, "母", "つばめ", "市役所", "田中家"
    )
    told = ReminderContent("passport", SATURDAY, step=text_at(plan[0], plan), last_counter_day=dates.last_counter_day,
                           grace_ends_on=None)  # fmt: skip

    assert COMPOSER.call([told], reader).text.isascii()


@pytest.mark.parametrize("language", LANGUAGES)
def test_after_its_end_a_signing_certificate_brings_no_advice_about_hospitals(language: Language) -> None:
    texts = said("mynumber_signature_certificate", SATURDAY, Mode.ELDERLY, MAIL, language)
    words = WORDING.of(language)
    after = words.in_mail.section("email.text")["after_certificates"].strip().splitlines()[-1]

    assert [text for text in texts if words.in_mail.section("email.text")["after_signature"].strip()[:20] in text]
    assert not [text for text in texts if after in text]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", ["mynumber_card", "mynumber_user_certificate", "mynumber_signature_certificate"])
def test_a_carer_s_mail_before_the_end_says_what_stops(kind: str, language: Language) -> None:
    texts = said(kind, SATURDAY, Mode.ELDERLY, MAIL, language)
    stops = WORDING.of(language).in_mail.kinds[kind]["stops"]

    assert [text for text in texts if stops in text]


@pytest.mark.parametrize("mode", list(Mode))
def test_who_acts_for_somebody_over_75_is_told_two_months_before_that_the_paper_may_have_to_be_applied_for(
    mode: Mode,
) -> None:
    end = date(2027, 7, 31)
    kind = KINDS["shikaku_kakuninsho_75plus"].on(end)
    dates = schedule.dates_of(kind, end, insurance=True, card_grace=True)
    plan = schedule.plan(SCHEDULES.of(mode, kind), dates, mode)
    first = plan[0]
    reader = Reader(sorted(first.audiences)[0], TEXT, Language.JAPANESE, mode, "花子", office="市役所", from_="田中家")

    told = ReminderContent(kind.key, end, step=text_at(first, plan), last_counter_day=end, grace_ends_on=None)

    assert (end - first.on).days >= 58
    assert "84歳以下でマイナ保険証の方は、申請がないと" in COMPOSER.reminder([told], reader).text
