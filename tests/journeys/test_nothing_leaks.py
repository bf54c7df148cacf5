"""Whichever door a number comes to and however it is disguised, afterwards it is nowhere: not on the screen, not in an
answer, not in a log, and not in one byte of what is kept. One long file, so that one search serves every door."""

import io
import logging
import shutil
import sqlite3
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from opentelemetry import trace
from sqlalchemy import select, update

from reminder.channels.memory import MemoryChannel
from reminder.cli import main
from reminder.clock import SteppedClock
from reminder.domain.model.access import Actor
from reminder.domain.model.people import ChannelName, ConsentHow, GroupKind, Language, Mode, Role
from reminder.enrolment.identity import api_tokens
from reminder.guard import logs
from reminder.guard.logs import Scrubbing
from reminder.storage.auth.signed_links import SignedLinks
from reminder.storage.crypto.keyring import Place, SealedValue, kept_keys
from reminder.storage.db.session import Tx
from reminder.storage.db.tables import Person
from reminder.storage.maintenance.key_rotation import SEALED
from reminder.storage.registry import contacts, groups, people
from reminder.wiring import App, build_app, read_settings
from tests.fakes.twilio import ACCOUNT_SID, AUTH_TOKEN, SENDER, sign
from tests.village import japan
from tests.web.asking import Answer, Lent, Visitor, web_for
from tests.web.calling import Program, described

MORNING = "2026-12-01T08:00+09:00"
PUBLIC = "https://kigen.example.jp"
RECEIPTS = "/webhooks/twilio/status"

NUMBER = "3074" + "1852" + "9630"  # invented
SCRIPTS = {
    "full-width": "０１２３４５６７８９",
    "kanji": "〇一二三四五六七八九",
    "circled": "⓪①②③④⑤⑥⑦⑧⑨",
    "Arabic": "٠١٢٣٤٥٦٧٨٩",
}


def written_in(digits: str) -> str:
    return "".join(digits[int(digit)] for digit in NUMBER)


DISGUISES = {
    "plain": NUMBER,
    "hyphens": "-".join((NUMBER[:4], NUMBER[4:8], NUMBER[8:])),
    "zero-width inside": "\u200b".join(NUMBER),
    **{script: written_in(digits) for script, digits in SCRIPTS.items()},
}
DISGUISED = pytest.mark.parametrize("disguise", [pytest.param(text, id=name) for name, text in DISGUISES.items()])


# ── the search ──

ESCAPES: Mapping[str, Callable[[str], str]] = {
    "as it is": lambda text: text,
    "in a JSON file": lambda text: "".join(c if c.isascii() else f"\\u{ord(c):04x}" for c in text),
    "in a page": lambda text: "".join(f"&#{ord(c)};" for c in text),
    "in an address": lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
    "as Python shows bytes": lambda text: repr(text.encode()),
    "in a list": lambda text: repr(list(text)),
    "over several lines": "\n".join,
}
_ESCAPED = [escape for name, escape in ESCAPES.items() if name not in ("in a list", "over several lines")]
SPELLINGS = [
    (escape(digits[value]).removeprefix("b'").removesuffix("'").encode(), str(value).encode())
    for digits, escape, value in product((*SCRIPTS.values(), "0123456789"), _ESCAPED, range(10))
]
UNSEEN = [escape(mark).removeprefix("b'").removesuffix("'").encode() for escape in _ESCAPED for mark in "\u200b-"]
BETWEEN = b" \t\r\n-_.,:;/'\"[]()\\\0"


@lru_cache(maxsize=64)
def holds_the_number(seen: bytes | str) -> bool:
    """Whether eight of its digits stand in a row, however they are written and whatever stands between them."""
    plain = seen.encode() if isinstance(seen, str) else seen
    for spelling, digit in (*SPELLINGS, *((unseen, b"") for unseen in UNSEEN)):
        plain = plain.replace(spelling, digit)
    plain = plain.translate(None, BETWEEN)
    return any(NUMBER[start : start + 8].encode() in plain for start in range(5))


