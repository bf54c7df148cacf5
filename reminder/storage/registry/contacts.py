"""Contacts: their sealed addresses, their owners, and whether they may be contacted."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, bindparam, exists, func, or_, select, union_all, update
from sqlalchemy.orm import Session

from reminder.domain.model.channels import AddressKind, registered
from reminder.domain.model.consent_records import ConsentAct, ConsentWay, way_of_stop
from reminder.domain.model.messages import MessageKind
from reminder.domain.model.people import (
    ASK_ANEW,
    CONFIRM,
    CONTACT_STATES,
    GIVE_UP,
    RENEW_CONSENT,
    STOP,
    ChannelName,
    ConsentHow,
    ContactState,
    Copies,
    Language,
    Role,
    StoppedBy,
    stops_lifted,
)
from reminder.domain.model.person_states import GONE
from reminder.domain.rules.recipients import Recipient
from reminder.storage.crypto.address_index import address_index_of, address_indexes
from reminder.storage.crypto.keyring import KeyRing, new_row_token
from reminder.storage.db import row_security, sealing
from reminder.storage.db.statements import add_many, among, each, ids_param, in_batches
from reminder.storage.db.tables import CONTACT_ADDRESS, CONTACTS, Contact, Member, Message, Person, PersonLife
from reminder.storage.db.transitions import transition
from reminder.storage.registry import consents

ADDRESS = CONTACT_ADDRESS
_COLUMNS = (
    Contact.id,
    Contact.person_id,
    Contact.member_id,
    Contact.is_family,
    Contact.channel,
    Contact.address_sealed,
    Contact.state,
    Contact.reached_at,
)
_EVERY = select(*_COLUMNS).order_by(Contact.id)
_THESE = select(*_COLUMNS).where(among(Contact.id, ids_param("contacts"))).order_by(Contact.id)
_OF_PERSON = select(*_COLUMNS).where(Contact.person_id == bindparam("person")).order_by(Contact.id)
_OF_MEMBER = select(*_COLUMNS).where(Contact.member_id == bindparam("member")).order_by(Contact.id)
_OF_EVERY_MEMBER = (
    select(*_COLUMNS)
    .join(Member, Member.id == Contact.member_id)
    .where(Member.group_id == bindparam("group"))
    .order_by(Contact.id)
)
# A contact is a person's or a member's. Each condition has an index; joined with OR, all contacts would be read.
_INNER = (*_COLUMNS, Contact.row_token)
_BOTH_WAYS = union_all(
    select(*_INNER).join(Person, Person.id == Contact.person_id).where(Person.group_id == bindparam("group")),
    select(*_INNER).join(Member, Member.id == Contact.member_id).where(Member.group_id == bindparam("group")),
).subquery()
_OF_GROUP = select(_BOTH_WAYS).order_by(_BOTH_WAYS.c.id)
_OWNED = (
    select(*_COLUMNS)
    .outerjoin(Person, Person.id == Contact.person_id)
    .outerjoin(Member, Member.id == Contact.member_id)
    .where(
        Contact.id == bindparam("contact"),
        func.coalesce(Person.group_id, Member.group_id) == bindparam("group"),
    )
)


@dataclass(frozen=True)
class ContactView:
    """A contact of a person or of a member, with its address."""

    id: int
    person_id: int | None
    member_id: int | None
    is_family: bool
    channel: ChannelName
    address: str
    state: ContactState
    reached_at: datetime | None


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
    way: ConsentWay | None = None,
) -> int:
    """Add a contact, and return its id. `way`: as in NewContactRow."""
    row = NewContactRow(
        person_id=person_id,
        member_id=member_id,
        is_family=is_family,
        channel=channel,
        address=address,
        consent_how=consent_how,
        consent_by=consent_by,
        confirmed=confirmed,
        way=way,
    )
    return add_all(tx, keys, [row], now)[0]


@dataclass(frozen=True)
class NewContactRow:
    """A contact to be added, of a person or of a member.

    `confirmed`: its owner consents at this moment. `way`: how, where `consent_how` does not say it; of a member None
    is MEMBER. `held`: the state of a contact whose owner has refused before, and `stopped_by` how; it is
    not confirmed then.
    """

    person_id: int | None
    member_id: int | None
    is_family: bool
    channel: ChannelName
    address: str
    consent_how: ConsentHow | None
    consent_by: str | None
    confirmed: bool
    way: ConsentWay | None = None
    held: ContactState | None = None
    stopped_by: StoppedBy | None = None

    @property
    def state(self) -> ContactState:
        """The state in which it is added."""
        return self.held or (ContactState.CONFIRMED if self.confirmed else ContactState.UNCONFIRMED)

    @property
    def consent_way(self) -> ConsentWay:
        """The way of its owner's consent."""
        return self.way or (ConsentWay.MEMBER if self.consent_how is None else ConsentWay(self.consent_how))


