"""A change of keys: everything that older keys have sealed is sealed with the newest, while the service goes on."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from reminder.errors import ConflictError
from reminder.storage.db.unit_of_work import UnitsOfWork
from reminder.storage.maintenance import key_rotation
from reminder.storage.runtime import heartbeats

# How often rows that others held are tried again before they are left to the next run.
ROUNDS = 20
# A worker that has not passed for so long is not at work any more.
SILENCE = timedelta(minutes=2)
# What is found by a key and cannot be indexed anew is forgotten by then.
KEPT_LONGER = timedelta(days=1)


@dataclass(frozen=True)
class Rotated:
    """`left`: rows that others held to the end, or that no key opens. `unneeded`: the names of the keys that nothing
    needs any more, from the instant `from_then_on`."""

    changed: int
    left: int
    newest: str
    unneeded: tuple[str, ...]
    from_then_on: datetime


def rotate(units: UnitsOfWork, now: datetime, tell: Callable[[str, int], None]) -> Rotated:
    """It may be killed and run again at any time. Raises ConflictError (keys_not_everywhere) while a worker is at work
    that could not read what it seals. `tell` hears of each batch: which column, and how many rows of it so far."""
    keys = units.keys
    with units.reading(now) as uow:
        if heartbeats.is_at_work_with_another_key(uow.tx, keys.ids[0], now - SILENCE):
            raise ConflictError("keys_not_everywhere")
    changed, left = 0, 0
    for _ in range(ROUNDS):
        held, unreadable = 0, 0
        for sealed in key_rotation.SEALED:
            of_this = 0
            for batch in key_rotation.renew(units.database, keys, sealed):
                of_this += batch.changed
                held, unreadable = held + batch.held, unreadable + batch.unreadable
                if batch.changed:
                    tell(sealed.name, of_this)
            changed += of_this
        left = held + unreadable
        if not held:
            break
    with units.reading(now) as uow:
        used = key_rotation.keys_in_use(uow.tx)
        soon = key_rotation.has_what_is_forgotten_soon(uow.tx)
    unneeded = () if left else tuple(key for key in keys.ids[1:] if key not in used)
    return Rotated(changed, left, keys.ids[0], unneeded, now + KEPT_LONGER if soon else now)
