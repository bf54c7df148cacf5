"""Whatever happens in whatever order, a message makes only moves of the table."""

from collections.abc import Mapping
from datetime import timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from sqlalchemy import select

from reminder.domain.model.messages import (
    LEASE,
    MESSAGE_STATES,
    OUTCOME_WITHIN,
    RECORD_ANSWER,
    RECORD_OUTCOME,
    CancelReason,
    MessageKind,
    MessageState,
    Outcome,
)
from reminder.domain.model.people import ChannelName
from reminder.storage.crypto.keyring import new_key, read_keys
from reminder.storage.db.session import Database
from reminder.storage.db.tables import Message
from reminder.storage.maintenance import erasure
from reminder.storage.outbox import leases, queue, recording, restore_guard, unknown_outcomes
from reminder.storage.outbox.leases import LeasedMessage
from tests.storage.conftest import HOUR, NOW, Rows

KINDS = st.sampled_from([MessageKind.ANSWER, MessageKind.REMINDER, MessageKind.LOGIN_CODE])
PHONES = 5
PLACES = st.integers(0, 20)
ENDS = st.sampled_from([MessageState.DELIVERED, MessageState.UNDELIVERED])

# So many different moves are made, or the run has proved little.
ENOUGH = 8

Seen = set[tuple[MessageState, MessageState]]