def add_all(tx: Session, keys: KeyRing, rows: Sequence[NewContactRow], now: datetime) -> list[int]:
    """Add contacts with sealed addresses; return their ids, in the order of the rows.

    The consents of those that are confirmed are recorded in the ledger.
    """
    indexes = _indexes(tx, keys, {row.address for row in rows})
    tokens = [new_row_token() for _ in rows]
    values = [
        {
            "person_id": row.person_id,
            "member_id": row.member_id,
            "is_family": row.is_family,
            "channel": row.channel,
            "row_token": row_token,
            "address_sealed": keys.seal(row.address, ADDRESS, row_token),
            "address_index": indexes[row.address],
            "consent_index": keys.consent_index(row.address),
            "state": row.state,
            "consent_how": row.consent_how,
            "consent_by_sealed": sealing.words(keys, Contact.consent_by, row.consent_by, row_token),
            "consent_at": now if row.state is ContactState.CONFIRMED else None,
            "stopped_by": row.stopped_by,
            "created_at": now,
        }
        for row, row_token in zip(rows, tokens, strict=True)
    ]
    ids = add_many(tx, CONTACTS, values)
    consented: dict[ConsentWay, list[int]] = {}
    for contact_id, row in zip(ids, rows, strict=True):
        if row.state is ContactState.CONFIRMED:
            consented.setdefault(row.consent_way, []).append(contact_id)
    for way, some in consented.items():
        consents.record(tx, some, ConsentAct.CONSENTED, way, now)
    return ids


def _indexes(tx: Session, keys: KeyRing, addresses: Collection[str]) -> dict[str, bytes]:
    """Return the blind indexes for new rows.

    Rows with one telephone number are found by the same index; during a key rotation it is that of the existing rows.
    """
    if len(keys.ids) == 1:
        return {address: address_index_of(keys, address) for address in addresses}
    newest = {index: index for index in (address_index_of(keys, address) for address in addresses)}
    newest_of = {
        index: address_index_of(keys, address) for address in addresses for index in address_indexes(keys, address)
    }
    for asked in in_batches(newest_of):
        some = Contact.address_index.in_(asked)
        # This waits for a key rotation of the same rows.
        there = select(Contact.address_index).where(some).with_for_update(read=True)
        with row_security.of_address(tx, asked):
            newest |= {newest_of[index]: index for index in tx.scalars(there).all()}
    return {address: newest[address_index_of(keys, address)] for address in addresses}


@dataclass(frozen=True)
class KnownContact:
    """A contact around a person without its address. `index`: the blind index of the address."""

    id: int
    is_family: bool
    channel: ChannelName
    index: bytes
    state: ContactState
    consent_how: ConsentHow | None


