"""The matters that paper speaks of: from the status of a card to the facts that letters and leaflets print."""

from collections.abc import Mapping
from datetime import date

from reminder.domain.rulebook import Rulebook
from reminder.domain.text.paper import Matter
from reminder.domain.text.phrases import is_told_as_bound
from reminder.planning.reports.status import CardStatus


def matter_of(rules: Rulebook, one: CardStatus, ends: Mapping[str, date]) -> Matter:
    """Return a card as paper speaks of it. `ends`: of all cards of the person, by kind."""
    card = one.card
    is_bound = rules.is_bound(card.kind, card.expires_on, ends)
    return Matter(
        kind=card.kind,
        expires_on=card.expires_on,
        act=one.next.act,
        opens_on=one.dates.acts_from,
        last_counter_day=one.dates.last_counter_day,
        grace_ends_on=one.dates.grace_ends_on,
        next_on=one.next.day,
        begin_by=one.dates.begin_by if one.dates.lead_days else None,
        label=card.label or None,
        is_computed=card.is_computed,
        is_bound=is_told_as_bound(rules.wording.families[card.kind], is_bound=is_bound),
    )
