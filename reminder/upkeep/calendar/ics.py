"""A group's calendar by RFC 5545: for each card the day renewal begins, the latest day to begin, and the last open day.

Other people's servers hold a copy as soon as somebody subscribes, so an entry says only whose and which card it is.
A card that is done has no entry until its new date is there.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from icalendar import Alarm, Calendar, Event

from reminder.clock import japan_date
from reminder.domain.model.card_states import NOT_BEGUN, LifeDays
from reminder.domain.model.people import Language
from reminder.domain.rulebook import Rulebook
from reminder.domain.rules.next_step import next_step
from reminder.domain.text.catalog import Catalog
from reminder.domain.text.safe_words import safe_card_label, safe_label, safe_sender
from reminder.storage.crypto.references import CARD, References
from reminder.storage.db.session import Tx
from reminder.storage.registry import card_lives, cards, people
from reminder.storage.registry.cards import CardRevision, CardView
from reminder.storage.registry.groups import GroupView
from reminder.storage.registry.people import PersonView

# Dates change rarely. A program that asks more often than this only costs battery.
READ_AGAIN_AFTER = timedelta(hours=12)
_DOMAIN = "kigen-dayori"
# An entry lasts a whole day, which begins at midnight where it is read: nine in the morning, a week and a day before
# the last day, and on the day on which renewal begins.
NINE = timedelta(hours=9)
BEFORE_LAST, AT_OPENING = (NINE - timedelta(days=7), NINE - timedelta(days=1)), (NINE,)


@dataclass(frozen=True)
class _Entry:
    uid: str
    on: date
    title: str
    said: str | None
    alarms: tuple[timedelta, ...]
    revision: CardRevision


def calendar_of(
    tx: Tx,
    rules: Rulebook,
    group: GroupView,
    *,
    language: Language,
    is_private: bool,
    now: datetime,
    references: References,
) -> bytes:
    """Return the calendar file.

    `is_private`: an entry says only that something ends, and not in which group. `references` make the UIDs of entries.
    """
    words = rules.wording.of(language)
    said = words.section("calendar")
    service = words.word("service")
    name = service if is_private else said["name"].format(service=service, group=safe_sender(words, group.name))
    calendar = Calendar()
    calendar.add("prodid", f"-//Kigen Dayori//reminder//{words.facts.html.upper()}")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    # Programs read the first; the standard (RFC 7986) names the second. The same goes for the two below.
    calendar.add("x-wr-calname", name)
    calendar.add("name", name)
    calendar.add("refresh-interval", READ_AGAIN_AFTER, parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", "PT12H")
    for entry in _entries(tx, rules, group, words, references, japan_date(now), is_private=is_private):
        event = Event()
        event.add("uid", entry.uid)
        event.add("dtstamp", now)
        event.add("dtstart", entry.on)
        event.add("summary", entry.title)
        if entry.said is not None:
            event.add("description", entry.said)
        # The entry does not block anybody's time.
        event.add("transp", "TRANSPARENT")
        event.add("sequence", entry.revision.number)
        event.add("created", entry.revision.added_at)
        event.add("last-modified", entry.revision.changed_at)
        for trigger in entry.alarms:
            event.add_component(_alarm(trigger, entry))
        calendar.add_component(event)
    written: bytes = calendar.to_ical()
    return written


def _alarm(trigger: timedelta, entry: _Entry) -> Alarm:
    alarm = Alarm()
    # What is displayed needs a text, and a private entry has none.
    alarm.add("action", "AUDIO" if entry.said is None else "DISPLAY")
    if entry.said is not None:
        alarm.add("description", entry.title)
    alarm.add("trigger", trigger)
    return alarm


def _entries(
    tx: Tx, rules: Rulebook, group: GroupView, words: Catalog, references: References, today: date, *, is_private: bool
) -> Iterator[_Entry]:
    revisions = cards.revisions(tx, group.id)
    everyone = {person.id: person for person in people.of_group(tx, group.id)}
    # A card of a kind that config/ no longer has is left out.
    current = [card for card in cards.of_group(tx, group.id) if card.retired_at is None and card.kind in rules.kinds]
    ends = {card.id: card.expires_on for card in current}
    by_kind: dict[int, dict[str, date]] = {person_id: {} for person_id in everyone}
    for card in current:
        by_kind[card.person_id][card.kind] = card.expires_on
    lives = card_lives.of_group(tx, group.id)
    for card in current:
        if card.acknowledged_on is not None:
            continue
        life = lives[card.id].days if card.id in lives else NOT_BEGUN
        carrier_ends_on = None if card.carried_by is None else ends.get(card.carried_by)
        is_bound = rules.is_bound(card.kind, card.expires_on, by_kind[card.person_id])
        person = everyone[card.person_id]
        # A UID never changes, so that an entry moves when its card is renewed, and no other installation has it.
        uid = references.make(CARD, [card.id], revisions[card.id].added_at)
        yield from _of_card(
            rules, words, person, card, carrier_ends_on, uid, revisions[card.id],
            life, today, is_bound=is_bound, is_private=is_private,
        )  # fmt: skip


def _of_card(
    rules: Rulebook,
    words: Catalog,
    person: PersonView,
    card: CardView,
    carrier_ends_on: date | None,
    uid: str,
    revision: CardRevision,
    life: LifeDays,
    today: date,
    *,
    is_bound: bool,
    is_private: bool,
) -> Iterator[_Entry]:
    said = words.section("calendar")
    dates, _ = rules.plan(
        card.kind,
        card.expires_on,
        person.mode,
        insurance=person.insurance,
        carrier_ends_on=carrier_ends_on,
        is_bound=is_bound,
    )
    step = next_step(dates, None, today, life)
    if step.act.is_under_way:
        # What has begun is not begun once more.
        thing = {
            "label": safe_label(person.label) or words.section("neutral")["who"],
            "thing": safe_card_label(card.label) or words.kinds[card.kind]["thing"],
        }
        title = said["private"] if is_private else said[f"{step.act}_title"].format_map(thing)
        yield _Entry(
            f"{step.act}-{uid}@{_DOMAIN}", step.day, title, None if is_private else title, BEFORE_LAST, revision
        )
        return
    # What is sent automatically needs no counter.
    last = dates.last_counter_day if rules.kind(card.kind).closes_with_counters else card.expires_on
    if is_private:
        yield _Entry(f"last-{uid}@{_DOMAIN}", last, said["private"], None, BEFORE_LAST, revision)
        return
    thing = {
        "label": safe_label(person.label) or words.section("neutral")["who"],
        "thing": safe_card_label(card.label) or words.kinds[card.kind]["thing"],
    }
    full = words.date(card.expires_on, "full_date")
    end = said["end"].format(end=words.word("about_date").format(date=full) if card.is_computed else full)
    counter = said["last"].format(last=words.date(last, "full_date"))
    about = f"{counter}\n{end}" if rules.kind(card.kind).closes_with_counters else end
    yield _Entry(f"last-{uid}@{_DOMAIN}", last, said["title"].format_map(thing), about, BEFORE_LAST, revision)
    if dates.lead_days and not dates.arrives:
        title, text = said["begin_title"].format_map(thing), f"{said['begin']}\n{about}"
        yield _Entry(f"begin-{uid}@{_DOMAIN}", dates.begin_by, title, text, BEFORE_LAST, revision)
    if dates.opens_on is not None:
        title = said["opens_title"].format_map(thing)
        # On the first of January no counter is open, and the text of that step waits, too.
        opens = dates.acts_from or dates.opens_on
        text = f"{said['opens']}\n{end}"
        yield _Entry(f"opens-{uid}@{_DOMAIN}", opens, title, text, AT_OPENING, revision)
