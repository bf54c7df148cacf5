"""What is sealed in a row opens in no other row and in no other column, and rows of before are sealed as new ones."""

import itertools
from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import LargeBinary, select, type_coerce, update

from reminder.domain.model.imports import Finding, ImportColumn, Level, RowEffect, RowStatus
from reminder.domain.model.own_kinds import OwnKindFacts
from reminder.domain.model.people import Mode, Role
from reminder.domain.parsing.replies import Intent
from reminder.errors import ForbiddenNumberError, SettingsError
from reminder.storage.auth import accounts, api_tokens, idempotency, login_codes, sessions
from reminder.storage.auth.idempotency import IdempotentRequest
from reminder.storage.crypto.keyring import ROW_TOKEN_BYTES, KeyRing, SealedValue, new_key, new_row_token, read_keys
from reminder.storage.db import columns, sealing
from reminder.storage.db.columns import (
    ROW_TOKEN,
    GuardedText,
    SealedBytes,
    SealedJson,
    SealedPersonWords,
    SealedText,
    SealedWords,
    StoredWords,
)
from reminder.storage.db.session import Database
from reminder.storage.db.tables import (
    CARDS,
    PEOPLE,
    Base,
    Card,
    Contact,
    Group,
    Member,
    Message,
    Person,
)
from reminder.storage.maintenance import export, installation, key_rotation, settlement
from reminder.storage.maintenance.export import ExportScope
from reminder.storage.maintenance.key_rotation import SEALED
from reminder.storage.registry import (
    cards,
    contacts,
    free_words,
    group_standing,
    groups,
    imports,
    name_index,
    own_kinds,
    people,
)
from reminder.storage.registry.imports import CheckedRow, NewRow
from reminder.storage.reminders import replies, unclear_replies
from tests.storage.conftest import DAY, NOW, Rows
from tests.storage.unsealed import unseal

# Every free word that `filled` writes.
WORDS = (
    "すずらん荘", "ひまわり会", "しめいらん", "しらせ", "ナデシコ", "カワセミ", "K-77", "松の間", "三階", "つばめ", "港区役所", "三女", "バスの券",
    "台帳の写し", "おなまえ", "ツワブキ", "ねこがいます", "敬老のしるし",
)  # fmt: skip


def filled(rows: Rows) -> None:
    """Write two rows of everything that is sealed, with every word."""
    tx, keys = rows.tx, rows.keys
    for number in (1, 2):
        group = rows.group("すずらん荘")
        groups.set_organisation(tx, group, "ひまわり会")
        groups.save_column_headings(tx, group, {"しめいらん": "label"})
        group_standing.suspend(tx, group, "しらせ", NOW)
        member = rows.member(group, email=f"musume{number}@example.jp")
        groups.name_member(tx, member, "ナデシコ")
        account = rows.account(f"tsuma{number}@example.jp")
        session = sessions.add(
            tx, keys, account_id=account, member_id=None, token_hash=bytes([number]), device="", now=NOW,
            expires_at=NOW + DAY,
        )  # fmt: skip
        sessions.hold(tx, keys, session, "ねこがいます", NOW)
        person = rows.person(
            group, "カワセミ", reference="K-77", room="松の間", unit="三階", mark="つばめ", office="港区役所"
        )
        contact = rows.contact(person_id=person, address=f"+819012123{number}")
        contacts_by(rows, contact, "三女")
        rows.card(person, "other", label="バスの券")
        own_kinds.add(tx, group_id=group, name="敬老のしるし", facts=OwnKindFacts(), now=NOW)
        rows.message(contact, group_id=group)
        rows.message(None, address=f"dare{number}@example.jp")
        replies.keep(
            tx, keys, contact_id=contact, provider_id=f"a{number}", intent=Intent.UNKNOWN, text="ねこがいます", now=NOW
        )
        unclear_replies.keep(
            tx, keys, provider_id=f"b{number}", intent=Intent.UNKNOWN, text="ねこがいます", choices={1: contact},
            now=NOW, expires_at=NOW + DAY,
        )  # fmt: skip
        installation.secret(tx, keys, f"secret {number}", NOW)
        login_codes.add(
            tx, keys, address=f"tsuma{number}@example.jp", network="n", browser_hash=b"b", now=NOW, expires_at=NOW + DAY
        )
        accounts.invite(
            tx, keys, group_id=group, address=f"ane{number}@example.jp", role=Role.VIEWER, now=NOW, expires_at=NOW + DAY
        )
        token = api_tokens.add(
            tx, keys, group_id=group, made_by=member, name="台帳の写し", token_hash=bytes([number]), scopes=(), now=NOW
        )
        asked = IdempotentRequest(token, [b"k"], [b"r"])
        idempotency.begin(tx, asked, NOW)
        assert idempotency.keep(tx, keys, asked, NOW, status=200, body="ツワブキ")
        sheet = imports.add(tx, group_id=group, member_id=member, columns=[COLUMN], now=NOW)
        imports.add_rows(tx, keys, sheet, [NewRow(1, {0: "ツワブキ"}, [])])
        found = [Finding("maybe_renamed", Level.CONFIRM, None, {"label": "カワセミ"})]
        checked = CheckedRow(1, RowStatus.WARNED, found, RowEffect.CHANGED, person, b"f")
        imports.set_checked(tx, sheet, [checked])


