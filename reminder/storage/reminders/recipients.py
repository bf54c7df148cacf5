"""The recipients around a person, and the reader of a message: from rows to the types of the rules and composers."""

from collections.abc import Collection

from reminder.domain.model.people import Audience, ChannelName
from reminder.domain.rules.recipients import Recipient, RecipientSet, choose_recipients
from reminder.domain.text.model import Reader
from reminder.storage.db.session import Tx
from reminder.storage.registry import contacts
from reminder.storage.registry.groups import GroupView
from reminder.storage.registry.people import PersonView


def recipient_set_of(tx: Tx, person: PersonView, group: GroupView, channels: Collection[ChannelName]) -> RecipientSet:
    """Return everyone who may be reminded for one person."""
    own_and_family = [recipient for _, recipient in contacts.of_people(tx, [person.id])]
    members = [recipient for _, recipient in contacts.of_members(tx, [group.id])]
    return choose_recipients(group.kind, own_and_family, members, channels)


def reader(
    recipient: Recipient,
    person: PersonView,
    audience: Audience,
    group: GroupView,
    *,
    reply_code: int | None = None,
    is_shared: bool = False,
) -> Reader:
    """Return the reader of a message to this recipient about the person. `is_shared`: others are written to there."""
    return Reader(
        audience=audience,
        channel=recipient.channel,
        language=recipient.language,
        mode=person.mode,
        label=person.label,
        mark=person.mark,
        office=person.office,
        from_=group.name,
        reply_code=reply_code,
        is_shared=is_shared,
    )
