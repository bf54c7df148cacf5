"""The cards on a leaflet: those of one person that are not done, in the order in which they are to be begun."""

from reminder.domain.rulebook import Rulebook
from reminder.domain.text.paper import Matter
from reminder.planning.reports.paper_matters import matter_of
from reminder.planning.reports.status import PersonStatus


def stop_line(rules: Rulebook) -> str:
    """Return the telephone number by which a lost My Number Card is stopped, as config/cards.toml has it; or ""."""
    return next((kind.stop_line for kind in rules.kinds.values() if kind.stop_line), "")


def leaflet_cards(rules: Rulebook, row: PersonStatus, card_id: int | None) -> tuple[Matter, ...]:
    """Return the cards of a person, or the one with this id, even if it is done; none for an unknown id."""
    if card_id is None:
        chosen = [one for one in row.cards if not one.is_acknowledged]
    else:
        chosen = [one for one in row.cards if one.card_id == card_id]
    chosen.sort(key=lambda one: (one.dates.begin_by, one.card_id))
    ends = {one.kind: one.card.expires_on for one in row.cards}
    return tuple(matter_of(rules, one, ends) for one in chosen)
