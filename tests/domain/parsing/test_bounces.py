"""reminder/domain/parsing/bounces.py: what mail servers send back, and whatever else arrives at such an address."""

import base64
import quopri

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reminder.domain.parsing.bounces import Bounce, named, read_report, return_path
from tests.returned import COMPLAINT, HOLIDAY, report

REFERENCE = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrs"
PATH, MAIL_ID = f"bounces+{REFERENCE}@example.jp", f"<{REFERENCE}@example.jp>"
MARK = "abcdefghijklmnop" * 2
OLD_PATH, OLD_MAIL_ID = f"bounces+17-{MARK}@example.jp", "<m17.1930260600@example.jp>"


def bounce(**named: object) -> Bounce:
    paths, old_paths, mail_ids = ({named[one]} if one in named else () for one in ("path", "old_path", "mail_id"))
    return Bounce(frozenset(paths), frozenset(old_paths), frozenset(mail_ids), "5.1.1", is_final=True)  # type: ignore[arg-type]


def test_a_return_path_says_of_which_mail_it_is() -> None:
    path = return_path("bounces@example.jp", REFERENCE)

    assert path == PATH
    assert read_report(report(to=path)) == bounce(path=REFERENCE)
    assert read_report(report(to=path.upper())) == bounce(path=REFERENCE), "some servers change its case"


def test_names_from_before_references_are_read_for_what_they_are() -> None:
    assert read_report(report(to=OLD_PATH)) == bounce(old_path=(17, MARK))
    assert read_report(report(mail_id=OLD_MAIL_ID)) == bounce(), "it names nothing, for anybody can guess it"


def test_a_report_with_two_names_keeps_both_to_be_compared() -> None:
    other = REFERENCE[::-1]

    assert read_report(report(to=PATH, mail_id=f"<{other}@example.jp>")) == bounce(path=REFERENCE, mail_id=other)


@pytest.mark.parametrize(
    ("more", "status", "is_final", "why"),
    [
        ({}, "5.1.1", True, "no such user"),
        ({"status": "5.1.10"}, "5.1.10", True, "no such user, in Exchange's words"),
        ({"status": "5.0.0", "diagnostic": "smtp; 550 5.1.1 who?"}, "5.1.1", True, "their own words say more"),
        ({"status": "5.0.0", "diagnostic": "smtp; 550 who?"}, "5.0.0", True, "nobody says more"),
        ({"status": "5.2.2 (mailbox full)"}, "5.2.2", True, "with a comment"),
        ({"status": "4.4.1", "diagnostic": "X-Postfix; connect timed out"}, "4.4.1", True, "given up after five days"),
        ({"status": "4.2.2", "action": "delayed"}, "4.2.2", False, "still being tried"),
        ({"action": "Failed "}, "5.1.1", True, "as somebody else writes it"),
    ],
)
def test_what_a_report_says(more: dict[str, str], status: str, is_final: bool, why: str) -> None:
    found = read_report(report(to=PATH, **more))

    assert found is not None, why
    assert (found.status, found.is_final) == (status, is_final), why


@pytest.mark.parametrize("returns", ["message/rfc822", "text/rfc822-headers"])
def test_without_a_return_path_it_is_known_by_our_message_id(returns: str) -> None:
    assert read_report(report(mail_id=MAIL_ID, returns=returns)) == bounce(mail_id=REFERENCE)


def test_a_report_that_was_cut_short_is_read_as_far_as_it_goes() -> None:
    whole = report(to=PATH, mail_id=MAIL_ID)

    assert read_report(whole[: whole.index(b"Content-Type: message/rfc822")]) == bounce(path=REFERENCE)


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable"])
def test_returned_headers_that_a_server_encoded_are_read_too(encoding: str) -> None:
    kind = b"Content-Type: text/rfc822-headers\r\n"
    head, _, rest = report(mail_id=MAIL_ID, returns="text/rfc822-headers").partition(kind)
    returned, _, end = rest.lstrip(b"\r\n").partition(b"\r\n--B1")
    encode = base64.encodebytes if encoding == "base64" else quopri.encodestring
    how = f"Content-Transfer-Encoding: {encoding}\r\n\r\n".encode()
    mail = head + kind + how + encode(returned) + b"\r\n--B1" + end

    assert read_report(mail) == bounce(mail_id=REFERENCE)


@pytest.mark.parametrize(
    ("mail", "why"),
    [
        (HOLIDAY % (PATH.encode(), MAIL_ID.encode()), "an answer of who is away"),
        (COMPLAINT % (PATH.encode(), MAIL_ID.encode()), "a complaint is no bounce"),
        (report(to=PATH, action="delivered", status="2.0.0"), "it arrived"),
        (report(to=PATH, action="relayed"), "it is on its way"),
        (report(to=PATH, status="five"), "nobody can read it"),
        (report(), "it names no mail"),
        (report(mail_id="<somebody-else@example.com>"), "of somebody else's mail"),
        (report(to="bounces+17@example.jp"), "no mark"),
        (report(to=f"bounces+{'9' * 19}-{MARK}@example.jp"), "no number of ours"),
        (report(to=f"bounces+{REFERENCE[:12]}@example.jp"), "too short for a reference"),
        (report(mail_id=f"<{REFERENCE}{REFERENCE}@example.jp>"), "too long for one"),
        (b"", "nothing"),
        (b"\x00\xff" * 500, "no mail"),
        (b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n" * 5000, "a thousand empty parts"),
        (
            b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(1500)),
            "parts within parts",
        ),
        (b"To: \xe3\x81\x82\r\nContent-Type: message/delivery-status\r\n\r\nAction: failed\r\n", "broken headers"),
    ],
)
def test_whatever_else_arrives_there_says_nothing(mail: bytes, why: str) -> None:
    assert read_report(mail) is None, why


@given(st.binary(max_size=400), st.integers(0, 1200))
def test_no_mail_is_too_strange_to_be_read(junk: bytes, place: int) -> None:
    whole = report(to=PATH, mail_id=MAIL_ID)

    found = read_report(whole[:place] + junk + whole[place:])

    assert found is None or all(one.isalpha() and one.islower() for one in found.paths | found.mail_ids)


def test_a_return_path_is_known_in_capitals_too() -> None:
    assert named(OLD_PATH.upper(), "", "5.1.1", is_final=True) == bounce(old_path=(17, MARK))
