"""Sheets that many groups send at once: their memory is bounded together, and nobody's slow body keeps others out."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reminder.domain.model.people import GroupKind
from reminder.errors import TooBusyError
from reminder.web.support.sheet_bodies import MOST_BYTES, PACE, UNHURRIED, SheetBodies
from tests.patience import PATIENCE
from tests.village import Village, japan, open_village
from tests.web.calling import SHEET, token_of
from tests.web.test_connections import Client, Site, served

NOW = japan("2026-12-01 08:00")
LARGE = 20 * 1024 * 1024
GROUPS = 12


@pytest.fixture
def village(database_url: str, tmp_path: Path) -> Iterator[Village]:
    limits = {"web_connections": 60, "web_threads": 4}
    with open_village(database_url, tmp_path, "2026-12-01 08:00", **limits) as opened:
        for number in range(1, GROUPS + 1):
            opened.group(GroupKind.HOME, f"さくら苑{'甲乙丙丁戊己庚辛壬癸子丑'[number - 1]}")
            opened.member(f"{number}", f"home{number}@example.jp")
        yield opened


def head(token: str, length: int) -> bytes:
    return (
        f"POST /api/v1/imports HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nAccept-Language: en\r\n"
        f"Content-Type: application/octet-stream\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


async def held(site: Site, count: int) -> None:
    await site.until(lambda: len(site.sheet_bodies) == count)


def test_of_many_groups_as_many_send_large_sheets_at_once_as_there_is_memory(village: Village) -> None:
    tokens = [token_of(village, member) for member in range(1, GROUPS + 1)]

    async def told() -> None:
        async with served(village) as site:
            room = MOST_BYTES // LARGE
            sending: list[Client] = []
            for place, token in enumerate(tokens[:room]):
                sending.append(await site.client(head(token, LARGE) + b"x", f"127.0.1.{place + 1}"))
                await held(site, place + 1)
            for place, token in enumerate(tokens[room:-1]):
                late = await site.client(head(token, LARGE), f"127.0.2.{place + 1}")
                status, answer = await late.answer()
                assert status == 503
                assert b"retry-after: " in answer.lower()
                assert b'"code":"too_many_sheets"' in answer
                assert b"Wait about" in answer
            small = await site.client(head(tokens[-1], len(SHEET)) + SHEET, "127.0.3.1")
            assert (await small.answer())[0] == 201, "a sheet as people send them has room"
            for one in sending:
                one.writer.transport.abort()
            await held(site, 0)
            again = await site.client(head(tokens[room], LARGE) + b"x", "127.0.4.1")
            await held(site, 1)
            again.writer.transport.abort()

    asyncio.run(asyncio.wait_for(told(), PATIENCE))


def test_an_upload_that_trickles_loses_its_room_to_one_that_needs_it(village: Village) -> None:
    tokens = [token_of(village, member) for member in range(1, GROUPS + 1)]

    async def told() -> None:
        async with served(village) as site:
            room = MOST_BYTES // LARGE
            slow = []
            for place, token in enumerate(tokens[:room]):
                slow.append(await site.client(head(token, LARGE) + b"x", f"127.0.1.{place + 1}"))
                await held(site, place + 1)
            village.clock.move_to(village.now + UNHURRIED)

            late = await site.client(head(tokens[room], len(SHEET) + LARGE // 2), "127.0.2.1")

            answers = [asyncio.create_task(one.answer()) for one in slow]
            done, _ = await asyncio.wait(answers, return_when=asyncio.FIRST_COMPLETED)
            assert [one.result()[0] for one in done] == [503]
            await site.until(lambda: len(site.sheet_bodies) == room)
            late.writer.transport.abort()

    asyncio.run(asyncio.wait_for(told(), PATIENCE))


def test_a_full_house_is_told_on_the_page_in_each_language(village: Village) -> None:
    for language, said in (("ja", "受け取っている"), ("en", "Many files"), ("ja-easy", "たくさん")):
        sentence = village.app.rules.wording.of(language).section("errors")["too_many_sheets"]

        assert said in sentence
        assert "{retry_after}" in sentence


@given(sizes=st.lists(st.integers(1, LARGE), max_size=60), paces=st.lists(st.integers(0, 2 * PACE), min_size=60))
def test_whatever_is_sent_no_more_is_held_than_there_is_room_for(sizes: list[int], paces: list[int]) -> None:
    all_of_them, now = SheetBodies(), NOW
    for size, pace in zip(sizes, paces, strict=False):
        now += timedelta(seconds=7)
        for one in all_of_them:
            one.received = min(one.size, int((now - one.since).total_seconds()) * pace)
        with suppress(TooBusyError):
            all_of_them.admit(size, now)
        assert sum(one.size for one in all_of_them) <= MOST_BYTES


def test_an_upload_that_keeps_its_pace_or_is_whole_is_never_ended() -> None:
    all_of_them = SheetBodies(most=10)
    fast, whole = all_of_them.admit(4, NOW), all_of_them.admit(4, NOW)
    later = NOW + 10 * UNHURRIED
    fast.received, whole.is_whole = 10 * PACE * int(UNHURRIED.total_seconds()), True

    with pytest.raises(TooBusyError):
        all_of_them.admit(4, later)

    assert list(all_of_them) == [fast, whole]
    all_of_them.release(fast)
    all_of_them.release(fast)
    all_of_them.admit(4, later)


def test_nothing_slow_is_ended_for_an_upload_that_would_find_no_room_all_the_same() -> None:
    all_of_them = SheetBodies(most=10)
    slow, whole = all_of_them.admit(2, NOW), all_of_them.admit(8, NOW)
    whole.is_whole = True

    with pytest.raises(TooBusyError):
        all_of_them.admit(5, NOW + UNHURRIED)

    assert list(all_of_them) == [slow, whole]
