"""Two texts of the same words to one telephone: what a provider's list proves of each."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import combinations, permutations, product

import pytest

from reminder.domain.model.messages import Accepted, ListedEntry, ProviderAnswer
from reminder.domain.rules.same_words import Claimant, identify, some_are_doubled

AT = datetime(2026, 12, 1, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def claimant(message_id: int, handed: int, *, until: int | None = None) -> Claimant:
    """Handed over so many minutes after nine; the clocks are at most two minutes apart."""
    latest = None if until is None else AT + (until + 2) * MINUTE
    return Claimant(message_id, AT + (handed - 2) * MINUTE, latest)


def entry(name: str, minute: int) -> ListedEntry:
    return ListedEntry(name, AT + minute * MINUTE)


def test_one_text_and_one_entry_are_the_same() -> None:
    assert identify(1, [claimant(1, 0)], [entry("SM1", 0)]) == Accepted("SM1")


def test_of_two_texts_handed_over_at_once_with_one_entry_neither_is_guessed() -> None:
    two = [claimant(1, 0, until=1), claimant(2, 0, until=1)]

    assert [identify(one, two, [entry("SM1", 0)]) for one in (1, 2)] == [ProviderAnswer.NOT_TOLD_APART] * 2


def test_of_two_texts_with_two_entries_both_have_arrived() -> None:
    two, entries = [claimant(1, 0), claimant(2, 0)], [entry("SM1", 0), entry("SM2", 1)]

    assert {identify(one, two, entries) for one in (1, 2)} == {Accepted("SM1"), Accepted("SM2")}


@pytest.mark.parametrize(("minute", "found"), [(0, 1), (20, 2)])
def test_the_time_tells_two_texts_apart(minute: int, found: int) -> None:
    two = [claimant(1, 0, until=6), claimant(2, 20, until=26)]

    answers = {one: identify(one, two, [entry("SM1", minute)]) for one in (1, 2)}

    assert answers == {found: Accepted("SM1"), 3 - found: ProviderAnswer.NOT_FOUND}


def test_an_entry_that_is_neither_leaves_both_not_found() -> None:
    two = [claimant(1, 0, until=6), claimant(2, 0, until=6)]

    assert {identify(one, two, [entry("SM1", 60)]) for one in (1, 2)} == {ProviderAnswer.NOT_FOUND}


def test_a_text_without_a_date_was_made_just_now() -> None:
    two = [claimant(1, 0, until=6), claimant(2, 60)]

    assert identify(2, two, [ListedEntry("SM1", None)]) == Accepted("SM1")
    assert identify(1, two, [ListedEntry("SM1", None)]) is ProviderAnswer.NOT_FOUND


def explanations(claimants: Sequence[Claimant], entries: Sequence[ListedEntry]) -> list[dict[int, str]]:
    """Every way in which as many entries as possible are texts of these, by trying all."""
    found: list[dict[int, str]] = []
    for count in range(min(len(claimants), len(entries)), -1, -1):
        for some, chosen in product(combinations(claimants, count), permutations(entries, count)):
            pairs = list(zip(some, chosen, strict=True))
            if all(one.may_be(at) for one, at in pairs):
                found.append({one.message_id: at.provider_id for one, at in pairs})
        if found:
            return found
    return found


WINDOWS = [claimant(0, 0, until=1), claimant(0, 0, until=20), claimant(0, 15, until=16), claimant(0, 15)]


@pytest.mark.parametrize("windows", list(product(range(4), repeat=3)))
@pytest.mark.parametrize("minutes", [(), (0,), (16,), (0, 0), (0, 16), (16, 17), (0, 1, 16)])
def test_a_text_has_arrived_exactly_where_no_explanation_does_without_it(
    windows: tuple[int, ...], minutes: tuple[int, ...]
) -> None:
    three = [Claimant(i + 1, WINDOWS[w].earliest, WINDOWS[w].latest) for i, w in enumerate(windows)]
    entries = [entry(f"SM{i}", minute) for i, minute in enumerate(minutes)]
    every = explanations(three, entries)

    for one in three:
        answer = identify(one.message_id, three, entries)

        in_all = bool(every) and all(one.message_id in way for way in every)
        in_some = any(one.message_id in way for way in every)
        assert isinstance(answer, Accepted) is in_all
        assert (answer is ProviderAnswer.NOT_FOUND) is not in_some


@pytest.mark.parametrize("texts", [0, 1, 2, 3])
@pytest.mark.parametrize("listed", range(5))
def test_one_of_them_was_taken_twice_where_more_is_listed_than_there_are(texts: int, listed: int) -> None:
    claimants = [claimant(one, one, until=6) for one in range(texts)]
    entries = [entry(f"SM{one}", 3) for one in range(listed)]

    assert some_are_doubled(claimants, entries) == (bool(texts) and listed > texts)
    assert not some_are_doubled(claimants, [*entries[:texts], entry("SM-other", 60)]), "that is neither of them"
