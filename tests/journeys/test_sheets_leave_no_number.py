"""Sheets full of numbers, sent to a real server by every door: afterwards not one of their digits is anywhere."""

import io
import json
import zipfile
from http.client import HTTPConnection
from pathlib import Path

import openpyxl
import pytest
from openpyxl.comments import Comment

from reminder.clock import SystemClock
from reminder.domain.model.people import Language
from reminder.storage.auth import accounts, sessions
from reminder.storage.crypto.keyring import new_token, token_hash
from reminder.storage.registry import contacts, imports
from reminder.wiring import build_app, read_settings
from tests.program import PATIENCE, Program, free_port, until

# Invented, in runs that no other file here holds.
IN_COLUMN, IN_NOTE, IN_COMMENT, IN_HIDDEN, IN_HEADING, IN_OTHER_SHEET = (
    "".join((start, "41", "96", "27", "03"))[:12] for start in ("7712", "7723", "7734", "7745", "7756", "7767")
)
NUMBERS = (IN_COLUMN, IN_NOTE, IN_COMMENT, IN_HIDDEN, IN_HEADING, IN_OTHER_SHEET)
PASSCODE = "暗証9274"


def workbook(rows: int) -> bytes:
    """A merged heading over a hidden column, a comment, a number as a heading, and texts that many cells share."""
    book = openpyxl.Workbook()
    page = book.active
    page.append(["居室", "氏名", "電子証明書期限", "マイナンバーカード", None, "備考", IN_HEADING])
    page.append([None, None, None, "番号", "暗証番号", None, None])
    page.merge_cells("D1:E1")
    for number in range(rows):
        page.append([number, f"ハナ{chr(0x30A2 + number % 80)}", "2030-11-16", IN_COLUMN, PASSCODE, "", "x"])
    page["F5"] = f"メモ {IN_NOTE}"
    page["E6"] = int(IN_HIDDEN)
    page["B7"].comment = Comment(f"番号は{IN_COMMENT}", "事務")
    page.column_dimensions["E"].hidden = True
    book.create_sheet("ほか").append([IN_OTHER_SHEET])
    kept = io.BytesIO()
    book.save(kept)
    return kept.getvalue()


def csv_file(rows: int) -> bytes:
    """Longer than what a web server keeps in memory before it writes to a disk."""
    lines = [f"{number},ハナ,2030-11-16,{IN_COLUMN},{'メモ' * 300}" for number in range(rows)]
    lines[3] = f"3,ハナ,2030-11-16,,{PASSCODE} {IN_NOTE}"
    return "\n".join(["居室,氏名,電子証明書期限,個人番号,備考", *lines]).encode()


def ask(port: int, method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, {"host": f"127.0.0.1:{port}", **named})
        answer = connection.getresponse()
        return str(sorted(answer.getheaders())).encode() + answer.read()
    finally:
        connection.close()


def signed_in(program: Program) -> tuple[str, str]:
    """A session of the office's own, past the mail with the code: its cookie and the seal of its forms."""
    settings = read_settings(data_dir=program.folder / "data")
    with build_app(settings) as app, app.database.writing() as tx:
        now, token = SystemClock().now(), new_token()
        account = accounts.add(tx, app.keys, address="office@example.jp", language=Language.JAPANESE, now=now)
        member = next(one.member_id for one in contacts.of_group(tx, app.keys, 1) if one.member_id)
        accounts.set_account(tx, app.keys, member, account.id)
        sessions.add(
            tx,
            app.keys,
            account_id=account.id,
            member_id=member,
            token_hash=token_hash(token),
            device="",
            now=now,
            expires_at=now.replace(year=now.year + 1),
        )
        return f"kigen={token}", app.keys.sign(token, "form")


def form(seal: str, name: str, content: bytes) -> bytes:
    parts = [
        f'--mark\r\ncontent-disposition: form-data; name="seal"\r\n\r\n{seal}\r\n'.encode(),
        f'--mark\r\ncontent-disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode() + content,
        b"\r\n--mark--\r\n",
    ]
    return b"".join(parts)


def unpacked(answer: bytes) -> bytes:
    """With what a workbook in it holds."""
    if b"PK\x03\x04" not in answer:
        return answer
    with zipfile.ZipFile(io.BytesIO(answer[answer.index(b"PK\x03\x04") :])) as book:
        return answer + b"".join(book.read(part) for part in book.namelist())


