"""Who is in a group: new households, invitations, roles, and leaving."""

from datetime import datetime, timedelta

from reminder.clock import japan_date
from reminder.domain import addresses
from reminder.domain.access import Actor
from reminder.domain.messages import MessageKind, Urgency
from reminder.domain.people import Audience, ChannelName, GroupKind, Role
from reminder.domain.rulebook import Rulebook
from reminder.domain.text import composer as wording
from reminder.errors import ConflictError, NotFoundError
from reminder.guard.text import clean_label
from reminder.storage import accounts, cards, contacts, groups, journal, outbox, sessions
from reminder.storage.accounts import AccountView, MemberView
from reminder.storage.keys import KeyRing
from reminder.storage.outbox import Draft
from reminder.storage.session import Database, Tx
from reminder.storage.sessions import SignedIn

INVITED_FOR = timedelta(days=14)
MOST_INVITATIONS = 20
# A household is a family: whoever needs more signs in with another address.
MOST_GROUPS = 10


def found_household(
    database: Database, keys: KeyRing, now: datetime, *, signed_in: SignedIn, name: str, member_name: str
) -> int:
    """A new household whose owner is this account; the session looks at it from now on."""
    clean_name = clean_label(name, field="group_name", longest=60, most_digits=8)
    clean_member = clean_label(member_name, field="member_name") if member_name else ""
    with database.writing() as tx:
        account = _account(tx, keys, signed_in)
        if len(accounts.memberships(tx, account.id)) >= MOST_GROUPS:
            raise ConflictError("too_many_groups", field="group_name")
        group_id = groups.add(tx, name=clean_name, kind=GroupKind.HOUSEHOLD, now=now)
        journal.write(tx, "group_added", now, group_id=group_id)
        member_id = _join(tx, keys, account, group_id, Role.OWNER, now)
        groups.name_member(tx, member_id, clean_member)
        sessions.act_as(tx, signed_in.session_id, member_id)
    return group_id


def invite(
    database: Database, keys: KeyRing, rules: Rulebook, now: datetime, *, who: Actor, email: str, role: Role
) -> int:
    """An e-mail tells them to sign in with that very address; there the invitation waits for a fortnight."""
    address = addresses.read_email(email, field="email")
    with database.writing() as tx:
        group = groups.find(tx, who.group_id)
        if group is None:
            raise NotFoundError(field="group")
        groups.lock(tx, group.id)
        if contacts.group_has_member(tx, keys, group_id=group.id, address=address) or _is_member(
            tx, keys, group.id, address
        ):
            raise ConflictError("member_known", field="email")
        waiting = accounts.invitations_of(tx, keys, group.id, now)
        if any(one.address == address for one in waiting):
            raise ConflictError("invited_already", field="email")
        if len(waiting) >= MOST_INVITATIONS:
            raise ConflictError("too_many_invitations", field="email")
        invitation = accounts.invite(
            tx, keys, group_id=group.id, address=address, role=role, now=now, expires_at=now + INVITED_FOR
        )
        said = wording.compose_invitation(rules.wording, who.language, group.name)
        draft = Draft(
            key=f"invitation:{invitation}",
            kind=MessageKind.INVITATION,
            group_id=group.id,
            contact_id=None,
            address=address,
            audience=Audience.CARER,
            channel=ChannelName.EMAIL,
            subject=said.subject,
            text=said.text,
            segments=0,
            send_after=now,
            stale_after=now + INVITED_FOR,
            urgency=Urgency.ANSWER,
            language=who.language,
        )
        outbox.add(tx, keys, [draft], now)
        journal.write(tx, "member_invited", now, group_id=group.id, member_id=who.member_id)
    return invitation


def take_back(database: Database, keys: KeyRing, now: datetime, *, who: Actor, invitation_id: int) -> None:
    with database.writing() as tx:
        if not any(one.id == invitation_id for one in accounts.invitations_of(tx, keys, who.group_id, now)):
            raise NotFoundError(field="invitation")
        accounts.end_invitation(tx, invitation_id, now)
        journal.write(tx, "invitation_ended", now, group_id=who.group_id, member_id=who.member_id)


def answer(
    database: Database, keys: KeyRing, now: datetime, *, signed_in: SignedIn, invitation_id: int, accepts: bool
) -> None:
    """By whoever is signed in with the invited address. Raises NotFoundError for anybody else."""
    with database.writing() as tx:
        account = _account(tx, keys, signed_in)
        mine = [one for one in accounts.invitations_to(tx, keys, account.address, now) if one.id == invitation_id]
        if not mine:
            raise NotFoundError(field="invitation")
        groups.lock(tx, mine[0].group_id)
        if not accounts.end_invitation(tx, invitation_id, now):
            raise NotFoundError(field="invitation")
        if not accepts:
            journal.write(tx, "invitation_ended", now, group_id=mine[0].group_id)
            return
        if any(one.group_id == mine[0].group_id for one in accounts.memberships(tx, account.id)):
            return
        member_id = _join(tx, keys, account, mine[0].group_id, mine[0].role, now)
        sessions.act_as(tx, signed_in.session_id, member_id)


