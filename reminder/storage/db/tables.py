"""Every table on one page. There is no column for a card's number, and no birth date.

Closed sets are enums with a CHECK (`EnumText`); what configuration or a provider names (channels, kinds of cards,
languages, steps, presets, reasons) is open, and plain text.
An `Instant` is aware UTC; a `date` is a date in Japan. What is sealed is encrypted with the key ring (keys.py).
"""

import re
from datetime import date, datetime
from typing import Any, cast

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    TextClause,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from reminder.domain.model.imports import ImportState, RowEffect, RowStatus
from reminder.domain.model.messages import MessageKind, MessageState, ReminderState
from reminder.domain.model.notices import NoticeKind
from reminder.domain.model.people import Audience, ConsentHow, ContactState, Copies, GroupKind, Mode, Role, StoppedBy
from reminder.domain.parsing.replies import Intent
from reminder.storage.db.columns import EnumText, GuardedText, Instant


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    # A country's messages outgrow 32 bits in four years. SQLite's own keys are 64 bits wide and must be called INTEGER.
    type_annotation_map = {  # noqa: RUF012
        int: BigInteger().with_variant(Integer(), "sqlite"),
        datetime: Instant,
        bytes: LargeBinary,
        dict[str, Any]: JSON,
        list[Any]: JSON,
    }


def _partial_index(name: str, *columns: str, where: TextClause, unique: bool = False) -> Index:
    """In an index's own definition columns stand without their table."""
    bare = text(re.sub(r"\b(cards|messages|receipts|replies)\.", "", where.text))
    return Index(name, *columns, unique=unique, sqlite_where=bare, postgresql_where=bare)


class Group(Base):
    """A household or a care home: who shares persons. Its rhythm: see domain/rules/preferences.py."""

    __tablename__ = "groups"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(GuardedText(60, field="name"))
    kind: Mapped[GroupKind] = mapped_column(EnumText(GroupKind, 20))
    preset: Mapped[str] = mapped_column(String(20), server_default="")  # "": each person by their mode
    own_days: Mapped[str] = mapped_column(String(80), server_default="")  # days before the end: "60 30 7"
    send_hour: Mapped[int | None] = mapped_column(SmallInteger)
    on_holidays: Mapped[bool] = mapped_column(server_default=false())
    organisation: Mapped[str] = mapped_column(GuardedText(60, field="organisation"), server_default="")
    headings: Mapped[dict[str, Any]] = mapped_column(server_default="{}")  # what this home's own headings mean
    created_at: Mapped[datetime]


class Account(Base):
    """Who signs in, by one e-mail address: a member in any number of groups."""

    __tablename__ = "accounts"
    id: Mapped[int] = mapped_column(primary_key=True)
    address_sealed: Mapped[bytes]
    address_index: Mapped[bytes] = mapped_column(unique=True)
    language: Mapped[str] = mapped_column(String(10))
    created_at: Mapped[datetime]


