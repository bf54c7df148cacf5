"""What the service remembers of itself."""

from reminder.storage.runtime import service_state
from tests.storage.conftest import Rows


def test_what_is_kept_is_replaced_and_said_once_more(rows: Rows) -> None:
    assert service_state.find(rows.tx, "sender") is None
    assert service_state.replace(rows.tx, "sender", "+1") is None
    assert service_state.replace(rows.tx, "sender", "+2") == "+1"
    assert service_state.replace(rows.tx, "sender", "+2") == "+2"
    assert service_state.find(rows.tx, "sender") == "+2"