class Outbox(RuleBasedStateMachine):
    """A worker, a provider and people around some messages; after each step the states before and after are compared."""

    database: Database
    seen: Seen

    def __init__(self) -> None:
        super().__init__()
        self.keys, self.now = read_keys([new_key()]), NOW
        self._writing = self.database.writing()
        self.rows = Rows(self._writing.__enter__(), self.keys)
        self.tx, person = self.rows.tx, self.rows.person(self.rows.group())
        self.phones = [self.rows.contact(person_id=person) for _ in range(PHONES)]
        self.leased: list[LeasedMessage] = []
        self.in_flight: list[LeasedMessage] = []
        self.asked: list[LeasedMessage] = []
        self.states: Mapping[int, MessageState] = {}

    def check_moves(self) -> None:
        """Compare every message with what it was before the step."""
        before = self.states
        self.states = dict(list(self.tx.execute(select(Message.id, Message.state))))
        for message, state in self.states.items():
            was = before.get(message)
            if was is None:
                assert state in MESSAGE_STATES.starts
            elif state is not was:
                assert state in MESSAGE_STATES.allowed[was], f"{was} -> {state}"
                self.seen.add((was, state))

    def message(self, place: int) -> int:
        ids = sorted(self.states)
        return ids[place % len(ids)] if ids else 0

    @initialize(kinds=st.lists(KINDS, min_size=6, max_size=9))
    def a_morning_begins(self, kinds: list[MessageKind]) -> None:
        self.are_queued(kinds, 8 * HOUR)

    @rule(kinds=st.lists(KINDS, min_size=1, max_size=4), expires_in=st.sampled_from([timedelta(minutes=5), 8 * HOUR]))
    def are_queued(self, kinds: list[MessageKind], expires_in: timedelta) -> None:
        times = {"created_at": self.now, "scheduled_at": self.now, "expires_at": self.now + expires_in}
        for place, kind in enumerate(kinds):
            self.rows.message(self.phones[place % PHONES], kind=kind, **times)
        self.check_moves()

    @rule(by=st.sampled_from([timedelta(seconds=1), timedelta(minutes=7)]))
    def time_passes(self, by: timedelta) -> None:
        self.now += by

    @rule(limit=st.integers(1, 3), begin=st.booleans())
    def are_leased(self, limit: int, begin: bool) -> None:
        due = leases.pick_due_and_end_stale(self.tx, ChannelName.SMS, now=self.now, limit=limit).ready
        leases.lease(self.tx, [row.id for row in due], until=self.now + LEASE)
        self.leased += leases.decrypt(self.keys, due, self.now, self.now + LEASE).leased
        self.check_moves()
        if begin:
            self.hand_overs_begin()

    def hand_overs_begin(self) -> None:
        held, self.leased = self.leased, []
        self.in_flight += leases.begin_hand_over(self.tx, held, self.now)
        self.check_moves()

    @rule()
    def leases_are_given_back(self) -> None:
        held, self.leased = self.leased, []
        leases.release(self.tx, held, self.now)
        self.check_moves()

    @rule(place=PLACES, state=st.sampled_from(RECORD_OUTCOME.reaches))
    def an_attempt_ends(self, place: int, state: MessageState) -> None:
        if self.in_flight:
            leased = self.in_flight.pop(place % len(self.in_flight))
            recording.record(self.tx, [(leased, self.outcome(leased, state))], RECORD_OUTCOME, self.now)
            self.check_moves()

    @rule()
    def outcomes_are_lost(self) -> None:
        unknown_outcomes.mark_lost_unknown(self.tx, self.now)
        self.check_moves()

    @rule()
    def are_asked_about(self) -> None:
        self.asked += unknown_outcomes.lease_unknown(
            self.tx, self.keys, now=self.now, lease=OUTCOME_WITHIN, limit=3
        ).leased
        self.check_moves()

    @rule(place=PLACES, state=st.sampled_from(RECORD_ANSWER.reaches))
    def the_provider_answers(self, place: int, state: MessageState) -> None:
        if self.asked:
            asked = self.asked.pop(place % len(self.asked))
            recording.record(self.tx, [(asked, self.outcome(asked, state))], RECORD_ANSWER, self.now)
            self.check_moves()

    def outcome(self, of: LeasedMessage, state: MessageState) -> Outcome:
        return Outcome(state, provider_id=f"SM{of.outgoing.message_id}", wait_until=self.now)

    @rule(place=PLACES)
    def its_key_is_gone(self, place: int) -> None:
        if self.leased:
            leases.fail_unreadable(self.tx, [self.leased[place % len(self.leased)].outgoing.message_id], self.now)
            self.check_moves()

    @rule(place=PLACES)
    def a_receipt_names(self, place: int) -> None:
        message = self.message(place)
        queue.settle_by_receipt(self.tx, message, f"SM{message}")
        self.check_moves()

    @rule(place=PLACES, state=ENDS)
    def a_receipt_ends(self, place: int, state: MessageState) -> None:
        message = self.message(place)
        queue.end(self.tx, message, state, provider_id=f"SM{message}", reason=None, now=self.now)
        self.check_moves()

    @rule(place=PLACES)
    def the_words_are_erased(self, place: int) -> None:
        erasure.erase_bodies(self.tx, [self.message(place)], self.now)
        self.check_moves()

    @rule(place=PLACES)
    def an_owner_says_no(self, place: int) -> None:
        phone = self.phones[place % len(self.phones)]
        queue.cancel_for_contact(self.tx, phone, CancelReason.OPTED_OUT, self.now)
        self.check_moves()

    @rule(ago=st.sampled_from([timedelta(0), HOUR]))
    @precondition(lambda self: self.now > NOW + HOUR / 2)
    def is_restored(self, ago: timedelta) -> None:
        restore_guard.begin(self.tx, taken_at=self.now - ago, now=self.now)

    def teardown(self) -> None:
        self.tx.rollback()
        self._writing.__exit__(None, None, None)


def test_a_message_makes_only_moves_of_the_table(sqlite_url: str) -> None:
    seen: Seen = set()
    database = Database(sqlite_url, durable=False)
    machine = type("OutboxOfOneFile", (Outbox,), {"database": database, "seen": seen})

    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=50,
            stateful_step_count=50,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )

    database.close()
    assert len(seen) >= ENOUGH, " ".join(f"{a}>{b}" for a, b in sorted(seen))
