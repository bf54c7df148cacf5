"""The door to the logs: what looks like a card number, a passcode or a phone number is blanked before it is written."""

import logging
import re
import sys
import traceback

from reminder.guard.numbers import forbidden

BLANK = "▇▇▇"
_DIGITS = re.compile(r"\+?\d[\d\W_]{4,}\d")
_PHONE = re.compile(r"\+81\d{8,10}")


def scrubbed(text: str) -> str:
    """The line with its numbers blanked; all of it where that is not enough."""
    text = _PHONE.sub(BLANK, text)
    if forbidden(text) is None:
        return text
    text = _DIGITS.sub(lambda run: BLANK if forbidden(run[0]) else run[0], text)
    return text if forbidden(text) is None else BLANK


class Scrubbing(logging.Formatter):
    """Formats as usual and scrubs what comes out, so that no argument, exception or stack slips past."""

    def format(self, record: logging.LogRecord) -> str:
        stamp = self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z")
        said = record.getMessage()
        if record.exc_info:
            said += "\n" + "".join(traceback.format_exception(*record.exc_info)).rstrip()
        lines = "\n".join(scrubbed(line) for line in said.splitlines())
        return f"{stamp} {record.levelname} {record.name}: {lines}"


def install(level: int) -> None:
    """Every log of the program goes to the error stream through the scrubber; a second time changes nothing."""
    root = logging.getLogger()
    root.setLevel(level)
    if any(isinstance(handler.formatter, Scrubbing) for handler in root.handlers):
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Scrubbing())
    root.addHandler(handler)
    # Its running commentary on every first run is of no use to who runs it.
    logging.getLogger("alembic").setLevel(max(level, logging.WARNING))
