"""What the web's database role reaches: every table, every statement, two groups."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest
from sqlalchemy import Boolean, Column, Connection, Date, Integer, LargeBinary, Numeric, String, Table, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.types import JSON

from reminder.domain.model.people import GroupKind
from reminder.storage.crypto.keyring import KeyRing
from reminder.storage.db import row_security
from reminder.storage.db.columns import EnumText, Instant
from reminder.storage.db.row_security import NOBODY, SCOPES, SHARED, Access, AccessScope
from reminder.storage.db.session import Database, Tx
from reminder.storage.db.tables import Base
from reminder.storage.registry import groups
from tests import databases, web_role
from tests.storage.conftest import NOW, Rows

TABLES: Mapping[str, Table] = Base.metadata.tables
IN_ORDER = [table for table in Base.metadata.sorted_tables if table.name not in SHARED]
# Tables of accounts, and what no group owns.
OF_NO_GROUP = {"accounts", "sessions", "passkeys", "challenges", "login_codes", "setup_codes", "unclear_replies"}
ONLY_IN_A_SCOPE = {"login_codes", "setup_codes", "unclear_replies"}
# Where a row has one of two owners, this one is filled.
ONE_OWNER = {("contacts", "member_id"), ("messages", "address_sealed")}
GROUPS = (1, 2)


def value(table: Table, column: Column[Any], group: int) -> object:
    """A value that no other row of the table has, where it must be the only one."""
    kind = column.type
    if (table.name, column.name) in ONE_OWNER:
        return None
    if column.name == "id" or (column.foreign_keys and next(iter(column.foreign_keys)).column.table.name in TABLES):
        return group
    if column.name == "group_id":
        return group
    if isinstance(kind, EnumText):
        return next(iter(kind.members)).value
    if isinstance(kind, Boolean):
        return False
    if isinstance(kind, Instant):
        return NOW
    if isinstance(kind, Date):
        return date(2026, 12, 1)
    if isinstance(kind, JSON):
        return "{}"
    if isinstance(kind, Integer | Numeric):
        return group
    if isinstance(kind, LargeBinary):
        return f"{group}".encode()
    assert isinstance(kind, String) or isinstance(getattr(kind, "impl_instance", None), String), (table.name, column)
    return f"{group}"


def row_of(table: Table, group: int) -> dict[str, object]:
    """The one row of a group: it has the group's number, and so have those that it belongs to."""
    row = {column.name: value(table, column, group) for column in table.columns}
    if table.name == "cards":
        row["carried_by"] = None
    return row


def insert(connection: Connection, table: Table, row: Mapping[str, object]) -> None:
    names = ", ".join(row)
    connection.execute(
        text(f"INSERT INTO {table.name} ({names}) VALUES ({', '.join(':' + name for name in row)})"), row
    )


@dataclass
class Town:
    """Two groups with one row in each table, of which the web's role acts for the first."""

    owner: Database
    web: Database

    def seen(self, table: Table, access: Access) -> list[int]:
        """The groups whose rows a query without a filter returns."""
        with self.web.reading(access) as tx:
            return self._whose(tx.connection(), table)

    def left(self, table: Table) -> list[int]:
        with self.owner.reading() as tx:
            return self._whose(tx.connection(), table)

    @staticmethod
    def _whose(connection: Connection, table: Table) -> list[int]:
        key = own_number(table)
        return sorted(connection.execute(text(f"SELECT {key} FROM {table.name}")).scalars())


def own_number(table: Table) -> str:
    """A column of the primary key that holds the group's number."""
    return next(c.name for c in table.primary_key if isinstance(c.type, Integer | Numeric) or c.name == "id")


A = Access((1,), account_id=1)


@pytest.fixture
def town(postgres_url: str) -> Iterator[Town]:
    owner, web = Database(postgres_url, durable=False), web_role.database_of_web(postgres_url)
    with owner.writing() as tx:
        for table in IN_ORDER:
            for group in GROUPS:
                insert(tx.connection(), table, row_of(table, group))
            if "id" in table.c:
                tx.execute(text(f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), 2)"))
    yield Town(owner, web)
    web.close()
    owner.close()


POLICIES = """
    SELECT tablename, policyname, cmd, roles::text, coalesce(qual, '') || coalesce(with_check, '') AS said FROM pg_policies
"""