COLUMN = ImportColumn(0, "A", "おなまえ", imports.ColumnUse.MAPPED, "label", is_hidden=False)


def contacts_by(rows: Rows, contact: int, by: str) -> None:
    contacts.record_announced_by(rows.tx, contact, by)


def stored(tx: Any, table: Any, column: str) -> list[tuple[Any, bytes, bytes]]:
    """Of each row with a value: its key, its token, and the value as it is stored."""
    value = type_coerce(table.c[column], LargeBinary)
    query = select(*table.primary_key, table.c[ROW_TOKEN], value).where(value.is_not(None)).order_by(*table.primary_key)
    return [(tuple(row[:-2]), row[-2], row[-1]) for row in tx.execute(query)]


def everything(tx: Any, keys: KeyRing) -> Mapping[str, list[object]]:
    """What can be read of every sealed column."""
    found: dict[str, list[object]] = {}
    for seals in sealing.row_seals():
        for column in (*seals.sealed, *seals.words):
            mapped = next(one for one in _class_of(seals.table).column_attrs if one.columns[0] is column)
            attribute = getattr(_class_of(seals.table).class_, mapped.key)
            values = tx.scalars(select(attribute).order_by(*seals.key)).all()
            read = sealing.reader(keys, attribute) if column in seals.words else keys.open
            found[f"{seals.table.name}.{column.name}"] = [None if one is None else read(one) for one in values]
    return found


def _class_of(table: Any) -> Any:
    return next(one for one in Base.registry.mappers if one.local_table is table)


def test_every_sealed_column_has_its_type_its_own_place_and_a_token_of_its_row() -> None:
    places = []
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            assert isinstance(column.type, SealedBytes | SealedWords) is column.name.endswith("_sealed"), column
            if isinstance(column.type, SealedBytes | SealedWords):
                assert column.type.place.column == f"{table.name}.{column.name}"
                assert ROW_TOKEN in table.c
                places.append(column.type.place)
    befores = {one.before for one in places}
    assert len({one.column for one in places}) == len(places) == len(SEALED)
    assert befores.isdisjoint(one.column for one in places), "no purpose of before is the name of a column"


def test_every_column_of_typed_words_stands_empty_beside_a_sealed_one() -> None:
    sealed_now = {seals.table.c[name] for seals in sealing.row_seals() for name in (one.name for one in seals.plain)}

    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            if isinstance(column.type, GuardedText):
                assert column in sealed_now, "words that people type are sealed"


def test_every_column_is_filled_here_in_two_rows_each_with_a_token_of_its_own(rows: Rows) -> None:
    filled(rows)

    tokens = []
    for sealed in SEALED:
        found = stored(rows.tx, sealed.table, sealed.column)
        assert len(found) >= 2, sealed.name
        assert len({token for _, token, _ in found}) == len(found), sealed.name
        tokens += [(sealed.table.name, key, token) for key, token, _ in found]
    assert {len(token) for _, _, token in tokens} == {ROW_TOKEN_BYTES}
    assert len({token for _, _, token in tokens}) == len({(table, key) for table, key, _ in tokens})


