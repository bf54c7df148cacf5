"""The web server's own gaps: times in which calls of providers cannot have reached it, which are read again.

Whether this process was away, could not reach its database, or answered with an error: a provider calls once.
"""

import logging
from datetime import datetime, timedelta
from threading import Lock

from reminder.delivery import provider_lists
from reminder.storage.db.row_security import Access, AccessScope
from reminder.storage.runtime import heartbeats
from reminder.wiring import App

log = logging.getLogger(__name__)

WEBHOOKS = "/webhooks/"
RECORDED_EVERY = 15.0
# A restart of a few seconds loses calls, too; but clocks and a busy machine must not make gaps of nothing.
GAP = timedelta(seconds=40)
# A call was made before it was answered.
BEFORE_ITS_ANSWER = timedelta(minutes=1)


class WebLiveness:
    """What this process knows of its gaps. Several threads may use it.

    `record` stores that it lives, and the gaps since the last time that it could; a failure leaves them to the next.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._missed_since: datetime | None = None
        self._last: datetime | None = None

    def note_missed(self, now: datetime) -> None:
        """Note that a provider's call was answered with an error, so that what it said is lost."""
        with self._lock:
            since = now - BEFORE_ITS_ANSWER
            self._missed_since = since if self._missed_since is None else min(since, self._missed_since)

    def record(self, app: App) -> None:
        """Store that this process lives, and want what it may have missed. Raises what the database raises."""
        with self._lock:
            missed = self._missed_since
        names = provider_lists.listed(app.channels)
        with app.units.acting_for(Access(scope=AccessScope.PROVIDER)).writing(app.clock.now()) as uow:
            last = self._last or heartbeats.last(uow.tx, heartbeats.WEB)
            gaps = [missed] if missed is not None else []
            gaps += [last] if last is not None and uow.now - last > GAP else []
            if gaps and names:
                log.warning("calls of providers may not have reached us since %s: they are asked", min(gaps))
                provider_lists.want(uow, list(names), min(gaps))
            heartbeats.record(uow.tx, heartbeats.WEB, uow.now)
            now = uow.now
        with self._lock:
            self._last = now
            if self._missed_since == missed:
                self._missed_since = None
