"""Every queue that a worker reads row by row: one row that nobody can work on delays no other."""

from collections.abc import Callable
from datetime import date

import pytest
from sqlalchemy import insert, select, text, update

from reminder.domain.model.notices import NoticeKind
from reminder.domain.parsing.replies import Intent
from reminder.storage.crypto.keyring import new_key, read_keys
from reminder.storage.db.tables import Message, Notice, Receipt, Reply
from reminder.storage.outbox import receipts
from reminder.storage.reminders import notices, replies, unclear_replies
from reminder.upkeep.health import assess
from tests.village import Village


def broken_reply(village: Village) -> None:
    sealed = read_keys([new_key()]).seal("済", replies.BODY)
    row = {"contact_id": 2, "provider_id": "SM1", "intent": None, "body_sealed": sealed, "received_at": village.now}
    with village.app.database.writing() as tx:
        tx.execute(insert(Reply).values(row))
        replies.keep(
            tx, village.app.keys, contact_id=2, provider_id="SM2", intent=Intent.FAMILY, text="家族", now=village.now
        )


def broken_unclear_reply(village: Village) -> None:
    with village.app.database.writing() as tx:
        for name in ("SM1", "SM2"):
            unclear_replies.keep(
                tx,
                village.app.keys,
                provider_id=name,
                intent=Intent.WHO,
                text=None,
                choices={1: 2, 2: 1},
                now=village.now,
                expires_at=village.now,
            )
        _break(tx, "unclear_replies", "received_at = 'never'")


def broken_receipt(village: Village) -> None:
    with village.app.database.writing() as tx:
        sent = [one for one in tx.scalars(select(Message.provider_id)) if one][:2]
        for provider_id in sent:
            receipts.keep(
                tx, provider_id=provider_id, status="delivered", error_code=None, message_id=None, now=village.now
            )
        # Its message is one that nobody can read.
        message = tx.execute(select(Message.id).where(Message.provider_id == sent[0])).scalar_one()
        tx.execute(update(Message).where(Message.id == message).values(channel="pager"))


def broken_notice(village: Village) -> None:
    with village.app.database.writing() as tx:
        for _ in range(2):
            notices.add(tx, NoticeKind.FAMILY, person_id=1, contact_id=2, now=village.now)
        _break(tx, "notices", "kind = 'unheard_of'")


def broken_failure(village: Village) -> None:
    with village.app.database.writing() as tx:
        ids = list(tx.scalars(select(Message.id).where(Message.contact_id == 2)))[:2]
        tx.execute(update(Message).where(Message.id.in_(ids)).values(state="undelivered", ended_at=village.now))
        tx.execute(update(Message).where(Message.id == ids[0]).values(channel="pager"))


def _break(tx: object, table: str, how: str) -> None:
    """Write what this program cannot have written into the first row that waits."""
    tx.execute(text("PRAGMA ignore_check_constraints = ON"))  # type: ignore[attr-defined]
    tx.execute(text(f"UPDATE {table} SET {how} WHERE id = (SELECT min(id) FROM {table})"))  # type: ignore[attr-defined]
    tx.execute(text("PRAGMA ignore_check_constraints = OFF"))  # type: ignore[attr-defined]


WAITING = {
    "replies": select(Reply.id).where(Reply.handled_at.is_(None)),
    "receipts": select(Receipt.id).where(Receipt.applied_at.is_(None)),
    "notices": select(Notice.id).where(Notice.notified_at.is_(None)),
    "unclear_replies": text("SELECT id FROM unclear_replies WHERE settled_at IS NULL"),
    "failures": text(
        "SELECT id FROM messages WHERE followed_up_at IS NULL AND audience = 'person' AND state = 'undelivered'"
    ),
}


@pytest.mark.parametrize(
    ("breaks", "queue"),
    [
        (broken_reply, "replies"),
        (broken_unclear_reply, "unclear_replies"),
        (broken_receipt, "receipts"),
        (broken_notice, "notices"),
        (broken_failure, "failures"),
    ],
)
def test_a_row_that_nobody_can_work_on_is_set_aside_and_the_next_one_is_worked_on(
    fresh_village_factory: Callable[..., object], breaks: Callable[[Village], None], queue: str
) -> None:
    with fresh_village_factory() as village:  # type: ignore[attr-defined]
        village.member("娘", "musume@example.jp")
        village.person("母", phone="090-0000-0001")
        village.card("母", date(2026, 12, 7), "passport")
        village.card("母", date(2026, 12, 9), "driving_licence")
        village.run_until("2026-12-05 11:00")
        breaks(village)

        village.pass_once()

        with village.app.database.reading() as tx:
            assert tx.execute(WAITING[queue]).all() == []
        (concern,) = [one for one in assess(village.app.units, village.now).concerns if one.code == "rows_set_aside"]
        assert (concern.count, concern.name) == (1, queue)
