"""Messages to the operator about faults of the service, by each channel that still works.

A fault is told once a day by each of them: by e-mail while texts fail, by text while e-mails do. The outside monitor is
told every minute besides (HEARTBEAT_FAIL_URL).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from reminder.domain.model.messages import MessageKind, Urgency
from reminder.domain.model.people import Audience, ChannelName, Language
from reminder.domain.text import sms_segments
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.outbox import queue
from reminder.storage.outbox.queue import MessageDraft
from reminder.upkeep.health import Health, Trouble

# What is not told by then is told anew, if it is still true.
TRUE_FOR = timedelta(hours=12)
# In one audit; where more is wrong at once, one cause is behind it.
MOST = 5


@dataclass(frozen=True)
class OperatorContacts:
    """Where the operator reads of faults, by channel."""

    addresses: Mapping[ChannelName, str]

    @classmethod
    def of(cls, *, email: str | None, phone: str | None) -> "OperatorContacts":
        """Return the contacts that are set."""
        found = {ChannelName.EMAIL: email, ChannelName.SMS: phone}
        return cls({channel: address for channel, address in found.items() if address})


def tell(uow: UnitOfWork, contacts: OperatorContacts, found: Health) -> None:
    """Queue a message about each fault that was not told today, by each channel that neither fails nor waits."""
    down = {*found.pauses, *(one.channel for one in found.failing if one.is_open)}
    ways = {channel: address for channel, address in contacts.addresses.items() if channel not in down}
    if found.found and ways:
        queue.add_new(uow.tx, uow.keys, list(_drafts(uow, ways, found.found[:MOST])), uow.now)


def _drafts(uow: UnitOfWork, ways: Mapping[ChannelName, str], troubles: Iterable[Trouble]) -> Iterable[MessageDraft]:
    sentences = uow.rules.wording.of(Language.JAPANESE).section("trouble")
    for trouble in troubles:
        said = uow.rules.composer.fault(trouble.code, trouble.said(sentences))
        for channel, address in sorted(ways.items()):
            yield MessageDraft(
                key=f"fault:{trouble.code}:{uow.today}:{channel}",
                kind=MessageKind.NOTICE,
                group_id=None,
                contact_id=None,
                address=address,
                audience=Audience.CARER,
                channel=channel,
                subject=said.subject if channel.is_mail else None,
                text=said.text,
                segments=0 if channel.is_mail else sms_segments.count(said.text),
                scheduled_at=uow.now,
                expires_at=uow.now + TRUE_FOR,
                urgency=Urgency.ANSWER,
                language=Language.JAPANESE if channel.is_mail else None,
            )
