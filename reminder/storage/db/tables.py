"""All tables. There is no column for a card's number, and no birth date.

Closed sets are enums with a CHECK (`EnumText`); values that configuration or a provider names (channels, kinds of
cards, languages, steps, presets, reasons) are open, and plain text. An `Instant` is aware UTC; a `date` is a date in
Japan. Sealed columns are encrypted with the key ring (crypto/keyring.py); words in them are opened as they are read
(columns.SealedWords). `…_plain`: where words stood before they were sealed; empty since.
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
    true,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from reminder.domain.model.card_states import CardState, EndReason
from reminder.domain.model.consent_records import ConsentAct, ConsentWay
from reminder.domain.model.end_outcomes import EndOutcome
from reminder.domain.model.imports import ImportState, RowEffect, RowStatus, SheetAnswer
from reminder.domain.model.messages import MessageKind, MessageState, ReminderState
from reminder.domain.model.notices import NoticeKind
from reminder.domain.model.people import Audience, ConsentHow, ContactState, Copies, GroupKind, Mode, Role, StoppedBy
from reminder.domain.model.person_states import PersonState
from reminder.domain.model.promise_states import PromiseState
from reminder.domain.parsing.replies import Intent
from reminder.storage.crypto.keyring import Place, SealedValue
from reminder.storage.db.columns import (
    EnumText,
    GuardedText,
    Instant,
    SealedBytes,
    SealedJson,
    SealedPersonWords,
    SealedText,
    Unread,
)


class Base(DeclarativeBase):
    """The base of all tables, with the naming convention and the column types."""

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


# The places of sealed addresses and texts.
ACCOUNT_ADDRESS = Place("accounts.address_sealed", before="accounts.address")
CONTACT_ADDRESS = Place("contacts.address_sealed", before="contacts.address")
INVITED_ADDRESS = Place("invitations.address_sealed", before="invitations.address")
LOGIN_ADDRESS = Place("login_codes.address_sealed", before="sign_ins.address")
ANSWER_BODY = Place("idempotency_keys.body_sealed", before="kept_answers.body")
MESSAGE_ADDRESS = Place("messages.address_sealed", before="contacts.address")
MESSAGE_BODY = Place("messages.body_sealed", before="messages.body")
REPLY_BODY = Place("replies.body_sealed", before="replies.body")
UNCLEAR_BODY = Place("unclear_replies.body_sealed", before="unclear_replies.body")
IMPORT_CELLS = Place("import_rows.cells_sealed", before="upload_rows.cells")
SESSION_FORM = Place("sessions.held_sealed", before="sessions.held")
INSTALLATION_SECRET = Place("installation_secrets.value_sealed", before="installation_secrets.value")


_ITS_TABLE = re.compile(r"\b(activity_log|cards|counted_ends|daily_balances|messages|promises|receipts|replies)\.")


def _partial_index(name: str, *columns: str, where: TextClause, unique: bool = False) -> Index:
    """Return a partial index; in its definition columns are named without their table."""
    bare = text(_ITS_TABLE.sub("", where.text))
    return Index(name, *columns, unique=unique, sqlite_where=bare, postgresql_where=bare)


class Group(Base):
    """A household or a care home, which shares persons. Its preferences: see domain/rules/preferences.py."""

    __tablename__ = "groups"
    id: Mapped[int] = mapped_column(primary_key=True)
    row_token: Mapped[bytes | None]
    name: Mapped[Unread] = mapped_column(
        "name_sealed", SealedText(Place("groups.name_sealed"), "name", field="name"), nullable=True
    )
    name_plain: Mapped[str] = mapped_column("name", GuardedText(60, field="name"), default="")
    kind: Mapped[GroupKind] = mapped_column(EnumText(GroupKind, 20))
    preset: Mapped[str] = mapped_column(String(20), server_default="")  # "": each person by their mode
    own_days: Mapped[str] = mapped_column(String(80), server_default="")  # days before the end: "60 30 7"
    send_hour: Mapped[int | None] = mapped_column(SmallInteger)
    on_holidays: Mapped[bool] = mapped_column(server_default=false())
    organisation: Mapped[Unread] = mapped_column(
        "organisation_sealed",
        SealedText(Place("groups.organisation_sealed"), "organisation", field="organisation"),
        nullable=True,
    )
    organisation_plain: Mapped[str] = mapped_column(
        "organisation", GuardedText(60, field="organisation"), server_default=""
    )
    # The meaning of this home's own headings.
    headings: Mapped[Unread] = mapped_column(
        "headings_sealed", SealedJson(Place("groups.headings_sealed"), "headings"), nullable=True
    )
    headings_plain: Mapped[dict[str, Any]] = mapped_column("headings", server_default="{}")
    quotas: Mapped[dict[str, Any]] = mapped_column(server_default="{}")  # limits that the operator has set for it
    trial_since: Mapped[datetime | None]  # until the operator approves the group of somebody who signed up
    suspended_at: Mapped[datetime | None]
    suspended_why: Mapped[Unread] = mapped_column(
        "suspended_why_sealed",
        SealedText(Place("groups.suspended_why_sealed"), "suspended_why", field="why"),
        nullable=True,
    )
    suspended_why_plain: Mapped[str] = mapped_column("suspended_why", GuardedText(100, field="why"), server_default="")
    created_at: Mapped[datetime]


class GroupUsage(Base):
    """How often a group has used something on a day in Japan: messages, invitations, imports."""

    __tablename__ = "group_usage"
    __table_args__ = (UniqueConstraint("group_id", "quota", "day"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    group_id: Mapped[int] = mapped_column(ForeignKey("groups.id", ondelete="CASCADE"))
    quota: Mapped[str] = mapped_column(String(30))
    day: Mapped[date] = mapped_column(index=True)
    used: Mapped[int] = mapped_column(Integer)


class AddressUsage(Base):
    """How often all groups together have invited or asked one address, by hour. It names no group."""

    __tablename__ = "address_usage"
    __table_args__ = (UniqueConstraint("address_index", "what", "hour"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    address_index: Mapped[bytes]
    what: Mapped[str] = mapped_column(String(30))
    hour: Mapped[datetime] = mapped_column(index=True)
    used: Mapped[int] = mapped_column(Integer)


class Account(Base):
    """An account with one e-mail address: a member in any number of groups."""

    __tablename__ = "accounts"
    id: Mapped[int] = mapped_column(primary_key=True)
    row_token: Mapped[bytes | None]
    address_sealed: Mapped[SealedValue] = mapped_column(SealedBytes(ACCOUNT_ADDRESS))
    address_index: Mapped[bytes] = mapped_column(unique=True)
    language: Mapped[str] = mapped_column(String(10))
    created_at: Mapped[datetime]


class Member(Base):
    """A member of a group.

    `account_id` is empty until the first sign-in with the address of the member's first contact. `proof`: made with the
    key ring; a row without it gives nobody a role.
    """

    __tablename__ = "members"
    __table_args__ = (UniqueConstraint("group_id", "account_id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    group_id: Mapped[int] = mapped_column(ForeignKey("groups.id", ondelete="CASCADE"), index=True)
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id", ondelete="SET NULL"), index=True)
    row_token: Mapped[bytes | None]
    name: Mapped[Unread] = mapped_column(
        "name_sealed", SealedText(Place("members.name_sealed"), "name", field="member_name"), nullable=True
    )
    name_plain: Mapped[str] = mapped_column("name", GuardedText(20, field="member_name"), server_default="")
    role: Mapped[Role] = mapped_column(EnumText(Role, 10))
    language: Mapped[str] = mapped_column(String(10))
    copies: Mapped[Copies] = mapped_column(EnumText(Copies, 10), server_default="all")
    created_at: Mapped[datetime]
    proof: Mapped[bytes | None]


class Person(Base):
    """A person whose cards are watched."""

    __tablename__ = "people"
    __table_args__ = (
        Index("ix_people_group_id_reference_index", "group_id", "reference_index"),
        Index("ix_people_group_id_label_index", "group_id", "label_index"),
        Index("ix_people_group_id_room_index", "group_id", "room_index"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    group_id: Mapped[int] = mapped_column(ForeignKey("groups.id", ondelete="CASCADE"), index=True)
    row_token: Mapped[bytes | None]
    words: Mapped[Unread] = mapped_column(
        "words_sealed",
        SealedPersonWords(Place("people.words_sealed"), "label", "reference", "room", "unit", "mark", "office"),
        nullable=True,
    )
    # Short keyed indexes of three of the words, each within its group; see registry/name_index.py.
    reference_index: Mapped[bytes | None]
    label_index: Mapped[bytes | None]
    room_index: Mapped[bytes | None]
    label_plain: Mapped[str] = mapped_column("label", GuardedText(20, field="label"), default="")
    reference_plain: Mapped[str | None] = mapped_column("reference", GuardedText(20, field="ref"))
    room_plain: Mapped[str | None] = mapped_column("room", GuardedText(20, field="room"))
    unit_plain: Mapped[str | None] = mapped_column("unit", GuardedText(20, field="unit"))
    mark_plain: Mapped[str | None] = mapped_column("mark", GuardedText(10, field="mark"))
    office_plain: Mapped[str] = mapped_column("office", GuardedText(10, field="office"), default="")
    mode: Mapped[Mode] = mapped_column(EnumText(Mode, 10))
    language: Mapped[str] = mapped_column(String(10))
    insurance: Mapped[bool]  # uses the card as a health-insurance card
    created_at: Mapped[datetime]


class PersonLife(Base):
    """Where a person is, of whom somebody has said that they are away, have moved out or died.

    `until`: the last day of a pause. `before`: what the row was before the last act, which can be taken back until a
    day after `changed_at`.
    """

    __tablename__ = "person_lives"
    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"), unique=True)
    state: Mapped[PersonState] = mapped_column(EnumText(PersonState, 12))
    since: Mapped[date]
    until: Mapped[date | None]
    changed_at: Mapped[datetime]
    before: Mapped[dict[str, Any] | None]


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
    row_token: Mapped[bytes | None]
    address_sealed: Mapped[SealedValue] = mapped_column(SealedBytes(CONTACT_ADDRESS))
    address_index: Mapped[bytes] = mapped_column(index=True)
    consent_index: Mapped[bytes | None] = mapped_column(index=True)  # the address in the ledger of consents
    state: Mapped[ContactState] = mapped_column(EnumText(ContactState, 12))
    consent_how: Mapped[ConsentHow | None] = mapped_column(EnumText(ConsentHow, 10))
    consent_by: Mapped[Unread | None] = mapped_column(
        "consent_by_sealed", SealedText(Place("contacts.consent_by_sealed"), "consent_by", field="consent_by")
    )
    consent_by_plain: Mapped[str | None] = mapped_column("consent_by", GuardedText(40, field="consent_by"))
    consent_at: Mapped[datetime | None]
    # The party that stopped this contact.
    stopped_by: Mapped[StoppedBy | None] = mapped_column(EnumText(StoppedBy, 10))
    test_called_at: Mapped[datetime | None]  # when the keys of a call were tried out; before that none are offered
    reached_at: Mapped[datetime | None]  # last proof that this address is still theirs
    created_at: Mapped[datetime]


class ConsentEntry(Base):
    """One record of the ledger of consents: what the owner of an address was asked, agreed to, or refused.

    Rows are added and never changed; only a group's erasure takes its id out (consent_records.NO_GROUP). They outlive
    the contact. The address is not here: `address_index` is keyed by a secret of the installation, which the key ring
    seals (crypto/consent_index.py). `group_id` None: it concerns every group. The table belongs to no group and is
    looked up by address alone. Who may read it: registration and consent, before somebody may be written to or asked;
    conversation, for a text from the number; an export, which shows a group its own records and those for every group.
    Nothing else, and no page.
    """

    __tablename__ = "consent_records"
    id: Mapped[int] = mapped_column(primary_key=True)
    address_index: Mapped[bytes] = mapped_column(index=True)
    group_id: Mapped[int | None] = mapped_column(index=True)
    act: Mapped[ConsentAct] = mapped_column(EnumText(ConsentAct, 12))
    way: Mapped[ConsentWay] = mapped_column(EnumText(ConsentWay, 10))
    at: Mapped[datetime]


_IN_USE = text("cards.retired_at IS NULL")
IS_SILENT = text("cards.retired_at IS NULL AND cards.escalate_on IS NOT NULL")
IS_UNPLANNED = text("cards.retired_at IS NULL AND cards.next_reminder_on IS NULL")


class Card(Base):
    """A card with an end date.

    `next_reminder_on` is its schedule: a pass costs as much as is due, not as is enrolled.
    """

    __tablename__ = "cards"
    __table_args__ = (
        _partial_index("ix_cards_due", "next_reminder_on", where=_IN_USE),
        _partial_index("uq_cards_in_use", "person_id", "kind", "label", "label_index", where=_IN_USE, unique=True),
        _partial_index("ix_cards_silent", "escalate_on", where=IS_SILENT),
        _partial_index("ix_cards_unplanned", "kind", "expires_on", where=IS_UNPLANNED),
        Index("ix_cards_expires_on", "expires_on", "id"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(40))
    # Its owner's name for it, where the kind alone is not enough; "" otherwise.
    label: Mapped[Unread] = mapped_column(
        "label_sealed", SealedText(Place("cards.label_sealed"), "label", field="card_label"), nullable=True
    )
    label_plain: Mapped[str] = mapped_column("label", GuardedText(20, field="card_label"), server_default="")
    # A keyed index of the label for this person, in letters; "" where there is none.
    label_index: Mapped[str] = mapped_column(String(16), server_default="")
    row_token: Mapped[bytes | None]  # only of a card with a label
    expires_on: Mapped[date]
    is_computed: Mapped[bool]  # the date was computed from rules, not read from the card
    carried_by: Mapped[int | None] = mapped_column(ForeignKey("cards.id", ondelete="SET NULL"), index=True)
    next_reminder_on: Mapped[date | None]
    # The following belong to the present end date; a new one clears them.
    acknowledged_on: Mapped[date | None]  # somebody said that it is renewed; its new date is still asked for
    remind_on: Mapped[date | None]  # the person asked to be reminded again on this day
    escalation_level: Mapped[int] = mapped_column(
        SmallInteger, server_default="0"
    )  # how many more humans have been asked
    escalate_on: Mapped[date | None]  # when the next human is asked
    renewed_at: Mapped[datetime | None]
    retired_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    revision: Mapped[int] = mapped_column(Integer, server_default="0")  # how often it was renewed, done or reopened
    own_days: Mapped[str] = mapped_column(String(80), server_default="")  # in place of its group's: "60 30 7"
    # The facts of its kind where that is one of the group's own; its `kind` is "other" then, and its label the name.
    own_kind: Mapped[str | None] = mapped_column(String(120))


class OwnKindRow(Base):
    """A kind of a group's own."""

    __tablename__ = "own_kinds"
    id: Mapped[int] = mapped_column(primary_key=True)
    group_id: Mapped[int] = mapped_column(ForeignKey("groups.id", ondelete="CASCADE"), index=True)
    row_token: Mapped[bytes | None]
    name: Mapped[Unread] = mapped_column(
        "name_sealed", SealedText(Place("own_kinds.name_sealed"), "name", field="own_kind_name"), nullable=True
    )
    name_plain: Mapped[str] = mapped_column("name", GuardedText(20, field="own_kind_name"), server_default="")
    place: Mapped[str] = mapped_column(String(20))
    opens_days: Mapped[int | None] = mapped_column(SmallInteger)
    lead_days: Mapped[int] = mapped_column(SmallInteger)
    stand_in: Mapped[str] = mapped_column(String(10))
    own_days: Mapped[str] = mapped_column(String(80), server_default="")
    created_at: Mapped[datetime]


