"""Letters as PDF, by WeasyPrint, which is optional.

It fetches nothing, and no name loses a character: a letter with a character that no font here has is refused.
"""

import logging
import re
import shutil
import subprocess
import threading
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from html import unescape

from reminder.domain.text.letters import FONTS, ResidentLetter, render_letters
from reminder.errors import RefusedInputError

# WeasyPrint does not support <ruby>: the reading is placed above its word in a block of its own.
_RUBY = re.compile("<ruby>([^<]*)<rp>（</rp><rt>([^<]*)</rt><rp>）</rp></ruby>")
_RUBY_STYLE = """
.ruby { display: inline-block; text-align: center; text-indent: 0; line-height: 1.15 }
.ruby > span { display: block; font-size: 50%; line-height: 1 }
"""
# Marks that belong to the character before them: accents, and selectors of one of its shapes (葛󠄀).
_SEQUENCE = re.compile("[^<>&;\\s][\u0300-\u036f\u3099\u309a\ufe00-\ufe0d\U000e0100-\U000e01ef]+")
_SELECTOR = re.compile("[\ufe00-\ufe0d\U000e0100-\U000e01ef]")
# Characters that are not drawn.
_UNSEEN = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})
_EMOJI_STYLE = "\ufe0e\ufe0f"

# Pango's fonts are shared by the threads of a process, and the memory of a small server suffices for one batch only.
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Unprintable:
    """A letter that is not printed, and the characters that no font here has."""

    letter: ResidentLetter
    characters: tuple[str, ...]

    def __str__(self) -> str:
        shown = " ".join(f"{one} {' '.join(f'U+{ord(sign):04X}' for sign in one)}" for one in self.characters)
        return f"{self.letter.label}（{shown}）"


@dataclass(frozen=True)
class Printed:
    """The result of printing. `pdf` is None where no letter is left to print."""

    pdf: bytes | None
    unprintable: tuple[Unprintable, ...]


def is_installed() -> bool:
    """Return whether the extra `letters` is installed, and Pango, which it needs from the system."""
    try:
        import weasyprint  # noqa: F401
    except (ImportError, OSError):
        return False
    return shutil.which("fc-match") is not None


def print_letters(
    letters: Sequence[ResidentLetter],
    render: Callable[[ResidentLetter], str],
    title: str,
    *,
    lang: str = "ja",
    leave_out: bool = True,
) -> Printed:
    """Print the letters. `lang` is the tag of the title's language (BCP 47).

    With `leave_out` the others are printed where some cannot be. Raises RefusedInputError where WeasyPrint is not
    installed.
    """
    if not is_installed():
        raise RefusedInputError("letters_not_installed")
    good: list[tuple[ResidentLetter, str]] = []
    unprintable = []
    for letter in letters:
        section = render(letter)
        if characters := tuple(missing(section)):
            unprintable.append(Unprintable(letter, characters))
        else:
            good.append((letter, section))
    if not good or (unprintable and not leave_out):
        return Printed(None, tuple(unprintable))
    pdf, lost = written([section for _, section in good], title, lang)
    if lost:
        # The fonts have changed meanwhile: WeasyPrint's own report of missing characters decides.
        still = [Unprintable(one, tuple(sign for sign in lost if sign in section)) for one, section in good]
        return Printed(None, (*unprintable, *(one for one in still if one.characters)))
    return Printed(pdf, tuple(unprintable))


def missing(html: str) -> list[str]:
    """Return the characters that no font here has, including their shapes, each once."""
    text = unescape(re.sub("<[^<>]*>", " ", html))
    sequences = dict.fromkeys(_SEQUENCE.findall(text))
    signs = dict.fromkeys(sign for sign in _SEQUENCE.sub(" ", text) if sign not in _EMOJI_STYLE)
    return [
        *(sign for sign in signs if unicodedata.category(sign) not in _UNSEEN and _font_for(sign) is None),
        *(sequence for sequence in sequences if _font_for(sequence) is None),
    ]


