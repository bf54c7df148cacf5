"""The files of words: what is missing or wrong is said at the start, by file and name, and what stands in for what."""

from collections.abc import Mapping
from copy import deepcopy
from datetime import date
from typing import Any

import pytest

from reminder.domain.model.people import Language
from reminder.domain.text.catalog import COMPUTED, Catalogs, TextKey, lint, read_wording
from reminder.errors import SettingsError
from reminder.settings import read_table
from tests.rules import AUDIENCE, CONFIG, KINDS, TABLES, step_text

LINT = read_table(CONFIG / "wording" / "lint.toml")
JA, EASY, EN = Language.JAPANESE, Language.EASY_JAPANESE, Language.ENGLISH


def changed(language: Language, name: str, value: object) -> Mapping[Language, Mapping[str, object]]:
    """The shipped tables with one entry of one file replaced, or left out where `value` is None."""
    tables: dict[Language, Any] = deepcopy(TABLES)
    *path, last = name.split(".")
    table = tables[language]
    for part in path:
        table = table[part]
    del table[last]
    if value is not None:
        table[last] = value
    return tables


def refusal(tables: Mapping[Language, Mapping[str, object]]) -> SettingsError:
    with pytest.raises(SettingsError) as refused:
        read_wording(tables, KINDS, AUDIENCE)
    return refused.value


@pytest.mark.parametrize(
    ("language", "left_out", "asked_for", "why"),
    [
        (JA, "texts.standard.certificates.d30", "texts.standard.certificates.d30", "nothing stands in for it"),
        (
            JA,
            "texts.standard.card.computed",
            "texts.standard.card.computed",
            "a certificate's text is untrue of a card",
        ),
        (EN, "texts.carer.card.g7", "texts.carer.card.g7", "a person's text does not speak to a carer"),
        (EN, "texts.carer", "texts.carer.certificates.d30", "a whole voice"),
        (EASY, "texts.standard.card.d0", "texts.standard.card.d0", "a language has all texts of its own"),
        (JA, "texts", "texts.standard.certificates.d30", "all of them"),
        (JA, "sender", "sender", "who speaks"),
        (EN, "kinds.passport", "kinds.passport.name", "a whole kind"),
        (JA, "kinds.other.stops", "kinds.other.stops", "one word of a kind"),
        (JA, "several.elderly", "several.elderly", "several cards in one text"),
        (JA, "email.line", "email.line", "a section inside a section"),
        (EN, "email.subject.near", "email.subject.near", "one subject"),
        (EN, "email.text.after_card", "email.text.after_card", "one piece of advice"),
        (JA, "errors", "errors", "what a refusal says"),
        (JA, "errors.failure", "errors.failure", "what any error falls back on"),
    ],
)
def test_what_is_missing_refuses_to_start_and_names_the_file_and_the_entry(
    language: Language, left_out: str, asked_for: str, why: str
) -> None:
    refused = refusal(changed(language, left_out, None))

    assert refused.setting == f"config/wording/{language}.toml: {asked_for}", why
    assert refused.fix.startswith("add this")


@pytest.mark.parametrize(
    ("language", "name", "text", "said", "why"),
    [
        (JA, "texts.standard.card.d7", "{surname}さん、{date}までです。", "{surname}", "we know no names"),
        (EN, "texts.elderly.card.d7", "Until {Date}.", "{Date}", "capitals count"),
        (EASY, "texts.standard.certificates.d7", "{}までです。", "{}", "a place without a name"),
        (JA, "texts.carer.card.d7", "{date.year}年までです。", "{date.year}", "a date is text by then"),
        (JA, "texts.carer.card.d7", "{date:%d}日までです。", "{date%d}", "and cannot be written in another form"),
        (JA, "texts.standard.card.d7", "{date までです。", "brace", "a brace left open"),
        (JA, "texts.standard.card.d7", "date}までです。", "brace", "or never opened"),
        (JA, "texts.standard.card.d7", 31, "add this text", "a number is no text"),
        (EN, "several.carer", "Until {date}: {items}", "{date}", "several cards have no one date"),
        (EN, "email.subject.people", "{who} and {n}", "{who}", "several persons have no one name"),
        (JA, "email.text.about", "{date}", "{date}", "nor one date"),
        (JA, "email.line.where", "{where}", "{where}", "a line that somebody added"),
        (JA, "kinds.passport.to_do", "{date}までに。", "{date}", "a kind's words hold no date"),
        (JA, "sender", "{svc}", "{svc}", "another catalogue's placeholder"),
    ],
)
def test_a_text_that_could_not_be_filled_refuses_to_start_and_says_why(
    language: Language, name: str, text: object, said: str, why: str
) -> None:
    tables = (
        changed(language, name, text)
        if name != "email.line.where"
        else changed(language, "email.line", {"where": text})
    )

    refused = refusal(tables)

    assert refused.setting == f"config/wording/{language}.toml: {name}", why
    assert said in refused.fix


def test_a_brace_that_is_meant_is_written_twice() -> None:
    wording = read_wording(changed(JA, "texts.standard.card.d7", "{{{date}}}"), KINDS, AUDIENCE)

    assert wording.languages[JA].texts[TextKey("standard", "card", "d7")].format(date="x") == "{x}"


def test_a_language_can_only_be_like_one_that_is_there() -> None:
    refused = refusal(changed(EASY, "like", "fr"))

    assert refused.setting == "config/wording/ja-easy.toml: like"


def marked(language: Language) -> Catalogs:
    """The shipped words, in which every text of one language says only where it stands."""
    texts: Any = deepcopy(TABLES[language]["texts"])
    for voice, families in texts.items():
        for family, steps in families.items():
            for step in steps:
                steps[step] = f"{voice}.{family}.{step}"
    return read_wording({**TABLES, language: {**TABLES[language], "texts": texts}}, KINDS, AUDIENCE)


