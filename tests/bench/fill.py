"""A database as a large service has it after years, of invented people: `python -m tests.bench.fill --database URL`."""

import argparse
import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, cast

from sqlalchemy import Table, text
from sqlalchemy.orm import DeclarativeBase

from reminder.clock import SystemClock, japan_date
from reminder.domain.model.messages import MessageKind
from reminder.domain.model.people import ChannelName, ContactState, GroupKind, Language, Mode, Role
from reminder.storage.auth import accounts
from reminder.storage.auth.proofs import MEMBER, prove
from reminder.storage.crypto.keyring import KeyRing, new_key, read_keys
from reminder.storage.db.session import Database
from reminder.storage.db.statements import insert_many
from reminder.storage.db.tables import (
    Account,
    ActivityEntry,
    Card,
    Contact,
    Group,
    Heartbeat,
    Member,
    Message,
    MessageReminder,
    Person,
    Receipt,
    Reminder,
    Reply,
)
from reminder.storage.maintenance import settlement
from reminder.storage.outbox import sealed_body
from reminder.storage.registry import contacts
from tests.conftest import migrate

KINDS = ("mynumber_user_certificate", "driving_licence", "care_certification")
STEPS = ("d180", "d90", "d45", "d21", "d7", "d0")
# Words of messages are kept so long; the older ones have none.
WORDS_KEPT = timedelta(days=90)
AT_ONCE = 20_000


@dataclass(frozen=True)
class Sizes:
    """How much of everything. Of the groups the households have the first ids, then the homes, and the last is the
    largest home."""

    households: int = 5_000
    people_each: int = 4
    homes: int = 20
    residents_each: int = 150
    residents_of_the_largest: int = 5_000
    cards_each: int = 3
    cards_each_in_the_largest: int = 3
    messages: int = 500_000
    receipts: int = 0

    @property
    def groups(self) -> int:
        return self.households + self.homes + 1

    @property
    def first_household(self) -> int:
        return 1

    @property
    def first_home(self) -> int:
        return self.households + 1

    @property
    def largest(self) -> int:
        return self.groups

    def residents(self, group_id: int) -> int:
        if group_id <= self.households:
            return self.people_each
        return self.residents_of_the_largest if group_id == self.largest else self.residents_each

    def cards(self, group_id: int) -> int:
        """Of each person in the group."""
        return self.cards_each_in_the_largest if group_id == self.largest else self.cards_each


@dataclass(frozen=True)
class _Card:
    id: int
    person_id: int
    group_id: int
    expires_on: date


SMALL = Sizes(households=20, homes=2, residents_each=10, residents_of_the_largest=40, messages=1_500, receipts=500)


def owner_of(group_id: int) -> str:
    """The address with which the owner of a group signs in."""
    return f"owner{group_id:05}@example.jp"


def fill(url: str, keys: KeyRing, now: datetime, sizes: Sizes) -> None:
    """Fill an empty database that has every table. Nothing in it is due, late or waiting at `now` (aware UTC)."""
    database = Database(url, durable=False)
    try:
        everyone = list(_people(sizes))
        cards = list(_cards(sizes, everyone, japan_date(now)))
        _groups(database, sizes, keys, now)
        _add(database, Person, (_person(*one, now) for one in everyone))
        _add(database, Contact, (_own_contact(keys, person_id, now) for person_id, _, _ in everyone))
        first_of_members = len(everyone)
        _add(
            database,
            Contact,
            (_member_contact(keys, first_of_members, group_id, now) for group_id in range(1, sizes.groups + 1)),
        )
        _add(database, Card, (_card(one, sizes, now) for one in cards))
        _messages(database, sizes, keys, cards, now)
        _add(database, ActivityEntry, (_act(number, one, now) for number, one in enumerate(cards, 1)))
        _add(database, Heartbeat, ({"name": name, "at": now} for name in ("pass", "audit")))
        # As the program would have written it: the rows above are as they were before words were sealed.
        settlement.seal_every_row(database, keys)
        _settle(database)
    finally:
        database.close()


def _people(sizes: Sizes) -> Iterator[tuple[int, int, int]]:
    """(person id, group id, number within the group)."""
    ids = itertools.count(1)
    for group_id in range(1, sizes.groups + 1):
        for number in range(sizes.residents(group_id)):
            yield next(ids), group_id, number


def _cards(sizes: Sizes, everyone: Iterable[tuple[int, int, int]], today: date) -> Iterator[_Card]:
    """All end within five years, none of them today or earlier."""
    ids = itertools.count(1)
    for person_id, group_id, _ in everyone:
        for _ in range(sizes.cards(group_id)):
            card_id = next(ids)
            yield _Card(card_id, person_id, group_id, today + timedelta(days=10 + card_id * 7 % 1800))


