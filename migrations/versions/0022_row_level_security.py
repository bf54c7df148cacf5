"""Row-level security on PostgreSQL: policies for every table of a group, and functions that tell whose a row is.

The owner of the tables sees everything, by a policy of its own: programs of the version before, the worker and the
commands run as that role. A role that is not the owner sees what its transaction acts for.
"""

# ruff: noqa: S608  # every name in these statements stands in this file

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_GROUPS = "ANY ((SELECT kigen_groups())::bigint[])"
_ACCOUNT = "account_id = (SELECT kigen_account())"


def _scope(name: str) -> str:
    return f"(SELECT kigen_scope()) = '{name}'"


def _parent(table: str, column: str, parent: str) -> str:
    """Return the condition that the row is seen that this one belongs to: for few rows at a time, each by its id."""
    return f"EXISTS (SELECT 1 FROM {parent} WHERE {parent}.id = {table}.{column})"


def _among(column: str, parent: str) -> str:
    """Return the same for rows of which a page reads all of a group: their parents are read once."""
    return f"{column} IN (SELECT id FROM {parent})"


# Whose a row is.
_OF = {
    "groups": f"id = {_GROUPS}",
    **dict.fromkeys(
        ("api_tokens", "group_day_totals", "group_holds", "group_usage", "imports", "invitations", "members", "people"),
        f"group_id = {_GROUPS}",
    ),
    "activity_log": f"group_id = {_GROUPS}",
    # In a CASE, so that it is no condition of an index, and without a query, which looks dear: the planner, which takes
    # every group for a small one, would read all messages of a home for each of its contacts to evaluate it less often.
    "messages": f"CASE WHEN group_id IS NOT NULL THEN group_id = {_GROUPS}"
    f" WHEN contact_id IS NULL THEN {_scope('sign_in')} ELSE kigen_sees_contact(contact_id) END",
    "contacts": f"{_among('person_id', 'people')} OR {_among('member_id', 'members')}",
    "cards": _among("person_id", "people"),
    "notices": _among("person_id", "people"),
    "assignments": _parent("assignments", "card_id", "cards"),
    "reminders": _parent("reminders", "card_id", "cards"),
    "message_reminders": _parent("message_reminders", "message_id", "messages"),
    "mentions": _parent("mentions", "message_id", "messages"),
    "replies": _parent("replies", "contact_id", "contacts"),
    "reply_choices": _parent("reply_choices", "contact_id", "contacts"),
    "calendar_feeds": _among("member_id", "members"),
    "idempotency_keys": _among("token_id", "api_tokens"),
    "import_rows": _among("import_id", "imports"),
    "receipts": f"{_scope('provider')}"
    " OR EXISTS (SELECT 1 FROM messages WHERE messages.provider_id = receipts.provider_id)",
    "unclear_replies": _scope("provider"),
    # The ledger is looked up by address, in the records of every group: by those that the transaction has named.
    "consent_records": f"group_id = {_GROUPS} OR address_index = ANY ((SELECT kigen_addresses())::bytea[])",
    "accounts": f"id = (SELECT kigen_account()) OR {_scope('sign_in')}",
    **dict.fromkeys(("challenges", "passkeys", "sessions"), f"{_ACCOUNT} OR {_scope('sign_in')}"),
    **dict.fromkeys(("login_codes", "setup_codes"), _scope("sign_in")),
}
# What else a new or changed row refers to must be seen too: (column, table).
_REFERS_TO = {
    "api_tokens": [("made_by", "members")],
    "assignments": [("contact_id", "contacts")],
    "contacts": [("person_id", "people"), ("member_id", "members")],
    "import_rows": [("person_id", "people")],
    "imports": [("member_id", "members")],
    "mentions": [("person_id", "people"), ("card_id", "cards"), ("contact_id", "contacts")],
    "message_reminders": [("reminder_id", "reminders")],
    "messages": [("contact_id", "contacts")],
    "notices": [("contact_id", "contacts"), ("card_id", "cards"), ("reply_id", "replies")],
}
# These tables are read by what looks after all groups, and changed by none of it: by a role of its own, which is there
# where `reminder database roles --sql` was run before. Otherwise those statements make its policies.
_MONITORING = "kigen_monitoring"
_WATCHED = (
    "activity_log",
    "assignments",
    "cards",
    "contacts",
    "group_holds",
    "groups",
    "imports",
    "members",
    "messages",
    "notices",
    "people",
    "receipts",
    "replies",
)

