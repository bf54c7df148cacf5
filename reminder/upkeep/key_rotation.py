"""Key rotation: encrypts with the newest key what older keys have encrypted, while the service runs."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from reminder.errors import ConflictError
from reminder.storage.auth.proofs import PROOFS
from reminder.storage.db.unit_of_work import UnitsOfWork
from reminder.storage.maintenance import installation, key_rotation
from reminder.storage.runtime import activity_log, heartbeats

# How often rows that others have locked are tried again before they are left to the next run.
ROUNDS = 20
# A worker without a pass for this time is not running.
SILENCE = timedelta(minutes=2)
# Rows that are found by a key and cannot be indexed anew are deleted by then.
KEPT_LONGER = timedelta(days=1)


@dataclass(frozen=True)
class Rotated:
    """The result of a rotation. `changed`: values that were sealed again.

    `left`: rows that others had locked to the end, or that no key opens. `unneeded`: the names of the keys that nothing
    needs from the instant `from_then_on`.
    """

    changed: int
    left: int
    newest: str
    unneeded: tuple[str, ...]
    from_then_on: datetime


def rotate(units: UnitsOfWork, now: datetime, on_progress: Callable[[str, int], None]) -> Rotated:
    """Rotate the keys; it may be killed and run again at any time.

    Raises ConflictError (keys_not_everywhere) while a worker runs that could not read the result. `on_progress` is
    called after each batch with the column and the number of its rows so far.
    """
    keys = units.keys
    with units.reading(now) as uow:
        if heartbeats.is_at_work_with_another_key(uow.tx, keys.ids[0], now - SILENCE):
            raise ConflictError("keys_not_everywhere")
    with units.writing(now) as uow:
        activity_log.write(uow.tx, "keys_rotated", now)
    changed, left = 0, 0
    for _ in range(ROUNDS):
        held, unreadable = 0, 0
        for sealed in key_rotation.SEALED:
            of_this = 0
            for batch in key_rotation.renew(units.database, keys, sealed):
                of_this += batch.changed
                held, unreadable = held + batch.held, unreadable + batch.unreadable
                if batch.changed:
                    on_progress(sealed.name, of_this)
            changed += of_this
        for proof in PROOFS:
            key_rotation.renew_proofs(units.database, keys, proof)
        left = held + unreadable
        if not held:
            break
    with units.reading(now) as uow:
        used = key_rotation.keys_in_use(uow.tx)
        soon = key_rotation.has_short_lived_rows(uow.tx)
    unneeded = () if left else tuple(key for key in keys.ids[1:] if key not in used)
    with units.writing(now) as uow:
        # From now on the service starts without them.
        installation.forget_keys(uow.tx, unneeded)
    return Rotated(changed, left, keys.ids[0], unneeded, now + KEPT_LONGER if soon else now)
