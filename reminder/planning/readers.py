"""Who reads a message: from rows to what the wording needs to know."""

from reminder.domain.audience import Recipient
from reminder.domain.people import Audience
from reminder.domain.wording import Reader
from reminder.storage.groups import GroupView
from reminder.storage.people import PersonView


def reader(recipient: Recipient, person: PersonView, audience: Audience, group: GroupView) -> Reader:
    return Reader(
        audience=audience,
        channel=recipient.channel,
        language=recipient.language,
        mode=person.mode,
        label=person.label,
        mark=person.mark,
        office=person.office,
        from_=group.name,
    )
