"""A deterministic cost of regular expressions: the steps of a backtracking matcher written in Python.

CPython's matcher cannot be asked how much it worked, and a clock measures the machine. This matcher runs the tree of
`re`'s own parser in the same order of alternatives as CPython and counts every step it takes, so that the cost is the
same on every machine. CPython has shorter ways (it looks for a literal before it tries), so it never takes more steps
for long: what is linear here is linear there. That both find the same is a test.
"""

import re
import re._constants as sre  # type: ignore[import-not-found]
import re._parser as parser  # type: ignore[import-not-found]
from collections.abc import Callable, Iterator, Sequence
from functools import cache, lru_cache, partial
from itertools import islice, product
from typing import Any

Pred = Callable[[str], bool]
Node = tuple[Any, Any]

_CATEGORIES: dict[Any, Pred] = {
    sre.CATEGORY_DIGIT: lambda char: char.isdecimal(),
    sre.CATEGORY_NOT_DIGIT: lambda char: not char.isdecimal(),
    sre.CATEGORY_SPACE: lambda char: char.isspace(),
    sre.CATEGORY_NOT_SPACE: lambda char: not char.isspace(),
    sre.CATEGORY_WORD: lambda char: char.isalnum() or char == "_",
    sre.CATEGORY_NOT_WORD: lambda char: not (char.isalnum() or char == "_"),
}
_SINGLE = (sre.LITERAL, sre.NOT_LITERAL, sre.IN, sre.ANY)
_REPEATS = (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT)
# Copies of a group that is repeated a bounded number of times; more are counted as unbounded.
_MOST_COPIES = 100


def steps(pattern: re.Pattern[Any], text: str, method: str = "search", *, at: int = 0) -> int:
    """Return the steps of one call, such as the whole of `sub` over the text."""
    machine = machine_of(pattern)
    if method in ("match", "fullmatch"):
        return machine.run(text, at, full=method == "fullmatch")[1]
    taken = 0
    place = at
    while place <= len(text):
        end, more = machine.run(text, place)
        taken += more
        if end is not None and method == "search":
            break
        place = max(end or 0, place + 1)
    return taken


@cache
def machine_of(pattern: re.Pattern[Any]) -> "Machine":
    """Return the machine of a pattern."""
    return Machine(pattern)


@cache
def tree_of(pattern: re.Pattern[Any]) -> Any:
    """Return the parsed tree; bytes are read as characters below 256."""
    written = pattern.pattern
    return parser.parse(written, pattern.flags & ~re.DEBUG if isinstance(written, str) else pattern.flags)


