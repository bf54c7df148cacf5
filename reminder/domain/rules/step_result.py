"""What became of telling one step to one contact: which end of a message closes the step, and which leaves it open."""

from collections.abc import Sequence
from dataclasses import dataclass

from reminder.domain.model.channels import ChannelName, Fault
from reminder.domain.model.messages import GAVE_UP, NOT_SEEN, UNREADABLE, MessageState
from reminder.domain.rules.provider_errors import texts_a_step


@dataclass(frozen=True)
class MessageResult:
    """The end, or the present state, that messages of one step to one contact share; `times`: how many they are."""

    channel: ChannelName
    state: MessageState
    reason: str | None
    possibly_double: bool
    times: int

    @property
    def came_back(self) -> bool:
        """Whether the provider reports that it was not delivered."""
        return self.state is MessageState.UNDELIVERED

    @property
    def failed(self) -> bool:
        """Whether it was refused, or given up."""
        return self.state is MessageState.FAILED

    @property
    def is_untold(self) -> bool:
        """Whether it never left, or was given up by us: it told nobody, and may be told again."""
        is_given_up = self.failed and self.reason in (GAVE_UP, NOT_SEEN, UNREADABLE)
        return self.state is MessageState.STALE or is_given_up

    @property
    def may_have_arrived(self) -> bool:
        """Whether nobody can know that it did not arrive."""
        if self.came_back:
            return self.channel.can.read_error(self.reason).fault is Fault.UNSURE
        return self.is_untold and (self.possibly_double or self.reason == NOT_SEEN)


@dataclass(frozen=True)
class StepResult:
    """What became of telling one step to one contact."""

    reached: bool  # told, or on its way: nobody of this human is told it again
    is_closed: bool  # not by this contact again, whatever became of it
    may_have_arrived: bool  # not known to be told, and not known not to be
    failed: bool  # it was tried, and did not reach: another way is next
    times: int  # how many messages left for it


def step_result(results: Sequence[MessageResult]) -> StepResult:
    """Return the result of a step. What came back told nobody, and closes it once it has come back too often."""
    back = [one for one in results if one.came_back]
    reached = any(not (one.came_back or one.failed or one.is_untold) for one in results)
    refused = any(one.failed and not one.is_untold for one in results)
    allowed = min((texts_a_step(one.channel, one.reason) for one in back), default=0)
    return StepResult(
        reached=reached,
        is_closed=reached or refused or (bool(back) and sum(one.times for one in back) >= allowed),
        may_have_arrived=any(one.may_have_arrived for one in results),
        failed=any(one.came_back or one.failed for one in results),
        times=sum(one.times for one in results if not one.is_untold),
    )
