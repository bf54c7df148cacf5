"""What is measured side by side, each in a process of its own: `python -m tests.bench.contenders NAME DATABASE SINK KEY [--to-the-end]`.

Each sends what is due in its database to the same sink, and says when it is done. They are written as their own
documentation advises, with what makes them quickest. All that are asynchronous post with Twilio's client over the same
transport, so that what differs is the queue.
"""

import asyncio
import importlib.util
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twilio.rest.api.v2010.account.message import MessageList

    from reminder.channels.twilio.transport import Transport

SENDER, ACCOUNT, TOKEN = "KIGEN", "AC" + "fa" * 16, "invented-token"
TEXT = "【期限だより】お知らせ {number}。マイナンバーカードの電子証明書は2027年3月31日が期限です。"
TOTAL = int(os.environ.get("BENCH_TOTAL", "10000"))
IN_FLIGHT = 64


def number(place: int) -> str:
    return f"+8190{place:08}"


def ours(database: str, sink: str, key: str) -> None:
    """The worker's own sending, until nothing more is due."""
    from reminder.storage.runtime import heartbeats
    from reminder.worker.jobs import send

    with _our_app(database, sink, key) as app:
        print("ready", flush=True)
        while True:
            send(app, lambda: True)
            with app.database.reading() as tx:
                if not heartbeats.messages_due(tx, app.clock.now()):
                    return


def ours_to_the_end(database: str, sink: str, key: str) -> None:
    """The same, until every message has an outcome: what another worker was handing over is asked about."""
    from sqlalchemy import text

    from reminder.worker.jobs import JOBS, run_once, send

    asking = tuple(job for job in JOBS if job.name == "reconciled")
    with _our_app(database, sink, key) as app:
        print("ready", flush=True)
        while True:
            send(app, lambda: True)
            run_once(app, app.clock.now(), asking)
            with app.database.reading() as tx:
                if not tx.execute(text(f"SELECT 1 FROM messages WHERE {WITHOUT_OUTCOME} LIMIT 1")).first():
                    return
            time.sleep(0.2)


WITHOUT_OUTCOME = "state IN ('queued', 'sending', 'unknown')"


def _our_app(database: str, sink: str, key: str) -> Any:
    from reminder import garbage
    from reminder.wiring import build_app, read_settings

    settings = read_settings(
        database_url=database,
        secret_keys=(key,),
        twilio_account_sid=ACCOUNT,
        twilio_auth_token=TOKEN,
        twilio_from=SENDER,
        twilio_base_url=sink,
        sms_per_second=100_000,
        data_dir=os.environ.get("BENCH_FOLDER", "/tmp"),
    )
    garbage.collect_less_often()
    return build_app(settings)


def claim_and_record(database: str, sink: str, key: str) -> None:
    """Ours without anybody to send to: what the database alone allows."""
    from reminder.channels.memory import MemoryChannel
    from reminder.delivery.sender import Sender
    from reminder.domain.model.people import ChannelName
    from reminder.wiring import build_app, read_settings

    folder = os.environ.get("BENCH_FOLDER", "/tmp")
    with build_app(read_settings(database_url=database, secret_keys=(key,), data_dir=folder)) as app:
        channels = {ChannelName.SMS: MemoryChannel()}
        sender = Sender(app.database, app.keys, app.clock, channels, per_second=None, stop_url=lambda *_: None)
        print("ready", flush=True)
        while sender.send_due(app.loop.run):
            pass


def sdk(sink: str) -> "tuple[Transport, MessageList]":
    """Twilio's own client over the transport of ours, which closes it."""
    from twilio.rest import Client

    from reminder.channels.twilio.transport import Transport

    transport = Transport(sink, 10)
    return transport, Client(ACCOUNT, TOKEN, http_client=transport).messages


async def hand_over(messages: "MessageList", place: int) -> None:
    await messages.create_async(to=number(place), from_=SENDER, body=TEXT.format(number=place))


def bare_sdk(database: str, sink: str, key: str) -> None:
    """Twilio's own client and nothing else: no database, no keys, nothing kept."""

    async def main() -> None:
        transport, messages = sdk(sink)
        places = iter(range(TOTAL))

        async def hand() -> None:
            for place in places:
                await hand_over(messages, place)

        print("ready", flush=True)
        async with asyncio.TaskGroup() as concurrency:
            for _ in range(IN_FLIGHT):
                concurrency.create_task(hand())
        await transport.close()

    asyncio.run(main())


# ── APScheduler: one stored job for each reminder ──


def post(sink: str, place: int) -> None:
    """A job of APScheduler's: with the SDK's synchronous client, kept by each thread."""
    client = getattr(_of_thread, "client", None)
    if client is None:
        from twilio.http.http_client import TwilioHttpClient
        from twilio.rest import Client

        class ToSink(TwilioHttpClient):
            def request(self, method: str, url: str, *arguments: object, **named: object) -> object:
                return super().request(method, url.replace("https://api.twilio.com", sink), *arguments, **named)

        client = _of_thread.client = Client(ACCOUNT, TOKEN, http_client=ToSink(timeout=10))
    client.messages.create(to=number(place), from_=SENDER, body=TEXT.format(number=place))


