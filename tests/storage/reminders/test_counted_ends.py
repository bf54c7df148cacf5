"""Counted ends: each end is found once it has passed, counted once, and moved when something else is known of it."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from reminder.domain.model.card_states import END as END_MOVE
from reminder.domain.model.card_states import FINISH, RENEW, CardState, EndReason
from reminder.domain.model.end_outcomes import EndOutcome
from reminder.domain.model.messages import MessageKind, MessageState
from reminder.domain.model.people import Audience, ChannelName, GroupKind, Mode
from reminder.domain.model.promise_states import PromiseState
from reminder.domain.rules.effect import EndCount, ToldStep
from reminder.storage.db.tables import Card, CountedEnd, EffectCount, Person
from reminder.storage.maintenance import erasure
from reminder.storage.registry import card_lives, cards
from reminder.storage.reminders import counted_ends, promises, reminders
from reminder.storage.reminders.counted_ends import CardEnd, CountedView, EndCounting
from reminder.storage.reminders.promises import Closing, NewPromise
from tests.storage.conftest import DAY, HOUR, NOW, TODAY, Rows

SMS, EMAIL = ChannelName.SMS, ChannelName.EMAIL
PASSED = date(2026, 11, 20)
LATER = date(2031, 11, 20)
MONTH = date(2026, 11, 1)
ROW = CountedView(
    0, PASSED, None, "passport", GroupKind.HOUSEHOLD, Mode.ELDERLY, "d7", "sms", EndOutcome.UNKNOWN, None, None
)


def card(rows: Rows, expires_on: date = PASSED, **more: Any) -> int:
    return rows.card(rows.person(rows.group()), "passport", expires_on=expires_on, **more)


def new(rows: Rows, **more: Any) -> list[CardEnd]:
    asked: dict[str, Any] = {"first": MONTH, "last": TODAY - DAY, "limit": 10, **more}
    return counted_ends.new_ends(rows.tx, **asked)


def counted(rows: Rows, end: CardEnd, now: CountedView | None = ROW, was: CountedView | None = None) -> int:
    counted_ends.hold(rows.tx)
    (group,) = rows.column(Person.group_id, Person.id.in_(rows.column(Card.person_id, Card.id == end.card_id)))
    return counted_ends.count(rows.tx, [EndCounting(end, group, was, now)], NOW)


def sums(rows: Rows, first: date = MONTH, last: date = MONTH) -> dict[tuple[str, str, EndOutcome], int]:
    return {(one.step, one.kind, one.outcome): one.ends for one in counted_ends.counts(rows.tx, first, last)}


def recorded(rows: Rows, end: CardEnd, proving: Any = (SMS,)) -> counted_ends.RecordedEnd:
    (found,) = counted_ends.recorded(rows.tx, [end], proving)
    return found


# ── which ends are looked at ──


def test_an_end_is_new_from_its_first_day_to_the_last_until_it_is_counted(rows: Rows) -> None:
    one = card(rows)

    assert new(rows) == [CardEnd(PASSED, one)]
    assert new(rows, last=PASSED) == new(rows, first=PASSED) == [CardEnd(PASSED, one)]
    assert new(rows, last=PASSED - DAY) == new(rows, first=PASSED + DAY) == []
    counted(rows, CardEnd(PASSED, one))
    assert new(rows) == []


def test_the_old_end_of_a_renewed_card_is_found_by_what_was_done_for_it_and_once_only(rows: Rows) -> None:
    renewed, open_one = card(rows, LATER), card(rows)
    assert card_lives.move(rows.tx, renewed, PASSED, RENEW, on=PASSED, now=NOW, values={"renewed_to": LATER})
    rows.life(open_one, expires_on=PASSED)

    assert new(rows) == [CardEnd(PASSED, renewed), CardEnd(PASSED, open_one)]


def test_ends_come_in_pages_without_a_gap_and_without_one_twice(rows: Rows) -> None:
    made = sorted(CardEnd(PASSED + day * DAY, card(rows, PASSED + day * DAY)) for day in (0, 0, 1, 1, 1, 2, 3))
    for one in made[::2]:
        rows.life(one.card_id, expires_on=one.expires_on)

    found, after = list[CardEnd](), counted_ends.FIRST_END
    while page := new(rows, after=after, limit=2):
        found += page
        after = page[-1]

    assert found == made


def test_ends_without_an_answer_are_looked_at_again_and_others_are_not(rows: Rows) -> None:
    silent, renewed = CardEnd(PASSED, card(rows)), CardEnd(PASSED, card(rows))
    counted(rows, silent)
    counted(rows, renewed, replace(ROW, outcome=EndOutcome.BEFORE))

    assert counted_ends.unanswered_ends(rows.tx, MONTH, TODAY, limit=9) == [silent]
    assert counted_ends.unanswered_ends(rows.tx, MONTH, TODAY, after=silent, limit=9) == []
    assert counted_ends.unanswered_ends(rows.tx, MONTH, PASSED - DAY, limit=9) == []


def test_ends_for_which_somebody_has_acted_come_in_the_order_of_the_acts(rows: Rows) -> None:
    acted = [card(rows) for _ in range(3)]
    for one in acted[1:]:
        rows.life(one, expires_on=PASSED)
    rows.life(acted[0], expires_on=PASSED)
    rows.life(card(rows, LATER), expires_on=LATER)

    found = counted_ends.acted_ends(rows.tx, NOW, TODAY, limit=9)

    assert [one.end.card_id for one in found] == [acted[1], acted[2], acted[0]]
    assert counted_ends.acted_ends(rows.tx, NOW + HOUR, TODAY, limit=9) == []
    rest = counted_ends.acted_ends(rows.tx, NOW, TODAY, after_life=found[0].life_id, limit=9)
    assert rest == found[1:]
    assert counted_ends.acted_ends(rows.tx, NOW, TODAY, limit=1) == found[:1]


# ── what is recorded ──


def test_of_an_end_without_any_act_only_the_card_is_known(rows: Rows) -> None:
    group = rows.group(kind=GroupKind.HOME)
    person = rows.person(group, mode=Mode.HOME)
    carrier = rows.card(person, "mynumber_card", expires_on=LATER)
    one = rows.card(person, "mynumber_user_certificate", expires_on=PASSED, carried_by=carrier)

    found = recorded(rows, CardEnd(PASSED, one))

    assert (found.group_id, found.group_kind, found.mode, found.insurance) == (group, "home", "home", True)
    assert (found.kind, found.carrier_ends_on, found.registered_on) == ("mynumber_user_certificate", LATER, TODAY)
    assert (found.state, found.since, found.said_done_on, found.told, found.counted) == (None, None, None, (), None)
    assert counted_ends.recorded(rows.tx, [CardEnd(PASSED, 999)], ()) == []


def test_what_was_done_for_an_end_stays_known_once_the_card_has_another(rows: Rows) -> None:
    one = card(rows)
    assert card_lives.move(rows.tx, one, PASSED, FINISH, on=PASSED, now=NOW)
    cards.acknowledge(rows.tx, [one], PASSED)
    assert recorded(rows, CardEnd(PASSED, one)).said_done_on == PASSED
    before = {"acknowledged_on": PASSED.isoformat()}
    values = {"renewed_to": LATER}
    assert card_lives.move(rows.tx, one, PASSED, RENEW, on=TODAY, now=NOW, values=values, before=before)
    cards.renew(rows.tx, one, expires_on=LATER, is_computed=False, next_on=None, now=NOW)

    old, present = recorded(rows, CardEnd(PASSED, one)), recorded(rows, CardEnd(LATER, one))

    assert (old.state, old.since, old.said_done_on, old.renewed_to) == (CardState.RENEWED, TODAY, PASSED, LATER)
    assert (present.state, present.said_done_on, present.registered_on) == (None, None, TODAY)


def test_why_a_card_is_needed_no_more_is_known_also_where_the_version_before_has_retired_it(rows: Rows) -> None:
    died, retired = card(rows), card(rows)
    assert card_lives.move(rows.tx, died, PASSED, END_MOVE, on=PASSED, now=NOW, values={"reason": EndReason.DIED})
    cards.retire(rows.tx, retired, NOW)

    assert recorded(rows, CardEnd(PASSED, died)).reason is EndReason.DIED
    found = recorded(rows, CardEnd(PASSED, retired))
    assert (found.state, found.since, found.reason) == (CardState.ENDED, TODAY, None)


def tell(rows: Rows, card_id: int, step: str, state: PromiseState, day: date = PASSED, **more: Any) -> int:
    reminder = rows.reminder(card_id, step, expires_on=PASSED)
    made = NewPromise(reminder, "person", Audience.PERSON, day, NOW, NOW + HOUR, NOW + HOUR, **{"channel": SMS, **more})
    assert promises.add(rows.tx, [made], NOW) == 1
    open_ones = {one.reminder_id: one.id for one in promises.to_check(rows.tx, NOW + HOUR, 99)}
    if state is not PromiseState.OPEN:
        assert promises.close(rows.tx, {open_ones[reminder]: Closing(state)}, NOW) == 1
    return reminder


@pytest.mark.parametrize("state", PromiseState)
def test_a_step_counts_as_told_only_where_its_human_was_told(rows: Rows, state: PromiseState) -> None:
    one = card(rows)
    tell(rows, one, "d7", state)

    found = recorded(rows, CardEnd(PASSED, one)).told

    if state is PromiseState.PROVEN:
        assert found == [ToldStep("d7", PASSED, Audience.PERSON, "sms")]
    elif state is PromiseState.OTHER_WAY:
        assert found == [ToldStep("d7", PASSED, Audience.PERSON, "")], "the message that told it is gone"
    else:
        assert found == ()


def test_what_was_told_another_way_has_the_channel_of_the_message_that_arrived(rows: Rows) -> None:
    one = card(rows)
    (person,) = rows.column(Card.person_id)
    reminder = tell(rows, one, "d7", PromiseState.OTHER_WAY)
    for channel, state in ((SMS, MessageState.UNDELIVERED), (EMAIL, MessageState.ACCEPTED)):
        address = "hito@example.jp" if channel is EMAIL else None
        contact = rows.contact(person_id=person, channel=channel, address=address)
        told = rows.handed(rows.message(contact, kind=MessageKind.REMINDER, channel=channel), state)
        reminders.link(rows.tx, [(told, reminder)])

    assert [step.channel for step in recorded(rows, CardEnd(PASSED, one)).told] == ["email"]


def test_a_promise_of_the_version_before_has_no_channel_and_other_ends_have_other_steps(rows: Rows) -> None:
    one = card(rows)
    tell(rows, one, "d30", PromiseState.PROVEN, channel=None)
    other = rows.reminder(one, "d7", expires_on=LATER)
    promises.add(rows.tx, [NewPromise(other, "person", Audience.PERSON, TODAY, NOW, NOW, NOW, SMS)], NOW)

    assert [(step.step, step.channel) for step in recorded(rows, CardEnd(PASSED, one)).told] == [("d30", "")]


# ── what is counted ──


def test_an_end_that_is_counted_twice_is_counted_once_and_a_change_moves_it(rows: Rows) -> None:
    end = CardEnd(PASSED, card(rows))
    assert counted(rows, end) == 1
    first = recorded(rows, end).counted
    assert first is not None

    assert counted(rows, end, first, first) == 0
    assert sums(rows) == {("d7", "passport", EndOutcome.UNKNOWN): 1}
    late = replace(first, outcome=EndOutcome.IN_GRACE, step="g30", acted_on=TODAY)
    assert counted(rows, end, late, first) == 1
    assert sums(rows) == {("g30", "passport", EndOutcome.IN_GRACE): 1}
    assert recorded(rows, end).counted == late
    ended = replace(late, outcome=EndOutcome.ENDED, reason=EndReason.DIED)
    assert counted(rows, end, ended, late) == 1
    (found,) = counted_ends.counts(rows.tx, MONTH, MONTH)
    assert (found.reason, found.ends) == ("died", 1)


def test_what_turns_out_to_be_no_end_is_counted_no_more(rows: Rows) -> None:
    end, other = CardEnd(PASSED, card(rows)), CardEnd(PASSED, card(rows))
    counted(rows, end)
    counted(rows, other)

    assert counted(rows, end, None, recorded(rows, end).counted) == 1
    assert counted(rows, end, None, None) == 0

    assert sums(rows) == {("d7", "passport", EndOutcome.UNKNOWN): 1}
    assert recorded(rows, end).counted is None


def test_ends_of_one_sort_are_one_number_and_months_are_told_apart(rows: Rows) -> None:
    for day in (PASSED, PASSED + DAY, PASSED - 30 * DAY):
        counted(rows, CardEnd(day, card(rows, day)))

    assert list(sums(rows).values()) == [2]
    assert sum(one.ends for one in counted_ends.counts(rows.tx, date(2026, 10, 1), MONTH)) == 3
    assert counted_ends.counts(rows.tx, LATER, LATER) == []


def test_a_group_has_the_numbers_of_its_own_cards(rows: Rows) -> None:
    end = CardEnd(PASSED, card(rows))
    counted(rows, end)
    other = rows.group("山田家")

    mine = EndCount(MONTH, "passport", GroupKind.HOUSEHOLD, Mode.ELDERLY, "d7", "sms", EndOutcome.UNKNOWN, "", 1)
    assert counted_ends.counts_of_group(rows.tx, 1, PASSED, PASSED) == [mine]
    assert counted_ends.counts_of_group(rows.tx, other, PASSED, PASSED) == []
    assert counted_ends.counts_of_group(rows.tx, 1, PASSED + DAY, TODAY) == []


@pytest.mark.parametrize("erased", ["card", "person", "group"])
def test_what_is_erased_leaves_no_row_and_the_number_stays(rows: Rows, erased: str) -> None:
    end = CardEnd(PASSED, card(rows))
    counted(rows, end)
    (person,) = rows.column(Card.person_id)

    getattr(erasure, erased)(rows.tx, {"card": end.card_id, "person": person, "group": 1}[erased])

    assert rows.column(CountedEnd.id) == []
    assert sums(rows) == {("d7", "passport", EndOutcome.UNKNOWN): 1}
    assert not {column.name for column in EffectCount.__table__.columns} & {"id", "card_id", "group_id", "person_id"}


def test_the_database_refuses_a_second_row_for_one_end(rows: Rows) -> None:
    end = CardEnd(PASSED, card(rows))
    counted(rows, end)

    with pytest.raises(IntegrityError), rows.tx.begin_nested():
        counted(rows, end)
