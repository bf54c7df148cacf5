"""Erasing: whoever is erased stands in no table any more, nobody is told of them, and everybody else is told as before."""

import asyncio
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from reminder.channels.memory import MemoryChannel
from reminder.domain.model.access import Actor
from reminder.domain.model.messages import Accepted, Outgoing
from reminder.domain.model.people import ChannelName, ConsentHow, GroupKind, Language, Mode, Role
from reminder.enrolment import consent
from reminder.enrolment.cards import assign_card
from reminder.enrolment.identity import membership
from reminder.enrolment.identity import sign_in as signing_in
from reminder.enrolment.identity.sign_up import SignUp
from reminder.errors import NotFoundError, PermanentChannelError, TemporaryChannelError, UnknownOutcomeError
from reminder.storage.auth import accounts, passkeys
from reminder.storage.db import session
from reminder.storage.outbox import receipts
from reminder.storage.outbox.queries import MessageView
from reminder.storage.runtime import heartbeats
from reminder.upkeep.calendar.feeds import make_feed
from reminder.upkeep.privacy.erasure import erase_card, erase_contact, erase_group, erase_person
from reminder.upkeep.privacy.retention import apply_retention
from reminder.worker.jobs import run_once
from tests.village import CARD, SIGNATURE_CERTIFICATE, Village, open_village

END = date(2027, 3, 31)
DAUGHTER = "musume@example.jp"
# Tables in which a row of somebody's may stand.
TABLES = (
    "people", "contacts", "cards", "assignments", "reminders", "messages", "message_reminders", "mentions", "receipts",
    "replies", "notices", "promises",
)  # fmt: skip


def rows(village: Village, *tables: str) -> dict[str, int]:
    with village.app.database.reading() as tx:
        return {name: tx.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in tables or TABLES}


def acts(village: Village) -> list[tuple[object, ...]]:
    """The latest entry of the journal."""
    with village.app.database.reading() as tx:
        latest = (
            "SELECT act, group_id, member_id, person_id, contact_id, card_id FROM activity_log ORDER BY id DESC LIMIT 1"
        )
        return [tuple(row) for row in tx.execute(text(latest))]


def erase(village: Village, **which: int) -> None:
    ((what, its_id),) = which.items()
    steps: dict[str, Callable[..., None]] = {
        "person": erase_person,
        "contact": erase_contact,
        "card": erase_card,
        "group": erase_group,
    }
    steps[what](village.app.units, village.now, **{f"{what}_id": its_id})


def mails(village: Village) -> list[MessageView]:
    return [message for message in village.messages() if message.channel == ChannelName.EMAIL]


@pytest.fixture
def family(talking_village: Village) -> Village:
    """A daughter who hears of both her parents, on days of their own and together."""
    talking_village.member("娘", DAUGHTER)
    talking_village.person("母", phone="090-0000-0001", mode=Mode.ELDERLY)
    talking_village.person("父", phone="090-0000-0002", mode=Mode.ELDERLY)
    talking_village.card("母", END)
    talking_village.card("父", END)
    return talking_village


@pytest.mark.parametrize("what", ["person", "contact", "card", "group"])
def test_what_is_not_there_is_not_found(village: Village, what: str) -> None:
    with pytest.raises(NotFoundError) as refused:
        erase(village, **{what: 99})

    assert refused.value.field == what


@pytest.mark.parametrize("what", ["person", "contact", "card", "group"])
def test_what_is_erased_is_not_found_a_second_time(family: Village, what: str) -> None:
    erase(family, **{what: 1})

    with pytest.raises(NotFoundError):
        erase(family, **{what: 1})


def test_of_an_erased_person_no_row_is_left_but_the_journal_s(talking_village: Village) -> None:
    mother = talking_village.person("母", phone="090-0000-0001", mode=Mode.ELDERLY)
    talking_village.contact("母", ChannelName.EMAIL, "ane@example.jp", family="姉")
    talking_village.card("母", END)
    talking_village.run_until("2027-01-05 00:00")
    talking_village.answers("母", "家族にきいて")
    talking_village.run_until("2027-02-20 00:00")
    with talking_village.app.database.writing() as tx:
        sent = f"memory-{talking_village.sms.sent[0].message_id}"
        receipts.keep(
            tx, provider_id=sent, status="delivered", error_code=None, message_id=None, now=talking_village.now
        )
    assert all(count for name, count in rows(talking_village).items() if name != "assignments")

    erase_person(talking_village.app.units, talking_village.now, person_id=mother, by=7)

    assert set(rows(talking_village).values()) == {0}
    assert acts(talking_village) == [("person_erased", 1, 7, mother, None, None)]


