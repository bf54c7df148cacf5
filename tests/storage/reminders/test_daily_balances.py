"""Daily balances: a day's promises by what became of them; what is due is the sum of it, whatever has happened."""

from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from reminder.domain.model.messages import MessageKind, MessageState
from reminder.domain.model.people import Audience, ChannelName
from reminder.domain.model.promise_states import PromiseState
from reminder.domain.rules.evening_balance import DayBalance, Fate
from reminder.storage.db.tables import Reminder
from reminder.storage.reminders import daily_balances, promises, reminders
from reminder.storage.reminders.promises import Closing, NewPromise
from tests.storage.conftest import DAY, HOUR, NOW, TODAY, Rows

SMS, EMAIL = ChannelName.SMS, ChannelName.EMAIL
YESTERDAY = TODAY - timedelta(days=1)


def promised(rows: Rows, state: PromiseState, message: MessageState, channel: ChannelName = SMS, **more: Any) -> int:
    """The promise of one step to a person of their own, with one message; return the person."""
    person = rows.person(rows.group())
    address = "hito@example.jp" if channel is EMAIL else None
    contact, card = rows.contact(person_id=person, channel=channel, address=address), rows.card(person)
    reminder = rows.reminder(card)
    told = rows.message(contact, kind=MessageKind.REMINDER, channel=channel)
    reminders.link(rows.tx, [(told, reminder)])
    if message is not MessageState.QUEUED:
        rows.handed(told, message)
    made = NewPromise(
        reminder, "person", Audience.PERSON, **{"day": TODAY, **more}, due_at=NOW, ends_at=NOW + 8 * HOUR,
        check_at=NOW + HOUR, channel=channel,
    )  # fmt: skip
    assert promises.add(rows.tx, [made], NOW) == 1
    if state is not PromiseState.OPEN:
        (found,) = [one for one in promises.to_check(rows.tx, NOW + HOUR, 99) if one.reminder_id == reminder]
        promises.close(rows.tx, {found.id: Closing(state)}, NOW)
    return person


def counted(rows: Rows, **more: Any) -> dict[str, DayBalance]:
    asked: dict[str, Any] = {"channels": (), "proving": [SMS], **more}
    return {one.channel: one for one in daily_balances.count(rows.tx, TODAY, **asked)}


def test_a_day_without_promises_has_a_row_for_each_channel_in_use(rows: Rows) -> None:
    assert counted(rows, channels=[SMS, EMAIL]) == {
        "sms": DayBalance(TODAY, "sms"),
        "email": DayBalance(TODAY, "email"),
    }


def test_whatever_has_happened_what_was_due_is_the_sum_of_what_became_of_it(rows: Rows) -> None:
    every = list(product(PromiseState, MessageState, (SMS, EMAIL)))
    for state, message, channel in every:
        promised(rows, state, message, channel)

    found = counted(rows)

    for one in found.values():
        assert one.due == sum(getattr(one, fate) for fate in Fate)
        assert one.due == one.people == len(MessageState) * (len(PromiseState) - 1)
        assert one.to_human == 3 * len(MessageState)
        assert one.other_way == len(MessageState)
    texts, mails = found["sms"], found["email"]
    assert (texts.arrived, texts.not_known, texts.open) == (10, 3, 5)
    assert (mails.arrived, mails.not_known, mails.open) == (11, 2, 5), "a mail that was accepted is proof"
    daily_balances.replace(rows.tx, TODAY, found.values(), is_final=False, now=NOW)


def test_the_message_to_another_human_is_no_proof(rows: Rows) -> None:
    person = promised(rows, PromiseState.OPEN, MessageState.QUEUED)
    (reminder,) = rows.column(Reminder.id)
    relative = rows.contact(person_id=person, is_family=True)
    copy = rows.message(relative, kind=MessageKind.COPY, audience=Audience.CARER)
    reminders.link(rows.tx, [(copy, reminder)])
    rows.handed(copy, MessageState.DELIVERED)

    assert (counted(rows)["sms"].open, counted(rows)["sms"].arrived) == (1, 0)


def test_one_person_with_two_cards_is_one_person_and_two_promises(rows: Rows) -> None:
    person = promised(rows, PromiseState.PROVEN, MessageState.DELIVERED)
    other = rows.reminder(rows.card(person, "passport"))
    made = NewPromise(other, "person", Audience.PERSON, TODAY, NOW, NOW + HOUR, NOW + HOUR, SMS)
    promises.add(rows.tx, [made], NOW)

    assert (counted(rows)["sms"].people, counted(rows)["sms"].due) == (1, 2)


