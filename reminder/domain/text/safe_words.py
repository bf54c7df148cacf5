"""Free words on their way into a message: each passes the gate (guard/outgoing.py), or neutral words replace it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

from reminder.domain.text.catalog import Catalog
from reminder.domain.text.model import About, CardContent, Composed, Reader
from reminder.guard import outgoing

_Card = TypeVar("_Card", bound=CardContent)


def safe_label(label: str) -> str:
    """Return the label of a person; "" where it may not leave us: forms_of_address.py has neutral words for that."""
    return label if outgoing.is_safe(label, field="label") else ""


def safe_card_label(label: str | None) -> str | None:
    """Return the label of a card; None where there is none, or where its kind's own name must replace it."""
    return label if label and outgoing.is_safe(label, field="card_label") else None


def safe_mark(mark: str | None) -> str | None:
    """Return the mark word; None where there is none that may leave us."""
    return mark if mark and outgoing.is_safe(mark, field="mark") else None


def safe_sender(words: Catalog, name: str) -> str:
    """Return the name of a group; neutral words where it may not leave us, "" where there is none."""
    return name if not name or outgoing.is_safe(name, field="group_name") else words.section("neutral")["from_"]


def safe_office(words: Catalog, office: str) -> str:
    """Return the name of an office; neutral words where it may not leave us."""
    return office if outgoing.is_safe(office, field="office") else words.section("neutral")["office"]


def safe_place(words: Catalog, place: str, *, is_name: bool = False) -> str:
    """Return a room with its unit, or a label (`is_name`); neutral words where it may not leave us."""
    field = "label" if is_name else "place"
    return place if not place or outgoing.is_safe(place, field=field) else words.section("neutral")["who"]


def safe_card(card: _Card) -> _Card:
    """Return the card with a label that may leave us."""
    label = safe_card_label(card.label)
    return card if label == card.label else replace(card, label=label)


def safe_reader(words: Catalog, reader: Reader) -> Reader:
    """Return the reader with words that may leave us."""
    label, mark = safe_label(reader.label), safe_mark(reader.mark)
    office, from_ = safe_office(words, reader.office), safe_sender(words, reader.from_)
    if (label, mark, office, from_) == (reader.label, reader.mark, reader.office, reader.from_):
        return reader
    return replace(reader, label=label, mark=mark, office=office, from_=from_)


def safe_about(words: Catalog, about: About) -> About:
    """Return the subject of a notice with words that may leave us."""
    reply = about.reply
    if reply and not outgoing.is_safe(reply, field="reply"):
        reply = words.section("neutral")["reply"]
    return replace(about, card=None if about.card is None else safe_card(about.card), reply=reply)


@dataclass(frozen=True)
class MessageWords:
    """The free words of one message: as they are where they may leave us, and all of them in neutral words."""

    words: Catalog
    reader: Reader
    cards: Sequence[CardContent] = ()
    reply: str | None = None
    others: tuple[str, ...] = ()

    @cached_property
    def _typed(self) -> list[str]:
        reader = self.reader
        of_cards = (one.label for one in self.cards)
        found = [reader.label, reader.mark, reader.office, reader.from_, self.reply, *of_cards, *self.others]
        return [word for word in found if word]

    def checked(
        self, compose: Callable[[Reader], Composed], neutral: Callable[[Reader], Composed], ours: Sequence[str | None]
    ) -> Composed:
        """Return the composed message, in neutral words where its words bring in something that we did not make.

        Each word has passed the gate by itself, so a link can appear only where a word meets what stands beside it.
        Most words cannot take part in one (outgoing.may_join). `ours`: the links of the message that are ours.
        """
        composed = compose(self.reader)
        if not any(map(outgoing.may_join, self._typed)):
            return composed
        links = [link for link in ours if link]
        found = _foreign(composed, links)
        if not found:
            return composed
        plain = neutral(
            replace(
                self.reader,
                label="",
                mark=None,
                office=self.words.section("neutral")["office"],
                from_=self.words.section("neutral")["from_"] if self.reader.from_ else "",
            )
        )
        return plain if found - _foreign(plain, links) else composed


def _foreign(composed: Composed, links: Sequence[str]) -> frozenset[str]:
    whole = f"{composed.subject or ''}\n{composed.text}"
    return outgoing.foreign_parts(whole, links)


def without_label(card: _Card) -> _Card:
    """Return the card under its kind's own name."""
    return replace(card, label=None)
