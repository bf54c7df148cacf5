"""Commands that add a kind, a language or a channel as a skeleton, and report what is still missing."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reminder.cli.output import AsJson, print_answer, print_rows

if TYPE_CHECKING:
    from reminder.cli.scaffold.missing import Missing

Check = Annotated[bool, typer.Option("--check", help="List what is missing, file by file; 1 where something is.")]
Like = Annotated[str, typer.Option("--like", help="Which one it is copied from.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands to `reminder`."""
    about = "Skeletons of new kinds of cards, languages and channels.\n\nExample: reminder new kind --help"
    new = typer.Typer(no_args_is_help=True, help=about, rich_markup_mode=None)
    new.command("kind")(new_kind)
    new.command("language")(new_language)
    new.command("channel")(new_channel)
    app.add_typer(new, name="new")
    app.command()(languages)
    app.command()(channels)


def new_kind(name: str, like: Like = "other", as_json: bool = AsJson) -> None:
    """Add a kind of card to config/: its facts, its words in each language, its picture. All of it is marked TODO.

    Example: reminder new kind boat_licence --like driving_licence
    """
    from reminder.cli.scaffold.skeletons import new_kind as write
    from reminder.settings import config_dir

    _written(write(config_dir(), name, like), "reminder kinds --check", as_json=as_json)


def new_language(name: str, like: Like = "en", as_json: bool = AsJson) -> None:
    """Add a language to config/: its words and its pages, with TODO before each word that is to be translated.

    Example: reminder new language ko
    """
    from reminder.cli.scaffold.skeletons import new_language as write
    from reminder.settings import config_dir

    _written(write(config_dir(), name, like), "reminder languages --check", as_json=as_json)


def new_channel(name: str, as_json: bool = AsJson) -> None:
    """Add a channel to this checkout: its folder, its tests, its line in the registry, its name in each language.

    Example: reminder new channel fax
    """
    from reminder.cli.scaffold.skeletons import new_channel as write
    from reminder.settings import config_dir

    _written(write(_package(), config_dir(), name), "reminder channels --check", as_json=as_json)


def languages(as_json: bool = AsJson, check: Check = False) -> None:
    """List the languages of config/wording/.

    Example: reminder languages --check
    """
    from reminder.settings import config_dir

    if check:
        from reminder.cli.scaffold.missing import of_languages

        _check(of_languages(config_dir()), as_json=as_json)
        return
    from reminder.wiring import read_rulebook, read_settings

    offered = read_rulebook(read_settings()).wording.offered
    print_rows(({"language": one.code, "name": one.name, "tag": one.html} for one in offered), as_json=as_json)


def channels(as_json: bool = AsJson, check: Check = False) -> None:
    """List the channels, what they can do, and whether they are in use.

    Example: reminder channels --json
    """
    from reminder.channels import registry

    if check:
        from reminder.cli.scaffold.missing import of_channels
        from reminder.settings import config_dir

        _check(of_channels(_package(), config_dir()), as_json=as_json)
        return
    from reminder.wiring import read_settings

    used = registry.in_use(read_settings())
    print_rows(
        (
            {
                "channel": one.name,
                "in_use": one.name in used,
                "writes": one.capabilities.form,
                "costs": one.capabilities.costs,
                "can_be_answered": one.capabilities.can_be_answered,
                "gives_receipts": one.capabilities.gives_receipts,
                "needs_consent": one.capabilities.needs_consent,
                "most_a_day": one.capabilities.most_a_day,
                "settings": ", ".join(one.reads),
            }
            for one in registry.CHANNELS
        ),
        as_json=as_json,
    )


def check_kinds(*, as_json: bool) -> None:
    """List what kinds of cards lack."""
    from reminder.cli.scaffold.missing import of_kinds
    from reminder.settings import config_dir

    _check(of_kinds(config_dir()), as_json=as_json)


def _check(found: "Iterable[Missing]", *, as_json: bool) -> None:
    from reminder.cli.scaffold.missing import unreadable

    listed = list(found) or list(unreadable())
    if as_json:
        print_rows(({"file": one.file, "place": one.place, "what": one.what} for one in listed), as_json=True)
    else:
        for file in dict.fromkeys(one.file for one in listed):
            own = [one for one in listed if one.file == file]
            print(f"{file}: {len(own)}")
            for one in own:
                print(f"  {one.place}: {one.what}")
        print("Something is missing." if listed else "Nothing is missing.")
    if listed:
        raise typer.Exit(1)


def _written(files: Iterable[Path], then: str, *, as_json: bool) -> None:
    listed = [str(file) for file in files]
    plain = "\n".join([*(f"written: {file}" for file in listed), f"next: {then}"])
    print_answer({"files": listed, "next": then}, as_json=as_json, plain=plain)


def _package() -> Path:
    """Return the folder of the running reminder package."""
    return Path(__file__).parents[1]
