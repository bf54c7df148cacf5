"""The picture of what became of end dates: a bar for each row, with the limits of its share. It needs no style."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from reminder.domain.rules.effect import Share

INK, PAPER, FILL, EDGE, SOFT = "#1f2a24", "#ffffff", "#8fc1a9", "#2c5f4a", "#56635b"
WIDTH, LABEL, ROW, BAR, LETTERS = 560, 210, 44, 26, 16
_LONGEST_LABEL = 12


@dataclass(frozen=True)
class Bar:
    """One row: its name, and the share that was renewed in time."""

    name: str
    share: Share


def draw(title: str, bars: Sequence[Bar]) -> str:
    """Return the picture. `title` says in words what it shows, for who does not see it."""
    height = ROW * len(bars) + 40
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" font-size="{LETTERS}" fill="{INK}"><title>{escape(title)}</title>'
        f'<rect width="{WIDTH}" height="{height}" fill="{PAPER}"/>'
    ]
    for place, bar in enumerate(bars):
        parts += _bar(bar, 8 + place * ROW)
    return "".join([*parts, *_scale(height - 26), "</svg>"])


def _x(share: float) -> float:
    return LABEL + share * (WIDTH - LABEL - 20)


def _bar(bar: Bar, top: float) -> Iterator[str]:
    middle, share = top + BAR / 2, bar.share
    name = bar.name if len(bar.name) <= _LONGEST_LABEL else f"{bar.name[:_LONGEST_LABEL]}…"
    yield f'<text x="4" y="{middle + 6:g}">{escape(name)}</text>'
    yield (
        f'<rect x="{LABEL}" y="{top:g}" width="{_x(1) - LABEL:g}" height="{BAR}" fill="none" stroke="{SOFT}"/>'
        f'<rect x="{LABEL}" y="{top:g}" width="{_x(share.share) - LABEL:g}" height="{BAR}" fill="{FILL}" '
        f'stroke="{EDGE}"/>'
    )
    low, high = _x(share.low), _x(share.high)
    yield (
        f'<path d="M{low:g} {middle:g}H{high:g}M{low:g} {middle - 7:g}v14M{high:g} {middle - 7:g}v14" fill="none" '
        f'stroke="{INK}" stroke-width="3"/>'
    )


def _scale(y: float) -> Iterator[str]:
    for percent in (0, 50, 100):
        anchor = {0: "start", 50: "middle", 100: "end"}[percent]
        yield f'<text x="{_x(percent / 100):g}" y="{y + 16:g}" text-anchor="{anchor}">{percent}%</text>'
