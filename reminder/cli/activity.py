"""Commands for the activity log: whether it is as it was written, and how it begins anew after it was changed."""

import typer

from reminder.cli.output import AsJson, print_answer


def add_to(app: typer.Typer) -> None:
    """Add the commands to `reminder`."""
    about = "The activity log as a whole. Example: reminder activity check"
    activity = typer.Typer(help=about, no_args_is_help=True, rich_markup_mode=None)
    activity.command("check")(check)
    activity.command("accept")(accept)
    app.add_typer(activity, name="activity")


def check(as_json: bool = AsJson) -> None:
    """Check that no row of the activity log was changed, deleted or inserted since it was written.

    Example: reminder activity check
    """
    from reminder.cli.app_context import opened_app
    from reminder.storage.maintenance import activity_chain
    from reminder.storage.runtime import activity_log

    with opened_app() as app:
        with app.reading() as uow:
            found = activity_chain.check_all(uow.tx, uow.keys)
        with app.logging() as uow:
            activity_log.write(uow.tx, "activity_log_checked", uow.now)
    said = "all are as they were written" if found.wrong is None else f"number {found.wrong} is not as it was written"
    print_answer(
        {"rows": found.last, "wrong": found.wrong}, as_json=as_json, plain=f"{found.last} rows are chained; {said}"
    )
    if found.wrong is not None:
        raise typer.Exit(1)


def accept(as_json: bool = AsJson) -> None:
    """Chain the activity log anew as it is now, after you have looked into a change; this act is logged.

    Example: reminder activity accept
    """
    from reminder.cli.app_context import opened_app
    from reminder.upkeep.health import accept_activity

    with opened_app() as app, app.writing() as uow:
        rows = accept_activity(uow)
    print_answer({"rows": rows}, as_json=as_json, plain=f"{rows} rows are chained anew")
