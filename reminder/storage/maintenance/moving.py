"""A database whose data move elsewhere: it is closed, and opened again only by a command.

Also here: what is done where a database has lost its last commits, by a restore or a fail-over.
"""

from datetime import datetime, timedelta

from sqlalchemy import delete, exists, select
from sqlalchemy.orm import Session

from reminder.domain.rules.other_copy import ASKED_BACK
from reminder.domain.rules.restore import LEAST_IDS, ids_left_out
from reminder.errors import ConflictError, DatabaseNotReadyError, SettingsError
from reminder.storage.crypto.keyring import KeyRing
from reminder.storage.db import fence, primaries, schema
from reminder.storage.db.fence import Moved
from reminder.storage.db.session import Database, reachable
from reminder.storage.db.statements import put
from reminder.storage.db.tables import Message, ServiceState
from reminder.storage.maintenance import installation, snapshot
from reminder.storage.outbox import restore_guard
from reminder.storage.runtime import copy_notice, heartbeats, work_conditions
from reminder.storage.runtime.copy_notice import OtherCopy

# A heartbeat that is there was committed with everything before it; clocks of two machines differ by seconds.
BEFORE_HEARTBEAT = timedelta(seconds=10)


def closed(database: Database) -> Moved | None:
    """Return when the database was closed, and where its data are; None for one that is open."""
    with reachable(), database.engine.connect() as connection:
        return fence.find(connection)


def close(database: Database, *, to: str, now: datetime) -> None:
    """Close the database: nothing is written, sent or served from it any more. `to`: where its data are now.

    It waits for the writing transaction that is open. Raises DatabaseNotReadyError for one that is closed already.
    """
    with database.writing() as tx:
        fence.refuse_moved(tx.connection())
        put(tx, ServiceState, {"name": fence.NAME}, {"value": fence.moved(now, to).value})


def take_back(database: Database) -> None:
    """Open a database that was closed a moment ago, and whose data went nowhere."""
    with reachable(), database.engine.execution_options(kigen_writes=True).begin() as connection:
        connection.execute(delete(ServiceState).where(ServiceState.name == fence.NAME))


def reopen(database: Database, now: datetime) -> Moved:
    """Open a database whose data did go elsewhere, and return how it was closed.

    Meanwhile the other one may have sent messages and given ids: it is treated like a back-up of the instant of its
    closing. Raises ConflictError, code database_open, for one that is open.
    """
    was = closed(database)
    if was is None:
        raise ConflictError("database_open")
    with (
        reachable(),
        database.engine.execution_options(kigen_writes=True).begin() as connection,
        Session(connection) as tx,
    ):
        tx.execute(delete(ServiceState).where(ServiceState.name == fence.NAME))
        restore_guard.begin(tx, taken_at=was.at, now=now)
        snapshot.count_on(connection, {}, ids_left_out(was.at, now), is_filled=False)
        tx.flush()
    return was


def forget_place(tx: Session) -> None:
    """Remove from a restored database what was true of the place of its back-up only."""
    only_there = (fence.NAME, primaries.NAME, copy_notice.NAME, work_conditions.STRAY_REFERENCE_IN)
    tx.execute(delete(ServiceState).where(ServiceState.name.in_(only_there)))


def has_sent_since(tx: Session, at: datetime) -> bool:
    """Return whether the hand-over of a message has begun after this instant."""
    return bool(tx.execute(select(exists().where(Message.handed_at > at))).scalar())


def is_same_installation(database: Database, keys: KeyRing) -> bool:
    """Return whether a database is at this program's version, and these keys open its secret of references."""
    try:
        if schema.present(database) != schema.newest():
            return False
        with database.reading() as tx:
            return installation.find_secret(tx, keys, installation.REFERENCES) is not None
    except (DatabaseNotReadyError, SettingsError):
        return False


def settle_other_copy(tx: Session, now: datetime) -> OtherCopy | None:
    """Record that another copy is at work no more; return when it was noticed, None where none was.

    What it may have sent is asked about, as after a restore, and what comes back of it is explained.
    """
    was = copy_notice.noticed(tx)
    if was is None:
        return None
    copy_notice.forget(tx)
    restore_guard.doubt(tx, taken_at=max(was.since, now - ASKED_BACK), now=now)
    return was


def note_failover(tx: Session, now: datetime) -> None:
    """Treat a database that was promoted without its last commits like a restored back-up of its last heartbeat.

    What may have been handed over since is asked about before it is sent, and ids that may have been given are left
    out. Nobody has to sign in again.
    """
    last = heartbeats.last(tx, heartbeats.PASS)
    restore_guard.doubt(tx, taken_at=min(now, last or now) - BEFORE_HEARTBEAT, now=now)
    snapshot.count_on(tx.connection(), {}, LEAST_IDS, is_filled=False)
