"""What a provider's error code means for us: how often a step is tried again, and what a carer is told of it."""

from enum import StrEnum

from reminder.domain.model.channels import Fault
from reminder.domain.model.people import ChannelName

# A text that came back is sent once more on the next day; to a phone that was only off, twice.
_TEXTS_A_STEP, _TEXTS_A_STEP_OF_A_PHONE_OFF = 2, 3


def texts_a_step(channel: ChannelName, reason: str | None) -> int:
    """Return how many messages of one step may come back by this channel, for this reason, before it counts as one that
    does not reach. `reason`: the provider's code as it is kept of a message; None where it gave none."""
    if channel.can.tries_a_step is not None:
        return channel.can.tries_a_step
    error = channel.can.read_error(reason)
    match error.fault:
        case Fault.TEXT | Fault.NUMBER | Fault.OPTED_OUT:
            return 1
        case Fault.OPERATOR | Fault.ACCOUNT:
            # Not the phone's fault: when the operator has acted it may well arrive.
            return _TEXTS_A_STEP_OF_A_PHONE_OFF
        case _:
            return _TEXTS_A_STEP_OF_A_PHONE_OFF if error.is_away else _TEXTS_A_STEP


class Why(StrEnum):
    """Why something did not arrive, as whoever looks after a person needs to know it."""

    NUMBER = "number"
    REFUSED = "refused"
    AWAY = "away"
    OURS = "ours"
    LATER = "later"


_BY_FAULT = {
    Fault.NUMBER: Why.NUMBER,
    Fault.OPTED_OUT: Why.REFUSED,
    Fault.OPERATOR: Why.OURS,
    Fault.ACCOUNT: Why.OURS,
    Fault.TEXT: Why.LATER,
    Fault.RETRY: Why.LATER,
    Fault.UNSURE: Why.LATER,
}


def why(channel: ChannelName, reason: str | None) -> Why:
    """`reason`: what a message that failed keeps. Our own fault is called ours."""
    if reason == "address":
        return Why.NUMBER
    if reason is None or not reason.replace(".", "").isdecimal():
        return Why.LATER
    error = channel.can.read_error(reason)
    return Why.AWAY if error.is_away else _BY_FAULT[error.fault]
