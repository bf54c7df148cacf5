"""The owner of an account and the owners of a group are told by e-mail what somebody else may have done."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from reminder.domain.model.account_acts import AccountAct
from reminder.domain.model.messages import MessageKind, MessageState
from reminder.domain.model.people import ChannelName, Role
from reminder.enrolment import standing
from reminder.guard.outgoing import foreign_links
from reminder.storage.auth import accounts
from tests.fakes.authenticator import Authenticator
from tests.rules import LANGUAGES, WORDING
from tests.village import Village, open_village
from tests.web.browsing import Browser
from tests.web.test_passkey_ceremonies import challenge, registered, send

OWNER, SECOND, OTHER, NEW = "owner@example.jp", "second@example.jp", "other@example.jp", "new@example.jp"
# As a browser says of itself: its whole text must never stand in a message.
SAFARI = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) evil.jp Safari/604.1"


class House:
    """A household with two owners, and somebody who may see it."""

    def __init__(self, village: Village, language: str) -> None:
        self.village = village
        village.group()
        for name, address, role in (
            ("長女", OWNER, Role.OWNER),
            ("次女", SECOND, Role.OWNER),
            ("長男", OTHER, Role.VIEWER),
        ):
            village.member(name, address, role, language=language)
        village.person("母", phone="090-0000-0001")
        self.owner, self.other = Browser(village, **{"user-agent": SAFARI}), Browser(village)
        self.owner.sign_in(OWNER)
        self.other.sign_in(OTHER)
        for browser in (self.owner, self.other):
            browser.get("/settings")
            browser.submit("/look", language=language, back="/settings")
        self.device = Authenticator()

    def wait(self, how_long: timedelta = timedelta(seconds=40)) -> None:
        self.village.clock.move_to(self.village.now + how_long)

    def sign_in_elsewhere(self) -> None:
        self.wait(timedelta(minutes=2))
        Browser(self.village, **{"user-agent": SAFARI}).sign_in(OWNER)

    def send(self, path: str, **typed: str) -> None:
        assert self.owner.send(path, **typed).status == 200

    def member(self, address: str) -> int:
        with self.village.app.database.reading() as tx:
            return next(one.id for one in accounts.members(tx, self.village.app.keys, 1) if one.address == address)

    def invited(self) -> None:
        self.owner.send("/settings/members", email=NEW, role="viewer")
        self.wait()
        new = Browser(self.village, **{"user-agent": SAFARI})
        new.sign_in(NEW)
        new.get("/welcome")
        form = next(form.action for form in new.forms if form.action.startswith("/invitations/"))
        new.submit(form, answer="yes")


Do = Callable[[House], object]
# How each act is done, and whom it is told; in an order in which one leaves the next something to act on.
ACTS: Mapping[AccountAct, tuple[Do, set[str]]] = {
    AccountAct.NEW_DEVICE: (House.sign_in_elsewhere, {OWNER}),
    AccountAct.PASSKEY_ADDED: (lambda house: registered(house.owner, house.device), {OWNER}),
    AccountAct.PASSKEY_REMOVED: (lambda house: house.send("/settings/passkeys/1"), {OWNER}),
    AccountAct.TOKEN_MADE: (
        lambda house: house.send("/settings/tokens", token_name="介護ソフト", scope="read"),
        {OWNER, SECOND},
    ),
    AccountAct.TOKEN_REVOKED: (lambda house: house.send("/settings/tokens/1"), {OWNER, SECOND}),
    AccountAct.CALENDAR_MADE: (lambda house: house.send("/settings/calendar"), {OWNER, SECOND}),
    AccountAct.EXPORTED: (lambda house: house.send("/settings/data/export.json"), {OWNER, SECOND}),
    AccountAct.MEMBER_ADDED: (House.invited, {OWNER, SECOND}),
    AccountAct.ROLE_CHANGED: (
        lambda house: house.send(f"/settings/members/{house.member(OTHER)}", role="editor"),
        {OWNER, SECOND, OTHER},
    ),
    AccountAct.MEMBER_REMOVED: (
        lambda house: house.send(f"/settings/members/{house.member(OTHER)}", act="remove"),
        {OWNER, SECOND, OTHER},
    ),
}


@contextmanager
def a_house(url: str, folder: Path, language: str = "ja") -> Iterator[House]:
    with open_village(url, folder, "2026-12-01 08:00", durable=False) as village:
        yield House(village, language)


def told(village: Village) -> list[tuple[str, str, str]]:
    """Who was told what, with which subject."""
    village.pass_once()
    subjects = {WORDING.of(language).in_mail.section("account")["subject"] for language in LANGUAGES}
    sent = village.app.channels[ChannelName.EMAIL].sent
    return [(one.address, one.subject or "", one.text) for one in sent if one.subject in subjects]


def test_every_act_has_a_way_to_be_done_here() -> None:
    assert ACTS.keys() == set(AccountAct)


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_act_tells_everybody_concerned_once_in_their_language_and_nobody_else(
    database_url: str, tmp_path: Path, language: str
) -> None:
    with a_house(database_url, tmp_path, language) as house:
        words = WORDING.of(language).in_mail
        said = words.section("account")
        for act, (do, whom) in ACTS.items():
            house.wait()
            before = len(told(house.village))

            do(house)

            new = told(house.village)[before:]
            assert sorted(address for address, _, _ in new) == sorted(whom), act
            for address, subject, text in new:
                assert (subject, said[act] in text) == (said["subject"], True), act
                assert "2026" in text, act
                assert "08:" in text, "in Japan's time"
                assert ("iPhone" in text) is True, act
                assert "evil" not in text
                assert "{" not in text
                assert foreign_links(text, []) == frozenset(), "nobody learns to follow links"
                assert not {OWNER, SECOND, OTHER, NEW} & {word for word in text.split() if word != address}
        assert all(one.audience == "carer" for one in house.village.messages() if one.kind == MessageKind.NOTICE)
        phones = house.village.app.channels[ChannelName.SMS].sent
        assert [one for one in phones if any(said[act] in one.text for act in AccountAct)] == []


REFUSED: Mapping[str, Do] = {
    "a role that is none": lambda house: house.owner.send("/settings/members/3", role="king"),
    "a role that stays": lambda house: house.owner.send(f"/settings/members/{house.member(OTHER)}", role="viewer"),
    "somebody of nowhere": lambda house: house.owner.send("/settings/members/99", act="remove"),
    "a scope that is none": lambda house: house.owner.send("/settings/tokens", token_name="介護ソフト", scope="all"),
    "a token of nowhere": lambda house: house.owner.send("/settings/tokens/99"),
    "a passkey of nowhere": lambda house: house.owner.send("/settings/passkeys/99"),
    "an export by a viewer": lambda house: house.other.send("/settings/data/export.json"),
    "a wrong code": lambda house: (
        house.other.get("/sign-in"),
        Browser(house.village).post("/sign-in/code", [("code", "000000")]),
    ),
    "a passkey for another challenge": lambda house: send(
        house.owner, "/passkey", Authenticator().register(challenge(Browser(house.village), "/sign-in/passkey/options"))
    ),
}


def test_what_is_refused_tells_nobody(database_url: str, tmp_path: Path) -> None:
    with a_house(database_url, tmp_path) as house:
        before = told(house.village)

        for named, do in REFUSED.items():
            do(house)
            assert told(house.village) == before, named
        house.wait(timedelta(minutes=20))
        for path in ("/settings/data/export.json", "/settings/calendar", "/settings/members/3"):
            house.owner.send(path, act="remove")
        assert told(house.village) == before, "what waits for a fresh proof has not happened"


def test_a_known_device_and_the_sign_in_that_makes_the_account_are_no_news(sqlite_url: str, tmp_path: Path) -> None:
    with a_house(sqlite_url, tmp_path) as house:
        assert told(house.village) == [], "the first sign-ins have made the accounts"
        house.wait(timedelta(minutes=2))
        house.owner.get("/settings")
        house.owner.submit("/sign-out")

        house.owner.sign_in(OWNER)

        assert told(house.village) == []


def test_pressed_twice_in_a_moment_it_is_told_once(database_url: str, tmp_path: Path) -> None:
    with a_house(database_url, tmp_path) as house:
        for _ in range(2):
            house.owner.send("/settings/data/export.json")

        assert sorted(address for address, _, _ in told(house.village)) == [OWNER, SECOND]


def test_no_quota_trial_or_suspension_of_the_group_holds_it_back(sqlite_url: str, tmp_path: Path) -> None:
    with a_house(sqlite_url, tmp_path) as house:
        house.village.limit(1, messages_a_day=0)
        house.owner.send("/settings/data/export.json")
        with house.village.app.writing() as uow:
            standing.suspend(uow, group_id=1, why="確認中です")

        assert sorted(address for address, _, _ in told(house.village)) == [OWNER, SECOND]
        assert {one.state for one in house.village.messages() if one.kind == MessageKind.NOTICE} == {
            MessageState.ACCEPTED
        }
