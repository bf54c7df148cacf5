"""Where people are: a row for each person who is or was away, has moved out or died."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from reminder.domain.model.person_states import PERSON_STATES, STEP_BACK, PersonState, Whereabouts
from reminder.domain.model.state_machine import Move
from reminder.storage.db.statements import among, ids_param, insert_or_ignore
from reminder.storage.db.tables import Person, PersonLife
from reminder.storage.db.transitions import transition


@dataclass(frozen=True)
class PersonLifeView:
    """Where a person is. `before`: what the row was before its last act, None where nothing can be taken back."""

    person_id: int
    state: PersonState
    since: date
    until: date | None
    changed_at: datetime
    before: dict[str, Any] | None

    @property
    def where(self) -> Whereabouts:
        """Return what lists and plans are made from."""
        return Whereabouts(self.state, self.since, self.until)


_ALL = select(
    PersonLife.person_id,
    PersonLife.state,
    PersonLife.since,
    PersonLife.until,
    PersonLife.changed_at,
    PersonLife.before,
)
_OF_PEOPLE = _ALL.where(among(PersonLife.person_id, ids_param("people")))
_OF_GROUP = _ALL.join(Person, Person.id == PersonLife.person_id).where(Person.group_id == bindparam("group"))


def of_people(tx: Session, person_ids: Collection[int]) -> dict[int, PersonLifeView]:
    """Return where these people are, by id, without those of whom nothing was ever said: they are here."""
    return {row.person_id: PersonLifeView(*row) for row in tx.execute(_OF_PEOPLE, {"people": person_ids})}


def of_group(tx: Session, group_id: int) -> dict[int, PersonLifeView]:
    """Return where the people of a group are, as of_people does."""
    return {row.person_id: PersonLifeView(*row) for row in tx.execute(_OF_GROUP, {"group": group_id})}


def move(
    tx: Session, person_id: int, which: Move[PersonState], *, on: date, now: datetime, until: date | None = None
) -> bool:
    """Record where a person is; return False in a state that the move does not leave."""
    insert_or_ignore(tx, PersonLife, person_id=person_id, state=PersonState.HERE, since=on, changed_at=now)
    was = of_people(tx, [person_id])[person_id]
    changed = transition(PERSON_STATES, which, PersonLife.person_id == person_id).values(
        since=on, until=until, changed_at=now, before=_kept(was)
    )
    return bool(tx.execute(changed.returning(PersonLife.id)).first())


def step_back(tx: Session, life: PersonLifeView) -> None:
    """Restore the row as it was before its last act, which cannot be taken back a second time."""
    assert life.before is not None
    days = {name: None if life.before[name] is None else date.fromisoformat(life.before[name]) for name in _DAYS}
    to = PersonState(life.before["state"])
    if to is life.state:
        changed = update(PersonLife).where(PersonLife.person_id == life.person_id)
    else:
        changed = transition(PERSON_STATES, STEP_BACK, PersonLife.person_id == life.person_id, to=to)
    tx.execute(changed.values(**days, before=None))


_DAYS = ("since", "until")


def _kept(was: PersonLifeView) -> Mapping[str, str | None]:
    until = None if was.until is None else was.until.isoformat()
    return {"state": was.state.value, "since": was.since.isoformat(), "until": until}
