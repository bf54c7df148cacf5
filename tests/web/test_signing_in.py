"""Signing in: by a code that works once, here and now; by nothing that somebody else has planted, guessed or copied."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from reminder.domain.model.people import ChannelName, Language, Role
from reminder.enrolment.identity import sign_in
from reminder.errors import ConflictError
from reminder.storage.auth import sessions
from reminder.storage.crypto.keyring import token_hash
from reminder.storage.outbox import queue
from tests.village import Village, open_village
from tests.web.browsing import Browser

ME, OTHER = "musume@example.jp", "musuko@example.jp"


@pytest.fixture
def village(database_url: str, tmp_path: Path) -> Iterator[Village]:
    with open_village(database_url, tmp_path, "2026-12-01 08:00") as opened:
        yield opened


@pytest.fixture
def any_village(database_url: str, tmp_path: Path) -> Iterator[Village]:
    """The same on both databases, for what they are asked in words of their own."""
    with open_village(database_url, tmp_path, "2026-12-01 08:00") as opened:
        yield opened


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06}"


def later(village: Village, pause: timedelta) -> None:
    village.clock.move_to(village.now + pause)


def asked(village: Village, email: str = ME) -> Browser:
    """Somebody who waits for a code."""
    browser = Browser(village)
    browser.get("/sign-in")
    browser.submit("/sign-in", email=email)
    village.pass_once()
    return browser


def mails(village: Village) -> list[tuple[str, str]]:
    return [(sent.address, sent.text) for sent in village.app.channels[ChannelName.EMAIL].sent]


def mails_to(village: Village, email: str) -> list[str]:
    return [text for address, text in mails(village) if address == email]


def test_a_new_address_gets_a_code_by_mail_and_makes_a_household(any_village: Village) -> None:
    browser = asked(any_village)

    browser.submit("/sign-in/code", code=any_village.code_to(ME))
    assert browser.path == "/welcome"
    browser.submit("/welcome", group_name="田中家", member_name="長女")
    browser.get("/")

    assert browser.heading == "田中家"


@pytest.mark.parametrize("typed", ["{0}", " {0} ", "{1}-{2}", "{1} {2}", "{3}"])
def test_a_code_may_be_typed_as_people_type_it(village: Village, typed: str) -> None:
    browser = asked(village)
    code = village.code_to(ME)
    full_width = code.translate(str.maketrans("0123456789", "０１２３４５６７８９"))

    browser.submit("/sign-in/code", code=typed.format(code, code[:3], code[3:], full_width))

    assert browser.path == "/welcome"


def test_whoever_is_a_member_already_is_led_to_their_group(village: Village) -> None:
    village.group(name="鈴木家")
    village.member("長男", OTHER)

    browser = asked(village, OTHER)
    browser.submit("/sign-in/code", code=village.code_to(OTHER))
    assert browser.path == "/passkey"
    browser.get("/")

    assert browser.heading == "鈴木家"


def test_known_and_unknown_addresses_are_answered_alike(village: Village) -> None:
    village.group()
    village.member("長男", OTHER)

    known, unknown = asked(village, OTHER), asked(village, ME)

    assert known.path == unknown.path == "/sign-in/code"
    assert known.page.text == unknown.page.text
    assert {address for address, _ in mails(village)} == {ME, OTHER}


def test_without_sign_up_a_stranger_is_answered_alike_and_gets_no_mail(database_url: str, tmp_path: Path) -> None:
    with open_village(database_url, tmp_path, "2026-12-01 08:00", sign_up="invited") as village:
        village.group()
        village.member("長男", OTHER)

        known, unknown = asked(village, OTHER), asked(village, ME)

        assert known.page.text == unknown.page.text
        assert [address for address, _ in mails(village)] == [OTHER]


def test_a_code_works_only_once(village: Village) -> None:
    browser = asked(village)
    thief = Browser(village)
    thief.cookies = dict(browser.cookies)
    code = village.code_to(ME)
    browser.submit("/sign-in/code", code=code)

    thief.get("/sign-in/code")
    thief.submit("/sign-in/code", code=code)

    assert thief.page.status == 422
    assert "kigen" not in thief.cookies


def test_a_code_works_only_in_the_browser_that_asked(village: Village) -> None:
    asked(village)
    elsewhere = asked(village, OTHER)

    elsewhere.submit("/sign-in/code", code=village.code_to(ME))

    assert elsewhere.page.status == 422


def test_a_code_ends_after_ten_minutes(village: Village) -> None:
    browser = asked(village)
    code = village.code_to(ME)
    later(village, sign_in.CODE_LASTS)

    browser.submit("/sign-in/code", code=code)

    assert browser.page.status == 422
    assert "もう使えません" in browser.page.text


def test_after_five_wrong_tries_the_right_code_does_not_work_either(any_village: Village) -> None:
    browser = asked(any_village)
    code = any_village.code_to(ME)

    for left in (4, 3, 2, 1):
        browser.submit("/sign-in/code", code=wrong(code))
        assert f"あと{left}回" in browser.page.text
    browser.submit("/sign-in/code", code=wrong(code))
    browser.submit("/sign-in/code", code=code)

    assert browser.page.status == 422
    assert "kigen" not in browser.cookies


def test_an_address_gets_five_codes_an_hour_and_ten_a_day(village: Village) -> None:
    village.group()
    village.member("長男", OTHER)
    app, sent = village.app, {ME: list[datetime](), OTHER: list[datetime]()}

    for number in range(26 * 6):
        later(village, timedelta(minutes=10))
        for address in sent:
            before = len(mails_to(village, address))
            with app.units.writing(village.now) as uow:
                sign_in.ask_for_code(
                    uow,
                    email=address,
                    network=f"192.0.2.{number}",
                    browser=None,
                    language=Language.JAPANESE,
                    sign_up=True,
                )
            with app.reading() as uow:
                waits = queue.next_moment(uow.tx) is not None
            if waits:
                village.pass_once()
            sent[address] += [village.now] * (len(mails_to(village, address)) - before)

    known, unknown = sent[OTHER], sent[ME]
    assert known == unknown
    assert len([when for when in known if when <= known[0] + timedelta(minutes=59)]) == 5
    assert len([when for when in known if when <= known[0] + timedelta(hours=23)]) == 10
    assert len(known) > 10


def test_a_second_code_at_once_is_refused_with_a_sentence(village: Village) -> None:
    browser = asked(village)

    browser.get("/sign-in")
    browser.submit("/sign-in", email=ME)

    assert browser.page.status == 429
    assert "1分待って" in browser.page.text


def test_one_network_gets_thirty_codes_an_hour(village: Village) -> None:
    app = village.app

    def ask(number: int, network: str) -> None:
        with app.units.writing(village.now) as uow:
            sign_in.ask_for_code(
                uow,
                email=f"a{number}@example.jp",
                network=network,
                browser=None,
                language=Language.JAPANESE,
                sign_up=True,
            )

    for number in range(sign_in.MOST_A_NETWORK):
        ask(number, "192.0.2.1")
    with pytest.raises(ConflictError) as refused:
        ask(99, "192.0.2.1")
    ask(99, "192.0.2.2")

    assert refused.value.code == "too_many_codes"


def test_nothing_that_was_sent_can_be_read_in_the_database(any_village: Village) -> None:
    browser = asked(any_village)
    code = any_village.code_to(ME)
    browser.submit("/sign-in/code", code=code)

    with any_village.app.database.engine.connect() as connection:
        kept = ""
        for table in ("login_codes", "sessions", "accounts", "messages", "challenges"):
            kept += repr(connection.exec_driver_sql(f"SELECT * FROM {table}").all())
        bodies = connection.exec_driver_sql("SELECT body_sealed FROM messages").scalars().all()

    assert bodies == [None]
    assert code not in kept
    assert ME not in kept
    assert browser.cookies["kigen"] not in kept
    assert browser.visitor.machine not in kept


def test_a_session_is_new_at_each_sign_in_and_the_one_before_ends(village: Village) -> None:
    browser = asked(village)
    browser.submit("/sign-in/code", code=village.code_to(ME))
    first = browser.cookies["kigen"]
    browser.cookies.pop("kigen")
    later(village, timedelta(minutes=2))

    again = asked(village)
    again.cookies["kigen"] = first
    again.post("/sign-in/code", [("code", village.code_to(ME)), ("seal", village.app.keys.sign(first, "form"))])

    assert again.cookies["kigen"] != first
    assert sign_in.session_of(village.app.units, village.now, first) is None


def test_a_session_that_somebody_has_planted_is_nobody_s(village: Village) -> None:
    browser = Browser(village)
    browser.cookies["kigen"] = "a" * 64

    browser.get("/")

    assert browser.path == "/sign-in"
    assert browser.heading == "ログイン"


def test_signing_in_never_takes_a_token_that_the_browser_brings(village: Village) -> None:
    browser = asked(village)
    browser.cookies["kigen"] = planted = "a" * 64
    browser.post("/sign-in/code", [("code", village.code_to(ME)), ("seal", village.app.keys.sign(planted, "form"))])

    assert browser.cookies["kigen"] != planted


def test_after_signing_out_the_old_cookie_opens_nothing(village: Village) -> None:
    browser = Browser(village)
    browser.sign_in(ME)
    old = browser.cookies["kigen"]
    browser.get("/settings")

    browser.submit("/sign-out")
    browser.cookies["kigen"] = old
    browser.get("/")

    assert browser.path == "/sign-in"


def test_a_session_that_was_not_used_for_two_months_ends(village: Village) -> None:
    browser = Browser(village)
    browser.sign_in(ME)
    later(village, timedelta(days=50))
    browser.get("/")
    later(village, timedelta(days=50))
    browser.get("/")
    assert browser.heading == "田中家"

    later(village, timedelta(days=61))
    browser.get("/")

    assert browser.path == "/sign-in"


def test_devices_are_listed_and_can_be_signed_out_one_by_one(any_village: Village) -> None:
    at_home = Browser(any_village, **{"user-agent": "Mozilla/5.0 (Windows NT 10.0) Chrome/150"})
    at_home.sign_in(ME)
    later(any_village, timedelta(minutes=2))
    phone = Browser(any_village, **{"user-agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 20_0) Safari/604.1"})
    phone.sign_in(ME)

    phone.get("/settings/devices")
    assert "Windows・Chrome" in phone.page.text
    assert "iPhone・Safari" in phone.page.text
    other = next(form.action for form in phone.forms if re.fullmatch(r"/settings/devices/[0-9]+", form.action))
    phone.submit(other)
    at_home.get("/")

    assert at_home.path == "/sign-in"
    phone.get("/")
    assert phone.heading == "田中家"


def test_nobody_signs_out_somebody_else(village: Village) -> None:
    mine, theirs = Browser(village), Browser(village)
    mine.sign_in(ME)
    theirs.sign_in(OTHER)
    with village.app.database.reading() as tx:
        session = sessions.find(
            tx,
            village.app.keys,
            token_hash(theirs.cookies["kigen"]),
            now=village.now,
            seen_since=village.now - timedelta(days=1),
        )
    assert session is not None

    mine.get("/settings/devices")
    answer = mine.post(f"/settings/devices/{session.session_id}", [("seal", mine.seal)])
    theirs.get("/")

    assert answer.status == 404
    assert theirs.heading == "田中家"


@pytest.mark.parametrize(
    ("headers", "seal"),
    [
        ({"origin": "https://elsewhere.example"}, True),
        ({"origin": "null"}, True),
        ({"sec-fetch-site": "cross-site"}, True),
        ({"sec-fetch-site": "same-site"}, True),
        ({}, False),
    ],
    ids=["another origin", "no origin of its own", "across sites", "a neighbour", "without the seal of the session"],
)
def test_a_form_of_somebody_else_s_page_does_nothing(village: Village, headers: dict[str, str], seal: bool) -> None:
    browser = Browser(village)
    browser.sign_in(ME)
    browser.get("/settings")

    answer = browser.post("/sign-out", [("seal", browser.seal if seal else "a" * 32)], **headers)
    browser.get("/")

    assert answer.status == 403
    assert browser.heading == "田中家"


@pytest.mark.parametrize(
    "wanted",
    ["https://elsewhere.example/", "//elsewhere.example", "/\\elsewhere.example", "javascript:alert(1)", "/ok?x"],
)
def test_nobody_is_led_elsewhere(village: Village, wanted: str) -> None:
    browser = asked(village)
    browser.cookies["kigen_next"] = wanted
    browser.submit("/sign-in/code", code=village.code_to(ME))

    browser.submit("/look", size="large", back=wanted)

    assert browser.path.startswith("/")
    assert "elsewhere" not in browser.path


@pytest.mark.parametrize("host", ["elsewhere.example", "127.0.0.1:8000@elsewhere.example", "elsewhere.example:80"])
def test_the_name_under_which_we_are_called_is_written_nowhere(village: Village, host: str) -> None:
    browser = Browser(village)
    for path in ("/sign-in", "/", "/nothing", "/healthz"):
        answer = browser.visitor.ask("GET", path, headers={"host": host, "accept": "text/html"})

        assert "elsewhere" not in answer.everything

    village_mail = asked(village)
    assert "elsewhere" not in repr(mails(village_mail.village))


def test_mail_programs_that_follow_links_sign_nobody_in_or_out(village: Village) -> None:
    browser = Browser(village)
    browser.sign_in(ME)
    for path in ("/sign-out", "/settings/data/erase", "/people/1/erase"):
        browser._ask("GET", path, b"", {})
    browser.get("/")

    assert browser.heading == "田中家"
    assert "http" not in mails(village)[0][1]


def test_cookies_behind_https_are_for_this_host_alone(database_url: str, tmp_path: Path) -> None:
    with open_village(database_url, tmp_path, "2026-12-01 08:00", public_url="https://kigen.example.jp") as village:
        browser = asked(village)
        answer = browser._ask(
            "POST",
            "/sign-in/code",
            f"code={village.code_to(ME)}".encode(),
            {"content-type": "application/x-www-form-urlencoded", "origin": "https://kigen.example.jp"},
        )

        session = next(line for line in answer.cookies if line.startswith("__Host-kigen="))

    assert {"httponly", "secure", "path=/", "samesite=lax"} <= set(session.lower().split("; "))
    assert "domain" not in session.lower()


def test_a_member_who_was_entered_is_found_by_their_first_address_alone(village: Village) -> None:
    """Else whoever may add a contact to a member could sign in as that member."""
    village.group()
    village.member("長男", OTHER)
    from reminder.enrolment import register

    with village.app.writing() as uow:
        register.add_contact(uow, channel=ChannelName.EMAIL, address=ME, member_id=1)

    browser = asked(village)
    browser.submit("/sign-in/code", code=village.code_to(ME))

    assert browser.path == "/welcome"


def test_an_invitation_waits_for_the_invited_address_and_acts_only_by_its_button(any_village: Village) -> None:
    owner, guest = Browser(any_village), Browser(any_village)
    owner.sign_in(ME)
    owner.get("/settings/members")
    owner.submit("/settings/members", email=OTHER, role="viewer")
    any_village.pass_once()
    assert any(address == OTHER and "招かれて" in text for address, text in mails(any_village))

    guest.get("/sign-in")
    guest.submit("/sign-in", email=OTHER)
    any_village.pass_once()
    guest.submit("/sign-in/code", code=any_village.code_to(OTHER))
    guest.get("/invitations/1")
    guest.get("/invitations/1")
    assert "田中家" in guest.page.text
    guest.submit("/invitations/1", answer="yes")
    guest.get("/")

    assert guest.heading == "田中家"
    assert not any(form.action == "/people" for form in guest.forms)
    with any_village.app.database.reading() as tx:
        from reminder.storage.auth import accounts

        roles = [one.role for one in accounts.members(tx, any_village.app.keys, 1)]
    assert roles == [Role.OWNER, Role.VIEWER]


def test_an_invitation_is_nobody_else_s(village: Village) -> None:
    owner, stranger = Browser(village), Browser(village)
    owner.sign_in(ME)
    owner.get("/settings/members")
    owner.submit("/settings/members", email=OTHER, role="owner")
    stranger.sign_in("tanin@example.jp", household="他人家")

    stranger.get("/invitations/1")
    assert stranger.page.status == 404
    answer = stranger.post(
        "/invitations/1",
        [("answer", "yes"), ("seal", stranger.village.app.keys.sign(stranger.cookies["kigen"], "form"))],
    )

    assert answer.status == 404


def test_the_last_owner_cannot_leave(village: Village) -> None:
    browser = Browser(village)
    browser.sign_in(ME)
    browser.get("/settings/members")

    browser.submit("/settings/members/leave")

    assert browser.page.status == 422
    assert "管理する人がいなくなります" in browser.page.text


def test_all_devices_can_be_signed_out_at_once_this_one_too(village: Village) -> None:
    here, there = Browser(village), Browser(village)
    here.sign_in("musume@example.jp")
    village.clock.move_to(village.now + timedelta(minutes=2))
    there.sign_in("musume@example.jp")

    here.get("/settings/devices")
    here.submit("/settings/devices/all")

    assert here.path == "/sign-in"
    assert "kigen" not in here.cookies
    for browser in (here, there):
        browser.get("/settings")
        assert browser.path == "/sign-in"
