"""The database as the web server uses it on PostgreSQL: as a role that sees one group at a time."""

from dataclasses import replace

from reminder.storage.db import schema
from reminder.storage.db.session import Database
from reminder.wiring import App
from tests import databases

_OF_WEB = "database_of_web"


def database_of_web(url: str) -> Database:
    """The same database as the web server sees it."""
    database = Database(databases.as_role(url, databases.WEB_ROLE), durable=False)
    database.find_role()
    assert database.is_confined
    database.write_only_at(schema.newest())
    return database


def app_of_web(app: App) -> App:
    """The App of `reminder web` beside this one; the same one on SQLite, and for a role of one's own."""
    database = app.database
    if database.is_sqlite or database.engine.url.username != databases.OWNER:
        return app
    if not hasattr(database, _OF_WEB):
        opened, close = database_of_web(database.url), database.close

        def close_both() -> None:
            opened.close()
            close()

        setattr(database, _OF_WEB, opened)
        database.close = close_both  # type: ignore[method-assign]
    return replace(app, database=getattr(database, _OF_WEB))