def known_of_people(tx: Session, person_ids: Collection[int]) -> dict[int, list[KnownContact]]:
    """Return the contacts around each of these persons, without opening an address."""
    found: dict[int, list[KnownContact]] = {}
    query = select(
        Contact.person_id,
        Contact.id,
        Contact.is_family,
        Contact.channel,
        Contact.address_index,
        Contact.state,
        Contact.consent_how,
    ).where(among(Contact.person_id, person_ids))
    for person_id, contact_id, is_family, channel, index, state, consent_how in tx.execute(query.order_by(Contact.id)):
        assert person_id is not None  # one of `person_ids`
        one = KnownContact(contact_id, is_family, ChannelName(channel), index, state, consent_how)
        found.setdefault(person_id, []).append(one)
    return found


@dataclass(frozen=True)
class OwnedAddress:
    """An address of one owner, by its blind index."""

    person_id: int | None
    member_id: int | None
    channel: ChannelName
    index: bytes


def addresses_of(tx: Session, *, person_ids: Collection[int], member_ids: Collection[int]) -> set[OwnedAddress]:
    """Return the addresses around these persons and of these members."""
    columns = select(Contact.person_id, Contact.member_id, Contact.channel, Contact.address_index)
    found: set[OwnedAddress] = set()
    for column, ids in ((Contact.person_id, person_ids), (Contact.member_id, member_ids)):
        if ids:
            rows = tx.execute(columns.where(among(column, ids)))
            found |= {OwnedAddress(row[0], row[1], ChannelName(row[2]), row[3]) for row in rows}
    return found


def group_has_member(tx: Session, keys: KeyRing, *, group_id: int, address: str) -> bool:
    """Return whether a member of the group has this e-mail address."""
    query = (
        select(Contact.id)
        .join(Member, Member.id == Contact.member_id)
        .where(Member.group_id == group_id, Contact.address_index.in_(address_indexes(keys, address)))
    )
    return tx.execute(query).first() is not None


def of_group(tx: Session, keys: KeyRing, group_id: int | None) -> list[ContactView]:
    """Return the contacts of a group, or all contacts where `group_id` is None.

    This opens every address: use it for lists that people asked for, never for planning.
    """
    rows = tx.execute(_EVERY) if group_id is None else tx.execute(_OF_GROUP, {"group": group_id})
    return [view(keys, row) for row in rows]


def each_of_group(tx: Session, keys: KeyRing, group_id: int | None) -> Iterator[ContactView]:
    """Yield the contacts that `of_group` returns, in bounded memory."""
    rows = each(tx, _EVERY) if group_id is None else each(tx, _OF_GROUP, {"group": group_id})
    return (view(keys, row) for row in rows)


def by_ids(tx: Session, keys: KeyRing, contact_ids: Collection[int]) -> dict[int, ContactView]:
    """Return these contacts by id, for those that a page shows."""
    rows = tx.execute(_THESE, {"contacts": list(contact_ids)}) if contact_ids else ()
    return {row.id: view(keys, row) for row in rows}


def of_member(tx: Session, keys: KeyRing, member_id: int) -> list[ContactView]:
    """Return the contacts of a member."""
    return [view(keys, row) for row in tx.execute(_OF_MEMBER, {"member": member_id})]


def owned_by_group(tx: Session, keys: KeyRing, group_id: int, contact_id: int) -> ContactView | None:
    """Return a contact of a person or a member of this group; None for any other."""
    row = tx.execute(_OWNED, {"group": group_id, "contact": contact_id}).one_or_none()
    return None if row is None else view(keys, row)


def of_person(tx: Session, keys: KeyRing, person_id: int) -> list[ContactView]:
    """Return the contacts of a person and of their family."""
    return [view(keys, row) for row in tx.execute(_OF_PERSON, {"person": person_id})]


def some_of_person(tx: Session, keys: KeyRing, person_id: int, *, after: int, limit: int) -> list[ContactView]:
    """Return those contacts of a person and of their family that have a higher id than `after`."""
    query = _OF_PERSON.where(Contact.id > after).limit(limit)
    return [view(keys, row) for row in tx.execute(query, {"person": person_id})]


