"""Another copy that was noticed is known until it is said to be gone."""

from reminder.storage.runtime import copy_notice
from reminder.storage.runtime.copy_notice import OtherCopy
from tests.storage.conftest import DAY, NOW, Rows


def test_it_is_known_since_it_was_noticed_first(rows: Rows) -> None:
    assert copy_notice.noticed(rows.tx) is None

    copy_notice.notice(rows.tx, NOW)
    copy_notice.notice(rows.tx, NOW + DAY)

    assert copy_notice.noticed(rows.tx) == OtherCopy(NOW, NOW + DAY)
    copy_notice.forget(rows.tx)
    assert copy_notice.noticed(rows.tx) is None
