"""Groups and their members."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, delete, insert, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from reminder.domain.model.people import Copies, GroupKind
from reminder.domain.parsing.days_before import days_of, kept_form
from reminder.domain.rules.preferences import DEFAULT_PREFERENCES, Preferences
from reminder.storage.crypto.keyring import new_row_token
from reminder.storage.db import row_security, sealing
from reminder.storage.db.statements import among, ids_param
from reminder.storage.db.tables import Contact, Group, Member


@dataclass(frozen=True)
class GroupView:
    """A household or a home."""

    id: int
    name: str
    kind: GroupKind
    preferences: Preferences = DEFAULT_PREFERENCES
    organisation: str = ""  # the organisation that runs the home, where it runs several
    is_on_trial: bool = False  # somebody signed up, and the operator has not approved the group yet
    is_suspended: bool = False  # the operator has stopped it: nothing is sent for it


_COLUMNS = (
    Group.id,
    Group.name,
    Group.kind,
    Group.preset,
    Group.own_days,
    Group.send_hour,
    Group.on_holidays,
    Group.organisation,
    Group.trial_since,
    Group.suspended_at,
)


def _view(tx: Session, row: Row[*tuple[Any, ...]]) -> GroupView:
    """Return the group of a row with the columns of `_COLUMNS`."""
    days = days_of(row.own_days)
    return GroupView(
        row.id,
        sealing.reader_of(tx, Group.name)(row.name),
        GroupKind(row.kind),
        Preferences(row.preset, days, row.send_hour, row.on_holidays),
        sealing.reader_of(tx, Group.organisation)(row.organisation),
        is_on_trial=row.trial_since is not None,
        is_suspended=row.suspended_at is not None,
    )


def add(tx: Session, *, name: str, kind: GroupKind, now: datetime) -> int:
    """Add a group, and return its id."""
    row_token, group_id = new_row_token(), row_security.new_group_id(tx)
    sealed = sealing.words(sealing.keys_of(tx), Group.name, name, row_token)
    given = {} if group_id is None else {"id": group_id}
    added = insert(Group).values(**given, row_token=row_token, name=sealed, name_plain="", kind=kind, created_at=now)
    return tx.execute(added.returning(Group.id)).scalar_one()


def set_words(tx: Session, group_id: int, column: InstrumentedAttribute[Any], said: object) -> None:
    """Seal a word of a group, its `name`, `organisation`, `headings` or `suspended_why`, and store it."""
    sealed = sealing.words(sealing.keys_of(tx), column, said, sealing.token_of(tx, Group, group_id))
    tx.execute(update(Group).where(Group.id == group_id).values({column: sealed}))


_THESE = select(*_COLUMNS).where(among(Group.id, ids_param("groups")))
_NAMES_BY_CONTACT = (
    select(Contact.id, Member.name)
    .join(Member, Member.id == Contact.member_id)
    .where(Member.group_id == bindparam("group"))
)
_MEMBER_NAMES = select(Member.id, Member.name).where(Member.group_id == bindparam("group"))


def find(tx: Session, group_id: int) -> GroupView | None:
    """Return the group with this id, None where there is none."""
    return next(iter(by_id(tx, [group_id]).values()), None)


def by_id(tx: Session, group_ids: Sequence[int]) -> Mapping[int, GroupView]:
    """Return these groups, by id."""
    return {row.id: _view(tx, row) for row in tx.execute(_THESE, {"groups": group_ids})}


def everyone(tx: Session) -> list[GroupView]:
    """Return all groups, in the order of their ids."""
    return [_view(tx, row) for row in tx.execute(select(*_COLUMNS).order_by(Group.id))]


_HOMES_AFTER = (
    select(Group.id)
    .where(Group.id > bindparam("after"), Group.kind == GroupKind.HOME, Group.created_at < bindparam("before"))
    .order_by(Group.id)
    .limit(bindparam("limit"))
)
_HOMES = (
    select(*_COLUMNS)
    .where(among(Group.id, ids_param("groups")), Group.kind == GroupKind.HOME)
    .order_by(Group.id)
    .with_for_update()
)
_ANY_HOME = select(Group.id).where(Group.kind == GroupKind.HOME).limit(1)


def home_ids_after(tx: Session, group_id: int, *, founded_before: datetime, limit: int) -> list[int]:
    """Return the ids of homes in their order, without reading them."""
    return list(tx.scalars(_HOMES_AFTER, {"after": group_id, "before": founded_before, "limit": limit}))


def homes(tx: Session, group_ids: Collection[int]) -> list[GroupView]:
    """Return those of these groups that are homes, locked until the transaction ends against planning and erasure."""
    return [_view(tx, row) for row in tx.execute(_HOMES, {"groups": group_ids})]


def has_homes(tx: Session) -> bool:
    """Return whether any group is a home."""
    return tx.execute(_ANY_HOME).first() is not None


def group_of_member(tx: Session, member_id: int) -> int | None:
    """Return the group of a member, None where there is no such member."""
    return tx.execute(select(Member.group_id).where(Member.id == member_id)).scalar_one_or_none()


def lock(tx: Session, group_id: int) -> None:
    """Lock a group against planning until the transaction ends: its plan depends on the rows that are about to change.

    On SQLite the transaction locks the whole file.
    """
    tx.execute(select(Group.id).where(Group.id == group_id).with_for_update()).all()


def rename(tx: Session, group_id: int, name: str) -> None:
    """Set the name of a group."""
    set_words(tx, group_id, Group.name, name)


def set_organisation(tx: Session, group_id: int, organisation: str) -> None:
    """Set the organisation of a home."""
    set_words(tx, group_id, Group.organisation, organisation)


def headings(tx: Session, group_id: int) -> dict[str, str]:
    """Return the meaning of this group's own headings, from its last sheet."""
    read = sealing.reader_of(tx, Group.headings)
    return dict(read(tx.execute(select(Group.headings).where(Group.id == group_id)).scalar_one()))


