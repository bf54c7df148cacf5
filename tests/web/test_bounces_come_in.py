"""Bounces at the web's door: who knows its address may tell of a mail of ours, and nothing else comes of it."""

import json
import logging
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from email import message_from_bytes
from pathlib import Path

import pytest
from sqlalchemy import func, select

from reminder.channels.email.client import SmtpEmail
from reminder.channels.memory import MemoryChannel
from reminder.clock import SteppedClock
from reminder.domain.model.channels import registered
from reminder.domain.model.people import ChannelName, ConsentHow
from reminder.errors import SettingsError
from reminder.simulate import SimulatedWorld
from reminder.storage.auth.signed_links import SignedLinks
from reminder.storage.crypto.keyring import KeyRing, new_key
from reminder.storage.crypto.references import References
from reminder.storage.db.tables import Receipt
from reminder.storage.registry import contacts
from reminder.upkeep.health import MANY_REFUSED_BOUNCES, assess
from reminder.upkeep.metrics import exposition
from reminder.wiring import build_app, make_channels, read_settings
from reminder.worker.jobs import run_once
from tests.fakes.smtp import FakeSmtp
from tests.returned import COMPLAINT, HOLIDAY, report
from tests.rules import WORDING
from tests.village import Village, japan
from tests.web.asking import Answer, Visitor, visitor

PUBLIC = "https://kigen.example.jp"
END = date(2027, 3, 31)


@dataclass
class Post:
    """A family that is told by mail, its mail server, and a way in for what comes back."""

    village: Village
    smtp: FakeSmtp
    browser: Visitor
    address: str

    def comes_back(self, body: bytes, kind: str = "message/rfc822", *, address: str | None = None) -> Answer:
        answer = self.browser.post(address or self.address, body, {"content-type": kind})
        run_once(self.village.app, self.village.now)
        return answer

    def notice(self, **said: object) -> Answer:
        return self.comes_back(json.dumps(said).encode(), "application/json; charset=utf-8")

    @property
    def path(self) -> str:
        """Where a bounce of the mail to the father goes."""
        return next(mail.sender for mail in self.smtp.mails if mail.recipients == ("chichi@example.jp",))

    @property
    def mail_id(self) -> str:
        mail = next(mail for mail in self.smtp.mails if mail.recipients == ("chichi@example.jp",))
        return str(message_from_bytes(mail.raw)["Message-ID"])

    def state(self) -> tuple[str, str]:
        """Of the mail to the father, and of his address."""
        with self.village.app.database.reading() as tx:
            his = next(
                c for c in contacts.of_group(tx, self.village.app.keys, None) if c.address == "chichi@example.jp"
            )
        message = next(one for one in self.village.messages() if one.contact_id == his.id)
        return message.state, his.state

    def kept(self) -> int:
        with self.village.app.database.reading() as tx:
            return tx.execute(select(func.count()).select_from(Receipt)).scalar_one()


@pytest.fixture
def smtp() -> Iterator[FakeSmtp]:
    with FakeSmtp() as server:
        yield server


@pytest.fixture
def post(database_url: str, tmp_path: Path, smtp: FakeSmtp) -> Iterator[Post]:
    settings = read_settings(
        database_url=database_url,
        data_dir=tmp_path,
        secret_keys=(new_key(),),
        public_url=PUBLIC,
        smtp_url=smtp.url,
        mail_from="期限だより <otayori@example.jp>",
        bounce_address="bounces@example.jp",
    )
    clock = SteppedClock(japan("2027-03-16 08:00"))
    with build_app(settings, clock=clock) as app:
        village = Village(SimulatedWorld(app, clock, {name: MemoryChannel() for name in registered()}))
        village.member("娘", "musume@example.jp")
        village.person("父")
        village.contact("父", ChannelName.EMAIL, "chichi@example.jp")
        village.card("父", END)
        village.sleep_until("2027-03-17 09:00")
        run_once(app, village.now)
        address = SignedLinks(app.keys, app.settings.public_url).bounces()
        assert address is not None
        yield Post(village, smtp, visitor(village, local_pages=False), address.removeprefix(PUBLIC))