@pytest.mark.parametrize(
    ("asked", "stands_in", "why"),
    [
        ("standard.certificates.d30", "standard.certificates.d30", "its own"),
        ("standard.user_certificate.d30", "standard.user_certificate.d30", "its own"),
        ("standard.user_certificate.a7", "standard.certificates.a7", "a family takes the certificates' text"),
        ("standard.signature_certificate.post", "standard.certificates.post", "a family takes the certificates' text"),
        ("elderly.user_certificate.d30", "elderly.certificates.d30", "in the same voice first"),
        ("elderly.signature_certificate.computed", "elderly.certificates.computed", "in the same voice first"),
        ("carer.user_certificate.d7", "carer.certificates.d7", "in the same voice first"),
        ("elderly.certificates.d75", "elderly.certificates.d60", "what is told next"),
        ("elderly.signature_certificate.d45", "elderly.signature_certificate.d30", "what is told next"),
        ("standard.certificates.d75", "standard.certificates.d60", "what is told next"),
        ("standard.card.d75", "standard.card.d75", "a slow card has its own"),
        ("carer.certificates.d45", "carer.certificates.d45", "and so has who acts"),
    ],
)
def test_a_text_that_is_not_written_has_its_stand_in(asked: str, stands_in: str, why: str) -> None:
    voice, family, step = asked.split(".")

    said = step if step == COMPUTED else step_text(step)
    assert marked(JA).languages[JA].text(voice, family, said) == stands_in, why


def test_a_language_without_a_voice_speaks_in_the_standard_one_and_never_in_another_language() -> None:
    words = marked(EASY).languages[EASY]

    assert words.text("elderly", "card", step_text("d7")) == "standard.card.d7"
    assert words.text("elderly", "user_certificate", step_text("d75")) == "standard.certificates.d60"


def test_a_language_that_is_like_another_takes_from_it_all_but_its_texts() -> None:
    words = read_wording(TABLES, KINDS, AUDIENCE).languages

    assert words[EASY].word("sender") == words[JA].word("sender")
    assert words[EASY].section("errors")["too_many_at_once"] == words[JA].section("errors")["too_many_at_once"]
    assert words[EASY].section("errors").keys() == words[JA].section("errors").keys()
    assert words[EASY].word("both_certificates") != words[JA].word("both_certificates")


@pytest.mark.parametrize(
    ("kind", "family"),
    [
        ("mynumber_user_certificate", "user_certificate"),
        ("mynumber_signature_certificate", "signature_certificate"),
        ("mynumber_card", "card"),
        ("driving_licence", "procedure"),
        ("care_burden_ratio", "arrival"),
    ],
)
def test_every_kind_has_a_family_of_texts(kind: str, family: str) -> None:
    assert read_wording(TABLES, KINDS, AUDIENCE).families[kind] == family


def test_another_language_is_added_as_one_file() -> None:
    french = {**TABLES[EN], "service": "Kigen Dayori (fr)"}

    wording = read_wording({**TABLES, Language("fr"): french}, KINDS, AUDIENCE)

    assert wording.of(Language("fr")).word("service") == "Kigen Dayori (fr)"


def test_who_reads_a_language_whose_file_is_gone_is_told_in_japanese() -> None:
    wording = read_wording(TABLES, KINDS, AUDIENCE)

    assert wording.of(Language("fr")) is wording.of(JA)


def test_japanese_has_to_be_there() -> None:
    refused = refusal({EN: TABLES[EN]})

    assert refused.setting == "config/wording/ja.toml"


@pytest.mark.parametrize(
    ("language", "short", "full"),
    [
        (JA, "12月23日（水）", "2026年12月23日（水）"),
        (EASY, "12月23日（水）", "2026年12月23日（水）"),
        (EN, "Wed 23 Dec 2026", "Wed 23 Dec 2026"),
    ],
)
def test_a_date_is_written_out_with_its_weekday(language: Language, short: str, full: str) -> None:
    words = read_wording(TABLES, KINDS, AUDIENCE).languages[language]

    assert words.date(date(2026, 12, 23)) == short
    assert words.date(date(2026, 12, 23), "full_date") == full


@pytest.mark.parametrize(
    ("text", "found", "why"),
    [
        ("マイナンバーカードは12月23日（水）が有効期限です。", [], "an ordinary text"),
        ("Shipping is free. Your My Number Card expires Wed 23 Dec 2026.", [], "a word inside another is no alarm"),
        ("至急、ご確認ください", ["至急"], "alarm"),
        ("URGENT: Click here", ["URGENT", "Click"], "in any case"),
        ("マイナンバーをお知らせください", ["マイナンバー"], "a request for the number itself"),
        ("暗証番号", ["暗証番号"], "a request for a passcode"),
        ("your PIN", ["PIN"], "the same"),
        ("https://example.jp", ["https:", ".jp"], "what could be followed"),
        ("www.example.com", ["www.", ".com"], "the same without a scheme"),
        ("090-0000-0001へ", ["090-0000-0001"], "what could be called"),
        ("明日までです", ["明日"], "wrong when the text moves"),
        ("please apply this week", ["this week"], "wrong when it is read on Monday"),
        ("あと3日です", ["あと3日"], "a count of days"),
        ("あと 2週間です", ["あと 2週間"], "the same with a space"),
        ("そのあとでも2回できます", [], "afterwards"),
    ],
)
def test_what_no_text_message_may_hold_is_found(text: str, found: list[str], why: str) -> None:
    assert lint(text, LINT) == found, why  # type: ignore[arg-type]
