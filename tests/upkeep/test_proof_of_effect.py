"""Proof of effect: each end is counted on the day after it, once, and moved when somebody acts later."""

from datetime import date, timedelta

import pytest

from reminder.domain.model.card_states import EndReason
from reminder.domain.model.end_outcomes import EndOutcome
from reminder.domain.model.people import GroupKind, Mode
from reminder.domain.rules.effect import EndCount
from reminder.enrolment import card_acts
from reminder.enrolment import cards as enrolment
from reminder.enrolment.cards import TypedDates
from reminder.storage.reminders import counted_ends
from reminder.storage.runtime import heartbeats
from reminder.upkeep import proof_of_effect
from reminder.upkeep.privacy import erasure
from reminder.upkeep.proof_of_effect import count_ends
from tests.village import Village

END, RENEWED_TO = date(2027, 3, 31), date(2032, 3, 31)
MONTH = date(2027, 3, 1)
BEFORE, IN_GRACE, AFTER = EndOutcome.BEFORE, EndOutcome.IN_GRACE, EndOutcome.AFTER
ENDED, UNKNOWN = EndOutcome.ENDED, EndOutcome.UNKNOWN


@pytest.fixture
def spring(village: Village) -> Village:
    """Three persons who use their card at hospitals, and their daughter; all cards end on 31 March."""
    village.group(GroupKind.HOUSEHOLD)
    village.member("娘", "musume@example.jp")
    for place, label in enumerate(("母", "父", "祖母")):
        village.person(label, phone=f"090-0000-000{place}", mode=Mode.ELDERLY)
        village.card(label, END)
    return village


def counts(village: Village) -> list[EndCount]:
    with village.app.database.reading() as tx:
        return counted_ends.counts(tx, date(2026, 1, 1), date(2033, 1, 1))


def outcomes(village: Village) -> dict[EndOutcome, int]:
    found: dict[EndOutcome, int] = {}
    for one in counts(village):
        found[one.outcome] = found.get(one.outcome, 0) + one.ends
    return found


def next_day(village: Village, at: str) -> dict[EndOutcome, int]:
    village.run_until(at)
    village.pass_once()
    return outcomes(village)


def test_an_end_is_counted_on_the_day_after_it_under_what_was_told_last(spring: Village) -> None:
    assert next_day(spring, "2027-03-31 23:00") == {}

    assert next_day(spring, "2027-04-01 01:00") == {UNKNOWN: 3}
    (one,) = counts(spring)
    told = ("mynumber_user_certificate", "household", "elderly", "d0", "email")
    assert (one.month, one.ends) == (MONTH, 3)
    assert (one.kind, one.group_kind, one.mode, one.step, one.channel) == told, "the daughter was told on the last day"


def test_who_renews_is_counted_under_the_step_that_was_told_before(spring: Village) -> None:
    spring.run_until("2027-03-05 20:00")
    spring.renew(1, RENEWED_TO)
    spring.run_until("2027-04-10 20:00")
    spring.renew(2, RENEWED_TO)

    assert next_day(spring, "2027-04-11 01:00") == {BEFORE: 1, IN_GRACE: 1, UNKNOWN: 1}
    steps = {one.outcome: one.step for one in counts(spring)}
    assert steps[BEFORE] == "d30"
    assert steps[IN_GRACE] == "a7"
    spring.run_until("2027-07-05 20:00")
    spring.renew(3, RENEWED_TO)
    assert next_day(spring, "2027-07-06 01:00") == {BEFORE: 1, IN_GRACE: 1, AFTER: 1}


def test_what_nobody_answers_is_counted_under_the_last_step_of_all_once_it_was_told(spring: Village) -> None:
    assert next_day(spring, "2027-04-01 01:00") == {UNKNOWN: 3}
    first = {one.step for one in counts(spring)}

    assert next_day(spring, "2027-09-01 01:00") == {UNKNOWN: 3}
    last = {one.step for one in counts(spring)}
    assert last == {"post"} != first


def test_who_said_that_it_is_done_is_counted_by_that_day(spring: Village) -> None:
    spring.run_until("2027-03-20 12:00")
    with spring.app.writing() as uow:
        enrolment.acknowledge_card(uow, card_id=1)
    assert next_day(spring, "2027-04-05 01:00") == {BEFORE: 1, UNKNOWN: 2}
    spring.run_until("2027-04-20 12:00")
    spring.renew(1, RENEWED_TO)
    assert next_day(spring, "2027-04-21 01:00") == {BEFORE: 1, UNKNOWN: 2}


def test_what_was_not_renewed_after_all_is_not_known_again(spring: Village) -> None:
    spring.run_until("2027-03-20 12:00")
    with spring.app.writing() as uow:
        enrolment.acknowledge_card(uow, card_id=1)
    spring.run_until("2027-04-02 12:00")
    with spring.app.writing() as uow:
        enrolment.reopen_card(uow, card_id=1)

    assert next_day(spring, "2027-04-03 01:00") == {UNKNOWN: 3}


