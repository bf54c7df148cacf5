"""Nobody can lock another out: whatever strangers ask and try, the owner's own request leads in, and mails stay few."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy import LargeBinary, select, type_coerce, update

from reminder.domain.model.people import ChannelName, Language
from reminder.enrolment.identity import membership, sign_in
from reminder.enrolment.identity.sign_up import SignUp
from reminder.errors import ConflictError, RefusedInputError
from reminder.storage.auth import accounts, login_codes
from reminder.storage.crypto.keyring import new_token
from reminder.storage.db.tables import LoginCode, Message
from reminder.storage.outbox import queue
from tests.village import Village, open_village
from tests.web.browsing import Browser

ME = "hana.tanaka@gmail.com"
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def village(sqlite_url: str, tmp_path: Path) -> Iterator[Village]:
    with open_village(sqlite_url, tmp_path, "2026-12-01 08:00") as opened:
        opened.group()
        opened.member("娘", ME)
        yield opened


def later(village: Village, pause: timedelta) -> None:
    village.clock.move_to(village.now + pause)
    with village.app.reading() as uow:
        waits = queue.next_moment(uow.tx)
    if waits is not None:
        village.pass_once()


def at(village: Village, machine: str) -> Browser:
    """A browser in a network of its own."""
    browser = Browser(village)
    browser.visitor = replace(browser.visitor, machine=machine)
    return browser


def ask(browser: Browser, email: str = ME) -> Browser:
    browser.get("/sign-in")
    browser.submit("/sign-in", email=email)
    browser.village.pass_once()
    return browser


def mails(village: Village, email: str = ME) -> list[str]:
    sent = village.app.channels[ChannelName.EMAIL].sent
    return [one.text for one in sent if one.address.lower() == email]


def long_code(village: Village) -> str:
    found = re.search(r"\b[a-p]{4}-[a-p]{4}-[a-p]{4}\b", mails(village)[-1])
    assert found is not None
    return found[0]


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06}"


def strangers_ask(village: Village, times: int, pause: timedelta, spell: Callable[[int], str] = lambda _: ME) -> None:
    """Each from a network and a browser of its own, and many guess."""
    for number in range(times):
        with village.app.writing() as uow:
            browser = ask_from(uow, f"198.51.{number // 250}.{number % 250}", spell(number))
        for _ in range(number % 7):
            with suppress(RefusedInputError):
                enter(village, browser, "000000")
        later(village, pause)


SPELLINGS = ("hana.tanaka@gmail.com", "Hana.Tanaka@gmail.com", "hanatanaka@GMAIL.com", "h.a.n.a.tanaka@gmail.com",
             "hana.tanaka+1@gmail.com", "HANATANAKA+x@googlemail.com")  # fmt: skip
ATTACKS = {
    "nobody": (0, MINUTE, lambda _: ME),
    "one ask": (1, timedelta(0), lambda _: ME),
    "ten asks at once": (10, timedelta(0), lambda _: ME),
    "ten asks over two hours": (10, 13 * MINUTE, lambda _: ME),
    "forty asks at once": (40, timedelta(0), lambda _: ME),
    "all day": (60, 25 * MINUTE, lambda _: ME),
    "every spelling": (30, MINUTE, lambda number: SPELLINGS[number % len(SPELLINGS)]),
}
attacks = pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)


@attacks
@pytest.mark.parametrize("has_been_here", [False, True], ids=["a new browser", "a browser that was signed in before"])
def test_the_owner_s_own_request_leads_in_by_the_newest_mail(
    village: Village, attack: tuple[int, timedelta, Callable[[int], str]], has_been_here: bool
) -> None:
    owner = at(village, "203.0.113.7")
    if has_been_here:
        owner.sign_in(ME)
        owner.get("/settings")
        owner.submit("/sign-out")
        later(village, 2 * HOUR)
    strangers_ask(village, *attack)

    ask(owner)
    assert owner.path == "/sign-in/code"
    owner.submit("/sign-in/code", code=village.code_to(ME))
    if owner.page.status == 422:
        owner.submit("/sign-in/code", code=long_code(village))
    owner.get("/")

    assert owner.heading == "田中家"


@attacks
def test_the_long_code_of_the_newest_mail_leads_in_whatever_was_tried(
    village: Village, attack: tuple[int, timedelta, Callable[[int], str]]
) -> None:
    strangers_ask(village, *attack)
    owner = ask(at(village, "203.0.113.7"))

    owner.submit("/sign-in/code", code=f" {long_code(village).upper()} ")
    owner.get("/")

    assert owner.heading == "田中家"


@attacks
def test_a_mailbox_gets_few_mails_however_it_is_spelled(
    village: Village, attack: tuple[int, timedelta, Callable[[int], str]]
) -> None:
    strangers_ask(village, *attack)

    sent = [
        one for one in village.world.all_sent() if "gmail" in one.outgoing.address or "GMAIL" in one.outgoing.address
    ]
    # One more where the only spelling that has an account had none of the others.
    for first in sent:
        assert len([one for one in sent if first.at <= one.at < first.at + HOUR]) <= sign_in.MOST_AN_HOUR + 1
        assert len([one for one in sent if first.at <= one.at < first.at + 24 * HOUR]) <= sign_in.MOST_A_DAY + 1


def test_whoever_was_signed_in_before_gets_a_mail_of_their_own_while_strangers_ask(village: Village) -> None:
    owner = at(village, "203.0.113.7")
    owner.sign_in(ME)
    owner.get("/settings")
    owner.submit("/sign-out")
    later(village, 2 * HOUR)
    strangers_ask(village, 20, 2 * MINUTE)
    before = len(mails(village))

    ask(owner)

    assert len(mails(village)) == before + 1


def test_a_browser_that_was_signed_out_from_another_is_like_any_stranger_s(village: Village) -> None:
    lost, phone = at(village, "203.0.113.7"), at(village, "203.0.113.8")
    lost.sign_in(ME)
    later(village, 2 * MINUTE)
    phone.sign_in(ME)
    phone.get("/settings/devices")
    phone.submit("/settings/devices")
    later(village, 2 * HOUR)
    strangers_ask(village, 20, 2 * MINUTE)
    before = len(mails(village))

    ask(lost)

    assert len(mails(village)) == before


def test_all_tries_of_a_day_together_are_fifty(village: Village) -> None:
    tried = 0
    for number in range(12):
        stranger = ask(at(village, f"198.51.100.{number}"))
        code = wrong(village.code_to(ME))
        for _ in range(5):
            stranger.submit("/sign-in/code", code=code)
            tried += "あと" in stranger.page.text or "もう使えません" in stranger.page.text
        later(village, MINUTE)
    with village.app.reading() as uow:
        kept = login_codes.tries_by_strangers(uow.tx, uow.keys, ME, village.now - 24 * HOUR)

    assert tried == kept == sign_in.MOST_TRIES_A_DAY
    assert "長いコード" in stranger.page.text
    stranger.submit("/sign-in/code", code=village.code_to(ME))
    assert "kigen" not in stranger.cookies, "not even the right one"


def test_a_mail_that_was_lost_is_no_reason_to_send_none(village: Village) -> None:
    strangers_ask(village, 10, 13 * MINUTE)
    with village.app.database.writing() as tx:
        tx.execute(Message.__table__.update().values(state="undelivered"))  # type: ignore[attr-defined]
    before = len(mails(village))

    ask(at(village, "203.0.113.7"))

    assert len(mails(village)) == before + 1


def test_a_browser_can_only_wait_for_itself(village: Village) -> None:
    mine = ask(at(village, "203.0.113.7"))

    mine.get("/sign-in")
    mine.submit("/sign-in", email=ME)
    assert mine.page.status == 429
    assert "1分待って" in mine.page.text
    other = ask(at(village, "203.0.113.7"))

    assert other.path == "/sign-in/code"


def test_a_cookie_that_somebody_has_planted_waits_for_no_code(village: Village) -> None:
    browser = at(village, "203.0.113.7")
    browser.cookies["kigen_browser"] = browser.cookies["kigen_known"] = planted = "a" * 64

    ask(browser)
    assert browser.cookies["kigen_browser"] != planted
    browser.submit("/sign-in/code", code=village.code_to(ME))

    assert browser.cookies["kigen_known"] != planted


def test_a_code_of_one_address_opens_no_other_even_if_its_row_is_changed(village: Village) -> None:
    """Whoever can write into the database asks for their own code, and writes the other address beside it."""
    victim, thief = ask(at(village, "203.0.113.7")), ask(at(village, "203.0.113.8"), "thief@example.jp")
    del victim
    # The token too, to which the address is sealed: without it the address could not even be opened.
    of_address = (LoginCode.row_token, type_coerce(LoginCode.address_sealed, LargeBinary), LoginCode.address_index)
    with village.app.database.writing() as tx:
        stored = tx.execute(select(*of_address).where(LoginCode.id == 1)).one()
        values = dict(zip(("row_token", "address_sealed", "address_index"), stored, strict=True))
        tx.execute(update(LoginCode).where(LoginCode.id == 2).values(values))
        changed = tx.execute(select(LoginCode.address_sealed).where(LoginCode.id == 2)).scalar_one()
        assert village.app.keys.open(changed) == ME

    thief.submit("/sign-in/code", code=village.code_to("thief@example.jp"))

    assert thief.page.status == 422


PARALLEL = 40


@pytest.mark.postgres
def test_forty_requests_at_the_same_moment_give_one_mail(postgres_url: str, tmp_path: Path) -> None:
    with open_village(postgres_url, tmp_path, "2026-12-01 08:00") as village:
        village.group()
        village.member("娘", ME)
        together = Barrier(PARALLEL)

        def one(number: int) -> None:
            together.wait()
            with village.app.units.writing(village.now) as uow:
                ask_from(uow, f"198.51.100.{number}")

        with ThreadPoolExecutor(PARALLEL) as pool:
            list(pool.map(one, range(PARALLEL)))
        village.pass_once()

        assert len(mails(village)) == 1


@pytest.mark.postgres
def test_a_network_s_and_a_day_s_limits_hold_for_requests_at_the_same_moment(postgres_url: str, tmp_path: Path) -> None:
    with open_village(postgres_url, tmp_path, "2026-12-01 08:00") as village:
        together = Barrier(PARALLEL)

        def one(number: int) -> bool:
            together.wait()
            try:
                with village.app.units.writing(village.now) as uow:
                    ask_from(uow, "198.51.100.1", f"a{number}@example.jp")
            except ConflictError:
                return False
            return True

        with ThreadPoolExecutor(PARALLEL) as pool:
            taken = sum(pool.map(one, range(PARALLEL)))

        assert taken == sign_in.MOST_A_NETWORK


@pytest.mark.postgres
def test_the_tries_of_a_day_hold_for_tries_at_the_same_moment(postgres_url: str, tmp_path: Path) -> None:
    with open_village(postgres_url, tmp_path, "2026-12-01 08:00") as village:
        village.group()
        village.member("娘", ME)
        browsers = []
        for number in range(PARALLEL):
            with village.app.units.writing(village.now) as uow:
                browsers.append(ask_from(uow, f"198.51.100.{number}"))
        village.pass_once()
        code, together = wrong(village.code_to(ME)), Barrier(PARALLEL)

        def attempt(browser: str) -> None:
            together.wait()
            for _ in range(3):
                with pytest.raises(RefusedInputError):
                    enter(village, browser, code)

        with ThreadPoolExecutor(PARALLEL) as pool:
            list(pool.map(attempt, browsers))

        with village.app.reading() as uow:
            assert login_codes.tries_by_strangers(uow.tx, uow.keys, ME, village.now) == sign_in.MOST_TRIES_A_DAY


def enter(village: Village, browser: str, code: str) -> sign_in.Entered:
    return sign_in.enter_code(
        village.app.units,
        village.now,
        browser=browser,
        code=code,
        device="",
        language=Language.JAPANESE,
        sign_up=SignUp.OPEN,
    )


def ask_from(uow: object, network: str, email: str = ME) -> str:
    return sign_in.ask_for_code(
        uow,  # type: ignore[arg-type]
        email=email,
        network=network,
        browser=new_token(),
        language=Language.JAPANESE,
        sign_up=True,
    )


@pytest.mark.postgres
def test_an_account_founds_no_more_households_at_the_same_moment_than_one_after_the_other(
    postgres_url: str, tmp_path: Path
) -> None:
    with open_village(postgres_url, tmp_path, "2026-12-01 08:00") as village:
        with village.app.units.writing(village.now) as uow:
            account = accounts.add(uow.tx, uow.keys, address=ME, language=Language.JAPANESE, now=uow.now)
            token = sign_in.enter(uow, account, "a browser").token
        signed_in, together = sign_in.session_of(village.app.units, village.now, token), Barrier(PARALLEL)
        assert signed_in is not None

        def found(_: int) -> bool:
            together.wait()
            try:
                with village.app.units.writing(village.now) as uow:
                    membership.found_household(uow, signed_in=signed_in, name="田中家", member_name="")
            except ConflictError:
                return False
            return True

        with ThreadPoolExecutor(PARALLEL) as pool:
            founded = sum(pool.map(found, range(PARALLEL)))

        assert founded == membership.MOST_GROUPS
