"""The auditor: whatever is lost by hand in the database, it finds; and of what is as it should be it says nothing."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import text

from reminder.clock import SystemClock
from reminder.domain.model.channels import registered
from reminder.domain.model.people import ChannelName, ContactState, GroupKind
from reminder.errors import PermanentChannelError, SetupChannelError, UnknownOutcomeError
from reminder.storage.db.unit_of_work import UnitsOfWork
from reminder.storage.registry import contacts
from reminder.storage.runtime import heartbeats
from reminder.upkeep.health import RecentHealth, Trouble, assess, record_due_cards
from tests.village import SIGNATURE_CERTIFICATE, Village, japan

END = date(2027, 3, 31)


def audit(village: Village) -> dict[str, Trouble]:
    """By code. A pass has just ended well: that the worker is silent is another test's."""
    with village.app.database.writing() as tx:
        heartbeats.record(tx, heartbeats.PASS, village.now)
    found = assess(village.app.units, village.now)
    return {trouble.code: trouble for trouble in found.found}


def by_hand(village: Village, statement: str, **values: object) -> None:
    """What no step of ours does."""
    with village.app.database.writing() as tx:
        changed = tx.execute(text(statement), values)
        assert changed.rowcount > 0, "nothing was broken"


def moment(village: Village, at: datetime) -> str | datetime:
    """As this database takes it in a statement of its own."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f") if village.app.database.is_sqlite else at


@pytest.fixture
def family(village: Village) -> Village:
    """Father and daughter, in the middle of his schedule, with everything done that was due."""
    village.member("娘", "musume@example.jp")
    village.person("父", phone="090-0000-0002")
    village.card("父", END)
    village.card("父", END, SIGNATURE_CERTIFICATE)
    village.run_until("2027-03-17 10:00")
    return village


def test_where_everything_was_done_there_is_nothing_to_find(family: Village) -> None:
    assert audit(family) == {}


def test_in_a_whole_schedule_nothing_is_found_on_any_day_but_what_is_true(village: Village) -> None:
    village.member("娘", "musume@example.jp")
    village.person("父", phone="090-0000-0002")
    village.card("父", END)
    for day in range(0, 240, 10):
        at = japan("2026-12-01 12:00") + timedelta(days=day)
        village.run_until(f"{at:%Y-%m-%d %H:%M}")

        assert audit(village) == {}, at


# ── cards ──


def test_a_card_whose_day_was_lost_is_found_although_no_query_of_planning_would_find_it(family: Village) -> None:
    by_hand(family, "UPDATE cards SET next_reminder_on = NULL WHERE id = 1")

    found = audit(family)

    assert (list(found), found["cards_forgotten"].count) == (["cards_forgotten"], 1)
    family.run_until("2027-04-20 10:00")
    assert [card.next_reminder_on for card in [family.card_of(1)]] == [None], "planning has never looked at it"


@pytest.mark.parametrize(
    ("today", "is_found", "why"),
    [
        ("2026-12-02 10:00", True, "its whole schedule is to come"),
        ("2027-03-31 10:00", True, "on its last day: afterwards there is the grace"),
        ("2027-06-20 10:00", True, "within the grace"),
        ("2027-08-20 10:00", False, "its schedule is over"),
    ],
)
def test_a_card_without_a_day_is_forgotten_while_its_plan_goes_on(
    village: Village, today: str, is_found: bool, why: str
) -> None:
    village.person("父", phone="090-0000-0002")
    village.card("父", END)
    village.sleep_until(today)
    by_hand(village, "UPDATE cards SET next_reminder_on = NULL")

    assert ("cards_forgotten" in audit(village)) is is_found, why


def test_a_card_that_is_retired_is_not_forgotten(family: Village) -> None:
    family.retire(1)

    assert audit(family) == {}


def test_a_card_far_ahead_that_was_never_planned_is_found_at_once(village: Village) -> None:
    village.person("父", phone="090-0000-0002")
    village.card("父", date(2031, 3, 31))
    assert audit(village) == {}

    by_hand(village, "UPDATE cards SET next_reminder_on = NULL")

    assert list(audit(village)) == ["cards_forgotten"]


def test_a_card_that_a_whole_pass_has_left_due_is_found_a_minute_later(family: Village) -> None:
    family.sleep_until("2027-03-24 09:00")  # its next day
    with family.app.database.writing() as tx:
        record_due_cards(tx, family.now)
    assert audit(family) == {}, "it is for the pass that comes"

    family.clock.move_to(family.now + timedelta(minutes=1))

    assert audit(family)["cards_overdue"] == Trouble("cards_overdue", 2, japan("2027-03-24 00:00"))


def test_a_card_that_became_due_after_the_pass_began_is_left_to_the_next_one(family: Village) -> None:
    with family.app.database.writing() as tx:
        heartbeats.record(tx, heartbeats.PASS, family.now)
    family.sleep_until("2027-03-24 00:00")
    with family.app.database.writing() as tx:
        record_due_cards(tx, family.now)
    family.clock.move_to(family.now + timedelta(minutes=1))

    found = assess(family.app.units, family.now)

    assert "cards_overdue" not in found.troubles


def test_what_was_seen_due_long_ago_says_nothing_of_today(family: Village) -> None:
    family.sleep_until("2027-03-24 00:00")
    with family.app.database.writing() as tx:
        record_due_cards(tx, family.now - timedelta(days=7))

    assert audit(family) == {}


def test_a_silence_that_was_passed_over_is_found(family: Village) -> None:
    by_hand(family, "UPDATE cards SET escalate_on = '2027-03-16' WHERE id = 1")

    assert audit(family)["silences_overdue"] == Trouble("silences_overdue", 1, japan("2027-03-16 00:00"))


# ── messages ──


def a_text_at_seven(family: Village, channel: str = "sms") -> None:
    """It waits since seven in the morning, and nobody takes it."""
    by_hand(
        family,
        "UPDATE messages SET state = 'queued', handed_at = NULL, scheduled_at = :at, channel = :channel "
        "WHERE id = (SELECT min(id) FROM messages WHERE channel = 'sms')",
        at=moment(family, japan("2027-03-17 07:00")),
        channel=channel,
    )


def test_a_message_that_nobody_took_in_an_hour_is_found(family: Village) -> None:
    a_text_at_seven(family)

    assert audit(family)["messages_overdue"] == Trouble("messages_overdue", 1, japan("2027-03-17 07:00"))


@pytest.mark.parametrize(
    ("now", "is_found"),
    [("2027-03-17 17:59", True), ("2027-03-17 18:00", False), ("2027-03-21 12:00", False), ("2027-03-22 12:00", False)],
)
def test_at_an_hour_at_which_nobody_is_told_no_message_is_late(family: Village, now: str, is_found: bool) -> None:
    a_text_at_seven(family)
    family.sleep_until(now)

    assert ("messages_overdue" in audit(family)) is is_found


def test_what_waits_for_a_channel_that_waits_is_not_late_as_well(family: Village) -> None:
    a_text_at_seven(family)
    with family.app.database.writing() as tx:
        heartbeats.pause(tx, "sms", "20003", now=family.now, until=family.now + timedelta(minutes=15))

    assert list(audit(family)) == ["channel_paused_sms"]


@pytest.mark.parametrize("lease", ["2027-03-17 09:44", None])
def test_a_message_whose_worker_is_gone_and_that_nobody_asks_about_is_found(family: Village, lease: str | None) -> None:
    by_hand(
        family,
        "UPDATE messages SET state = 'sending', lease_until = :lease WHERE id = 1",
        lease=None if lease is None else moment(family, japan(lease)),
    )

    found = audit(family)

    assert (list(found), found["messages_stuck"].count) == (["messages_stuck"], 1)


def test_a_message_whose_lease_runs_is_in_good_hands(family: Village) -> None:
    by_hand(
        family,
        "UPDATE messages SET state = 'sending', lease_until = :lease WHERE id = 1",
        lease=moment(family, japan("2027-03-17 09:46")),
    )

    assert audit(family) == {}


def test_a_message_of_which_nobody_knows_for_an_hour_is_found(village: Village) -> None:
    village.person("父", phone="090-0000-0002")
    village.card("父", END)
    village.sms.fail_next(UnknownOutcomeError("timeout"))
    village.run_until("2027-01-04 09:00")
    assert village.states() == ["unknown"]
    handed = village.now
    assert audit(village) == {}

    village.sleep_until("2027-01-04 10:01")

    assert audit(village)["messages_unknown"] == Trouble("messages_unknown", 1, handed)


def test_a_failure_that_nobody_was_told_of_is_found(family: Village) -> None:
    by_hand(
        family,
        "UPDATE messages SET state = 'failed', followed_up_at = NULL, ended_at = :at "
        "WHERE id = (SELECT min(id) FROM messages WHERE audience = 'person')",
        at=moment(family, japan("2027-03-17 09:30")),
    )

    assert audit(family)["failures_untold"] == Trouble("failures_untold", 1, japan("2027-03-17 09:30"))


INSERTS = {
    "receipts_waiting": "INSERT INTO receipts (provider_id, status, received_at) VALUES ('SM1', 'delivered', :at)",
    "replies_waiting": "INSERT INTO replies (contact_id, provider_id, received_at) VALUES (1, 'SM2', :at)",
    "notices_waiting": "INSERT INTO notices (kind, person_id, created_at) VALUES ('stopped', 1, :at)",
    "sheets_waiting": "INSERT INTO imports (group_id, state, columns, mapping, counts, rows, last_row, done, created_at,"
    " changed_at) VALUES (1, 'saving', '[]', '{}', '{}', 9, 0, 0, :at, :at)",
}


@pytest.mark.parametrize("code", INSERTS)
def test_what_came_in_and_was_not_worked_off_is_found_after_a_quarter_of_an_hour(family: Village, code: str) -> None:
    came = japan("2027-03-17 10:00")
    by_hand(family, INSERTS[code], at=moment(family, came))
    family.sleep_until("2027-03-17 10:15")
    assert audit(family) == {}

    family.sleep_until("2027-03-17 10:16")

    assert audit(family) == {code: Trouble(code, 1, came)}


def test_of_more_than_a_thousand_it_says_a_thousand(family: Village) -> None:
    rows = ", ".join(f"('SM{number}', 'delivered', :at)" for number in range(1100))
    statement = f"INSERT INTO receipts (provider_id, status, received_at) VALUES {rows}"
    by_hand(family, statement, at=moment(family, japan("2027-03-16 10:00")))

    assert audit(family)["receipts_waiting"].count == 1000


# ── channels ──


def test_a_channel_that_pauses_again_and_again_is_one_trouble_since_the_first_time(village: Village) -> None:
    village.person("父", phone="090-0000-0002")
    village.card("父", END)
    for _ in range(3):
        village.sms.fail_next(SetupChannelError("21212"))
    found = []
    for minute in (0, 7, 14, 15, 16, 17, 18, 29, 30, 31, 32, 33, 44):
        village.run_until(f"2027-01-04 09:{minute:02}")
        found.append(audit(village))

    assert found[0]["channel_paused_sms"].since == japan("2027-01-04 09:00")
    assert all(one == found[0] for one in found), "in no minute it looked well"
    assert found[0]["channel_paused_sms"].reason == "21212"


def test_whatever_waits_under_whatever_name_is_a_trouble_with_a_sentence(family: Village) -> None:
    for name in ("line", "breaker"):
        with family.app.database.writing() as tx:
            heartbeats.pause(tx, name, "too_many", now=family.now, until=family.now + timedelta(hours=1))

    found = audit(family)

    sentences = family.app.rules.wording.of("ja").section("trouble")
    assert list(found) == ["channel_paused_breaker", "channel_paused_line"]
    assert (
        found["channel_paused_breaker"].said(sentences)
        == "breaker を止めています。設定をご確認のうえ、原因を直してください。"
    )


def test_every_trouble_has_a_sentence_in_every_language_of_the_operator(family: Village) -> None:
    codes = {*INSERTS, "worker_silent", "clocks_apart", "cards_overdue", "cards_forgotten", "silences_overdue"}
    codes |= {"messages_overdue", "messages_stuck", "messages_unknown", "failures_untold", "people_out_of_reach"}
    codes |= {"database_unreachable", "database_behind", "database_ahead", "channel_paused_sms", "channel_paused_email"}
    codes |= {f"database_{what}" for what in ("locked", "busy", "full", "read_only", "damaged", "moved")}
    codes |= {"database_not_leader", "database_not_synchronous"}
    codes |= {"group_over_limit", "unusual_day", "rows_set_aside", "bounces_refused", "messages_unreadable"}
    codes |= {"request_flood", "row_security_off", "promises_open", "people_not_told", "receipts_silent"}
    codes |= {"activity_log_changed", "rows_unsealed", "pass_in_future", "clock_stepped"}
    codes |= {f"channel_failing_{channel}" for channel in registered()}
    codes |= {"canary_missing_sms", "canary_missing_email", "other_copy"}
    for language in ("ja", "en", "ja-easy"):
        sentences = family.app.rules.wording.of(language).section("trouble")
        said = {code: Trouble(code, 7).said(sentences) for code in codes}

        assert set(sentences) == {*codes, "channel_paused", "channel_failing"}
        assert [code for code, one in said.items() if one == code or "{" in one] == []
    every = [family.app.rules.wording.of(language).section("trouble") for language in ("ja", "en", "ja-easy")]
    for code in every[0]:
        assert len({sentences[code] for sentences in every}) == 3, f"{code} is another language's"
        assert len({frozenset(re.findall("{[a-z]+}", sentences[code])) for sentences in every}) == 1, code


# ── clocks ──


def test_a_machine_whose_clock_is_far_from_the_databases_is_a_trouble(family: Village) -> None:
    now = SystemClock().now()

    def found(at: datetime, keeps_time: bool = True) -> bool:
        health_then = assess(family.app.units, at, keeps_time=keeps_time)
        return "clocks_apart" in health_then.troubles

    assert not found(now)
    assert found(now + timedelta(minutes=5))
    assert found(now - timedelta(minutes=5))
    assert not found(now + timedelta(days=300), keeps_time=False), "a rehearsal of another day"


# ── people ──


def concerns(village: Village) -> list[Trouble]:
    return list(assess(village.app.units, village.now).concerns)


def test_somebody_around_whom_nobody_can_be_told_is_a_concern_in_the_week_before(village: Village) -> None:
    village.person("父", phone="090-0000-0002", consent=False)
    village.card("父", END)
    village.card("父", END, SIGNATURE_CERTIFICATE)  # first told on 4 January
    village.sleep_until("2026-12-27 12:00")
    assert concerns(village) == []

    village.sleep_until("2026-12-28 12:00")

    assert concerns(village) == [Trouble("people_out_of_reach", 1)]
    village.member("娘", "musume@example.jp")
    assert concerns(village) == [], "the daughter hears for him"


def test_a_phone_that_is_gone_makes_a_concern_of_its_owner(village: Village) -> None:
    village.group(GroupKind.HOME, "さくら苑")
    village.person("キヨさん", phone="090-0000-0003")
    village.card("キヨさん", END)
    village.sms.fail_next(PermanentChannelError("21211"))
    village.run_until("2027-01-05 09:00")
    assert village.contacts() == {"+819000000003": ContactState.UNREACHABLE}

    village.sleep_until("2027-01-28 09:00")

    assert concerns(village) == [Trouble("people_out_of_reach", 1)]


def test_a_contact_by_a_channel_that_is_not_in_use_reaches_nobody(village: Village) -> None:
    village.person("父")
    village.contact("父", ChannelName.EMAIL, "chichi@example.jp")
    village.card("父", END)
    village.sleep_until("2026-12-29 12:00")
    assert concerns(village) == []

    with village.app.database.writing() as tx:
        tx.execute(text("UPDATE contacts SET channel = 'line'"))
        assert contacts.of_group(tx, village.app.keys, None)

    assert concerns(village) == [Trouble("people_out_of_reach", 1)]


def test_what_the_pages_show_is_an_audit_of_the_last_seconds(village: Village) -> None:
    app, recent = village.app, RecentHealth()
    village.group()
    village.pass_once()
    first = recent.look(app.units, village.now)

    with app.database.writing() as tx:
        heartbeats.clear_passes(tx)

    assert recent.look(app.units, village.now + timedelta(seconds=4)) is first
    assert recent.look(app.units, village.now - timedelta(seconds=1)).troubles == ("worker_silent",)
    assert recent.look(app.units, village.now + timedelta(seconds=5)).troubles == ("worker_silent",)


# ── receipts ──


@pytest.mark.parametrize(("expects", "hours", "is_silent"), [(True, 2, True), (True, 0, False), (False, 2, False)])
def test_a_provider_that_calls_about_nothing_although_it_is_told_where_is_a_trouble(
    village: Village, expects: bool, hours: int, is_silent: bool
) -> None:
    for place in range(3):
        village.person(f"入居者{place}", phone=f"090-0000-01{place:02}")
        village.card(f"入居者{place}", date(2027, 3, 31))
    village.sleep_until("2027-03-17 01:00")
    village.run_until("2027-03-17 09:30")
    rules = replace(village.app.rules, expects_receipts=expects)
    units = UnitsOfWork(village.app.database, village.app.keys, rules)

    found = {one.code: one for one in assess(units, village.now + timedelta(hours=hours)).found}

    assert ("receipts_silent" in found) is is_silent
    assert not is_silent or found["receipts_silent"].count == 3
