"""Steps that somebody adds to config/schedules.toml: they are told in words, without code and without new texts."""

import re
import shutil
from datetime import date
from itertools import product
from pathlib import Path

import pytest

from reminder.domain.model.people import Audience, ChannelName, Language, Mode
from reminder.domain.rulebook import Rulebook
from reminder.domain.text.catalog import FAMILIES, VOICES, WITH_GRACE, lint
from reminder.errors import SettingsError
from reminder.guard.numbers import forbidden_at_length as forbidden
from reminder.planning.preview import PreviewedCard, preview
from reminder.settings import read_table
from reminder.wiring import read_rulebook, read_settings
from tests.rules import CONFIG, KINDS, LANGUAGES
from tests.village import USER_CERTIFICATE, open_village

LINT = read_table(CONFIG / "wording" / "lint.toml")
END = date(2027, 3, 31)

ADDED = {
    "d100": '{ anchor = "expires", days = -100 }',
    "d21": '{ anchor = "expires", days = -21 }',
    "d45": '{ anchor = "expires", days = -45 }',
    "d10": '{ anchor = "expires", days = -10 }',
    "d2": '{ anchor = "expires", days = -2 }',
    "a10": '{ anchor = "expires", days = 10 }',
    "spring": '{ anchor = "expires", days = 40 }',
    "o14": '{ anchor = "opens", days = 14, moves = "after" }',
    "c2": '{ anchor = "counter", days = -2 }',
    "g14": '{ anchor = "grace", days = -14 }',
    "p20": '{ anchor = "grace", days = 20 }',
}


def with_steps(folder: Path, steps: dict[str, str], told: bool = True) -> Path:
    """Copy the shipped config/ to `folder` with more steps, each told to everybody in every schedule."""
    shutil.copytree(CONFIG, folder)
    file = folder / "schedules.toml"
    text = file.read_text(encoding="utf-8")
    for name, row in steps.items():
        text = re.sub(rf"(?m)^{name} +=.*\n", "", text)
        text = text.replace("\n[steps]\n", f"\n[steps]\n{name} = {row}\n")
    if told:
        names = ", ".join(f'"{name}"' for name in steps)
        text = re.sub(r"(?m)^((?:person|carer|staff) +)= \[(.+)\]$", rf"\1= [\2, {names}]", text)
    file.write_text(text, encoding="utf-8")
    return folder


def rules_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Rulebook:
    monkeypatch.setenv("REMINDER_CONFIG", str(folder))
    monkeypatch.setenv("REMINDER_CARD_GRACE", "on")
    return read_rulebook(read_settings())