def written(sections: Sequence[str], title: str, lang: str = "ja") -> tuple[bytes, list[str]]:
    """Return the PDF, and the characters that WeasyPrint drew as empty boxes."""
    from weasyprint import HTML
    from weasyprint.urls import URLFetcher

    html = render_letters([_for_weasyprint(section) for section in sections], title, lang=lang, more_style=_RUBY_STYLE)
    with _one_at_a_time, _listening() as lost:
        pdf: bytes = HTML(string=html, url_fetcher=URLFetcher(allowed_protocols=())).write_pdf()
    return pdf, lost.signs


def _for_weasyprint(section: str) -> str:
    """Return the section with a font named for each character whose shape only that font has.

    Pango takes any font with the character, even if another one has the requested shape.
    """
    section = _RUBY.sub(r'<span class="ruby"><span>\2</span>\1</span>', section)
    return _SEQUENCE.sub(_in_its_font, section)


def _in_its_font(sequence: re.Match[str]) -> str:
    return f"<span style=\"font-family: '{_font_for(sequence[0])}'\">{sequence[0]}</span>"


class _listening(logging.Handler):  # noqa: N801  # reads as a word: with _listening() as lost
    """A log handler that collects the characters that WeasyPrint could not draw."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.signs: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Collect the character of one log record."""
        if str(record.msg).startswith(".notdef") and isinstance(record.args, tuple):
            self.signs.append(str(record.args[0]))

    def __enter__(self) -> "_listening":
        logging.getLogger("weasyprint").addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger("weasyprint").removeHandler(self)


# The installed fonts, in the order of preference.


@dataclass(frozen=True)
class _Font:
    family: str
    file: str
    number: int


def clear_font_cache() -> None:
    """Clear the cache of fonts, after fonts were added or removed."""
    _fonts.cache_clear()
    _font_for.cache_clear()


@lru_cache(maxsize=8192)
def _font_for(characters: str) -> str | None:
    """Return the first family that has the character, with its marks and in its shape; None where there is none."""
    return next((font.family for font in _fonts() if _has(font, characters)), None)


@cache
def _fonts() -> tuple[_Font, ...]:
    """Return the fonts in the order of fontconfig, which Pango uses too."""
    program = shutil.which("fc-match")
    assert program is not None, "is_installed() was asked before"
    asked = f"{','.join(FONTS)}:lang=ja"
    line = "%{file}\t%{index}\t%{family[0]}\n"
    found = subprocess.run([program, "-s", asked, "--format", line], capture_output=True, check=True, text=True)  # noqa: S603
    rows = [row.split("\t") for row in found.stdout.splitlines()]
    # The upper half of an index is a variation of one font.
    return tuple(_Font(family, file, int(number) & 0xFFFF) for file, number, family in rows)


def _has(font: _Font, characters: str) -> bool:
    nominal, shapes = _covered(font)
    selectors = [ord(sign) for sign in characters if _SELECTOR.match(sign)]
    drawn = [ord(sign) for sign in characters if not _SELECTOR.match(sign)]
    return nominal.issuperset(drawn) and all(drawn[0] in shapes.get(selector, ()) for selector in selectors)


@lru_cache(maxsize=128)
def _covered(font: _Font) -> tuple[frozenset[int], Mapping[int, frozenset[int]]]:
    """Return the font's characters, and by selector those that it has in that shape."""
    from fontTools.ttLib import TTFont, TTLibError

    try:
        with TTFont(font.file, fontNumber=font.number, lazy=True) as file:
            tables = file["cmap"].tables
            nominal = frozenset(file.getBestCmap() or ())
            shapes = {selector: frozenset(base for base, _ in pairs) for selector, pairs in _selected(tables)}
    except (OSError, TTLibError, KeyError):
        # Such as a bitmap font: characters that only it has are not printed.
        return frozenset(), {}
    return nominal, shapes


def _selected(tables: Sequence[object]) -> Iterator[tuple[int, Sequence[tuple[int, str | None]]]]:
    for table in tables:
        yield from getattr(table, "uvsDict", {}).items()