class Member(Base):
    """Somebody in a group. `account_id` is empty until they have signed in with the address of their first contact."""

    __tablename__ = "members"
    __table_args__ = (UniqueConstraint("group_id", "account_id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    group_id: Mapped[int] = mapped_column(ForeignKey("groups.id", ondelete="CASCADE"), index=True)
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id", ondelete="SET NULL"), index=True)
    name: Mapped[str] = mapped_column(GuardedText(20, field="member_name"), server_default="")
    role: Mapped[Role] = mapped_column(EnumText(Role, 10))
    language: Mapped[str] = mapped_column(String(10))
    copies: Mapped[Copies] = mapped_column(EnumText(Copies, 10), server_default="all")
    created_at: Mapped[datetime]


class Person(Base):
    __tablename__ = "people"
    __table_args__ = (
        Index("ix_people_group_id_reference", "group_id", "reference"),
        Index("ix_people_group_id_label", "group_id", "label"),
        Index("ix_people_group_id_room", "group_id", "room"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    group_id: Mapped[int] = mapped_column(ForeignKey("groups.id", ondelete="CASCADE"), index=True)
    label: Mapped[str] = mapped_column(GuardedText(20, field="label"))
    reference: Mapped[str | None] = mapped_column(GuardedText(20, field="ref"))
    room: Mapped[str | None] = mapped_column(GuardedText(20, field="room"))
    unit: Mapped[str | None] = mapped_column(GuardedText(20, field="unit"))  # a floor or a unit of the home
    mark: Mapped[str | None] = mapped_column(GuardedText(10, field="mark"))
    office: Mapped[str] = mapped_column(GuardedText(10, field="office"))
    mode: Mapped[Mode] = mapped_column(EnumText(Mode, 10))
    language: Mapped[str] = mapped_column(String(10))
    insurance: Mapped[bool]  # uses the card as a health-insurance card
    created_at: Mapped[datetime]


class Contact(Base):
    """One phone or address of a person, of their family, or of a member."""

    __tablename__ = "contacts"
    __table_args__ = (
        CheckConstraint("(person_id IS NULL) <> (member_id IS NULL)", name="one_owner"),
        UniqueConstraint("person_id", "channel", "address_index"),
        UniqueConstraint("member_id", "channel", "address_index"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"))
    member_id: Mapped[int | None] = mapped_column(ForeignKey("members.id", ondelete="CASCADE"))
    is_family: Mapped[bool]  # a person's contact that belongs to a relative, not to the person
    channel: Mapped[str] = mapped_column(String(10))
    address_sealed: Mapped[bytes]
    address_index: Mapped[bytes] = mapped_column(index=True)
    state: Mapped[ContactState] = mapped_column(EnumText(ContactState, 12))
    consent_how: Mapped[ConsentHow | None] = mapped_column(EnumText(ConsentHow, 10))
    consent_by: Mapped[str | None] = mapped_column(GuardedText(40, field="consent_by"))
    consent_at: Mapped[datetime | None]
    # Who said that nothing more is wanted here.
    stopped_by: Mapped[StoppedBy | None] = mapped_column(EnumText(StoppedBy, 10))
    test_called_at: Mapped[datetime | None]  # when the keys of a call were tried out: only then are they offered
    reached_at: Mapped[datetime | None]  # last proof that this address is still theirs
    created_at: Mapped[datetime]


_IN_USE = text("cards.retired_at IS NULL")
IS_SILENT = text("cards.retired_at IS NULL AND cards.escalate_on IS NOT NULL")
IS_UNPLANNED = text("cards.retired_at IS NULL AND cards.next_reminder_on IS NULL")


class Card(Base):
    """A thing with an end date. `next_reminder_on` is the schedule: a tick costs what is due, not what is enrolled."""

    __tablename__ = "cards"
    __table_args__ = (
        _partial_index("ix_cards_due", "next_reminder_on", where=_IN_USE),
        _partial_index("uq_cards_current", "person_id", "kind", "label", where=_IN_USE, unique=True),
        _partial_index("ix_cards_silent", "escalate_on", where=IS_SILENT),
        _partial_index("ix_cards_unplanned", "kind", "expires_on", where=IS_UNPLANNED),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(40))
    # What its owner calls it, where the kind alone does not tell; "" otherwise.
    label: Mapped[str] = mapped_column(GuardedText(20, field="card_label"), server_default="")
    expires_on: Mapped[date]
    is_computed: Mapped[bool]  # the date was worked out from rules, not read from the card
    carried_by: Mapped[int | None] = mapped_column(ForeignKey("cards.id", ondelete="SET NULL"), index=True)
    next_reminder_on: Mapped[date | None]
    # The following are of the present end date; a new one clears them.
    acknowledged_on: Mapped[date | None]  # somebody says that it is renewed; its new date is still asked for
    remind_on: Mapped[date | None]  # the person asked to be reminded again then
    escalation_level: Mapped[int] = mapped_column(
        SmallInteger, server_default="0"
    )  # how many more humans silence has brought in
    escalate_on: Mapped[date | None]  # when the silence has lasted long enough for the next human
    renewed_at: Mapped[datetime | None]
    retired_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class Assignment(Base):
    """Somebody does it: one human for each end date of a card, however many say so in the same minute."""

    __tablename__ = "assignments"
    __table_args__ = (UniqueConstraint("card_id", "expires_on"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    card_id: Mapped[int] = mapped_column(ForeignKey("cards.id", ondelete="CASCADE"))
    expires_on: Mapped[date]
    contact_id: Mapped[int] = mapped_column(ForeignKey("contacts.id", ondelete="CASCADE"), index=True)
    assigned_on: Mapped[date]


class Reminder(Base):
    """One step of one card: a second one is impossible, and a new end date is a fresh schedule."""

    __tablename__ = "reminders"
    __table_args__ = (UniqueConstraint("card_id", "expires_on", "step"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    card_id: Mapped[int] = mapped_column(ForeignKey("cards.id", ondelete="CASCADE"))
    expires_on: Mapped[date]
    step: Mapped[str] = mapped_column(String(20))
    due_on: Mapped[date]
    state: Mapped[ReminderState] = mapped_column(EnumText(ReminderState, 12))
    created_at: Mapped[datetime]


# What the partial indexes hold. Queries use these very words: of a bound value neither database can know beforehand
# that the index will do, and would read every message there ever was.
IS_QUEUED = text("messages.state = 'queued'")
IS_LEASED = text("messages.state IN ('sending', 'unknown')")
IS_LIVE = text("messages.state NOT IN ('cancelled', 'stale')")
HAS_OLD_BODY = text("messages.body_sealed IS NOT NULL AND messages.state NOT IN ('queued', 'sending', 'unknown')")
IS_TO_A_STRANGER = text("messages.contact_id IS NULL")
WAS_HANDED_OVER = text("messages.handed_at IS NOT NULL")
IS_UNREPORTED_FAILURE = text(
    "messages.followed_up_at IS NULL AND messages.audience = 'person' AND messages.state IN ('undelivered', 'failed')"
)


class Message(Base):
    """One text to one contact by one channel. `key` makes a second one impossible; only what was never handed over
    frees its key."""

    __tablename__ = "messages"
    __table_args__ = (
        _partial_index("uq_messages_key", "key", where=IS_LIVE, unique=True),
        _partial_index(
            "ix_messages_queued", "channel", "scheduled_at", "urgency", "fairness_rank", "id", where=IS_QUEUED
        ),
        _partial_index("ix_messages_leased", "lease_until", where=IS_LEASED),
        _partial_index("ix_messages_failed", "id", where=IS_UNREPORTED_FAILURE),
        _partial_index("ix_messages_old_bodies", "created_at", where=HAS_OLD_BODY),
        _partial_index("ix_messages_to_strangers", "created_at", where=IS_TO_A_STRANGER),
        Index("ix_messages_contact_id_handed_at", "contact_id", "handed_at"),
        _partial_index("ix_messages_handed", "handed_at", where=WAS_HANDED_OVER),
        CheckConstraint("(contact_id IS NULL) <> (address_sealed IS NULL)", name="one_reader"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(80))
    kind: Mapped[MessageKind] = mapped_column(EnumText(MessageKind, 20))
    group_id: Mapped[int | None] = mapped_column(ForeignKey("groups.id", ondelete="CASCADE"), index=True)
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contacts.id", ondelete="CASCADE"))
    address_sealed: Mapped[bytes | None]  # of a stranger: who asks for a code, or is invited
    audience: Mapped[Audience] = mapped_column(EnumText(Audience, 10))
    channel: Mapped[str] = mapped_column(String(10))
    body_sealed: Mapped[bytes | None]
    body_fingerprint: Mapped[
        bytes | None
    ]  # a keyed index of its words, to notice that somebody is sent the same ever again
    segments: Mapped[int]
    reply_code: Mapped[int | None] = mapped_column(SmallInteger)  # the digit that answers "done" to this very text
    state: Mapped[MessageState] = mapped_column(EnumText(MessageState, 12))
    reason: Mapped[str | None] = mapped_column(String(40))
    urgency: Mapped[int] = mapped_column(SmallInteger, server_default="2")
    fairness_rank: Mapped[int] = mapped_column(
        Integer, server_default="0"
    )  # which of its group's: every group's first goes first
    scheduled_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    lease_until: Mapped[datetime | None]
    attempts: Mapped[int]
    not_found_count: Mapped[int]  # how often the provider has said that it has no such message
    possibly_double: Mapped[bool]
    provider_id: Mapped[str | None] = mapped_column(String(80), index=True)
    handed_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    followed_up_at: Mapped[datetime | None]  # a failure that a human has been told of
    created_at: Mapped[datetime]


class MessageReminder(Base):
    """Which reminders one text told: several cards, one text."""

    __tablename__ = "message_reminders"
    message_id: Mapped[int] = mapped_column(ForeignKey("messages.id", ondelete="CASCADE"), primary_key=True)
    reminder_id: Mapped[int] = mapped_column(
        ForeignKey("reminders.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class Mention(Base):
    """Whom a message speaks of that tells none of their reminders: a notice, or who is asked next about a card.
    `contact_id`: whose words it repeats, or of which contact it speaks."""

    __tablename__ = "mentions"
    id: Mapped[int] = mapped_column(primary_key=True)
    message_id: Mapped[int] = mapped_column(ForeignKey("messages.id", ondelete="CASCADE"), index=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"), index=True)
    card_id: Mapped[int | None] = mapped_column(ForeignKey("cards.id", ondelete="CASCADE"), index=True)
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contacts.id", ondelete="CASCADE"), index=True)


class Receipt(Base):
    """What the provider says became of a message; each is kept once, however often it is repeated."""

    __tablename__ = "receipts"
    __table_args__ = (
        UniqueConstraint("provider_id", "status"),
        Index(
            "ix_receipts_waiting",
            "id",
            sqlite_where=text("applied_at IS NULL"),
            postgresql_where=text("applied_at IS NULL"),
        ),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    provider_id: Mapped[str] = mapped_column(String(80))
    status: Mapped[str] = mapped_column(String(20))
    error_code: Mapped[str | None] = mapped_column(String(10))
    message_id: Mapped[int | None]  # as named in the callback's address; the message may be gone
    received_at: Mapped[datetime]
    applied_at: Mapped[datetime | None]


class RateLimit(Base):
    """When a sender may send again: every worker takes its turns from this one row."""

    __tablename__ = "rate_limits"
    channel: Mapped[str] = mapped_column(String(10), primary_key=True)
    free_at: Mapped[datetime]


class DayTotal(Base):
    """How much left by a channel on a day in Japan. `is_lifted`: the operator has said that this day is right as it
    is."""

    __tablename__ = "day_totals"
    channel: Mapped[str] = mapped_column(String(10), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    handed: Mapped[int] = mapped_column(Integer)
    is_lifted: Mapped[bool] = mapped_column(server_default=false())


class Pause(Base):
    """A channel that waits because the operator's account or sender is at fault."""

    __tablename__ = "pauses"
    channel: Mapped[str] = mapped_column(String(10), primary_key=True)
    reason: Mapped[str] = mapped_column(String(40))
    since: Mapped[datetime]
    until: Mapped[datetime]


class Heartbeat(Base):
    """When something that must run last did."""

    __tablename__ = "heartbeats"
    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    at: Mapped[datetime]


class Counter(Base):
    """How often something has happened since the service began to count: for those who measure it."""

    __tablename__ = "counters"
    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    value: Mapped[int]


class ServiceState(Base):
    """What the service remembers of itself, such as from which number its texts come."""

    __tablename__ = "service_state"
    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    value: Mapped[str] = mapped_column(String(80))


HAS_BODY = text("replies.body_sealed IS NOT NULL")


class Reply(Base):
    """What somebody answered. What looked like a number was never kept: then `body_sealed` is None."""

    __tablename__ = "replies"
    __table_args__ = (
        _partial_index("ix_replies_bodies", "received_at", where=HAS_BODY),
        Index(
            "ix_replies_waiting",
            "id",
            sqlite_where=text("handled_at IS NULL"),
            postgresql_where=text("handled_at IS NULL"),
        ),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    contact_id: Mapped[int] = mapped_column(ForeignKey("contacts.id", ondelete="CASCADE"), index=True)
    provider_id: Mapped[str] = mapped_column(String(80), unique=True)
    intent: Mapped[Intent | None] = mapped_column(EnumText(Intent, 20))
    body_sealed: Mapped[bytes | None]
    received_at: Mapped[datetime]
    handled_at: Mapped[datetime | None]


class Notice(Base):
    """Something a human around a person must be told; planning makes the messages of it."""

    __tablename__ = "notices"
    __table_args__ = (
        Index(
            "ix_notices_waiting",
            "id",
            sqlite_where=text("notified_at IS NULL"),
            postgresql_where=text("notified_at IS NULL"),
        ),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[NoticeKind] = mapped_column(EnumText(NoticeKind, 20))
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"), index=True)
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contacts.id", ondelete="CASCADE"), index=True)
    card_id: Mapped[int | None] = mapped_column(ForeignKey("cards.id", ondelete="CASCADE"), index=True)
    reply_id: Mapped[int | None] = mapped_column(ForeignKey("replies.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime]
    notified_at: Mapped[datetime | None]


class ActivityEntry(Base):
    """What was done, by ids only; it is added to and never changed."""

    __tablename__ = "activity_log"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    act: Mapped[str] = mapped_column(String(40))
    group_id: Mapped[int | None] = mapped_column(index=True)
    member_id: Mapped[int | None]
    person_id: Mapped[int | None] = mapped_column(index=True)
    contact_id: Mapped[int | None]
    card_id: Mapped[int | None]
    message_id: Mapped[int | None]


class LoginCode(Base):
    """A code that was asked for. It works in the one browser that asked."""

    __tablename__ = "login_codes"
    id: Mapped[int] = mapped_column(primary_key=True)
    address_sealed: Mapped[bytes]
    address_index: Mapped[bytes] = mapped_column(index=True)
    network_index: Mapped[bytes] = mapped_column(index=True)
    browser_hash: Mapped[bytes] = mapped_column(index=True)
    code_hash: Mapped[bytes]
    tries: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(index=True)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class Session(Base):
    """A browser in which somebody is signed in. `member_id`: as whom, where they are in a group."""

    __tablename__ = "sessions"
    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    member_id: Mapped[int | None] = mapped_column(ForeignKey("members.id", ondelete="SET NULL"), index=True)
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    device: Mapped[str] = mapped_column(String(40))
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class Passkey(Base):
    __tablename__ = "passkeys"
    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    credential_id: Mapped[bytes] = mapped_column(unique=True)
    public_key: Mapped[bytes]
    sign_count: Mapped[int]
    device: Mapped[str] = mapped_column(String(40))
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class Challenge(Base):
    """What a passkey must sign, once. `account_id`: for whom, where they are signed in already."""

    __tablename__ = "challenges"
    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    challenge: Mapped[bytes] = mapped_column(unique=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class Invitation(Base):
    __tablename__ = "invitations"
    id: Mapped[int] = mapped_column(primary_key=True)
    group_id: Mapped[int] = mapped_column(ForeignKey("groups.id", ondelete="CASCADE"), index=True)
    address_sealed: Mapped[bytes]
    address_index: Mapped[bytes] = mapped_column(index=True)
    role: Mapped[Role] = mapped_column(EnumText(Role, 10))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]  # accepted, refused or taken back


class ApiToken(Base):
    """What a program of a group shows instead of a sign-in."""

    __tablename__ = "api_tokens"
    id: Mapped[int] = mapped_column(primary_key=True)
    group_id: Mapped[int] = mapped_column(ForeignKey("groups.id", ondelete="CASCADE"), index=True)
    made_by: Mapped[int] = mapped_column(ForeignKey("members.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(GuardedText(30, field="token_name"))
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    scopes: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class IdempotencyKey(Base):
    """What a program was answered, so that the same request, sent again, does nothing and is answered the same."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (UniqueConstraint("token_id", "key_hash"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    token_id: Mapped[int] = mapped_column(ForeignKey("api_tokens.id", ondelete="CASCADE"))
    key_hash: Mapped[bytes]
    request_hash: Mapped[bytes]
    status: Mapped[int | None]  # None while it is being answered
    body_sealed: Mapped[bytes | None]
    created_at: Mapped[datetime] = mapped_column(index=True)


class CalendarFeed(Base):
    """A calendar that a member's programs read by a secret address."""

    __tablename__ = "calendar_feeds"
    id: Mapped[int] = mapped_column(primary_key=True)
    member_id: Mapped[int] = mapped_column(ForeignKey("members.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    is_private: Mapped[bool]  # entries say only that something ends
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class Import(Base):
    """A home's sheet on its way in: its rows wait here, sealed, until they are saved or given up, and go then."""

    __tablename__ = "imports"
    __table_args__ = (_partial_index("ix_imports_in_work", "id", where=text("state IN ('checking', 'saving')")),)
    id: Mapped[int] = mapped_column(primary_key=True)
    group_id: Mapped[int] = mapped_column(ForeignKey("groups.id", ondelete="CASCADE"), index=True)
    member_id: Mapped[int | None] = mapped_column(ForeignKey("members.id", ondelete="SET NULL"), index=True)
    state: Mapped[ImportState] = mapped_column(EnumText(ImportState, 10))
    columns: Mapped[list[Any]]  # of each: place, letter, heading, use, field, is_hidden
    mapping: Mapped[dict[str, Any]]  # by place of a column, the field that it holds
    counts: Mapped[dict[str, Any]]  # rows by status and by effect; what is 0 is left out
    rows: Mapped[int] = mapped_column(Integer)
    last_row: Mapped[int] = mapped_column(Integer)  # the number of the last row that was checked, or saved
    done: Mapped[int] = mapped_column(Integer)  # how many rows that are
    confirms_all: Mapped[bool] = mapped_column(server_default=false())  # every row that needs a confirmation has it
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]


class ImportRow(Base):
    """One row of a sheet: its cells without what was refused, and what was found out about them."""

    __tablename__ = "import_rows"
    __table_args__ = (Index("ix_import_rows_import_id_row_fingerprint", "import_id", "row_fingerprint"),)
    import_id: Mapped[int] = mapped_column(ForeignKey("imports.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    cells_sealed: Mapped[bytes | None]
    row_fingerprint: Mapped[bytes | None]  # a keyed index of who it is, to find a second row of the same
    reader_findings: Mapped[list[Any]]  # what reading saw: a number, a formula, a hidden row
    status: Mapped[RowStatus] = mapped_column(EnumText(RowStatus, 10), server_default=RowStatus.UNCHECKED)
    findings: Mapped[list[Any]]  # of each: code, level, place of the cell, details
    effect: Mapped[RowEffect] = mapped_column(EnumText(RowEffect, 10), server_default=RowEffect.NONE)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("people.id", ondelete="SET NULL"), index=True)
    is_confirmed: Mapped[bool] = mapped_column(server_default=false())


for _table in Base.metadata.tables.values():
    for _column in _table.columns:
        if isinstance(_column.type, EnumText):
            _table.append_constraint(CheckConstraint(_column.type.checks(_column.name), name=_column.name))

# For statements that run once for each of many rows, past the unit of work.
CARDS, MESSAGES = cast(Table, Card.__table__), cast(Table, Message.__table__)
PEOPLE, CONTACTS, ACTIVITY_LOG = (cast(Table, table.__table__) for table in (Person, Contact, ActivityEntry))
IMPORT_ROWS = cast(Table, ImportRow.__table__)