def of_every_member(tx: Session, keys: KeyRing, group_id: int) -> list[ContactView]:
    """Return the contacts of all members of a group."""
    return [view(keys, row) for row in tx.execute(_OF_EVERY_MEMBER, {"group": group_id})]


def view(keys: KeyRing, row: Row[*tuple[Any, ...]]) -> ContactView:
    """Return the contact of a row with the columns of `_COLUMNS`."""
    return ContactView(
        id=row.id,
        person_id=row.person_id,
        member_id=row.member_id,
        is_family=row.is_family,
        channel=ChannelName(row.channel),
        address=keys.open(row.address_sealed),
        state=ContactState(row.state),
        reached_at=row.reached_at,
    )


_RECIPIENTS = (
    select(
        Contact.id,
        Contact.person_id,
        Contact.is_family,
        Contact.channel,
        Contact.state,
        Person.language,
        Contact.created_at,
    )
    .join(Person, Person.id == Contact.person_id)
    .order_by(Contact.id)
)
_RECIPIENTS_OF_PEOPLE = _RECIPIENTS.where(among(Contact.person_id, ids_param("people")))
_RECIPIENTS_OF_GROUP = _RECIPIENTS.where(Person.group_id == bindparam("group"))
_UNHEARD_OF_GROUP = _RECIPIENTS_OF_GROUP.where(Contact.state != ContactState.CONFIRMED)
_THESE_OF_GROUP = _RECIPIENTS_OF_GROUP.where(among(Contact.id, ids_param("contacts")))
_MEMBERS = (
    select(
        Contact.id,
        Contact.member_id,
        Contact.channel,
        Contact.state,
        Member.group_id,
        Member.language,
        Member.role,
        Member.copies,
        Contact.created_at,
    )
    .join(Member, Member.id == Contact.member_id)
    .where(among(Member.group_id, ids_param("groups")))
    .order_by(Contact.id)
)


def of_people(tx: Session, person_ids: Collection[int]) -> list[tuple[int, Recipient]]:
    """Return (person id, recipient) of persons' own and family contacts, without addresses."""
    return _recipients(tx.execute(_RECIPIENTS_OF_PEOPLE, {"people": person_ids}))


def of_people_of_group(tx: Session, group_id: int) -> list[tuple[int, Recipient]]:
    """Return the same as `of_people`, for every person of the group."""
    return _recipients(tx.execute(_RECIPIENTS_OF_GROUP, {"group": group_id}))


def unheard_of_group(tx: Session, group_id: int, failed: Collection[int]) -> list[tuple[int, Recipient]]:
    """As `of_people_of_group`, only those that cannot be written to, and those with the ids `failed`."""
    found = _by_contact(_recipients(tx.execute(_UNHEARD_OF_GROUP, {"group": group_id})))
    if failed:
        found |= _by_contact(_recipients(tx.execute(_THESE_OF_GROUP, {"group": group_id, "contacts": list(failed)})))
    return [found[contact_id] for contact_id in sorted(found)]


def _by_contact(found: Iterable[tuple[int, Recipient]]) -> dict[int, tuple[int, Recipient]]:
    return {recipient.contact_id: (person_id, recipient) for person_id, recipient in found}


def _recipients(rows: Iterable[Row[*tuple[Any, ...]]]) -> list[tuple[int, Recipient]]:
    return [
        (
            person_id,
            Recipient(
                contact_id=contact_id,
                owner=("family", contact_id) if is_family else ("person", person_id),
                channel=ChannelName(channel),
                state=ContactState(state),
                language=Language.JAPANESE if is_family else Language(language),
                added_at=added_at,
            ),
        )
        for contact_id, person_id, is_family, channel, state, language, added_at in rows
        if person_id is not None
    ]


