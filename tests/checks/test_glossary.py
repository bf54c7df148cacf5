"""The check of the glossary finds what it is there for, and the page says what the file says."""

import pytest

from tests.checks import glossary

GIVEN = glossary.read_glossary()


def test_a_class_name_in_two_modules_is_refused() -> None:
    sources = {"reminder/a.py": "class Known: ...\n", "reminder/b.py": "class Known: ...\nclass _Known: ...\n"}

    [found] = glossary.same_class_twice(sources)

    assert "Known" in found
    assert "reminder/a.py and in reminder/b.py" in found


def test_a_file_name_of_two_packages_needs_one_meaning() -> None:
    assert list(glossary.same_file_twice(["reminder/a/things.py", "reminder/b/things.py"], GIVEN)) != []
    assert list(glossary.same_file_twice(["reminder/a/cards.py", "reminder/b/cards.py"], GIVEN)) == []


@pytest.mark.parametrize(
    "line",
    [
        "def ring_the_bell() -> None: ...",
        "class Ladder: ...",
        "x.send_after = 1",
        "NEXT_RUNG = 1",
        "def f(rhythm): ...",
    ],
)
def test_a_retired_word_in_an_identifier_is_refused(line: str) -> None:
    assert list(glossary.retired_identifiers("reminder/a.py", line + "\n", GIVEN)) != []


@pytest.mark.parametrize(
    "line",
    ["room = 1", "done = True", "turn = 2", "label = 'a bell'", "belligerent = 1", "def planned(): ...", "tick = '✓'"],
)
def test_a_word_in_its_ordinary_sense_stays(line: str) -> None:
    assert list(glossary.retired_identifiers("reminder/a.py", line + "\n", GIVEN)) == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("docs/a.md", "The messages in hand are asked about.\n"),
        ("reminder/a.py", '"""Climbs the ladder."""\n'),
        ("reminder/a.py", "x = 1  # rings the bell\n"),
        ("reminder/a.py", 'def f():\n    """Take what is in hand."""\n'),
    ],
)
def test_a_retired_phrase_in_prose_is_refused(path: str, text: str) -> None:
    assert list(glossary.retired_phrases(path, text, GIVEN)) != []


def test_a_phrase_in_a_string_of_the_program_is_none_of_the_prose() -> None:
    assert list(glossary.retired_phrases("reminder/a.py", 'x = "the bell"\n', GIVEN)) == []


def test_this_checkout_holds_to_the_glossary() -> None:
    assert glossary.problems() == []
