"""Every library that reads what strangers send: it is called where whatever it raises becomes a refusal.

The calls are found in the code. Each is fuzzed here, or says why its bytes are not a stranger's.
"""

import ast
import asyncio
import io
import json
import random
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import cbor2
import pytest
from starlette.datastructures import Headers

from reminder.channels.twilio.webhooks import TwilioSignature, parse_call, parse_inbound, parse_status
from reminder.domain.parsing import addresses, bounces
from reminder.enrolment.imports.reader import read_sheet
from reminder.enrolment.imports.zip_guard import LIGHT
from reminder.errors import KigenError
from reminder.guard.numbers import forbidden
from reminder.web.support import authorization, webauthn
from reminder.web.support.network import network_named
from reminder.web.support.webauthn import Site
from reminder.web.webhooks import BounceNotice, _read_notice
from tests.fakes.authenticator import Authenticator, b64
from tests.rules import HEADINGS

PACKAGE = Path(__file__).parents[1] / "reminder"
# Libraries that read formats. A new one belongs here.
READERS = {
    "base64", "cbor2", "codecs", "csv", "dateutil", "email", "email_validator", "html", "icalendar", "ipaddress", "json",
    "openpyxl", "phonenumbers", "pypdf", "python_calamine", "python_multipart", "tomllib", "twilio", "webauthn", "xml",
    "zipfile", "zlib",
}  # fmt: skip


@dataclass(frozen=True)
class Ours:
    """What a file reads, or writes, that no stranger has made."""

    why: str


WRITES = Ours("it only writes the format")
OURS = Ours("it reads what we have written ourselves, sealed or in our database")
PROVIDER = Ours("it reads the answers of a provider, whose errors its client tells apart")
DAYS = Ours("it counts days, of dates that were read and bounded before")
SETTINGS = Ours("it reads the operator's settings")


def sheet(content: bytes) -> None:
    for _ in read_sheet(content, HEADINGS, bounds=LIGHT).rows:
        pass


def mail(content: bytes) -> None:
    bounces.read_report(content)


def notice(content: bytes) -> None:
    _read_notice(content)


def passkey(content: bytes) -> None:
    site, device = Site("127.0.0.1", "http://127.0.0.1:8000"), Authenticator()
    sound = device.register("eA")
    for name in ("clientDataJSON", "attestationObject"):
        made = {**sound, "response": {**sound["response"], name: b64(content)}}
        refuse(lambda made=made: webauthn.read_registration(site, made))
        refuse(lambda made=made: webauthn.credential_id(made))
        refuse(lambda made=made: webauthn.read_signature(site, made, content, 0))


def refuse(act: Callable[[], object]) -> None:
    with suppress(KigenError):
        act()


