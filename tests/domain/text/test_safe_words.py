"""Whatever somebody has typed: no message, sheet or letter carries a link, a number or a demand that we did not make."""

import inspect
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime
from itertools import cycle, product
from pathlib import Path

import pytest

from reminder.clock import JAPAN
from reminder.domain.model.account_acts import AccountAct
from reminder.domain.model.notices import ALL_NOTICES, ANSWERS
from reminder.domain.model.people import Audience, ChannelName, Language, Mode
from reminder.domain.rules.next_step import NextAct
from reminder.domain.text.catalog import DIGEST_PARTS, LIMITS, SHEETS, WITH_GRACE
from reminder.domain.text.composer import Composer
from reminder.domain.text.digest import Digest, Item, Part
from reminder.domain.text.leaflets import LeafletContents, render_sheet
from reminder.domain.text.letters import ResidentLetter, render_letter
from reminder.domain.text.model import About, CardContent, Composed, Copy, Reader, ReminderContent, WordPlace
from reminder.domain.text.paper import Matter
from reminder.guard.outgoing import foreign_parts
from tests.rules import COMPOSER, KINDS, LANGUAGES, STEPS, WORDING, step_text

WORDS = tomllib.loads((Path(__file__).parents[2] / "data" / "free_words.toml").read_text("utf-8"))
HOSTILE = [word for words in WORDS["hostile"].values() for word in words]
# Twenty letters, as every form allows; a word of each fault.
EACH_FAULT = [words[0] for words in WORDS["hostile"].values()]
END, OPEN, GRACE = date(2026, 12, 23), date(2026, 12, 22), date(2027, 10, 31)
MEDIA = (ChannelName.SMS, ChannelName.EMAIL, ChannelName("line"), ChannelName.VOICE)
# Everybody whose texts differ.
VOICES = ((Audience.PERSON, Mode.STANDARD), (Audience.PERSON, Mode.ELDERLY), (Audience.CARER, Mode.ELDERLY))
LINK = "https://kigen.example/take/1/2/x"
# One kind of each family of texts, and the one that its owner names.
FAMILY_KINDS = [
    next(kind for kind in KINDS if KINDS[kind].texts == family) for family in {k.texts: 0 for k in KINDS.values()}
]


def reader(channel: ChannelName, language: Language, audience: Audience, mode: Mode, word: str | None) -> Reader:
    """A reader all of whose words are this one; without one, in neutral words."""
    words = WORDING.of(language)
    neutral = (words.in_mail if mode is Mode.HOME else words).section("neutral")  # paper has readings
    if word is None:
        return Reader(audience, channel, language, mode, "", None, neutral["office"], neutral["from_"])
    return Reader(audience, channel, language, mode, word, word, word, word)


def content(kind: str, step: str, label: str | None) -> ReminderContent:
    grace = GRACE if KINDS[kind].texts in WITH_GRACE else None
    return ReminderContent(
        kind, END, False, label if kind == "other" else None, step=step_text(step), last_counter_day=OPEN, grace_ends_on=grace
    )  # fmt: skip


def steps_of(kind: str) -> list[str]:
    return [step for step in STEPS if KINDS[kind].texts in WITH_GRACE or not step_text(step).stage.is_of_grace]


def said(composed: Composed) -> str:
    return f"{composed.subject or ''}\n{composed.text}"


Write = Callable[[str | None], str]


def reminders(language: Language) -> Iterator[Write]:
    for kind, (audience, mode), channel in product([*FAMILY_KINDS, "other"], VOICES, MEDIA):
        for step in steps_of(kind):

            def write(word: str | None, kind=kind, step=step, audience=audience, mode=mode, channel=channel) -> str:  # type: ignore[no-untyped-def]
                to, cards = reader(channel, language, audience, mode, word), [content(kind, step, word)]
                if channel.is_call:
                    return COMPOSER.call(cards, to).text
                return said(COMPOSER.reminder(cards, to, copy=Copy(None, (), LINK)))

            yield write


