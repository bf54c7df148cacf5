"""The facts about a language besides its words: its name, its tag, and how dates and calls are made in it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from reminder.domain.model.people import Language
from reminder.errors import SettingsError

SECTION = "language"
# The subset of BCP 47 that pages and mails use: de, pt-BR, zh-Hant, en-x-test.
_TAG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*")


class Calendars(StrEnum):
    """The calendars in which a page shows the day on which a card ends."""

    BOTH = "both"  # 令和9年（2027年）
    WESTERN = "western"


class Script(StrEnum):
    """The script of most of a language's letters. A text of Latin letters holds 160 of them, of others 70."""

    LATIN = "latin"
    JAPANESE = "japanese"
    OTHER = "other"


@dataclass(frozen=True)
class LanguageFacts:
    """One language as its file in config/wording/ describes it, in the section [language].

    `name` is its own name for itself. `html` is its tag by BCP 47. `order` is its position in lists of choices.
    `sheets` is the language of sentences about a spreadsheet. `speech` is the BCP 47 tag of calls; `voice` is Twilio's
    name of the voice, None where the setting CALL_VOICE decides.
    """

    code: Language
    name: str
    html: str
    order: int
    calendars: Calendars
    script: Script
    sheets: Language
    speech: str
    voice: str | None = None


def read_facts(code: Language, table: Mapping[str, object]) -> LanguageFacts:
    """Return the facts of the language `code` from its parsed file.

    Raises SettingsError naming the file and the key.
    """
    where = f"config/wording/{code}.toml: {SECTION}"
    section = table.get(SECTION)
    if not isinstance(section, Mapping):
        raise SettingsError(where, "add this section")
    known = {"name", "html", "order", "calendars", "script", "sheets", "speech", "voice"}
    for strange in sorted(section.keys() - known):
        raise SettingsError(f"{where}.{strange}", f"there is no such key; known are {', '.join(sorted(known))}")
    order = section.get("order")
    if not isinstance(order, int):
        raise SettingsError(f"{where}.order", "give its place in lists, a whole number")
    return LanguageFacts(
        code=code,
        name=_text(where, section, "name"),
        html=_tag(where, section, "html"),
        order=order,
        calendars=Calendars(_one_of(where, section, "calendars", Calendars)),
        script=Script(_one_of(where, section, "script", Script)),
        sheets=Language(_text(where, section, "sheets") if "sheets" in section else code),
        speech=_tag(where, section, "speech"),
        voice=_text(where, section, "voice") if "voice" in section else None,
    )


def _text(where: str, section: Mapping[str, object], key: str) -> str:
    value = section.get(key)
    if not isinstance(value, str) or not value.strip():
        raise SettingsError(f"{where}.{key}", "add this text")
    return value


def _tag(where: str, section: Mapping[str, object], key: str) -> str:
    tag = _text(where, section, key)
    if not _TAG.fullmatch(tag):
        raise SettingsError(f"{where}.{key}", "write a language tag (BCP 47), such as en, pt-BR or zh-Hant")
    return tag


def _one_of(where: str, section: Mapping[str, object], key: str, choices: type[StrEnum]) -> str:
    value = section.get(key)
    if value not in list(choices):
        raise SettingsError(f"{where}.{key}", f"name one of {', '.join(choices)}")
    return str(value)