def of_members(tx: Session, group_ids: Sequence[int]) -> list[tuple[int, Recipient]]:
    """Return (group id, recipient) of the members of these groups."""
    return [
        (
            group_id,
            Recipient(
                contact_id=contact_id,
                owner=("member", member_id),
                channel=ChannelName(channel),
                state=ContactState(state),
                language=Language(language),
                role=Role(role),
                copies=Copies(copies),
                added_at=added_at,
            ),
        )
        for contact_id, member_id, channel, state, group_id, language, role, copies, added_at in tx.execute(
            _MEMBERS, {"groups": group_ids}
        )
        if member_id is not None
    ]


def first_of_member(tx: Session, member_id: int) -> int | None:
    """Return the id of a member's first contact, None where there is none."""
    return tx.execute(select(func.min(Contact.id)).where(Contact.member_id == member_id)).scalar_one()


def channel_of(tx: Session, contact_id: int) -> ChannelName | None:
    """Return the channel of a contact, None where there is no such contact."""
    channel = tx.execute(select(Contact.channel).where(Contact.id == contact_id)).scalar_one_or_none()
    return None if channel is None else ChannelName(channel)


def group_of(tx: Session, contact_id: int) -> int | None:
    """Return the group of a contact, None where there is no such contact."""
    query = (
        select(func.coalesce(Person.group_id, Member.group_id))
        .select_from(Contact)
        .outerjoin(Person, Person.id == Contact.person_id)
        .outerjoin(Member, Member.id == Contact.member_id)
        .where(Contact.id == contact_id)
    )
    return tx.scalars(query).one_or_none()


def mark_unreachable(tx: Session, contact_ids: Iterable[int]) -> list[int]:
    """Mark contacts as unreachable; return the ids of those that were not before.

    Contacts that their owner has stopped keep their state.
    """
    ids = list(contact_ids)
    if not ids:
        return []
    gone = tx.execute(transition(CONTACT_STATES, GIVE_UP, among(Contact.id, ids)).returning(Contact.id))
    return list(gone.scalars())


def stop(
    tx: Session,
    contact_ids: Iterable[int],
    by: StoppedBy,
    now: datetime,
    *,
    way: ConsentWay | None = None,
    for_all: bool | None = None,
) -> list[int]:
    """Stop contacts, whatever their state, and record it; return the ids of those that were not stopped before.

    `way`: where `by` alone does not say it. `for_all`: it holds for every group; without it for what an e-mail's reader
    or the provider says, and not for what is said to one group.
    """
    ids = list(contact_ids)
    if for_all is None:
        for_all = by in (StoppedBy.CLICK, StoppedBy.PROVIDER)
    consents.record(tx, ids, ConsentAct.WITHDREW, way or way_of_stop(by), now, for_all=for_all)
    stopped = tx.execute(
        transition(CONTACT_STATES, STOP, among(Contact.id, ids)).values(stopped_by=by).returning(Contact.id)
    )
    return list(stopped.scalars())


def confirm(
    tx: Session, contact_id: int, *, how: ConsentHow, by: str | None, now: datetime, way: ConsentWay | None = None
) -> bool:
    """Confirm a contact's consent, and record it; return False for a stop that this does not lift.

    `by` None keeps the present name. `way`: where `how` does not say it. Which consent lifts which stop: see
    stops_lifted.
    """
    this, words = Contact.id == contact_id, stops_lifted(how)
    named = {} if by is None else _consent_by(tx, contact_id, by)
    by_known = Contact.stopped_by.in_([word for word in words if word is not None])
    by_these = or_(by_known, Contact.stopped_by.is_(None)) if None in words else by_known
    for move in (
        transition(CONTACT_STATES, CONFIRM, this),
        transition(CONTACT_STATES, RENEW_CONSENT, this, by_these),
    ):
        confirmed = tx.execute(
            move.values(
                consent_how=how,
                consent_at=now,
                stopped_by=None,
                **named,
            ).returning(Contact.id)
        )
        if confirmed.first() is not None:
            consents.record(tx, [contact_id], ConsentAct.CONSENTED, way or ConsentWay(how), now)
            return True
    return False


