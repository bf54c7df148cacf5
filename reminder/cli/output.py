"""Output of the command line: answers as JSON or plain lines, refusals as a sentence that says what to do."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from functools import cache, wraps
from pathlib import Path
from typing import cast

import typer
from typer.exceptions import TyperException

from reminder.clock import JAPAN
from reminder.domain.model.people import Language
from reminder.errors import KigenError, RefusedInputError

AsJson = typer.Option(False, "--json", help="Answer as JSON.")


def terminal_language() -> Language:
    """Return the language of config/wording/ that the machine speaks.

    Japanese where the machine says nothing; English where it speaks one that is not there.
    """
    spoken = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    if not spoken or spoken.startswith("ja"):
        return Language.JAPANESE
    return _of_machine(spoken) or Language.ENGLISH


@cache
def _of_machine(locale: str) -> Language | None:
    from reminder.domain.model.languages import read_facts
    from reminder.domain.parsing.language_tags import of_locale
    from reminder.settings import config_dir

    try:
        names = [path.stem for path in (config_dir() / "wording").glob("*.toml") if path.name != "lint.toml"]
        if [name for name in names if name[:2] == locale[:2]] == [locale[:2]]:
            return Language(locale[:2])  # no other file can fit better, so none need be read
        facts = [read_facts(Language(name), words_in(config_dir(), name)) for name in names]
    except KigenError:
        # The operator's own words cannot be read, which may be the very thing to report.
        return None
    found = of_locale(locale, facts)
    return None if found is None else found.code


def words_in(folder: Path, language: str) -> Mapping[str, object]:
    """Return what wording/ in `folder` says in one language, with the language that it takes over from below it."""
    from reminder.domain.text.catalog import with_fallback
    from reminder.settings import read_table

    def read(name: str) -> Mapping[str, object]:
        return read_table(folder / "wording" / f"{name}.toml")

    return with_fallback(read(language), read)


def print_answer(value: object, *, as_json: bool, plain: str) -> None:
    """Print an answer as JSON, or as plain text."""
    print(json.dumps(value, ensure_ascii=False, default=_plain) if as_json else plain)


def print_rows(found: Iterable[Mapping[str, object]], *, as_json: bool) -> None:
    """Print a list, row by row because it may be long: one JSON array, or a line for each row with its values."""
    if as_json:
        before = "["
        for row in found:
            print(f"{before}{json.dumps(row, ensure_ascii=False, default=_plain)}", end="")
            before = ", "
        print("[]" if before == "[" else "]")
        return
    is_empty = True
    for row in found:
        is_empty = False
        print(
            "  ".join(f"{name}={_first_line(_plain(value))}" for name, value in row.items() if value not in (None, ""))
        )
    if is_empty:
        print("なし / none")


def _first_line(value: object) -> str:
    first, *rest = str(value).splitlines() or [""]
    return f"{first} …" if rest else first


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(JAPAN).isoformat(timespec="seconds")
    return value.isoformat() if isinstance(value, date) else value


def renamed(command: Callable[..., None], old: str, new: str) -> Callable[..., None]:
    """Return the command under its old name, which says on standard error what it is called now."""

    @wraps(command)
    def call(*arguments: object, **options: object) -> None:
        from reminder.settings import read_table, shipped

        words = read_table(shipped("config") / "wording" / f"{terminal_language()}.toml")
        shown = cast(Mapping[str, str], words["shown"])
        print(shown["renamed_command"].format(old=old, new=new), file=sys.stderr)
        command(*arguments, **options)

    return call


def error_message(refused: KigenError) -> str:
    """Return the sentence for a refusal in the terminal's language."""
    from reminder.domain.text.error_messages import explain_from
    from reminder.settings import config_dir, shipped

    try:
        return explain_from(words_in(config_dir(), terminal_language()), refused)
    except (KigenError, KeyError):
        # The operator's own words cannot be read, which may be the very thing to report.
        known = (
            terminal_language() if terminal_language() in (Language.JAPANESE, Language.ENGLISH) else Language.ENGLISH
        )
        return explain_from(words_in(shipped("config"), known), refused)


def as_problem(refused: KigenError) -> dict[str, object]:
    """Return the refusal as JSON shows it."""
    problem: dict[str, object] = {"error": refused.code, "message": error_message(refused)}
    if isinstance(refused, RefusedInputError):
        if refused.field:
            problem["field"] = refused.field
        problem["choices"] = [str(choice) for choice in getattr(refused, "choices", ())]
    return problem


_USAGE = {
    "NoSuchOption": "usage_option",
    "MissingParameter": "usage_missing",
    "BadParameter": "usage_value",
}


def help_instead(wrong: TyperException) -> str | None:
    """Return the help for an incomplete command such as `reminder` or `reminder card`, or None."""
    return wrong.message if type(wrong).__name__ == "NoArgsIsHelpError" else None


def usage_refusal(wrong: TyperException) -> RefusedInputError:
    """Return an error of the command line as a refusal.

    What was typed is not repeated: it may hold a number.
    """
    context = getattr(wrong, "ctx", None)
    command = context.command_path if context is not None else "reminder"
    code = _USAGE.get(type(wrong).__name__, "usage")
    return RefusedInputError(code, option=_as_typed(getattr(wrong, "param", None)), command=command)


def _as_typed(parameter: object) -> str:
    """Return --from for an option, KIND for an argument."""
    if getattr(parameter, "param_type_name", "") == "argument":
        return str(getattr(parameter, "metavar", None) or getattr(parameter, "name", "").upper())
    return next(iter(getattr(parameter, "opts", ())), "")
