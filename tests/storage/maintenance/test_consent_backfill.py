"""What contacts of earlier versions say of consents goes into the ledger once, in portions, by whatever key is there."""

import pytest
from sqlalchemy import delete, select, update

from reminder.domain.model.consent_records import ConsentAct, ConsentWay
from reminder.domain.model.messages import MessageKind
from reminder.domain.model.people import ChannelName, ConsentHow, ContactState, StoppedBy
from reminder.domain.parsing.replies import Intent
from reminder.errors import SettingsError
from reminder.storage.crypto.keyring import new_key, read_keys
from reminder.storage.db.tables import ConsentEntry, Contact, InstallationSecret
from reminder.storage.maintenance import consent_backfill, installation, settlement
from reminder.storage.registry import consents
from reminder.storage.reminders import replies
from reminder.storage.runtime import activity_log
from tests.storage.conftest import DAY, HOUR, NOW, Rows

PHONE = "+819000000077"
Said = tuple[int | None, ConsentAct, ConsentWay]
ASKED, CONSENTED, WITHDREW, WRONG = ConsentAct


def as_before(rows: Rows) -> None:
    """As an earlier version leaves its contacts: with no ledger."""
    rows.tx.execute(delete(ConsentEntry))
    rows.tx.execute(update(Contact).values(consent_index=None).execution_options(synchronize_session=False))


def recorded(rows: Rows, address: str = PHONE) -> list[Said]:
    found = consents.of_addresses(rows.tx, rows.keys, [address])[address]
    return [(one.group_id, one.act, one.way) for one in found]


def fill(rows: Rows, limit: int = 500) -> int:
    """Fill it, and return in how many portions."""
    last, portions = consent_backfill.fill_some(rows.tx, rows.keys, limit=limit), 0
    while last is not None:
        last, portions = consent_backfill.fill_some(rows.tx, rows.keys, after=last, limit=limit), portions + 1
    return portions


def test_what_was_asked_agreed_to_and_refused_is_recorded_in_that_order(rows: Rows) -> None:
    group = rows.group()
    contact = rows.contact(person_id=rows.person(group), address=PHONE)
    rows.message(contact, kind=MessageKind.CONSENT_REQUEST, created_at=NOW - DAY)
    rows.change(
        Contact, contact, state=ContactState.OPTED_OUT, consent_how=ConsentHow.REPLY, stopped_by=StoppedBy.REPLY
    )
    activity_log.write(rows.tx, "contact_stopped", NOW + DAY, contact_id=contact)
    as_before(rows)

    assert fill(rows) == 1

    found = consents.of_contacts(rows.tx, [contact])[contact]
    assert [(one.group_id, one.act, one.way, one.at) for one in found] == [
        (group, ASKED, ConsentWay.TEXT, NOW - DAY),
        (group, CONSENTED, ConsentWay.REPLY, NOW),
        (None, WITHDREW, ConsentWay.REPLY, NOW + DAY),
    ]


@pytest.mark.parametrize(
    ("stopped_by", "way", "is_for_all"),
    [
        (StoppedBy.REPLY, ConsentWay.REPLY, True),
        (StoppedBy.CLICK, ConsentWay.LINK, True),
        (StoppedBy.PROVIDER, ConsentWay.PROVIDER, True),
        (StoppedBy.FAMILY, ConsentWay.PAGE, False),
        (None, ConsentWay.UNKNOWN, True),
    ],
)
def test_each_way_of_a_stop_is_kept(
    rows: Rows, stopped_by: StoppedBy | None, way: ConsentWay, is_for_all: bool
) -> None:
    group = rows.group()
    contact = rows.contact(person_id=rows.person(group), address=PHONE)
    rows.change(Contact, contact, state=ContactState.OPTED_OUT, stopped_by=stopped_by)
    as_before(rows)

    fill(rows)

    assert recorded(rows)[-1] == (None if is_for_all else group, WITHDREW, way)


def test_a_stop_of_a_time_when_it_held_for_one_group_is_not_made_to_hold_for_the_other(rows: Rows) -> None:
    group, other = rows.group(), rows.group("鈴木家")
    stopped = rows.contact(person_id=rows.person(group), address=PHONE)
    rows.contact(person_id=rows.person(other), address=PHONE)
    rows.change(Contact, stopped, state=ContactState.OPTED_OUT, stopped_by=StoppedBy.REPLY)
    as_before(rows)

    fill(rows)

    assert (group, WITHDREW, ConsentWay.REPLY) in recorded(rows)
    assert not any(group_id is None for group_id, _, _ in recorded(rows))


