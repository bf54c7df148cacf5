"""One row that nobody can read, whatever a pass works on: all others are worked on, the operator sees it, and once it
was mended it is worked on as well."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, date, timedelta

import pytest
from sqlalchemy import text

from reminder.domain.model.people import GroupKind, Mode
from reminder.enrolment.imports import service
from reminder.enrolment.imports.bounded_reader import read_bounded
from reminder.storage.registry import imports
from reminder.storage.reminders import replies
from reminder.storage.runtime import set_aside
from reminder.storage.runtime.set_aside import QUEUES, TRIED_AGAIN_AFTER
from reminder.upkeep.health import assess
from reminder.worker.jobs import JOBS, work_on_imports
from tests.village import Village
from tests.web.calling import SHEET
from tests.worker.test_set_aside import (
    WAITING,
    broken_failure,
    broken_notice,
    broken_receipt,
    broken_reply,
    broken_unclear_reply,
)

END, FAR = date(2027, 3, 31), date(2031, 12, 1)


@dataclass
class Scene:
    """A village in which the first of two rows is spoilt. `done` says which of the two were worked on."""

    village: Village
    done: Callable[[], set[int]]
    mends: list[Callable[[], None]] = field(default_factory=list)

    def spoil(self, table: str, column: str, value: object, where: str = "id = 1") -> None:
        """Write into a row what this program cannot have written."""

        def write(new: object) -> None:
            with self.village.app.database.writing() as tx:
                tx.execute(text("PRAGMA ignore_check_constraints = ON"))
                changed = tx.execute(text(f"UPDATE {table} SET {column} = :new WHERE {where}"), {"new": new})
                tx.execute(text("PRAGMA ignore_check_constraints = OFF"))
                assert changed.rowcount == 1

        with self.village.app.database.reading() as tx:
            before = tx.execute(text(f"SELECT {column} FROM {table} WHERE {where}")).scalar_one()
        write(value)
        self.mends.append(lambda: write(before))

    def work(self) -> None:
        self.village.pass_once()
        work_on_imports(self.village.app)

    def later(self) -> None:
        self.village.clock.move_to(self.village.now + TRIED_AGAIN_AFTER + timedelta(minutes=1))


def parents(village: Village, mode: Mode | None = None, end: date = END) -> None:
    village.member("娘", "musume@example.jp")
    for label, phone in (("母", "090-0000-0001"), ("父", "090-0000-0002")):
        village.person(label, phone=phone, mode=mode, mark="つばめ" if mode else None)
        village.card(label, end)


def told(village: Village) -> set[int]:
    return {place for place, name in ((1, "母"), (2, "父")) if village.texts_to(name)}


def plans(village: Village) -> Scene:
    parents(village)
    village.sleep_until("2027-03-17 10:00")
    scene = Scene(village, lambda: told(village))
    scene.spoil("people", "mode", "unheard_of")
    return scene


def escalations(village: Village) -> Scene:
    parents(village, Mode.ELDERLY)
    village.member("息子", "musuko@example.jp")
    village.run_until("2027-02-02 12:00")
    village.sleep_until("2027-02-03 10:00")

    def asked() -> set[int]:
        about = text(
            "SELECT DISTINCT s.person_id FROM mentions s JOIN messages m ON m.id = s.message_id"
            " WHERE m.kind = 'escalation'"
        )
        with village.app.database.reading() as tx:
            return set(tx.execute(about).scalars())

    scene = Scene(village, asked)
    scene.spoil("people", "mode", "unheard_of")
    return scene


def promises(village: Village) -> Scene:
    parents(village)
    village.run_until("2027-03-17 09:30")
    village.sleep_until("2027-03-17 12:00")

    def kept() -> set[int]:
        of_whom = text(
            "SELECT c.person_id FROM promises p JOIN reminders r ON r.id = p.reminder_id JOIN cards c ON c.id = r.card_id"
            " WHERE p.audience = 'person' AND p.state = 'proven' AND p.day = '2027-03-17'"
        )
        with village.app.database.reading() as tx:
            return set(tx.execute(of_whom).scalars())

    scene = Scene(village, kept)
    scene.spoil("people", "mode", "unheard_of")
    return scene


def verifications(village: Village) -> Scene:
    parents(village, Mode.ELDERLY, FAR)
    village.run_until("2027-07-25 12:00")
    village.sleep_until("2027-07-26 11:00")
    scene = Scene(village, lambda: told(village))
    scene.spoil("contacts", "channel", "pager", "person_id = 1")
    return scene


def two_homes(village: Village) -> None:
    for number in (1, 2):
        village.group(GroupKind.HOME, "さくら苑")
        village.member(f"職員{number}", f"home{number}@example.jp")
        village.person("母", room=f"20{number}")
        village.card("母", date(2027, 1, 15))


def told_homes(village: Village) -> set[int]:
    return {number for number in (1, 2) if village.texts_to(f"職員{number}")}


def digests(village: Village) -> Scene:
    two_homes(village)
    village.sleep_until("2026-12-07 11:00")
    scene = Scene(village, lambda: told_homes(village))
    scene.spoil("people", "mode", "unheard_of")
    return scene


def limits(village: Village) -> Scene:
    two_homes(village)
    with village.app.database.writing() as tx:
        for number in (1, 2):
            at = village.now.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
            until = (village.now + timedelta(days=1)).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
            tx.execute(
                text(
                    "INSERT INTO group_holds (channel, group_id, reason, since, until) VALUES ('sms', :g, 'daily_cap', :at, :until)"
                ),
                {"g": number, "at": at, "until": until},
            )
    scene = Scene(village, lambda: told_homes(village))
    scene.spoil("groups", "own_days", "no day")
    return scene


def words(village: Village) -> Scene:
    two_homes(village)
    village.pass_once()
    with village.app.database.writing() as tx:
        tx.execute(text("DELETE FROM service_state WHERE name = 'words_checked'"))
        # As a version wrote it that sealed no words.
        tx.execute(text("UPDATE groups SET name = 'evil.jp/pay', name_sealed = NULL"))
    scene = Scene(village, lambda: told_homes(village))
    scene.spoil("groups", "own_days", "no day")
    return scene


def sheets(village: Village) -> Scene:
    two_homes(village)
    for group_id in (1, 2):
        with read_bounded(SHEET, village.app.rules.headings) as sheet:
            sent = service.begin_import(village.app.units, village.now, group_id=group_id, sheet=sheet, by=None)
        with village.app.writing() as uow:
            found = imports.find(uow.tx, sent)
            assert found is not None
            service.set_mapping(uow, import_id=sent, by_place=found.mapping.by_place)

    def checked() -> set[int]:
        with village.app.database.reading() as tx:
            return set(tx.execute(text("SELECT id FROM imports WHERE state = 'checked'")).scalars())

    scene = Scene(village, checked)
    scene.spoil("import_rows", "cells_sealed", b"no key's", "import_id = 1")
    return scene


def outcomes(village: Village) -> Scene:
    parents(village)
    village.sleep_until("2027-03-17 10:00")
    for _ in range(2):
        village.sms.lose_answer_next()
    village.pass_once()
    village.clock.move_to(village.now + timedelta(minutes=2))

    def run(statement: str) -> None:
        with village.app.database.writing() as tx:
            tx.execute(text(statement))

    run(
        "CREATE TRIGGER spoilt BEFORE UPDATE OF state ON messages WHEN NEW.state = 'accepted' AND OLD.contact_id IN"
        " (SELECT id FROM contacts WHERE person_id = 1) BEGIN SELECT RAISE(ABORT, 'spoilt'); END"
    )

    def recorded() -> set[int]:
        query = (
            "SELECT person_id FROM contacts JOIN messages ON contact_id = contacts.id WHERE messages.state = 'accepted'"
        )
        with village.app.database.reading() as tx:
            return {person for person in tx.execute(text(query)).scalars() if person}

    return Scene(village, recorded, [lambda: run("DROP TRIGGER spoilt")])


def rows_of(queue: str, breaks: Callable[[Village], None], *spoilt: str) -> Callable[[Village], Scene]:
    """A queue whose rows wait in a table of their own: `breaks` makes two and spoils the first of them."""

    def scene_of(village: Village) -> Scene:
        village.member("娘", "musume@example.jp")
        village.person("母", phone="090-0000-0001")
        village.card("母", date(2026, 12, 7), "passport")
        village.card("母", date(2026, 12, 9), "driving_licence")
        village.run_until("2026-12-05 11:00")
        breaks(village)

        def done() -> set[int]:
            with village.app.database.reading() as tx:
                return {1, 2} - {place + 1 for place, _ in enumerate(tx.execute(WAITING[queue]).all())}

        def mend() -> None:
            with village.app.database.writing() as tx:
                for statement in spoilt:
                    sealed = village.app.keys.seal("済", replies.BODY)
                    tx.execute(text(statement), {"sealed": sealed} if ":sealed" in statement else {})

        return Scene(village, done, [mend])

    return scene_of


OF_TABLES = {
    set_aside.REPLIES: rows_of(
        "replies", broken_reply, "UPDATE replies SET body_sealed = :sealed, intent = 'done' WHERE provider_id = 'SM1'"
    ),
    set_aside.UNCLEAR_REPLIES: rows_of(
        "unclear_replies",
        broken_unclear_reply,
        "UPDATE unclear_replies SET received_at = '2026-12-05 02:00:00.000000' WHERE received_at = 'never'",
    ),
    set_aside.RECEIPTS: rows_of(
        "receipts", broken_receipt, "UPDATE messages SET channel = 'sms' WHERE channel = 'pager'"
    ),
    set_aside.NOTICES: rows_of(
        "notices", broken_notice, "UPDATE notices SET kind = 'family' WHERE kind = 'unheard_of'"
    ),
    set_aside.FAILURES: rows_of(
        "failures", broken_failure, "UPDATE messages SET channel = 'sms' WHERE channel = 'pager'"
    ),
}
SCENES: Mapping[str, Callable[[Village], Scene]] = {
    set_aside.PLANS: plans,
    set_aside.PROMISES: promises,
    set_aside.ESCALATIONS: escalations,
    set_aside.VERIFICATIONS: verifications,
    set_aside.DIGESTS: digests,
    set_aside.LIMITS: limits,
    set_aside.WORDS: words,
    set_aside.IMPORTS: sheets,
    set_aside.OUTCOMES: outcomes,
}
# What each job works on; those without rows of anybody: None.
QUEUES_OF_JOBS: Mapping[str, frozenset[str] | None] = {
    "clock_mended": None,
    "tried_again": QUEUES,
    "receipts": frozenset({set_aside.RECEIPTS}),
    "strays_explained": None,  # one name that came back from outside; it is forgotten first
    # Messages that cannot be read wait for their key, or end: tests/delivery/test_lease_manager.py.
    "reconciled": frozenset({set_aside.OUTCOMES}),
    "weeks_begun": None,
    "answered": frozenset({set_aside.REPLIES, set_aside.UNCLEAR_REPLIES}),
    "arrivals_asked": None,  # what is said of a message that nobody can read is a receipt
    "promises": frozenset({set_aside.PROMISES}),
    "planned": frozenset({set_aside.PLANS}),
    "escalated": frozenset({set_aside.ESCALATIONS}),
    "sender_changed": None,
    "verified": frozenset({set_aside.VERIFICATIONS}),
    "words_checked": frozenset({set_aside.WORDS}),
    "failures_reported": frozenset({set_aside.FAILURES}),
    "notified": frozenset({set_aside.NOTICES}),
    "limits_told": frozenset({set_aside.LIMITS}),
    "digests": frozenset({set_aside.DIGESTS}),
    "canaries": None,  # their address is not opened where it cannot be
    "balanced": None,  # it reads states alone
    "balance_mailed": None,
    "effect_counted": None,  # it reads nothing that is sealed
    "deleted": None,
}


def aside(village: Village) -> set[str]:
    """The queues of which the operator is told."""
    found = {one.code: one for one in assess(village.app.units, village.now).concerns}.get("rows_set_aside")
    return set() if found is None else set(found.name.split())


Fresh = Callable[..., AbstractContextManager[Village]]


@pytest.mark.parametrize("queue", SCENES)
def test_one_bad_row_is_set_aside_the_other_is_worked_on_and_the_bad_one_once_it_is_mended(
    fresh_village_factory: Fresh, queue: str
) -> None:
    with fresh_village_factory(public_url="https://kigen.example.jp", links_in_carer_mail=True) as village:
        scene = SCENES[queue](village)

        scene.work()
        assert scene.done() == {2}
        assert queue in aside(village)

        scene.later()
        scene.work()
        assert scene.done() == {2}
        assert queue in aside(village), "it is tried, and set aside, again"

        for mend in scene.mends:
            mend()
        scene.later()
        scene.work()
        assert scene.done() == {1, 2}
        assert aside(village) == set()


@pytest.mark.parametrize("queue", OF_TABLES)
def test_a_bad_row_of_a_table_is_tried_again_once_it_is_mended(fresh_village_factory: Fresh, queue: str) -> None:
    with fresh_village_factory() as village:
        scene = OF_TABLES[queue](village)
        scene.work()
        assert scene.done() == {1, 2}, "none is left in the queue"
        assert queue in aside(village)

        scene.later()
        scene.work()
        assert queue in aside(village)

        for mend in scene.mends:
            mend()
        scene.later()
        scene.work()
        assert scene.done() == {1, 2}
        assert aside(village) == set()


def test_every_queue_and_every_job_is_among_these() -> None:
    assert {*SCENES, *OF_TABLES} == QUEUES
    assert set(QUEUES_OF_JOBS) == {job.name for job in JOBS}
    of_jobs = frozenset().union(*(queues for queues in QUEUES_OF_JOBS.values() if queues))
    assert of_jobs == QUEUES, "imports have a thread of their own"
