"""Accounts, their memberships in groups, and invitations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Row, bindparam, func, select, update
from sqlalchemy.orm import Session, aliased

from reminder.domain.model.people import ChannelName, GroupKind, Language, Role
from reminder.storage.auth.proofs import INVITATION, MEMBER, is_proved, prove, row_is_proved
from reminder.storage.crypto.address_index import address_index_of, address_indexes
from reminder.storage.crypto.keyring import KeyRing
from reminder.storage.db import row_security
from reminder.storage.db.statements import among
from reminder.storage.db.tables import Account, Contact, Group, Invitation, Member
from reminder.storage.registry import contacts

ADDRESS, INVITED = "accounts.address", "invitations.address"


@dataclass(frozen=True)
class AccountView:
    """An account, with its e-mail address and its language."""

    id: int
    address: str
    language: Language


@dataclass(frozen=True)
class Membership:
    """The role of one account in one group."""

    member_id: int
    group_id: int
    group: str
    kind: GroupKind
    role: Role


@dataclass(frozen=True)
class InvitationView:
    """An open invitation of an e-mail address to a group."""

    id: int
    group_id: int
    group: str
    address: str
    role: Role
    expires_at: datetime


def at_address(tx: Session, keys: KeyRing, address: str) -> AccountView | None:
    """Return the account of this e-mail address, None where there is none."""
    query = select(Account).where(Account.address_index.in_(address_indexes(keys, address)))
    row = tx.execute(query).scalar_one_or_none()
    return None if row is None else _view(keys, row)


def find(tx: Session, keys: KeyRing, account_id: int) -> AccountView | None:
    """Return the account with this id, None where there is none."""
    row = tx.get(Account, account_id)
    return None if row is None else _view(keys, row)


def _view(keys: KeyRing, row: Account) -> AccountView:
    return AccountView(row.id, keys.open(row.address_sealed, ADDRESS), Language(row.language))


def add(tx: Session, keys: KeyRing, *, address: str, language: Language, now: datetime) -> AccountView:
    """Add an account, and return it."""
    account = Account(
        address_sealed=keys.seal(address, ADDRESS),
        address_index=address_index_of(keys, address),
        language=language,
        created_at=now,
    )
    tx.add(account)
    tx.flush()
    return AccountView(account.id, address, language)


def set_language(tx: Session, account_id: int, language: Language) -> None:
    """Set the language of an account's pages, and of the e-mails to its members."""
    tx.execute(update(Account).where(Account.id == account_id).values(language=language))
    tx.execute(update(Member).where(Member.account_id == account_id).values(language=language))


def is_awaited(tx: Session, keys: KeyRing, address: str, now: datetime) -> bool:
    """Return whether somebody has an account, is a member, or is invited under this address."""
    return (
        at_address(tx, keys, address) is not None
        or bool(_unlinked(tx, keys, address))
        or bool(invitations_to(tx, keys, address, now))
    )


def add_member(tx: Session, keys: KeyRing, *, group_id: int, role: Role, language: Language, now: datetime) -> int:
    """Add a member to a group, and return their id."""
    member = Member(group_id=group_id, role=role, language=language, created_at=now)
    tx.add(member)
    tx.flush()
    member.proof = prove(keys, MEMBER, member.id, group_id, None, role)
    tx.flush()
    return member.id


def set_role(tx: Session, keys: KeyRing, member_id: int, role: Role) -> bool:
    """Set the role of a member; return False for one whose present role the program has not given."""
    return _change(tx, keys, member_id, {"role": role})


def set_account(tx: Session, keys: KeyRing, member_id: int, account_id: int) -> bool:
    """Link a member to an account; return False for one whose role the program has not given."""
    return _change(tx, keys, member_id, {"account_id": account_id})


def _change(tx: Session, keys: KeyRing, member_id: int, changes: Mapping[str, object]) -> bool:
    """Change what the proof of a member is made over. A row without a proof gets none by it."""
    row = tx.execute(_PROVED.where(Member.id == member_id).with_for_update()).one_or_none()
    if row is None or not row_is_proved(keys, MEMBER, row):
        return False
    after = {**row._mapping, **changes}
    proof = prove(keys, MEMBER, *(after[name] for name in MEMBER.over))
    changed = update(Member).where(Member.id == member_id).values(**changes, proof=proof)
    tx.execute(changed.execution_options(synchronize_session=False))
    return True


_PROVED = MEMBER.rows()


def link_members(tx: Session, keys: KeyRing, account: AccountView) -> None:
    """Link to the account the members that were entered with its address and have not signed in yet."""
    for member_id, group_id in _unlinked(tx, keys, account.address):
        if not any(one.group_id == group_id for one in memberships(tx, keys, account.id)):
            set_account(tx, keys, member_id, account.id)


def _unlinked(tx: Session, keys: KeyRing, address: str) -> list[tuple[int, int]]:
    """Return the unlinked members entered with this address, as (member id, group id).

    Only a member's first address counts, with which they were entered: nobody can add themselves to somebody else's
    account by another.
    """
    row_security.include_address(tx, address_indexes(keys, address))
    other = aliased(Contact)
    first = select(func.min(other.id)).where(other.member_id == Member.id).scalar_subquery()
    rows = tx.execute(
        select(Member.id, Member.group_id)
        .join(Contact, Contact.member_id == Member.id)
        .where(
            Member.account_id.is_(None),
            Contact.channel == ChannelName.EMAIL,
            Contact.address_index.in_(address_indexes(keys, address)),
            Contact.id == first,
        )
        .order_by(Member.id)
    )
    return [(member_id, group_id) for member_id, group_id in rows]


