"""`reminder --version`."""

from importlib.metadata import version

from tests.cli.terminal import Terminal


def test_the_program_says_which_version_is_installed(reminder: Terminal) -> None:
    answer = reminder.run("--version")

    assert answer.code == 0
    assert answer.out.strip() == version("kigen-dayori")
