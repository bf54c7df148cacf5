"""Readings in やさしい日本語: behind every word that has kanji, in every e-mail, and never in a name."""

import re
from datetime import date

import pytest

from reminder.domain.model.notices import ALL_NOTICES
from reminder.domain.model.people import Audience, ChannelName, Language, Mode
from reminder.domain.text.catalog import FAMILIES
from reminder.domain.text.furigana import annotator
from reminder.domain.text.model import Reader, ReminderContent
from tests.rules import COMPOSER, KINDS, LANGUAGES, TABLES, WORDING, step_text

EASY = WORDING.of(Language.EASY_JAPANESE)
KANJI = "[\u3005\u4e00-\u9fff]"


def reminder(kind: str) -> ReminderContent:
    end = date(2027, 3, 31)
    return ReminderContent(kind, end, step=step_text("d30"), last_counter_day=end, grace_ends_on=None)


def bare(text: str) -> list[str]:
    """Words with kanji that have no reading, dates aside."""
    without = re.sub(rf"{KANJI}+（[ぁ-ゖー]+）|[0-9○]+[年月日]|（[月火水木金土日]）|{{[^}}]*}}|＿[年月日]", "", text)
    return re.findall(rf".{{0,3}}{KANJI}+.{{0,3}}", without)


def test_every_word_of_an_e_mail_in_easy_japanese_has_its_reading() -> None:
    mail = EASY.in_mail
    sections = (
        "email.line",
        "email.part",
        "email.text",
        "called",
        "carers_word",
        "several",
        *(f"notices.{kind}" for kind in ALL_NOTICES),
        "again",
        "history",
        "sheets",
        "digest",
        "digest.about",
        "digest.states",
        "visits",
    )
    said = [text for name in sections for text in mail.section(name).values() if isinstance(text, str)]
    said += [text for words in mail.kinds.values() for text in words.values()]
    said += mail.texts.values()

    # The certificates of a card lean on the texts of both.
    assert {key.family for key in mail.texts} == set(FAMILIES) - {"user_certificate"}
    assert {word for text in said for word in bare(text)} == set()


@pytest.mark.parametrize(
    ("text", "annotated", "why"),
    [
        ("期限の日", "期限（きげん）の日（ひ）", "words"),
        ("誕生日", "誕生日（たんじょうび）", "the longest word counts"),
        ("3月31日（水）と 10月", "3月31日（水）と 10月", "dates are read by rules of their own"),
        ("{who}の{date}の日", "{who}の{date}の日（ひ）", "what is filled in later"),
        ("期限（きげん）の日", "期限（きげん）の日（ひ）", "a reading that is there stays"),
    ],
)
def test_a_reading_stands_behind_its_word(text: str, annotated: str, why: str) -> None:
    annotate = annotator(["期限（きげん）", "日（ひ）", "誕生日（たんじょうび）", "月（つき）"])

    assert annotate(text) == annotated, why


def test_a_name_is_never_given_a_reading_and_a_text_message_has_none() -> None:
    told = [reminder("passport")]

    def composed(audience: Audience, channel: ChannelName) -> str:
        reader = Reader(
            audience, channel, Language.EASY_JAPANESE, Mode.ELDERLY, "日野月人", "つばめ", "市役所", "田中家"
        )
        return COMPOSER.reminder(told, reader).text

    mail = composed(Audience.CARER, ChannelName.EMAIL)
    assert "日野月人さんの" in mail
    assert not re.search(rf"{KANJI}（[ぁ-ゖ]+）", composed(Audience.PERSON, ChannelName.SMS))


def test_the_name_of_the_office_has_its_reading_too() -> None:
    told = [reminder("jiritsu_iryo")]
    reader = Reader(Audience.CARER, ChannelName.EMAIL, Language.EASY_JAPANESE, Mode.ELDERLY, "母", office="町役場")

    assert "町役場（まちやくば）で" in COMPOSER.reminder(told, reader).text


def test_every_kind_is_spoken_of_in_easy_japanese_by_words_of_its_own() -> None:
    japanese = WORDING.of(Language.JAPANESE)

    assert [kind for kind in KINDS if EASY.kinds[kind]["to_do"] == japanese.kinds[kind]["to_do"]] == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ["readings", "furigana"])
def test_no_word_has_two_readings_and_one_that_is_read_in_two_ways_stands_in_whole_words(
    language: Language, name: str
) -> None:
    found: dict[str, set[str]] = {}
    for word in TABLES[language].get(name, ()):  # type: ignore[attr-defined]
        found.setdefault(re.sub("（[ぁ-ゖー]+）", "", word), set()).add(word)

    assert [sorted(words) for words in found.values() if len(words) > 1] == []


def test_the_face_of_a_card_and_a_table_are_read_differently() -> None:
    annotated = EASY.with_furigana.read

    assert annotated("カードの 表に") == "カードの 表（おもて）に"
    assert annotated("表の 読みこみ") == "表（ひょう）の 読（よ）みこみ"
    assert annotated("下の 表と") == "下（した）の 表（ひょう）と"
