"""The definition of text messages: their capabilities and their settings."""

from collections.abc import Sequence

from reminder.channels.definition import ChannelDefinition, ClientContext
from reminder.channels.twilio.errors import read_error
from reminder.domain.model.channels import AddressKind, ChannelCapabilities, Preference, TextForm
from reminder.domain.model.messages import Channel
from reminder.domain.parsing import addresses
from reminder.settings import Settings

CAPABILITIES = ChannelCapabilities(
    form=TextForm.SHORT,
    address=AddressKind.PHONE,
    read_address=addresses.read_sms_number,
    read_error=read_error,
    preference=Preference(own=0, carer=2, instead=3),
    can_be_answered=True,
    is_two_way=True,
    gives_receipts=True,
    proves_arrival=True,
    counts_segments=True,
    is_paced=True,
)


def _make(settings: Settings, _: ClientContext) -> Channel | None:
    if settings.twilio_account_sid is None:
        return None
    from reminder.channels.sms.client import TwilioSms

    return TwilioSms(
        settings.twilio_account_sid,
        settings.twilio_auth_token[0],
        sender=settings.twilio_from,
        messaging_service_sid=settings.twilio_messaging_service_sid,
        base_url=settings.twilio_base_url,
        public_url=settings.public_url,
    )


def _notes(settings: Settings) -> Sequence[str]:
    if not settings.has_twilio:
        return ["SMS go to the console: set TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and TWILIO_FROM to send them."]
    return ["PUBLIC_URL is not set: Twilio cannot say whether a text arrived."] if settings.public_url is None else []


SMS = ChannelDefinition(
    name="sms",
    capabilities=CAPABILITIES,
    reads=(
        "twilio_account_sid",
        "twilio_auth_token",
        "twilio_from",
        "twilio_messaging_service_sid",
        "twilio_base_url",
        "sms_per_second",
        "two_way_sms",
        "public_url",
    ),
    make=_make,
    form_order=1,
    notes=_notes,
)
