"""A database with one open transaction, and the rows that most tests of storage begin with."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from reminder.domain.model.end_outcomes import EndOutcome
from reminder.domain.model.messages import MessageKind, MessageState
from reminder.domain.model.people import Audience, ChannelName, ConsentHow, GroupKind, Language, Mode, Role
from reminder.domain.model.person_states import PAUSE
from reminder.storage.auth import accounts, api_tokens
from reminder.storage.crypto.keyring import KeyRing, new_key, read_keys
from reminder.storage.db.session import KEYS, Database, Tx
from reminder.storage.db.tables import Base, CountedEnd, Message, PersonLife, Promise
from reminder.storage.outbox import queue
from reminder.storage.outbox.queue import MessageDraft
from reminder.storage.registry import card_lives, cards, contacts, groups, imports, people, person_lives
from reminder.storage.reminders import counted_ends, promises, reminders
from reminder.storage.reminders.counted_ends import CardEnd, CountedView, EndCounting
from reminder.storage.reminders.reminders import StepKey

# Eight in the morning of Tuesday, 1 December 2026, in Japan.
NOW = datetime(2026, 11, 30, 23, tzinfo=UTC)
TODAY = date(2026, 12, 1)
END = date(2027, 3, 31)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass
class Rows:
    """One transaction that writes, with a key ring; each method adds a row as the program would, and returns its id."""

    tx: Tx
    keys: KeyRing
    _made: int = 0

    def __post_init__(self) -> None:
        self.tx.info[KEYS] = self.keys

    def group(self, name: str = "田中家", kind: GroupKind = GroupKind.HOUSEHOLD) -> int:
        return groups.add(self.tx, name=name, kind=kind, now=NOW)

    def member(self, group_id: int, *, email: str | None = None, role: Role = Role.OWNER) -> int:
        """With the e-mail address they are entered with, where one is given."""
        added = accounts.add_member(
            self.tx, self.keys, group_id=group_id, role=role, language=Language.JAPANESE, now=NOW
        )
        if email is not None:
            self.contact(member_id=added, channel=ChannelName.EMAIL, address=email)
        return added

    def account(self, address: str = "hana@example.jp") -> int:
        return accounts.add(self.tx, self.keys, address=address, language=Language.JAPANESE, now=NOW).id

    def person(self, group_id: int, label: str = "父", **more: Any) -> int:
        usual = {
            "mode": Mode.ELDERLY,
            "language": Language.JAPANESE,
            "reference": None,
            "mark": None,
            "office": "市役所",
        }
        values = {**usual, "insurance": True, **more}
        return people.add(self.tx, group_id=group_id, label=label, now=NOW, **values)

    def contact(
        self,
        *,
        person_id: int | None = None,
        member_id: int | None = None,
        channel: ChannelName = ChannelName.SMS,
        address: str | None = None,
        is_family: bool = False,
        confirmed: bool = True,
    ) -> int:
        self._made += 1
        return contacts.add(
            self.tx,
            self.keys,
            person_id=person_id,
            member_id=member_id,
            is_family=is_family,
            channel=channel,
            address=address or f"+8190000000{self._made:02}",
            consent_how=ConsentHow.SPOKEN if confirmed else None,
            consent_by=None,
            confirmed=confirmed,
            now=NOW,
        )

    def card(self, person_id: int, kind: str = "mynumber_card", *, expires_on: date = END, **more: Any) -> int:
        usual = {"label": "", "is_computed": False, "carried_by": None, "next_reminder_on": None, "created_at": NOW}
        row = {"person_id": person_id, "kind": kind, "expires_on": expires_on, **usual, **more}
        return cards.add_all(self.tx, [row])[0]

    def draft(self, contact_id: int | None, **more: Any) -> MessageDraft:
        """One text that may be sent now."""
        self._made += 1
        values: dict[str, Any] = {
            "key": f"answer:{self._made}",
            "kind": MessageKind.ANSWER,
            "group_id": None,
            "audience": Audience.PERSON,
            "channel": ChannelName.SMS,
            "subject": None,
            "text": f"お知らせ {self._made}",
            "segments": 1,
            "scheduled_at": NOW,
            "expires_at": NOW + 8 * HOUR,
            **more,
        }
        return MessageDraft(contact_id=contact_id, **values)

    def message(self, contact_id: int | None, *, created_at: datetime = NOW, **more: Any) -> int:
        (added,) = queue.add(self.tx, self.keys, [self.draft(contact_id, **more)], created_at)
        return added

    def reminder(self, card_id: int, step: str = "d30", *, expires_on: date = END, due_on: date = TODAY) -> int:
        key = StepKey(card_id, expires_on, step)
        return reminders.get_or_create(self.tx, {key: due_on}, NOW)[key]

    def life(self, card_id: int, *, expires_on: date = END) -> int:
        card_lives.make_appointment(self.tx, card_id, expires_on, None, on=TODAY, now=NOW)
        found = card_lives.last_of(self.tx, card_id)
        assert found is not None
        return found.id

    def whereabouts(self, person_id: int) -> int:
        person_lives.move(self.tx, person_id, PAUSE, on=TODAY, now=NOW)
        return self.tx.scalars(select(PersonLife.id).where(PersonLife.person_id == person_id)).one()

    def counted_end(self, group_id: int, card_id: int, **more: Any) -> int:
        """An end of a card of which nobody has said anything."""
        under = {"kind": "passport", "group_kind": GroupKind.HOUSEHOLD, "mode": Mode.ELDERLY, "step": "d7"}
        row = {"id": 0, "valid_until": END, "grace_ends_on": None, **under, "channel": "sms", "acted_on": None}
        view = CountedView(**{**row, "outcome": EndOutcome.UNKNOWN, "reason": None, **more})  # type: ignore[arg-type]
        counting = EndCounting(CardEnd(END, card_id), group_id, None, view)
        counted_ends.count(self.tx, [counting], NOW)
        return self.column(CountedEnd.id, CountedEnd.card_id == card_id)[-1]

    def promise(self, reminder_id: int, addressee: str = "person", **more: Any) -> int:
        """A promise that a step is told by the end of today; `more` are its columns."""
        usual = {"audience": Audience.PERSON, "day": TODAY, "due_at": NOW, "ends_at": NOW + 8 * HOUR}
        values = {**usual, "check_at": NOW + HOUR, **more}
        promises.add(self.tx, [promises.NewPromise(reminder_id, addressee, **values)], NOW)
        return self.column(Promise.id, Promise.reminder_id == reminder_id, Promise.addressee == addressee)[-1]

    def told(self, card_id: int, contact_id: int, step: str = "d30", **more: Any) -> int:
        """A message that tells one step of one card."""
        message_id = self.message(
            contact_id, **{"key": f"step:{card_id}:{step}:{contact_id}", "kind": MessageKind.REMINDER, **more}
        )
        reminders.link(self.tx, [(message_id, self.reminder(card_id, step))])
        return message_id

    def handed(self, message_id: int, state: MessageState = MessageState.ACCEPTED, **more: Any) -> int:
        """The message as it stands after one attempt; `more` are its columns."""
        self.change(Message, message_id, **{"state": state, "handed_at": NOW, "attempts": 1, **more})
        return message_id

    def token(self, member_id: int, group_id: int, token_hash: bytes = b"token", scopes: tuple[Any, ...] = ()) -> int:
        return api_tokens.add(
            self.tx,
            self.keys,
            group_id=group_id,
            made_by=member_id,
            name="台帳",
            token_hash=token_hash,
            scopes=scopes,
            now=NOW,
        )

    def sheet_import(self, group_id: int, member_id: int | None = None) -> int:
        """Whose rows are about to come in."""
        return imports.add(self.tx, group_id=group_id, member_id=member_id, columns=[], now=NOW)

    def change(self, table: type[Base], row_id: int, **values: object) -> None:
        """What other steps than the tested one would have written."""
        changed = update(table).where(table.id == row_id).values(**values)  # type: ignore[attr-defined]
        self.tx.execute(changed.execution_options(synchronize_session=False))

    def column(self, of: Any, *which: Any) -> list[Any]:
        """The values of a column, in the order of the ids."""
        return list(self.tx.scalars(select(of).where(*which).order_by(of.class_.__mapper__.primary_key[0])))

    def one(self, of: Any, row_id: int) -> Any:
        """The value of a column in one row."""
        return self.tx.execute(select(of).where(of.class_.id == row_id)).scalar_one()


@pytest.fixture
def keys() -> KeyRing:
    return read_keys([new_key()])


@pytest.fixture
def database(database_url: str, keys: KeyRing) -> Iterator[Database]:
    """Each of the two databases: every table, no rows."""
    opened = Database(database_url, durable=False)
    opened.open_with(keys)
    yield opened
    opened.close()


@pytest.fixture
def rows(database: Database, keys: KeyRing) -> Iterator[Rows]:
    """A transaction on each of the two databases; what it writes is kept at the end."""
    with database.writing() as tx:
        yield Rows(tx, keys)
