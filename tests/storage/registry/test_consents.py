"""The ledger of consents: one for each number, without the number, of all groups, which outlives every contact."""

import pytest
from sqlalchemy import select

from reminder.domain.model.consent_records import NO_GROUP, ConsentAct, ConsentWay
from reminder.domain.model.people import ChannelName, ConsentHow, ContactState, StoppedBy
from reminder.domain.rules.consent_standing import refusal_for
from reminder.storage.crypto.consent_index import ConsentIndex
from reminder.storage.crypto.keyring import KeyRing, new_key, read_keys
from reminder.storage.crypto.references import References
from reminder.storage.db.tables import ConsentEntry, Contact
from reminder.storage.maintenance import erasure
from reminder.storage.registry import consents, contacts
from tests.storage.conftest import DAY, NOW, Rows

PHONE = "+819000000077"
ASKED, CONSENTED, WITHDREW, WRONG = ConsentAct
SPOKEN, REPLY, PAGE, LINK = ConsentWay.SPOKEN, ConsentWay.REPLY, ConsentWay.PAGE, ConsentWay.LINK


def recorded(rows: Rows, address: str = PHONE) -> list[tuple[int | None, ConsentAct, ConsentWay]]:
    """What the ledger says of an address."""
    found = consents.of_addresses(rows.tx, rows.keys, [address])[address]
    return [(one.group_id, one.act, one.way) for one in found]


def test_what_contacts_of_two_groups_say_of_one_number_is_in_one_ledger(rows: Rows) -> None:
    one, other = rows.group(), rows.group("鈴木家")
    here = rows.contact(person_id=rows.person(one), address=PHONE)
    there = rows.contact(person_id=rows.person(other), address=PHONE, channel=ChannelName.VOICE, confirmed=False)

    contacts.stop(rows.tx, [there], StoppedBy.FAMILY, NOW, way=ConsentWay.OPERATOR)
    contacts.stop(rows.tx, [here, there], StoppedBy.REPLY, NOW, for_all=True)
    contacts.confirm(rows.tx, here, how=ConsentHow.REPLY, by=None, now=NOW + DAY)

    assert recorded(rows) == [
        (one, CONSENTED, SPOKEN),
        (other, WITHDREW, ConsentWay.OPERATOR),
        (None, WITHDREW, REPLY),
        (one, CONSENTED, REPLY),
    ]
    of_contacts = consents.of_contacts(rows.tx, [here, there])
    assert of_contacts[here] == of_contacts[there] == consents.of_addresses(rows.tx, rows.keys, [PHONE])[PHONE]


def test_a_question_is_recorded_each_time_and_once_for_each_number(rows: Rows) -> None:
    group = rows.group()
    both = [rows.contact(person_id=rows.person(group), address=PHONE, confirmed=False) for _ in range(2)]

    consents.record(rows.tx, both, ASKED, ConsentWay.TEXT, NOW)
    consents.record(rows.tx, both, ASKED, ConsentWay.TEXT, NOW + DAY)
    consents.record(rows.tx, [], ASKED, ConsentWay.TEXT, NOW)

    assert recorded(rows) == [(group, ASKED, ConsentWay.TEXT)] * 2


def test_a_consent_that_is_not_taken_is_not_recorded(rows: Rows) -> None:
    group = rows.group()
    contact = rows.contact(person_id=rows.person(group), address=PHONE)
    contacts.stop(rows.tx, [contact], StoppedBy.REPLY, NOW)

    contacts.confirm(rows.tx, contact, how=ConsentHow.WRITTEN, by="長女", now=NOW)

    assert recorded(rows) == [(group, CONSENTED, SPOKEN), (group, WITHDREW, REPLY)]


def test_the_same_no_is_recorded_once_and_again_after_a_yes(rows: Rows) -> None:
    for _ in range(3):
        consents.record_at(rows.tx, rows.keys, PHONE, WITHDREW, REPLY, NOW)
    consents.record_at(rows.tx, rows.keys, PHONE, CONSENTED, REPLY, NOW)
    consents.record_at(rows.tx, rows.keys, PHONE, WITHDREW, REPLY, NOW)

    assert recorded(rows) == [(None, WITHDREW, REPLY), (None, CONSENTED, REPLY), (None, WITHDREW, REPLY)]