@dataclass(frozen=True)
class Speaker:
    """A contact whose owner has just answered, with its person or member.

    `was_asked`: for their consent. `has_consented`: they have agreed once, whatever was said later. `is_vouched_for`:
    somebody has recorded that they agreed, which may not have counted.
    """

    contact_id: int
    person_id: int | None
    group_id: int
    is_family: bool
    channel: ChannelName
    state: ContactState
    was_asked: bool
    has_consented: bool
    is_vouched_for: bool = False

    @property
    def has_answered(self) -> bool:
        """Whether its owner has been asked here, or has agreed here."""
        return self.was_asked or self.has_consented

    @property
    def is_own(self) -> bool:
        """Whether the contact is a person's own."""
        return self.person_id is not None and not self.is_family


def _phones() -> list[ChannelName]:
    return [name for name in registered() if name.can.address is AddressKind.PHONE]


def at_phone(tx: Session, keys: KeyRing, address: str) -> list[int]:
    """Return the ids of every contact with this number, for texts or calls: two people may share a telephone."""
    query = select(Contact.id).where(
        Contact.channel.in_(_phones()), Contact.address_index.in_(address_indexes(keys, address))
    )
    return list(tx.scalars(query.order_by(Contact.channel, Contact.id)))


def speakers(tx: Session, contact_id: int) -> list[Speaker]:
    """Return this contact, and then the others with the same channel and address, which share its telephone."""
    itself = select(Contact.channel).where(Contact.id == contact_id).scalar_subquery()
    return _speakers(tx, contact_id, Contact.channel == itself)


def speakers_at_number(tx: Session, contact_id: int) -> list[Speaker]:
    """Return this contact, and then all others with its number, for texts or calls, in every group."""
    return _speakers(tx, contact_id, Contact.channel.in_(_phones()))


def _speakers(tx: Session, contact_id: int, which: ColumnElement[bool]) -> list[Speaker]:
    address = select(Contact.address_index).where(Contact.id == contact_id).scalar_subquery()
    asked = exists().where(Message.contact_id == Contact.id, Message.kind == MessageKind.CONSENT_REQUEST)
    rows = tx.execute(
        select(
            Contact.id,
            Contact.person_id,
            func.coalesce(Person.group_id, Member.group_id),
            Contact.is_family,
            Contact.channel,
            Contact.state,
            asked,
            Contact.consent_at.is_not(None),
            Contact.consent_how.is_not(None),
        )
        .outerjoin(Person, Person.id == Contact.person_id)
        .outerjoin(Member, Member.id == Contact.member_id)
        .where(Contact.address_index == address, which)
        .order_by(Contact.id != contact_id, Contact.id)
    )
    return [Speaker(*row[:4], ChannelName(row[4]), ContactState(row[5]), *row[6:]) for row in rows]


def ask_anew(tx: Session, contact_ids: Iterable[int]) -> None:
    """Take back a stop of contacts whose owner never agreed: they may be asked, and are sent nothing else."""
    tx.execute(transition(CONTACT_STATES, ASK_ANEW, among(Contact.id, contact_ids)).values(stopped_by=None))


def added_at(tx: Session, contact_id: int) -> datetime | None:
    """Return when a contact was added (aware UTC), None where there is no such contact; its links are made of it."""
    return tx.execute(select(Contact.created_at).where(Contact.id == contact_id)).scalar_one_or_none()


def language_of(tx: Session, contact_id: int) -> Language:
    """Return the language of a member's contact, Japanese for everybody else's."""
    query = select(Member.language).join(Contact, Contact.member_id == Member.id).where(Contact.id == contact_id)
    return Language(tx.execute(query).scalar_one_or_none() or Language.JAPANESE)


