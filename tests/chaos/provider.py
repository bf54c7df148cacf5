"""A Twilio at its worst, by chance from a seed: it takes texts and says nothing, is busy, lags, and repeats itself."""

import asyncio
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import aiohttp
from aiohttp import web

from tests.chaos.clocks import FastClock
from tests.fakes import twilio as fake
from tests.fakes.twilio import Behaviour, FakeTwilio, Text

# How many of a hundred posts are answered so; the others well.
FAULTS: tuple[tuple[float, Behaviour], ...] = (
    (2, fake.ACCEPT_THEN_RESET),
    (1, fake.ACCEPT_THEN_HANG),
    (2, fake.ACCEPT_THEN_TRUNCATE),
    (1, fake.accept_then_answer(500)),
    (1, fake.RESET),
    (0.5, fake.HANG),
    (3, fake.refuse(429, 20429)),
    (2, fake.refuse(429, 20429, retry_after="20")),
    (2, fake.refuse(500, 20500)),
    (1, fake.refuse(503, 20503, problem=True)),
)
# How many of a hundred lists are answered so.
LIST_FAULTS: tuple[tuple[float, Behaviour], ...] = (
    (2, Behaviour(accepts=False, status=503)),
    (1, Behaviour(accepts=False, status=429, retry_after="10")),
    (1, fake.RESET),
)
# What becomes of a text: the words of its callbacks in their order, with the error code of the last, and how many of a
# hundred end so. Some networks never say more than "sent".
FATES: tuple[tuple[float, tuple[str, ...], int | None], ...] = (
    (86, ("sent", "delivered"), None),
    (6, ("sending", "sent", "delivered"), None),
    (3, ("sent",), None),
    (3, ("sent", "undelivered"), 30003),  # switched off: tried again tomorrow
    (1, ("sent", "undelivered"), 30008),
    (1, ("undelivered",), 30005),  # nobody has this number: another way, today
)
# One number in a hundred is a landline: it is refused each time, whenever it is tried.
NO_SMS = 1
# Callbacks come within so many seconds of the run, in any order, some before the answer; half the lists lag so far.
LATEST_CALLBACK, LIST_LAG = 60.0, 50.0
CALLBACKS_AT_ONCE, TRIES = 8, 200
LOST = 0.05
# What a later word may say of a text about which an earlier one was said.
_RANK = {"accepted": 0, "queued": 0, "sending": 1, "sent": 2, "delivered": 3, "undelivered": 3, "failed": 3}


@dataclass
class Fate:
    text: Text
    reference: str  # of the message, as the callback names it
    last_word: str
    lag: float
    pending: int = 0  # callbacks still on their way
    answer_waits: float = 0.0
    heard_at: datetime | None = None  # when the callback with the last word was taken

    @property
    def is_heard(self) -> bool:
        return self.heard_at is not None

    @property
    def at(self) -> datetime:
        return self.text.created_at


