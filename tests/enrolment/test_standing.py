"""A group on trial tells nobody who has not answered themselves; the operator approves, suspends and resumes it."""

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from reminder.domain.model.people import ChannelName, ConsentHow, ContactState, Language, Role
from reminder.enrolment import consent, register, standing
from reminder.enrolment.identity import membership
from reminder.errors import ConflictError
from reminder.storage.auth.signed_links import SignedLinks
from reminder.storage.registry import group_standing
from tests.village import Village, open_village
from tests.web.asking import visitor
from tests.web.calling import actor

URL = "https://kigen.example.jp"
# Words of the group, in every place where it has any.
WORDS_OF_ITS_OWN = ("つばめ", "ひまわり", "おとなり")


def stranger_s_group(village: Village, name: str = WORDS_OF_ITS_OWN[1]) -> int:
    group = village.group(name=name)
    with village.app.writing() as uow:
        group_standing.begin_trial(uow.tx, group, uow.now)
    return group


@pytest.fixture
def village(sqlite_url: str, tmp_path: Path) -> Iterator[Village]:
    """Texts are answered, and a stranger has a group (1) with a person who is told of a card that ends in two weeks."""
    with open_village(sqlite_url, tmp_path, "2026-12-01 10:00", two_way_sms=True, public_url=URL) as opened:
        stranger_s_group(opened)
        opened.person("母", mark=WORDS_OF_ITS_OWN[0])
        opened.card("母", date(2026, 12, 15))
        yield opened


def links(village: Village) -> SignedLinks:
    return SignedLinks(village.app.keys, URL)


def ask(village: Village, contact: int) -> None:
    with village.app.writing() as uow:
        consent.ask(uow, contact_id=contact, told_by=WORDS_OF_ITS_OWN[2], links=links(village))


def state(village: Village) -> ContactState:
    (found,) = village.contacts().values()
    return found


@pytest.mark.parametrize("how", [*ConsentHow])
@pytest.mark.parametrize("family", [None, "姉"])
@pytest.mark.parametrize("channel", [ChannelName.SMS, ChannelName.VOICE, ChannelName.EMAIL])
def test_nobody_is_told_on_the_word_of_a_stranger(
    village: Village, channel: ChannelName, family: str | None, how: ConsentHow
) -> None:
    if how is ConsentHow.REPLY:
        village.contact(
            "母", channel, "a@example.jp" if channel.is_mail else "090-0000-0001", consent=False, family=family
        )
    else:
        with village.app.writing() as uow:
            register.add_contact(
                uow,
                person_id=1,
                channel=channel,
                address="a@example.jp" if channel.is_mail else "090-0000-0001",
                is_family=family is not None,
                consent_how=how,
                consent_by=WORDS_OF_ITS_OWN[2],
            )

    village.run_until("2026-12-20 18:00")

    assert state(village) is ContactState.UNCONFIRMED
    assert village.world.all_sent() == []


def test_nor_is_a_telephone_that_a_member_calls_their_own(village: Village) -> None:
    member = village.member("長女", "musume@example.jp")
    with village.app.writing() as uow:
        register.add_contact(uow, member_id=member, channel=ChannelName.SMS, address="090-0000-0009")

    village.run_until("2026-12-20 18:00")

    assert {sent.outgoing.address for sent in village.world.all_sent()} == {"musume@example.jp"}


def test_no_consent_can_be_recorded_for_them(village: Village) -> None:
    contact = village.contact("母", ChannelName.SMS, "090-0000-0001", consent=False)

    with village.app.writing() as uow, pytest.raises(ConflictError, match="trial_own_answer"):
        consent.confirm(uow, contact_id=contact, how=ConsentHow.WRITTEN, said_by=WORDS_OF_ITS_OWN[2])


@pytest.mark.parametrize("language", ["ja", "en", "ja-easy"])
def test_the_text_that_asks_holds_no_word_of_the_group(village: Village, language: str) -> None:
    village.person("父", phone="090-0000-0002", consent=False, mark=WORDS_OF_ITS_OWN[0], language=Language(language))
    (contact,) = (one for one in village.contacts() if one.endswith("2"))
    ask(village, 1)

    village.run_until("2026-12-02 12:00")

    (text,) = village.words_to("父")
    assert contact
    assert text == village.app.rules.wording.of(language).section("sign_in")["consent_text"]
    assert not any(word in text for word in (*WORDS_OF_ITS_OWN, "父"))
    assert "1" in text


def test_who_answers_1_is_told_and_who_answers_2_is_not(village: Village) -> None:
    village.contact("母", ChannelName.SMS, "090-0000-0001")
    ask(village, 1)
    village.run_until("2026-12-01 10:05")

    village.answers("母", "１")

    assert state(village) is ContactState.CONFIRMED
    village.run_until("2026-12-20 18:00")
    assert len(village.words_to("母")) > 2


def test_a_no_ends_it(village: Village) -> None:
    village.contact("母", ChannelName.SMS, "090-0000-0001")
    ask(village, 1)
    village.run_until("2026-12-01 10:05")
    village.answers("母", "2")
    before = len(village.words_to("母"))

    village.run_until("2026-12-20 18:00")

    assert state(village) is ContactState.OPTED_OUT
    assert len(village.words_to("母")) == before
    with village.app.writing() as uow:
        standing.approve(uow, group_id=1)
    assert state(village) is ContactState.OPTED_OUT, "no approval lifts a no"