class Assignment(Base):
    """The contact who takes a card on: one for each end date, however many answer in the same minute."""

    __tablename__ = "assignments"
    __table_args__ = (UniqueConstraint("card_id", "expires_on"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    card_id: Mapped[int] = mapped_column(ForeignKey("cards.id", ondelete="CASCADE"))
    expires_on: Mapped[date]
    contact_id: Mapped[int] = mapped_column(ForeignKey("contacts.id", ondelete="CASCADE"), index=True)
    assigned_on: Mapped[date]


class CardLife(Base):
    """What was done for one end date of a card; there is none where nobody has acted for it.

    `since`: when this state began. `expected_by`: by when a new one, or the word that it can be collected, is to come.
    `before`: what the row was before the last act, which can be taken back until a day after `changed_at`.
    """

    __tablename__ = "card_lives"
    __table_args__ = (
        UniqueConstraint("card_id", "expires_on"),
        Index("ix_card_lives_expires_on", "expires_on", "card_id"),
        Index("ix_card_lives_changed_at", "changed_at"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    card_id: Mapped[int] = mapped_column(ForeignKey("cards.id", ondelete="CASCADE"))
    expires_on: Mapped[date]
    state: Mapped[CardState] = mapped_column(EnumText(CardState, 20))
    since: Mapped[date]
    expected_by: Mapped[date | None]
    collect_by: Mapped[date | None]
    appointment_on: Mapped[date | None]
    renewed_to: Mapped[date | None]
    reason: Mapped[EndReason | None] = mapped_column(EnumText(EndReason, 20))
    changed_at: Mapped[datetime]
    before: Mapped[dict[str, Any] | None]


class Reminder(Base):
    """One step of one card: a second one is impossible, and a new end date starts a new schedule."""

    __tablename__ = "reminders"
    __table_args__ = (UniqueConstraint("card_id", "expires_on", "step"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    card_id: Mapped[int] = mapped_column(ForeignKey("cards.id", ondelete="CASCADE"))
    expires_on: Mapped[date]
    step: Mapped[str] = mapped_column(String(20))
    due_on: Mapped[date]
    state: Mapped[ReminderState] = mapped_column(EnumText(ReminderState, 12))
    created_at: Mapped[datetime]


# The conditions of the partial indexes. Queries use the same text: with a bound value neither database can know
# that the index applies, and would read every message in the table.
IS_QUEUED = text("messages.state = 'queued'")
# Handed over, or about to be: an outcome is awaited, or the provider is to be asked for it.
AWAITS_OUTCOME = text("messages.state IN ('sending', 'unknown')")
# A worker has leased it, now or once; the index is small, because the hand-over takes the message out of it.
# Login codes have a way of their own: nobody who waits to be let in waits for other messages.
IS_QUEUED_CODE = text("messages.state = 'queued' AND messages.kind = 'login_code'")
IS_LEASED = text("messages.state = 'queued' AND messages.lease_until IS NOT NULL")
IS_LIVE = text("messages.state NOT IN ('cancelled', 'stale')")
# It waits for later than it was due: it is tried again, or its channel waits.
IS_DEFERRED = text("messages.state = 'queued' AND messages.due_at < messages.scheduled_at")
HAS_OLD_BODY = text("messages.body_sealed IS NOT NULL AND messages.state NOT IN ('queued', 'sending', 'unknown')")
IS_TO_A_STRANGER = text("messages.contact_id IS NULL")
WAS_HANDED_OVER = text("messages.handed_at IS NOT NULL")
HAS_PROVIDER_ID = text("messages.provider_id IS NOT NULL")
# In another order than below: SQLite would take this index, which it cannot search there, for that condition.
DID_NOT_ARRIVE = text("messages.state IN ('failed', 'undelivered')")
IS_UNREPORTED_FAILURE = text(
    "messages.followed_up_at IS NULL AND messages.audience = 'person' AND messages.state IN ('undelivered', 'failed')"
)


class Message(Base):
    """One text to one contact by one channel.

    `key` makes a second one impossible; the key is freed only by a message that was never handed over.
    """

    __tablename__ = "messages"
    __table_args__ = (
        _partial_index("uq_messages_key", "key", where=IS_LIVE, unique=True),
        _partial_index(
            "ix_messages_queued", "channel", "scheduled_at", "urgency", "fairness_rank", "id", where=IS_QUEUED
        ),
        _partial_index("ix_messages_queued_codes", "channel", "scheduled_at", where=IS_QUEUED_CODE),
        _partial_index("ix_messages_leased", "lease_until", where=AWAITS_OUTCOME),
        _partial_index("ix_messages_leased_contact", "contact_id", where=IS_LEASED),
        _partial_index("ix_messages_failed", "id", where=IS_UNREPORTED_FAILURE),
        _partial_index("ix_messages_old_bodies", "created_at", where=HAS_OLD_BODY),
        _partial_index("ix_messages_to_strangers", "created_at", where=IS_TO_A_STRANGER),
        # One id of a provider is one message, whatever number of workers ask about it.
        _partial_index("uq_messages_provider_id", "provider_id", "channel", where=HAS_PROVIDER_ID, unique=True),
        Index("ix_messages_contact_id_handed_at", "contact_id", "handed_at"),
        _partial_index("ix_messages_handed", "handed_at", where=WAS_HANDED_OVER),
        _partial_index("ix_messages_failures_of_group", "group_id", where=DID_NOT_ARRIVE),
        # What is on time is not in it.
        _partial_index("ix_messages_deferred", "due_at", where=IS_DEFERRED),
        CheckConstraint("(contact_id IS NULL) <> (address_sealed IS NULL)", name="one_reader"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(80))
    kind: Mapped[MessageKind] = mapped_column(EnumText(MessageKind, 20))
    group_id: Mapped[int | None] = mapped_column(ForeignKey("groups.id", ondelete="CASCADE"), index=True)
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contacts.id", ondelete="CASCADE"))
    row_token: Mapped[bytes | None]
    # Of somebody without a contact: a code, an invitation.
    address_sealed: Mapped[SealedValue | None] = mapped_column(SealedBytes(MESSAGE_ADDRESS))
    audience: Mapped[Audience] = mapped_column(EnumText(Audience, 10))
    channel: Mapped[str] = mapped_column(String(10))
    body_sealed: Mapped[SealedValue | None] = mapped_column(SealedBytes(MESSAGE_BODY))
    body_fingerprint: Mapped[bytes | None]  # a keyed fingerprint of its text, to notice repeated messages
    segments: Mapped[int]
    reply_code: Mapped[int | None] = mapped_column(SmallInteger)  # the digit that answers "done" to this text
    state: Mapped[MessageState] = mapped_column(EnumText(MessageState, 12))
    reason: Mapped[str | None] = mapped_column(String(40))
    urgency: Mapped[int] = mapped_column(SmallInteger, server_default="2")
    fairness_rank: Mapped[int] = mapped_column(
        Integer, server_default="0"
    )  # its position in its group: every group's first message goes first
    # When it was to be sent, which never changes; None for one that the version before has made. What is tried again,
    # or waits, is scheduled later.
    due_at: Mapped[datetime | None]
    scheduled_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    # Queued: until when a worker has leased it. Handed over or unknown: when the provider is asked about it.
    lease_until: Mapped[datetime | None]
    attempts: Mapped[int]  # hand-overs
    not_found_count: Mapped[int]  # how often the provider answered that it has no such message
    possibly_double: Mapped[bool]
    provider_id: Mapped[str | None] = mapped_column(String(80))
    # Found in the provider's list by address, words and time: a receipt that names another message takes it away.
    is_matched: Mapped[bool] = mapped_column(server_default=false())
    handed_at: Mapped[datetime | None]
    first_handed_at: Mapped[datetime | None]  # of an e-mail: the date that it carries, the same at each attempt
    ended_at: Mapped[datetime | None]
    followed_up_at: Mapped[datetime | None]  # when a human was notified of the failure
    # When it was no longer counted on: nobody could say by then whether it has arrived. Its state stays what is known.
    doubted_at: Mapped[datetime | None]
    # Of a call, as our own webhook was told when its words were fetched: who answered; and after so many seconds at
    # the earliest a human has heard the date. None: they were never fetched, or the date is not in them.
    answered_by: Mapped[str | None] = mapped_column(String(20))
    date_after: Mapped[int | None] = mapped_column(SmallInteger)
    created_at: Mapped[datetime]


class MessageReminder(Base):
    """A reminder that a message contains: one text may be about several cards."""

    __tablename__ = "message_reminders"
    message_id: Mapped[int] = mapped_column(ForeignKey("messages.id", ondelete="CASCADE"), primary_key=True)
    reminder_id: Mapped[int] = mapped_column(
        ForeignKey("reminders.id", ondelete="CASCADE"), primary_key=True, index=True
    )


IS_OPEN_PROMISE = text("promises.state = 'open'")
IS_LEFT_TO_OPERATOR = text("promises.state = 'operator' AND promises.taken_at IS NULL")
IS_UNSETTLED = text("NOT daily_balances.is_final")
IS_UNANSWERED_END = text("counted_ends.outcome = 'unknown'")


class Promise(Base):
    """A delivery promise: one human is told of one step by the end of one day.

    `addressee`: the human, as model/promise_states.py names them. `channel`: by which they were to be told first; None
    where the version before has made it. `check_at`: when an open one is looked at next.
    `reason`: why its addressee was not told, as a provider or this program says. `is_ours`: for a fault of the service.
    `taken_at`: when the operator said that they have seen to it.
    """

    __tablename__ = "promises"
    __table_args__ = (
        UniqueConstraint("reminder_id", "addressee", "day"),
        Index("ix_promises_day", "day"),
        _partial_index("ix_promises_open", "check_at", where=IS_OPEN_PROMISE),
        _partial_index("ix_promises_left_to_operator", "closed_at", where=IS_LEFT_TO_OPERATOR),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    reminder_id: Mapped[int] = mapped_column(ForeignKey("reminders.id", ondelete="CASCADE"))
    addressee: Mapped[str] = mapped_column(String(30))
    audience: Mapped[Audience] = mapped_column(EnumText(Audience, 10))
    channel: Mapped[str | None] = mapped_column(String(10))
    day: Mapped[date]
    state: Mapped[PromiseState] = mapped_column(EnumText(PromiseState, 12))
    reason: Mapped[str | None] = mapped_column(String(40))
    is_ours: Mapped[bool] = mapped_column(server_default=false())
    due_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    check_at: Mapped[datetime]
    asked_at: Mapped[datetime | None]  # when the provider was asked whether it arrived
    closed_at: Mapped[datetime | None]
    taken_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class DailyBalance(Base):
    """What became of the promises of a day in Japan, by the channel by which they were to be kept.

    Rows name nobody. `is_final`: it is not counted again.
    """

    __tablename__ = "daily_balances"
    __table_args__ = (
        CheckConstraint("due = arrived + other_way + to_human + open + not_known", name="adds_up"),
        _partial_index("ix_daily_balances_unsettled", "day", where=IS_UNSETTLED),
    )
    day: Mapped[date] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(String(10), primary_key=True)
    people: Mapped[int] = mapped_column(Integer)
    messages: Mapped[int] = mapped_column(Integer)
    due: Mapped[int] = mapped_column(Integer)
    arrived: Mapped[int] = mapped_column(Integer)
    other_way: Mapped[int] = mapped_column(Integer)
    to_human: Mapped[int] = mapped_column(Integer)
    open: Mapped[int] = mapped_column(Integer)
    not_known: Mapped[int] = mapped_column(Integer)
    is_final: Mapped[bool]
    counted_at: Mapped[datetime]


class CountedEnd(Base):
    """What became of one end of a card, once it has passed, and what was told last before somebody acted.

    What it is counted under stays as it was when it was counted first; `outcome`, `reason` and the step change when
    somebody acts later. `valid_until`, `grace_ends_on`: as far as it counts as renewed in time, and in the grace.
    """

    __tablename__ = "counted_ends"
    __table_args__ = (
        UniqueConstraint("card_id", "expires_on"),
        Index("ix_counted_ends_group_id_expires_on", "group_id", "expires_on"),
        _partial_index("ix_counted_ends_unknown", "expires_on", where=IS_UNANSWERED_END),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    card_id: Mapped[int] = mapped_column(ForeignKey("cards.id", ondelete="CASCADE"))
    group_id: Mapped[int] = mapped_column(ForeignKey("groups.id", ondelete="CASCADE"))
    expires_on: Mapped[date]
    valid_until: Mapped[date]
    grace_ends_on: Mapped[date | None]
    kind: Mapped[str] = mapped_column(String(40))
    group_kind: Mapped[GroupKind] = mapped_column(EnumText(GroupKind, 20))
    mode: Mapped[Mode] = mapped_column(EnumText(Mode, 10))
    step: Mapped[str] = mapped_column(String(20))
    channel: Mapped[str] = mapped_column(String(10))
    outcome: Mapped[EndOutcome] = mapped_column(EnumText(EndOutcome, 10))
    reason: Mapped[EndReason | None] = mapped_column(EnumText(EndReason, 20))
    acted_on: Mapped[date | None]
    counted_at: Mapped[datetime]


class EffectCount(Base):
    """How many ends of one month agree in everything that they are counted under. It names nobody, and outlives cards.

    It changes only in the transaction that changes a `CountedEnd`. `reason`: "" unless the card is needed no more.
    """

    __tablename__ = "effect_counts"
    month: Mapped[date] = mapped_column(primary_key=True)  # its first day
    kind: Mapped[str] = mapped_column(String(40), primary_key=True)
    group_kind: Mapped[GroupKind] = mapped_column(EnumText(GroupKind, 20), primary_key=True)
    mode: Mapped[Mode] = mapped_column(EnumText(Mode, 10), primary_key=True)
    step: Mapped[str] = mapped_column(String(20), primary_key=True)
    channel: Mapped[str] = mapped_column(String(10), primary_key=True)
    outcome: Mapped[EndOutcome] = mapped_column(EnumText(EndOutcome, 10), primary_key=True)
    reason: Mapped[str] = mapped_column(String(20), primary_key=True)
    ends: Mapped[int] = mapped_column(Integer)


class Canary(Base):
    """A message to the operator's own telephone or mailbox, by which a channel is tried from end to end.

    `due_at`: for which instant it was made. `address_index`: a keyed index of the address, to know one from which mail
    has come back. `needs_arrival`: acceptance alone proves nothing. `how`: what has proved it at `returned_at`.
    """

    __tablename__ = "canaries"
    channel: Mapped[str] = mapped_column(String(10), primary_key=True)
    due_at: Mapped[datetime] = mapped_column(primary_key=True)
    address_index: Mapped[bytes]
    message_id: Mapped[int | None] = mapped_column(index=True)  # nobody's row, so that it refers to none
    made_at: Mapped[datetime]
    back_by: Mapped[datetime]
    needs_arrival: Mapped[bool]
    asked_at: Mapped[datetime | None]  # when the provider was asked about it
    returned_at: Mapped[datetime | None]
    how: Mapped[str | None] = mapped_column(String(10))


class Mention(Base):
    """A person, card or contact that a message mentions without one of their reminders.

    It belongs to a notice, or to an escalation. `contact_id`: the contact whose answer it repeats, or that it is about.
    """

    __tablename__ = "mentions"
    id: Mapped[int] = mapped_column(primary_key=True)
    message_id: Mapped[int] = mapped_column(ForeignKey("messages.id", ondelete="CASCADE"), index=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"), index=True)
    card_id: Mapped[int | None] = mapped_column(ForeignKey("cards.id", ondelete="CASCADE"), index=True)
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contacts.id", ondelete="CASCADE"), index=True)


class SentTrace(Base):
    """That a text went to an address today, after its contact was erased. It is deleted after a day.

    Whoever enters the contact again does not make us say the same words twice. `trace_index`: made with the key ring
    from the group, the channel, the address and the words, of which it tells nothing.
    """

    __tablename__ = "sent_traces"
    id: Mapped[int] = mapped_column(primary_key=True)
    trace_index: Mapped[bytes] = mapped_column(index=True)
    channel: Mapped[str] = mapped_column(String(10))
    provider_id: Mapped[str | None] = mapped_column(String(80), index=True)
    is_certain: Mapped[bool]  # the provider has taken it; else it may have
    is_delivered: Mapped[bool]
    handed_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]  # when another message was not sent for it


class Receipt(Base):
    """A provider's report about a message; each is stored once, however often it is repeated."""

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
    seconds: Mapped[int | None]  # how long a call lasted
    message_id: Mapped[int | None]  # as named in the callback's address; the message may be gone
    received_at: Mapped[datetime]
    is_fetched: Mapped[bool] = mapped_column(server_default=false())  # we asked; the provider has not called
    applied_at: Mapped[datetime | None]


class ProviderFetch(Base):
    """How far the list of a channel's provider has been read.

    `fetched_until`: everything that the provider dated before then was read. `wanted_since`: the beginning of a gap in
    which its calls may not have reached us. `since`, `began_at`, `next_page`: of a reading that goes on.
    """

    __tablename__ = "provider_fetches"
    channel: Mapped[str] = mapped_column(String(10), primary_key=True)
    fetched_until: Mapped[datetime | None]
    wanted_since: Mapped[datetime | None]
    since: Mapped[datetime | None]
    began_at: Mapped[datetime | None]
    next_page: Mapped[str | None] = mapped_column(String(400))
    tried_at: Mapped[datetime | None]
    failure: Mapped[str | None] = mapped_column(String(40))  # why the last try was not answered


class InboundTextId(Base):
    """The provider's id of a text that has been heard, so that it is acted on once, whether it was sent or fetched."""

    __tablename__ = "inbound_text_ids"
    id: Mapped[int] = mapped_column(primary_key=True)
    provider_id: Mapped[str] = mapped_column(String(80), unique=True)
    heard_at: Mapped[datetime] = mapped_column(index=True)


class RateLimit(Base):
    """The next instant at which a sender may send: every worker takes its turns from this row."""

    __tablename__ = "rate_limits"
    channel: Mapped[str] = mapped_column(String(10), primary_key=True)
    free_at: Mapped[datetime]


class RequestRate(Base):
    """The requests of one program or network that are accounted for, or a task that one process has claimed.

    `used_until`: milliseconds since 1970; what lies in the past means nothing.
    """

    __tablename__ = "request_rates"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    used_until: Mapped[int]
    asked_at: Mapped[datetime] = mapped_column(index=True)


class DayTotal(Base):
    """The number of messages of a channel on a day in Japan.

    `is_lifted`: the operator has confirmed the day's total.
    """

    __tablename__ = "day_totals"
    channel: Mapped[str] = mapped_column(String(10), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    handed: Mapped[int] = mapped_column(Integer)
    # Of each group no more than sending_limits.MOST_OF_A_GROUP; None: counted by the version before.
    counted: Mapped[int | None] = mapped_column(Integer)
    is_lifted: Mapped[bool] = mapped_column(server_default=false())


class GroupDayTotal(Base):
    """The number of messages of a group by a channel on a day in Japan. `group_id` 0: of no group.

    `is_lifted`: the operator has confirmed the group's day.
    """

    __tablename__ = "group_day_totals"
    group_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    channel: Mapped[str] = mapped_column(String(10), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True, index=True)
    handed: Mapped[int] = mapped_column(Integer)
    is_lifted: Mapped[bool] = mapped_column(server_default=false())


class GroupHold(Base):
    """A group some of whose messages wait because it has reached a limit of its own."""

    __tablename__ = "group_holds"
    __table_args__ = (
        Index(
            "ix_group_holds_untold",
            "since",
            sqlite_where=text("notified_at IS NULL"),
            postgresql_where=text("notified_at IS NULL"),
        ),
    )
    group_id: Mapped[int] = mapped_column(ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True)
    channel: Mapped[str] = mapped_column(String(10), primary_key=True)
    reason: Mapped[str] = mapped_column(String(40), primary_key=True)
    since: Mapped[datetime]
    until: Mapped[datetime]
    notified_at: Mapped[datetime | None]  # when its members were told


class Pause(Base):
    """A channel that waits because the operator's account or sender is at fault."""

    __tablename__ = "pauses"
    channel: Mapped[str] = mapped_column(String(10), primary_key=True)
    reason: Mapped[str] = mapped_column(String(40))
    since: Mapped[datetime]
    until: Mapped[datetime]


class ChannelBreaker(Base):
    """A channel by which nothing has succeeded since its first failure.

    `opened_at`: since when only probes leave by it; None before. `first_address_index`: of the address of the first
    failed message, by which a second address is told from the same one again.
    """

    __tablename__ = "channel_breakers"
    channel: Mapped[str] = mapped_column(String(10), primary_key=True)
    reason: Mapped[str] = mapped_column(String(40))
    failing_since: Mapped[datetime]
    last_failed_at: Mapped[datetime]
    failures: Mapped[int]
    certainty: Mapped[int] = mapped_column(SmallInteger)
    first_address_index: Mapped[bytes]
    opened_at: Mapped[datetime | None]
    probe_at: Mapped[datetime | None]
    failed_probes: Mapped[int]


class Heartbeat(Base):
    """The last time of something that must run regularly."""

    __tablename__ = "heartbeats"
    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    at: Mapped[datetime]


class Counter(Base):
    """The number of events of one kind since the service began to count, for monitoring."""

    __tablename__ = "counters"
    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    value: Mapped[int]


class ServiceState(Base):
    """A opened_before fact of the service, such as the number from which its texts come."""

    __tablename__ = "service_state"
    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    value: Mapped[str] = mapped_column(String(80))


HAS_BODY = text("replies.body_sealed IS NOT NULL")


class Reply(Base):
    """A person's reply. Text that looked like a number was never stored: then `body_sealed` is None."""

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
    row_token: Mapped[bytes | None]
    body_sealed: Mapped[SealedValue | None] = mapped_column(SealedBytes(REPLY_BODY))
    received_at: Mapped[datetime]
    handled_at: Mapped[datetime | None]


class UnclearReply(Base):
    """A text from a shared telephone of which nobody knows yet whom it is about.

    It is nobody's reply: no group sees it. The sender is asked (`asked_at`), and at `expires_at` those around the
    persons are. Text that looked like a number was never stored, and none is kept once it is settled.
    """

    __tablename__ = "unclear_replies"
    __table_args__ = (
        Index(
            "ix_unclear_replies_waiting",
            "expires_at",
            sqlite_where=text("settled_at IS NULL"),
            postgresql_where=text("settled_at IS NULL"),
        ),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    provider_id: Mapped[str] = mapped_column(String(80), unique=True)
    intent: Mapped[Intent] = mapped_column(EnumText(Intent, 20))
    row_token: Mapped[bytes | None]
    body_sealed: Mapped[SealedValue | None] = mapped_column(SealedBytes(UNCLEAR_BODY))
    received_at: Mapped[datetime] = mapped_column(index=True)
    expires_at: Mapped[datetime]  # when a worker looks at it next
    asked_at: Mapped[datetime | None]  # when the sender was offered a choice
    settled_at: Mapped[datetime | None]  # when it was filed, or others were asked about it


class ReplyChoice(Base):
    """A contact that an unclear reply may be about; `digit` names it in the text that asks."""

    __tablename__ = "reply_choices"
    reply_id: Mapped[int] = mapped_column(ForeignKey("unclear_replies.id", ondelete="CASCADE"), primary_key=True)
    digit: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    contact_id: Mapped[int] = mapped_column(ForeignKey("contacts.id", ondelete="CASCADE"), index=True)


class SetAsideRow(Base):
    """A row of a queue that could not be worked on. It is out of the queue, so that it delays no other."""

    __tablename__ = "set_aside_rows"
    queue: Mapped[str] = mapped_column(String(20), primary_key=True)
    row_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(index=True)


class Notice(Base):
    """An event that a human around a person must be notified of; planning makes its messages."""

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


IS_UNCHAINED = text("activity_log.position IS NULL")


class ActivityEntry(Base):
    """An act, by ids only; rows are added and never changed.

    The last three columns are empty until the auditor has chained the row (storage/maintenance/activity_chain.py).
    """

    __tablename__ = "activity_log"
    __table_args__ = (
        _partial_index("ix_activity_log_unchained", "id", where=IS_UNCHAINED),
        Index("ix_activity_log_position", "position"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    act: Mapped[str] = mapped_column(String(40))
    group_id: Mapped[int | None] = mapped_column(index=True)
    member_id: Mapped[int | None]
    person_id: Mapped[int | None] = mapped_column(index=True)
    contact_id: Mapped[int | None]
    card_id: Mapped[int | None]
    message_id: Mapped[int | None]
    position: Mapped[int | None]  # its place in the chain, from 1 on
    content_hash: Mapped[bytes | None]  # a keyed hash of the columns above
    chain_hash: Mapped[bytes | None]  # a keyed hash of the position, the content and the chain up to here


class KnownKey(Base):
    """A key that has sealed something in this database, by its name; the key itself is not here.

    `abandoned_at`: the operator has said that it is lost, so that it is not asked for any more.
    """

    __tablename__ = "known_keys"
    name: Mapped[str] = mapped_column(String(8), primary_key=True)
    seen_at: Mapped[datetime]
    abandoned_at: Mapped[datetime | None]


class InstallationSecret(Base):
    """A secret that was made once and belongs to this installation, whatever becomes of its keys and its machine.

    `older_until`: the newest row that was there when it was made; None where there was none.
    """

    __tablename__ = "installation_secrets"
    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    row_token: Mapped[bytes | None]
    value_sealed: Mapped[SealedValue] = mapped_column(SealedBytes(INSTALLATION_SECRET))
    older_until: Mapped[datetime | None]
    created_at: Mapped[datetime]


class LoginCode(Base):
    """A request for a login code.

    `is_mailed`: it has a code and an e-mail of its own; without them, the codes of the latest e-mail to its address
    count. `is_known`: its browser had been signed in to the account before. `session_id`: the session that asks for a
    confirmation, and not for a sign-in.
    """

    __tablename__ = "login_codes"
    id: Mapped[int] = mapped_column(primary_key=True)
    row_token: Mapped[bytes | None]
    address_sealed: Mapped[SealedValue] = mapped_column(SealedBytes(LOGIN_ADDRESS))
    address_index: Mapped[bytes] = mapped_column(index=True)
    mailbox_index: Mapped[bytes | None] = mapped_column(index=True)  # all spellings that reach one mailbox
    network_index: Mapped[bytes] = mapped_column(index=True)
    browser_hash: Mapped[bytes] = mapped_column(index=True)
    code_hash: Mapped[bytes]
    long_code_hash: Mapped[bytes | None]
    tries: Mapped[int]
    is_mailed: Mapped[bool] = mapped_column(server_default=true())
    is_known: Mapped[bool] = mapped_column(server_default=false())
    session_id: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(index=True)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class SetupCode(Base):
    """A one-time code, shown in the operator's terminal, with which the first owner of an installation signs in."""

    __tablename__ = "setup_codes"
    id: Mapped[int] = mapped_column(primary_key=True)
    code_hash: Mapped[bytes]
    tries: Mapped[int] = mapped_column(SmallInteger)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]  # when it was last typed correctly; the sign-in that it began may end after it
    used_at: Mapped[datetime | None]


class Session(Base):
    """A browser in which somebody is signed in. `member_id`: the member it acts as, where they are in a group.

    `token_proof`: made with the key ring; a row without it signs nobody in. `proved_at`: when its owner last entered a
    code or used a passkey. `browser_hash`: of the cookie that tells this browser from one never signed in before.
    `held_sealed`: the form that waits for a fresh proof, since `held_at`.
    """

    __tablename__ = "sessions"
    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    member_id: Mapped[int | None] = mapped_column(ForeignKey("members.id", ondelete="SET NULL"), index=True)
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    token_proof: Mapped[bytes | None]
    browser_hash: Mapped[bytes | None]
    device: Mapped[str] = mapped_column(String(40))
    created_at: Mapped[datetime]
    proved_at: Mapped[datetime | None]
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    row_token: Mapped[bytes | None]  # only of one that has held something
    held_sealed: Mapped[SealedValue | None] = mapped_column(SealedBytes(SESSION_FORM))
    held_at: Mapped[datetime | None]


class Passkey(Base):
    """A passkey of an account. `proof`: made with the key ring; a row without it signs nobody in."""

    __tablename__ = "passkeys"
    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    credential_id: Mapped[bytes] = mapped_column(unique=True)
    public_key: Mapped[bytes]
    proof: Mapped[bytes | None]
    sign_count: Mapped[int]
    device: Mapped[str] = mapped_column(String(40))
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class Challenge(Base):
    """A challenge that a passkey has signed. `account_id`: the account, where it was signed in already."""

    __tablename__ = "challenges"
    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    challenge: Mapped[bytes] = mapped_column(unique=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class Invitation(Base):
    """An invitation of an e-mail address to a group.

    `proof`: made with the key ring; a row without it invites nobody.
    """

    __tablename__ = "invitations"
    id: Mapped[int] = mapped_column(primary_key=True)
    group_id: Mapped[int] = mapped_column(ForeignKey("groups.id", ondelete="CASCADE"), index=True)
    row_token: Mapped[bytes | None]
    address_sealed: Mapped[SealedValue] = mapped_column(SealedBytes(INVITED_ADDRESS))
    address_index: Mapped[bytes] = mapped_column(index=True)
    role: Mapped[Role] = mapped_column(EnumText(Role, 10))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]  # accepted, refused or withdrawn
    proof: Mapped[bytes | None]


class ApiToken(Base):
    """A token with which a program of a group authenticates."""

    __tablename__ = "api_tokens"
    id: Mapped[int] = mapped_column(primary_key=True)
    group_id: Mapped[int] = mapped_column(ForeignKey("groups.id", ondelete="CASCADE"), index=True)
    made_by: Mapped[int] = mapped_column(ForeignKey("members.id", ondelete="CASCADE"), index=True)
    row_token: Mapped[bytes | None]
    name: Mapped[Unread] = mapped_column(
        "name_sealed", SealedText(Place("api_tokens.name_sealed"), "name", field="token_name"), nullable=True
    )
    name_plain: Mapped[str] = mapped_column("name", GuardedText(30, field="token_name"), default="")
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    token_proof: Mapped[bytes | None]
    scopes: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class IdempotencyKey(Base):
    """A stored response to a program, which is returned when the same request is sent again."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (UniqueConstraint("token_id", "key_hash"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    token_id: Mapped[int] = mapped_column(ForeignKey("api_tokens.id", ondelete="CASCADE"))
    key_hash: Mapped[bytes]
    request_hash: Mapped[bytes]
    status: Mapped[int | None]  # None while it is being answered
    row_token: Mapped[bytes | None]
    body_sealed: Mapped[SealedValue | None] = mapped_column(SealedBytes(ANSWER_BODY))
    created_at: Mapped[datetime] = mapped_column(index=True)


class CalendarFeed(Base):
    """A calendar that a member's programs read at a secret address."""

    __tablename__ = "calendar_feeds"
    id: Mapped[int] = mapped_column(primary_key=True)
    member_id: Mapped[int] = mapped_column(ForeignKey("members.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    token_proof: Mapped[bytes | None]
    is_private: Mapped[bool]  # entries say only that something ends
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class Import(Base):
    """A home's sheet on its way in: its rows are stored here, sealed, until they are saved or cancelled."""

    __tablename__ = "imports"
    __table_args__ = (_partial_index("ix_imports_in_work", "id", where=text("state IN ('checking', 'saving')")),)
    id: Mapped[int] = mapped_column(primary_key=True)
    group_id: Mapped[int] = mapped_column(ForeignKey("groups.id", ondelete="CASCADE"), index=True)
    member_id: Mapped[int | None] = mapped_column(ForeignKey("members.id", ondelete="SET NULL"), index=True)
    state: Mapped[ImportState] = mapped_column(EnumText(ImportState, 10))
    row_token: Mapped[bytes | None]
    # Of each: place, letter, heading, use, field, is_hidden.
    columns: Mapped[Unread] = mapped_column(
        "columns_sealed", SealedJson(Place("imports.columns_sealed"), "columns"), nullable=True
    )
    columns_plain: Mapped[list[Any]] = mapped_column("columns", default=list)
    mapping: Mapped[dict[str, Any]]  # by place of a column, the field that it holds
    counts: Mapped[dict[str, Any]]  # rows by status and by effect; what is 0 is left out
    rows: Mapped[int] = mapped_column(Integer)
    last_row: Mapped[int] = mapped_column(Integer)  # the number of the last row that was checked, or saved
    done: Mapped[int] = mapped_column(Integer)  # how many rows that are
    confirms_all: Mapped[bool] = mapped_column(
        server_default=false()
    )  # every row that needs a confirmation is confirmed
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]


class ImportRow(Base):
    """One row of a sheet: its cells without refused values, and the findings about them."""

    __tablename__ = "import_rows"
    __table_args__ = (Index("ix_import_rows_import_id_row_fingerprint", "import_id", "row_fingerprint"),)
    import_id: Mapped[int] = mapped_column(ForeignKey("imports.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    row_token: Mapped[bytes | None]
    cells_sealed: Mapped[SealedValue | None] = mapped_column(SealedBytes(IMPORT_CELLS))
    row_fingerprint: Mapped[bytes | None]  # a keyed index of the person, to find a second row of the same person
    reader_findings: Mapped[list[Any]]  # findings of the reader: a number, a formula, a hidden row
    status: Mapped[RowStatus] = mapped_column(EnumText(RowStatus, 10), server_default=RowStatus.UNCHECKED)
    # Of each: code, level, place of the cell, details, which may be words of the group.
    findings: Mapped[Unread] = mapped_column(
        "findings_sealed", SealedJson(Place("import_rows.findings_sealed"), "findings"), nullable=True
    )
    findings_plain: Mapped[list[Any]] = mapped_column("findings")
    effect: Mapped[RowEffect] = mapped_column(EnumText(RowEffect, 10), server_default=RowEffect.NONE)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("people.id", ondelete="SET NULL"), index=True)
    is_confirmed: Mapped[bool] = mapped_column(server_default=false())
    answer: Mapped[str | None] = mapped_column(String(8))  # what somebody has answered to its questions


class SheetPerson(Base):
    """What the home's sheet said of a person when it was last saved, as keyed fingerprints.

    By it the next sheet shows what has changed in the sheet, and what has changed here.
    """

    __tablename__ = "sheet_people"
    __table_args__ = (Index("ix_sheet_people_group_id_identity_fingerprint", "group_id", "identity_fingerprint"),)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"), primary_key=True)
    group_id: Mapped[int] = mapped_column(ForeignKey("groups.id", ondelete="CASCADE"))
    identity_fingerprint: Mapped[bytes]  # of the name and the room, or the reference, as the sheet had them
    cells_fingerprint: Mapped[dict[str, Any]]  # fingerprints by field
    saved_at: Mapped[datetime]


class SheetAnswerGiven(Base):
    """An answer to a question about a row of a sheet, or about a person whom no row names, for the next sheet."""

    __tablename__ = "sheet_answers"
    __table_args__ = (UniqueConstraint("group_id", "question_fingerprint"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    group_id: Mapped[int] = mapped_column(ForeignKey("groups.id", ondelete="CASCADE"))
    person_id: Mapped[int | None] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"), index=True)
    question_fingerprint: Mapped[bytes]  # a keyed index of the row and of what it asks
    answer: Mapped[SheetAnswer] = mapped_column(EnumText(SheetAnswer, 10))
    answered_at: Mapped[datetime]


for _table in Base.metadata.tables.values():
    # An id is never given twice; storage/db/sqlite_ids.py does it for tables that migrations made.
    if [_column.name for _column in _table.primary_key] == ["id"]:
        _table.dialect_options["sqlite"]["autoincrement"] = True
    for _column in _table.columns:
        if isinstance(_column.type, EnumText):
            _table.append_constraint(CheckConstraint(_column.type.checks(_column.name), name=_column.name))

# For statements that run once for each of many rows, without the session's objects.
CARDS, MESSAGES = cast(Table, Card.__table__), cast(Table, Message.__table__)
PEOPLE, CONTACTS, ACTIVITY_LOG = (cast(Table, table.__table__) for table in (Person, Contact, ActivityEntry))
SHEET_PEOPLE = cast(Table, SheetPerson.__table__)
COUNTED_ENDS = cast(Table, CountedEnd.__table__)
IMPORT_ROWS, CONSENT_RECORDS = (cast(Table, table.__table__) for table in (ImportRow, ConsentEntry))
