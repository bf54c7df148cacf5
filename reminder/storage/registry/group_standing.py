"""The standing of a group: on trial, suspended, and the limits that the operator has set for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from reminder.domain.model.consent_records import ConsentAct, ConsentRecord, ConsentWay
from reminder.domain.model.people import ContactState, GroupKind
from reminder.domain.rules.consent_standing import refusal_for
from reminder.domain.rules.quotas import Quota
from reminder.storage.db.statements import among
from reminder.storage.db.tables import Contact, Group, Member, Person
from reminder.storage.registry import consents


@dataclass(frozen=True)
class Standing:
    """What the operator has decided about a group.

    `suspended_why`: the operator's words, "" while it is not suspended.
    """

    group_id: int
    kind: GroupKind
    trial_since: datetime | None
    suspended_at: datetime | None
    suspended_why: str
    quotas: Mapping[str, int]

    @property
    def is_on_trial(self) -> bool:
        """Whether the operator has not approved it yet."""
        return self.trial_since is not None

    @property
    def is_suspended(self) -> bool:
        """Whether nothing is sent for it, and nobody may change it."""
        return self.suspended_at is not None


_FIND = select(Group.id, Group.kind, Group.trial_since, Group.suspended_at, Group.suspended_why, Group.quotas).where(
    Group.id == bindparam("group")
)
_LOCK = _FIND.with_for_update()


def find(tx: Session, group_id: int) -> Standing | None:
    """Return the standing of a group, None where there is no such group."""
    row = tx.execute(_FIND, {"group": group_id}).one_or_none()
    return None if row is None else Standing(row[0], GroupKind(row[1]), *row[2:])


def lock(tx: Session, group_id: int) -> Standing | None:
    """Return the same with the group locked until the transaction ends, as groups.lock does."""
    row = tx.execute(_LOCK, {"group": group_id}).one_or_none()
    return None if row is None else Standing(row[0], GroupKind(row[1]), *row[2:])


def begin_trial(tx: Session, group_id: int, now: datetime) -> None:
    """Record that a group is on trial from now on."""
    tx.execute(update(Group).where(Group.id == group_id).values(trial_since=now))


def end_trial(tx: Session, group_id: int, now: datetime) -> list[int]:
    """End the trial, and confirm the contacts whose recorded consent was only kept meanwhile; return their ids.

    A member's own contact needs no recorded consent. A contact whose owner has said no, here or before it was entered,
    stays as it is.
    """
    tx.execute(update(Group).where(Group.id == group_id).values(trial_since=None))
    # On trial an unconfirmed contact is the only one with a recorded consent.
    around = (
        select(Contact.id, Contact.consent_how)
        .join(Person, Person.id == Contact.person_id)
        .where(Person.group_id == group_id)
    )
    of_members = (
        select(Contact.id, Contact.consent_how)
        .join(Member, Member.id == Contact.member_id)
        .where(Member.group_id == group_id)
    )
    waiting = Contact.state == ContactState.UNCONFIRMED
    rows = [
        *tx.execute(around.where(waiting, Contact.consent_how.is_not(None))),
        *tx.execute(of_members.where(waiting)),
    ]
    way_of = {row[0]: ConsentWay.MEMBER if row[1] is None else ConsentWay(row[1]) for row in rows}
    records = consents.of_contacts(tx, list(way_of))
    of_way: dict[ConsentWay, list[int]] = {}
    for contact_id, way in sorted(way_of.items()):
        said = ConsentRecord(group_id, ConsentAct.CONSENTED, way, now)
        if refusal_for([*records[contact_id], said], group_id) is None:
            of_way.setdefault(way, []).append(contact_id)
    ids = sorted(contact_id for some in of_way.values() for contact_id in some)
    if ids:
        confirmed = (
            update(Contact)
            .where(among(Contact.id, ids), waiting)
            .values(state=ContactState.CONFIRMED, consent_at=Contact.created_at)
        )
        tx.execute(confirmed.execution_options(synchronize_session=False))
    for way, some in of_way.items():
        consents.record(tx, some, ConsentAct.CONSENTED, way, now)
    return ids


def suspend(tx: Session, group_id: int, why: str, now: datetime) -> bool:
    """Suspend a group; return False where it is suspended already."""
    suspended = tx.execute(
        update(Group)
        .where(Group.id == group_id, Group.suspended_at.is_(None))
        .values(suspended_at=now, suspended_why=why)
        .returning(Group.id)
    )
    return suspended.first() is not None


def resume(tx: Session, group_id: int) -> bool:
    """End the suspension of a group; return False where it is not suspended."""
    resumed = tx.execute(
        update(Group)
        .where(Group.id == group_id, Group.suspended_at.is_not(None))
        .values(suspended_at=None, suspended_why="")
        .returning(Group.id)
    )
    return resumed.first() is not None


def set_quotas(tx: Session, group_id: int, changes: Mapping[Quota, int | None]) -> dict[str, int]:
    """Set limits of one group, None for the usual one, and return those that are set now."""
    (before,) = tx.execute(select(Group.quotas).where(Group.id == group_id)).one()
    merged = {**before, **{str(name): limit for name, limit in changes.items()}}
    kept = {name: limit for name, limit in merged.items() if limit is not None}
    tx.execute(update(Group).where(Group.id == group_id).values(quotas=kept))
    return kept
