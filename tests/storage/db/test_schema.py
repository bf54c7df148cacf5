"""One set of migrations makes the tables of the code, on both databases."""

from contextlib import suppress
from datetime import date

import pytest
from alembic import command
from sqlalchemy.exc import IntegrityError

from reminder.domain.model.notices import NoticeKind
from reminder.domain.model.people import Role
from reminder.domain.model.person_states import PAUSE
from reminder.domain.parsing.replies import Intent
from reminder.errors import ConflictError, DatabaseNotReadyError, SettingsError
from reminder.storage.auth import accounts
from reminder.storage.crypto.keyring import KeyRing
from reminder.storage.db import schema
from reminder.storage.db.columns import EnumText
from reminder.storage.db.session import Database
from reminder.storage.db.tables import Base
from reminder.storage.registry import card_lives, cards, groups, imports, person_lives
from reminder.storage.reminders import notices, replies, unclear_replies
from tests.storage.conftest import Rows
from tests.village import Village


def test_the_migrations_make_exactly_the_tables_of_the_code(database_url: str) -> None:
    database = Database(database_url)

    assert schema.differences(database) == []
    assert schema.present(database) == schema.newest()
    database.close()


def test_migrating_twice_changes_nothing(empty_database_url: str) -> None:
    database = Database(empty_database_url)
    schema.migrate(database)
    schema.migrate(database)

    schema.require_newest(database)
    database.close()


def test_every_migration_can_be_taken_back(empty_database_url: str) -> None:
    database = Database(empty_database_url)
    schema.migrate(database)

    schema.move(database, command.downgrade, "base")
    assert schema.present(database) is None

    schema.migrate(database)
    assert schema.differences(database) == []
    database.close()


def test_an_empty_database_is_refused_until_it_is_migrated(empty_database_url: str) -> None:
    database = Database(empty_database_url)

    with pytest.raises(DatabaseNotReadyError) as refused:
        schema.require_newest(database)

    assert refused.value.code == "database_behind"
    database.close()


