"""Every sentence of config/wording/ about a card reaches somebody: none is written and told to nobody."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from functools import cache
from itertools import product
from string import Formatter

import pytest

from reminder.domain.model.card_kinds import MY_NUMBER
from reminder.domain.model.people import Audience, ChannelName, Language, Mode
from reminder.domain.rules import schedule
from reminder.domain.rules.preferences import DEFAULT_PREFERENCES, Preferences
from reminder.domain.rules.steps import StepText, text_at
from reminder.domain.text.catalog import Catalogs, KindWords
from reminder.domain.text.composer import Composer
from reminder.domain.text.leaflets import LeafletCard, LeafletContents, render_sheet
from reminder.domain.text.model import Reader, ReminderContent
from tests.rules import KINDS, LANGUAGES, SCHEDULES, WORDING

# A Saturday, so that the last open day is before it, and a Wednesday, so that counters are open on its last days.
END, OTHER_END = date(2027, 2, 20), date(2027, 3, 31)
OWN_DAYS = ((75, 40, 3, 0), (90, 45, 14, 1), (30, 10, 2))
CHOICES = (DEFAULT_PREFERENCES, Preferences("few"), Preferences("often"), *(Preferences("", days) for days in OWN_DAYS))
# What is asked while a card is registered, and on the pages of a kind: tests/web looks at those.
ON_PAGES = {"name", "asked", "stands", "validity", "place", "carrier_renewed"}

# Sentences that reach nobody, and why they stand there all the same. A new one needs a reason, or goes.
UNTOLD_TEXTS = {
    "elderly.arrival.d30": "elders are told of what comes by itself in its last week; a stage needs its text",
    "elderly.signature_certificate": "elders are not told of it; they are as soon as told_to_elders is true",
}
UNTOLD_WORDS = {
    **{
        f"kinds.{kind}.{name}": "its family of texts has sentences of its own"
        for kind in MY_NUMBER
        for name in ("to_do", "ahead", "late", "after")
    },
    **{
        f"kinds.{kind}.{name}": "only on pages: nobody has to go for what comes by itself"
        for kind, facts in KINDS.items()
        if facts.comes_by_itself
        for name in ("proxy", "stops")
    },
}
UNTOLD_ADVICE = {"life_done": "told in the mails about the life of a card: test_life_texts.py"}


def marked(text: str, key: str) -> str:
    """Return a text that shows where it was written, and fills the same placeholders."""
    fields = [field for _, field, _, _ in Formatter().parse(text) if field]
    return f"<{key}>" + "".join(f"{{{field}}}" for field in dict.fromkeys(fields))


def marked_catalogs(language: Language) -> Catalogs:
    words = WORDING.of(language)
    texts = {key: marked(text, f"{key.voice}.{key.family}.{key.name}") for key, text in words.texts.items()}
    said = {
        kind: {name: marked(text, f"kinds.{kind}.{name}") for name, text in found.items()}
        for kind, found in words.kinds.items()
    }
    advice = {name: marked(text, f"email.text.{name}") for name, text in words.section("email.text").items()}
    email = {**words.table["email"], "text": advice}  # type: ignore[dict-item]
    return Catalogs(
        {
            language: replace(
                words, texts=texts, kinds=KindWords(said), table={**words.table, "email": email, "readings": []}
            )
        },
        KINDS,
    )


def contents(kind: str) -> Iterator[tuple[Mode, frozenset[Audience], ReminderContent]]:
    """Yield every step of every plan of a kind, as it is told with and without a grace, computed, and bound."""
    for end, insurance, bound, mode, preferences in product(
        (END, OTHER_END), (True, False), (False, True), Mode, CHOICES
    ):
        if bound and not KINDS[kind].bound_by:
            continue
        dates = schedule.dates_of(KINDS[kind], end, insurance=insurance, card_grace=True, is_bound=bound)
        plan = schedule.plan(SCHEDULES.of(mode, KINDS[kind], preferences), dates, mode)
        for step, computed in product(plan, (False, True)):
            yield mode, step.audiences, ReminderContent(
                kind, end, computed, step=text_at(step, plan), last_counter_day=dates.last_counter_day,
                grace_ends_on=dates.grace_ends_on, bound=bound,
            )  # fmt: skip


@cache
def told(language: Language) -> str:
    """Return everything that anybody is told about any card, by text, mail, call and paper."""
    catalogs = marked_catalogs(language)
    composer, found = Composer(catalogs), set[str]()
    for kind in KINDS:
        seen = set()
        for mode, audiences, content in contents(kind):
            for audience in audiences:
                what = (mode, audience, content)
                if what in seen:
                    continue
                seen.add(what)
                reader = Reader(audience, ChannelName.SMS, language, mode, "花子", office="市役所", from_="田中家")
                found.add(composer.reminder([content], reader).text)
                found.add(composer.reminder([content], replace(reader, channel=ChannelName.EMAIL)).text)
                if audience is Audience.PERSON:
                    found.add(composer.call([content], replace(reader, channel=ChannelName.VOICE)).text)
        certificates = ("mynumber_user_certificate", "mynumber_signature_certificate")
        if kind in certificates:
            for mode, audiences, content in contents(certificates[0]):
                both = [replace(content, kind=one) for one in certificates]
                for audience in audiences:
                    reader = Reader(audience, ChannelName.SMS, language, mode, "花子", office="市役所", from_="田中家")
                    found.add(composer.reminder(both, reader).text)
                    found.add(composer.reminder(both, replace(reader, channel=ChannelName.EMAIL)).text)
        card = LeafletContents("花子", "市役所", "田中家", None, "KIGEN", END, (LeafletCard(kind, END),))
        for sheet in ("letter", "fridge"):
            found.add(render_sheet(sheet, catalogs.of(language), card).replace("&lt;", "<").replace("&gt;", ">"))
    return "\n".join(found)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_of_a_step_reaches_somebody(language: Language) -> None:
    everything = told(language)
    orphans = [
        f"texts.{key.voice}.{key.family}.{key.name}"
        for key in WORDING.of(language).texts
        if f"<{key.voice}.{key.family}.{key.name}>" not in everything
        and StepText.read(key.name) is not None
        and not {f"{key.voice}.{key.family}", f"{key.voice}.{key.family}.{key.name}"} & UNTOLD_TEXTS.keys()
    ]

    assert orphans == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_of_a_kind_that_is_not_for_a_page_reaches_somebody(language: Language) -> None:
    everything = told(language)
    orphans = [
        f"kinds.{kind}.{name}"
        for kind, found in WORDING.of(language).kinds.items()
        for name in found
        if name not in ON_PAGES and f"<kinds.{kind}.{name}>" not in everything
    ]

    assert set(orphans) == set(UNTOLD_WORDS)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_advice_of_a_mail_reaches_somebody(language: Language) -> None:
    everything = told(language)
    untold = {name for name in WORDING.of(language).section("email.text") if f"<email.text.{name}>" not in everything}

    assert untold == set(UNTOLD_ADVICE)
