"""The words of the pages: the same in every language, all of them used, none of them missing."""

import re
import shutil
from pathlib import Path

import pytest

from reminder.domain.model.card_kinds import FirstAct
from reminder.domain.model.card_states import CardState, EndReason
from reminder.domain.model.channels import registered
from reminder.domain.model.messages import MessageState
from reminder.domain.model.people import ContactState, Language, Role
from reminder.domain.model.person_states import PersonState
from reminder.domain.parsing.replies import Consent, Intent
from reminder.domain.rules.next_step import NextAct
from reminder.errors import SettingsError
from reminder.settings import config_dir
from reminder.storage.auth.signed_links import AGREE, ASSIGN, STOP, VERIFY
from reminder.web.support.effect_tables import NAMED_STEPS, OF_A_GROUP
from reminder.web.support.page_catalog import read_pages
from tests.domain.text.test_furigana import bare

WEB = Path(__file__).parents[2] / "reminder" / "web"
PAGES = read_pages()
JAPANESE = PAGES[Language.JAPANESE].entries
SOURCES = "\n".join(
    file.read_text(encoding="utf-8")
    for file in [*WEB.glob("templates/*.html"), *WEB.glob("*.py"), *WEB.glob("**/*.py")]
)
# What templates put together of a word and a value.
BUILT = {
    "next": list(NextAct),
    "next_open": ["last", "first"],
    "first_act": list(FirstAct),
    "reach": list(MessageState),
    "answer": ["none", *Intent, *Consent],
    "channel": list(registered()),
    "contact_state": list(ContactState),
    "unheard": [state for state in ContactState if state is not ContactState.CONFIRMED],
    "role": list(Role),
    "life_state": list(CardState),
    "person_state": list(PersonState),
    "end_reason": list(EndReason),
    "renewals": [*(f"by_{one}" for one in OF_A_GROUP), *(f"step_{one}" for one in (*NAMED_STEPS, *"dag"))],
}


def test_the_three_languages_are_there() -> None:
    assert set(PAGES) == {Language.JAPANESE, Language.EASY_JAPANESE, Language.ENGLISH}


@pytest.mark.parametrize("language", list(PAGES))
def test_every_language_fills_in_the_same(language: Language) -> None:
    def holes(entries: dict[str, str]) -> dict[str, set[str]]:
        return {name: set(re.findall(r"\{(\w+)\}", text)) for name, text in entries.items()}

    assert holes(PAGES[language].entries) == holes(JAPANESE)


def test_every_word_that_a_page_asks_for_is_there() -> None:
    named = set(re.findall(r"""\bt(?:\.plain|\.has)?\(\s*"([a-z_.]+[a-z_])"\s*[,)]""", SOURCES))
    built = {f"{section}.{value}" for section, values in BUILT.items() for value in values}

    assert len(named) > 200
    assert named - set(JAPANESE) == set()
    assert built - set(JAPANESE) == set()


# The pages of one button are named by what their signed link is for.
BUTTONS = (AGREE, ASSIGN, STOP, VERIFY)


def test_no_word_stands_there_for_nothing() -> None:
    def is_used(name: str) -> bool:
        section, _, rest = name.partition(".")
        starts = {name[: place + 1] for place, sign in enumerate(name) if sign in "._"}
        return (
            section in ("errors", "did")
            or f'"{name}"' in SOURCES
            or f"'{name}'" in SOURCES
            or (section in BUILT and rest in BUILT[section])
            or any(f'"{start}" ~' in SOURCES for start in starts)
            or (f'~ ".{rest}"' in SOURCES and (section in BUTTONS or f'"{section}"' in SOURCES))
        )

    assert {name for name in JAPANESE if not is_used(name)} == set()


def test_every_word_in_easy_japanese_has_its_reading() -> None:
    # What stands beside a field of a date is read by everybody who can read a date.
    entries = {
        name: text
        for name, text in PAGES[Language.EASY_JAPANESE].entries.items()
        if not name.startswith(("date.", "page.language"))
    }

    counted = re.compile(r"\{n\}[分通]|[0-9][時分通]")
    assert {name: bare(counted.sub("", text)) for name, text in entries.items() if bare(counted.sub("", text))} == {}


def test_what_is_filled_in_cannot_become_a_part_of_the_page() -> None:
    said = PAGES[Language.JAPANESE]("plan.heading", name="<b>母</b>")

    assert "&lt;b&gt;" in said


def test_a_language_that_lacks_an_entry_refuses_to_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(shutil.copytree(config_dir(), tmp_path / "config"))
    file = folder / "pages" / "en.toml"
    file.write_text(file.read_text(encoding="utf-8").replace('skip = "', 'skap = "', 1), encoding="utf-8")
    monkeypatch.setenv("REMINDER_CONFIG", str(folder))

    with pytest.raises(SettingsError) as refused:
        read_pages()

    assert refused.value.setting.startswith("config/pages/en.toml: page.sk")
