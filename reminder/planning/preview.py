"""The preview: all messages about an end date, before anything is registered."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from reminder.domain.model.people import Audience, ChannelName, Language, Mode
from reminder.domain.rulebook import Rulebook
from reminder.domain.rules import hours
from reminder.domain.rules.preferences import DEFAULT_PREFERENCES, Preferences
from reminder.domain.rules.schedule_model import CardDates
from reminder.domain.rules.steps import Plan, Step, StepText, step_due, text_at
from reminder.domain.text.model import Copy, Reader, ReminderContent

CHANNELS = {Audience.PERSON: ChannelName.SMS, Audience.CARER: ChannelName.EMAIL, Audience.STAFF: ChannelName.EMAIL}


@dataclass(frozen=True)
class Preview:
    """A message of the preview. `segments` is 0 for an e-mail, `send_at` is aware UTC, `on` is its date in Japan."""

    step: str
    on: date
    send_at: datetime
    audience: Audience
    channel: ChannelName
    subject: str | None
    text: str
    segments: int


@dataclass(frozen=True)
class Sample:
    """The person whom the texts of a preview are about."""

    label: str = "花子さん"
    mark: str = "つばめ"
    office: str = "市役所"
    from_: str = "田中"


@dataclass(frozen=True)
class PreviewedCard:
    """The card of a preview.

    `computed`: the date was worked out. `label`: the name that its owner gives it. `bound`: it ends with a residence.
    """

    kind: str
    expires_on: date
    computed: bool = False
    label: str | None = None
    bound: bool = False


def preview(
    rules: Rulebook,
    card: PreviewedCard,
    *,
    mode: Mode,
    language: Language,
    today: date | None = None,
    sample: Sample = Sample(),  # frozen
    preferences: Preferences = DEFAULT_PREFERENCES,
) -> list[Preview]:
    """Return the messages in order of `send_at`.

    With `today`, past ones are left out, except for the most urgent one that was missed.
    """
    dates, plan = rules.plan(
        card.kind, card.expires_on, mode, insurance=True, is_bound=card.bound, preferences=preferences
    )
    previews: list[Preview] = []
    sent_to_person: dict[date, str] = {}  # what a carer's copy quotes
    for audience in Audience:
        reader = _reader(rules, sample, audience, language, mode)
        for step, on in _days(plan, audience, card.expires_on, mode, today, preferences):
            copied = sent_to_person.get(on) if audience is Audience.CARER else None
            composed = rules.composer.reminder([_told(card, text_at(step, plan), dates, on)], reader, copy=Copy(copied))
            if audience is Audience.PERSON:
                sent_to_person[on] = composed.text
            send_at = hours.reminder_window(on, mode, audience, reader.channel, preferences)[0]
            text, subject, segments = composed.text, composed.subject, composed.segments
            previews.append(Preview(step.name, on, send_at, audience, reader.channel, subject, text, segments))
    return sorted(previews, key=lambda row: (row.send_at, list(Audience).index(row.audience)))


def _reader(rules: Rulebook, sample: Sample, audience: Audience, language: Language, mode: Mode) -> Reader:
    return Reader(
        audience=audience,
        channel=CHANNELS[audience],
        language=language,
        mode=mode,
        label=sample.label,
        mark=sample.mark,
        office=sample.office,
        from_=sample.from_,
        reply_code=1 if rules.two_way and audience is Audience.PERSON else None,
    )


def _told(card: PreviewedCard, says: StepText, dates: CardDates, on: date) -> ReminderContent:
    return ReminderContent(
        kind=card.kind,
        step=says,
        expires_on=card.expires_on,
        last_counter_day=dates.last_counter_day,
        grace_ends_on=dates.grace_ends_on,
        computed=card.computed,
        label=card.label,
        bound=card.bound,
        on=on,
        begin_by=dates.begin_on(on),
    )


def _days(
    plan: Plan, audience: Audience, expires_on: date, mode: Mode, today: date | None, preferences: Preferences
) -> Iterator[tuple[Step, date]]:
    own = [step for step in plan if audience in step.audiences]
    if today is None:
        yield from ((step, step.on) for step in own)
        return
    missed = step_due(plan, {audience}, expires_on, today)
    upcoming = [step for step in own if step.on >= today]
    if missed is not None and missed.on < today:
        on = hours.sending_day_on_or_after(today, mode, preferences.on_holidays)
        # A late message is left out if the next step falls on the same day.
        if (not upcoming or upcoming[0].on > on) and step_due(plan, {audience}, expires_on, on) == missed:
            yield missed, on
    yield from ((step, step.on) for step in upcoming)
