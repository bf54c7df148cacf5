"""Registration of cards: dates are checked first, then stored in one transaction.

A birth date is used for the calculation and dropped.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache, partial

from dateutil.relativedelta import relativedelta

from reminder.domain.model.card_kinds import OTHER
from reminder.domain.model.card_states import END, FINISH, RENEW, REOPEN, EndReason
from reminder.domain.model.messages import CancelReason
from reminder.domain.model.own_kinds import own_id, stored_kind
from reminder.domain.model.people import Mode
from reminder.domain.parsing import dates
from reminder.domain.parsing.days_before import checked_days, days_of, kept_form
from reminder.domain.rulebook import Rulebook
from reminder.domain.rules import escalation_policy, expiry, linked_cards
from reminder.domain.rules.expiry import KnownDates
from reminder.domain.rules.linked_cards import Offered
from reminder.domain.rules.preferences import DEFAULT_PREFERENCES, Preferences
from reminder.domain.rules.quotas import Quota
from reminder.domain.rules.steps import first_planning_day
from reminder.enrolment.records import refuse_with_person
from reminder.errors import (
    ConflictError,
    NeedsConfirmationError,
    NotFoundError,
    RefusedInputError,
    UnknownChoiceError,
)
from reminder.guard.text import clean_label
from reminder.storage.db.session import Tx
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.outbox import queue
from reminder.storage.registry import card_lives, cards, contacts, groups, own_kinds, people, person_lives, quotas
from reminder.storage.registry.cards import CardView
from reminder.storage.registry.groups import GroupView
from reminder.storage.registry.own_kinds import OwnKindView
from reminder.storage.registry.people import PersonView
from reminder.storage.reminders import reminders
from reminder.storage.runtime import activity_log

# No card is issued for longer than ten years today; one more for an early renewal.
FURTHEST_AHEAD = relativedelta(years=11)


@dataclass(frozen=True)
class TypedDates:
    """The dates of a card as people type them; `issued` and `born` are used and dropped, never stored.

    Without `expires` the end is worked out from them; with it they are only compared with it.
    """

    expires: str | date | None = None  # a date if somebody has parsed it already
    issued: str | None = None
    born: str | None = None
    is_computed: bool = False  # `expires` was worked out by the one who typed it


@dataclass(frozen=True)
class CardAdded:
    """A card that was registered or renewed.

    `next_reminder_on` is None if no reminder of this date is left. `offers`: cards that belong to it and are not
    registered yet. `asks`: the cards that depended on a renewed one, whose new dates are not known.
    """

    id: int
    expires_on: date
    is_computed: bool
    next_reminder_on: date | None
    offers: Sequence[Offered] = ()
    asks: Sequence[CardView] = ()


@dataclass(frozen=True)
class NewCard:
    """A card as somebody types it; `label` only for a kind that has no name of its own."""

    kind: str
    typed: TypedDates
    label: str | None = None
    own_days: tuple[int, ...] = ()  # before the end, farthest first, in place of its group's


def add_card(
    uow: UnitOfWork,
    *,
    person_id: int,
    kind: str,
    typed: TypedDates,
    label: str | None = None,
    own_days: tuple[int, ...] = (),
    confirmed: bool = False,
    by: int | None = None,
) -> CardAdded:
    """Register a card.

    Raises NeedsConfirmationError for a date that is past, far or hardly right, unless `confirmed`; and what
    expiry.work_out raises.
    """
    wanted = [NewCard(kind, typed, label, own_days)]
    return add_cards(uow, person_id=person_id, wanted=wanted, confirmed=confirmed, by=by)[0]


def add_cards(
    uow: UnitOfWork, *, person_id: int, wanted: Sequence[NewCard], confirmed: bool = False, by: int | None = None
) -> list[CardAdded]:
    """Register cards of one person, all of them or none. Raises as add_card."""
    return add_cards_of_people(uow, wanted={person_id: wanted}, confirmed=confirmed, by=by)[person_id]


def add_cards_of_people(
    uow: UnitOfWork,
    *,
    wanted: Mapping[int, Sequence[NewCard]],
    confirmed: bool = False,
    by: int | None = None,
    in_activity_log: bool = True,
    with_offers: bool = True,
) -> dict[int, list[CardAdded]]:
    """Register cards by person in a few statements, all of them or none. Return them by person, in the same order.

    The cards of one person are added one after the other: a card that others depend on or end with is best named first.
    `in_activity_log`: False if the cards are part of an act that is logged already. `with_offers`: False if nobody can
    be offered anything. Raises as add_card.
    """
    persons = people.by_id(uow.tx, wanted)
    if len(persons) < len(wanted):
        raise NotFoundError(field="person")
    refuse_gone(uow.tx, wanted)
    adding = Counter[int]()
    for person_id, some in wanted.items():
        adding[persons[person_id].group_id] += len(some)
    group_ids = sorted(adding)
    for group_id in group_ids:
        quotas.require_room(uow.tx, uow.rules.quotas, group_id, {Quota.CARDS: adding[group_id]}, uow.now)
    batch = _CardBatch(uow, groups.by_id(uow.tx, group_ids), wanted)
    added = {
        person_id: [batch.add(persons[person_id], card, confirmed=confirmed, with_offers=with_offers) for card in some]
        for person_id, some in wanted.items()
    }
    batch.store()
    if in_activity_log:
        entries = [
            {"act": "card_added", "group_id": persons[person_id].group_id, "person_id": person_id, "card_id": card.id}
            for person_id, some in added.items()
            for card in some
        ]
        activity_log.write_all(uow.tx, uow.now, [{**entry, "member_id": by} for entry in entries])
    return added


def refuse_gone(tx: Tx, person_ids: Collection[int]) -> None:
    """Raise ConflictError if one of them has moved out or died: nothing is told about them any more."""
    if any(life.state.has_gone for life in person_lives.of_people(tx, person_ids).values()):
        raise ConflictError("person_has_gone", field="person")


class _CardBatch:
    """Cards to be written: kept in memory until a stored row must refer to one of them."""

    def __init__(
        self, uow: UnitOfWork, in_groups: Mapping[int, GroupView], wanted: Mapping[int, Sequence[NewCard]]
    ) -> None:
        self._uow = uow
        self._ids = iter(cards.reserve_ids(uow.tx, sum(map(len, wanted.values()))))
        self._waiting: list[CardView] = []
        self._current = cards.every_current_of_people(uow.tx, wanted)
        # Many certificates of one home end on the same few days.
        self._first_planning_days = {
            group_id: cache(partial(_first_planning_day_by, uow.rules, group.preferences, uow.today))
            for group_id, group in in_groups.items()
        }
        self._own_kinds = {group_id: _own_kinds(uow, group_id, wanted) for group_id in in_groups}
        self._binding = {kind.bound_by for kind in uow.rules.kinds.values()}

    def add(self, person: PersonView, wanted: NewCard, *, confirmed: bool, with_offers: bool) -> CardAdded:
        """Check a card and add it to the batch. Raises as add_card."""
        others = self._current[person.id]
        found = _check(self._uow, others, self._own_kinds[person.group_id], wanted, confirmed=confirmed)
        if found.label:
            refuse_with_person(person, found.label)
        kind, dated, rules = found.kind, found.dated, self._uow.rules
        own_days = checked_days(wanted.own_days)
        carried_by = rules.kind(kind).carried_by
        carrier = next((other for other in others if other.kind == carried_by), None)
        next_on = self._first_planning_days[person.group_id](
            kind,
            dated.expires_on,
            person.mode,
            person.insurance,
            None if carrier is None else carrier.expires_on,
            rules.is_bound(kind, dated.expires_on, found.ends),
            own_days,
        )
        card = CardView(
            id=next(self._ids),
            person_id=person.id,
            kind=kind,
            label=found.label,
            expires_on=dated.expires_on,
            is_computed=dated.is_computed,
            carried_by=carrier.id if carrier else None,
            next_reminder_on=next_on,
            renewed_at=None,
            retired_at=None,
            acknowledged_on=None,
            escalation_level=0,
            own_days=kept_form(own_days),
        )
        self._waiting.append(card)
        carried = [other.id for other in others if _belongs_to(rules, other)[0] == kind]
        if carried or (others and kind in self._binding):
            self.store()
            cards.carry(self._uow.tx, card.id, carried)
            _schedule_replan_of_linked(self._uow, person.id, card.id, kind)
        others.append(card)
        offers = _offers(self._uow, person, kind, dated, found.ends) if with_offers else []
        return CardAdded(card.id, dated.expires_on, dated.is_computed, next_on, offers)

    def store(self) -> None:
        """Write the cards that were added since the last call."""
        cards.insert_all(self._uow.tx, self._waiting, self._uow.now)
        self._waiting = []


@dataclass(frozen=True)
class CardDraft:
    """A card as it would be registered; nothing is stored. `offers`: what could be registered with it."""

    kind: str
    label: str
    expires_on: date
    is_computed: bool
    offers: Sequence[Offered]


def draft(uow: UnitOfWork, *, person_id: int, wanted: NewCard, confirmed: bool = False) -> CardDraft:
    """Return what add_card would take. Raise as it does."""
    person = _person(uow.tx, person_id)
    refuse_gone(uow.tx, [person_id])
    own = _own_kinds(uow, person.group_id, {person_id: [wanted]})
    found = _check(uow, cards.current_of_person(uow.tx, person_id), own, wanted, confirmed=confirmed)
    offers = _offers(uow, person, found.kind, found.dated, found.ends)
    return CardDraft(found.kind, found.label, found.dated.expires_on, found.dated.is_computed, offers)


@dataclass(frozen=True)
class _Dated:
    expires_on: date
    is_computed: bool
    born: date | None


@dataclass(frozen=True)
class _Checked:
    """A card that may be registered; `ends`: the end dates of the person's other current cards, by kind.

    `kind`: its key, that of a group's own kind with its facts.
    """

    kind: str
    label: str
    dated: _Dated
    ends: Mapping[str, date]


def _own_kinds(uow: UnitOfWork, group_id: int, wanted: Mapping[int, Sequence[NewCard]]) -> Mapping[int, OwnKindView]:
    """Return the kinds of the group by id, where one of the wanted cards is of such a kind."""
    if not any(own_id(card.kind) is not None for some in wanted.values() for card in some):
        return {}
    return {one.id: one for one in own_kinds.of_group(uow.tx, group_id)}


def _kind_and_label(uow: UnitOfWork, own: Mapping[int, OwnKindView], wanted: NewCard) -> tuple[str, str]:
    """Return the key of a card's kind and its label. A card of a group's own kind is called like that kind."""
    kind_id = own_id(wanted.kind)
    if kind_id is None:
        uow.rules.kind(wanted.kind)
        return wanted.kind, clean_card_label(wanted.kind, wanted.label)
    kind = own.get(kind_id)
    if kind is None:
        raise UnknownChoiceError(field="kind", choices=[*uow.rules.kinds, *(one.public_name for one in own.values())])
    if wanted.label not in (None, kind.name):
        raise RefusedInputError("card_label_unwanted", field="card_label")
    return kind.key, kind.name


def _check(
    uow: UnitOfWork,
    others: Sequence[CardView],
    own: Mapping[int, OwnKindView],
    wanted: NewCard,
    *,
    confirmed: bool,
) -> _Checked:
    """Check a typed card. `others`: the person's current cards; `own`: the group's own kinds. Raises as add_card."""
    kind, label = _kind_and_label(uow, own, wanted)
    ends = {other.kind: other.expires_on for other in others}
    known = next(
        (other for other in others if (stored_kind(other.kind), other.label) == (stored_kind(kind), label)), None
    )
    if known is not None:
        raise ConflictError("card_known", field="kind", card=known.id)
    dated = _read_dates(uow, kind, wanted.typed, ends, confirmed=confirmed)
    return _Checked(kind, label, dated, ends)


def _person(tx: Tx, person_id: int) -> PersonView:
    person = people.find(tx, person_id)
    if person is None:
        raise NotFoundError(field="person")
    return person


def renew_card(
    uow: UnitOfWork, *, card_id: int, typed: TypedDates, confirmed: bool = False, by: int | None = None
) -> CardAdded:
    """Renew a card: give it its new date and a fresh schedule, and end that of the old date. Raises as add_card."""
    card, person = current_card(uow.tx, card_id)
    others = [other for other in cards.current_of_person(uow.tx, person.id) if other.id != card_id]
    ends = {other.kind: other.expires_on for other in others}
    dated = _read_dates(uow, card.kind, typed, ends, confirmed=confirmed)
    if card.expires_on == dated.expires_on:
        raise ConflictError("same_date", field="expires")
    carrier = cards.find(uow.tx, card.carried_by) if card.carried_by else None
    next_on = _first_planning_day(uow, person, card, dated.expires_on, carrier, ends)
    _cancel_pending(uow, card_id, CancelReason.RENEWED)
    before = {"is_computed": card.is_computed, "acknowledged_on": _written(card.acknowledged_on)}
    card_lives.move(
        uow.tx, card_id, card.expires_on, RENEW, on=uow.today, now=uow.now, before=before,
        values={"renewed_to": dated.expires_on},
    )  # fmt: skip
    # The new end may be one that the card had before: what was done for it then is over.
    card_lives.forget(uow.tx, card_id, dated.expires_on)
    cards.renew(
        uow.tx, card_id, expires_on=dated.expires_on, is_computed=dated.is_computed, next_on=next_on, now=uow.now
    )
    _schedule_replan_of_linked(uow, person.id, card_id, card.kind)
    ids = {"group_id": person.group_id, "person_id": person.id, "card_id": card_id}
    activity_log.write(uow.tx, "card_renewed", uow.now, **ids, member_id=by)
    asks = [other for other in others if other.carried_by == card_id or _belongs_to(uow.rules, other)[1] == card.kind]
    return CardAdded(card_id, dated.expires_on, dated.is_computed, next_on, asks=asks)


def retire_card(
    uow: UnitOfWork, *, card_id: int, reason: EndReason = EndReason.NOT_NEEDED, by: int | None = None
) -> None:
    """Retire a card: it is not reminded of any more; its history stays."""
    card, person = current_card(uow.tx, card_id)
    _cancel_pending(uow, card_id, CancelReason.RETIRED)
    before = {"is_computed": card.is_computed, "acknowledged_on": _written(card.acknowledged_on)}
    card_lives.move(
        uow.tx, card_id, card.expires_on, END, on=uow.today, now=uow.now, before=before, values={"reason": reason}
    )
    cards.retire(uow.tx, card_id, uow.now)
    _schedule_replan_of_linked(uow, person.id, card_id, card.kind)
    ids = {"group_id": person.group_id, "person_id": person.id, "card_id": card_id}
    activity_log.write(uow.tx, "card_retired", uow.now, **ids, member_id=by)


def acknowledge_card(uow: UnitOfWork, *, card_id: int, by: int | None = None) -> None:
    """Record that the card is renewed but its new date is unknown: the date is asked for in a fortnight."""
    card, person = current_card(uow.tx, card_id)
    _cancel_pending(uow, card_id, CancelReason.DONE)
    if card.acknowledged_on is None:
        card_lives.move(uow.tx, card_id, card.expires_on, FINISH, on=uow.today, now=uow.now)
    cards.acknowledge(uow.tx, [card_id], uow.today)
    ids = {"group_id": person.group_id, "person_id": person.id, "card_id": card.id}
    activity_log.write(uow.tx, "card_acknowledged", uow.now, **ids, member_id=by)


def reopen_card(uow: UnitOfWork, *, card_id: int, by: int | None = None) -> None:
    """Record that the card was not renewed after all: the schedule continues."""
    card, person = current_card(uow.tx, card_id)
    if card.acknowledged_on is not None:
        card_lives.move(uow.tx, card_id, card.expires_on, REOPEN, on=uow.today, now=uow.now)
    cards.reopen(uow.tx, card_id, uow.today)
    ids = {"group_id": person.group_id, "person_id": person.id, "card_id": card_id}
    activity_log.write(uow.tx, "card_reopened", uow.now, **ids, member_id=by)


def assign_card(uow: UnitOfWork, *, card_id: int, contact_id: int, by: int | None = None) -> None:
    """Assign the card to the owner of this contact; the others are not asked any more. A second call changes nothing.

    Raises ConflictError if it is assigned to somebody else: the first of two wins.
    """
    card, person = current_card(uow.tx, card_id)
    speaker = next(iter(contacts.speakers(uow.tx, contact_id)), None)
    is_theirs = speaker is not None and speaker.person_id == person.id and not speaker.is_family
    if speaker is None or speaker.group_id != person.group_id or is_theirs:
        raise NotFoundError(field="contact")
    today = uow.today
    if not cards.assign(uow.tx, card_id, card.expires_on, contact_id, today):
        if cards.assigned_to(uow.tx, card_id, card.expires_on) == contact_id:
            return
        raise ConflictError("card_assigned", field="card")
    cards.set_escalation(
        uow.tx, {card_id: (card.escalation_level, today + escalation_policy.patience(card.expires_on, today))}
    )
    cards.schedule_replan_of_person(uow.tx, person.id, today)
    contacts.record_verified(uow.tx, [contact_id], uow.now)
    ids = {"group_id": person.group_id, "card_id": card_id, "contact_id": contact_id}
    activity_log.write(uow.tx, "card_assigned", uow.now, **ids, member_id=by)


def _read_dates(uow: UnitOfWork, kind: str, typed: TypedDates, ends: Mapping[str, date], *, confirmed: bool) -> _Dated:
    """Return what typed dates mean, given the ends of the person's other cards. The date on the card wins."""
    today = uow.today
    born = _maybe(typed.born, "born")
    known = KnownDates(
        issued=_maybe(typed.issued, "issued"),
        born=born,
        residence_until=ends.get(uow.rules.kind(kind).bound_by),
        card_expires_on=ends.get(uow.rules.kind(kind).carried_by),
        today=today,
    )
    if typed.expires is None:
        end = expiry.work_out(uow.rules.kinds, kind, known).ends_on(kind)
        assert end is not None
        is_computed = True
    else:
        end = typed.expires if isinstance(typed.expires, date) else dates.read_typed(typed.expires, field="expires")
        is_computed = typed.is_computed
    if not confirmed:
        refuse_unusual(end, today)
        expiry.check_plausibility(kind, replace(known, expires_on=end), uow.rules.kind(kind))
    return _Dated(end, is_computed, born)


