"""The table of jobs: what makes each due, in which order they run, and that one that fails keeps none from its work."""

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import event, exists

from reminder.storage.db.tables import Card, Person
from reminder.storage.runtime import heartbeats, work_conditions
from reminder.storage.runtime.work_conditions import WorkCondition
from reminder.wiring import App
from reminder.worker.jobs import ALWAYS, JOBS, SENDING, Job, PassReport, prepare, run_once, when
from tests.village import Village

END = date(2027, 3, 31)
# Monday at ten in Japan, when the week's digest is due, and at six, when it is not.
MONDAY = datetime(2026, 12, 7, 1, tzinfo=UTC)
BEFORE_ITS_HOUR = datetime(2026, 12, 6, 21, tzinfo=UTC)


def due(app: App, found: Collection[WorkCondition], *done: str, now: datetime = MONDAY) -> set[str]:
    """The names of the jobs that are due where these conditions hold and these jobs did something."""
    counts = {job.name: int(job.name in done) for job in JOBS}
    return {job.name for job in JOBS if job.is_due.holds(app, now, found, counts)}


def with_settings(app: App, **changed: object) -> App:
    return replace(app, settings=app.settings.model_copy(update=changed))


@pytest.fixture
def reachable(village: Village) -> App:
    """An app whose links and receipts come back, and which has a sender."""
    return with_settings(village.app, public_url="https://reminder.example")


def last_pass(village: Village) -> datetime | None:
    with village.app.database.reading() as tx:
        return heartbeats.last(tx, heartbeats.PASS)


def test_a_pass_with_nothing_to_do_only_says_that_it_passed(village: Village) -> None:
    report = run_once(village.app, village.now)

    assert report.total == 0
    assert set(report.values()) == {0}
    assert str(report) == ""
    assert last_pass(village) == village.now


