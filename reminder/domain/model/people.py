"""Whose card it is, how they are spoken to, and in which language."""

from enum import StrEnum
from typing import ClassVar

from reminder.domain.model import channels

ChannelName = channels.ChannelName


class Mode(StrEnum):
    """Which schedule a person has and in which voice the texts speak. HOME speaks as ELDERLY."""

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
    PERSON = "person"
    CARER = "carer"
    STAFF = "staff"


class GroupKind(StrEnum):
    HOUSEHOLD = "household"
    HOME = "home"


class Role(StrEnum):
    OWNER = "owner"
    EDITOR = "editor"
    VIEWER = "viewer"


class Copies(StrEnum):
    """Which of the reminders about the persons of their group a member is sent. What somebody must act on reaches at
    least one human, whatever they chose."""

    ALL = "all"
    NEAR = "near"  # from rhythm.NEAR_FROM before the end on
    NONE = "none"


class ConsentHow(StrEnum):
    """How the owner of an address said yes. Silence is not consent."""

    SPOKEN = "spoken"
    WRITTEN = "written"
    AGENT = "agent"  # by who may legally decide for them
    REPLY = "reply"  # by their own answer to a text


class StoppedBy(StrEnum):
    """Who said that nothing more is wanted at a contact. What its owner said, nobody else takes back."""

    REPLY = "reply"  # its owner's own word to a text
    CLICK = "click"  # its owner's mail program
    FAMILY = "family"  # the family or the home, told so by its owner
    PROVIDER = "provider"  # told so by its owner


class ContactState(StrEnum):
    UNCONFIRMED = "unconfirmed"
    CONFIRMED = "confirmed"
    OPTED_OUT = "opted_out"
    UNREACHABLE = "unreachable"
