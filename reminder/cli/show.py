"""Showing texts as they would arrive: plans, simulations and the demo."""

import json
import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from pathlib import Path

from reminder.clock import JAPAN, japan_date
from reminder.domain import dates, hours, segments
from reminder.domain.people import ChannelName
from reminder.planning.preview import Preview
from reminder.settings import read_settings
from reminder.simulate import Sent, Village, World, settle_village, start_of, world

# Long enough for a certificate's whole ladder, its grace, and a card that is renewed at the counter.
DEMO_YEARS = 2.6


def show_plan(planned: Iterable[Preview]) -> None:
    for row in planned:
        size = f"{row.segments}通" if row.segments else "メール"
        print(f"{_when(row.send_at)}  {row.rung:9} {row.audience:7} {row.channel:6} {size}")
        print(_indented(f"件名: {row.subject}\n{row.text}" if row.subject else row.text))


def show_demo(*, and_serve: bool) -> None:
    logging.disable(logging.INFO)  # the texts themselves are the show
    # A fixed day, so that everyone sees the same demo.
    start = start_of(date(2026, 12, 1))
    until = start + timedelta(days=365 * DEMO_YEARS)
    with world(start) as village:
        names = settle_village(village.app)
        print(f"田中家（母・父・娘）と さくら苑（入居者3名）の {start:%Y年%-m月} から {until:%Y年%-m月} まで。")
        print("ひとつも本物ではありません。何も送信していません。\n")
        _run_and_print(village, until, names)
        _summary(village.all_sent())
        if and_serve:
            from reminder.web.server import run

            print("\nhttp://127.0.0.1:8000/ と http://127.0.0.1:8000/outbox をご覧ください（Ctrl-C で終わり）")
            from contextlib import nullcontext

            run(village.app, host="127.0.0.1", port=8000, beside=nullcontext())


def show_simulation(first: date, last: date, *, of_current: bool, as_json: bool) -> None:
    from reminder.errors import RefusedInputError

    settings = read_settings()
    if last < first:
        raise RefusedInputError("dates_contradict", field="until")
    if of_current and not settings.on_sqlite:
        raise RefusedInputError("simulate_needs_sqlite", field="of_current")
    current = Path(settings.database.removeprefix("sqlite:///"))
    if of_current and not current.exists():
        raise RefusedInputError("nothing_enrolled", field="of_current")
    until = hours.instant(last, time(23, 59))
    with world(start_of(first), settings=settings, copy_of=current if of_current else None) as there:
        names = Village({}) if of_current else settle_village(there.app)
        if as_json:
            for _ in there.run_until(until):
                pass
            print(json.dumps([_as_row(sent, names) for sent in there.all_sent()], ensure_ascii=False))
        else:
            _run_and_print(there, until, names)
            _summary(there.all_sent())


def _run_and_print(there: World, until: datetime, names: Village) -> None:
    shown = 0
    for _ in there.run_until(until):
        sent = there.all_sent()
        for one in sent[shown:]:
            _show(one, names)
        shown = len(sent)


def _show(sent: Sent, names: Village) -> None:
    who = names.names.get(sent.outgoing.address, "")
    to = f"{who}（{sent.outgoing.address}）" if who else sent.outgoing.address
    if sent.channel is ChannelName.SMS:
        print(f"{_when(sent.at)}  SMS {segments.count(sent.outgoing.text)}通 → {to}")
        print(_indented(sent.outgoing.text))
    else:
        print(f"{_when(sent.at)}  メール → {to}")
        print(_indented(f"件名: {sent.outgoing.subject}\n{sent.outgoing.text}"))


def _summary(sent: Iterable[Sent]) -> None:
    by_channel = Counter(one.channel for one in sent)
    texts = sum(segments.count(one.outgoing.text) for one in sent if one.channel is ChannelName.SMS)
    print(f"合計  SMS {by_channel[ChannelName.SMS]}件（{texts}通）、メール {by_channel[ChannelName.EMAIL]}件")


def _as_row(sent: Sent, names: Village) -> Mapping[str, object]:
    is_sms = sent.channel is ChannelName.SMS
    return {
        "at": sent.at.astimezone(JAPAN).isoformat(timespec="seconds"),
        "channel": sent.channel,
        "to": sent.outgoing.address,
        "name": names.names.get(sent.outgoing.address),
        "subject": sent.outgoing.subject,
        "text": sent.outgoing.text,
        "segments": segments.count(sent.outgoing.text) if is_sms else 0,
    }


def _when(instant: datetime) -> str:
    return f"{japan_date(instant).year}年{dates.with_weekday(japan_date(instant))} {instant.astimezone(JAPAN):%H:%M}"


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines()) + "\n"
