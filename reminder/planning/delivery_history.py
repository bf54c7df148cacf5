"""What was told before, and what became of it: of the cards and persons that one pass plans."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, time

from reminder.clock import japan_date
from reminder.domain.model.people import ChannelName, Mode
from reminder.domain.rules import hours
from reminder.domain.rules.escalation_policy import MONTH, MOST_CALLS, MOST_EARLY_TEXTS_A_MONTH, MOST_TEXTS_A_MONTH
from reminder.domain.rules.recipients import Recipient, instead_of
from reminder.domain.text.model import Fate
from reminder.storage.db.session import Tx
from reminder.storage.outbox import queries
from reminder.storage.registry.cards import DueCard
from reminder.storage.reminders import reminders
from reminder.storage.reminders.reminders import StepKey

# How many earlier texts a carer is shown.
SHOWN = 4

Humans = Mapping[tuple[str, int], Sequence[Recipient]]


class DeliveryHistory:
    """`humans`: every contact of each, by owner, whatever its state."""

    def __init__(self, tx: Tx, due: Sequence[DueCard], humans: Humans, now: datetime) -> None:
        self._tx, self._humans = tx, humans
        planned = reminders.deliveries(tx, [card.id for card in due])
        self._failed = {(one.step, one.contact_id) for one in planned if one.result.failed}
        self._may_have_arrived = {(one.step, one.contact_id) for one in planned if one.result.may_have_arrived}
        self._closed = {(one.step, one.contact_id) for one in planned if one.result.is_closed}
        self._reached = {(one.step, one.contact_id) for one in planned if one.result.reached}
        self._times: dict[tuple[int, int], int] = {}
        for one in planned:
            told = (one.step.card_id, one.contact_id)
            self._times[told] = self._times.get(told, 0) + one.result.times
        elders = {card.person.id for card in due if card.person.mode is not Mode.STANDARD}
        self._today = japan_date(now)
        midnight = hours.instant(self._today, time(0))
        lately = queries.sent_recently(tx, elders, now - MONTH, today=midnight)
        self._lately = {person_id: list(at) for person_id, at in lately.items()}
        self._greeted = queries.verified_today(tx, elders, midnight)
        self._earlier: Mapping[int, Sequence[queries.EarlierMessage]] = {}

    def is_delivered(self, step: StepKey, recipient: Recipient) -> bool:
        """Nobody is told one step twice, by whichever contact; only what failed or came back is told another way."""
        same_human = self._humans[recipient.owner]
        return (step, recipient.contact_id) in self._closed or any(
            (step, one.contact_id) in self._reached for one in same_human
        )

    def may_have_arrived(self, step: StepKey, recipient: Recipient) -> bool:
        """By any of this human's contacts."""
        same_human = self._humans[recipient.owner]
        return any((step, one.contact_id) in self._may_have_arrived for one in same_human)

    def way(
        self,
        recipient: Recipient,
        step: StepKey,
        channels: Collection[ChannelName],
        *,
        rings: bool,
        is_open: Callable[[ChannelName], bool],
    ) -> Recipient | None:
        """The contact by which this human is told a step: the usual one; where that failed, each other once, today if
        there is still time for it; when all have failed, the usual one again. `rings`: one of the few steps at which
        who has no other way is called; `is_open`: whether there is time today."""

        def may_be_used(one: Recipient) -> bool:
            return not one.channel.is_call or self._may_be_called(one, step, rings=rings)

        if (step, recipient.contact_id) in self._failed:
            others = instead_of(recipient, self._humans[recipient.owner], channels)
            untried = [one for one in others if (step, one.contact_id) not in self._failed and may_be_used(one)]
            if untried:
                return next((one for one in untried if is_open(one.channel)), untried[0])
        return recipient if may_be_used(recipient) else None

    def _may_be_called(self, recipient: Recipient, step: StepKey, *, rings: bool) -> bool:
        """A telephone rings three times at most for one end date; for who has no other way, at few steps."""
        if self._times.get((step.card_id, recipient.contact_id), 0) >= MOST_CALLS:
            return False
        same_human = self._humans[recipient.owner]
        return rings or any((step, one.contact_id) in self._failed for one in same_human)

    def is_at_limit(self, person_id: int, now: datetime, *, is_near: bool) -> bool:
        """An elder is told eight times a month at most, the last two kept for the days before an end; and nothing
        besides a greeting on its day. For others there is no such bound."""
        most = MOST_TEXTS_A_MONTH if is_near else MOST_EARLY_TEXTS_A_MONTH
        is_greeted = person_id in self._greeted and japan_date(now) == self._today
        lately = sum(at >= now - MONTH for at in self._lately.get(person_id, ()))
        return is_greeted or lately >= most

    def assume_delivered(self, contact_id: int, steps: Iterable[StepKey], *, whose: int | None, now: datetime) -> None:
        """As if this had been told and had arrived. `whose`: the person, where it is their own contact."""
        for step in steps:
            self._reached.add((step, contact_id))
            told = (step.card_id, contact_id)
            self._times[told] = self._times.get(told, 0) + 1
        if whose is not None:
            self._lately.setdefault(whose, []).append(now)

    def load_outcomes(self, card_ids: Collection[int]) -> None:
        """Those that carers are shown."""
        self._earlier = queries.earlier_messages(self._tx, card_ids, latest=SHOWN)

    def outcomes(self, card_ids: Collection[int]) -> list[Fate]:
        """Of the latest texts about these cards, oldest first."""
        earlier = {one.message_id: one for card_id in card_ids for one in self._earlier.get(card_id, ())}
        latest = [earlier[message_id] for message_id in sorted(earlier)][-SHOWN:]
        return [
            Fate(japan_date(one.handed_at), one.channel, one.state, one.intent, one.was_answerable) for one in latest
        ]
