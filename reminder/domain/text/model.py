"""The inputs and the results of the composers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from reminder.domain.model.people import Audience, ChannelName, Language, Mode
from reminder.domain.rules.steps import Stage, StepText
from reminder.domain.text import sms_segments
from reminder.domain.text.audience import ReaderKind, reader_kind


@dataclass(frozen=True)
class CardContent:
    """A card in a text.

    `computed`: its date was computed, not read from the card. `label`: its owner's name for it.
    """

    kind: str
    expires_on: date
    computed: bool = False
    label: str | None = None


@dataclass(frozen=True, kw_only=True)
class ReminderContent(CardContent):
    """One reminder in a text.

    `grace_ends_on` is None where no grace is promised. `bound`: the card ends with a residence period. `on`: the day on
    which it is told; None where only the day of its step is known. `until`: the day that somebody has named, by when it
    is to be collected or on which there is an appointment. `begin_by`: the latest day to begin, where a new one takes
    its time and that day has not passed.
    """

    step: StepText
    last_counter_day: date
    grace_ends_on: date | None
    bound: bool = False
    on: date | None = None
    until: date | None = None
    begin_by: date | None = None

    @property
    def is_after_end(self) -> bool:
        """Whether the step comes after the end date."""
        return self.step.stage.is_after_end

    @property
    def days_left(self) -> int | None:
        """The days until its end, or until the end of the grace that it tells; negative after it.

        None where nothing is counted: its step is no day before or after an end.
        """
        stage, end = self.step.stage, self.expires_on
        if stage in (Stage.GRACE, Stage.GRACE_NEAR) and self.grace_ends_on is not None and not self.computed:
            end = self.grace_ends_on
        if stage.is_of_life:
            return None
        if self.on is not None:
            return (end - self.on).days
        if stage in (Stage.OPENS, Stage.DONE, Stage.TAKEN, Stage.POST):
            return None
        if stage is Stage.LAST_OPEN:
            return (end - self.last_counter_day).days
        return -self.step.days if stage is Stage.AFTER else self.step.days

    @property
    def urgency(self) -> tuple[int, bool, date]:
        """The order in which cards of several dates are told: the nearest end first, and of two one that is to come."""
        left = self.days_left
        return abs(left) if left is not None else 0, self.is_after_end, self.expires_on


@dataclass(frozen=True)
class Reader:
    """The reader of a text.

    `label` is what the family calls the person in the text; `from_` the family's or home's name; `reply_code` the digit
    that answers "done" to this text, None where it cannot be answered. `is_shared`: others are written to there too, so
    that every text names its person, whatever its length.
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
    is_shared: bool = False

    @property
    def kind(self) -> ReaderKind:
        """Who this is, as config/audience.toml names it."""
        return reader_kind(self.audience, self.mode)

    @property
    def voice(self) -> str:
        """The voice of [texts] in config/wording/ for this reader."""
        if self.audience is not Audience.PERSON:
            return "carer"
        return "standard" if self.mode is Mode.STANDARD else "elderly"


@dataclass(frozen=True)
class EarlierOutcome:
    """The result of one earlier text to the person, and the answer to it."""

    on: date
    channel: ChannelName
    state: str  # a MessageState
    reply: str | None = None  # an Intent
    was_answerable: bool = False


@dataclass(frozen=True)
class Copy:
    """The additional part of a carer's copy.

    It holds this day's text to the person, the results of the latest ones, and the address of the assignment page.
    """

    text: str | None = None
    outcomes: Sequence[EarlierOutcome] = ()
    take_link: str | None = None


@dataclass(frozen=True)
class About:
    """The subject of a notice: a card or a contact, where there is one, and the person's answer."""

    card: CardContent | None = None
    channel: ChannelName | None = None
    reply: str | None = None
    link: str | None = None  # for a carer's e-mail: a page with one button
    instead: ChannelName | None = None  # the failover channel for the message that did not arrive


@dataclass(frozen=True)
class WordPlace:
    """The place of a stored word that messages cannot carry.

    `field`: as in a refusal. `place`: the room of the person, or their label (`is_name`); "" for the group's own name.
    """

    field: str
    place: str
    is_name: bool = False


@dataclass(frozen=True)
class Composed:
    """A text as it is sent.

    `subject` is None for an SMS. `closing` is the part of an e-mail that appears once, however many persons it is
    about. `days_left` until the nearest end that it tells, and `nearness` what its subject says of that.
    """

    subject: str | None
    body: str
    closing: str = ""
    days_left: int | None = None
    nearness: str = ""

    @property
    def text(self) -> str:
        """The whole text."""
        return self.body + self.closing

    @property
    def segments(self) -> int:
        """The number of messages that the provider bills; 0 for an e-mail."""
        return sms_segments.count(self.text) if self.subject is None else 0
