"""Reminders: one for each step of a card's present end, and what became of telling it."""

from reminder.domain.model.messages import MessageState
from reminder.storage.db.tables import MessageReminder, Reminder
from reminder.storage.reminders import reminders
from reminder.storage.reminders.reminders import ReminderView, StepKey
from tests.storage.conftest import DAY, END, NOW, TODAY, Rows


def test_a_step_has_one_reminder_and_a_later_step_takes_the_place_of_an_open_one(rows: Rows) -> None:
    card = rows.card(rows.person(rows.group()))
    early, late = StepKey(card, END, "d60"), StepKey(card, END, "d30")
    (first,) = reminders.get_or_create(rows.tx, {early: TODAY}, NOW).values()

    ids = reminders.get_or_create(rows.tx, {early: TODAY, late: TODAY + DAY}, NOW)

    assert ids[early] == first
    assert reminders.get_or_create(rows.tx, {late: TODAY + DAY}, NOW) == {late: ids[late]}
    assert rows.column(Reminder.state) == ["superseded", "open"]
    assert reminders.get_or_create(rows.tx, {}, NOW) == {}


def test_a_new_end_or_an_answer_leaves_nothing_open(rows: Rows) -> None:
    group = rows.group()
    person = rows.person(group)
    renewed, done = rows.card(person), rows.card(person, "passport")
    first, second = rows.reminder(renewed), rows.reminder(done)

    reminders.settle(rows.tx, renewed)
    reminders.acknowledge(rows.tx, [renewed, done])

    listed = reminders.of_group(rows.tx, group, None)
    assert listed == [
        ReminderView(first, renewed, END, "d30", TODAY, listed[0].state),
        ReminderView(second, done, END, "d30", TODAY, listed[1].state),
    ]
    assert [one.state for one in listed] == ["settled", "acknowledged"]
    assert [one.id for one in reminders.each_of_group(rows.tx, None, "settled")] == [first]
    assert reminders.of_group(rows.tx, group + 1, None) == []


def test_a_message_is_linked_to_what_it_tells(rows: Rows) -> None:
    person = rows.person(rows.group())
    message, reminder = rows.message(rows.contact(person_id=person)), rows.reminder(rows.card(person))

    reminders.link(rows.tx, [(message, reminder)])
    reminders.link(rows.tx, [])

    assert (rows.column(MessageReminder.message_id), rows.column(MessageReminder.reminder_id)) == (
        [message],
        [reminder],
    )


def test_what_became_of_a_step_is_known_by_contact(rows: Rows) -> None:
    person = rows.person(rows.group())
    card = rows.card(person)
    told, stale, waiting = (rows.contact(person_id=person) for _ in range(3))
    rows.handed(rows.told(card, told), MessageState.DELIVERED)
    rows.handed(rows.told(card, stale), MessageState.STALE)
    rows.told(card, waiting)
    rows.handed(rows.told(card, told, "d60"), MessageState.CANCELLED)

    found = reminders.deliveries(rows.tx, [card])

    assert {
        (one.step.step, one.contact_id, one.result.reached, one.result.is_closed, one.result.times) for one in found
    } == {
        ("d30", told, True, True, 1),
        ("d30", stale, False, False, 0),
        ("d30", waiting, True, True, 1),
    }
