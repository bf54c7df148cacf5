"""What stands of what the owner of an address has said, for one group."""

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from reminder.domain.model.consent_records import (
    NO_GROUP,
    OWN_WORD,
    STOPPED_BY,
    STRENGTH,
    ConsentAct,
    ConsentRecord,
    ConsentWay,
)
from reminder.domain.model.people import stops_lifted
from reminder.domain.rules.consent_standing import (
    has_consented,
    has_refused,
    is_stopped_for_all,
    refusal_for,
    times_asked,
)

NOW = datetime(2026, 12, 1, tzinfo=UTC)
A, B = 1, 2


def said(act: str, way: str, group_id: int | None = None, days: int = 0) -> ConsentRecord:
    return ConsentRecord(group_id, ConsentAct(act), ConsentWay(way), NOW + timedelta(days=days))


STOP, START = said("withdrew", "reply"), said("consented", "reply")


@pytest.mark.parametrize(("stop", "consent"), list(product(STOPPED_BY, STRENGTH)))
def test_a_consent_lifts_a_refusal_if_it_is_strong_enough_whatever_the_ways(
    stop: ConsentWay, consent: ConsentWay
) -> None:
    records = [said("withdrew", stop, A), said("consented", consent, A)]

    assert (refusal_for(records, A) is None) is (STOPPED_BY[stop] in stops_lifted(STRENGTH[consent]))


def test_a_stop_of_the_number_holds_for_a_group_of_which_it_was_never_said() -> None:
    assert refusal_for([said("consented", "spoken", A), STOP], B) == STOP
    assert refusal_for([STOP, START], B) is None


def test_what_is_said_to_one_group_holds_for_that_group() -> None:
    assert refusal_for([said("withdrew", "reply", A)], B) is None
    assert refusal_for([STOP, said("consented", "reply", A)], B) == STOP
    assert refusal_for([STOP, said("consented", "reply", A)], A) is None


@pytest.mark.parametrize("weaker", ["page", "operator", "link"])
def test_a_weaker_no_after_a_stop_does_not_make_the_stop_easier_to_lift(weaker: str) -> None:
    records = [STOP, said("withdrew", weaker, A), said("consented", "written", A)]

    assert refusal_for(records, A) == STOP


def test_a_stop_after_a_weaker_no_is_the_one_that_stands() -> None:
    records = [said("withdrew", "page", A), STOP, said("consented", "written", A)]

    assert refusal_for(records, A) == STOP


def test_a_wrong_number_is_lifted_by_whoever_made_sure_and_is_no_no() -> None:
    wrong = said("wrong_person", "reply", A)

    assert refusal_for([wrong], A) == wrong
    assert refusal_for([wrong], B) is None
    assert refusal_for([wrong, said("consented", "spoken", A)], A) is None
    assert not has_refused([wrong])


@pytest.mark.parametrize("way", list(STOPPED_BY))
@pytest.mark.parametrize("group", [None, A, NO_GROUP])
def test_an_own_word_to_anybody_is_a_no_to_strangers(way: ConsentWay, group: int | None) -> None:
    assert has_refused([said("withdrew", way, group)]) is (way in OWN_WORD)


def test_a_yes_to_another_group_is_no_yes_to_strangers_whom_all_were_refused() -> None:
    assert has_refused([STOP, said("consented", "reply", A)])
    assert not has_refused([STOP, START])


def test_questions_are_counted_since_the_last_yes_and_for_each_group() -> None:
    asked = [said("asked", "text", A, 0), said("asked", "mail", A, 14), said("asked", "text", B, 20)]

    assert times_asked(asked, A) == (2, NOW + timedelta(days=14))
    assert times_asked(asked, B) == (1, NOW + timedelta(days=20))
    assert times_asked([*asked, said("consented", "reply", A, 21)], A) == (0, None)
    assert times_asked([], A) == (0, None)


def test_a_no_for_all_is_known_whoever_was_told() -> None:
    assert is_stopped_for_all([said("withdrew", "operator")])
    assert not is_stopped_for_all([said("withdrew", "operator"), START])
    assert not is_stopped_for_all([said("withdrew", "reply", A), said("asked", "text", A)])


def test_who_has_agreed_to_a_group_once_has_agreed_to_it_whatever_was_said_later() -> None:
    assert has_consented([said("consented", "reply", A), STOP], A)
    assert not has_consented([said("consented", "reply", A), START], B)
