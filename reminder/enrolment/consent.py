"""Consent: a "no" counts at once and without a reason, a "yes" only by their own word. Silence is not consent."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from reminder.domain.model.consent_records import STOPPED_BY, ConsentAct, ConsentRecord, ConsentWay
from reminder.domain.model.messages import CancelReason, MessageKind, Urgency
from reminder.domain.model.people import Audience, ConsentHow, ContactState, Mode, StoppedBy
from reminder.domain.parsing import addresses
from reminder.domain.rules import consent_standing, hours
from reminder.domain.rules.quotas import AddressQuota, Quota
from reminder.domain.text.model import Composed, Reader
from reminder.enrolment.records import refuse_beside_person
from reminder.errors import ConflictError, NotFoundError, RefusedInputError, UnknownChoiceError
from reminder.guard.text import CleanText, clean_label
from reminder.storage.auth.signed_links import SignedLinks
from reminder.storage.db.session import Tx
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.outbox import queue
from reminder.storage.outbox.queue import MessageDraft
from reminder.storage.registry import cards, consents, contacts, groups, people, quotas
from reminder.storage.registry.contacts import NewContactRow, Speaker
from reminder.storage.registry.groups import GroupView
from reminder.storage.registry.people import PersonView
from reminder.storage.reminders import notices
from reminder.storage.reminders.recipients import reader
from reminder.storage.runtime import activity_log

# What may be recorded for somebody; REPLY is only ever their own text.
RECORDED = (ConsentHow.SPOKEN, ConsentHow.WRITTEN, ConsentHow.AGENT)

# At most two texts ask for consent, a fortnight apart: nobody is pressed.
MOST_ASKINGS = 2
BETWEEN_ASKINGS = timedelta(days=14)
ONCE_A_DAY = timedelta(days=1)
ASKED_FOR = timedelta(days=7)
# Time in which somebody of the family sits beside the telephone.
PRACTISED_WITHIN = timedelta(minutes=30)
LONGEST_BY, MOST_DIGITS_OF_BY = 40, 4


def clean_consent_by(text: str) -> CleanText:
    """Return who heard a consent, perhaps with the day and the time. Raises RefusedInputError."""
    return clean_label(
        text, field="consent_by", longest=LONGEST_BY, most_digits=MOST_DIGITS_OF_BY, counts_dates_and_phones=False
    )


def ask(
    uow: UnitOfWork, *, contact_id: int, told_by: str, by: int | None = None, links: SignedLinks | None = None
) -> datetime:
    """Send the text that asks for 1 or 2 and return when it is sent.

    Somebody whom the person knows (`told_by`) has announced it. In a group on trial anybody is asked, in fixed words
    of ours: by a text, or by a mail with one of the `links`. Raises ConflictError if the message could not be answered,
    if it was asked too often or too lately, or if the owner has said no before; and QuotaReachedError.
    """
    clean_by = clean_consent_by(told_by)
    if _is_on_trial(uow, _speaker(uow.tx, contact_id).group_id):
        return _ask_in_fixed_words(uow, contact_id, clean_by, by, links)
    if not uow.rules.two_way:
        raise ConflictError("replies_off", field="contact")
    owner = _owner(uow.tx, contact_id)
    if owner is None or not owner.speaker.channel.can.is_two_way:
        raise RefusedInputError("only_own_texts", field="contact")
    times = _refuse_asked_enough(uow, owner.speaker)
    refuse_beside_person(uow.tx, owner.person.id, clean_by)
    quotas.require_room(uow.tx, uow.rules.quotas, owner.group.id, {Quota.MESSAGES_A_DAY: 1}, uow.now)
    said = uow.rules.composer.answer(owner.reader, "consent")
    key = f"consent:{contact_id}:{times + 1}"
    soon = _send(uow, owner, MessageKind.CONSENT_REQUEST, key, said, ASKED_FOR)
    contacts.record_announced_by(uow.tx, contact_id, clean_by)
    consents.record(uow.tx, [contact_id], ConsentAct.ASKED, ConsentWay.TEXT, uow.now)
    activity_log.write(uow.tx, "consent_asked", uow.now, group_id=owner.group.id, contact_id=contact_id, member_id=by)
    return soon


def _ask_in_fixed_words(
    uow: UnitOfWork, contact_id: int, told_by: str, by: int | None, links: SignedLinks | None
) -> datetime:
    """Ask for a group that nobody has approved yet: no word of the group's is in it."""
    speaker = _speaker(uow.tx, contact_id)
    by_mail, by_text = speaker.channel.is_mail, speaker.channel.can.is_two_way
    added_at = contacts.added_at(uow.tx, contact_id)
    link = links.agree(contact_id, added_at) if links is not None and added_at is not None and by_mail else None
    if not (by_mail or by_text):
        raise ConflictError("trial_channel", field="contact")
    if by_text and not uow.rules.two_way:
        raise ConflictError("trial_one_way", field="contact")
    if by_mail and link is None:
        raise ConflictError("trial_no_links", field="contact")
    standing = quotas.require_room(uow.tx, uow.rules.quotas, speaker.group_id, {Quota.MESSAGES_A_DAY: 1}, uow.now)
    times = _refuse_asked_enough(uow, speaker)
    address = contacts.by_ids(uow.tx, uow.keys, [contact_id])[contact_id].address
    if consent_standing.has_refused(_records(uow.tx, contact_id)):
        raise ConflictError("asked_enough", field="contact")
    limits = (AddressQuota.CONSENT_REQUESTS_A_DAY,)
    quotas.use_address(uow.tx, uow.keys, uow.rules.quotas, address, limits, uow.now)
    person = None if speaker.person_id is None else people.find(uow.tx, speaker.person_id)
    own = person is not None and not speaker.is_family
    language = person.language if person is not None and own else contacts.language_of(uow.tx, contact_id)
    mode, audience = person.mode if person is not None and own else Mode.STANDARD, Audience.PERSON
    soon = hours.next_allowed(uow.now, mode, audience, speaker.channel)
    said = uow.rules.composer.consent_request(language, link)
    draft = MessageDraft(
        key=f"consent:{contact_id}:{times + 1}",
        kind=MessageKind.CONSENT_REQUEST,
        group_id=standing.group_id,
        contact_id=contact_id,
        audience=audience,
        channel=speaker.channel,
        subject=said.subject,
        text=said.text,
        segments=said.segments if speaker.channel.can.counts_segments else 0,
        scheduled_at=soon,
        expires_at=soon + ASKED_FOR,
        language=language if by_mail else None,
    )
    queue.add(uow.tx, uow.keys, [draft], uow.now)
    contacts.record_announced_by(uow.tx, contact_id, told_by)
    asked_by = ConsentWay.MAIL if by_mail else ConsentWay.TEXT
    consents.record(uow.tx, [contact_id], ConsentAct.ASKED, asked_by, uow.now)
    activity_log.write(
        uow.tx, "consent_asked", uow.now, group_id=standing.group_id, contact_id=contact_id, member_id=by
    )
    return soon


