"""Commands that write everything into one encrypted file, and restore it."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from reminder.cli.output import AsJson, print_answer, terminal_language
from reminder.errors import RefusedInputError, SettingsError

if TYPE_CHECKING:
    from datetime import datetime

    from reminder.settings import Settings
    from reminder.storage.crypto.keyring import KeyRing
    from reminder.storage.db.session import Database
    from reminder.upkeep.backup import BackupContents, WrittenBackup

File = Annotated[Path, typer.Argument(help="A back-up.")]
KeyFile = Annotated[
    Path | None, typer.Option("--key-file", help="A file that holds the back-up key, instead of REMINDER_BACKUP_KEY.")
]


def add_to(app: typer.Typer) -> None:
    """Add the commands to `reminder`."""
    backups = typer.Typer(invoke_without_command=True, rich_markup_mode=None)
    backups.callback()(backup)
    backups.command("key")(new_key)
    backups.command("check")(check)
    backups.command("keys")(show_keys)
    app.add_typer(backups, name="backup")
    app.command("restore")(restore)


def backup(
    context: typer.Context,
    out: Annotated[
        Path | None, typer.Option(help="The file to write, readable by you alone; an older back-up is replaced.")
    ] = None,
    moves_to: Annotated[
        str | None,
        typer.Option(
            "--moves-to",
            metavar="WHERE",
            help="The data go elsewhere: close this database before the back-up, and let it say where they are.",
        ),
    ] = None,
    key_file: KeyFile = None,
    as_json: bool = AsJson,
) -> None:
    """Write every row and the keys into one file that only the back-up key opens.

    All of it is from one moment. The service may run meanwhile; with --moves-to it stops by itself.

    Example: reminder backup --out kigen.backup
    """
    if context.invoked_subcommand is not None:
        return
    from reminder.cli.app_context import clock_of
    from reminder.storage.db import schema
    from reminder.upkeep import backup as upkeep
    from reminder.wiring import refuse_missing_keys

    if out is None:
        raise RefusedInputError("usage_missing", option="--out", command="reminder backup")
    with _database() as (settings, database):
        key, ring = _backup_key(settings, key_file), _ring(settings)
        if schema.present(database) == schema.newest():
            # A back-up holds the keys: without them it could not be read after a restore.
            refuse_missing_keys(settings, database)
        if ring is None:
            raise SettingsError("REMINDER_SECRET_KEYS", "nothing was sealed yet, or its keys are not in DATA_DIR")
        now = clock_of(settings).now()
        kept = upkeep.make(database, ring, key, out, now, moves_to=moves_to)
        _log(database, "backed_up", now)
    print_answer(_whole(kept), as_json=as_json, plain=f"{out}: {_in_short(kept.contents)}\nSHA-256 {kept.sha256}")


def new_key(as_json: bool = AsJson) -> None:
    """Make a new back-up key. Write it down on paper: without it nobody can read a back-up.

    Example: reminder backup key
    """
    from reminder.storage.crypto.sealed_file import new_key as make

    key = make()
    print_answer({"key": key}, as_json=as_json, plain=key)


def check(file: File, key_file: KeyFile = None, as_json: bool = AsJson) -> None:
    """Read the whole of a back-up and say what is in it; nothing is restored.

    Example: reminder backup check kigen.backup
    """
    from reminder.upkeep import backup as upkeep
    from reminder.wiring import read_settings

    kept = upkeep.check(file, _backup_key(read_settings(**_ANY_KEYS), key_file))
    print_answer(_whole(kept), as_json=as_json, plain=f"{file}: {_in_short(kept.contents)}\nSHA-256 {kept.sha256}")


def show_keys(file: File, key_file: KeyFile = None, as_json: bool = AsJson) -> None:
    """Show the keys in a back-up, for REMINDER_SECRET_KEYS of the place where it is restored. Show them to nobody.

    Example: reminder backup keys kigen.backup
    """
    from reminder.upkeep import backup as upkeep
    from reminder.wiring import read_settings

    keys = upkeep.keys_in(file, _backup_key(read_settings(**_ANY_KEYS), key_file))
    print_answer({"keys": keys}, as_json=as_json, plain=",".join(keys))


def restore(
    file: File,
    exact: Annotated[
        bool,
        typer.Option("--exact", help="The service was stopped before the back-up: nothing was sent since."),
    ] = False,
    drill: Annotated[
        bool,
        typer.Option("--drill", help="To look at only: the restored database is closed, and the old one goes on."),
    ] = False,
    key_file: KeyFile = None,
    as_json: bool = AsJson,
) -> None:
    """Restore a back-up into an empty database, of either kind: all of it, or nothing.

    What may have been sent since the back-up is asked about before anything is sent. The database of the back-up is
    closed, where it is reached from here: two that send would send everything twice.

    Example: reminder restore kigen.backup
    """
    from reminder.cli.app_context import clock_of
    from reminder.storage.crypto.keyring import keep_keys
    from reminder.storage.maintenance import moving
    from reminder.upkeep import backup as upkeep

    with _database() as (settings, database):
        place = database.place
        now, key = clock_of(settings).now(), _backup_key(settings, key_file)
        if exact:
            upkeep.refuse_if_sent_since(upkeep.contents_of(file, key), database)
        contents = upkeep.restore(
            database, file, key, now,
            ring=_ring(settings), keep_keys=partial(keep_keys, settings.data_dir), exact=exact,
        )  # fmt: skip
        _log(database, "restored", now)
        if drill:
            moving.close(database, to=contents.origin or "?", now=now)
            is_closed = None
        else:
            is_closed = upkeep.close_origin(contents, database, now)
    facts = {**_facts(contents), "exact": exact, "origin": contents.origin, "origin_is_closed": is_closed}
    print_answer(facts, as_json=as_json, plain=f"restored: {_in_short(contents)}")
    if not drill and contents.origin is not None and contents.origin != place:
        said = "origin_closed" if is_closed else "origin_not_reached"
        print(_shown(said).format(origin=contents.origin, place=place), file=sys.stderr)


# Reading a back-up needs no database, and no keys of one.
_ANY_KEYS: dict[str, object] = {"database_url": None}


@contextmanager
def _database() -> "Iterator[tuple[Settings, Database]]":
    """Yield settings and database as they are: a back-up can also be made before a migration."""
    from reminder.cli.app_context import require_folders
    from reminder.storage.db.session import Database
    from reminder.wiring import read_settings

    settings = read_settings()
    require_folders(settings)
    database = Database(settings.database)
    try:
        database.refuse_confined()
        yield settings, database
    finally:
        database.close()


def _log(database: "Database", act: str, now: "datetime") -> None:
    """Log the act, unless the database waits for a migration: only a program of then may write into it."""
    from reminder.storage.db import schema
    from reminder.storage.runtime import activity_log

    if schema.present(database) == schema.newest():
        with database.writing() as tx:
            activity_log.write(tx, act, now)


def _shown(name: str) -> str:
    from reminder.cli.output import words_in
    from reminder.settings import config_dir

    return cast(Mapping[str, str], words_in(config_dir(), terminal_language())["shown"])[name]


def _ring(settings: "Settings") -> "KeyRing | None":
    from reminder.storage.crypto.keyring import read_keys, stored_keys

    if settings.secret_keys:
        return read_keys(settings.secret_keys)
    return stored_keys(settings.data_dir) if (settings.data_dir / "keys").exists() else None


def _backup_key(settings: "Settings", file: Path | None) -> bytes:
    from reminder.storage.crypto.sealed_file import read_key

    try:
        written = settings.backup_key if file is None else file.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        raise RefusedInputError("backup_key_unreadable") from None
    if not written:
        raise RefusedInputError("backup_key_missing")
    return read_key(written)


def _whole(kept: "WrittenBackup") -> dict[str, object]:
    return {**_facts(kept.contents), "sha256": kept.sha256, "bytes": kept.size}


def _facts(contents: "BackupContents") -> dict[str, object]:
    return {"version": contents.version, "taken_at": contents.taken_at, "rows": contents.rows}


def _in_short(contents: "BackupContents") -> str:
    from reminder.clock import JAPAN

    taken_at = contents.taken_at.astimezone(JAPAN).isoformat(" ", "seconds")
    return f"{sum(contents.rows.values())} rows of version {contents.version}, taken at {taken_at}"
