"""Subjects say how near an end is, and one text about several cards keeps whose, what, until when and what to do."""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import pairwise, product

import pytest

from reminder.domain.model.people import Audience, ChannelName, Language, Mode
from reminder.domain.rules.preferences import Preferences
from reminder.domain.rules.steps import StepText, text_at
from reminder.domain.text.composer import Composer
from reminder.domain.text.model import Copy, Reader, ReminderContent
from reminder.domain.text.sms import MOST_SEGMENTS
from reminder.wiring import read_rulebook, read_settings

RULES = read_rulebook(read_settings())
COMPOSER: Composer = RULES.composer
LANGUAGES = list(RULES.wording.languages)
END = date(2031, 6, 18)
SMS, EMAIL = ChannelName.SMS, ChannelName.EMAIL
LABELS = ["母", "長谷川花子", "203 佐藤", "Hanako"]


def reader(channel: ChannelName, language: Language, mode: Mode, audience: Audience, label: str = "母") -> Reader:
    return Reader(audience, channel, language, mode, label, "つばめ", "市役所", "田中家")


def told_of(kind: str, says: StepText, on: date, *, end: date = END, computed: bool = False) -> ReminderContent:
    dates, _ = RULES.plan(kind, end, Mode.STANDARD, insurance=True, carrier_ends_on=None, is_bound=False)
    label = "老人パス" if kind == "other" else None
    return ReminderContent(
        kind, end, computed, label, step=says, last_counter_day=dates.last_counter_day,
        grace_ends_on=dates.grace_ends_on, on=on,
    )  # fmt: skip


def plans() -> Iterator[tuple[str, Mode, Audience, str]]:
    for kind, mode, audience in product(RULES.kinds, Mode, Audience):
        for preset in ("", "few", "often"):
            yield kind, mode, audience, preset


@pytest.mark.parametrize("computed", [False, True])
@pytest.mark.parametrize("language", LANGUAGES)
def test_no_two_successive_mails_of_a_schedule_have_one_subject(language: Language, computed: bool) -> None:
    pairs = 0
    for kind, mode, audience, preset in plans():
        _, plan = RULES.plan(
            kind,
            END,
            mode,
            insurance=True,
            carrier_ends_on=None,
            is_bound=False,
            preferences=Preferences(preset=preset),
        )
        own = [step for step in plan if audience in step.audiences]
        subjects = []
        for step in own:
            told = told_of(kind, text_at(step, plan), step.on, computed=computed)
            for together in ([told], [told, told_of("passport", told.step, step.on, end=END + timedelta(days=1))]):
                one = COMPOSER.reminder(together, reader(EMAIL, language, mode, audience), copy=Copy())
                two = COMPOSER.together([one, one], language)
                subjects.append((one.subject, two.subject))
        for which in (0, 1):
            for before, after in pairwise(subjects[which::2]):
                pairs += 1
                assert before[0] != after[0], (kind, mode, audience)
                assert before[1] != after[1], "and none to a reader of several persons"
    assert pairs > 1000


@pytest.mark.parametrize(
    ("left", "says"),
    [(30, "【あと30日】"), (1, "【明日まで】"), (0, "【今日まで】"), (-1, "【昨日まで】"), (-7, "【7日過ぎました】")],
)
def test_a_subject_says_how_many_days_are_left_on_the_day_it_is_sent(left: int, says: str) -> None:
    step = StepText.read("d30" if left >= 0 else "a7")
    assert step is not None
    told = told_of("passport", step, END - timedelta(days=left))

    subject = COMPOSER.reminder([told], reader(EMAIL, Language.JAPANESE, Mode.STANDARD, Audience.CARER)).subject

    assert str(subject).startswith(says)


PASSED, TO_COME = "過ぎました|xpired:", "期限は、|xpiry dates:"
STEPS = {"before": ("d30", 30), "soon": ("d7", 6), "last": ("d0", 0), "after": ("a7", -7)}


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_text_about_several_cards_keeps_whose_what_until_when_and_what_to_do(language: Language) -> None:
    words = RULES.wording.of(language)
    said, voices = words.section("several"), {Audience.PERSON: "elderly", Audience.CARER: "carer"}
    kinds = [kind for kind in RULES.kinds if kind not in ("mynumber_card", "mynumber_signature_certificate")]
    pairs = [(first, kinds[(place + by) % len(kinds)]) for place, first in enumerate(kinds) for by in (1, 7)]
    for (first, second), (audience, voice), label in product(pairs, voices.items(), LABELS):
        for (name, (key, left)), (other, (other_key, other_left)) in product(STEPS.items(), repeat=2):
            if first == second or (name == other and {first, second} <= {"mynumber_user_certificate"}):
                continue
            on = END - timedelta(days=left)
            one, two = StepText.read(key), StepText.read(other_key)
            assert one is not None
            assert two is not None
            told = [
                told_of(first, one, on),
                told_of(
                    second, two, on, end=on + timedelta(days=other_left) if name != other else END + timedelta(days=1)
                ),
            ]
            to = reader(SMS, language, Mode.ELDERLY, audience, label)
            text = COMPOSER.reminder(told, to).text
            where = (first, second, name, other, text)
            composed = COMPOSER.reminder(told, to)

            assert composed.segments <= MOST_SEGMENTS, where
            called = {"母": ("お母", "母", "Mother", "mother")}.get(label, (label.split()[-1],))
            if language != Language.ENGLISH or label.isascii():
                assert any(part in text for part in called), where
            nearest = min(told, key=lambda card: card.urgency)
            assert str(nearest.expires_on.day) in text, where
            helper = words.helper(Mode.ELDERLY)
            acts = [said[f"{voice}_{act}"].format(helper=helper) for act in ("do", "late", "arrival")]
            assert [act for act in acts if act in text] != [], where
            is_over = [card for card in told if card.is_after_end]
            # A name in another script leaves an English text room for one card; the other is counted.
            if not re.search("ほか|more", text):
                assert bool(is_over) == bool(re.search(PASSED, text)), where
                assert (len(is_over) < 2) == bool(re.search(TO_COME, text)), ("not as if it were to come", *where)


def test_the_couple_on_one_telephone_can_tell_whose_text_it_is() -> None:
    step = StepText.read("d60")
    assert step is not None
    on, end = date(2026, 12, 21), date(2027, 2, 19)
    told = [told_of(kind, step, on, end=end) for kind in ("mynumber_user_certificate", "care_certification")]

    text = COMPOSER.reminder(told, reader(SMS, Language.JAPANESE, Mode.ELDERLY, Audience.PERSON)).text

    assert re.search(
        r"お母さん、期限は、電子証明書 2月19日.*要介護・要支援認定 2月19日.*です。ご家族と、窓口で手続きしてください。",
        text,
    )
    assert "期限の日です" not in text, "which reads as if the day had come"
