"""The words of every message: from what is told to whom, to the text of config/wording/ that says it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from reminder.domain import segments
from reminder.domain.people import Audience, ChannelName, Language, Mode
from reminder.domain.words import COMPUTED, FAMILIES, WITHOUT_INSURANCE, Wording, Words

AFTER_END = frozenset({"a7", "g30", "g7", "post"})

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
    """Who reads. `label` is what the family calls the person it speaks of; `from_` the family's or home's name."""

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
    """`subject` is None for an SMS. `closing` is what an e-mail says once, however many persons it speaks of."""

    subject: str | None
    body: str
    closing: str = ""

    @property
    def text(self) -> str:
        return self.body + self.closing

    @property
    def segments(self) -> int:
        return segments.count(self.text) if self.subject is None else 0


def compose(
    wording: Wording, told: Sequence[Told], reader: Reader, *, copied_text: str | None = None, brief: bool = False
) -> Composed:
    """One message that tells all of `told`. `copied_text` is quoted to a carer; `brief` leaves out the advice, for an
    e-mail that speaks of several persons."""
    words = wording.languages[reader.language]
    if reader.channel is ChannelName.EMAIL:
        return _email(words, wording, told, reader, copied_text, brief)
    return Composed(None, _sms(words, wording, told, reader))


def compose_undelivered(wording: Wording, reader: Reader, *, by: ChannelName = ChannelName.SMS) -> Composed:
    """To a carer: a message to the person, sent `by` this channel, reached nobody."""
    words = wording.languages[reader.language]
    values = _person_values(words, reader)
    by_mail = by is ChannelName.EMAIL
    said = words.section("undelivered")["carer_of_mail" if by_mail else "carer"].format_map(values)
    if reader.channel is not ChannelName.EMAIL:
        return Composed(None, _signed(words, reader, said))
    advice = (
        words.section("email.text")["undelivered_mail" if by_mail else "undelivered"].strip("\n").format_map(values)
    )
    subject = words.section("undelivered")["subject"].format_map(values)
    return Composed(subject, f"{said}\n\n{advice}\n", _closing(words, reader))


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
    first = _first(wording, told)
    template = words.texts[reader.voice, family, _rung_key(first, family)]
    return _shortest(words, reader, template, _values(words, first, reader, family))


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
    for day, ending in sorted(by_date.items()):
        both = {"user_certificate", "signature_certificate"} <= ending
        families = {"certificates"} | ending - {"user_certificate", "signature_certificate"} if both else ending
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


def _first(wording: Wording, told: Sequence[Told]) -> Told:
    """The soonest; of one day the card, which ends what lives in it, or the certificate that hospitals read."""
    order = ("card", "user_certificate", "certificates", "signature_certificate")
    return min(told, key=lambda one: (one.expires_on, order.index(wording.families[one.kind])))


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
    subjects = words.section("email.subject")
    family = _family_of(wording, told)
    first = _first(wording, told)
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
        blocks.append(f"■ {words.section('email.part')['sent']}\n{copied_text}")
    if not brief:
        advice = _advice(first, family or wording.families[first.kind])
        blocks.append(_part(words, "to_do", values, advice))
        if first.rung not in AFTER_END:
            blocks.append(_part(words, "proxy", values))
        blocks.append(_part(words, "done", values))
    return Composed(subject, "\n\n".join(blocks) + "\n", _closing(words, reader))


def _part(words: Words, heading: str, values: Mapping[str, str], text: str | None = None) -> str:
    said = words.section("email.text")[text or heading].strip("\n").format_map(values)
    return f"■ {words.section('email.part')[heading]}\n{said}"


def _applies(line: str, told: Told) -> bool:
    if line == "grace":
        return told.grace_ends_on is not None and not told.computed
    return line != "lastopen" or told.rung not in AFTER_END


def _advice(told: Told, family: str) -> str:
    if told.rung in AFTER_END:
        return "to_do_computed" if told.computed else "to_do_after"
    return "to_do_card" if family == "card" else "to_do_certificates"


def _closing(words: Words, reader: Reader) -> str:
    about = _part(words, "about", _person_values(words, reader))
    signature = words.section("email.text")["signature"]
    return f"\n{about}\n\n{signature.format(service=words.word('service'), operator=words.word('operator'))}\n"


def address_of(label: str, words: Words) -> str:
    """How a person is addressed: 母 → お母さん, 203 佐藤 → 佐藤さん, 花子さん as it is."""
    name = _name_in(label)
    called, suffix = words.section("called"), words.word("call_suffix")
    if name in called:
        return called[name]
    return name if name.endswith(("さん", "様", "さま", "ちゃん", "くん", "先生")) else name + suffix


def carers_word(label: str, words: Words) -> str:
    """The person in a carer's words, with the room where the label has one."""
    return words.section("carers_word").get(label, label if label != _name_in(label) else address_of(label, words))


_BRACKETS_AND_ROOMS = re.compile(r"[(（\[［][^)）\]］]*[)）\]］]|[0-9０-９]+ *号室?")


@lru_cache(maxsize=4096)
def _name_in(label: str) -> str:
    """Without what stands in brackets, and without rooms: 佐藤（203） and 佐藤203号室 are both 佐藤."""
    bare = _BRACKETS_AND_ROOMS.sub(" ", label)
    named = [part for part in bare.split() if not any(map(str.isdigit, part))]
    return " ".join(named) or label
