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
    "called", "carers_word", "thing", "email.line", "email.part", "state", "channel", "trouble", "timeline", "shown",
    "fields", "looks_like", "errors",
)  # fmt: skip

_PERSON = frozenset({"call", "who", "office", "from_"})
_CARD = PLACEHOLDERS | _PERSON | {"full_date"}
_DAY = frozenset({"year", "month", "day", "weekday"})
_NONE: frozenset[str] = frozenset()

# What else a language must say, and the placeholders that are filled there: a strange one would break the plan of a
# whole group on the day it is to be told.
_SAID = {
    **dict.fromkeys(("service", "operator", "weekdays", "list_separator", "call_suffix"), _NONE),
    "sender": frozenset({"service"}),
    "sender_with_mark": frozenset({"service", "mark"}),
    **dict.fromkeys(("date", "full_date"), _DAY),
    "and_more": frozenset({"n"}),
    **{f"thing.{family}": _NONE for family in FAMILIES},
    **{f"several.{voice}": _PERSON | {"items"} for voice in VOICES},
    "several.item": frozenset({"thing", "date"}),
    **dict.fromkeys(
        (
            "undelivered.carer",
            "undelivered.carer_of_mail",
            "undelivered.subject",
            "email.text.undelivered",
            "email.text.undelivered_mail",
            "email.text.about",
        ),
        _PERSON,
    ),
    **{f"email.subject.{stage}": _CARD for stage in ("opens", "before", "near", "after", "grace", "post", "computed")},
    "email.subject.several": _NONE,
    "email.subject.people": frozenset({"n"}),
    **{f"email.part.{part}": _NONE for part in ("to_do", "proxy", "sent", "done", "about")},
    **{f"email.text.to_do_{which}": _CARD for which in ("certificates", "card", "after", "computed")},
    **dict.fromkeys(("email.text.proxy", "email.text.done"), _CARD),
    "email.text.signature": frozenset({"service", "operator"}),
    "errors.failure": _NONE,
    "errors.choices": frozenset({"choices"}),
}


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
        if stands_in is not None and stands_in not in tables:
            raise SettingsError(f"config/wording/{language}.toml: like", "name a language that has a file here")
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
            # What stands in for others comes first, so that the text that is really missing is the one named.
            for rung in (*sorted(RUNGS, key=_STAND_IN.__contains__), WITHOUT_INSURANCE, COMPUTED):
                if family == "card" and rung == WITHOUT_INSURANCE:
                    continue
                name = f"{where}: texts.{voice}.{family}.{rung}"
                texts[voice, family, rung] = _checked(name, _find(table, voice, family, rung), PLACEHOLDERS)
    for section in _SECTIONS:
        if not isinstance(_at(table, section), Mapping):
            raise SettingsError(f"{where}: {section}", "add this section")
    for name, placeholders in _SAID.items():
        _checked(f"{where}: {name}", _at(table, name), placeholders)
    for name, line in cast(Mapping[str, object], _at(table, "email.line")).items():
        _checked(f"{where}: email.line.{name}", line, _CARD)
    return Words(table, texts)


def _at(table: Mapping[str, object], name: str) -> object:
    found: object = table
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _checked(name: str, text: object, placeholders: frozenset[str]) -> str:
    if not isinstance(text, str):
        raise SettingsError(name, "add this text")
    try:
        # Of {date!r:>9} nothing but {date} can be filled.
        found = {
            "".join((field, spec or "", conversion or ""))
            for _, field, spec, conversion in Formatter().parse(text)
            if field is not None
        }
    except ValueError:
        raise SettingsError(name, "close every brace; placeholders look like {date}") from None
    strange = sorted(found - placeholders)
    if strange:
        raise SettingsError(name, f"there is no placeholder {', '.join(f'{{{field}}}' for field in strange)} here")
    return text


def _find(table: Mapping[str, object], voice: str, family: str, rung: str) -> object:
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
