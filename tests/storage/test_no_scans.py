"""Every statement of a busy week finds its rows by an index: a pass costs what is due, whatever was ever sent."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, event, text

from reminder.channels.heartbeat import HeartbeatClient
from reminder.domain.model.people import ChannelName, Copies, GroupKind
from reminder.domain.rules.preferences import Preferences
from reminder.enrolment import preferences as preference_settings
from reminder.enrolment.identity import sign_in
from reminder.errors import PermanentChannelError, SetupChannelError, TemporaryChannelError
from reminder.storage.auth import accounts
from reminder.storage.db.session import Database
from reminder.storage.outbox import receipts
from reminder.storage.runtime import heartbeats
from reminder.upkeep.audit_job import run_audit
from reminder.upkeep.metrics import exposition
from reminder.web.app import create_web
from tests import databases, web_role
from tests.bench.fill import Sizes, fill, owner_of
from tests.village import SIGNATURE_CERTIFICATE, Village
from tests.web.asking import Visitor, web_of
from tests.web.test_rights import doors

END = date(2027, 3, 31)
LARGE = "messages|message_reminders|reminders|cards|people|contacts|receipts|activity_log|replies|notices|assignments|mentions"
# Indexes that hold only what waits, so that reading all of one is reading what is due.
WHAT_WAITS = r"USING (COVERING )?INDEX (ix_cards_due|ix_cards_silent|ix_messages_(queued|leased|failed|old_bodies|to_strangers)|ix_receipts_waiting|ix_replies_waiting|ix_notices_waiting)"


@contextmanager
def overheard(engine: Engine) -> Iterator[dict[str, Any]]:
    """Statement -> the values of one time it ran."""
    heard: dict[str, Any] = {}

    def hear(_connection: object, _cursor: object, statement: str, values: Any, _context: object, many: bool) -> None:
        if statement.startswith(("SELECT", "UPDATE", "DELETE")):
            heard[statement] = values[0] if many else values

    event.listen(engine, "before_cursor_execute", hear)
    yield heard
    event.remove(engine, "before_cursor_execute", hear)


def a_busy_week(village: Village) -> None:
    village.member("娘", "musume@example.jp")
    for place, label in enumerate(("父", "母", "祖母", "祖父")):
        village.person(label, phone=f"090-0000-000{place}")
        village.contact(label, ChannelName.EMAIL, f"hito{place}@example.jp")
        village.card(label, END)
        village.card(label, END, SIGNATURE_CERTIFICATE)
    village.sms.fail_next(TemporaryChannelError("503"))
    village.sms.lose_answer_next()
    village.sms.fail_next(PermanentChannelError("21211"))
    village.sms.fail_next(SetupChannelError("20003"))
    village.run_until("2027-01-08 00:00")
    with village.app.database.writing() as tx:
        arrived = f"memory-{village.sms.sent[0].message_id}"
        receipts.keep(
            tx, provider_id=arrived, status="undelivered", error_code="30003", message_id=None, now=village.now
        )
    for words in ("あとで", "家族にきいて", "１", "だれ？", "ねこ"):
        village.answers("母", words)
    village.renew(1, date(2032, 3, 31))
    preferences = Preferences(own_days=(60, 30, 7), send_hour=10)
    with village.app.writing() as uow:
        preference_settings.set_preferences(uow, group_id=1, preferences=preferences)
        preference_settings.set_copies(uow, member_id=1, copies=Copies.NEAR)
    village.stop(2)
    village.group(GroupKind.HOME, "見本の里")
    village.member("事務", "office@example.jp")
    village.person("ハナさん", room="201")
    village.card("ハナさん", END)
    village.run_until("2027-02-02 00:00")


def test_no_statement_of_a_busy_week_reads_a_whole_table(village: Village) -> None:
    engine = village.app.database.engine
    with overheard(engine) as heard:
        a_busy_week(village)

    assert len(heard) > 40, "the week was not busy enough to prove anything"
    assert whole_tables(village, heard) == []


def test_no_question_of_the_auditor_and_no_counter_reads_a_whole_table(village: Village) -> None:
    a_busy_week(village)
    # The first one makes the installation's secret from the newest row of each table; it is the only one to look there.
    run_audit(village.app.units, village.now, HeartbeatClient(None, None), keeps_time=True)
    village.clock.move_to(village.now + timedelta(minutes=1))
    with village.app.database.writing() as tx:
        tx.execute(text("UPDATE cards SET next_reminder_on = NULL WHERE id = 1"))
        heartbeats.record(tx, heartbeats.COUNTED, village.now - timedelta(days=1))

    with overheard(village.app.database.engine) as heard:
        for _ in range(2):
            run_audit(village.app.units, village.now, HeartbeatClient(None, None), keeps_time=True)
            village.clock.move_to(village.now + timedelta(minutes=1))
        exposition(village.app.units, village.now)

    asked = " ".join(heard)
    assert all(table in asked for table in ("messages", "cards", "receipts", "replies", "notices", "imports"))
    assert whole_tables(village, heard) == []


def whole_tables(village: Village, heard: dict[str, Any]) -> list[str]:
    """What the statements that were heard would read whole."""
    return whole_tables_of(village.app.database, heard)


def whole_tables_of(database: Database, heard: dict[str, Any]) -> list[str]:
    """The same as the role of this database: the policies of the web's role are in its plans."""
    with database.engine.connect() as connection:
        if database.is_sqlite:
            found = [whole_table_on_sqlite(connection, statement, values) for statement, values in heard.items()]
        else:
            connection.execute(text("SET enable_seqscan = off"))
            _let_the_planner_know_the_cards(database.url)
            found = [whole_table_on_postgresql(connection, statement, values) for statement, values in heard.items()]
    return [one for one in found if one]


