"""docs/api.md tells the truth: its commands are run from top to bottom against a real server, and answer as it says."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import zip_longest
from pathlib import Path

import pytest

from tests.program import PATIENCE, Program, free_port
from tests.web.calling import described

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
STAND_IN = Path(__file__).parent / "curl.py"
LEFT_OUT = "…"
BETWEEN = "\x1e"


@dataclass(frozen=True)
class Example:
    """A block of commands, and what the page says that it answers; None where it says nothing."""

    commands: str
    answer: str | None


def examples(page: str) -> list[Example]:
    blocks = re.findall(r"^```(\w+)\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    found = []
    for (kind, text), (kind_after, after) in zip_longest(blocks, blocks[1:], fillvalue=("", "")):
        if kind == "sh":
            found.append(Example(text, None if kind_after in ("", "sh") else after))
    return found


EXAMPLES = examples(PAGE.read_text(encoding="utf-8"))


def answers(program: Program, port: int, *, with_curl: bool) -> Iterator[str]:
    """What each block prints, run in one shell."""
    here = [f'reminder() {{ {shlex.quote(sys.executable)} -m reminder "$@"; }}']
    if not with_curl:
        here.append(f'curl() {{ {shlex.quote(sys.executable)} {shlex.quote(str(STAND_IN))} "$@"; }}')
    typed = f"printf {shlex.quote(BETWEEN)}\n".join(one.commands for one in EXAMPLES)
    script = "\n".join(["set -eu", *here, typed.replace("127.0.0.1:8000", f"127.0.0.1:{port}")])
    done = subprocess.run(
        ["bash", "-c", script],
        check=False,
        capture_output=True,
        text=True,
        env=program.environment,
        cwd=program.folder,
        timeout=PATIENCE * 2,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    yield from done.stdout.split(BETWEEN)


def differs(written: object, found: object, place: str = "") -> list[str]:
    """Where an answer is not as the page says. `…` leaves the rest out; instants of the moment need not be the same."""
    if written in (LEFT_OUT, found):
        return []
    match written, found:
        case dict(), dict() if LEFT_OUT in written or written.keys() == found.keys():
            names = written.keys() - {LEFT_OUT}
            return [one for name in names for one in differs(written[name], found.get(name), f"{place}.{name}")]
        case [*rows, last], list() if last == LEFT_OUT and len(found) > len(rows):
            return differs(rows, found[: len(rows)], place)
        case list(), list() if len(written) == len(found):
            return [
                one
                for n, pair in enumerate(zip(written, found, strict=True))
                for one in differs(*pair, f"{place}[{n}]")
            ]
        case str(), str() if written.endswith(LEFT_OUT) and found.startswith(written.removesuffix(LEFT_OUT)):
            return []
        case str(), str() if is_instant(written) and is_instant(found):
            apart = abs(datetime.fromisoformat(written) - datetime.fromisoformat(found))
            return [] if apart < timedelta(minutes=10) else [f"{place}: {found}, not {written}"]
    return [f"{place}: {found!r}, not {written!r}"]


def is_instant(text: str) -> bool:
    return re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", text) is not None


# A machine without curl runs the page as well.
HAS_CURL = shutil.which("curl") is not None


def test_every_command_of_the_page_works_and_answers_as_it_says(tmp_path: Path) -> None:
    program = Program(tmp_path, REMINDER_CLOCK_OVERRIDE="2026-12-01T08:00+09:00", REMINDER_TWO_WAY_SMS="on")
    port = free_port()

    with program.serving(port, "web"):
        found = list(answers(program, port, with_curl=HAS_CURL))

    assert len(found) == len(EXAMPLES)
    wrong = []
    for example, said in zip(EXAMPLES, found, strict=True):
        if example.answer is not None and example.answer.startswith("{"):
            wrong += [f"{example.commands}{one}" for one in differs(json.loads(example.answer), json.loads(said))]
        elif example.answer is not None and example.answer.strip() != said.strip():
            wrong.append(f"{example.commands}{said}")
    assert wrong == []


def test_every_operation_is_on_the_page_with_its_answer() -> None:
    shown = set()
    for example in EXAMPLES:
        for words in re.findall(r"curl (?:.*\\\n)*.*", example.commands):
            path = re.search(r"\$URL([^\"? ]*)", words)
            assert path is not None
            method = re.search(r"-X (\w+)", words)
            taken = method[1] if method else "POST" if " -d " in words else "GET"
            shown.add((taken, re.sub(r"/\d+", "/{}", path[1])))
            assert example.answer, words

    assert {(one.method, re.sub(r"\{\w+\}", "{}", one.path)) for one in described()} <= shown


@pytest.mark.parametrize(
    ("written", "found", "same"),
    [
        ({"a": 1}, {"a": 1}, True),
        ({"a": 1}, {"a": 2}, False),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ({"a": 1, "…": "…"}, {"a": 1, "b": 2}, True),
        ({"a": 1, "…": "…"}, {"b": 2}, False),
        ([1, "…"], [1, 2, 3], True),
        ([1, "…"], [1], False),
        ([1, 2], [1], False),
        ("a…", "abc", True),
        ("a…", "bc", False),
        ("2026-11-30T23:00:00Z", "2026-11-30T23:09:59Z", True),
        ("2026-11-30T23:00:00Z", "2026-12-30T23:00:00Z", False),
        (None, "…", False),
    ],
)
def test_an_answer_is_held_against_all_that_the_page_writes(written: object, found: object, same: bool) -> None:
    assert (differs(written, found) == []) is same