def test_a_pass_with_nothing_to_do_asks_the_database_once_and_writes_once(village: Village) -> None:
    run_once(village.app, village.now)
    asked: list[str] = []

    def hear(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    event.listen(village.app.database.engine, "before_cursor_execute", hear)
    prepare(village.app, village.now)

    assert len([statement for statement in asked if "EXISTS" in statement]) == 1
    large = ("messages", "reminders", "cards", "people", "receipts", "replies", "notices")
    rest = [statement for statement in asked if "EXISTS" not in statement]
    assert not [statement for statement in rest if any(f" {table} " in f"{statement} " for table in large)]


@pytest.mark.parametrize(
    ("condition", "names"),
    [
        (work_conditions.PASS_IN_FUTURE, {"clock_mended"}),
        (work_conditions.RECEIPT_WAITS, {"receipts"}),
        (work_conditions.STRAY_REFERENCE, {"strays_explained"}),
        (work_conditions.LEASE_EXPIRED, {"reconciled"}),
        (work_conditions.VERIFICATION_DUE, {"weeks_begun"}),
        (work_conditions.REPLY_WAITS, {"answered"}),
        (work_conditions.UNCLEAR_REPLY_DUE, {"answered"}),
        (work_conditions.PROMISE_DUE, {"arrivals_asked", "promises"}),
        (work_conditions.REMINDER_DUE, {"planned"}),
        (work_conditions.ESCALATION_DUE, {"escalated"}),
        (work_conditions.WORDS_UNCHECKED, {"words_checked"}),
        (work_conditions.FAILURE_UNREPORTED, {"failures_reported"}),
        (work_conditions.NOTICE_WAITS, {"notified"}),
        (work_conditions.GROUP_HOLD_UNTOLD, {"limits_told"}),
        (work_conditions.DIGEST_MISSING, {"digests"}),
        (work_conditions.BALANCE_MISSING, {"balanced"}),
        (work_conditions.BALANCE_UNSETTLED, {"balanced"}),
        (work_conditions.BALANCE_UNSENT, set()),
        (work_conditions.EFFECT_DUE, {"effect_counted"}),
        (work_conditions.RETENTION_DUE, {"deleted"}),
    ],
    ids=lambda given: getattr(given, "name", ""),
)
def test_each_condition_makes_its_own_job_due(reachable: App, condition: WorkCondition, names: set[str]) -> None:
    assert due(reachable, {condition}) == names


@pytest.mark.parametrize(
    ("done", "names", "why"),
    [
        ("receipts", {"planned", "failures_reported", "notified"}, "a text that failed goes another way, and is said"),
        ("reconciled", {"planned"}, "what was never sent is planned anew"),
        (
            "arrivals_asked",
            {"planned", "failures_reported", "notified"},
            "what has not arrived, as is heard now, goes another way, and is said",
        ),
        ("promises", {"planned"}, "what does not leave gives way to another contact"),
        ("answered", {"planned", "notified"}, "an answer changes the plan, and those around hear of it"),
        ("weeks_begun", {"sender_changed", "verified", "notified"}, "once a week is looked whether all can be reached"),
        ("planned", set(), "what was planned is sent, and sending is always due"),
    ],
)
def test_what_an_earlier_job_did_makes_later_ones_due(reachable: App, done: str, names: set[str], why: str) -> None:
    assert due(reachable, (), done) == names, why


def test_without_links_no_contact_is_asked_for_proof_and_without_a_sender_too_no_week_begins(village: Village) -> None:
    with_a_sender = with_settings(village.app, public_url=None, twilio_account_sid="AC1")
    without = with_settings(village.app, public_url=None, twilio_account_sid=None)
    week = {work_conditions.VERIFICATION_DUE}

    assert due(with_a_sender, week) == {"weeks_begun"}
    assert due(with_a_sender, (), "weeks_begun") == {"sender_changed", "notified"}
    assert due(without, week) == set()


def test_a_digest_waits_for_its_hour(village: Village) -> None:
    missing = {work_conditions.DIGEST_MISSING}

    assert due(village.app, missing, now=BEFORE_ITS_HOUR) == set()
    assert due(village.app, missing, now=MONDAY) == {"digests"}


def test_nothing_is_due_where_no_condition_holds_but_sending(reachable: App) -> None:
    assert due(reachable, ()) == set()
    assert SENDING.is_due.holds(reachable, MONDAY, (), {})


def test_every_job_has_a_name_of_its_own_and_follows_only_jobs_before_it() -> None:
    names = [job.name for job in (*JOBS, SENDING)]

    assert len(set(names)) == len(names)
    for place, job in enumerate(JOBS):
        assert set(job.is_due.after) <= set(names[:place]), job.name


def recording(name: str, ran: list[str], count: int = 1) -> Job:
    def run(_app: App, _now: datetime) -> int:
        ran.append(name)
        return count

    return Job(name, ALWAYS, run)


def failing(name: str, ran: list[str], error: Exception) -> Job:
    def run(_app: App, _now: datetime) -> int:
        ran.append(name)
        raise error

    return Job(name, ALWAYS, run)


def test_jobs_run_in_the_order_of_the_table_and_so_does_the_report_name_them(village: Village) -> None:
    ran: list[str] = []

    report = run_once(village.app, village.now, tuple(recording(name, ran, 2) for name in ("b", "a", "c")))

    assert ran == list(report) == ["b", "a", "c"]
    assert report.total == 6
    assert str(report) == "b=2 a=2 c=2"
    assert list(run_once(village.app, village.now)) == [job.name for job in (*JOBS, SENDING)]
    assert list(prepare(village.app, village.now)) == [job.name for job in JOBS]


def test_a_job_that_fails_keeps_none_of_the_others_from_their_work(
    village: Village, caplog: pytest.LogCaptureFixture
) -> None:
    ran: list[str] = []
    first, second = ValueError("the first"), LookupError("the second")
    jobs = (failing("one", ran, first), recording("two", ran), failing("three", ran, second), recording("four", ran))

    with pytest.raises(ValueError, match="the first"):
        run_once(village.app, village.now, jobs)

    assert ran == ["one", "two", "three", "four"]
    assert last_pass(village) is None, "a pass that failed leaves no sign of life"
    assert "the job one of this pass failed" in caplog.text
    assert "the job three of this pass failed" in caplog.text


def test_a_job_whose_due_rule_fails_keeps_none_of_the_others_from_their_work(village: Village) -> None:
    ran: list[str] = []
    wrong = Job("wrong", when(after=("nobody",)), lambda _app, _now: 1)

    with pytest.raises(KeyError):
        run_once(village.app, village.now, (wrong, recording("right", ran)))

    assert ran == ["right"]


def test_what_follows_a_job_that_failed_does_not_run_for_it(village: Village) -> None:
    ran: list[str] = []
    follower = replace(recording("follower", ran), is_due=when(after=("one",)))

    with pytest.raises(ValueError, match="no"):
        run_once(village.app, village.now, (failing("one", ran, ValueError("no")), follower))

    assert ran == ["one"]


CARD_OF_A_PERSON = WorkCondition("card_of_a_person", exists().where(Card.person_id == Person.id))


@pytest.mark.parametrize(
    ("enrol", "counted", "why"),
    [(False, 0, "its condition does not hold"), (True, 7, "its condition holds")],
)
def test_another_job_is_one_row(village: Village, enrol: bool, counted: int, why: str) -> None:
    if enrol:
        village.person("父", phone="090-0000-0002")
        village.card("父", END)
    another = Job("another", when(CARD_OF_A_PERSON), lambda _app, _now: 7)

    report = run_once(village.app, village.now, (*JOBS, another))

    assert len(report) == len(JOBS) + 1
    assert report["another"] == counted, why
    assert list(report)[-1] == "another"


def test_a_report_is_a_mapping_from_names_to_counts() -> None:
    report = PassReport({"planned": 2, "sent": 0})

    assert (report["planned"], report["sent"], report.total) == (2, 0, 2)
    assert report == {"planned": 2, "sent": 0}
    assert {**report, "sheets": 1} == {"planned": 2, "sent": 0, "sheets": 1}
    assert repr(report) == "PassReport({'planned': 2, 'sent': 0})"