def test_nothing_more_is_told_of_an_erased_person_and_of_the_others_everything(family: Village) -> None:
    family.run_until("2027-01-15 00:00")
    told = family.texts_to("母")
    assert told

    erase(family, person=1)
    before = len(family.world.all_sent())
    family.run_until("2027-04-15 00:00")

    assert family.texts_to("母") == told
    assert family.texts_to("父")[-1] == "04-07 10:00"
    assert not any("お母" in sent.outgoing.text for sent in family.world.all_sent()[before:])


def test_an_email_of_two_persons_loses_its_words_with_one_and_is_not_sent_again(family: Village) -> None:
    family.run_until("2027-01-05 00:00")
    together = [mail for mail in mails(family) if "お母さま" in (mail.text or "") and "お父さま" in (mail.text or "")]
    assert together

    erase(family, person=1)
    family.run_until("2027-01-06 00:00")

    after = {mail.id: mail for mail in mails(family)}
    assert [(after[mail.id].text, after[mail.id].state) for mail in together] == [(None, "accepted")] * len(together)
    assert [mail.id for mail in mails(family)] == sorted(after)
    assert family.texts_to("娘") == ["01-04 10:00"]


def test_an_email_of_two_persons_that_waits_speaks_of_the_one_who_stays(family: Village) -> None:
    family.sleep_until("2027-01-04 00:00")
    run_once(family.app, family.now)
    assert [mail.state for mail in mails(family)] == ["queued"]

    erase(family, person=1)
    family.run_until("2027-01-05 00:00")

    [said] = family.words_to("娘")
    assert "お父さま" in said
    assert "お母さま" not in said
    assert [(mail.state, mail.reason) for mail in mails(family)] == [("cancelled", "erased"), ("accepted", None)]


def test_words_about_somebody_that_no_reminder_tells_go_with_them(family: Village) -> None:
    family.run_until("2027-01-05 00:00")
    family.answers("母", "むすこに きいて みます")
    family.run_until("2027-01-06 00:00")
    quoted = [mail.id for mail in mails(family) if "むすこに" in (mail.text or "")]
    assert quoted

    erase(family, person=1)

    assert {mail.text for mail in mails(family) if mail.id in quoted} == {None}


def test_word_that_a_text_came_back_goes_with_whom_it_was_to_reach(family: Village) -> None:
    family.sms.fail_when(lambda outgoing: PermanentChannelError("21211") if outgoing.address.endswith("1") else None)
    family.run_until("2027-01-05 12:00")
    told = [mail.id for mail in mails(family) if mail.kind == "failure_notice"]
    assert told

    erase(family, person=1)

    assert {mail.text for mail in mails(family) if mail.id in told} == {None}


def test_who_is_to_be_asked_about_two_persons_is_asked_about_the_one_who_stays(talking_village: Village) -> None:
    village = talking_village
    village.member("娘", DAUGHTER)
    village.member("息子", "musuko@example.jp", Role.EDITOR)
    for label, phone in (("母", "090-0000-0001"), ("父", "090-0000-0002")):
        village.person(label, phone=phone, mode=Mode.ELDERLY)
        village.card(label, END)
    night = next(days_with_a_silence(village))
    [waiting] = [one for one in village.messages() if one.kind == "escalation" and one.state == "queued"]
    assert "お母さま" in (waiting.text or "")
    assert "お父さま" in (waiting.text or "")

    erase(village, person=1)
    village.run_until(f"{night:%Y-%m-%d} 23:00")

    asked = [one for one in village.messages() if one.kind == "escalation"]
    assert [(one.state, one.reason) for one in asked] == [("cancelled", "erased"), ("accepted", None)]
    assert "お父さま" in (asked[1].text or "")
    assert "お母さま" not in (asked[1].text or "")


def days_with_a_silence(village: Village) -> Iterator[date]:
    """The nights on which somebody is to be asked in the morning."""
    for days in range(200):
        night = date(2026, 12, 2) + timedelta(days=days)
        village.run_until(f"{night} 00:30")
        if any(one.kind == "escalation" and one.state == "queued" for one in village.messages()):
            yield night


