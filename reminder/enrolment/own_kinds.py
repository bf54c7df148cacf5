"""Kinds of a group's own: named, described, changed and removed by its members."""

from collections.abc import Mapping
from dataclasses import dataclass

from reminder.domain.model.card_kinds import RenewalPlace, StandIn
from reminder.domain.model.messages import CancelReason
from reminder.domain.model.own_kinds import (
    FURTHEST_OPENING,
    LONGEST_LEAD,
    LONGEST_NAME,
    MOST_KINDS,
    STAND_INS,
    OwnKindFacts,
)
from reminder.domain.parsing.days_before import checked_days
from reminder.domain.rules.steps import first_planning_day
from reminder.errors import ConflictError, NotFoundError, RefusedInputError, UnknownChoiceError
from reminder.guard.text import clean_label
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.outbox import queue
from reminder.storage.registry import cards, groups, own_kinds
from reminder.storage.registry.own_kinds import OwnKindView
from reminder.storage.reminders.card_plan import plan_of
from reminder.storage.runtime import activity_log


@dataclass(frozen=True)
class OwnKindDraft:
    """A kind as somebody types it; `place` and `stand_in` are names of RenewalPlace and StandIn."""

    name: str
    place: str = RenewalPlace.ISSUER
    opens_days: int | None = None
    lead_days: int = 0
    stand_in: str = StandIn.ANYBODY
    own_days: tuple[int, ...] = ()


def add_own_kind(uow: UnitOfWork, *, group_id: int, wanted: OwnKindDraft, by: int | None = None) -> OwnKindView:
    """Add a kind to a group.

    Raises RefusedInputError for what cannot be kept, ConflictError for a name that the group has given already or where
    it has too many kinds, and NotFoundError for an unknown group.
    """
    name, facts = _checked(wanted)
    groups.lock(uow.tx, group_id)
    if groups.find(uow.tx, group_id) is None:
        raise NotFoundError(field="group")
    known = own_kinds.of_group(uow.tx, group_id)
    _refuse_second(known, name, but=None)
    if len(known) >= MOST_KINDS:
        raise ConflictError("own_kinds_full", field="own_kind_name", most=MOST_KINDS)
    kind_id = own_kinds.add(uow.tx, group_id=group_id, name=name, facts=facts, now=uow.now)
    activity_log.write(uow.tx, "own_kind_added", uow.now, group_id=group_id, member_id=by)
    return OwnKindView(kind_id, group_id, name, facts)


def change_own_kind(
    uow: UnitOfWork, *, group_id: int, kind_id: int, wanted: OwnKindDraft, by: int | None = None
) -> OwnKindView:
    """Change a kind of a group; its cards get the new name, and are planned again by the new facts. Raises as adding.

    ConflictError too where somebody has another card of the new name.
    """
    name, facts = _checked(wanted)
    before = _held(uow, group_id, kind_id)
    kind = OwnKindView(kind_id, group_id, name, facts)
    if kind == before:
        return kind
    _refuse_second(own_kinds.of_group(uow.tx, group_id), name, but=kind_id)
    if name != before.name and own_kinds.people_with_label(uow.tx, before, name):
        raise ConflictError("own_kind_name_of_card", field="own_kind_name")
    own_kinds.change(uow.tx, kind_id, name=name, facts=facts)
    _plan_again(uow, group_id, own_kinds.change_cards(uow.tx, kind))
    activity_log.write(uow.tx, "own_kind_changed", uow.now, group_id=group_id, member_id=by)
    return kind


def remove_own_kind(uow: UnitOfWork, *, group_id: int, kind_id: int, by: int | None = None) -> None:
    """Remove a kind that no card has. Raises ConflictError while some has it, NotFoundError for an unknown kind."""
    kind = _held(uow, group_id, kind_id)
    used = len(own_kinds.cards_of(uow.tx, kind))
    if used:
        raise ConflictError("own_kind_in_use", field="kind", n=used)
    own_kinds.remove(uow.tx, kind_id)
    activity_log.write(uow.tx, "own_kind_removed", uow.now, group_id=group_id, member_id=by)


def _held(uow: UnitOfWork, group_id: int, kind_id: int) -> OwnKindView:
    groups.lock(uow.tx, group_id)
    kind = own_kinds.find(uow.tx, group_id, kind_id)
    if kind is None:
        raise NotFoundError(field="kind")
    return kind


def _checked(wanted: OwnKindDraft) -> tuple[str, OwnKindFacts]:
    """Return the name and the facts of a typed kind. Raises RefusedInputError."""
    name = clean_label(wanted.name, field="own_kind_name", longest=LONGEST_NAME)
    if wanted.place not in list(RenewalPlace):
        raise UnknownChoiceError(field="place", choices=list(RenewalPlace))
    if wanted.stand_in not in STAND_INS:
        raise UnknownChoiceError(field="stand_in", choices=list(STAND_INS))
    bounds: Mapping[str, tuple[int | None, int, int]] = {
        "opens_days": (wanted.opens_days, 1, FURTHEST_OPENING),
        "lead_days": (wanted.lead_days, 0, LONGEST_LEAD),
    }
    for field, (value, least, most) in bounds.items():
        if value is not None and not least <= value <= most:
            raise RefusedInputError("days_out_of_range", field=field, first=least, last=most)
    if wanted.place == RenewalPlace.ARRIVES and (wanted.opens_days is not None or wanted.lead_days):
        raise RefusedInputError("own_kind_arrives", field="place")
    days = checked_days(wanted.own_days)
    return name, OwnKindFacts(
        RenewalPlace(wanted.place), wanted.opens_days, wanted.lead_days, StandIn(wanted.stand_in), days
    )


def _refuse_second(known: list[OwnKindView], name: str, *, but: int | None) -> None:
    if any(one.name == name and one.id != but for one in known):
        raise ConflictError("own_kind_known", field="own_kind_name")


def _plan_again(uow: UnitOfWork, group_id: int, card_ids: list[int]) -> None:
    """Cancel what waits about these cards, and set their next planning days by the new facts."""
    group = groups.find(uow.tx, group_id)
    if group is None or not card_ids:
        return
    for card_id in card_ids:
        cancelled = queue.cancel_reminders_of_card(uow.tx, card_id, CancelReason.SUPERSEDED, uow.now)
        cards.schedule_replan_of_messages(uow.tx, cancelled, uow.today)
    current = cards.as_due(uow.tx, card_ids)
    ends = cards.ends_of_people(uow.tx, {card.person.id for card in current})
    next_on = {}
    for card in current:
        _, plan = plan_of(uow.rules, card, ends[card.person.id], group.preferences)
        next_on[card.id] = first_planning_day(plan, card.expires_on, uow.today)
    cards.set_next(uow.tx, next_on)
