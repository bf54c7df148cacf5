"""Membership: new households, invitations, roles, and leaving a group."""

from datetime import timedelta

from reminder.domain.model.access import Actor
from reminder.domain.model.account_acts import AccountAct
from reminder.domain.model.consent_records import ConsentWay
from reminder.domain.model.messages import MessageKind, Urgency
from reminder.domain.model.people import Audience, ChannelName, GroupKind, Role
from reminder.domain.parsing import addresses
from reminder.domain.rules.quotas import AddressQuota, Quota
from reminder.enrolment.identity import owner_mails
from reminder.enrolment.records import refuse_hidden_number
from reminder.errors import ConflictError, NotFoundError
from reminder.guard.text import clean_label
from reminder.storage.auth import accounts, sessions
from reminder.storage.auth.accounts import AccountView, MemberView
from reminder.storage.auth.sessions import SignedIn
from reminder.storage.db.locks import lock
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.outbox import queue
from reminder.storage.outbox.queue import MessageDraft
from reminder.storage.registry import cards, contacts, group_standing, groups, quotas
from reminder.storage.runtime import activity_log

INVITED_FOR = timedelta(days=14)
_TO_ONE_ADDRESS = (AddressQuota.INVITATIONS_AN_HOUR, AddressQuota.INVITATIONS_A_DAY)
# A household is a family; anyone who needs more groups uses another address.
MOST_GROUPS = 10


def found_household(
    uow: UnitOfWork, *, signed_in: SignedIn, name: str, member_name: str, on_trial: bool = False
) -> int:
    """Found a household with this account as its owner and return its id; the session switches to it.

    `on_trial`: until the operator approves it, because nobody knows who signed up.
    """
    clean_name = clean_label(name, field="group_name", longest=60, most_digits=8)
    clean_member = clean_label(member_name, field="member_name") if member_name else ""
    refuse_hidden_number(clean_name, clean_member)
    account = _account(uow, signed_in)
    lock(uow.tx, f"groups of account {account.id}")
    if len(accounts.memberships(uow.tx, uow.keys, account.id)) >= MOST_GROUPS:
        raise ConflictError("too_many_groups", field="group_name")
    group_id = groups.add(uow.tx, name=clean_name, kind=GroupKind.HOUSEHOLD, now=uow.now)
    if on_trial:
        group_standing.begin_trial(uow.tx, group_id, uow.now)
    activity_log.write(uow.tx, "group_added", uow.now, group_id=group_id)
    member_id = _join(uow, account, group_id, Role.OWNER)
    groups.name_member(uow.tx, member_id, clean_member)
    sessions.act_as(uow.tx, signed_in.session_id, member_id)
    return group_id


def invite(uow: UnitOfWork, *, who: Actor, email: str, role: Role) -> int:
    """Invite an address and return the id of the invitation, which waits for a fortnight.

    An e-mail asks them to sign in with that very address.
    """
    address = addresses.read_email(email, field="email")
    group = groups.find(uow.tx, who.group_id)
    if group is None:
        raise NotFoundError(field="group")
    wanted = dict.fromkeys((Quota.INVITATIONS, Quota.INVITATIONS_A_DAY, Quota.MESSAGES_A_DAY, Quota.MEMBERS), 1)
    quotas.require_room(uow.tx, uow.rules.quotas, group.id, wanted, uow.now)
    if contacts.group_has_member(uow.tx, uow.keys, group_id=group.id, address=address) or _is_member(
        uow, group.id, address
    ):
        raise ConflictError("member_known", field="email")
    waiting = accounts.invitations_of(uow.tx, uow.keys, group.id, uow.now)
    identity = addresses.address_identity(address)
    if any(addresses.address_identity(one.address) == identity for one in waiting):
        raise ConflictError("invited_already", field="email")
    # Withdrawn invitations count too: each was a mail to somebody who did not ask for it.
    quotas.use_address(uow.tx, uow.keys, uow.rules.quotas, address, _TO_ONE_ADDRESS, uow.now)
    quotas.record_use(uow.tx, group.id, Quota.INVITATIONS_A_DAY, uow.now)
    invitation = accounts.invite(
        uow.tx, uow.keys, group_id=group.id, address=address, role=role, now=uow.now, expires_at=uow.now + INVITED_FOR
    )
    said = uow.rules.composer.invitation(who.language, None if group.is_on_trial else group.name)
    draft = MessageDraft(
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
        scheduled_at=uow.now,
        expires_at=uow.now + INVITED_FOR,
        urgency=Urgency.ANSWER,
        language=who.language,
    )
    queue.add(uow.tx, uow.keys, [draft], uow.now)
    activity_log.write(uow.tx, "member_invited", uow.now, group_id=group.id, member_id=who.member_id)
    return invitation


