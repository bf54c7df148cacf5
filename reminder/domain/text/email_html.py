"""How an e-mail looks: its plain text as a page for any mail program."""

from html import escape

from reminder.domain.text.furigana import as_ruby


def render_html(text: str) -> str:
    """The same words as a page for any mail program: one column, no picture, no link, nothing fetched.

    Lines that begin with ■ are headings; readings in brackets become furigana. The way to stop is in the mail's
    headers, where it asks before it acts.
    """
    language = _language(text)
    blocks = "\n".join(_html_block(block) for block in text.strip().split("\n\n") if block.strip())
    return (
        f'<!doctype html>\n<html lang="{language}"><head><meta charset="utf-8"><title>期限だより</title></head>\n'
        '<body style="margin:0;background:#fff;color:#1a1a1a">\n'
        '<div style="max-width:600px;margin:0 auto;padding:16px;font-size:18px;line-height:1.75">\n'
        f"{blocks}\n</div></body></html>\n"
    )


def _language(text: str) -> str:
    """What a screen reader is to speak. An English mail holds Japanese names, and quotes texts."""
    japanese = sum("\u3040" <= char <= "\u9fff" for char in text)
    latin = sum(char.isascii() and char.isalpha() for char in text)
    return "ja" if japanese > latin else "en"


def _html_block(block: str) -> str:
    first, *rest = block.strip("\n").split("\n")
    heading = ""
    if first.startswith("■ "):
        heading = f'<h2 style="font-size:20px;margin:24px 0 4px">{as_ruby(escape(first[2:]))}</h2>\n'
        first, rest = (rest[0], rest[1:]) if rest else ("", [])
    return f'{heading}<p style="margin:0 0 12px">{"<br>".join(as_ruby(escape(line)) for line in (first, *rest))}</p>'
