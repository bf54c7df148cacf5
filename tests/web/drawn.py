"""What tests see of a drawing: its letters and shapes as boxes, and what lies behind them."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from xml.etree import ElementTree

from reminder.domain.text.text_width import width_of

SVG = "{http://www.w3.org/2000/svg}"
# What a page may ask of a drawing under its content policy: no style, no script, nothing from elsewhere.
ELEMENTS = {"svg", "title", "rect", "circle", "line", "path", "text"}
PAGE = "#fbf8f1"


@dataclass(frozen=True)
class Box:
    left: float
    top: float
    right: float
    bottom: float

    def touches(self, other: "Box") -> bool:
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )

    def is_within(self, other: "Box") -> bool:
        return (
            other.left <= self.left
            and other.top <= self.top
            and self.right <= other.right
            and self.bottom <= other.bottom
        )


@dataclass(frozen=True)
class Letters:
    words: str
    box: Box
    size: float
    fill: str
    behind: str
    is_whole: bool  # no edge of what is behind runs through it


class Drawn:
    """Raises ParseError for what is not well-formed."""

    def __init__(self, svg: str) -> None:
        self.root = ElementTree.fromstring(svg)
        self.frame = Box(0, 0, *map(float, self.root.attrib["viewBox"].split()[2:]))

    @property
    def title(self) -> str:
        return self.root[0].text or ""

    def elements(self) -> Iterator[tuple[str, dict[str, str]]]:
        for element in self.root.iter():
            yield element.tag.removeprefix(SVG), element.attrib

    def letters(self) -> list[Letters]:
        found, rects = [], []
        for name, element in zip((e.tag for e in self.root.iter()), self.root.iter(), strict=True):
            if name == f"{SVG}rect" and element.attrib["fill"] != "none":
                rects.append((_box(element.attrib), element.attrib["fill"]))
            if name == f"{SVG}text":
                box, size = self._letters_box(element)
                ground, behind = next((row for row in reversed(rects) if row[0].touches(box)), (self.frame, PAGE))
                fill = element.attrib.get("fill", self.root.attrib["fill"])
                found.append(Letters(element.text or "", box, size, fill, behind, box.is_within(ground)))
        return found

    def _letters_box(self, element: ElementTree.Element) -> tuple[Box, float]:
        size = float(element.attrib.get("font-size", self.root.attrib["font-size"]))
        x, y, wide = float(element.attrib["x"]), float(element.attrib["y"]), width_of(element.text or "") * size
        left = {"start": x, "middle": x - wide / 2, "end": x - wide}[element.attrib.get("text-anchor", "start")]
        return Box(left, y - 0.88 * size, left + wide, y + 0.12 * size), size

    def recipient_sets(self) -> list[tuple[Box, dict[str, str], str]]:
        """With what a pointer is told that rests on it."""
        return [
            (_box(element.attrib), element.attrib, (element[0].text or "") if len(element) else "")
            for element in self.root.iter(f"{SVG}circle")
        ]

    def shapes(self) -> list[Box]:
        return [_box(attributes) for name, attributes in self.elements() if name in ("rect", "circle", "line")]

    def overlapping(self) -> list[tuple[str, str]]:
        """Words that lie on each other."""
        pairs = combinations(self.letters(), 2)
        return [(one.words, other.words) for one, other in pairs if one.box.touches(other.box)]


def _box(attributes: dict[str, str]) -> Box:
    number = {
        name: float(value)
        for name, value in attributes.items()
        if name in ("x", "y", "width", "height", "cx", "cy", "r", "x1", "x2", "y1", "y2", "stroke-width")
    }
    edge = number.get("stroke-width", 0) / 2
    if "cx" in number:
        x, y, r = number["cx"], number["cy"], number["r"] + edge
        return Box(x - r, y - r, x + r, y + r)
    if "x1" in number:
        return Box(number["x1"], number["y1"], number["x2"], number["y2"])
    x, y = number.get("x", 0), number.get("y", 0)
    return Box(x - edge, y - edge, x + number["width"] + edge, y + number["height"] + edge)


def contrast(one: str, other: str) -> float:
    """As WCAG 2.2 reckons it."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
