"""Leaflets: A4, large type, black on white, one page each, printed by any browser.

The words are blocks of text in config/wording/ under [sheets]. A line that begins with # is the title, with ! a date to
be seen from afar, with ■ a heading, with ▢ a frame for a photograph; the lines after a line of --- are small print in a
frame.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from html import escape

from reminder.domain.model.people import Mode
from reminder.domain.text.catalog import MY_NUMBER_SHEETS, Catalog
from reminder.domain.text.forms_of_address import address_of, carers_word
from reminder.domain.text.furigana import as_ruby
from reminder.domain.text.paper import Matter, PaperWords
from reminder.domain.text.safe_words import safe_card_label, safe_label, safe_mark, safe_office, safe_sender

STYLE = """
@page { size: A4; margin: 15mm 18mm }
body { margin: 0 auto; max-width: 174mm; background: #fff; color: #000; font: 18pt/1.5 'BIZ UDPGothic',
  'BIZ UDPゴシック', 'UD Digi Kyokasho NP-R', 'Noto Sans CJK JP', 'Hiragino Sans', sans-serif }
h1 { font-size: 24pt; margin: 0 0 5mm; text-align: center }
h2 { font-size: 20pt; margin: 4mm 0 1mm }
p { margin: 0 }
.gap { height: 2mm }
.date { font-size: 32pt; font-weight: 700; text-align: center; margin: 5mm 0; line-height: 1.4 }
.small { font-size: 14pt; line-height: 1.45; border: 1.5pt solid #000; padding: 3mm 4mm;
  margin-top: 6mm; break-inside: avoid }
.counter { font-size: 24pt }
.consent { font-size: 16pt; line-height: 1.4 }
.consent h2 { font-size: 18pt; margin: 3mm 0 0 }
.consent .small { font-size: 12.5pt; line-height: 1.4; margin-top: 4mm }
.photo p { margin: 1.5mm 0 }
.hospital, .lost { font-size: 16pt; line-height: 1.4 }
.photo { font-size: 14pt; line-height: 1.4 }
.photo h2, .hospital h2, .lost h2 { font-size: 18pt; margin: 3mm 0 0 }
.photo .small, .hospital .small, .lost .small { font-size: 12.5pt; line-height: 1.4; margin-top: 4mm }
p.frame { width: 35mm; height: 45mm; box-sizing: border-box; border: 1pt solid #000; padding: 2mm; margin: 0 auto 3mm;
  font-size: 11pt; text-align: center }
.fridge { font-size: 20pt; line-height: 1.35 }
.fridge h2 { font-size: 22pt; margin: 3mm 0 0; break-after: avoid }
rt { font-size: 50% }
"""


SET_IN_A_TYPE_OF_ITS_OWN = ("consent", "counter", "fridge", *MY_NUMBER_SHEETS)


@dataclass(frozen=True)
class LeafletContents:
    """The person and the cards of a leaflet: one card for the letter, all for the sheet on the refrigerator.

    `sender`: the sender of our texts, as phones show it. `mode`: of the person, who is told to ask the family or staff.
    `stop_line`: of a lost My Number Card; only paper and pages say it, and no message does.
    """

    label: str
    office: str
    from_: str
    mark: str | None
    sender: str
    today: date
    cards: tuple[Matter, ...] = ()
    mode: Mode = Mode.ELDERLY
    stop_line: str = ""


def render_sheet(sheet: str, words: Catalog, facts: LeafletContents, *, stylesheet: str | None = None) -> str:
    """Return a whole page. `sheet`: one of words.SHEETS.

    The page holds its STYLE, or refers to the address `stylesheet`.
    """
    # Paper uses the readings of an e-mail.
    words = words.in_mail
    facts = _safe(words, facts)
    said = words.section("sheets")
    values = _values(words, facts)
    paper = PaperWords(words, values, facts.today)
    each = [said["fridge_card"].strip("\n").format_map(values | _of_card(paper, card)) for card in facts.cards]
    if facts.cards:
        values |= _of_card(paper, facts.cards[0])
    text = said[sheet].strip("\n").format_map(values | {"cards": "\n\n".join(each)})
    plain_title = text.splitlines()[0].lstrip("# ")
    kind = f' class="{sheet}"' if sheet in SET_IN_A_TYPE_OF_ITS_OWN else ""
    body = "\n".join(_blocks(text.splitlines()))
    look = f"<style>{STYLE}</style>" if stylesheet is None else f'<link rel="stylesheet" href="{stylesheet}">'
    return (
        f'<!doctype html>\n<html lang="{words.facts.html}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(plain_title)}</title>'
        f"{look}</head>\n<body{kind}>\n{body}\n</body></html>\n"
    )


def _safe(words: Catalog, facts: LeafletContents) -> LeafletContents:
    """Return the contents with words that may leave us."""
    return replace(
        facts,
        label=safe_label(facts.label),
        office=safe_office(words, facts.office),
        from_=safe_sender(words, facts.from_),
        mark=safe_mark(facts.mark),
        cards=tuple(replace(one, label=safe_card_label(one.label)) for one in facts.cards),
    )


def _values(words: Catalog, facts: LeafletContents) -> dict[str, str]:
    return {
        "service": words.word("service"),
        "operator": words.word("operator"),
        "call": address_of(facts.label, words),
        "who": carers_word(facts.label, words),
        "office": words.read(facts.office),
        "from_": facts.from_,
        "mark": facts.mark or "＿＿＿＿＿＿",
        "sender": facts.sender,
        "today": words.date(facts.today, "full_date"),
        "helper": words.helper(facts.mode),
        "stop_line": facts.stop_line or "＿＿＿＿＿＿＿＿＿＿",
    }


def _of_card(paper: PaperWords, card: Matter) -> dict[str, str]:
    said = paper.words.kinds[card.kind]
    return {
        **{name: text.format_map(paper.values) for name, text in said.items()},
        "elder_to_do": "\n".join(paper.to_do(card)),
        "thing": paper.thing(card),
        "full_date": paper.day(card),
        "end": paper.end(card),
    }


def _blocks(lines: Iterable[str]) -> Iterable[str]:
    small: list[str] | None = None
    for line in lines:
        html = as_ruby(escape(line.lstrip("#!■▢ ") if line[:1] in "#!■▢" else line))
        if line == "---":
            small = []
        elif small is not None:
            small.append(html)
        elif line.startswith("#"):
            yield f"<h1>{html}</h1>"
        elif line.startswith("!"):
            yield f'<p class="date">{html}</p>'
        elif line.startswith("▢"):
            yield f'<p class="frame">{html}</p>'
        elif line.startswith("■"):
            yield f"<h2>{html}</h2>"
        else:
            yield f"<p>{html}</p>" if html else '<p class="gap"></p>'
    if small:
        yield f'<p class="small">{"<br>".join(small)}</p>'
