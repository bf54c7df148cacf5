"""Commands that look things up: kinds, dates, plans and texts. Nothing is stored and no database is opened."""

import sys
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from reminder.cli.output import AsJson, print_answer, print_rows, terminal_language
from reminder.cli.preferences import OnHolidays, OwnDays, Preset, SendHour, typed_preferences
from reminder.domain.model.people import Language, Mode
from reminder.errors import RefusedInputError


def add_to(app: typer.Typer) -> None:
    """Add the commands to `reminder`."""
    app.command()(kinds)
    app.command("read-date")(read_date)
    app.command()(expiry)
    app.command()(preview)
    app.command("check-text")(check_text)
    app.command("read-reply")(read_reply)


def kinds(
    as_json: bool = AsJson,
    markdown: Annotated[bool, typer.Option("--markdown", help="As a page, with everything and its sources.")] = False,
    stale: Annotated[bool, typer.Option("--stale", help="Only those last checked more than a year ago.")] = False,
    check: Annotated[bool, typer.Option("--check", help="List what is missing, file by file.")] = False,
) -> None:
    """List the kinds of cards that can be registered.

    Example: reminder kinds --json
    """
    if check:
        from reminder.cli.new import check_kinds

        check_kinds(as_json=as_json)
        return
    from reminder.cli import card_kinds
    from reminder.clock import SystemClock, japan_date
    from reminder.wiring import read_rulebook, read_settings

    rules = read_rulebook(read_settings())
    if stale:
        shown = card_kinds.stale(rules, japan_date(SystemClock().now()))
        print_rows(({"kind": kind.key, "checked_on": kind.checked_on} for kind in shown), as_json=as_json)
    elif markdown:
        print(card_kinds.page(rules), end="")
    elif as_json:
        print_rows((card_kinds.row(rules, kind) for kind in rules.kinds.values()), as_json=True)
    else:
        print(card_kinds.table(rules, terminal_language()))


def read_date(text: str, as_json: bool = AsJson) -> None:
    """Read a typed date and say what it means.

    Example: reminder read-date 令和8年3月31日 --json
    """
    from reminder.domain.parsing import dates

    day = dates.read_typed(text, field="date")
    print_answer({"date": day.isoformat()}, as_json=as_json, plain=f"{day.isoformat()}  {dates.in_both_calendars(day)}")


Day = Annotated[str | None, typer.Option(help="A date, as 令和8年3月31日 or 2026-03-31.")]


def expiry(
    kind: str,
    issued: Annotated[str | None, typer.Option(help="The day it was issued (not handed over).")] = None,
    expires: Annotated[str | None, typer.Option(help="The end, where it stands on the card: it wins.")] = None,
    born: Day = None,
    received: Annotated[str | None, typer.Option(help="The day the application was received.")] = None,
    residence_until: Annotated[str | None, typer.Option(help="The end of a foreign resident's stay.")] = None,
    special_period: Annotated[
        bool, typer.Option("--special-period", help="Its renewal was applied for in time and is not decided yet.")
    ] = False,
    card_expires: Annotated[str | None, typer.Option(help="For a certificate: the end printed on its card.")] = None,
    user_certificate_expires: Annotated[
        str | None, typer.Option(help="For a signature certificate: the end of the other one.")
    ] = None,
    replaces: Annotated[
        str | None, typer.Option(help="For a renewed certificate: the end of the one before it.")
    ] = None,
    years: Annotated[
        int | None, typer.Option(min=1, max=10, help="Of a licence (3) or passport (5) of the shorter term.")
    ] = None,
    first: Annotated[
        bool | None,
        typer.Option("--first/--renewal", help="Of a licence: the first or an added one, or a renewal."),
    ] = None,
    today: Day = None,
    as_json: bool = AsJson,
) -> None:
    """Work out end dates from the rules, or what follows from one that was read; nothing is stored.

    Example: reminder expiry mynumber_card --issued 2021-11-20 --born 1985-11-14
    """
    from dataclasses import asdict

    from reminder.domain.rules.expiry import KnownDates, refuse_unused, work_out
    from reminder.wiring import read_rulebook, read_settings

    known = KnownDates(
        issued=_maybe(issued, "issued"),
        born=_maybe(born, "born"),
        received=_maybe(received, "received"),
        residence_until=_maybe(residence_until, "residence_until"),
        special_period=special_period,
        expires_on=_maybe(expires, "expires"),
        card_expires_on=_maybe(card_expires, "card_expires"),
        user_certificate_expires_on=_maybe(user_certificate_expires, "user_certificate_expires"),
        replaces=_maybe(replaces, "replaces"),
        years=years,
        is_first=first,
        today=_maybe(today, "today"),
    )
    kinds_known = read_rulebook(read_settings()).kinds
    refuse_unused(kinds_known, kind, known)
    worked_out = asdict(work_out(kinds_known, kind, known))
    hints = (
        "grace_unconfirmed", "if_renewed_early", "may_already_be_renewed", "worked_out", "if_a_renewal",
        "rule_unconfirmed",
    )  # fmt: skip
    found = {name: value for name, value in worked_out.items() if name not in hints}
    lines = [*found.items(), *((name, worked_out[name]) for name in hints if worked_out[name])]
    print_answer(found, as_json=as_json, plain="\n".join(f"{name}: {value}" for name, value in lines))


