"""The weekly digest of a home: what opens, nears, has ended or is unanswered, and who is not reached, as one e-mail."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Self

from reminder.domain import hours
from reminder.domain.people import Audience, ChannelName, Language, Mode
from reminder.domain.text.catalog import SIGNATURE_CERTIFICATE, USER_CERTIFICATE, Catalog, Catalogs
from reminder.domain.text.composer import Composed, Reader, closing

# Who is behind a full page reads no e-mail of two hundred lines: the rest is counted, and stands on the page.
MOST_ROWS = 20
# A day without its year is taken for the nearest such day.
NEAR = timedelta(days=300)


@dataclass(frozen=True)
class Week:
    """A week as Japan counts it, from Monday."""

    monday: date

    @classmethod
    def of(cls, day: date) -> Self:
        return cls(day - timedelta(days=day.weekday()))

    @classmethod
    def read(cls, name: str) -> Self:
        """2027-W09, or a day in it. Raises ValueError."""
        return cls.of(date.fromisoformat(name))

    @property
    def name(self) -> str:
        return f"{self.monday:%G-W%V}"

    @property
    def following(self) -> Self:
        return type(self)(self.monday + timedelta(days=7))

    @property
    def begins(self) -> datetime:
        return hours.instant(self.monday, time(0))

    @property
    def bell(self) -> datetime | None:
        """The first moment of it at which staff may be written to: on Monday morning, or after the holiday. None for a
        week of holidays: the next one speaks of all that it would have said."""
        moment = hours.next_allowed(self.begins, Mode.STANDARD, Audience.STAFF)
        return moment if moment < self.following.begins else None


def digest_is_due(now: datetime) -> bool:
    """Whether the hour of this week's digest has come."""
    bell = Week.of(hours.japan(now).date()).bell
    return bell is not None and bell <= now


def next_bell(now: datetime, *, is_made: bool) -> datetime:
    """When it is next to be made; `is_made`: this week's was. A moment that is past has come."""
    week = Week.of(hours.japan(now).date())
    week = week.following if is_made else week
    while (bell := week.bell) is None:
        week = week.following
    return bell


@dataclass(frozen=True)
class Item:
    """One person's cards of one day, or why a person is not reached. `place`: their room, or what they are called."""

    place: str
    day: date | None = None
    is_about: bool = False  # a date that was worked out
    cards: Sequence[tuple[str, str]] = ()  # kind, and what its owner calls it
    reasons: Sequence[tuple[str, str]] = ()  # channel, and the state of the contact or of the text; "" for all of them


@dataclass(frozen=True)
class Part:
    """`name`: a heading of [digest] in config/wording/. `items`: those that are shown, of `count` that there are."""

    name: str
    items: Sequence[Item]
    count: int


@dataclass(frozen=True)
class Digest:
    """`watched`: how many cards there are."""

    group: str
    day: date
    watched: int
    parts: Sequence[Part]

    @property
    def count(self) -> int:
        return sum(part.count for part in self.parts)


def compose_digest(wording: Catalogs, language: Language, digest: Digest, link: str | None = None) -> Composed:
    """`link`: of the page, where the operator allows links."""
    plain = wording.of(language)
    words = plain.in_mail
    said, about = words.section("digest"), {"group": digest.group, "n": digest.count}
    subject = plain.section("digest")["subject" if digest.parts else "subject_nothing"]
    if digest.parts:
        blocks = [said["said"].strip().format_map(about)]
        blocks += [_part(wording, words, part, digest.day) for part in digest.parts]
        blocks.append(f"■ {said['page']}\n{link or said['no_link'].strip()}")
    else:
        blocks = [said["nothing"].format(group=digest.group, n=digest.watched)]
    reads = Reader(Audience.STAFF, ChannelName.EMAIL, language, Mode.STANDARD, digest.group, from_=digest.group)
    subject = subject.format(**about, date=plain.date(digest.day))
    return Composed(subject, "\n\n".join(blocks) + "\n", closing(words, reads))


def _part(wording: Catalogs, words: Catalog, part: Part, today: date) -> str:
    said = words.section("digest")
    lines = [f"■ {said['heading'].format(title=said[part.name], n=part.count)}"]
    lines += [note for name, note in words.section("digest.about").items() if name == part.name]
    lines += [_row(wording, words, item, today) for item in part.items]
    if part.count > len(part.items):
        lines.append(said["more"].format(n=part.count - len(part.items)))
    return "\n".join(lines)


def _row(wording: Catalogs, words: Catalog, item: Item, today: date) -> str:
    said = words.section("digest")
    if item.day is None:
        reasons = words.word("list_separator").join(_reason(words, *one) for one in item.reasons)
        return said["unreached_row"].format(place=item.place, reasons=reasons)
    day = words.date(item.day, "date" if abs(item.day - today) < NEAR else "full_date")
    named = words.word("list_separator").join(things(wording, words, item.cards))
    day = words.word("about_date").format(date=day) if item.is_about else day
    return said["row"].format(day=day, place=item.place, things=named)


def _reason(words: Catalog, channel: str, state: str) -> str:
    if not state:
        return words.section("digest")["nobody"]
    return words.section("digest")["reason"].format(
        channel=words.section("channel")[channel], state=words.section("digest.states")[state]
    )


def things(wording: Catalogs, words: Catalog, cards: Sequence[tuple[str, str]]) -> list[str]:
    """What these cards are called, as (kind, label); both certificates of one day are one thing."""
    certificates = {USER_CERTIFICATE, SIGNATURE_CERTIFICATE}
    has_both = certificates <= {wording.families[kind] for kind, _ in cards}
    named = (
        words.word("both_certificates")
        if has_both and wording.families[kind] in certificates
        else label or words.kinds[kind]["thing"]
        for kind, label in cards
    )
    return list(dict.fromkeys(named))
