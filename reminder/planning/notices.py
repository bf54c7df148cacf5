"""What reached nobody, what was answered, what was stopped: those around the person are told, each once."""

from datetime import datetime

from reminder.domain.notices import NoticeKind
from reminder.domain.rulebook import Rulebook
from reminder.domain.text.composer import About
from reminder.planning.around import keep, message, subject_of, tell_all, tell_members
from reminder.storage import contacts, messages, notices, replies
from reminder.storage.keys import KeyRing
from reminder.storage.outbox import Draft, SpeaksOf
from reminder.storage.session import Database, Tx

AT_ONCE = 200


def tell_of_failures(database: Database, keys: KeyRing, rules: Rulebook, now: datetime) -> int:
    """Tells carers, or a home's staff, whose person's text failed or came back; how many messages that made."""
    with database.writing() as tx:
        failures = messages.failures_nobody_knows_of(tx, AT_ONCE)
        instead = messages.told_instead(tx, [failure.message_id for failure in failures])
        drafts = []
        for failure in failures:
            subject = subject_of(tx, rules, failure.person_id)
            # An answer that was lost was about nothing to come.
            if subject is not None and not failure.is_answer:
                kind = failure.channel.can.undelivered
                # One a day about one person, however many texts came back.
                key = "undelivered:{contact}:{person}:{day}"
                about = About(channel=failure.channel, instead=instead.get(failure.message_id))
                told = tell_all(rules, subject, kind, about)
                drafts += [message(one, key, now) for one in told]
        made = keep(tx, keys, drafts, now)
        messages.follow_up(tx, [failure.message_id for failure in failures], now)
        return made


def tell_of_notices(database: Database, keys: KeyRing, rules: Rulebook, now: datetime) -> int:
    """How many messages that made."""
    with database.writing() as tx:
        waiting = notices.waiting(tx, AT_ONCE)
        if not waiting:
            return 0
        drafts = [draft for notice in waiting for draft in _drafts(tx, keys, rules, notice, now)]
        made = keep(tx, keys, drafts, now)
        notices.mark_told(tx, [notice.id for notice in waiting], now)
        return made


def _drafts(tx: Tx, keys: KeyRing, rules: Rulebook, notice: notices.NoticeView, now: datetime) -> list[Draft]:
    subject = subject_of(tx, rules, notice.person_id)
    if subject is None:
        return []
    about = About(
        channel=None if notice.contact_id is None else contacts.channel_of(tx, notice.contact_id),
        reply=None if notice.reply_id is None else replies.text(tx, keys, notice.reply_id),
    )
    tell = tell_members if notice.kind is NoticeKind.LOST_MEMBER else tell_all
    told = tell(rules, subject, notice.kind, about)
    speaks_of = [SpeaksOf(notice.person_id, notice.card_id, notice.contact_id)]
    # Not by the very contact it speaks of.
    return [
        message(one, f"notice:{notice.id}:{{contact}}", now, speaks_of=speaks_of)
        for one in told
        if one.recipient.contact_id != notice.contact_id
    ]
