"""The real program against a Twilio and a mail server at the other end of a socket, alive and killed."""

import re
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.fakes import twilio as fake
from tests.fakes.smtp import FakeSmtp
from tests.fakes.twilio import FakeTwilio
from tests.patience import PATIENCE
from tests.program import Program, free_port, get, until

NINE = "2027-03-17T09:00+09:00"  # a Wednesday, two weeks before the end
MOTHER = "+819000000001"


@pytest.fixture
def twilio() -> Iterator[FakeTwilio]:
    with FakeTwilio(now=lambda: datetime(2027, 3, 17, 0, 0, 5, tzinfo=UTC)) as server:
        yield server


@pytest.fixture
def mail() -> Iterator[FakeSmtp]:
    with FakeSmtp() as server:
        yield server


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def program(tmp_path: Path, twilio: FakeTwilio, mail: FakeSmtp, port: int) -> Program:
    return Program(
        tmp_path,
        REMINDER_TWILIO_ACCOUNT_SID=fake.ACCOUNT_SID,
        REMINDER_TWILIO_AUTH_TOKEN=fake.AUTH_TOKEN,
        REMINDER_TWILIO_FROM=fake.SENDER,
        REMINDER_TWILIO_BASE_URL=twilio.url,
        REMINDER_SMTP_URL=mail.url,
        REMINDER_MAIL_FROM="期限だより <otayori@example.jp>",
        REMINDER_PUBLIC_URL=f"http://127.0.0.1:{port}",
        REMINDER_PASS_SECONDS="0.1",
        REMINDER_CLOCK_OVERRIDE="2027-03-17T08:00+09:00",
    )


def enrol(program: Program, *, carer: bool = False) -> None:
    """A mother whose certificate ends on the last of March 2027; with a carer, she is looked after."""
    program.answer("group", "add", "--name", "田中家", "--kind", "household")
    if carer:
        program.answer("member", "add", "--group", "1", "--email", "musume@example.jp", "--role", "owner")
    enrol_person(program, "母", mode="elderly" if carer else "standard")


def enrol_person(program: Program, label: str, *, mode: str = "standard") -> None:
    named = ["--label", label, "--mark", "つばめ", "--mode", mode]
    added = program.answer("person", "add", "--group", "1", *named)
    assert isinstance(added, dict)
    whose = ["--person", str(added["id"])]
    phone = ["--channel", "sms", "--address", "090-0000-0001", "--consent", "spoken", "--consent-by", "長女"]
    program.answer("contact", "add", *whose, *phone)
    program.answer("card", "add", *whose, "--kind", "mynumber_user_certificate", "--expires", "令和9年3月31日")


def messages(program: Program) -> list[dict[str, object]]:
    listed = program.answer("list", "messages")
    assert isinstance(listed, list)
    return listed


def test_from_a_typed_date_to_a_text_that_a_signed_receipt_says_was_delivered(
    program: Program, twilio: FakeTwilio, mail: FakeSmtp, port: int
) -> None:
    enrol(program, carer=True)
    twilio.phone(MOTHER).expect(lambda text: text.startswith("【期限だより・つばめ】") and "3月31日" in text)
    program.environment["REMINDER_CLOCK_OVERRIDE"] = "2027-03-17T10:00+09:00"

    with program.serving(port, "serve"):
        twilio.wait_for_posts(1)
        mail.wait_for_mails(1)
        until(lambda: all(message["state"] == "accepted" for message in messages(program)), "both are recorded")
        assert twilio.deliver_all() == [204]
        until(lambda: "delivered" in [message["state"] for message in messages(program)], "the receipt is applied")
        assert "delivered" in get(port, "/outbox")[1]

    twilio.verify()
    assert mail.mails[0].parsed["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_the_link_in_a_mail_asks_on_get_and_stops_on_post(
    program: Program, twilio: FakeTwilio, mail: FakeSmtp, port: int
) -> None:
    enrol(program, carer=True)
    twilio.allow_all()
    program.environment["REMINDER_CLOCK_OVERRIDE"] = "2027-03-17T10:00+09:00"

    with program.serving(port, "serve"):
        mail.wait_for_mails(1)
        link = re.search(r"<http://[^/]+(/stop/[^>]+)>", mail.mails[0].parsed["List-Unsubscribe"])
        assert link is not None
        states = lambda: {contact["state"] for contact in program.answer("list", "contacts")}  # noqa: E731
        assert get(port, link[1])[0] == 200
        assert "opted_out" not in states(), "a scanner that follows links stops nobody"
        assert get(port, link[1], method="POST")[0] == 200
        assert "opted_out" in states()
        assert get(port, link[1][:-3] + "aaa", method="POST")[0] == 404


def test_a_forged_receipt_is_refused_and_changes_nothing(program: Program, twilio: FakeTwilio, port: int) -> None:
    enrol(program)
    twilio.allow_all()
    program.environment["REMINDER_CLOCK_OVERRIDE"] = "2027-03-17T10:00+09:00"

    with program.serving(port, "serve"):
        twilio.wait_for_posts(1)
        until(lambda: messages(program)[0]["state"] == "accepted", "it is recorded")
        assert twilio.callback(twilio.texts[0].sid, forged=True).post() == 403
        assert messages(program)[0]["state"] == "accepted"


