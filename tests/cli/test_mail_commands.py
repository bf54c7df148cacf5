"""`reminder mail`: what a mail server's pipe gives, and where it posts it."""

import io
import json
import sys

import pytest

from reminder.cli import main
from tests.fakes.smtp import FakeSmtp
from tests.returned import HOLIDAY, report

PUBLIC = "https://kigen.example.jp"


pytestmark = pytest.mark.usefixtures("reminder")


def bounce(mail: bytes, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(mail)))
    return main(["mail", "bounce", "--json"])


@pytest.mark.parametrize(
    "mail",
    [report(mail_id="<m1.1930260600@example.jp>"), HOLIDAY % (b"otayori@example.jp", b"<m1.1@example.jp>"), b""],
)
def test_what_is_not_of_a_mail_of_ours_is_taken_and_changes_nothing(
    mail: bytes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bounce(mail, monkeypatch) == 0, "a mail server must not send a bounce of a bounce"
    assert json.loads(capsys.readouterr().out) == {"kept": False}


def test_a_mail_of_more_than_64_kibibytes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert bounce(b"x" * (64 * 1024 + 1), monkeypatch) == 2


def test_a_mail_that_comes_back_through_the_pipe_is_undelivered_in_the_next_pass(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REMINDER_CLOCK_OVERRIDE", "2027-03-17T09:00+09:00")
    with FakeSmtp() as smtp:
        monkeypatch.setenv("REMINDER_SMTP_URL", smtp.url)
        monkeypatch.setenv("REMINDER_MAIL_FROM", "otayori@example.jp")
        monkeypatch.setenv("REMINDER_BOUNCE_ADDRESS", "bounces@example.jp")
        for line in (
            "group add --name 田中家 --kind household",
            "person add --group 1 --label 父",
            "contact add --person 1 --channel email --address chichi@example.jp --consent spoken --consent-by 長女",
            "card add --person 1 --kind mynumber_user_certificate --expires 2027-03-31",
            "run-once",
        ):
            assert main(line.split()) == 0
        (mail,) = smtp.mails
        capsys.readouterr()

        assert bounce(report(to=mail.sender), monkeypatch) == 0

        assert json.loads(capsys.readouterr().out) == {"kept": True}
        assert main(["run-once"]) == 0
    capsys.readouterr()
    assert main(["list", "messages", "--json"]) == 0
    assert [one["state"] for one in json.loads(capsys.readouterr().out)] == ["undelivered"]


def test_the_address_for_mail_servers_is_under_the_public_address(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["mail", "address"]) == 2
    monkeypatch.setenv("REMINDER_PUBLIC_URL", PUBLIC)
    capsys.readouterr()

    assert main(["mail", "address"]) == 0

    assert capsys.readouterr().out.startswith(f"{PUBLIC}/webhooks/mail/bounce/")