def test_an_erased_contact_is_told_nothing_more_and_another_one_is_in_its_place(family: Village) -> None:
    family.contact("母", ChannelName.EMAIL, "haha@example.jp")
    family.sleep_until("2027-01-04 00:00")
    run_once(family.app, family.now)
    before = rows(family, "messages")["messages"]

    erase_contact(family.app.units, family.now, contact_id=2, by=1)
    assert rows(family, "messages")["messages"] < before
    assert acts(family) == [("contact_erased", 1, 1, None, 2, None)]
    family.run_until("2027-01-05 00:00")

    assert family.sms.sent == [one for one in family.sms.sent if one.address == "+819000000002"]
    assert "haha@example.jp" in {sent.outgoing.address for sent in family.world.all_sent()}


def test_a_card_that_was_taken_by_an_erased_contact_is_nobody_s_again(family: Village) -> None:
    son = family.contact("母", ChannelName.EMAIL, "musuko@example.jp", family="息子")
    with family.app.writing() as uow:
        assign_card(uow, card_id=1, contact_id=son)

    erase(family, contact=son)

    assert rows(family, "assignments") == {"assignments": 0}
    assert family.card_of(1).next_reminder_on == date(2026, 12, 1)


def test_a_text_that_waits_about_two_cards_speaks_of_the_one_that_stays(village: Village) -> None:
    village.person("父", phone="090-0000-0002")
    certificate = village.card("父", END)
    village.card("父", END, SIGNATURE_CERTIFICATE)
    village.sleep_until("2027-03-17 00:00")
    run_once(village.app, village.now)
    assert village.states() == ["queued"]

    erase_card(village.app.units, village.now, card_id=certificate, by=3)
    assert acts(village) == [("card_erased", 1, 3, 1, None, certificate)]
    village.run_until("2027-03-17 12:00")

    [said] = village.words_to("父")
    assert "署名用" in said
    assert village.states() == ["cancelled", "accepted"]


def test_a_card_told_this_morning_and_erased_frees_no_second_text_today(village: Village) -> None:
    village.person("父", phone="090-0000-0002")
    certificate = village.card("父", END)
    village.run_until("2027-03-17 10:00")
    assert village.texts_to("父")[-1] == "03-17 09:00"
    village.card("父", date(2027, 4, 14), "care_certification")

    erase(village, card=certificate)
    village.run_until("2027-03-17 23:00")

    assert village.texts_to("父").count("03-17 09:00") == 1
    assert [text for text in village.texts_to("父") if text.startswith("03-17")] == ["03-17 09:00"]


def test_what_lived_in_an_erased_card_is_looked_at_again(village: Village) -> None:
    village.person("父", phone="090-0000-0002")
    card = village.card("父", date(2032, 3, 31), CARD)
    certificate = village.card("父", END)
    village.run_until("2026-12-02 00:00")
    assert village.card_of(certificate).carried_by == card

    erase(village, card=card)

    assert village.card_of(certificate).carried_by is None
    assert village.card_of(certificate).next_reminder_on == date(2026, 12, 2)


class Meanwhile(MemoryChannel):
    """Erases somebody while it hands a message over, and then answers as it is told."""

    def __init__(self, act: Callable[[], None], outcome: Exception | None) -> None:
        super().__init__()
        self._act, self._outcome, self._done = act, outcome, False

    async def send(self, outgoing: Outgoing) -> Accepted:
        if not self._done:
            self._done = True
            await asyncio.to_thread(self._act)
            if self._outcome is not None:
                raise self._outcome
        return await super().send(outgoing)


@pytest.mark.parametrize("outcome", [None, TemporaryChannelError("503"), UnknownOutcomeError("timeout")])
@pytest.mark.parametrize("which", [{"person": 1}, {"contact": 2}, {"card": 1}, {"group": 1}])
def test_what_is_erased_while_its_text_is_leaving_does_not_stop_the_sender(
    family: Village, which: dict[str, int], outcome: Exception | None
) -> None:
    family.app.channels[ChannelName.SMS] = Meanwhile(lambda: erase(family, **which), outcome)  # type: ignore[index]
    family.sleep_until("2027-01-04 10:00")

    run_once(family.app, family.now)
    for _ in range(40):
        family.clock.move_to(family.now + timedelta(minutes=5))
        run_once(family.app, family.now)

    with family.app.database.reading() as tx:
        assert heartbeats.last(tx, heartbeats.PASS) == family.now, "every pass ended well"
    assert not {"queued", "sending", "unknown"} & set(family.states())


def test_an_email_of_two_that_may_have_arrived_is_told_again_of_the_one_who_stays_and_marked(family: Village) -> None:
    family.email.lose_answer_next()
    family.sleep_until("2027-01-04 10:00")
    run_once(family.app, family.now)
    assert [mail.state for mail in mails(family)] == ["unknown"]

    erase(family, person=1)
    family.run_until("2027-01-06 00:00")

    first, *others = mails(family)
    assert (first.state, first.reason, first.text) == ("failed", "not_seen", None)
    assert all("お母さま" not in (mail.text or "") for mail in others)
    assert [mail.possibly_double for mail in others if "お父さま" in (mail.text or "")][:1] == [True]


