"""`reminder demo`: one screen that tells three stories, and a folder with everything that was sent and drawn."""

import logging
import tempfile
import textwrap
import webbrowser
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from reminder.cli.demo_pages import PageReader
from reminder.cli.output import terminal_language, words_in
from reminder.cli.simulation_output import ShownTexts, serve_demo
from reminder.clock import JAPAN
from reminder.demo import (
    CERTIFICATE,
    DAUGHTER,
    ENDS,
    FATHER,
    MONDAY,
    MOTHER,
    OFFICE,
    SHOWN_ON,
    SISTER,
    SON,
    START,
    Moment,
    Stories,
)
from reminder.domain.model.languages import read_facts
from reminder.domain.model.people import Language, Mode
from reminder.domain.text.catalog import Catalog, KindWords
from reminder.domain.text.text_width import width_of, wrapped
from reminder.errors import RefusedInputError
from reminder.settings import config_dir
from reminder.simulate import simulated_world, start_of
from reminder.storage.crypto import private_files

if TYPE_CHECKING:
    from reminder.wiring import App

# Widths in ems, each two columns of a terminal; with two for what clings to the end of a line, eighty columns.
_WHEN, _WHO, _TEXT = 7, 6, 25


def show_demo(out: Path | None, *, and_serve: bool, in_browser: bool) -> None:
    """Tell the demo's stories on one screen and write its files into `out`, by default a new temporary folder."""
    logging.disable(logging.INFO)
    language = terminal_language()
    folder = _folder(out)
    with simulated_world(start_of(START), with_answers=True) as there:
        screen = _Screen(language)
        stories = Stories(there, language, screen.words)
        stories.settle()
        stories.play()
        for line in screen.lines(stories):
            print(line, flush=True)
        _write_files(folder, stories, language)
        print("\n".join(screen.end(folder)))
        if and_serve or in_browser:
            serve_demo(there.app, screen.words, webbrowser.open if in_browser else None)


def _folder(out: Path | None) -> Path:
    if out is None:
        return Path(tempfile.mkdtemp(prefix="kigen-demo-"))
    try:
        private_files.make_folder(out)
    except OSError:
        raise RefusedInputError("usage_value", option="--out", command="reminder demo") from None
    return out


class _Screen:
    """The layout of the stories, in the terminal's language."""

    def __init__(self, language: Language) -> None:
        table = words_in(config_dir(), language)
        self._words = Catalog(table, {}, KindWords({}), read_facts(language, table))
        self.words: Mapping[str, str] = self._words.section("shown")

    def lines(self, stories: Stories) -> Iterator[str]:
        word = self.words
        yield from word["demo_title"].format(start=self._day(START), until=self._day(SHOWN_ON)).strip().splitlines()
        yield ""
        yield word["demo_first"].format(end=self._day(ENDS))
        told = stories.told(MOTHER, DAUGHTER)
        own = [one for one in told if one.address != DAUGHTER]
        for one, before in zip(own, (None, *own), strict=False):
            is_again = before is not None and one.text == before.text
            yield from self._moment(stories, replace(one, text=word["as_before"]) if is_again else one)
        mails = [one for one in told if one.address == DAUGHTER and one.sent is not None]
        yield from self._moment(stories, mails[-1])
        yield from self._moment(stories, next(one for one in told if one.address == DAUGHTER and one.sent is None))
        yield from self._row("", stories.names[DAUGHTER], word["demo_copies"].format(n=len(mails) - 1))
        yield ""
        yield from self._second(stories)
        yield ""
        yield word["demo_third"].format(day=self._day(MONDAY))
        yield from self._digest(stories)

    def _second(self, stories: Stories) -> Iterator[str]:
        word = self.words
        father, son, sister = (stories.told(one) for one in (FATHER, SON, SISTER))
        yield word["demo_second"].format(end=self._day(ENDS))
        yield from self._moment(stories, father[0])
        yield from self._row("", "", word["demo_no_answer"].format(sms=len(father) - 1, mails=len(son)))
        yield from self._moment(stories, sister[0])
        yield from self._moment(stories, father[-1])
        yield from self._moment(stories, sister[-1])
        yield from self._row(self._short(SHOWN_ON), word["demo_page"], word["demo_red"])

    def _digest(self, stories: Stories) -> Iterator[str]:
        mail = next(one for one in stories.told(OFFICE) if one.at.astimezone(JAPAN).date() == MONDAY)
        assert mail.sent is not None
        yield from self._moment(stories, mail)
        part = mail.text.split("■")[1:]
        for section in part[:-2]:
            heading, *items = [line.strip() for line in section.splitlines() if line.strip()]
            yield from self._row("", "", f"■ {heading}")
            for item in items[:2]:
                yield from self._row("", "", f"  {item}")

    def end(self, folder: Path) -> list[str]:
        """Return the last lines: where the files are, and what to type next."""
        return ["", self.words["demo_files"].format(folder=folder), "", *self.words["demo_next"].strip().splitlines()]

    def _moment(self, stories: Stories, one: Moment) -> Iterator[str]:
        at = one.at.astimezone(JAPAN)
        name = stories.names[one.address]
        if one.sent is None:
            said = one.text if one.address == DAUGHTER else self.words["demo_says"].format(text=one.text)
            yield from self._row(self._short(at.date()), name, said)
            return
        subject = one.sent.outgoing.subject
        text = one.text if subject is None else self.words["demo_mail"].format(subject=subject)
        yield from self._row(self._short(at.date()), self.words["demo_to"].format(name=name), text)

    def _row(self, when: str, who: str, text: str) -> Iterator[str]:
        # Words that are spaced are broken by columns; Japanese is, where its rules allow it.
        lines = textwrap.wrap(text, _TEXT * 2 + 2) if text.isascii() else wrapped(text, _TEXT)
        for place, line in enumerate(lines):
            first, second = (when, who) if place == 0 else ("", "")
            yield f"  {_padded(first, _WHEN)}{_padded(second, _WHO)}{line}".rstrip()

    def _day(self, day: date) -> str:
        return self._words.date(day, "full_date")

    def _short(self, day: date) -> str:
        # The year is in the heading; in English a date has it always.
        return self._words.date(day).removesuffix(f" {day.year}")


