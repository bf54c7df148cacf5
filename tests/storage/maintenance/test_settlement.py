"""What a migration leaves to the keys: proofs for the rows that were there, and one row for each e-mail address."""

import pytest
from sqlalchemy import select, text, update

from reminder.domain.model.people import ChannelName, ContactState, Language, Role
from reminder.errors import SettingsError
from reminder.storage.auth import accounts, passkeys, sessions
from reminder.storage.crypto.keyring import KeyRing, new_key, read_keys, token_hash
from reminder.storage.db import schema
from reminder.storage.db.session import Database
from reminder.storage.db.tables import Account, Contact, Invitation, Member, Message, Session
from reminder.storage.maintenance import settlement
from reminder.storage.maintenance.settlement import Divided
from reminder.storage.registry import groups
from tests.storage.conftest import DAY, NOW, Rows

SMALL, LARGE = "hana@example.jp", "Hana@Example.jp"


def as_written_before(rows: Rows, table: type[Account | Contact | Invitation], row_id: int, address: str) -> int:
    """As a program wrote it that took each spelling for an address of its own."""
    rows.change(table, row_id, address_index=rows.keys.blind_index(address))
    return row_id


def account(rows: Rows, address: str) -> int:
    added = Account(
        address_sealed=rows.keys.seal(address, accounts.ADDRESS),
        address_index=rows.keys.blind_index(address),
        language=Language.JAPANESE,
        created_at=NOW,
    )
    rows.tx.add(added)
    rows.tx.flush()
    return added.id


def contact(rows: Rows, address: str, state: ContactState = ContactState.CONFIRMED, **owner: int) -> int:
    # The index of another address, until it gets its own: two rows of one owner cannot have the same.
    added = rows.contact(channel=ChannelName.EMAIL, address=f"x{address}", **owner)
    rows.change(
        Contact,
        added,
        address_sealed=rows.keys.seal(address, "contacts.address"),
        address_index=rows.keys.blind_index(address),
        state=state,
    )
    return added


def session(rows: Rows, account_id: int, token: bytes) -> int:
    return sessions.add(
        rows.tx,
        rows.keys,
        account_id=account_id,
        member_id=None,
        token_hash=token,
        device="",
        now=NOW,
        expires_at=NOW + DAY,
    )


def test_sessions_from_before_are_proved_once_and_none_that_is_written_later(rows: Rows) -> None:
    owner = rows.account()
    session(rows, owner, token_hash("mine"))
    rows.tx.execute(update(Session).values(token_proof=None))

    assert settlement.prove_rows(rows.tx, rows.keys) == 1
    found = sessions.find(rows.tx, rows.keys, token_hash("mine"), now=NOW, seen_since=NOW)
    rows.tx.add(
        Session(
            account_id=owner,
            token_hash=token_hash("thief"),
            device="",
            created_at=NOW,
            seen_at=NOW,
            expires_at=NOW + DAY,
        )
    )
    settlement.settle(rows.tx, rows.keys, schema.newest())

    assert found is not None
    assert sessions.find(rows.tx, rows.keys, token_hash("thief"), now=NOW, seen_since=NOW) is None


def test_every_address_is_found_however_it_was_and_is_spelled(rows: Rows) -> None:
    group = rows.group()
    mine = account(rows, LARGE)
    invited = accounts.invite(
        rows.tx, rows.keys, group_id=group, address=LARGE, role=Role.VIEWER, now=NOW, expires_at=NOW + DAY
    )
    as_written_before(rows, Invitation, invited, LARGE)
    member = rows.member(group)
    contact(rows, LARGE, member_id=member)
    assert accounts.at_address(rows.tx, rows.keys, SMALL) is None

    changed = settlement.unite_spellings(rows.tx, rows.keys)

    assert changed == 3
    found = accounts.at_address(rows.tx, rows.keys, "HANA@EXAMPLE.JP")
    assert found is not None
    assert (found.id, found.address) == (mine, LARGE), "mail goes to the spelling that its owner gave"
    assert [one.id for one in accounts.invitations_to(rows.tx, rows.keys, SMALL, NOW)] == [invited]
    accounts.link_members(rows.tx, rows.keys, found)
    assert [one.member_id for one in accounts.memberships(rows.tx, rows.keys, mine)] == [member]
    assert settlement.unite_spellings(rows.tx, rows.keys) == 0, "a second time there is nothing to do"


