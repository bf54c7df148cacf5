"""What is said over the telephone: scripts without a question that helps a thief, and the turns of a call.

Calls with keys to press are how fraud sounds in Japan. So a call names the relative first, needs no key, and offers
keys only to who has tried them out when they were enrolled; an answering machine learns nothing of what it is about.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from reminder.domain.rules.preferences import Rhythm
from reminder.domain.text.catalog import Catalog, Catalogs
from reminder.domain.text.composer import Reader, ReminderContent, address_of, is_of_my_number

# At which steps somebody is called who has no other way, and how often for one end date.
CALLED_AT = frozenset({"d30", "d7", "d1", "lastopen"})
MOST_CALLS = 3

# Keys, as they are named on a telephone.
DONE, LATER, FAMILY = "1", "2", "9"


def is_called_at(step: str, said: str, rhythm: Rhythm) -> bool:
    """Whether somebody is called at this step. Of a group's own days the last ones are those of calls."""
    if rhythm.own_days and step[0] == "d" and step[1:].isdigit():
        return int(step[1:]) in rhythm.own_days[-MOST_CALLS:]
    return said in CALLED_AT


_PARTS = "\n---\n"


@dataclass(frozen=True)
class Script:
    """What a human hears, and what an answering machine keeps; a line each."""

    human: tuple[str, ...]
    machine: tuple[str, ...]

    @property
    def text(self) -> str:
        """As it is kept and shown."""
        return _PARTS.join("\n".join(lines) for lines in (self.human, self.machine))


def read_script(text: str) -> Script:
    human, _, machine = text.partition(_PARTS)
    return Script(tuple(human.splitlines()), tuple(machine.splitlines()))


def what_a_human_hears(text: str) -> str:
    """Of a call; a text as it is."""
    return text.partition(_PARTS)[0]


@dataclass(frozen=True)
class Turn:
    """What is said now; then a key is waited for, or the call ends. `number`: which turn follows."""

    lines: tuple[str, ...]
    waits_for_key: bool = False
    number: int = 0


def compose_call(wording: Catalogs, told: Sequence[ReminderContent], reader: Reader) -> Script:
    """Of several cards each with its date."""
    words = wording.of(reader.language)
    values = _values(words, reader)
    said = words.section("call")
    lines = _lines(said["opening"], values) + (_lines(said["marked"], values) if reader.mark else ())
    lines += _lines(said["warning"], values)
    for one in sorted(told, key=lambda one: one.expires_on):
        thing = said["renewal"] if is_of_my_number(wording, one.kind) else one.label or words.kinds[one.kind]["thing"]
        lines += _lines(said["date"], {**values, "thing": thing, "date": spoken(words, one.expires_on)})
    return Script(lines + _lines(said["ask"], values), _lines(said["voicemail"], values))


def compose_practice(wording: Catalogs, reader: Reader) -> Script:
    words = wording.of(reader.language)
    values = _values(words, reader)
    said = words.section("call")
    return Script(_lines(said["opening"], values) + _lines(said["practice"], values), _lines(said["voicemail"], values))


def first_turn(words: Catalog, script: Script, *, is_machine: bool, has_practised: bool) -> Turn:
    said = words.section("call")
    if is_machine:
        return Turn(script.machine)
    if has_practised:
        return Turn(script.human + _lines(said["keys"], {}), waits_for_key=True, number=1)
    return Turn(script.human + _lines(said["closing"], {}))


def practice_turn(script: Script, *, is_machine: bool) -> Turn:
    return Turn(script.machine) if is_machine else Turn(script.human, waits_for_key=True, number=1)


def next_turn(words: Catalog, key: str, turn: int, *, is_practice: bool = False) -> Turn:
    """`turn`: the one in which the key was pressed, or none was ("")."""
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
    """A date as it is said: さんがつ さんじゅういちにち、すいようび."""
    said = words.section("call")
    return said["day"].format(
        month=said["months"].split()[day.month - 1],
        day=said["days"].split()[day.day - 1],
        weekday=said["weekdays"].split()[day.weekday()],
    )


def _values(words: Catalog, reader: Reader) -> dict[str, str]:
    return {
        "service": words.word("service"),
        "call": address_of(reader.label, words),
        "from_": reader.from_ or words.word("service"),
        "mark": reader.mark or "",
    }


def _lines(text: str, values: dict[str, str]) -> tuple[str, ...]:
    return tuple(text.strip("\n").format_map(values).splitlines())
