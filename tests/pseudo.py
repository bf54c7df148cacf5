"""A made-up language: the English files with every letter of their words in another script, so that each page, text and
sheet shows at a glance what does not come out of a language's files."""

import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

from reminder.settings import shipped

CODE, TAG, NAME = "qps", "qps-ploc", "Псеудо"
FACTS = f"""[language]
name = "{NAME}"
html = "{TAG}"
order = 9
calendars = "western"
script = "other"
speech = "{TAG}"
voice = "Polly.Pseudo"
"""

_CYRILLIC = str.maketrans(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "абцдефгхийклмнопярстувщхызАБЦДЕФГХИЙКЛМНОПЯРСТУВЩХЫЗ"
)
# A comment, a string of several lines, a string; a key in quotation marks is followed by an equals sign.
_TOKEN = re.compile(r'#[^\n]*|"""(?:[^\\]|\\.)*?"""|"(?:[^"\\\n]|\\.)*"(?:\s*=)?')
_KEPT = re.compile(r"\{[^{}]*\}|\\.")
_FOREIGN = re.compile(r"[A-Za-z]{2,}|[ぁ-ゖァ-ヺ一-龥]+")


def add_pseudo_language(folder: Path) -> Path:
    """Copy the shipped config/ to `folder` and add the made-up language as files alone. Return the folder."""
    shutil.copytree(shipped("config"), folder)
    for kind in ("wording", "pages"):
        english = (folder / kind / "en.toml").read_text(encoding="utf-8")
        if kind == "wording":
            english = re.sub(r"(?m)^\[language\]\n(?:\w+ = .*\n)*", "", english)
        translated = _TOKEN.sub(_translated, english)
        if kind == "wording":
            first = re.search(r"(?m)^\[", translated)
            assert first is not None
            translated = translated[: first.start()] + FACTS + "\n" + translated[first.start() :]
        (folder / kind / f"{CODE}.toml").write_text(translated, encoding="utf-8")
    return folder


def _translated(token: re.Match[str]) -> str:
    if token[0].startswith("#") or token[0].endswith("="):
        return token[0]
    pieces, at = [], 0
    for kept in _KEPT.finditer(token[0]):
        pieces += [token[0][at : kept.start()].translate(_CYRILLIC), kept[0]]
        at = kept.end()
    return "".join([*pieces, token[0][at:].translate(_CYRILLIC)])


class _Words(HTMLParser):
    """What a page says in its own language, and the languages that it names."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.said: list[str] = []
        self.tags: list[str] = []
        self._inside: list[tuple[str, bool]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attrs}
        if tag == "html" or (tag == "section" and "lang" in has):
            self.tags.append(has.get("lang", ""))
        is_other = any(other for _, other in self._inside) or tag in ("style", "script", "code", "pre")
        is_other |= has.get("lang", TAG) != TAG
        if tag not in ("meta", "link", "input", "br", "img"):
            self._inside.append((tag, is_other))
        if not is_other:
            self.said += [has[name] for name in ("title", "aria-label", "placeholder", "alt") if name in has]

    def handle_endtag(self, tag: str) -> None:
        while self._inside:
            if self._inside.pop()[0] == tag:
                break

    def handle_data(self, data: str) -> None:
        if not any(other for _, other in self._inside) and data.strip():
            self.said.append(data.strip())


def quoted(folder: Path) -> tuple[str, ...]:
    """Return what the made-up language itself quotes in Japanese, as it stands on a card, longest first."""
    texts = "".join((folder / kind / f"{CODE}.toml").read_text(encoding="utf-8") for kind in ("wording", "pages"))
    return tuple(sorted(set(re.findall("[ぁ-ゖァ-ヺ一-龥]+", texts)), key=len, reverse=True))


def tags_of(page: str) -> list[str]:
    """Return the language of the page, and of each section that names one."""
    return _Words(page).tags


def foreign_in_page(page: str, *, data: tuple[str, ...] = ()) -> list[str]:
    """Return what a page says in another language. `data` is what people have typed, which is in none."""
    return [found for said in _Words(page).said for found in foreign(said, data=data)]


def foreign(text: str, *, data: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield what a text says in another language."""
    for piece in data:
        text = text.replace(piece, "")
    yield from (f"{found} ({text})" for found in _FOREIGN.findall(text))
