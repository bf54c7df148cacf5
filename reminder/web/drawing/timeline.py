"""The timeline of one card's plan from top to bottom: opening, reminders by audience, end and grace period.

It runs from top to bottom because a telephone is narrow and the days before an end lie close together: each has a line
of its own, and the spacing shows time. It is inline SVG for a page, or a document of its own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from html import escape
from itertools import pairwise

from reminder.domain.model.people import Audience
from reminder.domain.rules.schedule_model import CardDates
from reminder.domain.text.catalog import Catalog
from reminder.domain.text.text_width import width_of, wrapped

# A page's drawing is as wide as a telephone; a document has more room.
NARROW, WIDE = 360, 600
LETTERS, SMALL, LARGE = 15, 13, 17
LINE = 20  # from one line of text to the next
ROW = 28  # a day
PER_DAY, LONGEST = 1, 60  # the space for a day, and the limit beyond which the line is broken
AXIS, TEXT, MARGIN = 20, 40, 8
DOT = 8

INK, PAPER, SOFT, RULE, PAGE = "#1f2a24", "#ffffff", "#56635b", "#d9d2c3", "#fbf8f1"
MARKED, OPEN, GRACE = "#fff1a8", "#1f5f4a", "#b5651d"
_COLOUR = {Audience.PERSON: "#1f5f4a", Audience.CARER: "#a4561a", Audience.STAFF: "#4a5a8a"}
_FONT = "'BIZ UDPGothic','Noto Sans CJK JP','Hiragino Sans',sans-serif"


class MarkState(StrEnum):
    """The state of a text on the timeline."""

    TOLD = "told"
    COMING = "coming"


@dataclass(frozen=True)
class TimelineMark:
    """A text on its day; `title` is shown when a pointer rests on it."""

    on: date
    audience: Audience
    state: MarkState
    title: str


@dataclass(frozen=True)
class Timeline:
    """A plan to draw.

    `name`: what ends. `at_counter`: somebody must go there, so that the last day of the counter counts as well.
    Without `today` nothing is past or future: it is a plan.
    """

    name: str
    dates: CardDates
    texts: tuple[TimelineMark, ...]
    today: date | None = None
    at_counter: bool = True


def draw(timeline: Timeline, words: Catalog) -> str:
    """Return the drawing for a page, which has a list with the same content."""
    height, parts = _body(timeline, words, NARROW, 0)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="timeline" role="img" viewBox="0 0 {NARROW} {height:g}" '
        f'width="{NARROW}" height="{height:g}" font-size="{LETTERS}" fill="{INK}">'
        f"<title>{escape(_title(timeline, words))}</title>{''.join(parts)}</svg>"
    )


def document(timeline: Timeline, words: Catalog) -> str:
    """Return a complete SVG file."""
    heading = wrapped(_title(timeline, words), (WIDE - 2 * MARGIN) / LARGE)
    top = len(heading) * 28 + 8
    height, parts = _body(timeline, words, WIDE, top)
    footer = wrapped(words.section("timeline")["footer"], (WIDE - 2 * MARGIN) / SMALL)
    whole = height + len(footer) * LINE
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {WIDE} {whole:g}" width="{WIDE}" '
            f'height="{whole:g}" font-size="{LETTERS}" fill="{INK}" font-family="{_FONT}">',
            f"<title>{escape(_title(timeline, words))}</title>",
            f'<rect width="{WIDE}" height="{whole:g}" fill="{PAGE}"/>',
            *(_text(MARGIN, 28 * n + 26, line, size=LARGE, bold=True) for n, line in enumerate(heading)),
            *parts,
            *(_text(MARGIN, height + n * LINE + 8, line, size=SMALL, fill=SOFT) for n, line in enumerate(footer)),
            "</svg>\n",
        ]
    )


def _title(timeline: Timeline, words: Catalog) -> str:
    return words.section("timeline")["title"].format(kind=timeline.name)


# The order on one day, from top to bottom: it opens in the morning, it ends at night.
_ORDER = ("opens", "today", "texts", "counter", "expires", "grace")


@dataclass(frozen=True)
class _Row:
    """A day with something on it; `lines`: its text, `y`: the place of its mark on the axis."""

    on: date
    what: str
    lines: tuple[str, ...]
    y: float = 0.0

    @property
    def height(self) -> float:
        return ROW if self.what in ("texts", "today") else LINE * len(self.lines) + 14


def _body(timeline: Timeline, words: Catalog, width: int, top: float) -> tuple[float, list[str]]:
    """Return the bottom of the drawing and everything but its frame."""
    audiences = [audience for audience in Audience if any(text.audience is audience for text in timeline.texts)]
    columns = _columns(timeline, words, audiences, width)
    heads = {a: wrapped(words.section("timeline")[a], column[1] / LETTERS) for a, column in columns.items()}
    top += max((LINE * len(lines) for lines in heads.values()), default=0) + 8
    rows = _placed(_rows(timeline, words, width), top)
    end = rows[-1].y + rows[-1].height - ROW / 2 + MARGIN
    parts = [*_heads(heads, columns, top), *_axis(timeline, rows)]
    for row in rows:
        match row.what:
            case "texts":
                parts += _texts(timeline, row, columns)
            case "today":
                parts += _today(row, width)
            case _:
                parts += _anchor(row)
    if timeline.today is not None and timeline.texts:
        parts += _legend(timeline, words, end)
        end += len({text.state for text in timeline.texts}) * ROW
    return end + MARGIN, parts


def _columns(
    timeline: Timeline, words: Catalog, audiences: Sequence[Audience], width: int
) -> dict[Audience, tuple[float, float]]:
    """Return the middle and the width of each audience's column."""
    dates = max((width_of(words.date(text.on)) for text in timeline.texts), default=0) * LETTERS
    left = TEXT + dates + 8
    wide = min((width - MARGIN - left) / max(len(audiences), 1), 160)
    return {audience: (left + wide * (n + 0.5), wide) for n, audience in enumerate(audiences)}