def opened(program: Program) -> bytes:
    """The cells that wait in the database, unsealed."""
    with build_app(read_settings(data_dir=program.folder / "data")) as app, app.database.reading() as tx:
        rows = [row for number in (1, 2) for row in imports.rows_after(tx, app.keys, number, 0, 10_000)]
    said = [[dict(row.cells), *map(vars, row.reader_findings), *map(vars, row.findings)] for row in rows]
    return json.dumps(said, ensure_ascii=False).encode()


def test_the_search_sees_into_workbooks() -> None:
    assert IN_COLUMN.encode() not in workbook(3)
    assert all(digits.encode() in unpacked(b"headers" + workbook(3)) for digits in (*NUMBERS, "9274"))


@pytest.mark.parametrize("file", ["residents.xlsx", "residents.csv"])
def test_no_digit_is_in_the_database_the_log_a_temporary_file_or_an_answer(tmp_path: Path, file: str) -> None:
    content = workbook(40) if file.endswith("x") else csv_file(2_500)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    program = Program(tmp_path, TMPDIR=str(temporary))
    program.answer("group", "add", "--name", "見本の里", "--kind", "home")
    program.answer("member", "add", "--group", "1", "--email", "office@example.jp")
    token = program.answer("token", "make", "--group", "1", "--name", "介護ソフト", "--scope", "erase")["token"]
    cookie, seal = signed_in(program)
    (tmp_path / "sent").mkdir()
    (tmp_path / "sent" / file).write_bytes(content)
    port = free_port()
    api = {"authorization": f"Bearer {token}", "content_type": "application/json"}
    page = {"cookie": cookie, "sec_fetch_site": "same-origin", "accept": "text/html"}
    typed = {**page, "content_type": "application/x-www-form-urlencoded"}

    with program.serving(port, "serve"):

        def look(number: int) -> str:
            answer = ask(port, "GET", f"/api/v1/imports/{number}", **api)
            seen.append(answer)
            return answer.decode("utf-8", "replace")

        seen: list[bytes] = []
        seen.append(ask(port, "POST", "/api/v1/imports", content, **{**api, "content_type": "text/csv"}))
        seen.append(ask(port, "POST", "/api/v1/imports/1/check", b"{}", **api))
        until(lambda: '"checked"' in look(1), "the program's sheet is checked")
        seen.append(ask(port, "GET", "/api/v1/imports/1/rows?limit=200", **api))
        seen.append(ask(port, "GET", "/api/v1/imports/1/not-taken", **api))
        sent = form(seal, file, content)
        seen.append(
            ask(port, "POST", "/imports", sent, **{**page, "content_type": "multipart/form-data; boundary=mark"})
        )
        seen.append(ask(port, "GET", "/imports/2", **page))
        columns = [column for column in json.loads(look(2)[look(2).index('{"id"') :])["columns"] if column["field"]]
        named = "&".join(f"column{ord(one['letter']) - 65}={one['field'].replace(':', '%3A')}" for one in columns)
        seen.append(ask(port, "POST", "/imports/2/columns", f"seal={seal}&{named}".encode(), **typed))
        until(lambda: '"checked"' in look(2), "the page's sheet is checked")
        seen.append(ask(port, "GET", "/imports/2", **page))
        seen.append(ask(port, "POST", "/imports/2/save", f"seal={seal}&all=yes".encode(), **typed))
        until(lambda: '"saved"' in look(2), "the page's sheet is saved")
        seen += [ask(port, "GET", path, **page) for path in ("/imports/2", "/months", "/")]
        seen.append(ask(port, "POST", "/imports/2/not-taken.xlsx", f"seal={seal}".encode(), **typed))
        console = program.run("enrol", str(tmp_path / "sent" / file), "--group", "1", "--json")
        seen.append((console.stdout + console.stderr).encode())

    everything = b"\n".join(
        [
            *map(unpacked, seen),
            opened(program),
            *(one.read_bytes() for one in tmp_path.rglob("*") if one.is_file() and "sent" not in one.parts),
        ]
    )
    assert len(program.answer("list", "people")) > 10
    assert list(temporary.iterdir()) == []
    for digits in (*NUMBERS, PASSCODE):
        assert digits.encode() not in everything, digits