def found_in(folder: Path) -> list[str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert folder / "kigen.db" in files
    found = [path.name for path in files if holds_the_number(path.name) or holds_the_number(path.read_bytes())]
    return found + [name for name, text in opened(folder) if holds_the_number(text)]


def opened(folder: Path) -> Iterator[tuple[str, str]]:
    """Everything that is sealed in the database, with its column: in its bytes no search would find it."""
    keys = kept_keys(folder)
    if keys is None:
        return
    with closing(sqlite3.connect(folder / "kigen.db")) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'people'").fetchall():
            return
        for sealed in SEALED:
            rows = connection.execute(f"SELECT row_token, {sealed.column} FROM {sealed.table.name}").fetchall()
            for token, content in rows:
                if content is not None:
                    yield sealed.name, keys.open(SealedValue(sealed.purpose, token, content))


def test_the_search_finds_a_number_that_is_sealed(home: "Home") -> None:
    keys = kept_keys(home.data)
    assert keys is not None
    place, token = Place("people.words_sealed"), b"t" * 16
    with closing(sqlite3.connect(home.data / "kigen.db", isolation_level=None)) as connection:
        sealed = keys.seal(f'["{NUMBER}"]', place, token)
        connection.execute("UPDATE people SET row_token = ?, words_sealed = ?", (token, sealed))

    assert found_in(home.data) == ["people.words_sealed"]


@DISGUISED
@pytest.mark.parametrize("escape", [pytest.param(escape, id=name) for name, escape in ESCAPES.items()])
def test_the_search_finds_the_number_however_it_is_written(disguise: str, escape: Callable[[str], str]) -> None:
    assert holds_the_number(f"row 17, label: {escape(disguise)}.")
    assert holds_the_number(b"\xff\x00\x81" + escape(disguise).encode() + b"\xfe")
    assert not holds_the_number(f"row 17, label: {escape(disguise[: len(disguise) // 2])}.")


@DISGUISED
def test_the_search_finds_a_row_that_was_kept_and_one_that_was_taken_out_again(home: "Home", disguise: str) -> None:
    assert found_in(home.data) == []
    with closing(sqlite3.connect(home.data / "kigen.db", isolation_level=None)) as connection:
        connection.execute("UPDATE people SET label = ?", (disguise,))

        assert "kigen.db-wal" in found_in(home.data), "before it is in the file itself"
        connection.execute("UPDATE people SET label = '母'")
        assert "kigen.db-wal" in found_in(home.data), "what was overwritten is still to be read"


# ── the command line ──


class Home:
    """An enrolled family on the disk, and the command line beside it."""

    def __init__(self, data: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
        self.data, self._capsys, self._caplog = data, capsys, caplog

    def run(self, *arguments: str) -> tuple[int, str]:
        """The exit code and all that was printed or logged."""
        self._capsys.readouterr()
        code = main([*arguments])
        printed = self._capsys.readouterr()
        return code, printed.out + printed.err + self._caplog.text


def take_down_the_log() -> None:
    """A command sets up its own, on the error stream it finds."""
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler.formatter, Scrubbing)]:
        root.removeHandler(handler)


