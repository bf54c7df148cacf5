"""Commands about the rules: whether each claim agrees with the data, and what changed. Nothing is stored."""

from typing import Annotated

import typer

from reminder.cli.output import AsJson, print_rows


def add_to(app: typer.Typer) -> None:
    """Add the commands to `reminder`."""
    about = "The rules of cards and their sources. Example: reminder rules check"
    rules = typer.Typer(help=about, no_args_is_help=True, rich_markup_mode=None)
    rules.command()(check)
    rules.command()(changes)
    app.add_typer(rules, name="rules")


def check(
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail also for a claim without a case, or not verified for a year.")
    ] = False,
    today: Annotated[str | None, typer.Option(help="As of this day.")] = None,
    as_json: bool = AsJson,
) -> None:
    """Check each claim about the rules against the data, by its cases. Exit code 1 where one fails.

    Example: reminder rules check --strict
    """
    from reminder.cli.rule_claims import checked
    from reminder.clock import SystemClock, japan_date
    from reminder.domain.parsing import dates
    from reminder.wiring import read_claims_of_rules, read_rulebook, read_settings

    rules = read_rulebook(read_settings())
    day = japan_date(SystemClock().now()) if today is None else dates.read_typed(today, field="today")
    found = checked(rules, read_claims_of_rules(rules), day)
    print_rows(
        (
            {
                "claim": one.claim.key,
                "kind": one.claim.kind,
                "ok": not one.is_wrong,
                "cases": len(one.claim.cases),
                "verified": one.claim.verified,
                "stale": one.is_stale,
                "since": one.claim.since,
                "until": one.claim.until,
                "ahead": one.is_ahead,
                "failed": list(one.failed),
                "source": list(one.claim.source),
            }
            for one in found
        ),
        as_json=as_json,
    )
    if any(one.is_wrong or (strict and one.is_weak) for one in found):
        raise typer.Exit(1)


def changes(as_json: bool = AsJson) -> None:
    """Print what changed in the rules since 2022, as the page docs/rules-changes.md.

    Example: reminder rules changes
    """
    from reminder.cli.rule_claims import changed, changes_page
    from reminder.wiring import read_claims_of_rules, read_rulebook, read_settings

    claims = read_claims_of_rules(read_rulebook(read_settings()))
    if not as_json:
        print(changes_page(claims), end="")
        return
    print_rows(
        (
            {
                "claim": one.key,
                "kind": one.kind,
                "since": one.since,
                "until": one.until,
                "verified": one.verified,
                "source": list(one.source),
            }
            for one in changed(claims)
        ),
        as_json=True,
    )