@pytest.mark.parametrize("first", [SMALL, LARGE])
def test_two_accounts_of_one_address_become_one_with_all_that_is_theirs(rows: Rows, first: str) -> None:
    second = LARGE if first == SMALL else SMALL
    older, newer = account(rows, first), account(rows, second)
    members = []
    for one, label in ((older, "田中家"), (newer, "鈴木家")):
        members.append(rows.member(rows.group(label)))
        accounts.set_account(rows.tx, rows.keys, members[-1], one)
        session(rows, one, label.encode())
    passkeys.add(
        rows.tx, rows.keys, account_id=newer, credential_id=b"id", public_key=b"k", sign_count=0, device="", now=NOW
    )

    settlement.unite_spellings(rows.tx, rows.keys)
    settlement.prove_rows(rows.tx, rows.keys)

    (one,) = rows.column(Account.id)
    assert [found.member_id for found in accounts.memberships(rows.tx, rows.keys, one)] == members
    assert rows.column(Session.account_id) == [one, one]
    assert [found.id for found in passkeys.of_account(rows.tx, one)] == [1]
    assert settlement.divided(rows.tx, rows.keys) == []


def test_two_accounts_in_one_group_stay_and_the_operator_is_asked(rows: Rows) -> None:
    group, older, newer = rows.group(), account(rows, SMALL), account(rows, LARGE)
    for one, role in ((older, Role.OWNER), (newer, Role.VIEWER)):
        accounts.set_account(rows.tx, rows.keys, rows.member(group, role=role), one)

    settlement.unite_spellings(rows.tx, rows.keys)

    assert settlement.divided(rows.tx, rows.keys) == [Divided("accounts", (older, newer))]
    found = accounts.at_address(rows.tx, rows.keys, LARGE)
    assert found is not None
    assert found.id == older
    assert rows.column(Member.account_id) == [older, newer]

    passkeys.add(
        rows.tx, rows.keys, account_id=newer, credential_id=b"id", public_key=b"k", sign_count=0, device="", now=NOW
    )
    groups.remove_member(rows.tx, rows.column(Member.id)[1])
    settlement.unite_spellings(rows.tx, rows.keys)
    assert settlement.divided(rows.tx, rows.keys) == []
    kept = passkeys.find(rows.tx, rows.keys, b"id")
    assert kept is not None
    assert kept.account_id == older, "a passkey of the one leads into the other"


def test_two_equal_contacts_become_one_with_its_messages(rows: Rows) -> None:
    member = rows.member(rows.group())
    older, newer = contact(rows, LARGE, member_id=member), contact(rows, SMALL, member_id=member)
    message = rows.message(newer, channel=ChannelName.EMAIL)

    settlement.unite_spellings(rows.tx, rows.keys)

    (left,) = rows.column(Contact.id)
    assert left in (older, newer)
    assert rows.one(Message.contact_id, message) == left
    assert settlement.divided(rows.tx, rows.keys) == []


def test_a_contact_that_was_stopped_is_never_mixed_with_one_that_was_not(rows: Rows) -> None:
    member = rows.member(rows.group())
    stopped = contact(rows, LARGE, ContactState.OPTED_OUT, member_id=member)
    other = contact(rows, SMALL, member_id=member)

    settlement.unite_spellings(rows.tx, rows.keys)

    assert settlement.divided(rows.tx, rows.keys) == [Divided("contacts", (stopped, other))]
    assert rows.column(Contact.state) == [ContactState.OPTED_OUT, ContactState.CONFIRMED]


def test_contacts_of_two_owners_with_one_mailbox_stay_two(rows: Rows) -> None:
    group = rows.group()
    one, other = rows.member(group), rows.member(group)
    kept = [contact(rows, LARGE, member_id=one), contact(rows, SMALL, member_id=other)]

    settlement.unite_spellings(rows.tx, rows.keys)

    assert rows.column(Contact.id) == kept
    assert len(set(rows.column(Contact.address_index))) == 1


