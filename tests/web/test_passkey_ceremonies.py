"""Passkeys: challenges cost nothing until they are signed, are signed once, and whatever is malformed is refused."""

import base64
import copy
import json
import logging
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cbor2
import pytest
from sqlalchemy import text

from reminder.enrolment.identity import sign_in
from reminder.storage.db.tables import Base
from tests.fakes.authenticator import Authenticator, b64
from tests.village import Village, open_village
from tests.web.asking import Answer
from tests.web.browsing import Browser

ME = "musume@example.jp"


@pytest.fixture
def village(sqlite_url: str, tmp_path: Path) -> Iterator[Village]:
    with open_village(sqlite_url, tmp_path, "2026-12-01 08:00", durable=False, sign_up="open") as opened:
        yield opened


@pytest.fixture
def owner(village: Village) -> Browser:
    browser = Browser(village)
    browser.sign_in(ME)
    return browser


def send(browser: Browser, path: str, given: object) -> Answer:
    body = given if isinstance(given, bytes) else json.dumps(given).encode()
    said = {"content-type": "application/json", "origin": f"http://{browser.visitor.host}", "accept": "*/*"}
    return browser._ask("POST", path, body, said)


def challenge(browser: Browser, path: str) -> str:
    answer = send(browser, path, {})
    assert answer.status == 200
    return str(answer.json["challenge"])


def rows(village: Village) -> dict[str, int]:
    with village.app.database.reading() as tx:
        return {name: tx.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in Base.metadata.tables}


def registered(browser: Browser, device: Authenticator | None = None) -> Authenticator:
    device = device or Authenticator()
    answer = send(browser, "/passkey", device.register(challenge(browser, "/passkey/options")))
    assert (answer.status, answer.json) == (200, {"then": "/"})
    return device


def test_a_passkey_is_registered_and_signs_in(village: Village, owner: Browser) -> None:
    device, elsewhere = registered(owner), Browser(village)

    answer = send(elsewhere, "/sign-in/passkey", device.sign(challenge(elsewhere, "/sign-in/passkey/options")))

    assert answer.status == 200
    elsewhere.get("/")
    assert elsewhere.heading == "田中家"


def test_asking_for_challenges_writes_nothing(village: Village, owner: Browser) -> None:
    before = rows(village)

    asked = {challenge(Browser(village), "/sign-in/passkey/options") for _ in range(50)}
    asked |= {challenge(owner, "/passkey/options") for _ in range(50)}

    assert len(asked) == 100
    assert rows(village) == before


def test_a_challenge_is_signed_once(village: Village, owner: Browser) -> None:
    device, elsewhere = registered(owner), Browser(village)
    signed = device.sign(challenge(elsewhere, "/sign-in/passkey/options"))

    assert send(elsewhere, "/sign-in/passkey", signed).status == 200
    assert refused(send(Browser(village), "/sign-in/passkey", signed))


def test_a_challenge_is_good_for_five_minutes(village: Village, owner: Browser) -> None:
    device, elsewhere = registered(owner), Browser(village)
    asked = challenge(elsewhere, "/sign-in/passkey/options")

    village.clock.move_to(village.now + sign_in.CHALLENGE_LASTS)

    assert refused(send(elsewhere, "/sign-in/passkey", device.sign(asked)))


@pytest.mark.parametrize("place", [0, 15, 16, 23, 24, 55])
def test_a_challenge_with_one_other_byte_is_none_of_ours(village: Village, owner: Browser, place: int) -> None:
    device, elsewhere = registered(owner), Browser(village)
    asked = bytearray(base64.urlsafe_b64decode(challenge(elsewhere, "/sign-in/passkey/options") + "=="))
    asked[place] ^= 1

    assert refused(send(elsewhere, "/sign-in/passkey", device.sign(b64(bytes(asked)))))


