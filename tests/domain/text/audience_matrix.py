"""What is really told to whom: everything is composed, and each sentence seen where it is written.

`python -m tests.domain.text.audience_matrix` writes docs/audience.md.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import cast

import reminder.wiring  # noqa: F401 (the channels are known)
from reminder.domain.model.people import Language, Mode
from reminder.domain.rules.steps import Stage
from reminder.domain.text.audience import Phase, ReaderKind, reader_kind, steps_named
from reminder.settings import read_table
from tests.domain.text.same_day import Situation, day, sentences, situations
from tests.rules import CONFIG, KINDS, LANGUAGES, WORDING

DOCUMENT = Path(__file__).parents[3] / "docs" / "audience.md"

# The media that reach a reader for certain: an elderly person has no mail, and keeps the sheet.
MEDIA = {
    ReaderKind.HOLDER: ("text", "mail"),
    ReaderKind.ELDER: ("text", "call", "fridge"),
    ReaderKind.RESIDENT: ("text", "call", "letter"),
    ReaderKind.FAMILY: ("text", "mail"),
    ReaderKind.STAFF: ("text", "mail"),
}


@dataclass(frozen=True)
class Seen:
    """Where a sentence was seen. `family`: of the texts of its kind; `is_bound`: it was told as one with a residence."""

    reader: ReaderKind
    medium: str
    stage: Stage
    kind: str
    is_bound: bool


@dataclass(frozen=True)
class Need:
    """A fact that some readers need: see config/audience.toml."""

    fact: str
    arrives: bool | None
    to: frozenset[str]
    at: frozenset[str]
    only: str
    but: frozenset[str]
    told_by: tuple[str, ...]

    def is_of(self, one: Situation, reader: ReaderKind) -> bool:
        """Return whether the reader needs the fact on this day."""
        stage, dates = one.content.step.stage, one.dates
        holds = {
            "": True,
            "begin": one.content.begin_by is not None,
            "counters_close_earlier": dates.closes_with_counters
            and one.step.on <= dates.last_counter_day < dates.expires_on,
            "grace": dates.grace_ends_on is not None and not one.content.computed,
        }
        return (
            reader in self.to
            and not self.at.isdisjoint(steps_named(stage))
            and (self.arrives is None or KINDS[one.kind].comes_by_itself is self.arrives)
            and holds[self.only]
            and not ("bound" in self.but and one.is_bound)
            and stage not in self.but
        )

    def is_told(self, one: Situation, text: str) -> bool:
        """Return whether the text, with marks for words, tells the fact."""
        days = {
            "day of the end": one.content.expires_on,
            "day of the last open counter": one.dates.last_counter_day,
            "day of the grace": one.dates.grace_ends_on,
        }
        return any(
            day(days[mark]) in text if mark in days else f"<{mark.format(kind=one.kind)}>" in text
            for mark in self.told_by
        )


def read_needs() -> list[Need]:
    """Return the needed facts of config/audience.toml."""
    table = cast(Mapping[str, Mapping[str, object]], read_table(CONFIG / "audience.toml")["need"])

    def names(entry: Mapping[str, object], name: str) -> list[str]:
        return cast(list[str], entry.get(name, []))

    return [
        Need(
            fact, cast(bool | None, entry.get("arrives")), frozenset(names(entry, "to")), frozenset(names(entry, "at")),
            str(entry.get("only", "")), frozenset(names(entry, "except")), tuple(names(entry, "told_by")),
        )
        for fact, entry in table.items()
    ]  # fmt: skip


@cache
def whole(language: Language) -> tuple[Mapping[str, frozenset[Seen]], tuple[str, ...]]:
    """Return where each sentence was seen, and which readers missed a fact that they need."""
    found: defaultdict[str, set[Seen]] = defaultdict(set)
    missed, needs = [], read_needs()
    for kind, mode in product(KINDS, Mode):
        for one in situations(kind, mode, with_answers=True):
            for audience in sorted(one.step.audiences):
                reader, said = reader_kind(audience, mode), one.said(audience, language)
                for medium, text in said.items():
                    for sentence in sentences(text):
                        found[sentence].add(Seen(reader, medium, one.content.step.stage, kind, one.is_bound))
                together = "\n".join(said[medium] for medium in MEDIA[reader])
                missed += [
                    f"{kind} {one.step.name} {reader}: {need.fact}"
                    for need in needs
                    if need.is_of(one, reader) and not need.is_told(one, together)
                ]
    return {name: frozenset(seen) for name, seen in found.items()}, tuple(dict.fromkeys(missed))


def families_of(seen: Collection[Seen]) -> set[str]:
    """Return the families that an e-mail's sentence was about; the two certificates are told apart."""
    return {"bound" if one.is_bound else KINDS[one.kind].texts for one in seen}


