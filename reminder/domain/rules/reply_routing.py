"""Reply routing: whose answer a text from a telephone is, where several persons or groups have written to it.

A text belongs to those whose message it can answer. Where two could be meant, nothing is guessed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from reminder.domain.parsing.replies import Consent, Intent

# Answers about cards, which only a text with an open question can have caused.
_ABOUT_CARDS = (Intent.DONE, Intent.LATER, Intent.GOING)
# Words that belong to the number itself, whoever owns it.
_OF_THE_NUMBER = (Intent.STOP, Intent.START, Intent.WRONG_PERSON)


@dataclass(frozen=True)
class Conversation:
    """What one contact at a telephone has been sent and has answered.

    `is_own`: it is the person's own, not a relative's or a member's. `codes`: the digits of its open questions.
    `is_asked_for_consent`: its owner has not answered the request yet. `is_stopped`: its owner wants no messages.
    `written_at`: when a text last went there, None: never (aware UTC). `is_unanswered`: the latest text that can be
    answered has no reply yet.
    """

    contact_id: int
    group_id: int
    person_id: int | None
    is_own: bool
    codes: frozenset[int] = frozenset()
    is_asked_for_consent: bool = False
    is_stopped: bool = False
    written_at: datetime | None = None
    is_unanswered: bool = False

    @property
    def is_open(self) -> bool:
        """Whether a text to this contact can still be answered."""
        return bool(self.codes) or self.is_asked_for_consent or self.is_unanswered


class Reach(Enum):
    """Whom a reply concerns."""

    NOBODY = auto()  # nothing of ours was ever sent to the number: nothing is kept
    ONE = auto()
    NUMBER = auto()  # every contact with the number; the words say which (stop, start, wrong number)
    UNCLEAR = auto()


@dataclass(frozen=True)
class Routing:
    """The result: whom a reply concerns, the contact whose text came last first."""

    reach: Reach
    contact_ids: tuple[int, ...] = ()


def route(intent: Intent, digit: int | None, consent: Consent | None, conversations: Sequence[Conversation]) -> Routing:
    """Return whom a reply concerns.

    `digit`: the reply, where it is one digit. `consent`: yes or no, where it can mean that.
    """
    written = _latest_first(one for one in conversations if one.written_at is not None)
    if intent in _OF_THE_NUMBER and (chosen := _of_the_number(intent, written, conversations)):
        return Routing(Reach.NUMBER, tuple(one.contact_id for one in chosen))
    if not written:
        return Routing(Reach.NOBODY)
    meant = _latest_first(_meant(intent, digit, consent, written))
    reach = Reach.ONE if len(meant) == 1 else Reach.UNCLEAR
    return Routing(reach, tuple(one.contact_id for one in meant))


def _latest_first(conversations: Iterable[Conversation]) -> list[Conversation]:
    return sorted(conversations, key=lambda one: (-_instant(one), one.contact_id))


def _instant(one: Conversation) -> float:
    return one.written_at.timestamp() if one.written_at is not None else 0.0


def _of_the_number(
    intent: Intent, written: list[Conversation], every: Sequence[Conversation]
) -> Sequence[Conversation]:
    """Return the contacts to which these words apply; none: the words are an answer like any other."""
    if intent is Intent.STOP:
        return [*written, *(one for one in every if one.written_at is None)]
    if intent is Intent.START:
        return [one for one in (*written, *(o for o in every if o.written_at is None)) if one.is_stopped]
    # A number that is somebody else's is so for all of a group that has written to it, and only for those groups.
    groups = {one.group_id for one in written}
    return [*written, *(one for one in every if one.written_at is None and one.group_id in groups)]


def _meant(
    intent: Intent, digit: int | None, consent: Consent | None, written: Sequence[Conversation]
) -> Sequence[Conversation]:
    heard = [one for one in written if not one.is_stopped] or written[:1]
    open_ = [one for one in heard if one.is_open]
    if intent in _ABOUT_CARDS or consent is not None or digit is not None:
        asked = [one for one in open_ if consent is not None and one.is_asked_for_consent]
        named = [one for one in open_ if digit is not None and digit in one.codes]
        if named:
            return [*named, *(one for one in asked if one not in named)]
        about = [one for one in open_ if one.codes] if intent in _ABOUT_CARDS else []
        if about or asked:
            return [*about, *(one for one in asked if one not in about)]
    return open_ or heard[:1]