def _refuse_asked_enough(uow: UnitOfWork, speaker: Speaker) -> int:
    """Return how often the owner was asked by this group. Raises ConflictError where they may not be asked now."""
    records = _records(uow.tx, speaker.contact_id)
    # A refusal that is older than the contact was no answer to this group.
    is_held = consent_standing.refusal_for(records, speaker.group_id) is not None
    if speaker.state is not ContactState.UNCONFIRMED and not (is_held and not speaker.has_answered):
        raise ConflictError("already_answered", field="contact")
    times, last = consent_standing.times_asked(records, speaker.group_id)
    is_too_soon = last is not None and uow.now - last < BETWEEN_ASKINGS
    if is_held or is_too_soon or times >= MOST_ASKINGS:
        raise ConflictError("asked_enough", field="contact")
    return times


def _records(tx: Tx, contact_id: int) -> Sequence[ConsentRecord]:
    return consents.of_contacts(tx, [contact_id])[contact_id]


def agree(uow: UnitOfWork, *, contact_id: int) -> bool:
    """Record that the owner of an e-mail address has pressed the button of our mail; False where it is of no use now.

    It answers a request only: an address that was stopped since then stays stopped.
    """
    found = contacts.speakers(uow.tx, contact_id)
    if not found or not found[0].channel.is_mail or found[0].state is not ContactState.UNCONFIRMED:
        return bool(found) and found[0].state is ContactState.CONFIRMED
    agree_by_answer(uow, found[:1])
    return True


def agree_by_answer(uow: UnitOfWork, speakers: Sequence[Speaker]) -> None:
    """Confirm contacts whose owner has answered our e-mail themselves."""
    for speaker in speakers:
        groups.lock(uow.tx, speaker.group_id)
        link = ConsentWay.LINK
        if contacts.confirm(uow.tx, speaker.contact_id, how=ConsentHow.REPLY, by=None, now=uow.now, way=link):
            contacts.record_verified(uow.tx, [speaker.contact_id], uow.now)
            cards.schedule_replan_of_group(uow.tx, speaker.group_id, uow.today)
            activity_log.write(
                uow.tx, "contact_confirmed", uow.now, group_id=speaker.group_id, contact_id=speaker.contact_id
            )


