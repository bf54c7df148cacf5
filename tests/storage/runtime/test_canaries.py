"""Canaries: one for each instant, proved once, and known again when they come back."""

from reminder.domain.model.messages import MessageState
from reminder.domain.model.people import Audience, ChannelName
from reminder.domain.rules.canary_schedule import CanaryProof, CanaryView
from reminder.storage.runtime import canaries
from tests.storage.conftest import DAY, HOUR, NOW, Rows

ADDRESS = b"index of an address"


def made(rows: Rows, *, needs_arrival: bool = True) -> int:
    assert canaries.add(rows.tx, "email", NOW, address_index=ADDRESS, now=NOW, back_by=NOW + HOUR)
    mail = rows.message(None, address="unyou@example.jp", channel=ChannelName.EMAIL, audience=Audience.CARER)
    canaries.set_message(rows.tx, "email", NOW, mail, needs_arrival=needs_arrival)
    return mail


def test_of_one_instant_there_is_one(rows: Rows) -> None:
    made(rows)

    assert not canaries.add(rows.tx, "email", NOW, address_index=ADDRESS, now=NOW, back_by=NOW)
    assert canaries.add(rows.tx, "sms", NOW, address_index=ADDRESS, now=NOW, back_by=NOW)


def test_its_proof_is_awaited_until_it_has_come_and_it_is_proved_once(rows: Rows) -> None:
    mail = rows.handed(made(rows), provider_id="<m@example.jp>")

    [one] = canaries.awaited(rows.tx, NOW)
    assert (one.message_id, one.needs_arrival, one.state, one.asked_at) == (mail, True, MessageState.ACCEPTED, None)
    assert canaries.awaited(rows.tx, NOW + HOUR) == []
    canaries.mark_asked(rows.tx, [one], NOW + HOUR)
    assert canaries.awaited(rows.tx, NOW)[0].asked_at == NOW + HOUR

    canaries.prove(rows.tx, "email", NOW, CanaryProof.DELIVERED, NOW + HOUR)
    canaries.prove(rows.tx, "email", NOW, CanaryProof.ACCEPTED, NOW + 2 * HOUR)

    assert canaries.awaited(rows.tx, NOW) == []
    assert canaries.latest(rows.tx, "email", 3) == [
        CanaryView("email", NOW, NOW, NOW + HOUR, NOW + HOUR, CanaryProof.DELIVERED)
    ]


def test_a_mail_that_comes_back_is_known_by_its_message_and_so_is_its_address(rows: Rows) -> None:
    mail = made(rows, needs_arrival=False)
    canaries.prove(rows.tx, "email", NOW, CanaryProof.ACCEPTED, NOW)
    assert not canaries.has_come_back(rows.tx, "email", ADDRESS, NOW)
    assert canaries.made_at(rows.tx, mail) == NOW
    assert canaries.made_at(rows.tx, mail + 1) is None

    assert not canaries.record_return(rows.tx, mail + 1, NOW, NOW + HOUR)
    assert not canaries.record_return(rows.tx, mail, NOW - HOUR, NOW + HOUR), "a later message with the same id"
    assert canaries.record_return(rows.tx, mail, NOW, NOW + HOUR)
    assert not canaries.record_return(rows.tx, mail, NOW, NOW + 2 * HOUR), "once"

    assert canaries.has_come_back(rows.tx, "email", ADDRESS, NOW)
    assert not canaries.has_come_back(rows.tx, "email", ADDRESS, NOW + DAY)
    assert not canaries.has_come_back(rows.tx, "email", b"another", NOW)
    [view] = canaries.latest(rows.tx, "email", 1)
    assert (view.returned_at, view.how) == (NOW + HOUR, CanaryProof.RETURNED)


def test_old_ones_are_deleted(rows: Rows) -> None:
    made(rows)

    assert canaries.delete_old(rows.tx, NOW) == 0
    assert canaries.delete_old(rows.tx, NOW + HOUR) == 1