def test_it_runs_with_the_migration_and_only_then(empty_database_url: str, keys: KeyRing) -> None:
    database = Database(empty_database_url, durable=False)
    schema.migrate(database, settlement.settling(keys))
    with database.writing() as tx:
        owner = accounts.add(tx, keys, address=SMALL, language=Language.JAPANESE, now=NOW)
        session(Rows(tx, keys), owner.id, token_hash("mine"))
        tx.execute(update(Session).values(token_proof=None))
    schema.migrate(database, settlement.settling(keys))
    with database.reading() as tx:
        assert tx.scalars(select(Session.token_proof)).all() == [None], "there was nothing to migrate"

    with database.writing() as tx:
        tx.execute(text("DELETE FROM sessions"))
    database.close()


def test_a_migration_without_the_keys_of_its_rows_does_not_happen(rows: Rows) -> None:
    other, version = read_keys([new_key()]), "0009"
    settlement.settle(rows.tx, None, version)
    mine = account(rows, LARGE)
    session(rows, mine, token_hash("mine"))
    rows.tx.execute(update(Session).values(token_proof=None))

    for keys in (None, other):
        with pytest.raises(SettingsError):
            settlement.settle(rows.tx, keys, version)
    assert rows.column(Session.token_proof) == [None]
    settlement.settle(rows.tx, rows.keys, version)

    assert sessions.find(rows.tx, rows.keys, token_hash("mine"), now=NOW, seen_since=NOW) is not None


def test_what_a_lost_key_has_sealed_stays_as_it_is(rows: Rows) -> None:
    lost = Rows(rows.tx, read_keys([new_key()]))
    account(lost, "Lost@example.jp")
    mine = account(rows, LARGE)
    before = rows.column(Account.address_index)[0]

    settlement.settle(rows.tx, rows.keys, "0009")

    assert rows.column(Account.address_index)[0] == before
    found = accounts.at_address(rows.tx, rows.keys, SMALL)
    assert found is not None
    assert found.id == mine


def test_versions_know_which_came_before() -> None:
    assert schema.is_before("0009", "0016")
    assert not schema.is_before("0016", "0016")
    assert not schema.is_before(schema.newest(), "0016")


def test_roles_and_invitations_from_before_are_proved_with_their_columns_and_no_session_of_then_is(rows: Rows) -> None:
    owner, group = rows.account(), rows.group()
    member = rows.member(group)
    accounts.set_account(rows.tx, rows.keys, member, owner)
    session(rows, owner, token_hash("thief"))
    accounts.invite(rows.tx, rows.keys, group_id=group, address=SMALL, role=Role.VIEWER, now=NOW, expires_at=NOW + DAY)
    rows.tx.execute(update(Member).values(proof=None))
    rows.tx.execute(update(Invitation).values(proof=None))
    rows.tx.execute(update(Session).values(token_proof=None))
    assert accounts.memberships(rows.tx, rows.keys, owner) == []

    settlement.settle(rows.tx, rows.keys, "0020")

    assert [one.member_id for one in accounts.memberships(rows.tx, rows.keys, owner)] == [member]
    assert len(accounts.invitations_of(rows.tx, rows.keys, group, NOW)) == 1
    assert sessions.find(rows.tx, rows.keys, token_hash("thief"), now=NOW, seen_since=NOW) is None
    rows.tx.execute(update(Member).values(proof=None))
    settlement.settle(rows.tx, rows.keys, schema.newest())
    assert accounts.memberships(rows.tx, rows.keys, owner) == [], "later nothing proves a row"


def test_without_the_keys_roles_from_before_are_not_migrated(rows: Rows) -> None:
    rows.account()

    for keys in (None, read_keys([new_key()])):
        with pytest.raises(SettingsError):
            settlement.settle(rows.tx, keys, "0020")


def test_members_whose_role_was_written_past_the_program_are_named(rows: Rows) -> None:
    group = rows.group()
    mine, raised = rows.member(group), rows.member(group, role=Role.VIEWER)
    assert settlement.unproved_roles(rows.tx, rows.keys) == []

    rows.change(Member, raised, role=Role.OWNER)

    assert settlement.unproved_roles(rows.tx, rows.keys) == [raised]
    assert mine not in settlement.unproved_roles(rows.tx, rows.keys)
