"""Notices to those around a person: about a message that did not arrive, was answered, or was stopped."""

from enum import StrEnum


class NoticeKind(StrEnum):
    """The kind of a notice, with its words in config/wording/ under [notices]."""

    UNDELIVERED = "undelivered"
    UNDELIVERED_MAIL = "undelivered_mail"
    UNDELIVERED_CALL = "undelivered_call"
    UNDELIVERED_LINE = "undelivered_line"
    LOST = "lost"  # a relative's phone or address that does not work any more
    LOST_MEMBER = "lost_member"  # a member's
    DONE = "done"  # answered "done": the new date is asked for
    WHICH = "which"  # answered "done", but not about which card
    FAMILY = "family"  # asked us to contact the family
    UNREAD = "unread"  # an answer that only a human understands
    NUMBER = "number"  # sent something like a number, which was not kept
    STOPPED = "stopped"
    DECLINED = "declined"
    WRONG_PERSON = "wrong_person"
    SILENT = "silent"  # nobody has answered or acted
    UNPROVEN = "unproven"  # a contact has not been verified for long
    LANDLINE = "landline"  # a number that only a human can check
    SENDER = "sender"  # our texts come from another number from now on
    REACH = "reach"  # to a carer, once a year: does mail still arrive?


class UntoldKind(StrEnum):
    """Why somebody was not told of a step by the last hour of its day, with its words beside those of the notices.

    A promise leads to it (planning/promise_keeping.py), so it waits in no table of notices.
    """

    NOT_SENT = "not_sent"  # for a fault of ours
    NOT_TAKEN = "not_taken"  # because the address does not take it at present
    UNCONFIRMED = "unconfirmed"  # it has left, and nobody can say whether it arrived


# All notices to those around a person.
ALL_NOTICES: tuple[NoticeKind | UntoldKind, ...] = (*NoticeKind, *UntoldKind)

# The texts sent to somebody who has answered, in [answers] of config/wording/.
ANSWERS = (
    "consent", "welcome", "declined", "done", "applied", "ready", "booked", "which", "later", "going", "family", "who",
    "thanks", "number", "unread", "stopped", "stopped_one_way", "started", "wrong_person", "summer", "new_year",
)  # fmt: skip

# Those of them that are about the number itself, whoever is meant: they name nobody.
OF_THE_NUMBER = frozenset({"who", "number", "stopped", "stopped_one_way", "started", "wrong_person"})
