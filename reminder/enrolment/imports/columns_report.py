"""What each column of a sheet is taken for and why, in words: for the page, the API and the console."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from reminder.domain.model.imports import ImportColumn
from reminder.domain.model.people import Language
from reminder.domain.parsing.table_meaning import Why
from reminder.domain.rulebook import Rulebook
from reminder.storage.registry.imports import ImportView


@dataclass(frozen=True)
class ColumnReport:
    """A column in words. `field`: the field that it is mapped to, "" for none; `sentence`: why, or what is asked."""

    column: ImportColumn
    field: str
    is_asked: bool
    sentence: str


def column_reports(rules: Rulebook, sheet_import: ImportView, language: Language) -> Sequence[ColumnReport]:
    """Return what every column is taken for. One whose question has been answered is no longer asked about."""
    words = cast(Mapping[str, str], rules.wording.of(language).table["sheet_columns"])
    return [_report(words, sheet_import, column) for column in sheet_import.columns]


def _report(words: Mapping[str, str], sheet_import: ImportView, column: ImportColumn) -> ColumnReport:
    field = sheet_import.mapping.by_place.get(column.place, "")
    if column.may_be_mapped and field != column.field:
        return ColumnReport(column, field, False, words["said" if field else "left_out"])
    if column.asked:
        return ColumnReport(column, field, True, words[f"ask_{column.asked}"])
    # Columns of an import that an earlier version read have no reason.
    why = column.why or (Why.HEADING if column.field else Why.NOT_UNDERSTOOD)
    return ColumnReport(column, field, False, words[f"why_{why}"])
