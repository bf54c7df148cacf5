"""Row-level security: which rows a transaction of the web's database role may reach.

PostgreSQL adds a policy to each statement of that role, so that a query that forgets its filter reads and changes
nothing of another group. Each transaction says for whom it acts, for its own duration (`set_config(…, true)`), which
works through a transaction pooler; one that says nothing reaches no row of anybody. A few functions of the database
answer "whose is this?" for what names no group yet: a session, a token, an address, a link, a receipt. They return
ids of groups and nothing else. On SQLite, and for the role that owns the tables, nothing here does anything.

The policies are made by migrations; docs/decisions/0056-row-level-security.md gives the reasons.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.orm import Session


class AccessScope(StrEnum):
    """A task of the web that needs rows of no group. Each names the few tables that it opens (`SCOPES`)."""

    SIGN_IN = "sign_in"  # accounts and their codes, sessions and passkeys; messages to addresses of no group
    PROVIDER = "provider"  # receipts, and replies that no group owns yet
    MONITORING = "monitoring"  # reads what waits or is late, of all groups, as a role that can change nothing


@dataclass(frozen=True)
class Access:
    """For whom a transaction acts.

    `groups`: ids. `of_account`: all groups of the account, besides. The account's own rows are its sessions and
    passkeys.
    """

    groups: tuple[int, ...] = ()
    account_id: int | None = None
    of_account: bool = False
    scope: AccessScope | None = None


NOBODY = Access()

# The tables that belong to no group and no account, and so are under no policy.
SHARED = {
    "address_usage": "counts by a keyed index of an address; names no group and no person",
    "canaries": "messages to the operator; an address only as a keyed index",
    "channel_breakers": "which channel fails, since when and why; an address only as a keyed index",
    "counters": "numbers of the whole service",
    "daily_balances": "numbers of the whole service",
    "day_totals": "numbers of the whole service",
    "effect_counts": "numbers of the whole service",
    "heartbeats": "when something last ran",
    "inbound_text_ids": "the provider's ids of texts that were heard; name nobody",
    "installation_secrets": "one sealed secret, with which every process makes and reads references",
    "known_keys": "names of keys; every process checks at its start that it has them",
    "pauses": "which channel waits",
    "provider_fetches": "how far a provider's list has been read",
    "rate_limits": "when a sender may send next",
    "request_rates": "how often a token or a network has asked, by a keyed index",
    "sent_traces": "keyed indexes of words and addresses of erased contacts, for a day; names no group and no person",
    "service_state": "facts of the whole service, such as the sender's number",
    "set_aside_rows": "the queue and the id of a row that could not be worked on",
}
# What each scope opens, besides the rows of the groups and the account.
SCOPES = {
    AccessScope.SIGN_IN: ("accounts", "challenges", "login_codes", "messages", "passkeys", "sessions", "setup_codes"),
    AccessScope.PROVIDER: ("receipts", "unclear_replies"),
    AccessScope.MONITORING: (
        "activity_log",
        "assignments",
        "card_lives",
        "cards",
        "contacts",
        "group_holds",
        "groups",
        "imports",
        "members",
        "messages",
        "notices",
        "people",
        "person_lives",
        "promises",
        "receipts",
        "replies",
    ),
}
# The functions that migrations make, with their parameters. They run as the owner of the tables.
FUNCTIONS = {
    "kigen_groups_of_account": "bigint",
    "kigen_groups_at_address": "bytea[]",
    "kigen_groups_of_contact": "bigint",
    "kigen_groups_of_message": "bigint, text",
    "kigen_groups_of_session": "bytea",
    "kigen_groups_of_token": "bytea",
    "kigen_has_groups": "",
    "kigen_analyse_sheets": "",
}

_ACCESS = "access"
_SET = (
    "SELECT set_config('kigen.groups', %s, true), set_config('kigen.account', %s, true),"
    " set_config('kigen.scope', %s, true)"
)
# The role of a monitoring transaction. It cannot sign in; the web's role may become it, and inherits nothing from it.
MONITORING_ROLE = "kigen_monitoring"
_AS_MONITORING = f"SET LOCAL ROLE {MONITORING_ROLE}"
_SET_OF_ACCOUNT = (
    "SELECT set_config('kigen.groups', (kigen_groups_of_account(%s) || %s::bigint[])::text, true),"
    " set_config('kigen.account', %s, true), set_config('kigen.scope', %s, true)"
)


def enter(tx: Session, access: Access) -> None:
    """Begin the transaction as one that acts for these, of a role that is under the policies; nothing on SQLite."""
    if tx.get_bind().dialect.name != "postgresql":
        return
    tx.info[_ACCESS] = access
    account, scope = "" if access.account_id is None else str(access.account_id), access.scope or ""
    groups = _array(access.groups)
    if access.scope is AccessScope.MONITORING:
        tx.connection().exec_driver_sql(_AS_MONITORING).close()
    elif access.of_account:
        _run(tx, _SET_OF_ACCOUNT, access.account_id, groups, account, scope)
    else:
        _run(tx, _SET, groups, account, scope)


def is_under_policies(tx: Session) -> bool:
    """Return whether the transaction reaches only the rows of those for whom it acts."""
    return _ACCESS in tx.info


def include_account(tx: Session, account_id: int) -> None:
    """Act for all groups of this account too, until the transaction ends."""
    _include(tx, "kigen_groups_of_account(%s)", account_id)


def include_accounts(tx: Session, account_ids: Collection[int]) -> None:
    """Act for all groups of these accounts too, until the transaction ends."""
    if is_under_policies(tx):
        for account_id in account_ids:
            include_account(tx, account_id)


def include_address(tx: Session, indexes: Sequence[bytes]) -> None:
    """Act for every group that knows the address with these blind indexes, until the transaction ends."""
    _include(tx, "kigen_groups_at_address(%s)", list(indexes))


def include_contact(tx: Session, contact_id: int) -> None:
    """Act for the group of this contact too, until the transaction ends."""
    _include(tx, "kigen_groups_of_contact(%s)", contact_id)


def include_message(tx: Session, *, message_id: int | None = None, provider_id: str | None = None) -> None:
    """Act for the group of this message too, until the transaction ends."""
    _include(tx, "kigen_groups_of_message(%s, %s)", message_id, provider_id)


def include_session(tx: Session, token_hash: bytes) -> None:
    """Act for the group in which this session acts too, until the transaction ends."""
    _include(tx, "kigen_groups_of_session(%s)", token_hash)


def include_token(tx: Session, token_hash: bytes) -> None:
    """Act for the group of this API token or calendar feed too, until the transaction ends."""
    _include(tx, "kigen_groups_of_token(%s)", token_hash)


def new_group_id(tx: Session) -> int | None:
    """Return the id that a new group must take, and act for it too; None where the database gives one."""
    if not is_under_policies(tx):
        return None
    group_id = int(_run(tx, "SELECT nextval(pg_get_serial_sequence('groups', 'id'))"))
    _include(tx, "%s::bigint[]", _array([group_id]))
    return group_id


def has_groups(tx: Session) -> bool | None:
    """Return whether any group exists; None where a query of the table tells."""
    return bool(_run(tx, "SELECT kigen_has_groups()")) if is_under_policies(tx) else None


@contextmanager
def of_account(tx: Session, account_id: int) -> Iterator[None]:
    """Act for all groups of this account too, until the end of the block."""
    with _until_end_of_block(tx, "kigen.groups"):
        include_account(tx, account_id)
        yield


@contextmanager
def of_address(tx: Session, indexes: Sequence[bytes]) -> Iterator[None]:
    """Act for every group that knows the address with these blind indexes, until the end of the block."""
    with _until_end_of_block(tx, "kigen.groups"):
        include_address(tx, indexes)
        yield


@contextmanager
def of_consents(tx: Session, indexes: Collection[bytes]) -> Iterator[None]:
    """Reach the records of these addresses in the ledger of consents, of every group, until the end of the block."""
    with _until_end_of_block(tx, "kigen.addresses"):
        if is_under_policies(tx):
            _run(tx, "SELECT set_config('kigen.addresses', %s::bytea[]::text, true)", list(indexes))
        yield


@contextmanager
def in_scope(tx: Session, scope: AccessScope) -> Iterator[None]:
    """Open the rows of a scope, until the end of the block."""
    with _until_end_of_block(tx, "kigen.scope"):
        if is_under_policies(tx):
            _run(tx, "SELECT set_config('kigen.scope', %s, true)", scope)
        yield


@contextmanager
def _until_end_of_block(tx: Session, name: str) -> Iterator[None]:
    if not is_under_policies(tx):
        yield
        return
    before = _run(tx, "SELECT coalesce(current_setting(%s, true), '')", name)
    yield
    # After an error the transaction is rolled back, and this with it.
    _run(tx, "SELECT set_config(%s, %s, true)", name, before)


def _include(tx: Session, groups: str, *values: object) -> None:
    if is_under_policies(tx):
        _run(tx, f"SELECT set_config('kigen.groups', (kigen_groups() || {groups})::text, true)", *values)


def _run(tx: Session, sql: str, *values: object) -> Any:
    """Return the first value of a statement that the driver runs: SQLAlchemy's take longer to build."""
    return tx.connection().exec_driver_sql(sql, values or None).scalar()


