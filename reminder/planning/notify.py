"""Notices about failed texts, replies and stopped contacts: those around the person get each once."""

from reminder.domain.model.messages import MessageKind
from reminder.domain.model.notices import NoticeKind
from reminder.domain.text.model import About
from reminder.planning.notice_builder import draft_of, enqueue, notices_to_all, notices_to_members, subject_of
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.outbox import failures as failures_
from reminder.storage.outbox.queue import MentionDraft, MessageDraft
from reminder.storage.registry import contacts
from reminder.storage.reminders import notices, replies

AT_ONCE = 200


def notify_failures(uow: UnitOfWork) -> int:
    """Notify carers, or a home's staff, of texts that failed or came back; return the number of new messages."""
    failures = failures_.unreported_failures(uow.tx, AT_ONCE)
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


def notify_notices(uow: UnitOfWork) -> int:
    """Send the notices that wait; return the number of new messages."""
    waiting = notices.waiting(uow.tx, AT_ONCE)
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
