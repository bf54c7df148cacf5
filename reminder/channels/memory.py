"""The memory channel: it stores messages in memory and fails on request, for simulations and tests."""

from collections import deque
from collections.abc import Callable, Collection

from reminder.domain.model.messages import Accepted, Outgoing, ProviderAnswer
from reminder.errors import ChannelError, UnknownOutcomeError


class MemoryChannel:
    """A channel that stores messages. `sent` holds those that arrived, in order, without refused ones."""

    def __init__(self) -> None:
        self.sent: list[Outgoing] = []
        self._next: deque[ChannelError | None] = deque()
        self._rule: Callable[[Outgoing], ChannelError | None] | None = None

    def fail_next(self, error: ChannelError) -> None:
        """Refuse the next message with `error`; called twice, the next two."""
        self._next.append(error)

    def lose_answer_next(self) -> None:
        """Accept the next message, but lose the answer to its sender."""
        self._next.append(None)

    def fail_when(self, rule: Callable[[Outgoing], ChannelError | None] | None) -> None:
        """Refuse from now on each message for which `rule` returns an error; None removes the rule."""
        self._rule = rule

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Store the message, or raise the requested error."""
        error = self._next.popleft() if (ordered := bool(self._next)) else self._ruled(outgoing)
        if error is not None:
            raise error
        self.sent.append(outgoing)
        if ordered:
            raise UnknownOutcomeError("timeout")
        return Accepted(_name(outgoing))

    def _ruled(self, outgoing: Outgoing) -> ChannelError | None:
        return self._rule(outgoing) if self._rule else None

    async def ask(self, outgoing: Outgoing, others: Collection[str]) -> Accepted | ProviderAnswer:
        """Return whether the message has arrived."""
        del others  # an id belongs to one message
        seen = any(sent.message_id == outgoing.message_id for sent in self.sent)
        return Accepted(_name(outgoing)) if seen else ProviderAnswer.NOT_FOUND

    async def close(self) -> None:
        """Do nothing: nothing was opened, and `sent` stays readable."""


def _name(outgoing: Outgoing) -> str:
    return f"memory-{outgoing.message_id}"
