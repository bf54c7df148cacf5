"""The words of every message: from what is told to whom, to the text of config/wording/ that says it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache

from reminder.domain.model.languages import Script
from reminder.domain.notices import NoticeKind
from reminder.domain.people import Audience, ChannelName, Language, Mode
from reminder.domain.text import sms_segments
from reminder.domain.text.catalog import (
    AGAIN,
    ARRIVAL,
    BOUND,
    CARD,
    CERTIFICATES,
    COMPUTED,
    KIND_WORDS,
    PROCEDURE,
    SIGNATURE_CERTIFICATE,
    STEPS_OF_GRACE,
    USER_CERTIFICATE,
    WITHOUT_INSURANCE,
    Catalog,
    Catalogs,
)

AFTER_END = frozenset({"a7", *STEPS_OF_GRACE})

# Which part of an e-mail's subject a step takes; before all of these it is "before".
_STAGES = {
    "opens": "opens",
    **dict.fromkeys(("d7", "d3", "d1", "d0", "lastopen"), "near"),
    "a7": "after",
    **dict.fromkeys(("g30", "g7"), "grace"),
    "post": "post",
}

_CERTIFICATES = frozenset({CERTIFICATES, USER_CERTIFICATE, SIGNATURE_CERTIFICATE})
_MY_NUMBER = frozenset({*_CERTIFICATES, CARD})

# A text to a person is one message where it can be, and never more than two.
MOST_SEGMENTS = 2


@dataclass(frozen=True)
class ReminderContent:
    """One reminder that a text tells. `computed`: the date was worked out, not read from the card. `grace_ends_on` is
    None where none is promised. `label`: what its owner calls it. `bound`: it ends with a residence period."""

    kind: str
    step: str
    expires_on: date
    last_counter_day: date
    grace_ends_on: date | None
    computed: bool = False
    insurance: bool = True
    label: str | None = None
    bound: bool = False


@dataclass(frozen=True)
class Reader:
    """Who reads. `label` is what the family calls the person it speaks of; `from_` the family's or home's name;
    `asks` the digit that answers "done" to this text, None where it cannot be answered."""

    audience: Audience
    channel: ChannelName
    language: Language
    mode: Mode
    label: str
    mark: str | None = None
    office: str = "市役所"
    from_: str = ""
    asks: int | None = None

    @property
    def voice(self) -> str:
        if self.audience is not Audience.PERSON:
            return "carer"
        return "standard" if self.mode is Mode.STANDARD else "elderly"


@dataclass(frozen=True)
class Fate:
    """What became of one earlier text to the person, and what was answered."""

    on: date
    channel: ChannelName
    state: str  # a MessageState
    reply: str | None = None  # an Intent
    was_answerable: bool = False


@dataclass(frozen=True)
class Copy:
    """What a carer is shown besides: the text of this day to the person, what became of the latest ones, and the
    address of a page on which the carer takes it on."""

    text: str | None = None
    fates: Sequence[Fate] = ()
    take_link: str | None = None


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
        return sms_segments.count(self.text) if self.subject is None else 0


def compose(
    wording: Catalogs,
    told: Sequence[ReminderContent],
    reader: Reader,
    *,
    copy: "Copy | None" = None,
    brief: bool = False,
) -> Composed:
    """One message that tells all of `told`. `copy` is what a carer is shown besides; `brief` leaves out the advice,
    for an e-mail that speaks of several persons."""
    words = wording.of(reader.language)
    if reader.channel.is_mail:
        return _email(words, wording, told, reader, copy or Copy(), brief)
    return Composed(None, _sms(words, wording, told, reader))


@dataclass(frozen=True)
class About:
    """What a notice speaks of, where it speaks of a card or a contact, and what the person answered."""

    told: ReminderContent | None = None
    channel: ChannelName | None = None
    reply: str | None = None
    link: str | None = None  # for a carer's e-mail: a page with one button
    instead: ChannelName | None = None  # by which the person is told what did not arrive


def compose_notice(wording: Catalogs, reader: Reader, kind: NoticeKind, about: About) -> Composed:
    """To a carer or a member of staff: what has become of a person's reminders."""
    is_mail = reader.channel.is_mail
    plain = wording.of(reader.language)
    words = plain.in_mail if is_mail else plain
    said = words.section(f"notices.{kind}")
    values = _notice_values(words, wording, reader, about)
    if not is_mail:
        return Composed(None, _signed(words, reader, said["said"].format_map(values)))
    parts = words.section("email.part")
    blocks = [said["said"].format_map(values)]
    if about.instead is not None:
        blocks.append(words.section("history")["instead"].format(channel=words.section("channel")[about.instead]))
    if about.reply:
        blocks.append(f"■ {parts['reply']}\n「{about.reply}」")
    blocks.append(f"■ {parts['to_do']}\n{said['to_do'].strip().format_map(values)}")
    if about.link:
        blocks.append(f"■ {parts['take' if about.told else 'reached']}\n{about.link}")
    subject = plain.section(f"notices.{kind}")["subject"].format_map(_notice_values(plain, wording, reader, about))
    return Composed(subject, "\n\n".join(blocks) + "\n", closing(words, reader))


