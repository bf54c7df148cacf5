"""config/pictures.toml: where the date stands on each kind of card, and how a mistake in it is told."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from reminder.domain.model.people import Language
from reminder.domain.text.card_pictures import is_within, read_pictures
from reminder.errors import SettingsError
from reminder.guard.numbers import forbidden
from reminder.settings import read_table
from tests.rules import CONFIG, KINDS, PICTURES, WORDING

SHIPPED = read_table(CONFIG / "pictures.toml")


def test_every_kind_has_a_picture_in_the_order_of_the_catalogue() -> None:
    assert list(PICTURES) == list(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_the_date_lies_on_one_sheet_and_on_no_photo_and_no_covered_number(kind: str) -> None:
    paper, mark = PICTURES[kind].paper, PICTURES[kind].mark

    others = [*paper.photos, *paper.not_here, *((x, y, width, 12) for x, y, width in paper.covered)]

    assert sum(is_within(mark, sheet) for sheet in paper.sheets) == 1
    for x, y, width, height in others:
        assert mark[0] + mark[2] <= x or x + width <= mark[0] or mark[1] + mark[3] <= y or y + height <= mark[1]


@pytest.mark.parametrize("kind", [kind for kind, picture in PICTURES.items() if picture.above])
def test_the_words_above_the_date_are_those_that_the_sentence_says_to_look_for(kind: str) -> None:
    field = PICTURES[kind].above[0]

    stands = WORDING.of(Language.ENGLISH).kinds[kind]["stands"]  # which quotes the card in Japanese

    assert (field in stands) is (kind not in NAMES_NO_FIELD)


NAMES_NO_FIELD = ("smartphone_certificate", "silver_pass")


@pytest.mark.parametrize("kind", KINDS)
def test_no_sample_looks_like_a_number_that_is_kept_nowhere(kind: str) -> None:
    printed = (*PICTURES[kind].above, *PICTURES[kind].date)

    assert [line for line in printed if forbidden(line) is not None] == []


def put(table: dict[str, Any], path: str, value: object) -> None:
    *way, last = path.split("/")
    for step in way:
        table = table[step]
    table[last] = value


def drop(table: dict[str, Any], path: str, _value: object) -> None:
    *way, last = path.split("/")
    for step in way:
        table = table[step]
    del table[last]


@pytest.mark.parametrize(
    ("change", "path", "value", "named", "why"),
    [
        (drop, "kinds/passport", None, "kinds.passport", "a kind without a picture"),
        (put, "kinds/library_card", {"paper": "letter"}, "kinds.library_card.at", "half a picture"),
        (put, "kinds/library_card", {"paper": "letter", "at": [50, 50], "date": ["x"]}, "kinds.library_card", "no such kind"),
        (put, "kinds/passport/paper", "papyrus", "kinds.passport.paper", "no such paper"),
        (put, "kinds/passport/at", [260, 120], "kinds.passport.at", "over the edge"),
        (put, "kinds/passport/at", [20, 80], "kinds.passport.at", "across the fold"),
        (put, "kinds/passport/at", [-5, 80], "kinds.passport.at", "out of the drawing"),
        (put, "kinds/passport/at", "left", "kinds.passport.at", "no place"),
        (put, "kinds/passport/date", [], "kinds.passport.date", "no date"),
        (put, "kinds/passport/date", ["長" * 21], "kinds.passport.date", "too long for any card"),
        (put, "kinds/passport/number", "TK", "kinds.passport.number", "nobody shows a number"),
        (put, "kinds/passport/by_hand", "yes", "kinds.passport.by_hand", "true or false"),
        (put, "papers/letter/sheets", [], "papers.letter.sheets", "no sheet at all"),
        (put, "papers/letter/sheets", [[100, 6, 260, 300]], "papers.letter.sheets", "wider than the drawing"),
        (put, "papers/letter/crest", [1, 2, 3, 4], "papers.letter.crest", "no emblem"),
        (put, "papers/letter", 7, "papers.letter", "no table"),
        (drop, "papers", None, "[papers]", "no papers"),
        (drop, "kinds", None, "[kinds]", "no kinds"),
    ],
)  # fmt: skip
def test_a_mistake_refuses_to_start_and_is_named(
    change: Callable[[dict[str, Any], str, object], None], path: str, value: object, named: str, why: str
) -> None:
    table = deepcopy(dict(SHIPPED))
    change(table, path, value)

    with pytest.raises(SettingsError) as refused:
        read_pictures(table, KINDS)

    assert refused.value.setting == f"config/pictures.toml: {named}", why
