"""The filter of the logs: numbers, passcodes, phone numbers, addresses and tokens are blanked.

A value that the program itself has counted, measured or chosen is written as it is: its type says so, and no stranger
types an instant or a duration. An outage writes few lines, and names its cause once.
"""

import logging
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from enum import Enum
from pathlib import Path
from threading import Lock
from types import TracebackType

from reminder.guard.numbers import forbidden_in_running_text as forbidden

BLANK = "▇▇▇"
# What is longer is cut before any pattern is tried, and the entry ends with CUT: a stranger may have made it long.
LONGEST, CUT = 8192, "…"
_PHONE = re.compile(r"\+81\d{8,10}|(?<!\d)0\d{1,4}-\d{1,4}-\d{3,4}(?!\d)")
# An e-mail address, or a user and password before a server's name.
# It begins where such a word begins: tried at each of its letters, a long word without @ would cost its square.
_ADDRESS = re.compile(r"(?<![^\s<>\"'/@])[^\s<>\"'/@]+@[^\s<>\"',;]+")
# API tokens, and any other value after these words in a request.
_TOKEN = re.compile(r"kigen_\w+|(?<=Bearer )\S+|(?<=bearer )\S+")
# In a line in which every script's digits are "0": from a first to a last digit, at most one letter between any two.
_NUMBER = re.compile(r"0(?:[\W_]*(?:[^\W0_][\W_]*)?0)+")


def scrubbed(text: str) -> str:
    """Return the text with its numbers blanked, a whole line where that is not enough, and cut after LONGEST."""
    if len(text) > LONGEST:
        # Half a number at the cut would not be seen as one.
        return scrubbed(text[:LONGEST].rstrip("0123456789")) + CUT
    text = _TOKEN.sub(BLANK, _ADDRESS.sub(BLANK, _PHONE.sub(BLANK, text)))
    if forbidden(text) is None:
        return text
    lines = _without_numbers(text).splitlines()
    lines = [line if forbidden(line) is None else BLANK for line in lines]
    if forbidden("\n".join(lines)) is not None:
        # A number spread over several lines, as a list of digits or a passcode under its name.
        lines = [BLANK if any(map(str.isnumeric, line)) else line for line in lines]
    return "\n".join(lines)


def _without_numbers(text: str) -> str:
    as_zeros = "".join("0" if character.isnumeric() else character for character in text)
    kept, end = [], 0
    for number in _NUMBER.finditer(as_zeros):
        if forbidden(text[number.start() : number.end()]) is not None:
            kept += [text[end : number.start()], BLANK]
            end = number.end()
    return "".join([*kept, text[end:]])


class Known(str):
    """Words that the program has chosen, such as a code with its count; they are not searched for numbers."""

    __slots__ = ()


# What the program has measured or chosen. An integer is a count, an id or a code, unless it is as long as the number of
# a card.
_OURS = (Known, bool, float, timedelta, date, Enum, type(None))
_SHORT = 10**8
# A directive of %-formatting: its name, and how the value is written.
_DIRECTIVE = re.compile(
    r"%(?:\((?P<name>[^()%]{0,60})\))?[#0\- +]{0,5}\d{0,4}(?:\.\d{1,4})?[hlL]?(?P<how>[diouxXeEfFgGcrsa%])"
)
# Characters for private use: they stand for our values while the rest is searched.
_FIRST_MARK, _MARKS = 0xE000, 6000


def _is_ours(value: object) -> bool:
    if isinstance(value, (list, tuple, set, frozenset)):
        return all(map(_is_ours, value))
    if isinstance(value, int) and not isinstance(value, bool):
        return abs(value) < _SHORT
    return isinstance(value, _OURS)


class _Masked:
    """A record's words, in which values of ours are replaced by marks."""

    def __init__(self, record: logging.LogRecord) -> None:
        self._values: list[str] = []
        self._rest: Iterator[object] = iter(())
        template, given = str(record.msg), record.args
        if not given:
            self.words = template
            return
        self._given = given
        # For logging, a single mapping stands for itself, and for the names of the template.
        self._rest = iter(given if isinstance(given, tuple) else (given,))
        self.words = _DIRECTIVE.sub(self._masked, template)

    def _masked(self, directive: re.Match[str]) -> str:
        if directive["how"] == "%":
            return "%"
        if directive["name"] is not None and isinstance(self._given, Mapping):
            value: object = self._given[directive["name"]]
            written = directive[0] % self._given
        else:
            value = next(self._rest)
            written = directive[0] % (value,)
        if not _is_ours(value) or len(self._values) >= _MARKS:
            return written
        self._values.append(written)
        return chr(_FIRST_MARK + len(self._values) - 1)

    def filled(self, scrubbed_words: str) -> str:
        """Return the words with the values in the places of their marks."""
        for place, value in enumerate(self._values):
            scrubbed_words = scrubbed_words.replace(chr(_FIRST_MARK + place), value)
        return scrubbed_words