def held_row(row: NewContactRow, records: Sequence[ConsentRecord], group_id: int, now: datetime) -> NewContactRow:
    """Return a new contact as it may be added, after all that the owner of its address has said before (`records`).

    One whose owner has refused this group is added in the state that the refusal left: only what lifts the refusal
    makes it receive messages.
    """
    refusal = consent_standing.refusal_for(records, group_id)
    if refusal is not None and refusal.act is ConsentAct.WRONG_PERSON:
        # Whoever enters it once more has to say that they made sure.
        return replace(row, confirmed=False, held=ContactState.UNREACHABLE)
    said = [ConsentRecord(group_id, ConsentAct.CONSENTED, row.consent_way, now)] if row.confirmed else []
    refusal = consent_standing.refusal_for([*records, *said], group_id)
    if refusal is None:
        return row
    return replace(row, confirmed=False, held=ContactState.OPTED_OUT, stopped_by=STOPPED_BY[refusal.way])


def make_test_call(uow: UnitOfWork, *, contact_id: int, by: int | None = None) -> datetime:
    """Queue a call in which its owner tries a key, beside somebody of the family; return when it is made.

    Keys are offered only after it. Raises ConflictError if calls are off or not agreed to.
    """
    if not any(channel.is_call for channel in uow.rules.channels):
        raise ConflictError("calls_off", field="contact")
    owner = _owner(uow.tx, contact_id)
    if owner is None or not owner.speaker.channel.is_call:
        raise RefusedInputError("only_own_calls", field="contact")
    if owner.speaker.state is not ContactState.CONFIRMED:
        raise ConflictError("no_consent_yet", field="contact")
    quotas.require_room(uow.tx, uow.rules.quotas, owner.group.id, {Quota.MESSAGES_A_DAY: 1}, uow.now)
    said = Composed(None, uow.rules.composer.practice_call(owner.reader).text)
    key = f"practice:{contact_id}:{uow.now:%Y%m%d%H%M%S}"
    soon = _send(uow, owner, MessageKind.TEST_CALL, key, said, PRACTISED_WITHIN)
    activity_log.write(uow.tx, "test_called", uow.now, group_id=owner.group.id, contact_id=contact_id, member_id=by)
    return soon


def confirm(uow: UnitOfWork, *, contact_id: int, how: ConsentHow, said_by: str, by: int | None = None) -> None:
    """Record that the owner has agreed, or can be reached there again.

    Raises ConflictError if they have said no, or if the group is on trial: then only their own answer counts.
    A "no" by their own text is taken back only by their own text. One
    through the family is taken back by a form with their signature.
    """
    if how not in RECORDED:
        raise UnknownChoiceError(field="consent", choices=RECORDED)
    clean_by = clean_consent_by(said_by)
    speaker = _speaker(uow.tx, contact_id)
    refuse_beside_person(uow.tx, speaker.person_id, clean_by)
    groups.lock(uow.tx, speaker.group_id)
    if _is_on_trial(uow, speaker.group_id):
        raise ConflictError("trial_own_answer", field="contact")
    is_refused = speaker.state is not ContactState.CONFIRMED and _is_still_refused(uow, speaker, how)
    if is_refused or not contacts.confirm(uow.tx, contact_id, how=how, by=clean_by, now=uow.now):
        raise ConflictError("contact_said_no", field="contact")
    cards.schedule_replan_of_group(uow.tx, speaker.group_id, uow.today)
    activity_log.write(
        uow.tx, "contact_confirmed", uow.now, group_id=speaker.group_id, contact_id=contact_id, member_id=by
    )


def _is_still_refused(uow: UnitOfWork, speaker: Speaker, how: ConsentHow) -> bool:
    """Return whether the owner has refused this group in a way that a consent given like this does not lift."""
    said = ConsentRecord(speaker.group_id, ConsentAct.CONSENTED, ConsentWay(how), uow.now)
    return consent_standing.refusal_for([*_records(uow.tx, speaker.contact_id), said], speaker.group_id) is not None


def stop(uow: UnitOfWork, *, contact_id: int, whose_word: StoppedBy = StoppedBy.FAMILY, by: int | None = None) -> None:
    """Stop this contact and plan again for the other recipients at once; a second call changes nothing."""
    speaker = _speaker(uow.tx, contact_id)
    groups.lock(uow.tx, speaker.group_id)
    way = ConsentWay.OPERATOR if whose_word is StoppedBy.FAMILY and by is None else None
    stopped = contacts.stop(uow.tx, [contact_id], whose_word, uow.now, way=way)
    queue.cancel_for_contact(uow.tx, contact_id, CancelReason.OPTED_OUT, uow.now)
    cards.schedule_replan_of_group(uow.tx, speaker.group_id, uow.today)
    if not stopped:
        # Mail programs ask again and again, without a sign-in: only the first time is an act.
        return
    notices.add_stopped(uow.tx, stopped, uow.now)
    if speaker.state is ContactState.CONFIRMED:
        _say_that_it_stopped(uow, contact_id)
    activity_log.write(
        uow.tx, "contact_stopped", uow.now, group_id=speaker.group_id, contact_id=contact_id, member_id=by
    )


