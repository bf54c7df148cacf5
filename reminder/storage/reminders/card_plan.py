"""The plan of a stored card: its dates and every step, by its person, its group and the answers."""

from collections.abc import Mapping
from datetime import date

from reminder.domain.parsing.days_before import days_of
from reminder.domain.rulebook import Rulebook
from reminder.domain.rules.escalation_policy import plan_after_answers
from reminder.domain.rules.preferences import Preferences
from reminder.domain.rules.schedule_model import CardDates
from reminder.domain.rules.steps import Plan
from reminder.storage.registry.cards import DueCard


def preferences_of(rules: Rulebook, card: DueCard, preferences: Preferences) -> Preferences:
    """Return the preferences of its group, with the days of the card or its kind where they have their own.

    Raises ValueError for days that no program of ours has stored.
    """
    return rules.preferences_of(card.kind, days_of(card.own_days), preferences)


def plan_of(
    rules: Rulebook, card: DueCard, ends: Mapping[str, date], preferences: Preferences
) -> tuple[CardDates, Plan]:
    """Return the dates and the plan of a card. `ends`: the ends of all of the person's cards, by kind."""
    person = card.person
    dates, plan = rules.plan(
        card.kind,
        card.expires_on,
        person.mode,
        insurance=person.insurance,
        carrier_ends_on=card.carrier_ends_on,
        is_bound=rules.is_bound(card.kind, card.expires_on, ends),
        preferences=preferences_of(rules, card, preferences),
    )
    return dates, plan_after_answers(plan, card.progress, card.expires_on, person.mode, preferences.on_holidays)
