"""The operator's acts on a group: approving it after its trial, suspending and resuming it, and its own quotas."""

from collections.abc import Mapping

from reminder.domain.model.messages import CancelReason
from reminder.domain.rules.quotas import Quota
from reminder.errors import ConflictError, NotFoundError
from reminder.guard.text import clean_label
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.outbox import queue
from reminder.storage.registry import cards, group_standing, groups
from reminder.storage.registry.group_standing import Standing
from reminder.storage.runtime import activity_log


def approve(uow: UnitOfWork, *, group_id: int) -> int:
    """End the trial of a group: its recorded consents count from now on. Return how many contacts that confirmed.

    Raises NotFoundError, and ConflictError for a group that is not on trial.
    """
    if not _locked(uow, group_id).is_on_trial:
        raise ConflictError("group_not_on_trial", field="group")
    confirmed = group_standing.end_trial(uow.tx, group_id, uow.now)
    cards.schedule_replan_of_group(uow.tx, group_id, uow.today)
    activity_log.write(uow.tx, "group_approved", uow.now, group_id=group_id)
    return len(confirmed)


def suspend(uow: UnitOfWork, *, group_id: int, why: str) -> None:
    """Stop everything that a group sends and changes, at once; its people read `why`.

    Waiting reminders are withdrawn and planned again when it is resumed; other messages wait. Raises NotFoundError,
    RefusedInputError, and ConflictError for a group that is suspended already.
    """
    clean = clean_label(why, field="why", longest=100, most_digits=8)
    _locked(uow, group_id)
    if not group_standing.suspend(uow.tx, group_id, clean, uow.now):
        raise ConflictError("group_suspended_already", field="group")
    queue.cancel_reminders_of_group(uow.tx, group_id, CancelReason.SUPERSEDED, uow.now)
    activity_log.write(uow.tx, "group_suspended", uow.now, group_id=group_id)


def resume(uow: UnitOfWork, *, group_id: int) -> None:
    """Let a group go on: what waited is sent, and what is due is planned at the next pass.

    Raises NotFoundError, and ConflictError for a group that is not suspended.
    """
    _locked(uow, group_id)
    if not group_standing.resume(uow.tx, group_id):
        raise ConflictError("group_not_suspended", field="group")
    queue.release_suspended(uow.tx, group_id, uow.now)
    cards.schedule_replan_of_group(uow.tx, group_id, uow.today)
    activity_log.write(uow.tx, "group_resumed", uow.now, group_id=group_id)


def set_quotas(uow: UnitOfWork, *, group_id: int, changes: Mapping[Quota, int | None]) -> dict[str, int]:
    """Set limits of one group, None for the usual one; return all limits that are set for it. Raises NotFoundError."""
    _locked(uow, group_id)
    kept = group_standing.set_quotas(uow.tx, group_id, changes)
    activity_log.write(uow.tx, "group_quotas_changed", uow.now, group_id=group_id)
    return kept


def _locked(uow: UnitOfWork, group_id: int) -> Standing:
    groups.lock(uow.tx, group_id)
    standing = group_standing.find(uow.tx, group_id)
    if standing is None:
        raise NotFoundError(field="group")
    return standing
