"""The command `reminder`. Heavy imports are inside the commands, so that `--help` answers at once."""

import json
import os
import sys
from functools import cache
from io import TextIOWrapper
from typing import Annotated

from typer import Exit, Option, Typer
from typer.exceptions import TyperException
from typer.main import get_command

from reminder import garbage
from reminder.cli import (
    accounts,
    activity,
    api_tokens,
    backup,
    balance_commands,
    bounce_mail,
    database,
    effect_commands,
    entities,
    erase_export,
    home_reports,
    imports,
    key_commands,
    lookup,
    new,
    print_leaflets,
    promise_commands,
    rules_commands,
    service,
)
from reminder.errors import KigenError, RefusedInputError, SettingsError

app = Typer(
    name="reminder",
    help="期限だより: a reminder before a My Number Card or its certificate stops working. Dates only, never numbers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(is_asked: bool) -> None:
    """Print the version that is installed, and end the command."""
    if is_asked:
        from importlib.metadata import version

        print(version("kigen-dayori"))
        raise Exit


@app.callback()
def _options_of_all(
    version: Annotated[
        bool, Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    del version


service.add_to(app)
entities.add_to(app)
lookup.add_to(app)
new.add_to(app)
print_leaflets.add_to(app)
promise_commands.add_to(app)
rules_commands.add_to(app)
balance_commands.add_to(app)
effect_commands.add_to(app)
api_tokens.add_to(app)
erase_export.add_to(app)
imports.add_to(app)
home_reports.add_to(app)
bounce_mail.add_to(app)
backup.add_to(app)
key_commands.add_to(app)
activity.add_to(app)
database.add_to(app)
accounts.add_to(app)

REFUSED, FAILED = 2, 1


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code: 0 fine, 2 refused input, 1 failure.

    Without `arguments` it runs the one of this process.
    """
    if arguments is None:
        arguments = sys.argv[1:]
        garbage.collect_less_often()
    if isinstance(sys.stdout, TextIOWrapper):
        # A terminal without Japanese shows escapes, which JSON reads back, rather than half an answer.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = _run(arguments)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader (head, less) has closed the pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


# Reading every command from its function takes longer than most commands; once is enough for several commands in a
# process.
_command_of = cache(get_command)


def _run(arguments: list[str]) -> int:
    command = _command_of(app)
    try:
        # Not command.main(): it fails if the reader has closed the pipe.
        with command.make_context("reminder", list(arguments)) as context:
            command.invoke(context)
        return 0
    except KigenError as refused:
        return _say(refused, as_json="--json" in arguments)
    except TyperException as unusable:
        from reminder.cli.output import help_instead, usage_refusal

        if (help_text := help_instead(unusable)) is not None:
            print(help_text, file=sys.stderr)
            return REFUSED
        return _say(usage_refusal(unusable), as_json="--json" in arguments)
    except Exit as left:
        return left.exit_code


def _say(refused: KigenError, *, as_json: bool) -> int:
    from reminder.cli.output import as_problem, error_message

    if as_json:
        print(json.dumps(as_problem(refused), ensure_ascii=False))
    print(error_message(refused), file=sys.stderr)
    return REFUSED if isinstance(refused, RefusedInputError | SettingsError) else FAILED
