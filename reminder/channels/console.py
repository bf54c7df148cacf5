"""Prints messages instead of sending them: the first run needs no account anywhere."""

from collections.abc import Callable, Collection

from reminder.domain.model.messages import Accepted, Outgoing, ProviderAnswer


class ConsoleChannel:
    def __init__(self, name: str, write: Callable[[str], None]) -> None:
        self._name = name
        self._write = write

    async def send(self, outgoing: Outgoing) -> Accepted:
        subject = f" 「{outgoing.subject}」" if outgoing.subject else ""
        self._write(f"{self._name} → {outgoing.address}{subject}: {outgoing.text}")
        return Accepted(f"console-{outgoing.message_id}")

    async def ask(self, outgoing: Outgoing, others: Collection[str]) -> Accepted | ProviderAnswer:
        """A screen cannot be asked, and a line printed twice harms nobody."""
        del outgoing, others
        return ProviderAnswer.SAFE_TO_REPEAT

    async def close(self) -> None:
        """Nothing was opened."""
