"""The catalogue of kinds: rows for programs, a table for a terminal, a page with its sources."""

from collections.abc import Iterator, Mapping
from datetime import date
from unicodedata import east_asian_width

from dateutil.relativedelta import relativedelta

from reminder.domain.model.card_kinds import (
    CardKind,
    DayOfYear,
    Grace,
    NoOpeningDay,
    Opening,
    OpensAroundBirthday,
    OpensDaysBefore,
    OpensMonthsBefore,
)
from reminder.domain.model.people import Language
from reminder.domain.rulebook import Rulebook

# A rule must be read again after this time: cities and ministries change theirs in spring.
FRESH_FOR = relativedelta(years=1)

_PAGE_HEAD = """# The kinds of cards

`reminder kinds --markdown` makes this page from `config/cards.toml` and `config/wording/`; a test compares them.
Each rule is marked: *verified* was read in a source, *inferred* follows from a source, *unconfirmed* is believed.
The date on the card wins over every rule here.

"""


def row(rules: Rulebook, kind: CardKind) -> Mapping[str, object]:
    """Return everything about a kind: its names and words by language, its facts as config/ writes them."""
    languages = dict.fromkeys([Language.JAPANESE, *rules.wording.languages])
    said = {language: rules.wording.of(language).kinds[kind.key] for language in languages}
    fields = next(iter(said.values()))
    return {
        "kind": kind.key,
        **{str(language): words["name"] for language, words in said.items()},
        **{name: {str(language): words[name] for language, words in said.items()} for name in fields if name != "name"},
        **{name: value for name, value in kind.model_dump(mode="json").items() if name not in ("key", "versions")},
        "first_act": kind.first_act, "replacement_days": kind.replacement_days, "proxy_may_go": kind.proxy_may_go,
        "versions": [
            {"from": None if one.first == date.min else one.first, "until": None if one.last == date.max else one.last,
             **_differences(kind, one.kind)}
            for one in kind.versions
        ],
    }  # fmt: skip


def _differences(kind: CardKind, other: CardKind) -> Mapping[str, object]:
    ours, theirs = kind.model_dump(mode="json"), other.model_dump(mode="json")
    return {name: value for name, value in theirs.items() if name != "versions" and value != ours[name]}


