"""Receipts: the provider's word on what became of a message. An end wins; late and repeated ones change nothing."""

import logging
from datetime import datetime

from reminder.delivery import again
from reminder.domain.messages import ENDS, MessageState
from reminder.domain.people import ContactState, StoppedBy
from reminder.domain.provider_codes import Fault, fault_of_twilio
from reminder.storage import contacts, messages, notices, outbox, receipts
from reminder.storage.receipts import Waiting
from reminder.storage.session import Database, Tx

log = logging.getLogger(__name__)

AT_ONCE = 1000


def apply_waiting(database: Database, now: datetime) -> int:
    """How many receipts were applied."""
    with database.writing() as tx:
        waiting = receipts.waiting(tx, AT_ONCE)
        if not waiting:
            return 0
        rows = messages.named(
            tx,
            {receipt.provider_id for receipt in waiting},
            {r.message_id for r in waiting if r.message_id is not None},
        )
        by_provider_id = {row[1]: (row[0], row[2]) for row in rows if row[1]}
        # A message whose answer was lost is named by our own id in the callback's address.
        unnamed = {row[0]: (row[0], row[2]) for row in rows if row[1] is None}
        for receipt in waiting:
            found = by_provider_id.get(receipt.provider_id) or unnamed.get(receipt.message_id or 0)
            if found is not None:
                _apply(tx, receipt, *found, now)
        receipts.mark_applied(tx, [receipt.id for receipt in waiting], now)
        return len(waiting)


def _apply(tx: Tx, receipt: Waiting, message_id: int, contact_id: int, now: datetime) -> None:
    end = ENDS.get(receipt.status)
    if end is None:
        outbox.settle_by_receipt(tx, message_id, receipt.provider_id)
        return
    ended = outbox.end(tx, message_id, end, provider_id=receipt.provider_id, reason=receipt.error_code, now=now)
    if ended and end is MessageState.DELIVERED:
        contacts.reached(tx, [contact_id], now)
    if not ended or end is not MessageState.UNDELIVERED:
        return
    code = int(receipt.error_code) if receipt.error_code else None
    match fault_of_twilio(code, None):
        case Fault.NUMBER:
            contacts.set_state(tx, [contact_id], ContactState.UNREACHABLE)
            again.today(tx, [message_id], now)
        case Fault.OPTED_OUT:
            notices.tell_of_stop(tx, contacts.stop(tx, [contact_id], StoppedBy.PROVIDER), now)
            again.today(tx, [message_id], now)
        case fault:
            if fault in (Fault.OPERATOR, Fault.ACCOUNT):
                log.error("message %s came back with %s: the sender or the account is at fault", message_id, code)
            again.on_the_next_day(tx, [message_id], now)
