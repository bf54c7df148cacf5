"""Whom a run tells: invented families whose certificates end in two weeks, so that each person is due one text today."""

from collections.abc import Mapping, Sequence
from datetime import date

from sqlalchemy import LargeBinary, Table, select, type_coerce, update
from sqlalchemy.orm import Session

from reminder.domain.model.people import ChannelName, ConsentHow, GroupKind, Language, Role
from reminder.enrolment import register
from reminder.enrolment.cards import TypedDates, add_card
from reminder.storage.auth.proofs import MEMBER, prove
from reminder.storage.crypto.keyring import KeyRing
from reminder.storage.db.columns import SealedBytes, SealedWords
from reminder.storage.db.statements import add_many
from reminder.storage.db.tables import Base
from reminder.storage.registry.contacts import ADDRESS
from reminder.wiring import App
from tests.village import USER_CERTIFICATE, japan

MORNING = japan("2027-03-17 08:59")  # a Wednesday
END = date(2027, 3, 31)
# What did not reach somebody is told on the days after, until the next step is due.
LAST_MOMENT = japan("2027-03-23 18:00")
IN_A_FAMILY = 4
FAMILIES_AT_ONCE = 500
# 10,000 numbers of each are nobody's.
PREFIXES = ("90", "80", "70")
MOST = 10_000 * len(PREFIXES)

Row = dict[str, object]
SEALED = (SealedBytes, SealedWords)


def enrol(app: App, count: int, *, sharing: bool = False) -> int:
    """At least so many persons, in whole families; how many. The first family takes the steps that a page takes; the
    others are its copies, for to enrol each would take longer than all that follows. `sharing`: two and two have one
    telephone, to which equal texts go."""
    families = -(-count // IN_A_FAMILY)
    assert families * IN_A_FAMILY <= MOST
    _enrol_family(app, sharing)
    for first in range(1, families, FAMILIES_AT_ONCE):
        with app.database.writing() as tx:
            _copy(tx, app.keys, range(first, min(first + FAMILIES_AT_ONCE, families)), sharing)
    return families * IN_A_FAMILY


def phone_of(place: int, sharing: bool) -> str:
    """The telephone of the person at this place."""
    return phone(place - place % 2 if sharing else place)


def _enrol_family(app: App, sharing: bool) -> None:
    now = japan("2027-03-17 08:00")
    with app.units.writing(now) as uow:
        group = register.add_group(uow, name="田中家", kind=GroupKind.HOUSEHOLD)
    whose = {"group_id": group, "role": Role.OWNER, "language": Language.JAPANESE}
    with app.units.writing(now) as uow:
        register.add_member(uow, email=mail(0), **whose)
    for place in range(IN_A_FAMILY):
        with app.units.writing(now) as uow:
            person = register.add_person(uow, group_id=group, label="母")
        agreed = {"consent_how": ConsentHow.SPOKEN, "consent_by": "長女"}
        sms = {"channel": ChannelName.SMS, "address": phone_of(place, sharing)}
        with app.units.writing(now) as uow:
            register.add_contact(uow, person_id=person, **sms, **agreed)
        typed = TypedDates(END.isoformat())
        with app.units.writing(now) as uow:
            add_card(uow, person_id=person, kind=USER_CERTIFICATE, typed=typed)


def _copy(tx: Session, keys: KeyRing, families: Sequence[int], sharing: bool) -> None:
    group, member, people, card = (_rows(tx, name) for name in ("groups", "members", "people", "cards"))
    by_mail, *phones = _rows(tx, "contacts")
    groups = _add(tx, "groups", [group[0] for _ in families])
    members = _add(tx, "members", [member[0] | {"group_id": one} for one in groups])
    for one, of_group in zip(members, groups, strict=True):
        # A copied proof is none: without its own nobody could sign in as this member.
        proof = prove(keys, MEMBER, one, of_group, None, Role.OWNER)
        tx.execute(update(_table("members")).where(_table("members").c.id == one).values(proof=proof))
    persons = _add(tx, "people", [person | {"group_id": one} for one in groups for person in people])
    mails = [_at(keys, mail(n), by_mail) | {"member_id": one} for n, one in zip(families, members, strict=True)]
    _add(tx, "contacts", [by_mail | changes for changes in mails])
    places = [family * IN_A_FAMILY + place for family in families for place in range(IN_A_FAMILY)]
    numbers = [
        _at(keys, phone_of(n, sharing), phones[0]) | {"person_id": one} for n, one in zip(places, persons, strict=True)
    ]
    _add(tx, "contacts", [phones[0] | changes for changes in numbers])
    _add(tx, "cards", [card[0] | {"person_id": one} for one in persons])


def _rows(tx: Session, table: str) -> list[Row]:
    """The first family's as they are stored, without their ids: a copy has the token of its row, too, and its seals."""
    of = _table(table)
    stored = [
        type_coerce(column, LargeBinary).label(column.name) if isinstance(column.type, SEALED) else column
        for column in of.c
    ]
    found = tx.execute(select(*stored).order_by(of.c.id).limit(IN_A_FAMILY + 1)).mappings()
    rows = [{name: value for name, value in row.items() if name != "id"} for row in found]
    return rows if table == "contacts" else rows[:IN_A_FAMILY]


def _add(tx: Session, table: str, rows: Sequence[Mapping[str, object]]) -> list[int]:
    return add_many(tx, _table(table), rows)


def _table(name: str) -> Table:
    return Base.metadata.tables[name]


def _at(keys: KeyRing, address: str, like: Mapping[str, object]) -> Row:
    token = like["row_token"]
    assert isinstance(token, bytes)
    return {
        "address_sealed": keys.seal(address, ADDRESS, token),
        "address_index": keys.blind_index(address),
        "consent_index": keys.consent_index(address),
    }


def mail(family: int) -> str:
    return f"kazoku{family}@example.jp"


def phone(place: int) -> str:
    return f"+81{PREFIXES[place // 10_000]}0000{place % 10_000:04}"
