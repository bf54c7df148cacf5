"""Commands about the database itself."""

from typing import Annotated

import typer

from reminder.cli.output import AsJson, print_answer


def add_to(app: typer.Typer) -> None:
    """Add the commands to `reminder`."""
    database = typer.Typer(
        help="The database itself. Example: reminder database roles", no_args_is_help=True, rich_markup_mode=None
    )
    database.command("roles")(roles)
    database.command("close")(close)
    database.command("reopen")(reopen)
    database.command("only-copy")(only_copy)
    app.add_typer(database, name="database")


def roles(
    web: Annotated[str, typer.Option(help="The role of `reminder web`, of REMINDER_WEB_DATABASE_URL.")] = "kigen_web",
    as_json: bool = AsJson,
) -> None:
    """Print the SQL that makes a role for the web server which sees one group at a time; nothing is changed.

    Run it in PostgreSQL as a superuser, and give the role a password. It may be run again.

    Example: reminder database roles | psql -d kigen
    """
    from reminder.errors import ConflictError
    from reminder.storage.db import row_security, schema
    from reminder.storage.db.session import Database
    from reminder.wiring import read_settings

    database = Database(read_settings().database)
    try:
        if database.is_sqlite:
            raise ConflictError("database_without_roles")
        schema.require_newest(database)
        database.refuse_confined()
        with database.reading() as tx:
            statements = row_security.statements_for_role(tx.connection(), web)
    finally:
        database.close()
    plain = "\n".join(f"{one};" for one in ("BEGIN", *statements, "COMMIT"))
    print_answer({"role": web, "statements": statements}, as_json=as_json, plain=plain)


def close(
    to: Annotated[str, typer.Option("--to", metavar="WHERE", help="Where its data are now, for whoever reads it.")],
    as_json: bool = AsJson,
) -> None:
    """Close the database, because its data are elsewhere: nothing is sent, stored or served from it any more.

    Commands that only read go on working. `backup --moves-to` and `restore` do it by themselves.

    Example: reminder database close --to "the server in the new office"
    """
    from reminder.cli.app_context import opened_app
    from reminder.storage.maintenance import moving
    from reminder.storage.runtime import activity_log

    with opened_app() as app:
        now = app.clock.now()
        app.database.refuse_moved()
        with app.writing() as uow:
            activity_log.write(uow.tx, "database_closed", now)
        moving.close(app.database, to=to, now=now)
    print_answer({"closed_at": now, "to": to}, as_json=as_json, plain=f"closed; its data: {to}")


def reopen(as_json: bool = AsJson) -> None:
    """Open a database that was closed, because the other one never began to work, or is gone.

    Stop the other one first: two that send would send everything twice. What it may have sent is asked about before
    anything is sent.

    Example: reminder database reopen
    """
    from reminder.cli.app_context import opened_app
    from reminder.storage.maintenance import moving
    from reminder.storage.runtime import activity_log

    with opened_app() as app:
        if moving.closed(app.database) is None:
            print_answer({"closed_at": None, "to": None}, as_json=as_json, plain="it is open already: nothing to do")
            return
        was = moving.reopen(app.database, app.clock.now())
        with app.writing() as uow:
            activity_log.write(uow.tx, "database_reopened", uow.now)
    print_answer({"closed_at": was.at, "to": was.to}, as_json=as_json, plain=f"open again; it was closed for: {was.to}")


def only_copy(as_json: bool = AsJson) -> None:
    """Say that another copy of this installation, which was noticed, is stopped: this one is the only one again.

    What the other may have sent is asked about before anything is sent.

    Example: reminder database only-copy
    """
    from reminder.cli.app_context import opened_app
    from reminder.storage.maintenance import moving
    from reminder.storage.runtime import activity_log

    with opened_app() as app, app.writing() as uow:
        was = moving.settle_other_copy(uow.tx, uow.now)
        if was is not None:
            activity_log.write(uow.tx, "other_copy_gone", uow.now)
    if was is None:
        print_answer({"noticed_at": None}, as_json=as_json, plain="no other copy was noticed: nothing to do")
        return
    plain = "this is the only copy; what the other may have sent is asked about"
    print_answer({"noticed_at": was.since}, as_json=as_json, plain=plain)
