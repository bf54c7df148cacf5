"""Contacts: sealed addresses, whose they are, and whether they may be told."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from reminder.domain.audience import Recipient
from reminder.domain.people import ChannelName, ConsentHow, ContactState, Language, Role
from reminder.storage.keys import KeyRing
from reminder.storage.tables import Contact, Member, Person

ADDRESS = "contacts.address"


@dataclass(frozen=True)
class ContactView:
    id: int
    person_id: int | None
    member_id: int | None
    is_family: bool
    channel: ChannelName
    address: str
    state: ContactState


def add(
    tx: Session,
    keys: KeyRing,
    *,
    person_id: int | None,
    member_id: int | None,
    is_family: bool,
    channel: ChannelName,
    address: str,
    consent_how: ConsentHow | None,
    consent_by: str | None,
    confirmed: bool,
    now: datetime,
) -> int:
    contact = Contact(
        person_id=person_id,
        member_id=member_id,
        is_family=is_family,
        channel=channel,
        address_sealed=keys.seal(address, ADDRESS),
        address_index=keys.blind_index(address),
        state=ContactState.CONFIRMED if confirmed else ContactState.UNCONFIRMED,
        consent_how=consent_how,
        consent_by=consent_by,
        consent_at=now if confirmed else None,
        created_at=now,
    )
    tx.add(contact)
    tx.flush()
    return contact.id


def is_known(
    tx: Session, keys: KeyRing, *, person_id: int | None, member_id: int | None, channel: ChannelName, address: str
) -> bool:
    query = select(Contact.id).where(
        Contact.channel == channel,
        Contact.address_index.in_(keys.blind_indexes(address)),
        Contact.person_id == person_id if person_id is not None else Contact.member_id == member_id,
    )
    return tx.execute(query).first() is not None


def group_has_member(tx: Session, keys: KeyRing, *, group_id: int, address: str) -> bool:
    query = (
        select(Contact.id)
        .join(Member, Member.id == Contact.member_id)
        .where(Member.group_id == group_id, Contact.address_index.in_(keys.blind_indexes(address)))
    )
    return tx.execute(query).first() is not None


def of_group(tx: Session, keys: KeyRing, group_id: int | None) -> list[ContactView]:
    """All contacts where `group_id` is None. Opens every address: for lists people asked for, never for planning."""
    query = (
        select(Contact)
        .outerjoin(Person, Person.id == Contact.person_id)
        .outerjoin(Member, Member.id == Contact.member_id)
        .order_by(Contact.id)
    )
    if group_id is not None:
        query = query.where((Person.group_id == group_id) | (Member.group_id == group_id))
    return [
        ContactView(
            id=row.id,
            person_id=row.person_id,
            member_id=row.member_id,
            is_family=row.is_family,
            channel=ChannelName(row.channel),
            address=keys.open(row.address_sealed, ADDRESS),
            state=ContactState(row.state),
        )
        for row in tx.scalars(query)
    ]


def of_people(tx: Session, person_ids: Sequence[int]) -> list[tuple[int, Recipient]]:
    """(person id, recipient) of persons' own and family contacts, without addresses."""
    rows = tx.execute(
        select(Contact.id, Contact.person_id, Contact.is_family, Contact.channel, Contact.state, Person.language)
        .join(Person, Person.id == Contact.person_id)
        .where(Contact.person_id.in_(person_ids))
        .order_by(Contact.id)
    )
    return [
        (
            person_id,
            Recipient(
                contact_id=contact_id,
                owner=("family", contact_id) if is_family else ("person", person_id),
                channel=ChannelName(channel),
                state=ContactState(state),
                language=Language.JAPANESE if is_family else Language(language),
            ),
        )
        for contact_id, person_id, is_family, channel, state, language in rows
        if person_id is not None
    ]


def of_members(tx: Session, group_ids: Sequence[int]) -> list[tuple[int, Recipient]]:
    """(group id, recipient) of the members of these groups."""
    rows = tx.execute(
        select(
            Contact.id, Contact.member_id, Contact.channel, Contact.state, Member.group_id, Member.language, Member.role
        )
        .join(Member, Member.id == Contact.member_id)
        .where(Member.group_id.in_(group_ids))
        .order_by(Contact.id)
    )
    return [
        (
            group_id,
            Recipient(
                contact_id=contact_id,
                owner=("member", member_id or 0),
                channel=ChannelName(channel),
                state=ContactState(state),
                language=Language(language),
                role=Role(role),
            ),
        )
        for contact_id, member_id, channel, state, group_id, language, role in rows
    ]


def group_of(tx: Session, contact_id: int) -> int | None:
    query = (
        select(Person.group_id, Member.group_id)
        .select_from(Contact)
        .outerjoin(Person, Person.id == Contact.person_id)
        .outerjoin(Member, Member.id == Contact.member_id)
        .where(Contact.id == contact_id)
    )
    row = tx.execute(query).one_or_none()
    return None if row is None else row[0] or row[1]


def set_state(tx: Session, contact_ids: Iterable[int], state: ContactState) -> None:
    """Whoever says no is not told any more, whatever was before; otherwise only one that is being told can change."""
    ids = list(contact_ids)
    if ids:
        change = update(Contact).where(Contact.id.in_(ids)).values(state=state)
        if state is not ContactState.OPTED_OUT:
            change = change.where(Contact.state == ContactState.CONFIRMED)
        tx.execute(change)


def confirm(tx: Session, contact_id: int, *, how: ConsentHow, by: str, now: datetime) -> bool:
    """False for one whose owner said no."""
    confirmed = tx.execute(
        update(Contact)
        .where(Contact.id == contact_id, Contact.state != ContactState.OPTED_OUT)
        .values(state=ContactState.CONFIRMED, consent_how=how, consent_by=by, consent_at=now)
        .returning(Contact.id)
    )
    return confirmed.first() is not None
