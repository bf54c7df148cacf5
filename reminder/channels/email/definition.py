"""The definition of e-mail: its capabilities and its settings."""

from collections.abc import Sequence

from reminder.channels.definition import ChannelDefinition, ClientContext
from reminder.channels.email.errors import read_error
from reminder.domain.model.channels import AddressKind, ChannelCapabilities, Preference, TextForm
from reminder.domain.model.messages import Channel
from reminder.domain.model.notices import NoticeKind
from reminder.domain.parsing import addresses
from reminder.settings import Settings

CAPABILITIES = ChannelCapabilities(
    form=TextForm.LETTER,
    address=AddressKind.EMAIL,
    read_address=addresses.read_email,
    read_error=read_error,
    preference=Preference(own=2, carer=0, instead=2),
    undelivered=NoticeKind.UNDELIVERED_MAIL,
    reads_early=True,
    gives_receipts=True,
    costs=False,
    has_stop_link=True,
    # Staff of a home get mails about many persons.
    most_a_day=60,
    # Small providers allow only a few connections from one address.
    concurrency=4,
    # A server that returns mail later speaks for its own users only; our own server refuses at once.
    judges_sender=False,
)


def _make(settings: Settings, surroundings: ClientContext) -> Channel | None:
    if settings.smtp_url is None or settings.mail_from is None:
        return None
    from reminder.channels.email.client import SmtpEmail

    return SmtpEmail(
        settings.smtp_url,
        settings.mail_from,
        render_html=surroundings.render_html,
        return_path=surroundings.return_path,
        tags=surroundings.tags,
        connections=CAPABILITIES.concurrency,
    )


def _notes(settings: Settings) -> Sequence[str]:
    return [] if settings.smtp_url else ["E-mails go to the console: set SMTP_URL and MAIL_FROM to send them."]


EMAIL = ChannelDefinition(
    name="email",
    capabilities=CAPABILITIES,
    reads=("smtp_url", "mail_from", "bounce_address", "links_in_carer_mail"),
    make=_make,
    form_order=3,
    notes=_notes,
)
