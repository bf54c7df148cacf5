"""The check of a whole record: its free fields together must hold no number that none of them holds alone.

Every entry comes through the use cases that call this: the API, the pages, the command line and the imports.
"""

from typing import Protocol

from reminder.errors import ForbiddenNumberError
from reminder.guard.numbers import forbidden_in_record
from reminder.storage.db.session import Tx
from reminder.storage.registry import people

FIELD = "record"


class PersonWords(Protocol):
    """The free words of a person."""

    @property
    def label(self) -> str:
        """What the family or the home calls them."""

    @property
    def mark(self) -> str | None:
        """The mark word."""

    @property
    def reference(self) -> str | None:
        """The home's own reference."""

    @property
    def room(self) -> str | None:
        """The room."""

    @property
    def unit(self) -> str | None:
        """The floor or unit."""

    @property
    def office(self) -> str | None:
        """The office that renews their cards."""


def refuse_hidden_number(*fields: str | None) -> None:
    """Raise ForbiddenNumberError if the fields together hold a number or a passcode."""
    looks_like = forbidden_in_record(fields)
    if looks_like is not None:
        raise ForbiddenNumberError(field=FIELD, looks_like=looks_like)


def refuse_with_person(person: PersonWords, *more: str | None) -> None:
    """Raise ForbiddenNumberError if a person's words, with others beside them, hold a number or a passcode."""
    refuse_hidden_number(person.label, person.mark, person.reference, person.room, person.unit, person.office, *more)


def refuse_beside_person(tx: Tx, person_id: int | None, word: str | None) -> None:
    """Check a word that is stored beside a person, such as who heard a consent. Raises ForbiddenNumberError."""
    person = None if person_id is None or not word or word.isalpha() else people.find(tx, person_id)
    if person is not None:
        refuse_with_person(person, word)
