"""The phrases that texts of every channel share: names, dates, and the text of a step."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Self, TypeVar

from reminder.domain.model import card_kinds
from reminder.domain.model.card_kinds import CardKind
from reminder.domain.model.own_kinds import Families, stored_kind
from reminder.domain.rules.steps import Stage
from reminder.domain.text.audience import AudienceRules
from reminder.domain.text.catalog import (
    ARRIVAL,
    BOUND,
    CARD,
    CERTIFICATES,
    COMPUTED,
    KIND_WORDS,
    SIGNATURE_CERTIFICATE,
    USER_CERTIFICATE,
    WITHOUT_INSURANCE,
    Catalog,
    Catalogs,
)
from reminder.domain.text.forms_of_address import address_of, carers_word
from reminder.domain.text.model import About, CardContent, Reader, ReminderContent

# Families about the electronic certificates of a My Number Card, and about the card as a whole.
CERTIFICATE_FAMILIES = frozenset({CERTIFICATES, USER_CERTIFICATE, SIGNATURE_CERTIFICATE})
MY_NUMBER_FAMILIES = frozenset({*CERTIFICATE_FAMILIES, CARD})

# The subject of an e-mail at each stage.
_SUBJECTS = {
    Stage.OPENS: "opens",
    **dict.fromkeys((Stage.NEAR, Stage.LAST, Stage.LAST_OPEN), "near"),
    Stage.AFTER: "after",
    **dict.fromkeys((Stage.GRACE, Stage.GRACE_NEAR), "grace"),
    Stage.POST: "post",
    **{stage: stage.value for stage in Stage if stage.is_of_life},
}


_Content = TypeVar("_Content", bound=CardContent)


def is_told_as_bound(family: str, *, is_bound: bool) -> bool:
    """Return whether a card that ends with a residence period is spoken of as such, in every medium."""
    return is_bound and family in MY_NUMBER_FAMILIES


@dataclass(frozen=True)
class Topic:
    """The common parts of several reminders in one text. `family` is None where their ends or stages differ."""

    first: ReminderContent  # the soonest; of one day the card before its certificates
    family: str | None

    @classmethod
    def of(cls, contents: Sequence[ReminderContent], families: Mapping[str, str]) -> Self:
        """Return the topic of at least one reminder. `families`: of each kind, in the order of config/cards.toml."""
        return cls(in_order(contents, families)[0], _family_of(contents, families))


def in_order(contents: Sequence[_Content], families: Mapping[str, str]) -> list[_Content]:
    """Return cards by their end; those of one day in the order of their kinds in config/cards.toml.

    A kind of a group's own stands where any other card stands.
    """
    kinds = list(families)
    return sorted(contents, key=lambda one: (one.expires_on, kinds.index(stored_kind(one.kind))))


def by_urgency(contents: Sequence[ReminderContent], families: Mapping[str, str]) -> list[ReminderContent]:
    """Return cards by the nearness of their ends, before or after; those of one day in the order of their kinds."""
    kinds = list(families)
    return sorted(contents, key=lambda one: (one.urgency, kinds.index(stored_kind(one.kind))))


def _family_of(contents: Sequence[ReminderContent], families: Mapping[str, str]) -> str | None:
    first, found = contents[0], {families[one.kind] for one in contents}
    is_my_number = found <= MY_NUMBER_FAMILIES
    alike = {(one.step, one.expires_on, one.computed, one.bound) for one in contents}
    if len(alike) > 1 or (len(contents) > 1 and not is_my_number):
        return None
    if is_my_number and is_told_as_bound(families[first.kind], is_bound=first.bound):
        return BOUND
    if len(found) == 1:
        return found.pop()
    return CARD if CARD in found else CERTIFICATES


def _text_key(content: ReminderContent, family: str) -> str | None:
    """Return the name of a text that replaces the step's own, None where there is none."""
    if content.computed and content.is_after_end:
        return COMPUTED
    has_two_texts = family in (CERTIFICATES, USER_CERTIFICATE)
    if content.step.stage is Stage.AFTER and content.grace_ends_on is None and has_two_texts:
        return WITHOUT_INSURANCE
    return None


