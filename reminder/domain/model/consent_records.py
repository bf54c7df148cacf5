"""What the owner of a telephone number or an e-mail address has been asked, has agreed to, and has refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from reminder.domain.model.people import ConsentHow, StoppedBy


class ConsentAct(StrEnum):
    """What happened."""

    ASKED = "asked"  # our fixed question for consent was queued
    CONSENTED = "consented"
    WITHDREW = "withdrew"
    WRONG_PERSON = "wrong_person"  # its owner said that it belongs to somebody else


class ConsentWay(StrEnum):
    """The way in which it happened."""

    TEXT = "text"  # asked by a text
    MAIL = "mail"  # asked by an e-mail
    REPLY = "reply"  # the owner's own text
    LINK = "link"  # the owner's own press of a button in our e-mail, or of their mail program
    SIGN_IN = "sign_in"  # the owner signed in with a code that was sent there
    MEMBER = "member"  # somebody was entered as a member
    SPOKEN = "spoken"  # said to a person who is named with the contact
    WRITTEN = "written"
    AGENT = "agent"
    PROVIDER = "provider"  # said to the provider by the owner
    PAGE = "page"  # entered by the family or the home
    OPERATOR = "operator"  # entered by a command
    UNKNOWN = "unknown"  # recorded by an early version, which did not say


@dataclass(frozen=True)
class ConsentRecord:
    """One record of the ledger. `group_id`: whom it concerns; None: every group."""

    group_id: int | None
    act: ConsentAct
    way: ConsentWay
    at: datetime


# A record of a group that was erased: it concerns no group any more.
NO_GROUP = 0

# The party that has stopped a contact, by the way of the withdrawal.
STOPPED_BY: Mapping[ConsentWay, StoppedBy | None] = {
    ConsentWay.REPLY: StoppedBy.REPLY,
    ConsentWay.LINK: StoppedBy.CLICK,
    ConsentWay.PROVIDER: StoppedBy.PROVIDER,
    ConsentWay.PAGE: StoppedBy.FAMILY,
    ConsentWay.OPERATOR: StoppedBy.FAMILY,
    ConsentWay.UNKNOWN: None,
}
# How strong a consent is, by its way. Somebody whom others have entered has said nothing.
STRENGTH: Mapping[ConsentWay, ConsentHow] = {
    ConsentWay.REPLY: ConsentHow.REPLY,
    ConsentWay.LINK: ConsentHow.REPLY,
    ConsentWay.SIGN_IN: ConsentHow.REPLY,
    ConsentWay.WRITTEN: ConsentHow.WRITTEN,
    ConsentWay.AGENT: ConsentHow.AGENT,
    ConsentWay.SPOKEN: ConsentHow.SPOKEN,
    ConsentWay.MEMBER: ConsentHow.SPOKEN,
}
# The owner's own word, which nobody else takes back.
OWN_WORD = frozenset({ConsentWay.REPLY, ConsentWay.LINK, ConsentWay.PROVIDER, ConsentWay.UNKNOWN})


def way_of_stop(by: StoppedBy) -> ConsentWay:
    """Return the way of a withdrawal by this party, where nothing more is known."""
    return {
        StoppedBy.REPLY: ConsentWay.REPLY,
        StoppedBy.CLICK: ConsentWay.LINK,
        StoppedBy.PROVIDER: ConsentWay.PROVIDER,
        StoppedBy.FAMILY: ConsentWay.PAGE,
    }[by]