def stop_number(uow: UnitOfWork, *, number: str) -> int:
    """Stop everything at a telephone number, in every group, because its owner has told the operator so.

    Return how many contacts that stopped. It holds for whoever enters the number later, too. A form with the owner's
    signature lifts it, and their own text. Raises AddressError.
    """
    address = addresses.read_voice_number(number)
    consents.lock_to_record(uow.tx)
    way = ConsentWay.OPERATOR
    consents.record_at(uow.tx, uow.keys, address, ConsentAct.WITHDREW, way, uow.now)
    ids = contacts.at_phone(uow.tx, uow.keys, address)
    group_of = {contact_id: contacts.group_of(uow.tx, contact_id) for contact_id in ids}
    group_ids = sorted({group_id for group_id in group_of.values() if group_id is not None})
    stopped = contacts.stop(uow.tx, ids, StoppedBy.FAMILY, uow.now, way=way, for_all=True)
    for contact_id in stopped:
        queue.cancel_for_contact(uow.tx, contact_id, CancelReason.OPTED_OUT, uow.now)
        activity_log.write(uow.tx, "contact_stopped", uow.now, group_id=group_of[contact_id], contact_id=contact_id)
    for group_id in group_ids:
        cards.schedule_replan_of_group(uow.tx, group_id, uow.today)
    notices.add_stopped(uow.tx, stopped, uow.now)
    if not stopped:
        activity_log.write(uow.tx, "number_stopped", uow.now)
    return len(stopped)


def verify(uow: UnitOfWork, *, contact_id: int, by: int | None = None) -> None:
    """Record that somebody has made sure that the contact is still theirs."""
    speaker = _speaker(uow.tx, contact_id)
    # By a link, which needs no sign-in, at most once a day: it may be opened again and again.
    since = uow.now - ONCE_A_DAY if by is None else None
    if not contacts.record_verified(uow.tx, [contact_id], uow.now, unless_since=since):
        return
    activity_log.write(
        uow.tx, "contact_verified", uow.now, group_id=speaker.group_id, contact_id=contact_id, member_id=by
    )


def _say_that_it_stopped(uow: UnitOfWork, contact_id: int) -> None:
    """Confirm the stop once, to a telephone that got messages so far. A mail program has shown its own page."""
    owner = _owner(uow.tx, contact_id)
    if owner is None or not owner.speaker.channel.can.is_two_way:
        return
    name = "stopped" if uow.rules.two_way else "stopped_one_way"
    said = uow.rules.composer.answer(owner.reader, name)
    key = f"answer:stop:{contact_id}:{uow.now:%Y%m%d%H%M%S}"
    _send(uow, owner, MessageKind.ANSWER, key, said, ASKED_FOR)


@dataclass(frozen=True)
class _Owner:
    """The person who is addressed by their own contact."""

    speaker: Speaker
    person: PersonView
    group: GroupView
    reader: Reader


def _owner(tx: Tx, contact_id: int) -> _Owner | None:
    """Return the owner, or None for a relative's or a member's contact."""
    speaker = _speaker(tx, contact_id)
    person = None if speaker.person_id is None or speaker.is_family else people.find(tx, speaker.person_id)
    group = groups.find(tx, speaker.group_id)
    if person is None or group is None:
        return None
    recipient = next(one for _, one in contacts.of_people(tx, [person.id]) if one.contact_id == contact_id)
    return _Owner(speaker, person, group, reader(recipient, person, Audience.PERSON, group))


def _send(uow: UnitOfWork, owner: _Owner, kind: MessageKind, key: str, said: Composed, true_for: timedelta) -> datetime:
    """Queue a message for the next hour at which they may be reached by this channel; return that instant."""
    channel = owner.speaker.channel
    soon = hours.next_allowed(uow.now, owner.person.mode, Audience.PERSON, channel)
    draft = MessageDraft(
        key=key,
        kind=kind,
        group_id=owner.group.id,
        contact_id=owner.speaker.contact_id,
        audience=Audience.PERSON,
        channel=channel,
        subject=None,
        text=said.text,
        segments=said.segments if channel.can.counts_segments else 0,
        scheduled_at=soon,
        expires_at=soon + true_for,
        # Somebody sits beside the telephone and waits for a test call.
        urgency=Urgency.ANSWER if kind is MessageKind.TEST_CALL else Urgency.USUAL,
    )
    queue.add(uow.tx, uow.keys, [draft], uow.now)
    return soon


def _is_on_trial(uow: UnitOfWork, group_id: int) -> bool:
    group = groups.find(uow.tx, group_id)
    return group is not None and group.is_on_trial


def _speaker(tx: Tx, contact_id: int) -> Speaker:
    speakers = contacts.speakers(tx, contact_id)
    if not speakers:
        raise NotFoundError(field="contact")
    return speakers[0]
