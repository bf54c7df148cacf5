"""The logs: whatever anyone logs, no number, passcode or phone is written."""

import io
import logging
from collections import OrderedDict
from collections.abc import Mapping

import pytest

from reminder.guard.logs import BLANK, Scrubbing, install, scrubbed

NUMBER = "1234 5678 9018"  # invented


def logged(*arguments: object, raising: Exception | None = None) -> str:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(Scrubbing())
    logger = logging.Logger("somebody's library")
    logger.addHandler(handler)
    if raising is None:
        logger.warning(*arguments)
    else:
        try:
            raise raising
        except Exception:
            logger.exception(*arguments)
    return stream.getvalue()


@pytest.mark.parametrize(
    "arguments",
    [(f"row {NUMBER}",), ("row %s", NUMBER), ("row %s %s", "1234 5678", "9018"), ("%(row)s", {"row": NUMBER})],
)
def test_a_number_in_a_message_or_its_arguments_is_blanked(arguments: tuple[object, ...]) -> None:
    line = logged(*arguments)

    assert "5678" not in line
    assert BLANK in line


def test_a_number_in_an_exception_and_its_stack_is_blanked() -> None:
    line = logged("failed", raising=ValueError(f"cannot read {NUMBER}"))

    assert "5678" not in line
    assert "ValueError" in line


def test_a_phone_in_a_line_is_blanked() -> None:
    assert "9000000001" not in scrubbed("sending to +819000000001")


def test_an_ordinary_line_is_written_as_it_is() -> None:
    assert scrubbed("message 17: the provider answers 21614") == "message 17: the provider answers 21614"


@pytest.mark.parametrize("template", ["pass: %s", "pass: %r", "%s", "100 %%: %s"])
@pytest.mark.parametrize(
    "given", [{"sent": 3}, OrderedDict(sent=3), {}], ids=["a mapping", "a kind of it", "an empty one"]
)
def test_a_mapping_that_is_the_only_argument_is_written_as_it_is(template: str, given: Mapping[str, int]) -> None:
    # For logging, arguments that are one mapping are the names of the template.
    record = logging.LogRecord("reminder", logging.INFO, "x.py", 1, template, (given,), None)

    assert Scrubbing().format(record).endswith(template % (given,))


def test_installing_twice_writes_each_line_once() -> None:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    try:
        install(logging.INFO)
        install(logging.INFO)
        assert len([handler for handler in root.handlers if isinstance(handler.formatter, Scrubbing)]) == 1
    finally:
        root.handlers[:] = before
        root.setLevel(level)


@pytest.mark.parametrize(
    "secret",
    ["hanako@example.jp", "smtp://otayori:himitsu@mail.example.jp:587", "postgresql://kigen:himitsu@10.0.0.1/kigen"],
)
def test_addresses_and_the_passwords_in_them_are_blanked(secret: str) -> None:
    line = scrubbed(f"could not reach {secret} today")

    assert "himitsu" not in line
    assert "hanako" not in line
    assert line.startswith("could not reach")
    assert line.endswith("today")