def test_every_table_is_under_a_policy_or_has_a_reason_to_be_shared(town: Town) -> None:
    with town.owner.reading() as tx:
        forced = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relrowsecurity AND relforcerowsecurity"
        under = set(tx.scalars(text(forced)))
        everything = tx.scalars(
            text("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")
        )
        policies = tx.execute(text(POLICIES)).all()

        assert set(everything) - under == {*SHARED, "alembic_version"}
        assert under == {table.name for table in IN_ORDER}
        for name in ("acted_for", "everything"):
            assert {one.tablename for one in policies if one.policyname == name} == under, name
        assert {one.roles for one in policies if one.policyname == "everything"} == {f"{{{databases.OWNER}}}"}


def test_no_shared_table_belongs_to_anybody() -> None:
    for name in SHARED:
        table = TABLES[name]
        owners = {"group_id", "account_id", "member_id", "person_id", "contact_id", "card_id"} & set(table.c.keys())
        assert not owners, f"{name} belongs to somebody: it needs a policy"
        assert not [column for column in table.columns if column.foreign_keys], name


def test_each_scope_opens_the_tables_that_it_names_and_no_others(town: Town) -> None:
    with town.owner.reading() as tx:
        policies = tx.execute(text(POLICIES)).all()

    for scope in (AccessScope.SIGN_IN, AccessScope.PROVIDER):
        assert sorted({one.tablename for one in policies if f"'{scope}'" in one.said}) == sorted(SCOPES[scope])
    watched = [one for one in policies if one.policyname == "monitoring"]
    assert sorted(one.tablename for one in watched) == sorted(SCOPES[AccessScope.MONITORING])
    assert {(one.cmd, one.roles) for one in watched} == {("SELECT", f"{{{row_security.MONITORING_ROLE}}}")}


def test_a_query_that_forgets_its_filter_reads_nothing_of_another_group(town: Town) -> None:
    assert {table.name: town.seen(table, A) for table in IN_ORDER} == {
        table.name: [] if table.name in ONLY_IN_A_SCOPE else [1] for table in IN_ORDER
    }


def test_a_transaction_that_acts_for_nobody_reads_nothing(town: Town) -> None:
    assert {table.name: town.seen(table, NOBODY) for table in IN_ORDER} == {table.name: [] for table in IN_ORDER}


@pytest.mark.parametrize("scope", [AccessScope.SIGN_IN, AccessScope.PROVIDER])
def test_a_scope_alone_reads_nothing_of_a_group(town: Town, scope: AccessScope) -> None:
    seen = {table.name for table in IN_ORDER if town.seen(table, Access(scope=scope))}

    # The messages that signing in sees belong to no group, and there is none here.
    assert seen == set(SCOPES[scope]) - {"messages"}


@pytest.mark.parametrize(
    "access", [A, NOBODY, Access(scope=AccessScope.SIGN_IN), Access(scope=AccessScope.PROVIDER)], ids=str
)
@pytest.mark.parametrize("statement", ["UPDATE {0} SET {1} = {1}", "DELETE FROM {0}"])
def test_a_change_that_forgets_its_filter_changes_nothing_of_another_group(
    town: Town, statement: str, access: Access
) -> None:
    allowed = set(SCOPES[access.scope]) if access.scope else {"accounts"} if access == A else set()
    for table in reversed(IN_ORDER):
        if table.name in allowed & {*OF_NO_GROUP, "receipts"}:
            continue  # of no group, or also of every group: see the tests of each scope
        with town.web.writing(access) as tx:
            tx.connection().execute(text(statement.format(table.name, own_number(table))))

        assert 2 in town.left(table), table.name


@pytest.mark.parametrize("access", [A, NOBODY], ids=["of another group", "of nobody"])
def test_no_row_of_another_group_can_be_added(town: Town, access: Access) -> None:
    for table in IN_ORDER:
        with pytest.raises(ProgrammingError, match="row-level security"), town.web.writing(access) as tx:
            insert(tx.connection(), table, row_of(table, 2))


def references() -> Iterator[tuple[Table, str]]:
    """Each column that refers to a row of a group."""
    for table in IN_ORDER:
        for column in table.columns:
            for key in column.foreign_keys:
                if key.column.table.name not in OF_NO_GROUP and table.name not in OF_NO_GROUP:
                    yield table, column.name


@pytest.mark.parametrize(("table", "column"), list(references()), ids=lambda one: getattr(one, "name", one))
def test_no_row_of_one_s_own_can_refer_to_a_row_of_another_group(town: Town, table: Table, column: str) -> None:
    with pytest.raises(ProgrammingError, match="row-level security"), town.web.writing(A) as tx:
        tx.connection().execute(text(f"UPDATE {table.name} SET {column} = 2 WHERE {own_number(table)} = 1"))