def test_the_promises_of_other_days_and_login_codes_are_not_counted(rows: Rows) -> None:
    promised(rows, PromiseState.OPEN, MessageState.ACCEPTED, day=YESTERDAY)
    code = rows.message(
        None, kind=MessageKind.LOGIN_CODE, address="hana@example.jp", channel=EMAIL, audience=Audience.CARER
    )
    rows.handed(code)

    assert counted(rows) == {"sms": DayBalance(TODAY, "sms", messages=1)}


def test_a_promise_of_the_version_before_has_no_channel(rows: Rows) -> None:
    card = rows.card(rows.person(rows.group()))
    made = NewPromise(rows.reminder(card), "person", Audience.PERSON, TODAY, NOW, NOW + HOUR, NOW + HOUR)
    promises.add(rows.tx, [made], NOW)

    assert counted(rows) == {"": DayBalance(TODAY, "", people=1, due=1, open=1)}


def test_a_day_that_is_counted_again_has_the_rows_of_the_last_count(rows: Rows) -> None:
    first = [DayBalance(TODAY, "sms", due=1, open=1), DayBalance(TODAY, "email")]
    last = [DayBalance(TODAY, "sms", due=1, arrived=1)]
    of_yesterday = DayBalance(YESTERDAY, "sms", due=2, to_human=2)

    for some in (first, last, last):
        daily_balances.replace(rows.tx, TODAY, some, is_final=False, now=NOW)
    daily_balances.replace(rows.tx, YESTERDAY, [of_yesterday], is_final=True, now=NOW)
    daily_balances.replace(rows.tx, TODAY - 2 * DAY, [], is_final=True, now=NOW)

    assert daily_balances.between(rows.tx, YESTERDAY, TODAY) == [of_yesterday, *last]
    assert daily_balances.between(rows.tx, YESTERDAY, YESTERDAY) == [of_yesterday]
    assert daily_balances.latest(rows.tx) == last


@pytest.mark.parametrize("fate", Fate)
def test_the_database_refuses_a_balance_that_does_not_add_up(rows: Rows, fate: Fate) -> None:
    wrong = DayBalance(TODAY, "sms", **{"due": 2, fate: 1})

    with pytest.raises(IntegrityError), rows.tx.begin_nested():
        daily_balances.replace(rows.tx, TODAY, [wrong], is_final=False, now=NOW)


def test_every_day_since_the_first_promise_that_was_not_counted_is_missing(rows: Rows) -> None:
    assert daily_balances.missing_days(rows.tx, TODAY) == []
    promised(rows, PromiseState.OPEN, MessageState.QUEUED, day=TODAY - 3 * DAY)

    assert daily_balances.missing_days(rows.tx, TODAY - 4 * DAY) == []
    daily_balances.replace(rows.tx, YESTERDAY, [DayBalance(YESTERDAY, "sms")], is_final=False, now=NOW)
    assert daily_balances.missing_days(rows.tx, TODAY) == [TODAY - 3 * DAY, TODAY - 2 * DAY, TODAY]
    assert len(daily_balances.missing_days(rows.tx, TODAY + 900 * DAY)) == 401


def test_what_was_open_is_counted_again_an_hour_later_for_a_week(rows: Rows) -> None:
    def unsettled(later: timedelta, last: Any = TODAY) -> list[Any]:
        return daily_balances.unsettled_days(rows.tx, last, NOW + later)

    daily_balances.replace(
        rows.tx, TODAY, [DayBalance(TODAY, "sms"), DayBalance(TODAY, "email")], is_final=False, now=NOW
    )
    daily_balances.replace(rows.tx, YESTERDAY, [DayBalance(YESTERDAY, "sms")], is_final=True, now=NOW)

    assert unsettled(HOUR / 2) == []
    assert unsettled(HOUR) == [TODAY]
    assert unsettled(-2 * HOUR) == [TODAY], "a clock that was ahead has counted it"
    assert unsettled(HOUR, YESTERDAY) == []
    assert unsettled(HOUR, TODAY + 7 * DAY) == [TODAY]
    assert unsettled(HOUR, TODAY + 8 * DAY) == []
