"""The meaning of a provider's error code: how often a step is retried, and what a carer is informed of."""

from enum import StrEnum

from reminder.domain.model.channels import Fault
from reminder.domain.model.people import ChannelName

# A text that failed is sent once more on the next day; to a phone that was only off, twice.
_TEXTS_A_STEP, _TEXTS_A_STEP_OF_A_PHONE_OFF = 2, 3


def texts_a_step(channel: ChannelName, reason: str | None) -> int:
    """Return how many messages of one step may fail by this channel before it counts as unreachable.

    `reason`: the provider's code as it is stored with a message; None where it gave none.
    """
    if channel.can.tries_a_step is not None:
        return channel.can.tries_a_step
    error = channel.can.read_error(reason)
    match error.fault:
        case Fault.TEXT | Fault.NUMBER | Fault.OPTED_OUT:
            return 1
        case Fault.OPERATOR | Fault.ACCOUNT:
            # Not the phone's fault: it may arrive once the operator has acted.
            return _TEXTS_A_STEP_OF_A_PHONE_OFF
        case _:
            return _TEXTS_A_STEP_OF_A_PHONE_OFF if error.is_away else _TEXTS_A_STEP


class FailureCause(StrEnum):
    """The cause of a failure, in the terms of whoever looks after a person."""

    NUMBER = "number"
    REFUSED = "refused"
    AWAY = "away"
    OURS = "ours"
    LATER = "later"


_BY_FAULT = {
    Fault.NUMBER: FailureCause.NUMBER,
    Fault.OPTED_OUT: FailureCause.REFUSED,
    Fault.OPERATOR: FailureCause.OURS,
    Fault.ACCOUNT: FailureCause.OURS,
    Fault.TEXT: FailureCause.LATER,
    Fault.RETRY: FailureCause.LATER,
    Fault.UNSURE: FailureCause.LATER,
}


def failure_cause(channel: ChannelName, reason: str | None) -> FailureCause:
    """Return the cause of a failure; our own fault is named as ours. `reason`: as it is stored with the message."""
    if reason == "address":
        return FailureCause.NUMBER
    if reason is None or not reason.replace(".", "").isdecimal():
        return FailureCause.LATER
    error = channel.can.read_error(reason)
    return FailureCause.AWAY if error.is_away else _BY_FAULT[error.fault]
