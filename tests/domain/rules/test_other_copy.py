"""What proves that another copy is at work, and what a restore, an erasure or a wrong clock explains."""

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from reminder.domain.model.messages import MessageKind
from reminder.domain.rules.other_copy import (
    ASKED_BACK,
    BEFORE_OURS,
    LEFT_OUT,
    OUT_OF_ORDER,
    HandOvers,
    NamedRow,
    Neighbours,
    explained_until,
    is_of_another,
    is_told_twice,
    left_at_earliest,
    may_be_another_s,
    was_handed_over_elsewhere,
)
from reminder.domain.rules.restore import LEAST_IDS, QueuedMessage

# The last evening of a month: what is made after midnight in Japan is of the next one.
NOW = datetime(2026, 11, 30, 14, tzinfo=UTC)
BEFORE = NOW - timedelta(days=30)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def row(number: int, at: datetime) -> NamedRow:
    return NamedRow(number, at)


def is_strange(named: NamedRow, around: Neighbours, *, explained: datetime = BEFORE) -> bool:
    return is_of_another(named, around, explained=explained, now=NOW)


def test_an_id_that_was_never_given_is_another_copy_s() -> None:
    around = Neighbours(last_id=20, before=row(20, NOW - DAY))

    assert is_strange(row(21, NOW - HOUR), around)
    assert not is_strange(row(20, NOW - DAY), Neighbours(20, itself=row(20, NOW - DAY)))


def test_a_row_of_another_second_is_another_copy_s_and_one_of_the_same_second_is_ours() -> None:
    ours = NOW - DAY
    around = Neighbours(20, itself=row(7, ours + timedelta(milliseconds=400)))

    assert not is_strange(row(7, ours), around)
    for apart in (-timedelta(seconds=1), timedelta(seconds=1), -HOUR, HOUR):
        assert is_strange(row(7, ours + apart), around)


def test_a_row_that_is_gone_proves_nothing_where_it_may_have_been_ours() -> None:
    around = Neighbours(20, before=row(6, NOW - 5 * DAY), after=row(9, NOW - 3 * DAY))

    for at in (NOW - 5 * DAY, NOW - 4 * DAY, NOW - 3 * DAY, NOW - 3 * DAY + OUT_OF_ORDER, NOW - 5 * DAY - OUT_OF_ORDER):
        assert not is_strange(row(7, at), around)
    assert is_strange(row(7, NOW - 3 * DAY + OUT_OF_ORDER + MINUTE), around)
    assert is_strange(row(7, NOW - 5 * DAY - OUT_OF_ORDER - MINUTE), around)


def test_nothing_is_strange_where_every_row_is_gone() -> None:
    assert not is_strange(row(7, NOW - DAY), Neighbours(20))


def test_what_was_made_before_the_first_pass_since_a_restore_is_explained() -> None:
    named = row(21, NOW - HOUR)

    assert not is_strange(named, Neighbours(20), explained=NOW - HOUR)
    assert is_strange(named, Neighbours(20), explained=NOW - HOUR - timedelta(seconds=1))


def test_the_lost_rows_of_a_restore_are_ours_and_those_that_the_old_service_makes_after_it_are_not() -> None:
    lost, first = row(5, NOW - 3 * HOUR), row(LEAST_IDS + 1, NOW - HOUR)
    around = Neighbours(LEAST_IDS + 9, before=row(4, NOW - 4 * HOUR), after=first)

    assert not is_strange(lost, around, explained=NOW - 2 * HOUR)
    assert is_strange(row(6, NOW - HOUR), around, explained=NOW - 2 * HOUR)
    nothing_made_yet = Neighbours(LEAST_IDS, before=row(4, NOW - 4 * HOUR))
    assert is_strange(row(6, NOW - HOUR), nothing_made_yet, explained=NOW - 2 * HOUR)
    # Rows that were made since and erased lie close to those that are there.
    assert not is_strange(row(LEAST_IDS - LEFT_OUT + 2, NOW - HOUR), around, explained=NOW - 2 * HOUR)


def test_a_date_in_the_future_is_of_a_wrong_clock() -> None:
    assert not is_strange(row(99, NOW + OUT_OF_ORDER + MINUTE), Neighbours(20))


def test_a_row_of_long_ago_whose_neighbours_were_deleted_is_ours() -> None:
    """After the retention only young rows are left, with ids far above."""
    around = Neighbours(3_000_000, after=row(2_000_000, NOW - DAY))

    assert not is_strange(row(7, NOW - 29 * DAY), around)


@pytest.mark.parametrize("restored_at", [None, NOW - DAY])
def test_before_any_pass_everything_is_explained(restored_at: datetime | None) -> None:
    assert explained_until(restored_at, None) > NOW + 1000 * DAY
    assert explained_until(restored_at, NOW) == NOW
    assert explained_until(NOW, NOW - DAY) == NOW


def known(**changed: object) -> HandOvers:
    usual: dict[str, object] = {
        "made_at": NOW - HOUR,
        "handed_at": NOW - MINUTE,
        "attempts": 1,
        "provider_id": "SM1",
        "is_matched": False,
        "possibly_double": False,
    }
    return HandOvers(**{**usual, **changed})  # type: ignore[arg-type]


def elsewhere(message: HandOvers, provider_id: str = "SM2") -> bool:
    return was_handed_over_elsewhere(message, provider_id, explained=BEFORE)


def test_a_receipt_of_what_never_left_here_or_left_once_under_another_id_is_another_copy_s() -> None:
    assert elsewhere(known(handed_at=None, attempts=0, provider_id=None))
    assert elsewhere(known())
    assert not elsewhere(known(), "SM1")
    assert not was_handed_over_elsewhere(known(), "SM2", explained=NOW - HOUR)


@pytest.mark.parametrize(
    ("attempts", "provider_id", "is_matched", "possibly_double"),
    list(product((0, 1, 2), ("SM1", None), (False, True), (False, True))),
)
def test_a_message_that_may_have_left_from_here_twice_proves_nothing(
    attempts: int, provider_id: str | None, is_matched: bool, possibly_double: bool
) -> None:
    message = known(attempts=attempts, provider_id=provider_id, is_matched=is_matched, possibly_double=possibly_double)
    is_proof = attempts == 1 and provider_id is not None and not is_matched and not possibly_double

    assert elsewhere(message) == is_proof
    assert is_told_twice([message]) == is_proof
    assert is_told_twice([known(), message]) == is_proof


def test_a_listed_text_that_none_of_ours_says_proves_nothing() -> None:
    assert not is_told_twice([])


@pytest.mark.parametrize("kind", MessageKind)
def test_each_message_is_asked_about_once_but_for_those_that_somebody_asks_for(kind: MessageKind) -> None:
    fresh = QueuedMessage(kind, NOW - HOUR, NOW, None)

    assert may_be_another_s(fresh) == (not kind.is_asked_for)
    assert not may_be_another_s(QueuedMessage(kind, NOW - HOUR, NOW, NOW - MINUTE))
    assert left_at_earliest(fresh, NOW) == NOW - HOUR - BEFORE_OURS
    assert left_at_earliest(QueuedMessage(kind, NOW - DAY, NOW, None), NOW) == NOW - ASKED_BACK
