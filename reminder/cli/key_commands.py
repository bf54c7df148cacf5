"""Commands that make a key, and that encrypt everything with it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from reminder.cli.output import AsJson, print_answer
from reminder.errors import RefusedInputError

if TYPE_CHECKING:
    from reminder.settings import Settings
    from reminder.storage.db.session import Database


def add_to(app: typer.Typer) -> None:
    """Add the commands to `reminder`."""
    about = "The keys that encrypt addresses and texts. Example: reminder keys new"
    keys = typer.Typer(help=about, no_args_is_help=True, rich_markup_mode=None)
    keys.command("new")(new)
    keys.command("rotate")(rotate)
    keys.command("abandon")(abandon)
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
    from reminder.wiring import read_settings, refuse_missing_keys

    settings = read_settings()
    if settings.secret_keys:
        raise RefusedInputError("keys_in_settings")
    require_folders(settings)
    with _migrated(settings) as database:
        refuse_missing_keys(settings, database)
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


def abandon(
    name: Annotated[str, typer.Argument(help="The name of the lost key, as the refusal to start shows it.")],
    as_json: bool = AsJson,
) -> None:
    """Give up a key that is lost for good, so that the service starts without it.

    What the key has encrypted stays unreadable for ever: addresses, texts, links in mails. Look in back-ups first.

    Example: reminder keys abandon 1a2b3c4d
    """
    from reminder.cli.app_context import clock_of, require_folders
    from reminder.storage.crypto.keyring import kept_keys, read_keys
    from reminder.storage.db import fence
    from reminder.storage.maintenance import installation
    from reminder.storage.runtime import activity_log
    from reminder.wiring import read_settings

    settings = read_settings()
    require_folders(settings)
    ring = read_keys(settings.secret_keys) if settings.secret_keys else kept_keys(settings.data_dir)
    with _migrated(settings) as database, database.writing() as tx:
        fence.refuse_moved(tx.connection())
        if name not in installation.missing_keys(tx, ring):
            raise RefusedInputError("key_not_missing", field="name")
        now = clock_of(settings).now()
        installation.abandon_key(tx, name, now)
        activity_log.write(tx, "key_abandoned", now)
    print_answer({"abandoned": name}, as_json=as_json, plain=f"{name} is not asked for any more")


@contextmanager
def _migrated(settings: "Settings") -> "Iterator[Database]":
    """Yield the database at the newest version; its keys may be missing."""
    from reminder.storage.db import schema
    from reminder.storage.db.session import Database
    from reminder.storage.maintenance.settlement import settling
    from reminder.wiring import present_keys

    database = Database(settings.database)
    try:
        if database.is_sqlite:
            schema.migrate(database, settling(present_keys(settings)))
        schema.require_newest(database)
        database.refuse_confined()
        yield database
    finally:
        database.close()


def _print_progress(column: str, rows: int) -> None:
    print(f"{column}: {rows}", file=sys.stderr)
