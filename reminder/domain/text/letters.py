"""Letters to the residents of a home: A4, 20 points, one page a person, one matter first, and a slip for the family.

The texts are in config/wording/ under [letter]; what is to be done and brought comes from the kind.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from html import escape

from reminder.domain.model.people import Language, Mode
from reminder.domain.text.catalog import ARRIVAL, Catalog, Catalogs
from reminder.domain.text.forms_of_address import address_of
from reminder.domain.text.furigana import as_ruby
from reminder.domain.text.paper import Matter, PaperWords
from reminder.domain.text.safe_words import (
    safe_card_label,
    safe_label,
    safe_mark,
    safe_office,
    safe_place,
    safe_sender,
)

# A font designed for weak eyes; after it fonts with the characters of rare names.
FONTS = ("BIZ UDPGothic", "BIZ UDPゴシック", "BIZ UDGothic", "Noto Sans CJK JP", "Hiragino Sans", "sans-serif")

STYLE = f"""
@page {{ size: A4; margin: 10mm 16mm }}
body {{ margin: 0; background: #fff; color: #000;
  font: 20pt/1.4 {", ".join(name if name == "sans-serif" else f"'{name}'" for name in FONTS)} }}
section {{ max-width: 178mm; margin: 0 auto; break-after: page }}
section:last-of-type {{ break-after: auto }}
p, h1, h2, ul {{ margin: 0; padding: 0 }}
p, li, td {{ overflow-wrap: anywhere }}
h1 {{ font-size: 24pt; text-align: center; margin: 2mm 0 1mm }}
h2 {{ font-size: 22pt; margin: 3mm 0 0; break-after: avoid }}
.today {{ font-size: 14pt; float: right }}
.call {{ font-size: 24pt }}
.date {{ font-size: 32pt; font-weight: 700; text-align: center; line-height: 1.3; margin: 1mm 0 2mm;
  break-after: avoid }}
.bring {{ padding-left: 4em; text-indent: -4em }}
.bring b {{ display: inline-block; width: 4em; text-indent: 0 }}
li {{ list-style: none; padding-left: 1em; text-indent: -1em; break-inside: avoid }}
.ask {{ margin-top: 3mm }}
.small {{ font-size: 14pt; line-height: 1.35; border: 1.5pt solid #000; padding: 1.5mm 3mm; margin-top: 3mm;
  break-inside: avoid }}
.slip {{ font-size: 14pt; line-height: 1.35; border-top: 1.5pt dashed #000; margin-top: 4mm; padding-top: 2mm;
  break-inside: avoid }}
