"""Which of several PostgreSQL servers may be written to.

A fail-over can leave two servers that both take writes. A hand-over that is recorded on the one that was given up is
not known on the other, which sends the text once more. So with several hosts in its URL a transaction commits only
where that cannot happen: a standby must have each commit (synchronous replication; a server that was given up waits for
it in vain), or the manager of the fail-over has said a moment ago that this server is its leader.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from reminder.clock import monotonic
from reminder.errors import DatabaseNotReadyError

# In `service_state`: the newest timeline that was seen, and how commits on it were kept.
NAME = "primary"
COLUMNS = (
    "current_setting('synchronous_standby_names'), current_setting('synchronous_commit'),"
    # The number of the timeline; it grows with every promotion. The name of a segment begins with it.
    " ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::bigint,"
    " (SELECT value FROM service_state WHERE name = 'primary')"
)
_NOTE = (
    "INSERT INTO service_state (name, value) VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)
# Commits that no standby has to confirm.
_LOCAL_ONLY = ("off", "local")
# `alone`: it follows one whose commits were synchronous, and so cannot commit any more; no other may follow it.
_Kept = Literal["synchronous", "lease", "alone"]


class Lease(NamedTuple):
    """The answer of the manager of the fail-over: the timeline of its leader, and until when it counts.

    `until` is in the seconds of `clock.monotonic`.
    """

    timeline: int
    until: float


# Asks the manager of the fail-over; raises DatabaseNotReadyError, code database_not_leader, where none answers.
AskLeader = Callable[[], Lease]
# What is done, in the same transaction, after a fail-over that may have lost the last commits.
AfterFailover = Callable[[Session], None]


class PrimaryGuard:
    """The check of every writing transaction. `leader`: None where no manager of a fail-over can be asked."""

    def __init__(self, leader: AskLeader | None) -> None:
        self._leader = leader
        self._lease: Lease | None = None
        self._is_synchronous = False
        self.after_failover: AfterFailover | None = None

    def before(self) -> None:
        """Renew the lease, if it is needed; no transaction may be open."""
        if self._leader is not None and not self._is_synchronous and not self._holds():
            self._lease = self._leader()

    def _holds(self) -> bool:
        return self._lease is not None and monotonic() < self._lease.until

    def check(self, tx: Session, row: Any, *, is_confined: bool) -> None:
        """Raise DatabaseNotReadyError unless a commit on this server can be relied on.

        Codes database_not_leader and database_not_synchronous. `row`: COLUMNS of this transaction. `is_confined`: its
        role may not note what it sees.
        """
        names, commit, timeline, noted = row
        seen, _, kept = (noted or "0 ").partition(" ")
        self._is_synchronous = bool(names.strip()) and commit not in _LOCAL_ONLY
        if timeline < int(seen):
            raise DatabaseNotReadyError("database_not_leader")
        is_alone = (kept == "synchronous" and timeline > int(seen)) or (kept == "alone" and timeline == int(seen))
        if self._is_synchronous:
            now: _Kept = "synchronous"
        elif self._leader is not None:
            if not self._holds() or self._lease is None or self._lease.timeline != timeline:
                self._lease = None
                raise DatabaseNotReadyError("database_not_leader")
            now = "lease"
        elif is_alone:
            now = "alone"
        else:
            raise DatabaseNotReadyError("database_not_synchronous")
        if is_confined:
            return
        may_have_lost = kept in ("lease", "alone") and timeline > int(seen)
        if may_have_lost and self.after_failover is not None:
            self.after_failover(tx)
        if (seen, kept) != (str(timeline), now):
            self._note(tx.connection(), f"{timeline} {now}")

    @staticmethod
    def _note(connection: Connection, value: str) -> None:
        connection.exec_driver_sql(_NOTE, (NAME, value)).close()

    def after(self) -> None:
        """Raise DatabaseNotReadyError where the lease ended before the commit: another server may have taken over."""
        if self._is_synchronous or self._leader is None or self._holds():
            return
        before, self._lease = self._lease, None
        self._lease = self._leader()
        if before is None or self._lease.timeline != before.timeline:
            raise DatabaseNotReadyError("database_not_leader")
