"""The command for the evening balance: how many were told on each day, and how many were not."""

from datetime import timedelta
from typing import Annotated

import typer

from reminder.cli.output import AsJson, print_answer


def add_to(app: typer.Typer) -> None:
    """Add the command to `reminder`."""
    app.command()(balance)


def balance(
    days: Annotated[int, typer.Option(help="How many days back.", min=1, max=366)] = 7,
    as_json: bool = AsJson,
) -> None:
    """Show what became of everything that was due on each of the last days, by channel; nobody is named.

    The worker counts a day at seven in the evening, and again while something of it is open.

    Example: reminder balance --days 31
    """
    from reminder.cli.app_context import opened_app
    from reminder.domain.rules.evening_balance import COUNTS, in_order, last_day_to_count
    from reminder.storage.reminders import daily_balances

    with opened_app() as app, app.reading() as uow:
        last = last_day_to_count(uow.now)
        found = daily_balances.between(uow.tx, last - timedelta(days=days - 1), last)
        rows = in_order(found, list(uow.rules.channels))
    shown = [
        {"day": one.day.isoformat(), "channel": one.channel, **{name: getattr(one, name) for name in COUNTS}}
        for one in rows
    ]
    lines = [
        f"{one.day.isoformat()}  {one.channel or 'other':6}  {one.due} due: {one.arrived} arrived, "
        f"{one.other_way} told another way, {one.to_human} handed to a human, {one.open} open, "
        f"{one.not_known} not known  ({one.people} people, {one.messages} messages sent)"
        for one in rows
    ]
    print_answer({"days": shown}, as_json=as_json, plain="\n".join(lines) or "no day has been counted yet")
