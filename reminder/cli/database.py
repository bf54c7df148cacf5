"""Commands about the database itself."""

from typing import Annotated

import typer

from reminder.cli.output import AsJson, print_answer


def add_to(app: typer.Typer) -> None:
    """Add the commands to `reminder`."""
    database = typer.Typer(
        help="The database's roles. Example: reminder database roles", no_args_is_help=True, rich_markup_mode=None
    )
    database.command("roles")(roles)
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
