"""What each medium says about one card on one day: text, mail, call, letter, the sheet on the refrigerator, and page.

The words are replaced by marks: a sentence by the place where it is written, a day by ⟦month/day⟧, an office by ◇. So a
test sees which facts a medium has used, in every language, and not how they are said.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache
from html import unescape
from itertools import product
from string import Formatter

from reminder.domain.model.people import Audience, ChannelName, Language, Mode
from reminder.domain.rules import schedule
from reminder.domain.rules.next_step import NextStep, next_step
from reminder.domain.rules.preferences import DEFAULT_PREFERENCES, Preferences
from reminder.domain.rules.schedule_model import CardDates
from reminder.domain.rules.steps import AddedStep, Step, text_at
from reminder.domain.text.catalog import Catalogs, KindWords
from reminder.domain.text.composer import Composer
from reminder.domain.text.leaflets import LeafletContents, render_sheet
from reminder.domain.text.letters import ResidentLetter, render_letter
from reminder.domain.text.model import Reader, ReminderContent
from reminder.domain.text.paper import Matter
from reminder.domain.text.phrases import is_told_as_bound
from tests.rules import AUDIENCE, COMPOSER, KINDS, SCHEDULES, WORDING

# A Saturday, so that the last open day is before it, and a Wednesday, on which counters are open.
SATURDAY, WEDNESDAY = date(2027, 2, 20), date(2027, 3, 31)
OFFICE = "◇"


def marked(text: str, key: str) -> str:
    """Return a text that shows where it was written, and fills the same placeholders."""
    fields = [field for _, field, _, _ in Formatter().parse(text) if field]
    return f"<{key}>" + "".join(f"{{{field}}}" for field in dict.fromkeys(fields))


def _marked_all(table: Mapping[str, object], where: str) -> dict[str, object]:
    return {
        name: _marked_all(text, f"{where}.{name}")
        if isinstance(text, Mapping)
        else marked(str(text), f"{where}.{name}")
        for name, text in table.items()
    }


def _marked_blocks(text: str, key: str) -> str:
    """Return a sheet of blocks whose title and small print are still known as such."""
    return f"# <{key}>\n" + "".join(f"{{{one}}}" for _, one, _, _ in Formatter().parse(text) if one)


DAY = "⟦{month}/{day}⟧"
NUMBERED = {"months": " ".join(map(str, range(1, 13))), "days": " ".join(map(str, range(1, 32)))}


@cache
def marked_catalogs(language: Language) -> Catalogs:
    """Return the texts of a language as marks."""
    words = WORDING.of(language)
    table = dict(words.table)
    for name in ("email", "letter", "several", "again", "life", "call", "answers", "notices"):
        table[name] = _marked_all(table[name], name)  # type: ignore[arg-type]
    table["sheets"] = {name: _marked_blocks(text, f"sheets.{name}") for name, text in words.section("sheets").items()}
    table["call"] = {**table["call"], "day": DAY, "about_day": f"≈{DAY}˙", **NUMBERED,  # type: ignore[dict-item]
                     "weekdays": words.section("call")["weekdays"]}  # fmt: skip
    table |= {
        "date": DAY,
        "full_date": DAY,
        "short_date": f"{DAY}˙",
        "about_date": "≈{date}",
        "months": "",
        "readings": [],
    }
    return Catalogs(
        {
            language: replace(
                words,
                table=table,
                texts={key: marked(text, f"texts.{key.voice}.{key.family}.{key.name}") for key, text in words.texts.items()},
                kinds=KindWords({
                    kind: {name: marked(text, f"kinds.{kind}.{name}") for name, text in said.items()}
                    for kind, said in words.kinds.items()
                }),
            )
        },
        KINDS,
        AUDIENCE,
    )  # fmt: skip


@dataclass(frozen=True)
class Situation:
    """One card on one day of its plan, in one mode, and who is told on that day."""

    kind: str
    mode: Mode
    step: Step
    content: ReminderContent
    dates: CardDates
    page: NextStep

    @property
    def is_bound(self) -> bool:
        """Whether it is spoken of as a card that ends with a residence."""
        return is_told_as_bound(KINDS[self.kind].texts, is_bound=self.content.bound)

    @property
    def matter(self) -> Matter:
        """The card as paper speaks of it."""
        told = self.content
        return Matter(
            self.kind, told.expires_on, self.page.act, self.dates.acts_from, self.dates.last_counter_day,
            self.dates.grace_ends_on, is_computed=told.computed, is_bound=self.is_bound,
            begin_by=self.dates.begin_by if self.dates.lead_days else None, next_on=self.page.day,
        )  # fmt: skip

    def said(self, audience: Audience, language: Language, *, with_words: bool = False) -> dict[str, str]:
        """Return what each medium says to one of the audience; `with_words`: as it is sent, not as marks."""
        catalogs = WORDING if with_words else marked_catalogs(language)
        composer = COMPOSER if with_words else Composer(catalogs)
        office = "市役所" if with_words else OFFICE
        reader = Reader(audience, ChannelName.SMS, language, self.mode, "花子", office=office, from_="見本の里")
        mail = composer.reminder([self.content], replace(reader, channel=ChannelName.EMAIL))
        found = {
            "text": composer.reminder([self.content], reader).text,
            "mail": f"{mail.subject}\n{mail.text}",
        }
        if audience is Audience.PERSON:
            call = composer.call([self.content], replace(reader, channel=ChannelName.VOICE))
            found["call"] = "\n".join(call.human)
            letter = ResidentLetter(
                1,
                "花子",
                "203",
                language,
                office,
                "見本の里",
                None,
                self.mode is Mode.HOME,
                self.step.on,
                (self.matter,),
            )
            found["letter"] = unescape(render_letter(catalogs, letter))
            sheet = LeafletContents("花子", office, "見本の里", None, "KIGEN", self.step.on, (self.matter,), self.mode)
            found["fridge"] = unescape(render_sheet("fridge", catalogs.of(language), sheet))
        return found


# The questions that answers add to a plan: to whom each goes.
_OUT = frozenset({Audience.CARER, Audience.STAFF})
_ADDED = {
    AddedStep.DONE: _OUT,
    AddedStep.TAKEN: _OUT,
    AddedStep.COME: frozenset(Audience),
    AddedStep.COLLECT: frozenset(Audience),
    AddedStep.VISIT: frozenset(Audience),
}


def situations(
    kind: str,
    mode: Mode,
    preferences: Preferences = DEFAULT_PREFERENCES,
    ends: tuple[date, ...] = (SATURDAY, WEDNESDAY),
    *,
    with_answers: bool = False,
) -> Iterator[Situation]:
    """Yield every step of the plans of a kind: with and without a grace, computed, and bound to a residence.

    `with_answers`: also what is asked and reminded of after answers, on the thirtieth day before the end.
    """
    seen = set()
    for end, insurance, bound, computed in product(ends, (True, False), (False, True), (False, True)):
        if bound and not KINDS[kind].bound_by:
            continue
        dates = schedule.dates_of(KINDS[kind], end, insurance=insurance, card_grace=True, is_bound=bound)
        plan = schedule.plan(SCHEDULES.of(mode, KINDS[kind], preferences), dates, mode)
        added = (
            Step(one.value, end - timedelta(days=30), to if mode is Mode.HOME else to - {Audience.STAFF}, added=one)
            for one, to in _ADDED.items()
            if with_answers
        )
        for step in (*plan, *added):
            content = ReminderContent(
                kind, end, computed, step=text_at(step, plan), last_counter_day=dates.last_counter_day,
                grace_ends_on=dates.grace_ends_on, bound=bound, on=step.on, begin_by=dates.begin_on(step.on),
                until=end if step.added is AddedStep.VISIT or insurance else None,
            )  # fmt: skip
            if (step, content) not in seen:
                seen.add((step, content))
                yield Situation(kind, mode, step, content, dates, next_step(dates, None, step.on))


def day(one: date | None) -> str:
    """Return a day as the marks show it."""
    return "" if one is None else f"⟦{one.month}/{one.day}⟧"


def sentences(text: str) -> set[str]:
    """Return where the sentences of a marked text are written."""
    return set(re.findall(r"<((?:texts|kinds|email|letter|call|sheets|life|again|several)\.[\w.-]+)>", text))