def table(rules: Rulebook, language: Language) -> str:
    """Return one line a kind, with columns that line up although Japanese characters are twice as wide."""
    words = rules.wording.of(language)
    shown = words.section("kinds_table")
    lines = [(shown["kind"], shown["name"], shown["opens"], shown["takes"], shown["proxy"], shown["confidence"])]
    for kind in rules.kinds.values():
        proxy = shown["yes"] if kind.proxy_may_go else shown["no"]
        takes = shown["days"].format(n=kind.replacement_days) if kind.replacement_days else shown["at_once"]
        if kind.comes_by_itself:
            takes, proxy = shown["arrives"], "-"
        opens = _opening(kind.opens, shown)
        lines.append((kind.key, words.kinds[kind.key]["name"], opens, takes, proxy, shown[kind.confidence]))
    widths = [max(_width(cell) for cell in column) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _width(text: str) -> int:
    return sum(2 if east_asian_width(char) in "WF" else 1 for char in text)


def _opening(opening: Opening, shown: Mapping[str, str]) -> str:
    match opening:
        case OpensMonthsBefore(months=months):
            return shown["months_before"].format(n=months)
        case OpensDaysBefore(days=days):
            return shown["days_before"].format(n=days)
        case DayOfYear(month=month, day=day):
            return shown["day_of_year"].format(month=month, day=day)
        case OpensAroundBirthday():
            return shown["birthday"]
        case NoOpeningDay():
            return "-"


def stale(rules: Rulebook, today: date) -> Iterator[CardKind]:
    """Yield the kinds whose rule nobody has read again for a year."""
    return (kind for kind in rules.kinds.values() if kind.checked_on + FRESH_FOR < today)


def page(rules: Rulebook) -> str:
    """Return the content of docs/kinds.md."""
    return _PAGE_HEAD + "\n".join(_chapter(rules, kind) for kind in rules.kinds.values())


def _chapter(rules: Rulebook, kind: CardKind) -> str:
    japanese, english = rules.wording.of(Language.JAPANESE), rules.wording.of(Language.ENGLISH)
    ja, en = (_for_any_office(words.kinds[kind.key], office) for words, office in ((japanese, "市役所"), (english, "")))
    lines = [
        f"## {ja['name']} · {en['name']}\n",
        f"`{kind.key}` · {kind.confidence} · checked {kind.checked_on.isoformat()}\n",
        "| | | |",
        "|---|---|---|",
        *(f"| {about} | {ja[field]} | {en[field]} |" for field, about in _SHOWN.items()),
        "",
        f"- opens: {_opening(kind.opens, english.section('kinds_table'))}",
        f"- a new one takes: {kind.lead_time.days} days ({kind.lead_time.basis})"
        if not kind.comes_by_itself
        else "- a new one comes by itself",
        *_facts(kind),
        f"- after the end: {_GRACE[kind.grace]}",
    ]
    if kind.city_visits:
        lines.append("- staff of some cities come to a home for it")
    if kind.carried_by:
        lines.append(f"- is stored in: `{kind.carried_by}`")
    if kind.offers:
        lines.append(f"- offers: {', '.join(f'`{offer.kind}`' for offer in kind.offers)}")
    for one in kind.versions:
        since = "" if one.first == date.min else f" from {one.first.isoformat()}"
        until = "" if one.last == date.max else f" until {one.last.isoformat()}"
        changed = "; ".join(
            f"{name} = {_as_toml(value)}" for name, value in _differences(kind, one.kind).items() if name != "source"
        )
        lines.append(f"- other rules{since}{until}: {changed}")
    lines.append("- sources:" if kind.source else "- sources: none found")
    lines += [f"  - <{address}>" for address in kind.source]
    return "\n".join([*lines, ""])


def _facts(kind: CardKind) -> Iterator[str]:
    yield f"- it begins with: {kind.first_act}, at: {kind.done_at}"
    if kind.stages:
        yield f"- stages: {', '.join(kind.stages)}"
    if kind.closes_with_counters:
        yield "- nothing can be done on days on which counters are closed"
    stand_in = kind.stand_in
    collects = "" if stand_in.collect is None else f"; to collect: {stand_in.collect}"
    yield f"- in the holder's place, to apply: {stand_in.apply}{collects}"
    if stand_in.reasons:
        yield f"- accepted reasons: {', '.join(stand_in.reasons)}"
    if stand_in.papers:
        yield f"- with: {', '.join(stand_in.papers)}"
    if kind.ends_use_of:
        yield f"- stops after the end: {', '.join(kind.ends_use_of)}"
    if kind.law:
        yield f"- law: {kind.law}"


def _for_any_office(said: Mapping[str, str], office: str) -> Mapping[str, str]:
    return {name: text.format(office=office, helper="") for name, text in said.items()}


def _as_toml(value: object) -> str:
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{name} = {_as_toml(inner)}' for name, inner in value.items())} }}" if value else "{}"
    return f'"{value}"' if isinstance(value, str) else str(value)


_SHOWN = {
    "asked": "the date that is asked",
    "stands": "where it stands",
    "validity": "how long it lasts",
    "place": "where to go",
    "bring": "what to bring",
    "proxy": "who may go instead",
    "stops": "the day after",
    "after": "then",
}

_GRACE = {
    Grace.NONE: "nothing stays valid",
    Grace.HEALTH_INSURANCE: "at hospitals it is read to the end of the third month after",
    Grace.UNCONFIRMED: "whether hospitals still read it is not confirmed (`CARD_GRACE`)",
}