def test_an_erased_group_takes_everybody_along_and_leaves_the_others_alone(family: Village) -> None:
    other = family.group(GroupKind.HOUSEHOLD, "鈴木家")
    family.member("鈴木", "suzuki@example.jp")
    family.person("祖母", phone="090-0000-0003", mode=Mode.ELDERLY)
    family.card("祖母", END)
    family.run_until("2027-01-05 00:00")

    erase_group(family.app.units, family.now, group_id=1, by=1)

    assert rows(family, "groups", "members", "people", "cards") == {"groups": 1, "members": 1, "people": 1, "cards": 1}
    assert {message.group_id for message in family.messages()} == {other}
    assert acts(family) == [("group_erased", 1, 1, None, None, None)]
    family.run_until("2027-02-15 00:00")
    assert [text for text in family.texts_to("祖母") if text > "01-05"]


def sign_in(village: Village, email: str) -> int:
    """The account of somebody who types the code from their e-mail."""
    app, japanese = village.app, Language.JAPANESE
    with app.units.writing(village.now) as uow:
        browser = signing_in.ask_for_code(
            uow, email=email, network="192.0.2.1", browser=None, language=japanese, sign_up=True
        )
    run_once(app, village.now)
    [code] = re.findall(r"\b\d{6}\b", next(one.text for one in reversed(village.email.sent) if one.address == email))
    entered = signing_in.enter_code(
        app.units,
        village.now,
        browser=browser,
        code=code,
        device="Firefox",
        language=japanese,
        sign_up=SignUp.OPEN,
    )
    return entered.account_id


def test_with_a_group_go_the_accounts_that_are_in_no_other(village: Village) -> None:
    village.group(name="田中家")
    village.member("娘", DAUGHTER)
    village.member("息子", "musuko@example.jp")
    daughter, son = sign_in(village, DAUGHTER), sign_in(village, "musuko@example.jp")
    with village.app.writing() as uow:
        passkeys.use_challenge(uow.tx, b"signed", daughter, village.now + timedelta(minutes=5))
    owner = Actor(1, 1, Role.OWNER, Language.JAPANESE)
    with village.app.writing() as uow:
        membership.invite(uow, who=owner, email="mago@example.jp", role=Role.VIEWER)
        make_feed(uow, member_id=1, is_private=False)
    elsewhere = village.group(name="鈴木家")
    member = village.member("息子", "suzuki@example.jp")
    with village.app.database.writing() as tx:
        accounts.set_account(tx, village.app.keys, member, son)

    erase(village, group=1)

    tables = ("groups", "members", "accounts", "sessions", "challenges", "invitations", "calendar_feeds", "login_codes")
    assert rows(village, *tables) == {
        "groups": 1, "members": 1, "accounts": 1, "sessions": 1, "challenges": 0, "invitations": 0, "calendar_feeds": 0,
        "login_codes": 1,
    }  # fmt: skip
    with village.app.database.reading() as tx:
        kept = accounts.find(tx, village.app.keys, son)
        assert kept is not None
        assert [one.group_id for one in accounts.memberships(tx, village.app.keys, son)] == [elsewhere]
    assert [message.kind for message in village.messages()] == ["login_code"], "the son's own"


@pytest.fixture
def crowd(sqlite_url: str, tmp_path: Path) -> Iterator[Village]:
    """Many people, so that rows move between the pages of the file, and among them one with words of her own."""
    with open_village(sqlite_url, tmp_path, "2026-12-01 08:00", two_way_sms=True) as village:
        village.group(GroupKind.HOME, "さくら苑")
        village.member("事務", "jimu@example.jp")
        for place in range(60):
            village.person(f"入居者{place:02}", reference=f"R{place:03}-beya")
            village.card(f"入居者{place:02}", END)
        yield village


def file_of(village: Village) -> Path:
    return Path(village.app.database.url.removeprefix("sqlite:///"))


def held(village: Village) -> bytes:
    """Every byte of the database when nobody has it open."""
    village.app.database.close()
    return b"".join(path.read_bytes() for path in sorted(file_of(village).parent.glob("kigen.db*")))


