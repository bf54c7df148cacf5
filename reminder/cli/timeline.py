"""One plan as a picture: a line from the day the renewal opens to the end of the grace, with every rung on it."""

from collections.abc import Sequence
from datetime import date
from html import escape

from reminder.domain import dates
from reminder.domain.people import Audience, Mode
from reminder.domain.rulebook import Rulebook
from reminder.planning.preview import Preview

WIDTH, LEFT, RIGHT, AXIS, ROW = 960, 60, 60, 150, 34
_STYLE = (
    "text{font:14px 'BIZ UDPGothic','Noto Sans CJK JP','Hiragino Sans',sans-serif;fill:#1f2a24}"
    ".soft{fill:#56635b;font-size:12px}.big{font-size:18px;font-weight:700}"
)
_COLOUR = {Audience.PERSON: "#1f5f4a", Audience.CARER: "#b5651d", Audience.STAFF: "#4a5a8a"}
_WHO = {Audience.PERSON: "ご本人 (SMS)", Audience.CARER: "ご家族 (メール)", Audience.STAFF: "職員 (メール)"}


def draw(rules: Rulebook, kind: str, expires_on: date, mode: Mode, planned: Sequence[Preview]) -> str:
    """An SVG document that stands alone."""
    anchors, _ = rules.plan(kind, expires_on, mode, insurance=True)
    end = anchors.grace_ends_on or expires_on
    first = min([anchors.opens_on, *(row.on for row in planned)])
    last = max([end, *(row.on for row in planned)])

    def x(day: date) -> float:
        return LEFT + (day - first).days / max((last - first).days, 1) * (WIDTH - LEFT - RIGHT)

    audiences = [audience for audience in Audience if any(row.audience is audience for row in planned)]
    height = AXIS + ROW * len(audiences) + 60
    name = rules.kind(kind).names["ja"]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'role="img">',
        f"<title>{escape(name)}のお知らせの段取り</title><style>{_STYLE}</style>",
        f'<rect width="{WIDTH}" height="{height}" fill="#fbf8f1"/>',
        _text(LEFT, 36, f"{name}　期限 {dates.in_both_calendars(expires_on)}", "big"),
        _bar(x(anchors.opens_on), x(expires_on), "#cfe3d8"),
        _bar(x(expires_on), x(end), "#f3dfb6"),
        *_anchor(x(anchors.opens_on), "更新できる日", anchors.opens_on, raised=False),
        *_anchor(x(expires_on), "期限", expires_on, raised=True),
        *(_anchor(x(end), "病院で使える最後の日", end, raised=False) if anchors.grace_ends_on else ()),
    ]
    for place, audience in enumerate(audiences):
        y = AXIS + ROW * (place + 1)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}" stroke="#d9d2c3"/>')
        parts.append(_text(LEFT, y - 10, _WHO[audience], "soft"))
        parts += [
            f'<circle cx="{x(row.on):.1f}" cy="{y}" r="7" fill="{_COLOUR[audience]}"><title>'
            f"{row.on.isoformat()} {row.rung}: {escape(row.text.splitlines()[0])}</title></circle>"
            for row in planned
            if row.audience is audience
        ]
    footer = "点がお知らせの日。近づくほど間が短くなり、日曜・祝日・年末年始には送りません。"
    return "\n".join([*parts, _text(LEFT, height - 18, footer, "soft"), "</svg>\n"])


def _bar(start: float, end: float, colour: str) -> str:
    return f'<rect x="{start:.1f}" y="{AXIS - 40}" width="{max(end - start, 0):.1f}" height="20" fill="{colour}"/>'


def _anchor(x: float, words: str, day: date, *, raised: bool) -> tuple[str, str]:
    y = 64 if raised else 84
    anchor = "end" if x > WIDTH * 0.75 else "start" if x < WIDTH * 0.25 else "middle"
    line = f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y + 6}" y2="{AXIS}" stroke="#1f2a24" stroke-width="1.5"/>'
    label = f"{words} {dates.with_weekday(day)}"
    return line, f'<text x="{x:.1f}" y="{y}" text-anchor="{anchor}">{escape(label)}</text>'


def _text(x: float, y: float, words: str, style: str) -> str:
    return f'<text class="{style}" x="{x}" y="{y}">{escape(words)}</text>'