def test_an_older_program_refuses_a_newer_database(database_url: str) -> None:
    database = Database(database_url)
    with database.engine.execution_options(kigen_writes=True).begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(DatabaseNotReadyError) as refused:
        schema.require_newest(database)

    assert refused.value.code == "database_ahead"
    database.close()


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("mysql://localhost/kigen", "another kind of database"),
        ("sqlite://", "in memory every date would be forgotten"),
        ("sqlite:///:memory:", "likewise"),
        ("kigen.db", "no address at all"),
    ],
)
def test_a_database_address_that_cannot_work_is_refused_by_the_settings_name(url: str, why: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Database(url)

    assert refused.value.setting == "REMINDER_DATABASE_URL", why


def test_a_server_that_does_not_answer_is_said_to_be_out_of_reach_without_its_password() -> None:
    database = Database("postgresql://kigen:geheim@127.0.0.1:1/kigen")

    with pytest.raises(DatabaseNotReadyError) as refused:
        schema.present(database)

    assert refused.value.code == "database_unreachable"
    assert "geheim" not in str(refused.value)
    database.close()


def test_cards_of_an_older_database_live_on_with_their_dates(empty_database_url: str) -> None:
    database = Database(empty_database_url)
    schema.move(database, command.upgrade, "0001")
    at = "2026-11-23 00:00:00+00:00"
    with database.engine.execution_options(kigen_writes=True).begin() as connection:
        connection.exec_driver_sql(f"INSERT INTO groups VALUES (1, '田中家', 'household', '{at}')")
        connection.exec_driver_sql(
            "INSERT INTO people (id, group_id, label, office, mode, language, insurance, created_at) "
            f"VALUES (1, 1, '母', '市役所', 'elderly', 'ja', TRUE, '{at}')"
        )
        connection.exec_driver_sql(
            "INSERT INTO cards (id, person_id, kind, expires_on, is_computed, created_at) "
            f"VALUES (1, 1, 'mynumber_card', '2031-11-14', FALSE, '{at}')"
        )

    schema.migrate(database)

    with database.reading() as tx:
        [card] = cards.current_of_person(tx, 1)
    assert (card.kind, card.label, card.expires_on) == ("mynumber_card", "", date(2031, 11, 14))
    database.close()


def test_taking_a_migration_back_loses_no_row_but_what_it_brought(village: Village) -> None:
    village.member("娘", "musume@example.jp")
    village.person("母", phone="090-0000-0001")
    village.card("母", date(2027, 3, 31))
    village.run_until("2027-02-01 00:00")
    database = village.app.database

    def rows(log: str = "activity_log") -> list[int]:
        names = ("cards", "reminders", "messages", "message_reminders", "contacts", log)
        with database.reading() as tx:
            connection = tx.connection()
            return [connection.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar_one() for name in names]

    before = rows()
    for version in ("0002", "0001"):
        schema.move(database, command.downgrade, version)
        assert rows("journal") == before, "as it was called then"
    schema.migrate(database)

    assert rows() == before
    assert schema.differences(database) == []
    with pytest.raises(IntegrityError), database.writing() as tx:
        tx.connection().exec_driver_sql("UPDATE cards SET person_id = 99")  # references count again


# The key of a message of an older database, its audience, its kind, and why.
OLD_MESSAGES = [
    ("told:1:2026-12-01:sms:0", "person", "reminder", "a step, to the person"),
    ("told:1:2026-12-01:email:0", "carer", "copy", "the same step, to a carer"),
    ("told:1:2026-12-01:email:1", "staff", "copy", "and to a home's staff"),
    ("silent:1:2026-12-01", "carer", "escalation", "nobody has answered"),
    ("silent:1:1:2026-12-01", "carer", "escalation", "likewise, about one card"),
    ("notice:1:1", "carer", "notice", "something happened"),
    ("undelivered:1:1:2026-12-01", "carer", "failure_notice", "a message reached nobody"),
    ("reach:1:2026", "person", "verification", "the yearly question"),
    ("digest:1:2026-W50", "staff", "digest", "the weekly letter of a home"),
    ("answer:1", "person", "answer", "to a reply"),
    ("answer:stop:1:20261201000000", "person", "answer", "to a stop"),
    ("consent:1:1", "person", "consent_request", "may we write to you?"),
    ("practice:1:20261201000000", "person", "test_call", "a call to try out the keys"),
    ("code:1", "carer", "login_code", "a sign-in"),
    ("invitation:1", "carer", "invitation", "a member to be"),
    ("elsewhere:1", "carer", "notice", "nobody knows what it was"),
]


def test_messages_of_an_older_database_have_their_kinds(empty_database_url: str) -> None:
    database = Database(empty_database_url)
    schema.move(database, command.upgrade, "0009")
    _add_old_messages(database, [(number, key, audience) for number, (key, audience, _, _) in enumerate(OLD_MESSAGES)])

    schema.migrate(database)

    of_number = dict(_kinds(database))
    got = [(key, of_number[number], why) for number, (key, _, _, why) in enumerate(OLD_MESSAGES)]
    assert got == [(key, kind, why) for key, _, kind, why in OLD_MESSAGES]
    database.close()


def test_an_old_message_of_an_unknown_key_that_is_linked_to_a_step_is_a_reminder(empty_database_url: str) -> None:
    database = Database(empty_database_url)
    schema.move(database, command.upgrade, "0009")
    _add_old_messages(
        database, [(1, "elsewhere:1", "person"), (2, "elsewhere:2", "carer"), (3, "elsewhere:3", "carer")]
    )
    at = "2026-12-01 00:00:00+00:00"
    with database.engine.execution_options(kigen_writes=True).begin() as connection:
        for sql in (
            "INSERT INTO people (id, group_id, label, office, mode, language, insurance, created_at) "
            f"VALUES (1, 1, '母', '市役所', 'elderly', 'ja', TRUE, '{at}')",
            "INSERT INTO cards (id, person_id, kind, expires_on, is_computed, created_at) "
            f"VALUES (1, 1, 'mynumber_card', '2031-11-14', FALSE, '{at}')",
            "INSERT INTO reminders (id, card_id, expires_on, rung, due_on, state, created_at) "
            f"VALUES (1, 1, '2031-11-14', 'd30', '2031-10-15', 'open', '{at}')",
            "INSERT INTO message_reminders VALUES (1, 1), (2, 1)",
        ):
            connection.exec_driver_sql(sql)

    schema.migrate(database)

    assert _kinds(database) == [(1, "reminder"), (2, "copy"), (3, "notice")]
    database.close()


def _add_old_messages(database: Database, messages: list[tuple[int, str, str]]) -> None:
    """Insert messages of version 0009 to an address that is nobody's contact: their id, key and audience."""
    at = "2026-12-01 00:00:00+00:00"
    seal = "'\\x00'" if not database.is_sqlite else "x'00'"
    with database.engine.execution_options(kigen_writes=True).begin() as connection:
        connection.exec_driver_sql(
            f"INSERT INTO groups (id, name, kind, headings, created_at) VALUES (1, '田中家', 'household', '{{}}', '{at}')"
        )
        for number, key, audience in messages:
            connection.exec_driver_sql(
                "INSERT INTO messages (id, key, group_id, address_sealed, audience, channel, segments, state, "
                "send_after, stale_after, attempts, not_seen, possibly_double, created_at) VALUES "
                f"({number}, '{key}', 1, {seal}, '{audience}', 'email', 0, 'queued', "
                f"'{at}', '{at}', 0, 0, FALSE, '{at}')"
            )


def _kinds(database: Database) -> list[tuple[int, str]]:
    with database.reading() as tx:
        return [tuple(row) for row in tx.connection().exec_driver_sql("SELECT id, kind FROM messages ORDER BY id")]


CLOSED = [
    (table.name, column.name)
    for table in Base.metadata.sorted_tables
    for column in table.columns
    if isinstance(column.type, EnumText)
]


def test_the_database_itself_refuses_what_is_no_member_of_an_enum(village: Village) -> None:
    village.member("娘", "musume@example.jp")
    village.person("母", phone="090-0000-0001")
    village.card("母", date(2027, 3, 31))
    village.run_until("2027-02-01 00:00")
    database, keys, now = village.app.database, village.app.keys, village.now
    with database.writing() as tx:
        notices.add(tx, NoticeKind.SENDER, person_id=1, now=now)
        replies.keep(tx, keys, contact_id=1, provider_id="SM1", intent=Intent.DONE, text=None, now=now)
        unclear_replies.keep(
            tx, keys, provider_id="SM2", intent=Intent.DONE, text=None, choices={1: 1}, now=now, expires_at=now
        )
        accounts.invite(tx, keys, group_id=1, address="ane@example.jp", role=Role.EDITOR, now=now, expires_at=now)
        sheet = imports.add(tx, group_id=1, member_id=1, columns=[], now=now)
        imports.add_rows(tx, keys, sheet, [imports.NewRow(2, {}, ())])
        card_lives.make_appointment(tx, 1, date(2027, 3, 31), None, on=date(2027, 2, 1), now=now)
        person_lives.move(tx, 1, PAUSE, on=date(2027, 2, 1), now=now)
        Rows(tx, keys).counted_end(1, 1)

    for table, column in CLOSED:
        with pytest.raises(IntegrityError, match=f"ck_{table}_{column}"), database.writing() as tx:
            tx.connection().exec_driver_sql(f"UPDATE {table} SET {column} = 'elsewhere'")


def test_a_version_is_known_that_the_migrations_have() -> None:
    assert schema.is_known(schema.newest())
    assert not schema.is_known("9999")


def test_a_database_is_built_at_one_version_filled_and_brought_to_the_next(
    empty_database_url: str, keys: KeyRing
) -> None:
    database = Database(empty_database_url)
    with schema.building(database) as building:
        building.up_to(schema.newest())
        with building.writing() as tx:
            added = Rows(tx, keys).group()

    database.open_with(keys)
    with database.reading() as tx:
        assert [one.id for one in groups.everyone(tx)] == [added]
    with pytest.raises(ConflictError), schema.building(database):
        pytest.fail("a row is there")
    database.close()


def test_a_database_whose_building_fails_is_as_empty_as_before(empty_database_url: str) -> None:
    database = Database(empty_database_url)

    with suppress(ZeroDivisionError), schema.building(database) as building:
        building.up_to(schema.newest())
        _ = 1 / 0

    assert schema.present(database) is None
    database.close()
