"""Our own web application, served to a real browser, with a mail server to send to and a worker that runs when told."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from reminder.channels.email.client import SmtpEmail
from reminder.channels.memory import MemoryChannel
from reminder.clock import SteppedClock
from reminder.domain.model.channels import registered
from reminder.domain.model.messages import Accepted, Outgoing
from reminder.domain.model.people import ChannelName
from reminder.domain.text import email_html
from reminder.simulate import SimulatedWorld
from reminder.storage.crypto.keyring import new_key
from reminder.web.app import create_web
from reminder.web.server import has_local_pages, listen, make_server
from reminder.wiring import App, build_app, read_settings
from reminder.worker.jobs import PassReport, run_once
from tests.fakes.smtp import FakeSmtp, Mail
from tests.links import MailedLinks
from tests.patience import PATIENCE
from tests.village import Village, japan

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Site:
    """`village` enrols people and moves the clock, which stands still otherwise; the mails are real, the texts are kept."""

    url: str
    village: Village
    smtp: FakeSmtp

    @property
    def app(self) -> App:
        return self.village.app

    @property
    def links(self) -> MailedLinks:
        """Addresses of the pages that need no sign-in."""
        return MailedLinks(self.app, self.url)

    def tick(self) -> PassReport:
        """One pass of the worker, now. What it sends has arrived when it ends."""
        return run_once(self.app, self.app.clock.now())

    def mails_to(self, address: str) -> list[Mail]:
        """Oldest first."""
        return [mail for mail in self.smtp.mails if address in mail.recipients]


class _KeptMail(SmtpEmail):
    """Also keeps what arrived, as the village's other channels do."""

    def __init__(self, smtp_url: str, mail_from: str) -> None:
        super().__init__(smtp_url, mail_from, render_html=lambda text, _: email_html.render_html(text))
        self.sent: list[Outgoing] = []

    async def send(self, outgoing: Outgoing) -> Accepted:
        accepted = await super().send(outgoing)
        self.sent.append(outgoing)
        return accepted


@contextmanager
def open_site(database_url: str, folder: Path, start: str, **settings_given: object) -> Iterator[Site]:
    """`start`: what a clock on a wall in Japan shows: '2026-12-01 08:00'."""
    with FakeSmtp() as smtp, listen(HOST, 0) as listening:
        # Under this name, not as 127.0.0.1, for a passkey belongs to a name.
        url = f"http://localhost:{listening.getsockname()[1]}"
        settings = read_settings(
            database_url=database_url,
            data_dir=folder,
            secret_keys=(new_key(),),
            smtp_url=smtp.url,
            mail_from="期限だより <otayori@example.jp>",
            **{"public_url": url, "links_in_carer_mail": True, **settings_given},
        )
        clock, channels = SteppedClock(japan(start)), {name: MemoryChannel() for name in registered()}
        channels[ChannelName.EMAIL] = _KeptMail(settings.smtp_url, settings.mail_from)
        with (
            build_app(settings, clock=clock, channels=channels, durable=False) as app,
            served(make_server(create_web(app, local_pages=has_local_pages(app, HOST))), listening),
        ):
            yield Site(url, Village(SimulatedWorld(app, clock, channels)), smtp)


@contextmanager
def served(server: uvicorn.Server, listening) -> Iterator[None]:
    """Who connects before it is ready waits at the socket."""
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        assert not thread.is_alive(), "the server does not stop"
