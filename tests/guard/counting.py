"""A deterministic cost of our own functions: the calls they make and the steps of the patterns they try.

Python's profiler reports every call of a function, in Python or in C; of the matcher it sees only the call. So the
patterns of our modules are replaced by ones that do the same and count their steps as well (tests/guard/steps). Our own
code runs as it is.
"""

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from tests.guard.steps import steps

FUNCTIONS = ("search", "match", "fullmatch", "sub", "subn", "split", "findall", "finditer")


class _Count:
    def __init__(self) -> None:
        self.steps = 0
        self.calls = 0


class _Pattern:
    """A pattern that counts its steps."""

    def __init__(self, pattern: re.Pattern[str], count: _Count) -> None:
        self._own, self._count = pattern, count
        self.pattern, self.flags = pattern.pattern, pattern.flags

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._own, name)
        if name not in FUNCTIONS:
            return found

        def counted(*arguments: Any, **named: Any) -> Any:
            place = 1 if name in ("sub", "subn") else 0
            at = arguments[1] if place == 0 and len(arguments) > 1 else 0
            end = arguments[2] if place == 0 and len(arguments) > 2 else None
            with _unprofiled():
                self._count.steps += steps(self._own, arguments[place][:end], name, at=at)
            return found(*arguments, **named)

        return counted


class _Re:
    """The module `re`, whose functions count."""

    def __init__(self, count: _Count) -> None:
        self._count = count

    def __getattr__(self, name: str) -> Any:
        if name not in FUNCTIONS:
            return getattr(re, name)
        return lambda pattern, *rest, **named: getattr(_Pattern(re.compile(pattern), self._count), name)(*rest, **named)


@contextmanager
def _unprofiled() -> Iterator[None]:
    profiler = sys.getprofile()
    sys.setprofile(None)
    try:
        yield
    finally:
        sys.setprofile(profiler)


def counting(modules: Sequence[ModuleType], patch: Callable[[object, str, object], None]) -> Callable[..., int]:
    """Return a function that runs another and returns its cost; `patch` sets an attribute until the test ends."""
    count = _Count()
    for module in modules:
        for name, value in list(vars(module).items()):
            if value is re:
                patch(module, name, _Re(count))
            elif (counted := _counted(value, count)) is not value:
                patch(module, name, counted)

    def cost(function: Callable[..., object], *arguments: object) -> int:
        count.steps = count.calls = 0

        def seen(_frame: object, event: str, _argument: object) -> None:
            count.calls += event in ("call", "c_call")

        sys.setprofile(seen)
        try:
            function(*arguments)
        except Exception:  # noqa: BLE001  # a refusal costs too
            pass
        finally:
            sys.setprofile(None)
        return count.steps + count.calls

    return cost


def _counted(value: object, count: _Count) -> object:
    if isinstance(value, re.Pattern):
        return _Pattern(value, count)
    if isinstance(value, tuple) and any(isinstance(one, re.Pattern | tuple) for one in value):
        parts = tuple(_counted(one, count) for one in value)
        return parts if any(new is not old for new, old in zip(parts, value, strict=True)) else value
    return value
