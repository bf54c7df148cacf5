"""Whose answer a text is: by its digit, by its words, by what is open, and never by a guess."""

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from reminder.domain.parsing.replies import Consent, Intent
from reminder.domain.rules.reply_routing import Conversation, Reach, Routing, route

AT = datetime(2026, 12, 1, tzinfo=UTC)


def of(contact_id: int, group_id: int = 1, **more: object) -> Conversation:
    usual = {"person_id": contact_id, "is_own": True, "written_at": AT, "is_unanswered": True}
    return Conversation(contact_id, group_id, **{**usual, **more})  # type: ignore[arg-type]


ASKED = {"is_asked_for_consent": True, "is_unanswered": True}
CASES = [
    (
        "a digit names its question",
        (Intent.DONE, 3, None),
        [of(1, codes=frozenset({1})), of(2, codes=frozenset({3}))],
        [2],
    ),
    (
        "and so does a digit without another meaning",
        (Intent.UNKNOWN, 4, None),
        [of(1, codes=frozenset({1})), of(2, codes=frozenset({4}))],
        [2],
    ),
    (
        "two questions with one digit",
        (Intent.DONE, 1, None),
        [of(1, codes=frozenset({1})), of(2, codes=frozenset({1}))],
        [1, 2],
    ),
    ("done is said of cards, not of a greeting", (Intent.DONE, None, None), [of(1, codes=frozenset({1})), of(2)], [1]),
    (
        "done where two cards are open",
        (Intent.DONE, None, None),
        [of(1, codes=frozenset({1})), of(2, codes=frozenset({3}))],
        [1, 2],
    ),
    ("yes to a request is consent", (Intent.DONE, None, Consent.YES), [of(1), of(2, **ASKED)], [2]),
    (
        "1 to a card and to a request",
        (Intent.DONE, 1, Consent.YES),
        [of(1, codes=frozenset({1})), of(2, **ASKED)],
        [1, 2],
    ),
    (
        "2 to a card and to a request",
        (Intent.LATER, 2, Consent.NO),
        [of(1, codes=frozenset({1})), of(2, **ASKED)],
        [1, 2],
    ),
    ("words where two are open", (Intent.UNKNOWN, None, None), [of(1), of(2, codes=frozenset({3}))], [1, 2]),
    (
        "words where one is open",
        (Intent.UNKNOWN, None, None),
        [of(1, is_unanswered=False), of(2, codes=frozenset({3}))],
        [2],
    ),
    (
        "nothing is open: the last one",
        (Intent.THANKS, None, None),
        [of(1, is_unanswered=False), of(2, is_unanswered=False, written_at=AT + timedelta(days=1))],
        [2],
    ),
    ("who stopped is not meant", (Intent.UNKNOWN, None, None), [of(1, is_stopped=True), of(2)], [2]),
    ("a number that was never written to", (Intent.DONE, 1, None), [of(1, written_at=None, is_unanswered=False)], []),
]


@pytest.mark.parametrize(("why", "said", "conversations", "meant"), CASES, ids=[case[0] for case in CASES])
def test_a_reply_is_of_whom_it_can_answer(
    why: str, said: tuple[Intent, int | None, Consent | None], conversations: list[Conversation], meant: list[int]
) -> None:
    routing = route(*said, conversations)

    reach = {0: Reach.NOBODY, 1: Reach.ONE}.get(len(meant), Reach.UNCLEAR)
    assert (routing.reach, sorted(routing.contact_ids)) == (reach, meant), why


def test_stop_is_said_to_all_wrong_number_to_the_groups_that_wrote_and_start_to_the_stopped() -> None:
    wrote, of_it, silent = of(1), of(2, written_at=None), of(3, group_id=2, written_at=None, is_stopped=True)
    every = [silent, of_it, wrote]

    assert route(Intent.STOP, None, None, every) == Routing(Reach.NUMBER, (1, 3, 2))
    assert route(Intent.WRONG_PERSON, None, None, every) == Routing(Reach.NUMBER, (1, 2))
    assert route(Intent.START, None, None, every) == Routing(Reach.NUMBER, (3,))
    assert route(Intent.WRONG_PERSON, None, None, [silent]) == Routing(Reach.NOBODY)


@pytest.mark.parametrize(
    "intent", [one for one in Intent if one not in (Intent.STOP, Intent.START, Intent.WRONG_PERSON)]
)
def test_no_reply_is_ever_filed_with_a_group_that_has_not_written(intent: Intent) -> None:
    """Whatever is said, and whatever else is open."""
    silent = of(9, group_id=9, written_at=None, is_unanswered=False)
    for digit, consent, codes, asked in product((None, 1, 3), (None, *Consent), ((), (1,), (3,)), (False, True)):
        other = of(1, codes=frozenset(codes), is_asked_for_consent=asked)

        assert route(intent, digit, consent, [silent, other]).contact_ids == (1,)