def test_each_mail_has_a_return_path_of_its_own_that_a_mail_server_takes(post: Post) -> None:
    paths = {mail.sender for mail in post.smtp.mails}

    assert len(paths) == len(post.smtp.mails) == 2
    assert all(path.startswith("bounces+") and len(path.partition("@")[0]) <= 64 for path in paths)
    assert all("otayori@example.jp" in str(mail.parsed["From"]) for mail in post.smtp.mails)


def test_a_hard_bounce_gives_the_address_up_and_the_family_is_told(post: Post) -> None:
    assert post.state() == ("accepted", "confirmed")

    answer = post.comes_back(report(to=post.path))

    assert (answer.status, answer.body) == (204, b"")
    assert post.state() == ("undelivered", "unreachable")
    post.village.run_until("2027-03-17 23:00")
    to_her = [mail.body() for mail in post.smtp.mails if mail.recipients == ("musume@example.jp",)]
    assert sum("メールにお知らせが届きませんでした" in words for words in to_her) == 1


@pytest.mark.parametrize(
    ("status", "action", "state", "why"),
    [
        ("5.1.10", "failed", ("undelivered", "unreachable"), "no such mailbox"),
        ("5.2.2", "failed", ("undelivered", "confirmed"), "a full mailbox is emptied some day"),
        ("5.7.1", "failed", ("undelivered", "confirmed"), "their policy, not their address"),
        ("4.4.7", "failed", ("undelivered", "confirmed"), "their server was away for days"),
        ("4.2.2", "delayed", ("accepted", "confirmed"), "only noted: it is still being tried"),
    ],
)
def test_a_bounce_is_heard_for_what_it_says(
    post: Post, status: str, action: str, state: tuple[str, str], why: str
) -> None:
    assert post.comes_back(report(to=post.path, status=status, action=action, diagnostic="")).status == 204

    assert post.state() == state, why
    assert post.kept() == 1


def test_a_bounce_names_our_mail_by_its_message_id_where_the_return_path_was_lost(post: Post) -> None:
    post.comes_back(report(mail_id=post.mail_id))

    assert post.state() == ("undelivered", "unreachable")


@pytest.mark.parametrize("with_brackets", [True, False])
def test_a_provider_s_program_says_it_in_json(post: Post, with_brackets: bool) -> None:
    named = post.mail_id if with_brackets else post.mail_id.strip("<>")

    assert post.notice(message_id=named, status="5.1.1", provider="whoever").status == 204

    assert post.state() == ("undelivered", "unreachable")


def test_json_by_the_return_path_and_not_final(post: Post) -> None:
    assert post.notice(return_path=post.path, status="4.2.2").status == 204

    assert post.state() == ("accepted", "confirmed")
    assert post.kept() == 1


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"status": 5}', b'{"message_id": "x"}', b'{"status": "' + b"5" * 50 + b'"}']
)
def test_json_that_says_nothing_is_refused(post: Post, body: bytes) -> None:
    assert post.comes_back(body, "application/json").status == 422
    assert post.kept() == 0


def test_a_repeated_bounce_changes_nothing_nor_does_one_of_an_address_that_was_put_right(post: Post) -> None:
    bounce = report(to=post.path)
    post.comes_back(bounce)
    with post.village.app.database.writing() as tx:
        contacts.record_verified(tx, [2], post.village.now)
        contacts.confirm(tx, 2, how=ConsentHow.REPLY, by=None, now=post.village.now)

    assert post.comes_back(bounce).status == 204

    assert post.state() == ("undelivered", "confirmed")
    assert post.kept() == 1


def with_two_exchanged(letters: str) -> str:
    """The letters with the first two exchanged that are neighbours and differ."""
    place = next(place for place in range(len(letters)) if letters[place] != letters[place + 1])
    return letters[:place] + letters[place + 1] + letters[place] + letters[place + 2 :]