class HostileTwilio(FakeTwilio):
    """Its own record (`fates`) is the truth a run is held against."""

    def __init__(
        self, seed: int, clock: FastClock, *, is_calm_by_nature: bool = False, repeats_callbacks: bool = True
    ) -> None:
        """`is_calm_by_nature`: it does what it should, and every text arrives. `repeats_callbacks`: a callback that is
        not taken comes again; otherwise it is lost, and one in `LOST` never comes at all, as with the real one."""
        super().__init__(now=clock.now, strict=False)
        self._behaves = is_calm_by_nature
        self._tries, self._lost = (TRIES, 0.0) if repeats_callbacks else (1, LOST)
        self._latest_callback = 5.0 if is_calm_by_nature else LATEST_CALLBACK
        self.outcomes: dict[str, Fate] = {}
        self.faults: dict[str, int] = {}
        self._to: dict[str, list[Fate]] = {}
        self._clock = clock
        self._chance = random.Random(seed)
        self._posting: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None
        self._door: asyncio.Semaphore | None = None

    @property
    def is_calm(self) -> bool:
        return not self._posting

    def takes_sms(self, number: str) -> bool:
        return random.Random(number).uniform(0, 100) >= NO_SMS

    def close(self) -> None:
        self._thread.run(self._stop_posting())
        super().close()

    async def _stop_posting(self) -> None:
        for task in self._posting:
            task.cancel()
        if self._session is not None:
            await self._session.close()

    # ── what it does by chance ──

    def _next_behaviour(self, to: str) -> Behaviour:
        if self._behaves:
            return fake.ACCEPT
        if not self.takes_sms(to):
            return fake.refuse(400, 21614)
        return self._drawn(FAULTS) or fake.ACCEPT

    def _drawn(self, faults: tuple[tuple[float, Behaviour], ...]) -> Behaviour | None:
        roll = self._chance.uniform(0, 100)
        for share, behaviour in faults:
            roll -= share
            if roll < 0:
                name = f"{behaviour.then.value} {behaviour.status}{', taken' if behaviour.accepts else ''}"
                self.faults[name] = self.faults.get(name, 0) + 1
                return behaviour
        return None

    def _take(self, form: Mapping[str, str]) -> Text:
        text = super()._take(form)
        shares = [share for share, _, _ in FATES]
        _, words, error = FATES[0] if self._behaves else self._chance.choices(FATES, shares)[0]
        lag = self._chance.uniform(0, LIST_LAG) if self._chance.random() < 0.5 else 0.0
        fate = Fate(text, (text.status_callback or "m=").rsplit("m=", 1)[1], words[-1], lag)
        if self._chance.random() < 0.1:
            fate.answer_waits = self._chance.uniform(0, 5)
        self.outcomes[text.sid] = fate
        self._to.setdefault(text.to, []).append(fate)
        for word, after in self._order(words):
            fate.pending += 1
            task = asyncio.get_running_loop().create_task(self._call_back(fate, word, error, after))
            self._posting.add(task)
            task.add_done_callback(self._posting.discard)
        return text

    def _order(self, words: tuple[str, ...]) -> Iterator[tuple[str, float]]:
        """In order or not, some at once, a third of them twice."""
        times = sorted(self._chance.uniform(0, self._latest_callback) * self._chance.choice((0, 0.1, 1)) for _ in words)
        if self._chance.random() < 0.3:
            self._chance.shuffle(times)
        yield from zip(words, times, strict=True)
        if self._chance.random() < 0.3:
            yield self._chance.choice(words), self._chance.uniform(0, self._latest_callback)

    async def _call_back(self, fate: Fate, word: str, error: int | None, after: float) -> None:
        """Until it is taken, or once. Whoever asks is told the last word from the moment at which it is called back."""
        if self._session is None:
            self._session, self._door = aiohttp.ClientSession(), asyncio.Semaphore(CALLBACKS_AT_ONCE)
        assert self._door is not None
        fields = [
            ("MessageStatus", word),
            ("MessageSid", fate.text.sid),
            ("AccountSid", self.account_sid),
            ("To", fate.text.to),
        ]
        if word in ("undelivered", "failed") and error is not None:
            fields.append(("ErrorCode", str(error)))
        callback = self.signed(fate.text.status_callback or "", fields)
        is_lost = self._chance.random() < self._lost
        await asyncio.sleep(self._clock.real_seconds(after))
        if _RANK[word] >= _RANK[fate.text.status]:
            fate.text.status = word
            fate.text.error_code = error if word in ("undelivered", "failed") else None
        for _ in range(0 if is_lost else self._tries):
            try:
                async with (
                    self._door,
                    self._session.post(callback.url, data=callback.body, headers=dict(callback.headers)) as answer,
                ):
                    if answer.status < 300:
                        if word == fate.last_word:
                            fate.heard_at = self.now()
                        break
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)
        fate.pending -= 1

    async def _answer(
        self, request: web.Request, behaviour: Behaviour, content: Mapping[str, object] | None
    ) -> web.StreamResponse:
        fate = self.outcomes.get(str(content.get("sid"))) if content else None
        if fate is not None:
            # Long enough for a first callback to be there before it.
            await asyncio.sleep(self._clock.real_seconds(fate.answer_waits))
        return await super()._answer(request, behaviour, content)

    def _page(self, request: web.Request) -> dict[str, object]:
        now = self.now()
        texts = reversed(self._to.get(request.query["To"], ()))
        rows = [self._row(one.text) for one in texts if one.text.created_at + timedelta(seconds=one.lag) <= now]
        return {"messages": rows, "page": 0, "page_size": 50, "next_page_uri": None}

    async def _list(self, request: web.Request) -> web.StreamResponse:
        fault = None if self._behaves else self._drawn(LIST_FAULTS)
        if fault is not None:
            self.script_list(fault)
        return await super()._list(request)
