"""Contacts: whose they are, whether they may be told, and by what address they are found."""

from datetime import datetime, timedelta

import pytest

from reminder.domain.model.messages import MessageKind
from reminder.domain.model.people import ChannelName, ConsentHow, ContactState, Language, Role, StoppedBy
from reminder.storage.db import sealing
from reminder.storage.db.tables import Contact, Member
from reminder.storage.registry import contacts
from reminder.storage.registry.contacts import ContactView, NewContactRow, OwnedAddress
from tests.storage.conftest import DAY, HOUR, NOW, Rows

PHONE = "+819000000001"
SMS, EMAIL, VOICE = ChannelName.SMS, ChannelName.EMAIL, ChannelName.VOICE


def test_a_contact_is_found_as_it_was_added_in_every_list_of_its_owner(rows: Rows) -> None:
    group = rows.group()
    person, member = rows.person(group), rows.member(group)
    own = contacts.add(
        rows.tx, rows.keys, person_id=person, member_id=None, is_family=False, channel=SMS, address=PHONE,
        consent_how=None, consent_by=None, confirmed=False, now=NOW,
    )  # fmt: skip
    theirs = rows.contact(member_id=member, channel=EMAIL, address="hana@example.jp")
    elsewhere = rows.contact(person_id=rows.person(rows.group("鈴木家")))

    first = ContactView(own, person, None, False, SMS, PHONE, ContactState.UNCONFIRMED, None)
    assert contacts.by_ids(rows.tx, rows.keys, [own]) == {own: first}
    assert contacts.of_person(rows.tx, rows.keys, person) == [first]
    assert contacts.some_of_person(rows.tx, rows.keys, person, after=0, limit=9) == [first]
    assert contacts.some_of_person(rows.tx, rows.keys, person, after=own, limit=9) == []
    assert contacts.owned_by_group(rows.tx, rows.keys, group, own) == first
    assert contacts.owned_by_group(rows.tx, rows.keys, group, elsewhere) is None
    assert {one.id for one in contacts.of_group(rows.tx, rows.keys, group)} == {own, theirs}
    assert {one.id for one in contacts.each_of_group(rows.tx, rows.keys, None)} == {own, theirs, elsewhere}
    assert [one.id for one in contacts.of_member(rows.tx, rows.keys, member)] == [theirs]
    assert [one.id for one in contacts.of_every_member(rows.tx, rows.keys, group)] == [theirs]


def test_a_row_of_the_table_is_shown_with_its_address_opened(rows: Rows) -> None:
    contact = rows.contact(person_id=rows.person(rows.group()), address=PHONE)

    row = rows.tx.execute(
        Contact.__table__.select().where(Contact.id == contact)  # type: ignore[attr-defined]
    ).one()

    assert contacts.view(rows.keys, row).address == PHONE


def test_many_contacts_are_added_at_once_and_their_ids_are_in_the_order_of_the_rows(rows: Rows) -> None:
    group = rows.group()
    first, second = rows.person(group), rows.person(group, "母")

    added = contacts.add_all(
        rows.tx,
        rows.keys,
        [
            NewContactRow(first, None, False, SMS, PHONE, ConsentHow.WRITTEN, "長女", True),
            NewContactRow(second, None, True, SMS, PHONE, None, None, False),
        ],
        NOW,
    )

    kept = contacts.by_ids(rows.tx, rows.keys, added)
    assert [(kept[one].person_id, kept[one].state) for one in added] == [
        (first, ContactState.CONFIRMED),
        (second, ContactState.UNCONFIRMED),
    ]
    known = contacts.known_of_people(rows.tx, [first, second])
    assert [
        (one.id, one.is_family, one.channel, one.index, one.state, one.consent_how)
        for some in (known[first], known[second])
        for one in some
    ] == [
        (added[0], False, SMS, rows.keys.blind_index(PHONE), ContactState.CONFIRMED, ConsentHow.WRITTEN),
        (added[1], True, SMS, rows.keys.blind_index(PHONE), ContactState.UNCONFIRMED, None),
    ]


def test_an_address_is_known_by_its_owner_and_its_channel(rows: Rows) -> None:
    group = rows.group()
    person, other, member = rows.person(group), rows.person(group, "母"), rows.member(group, email="hana@example.jp")
    rows.contact(person_id=person, address=PHONE)
    rows.contact(person_id=other)

    found = contacts.addresses_of(rows.tx, person_ids=[person], member_ids=[member])

    assert found == {
        OwnedAddress(person, None, SMS, rows.keys.blind_index(PHONE)),
        OwnedAddress(None, member, EMAIL, rows.keys.blind_index("hana@example.jp")),
    }
    assert contacts.addresses_of(rows.tx, person_ids=[], member_ids=[]) == set()
    assert contacts.group_has_member(rows.tx, rows.keys, group_id=group, address="hana@example.jp")
    assert not contacts.group_has_member(rows.tx, rows.keys, group_id=group, address=PHONE)


