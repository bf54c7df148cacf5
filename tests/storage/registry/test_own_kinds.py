"""Kinds of a group's own, and the cards of each."""

from reminder.domain.model.card_kinds import RenewalPlace, StandIn
from reminder.domain.model.own_kinds import OwnKindFacts
from reminder.storage.db.tables import Card
from reminder.storage.registry import cards, own_kinds
from reminder.storage.registry.own_kinds import OwnKindView
from tests.storage.conftest import END, NOW, Rows

FACTS = OwnKindFacts(RenewalPlace.SHOP, 30, 7, StandIn.RELATIVES, (20, 5))


def kind_in(rows: Rows, group: int, name: str = "会員証", facts: OwnKindFacts = FACTS) -> OwnKindView:
    kind_id = own_kinds.add(rows.tx, group_id=group, name=name, facts=facts, now=NOW)
    kind = own_kinds.find(rows.tx, group, kind_id)
    assert kind is not None
    return kind


def card_of(rows: Rows, person: int, kind: OwnKindView) -> int:
    (card_id,) = cards.reserve_ids(rows.tx, 1)
    new = cards.CardView(
        card_id, person, kind.key, kind.name, END, False, None, END, None, None, None, 0
    )  # fmt: skip
    cards.insert_all(rows.tx, [new], NOW)
    return card_id


def test_a_kind_is_found_in_its_own_group_and_in_no_other(rows: Rows) -> None:
    ours, theirs = rows.group(), rows.group()

    kind = kind_in(rows, ours)

    assert (kind.name, kind.facts, kind.public_name) == ("会員証", FACTS, f"own:{kind.id}")
    assert own_kinds.of_group(rows.tx, ours) == [kind]
    assert own_kinds.of_group(rows.tx, theirs) == []
    assert own_kinds.find(rows.tx, theirs, kind.id) is None
    assert own_kinds.group_of(rows.tx, kind.id) == ours
    assert own_kinds.group_of(rows.tx, kind.id + 1) is None


def test_a_card_of_it_is_stored_as_any_other_card_and_read_with_the_facts(rows: Rows) -> None:
    group = rows.group()
    person, kind = rows.person(group), kind_in(rows, group)

    card = card_of(rows, person, kind)

    assert (rows.one(Card.kind, card), rows.one(Card.own_kind, card)) == ("other", kind.key)
    (view,), (due,) = cards.current_of_person(rows.tx, person), cards.as_due(rows.tx, [card])
    (brief,) = cards.brief_of_group(rows.tx, group)
    assert {view.kind, due.kind, brief.kind} == {kind.key}
    assert {view.label, due.label} == {"会員証"}
    assert list(cards.current_of_people(rows.tx, [person])[person]) == [kind.public_name]


def test_the_cards_of_a_kind_are_counted_and_follow_its_change_until_they_are_retired(rows: Rows) -> None:
    group = rows.group()
    first, second = rows.person(group), rows.person(group)
    kind, other = kind_in(rows, group), kind_in(rows, group, "回数券")
    card, retired, beside = card_of(rows, first, kind), card_of(rows, second, kind), card_of(rows, second, other)
    cards.retire(rows.tx, retired, NOW)

    changed = OwnKindView(kind.id, group, "新しい会員証", OwnKindFacts(RenewalPlace.POST))
    own_kinds.change(rows.tx, kind.id, name=changed.name, facts=changed.facts)

    assert own_kinds.find(rows.tx, group, kind.id) == changed
    assert own_kinds.cards_of(rows.tx, kind) == {card: first}
    assert own_kinds.counts(rows.tx, group) == {kind.public_name: 1, other.public_name: 1}
    assert own_kinds.change_cards(rows.tx, changed) == [card]
    kinds = {one.id: (one.kind, one.label) for one in cards.of_group(rows.tx, group)}
    assert kinds[card] == (changed.key, "新しい会員証")
    assert kinds[retired] == (kind.key, "会員証")
    assert kinds[beside] == (other.key, "回数券")
    own_kinds.remove(rows.tx, kind.id)
    assert own_kinds.of_group(rows.tx, group) == [other]


def test_a_name_that_somebody_has_another_card_of_is_found(rows: Rows) -> None:
    group = rows.group()
    person, stranger = rows.person(group), rows.person(group)
    kind = kind_in(rows, group)
    card_of(rows, person, kind)
    card_of(rows, person, kind_in(rows, group, "診察券"))
    card_of(rows, stranger, kind_in(rows, group, "回数券"))

    assert own_kinds.people_with_label(rows.tx, kind, "診察券")
    assert not own_kinds.people_with_label(rows.tx, kind, "回数券")
    assert not own_kinds.people_with_label(rows.tx, kind, "会員証")
