"""Strangers' text costs in proportion to its length, whatever it holds.

Every pattern of the product is found in its modules and source; none is listed here. For each, hostile texts are made
out of the pattern itself, doubled in length, and the steps of a backtracking matcher are counted (tests/guard/steps):
twice the text may cost 2.3 times the steps and no more. A step count, unlike a clock, is the same on every machine.
"""

import random
import re
from collections.abc import Callable

import pytest

from reminder.domain.parsing import addresses, bounces, column_headings, dates, replies, resident_rows
from reminder.guard import digit_words, logs, numbers, ordinary, secrets, text
from reminder.settings import config_dir, read_table
from tests.guard.counting import counting
from tests.guard.patterns import Found, in_configuration, in_source
from tests.guard.steps import hostile_texts, is_bounded, machine_of, steps

SHORT = 320
# Twice as long: at most this many times the steps, and a few for the start.
FACTOR, START = 2.3, 60

FOUND, UNKNOWN = in_source()
ALL = FOUND + in_configuration()

# Patterns that are made while the program runs, and of what. None of them is made of a stranger's text.
MADE_WHILE_RUNNING = {
    "reminder.domain.parsing.replies._any_of": "config/replies.toml, tested below",
    "reminder.domain.parsing.column_headings.read_headings": "config/headings.toml, tested below",
    "reminder.domain.text.catalog._lint_patterns": "config/wording/lint.toml, on our own texts",
    **dict.fromkeys(
        (
            f"reminder.guard.outgoing.{name}"
            for name in ("_link_words", "_phone_words", "_amounts", "_money_pattern", "_apart_pattern")
        ),
        "guard/outgoing.toml, tested below",
    ),
    "reminder.domain.text.furigana.annotator": "the readings of config/, whole words without repeats",
}


def cost(one: Found, said: str) -> int:
    return max(steps(one.pattern, said, method) for method in one.methods)


@pytest.mark.parametrize("one", ALL, ids=lambda one: one.where)
def test_a_pattern_costs_twice_the_steps_for_twice_the_text(one: Found) -> None:
    if is_bounded(one.pattern):
        # One attempt looks at a bounded number of characters, and there are as many attempts as places.
        return
    short, long = hostile_texts(one.pattern, SHORT), hostile_texts(one.pattern, 2 * SHORT)
    for single, doubled in zip(short, long, strict=True):
        assert cost(one, doubled) <= FACTOR * cost(one, single) + START, (one.pattern.pattern, single[:12], single[-3:])


def test_every_pattern_is_known() -> None:
    assert len(FOUND) > 80
    assert set(UNKNOWN) <= set(MADE_WHILE_RUNNING)


@pytest.mark.parametrize(
    ("pattern", "method"),
    [
        (r"(?<![a-z])\d(?:[ -]*\d)*+(?!\w)", "finditer"),
        (r"[^\s]+@[^\s]+", "sub"),
        (r"\n\s*(-)\1[\s\S]*$", "sub"),
        (r"<[^>]*>", "sub"),
        (r"(a+)+b", "match"),
        (r"(.+)\((.+)\)", "fullmatch"),
        (r"\s+$", "search"),
        (r"a*a*b", "fullmatch"),
    ],
)
def test_a_pattern_that_is_not_linear_is_found_out(pattern: str, method: str) -> None:
    one = Found("here", re.compile(pattern), {method})
    short, long = hostile_texts(one.pattern, 40), hostile_texts(one.pattern, 80)
    pairs = list(zip(short, long, strict=True))
    if pattern == r"(a+)+b":
        pairs = [("a" * 8, "a" * 16)]

    assert any(cost(one, doubled) > FACTOR * cost(one, single) + START for single, doubled in pairs)