# What a transaction has said of itself: (name, parameters, result, query).
_SAID = (
    (
        "kigen_groups",
        "",
        "bigint[]",
        "SELECT coalesce(nullif(current_setting('kigen.groups', true), ''), '{}')::bigint[]",
    ),
    (
        "kigen_addresses",
        "",
        "bytea[]",
        "SELECT coalesce(nullif(current_setting('kigen.addresses', true), ''), '{}')::bytea[]",
    ),
    ("kigen_account", "", "bigint", "SELECT nullif(current_setting('kigen.account', true), '')::bigint"),
    ("kigen_scope", "", "text", "SELECT coalesce(current_setting('kigen.scope', true), '')"),
    # Of messages of the first versions, which name no group.
    ("kigen_sees_contact", "contact bigint", "boolean", "SELECT EXISTS (SELECT 1 FROM contacts WHERE id = contact)"),
    # A policy of cards cannot ask cards itself.
    ("kigen_sees_card", "card bigint", "boolean", "SELECT EXISTS (SELECT 1 FROM cards WHERE id = card)"),
)
# name -> (parameters, result, query). Each returns ids of groups, or yes and no.
_TELLING = {
    "kigen_groups_of_account": (
        "account bigint",
        "bigint[]",
        "SELECT coalesce(array_agg(DISTINCT group_id), '{}') FROM members WHERE account_id = account",
    ),
    "kigen_groups_at_address": (
        "indexes bytea[]",
        "bigint[]",
        """
        SELECT coalesce(array_agg(DISTINCT found.group_id), '{}') FROM (
            SELECT people.group_id FROM contacts JOIN people ON people.id = contacts.person_id
            WHERE contacts.address_index = ANY (indexes)
            UNION ALL SELECT members.group_id FROM contacts JOIN members ON members.id = contacts.member_id
            WHERE contacts.address_index = ANY (indexes)
            UNION ALL SELECT invitations.group_id FROM invitations
            WHERE invitations.address_index = ANY (indexes) AND invitations.ended_at IS NULL
        ) AS found
        """,
    ),
    "kigen_groups_of_contact": (
        "contact bigint",
        "bigint[]",
        """
        SELECT coalesce(array_agg(DISTINCT coalesce(people.group_id, members.group_id)), '{}') FROM contacts
        LEFT JOIN people ON people.id = contacts.person_id LEFT JOIN members ON members.id = contacts.member_id
        WHERE contacts.id = contact
        """,
    ),
    "kigen_groups_of_message": (
        "message bigint, provider text",
        "bigint[]",
        """
        SELECT coalesce(array_agg(DISTINCT coalesce(found.group_id, people.group_id, members.group_id))
            FILTER (WHERE coalesce(found.group_id, people.group_id, members.group_id) IS NOT NULL), '{}')
        FROM (
            SELECT group_id, contact_id FROM messages WHERE id = message
            UNION ALL SELECT group_id, contact_id FROM messages WHERE provider_id = provider
        ) AS found
        LEFT JOIN contacts ON contacts.id = found.contact_id
        LEFT JOIN people ON people.id = contacts.person_id LEFT JOIN members ON members.id = contacts.member_id
        """,
    ),
    "kigen_groups_of_session": (
        "hash bytea",
        "bigint[]",
        """
        SELECT coalesce(array_agg(members.group_id), '{}') FROM sessions JOIN members ON members.id = sessions.member_id
        WHERE sessions.token_hash = hash
        """,
    ),
    "kigen_groups_of_token": (
        "hash bytea",
        "bigint[]",
        """
        SELECT coalesce(array_agg(found.group_id), '{}') FROM (
            SELECT group_id FROM api_tokens WHERE token_hash = hash
            UNION ALL SELECT members.group_id FROM calendar_feeds JOIN members ON members.id = calendar_feeds.member_id
            WHERE calendar_feeds.token_hash = hash
        ) AS found
        """,
    ),
    "kigen_has_groups": ("", "boolean", "SELECT EXISTS (SELECT 1 FROM groups)"),
}


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    # CREATE FUNCTION and CREATE POLICY add, and take nothing from the owner of the tables, as which the version
    # before runs: its policy lets through every row.
    place = sa.inspect(connection).dialect.identifier_preparer.quote_identifier(
        str(connection.exec_driver_sql("SELECT current_schema()").scalar())
    )
    for name, parameters, result, query in _SAID:
        connection.exec_driver_sql(
            f"CREATE FUNCTION {name}({parameters}) RETURNS {result} LANGUAGE sql STABLE PARALLEL SAFE COST 1"
            f" AS $${query}$$"
        )
    for name, (parameters, result, query) in _TELLING.items():
        connection.exec_driver_sql(
            f"CREATE FUNCTION {name}({parameters}) RETURNS {result} LANGUAGE sql STABLE SECURITY DEFINER"
            f" SET search_path = {place}, pg_temp AS $${query}$$"
        )
    # Only the owner may count what its planner has to know.
    connection.exec_driver_sql(
        "CREATE FUNCTION kigen_analyse_sheets() RETURNS void LANGUAGE plpgsql SECURITY DEFINER"
        f" SET search_path = {place}, pg_temp AS $$ BEGIN ANALYZE import_rows; END $$"
    )
    for name, parameters in [*((name, one[0]) for name, one in _TELLING.items()), ("kigen_analyse_sheets", "")]:
        types = ", ".join(one.split()[1] for one in parameters.split(", ") if one)
        connection.exec_driver_sql(f"REVOKE EXECUTE ON FUNCTION {name}({types}) FROM PUBLIC")
    for table, whose in _OF.items():
        # A statement is checked against what it reads before anything of it is written.
        seen = [f"({column} IS NULL OR {_parent(table, column, to)})" for column, to in _REFERS_TO.get(table, ())]
        owner = connection.exec_driver_sql(
            f"SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = '{table}'::regclass"
        )
        connection.exec_driver_sql(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        connection.exec_driver_sql(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        connection.exec_driver_sql(
            f"CREATE POLICY everything ON {table} TO {owner.scalar()} USING (true) WITH CHECK (true)"
        )
        if table == "cards":
            seen = ["(carried_by IS NULL OR kigen_sees_card(carried_by))"]
        elif table == "consent_records":
            # Of one's own group, of every group, or of one that is erased.
            seen = [f"(group_id IS NULL OR group_id = 0 OR group_id = {_GROUPS})"]
        check = " AND ".join([f"({whose})", *seen])
        connection.exec_driver_sql(f"CREATE POLICY acted_for ON {table} USING ({whose}) WITH CHECK ({check})")
    # An act may be of nobody, such as the first sign-in of all; whoever writes it does not read it.
    connection.exec_driver_sql("CREATE POLICY of_nobody ON activity_log FOR INSERT WITH CHECK (group_id IS NULL)")
    connection.exec_driver_sql(
        "CREATE POLICY of_members ON accounts FOR SELECT"
        f" USING (id IN (SELECT account_id FROM members WHERE group_id = {_GROUPS}))"
    )
    if connection.exec_driver_sql(f"SELECT 1 FROM pg_roles WHERE rolname = '{_MONITORING}'").scalar():
        for table in _WATCHED:
            connection.exec_driver_sql(f"CREATE POLICY monitoring ON {table} FOR SELECT TO {_MONITORING} USING (true)")


def downgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    for table in _WATCHED:
        connection.exec_driver_sql(f"DROP POLICY IF EXISTS monitoring ON {table}")
    connection.exec_driver_sql("DROP POLICY of_members ON accounts")
    connection.exec_driver_sql("DROP POLICY of_nobody ON activity_log")
    for table in _OF:
        for policy in ("acted_for", "everything"):
            connection.exec_driver_sql(f"DROP POLICY {policy} ON {table}")
        connection.exec_driver_sql(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        connection.exec_driver_sql(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    for name in (*_TELLING, "kigen_analyse_sheets", *(one[0] for one in _SAID)):
        connection.exec_driver_sql(f"DROP FUNCTION {name}")