def test_every_added_step_has_a_sensible_text_for_every_kind_mode_and_language(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = rules_in(with_steps(tmp_path / "config", ADDED), monkeypatch)
    seen: set[tuple[str, str, Mode, Language]] = set()

    for kind, mode, language in product(KINDS, Mode, LANGUAGES):
        for row in preview(rules, PreviewedCard(kind, END), mode=mode, language=language):
            if row.step not in ADDED:
                continue
            seen.add((row.step, row.audience, mode, language))
            where = (kind, mode, language, row)
            assert not re.search(r"[{}]|(?-i:None)", f"{row.subject or ''}{row.text}"), where
            assert forbidden(row.text) is None, where
            if row.channel is ChannelName.SMS:
                assert lint(row.text, LINT) == [], where  # type: ignore[arg-type]
                assert 1 <= row.segments <= 2, where
                assert not (row.on <= END and re.search("過ぎました|has passed", row.text)), where
            else:
                assert row.subject, where

    # The last open day is where the end is on Wednesday 31 March 2027: nothing hangs on it.
    told = set(product(set(ADDED) - {"c2"}, [Audience.PERSON], Mode, LANGUAGES))
    assert told - seen == set()
    assert {audience for _, audience, _, _ in seen} == set(Audience)


def test_a_step_that_hangs_on_the_last_open_day_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = with_steps(tmp_path / "config", {"c2": ADDED["c2"]}, told=False)
    file = folder / "schedules.toml"
    text = file.read_text(encoding="utf-8")
    file.write_text(
        re.sub(r"(\[presets.standard.renewal\]\nperson) = .*", r'\1 = ["opens", "c2"]', text), encoding="utf-8"
    )
    rules = rules_in(folder, monkeypatch)

    # 19 June 2027 is a Saturday: the counter is open until Friday.
    shown = preview(
        rules,
        PreviewedCard(USER_CERTIFICATE, date(2027, 6, 19)),
        mode=Mode.STANDARD,
        language=Language.JAPANESE,
    )

    row = next(row for row in shown if row.step == "c2")
    assert row.on == date(2027, 6, 16)
    assert "窓口は6月18日（金）まで" in row.text


def test_an_added_step_is_told_on_its_day_like_any_other(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = with_steps(tmp_path / "config", {"d21": ADDED["d21"], "a10": ADDED["a10"]})
    monkeypatch.setenv("REMINDER_CONFIG", str(folder))

    with open_village(sqlite_url, tmp_path, "2027-03-05 08:00") as village:
        village.group()
        village.person("母", phone="090-0000-0001")
        village.card("母", END, USER_CERTIFICATE)
        village.run_until("2027-04-11 00:00")

        told = village.texts_to("母")

    assert "03-10 09:00" in told  # 21 days before the end
    assert "04-10 09:00" in told  # 10 days after it


def test_any_number_of_days_has_words_in_every_voice_and_family(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    steps = {f"s{days}": f'{{ anchor = "expires", days = {days} }}' for days in range(-365, 366)}
    steps |= {f"t{days}": f'{{ anchor = "grace", days = {days} }}' for days in range(-90, 91)}
    steps = {name.replace("-", "m"): row for name, row in steps.items()}

    rules = rules_in(with_steps(tmp_path / "config", steps, told=False), monkeypatch)

    silent = [
        (language, voice, family, rule.name)
        for language, words in rules.wording.languages.items()
        for rule, voice, family in product(rules.schedules.steps, VOICES, FAMILIES)
        if (family in WITH_GRACE or not rule.text.stage.is_of_grace)
        and not words.text(voice, family, rule.text).strip()
    ]
    assert silent == []
    assert len(rules.schedules.steps) > len(steps)


def test_an_operator_may_write_a_text_for_a_step_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = with_steps(tmp_path / "config", {"spring": '{ anchor = "expires", days = -21 }'})
    wording = folder / "wording" / "ja.toml"
    own = "{thing}は{date}までです。桜の前にどうぞ。"
    text = wording.read_text(encoding="utf-8")
    wording.write_text(
        text.replace("[texts.standard.procedure]\n", f'[texts.standard.procedure]\nspring = "{own}"\n'),
        encoding="utf-8",
    )
    rules = rules_in(folder, monkeypatch)

    shown = preview(rules, PreviewedCard("passport", END), mode=Mode.STANDARD, language=Language.JAPANESE)

    assert ["桜の前にどうぞ" in row.text for row in shown if row.audience is Audience.PERSON] == [
        row.step == "spring" for row in shown if row.audience is Audience.PERSON
    ]


@pytest.mark.parametrize(
    ("name", "row", "said", "why"),
    [
        ("early", '{ anchor = "opens", days = -7 }', "before the opening", "the counter turns people away"),
        ("late", '{ anchor = "counter", days = 1 }', "after the last open day", "no counter is open"),
        ("done2", '{ anchor = "expires", days = -9 }', "call it by", "the name of a question"),
        ("x" * 21, '{ anchor = "expires", days = -9 }', "call it by", "no room where it is kept"),
        ("d9", '{ anchor = "expires", days = -9, calls = "yes" }', "calls = true", "a word for a mark"),
        ("d9", '{ anchor = "expires", days = true }', "a whole number", "a mark for a number"),
    ],
)
def test_a_step_at_which_nothing_can_be_said_refuses_to_start_and_says_what_to_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, row: str, said: str, why: str
) -> None:
    folder = with_steps(tmp_path / "config", {name: row})

    with pytest.raises(SettingsError) as refused:
        rules_in(folder, monkeypatch)

    assert refused.value.setting == f"config/schedules.toml: steps.{name}", why
    assert said in refused.value.fix, why


def test_a_text_that_no_step_would_ever_say_refuses_to_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = with_steps(tmp_path / "config", {})
    wording = folder / "wording" / "en.toml"
    text = wording.read_text(encoding="utf-8")
    wording.write_text(
        text.replace("[texts.standard.card]\n", '[texts.standard.card]\nd6o = "{date}"\n'), encoding="utf-8"
    )

    with pytest.raises(SettingsError) as refused:
        rules_in(folder, monkeypatch)

    assert refused.value.setting == "config/wording/en.toml: texts.standard.card.d6o"
    assert "as a step of config/schedules.toml" in refused.value.fix
