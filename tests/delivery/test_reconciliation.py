"""Reconciliation over all workers: what a provider lists is one message's, and nothing is guessed to have arrived."""

import asyncio
import threading
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from reminder.clock import SteppedClock
from reminder.delivery import apply_receipts
from reminder.delivery.reconciliation import settle_unknown
from reminder.domain.model.messages import (
    BEFORE_ASKING_AGAIN,
    Accepted,
    Channel,
    ListedEntries,
    ListedEntry,
    MessageKind,
    MessageState,
    Outgoing,
)
from reminder.domain.model.people import ChannelName
from reminder.storage.crypto.keyring import KeyRing
from reminder.storage.db.session import Database
from reminder.storage.db.tables import Message
from reminder.storage.outbox import receipts
from tests.storage.conftest import HOUR, NOW, Rows, database, keys

__all__ = ["database", "keys"]  # fixtures
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
ASKED_AT = NOW + HOUR


@dataclass
class Provider:
    """A provider that has taken these texts: by telephone, the ids and instants. `meet` lets askers wait for others."""

    taken: dict[str, list[ListedEntry]] = field(default_factory=dict)
    meet: threading.Barrier | None = None

    async def send(self, outgoing: Outgoing) -> Accepted:
        raise AssertionError(f"message {outgoing.message_id} is sent again")

    async def ask(self, outgoing: Outgoing, others: Collection[str]) -> ListedEntries:
        if self.meet is not None:
            await asyncio.to_thread(self.meet.wait)
        listed = self.taken.get(outgoing.address, [])
        return ListedEntries(tuple(one for one in listed if one.provider_id not in others))

    async def close(self) -> None:
        """Nothing was opened."""


def number(place: int) -> str:
    return f"+8190000001{place:02}"


def pair(rows: Rows, place: int, *, apart: timedelta = timedelta(0)) -> tuple[int, int]:
    """A couple with one telephone, both told in the same words; both answers were lost."""
    group = rows.group(f"家{place}")
    made = []
    for label, handed_at in (("父", NOW), ("母", NOW + apart)):
        person = rows.person(group, f"{label}{place}")
        contact = rows.contact(person_id=person, address=number(place))
        message = rows.message(contact, text="カードの期限の日です。", kind=MessageKind.REMINDER, group_id=group)
        made.append(rows.handed(message, MessageState.UNKNOWN, handed_at=handed_at, lease_until=ASKED_AT))
    return made[0], made[1]


def settle(database: Database, keys: KeyRing, provider: Provider, at: Any = ASKED_AT) -> int:
    channels: dict[ChannelName, Channel] = {ChannelName.SMS: provider}
    return settle_unknown(database, keys, SteppedClock(at), channels, asyncio.run)


def states(database: Database, ids: Collection[int]) -> list[tuple[str, str | None]]:
    with database.reading() as tx:
        return [(tx.get_one(Message, one).state, tx.get_one(Message, one).provider_id) for one in ids]


@pytest.fixture
def place(database: Database, keys: KeyRing) -> tuple[Database, KeyRing]:
    return database, keys