_of_thread = threading.local()


def _scheduler(database: str) -> "object":
    from apscheduler.executors.pool import ThreadPoolExecutor
    from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
    from apscheduler.schedulers.background import BackgroundScheduler

    return BackgroundScheduler(
        jobstores={"default": SQLAlchemyJobStore(url=database.replace("postgresql://", "postgresql+psycopg://"))},
        executors={"default": ThreadPoolExecutor(10)},
        job_defaults={"misfire_grace_time": None, "coalesce": True},
        timezone="UTC",
    )


def fill_apscheduler(database: str, sink: str) -> None:
    scheduler = _scheduler(database)
    scheduler.start(paused=True)
    due = datetime.now(UTC) - timedelta(minutes=1)
    for place in range(TOTAL):
        scheduler.add_job("tests.bench.contenders:post", "date", run_date=due, args=(sink, place), id=str(place))
    # It is left paused: to shut it down would wake it, and what is due would run here.


def apscheduler(database: str, sink: str, key: str) -> None:
    logging.disable(logging.ERROR)
    scheduler = _scheduler(database)
    print("ready", flush=True)
    scheduler.start()
    while scheduler.get_jobs():
        time.sleep(0.2)
    scheduler.shutdown()


# ── Procrastinate ──


def _tasks(database: str, sink: str) -> Any:
    import procrastinate

    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=database))
    transport, messages = sdk(sink)

    @app.task(name="post", queue="texts")
    async def post_async(place: int) -> None:
        await hand_over(messages, place)

    return app, post_async, transport


def fill_procrastinate(database: str, sink: str) -> None:
    async def main() -> None:
        app, post_async, _ = _tasks(database, sink)
        async with app.open_async():
            await app.schema_manager.apply_schema_async()
            for start in range(0, TOTAL, 1000):
                await post_async.batch_defer_async(
                    *({"place": place} for place in range(start, min(TOTAL, start + 1000)))
                )

    asyncio.run(main())


def procrastinate(database: str, sink: str, key: str, *, to_the_end: bool = False) -> None:
    """`to_the_end`: what a worker left behind that has stopped beating is tried again, as its guide to stalled jobs has
    it."""
    logging.disable(logging.ERROR)

    async def main() -> None:
        app, _, transport = _tasks(database, sink)
        async with app.open_async():
            print("ready", flush=True)
            while True:
                await app.run_worker_async(
                    concurrency=32, wait=False, install_signal_handlers=False, delete_jobs="always"
                )
                if not to_the_end or not await app.job_manager.list_jobs_async():
                    break
                await asyncio.sleep(1)
                for job in await app.job_manager.get_stalled_jobs():
                    await app.job_manager.retry_job(job)
        await transport.close()

    asyncio.run(main())


# ── PgQueuer: its tables are `durable` and vacuumed as its guide to performance advises ──


def fill_pgqueuer(database: str, sink: str) -> None:
    import asyncpg
    from pgqueuer.db import AsyncpgDriver
    from pgqueuer.queries import Queries

    async def main() -> None:
        connection = await asyncpg.connect(database)
        queries = Queries(AsyncpgDriver(connection))
        await queries.install()
        await queries.optimize_autovacuum()
        for start in range(0, TOTAL, 1000):
            places = [str(place).encode() for place in range(start, min(TOTAL, start + 1000))]
            await queries.enqueue(["post"] * len(places), list(places), [0] * len(places))
        await connection.close()

    asyncio.run(main())


async def _drain(driver: Any, sink: str, *, batch_size: int, at_once: int, is_done: Any = None) -> None:
    """`is_done`: it is asked from time to time, and the queue is not left before; without it the queue is left when
    nothing waits."""
    from pgqueuer import PgQueuer
    from pgqueuer.models import Job
    from pgqueuer.types import QueueExecutionMode

    transport, messages = sdk(sink)
    queue = PgQueuer(driver)

    async def post_async(job: Job) -> None:
        await hand_over(messages, int(job.payload or b""))

    async def end() -> None:
        while not await is_done():  # noqa: ASYNC110  # its own worker says nothing when a queue is empty
            await asyncio.sleep(0.5)
        queue.shutdown.set()

    queue.entrypoint("post", accepts_context=False)(post_async)
    print("ready", flush=True)
    mode = QueueExecutionMode.continuous if is_done else QueueExecutionMode.drain
    ending = asyncio.create_task(end()) if is_done else None
    await queue.run(batch_size=batch_size, max_concurrent_tasks=at_once, mode=mode)
    if ending is not None:
        await ending
    await transport.close()


