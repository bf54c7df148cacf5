"""A trial of the mail server while somebody waits for a login code, so that the page can say that none leaves.

It is made for each address alike, whether or not a code was sent there: what a page says of it tells nothing of that.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine

from reminder.clock import Clock
from reminder.domain.model.messages import Channel, TriableChannel
from reminder.domain.rules import code_delivery
from reminder.errors import ChannelError
from reminder.storage.db.session import Database
from reminder.storage.runtime import mail_trials

log = logging.getLogger(__name__)


def try_mail(
    database: Database, clock: Clock, channel: Channel | None, run: Callable[[Coroutine[None, None, bool]], bool]
) -> bool:
    """Try the mail server if somebody waits to know, with no transaction open; return whether it was tried."""
    with database.reading() as tx:
        known = mail_trials.find(tx)
    if not code_delivery.is_to_be_tried(
        is_open=known.is_open,
        has_failed=known.has_failed,
        asked_at=known.asked_at,
        fails_at=known.fails_at,
        now=clock.now(),
    ):
        return False
    works = run(_takes_mail(channel)) if isinstance(channel, TriableChannel) else channel is not None
    with database.writing() as tx:
        mail_trials.record(tx, works=works, now=clock.now())
    return True


async def _takes_mail(channel: TriableChannel) -> bool:
    try:
        async with asyncio.timeout(code_delivery.TRIED_FOR):
            await channel.try_out()
    except (ChannelError, TimeoutError):
        return False
    except Exception:
        log.exception("the mail server could not be tried")
        return False
    return True
