"""The words of every message: from what is told to whom, to the text in config/wording/ that says it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from html import escape
from string import Formatter
from typing import cast

from reminder.domain import segments
from reminder.domain.cards import CardKind
from reminder.domain.people import Audience, ChannelName, Language, Mode
from reminder.errors import DateError, KigenError, SettingsError

FAMILIES = ("certificates", "user_certificate", "signature_certificate", "card")
VOICES = ("standard", "elderly", "carer")
RUNGS = (
    "opens", "d75", "d60", "d45", "d30", "d14", "d7", "d3", "d1", "d0", "lastopen", "a7", "g30", "g7", "post",
)  # fmt: skip
WITHOUT_INSURANCE, COMPUTED = "a7_without_insurance", "computed"
AFTER_END = frozenset({"a7", "g30", "g7", "post"})
# Rungs for the one who acts on a slow card; where something else is told then, it is what is told next.
_STAND_IN = {"d75": ("d60",), "d45": ("d30",)}
PLACEHOLDERS = frozenset({"date", "lastopen", "grace", "office", "call", "who", "thing"})

# Which part of an e-mail's subject and to-do list a rung takes.
_STAGES = {
    "opens": "opens", "d75": "before", "d60": "before", "d45": "before", "d30": "before", "d14": "before",
    "d7": "near", "d3": "near", "d1": "near", "d0": "near", "lastopen": "near",
    "a7": "after", "g30": "grace", "g7": "grace", "post": "post",
}  # fmt: skip

# A text to a person is one message where it can be, and never more than two.
MOST_SEGMENTS = 2


@dataclass(frozen=True)
class Told:
    """One reminder that a text tells. `computed`: the date was worked out, not read from the card. `grace_ends_on` is
    None where none is promised."""

    kind: str
    rung: str
    expires_on: date
    last_counter_day: date
    grace_ends_on: date | None
    computed: bool = False
    insurance: bool = True


@dataclass(frozen=True)
class Reader:
    """Who reads. `label` is what the family calls the person the text speaks of; `from_` the family's or home's name."""

    audience: Audience
    channel: ChannelName
    language: Language
    mode: Mode
    label: str
    mark: str | None = None
    office: str = "市役所"
    from_: str = ""

    @property
    def voice(self) -> str:
        if self.audience is not Audience.PERSON:
            return "carer"
        return "standard" if self.mode is Mode.STANDARD else "elderly"


@dataclass(frozen=True)
class Composed:
    """`subject` is None for a text message. `closing` is what an e-mail says once, however many persons it speaks of."""

    subject: str | None
    body: str
    closing: str = ""

    @property
    def text(self) -> str:
        return self.body + self.closing

    @property
    def segments(self) -> int:
        return segments.count(self.text) if self.subject is None else 0


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
    """From the parsed config/wording/*.toml. Raises SettingsError naming the file and the text that is missing or wrong."""
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


_SECTIONS = (
    "service", "operator", "sender", "sender_with_mark", "date", "full_date", "weekdays", "list_separator", "and_more",
    "call_suffix", "called", "carers_word", "thing", "several.standard", "several.elderly", "several.carer",
    "several.item", "undelivered.carer", "undelivered.subject", "email.subject", "email.line", "email.part",
    "email.text", "fields", "looks_like", "errors",
)  # fmt: skip


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


def compose(
    wording: Wording, told: Sequence[Told], reader: Reader, *, copied_text: str | None = None, brief: bool = False
) -> Composed:
    """One message that tells all of `told`. `copied_text` is quoted to a carer; `brief` leaves out the advice, for an
    e-mail that speaks of several persons."""
    words = wording.languages[reader.language]
    if reader.channel is ChannelName.EMAIL:
        return _email(words, wording, told, reader, copied_text, brief)
    return Composed(None, _sms(words, wording, told, reader))


def compose_undelivered(wording: Wording, reader: Reader) -> Composed:
    """To a carer: a text to the person reached nobody."""
    words = wording.languages[reader.language]
    values = _person_values(words, reader)
    said = words.section("undelivered")["carer"].format_map(values)
    if reader.channel is not ChannelName.EMAIL:
        return Composed(None, _signed(words, reader, said))
    body = f"{said}\n{words.section('email.text')['undelivered'].rstrip()}\n"
    return Composed(words.section("undelivered")["subject"].format_map(values), body, _closing(words, reader))


def together(wording: Wording, composed: Sequence[Composed], language: Language) -> Composed:
    """Several messages to one human as one; a single one as it is."""
    if len(composed) == 1:
        return composed[0]
    words = wording.languages[language]
    body = "\n――――――――――\n\n".join(one.body for one in composed)
    subject = words.section("email.subject")["people"].format(n=len(composed))
    return Composed(subject, body, composed[0].closing)


def _sms(words: Words, wording: Wording, told: Sequence[Told], reader: Reader) -> str:
    family = _family_of(wording, told)
    if family is None:
        return _several(words, wording, told, reader)
    template = words.texts[reader.voice, family, _rung_key(told[0], family)]
    return _shortest(words, reader, template, _values(words, told[0], reader, family))


def _shortest(words: Words, reader: Reader, template: str, values: Mapping[str, str]) -> str:
    """In one message if that can be had by leaving out the form of address, or the mark where it is an ornament."""
    text = _signed(words, reader, template.format_map(values))
    if segments.count(text) == 1:
        return text
    if "{call}、" in template:
        shorter = _signed(words, reader, template.replace("{call}、", "").format_map(values))
    else:
        shorter = _signed(words, reader, template.format_map(values), marked=reader.voice == "elderly")
    return shorter if segments.count(shorter) < segments.count(text) else text


def _signed(words: Words, reader: Reader, said: str, *, marked: bool = True) -> str:
    # A mark in another script would double the length of a Latin text.
    shows_mark = marked and reader.mark and (reader.language is not Language.ENGLISH or reader.mark.isascii())
    form = "sender_with_mark" if shows_mark else "sender"
    return words.word(form).format(service=words.word("service"), mark=reader.mark) + said


def _several(words: Words, wording: Wording, told: Sequence[Told], reader: Reader) -> str:
    items = _items(words, wording, told)
    template = words.section("several")[reader.voice]
    values = _person_values(words, reader)
    for shown in range(len(items), 0, -1):
        listed = words.word("list_separator").join(items[:shown])
        if shown < len(items):
            listed += words.word("and_more").format(n=len(items) - shown)
        text = _shortest(words, reader, template, {**values, "items": listed})
        if segments.count(text) <= MOST_SEGMENTS:
            break
    return text


def _items(words: Words, wording: Wording, told: Sequence[Told]) -> list[str]:
    """What ends when, soonest first; two certificates of one date are one item."""
    by_date: dict[date, set[str]] = {}
    for one in told:
        by_date.setdefault(one.expires_on, set()).add(wording.families[one.kind])
    item, thing = words.section("several")["item"], words.section("thing")
    listed = []
    for day, families in sorted(by_date.items()):
        if {"user_certificate", "signature_certificate"} <= families:
            families = {"certificates"} | families - {"user_certificate", "signature_certificate"}
        listed += [item.format(thing=thing[family], date=words.date(day)) for family in FAMILIES if family in families]
    return listed


def _family_of(wording: Wording, told: Sequence[Told]) -> str | None:
    """Whose text speaks for all of it; None where they end, or stand, differently."""
    if len({(one.rung, one.expires_on, one.computed) for one in told}) > 1:
        return None
    families = {wording.families[one.kind] for one in told}
    if len(families) == 1:
        return families.pop()
    return "card" if "card" in families else "certificates"


def _rung_key(told: Told, family: str) -> str:
    if told.computed and told.rung in AFTER_END:
        return COMPUTED
    if told.rung == "a7" and told.grace_ends_on is None and family in ("certificates", "user_certificate"):
        return WITHOUT_INSURANCE
    return told.rung


def _person_values(words: Words, reader: Reader) -> dict[str, str]:
    return {
        "call": address_of(reader.label, words),
        "who": carers_word(reader.label, words),
        "office": reader.office,
        "from_": reader.from_ or words.word("service"),
    }


def _values(words: Words, told: Told, reader: Reader, family: str) -> dict[str, str]:
    return {
        **_person_values(words, reader),
        "thing": words.section("thing")[family],
        "date": words.date(told.expires_on),
        "full_date": words.date(told.expires_on, "full_date"),
        "lastopen": words.date(told.last_counter_day),
        "grace": "" if told.grace_ends_on is None else words.date(told.grace_ends_on),
    }


def _email(
    words: Words, wording: Wording, told: Sequence[Told], reader: Reader, copied_text: str | None, brief: bool
) -> Composed:
    subjects, parts, texts = words.section("email.subject"), words.section("email.part"), words.section("email.text")
    family = _family_of(wording, told)
    first = min(told, key=lambda one: one.expires_on)
    values = _values(words, first, reader, family or wording.families[first.kind])
    if family is None:
        subject = subjects["several"]
        listed = words.word("list_separator").join(_items(words, wording, told))
        said = words.section("several")[reader.voice].format_map({**values, "items": listed})
        lines: list[str] = []
    else:
        key = _rung_key(first, family)
        subject = subjects["computed" if key == COMPUTED else _STAGES[first.rung]].format_map(values)
        said = words.texts[reader.voice, family, key].format_map(values)
        lines = [line.format_map(values) for name, line in words.section("email.line").items() if _applies(name, first)]
    blocks = ["\n".join([said, "", *lines]).rstrip()]
    if copied_text is not None:
        blocks.append(f"■ {parts['sent']}\n{copied_text}")
    if not brief:
        blocks.append(f"■ {parts['to_do']}{texts[_advice(first, family or wording.families[first.kind])]}")
        if first.rung not in AFTER_END:
            blocks.append(f"■ {parts['proxy']}{texts['proxy']}")
        blocks.append(f"■ {parts['done']}{texts['done']}")
    body = "\n\n".join([blocks[0], *(_filled(block, values) for block in blocks[1:])])
    return Composed(subject, body + "\n", _closing(words, reader))


def _filled(block: str, values: Mapping[str, str]) -> str:
    """Advice has placeholders; a quoted text may hold anything and has none."""
    return re.sub(r"\{(\w+)\}", lambda name: values.get(name[1], name[0]), block)


def _applies(line: str, told: Told) -> bool:
    if line == "grace":
        return told.grace_ends_on is not None and not told.computed
    return line != "lastopen" or told.rung not in AFTER_END


def _advice(told: Told, family: str) -> str:
    if told.rung in AFTER_END:
        return "to_do_computed" if told.computed else "to_do_after"
    return "to_do_card" if family == "card" else "to_do_certificates"


def _closing(words: Words, reader: Reader) -> str:
    parts, texts = words.section("email.part"), words.section("email.text")
    about = texts["about"].format_map(_person_values(words, reader))
    signature = texts["signature"].format(service=words.word("service"), operator=words.word("operator"))
    return f"\n■ {parts['about']}{about}\n\n{signature}\n"


def address_of(label: str, words: Words) -> str:
    """How a person is addressed: 母 → お母さん, 203 佐藤 → 佐藤さん, 花子さん as it is."""
    name = _name_in(label)
    called, suffix = words.section("called"), words.word("call_suffix")
    if name in called:
        return called[name]
    return name if name.endswith(("さん", "様", "さま", "ちゃん", "くん")) else name + suffix


def carers_word(label: str, words: Words) -> str:
    """The person in a carer's words, with the room where the label has one."""
    return words.section("carers_word").get(label, label if label != _name_in(label) else address_of(label, words))


@lru_cache(maxsize=4096)
def _name_in(label: str) -> str:
    named = [part for part in label.split() if not any(map(str.isdigit, part))]
    return " ".join(named) or label


@lru_cache(maxsize=8)
def _lint_patterns(banned: tuple[str, ...], patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join([*map(re.escape, banned), *patterns]), re.IGNORECASE)


def lint(text: str, rules: Mapping[str, Sequence[str]]) -> list[str]:
    """What in a text message must not be there, by the rules of config/wording/lint.toml."""
    words = (*rules["banned"], *rules["relative"])
    return [found[0] for found in _lint_patterns(words, tuple(rules["patterns"])).finditer(text)]


def render_html(text: str, _stop_url: str | None = None) -> str:
    """The same words as a page for any mail program: one column, no picture, no link, nothing fetched.

    Lines that begin with ■ are headings. The way to stop is in the mail's headers, where it asks before it acts.
    """
    language = "ja" if any("\u3040" <= char <= "\u9fff" for char in text) else "en"
    blocks = "\n".join(_html_block(block) for block in text.strip().split("\n\n") if block.strip())
    return (
        f'<!doctype html>\n<html lang="{language}"><head><meta charset="utf-8"><title>期限だより</title></head>\n'
        '<body style="margin:0;background:#fff;color:#1a1a1a">\n'
        '<div style="max-width:600px;margin:0 auto;padding:16px;font-size:18px;line-height:1.75">\n'
        f"{blocks}\n</div></body></html>\n"
    )


def _html_block(block: str) -> str:
    first, *rest = block.strip("\n").split("\n")
    heading = ""
    if first.startswith("■ "):
        heading = f'<h2 style="font-size:20px;margin:24px 0 4px">{escape(first[2:])}</h2>\n'
        first, rest = (rest[0], rest[1:]) if rest else ("", [])
    return f'{heading}<p style="margin:0 0 12px">{"<br>".join(escape(line) for line in (first, *rest))}</p>'


def explain(wording: Wording, error: KigenError, language: Language) -> str:
    """A sentence that says what to do next. It holds nothing that was refused."""
    return explain_from(wording.languages[language].table, error)


def explain_from(table: Mapping[str, object], error: KigenError) -> str:
    """As explain, from one parsed config/wording/*.toml that stands alone."""
    errors, fields, looks_like = (
        cast(Mapping[str, str], table[name]) for name in ("errors", "fields", "looks_like")
    )
    values: dict[str, object] = {"choices": "", **error.details}
    values["field"] = fields.get(str(values.get("field", "")), str(values.get("field", "")))
    values["looks_like"] = looks_like.get(str(values.get("looks_like", "")), "")
    if isinstance(error, DateError) and error.choices:
        shown = ", ".join(choice.isoformat() for choice in error.choices[:3])
        values["choices"] = errors["choices"].format(choices=shown)
    template = errors.get(error.code) or errors["failure"]
    return template.format_map(_Lenient(values)).strip()


class _Lenient(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return ""
