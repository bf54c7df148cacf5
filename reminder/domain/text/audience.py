"""For whom each sentence is: config/audience.toml, read and checked. It decides what an e-mail holds.

A sentence names its readers, its steps, the families of kinds it is about, and what else must be so. What it leaves out
does not matter.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import cast

from reminder.domain.model.people import Audience, Mode
from reminder.domain.rules.steps import Stage
from reminder.errors import SettingsError

_FILE = "config/audience.toml"


class ReaderKind(StrEnum):
    """Who reads: the person, in one of three modes, or who acts for them."""

    HOLDER = "holder"
    ELDER = "elder"
    RESIDENT = "resident"
    FAMILY = "family"
    STAFF = "staff"


_OF_MODE = {Mode.STANDARD: ReaderKind.HOLDER, Mode.ELDERLY: ReaderKind.ELDER, Mode.HOME: ReaderKind.RESIDENT}


def reader_kind(audience: Audience, mode: Mode) -> ReaderKind:
    """Return which reader one of this audience is. `mode`: of the person whom the text is about."""
    if audience is Audience.PERSON:
        return _OF_MODE[mode]
    return ReaderKind.FAMILY if audience is Audience.CARER else ReaderKind.STAFF


class Phase(StrEnum):
    """Steps that are told alike."""

    BEFORE = "before"
    AFTER = "after"
    LIFE = "life"


class Medium(StrEnum):
    """What carries a sentence; LINE carries what a text does."""

    TEXT = "text"
    MAIL = "mail"
    CALL = "call"
    LETTER = "letter"
    FRIDGE = "fridge"
    PAGE = "page"


class Condition(StrEnum):
    """What must be so besides."""

    GRACE = "grace"  # a grace is promised, and the date was read and not computed
    COMPUTED = "computed"  # a date was computed
    COUNTERS = "counters"  # nothing can be done while counters are closed
    BEGIN = "begin"  # a new one takes its time, and the latest day to begin has not passed


def steps_named(stage: Stage) -> Collection[str]:
    """Return the names by which config/audience.toml speaks of a stage."""
    if stage.is_of_life:
        return (Phase.LIFE, stage)
    if stage in (Stage.DONE, Stage.TAKEN):
        return (stage,)
    return (Phase.AFTER if stage.is_after_end else Phase.BEFORE, stage)


@dataclass(frozen=True)
class Told:
    """What a sentence is chosen by. `true`: the conditions that hold."""

    reader: ReaderKind
    stage: Stage
    family: str
    true: frozenset[Condition] = frozenset()


@dataclass(frozen=True)
class Sentence:
    """One sentence and for whom it is; an empty collection means that it does not matter.

    `part`: of an e-mail, the heading under which it stands. `by`: the media.
    """

    name: str
    part: str = ""
    to: frozenset[ReaderKind] = frozenset()
    at: frozenset[str] = frozenset()
    of: frozenset[str] = frozenset()
    by: frozenset[Medium] = frozenset()
    only: Condition | None = None

    def is_for(self, told: Told) -> bool:
        """Return whether the sentence is told there."""
        return (
            (not self.to or told.reader in self.to)
            and (not self.at or not self.at.isdisjoint(steps_named(told.stage)))
            and (not self.of or told.family in self.of)
            and (self.only is None or self.only in told.true)
        )


@dataclass(frozen=True)
class AudienceRules:
    """For whom the sentences are.

    `voices`: the readers of each voice. `mail`: the advice of an e-mail in its order; `lines`: the lines of its head,
    by name. `kind_words`, `sections`: the words of a kind, and whole sections.
    """

    voices: Mapping[str, frozenset[ReaderKind]] = field(default_factory=dict)
    mail: tuple[Sentence, ...] = ()
    lines: Mapping[str, Sentence] = field(default_factory=dict)
    kind_words: Mapping[str, Sentence] = field(default_factory=dict)
    sections: Mapping[str, Sentence] = field(default_factory=dict)

    def advice(self, told: Told) -> Iterator[Sentence]:
        """Yield the advice of an e-mail: of each heading the first sentence that applies."""
        for sentences in self._by_part.values():
            found = next((one for one in sentences if one.is_for(told)), None)
            if found is not None:
                yield found

    def shows_line(self, name: str, told: Told) -> bool:
        """Return whether a line of an e-mail's head is shown; one that an operator added always is."""
        return name not in self.lines or self.lines[name].is_for(told)

    @cached_property
    def _by_part(self) -> Mapping[str, list[Sentence]]:
        found: dict[str, list[Sentence]] = {}
        for one in self.mail:
            found.setdefault(one.part, []).append(one)
        return found


_STEPS = frozenset({*Phase, *Stage})


def read_audience(
    table: Mapping[str, object], *, voices: Collection[str], families: Collection[str], parts: Collection[str]
) -> AudienceRules:
    """Return the rules of config/audience.toml.

    `voices`, `families`, `parts`: those that exist. Raises SettingsError, which names the entry at fault.
    """

    def sentences(section: str) -> Iterator[Sentence]:
        for name, entry in _table(table, section).items():
            yield _sentence(f"{section}.{name}", name, cast(Mapping[str, object], entry), families)

    said_by = {
        voice: frozenset(_names(f"voices.{voice}", readers, tuple(ReaderKind)))
        for voice, readers in _table(table, "voices").items()
    }
    if set(said_by) != set(voices):
        raise SettingsError(f"{_FILE}: voices", f"name the readers of {', '.join(voices)}")
    mail = tuple(sentences("mail"))
    for one in mail:
        if one.part not in parts:
            raise SettingsError(f"{_FILE}: mail.{one.name}.part", f"name one of {', '.join(parts)}")
    return AudienceRules(
        voices={voice: frozenset(map(ReaderKind, readers)) for voice, readers in said_by.items()},
        mail=mail,
        lines={one.name: one for one in sentences("line")},
        kind_words={one.name: one for one in sentences("kind")},
        sections={one.name: one for one in sentences("section")},
    )


def _table(table: Mapping[str, object], name: str) -> Mapping[str, object]:
    found = table.get(name)
    if not isinstance(found, Mapping) or not all(isinstance(one, Mapping | list) for one in found.values()):
        raise SettingsError(f"{_FILE}: {name}", "add this section")
    return found


def _sentence(where: str, name: str, entry: Mapping[str, object], families: Collection[str]) -> Sentence:
    known = {"part", "to", "at", "of", "by", "only"}
    if strange := sorted(set(entry) - known):
        raise SettingsError(f"{_FILE}: {where}.{strange[0]}", f"name one of {', '.join(sorted(known))}")
    only = entry.get("only")
    if only is not None and only not in set(Condition):
        raise SettingsError(f"{_FILE}: {where}.only", f"name one of {', '.join(Condition)}")
    return Sentence(
        name,
        str(entry.get("part", "")),
        frozenset(map(ReaderKind, _names(f"{where}.to", entry.get("to", []), tuple(ReaderKind)))),
        frozenset(_names(f"{where}.at", entry.get("at", []), _STEPS)),
        frozenset(_names(f"{where}.of", entry.get("of", []), families)),
        frozenset(map(Medium, _names(f"{where}.by", entry.get("by", []), tuple(Medium)))),
        None if only is None else Condition(str(only)),
    )


def _names(where: str, value: object, allowed: Collection[str]) -> list[str]:
    names = [str(one) for one in value] if isinstance(value, list) else [str(value)]
    if not set(names) <= set(allowed):
        raise SettingsError(f"{_FILE}: {where}", f"name some of {', '.join(sorted(allowed))}")
    return names
