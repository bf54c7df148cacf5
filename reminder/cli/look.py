"""Commands that only look: kinds, dates, plans and texts. Nothing is stored and no database is opened."""

import sys
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from reminder.cli.say import AsJson, answer, rows
from reminder.domain.people import Language, Mode
from reminder.errors import RefusedInputError


def add_to(app: typer.Typer) -> None:
    app.command()(kinds)
    app.command("read-date")(read_date)
    app.command()(expiry)
    app.command()(preview)
    app.command("check-text")(check_text)


def kinds(as_json: bool = AsJson) -> None:
    """The kinds of cards that can be registered. Example: reminder kinds --json"""
    from reminder.domain.cards import read_kinds
    from reminder.settings import config_dir, read_table

    rows(
        (
            {"kind": kind.key, "ja": kind.names["ja"], "ja-easy": kind.names["ja-easy"], "en": kind.names["en"]}
            for kind in read_kinds(read_table(config_dir() / "cards.toml")).values()
        ),
        as_json=as_json,
    )


def read_date(text: str, as_json: bool = AsJson) -> None:
    """What a typed date means. Example: reminder read-date 令和8年3月31日 --json"""
    from reminder.domain import dates

    day = dates.read_typed(text, field="date")
    answer({"date": day.isoformat()}, as_json=as_json, plain=f"{day.isoformat()}  {dates.in_both_calendars(day)}")


Day = Annotated[str | None, typer.Option(help="A date, as 令和8年3月31日 or 2026-03-31.")]


def expiry(
    kind: str,
    issued: Annotated[str, typer.Option(help="The day it was issued (not handed over).")],
    born: Day = None,
    received: Annotated[str | None, typer.Option(help="The day the application was received.")] = None,
    residence_until: Annotated[str | None, typer.Option(help="The end of a foreign resident's stay.")] = None,
    card_expires: Annotated[str | None, typer.Option(help="For a certificate: the end printed on its card.")] = None,
    replaces: Annotated[
        str | None, typer.Option(help="For a renewed certificate: the end of the one before it.")
    ] = None,
    today: Day = None,
    as_json: bool = AsJson,
) -> None:
    """End dates worked out from the rules; nothing is stored.

    Example: reminder expiry mynumber_card --issued 2021-11-20 --born 1985-11-14
    """
    from reminder.domain import validity

    worked_out = validity.work_out(
        kind,
        issued=_day(issued, "issued"),
        born=_maybe(born, "born"),
        received=_maybe(received, "received"),
        residence_until=_maybe(residence_until, "residence_until"),
        card_expires_on=_maybe(card_expires, "card_expires"),
        replaces=_maybe(replaces, "replaces"),
        today=_maybe(today, "today"),
    )
    found = {
        "card_expires_on": worked_out.card_expires_on,
        "certificate_expires_on": worked_out.certificate_expires_on,
        "opens_on": worked_out.opens_on,
        "grace_ends_on": worked_out.grace_ends_on,
        "last_counter_day": worked_out.last_counter_day,
    }
    hints = {
        "if_renewed_early": worked_out.if_renewed_early,
        "may_already_be_renewed": worked_out.may_already_be_renewed,
    }
    lines = [*found.items(), *((name, hint) for name, hint in hints.items() if hint)]
    answer(found, as_json=as_json, plain="\n".join(f"{name}: {value}" for name, value in lines))


def preview(
    kind: str,
    expires: Annotated[str, typer.Argument(metavar="EXPIRY", help="The end date, as it is typed.")],
    mode: Annotated[Mode, typer.Option(help="How the person is spoken to.")] = Mode.STANDARD,
    lang: Annotated[Language, typer.Option(help="The language of the texts.")] = Language.JAPANESE,
    today: Annotated[str | None, typer.Option(help="Leave out what is past on this day.")] = None,
    svg: Annotated[Path | None, typer.Option(help="Also draw the plan as a timeline into this file.")] = None,
    as_json: bool = AsJson,
) -> None:
    """Every text of one end date, with its day, hour and reader. Nothing is stored.

    Example: reminder preview mynumber_user_certificate 2027-02-20 --mode elderly
    """
    from reminder.planning.preview import preview as plan_texts
    from reminder.settings import read_settings
    from reminder.wiring import read_rulebook

    rules = read_rulebook(read_settings())
    rules.kind(kind)
    expires_on = _day(expires, "expires")
    planned = plan_texts(rules, kind, expires_on, mode=mode, language=lang, today=_maybe(today, "today"))
    if svg is not None:
        from reminder.cli.timeline import draw

        try:
            svg.write_text(draw(rules, kind, expires_on, mode, lang, planned), encoding="utf-8")
        except OSError:
            raise RefusedInputError("usage_value", option="--svg", command="reminder preview") from None
    if not as_json:
        from reminder.cli.show import show_plan

        show_plan(planned)
        return
    rows(
        (
            {
                "rung": row.rung,
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
    """Whether each line of standard input may be kept; no line is printed. Example: reminder check-text --json"""
    from reminder.guard.numbers import forbidden

    for line in sys.stdin.buffer:
        looks_like = forbidden(_read(line.rstrip(b"\r\n")))
        answer(
            {"ok": looks_like is None, "looks_like": looks_like},
            as_json=as_json,
            plain="ok" if looks_like is None else f"refused: {looks_like}",
        )


def _read(line: bytes) -> str:
    """Spreadsheets in Japan still save in Shift_JIS; what is neither leaves gaps, which hide no number."""
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("cp932", errors="replace")


def _day(text: str, field: str) -> date:
    from reminder.domain.dates import read_typed

    return read_typed(text, field=field)


def _maybe(text: str | None, field: str) -> date | None:
    return None if text is None else _day(text, field)