def test_a_value_that_was_moved_to_another_row_opens_in_neither(rows: Rows) -> None:
    filled(rows)

    for sealed in SEALED:
        (one, _, first), (other, _, second), *_ = stored(rows.tx, sealed.table, sealed.column)
        before = everything(rows.tx, rows.keys)[sealed.name]
        put(rows, sealed.table, sealed.column, {one: second, other: first})
        read = rows.tx.execute(sealed.rows().order_by(*sealed.key)).all()[:2]
        for row in read:
            with pytest.raises(SettingsError):
                rows.keys.open(row[len(sealed.key)])
        put(rows, sealed.table, sealed.column, {one: first, other: second})
        assert everything(rows.tx, rows.keys)[sealed.name] == before


def test_a_value_that_was_moved_to_another_column_opens_nowhere(rows: Rows) -> None:
    filled(rows)

    kept = {}
    for sealed in SEALED:
        _, token, content = stored(rows.tx, sealed.table, sealed.column)[0]
        kept[sealed.purpose] = (token, content)
    for (place, (token, content)), (elsewhere, (other, _)) in itertools.permutations(kept.items(), 2):
        assert rows.keys.open(SealedValue(place, token, content))
        for with_token in (token, other, None):
            with pytest.raises(SettingsError):
                rows.keys.open(SealedValue(elsewhere, with_token, content))


def put(rows: Rows, table: Any, column: str, values: Mapping[Any, bytes]) -> None:
    for key, value in values.items():
        same = [one == part for one, part in zip(table.primary_key, key, strict=True)]
        rows.tx.execute(update(table).where(*same).values({column: value}))


def test_what_is_read_of_people_who_were_swapped_is_refused_and_not_shown_as_somebody_else(rows: Rows) -> None:
    filled(rows)
    (one, _, first), (other, _, second) = stored(rows.tx, PEOPLE, "words_sealed")
    assert people.find(rows.tx, one[0]) is not None

    put(rows, PEOPLE, "words_sealed", {one: second, other: first})

    for act in (
        lambda: people.find(rows.tx, one[0]),
        lambda: people.brief_of_group(rows.tx, 1),
        lambda: name_index.matching(rows.tx, 1),
    ):
        with pytest.raises(SettingsError):
            act()


def test_rows_of_before_are_read_as_they_are_and_then_sealed_like_new_ones(database: Database, keys: KeyRing) -> None:
    with database.writing() as tx:
        filled(Rows(tx, keys))
        before = everything(tx, keys)
        unseal(tx, keys)
    with database.reading() as tx:
        assert {seals.table.name for seals in sealing.row_seals() if stored_plain(tx, seals)} == {
            seals.table.name for seals in sealing.row_seals() if seals.plain
        }
        assert everything(tx, keys) == before
        assert set(settlement.unsealed_rows(tx, keys)) == {seals.table.name for seals in sealing.row_seals()}

    assert settlement.seal_every_row(database, keys) > 2 * len(sealing.row_seals())

    with database.reading() as tx:
        assert everything(tx, keys) == before
        assert not any(stored_plain(tx, seals) for seals in sealing.row_seals())
        assert settlement.unsealed_rows(tx, keys) == {}
        assert name_index.alike(tx, 1, references=["K-77"], labels=[], rooms=[]) == [1]
        assert tx.scalars(select(Card.label_index)).all() == [
            sealing.card_index(keys, one, "バスの券") for one in (1, 2)
        ]
        for sealed in SEALED:
            assert all(token is not None for _, token, _ in stored(tx, sealed.table, sealed.column)), sealed.name
    assert settlement.seal_every_row(database, keys) == 0


def stored_plain(tx: Any, seals: sealing.RowSeals) -> bool:
    return any(tx.execute(select(*seals.key).where(one)).first() is not None for one in seals.plain_words())


