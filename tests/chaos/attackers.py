"""Strangers who attack a running service from many addresses of this machine, in a process of their own.

They know what a stranger can know: the addresses of pages, telephone numbers and e-mail addresses of honest people, and
the tokens of their own households. Each attack goes on, without a pause of its own, until the time is over.
"""

import asyncio
import base64
import io
import itertools
import json
import os
import re
import time
import zipfile
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.synchronize import Event
from pathlib import Path

import aiohttp

from tests.chaos.mailbox import code_to

HOST = "127.0.0.1"
SLOW_AT_ONCE = 300
HEADS = (
    b"",
    b"GET /sign-in HTTP/1.1\r\nHost: x\r\nX-Slow: ",
    b"POST /sign-in HTTP/1.1\r\nHost: x\r\nContent-Length: 6000\r\n\r\nemail=a",
    b"POST /webhooks/twilio/status HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\nMessage",
    b"\x16\x03\x01 no HTTP at all\r\n\r\n",
)
HOSTILE = ("1-O" * 600, "1 " * 900, "1-" * 900, "いち" * 100, "a@" * 900, "((((" * 400, "2027年" * 90, "%F0" * 600)


@dataclass(frozen=True)
class Said:
    """An answer."""

    status: int
    text: str


@dataclass(frozen=True)
class Scene:
    """What the attackers know. `until`: by the machine's clock, in seconds; they stop before if `stop` is set."""

    port: int
    mail: Path
    until: float
    stop: Event
    tokens: Sequence[str]
    bounces: str  # where the mail server posts what strangers sent to the address for bounces
    honest_mails: Sequence[str]
    honest_phones: Sequence[str]
    answers: Counter[str] = field(default_factory=Counter)
    addresses: "itertools.count[int]" = field(default_factory=itertools.count)

    @property
    def is_over(self) -> bool:
        return self.stop.is_set() or time.time() >= self.until

    def url(self, path: str) -> str:
        return f"http://{HOST}:{self.port}{path}"

    def client(self) -> aiohttp.ClientSession:
        """A browser or program at an address that nobody else has."""
        place = next(self.addresses)
        own = f"127.66.{place // 250 % 250}.{place % 250 + 1}"
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(local_addr=(own, 0)),
            # By default cookies of an address without a name are dropped.
            cookie_jar=aiohttp.CookieJar(unsafe=True),
            timeout=aiohttp.ClientTimeout(total=30),
        )

    async def ask(self, client: aiohttp.ClientSession, attack: str, method: str, path: str, **given: object) -> Said:
        """The answer; its status is counted, 0 where the connection was ended."""
        try:
            async with client.request(method, self.url(path), allow_redirects=False, **given) as answer:  # type: ignore[arg-type]
                self.answers[f"{attack} {answer.status}"] += 1
                return Said(answer.status, await answer.text())
        except (aiohttp.ClientError, TimeoutError, OSError):
            self.answers[f"{attack} 0"] += 1
            return Said(0, "")


async def sign_up(scene: Scene) -> None:
    """A household for each address; each invites strangers until it is refused."""
    for number in itertools.count():
        if scene.is_over:
            return
        address = f"warui{os.getpid()}x{next(scene.addresses)}n{number}@example.jp"
        async with scene.client() as client:
            asked = await scene.ask(client, "sign-up", "POST", "/sign-in", data={"email": address})
            if asked.status != 303:
                continue
            code = None
            while code is None and not scene.is_over:
                await asyncio.sleep(0.2)
                code = code_to(scene.mail, address)
            if code is None:
                return
            await scene.ask(client, "sign-up", "POST", "/sign-in/code", data={"code": code})
            form = {
                "group_name": "至急",
                "member_name": "市役所",
                "seal": _seal(await _page(scene, client, "/welcome")),
            }
            await scene.ask(client, "sign-up", "POST", "/welcome", data=form)
            seal = _seal(await _page(scene, client, "/settings/members"))
            for place in range(30):
                invited = {"email": f"dareka{place}@example.jp", "role": "owner", "seal": seal}
                await scene.ask(client, "invitation", "POST", "/settings/members", data=invited)
                if scene.is_over:
                    return


async def _page(scene: Scene, client: aiohttp.ClientSession, path: str) -> str:
    return (await scene.ask(client, "page", "GET", path)).text


def _seal(page: str) -> str:
    found = re.search(r'name="seal" value="([^"]*)"', page)
    return found[1] if found else ""


async def codes_of_others(scene: Scene) -> None:
    """Login codes for honest people's addresses, each time from another network, and guesses at them."""
    for address in itertools.cycle(scene.honest_mails):
        if scene.is_over:
            return
        async with scene.client() as client:
            await scene.ask(client, "code of another", "POST", "/sign-in", data={"email": address})
            for guess in ("000000", "123456"):
                await scene.ask(client, "guess", "POST", "/sign-in/code", data={"code": guess})


async def sheets(scene: Scene) -> None:
    """Sheets that are large, heavy, or none, from several households at once."""
    headers = {"content-type": "application/octet-stream"}

    async def of(token: str) -> None:
        async with scene.client() as client:
            for sent in itertools.cycle(_hostile_sheets()):
                if scene.is_over:
                    return
                said = {**headers, "authorization": f"Bearer {token}"}
                await scene.ask(client, "sheet", "POST", "/api/v1/imports", data=sent, headers=said)

    await asyncio.gather(*map(of, scene.tokens))