class Machine:
    """A backtracking machine for one pattern."""

    def __init__(self, pattern: re.Pattern[Any]) -> None:
        self._ignores_case = bool(pattern.flags & re.IGNORECASE)
        self._dot_all = bool(pattern.flags & re.DOTALL)
        self._many_lines = bool(pattern.flags & re.MULTILINE)
        self._slots = 2 * (pattern.groups + 1)
        self._program = self._whole(list(tree_of(pattern)))

    def run(self, text: str, at: int, *, full: bool = False) -> tuple[int | None, int]:
        """Return the end of the match that begins at `at`, or None, and the steps."""
        self._full = full
        self._taken = 0
        found = self._try(self._program, text, at, (None,) * self._slots)
        return (None if found is None else found[0]), self._taken

    def _try(
        self, program: Sequence[tuple[Any, ...]], text: str, at: int, kept: tuple[int | None, ...]
    ) -> tuple[int, tuple[int | None, ...]] | None:
        stack: list[tuple[int, int, tuple[int | None, ...], int | None]] = [(0, at, kept, None)]
        end = len(text)
        while stack:
            here, place, kept, other = stack.pop()
            if other is not None and place != other:
                # A repeat of one character gives one back, or takes one more.
                step = 1 if other > place else -1
                stack.append((here, place + step, kept, other))
                if step == 1:
                    lazy = program[here - 1]
                    if not lazy[1](text[place]):
                        stack.pop()
            while True:
                self._taken += 1
                op = program[here]
                name = op[0]
                if name == "one":
                    if place < end and op[1](text[place]):
                        place += 1
                        here += 1
                        continue
                    break
                if name == "many":
                    _, fits, least, most, kind = op
                    stop = min(end, place + most)
                    run = place
                    bound = stop if kind != "lazy" else min(end, place + least)
                    while run < bound and fits(text[run]):
                        run += 1
                    self._taken += run - place
                    if run - place < least:
                        break
                    here += 1
                    if kind == "greedy" and run - place > least:
                        stack.append((here, run - 1, kept, place + least))
                    elif kind == "lazy" and run < stop and fits(text[run]):
                        stack.append((here, run + 1, kept, stop if stop > run + 1 else None))
                    place = run
                    continue
                if name == "split":
                    stack.append((op[2], place, kept, None))
                    here = op[1]
                    continue
                if name == "jump":
                    here = op[1]
                    continue
                if name == "save":
                    kept = (*kept[: op[1]], place, *kept[op[1] + 1 :])
                    here += 1
                    continue
                if name == "at":
                    if self._is_at(op[1], text, place):
                        here += 1
                        continue
                    break
                if name == "look":
                    _, inner, behind, wanted = op
                    start = place - behind
                    found = None if start < 0 else self._inner(inner, text, start, kept)
                    if (found is not None) == wanted:
                        kept = found[1] if found else kept
                        here += 1
                        continue
                    break
                if name == "atomic":
                    found = self._inner(op[1], text, place, kept)
                    if found is None:
                        break
                    place, kept = found
                    here += 1
                    continue
                if name == "again":
                    first, last = kept[2 * op[1]], kept[2 * op[1] + 1]
                    if first is None or last is None:
                        break
                    word = text[first:last]
                    seen = text[place : place + len(word)]
                    self._taken += len(word)
                    if seen != word and not (self._ignores_case and seen.lower() == word.lower()):
                        break
                    place += len(word)
                    here += 1
                    continue
                if name == "moved":
                    # A round that consumed nothing is the last one.
                    if kept[op[1]] == place:
                        here = op[2]
                    else:
                        here += 1
                    continue
                if name == "whole" and self._full and place != end:
                    break
                return place, kept
        return None

    def _inner(
        self, program: Sequence[tuple[Any, ...]], text: str, at: int, kept: tuple[int | None, ...]
    ) -> tuple[int, tuple[int | None, ...]] | None:
        return self._try(program, text, at, kept)

    def _is_at(self, kind: Any, text: str, place: int) -> bool:
        if kind in (sre.AT_BEGINNING, sre.AT_BEGINNING_STRING):
            return place == 0 or (self._many_lines and kind == sre.AT_BEGINNING and text[place - 1] == "\n")
        if kind == sre.AT_END_STRING:
            return place == len(text)
        if kind == sre.AT_END:
            if place == len(text) or (place == len(text) - 1 and text[place] == "\n"):
                return True
            return self._many_lines and text[place] == "\n"
        word = _CATEGORIES[sre.CATEGORY_WORD]
        before = place > 0 and word(text[place - 1])
        after = place < len(text) and word(text[place])
        return (before != after) == (kind == sre.AT_BOUNDARY)

    def _whole(self, nodes: Sequence[Node]) -> list[tuple[Any, ...]]:
        program: list[tuple[Any, ...]] = []
        self._add(program, nodes)
        program.append(("whole",))
        return program

    def _part(self, nodes: Sequence[Node]) -> list[tuple[Any, ...]]:
        program: list[tuple[Any, ...]] = []
        self._add(program, nodes)
        program.append(("part",))
        return program

    def _add(self, program: list[tuple[Any, ...]], nodes: Sequence[Node]) -> None:
        for kind, value in nodes:
            if kind in _SINGLE:
                program.append(("one", self._fits(kind, value)))
            elif kind in _REPEATS:
                self._add_repeat(program, kind, *value)
            elif kind == sre.SUBPATTERN:
                group, _, _, inner = value
                if group is None:
                    self._add(program, list(inner))
                else:
                    program.append(("save", 2 * group))
                    self._add(program, list(inner))
                    program.append(("save", 2 * group + 1))
            elif kind == sre.BRANCH:
                self._add_branch(program, [list(one) for one in value[1]])
            elif kind == sre.AT:
                program.append(("at", value))
            elif kind in (sre.ASSERT, sre.ASSERT_NOT):
                direction, inner = value
                width = inner.getwidth()[0] if direction < 0 else 0
                program.append(("look", self._part(list(inner)), width, kind == sre.ASSERT))
            elif kind == sre.ATOMIC_GROUP:
                program.append(("atomic", self._part(list(value))))
            elif kind == sre.GROUPREF:
                program.append(("again", value))
            elif kind == sre.FAILURE:
                program.append(("one", lambda _: False))
            else:
                raise NotImplementedError(f"{kind} is not counted")

    def _add_branch(self, program: list[tuple[Any, ...]], ways: Sequence[Sequence[Node]]) -> None:
        ends = []
        for number, way in enumerate(ways):
            fork = len(program)
            if number < len(ways) - 1:
                program.append(())
            self._add(program, way)
            if number < len(ways) - 1:
                ends.append(len(program))
                program.append(())
                program[fork] = ("split", fork + 1, len(program))
        for place in ends:
            program[place] = ("jump", len(program))

    def _add_repeat(self, program: list[tuple[Any, ...]], kind: Any, least: int, most: int, inner: Any) -> None:
        nodes = list(inner)
        if len(nodes) == 1 and nodes[0][0] in _SINGLE:
            how = {sre.MAX_REPEAT: "greedy", sre.MIN_REPEAT: "lazy", sre.POSSESSIVE_REPEAT: "possessive"}[kind]
            program.append(("many", self._fits(*nodes[0]), least, int(most), how))
            return
        if kind == sre.POSSESSIVE_REPEAT:
            whole: list[tuple[Any, ...]] = []
            self._add_repeat(whole, sre.MAX_REPEAT, least, most, inner)
            whole.append(("part",))
            program.append(("atomic", whole))
            return
        lazy = kind == sre.MIN_REPEAT
        for _ in range(least):
            self._add(program, nodes)
        if most == sre.MAXREPEAT or most - least > _MOST_COPIES:
            slot = self._slots
            self._slots += 1
            fork = len(program)
            program += [(), ("save", slot)]
            self._add(program, nodes)
            program.append(("moved", slot, len(program) + 2))
            program.append(("jump", fork))
            after = len(program)
            program[fork] = ("split", after, fork + 1) if lazy else ("split", fork + 1, after)
            return
        forks = []
        for _ in range(most - least):
            forks.append(len(program))
            program.append(())
            self._add(program, nodes)
        for fork in forks:
            program[fork] = ("split", len(program), fork + 1) if lazy else ("split", fork + 1, len(program))

    def _fits(self, kind: Any, value: Any) -> Pred:
        plain = self._plain(kind, value)
        if not self._ignores_case or kind == sre.ANY:
            return lru_cache(maxsize=None)(plain)
        if kind == sre.NOT_LITERAL:
            return lambda char: char.lower() != chr(value).lower()
        return lru_cache(maxsize=None)(
            lambda char: plain(char) or any(len(other) == 1 and plain(other) for other in (char.lower(), char.upper()))
        )

    def _plain(self, kind: Any, value: Any) -> Pred:
        if kind == sre.ANY:
            return (lambda _: True) if self._dot_all else (lambda char: char != "\n")
        if kind == sre.LITERAL:
            literal = chr(value)
            return lambda char: char == literal
        if kind == sre.NOT_LITERAL:
            literal = chr(value)
            return lambda char: char != literal
        return _set(value)


