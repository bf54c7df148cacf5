"""What became of every text: what the provider says it took, held against what our database says."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from sqlalchemy import Row, text

from reminder.domain.model.messages import LONGEST_HAND_OVER
from reminder.domain.model.promise_states import WAS_NOT_TOLD
from reminder.storage.crypto.keyring import KeyRing
from reminder.storage.crypto.references import MESSAGE
from reminder.storage.db.session import Database
from tests.chaos.actors import ENDING, Act, Kind, handed_over_since
from tests.chaos.provider import Fate

ENDS_AS = {"delivered": "delivered", "undelivered": "undelivered", "sent": "accepted"}
NOT_HANDED_OVER = ("failed", "stale", "cancelled")

_TOLD = text(
    "SELECT m.id, r.card_id, m.state, m.possibly_double, m.followed_up_at IS NOT NULL AS family_told, m.reason"
    " FROM messages m JOIN message_reminders mr ON mr.message_id = m.id JOIN reminders r ON r.id = mr.reminder_id"
    " WHERE m.audience = 'person' AND m.channel = 'sms'"
)
_CARDS = text("SELECT c.id, k.address_index AS phone FROM cards c JOIN contacts k ON k.person_id = c.person_id")
_ALL = text("SELECT id FROM messages")
# What was promised of the person, not of the copies; the family's notice of a failure is of the message itself.
_PROMISES = text(
    "SELECT p.id, p.state, p.ends_at, r.card_id FROM promises p JOIN reminders r ON r.id = p.reminder_id"
    " WHERE p.audience = 'person'"
)
KINDS_OF_WRONG = ("lost", "doubled", "state", "stray", "after an act", "open promise")
# Of two equal texts to one telephone that the provider lists, and whose receipts are lost, nobody knows which is which.
NOT_TOLD_APART = ("unknown", "not_told_apart")


@dataclass
class Account:
    """`wrong` is what may not be, with the ids of what it happened to."""

    cards: int = 0
    messages: int = 0
    texts: int = 0  # taken by the provider
    arrived: int = 0  # cards of which a text reached the phone or the network
    ended: int = 0  # cards of which none did, and whose family was told so
    marked: int = 0  # messages sent again after nobody knew, and marked so
    doubled_and_marked: int = 0  # the same words arrived twice, and one of them was marked as possibly double
    unheard: int = 0  # messages that the provider knows the fate of, and we do not: their callback was lost
    untold_unheard: int = 0  # cards of which no text arrived, which nobody knows for that reason
    handed: int = 0  # cards of which no text arrived, and whose promise a human around or the operator has closed
    not_told_apart: int = 0
    swapped: int = 0  # of equal texts to one telephone, taken for each other
    promises: Counter[str] = field(default_factory=Counter)
    acts: Counter[str] = field(default_factory=Counter)  # what people did meanwhile
    states: Counter[str] = field(default_factory=Counter)
    wrong: dict[str, list[str]] = field(default_factory=lambda: {kind: [] for kind in KINDS_OF_WRONG})

    @property
    def is_right(self) -> bool:
        # Of those that may be double by what could be known, fewer than one in 10,000 are.
        return not any(self.wrong.values()) and self.doubled_and_marked <= max(1, self.messages // 10_000)


def account(
    database: Database,
    keys: KeyRing,
    outcomes: Collection[Fate],
    acts: Sequence[Act] = (),
    left_behind: Mapping[int, bool] = MappingProxyType({}),
) -> Account:
    """`keys`: of the service, which read the references in the callbacks. `acts`: what people did meanwhile.
    `left_behind`: ids of messages that a back-up did not have which was restored, and whether each reminds a person.
    The texts of those count for their telephone: the service of now has planned the same again, and found them in the
    provider's list."""
    with database.reading() as tx:
        cards = tx.execute(_CARDS).all()
        rows = tx.execute(_TOLD).all()
        known = {*tx.execute(_ALL).scalars()}
        promises = tx.execute(_PROMISES).all()
        after = {act.card_id: handed_over_since(tx, act) for act in acts if act.kind in ENDING}

    def named_by(fate: Fate) -> int:
        named = keys.references.read(MESSAGE, fate.reference)
        return 0 if named is None else named.ids[0]

    of_message, of_card, behind_at = defaultdict(list), defaultdict(list), defaultdict(list)
    for fate in outcomes:
        message_id = named_by(fate)
        of_message[message_id].append(fate)
        if message_id not in known and left_behind.get(message_id):
            behind_at[keys.blind_index(fate.text.to)].append(fate)
    for row in rows:
        of_card[row.card_id].append(row)
    at_phone = defaultdict(list)
    for card in cards:
        at_phone[card.phone].append(card.id)
    found = Account(cards=len(cards), messages=len(rows), texts=len(outcomes))
    found.states.update(row.state for row in rows)
    found.marked = sum(row.possibly_double for row in rows)
    found.acts.update(act.kind for act in acts)
    found.promises.update(one.state for one in promises)
    found.wrong["open promise"] += [
        f"promise {one.id} of card {one.card_id}" for one in promises if one.state == "open"
    ]
    handed = {one.card_id for one in promises if one.state in WAS_NOT_TOLD}
    of_the_erased = {message_id for act in acts if act.kind is Kind.ERASE for message_id in act.before}
    for stray in of_message.keys() - known - of_the_erased - {*left_behind}:
        found.wrong["stray"].append(str(stray))
    _look_at_acts(found, acts, after, of_message)
    # Who stopped, and whoever has the same telephone, need not be told; nor who has renewed.
    ended = {card for act in acts if act.kind in ENDING for card in act.cards}
    erased_at = {other: act for act in acts if act.kind is Kind.ERASE for other in act.cards}
    for phone, sharing in at_phone.items():
        gone = {act.card_id: act for card in sharing if (act := erased_at.get(card)) is not None}
        told = [row for card in sharing for row in of_card[card]]
        behind = behind_at[phone]
        taken = [*(fate for row in told for fate in of_message[row.id]), *behind]
        of_the_gone = [fate for act in gone.values() for message_id in act.before for fate in of_message[message_id]]
        is_shared = len(sharing) + len(gone) > 1 or bool(behind)
        _look_at_states(found, told, of_message, [*taken, *of_the_gone], is_shared=is_shared)
        arrived = sum(fate.last_word != "undelivered" for fate in taken)
        whose = {card: arrived_of(of_card[card], of_message) for card in sharing}
        # Of equal texts that were taken for each other the notice is about the other card.
        notices = {row.card_id for row in told if row.family_told and row.state in ("failed", "undelivered")}
        missing = []
        for card in sorted(sharing, key=lambda card: not whose[card]):
            if arrived:
                arrived -= 1
                found.arrived += 1
            elif card in notices or (is_shared and notices):
                notices.remove(card if card in notices else next(iter(notices)))
                found.ended += 1
            elif card in handed:
                found.handed += 1
            elif any(_is_unheard(row, of_message) for row in of_card[card]):
                found.untold_unheard += 1
            elif card not in ended:
                missing.append(card)
        shown = [(row.card_id, row.id, row.state, row.reason, f"told: {row.family_told}") for row in told]
        shown += [
            (fate.text.sid, f"of {named_by(fate)}", f"{fate.at:%d %H:%M:%S}", fate.last_word, f"heard: {fate.heard_at}")
            for fate in taken
        ]
        if missing:
            found.wrong["lost"].append(f"cards {missing} of {sorted(sharing)}: {shown}")
        if arrived:
            if any(row.possibly_double for row in told):
                found.doubled_and_marked += arrived
            else:
                found.wrong["doubled"].append(f"cards {sorted(sharing)}: {shown}")
    return found


