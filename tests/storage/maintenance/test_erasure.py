"""Forgetting: what goes with what, and what is old."""

from datetime import datetime

import pytest

from reminder.domain.model.messages import NOT_FOUND, MessageKind, MessageState
from reminder.domain.model.people import Role
from reminder.domain.parsing.replies import Intent
from reminder.domain.rules.quotas import AddressQuota, Quota
from reminder.storage.auth import accounts, idempotency, login_codes, passkeys, sessions
from reminder.storage.db.tables import Account, Card, Contact, Group, Import, LoginCode, Message, Person, Receipt
from reminder.storage.maintenance import erasure
from reminder.storage.outbox import queue, receipts
from reminder.storage.outbox.queue import MentionDraft
from reminder.storage.registry import imports, quotas
from reminder.storage.registry.imports import NewRow
from reminder.storage.reminders import replies, unclear_replies
from reminder.storage.runtime import request_rates
from tests.rules import QUOTAS
from tests.storage.conftest import DAY, NOW, Rows

OLD, NEW = NOW - 30 * DAY, NOW


def test_messages_about_somebody_are_those_that_tell_of_their_cards_or_mention_them(rows: Rows) -> None:
    group = rows.group()
    person, other = rows.person(group), rows.person(group, "母")
    phone, card, retired = rows.contact(person_id=person), rows.card(person), rows.card(person, "passport")
    theirs = rows.contact(person_id=other)
    rows.change(Card, retired, retired_at=NOW)
    told = rows.told(card, phone)
    of_person = rows.message(theirs, speaks_of=(MentionDraft(person, card, phone),), kind=MessageKind.ESCALATION)
    plain = rows.message(theirs)

    assert erasure.cards_of(rows.tx, person) == [card, retired]
    assert erasure.contacts_of(rows.tx, person) == [phone]
    assert erasure.about(rows.tx, person_id=person) == {of_person}
    assert erasure.about(rows.tx, card_ids=[card]) == {told, of_person}
    assert erasure.about(rows.tx, contact_ids=[phone]) == {of_person}
    assert erasure.about(rows.tx) == set()
    assert erasure.to_contacts(rows.tx, [theirs]) == {of_person, plain}
    assert erasure.escalated_cards(rows.tx, [told, of_person]) == [card]


def test_a_message_whose_words_are_forgotten_is_not_sent_any_more(rows: Rows) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()))
    queued, unknown, sent = rows.message(phone), rows.message(phone), rows.message(phone)
    rows.handed(unknown, MessageState.UNKNOWN, lease_until=NOW)
    rows.handed(sent)
    assert erasure.waiting(rows.tx, [queued, unknown, sent]) == [queued]

    untold = erasure.erase_bodies(rows.tx, [queued, unknown, sent], NOW)

    assert (untold.cancelled, untold.uncertain) == ([queued], [unknown])
    assert rows.column(Message.state) == ["cancelled", "failed", "accepted"]
    assert rows.column(Message.reason) == ["erased", NOT_FOUND, None]
    assert rows.column(Message.body_sealed) == rows.column(Message.body_fingerprint) == [None] * 3


def test_a_message_goes_with_what_its_provider_said_of_it(rows: Rows) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()))
    gone, kept = rows.message(phone), rows.message(phone)
    for message, name in ((gone, "SM1"), (kept, "SM2")):
        rows.handed(message, provider_id=name)
        receipts.keep(rows.tx, provider_id=name, status="sent", error_code=None, message_id=message, now=NOW)

    erasure.delete_messages(rows.tx, [gone])
    erasure.delete_messages(rows.tx, [])

    assert rows.column(Message.id) == [kept]
    assert rows.column(Receipt.provider_id) == ["SM2"]


def test_what_is_erased_takes_along_what_belongs_to_it(rows: Rows) -> None:
    group = rows.group()
    person, other = rows.person(group), rows.person(group, "母")
    card, kept, phone = rows.card(person), rows.card(person, "passport"), rows.contact(person_id=person)
    rows.card(other)

    erasure.card(rows.tx, card)
    assert kept in rows.column(Card.id)
    assert card not in rows.column(Card.id)
    erasure.contact(rows.tx, phone)
    assert rows.column(Contact.id) == []
    erasure.person(rows.tx, other)
    assert (rows.column(Person.id), rows.column(Card.id)) == ([person], [kept])


def test_who_is_erased_leaves_no_cells_of_a_saved_row_that_is_to_be_returned(rows: Rows) -> None:
    group = rows.group()
    gone, other = rows.person(group), rows.person(group)
    added = rows.sheet_import(group)
    imports.add_rows(rows.tx, rows.keys, added, [NewRow(number, {0: "名前"}, []) for number in (1, 2)])
    imports.set_saved(rows.tx, added, {1: gone, 2: other}, to_return=[1, 2])

    erasure.person(rows.tx, gone)

    assert [row.cells for row in imports.rows_after(rows.tx, rows.keys, added, 0, 9)] == [{}, {0: "名前"}]


