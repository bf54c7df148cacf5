"""The plan of a card that is kept."""

from reminder.domain.rules.preferences import Preferences
from reminder.storage.registry import cards
from reminder.storage.reminders import card_plan
from reminder.wiring import read_rulebook, read_settings
from tests.storage.conftest import END, Rows


def test_the_plan_of_a_card_rests_on_its_dates_its_person_and_its_group(rows: Rows) -> None:
    person = rows.person(rows.group())
    (card,) = cards.as_due(rows.tx, [rows.card(person, "mynumber_user_certificate")])

    rules = read_rulebook(read_settings())
    dates, usual = card_plan.plan_of(rules, card, cards.ends_of_people(rows.tx, [person])[person], Preferences())
    _, own = card_plan.plan_of(rules, card, {}, Preferences(own_days=(10,)))

    cards.set_own_days(rows.tx, card.id, "10")
    (with_days,) = cards.as_due(rows.tx, [card.id])
    _, of_card = card_plan.plan_of(rules, with_days, {}, Preferences(own_days=(60, 30, 7)))

    assert of_card == own, "the days of a card take the place of its group's"
    assert card_plan.preferences_of(rules, with_days, Preferences("few")) == Preferences("few", (10,))
    assert dates.expires_on == END
    assert len(usual) > 1
    assert usual != own