def several(language: Language) -> Iterator[Write]:
    for audience, channel in product(Audience, MEDIA[:3]):
        yield lambda word, audience=audience, channel=channel: said(
            COMPOSER.reminder(
                [replace(content("other", "d7", word), expires_on=OPEN), content(FAMILY_KINDS[0], "d7", None)],
                reader(channel, language, audience, Mode.ELDERLY, word),
            )
        )


def notices(language: Language) -> Iterator[Write]:
    for kind, channel in product(ALL_NOTICES, MEDIA[:3]):

        def write(word: str | None, kind=kind, channel=channel) -> str:  # type: ignore[no-untyped-def]
            neutral = WORDING.of(language).section("neutral")
            about = About(
                CardContent("other", END, False, word),
                ChannelName.SMS,
                neutral["reply"] if word is None else word,
                LINK,
            )
            return said(COMPOSER.notice(reader(channel, language, Audience.CARER, Mode.ELDERLY, word), kind, about))

        yield write
    for name, channel in product(LIMITS, MEDIA[:3]):
        yield lambda word, name=name, channel=channel: said(
            COMPOSER.limit(reader(channel, language, Audience.CARER, Mode.STANDARD, word), name, channel)
        )


def answers(language: Language) -> Iterator[Write]:
    for name in ANSWERS:
        yield (
            lambda word, name=name: (
                COMPOSER.answer(
                    reader(ChannelName.SMS, language, Audience.PERSON, Mode.ELDERLY, word), name, day=END
                ).text
            )
        )
    yield (
        lambda word: (
            COMPOSER.practice_call(reader(ChannelName.VOICE, language, Audience.PERSON, Mode.ELDERLY, word)).text
        )
    )


def digests(language: Language) -> Iterator[Write]:
    neutral = WORDING.of(language).section("neutral")

    def write(word: str | None) -> str:
        item = Item(word or neutral["who"], END, False, [("other", word or "")], is_name=True)
        parts = [Part(name, [item], 1) for name in DIGEST_PARTS]
        return said(COMPOSER.digest(language, Digest(word or neutral["from_"], END, 3, parts), LINK))

    yield write


def papers(language: Language) -> Iterator[Write]:
    words = WORDING.of(language)
    neutral = words.in_mail.section("neutral")

    for sheet in SHEETS:

        def leaflet(word: str | None, sheet=sheet) -> str:  # type: ignore[no-untyped-def]
            to = reader(ChannelName.EMAIL, language, Audience.PERSON, Mode.HOME, word)
            cards = (Matter("other", END, NextAct.OPENS, OPEN, OPEN, None, word),)
            facts = LeafletContents(to.label, to.office, to.from_, to.mark, "KIGEN", OPEN, cards)
            return render_sheet(sheet, words, facts)

        yield leaflet

    def letter(word: str | None) -> str:
        to = reader(ChannelName.EMAIL, language, Audience.PERSON, Mode.HOME, word)
        matter = Matter("other", END, NextAct.OPENS, OPEN, OPEN, None, word)
        return render_letter(
            WORDING,
            ResidentLetter(
                1,
                to.label,
                word or neutral["who"],
                language,
                to.office,
                to.from_,
                to.mark,
                True,
                OPEN,
                (matter, matter),
            ),
        )

    yield letter


EVERYTHING = (reminders, several, notices, answers, digests, papers)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("writers", EVERYTHING)
def test_every_hostile_word_is_replaced_by_neutral_words_in_everything_that_we_write(
    writers: Callable[[Language], Iterator[Write]], language: Language
) -> None:
    in_turn, tried = cycle(HOSTILE), 0
    for write in writers(language):
        neutral = write(None)
        word, tried = next(in_turn), tried + 1
        assert write(word) == neutral, word
    if writers is not reminders:
        write = next(iter(writers(language)))
        assert {word for word in HOSTILE if write(word) != write(None)} == set()
    assert tried > 0


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("channel", MEDIA)
def test_the_message_is_never_lost_and_still_says_which_card_and_when(channel: ChannelName, language: Language) -> None:
    words = WORDING.of(language)
    for audience, word in product(Audience, EACH_FAULT):
        to = reader(channel, language, audience, Mode.ELDERLY, word)
        card = content("care_certification", "d7", None)
        text = COMPOSER.call([card], to).text if channel.is_call else said(COMPOSER.reminder([card], to))

        day = words.section("call")["months"].split()[11] if channel.is_call else words.date(END)
        assert day in text
        assert words.kinds["care_certification"]["thing"] in text
        assert word not in text