def save_column_headings(tx: Session, group_id: int, said: Mapping[str, str]) -> None:
    """Store the meaning of this group's own headings."""
    set_words(tx, group_id, Group.headings, {**headings(tx, group_id), **said})


def set_preferences(tx: Session, group_id: int, preferences: Preferences) -> None:
    """Set the preferences of a group."""
    tx.execute(
        update(Group)
        .where(Group.id == group_id)
        .values(
            preset=preferences.preset,
            own_days=kept_form(preferences.own_days),
            send_hour=preferences.send_hour,
            on_holidays=preferences.on_holidays,
        )
    )


def set_copies(tx: Session, member_id: int, copies: Copies) -> None:
    """Set which copies a member receives."""
    tx.execute(update(Member).where(Member.id == member_id).values(copies=copies))


def name_member(tx: Session, member_id: int, name: str) -> None:
    """Set the name of a member."""
    row_token = sealing.token_of(tx, Member, member_id)
    sealed = sealing.words(sealing.keys_of(tx), Member.name, name, row_token)
    tx.execute(update(Member).where(Member.id == member_id).values(name=sealed))


def remove_member(tx: Session, member_id: int) -> None:
    """Delete a member with their contacts, tokens and calendar feeds."""
    tx.execute(delete(Member).where(Member.id == member_id))


def names_by_contact(tx: Session, group_id: int) -> dict[int, str]:
    """Return the members' names, by the ids of their contacts."""
    read = sealing.reader_of(tx, Member.name)
    return {contact_id: read(name) for contact_id, name in tx.execute(_NAMES_BY_CONTACT, {"group": group_id})}


def member_names(tx: Session, group_id: int) -> dict[int, str]:
    """Return the members' names, by id."""
    read = sealing.reader_of(tx, Member.name)
    return {member_id: read(name) for member_id, name in tx.execute(_MEMBER_NAMES, {"group": group_id})}
