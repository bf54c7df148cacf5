"""Erasing: whoever is erased is in no table and on no page any more, and nobody is told of them."""

from collections.abc import Callable
from datetime import date

import pytest

from reminder.errors import NotFoundError
from reminder.upkeep.erase import erase_card, erase_contact, erase_group, erase_person
from tests.village import Village

END = date(2027, 3, 31)


@pytest.mark.parametrize(
    ("erase", "field"),
    [
        (lambda village: erase_person(village.app.database, village.now, person_id=99), "person"),
        (lambda village: erase_contact(village.app.database, village.now, contact_id=99), "contact"),
        (lambda village: erase_card(village.app.database, village.now, card_id=99), "card"),
        (lambda village: erase_group(village.app.database, village.now, group_id=99), "group"),
    ],
)
def test_what_is_not_there_is_not_found(village: Village, erase: Callable[[Village], None], field: str) -> None:
    with pytest.raises(NotFoundError) as refused:
        erase(village)

    assert refused.value.field == field


def test_nothing_more_is_told_of_an_erased_person(village: Village) -> None:
    village.member("娘", "musume@example.jp")
    mother = village.person("母", phone="090-0000-0001")
    village.person("父", phone="090-0000-0002")
    village.card("母", END)
    village.card("父", END)
    village.run_until("2027-01-15 00:00")
    assert village.texts_to("母")

    before = village.texts_to("母")

    erase_person(village.app.database, village.now, person_id=mother)
    village.run_until("2027-04-15 00:00")

    assert village.texts_to("母") == before
    assert village.texts_to("父")[-1] > "04"