def _heads(
    heads: dict[Audience, list[str]], columns: dict[Audience, tuple[float, float]], foot: float
) -> Iterator[str]:
    for audience, lines in heads.items():
        for n, line in enumerate(reversed(lines)):
            yield _text(columns[audience][0], foot - 10 - n * LINE, line, "middle", bold=True)


def _rows(timeline: Timeline, words: Catalog, width: int) -> list[_Row]:
    said, dates = words.section("timeline"), timeline.dates
    anchors = {"opens": dates.opens_on, "expires": dates.expires_on, "grace": dates.grace_ends_on}
    if timeline.at_counter and dates.last_counter_day != dates.expires_on:
        anchors["counter"] = dates.last_counter_day
    rows = [
        _Row(on, what, tuple(_anchor_lines(said[what], words.date(on, "full_date"), width)))
        for what, on in anchors.items()
        if on is not None
    ]
    rows += [_Row(on, "texts", (words.date(on),)) for on in {text.on for text in timeline.texts}]
    if timeline.today is not None:
        rows.append(_Row(timeline.today, "today", (f"{said['today']} {words.date(timeline.today, 'full_date')}",)))
    return sorted(rows, key=lambda row: (row.on, _ORDER.index(row.what)))


def _anchor_lines(what: str, day: str, width: int) -> list[str]:
    room = (width - TEXT - MARGIN - 12) / LETTERS
    together = f"{what}　{day}" if width_of(f"{what}　{day}") <= room else ""
    return [together] if together else [*wrapped(what, room), day]


def _placed(rows: Sequence[_Row], top: float) -> list[_Row]:
    placed: list[_Row] = []
    y = top
    for before, row in zip([None, *rows], rows, strict=False):
        y += min((row.on - before.on).days * PER_DAY, LONGEST) if before is not None else 0
        placed.append(_Row(row.on, row.what, row.lines, y + ROW / 2))
        y += row.height
    return placed


def _axis(timeline: Timeline, rows: Sequence[_Row]) -> Iterator[str]:
    """Yield the axis: thin before renewal opens, strong while it is open, hollow during the grace period."""
    at = {row.what: row.y for row in rows if row.what != "texts"}
    dates = timeline.dates
    yield (f'<line x1="{AXIS}" x2="{AXIS}" y1="{rows[0].y:g}" y2="{rows[-1].y:g}" stroke="{SOFT}" stroke-width="2"/>')
    if dates.opens_on is not None and at["opens"] < at["expires"]:
        yield _bar(at["opens"], at["expires"], OPEN, OPEN)
    if dates.grace_ends_on is not None and at["expires"] < at["grace"]:
        yield _bar(at["expires"], at["grace"], PAPER, GRACE)
    for before, row in pairwise(rows):
        if (row.on - before.on).days * PER_DAY > LONGEST:
            middle = (before.y + row.y) / 2
            yield f'<path d="M{AXIS - 8} {middle:g}l16 -6v8l-16 6z" fill="{PAPER}"/>'
            yield f'<path d="M{AXIS - 8} {middle:g}l16 -6m0 8l-16 6" fill="none" stroke="{SOFT}" stroke-width="2"/>'


def _bar(start: float, end: float, fill: str, stroke: str) -> str:
    return (
        f'<rect x="{AXIS - 3}" y="{start:g}" width="6" height="{end - start:g}" fill="{fill}" stroke="{stroke}" '
        'stroke-width="2"/>'
    )


