"""Arrivals: near the end of a day the provider is asked whether what it has accepted has arrived.

Its answers are stored as receipts. A message of which it cannot say so is not counted on any more: see
planning/promise_keeping.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import datetime

from reminder.delivery import apply_receipts
from reminder.domain.model.messages import Channel, ProviderReport, ReportingChannel
from reminder.domain.model.people import ChannelName
from reminder.domain.rules.promise_checks import ASKS_BEFORE_END
from reminder.errors import ChannelError
from reminder.storage.crypto.keyring import KeyRing
from reminder.storage.db.session import Database
from reminder.storage.outbox import receipts
from reminder.storage.reminders import promises
from reminder.storage.reminders.promises import UnprovenMessage

log = logging.getLogger(__name__)

AT_ONCE = 1000
SIDE_BY_SIDE = 20
# After so many questions in a row without an answer a channel is not asked any more in this pass.
PATIENCE = 3

Reports = list[ProviderReport | None]


def ask_arrivals(
    database: Database,
    keys: KeyRing,
    now: datetime,
    channels: Mapping[ChannelName, Channel],
    run: Callable[[Coroutine[None, None, Reports]], Reports],
) -> int:
    """Ask about the messages whose promise ends soon, and store and apply what is said; return their number."""
    able = reporting(channels)
    with database.reading() as tx:
        unproven = promises.unproven(tx, keys, able.keys(), now=now, ends_by=now + ASKS_BEFORE_END, limit=AT_ONCE)
    if not unproven:
        return 0
    asking = _Questions(able)
    for start in range(0, len(unproven), SIDE_BY_SIDE):
        some = unproven[start : start + SIDE_BY_SIDE]
        reports = run(asking.ask(some))
        with database.writing() as tx:
            for one, report in zip(some, reports, strict=True):
                if report is not None:
                    receipts.keep(
                        tx,
                        provider_id=one.provider_id,
                        status=report.status,
                        error_code=report.error_code,
                        message_id=one.message_id,
                        seconds=report.seconds,
                        now=now,
                    )
            promises.mark_asked(tx, {one.promise_id for one in some}, now)
    apply_receipts.apply_waiting(database, now)
    return len(unproven)


def reporting(channels: Mapping[ChannelName, Channel]) -> dict[ChannelName, ReportingChannel]:
    """Return those of the channels whose providers can say whether a message has arrived.

    For the others acceptance is all that is ever known.
    """
    return {
        name: channel
        for name, channel in channels.items()
        if name.can.proves_arrival and isinstance(channel, ReportingChannel)
    }


class _Questions:
    def __init__(self, channels: Mapping[ChannelName, ReportingChannel]) -> None:
        self._channels = channels
        self._silence: dict[ChannelName, int] = {}

    async def ask(self, unproven: Sequence[UnprovenMessage]) -> Reports:
        """Return what the providers say, in the order of the messages; None where they say nothing."""
        return list(await asyncio.gather(*map(self._report, unproven)))

    async def _report(self, unproven: UnprovenMessage) -> ProviderReport | None:
        if self._silence.get(unproven.channel, 0) >= PATIENCE:
            return None
        try:
            report = await self._channels[unproven.channel].look_up(unproven.address, unproven.provider_id)
        except ChannelError:
            self._silence[unproven.channel] = self._silence.get(unproven.channel, 0) + 1
            return None
        except Exception:
            log.exception("message %s: the %s channel cannot be asked", unproven.message_id, unproven.channel)
            return None
        self._silence[unproven.channel] = 0
        return report
