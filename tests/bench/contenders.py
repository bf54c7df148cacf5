"""What is measured side by side, each in a process of its own: `python -m tests.bench.contenders NAME DATABASE SINK KEY`.

Each sends what is due in its database to the same sink, and says when it is done. They are written as their own
documentation advises, with what makes them quickest.
"""

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

SENDER, ACCOUNT, TOKEN = "KIGEN", "AC" + "fa" * 16, "invented-token"
TEXT = "【期限だより】お知らせ {number}。マイナンバーカードの電子証明書は2027年3月31日が期限です。"
TOTAL = int(os.environ.get("BENCH_TOTAL", "10000"))
IN_FLIGHT = 64


def number(place: int) -> str:
    return f"+8190{place:08}"


def ours(database: str, sink: str, key: str) -> None:
    """The worker's own sending, until nothing more is due."""
    from reminder import garbage
    from reminder.storage.runtime import heartbeats
    from reminder.wiring import build_app, read_settings
    from reminder.worker.jobs import send

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
    with build_app(settings) as app:
        print("ready", flush=True)
        while True:
            send(app, lambda: True)
            with app.database.reading() as tx:
                if not heartbeats.messages_due(tx, app.clock.now()):
                    return


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


def bare_sdk(database: str, sink: str, key: str) -> None:
    """Twilio's own client and nothing else: no database, no keys, nothing kept."""
    from twilio.rest import Client

    from reminder.channels.twilio.transport import Transport

    async def main() -> None:
        transport = Transport(sink, 10)
        messages = Client(ACCOUNT, TOKEN, http_client=transport).messages
        places = iter(range(TOTAL))

        async def hand() -> None:
            for place in places:
                await messages.create_async(to=number(place), from_=SENDER, body=TEXT.format(number=place))

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
    import logging

    logging.disable(logging.ERROR)
    scheduler = _scheduler(database)
    print("ready", flush=True)
    scheduler.start()
    while scheduler.get_jobs():
        time.sleep(0.2)
    scheduler.shutdown()


# ── Procrastinate ──


def _tasks(database: str, sink: str) -> "object":
    import aiohttp
    import procrastinate

    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=database))
    session: list[aiohttp.ClientSession] = []

    @app.task(name="post", queue="texts")
    async def post_async(place: int) -> None:
        if not session:
            session.append(aiohttp.ClientSession())
        form = {"To": number(place), "From": SENDER, "Body": TEXT.format(number=place)}
        url = f"{sink}/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
        async with session[0].post(url, data=form, auth=aiohttp.BasicAuth(ACCOUNT, TOKEN)) as answer:
            await answer.read()

    return app, post_async, session


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


def procrastinate(database: str, sink: str, key: str) -> None:
    import logging

    logging.disable(logging.ERROR)

    async def main() -> None:
        app, _, session = _tasks(database, sink)
        async with app.open_async():
            print("ready", flush=True)
            await app.run_worker_async(concurrency=32, wait=False, install_signal_handlers=False, delete_jobs="always")
            for one in session:
                await one.close()

    asyncio.run(main())


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
}

if __name__ == "__main__":
    CONTENDERS[sys.argv[1]](*sys.argv[2:])
    print(memory("VmHWM"), flush=True)