def _sign(what: str, y: float) -> str:
    match what:
        case "opens":
            return f'<path d="M{AXIS - 7} {y - 9:g}l16 9l-16 9z" fill="{OPEN}" stroke="{PAPER}" stroke-width="1.5"/>'
        case "counter":
            square = f'<rect x="{AXIS - 7}" y="{y - 7:g}" width="14" height="14"'
            return f'{square} fill="{PAPER}" stroke="{INK}" stroke-width="3"/>'
        case "expires":
            diamond = f'<path d="M{AXIS} {y - 12:g}l12 12l-12 12l-12 -12z"'
            return f'{diamond} fill="{INK}" stroke="{PAPER}" stroke-width="1.5"/>'
        case _:
            return f'<path d="M{AXIS} {y - 9:g}l9 9l-9 9l-9 -9z" fill="{PAPER}" stroke="{GRACE}" stroke-width="3"/>'


def _anchor(row: _Row) -> Iterator[str]:
    yield _sign(row.what, row.y)
    if row.what == "expires":
        wide = max(map(width_of, row.lines)) * LETTERS + 12
        high = LINE * len(row.lines) + 6
        yield (
            f'<rect x="{TEXT - 4}" y="{row.y - 13:g}" width="{wide:g}" height="{high}" rx="4" fill="{MARKED}" '
            f'stroke="{INK}" stroke-width="3"/>'
        )
    for n, line in enumerate(row.lines):
        yield _text(TEXT + 2, row.y + 5 + n * LINE, line, bold=True)


def _today(row: _Row, width: int) -> Iterator[str]:
    wide = width_of(row.lines[0]) * LETTERS + 20
    yield (
        f'<line x1="{MARGIN}" x2="{width - MARGIN}" y1="{row.y:g}" y2="{row.y:g}" stroke="{INK}" stroke-width="2" '
        'stroke-dasharray="6 4"/>'
    )
    yield f'<rect x="{AXIS - 7}" y="{row.y - 7:g}" width="14" height="14" rx="7" fill="{INK}"/>'
    yield f'<rect x="{TEXT - 4}" y="{row.y - 12:g}" width="{wide:g}" height="24" rx="12" fill="{INK}"/>'
    yield _text(TEXT + 6, row.y + 5, row.lines[0], bold=True, fill=PAPER)


def _texts(timeline: Timeline, row: _Row, columns: dict[Audience, tuple[float, float]]) -> Iterator[str]:
    tick = f'<rect x="{AXIS - 4}" y="{row.y - 4:g}" width="8" height="8" rx="4"'
    yield f'{tick} fill="{PAPER}" stroke="{SOFT}" stroke-width="2"/>'
    yield _text(TEXT + 2, row.y + 5, row.lines[0])
    left, right = (min(x - wide / 2 for x, wide in columns.values()), max(x + wide / 2 for x, wide in columns.values()))
    yield f'<line x1="{left:g}" x2="{right:g}" y1="{row.y:g}" y2="{row.y:g}" stroke="{RULE}" stroke-width="1"/>'
    for audience, (x, _) in columns.items():
        on_day = [text for text in timeline.texts if text.on == row.on and text.audience is audience]
        if on_day:
            is_delivered = all(text.state is MarkState.TOLD for text in on_day)
            yield _dot(x, row.y, _COLOUR[audience], "\n".join(text.title for text in on_day), is_delivered=is_delivered)


def _dot(x: float, y: float, colour: str, title: str, *, is_delivered: bool) -> str:
    """Return a dot, filled with a tick or hollow, so that no colour is needed to tell them apart."""
    named = f"<title>{escape(title)}</title>" if title else ""
    shape = (
        f'<circle cx="{x:g}" cy="{y:g}" r="{DOT}" fill="{colour if is_delivered else PAPER}" stroke="{colour}" '
        f'stroke-width="3">{named}</circle>'
    )
    tick = f'<path d="M{x - 4:g} {y:g}l3 3l5 -6" fill="none" stroke="{PAPER}" stroke-width="2"/>'
    return shape + (tick if is_delivered else "")


def _legend(timeline: Timeline, words: Catalog, top: float) -> Iterator[str]:
    said = words.section("timeline")
    states = [state for state in MarkState if any(text.state is state for text in timeline.texts)]
    for n, state in enumerate(states):
        y = top + n * ROW + ROW / 2
        yield _dot(AXIS, y, INK, "", is_delivered=state is MarkState.TOLD)
        yield _text(TEXT + 2, y + 5, said[state])


def _text(
    x: float, y: float, words: str, anchor: str = "start", *, size: int = LETTERS, bold: bool = False, fill: str = INK
) -> str:
    more = ' font-weight="700"' if bold else ""
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" text-anchor="{anchor}" fill="{fill}"{more}>'
        f"{escape(words)}</text>"
    )
