"""When the lists of providers are read: at the start, after each gap, every hour, and in the evening."""

import logging
from collections.abc import Collection
from datetime import datetime, time, timedelta
from weakref import WeakSet

from reminder.clock import japan_date
from reminder.conversation import inbox
from reminder.delivery import provider_lists
from reminder.delivery.provider_lists import AT_FIRST, Fetched
from reminder.domain.model.people import ChannelName
from reminder.domain.rules import hours
from reminder.storage.db.session import Database
from reminder.storage.runtime import provider_fetches
from reminder.storage.runtime.provider_fetches import FetchView
from reminder.wiring import App

log = logging.getLogger(__name__)

# A way that is closed between the provider and us is seen by nobody: so the lists are read without a reason, too.
EVERY = timedelta(hours=1)
# In the evening the whole day is read again: some carriers report after hours.
EVENING = time(18, 30)
# A provider that cannot be asked is asked again after this time.
AFTER_FAILURE = timedelta(minutes=1)


def want_at_start(app: App) -> None:
    """Want everything since the last reading: nobody knows how long this process was away."""
    names = provider_lists.listed(app.channels)
    with app.writing() as uow:
        for name in names:
            last = provider_fetches.of(uow.tx, name).fetched_until
            provider_lists.want(uow, [name], last or uow.now - AT_FIRST)


# The databases whose lists this process has wanted since it started.
_STARTED: WeakSet[Database] = WeakSet()


def fetch_due(app: App) -> list[Fetched]:
    """Read the lists that are due, and return what they have brought."""
    names, due = provider_lists.listed(app.channels), list[ChannelName]()
    if not names:
        return []
    if app.database not in _STARTED:
        want_at_start(app)
        _STARTED.add(app.database)
    now = app.clock.now()
    with app.reading() as uow:
        states = [provider_fetches.of(uow.tx, name) for name in names]
    for state in states:
        since = _since(state, now)
        if since is not None:
            with app.writing() as uow:
                provider_lists.want(uow, [state.channel], since)
        is_refused = state.failure is not None and state.tried_at is not None and now - state.tried_at < AFTER_FAILURE
        if (since is not None or state.is_wanted) and not is_refused:
            due.append(state.channel)
    return fetch(app, due)


def _since(state: FetchView, now: datetime) -> datetime | None:
    """Return from when on a list is to be read because of the hour, None where nothing is due."""
    until = state.fetched_until
    if state.is_wanted or until is None:
        return None
    evening = hours.instant(japan_date(now), EVENING)
    if until < evening <= now:
        return hours.instant(japan_date(now), time(0))
    return until if now - until >= EVERY else None


def fetch(app: App, names: Collection[ChannelName]) -> list[Fetched]:
    """Read the lists of these channels, of which something is wanted."""
    histories, found = provider_lists.listed(app.channels), list[Fetched]()
    for name in names:
        if name in histories:
            read = provider_lists.fetch(app.units, app.clock, name, histories[name], app.loop.run, inbox.keep_listed)
            found += [] if read is None else [read]
    return found
