"""Is it working? What the service says of itself when asked, and what somebody must do about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from reminder.clock import japan_date
from reminder.errors import DatabaseNotReadyError
from reminder.storage import health, messages, schema
from reminder.storage.session import Database

# Several missed bells in a row: a restart or a slow pass is shorter.
QUIET_FOR_TOO_LONG = timedelta(minutes=5)


@dataclass(frozen=True)
class Health:
    """`troubles` are stable codes; it can work when there are none. `last_pass` is aware UTC."""

    troubles: tuple[str, ...]
    last_pass: datetime | None
    messages: Mapping[str, int]
    pauses: Mapping[str, str]  # channel -> the provider's reason

    @property
    def is_ready(self) -> bool:
        return not self.troubles


def look(database: Database, now: datetime) -> Health:
    try:
        schema.require_newest(database)
        with database.reading() as tx:
            last_pass = health.last_beat(tx, health.TICK)
            pauses = {pause.channel: pause.reason for pause in health.pauses(tx, now)}
            overdue = health.overdue_cards(tx, japan_date(now) - timedelta(days=1))
            counts = messages.counts(tx)
    except DatabaseNotReadyError as not_ready:
        return Health((not_ready.code,), None, {}, {})
    troubles = []
    if last_pass is None or now - last_pass > QUIET_FOR_TOO_LONG:
        troubles.append("worker_silent")
    if overdue:
        troubles.append("cards_overdue")
    troubles += [f"channel_paused_{channel}" for channel in sorted(pauses)]
    return Health(tuple(troubles), last_pass, counts, pauses)