# What people and programs could repeat to make us work.
PIECES = (
    "1 ", "1a", "a1-", "AB1", "<", "暗証1", "暗証番号", "pin ", "090-0000-0001 ", "2026-03-31 ", "1年", "0O", "年(", "%31", "&#49", "9-",
    "一", "いち", "にし", "ichi", "one ", "四千", "1-O", "a@", "a.", "(", "\n", " ", "の", "1の", "記号1", "¥1,000", "1円", "3/31 ", "10:00 ",
    "〃", "ー", "\u3000", "'", "2-1-3 ", "No.", "kigen_", "@", "ﷺ", "MTIz", "password is ",
)  # fmt: skip
RULES = replies.read_rules(read_table(config_dir() / "replies.toml"))
HEADINGS = column_headings.read_headings(read_table(config_dir() / "headings.toml"))
ENTRANCES: dict[str, Callable[[str], object]] = {
    "forbidden": numbers.forbidden,
    "forbidden at any length": numbers.forbidden_at_length,
    "a date or a telephone number": numbers.forbidden_in_a_date_or_phone,
    "a long number": numbers.long_number,
    "running text": numbers.forbidden_in_running_text,
    "a record": lambda said: numbers.forbidden_in_record([said, said[:20], "203"]),
    "a log": logs.scrubbed,
    "a text to store": lambda said: text.clean(said, field="label"),
    "a reply": lambda said: replies.read(said, RULES),
    "a consent": lambda said: replies.read_consent(said, RULES),
    "a date": lambda said: dates.read_typed(said, field="expires"),
    "a date of an era": lambda said: dates.outlives_its_era(said, dates.date(2030, 1, 1)),
    "a telephone number": addresses.read_phone,
    "an e-mail address": addresses.read_email,
    "an id of LINE": addresses.read_line_id,
    "a heading": HEADINGS.meaning,
    "a bounce": lambda said: bounces.named(said, said, said, is_final=True),
}
MODULES = (
    numbers,
    digit_words,
    ordinary,
    secrets,
    logs,
    text,
    replies,
    dates,
    addresses,
    column_headings,
    bounces,
    resident_rows,
)
LENGTH = 150


@pytest.mark.parametrize("entrance", ENTRANCES)
def test_an_entrance_costs_twice_as_much_for_twice_the_text(entrance: str, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = counting(MODULES, monkeypatch.setattr)
    read = ENTRANCES[entrance]
    for piece in PIECES:
        times = LENGTH // len(piece)
        short, long = piece * times + "z!", piece * 2 * times + "z!"
        taken(read, long)  # what is cached from now on is cached for both
        single, doubled = taken(read, short), taken(read, long)
        assert doubled <= FACTOR * single + 400, (piece, single, doubled)


@pytest.mark.parametrize("entrance", ENTRANCES)
def test_what_is_too_long_costs_nothing_more_however_long_it_is(entrance: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if entrance in ("forbidden at any length", "running text"):
        # Their callers bound it.
        return
    taken = counting(MODULES, monkeypatch.setattr)
    longest = {"a log": logs.LONGEST, "a bounce": 2000}.get(entrance, numbers.LONGEST)
    over = "a" * (longest + 1)
    taken(ENTRANCES[entrance], over)

    assert taken(ENTRANCES[entrance], over * 4) <= taken(ENTRANCES[entrance], over) + 50


@pytest.mark.parametrize("one", ALL, ids=lambda one: one.where)
def test_the_counting_matcher_finds_what_the_real_one_finds(one: Found) -> None:
    chance = random.Random(one.where)
    pieces = [*hostile_texts(one.pattern, 12, 20), "1", "-", " ", "年", "a", "の"]
    for _ in range(15):
        said = "".join(chance.choices(pieces, k=chance.randint(1, 4)))[:40]
        seen: str | bytes = said
        if isinstance(one.pattern.pattern, bytes):
            said = "".join(char for char in said if ord(char) < 128)
            seen = said.encode()
        for at in range(len(said) + 1):
            real = one.pattern.match(seen, at)
            assert machine_of(one.pattern).run(said, at)[0] == (None if real is None else real.end()), (said, at)
