"""Whom Accept-Language and a locale mean among the languages that are offered."""

import pytest

from reminder.domain.model.languages import Calendars, LanguageFacts, Script
from reminder.domain.model.people import Language
from reminder.domain.parsing.language_tags import best_match, of_locale
from tests.rules import WORDING


def facts(code: str, tag: str, order: int) -> LanguageFacts:
    return LanguageFacts(
        Language(code), code, tag, order, Calendars.WESTERN, Script.LATIN, sheets=Language(code), speech=tag
    )


OFFERED = [*WORDING.offered, facts("pt-BR", "pt-BR", 4), facts("zh", "zh-Hant", 5)]


@pytest.mark.parametrize(
    ("header", "meant", "why"),
    [
        ("ja", "ja", "of two languages of one tag the first in lists"),
        ("en-US,en;q=0.9", "en", "a country's English is English"),
        ("fr, de;q=0.9", None, "neither is there"),
        ("", None, "nothing was said"),
        ("fr, en;q=0.3, ja;q=0.8", "ja", "weights decide, not the order"),
        ("en;q=0, ja;q=0.1", "ja", "a weight of nothing is a refusal"),
        ("pt", "pt-BR", "the only Portuguese that there is"),
        ("pt-PT, en;q=0.5", "en", "another country's is not offered"),
        ("zh-Hant-TW", "zh", "the tag is cut from behind until one fits"),
        ("JA-jp", "ja", "capitals do not count"),
        ("ja-easy", "ja-easy", "a file may be asked for by its own name"),
        ("*", None, "anything is as good as nothing"),
        ("en;q=5, ja", "ja", "what is no weight is not read"),
    ],
)
def test_a_header_means_the_language_that_it_likes_best(header: str, meant: str | None, why: str) -> None:
    found = best_match(header, OFFERED)

    assert (found.code if found else None) == meant, why


@pytest.mark.parametrize(
    ("locale", "meant"), [("pt_BR.UTF-8", "pt-BR"), ("en_GB@euro", "en"), ("C", None), ("fr_FR.UTF-8", None)]
)
def test_a_locale_means_the_language_of_its_tag(locale: str, meant: str | None) -> None:
    found = of_locale(locale, OFFERED)

    assert (found.code if found else None) == meant