def _maybe(text: str | None, field: str) -> date | None:
    return None if text is None else dates.read_typed(text, field=field)


def refuse_unusual(day: date, today: date) -> None:
    """Raise NeedsConfirmationError for an end that is past or far."""
    if day < today:
        raise NeedsConfirmationError("date_past", field="expires", date=day.isoformat())
    if day > today + FURTHEST_AHEAD:
        raise NeedsConfirmationError("date_far", field="expires", date=day.isoformat())


def _offers(uow: UnitOfWork, person: PersonView, kind: str, dated: _Dated, ends: Mapping[str, date]) -> list[Offered]:
    return linked_cards.offers(
        uow.rules.kinds,
        kind,
        dated.expires_on,
        has={kind, *ends},
        is_elderly=person.mode is not Mode.STANDARD,
        today=uow.today,
        born=dated.born,
    )


def _belongs_to(rules: Rulebook, card: CardView) -> tuple[str, str]:
    """Return the kinds that a card depends on and is bound by; a kind that config/ no longer has has neither."""
    kind = rules.kinds.get(card.kind)
    return ("", "") if kind is None else (kind.carried_by, kind.bound_by)


def clean_card_label(kind: str, label: str | None) -> str:
    """Return the cleaned label. Only a kind without a name of its own needs one, and may occur under several.

    Raises RefusedInputError.
    """
    if kind != OTHER:
        if label is not None:
            raise RefusedInputError("card_label_unwanted", field="card_label")
        return ""
    if not label:
        raise RefusedInputError("card_label_needed", field="card_label")
    return clean_label(label, field="card_label", longest=16)


