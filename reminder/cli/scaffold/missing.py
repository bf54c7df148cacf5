"""Reports of what kinds, languages and channels still lack, file by file."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from reminder.channels.definition import words_of
from reminder.channels.registry import CHANNELS, parts
from reminder.cli.scaffold.skeletons import marks_in
from reminder.domain.model.card_kinds import read_kinds
from reminder.domain.model.people import Language
from reminder.domain.rulebook import refuse_dangling_names
from reminder.domain.rules.schedule_config import read_schedules
from reminder.domain.text import catalog
from reminder.domain.text.card_pictures import read_pictures
from reminder.errors import SettingsError
from reminder.settings import PREFIX, read_table, settings_with
from reminder.web.support.page_catalog import read_pages
from reminder.wiring import read_rulebook, read_settings


@dataclass(frozen=True)
class Missing:
    """A missing or wrong thing: the file, the place in it (a key or a line), and what to do."""

    file: str
    place: str
    what: str


def of_kinds(config: Path) -> Iterator[Missing]:
    """Yield what kinds of cards lack: facts, words in each language, pictures."""
    try:
        kinds = read_kinds(read_table(config / "cards.toml"))
        refuse_dangling_names(kinds, read_schedules(read_table(config / "schedules.toml")))
    except SettingsError as wrong:
        yield _refused(wrong)
        return
    yield from _marks(config / "cards.toml")
    for language, table in _wordings(config).items():
        file = config / "wording" / f"{language}.toml"
        said = [wrong for wrong in catalog.wrong_in(language, table, kinds) if ".toml: kinds." in wrong.setting]
        yield from (_refused(wrong) for wrong in said)
        for number, line in marks_in(file):
            if _header_of(file, number).startswith("kinds."):
                yield Missing(f"config/wording/{file.name}", f"line {number}", line)
    drawn = cast(Mapping[str, object], read_table(config / "pictures.toml").get("kinds", {}))
    for kind in kinds.keys() - drawn.keys():
        yield Missing("config/pictures.toml", f"kinds.{kind}", "add where its date stands")
    if not kinds.keys() - drawn.keys():
        try:
            read_pictures(read_table(config / "pictures.toml"), kinds)
        except SettingsError as wrong:
            yield _refused(wrong)
    yield from _marks(config / "pictures.toml")


def of_languages(config: Path) -> Iterator[Missing]:
    """Yield what languages lack: texts, words and pages, and what is still to be translated."""
    kinds = read_kinds(read_table(config / "cards.toml"))
    pages = {path.stem: _flat(read_table(path)) for path in sorted((config / "pages").glob("*.toml"))}
    whole = pages.get(Language.JAPANESE, {})
    for language, table in _wordings(config).items():
        yield from (_refused(wrong) for wrong in catalog.wrong_in(language, table, kinds))
        yield from _marks(config / "wording" / f"{language}.toml")
        if language not in pages:
            yield Missing(f"config/pages/{language}.toml", "the file", "add it, or pages are in another language")
            continue
        own = pages[language]
        for name in [*(one for one in whole if one not in own), *(one for one in own if one not in whole)]:
            yield Missing(f"config/pages/{language}.toml", name, "every language has the same entries")
        for name in whole.keys() & own.keys():
            if _holes(whole[name]) != _holes(own[name]):
                yield Missing(f"config/pages/{language}.toml", name, f"fill in {sorted(_holes(whole[name]))}")
        yield from _marks(config / "pages" / f"{language}.toml")


def of_channels(package: Path, config: Path) -> Iterator[Missing]:
    """Yield what channels lack: their files, their tests, settings, words, and a place in the registry."""
    known = settings_with(parts()).model_fields
    registered = {one.name for one in CHANNELS}
    folders = {path.parent.name for path in (package / "channels").glob("*/definition.py")}
    for name in sorted(folders - registered):
        yield Missing("reminder/channels/registry.py", "CHANNELS", f"add a line for {name}")
    tests = package.parent / "tests" / "channels"
    for one in CHANNELS:
        folder = package / "channels" / one.name
        for needed in ("__init__.py", "client.py", "definition.py"):
            if not (folder / needed).is_file():
                yield Missing(f"reminder/channels/{one.name}/{needed}", "the file", "add it")
        if tests.is_dir() and not list((tests / one.name).glob("test_*.py")):
            yield Missing(f"tests/channels/{one.name}/", "the folder", "add tests of its client")
        for name in one.reads:
            if name not in known:
                yield Missing(f"reminder/channels/{one.name}/definition.py", "reads", f"no setting is called {name}")
        for path in sorted(folder.glob("*.py")) + sorted((tests / one.name).glob("*.py")):
            where = path.relative_to(package.parent)
            yield from (Missing(str(where), f"line {number}", line) for number, line in marks_in(path))
        yield from _undocumented(package.parent / "docs", one.reads)
        yield from _unnamed(config, one.name)


def unreadable() -> Iterator[Missing]:
    """Yield the error at which the service would stop when it reads config/, if nothing else is found."""
    try:
        read_rulebook(read_settings())
        read_pages()
    except SettingsError as wrong:
        yield _refused(wrong)


def _undocumented(docs: Path, names: tuple[str, ...]) -> Iterator[Missing]:
    if docs.is_dir():
        text = "\n".join(page.read_text(encoding="utf-8") for page in sorted(docs.glob("*.md")))
        for name in names:
            if not re.search(rf"(?<![A-Z_])(?:{PREFIX})?{name.upper()}(?![A-Z_])", text):
                yield Missing("docs/operating.md", f"{PREFIX}{name.upper()}", "say what it is for")


def _unnamed(config: Path, channel: str) -> Iterator[Missing]:
    for folder, entries in words_of(channel).items():
        for path in sorted((config / folder).glob("*.toml")):
            if path.name == "lint.toml":
                continue
            own = read_table(path)
            whole = _flat(_merged(config, own) if folder == "wording" else own)
            for entry in entries:
                said = whole.get(entry)
                if said is None:
                    yield Missing(f"config/{folder}/{path.name}", entry, "add this text")
                elif said.lstrip().startswith(catalog.UNFINISHED):
                    yield Missing(f"config/{folder}/{path.name}", entry, said)


def _merged(config: Path, table: Mapping[str, object]) -> Mapping[str, object]:
    return catalog.with_fallback(table, lambda name: read_table(config / "wording" / f"{name}.toml"))


def _wordings(config: Path) -> dict[Language, Mapping[str, object]]:
    paths = sorted(path for path in (config / "wording").glob("*.toml") if path.name != "lint.toml")
    return {Language(path.stem): _merged(config, read_table(path)) for path in paths}


def _marks(path: Path) -> Iterator[Missing]:
    where = f"config/{path.parent.name}/{path.name}" if path.parent.name in ("wording", "pages") else path.name
    where = where if "/" in where else f"config/{where}"
    return (Missing(where, f"line {number}", line) for number, line in marks_in(path))


def _header_of(path: Path, line: int) -> str:
    above = path.read_text(encoding="utf-8").splitlines()[:line]
    return next((one.strip("[] ") for one in reversed(above) if re.match(r"\[[\w.\-]+\]", one)), "")


def _refused(wrong: SettingsError) -> Missing:
    file, _, place = wrong.setting.partition(": ")
    return Missing(file, place, wrong.fix)


def _flat(table: Mapping[str, object], before: str = "") -> dict[str, str]:
    rows: dict[str, str] = {}
    for name, value in table.items():
        if isinstance(value, Mapping):
            rows |= _flat(value, f"{before}{name}.")
        else:
            rows[before + name] = str(value)
    return rows


def _holes(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))
