"""Receipts: the provider's word on what became of a message. An end wins; late and repeated ones change nothing."""

import logging
from datetime import datetime

from reminder.delivery import reschedule
from reminder.domain.model.channels import Fault
from reminder.domain.model.messages import CHANNEL_PAUSE, ENDS, MessageState
from reminder.domain.model.people import ChannelName, StoppedBy
from reminder.storage.db.session import Database, Tx
from reminder.storage.outbox import queries, queue, receipts
from reminder.storage.outbox.queries import NamedMessage
from reminder.storage.outbox.receipts import WaitingReceipt
from reminder.storage.registry import contacts
from reminder.storage.reminders import notices
from reminder.storage.runtime import heartbeats

log = logging.getLogger(__name__)

AT_ONCE = 1000
# Of the latest texts that came to an end, so many are looked at, and fewer filtered ones are chance.
ENDS_LOOKED_AT, FEWEST_FILTERED = 20, 3
ENDS_OF_TEXTS = ("delivered", "undelivered", "failed")


def apply_waiting(database: Database, now: datetime) -> int:
    """How many receipts were applied."""
    with database.writing() as tx:
        waiting = receipts.waiting(tx, AT_ONCE)
        if not waiting:
            return 0
        rows = queries.named_by_receipts(
            tx,
            {receipt.provider_id for receipt in waiting},
            {r.message_id for r in waiting if r.message_id is not None},
        )
        by_provider_id = {row.provider_id: row for row in rows if row.provider_id}
        # A message whose answer was lost is named by our own id in the callback's address.
        unnamed = {row.id: row for row in rows if row.provider_id is None}
        for receipt in waiting:
            found = by_provider_id.get(receipt.provider_id)
            if found is None and receipt.message_id is not None:
                found = unnamed.get(receipt.message_id)
            if found is not None:
                _apply(tx, receipt, found, now)
        receipts.mark_applied(tx, [receipt.id for receipt in waiting], now)
        return len(waiting)


def _apply(tx: Tx, receipt: WaitingReceipt, message: NamedMessage, now: datetime) -> None:
    end = ENDS.get(receipt.status)
    if end is None:
        queue.settle_by_receipt(tx, message.id, receipt.provider_id)
        return
    ended = queue.end(tx, message.id, end, provider_id=receipt.provider_id, reason=receipt.error_code, now=now)
    if ended and end is MessageState.DELIVERED:
        contacts.record_verified(tx, [message.contact_id], now)
    if ended and end is MessageState.UNDELIVERED:
        _did_not_arrive(tx, receipt.error_code, message, now)


def _did_not_arrive(tx: Tx, code: str | None, message: NamedMessage, now: datetime) -> None:
    """Whose fault it is decides about the contact and the channel; the person is told another way in any case."""
    fault = message.channel.can.read_error(code).fault
    if fault is Fault.NUMBER:
        notices.add_unreachable(tx, contacts.mark_unreachable(tx, [message.contact_id]), now)
    if fault is Fault.OPTED_OUT:
        notices.add_stopped(tx, contacts.stop(tx, [message.contact_id], StoppedBy.PROVIDER), now)
    if fault in (Fault.TEXT, Fault.OPERATOR, Fault.ACCOUNT):
        log.error("message %s came back with %s: see what the provider says of it", message.id, code)
        # A server that sends mail back speaks for its readers alone; ours refuses at once.
        if message.channel.can.judges_sender and (fault is not Fault.TEXT or _most_are_filtered(tx, message.channel)):
            until = now + CHANNEL_PAUSE
            log.error("channel %s pauses: a receipt says %s; see the docs", message.channel, code)
            heartbeats.pause(tx, message.channel, code or "", now=now, until=until)
    reschedule.reschedule_today(tx, [message.id], now)


def _most_are_filtered(tx: Tx, channel: ChannelName) -> bool:
    """One phone's own filter is its owner's matter. Where most texts are sent back for their words or their sender,
    going on would lose the rest."""
    ends = receipts.latest_ends(tx, ENDS_OF_TEXTS, ENDS_LOOKED_AT)
    filtered = sum(channel.can.read_error(code).fault is Fault.TEXT for code in ends)
    return filtered >= FEWEST_FILTERED and 2 * filtered > len(ends)
