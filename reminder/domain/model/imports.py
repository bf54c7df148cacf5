"""The import of a home's sheet: its states, the meaning of its columns, and findings about its rows."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum

from reminder.domain.model.state_machine import Move, StateMachine
from reminder.errors import RefusedInputError

# A field that holds the end of a card is named by the card's kind: "card:mynumber_card".
CARD = "card:"


class ImportState(StrEnum):
    """The progress of an import."""

    READING = "reading"  # its rows are being stored; an import that stays here was interrupted
    READ = "read"  # waits for somebody to confirm the column mapping
    CHECKING = "checking"
    CHECKED = "checked"  # waits for somebody to confirm that it is to be saved
    SAVING = "saving"
    SAVED = "saved"
    CANCELLED = "cancelled"


END_READING = Move("all its rows are stored", (ImportState.READING,), (ImportState.READ,))
# Checked once more when somebody changes the column mapping.
START_CHECKING = Move("somebody confirms the columns", (ImportState.READ, ImportState.CHECKED), (ImportState.CHECKING,))
END_CHECKING = Move("all its rows are checked", (ImportState.CHECKING,), (ImportState.CHECKED,))
START_SAVING = Move("somebody has it saved", (ImportState.CHECKED,), (ImportState.SAVING,))
STOP_SAVING = Move("the group may not have so much more", (ImportState.SAVING,), (ImportState.CHECKED,))
END_SAVING = Move("all its rows are saved", (ImportState.SAVING,), (ImportState.SAVED,))
GIVE_UP_IMPORT = Move(
    "somebody gives it up, or its time is over",
    (ImportState.READING, ImportState.READ, ImportState.CHECKING, ImportState.CHECKED, ImportState.SAVING),
    (ImportState.CANCELLED,),
)

IMPORT_STATES = StateMachine(
    "import",
    ImportState,
    starts=(ImportState.READING,),
    moves=(END_READING, START_CHECKING, END_CHECKING, START_SAVING, STOP_SAVING, END_SAVING, GIVE_UP_IMPORT),
)

# The worker continues an import in one of these states.
IN_WORK = (ImportState.CHECKING, ImportState.SAVING)


class RowStatus(StrEnum):
    """The result for a row of a sheet. WARNED is saved, unless it needs a confirmation that is missing."""

    UNCHECKED = "unchecked"
    ACCEPTED = "accepted"
    WARNED = "warned"
    REFUSED = "refused"
    SAVED = "saved"


class RowEffect(StrEnum):
    """The effect of saving a row on the registry."""

    NONE = "none"  # the row is refused, or not checked yet
    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


class Level(IntEnum):
    """The severity of a finding. CONFIRM: the row is saved once somebody has confirmed it."""

    NOTE = 0
    WARN = 1
    CONFIRM = 2
    REFUSE = 3


# Findings of the reader: what a spreadsheet computes is not read. In a column that is not used they do no harm.
FORMULA, CELL_ERROR = "formula", "cell_error"


@dataclass(frozen=True)
class Finding:
    """A finding about a row.

    `code` names its sentence in config/wording, [sheet_rows]. `place`: the column of the cell, from 0; None for the
    whole row. `details` fill the sentence; they never hold a refused value.
    """

    code: str
    level: Level
    place: int | None = None
    details: Mapping[str, str | int] | None = None


def status_of(findings: Sequence[Finding]) -> RowStatus:
    """Return the status that the most severe of its findings gives a row."""
    worst = max((finding.level for finding in findings), default=Level.NOTE)
    if worst is Level.REFUSE:
        return RowStatus.REFUSED
    return RowStatus.ACCEPTED if worst is Level.NOTE else RowStatus.WARNED


def needs_confirmation(findings: Sequence[Finding]) -> bool:
    """Return whether the row is saved only after somebody has confirmed it."""
    return any(finding.level is Level.CONFIRM for finding in findings)


class ColumnUse(StrEnum):
    """The use of a column's cells."""

    MAPPED = "mapped"
    DISCARDED = "discarded"  # read, perhaps used, and never kept
    REFUSED = "refused"  # its cells are never read
    UNKNOWN = "unknown"  # somebody may map it to a field


@dataclass(frozen=True)
class ImportColumn:
    """A column of a sheet.

    `place` counts from 0, `letter` is its name in spreadsheets. `field`: the field that it is taken for, "" where it is
    taken for none. `why`: the reason for that (domain/parsing/table_meaning.Why). `asked`: what somebody has to say of
    it before the rows are checked (Ask), "" for nothing; `guess`: the field that is likeliest then. `against`: kinds of
    card that its days speak against. `memory`: the key by which a group's answer is remembered, "" for none.
    """

    place: int
    letter: str
    heading: str
    use: ColumnUse
    field: str
    is_hidden: bool
    why: str = ""
    asked: str = ""
    guess: str = ""
    against: tuple[str, ...] = ()
    memory: str = ""

    def asked_about(self, ask: str, guess: str) -> "ImportColumn":
        """Return the column as one that is asked about; `guess`: the field that is likeliest."""
        return replace(self.taken_for("", ""), asked=ask, guess=guess)

    def taken_for(self, field: str, why: str) -> "ImportColumn":
        """Return the column as one that is taken for a field, "" for none, for this reason."""
        use = ColumnUse.MAPPED if field else ColumnUse.UNKNOWN
        seen = (self.place, self.letter, self.heading, use, field, self.is_hidden)
        return ImportColumn(*seen, why=why, against=self.against, memory=self.memory)

    @property
    def may_be_mapped(self) -> bool:
        """Whether somebody may map it to a field: its cells are kept until the rows are saved."""
        return self.use in (ColumnUse.MAPPED, ColumnUse.UNKNOWN)


@dataclass(frozen=True)
class ColumnMapping:
    """A mapping of columns to fields. `by_place`: the field of the column at a place (from 0)."""

    by_place: Mapping[int, str] = field(default_factory=dict)

    @property
    def fields(self) -> frozenset[str]:
        """All fields that the sheet has a column for."""
        return frozenset(self.by_place.values())

    def require_usable(self, known: Collection[str]) -> None:
        """Raise RefusedInputError where residents cannot be read with this mapping.

        `known`: every existing field.
        """
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
    """The number of rows of a sheet, by result.

    `ignored`: rows of sums, which describe no resident. `needs_confirmation`: the warned rows that are saved only after
    a confirmation.
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
        """Return the sums, kind by kind."""
        return RowCounts(**{name: count + getattr(more, name) for name, count in vars(self).items()})
