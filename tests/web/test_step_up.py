"""Before what is grave, somebody who is signed in shows once more who they are; what they were doing goes on."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import APIRouter
from sqlalchemy import select

from reminder.domain.model.people import Role
from reminder.enrolment.identity import sign_in, step_up
from reminder.storage.db.tables import Session as SessionRow
from reminder.web.app import create_web
from reminder.web.declared import Asks, PageRoute, declares
from reminder.web.support.authorization import Filled
from reminder.web.support.confirmation import Confirmed
from tests.fakes.authenticator import Authenticator
from tests.village import Village, open_village
from tests.web.asking import Answer
from tests.web.browsing import Browser
from tests.web.declared_routes import declared_routes
from tests.web.test_passkey_ceremonies import challenge, registered, send
from tests.web.town import Town, everything, open_town

ME = "musume@example.jp"
STALE = timedelta(minutes=11)

# What asks for a fresh proof, and as what; in an order in which one act leaves the next something to act on.
ASKS = {
    "POST /settings/tokens": Asks.TOKEN,
    "POST /settings/tokens/{token_id}": Asks.TOKEN,
    "POST /settings/calendar": Asks.CALENDAR,
    "POST /settings/members": Asks.MEMBER,
    "POST /settings/members/{member_id}": Asks.MEMBER,
    "POST /settings/members/leave": Asks.MEMBER,
    "POST /passkey/begin": Asks.PASSKEY,
    "POST /passkey/options": Asks.PASSKEY,
    "POST /passkey": Asks.PASSKEY,
    "POST /settings/passkeys/{passkey_id}": Asks.PASSKEY,
    "POST /imports/{import_id}/not-taken.xlsx": Asks.EXPORT,
    "POST /visits.xlsx": Asks.EXPORT,
    "POST /settings/data/export.json": Asks.EXPORT,
    "POST /settings/data/export.html": Asks.EXPORT,
    "POST /cards/{card_id}/erase": Asks.ERASE,
    "POST /contacts/{contact_id}/erase": Asks.ERASE,
    "POST /people/{person_id}/erase": Asks.ERASE,
    "POST /settings/data/erase": Asks.ERASE,
}
SIGNS_IN = "is a sign-in itself, or the proof"
ENDS = "takes rights away from a device or an address, and must be quick"
OWN = "changes how this browser or this member is spoken to"
DAILY = "is the daily work: it can be seen, and mended"
NOTHING = "shows what would be; nothing is stored"
LINK = "only we can make the address"
PROVIDER = "only the provider can make the request"
TOKEN = "a program acts with a scope that its owner gave it after a fresh proof"
DOES_NOT_ASK = {
    **dict.fromkeys(
        (
            "POST /sign-in",
            "POST /sign-in/code",
            "POST /sign-in/passkey/options",
            "POST /sign-in/passkey",
            "POST /confirm/code",
            "POST /confirm/passkey/options",
            "POST /confirm/passkey",
        ),
        SIGNS_IN,
    ),
    **dict.fromkeys(
        (
            "POST /sign-out",
            "POST /settings/devices",
            "POST /settings/devices/all",
            "POST /settings/devices/{session_id}",
            "POST /settings/calendar/{feed_id}",
            "POST /settings/invitations/{invitation_id}",
        ),
        ENDS,
    ),
    **dict.fromkeys(("POST /look", "POST /groups", "POST /settings/me"), OWN),
    **dict.fromkeys(
        (
            "POST /welcome",
            "POST /invitations/{invitation_id}",
            "POST /settings/group",
            "POST /people",
            "POST /people/{person_id}/edit",
            "POST /people/{person_id}/contacts",
            "POST /contacts/{contact_id}/{act}",
            "POST /people/{person_id}/cards",
            "POST /cards/{card_id}/renew",
            "POST /cards/{card_id}/{act}",
            "POST /cards/{card_id}/life",
            "POST /cards/{card_id}/days",
            "POST /settings/kinds",
            "POST /settings/kinds/{kind_id}",
            "POST /people/{person_id}/life",
            "POST /months/act",
            "POST /months/renew",
            "POST /imports",
            "POST /imports/{import_id}/columns",
            "POST /imports/{import_id}/save",
            "POST /imports/{import_id}/cancel",
        ),
        DAILY,
    ),
    **dict.fromkeys(("POST /people/{person_id}/cards/date", "POST /people/{person_id}/cards/plan"), NOTHING),
    **dict.fromkeys(
        (
            "POST /stop/{named}",
            "POST /take/{named}",
            "POST /reached/{named}",
            "POST /agree/{named}",
            "POST /stop/{contact_id}/{mark}",
            "POST /take/{card_id}/{contact_id}/{mark}",
            "POST /reached/{contact_id}/{mark}",
        ),
        LINK,
    ),
    **dict.fromkeys(
        (
            "POST /webhooks/twilio/status",
            "POST /webhooks/twilio/sms",
            "POST /webhooks/twilio/voice",
            "POST /webhooks/mail/bounce/{mark}",
        ),
        PROVIDER,
    ),
}
# Files that a look at an address returns, and why nobody is asked for them.
FILES = {
    "/imports/template.xlsx": "is empty",
    "/letters/pdf": "is the paper of a page that everybody in the group can open, for its residents",
    "/people/{person_id}/print/{sheet}": "is a page to print",
    "/static/{name}": "is the same for everybody",
}
# Of acts that need more than their address.
TYPED = {
    "POST /settings/tokens": {"token_name": "新しい鍵", "scope": "erase"},
    "POST /settings/members": {"email": "new@example.jp", "role": "owner"},
    "POST /settings/members/{member_id}": {"role": "owner"},
    "POST /visits.xlsx": {"month": "2027-01"},
}
BY_SCRIPT = {"POST /passkey/options", "POST /passkey"}
# What the worker and the code itself change.
NOT_COUNTED = ("login_codes", "messages", "group_usage", "address_usage", "heartbeats")
ACTED_ON = ("api_tokens", "calendar_feeds", "invitations", "members", "passkeys", "cards", "contacts", "people")


@pytest.fixture
def town(database_url: str, tmp_path: Path) -> Iterator[Town]:
    with open_town(database_url, tmp_path) as opened:
        yield opened


@pytest.fixture
def village(sqlite_url: str, tmp_path: Path) -> Iterator[Village]:
    with open_village(sqlite_url, tmp_path, "2026-12-01 08:00", durable=False) as opened:
        yield opened


@pytest.fixture
def owner(village: Village) -> Browser:
    browser = Browser(village)
    browser.sign_in(ME)
    return browser


def wait(village: Village, how_long: timedelta = STALE) -> None:
    village.clock.move_to(village.now + how_long)


def acted_on(village: Village) -> str:
    """What any of the acts would change."""
    with village.app.database.engine.connect() as connection:
        return "\n".join(
            f"{table}: {connection.exec_driver_sql(f'SELECT * FROM {table} ORDER BY id').all()}" for table in ACTED_ON
        )


def address(town: Town, named: str) -> str:
    return re.sub(r"\{(\w+)\}", lambda name: str(town.ids[name[1]]), named.partition(" ")[2])


def add_passkey(browser: Browser) -> None:
    app = browser.village.app
    found = sign_in.session_of(app.units, browser.village.now, browser.cookies["kigen"])
    assert found is not None
    with app.writing() as uow:
        sign_in.add_passkey(uow, found, credential_id=b"id", public_key=b"key", sign_count=0, device="iPhone")


def forms_to(browser: Browser, path: str) -> list[dict[str, str]]:
    return [dict(form.fields) for form in browser.forms if form.action == path]


def enter(browser: Browser, email: str = ME, *, code: str | None = None) -> Answer:
    """The code is typed on the page that asks."""
    browser.village.pass_once()
    form = next(form for form in browser.forms if "code" in dict(form.fields))
    said = code or browser.village.code_to(email)
    return browser.post(
        form.action, [(name, value) for name, value in form.fields if name != "code"] + [("code", said)]
    )


def test_every_route_that_changes_something_says_whether_it_asks_for_a_fresh_proof(town: Town) -> None:
    web = create_web(town.village.app, local_pages=True)

    found = {str(one): one.declared.asks for one in declared_routes(web) if one.method != "GET"}
    by_programs = {name for name in found if " /api/" in name}

    assert {name for name in by_programs if found[name] is not None} == set(), TOKEN
    assert found.keys() - by_programs == ASKS.keys() | DOES_NOT_ASK.keys()
    assert {name: asks for name, asks in found.items() if asks is not None} == ASKS
    assert not ASKS.keys() & DOES_NOT_ASK.keys()


def test_no_look_at_an_address_returns_a_file_with_people_s_data(town: Town) -> None:
    web, files = create_web(town.village.app, local_pages=False), set[str]()
    for one in declared_routes(web):
        if one.method == "GET" and " /api/" not in str(one) and "{named}" not in one.path:
            path = re.sub(r"\{(\w+)(?::\w+)?\}", lambda name: str(town.ids.get(name[1], "fridge")), one.path)
            answer = town.members[Role.OWNER]._ask("GET", path, b"", {})
            if "attachment" in answer.headers.get("content-disposition", ""):
                files.add(one.path)

    assert files <= FILES.keys()
    assert "/imports/template.xlsx" in files


def test_a_route_that_says_nothing_or_one_thing_and_does_another_cannot_be_made() -> None:
    router = APIRouter(route_class=PageRoute)

    def plain(form: Filled) -> None:
        del form

    def asking(form: Confirmed) -> None:
        del form

    with pytest.raises(TypeError):
        router.post("/x")(plain)
    with pytest.raises(TypeError):
        router.post("/x")(declares(asks=Asks.ERASE)(plain))
    with pytest.raises(TypeError):
        router.post("/x")(declares()(asking))


def test_without_a_fresh_proof_nothing_of_it_happens(town: Town) -> None:
    owner, village = town.members[Role.OWNER], town.village
    add_passkey(owner)
    wait(village)
    before, answers = everything(village, *NOT_COUNTED), {}

    for named in [one for one in ASKS if one not in BY_SCRIPT]:
        owner.get("/settings")
        owner.post(address(town, named), [("seal", owner.seal), *TYPED.get(named, {}).items()])
        answers[named] = owner.path
        assert forms_to(owner, "/confirm/code"), named
    for named in BY_SCRIPT:
        answer = send(owner, address(town, named), {})
        answers[named] = f"{answer.status} {answer.json['code']}"

    assert {named: to for named, to in answers.items() if to != "/confirm"} == dict.fromkeys(
        BY_SCRIPT, "403 confirm_needed"
    )
    assert everything(village, *NOT_COUNTED) == before


def test_after_a_code_each_act_goes_on_as_if_nobody_had_asked(town: Town) -> None:
    village, email = town.village, "owner@example.jp"
    for named in [one for one in ASKS if one not in BY_SCRIPT]:
        browser, whose = town.members[Role.OWNER], email
        if named.endswith("/leave"):
            browser, whose = town.members[Role.VIEWER], "viewer@example.jp"
        if named == "POST /settings/passkeys/{passkey_id}":
            # Whoever has a passkey is not sent a code unasked.
            add_passkey(browser)
        # Ten codes a day at most.
        wait(village, timedelta(hours=3))
        browser.get("/settings")
        browser.post(address(town, named), [("seal", browser.seal), *TYPED.get(named, {}).items()])
        assert browser.path == "/confirm", named
        if not any("code" in dict(form.fields) for form in browser.forms):
            browser.submit("/confirm/code")
        village.pass_once()
        before = acted_on(village)

        assert enter(browser, whose, code="000000").status == 422, named
        assert acted_on(village) == before, named
        answer = enter(browser, whose)

        assert answer.status == 200, named
        assert browser.path != "/confirm", named
        if ASKS[named] is Asks.EXPORT:
            assert "attachment" in answer.headers["content-disposition"], named
        elif named == "POST /passkey/begin":
            assert "/static/passkey.js" in answer.text
        else:
            assert acted_on(village) != before, named
        if named == "POST /settings/tokens":
            assert "kigen_" in answer.text, "it is shown this once"
            assert "新しい鍵" in answer.text, "what was typed is not lost"


def test_who_has_just_signed_in_is_not_asked_and_ten_minutes_later_is(owner: Browser) -> None:
    assert owner.send("/settings/data/export.json").headers["content-type"] == "application/json"

    wait(owner.village, timedelta(minutes=9))
    assert owner.send("/settings/data/export.json").headers["content-type"] == "application/json"
    wait(owner.village, timedelta(minutes=2))

    owner.send("/settings/data/export.json")
    assert owner.path == "/confirm"


def test_a_code_counts_for_ten_minutes_in_its_own_session_only(owner: Browser) -> None:
    other = Browser(owner.village)
    wait(owner.village)
    other.sign_in(ME)
    wait(owner.village)
    owner.send("/settings/data/export.json")
    enter(owner)

    assert "attachment" in owner.send("/settings/data/export.html").headers["content-disposition"], "no second code"
    other.send("/settings/data/export.json")
    assert other.path == "/confirm"


def test_the_code_of_one_session_is_worth_nothing_in_another_or_at_the_sign_in(owner: Browser) -> None:
    other, stranger, village = Browser(owner.village), Browser(owner.village), owner.village
    wait(village)
    other.sign_in(ME)
    wait(village)
    other.send("/settings/data/export.json")
    village.pass_once()
    code = village.code_to(ME)
    owner.send("/settings/data/export.json")

    assert enter(owner, code=code).status == 422
    stranger.get("/sign-in")
    stranger.submit("/sign-in", email=ME)
    stranger.submit("/sign-in/code", code=code)
    assert stranger.page.status == 422
    assert enter(other, code=code).status == 200


def test_five_wrong_codes_end_a_code_and_nobody_s_session(owner: Browser) -> None:
    village = owner.village
    wait(village)
    owner.send("/settings/data/export.json")
    village.pass_once()
    right = village.code_to(ME)
    wrong = "111111" if right != "111111" else "222222"
    for _ in range(5):
        assert enter(owner, code=wrong).status == 422
    assert enter(owner, code=right).status == 422, "it is over"

    wait(village, timedelta(minutes=2))
    owner.get("/confirm")
    owner.submit("/confirm/code")
    assert "attachment" in enter(owner).headers["content-disposition"]


def test_one_session_s_requests_for_codes_are_limited_and_leave_every_other_its_own(owner: Browser) -> None:
    village, other = owner.village, Browser(owner.village)
    wait(village)
    other.sign_in(ME)
    wait(village)
    owner.send("/settings/data/export.json")
    answers = []
    for _ in range(8):
        owner.get("/confirm")
        owner.submit("/confirm/code")
        answers.append(owner.page.status)
        wait(village, timedelta(minutes=2))
    mailed = [one for one in village.app.channels["email"].sent if one.address == ME]

    other.send("/settings/data/export.json")

    assert answers == [429, 200, 200, 200, 200, 429, 429, 429]
    assert len(mailed) < 10
    assert "attachment" in enter(other).headers["content-disposition"]
    # The sign-in has limits of its own: whoever is out of codes signs in again, and is asked for nothing more.
    owner.get("/settings")
    owner.submit("/sign-out")
    owner.sign_in(ME)
    assert "attachment" in owner.send("/settings/data/export.json").headers["content-disposition"]


def test_a_passkey_is_a_proof_and_no_code_is_sent_unasked(owner: Browser) -> None:
    village, device = owner.village, registered(owner)
    wait(village)
    owner.get("/settings/tokens")
    owner.submit("/settings/tokens", token_name="介護ソフト", scope="write")
    assert forms_to(owner, "/confirm/code"), "a code is there for whoever asks"
    assert not any("code" in form for form in forms_to(owner, "/settings/tokens"))
    assert 'data-act="confirm"' in owner.page.text

    answer = send(owner, "/confirm/passkey", device.sign(challenge(owner, "/confirm/passkey/options")))
    assert answer.status == 200
    owner.submit("/settings/tokens")

    assert "kigen_" in owner.page.text
    assert "介護ソフト" in owner.page.text


def test_somebody_else_s_passkey_or_a_challenge_of_the_sign_in_is_no_proof(owner: Browser) -> None:
    village, other = owner.village, Browser(owner.village)
    mine = registered(owner)
    other.sign_in("musuko@example.jp", household="他人家")
    theirs = registered(other, Authenticator(credential_id=b"another credential of 32 bytes.."))
    wait(village)

    tried = [
        theirs.sign(challenge(owner, "/confirm/passkey/options")),
        mine.sign(challenge(owner, "/sign-in/passkey/options")),
        mine.sign(challenge(other, "/confirm/passkey/options")),
        Authenticator(key=ec.derive_private_key(4712, ec.SECP256R1())).sign(
            challenge(owner, "/confirm/passkey/options")
        ),
    ]

    assert [400 <= send(owner, "/confirm/passkey", one).status < 500 for one in tried] == [True] * 4
    owner.send("/settings/data/export.json")
    assert owner.path == "/confirm"


def test_the_form_waits_in_the_database_sealed_for_an_hour_and_no_longer_than_it_is_needed(owner: Browser) -> None:
    village = owner.village
    wait(village)
    owner.get("/settings/members")
    owner.submit("/settings/members", email="atarashii@example.jp", role="viewer")

    def kept() -> list[bytes | None]:
        with village.app.database.reading() as tx:
            return [sealed for (sealed,) in tx.execute(select(SessionRow.held_sealed))]

    [held] = kept()
    assert held is not None
    assert b"atarashii" not in held
    assert "atarashii" not in owner.path

    enter(owner)
    assert kept() == [None]
    wait(village)
    owner.submit("/settings/members", email="hoka@example.jp", role="viewer")
    owner.get("/settings")
    owner.submit("/sign-out")
    assert kept() == [None], "nobody goes on with what an ended session held"


def test_what_waited_too_long_or_was_replaced_is_said_to_be_gone(owner: Browser) -> None:
    village = owner.village
    wait(village)
    owner.get("/settings/tokens")
    owner.submit("/settings/tokens", token_name="介護ソフト", scope="write")
    [first] = [form for form in forms_to(owner, "/settings/tokens") if "code" in form]
    owner.get("/settings/tokens")
    owner.submit("/settings/tokens", token_name="別の名前", scope="read")
    village.pass_once()

    owner.post("/settings/tokens", [*{**first, "code": village.code_to(ME)}.items()])
    assert owner.page.status == 409
    assert "kigen_" not in owner.page.text

    owner.get("/confirm")
    [second] = [form for form in forms_to(owner, "/settings/tokens") if "code" in form]
    wait(village, step_up.HELD_FOR + timedelta(minutes=1))
    owner.post("/settings/tokens", [*{**second, "code": village.code_to(ME)}.items()])
    assert owner.page.status == 409


def test_a_form_with_a_number_is_refused_before_anything_of_it_waits(owner: Browser) -> None:
    wait(owner.village)
    for name in ("4938 2716 0454", "https://evil.jp"):
        owner.get("/settings/tokens")
        owner.submit("/settings/tokens", token_name=name, scope="read")
        assert owner.page.status == 422
        assert name not in owner.page.text
    with owner.village.app.database.reading() as tx:
        assert tx.execute(select(SessionRow.held_sealed)).scalars().all() == [None]


def test_a_program_without_pages_is_told_and_nothing_waits(owner: Browser) -> None:
    wait(owner.village)
    owner.get("/settings")
    said = {"accept": "application/json"}

    owner.post("/settings/data/export.json", [("seal", owner.seal)], **said)

    assert owner.page.status == 403
    assert json.loads(owner.page.body)["code"] == "confirm_needed"
    with owner.village.app.database.reading() as tx:
        assert tx.execute(select(SessionRow.held_sealed)).scalars().all() == [None]


def test_a_form_of_another_page_does_nothing_even_with_the_name_of_what_waits(owner: Browser) -> None:
    wait(owner.village)
    owner.send("/settings/data/erase")
    [form] = [form for form in forms_to(owner, "/settings/data/erase") if "code" in form]
    owner.village.pass_once()
    form["code"] = owner.village.code_to(ME)

    for said in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
        assert owner.post("/settings/data/erase", [*form.items()], **said).status == 403
    assert owner.post("/settings/data/erase", [*{**form, "seal": "x"}.items()]).status == 403


@pytest.mark.parametrize("language", ["ja", "ja-easy", "en"])
def test_the_page_that_asks_and_its_mail_are_in_the_reader_s_language(owner: Browser, language: str) -> None:
    owner.get("/settings")
    owner.submit("/look", language=language, back="/settings")
    wait(owner.village)
    owner.send("/settings/data/export.json")
    pages = create_web(owner.village.app, local_pages=False).state.pages

    assert f"<h1>{pages[language]('confirm.title')}</h1>" in owner.page.text
    owner.village.pass_once()
    mail = [one for one in owner.village.app.channels["email"].sent if one.address == ME][-1]
    said = owner.village.app.rules.wording.of(language).in_mail.section("sign_in")
    assert mail.subject == said["confirm_subject"]
    assert "http" not in mail.text
    assert "attachment" in enter(owner).headers["content-disposition"]
