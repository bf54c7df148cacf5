"""Receipts: each is kept once, however often a provider repeats it."""

from reminder.domain.model.messages import MessageState
from reminder.domain.model.people import ChannelName
from reminder.domain.model.provider_history import ListedFate
from reminder.storage.outbox import receipts
from reminder.storage.outbox.receipts import WaitingReceipt
from tests.storage.conftest import NOW, Rows


def test_the_same_receipt_with_a_name_waits_again_where_it_found_nothing_without(rows: Rows) -> None:
    receipts.keep(rows.tx, provider_id="SM1", status="sent", error_code=None, message_id=None, now=NOW)
    (first,) = receipts.waiting(rows.tx, 9)
    receipts.mark_applied(rows.tx, [first.id], NOW)

    receipts.keep(rows.tx, provider_id="SM1", status="sent", error_code=None, message_id=None, now=NOW)
    assert receipts.waiting(rows.tx, 9) == []
    receipts.keep(rows.tx, provider_id="SM1", status="sent", error_code=None, message_id=7, now=NOW)
    assert receipts.waiting(rows.tx, 9) == [WaitingReceipt(first.id, "SM1", "sent", None, 7)]
    receipts.mark_applied(rows.tx, [first.id], NOW)
    receipts.keep(rows.tx, provider_id="SM1", status="sent", error_code=None, message_id=7, now=NOW)
    assert receipts.waiting(rows.tx, 9) == []


def test_a_receipt_waits_once_until_it_was_applied(rows: Rows) -> None:
    for _ in range(2):
        receipts.keep(rows.tx, provider_id="SM1", status="sent", error_code=None, message_id=7, now=NOW)
    receipts.keep(rows.tx, provider_id="SM1", status="undelivered", error_code="30003", message_id=None, now=NOW)

    first, second = receipts.waiting(rows.tx, 9)

    assert first == WaitingReceipt(first.id, "SM1", "sent", None, 7)
    assert (second.status, second.error_code) == ("undelivered", "30003")
    assert receipts.waiting(rows.tx, 1) == [first]
    receipts.mark_applied(rows.tx, [first.id], NOW)
    assert receipts.waiting(rows.tx, 9) == [second]


def test_the_latest_ends_are_told_by_their_error_codes_the_latest_first(rows: Rows) -> None:
    for number, (status, code) in enumerate(
        (("undelivered", "1"), ("sent", None), ("failed", "2"), ("delivered", None))
    ):
        receipts.keep(rows.tx, provider_id=f"SM{number}", status=status, error_code=code, message_id=None, now=NOW)

    ends = ("undelivered", "failed", "delivered")
    assert receipts.latest_ends(rows.tx, ends, 9) == [None, "2", "1"]
    assert receipts.latest_ends(rows.tx, ends, 1) == [None]


def test_the_receipts_of_an_id_wait_again_where_it_belongs_to_another_message_now(rows: Rows) -> None:
    for provider_id in ("SM1", "SM2"):
        receipts.keep(rows.tx, provider_id=provider_id, status="sent", error_code=None, message_id=None, now=NOW)
    every = [one.id for one in receipts.waiting(rows.tx, 9)]
    receipts.mark_applied(rows.tx, every, NOW)

    receipts.mark_waiting_of(rows.tx, {"SM2"})

    assert [one.provider_id for one in receipts.waiting(rows.tx, 9)] == ["SM2"]


def test_what_a_list_says_is_stored_for_open_messages_of_its_channel_and_once(rows: Rows) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()))
    rows.handed(rows.message(phone), provider_id="SM1")
    rows.handed(rows.message(phone), MessageState.DELIVERED, provider_id="SM2")
    fates = [ListedFate(name, "undelivered", "30006") for name in ("SM1", "SM2", "SM3")]

    assert receipts.keep_fetched(rows.tx, ChannelName.VOICE, fates, NOW) == 0
    assert receipts.keep_fetched(rows.tx, ChannelName.SMS, fates, NOW) == 1
    assert receipts.keep_fetched(rows.tx, ChannelName.SMS, fates, NOW) == 0

    (kept,) = receipts.waiting(rows.tx, 9)
    assert (kept.provider_id, kept.status, kept.error_code) == ("SM1", "undelivered", "30006")
