"""A home's sheet in a browser: sent in, its columns named, checked, saved, and what was not taken comes back."""

import io
import re
from datetime import date
from pathlib import Path

import openpyxl
import pytest

from reminder.domain.model.people import GroupKind
from reminder.enrolment.imports.reader import LARGEST
from reminder.storage.registry import people
from reminder.worker.jobs import work_on_imports
from tests.homes import SHEETS
from tests.village import Village
from tests.web.browsing import Browser

SHEET = (
    "居室,氏名,電子証明書期限,なにか\n201,ハナ,2027-11-16,x\n202,キヨ,2027-02-30,x\n203,トミ,2020-01-05,x\n".encode()
)


@pytest.fixture
def office(village: Village) -> Browser:
    village.group(GroupKind.HOME, "見本の里")
    village.member("事務", "office@example.jp")
    browser = Browser(village)
    browser.sign_in("office@example.jp")
    browser.get("/imports")
    return browser


def labels(village: Village) -> list[str]:
    with village.app.database.reading() as tx:
        return sorted(person.label for person in people.of_group(tx, 1))


def test_from_a_sheet_to_residents_and_the_rest_comes_back(village: Village, office: Browser) -> None:
    office.send_file("/imports", "residents.csv", SHEET)
    assert "なにか" in office.page.text
    office.submit("/imports/1/columns")
    assert "確かめています" in office.page.text
    work_on_imports(village.app)
    office.get("/imports/1")
    assert "ない日です" in office.page.text
    assert "もう過ぎています" in office.page.text
    office.submit("/imports/1/save")
    work_on_imports(village.app)
    office.get("/imports/1")

    returned = office.send("/imports/1/not-taken.xlsx").body

    assert labels(village) == ["ハナ"]
    rows = list(openpyxl.load_workbook(io.BytesIO(returned)).active.values)
    assert [row[2] for row in rows] == ["氏名", "キヨ", "トミ"]
    office.get("/imports")
    office.send_file("/imports", "again.xlsx", returned)
    assert office.path == "/imports/2"


def test_a_row_that_asks_is_saved_once_somebody_has_ticked_it(village: Village, office: Browser) -> None:
    office.send_file("/imports", "residents.csv", SHEET)
    office.submit("/imports/1/columns")
    work_on_imports(village.app)
    office.get("/imports/1")

    office.submit("/imports/1/save", yes="4")
    work_on_imports(village.app)

    assert labels(village) == ["トミ", "ハナ"]


def test_columns_of_numbers_are_named_and_their_digits_are_nowhere(
    village: Village, office: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whoever spooled the file to the disk would fail here.
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "there is no such folder"))
    large = SHEETS.joinpath("residents_cp932.csv").read_bytes() + b"\r\n" * 1_500_000
    seen = office.send_file("/imports", "residents.csv", large).text
    assert "個人番号" in seen
    assert "被保険者番号" in seen
    office.submit("/imports/1/columns")
    work_on_imports(village.app)
    seen += office.get("/imports/1").text
    office.submit("/imports/1/save")
    work_on_imports(village.app)
    seen += office.get("/imports/1").text

    assert not re.search("99990000|1234567890|1234 5678|暗証1234", seen)
    assert labels(village)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "行がありません"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "ファイルを読めません"),
        (b"PK\x03\x04\xde\xad\xbe\xef", "ファイルを読めません"),
        (b"090-1234-5678,a,b\n", "見出しの行が見つかりません"),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_to_do(
    village: Village, office: Browser, content: bytes, said: str
) -> None:
    answer = office.send_file("/imports", "x.csv", content)

    assert answer.status == 422
    assert said in re.sub(r"<rt>.*?</rt>|<[^>]+>", "", answer.text)
    assert labels(village) == []


def test_more_than_a_sheet_may_hold_is_cut_off_at_the_door(office: Browser) -> None:
    assert office.send_file("/imports", "x.csv", b"x" * (LARGEST + 70_000)).status == 413


def test_a_sheet_given_up_is_gone(village: Village, office: Browser) -> None:
    office.send_file("/imports", "residents.csv", SHEET)

    office.submit("/imports/1/cancel")

    assert "取りやめました" in office.page.text
    office.get("/imports/1")
    assert "ハナ" not in office.page.text
    with village.app.database.reading() as tx:
        assert tx.connection().exec_driver_sql("SELECT count(*) FROM import_rows").scalar_one() == 0