def _let_the_planner_know_the_cards(url: str) -> None:
    """Give PostgreSQL the values of a table of cards that was never analysed, but not that there are few.

    It takes an unknown table for the smaller the wider its rows are: then for so small that any index may be read whole.
    """
    with psycopg.connect(databases.as_role(url, databases.SUPERUSER)) as connection:
        if connection.execute("SELECT reltuples < 0 FROM pg_class WHERE relname = 'cards'").fetchone() == (True,):
            connection.execute("ANALYZE cards")
            connection.execute("UPDATE pg_class SET reltuples = -1, relpages = 0 WHERE relname = 'cards'")


def whole_table_on_sqlite(connection: Any, statement: str, values: Any) -> str | None:
    rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
    bad = [row[3] for row in rows if re.match(rf"SCAN ({LARGE})\b", row[3]) and not re.search(WHAT_WAITS, row[3])]
    return f"{bad}: {statement}" if bad else None


def whole_table_on_postgresql(connection: Any, statement: str, values: Any) -> str | None:
    """Also one that is read whole through an index, such as its primary key backwards."""
    ((found,),) = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", values)
    # Of an empty table it makes no difference how it is read.
    empty = set(
        connection.execute(
            text("SELECT relname FROM pg_class WHERE relkind = 'r' AND reltuples BETWEEN 0 AND 500")
        ).scalars()
    )
    bad = [node for node in nodes(found[0]["Plan"]) if reads_all(node) and node["Relation Name"] not in empty]
    return (
        f"{[(node['Node Type'], node['Relation Name'], node.get('Filter')) for node in bad]}: {statement}"
        if bad
        else None
    )


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


def reads_all(node: dict[str, Any]) -> bool:
    if not re.fullmatch(LARGE, node.get("Relation Name", "")):
        return False
    by_index = node["Node Type"] in ("Index Scan", "Index Only Scan")
    waits = by_index and re.search(WHAT_WAITS, f"USING INDEX {node['Index Name']}")
    return node["Node Type"] == "Seq Scan" or (by_index and "Index Cond" not in node and not waits)


SIZES = Sizes(households=1_000, homes=2, residents_each=10, residents_of_the_largest=20, messages=9_000, receipts=1_000)
A_HOUSEHOLD = 150


def test_no_statement_of_the_pages_and_of_a_pass_reads_a_whole_table_of_a_service_with_many(village: Village) -> None:
    """Of a small database a planner may well read all: this one is large enough for it to use what indexes there are."""
    app = village.app
    fill(app.database.url, app.keys, village.now, SIZES)
    person_id = (A_HOUSEHOLD - 1) * SIZES.people_each + 1
    ids = {"person_id": person_id, "card_id": person_id * SIZES.cards_each, "contact_id": person_id, "sheet": "fridge"}
    with app.units.writing(village.now) as uow:
        account = accounts.at_address(uow.tx, app.keys, owner_of(A_HOUSEHOLD))
        assert account is not None
        cookie = {"cookie": f"kigen={sign_in.enter(uow, account, 'test').token}", "accept": "text/html"}
        uow.tx.execute(text("UPDATE cards SET next_reminder_on = :day WHERE id % 40 = 0"), {"day": uow.today})
    visitor = Visitor(web_of(village, local_pages=False))
    paths = [door.path for door in doors(create_web(app, local_pages=False)) if door.method == "GET"]

    web = web_role.app_of_web(app).database
    with overheard(web.engine) as on_pages:
        shown = 0
        for path in paths:
            if set(re.findall(r"{([^}]+)}", path)) <= ids.keys():
                shown += visitor.get(path.format(**ids), cookie).status == 200
    with overheard(app.database.engine) as in_pass:
        village.pass_once()

    assert shown > 25, "hardly a page was shown"
    assert len(on_pages | in_pass) > 60
    found = whole_tables_of(web, on_pages) + whole_tables(village, in_pass)
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM messages WHERE reason = 'x'",
        "SELECT * FROM messages WHERE reason = 'x' OR id IN (1, 2) ORDER BY id DESC LIMIT 10",
    ],
)
def test_the_look_at_the_plans_would_see_a_whole_table_being_read(village: Village, statement: str) -> None:
    with village.app.database.engine.connect() as connection:
        if village.app.database.is_sqlite:
            assert whole_table_on_sqlite(connection, statement, ())
        else:
            assert whole_table_on_postgresql(connection, statement, ())
