"""Nothing works in secret: every command and every setting is named where its user looks for it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from reminder.cli import app
from reminder.settings import PREFIX, Settings

TOP = Path(__file__).parents[1]
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in [TOP / "README.md", *sorted((TOP / "docs").glob("*.md"))])


def commands(command: object, path: str = "reminder") -> Iterator[str]:
    """`reminder card add` and all the others that do something themselves."""
    if not isinstance(command, TyperGroup):
        yield path
        return
    for name, below in command.commands.items():
        yield from commands(below, f"{path} {name}")


@pytest.mark.parametrize("command", [*commands(get_command(app))])
def test_every_command_is_named_in_the_readme_or_the_docs(command: str) -> None:
    words = r"\s+".join(map(re.escape, command.split()))

    assert re.search(rf"(?<![\w-]){words}(?![\w-])", TEXT), f"write of `{command}` in README.md or docs/*.md"


@pytest.mark.parametrize("setting", [name.upper() for name in Settings.model_fields])
def test_every_setting_is_named_in_the_readme_or_the_docs(setting: str) -> None:
    named = re.search(rf"(?<![A-Z_])(?:{PREFIX})?{setting}(?![A-Z_])", TEXT)

    assert named, f"write of `{PREFIX}{setting}` in README.md or docs/*.md"
