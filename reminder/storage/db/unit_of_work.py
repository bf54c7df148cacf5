"""The unit of work: one transaction and what a use case needs inside it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime

from reminder.clock import japan_date
from reminder.domain.rulebook import Rulebook
from reminder.storage.keys import KeyRing
from reminder.storage.session import Database, Tx


@dataclass(frozen=True)
class UnitOfWork:
    """One open transaction, with the keys, the rules and the instant that everything inside it shares.

    Use cases take it as their first parameter. They never commit and never open a transaction of their own, so that
    several of them are kept together or not at all. Whoever opened it decides when it ends.
    """

    tx: Tx
    keys: KeyRing
    rules: Rulebook
    now: datetime  # aware UTC

    @property
    def today(self) -> date:
        """The date in Japan."""
        return japan_date(self.now)


@dataclass(frozen=True)
class UnitsOfWork:
    """The factory of units of work on one database.

    Entry points (web, cli, worker, tests) open a unit and hand it to use cases. A step that needs several transactions
    takes the factory instead. No unit may be open while a provider is called: on SQLite a writing one holds the file.
    """

    database: Database
    keys: KeyRing
    rules: Rulebook

    @contextmanager
    def writing(self, now: datetime) -> Iterator[UnitOfWork]:
        """Open a unit that commits at the end of its block, or leaves nothing behind if the block raises.

        Raises DatabaseNotReadyError, also where the tables are no longer those of this version.
        """
        with self.database.writing() as tx:
            yield UnitOfWork(tx, self.keys, self.rules, now)

    @contextmanager
    def reading(self, now: datetime) -> Iterator[UnitOfWork]:
        """Open a unit that sees one state of the database and never changes it. Raises DatabaseNotReadyError."""
        with self.database.reading() as tx:
            yield UnitOfWork(tx, self.keys, self.rules, now)
