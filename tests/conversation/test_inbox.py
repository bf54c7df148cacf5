"""The inbox: replies that wait are acted on, one after the other."""

import pytest
from sqlalchemy import insert

from reminder.conversation.inbox import act_on_replies
from reminder.storage.db.tables import Reply
from tests.village import Village


def test_a_reply_that_cannot_even_be_read_out_of_its_row_says_so_and_not_something_else(village: Village) -> None:
    village.person("母", phone="090-0000-0001")
    with village.app.database.writing() as tx:
        tx.execute(
            insert(Reply).values(
                contact_id=1, provider_id="SM1", body_sealed=b"sealed with no key", received_at=village.now
            )
        )

    with pytest.raises(Exception) as refused:
        act_on_replies(village.app.units, village.now)

    assert not isinstance(refused.value, UnboundLocalError)
