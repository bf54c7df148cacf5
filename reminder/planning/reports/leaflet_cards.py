"""The cards on a leaflet: those of one person that are not done, in the order in which they are to be begun."""

from reminder.domain.rulebook import Rulebook
from reminder.domain.text.leaflets import LeafletCard
from reminder.planning.reports.status import PersonStatus


def stop_line(rules: Rulebook) -> str:
    """Return the telephone number by which a lost My Number Card is stopped, as config/cards.toml has it; or ""."""
    return next((kind.stop_line for kind in rules.kinds.values() if kind.stop_line), "")


def leaflet_cards(row: PersonStatus, card_id: int | None) -> tuple[LeafletCard, ...]:
    """Return the cards of a person, or the one with this id, even if it is done; none for an unknown id."""
    if card_id is None:
        chosen = [one for one in row.cards if not one.is_acknowledged]
    else:
        chosen = [one for one in row.cards if one.card_id == card_id]
    chosen.sort(key=lambda one: (one.dates.begin_by, one.card_id))
    return tuple(
        LeafletCard(one.kind, one.card.expires_on, one.card.label or None, one.card.is_computed, one.dates.acts_from)
        for one in chosen
    )