@pytest.fixture(scope="module")
def enrolled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A family enrolled by the command line itself."""
    data = tmp_path_factory.mktemp("enrolled") / "data"
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("REMINDER_DATA_DIR", str(data))
        environment.setenv("REMINDER_CLOCK_OVERRIDE", MORNING)
        for line in (
            "group add --name 田中家 --kind household",
            "person add --group 1 --label 母",
            "contact add --person 1 --channel sms --address 090-0000-0001 --consent spoken --consent-by 長女",
            "card add --person 1 --kind mynumber_user_certificate --expires 2027-03-31",
            "member add --group 1 --email musume@example.jp",
        ):
            assert main(line.split()) == 0
    take_down_the_log()
    return data


@pytest.fixture
def home(
    enrolled: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> Iterator[Home]:
    shutil.copytree(enrolled, tmp_path / "data")
    monkeypatch.setenv("REMINDER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("REMINDER_CLOCK_OVERRIDE", MORNING)
    monkeypatch.setenv("LANG", "ja_JP.UTF-8")
    monkeypatch.chdir(tmp_path)
    take_down_the_log()
    caplog.set_level(logging.INFO)
    yield Home(tmp_path / "data", capsys, caplog)
    take_down_the_log()


CONTACT = "contact add --person 1 --consent spoken"
CERTIFICATE = "--kind mynumber_signature_certificate"
# A command with ◯ where the number goes, and what it takes there otherwise; None where it takes nothing.
COMMANDS: list[tuple[str, str | None]] = [
    ("group add --kind household --name ◯", "山田家"),
    ("group add --name 山田家 --kind ◯", "home"),
    ("member add --group 1 --email ◯", "musuko@example.jp"),
    ("member add --group ◯ --email musuko@example.jp", "1"),
    ("member add --group 1 --email musuko@example.jp --role ◯", "editor"),
    ("member add --group 1 --email musuko@example.jp --lang ◯", "en"),
    ("person add --group 1 --label ◯", "父"),
    ("person add --group 1 --label 父 --mark ◯", "つばめ"),
    ("person add --group 1 --label 父 --ref ◯", "203"),
    ("person add --group 1 --label 父 --office ◯", "町役場"),
    ("person add --group 1 --label 父 --mode ◯", "elderly"),
    ("person add --group 1 --label 父 --lang ◯", "ja-easy"),
    ("person add --label 父 --group ◯", "1"),
    (f"{CONTACT} --consent-by 長女 --channel sms --address ◯", "090-0000-0002"),
    (f"{CONTACT} --consent-by 長女 --channel voice --address ◯", "03-3500-0001"),
    (f"{CONTACT} --consent-by 長女 --channel email --address ◯", "musuko@example.jp"),
    (f"{CONTACT} --consent-by 長女 --channel line --address ◯", None),
    (f"{CONTACT} --consent-by 長女 --address 090-0000-0002 --channel ◯", "voice"),
    (f"{CONTACT} --channel sms --address 090-0000-0002 --consent-by ◯", "次女"),
    ("contact add --person 1 --channel sms --address 090-0000-0002 --consent-by 長女 --consent ◯", "written"),
    ("contact add --channel sms --address 090-0000-0002 --person ◯", "1"),
    ("contact add --channel sms --address 090-0000-0002 --member ◯", None),
    ("contact stop ◯", "1"),
    ("contact stop-number ◯", "090-0000-0001"),
    (f"card add --person 1 {CERTIFICATE} --expires ◯", "令和9年3月31日"),
    (f"card add --person 1 {CERTIFICATE} --yes --expires ◯", "2020-03-31"),
    ("card add --person 1 --expires 2027-03-31 --kind ◯", "mynumber_card"),
    (f"card add {CERTIFICATE} --expires 2027-03-31 --person ◯", "1"),
    ("card renew 1 --expires ◯", "2032-03-31"),
    ("card renew --expires 2032-03-31 ◯", "1"),
    ("card retire ◯", "1"),
    ("token make --group 1 --scope write --name ◯", "表計算"),
    ("token make --group 1 --name 表計算 --scope ◯", "erase"),
    ("token make --name 表計算 --group ◯", "1"),
    ("token list --group ◯", "1"),
    ("token revoke ◯", None),
    ("list ◯", "people"),
    ("list messages --state ◯", "queued"),
    ("tick --at ◯", "2026-12-01T09:00+09:00"),
    ("simulate --until 2027-01-01 --from ◯", "2026-12-01"),
    ("simulate --from 2026-12-01 --until ◯", "2026-12-02"),
    ("read-date ◯", "令和9年3月31日"),
    ("preview mynumber_card ◯", "2031-01-01"),
    ("preview ◯ 2031-01-01", "mynumber_card"),
    ("preview mynumber_card 2031-01-01 --today ◯", "2030-12-01"),
    ("preview mynumber_card 2031-01-01 --mode ◯", "elderly"),
    ("preview mynumber_card 2031-01-01 --lang ◯", "en"),
    ("expiry ◯ --issued 2021-11-20 --born 1985-11-14", "mynumber_card"),
    ("expiry mynumber_card --born 1985-11-14 --issued ◯", "2021-11-20"),
    ("expiry mynumber_card --issued 2021-11-20 --born ◯", "1985-11-14"),
    ("expiry mynumber_card --issued 2021-11-20 --born 1985-11-14 --received ◯", "2021-11-10"),
    ("expiry mynumber_card --issued 2021-11-20 --born 1985-11-14 --residence-until ◯", "2026-01-01"),
    ("expiry mynumber_user_certificate --issued 2021-11-20 --born 1985-11-14 --card-expires ◯", "2031-11-14"),
    ("expiry mynumber_user_certificate --issued 2021-11-20 --born 1985-11-14 --replaces ◯", "2021-11-25"),
    ("expiry mynumber_card --issued 2021-11-20 --born 1985-11-14 --today ◯", "2026-12-01"),
    ("web --port ◯", None),
    ("◯", None),
    ("person ◯", None),
    ("person add --group 1 --label 父 ◯", None),
    ("person add --group 1 --label 父 --◯", None),
    ("person add --group 1 --label 父 --◯=1", None),
]  # fmt: skip


@DISGUISED
@pytest.mark.parametrize("command", [command for command, _ in COMMANDS])
def test_a_number_given_to_a_command_is_refused_and_then_nowhere(home: Home, command: str, disguise: str) -> None:
    before = (home.data / "kigen.db").read_bytes()
    arguments = [word.replace("◯", disguise) for word in command.split()]

    code, said = home.run(*arguments, *([] if command.startswith("web") else ["--json"]))

    assert code == 2
    assert said.strip()
    assert not holds_the_number(said)
    assert found_in(home.data) == []
    assert (home.data / "kigen.db").read_bytes() == before


@pytest.mark.parametrize(("command", "taken"), [row for row in COMMANDS if row[1] is not None])
def test_the_same_command_takes_what_is_no_number(home: Home, command: str, taken: str) -> None:
    code, said = home.run(*(word.replace("◯", taken) for word in command.split()), "--json")

    assert code == 0, said


@DISGUISED
def test_a_line_that_is_only_looked_at_is_neither_printed_nor_kept(
    home: Home, monkeypatch: pytest.MonkeyPatch, disguise: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(f"母\n{disguise}\n".encode())))

    code, said = home.run("check-text", "--json")

    assert code == 0
    assert [line[:12] for line in said.splitlines()] == ['{"ok": true,', '{"ok": false']
    assert not holds_the_number(said)
    assert found_in(home.data) == []


# ── the web ──


@dataclass(frozen=True)
class Outside:
    """The enrolled family's web application, and all that it logs."""

    app: App
    browser: Visitor
    data: Path
    logged: Callable[[], str]


