"""The check of the documents finds what it is for, and nothing else."""

from pathlib import Path

import pytest

from tests.checks.documents import LONGEST, anchors, dead_links, is_relied_on, long_lines, missing_evidence


@pytest.mark.parametrize(
    ("line", "is_found"),
    [
        ("word " * 23 + "words", False),
        ("word " * 24 + "w", True),
        ("| " + "word " * 40 + "|", False),
        ("- <https://example.jp/" + "a" * LONGEST + ">", False),
        ("```\n" + "word " * 40 + "\n```", False),
        ("```\nshort\n```\n" + "word " * 40, True),
    ],
)
def test_a_line_longer_than_the_limit_is_found_outside_tables_and_code(line: str, is_found: bool) -> None:
    assert bool(list(long_lines(line))) is is_found


@pytest.mark.parametrize(
    ("link", "is_found"),
    [
        ("[a](other.md)", False),
        ("[a](other.md#first-part)", False),
        ("[a](other.md#second-part)", True),
        ("[a](missing.md)", True),
        ("[a](#own)", False),
        ("[a](#others)", True),
        ("[a](https://example.jp/missing.md)", False),
        ("`[a](missing.md)`", False),
    ],
)
def test_a_link_that_leads_nowhere_is_found(tmp_path: Path, link: str, is_found: bool) -> None:
    (tmp_path / "other.md").write_text("# Title\n## First part\n", encoding="utf-8")
    page = tmp_path / "page.md"
    page.write_text(f"# Own\n{link}\n", encoding="utf-8")

    assert bool(list(dead_links(page, page.read_text(encoding="utf-8")))) is is_found


def test_a_heading_is_linked_to_by_its_words_and_a_second_one_by_its_number() -> None:
    assert anchors("# What it is: `a`, b\n## Twice\n## Twice\n") == {"what-it-is-a-b", "twice", "twice-1"}


@pytest.mark.parametrize(
    ("named", "is_found"),
    [
        ("`tests/test_one.py`", False),
        ("`tests/test_one.py::test_it_is_true`", False),
        ("`tests/test_one.py::test_it`", True),
        ("`tests/test_two.py`", True),
        ("`reminder/nothing/`", True),
        ("`somewhere/else.py`", False),
        ("tests/test_two.py", False),
    ],
)
def test_evidence_that_does_not_exist_is_found(tmp_path: Path, named: str, is_found: bool) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_one.py").write_text("def test_it_is_true() -> None:\n    pass\n", encoding="utf-8")

    assert bool(list(missing_evidence(tmp_path, f"| row | {named} |\n"))) is is_found


def test_evidence_is_looked_for_in_the_documents_about_security() -> None:
    names = ("SECURITY.md", "docs/security/asvs.md", "docs/securities.md", "README.md")

    assert [is_relied_on(name) for name in names] == [True, True, False, False]
