"""The check of words that are stored already: each group learns once which of its words messages cannot carry.

Messages carry neutral words in their place (domain/text/safe_words.py), whether or not this check has run. It runs over
all groups after every change of the gate (guard/outgoing.py), a few groups at a time, and goes on where it stopped.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby

from reminder.domain.model.messages import MessageKind, Urgency
from reminder.domain.model.people import Audience, GroupKind, Mode
from reminder.domain.rules import hours
from reminder.domain.rules.recipients import Recipient, choose_recipients
from reminder.domain.text.model import Reader, WordPlace
from reminder.errors import DatabaseNotReadyError
from reminder.guard import outgoing
from reminder.storage.db.unit_of_work import UnitOfWork, UnitsOfWork
from reminder.storage.outbox import queue
from reminder.storage.outbox.queue import MentionDraft, MessageDraft
from reminder.storage.registry import contacts, free_words, groups
from reminder.storage.registry.free_words import FreeWord
from reminder.storage.registry.groups import GroupView
from reminder.storage.runtime import service_state, set_aside
from reminder.storage.runtime.work_conditions import WORDS_CHECKED

log = logging.getLogger(__name__)

# Groups in one unit of work, and units in one pass: other messages that are due wait no longer than that.
AT_ONCE, IN_A_PASS = 50, 10
# So many places are listed; further ones are only counted.
MOST_LISTED = 20
TRUE_FOR = timedelta(days=7)


def check_words(units: UnitsOfWork, now: datetime) -> int:
    """Check the words of the next groups and return the number of messages about them.

    The words are read and checked outside of any transaction that writes.
    """
    version, made = outgoing.version(), 0
    for _ in range(IN_A_PASS):
        with units.reading(now) as uow:
            of_version, _, reached = (service_state.find(uow.tx, WORDS_CHECKED) or "").partition(":")
            after = int(reached) if of_version == version and reached.isdecimal() else 0
            ids = free_words.groups_after(uow.tx, after, limit=AT_ONCE)
        made += check_some(units, now, ids)
        is_last = len(ids) < AT_ONCE
        with units.writing(now) as uow:
            service_state.replace(uow.tx, WORDS_CHECKED, version if is_last else f"{version}:{ids[-1]}")
        if is_last:
            break
    return made


def check_some(units: UnitsOfWork, now: datetime, group_ids: Sequence[int]) -> int:
    """Check the words of these groups and return the number of messages; a group for which this fails is set aside."""
    try:
        return _check(units, now, group_ids)
    except DatabaseNotReadyError:
        raise
    except Exception:
        log.exception("the words of the groups are checked one group at a time")
    made = 0
    for group_id in group_ids:
        try:
            made += _check(units, now, [group_id])
        except DatabaseNotReadyError:
            raise
        except Exception:
            log.exception("the words of group %s could not be checked", group_id)
            with units.writing(now) as uow:
                set_aside.add(uow.tx, set_aside.WORDS, [group_id], now)
    return made


def _check(units: UnitsOfWork, now: datetime, group_ids: Sequence[int]) -> int:
    version, made = outgoing.version(), 0
    with units.reading(now) as uow:
        words = free_words.of_groups(uow.tx, group_ids)
    unsafe = [word for word in words if not outgoing.is_safe(word.text, field=word.field)]
    with units.writing(now) as uow:
        for group_id, of_group in groupby(unsafe, key=lambda word: word.group_id):
            group = groups.find(uow.tx, group_id)
            if group is not None:
                made += _tell(uow, group, list(of_group), version)
    return made


def _tell(uow: UnitOfWork, group: GroupView, words: Sequence[FreeWord], version: str) -> int:
    """Tell the members of the group, or the family where there are none, which words messages cannot carry."""
    places = [WordPlace(word.field, word.place, is_name=word.is_name) for word in words]
    people = dict.fromkeys(word.person_id for word in words if word.person_id is not None)
    speaks_of = tuple(MentionDraft(person_id) for person_id in list(people)[:MOST_LISTED])
    drafts = []
    for recipient in _recipients(uow, group, list(people)):
        audience = Audience.STAFF if group.kind is GroupKind.HOME else Audience.CARER
        reads = Reader(audience, recipient.channel, recipient.language, Mode.STANDARD, "", from_=group.name)
        composed = uow.rules.composer.unsafe_words(reads, places[:MOST_LISTED], len(places))
        soon = hours.next_allowed(uow.now, Mode.STANDARD, audience, recipient.channel, group.preferences)
        drafts.append(
            MessageDraft(
                key=f"words:{recipient.contact_id}:{version}",
                kind=MessageKind.NOTICE,
                group_id=group.id,
                contact_id=recipient.contact_id,
                audience=audience,
                channel=recipient.channel,
                subject=composed.subject,
                text=composed.text,
                segments=composed.segments,
                scheduled_at=soon,
                expires_at=soon + TRUE_FOR,
                speaks_of=speaks_of,
                urgency=Urgency.ROUTINE,
                language=recipient.language if composed.subject else None,
            )
        )
    return len(queue.add_new(uow.tx, uow.keys, drafts, uow.now))


def _recipients(uow: UnitOfWork, group: GroupView, people: Sequence[int]) -> Sequence[Recipient]:
    members = [recipient for _, recipient in contacts.of_members(uow.tx, [group.id])]
    found = choose_recipients(group.kind, (), members, uow.rules.channels)
    if found.carers or found.staff or not people:
        return found.carers or found.staff
    around = [recipient for _, recipient in contacts.of_people(uow.tx, people[:1])]
    return choose_recipients(group.kind, around, members, uow.rules.channels).carers