def phases_of(seen: Collection[Seen]) -> list[str]:
    """Return the steps at which a sentence was seen, in order."""
    names = {next(iter(steps_named(one.stage))) for one in seen}
    return [name for name in (*Phase, Stage.TAKEN, Stage.DONE) if name in names]


def document() -> str:
    """Return docs/audience.md."""
    found = {language: whole(language)[0] for language in LANGUAGES}
    return "\n".join([*_head(), *_sentences(found), *_kinds(found), *_needs()]) + "\n"


def _head() -> Iterator[str]:
    yield "# Who is told what"
    yield ""
    yield "<!-- Made by `python -m tests.domain.text.audience_matrix`; `make test-all` compares. Change the words or the"
    yield "     rules in config/, not this file. -->"
    yield ""
    yield "For whom each sentence of `config/wording/` is, seen by composing every step of every kind, for every reader,"
    yield "in every language and medium. The rules stand in [config/audience.toml](../config/audience.toml). Languages:"
    yield f"{', '.join(LANGUAGES)}. A sentence that a language does not write itself is taken from its nearest step."
    yield ""


def _row(*cells: object) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def _table(*names: str) -> Iterator[str]:
    yield _row(*names)
    yield _row(*("---" for _ in names))


def _sentences(found: Mapping[Language, Mapping[str, frozenset[Seen]]]) -> Iterator[str]:
    yield "## Each sentence"
    yield ""
    yield "The words of kinds are one row each: `*` stands for every kind that has them."
    yield ""
    yield from _table("Sentence", "Readers", "Steps", "Media", "About", "Languages")
    together: defaultdict[str, set[Seen]] = defaultdict(set)
    languages: defaultdict[str, set[str]] = defaultdict(set)
    for language, sentences_of in found.items():
        for name, seen in sentences_of.items():
            parts = name.split(".")
            key = f"kinds.*.{parts[2]}" if parts[0] == "kinds" else name
            together[key] |= seen
            languages[key].add(language)
    for name in sorted(together):
        seen = together[name]
        readers = ", ".join(one for one in ReaderKind if one in {each.reader for each in seen})
        media = ", ".join(sorted({one.medium for one in seen}))
        about = ", ".join(sorted(families_of(seen)))
        spoken = ", ".join(one for one in LANGUAGES if one in languages[name])
        yield _row(f"`{name}`", readers, ", ".join(phases_of(seen)), media, about, spoken)
    yield ""


def _kinds(found: Mapping[Language, Mapping[str, frozenset[Seen]]]) -> Iterator[str]:
    yield "## Each kind"
    yield ""
    yield "Which text each reader gets at each step, without the words of kinds and the advice of mails (above)."
    yield ""
    for kind in KINDS:
        yield f"### {WORDING.of(Language.ENGLISH).kinds[kind]['name']} (`{kind}`)"
        yield ""
        yield from _table("Step", *ReaderKind)
        for stage in Stage:
            cells = [_texts(found, kind, stage, reader) for reader in ReaderKind]
            if any(cells):
                yield _row(stage, *cells)
        yield ""


def _texts(found: Mapping[Language, Mapping[str, frozenset[Seen]]], kind: str, stage: Stage, reader: ReaderKind) -> str:
    by_text: defaultdict[str, list[str]] = defaultdict(list)
    for language, sentences_of in found.items():
        for name, seen in sentences_of.items():
            if name.split(".")[0] in ("texts", "life", "again") and any(
                (one.kind, one.stage, one.reader) == (kind, stage, reader) for one in seen
            ):
                by_text[name.removeprefix("texts.")].append(language)
    return "<br>".join(
        f"`{name}`" + ("" if set(spoken) == set(LANGUAGES) else f" ({', '.join(spoken)})")
        for name, spoken in sorted(by_text.items())
    )


def _needs() -> Iterator[str]:
    yield "## Facts that readers need"
    yield ""
    yield "A fact is told through all media of a day together; a reader who misses one is named by the tests."
    yield ""
    yield from _table("Fact", "Readers", "Steps", "Kinds", "Only", "Told by")
    for need in read_needs():
        told_by = ", ".join(f"`{one}`" if "." in one else one for one in need.told_by)
        which = {None: "all", True: "that come by themselves", False: "that do not come by themselves"}[need.arrives]
        only = need.only.replace("_", " ") + ("" if not need.but else f" not {', '.join(sorted(need.but))}")
        yield _row(f"`{need.fact}`", ", ".join(sorted(need.to)), ", ".join(sorted(need.at)), which, only, told_by)


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")
    print(DOCUMENT)