def test_a_no_for_all_after_a_yes_to_one_group_is_a_new_no(rows: Rows) -> None:
    contact = rows.contact(person_id=rows.person(group := rows.group()), address=PHONE)
    consents.record_at(rows.tx, rows.keys, PHONE, WITHDREW, REPLY, NOW)
    contacts.stop(rows.tx, [contact], StoppedBy.REPLY, NOW, for_all=True)
    contacts.confirm(rows.tx, contact, how=ConsentHow.REPLY, by=None, now=NOW)

    contacts.stop(rows.tx, [contact], StoppedBy.REPLY, NOW, for_all=True)

    assert refusal_for(consents.of_contacts(rows.tx, [contact])[contact], group) is not None


def test_the_ledger_outlives_the_contact_the_person_and_the_group(rows: Rows) -> None:
    group, other = rows.group(), rows.group("鈴木家")
    contact = rows.contact(person_id=rows.person(group), address=PHONE)
    contacts.stop(rows.tx, [contact], StoppedBy.REPLY, NOW, for_all=True)

    erasure.group(rows.tx, group)

    assert rows.column(Contact.id) == []
    assert recorded(rows) == [(NO_GROUP, CONSENTED, SPOKEN), (None, WITHDREW, REPLY)]
    records = consents.of_addresses(rows.tx, rows.keys, [PHONE])[PHONE]
    assert refusal_for(records, other) is not None


def test_the_records_of_an_erased_group_are_no_later_group_s(rows: Rows) -> None:
    group = rows.group()
    contact = rows.contact(person_id=rows.person(group), address=PHONE)
    contacts.stop(rows.tx, [contact], StoppedBy.FAMILY, NOW)

    consents.forget_group(rows.tx, group)

    assert recorded(rows) == [(NO_GROUP, CONSENTED, SPOKEN), (NO_GROUP, WITHDREW, PAGE)]
    assert refusal_for(consents.of_addresses(rows.tx, rows.keys, [PHONE])[PHONE], group) is None


def test_no_key_of_the_ring_finds_a_number_in_the_ledger_and_a_rotation_changes_nothing(rows: Rows) -> None:
    secret = References("a secret of this installation")
    old, new = new_key(), new_key()
    before, after = read_keys([old]).referring_by(secret), read_keys([new, old]).referring_by(secret)
    consents.record_at(rows.tx, before, PHONE, WITHDREW, REPLY, NOW)

    (index,) = rows.tx.scalars(select(ConsentEntry.address_index)).all()

    assert index == after.consent_index(PHONE) == read_keys([new]).referring_by(secret).consent_index(PHONE)
    assert index == secret.consents.of(PHONE)
    assert index not in before.blind_indexes(PHONE)
    assert index != read_keys([old]).referring_by(References("another one")).consent_index(PHONE)


@pytest.mark.parametrize(
    ("one", "other"), [("Hana@Example.JP", "hana@example.jp"), ("a@ÜBER.example", "a@über.example")]
)
def test_all_spellings_of_an_address_have_one_ledger(keys: KeyRing, one: str, other: str) -> None:
    assert keys.consent_index(one) == keys.consent_index(other)
    assert ConsentIndex(b"k" * 32).of(one) == ConsentIndex(b"k" * 32).of(other)


def test_a_contact_is_added_in_the_state_that_a_refusal_has_left(rows: Rows) -> None:
    row = contacts.NewContactRow(
        rows.person(rows.group()), None, False, ChannelName.SMS, PHONE, ConsentHow.SPOKEN, "長女", True,
        held=ContactState.OPTED_OUT, stopped_by=StoppedBy.REPLY,
    )  # fmt: skip

    assert (row.state, row.consent_way) == (ContactState.OPTED_OUT, ConsentWay.SPOKEN)
    (added,) = contacts.add_all(rows.tx, rows.keys, [row], NOW)

    assert (rows.one(Contact.state, added), rows.one(Contact.consent_at, added)) == (ContactState.OPTED_OUT, None)
    assert recorded(rows) == []


def test_those_who_enter_numbers_do_not_wait_for_one_another(rows: Rows) -> None:
    consents.lock_to_add(rows.tx)
    consents.lock_to_add(rows.tx)
    consents.lock_to_record(rows.tx)
