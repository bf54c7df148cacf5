"""Contact verification: once a year every contact proves that it works; a human is notified of one that does not.

Proof is a delivery receipt, a reply or a pressed button. The reminders of a card enrolled today go out in years, to a
telephone that may belong to somebody else by then.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from functools import partial

from dateutil.relativedelta import relativedelta

from reminder.domain.model.messages import MessageKind, Urgency
from reminder.domain.model.notices import NoticeKind
from reminder.domain.model.people import Audience, ChannelName, Mode
from reminder.domain.rules import hours
from reminder.domain.rules.recipients import Recipient
from reminder.domain.text.model import About, Composed, Reader
from reminder.storage.auth.signed_links import SignedLinks
from reminder.storage.db.session import Tx
from reminder.storage.db.unit_of_work import UnitOfWork, UnitsOfWork
from reminder.storage.outbox import queries, queue
from reminder.storage.outbox.queue import MessageDraft
from reminder.storage.registry import contacts, groups, people
from reminder.storage.registry.contacts import UnverifiedContact
from reminder.storage.reminders import notices
from reminder.storage.reminders.recipients import reader
from reminder.storage.runtime import set_aside

# The greeting seasons in Japan: from 20 July until autumn begins by the calendar, and the New Year.
SEASONS = (((7, 20), (8, 6)), ((1, 4), (1, 20)))

# Seasons come twice a year, so a contact that works has a proof at least once in this time.
ASKED_AFTER = relativedelta(months=7)
FLAGGED_AFTER = relativedelta(months=14)

# No greeting in the week of a reminder, which proves as much.
QUIET_WEEK = timedelta(days=7)
TRUE_FOR = timedelta(days=7)
AT_ONCE = 500


def monday_of(day: date) -> date:
    """Return the Monday of that week: the check runs once a week."""
    return day - timedelta(days=day.weekday())


def first_moment_of_week(day: date) -> datetime:
    """Return midnight in Japan at the beginning of that week."""
    return hours.instant(monday_of(day), time(0))


def verify_contacts(units: UnitsOfWork, now: datetime, links: SignedLinks) -> int:
    """Send greetings to contacts without recent proof, flag those that did not answer one; return the messages made.

    A contact about which this fails is set aside.
    """
    with units.reading(now) as uow:
        contact_ids = contacts.unverified_ids(uow.tx, now - ASKED_AFTER, AT_ONCE)
    return verify_some(units, now, links, contact_ids)


def verify_some(units: UnitsOfWork, now: datetime, links: SignedLinks, contact_ids: Sequence[int]) -> int:
    """Do the same for these contacts."""
    return set_aside.work_each(
        set_aside.VERIFICATIONS,
        contact_ids,
        partial(units.writing, now),
        lambda uow, some: _verify(uow, links, some),
        lambda uow, contact_id: set_aside.add(uow.tx, set_aside.VERIFICATIONS, [contact_id], now),
    )


def _verify(uow: UnitOfWork, links: SignedLinks, contact_ids: Sequence[int]) -> int:
    today = uow.today
    flagged_since, asked_since = uow.now - FLAGGED_AFTER, uow.now - ASKED_AFTER
    made = 0
    for one in contacts.unverified_contacts(uow.tx, asked_since, contact_ids):
        if one.since < flagged_since and one.person_id is not None:
            if not notices.exists_since(uow.tx, NoticeKind.UNPROVEN, one.contact_id, flagged_since):
                kind, who = NoticeKind.UNPROVEN, one.person_id
                notices.add(uow.tx, kind, person_id=who, contact_id=one.contact_id, now=uow.now)
        elif _is_season(today):
            made += _request_verification(uow, one, links)
    return made


def _is_season(day: date) -> bool:
    return any(first <= (day.month, day.day) <= last for first, last in SEASONS)


def _request_verification(uow: UnitOfWork, one: UnverifiedContact, links: SignedLinks) -> int:
    """Ask for the proof that this contact can give: a receipt, a button for a carer, the family for a landline."""
    key = f"reach:{one.contact_id}:{uow.today.year}"
    if queue.taken(uow.tx, [key]):
        return 0
    if one.channel.is_call and one.person_id is not None and not one.is_family:
        since = uow.now - relativedelta(months=11)
        if not notices.exists_since(uow.tx, NoticeKind.LANDLINE, one.contact_id, since):
            notices.add(uow.tx, NoticeKind.LANDLINE, person_id=one.person_id, contact_id=one.contact_id, now=uow.now)
        return 0
    draft = _greeting(uow, one, key) if _is_own_phone(one) else _button(uow, one, key, links)
    return len(queue.add(uow.tx, uow.keys, [draft], uow.now)) if draft else 0


def _is_own_phone(one: UnverifiedContact) -> bool:
    return one.channel.can.is_two_way and one.person_id is not None and not one.is_family


def _greeting(uow: UnitOfWork, one: UnverifiedContact, key: str) -> MessageDraft | None:
    person = None if one.person_id is None else people.find(uow.tx, one.person_id)
    group = groups.find(uow.tx, one.group_id)
    if person is None or group is None or queries.sent_recently(uow.tx, [person.id], uow.now - QUIET_WEEK):
        return None
    recipient = next(r for _, r in contacts.of_people(uow.tx, [person.id]) if r.contact_id == one.contact_id)
    name = "summer" if uow.today.month > 6 else "new_year"
    composed = uow.rules.composer.answer(reader(recipient, person, Audience.PERSON, group), name)
    soon = hours.next_allowed(uow.now, person.mode, Audience.PERSON, ChannelName.SMS, group.preferences)
    return _draft(one, key, Audience.PERSON, composed, soon)


def _button(uow: UnitOfWork, one: UnverifiedContact, key: str, links: SignedLinks) -> MessageDraft | None:
    link, group = links.reached(one.contact_id, one.added_at), groups.find(uow.tx, one.group_id)
    if not one.channel.is_mail or link is None or group is None:
        return None
    recipient = _recipient(uow.tx, one)
    about = About(link=link)
    reads = Reader(Audience.CARER, recipient.channel, recipient.language, Mode.STANDARD, group.name, from_=group.name)
    composed = uow.rules.composer.notice(reads, NoticeKind.REACH, about)
    soon = hours.next_allowed(uow.now, Mode.STANDARD, Audience.CARER, ChannelName.EMAIL, group.preferences)
    return replace(_draft(one, key, Audience.CARER, composed, soon), language=recipient.language)


def _recipient(tx: Tx, one: UnverifiedContact) -> Recipient:
    around = (
        contacts.of_members(tx, [one.group_id]) if one.person_id is None else contacts.of_people(tx, [one.person_id])
    )
    return next(recipient for _, recipient in around if recipient.contact_id == one.contact_id)


def _draft(one: UnverifiedContact, key: str, audience: Audience, composed: Composed, soon: datetime) -> MessageDraft:
    return MessageDraft(
        key=key,
        kind=MessageKind.VERIFICATION,
        group_id=one.group_id,
        contact_id=one.contact_id,
        audience=audience,
        channel=one.channel,
        subject=composed.subject,
        text=composed.text,
        segments=composed.segments,
        scheduled_at=soon,
        expires_at=soon + TRUE_FOR,
        urgency=Urgency.ROUTINE,
    )