def _notice_values(words: Catalog, wording: Catalogs, reader: Reader, about: About) -> dict[str, str]:
    values = {**_person_values(words, reader), "thing": "", "date": "", "channel": ""}
    if about.told is not None:
        values["thing"] = _thing(words, about.told, wording.families[about.told.kind])
        values["date"] = _date(words, about.told)
    if about.channel is not None:
        values["channel"] = words.section("channel")[about.channel]
    return values


def compose_answer(wording: Catalogs, reader: Reader, name: str, *, day: date | None = None) -> Composed:
    """To somebody who has just answered, or is asked for consent; one message. `name`: one of notices.ANSWERS."""
    words = wording.of(reader.language)
    values = {**_person_values(words, reader), "date": "" if day is None else words.date(day)}
    return Composed(None, _shortest(words, reader, words.section("answers")[name], values))


def compose_code(wording: Catalogs, language: Language, code: str) -> Composed:
    """The e-mail with the code by which somebody signs in."""
    said = wording.of(language).in_mail.section("sign_in")
    return Composed(said["code_subject"], said["code"].strip().format(code=code))


def compose_invitation(wording: Catalogs, language: Language, group: str) -> Composed:
    """The e-mail to who is invited to a group."""
    said = wording.of(language).in_mail.section("sign_in")
    return Composed(said["invitation_subject"].format(group=group), said["invitation"].strip().format(group=group))


def is_of_my_number(wording: Catalogs, kind: str) -> bool:
    """Whether it is a My Number Card, or lives in one."""
    return wording.families[kind] in _MY_NUMBER


def together(wording: Catalogs, composed: Sequence[Composed], language: Language) -> Composed:
    """Several messages to one human as one; a single one as it is."""
    if len(composed) == 1:
        return composed[0]
    words = wording.of(language)
    body = "\n――――――――――\n\n".join(one.body for one in composed)
    subject = words.section("email.subject")["people"].format(n=len(composed))
    return Composed(subject, body, composed[0].closing)


def _sms(words: Catalog, wording: Catalogs, told: Sequence[ReminderContent], reader: Reader) -> str:
    # A Japanese label would halve the length of a Latin text: there the kind's own name stands for it.
    told = [replace(one, label=None) if one.label and not _is_in_its_script(words, one) else one for one in told]
    family = _family_of(wording, told)
    if family is None:
        return _several(words, wording, told, reader)
    first = _first(wording, told)
    template = _template(words, reader, first, family)
    text = _shortest(words, reader, template, _values(words, first, reader, family))
    return _assuring(words, _without_the_last(text), reader)


def _template(words: Catalog, reader: Reader, told: ReminderContent, family: str) -> str:
    again = told.step.rstrip("0123456789")
    if again in AGAIN and reader.voice == "carer":
        return words.section("again")[again]
    return words.texts[reader.voice, family, _step_key(told, family)]


_SENTENCE = re.compile(r"(?<=。)|(?<=\.) ")


def _without_the_last(text: str) -> str:
    """A text that a long name in another script has made too long says less: its last sentence goes."""
    sentences = _SENTENCE.split(text)
    while sms_segments.count(text) > MOST_SEGMENTS and len(sentences) > 1:
        text = text.removesuffix(sentences.pop()).rstrip()
    return text


def _is_in_its_script(words: Catalog, told: ReminderContent) -> bool:
    return not words.kinds[told.kind]["thing"].isascii() or (told.label or "").isascii()


def _assuring(words: Catalog, text: str, reader: Reader) -> str:
    """With how it is answered, or whom to ask, and the promise that nobody is asked for a number: each where there is
    room for it."""
    after = [words.word("no_numbers")]
    if reader.audience is Audience.PERSON and reader.asks is not None:
        after.insert(0, words.word("reply_done").format(code=reader.asks))
    elif reader.voice == "elderly":
        after.insert(0, words.word("ask_staff" if reader.mode is Mode.HOME else "ask_family"))
    for more in after:
        text = text + more if sms_segments.count(text + more) == 1 else text
    return text


def _shortest(words: Catalog, reader: Reader, template: str, values: Mapping[str, str]) -> str:
    """In one message if that can be had by leaving out the form of address, or the mark where it is an ornament."""
    text = _signed(words, reader, template.format_map(values))
    if sms_segments.count(text) == 1:
        return text
    if "{call}、" in template:
        shorter = _signed(words, reader, template.replace("{call}、", "").format_map(values))
    else:
        shorter = _signed(words, reader, template.format_map(values), marked=reader.voice == "elderly")
    return shorter if sms_segments.count(shorter) < sms_segments.count(text) else text