def _hostile_sheets() -> list[bytes]:
    heavy = io.BytesIO()
    with zipfile.ZipFile(heavy, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/worksheets/sheet1.xml", b"<worksheet>" + b" " * (100 << 20))
    return [
        heavy.getvalue(),
        b"PK\x03\x04" + b"\xff" * 5000,
        "氏名,期限\n".encode() + b"1-O" * 40_000 + b",2027-03-31\n",
        b"\xff\xfe" * 1000,
        "氏名,期限\n".encode() + "母,2027-03-31\n".encode() * 200_000,
        b"x" * (19 << 20),
        base64.b64encode(b"=cmd|' /C calc'!A0") + b"\n",
    ]


async def slow_clients(scene: Scene) -> None:
    """Hundreds of connections that send a head or a body one byte at a time, opened again when they are ended."""

    async def one(number: int) -> None:
        head = HEADS[number % len(HEADS)]
        own = f"127.67.{number % 20}.1"
        while not scene.is_over:
            with suppress(OSError):
                reader, writer = await asyncio.open_connection(HOST, scene.port, local_addr=(own, 0))
                scene.answers["slow connection"] += 1
                writer.write(head)
                while not scene.is_over and not reader.at_eof():
                    with suppress(TimeoutError):
                        await asyncio.wait_for(reader.read(1), 1)
                    writer.write(b"x")
                    await writer.drain()
                writer.close()
            await asyncio.sleep(0.2)

    await asyncio.gather(*(one(number) for number in range(SLOW_AT_ONCE)))


async def forged_bounces(scene: Scene) -> None:
    """Returned mail that nobody returned: with guessed ids, through the mail server and at guessed addresses."""
    async with scene.client() as client:
        for number in itertools.count(1):
            if scene.is_over:
                return
            named = f"<m{number}.1796086800@example.jp>"
            report = {"message_id": named, "return_path": f"bounces+{number}-x@example.jp", "status": "5.1.1"}
            for path in (scene.bounces, "/webhooks/mail/bounce/aaaaaaaaaaaaaaaa"):
                await scene.ask(client, "bounce", "POST", path, json=report)


async def forged_events(scene: Scene) -> None:
    """Receipts and texts as if from the provider, with signatures of others."""
    headers = {"x-twilio-signature": base64.b64encode(b"\x00" * 20).decode()}
    async with scene.client() as client:
        for number, phone in enumerate(itertools.cycle(scene.honest_phones)):
            if scene.is_over:
                return
            receipt = {"MessageSid": f"SM{number:032x}", "MessageStatus": "undelivered", "ErrorCode": "30005"}
            await scene.ask(
                client, "receipt", "POST", f"/webhooks/twilio/status?m={number}", data=receipt, headers=headers
            )
            text = {"MessageSid": f"SM{number:032x}", "From": phone, "To": "+815000000000", "Body": "やめて"}
            await scene.ask(client, "text", "POST", "/webhooks/twilio/sms", data=text, headers=headers)


async def addresses_of_pages(scene: Scene) -> None:
    """Pages asked for with texts that cost much to read."""
    async with scene.client() as client:
        for number, text in enumerate(itertools.cycle((*HOSTILE, "z" * 30_000))):
            if scene.is_over:
                return
            path = ("/healthz?q=", "/dates?text=", "/sign-in?", "/stop/")[number % 4]
            await scene.ask(client, "address", "GET", path + text)
            if number % 3 == 0:
                await scene.ask(client, "form", "POST", "/sign-in", data={"email": text[:4000] + "@example.jp"})


async def programs(scene: Scene) -> None:
    """The API without a pause: with tokens that open nothing, and with the attackers' own."""

    async def of(token: str, attack: str) -> None:
        said = {"authorization": f"Bearer {token}"}
        async with scene.client() as client:
            for number in itertools.count():
                if scene.is_over:
                    return
                if number % 4 or attack == "wrong token":
                    await scene.ask(client, attack, "GET", "/api/v1/people", headers=said)
                    continue
                made = await scene.ask(client, attack, "POST", "/api/v1/people", json={"label": "母"}, headers=said)
                person = json.loads(made.text).get("id") if made.status == 201 else None
                phone = scene.honest_phones[number % len(scene.honest_phones)]
                contact = {"channel": "sms", "address": phone, "consent": "spoken", "consent_by": "本人"}
                await scene.ask(client, attack, "POST", f"/api/v1/people/{person}/contacts", json=contact, headers=said)

    wrong = [of(f"kd_{number:040x}", "wrong token") for number in range(2)]
    await asyncio.gather(*wrong, *(of(token, "own token") for token in scene.tokens[:3]))


async def sign_ups(scene: Scene) -> None:
    """Several at a time."""
    await asyncio.gather(*(sign_up(scene) for _ in range(3)))


ATTACKS: Mapping[str, Callable[[Scene], Awaitable[None]]] = {
    one.__name__: one
    for one in (
        sign_ups,
        codes_of_others,
        sheets,
        slow_clients,
        forged_bounces,
        forged_events,
        addresses_of_pages,
        programs,
    )
}


def attack(scene: Scene, found: Path) -> None:
    """Run all attacks at once, as a process; write how often each was answered how."""
    # As if from other machines: they do not take the processors from what they attack.
    os.nice(2)

    async def all_of_them() -> None:
        async def one(name: str, run: Callable[[Scene], Awaitable[None]]) -> None:
            try:
                await run(scene)
            except Exception as error:  # noqa: BLE001  # the run says which attack broke off
                scene.answers[f"{name} broke off: {error!r}"] += 1

        await asyncio.gather(*(one(name, run) for name, run in ATTACKS.items()))

    asyncio.run(all_of_them())
    found.write_text(json.dumps(scene.answers), encoding="utf-8")
