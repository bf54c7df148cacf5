"""The registry of all channels. Importing this module registers them with the rules."""

from collections.abc import Sequence

from reminder.channels.definition import ChannelDefinition
from reminder.channels.email.definition import EMAIL
from reminder.channels.line.definition import LINE
from reminder.channels.sms.definition import SMS
from reminder.channels.voice.definition import VOICE
from reminder.domain.model.channels import ChannelName, register
from reminder.errors import UnknownChoiceError
from reminder.settings import Settings, SettingsPart

CHANNELS: Sequence[ChannelDefinition] = (
    SMS,
    EMAIL,
    VOICE,
    LINE,
)

for _one in CHANNELS:
    register(_one.name, _one.capabilities)


def parts() -> tuple[SettingsPart, ...]:
    """Return the settings that single channels add."""
    return tuple(one.settings for one in CHANNELS if one.settings is not None)


def in_use(settings: Settings) -> tuple[ChannelName, ...]:
    """Return the channels that contacts may have, in the order of the registry."""
    return tuple(ChannelName(one.name) for one in CHANNELS if one.is_in_use(settings))


def on_forms() -> tuple[ChannelName, ...]:
    """Return all channels in the order in which a form offers them."""
    return tuple(ChannelName(one.name) for one in sorted(CHANNELS, key=lambda one: one.form_order))


def names() -> tuple[ChannelName, ...]:
    """Return the names of all channels, in the order of the registry."""
    return tuple(ChannelName(one.name) for one in CHANNELS)


def channel_named(name: str) -> ChannelName:
    """Return the channel of this name; raises UnknownChoiceError."""
    if name not in names():
        raise UnknownChoiceError(field="channel", choices=names())
    return ChannelName(name)
