"""Notices about failed texts, replies and stopped contacts: those around the person get each once."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from reminder.clock import japan_date
from reminder.domain.model.messages import MessageKind, Urgency
from reminder.domain.model.notices import NoticeKind
from reminder.domain.model.people import Audience, GroupKind, Mode
from reminder.domain.rules import hours
from reminder.domain.rules.recipients import Recipient
from reminder.domain.text.model import About, Reader
from reminder.planning.notice_builder import (
    TRUE_FOR,
    draft_of,
    enqueue,
    notices_to_all,
    notices_to_members,
    subject_of,
)
from reminder.storage.db.unit_of_work import UnitOfWork, UnitsOfWork
from reminder.storage.outbox import failures as failures_
from reminder.storage.outbox import group_limits
from reminder.storage.outbox.group_limits import GroupHoldView
from reminder.storage.outbox.queue import MentionDraft, MessageDraft
from reminder.storage.registry import contacts, groups
from reminder.storage.registry.groups import GroupView
from reminder.storage.reminders import notices, replies
from reminder.storage.runtime import set_aside
from reminder.storage.runtime.set_aside import Queue

AT_ONCE = 200


def notify_failures(units: UnitsOfWork, now: datetime) -> int:
    """Notify carers, or a home's staff, of texts that failed or came back; return the number of new messages.

    A failure that nobody can be notified of for a fault of ours is set aside.
    """

    def drop(uow: UnitOfWork, message_id: int) -> None:
        set_aside.add(uow.tx, set_aside.FAILURES, [message_id], now)
        failures_.follow_up(uow.tx, [message_id], now)

    queue = Queue[UnitOfWork](
        set_aside.FAILURES, lambda uow: failures_.first_unreported(uow.tx), _notify_some_failures, drop
    )
    return set_aside.work_off(queue, partial(units.writing, now), AT_ONCE)


def _notify_some_failures(uow: UnitOfWork, most: int) -> int:
    failures = failures_.unreported_failures(uow.tx, most)
    instead = failures_.failover_channels(uow.tx, [failure.message_id for failure in failures])
    drafts = []
    for failure in failures:
        subject = subject_of(uow.tx, uow.rules, failure.person_id)
        # A lost answer is not about any coming date.
        if subject is not None and not failure.is_answer:
            kind = failure.channel.can.undelivered
            # At most one notice a day about one person, however many texts came back.
            key = "undelivered:{contact}:{person}:{day}"
            about = About(channel=failure.channel, instead=instead.get(failure.message_id))
            planned = notices_to_all(uow.rules, subject, kind, about)
            drafts += [draft_of(one, MessageKind.FAILURE_NOTICE, key, uow.now) for one in planned]
    made = enqueue(uow, drafts)
    failures_.follow_up(uow.tx, [failure.message_id for failure in failures], uow.now)
    return made


def notify_notices(units: UnitsOfWork, now: datetime) -> int:
    """Send the notices that wait; return the number of new messages. One that cannot be read is set aside."""

    def drop(uow: UnitOfWork, notice_id: int) -> None:
        set_aside.add(uow.tx, set_aside.NOTICES, [notice_id], now)
        notices.mark_notified(uow.tx, [notice_id], now)

    queue = Queue[UnitOfWork](set_aside.NOTICES, lambda uow: notices.first_waiting(uow.tx), _notify_some, drop)
    return set_aside.work_off(queue, partial(units.writing, now), AT_ONCE)


def _notify_some(uow: UnitOfWork, most: int) -> int:
    waiting = notices.waiting(uow.tx, most)
    if not waiting:
        return 0
    drafts = [draft for notice in waiting for draft in _drafts(uow, notice)]
    made = enqueue(uow, drafts)
    notices.mark_notified(uow.tx, [notice.id for notice in waiting], uow.now)
    return made


def _drafts(uow: UnitOfWork, notice: notices.NoticeView) -> list[MessageDraft]:
    subject = subject_of(uow.tx, uow.rules, notice.person_id)
    if subject is None:
        return []
    about = About(
        channel=None if notice.contact_id is None else contacts.channel_of(uow.tx, notice.contact_id),
        reply=None if notice.reply_id is None else replies.text(uow.tx, uow.keys, notice.reply_id),
    )
    notices_to = notices_to_members if notice.kind is NoticeKind.LOST_MEMBER else notices_to_all
    planned = notices_to(uow.rules, subject, notice.kind, about)
    speaks_of = [MentionDraft(notice.person_id, notice.card_id, notice.contact_id)]
    # Not by the contact that the notice is about.
    return [
        draft_of(one, MessageKind.NOTICE, f"notice:{notice.id}:{{contact}}", uow.now, speaks_of=speaks_of)
        for one in planned
        if one.recipient.contact_id != notice.contact_id
    ]


def notify_holds(units: UnitsOfWork, now: datetime) -> int:
    """Tell the members of groups that have reached a limit of their own; return the number of new messages.

    A group for which this fails is set aside.
    """
    with units.reading(now) as uow:
        aside = set_aside.ids(uow.tx, set_aside.LIMITS)
        group_ids = group_limits.untold_groups(uow.tx, AT_ONCE, aside=aside)
    return set_aside.work_each(
        set_aside.LIMITS,
        group_ids,
        partial(units.writing, now),
        _notify_holds,
        lambda uow, group_id: set_aside.add(uow.tx, set_aside.LIMITS, [group_id], now),
    )


def _notify_holds(uow: UnitOfWork, group_ids: Sequence[int]) -> int:
    untold = group_limits.untold(uow.tx, group_ids)
    if not untold:
        return 0
    group_of = groups.by_id(uow.tx, [hold.group_id for hold in untold])
    members: dict[int, list[Recipient]] = {}
    for group_id, recipient in contacts.of_members(uow.tx, list(group_of)):
        if recipient.may_be_contacted and not recipient.channel.is_call:
            members.setdefault(group_id, []).append(recipient)
    drafts = [
        _limit_draft(uow, hold, group_of[hold.group_id], recipient)
        for hold in untold
        for recipient in _one_of_each(members.get(hold.group_id, ()))
    ]
    made = enqueue(uow, drafts)
    group_limits.mark_told(uow.tx, untold, uow.now)
    return made


def _one_of_each(recipients: Iterable[Recipient]) -> list[Recipient]:
    """Return one contact of each member, the e-mail address where there is one."""
    chosen: dict[tuple[str, int], Recipient] = {}
    for recipient in sorted(recipients, key=lambda one: (not one.channel.is_mail, one.contact_id)):
        chosen.setdefault(recipient.owner, recipient)
    return list(chosen.values())


def _limit_draft(uow: UnitOfWork, hold: GroupHoldView, group: GroupView, recipient: Recipient) -> MessageDraft:
    audience = Audience.STAFF if group.kind is GroupKind.HOME else Audience.CARER
    reads = Reader(audience, recipient.channel, recipient.language, Mode.STANDARD, group.name, from_=group.name)
    said = uow.rules.composer.limit(reads, hold.reason, hold.channel)
    preferences = replace(group.preferences, send_hour=None)
    soon = hours.next_allowed(uow.now, Mode.STANDARD, audience, recipient.channel, preferences)
    day = japan_date(hold.since).isoformat()
    return MessageDraft(
        key=f"limit:{group.id}:{hold.channel}:{hold.reason}:{day}:{recipient.contact_id}",
        kind=MessageKind.NOTICE,
        group_id=group.id,
        contact_id=recipient.contact_id,
        audience=audience,
        channel=recipient.channel,
        subject=said.subject,
        text=said.text,
        segments=said.segments,
        scheduled_at=soon,
        expires_at=soon + TRUE_FOR,
        # It must not wait for the limit that it tells of.
        urgency=Urgency.ANSWER,
        language=recipient.language if said.subject else None,
    )
