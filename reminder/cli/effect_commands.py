"""The command for the proof of effect: what became of the ends that have passed, in numbers that name nobody."""

from typing import TYPE_CHECKING, Annotated

import typer

from reminder.cli.output import AsJson, print_answer
from reminder.domain.rules.effect import By

if TYPE_CHECKING:
    from reminder.domain.rules.effect import EffectRow, EffectTable, Share


def add_to(app: typer.Typer) -> None:
    """Add the command to `reminder`."""
    app.command()(effect)


def effect(
    by: Annotated[By | None, typer.Option(help="What the ends are told apart by.")] = None,
    first: Annotated[
        str | None, typer.Option("--from", help="First month of ends, as 2027-02. Default: a year of ends.")
    ] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last month of ends. Default: this month.")] = None,
    as_json: bool = AsJson,
) -> None:
    """Show what became of the end dates that have passed: renewed in time, in the grace, later, or nobody knows.

    The worker counts each end on the day after it, and again when somebody acts. Shares come with the limits between
    which they lie in 95 of 100 cases. What concerns fewer than ten ends is hidden, and with it what would tell it.

    Example: reminder effect --by kind
    """
    from reminder.cli.app_context import opened_app
    from reminder.domain.parsing.dates import read_month
    from reminder.domain.rules.effect import FEWEST_SHOWN, last_year, table_of
    from reminder.errors import RefusedInputError
    from reminder.storage.reminders import counted_ends

    with opened_app() as app, app.reading() as uow:
        usual_first, this_month = last_year(uow.now)
        since = None if first is None else read_month(first)
        until = max(this_month, since or this_month) if last is None else read_month(last)
        since = since or min(usual_first, until)
        if since > until:
            raise RefusedInputError("months_reversed", field="from")
        table = table_of(counted_ends.counts(uow.tx, since, until), by)
    answer = {
        "from": f"{since:%Y-%m}",
        "to": f"{until:%Y-%m}",
        "by": by,
        "fewest_shown": FEWEST_SHOWN,
        "hidden_rows": table.hidden,
        "total": None if table.total is None else _as_json(table.total),
        "rows": [{"name": row.name, **_as_json(row)} for row in table.rows],
    }
    print_answer(answer, as_json=as_json, plain=_plain(table, f"{since:%Y-%m} to {until:%Y-%m}"))


def _as_json(row: "EffectRow") -> dict[str, object]:
    from reminder.domain.model.end_outcomes import EndOutcome

    return {
        "ends": row.ends,
        **{outcome.value: row.count(outcome) for outcome in EndOutcome},
        "in_time": _share(row.in_time),
        "in_time_or_grace": _share(row.kept),
    }


def _share(share: "Share") -> dict[str, float | int]:
    return {
        "of": share.of,
        "share": round(share.share, 4),
        "low": round(share.low, 4),
        "high": round(share.high, 4),
    }


def _plain(table: "EffectTable", months: str) -> str:
    from reminder.domain.rules.effect import FEWEST_SHOWN

    if table.total is None:
        return f"{months}: fewer than {FEWEST_SHOWN} ends have passed; nothing is shown"
    lines = [f"{months}: {_line(table.total)}"]
    lines += [f"{row.name or 'nothing told'}: {_line(row)}" for row in table.rows]
    if table.hidden:
        lines.append(f"{table.hidden} rows are hidden: they, or what they could be worked out from, are too few")
    return "\n".join(lines)


def _line(row: "EffectRow") -> str:
    from reminder.domain.model.end_outcomes import EndOutcome

    share = row.in_time
    return (
        f"{row.ends} ends: {row.count(EndOutcome.BEFORE)} renewed in time, {row.count(EndOutcome.IN_GRACE)} in the"
        f" grace, {row.count(EndOutcome.AFTER)} later, {row.count(EndOutcome.ENDED)} needed no more,"
        f" {row.count(EndOutcome.UNKNOWN)} not known; in time {share.share:.0%} ({share.low:.0%} to {share.high:.0%})"
    )
