"""The words in which a home is told of its week."""

from datetime import date
from itertools import product

import pytest

from reminder.domain.model.people import Language
from reminder.domain.text.catalog import DIGEST_PARTS, DIGEST_STATES
from reminder.domain.text.digest import Digest, Item, Part
from reminder.domain.text.email_html import render_html
from tests.rules import COMPOSER, LANGUAGES
from tests.village import SIGNATURE_CERTIFICATE, USER_CERTIFICATE

JA, EASY, EN = Language.JAPANESE, Language.EASY_JAPANESE, Language.ENGLISH
MONDAY = date(2027, 3, 1)


def digest(*parts: Part) -> Digest:
    return Digest("さくら苑", MONDAY, 212, parts)


def every_part() -> list[Part]:
    states = [("sms", state) for state in DIGEST_STATES]
    item = Item("2階 201", date(2027, 3, 5), False, [(USER_CERTIFICATE, ""), (SIGNATURE_CERTIFICATE, "")])
    return [
        Part(name, [Item("203", reasons=[("", ""), *states])] if name == "unreached" else [item], 1)
        for name in DIGEST_PARTS
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_words_for_all_of_it(language: Language) -> None:
    composed = COMPOSER.digest(language, digest(*every_part()))

    assert "201" in composed.text
    assert "{" not in f"{composed.subject}{composed.text}"
    # What it says, where the whole is, and what every e-mail says of itself.
    assert render_html(composed.text).count("<h2") == len(DIGEST_PARTS) + 2


@pytest.mark.parametrize(
    ("language", "said"),
    [
        (JA, "さくら苑で今週することはありません。212件の期限を見守っています。"),
        (EASY, "さくら苑で 今週（こんしゅう） する ことは ありません。212件（けん）の 期限（きげん）を 見守（みまも）って います。"),
        (EN, "さくら苑: nothing to do this week. We are watching 212 date(s)."),
    ],
)  # fmt: skip
def test_nothing_to_do_is_one_line(language: Language, said: str) -> None:
    composed = COMPOSER.digest(language, digest())

    assert composed.body == f"{said}\n"


def test_both_certificates_of_one_day_are_one_thing_and_a_card_has_its_owner_s_name_for_it() -> None:
    cards = [(SIGNATURE_CERTIFICATE, ""), ("other", "老人パス"), (USER_CERTIFICATE, "")]
    part = Part("counter", [Item("201", date(2027, 3, 5), False, cards)], 1)

    assert "3月5日（金）　201　電子証明書、老人パス\n" in COMPOSER.digest(JA, digest(part)).text


@pytest.mark.parametrize(
    ("item", "said"),
    [
        (Item("201", date(2027, 3, 5), True, [(USER_CERTIFICATE, "")]), "3月5日（金）ごろ"),
        (Item("201", date(2025, 11, 5), False, [(USER_CERTIFICATE, "")]), "2025年11月5日（水）"),
    ],
)
def test_a_day_that_was_worked_out_or_is_of_another_year_says_so(item: Item, said: str) -> None:
    assert f"{said}　201" in COMPOSER.digest(JA, digest(Part("ended", [item], 1))).text


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_does_not_fit_is_counted(language: Language) -> None:
    part = Part("counter", [Item("201", date(2027, 3, 5), False, [(USER_CERTIFICATE, "")])], 4001)

    assert "4000" in COMPOSER.digest(language, digest(part)).text


@pytest.mark.parametrize(("language", "link"), [*product(LANGUAGES, [None, "https://kigen.example.jp/months"])])
def test_there_is_a_link_only_where_one_is_given(language: Language, link: str | None) -> None:
    text = COMPOSER.digest(language, digest(*every_part()), link).text

    assert ("http" in text) is (link is not None)