def test_a_member_and_who_only_was_entered_and_a_wrong_number_are_told_apart(rows: Rows) -> None:
    group = rows.group()
    rows.contact(member_id=rows.member(group), channel=ChannelName.EMAIL, address="hana@example.jp")
    rows.change(Contact, 1, consent_how=None)
    rows.contact(person_id=rows.person(group), address="+819000000078", confirmed=False)
    gone = rows.contact(person_id=rows.person(group), address=PHONE)
    rows.change(Contact, gone, state=ContactState.UNREACHABLE)
    replies.keep(
        rows.tx, rows.keys, contact_id=gone, provider_id="SM1", intent=Intent.WRONG_PERSON, text=None, now=NOW + HOUR
    )
    as_before(rows)

    fill(rows)

    assert recorded(rows, "hana@example.jp") == [(group, CONSENTED, ConsentWay.MEMBER)]
    assert recorded(rows, "+819000000078") == []
    assert recorded(rows)[-1] == (group, WRONG, ConsentWay.REPLY)
    assert consent_backfill.is_complete(rows.tx)


def test_it_runs_in_portions_is_taken_up_again_and_adds_nothing_twice(rows: Rows) -> None:
    person = rows.person(rows.group())
    for number in range(5):
        rows.contact(person_id=person, address=f"+8190000001{number:02}")
    as_before(rows)
    first = consent_backfill.fill_some(rows.tx, rows.keys, limit=2)
    assert first is not None
    assert not consent_backfill.is_complete(rows.tx)

    assert fill(rows, limit=2) == 2
    assert fill(rows, limit=2) == 0

    assert len(rows.column(ConsentEntry.id)) == 5
    assert consent_backfill.is_complete(rows.tx)


def test_what_no_key_opens_waits_for_its_key(rows: Rows) -> None:
    contact = rows.contact(person_id=rows.person(rows.group()), address=PHONE)
    as_before(rows)
    other = read_keys([new_key()])

    assert consent_backfill.fill_some(rows.tx, other) == contact
    assert not consent_backfill.is_complete(rows.tx)
    assert rows.column(ConsentEntry.id) == []
    fill(rows)
    assert len(recorded(rows)) == 1


def test_the_migration_fills_it_with_the_secret_of_the_installation_and_only_once(rows: Rows) -> None:
    rows.contact(person_id=rows.person(rows.group()), address=PHONE)
    as_before(rows)

    settlement.settle(rows.tx, rows.keys, "0019")
    settlement.settle(rows.tx, rows.keys, settlement.FIRST_WITH_CONSENTS)

    with_secret = rows.keys.referring_by(installation.references_of(rows.tx, rows.keys, NOW))
    (index,) = rows.tx.scalars(select(ConsentEntry.address_index)).all()
    assert index == with_secret.consent_index(PHONE) != rows.keys.consent_index(PHONE)


def test_an_empty_database_gets_no_secret_from_the_migration(rows: Rows) -> None:
    settlement.fill_consents(rows.tx, rows.keys)

    assert rows.column(InstallationSecret.name) == []


def test_a_migration_without_the_key_of_the_secret_does_not_happen(rows: Rows) -> None:
    rows.contact(person_id=rows.person(rows.group()), address=PHONE)
    installation.references_of(rows.tx, read_keys([new_key()]), NOW)
    as_before(rows)

    with pytest.raises(SettingsError):
        settlement.fill_consents(rows.tx, rows.keys)


def test_with_a_lost_secret_the_ledger_is_filled_again_from_the_contacts_that_are_there(rows: Rows) -> None:
    lost = read_keys([new_key()])
    installation.note_keys(rows.tx, lost, NOW)
    before = lost.referring_by(installation.references_of(rows.tx, lost, NOW))
    contact = rows.contact(person_id=rows.person(rows.group()), address=PHONE)
    rows.change(Contact, contact, consent_index=before.consent_index(PHONE), state=ContactState.OPTED_OUT)
    rows.change(Contact, contact, stopped_by=StoppedBy.REPLY)

    assert installation.abandon_key(rows.tx, lost.ids[0], NOW)
    again = rows.keys.referring_by(installation.references_of(rows.tx, rows.keys, NOW))
    consent_backfill.fill_some(rows.tx, again)

    found = consents.of_addresses(rows.tx, again, [PHONE])[PHONE]
    assert [(one.group_id, one.act) for one in found][-1] == (None, WITHDREW)
