"""Whether login codes can leave now, for the pages that send one. Nothing of it depends on any address."""

from reminder.domain.model.people import ChannelName
from reminder.domain.rules import code_delivery
from reminder.domain.rules.circuit_breaker import Certainty
from reminder.domain.rules.sending_limits import HoldReason
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.runtime import breakers, heartbeats, mail_trials


def is_held_up(uow: UnitOfWork) -> bool:
    """Return whether no e-mail leaves at present: its provider fails, waits for the operator, or does not answer."""
    breaker = breakers.find(uow.tx, ChannelName.EMAIL)
    is_recent = breaker is not None and uow.now - breaker.last_failed_at <= code_delivery.WAITED_FOR
    if breaker is not None and is_recent and (breaker.is_open or breaker.certainty is Certainty.CHANNEL):
        return True
    pause = heartbeats.pause_of(uow.tx, ChannelName.EMAIL, uow.now)
    if pause is not None and pause != HoldReason.UNUSUAL_DAY:
        return True
    known = mail_trials.find(uow.tx)
    return code_delivery.is_held_up(
        is_open=known.is_open,
        has_failed=known.has_failed,
        asked_at=known.asked_at,
        fails_at=known.fails_at,
        now=uow.now,
    )
