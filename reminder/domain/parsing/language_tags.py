"""Choice of a language from Accept-Language (RFC 9110) or from the locale of a console."""

import re
from collections.abc import Iterable, Sequence

from reminder.domain.model.languages import LanguageFacts

_RANGE = re.compile(r"\s*([A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*)\s*(?:;\s*q=([01](?:\.[0-9]{0,3})?)\s*)?")
# A header of a browser names a dozen at most.
_MOST = 20


def best_match(header: str, offered: Iterable[LanguageFacts]) -> LanguageFacts | None:
    """Return the offered language that an Accept-Language header prefers, None where it names none of them.

    The weights decide, then the order of the header; among several languages of one tag, their order in lists. A range
    is looked up by RFC 4647 §3.4: for zh-Hant-TW also zh-Hant and zh, and for pt also a language with the tag pt-BR.
    """
    in_order = sorted(offered, key=lambda facts: facts.order)
    return next((found for wanted in _wanted(header) if (found := _look_up(wanted, in_order)) is not None), None)


def of_locale(locale: str, offered: Iterable[LanguageFacts]) -> LanguageFacts | None:
    """Return the language of a locale such as pt_BR.UTF-8."""
    return best_match(locale.partition(".")[0].partition("@")[0].replace("_", "-"), offered)


def _wanted(header: str) -> list[str]:
    ranges = []
    for part in header.split(",")[:_MOST]:
        read = _RANGE.fullmatch(part)
        weight = float(read[2] or 1) if read else 0
        if read and weight > 0:
            ranges.append((-weight, read[1].lower()))
    return [tag for _, tag in sorted(ranges, key=lambda one: one[0])]


def _look_up(wanted: str, offered: Sequence[LanguageFacts]) -> LanguageFacts | None:
    parts = wanted.split("-")
    for length in range(len(parts), 0, -1):
        tag = "-".join(parts[:length])
        for facts in offered:
            if tag in (facts.html.lower(), facts.code.lower()):
                return facts
    return next((facts for facts in offered if facts.html.lower().startswith(f"{wanted}-")), None)