def forgeries(post: Post) -> dict[str, bytes]:
    """What a member may write who has got one mail, hers, and knows how the others are made; by what it tries."""
    hers = next(mail for mail in post.smtp.mails if mail.recipients == ("musume@example.jp",))
    her_id = str(message_from_bytes(hers.raw)["Message-ID"])
    reference = her_id.strip("<>").partition("@")[0]
    sent = post.village.messages()
    ids = [message.id for message in sent]
    seconds = {int(message.handed_at.timestamp()) for message in sent if message.handed_at is not None}
    strange = KeyRing([b"x" * 32])
    guesses = {
        f"the id {number} and the second {second}": report(mail_id=f"<m{number}.{second}@example.jp>")
        for number in ids
        for second in seconds
    }
    return {
        **guesses,
        "an id for a return path": report(to=f"bounces+{ids[0]}@example.jp"),
        "an old return path of another ring": report(
            to=f"bounces+{ids[0]}-{strange.sign(str(ids[0]), 'bounce')}@example.jp"
        ),
        "an old return path, signed, of a mail with a reference": report(
            to=f"bounces+{ids[0]}-{post.village.app.keys.sign(str(ids[0]), 'bounce')}@example.jp"
        ),
        "a reference of another installation": report(
            to=f"bounces+{strange.references.make('message', [ids[0]], post.village.now)}@example.jp"
        ),
        "a reference for another purpose": report(
            to=f"bounces+{post.village.app.keys.references.make('stop', [ids[0]], post.village.now)}@example.jp"
        ),
        "a letter less": report(mail_id=her_id.replace(reference, reference[:-1])),
        "two letters exchanged": report(mail_id=her_id.replace(reference, with_two_exchanged(reference))),
        "half of hers and half of his": report(
            mail_id=f"<{reference[:20]}{post.mail_id.strip('<>').partition('@')[0][20:]}@example.jp>"
        ),
        "her path around his mail": report(to=hers.sender, mail_id=post.mail_id),
        "his path around her mail": report(to=post.path, mail_id=her_id),
        "a wrong path around his mail": report(
            to=post.path.replace("bounces+", "bounces+a"), mail_id=post.mail_id
        ).replace(post.mail_id.encode(), b"<m1.1@example.jp>"),
        "an address in the text alone": report(words=f"To: {post.path} Message-ID: {post.mail_id}"),
        "a holiday": HOLIDAY % (post.path.encode(), post.mail_id.encode()),
        "a complaint": COMPLAINT % (post.path.encode(), post.mail_id.encode()),
        "no mail": b"\xff" * 100,
    }


def test_what_is_forged_or_of_another_s_mail_changes_nothing(post: Post) -> None:
    bodies = forgeries(post)

    assert {post.comes_back(body).status for body in bodies.values()} == {204}

    assert post.state() == ("accepted", "confirmed")
    assert post.kept() == 0
    assert set(post.village.contacts().values()) == {"confirmed"}


@pytest.mark.parametrize("returned", ["rfc822 in rfc822", "base64"])
def test_a_forgery_wrapped_in_parts_changes_nothing_either(post: Post, returned: str) -> None:
    for forged in forgeries(post).values():
        inner = forged.replace(b"B1/mail", b"B2/mail")
        wrapped = inner if returned == "rfc822 in rfc822" else b64encode(inner)
        how = b"" if returned == "rfc822 in rfc822" else b"Content-Transfer-Encoding: base64\r\n"
        body = (
            report(returns="message/rfc822")
            .replace(b"Content-Type: message/rfc822\r\n", b"Content-Type: message/rfc822\r\n" + how)
            .replace(b"\r\n\r\n--B1/mail.example.jp--", b"\r\n\r\n" + wrapped + b"\r\n--B1/mail.example.jp--")
        )
        assert post.comes_back(body).status == 204

    assert (post.state(), post.kept()) == (("accepted", "confirmed"), 0)


def test_a_bounce_of_her_own_mail_that_names_his_address_reaches_her_contact_alone(post: Post) -> None:
    hers = next(mail for mail in post.smtp.mails if mail.recipients == ("musume@example.jp",))

    # The report says that it could not be delivered to him.
    post.comes_back(report(to=hers.sender))

    assert post.village.contacts() == {"musume@example.jp": "unreachable", "chichi@example.jp": "confirmed"}
    assert post.state() == ("accepted", "confirmed")


def test_refused_bounces_are_counted_and_many_on_a_day_are_told_to_the_operator(post: Post) -> None:
    app, forged = post.village.app, report(mail_id="<m1.1796086800@example.jp>")
    for _ in range(MANY_REFUSED_BOUNCES - 1):
        post.comes_back(forged)
    before = assess(app.units, app.clock.now())

    post.comes_back(forged)
    post.comes_back(HOLIDAY % (post.path.encode(), post.mail_id.encode()))

    found = assess(app.units, app.clock.now())
    assert "bounces_refused" not in {one.code for one in before.concerns}
    assert {one.code: one.count for one in found.concerns}["bounces_refused"] == MANY_REFUSED_BOUNCES
    assert found.troubles == before.troubles, "a stranger's mail must not look like a fault of the service"
    assert f"kigen_bounces_refused_total {MANY_REFUSED_BOUNCES}.0".encode() in exposition(app.units, app.clock.now())
    post.village.clock.move_to(japan("2027-03-18 09:00"))
    assert "bounces_refused" not in {one.code for one in assess(app.units, app.clock.now()).concerns}