def test_recipients_are_given_without_addresses_and_with_whose_they_are(rows: Rows) -> None:
    group = rows.group()
    person = rows.person(group, language=Language.ENGLISH)
    own, family = rows.contact(person_id=person), rows.contact(person_id=person, is_family=True)
    member = rows.member(group, role=Role.EDITOR)
    theirs = rows.contact(member_id=member, channel=EMAIL, address="hana@example.jp")

    around = contacts.of_people(rows.tx, [person])
    ((of_group, told),) = contacts.of_members(rows.tx, [group])

    assert [(of, one.contact_id, one.owner, one.language) for of, one in around] == [
        (person, own, ("person", person), "en"),
        (person, family, ("family", family), "ja"),
    ]
    assert contacts.of_people_of_group(rows.tx, group) == around
    assert contacts.unheard_of_group(rows.tx, group, []) == []
    assert contacts.unheard_of_group(rows.tx, group, [family, theirs]) == around[1:]
    rows.change(Contact, own, state=ContactState.OPTED_OUT)
    unheard = contacts.unheard_of_group(rows.tx, group, [family])
    assert [(of, one.contact_id, one.state) for of, one in unheard] == [
        (person, own, ContactState.OPTED_OUT),
        (person, family, ContactState.CONFIRMED),
    ]
    assert (of_group, told.contact_id, told.owner, told.role) == (group, theirs, ("member", member), Role.EDITOR)


def test_what_one_contact_is_can_be_asked_alone(rows: Rows) -> None:
    group = rows.group()
    member = rows.member(group)
    phone = rows.contact(person_id=rows.person(group))
    first, _ = rows.contact(member_id=member, channel=EMAIL, address="hana@example.jp"), rows.contact(member_id=member)

    assert contacts.first_of_member(rows.tx, member) == first
    assert contacts.first_of_member(rows.tx, member + 1) is None
    assert [contacts.channel_of(rows.tx, one) for one in (phone, first, 999)] == [SMS, EMAIL, None]
    assert [contacts.group_of(rows.tx, one) for one in (phone, first, 999)] == [group, group, None]


def test_whose_owner_said_no_stays_so_whatever_else_becomes_known(rows: Rows) -> None:
    person = rows.person(rows.group())
    stopped, working = rows.contact(person_id=person), rows.contact(person_id=person)

    assert contacts.stop(rows.tx, [stopped], StoppedBy.REPLY, NOW) == [stopped]
    assert contacts.stop(rows.tx, [stopped], StoppedBy.FAMILY, NOW) == []
    assert contacts.mark_unreachable(rows.tx, [stopped, working]) == [working]
    assert contacts.mark_unreachable(rows.tx, [working]) == []
    assert contacts.mark_unreachable(rows.tx, []) == []
    confirmed = [contacts.confirm(rows.tx, one, how=ConsentHow.SPOKEN, by=None, now=NOW) for one in (stopped, working)]
    assert confirmed == [False, True]

    assert rows.column(Contact.state) == [ContactState.OPTED_OUT, ContactState.CONFIRMED]
    assert rows.one(Contact.stopped_by, stopped) == StoppedBy.REPLY


@pytest.mark.parametrize(
    ("stopped_by", "how", "is_taken_back"),
    [
        (None, ConsentHow.SPOKEN, True),
        (StoppedBy.REPLY, ConsentHow.WRITTEN, False),
        (StoppedBy.REPLY, ConsentHow.REPLY, True),
        (StoppedBy.FAMILY, ConsentHow.SPOKEN, False),
        (StoppedBy.FAMILY, ConsentHow.WRITTEN, True),
        (StoppedBy.CLICK, ConsentHow.AGENT, True),
        (StoppedBy.PROVIDER, ConsentHow.WRITTEN, False),
    ],
)
def test_who_may_take_back_a_no(rows: Rows, stopped_by: StoppedBy | None, how: ConsentHow, is_taken_back: bool) -> None:
    contact = rows.contact(person_id=rows.person(rows.group()))
    if stopped_by is not None:
        contacts.stop(rows.tx, [contact], stopped_by, NOW)

    assert contacts.confirm(rows.tx, contact, how=how, by="長女", now=NOW + DAY) is is_taken_back

    state = ContactState.CONFIRMED if is_taken_back else ContactState.OPTED_OUT
    assert rows.one(Contact.state, contact) == state


