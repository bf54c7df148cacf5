"""Reading the lists of providers: receipts and texts that have not reached us, because we or the way to us was away.

A provider's call is made once. What it lists is compared with what we know; what differs is stored as if it had called,
and the same code acts on it. No transaction is open while a provider is asked.
"""

import logging
from collections.abc import Callable, Collection, Coroutine, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from reminder.clock import Clock
from reminder.domain.model.messages import ENDS, Channel
from reminder.domain.model.people import ChannelName
from reminder.domain.model.provider_history import HistoryPage, ListedText, ProviderHistory
from reminder.domain.rules.other_copy import COMPARED_FOR, is_told_twice
from reminder.errors import ChannelError
from reminder.storage.db.unit_of_work import UnitOfWork, UnitsOfWork
from reminder.storage.outbox import other_copies, receipts
from reminder.storage.runtime import copy_notice, heartbeats, provider_fetches, request_rates

log = logging.getLogger(__name__)

# A text is tried for four hours (sms/client.VALID_SECONDS): what became of it is said after its date.
LONGEST_ON_THE_WAY = timedelta(hours=4, minutes=15)
# Of a new installation, or one of before: nobody wants answers to texts of last week.
AT_FIRST = timedelta(days=1)
# A list is never read further back.
MOST = timedelta(days=7)
# So many pages in a row; the next run goes on.
PAGES_A_RUN = 20
# So many texts of a page that nobody here knows are compared with ours: another program may send by the same account.
MOST_COMPARED = 50
# How far a provider's clock may be from ours.
CLOCK_SLACK = timedelta(seconds=120)
# One worker reads a list at a time; if it dies, another one after this time.
CLAIMED_FOR = timedelta(minutes=5)

# Stores one text, and returns whether it was new.
KeepText = Callable[[UnitOfWork, ListedText], bool]
Run = Callable[[Coroutine[None, None, HistoryPage]], HistoryPage]


@dataclass(frozen=True)
class Fetched:
    """What a reading has brought that was not known.

    `is_all`: the list was read to its end. `failure`: why it was not, where the provider could not be asked.
    """

    channel: ChannelName
    receipts: int = 0
    texts: int = 0
    is_all: bool = True
    failure: str | None = None


def listed(channels: Mapping[ChannelName, Channel]) -> dict[ChannelName, ProviderHistory]:
    """Return the channels whose providers list what they have carried."""
    return {name: channel for name, channel in channels.items() if isinstance(channel, ProviderHistory)}


def want(uow: UnitOfWork, channels: Collection[ChannelName], since: datetime) -> None:
    """Record a gap since then, in which nothing may have reached us."""
    provider_fetches.want(uow.tx, channels, max(since, uow.now - MOST))


def fetch(
    units: UnitsOfWork, clock: Clock, name: ChannelName, history: ProviderHistory, run: Run, keep_text: KeepText
) -> Fetched | None:
    """Read the list of a channel from where it is wanted, and store what is not known yet.

    Return None where another worker reads it, or nothing is wanted.
    """
    claimed_at = clock.now()
    claim, until = f"fetch {name}", claimed_at + CLAIMED_FOR
    with units.writing(claimed_at) as uow:
        if not request_rates.claim(uow.tx, claim, claimed_at, until=until):
            return None
        state = provider_fetches.of(uow.tx, name)
        if state.began_at is None and state.wanted_since is not None:
            since = max(state.wanted_since - LONGEST_ON_THE_WAY, claimed_at - MOST)
            provider_fetches.begin(uow.tx, name, since=since, now=claimed_at)
            state = provider_fetches.of(uow.tx, name)
    try:
        if state.began_at is None or state.since is None:
            return None
        return _read(units, clock, name, history, run, keep_text, (state.since, state.began_at, state.next_page))
    finally:
        with units.writing(clock.now()) as uow:
            request_rates.release(uow.tx, claim, claimed_at, until=until)


def _read(
    units: UnitsOfWork,
    clock: Clock,
    name: ChannelName,
    history: ProviderHistory,
    run: Run,
    keep_text: KeepText,
    place: tuple[datetime, datetime, str | None],
) -> Fetched:
    since, began_at, page = place
    new_receipts = new_texts = 0
    for _ in range(PAGES_A_RUN):
        try:
            found = run(history.history(since, page))
        except ChannelError as failed:
            log.warning("the list of %s could not be read (%s); it is tried again", name, failed.reason)
            with units.writing(clock.now()) as uow:
                provider_fetches.fail(uow.tx, name, failed.reason, uow.now)
            return Fetched(name, new_receipts, new_texts, is_all=False, failure=failed.reason)
        with units.writing(clock.now()) as uow:
            _look_for_other_copy(uow, name, found)
            ends = [fate for fate in found.fates if fate.status in ENDS]
            new_receipts += receipts.keep_fetched(uow.tx, name, ends, uow.now)
            # The oldest first, as they would have come.
            for text in reversed(found.texts):
                new_texts += keep_text(uow, text)
            if found.following is None:
                provider_fetches.finish(uow.tx, name, began_at, uow.now)
            else:
                provider_fetches.go_on(uow.tx, name, found.following, uow.now)
        if found.following is None:
            if new_receipts or new_texts:
                log.info("fetched by %s: %s receipts, %s texts", name, new_receipts, new_texts)
            return Fetched(name, new_receipts, new_texts)
        page = found.following
    return Fetched(name, new_receipts, new_texts, is_all=False)


def _look_for_other_copy(uow: UnitOfWork, name: ChannelName, found: HistoryPage) -> None:
    """Notice another copy that has sent a text of ours once more, under an id that nobody here knows.

    What a restore explains, what was sent before the last erasure, and what is old proves nothing.
    """
    erased_at = heartbeats.last(uow.tx, heartbeats.ERASED)
    explained = (other_copies.explained(uow.tx), uow.now - COMPARED_FOR, *([erased_at] if erased_at else []))
    since = max(explained)
    said = {
        one.provider_id: one.said for one in found.fates if one.said is not None and one.said.at - CLOCK_SLACK > since
    }
    for provider_id in sorted(other_copies.strange_ids(uow.tx, name, said))[:MOST_COMPARED]:
        words = said[provider_id]
        ours = other_copies.alike(uow.tx, uow.keys, name, address=words.address, text=words.text, at=words.at)
        if is_told_twice(ours):
            log.error("a text of ours was sent once more by another copy of this installation")
            copy_notice.notice(uow.tx, uow.now)
            return