def set_role(database: Database, keys: KeyRing, now: datetime, *, who: Actor, member_id: int, role: Role) -> None:
    """Raises ConflictError where the last owner would be none any more."""
    with database.writing() as tx:
        groups.lock(tx, who.group_id)
        member = _member(tx, keys, who, member_id)
        if member.role is Role.OWNER and role is not Role.OWNER:
            _refuse_without_owner(tx, keys, who.group_id, member_id)
        groups.set_role(tx, member_id, role)
        cards.look_again_at_group(tx, who.group_id, japan_date(now))
        journal.write(tx, "member_changed", now, group_id=who.group_id, member_id=member_id)


def remove(database: Database, keys: KeyRing, now: datetime, *, who: Actor, member_id: int) -> None:
    """A member, or who acts themselves. Raises ConflictError for the last owner."""
    with database.writing() as tx:
        groups.lock(tx, who.group_id)
        if _member(tx, keys, who, member_id).role is Role.OWNER:
            _refuse_without_owner(tx, keys, who.group_id, member_id)
        groups.remove_member(tx, member_id)
        cards.look_again_at_group(tx, who.group_id, japan_date(now))
        journal.write(tx, "member_removed", now, group_id=who.group_id, member_id=member_id)


def rename_member(database: Database, now: datetime, *, who: Actor, name: str) -> None:
    """What the others of the group call who acts."""
    clean = clean_label(name, field="member_name") if name else ""
    with database.writing() as tx:
        groups.name_member(tx, who.member_id, clean)
        journal.write(tx, "member_changed", now, group_id=who.group_id, member_id=who.member_id)


def rename_group(database: Database, now: datetime, *, who: Actor, name: str) -> None:
    clean = clean_label(name, field="group_name", longest=60, most_digits=8)
    with database.writing() as tx:
        groups.lock(tx, who.group_id)
        groups.rename(tx, who.group_id, clean)
        # It stands in the texts.
        cards.look_again_at_group(tx, who.group_id, japan_date(now))
        journal.write(tx, "group_changed", now, group_id=who.group_id, member_id=who.member_id)


def set_organisation(
    database: Database, now: datetime, *, group_id: int, organisation: str, by: int | None = None
) -> None:
    """Whose home it is; "" where it stands alone. Nobody sees another home by it of which they are no member."""
    clean = clean_label(organisation, field="organisation", longest=60, most_digits=8) if organisation.strip() else ""
    with database.writing() as tx:
        group = groups.find(tx, group_id)
        if group is None:
            raise NotFoundError(field="group")
        if group.organisation != clean:
            groups.set_organisation(tx, group_id, clean)
            journal.write(tx, "group_changed", now, group_id=group_id, member_id=by)


def _account(tx: Tx, keys: KeyRing, signed_in: SignedIn) -> AccountView:
    account = accounts.find(tx, keys, signed_in.account_id)
    if account is None:
        raise NotFoundError(field="member")
    return account


def _is_member(tx: Tx, keys: KeyRing, group_id: int, address: str) -> bool:
    account = accounts.at_address(tx, keys, address)
    return account is not None and any(one.group_id == group_id for one in accounts.memberships(tx, account.id))


def _join(tx: Tx, keys: KeyRing, account: AccountView, group_id: int, role: Role, now: datetime) -> int:
    member_id = groups.add_member(tx, group_id=group_id, role=role, language=account.language, now=now)
    accounts.set_account(tx, member_id, account.id)
    contact_id = contacts.add(
        tx,
        keys,
        person_id=None,
        member_id=member_id,
        is_family=False,
        channel=ChannelName.EMAIL,
        address=account.address,
        consent_how=None,
        consent_by=None,
        confirmed=True,
        now=now,
    )
    # Whoever has just typed a code from their mail reads it.
    contacts.reached(tx, [contact_id], now)
    cards.look_again_at_group(tx, group_id, japan_date(now))
    journal.write(tx, "member_added", now, group_id=group_id, member_id=member_id, contact_id=contact_id)
    return member_id


def _member(tx: Tx, keys: KeyRing, who: Actor, member_id: int) -> MemberView:
    found = next((one for one in accounts.members(tx, keys, who.group_id) if one.id == member_id), None)
    if found is None:
        raise NotFoundError(field="member")
    return found


def _refuse_without_owner(tx: Tx, keys: KeyRing, group_id: int, member_id: int) -> None:
    members = accounts.members(tx, keys, group_id)
    if not any(one.role is Role.OWNER and one.id != member_id for one in members):
        raise ConflictError("last_owner", field="member")
