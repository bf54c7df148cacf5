"""The door to the logs: numbers, passcodes, phone numbers, addresses and tokens are blanked before it is written."""

import logging
import re
import sys
import traceback

from reminder.guard.numbers import forbidden

BLANK = "▇▇▇"
_PHONE = re.compile(r"\+81\d{8,10}|(?<!\d)0\d{1,4}-\d{1,4}-\d{3,4}(?!\d)")
# An e-mail address, or a user and password in front of a server's name.
_ADDRESS = re.compile(r"[^\s<>\"'/]+@[^\s<>\"',;]+")
# What opens our API, and whatever else stands behind these words in a request.
_TOKEN = re.compile(r"kigen_\w+|(?<=Bearer )\S+|(?<=bearer )\S+")
# In a line whose digits of every script read "0": from a first to a last digit, at most one letter between any two.
_NUMBER = re.compile(r"0(?:[\W_]*(?:[^\W0_][\W_]*)?0)+")


def scrubbed(text: str) -> str:
    """The text with its numbers blanked; a whole line where that is not enough."""
    text = _TOKEN.sub(BLANK, _ADDRESS.sub(BLANK, _PHONE.sub(BLANK, text)))
    if forbidden(text) is None:
        return text
    lines = _without_numbers(text).splitlines()
    lines = [line if forbidden(line) is None else BLANK for line in lines]
    if forbidden("\n".join(lines)) is not None:
        # Spread over several lines, as a list of digits or a passcode under its name.
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
    """Formats as usual and scrubs what comes out, so that no argument, exception or stack slips past."""

    def format(self, record: logging.LogRecord) -> str:
        stamp = self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z")
        said = _said(record)
        if record.exc_info:
            said += "\n" + "".join(traceback.format_exception(*record.exc_info)).rstrip()
        return f"{stamp} {record.levelname} {record.name}: {scrubbed(said)}"


def _said(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as wrong:  # noqa: BLE001
        # Left alone, logging prints the arguments beside its complaint, past every formatter.
        return f"this cannot be said ({type(wrong).__name__}): {record.pathname}, line {record.lineno}"


def install(level: int) -> None:
    """Every log of the program goes to the error stream through the scrubber; a second time changes nothing."""
    root = logging.getLogger()
    root.setLevel(level)
    if any(isinstance(handler.formatter, Scrubbing) for handler in root.handlers):
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Scrubbing())
    root.addHandler(handler)
    # Their running commentary is of no use to who runs the program, and httpx names addresses that are secrets.
    for talkative in ("alembic", "apscheduler", "httpx"):
        logging.getLogger(talkative).setLevel(max(level, logging.WARNING))
