"""The ledger of consents is filled with what contacts of earlier versions say, with the keys that open their addresses.

A contact without its index in the ledger was not looked at yet. So it runs in portions, is taken up again where it was
interrupted, and adds nothing twice. What no key opens waits until its key is back.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, exists, func, insert, select
from sqlalchemy.orm import Session, aliased

from reminder.domain.model.consent_records import ConsentAct, ConsentWay, way_of_stop
from reminder.domain.model.messages import MessageKind
from reminder.domain.model.people import ChannelName, ConsentHow, ContactState, StoppedBy
from reminder.domain.parsing.replies import Intent
from reminder.storage.crypto.keyring import KeyRing
from reminder.storage.db.statements import among, update_many
from reminder.storage.db.tables import (
    CONTACTS,
    ActivityEntry,
    ConsentEntry,
    Contact,
    Member,
    Message,
    Person,
    Reply,
)
from reminder.storage.registry import contacts

AT_ONCE = 500

_NOT_FILLED = Contact.consent_index.is_(None)
_SAME = aliased(Contact)
# Another group writes to this number with its owner's consent. An early version stopped the contact of one group only.
_IS_AGREED_ELSEWHERE = exists().where(
    _SAME.address_index == Contact.address_index, _SAME.id != Contact.id, _SAME.state == ContactState.CONFIRMED
)
_ROWS = (
    select(
        Contact.id,
        Contact.address_sealed,
        func.coalesce(Person.group_id, Member.group_id).label("group_id"),
        Contact.member_id,
        Contact.state,
        Contact.consent_how,
        Contact.consent_at,
        Contact.stopped_by,
        Contact.created_at,
        _IS_AGREED_ELSEWHERE.label("is_agreed_elsewhere"),
    )
    .outerjoin(Person, Person.id == Contact.person_id)
    .outerjoin(Member, Member.id == Contact.member_id)
    .order_by(Contact.id)
)


def is_complete(tx: Session) -> bool:
    """Return whether every contact has its place in the ledger."""
    return tx.execute(select(Contact.id).where(_NOT_FILLED).limit(1)).first() is None


def fill_some(tx: Session, keys: KeyRing, *, after: int = 0, limit: int = AT_ONCE) -> int | None:
    """Fill the ledger from the next contacts after this id; return the last id, None where none is left.

    Rows that another process fills at this moment are left to it.
    """
    free = select(Contact.id).where(_NOT_FILLED, Contact.id > after).order_by(Contact.id).limit(limit)
    ids = list(tx.scalars(free.with_for_update(skip_locked=True)))
    if not ids:
        return None
    opened = [row for row in tx.execute(_ROWS.where(among(Contact.id, ids))) if keys.can_open(row.address_sealed)]
    indexes = {row.id: keys.consent_index(keys.open(row.address_sealed, contacts.ADDRESS)) for row in opened}
    known = _Known.of(tx, list(indexes))
    records = [
        {"address_index": indexes[row.id], "group_id": said.group_id, "act": said.act, "way": said.way, "at": said.at}
        for row in opened
        for said in _said(row, known)
    ]
    if records:
        tx.execute(insert(ConsentEntry), records)
    update_many(tx, CONTACTS, ("id",), [{"consent_index": index, "id": one} for one, index in indexes.items()])
    return ids[-1]


@dataclass(frozen=True)
class _Said:
    group_id: int | None
    act: ConsentAct
    way: ConsentWay
    at: datetime


@dataclass(frozen=True)
class _Known:
    """What other tables say about some contacts: when they were asked and stopped, and who said "wrong number"."""

    asked: Mapping[int, list[tuple[datetime, str]]]
    stopped: Mapping[int, datetime]
    wrong: Mapping[int, datetime]

    @staticmethod
    def of(tx: Session, ids: Collection[int]) -> "_Known":
        asked: dict[int, list[tuple[datetime, str]]] = {}
        questions = select(Message.contact_id, Message.created_at, Message.channel).where(
            among(Message.contact_id, ids), Message.kind == MessageKind.CONSENT_REQUEST
        )
        for contact_id, at, channel in tx.execute(questions.order_by(Message.id)):
            assert contact_id is not None
            asked.setdefault(contact_id, []).append((at, channel))
        stops = (
            select(ActivityEntry.contact_id, func.max(ActivityEntry.at))
            .where(among(ActivityEntry.contact_id, ids), ActivityEntry.act == "contact_stopped")
            .group_by(ActivityEntry.contact_id)
        )
        wrong = (
            select(Reply.contact_id, func.max(Reply.received_at))
            .where(among(Reply.contact_id, ids), Reply.intent == Intent.WRONG_PERSON)
            .group_by(Reply.contact_id)
        )
        return _Known(
            asked,
            {contact_id: at for contact_id, at in tx.execute(stops) if contact_id is not None},
            dict(list(tx.execute(wrong))),
        )


def _said(row: Row[*tuple[Any, ...]], known: _Known) -> list[_Said]:
    """Return what a contact says, in the order in which it happened. The last is what stands."""
    said = [
        _Said(row.group_id, ConsentAct.ASKED, ConsentWay.MAIL if ChannelName(channel).is_mail else ConsentWay.TEXT, at)
        for at, channel in known.asked.get(row.id, ())
    ]
    if row.consent_at is not None:
        how = ConsentWay.MEMBER if row.consent_how is None else ConsentWay(ConsentHow(row.consent_how))
        said.append(_Said(row.group_id, ConsentAct.CONSENTED, how, row.consent_at))
    at = max([row.created_at, *(one.at for one in said)])
    if row.state == ContactState.OPTED_OUT:
        by = None if row.stopped_by is None else StoppedBy(row.stopped_by)
        way = ConsentWay.UNKNOWN if by is None else way_of_stop(by)
        is_of_group = by is StoppedBy.FAMILY or row.is_agreed_elsewhere
        stopped_at = known.stopped.get(row.id, at)
        said.append(_Said(row.group_id if is_of_group else None, ConsentAct.WITHDREW, way, stopped_at))
    elif row.state == ContactState.UNREACHABLE and row.id in known.wrong:
        said.append(_Said(row.group_id, ConsentAct.WRONG_PERSON, ConsentWay.REPLY, known.wrong[row.id]))
    return said
