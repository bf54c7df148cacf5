"""Monday morning in a home: one e-mail to each of its staff says what is to be done, however the week begins."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from reminder.domain.model.people import ChannelName, Copies, GroupKind, Language, Mode, Role
from reminder.domain.rules.preferences import Preferences
from reminder.domain.text.digest import MOST_ROWS
from reminder.enrolment import preferences as preference_settings
from reminder.planning.weekly_digest import AT_ONCE, make_digests
from reminder.storage.registry import cards, contacts, people
from reminder.storage.reminders import digests
from reminder.upkeep.privacy.erasure import erase_person
from reminder.worker.jobs import links_of, run_once
from tests.village import USER_CERTIFICATE, Village, open_village

OFFICE = "office@example.jp"


@pytest.fixture
def home(village: Village) -> Village:
    """A home since Tuesday, 1 December 2026: its office, and a resident whose certificate ends in January."""
    settle(village)
    return village


def settle(village: Village, name: str = "見本の里", office: str = OFFICE) -> None:
    village.group(GroupKind.HOME, name)
    village.member(office, office)
    village.person("ハナさん", mode=Mode.HOME, room="201", unit="2階")
    village.card("ハナさん", date(2027, 1, 29))


def digests_to(village: Village, name: str) -> list[str]:
    """When each arrived, without what else was sent there."""
    arrived = {mail.message_id for mail in village.email.sent if is_digest(mail.subject)}
    both = zip(village.texts_to(name), sent_to(village, name), strict=True)
    return [at for at, mail in both if mail.message_id in arrived]


def is_digest(subject: str) -> bool:
    return any(said in subject for said in ("今週の一覧", "今週の 一覧", "this week"))


def sent_to(village: Village, name: str) -> list:
    addresses = village._addresses[name]
    return [sent.outgoing for sent in village.world.all_sent() if sent.outgoing.address in addresses]


def words(village: Village, name: str = OFFICE) -> list[str]:
    return [mail.text for mail in sent_to(village, name) if is_digest(mail.subject)]


def make(village: Village) -> int:
    app = village.app
    return make_digests(app.units, village.now, links_of(app))


def test_on_monday_morning_the_office_reads_what_is_due_by_day_and_room(home: Village) -> None:
    home.run_until("2026-12-08 00:00")

    assert digests_to(home, OFFICE) == ["12-07 07:00"]
    assert "■ 窓口が開いている最後の日（1件）\n1月29日（金）　2階 201　電子証明書\n" in words(home)[0]
    assert "ハナ" not in words(home)[0]
    assert [message.key for message in home.messages() if message.kind == "digest"] == ["digest:1:2026-W50"]


def test_it_comes_every_week_and_after_a_holiday_on_the_next_day(home: Village) -> None:
    home.run_until("2027-01-20 00:00")

    assert digests_to(home, OFFICE) == [
        "12-07 07:00", "12-14 07:00", "12-21 07:00", "12-28 07:00", "01-04 07:00", "01-12 07:00", "01-18 07:00"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("back_at", "told", "why"),
    [
        ("2026-12-09 13:00", ["12-09 13:00"], "at once, for this week is not over"),
        ("2026-12-16 13:00", ["12-16 13:00"], "last week's is not made up for"),
        ("2026-12-09 22:30", ["12-10 07:00"], "in the morning"),
        ("2026-12-12 22:30", ["12-14 07:00"], "Sunday is none, and the next week has its own"),
    ],
)
def test_after_an_outage_over_monday_it_comes_once_for_the_present_week(
    home: Village, back_at: str, told: list[str], why: str
) -> None:
    home.sleep_until(back_at)
    home.run_until(f"{home.now + timedelta(days=1, hours=12):%Y-%m-%d} 10:00")

    assert digests_to(home, OFFICE) == told, why


def test_a_home_that_was_founded_since_monday_has_missed_nothing(home: Village) -> None:
    home.run_until("2026-12-09 12:00")
    settle(home, "新しい家", "new@example.jp")

    home.run_until("2026-12-15 00:00")

    assert digests_to(home, "new@example.jp") == ["12-14 07:00"]


def test_who_only_looks_is_sent_none_and_a_household_has_none(home: Village) -> None:
    home.member("見る人", "viewer@example.jp", Role.VIEWER)
    home.member("職員", "editor@example.jp", Role.EDITOR)
    home.group(name="田中家")
    home.member("娘", "musume@example.jp")
    home.person("母")
    home.card("母", date(2027, 1, 29))

    home.run_until("2026-12-08 00:00")

    assert [len(words(home, name)) for name in (OFFICE, "職員", "見る人", "娘")] == [1, 1, 0, 0]


def test_each_reads_it_in_their_own_language(home: Village) -> None:
    home.member("あかり", "akari@example.jp", Role.EDITOR, Language.EASY_JAPANESE)
    home.member("Ann", "ann@example.jp", Role.EDITOR, Language.ENGLISH)

    home.run_until("2026-12-08 00:00")

    assert "窓口が開いている最後の日（1件）" in words(home)[0]
    assert "窓口（まどぐち）が 開（あ）いて いる 最後（さいご）の 日（ひ）" in words(home, "あかり")[0]
    assert "■ Last day on which the counter is open (1)\nFri 29 Jan 2027  2階 201" in words(home, "Ann")[0]


def test_a_home_with_nothing_to_do_reads_one_line_and_one_without_cards_nothing(village: Village) -> None:
    village.group(GroupKind.HOME, "見本の里")
    village.member(OFFICE, OFFICE)
    village.person("ハナさん", mode=Mode.HOME, room="201")
    village.run_until("2026-12-08 00:00")
    assert words(village) == []

    village.card("ハナさん", date(2031, 1, 29))
    village.run_until("2026-12-15 00:00")

    assert words(village)[0].startswith(
        "見本の里で今週することはありません。1件の期限を見守っています。\n\n■ このメールについて"
    )


def test_who_wants_no_copies_is_left_alone_while_somebody_else_reads_it(home: Village) -> None:
    home.member("職員", "editor@example.jp", Role.EDITOR)
    wants_none(home, 1)
    home.run_until("2026-12-08 00:00")
    assert (len(words(home)), len(words(home, "職員"))) == (0, 1)

    wants_none(home, 2)
    home.run_until("2026-12-15 00:00")
    assert (len(words(home)), len(words(home, "職員"))) == (1, 2), "what must be done reaches somebody"

    home.renew(1, date(2032, 1, 29))
    home.run_until("2026-12-22 00:00")
    assert (len(words(home)), len(words(home, "職員"))) == (1, 2), "that there is nothing to do need not"


def wants_none(village: Village, member: int) -> None:
    with village.app.writing() as uow:
        preference_settings.set_copies(uow, member_id=member, copies=Copies.NONE)


def test_two_workers_at_once_make_one_for_each(home: Village) -> None:
    for n in range(3):
        settle(home, f"{n}番目の家", f"office{n}@example.jp")
    home.sleep_until("2026-12-07 07:00")

    with ThreadPoolExecutor(4) as workers:
        made = list(workers.map(lambda _: make(home), range(4)))

    keys = [message.key for message in home.messages()]
    assert sum(made) == 4
    assert sorted(keys) == [f"digest:{member}:2026-W50" for member in (1, 2, 3, 4)]


def test_a_worker_that_was_killed_is_followed_by_one_that_makes_the_rest(home: Village) -> None:
    settle(home, "次の家", "next@example.jp")
    home.sleep_until("2026-12-07 07:00")
    make(home)
    with home.app.database.writing() as tx:  # as if it had been killed after the first home, whose e-mail is kept
        tx.execute(text("DELETE FROM messages WHERE id = 2"))
        tx.execute(text("DELETE FROM heartbeats WHERE name = 'digest'"))
        digests.record_progress(tx, "2026-W50", 1)

    assert make(home) == 1
    assert make(home) == 0


def test_more_homes_than_fit_into_one_transaction_get_theirs_in_one_pass(home: Village) -> None:
    for n in range(AT_ONCE):
        settle(home, f"{n}番目の家", f"office{n}@example.jp")
    home.sleep_until("2026-12-07 07:00")

    assert run_once(home.app, home.now)["digests"] == AT_ONCE + 1
    assert run_once(home.app, home.now)["digests"] == 0


def test_one_who_is_erased_before_it_is_sent_is_not_in_it_and_it_is_sent_all_the_same(home: Village) -> None:
    home.person("トミさん", mode=Mode.HOME, room="305")
    home.card("トミさん", date(2027, 1, 29))
    app = home.app
    with app.units.writing(home.now) as uow:
        preference_settings.set_preferences(uow, group_id=1, preferences=Preferences(send_hour=10))
    home.run_until("2026-12-07 08:00")
    assert [message.state for message in home.messages() if message.kind == "digest"] == ["queued"]

    erase_person(app.units, home.now, person_id=2)
    home.run_until("2026-12-08 00:00")

    assert digests_to(home, OFFICE) == ["12-07 10:00"]
    assert "201" in words(home)[0]
    assert "305" not in words(home)[0]


def test_one_who_is_erased_afterwards_takes_the_words_along(home: Village) -> None:
    home.run_until("2026-12-08 00:00")

    erase_person(home.app.units, home.now, person_id=1)
    home.run_until("2026-12-09 00:00")

    assert [message.text for message in home.messages() if message.kind == "digest"] == [None]
    assert len(digests_to(home, OFFICE)) == 1


def test_whom_messages_do_not_reach_is_named_by_room_with_why(home: Village) -> None:
    phone = home.contact("ハナさん", ChannelName.SMS, "090-0000-0001")
    home.contact("ハナさん", ChannelName.EMAIL, "musuko@example.jp", consent=False, family="息子")
    with home.app.database.writing() as tx:
        contacts.mark_unreachable(tx, [phone])

    home.run_until("2026-12-08 00:00")

    unreached = words(home)[0].split("■ お知らせが届いていない方")[1]
    assert unreached.startswith("（1件）\n2階 201　SMS：使えない番号かアドレスです、メール：同意がまだありません\n")


def test_what_ended_stays_with_the_latest_first_and_what_is_done_is_not_named(home: Village) -> None:
    for room, ended in (("302", date(2026, 10, 1)), ("301", date(2026, 11, 27))):
        home.person(room, mode=Mode.HOME, room=room)
        home.card(room, ended, confirmed=True)
    home.person("済んだ方", mode=Mode.HOME, room="303")
    done = home.card("済んだ方", date(2027, 1, 20))
    with home.app.database.writing() as tx:
        cards.acknowledge(tx, [done], date(2026, 12, 1))

    home.run_until("2026-12-08 00:00")

    (digest,) = words(home)
    assert digest.index("11月27日（金）　301") < digest.index("10月1日（木）　302")
    assert "303" not in digest


@pytest.mark.parametrize("allowed", [False, True])
def test_it_links_to_the_page_only_where_the_operator_allows_links(
    sqlite_url: str, tmp_path: Path, allowed: bool
) -> None:
    public = {"public_url": "https://kigen.example.jp", "links_in_carer_mail": allowed}
    with open_village(sqlite_url, tmp_path, "2026-12-01 08:00", **public) as village:
        settle(village)
        village.run_until("2026-12-08 00:00")

        assert ("■ 全員の一覧\nhttps://kigen.example.jp/months\n" in words(village)[0]) is allowed
        assert ("http" in words(village)[0]) is allowed


def test_the_e_mail_of_five_thousand_residents_is_no_longer_than_one_screen_or_two(home: Village) -> None:
    with home.app.database.writing() as tx:
        residents = people.add_all(tx, [resident(n, home) for n in range(5000)])
        cards.add_all(tx, [card(person, USER_CERTIFICATE, home) for person in residents])
    home.sleep_until("2026-12-07 07:00")

    assert make(home) == 1

    (digest,) = home.messages()
    assert "■ 窓口が開いている最後の日（5001件）" in digest.text
    assert f"ほか{5001 - MOST_ROWS}件" in digest.text
    assert digest.text.count("\n") < 100
    assert len(digest.text) < 4000
    with home.app.database.reading() as tx:
        assert tx.execute(text("SELECT count(*) FROM mentions")).scalar() <= 6 * MOST_ROWS * 2


def resident(n: int, village: Village) -> dict[str, object]:
    return {
        "group_id": 1, "label": f"入居者{n}", "mode": "home", "language": "ja", "reference": None,
        "room": str(n), "unit": None, "mark": None, "office": "市役所", "insurance": True, "created_at": village.now,
    }  # fmt: skip


def card(person: int, kind: str, village: Village) -> dict[str, object]:
    return {
        "person_id": person, "kind": kind, "label": "", "expires_on": date(2026, 12, 25), "is_computed": False,
        "carried_by": None, "next_reminder_on": None, "created_at": village.now,
    }  # fmt: skip
