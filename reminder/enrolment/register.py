"""Registering groups, members, persons, contacts and dates of cards: checked first, then kept in one transaction."""

from dataclasses import dataclass
from datetime import date, datetime

from dateutil.relativedelta import relativedelta

from reminder.clock import japan_date
from reminder.domain import addresses, dates
from reminder.domain.ladder import first_look
from reminder.domain.messages import CancelReason
from reminder.domain.people import ChannelName, ConsentHow, GroupKind, Language, Mode, Role
from reminder.domain.rulebook import Rulebook
from reminder.errors import ConflictError, NeedsConfirmationError, NotFoundError, RefusedInputError
from reminder.guard.text import clean_label
from reminder.storage import cards, contacts, groups, journal, outbox, people, reminders
from reminder.storage.cards import CardView
from reminder.storage.keys import KeyRing
from reminder.storage.people import PersonView
from reminder.storage.session import Database, Tx

# No card of today is issued for longer than ten years; one more for a renewal made early.
FURTHEST_AHEAD = relativedelta(years=11)
DEFAULT_OFFICE = "市役所"


@dataclass(frozen=True)
class CardAdded:
    """`next_reminder_on` is None when nothing is left to be told of this date."""

    id: int
    expires_on: date
    next_reminder_on: date | None


def add_group(database: Database, now: datetime, *, name: str, kind: GroupKind) -> int:
    clean_name = clean_label(name, field="name", longest=60, most_digits=8)
    with database.writing() as tx:
        group_id = groups.add(tx, name=clean_name, kind=kind, now=now)
        journal.write(tx, "group_added", now, group_id=group_id)
        return group_id


def add_member(
    database: Database, keys: KeyRing, now: datetime, *, group_id: int, email: str, role: Role, language: Language
) -> int:
    """The address is the member's contact too: whoever signs in to a group has agreed to hear from it."""
    address = addresses.read_email(email, field="email")
    with database.writing() as tx:
        if groups.find(tx, group_id) is None:
            raise NotFoundError(field="group")
        groups.lock(tx, group_id)
        if contacts.group_has_member(tx, keys, group_id=group_id, address=address):
            raise ConflictError("member_known", field="email")
        member_id = groups.add_member(tx, group_id=group_id, role=role, language=language, now=now)
        contact_id = contacts.add(
            tx,
            keys,
            person_id=None,
            member_id=member_id,
            is_family=False,
            channel=ChannelName.EMAIL,
            address=address,
            consent_how=None,
            consent_by=None,
            confirmed=True,
            now=now,
        )
        journal.write(tx, "member_added", now, group_id=group_id, member_id=member_id, contact_id=contact_id)
        cards.look_again_at_group(tx, group_id, japan_date(now))
        return member_id


def add_person(
    database: Database,
    now: datetime,
    *,
    group_id: int,
    label: str,
    mode: Mode | None = None,
    language: Language = Language.JAPANESE,
    mark: str | None = None,
    reference: str | None = None,
    office: str | None = None,
    insurance: bool = True,
) -> int:
    """Without a mode, a home's resident is spoken to as HOME and anyone else as STANDARD."""
    clean_person_label = clean_label(label, field="label")
    clean_mark = None if mark is None else clean_label(mark, field="mark", longest=10, most_digits=0)
    clean_reference = None if reference is None else clean_label(reference, field="ref", most_digits=5)
    clean_office = clean_label(office or DEFAULT_OFFICE, field="office", longest=10, most_digits=2)
    with database.writing() as tx:
        group = groups.find(tx, group_id)
        if group is None:
            raise NotFoundError(field="group")
        person_id = people.add(
            tx,
            group_id=group_id,
            label=clean_person_label,
            mode=mode or (Mode.HOME if group.kind is GroupKind.HOME else Mode.STANDARD),
            language=language,
            reference=clean_reference,
            mark=clean_mark,
            office=clean_office,
            insurance=insurance,
            now=now,
        )
        journal.write(tx, "person_added", now, group_id=group_id, person_id=person_id)
        return person_id


def add_contact(
    database: Database,
    keys: KeyRing,
    now: datetime,
    *,
    channel: ChannelName,
    address: str,
    person_id: int | None = None,
    member_id: int | None = None,
    is_family: bool = False,
    consent_how: ConsentHow | None = None,
    consent_by: str | None = None,
) -> int:
    """Without consent a person's contact is kept and not told anything. A member's own contact needs none."""
    if (person_id is None) == (member_id is None):
        raise RefusedInputError("one_owner_needed", field="person")
    if consent_how is not None and not consent_by:
        raise RefusedInputError("consent_by_needed", field="consent_by")
    clean_address = _read_address(channel, address)
    clean_by = None if consent_by is None else clean_label(consent_by, field="consent_by", longest=40, most_digits=16)
    with database.writing() as tx:
        group_id = _owner_group(tx, person_id, member_id)
        groups.lock(tx, group_id)
        if contacts.is_known(
            tx, keys, person_id=person_id, member_id=member_id, channel=channel, address=clean_address
        ):
            raise ConflictError("contact_known", field="address")
        contact_id = contacts.add(
            tx,
            keys,
            person_id=person_id,
            member_id=member_id,
            is_family=is_family,
            channel=channel,
            address=clean_address,
            consent_how=consent_how,
            consent_by=clean_by,
            confirmed=consent_how is not None or member_id is not None,
            now=now,
        )
        journal.write(
            tx, "contact_added", now, group_id=group_id, person_id=person_id, member_id=member_id, contact_id=contact_id
        )
        if person_id is not None:
            cards.look_again_at_person(tx, person_id, japan_date(now))
        else:
            cards.look_again_at_group(tx, group_id, japan_date(now))
        return contact_id


