"""The words of each language: read from config/wording/, found through their stand-ins, and checked before any use."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from string import Formatter
from typing import cast

from reminder.domain.cards import CardKind
from reminder.domain.people import Language
from reminder.errors import SettingsError

FAMILIES = ("certificates", "user_certificate", "signature_certificate", "card")

VOICES = ("standard", "elderly", "carer")

RUNGS = (
    "opens", "d75", "d60", "d45", "d30", "d14", "d7", "d3", "d1", "d0", "lastopen", "a7", "g30", "g7", "post",
)  # fmt: skip

WITHOUT_INSURANCE, COMPUTED = "a7_without_insurance", "computed"

# Rungs for the one who acts on a slow card; where something else is told then, it is what is told next.
_STAND_IN = {"d75": ("d60",), "d45": ("d30",)}

PLACEHOLDERS = frozenset({"date", "lastopen", "grace", "office", "call", "who", "thing"})

_SECTIONS = (
    "service", "operator", "sender", "sender_with_mark", "date", "full_date", "weekdays", "list_separator", "and_more",
    "call_suffix", "called", "carers_word", "thing", "several.standard", "several.elderly", "several.carer",
    "several.item", "undelivered.carer", "undelivered.subject", "email.subject", "email.line", "email.part",
    "email.text", "timeline", "shown", "fields", "looks_like", "errors",
)  # fmt: skip


@dataclass(frozen=True)
class Words:
    """One language: its table, and every text found through its stand-ins."""

    table: Mapping[str, object]
    texts: Mapping[tuple[str, str, str], str]  # (voice, family, rung)

    def section(self, name: str) -> Mapping[str, str]:
        found: object = self.table
        for part in name.split("."):
            found = cast(Mapping[str, object], found)[part]
        return cast(Mapping[str, str], found)

    def word(self, name: str) -> str:
        return cast(str, self.table[name])

    def date(self, day: date, form: str = "date") -> str:
        weekdays, months = self.word("weekdays"), cast(str, self.table.get("months", ""))
        return self.word(form).format(
            year=day.year,
            month=months.split()[day.month - 1] if months else day.month,
            day=day.day,
            weekday=weekdays.split()[day.weekday()] if " " in weekdays else weekdays[day.weekday()],
        )


@dataclass(frozen=True)
class Wording:
    languages: Mapping[Language, Words]
    families: Mapping[str, str]  # card kind -> family


def read_wording(tables: Mapping[Language, Mapping[str, object]], kinds: Mapping[str, CardKind]) -> Wording:
    """From the parsed config/wording/*.toml. Raises SettingsError, which names the file and the text at fault."""
    languages = {}
    for language, table in tables.items():
        stands_in = table.get("like")
        whole = _merged(tables[Language(str(stands_in))], table) if stands_in else table
        languages[language] = _read_language(language, whole)
    return Wording(languages, {key: _family(key) for key in kinds})


def _merged(below: Mapping[str, object], above: Mapping[str, object]) -> Mapping[str, object]:
    """Two tables, the upper one first. Texts are not mixed: a language has all of its own."""
    both = {**below, **above}
    for name in both:
        lower, upper = below.get(name), above.get(name)
        if name != "texts" and isinstance(lower, Mapping) and isinstance(upper, Mapping):
            both[name] = _merged(lower, upper)
    return both


def _family(kind: str) -> str:
    name = kind.removeprefix("mynumber_")
    return name if name in FAMILIES else "card"


def _read_language(language: Language, table: Mapping[str, object]) -> Words:
    where = f"config/wording/{language}.toml"
    texts: dict[tuple[str, str, str], str] = {}
    for voice in VOICES:
        for family in FAMILIES:
            for rung in (*RUNGS, WITHOUT_INSURANCE, COMPUTED):
                if family == "card" and rung == WITHOUT_INSURANCE:
                    continue
                text = _find(table, voice, family, rung)
                name = f"{where}: texts.{voice}.{family}.{rung}"
                if text is None:
                    raise SettingsError(name, "add this text")
                strange = {field for _, field, _, _ in Formatter().parse(text) if field} - PLACEHOLDERS
                if strange:
                    raise SettingsError(name, f"there is no placeholder {', '.join(sorted(strange))}")
                texts[voice, family, rung] = text
    for section in _SECTIONS:
        found: object = table
        for part in section.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
        if found is None:
            raise SettingsError(f"{where}: {section}", "add it")
    return Words(table, texts)


def _find(table: Mapping[str, object], voice: str, family: str, rung: str) -> str | None:
    texts = cast(Mapping[str, Mapping[str, Mapping[str, str]]], table.get("texts", {}))
    families = (family,) if family == "card" else (family, "certificates")
    voices = (voice,) if voice == "carer" else (voice, "standard")
    for one_rung in (rung, *_STAND_IN.get(rung, ())):
        for one_voice in voices:
            for one_family in families:
                text = texts.get(one_voice, {}).get(one_family, {}).get(one_rung)
                if text is not None:
                    return text
    return None


@lru_cache(maxsize=8)
def _lint_patterns(banned: tuple[str, ...], patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join([*map(re.escape, banned), *patterns]), re.IGNORECASE)


def lint(text: str, rules: Mapping[str, Sequence[str]]) -> list[str]:
    """What in a text message must not be there, by the rules of config/wording/lint.toml."""
    words = (*rules["banned"], *rules["relative"])
    return [found[0] for found in _lint_patterns(words, tuple(rules["patterns"])).finditer(text)]
