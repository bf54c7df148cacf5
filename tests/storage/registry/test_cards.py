"""Cards: the days on which they are looked at, and what was said of their present end."""

from dataclasses import replace
from datetime import date
from typing import Any

from reminder.domain.model.people import GroupKind
from reminder.storage.db.tables import Card
from reminder.storage.registry import cards
from tests.storage.conftest import DAY, END, NOW, TODAY, Rows


def row(person: int, kind: str) -> dict[str, Any]:
    values = {"person_id": person, "kind": kind, "label": "", "expires_on": END, "is_computed": False}
    return {**values, "carried_by": None, "next_reminder_on": TODAY, "created_at": NOW}


def test_a_card_is_found_as_it_was_added(rows: Rows) -> None:
    person = rows.person(rows.group())
    (added,) = cards.add_all(rows.tx, [row(person, "other") | {"label": "老人パス", "is_computed": True}])

    found = cards.find(rows.tx, added)

    assert found is not None
    assert (found.person_id, found.kind, found.label, found.expires_on) == (person, "other", "老人パス", END)
    assert (found.is_computed, found.next_reminder_on, found.escalation_level) == (True, TODAY, 0)
    assert cards.find(rows.tx, added + 1) is None


def test_when_each_card_of_a_group_was_added_is_known_by_its_id(rows: Rows) -> None:
    group = rows.group()
    first, second = (rows.card(rows.person(group), created_at=at) for at in (NOW, NOW + DAY))
    rows.card(rows.person(rows.group()))

    cards.renew(rows.tx, second, expires_on=END + DAY, is_computed=False, next_on=TODAY, now=NOW + 2 * DAY)
    cards.acknowledge(rows.tx, [second], TODAY)
    cards.reopen(rows.tx, second, TODAY)

    assert cards.revisions(rows.tx, group) == {first: (NOW, NOW, 0), second: (NOW + DAY, NOW + 2 * DAY, 3)}


def test_many_cards_are_added_at_once_and_their_ids_are_in_the_order_of_the_rows(rows: Rows) -> None:
    person = rows.person(rows.group())

    added = cards.add_all(rows.tx, [row(person, "passport"), row(person, "driving_licence")])

    assert [cards.find(rows.tx, one).kind for one in added] == ["passport", "driving_licence"]  # type: ignore[union-attr]
    assert cards.add_all(rows.tx, []) == []


def test_cards_are_inserted_with_the_ids_that_were_reserved_for_them(rows: Rows) -> None:
    person = rows.person(rows.group())
    model = cards.find(rows.tx, rows.card(person))
    assert model is not None

    first, second = cards.reserve_ids(rows.tx, 2)
    carrier = replace(model, id=first, kind="passport")
    cards.insert_all(rows.tx, [carrier, replace(model, id=second, kind="driving_licence", carried_by=first)], NOW)

    assert cards.find(rows.tx, first) == carrier
    current = cards.current_of_person(rows.tx, person)
    assert [one.carried_by for one in current] == [None, None, first]
    assert cards.every_current_of_people(rows.tx, [person]) == {person: current}
    assert cards.reserve_ids(rows.tx, 0) == []


def test_current_cards_are_those_that_are_not_retired_and_lists_have_both(rows: Rows) -> None:
    group = rows.group()
    person, other = rows.person(group), rows.person(group, "母")
    kept, retired, hers = rows.card(person), rows.card(person, "passport"), rows.card(other)
    elsewhere = rows.card(rows.person(rows.group("鈴木家")))
    cards.retire(rows.tx, retired, NOW)

    assert [one.id for one in cards.current_of_person(rows.tx, person)] == [kept]
    assert [one.id for one in cards.some_of_person(rows.tx, person, after=0, limit=9)] == [kept, retired]
    assert [one.id for one in cards.some_of_person(rows.tx, person, after=kept, limit=9)] == [retired]
    assert [one.id for one in cards.of_group(rows.tx, group)] == [kept, retired, hers]
    assert [one.id for one in cards.each_of_group(rows.tx, None)] == [kept, retired, hers, elsewhere]
    by_kind = cards.current_of_people(rows.tx, [person, other])
    assert {of: [*kinds] for of, kinds in by_kind.items()} == {person: ["mynumber_card"], other: ["mynumber_card"]}
    assert cards.ends_of_people(rows.tx, [person]) == {person: {"mynumber_card": END}}
    assert cards.ends_of(rows.tx, [kept, retired]) == {kept: END}


def test_cards_that_end_within_some_days_come_the_soonest_first_and_page_by_page(rows: Rows) -> None:
    group = rows.group()
    person = rows.person(group)
    late, soon = rows.card(person, expires_on=END), rows.card(person, "passport", expires_on=END - DAY)
    rows.card(person, "driving_licence", expires_on=END + DAY)

    first = cards.ending(rows.tx, group, TODAY, END, limit=1)
    second = cards.ending(rows.tx, group, TODAY, END, after=(END - DAY, soon), limit=9)

    assert ([one.id for one in first], [one.id for one in second]) == ([soon], [late])


