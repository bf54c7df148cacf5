"""The place of the date on each kind of card: config/pictures.toml, read and checked. Drawings are sketches.

All lengths refer to a drawing that is WIDTH wide; a covered bar replaces a card's number.
"""

from collections.abc import Collection, Mapping
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reminder.domain.text.text_width import width_of
from reminder.errors import SettingsError

FILE = "config/pictures.toml"

WIDTH = 320
# At 288 pixels, the width between the margins of a telephone of 320, this is still more than 14.
LETTERS = 16
LINE = 22  # from one line of letters to the next
_PAD = 6


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


Length = Annotated[int, Field(ge=0, le=600)]
Box = Annotated[
    tuple[Length, Length, Length, Length], Field(strict=False)
]  # from the left, from the top, width, height
Bar = Annotated[tuple[Length, Length, Length], Field(strict=False)]  # from the left, from the top, width
Printed = Annotated[tuple[Annotated[str, Field(min_length=1, max_length=20)], ...], Field(strict=False)]


class Paper(_Row):
    """The parts that several kinds share: the sheets, and the grey shapes on them besides the date."""

    sheets: Annotated[tuple[Box, ...], Field(strict=False, min_length=1)]
    corner: Length = 4
    frames: Annotated[tuple[Box, ...], Field(strict=False)] = ()
    photos: Annotated[tuple[Box, ...], Field(strict=False)] = ()
    lines: Annotated[tuple[Bar, ...], Field(strict=False)] = ()
    covered: Annotated[tuple[Bar, ...], Field(strict=False)] = ()
    not_here: Annotated[
        tuple[Box, ...], Field(strict=False)
    ] = ()  # places where people look for the date although it is elsewhere


class _Place(_Row):
    paper: str
    at: Annotated[tuple[Length, Length], Field(strict=False)]
    above: Printed = ()
    date: Annotated[Printed, Field(min_length=1)]
    by_hand: bool = False


class Picture(_Row):
    """The sketch of one kind of card.

    `above` is printed over the date, as on the card; `date` is a sample in the card's own format.
    """

    paper: Paper
    at: tuple[int, int]
    above: tuple[str, ...]
    date: tuple[str, ...]
    by_hand: bool

    @property
    def mark(self) -> tuple[int, int, int, int]:
        """The box around the date: left, top, width, height."""
        width = max(width_of(line) for line in self.date) * LETTERS + 2 * _PAD
        top = self.at[1] + LINE * len(self.above)
        return self.at[0], top, round(width + 0.5), LINE * len(self.date) + _PAD


def read_pictures(table: Mapping[str, object], kinds: Collection[str]) -> dict[str, Picture]:
    """Return a picture for each kind; raises SettingsError naming the entry."""
    papers = {
        name: _checked(Paper, row, f"papers.{name}", _PAPER_FIX) for name, row in _section(table, "papers").items()
    }
    places = {
        kind: _checked(_Place, row, f"kinds.{kind}", _PLACE_FIX) for kind, row in _section(table, "kinds").items()
    }
    for name, paper in papers.items():
        if any(left + width > WIDTH for left, _, width, _ in paper.sheets):
            raise SettingsError(f"{FILE}: papers.{name}.sheets", f"a drawing is {WIDTH} wide: make them fit")
    for kind in kinds:
        if kind not in places:
            raise SettingsError(f"{FILE}: kinds.{kind}", "add it: every kind of config/cards.toml has a picture")
    for kind in places:
        if kind not in kinds:
            raise SettingsError(f"{FILE}: kinds.{kind}", "remove it; config/cards.toml has no such kind")
    return {kind: _picture(kind, places[kind], papers) for kind in kinds}


def _picture(kind: str, place: _Place, papers: Mapping[str, Paper]) -> Picture:
    if place.paper not in papers:
        raise SettingsError(f"{FILE}: kinds.{kind}.paper", f"name one of {', '.join(papers)}")
    paper = papers[place.paper]
    picture = Picture(paper=paper, at=place.at, above=place.above, date=place.date, by_hand=place.by_hand)
    x, _, width, height = picture.mark
    whole = (x, place.at[1], width, height + LINE * len(place.above))
    if not any(is_within(whole, sheet) for sheet in paper.sheets):
        fix = f"move it: the date, {width} wide and {whole[3]} high with what stands above it, must lie on one sheet"
        raise SettingsError(f"{FILE}: kinds.{kind}.at", fix)
    return picture


def is_within(inner: tuple[float, float, float, float], outer: tuple[float, float, float, float]) -> bool:
    """Return whether a box lies in another. Both: left, top, width, height."""
    return (
        outer[0] <= inner[0]
        and outer[1] <= inner[1]
        and inner[0] + inner[2] <= outer[0] + outer[2]
        and inner[1] + inner[3] <= outer[1] + outer[3]
    )


_PAPER_FIX = (
    "write sheets, frames, photos and not_here as lists of [left, top, width, height], lines and covered as lists of "
    "[left, top, width], corner as a number"
)
_PLACE_FIX = (
    "write paper (its name), at = [left, top], date = [lines], and where needed above = [lines], by_hand = true"
)


def _section(table: Mapping[str, object], name: str) -> Mapping[str, object]:
    section = table.get(name)
    if not isinstance(section, Mapping):
        raise SettingsError(f"{FILE}: [{name}]", "add this section")
    return section


_Table = TypeVar("_Table", bound=_Row)


def _checked(model: type[_Table], row: object, where: str, fix: str) -> _Table:
    try:
        return model.model_validate(row)
    except ValidationError as wrong:
        place = wrong.errors()[0]["loc"]
        raise SettingsError(f"{FILE}: {where}" + "".join(f".{part}" for part in place[:1]), fix) from None
