"""Delivery history: the earlier messages about the cards and persons of one planning pass, and their outcomes."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from copy import copy
from datetime import datetime, time

from reminder.clock import japan_date
from reminder.domain.model.people import ChannelName, Mode
from reminder.domain.rules import hours
from reminder.domain.rules.escalation_policy import MONTH, MOST_CALLS, MOST_EARLY_TEXTS_A_MONTH, MOST_TEXTS_A_MONTH
from reminder.domain.rules.recipients import Recipient, instead_of
from reminder.domain.text.model import EarlierOutcome
from reminder.storage.db.session import Tx
from reminder.storage.outbox import queries
from reminder.storage.registry.cards import DueCard
from reminder.storage.reminders import reminders
from reminder.storage.reminders.reminders import StepKey

# Number of earlier texts that a carer is shown.
SHOWN = 4

Humans = Mapping[tuple[str, int], Sequence[Recipient]]


class DeliveryHistory:
    """The earlier messages about some cards; `humans` holds every contact by owner, in any state."""

    def __init__(self, tx: Tx, due: Sequence[DueCard], humans: Humans, now: datetime) -> None:
        self._tx, self._humans = tx, humans
        planned = reminders.deliveries(tx, [card.id for card in due])
        self._failed = {(one.step, one.contact_id) for one in planned if one.result.failed}
        self._may_have_arrived = {(one.step, one.contact_id) for one in planned if one.result.may_have_arrived}
        self._closed = {(one.step, one.contact_id) for one in planned if one.result.is_closed}
        self._reached = {(one.step, one.contact_id) for one in planned if one.result.reached}
        self._times: dict[tuple[int, int], int] = {}
        for one in planned:
            delivery = (one.step.card_id, one.contact_id)
            self._times[delivery] = self._times.get(delivery, 0) + one.result.times
        elders = {card.person.id for card in due if card.person.mode is not Mode.STANDARD}
        self._today = japan_date(now)
        midnight = hours.instant(self._today, time(0))
        lately = queries.sent_recently(tx, elders, now - MONTH, today=midnight)
        self._lately = {person_id: list(at) for person_id, at in lately.items()}
        self._greeted = queries.verified_today(tx, elders, midnight)
        self._earlier: Mapping[int, Sequence[queries.EarlierMessage]] = {}

    def copy(self) -> "DeliveryHistory":
        """Return a history of its own: what is assumed in one is not so in the other."""
        other = copy(self)
        other._reached = set(self._reached)
        other._times = dict(self._times)
        other._lately = {person_id: list(at) for person_id, at in self._lately.items()}
        return other

    def is_delivered(self, step: StepKey, recipient: Recipient) -> bool:
        """Return whether this human has been sent the step by any contact.

        A human gets each step once. A step is sent by another channel only if the earlier message failed or came back.
        """
        same_human = self._humans[recipient.owner]
        return (step, recipient.contact_id) in self._closed or any(
            (step, one.contact_id) in self._reached for one in same_human
        )

    def was_told(self, step: StepKey, recipient: Recipient) -> bool:
        """Return whether the step has reached this human by any contact, as far as anybody knows."""
        return any((step, one.contact_id) in self._reached for one in self._humans[recipient.owner])

    def may_have_arrived(self, step: StepKey, recipient: Recipient) -> bool:
        """Return whether the step may have arrived at any contact of this human."""
        same_human = self._humans[recipient.owner]
        return any((step, one.contact_id) in self._may_have_arrived for one in same_human)

    def contact_for(
        self,
        recipient: Recipient,
        step: StepKey,
        channels: Collection[ChannelName],
        *,
        is_call_step: bool,
        is_open: Callable[[ChannelName], bool],
    ) -> Recipient | None:
        """Return the contact by which this human gets the step, or None if there is none today.

        It is the usual contact. After a failure each other contact is tried once, today if there is still time for it.
        When all have failed, the usual one is tried again. `is_call_step`: this is one of the few steps at which a
        person who has no other channel is called. `is_open`: whether a channel still has time today.
        """

        def may_be_used(one: Recipient) -> bool:
            return not one.channel.is_call or self._may_be_called(one, step, is_call_step=is_call_step)

        if (step, recipient.contact_id) in self._failed:
            others = instead_of(recipient, self._humans[recipient.owner], channels)
            untried = [one for one in others if (step, one.contact_id) not in self._failed and may_be_used(one)]
            if untried:
                return next((one for one in untried if is_open(one.channel)), untried[0])
        return recipient if may_be_used(recipient) else None

    def _may_be_called(self, recipient: Recipient, step: StepKey, *, is_call_step: bool) -> bool:
        """Return whether this contact may be called: at most three times for an end date.

        A person who has no other channel is called at a few steps only.
        """
        if self._times.get((step.card_id, recipient.contact_id), 0) >= MOST_CALLS:
            return False
        same_human = self._humans[recipient.owner]
        return is_call_step or any((step, one.contact_id) in self._failed for one in same_human)

    def is_at_limit(self, person_id: int, now: datetime, *, is_near: bool) -> bool:
        """Return whether this person has had as many messages as one month allows.

        An elder gets at most eight a month, and the last two are kept for the days before an end (`is_near`). On the
        day of a greeting nothing else is sent. Others have no such limit.
        """
        most = MOST_TEXTS_A_MONTH if is_near else MOST_EARLY_TEXTS_A_MONTH
        is_greeted = person_id in self._greeted and japan_date(now) == self._today
        lately = sum(at >= now - MONTH for at in self._lately.get(person_id, ()))
        return is_greeted or lately >= most

    def assume_delivered(self, contact_id: int, steps: Iterable[StepKey], *, whose: int | None, now: datetime) -> None:
        """Treat these steps as sent and arrived.

        `whose`: the id of the person if the contact is their own.
        """
        for step in steps:
            self._reached.add((step, contact_id))
            delivery = (step.card_id, contact_id)
            self._times[delivery] = self._times.get(delivery, 0) + 1
        if whose is not None:
            self._lately.setdefault(whose, []).append(now)

    def load_outcomes(self, card_ids: Collection[int]) -> None:
        """Load the outcomes of the texts about these cards, which carers are shown."""
        self._earlier = queries.earlier_messages(self._tx, card_ids, latest=SHOWN)

    def outcomes(self, card_ids: Collection[int]) -> list[EarlierOutcome]:
        """Return the outcomes of the latest texts about these cards, oldest first."""
        earlier = {one.message_id: one for card_id in card_ids for one in self._earlier.get(card_id, ())}
        latest = [earlier[message_id] for message_id in sorted(earlier)][-SHOWN:]
        return [
            EarlierOutcome(japan_date(one.handed_at), one.channel, one.state, one.intent, one.was_answerable)
            for one in latest
        ]