def test_mails_from_before_references_are_known_by_their_signed_path_and_never_by_their_message_id(post: Post) -> None:
    app = post.village.app
    message = next(one for one in post.village.messages() if one.provider_id == post.mail_id)
    older = replace(app, keys=app.keys.referring_by(References("another", app.clock.now())))
    old = Village(SimulatedWorld(older, post.village.clock, post.village.world.channels))
    web = visitor(old, local_pages=False)
    path = f"bounces+{message.id}-{app.keys.sign(str(message.id), 'bounce')}@example.jp"
    assert message.handed_at is not None
    guess = f"<m{message.id}.{int(message.handed_at.timestamp())}@example.jp>"

    web.post(post.address, report(mail_id=guess), {"content-type": "message/rfc822"})
    assert post.kept() == 0
    web.post(post.address, report(to=path), {"content-type": "message/rfc822"})
    assert post.kept() == 1


@pytest.mark.parametrize("mark", ["x", "a" * 32, "%20", "../bounce"])
def test_who_does_not_know_the_address_is_refused_unread(post: Post, mark: str) -> None:
    wrong = post.address.rpartition("/")[0] + f"/{mark}"

    assert post.comes_back(report(to=post.path), address=wrong).status in (403, 404)
    assert post.state() == ("accepted", "confirmed")


@pytest.mark.parametrize("in_pieces", [False, True])
def test_a_bounce_of_more_than_64_kibibytes_is_refused(post: Post, in_pieces: bool) -> None:
    body = report(to=post.path) + b"x" * 64 * 1024

    answer = post.browser.post(post.address, iter([body[:40_000], body[40_000:]]) if in_pieces else body)

    assert answer.status == 413
    assert post.kept() == 0


def test_nothing_of_a_bounce_is_kept_or_logged(post: Post, caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "twelve-secret-words"

    post.comes_back(report(to=post.path, words=secret, diagnostic=f"smtp; 550 5.1.1 {secret}"))
    post.notice(message_id=post.mail_id, status="5.1.1", words=secret)

    assert secret not in caplog.text
    assert "chichi@" not in caplog.text
    with post.village.app.database.reading() as tx:
        rows = tx.execute(select(Receipt.provider_id, Receipt.status, Receipt.error_code)).all()
    assert [tuple(row) for row in rows] == [(post.mail_id, "bounced", "5.1.1")]


def test_a_mail_whose_answer_was_lost_and_that_bounces_is_known_by_its_return_path(post: Post) -> None:
    post.village.person("母")
    post.village.contact("母", ChannelName.EMAIL, "haha@example.jp")
    post.village.card("母", END)
    post.smtp.lose_answer_next()
    run_once(post.village.app, post.village.now)
    lost = next(one for one in post.village.messages() if one.state == "unknown")
    path = next(mail.sender for mail in post.smtp.mails if mail.recipients == ("haha@example.jp",))

    post.comes_back(report(to=path))

    assert next(one.state for one in post.village.messages() if one.id == lost.id) == "undelivered"
    assert post.village.contacts()["haha@example.jp"] == "unreachable"


def test_without_a_bounce_address_mail_leaves_as_from_the_sender(smtp: FakeSmtp, tmp_path: Path) -> None:
    settings = read_settings(data_dir=tmp_path, smtp_url=smtp.url, mail_from="otayori@example.jp")

    channel = make_channels(settings, print, WORDING)[ChannelName.EMAIL]

    assert isinstance(channel, SmtpEmail)
    assert channel._return_path("reference") == "otayori@example.jp"


@pytest.mark.parametrize("address", ["bounces", "a+b@example.jp", "x" * 17 + "@example.jp", "a@b c", "a@example.jp\n"])
def test_a_bounce_address_that_leaves_no_room_refuses_to_start(address: str) -> None:
    with pytest.raises(SettingsError):
        read_settings(bounce_address=address)
