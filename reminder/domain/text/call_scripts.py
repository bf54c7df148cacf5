"""What is said over the telephone: scripts without a question that helps a thief, and the turns of a call.

Calls with keys to press are how fraud sounds in Japan. So a call names the relative first, needs no key, and offers
keys only to who has tried them out when they were enrolled; an answering machine learns nothing of what it is about.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from reminder.domain.text.catalog import Catalog
from reminder.domain.text.model import ReminderContent
from reminder.domain.text.phrases import MY_NUMBER_FAMILIES, Phrases

# Keys, as they are named on a telephone.
DONE, LATER, FAMILY = "1", "2", "9"

_PARTS = "\n---\n"


@dataclass(frozen=True)
class Script:
    """What a human hears, and what an answering machine keeps; a line each."""

    human: tuple[str, ...]
    machine: tuple[str, ...]

    @property
    def text(self) -> str:
        """The script as it is kept and shown."""
        return _PARTS.join("\n".join(lines) for lines in (self.human, self.machine))


def read_script(text: str) -> Script:
    """Return the script of a call that was kept as its text."""
    human, _, machine = text.partition(_PARTS)
    return Script(tuple(human.splitlines()), tuple(machine.splitlines()))


def what_a_human_hears(text: str) -> str:
    """Return what a human hears of a call; a text as it is."""
    return text.partition(_PARTS)[0]


@dataclass(frozen=True)
class Turn:
    """What is said now; then a key is waited for, or the call ends. `number`: which turn follows."""

    lines: tuple[str, ...]
    waits_for_key: bool = False
    number: int = 0


@dataclass(frozen=True)
class CallComposer:
    """Makes the scripts of calls for one reader."""

    phrases: Phrases

    def reminder(self, contents: Sequence[ReminderContent]) -> Script:
        """Return what is said of these cards, each with its date."""
        words, reader, values = self.phrases.words, self.phrases.reader, self._values
        said = words.section("call")
        lines = _lines(said["opening"], values) + (_lines(said["marked"], values) if reader.mark else ())
        lines += _lines(said["warning"], values)
        for one in sorted(contents, key=lambda one: one.expires_on):
            lines += _lines(said["date"], {**values, "thing": self._thing(one), "date": spoken(words, one.expires_on)})
        return Script(lines + _lines(said["ask"], values), _lines(said["voicemail"], values))

    def practice(self) -> Script:
        """Return what is said when somebody tries the keys out at enrolment."""
        said, values = self.phrases.words.section("call"), self._values
        human = _lines(said["opening"], values) + _lines(said["practice"], values)
        return Script(human, _lines(said["voicemail"], values))

    def _thing(self, card: ReminderContent) -> str:
        words = self.phrases.words
        if self.phrases.families[card.kind] in MY_NUMBER_FAMILIES:
            return words.section("call")["renewal"]
        return card.label or words.kinds[card.kind]["thing"]

    @property
    def _values(self) -> dict[str, str]:
        of_person = self.phrases.of_person
        return {
            "service": self.phrases.words.word("service"),
            "call": of_person["call"],
            "from_": of_person["from_"],
            "mark": self.phrases.reader.mark or "",
        }


def first_turn(words: Catalog, script: Script, *, is_machine: bool, has_practised: bool) -> Turn:
    """Return what is said when a call is taken; keys are offered only to who has tried them out."""
    said = words.section("call")
    if is_machine:
        return Turn(script.machine)
    if has_practised:
        return Turn(script.human + _lines(said["keys"], {}), waits_for_key=True, number=1)
    return Turn(script.human + _lines(said["closing"], {}))


def practice_turn(script: Script, *, is_machine: bool) -> Turn:
    """Return what is said when a practice call is taken."""
    return Turn(script.machine) if is_machine else Turn(script.human, waits_for_key=True, number=1)


def next_turn(words: Catalog, key: str, turn: int, *, is_practice: bool = False) -> Turn:
    """Return what is said next. `turn`: the one in which the key was pressed, or none was ("")."""
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


def spoken(words: Catalog, day: date) -> str:
    """Return a date as it is said: さんがつ さんじゅういちにち、すいようび."""
    said = words.section("call")
    return said["day"].format(
        month=said["months"].split()[day.month - 1],
        day=said["days"].split()[day.day - 1],
        weekday=said["weekdays"].split()[day.weekday()],
    )


def _lines(text: str, values: dict[str, str]) -> tuple[str, ...]:
    return tuple(text.strip("\n").format_map(values).splitlines())
