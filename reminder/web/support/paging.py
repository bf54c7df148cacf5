"""Long lists in pages of some fifty rows, with a search: by links and a form of the browser's own, without scripts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, TypeVar
from urllib.parse import urlencode

from fastapi import Depends

from reminder.storage.db.session import Tx
from reminder.storage.registry import name_index

# A group of at most so many people is shown whole, without a search; a larger one in pages of so many rows.
ROWS_SHOWN = 50
T = TypeVar("T")


@dataclass(frozen=True)
class Paging:
    """Which rows of a list of `total` a page shows, and the addresses of the pages beside it.

    `first` and `last` count from 1. `query`: the fields that the addresses keep, without the number of the page.
    """

    total: int
    number: int
    size: int
    path: str
    query: Mapping[str, str]

    @property
    def skipped(self) -> int:
        """Return the number of rows before the first one shown."""
        return (self.number - 1) * self.size

    @property
    def first(self) -> int:
        """Return the number of the first row shown."""
        return self.skipped + 1

    @property
    def last(self) -> int:
        """Return the number of the last row shown."""
        return min(self.skipped + self.size, self.total)

    @property
    def previous(self) -> str | None:
        """Return the address of the page before, if there is one."""
        return self._address(self.number - 1) if self.number > 1 else None

    @property
    def following(self) -> str | None:
        """Return the address of the next page, if there is one."""
        return self._address(self.number + 1) if self.last < self.total else None

    def _address(self, number: int) -> str:
        fields = {name: value for name, value in self.query.items() if value}
        if number > 1:
            fields["page"] = str(number)
        return f"{self.path}?{urlencode(fields)}" if fields else self.path


@dataclass(frozen=True)
class Search:
    """What an address asks of a long list: words, a unit, and the number of the page as it stands there."""

    words: str
    unit: str
    number: str

    def is_for_some(self) -> bool:
        """Return whether only some of the people are asked for."""
        return bool(self.words.strip() or self.unit)

    def people_found(self, tx: Tx, group_id: int) -> set[int] | None:
        """Return the ids of those who have the words in their name, unit, room or reference, and are of the unit.

        None where everybody is asked for.
        """
        if not self.is_for_some():
            return None
        return set(name_index.matching(tx, group_id, words=self.words, unit=self.unit or None))


def _search(q: str = "", unit: str = "", page: str = "") -> Search:
    return Search(q, unit, page)


Searched = Annotated[Search, Depends(_search)]


def paged(
    rows: Sequence[T], search: Search, path: str, size: int = ROWS_SHOWN, **fields: str
) -> tuple[Sequence[T], Paging]:
    """Return the rows of the page that is asked for: what is no number is the first, and one too large the last.

    `fields`: what else the addresses of the other pages keep.
    """
    asked = int(search.number) if search.number.isdecimal() and len(search.number) < 9 else 1
    most = max(1, -(-len(rows) // size))
    query = {"q": search.words, "unit": search.unit, **fields}
    paging = Paging(len(rows), min(max(asked, 1), most), size, path, query)
    return rows[paging.skipped : paging.skipped + size], paging
