"""Where the date stands on a card: a picture for every kind, in every language, that any page may hold."""

from itertools import product

import pytest

from reminder.domain.model.people import Language
from reminder.domain.rulebook import Rulebook
from reminder.domain.rules.schedule_config import read_schedules
from reminder.errors import UnknownChoiceError
from reminder.guard.numbers import forbidden_at_length as forbidden
from reminder.settings import read_table
from reminder.web.drawing.card_pictures import draw
from tests.rules import CONFIG, HEADINGS, KINDS, LANGUAGES, PICTURES, QUOTAS, WORDING
from tests.web.drawn import ELEMENTS, Drawn, contrast

RULES = Rulebook(
    kinds=KINDS,
    schedules=read_schedules(read_table(CONFIG / "schedules.toml")),
    wording=WORDING,
    replies=(),
    pictures=PICTURES,
    headings=HEADINGS,
    card_grace=False,
    quotas=QUOTAS,
)
EVERY = [*product(KINDS, LANGUAGES)]
# A telephone of 320 pixels leaves this much between the margins of a page.
NARROWEST = 288


@pytest.mark.parametrize(("kind", "language"), EVERY)
def test_every_kind_is_drawn_in_every_language_as_the_content_policy_allows(kind: str, language: Language) -> None:
    drawn = Drawn(draw(RULES, kind, language))

    assert {name for name, _ in drawn.elements()} <= ELEMENTS
    assert [names for _, names in drawn.elements() if any(n == "style" or n.startswith("on") for n in names)] == []
    assert drawn.root.attrib["role"] == "img"


@pytest.mark.parametrize(("kind", "language"), EVERY)
def test_its_name_says_which_card_and_where_the_date_stands(kind: str, language: Language) -> None:
    said = WORDING.of(language).kinds[kind]

    title = Drawn(draw(RULES, kind, language)).title

    assert said["name"] in title
    assert said["stands"] in title


@pytest.mark.parametrize(("kind", "language"), EVERY)
def test_its_words_are_large_and_dark_enough_and_lie_free(kind: str, language: Language) -> None:
    drawn = Drawn(draw(RULES, kind, language))

    assert min(letters.size for letters in drawn.letters()) * NARROWEST / drawn.frame.right >= 14
    assert min(contrast(letters.fill, letters.behind) for letters in drawn.letters()) >= 4.5
    assert drawn.overlapping() == []
    assert [letters.words for letters in drawn.letters() if not letters.is_whole] == []
    assert all(box.is_within(drawn.frame) for box in (*drawn.shapes(), *(one.box for one in drawn.letters())))


@pytest.mark.parametrize(("kind", "language"), EVERY)
def test_it_shows_a_sample_of_the_date_as_the_card_writes_it_and_says_here(kind: str, language: Language) -> None:
    words = WORDING.of(language).section("pictures")

    shown = [letters.words for letters in Drawn(draw(RULES, kind, language)).letters()]

    assert set(PICTURES[kind].date) <= set(shown)
    assert words["here_by_hand" if PICTURES[kind].by_hand else "here"] in shown
    assert forbidden("\n".join(shown)) is None


@pytest.mark.parametrize("kind", KINDS)
def test_no_grey_bar_and_no_covered_number_lies_under_the_words(kind: str) -> None:
    drawn = Drawn(draw(RULES, kind, Language.JAPANESE))

    behind = {letters.behind for letters in drawn.letters()}

    assert behind <= {"#ffffff", "#fff1a8", "#1f2a24"}


@pytest.mark.parametrize(
    ("kind", "by_hand", "why"),
    [
        ("mynumber_user_certificate", True, "somebody at the counter wrote it"),
        ("mynumber_card", False, "it is printed"),
    ],
)
def test_a_date_written_by_hand_is_said_to_be(kind: str, by_hand: bool, why: str) -> None:
    shown = [letters.words for letters in Drawn(draw(RULES, kind, Language.JAPANESE)).letters()]

    assert ("ここ（手書き）" in shown) is by_hand, why
    assert ("ここ" in shown) is not by_hand


def test_a_licence_in_the_card_is_looked_for_on_the_notice_and_not_on_the_card() -> None:
    shown = [letters.words for letters in Drawn(draw(RULES, "mynumber_licence", Language.ENGLISH)).letters()]

    assert "not here" in shown
    assert "here" in shown


def test_there_is_no_picture_of_what_is_no_kind() -> None:
    with pytest.raises(UnknownChoiceError):
        draw(RULES, "library_card", Language.JAPANESE)