def _groups(database: Database, sizes: Sizes, keys: KeyRing, now: datetime) -> None:
    ids = range(1, sizes.groups + 1)
    _add(
        database,
        Group,
        (
            {
                "id": group_id,
                "name": "田中家" if group_id <= sizes.households else "見本の里",
                "kind": GroupKind.HOUSEHOLD if group_id <= sizes.households else GroupKind.HOME,
                "preset": "",
                "own_days": "",
                "send_hour": None,
                "on_holidays": False,
                "organisation": "",
                "headings": {},
                "created_at": now - timedelta(days=2000),
            }
            for group_id in ids
        ),
    )
    _add(
        database,
        Account,
        (
            {
                "id": group_id,
                "address_sealed": keys.seal(owner_of(group_id), accounts.ADDRESS),
                "address_index": keys.blind_index(owner_of(group_id)),
                "language": Language.JAPANESE,
                "created_at": now - timedelta(days=2000),
            }
            for group_id in ids
        ),
    )
    _add(
        database,
        Member,
        (
            {
                "id": group_id,
                "group_id": group_id,
                "account_id": group_id,
                "name": "長女",
                "role": Role.OWNER,
                "language": Language.JAPANESE,
                "copies": "all",
                "created_at": now - timedelta(days=2000),
                "proof": prove(keys, MEMBER, group_id, group_id, group_id, Role.OWNER),
            }
            for group_id in ids
        ),
    )


def _person(person_id: int, group_id: int, number: int, now: datetime) -> Mapping[str, object]:
    return {
        "id": person_id,
        "group_id": group_id,
        "label": f"{chr(0x4E00 + person_id % 20_000)}さん",
        "reference": None,
        "room": f"{number % 1000 + 1}",
        "unit": f"{number // 50 % 20 + 1}階",
        "mark": None,
        "office": "市役所",
        "mode": Mode.ELDERLY if person_id % 2 else Mode.STANDARD,
        "language": Language.JAPANESE,
        "insurance": True,
        "created_at": now - timedelta(days=2000),
    }


def _contact(keys: KeyRing, address: str, now: datetime, **more: object) -> Mapping[str, object]:
    return {
        "person_id": None,
        "member_id": None,
        "is_family": False,
        "address_sealed": keys.seal(address, contacts.ADDRESS),
        "address_index": keys.blind_index(address),
        "state": ContactState.CONFIRMED,
        "consent_how": "spoken",
        "consent_by": "長女",
        "consent_at": now - timedelta(days=2000),
        "stopped_by": None,
        "test_called_at": None,
        "reached_at": now - timedelta(days=10),
        "created_at": now - timedelta(days=2000),
        **more,
    }


def _own_contact(keys: KeyRing, person_id: int, now: datetime) -> Mapping[str, object]:
    address = f"+8190{person_id:08}"
    return _contact(keys, address, now, id=person_id, person_id=person_id, channel=ChannelName.SMS)


def _member_contact(keys: KeyRing, before: int, member_id: int, now: datetime) -> Mapping[str, object]:
    address = owner_of(member_id)
    return _contact(keys, address, now, id=before + member_id, member_id=member_id, channel=ChannelName.EMAIL)


def _card(card: _Card, sizes: Sizes, now: datetime) -> Mapping[str, object]:
    number = card.id % max(sizes.cards(card.group_id), 1)
    return {
        "id": card.id,
        "person_id": card.person_id,
        "kind": KINDS[number % len(KINDS)],
        # Of one kind a person has several only under names of their own.
        "label": "" if number < len(KINDS) else f"札{chr(0x4E00 + number)}",
        "expires_on": card.expires_on,
        "is_computed": False,
        "carried_by": None,
        "next_reminder_on": max(japan_date(now) + timedelta(days=2), card.expires_on - timedelta(days=30)),
        "acknowledged_on": None,
        "remind_on": None,
        "own_kind": None,
        "own_days": "",
        "escalation_level": 0,
        "escalate_on": None,
        "renewed_at": None,
        "retired_at": None,
        "created_at": now - timedelta(days=2000),
    }


