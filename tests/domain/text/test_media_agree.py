"""Text, mail, call, letter, sheet and page never contradict each other about one card on one day."""

import re
from collections.abc import Iterator
from itertools import product

import pytest

from reminder.domain.model.card_kinds import RenewalPlace
from reminder.domain.model.people import Audience, Language, Mode
from reminder.domain.rules.next_step import NextAct
from reminder.domain.rules.steps import Stage
from tests.domain.text.same_day import OFFICE, Situation, day, situations
from tests.rules import KINDS, LANGUAGES, WORDING

EVERYTHING = [*product(KINDS, Mode)]
BEFORE = re.compile(
    r"<kinds\.\w+\.(?:to_do|elder_to_do|ahead)>|<email\.text\.to_do_(?!computed)|<letter\.bound>|<call\.bound>"
)
AFTER = re.compile(
    r"<kinds\.\w+\.(?:after|elder_after)>|<email\.text\.after_|<letter\.bound_after>|<call\.bound_after>"
)
PASSED = re.compile(
    r"<letter\.(?:was|grace|post)>|<call\.(?:passed|grace)>|<email\.line\.grace>|<email\.text\.stops_with_grace>"
)


def told(kind: str, mode: Mode) -> Iterator[tuple[Situation, Audience, Language, dict[str, str]]]:
    """Yield what every medium says at each step of a kind, to each of its readers, in each language."""
    for one in situations(kind, mode):
        for audience, language in product(sorted(one.step.audiences), LANGUAGES):
            yield one, audience, language, one.said(audience, language)


def named(text: str) -> set[str]:
    return set(re.findall(r"≈?⟦\d+/\d+⟧˙?", text))


@pytest.mark.parametrize(("kind", "mode"), EVERYTHING)
def test_all_media_of_a_day_say_the_same_dates_acts_places_and_closed_counters(kind: str, mode: Mode) -> None:
    wrong = []
    for one, audience, language, said in told(kind, mode):
        for medium, text in said.items():
            for what in contradictions(one, medium, text):
                wrong.append(f"{one.step.name} {audience} {language} {medium}: {what}")

    assert wrong == []


def contradictions(one: Situation, medium: str, text: str) -> Iterator[str]:
    """Yield what a medium says against the facts of the card, from which all the others speak too."""
    content, dates, facts = one.content, one.dates, KINDS[one.kind]
    end, today = day(content.expires_on), day(one.step.on)
    last, grace, opens, begin = map(day, (dates.last_counter_day, dates.grace_ends_on, dates.acts_from, dates.begin_by))
    # Of a computed date 「…までに」 names no weekday, and the mark of a short date stands for it here.
    abouts = {f"≈{end}", f"≈{end}˙"}
    days = named(text)
    is_over = content.is_after_end
    # The dates.
    of_paper = {"letter": {today, opens, begin}, "fridge": {today, opens, begin}}.get(medium, set())
    allowed = ({*abouts, f"{end}˙"} if content.computed else {end}) | {last, grace} | of_paper
    if days - allowed:
        yield f"dates {sorted(days - allowed)} are none of the card's"
    if medium != "text" and not days & {end, *abouts}:
        yield "the end is not named"
    # What has passed, and what still works.
    if content.computed and PASSED.search(text):
        yield "a computed date is described as past"
    if PASSED.search(text) and dates.grace_ends_on is None and not is_over:
        yield "something is said to have passed"
    # The act.
    if is_over and BEFORE.search(text):
        yield f"{BEFORE.search(text)} after the end"
    if not is_over and AFTER.search(text):
        yield f"{AFTER.search(text)} before the end"
    if one.is_bound and re.search(r"<kinds\.\w+\.(?:to_do|elder_to_do|after|elder_after|late)>", text):
        yield "a card that ends with a residence is renewed as any other"
    # The place.
    # Who gets something by itself may be told by its own words where to ask for it.
    others = re.sub(r"<kinds\.[^>]*>[^<\n]*", "", text) if facts.comes_by_itself else text
    if OFFICE in others and not one.is_bound and facts.done_at is not RenewalPlace.MUNICIPAL_COUNTER:
        yield f"the municipal office is named, and it is done at {facts.done_at}"
    # The counters.
    is_closed_earlier = facts.closes_with_counters and dates.last_counter_day < content.expires_on
    if not is_closed_earlier and "lastopen" in text and medium != "mail":
        yield "a last open day is named, and there is none of its own"
    if is_closed_earlier and content.step.stage is Stage.LAST_OPEN and last not in days:
        yield "the last open day is not named on it"


@pytest.mark.parametrize(("kind", "mode"), EVERYTHING)
def test_the_page_says_of_the_day_of_a_text_what_the_text_says(kind: str, mode: Mode) -> None:
    wrong = []
    for one in situations(kind, mode):
        act, stage = one.page.act, one.content.step.stage
        if act.is_after_end != one.content.is_after_end:
            wrong.append(f"{one.step.name}: {act} on the page, {stage} in the text")
        if act is NextAct.OPENS:
            wrong.append(f"{one.step.name}: not yet open on the page, {stage} in the text")
        if (act is NextAct.ARRIVES) != (KINDS[kind].comes_by_itself and not one.content.is_after_end):
            wrong.append(f"{one.step.name}: {act} for what comes by itself")
        if (stage is Stage.LAST_OPEN and act not in (NextAct.GO, NextAct.LATE)) or (
            stage is Stage.LAST_OPEN and one.page.day != one.dates.last_counter_day
        ):
            wrong.append(
                f"{one.step.name}: {act} until {one.page.day}, the counter closes {one.dates.last_counter_day}"
            )
        if act.is_after_end and one.dates.grace_ends_on is not None:
            is_in_grace = stage in (Stage.AFTER, Stage.GRACE, Stage.GRACE_NEAR)
            if (act is NextAct.GRACE) != is_in_grace:
                wrong.append(f"{one.step.name}: {act} on the page, {stage} in the text")

    assert wrong == []


# How the shared advice of a mail names the counter of a municipality, in each language.
MUNICIPAL = {"ja": "市区町村の窓口", "ja-easy": "市役所へ 行", "en": "your city office"}


@pytest.mark.parametrize(
    "kind", [key for key, kind in KINDS.items() if kind.done_at is not RenewalPlace.MUNICIPAL_COUNTER]
)
def test_no_mail_sends_anybody_to_a_municipal_counter_for_what_is_done_elsewhere(kind: str) -> None:
    own = {language: " ".join(WORDING.of(language).in_mail.kinds[kind].values()) for language in LANGUAGES}
    for one in situations(kind, Mode.ELDERLY):
        for audience, language in product(sorted(one.step.audiences), LANGUAGES):
            mail = one.said(audience, language, with_words=True)["mail"]
            place = MUNICIPAL[language]
            assert place not in mail or place in own[language], f"{one.step.name} {audience} {language}"
