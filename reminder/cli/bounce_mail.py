"""Commands for mail that comes back."""

import sys

import typer

from reminder.cli.output import AsJson, print_answer

LONGEST = 64 * 1024


def add_to(app: typer.Typer) -> None:
    """Add the commands to `reminder`."""
    about = "Mail that comes back. Example: reminder mail address"
    mail = typer.Typer(help=about, no_args_is_help=True, rich_markup_mode=None)
    mail.command("bounce")(bounce)
    mail.command("address")(address)
    app.add_typer(mail, name="mail")


def bounce(as_json: bool = AsJson) -> None:
    """Read one bounce, or a canary that comes back, from standard input, where a mail server's pipe writes it.

    Example: reminder mail bounce < bounce.eml
    """
    from reminder.cli.app_context import opened_app
    from reminder.delivery import record_bounces, send_canaries
    from reminder.domain.parsing.bounces import read_report, read_returned
    from reminder.errors import RefusedInputError

    mail = sys.stdin.buffer.read(LONGEST + 1)
    if len(mail) > LONGEST:
        raise RefusedInputError("body_too_long", field="body")
    report = read_report(mail)
    is_kept = False
    if report is not None:
        with opened_app() as app, app.writing() as uow:
            is_kept = record_bounces.keep(uow, report)
    elif returned := read_returned(mail):
        with opened_app() as app, app.writing() as uow:
            is_kept = send_canaries.keep_return(uow, returned)
    # Other mail at this address is no error: the mail server must not forward it.
    print_answer({"kept": is_kept}, as_json=as_json, plain="kept" if is_kept else "nothing of ours")


def address(as_json: bool = AsJson) -> None:
    """Show the secret address to which a mail server or a provider may post bounces.

    Example: reminder mail address
    """
    from reminder.cli.app_context import opened_app
    from reminder.errors import SettingsError
    from reminder.storage.auth.signed_links import SignedLinks

    with opened_app() as app:
        url = SignedLinks(app.keys, app.settings.public_url).bounces()
    if url is None:
        raise SettingsError("REMINDER_PUBLIC_URL", "set it: the address begins with it")
    print_answer({"url": url}, as_json=as_json, plain=url)
