"""The definition of LINE: its capabilities and its settings."""

from pydantic import BaseModel, Field, field_validator

from reminder.channels.definition import ChannelDefinition, ClientContext
from reminder.channels.line.errors import read_error
from reminder.domain.model.channels import AddressKind, ChannelCapabilities, Preference, TextForm
from reminder.domain.model.messages import Channel
from reminder.domain.model.notices import NoticeKind
from reminder.domain.parsing import addresses
from reminder.settings import Settings, SettingsPart, web_address

CAPABILITIES = ChannelCapabilities(
    form=TextForm.SHORT,
    address=AddressKind.OTHER,
    read_address=addresses.read_line_id,
    read_error=read_error,
    preference=Preference(own=1, carer=1, instead=1),
    undelivered=NoticeKind.UNDELIVERED_LINE,
    # httpx slows down quadratically with its pool.
    concurrency=8,
)


class LineSettings(BaseModel):
    """The settings that only LINE reads."""

    line_token: str | None = Field(
        None, description="channel access token of your LINE account; its friends can be told"
    )
    line_base_url: str = Field("https://api.line.me", description="another address only for tests")

    _address = field_validator("line_base_url")(web_address)


def _make(settings: Settings, _: ClientContext) -> Channel | None:
    ours = settings.part(LineSettings)
    if ours.line_token is None:
        return None
    from reminder.channels.line.client import LineMessaging

    return LineMessaging(ours.line_token, base_url=ours.line_base_url, connections=CAPABILITIES.concurrency)


def _is_in_use(settings: Settings) -> bool:
    return bool(settings.part(LineSettings).line_token)


LINE = ChannelDefinition(
    name="line",
    capabilities=CAPABILITIES,
    reads=("line_token", "line_base_url"),
    make=_make,
    form_order=4,
    is_in_use=_is_in_use,
    settings=SettingsPart(
        LineSettings,
        secret=frozenset({"line_token"}),
        reached=lambda settings: [settings.part(LineSettings).line_base_url] if _is_in_use(settings) else [],
    ),
)
