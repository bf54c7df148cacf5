"""Letters as PDF with the fonts of this machine, read back: one page a person, and no name that loses a character."""

import io
import os
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pypdf
import pytest

from reminder.channels import paper_pdf
from reminder.channels.paper_pdf import Printed, missing
from reminder.domain.text.letters import ResidentLetter, render_letter
from reminder.errors import RefusedInputError
from tests import relied_on
from tests.domain.text.test_letters import LETTER, OPEN
from tests.rules import WORDING

# A shape of 葛 that fonts have, and one that does not exist.
SHAPED, UNKNOWN_SHAPE = "葛\U000e0100", "葛\U000e01ef"
# Of a plane that no font fills.
UNKNOWN = "\U00030010"
UD = Path("/usr/share/fonts/truetype/bizud-gothic")


@pytest.fixture(autouse=True)
def _with_pango() -> None:
    if not paper_pdf.is_installed():
        reason = "WeasyPrint or Pango is missing (Debian: apt install libpango-1.0-0 libpangoft2-1.0-0)"
        relied_on.do_without("WeasyPrint", reason, "REQUIRE_PDF", os.environ)


def called(*labels: str) -> list[ResidentLetter]:
    return [replace(LETTER, person_id=number, label=label) for number, label in enumerate(labels, 1)]


def printed(letters: list[ResidentLetter], *, furigana: bool = False, leave_out: bool = True) -> Printed:
    return paper_pdf.print_letters(
        letters, lambda letter: render_letter(WORDING, letter, furigana=furigana), "手紙", leave_out=leave_out
    )


def pages(found: Printed) -> list[str]:
    assert found.pdf is not None
    return [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(found.pdf)).pages]


def test_each_letter_is_one_a4_page_with_its_slip() -> None:
    found = printed(called("ハナ", "トミ", "イネ"))

    assert found.pdf is not None
    read = pypdf.PdfReader(io.BytesIO(found.pdf))
    assert [name in page.extract_text() for page, name in zip(read.pages, ("ハナ", "トミ", "イネ"), strict=True)] == [
        True
    ] * 3
    assert all("返信票" in page.extract_text() for page in read.pages)
    assert {(round(page.mediabox.width), round(page.mediabox.height)) for page in read.pages} == {(595, 842)}


def test_a_long_list_goes_on_on_a_second_page_with_nothing_cut_off() -> None:
    kinds = ("care_certification", "passport", "driving_licence", "high_cost_limit", "residence_card")
    many = tuple(replace(OPEN, kind=kind) for kind in kinds * 3)

    found = pages(printed([replace(LETTER, matters=(OPEN, *many)), *called("トミ")]))

    assert "トミ" not in "".join(found[:-1])
    assert "トミ" in found[-1]
    slip = "".join(found[:-1]).partition("返信票")[2]
    assert slip.count("まだ") == len(many) + 1


@pytest.mark.parametrize("furigana", [False, True])
def test_rare_characters_of_names_are_in_the_pdf_as_they_were_typed(furigana: bool) -> None:
    names = ("髙橋 﨑子", "𠮷田 一郎", f"{SHAPED}城 花", "か\u309a")

    found = printed(called(*names), furigana=furigana)

    assert found.unprintable == ()
    text = "".join(pages(found))
    assert all(name in text.replace("\n", "") for name in names)


def test_a_shape_of_a_character_is_drawn_by_another_glyph_than_the_character() -> None:
    found = printed(called("葛", SHAPED))

    assert found.pdf is not None
    glyphs: dict[str, set[str]] = {}
    for page in pypdf.PdfReader(io.BytesIO(found.pdf)).pages:
        for name, font in page["/Resources"]["/Font"].items():
            table = font["/ToUnicode"].get_data().decode()
            for glyph, units in re.findall(r"<([0-9a-fA-F]+)> <([0-9a-fA-F]+)>", table):
                glyphs.setdefault(bytes.fromhex(units).decode("utf-16-be"), set()).add(name + glyph.lower())
    assert glyphs["葛"]
    assert glyphs[SHAPED]
    assert glyphs["葛"].isdisjoint(glyphs[SHAPED])


@pytest.mark.parametrize("sign", [UNKNOWN, UNKNOWN_SHAPE])
def test_a_name_that_no_font_here_can_print_is_refused_by_name_and_the_others_are_printed(sign: str) -> None:
    letters = called("ハナ", f"{sign}田", "トミ")

    found = printed(letters)

    assert [(one.letter.label, one.characters) for one in found.unprintable] == [(f"{sign}田", (sign,))]
    assert f"U+{ord(sign[-1]):04X}" in str(found.unprintable[0])
    assert [("ハナ" in page, "トミ" in page) for page in pages(found)] == [(True, False), (False, True)]
    assert printed(letters, leave_out=False).pdf is None
    assert printed(letters[1:2]).pdf is None


def test_a_home_s_own_name_is_looked_at_too() -> None:
    found = printed([replace(LETTER, from_=f"{UNKNOWN}の里")])

    assert [one.characters for one in found.unprintable] == [(UNKNOWN,)]


@pytest.fixture
def _only_ud_fonts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine with no other font, as fontconfig sees it."""
    if not UD.is_dir():
        relied_on.do_without("BIZ UD Gothic", "fonts-morisawa-bizud-gothic is missing", "REQUIRE_PDF", os.environ)
    file = tmp_path / "fonts.conf"
    file.write_text(f"<fontconfig><dir>{UD}</dir><cachedir>{tmp_path}/cache</cachedir></fontconfig>", encoding="utf-8")
    monkeypatch.setenv("FONTCONFIG_FILE", str(file))
    paper_pdf.clear_font_cache()
    yield
    monkeypatch.undo()
    paper_pdf.clear_font_cache()


@pytest.mark.usefixtures("_only_ud_fonts")
def test_where_the_one_font_lacks_the_character_its_bearer_is_named() -> None:
    found = printed(called("髙橋 﨑子", "𠮷田 一郎", f"{SHAPED}城"))

    assert [str(one) for one in found.unprintable] == ["𠮷田 一郎（𠮷 U+20BB7）"]


@pytest.mark.usefixtures("_only_ud_fonts")
def test_what_weasyprint_itself_could_not_draw_is_the_last_word() -> None:
    # The fonts were looked at while there were more of them.
    html = render_letter(WORDING, *called("𠮷田 一郎"))

    _, lost = paper_pdf.written([html], "手紙")

    assert set(lost) == {"𠮷"}


def test_every_word_of_every_letter_can_be_printed() -> None:
    everything = "".join(
        text for words in WORDING.languages.values() for said in words.kinds.values() for text in said.values()
    )

    assert missing(everything) == []


def test_nothing_is_fetched_whatever_stands_in_the_page() -> None:
    asked = []

    class Listening(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Listening) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        page = f'<section><img src="{url}/a.png"><style>@import "{url}/b.css";</style><p>ハナ</p></section>'
        pdf, _ = paper_pdf.written([page, '<section><img src="file:///etc/hostname"><p>トミ</p></section>'], "手紙")
        server.shutdown()

    assert asked == []
    assert len(pypdf.PdfReader(io.BytesIO(pdf)).pages) == 2


def test_without_what_makes_it_a_pdf_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(RefusedInputError) as refused:
        printed(called("ハナ"))

    assert refused.value.code == "letters_not_installed"
