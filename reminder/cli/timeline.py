"""One plan as a picture: a line from the day the renewal opens to the end of the grace, with every text on it."""

from collections.abc import Iterator, Sequence
from datetime import date
from html import escape

from reminder.domain.people import Audience, Language, Mode
from reminder.domain.rulebook import Rulebook
from reminder.planning.preview import Preview

WIDTH, LEFT, RIGHT, AXIS, ROW = 960, 60, 60, 150, 56
# Two day labels nearer than this would lie on each other; the day before the end matters more than the first of them.
LABEL_WIDTH = 36
_STYLE = (
    "text{font:14px 'BIZ UDPGothic','Noto Sans CJK JP','Hiragino Sans',sans-serif;fill:#1f2a24}"
    ".soft{fill:#56635b;font-size:12px}.big{font-size:18px;font-weight:700}"
)
_COLOUR = {Audience.PERSON: "#1f5f4a", Audience.CARER: "#b5651d", Audience.STAFF: "#4a5a8a"}


def draw(
    rules: Rulebook, kind: str, expires_on: date, mode: Mode, language: Language, planned: Sequence[Preview]
) -> str:
    """An SVG document that stands alone."""
    all_words = rules.wording.of(language)
    words = all_words.section("timeline")
    anchors, _ = rules.plan(kind, expires_on, mode, insurance=True)
    end = anchors.grace_ends_on or expires_on
    opens = anchors.opens_on
    first = min(day for day in (opens, expires_on, *(row.on for row in planned)) if day is not None)
    last = max([end, *(row.on for row in planned)])

    def x(day: date) -> float:
        return LEFT + (day - first).days / max((last - first).days, 1) * (WIDTH - LEFT - RIGHT)

    audiences = [audience for audience in Audience if any(row.audience is audience for row in planned)]
    height = AXIS + ROW * len(audiences) + 50
    name = all_words.kinds[kind]["name"]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'role="img">',
        f"<title>{escape(words['title'].format(kind=name))}</title><style>{_STYLE}</style>",
        f'<rect width="{WIDTH}" height="{height}" fill="#fbf8f1"/>',
        _text(LEFT, 36, words["title"].format(kind=name), "big"),
        _bar(x(opens or first), x(expires_on), "#cfe3d8"),
        _bar(x(expires_on), x(end), "#f3dfb6"),
        _anchor(x(expires_on), f"{words['expires']} {all_words.date(expires_on, 'full_date')}", raised=True),
    ]
    if opens:
        parts.append(_anchor(x(opens), f"{words['opens']} {all_words.date(opens)}", raised=False))
    if anchors.grace_ends_on:
        parts.append(_anchor(x(end), f"{words['grace']} {all_words.date(end)}", raised=False))
    for place, audience in enumerate(audiences):
        y = AXIS + ROW * (place + 1)
        days = [row for row in planned if row.audience is audience]
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}" stroke="#d9d2c3"/>')
        parts.append(_text(LEFT, y - 29, words[audience], "soft"))
        parts += [_dot(x(row.on), y, row) for row in days]
        parts += _day_labels([(x(row.on), row.on) for row in days], y - 11)
    return "\n".join([*parts, _text(LEFT, height - 14, words["footer"], "soft"), "</svg>\n"])


def _dot(x: float, y: int, row: Preview) -> str:
    title = f"{row.on.isoformat()} {row.rung}: {row.text.splitlines()[0]}"
    return f'<circle cx="{x:.1f}" cy="{y}" r="7" fill="{_COLOUR[row.audience]}"><title>{escape(title)}</title></circle>'


def _day_labels(days: Sequence[tuple[float, date]], y: int) -> Iterator[str]:
    taken_from = float("inf")
    for x, day in reversed(days):
        if x + LABEL_WIDTH <= taken_from:
            taken_from = x
            yield f'<text class="soft" x="{x:.1f}" y="{y}" text-anchor="middle">{day.month}/{day.day}</text>'


def _bar(start: float, end: float, colour: str) -> str:
    return f'<rect x="{start:.1f}" y="{AXIS - 40}" width="{max(end - start, 0):.1f}" height="20" fill="{colour}"/>'


def _anchor(x: float, label: str, *, raised: bool) -> str:
    y = 64 if raised else 84
    anchor = "end" if x > WIDTH * 0.75 else "start" if x < WIDTH * 0.25 else "middle"
    return (
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y + 6}" y2="{AXIS}" stroke="#1f2a24" stroke-width="1.5"/>'
        f'<text x="{x:.1f}" y="{y}" text-anchor="{anchor}">{escape(label)}</text>'
    )


def _text(x: float, y: float, words: str, style: str) -> str:
    return f'<text class="{style}" x="{x}" y="{y}">{escape(words)}</text>'
