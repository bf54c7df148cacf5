"""How tests wait: for what happens, and never for a time that a busy machine would need more of."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

# Seconds after which what does not come is taken for lost. Nothing that works takes so long, on any machine.
PATIENCE = 300


def until(true: Callable[[], bool], what: str) -> None:
    """Ask again and again, for another process cannot tell us; give up with `what` was waited for."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, f"gave up waiting until {what}"
        time.sleep(0.02)


class _SkippingLoop(asyncio.SelectorEventLoop):
    """An event loop whose time can be moved on."""

    skipped = 0.0

    def time(self) -> float:
        return super().time() + self.skipped


def out_of_time(after: Callable[[], object] | None = None) -> Callable[[Coroutine[Any, Any, T]], T]:
    """Return what runs a coroutine, as asyncio.run does, but whose time-outs are over as soon as `after` returns, which
    may block; without it, at once. So no test waits for a time-out, and none has a short one that may end too early."""

    def run(work: Coroutine[Any, Any, T]) -> T:
        with asyncio.Runner(loop_factory=_SkippingLoop) as runner:
            return runner.run(_skipping(work, after))

    return run


async def _skipping(work: Awaitable[T], after: Callable[[], object] | None) -> T:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, _SkippingLoop)
    working = asyncio.ensure_future(work)
    if after is not None:
        await loop.run_in_executor(None, after)
    while not working.done():
        loop.skipped += 60
        await asyncio.sleep(0)
    return await working