def test_the_current_cards_of_a_group_are_listed_without_their_details(rows: Rows) -> None:
    group = rows.group()
    first, retired = rows.card(rows.person(group)), rows.card(rows.person(group), "passport", retired_at=NOW)
    rows.card(rows.person(rows.group()))
    rows.change(Card, first, acknowledged_on=TODAY, escalation_level=2)

    (found,) = cards.brief_of_group(rows.tx, group)

    assert retired != found.id == first
    assert (found.kind, found.expires_on, found.acknowledged_on) == ("mynumber_card", END, TODAY)
    assert (found.escalation_level, found.carried_by) == (2, None)


def test_a_card_is_taken_by_one_human_for_one_end_and_can_be_given_back(rows: Rows) -> None:
    group = rows.group()
    person = rows.person(group)
    card, phone, other = rows.card(person), rows.contact(person_id=person), rows.contact(person_id=person)

    assert cards.assign(rows.tx, card, END, phone, TODAY)
    assert not cards.assign(rows.tx, card, END, other, TODAY)
    assert cards.assigned_to(rows.tx, card, END) == phone
    assert cards.assigned_to(rows.tx, card, END + DAY) is None
    assert cards.assignees(rows.tx, [card]) == {card: phone}
    with_takers = [(one.id, taker) for one, taker in cards.current_with_assignees(rows.tx, group)]
    assert with_takers == [(card, phone)]
    assert cards.current_with_assignees(rows.tx, group, [person + 1]) == []
    assert cards.assigned_of_group(rows.tx, group) == {card}
    assert cards.assigned_of_group(rows.tx, group + 1) == set()

    cards.unassign(rows.tx, card)

    assert cards.assignees(rows.tx, [card]) == {}


def test_a_new_end_clears_what_was_said_of_the_old_one(rows: Rows) -> None:
    card = rows.card(rows.person(rows.group()))
    rows.change(Card, card, acknowledged_on=TODAY, escalation_level=2, escalate_on=TODAY, remind_on=TODAY)

    cards.renew(rows.tx, card, expires_on=date(2032, 3, 31), is_computed=True, next_on=TODAY, now=NOW)

    found = cards.find(rows.tx, card)
    assert found is not None
    assert (found.expires_on, found.renewed_at, found.acknowledged_on, found.escalation_level) == (
        date(2032, 3, 31),
        NOW,
        None,
        0,
    )
    assert cards.next_silence_on(rows.tx) is None


def test_groups_with_a_card_to_look_at_come_the_longest_waiting_first(rows: Rows) -> None:
    first, second = rows.group(), rows.group("ひまわり苑", GroupKind.HOME)
    late = rows.card(rows.person(first), next_reminder_on=TODAY)
    soon = rows.card(rows.person(second), next_reminder_on=TODAY - DAY)
    rows.change(Card, late, escalate_on=TODAY)

    assert cards.groups_due(rows.tx, TODAY, limit=1) == [second]
    assert sorted(cards.groups_due(rows.tx, TODAY, limit=9)) == [first, second]
    assert cards.groups_due(rows.tx, TODAY, limit=9, but_not=[second]) == [first]
    assert cards.groups_silent(rows.tx, TODAY, limit=9) == [first]
    assert cards.groups_silent(rows.tx, TODAY - DAY, limit=9) == []
    assert [one.id for one in cards.due(rows.tx, [first, second], TODAY - DAY)] == [soon]
    assert [one.id for one in cards.silent(rows.tx, [first, second], TODAY)] == [late]
    assert cards.due_ids(rows.tx, [first, second], TODAY) == [late, soon]
    assert cards.silent_ids(rows.tx, [first, second], TODAY) == [late]
    assert cards.groups_due(rows.tx, TODAY, limit=9, aside=[soon]) == [first]
    assert cards.groups_silent(rows.tx, TODAY, limit=9, aside=[late]) == []
    assert [one.id for one in cards.due(rows.tx, [first, second], TODAY, aside=[soon])] == [late]
    assert [one.id for one in cards.due(rows.tx, [], TODAY, only=soon)] == [soon]
    assert cards.silent(rows.tx, [first], TODAY, aside=[late]) == cards.silent(rows.tx, [first], TODAY, only=soon) == []
    assert cards.next_due_on(rows.tx) == TODAY - DAY
    assert cards.next_silence_on(rows.tx) == TODAY


def test_a_card_to_look_at_comes_with_its_person_its_carrier_and_what_was_said(rows: Rows) -> None:
    group = rows.group()
    person = rows.person(group)
    carrier, carried = rows.card(person), rows.card(person, "mynumber_user_certificate", expires_on=END + DAY)
    phone = rows.contact(person_id=person)
    cards.carry(rows.tx, carrier, [carried])
    cards.assign(rows.tx, carried, END + DAY, phone, TODAY)

    (found,) = cards.as_due(rows.tx, [carried])

    assert (found.carrier_ends_on, found.person.id) == (END, person)
    assert (found.progress.assigned_on, found.progress.assigned_to) == (TODAY, phone)
    assert [one.id for one in cards.of_group_as_due(rows.tx, group)] == [carrier, carried]
    assert cards.as_due(rows.tx, [carried + 1]) == []


