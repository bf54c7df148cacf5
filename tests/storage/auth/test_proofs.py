"""Rows that sign somebody in are worth nothing without a proof by the key ring."""

from collections.abc import Callable

import pytest
from sqlalchemy import update

from reminder.domain.model.people import Role
from reminder.storage.auth import accounts, api_tokens, calendar_feeds, passkeys, proofs, sessions
from reminder.storage.auth.proofs import PROOFS, Proof
from reminder.storage.crypto.keyring import new_key, read_keys, token_hash
from reminder.storage.db.session import Database
from reminder.storage.db.tables import Member, Session
from reminder.storage.maintenance import key_rotation
from tests.storage.conftest import DAY, NOW, Rows

TOKEN, INVITED = token_hash("t"), "ane@example.jp"


def filled(rows: Rows) -> dict[str, Callable[[], object]]:
    """One row of each kind; by its name, whether it is found."""
    account, group = rows.account(), rows.group()
    member = rows.member(group)
    sessions.add(
        rows.tx,
        rows.keys,
        account_id=account,
        member_id=None,
        token_hash=TOKEN,
        device="",
        now=NOW,
        expires_at=NOW + DAY,
    )
    rows.token(member, group, TOKEN)
    calendar_feeds.add(rows.tx, rows.keys, member_id=member, token_hash=TOKEN, is_private=False, now=NOW)
    passkeys.add(
        rows.tx,
        rows.keys,
        account_id=account,
        credential_id=b"id",
        public_key=b"key",
        sign_count=0,
        device="",
        now=NOW,
    )
    accounts.set_account(rows.tx, rows.keys, member, account)
    accounts.invite(
        rows.tx, rows.keys, group_id=group, address=INVITED, role=Role.VIEWER, now=NOW, expires_at=NOW + DAY
    )
    return {
        "members.proof": lambda: accounts.memberships(rows.tx, rows.keys, account) or None,
        "invitations.proof": lambda: accounts.invitations_to(rows.tx, rows.keys, INVITED, NOW) or None,
        "sessions.token_proof": lambda: sessions.find(rows.tx, rows.keys, TOKEN, now=NOW, seen_since=NOW),
        "api_tokens.token_proof": lambda: api_tokens.find(rows.tx, rows.keys, TOKEN),
        "calendar_feeds.token_proof": lambda: calendar_feeds.find(rows.tx, rows.keys, TOKEN),
        "passkeys.proof": lambda: passkeys.find(rows.tx, rows.keys, b"id"),
    }


def test_every_row_is_found_with_its_proof(rows: Rows) -> None:
    found = filled(rows)

    assert set(found) == {of.name for of in PROOFS}
    assert all(find() is not None for find in found.values())
    for of in PROOFS:
        (row,) = rows.tx.execute(of.rows())
        assert proofs.row_is_proved(rows.keys, of, row)
        assert proofs.prove_row(rows.keys, of, row) == row[1]


@pytest.mark.parametrize("of", PROOFS, ids=lambda of: of.name)
@pytest.mark.parametrize(
    "proof",
    [None, b"", b"\0" * 36, proofs.prove(read_keys([new_key()]), proofs.SESSION, TOKEN, 1)],
    ids=["none", "empty", "made up", "of another ring"],
)
def test_a_row_that_somebody_without_a_key_has_written_is_nobody_s(rows: Rows, of: Proof, proof: bytes | None) -> None:
    find = filled(rows)[of.name]

    rows.tx.execute(update(of.table).values({of.column: proof}))

    assert find() is None


