"""The filter of the logs: numbers, passcodes, phone numbers, addresses and tokens are blanked."""

import logging
import re
import sys
import traceback

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


class Scrubbing(logging.Formatter):
    """A formatter that scrubs the finished line, including arguments, exceptions and stacks."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the formatted and scrubbed record; never raises."""
        stamp = self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z")
        said = _said(record)
        if record.exc_info:
            said += "\n" + "".join(traceback.format_exception(*record.exc_info)).rstrip()
        return f"{stamp} {record.levelname} {record.name}: {scrubbed(said)}"


def _said(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as wrong:  # noqa: BLE001
        # By default, logging prints the arguments of a failed record without any formatter.
        return f"this cannot be said ({type(wrong).__name__}): {record.pathname}, line {record.lineno}"


def install(level: int) -> None:
    """Send every log of the program through the scrubber to the error stream; a second call changes nothing."""
    root = logging.getLogger()
    root.setLevel(level)
    if any(isinstance(handler.formatter, Scrubbing) for handler in root.handlers):
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Scrubbing())
    root.addHandler(handler)
    # Their detailed logs do not help operators, and httpx logs addresses that are secrets.
    for talkative in ("alembic", "apscheduler", "httpx"):
        logging.getLogger(talkative).setLevel(max(level, logging.WARNING))