def test_the_next_days_are_set_card_by_card(rows: Rows) -> None:
    person = rows.person(rows.group())
    first, second = rows.card(person), rows.card(person, "passport", next_reminder_on=TODAY)

    cards.set_next(rows.tx, {first: TODAY, second: None})
    cards.set_next(rows.tx, {})

    assert rows.column(Card.next_reminder_on) == [TODAY, None]


def test_the_own_days_of_a_card_are_kept_until_it_has_none_and_those_of_a_retired_one_stay(rows: Rows) -> None:
    person = rows.person(rows.group())
    card, retired = rows.card(person), rows.card(person, "passport")
    cards.retire(rows.tx, retired, NOW)

    for one in (card, retired):
        cards.set_own_days(rows.tx, one, "60 30 7")

    assert [one.own_days for one in cards.of_group(rows.tx, None)] == ["60 30 7", ""]
    assert rows.column(Card.revision) == [1, 0]
    cards.set_own_days(rows.tx, card, "")
    assert [one.own_days for one in cards.current_of_person(rows.tx, person)] == [""]


def test_a_card_said_to_be_done_waits_for_nobody_until_somebody_says_that_it_is_not(rows: Rows) -> None:
    card = rows.card(rows.person(rows.group()))
    rows.change(Card, card, remind_on=TODAY, escalate_on=TODAY)

    cards.acknowledge(rows.tx, [card], TODAY)

    assert (rows.one(Card.acknowledged_on, card), rows.one(Card.remind_on, card)) == (TODAY, None)
    assert cards.next_silence_on(rows.tx) is None
    cards.remind_again(rows.tx, [card], TODAY + DAY)
    assert rows.one(Card.remind_on, card) is None

    cards.reopen(rows.tx, card, TODAY + DAY)

    assert (rows.one(Card.acknowledged_on, card), rows.one(Card.next_reminder_on, card)) == (None, TODAY + DAY)


def test_whoever_asks_for_another_reminder_gets_it_no_later_than_what_comes_anyway(rows: Rows) -> None:
    person = rows.person(rows.group())
    sooner, later = rows.card(person, next_reminder_on=TODAY), rows.card(person, "passport", next_reminder_on=END)

    cards.remind_again(rows.tx, [sooner, later], TODAY + DAY)

    assert rows.column(Card.remind_on) == [TODAY + DAY] * 2
    assert rows.column(Card.next_reminder_on) == [TODAY, TODAY + DAY]


def test_the_humans_who_were_asked_are_counted_and_one_less_where_one_was_not_asked_after_all(rows: Rows) -> None:
    card = rows.card(rows.person(rows.group()))

    cards.set_escalation(rows.tx, {card: (2, None)})
    cards.set_escalation(rows.tx, {})

    assert [one.id for one in cards.unanswered(rows.tx, 2)] == [card]
    cards.restart_escalation(rows.tx, [card], TODAY)
    assert rows.one(Card.escalation_level, card) == 2, "nobody is waited for"

    cards.set_escalation(rows.tx, {card: (2, TODAY + DAY)})
    cards.restart_escalation(rows.tx, [card], TODAY)

    assert (rows.one(Card.escalation_level, card), rows.one(Card.escalate_on, card)) == (1, TODAY)
    assert cards.unanswered(rows.tx, 2) == []


def test_what_changed_around_a_card_has_it_looked_at_again(rows: Rows) -> None:
    group = rows.group()
    person, other = rows.person(group), rows.person(group, "母")
    carrier, carried, hers = rows.card(person), rows.card(person, "passport"), rows.card(other)
    cards.carry(rows.tx, carrier, [carried])

    cards.schedule_replan_of_carried(rows.tx, carrier, TODAY + 2 * DAY)
    assert rows.column(Card.next_reminder_on) == [None, TODAY + 2 * DAY, None]

    cards.schedule_replan_of_person(rows.tx, person, TODAY + DAY)
    assert rows.column(Card.next_reminder_on) == [TODAY + DAY, TODAY + DAY, None]

    cards.schedule_replan_of_people(rows.tx, [other], TODAY + DAY)
    assert rows.column(Card.next_reminder_on) == [TODAY + DAY] * 3

    cards.schedule_replan_of_group(rows.tx, group, TODAY)
    assert rows.column(Card.next_reminder_on) == [TODAY] * 3
    assert hers == 3


def test_what_a_message_was_to_tell_is_told_again_unless_the_card_has_a_new_end(rows: Rows) -> None:
    person = rows.person(rows.group())
    phone, card, renewed = rows.contact(person_id=person), rows.card(person), rows.card(person, "passport")
    told = [rows.told(card, phone), rows.told(renewed, phone)]
    rows.change(Card, renewed, expires_on=END + DAY)

    cards.schedule_replan_of_messages(rows.tx, told, TODAY)

    assert rows.column(Card.next_reminder_on) == [TODAY, None]