def test_for_whom_a_transaction_acts_ends_with_it(town: Town) -> None:
    """A pooler gives the same connection to another request after each transaction."""
    people = TABLES["people"]
    town.web.engine.dispose()
    with town.web.engine.connect() as held:
        connection = held.connection.driver_connection
        assert connection is not None
        before = "SELECT current_user, current_setting('kigen.groups', true), (SELECT count(*) FROM people)"
        for access in (A, Access(account_id=1, of_account=True), Access(scope=AccessScope.MONITORING)):
            for ends_well in (True, False):
                with Tx(bind=held) as tx:
                    row_security.enter(tx, access)
                    assert tx.execute(text(f"SELECT count(*) FROM {people.name}")).scalar_one() > 0
                    tx.commit() if ends_well else tx.rollback()

                role, said, seen = held.exec_driver_sql(before).one()
                held.rollback()
                assert (role, said or "", seen) == (databases.WEB_ROLE, "", 0), (access, ends_well)


def test_a_block_that_acts_for_more_ends_with_the_block(town: Town) -> None:
    with town.web.writing(Access((1,), account_id=1)) as tx:

        def seen(table: str) -> list[int]:
            return sorted(tx.execute(text(f"SELECT id FROM {table}")).scalars())

        with row_security.of_account(tx, 2):
            assert seen("people") == [1, 2]
        with row_security.of_address(tx, [b"2"]):
            assert seen("people") == [1, 2]
        with row_security.in_scope(tx, AccessScope.PROVIDER):
            assert seen("unclear_replies") == [1, 2]
        assert (seen("people"), seen("unclear_replies")) == ([1], [])


def test_what_monitoring_reads_it_cannot_change(town: Town) -> None:
    for table in IN_ORDER:
        if table.name in SCOPES[AccessScope.MONITORING]:
            assert town.seen(table, Access(scope=AccessScope.MONITORING)) == [1, 2], table.name
        else:
            with pytest.raises(ProgrammingError, match="permission denied"):
                town.seen(table, Access(scope=AccessScope.MONITORING))
    for name in (*TABLES, "alembic_version"):
        for statement in (f"DELETE FROM {name}", f"INSERT INTO {name} DEFAULT VALUES"):
            with (
                pytest.raises(ProgrammingError, match="permission denied"),
                town.web.writing(Access(scope=AccessScope.MONITORING)) as tx,
            ):
                tx.execute(text(statement))


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE more (id bigint)",
        "ALTER TABLE people DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE people NO FORCE ROW LEVEL SECURITY",
        "DROP POLICY acted_for ON people",
        "CREATE POLICY more ON people USING (true)",
        "TRUNCATE people CASCADE",
        f"SET ROLE {databases.OWNER}",
        "CREATE ROLE more",
        "UPDATE alembic_version SET version_num = '0001'",
        "CREATE OR REPLACE FUNCTION kigen_groups() RETURNS bigint[] LANGUAGE sql AS $$ SELECT '{1,2}'::bigint[] $$",
    ],
)
def test_the_web_s_role_cannot_take_the_wall_down(town: Town, statement: str) -> None:
    with pytest.raises(ProgrammingError, match=r"must be owner|permission denied"), town.web.writing(A) as tx:
        tx.execute(text(statement))


def test_the_functions_that_tell_whose_a_row_is_search_no_table_but_ours(town: Town) -> None:
    with town.owner.reading() as tx:
        made = tx.execute(
            text("SELECT proname, prosecdef, proconfig::text, proacl::text FROM pg_proc WHERE proname LIKE 'kigen%'")
        ).all()

    definers = {one.proname: one for one in made if one.prosecdef}
    assert set(definers) == set(row_security.FUNCTIONS)
    for one in definers.values():
        assert one.proconfig == '{"search_path=public, pg_temp"}', one
        # "=X" would be everybody.
        assert "{=X" not in one.proacl, one
        assert ",=X" not in one.proacl, one


def test_a_service_whose_statements_ran_twice_has_the_same_policies(town: Town) -> None:
    with town.owner.reading() as tx:
        before = sorted(map(str, tx.execute(text(POLICIES))))
    superuser = Database(databases.as_role(town.owner.url, databases.SUPERUSER), durable=False)
    with superuser.writing() as tx:
        for statement in row_security.statements_for_role(tx.connection(), databases.WEB_ROLE):
            tx.connection().exec_driver_sql(statement)
        assert row_security.has_web_role(tx.connection())
    superuser.close()

    with town.owner.reading() as tx:
        assert sorted(map(str, tx.execute(text(POLICIES)))) == before
    with town.web.reading() as tx:
        assert not row_security.may_create(tx.connection())


