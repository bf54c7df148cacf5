"""The people of a group: their mode, language, role, consent, and the states of their contacts."""

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import ClassVar

from reminder.domain.model import channels
from reminder.domain.model.state_machine import Move, StateMachine

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


_UNCONFIRMED, _CONFIRMED, _UNREACHABLE = ContactState.UNCONFIRMED, ContactState.CONFIRMED, ContactState.UNREACHABLE

CONFIRM = Move("its owner agrees", (_UNCONFIRMED, _CONFIRMED, _UNREACHABLE), (_CONFIRMED,))
RENEW_CONSENT = Move("its owner takes their no back", (ContactState.OPTED_OUT,), (_CONFIRMED,))
STOP = Move("its owner says no", (_UNCONFIRMED, _CONFIRMED, _UNREACHABLE), (ContactState.OPTED_OUT,))
ASK_ANEW = Move("its owner takes their no back, and has never agreed", (ContactState.OPTED_OUT,), (_UNCONFIRMED,))
GIVE_UP = Move("nothing arrives there", (_UNCONFIRMED, _CONFIRMED), (_UNREACHABLE,))
CONTACT_STATES = StateMachine(
    "contact",
    ContactState,
    # A number whose owner has refused before, and that is entered anew, starts as it was.
    starts=(_UNCONFIRMED, _CONFIRMED, ContactState.OPTED_OUT, _UNREACHABLE),
    moves=(CONFIRM, RENEW_CONSENT, ASK_ANEW, STOP, GIVE_UP),
)


# By the way in which consent is given, the stops that it lifts. The owner's own reply lifts every stop. A signed form
# lifts a stop that came through the family or by a click; a stop by a text or through the provider is lifted only by
# the owner's own text.
_LIFTS: Mapping[ConsentHow, Collection[StoppedBy | None]] = {
    ConsentHow.REPLY: (*StoppedBy, None),
    ConsentHow.WRITTEN: (StoppedBy.FAMILY, StoppedBy.CLICK),
    ConsentHow.AGENT: (StoppedBy.FAMILY, StoppedBy.CLICK),
    ConsentHow.SPOKEN: (),
}


def stops_lifted(how: ConsentHow) -> Collection[StoppedBy | None]:
    """Return the stops that consent given in this way lifts; None stands for a stop of unknown origin."""
    return _LIFTS[how]
