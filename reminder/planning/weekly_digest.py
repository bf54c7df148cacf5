"""The weekly digest: on Monday morning each member of a home's staff gets one e-mail about what is to be done.

It is made at the hour at which it may be sent, so that it is true then. One key is one e-mail: an interrupted pass can
go on, and a second worker adds nothing.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from itertools import groupby

from reminder.clock import japan_date
from reminder.domain.model.messages import MessageKind, MessageState, Urgency
from reminder.domain.model.people import Audience, ChannelName, ContactState, Copies, Language, Mode
from reminder.domain.rulebook import Rulebook
from reminder.domain.rules import hours
from reminder.domain.rules.digest_week import Week
from reminder.domain.rules.open_matters import MatterState
from reminder.domain.rules.recipients import Recipient, choose_recipients
from reminder.domain.text.digest import MOST_ROWS, Digest, Item, Part
from reminder.domain.text.model import Composed
from reminder.planning.reports.monthly_plan import MonthlyEntry, by_place, due, months_from
from reminder.planning.reports.status import NOT_TOLD_FOR, PersonStatus, group_status
from reminder.storage.auth.signed_links import SignedLinks
from reminder.storage.db.unit_of_work import UnitOfWork, UnitsOfWork
from reminder.storage.outbox import queue
from reminder.storage.outbox.queue import MentionDraft, MessageDraft
from reminder.storage.registry import contacts, groups
from reminder.storage.registry.groups import GroupView
from reminder.storage.registry.people import PersonView
from reminder.storage.reminders import digests, promises
from reminder.storage.runtime import set_aside

# Homes in one transaction, and transactions in one pass: other texts that are due wait no longer than that.
AT_ONCE, IN_A_PASS = 20, 10

UNREACHED, NOT_TOLD = "unreached", "not_told"
_NOT_ARRIVED = (MessageState.UNDELIVERED, MessageState.FAILED)


def make_digests(units: UnitsOfWork, now: datetime, links: SignedLinks) -> int:
    """Make the e-mails of the week and return their number; a pass leaves the rest to the next one.

    After an outage only the present week's are made, on its next day on which staff may be written to.
    """
    week, made = Week.of(japan_date(now)), 0
    sends_at = week.sends_at
    if sends_at is None or now < sends_at:
        return 0
    for _ in range(IN_A_PASS):
        with units.reading(now) as uow:
            # A home that was founded after the send time gets its first digest next week.
            home_ids = digests.next_homes(uow.tx, week.name, founded_before=sends_at, limit=AT_ONCE)
        made += make_some(units, now, links, home_ids)
        with units.writing(now) as uow:
            if len(home_ids) < AT_ONCE:
                digests.finish(uow.tx, now)
                return made
            digests.record_progress(uow.tx, week.name, home_ids[-1])
    return made


def make_some(units: UnitsOfWork, now: datetime, links: SignedLinks, home_ids: Sequence[int]) -> int:
    """Make the e-mails of this week for these homes; one for which this fails is set aside."""
    return set_aside.work_each(
        set_aside.DIGESTS,
        home_ids,
        partial(units.writing, now),
        lambda uow, some: _make(uow, Week.of(uow.today), groups.homes(uow.tx, some), links),
        lambda uow, home_id: set_aside.add(uow.tx, set_aside.DIGESTS, [home_id], now),
    )


def _make(uow: UnitOfWork, week: Week, homes: Sequence[GroupView], links: SignedLinks) -> int:
    staff: dict[int, list[Recipient]] = {home.id: [] for home in homes}
    for group_id, recipient in contacts.of_members(uow.tx, [home.id for home in homes]):
        staff[group_id].append(recipient)
    readers = {home.id: _readers(home, staff[home.id]) for home in homes}
    made = queue.taken(uow.tx, [_key(one, week) for some in readers.values() for one in some])
    drafts: list[MessageDraft] = []
    for home in homes:
        left = [one for one in readers[home.id] if _key(one, week) not in made]
        if left:
            drafts += _drafts(uow, week, home, left, links)
    return len(queue.add(uow.tx, uow.keys, drafts, uow.now))


def _key(recipient: Recipient, week: Week) -> str:
    return f"digest:{recipient.owner[1]}:{week.name}"


def _readers(home: GroupView, members: Sequence[Recipient]) -> list[Recipient]:
    """Return the members of staff who can get e-mail and want copies; if none of them does, all."""
    everybody = [one for one in choose_recipients(home.kind, (), members).staff if one.channel is ChannelName.EMAIL]
    return [one for one in everybody if one.copies is not Copies.NONE] or everybody


def _drafts(
    uow: UnitOfWork, week: Week, home: GroupView, readers: Sequence[Recipient], links: SignedLinks
) -> Iterator[MessageDraft]:
    # Elders live here: messages about them never leave on a holiday, whatever the home prefers.
    preferences = home.preferences.about(Mode.HOME)
    soon = hours.next_allowed(uow.now, Mode.STANDARD, Audience.STAFF, ChannelName.EMAIL, preferences)
    found = None if soon >= week.following.begins else digest_of(uow, home)
    if found is None:
        return
    for one in readers:
        # A reader who wants no copies gets no mail that says that nothing is to be done.
        if one.copies is Copies.NONE and not found.digest.parts:
            continue
        composed = uow.rules.composer.digest(one.language, found.digest, links.months())
        yield MessageDraft(
            key=_key(one, week),
            kind=MessageKind.DIGEST,
            group_id=home.id,
            contact_id=one.contact_id,
            audience=Audience.STAFF,
            channel=ChannelName.EMAIL,
            subject=composed.subject,
            text=composed.text,
            segments=composed.segments,
            scheduled_at=soon,
            expires_at=week.following.begins,
            speaks_of=found.speaks_of,
            urgency=Urgency.ROUTINE,
            language=one.language,
        )


@dataclass(frozen=True)
class HomeDigest:
    """A home's digest, with the persons and cards that it is about."""

    digest: Digest
    speaks_of: tuple[MentionDraft, ...]