def _messages(database: Database, sizes: Sizes, keys: KeyRing, cards: list[_Card], now: datetime) -> None:
    """One message a reminder, as many for each card, the oldest first: of the card's last end date, and of the present
    one where that is near."""

    def told() -> Iterator[tuple[int, _Card, str, date, datetime]]:
        each = -(-sizes.messages // len(cards))
        numbers = itertools.islice(itertools.product(range(each), cards), sizes.messages)
        for message_id, (turn, card) in enumerate(numbers, 1):
            is_near = card.expires_on - japan_date(now) < timedelta(days=200)
            ends = card.expires_on if is_near else card.expires_on - timedelta(days=1826)
            days_ago = (1 + (each - turn - 1) * 14) if is_near else 200 + (each - turn - 1) * 250
            yield message_id, card, f"{STEPS[turn % 6]}{'' if turn < 6 else turn}", ends, now - timedelta(days=days_ago)

    _add(
        database,
        Reminder,
        (
            {
                "id": number,
                "card_id": card.id,
                "expires_on": ends,
                "step": step,
                "due_on": japan_date(at),
                "state": "superseded",
                "created_at": at,
            }
            for number, card, step, ends, at in told()
        ),
    )
    _add(database, Message, (_message(number, card, at, keys, now) for number, card, _, _, at in told()))
    _add(database, MessageReminder, ({"message_id": number, "reminder_id": number} for number, *_ in told()))
    _add(
        database,
        Receipt,
        (
            {
                "id": number,
                "provider_id": f"SM{number:032x}",
                "status": "delivered",
                "error_code": None,
                "message_id": number,
                "received_at": at,
                "applied_at": at,
            }
            for number, _, _, _, at in itertools.islice(told(), sizes.receipts)
        ),
    )
    _add(
        database,
        Reply,
        (
            {
                "id": place,
                "contact_id": card.person_id,
                "provider_id": f"IN{number:032x}",
                "intent": "thanks",
                "body_sealed": None,
                "received_at": at + timedelta(hours=1),
                "handled_at": at + timedelta(hours=1),
            }
            for place, (number, card, _, _, at) in enumerate(itertools.islice(told(), 0, None, 20), 1)
        ),
    )


def _message(number: int, card: _Card, at: datetime, keys: KeyRing, now: datetime) -> Mapping[str, object]:
    has_words = now - at < WORDS_KEPT
    return {
        "id": number,
        "key": f"told:{number}:{japan_date(at)}:sms:0",
        "kind": MessageKind.REMINDER,
        "group_id": card.group_id,
        "contact_id": card.person_id,
        "address_sealed": None,
        "audience": "person",
        "channel": ChannelName.SMS,
        "body_sealed": sealed_body.seal_body(keys, None, "ご家族より:電子証明書の更新のお知らせです。")
        if has_words
        else None,
        "body_fingerprint": None,
        "segments": 2,
        "reply_code": None,
        "state": "undelivered" if number % 100 == 0 else "delivered",
        "reason": "30003" if number % 100 == 0 else None,
        "urgency": 2,
        "fairness_rank": 0,
        "scheduled_at": at,
        "expires_at": at + timedelta(days=1),
        "lease_until": None,
        "attempts": 1,
        "not_found_count": 0,
        "possibly_double": False,
        "provider_id": f"SM{number:032x}",
        "handed_at": at,
        "ended_at": at,
        "followed_up_at": at,
        "created_at": at,
    }


def _act(number: int, card: _Card, now: datetime) -> Mapping[str, object]:
    return {
        "id": number,
        "at": now - timedelta(days=2000),
        "act": "card_added",
        "group_id": card.group_id,
        "member_id": card.group_id,
        "person_id": card.person_id,
        "contact_id": None,
        "card_id": card.id,
        "message_id": None,
    }


def _add(database: Database, table: type[DeclarativeBase], rows: Iterable[Mapping[str, Any]]) -> None:
    """In few statements, and never all of the rows in memory."""
    waiting = iter(rows)
    while some := list(itertools.islice(waiting, AT_ONCE)):
        with database.writing() as tx:
            insert_many(tx, cast(Table, table.__table__), some)


def _settle(database: Database) -> None:
    """The next ids lie beyond those of the rows, and the planner knows what there is, as it would in the morning."""
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if database.is_sqlite:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").close()
            return
        for table in (Group, Account, Member, Person, Contact, Card, Reminder, Message, Receipt, Reply, ActivityEntry):
            name = table.__tablename__
            connection.execute(
                text(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), coalesce(max(id), 1)) FROM {name}")
            )
        connection.execute(text("VACUUM ANALYZE"))


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--database", required=True, help="an empty database, by its URL; its tables are made")
    arguments.add_argument("--key", help="seals the addresses; default: a new one, which is printed")
    for name, value in vars(Sizes()).items():
        arguments.add_argument(f"--{name.replace('_', '-')}", type=int, default=value)
    chosen = vars(arguments.parse_args())
    url, key = chosen.pop("database"), chosen.pop("key") or new_key()
    migrate(url)
    fill(url, read_keys((key,)), SystemClock().now(), replace(Sizes(), **chosen))
    print(f"REMINDER_DATABASE_URL={url}\nREMINDER_SECRET_KEYS={key}")


if __name__ == "__main__":
    main()