def take_back(uow: UnitOfWork, *, who: Actor, invitation_id: int) -> None:
    """Withdraw an invitation. Raises NotFoundError."""
    if not any(one.id == invitation_id for one in accounts.invitations_of(uow.tx, uow.keys, who.group_id, uow.now)):
        raise NotFoundError(field="invitation")
    accounts.end_invitation(uow.tx, invitation_id, uow.now)
    activity_log.write(uow.tx, "invitation_ended", uow.now, group_id=who.group_id, member_id=who.member_id)


def answer(uow: UnitOfWork, *, signed_in: SignedIn, invitation_id: int, accepts: bool) -> None:
    """Accept or decline an invitation; only the invited address may. Raises NotFoundError for anybody else."""
    account = _account(uow, signed_in)
    mine = [
        one for one in accounts.invitations_to(uow.tx, uow.keys, account.address, uow.now) if one.id == invitation_id
    ]
    if not mine:
        raise NotFoundError(field="invitation")
    groups.lock(uow.tx, mine[0].group_id)
    is_member = any(one.group_id == mine[0].group_id for one in accounts.memberships(uow.tx, uow.keys, account.id))
    if accepts and not is_member:
        wanted = {Quota.MEMBERS: 1, Quota.CONTACTS: 1}
        standing = quotas.require_room(uow.tx, uow.rules.quotas, mine[0].group_id, wanted, uow.now)
        if standing.is_suspended:
            raise ConflictError("group_suspended", field="invitation", why=standing.suspended_why)
    if not accounts.end_invitation(uow.tx, invitation_id, uow.now):
        raise NotFoundError(field="invitation")
    if not accepts:
        activity_log.write(uow.tx, "invitation_ended", uow.now, group_id=mine[0].group_id)
        return
    if is_member:
        return
    member_id = _join(uow, account, mine[0].group_id, mine[0].role)
    tell_of_new_member(uow, mine[0].group_id, member_id, device=signed_in.device)
    sessions.act_as(uow.tx, signed_in.session_id, member_id)


def tell_of_new_member(uow: UnitOfWork, group_id: int, member_id: int, *, device: str) -> None:
    """Tell the other owners of a group of a new member."""
    owner_mails.tell_group(uow, AccountAct.MEMBER_ADDED, group_id, device=device, about=member_id, but=member_id)


def set_role(uow: UnitOfWork, *, who: Actor, member_id: int, role: Role) -> None:
    """Set the role of a member. Raises ConflictError if the group would have no owner."""
    groups.lock(uow.tx, who.group_id)
    member = _member(uow, who, member_id)
    if member.role is Role.OWNER and role is not Role.OWNER:
        _refuse_without_owner(uow, who.group_id, member_id)
    if not accounts.set_role(uow.tx, uow.keys, member_id, role):
        raise NotFoundError(field="member")
    if member.role is not role:
        _tell(uow, who, AccountAct.ROLE_CHANGED, member_id)
    cards.schedule_replan_of_group(uow.tx, who.group_id, uow.today)
    activity_log.write(uow.tx, "member_changed", uow.now, group_id=who.group_id, member_id=member_id)


def remove(uow: UnitOfWork, *, who: Actor, member_id: int) -> None:
    """Remove a member, or oneself. Raises ConflictError for the last owner."""
    groups.lock(uow.tx, who.group_id)
    if _member(uow, who, member_id).role is Role.OWNER:
        _refuse_without_owner(uow, who.group_id, member_id)
    _tell(uow, who, AccountAct.MEMBER_REMOVED, member_id)
    groups.remove_member(uow.tx, member_id)
    cards.schedule_replan_of_group(uow.tx, who.group_id, uow.today)
    activity_log.write(uow.tx, "member_removed", uow.now, group_id=who.group_id, member_id=member_id)


