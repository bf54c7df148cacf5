"""Linked cards: the holder of one is offered the others, with the dates that follow."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

from reminder.domain.model.card_kinds import CardKind, LinkedEnd, Offer
from reminder.domain.rules import validity
from reminder.domain.rules.expiry import first_certificate_ends_on


@dataclass(frozen=True)
class Offered:
    """A kind to register too.

    `expires_on` is computed, to be compared with the card; None means that it must be read from the card.
    """

    kind: str
    expires_on: date | None


def offers(
    kinds: Mapping[str, CardKind],
    key: str,
    expires_on: date,
    *,
    has: Collection[str],
    is_elderly: bool,
    today: date,
    born: date | None = None,
) -> list[Offered]:
    """Return the kinds that somebody who has registered this one may want too, without those the person `has`.

    A kind that only old people have is offered without a birth date where the person `is_elderly`.
    """

    def is_of_age(offer: Offer) -> bool:
        if born is None:
            return is_elderly or offer.from_age == 0
        return offer.from_age <= validity.age(born, expires_on) <= offer.to_age

    return [
        Offered(offer.kind, _end(kinds, offer.ends, expires_on, today, born))
        for offer in kinds[key].offers
        if offer.kind not in has and is_of_age(offer)
    ]


def _end(
    kinds: Mapping[str, CardKind], ends: LinkedEnd, expires_on: date, today: date, born: date | None
) -> date | None:
    match ends:
        case LinkedEnd.UNKNOWN:
            return None
        case LinkedEnd.SAME:
            return expires_on
        case LinkedEnd.CERTIFICATE:
            first = first_certificate_ends_on(kinds, expires_on, born)
            # Once the first end is past, it was renewed, and the next one ends with the card; or it has ended, and
            # nothing is known. The card's own date is on the card either way.
            return first if first >= today else expires_on
