"""How long a call lasts: the next one to the same number begins after it."""

from datetime import timedelta

import pytest

from reminder.channels.voice.client import RINGS_SECONDS, WAITS_SECONDS
from reminder.domain.model.people import Audience, ChannelName, Language, Mode
from reminder.domain.rules.sending_limits import BETWEEN_CALLS
from reminder.domain.text.call_scripts import first_turn, next_turn
from tests.domain.text.test_safe_words import content, reader, steps_of
from tests.rules import COMPOSER, KINDS, LANGUAGES, WORDING

PAUSE = 0.8  # between two sentences


def is_sound(character: str) -> bool:
    """Whether a character is spoken as one syllable: kana."""
    return "ぁ" <= character <= "ヿ"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_call_about_four_cards_is_over_before_the_next_one_to_its_number_begins(language: Language) -> None:
    words, to = WORDING.of(language), reader(ChannelName.VOICE, language, Audience.PERSON, Mode.ELDERLY, "さくら")
    longest = sorted(KINDS, key=lambda kind: -len(words.kinds[kind]["thing"]))[:4]
    script = COMPOSER.call([content(kind, steps_of(kind)[0], None) for kind in longest], to)

    turns = [first_turn(words, script, is_machine=False, has_practised=True)]
    turns += [next_turn(words, "5", number) for number in (1, 2)]
    lines = [line for turn in turns for line in turn.lines]
    # A slow voice says five syllables a second, or twelve Latin letters; a kanji has two syllables.
    spoken = sum(1 / 12 if one.isascii() else 1 / 5 if is_sound(one) else 2 / 5 for line in lines for one in line)
    waited = WAITS_SECONDS * sum(turn.waits_for_key for turn in turns)

    assert timedelta(seconds=RINGS_SECONDS + spoken + waited + PAUSE * len(lines)) < BETWEEN_CALLS
