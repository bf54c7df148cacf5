"""Letters as PDF, by WeasyPrint, which need not be installed. It fetches nothing, and no name loses a character on the
way: one that no font here can print is refused."""

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

# WeasyPrint knows no <ruby>: the reading stands above its word in a block of its own.
_RUBY = re.compile("<ruby>(.*?)<rp>（</rp><rt>(.*?)</rt><rp>）</rp></ruby>")
_RUBY_STYLE = """
.ruby { display: inline-block; text-align: center; text-indent: 0; line-height: 1.15 }
.ruby > span { display: block; font-size: 50%; line-height: 1 }
"""
# What stands over, under or behind a character and belongs to it: accents, and selectors of one of its shapes (葛󠄀).
_SEQUENCE = re.compile("[^<>&;\\s][\u0300-\u036f\u3099\u309a\ufe00-\ufe0d\U000e0100-\U000e01ef]+")
_SELECTOR = re.compile("[\ufe00-\ufe0d\U000e0100-\U000e01ef]")
# Nothing is drawn for these.
_UNSEEN = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})
_EMOJI_STYLE = "\ufe0e\ufe0f"

# Pango's fonts are shared by the threads of a process; and one batch at a time is as much memory as a small server has.
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
    """`pdf` is None where no letter is left to print."""

    pdf: bytes | None
    unprintable: tuple[Unprintable, ...]


def is_installed() -> bool:
    """Whether the extra `letters` is there, and Pango, which it needs from the system."""
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
    """Print the letters. `lang` is the tag of the title's language (BCP 47); with `leave_out` the others are printed
    where some cannot be. Raises RefusedInputError where WeasyPrint is not installed."""
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
        # The fonts have changed under us: what WeasyPrint says it could not draw is the last word.
        still = [Unprintable(one, tuple(sign for sign in lost if sign in section)) for one, section in good]
        return Printed(None, (*unprintable, *(one for one in still if one.characters)))
    return Printed(pdf, tuple(unprintable))


def missing(html: str) -> list[str]:
    """The characters in it that no font here has, and shapes of characters, each once."""
    text = unescape(re.sub("<[^>]*>", " ", html))
    sequences = dict.fromkeys(_SEQUENCE.findall(text))
    signs = dict.fromkeys(sign for sign in _SEQUENCE.sub(" ", text) if sign not in _EMOJI_STYLE)
    return [
        *(sign for sign in signs if unicodedata.category(sign) not in _UNSEEN and _font_for(sign) is None),
        *(sequence for sequence in sequences if _font_for(sequence) is None),
    ]


def written(sections: Sequence[str], title: str, lang: str = "ja") -> tuple[bytes, list[str]]:
    """The PDF, and the characters that WeasyPrint drew as empty boxes."""
    from weasyprint import HTML
    from weasyprint.urls import URLFetcher

    html = render_letters([_for_weasyprint(section) for section in sections], title, lang=lang, more_style=_RUBY_STYLE)
    with _one_at_a_time, _listening() as lost:
        pdf: bytes = HTML(string=html, url_fetcher=URLFetcher(allowed_protocols=())).write_pdf()
    return pdf, lost.signs


def _for_weasyprint(section: str) -> str:
    """Pango takes a font that has the character, though another one has the shape of it that is asked for."""
    section = _RUBY.sub(r'<span class="ruby"><span>\2</span>\1</span>', section)
    return _SEQUENCE.sub(_in_its_font, section)


def _in_its_font(sequence: re.Match[str]) -> str:
    return f"<span style=\"font-family: '{_font_for(sequence[0])}'\">{sequence[0]}</span>"


class _listening(logging.Handler):  # noqa: N801  # reads as a word: with _listening() as lost
    """Hears what WeasyPrint says of characters that it could not draw."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.signs: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if str(record.msg).startswith(".notdef") and isinstance(record.args, tuple):
            self.signs.append(str(record.args[0]))

    def __enter__(self) -> "_listening":
        logging.getLogger("weasyprint").addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger("weasyprint").removeHandler(self)


# The fonts that are here, in the order in which they are asked.


@dataclass(frozen=True)
class _Font:
    family: str
    file: str
    number: int


def look_again() -> None:
    """Forgets what was found: fonts have come or gone."""
    _fonts.cache_clear()
    _font_for.cache_clear()


@lru_cache(maxsize=8192)
def _font_for(characters: str) -> str | None:
    """The first family that has the character, with its marks and in its shape; None where there is none."""
    return next((font.family for font in _fonts() if _has(font, characters)), None)


@cache
def _fonts() -> tuple[_Font, ...]:
    """As fontconfig sorts them, which Pango asks too."""
    program = shutil.which("fc-match")
    assert program is not None, "is_installed() was asked before"
    asked = f"{','.join(FONTS)}:lang=ja"
    line = "%{file}\t%{index}\t%{family[0]}\n"
    found = subprocess.run([program, "-s", asked, "--format", line], capture_output=True, check=True, text=True)  # noqa: S603
    rows = [row.split("\t") for row in found.stdout.splitlines()]
    # The upper half of an index names a variation of one font.
    return tuple(_Font(family, file, int(number) & 0xFFFF) for file, number, family in rows)


def _has(font: _Font, characters: str) -> bool:
    nominal, shapes = _covered(font)
    selectors = [ord(sign) for sign in characters if _SELECTOR.match(sign)]
    drawn = [ord(sign) for sign in characters if not _SELECTOR.match(sign)]
    return nominal.issuperset(drawn) and all(drawn[0] in shapes.get(selector, ()) for selector in selectors)


@lru_cache(maxsize=128)
def _covered(font: _Font) -> tuple[frozenset[int], Mapping[int, frozenset[int]]]:
    """Characters, and by selector those that it has in that shape."""
    from fontTools.ttLib import TTFont, TTLibError

    try:
        with TTFont(font.file, fontNumber=font.number, lazy=True) as file:
            tables = file["cmap"].tables
            nominal = frozenset(file.getBestCmap() or ())
            shapes = {selector: frozenset(base for base, _ in pairs) for selector, pairs in _selected(tables)}
    except (OSError, TTLibError, KeyError):
        # Such as a bitmap font: what only that has is not printed.
        return frozenset(), {}
    return nominal, shapes


def _selected(tables: Sequence[object]) -> Iterator[tuple[int, Sequence[tuple[int, str | None]]]]:
    for table in tables:
        yield from getattr(table, "uvsDict", {}).items()