def traces(village: Village, person: int) -> list[bytes]:
    """What is encrypted, and its indexes, as they are kept."""
    theirs = f"SELECT id FROM contacts WHERE person_id = {person}"
    queries = (
        f"SELECT words_sealed FROM people WHERE id = {person}",
        f"SELECT row_token FROM people WHERE id = {person}",
        f"SELECT label_index FROM people WHERE id = {person}",
        f"SELECT reference_index FROM people WHERE id = {person}",
        f"SELECT consent_by_sealed FROM contacts WHERE id IN ({theirs})",
        f"SELECT address_sealed FROM contacts WHERE id IN ({theirs})",
        f"SELECT address_index FROM contacts WHERE id IN ({theirs})",
        f"SELECT body_sealed FROM messages WHERE contact_id IN ({theirs})",
        f"SELECT body_sealed FROM replies WHERE contact_id IN ({theirs})",
    )
    with village.app.database.reading() as tx:
        found = [list(tx.scalars(text(query))) for query in queries]
    assert all(found), "there is something of each to look for"
    return [value.encode() if isinstance(value, str) else value for some in found for value in some]


def test_no_byte_of_an_erased_person_is_left_in_the_files(crowd: Village) -> None:
    her = crowd.person("おたえさん", reference="403-kita", mark="あさがお", mode=Mode.ELDERLY)
    contact = crowd.contact("おたえさん", ChannelName.SMS, "090-0000-0001", consent=False)
    with crowd.app.writing() as uow:
        consent.confirm(uow, contact_id=contact, how=ConsentHow.SPOKEN, said_by="姪のさゆり")
    crowd.card("おたえさん", END)
    crowd.run_until("2027-01-05 00:00")
    crowd.answers("おたえさん", "むすこに きいて みます")
    looked_for = traces(crowd, her)
    assert all(trace in held(crowd) for trace in looked_for)

    erase(crowd, person=her)

    assert [trace for trace in looked_for if trace in held(crowd)] == []


def test_not_even_the_open_log_of_writes_holds_an_erased_person(crowd: Village) -> None:
    her = crowd.person("おたえさん", reference="403-kita")
    log = file_of(crowd).with_name("kigen.db-wal")
    with crowd.app.database.reading() as tx:
        words = tx.scalars(text(f"SELECT words_sealed FROM people WHERE id = {her}")).one()
    assert words in log.read_bytes()

    erase(crowd, person=61)

    assert words not in log.read_bytes() + file_of(crowd).read_bytes()


def test_after_a_day_no_page_holds_a_copy_that_was_moved(crowd: Village) -> None:
    """What SQLite leaves behind when it splits a page is made here by hand: bytes that no row is made of any more."""
    crowd.person("おたえさん")
    erase(crowd, person=61)
    crowd.app.database.close()
    file = file_of(crowd)
    with closing(sqlite3.connect(file, isolation_level=None)) as own:
        own.execute("PRAGMA secure_delete = OFF")
        own.execute("CREATE TABLE left_over (words TEXT)")
        own.execute("INSERT INTO left_over VALUES (?)", ("おたえさん",))
        own.execute("DROP TABLE left_over")
    assert "おたえさん".encode() in file.read_bytes()

    run_once(crowd.app, crowd.now)

    assert "おたえさん".encode() not in held(crowd)


def test_who_is_kept_from_it_writes_the_file_anew_on_the_next_day(
    crowd: Village, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "SQLITE_BUSY_SECONDS", 0.1)
    crowd.person("おたえさん")
    erase(crowd, person=61)
    crowd.app.database.close()
    with closing(sqlite3.connect(file_of(crowd), isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM people").fetchone()
        apply_retention(crowd.app.database, crowd.now)
        kept_from_it = rewritten_at(crowd)

    crowd.clock.move_to(crowd.now + timedelta(days=1))
    apply_retention(crowd.app.database, crowd.now)

    assert kept_from_it is None
    assert rewritten_at(crowd) == crowd.now


def rewritten_at(village: Village) -> object:
    with village.app.database.reading() as tx:
        return heartbeats.last(tx, heartbeats.REWRITTEN)


def test_a_file_in_which_nothing_was_erased_is_not_written_anew(crowd: Village) -> None:
    file = file_of(crowd)
    with closing(sqlite3.connect(file, isolation_level=None)) as own:
        own.execute("CREATE TABLE ballast (words TEXT)")
        own.execute("INSERT INTO ballast VALUES (?)", ("x" * 1_000_000,))
        own.execute("DROP TABLE ballast")
    run_once(crowd.app, crowd.now)
    crowd.app.database.close()

    assert file.stat().st_size > 1_000_000
