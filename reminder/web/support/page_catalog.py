"""The words of the pages: config/pages/*.toml, one file a language, with the same entries in each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import cast

from markupsafe import Markup, escape

from reminder.domain.model.languages import LanguageFacts, read_facts
from reminder.domain.model.people import Language
from reminder.domain.text import furigana
from reminder.domain.text.catalog import Catalogs, refuse_unfinished, with_fallback
from reminder.domain.text.error_messages import explain
from reminder.errors import KigenError, SettingsError
from reminder.settings import config_dir, read_table

FOLDER = "pages"


@dataclass(frozen=True)
class PageWords:
    """The words of one language. Entries are named section.name; the values put into them are escaped."""

    facts: LanguageFacts
    entries: Mapping[str, str]

    @property
    def language(self) -> Language:
        """Return the language."""
        return self.facts.code

    def __call__(self, entry: str, /, **values: object) -> Markup:
        """Return the entry as HTML with its furigana."""
        filled = escape(self.entries[entry]).format(**values)
        return Markup(furigana.as_ruby_for_browsers(str(filled)))  # noqa: S704  # escaped above; the furigana are ours

    def plain(self, entry: str, /, **values: object) -> str:
        """Return the entry without furigana, for titles and attributes."""
        return furigana.without(self.entries[entry].format(**values))

    def has(self, name: str) -> bool:
        """Return whether there is such an entry."""
        return name in self.entries

    def explain(self, wording: Catalogs, refused: KigenError) -> str:
        """Return what to do next; the pages have sentences of their own if the console's mention commands."""
        own = self.entries.get(f"errors.{refused.code}")
        if own is None:
            return explain(wording, refused, self.language)
        shown = {name: value for name, value in refused.details.items() if isinstance(value, str | int)}
        return own.format_map(_Empty(shown))


class _Empty(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return ""


Pages = Mapping[Language, PageWords]


def read_pages() -> Pages:
    """Return the words of all languages.

    Raises SettingsError with the file and the entry that one language has and another has not.
    """
    return _read(config_dir())


@cache
def _read(folder: Path) -> Pages:
    found: dict[Language, PageWords] = {}
    for path in sorted((folder / FOLDER).glob("*.toml")):
        language = Language(path.stem)
        facts = with_fallback(read_table(folder / "wording" / path.name), _reads(folder))
        written = facts.get("readings", ())
        annotate = furigana.annotator(cast(Sequence[str], written))
        refuse_unfinished(f"config/{FOLDER}/{path.name}", read_table(path))
        entries = {name: annotate(text) for name, text in _flat(read_table(path))}
        found[language] = PageWords(read_facts(language, facts), entries)
    whole = found.get(Language.JAPANESE)
    if whole is None:
        raise SettingsError(f"config/{FOLDER}/ja.toml", "keep this file: the others are held against it")
    for language, words in found.items():
        for name in whole.entries.keys() ^ words.entries.keys():
            raise SettingsError(f"config/{FOLDER}/{language}.toml: {name}", "every language has the same entries")
    return found


def _reads(folder: Path) -> Callable[[str], Mapping[str, object]]:
    return lambda name: read_table(folder / "wording" / f"{name}.toml")


def _flat(table: Mapping[str, object], before: str = "") -> list[tuple[str, str]]:
    rows = []
    for name, value in table.items():
        if isinstance(value, Mapping):
            rows += _flat(value, f"{before}{name}.")
        else:
            rows.append((before + name, str(value)))
    return rows
