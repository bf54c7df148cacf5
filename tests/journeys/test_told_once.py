"""A telephone that is entered again is not told the same twice in a day."""

from collections.abc import Callable
from datetime import date

import pytest

from reminder.domain.model.people import ChannelName
from reminder.storage.registry import contacts
from reminder.upkeep.privacy import erasure
from tests.village import Village

END = date(2027, 3, 31)


@pytest.fixture
def told(village: Village) -> Village:
    """A father who was told at nine o'clock on 17 March."""
    village.person("父", phone="090-0000-0002")
    village.card("父", END)
    village.sleep_until("2027-03-17 01:00")
    village.run_until("2027-03-17 09:30")
    assert village.texts_to("父") == ["03-17 09:00"]
    return village


def phone(village: Village) -> int:
    with village.app.database.reading() as tx:
        return contacts.of_group(tx, village.app.keys, None)[0].id


def as_before(village: Village) -> None:
    village.contact("父", ChannelName.SMS, "090-0000-0002")


def in_another_spelling(village: Village) -> None:
    village.contact("父", ChannelName.SMS, "+81 90 0000 0002")


@pytest.mark.parametrize("enters", [as_before, in_another_spelling])
def test_a_number_that_is_erased_and_entered_again_gets_no_second_text(
    told: Village, enters: Callable[[Village], None]
) -> None:
    erasure.erase_contact(told.app.units, told.now, contact_id=phone(told))

    enters(told)
    told.run_until("2027-03-17 23:00")

    assert len(told.sms.sent) == 1
    assert told.states() == ["accepted"]


def test_the_next_step_is_told_as_usual(told: Village) -> None:
    erasure.erase_contact(told.app.units, told.now, contact_id=phone(told))
    as_before(told)

    told.run_until("2027-03-25 23:00")

    assert len(told.sms.sent) == 2
