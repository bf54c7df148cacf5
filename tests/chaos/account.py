"""What became of every text: what the provider says it took, held against what our database says."""

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from sqlalchemy import text

from reminder.domain.model.messages import LONGEST_HAND_OVER
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
_CARDS = text("SELECT id FROM cards")
_ALL = text("SELECT id FROM messages")
KINDS_OF_WRONG = ("lost", "doubled", "state", "stray", "after an act")


@dataclass
class Account:
    """`wrong` is what may not be, with the ids of what it happened to."""

    cards: int = 0
    messages: int = 0
    texts: int = 0  # taken by the provider
    arrived: int = 0  # cards of which a text reached the phone or the network
    ended: int = 0  # cards of which none did, and whose family was told so
    marked: int = 0  # messages sent again after nobody knew, and marked so
    doubled_and_marked: int = 0
    unheard: int = 0  # messages that the provider knows the fate of, and we do not: their callback was lost
    untold_unheard: int = 0  # cards of which no text arrived, which nobody knows for that reason
    acts: Counter[str] = field(default_factory=Counter)  # what people did meanwhile
    states: Counter[str] = field(default_factory=Counter)
    wrong: dict[str, list[str]] = field(default_factory=lambda: {kind: [] for kind in KINDS_OF_WRONG})

    @property
    def is_right(self) -> bool:
        # Of those that may be double by what could be known, fewer than one in 10,000 are.
        return not any(self.wrong.values()) and self.doubled_and_marked <= max(1, self.messages // 10_000)


def account(database: Database, keys: KeyRing, outcomes: Collection[Fate], acts: Sequence[Act] = ()) -> Account:
    """`keys`: of the service, which read the references in the callbacks. `acts`: what people did meanwhile."""
    with database.reading() as tx:
        cards = [row.id for row in tx.execute(_CARDS)]
        rows = tx.execute(_TOLD).all()
        known = {*tx.execute(_ALL).scalars()}
        after = {act.card_id: handed_over_since(tx, act) for act in acts if act.kind in ENDING}
    of_message, of_card = defaultdict(list), defaultdict(list)
    for fate in outcomes:
        named = keys.references.read(MESSAGE, fate.reference)
        of_message[0 if named is None else named.ids[0]].append(fate)
    for row in rows:
        of_card[row.card_id].append(row)
    found = Account(cards=len(cards), messages=len(rows), texts=len(outcomes))
    found.states.update(row.state for row in rows)
    found.marked = sum(row.possibly_double for row in rows)
    found.acts.update(act.kind for act in acts)
    of_the_erased = {message_id for act in acts if act.kind is Kind.ERASE for message_id in act.before}
    for stray in of_message.keys() - known - of_the_erased:
        found.wrong["stray"].append(str(stray))
    for row in rows:
        taken = of_message[row.id]
        ends = {ENDS_AS[fate.last_word] for fate in taken} or set(NOT_HANDED_OVER)
        if row.state in ends:
            continue
        if row.state == "accepted" and not all(fate.is_heard for fate in taken):
            found.unheard += 1
        else:
            found.wrong["state"].append(f"message {row.id} is {row.state} ({row.reason}) and not {'/'.join(ends)}")
    _look_at_acts(found, acts, after, of_message)
    # Who stopped, and whoever has the same telephone, need not be told; nor who has renewed.
    ended = {card for act in acts if act.kind in ENDING for card in act.cards}
    for card in cards:
        told = of_card[card]
        arrived = [fate for row in told for fate in of_message[row.id] if fate.last_word != "undelivered"]
        if arrived:
            found.arrived += 1
        elif any(row.family_told and row.state in ("failed", "undelivered") for row in told):
            found.ended += 1
        elif any(row.state == "accepted" and not all(f.is_heard for f in of_message[row.id]) for row in told):
            found.untold_unheard += 1
        elif card not in ended:
            found.wrong["lost"].append(f"card {card}: {[(row.id, row.state, row.reason) for row in told]}")
        if len(arrived) > 1:
            if any(row.possibly_double for row in told):
                found.doubled_and_marked += 1
            else:
                found.wrong["doubled"].append(f"card {card}: {[(row.id, row.state, row.reason) for row in told]}")
    return found


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
