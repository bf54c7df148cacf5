"""The check of the migrations refuses what a running program of the version before could not live beside."""

import pytest

from tests.checks import migrations

ADD = 'op.add_column("cards", sa.Column("x", sa.String(10), {more}))'


def of(line: str) -> list[str]:
    return list(
        migrations.refusals("0099", f"def upgrade():\n    {line}\n\ndef downgrade():\n    op.drop_table('x')\n")
    )


@pytest.mark.parametrize(
    "line",
    [
        'op.create_table("x", sa.Column("id", sa.Integer()))',
        'op.create_index("ix", "cards", ["kind"])',
        ADD.format(more="nullable=True"),
        ADD.format(more='nullable=False, server_default=""'),
    ],
)
def test_what_only_adds_is_taken(line: str) -> None:
    assert of(line) == []


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('op.drop_column("cards", "kind")', "it is still read"),
        ('op.rename_table("cards", "things")', "it is still read"),
        ('op.alter_column("cards", "kind", nullable=False)', "it may be empty"),
        ('op.execute("UPDATE cards SET kind = NULL")', "what stands there changes under a running program"),
        (ADD.format(more="nullable=False"), "nobody fills it"),
        ('op.create_index("ix", "cards", ["kind"], unique=True)', "a second one may still be written"),
        ('op.create_check_constraint("ck", "cards", "kind <> 1")', "it may still be written"),
        ("_more()\n\ndef _more():\n    op.drop_table('cards')", "in a function that it calls"),
    ],
)
def test_what_a_program_of_before_could_not_live_beside_is_refused(line: str, why: str) -> None:
    assert of(line) != [], why


def test_the_migrations_of_this_checkout_are_additive_and_count_up() -> None:
    assert migrations.problems() == []