def test_who_never_agreed_may_be_asked_anew_after_a_stop_and_is_sent_nothing_else(rows: Rows) -> None:
    contact = rows.contact(person_id=rows.person(rows.group()), confirmed=False)
    contacts.stop(rows.tx, [contact], StoppedBy.REPLY, NOW)

    contacts.ask_anew(rows.tx, [contact])

    assert rows.one(Contact.state, contact) == ContactState.UNCONFIRMED


def test_everybody_at_one_telephone_speaks_when_it_does(rows: Rows) -> None:
    group, other = rows.group(), rows.group("鈴木家")
    mother = rows.contact(person_id=rows.person(group), address=PHONE)
    father = rows.contact(person_id=rows.person(other), address=PHONE, confirmed=False)
    call = rows.contact(person_id=rows.person(group, "姉"), channel=VOICE, address=PHONE)
    rows.message(father, kind=MessageKind.CONSENT_REQUEST, created_at=NOW + DAY)

    assert contacts.at_phone(rows.tx, rows.keys, PHONE) == [mother, father, call]
    speakers = contacts.speakers(rows.tx, father)
    assert [(one.contact_id, one.group_id, one.was_asked) for one in speakers] == [
        (father, other, True),
        (mother, group, False),
    ]
    assert [one.contact_id for one in contacts.speakers_at_number(rows.tx, call)] == [call, mother, father]
    assert [one.has_consented for one in speakers] == [False, True]
    assert [one.has_answered for one in speakers] == [True, True]
    assert [one.is_vouched_for for one in speakers] == [False, True]


def test_who_has_told_an_owner_of_the_question_is_kept(rows: Rows) -> None:
    contact = rows.contact(person_id=rows.person(rows.group()), confirmed=False)

    contacts.record_announced_by(rows.tx, contact, "長女")

    assert sealing.reader(rows.keys, Contact.consent_by)(rows.one(Contact.consent_by, contact)) == "長女"


def test_people_with_texts_are_told_so_themselves(rows: Rows) -> None:
    group = rows.group()
    by_text, by_mail, by_family = rows.person(group), rows.person(group, "母"), rows.person(group, "姉")
    rows.contact(person_id=by_text)
    rows.contact(person_id=by_mail, channel=EMAIL, address="haha@example.jp")
    rows.contact(person_id=by_family, is_family=True)

    assert contacts.people_reminded_by_text(rows.tx) == [by_text]


def test_a_contact_is_unproven_until_something_reaches_its_owner(rows: Rows) -> None:
    person = rows.person(rows.group())
    pressed, read, silent = (rows.contact(person_id=person) for _ in range(3))
    year = timedelta(days=365)

    def found(at: datetime) -> list[int]:
        some = contacts.unverified_ids(rows.tx, at, 9)
        assert [one.contact_id for one in contacts.unverified_contacts(rows.tx, at, [*some, 999])] == some
        return some

    assert found(NOW + year) == [pressed, read, silent]
    contacts.record_test_call(rows.tx, pressed, NOW + year)
    assert contacts.record_verified(rows.tx, [read], NOW + year) == [read]
    assert contacts.record_verified(rows.tx, [read], NOW + year + HOUR, unless_since=NOW + year) == []
    assert contacts.record_verified(rows.tx, [], NOW) == []

    assert [one.since for one in contacts.unverified_contacts(rows.tx, NOW + year, [silent])] == [NOW]
    assert contacts.unverified_ids(rows.tx, NOW + year, 1) == [silent]
    assert found(NOW + year) == [silent]
    assert rows.one(Contact.test_called_at, pressed) == NOW + year


def test_a_contact_of_a_member_speaks_the_member_s_language(rows: Rows) -> None:
    group = rows.group()
    member = rows.member(group)
    rows.change(Member, member, language="en")

    assert contacts.language_of(rows.tx, rows.contact(member_id=member)) == "en"
    assert contacts.language_of(rows.tx, rows.contact(person_id=rows.person(group))) == "ja"


def test_when_a_contact_was_added_is_known_while_it_is_there(rows: Rows) -> None:
    contact = rows.contact(person_id=rows.person(rows.group()))

    assert contacts.added_at(rows.tx, contact) == NOW
    assert contacts.added_at(rows.tx, contact + 1) is None
