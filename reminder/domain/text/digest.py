"""The weekly digest of a home as one e-mail: what opens, nears, has ended or is unanswered, and who is unreachable."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from reminder.domain.model.people import Audience, ChannelName, Language, Mode
from reminder.domain.text.catalog import SIGNATURE_CERTIFICATE, USER_CERTIFICATE, Catalog, Catalogs
from reminder.domain.text.email import EmailComposer
from reminder.domain.text.model import Composed, Reader
from reminder.domain.text.phrases import Phrases
from reminder.domain.text.safe_words import safe_card_label, safe_place, safe_sender

# Nobody reads an e-mail of two hundred lines: further rows are only counted, and listed on the page.
MOST_ROWS = 20
# Readers take a day without its year for the nearest such day.
NEAR = timedelta(days=300)


@dataclass(frozen=True)
class Item:
    """One person's cards of one day, or why a person is not reached.

    `place`: their room, or their label where they have none (`is_name`).
    """

    place: str
    day: date | None = None
    is_about: bool = False  # the date was computed
    cards: Sequence[tuple[str, str]] = ()  # kind and label
    # Channel ("" for none), and the state of the contact or of the text; "" for all of them.
    reasons: Sequence[tuple[str, str]] = ()
    is_name: bool = False


@dataclass(frozen=True)
class Part:
    """One part of the digest.

    `name`: a heading of [digest] in config/wording/. `items`: the items shown, of `count` in all.
    """

    name: str
    items: Sequence[Item]
    count: int


@dataclass(frozen=True)
class Digest:
    """The contents of one digest. `watched`: the number of the home's cards."""

    group: str
    day: date
    watched: int
    parts: Sequence[Part]

    @property
    def count(self) -> int:
        """The number of items in all parts."""
        return sum(part.count for part in self.parts)


def safe_digest(words: Catalog, digest: Digest) -> Digest:
    """Return the digest with words that may leave us."""
    parts = [replace(part, items=[_safe_item(words, item) for item in part.items]) for part in digest.parts]
    return replace(digest, group=safe_sender(words, digest.group), parts=parts)


def _safe_item(words: Catalog, item: Item) -> Item:
    cards = [(kind, safe_card_label(label) or "") for kind, label in item.cards]
    return replace(item, place=safe_place(words, item.place, is_name=item.is_name), cards=cards)


def without_words(words: Catalog, digest: Digest) -> Digest:
    """Return the digest with neutral words in place of all typed ones but rooms."""
    said = words.section("neutral")

    def plain(item: Item) -> Item:
        place = item.place if _ROOM.fullmatch(item.place) else said["who"]
        return replace(item, place=place, cards=[(kind, "") for kind, _ in item.cards])

    parts = [replace(part, items=list(map(plain, part.items))) for part in digest.parts]
    return replace(digest, group=said["from_"], parts=parts)


_ROOM = re.compile("[0-9０-９]{1,5}(?:号室?)?")


@dataclass(frozen=True)
class DigestComposer:
    """A composer of digests in one language."""

    catalogs: Catalogs
    language: Language

    @property
    def _words(self) -> Catalog:
        return self.catalogs.of(self.language).in_mail

    def compose(self, digest: Digest, link: str | None) -> Composed:
        """Return the e-mail. `link`: of the page, where the operator allows links."""
        plain = self.catalogs.of(self.language)
        said, about = self._words.section("digest"), {"group": digest.group, "n": digest.count}
        subject = plain.section("digest")["subject" if digest.parts else "subject_nothing"]
        if digest.parts:
            blocks = [said["said"].strip().format_map(about)]
            blocks += [self._part(part, digest.day) for part in digest.parts]
            blocks.append(f"■ {said['page']}\n{link or said['no_link'].strip()}")
        else:
            blocks = [said["nothing"].format(group=digest.group, n=digest.watched)]
        group = digest.group
        staff = Reader(Audience.STAFF, ChannelName.EMAIL, self.language, Mode.STANDARD, group, from_=group)
        closing = EmailComposer(Phrases.of(self.catalogs, staff)).closing
        return Composed(subject.format(**about, date=plain.date(digest.day)), "\n\n".join(blocks) + "\n", closing)

    def _part(self, part: Part, today: date) -> str:
        said = self._words.section("digest")
        lines = [f"■ {said['heading'].format(title=said[part.name], n=part.count)}"]
        lines += [note for name, note in self._words.section("digest.about").items() if name == part.name]
        lines += [self._row(item, today) for item in part.items]
        if part.count > len(part.items):
            lines.append(said["more"].format(n=part.count - len(part.items)))
        return "\n".join(lines)

    def _row(self, item: Item, today: date) -> str:
        words = self._words
        said, separator = words.section("digest"), words.word("list_separator")
        if item.day is None:
            reasons = separator.join(self._reason(*one) for one in item.reasons)
            return said["unreached_row"].format(place=item.place, reasons=reasons)
        day = words.date(item.day, "date" if abs(item.day - today) < NEAR else "full_date")
        day = words.word("about_date").format(date=day) if item.is_about else day
        named = separator.join(things(self.catalogs.families, words, item.cards))
        return said["row"].format(day=day, place=item.place, things=named)

    def _reason(self, channel: str, state: str) -> str:
        said = self._words.section("digest")
        if not state:
            return said["nobody"]
        if not channel:
            return self._words.section("digest.states")[state]
        named = self._words.section("channel")[channel]
        return said["reason"].format(channel=named, state=self._words.section("digest.states")[state])


def things(families: Mapping[str, str], words: Catalog, cards: Sequence[tuple[str, str]]) -> list[str]:
    """Return the names of these cards, given as (kind, label); both certificates of one day are one thing."""
    certificates = {USER_CERTIFICATE, SIGNATURE_CERTIFICATE}
    has_both = certificates <= {families[kind] for kind, _ in cards}
    named = (
        words.word("both_certificates")
        if has_both and families[kind] in certificates
        else label or words.kinds[kind]["thing"]
        for kind, label in cards
    )
    return list(dict.fromkeys(named))