class Scrubbing(logging.Formatter):
    """A formatter that scrubs the finished line, including arguments, exceptions and stacks."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the formatted and scrubbed record; never raises."""
        stamp = self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z")
        try:
            # The usual way first: what cannot be formatted is found there.
            whole = record.getMessage()
            masked = _Masked(record)
            said = masked.words if masked.filled(masked.words) == whole else whole
        except Exception as wrong:  # noqa: BLE001
            # By default, logging prints the arguments of a failed record without any formatter.
            masked = None
            said = f"this cannot be said ({type(wrong).__name__}): {record.pathname}, line {record.lineno}"
        if record.exc_info and record.exc_info[1] is not None:
            said += "\n" + "\n".join(_trace(record.exc_info[1]))
        written = scrubbed(said)
        if masked is not None:
            written = masked.filled(written)
        more = getattr(record, _MORE, 0)
        also = f" (and {more} more like it)" if more else ""
        return f"{stamp} {record.levelname} {record.name}: {written}{also}"


_HERE = Path(__file__).parents[1]
# Of a failure's calls those in this program are written, and the last ones outside of it; of each cause its first line.
_OUTSIDE, _INSIDE, _OF_A_GROUP, _LONGEST_CAUSE = 2, 12, 3, 500


def _trace(failure: BaseException) -> Iterator[str]:
    """Yield where a failure came from, and what it was: a few lines, however deep the calls of a library are."""
    seen: set[int] = set()
    causes: list[BaseException] = []
    one: BaseException | None = failure
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        causes.append(one)
        if isinstance(one, BaseExceptionGroup):
            causes += one.exceptions[:_OF_A_GROUP]
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
    for place, cause in enumerate(causes):
        yield from _calls(cause.__traceback__)
        first = (str(cause).splitlines() or [""])[0][:_LONGEST_CAUSE]
        name = type(cause).__name__
        yield f"{name}: {first}" if place == 0 else f"  caused by {name}: {first}"


def _calls(trace: TracebackType | None) -> Iterator[str]:
    frames = traceback.extract_tb(trace)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(_HERE)][-_INSIDE:]
    kept = [*ours, *(frame for frame in frames[-_OUTSIDE:] if frame not in ours)]
    for frame in kept:
        yield f"  {frame.filename}:{frame.lineno} in {frame.name}"


# Of lines of one kind so many are written in a minute; of all lines one a second, after a few at once. Only the first
# line of a kind of fault is always written: it names a cause, and the program has few kinds.
_OF_A_KIND, _WHILE, _AT_ONCE, _A_SECOND = 5, 60.0, 20.0, 1.0
_MOST_KINDS = 500
_MORE = "kigen_more_like_it"
_DIGITS = re.compile(r"\d+")


class Bounded(logging.Filter):
    """A filter of a handler that lets few records of a kind pass, so that an outage does not fill a disk.

    `seconds` returns seconds that only grow. What is left out is counted, and the next record of its kind says so.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        super().__init__()
        self._seconds = seconds
        self._lock = Lock()
        # By kind: when its minute began, how many were written in it, and how many were left out since the last.
        self._kinds: dict[object, tuple[float, int, int]] = {}
        self._left, self._filled_at = _AT_ONCE, seconds()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is written."""
        with self._lock:
            now = self._seconds()
            self._left = min(_AT_ONCE, self._left + (now - self._filled_at) * _A_SECOND)
            self._filled_at = now
            kind = self._kind(record)
            began, written, left_out = self._kinds.get(kind, (now, 0, 0))
            if now - began >= _WHILE:
                began, written = now, 0
            lines = 1
            if record.exc_info and record.exc_info[1] is not None and written == 0:
                lines += sum(1 for _ in _trace(record.exc_info[1]))
            is_fault = record.levelno > logging.INFO
            is_within = self._left >= 1 and (written < _OF_A_KIND or not is_fault)
            is_written = is_within or (is_fault and written == 0)
            if is_written:
                self._left -= lines
                if written:
                    # Its calls were written a moment ago.
                    record.exc_info = None
                setattr(record, _MORE, left_out)
            if len(self._kinds) >= _MOST_KINDS:
                self._kinds.pop(next(iter(self._kinds)))
            self._kinds[kind] = (began, written + is_written, 0 if is_written else left_out + 1)
            return is_written

    @staticmethod
    def _kind(record: logging.LogRecord) -> object:
        failure = record.exc_info[1] if record.exc_info else None
        trace = failure.__traceback__ if failure else None
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        place = (trace.tb_frame.f_code.co_filename, trace.tb_lineno) if trace else None
        return record.name, record.levelno, _DIGITS.sub("0", str(record.msg))[:200], type(failure), place


def install(level: int, seconds: Callable[[], float] | None = None) -> None:
    """Send every log of the program through the scrubber to the error stream; a second call changes nothing.

    `seconds`: which only grow; with them the lines of an outage are bounded.
    """
    root = logging.getLogger()
    root.setLevel(level)
    if any(isinstance(handler.formatter, Scrubbing) for handler in root.handlers):
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Scrubbing())
    if seconds is not None:
        handler.addFilter(Bounded(seconds))
    root.addHandler(handler)
    # Their detailed logs do not help operators, and httpx logs addresses that are secrets.
    for talkative in ("alembic", "apscheduler", "httpx"):
        logging.getLogger(talkative).setLevel(max(level, logging.WARNING))