def preview(
    kind: str,
    expires: Annotated[str, typer.Argument(metavar="EXPIRY", help="The end date, as it is typed.")],
    mode: Annotated[Mode, typer.Option(help="How the person is spoken to.")] = Mode.STANDARD,
    lang: Annotated[
        str, typer.Option(help="The language of the texts: a file of config/wording/.")
    ] = Language.JAPANESE,
    today: Annotated[str | None, typer.Option(help="Leave out what is past on this day.")] = None,
    computed: Annotated[bool, typer.Option("--computed", help="The date was worked out, not read.")] = False,
    label: Annotated[str | None, typer.Option(help="For the kind `other`: what its owner calls it.")] = None,
    bound: Annotated[bool, typer.Option("--bound", help="It ends with the residence period.")] = False,
    days: OwnDays = None,
    hour: SendHour = None,
    holidays: OnHolidays = None,
    preset: Preset = None,
    svg: Annotated[Path | None, typer.Option(help="Also draw the plan as a timeline into this file.")] = None,
    as_json: bool = AsJson,
) -> None:
    """Show every text about one end date, with its day, hour and reader. Nothing is stored.

    Example: reminder preview mynumber_user_certificate 2027-02-20 --mode elderly
    """
    from reminder.domain.rules.preferences import DEFAULT_PREFERENCES
    from reminder.enrolment.cards import clean_card_label
    from reminder.planning.preview import PreviewedCard
    from reminder.planning.preview import preview as plan_texts
    from reminder.wiring import read_rulebook, read_settings

    rules = read_rulebook(read_settings())
    rules.kind(kind)
    preferences = typed_preferences(DEFAULT_PREFERENCES, days, hour, holidays, preset).checked(rules.schedules.presets)
    clean = None if label is None else clean_card_label(kind, label)
    expires_on, language_of_texts = _day(expires, "expires"), rules.language(lang)
    card = PreviewedCard(kind, expires_on, computed=computed, label=clean, bound=bound)
    day = _maybe(today, "today")
    planned = plan_texts(rules, card, mode=mode, language=language_of_texts, today=day, preferences=preferences)
    if svg is not None:
        from reminder.cli.timeline import draw

        try:
            svg.write_text(draw(rules, card, mode, language_of_texts, planned, day), encoding="utf-8")
        except OSError:
            raise RefusedInputError("usage_value", option="--svg", command="reminder preview") from None
    if not as_json:
        from reminder.cli.simulation_output import show_plan

        show_plan(planned)
        return
    print_rows(
        (
            {
                "step": row.step,
                "on": row.on,
                "send_at": row.send_at,
                "audience": row.audience,
                "channel": row.channel,
                "text": row.text,
                "segments": row.segments,
                "subject": row.subject,
            }
            for row in planned
        ),
        as_json=True,
    )


def check_text(as_json: bool = AsJson) -> None:
    """Check whether each line of standard input may be stored; no line is printed.

    Example: reminder check-text --json
    """
    from reminder.guard.numbers import forbidden

    for line in sys.stdin.buffer:
        looks_like = forbidden(_read(line.rstrip(b"\r\n")))
        print_answer(
            {"ok": looks_like is None, "looks_like": looks_like},
            as_json=as_json,
            plain="ok" if looks_like is None else f"refused: {looks_like}",
        )


def read_reply(as_json: bool = AsJson) -> None:
    """Say what each line of standard input would mean as a reply to a text; no line is printed.

    Example: reminder read-reply --json
    """
    from reminder.domain.parsing.replies import read, read_rules
    from reminder.settings import config_dir, read_table

    rules = read_rules(read_table(config_dir() / "replies.toml"))
    for line in sys.stdin.buffer:
        intent = read(_read(line.rstrip(b"\r\n")), rules)
        print_answer({"intent": intent}, as_json=as_json, plain=intent)


def _read(line: bytes) -> str:
    """Decode a line, which may be Shift_JIS: spreadsheets in Japan still save in it.

    Other encodings leave gaps, which hide no number.
    """
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("cp932", errors="replace")


def _day(text: str, field: str) -> date:
    from reminder.domain.parsing.dates import read_typed

    return read_typed(text, field=field)


def _maybe(text: str | None, field: str) -> date | None:
    return None if text is None else _day(text, field)