@pytest.mark.parametrize("reason", EndReason)
def test_a_card_that_is_needed_no_more_has_ended_with_its_reason(spring: Village, reason: EndReason) -> None:
    spring.run_until("2027-03-20 12:00")
    with spring.app.writing() as uow:
        enrolment.retire_card(uow, card_id=1, reason=reason)

    assert next_day(spring, "2027-04-01 01:00") == {ENDED: 1, UNKNOWN: 2}
    assert [one.reason for one in counts(spring) if one.outcome is ENDED] == [reason]


def test_an_act_that_is_taken_back_a_day_later_is_taken_out_of_the_numbers(spring: Village) -> None:
    spring.run_until("2027-04-01 20:00")
    with spring.app.writing() as uow:
        enrolment.retire_card(uow, card_id=1)
    spring.renew(2, RENEWED_TO)
    assert next_day(spring, "2027-04-02 01:00") == {ENDED: 1, IN_GRACE: 1, UNKNOWN: 1}
    for card_id in (1, 2):
        with spring.app.writing() as uow:
            card_acts.step_back(uow, card_id=card_id)

    assert next_day(spring, "2027-04-03 01:00") == {UNKNOWN: 3}


def test_a_date_that_was_corrected_is_no_end(spring: Village) -> None:
    spring.run_until("2027-01-10 12:00")
    spring.renew(1, date(2027, 2, 28))

    assert next_day(spring, "2027-04-01 01:00") == {UNKNOWN: 3}
    assert sorted((one.month.month, one.ends) for one in counts(spring)) == [(2, 1), (3, 2)]


def test_an_end_that_was_entered_late_is_not_counted(spring: Village) -> None:
    spring.run_until("2027-04-10 12:00")
    person = spring.person("叔父", phone="090-0000-0009")
    typed = TypedDates("2027-04-02")
    with spring.app.writing() as uow:
        enrolment.add_card(uow, person_id=person, kind="passport", typed=typed, confirmed=True)

    assert next_day(spring, "2027-04-20 01:00") == {UNKNOWN: 3}


@pytest.fixture
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof_of_effect, "AT_ONCE", 1)


@pytest.mark.usefixtures("_small_pages")
def test_a_worker_that_was_killed_in_between_is_followed_by_one_that_counts_the_rest(spring: Village) -> None:
    spring.run_until("2027-03-31 23:00")
    spring.sleep_until("2027-04-02 09:00")
    with spring.app.writing() as uow:
        counted_ends.hold(uow.tx)
        first = counted_ends.new_ends(uow.tx, END, END, limit=1)
        (found,) = counted_ends.recorded(uow.tx, first, ())
        pages = proof_of_effect._counting(uow, found, {})
        counted_ends.count(uow.tx, [pages], uow.now)
    assert outcomes(spring) == {UNKNOWN: 1}

    assert count_ends(spring.app.units, spring.now, ()) == 2
    assert outcomes(spring) == {UNKNOWN: 3}
    assert count_ends(spring.app.units, spring.now, ()) == 0, "another worker has nothing left to count"


def test_days_on_which_the_worker_was_away_are_counted_when_it_is_back(spring: Village) -> None:
    spring.run_until("2027-03-20 12:00")
    spring.renew(1, RENEWED_TO)
    spring.sleep_until("2027-05-20 09:00")

    spring.pass_once()

    assert outcomes(spring) == {BEFORE: 1, UNKNOWN: 2}


def test_a_clock_that_was_ahead_keeps_no_end_from_being_counted(spring: Village) -> None:
    with spring.app.database.writing() as tx:
        heartbeats.record(tx, heartbeats.EFFECT, spring.now + timedelta(days=900))

    assert next_day(spring, "2027-04-01 01:00") == {UNKNOWN: 3}


def test_whoever_is_erased_leaves_a_number_and_no_row(spring: Village) -> None:
    next_day(spring, "2027-04-01 01:00")
    erasure.erase_person(spring.app.units, spring.now, person_id=1)
    erasure.erase_group(spring.app.units, spring.now, group_id=1)

    assert next_day(spring, "2027-05-05 01:00") == {UNKNOWN: 3}
    with spring.app.database.reading() as tx:
        assert counted_ends.counts_of_group(tx, 1, MONTH, RENEWED_TO) == []


def test_whoever_is_erased_before_their_end_was_never_counted(spring: Village) -> None:
    spring.run_until("2027-03-20 12:00")
    erasure.erase_person(spring.app.units, spring.now, person_id=1)

    assert next_day(spring, "2027-04-01 01:00") == {UNKNOWN: 2}