def _signed(words: Catalog, reader: Reader, said: str, *, marked: bool = True) -> str:
    # A mark in another script would double the length of a Latin text.
    shows_mark = marked and reader.mark and (words.facts.script is not Script.LATIN or reader.mark.isascii())
    form = "sender_with_mark" if shows_mark else "sender"
    return words.word(form).format(service=words.word("service"), mark=reader.mark) + said


def _several(words: Catalog, wording: Catalogs, told: Sequence[ReminderContent], reader: Reader) -> str:
    items = _items(words, wording, told)
    template = words.section("several")[reader.voice]
    values = _person_values(words, reader)
    for shown in range(len(items), 0, -1):
        listed = words.word("list_separator").join(items[:shown])
        if shown < len(items):
            listed += words.word("and_more").format(n=len(items) - shown)
        text = _shortest(words, reader, template, {**values, "items": listed})
        if sms_segments.count(text) <= MOST_SEGMENTS:
            break
    return _assuring(words, text, reader)


def _items(words: Catalog, wording: Catalogs, told: Sequence[ReminderContent]) -> list[str]:
    """What ends when, soonest first; two certificates of one date are one item."""
    by_date: dict[tuple[date, bool], list[ReminderContent]] = {}
    for one in sorted(told, key=lambda one: (one.expires_on, list(wording.families).index(one.kind))):
        by_date.setdefault((one.expires_on, one.computed), []).append(one)
    item = words.section("several")["item"]
    listed = []
    for ending in by_date.values():
        families = {wording.families[one.kind] for one in ending}
        for one in ending:
            family = wording.families[one.kind]
            both = family in _CERTIFICATES and {USER_CERTIFICATE, SIGNATURE_CERTIFICATE} <= families
            if not both or family == USER_CERTIFICATE:
                thing = _thing(words, one, CERTIFICATES if both else family)
                listed.append(item.format(thing=thing, date=_date(words, one)))
    return listed


def _family_of(wording: Catalogs, told: Sequence[ReminderContent]) -> str | None:
    """Whose text speaks for all of it; None where they end, or stand, differently."""
    if len({(one.step, one.expires_on, one.computed, one.bound) for one in told}) > 1:
        return None
    families = {wording.families[one.kind] for one in told}
    if len(told) > 1 and not families <= _MY_NUMBER:
        return None
    if told[0].bound and families <= _MY_NUMBER:
        return BOUND
    if len(families) == 1:
        return families.pop()
    return CARD if CARD in families else CERTIFICATES


def _first(wording: Catalogs, told: Sequence[ReminderContent]) -> ReminderContent:
    """The soonest; of one day the first of the catalogue, which has the card before what lives in it."""
    return min(told, key=lambda one: (one.expires_on, list(wording.families).index(one.kind)))


def _step_key(told: ReminderContent, family: str) -> str:
    if told.computed and told.step in AFTER_END:
        return COMPUTED
    if told.step == "a7" and told.grace_ends_on is None and family in (CERTIFICATES, USER_CERTIFICATE):
        return WITHOUT_INSURANCE
    return told.step


def _person_values(words: Catalog, reader: Reader) -> dict[str, str]:
    return {
        "call": address_of(reader.label, words),
        "who": carers_word(reader.label, words),
        "office": words.read(reader.office),
        "from_": reader.from_ or words.word("service"),
    }


def _thing(words: Catalog, told: ReminderContent, family: str) -> str:
    if family == CERTIFICATES:
        return words.word("both_certificates")
    return told.label or words.kinds[told.kind]["thing"]


def _date(words: Catalog, told: ReminderContent, form: str = "date") -> str:
    """A date that was worked out is said to be one."""
    day = words.date(told.expires_on, form)
    return words.word("about_date").format(date=day) if told.computed else day


def _values(words: Catalog, told: ReminderContent, reader: Reader, family: str) -> dict[str, str]:
    values = {
        **_person_values(words, reader),
        "thing": _thing(words, told, family),
        "date": _date(words, told),
        "full_date": _date(words, told, "full_date"),
        "lastopen": words.date(told.last_counter_day),
        "grace": "" if told.grace_ends_on is None else words.date(told.grace_ends_on),
    }
    said = words.kinds[told.kind]
    return values | {name: said[name].format_map(values) for name in KIND_WORDS if name not in values}