def _is_within(low: str, high: str, char: str) -> bool:
    return low <= char <= high


def _set(items: Sequence[Node]) -> Pred:
    negated = bool(items) and items[0][0] == sre.NEGATE
    preds: list[Pred] = []
    for kind, value in items[1:] if negated else items:
        if kind == sre.LITERAL:
            preds.append(chr(value).__eq__)
        elif kind == sre.RANGE:
            low, high = chr(value[0]), chr(value[1])
            preds.append(partial(_is_within, low, high))
        else:
            preds.append(_CATEGORIES[value])
    return lambda char: any(pred(char) for pred in preds) != negated


# ---- hostile texts


def is_bounded(pattern: re.Pattern[Any], most: int = 300) -> bool:
    """Return whether one attempt at one place looks at a bounded number of characters: no repeat is unbounded."""
    return _longest(list(tree_of(pattern))) <= most


def _longest(nodes: Sequence[Node]) -> int:
    total = 0
    for kind, value in nodes:
        if kind in _SINGLE:
            total += 1
        elif kind in _REPEATS:
            total += _longest(list(value[2])) * int(value[1])
        elif kind == sre.SUBPATTERN:
            total += _longest(list(value[3]))
        elif kind == sre.BRANCH:
            total += max(_longest(list(one)) for one in value[1])
        elif kind in (sre.ASSERT, sre.ASSERT_NOT):
            total += _longest(list(value[1]))
        elif kind == sre.ATOMIC_GROUP:
            total += _longest(list(value))
        elif kind == sre.GROUPREF:
            total += 10_000
    return total


_SPOILERS = ("\x00", "!", "z", "9", "\n")
_CANDIDATES = "a1 -x_zA0.,/(<>あ一ー@\n:\"'#%&[]9年日円の"


def hostile_texts(pattern: re.Pattern[Any], length: int, most: int = 28) -> list[str]:
    """Return texts of about `length` characters that are made to cost this pattern as much as possible.

    Each repeats what one of the pattern's own repeats takes, behind what the pattern wants before it, and ends in
    something that does not fit; others repeat its characters, pairs of them, and whole and unfinished matches.
    """
    nodes = list(tree_of(pattern))
    made: list[str] = []
    for before, body in _pumps(nodes, ""):
        made += [f"{before}{_times(body, length)}{end}" for end in ("", *_SPOILERS[:3])]
        made.append(_times(before + body * 3, length) + "!")
    whole = _sample(nodes)
    made += [_times(whole, length), _times(whole[:-1], length), _times(whole + "!", length)]
    letters = _alphabet(nodes)[:8]
    made += [_times(one, length) + end for one in letters[:5] for end in ("", "!")]
    made += [_times(one + other, length) for one, other in product(letters[:4], letters[:4]) if one != other]
    return list(islice(dict.fromkeys(text for text in made if text), most))


