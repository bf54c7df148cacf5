"""A home's own software sends its sheet in: checked, its good rows saved, and the bad ones told of by row and code."""

import io

import openpyxl
import pytest

from reminder.domain.model.people import GroupKind
from reminder.enrolment.imports.reader import LARGEST
from reminder.storage.registry import people
from reminder.worker.jobs import work_on_imports
from tests.village import Village
from tests.web.asking import Answer
from tests.web.calling import Program, program, token_of

GOOD_AND_BAD = "居室,氏名,期日,個人番号\n201,ハナ,2027-11-16,123456789018\n202,キヨ,2027-02-30,\n203,トミ,2020-01-05,\n"


@pytest.fixture
def home(village: Village) -> Program:
    village.group(GroupKind.HOME, "見本の里")
    return program(village, token_of(village, village.member("事務", "office@example.jp")))


def send(home: Program, content: str | bytes) -> Answer:
    return home.ask(
        "POST", "/imports", content.encode() if isinstance(content, str) else content, {"content-type": "text/csv"}
    )


def test_from_a_sheet_to_residents(home: Program, village: Village) -> None:
    sent = send(home, GOOD_AND_BAD)
    checking = home.post("/imports/1/check", {"columns": {"C": "card:mynumber_user_certificate"}})
    work_on_imports(village.app)
    checked = home.get("/imports/1").json
    rows = home.get("/imports/1/rows", {"accept-language": "en"}).json
    saving = home.post("/imports/1/save", {"rows": [4]})
    work_on_imports(village.app)
    saved = home.get("/imports/1").json

    assert (sent.status, sent.json["state"], sent.json["rows"]) == (201, "read", 3)
    assert [(one["letter"], one["use"], one["field"]) for one in sent.json["columns"]] == [
        ("A", "mapped", "room"),
        ("B", "mapped", "name"),
        ("C", "unknown", None),
        ("D", "refused", None),
    ]
    assert (checking.json["state"], checked["state"], checked["done"]) == ("checking", "checked", 3)
    assert [(one["row"], one["status"], one["cell"], one["needs_confirmation"]) for one in rows["items"]] == [
        (2, "accepted", None, False),
        (3, "refused", "C3", False),
        (4, "warned", "C4", True),
    ]
    assert "February" in rows["items"][1]["sentences"][0] or "day" in rows["items"][1]["sentences"][0]
    assert (saving.json["state"], saved["state"], saved["counts"]["saved"]) == ("saving", "saved", 2)
    with village.app.database.reading() as tx:
        assert [one.label for one in people.of_group(tx, 1)] == ["ハナ", "トミ"]
    assert "123456789018" not in sent.everything


def test_rows_come_in_parts(home: Program, village: Village) -> None:
    send(home, "氏名,電子証明書期限\n" + "".join(f"ハナ{chr(0x30A2 + n)},2027-11-16\n" for n in range(5)))
    home.post("/imports/1/check", {})
    work_on_imports(village.app)

    first = home.get("/imports/1/rows?limit=3").json
    second = home.get(f"/imports/1/rows?limit=3&after={first['next']}").json

    assert [one["row"] for one in first["items"] + second["items"]] == [2, 3, 4, 5, 6]
    assert second["next"] is None


def test_what_was_not_taken_comes_back_as_a_workbook(home: Program, village: Village) -> None:
    send(home, GOOD_AND_BAD.replace("期日", "電子証明書期限"))
    home.post("/imports/1/check", {})
    work_on_imports(village.app)

    answer = home.get("/imports/1/not-taken")

    sheet = openpyxl.load_workbook(io.BytesIO(answer.body)).active
    assert [row[2] for row in sheet.iter_rows(values_only=True)] == ["氏名", "キヨ", "トミ"]


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"\n", 422, "sheet_empty"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", 422, "sheet_unreadable"),
        ("一,二\n三,四\n".encode(), 422, "sheet_no_headings"),
        (b"a" * (LARGEST + 70_000), 413, "body_too_long"),
    ],
    ids=["nothing", "a picture", "no headings", "too much"],
)
def test_a_file_that_cannot_be_taken_is_refused_with_what_to_do(
    home: Program, content: bytes, status: int, code: str
) -> None:
    answer = send(home, content)

    assert (answer.status, answer.json["code"]) == (status, code)
    assert home.get("/imports").json["items"] == []


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"Z": "room"}, "column_unknown"),
        ({"A": "shoe_size"}, "column_unknown"),
        ({"A": "name"}, "column_twice"),
        ({"C": ""}, "column_date_needed"),
    ],
)
def test_columns_that_make_no_sense_are_refused_by_code(home: Program, columns: dict[str, str], code: str) -> None:
    send(home, GOOD_AND_BAD.replace("期日", "電子証明書期限"))

    answer = home.post("/imports/1/check", {"columns": columns})

    assert (answer.status, answer.json["code"]) == (422, code)


def test_a_cancelled_sheet_has_no_rows_and_a_repeated_request_sends_it_in_once(home: Program) -> None:
    headers = {"content-type": "text/csv", "idempotency-key": "november"}
    content = GOOD_AND_BAD.encode()

    twice = [home.ask("POST", "/imports", content, headers).json["id"] for _ in range(2)]
    cancelled = home.post("/imports/1/cancel")

    assert twice == [1, 1]
    assert cancelled.json["state"] == "cancelled"
    assert home.get("/imports/1/rows").json["items"] == []


def test_an_end_that_names_no_card_is_asked_about_as_data_and_checked_only_with_an_answer(home: Program) -> None:
    sent = send(home, "居室,氏名,有効期限\n201,ハナ,R9.3.31\n202,キヨ,R9.6.30\n203,トミ,R9.8.31\n").json

    refused = home.post("/imports/1/check", {})
    answered = home.post("/imports/1/check", {"columns": {"C": "card:care_certification"}})

    asked = sent["columns"][2]
    assert (asked["field"], asked["asked"], asked["guess"]) == (None, "which_card", "card:care_certification")
    assert (refused.status, refused.json["code"]) == (422, "column_asked")
    assert answered.json["columns"][2]["field"] == "card:care_certification"
    assert answered.json["columns"][2]["asked"] is None
