"""The unit of work: one transaction and what a use case needs inside it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from threading import Event

from reminder.clock import japan_date
from reminder.domain.rulebook import Rulebook
from reminder.storage.crypto.keyring import KeyRing
from reminder.storage.db.row_security import NOBODY, Access
from reminder.storage.db.session import Database, Tx


@dataclass
class CurrentAccess:
    """For whom the units of one request act: nobody until it is known who asks."""

    now: Access = NOBODY


@dataclass(frozen=True)
class UnitOfWork:
    """One open transaction, with the keys, the rules and the instant that everything inside it shares.

    Use cases take it as their first parameter. They never commit and never open a transaction of their own, so that
    several of them are committed together or not at all. The code that opened it decides when it ends.
    """

    tx: Tx
    keys: KeyRing
    rules: Rulebook
    now: datetime  # aware UTC
    _erased: Event = field(default_factory=Event, repr=False, compare=False)

    @property
    def today(self) -> date:
        """The date in Japan."""
        return japan_date(self.now)

    def note_erasure(self) -> None:
        """Request that the database's write-ahead log is truncated after the commit: it holds erased content."""
        self._erased.set()

    @property
    def has_erased(self) -> bool:
        """Whether `note_erasure` was called."""
        return self._erased.is_set()


@dataclass(frozen=True)
class UnitsOfWork:
    """A factory of units of work on one database.

    Entry points (web, cli, worker, tests) open a unit and pass it to use cases. A step that needs several transactions
    takes the factory instead. No unit may be open while a provider is called: on SQLite a writing one locks the file.
    """

    database: Database
    keys: KeyRing
    rules: Rulebook
    access: CurrentAccess = field(default_factory=CurrentAccess, kw_only=True)

    def acting_for(self, access: Access) -> "UnitsOfWork":
        """Return a factory of units on the same database that act for these."""
        return UnitsOfWork(self.database, self.keys, self.rules, access=CurrentAccess(access))

    def __post_init__(self) -> None:
        self.database.open_with(self.keys)

    @contextmanager
    def writing(self, now: datetime) -> Iterator[UnitOfWork]:
        """Open a unit that commits at the end of its block, or leaves nothing behind if the block raises.

        Raises DatabaseNotReadyError, also where the tables are no longer those of this version.
        """
        with self.database.writing(self.access.now) as tx:
            uow = UnitOfWork(tx, self.keys, self.rules, now)
            yield uow
        if uow.has_erased:
            self.database.empty_log()

    @contextmanager
    def logging(self, now: datetime) -> Iterator[UnitOfWork]:
        """Open a unit that only logs what was read: it commits in a database that is closed, too."""
        with self.database.writing(self.access.now, even_closed=True) as tx:
            yield UnitOfWork(tx, self.keys, self.rules, now)

    @contextmanager
    def reading(self, now: datetime) -> Iterator[UnitOfWork]:
        """Open a unit that sees one state of the database and never changes it; raises DatabaseNotReadyError."""
        with self.database.reading(self.access.now) as tx:
            yield UnitOfWork(tx, self.keys, self.rules, now)


@dataclass(frozen=True)
class UnitsWithin(UnitsOfWork):
    """A factory inside an open unit of work, which returns that unit each time.

    The changes of a step with several transactions are then committed together with the outer unit, or not at all.
    """

    outer: UnitOfWork

    @contextmanager
    def writing(self, now: datetime) -> Iterator[UnitOfWork]:
        """Return the outer unit, whose instant may be an earlier one; its block decides about the commit."""
        del now
        yield self.outer

    @contextmanager
    def reading(self, now: datetime) -> Iterator[UnitOfWork]:
        """Return the outer unit, which sees its own changes."""
        del now
        yield self.outer
