"""Who writes to a telephone: its owner learns it by one text, and leaves any of them by another.

Only groups that have already texted the number are named; of one that has only registered it nothing is said. What is
sent here is no message of a group, and no group sees it.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta

from reminder.domain.model.messages import MessageKind, Urgency
from reminder.domain.model.people import Audience, ChannelName, Language, Mode
from reminder.domain.rules.reply_routing import Conversation
from reminder.domain.text.model import Composed, Reader
from reminder.domain.text.safe_words import safe_sender
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.outbox import queue
from reminder.storage.outbox.queue import MessageDraft
from reminder.storage.registry import contacts, groups, people
from reminder.storage.registry.contacts import Speaker
from reminder.storage.registry.groups import GroupView
from reminder.storage.registry.people import PersonView
from reminder.storage.reminders import conversations, unclear_replies

A_DAY = timedelta(days=1)
# After this time an answer that could not be sent is of no use.
ANSWERED_FOR = timedelta(hours=12)
# A telephone that answers every message by itself would ask for ever.
MOST_LISTS = 3
# The digits of a list mean what they meant for so long; it is deleted after as much (retention.py).
LIST_OPEN_FOR = timedelta(days=7)
# One digit each, and three segments of text.
MOST_LISTED = 9
# A group may have sixty letters, and this is enough to recognise it.
LONGEST_NAME = 16


def answer(uow: UnitOfWork, contact_id: int, *, name: str) -> bool:
    """Send to the telephone of this contact the list of those who have written to it; return False where none has.

    `name`: of the reply that asks, which is answered once. Nothing is sent where texts cannot be answered, where the
    owner has stopped all of them, or to a telephone that was answered often enough today.
    """
    address = contacts.by_ids(uow.tx, uow.keys, [contact_id])[contact_id].address
    known = conversations.at_number(uow.tx, uow.keys, address, uow.now)
    ids = [one.contact_id for one in known]
    senders = _senders(known)
    if not uow.rules.two_way or not senders:
        return False
    if unclear_replies.lists_sent(uow.tx, ids, uow.now - A_DAY) >= MOST_LISTS:
        return True
    for count in range(min(len(senders), MOST_LISTED), 0, -1):
        choices = dict(enumerate(senders[:count], 1))
        reader = reader_of(uow, choices.values())
        said = uow.rules.composer.senders(reader, names_of_senders(uow, choices), len(senders) - count)
        if said is not None:
            list_id = unclear_replies.keep_list(uow.tx, name=name, choices=choices, now=uow.now)
            send(uow, unclear_replies.question_key(list_id), address, said)
            break
    return True


def entry_of(uow: UnitOfWork, contact_id: int) -> list[Speaker]:
    """Return the contacts that an entry of the list stands for: of one group, and one person or their relatives.

    A person's calls are among them. Empty where the contact is gone.
    """
    speakers = contacts.speakers_at_number(uow.tx, contact_id)
    return [one for one in speakers if _owner(one) == _owner(speakers[0])]


def _owner(one: Conversation | Speaker) -> tuple[int, int | None]:
    return (one.group_id, one.person_id if one.is_own else None)


def _senders(known: Collection[Conversation]) -> list[int]:
    """Return a contact of each that has texted and was not stopped, the latest first."""
    written = [one for one in known if one.written_at is not None and not one.is_stopped]
    latest: dict[tuple[int, int | None], int] = {}
    for one in sorted(written, key=lambda one: (-_second(one), one.contact_id)):
        latest.setdefault(_owner(one), one.contact_id)
    return list(latest.values())


def _second(one: Conversation) -> float:
    return 0.0 if one.written_at is None else one.written_at.timestamp()


def names_of_senders(uow: UnitOfWork, choices: Mapping[int, int]) -> dict[int, str]:
    """Return by digit how the owner of a telephone knows each who writes to it: the group, and whose cards it is about.

    A group on trial is not called by the name that a stranger gave it.
    """
    composer, names = uow.rules.composer, dict[int, str]()
    for digit, contact_id in choices.items():
        for speaker in speakers_of(uow, [contact_id]):
            person, group = person_of(uow, speaker), groups.find(uow.tx, speaker.group_id)
            words = uow.rules.wording.of(person.language if person is not None else Language.JAPANESE)
            called = _called(group, words.section("neutral")["unapproved"])
            if speaker.is_own and person is not None:
                names[digit] = composer.name_of(plain_reader(person, None, from_=called), with_group=True)
            else:
                names[digit] = safe_sender(words, called)
    return names


def _called(group: GroupView | None, unapproved: str) -> str:
    if group is None or group.is_on_trial:
        return unapproved
    return group.name if len(group.name) <= LONGEST_NAME else f"{group.name[: LONGEST_NAME - 1]}…"


def reader_of(uow: UnitOfWork, contact_ids: Collection[int]) -> Reader:
    """Return the reader of a text about several persons: in the language of one, with the mark word that all have."""
    persons = [person_of(uow, one) for one in speakers_of(uow, contact_ids)]
    marks = {person.mark for person in persons if person is not None}
    return plain_reader(next(iter(persons), None), marks.pop() if len(marks) == 1 else None)


def plain_reader(person: PersonView | None, mark: str | None, from_: str = "") -> Reader:
    """Return the reader of a text that is about nobody in particular, in the language of one of those meant."""
    return Reader(
        audience=Audience.PERSON,
        channel=ChannelName.SMS,
        language=person.language if person is not None else Language.JAPANESE,
        mode=person.mode if person is not None else Mode.STANDARD,
        label=person.label if person is not None else "",
        mark=mark,
        from_=from_,
    )


def speakers_of(uow: UnitOfWork, contact_ids: Collection[int]) -> list[Speaker]:
    """Return these contacts, without those that are gone."""
    found = (next(iter(contacts.speakers(uow.tx, contact_id)), None) for contact_id in contact_ids)
    return [speaker for speaker in found if speaker is not None]


def person_of(uow: UnitOfWork, speaker: Speaker) -> PersonView | None:
    """Return the person of a contact, None for a member's."""
    return None if speaker.person_id is None else people.find(uow.tx, speaker.person_id)


def send(uow: UnitOfWork, key: str, address: str, said: Composed) -> None:
    """Send a text of no group to a telephone. `key`: of those that are erased with whoever the text names."""
    draft = MessageDraft(
        key=key,
        kind=MessageKind.ANSWER,
        group_id=None,
        contact_id=None,
        # No group is told that it failed.
        audience=Audience.CARER,
        channel=ChannelName.SMS,
        subject=None,
        text=said.text,
        segments=said.segments,
        scheduled_at=uow.now,
        expires_at=uow.now + ANSWERED_FOR,
        urgency=Urgency.ANSWER,
        address=address,
    )
    queue.add(uow.tx, uow.keys, [draft], uow.now)


def confirm_left(uow: UnitOfWork, reply_id: int, left: Sequence[int]) -> None:
    """Confirm to their telephone that these contacts write no more, as an unclear reply has asked."""
    if not uow.rules.two_way or not left:
        return
    address = contacts.by_ids(uow.tx, uow.keys, left[:1])[left[0]].address
    said = uow.rules.composer.left(reader_of(uow, left), names_of_senders(uow, dict(enumerate(left, 1))))
    if said is not None:
        send(uow, unclear_replies.question_key(reply_id), address, said)
