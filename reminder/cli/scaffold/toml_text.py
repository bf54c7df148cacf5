"""TOML files edited as text, so that comments and order stay as they are."""

import re
from collections.abc import Callable

from reminder.domain.text.catalog import UNFINISHED as TODO

# A comment, a string of several lines, a string; a quoted key is followed by an equals sign.
_TOKEN = re.compile(r'#[^\n]*|"""(?:[^\\]|\\.)*?"""|"(?:[^"\\\n]|\\.)*"(?:[ \t]*=)?')
_HEADER = re.compile(r"(?m)^\[\[?([^\[\]\n]+)\]\]?[^\n]*\n")


def map_strings(text: str, change: Callable[[str], str]) -> str:
    """Return the TOML with each string changed. `change` gets what is between the quotation marks, escaped."""

    def changed(token: re.Match[str]) -> str:
        found = token[0]
        if found.startswith("#") or found.endswith("="):
            return found
        quotes = '"""' if found.startswith('"""') else '"'
        return quotes + change(found[len(quotes) : -len(quotes)]) + quotes

    return _TOKEN.sub(changed, text)


def marked(text: str) -> str:
    """Return the TOML with a mark before each of its words, for whoever translates it."""
    return map_strings(text, lambda said: f"{_opening(said)}{TODO} {said.lstrip(chr(10))}" if said.strip() else said)


def _opening(said: str) -> str:
    return "\n" if said.startswith("\n") else ""


def block(text: str, header: str) -> str | None:
    """Return a table with its sub-tables ([a], [a.b], [[a.c]]) and the comments above it, or None if it is missing."""
    place = _place(text, header)
    return None if place is None else text[slice(*place)]


def without_block(text: str, header: str) -> str:
    """Return the TOML without this table."""
    place = _place(text, header)
    return text if place is None else text[: place[0]] + text[place[1] :]


def insert_after(text: str, header: str, more: str) -> str:
    """Return the TOML with `more` after this table, or at its end where the table is not there."""
    place = _place(text, header)
    if place is None:
        return f"{text.rstrip()}\n\n{more.strip()}\n"
    end = place[1]
    return f"{text[:end].rstrip()}\n\n{more.strip()}\n\n{text[end:]}".rstrip() + "\n"


def add_entry(text: str, header: str, line: str, *, after: str | None = None) -> str:
    """Return the TOML with a line more in this table: right after the key `after`, or at the table's end."""
    place = _place(text, header)
    if place is None:
        return f"{text.rstrip()}\n\n[{header}]\n{line}\n"
    start, end = place
    own = text[start:end]
    key = None if after is None else re.search(rf"(?m)^{re.escape(after)} *=[^\n]*\n", own)
    at = start + (key.end() if key else len(own.rstrip()) + 1)
    before = text[:at] if text[:at].endswith("\n") else f"{text[:at]}\n"
    return f"{before}{line}\n{text[at:]}"


def _place(text: str, header: str) -> tuple[int, int] | None:
    headers = list(_HEADER.finditer(text))
    first = next((one for one in headers if one[1].strip() == header), None)
    if first is None:
        return None
    end = next(
        (
            one.start()
            for one in headers
            if one.start() > first.start() and not one[1].strip().startswith((f"{header}.", f"{header} "))
        ),
        len(text),
    )
    return _comments_above(text, first.start()), _comments_above(text, end)


def _comments_above(text: str, at: int) -> int:
    """Return where the comments right above this place begin: they belong to what follows."""
    lines = text[:at].splitlines(keepends=True)
    while at and lines and lines[-1].startswith("#"):
        at -= len(lines.pop())
    return at
