"""Rates of requests of the API: each process takes a portion of a shared rate, and answers so many without a write.

The shared rate is a row (`storage/runtime/request_rates`), so that several processes allow no more than one would. A
portion is taken ahead of its requests: the limit is never exceeded, and what is left of an old portion is lost.
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil

from reminder.storage.db.unit_of_work import UnitsOfWork
from reminder.storage.runtime import request_rates
from reminder.storage.runtime.request_rates import Allowance

MINUTE = timedelta(minutes=1)
# A twentieth of a minute's requests is taken at a time, and forgotten after ten seconds.
_PORTIONS, _KEPT = 20, timedelta(seconds=10)
# Programs and networks that are remembered: those that have not asked for longest are forgotten first.
_MOST_NAMES = 10_000


@dataclass(frozen=True)
class Rate:
    """The state of a rate after one request. `resets`: the time until all of it may be used again."""

    is_allowed: bool
    most: int
    left: int
    resets: timedelta
    wait: timedelta

    @property
    def retry_after(self) -> int:
        """Return the whole seconds until a request is allowed, at least one."""
        return max(1, ceil(self.wait.total_seconds()))

    @property
    def headers(self) -> Mapping[str, str]:
        """Return the RateLimit header fields (draft-ietf-httpapi-ratelimit-headers)."""
        return {
            "ratelimit-limit": str(self.most),
            "ratelimit-remaining": str(self.left),
            "ratelimit-reset": str(ceil(self.resets.total_seconds())),
            "ratelimit-policy": f"{self.most};w={MINUTE // timedelta(seconds=1)}",
        }


@dataclass(frozen=True)
class _Held:
    """What a process has of a rate: `count` requests until `until`.

    `left`: in the shared row, besides. `is_over`: nothing is allowed until then, and nobody need ask.
    """

    count: int
    left: int
    until: datetime
    is_over: bool = False


class RequestRates:
    """The rates that this process knows of."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._changing = threading.Lock()

    def ask(self, units: UnitsOfWork, now: datetime, name: str, *, most: int) -> Rate:
        """Count one request of `most` a minute, and return whether it is allowed."""
        with self._changing:
            held = self._held.get(name)
            if held is not None and now < held.until:
                if held.count:
                    held = replace(held, count=held.count - 1)
                    self._keep(name, held)
                    return _rate(most, held.count + held.left, allowed=True)
                if held.is_over:
                    return _rate(most, held.left, allowed=False, wait=held.until - now)
        portion = max(1, most // _PORTIONS)
        with units.writing(now) as uow:
            taken = request_rates.take(uow.tx, name, portion, most=most, within=MINUTE, now=now)
            if not taken.is_allowed and 0 < taken.left < portion:
                portion = taken.left
                taken = request_rates.take(uow.tx, name, portion, most=most, within=MINUTE, now=now)
            elif not taken.is_allowed:
                taken = _soonest(taken, portion, most)
        with self._changing:
            if taken.is_allowed:
                before = self._held.get(name)
                # Another request may have taken a portion meanwhile.
                also = before.count if before is not None and now < before.until else 0
                self._keep(name, _Held(portion - 1 + also, taken.left, now + _KEPT))
                return _rate(most, portion - 1 + also + taken.left, allowed=True)
            self._keep(name, _Held(0, taken.left, now + taken.wait, is_over=True))
        return _rate(most, taken.left, allowed=False, wait=taken.wait)

    def _keep(self, name: str, held: _Held) -> None:
        self._held[name] = held
        self._held.move_to_end(name)
        while len(self._held) > _MOST_NAMES:
            self._held.popitem(last=False)


def _soonest(refused: Allowance, portion: int, most: int) -> Allowance:
    """Return the refusal with the time until one request would be allowed, instead of a whole portion."""
    return replace(refused, wait=max(refused.wait - MINUTE * (portion - 1) / most, timedelta(milliseconds=1)))


def _rate(most: int, left: int, *, allowed: bool, wait: timedelta = timedelta(0)) -> Rate:
    return Rate(allowed, most, left, MINUTE * (most - left) / most, wait)
