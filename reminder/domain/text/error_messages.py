"""Error messages: for each error a sentence that says what to do next."""

from collections.abc import Mapping
from typing import cast

from reminder.domain.model.people import Language
from reminder.domain.text.catalog import Catalogs
from reminder.errors import DateError, KigenError


def explain(wording: Catalogs, error: KigenError, language: Language, *, own: str = "") -> str:
    """Return a sentence that says what to do next. It never holds a refused value.

    `own`: a section whose sentences precede those of [errors], for readers without a command line.
    """
    return explain_from(wording.of(language).table, error, own=own)


def explain_from(table: Mapping[str, object], error: KigenError, *, own: str = "") -> str:
    """Return what explain returns, from one parsed config/wording/*.toml without the other languages."""
    errors, fields, looks_like = (cast(Mapping[str, str], table[name]) for name in ("errors", "fields", "looks_like"))
    values: dict[str, object] = {"choices": "", **error.details}
    values["field"] = fields.get(str(values.get("field", "")), str(values.get("field", "")))
    values["looks_like"] = looks_like.get(str(values.get("looks_like", "")), "")
    if isinstance(error, DateError) and error.choices:
        shown = ", ".join(choice.isoformat() for choice in error.choices[:3])
        values["choices"] = errors["choices"].format(choices=shown)
    first = cast(Mapping[str, str], table.get(own, {}))
    template = first.get(error.code) or errors.get(error.code) or errors["failure"]
    return template.format_map(_Lenient(values)).strip()


class _Lenient(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return ""
