"""The evening balance: each day's promises are counted in its evening, and sent to the operator once a week."""

from collections.abc import Collection
from datetime import datetime, timedelta

from reminder.domain.model.messages import MessageKind, Urgency
from reminder.domain.model.people import Audience, ChannelName, Language
from reminder.domain.rules import hours
from reminder.domain.rules.digest_week import Week
from reminder.domain.rules.evening_balance import in_order, is_final, last_day_to_count
from reminder.storage.db.unit_of_work import UnitOfWork, UnitsOfWork
from reminder.storage.outbox import queue
from reminder.storage.outbox.queue import MessageDraft
from reminder.storage.reminders import daily_balances
from reminder.storage.runtime import heartbeats

# Until then the mail of a week is tried; what it says stays in `reminder balance`.
TRUE_FOR = timedelta(days=3)


def count_days(units: UnitsOfWork, now: datetime, proving: Collection[ChannelName]) -> int:
    """Count each day whose evening has come and that was not counted, or not to its end; return their number.

    A day is counted whole in a transaction of its own. `proving`: the channels that can say whether a message arrived.
    """
    last = last_day_to_count(now)
    with units.reading(now) as uow:
        days = {*daily_balances.missing_days(uow.tx, last), *daily_balances.unsettled_days(uow.tx, last, now)}
    for day in sorted(days):
        with units.writing(now) as uow:
            found = daily_balances.count(uow.tx, day, uow.rules.channels, proving)
            daily_balances.replace(uow.tx, day, found, is_final=is_final(day, now, found), now=now)
    return len(days)


def mail_week(units: UnitsOfWork, now: datetime, address: str) -> int:
    """Queue the mail about the week before to the operator, once a week; return 1 where there was one to write."""
    week = Week.of(hours.japan(now).date())
    with units.writing(now) as uow:
        sent = heartbeats.last(uow.tx, heartbeats.BALANCE)
        if sent is not None and sent >= week.begins:
            return 0
        heartbeats.record(uow.tx, heartbeats.BALANCE, now)
        return len(queue.add_new(uow.tx, uow.keys, _drafts(uow, week, address), uow.now))


def _drafts(uow: UnitOfWork, week: Week, address: str) -> list[MessageDraft]:
    first, last = week.monday - timedelta(days=7), week.monday - timedelta(days=1)
    found = in_order(daily_balances.between(uow.tx, first, last), list(uow.rules.channels))
    if not found:
        return []
    said = uow.rules.composer.balance(Language.JAPANESE, first, last, found)
    return [
        MessageDraft(
            key=f"balance:{week.name}",
            kind=MessageKind.NOTICE,
            group_id=None,
            contact_id=None,
            address=address,
            audience=Audience.CARER,
            channel=ChannelName.EMAIL,
            subject=said.subject,
            text=said.text,
            segments=0,
            scheduled_at=uow.now,
            expires_at=uow.now + TRUE_FOR,
            urgency=Urgency.ROUTINE,
            language=Language.JAPANESE,
        )
    ]
