"""Every sentence of config/wording/ reaches those for whom it is meant, and only them; nobody misses a needed fact."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from datetime import date
from functools import cache
from itertools import product

import pytest

from reminder.domain.model.people import Audience, ChannelName, Language, Mode
from reminder.domain.rules.preferences import Preferences
from reminder.domain.rules.steps import Stage, StepText
from reminder.domain.text.audience import Condition, ReaderKind, read_audience, reader_kind, steps_named
from reminder.domain.text.catalog import FAMILIES, MAIL_PARTS, VOICES, read_audience_of
from reminder.domain.text.composer import Composer
from reminder.domain.text.model import Reader
from reminder.errors import SettingsError
from reminder.settings import read_table
from tests.domain.text.audience_matrix import DOCUMENT, Seen, document, families_of, whole
from tests.domain.text.same_day import marked_catalogs, sentences, situations
from tests.rules import AUDIENCE, CONFIG, KINDS, LANGUAGES, WORDING

OWN_DAYS = ((75, 40, 3, 0), (90, 45, 14, 1), (30, 10, 2))
CHOICES = (Preferences("few"), Preferences("often"), *(Preferences("", days) for days in OWN_DAYS))

# Sentences that reach nobody, and why they stand there all the same. A new one needs a reason, or goes.
UNTOLD_TEXTS = {
    "elderly.arrival.d30": "elders are told of what comes by itself in its last week; a stage needs its text",
    "elderly.signature_certificate": "elders are not told of it; they are as soon as told_to_elders is true",
}


@cache
def told_by_choice(language: Language) -> frozenset[str]:
    """Return the sentences that only the choices of a group or several cards in one text bring about."""
    found = set[str]()
    composer = Composer(marked_catalogs(language))
    for mode, preferences in product(Mode, CHOICES):
        for kind in ("mynumber_card", "mynumber_user_certificate", "residence_card", "care_burden_ratio"):
            for one in situations(kind, mode, preferences):
                for audience in one.step.audiences:
                    found |= sentences(one.said(audience, language)["text"])
    pairs = [("mynumber_user_certificate", "mynumber_signature_certificate"), ("passport", "driving_licence")]
    for mode, (first, second) in product(Mode, [*pairs, ("care_burden_ratio", "silver_pass")]):
        for one in situations(first, mode):
            for audience, after in product(one.step.audiences, (0, 20)):
                reader = Reader(audience, ChannelName.SMS, language, mode, "花子", office="◇", from_="田中家")
                other = replace(
                    one.content, kind=second, expires_on=date.fromordinal(one.content.expires_on.toordinal() + after)
                )
                for cards in ([one.content, other], [other, one.content]):
                    found |= sentences(composer.reminder(cards, reader).text)
    return frozenset(found)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_of_a_step_reaches_somebody(language: Language) -> None:
    told = {*whole(language)[0], *told_by_choice(language)}
    orphans = [
        name
        for key in WORDING.of(language).texts
        for name in [f"{key.voice}.{key.family}.{key.name}"]
        if f"texts.{name}" not in told
        and StepText.read(key.name) is not None
        and not {f"{key.voice}.{key.family}", name} & UNTOLD_TEXTS.keys()
    ]

    assert orphans == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_about_what_was_begun_and_about_several_cards_reaches_somebody(language: Language) -> None:
    told = {*whole(language)[0], *told_by_choice(language)}
    written = {
        f"{section}.{name}"
        for section in ("life", "again", "several")
        for name in WORDING.of(language).section(section)
    }

    assert written - told - {"several.item"} == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_text_reaches_only_the_readers_of_its_voice(language: Language) -> None:
    wrong = []
    for name, seen in whole(language)[0].items():
        section, voice, *_ = name.replace("_", ".").split(".") if name.startswith("life.") else name.split(".")
        if section in ("texts", "life"):
            readers = AUDIENCE.voices[voice]
            # A voice without a text of its own takes the ordinary one.
            readers = readers | AUDIENCE.voices["elderly"] if voice == "standard" else readers
            wrong += [f"{name}: {one.reader}" for one in seen if one.reader not in readers]

    assert wrong == []


@pytest.mark.parametrize(("audience", "mode"), [*product(Audience, Mode)])
def test_the_readers_of_a_voice_are_those_whom_the_composer_gives_it(audience: Audience, mode: Mode) -> None:
    reader = Reader(audience, ChannelName.SMS, Language.JAPANESE, mode, "花子")

    assert [voice for voice, readers in AUDIENCE.voices.items() if reader_kind(audience, mode) in readers] == [
        reader.voice
    ]


def seen_in_mail(language: Language, name: str) -> frozenset[Seen]:
    return whole(language)[0].get(name, frozenset())


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_advice_of_a_mail_reaches_all_for_whom_it_is_declared_and_nobody_else(language: Language) -> None:
    wrong = []
    for one in AUDIENCE.mail:
        seen = seen_in_mail(language, f"email.text.{one.name}")
        to = {each.reader for each in seen}
        # Its certificates' family is told of two at once.
        of = families_of(seen) | ({"certificates"} if "certificates" in one.of else set())
        at = {name for each in seen for name in steps_named(each.stage)}
        wrong += [f"{one.name}: {reader} gets it" for reader in to - (one.to or set(ReaderKind))]
        wrong += [f"{one.name}: {reader} misses it" for reader in one.to - to]
        wrong += [f"{one.name}: about {family}" for family in of ^ set(one.of or of)]
        wrong += [f"{one.name}: not at {step}" for step in one.at - at]

    assert wrong == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_advice_of_a_mail_is_all_declared(language: Language) -> None:
    closing = {"about", "signature"}

    assert set(WORDING.of(language).section("email.text")) - closing == {one.name for one in AUDIENCE.mail}
    assert AUDIENCE.lines.keys() <= WORDING.of(language).section("email.line").keys()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_words_of_a_kind_reach_those_for_whom_they_are_declared_and_nobody_else(language: Language) -> None:
    wrong = []
    for kind, words in WORDING.of(language).kinds.items():
        for name in words:
            declared = AUDIENCE.kind_words.get(name)
            if declared is None:
                wrong.append(f"{kind}.{name} is for nobody")
                continue
            seen = seen_in_mail(language, f"kinds.{kind}.{name}")
            media = {one.medium for one in seen}
            is_meant = (not declared.of or KINDS[kind].texts in declared.of) and set(declared.by) != {"page"}
            wrong += [f"{kind}.{name}: by {medium}" for medium in media - set(declared.by)]
            wrong += [
                f"{kind}.{name}: to {one.reader}" for one in seen if declared.to and one.reader not in declared.to
            ]
            if is_meant != bool(seen):
                wrong.append(f"{kind}.{name}: {'nobody gets it' if is_meant else 'somebody gets it'}")

    assert wrong == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_words_of_all_kinds_together_reach_every_reader_and_medium_that_is_declared(language: Language) -> None:
    wrong = []
    for name, declared in AUDIENCE.kind_words.items():
        seen = {each for kind in KINDS for each in seen_in_mail(language, f"kinds.{kind}.{name}")}
        wrong += [f"{name}: not by {medium}" for medium in declared.by - {one.medium for one in seen} - {"page"}]
        wrong += [f"{name}: not to {reader}" for reader in declared.to - {one.reader for one in seen}]

    assert wrong == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_reader_misses_a_fact_that_is_marked_as_needed(language: Language) -> None:
    assert whole(language)[1] == ()


def test_who_was_told_that_it_is_done_is_not_told_how_to_do_it() -> None:
    found = whole(Language.JAPANESE)[0]
    acts = [name for name in found if name.startswith(("email.text.to_do", "email.text.proxy", "email.text.stops"))]

    assert [name for name in acts if any(one.stage is Stage.DONE for one in found[name])] == []


def test_the_matrix_that_is_kept_in_the_documents_is_the_present_one() -> None:
    """Where this fails: `python -m tests.domain.text.audience_matrix`, and look at what changed."""
    assert DOCUMENT.read_text(encoding="utf-8") == document()


def changes() -> Iterator[tuple[str, str, object]]:
    yield "mail", "part", "nothing"
    yield "mail", "to", ["strangers"]
    yield "mail", "at", ["someday"]
    yield "mail", "of", ["pets"]
    yield "mail", "only", "rain"
    yield "mail", "for", ["family"]
    yield "kind", "by", ["pigeon"]


@pytest.mark.parametrize(("section", "name", "value"), [*changes()])
def test_a_mistake_in_the_file_names_its_place(section: str, name: str, value: object) -> None:
    table = deepcopy(read_table(CONFIG / "audience.toml"))
    entry = next(iter(table[section]))  # type: ignore[call-overload]
    table[section][entry] = {**table[section][entry], name: value}  # type: ignore[index]

    with pytest.raises(SettingsError) as refused:
        read_audience_of(table)

    assert f"{section}.{entry}.{name}" in str(refused.value.details)


def test_every_voice_has_its_readers_and_every_sentence_is_written_in_every_language() -> None:
    with pytest.raises(SettingsError):
        read_audience({"voices": {"standard": ["holder"]}}, voices=VOICES, families=FAMILIES, parts=MAIL_PARTS)
    assert {one.only for one in (*AUDIENCE.mail, *AUDIENCE.lines.values())} - {None} == set(Condition)
