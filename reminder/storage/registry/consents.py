"""The ledger of consents: what the owner of each address was asked, agreed to, or refused.

One ledger for each number, of all groups together. Records are added and never changed, and outlive the contact: a
number that is erased and entered again, by anybody and in any spelling, is the same number. See db/tables.ConsentEntry
for who may read it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from reminder.domain.model.consent_records import NO_GROUP, ConsentAct, ConsentRecord, ConsentWay
from reminder.storage.crypto.keyring import KeyRing
from reminder.storage.db import row_security
from reminder.storage.db.locks import lock, lock_shared
from reminder.storage.db.statements import among, in_batches, insert_many
from reminder.storage.db.tables import CONSENT_RECORDS, ConsentEntry, Contact, Member, Person

_LOCK = "consents"
# The same no twice says nothing new. A consent, or a question, is recorded each time.
_ONCE = (ConsentAct.WITHDREW, ConsentAct.WRONG_PERSON)
_COLUMNS = (
    ConsentEntry.address_index,
    ConsentEntry.group_id,
    ConsentEntry.act,
    ConsentEntry.way,
    ConsentEntry.at,
)


def lock_to_add(tx: Session) -> None:
    """Hold off words about numbers until this transaction has entered its contacts."""
    lock_shared(tx, _LOCK)


def lock_to_record(tx: Session) -> None:
    """Wait for those who enter contacts: each of them either sees what is recorded now, or is seen by who acts on it.

    A number could otherwise be entered at the very moment at which its owner says STOP, and stay.
    """
    lock(tx, _LOCK)


def record(
    tx: Session, contact_ids: Collection[int], act: ConsentAct, way: ConsentWay, now: datetime, *, for_all: bool = False
) -> None:
    """Record what the owners of these contacts' addresses have said, or were asked; once for each address and group.

    `for_all`: it concerns every group. A contact whose address no key could open since the ledger began has no record.
    """
    if not contact_ids:
        return
    owner = func.coalesce(Person.group_id, Member.group_id)
    query = (
        select(Contact.consent_index, owner)
        .outerjoin(Person, Person.id == Contact.person_id)
        .outerjoin(Member, Member.id == Contact.member_id)
        .where(among(Contact.id, contact_ids), Contact.consent_index.is_not(None))
        .order_by(Contact.id)
    )
    said = [(index, None if for_all else group_id) for index, group_id in tx.execute(query) if index is not None]
    _add(tx, said, act, way, now)


def record_at(
    tx: Session,
    keys: KeyRing,
    address: str,
    act: ConsentAct,
    way: ConsentWay,
    now: datetime,
    group_id: int | None = None,
) -> None:
    """Record what the owner of an address has said, whether anybody has a contact with it or not."""
    _add(tx, [(keys.consent_index(address), group_id)], act, way, now)


def _add(
    tx: Session, said: Iterable[tuple[bytes, int | None]], act: ConsentAct, way: ConsentWay, now: datetime
) -> None:
    new = list(dict.fromkeys(said))
    with row_security.of_consents(tx, {index for index, _ in new}):
        _add_new(tx, new, act, way, now)


def _add_new(
    tx: Session, new: Collection[tuple[bytes, int | None]], act: ConsentAct, way: ConsentWay, now: datetime
) -> None:
    if act in _ONCE:
        known = _of_indexes(tx, {index for index, _ in new})
        new = [(index, group_id) for index, group_id in new if not _is_last(known.get(index, ()), group_id, act, way)]
    rows = [
        {"address_index": index, "group_id": group_id, "act": act, "way": way, "at": now} for index, group_id in new
    ]
    insert_many(tx, CONSENT_RECORDS, rows)


def _is_last(records: Iterable[ConsentRecord], group_id: int | None, act: ConsentAct, way: ConsentWay) -> bool:
    last = None
    for one in records:
        # What concerns every group ends the effect of what a group has said, and the other way round.
        if group_id is None or one.group_id in (None, group_id):
            last = one
    return last is not None and (last.group_id, last.act, last.way) == (group_id, act, way)


def of_addresses(tx: Session, keys: KeyRing, addresses: Collection[str]) -> Mapping[str, Sequence[ConsentRecord]]:
    """Return the records of each of these addresses, in their stored form, oldest first; none are left out."""
    index_of = {address: keys.consent_index(address) for address in addresses}
    found = _of_indexes(tx, set(index_of.values()))
    return {address: found.get(index, ()) for address, index in index_of.items()}


def of_contacts(tx: Session, contact_ids: Collection[int]) -> Mapping[int, Sequence[ConsentRecord]]:
    """Return the records of the address of each of these contacts, of every group, oldest first."""
    query = select(Contact.id, Contact.consent_index).where(among(Contact.id, contact_ids))
    index_of = {contact_id: index for contact_id, index in tx.execute(query) if index is not None}
    found = _of_indexes(tx, set(index_of.values()))
    return {
        contact_id: found.get(index_of[contact_id], ()) if contact_id in index_of else () for contact_id in contact_ids
    }


def _of_indexes(tx: Session, indexes: Collection[bytes]) -> Mapping[bytes, Sequence[ConsentRecord]]:
    found: dict[bytes, list[ConsentRecord]] = {}
    for some in in_batches(indexes):
        query = select(*_COLUMNS).where(ConsentEntry.address_index.in_(some)).order_by(ConsentEntry.at, ConsentEntry.id)
        with row_security.of_consents(tx, some):
            rows = tx.execute(query).all()
        for index, group_id, act, way, at in rows:
            found.setdefault(index, []).append(ConsentRecord(group_id, ConsentAct(act), ConsentWay(way), at))
    return found


def forget_group(tx: Session, group_id: int) -> None:
    """Take the id of an erased group out of its records: they concern no group any more.

    A no of the owner's own stays known, so that nobody is asked again by whoever comes next.
    """
    which = ConsentEntry.group_id == group_id
    theirs = update(ConsentEntry).where(which).values(group_id=NO_GROUP).execution_options(synchronize_session=False)
    # They are the group's no more, and still to be found by their addresses.
    indexes = tx.scalars(select(ConsentEntry.address_index).where(which)) if row_security.is_under_policies(tx) else ()
    with row_security.of_consents(tx, set(indexes)):
        tx.execute(theirs)
