"""The server that runs the pages: how many requests it works on at once."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from anyio import to_thread

from reminder.web.server import keep_threads_few
from tests.patience import PATIENCE


def run(story: Callable[[], Coroutine[Any, Any, None]], *, long: float = 0.05) -> None:
    async def told() -> None:
        keeper = asyncio.create_task(keep_threads_few(2, long))
        await asyncio.sleep(0)
        await story()
        keeper.cancel()

    asyncio.run(asyncio.wait_for(told(), timeout=PATIENCE))


def test_no_more_than_the_chosen_number_is_worked_on_at_once() -> None:
    at_once, most, lock = 0, 0, threading.Lock()

    def work() -> None:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        sum(range(10_000))
        with lock:
            at_once -= 1

    async def story() -> None:
        await asyncio.gather(*(to_thread.run_sync(work) for _ in range(50)))

    run(story, long=3600)

    assert most <= 2


def test_requests_that_take_long_do_not_keep_others_waiting() -> None:
    may_end = threading.Event()

    async def story() -> None:
        long = [asyncio.create_task(to_thread.run_sync(may_end.wait)) for _ in range(2)]
        await to_thread.run_sync(may_end.set)  # it could never begin if the two held all that there is
        await asyncio.gather(*long)

    run(story)

    assert may_end.is_set()