def test_an_e_mail_is_confirmed_by_the_button_behind_a_link_in_a_fixed_mail(village: Village) -> None:
    village.contact("母", ChannelName.EMAIL, "a@example.jp")
    ask(village, 1)
    village.run_until("2026-12-01 10:05")
    (mail,) = village.email.sent
    assert not any(word in f"{mail.subject}{mail.text}" for word in (*WORDS_OF_ITS_OWN, "母"))
    link = re.search(re.escape(URL) + r"(/agree/\S+)", mail.text)
    assert link is not None
    browser = visitor(village, local_pages=False)

    assert browser.get(link[1]).status == 200
    assert state(village) is ContactState.UNCONFIRMED, "a scanner follows every link"
    assert browser.ask("POST", link[1], b"").status == 200
    assert state(village) is ContactState.CONFIRMED
    assert browser.ask("POST", link[1][:-1] + ("a" if link[1][-1] != "a" else "b"), b"").status == 404


def test_an_old_link_does_not_lift_a_stop(village: Village) -> None:
    contact = village.contact("母", ChannelName.EMAIL, "a@example.jp")
    village.stop(contact)
    link = links(village).agree(contact, village.now)
    assert link is not None

    assert visitor(village, local_pages=False).ask("POST", link.removeprefix(URL), b"").status == 404
    assert state(village) is ContactState.OPTED_OUT


def test_where_texts_cannot_be_answered_nobody_is_texted_before_the_approval(sqlite_url: str, tmp_path: Path) -> None:
    with open_village(sqlite_url, tmp_path, "2026-12-01 10:00") as village:
        stranger_s_group(village)
        contact = village.person("母", phone="090-0000-0001")
        village.card("母", date(2026, 12, 15))
        with village.app.writing() as uow, pytest.raises(ConflictError, match="trial_one_way"):
            consent.ask(uow, contact_id=contact, told_by="長女")
        village.run_until("2026-12-08 18:00")
        assert village.words_to("母") == []

        with village.app.writing() as uow:
            assert standing.approve(uow, group_id=1) == 1
        village.run_until("2026-12-20 18:00")

        assert village.words_to("母")


def test_many_groups_together_ask_one_number_once_a_day(village: Village) -> None:
    village.contact("母", ChannelName.SMS, "090-0000-0001")
    ask(village, 1)
    stranger_s_group(village, "他人家")
    village.person("父")
    village.contact("父", ChannelName.SMS, "090-0000-0001")

    with pytest.raises(ConflictError, match="quota_address_consent_requests_a_day"):
        ask(village, 2)


def test_who_has_said_no_to_one_is_asked_by_no_stranger(village: Village) -> None:
    village.contact("母", ChannelName.SMS, "090-0000-0001")
    ask(village, 1)
    village.run_until("2026-12-01 10:05")
    village.answers("母", "停止")
    village.sleep_until("2026-12-05 10:00")
    stranger_s_group(village, "他人家")
    village.person("父")
    village.contact("父", ChannelName.SMS, "090-0000-0001")

    with pytest.raises(ConflictError, match="asked_enough"):
        ask(village, 2)


def test_an_invitation_of_a_group_on_trial_holds_no_word_of_it(village: Village) -> None:
    owner = actor(village, village.member("長女", "musume@example.jp"))
    with village.app.writing() as uow:
        membership.invite(uow, who=owner, email="dareka@example.jp", role=Role.VIEWER)
    village.pass_once()

    (mail,) = (one for one in village.email.sent if one.address == "dareka@example.jp")
    assert not any(word in f"{mail.subject}{mail.text}" for word in WORDS_OF_ITS_OWN)


def test_after_the_approval_consents_that_were_recorded_count(village: Village) -> None:
    village.contact("母", ChannelName.SMS, "090-0000-0001")
    village.contact("母", ChannelName.EMAIL, "a@example.jp", consent=False)

    with village.app.writing() as uow:
        assert standing.approve(uow, group_id=1) == 1

    assert village.contacts() == {
        "+819000000001": ContactState.CONFIRMED,
        "a@example.jp": ContactState.UNCONFIRMED,
    }
    village.run_until("2026-12-20 18:00")
    assert village.words_to("母")


@pytest.mark.parametrize(("answer", "after"), [("1", ContactState.CONFIRMED), ("2", ContactState.OPTED_OUT)])
@pytest.mark.parametrize("whose", ["family", "member"])
def test_a_relative_and_a_member_answer_for_themselves(
    village: Village, whose: str, answer: str, after: ContactState
) -> None:
    if whose == "family":
        village.contact("母", ChannelName.SMS, "090-0000-0005", family="姉")
    else:
        member = village.member("姉", "ane@example.jp")
        with village.app.writing() as uow:
            register.add_contact(uow, member_id=member, channel=ChannelName.SMS, address="090-0000-0005")
        village._addresses["姉"] = {"+819000000005"}
    ask(village, max(range(1, 4), key=lambda one: one if one <= len(village.contacts()) else 0))
    village.run_until("2026-12-01 10:05")

    village.answers("姉", answer)

    assert village.contacts()["+819000000005"] is after
