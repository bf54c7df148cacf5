"""Pictures of cards that show where the date is: inline SVG that needs no style of its own."""

from collections.abc import Iterable, Iterator
from html import escape

from reminder.domain.model.own_kinds import stored_kind
from reminder.domain.model.people import Language
from reminder.domain.rulebook import Rulebook
from reminder.domain.text.card_pictures import LETTERS, LINE, WIDTH, Picture
from reminder.domain.text.text_width import width_of

INK, PAPER, GREY, EDGE, COVER, PEN = "#1f2a24", "#ffffff", "#cfcabd", "#56635b", "#ece8dd", "#1b3a73"
# The colour of a marker pen; the outline shows it on a black and white printer too.
MARKED = "#fff1a8"
_BAR, _SHORTEST, _AIR = 8, 24, 4
_MARGIN = 6

Box = tuple[float, float, float, float]


def draw(rules: Rulebook, kind: str, language: Language) -> str:
    """Return the picture of a kind of card. Raises UnknownChoiceError."""
    rules.kind(kind)
    picture = rules.pictures[stored_kind(kind)]
    said = rules.wording.of(language)
    words = said.section("pictures")
    name, stands = said.kinds[kind]["name"], said.kinds[kind]["stands"]
    here = words["here_by_hand" if picture.by_hand else "here"]
    tag = _tag_box(picture, here)
    height = max(top + tall for _, top, _, tall in (*picture.paper.sheets, tag)) + _MARGIN
    return "".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="picture" role="img" viewBox="0 0 {WIDTH} {height:g}" '
            f'width="{WIDTH}" height="{height:g}" font-size="{LETTERS}" fill="{INK}">',
            f"<title>{escape(words['title'].format(kind=name, stands=stands))}</title>",
            *_paper(picture, [_printed_box(picture), tag]),
            *(_not_here(box, words["not_here"]) for box in picture.paper.not_here),
            *_date(picture),
            *_tag(picture, tag, here),
            "</svg>",
        ]
    )


def _printed_box(picture: Picture) -> Box:
    """Return the box of the printed letters: the date and the line above it."""
    x, _, width, height = picture.mark
    above = len(picture.above) * LINE
    return x, picture.at[1], max([width, *(width_of(line) * LETTERS for line in picture.above)]), height + above


def _tag_box(picture: Picture, label: str) -> Box:
    x, y, width, height = picture.mark
    wide = width_of(label) * LETTERS + 20
    left = min(max(x + width / 2 - wide / 2, _MARGIN), WIDTH - _MARGIN - wide)
    return left, y + height + 12, wide, 28


def _paper(picture: Picture, letters: Iterable[Box]) -> Iterator[str]:
    paper = picture.paper
    for sheet in paper.sheets:
        yield _rect(sheet, PAPER, EDGE, corner=paper.corner)
    for frame in paper.frames:
        yield _rect(frame, PAPER, EDGE, thick=1)
    for photo in paper.photos:
        yield _photo(photo)
    taken = [*letters, *paper.not_here]
    for bar in paper.lines:
        yield from (_rect((left, bar[1], width, _BAR), GREY, corner=2) for left, width in _beside(bar, taken))
    yield from (_covered(*bar) for bar in paper.covered)


def _beside(bar: tuple[float, float, float], taken: Iterable[Box]) -> Iterator[tuple[float, float]]:
    """Yield the start and width of the parts of a grey bar that nothing else covers."""
    left, top, right = bar[0], bar[1], bar[0] + bar[2]
    in_its_way = [box for box in taken if box[1] - _AIR < top + _BAR and top < box[1] + box[3] + _AIR]
    for box in sorted(in_its_way):
        if box[0] < right and left < box[0] + box[2]:
            if box[0] - 2 * _AIR - left >= _SHORTEST:
                yield left, box[0] - 2 * _AIR - left
            left = box[0] + box[2] + 2 * _AIR
    if right - left >= _SHORTEST:
        yield left, right - left


def _rect(box: Box, fill: str, stroke: str = "none", *, corner: float = 0, thick: float = 2) -> str:
    x, y, width, height = box
    outline = "" if stroke == "none" else f' stroke="{stroke}" stroke-width="{thick:g}"'
    return f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{corner:g}" fill="{fill}"{outline}/>'


def _photo(box: Box) -> str:
    x, y, width, height = box
    middle, foot = x + width / 2, y + height
    shoulders = f"M{x + width * 0.14:g} {foot:g}a{width * 0.36:g} {height * 0.4:g} 0 0 1 {width * 0.72:g} 0z"
    return (
        _rect(box, COVER, EDGE, thick=1)
        + f'<circle cx="{middle:g}" cy="{y + height * 0.36:g}" r="{width * 0.2:g}" fill="{GREY}"/>'
        + f'<path d="{shoulders}" fill="{GREY}"/>'
    )


def _covered(x: float, y: float, width: float) -> str:
    """Return a covered bar in the place of a number, so that nobody thinks of writing one here."""
    high = _BAR + 4
    hatch = "".join(f"M{x + step:g} {y + high:g}l{high:g} {-high:g}" for step in range(0, int(width - high) + 1, 8))
    return _rect((x, y, width, high), COVER, EDGE, thick=1) + f'<path d="{hatch}" stroke="{EDGE}" stroke-width="1"/>'


def _not_here(box: Box, words: str) -> str:
    x, y, width, height = box
    dashed = f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" fill="{PAPER}" stroke="{EDGE}" '
    return (
        dashed + 'stroke-width="2" stroke-dasharray="6 4"/>' + _text(x + width / 2, y + height / 2 + 6, words, "middle")
    )


def _date(picture: Picture) -> Iterator[str]:
    """Yield the date in Japanese, whatever the page's language: this is what has to be found on the card."""
    x, y, width, height = picture.mark
    for place, line in enumerate(picture.above):
        yield _text(x + 1, picture.at[1] + place * LINE + LETTERS, line, language="ja")
    yield _rect((x, y, width, height), MARKED, INK, corner=4, thick=4)
    look = f'fill="{PEN}" font-style="italic"' if picture.by_hand else 'font-weight="700"'
    for place, line in enumerate(picture.date):
        yield _text(x + width / 2, y + place * LINE + LETTERS + 4, line, "middle", language="ja", look=look)


def _tag(picture: Picture, box: Box, label: str) -> Iterator[str]:
    x, y, width, height = picture.mark
    middle, foot = min(max(x + width / 2, box[0] + 14), box[0] + box[2] - 14), y + height
    yield f'<path d="M{middle:g} {foot + 3:g}l10 11h-20z" fill="{INK}"/>'
    yield _rect(box, INK, corner=6)
    look = f'fill="{PAPER}" font-weight="700"'
    yield _text(box[0] + box[2] / 2, box[1] + 20, label, "middle", look=look)


def _text(x: float, y: float, words: str, anchor: str = "start", *, language: str = "", look: str = "") -> str:
    lang = f' lang="{language}"' if language else ""
    more = f" {look}" if look else ""
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}"{lang}{more}>{escape(words)}</text>'
