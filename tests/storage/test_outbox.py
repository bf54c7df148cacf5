"""The outbox: a claim belongs to one worker, a move names the state it leaves, and a key is used once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from reminder.domain.messages import LEASE, Accepted, MessageKind, MessageState, after_sending
from reminder.domain.people import Audience, ChannelName
from reminder.storage import claims, outbox
from reminder.storage.claims import InHand
from reminder.storage.outbox import Draft
from reminder.storage.session import Tx
from tests.village import Village

END = date(2027, 3, 31)


def draft(village: Village, number: int, contact_id: int = 1) -> Draft:
    return Draft(
        key=f"answer:{number}",
        kind=MessageKind.ANSWER,
        group_id=1,
        contact_id=contact_id,
        audience=Audience.PERSON,
        channel=ChannelName.SMS,
        subject=None,
        text=f"お知らせ {number}",
        segments=1,
        send_after=village.now,
        stale_after=village.now + timedelta(hours=8),
    )


@pytest.fixture
def waiting(village: Village) -> Village:
    """Forty texts to one phone, due now."""
    village.person("父", phone="090-0000-0002")
    with village.app.database.writing() as tx:
        outbox.add(tx, village.app.keys, [draft(village, number) for number in range(40)], village.now)
    return village


def claim(village: Village, limit: int = 500) -> list[int]:
    with village.app.database.writing() as tx:
        return [in_hand.outgoing.message_id for in_hand in claimed(tx, village, limit)]


def claimed(tx: Tx, village: Village, limit: int) -> list[InHand]:
    rows = claims.pick(tx, ChannelName.SMS, now=village.now, limit=limit).ready
    claims.take(tx, [row.id for row in rows], now=village.now, lease=LEASE)
    return claims.opened(village.app.keys, rows, village.now, village.now + LEASE)[0]


def test_several_workers_claiming_at_once_never_take_the_same_text(waiting: Village) -> None:
    with ThreadPoolExecutor(4) as workers:
        claims = list(workers.map(lambda _: claim(waiting, limit=7), range(12)))

    taken = [message_id for one in claims for message_id in one]
    assert len(taken) == len(set(taken)) == 40


def test_a_claim_that_is_open_does_not_keep_another_worker_waiting_on_postgresql(waiting: Village) -> None:
    if waiting.app.database.is_sqlite:
        return  # there the file has one writer, and the second simply waits
    with waiting.app.database.writing() as tx:
        first = claimed(tx, waiting, 10)
        second = claim(waiting, limit=10)

    assert len(first) == len(second) == 10
    assert not {in_hand.outgoing.message_id for in_hand in first} & set(second)


def test_a_second_message_with_the_same_key_is_impossible(waiting: Village) -> None:
    with pytest.raises(IntegrityError), waiting.app.database.writing() as tx:
        outbox.add(tx, waiting.app.keys, [draft(waiting, 7)], waiting.now)


def test_a_worker_that_comes_back_after_its_lease_cannot_overwrite_the_next_ones_record(waiting: Village) -> None:
    with waiting.app.database.writing() as tx:
        (late,) = claimed(tx, waiting, 1)
    waiting.clock.move_to(waiting.now + LEASE)
    with waiting.app.database.writing() as tx:
        assert claims.take_expired_leases(tx, waiting.now) == [late.outgoing.message_id]
        accepted = after_sending(Accepted("SM-late"), 1, late.attempts, late.stale_after, waiting.now)
        claims.record(tx, [(late, accepted)], MessageState.SENDING, waiting.now)

    assert waiting.messages()[0].state == "unknown"
    assert waiting.messages()[0].provider_id is None


def test_a_text_and_its_address_are_not_readable_in_the_database(waiting: Village) -> None:
    with waiting.app.database.engine.connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT body_sealed, contacts.address_sealed, address_index FROM messages JOIN contacts ON contacts.id = contact_id"
        ).all()

    kept = b"".join(bytes(value) for row in rows for value in row)
    assert "お知らせ".encode() not in kept
    assert b"9000000002" not in kept


def test_a_text_about_a_card_that_was_renewed_behind_our_back_is_not_sent(village: Village) -> None:
    village.person("父", phone="090-0000-0002")
    card = village.card("父", END)
    village.run_until("2027-03-17 08:00")
    with village.app.database.engine.execution_options(kigen_writes=True).begin() as connection:
        connection.exec_driver_sql(
            f"UPDATE cards SET expires_on = '2032-03-31', next_reminder_on = NULL WHERE id = {card}"
        )

    village.run_until("2027-03-18 00:00")

    assert village.messages()[-1].state == "cancelled"
    assert "03-17 09:00" not in village.texts_to("父")