def test_what_would_change_is_shown_before_it_is_saved(village: Village, office: Browser) -> None:
    office.send_file(
        "/imports", "residents.csv", "整理番号,居室,氏名,電子証明書期限\nA1,201,ハナ,2027-11-16\n".encode()
    )
    office.submit("/imports/1/columns")
    work_on_imports(village.app)
    office.get("/imports/1")
    office.submit("/imports/1/save")
    work_on_imports(village.app)
    office.get("/imports")
    corrected = (
        "整理番号,居室,氏名,電子証明書期限,携帯\nA1,305,ハナ,2032-11-16,090-0000-0001\nB2,203,トミ,2027-12-01,\n"
    )
    office.send_file("/imports", "residents.csv", corrected.encode())
    office.submit("/imports/2/columns")
    work_on_imports(village.app)

    changed = re.sub(r"<[^>]+>", "", office.get("/imports/2?show=changed").text)
    new = office.get("/imports/2?show=new").text

    assert "201 → 305" in changed
    assert re.search("2027年11月16日.*→.*2032年11月16日", changed)
    assert "090-****-0001" in changed
    assert "トミ" not in changed
    assert "トミ" in new
    assert "ハナ" not in new
    assert labels(village) == ["ハナ"]


def test_of_many_rows_that_ask_each_can_be_seen_and_all_be_taken_at_once(village: Village, office: Browser) -> None:
    rows = "".join(f"{number},ハナ{chr(0x30A2 + number % 80)},2020-01-05\n" for number in range(1, 252))
    office.send_file("/imports", "residents.csv", ("居室,氏名,電子証明書期限\n" + rows).encode())
    office.submit("/imports/1/columns")
    work_on_imports(village.app)
    office.get("/imports/1")
    next_page = re.search(r'href="(/imports/1\?show=&amp;after=\d+)"', office.page.text)
    assert next_page is not None
    assert "251行目" not in office.page.text
    assert "252行目" in office.get(next_page[1].replace("&amp;", "&")).text
    office.get("/imports/1")

    # As many boxes as one page has, and the one for all the others.
    office.submit("/imports/1/save", yes=[str(number) for number in range(2, 202)], all="yes")
    work_on_imports(village.app)

    assert len(labels(village)) == 251


def test_another_sheet_of_the_book_is_read_when_it_is_named(village: Village, office: Browser) -> None:
    book = openpyxl.Workbook()
    book.active.append(["ごあいさつ"])
    page = book.create_sheet("二階")
    page.append(["居室", "氏名", "電子証明書期限"])
    page.append([201, "ハナ", date(2027, 11, 16)])
    kept = io.BytesIO()
    book.save(kept)

    assert office.send_file("/imports", "residents.xlsx", kept.getvalue()).status == 422
    office.send_file("/imports", "residents.xlsx", kept.getvalue(), sheet="二階")

    assert office.path == "/imports/1"
    assert "ハナ" in office.page.text


@pytest.mark.parametrize(
    ("old", "new"),
    [("/uploads", "/imports"), ("/uploads/1", "/imports/1"), ("/uploads/template.xlsx", "/imports/template.xlsx")],
)
def test_the_path_of_earlier_versions_leads_to_the_page(office: Browser, old: str, new: str) -> None:
    office.send_file("/imports", "residents.csv", SHEET)

    answer = office.get(old)

    assert (answer.status, answer.headers["location"]) == (301, new)
    assert office.get(new).status == 200


def test_an_end_that_names_no_card_must_be_chosen(village: Village, office: Browser) -> None:
    office.send_file("/imports", "list.csv", "居室,氏名,有効期限\n201,ハナ,R9.3.31\n".encode())
    assert "どのカードや証の期限か" in re.sub(r"<rt>.*?</rt>|<[^>]+>", "", office.page.text)

    refused = office.submit("/imports/1/columns")
    chosen = office.submit("/imports/1/columns", column2="card:care_certification")

    assert "決められない列" in re.sub(r"<rt>.*?</rt>|<[^>]+>", "", refused.text)
    assert "確かめています" in chosen.text