_MEMBERSHIPS = (
    select(Member.id, Member.group_id, Group.name, Group.kind, Member.role, Member.account_id, Member.proof)
    .join(Group, Group.id == Member.group_id)
    .where(Member.account_id == bindparam("account"))
    .order_by(Member.id)
)


def memberships(tx: Session, keys: KeyRing, account_id: int) -> list[Membership]:
    """Return the groups of an account, the oldest membership first; none that the key ring does not prove."""
    with row_security.of_account(tx, account_id):
        rows = tx.execute(_MEMBERSHIPS, {"account": account_id}).all()
    return [
        Membership(row.id, row.group_id, row.name, GroupKind(row.kind), Role(row.role))
        for row in rows
        if is_proved(keys, MEMBER, row.proof, row.id, row.group_id, row.account_id, row.role)
    ]


def invite(
    tx: Session, keys: KeyRing, *, group_id: int, address: str, role: Role, now: datetime, expires_at: datetime
) -> int:
    """Add an invitation, and return its id."""
    invitation = Invitation(
        group_id=group_id,
        address_sealed=keys.seal(address, INVITED),
        address_index=address_index_of(keys, address),
        role=role,
        created_at=now,
        expires_at=expires_at,
    )
    tx.add(invitation)
    tx.flush()
    invitation.proof = prove(keys, INVITATION, invitation.id, group_id, role)
    tx.flush()
    return invitation.id


def invitations_to(tx: Session, keys: KeyRing, address: str, now: datetime) -> list[InvitationView]:
    """Return the open invitations of an e-mail address."""
    indexes = address_indexes(keys, address)
    row_security.include_address(tx, indexes)
    return _invitations(tx, keys, now, Invitation.address_index.in_(indexes))


def invitations_of(tx: Session, keys: KeyRing, group_id: int, now: datetime) -> list[InvitationView]:
    """Return the open invitations to a group."""
    return _invitations(tx, keys, now, Invitation.group_id == group_id)


def _invitations(tx: Session, keys: KeyRing, now: datetime, which: ColumnElement[bool]) -> list[InvitationView]:
    query = (
        select(Invitation, Group.name)
        .join(Group, Group.id == Invitation.group_id)
        .where(which, Invitation.ended_at.is_(None), Invitation.expires_at > now)
        .order_by(Invitation.id)
    )
    return [
        InvitationView(
            row.id, row.group_id, name, keys.open(row.address_sealed, INVITED), Role(row.role), row.expires_at
        )
        for row, name in tx.execute(query)
        if is_proved(keys, INVITATION, row.proof, row.id, row.group_id, row.role)
    ]


def end_invitation(tx: Session, invitation_id: int, now: datetime) -> bool:
    """End an invitation that was accepted, refused or withdrawn; return False where it had ended already."""
    ended = tx.execute(
        update(Invitation)
        .where(Invitation.id == invitation_id, Invitation.ended_at.is_(None), Invitation.expires_at > now)
        .values(ended_at=now)
        .returning(Invitation.id)
    )
    return ended.first() is not None


@dataclass(frozen=True)
class MemberView:
    """A member of a group. `address`: the one they sign in with, or were entered with.

    `is_proved`: whether the program has given them this role; somebody else's row gives no right.
    """

    id: int
    name: str
    role: Role
    language: Language
    copies: str
    address: str | None
    has_signed_in: bool
    is_proved: bool = True


_MEMBERS = select(Member, Account.address_sealed).outerjoin(Account, Account.id == Member.account_id)
_OF_GROUP = _MEMBERS.where(Member.group_id == bindparam("group")).order_by(Member.id)
_ONE = _MEMBERS.where(Member.id == bindparam("member"))


def members(tx: Session, keys: KeyRing, group_id: int) -> list[MemberView]:
    """Return the members of a group, the oldest first."""
    return _members(tx, keys, tx.execute(_OF_GROUP, {"group": group_id}).all())


def member(tx: Session, keys: KeyRing, member_id: int) -> MemberView:
    """Return an existing member, with their address."""
    return _members(tx, keys, tx.execute(_ONE, {"member": member_id}).all())[0]


def _members(tx: Session, keys: KeyRing, rows: Sequence[Row[Member, bytes | None]]) -> list[MemberView]:
    first = _first_addresses(tx, keys, [row.id for row, _ in rows])
    return [
        MemberView(
            id=row.id,
            name=row.name,
            role=Role(row.role),
            language=Language(row.language),
            copies=row.copies,
            address=first.get(row.id) if sealed is None else keys.open(sealed, ADDRESS),
            has_signed_in=sealed is not None,
            is_proved=is_proved(keys, MEMBER, row.proof, row.id, row.group_id, row.account_id, row.role),
        )
        for row, sealed in rows
    ]


def _first_addresses(tx: Session, keys: KeyRing, member_ids: Sequence[int]) -> dict[int, str]:
    rows = tx.execute(
        select(Contact.member_id, Contact.address_sealed)
        .where(among(Contact.member_id, member_ids), Contact.channel == ChannelName.EMAIL)
        .order_by(Contact.id.desc())
    )
    return {member_id: keys.open(sealed, contacts.ADDRESS) for member_id, sealed in rows if member_id is not None}