def test_a_group_goes_with_its_messages_and_the_accounts_that_are_in_no_other(rows: Rows) -> None:
    group, other = rows.group(), rows.group("鈴木家")
    leaving, staying = rows.account("hana@example.jp"), rows.account("taro@example.jp")
    for of, account in ((group, leaving), (group, staying), (other, staying)):
        accounts.set_account(rows.tx, rows.keys, rows.member(of), account)
    phone = rows.contact(person_id=rows.person(group))
    rows.message(phone)
    asked = login_codes.add(
        rows.tx, rows.keys, address="hana@example.jp", network="n", browser_hash=b"b", now=NOW, expires_at=NOW + DAY
    )
    rows.message(None, key=queue.login_code_key(asked), address="hana@example.jp")
    mine = rows.message(rows.contact(person_id=rows.person(other)))

    erasure.group(rows.tx, group)

    assert (rows.column(Group.id), rows.column(Account.id)) == ([other], [staying])
    assert (rows.column(Message.id), rows.column(LoginCode.id)) == ([mine], [])


@pytest.mark.parametrize("kind", sorted(erasure.OLD))
def test_what_has_had_its_time_is_found_and_forgotten_and_nothing_newer(rows: Rows, kind: str) -> None:
    for at in (OLD, NEW):
        add_old(rows, at)
    before = dict.fromkeys(erasure.OLD, NOW - 7 * DAY)
    assert erasure.retention_rules(rows.tx, before) == [*erasure.OLD]

    assert erasure.delete_old(rows.tx, kind, before[kind], 9) == 1

    assert erasure.delete_old(rows.tx, kind, before[kind], 9) == 0
    assert kind not in erasure.retention_rules(rows.tx, before)


def add_old(rows: Rows, at: datetime) -> None:
    """One of each kind, made then."""
    mark = str(at).encode()
    group = rows.group()
    member, phone = rows.member(group), rows.contact(person_id=rows.person(group))
    rows.handed(rows.message(phone, created_at=at), handed_at=at, ended_at=at, state=MessageState.DELIVERED)
    code = rows.message(None, key=f"code:{at}", address="hana@example.jp", created_at=at)
    rows.handed(code, handed_at=at, body_sealed=None)
    replies.keep(rows.tx, rows.keys, contact_id=phone, provider_id=str(at), intent=Intent.DONE, text="済", now=at)
    for reply in replies.waiting(rows.tx, rows.keys, 9):
        replies.mark_handled(rows.tx, reply.id, at)
    unclear_replies.keep(
        rows.tx,
        rows.keys,
        provider_id=f"unclear {at}",
        intent=Intent.DONE,
        text="済",
        choices={1: phone},
        now=at,
        expires_at=at,
    )
    rows.change(Import, rows.sheet_import(group), changed_at=at)
    login_codes.add(
        rows.tx, rows.keys, address="a@example.jp", network="n", browser_hash=mark, now=at, expires_at=at + DAY
    )
    passkeys.use_challenge(rows.tx, mark, None, at)
    quotas.record_use(rows.tx, group, Quota.IMPORTS_A_DAY, at)
    limits = (AddressQuota.INVITATIONS_A_DAY,)
    quotas.use_address(rows.tx, rows.keys, QUOTAS, f"{at:%d}@example.jp", limits, at)
    request_rates.claim(rows.tx, f"{at}", at, until=at)
    one = idempotency.request_of(rows.keys, rows.token(member, group, mark), "key", b"request")
    idempotency.begin(rows.tx, one, at)
    accounts.invite(rows.tx, rows.keys, group_id=group, address="b@example.jp", role=Role.VIEWER, now=at, expires_at=at)
    session = sessions.add(
        rows.tx,
        rows.keys,
        account_id=rows.account(f"{at:%d}@example.jp"),
        member_id=None,
        token_hash=mark,
        device="",
        now=at,
        expires_at=at,
    )
    sessions.hold(rows.tx, rows.keys, session, "what", at)


def test_messages_that_were_over_long_ago_are_deleted_and_one_that_is_not_over_stays(rows: Rows) -> None:
    phone = rows.contact(person_id=rows.person(rows.group()))
    over = rows.handed(rows.message(phone, created_at=OLD), handed_at=OLD)
    waiting, new = rows.message(phone, created_at=OLD), rows.handed(rows.message(phone))

    assert erasure.old_messages(rows.tx, NOW - 7 * DAY, 9) == 1

    assert over not in rows.column(Message.id)
    assert rows.column(Message.id) == [waiting, new]