@pytest.fixture
def outside(home: Home, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Iterator[Outside]:
    account = {"twilio_account_sid": ACCOUNT_SID, "twilio_auth_token": (AUTH_TOKEN,), "twilio_from": SENDER}
    settings = read_settings(data_dir=home.data, clock_override=None, public_url=PUBLIC, **account)
    channels = {name: MemoryChannel() for name in (ChannelName.SMS, ChannelName.EMAIL)}

    def logged() -> str:
        printed = capsys.readouterr()
        return printed.out + printed.err + caplog.text

    with build_app(settings, clock=SteppedClock(japan("2026-12-01 08:00")), channels=channels) as app:
        yield Outside(app, Visitor(web_for(app, local_pages=True)), home.data, logged)


Ask = Callable[[Visitor, str], Answer]


def get(target: str, encode: Callable[[str], str] = str) -> Ask:
    return lambda browser, disguise: browser.get(target.replace("◯", encode(disguise)))


def with_header(name: str) -> Ask:
    return lambda browser, disguise: browser.get("/nowhere", {name: disguise.encode().decode("latin-1")})


def post(target: str, body: str, kind: str = "application/x-www-form-urlencoded") -> Ask:
    return lambda browser, disguise: browser.post(
        target.replace("◯", disguise),
        body.replace("◯", disguise).encode(),
        {"content-type": kind, "x-twilio-signature": "x"},
    )


def signed(**form: str) -> Ask:
    """A receipt as the provider signs it, with ◯ somewhere in its form."""

    def ask(browser: Visitor, disguise: str) -> Answer:
        given = {"MessageSid": "SM" + "5e" * 16, "MessageStatus": "delivered", **form}
        fields = [(name.replace("◯", disguise), value.replace("◯", disguise)) for name, value in given.items()]
        signature = sign(AUTH_TOKEN, PUBLIC + RECEIPTS, fields)
        return browser.post(RECEIPTS, urlencode(fields).encode(), {"x-twilio-signature": signature})

    return ask


def bounced(body: str, kind: str = "message/rfc822") -> Ask:
    """By who knows the address to which mail comes back."""

    def ask(browser: Visitor, disguise: str) -> Answer:
        assert isinstance(browser.web, Lent)
        address = SignedLinks(browser.web.app.keys, "").bounces()
        return browser.post(str(address), body.replace("◯", disguise).encode(), {"content-type": kind})

    return ask


def percent(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


def percent_twice(text: str) -> str:
    return quote(percent(text))


REQUESTS: dict[str, tuple[Ask, int]] = {
    "path": (get("/people/◯"), 422),
    "path of a page that is there": (get("/static/◯"), 422),
    "percent-encoded path": (get("/people/◯", percent), 422),
    "path percent-encoded twice": (get("/people/◯", percent_twice), 422),
    "id in a stop link": (get("/stop/◯/x"), 422),
    "mark in a stop link": (get("/stop/1/◯"), 422),
    "query": (get("/healthz?of=◯"), 422),
    "name in a query": (get("/healthz?◯=1"), 422),
    "percent-encoded query": (get("/healthz?of=◯", percent), 422),
    "query percent-encoded twice": (get("/healthz?of=◯", percent_twice), 422),
    "query of the page without sign-in": (get("/outbox?state=◯"), 422),
    "message named in a receipt's address": (post(f"{RECEIPTS}?m=◯", ""), 422),
    "header User-Agent": (with_header("user-agent"), 404),
    "header Referer": (with_header("referer"), 404),
    "header Cookie": (with_header("cookie"), 404),
    "header Host": (with_header("host"), 404),
    "header Accept-Language": (with_header("accept-language"), 404),
    "header X-Forwarded-For": (with_header("x-forwarded-for"), 404),
    "header Content-Length": (with_header("content-length"), 413),
    "unsigned form": (post(RECEIPTS, "MessageSid=◯&MessageStatus=◯&Body=◯"), 403),
    "unsigned JSON": (post(RECEIPTS, '{"Body": "◯"}', "application/json"), 403),
    "form for a page that takes none": (post("/healthz", "note=◯"), 405),
    "form with a stop link": (post("/stop/1/x", "note=◯"), 404),
    "signed words": (signed(Body="◯"), 204),
    "signed phone": (signed(To="◯", From="◯"), 204),
    "signed name of a field": (signed(**{"◯": "1"}), 204),
    "signed error": (signed(ErrorCode="◯", ErrorMessage="◯"), 204),
    "bounce to a wrong address": (post("/webhooks/mail/bounce/x", "Content-Type: message/delivery-status\n\n◯"), 403),
    "words of a bounce": (bounced("To: ◯\nSubject: ◯\n\n◯"), 204),
    "code of a bounce": (bounced('{"message_id": "◯", "status": "5.1.1", "words": "◯"}', "application/json"), 204),
    "status of a bounce": (bounced('{"message_id": "<m1.1@example.jp>", "status": "5.◯"}', "application/json"), 204),
    "strange bounce": (bounced('{"message_id": "<m1.1@example.jp>", "state": "◯"}', "application/json"), 422),
    "signed status": (signed(MessageStatus="◯"), 422),
    "signed id": (signed(MessageSid="◯"), 422),
}  # fmt: skip


@DISGUISED
@pytest.mark.parametrize(("ask", "status"), [pytest.param(*row, id=name) for name, row in REQUESTS.items()])
def test_a_number_sent_to_the_web_is_in_no_answer_no_log_and_no_file(
    outside: Outside, ask: Ask, status: int, disguise: str
) -> None:
    answer = ask(outside.browser, disguise)

    assert answer.status == status
    assert not holds_the_number(answer.everything)
    assert not holds_the_number(outside.logged())
    assert found_in(outside.data) == []


@DISGUISED
def test_a_number_sent_while_the_database_fails_is_in_no_answer_and_no_log(outside: Outside, disguise: str) -> None:
    with closing(sqlite3.connect(outside.data / "kigen.db")) as connection, connection:
        connection.execute("CREATE TRIGGER full BEFORE INSERT ON receipts BEGIN SELECT RAISE(ABORT, 'full'); END")

    answer = signed(Body="◯", ErrorMessage="◯")(outside.browser, disguise)
    said = outside.logged()

    assert answer.status == 500
    assert "IntegrityError" in said
    assert not holds_the_number(answer.everything + said)
    assert found_in(outside.data) == []


# ── the API ──


def program_of(outside: Outside) -> Program:
    """Of the family's daughter, and it may do everything."""
    who = Actor(1, 1, Role.OWNER, Language.JAPANESE)
    with outside.app.writing() as uow:
        return Program(outside.browser, api_tokens.make_token(uow, who=who, name="表計算", scopes=["erase"]))


OF_THE_FAMILY = {"person_id": 1, "contact_id": 1, "card_id": 1, "kind_id": 1}
TAKING_TEXT = [(one, field) for one in described() for field in one.texts]


@DISGUISED
@pytest.mark.parametrize("words", ["◯", "母 ◯ 様"], ids=["alone", "among words"])
def test_a_number_in_any_text_that_the_api_takes_is_refused_and_then_nowhere(
    outside: Outside, words: str, disguise: str
) -> None:
    program, text = program_of(outside), words.replace("◯", disguise)

    for one, field in TAKING_TEXT:
        for given in ({**(one.example or {}), field: text}, {**(one.example or {}), text: "1"}):
            answer = program.ask(one.method, one.at(**OF_THE_FAMILY), given, {"idempotency-key": "row 17"})

            assert answer.status == 422, f"{one.id}: {field}"
            assert not holds_the_number(answer.everything), f"{one.id}: {field}"

    assert len(TAKING_TEXT) > 25
    assert not holds_the_number(outside.logged())
    assert found_in(outside.data) == []


@DISGUISED
@pytest.mark.parametrize("name", ["authorization", "idempotency-key", "accept-language", "x-request-id", "cookie"])
def test_a_number_in_a_header_to_the_api_is_kept_and_logged_nowhere(outside: Outside, name: str, disguise: str) -> None:
    sent = disguise.encode().decode("latin-1")

    answer = program_of(outside).post("/people", {"label": "父"}, {name: f"Bearer {sent}"})

    assert answer.status in (201, 401, 422)
    assert not holds_the_number(answer.everything + outside.logged())
    assert found_in(outside.data) == []


class Spans(trace.TracerProvider):
    """A collector of traces, as an operator's machine may have one: it keeps what it is given."""

    def __init__(self) -> None:
        self.given: list[str] = []

    def get_tracer(self, *_: object, **__: object) -> trace.Tracer:
        return _Tracer(self.given)


class _Tracer(trace.NoOpTracer):
    def __init__(self, given: list[str]) -> None:
        self._given = given

    def start_span(self, name: str, *args: object, **more: object) -> trace.Span:
        self._given.append(f"{name} {more}")
        return trace.INVALID_SPAN


@DISGUISED
def test_a_collector_of_traces_is_not_given_the_address_before_the_door_has_looked_at_it(
    outside: Outside, monkeypatch: pytest.MonkeyPatch, disguise: str
) -> None:
    from fastapi import FastAPI

    spans = Spans()
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: spans)

    get("/people/◯?of=◯")(outside.browser, disguise)
    assert not holds_the_number("".join(spans.given))

    get("/people/◯?of=◯")(Visitor(FastAPI()), disguise)
    assert holds_the_number("".join(spans.given)), "one that is not told to be silent does give it away"


# ── the logs ──


class Holding:
    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return f"Holding({self.text!r})"


def fail(text: str) -> None:
    raise ValueError(f"cannot read {text}")


def fail_because(text: str) -> None:
    try:
        fail(text)
    except ValueError as cause:
        raise RuntimeError("this row cannot be read") from cause


def fail_meanwhile(text: str) -> None:
    try:
        fail(text)
    finally:
        fail("nothing")


def fail_with_a_note(text: str) -> None:
    wrong = RuntimeError("this row cannot be read")
    wrong.add_note(f"it said {text}")
    raise wrong


def fail_together(text: str) -> None:
    raise ExceptionGroup("several rows", [ValueError(text), ValueError("another")])


def failing(fails: Callable[[str], None]) -> Callable[[logging.Logger, str], None]:
    def say(log: logging.Logger, text: str) -> None:
        try:
            fails(text)
        except Exception:
            log.exception("this pass failed")

    return say


LINES: dict[str, Callable[[logging.Logger, str], None]] = {
    "message": lambda log, text: log.warning(f"row 17: {text}"),
    "argument": lambda log, text: log.warning("row 17: %s", text),
    "argument shown": lambda log, text: log.warning("row 17: %r", text),
    "argument in ASCII": lambda log, text: log.warning("row 17: %a", text),
    "named argument": lambda log, text: log.warning("row 17: %(label)s", {"label": text}),
    "three arguments": lambda log, text: log.warning(
        "row 17: %s %s %s", text[: len(text) // 3], text[len(text) // 3 : len(text) // 2], text[len(text) // 2 :]
    ),
    "half of it in other digits": lambda log, text: log.warning("row 17: %s%s", NUMBER[:6], text[len(text) // 2 :]),
    "list": lambda log, text: log.warning("row 17: %s", list(text)),
    "object": lambda log, text: log.warning("row 17: %s", Holding(text)),
    "several lines": lambda log, text: log.warning("row 17:\n%s", "\n".join(text)),
    "in an address": lambda log, text: log.warning("GET /people/%s", quote(text)),
    "an argument too many": lambda log, text: log.warning("row 17: %s", *[text, text]),
    "an argument too few": lambda log, text: log.warning(f"row 17: {text} %s %s", text),
    "an argument of another kind": lambda log, text: log.warning("row 17: %f", text),
    "exception": failing(fail),
    "cause of an exception": failing(fail_because),
    "exception meanwhile": failing(fail_meanwhile),
    "note of an exception": failing(fail_with_a_note),
    "several exceptions": failing(fail_together),
}  # fmt: skip


Say = Callable[[logging.Logger, str], None]
LOGGED = pytest.mark.parametrize("say", [pytest.param(say, id=name) for name, say in LINES.items()])


def plain_log() -> None:
    """As any other program logs."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    logging.getLogger().addHandler(handler)


def logged(set_up: Callable[[], None], say: Say, text: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What a program with no log but this one writes."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    root.handlers[:] = []
    try:
        set_up()
        say(logging.getLogger("somebody.elses.library"), text)
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    printed = capsys.readouterr()
    return printed.out + printed.err


@DISGUISED
@LOGGED
def test_a_number_that_somebody_logs_is_not_in_the_log(
    say: Say, disguise: str, capsys: pytest.CaptureFixture[str]
) -> None:
    line = logged(lambda: logs.install(logging.INFO), say, disguise, capsys)

    assert "somebody.elses.library" in line
    assert not holds_the_number(line)


@DISGUISED
@LOGGED
def test_another_log_would_give_the_same_lines_away(
    say: Say, disguise: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert holds_the_number(logged(plain_log, say, disguise, capsys))


@pytest.mark.parametrize(
    ("said", "secret", "harmless"),
    [
        ("暗証番号:\n4321", "4321", "暗証番号"),
        ("row 17\npassword hunter2\nnothing was kept", "hunter2", "row 17"),
        ("row 17\nP<JPNYAMADA<<TARO<<<<<<<<\nnothing was kept", "YAMADA", "nothing was kept"),
    ],
    ids=["a passcode under its name", "a passcode beside its name", "a passport's lines of letters"],
)
def test_what_is_no_long_number_is_blanked_with_its_line_and_the_others_stay(
    said: str, secret: str, harmless: str, capsys: pytest.CaptureFixture[str]
) -> None:
    line = logged(lambda: logs.install(logging.INFO), lambda log, text: log.warning("%s", text), said, capsys)

    assert secret not in line
    assert harmless in line


# ── the last lock ──


def person(**given: str) -> Callable[[App, Tx, str], object]:
    def add(app: App, tx: Tx, text: str) -> object:
        words = {name: value.replace("◯", text) for name, value in given.items()}
        kept = {"label": "父", "reference": None, "mark": None, "office": "市役所", **words}
        return people.add(
            tx,
            group_id=1,
            mode=Mode.STANDARD,
            language=Language.JAPANESE,
            insurance=True,
            now=app.clock.now(),
            **kept,
        )

    return add


def consent_by(app: App, tx: Tx, text: str) -> object:
    return contacts.add(
        tx,
        app.keys,
        person_id=1,
        member_id=None,
        is_family=False,
        channel=ChannelName.SMS,
        address="+819000000009",
        consent_how=ConsentHow.SPOKEN,
        consent_by=text,
        confirmed=True,
        now=app.clock.now(),
    )


COLUMNS: dict[str, Callable[[App, Tx, str], object]] = {
    "group's name": lambda app, tx, text: groups.add(tx, name=text, kind=GroupKind.HOUSEHOLD, now=app.clock.now()),
    "person's label": person(label="◯"),
    "person's reference": person(reference="◯"),
    "person's mark": person(mark="◯"),
    "person's office": person(office="◯"),
    "who asked for consent": consent_by,
    "a change": lambda _, tx, text: tx.execute(update(Person).values(label_plain=text)),
    "a question": lambda _, tx, text: tx.execute(select(Person.id).where(Person.label_plain == text)),
}


def write(outside: Outside, column: Callable[[App, Tx, str], object], text: str) -> None:
    """What a mistake of ours would be: past every door, into the row."""
    with outside.app.database.writing() as tx:
        column(outside.app, tx, text)


@DISGUISED
@pytest.mark.parametrize("column", [pytest.param(column, id=name) for name, column in COLUMNS.items()])
def test_a_number_that_slipped_past_every_door_stops_at_the_column_and_no_error_repeats_it(
    outside: Outside, column: Callable[[App, Tx, str], object], disguise: str
) -> None:
    with pytest.raises(Exception, match="forbidden_number") as refused:
        write(outside, column, disguise)

    assert not holds_the_number("".join(traceback.format_exception(refused.value)))
    assert not holds_the_number(outside.logged())
    assert found_in(outside.data) == []


@pytest.mark.parametrize("column", [pytest.param(column, id=name) for name, column in COLUMNS.items()])
def test_the_same_column_takes_what_is_no_number(outside: Outside, column: Callable[[App, Tx, str], object]) -> None:
    write(outside, column, "つばめ")
