"""The lists of `reminder list`, and the rows of each."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from reminder.cli.preferences import preferences_row
from reminder.domain.model.messages import MessageState, ReminderState
from reminder.domain.model.people import ContactState
from reminder.domain.parsing.replies import Intent
from reminder.domain.rules.escalation_policy import NOBODY_LEFT
from reminder.storage.db.session import Tx
from reminder.storage.outbox import queries
from reminder.storage.registry import cards, contacts, groups, people
from reminder.storage.reminders import reminders, replies
from reminder.wiring import App

Row = Mapping[str, object]


def _groups(_app: App, tx: Tx, _group: int | None, _state: str | None) -> Iterable[Row]:
    return (
        {
            "id": group.id,
            "name": group.name,
            "kind": group.kind,
            **preferences_row(group.preferences),
            "organisation": group.organisation,
        }
        for group in groups.everyone(tx)
    )


def _people(_app: App, tx: Tx, group: int | None, _state: str | None) -> Iterable[Row]:
    return map(vars, people.each_of_group(tx, group))


def _contacts(app: App, tx: Tx, group: int | None, state: str | None) -> Iterable[Row]:
    return (vars(contact) for contact in contacts.each_of_group(tx, app.keys, group) if state in (None, contact.state))


def _cards(_app: App, tx: Tx, group: int | None, state: str | None) -> Iterable[Row]:
    for card in cards.each_of_group(tx, group):
        own_state = "retired" if card.retired_at else "current"
        # Acknowledged and unanswered cards are current too.
        is_done, is_unanswered = (
            card.acknowledged_on is not None,
            card.escalation_level == NOBODY_LEFT and card.acknowledged_on is None,
        )
        states = {own_state, *(["done"] if is_done else []), *(["unanswered"] if is_unanswered else [])}
        if state is None or (state in states and own_state in (state, "current")):
            yield {**vars(card), "state": own_state}


def _reminders(_app: App, tx: Tx, group: int | None, state: str | None) -> Iterable[Row]:
    return map(vars, reminders.each_of_group(tx, group, state))


def _messages(app: App, tx: Tx, group: int | None, state: str | None) -> Iterable[Row]:
    return map(vars, queries.each_of_group(tx, app.keys, group_id=group, state=state))


def _replies(app: App, tx: Tx, group: int | None, state: str | None) -> Iterable[Row]:
    return (vars(reply) for reply in replies.each_of_group(tx, app.keys, group) if state in (None, reply.intent))


LISTS: Mapping[str, Callable[[App, Tx, int | None, str | None], Iterable[Row]]] = {
    "groups": _groups,
    "people": _people,
    "contacts": _contacts,
    "cards": _cards,
    "reminders": _reminders,
    "messages": _messages,
    "replies": _replies,
}

# What shows whole addresses, or what was written to and by people: that it was read is logged.
SHOWS_ADDRESSES = frozenset({"contacts", "messages", "replies"})

STATES: Mapping[str, Sequence[str]] = {
    "contacts": list(ContactState),
    "cards": ["current", "retired", "done", "unanswered"],
    "reminders": list(ReminderState),
    "messages": list(MessageState),
    "replies": list(Intent),
}