def test_killed_in_the_middle_it_goes_on_where_it_stopped(
    database: Database, keys: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.writing() as tx:
        filled(Rows(tx, keys))
        before = everything(tx, keys)
        unseal(tx, keys)
        installation.note_keys(tx, keys, NOW)
    monkeypatch.setattr(settlement, "AT_ONCE", 1)
    batches, bind = itertools.count(1), sealing.bind_rows

    def killed(*given: Any, **named: Any) -> Any:
        if next(batches) == 20:
            raise KeyboardInterrupt
        return bind(*given, **named)

    monkeypatch.setattr(sealing, "bind_rows", killed)
    with pytest.raises(KeyboardInterrupt):
        settlement.seal_rows(database, keys)

    with database.reading() as tx:
        assert everything(tx, keys) == before, "half of it is sealed, and everything opens"
        assert not settlement.are_sealed(tx)
        left = sum(settlement.unsealed_rows(tx, keys).values())
        assert left
    monkeypatch.setattr(settlement, "AT_ONCE", 500)
    assert settlement.seal_rows(database, keys) >= left

    with database.reading() as tx:
        assert everything(tx, keys) == before
        assert settlement.are_sealed(tx)
    assert settlement.seal_rows(database, keys) == 0


def test_without_keys_a_database_without_words_is_settled_and_one_with_words_is_not(
    database: Database, keys: KeyRing
) -> None:
    assert settlement.seal_every_row(database, None) == 0
    with database.writing() as tx:
        Rows(tx, keys).group()
        unseal(tx, keys)

    with pytest.raises(SettingsError):
        settlement.seal_every_row(database, None)


def test_a_row_with_a_value_of_a_missing_key_stays_as_it_is_and_opens_once_the_key_is_back(
    database: Database, keys: KeyRing
) -> None:
    late = read_keys([new_key()])
    both = read_keys([*keys.written(), *late.written()])
    with database.writing() as tx:
        late_rows = Rows(tx, late)
        contact = late_rows.contact(person_id=late_rows.person(late_rows.group()))
        contacts_by(late_rows, contact, "三女")
        unseal(tx, late)

    with database.writing() as tx:
        assert sealing.bind_rows(tx, keys, sealing.seals_of(Contact.__table__), [(contact,)]) == set()  # type: ignore[arg-type]
        assert settlement.unsealed_rows(tx, keys).keys() == {"groups", "people"}
    database.open_with(both)
    with database.writing() as tx:
        assert everything(tx, both)["contacts.consent_by_sealed"] == ["三女"]
        assert sealing.bind_rows(tx, both, sealing.seals_of(Contact.__table__), [(contact,)]) == {(contact,)}  # type: ignore[arg-type]
        assert everything(tx, both)["contacts.consent_by_sealed"] == ["三女"]


def test_a_row_of_before_that_is_written_to_is_sealed_whole_first(rows: Rows) -> None:
    filled(rows)
    before = everything(rows.tx, rows.keys)
    unseal(rows.tx, rows.keys)

    groups.rename(rows.tx, 1, "山田家")
    groups.name_member(rows.tx, 1, "長女")
    contacts_by(rows, 1, "次女")
    person = people.find(rows.tx, 1)
    assert person is not None
    people.change(rows.tx, person)
    imports.set_findings(rows.tx, 1, {1: [Finding("row_hidden", Level.CONFIRM)]})

    after = everything(rows.tx, rows.keys)
    assert after["groups.name_sealed"] == ["山田家", "すずらん荘"]
    assert after["groups.organisation_sealed"] == before["groups.organisation_sealed"]
    assert after["members.name_sealed"] == ["長女", "ナデシコ"]
    assert after["contacts.address_sealed"] == before["contacts.address_sealed"]
    assert after["people.words_sealed"] == before["people.words_sealed"]
    assert after["import_rows.cells_sealed"] == before["import_rows.cells_sealed"]
    for table, row in ((Group, 1), (Member, 1), (Contact, 1), (Person, 1)):
        assert rows.one(table.row_token, row) is not None  # type: ignore[attr-defined]
        assert sealing.token_of(rows.tx, table, row) == rows.one(table.row_token, row)  # type: ignore[attr-defined]


def test_after_a_change_of_keys_the_newest_opens_every_word_and_finds_it(database: Database, keys: KeyRing) -> None:
    ring = read_keys([new_key(), *keys.written()])
    alone = read_keys(ring.written()[:1])
    with database.writing() as tx:
        filled(Rows(tx, keys))
        before = everything(tx, keys)

    changed = sum(batch.changed for sealed in SEALED for batch in key_rotation.renew(database, ring, sealed))

    assert changed >= 2 * len(SEALED)
    database.open_with(alone)
    with database.writing() as tx:
        assert everything(tx, alone) == before
        assert name_index.alike(tx, 2, references=[], labels=["カワセミ"], rooms=[]) == [2]
        assert name_index.alike(tx, 2, references=[], labels=["松の間"], rooms=["カワセミ"]) == []
        assert tx.scalars(select(Card.label_index)).all() == [
            sealing.card_index(alone, one, "バスの券") for one in (1, 2)
        ]


def test_no_word_stands_in_any_column_of_the_database(rows: Rows) -> None:
    filled(rows)

    for table in Base.metadata.sorted_tables:
        for row in rows.tx.execute(select(*(type_coerce(one, one.type.dialect_impl(rows.tx.get_bind().dialect)) for one in table.columns if not isinstance(one.type, SealedBytes | SealedWords)))):  # fmt: skip
            assert not [word for word in WORDS if word in str(tuple(row))], table.name


def test_an_export_shows_words_and_none_of_what_seals_them(rows: Rows) -> None:
    filled(rows)

    (found,) = export.people(rows.tx, ExportScope(1, None))
    group = export.group(rows.tx, 1)

    assert [one["label"] for one in found] == ["カワセミ"]
    assert found[0] == found[0] | {"reference": "K-77", "room": "松の間", "unit": "三階", "mark": "つばめ"}
    assert group is not None
    assert (group["name"], group["organisation"], group["headings"]) == (
        "すずらん荘",
        "ひまわり会",
        {"しめいらん": "label"},
    )
    assert not [name for name in (*found[0], *group) if name.endswith(("_plain", "_sealed", "_index", "token"))]
    assert {word.text for word in free_words.of_groups(rows.tx, [1])} >= {"すずらん荘", "カワセミ", "バスの券"}


def test_words_of_a_missing_key_are_not_read_and_an_export_shows_the_rest(rows: Rows) -> None:
    filled(rows)
    other = Rows(rows.tx, read_keys([new_key()]))

    with pytest.raises(SettingsError):
        people.of_group(other.tx, 1)
    with pytest.raises(SettingsError):
        sealing.reader_of(other.tx, Person.words)(rows.tx.scalars(select(Person.words)).first())
    given_up = KeyRing([], given_up=rows.keys.ids)
    rows.tx.info["keys"] = given_up
    assert people.brief_of_group(rows.tx, 1)[0].label == cards.current_of_person(rows.tx, 1)[0].label == "？"
    assert groups.headings(rows.tx, 1) == {}
    rows.tx.info["keys"] = other.keys
    (found,) = export.people(other.tx, ExportScope(1, None))
    assert [(one["label"], one["office"], one["mode"]) for one in found] == [("", "", Mode.ELDERLY)]


def test_the_rows_to_be_bound_are_found_and_their_words_are_indexed_again(rows: Rows) -> None:
    filled(rows)
    seals = sealing.seals_of(PEOPLE)
    assert rows.tx.execute(select(PEOPLE.c.id).where(seals.unbound())).all() == []
    ring = read_keys([new_key(), *rows.keys.written()])
    said = StoredWords("トミ", None, "204", None, None, "")
    values: list[dict[str, Any]] = [{"id": 2}]

    sealing.index_words(rows.tx, ring, PEOPLE.c.words_sealed, values, [SEALED_WORDS.spelled(said)])

    assert values == [{"id": 2, **sealing.person_indexes(ring, 2, said)._asdict()}]
    unseal(rows.tx, rows.keys)
    assert rows.tx.scalars(select(PEOPLE.c.id).where(seals.unbound())).all() == [1, 2]


SEALED_WORDS = SealedPersonWords(Person.words.type.place, "label")  # type: ignore[attr-defined]


def test_a_transaction_without_keys_seals_nothing(database_url: str) -> None:
    database = Database(database_url)
    with database.writing() as tx:
        with pytest.raises(SettingsError):
            sealing.keys_of(tx)
        with pytest.raises(SettingsError):
            groups.add(tx, name="田中家", kind=groups.GroupKind.HOUSEHOLD, now=NOW)
    database.close()


def test_words_are_guarded_once_more_and_never_written_as_they_are(rows: Rows) -> None:
    token = new_row_token()
    number = "".join(["4938", "2716", "0454"])  # invented

    for column, said in (
        (Group.name, number),
        (Person.words, StoredWords("母", None, None, None, number, "市役所")),
    ):
        with pytest.raises(ForbiddenNumberError):
            sealing.words(rows.keys, column, said, token)
    assert sealing.words(rows.keys, Member.name, "", token) is None
    assert sealing.words(rows.keys, Member.name, None, token) is None
    with pytest.raises(Exception, match="sealed before they are written"):
        rows.tx.execute(update(Member).values(name="ナデシコ"))


def test_the_same_word_has_another_index_elsewhere(rows: Rows) -> None:
    said = StoredWords("母", "母", "母", None, None, "")

    one = sealing.person_indexes(rows.keys, 1, said)
    assert len({*one, *sealing.person_indexes(rows.keys, 2, said), *sealing.person_indexes(Rows(rows.tx, read_keys([new_key()])).keys, 1, said)}) == 9  # fmt: skip
    assert sealing.index_text(1, "label", "母") != sealing.index_text(11, "label", "母")
    assert sealing.card_index(rows.keys, 1, "") == ""
    assert sealing.card_index(rows.keys, 1, "券") != sealing.card_index(rows.keys, 2, "券")
    assert sealing.no_plain_words(CARDS) == {"label": ""}


def test_words_are_read_as_they_were_written() -> None:
    text = SealedText(Group.name.type.place, "name", field="name")  # type: ignore[attr-defined]
    structure = SealedJson(Group.headings.type.place, "headings")  # type: ignore[attr-defined]
    person = SealedPersonWords(Person.words.type.place, "label")  # type: ignore[attr-defined]
    said = StoredWords("母", None, "203", None, None, "市役所")

    assert text.read(text.write("田中家") or "") == text.read(text.spelled("田中家") or "") == "田中家"
    assert text.spelled("") is None
    assert structure.read(structure.write({"a": ["b"]}) or "") == {"a": ["b"]}
    assert structure.spelled([]) is None
    assert person.read(person.write(said)) == person.read(person.spelled(said)) == said
    assert person.of_plain(["", None, None, None, None, ""]) is None
    assert person.of_plain(said) == said
    assert text.of_plain(["田中家"]) == "田中家"
    assert text.plain_text("母") == text.plain_text(b"\2" + "母".encode()) == "母"
    assert text.sealed_value(b"\2x") is None
    assert text.sealed_value(b"\0x") == SealedValue(text.place, None, b"x")
    assert text.sealed_value(b"\1" + bytes(16) + b"x") == SealedValue(text.place, bytes(16), b"x")


def test_a_value_in_a_subquery_is_read_with_its_row(rows: Rows) -> None:
    filled(rows)

    inner = select(columns.unread(Person.words).label("words"), Person.id).subquery()
    read = sealing.reader(rows.keys, Person.words)
    assert [read(one).label for one in rows.tx.scalars(select(inner.c.words))] == ["カワセミ"] * 2
    value = rows.tx.scalars(select(columns.sealed_value(PEOPLE.c.words_sealed)).limit(1)).one()
    assert value.key_name == rows.keys.ids[0]
    assert rows.keys.can_open(value)
    assert sealing.can_bind(
        rows.keys, sealing.seals_of(PEOPLE), rows.tx.execute(sealing.seals_of(PEOPLE).rows()).all()[0]
    )


def test_two_cards_of_one_kind_need_two_labels(rows: Rows) -> None:
    person = rows.person(rows.group())
    rows.card(person, "other", label="券")
    rows.card(person, "other", label="札")
    rows.card(person, "other")

    assert [one.label for one in cards.current_of_person(rows.tx, person)] == ["券", "札", ""]
    with pytest.raises(Exception, match=r"(?i)unique"), rows.tx.begin_nested():
        rows.card(person, "other", label="札")
    with pytest.raises(Exception, match=r"(?i)unique"), rows.tx.begin_nested():
        rows.card(person, "other")


def test_a_message_has_one_token_for_what_it_holds(rows: Rows) -> None:
    message = rows.message(None, address="hana@example.jp")

    value = rows.one(Message.body_sealed, message)
    assert value.row_token == rows.one(Message.row_token, message)


def test_the_words_of_a_group_are_set_one_by_one(rows: Rows) -> None:
    group = rows.group()

    groups.set_words(rows.tx, group, Group.organisation, "ひまわり会")

    found = groups.find(rows.tx, group)
    assert found is not None
    assert (found.name, found.organisation) == ("田中家", "ひまわり会")
