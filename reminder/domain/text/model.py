"""What a text is made from, and what comes of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from reminder.domain.model.people import Audience, ChannelName, Language, Mode
from reminder.domain.rules.steps import StepText
from reminder.domain.text import sms_segments


@dataclass(frozen=True)
class CardContent:
    """A card of which a text speaks. `computed`: its date was worked out, not read from it. `label`: its owner's name
    for it.
    """

    kind: str
    expires_on: date
    computed: bool = False
    label: str | None = None


@dataclass(frozen=True, kw_only=True)
class ReminderContent(CardContent):
    """One reminder that a text holds. `grace_ends_on` is None where no grace is promised. `bound`: the card ends with a
    residence period.
    """

    step: StepText
    last_counter_day: date
    grace_ends_on: date | None
    bound: bool = False

    @property
    def is_after_end(self) -> bool:
        """Whether it is told after the end date."""
        return self.step.stage.is_after_end


@dataclass(frozen=True)
class Reader:
    """Who reads. `label` is what the family calls the person it speaks of; `from_` the family's or home's name;
    `asks` the digit that answers "done" to this text, None where it cannot be answered.
    """

    audience: Audience
    channel: ChannelName
    language: Language
    mode: Mode
    label: str
    mark: str | None = None
    office: str = "市役所"
    from_: str = ""
    reply_code: int | None = None

    @property
    def voice(self) -> str:
        """The voice of [texts] in config/wording/ in which this reader is spoken to."""
        if self.audience is not Audience.PERSON:
            return "carer"
        return "standard" if self.mode is Mode.STANDARD else "elderly"


@dataclass(frozen=True)
class Fate:
    """What became of one earlier text to the person, and what was answered."""

    on: date
    channel: ChannelName
    state: str  # a MessageState
    reply: str | None = None  # an Intent
    was_answerable: bool = False


@dataclass(frozen=True)
class Copy:
    """What a carer is shown besides: the text of this day to the person, what became of the latest ones, and the
    address of a page on which the carer takes it on.
    """

    text: str | None = None
    outcomes: Sequence[Fate] = ()
    take_link: str | None = None


@dataclass(frozen=True)
class About:
    """What a notice speaks of, where it speaks of a card or a contact, and what the person answered."""

    card: CardContent | None = None
    channel: ChannelName | None = None
    reply: str | None = None
    link: str | None = None  # for a carer's e-mail: a page with one button
    instead: ChannelName | None = None  # by which the person is told what did not arrive


@dataclass(frozen=True)
class Composed:
    """A text as it is sent. `subject` is None for an SMS. `closing` is what an e-mail says once, however many persons
    it speaks of.
    """

    subject: str | None
    body: str
    closing: str = ""

    @property
    def text(self) -> str:
        """The whole text."""
        return self.body + self.closing

    @property
    def segments(self) -> int:
        """How many messages the provider bills for it; 0 for an e-mail."""
        return sms_segments.count(self.text) if self.subject is None else 0
