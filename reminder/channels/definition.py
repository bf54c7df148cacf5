"""What a channel's folder says of it: its capabilities, its settings, when it is used, and how its client is made."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from reminder.domain.model.channels import ChannelCapabilities
from reminder.domain.model.messages import Channel
from reminder.domain.model.people import Language
from reminder.settings import Settings, SettingsPart


@dataclass(frozen=True)
class Surroundings:
    """What clients are given besides the settings.

    `return_path` names by message id where a mail's bounces go (None: to its sender). `render_html` makes the HTML twin
    of a mail in a language; `tags` are the languages' tags (BCP 47).
    """

    render_html: Callable[[str, Language | None], str]
    return_path: Callable[[int], str] | None
    tags: Mapping[Language, str]


def _nothing(_: Settings) -> Sequence[str]:
    return ()


@dataclass(frozen=True)
class ChannelDefinition:
    """One channel, as channels/<name>/definition.py describes it and channels/registry.py lists it.

    `reads` are the settings that it reads, in small letters without REMINDER_; those of them that no other code needs
    are fields of `settings`. `is_in_use` says whether contacts may have this channel at all. `make` returns its client,
    None while a setting is missing: then the console prints its messages. `form_order` is its place on forms. `notes`
    is what `reminder doctor` says of what is not set. Each language names a channel in the entries of `words_of`.
    """

    name: str
    capabilities: ChannelCapabilities
    reads: tuple[str, ...]
    make: Callable[[Settings, Surroundings], Channel | None]
    form_order: int
    is_in_use: Callable[[Settings], bool] = lambda _: True
    settings: SettingsPart | None = None
    notes: Callable[[Settings], Sequence[str]] = _nothing


def words_of(name: str) -> Mapping[str, Sequence[str]]:
    """Return the entries by which each language names a channel, by folder of config/."""
    return {
        "wording": (f"channel.{name}",),
        "pages": (f"channel.{name}", f"contact_form.channel_{name}", f"contact_form.channel_{name}_more"),
    }