def test_a_server_says_where_its_pages_are_and_a_second_one_what_is_wrong(program: Program, port: int) -> None:
    with program.serving(port, "serve"):
        second = program.run("serve", "--port", str(port))

    assert f"http://localhost:{port}/ を開いて" in (program.folder / "server.log").read_text()
    assert second.returncode == 1
    assert second.stderr.strip() == (
        "そのアドレスとポートを使えません。"
        "ほかのプログラムが使っていないか確かめるか、--port で別の番号を選んでください。"
    )


def test_killed_after_the_provider_took_it_the_next_pass_asks_and_sends_nothing_twice(
    program: Program, twilio: FakeTwilio
) -> None:
    enrol(program)
    twilio.phone(MOTHER).expect(lambda text: "3月31日" in text)
    twilio.hold_answers()
    dying = program.start("run-once", "--at", NINE)
    twilio.wait_for_posts(1)

    dying.send_signal(signal.SIGKILL)
    dying.wait()
    assert messages(program)[0]["state"] == "sending"
    twilio.release_answers()
    program.answer("run-once", "--at", "2027-03-17T09:11+09:00")

    assert messages(program)[0]["state"] == "accepted"
    assert messages(program)[0]["provider_id"] == twilio.texts[0].sid
    assert not messages(program)[0]["possibly_double"]
    assert twilio.posts == 1
    twilio.verify()


def test_killed_before_the_provider_took_it_the_text_goes_out_once_and_is_marked(
    program: Program, twilio: FakeTwilio
) -> None:
    enrol(program)
    twilio.phone(MOTHER).expect(lambda text: "3月31日" in text)
    twilio.script(fake.HANG)
    dying = program.start("run-once", "--at", NINE)
    twilio.wait_for_posts(1)

    dying.send_signal(signal.SIGKILL)
    dying.wait()
    program.answer("run-once", "--at", "2027-03-17T09:11+09:00")
    assert messages(program)[0]["state"] == "unknown", "one answer of 'not seen' is not enough: lists lag"
    program.answer("run-once", "--at", "2027-03-17T09:13+09:00")

    assert messages(program)[0]["state"] == "accepted"
    assert messages(program)[0]["possibly_double"]
    assert twilio.bodies_to(MOTHER) == [messages(program)[0]["text"]]
    twilio.verify()


def test_two_people_share_a_phone_and_only_one_text_left_before_the_kill(program: Program, twilio: FakeTwilio) -> None:
    enrol(program)
    enrol_person(program, "父")
    twilio.allow_all()
    twilio.script(fake.ACCEPT_THEN_RESET, fake.RESET)
    program.answer("run-once", "--at", NINE)
    assert [message["state"] for message in messages(program)] == ["unknown", "unknown"]

    program.answer("run-once", "--at", "2027-03-17T09:02+09:00")
    program.answer("run-once", "--at", "2027-03-17T09:04+09:00")

    assert [message["state"] for message in messages(program)] == ["accepted", "accepted"]
    assert len({message["provider_id"] for message in messages(program)}) == 2
    assert len(twilio.bodies_to(MOTHER)) == 2, "the second was found missing, and not in the first one's place"


def test_the_first_receipt_settles_a_text_whose_answer_was_lost(
    program: Program, twilio: FakeTwilio, port: int
) -> None:
    enrol(program)
    twilio.phone(MOTHER).expect(lambda text: "3月31日" in text)
    twilio.script(fake.ACCEPT_THEN_RESET)
    program.answer("run-once", "--at", NINE)
    assert messages(program)[0]["state"] == "unknown"
    program.environment["REMINDER_CLOCK_OVERRIDE"] = "2027-03-17T09:00:20+09:00"

    with program.serving(port, "serve"):
        assert twilio.deliver_all() == [204]
        until(lambda: messages(program)[0]["state"] == "delivered", "the receipt is applied")

    assert twilio.posts == 1
    twilio.verify()


def test_repeated_and_late_receipts_change_nothing_and_each_is_kept_once(
    program: Program, twilio: FakeTwilio, port: int
) -> None:
    enrol(program)
    twilio.allow_all()
    program.answer("run-once", "--at", NINE)
    program.environment["REMINDER_CLOCK_OVERRIDE"] = "2027-03-17T09:00:20+09:00"

    with program.serving(port, "serve"):
        sid = twilio.texts[0].sid
        assert [twilio.deliver(sid, status=status) for status in ("delivered", "delivered", "sent", "undelivered")] == [
            204
        ] * 4
        until(lambda: messages(program)[0]["state"] != "accepted", "a receipt is applied")
        twilio.deliver(sid, status="sending")
        until(lambda: '"ready": true' in program.run("health", "--json").stdout, "another pass ends well")

    assert messages(program)[0]["state"] == "delivered"


def test_sigterm_finishes_what_runs_and_leaves_nothing_in_hand(program: Program, twilio: FakeTwilio, port: int) -> None:
    enrol(program)
    twilio.allow_all()
    twilio.hold_answers()
    program.environment["REMINDER_CLOCK_OVERRIDE"] = "2027-03-17T10:00+09:00"

    with program.serving(port, "serve") as server:
        twilio.wait_for_posts(1)
        server.send_signal(signal.SIGTERM)
        twilio.release_answers()
        assert server.wait(PATIENCE) == 0

    assert messages(program)[0]["state"] == "accepted"
