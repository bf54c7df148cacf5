"""Who may begin: the first owner by the code from the terminal, once; then nobody who is not invited."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from reminder.domain.model.people import ChannelName
from reminder.enrolment.identity import sign_up
from reminder.enrolment.identity.sign_up import SignUp
from reminder.storage.db.tables import ActivityEntry, SetupCode
from reminder.storage.registry import groups
from tests.village import Village, open_village
from tests.web.browsing import Browser

ME, OTHER = "musume@example.jp", "tanin@example.jp"


@pytest.fixture
def village(database_url: str, tmp_path: Path) -> Iterator[Village]:
    with open_village(database_url, tmp_path, "2026-12-01 08:00", sign_up="first") as opened:
        yield opened


def setup_code(village: Village) -> str:
    with village.app.writing() as uow:
        return sign_up.new_setup_code(uow, SignUp.FIRST)


def asks(village: Village, email: str, **typed: str) -> Browser:
    browser = Browser(village)
    browser.get("/sign-in")
    browser.submit("/sign-in", email=email, **typed)
    village.pass_once()
    return browser


def mails(village: Village) -> list[str]:
    return [sent.address for sent in village.app.channels[ChannelName.EMAIL].sent]


def wrong(code: str) -> str:
    return ("c" if code[0] == "b" else "b") + code[1:]


def test_nobody_but_the_holder_of_the_setup_code_is_sent_anything(village: Village) -> None:
    code = setup_code(village)

    for browser in (asks(village, OTHER), asks(village, OTHER, setup_code=wrong(code))):
        assert browser.page.status == 422
        assert "設定コード" in browser.page.text

    assert mails(village) == []


@pytest.mark.parametrize("as_typed", [str, str.upper, lambda code: code.replace("-", " "), lambda code: f" {code}。"])
def test_the_first_owner_signs_in_with_it_and_makes_households_without_it(village: Village, as_typed) -> None:
    browser = asks(village, ME, setup_code=as_typed(setup_code(village)))
    browser.submit("/sign-in/code", code=village.code_to(ME))
    browser.submit("/welcome", group_name="田中家", member_name="長女")
    browser.get("/welcome")
    browser.submit("/welcome", group_name="鈴木家", member_name="")

    with village.app.reading() as uow:
        assert [group.name for group in groups.everyone(uow.tx)] == ["田中家", "鈴木家"]


def test_after_the_first_owner_a_stranger_gets_no_code_and_sees_no_difference(village: Village) -> None:
    code = setup_code(village)
    asks(village, ME, setup_code=code).submit("/sign-in/code", code=village.code_to(ME))
    village.clock.move_to(village.now + timedelta(minutes=2))

    stranger, known = asks(village, OTHER, setup_code=code), asks(village, ME)

    assert stranger.page.text == known.page.text
    assert set(mails(village)) == {ME}


def test_two_who_know_the_setup_code_are_not_both_the_first_owner(village: Village) -> None:
    code = setup_code(village)
    first, second = asks(village, ME, setup_code=code), asks(village, OTHER, setup_code=code)

    first.submit("/sign-in/code", code=village.code_to(ME))
    second.submit("/sign-in/code", code=village.code_to(OTHER))

    assert first.path == "/welcome"
    assert second.page.status == 422
    assert "kigen" not in second.cookies


def test_whom_the_first_owner_invites_may_join_but_found_nothing(village: Village) -> None:
    owner = asks(village, ME, setup_code=setup_code(village))
    owner.submit("/sign-in/code", code=village.code_to(ME))
    owner.submit("/welcome", group_name="田中家", member_name="長女")
    owner.get("/settings/members")
    owner.submit("/settings/members", email=OTHER, role="owner")

    guest = asks(village, OTHER)
    guest.submit("/sign-in/code", code=village.code_to(OTHER))
    guest.get("/welcome")

    assert [form.action for form in guest.forms if form.action == "/welcome"] == []
    assert guest.post("/welcome", [("seal", guest.seal), ("group_name", "他人家")]).status == 404
    assert any(form.action.startswith("/invitations/") for form in guest.forms) or guest.get("/welcome").status == 200


@pytest.mark.parametrize("there", ["group", "account"])
def test_an_installation_that_is_in_use_asks_for_no_code_and_makes_none(village: Village, there: str) -> None:
    if there == "group":
        village.group()
        village.member("長女", ME)
    else:
        asks(village, ME, setup_code=setup_code(village)).submit("/sign-in/code", code=village.code_to(ME))

    browser = Browser(village)
    browser.get("/sign-in")

    assert "設定コード" not in browser.page.text
    with pytest.raises(sign_up.ConflictError, match="setup_done"):
        setup_code(village)


def test_wrong_tries_are_bounded_and_a_new_code_helps(village: Village) -> None:
    code = setup_code(village)
    for left in range(sign_up.MOST_WRONG_TRIES - 1, 0, -1):
        assert f"あと{left}回" in asks(village, OTHER, setup_code=wrong(code)).page.text

    asks(village, OTHER, setup_code=wrong(code))
    assert "もう使えません" in asks(village, ME, setup_code=code).page.text
    assert mails(village) == []

    assert asks(village, ME, setup_code=setup_code(village)).path == "/sign-in/code"


def test_a_code_ends_after_a_day_and_its_sign_in_after_a_quarter_of_an_hour(village: Village) -> None:
    code = setup_code(village)
    waiting = asks(village, ME, setup_code=code)
    village.clock.move_to(village.now + sign_up.SETUP_CODE_LASTS)

    waiting.submit("/sign-in/code", code=village.code_to(ME))

    assert waiting.page.status == 422
    assert "もう使えません" in asks(village, ME, setup_code=code).page.text


def test_the_code_is_not_in_the_database_and_its_making_and_its_use_are_in_the_activity_log(village: Village) -> None:
    code = setup_code(village)
    asks(village, ME, setup_code=code).submit("/sign-in/code", code=village.code_to(ME))

    with village.app.reading() as uow:
        (kept,) = uow.tx.query(SetupCode.code_hash).one()
        acts = [act for (act,) in uow.tx.query(ActivityEntry.act).order_by(ActivityEntry.id)]
    assert code.replace("-", "").encode() not in kept
    assert acts == ["setup_code_made", "setup_done"]


def test_each_code_is_another_and_holds_no_digit_and_no_vowel(village: Village) -> None:
    codes = {setup_code(village) for _ in range(20)}

    assert len(codes) == 20
    assert all(re.fullmatch("(?:[b-df-hj-kmnp-tv-z]{4}-){2}[b-df-hj-kmnp-tv-z]{4}", code) for code in codes)


@pytest.mark.parametrize("rule", [SignUp.INVITED, SignUp.OPEN])
def test_where_the_setting_asks_for_no_code_none_is_made(village: Village, rule: SignUp) -> None:
    with village.app.writing() as uow, pytest.raises(sign_up.ConflictError, match="setup_code_not_used"):
        sign_up.new_setup_code(uow, rule)


def test_an_invitation_that_was_taken_back_meanwhile_opens_no_account(village: Village) -> None:
    owner = asks(village, ME, setup_code=setup_code(village))
    owner.submit("/sign-in/code", code=village.code_to(ME))
    owner.submit("/welcome", group_name="田中家", member_name="長女")
    owner.get("/settings/members")
    owner.submit("/settings/members", email=OTHER, role="viewer")
    guest = asks(village, OTHER)
    owner.get("/settings/members")
    taken_back = next(form.action for form in owner.forms if "/invitations/" in form.action)
    owner.submit(taken_back)

    guest.submit("/sign-in/code", code=village.code_to(OTHER))

    assert guest.page.status == 422
    assert "kigen" not in guest.cookies