def _read_address(channel: ChannelName, address: str) -> str:
    match channel:
        case ChannelName.SMS:
            return addresses.read_sms_number(address)
        case ChannelName.VOICE:
            return addresses.read_voice_number(address)
        case ChannelName.EMAIL:
            return addresses.read_email(address)
        case ChannelName.LINE:
            raise RefusedInputError("line_not_yet", field="channel")


def _owner_group(tx: Tx, person_id: int | None, member_id: int | None) -> int:
    if person_id is not None:
        person = people.find(tx, person_id)
        if person is None:
            raise NotFoundError(field="person")
        return person.group_id
    group_id = groups.group_of_member(tx, member_id or 0)
    if group_id is None:
        raise NotFoundError(field="member")
    return group_id


def add_card(
    database: Database,
    rules: Rulebook,
    now: datetime,
    *,
    person_id: int,
    kind: str,
    expires: str,
    is_computed: bool = False,
    confirmed: bool = False,
) -> CardAdded:
    """`expires` as people type it. Raises NeedsConfirmationError for a date that is past or far, unless `confirmed`."""
    card_kind = rules.kind(kind)
    expires_on = read_end_date(expires, now, confirmed=confirmed)
    with database.writing() as tx:
        person = people.find(tx, person_id)
        if person is None:
            raise NotFoundError(field="person")
        groups.lock(tx, person.group_id)
        others = cards.current_of_person(tx, person_id)
        if kind in others:
            raise ConflictError("card_known", field="kind", card=others[kind].id)
        carrier = others.get(card_kind.carried_by or "")
        next_on = _first_look(rules, person, kind, expires_on, carrier, now)
        card_id = cards.add(
            tx,
            person_id=person_id,
            kind=kind,
            expires_on=expires_on,
            is_computed=is_computed,
            carried_by=carrier.id if carrier else None,
            next_reminder_on=next_on,
            now=now,
        )
        cards.carry(tx, card_id, [other.id for other in others.values() if rules.kind(other.kind).carried_by == kind])
        cards.look_again_at_carried(tx, card_id, japan_date(now))
        journal.write(tx, "card_added", now, group_id=person.group_id, person_id=person_id, card_id=card_id)
        return CardAdded(card_id, expires_on, next_on)


def renew_card(
    database: Database,
    rules: Rulebook,
    now: datetime,
    *,
    card_id: int,
    expires: str,
    is_computed: bool = False,
    confirmed: bool = False,
) -> CardAdded:
    """The same card with its new date: a fresh ladder, and silence about the old one."""
    expires_on = read_end_date(expires, now, confirmed=confirmed)
    with database.writing() as tx:
        card, person = _current_card(tx, card_id)
        if card.expires_on == expires_on:
            raise ConflictError("same_date", field="expires")
        carrier = cards.find(tx, card.carried_by) if card.carried_by else None
        next_on = _first_look(rules, person, card.kind, expires_on, carrier, now)
        _silence(tx, card_id, CancelReason.RENEWED, now)
        cards.renew(tx, card_id, expires_on=expires_on, is_computed=is_computed, next_on=next_on, now=now)
        cards.look_again_at_carried(tx, card_id, japan_date(now))
        journal.write(tx, "card_renewed", now, group_id=person.group_id, person_id=person.id, card_id=card_id)
        return CardAdded(card_id, expires_on, next_on)


def retire_card(database: Database, now: datetime, *, card_id: int) -> None:
    """Nothing more is told of this card; its history stays."""
    with database.writing() as tx:
        _, person = _current_card(tx, card_id)
        _silence(tx, card_id, CancelReason.RETIRED, now)
        cards.retire(tx, card_id, now)
        cards.look_again_at_carried(tx, card_id, japan_date(now))
        journal.write(tx, "card_retired", now, group_id=person.group_id, person_id=person.id, card_id=card_id)


def read_end_date(text: str, now: datetime, *, confirmed: bool) -> date:
    """What a typed end date means. Raises NeedsConfirmationError for one that is past or far, unless `confirmed`."""
    day = dates.read_typed(text, field="expires")
    today = japan_date(now)
    if not confirmed and day < today:
        raise NeedsConfirmationError("date_past", field="expires", date=day.isoformat())
    if not confirmed and day > today + FURTHEST_AHEAD:
        raise NeedsConfirmationError("date_far", field="expires", date=day.isoformat())
    return day


def _current_card(tx: Tx, card_id: int) -> tuple[CardView, PersonView]:
    card = cards.find(tx, card_id)
    person = people.find(tx, card.person_id) if card else None
    if card is None or person is None:
        raise NotFoundError(field="card")
    groups.lock(tx, person.group_id)
    card = cards.find(tx, card_id) or card
    if card.retired_at is not None:
        raise ConflictError("card_retired", field="card")
    return card, person


def _silence(tx: Tx, card_id: int, reason: CancelReason, now: datetime) -> None:
    reminders.settle(tx, card_id)
    cancelled = outbox.cancel_for_card(tx, card_id, reason, now)
    # A cancelled text may have spoken of other cards too: those are planned again.
    cards.look_again_at_told(tx, cancelled, japan_date(now))


def _first_look(
    rules: Rulebook, person: PersonView, kind: str, expires_on: date, carrier: CardView | None, now: datetime
) -> date | None:
    carrier_ends_on = None if carrier is None or carrier.retired_at else carrier.expires_on
    _, plan = rules.plan(kind, expires_on, person.mode, insurance=person.insurance, carrier_ends_on=carrier_ends_on)
    return first_look(plan, expires_on, japan_date(now))