def digest_of(uow: UnitOfWork, home: GroupView) -> HomeDigest | None:
    """Return the digest as of now, or None for a home without cards, which gets none."""
    today = uow.today
    rows = group_status(uow, home, with_latest=True)
    watched = sum(len(row.cards) for row in rows)
    if not watched:
        return None
    first, _, after = months_from(today, 3)
    untold = promises.untold_of_group(uow.tx, home.id, now=uow.now, since=today - NOT_TOLD_FOR)
    not_told = {one.person_id for one in untold if one.audience is not Audience.STAFF}
    listed = [*_due(uow.rules, rows, first, after - timedelta(days=1), today), _unreached(rows, not_told)]
    parts = [Part(name, [item for item, _ in some[:MOST_ROWS]], len(some)) for name, some in listed if some]
    speaks_of = dict.fromkeys(one for _, some in listed for _, spoken in some[:MOST_ROWS] for one in spoken)
    return HomeDigest(Digest(home.name, today, watched, parts), tuple(speaks_of))


def preview(uow: UnitOfWork, home: GroupView, language: Language, links: SignedLinks) -> Composed | None:
    """Return the digest that the staff would get now, or None if they would get none."""
    found = digest_of(uow, home)
    return None if found is None else uow.rules.composer.digest(language, found.digest, links.months())


_Row = tuple[Item, list[MentionDraft]]


def _due(
    rules: Rulebook, rows: Sequence[PersonStatus], first: date, last: date, today: date
) -> Iterator[tuple[str, list[_Row]]]:
    """Yield the rows by need, each person once a day, ordered by day and room; the latest end comes first."""
    for what, of_what in groupby(due(rules, rows, first, last, today), key=lambda one: one.what):
        in_order = sorted(of_what, key=lambda one: (one.day, by_place(one.person), one.one.card.is_computed))
        together = [
            _row_of(list(same))
            for _, same in groupby(in_order, key=lambda one: (one.day, one.person.id, one.one.card.is_computed))
        ]
        yield what.value, together[::-1] if what is MatterState.ENDED else together


def _row_of(same: Sequence[MonthlyEntry]) -> _Row:
    """Return one row for the cards of one person on one day."""
    person, cards = same[0].person, [one.one.card for one in same]
    named = [(card.kind, card.label) for card in cards]
    item = Item(_place(person), same[0].day, cards[0].is_computed, named, is_name=not person.room)
    return item, [MentionDraft(person.id, card.id) for card in cards]


def _unreached(rows: Sequence[PersonStatus], not_told: Collection[int]) -> tuple[str, list[_Row]]:
    """Return the persons whom messages do not reach, and why. Contacts that opted out are left out.

    `not_told`: ids of persons who, or whose family, were not told on the day of a step.
    """
    found: list[_Row] = []
    for row in sorted(rows, key=lambda row: by_place(row.person)):
        why = [(one.channel, one.state) for one in row.unheard if one.state is not ContactState.OPTED_OUT]
        lost = [one.latest for one in row.cards if one.latest is not None and one.latest.state in _NOT_ARRIVED]
        reasons = dict.fromkeys(
            [
                *([("", "")] if row.is_out_of_reach else []),
                *((str(channel), str(state)) for channel, state in why),
                *((str(text.channel), text.state) for text in lost),
                *([("", NOT_TOLD)] if row.person.id in not_told and not lost else []),
            ]
        )
        if reasons:
            spoken = [MentionDraft(row.person.id, None, one.contact_id) for one in row.unheard]
            item = Item(_place(row.person), reasons=list(reasons), is_name=not row.person.room)
            found.append((item, spoken or [MentionDraft(row.person.id)]))
    return UNREACHED, found


def _place(person: PersonView) -> str:
    """Return the room, because an e-mail may be left lying about; a person without one is named, with the unit."""
    return person.place if person.room else " ".join(said for said in (person.unit, person.label) if said)