def _array(ids: Collection[int]) -> str:
    return "{" + ",".join(map(str, ids)) + "}"


_IS_FORCED = "SELECT relforcerowsecurity FROM pg_class WHERE oid = to_regclass(%s)"


@contextmanager
def copying_into(connection: Connection, table: str) -> Iterator[None]:
    """Let the owner copy rows into a table until the end of the block: COPY knows no policies, not even the owner's.

    `table`: quoted. The transaction should be alone with the tables. On SQLite it does nothing.
    """
    forced = connection.dialect.name == "postgresql" and connection.exec_driver_sql(_IS_FORCED, (table,)).scalar()
    if forced:
        connection.exec_driver_sql(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    yield
    # After an error the transaction is rolled back, and this with it.
    if forced:
        connection.exec_driver_sql(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")


# ---- roles

# A role that owns the tables, or inherits from their owner, has the policy that shows everything.
_IS_CONFINED = """
    SELECT NOT (role.rolsuper OR role.rolbypassrls OR pg_has_role(role.oid, tables.relowner, 'USAGE'))
    FROM pg_roles AS role, pg_class AS tables
    WHERE role.rolname = current_user AND tables.oid = to_regclass('people') AND tables.relrowsecurity
"""
# Whom the owner of the tables has allowed to read them besides itself: the web's role.
_HAS_WEB_ROLE = """
    SELECT EXISTS (
        SELECT FROM pg_class AS tables
        CROSS JOIN aclexplode(tables.relacl) AS allowed
        JOIN pg_roles AS role ON role.oid = allowed.grantee
        WHERE tables.oid = to_regclass('people') AND allowed.privilege_type = 'SELECT' AND role.rolcanlogin
        AND NOT (role.rolsuper OR role.rolbypassrls OR pg_has_role(role.oid, tables.relowner, 'USAGE'))
    )
"""
_MAY_CREATE = "SELECT has_schema_privilege(current_user, current_schema(), 'CREATE')"
_OWNER_AND_PLACE = """
    SELECT pg_get_userbyid(relowner), current_database(), current_schema()
    FROM pg_class WHERE oid = to_regclass('people')
"""


def is_confined(connection: Connection) -> bool:
    """Return whether the role of this connection is under the policies; False on SQLite and before there are any."""
    return connection.dialect.name == "postgresql" and bool(connection.exec_driver_sql(_IS_CONFINED).scalar())


def has_web_role(connection: Connection) -> bool:
    """Return whether a role for the web is there: it may read the tables and is under the policies. True on SQLite."""
    return connection.dialect.name != "postgresql" or bool(connection.exec_driver_sql(_HAS_WEB_ROLE).scalar())


def may_create(connection: Connection) -> bool:
    """Return whether the role of this connection may create tables."""
    return connection.dialect.name != "postgresql" or bool(connection.exec_driver_sql(_MAY_CREATE).scalar())


def _made(role: str, quoted: str) -> str:
    name = role.replace("'", "''")
    exists = f"EXISTS (SELECT FROM pg_roles WHERE rolname = '{name}')"
    return f"DO $$ BEGIN IF NOT {exists} THEN CREATE ROLE {quoted}; END IF; END $$"


def statements_for_role(connection: Connection, role: str) -> list[str]:
    """Return the statements that make the web's role, or give an existing one what it may do. They may run again.

    They are for a superuser, or for the owner of the tables where it may create roles. None on SQLite.
    """
    if connection.dialect.name != "postgresql":
        return []
    owner, database, schema = connection.exec_driver_sql(_OWNER_AND_PLACE).one()
    quote = connection.dialect.identifier_preparer.quote_identifier
    to, by, place = quote(role), quote(owner), quote(schema)
    rows = "SELECT, INSERT, UPDATE, DELETE"
    later = f"ALTER DEFAULT PRIVILEGES FOR ROLE {by} IN SCHEMA {place}"
    watched = SCOPES[AccessScope.MONITORING]
    inherits_by_grant = (connection.dialect.server_version_info or (0,)) >= (16,)
    return [
        _made(role, to),
        _made(MONITORING_ROLE, MONITORING_ROLE),
        f"ALTER ROLE {to} LOGIN NOINHERIT",
        f"GRANT {MONITORING_ROLE} TO {to}" + (" WITH INHERIT FALSE, SET TRUE" if inherits_by_grant else ""),
        f"GRANT CONNECT ON DATABASE {quote(database)} TO {to}",
        f"GRANT USAGE, CREATE ON SCHEMA {place} TO {by}",
        f"REVOKE CREATE ON SCHEMA {place} FROM PUBLIC",
        f"GRANT USAGE ON SCHEMA {place} TO {to}",
        f"GRANT {rows} ON ALL TABLES IN SCHEMA {place} TO {to}",
        f"REVOKE INSERT, UPDATE, DELETE ON {place}.alembic_version FROM {to}",
        f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {place} TO {to}",
        *(f"GRANT EXECUTE ON FUNCTION {place}.{name}({of}) TO {to}" for name, of in FUNCTIONS.items()),
        f"GRANT USAGE ON SCHEMA {place} TO {MONITORING_ROLE}",
        *(f"GRANT SELECT ON {place}.{table} TO {MONITORING_ROLE}" for table in (*watched, *SHARED, "alembic_version")),
        *(f"DROP POLICY IF EXISTS monitoring ON {place}.{table}" for table in watched),
        *(
            f"CREATE POLICY monitoring ON {place}.{table} FOR SELECT TO {MONITORING_ROLE} USING (true)"
            for table in watched
        ),
        # What later migrations add.
        f"{later} GRANT {rows} ON TABLES TO {to}",
        f"{later} GRANT SELECT ON TABLES TO {MONITORING_ROLE}",
        f"{later} GRANT USAGE, SELECT ON SEQUENCES TO {to}",
        f"{later} GRANT EXECUTE ON FUNCTIONS TO {to}",
    ]