def arrived_of(told: Sequence[Row[Any]], of_message: Mapping[int, Sequence[Fate]]) -> bool:
    return any(fate.last_word != "undelivered" for row in told for fate in of_message[row.id])


def _is_unheard(row: Row[Any], of_message: Mapping[int, Sequence[Fate]]) -> bool:
    return row.state == "accepted" and not all(fate.is_heard for fate in of_message[row.id])


def _look_at_states(
    found: Account,
    told: Sequence[Row[Any]],
    of_message: Mapping[int, Sequence[Fate]],
    taken: Sequence[Fate],
    *,
    is_shared: bool,
) -> None:
    """Whether each message ended as the provider says. `told`: those to one telephone; `taken`: what it was sent.

    Where several have the telephone, equal texts may be taken for each other: then as many must have ended in each way.
    """
    for row in told:
        ends = {ENDS_AS[fate.last_word] for fate in of_message[row.id]} or set(NOT_HANDED_OVER)
        if row.state in ends:
            continue
        claimed = sum(other.state == row.state for other in told)
        if _is_unheard(row, of_message) and of_message[row.id]:
            found.unheard += 1
        elif (row.state, row.reason) == NOT_TOLD_APART:
            found.not_told_apart += 1
        elif is_shared and (row.state in NOT_HANDED_OVER or claimed <= _as_many_as(row.state, taken)):
            found.swapped += 1
        else:
            found.wrong["state"].append(f"message {row.id} is {row.state} ({row.reason}) and not {'/'.join(ends)}")


def _as_many_as(state: str, taken: Sequence[Fate]) -> int:
    return sum(ENDS_AS[fate.last_word] == state or (state == "accepted" and not fate.is_heard) for fate in taken)


def _look_at_acts(
    found: Account, acts: Sequence[Act], after: dict[int, list[int]], of_message: dict[int, list[Fate]]
) -> None:
    """Whether a text was handed over, or taken, after somebody had said that it is not wanted."""
    for act in acts:
        late = [
            message_id
            for message_id in act.before
            for fate in of_message[message_id]
            if act.kind in ENDING and fate.at > act.at + LONGEST_HAND_OVER
        ]
        for message_id in {*after.get(act.card_id, ()), *late}:
            found.wrong["after an act"].append(f"card {act.card_id}, {act.kind}: message {message_id}")
