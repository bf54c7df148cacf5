"""The inbox: replies that wait are acted on, one after the other."""

from datetime import date

import pytest
from sqlalchemy import insert, select

from reminder.conversation.inbox import act_on_replies
from reminder.domain.model.people import ContactState, Mode
from reminder.domain.parsing.replies import Intent
from reminder.storage.crypto.keyring import new_key, read_keys
from reminder.storage.db.tables import Notice, Reply
from reminder.storage.reminders import replies
from reminder.upkeep.health import assess
from tests.village import Village

LOST = read_keys([new_key()]).seal("あとで", replies.BODY)
UNREADABLE = {
    "no key of any ring": b"sealed with no key",
    "a lost key": LOST,
    "cut off": LOST[:9],
    "empty": b"",
}


def mother(village: Village) -> None:
    village.member("娘", "musume@example.jp")
    village.person("母", phone="090-0000-0001", mode=Mode.ELDERLY)
    village.card("母", date(2026, 12, 7), "passport")
    village.run_until("2026-12-01 11:00")


def add(village: Village, name: str, intent: Intent | None, body: bytes | None) -> None:
    row = {"contact_id": 2, "provider_id": name, "intent": intent, "body_sealed": body, "received_at": village.now}
    with village.app.database.writing() as tx:
        tx.execute(insert(Reply).values(row))


@pytest.mark.parametrize("why", UNREADABLE)
@pytest.mark.parametrize("intent", [None, Intent.LATER])
def test_a_reply_that_cannot_be_read_is_set_aside_and_holds_up_no_other(
    talking_village: Village, intent: Intent | None, why: str
) -> None:
    village = talking_village
    mother(village)
    add(village, "SM1", intent, UNREADABLE[why])
    village.answers("母", "１")

    assert village.card_of(1).acknowledged_on == date(2026, 12, 1)
    with village.app.database.reading() as tx:
        assert set(tx.scalars(select(Notice.kind))) == {"unread", "done"}, "the daughter asks what it was"
    (concern,) = [one for one in assess(village.app.units, village.now).concerns if one.code == "rows_set_aside"]
    assert (concern.count, concern.name) == (1, "replies")
    assert act_on_replies(village.app.units, village.now) == 0


def test_a_stop_whose_words_cannot_be_read_is_a_stop_all_the_same(talking_village: Village) -> None:
    mother(talking_village)
    add(talking_village, "SM1", Intent.STOP, LOST)

    talking_village.pass_once()

    assert talking_village.contacts()["+819000000001"] is ContactState.OPTED_OUT
