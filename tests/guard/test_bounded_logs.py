"""The log of an outage: few lines that name the cause, and every number of ours is in them."""

import io
import logging
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import pytest

from reminder.errors import DatabaseNotReadyError
from reminder.guard.logs import BLANK, Bounded, Known, Scrubbing

NUMBER = "1234 5678 9018"  # invented


class Written:
    """A log with a handler as `install` makes it, whose seconds the test passes."""

    def __init__(self) -> None:
        self.seconds, self._stream = 0.0, io.StringIO()
        handler = logging.StreamHandler(self._stream)
        handler.setFormatter(Scrubbing())
        handler.addFilter(Bounded(lambda: self.seconds))
        self.log = logging.Logger("reminder.some")
        self.log.addHandler(handler)

    @property
    def lines(self) -> list[str]:
        return self._stream.getvalue().splitlines()

    def fail(self, failure: Exception, said: str = "this pass failed") -> None:
        try:
            self._deep(40, failure)
        except Exception:
            self.log.exception(said)

    def _deep(self, calls: int, failure: Exception) -> None:
        if calls:
            self._deep(calls - 1, failure)
        raise failure


class Code(StrEnum):
    LONG = "code-123456789012"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (timedelta(minutes=10, microseconds=123456), "0:10:00.123456"),
        (timedelta(days=3, seconds=1), "3 days, 0:00:01"),
        (datetime(2026, 12, 1, 8, 59, 59, 123456, tzinfo=UTC), "2026-12-01 08:59:59.123456+00:00"),
        (12_345_678, "12345678"),
        ([1234567, 7654321, 1111111], "[1234567, 7654321, 1111111]"),
        (1234.567891, "1234.567891"),
        (20003, "20003"),
        (503, "503"),
        (Code.LONG, "code-123456789012"),
        (Known("too_slow 123456, too_many 654321"), "too_slow 123456, too_many 654321"),
    ],
)
def test_what_the_program_has_measured_counted_or_chosen_is_never_blanked(value: object, written: str) -> None:
    out = Written()

    out.log.warning("the clocks are %s apart", value)
    out.log.warning("the clocks are %(by)s apart", {"by": value})

    assert [line.endswith(f"the clocks are {written} apart") for line in out.lines] == [True, True]


@pytest.mark.parametrize(
    ("said", "given"),
    [
        ("row %s of %s", (17, NUMBER)),
        ("row %d of %s", (17, NUMBER)),
        ("row %5d of %s after %.3f s", (17, NUMBER, 0.25)),
        ("row %s of %s", (123456789018, "x")),
        ("%s%% of %s", (50, NUMBER)),
    ],
)
def test_what_somebody_typed_is_blanked_beside_them(said: str, given: tuple[object, ...]) -> None:
    out = Written()

    out.log.warning(said, *given)

    [line] = out.lines
    assert BLANK in line
    assert "5678" not in line
    assert "9018" not in line


def test_digits_of_a_stranger_are_joined_across_what_is_ours() -> None:
    out = Written()

    out.log.warning("cells %s and %s of row %s", "1234 5678", "9018", 3)

    assert "5678" not in out.lines[0] or "9018" not in out.lines[0] or BLANK in out.lines[0]


OUTAGES = {
    "the database is away": lambda: DatabaseNotReadyError("database_unreachable", reason="OperationalError"),
    "something unforeseen": lambda: RuntimeError("the disk is full"),
    "several at once": lambda: ExceptionGroup("two jobs", [ValueError("one"), OSError("no space left on device")]),
}


@pytest.mark.parametrize("outage", OUTAGES)
def test_an_outage_of_two_minutes_writes_few_lines_and_names_its_cause(outage: str) -> None:
    out = Written()
    for second in range(120):
        out.seconds = float(second)
        for job in range(8):
            out.fail(OUTAGES[outage](), f"job {job} failed; the next run goes on")
            out.log.warning("the database cannot be used (%s); each job tries again", OUTAGES[outage]())

    assert len(out.lines) <= 2 * 120
    whole = "\n".join(out.lines)
    cause = OUTAGES[outage]()
    assert type(cause).__name__ in whole
    named = cause.exceptions[-1] if isinstance(cause, ExceptionGroup) else cause
    assert str(named) in whole
    assert "more like it" in whole, "what was left out is counted"


def test_a_minute_of_any_lines_stays_within_two_a_second() -> None:
    out = Written()
    for second in range(60):
        out.seconds = float(second)
        for place in range(100):
            out.log.error("a failure of its own kind %s", chr(0x4E00 + second * 100 + place))
            out.log.info("fine %s", "x" * place)

    assert len(out.lines) <= 120


@pytest.mark.parametrize("level", [logging.WARNING, logging.ERROR, logging.CRITICAL])
@pytest.mark.parametrize("chatter", [logging.INFO, logging.WARNING])
def test_the_first_line_of_a_fault_is_written_however_much_was_said_before_it(chatter: int, level: int) -> None:
    out = Written()
    for place in range(200):
        out.log.log(chatter, "pass %s of many " + "x" * (place % 7), place)

    out.log.log(level, "the database is of a newer version: this program stops")
    out.fail(RuntimeError("the disk is full"))

    assert any("this program stops" in line for line in out.lines)
    assert any("the disk is full" in line for line in out.lines)


def test_a_failure_takes_a_few_lines_however_deep_it_was() -> None:
    out = Written()

    out.fail(RuntimeError("first line\nsecond line"))

    assert len(out.lines) < 20
    assert out.lines[-1] == "RuntimeError: first line"


def test_another_failure_at_the_same_time_is_written_too() -> None:
    out = Written()
    for _ in range(50):
        out.fail(RuntimeError("one"))
    out.seconds = 30.0

    out.fail(OSError("another"), "another job failed")

    assert "OSError: another" in out.lines


def test_after_a_minute_the_same_failure_is_said_again_with_how_often_it_was() -> None:
    out = Written()
    for second in range(61):
        out.seconds = float(second)
        out.log.warning("the provider is away")

    assert len(out.lines) == 6
    assert out.lines[-1].endswith("(and 55 more like it)")
