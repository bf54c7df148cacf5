"""What the operator decides about a group, and what that does to its contacts and its waiting messages."""

from datetime import timedelta

from reminder.domain.model.messages import MessageKind, MessageState
from reminder.domain.model.people import ChannelName, ConsentHow, ContactState, StoppedBy
from reminder.domain.rules.quotas import Quota
from reminder.storage.db.tables import Contact, Message
from reminder.storage.outbox import leases, queue
from reminder.storage.registry import contacts, group_standing
from tests.storage.conftest import HOUR, NOW, Rows


def test_a_group_is_on_trial_until_it_is_approved(rows: Rows) -> None:
    group = rows.group()
    assert group_standing.find(rows.tx, 99) is None
    assert group_standing.lock(rows.tx, 99) is None

    group_standing.begin_trial(rows.tx, group, NOW)
    found = group_standing.lock(rows.tx, group)
    assert found is not None
    assert (found.is_on_trial, found.trial_since, found.is_suspended) == (True, NOW, False)

    group_standing.end_trial(rows.tx, group, NOW)
    after = group_standing.find(rows.tx, group)
    assert after is not None
    assert not after.is_on_trial


def test_the_end_of_a_trial_confirms_what_was_recorded_and_nothing_else(rows: Rows) -> None:
    group, other = rows.group(), rows.group("他人家")
    mother, stranger = rows.person(group), rows.person(other)
    recorded, silent, refused, elsewhere = (
        rows.contact(person_id=person, confirmed=False) for person in (mother, mother, mother, stranger)
    )
    of_member = rows.contact(member_id=rows.member(group), confirmed=False)
    for one in (recorded, refused, elsewhere):
        rows.change(Contact, one, consent_how=ConsentHow.SPOKEN)
    rows.change(Contact, silent, consent_how=None)
    contacts.stop(rows.tx, [refused], StoppedBy.REPLY, NOW)

    assert group_standing.end_trial(rows.tx, group, NOW) == [recorded, of_member]

    states = dict(zip((recorded, silent, refused, elsewhere, of_member), rows.column(Contact.state), strict=True))
    assert states == {
        recorded: ContactState.CONFIRMED,
        silent: ContactState.UNCONFIRMED,
        refused: ContactState.OPTED_OUT,
        elsewhere: ContactState.UNCONFIRMED,
        of_member: ContactState.CONFIRMED,
    }


def test_a_group_is_suspended_once_and_resumed_once(rows: Rows) -> None:
    group = rows.group()

    assert group_standing.suspend(rows.tx, group, "調査のため", NOW)
    assert not group_standing.suspend(rows.tx, group, "ほかの理由", NOW)
    found = group_standing.find(rows.tx, group)
    assert found is not None
    assert (found.is_suspended, found.suspended_why) == (True, "調査のため")

    assert group_standing.resume(rows.tx, group)
    assert not group_standing.resume(rows.tx, group)
    after = group_standing.find(rows.tx, group)
    assert after is not None
    assert (after.is_suspended, after.suspended_why) == (False, "")


def test_the_limits_of_one_group_are_set_changed_and_taken_back(rows: Rows) -> None:
    group, other = rows.group(), rows.group("他人家")

    assert group_standing.set_quotas(rows.tx, group, {Quota.PEOPLE: 7, Quota.CARDS: 9}) == {"people": 7, "cards": 9}
    assert group_standing.set_quotas(rows.tx, group, {Quota.PEOPLE: None}) == {"cards": 9}
    untouched = group_standing.find(rows.tx, other)
    assert untouched is not None
    assert untouched.quotas == {}


def test_messages_of_a_suspended_group_wait_and_keep_their_time(rows: Rows) -> None:
    group, other = rows.group(), rows.group("他人家")
    mine, theirs = (rows.contact(person_id=rows.person(one)) for one in (group, other))
    usual = {"scheduled_at": NOW, "expires_at": NOW + 2 * HOUR}
    notice = rows.message(mine, kind=MessageKind.NOTICE, group_id=group, **usual)
    answer = rows.message(mine, kind=MessageKind.ANSWER, group_id=group, **usual)
    digest = rows.message(mine, kind=MessageKind.DIGEST, group_id=group, **usual)
    elsewhere = rows.message(theirs, kind=MessageKind.NOTICE, group_id=other, **usual)
    group_standing.suspend(rows.tx, group, "調査", NOW)

    picked = leases.pick_due_and_end_stale(rows.tx, ChannelName.SMS, now=NOW, limit=9)
    leases.hold(rows.tx, picked.suspended, timedelta(hours=6))
    leases.hold(rows.tx, [], timedelta(hours=6))

    assert sorted(row.id for row in picked.ready) == [answer, elsewhere]
    assert sorted(picked.suspended) == [notice, digest]
    assert rows.one(Message.expires_at, notice) == NOW + 8 * HOUR
    assert rows.one(Message.expires_at, digest) == NOW + 2 * HOUR, "of no use later"
    assert rows.one(Message.scheduled_at, notice) == NOW + 6 * HOUR

    group_standing.resume(rows.tx, group)
    queue.release_suspended(rows.tx, group, NOW + HOUR)

    assert rows.one(Message.scheduled_at, notice) == NOW + HOUR
    assert rows.one(Message.state, notice) is MessageState.QUEUED
    assert rows.one(Message.reason, notice) is None
