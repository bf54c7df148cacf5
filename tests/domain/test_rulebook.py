"""The rulebook: what one file of config/ says must fit what the others say; and which ends a stay decides."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta

import pytest

from reminder.domain.model.people import Language
from reminder.domain.rulebook import Rulebook, refuse_dangling_names, refuse_missing_texts, refuse_unnamed_presets
from reminder.domain.rules.schedule_config import read_schedules
from reminder.errors import SettingsError, UnknownChoiceError
from reminder.settings import read_table
from tests.rules import CONFIG, HEADINGS, KINDS, LANGUAGES, QUOTAS, SCHEDULES, WORDING

RULES = Rulebook(
    kinds=KINDS,
    schedules=SCHEDULES,
    wording=WORDING,
    replies=(),
    pictures={},
    headings=HEADINGS,
    card_grace=False,
    quotas=QUOTAS,
)
CARD, USER = "mynumber_card", "mynumber_user_certificate"
END = date(2027, 3, 31)
LATER, SOONER = END + timedelta(days=900), END - timedelta(days=1)


@pytest.mark.parametrize(
    ("kind", "ends", "bound", "why"),
    [
        (CARD, {}, False, "nobody's stay is known"),
        (CARD, {"residence_card": END}, True, "they end together"),
        (CARD, {"residence_card": LATER}, True, "the stay was renewed, which does not extend the card"),
        (CARD, {"residence_card": SOONER}, False, "no card outlives a stay: one of the two dates is another's"),
        (CARD, {"residence_card_permanent": END}, False, "a permanent resident's card is a national's"),
        (USER, {"residence_card": END, CARD: END}, True, "it ends with such a card"),
        (USER, {"residence_card": LATER, CARD: LATER}, False, "its own birthday comes first"),
        (USER, {"residence_card": END}, True, "the card is not registered"),
        ("passport", {"residence_card": END}, False, "no stay decides it"),
    ],
)
def test_a_stay_decides_the_end_of_who_has_one(kind: str, ends: Mapping[str, date], bound: bool, why: str) -> None:
    assert RULES.is_bound(kind, END, ends) is bound, why


@pytest.mark.parametrize(
    ("changed", "named", "why"),
    [
        ({"texts": "novel"}, "passport.texts", "no family of texts"),
        ({"schedule": "stairs"}, "passport.schedule", "no schedule"),
        ({"grace": "health_insurance"}, "passport.grace", "nobody wrote words for it"),
    ],
)
def test_a_kind_that_the_other_files_do_not_know_refuses_to_start(
    changed: Mapping[str, str], named: str, why: str
) -> None:
    kind = type(KINDS["passport"]).model_validate({**KINDS["passport"].model_dump(), **changed})

    with pytest.raises(SettingsError) as refused:
        refuse_dangling_names({**KINDS, "passport": kind}, SCHEDULES)

    assert refused.value.setting == f"config/cards.toml: {named}", why


def test_a_step_without_words_refuses_to_start_and_says_what_to_write() -> None:
    words = WORDING.languages[Language.ENGLISH]
    silent = {
        key: text for key, text in words.texts.items() if (key.voice, key.family, key.name) != ("carer", "card", "a7")
    }
    languages = {**WORDING.languages, Language.ENGLISH: replace(words, texts=silent)}

    with pytest.raises(SettingsError) as refused:
        refuse_missing_texts(SCHEDULES, replace(WORDING, languages=languages))

    assert refused.value.setting == "config/schedules.toml: steps.a7"
    assert refused.value.fix == "write texts.carer.card.a7 in config/wording/en.toml, or remove this step"


def test_every_preset_that_a_group_may_choose_has_a_name_in_every_language() -> None:
    refuse_unnamed_presets(SCHEDULES, WORDING)

    assert set(SCHEDULES.presets) == {"few", "often"}
    assert all("usual" in WORDING.languages[language].section("presets") for language in LANGUAGES)


def test_a_preset_without_a_name_refuses_to_start() -> None:
    table = read_table(CONFIG / "schedules.toml")
    own = read_schedules({**table, "chosen": {"weekly": {}}})

    with pytest.raises(SettingsError) as refused:
        refuse_unnamed_presets(own, WORDING)

    assert refused.value.setting.endswith(".toml: presets.weekly")


def test_a_language_that_has_no_file_is_refused_with_those_that_have() -> None:
    with pytest.raises(UnknownChoiceError) as refused:
        RULES.language("fr")

    assert set(refused.value.choices) == {"ja", "ja-easy", "en"}
