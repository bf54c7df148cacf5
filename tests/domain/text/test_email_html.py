"""How an e-mail looks: the same words for any mail program, and nothing to follow or to fetch."""

import re
from dataclasses import dataclass, field
from datetime import date
from html.parser import HTMLParser

import pytest

from reminder.domain.model.people import Audience, ChannelName, Language, Mode
from reminder.domain.text.email_html import render_html
from reminder.domain.text.model import Copy, Reader, ReminderContent
from tests.rules import COMPOSER, LANGUAGES, WORDING, step_text

TOLD = ReminderContent(
    "mynumber_user_certificate",
    date(2026, 12, 23),
    step=step_text("d30"),
    last_counter_day=date(2026, 12, 22),
    grace_ends_on=date(2027, 3, 31),
)
SENT = "【期限だより・つばめ】お母さん、マイナンバーカードの更新は12月23日（水）までです。市役所へ行ってください。"


@dataclass
class Page(HTMLParser):
    """What a mail program makes of it."""

    html: str
    tags: list[str] = field(default_factory=list)
    attributes: list[tuple[str, str | None]] = field(default_factory=list)
    headings: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        # With its readings in brackets, as a mail program that knows no furigana shows it.
        self.feed(re.sub("</?(ruby|rp|rt)>", "", self.html))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] == ["h2"] and data.strip():
            self.headings.append(data)
        if "body" in self.tags and data.strip():
            self.lines.append(data.strip("\n"))


def letter(language: Language) -> str:
    """A copy to a carer, with the Japanese text that the person was sent."""
    to = Reader(Audience.CARER, ChannelName.EMAIL, language, Mode.ELDERLY, "長谷川花子", "つばめ", "市役所", "田中家")
    return COMPOSER.reminder([TOLD], to, copy=Copy(SENT)).text


def lines_of(text: str) -> list[str]:
    return [line.removeprefix("■ ") for line in text.split("\n") if line.strip()]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_letter_says_every_line_of_its_plain_text_in_order(language: Language) -> None:
    page = Page(render_html(letter(language)))

    assert page.lines == lines_of(letter(language))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_part_of_a_letter_has_its_heading(language: Language) -> None:
    part = WORDING.of(language).in_mail.section("email.part")

    page = Page(render_html(letter(language)))

    assert page.headings == [part[name] for name in ("sent", "to_do", "proxy", "stops", "done", "about")]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_letter_holds_no_link_no_picture_and_nothing_that_is_fetched(language: Language) -> None:
    html = render_html(letter(language))

    page = Page(html)
    assert set(page.tags) == {"html", "head", "meta", "title", "body", "div", "h2", "p", "br"}
    assert {name for name, _ in page.attributes} == {"lang", "charset", "style"}
    assert not re.search(r"://|url\(|@import|example\.jp", html)


@pytest.mark.parametrize(
    "typed",
    [
        "<script>alert(1)</script>",
        '<a href="https://example.jp">ここ</a>',
        "<img src=x onerror=alert(1)>",
        "&lt;b&gt; & &amp; &#x3c;",
        "\"quoted\" 'twice' <!-- -->",
        "</p></div></body>",
    ],
)
@pytest.mark.parametrize("place", ["{}", "一行目\n{}", "■ {}\n本文", "■ すること\n{}", "本文\n\n{}"])
def test_whatever_was_typed_is_shown_and_never_obeyed(typed: str, place: str) -> None:
    text = place.format(typed)

    page = Page(render_html(text))

    assert page.lines == lines_of(text)
    assert set(page.tags) <= {"html", "head", "meta", "title", "body", "div", "h2", "p", "br"}
    assert {name for name, _ in page.attributes} <= {"lang", "charset", "style"}


@pytest.mark.parametrize(
    ("text", "language", "why"),
    [
        (letter(Language.JAPANESE), "ja", "Japanese"),
        (letter(Language.EASY_JAPANESE), "ja", "plain Japanese is Japanese"),
        (letter(Language.ENGLISH), "en", "English, though it names and quotes in Japanese"),
        ("お母さま has a date to keep at the city office.", "en", "a name is not a language"),
        ("e-Taxを使う前に、市区町村の窓口で発行できます。", "ja", "nor is a brand"),
    ],
)
def test_a_screen_reader_is_told_the_language_the_letter_is_written_in(text: str, language: str, why: str) -> None:
    page = Page(render_html(text))

    assert [value for name, value in page.attributes if name == "lang"] == [language], why


def test_a_square_inside_a_line_is_no_heading() -> None:
    page = Page(render_html("印は ■ です。\n■ ここも本文\n\n■ 見出し\n本文"))

    assert page.headings == ["見出し"]


def test_a_heading_alone_and_an_empty_text_are_still_pages() -> None:
    assert Page(render_html("■ 見出し")).headings == ["見出し"]
    assert Page(render_html("")).lines == []


def test_a_reader_with_weak_eyes_can_read_it() -> None:
    # Source: the rule for letters: one column of at most 600 pixels, 18 pixels high, dark on white.
    html = render_html(letter(Language.JAPANESE))

    for style in ("max-width:600px", "font-size:18px", "line-height:1.75", "background:#fff", "color:#1a1a1a"):
        assert style in html


def test_readings_become_furigana_and_nothing_else_does() -> None:
    html = render_html("期限（きげん）は 3月31日（水）です。長谷川（はせがわ 花子）")

    assert "<ruby>期限<rp>（</rp><rt>きげん</rt><rp>）</rp></ruby>は" in html
    assert html.count("<ruby>") == 1
