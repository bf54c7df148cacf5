"""The people of a group: their mode, language, role, consent, and the states of their contacts."""

from enum import StrEnum
from typing import ClassVar

from reminder.domain.model import channels

ChannelName = channels.ChannelName


class Mode(StrEnum):
    """A person's schedule and the voice of the texts to them. HOME uses the voice of ELDERLY."""

    STANDARD = "standard"
    ELDERLY = "elderly"
    HOME = "home"


class Language(str):
    """The name of a file in config/wording/: three are shipped, and any other is added as one file."""

    __slots__ = ()

    JAPANESE: ClassVar["Language"]
    EASY_JAPANESE: ClassVar["Language"]
    ENGLISH: ClassVar["Language"]


Language.JAPANESE, Language.EASY_JAPANESE, Language.ENGLISH = map(Language, ("ja", "ja-easy", "en"))


class Audience(StrEnum):
    """A class of recipients: the person, the carers, the staff."""

    PERSON = "person"
    CARER = "carer"
    STAFF = "staff"


class GroupKind(StrEnum):
    """The kind of a workspace: a household or a home."""

    HOUSEHOLD = "household"
    HOME = "home"


class Role(StrEnum):
    """A member's role in a group."""

    OWNER = "owner"
    EDITOR = "editor"
    VIEWER = "viewer"


class Copies(StrEnum):
    """The reminders about the persons of their group that a member receives.

    A message that somebody must act on reaches at least one human, whatever the members chose.
    """

    ALL = "all"
    NEAR = "near"  # from preferences.NEAR_FROM before the end on
    NONE = "none"


class ConsentHow(StrEnum):
    """The way in which the owner of an address consented. Silence is not consent."""

    SPOKEN = "spoken"
    WRITTEN = "written"
    AGENT = "agent"  # by a person who may legally decide for them
    REPLY = "reply"  # by their own answer to a text


class StoppedBy(StrEnum):
    """The party that stopped a contact. A stop by the contact's owner is lifted by nobody else."""

    REPLY = "reply"  # its owner's own word to a text
    CLICK = "click"  # its owner's mail program
    FAMILY = "family"  # the family or the home, at its owner's request
    PROVIDER = "provider"  # at its owner's request


class ContactState(StrEnum):
    """The state of a contact."""

    UNCONFIRMED = "unconfirmed"
    CONFIRMED = "confirmed"
    OPTED_OUT = "opted_out"
    UNREACHABLE = "unreachable"
