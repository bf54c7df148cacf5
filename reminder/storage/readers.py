"""Who is around a person, and who reads a message: from rows to what the rules and the wording need to know."""

from collections.abc import Collection

from reminder.domain.people import Audience, ChannelName
from reminder.domain.rules.recipients import Circle, Recipient, circle
from reminder.domain.text.model import Reader
from reminder.storage import contacts
from reminder.storage.groups import GroupView
from reminder.storage.people import PersonView
from reminder.storage.session import Tx


def circle_of(tx: Tx, person: PersonView, group: GroupView, channels: Collection[ChannelName]) -> Circle:
    """Everyone who may be told about one person."""
    own_and_family = [recipient for _, recipient in contacts.of_people(tx, [person.id])]
    members = [recipient for _, recipient in contacts.of_members(tx, [group.id])]
    return circle(group.kind, own_and_family, members, channels)


def reader(
    recipient: Recipient, person: PersonView, audience: Audience, group: GroupView, *, asks: int | None = None
) -> Reader:
    return Reader(
        audience=audience,
        channel=recipient.channel,
        language=recipient.language,
        mode=person.mode,
        label=person.label,
        mark=person.mark,
        office=person.office,
        from_=group.name,
        asks=asks,
    )
