"""The definition of a channel: its capabilities, its settings, when it is in use, and its client."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from reminder.domain.model.channels import ChannelCapabilities
from reminder.domain.model.messages import Channel
from reminder.domain.model.people import Language
from reminder.settings import Settings, SettingsPart


@dataclass(frozen=True)
class ClientContext:
    """The arguments of clients besides the settings.

    `return_path` maps the reference of a message to the return path of a mail (None: its sender). `render_html` makes
    the HTML form of a mail in a language; `tags` are the languages' tags (BCP 47).
    """

    render_html: Callable[[str, Language | None], str]
    return_path: Callable[[str], str] | None
    tags: Mapping[Language, str]


def _nothing(_: Settings) -> Sequence[str]:
    return ()


@dataclass(frozen=True)
class ChannelDefinition:
    """One channel, as channels/<name>/definition.py describes it and channels/registry.py lists it.

    `reads` are the settings that it reads, in small letters without REMINDER_; those of them that no other code needs
    are fields of `settings`. `is_in_use` returns whether contacts may have this channel at all. `make` returns its
    client, None while a setting is missing: then the console prints its messages. `form_order` is its place on forms.
    `notes` is the text of `reminder doctor` about missing settings. Each language names a channel in the entries of
    `words_of`.
    """

    name: str
    capabilities: ChannelCapabilities
    reads: tuple[str, ...]
    make: Callable[[Settings, ClientContext], Channel | None]
    form_order: int
    is_in_use: Callable[[Settings], bool] = lambda _: True
    settings: SettingsPart | None = None
    notes: Callable[[Settings], Sequence[str]] = _nothing


def words_of(name: str) -> Mapping[str, Sequence[str]]:
    """Return the entries in which each language names a channel, by folder of config/."""
    return {
        "wording": (f"channel.{name}",),
        "pages": (f"channel.{name}", f"contact_form.channel_{name}", f"contact_form.channel_{name}_more"),
    }