def _email(
    words: Catalog, wording: Catalogs, told: Sequence[ReminderContent], reader: Reader, copy: Copy, brief: bool
) -> Composed:
    family = _family_of(wording, told)
    first = _first(wording, told)
    family_of_first = family or wording.families[first.kind]
    mail = words.in_mail
    values = _values(mail, first, reader, family_of_first)
    if family is None:
        subject = words.section("email.subject")["several"]
        listed = mail.word("list_separator").join(_items(mail, wording, told))
        said = mail.section("several")[reader.voice].format_map({**values, "items": listed})
        lines: list[str] = []
    else:
        subject = _subject(words, first, family).format_map(_values(words, first, reader, family))
        said = _template(mail, reader, first, family).format_map(values)
        shown = mail.section("email.line").items()
        lines = [line.format_map(values) for name, line in shown if _applies(name, first, family)]
    blocks = ["\n".join([said, "", *lines]).rstrip()]
    blocks += _shown_to_carer(mail, copy)
    if not brief:
        computed = any(one.computed for one in told)
        blocks += [_part(mail, heading, values, text) for heading, text in _advice(first, family_of_first, computed)]
    return Composed(subject, "\n\n".join(blocks) + "\n", closing(mail, reader))


def _shown_to_carer(words: Catalog, copy: Copy) -> list[str]:
    parts = words.section("email.part")
    blocks = []
    if copy.text is not None:
        blocks.append(f"■ {parts['sent']}\n{copy.text}")
    if copy.fates:
        lines = (_fate(words, fate) for fate in copy.fates)
        blocks.append("\n".join([f"■ {parts['history']}", *lines]))
    if copy.take_link is not None:
        blocks.append(f"■ {parts['take']}\n{copy.take_link}")
    return blocks


def _fate(words: Catalog, fate: Fate) -> str:
    form = "answered" if fate.reply is not None else "silent" if fate.was_answerable else "sent"
    return words.section("history")[form].format(
        date=words.date(fate.on),
        channel=words.section("channel")[fate.channel],
        state=words.section("state")[fate.state],
        reply="" if fate.reply is None else words.section("reply")[fate.reply],
    )


def _subject(words: Catalog, told: ReminderContent, family: str) -> str:
    stage = COMPUTED if _step_key(told, family) == COMPUTED else _STAGES.get(told.step, "before")
    return words.section("email.subject")["arrival" if family == ARRIVAL and stage in ("before", "near") else stage]


def _part(words: Catalog, heading: str, values: Mapping[str, str], text: str) -> str:
    said = words.section("email.text")[text].strip("\n").format_map(values)
    return f"■ {words.section('email.part')[heading]}\n{said}"


def _applies(line: str, told: ReminderContent, family: str) -> bool:
    match line:
        case "grace":
            return told.grace_ends_on is not None and not told.computed
        case "lastopen":
            return told.step not in AFTER_END and family != ARRIVAL
        case "computed":
            return told.computed
        case _:
            return True


def _advice(told: ReminderContent, family: str, computed: bool) -> list[tuple[str, str]]:
    """The headings of an e-mail's advice, each with the text below it. `computed`: a date in it was worked out."""
    advises = CERTIFICATES if family in _CERTIFICATES else family
    if told.step in AFTER_END:
        return [("to_do", "to_do_computed" if computed else f"after_{advises}"), ("done", "done")]
    parts = [("to_do", f"to_do_{advises}")]
    if family in _MY_NUMBER:
        parts.append(("proxy", "proxy"))
    elif family == PROCEDURE:
        parts += [("proxy", "proxy_of_kind"), ("stops", "stops")]
    return [*parts, ("done", "done")]


def closing(words: Catalog, reader: Reader) -> str:
    about = _part(words, "about", _person_values(words, reader), "about")
    signature = words.section("email.text")["signature"]
    return f"\n{about}\n\n{signature.format(service=words.word('service'), operator=words.word('operator'))}\n"


def address_of(label: str, words: Catalog) -> str:
    """How a person is addressed: 母 → お母さん, 203 佐藤 → 佐藤さん, 花子さん as it is."""
    name = _name_in(label)
    called, suffix = words.section("called"), words.word("call_suffix")
    if name in called:
        return called[name]
    return name if name.endswith(("さん", "様", "さま", "ちゃん", "くん", "先生")) else name + suffix


def carers_word(label: str, words: Catalog) -> str:
    """The person in a carer's words, with the room where the label has one."""
    return words.section("carers_word").get(label, label if label != _name_in(label) else address_of(label, words))


_BRACKETS_AND_ROOMS = re.compile(r"[(（\[［][^)）\]］]*[)）\]］]|[0-9０-９]+ *号室?")


@lru_cache(maxsize=4096)
def _name_in(label: str) -> str:
    """Without what stands in brackets, and without rooms: 佐藤（203） and 佐藤203号室 are both 佐藤."""
    bare = _BRACKETS_AND_ROOMS.sub(" ", label)
    named = [part for part in bare.split() if not any(map(str.isdigit, part))]
    return " ".join(named) or label
