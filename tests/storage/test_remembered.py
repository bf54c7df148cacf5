"""What the service remembers of itself."""

from reminder.storage import remembered
from tests.storage.conftest import Rows


def test_what_is_remembered_is_replaced_and_said_once_more(rows: Rows) -> None:
    assert remembered.find(rows.tx, "sender") is None
    assert remembered.replace(rows.tx, "sender", "+1") is None
    assert remembered.replace(rows.tx, "sender", "+2") == "+1"
    assert remembered.replace(rows.tx, "sender", "+2") == "+2"
    assert remembered.find(rows.tx, "sender") == "+2"
