"""Mail servers of a run: one that keeps the latest login code of each address in a file, so that every process can read
its own, and one that takes a connection and then says nothing."""

import asyncio
import re
from email import message_from_bytes, policy
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.fakes.smtp import FakeSmtp


class MailboxSmtp(FakeSmtp):
    """A mail server that delivers into `folder`."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        answer = await super().handle_DATA(server, session, envelope)
        content = envelope.content
        assert isinstance(content, bytes)
        body = message_from_bytes(content, policy=policy.default).get_body(("plain",))
        code = re.search(r"\b[a-z]{4}-[a-z]{4}-[a-z]{4}\b", "" if body is None else str(body.get_content()))
        for address in envelope.rcpt_tos if code else ():
            written = self._folder / f"{address}.new"
            written.write_text(code[0], encoding="ascii")
            written.replace(self._folder / address)
        return answer


class HungSmtp(FakeSmtp):
    """It answers nothing after the first words, until `answer_again`: then all that has waited is answered, too."""

    def __init__(self) -> None:
        super().__init__()
        self._answers = asyncio.Event()
        self.hung = 0

    def answer_again(self) -> None:
        async def answer() -> None:
            self._answers.set()

        self._thread.run(answer())

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.hung += not self._answers.is_set()
        await self._answers.wait()
        return await super().handle_MAIL(server, session, envelope, address, options)


def code_to(folder: Path, address: str) -> str | None:
    """The long code in the latest mail to this address that has one, None before the first."""
    place = folder / address
    return place.read_text(encoding="ascii") if place.exists() else None
