"""Nothing works in secret: every command and every setting is named where its user looks for it."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from reminder.channels.registry import parts
from reminder.cli import app, card_kinds, rule_claims
from reminder.settings import PREFIX, settings_with
from reminder.storage.db.columns import GuardedText
from reminder.storage.db.tables import Base
from reminder.upkeep.privacy import retention
from reminder.wiring import read_claims_of_rules, read_rulebook, read_settings

TOP = Path(__file__).parents[1]
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in [TOP / "README.md", *sorted((TOP / "docs").glob("*.md"))])
CHANGES = (TOP / "CHANGELOG.md").read_text(encoding="utf-8")


def commands(command: object, *, hidden: bool, path: str = "reminder") -> Iterator[str]:
    """Yield `reminder card add` and all the others that do something themselves, or those under an old name."""
    if not isinstance(command, TyperGroup):
        if command.hidden is hidden:
            yield path
        return
    for name, below in command.commands.items():
        yield from commands(below, hidden=hidden, path=f"{path} {name}")


@pytest.mark.parametrize("command", [*commands(get_command(app), hidden=True)])
def test_an_old_name_of_a_command_is_in_the_changelog_with_its_new_one(command: str) -> None:
    assert re.search(rf"^\| `{re.escape(command)}` \| `reminder [a-z -]+` \|$", CHANGES, re.MULTILINE)


@pytest.mark.parametrize("command", [*commands(get_command(app), hidden=False)])
def test_every_command_is_named_in_the_readme_or_the_docs(command: str) -> None:
    words = r"\s+".join(map(re.escape, command.split()))

    assert re.search(rf"(?<![\w-]){words}(?![\w-])", TEXT), f"write of `{command}` in README.md or docs/*.md"


@pytest.mark.parametrize("setting", [name.upper() for name in settings_with(parts()).model_fields])
def test_every_setting_is_named_in_the_readme_or_the_docs(setting: str) -> None:
    named = re.search(rf"(?<![A-Z_])(?:{PREFIX})?{setting}(?![A-Z_])", TEXT)

    assert named, f"write of `{PREFIX}{setting}` in README.md or docs/*.md"


def test_the_page_of_the_kinds_is_that_of_the_catalogue() -> None:
    rules = read_rulebook(read_settings())

    written = (TOP / "docs" / "kinds.md").read_text(encoding="utf-8")
    assert written == card_kinds.page(rules), "write it again: reminder kinds --markdown > docs/kinds.md"


def test_the_page_of_what_changed_is_that_of_the_claims() -> None:
    claims = read_claims_of_rules(read_rulebook(read_settings()))

    written = (TOP / "docs" / "rules-changes.md").read_text(encoding="utf-8")
    assert written == rule_claims.changes_page(claims), "write it again: reminder rules changes > docs/rules-changes.md"


READMES = {"README.md": "timeline.svg", "README.ja.md": "timeline.ja.svg"}


@pytest.mark.parametrize("readme", READMES)
def test_the_picture_of_the_readme_is_what_the_command_beneath_it_draws(readme: str, tmp_path: Path) -> None:
    picture = READMES[readme]
    text = (TOP / readme).read_text(encoding="utf-8")
    drawn_by = re.search(rf"`(reminder preview [^`]+ --svg) docs/{re.escape(picture)}`", text)
    assert drawn_by is not None
    _, *arguments = drawn_by[1].split()

    done = CliRunner().invoke(app, [*arguments, str(tmp_path / picture)])

    assert done.exit_code == 0
    drawn = (tmp_path / picture).read_text(encoding="utf-8")
    assert drawn == (TOP / "docs" / picture).read_text(encoding="utf-8"), "draw it again: see below it"


def test_both_readmes_name_the_same_commands_and_lead_to_the_same_documents() -> None:
    texts = [(TOP / readme).read_text(encoding="utf-8") for readme in READMES]

    typed = [
        [
            re.sub(r"\s+(#.*)?$", "", line)
            for block in re.findall(r"```\n(.*?)```", text, re.DOTALL)
            for line in block.splitlines()
        ]
        for text in texts
    ]
    links = [set(re.findall(r"\]\(((?:docs|[A-Z]+\.md)[^)]*)\)", text)) for text in texts]
    pictures = {f"docs/{picture}" for picture in READMES.values()}
    inline = [{*re.findall(r"`(reminder [^`]+)`", text)} for text in texts]

    assert typed[0] == typed[1]
    elsewhere = [{one for one in some if not one.startswith("README")} - pictures for some in links]
    assert elsewhere[0] == elsewhere[1]
    assert {one for one in inline[0] if "--svg" not in one} == {one for one in inline[1] if "--svg" not in one}


def test_a_rule_that_nobody_has_read_again_for_a_year_is_named() -> None:
    rules = read_rulebook(read_settings())
    checked = min(kind.checked_on for kind in rules.kinds.values())

    assert list(card_kinds.stale(rules, checked.replace(year=checked.year + 1))) == []
    assert list(card_kinds.stale(rules, checked.replace(year=checked.year + 2)))


INVENTORY = (TOP / "docs" / "security" / "data-inventory.md").read_text(encoding="utf-8")
CLASSES = {"person", "special", "address", "secret", "log", "technical"}
STORED_AS = {"sealed", "keyed index", "keyed hash", "hash", "guarded", "plain"}


def inventory() -> Iterator[tuple[str, str, str]]:
    """Yield each column that the data inventory names, as table.column, with its class and how it is stored."""
    tables = INVENTORY.partition("\n## Tables\n")[2].partition("\n## Outside the database\n")[0]
    for part in tables.split("\n### ")[1:]:
        heading, _, rest = part.partition("\n")
        rows = re.findall(r"^\| (`.+?`) \| .+ \| ([a-z ]+) \| ([a-z ]+) \|$", rest, re.MULTILINE)
        for names, kind, stored_as in rows:
            for name in re.findall(r"`([^`]+)`", names):
                yield name if "." in name else f"{heading}.{name}", kind, stored_as


def test_every_column_of_the_database_is_in_the_data_inventory() -> None:
    there = {f"{table.name}.{column.name}" for table in Base.metadata.tables.values() for column in table.columns}
    named = [column for column, _, _ in inventory()]

    assert len(named) == len(set(named))
    missing, gone = there - set(named), set(named) - there
    assert (missing, gone) == (set(), set()), "enter it in docs/security/data-inventory.md: purpose, class, how stored"
    assert {kind for _, kind, _ in inventory()} <= CLASSES
    assert {stored_as for _, _, stored_as in inventory()} <= STORED_AS


def test_the_data_inventory_says_of_each_column_how_it_is_stored() -> None:
    said = {column: stored_as for column, _, stored_as in inventory()}

    for table in Base.metadata.tables.values():
        for column in table.columns:
            stored_as = said[f"{table.name}.{column.name}"]
            assert (stored_as == "sealed") is column.name.endswith("_sealed"), column
            assert (stored_as == "keyed index") is column.name.endswith("_index"), column
            assert (stored_as == "guarded") is isinstance(column.type, GuardedText), column
            assert (stored_as in ("hash", "keyed hash")) is column.name.endswith(("_hash", "_fingerprint", "proof")), (
                column
            )


def test_the_times_of_the_data_inventory_are_those_of_the_retention() -> None:
    part = INVENTORY.partition("\n## How long it is kept\n")[2].partition("\n## ")[0]
    written = {name: int(days) for name, days in re.findall(r"^\| (\w+): [^|]+ \| (\d+) \|$", part, re.MULTILINE)}

    assert written == {name: after.days for name, after in retention.AFTER.items()}


ASVS = (TOP / "docs" / "security" / "asvs.md").read_text(encoding="utf-8")
STATES = {"met", "partly", "not yet", "not applicable"}


def asvs_rows() -> list[tuple[str, str, str, str, str]]:
    """Return the rows of the ASVS table: id, level, words, state, evidence."""
    return re.findall(r"^\| ([\d.]+) \| (\d) \| (.+?) \| ([a-z ]+) \| (.+?) \|$", ASVS, re.MULTILINE)


def test_the_asvs_table_has_every_requirement_of_levels_1_and_2_and_invents_none() -> None:
    lines = (TOP / "tests" / "data" / "asvs_5_0_0.csv").read_text(encoding="utf-8").splitlines()[1:]
    levels = dict(line.split(",") for line in lines)
    named = {requirement: level for requirement, level, *_ in asvs_rows()}

    assert len(named) == len(asvs_rows())
    assert named.items() <= levels.items()
    assert {requirement for requirement, level in levels.items() if level in "12"} <= named.keys()


def test_the_asvs_table_has_evidence_for_what_it_says_is_met_and_a_reason_for_what_is_not() -> None:
    rows = asvs_rows()

    assert {state for *_, state, _ in rows} <= STATES
    assert [one[0] for one in rows if one[3] in ("met", "partly") and "`" not in one[4]] == []
    assert [one[0] for one in rows if one[3] in ("partly", "not yet") and ". " not in one[2]] == []


def test_the_summary_of_the_asvs_table_counts_its_rows() -> None:
    part = ASVS.partition("\n## Summary\n")[2].partition("\n## ")[0]
    written = {
        cells[0]: list(map(int, cells[1:]))
        for cells in re.findall(r"^\| (\d) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|$", part, re.MULTILINE)
    }
    counted = Counter((level, state) for _, level, _, state, _ in asvs_rows())

    order = ("met", "partly", "not yet", "not applicable")
    assert written == {level: [counted[level, state] for state in order] for level in "123"}
