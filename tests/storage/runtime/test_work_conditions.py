"""Conditions: each holds while its job has something to do, and all are asked for at once."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import event, exists

from reminder.domain.model.messages import MessageState
from reminder.domain.model.notices import NoticeKind
from reminder.domain.model.people import ChannelName
from reminder.domain.parsing.replies import Intent
from reminder.domain.rules.evening_balance import DayBalance
from reminder.domain.rules.sending_limits import HoldReason
from reminder.guard import outgoing
from reminder.storage.db.tables import Card, Promise
from reminder.storage.outbox import group_limits, receipts
from reminder.storage.reminders import daily_balances, notices, replies, unclear_replies
from reminder.storage.runtime import heartbeats, service_state, work_conditions
from reminder.storage.runtime.work_conditions import WorkCondition
from reminder.worker.jobs import JOBS, conditions_of
from tests.storage.conftest import DAY, HOUR, NOW, TODAY, Rows

ALL = conditions_of(JOBS)


def holding(rows: Rows, now: timedelta = timedelta(0)) -> set[str]:
    return {condition.name for condition in work_conditions.work_due(rows.tx, ALL, NOW + now)}


@pytest.fixture
def idle(rows: Rows) -> Rows:
    """What is done once a day or once a week has been done."""
    once = (heartbeats.VERIFICATION, heartbeats.RETENTION, heartbeats.DIGEST, heartbeats.BALANCE, heartbeats.EFFECT)
    for name in once:
        heartbeats.record(rows.tx, name, NOW)
    service_state.replace(rows.tx, work_conditions.WORDS_CHECKED, outgoing.version())
    assert holding(rows) == set()
    return rows


def phone_of(rows: Rows) -> int:
    return rows.contact(person_id=rows.person(rows.group()))


def receipt(rows: Rows) -> None:
    receipts.keep(rows.tx, provider_id="SM1", status="sent", error_code=None, message_id=None, now=NOW)


def lease_that_ends(rows: Rows) -> None:
    rows.handed(rows.message(phone_of(rows)), MessageState.UNKNOWN, lease_until=NOW)


def failure(rows: Rows) -> None:
    rows.handed(rows.message(phone_of(rows)), MessageState.FAILED)


def reply(rows: Rows) -> None:
    phone = phone_of(rows)
    replies.keep(rows.tx, rows.keys, contact_id=phone, provider_id="SM2", intent=Intent.DONE, text="済", now=NOW)


def unclear_reply(rows: Rows) -> None:
    unclear_replies.keep(
        rows.tx,
        rows.keys,
        provider_id="SM3",
        intent=Intent.DONE,
        text="済",
        choices={1: phone_of(rows)},
        now=NOW,
        expires_at=NOW,
    )


def reminder(rows: Rows) -> None:
    rows.card(rows.person(rows.group()), next_reminder_on=TODAY)


def silence(rows: Rows) -> None:
    rows.change(Card, rows.card(rows.person(rows.group())), escalate_on=TODAY)


def limit_of_a_group(rows: Rows) -> None:
    group_limits.hold(rows.tx, ChannelName.SMS, rows.group(), HoldReason.DAILY_CAP, now=NOW, until=NOW + DAY)


def notice(rows: Rows) -> None:
    person = rows.person(rows.group())
    notices.add(rows.tx, NoticeKind.STOPPED, person_id=person, card_id=rows.card(person), now=NOW)


def pass_of_a_wrong_clock(rows: Rows) -> None:
    heartbeats.record(rows.tx, heartbeats.PASS, NOW + timedelta(minutes=3))


def evening_that_was_not_counted(rows: Rows) -> None:
    yesterday = TODAY - DAY
    promise = rows.promise(rows.reminder(rows.card(rows.person(rows.group()))), day=yesterday)
    rows.change(Promise, promise, check_at=NOW + HOUR)


def name_that_names_nothing(rows: Rows) -> None:
    service_state.replace(rows.tx, work_conditions.STRAY_REFERENCE_IN, "9 1796086800")


def evening_with_something_open(rows: Rows) -> None:
    counted = [DayBalance(TODAY - DAY, "sms", due=1, open=1)]
    daily_balances.replace(rows.tx, TODAY - DAY, counted, is_final=False, now=NOW - HOUR)


@pytest.mark.parametrize(
    ("happens", "name"),
    [
        (receipt, "receipt_waits"),
        (name_that_names_nothing, "stray_reference"),
        (lease_that_ends, "lease_expired"),
        (failure, "failure_unreported"),
        (reply, "reply_waits"),
        (unclear_reply, "unclear_reply_due"),
        (reminder, "reminder_due"),
        (silence, "escalation_due"),
        (notice, "notice_waits"),
        (limit_of_a_group, "group_hold_untold"),
        (pass_of_a_wrong_clock, "pass_in_future"),
        (evening_that_was_not_counted, "balance_missing"),
        (evening_with_something_open, "balance_unsettled"),
    ],
)
def test_what_waits_makes_its_own_condition_hold_and_no_other(
    idle: Rows, happens: Callable[[Rows], None], name: str
) -> None:
    happens(idle)

    assert holding(idle) == {name}


@pytest.mark.parametrize(
    ("happens", "name"),
    [(lease_that_ends, "lease_expired"), (reminder, "reminder_due"), (silence, "escalation_due")],
)
def test_what_has_a_moment_is_not_due_before_it(idle: Rows, happens: Callable[[Rows], None], name: str) -> None:
    happens(idle)

    assert name not in holding(idle, -DAY)


@pytest.mark.parametrize(
    ("later", "names"),
    [
        (16 * HOUR - timedelta(seconds=1), set()),  # 23:59:59 of the same day in Japan
        (16 * HOUR, {"retention_due", "effect_due"}),
        (6 * DAY - 8 * HOUR - timedelta(seconds=1), {"retention_due", "effect_due"}),  # Sunday, 23:59:59
        (6 * DAY - 8 * HOUR, {"retention_due", "effect_due", "verification_due", "digest_missing", "balance_unsent"}),
    ],
)
def test_what_is_done_once_a_day_or_a_week_is_due_from_the_first_moment_of_the_next_in_japan(
    idle: Rows, later: timedelta, names: set[str]
) -> None:
    assert holding(idle, later) == names


def test_what_was_never_done_is_due(rows: Rows) -> None:
    once = {"verification_due", "retention_due", "effect_due", "digest_missing", "balance_unsent", "words_unchecked"}
    assert holding(rows) == once


def test_what_a_clock_that_was_ahead_has_counted_does_not_keep_the_next_day_from_being_counted(idle: Rows) -> None:
    heartbeats.record(idle.tx, heartbeats.EFFECT, NOW + 40 * DAY)

    assert holding(idle) == {"effect_due"}


def test_an_evening_is_counted_once_its_hour_has_come_and_never_before_the_first_promise(idle: Rows) -> None:
    def is_due(at: timedelta) -> bool:
        return "balance_missing" in holding(idle, at)

    assert not is_due(30 * DAY)
    idle.promise(idle.reminder(idle.card(idle.person(idle.group()))))
    assert [is_due(at) for at in (-DAY, 11 * HOUR - timedelta(seconds=1), 11 * HOUR)] == [False, False, True]
    daily_balances.replace(idle.tx, TODAY, [DayBalance(TODAY, "sms")], is_final=True, now=NOW + 11 * HOUR)
    assert [is_due(at) for at in (11 * HOUR, DAY + 11 * HOUR)] == [False, True]


def test_words_are_unchecked_until_all_have_been_checked_by_the_rules_in_force(idle: Rows) -> None:
    for value in ("", "0-before", f"{outgoing.version()}:7"):
        service_state.replace(idle.tx, work_conditions.WORDS_CHECKED, value)
        assert holding(idle) == {"words_unchecked"}, value


def test_only_conditions_that_were_asked_for_are_answered_whichever_parameters_they_use(rows: Rows) -> None:
    own = WorkCondition("any_card", exists().where(Card.id.is_not(None)))
    assert work_conditions.work_due(rows.tx, (), NOW) == frozenset()

    assert work_conditions.work_due(rows.tx, (own, work_conditions.RECEIPT_WAITS), NOW) == frozenset()
    reminder(rows)
    receipt(rows)

    assert work_conditions.work_due(rows.tx, (own,), NOW) == {own}
    assert work_conditions.work_due(rows.tx, (work_conditions.RETENTION_DUE, own), NOW) == {
        own,
        work_conditions.RETENTION_DUE,
    }


def test_all_conditions_are_asked_for_in_one_statement(rows: Rows) -> None:
    asked: list[str] = []
    connection = rows.tx.connection()
    event.listen(connection, "before_cursor_execute", lambda *given: asked.append(given[2]))

    holding(rows)

    assert len(asked) == 1
