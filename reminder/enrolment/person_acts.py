"""Where a person is: away for a time, back, moved out, dead; and the step back from the last of these."""

from datetime import date, datetime, timedelta
from enum import StrEnum

from reminder.domain.model.card_states import TAKEN_BACK_WITHIN, CardState, EndReason
from reminder.domain.model.messages import CancelReason
from reminder.domain.model.person_states import DIE, MOVE_OUT, PAUSE, RETURN
from reminder.domain.parsing import dates
from reminder.enrolment import card_acts
from reminder.enrolment.cards import retire_card
from reminder.errors import ConflictError, NotFoundError, RefusedInputError
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.outbox import queue
from reminder.storage.registry import card_lives, cards, groups, people, person_lives
from reminder.storage.registry.people import PersonView
from reminder.storage.registry.person_lives import PersonLifeView
from reminder.storage.runtime import activity_log

# Nobody is away for longer without somebody saying so again.
LONGEST_PAUSE = timedelta(days=366)


class PersonAct(StrEnum):
    """An act on a person that pages, programs and commands name."""

    PAUSE = "pause"
    RETURN = "return"
    MOVE_OUT = "move_out"
    DIED = "died"
    STEP_BACK = "step_back"


_GONE = {PersonAct.MOVE_OUT: (MOVE_OUT, EndReason.MOVED_AWAY), PersonAct.DIED: (DIE, EndReason.DIED)}


def act_on_person(
    uow: UnitOfWork, *, person_id: int, act: PersonAct, until: str | date | None = None, by: int | None = None
) -> None:
    """Do one of these acts. `until`: the last day of a pause, as typed.

    While a person is away only those around them are told. About who has moved out or died nothing is told: their cards
    are retired with that reason. Raises NotFoundError, RefusedInputError for a day that is past or far, and
    ConflictError for what is not possible where they are.
    """
    person = people.find(uow.tx, person_id)
    if person is None:
        raise NotFoundError(field="person")
    groups.lock(uow.tx, person.group_id)
    match act:
        case PersonAct.STEP_BACK:
            _step_back(uow, person, by)
        case PersonAct.MOVE_OUT | PersonAct.DIED:
            _leave(uow, person, act, by)
        case _:
            day = _last_day(uow, until) if act is PersonAct.PAUSE else None
            move = PAUSE if act is PersonAct.PAUSE else RETURN
            if not person_lives.move(uow.tx, person_id, move, on=uow.today, now=uow.now, until=day):
                raise ConflictError("person_not_there", field="person")
            cards.schedule_replan_of_person(uow.tx, person_id, uow.today)
    activity_log.write(
        uow.tx, f"person_{act.value}", uow.now, group_id=person.group_id, person_id=person_id, member_id=by
    )


def taken_back_until(life: PersonLifeView | None, now: datetime) -> datetime | None:
    """Return until when the last act can be taken back, aware UTC; None where it cannot."""
    if life is None or life.before is None or now - life.changed_at > TAKEN_BACK_WITHIN:
        return None
    return life.changed_at + TAKEN_BACK_WITHIN


def _leave(uow: UnitOfWork, person: PersonView, act: PersonAct, by: int | None) -> None:
    move, reason = _GONE[act]
    if not person_lives.move(uow.tx, person.id, move, on=uow.today, now=uow.now):
        raise ConflictError("person_not_there", field="person")
    for card in cards.current_of_person(uow.tx, person.id):
        retire_card(uow, card_id=card.id, reason=reason, by=by)
    queue.cancel_for_person(uow.tx, person.id, CancelReason.RETIRED, uow.now)


def _step_back(uow: UnitOfWork, person: PersonView, by: int | None) -> None:
    life = person_lives.of_people(uow.tx, [person.id]).get(person.id)
    if life is None or life.before is None:
        raise ConflictError("nothing_to_take_back", field="person")
    if uow.now - life.changed_at > TAKEN_BACK_WITHIN:
        raise ConflictError("too_late_to_take_back", field="person")
    person_lives.step_back(uow.tx, life)
    if life.state.has_gone:
        for card in cards.some_of_person(uow.tx, person.id, after=0, limit=1_000_000):
            ended = card_lives.last_of(uow.tx, card.id)
            # Those that ended with this act, and not before.
            if ended is not None and ended.state is CardState.ENDED and ended.changed_at == life.changed_at:
                card_acts.step_back(uow, card_id=card.id, by=by)
    cards.schedule_replan_of_person(uow.tx, person.id, uow.today)


def _last_day(uow: UnitOfWork, typed: str | date | None) -> date | None:
    if typed is None:
        return None
    day = typed if isinstance(typed, date) else dates.read_typed(typed, field="until")
    if not uow.today <= day <= uow.today + LONGEST_PAUSE:
        raise RefusedInputError("day_not_to_come", field="until")
    return day