def record_announced_by(tx: Session, contact_id: int, by: str) -> None:
    """Record who has announced to the owner that a text will ask for their consent."""
    tx.execute(update(Contact).where(Contact.id == contact_id).values(**_consent_by(tx, contact_id, by)))


def _consent_by(tx: Session, contact_id: int, by: str) -> dict[str, object]:
    """Return the new value of `consent_by`, sealed for this contact."""
    row_token = sealing.token_of(tx, Contact, contact_id)
    return {"consent_by": sealing.words(sealing.keys_of(tx), Contact.consent_by, by, row_token)}


def people_reminded_by_text(tx: Session) -> list[int]:
    """Return the ids of all persons who are reminded by text."""
    own = select(Contact.person_id).where(
        Contact.channel == ChannelName.SMS, Contact.state == ContactState.CONFIRMED, Contact.is_family.is_(False)
    )
    return sorted({person_id for person_id in tx.scalars(own) if person_id is not None})


def record_test_call(tx: Session, contact_id: int, now: datetime) -> None:
    """Record that the owner has pressed a key in a practice call."""
    tx.execute(update(Contact).where(Contact.id == contact_id).values(test_called_at=now, reached_at=now))


@dataclass(frozen=True)
class UnverifiedContact:
    """A contact in use without a recent verification.

    `since`: the last verification, or the enrolment.
    """

    contact_id: int
    person_id: int | None
    group_id: int
    is_family: bool
    channel: ChannelName
    since: datetime
    added_at: datetime


_verified_at = func.coalesce(Contact.reached_at, Contact.created_at)
# Nobody is greeted in place of who has moved out or died.
_HAS_GONE = exists().where(PersonLife.person_id == Contact.person_id, PersonLife.state.in_(GONE))
_IS_UNVERIFIED = and_(Contact.state == ContactState.CONFIRMED, _verified_at < bindparam("before"), ~_HAS_GONE)
_UNVERIFIED_IDS = select(Contact.id).where(_IS_UNVERIFIED).order_by(_verified_at, Contact.id).limit(bindparam("limit"))
_UNVERIFIED = (
    select(
        Contact.id,
        Contact.person_id,
        func.coalesce(Person.group_id, Member.group_id),
        Contact.is_family,
        Contact.channel,
        _verified_at,
        Contact.created_at,
    )
    .outerjoin(Person, Person.id == Contact.person_id)
    .outerjoin(Member, Member.id == Contact.member_id)
    .where(_IS_UNVERIFIED, among(Contact.id, ids_param("ids")))
    .order_by(_verified_at, Contact.id)
)


def unverified_ids(tx: Session, before: datetime, limit: int) -> list[int]:
    """Return the ids of the contacts that were not verified since then, the longest first, without reading them."""
    return list(tx.scalars(_UNVERIFIED_IDS, {"before": before, "limit": limit}))


def unverified_contacts(tx: Session, before: datetime, contact_ids: Collection[int]) -> list[UnverifiedContact]:
    """Return those of these contacts that were not verified since then, the longest first."""
    rows = tx.execute(_UNVERIFIED, {"before": before, "ids": contact_ids})
    return [UnverifiedContact(*row[:4], ChannelName(row[4]), row[5], row[6]) for row in rows]


def record_verified(
    tx: Session, contact_ids: Iterable[int], now: datetime, *, unless_since: datetime | None = None
) -> list[int]:
    """Record proof that these addresses are still their owners', and return the ids of those it was recorded for.

    `unless_since`: not for those that were verified since then.
    """
    ids = list(contact_ids)
    if not ids:
        return []
    these = update(Contact).where(among(Contact.id, ids)).execution_options(synchronize_session=False)
    if unless_since is not None:
        these = these.where(or_(Contact.reached_at.is_(None), Contact.reached_at < unless_since))
    return list(tx.execute(these.values(reached_at=now).returning(Contact.id)).scalars())
