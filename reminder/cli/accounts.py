"""Commands for accounts: the operator ends sessions, of somebody who asks for it or of everybody after a leak."""

from typing import Annotated

import typer

from reminder.cli.output import AsJson, print_answer
from reminder.errors import RefusedInputError


def add_to(app: typer.Typer) -> None:
    """Add the commands to `reminder`."""
    about = "Accounts, with which people sign in. Example: reminder account end-sessions --help"
    account = typer.Typer(help=about, no_args_is_help=True, rich_markup_mode=None)
    account.callback()(_several)
    account.command("end-sessions")(end_sessions)
    app.add_typer(account, name="account")


def _several() -> None:
    """Keep the command's own name in front of the only one of its kind."""


def end_sessions(
    email: Annotated[str | None, typer.Argument(help="The address with which they sign in.")] = None,
    everybody: Annotated[bool, typer.Option("--everybody", help="The sessions of all accounts.")] = False,
    as_json: bool = AsJson,
) -> None:
    """End all sessions of an account, on every device; whoever wants to go on signs in again.

    Passkeys and API tokens stay: their owners remove them, or `reminder token revoke`.

    Example: reminder account end-sessions musume@example.jp
    """
    from reminder.cli.app_context import opened_app
    from reminder.enrolment.identity import sign_in

    if (email is None) is not everybody:
        raise RefusedInputError("sessions_of_whom")
    with opened_app() as app, app.writing() as uow:
        ended = sign_in.end_all_sessions(uow) if email is None else sign_in.end_sessions_of(uow, email=email)
    print_answer({"ended": ended}, as_json=as_json, plain=f"{ended} sessions have ended")
