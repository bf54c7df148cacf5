"""The console channel: it prints messages instead of sending them, so that the first run needs no account."""

from collections.abc import Callable, Collection

from reminder.domain.model.messages import Accepted, Outgoing, ProviderAnswer


class ConsoleChannel:
    """A channel that prints messages."""

    def __init__(self, name: str, write: Callable[[str], None]) -> None:
        self._name = name
        self._write = write

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Print the message."""
        subject = f" 「{outgoing.subject}」" if outgoing.subject else ""
        self._write(f"{self._name} → {outgoing.address}{subject}: {outgoing.text}")
        return Accepted(f"console-{outgoing.message_id}")

    async def ask(self, outgoing: Outgoing, others: Collection[str]) -> Accepted | ProviderAnswer:
        """Return that the message may be repeated: a console cannot be asked, and a second line is harmless."""
        del outgoing, others
        return ProviderAnswer.SAFE_TO_REPEAT

    async def close(self) -> None:
        """Do nothing: nothing was opened."""