def rename_member(uow: UnitOfWork, *, who: Actor, name: str) -> None:
    """Set the name by which the others of the group know this member."""
    clean = clean_label(name, field="member_name") if name else ""
    groups.name_member(uow.tx, who.member_id, clean)
    activity_log.write(uow.tx, "member_changed", uow.now, group_id=who.group_id, member_id=who.member_id)


def rename_group(uow: UnitOfWork, *, who: Actor, name: str) -> None:
    """Set the name of the group."""
    clean = clean_label(name, field="group_name", longest=60, most_digits=8)
    groups.lock(uow.tx, who.group_id)
    group = groups.find(uow.tx, who.group_id)
    refuse_hidden_number(clean, group.organisation if group else None)
    groups.rename(uow.tx, who.group_id, clean)
    # The texts hold the name.
    cards.schedule_replan_of_group(uow.tx, who.group_id, uow.today)
    activity_log.write(uow.tx, "group_changed", uow.now, group_id=who.group_id, member_id=who.member_id)


def set_organisation(uow: UnitOfWork, *, group_id: int, organisation: str, by: int | None = None) -> None:
    """Set the organisation of a home, "" for none.

    The organisation shows nobody a home of which they are not a member.
    """
    clean = clean_label(organisation, field="organisation", longest=60, most_digits=8) if organisation.strip() else ""
    group = groups.find(uow.tx, group_id)
    if group is None:
        raise NotFoundError(field="group")
    refuse_hidden_number(group.name, clean)
    if group.organisation != clean:
        groups.set_organisation(uow.tx, group_id, clean)
        activity_log.write(uow.tx, "group_changed", uow.now, group_id=group_id, member_id=by)


def _tell(uow: UnitOfWork, who: Actor, act: AccountAct, member_id: int) -> None:
    owner_mails.tell_group(uow, act, who.group_id, device=who.device, by=who.member_id, whom=member_id)


def _account(uow: UnitOfWork, signed_in: SignedIn) -> AccountView:
    account = accounts.find(uow.tx, uow.keys, signed_in.account_id)
    if account is None:
        raise NotFoundError(field="member")
    return account


def _is_member(uow: UnitOfWork, group_id: int, address: str) -> bool:
    account = accounts.at_address(uow.tx, uow.keys, address)
    return account is not None and any(
        one.group_id == group_id for one in accounts.memberships(uow.tx, uow.keys, account.id)
    )


def _join(uow: UnitOfWork, account: AccountView, group_id: int, role: Role) -> int:
    member_id = accounts.add_member(
        uow.tx, uow.keys, group_id=group_id, role=role, language=account.language, now=uow.now
    )
    accounts.set_account(uow.tx, uow.keys, member_id, account.id)
    contact_id = contacts.add(
        uow.tx,
        uow.keys,
        person_id=None,
        member_id=member_id,
        is_family=False,
        channel=ChannelName.EMAIL,
        address=account.address,
        consent_how=None,
        consent_by=None,
        confirmed=True,
        way=ConsentWay.SIGN_IN,
        now=uow.now,
    )
    # Somebody has just typed a code from this mailbox, so they read it.
    contacts.record_verified(uow.tx, [contact_id], uow.now)
    cards.schedule_replan_of_group(uow.tx, group_id, uow.today)
    activity_log.write(uow.tx, "member_added", uow.now, group_id=group_id, member_id=member_id, contact_id=contact_id)
    return member_id


def _member(uow: UnitOfWork, who: Actor, member_id: int) -> MemberView:
    found = next((one for one in accounts.members(uow.tx, uow.keys, who.group_id) if one.id == member_id), None)
    if found is None:
        raise NotFoundError(field="member")
    return found


def _refuse_without_owner(uow: UnitOfWork, group_id: int, member_id: int) -> None:
    members = accounts.members(uow.tx, uow.keys, group_id)
    if not any(one.role is Role.OWNER and one.is_proved and one.id != member_id for one in members):
        raise ConflictError("last_owner", field="member")
