"""The scripts of telephone calls, without a question that helps a thief, and the turns of a call.

In Japan, calls with keys to press sound like fraud. So a call names the relative first, needs no key, and offers keys
only to people who tried them out when they were enrolled. An answering machine does not learn the subject.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from reminder.domain.model.languages import Script
from reminder.domain.rules.steps import Stage
from reminder.domain.text.catalog import Catalog
from reminder.domain.text.model import ReminderContent
from reminder.domain.text.phrases import MY_NUMBER_FAMILIES, Phrases, is_told_as_bound

# The keys of a telephone.
DONE, LATER, FAMILY = "1", "2", "9"

_PARTS = "\n---\n"


@dataclass(frozen=True)
class CallScript:
    """The lines for a human, and the lines for an answering machine."""

    human: tuple[str, ...]
    machine: tuple[str, ...]

    @property
    def text(self) -> str:
        """The script in its stored and displayed form."""
        return _PARTS.join("\n".join(lines) for lines in (self.human, self.machine))


def read_script(text: str) -> CallScript:
    """Return the script from its stored form."""
    human, _, machine = text.partition(_PARTS)
    return CallScript(tuple(human.splitlines()), tuple(machine.splitlines()))


def human_part(text: str) -> str:
    """Return the lines for a human of a stored call script; any other text unchanged."""
    return text.partition(_PARTS)[0]


@dataclass(frozen=True)
class Turn:
    """The lines of one turn of a call; then a key is awaited, or the call ends. `number`: the turn that follows."""

    lines: tuple[str, ...]
    waits_for_key: bool = False
    number: int = 0


@dataclass(frozen=True)
class CallComposer:
    """A composer of the call scripts for one reader."""

    phrases: Phrases

    def reminder(self, contents: Sequence[ReminderContent]) -> CallScript:
        """Return the script about these cards, each with its date."""
        words, reader, values = self.phrases.words, self.phrases.reader, self._values
        said = words.section("call")
        is_marked = reader.mark and self._can_be_spoken(reader.mark)
        lines = _lines(said["opening"], values) + (_lines(said["marked"], values) if is_marked else ())
        lines += _lines(said["warning"], values)
        for one in sorted(contents, key=lambda one: one.expires_on):
            lines += self._about(one)
        return CallScript(lines + _lines(said["ask"], values), _lines(said["voicemail"], values))

    def practice(self) -> CallScript:
        """Return the script of the call in which somebody tries the keys out at enrolment."""
        said, values = self.phrases.words.section("call"), self._values
        human = _lines(said["opening"], values) + _lines(said["practice"], values)
        return CallScript(human, _lines(said["voicemail"], values))

    def _about(self, card: ReminderContent) -> tuple[str, ...]:
        """Return the date of a card and what there is to do, as the text of the same day says them.

        A computed date is marked as such and never described as past. Where nothing can be done on the last day, the
        last open day is said too.
        """
        words, values = self.phrases.words, self._values
        said, is_passed = words.section("call"), card.is_after_end and not card.computed
        day = spoken(words, card.expires_on, is_about=card.computed)
        named = {**values, "thing": self._thing(card), "date": day}
        lines = _lines(said["about" if card.computed else "passed" if is_passed else "date"], named)
        lines += self._act(card)
        is_closed_earlier = card.last_counter_day < card.expires_on and self.phrases.closes_with_counters(card)
        if is_closed_earlier and not card.is_after_end:
            lines += _lines(said["lastopen"], {"date": spoken(words, card.last_counter_day)})
        if is_passed and card.grace_ends_on is not None and card.step.stage is not Stage.POST:
            lines += _lines(said["grace"], {"date": spoken(words, card.grace_ends_on)})
        return lines

    def _act(self, card: ReminderContent) -> tuple[str, ...]:
        """Return what there is to do; a card that ends with a residence period is renewed after that."""
        words, values = self.phrases.words, dict(self.phrases.of_person)
        if is_told_as_bound(self.phrases.families[card.kind], is_bound=card.bound):
            return _lines(words.section("call")["bound_after" if card.is_after_end else "bound"], values)
        return _lines(words.kinds[card.kind]["elder_after" if card.is_after_end else "elder_to_do"], values)

    def _can_be_spoken(self, name: str) -> bool:
        """Return whether the voice can read a name: a Latin one reads no Japanese."""
        return self.phrases.words.facts.script is not Script.LATIN or name.isascii()

    def _thing(self, card: ReminderContent) -> str:
        words = self.phrases.words
        if self.phrases.families[card.kind] in MY_NUMBER_FAMILIES:
            return words.section("call")["renewal"]
        return card.label or words.kinds[card.kind]["thing"]

    @property
    def _values(self) -> dict[str, str]:
        of_person, words = self.phrases.of_person, self.phrases.words
        named = self.phrases.reader.mode
        return {
            "service": words.word("service"),
            "call": of_person["call"] if self._can_be_spoken(of_person["call"]) else words.section("neutral")["call"],
            "from_": of_person["from_"] if self._can_be_spoken(of_person["from_"]) else words.helper(named),
            "mark": self.phrases.reader.mark or "",
        }


def first_turn(words: Catalog, script: CallScript, *, is_machine: bool, has_practised: bool) -> Turn:
    """Return the first turn of an answered call; keys are offered only to people who have tried them out."""
    said = words.section("call")
    if is_machine:
        return Turn(script.machine)
    if has_practised:
        return Turn(script.human + _lines(said["keys"], {}), waits_for_key=True, number=1)
    return Turn(script.human + _lines(said["closing"], {}))


def practice_turn(script: CallScript, *, is_machine: bool) -> Turn:
    """Return the first turn of an answered practice call."""
    return Turn(script.machine) if is_machine else Turn(script.human, waits_for_key=True, number=1)


def next_turn(words: Catalog, key: str, turn: int, *, is_practice: bool = False) -> Turn:
    """Return the next turn. `turn`: the one in which the key was pressed, or no key was ("")."""
    said = words.section("call")
    if is_practice:
        return Turn(_lines(said["practised" if key == DONE else "goodbye"], {}))
    answer = {DONE: "pressed_done", LATER: "pressed_later", FAMILY: "pressed_family"}.get(key)
    if answer is not None:
        return Turn(_lines(said[answer], {}))
    if turn > 1:
        return Turn(_lines(said["goodbye"], {}))
    again = _lines(said["again"], {}) if key else ()
    return Turn(again + _lines(said["keys"], {}), waits_for_key=True, number=turn + 1)


# The fewest seconds of a character: Japanese is written with fewer of them. Speech is slowed down by call_rate.
_LEAST_OF_LETTER, _LEAST_OF_KANA = 0.05, 0.1
_PAUSE = 0.8


def date_heard_after(words: Catalog, script: CallScript) -> int | None:
    """Return after how many seconds, at the earliest, a listener has heard the first date; None without a date."""
    said = words.section("call")
    months, weekdays = said["months"].split(), said["weekdays"].split()
    passed = 0.0
    for line in script.human:
        passed += sum(_LEAST_OF_LETTER if letter.isascii() else _LEAST_OF_KANA for letter in line)
        if any(month in line for month in months) and any(weekday in line for weekday in weekdays):
            return int(passed)
        passed += _PAUSE
    return None


def spoken(words: Catalog, day: date, *, is_about: bool = False) -> str:
    """Return a date in spoken form: さんがつ さんじゅういちにち、すいようび. `is_about`: of one that was computed."""
    said = words.section("call")
    return said["about_day" if is_about else "day"].format(
        month=said["months"].split()[day.month - 1],
        day=said["days"].split()[day.day - 1],
        weekday=said["weekdays"].split()[day.weekday()],
    )


def _lines(text: str, values: dict[str, str]) -> tuple[str, ...]:
    return tuple(text.strip("\n").format_map(values).splitlines())
