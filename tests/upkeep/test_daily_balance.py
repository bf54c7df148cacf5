"""The evening balance: counted each evening, later where the worker was away, and sent to the operator once a week."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from reminder.domain.model.people import ChannelName, GroupKind
from reminder.domain.rules.evening_balance import DayBalance, Fate
from reminder.errors import PermanentChannelError, TemporaryChannelError
from reminder.storage.reminders import daily_balances
from reminder.storage.runtime import heartbeats
from reminder.upkeep.daily_balance import count_days, mail_week
from reminder.upkeep.privacy import erasure
from reminder.worker.jobs import run_once
from tests.upkeep.test_metrics import measured
from tests.village import Village

END, DAY = date(2027, 3, 31), date(2027, 3, 17)
OPERATOR = "unyou@example.jp"


@pytest.fixture
def morning(village: Village) -> Village:
    """On 17 March two persons and their daughter are told, and nobody before."""
    village.member("娘", "musume@example.jp")
    for place, label in enumerate(("母", "父")):
        village.person(label, phone=f"090-0000-000{place}")
        village.card(label, END)
    village.sleep_until("2027-03-17 01:00")
    return village


def evening(village: Village, at: str = "2027-03-17 19:00") -> dict[str, DayBalance]:
    """What is known of 17 March after a pass at this moment."""
    village.sleep_until(at)
    village.pass_once()
    return {one.channel: one for one in counted(village) if one.day == DAY}


def counted(village: Village, first: date = DAY, last: date = END) -> list[DayBalance]:
    with village.app.database.reading() as tx:
        return daily_balances.between(tx, first, last)


def adds_up(balance: DayBalance) -> bool:
    return balance.due == sum(getattr(balance, fate) for fate in Fate)


def test_before_seven_nothing_is_counted_and_then_every_channel_is(morning: Village) -> None:
    morning.run_until("2027-03-17 18:59")
    assert counted(morning) == []

    found = evening(morning)

    assert set(found) == set(map(str, morning.app.rules.channels))
    assert found["sms"] == DayBalance(DAY, "sms", people=2, messages=2, due=2, arrived=2)
    assert found["email"].due == found["email"].arrived > 0
    assert found["email"].people == 2, "the persons whom the daughter's mails are about"


def test_what_failed_went_another_way_or_was_handed_on_stands_under_the_channel_that_was_promised(
    morning: Village,
) -> None:
    morning.contact("母", ChannelName.EMAIL, "haha@example.jp")
    morning.sms.fail_when(lambda _: PermanentChannelError("21211"))
    morning.run_until("2027-03-17 18:30")

    found = evening(morning)

    assert adds_up(found["sms"])
    assert (found["sms"].due, found["sms"].other_way, found["sms"].to_human) == (2, 1, 1)


def test_what_cannot_leave_all_day_is_handed_to_humans_by_the_evening(morning: Village) -> None:
    for channel in (morning.sms, morning.email):
        channel.fail_when(lambda _: TemporaryChannelError("connect"))
    morning.run_until("2027-03-17 18:30")

    found = evening(morning)

    assert (found["sms"].due, found["sms"].to_human) == (2, 2)
    assert adds_up(found["email"])
    assert found["email"].open == found["email"].due > 0, "mails to carers are tried until nine"
    later = evening(morning, "2027-03-17 21:30")
    assert (later["email"].open, later["email"].to_human) == (0, found["email"].due)
    metrics = measured(morning)
    assert metrics["kigen_balance channel=sms fate=to_human"] == metrics["kigen_balance_due channel=sms"] == 2
    assert metrics["kigen_balance_people channel=sms"] == 2


def test_a_day_is_counted_once_more_when_it_is_over_and_then_never_again(morning: Village) -> None:
    morning.run_until("2027-03-17 18:30")
    evening(morning)
    with morning.app.database.writing() as tx:
        wrong = [DayBalance(DAY, "sms", due=9, arrived=9)]
        daily_balances.replace(tx, DAY, wrong, is_final=False, now=morning.now)

    assert evening(morning, "2027-03-17 19:30")["sms"].due == 9, "it was counted a moment ago"
    assert evening(morning, "2027-03-18 00:01")["sms"].due == 2
    with morning.app.database.writing() as tx:
        daily_balances.replace(tx, DAY, wrong, is_final=True, now=morning.now)
    assert evening(morning, "2027-03-18 19:01")["sms"].due == 9


def test_each_evening_on_which_the_worker_was_away_is_counted_when_it_is_back(morning: Village) -> None:
    morning.run_until("2027-03-17 18:30")
    morning.sleep_until("2027-03-20 08:00")

    morning.pass_once()

    assert sorted({one.day for one in counted(morning)}) == [DAY + timedelta(days=days) for days in range(3)]
    assert evening(morning, "2027-03-20 08:01")["sms"].due == 2


def test_a_worker_that_was_killed_is_followed_by_one_that_counts_the_rest(morning: Village) -> None:
    morning.run_until("2027-03-17 18:30")
    morning.sleep_until("2027-03-20 08:00")
    morning.pass_once()
    whole = counted(morning)
    with morning.app.database.writing() as tx:  # as if it had been killed after the first day
        for day in (DAY + timedelta(days=1), DAY + timedelta(days=2)):
            daily_balances.replace(tx, day, [], is_final=False, now=morning.now)

    morning.pass_once()
    assert counted(morning) == whole
    assert count_days(morning.app.units, morning.now, ()) == 0, "another worker has nothing left to count"
    run_once(morning.app, morning.now)
    assert counted(morning) == whole


def test_the_balance_of_a_group_that_was_erased_stays_and_names_nobody(morning: Village) -> None:
    morning.group(GroupKind.HOUSEHOLD, "鈴木家")
    morning.run_until("2027-03-17 18:30")
    evening(morning)
    evening(morning, "2027-03-18 00:01")
    before = counted(morning)

    erasure.erase_group(morning.app.units, morning.now, group_id=1)
    morning.pass_once()

    assert [one for one in counted(morning) if one.day == DAY] == [one for one in before if one.day == DAY]


# ── the operator's mail ──


@pytest.fixture
def operated(morning: Village) -> Village:
    settings = morning.app.settings.model_copy(update={"operator_email": OPERATOR})
    morning.app = morning.world.app = replace(morning.app, settings=settings)
    return morning


def mails(village: Village) -> list[tuple[str | None, str]]:
    return [(one.subject, one.text) for one in village.email.sent if one.address == OPERATOR]


def monday(village: Village, at: str) -> None:
    village.sleep_until(at)
    village.pass_once()


def test_on_monday_morning_the_operator_reads_what_became_of_the_week_before(operated: Village) -> None:
    operated.run_until("2027-03-17 18:30")
    for day in range(17, 22):
        evening(operated, f"2027-03-{day} 23:00")
    monday(operated, "2027-03-23 06:59")  # the Monday is a holiday
    assert mails(operated) == []

    for minute in range(3):
        monday(operated, f"2027-03-23 07:0{minute}")

    [(subject, text)] = mails(operated)
    assert subject == "期限だより：お知らせの結果（3月15日（月）から3月21日（日））"
    assert "3月17日（水）　SMS　予定 2件：届いた 2、" in text
    assert "3月18日" not in text, "nothing was due on that day"
    for hidden in ("母", "父", "娘", "musume", "0000", "http", "@"):
        assert hidden not in text


def test_a_second_worker_adds_no_mail_and_the_next_week_has_one_of_its_own(operated: Village) -> None:
    operated.run_until("2027-03-17 18:30")
    monday(operated, "2027-03-23 07:00")
    with operated.app.database.writing() as tx:  # as if it had been killed before it said so
        heartbeats.record(tx, heartbeats.BALANCE, operated.now - timedelta(days=7))
    assert mail_week(operated.app.units, operated.now, OPERATOR) == 0
    monday(operated, "2027-03-29 07:00")

    assert [subject for subject, _ in mails(operated)] == [
        "期限だより：お知らせの結果（3月15日（月）から3月21日（日））",
        "期限だより：お知らせの結果（3月22日（月）から3月28日（日））",
    ]


def test_without_an_address_and_before_anything_was_counted_no_mail_is_written(morning: Village) -> None:
    assert mail_week(morning.app.units, morning.now, OPERATOR) == 0
    morning.run_until("2027-03-17 18:30")
    monday(morning, "2027-03-23 07:00")

    assert mails(morning) == []