def test_one_bad_word_leaves_the_others_as_they_are() -> None:
    to = Reader(
        Audience.CARER, ChannelName.EMAIL, Language.JAPANESE, Mode.ELDERLY, "母", "つばめ", "区役所", "https://evil.jp"
    )

    text = said(COMPOSER.reminder([content("care_certification", "d7", None)], to))

    assert "お母さま" in text
    assert "お申し込みの方" in text
    assert "evil" not in text


@pytest.mark.parametrize(
    ("label", "mark", "card", "why"),
    [
        ("evil.", "evil.", "jp", "a dot at the end of one word, and the end of a domain in the next"),
        ("evil", "evil", ".jp", "a dot at the beginning of the next"),
        ("bit.", "bit.", "ly/3", "with a path"),
        ("https", "https", "//evil", "the beginning of an address"),
        ("a", "b", "@", "a sign alone"),
        ("090", "090", "123", "a number in parts"),
    ],
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_words_that_pass_alone_make_no_link_and_no_number_together(
    label: str, mark: str, card: str, why: str, language: Language
) -> None:
    for channel, audience in product(MEDIA[:3], Audience):
        to = Reader(audience, channel, language, Mode.ELDERLY, label, mark, label, label)
        composed = COMPOSER.reminder([content("other", "d7", card)], to)
        plain = COMPOSER.reminder(
            [content("other", "d7", None)], reader(channel, language, audience, Mode.ELDERLY, None)
        )

        assert foreign_parts(said(composed)) - foreign_parts(said(plain)) == set(), (why, said(composed))


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_invitation_has_our_own_subject_and_a_name_only_where_it_may_leave_us(language: Language) -> None:
    plain, named = (
        COMPOSER.invitation(language, "至急 https://evil.jp/x を開く"),
        COMPOSER.invitation(language, "田中家"),
    )

    assert plain.subject == named.subject
    assert "田中家" in named.text
    assert "田中家" not in (named.subject or "")
    assert foreign_parts(said(plain)) == frozenset()
    for word in HOSTILE:
        assert COMPOSER.invitation(language, word) == plain


def test_ordinary_words_stand_in_a_message_as_they_were_typed() -> None:
    for word in WORDS["ordinary"]:
        if "2026-" not in word:
            to = Reader(Audience.CARER, ChannelName.EMAIL, Language.JAPANESE, Mode.ELDERLY, "母", None, "市役所", word)
            assert word in COMPOSER.reminder([content("care_certification", "d7", None)], to).text


def test_the_sentences_of_every_language_hold_no_link_and_no_number_of_their_own() -> None:
    """What is ours is compared with nothing: an operator's link in config/wording would hide one that somebody typed."""
    for language, writers in product(LANGUAGES, EVERYTHING[:5]):
        # A sentence stands in many messages; each is looked at once.
        lines = {line for write in writers(language) for line in write(None).splitlines()}
        assert foreign_parts("\n".join(sorted(lines)), [LINK]) == frozenset(), (language, writers.__name__)


FREE = r"\{(?:call|who|from_|office|mark|thing|label|group|place|things|whose)\}"
# Nothing between a word and a digit or a date, or three words with only signs between them.
_SIDE_BY_SIDE = re.compile(rf"{FREE}(?:\{{|[0-9])|[0-9}}]{FREE}|{FREE}[^\w\n{{}}]*{FREE}[^\w\n{{}}]*{FREE}")


def every_text(table: Mapping[str, object]) -> Iterator[str]:
    for value in table.values():
        if isinstance(value, Mapping):
            yield from every_text(value)
        elif isinstance(value, str):
            yield value


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_sentence_puts_a_word_beside_another_or_beside_a_digit_so_that_a_number_could_grow(
    language: Language,
) -> None:
    # Two words with a sign between them have six digits at most, in two groups: no telephone number.
    found = {part[0] for said in every_text(WORDING.of(language).table) for part in _SIDE_BY_SIDE.finditer(said)}

    assert found == set()


def test_every_message_that_can_be_composed_is_among_those_that_are_tried_here() -> None:
    """A new method of the composer that takes words of people must be tried with hostile ones."""
    tried = {
        "reminder", "notice", "limit", "answer", "call", "practice_call", "digest", "invitation", "choice", "name_of",
        "unsafe_words", "account_act", "senders", "left",
    }  # fmt: skip
    without_words = {
        "fault",
        "canary",
        "balance",
        "login_code",
        "confirm_code",
        "together",
        "reading_of",
        "consent_request",
    }

    public = {name for name, _ in inspect.getmembers(Composer, inspect.isfunction) if not name.startswith("_")}

    assert public - without_words == tried


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_person_who_is_asked_about_is_named_in_neutral_words(language: Language) -> None:
    neutral = WORDING.of(language).section("neutral")
    to = reader(ChannelName.SMS, language, Audience.PERSON, Mode.ELDERLY, None)
    split = {1: "evil.", 2: "jp"}
    for word in HOSTILE:
        whose = replace(to, label=word, from_=word)
        assert COMPOSER.name_of(whose) == neutral["call"]
        assert neutral["from_"] in COMPOSER.name_of(whose, with_group=True)
        assert word not in COMPOSER.name_of(whose, with_group=True)

    listed = (COMPOSER.choice(to, split), COMPOSER.senders(to, split, 3), COMPOSER.left(to, split))

    for said in listed:
        assert said is not None
        assert foreign_parts(said.text) == frozenset()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_list_of_who_writes_has_three_segments_at_most_or_is_not_made(language: Language) -> None:
    to = reader(ChannelName.SMS, language, Audience.PERSON, Mode.ELDERLY, None)

    for count in range(1, 10):
        names = dict.fromkeys(range(1, count + 1), "ひまわりの丘ホームの山田さん")
        for said in (COMPOSER.senders(to, names, 5), COMPOSER.left(to, names)):
            assert said is None or (said.segments <= 3 and said.text.count("山田") == count)
    assert COMPOSER.senders(to, {1: "ひまわりの丘ホームの山田さん"}, 5) is not None


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_notice_about_unsafe_words_holds_none_of_them(language: Language) -> None:
    for channel in MEDIA[:3]:
        to = reader(channel, language, Audience.CARER, Mode.STANDARD, "evil.jp")
        places = [WordPlace("label", word, is_name=True) for word in HOSTILE] + [WordPlace("mark", "203")]
        said_ = said(COMPOSER.unsafe_words(to, places, 99))

        assert foreign_parts(said_) == frozenset()
        assert "99" in said_
        assert ("203" in said_) is channel.is_mail


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("act", AccountAct)
def test_an_e_mail_about_an_act_holds_no_word_of_anybody_that_may_not_leave_us(
    language: Language, act: AccountAct
) -> None:
    at = datetime(2026, 12, 1, 9, 5, tzinfo=JAPAN)
    ours = said(COMPOSER.account_act(language, act, at, "?", None))
    for word in HOSTILE:
        for device, group in ((word, word), ("?", None), ("terminal", "田中家"), ("iPhone・Safari", word), ("", word)):
            mail = COMPOSER.account_act(language, act, at, device, group)
            assert foreign_parts(said(mail)) == frozenset()
            # Some of them are words of ours, too.
            assert said(mail).count(word) == ours.count(word)
            assert "09:05" in mail.text
    assert "iPhone・Safari" in COMPOSER.account_act(language, act, at, "iPhone・Safari", None).text
    assert "田中家" in COMPOSER.account_act(language, act, at, "terminal", "田中家").text
