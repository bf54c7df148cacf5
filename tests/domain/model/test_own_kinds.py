"""Kinds of a group's own: a key holds all that rules need, and everything that is not such a key is no kind."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reminder.domain.model.card_kinds import FirstAct, LifeStage, RenewalPlace
from reminder.domain.model.own_kinds import (
    FURTHEST_OPENING,
    LONGEST_LEAD,
    STAND_INS,
    Kinds,
    OwnKindFacts,
    days_of_kind,
    own_id,
    public_name,
    read_key,
    stored_kind,
)
from reminder.domain.model.people import Mode
from reminder.domain.rules import schedule
from reminder.domain.text.catalog import FAMILIES, KIND_WORDS
from tests.rules import KINDS, LANGUAGES, SCHEDULES, WORDING

facts = st.builds(
    OwnKindFacts,
    place=st.sampled_from(RenewalPlace),
    opens_days=st.none() | st.integers(1, FURTHEST_OPENING),
    lead_days=st.integers(0, LONGEST_LEAD),
    stand_in=st.sampled_from(STAND_INS),
    own_days=st.lists(st.integers(0, 365), max_size=8, unique=True).map(lambda days: tuple(sorted(days, reverse=True))),
)


@given(facts=facts, kind_id=st.integers(1, 2**63 - 1))
def test_a_key_says_all_that_rules_and_words_need(facts: OwnKindFacts, kind_id: int) -> None:
    key = facts.key(kind_id)

    kind = KINDS[key]

    assert len(key) <= 120, "it fits into its column"
    assert (own_id(key), public_name(key), stored_kind(key)) == (kind_id, f"own:{kind_id}", "other")
    assert (kind.done_at, kind.replacement_days, days_of_kind(kind)) == (facts.place, facts.lead_days, facts.own_days)
    assert kind.schedule in SCHEDULES.names
    assert kind.texts in FAMILIES
    assert kind.recordable == tuple(LifeStage)
    for language in LANGUAGES:
        said = WORDING.languages[language].kinds[key]
        assert said.keys() >= KIND_WORDS.keys()
        assert all(said.values())
    assert WORDING.families[key] == kind.texts
    for mode in Mode:
        dates = schedule.dates_of(kind, date(2030, 3, 20), insurance=True, card_grace=True)
        assert schedule.plan(SCHEDULES.of(mode, kind), dates, mode)


@pytest.mark.parametrize(
    "text",
    [
        "own:7", "own:0::0:post:anybody:", "own:7::0:moon:anybody:", "own:7::0:post:excused:", "own:7:0:0:post:anybody:",
        "own:7:731:0:post:anybody:", "own:7::366:post:anybody:", "own:7::0:post:anybody:60-", "own:७::0:post:anybody:",
        "own:7::0:post:anybody", "OWN:7::0:post:anybody:", "own:7::0:post:anybody:\n", "", "others",
    ],
)  # fmt: skip
def test_what_is_no_key_is_no_kind(text: str) -> None:
    assert read_key(text) is None
    assert text not in KINDS


def test_a_list_of_kinds_holds_those_of_the_file_only() -> None:
    key = OwnKindFacts().key(1)

    assert key in KINDS
    assert key not in list(KINDS)
    assert len(KINDS) == len(list(KINDS))
    assert Kinds({}).get(key) == KINDS[key]


@pytest.mark.parametrize(
    ("facts", "act", "family"),
    [
        (OwnKindFacts(RenewalPlace.MUNICIPAL_COUNTER), FirstAct.GO, "procedure"),
        (OwnKindFacts(RenewalPlace.MUNICIPAL_COUNTER, lead_days=14), FirstAct.APPLY, "procedure"),
        (OwnKindFacts(RenewalPlace.POST, lead_days=14), FirstAct.APPLY, "procedure"),
        (OwnKindFacts(RenewalPlace.TELEPHONE), FirstAct.ASK, "procedure"),
        (OwnKindFacts(RenewalPlace.DRIVING_SCHOOL), FirstAct.BOOK, "procedure"),
        (OwnKindFacts(RenewalPlace.OWN_PHONE), FirstAct.SET_UP, "procedure"),
        (OwnKindFacts(RenewalPlace.ARRIVES), FirstAct.WAIT, "arrival"),
        (OwnKindFacts(), FirstAct.ASK, "procedure"),
    ],
)
def test_how_it_begins_follows_from_where_it_is_done(facts: OwnKindFacts, act: FirstAct, family: str) -> None:
    kind = KINDS[facts.key(1)]

    assert (kind.first_act, kind.texts) == (act, family)
    assert kind.closes_with_counters == (facts.place in ("municipal_counter",))
