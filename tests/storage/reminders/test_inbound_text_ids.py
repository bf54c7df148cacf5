"""Texts that were heard: each once."""

from reminder.storage.reminders import inbound_text_ids
from tests.storage.conftest import HOUR, NOW, Rows


def test_a_text_is_new_once(rows: Rows) -> None:
    assert inbound_text_ids.note(rows.tx, "SM1", NOW)
    assert not inbound_text_ids.note(rows.tx, "SM1", NOW + HOUR)
    assert inbound_text_ids.note(rows.tx, "SM2", NOW)


def test_ids_are_forgotten_after_their_time(rows: Rows) -> None:
    inbound_text_ids.note(rows.tx, "SM1", NOW)

    assert inbound_text_ids.delete_old(rows.tx, NOW) == 0
    assert inbound_text_ids.delete_old(rows.tx, NOW + HOUR) == 1
    assert inbound_text_ids.note(rows.tx, "SM1", NOW + HOUR)