def text_of(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")


def address(content: bytes) -> None:
    said = text_of(content)
    for act in (addresses.read_email, addresses.read_phone, addresses.read_line_id):
        refuse(lambda act=act: act(said))


def number(content: bytes) -> None:
    forbidden(text_of(content))


def form(content: bytes) -> None:
    for kind in (
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "\u00ff",
    ):
        with suppress(KigenError):
            asyncio.run(authorization.read_form(Headers({"content-type": kind}), content, 1).close())


def webhook(content: bytes) -> None:
    said = text_of(content)
    pairs = [("MessageSid", said), ("Body", said), (said, said)]
    assert not TwilioSignature(["token"], "https://example.jp").is_valid("/", said, pairs, said, said)
    for read in (parse_status, parse_call, parse_inbound):
        read(pairs)


def client(content: bytes) -> None:
    network_named(text_of(content))


Reader = Callable[[bytes], None]
CALLS: dict[tuple[str, str], Reader | Ours] = {
    ("base64", "channels/email/client.py"): WRITES,
    ("base64", "channels/twilio/transport.py"): WRITES,
    ("base64", "storage/crypto/keyring.py"): SETTINGS,
    ("base64", "storage/crypto/sealed_file.py"): SETTINGS,
    ("base64", "storage/maintenance/snapshot.py"): OURS,
    ("codecs", "enrolment/imports/reader.py"): sheet,
    ("csv", "domain/text/spreadsheet_writer.py"): WRITES,
    ("csv", "enrolment/imports/reader.py"): sheet,
    ("dateutil", "cli/card_kinds.py"): DAYS,
    ("dateutil", "cli/rule_claims.py"): DAYS,
    ("dateutil", "domain/parsing/resident_rows.py"): DAYS,
    ("dateutil", "domain/rules/sheet_merge.py"): DAYS,
    ("dateutil", "enrolment/cards.py"): DAYS,
    ("dateutil", "upkeep/contact_verification.py"): DAYS,
    ("email", "channels/email/client.py"): WRITES,
    ("email", "domain/parsing/bounces.py"): mail,
    ("email_validator", "domain/parsing/addresses.py"): address,
    ("html", "channels/paper_pdf.py"): WRITES,
    ("html", "domain/text/email_html.py"): WRITES,
    ("html", "domain/text/leaflets.py"): WRITES,
    ("html", "domain/text/letters.py"): WRITES,
    ("html", "guard/numbers.py"): number,
    ("html", "upkeep/privacy/export.py"): WRITES,
    ("html", "web/drawing/card_pictures.py"): WRITES,
    ("html", "web/drawing/effect_bars.py"): WRITES,
    ("html", "web/drawing/timeline.py"): WRITES,
    ("icalendar", "upkeep/calendar/ics.py"): WRITES,
    ("ipaddress", "channels/email/client.py"): SETTINGS,
    ("ipaddress", "settings.py"): SETTINGS,
    ("ipaddress", "web/support/network.py"): client,
    ("base64", "guard/numbers.py"): number,
    ("json", "channels/line/client.py"): PROVIDER,
    ("json", "cli/__init__.py"): WRITES,
    ("json", "cli/output.py"): WRITES,
    ("json", "cli/simulation_output.py"): WRITES,
    ("json", "enrolment/imports/bounded_reader.py"): WRITES,
    ("json", "enrolment/imports/matching.py"): WRITES,
    ("json", "enrolment/imports/reader_process.py"): Ours("a line of the process that has started it"),
    ("json", "enrolment/identity/step_up.py"): Ours("what the key ring has sealed in a session of ours"),
    ("json", "enrolment/imports/wire.py"): Ours("lines of a child process of ours"),
    ("json", "storage/db/columns.py"): Ours("words that the key ring has opened"),
    ("json", "storage/db/session.py"): WRITES,
    ("json", "storage/db/statements.py"): WRITES,
    ("json", "storage/maintenance/activity_chain.py"): WRITES,
    ("json", "storage/outbox/sealed_body.py"): OURS,
    ("json", "storage/registry/imports.py"): OURS,
    ("json", "upkeep/backup.py"): OURS,
    ("json", "upkeep/privacy/export.py"): WRITES,
    ("json", "web/connections.py"): WRITES,
    ("json", "web/support/webauthn.py"): passkey,
    ("openpyxl", "domain/text/spreadsheet_writer.py"): WRITES,
    ("phonenumbers", "domain/parsing/addresses.py"): address,
    ("phonenumbers", "guard/ordinary.py"): number,
    ("python_calamine", "enrolment/imports/xlsx.py"): sheet,
    ("python_multipart", "web/support/authorization.py"): form,
    ("tomllib", "enrolment/imports/reader_process.py"): SETTINGS,
    ("tomllib", "guard/outgoing.py"): SETTINGS,
    ("tomllib", "settings.py"): SETTINGS,
    ("twilio", "channels/sms/client.py"): PROVIDER,
    ("twilio", "channels/twilio/transport.py"): PROVIDER,
    ("twilio", "channels/twilio/webhooks.py"): webhook,
    ("twilio", "channels/voice/client.py"): PROVIDER,
    ("webauthn", "web/support/webauthn.py"): passkey,
    ("xml", "enrolment/imports/xlsx.py"): sheet,
    ("zipfile", "enrolment/imports/xlsx.py"): sheet,
    ("zipfile", "enrolment/imports/zip_guard.py"): sheet,
    ("zlib", "domain/model/messages.py"): Ours("it only counts a checksum"),
    ("zlib", "enrolment/imports/zip_guard.py"): sheet,
    ("zlib", "upkeep/backup.py"): OURS,
}


def imported() -> Iterator[tuple[str, str]]:
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            yield from ((name.partition(".")[0], path.relative_to(PACKAGE).as_posix()) for name in names)


def test_every_file_that_uses_a_library_that_reads_formats_says_whose_bytes_those_are() -> None:
    found = {(library, file) for library, file in imported() if library in READERS}

    assert found - CALLS.keys() == set(), "say in CALLS by what it is fuzzed here, or why no stranger has made it"
    assert CALLS.keys() - found == set(), "no longer there"


def workbook(**parts: bytes) -> bytes:
    import openpyxl

    made, written = openpyxl.Workbook(), io.BytesIO()
    made.active.append(["居室", "氏名", "電子証明書期限"])
    made.active.append([201, "ハナ", "2027-11-16"])
    made.save(written)
    changed = io.BytesIO()
    with zipfile.ZipFile(written) as sound, zipfile.ZipFile(changed, "w") as other:
        for part in sound.namelist():
            other.writestr(part, parts.get(Path(part).stem, sound.read(part)))
    return changed.getvalue()


BOUNCE = (
    b"To: bounces+17-" + b"a" * 32 + b"@example.jp\r\nContent-Type: multipart/report; boundary=x\r\n\r\n--x\r\n"
    b"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n"
    b"--x\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <m17.1@example.jp>\r\n\r\n--x--\r\n"
)
FORM = b'--x\r\ncontent-disposition: form-data; name="file"; filename="a.csv"\r\n\r\nx\r\n--x\r\ncontent-disposition: form-data; name="a"\r\n\r\nb\r\n--x--\r\n'
SOUND: dict[Reader, list[bytes]] = {
    sheet: [
        workbook(),
        "居室,氏名,電子証明書期限\n201,ハナ,2027-11-16\n".encode(),
        "居室\t氏名\t期限\n".encode("utf-16"),
    ],
    mail: [BOUNCE],
    notice: [b'{"message_id": "<m17.1@example.jp>", "status": "5.1.1"}'],
    passkey: [cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": bytes(200)}), b'{"type": "webauthn.create"}'],
    address: [b"a..b@docomo.ne.jp", b"hana@example.jp", "花@例え.jp".encode(), b"090-1234-5678", b"+81 90 1234 5678"],
    number: [b"1234 5678 9012", b"&#49;&#50;", "１２３４".encode()],
    form: [FORM, b"a=b&c=%E3%81%82"],
    webhook: [b"SM" + b"0" * 32, b"a=b&bodySHA256=x", b"sha256"],
    client: [b"2001:db8::1", b"192.0.2.1", b"fe80::1%eth0", b"[::1]:80"],
}
HOSTILE = [
    b"", b"\x00", b"\xff" * 300, b"\x00" * 300, b"PK\x03\x04", b"PK\x03\x04" + b"\xff" * 200, b"PK\x05\x06" + bytes(18), b"[" * 9000,
    b"{" * 900, b'{"a":' * 900, b"<" * 900, b"<!DOCTYPE x [<!ENTITY a 'b'>]>&a;", b"=?utf-8?b?" * 90, b"=?x?q?=ff?=", b"\x9f" * 900,
    b"\xbf" * 900, b"\x5b" + b"\xff" * 8, b"9" * 2000, b"1e9999", b"NaN", b"-" * 900, b"@" * 300, b"a@" + b"." * 200, b"xn--@xn--.xn--",
    b"a@[300.1.1.1]", b"+" * 90, b"tel:+81-90;ext=" + b"1" * 90, b"%" * 500, b"&" * 900, b"&#" * 400, b"&#99999999999;", b";" * 500,
    b"--x\r\n" * 200, b'--x\r\ncontent-disposition: form-data; name="' + b"a" * 9000, b"Content-Type: multipart/report; boundary=\r\n\r\n",
    b"Content-Type: text/plain; charset=nonsense\r\nTo: =?nonsense?b?x?=\r\n\r\n", b"Content-Type: message/rfc822\r\n\r\n" * 200,
    b"\xef\xbb\xbf" * 90, b"\xff\xfe\x00\xd8" * 90, "\u202e\u200b\ud7ff".encode(), json.dumps("\ud800").encode(), b"\r" * 900, b'"' * 901,
]  # fmt: skip


def mangled(sound: bytes, chance: random.Random) -> Iterator[bytes]:
    yield from (sound[: len(sound) * cut // 12] for cut in range(12))
    yield sound * 2
    for _ in range(80):
        changed = bytearray(sound)
        for _ in range(chance.randint(1, 6)):
            place = chance.randrange(len(changed))
            match chance.randrange(3):
                case 0:
                    changed[place] = chance.randrange(256)
                case 1:
                    del changed[place : place + chance.randrange(1, 9)]
                    changed = changed or bytearray(b"x")
                case _:
                    changed[place:place] = chance.choice(HOSTILE)[:20]
        yield bytes(changed)


# Of a file that was cut off the parser leaves its place in memory to the garbage collector, which says so.
@pytest.mark.filterwarnings("ignore:Exception ignored in.*SpooledTemporaryFile")
@pytest.mark.parametrize("read", SOUND, ids=lambda read: read.__name__)
def test_whatever_a_library_raises_becomes_a_refusal(read: Reader) -> None:
    chance = random.Random(4711)
    tried = [*HOSTILE, *(one for sound in SOUND[read] for one in (sound, *mangled(sound, chance)))]
    if read is sheet:
        tried += [workbook(**{part: junk}) for part in PARTS for junk in HOSTILE]

    raised = {}
    for content in tried:
        try:
            read(content)
        except KigenError:
            pass
        except Exception as wrong:  # noqa: BLE001  # of any class is what is looked for
            raised[content[:60]] = repr(wrong)

    assert raised == {}


PARTS = ("sheet1", "workbook", "styles", "sharedStrings", "workbook.xml")


def test_every_reader_is_fuzzed() -> None:
    assert {one for one in CALLS.values() if not isinstance(one, Ours)} | {notice} == set(SOUND)


@pytest.mark.parametrize("file", sorted({file for (_, file), how in CALLS.items() if not isinstance(how, Ours)}))
def test_where_strangers_bytes_are_read_no_list_of_classes_is_caught(file: str) -> None:
    tree = ast.parse((PACKAGE / file).read_text(encoding="utf-8"))

    lists = [
        ast.unparse(node.type)
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler) and isinstance(node.type, ast.Tuple) and len(node.type.elts) > 2
    ]

    assert lists == [], "what a library raises is nowhere listed: catch Exception at the call"


def test_a_notice_is_strict_about_its_fields() -> None:
    assert (
        BounceNotice.model_validate_json(b'{"message_id": "<m17.1@example.jp>", "status": "5.1.1"}').read() is not None
    )