def test_thirty_couples_and_fifty_nine_texts_are_fifty_nine_accepted_and_one_that_is_not(
    place: tuple[Database, KeyRing],
) -> None:
    database, keys = place
    provider = Provider()
    with database.writing() as tx:
        rows = Rows(tx, keys)
        pairs = [pair(rows, at) for at in range(30)]
    for at in range(30):
        made = 1 if at == 0 else 2
        provider.taken[number(at)] = [ListedEntry(f"SM{at:02}{nth}", NOW) for nth in range(made)]
    lost, told = pairs[0]
    with database.writing() as tx:
        # The first receipt names our message by the reference in its callback's address.
        receipts.keep(tx, provider_id="SM000", status="sent", error_code=None, message_id=told, now=NOW)
    apply_receipts.apply_waiting(database, ASKED_AT)

    workers = [threading.Thread(target=settle, args=(database, keys, provider)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    every = [message for two in pairs for message in two]
    found = dict(zip(every, states(database, every), strict=True))
    accepted = [provider_id for state, provider_id in found.values() if state == "accepted"]
    assert len(accepted) == len(set(accepted)) == 59
    assert found[lost] == ("unknown", None)
    assert found[told] == ("accepted", "SM000")


def test_without_a_receipt_and_at_one_time_neither_of_a_couple_is_guessed_to_have_arrived(
    place: tuple[Database, KeyRing],
) -> None:
    database, keys = place
    with database.writing() as tx:
        two = pair(Rows(tx, keys), 1)
    provider = Provider({number(1): [ListedEntry("SM1", NOW)]})

    for again in range(3):
        settle(database, keys, provider, ASKED_AT + again * BEFORE_ASKING_AGAIN)

    assert states(database, two) == [("unknown", None)] * 2
    with database.reading() as tx:
        assert {tx.get_one(Message, one).reason for one in two} == {"not_told_apart"}


@pytest.mark.parametrize("at", [timedelta(0), 30 * MINUTE])
def test_the_time_of_the_entry_tells_which_of_a_couple_was_told(place: tuple[Database, KeyRing], at: timedelta) -> None:
    database, keys = place
    with database.writing() as tx:
        two = pair(Rows(tx, keys), 1, apart=30 * MINUTE)
    provider = Provider({number(1): [ListedEntry("SM1", NOW + at)]})

    settle(database, keys, provider)

    arrived = [("accepted", "SM1"), ("unknown", None)]
    assert states(database, two) == (arrived if at == timedelta(0) else arrived[::-1])


def test_a_receipt_corrects_which_of_two_equal_texts_is_which(place: tuple[Database, KeyRing]) -> None:
    database, keys = place
    with database.writing() as tx:
        two = pair(Rows(tx, keys), 1)
    settle(database, keys, Provider({number(1): [ListedEntry("SM1", NOW), ListedEntry("SM2", NOW + MINUTE)]}))
    (first, second) = two
    assert {one for _, one in states(database, two)} == {"SM1", "SM2"}
    of_first = states(database, [first])[0][1]
    of_second = "SM2" if of_first == "SM1" else "SM1"

    with database.writing() as tx:
        for provider_id, status, message in ((of_first, "undelivered", second), (of_second, "delivered", first)):
            receipts.keep(tx, provider_id=provider_id, status=status, error_code=None, message_id=message, now=NOW)
    while apply_receipts.apply_waiting(database, ASKED_AT):
        pass

    assert states(database, two) == [("delivered", of_second), ("undelivered", of_first)]


@pytest.mark.parametrize(
    "holder",
    [
        {"is_matched": False},
        {"is_matched": True, "state": MessageState.DELIVERED, "ended_at": NOW},
        {"is_matched": True, "state": MessageState.UNDELIVERED, "ended_at": NOW},
    ],
    ids=["given by the provider", "arrived", "came back"],
)
def test_a_receipt_that_proves_nothing_takes_no_id_from_either(
    place: tuple[Database, KeyRing], holder: dict[str, Any]
) -> None:
    database, keys = place
    with database.writing() as tx:
        rows = Rows(tx, keys)
        first, second = pair(rows, 1)
        rows.handed(first, provider_id="SM1", is_matched=True)
        rows.handed(second, **{"state": MessageState.ACCEPTED, "provider_id": "SM2", **holder})
    before = states(database, (first, second))

    with database.writing() as tx:
        receipts.keep(tx, provider_id="SM2", status="delivered", error_code=None, message_id=first, now=NOW)
    while apply_receipts.apply_waiting(database, ASKED_AT):
        pass

    assert states(database, (first, second)) == before


def doubled(database: Database, ids: Collection[int]) -> list[bool]:
    with database.reading() as tx:
        return [tx.get_one(Message, one).possibly_double for one in ids]


@pytest.mark.parametrize("listed", [1, 2, 3, 4])
def test_where_more_is_listed_than_was_meant_each_of_them_may_be_double(
    place: tuple[Database, KeyRing], listed: int
) -> None:
    """A restored database does not know that a text was sent again, and marked, since its back-up."""
    database, keys = place
    with database.writing() as tx:
        two = pair(Rows(tx, keys), 1)
    entries = [ListedEntry(f"SM{nth}", NOW + nth * SECOND) for nth in range(listed)]

    settle(database, keys, Provider({number(1): entries}))

    assert doubled(database, two) == [listed > 2] * 2
    assert [state for state, _ in states(database, two)] == [("unknown" if listed < 2 else "accepted")] * 2


def test_what_may_be_double_is_marked_also_beside_an_outcome_that_cannot_be_recorded(
    place: tuple[Database, KeyRing],
) -> None:
    database, keys = place
    with database.writing() as tx:
        rows = Rows(tx, keys)
        two = pair(rows, 1)
        group = rows.group()
        others = [rows.message(rows.contact(person_id=rows.person(group, f"父{at}"))) for at in range(2)]
        for one in others:
            rows.handed(one, MessageState.UNKNOWN, lease_until=ASKED_AT)

    class Careless(Provider):
        async def ask(self, outgoing: Outgoing, others: Collection[str]) -> ListedEntries | Accepted:  # type: ignore[override]
            return await super().ask(outgoing, others) if outgoing.message_id in two else Accepted("SM9")

    settle(database, keys, Careless({number(1): [ListedEntry(f"SM{nth}", NOW + nth * SECOND) for nth in range(3)]}))

    assert sorted(state for state, _ in states(database, others)) == ["accepted", "unknown"]
    assert doubled(database, two) == [True, True]


@pytest.mark.parametrize("status", ["sent", "delivered", "undelivered"])
def test_a_text_of_which_two_ids_are_heard_may_be_double(place: tuple[Database, KeyRing], status: str) -> None:
    database, keys = place
    with database.writing() as tx:
        rows = Rows(tx, keys)
        first, second = pair(rows, 1)
        rows.handed(first, provider_id="SM1")
        rows.handed(second, provider_id="SM2")
    with database.writing() as tx:
        for provider_id, message in (("SM0", first), ("SM1", second)):
            receipts.keep(tx, provider_id=provider_id, status=status, error_code=None, message_id=message, now=NOW)

    apply_receipts.apply_waiting(database, ASKED_AT)

    assert doubled(database, (first, second)) == [True, False], (
        "the second id is the other message's, and proves nothing"
    )


def test_an_id_that_a_provider_gives_twice_settles_one_message_and_loses_no_other(
    place: tuple[Database, KeyRing],
) -> None:
    database, keys = place
    with database.writing() as tx:
        rows = Rows(tx, keys)
        group = rows.group()
        contacts = [rows.contact(person_id=rows.person(group, f"父{at}")) for at in range(3)]
        messages = [rows.message(contact) for contact in contacts]
        for one in messages:
            rows.handed(one, MessageState.UNKNOWN, lease_until=ASKED_AT)

    class Careless(Provider):
        async def ask(self, outgoing: Outgoing, others: Collection[str]) -> Accepted:  # type: ignore[override]
            return Accepted("SM1" if outgoing.message_id != messages[2] else "SM3")

    settle(database, keys, Careless())

    assert states(database, messages) == [("accepted", "SM1"), ("unknown", None), ("accepted", "SM3")]


@pytest.mark.parametrize("status", ["sent", "delivered", "undelivered", "failed"])
@pytest.mark.parametrize("code", [None, "30003", "30006", "21610"])
def test_a_receipt_about_a_message_to_nobodys_contact_counts_too(
    place: tuple[Database, KeyRing], status: str, code: str | None
) -> None:
    database, keys = place
    with database.writing() as tx:
        rows = Rows(tx, keys)
        message = rows.handed(rows.message(None, address="+819000000009"), provider_id="SM1")
        receipts.keep(tx, provider_id="SM1", status=status, error_code=code, message_id=None, now=NOW)

    apply_receipts.apply_waiting(database, ASKED_AT)

    ends = {"sent": "accepted", "delivered": "delivered"}
    assert states(database, [message]) == [(ends.get(status, "undelivered"), "SM1")]