def _padded(text: str, ems: float) -> str:
    columns = sum(2 if width_of(char) == 1 else 1 for char in text)
    return text + " " * max(int(ems * 2) - columns, 1)


def _write_files(folder: Path, stories: Stories, language: Language) -> None:
    there = stories.world
    texts = ShownTexts(stories.names)
    letters = "\n".join(texts.sent(one) for one in there.all_sent()) + "\n" + texts.total(there.all_sent()) + "\n"
    files = {"texts.txt": letters.encode(), "timeline.svg": _timeline(there.app, language).encode()}
    printed = _letters(there.app, stories.home)
    if printed is not None:
        files["letters.pdf"] = printed
    for name, email, paths in (
        ("family", DAUGHTER, ("/", f"/people/{stories.mother}", "/calendar")),
        ("home", OFFICE, ("/", "/months")),
    ):
        reader = PageReader(there, email, language)
        for path in paths:
            named = path.strip("/").partition("/")[0] or "today"
            files[f"{name}-{named}.html"] = reader.page(path).encode()
    for name, content in files.items():
        with private_files.written(folder / name) as file:
            file.write(content)


def _timeline(app: "App", language: Language) -> str:
    from reminder.cli.timeline import draw
    from reminder.planning.preview import PreviewedCard, preview

    card = PreviewedCard(CERTIFICATE, ENDS)
    planned = preview(app.rules, card, mode=Mode.ELDERLY, language=language)
    return draw(app.rules, card, Mode.ELDERLY, language, planned, SHOWN_ON)


def _letters(app: "App", home: int) -> bytes | None:
    """Return the home's letters of a month as PDF; None where nobody gets one."""
    from reminder.channels import paper_pdf
    from reminder.domain.text.letters import ResidentLetter, render_letter
    from reminder.planning.reports.resident_letters import Choice, letters_of
    from reminder.storage.registry import groups

    with app.reading() as uow:
        group = groups.find(uow.tx, home)
        assert group is not None
        letters = letters_of(uow, group, Choice(None, "", "", frozenset()))

    def render(letter: ResidentLetter) -> str:
        return render_letter(app.rules.wording, letter, furigana=False)

    return paper_pdf.print_letters(letters, render, "letters").pdf if letters else None
