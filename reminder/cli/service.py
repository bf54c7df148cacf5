"""Commands that run the service, look after it, or demonstrate it."""

import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from reminder.cli.output import AsJson, print_answer, renamed, terminal_language

if TYPE_CHECKING:
    from reminder.wiring import App

Host = Annotated[str, typer.Option(help="The address to listen on.")]
Port = Annotated[int, typer.Option(help="The port to listen on.", envvar="PORT", min=0, max=65535)]


def add_to(app: typer.Typer) -> None:
    """Add the commands to `reminder`."""
    app.command()(demo)
    app.command()(serve)
    app.command()(web)
    app.command()(worker)
    app.command("setup-code")(setup_code)
    app.command("run-once")(run_once)
    app.command("tick", hidden=True)(renamed(run_once, "tick", "run-once"))
    app.command()(migrate)
    app.command()(doctor)
    app.command()(health)
    app.command()(fetch)
    channel = typer.Typer(
        help="Channels that were held back. Example: reminder channel resume sms",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    channel.command("resume")(resume_channel)
    app.add_typer(channel, name="channel")
    app.command()(simulate)


def demo(
    out: Annotated[Path | None, typer.Option(help="The folder for its files. Default: a new temporary one.")] = None,
    serve: Annotated[bool, typer.Option("--serve", help="Afterwards serve its pages on a free port.")] = False,
    in_browser: Annotated[bool, typer.Option("--open", help="Serve them, and open them in the browser.")] = False,
) -> None:
    """Show the whole service in simulated time, on a temporary file: three stories on one screen, the rest in a folder.

    Example: reminder demo
    """
    from reminder.cli.demo_output import show_demo

    show_demo(out, and_serve=serve, in_browser=in_browser)


def serve(host: Host = "127.0.0.1", port: Port = 8000) -> None:
    """Run pages, webhooks and the worker in one process: all that SQLite needs.

    Example: reminder serve
    """
    from reminder.cli.app_context import opened_app
    from reminder.errors import SettingsError
    from reminder.web.server import has_local_pages, listen, run
    from reminder.worker.scheduler import WorkerScheduler

    with opened_app() as app:
        if not app.settings.on_sqlite:
            raise SettingsError("REMINDER_DATABASE_URL", "with PostgreSQL start `reminder web` and `reminder worker`")
        app.database.refuse_moved()
        with listen(host, port) as listening:
            if has_local_pages(app, host):
                shown = app.rules.wording.of(terminal_language()).section("shown")
                # By its name: a passkey belongs to a name, not to a number.
                print(shown["pages"].format(url=f"http://localhost:{listening.getsockname()[1]}"), flush=True)
            code = _setup_code_if_needed(app)
            if code is not None:
                print(_setup_code_shown(code), flush=True)
            scheduler = WorkerScheduler(app)
            run(app, listening, beside=scheduler)
            if scheduler.outgrown is not None:
                raise scheduler.outgrown


def _setup_code_if_needed(app: "App") -> str | None:
    """Return a new setup code, or None where nobody needs one."""
    from reminder.enrolment.identity import sign_up
    from reminder.enrolment.identity.sign_up import SignUp

    rule = SignUp(app.settings.sign_up)
    with app.writing() as uow:
        return sign_up.new_setup_code(uow, rule) if sign_up.needs_setup_code(uow, rule) else None


def _setup_code_shown(code: str) -> str:
    from reminder.cli.output import words_in
    from reminder.enrolment.identity.sign_up import SETUP_CODE_LASTS
    from reminder.settings import config_dir

    shown = cast(Mapping[str, str], words_in(config_dir(), terminal_language())["shown"])
    return shown["setup_code"].format(code=code, hours=SETUP_CODE_LASTS // timedelta(hours=1))


def setup_code(as_json: bool = AsJson) -> None:
    """Make a new setup code, with which the first owner signs in; it works once, and replaces any earlier one.

    `reminder serve` shows one when it starts. This is for servers without a terminal, and for a code that has expired.

    Example: reminder setup-code
    """
    from reminder.cli.app_context import opened_app
    from reminder.enrolment.identity import sign_up
    from reminder.enrolment.identity.sign_up import SignUp

    with opened_app() as app, app.writing() as uow:
        code = sign_up.new_setup_code(uow, SignUp(app.settings.sign_up))
        expires_at = uow.now + sign_up.SETUP_CODE_LASTS
    print_answer({"setup_code": code, "expires_at": expires_at}, as_json=as_json, plain=_setup_code_shown(code))


def web(host: Host = "127.0.0.1", port: Port = 8000) -> None:
    """Run pages and webhooks only; the worker is a process of its own.

    Example: reminder web --host 0.0.0.0
    """
    from reminder.cli.app_context import opened_app
    from reminder.web.server import listen, run

    with opened_app(for_web=True) as app:
        app.database.refuse_moved()
        with listen(host, port) as listening:
            run(app, listening)


def worker() -> None:
    """Run the worker: it does what is due every few seconds, until it is stopped.

    Example: reminder worker
    """
    from reminder.cli.app_context import opened_app
    from reminder.worker.scheduler import run_until_stopped

    with opened_app() as app:
        app.database.refuse_moved()
        run_until_stopped(app)


def run_once(
    at: Annotated[
        str | None, typer.Option(help="An instant with its zone: 2026-12-01T09:00+09:00. Default: now.")
    ] = None,
    as_json: bool = AsJson,
) -> None:
    """Run one pass over all that is due, with the configured channels, and over sheets that were sent in; then exit.

    Example: reminder run-once --at 2026-12-01T09:00+09:00
    """
    from reminder.cli.app_context import opened_app
    from reminder.worker.jobs import run_once as one_pass
    from reminder.worker.jobs import work_on_imports

    # With --json only the answer goes to standard output; the output of the console channel goes to standard error.
    write = partial(print, file=sys.stderr) if as_json else print
    with opened_app(None if at is None else _instant(at), write=write) as app:
        done = {**one_pass(app, app.clock.now()), "sheets": work_on_imports(app)}
    print_answer(done, as_json=as_json, plain="  ".join(f"{job}={count}" for job, count in done.items()))


def _instant(text: str) -> datetime:
    from reminder.errors import RefusedInputError

    try:
        instant = datetime.fromisoformat(text)
        if instant.tzinfo is None:
            raise RefusedInputError("instant_unreadable", field="at")
        return instant.astimezone(UTC)
    except (ValueError, OverflowError):
        raise RefusedInputError("instant_unreadable", field="at") from None


def migrate(as_json: bool = AsJson) -> None:
    """Upgrade the database to this program's version.

    Example: reminder migrate
    """
    from reminder.cli.app_context import require_folders
    from reminder.storage.db import schema
    from reminder.storage.db.session import Database
    from reminder.storage.maintenance.settlement import seal_rows, settling, unite_spellings
    from reminder.wiring import present_keys, read_settings

    settings = read_settings()
    require_folders(settings)
    keys = present_keys(settings)
    database = Database(settings.database)
    try:
        database.refuse_confined()
        schema.migrate(database, settling(keys))
        database.refuse_moved()
        if keys is not None:
            with database.writing() as tx:
                # What an operator has made clear since the last time becomes one row.
                unite_spellings(tx, keys)
            seal_rows(database, keys)
        version = schema.present(database)
    finally:
        database.close()
    print_answer({"version": version}, as_json=as_json, plain=f"the database is at version {version}")


def doctor(as_json: bool = AsJson) -> None:
    """Show every setting with its value (never a secret), and what is wrong with it.

    Example: reminder doctor
    """
    from reminder.cli.diagnostics import diagnose, shown

    found = diagnose()
    print_answer(vars(found), as_json=as_json, plain=shown(found))
    if found.troubles:
        raise typer.Exit(1)


def resume_channel(
    channel: Annotated[str, typer.Argument(help="One of those that `reminder channels` lists.")],
    group: Annotated[int | None, typer.Option(help="Only the messages of this group, held by its own limit.")] = None,
    as_json: bool = AsJson,
) -> None:
    """Release today's messages that were held because they are ten times those of a usual day.

    Look at what waits first: reminder list messages --state queued. `--group`: one that `reminder health` names.

    Example: reminder channel resume sms
    """
    from reminder.channels.registry import channel_named
    from reminder.cli.app_context import opened_app
    from reminder.clock import japan_date
    from reminder.storage.outbox import group_limits, rate_limits
    from reminder.storage.runtime import activity_log

    named = channel_named(channel)
    with opened_app() as app, app.writing() as uow:
        today = japan_date(uow.now)
        if group is None:
            waited = rate_limits.lift_daily_bound(uow.tx, named, today)
        else:
            group_limits.lift_daily_bound(uow.tx, named, group, today)
            waited = bool(group_limits.release(uow.tx, named, group, uow.now))
        activity_log.write(uow.tx, "channel_resumed", uow.now, group_id=group)
    print_answer(
        {"channel": channel, "waited": waited},
        as_json=as_json,
        plain="it goes on" if waited else "nothing was kept back; today's bound is lifted all the same",
    )


def health(as_json: bool = AsJson) -> None:
    """Show whether the service works: what is late, stuck or waiting, since when, and what to do.

    Example: reminder health --json
    """
    from reminder.cli.app_context import opened_app
    from reminder.cli.diagnostics import health_as_json, health_shown
    from reminder.upkeep.health import assess

    with opened_app() as app:
        found = assess(app.units, app.clock.now(), keeps_time=app.keeps_time)
        sentences = app.rules.wording.of(terminal_language()).section("trouble")
    print_answer(health_as_json(found, sentences), as_json=as_json, plain=health_shown(found, sentences))
    if not found.is_ready:
        raise typer.Exit(1)


def fetch(
    hours: Annotated[int, typer.Option(help="How many hours back.", min=1, max=168)] = 24,
    as_json: bool = AsJson,
) -> None:
    """Ask the providers for receipts and texts that have not reached us, and store them for the next pass.

    The worker does so at its start, after each gap, every hour and in the evening.

    Example: reminder fetch --hours 6
    """
    from reminder.cli.app_context import opened_app
    from reminder.delivery import provider_lists
    from reminder.worker.fetching import fetch as fetch_lists

    with opened_app() as app:
        names = list(provider_lists.listed(app.channels))
        with app.writing() as uow:
            provider_lists.want(uow, names, uow.now - timedelta(hours=hours))
        found = fetch_lists(app, names)
    said = [
        {
            "channel": one.channel,
            "receipts": one.receipts,
            "texts": one.texts,
            "is_all": one.is_all,
            "failure": one.failure,
        }
        for one in found
    ]
    lines = [
        f"{one.channel}: {one.receipts} receipts and {one.texts} texts that were not known"
        + ("" if one.is_all else f"; not read to the end ({one.failure or 'the worker goes on'})")
        for one in found
    ]
    plain = "\n".join(lines) if lines else "there is no provider that lists what it has carried"
    print_answer({"fetched": said}, as_json=as_json, plain=plain)
    if any(one.failure for one in found):
        raise typer.Exit(1)


def simulate(
    first: Annotated[str, typer.Option("--from", help="The first day.")],
    last: Annotated[str, typer.Option("--until", help="The last day.")],
    of_current: Annotated[
        bool, typer.Option("--of-current", help="On a copy of the present database instead of the demo's village.")
    ] = False,
    as_json: bool = AsJson,
) -> None:
    """Show what would be sent between two days; nothing is sent and nothing is changed.

    Example: reminder simulate --from 2026-12-01 --until 2027-12-01 --of-current
    """
    from reminder.cli.simulation_output import show_simulation
    from reminder.domain.parsing.dates import read_typed

    show_simulation(
        read_typed(first, field="from"), read_typed(last, field="until"), of_current=of_current, as_json=as_json
    )
