"""The fields of a typed day on a form: era, year, month and day (macros.html, day_fields)."""

from collections.abc import Mapping

# How they are joined; the year's field also takes a whole date that was pasted.
_ERAS = ("西暦", "令和", "平成", "昭和")


def day_text(fields: Mapping[str, object], name: str) -> str:
    """Return the parts of a typed day as one text for the date parser; "" if nothing was typed."""
    era, year, month, day = (
        str(fields.get(f"{name}_{part}") or "").strip() for part in ("era", "year", "month", "day")
    )
    if not (month or day) and not year.isdecimal():
        return year
    return f"{era if era in _ERAS[1:] else ''}{year}年{month}月{day}日"