def test_a_later_table_is_for_the_web_s_role_too_and_under_no_policy_until_it_has_one(town: Town) -> None:
    with town.owner.writing() as tx:
        tx.execute(text("CREATE TABLE later (id bigserial PRIMARY KEY)"))

    with town.web.writing() as tx:
        tx.execute(text("INSERT INTO later DEFAULT VALUES"))


# ---- on both databases: what the owner's role, and SQLite, do not need does nothing


def test_for_the_owner_and_on_sqlite_nothing_is_confined(database: Database) -> None:
    database.find_role()
    database.refuse_confined()

    assert not database.is_confined
    with database.writing(A) as tx:
        assert not row_security.is_confined(tx.connection())
        assert not row_security.is_under_policies(tx)
        assert row_security.new_group_id(tx) is None
        assert row_security.has_groups(tx) is None
        row_security.include_account(tx, 1)
        row_security.include_accounts(tx, [1])
        row_security.include_address(tx, [b"1"])
        row_security.include_contact(tx, 1)
        row_security.include_message(tx, message_id=1)
        row_security.include_session(tx, b"1")
        row_security.include_token(tx, b"1")
        with (
            row_security.of_account(tx, 1),
            row_security.of_address(tx, [b"1"]),
            row_security.in_scope(tx, AccessScope.SIGN_IN),
            row_security.of_consents(tx, [b"1"]),
            row_security.copying_into(tx.connection(), "people"),
        ):
            pass


def test_a_role_for_the_web_is_there_and_what_makes_it_is_for_postgresql(database: Database) -> None:
    with database.reading() as tx:
        assert row_security.has_web_role(tx.connection())
        assert row_security.may_create(tx.connection())
        assert bool(row_security.statements_for_role(tx.connection(), "web")) is not database.is_sqlite
        row_security.enter(tx, A)
        assert row_security.is_under_policies(tx) is not database.is_sqlite


def whom(tx: Tx) -> list[int]:
    return sorted(tx.execute(text("SELECT id FROM groups")).scalars())


@pytest.mark.parametrize("group", GROUPS)
def test_each_function_tells_one_group_and_no_more(town: Town, group: int) -> None:
    secret = f"{group}".encode()
    for include, known in (
        (lambda tx: row_security.include_account(tx, group), True),
        (lambda tx: row_security.include_accounts(tx, [group]), True),
        (lambda tx: row_security.include_address(tx, [secret]), True),
        (lambda tx: row_security.include_contact(tx, group), True),
        (lambda tx: row_security.include_message(tx, message_id=group), True),
        (lambda tx: row_security.include_message(tx, provider_id=f"{group}"), True),
        (lambda tx: row_security.include_session(tx, secret), True),
        (lambda tx: row_security.include_token(tx, secret), True),
        (lambda tx: row_security.include_account(tx, 9), False),
        (lambda tx: row_security.include_address(tx, []), False),
        (lambda tx: row_security.include_contact(tx, 9), False),
        (row_security.include_message, False),
        (lambda tx: row_security.include_token(tx, b"9"), False),
    ):
        with town.web.reading() as tx:
            assert row_security.has_groups(tx) is True
            include(tx)
            assert whom(tx) == ([group] if known else [])


def test_a_new_group_is_seen_by_whoever_founds_it(town: Town) -> None:
    with town.web.writing(Access(scope=AccessScope.SIGN_IN)) as tx:
        new = groups.add(tx, name="佐藤家", kind=GroupKind.HOUSEHOLD, now=NOW)
        assert whom(tx) == [new]

    assert town.seen(TABLES["groups"], A) == [1]


def test_a_message_to_an_address_of_no_group_is_seen_where_somebody_signs_in(town: Town, keys: KeyRing) -> None:
    with town.web.writing(Access(scope=AccessScope.SIGN_IN)) as tx:
        added = Rows(tx, keys).message(None, address="hana@example.jp")

    messages = TABLES["messages"]
    assert town.seen(messages, Access(scope=AccessScope.SIGN_IN)) == [added]
    assert [town.seen(messages, one) for one in (A, NOBODY, Access(scope=AccessScope.PROVIDER))] == [[1], [], []]


def test_an_act_of_nobody_is_written_and_not_read(town: Town) -> None:
    from reminder.storage.runtime import activity_log

    with town.web.writing() as tx:
        activity_log.write(tx, "setup_done", NOW)

    assert len(town.left(TABLES["activity_log"])) == 3
    assert town.seen(TABLES["activity_log"], A) == [1]