.slip.long {{ break-inside: auto }}
.slip h2 {{ font-size: 16pt; margin: 0 }}
.whose {{ font-size: 16pt }}
table {{ border-collapse: collapse; width: 100%; margin: 1.5mm 0 }}
tr {{ break-inside: avoid }}
td {{ border: 1pt solid #000; padding: 1.2mm 2mm; vertical-align: middle }}
td + td {{ width: 108mm }}
.signed {{ margin-top: 3mm }}
rt {{ font-size: 50% }}
section.furigana {{ line-height: 1.6 }}
.furigana .small {{ line-height: 1.55 }}
@media screen {{ section {{ padding: 8mm; border-bottom: 3pt solid #000 }} }}
"""

# More rows do not fit one page, and the slip may break between them.
ROWS_ON_ONE_PAGE = 10


@dataclass(frozen=True)
class ResidentLetter:
    """The contents of one resident's letter; the first of `matters` is described in full.

    `from_`: the home or family that sends it; `has_slip`: for a home, to which families answer.
    """

    person_id: int
    label: str
    place: str
    language: Language
    office: str
    from_: str
    mark: str | None
    has_slip: bool
    today: date
    matters: tuple[Matter, ...]


def render_letters(
    sections: Sequence[str], title: str, *, lang: str = "ja", stylesheet: str | None = None, more_style: str = ""
) -> str:
    """Return a whole page of the results of render_letter.

    `lang` is the tag of the title's language (BCP 47); each letter has its own. The page holds its STYLE, or refers to
    the address `stylesheet`.
    """
    style = f"<style>{STYLE}{more_style}</style>"
    look = style if stylesheet is None else f'<link rel="stylesheet" href="{stylesheet}">'
    body = "\n".join(sections)
    return (
        f'<!doctype html>\n<html lang="{lang}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title>{look}</head>\n<body><main>\n{body}\n</main></body></html>\n"
    )


def render_letter(wording: Catalogs, letter: ResidentLetter, *, furigana: bool = False) -> str:
    """Return one section, which begins a new page. `furigana`: also where the language does without."""
    plain = wording.of(letter.language)
    words = plain.with_furigana if furigana else plain.in_mail
    letter = _safe(words, letter)
    parts = list(_LetterParts(words, wording.families, letter).text())
    if letter.has_slip:
        # The family reads this: without readings, unless the language always has them.
        parts += _LetterParts(plain.in_mail, wording.families, letter).slip()
    body = "\n".join(parts)
    kind = ' class="furigana"' if "<ruby>" in body else ""
    return f'<section lang="{plain.facts.html}"{kind}>\n{body}\n</section>'


def _safe(words: Catalog, letter: ResidentLetter) -> ResidentLetter:
    """Return the letter with words that may leave us."""
    return replace(
        letter,
        label=safe_label(letter.label),
        place=safe_place(words, letter.place),
        office=safe_office(words, letter.office),
        from_=safe_sender(words, letter.from_),
        mark=safe_mark(letter.mark),
        matters=tuple(replace(one, label=safe_card_label(one.label)) for one in letter.matters),
    )


@dataclass(frozen=True)
class _LetterParts:
    """The lines of HTML of one letter, in one language. `families`: of texts, for each kind of card."""

    words: Catalog
    families: Mapping[str, str]
    letter: ResidentLetter

    def text(self) -> Iterator[str]:
        """Yield the letter to the resident."""
        first, *others = self.letter.matters
        yield _p(self._values["today"], "today")
        yield _p(self._values["call"], "call")
        yield f"<h1>{_html(self._said['title'])}</h1>"
        yield from self._first(first)
        yield from self._others(others)
        yield _p(self._said["ask"].format_map(self._values), "ask")
        yield _p(" ".join([self._said["about"].format_map(self._values), *self._mark()]), "small")

    def slip(self) -> Iterator[str]:
        """Yield the slip for the family, under a line to cut along: the person, the card, the result, the signer."""
        said, letter = self._said, self.letter
        whose = " ".join(part for part in (letter.label or self.words.section("neutral")["who"], letter.place) if part)
        long = " long" if len(letter.matters) > ROWS_ON_ONE_PAGE else ""
        yield f'<div class="slip{long}">'
        yield f"<h2>{_html(said['slip'].format_map(self._values))}</h2>"
        yield f'<p class="whose">{_html(said["whose"].format(whose=whose))}</p>'
        yield _p(said["how"].format_map(self._values))
        yield "<table>"
        yield from map(self._row, letter.matters)
        yield "</table>"
        yield _p(said["signed"], "signed")
        yield "</div>"

    def _row(self, matter: Matter) -> str:
        said = self._said
        came = "arrived" if self.families[matter.kind] == ARRIVAL else "renewed"
        return (
            f"<tr><td>{_html(self._paper.thing(matter))}<br>{_html(self._paper.day(matter))}</td>"
            f"<td>□ {_html(said[came])}<br>□ {_html(said['not_yet'])}　　□ {_html(said['leave_it'])}</td></tr>"
        )

    @property
    def _said(self) -> Mapping[str, str]:
        return self.words.section("letter")

    @cached_property
    def _values(self) -> Mapping[str, str]:
        words, letter = self.words, self.letter
        return {
            "service": words.word("service"),
            "operator": words.word("operator"),
            "call": address_of(letter.label, words),
            "office": words.read(letter.office),
            "from_": letter.from_,
            "helper": words.helper(Mode.HOME if letter.has_slip else Mode.ELDERLY),
            "today": words.date(letter.today, "full_date"),
        }

    def _mark(self) -> list[str]:
        return [self._said["mark"].format(mark=self.letter.mark)] if self.letter.mark else []

    @cached_property
    def _paper(self) -> PaperWords:
        return PaperWords(self.words, self._values, self.letter.today)

    def _first(self, matter: Matter) -> Iterator[str]:
        """Yield the card, its end, and what is to be done about it."""
        yield f"<h2>{_html(self._paper.thing(matter))}</h2>"
        yield _p(self._paper.end(matter), "date")
        for line in self._paper.to_do(matter):
            yield _p(line)
        if self.families[matter.kind] != ARRIVAL:
            bring = _html(self._said["bring"])
            yield f'<p class="bring"><b>{bring}</b>{_html(self.words.kinds[matter.kind]["bring"])}</p>'

    def _others(self, matters: Sequence[Matter]) -> Iterator[str]:
        if matters:
            yield f"<h2>{_html(self._said['others'])}</h2>"
            yield "<ul>"
            for matter in matters:
                yield f"<li>・{_html(self._paper.thing(matter))}　{_html(self._paper.end(matter))}</li>"
            yield "</ul>"


def _p(text: str, kind: str = "") -> str:
    return f'<p class="{kind}">{_html(text)}</p>' if kind else f"<p>{_html(text)}</p>"


def _html(text: str) -> str:
    return as_ruby(escape(text))
