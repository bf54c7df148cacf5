"""Commands that make a key, and that encrypt everything with it."""

import sys
from typing import Annotated

import typer

from reminder.cli.output import AsJson, print_answer
from reminder.errors import RefusedInputError


def add_to(app: typer.Typer) -> None:
    """Add the commands to `reminder`."""
    about = "The keys that encrypt addresses and texts. Example: reminder keys new"
    keys = typer.Typer(help=about, no_args_is_help=True, rich_markup_mode=None)
    keys.command("new")(new)
    keys.command("rotate")(rotate)
    app.add_typer(keys, name="keys")


def new(
    keep: Annotated[
        bool, typer.Option("--keep", help="Not shown, but put in front of those in DATA_DIR/keys; then restart.")
    ] = False,
    as_json: bool = AsJson,
) -> None:
    """Make a new key for REMINDER_SECRET_KEYS; put it in front of the old ones.

    Example: reminder keys new
    """
    from reminder.storage.crypto.keyring import keep_newest, new_key

    key = new_key()
    if not keep:
        print_answer({"key": key}, as_json=as_json, plain=key)
        return
    from reminder.cli.app_context import require_folders
    from reminder.wiring import read_settings

    settings = read_settings()
    if settings.secret_keys:
        raise RefusedInputError("keys_in_settings")
    require_folders(settings)
    keep_newest(settings.data_dir, key)
    file = settings.data_dir / "keys"
    print_answer({"file": str(file)}, as_json=as_json, plain=f"{file}: the first one is new. Restart the service.")


def rotate(as_json: bool = AsJson) -> None:
    """Encrypt with the newest key everything that older keys have encrypted, while the service runs.

    It may be stopped and run again. At the end it says which keys nothing needs any more.

    Example: reminder keys rotate
    """
    from reminder.cli.app_context import opened_app
    from reminder.upkeep import key_rotation as upkeep

    with opened_app() as app:
        done = upkeep.rotate(app.units, app.clock.now(), _print_progress)
        places = {key: place for place, key in enumerate(app.keys.ids, 1)}
    lines = [f"{done.changed} values are sealed with the newest key ({done.newest}); {done.left} are left"]
    for key in done.unneeded:
        lines.append(f"not needed from {done.from_then_on:%Y-%m-%dT%H:%MZ} on: key number {places[key]} ({key})")
    print_answer(vars(done), as_json=as_json, plain="\n".join(lines))
    if done.left:
        raise typer.Exit(1)


def _print_progress(column: str, rows: int) -> None:
    print(f"{column}: {rows}", file=sys.stderr)