@pytest.mark.parametrize(
    ("of", "column"), [(of, column) for of in PROOFS for column in of.over], ids=lambda one: getattr(one, "name", one)
)
def test_a_row_that_was_turned_into_another_s_is_nobody_s(rows: Rows, of: Proof, column: str) -> None:
    """The proof says what the row grants, and to whom: each of its columns is tried."""
    find = filled(rows)[of.name]
    other = {
        "account_id": lambda: rows.account("taro@example.jp"),
        "member_id": lambda: rows.member(rows.group()),
        "made_by": lambda: rows.member(rows.group()),
        "group_id": rows.group,
        "scopes": lambda: "erase",
        "public_key": lambda: b"mine",
        "token_hash": lambda: token_hash("other"),
        "credential_id": lambda: b"other",
        "role": lambda: Role.EDITOR,
        "id": lambda: 77,
    }[column]

    if column in ("token_hash", "credential_id", "id"):
        # It is looked for by these: a proof of one is none of another.
        (row,) = rows.tx.execute(of.rows())
        changed = (other(), *row[3:]) if column == of.over[0] else ()
        assert not proofs.is_proved(rows.keys, of, row[1], *changed)
    else:
        rows.tx.execute(update(of.table).values({column: other()}))
        assert find() is None


def test_values_do_not_run_into_each_other(rows: Rows) -> None:
    proof = proofs.prove(rows.keys, proofs.SESSION, "1", "23")

    assert proofs.is_proved(rows.keys, proofs.SESSION, proof, "1", "23")
    assert not proofs.is_proved(rows.keys, proofs.SESSION, proof, "12", "3")
    assert not proofs.is_proved(rows.keys, proofs.PASSKEY, proof, "1", "23")


def test_a_change_of_keys_keeps_every_proof_and_makes_none(database: Database) -> None:
    old = new_key()
    before, after = read_keys([old]), read_keys([new_key(), old])
    with database.writing() as tx:
        filled(Rows(tx, before))
        rows = Rows(tx, before)
        forged = rows.account("taro@example.jp")
        tx.add(
            Session(account_id=forged, token_hash=b"f", device="", created_at=NOW, seen_at=NOW, expires_at=NOW + DAY)
        )

    renewed = [key_rotation.renew_proofs(database, after, of) for of in PROOFS]

    assert renewed == [1] * len(PROOFS)
    assert [key_rotation.renew_proofs(database, after, of) for of in PROOFS] == [0] * len(PROOFS)
    alone = read_keys(after.written()[:1])
    with database.writing() as tx:
        assert sessions.find(tx, alone, TOKEN, now=NOW, seen_since=NOW) is not None
        assert api_tokens.find(tx, alone, TOKEN) is not None
        assert calendar_feeds.find(tx, alone, TOKEN) is not None
        assert passkeys.find(tx, alone, b"id") is not None
        assert sessions.find(tx, alone, b"f", now=NOW, seen_since=NOW) is None


def test_whoever_writes_a_role_into_the_database_has_none(rows: Rows) -> None:
    """Raised, given away, or written anew: the session, the token and the list of groups know no such role."""
    account, group, other = rows.account(), rows.group(), rows.group()
    member = rows.member(group, role=Role.VIEWER)
    accounts.set_account(rows.tx, rows.keys, member, account)
    sessions.add(
        rows.tx,
        rows.keys,
        account_id=account,
        member_id=member,
        token_hash=TOKEN,
        device="",
        now=NOW,
        expires_at=NOW + DAY,
    )
    rows.token(member, group, TOKEN)

    def roles() -> tuple[bool, bool, int]:
        session = sessions.find(rows.tx, rows.keys, TOKEN, now=NOW, seen_since=NOW)
        assert session is not None
        token = api_tokens.find(rows.tx, rows.keys, TOKEN)
        return session.who is not None, token is not None, len(accounts.memberships(rows.tx, rows.keys, account))

    assert roles() == (True, True, 1)
    rows.change(Member, member, role=Role.OWNER)
    assert roles() == (False, False, 0)
    assert not accounts.set_role(rows.tx, rows.keys, member, Role.OWNER), "nothing makes a false row a true one"
    assert not accounts.set_account(rows.tx, rows.keys, member, account)
    (shown,) = accounts.members(rows.tx, rows.keys, group)
    assert not shown.is_proved
    rows.change(Member, member, role=Role.VIEWER)
    assert roles() == (True, True, 1)
    rows.change(Member, member, group_id=other)
    assert roles()[::2] == (False, 0)
    rows.tx.add(Member(group_id=rows.group(), account_id=account, role=Role.OWNER, language="ja", created_at=NOW))
    rows.tx.flush()
    assert roles()[2] == 0