def _schedule_replan_of_linked(uow: UnitOfWork, person_id: int, card_id: int, kind: str) -> None:
    """Plan again the cards that depend on this card or end with it, because it has changed."""
    cards.schedule_replan_of_carried(uow.tx, card_id, uow.today)
    if any(other.bound_by == kind for other in uow.rules.kinds.values()):
        cards.schedule_replan_of_person(uow.tx, person_id, uow.today)


def current_card(tx: Tx, card_id: int) -> tuple[CardView, PersonView]:
    """Return a card with its person, and hold its group. Raises NotFoundError, and ConflictError for a retired card."""
    card = cards.find(tx, card_id)
    person = people.find(tx, card.person_id) if card else None
    if card is None or person is None:
        raise NotFoundError(field="card")
    groups.lock(tx, person.group_id)
    card = cards.find(tx, card_id) or card
    if card.retired_at is not None:
        raise ConflictError("card_retired", field="card")
    return card, person


def _written(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _cancel_pending(uow: UnitOfWork, card_id: int, reason: CancelReason) -> None:
    reminders.settle(uow.tx, card_id)
    cancelled = queue.cancel_for_card(uow.tx, card_id, reason, uow.now)
    # A cancelled text may have been about other cards too; those are planned again.
    cards.schedule_replan_of_messages(uow.tx, cancelled, uow.today)


def first_planning_day_of(uow: UnitOfWork, person: PersonView, card: CardView, expires_on: date) -> date | None:
    """Return the first planning day of a registered card, were this its end; None if no reminder of it is left."""
    carrier = cards.find(uow.tx, card.carried_by) if card.carried_by else None
    ends = {other.kind: other.expires_on for other in cards.current_of_person(uow.tx, person.id) if other.id != card.id}
    return _first_planning_day(uow, person, card, expires_on, carrier, ends)


def _first_planning_day(
    uow: UnitOfWork,
    person: PersonView,
    card: CardView,
    expires_on: date,
    carrier: CardView | None,
    ends: Mapping[str, date],
) -> date | None:
    group = groups.find(uow.tx, person.group_id)
    return _first_planning_day_by(
        uow.rules,
        DEFAULT_PREFERENCES if group is None else group.preferences,
        uow.today,
        card.kind,
        expires_on,
        person.mode,
        person.insurance,
        None if carrier is None or carrier.retired_at else carrier.expires_on,
        uow.rules.is_bound(card.kind, expires_on, ends),
        days_of(card.own_days),
    )


def _first_planning_day_by(
    rules: Rulebook,
    preferences: Preferences,
    today: date,
    kind: str,
    expires_on: date,
    mode: Mode,
    insurance: bool,
    carrier_ends_on: date | None,
    is_bound: bool,
    own_days: tuple[int, ...],
) -> date | None:
    """Return the first planning day of a card, or None if no reminder of this date is left."""
    _, plan = rules.plan(
        kind,
        expires_on,
        mode,
        insurance=insurance,
        carrier_ends_on=carrier_ends_on,
        is_bound=is_bound,
        preferences=rules.preferences_of(kind, own_days, preferences),
    )
    return first_planning_day(plan, expires_on, today)
