"""Skeletons of a kind, a language or a channel: files in which everything that somebody must fill in is marked."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from string import Template

from reminder.channels.definition import words_of
from reminder.cli.scaffold.toml_text import add_entry, block, insert_after, marked, without_block
from reminder.domain.model.languages import SECTION
from reminder.domain.text.catalog import UNFINISHED as TODO
from reminder.errors import ConflictError, RefusedInputError, UnknownChoiceError

NAME = re.compile(r"[a-z][a-z0-9_]{1,30}")
LANGUAGE_NAME = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{1,8})*")
LONGEST_NAME = 10  # of a language or a channel in the database

TEMPLATES = Path(__file__).parent / "templates"


def new_kind(config: Path, name: str, like: str) -> list[Path]:
    """Add a kind of card to the files of `config`, copied from the kind `like`. Return the files that were written."""
    _checked(name, NAME)
    cards = _read(config / "cards.toml")
    facts = block(cards, like)
    if facts is None:
        raise UnknownChoiceError(field="kind", choices=re.findall(r"(?m)^\[([a-z_]+)\]", cards))
    if block(cards, name) is not None:
        raise ConflictError("name_taken", name=name)
    own = re.sub(rf"(?m)^(\[\[?){re.escape(like)}([.\]])", rf"\g<1>{name}\2", facts.lstrip("\n"))
    own = re.sub(r"(?ms)^source = .*?\]\n", "source = []\n", own, count=1)
    own = re.sub(r'(?m)^confidence = ".*?"', 'confidence = "unconfirmed"', own)
    head = f"# {TODO}: read each field again: they are those of {like}. `source` says where its rule was read.\n"
    written = {config / "cards.toml": insert_after(cards, like, head + _without_comments_above(own, name))}
    for path in _languages(config):
        text = _read(path)
        said = block(text, f"kinds.{like}")
        if said is not None:
            said = said[said.index("[") :].replace(f"[kinds.{like}]", f"[kinds.{name}]", 1)
            written[path] = insert_after(text, f"kinds.{like}", marked(said))
    pictures = _read(config / "pictures.toml")
    drawn = re.search(rf"(?m)^{re.escape(like)} = ([^\n]*)", pictures)
    if drawn is not None:
        line = f"{name} = {drawn[1].partition(' #')[0]} # {TODO}: where its date stands"
        written[config / "pictures.toml"] = add_entry(pictures, "kinds", line, after=like)
    return _write(written)


def _without_comments_above(own: str, name: str) -> str:
    return own[own.index(f"[{name}]") :]


def new_language(config: Path, name: str, like: str) -> list[Path]:
    """Add a language to `config`, copied from the language `like` with a mark before each word. Return its files."""
    _checked(name, LANGUAGE_NAME, LONGEST_NAME)
    written = {}
    for folder in ("wording", "pages"):
        source = config / folder / f"{like}.toml"
        if not source.is_file():
            raise UnknownChoiceError(field="language", choices=[path.stem for path in _languages(config)])
        if (path := config / folder / f"{name}.toml").exists():
            raise ConflictError("name_taken", name=name)
        text = _read(source)
        if folder == "wording":
            first = re.search(r"(?m)^\[", text)
            facts = _FACTS.substitute(name=name, order=len(_languages(config)) + 1, todo=TODO)
            at = len(text) if first is None else first.start()
            below = marked(without_block(text[at:], SECTION))
            # The language that it falls back to is not to be translated.
            above = re.sub(rf'(?m)^like = "{TODO} ', 'like = "', marked(text[:at]))
            written[path] = f"{above}{facts}\n{below}"
        else:
            written[path] = marked(text)
    return _write(written)


_FACTS = Template("""[language]
name = "$todo: its name in itself"
html = "$name" # its tag, BCP 47
order = $order
calendars = "western" # or "both": with the Japanese calendar beside it
script = "other" # or "latin": a text then leaves out a mark word in another script
speech = "$name" # $todo: the tag in which a call speaks it, such as ko-KR
# voice = "Polly.…" # Twilio's name of who speaks; without it the setting CALL_VOICE
""")


def new_channel(package: Path, config: Path, name: str) -> list[Path]:
    """Add a channel's folder and tests to a checkout, its line in the registry and its names in each language.

    `package` is reminder/ of the checkout. Return the files that were written.
    """
    _checked(name, NAME, LONGEST_NAME)
    folder, tests = package / "channels" / name, package.parent / "tests" / "channels"
    if folder.exists():
        raise ConflictError("name_taken", name=name)
    if not tests.is_dir():
        raise RefusedInputError("checkout_needed")
    values = {"name": name, "class_name": name.title().replace("_", ""), "constant": name.upper(), "todo": TODO}
    written = {
        folder / path.name.removesuffix(".txt"): Template(_read(path)).substitute(values)
        for path in sorted(TEMPLATES.glob("channel/*.py.txt"))
    }
    test = Template(_read(TEMPLATES / "channel" / "test_client.txt")).substitute(values)
    written[tests / name / "__init__.py"] = ""
    written[tests / name / f"test_{name}_client.py"] = test
    written = {path: _with_sorted_imports(text) for path, text in written.items()}
    registry = package / "channels" / "registry.py"
    text = _read(registry)
    text = re.sub(
        r"(?m)^(from reminder\.channels\.definition import .*\n)",
        rf"\1from reminder.channels.{name}.definition import {values['constant']}\n",
        text,
        count=1,
    )
    line = rf"\1    {values['constant']},\n)"
    text = re.sub(r"(?s)(CHANNELS: Sequence\[ChannelDefinition\] = \(\n.*?)\)", line, text, count=1)
    written[registry] = _with_sorted_imports(text)
    for kind, entries in words_of(name).items():
        for path in sorted((config / kind).glob("*.toml")):
            if path.name == "lint.toml":
                continue
            text = _read(path)
            for entry in entries:
                section, _, key = entry.rpartition(".")
                if block(text, section) is None and re.search("(?m)^like = ", text):
                    continue  # the language that it falls back to has this word
                text = add_entry(text, section, f'{key} = "{TODO} {name}"', after=_last_of_its_sort(text, section, key))
            written[path] = text
    return _write(written)


def _with_sorted_imports(text: str) -> str:
    """Return the module with its one-line imports of our own in the order that ruff asks for."""
    return re.sub(r"(?m)(^from reminder\.[^\n(]*\n)+", lambda some: "".join(sorted(some[0].splitlines(True))), text)


def _last_of_its_sort(text: str, section: str, key: str) -> str | None:
    """Return the last key of the table that begins like this one: channel_line_more before channel_fax."""
    own = block(text, section) or ""
    sort = key.partition("_")[0] + "_"
    return next((found for found in reversed(re.findall(r"(?m)^([\w-]+) *=", own)) if found.startswith(sort)), None)


def _checked(name: str, form: re.Pattern[str], longest: int = 31) -> None:
    if not form.fullmatch(name) or len(name) > longest:
        raise RefusedInputError("name_unusable", field="name", longest=longest)


def _languages(config: Path) -> Sequence[Path]:
    return sorted(path for path in (config / "wording").glob("*.toml") if path.name != "lint.toml")


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _write(written: dict[Path, str]) -> list[Path]:
    for path, text in written.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return list(written)


def marks_in(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the number and the text of each line that somebody still has to look at."""
    for number, line in enumerate(_read(path).splitlines(), 1):
        if re.search(rf"\b{TODO}\b", line):
            yield number, line.strip()
