"""Receipts: applies what providers report. A final state wins; late and repeated receipts change nothing."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from reminder.delivery import reschedule
from reminder.domain.model.channels import Fault
from reminder.domain.model.messages import CHANNEL_PAUSE, COMPLETED, ENDS, MessageState
from reminder.domain.model.people import ChannelName, StoppedBy
from reminder.domain.rules.other_copy import HandOvers, was_handed_over_elsewhere
from reminder.domain.rules.promise_checks import unheard
from reminder.storage.db.session import Database, Tx
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.outbox import other_copies, queries, queue, receipts
from reminder.storage.outbox.queries import NamedMessage
from reminder.storage.outbox.receipts import WaitingReceipt
from reminder.storage.registry import contacts
from reminder.storage.reminders import notices, open_questions
from reminder.storage.runtime import copy_notice, heartbeats, set_aside
from reminder.storage.runtime.set_aside import Queue

log = logging.getLogger(__name__)

AT_ONCE = 1000
# Of the latest texts with a final state so many are checked; fewer filtered ones than the minimum are chance.
ENDS_LOOKED_AT, FEWEST_FILTERED = 20, 3
ENDS_OF_TEXTS = ("delivered", "undelivered", "failed")


# What Twilio reports on: texts and calls.
_TWILIO = (ChannelName.SMS, ChannelName.VOICE)


def keep_from_twilio(
    uow: UnitOfWork,
    *,
    provider_id: str,
    status: str,
    error_code: str | None,
    reference: str,
    seconds: int | None = None,
) -> bool:
    """Store a signed receipt of Twilio for the next pass; return False for one that names no message of ours.

    `seconds`: how long a call lasted.

    `reference`: what the callback's address names, "" for nothing. A number there is an id from before references; it
    names nothing, and such a receipt counts only for the message with this id at Twilio.
    """
    message_id = None
    if reference and not (reference.isascii() and reference.isdigit()):
        named = other_copies.referred(uow.tx, uow.keys, reference)
        if named is None or named.channel not in _TWILIO:
            return False
        message_id = named.id
    receipts.keep(
        uow.tx,
        provider_id=provider_id,
        status=status,
        error_code=error_code,
        message_id=message_id,
        seconds=seconds,
        now=uow.now,
    )
    return True


def apply_waiting(database: Database, now: datetime) -> int:
    """Apply the receipts that wait and return their number. One that cannot be applied is set aside."""

    def drop(tx: Tx, receipt_id: int) -> None:
        set_aside.add(tx, set_aside.RECEIPTS, [receipt_id], now)
        receipts.mark_applied(tx, [receipt_id], now)

    queue_ = Queue[Tx](set_aside.RECEIPTS, receipts.first_waiting, lambda tx, most: _apply_some(tx, most, now), drop)
    return set_aside.work_off(queue_, database.writing, AT_ONCE)


def explain_strays(database: Database, now: datetime) -> int:
    """Explain the names that are ours and name nothing here, and return their number."""
    with database.writing() as tx:
        if other_copies.explain_stray(tx, now):
            log.error("a receipt names a message that only another copy of this installation can have made")
    return 1


def _apply_some(tx: Tx, most: int, now: datetime) -> int:
    waiting = receipts.waiting(tx, most)
    if not waiting:
        return 0
    rows = queries.named_by_receipts(
        tx,
        {receipt.provider_id for receipt in waiting},
        {r.message_id for r in waiting if r.message_id is not None},
    )
    named = _Named(tx, rows, now)
    for receipt in waiting:
        found = named.by(receipt)
        if found is not None:
            _apply(tx, receipt, found, now)
    receipts.mark_applied(tx, [receipt.id for receipt in waiting], now)
    if named.exchanged:
        # What was said of these ids belongs to the other message now.
        receipts.mark_waiting_of(tx, named.exchanged)
    return len(waiting)


class _Named:
    """The messages that receipts name: by the provider's id, or by our reference in the callback's address."""

    def __init__(self, tx: Tx, rows: Sequence[NamedMessage], now: datetime) -> None:
        self._tx, self._now = tx, now
        self._explained = other_copies.explained(tx)
        self._by_id = {row.id: row for row in rows}
        self._holder = {row.provider_id: row for row in rows if row.provider_id}
        self.exchanged: set[str] = set()

    def by(self, receipt: WaitingReceipt) -> NamedMessage | None:
        """Return the message of a receipt.

        If the provider's answer was lost, our reference names it. It is also the proof against an id that was matched
        with another message of the same words. A receipt that names one message by our reference and another by an id
        that the provider has given proves neither.
        """
        holder = self._holder.get(receipt.provider_id)
        if receipt.message_id is None or (holder is not None and holder.id == receipt.message_id):
            return holder
        named = self._by_id.get(receipt.message_id)
        if named is None:
            return None
        if holder is None and named.channel in _TWILIO:
            self._look_for_other_copy(named, receipt.provider_id)
        if named.provider_id is not None and not named.is_matched:
            if holder is None:
                # It was taken under two ids: a restored database may not know that it was sent again.
                queue.mark_doubled(self._tx, [named.id])
            return None
        others = named.provider_id
        if not self._take_back([one for one in (named, holder) if one is not None and one.provider_id is not None]):
            return None
        if holder is not None:
            log.warning("a receipt tells messages %s and %s apart, whose words are the same", holder.id, named.id)
            if others is not None:
                queue.settle_by_receipt(self._tx, holder.id, others)
                self._holder[others] = replace(holder, provider_id=others)
        self._holder[receipt.provider_id] = named
        return named

    def _look_for_other_copy(self, named: NamedMessage, provider_id: str) -> None:
        """Notice another copy that has handed a message over under an id that nobody here knows."""
        assert named.created_at is not None  # read from its row
        known = HandOvers(
            named.created_at,
            named.handed_at,
            named.attempts,
            named.provider_id,
            named.is_matched,
            named.possibly_double,
        )
        if was_handed_over_elsewhere(known, provider_id, explained=self._explained):
            log.error("message %s was handed over by another copy of this installation", named.id)
            copy_notice.notice(self._tx, self._now)

    def _take_back(self, messages: Sequence[NamedMessage]) -> bool:
        """Take their ids back from all of these messages, or from none; return whether that was possible."""
        if messages and not queue.take_ids_back(self._tx, [one.id for one in messages], self._now):
            return False
        for one in messages:
            assert one.provider_id is not None
            self._holder.pop(one.provider_id, None)
            self.exchanged.add(one.provider_id)
            self._by_id[one.id] = replace(one, provider_id=None, is_matched=False)
        return True


def _apply(tx: Tx, receipt: WaitingReceipt, message: NamedMessage, now: datetime) -> None:
    end = ENDS.get(receipt.status)
    if end is None:
        queue.settle_by_receipt(tx, message.id, receipt.provider_id)
        return
    code = receipt.error_code
    if receipt.status == COMPLETED:
        # A completed call has reached nobody where the date was not heard.
        code = unheard(message.answered_by, message.date_after, receipt.seconds, is_practice=message.is_practice)
        end = end if code is None else MessageState.UNDELIVERED
    ended = queue.end(tx, message.id, end, provider_id=receipt.provider_id, reason=code, now=now)
    if ended and end is MessageState.DELIVERED and message.contact_id is not None:
        contacts.record_verified(tx, [message.contact_id], now)
    if ended and end is MessageState.UNDELIVERED:
        _did_not_arrive(tx, code, message, now)


def _did_not_arrive(tx: Tx, code: str | None, message: NamedMessage, now: datetime) -> None:
    """Handle a message that did not arrive, and plan another channel for the person.

    The kind of fault decides what happens to the contact and to the channel.
    """
    fault = message.channel.can.read_error(code).fault
    if fault is Fault.NUMBER and message.contact_id is not None:
        notices.add_unreachable(tx, contacts.mark_unreachable(tx, [message.contact_id]), now)
    if fault is Fault.OPTED_OUT and message.contact_id is not None:
        at_number = open_questions.sharing(tx, [message.contact_id])[message.contact_id]
        notices.add_stopped(tx, contacts.stop(tx, at_number, StoppedBy.PROVIDER, now), now)
    if fault in (Fault.TEXT, Fault.OPERATOR, Fault.ACCOUNT):
        log.error("message %s came back with %s: see what the provider says of it", message.id, code)
        # A server that sends mail back speaks for its readers alone; our own server refuses mail at once.
        if message.channel.can.judges_sender and (fault is not Fault.TEXT or _most_are_filtered(tx, message.channel)):
            until = now + CHANNEL_PAUSE
            log.error("channel %s pauses: a receipt says %s; see the docs", message.channel, code)
            heartbeats.pause(tx, message.channel, code or "", now=now, until=until)
    reschedule.reschedule_today(tx, [message.id], now)


def _most_are_filtered(tx: Tx, channel: ChannelName) -> bool:
    """Return whether most of the latest texts were filtered, so that sending on would lose the rest.

    The filter of a single telephone is its owner's own choice and does not count.
    """
    ends = receipts.latest_ends(tx, ENDS_OF_TEXTS, ENDS_LOOKED_AT)
    filtered = sum(channel.can.read_error(code).fault is Fault.TEXT for code in ends)
    return filtered >= FEWEST_FILTERED and 2 * filtered > len(ends)
