"""The definition of telephone calls: their capabilities and their settings."""

from datetime import time

from reminder.channels.definition import ChannelDefinition, ClientContext
from reminder.channels.twilio.errors import read_error
from reminder.domain.model.channels import AddressKind, ChannelCapabilities, Preference, SendingHours, TextForm
from reminder.domain.model.messages import Channel
from reminder.domain.model.notices import NoticeKind
from reminder.domain.parsing import addresses
from reminder.settings import Settings

CAPABILITIES = ChannelCapabilities(
    form=TextForm.SPOKEN,
    address=AddressKind.PHONE,
    read_address=addresses.read_voice_number,
    read_error=read_error,
    # Carers are not called.
    preference=Preference(own=3, carer=None, instead=0),
    undelivered=NoticeKind.UNDELIVERED_CALL,
    # No calls during meals.
    own_hours=(SendingHours(time(10), time(11, 30)), SendingHours(time(13, 30), time(16))),
    can_be_answered=True,
    gives_receipts=True,
    proves_arrival=True,
    # A step may call on three days.
    tries_a_step=3,
)


def _make(settings: Settings, _: ClientContext) -> Channel | None:
    if settings.twilio_account_sid is None or settings.public_url is None:
        return None
    from reminder.channels.voice.client import TwilioVoice

    return TwilioVoice(
        settings.twilio_account_sid,
        settings.twilio_auth_token[0],
        sender=settings.twilio_voice_from or "",
        base_url=settings.twilio_voice_base_url,
        public_url=settings.public_url,
    )


VOICE = ChannelDefinition(
    name="voice",
    capabilities=CAPABILITIES,
    reads=(
        "voice_enabled",
        "twilio_account_sid",
        "twilio_auth_token",
        "twilio_voice_from",
        "twilio_voice_base_url",
        "call_voice",
        "call_rate",
        "public_url",
    ),
    make=_make,
    form_order=2,
    is_in_use=lambda settings: settings.voice_enabled,
)