def nearness(words: Catalog, left: int | None, *, is_computed: bool) -> str:
    """Return what a subject begins with: how many days are left, or have passed; "" where nothing is counted.

    `is_computed`: a date among those was computed, so nothing is said to have passed.
    """
    said = words.section("nearness")
    match left:
        case None:
            return ""
        case _ if left < 0 and is_computed:
            return said["since_computed"].format(days=-left)
        case -1 | 0 | 1:
            return said[{-1: "yesterday", 0: "today", 1: "tomorrow"}[left]]
        case _:
            return said["left" if left > 0 else "passed"].format(days=abs(left))


def on_paper(words: Catalog, kind: str) -> str:
    """Return the name of a kind on paper; a certificate's holds the name by which texts and calls speak of it."""
    thing = words.kinds[kind]["thing"]
    return (
        words.word("certificate_on_paper").format(thing=thing)
        if kind in (card_kinds.USER_CERTIFICATE, card_kinds.SIGNATURE_CERTIFICATE)
        else thing
    )


@dataclass(frozen=True)
class Phrases:
    """The phrases of one language for one reader.

    `kinds`: the facts of each kind of card. `audience`: for whom the sentences are.
    """

    words: Catalog
    kinds: Mapping[str, CardKind]
    reader: Reader
    audience: AudienceRules

    @classmethod
    def of(cls, catalogs: Catalogs, reader: Reader) -> Self:
        """Return the phrases in the reader's language, without readings."""
        return cls(catalogs.of(reader.language), catalogs.kinds, reader, catalogs.audience)

    @cached_property
    def families(self) -> Mapping[str, str]:
        """The family of texts of each kind of card, in the order of config/cards.toml."""
        return Families(self.kinds)

    @cached_property
    def in_mail(self) -> "Phrases":
        """The same phrases with the readings of an e-mail."""
        return replace(self, words=self.words.in_mail)

    @cached_property
    def of_person(self) -> Mapping[str, str]:
        """The placeholders about the person and the sender."""
        return {
            "call": address_of(self.reader.label, self.words),
            "who": carers_word(self.reader.label, self.words),
            "office": self.words.read(self.reader.office),
            "from_": self.reader.from_ or self.words.word("service"),
            "helper": self.words.helper(self.reader.mode),
        }

    def of_reminder(self, content: ReminderContent, family: str) -> Mapping[str, str]:
        """Return the placeholders of the text of one card."""
        words = self.words
        values = {
            **self.of_person,
            "thing": self.thing(content, family),
            "date": self.date(content),
            # In 「…までに」 nothing is about: of a computed date that would be no day to go by.
            "by": words.date(content.expires_on, "short_date" if content.computed else "date"),
            "full_date": self.date(content, "full_date"),
            "lastopen": words.date(content.last_counter_day),
            "grace": "" if content.grace_ends_on is None else words.date(content.grace_ends_on),
            "begin": "" if content.begin_by is None else words.date(content.begin_by),
        }
        if content.step.stage.is_of_life:
            values["until"] = "" if content.until is None else words.date(content.until)
        said = words.kinds[content.kind]
        return values | {name: said[name].format_map(values) for name in KIND_WORDS if name not in values}

    def of_notice(self, about: About) -> Mapping[str, str]:
        """Return the placeholders of a notice; "" for those without a value."""
        values = {**self.of_person, "thing": "", "date": "", "channel": ""}
        if about.card is not None:
            values["thing"] = self.thing(about.card, self.families[about.card.kind])
            values["date"] = self.date(about.card)
        if about.channel is not None:
            values["channel"] = self.words.section("channel")[about.channel]
        return values

    def thing(self, card: CardContent, family: str) -> str:
        """Return the name of a card in a text of this family."""
        if family == CERTIFICATES:
            return self.words.word("both_certificates")
        return card.label or self.words.kinds[card.kind]["thing"]

    def date(self, card: CardContent, form: str = "date") -> str:
        """Return the end of a card; a computed date is marked as such."""
        # A weekday would be too exact for a date that was worked out.
        day = self.words.date(card.expires_on, "short_date" if card.computed and form == "date" else form)
        return self.words.word("about_date").format(date=day) if card.computed else day

    def template(self, content: ReminderContent, family: str) -> str:
        """Return the text of a step, with its placeholders."""
        stage = content.step.stage
        if stage in (Stage.DONE, Stage.TAKEN) and self.reader.voice == "carer":
            return self.words.section("again")[stage]
        if stage.is_of_life:
            any_day = "_any" if stage is Stage.COLLECT and content.until is None else ""
            return self.words.section("life")[f"{self.reader.voice}_{stage}{any_day}"]
        return self.words.text(self.reader.voice, family, _text_key(content, family) or content.step)

    def subject(self, content: ReminderContent, family: str) -> str:
        """Return the subject of an e-mail about one card, with its placeholders."""
        is_computed = _text_key(content, family) == COMPUTED
        if content.step.stage.is_of_life:
            return self.words.section("email.subject")[content.step.stage]
        name = COMPUTED if is_computed else _SUBJECTS.get(content.step.stage, "before")
        if family == ARRIVAL and name in ("before", "near"):
            name = "arrival"
        elif name == "near" and not self.closes_with_counters(content):
            name = "before"
        return self.words.section("email.subject")[name]

    def closes_with_counters(self, card: CardContent) -> bool:
        """Return whether nothing can be done for this card on days on which counters are closed."""
        return self.kinds[card.kind].closes_with_counters

    def several(
        self,
        contents: Sequence[ReminderContent],
        *,
        form: str = "date",
        most: int | None = None,
        apart: str | None = None,
    ) -> str:
        """Return the sentences about cards of several dates, the most urgent first, and what to do about that one.

        `apart`: what stands before what to do, in place of the space between sentences.

        `form` of the dates; `most`: so many cards are named, and the others counted.
        """
        first = by_urgency(contents, self.families)[0]
        # Where one date was computed, nothing is said to have passed.
        is_sure = not any(one.computed for one in contents)
        passed = [one for one in contents if one.is_after_end and is_sure]
        coming = [one for one in contents if one not in passed]
        said, voice = self.words.section("several"), self.reader.voice
        parts = [(f"{voice}_passed", self.items(passed, form, latest_first=True)), (voice, self.items(coming, form))]
        if first in coming:
            parts.reverse()
        room = sum(len(items) for _, items in parts) if most is None else most
        left_out, sentences = 0, []
        for name, items in parts:
            shown = items[: max(0, room)]
            room, left_out = room - len(items), left_out + len(items) - len(shown)
            if shown:
                sentences.append((name, shown))
        text = []
        for place, (name, shown) in enumerate(sentences, start=1):
            listed = self.words.word("list_separator").join(shown)
            if left_out and place == len(sentences):
                listed += self.words.word("and_more").format(n=left_out)
            text.append(said[name].format_map({**self.of_person, "items": listed}))
        act = "arrival" if self.families[first.kind] == ARRIVAL else "late" if first in passed else "do"
        separator = self.words.word("sentence_separator")
        act_said = said[f"{voice}_{act}"].format_map(self.of_person)
        return separator.join(text) + (separator if apart is None else apart) + act_said

    def items(
        self, contents: Sequence[ReminderContent], form: str = "date", *, latest_first: bool = False
    ) -> list[str]:
        """Return the cards with their ends, soonest first; two certificates of one date are one item."""
        by_date: dict[tuple[date, bool], list[ReminderContent]] = {}
        for one in in_order(contents, self.families):
            by_date.setdefault((one.expires_on, one.computed), []).append(one)
        days = sorted(by_date, reverse=latest_first)
        return [item for ending in map(by_date.__getitem__, days) for item in self._items_of_a_day(ending, form)]

    def _items_of_a_day(self, ending: Sequence[ReminderContent], form: str) -> Iterator[str]:
        item, found = self.words.section("several")["item"], {self.families[one.kind] for one in ending}
        has_both = {USER_CERTIFICATE, SIGNATURE_CERTIFICATE} <= found
        for one in ending:
            family = self.families[one.kind]
            is_of_both = has_both and family in CERTIFICATE_FAMILIES
            if not is_of_both or family == USER_CERTIFICATE:
                yield item.format(
                    thing=self.thing(one, CERTIFICATES if is_of_both else family), date=self.date(one, form)
                )
