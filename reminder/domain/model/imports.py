"""The import of a home's sheet: its states, what its columns hold, and what is found out about its rows."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from reminder.errors import RefusedInputError

# A field that holds the end of a card is called by its kind: "card:mynumber_card".
CARD = "card:"


class ImportState(StrEnum):
    """How far an import has come."""

    READING = "reading"  # its rows come in; one that stays so was broken off
    READ = "read"  # waits for somebody to say what its columns hold
    CHECKING = "checking"
    CHECKED = "checked"  # waits for somebody to say that it is to be saved
    SAVING = "saving"
    SAVED = "saved"
    CANCELLED = "cancelled"


# What may follow each state. An update of the table names the states it may leave, so nothing else can happen.
IMPORT_MOVES: Mapping[ImportState, frozenset[ImportState]] = {
    ImportState.READING: frozenset({ImportState.READ, ImportState.CANCELLED}),
    ImportState.READ: frozenset({ImportState.CHECKING, ImportState.CANCELLED}),
    ImportState.CHECKING: frozenset({ImportState.CHECKED, ImportState.CANCELLED}),
    # Checked once more where somebody says that a column holds something else.
    ImportState.CHECKED: frozenset({ImportState.CHECKING, ImportState.SAVING, ImportState.CANCELLED}),
    ImportState.SAVING: frozenset({ImportState.SAVED, ImportState.CANCELLED}),
    ImportState.SAVED: frozenset(),
    ImportState.CANCELLED: frozenset(),
}

# The worker goes on with an import in one of these.
IN_WORK = (ImportState.CHECKING, ImportState.SAVING)


def states_before(state: ImportState) -> list[ImportState]:
    """Return the states that an import may leave for this one."""
    return [before for before, after in IMPORT_MOVES.items() if state in after]


class RowStatus(StrEnum):
    """What becomes of a row of a sheet. WARNED is saved, unless it needs a confirmation that nobody has given."""

    UNCHECKED = "unchecked"
    ACCEPTED = "accepted"
    WARNED = "warned"
    REFUSED = "refused"
    SAVED = "saved"


class RowEffect(StrEnum):
    """What saving a row does to the register."""

    NONE = "none"  # the row is refused, or not checked yet
    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


class Level(IntEnum):
    """The weight of a finding. CONFIRM: the row is saved once somebody has said yes to it."""

    NOTE = 0
    WARN = 1
    CONFIRM = 2
    REFUSE = 3


@dataclass(frozen=True)
class Finding:
    """Something that was found out about a row.

    `code` has a sentence in config/wording, [sheet_rows]. `place`: the column of the cell it is about, from 0; None for
    the whole row. `details` fill the sentence; they never hold a refused value.
    """

    code: str
    level: Level
    place: int | None = None
    details: Mapping[str, str | int] | None = None


def status_of(findings: Sequence[Finding]) -> RowStatus:
    """Return what becomes of a row by the gravest of its findings."""
    worst = max((finding.level for finding in findings), default=Level.NOTE)
    if worst is Level.REFUSE:
        return RowStatus.REFUSED
    return RowStatus.ACCEPTED if worst is Level.NOTE else RowStatus.WARNED


def needs_confirmation(findings: Sequence[Finding]) -> bool:
    """Return whether the row is saved only once somebody has said yes to it."""
    return any(finding.level is Level.CONFIRM for finding in findings)


class ColumnUse(StrEnum):
    """What is done with the cells of a column."""

    MAPPED = "mapped"
    DISCARDED = "discarded"  # read, perhaps used, and never kept
    REFUSED = "refused"  # its cells are never looked at
    UNKNOWN = "unknown"  # somebody may say what it holds


@dataclass(frozen=True)
class ImportColumn:
    """A column of a sheet. `place` counts from 0, `letter` is how spreadsheets call it. `field`: what its heading says
    that it holds, "" where it says nothing we know."""

    place: int
    letter: str
    heading: str
    use: ColumnUse
    field: str
    is_hidden: bool

    @property
    def may_be_mapped(self) -> bool:
        """Whether somebody may say what it holds: its cells are kept until the rows are saved."""
        return self.use in (ColumnUse.MAPPED, ColumnUse.UNKNOWN)


@dataclass(frozen=True)
class ColumnMapping:
    """Which column is which. `by_place`: the field that the column at a place (from 0) holds."""

    by_place: Mapping[int, str] = field(default_factory=dict)

    @property
    def fields(self) -> frozenset[str]:
        """All fields that the sheet has a column for."""
        return frozenset(self.by_place.values())

    def require_usable(self, known: Collection[str]) -> None:
        """Raise RefusedInputError where residents could not be read by it. `known`: every field there is."""
        times = Counter(self.by_place.values())
        if not times.keys() <= set(known):
            raise RefusedInputError("column_unknown", field="mapping")
        twice = next((field for field, count in times.items() if count > 1), None)
        if twice is not None:
            raise RefusedInputError("column_twice", field="mapping", column=twice)
        if not times.keys() & {"name", "label"}:
            raise RefusedInputError("column_name_needed", field="mapping")
        if not any(field.startswith(CARD) for field in times):
            raise RefusedInputError("column_date_needed", field="mapping")


@dataclass(frozen=True)
class RowCounts:
    """How many rows of a sheet there are of each kind.

    `ignored`: sums, which are no rows of residents. `needs_confirmation`: those of the warned ones that are saved only
    with a yes.
    """

    accepted: int = 0
    warned: int = 0
    refused: int = 0
    saved: int = 0
    ignored: int = 0
    needs_confirmation: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0

    def __add__(self, more: "RowCounts") -> "RowCounts":
        """Return the sum of both, kind by kind."""
        return RowCounts(**{name: count + getattr(more, name) for name, count in vars(self).items()})
