"""Notices: events that a human around a person must be notified of, until their messages are made."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, insert, or_, select, update
from sqlalchemy.orm import Session

from reminder.domain.model.notices import NoticeKind
from reminder.storage.db.statements import among
from reminder.storage.db.tables import Contact, Member, Notice, Person


@dataclass(frozen=True)
class NoticeView:
    """A notice that waits for its messages."""

    id: int
    kind: NoticeKind
    person_id: int
    contact_id: int | None
    card_id: int | None
    reply_id: int | None


_COLUMNS = (Notice.id, Notice.kind, Notice.person_id, Notice.contact_id, Notice.card_id, Notice.reply_id)


def add(
    tx: Session,
    kind: NoticeKind,
    *,
    person_id: int,
    now: datetime,
    contact_id: int | None = None,
    card_id: int | None = None,
    reply_id: int | None = None,
) -> None:
    """Add a notice."""
    row = {"person_id": person_id, "contact_id": contact_id, "card_id": card_id, "reply_id": reply_id}
    tx.execute(insert(Notice), [{"kind": kind, "created_at": now, **row}])


def add_stopped(tx: Session, contact_ids: Collection[int], now: datetime) -> None:
    """Add notices that persons' own contacts were stopped, for those around them."""
    if contact_ids:
        stopped = select(Contact.id, Contact.person_id).where(
            among(Contact.id, contact_ids), Contact.person_id.is_not(None), Contact.is_family.is_(False)
        )
        for contact_id, person_id in tx.execute(stopped).all():
            assert person_id is not None
            add(tx, NoticeKind.STOPPED, person_id=person_id, contact_id=contact_id, now=now)


def add_unreachable(tx: Session, contact_ids: Collection[int], now: datetime) -> None:
    """Add notices that contacts of relatives or members are unreachable, for those around the person or group.

    A person's own contact needs none: the failed message itself causes a notice.
    """
    if not contact_ids:
        return
    first_person = select(func.min(Person.id)).where(Person.group_id == Member.group_id).scalar_subquery()
    gone = tx.execute(
        select(Contact.id, Contact.person_id, first_person)
        .outerjoin(Member, Member.id == Contact.member_id)
        .where(among(Contact.id, contact_ids), or_(Contact.is_family, Contact.member_id.is_not(None)))
    ).all()
    for contact_id, family_of, in_group_with in gone:
        kind = NoticeKind.LOST_MEMBER if family_of is None else NoticeKind.LOST
        # In a group without persons there is nothing to notify of.
        if (person_id := family_of or in_group_with) is not None:
            add(tx, kind, person_id=person_id, contact_id=contact_id, now=now)


def exists_since(tx: Session, kind: NoticeKind, contact_id: int, since: datetime) -> bool:
    """Return whether there is a notice of this kind about the contact since then."""
    query = select(Notice.id).where(Notice.kind == kind, Notice.contact_id == contact_id, Notice.created_at >= since)
    return tx.execute(query.limit(1)).first() is not None


def waiting(tx: Session, limit: int) -> list[NoticeView]:
    """Return waiting notices, locked until the transaction ends, so that no other worker handles them too."""
    rows = tx.execute(
        select(*_COLUMNS)
        .where(Notice.notified_at.is_(None))
        .order_by(Notice.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [NoticeView(row[0], NoticeKind(row[1]), *row[2:]) for row in rows]


def first_waiting(tx: Session) -> int | None:
    """Return the id of the next waiting notice, locked, without reading what it says."""
    query = select(Notice.id).where(Notice.notified_at.is_(None)).order_by(Notice.id).limit(1)
    return tx.execute(query.with_for_update(skip_locked=True)).scalar_one_or_none()


def mark_notified(tx: Session, notice_ids: Collection[int], now: datetime) -> None:
    """Record that the messages of these notices were made."""
    tx.execute(
        update(Notice)
        .where(among(Notice.id, notice_ids))
        .values(notified_at=now)
        .execution_options(synchronize_session=False)
    )


def mark_waiting(tx: Session, notice_ids: Collection[int]) -> None:
    """Put these notices back into the queue."""
    these = update(Notice).where(among(Notice.id, notice_ids)).values(notified_at=None)
    tx.execute(these.execution_options(synchronize_session=False))
