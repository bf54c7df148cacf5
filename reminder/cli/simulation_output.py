"""Output of texts as they would arrive: plans and simulations."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime, time
from pathlib import Path

from reminder.cli.output import terminal_language, words_in
from reminder.clock import JAPAN, japan_date
from reminder.domain.model.languages import read_facts
from reminder.domain.model.people import ChannelName
from reminder.domain.rules import hours
from reminder.domain.text import sms_segments
from reminder.domain.text.catalog import Catalog, KindWords
from reminder.planning.preview import Preview
from reminder.settings import config_dir
from reminder.simulate import SimulatedMessage, SimulatedWorld, settle_village, simulated_world, start_of
from reminder.wiring import App, read_settings


def show_plan(planned: Iterable[Preview]) -> None:
    """Print the messages of a preview."""
    shown = ShownTexts()
    for row in planned:
        size = shown.sms(row.segments) if row.segments else shown.words["email"]
        print(f"{shown.moment(row.send_at)}  {row.step:9} {row.audience:7} {size}")
        print(shown.text(row.subject, row.text))


def serve_demo(app: App, words: Mapping[str, str], show: Callable[[str], object] | None) -> None:
    """Serve the pages of the demo on a free port, until Ctrl-C; `show` gets their address.

    The clock stands still; login codes are printed like everything that is sent.
    """
    from reminder.channels.console import ConsoleChannel
    from reminder.web.server import listen, run
    from reminder.worker.scheduler import WorkerScheduler

    printing = {name: ConsoleChannel(name, print) for name in app.channels}
    served = replace(app, channels=printing)
    with listen("127.0.0.1", 0) as listening:
        url = f"http://localhost:{listening.getsockname()[1]}"
        print("\n" + words["pages_of_demo"].format(url=url), flush=True)
        if show is not None:
            show(url)
        run(served, listening, beside=WorkerScheduler(served))


def show_simulation(first: date, last: date, *, of_current: bool, as_json: bool) -> None:
    """Run a simulation and print its messages."""
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
    shown = ShownTexts()
    with simulated_world(start_of(first), settings=settings, copy_of=current if of_current else None) as there:
        shown.names = {} if of_current else settle_village(there.app).names
        if not as_json:
            _run_and_print(there, until, shown)
            return
        for _ in there.run_until(until):
            pass
        print(json.dumps([_as_row(sent, shown.names) for sent in there.all_sent()], ensure_ascii=False))


def _run_and_print(there: SimulatedWorld, until: datetime, shown: "ShownTexts") -> None:
    printed = 0
    for _ in there.run_until(until):
        sent = there.all_sent()
        for one in sent[printed:]:
            print(shown.sent(one))
        printed = len(sent)
    print(shown.total(there.all_sent()))


class ShownTexts:
    """The layout of texts on a screen, in its reader's language; `names`: who answers to which address."""

    def __init__(self, names: Mapping[str, str] | None = None) -> None:
        table = words_in(config_dir(), terminal_language())
        self._words = Catalog(table, {}, KindWords({}), read_facts(terminal_language(), table))
        self.words = self._words.section("shown")
        self.names: Mapping[str, str] = names or {}
        self._mails: set[tuple[str, str]] = set()

    def sent(self, sent: SimulatedMessage) -> str:
        """Return the text of a message; an e-mail that repeats an earlier one to the same reader is one line."""
        is_sms = sent.channel.can.counts_segments
        how = self.sms(sms_segments.count(sent.outgoing.text)) if is_sms else self.words["email"]
        address = sent.outgoing.address
        to = f"{self.names[address]} <{address}>" if address in self.names else address
        line = f"{self.moment(sent.at)}  {how} → {to}"
        if not is_sms and (address, sent.outgoing.text) in self._mails:
            return f"{line}  {self.words['as_before']}"
        self._mails.add((address, sent.outgoing.text))
        return f"{line}\n{self.text(sent.outgoing.subject, sent.outgoing.text)}"

    def text(self, subject: str | None, text: str) -> str:
        """Return a subject and a text, each line indented."""
        lines = text.splitlines() if subject is None else [self.words["subject"].format(subject), *text.splitlines()]
        return "".join(f"    {line}".rstrip() + "\n" for line in lines)

    def sms(self, count: int) -> str:
        """Return how many parts a text has."""
        return self.words["sms"].format(n=count)

    def moment(self, instant: datetime) -> str:
        """Return an instant as day and hour in Japan."""
        return f"{self.day(japan_date(instant))} {instant.astimezone(JAPAN):%H:%M}"

    def day(self, day: date) -> str:
        """Return a day with its weekday."""
        return self._words.date(day, "full_date")

    def total(self, sent: Iterable[SimulatedMessage]) -> str:
        """Return how many messages there were."""
        by_channel = Counter(one.channel for one in sent)
        texts = sum(sms_segments.count(one.outgoing.text) for one in sent if one.channel.can.counts_segments)
        return self.words["total"].format(
            sms=by_channel[ChannelName.SMS], segments=texts, emails=by_channel[ChannelName.EMAIL]
        )


def _as_row(sent: SimulatedMessage, names: Mapping[str, str]) -> Mapping[str, object]:
    is_sms = sent.channel.can.counts_segments
    return {
        "at": sent.at.astimezone(JAPAN).isoformat(timespec="seconds"),
        "channel": sent.channel,
        "to": sent.outgoing.address,
        "name": names.get(sent.outgoing.address),
        "subject": sent.outgoing.subject,
        "text": sent.outgoing.text,
        "segments": sms_segments.count(sent.outgoing.text) if is_sms else 0,
    }
