"""The delivery of one step to one contact: which end of a message closes the step, and which leaves it open."""

from collections.abc import Sequence
from dataclasses import dataclass

from reminder.domain.model.channels import ChannelName, Fault
from reminder.domain.model.messages import GAVE_UP, NOT_FOUND, UNREADABLE, MessageState
from reminder.domain.rules.provider_errors import texts_a_step
from reminder.domain.rules.sending_limits import HoldReason

# Why a message of ours waits although its channel works: another channel would have to wait too.
OWN_REASONS = frozenset({*HoldReason, UNREADABLE, "suspended", "line_in_use", "waits"})


@dataclass(frozen=True)
class MessageResult:
    """The end, or the present state, that messages of one step to one contact share; `times`: how many they are."""

    channel: ChannelName
    state: MessageState
    reason: str | None
    possibly_double: bool
    times: int
    is_doubted: bool = False  # nobody can say whether they arrived, and nobody counts on it any more

    @property
    def came_back(self) -> bool:
        """Whether the provider reported that they did not arrive."""
        return self.state is MessageState.UNDELIVERED

    @property
    def failed(self) -> bool:
        """Whether they ended as failed, without a report of the provider."""
        return self.state is MessageState.FAILED

    @property
    def never_left(self) -> bool:
        """Whether they certainly or probably never left, so that they reached nobody and may be sent again."""
        is_given_up = self.failed and self.reason in (GAVE_UP, NOT_FOUND, UNREADABLE)
        return self.state is MessageState.STALE or is_given_up

    @property
    def gave_way(self) -> bool:
        """Whether they never left because their channel or their address would not take them."""
        return self.state is MessageState.STALE and self.reason is not None and self.reason not in OWN_REASONS

    @property
    def may_have_arrived(self) -> bool:
        """Whether they may have arrived although that is not known."""
        if self.is_doubted:
            return not (self.came_back or self.failed)
        if self.came_back:
            return self.channel.can.read_error(self.reason).fault is Fault.UNSURE
        return self.never_left and (self.possibly_double or self.reason == NOT_FOUND)


@dataclass(frozen=True)
class StepResult:
    """The outcome of one step for one contact."""

    reached: bool  # arrived, or on its way: no contact of this human gets it again
    is_closed: bool  # this contact does not get it again, whatever the outcome
    may_have_arrived: bool  # the outcome is unknown
    failed: bool  # it was attempted, and did not arrive: failover is next
    times: int  # how many messages were handed over for it


def step_result(results: Sequence[MessageResult]) -> StepResult:
    """Return the result of a step for one contact.

    A message that never left, or that we gave up, reached nobody. Neither did one that failed at the provider; the
    step is closed once it has failed too often.
    """
    back = [one for one in results if one.came_back]
    # What may have arrived is not sent to the same contact again.
    doubted = any(one.is_doubted and one.may_have_arrived for one in results)
    reached = any(not (one.came_back or one.failed or one.never_left or one.is_doubted) for one in results)
    refused = any(one.failed and not one.never_left for one in results)
    allowed = min((texts_a_step(one.channel, one.reason) for one in back), default=0)
    return StepResult(
        reached=reached,
        is_closed=reached or refused or doubted or (bool(back) and sum(one.times for one in back) >= allowed),
        may_have_arrived=any(one.may_have_arrived for one in results),
        failed=doubted or any(one.came_back or one.failed or one.gave_way for one in results),
        times=sum(one.times for one in results if not one.never_left),
    )