@pytest.mark.parametrize("made", [b"", b"x", b"x" * 32, b"x" * 56, b"x" * 5000, b"\xff" * 56, bytes(56)])
def test_a_challenge_of_somebody_else_is_refused(village: Village, owner: Browser, made: bytes) -> None:
    device, elsewhere = registered(owner), Browser(village)

    assert refused(send(elsewhere, "/sign-in/passkey", device.sign(b64(made))))


def test_a_challenge_to_sign_in_registers_nothing_and_the_other_way_round(village: Village, owner: Browser) -> None:
    device, elsewhere = registered(owner), Browser(village)
    other = Authenticator(credential_id=b"another one")

    assert refused(send(owner, "/passkey", other.register(challenge(elsewhere, "/sign-in/passkey/options"))))
    assert refused(send(elsewhere, "/sign-in/passkey", device.sign(challenge(owner, "/passkey/options"))))


def test_a_challenge_of_another_account_registers_nothing(village: Village, owner: Browser) -> None:
    other = Browser(village)
    other.sign_in("musuko@example.jp", household="鈴木家")

    assert refused(send(owner, "/passkey", Authenticator().register(challenge(other, "/passkey/options"))))


def refused(answer: Answer) -> bool:
    return answer.status == 422 and answer.json["code"] in ("passkey_refused", "passkey_unknown")


# Everything that may stand where something else should.
JUNK: tuple[Any, ...] = (
    None, True, 0, -1, 2**63, 1.5, "", "x", "あ", "=" * 9, "\u0000", [], [[]], ["x"], {}, {"x": {}}, "A" * 5000, b64(b"\xff" * 99),
)  # fmt: skip
# Public keys that are none: by type, algorithm, curve and point.
KEYS: tuple[Any, ...] = (
    [], [1], {}, 0, "x", b"x", None, {1: 9}, {1: 2}, {1: 2, 3: -7}, {1: 2, 3: -7, -1: 99}, {1: 3, 3: -257},
    {1: 3, 3: -257, -1: b"", -2: b""}, {1: 3, 3: -257, -1: b"\x00" * 256, -2: b"\x01"}, {1: 1, 3: -8, -1: 6, -2: b""},
    {1: 2, 3: -7, -1: 1, -2: b"x", -3: b"y"}, {1: 2, 3: -7, -1: 1, -2: bytes(32), -3: bytes(32)}, {1: "2", 3: "-7"}, {3: -7},
    {1: 2, 3: 99999, -1: 1, -2: bytes(32), -3: bytes(32)}, {1: [], 3: {}}, {-1: None}, {1: 2, 3: -7, -1: 1, -2: "x", -3: 7},
)  # fmt: skip
ATTESTATIONS: tuple[dict[str, Any], ...] = (
    *({name: junk} for name in ("fmt", "attStmt", "authData") for junk in (*JUNK, b"", b"x", b"x" * 37, b"\xff" * 200)),
    *(
        {"fmt": form, "attStmt": statement}
        for form in ("packed", "fido-u2f", "tpm", "android-key", "android-safetynet", "apple")
        for statement in (
            {},
            {"alg": -7, "sig": b"x"},
            {"alg": -7, "sig": b"x", "x5c": []},
            {"alg": -7, "sig": b"x", "x5c": [b"x"]},
            {"alg": [], "sig": 1, "x5c": "x"},
            {"ver": "2.0", "certInfo": b"x", "pubArea": b"x", "sig": b"x", "alg": -7, "x5c": [b"x"]},
            {"ver": "1", "response": b"a.b.c"},
            {"ver": "1", "response": b"e30.e30.e30"},
        )
    ),
)


