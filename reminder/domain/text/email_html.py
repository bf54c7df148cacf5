"""The HTML form of an e-mail: its plain text as a page for any mail program."""

from collections.abc import Callable
from html import escape

from reminder.domain.model.people import Language
from reminder.domain.text.catalog import Catalogs
from reminder.domain.text.furigana import as_ruby


def render_html(text: str, lang: str | None = None, title: str = "期限だより") -> str:
    """Return the same text as a page for any mail program: one column, no picture, no link, nothing fetched.

    `lang` is the tag (BCP 47) of the language of the text; without one it is derived from its letters. Lines that begin
    with ■ are headings; readings in brackets become furigana. The way to stop is in the mail's headers, where it asks
    before it acts.
    """
    lang = lang or _language(text)
    blocks = "\n".join(_html_block(block) for block in text.strip().split("\n\n") if block.strip())
    return (
        f'<!doctype html>\n<html lang="{lang}"><head><meta charset="utf-8"><title>{escape(title)}</title></head>\n'
        '<body style="margin:0;background:#fff;color:#1a1a1a">\n'
        '<div style="max-width:600px;margin:0 auto;padding:16px;font-size:18px;line-height:1.75">\n'
        f"{blocks}\n</div></body></html>\n"
    )


def _language(text: str) -> str:
    """Return the tag of a mail that was stored without its language: ja or en, whichever letters are more."""
    japanese = sum("\u3040" <= char <= "\u9fff" for char in text)
    latin = sum(char.isascii() and char.isalpha() for char in text)
    return "ja" if japanese > latin else "en"


def renderer(wording: Catalogs) -> Callable[[str, Language | None], str]:
    """Return render_html for a text in one of the languages of `wording`; None where the language is unknown."""

    def render(text: str, language: Language | None) -> str:
        words = None if language is None else wording.languages.get(language)
        return render_html(text) if words is None else render_html(text, words.facts.html, words.word("service"))

    return render


def _html_block(block: str) -> str:
    first, *rest = block.strip("\n").split("\n")
    heading = ""
    if first.startswith("■ "):
        heading = f'<h2 style="font-size:20px;margin:24px 0 4px">{as_ruby(escape(first[2:]))}</h2>\n'
        first, rest = (rest[0], rest[1:]) if rest else ("", [])
    return f'{heading}<p style="margin:0 0 12px">{"<br>".join(as_ruby(escape(line)) for line in (first, *rest))}</p>'