def _times(piece: str, length: int) -> str:
    return (piece * (length // len(piece) + 1))[:length] if piece else ""


def _pumps(nodes: Sequence[Node], before: str) -> Iterator[tuple[str, str]]:
    """Yield for each unbounded repeat what comes before it and what it repeats."""
    for kind, value in nodes:
        if kind in _REPEATS:
            body = _sample(list(value[2]))
            if int(value[1]) > _MOST_COPIES:
                yield before, body
                for other in _alphabet(list(value[2]))[:3]:
                    yield before, other
            yield from _pumps(list(value[2]), before)
        elif kind == sre.SUBPATTERN:
            yield from _pumps(list(value[3]), before)
        elif kind == sre.BRANCH:
            for one in value[1]:
                yield from _pumps(list(one), before)
        elif kind in (sre.ASSERT, sre.ASSERT_NOT):
            yield from _pumps(list(value[1]), before)
        elif kind == sre.ATOMIC_GROUP:
            yield from _pumps(list(value), before)
        before += _sample([(kind, value)])


def _sample(nodes: Sequence[Node]) -> str:
    text = ""
    for kind, value in nodes:
        if kind in _SINGLE:
            text += _one_of(kind, value)
        elif kind in _REPEATS:
            text += _sample(list(value[2])) * max(int(value[0]), min(1, int(value[1])))
        elif kind == sre.SUBPATTERN:
            text += _sample(list(value[3]))
        elif kind == sre.BRANCH:
            text += _sample(list(value[1][0]))
        elif kind == sre.ATOMIC_GROUP:
            text += _sample(list(value))
    return text


def _one_of(kind: Any, value: Any) -> str:
    if kind == sre.LITERAL:
        return chr(value)
    if kind == sre.ANY:
        return "a"
    if kind == sre.NOT_LITERAL:
        return next(char for char in _CANDIDATES if char != chr(value))
    fits = _set(value)
    first = next(
        (
            chr(item[1] if item[0] == sre.LITERAL else item[1][0])
            for item in value
            if item[0] in (sre.LITERAL, sre.RANGE)
        ),
        "",
    )
    if first and fits(first):
        return first
    return next((char for char in _CANDIDATES if fits(char)), "a")


def _alphabet(nodes: Sequence[Node]) -> list[str]:
    letters: list[str] = []
    for kind, value in nodes:
        if kind in _SINGLE:
            letters.append(_one_of(kind, value))
            if kind == sre.IN:
                fits = _set(value)
                letters += [char for char in _CANDIDATES if fits(char)][:3]
        elif kind in _REPEATS:
            letters += _alphabet(list(value[2]))
        elif kind == sre.SUBPATTERN:
            letters += _alphabet(list(value[3]))
        elif kind == sre.BRANCH:
            letters += [letter for one in value[1] for letter in _alphabet(list(one))]
        elif kind in (sre.ASSERT, sre.ASSERT_NOT):
            letters += _alphabet(list(value[1]))
        elif kind == sre.ATOMIC_GROUP:
            letters += _alphabet(list(value))
    return list(dict.fromkeys(letters))


def beginnings(pattern: re.Pattern[Any], most: int = 3) -> set[str]:
    """Return how the matches of a pattern of words can begin: up to `most` characters of each alternative."""
    return _beginnings(list(tree_of(pattern)), most)


def _beginnings(nodes: Sequence[Node], most: int) -> set[str]:
    begun = {""}
    for kind, value in nodes:
        if all(len(one) >= most for one in begun):
            break
        found = _choices(kind, value, most)
        begun = {one if len(one) >= most else one + other for one in begun for other in found}
    return begun


def _choices(kind: Any, value: Any, most: int) -> set[str]:
    if kind == sre.IN:
        fits = _set(value)
        listed = {chr(item[1]) for item in value if item[0] == sre.LITERAL}
        return {one for one in listed if fits(one)} or {_one_of(kind, value)}
    if kind in _SINGLE:
        return {_one_of(kind, value)}
    if kind in _REPEATS:
        least, _, inner = value
        once = _beginnings(list(inner), most)
        return once if least else once | {""}
    if kind == sre.SUBPATTERN:
        return _beginnings(list(value[3]), most)
    if kind == sre.BRANCH:
        return {one for way in value[1] for one in _beginnings(list(way), most)}
    return {""}
