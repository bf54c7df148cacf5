"""Keeps messages in memory, with failures on order: for simulations and tests."""

from collections import deque
from collections.abc import Callable, Collection

from reminder.domain.model.messages import Accepted, Outgoing, ProviderAnswer
from reminder.errors import ChannelError, UnknownOutcomeError


class MemoryChannel:
    """`sent` is what has arrived, in order. A message that was refused is not in it."""

    def __init__(self) -> None:
        self.sent: list[Outgoing] = []
        self._next: deque[ChannelError | None] = deque()
        self._rule: Callable[[Outgoing], ChannelError | None] | None = None

    def fail_next(self, error: ChannelError) -> None:
        """The next message is refused with `error`; called twice, the next two are."""
        self._next.append(error)

    def lose_answer_next(self) -> None:
        """The next message arrives, but the sender does not learn it."""
        self._next.append(None)

    def fail_when(self, rule: Callable[[Outgoing], ChannelError | None] | None) -> None:
        """From now on a message for which `rule` returns an error is refused with it; None takes the rule away."""
        self._rule = rule

    async def send(self, outgoing: Outgoing) -> Accepted:
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
        del others  # a name belongs to one message
        seen = any(sent.message_id == outgoing.message_id for sent in self.sent)
        return Accepted(_name(outgoing)) if seen else ProviderAnswer.NOT_SEEN

    async def close(self) -> None:
        """Nothing was opened, and `sent` stays readable."""


def _name(outgoing: Outgoing) -> str:
    return f"memory-{outgoing.message_id}"
