"""The template of a home's sheet."""

from collections.abc import Mapping
from typing import cast

from reminder.domain.model.people import Language
from reminder.domain.rulebook import Rulebook
from reminder.domain.text.spreadsheet_writer import TableSheet, xlsx

# The dates that most homes keep; any other kind is one more column with the name of the kind.
_COLUMNS = (
    "room", "unit", "reference", "name", "label", "mobile", "family_mobile", "family_email", "tell", "user_certificate",
    "card", "eligibility", "care", "own_days", "mode", "consent_date", "consent_how",
)  # fmt: skip


def template(rules: Rulebook, language: Language) -> bytes:
    """Return an XLSX with a note, headings, an invented example row, and the allowed values."""
    words = cast(Mapping[str, str], rules.wording.of(language).table["template"])
    headings = [words[column] for column in _COLUMNS]
    example = [words[f"{column}_example"] for column in _COLUMNS]
    choices = {
        place: words[f"{column}_choices"].split("|")
        for place, column in enumerate(_COLUMNS)
        if f"{column}_choices" in words
    }
    notes = [words["note"], words["no_numbers"]]
    return xlsx([TableSheet(words["sheet"], headings, [example], notes, choices)])