def test_no_malformed_registration_is_more_than_refused(
    village: Village, owner: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    device, before = Authenticator(), rows(village)
    asked = challenge(owner, "/passkey/options")
    sound = device.register(asked)
    tried = [device.register(asked, cose_key=key) for key in KEYS]
    tried += [device.register(asked, **changed) for changed in ATTESTATIONS]
    tried += [with_junk(sound, path, junk) for path in paths(sound) for junk in JUNK]
    tried += [
        with_junk(sound, ("response", name), b64(cut)) for name in CBOR for cut in mangled(sound["response"][name])
    ]

    with caplog.at_level(logging.WARNING):
        wrong = [(one, answer.status) for one in tried if not refused(answer := send(owner, "/passkey", one))]

    # What says nothing about the key may be junk.
    assert [one for one, status in wrong if status != 200 and not 400 <= status < 500] == []
    assert {path for one, status in wrong if status == 200 for path in changed(sound, one)} <= IGNORED
    assert caplog.records == []
    assert {name: count for name, count in rows(village).items() if count > before[name]}.keys() <= {
        "passkeys",
        "challenges",
        "activity_log",
        "messages",
        "notices",
    }


CBOR = ("attestationObject", "clientDataJSON")
IGNORED = {
    ("authenticatorAttachment",),
    ("clientExtensionResults",),
    ("response", "transports"),
    ("response", "userHandle"),
    ("type",),
    ("id",),
    ("response", "attestationObject"),
}


def test_no_malformed_signature_is_more_than_refused(
    village: Village, owner: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    device, elsewhere = registered(owner), Browser(village)
    sound = device.sign(challenge(elsewhere, "/sign-in/passkey/options"))
    tried = [with_junk(sound, path, junk) for path in paths(sound) for junk in JUNK if path not in IGNORED]
    for name in ("clientDataJSON", "authenticatorData", "signature"):
        tried += [with_junk(sound, ("response", name), b64(cut)) for cut in mangled(sound["response"][name])]

    with caplog.at_level(logging.WARNING):
        wrong = [
            (one, answer.status) for one in tried if not refused(answer := send(elsewhere, "/sign-in/passkey", one))
        ]

    assert [status for _, status in wrong if not 400 <= status < 500] == []
    assert caplog.records == []
    assert send(elsewhere, "/sign-in/passkey", sound).status == 200


@pytest.mark.parametrize(
    "path", [f"{of}{more}" for of in ("/passkey", "/sign-in/passkey", "/confirm/passkey") for more in ("", "/options")]
)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"x",
        b"[]",
        b"null",
        b"1",
        b'"x"',
        b"[" * 9000,
        b'{"a":' * 2000,
        b"\xff\xfe",
        b"{}",
        b'{"response":[]}',
        b"1" * 9000,
    ],
)
def test_no_body_is_more_than_refused(village: Village, owner: Browser, path: str, body: bytes) -> None:
    assert send(owner, path, body).status in (200, 400, 401, 422) if path.endswith("options") else (400, 422)
    assert send(owner, path, body).status < 500


def paths(value: object, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(value, dict):
        for name, inside in value.items():
            yield (*before, name)
            yield from paths(inside, (*before, name))


def with_junk(sound: dict[str, Any], path: tuple[str, ...], junk: object) -> dict[str, Any]:
    made = copy.deepcopy(sound)
    place = made
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = junk
    return made


def changed(sound: dict[str, Any], other: dict[str, Any]) -> set[tuple[str, ...]]:
    def at(value: Any, path: tuple[str, ...]) -> Any:
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        return value

    return {path for path in paths(sound) if at(sound, path) != at(other, path)}


def mangled(written: str) -> Iterator[bytes]:
    """The same bytes cut, doubled, with some of them changed, and CBOR of other shapes."""
    sound, chance = base64.urlsafe_b64decode(written + "=="), random.Random(1)
    yield from (sound[:cut] for cut in range(0, len(sound), 9))
    yield sound * 2
    for _ in range(60):
        changed_ = bytearray(sound)
        for _ in range(chance.randint(1, 4)):
            changed_[chance.randrange(len(sound))] = chance.randrange(256)
        # A byte may have been changed into itself: signatures differ from run to run.
        if bytes(changed_) != sound:
            yield bytes(changed_)
    yield from (cbor2.dumps(one) for one in ([], {}, 1, "x", {"fmt": "none"}, [["x"]], {1: 2}))
    yield b"\x9f" * 900
    yield b"\x5b" + b"\xff" * 8
    yield b"{" * 900