def pgqueuer(database: str, sink: str, key: str, *, to_the_end: bool = False) -> None:
    """Over one connection of its own, as its guide advises for the manager of a queue; on uvloop, as its command.

    `to_the_end`: also what another had picked, which is picked again when it has not beaten for 30 seconds."""
    import asyncpg
    import uvloop
    from pgqueuer.db import AsyncpgDriver

    logging.disable(logging.ERROR)

    async def main() -> None:
        connection, looking = await asyncpg.connect(database), await asyncpg.connect(database)

        async def is_done() -> bool:
            return not await looking.fetchval("SELECT EXISTS (SELECT 1 FROM pgqueuer)")

        await _drain(
            AsyncpgDriver(connection), sink, batch_size=32, at_once=IN_FLIGHT, is_done=is_done if to_the_end else None
        )
        await connection.close()
        await looking.close()

    uvloop.run(main())


def pgqueuer_pool(database: str, sink: str, key: str) -> None:
    """Over a pool, as the same guide advises for many jobs: they are marked as done side by side."""
    import asyncpg
    import uvloop
    from pgqueuer.db import AsyncpgPoolDriver

    logging.disable(logging.ERROR)

    async def main() -> None:
        async with asyncpg.create_pool(database, min_size=5, max_size=20) as pool:
            await _drain(AsyncpgPoolDriver(pool), sink, batch_size=100, at_once=200)

    uvloop.run(main())


# ── DBOS: a workflow of one step for each reminder, on a queue without limits ──

_WORKFLOW, _QUEUE, _VERSION = "post_durably", "texts", "1"


def fill_dbos(database: str, sink: str) -> None:
    from dbos import DBOSClient, run_dbos_database_migrations
    from sqlalchemy import create_engine

    run_dbos_database_migrations(database)
    engine = create_engine(database.replace("postgresql://", "postgresql+psycopg://"))
    client = DBOSClient(system_database_url=database, application_name="bench")
    client.register_queue(_QUEUE)
    with engine.begin() as connection:
        for place in range(TOTAL):
            client.enqueue_in_transaction(connection, {"workflow_name": _WORKFLOW, "queue_name": _QUEUE}, place)
    client.destroy()
    engine.dispose()


def dbos(database: str, sink: str, key: str) -> None:
    from dbos import DBOS

    logging.disable(logging.ERROR)
    DBOS(
        config={
            "name": "bench",
            "system_database_url": database,
            "application_version": _VERSION,
            "executor_id": "worker",
            "log_level": "CRITICAL",
        }
    )
    _, messages = sdk(sink)

    @DBOS.step()
    async def post_step(place: int) -> None:
        await hand_over(messages, place)

    @DBOS.workflow(name=_WORKFLOW)
    async def post_durably(place: int) -> None:
        await post_step(place)

    DBOS.launch()
    print("ready", flush=True)
    while DBOS.list_workflows(status=["ENQUEUED", "PENDING"], limit=1, load_input=False, load_output=False):
        time.sleep(0.2)
    DBOS.destroy()


def memory(what: str, process: "int | str" = "self") -> int:
    """MB that are resident now (VmRSS) or were at the most (VmHWM). What getrusage calls so counts the process that has
    started this one."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.split(f"{what}:")[1].split()[0]) // 1024


CONTENDERS: dict[str, Callable[[str, str, str], None]] = {
    "ours": ours,
    "claim and record": claim_and_record,
    "bare SDK": bare_sdk,
    "APScheduler": apscheduler,
    "Procrastinate": procrastinate,
    "PgQueuer": pgqueuer,
    "PgQueuer, pool": pgqueuer_pool,
    "DBOS": dbos,
}
# Those that are to go on after a kill until nothing is left; the others do so anyway.
TO_THE_END: dict[str, Callable[[str, str, str], None]] = {
    "ours": ours_to_the_end,
    "Procrastinate": partial(procrastinate, to_the_end=True),
    "PgQueuer": partial(pgqueuer, to_the_end=True),
}
# What puts everything due into a database, of those that are not ours: by database and sink.
FILLS: dict[str, Callable[[str, str], None]] = {
    "APScheduler": fill_apscheduler,
    "Procrastinate": fill_procrastinate,
    "PgQueuer": fill_pgqueuer,
    "PgQueuer, pool": fill_pgqueuer,
    "DBOS": fill_dbos,
}
NEEDS = {
    "APScheduler": ("apscheduler",),
    "Procrastinate": ("procrastinate",),
    "PgQueuer": ("pgqueuer", "asyncpg"),
    "PgQueuer, pool": ("pgqueuer", "asyncpg"),
    "DBOS": ("dbos",),
}


def is_installed(name: str) -> bool:
    return all(importlib.util.find_spec(module) is not None for module in NEEDS.get(name, ()))


if __name__ == "__main__":
    (TO_THE_END if "--to-the-end" in sys.argv else CONTENDERS)[sys.argv[1]](*sys.argv[2:5])
    print(memory("VmHWM"), flush=True)
    if sys.argv[1] == "DBOS":
        # It leaves threads that end when they like.
        sys.stdout.flush()
        os._exit(0)
