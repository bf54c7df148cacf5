"""Gaps of the web server: what providers have said meanwhile is asked for, and nothing is where there was no gap."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from reminder.channels.memory import MemoryChannel
from reminder.domain.model.people import ChannelName
from reminder.domain.model.provider_history import HistoryPage
from reminder.storage.runtime import provider_fetches
from reminder.web.app import create_web
from reminder.web.support.liveness import BEFORE_ITS_ANSWER, GAP, WebLiveness
from reminder.wiring import App
from tests.village import Village
from tests.web.asking import Visitor

SMS = ChannelName.SMS


class Lists(MemoryChannel):
    """A channel whose provider lists nothing."""

    async def history(self, since: datetime, page: str | None) -> HistoryPage:
        raise AssertionError(f"nobody reads here: {since} {page}")


@pytest.fixture
def app(village: Village) -> App:
    return replace(village.app, channels={SMS: Lists(), ChannelName.EMAIL: MemoryChannel()})


def wanted(app: App) -> datetime | None:
    with app.database.reading() as tx:
        assert not provider_fetches.of(tx, ChannelName.EMAIL).is_wanted, "mail servers have no list"
        return provider_fetches.of(tx, SMS).wanted_since


def later(village: Village, by: timedelta) -> datetime:
    village.clock.move_to(village.now + by)
    return village.now


def test_a_server_that_was_away_wants_what_was_said_since_it_was_last_there(village: Village, app: App) -> None:
    WebLiveness().record(app)
    last = village.now
    assert wanted(app) is None, "nobody knows of any time before"
    later(village, timedelta(hours=1))

    WebLiveness().record(app)

    assert wanted(app) == last


@pytest.mark.parametrize(("by", "is_gap"), [(GAP, False), (GAP + timedelta(seconds=1), True)])
def test_a_server_that_cannot_record_that_it_is_there_has_a_gap(
    village: Village, app: App, by: timedelta, is_gap: bool
) -> None:
    liveness = WebLiveness()
    liveness.record(app)
    last = village.now
    later(village, by)

    liveness.record(app)

    assert wanted(app) == (last if is_gap else None)


def test_a_call_that_was_answered_with_an_error_is_asked_for(village: Village, app: App) -> None:
    web = create_web(app, local_pages=False)
    liveness: WebLiveness = web.state.liveness
    liveness.record(app)
    visitor = Visitor(web)
    for path in ("/webhooks/mail/bounce/x", "/webhooks/twilio/status", "/webhooks/twilio/sms"):
        assert visitor.post(path, b"", {}).status < 500
    liveness.record(app)
    assert wanted(app) is None, "who is refused has not lost anything"

    liveness.note_missed(village.now)
    liveness.record(app)
    assert wanted(app) == village.now - BEFORE_ITS_ANSWER


@pytest.mark.parametrize(
    ("path", "status", "is_noted"),
    [
        ("/webhooks/twilio/status", 503, True),
        ("/webhooks/twilio/sms", 500, True),
        ("/webhooks/twilio/sms", 403, False),
        ("/webhooks/twilio/status", 204, False),
        ("/healthz", 503, False),
    ],
)
def test_only_errors_of_ours_at_webhooks_are_gaps(
    village: Village, app: App, path: str, status: int, is_noted: bool
) -> None:
    from reminder.web.app import RequestGuard

    web = create_web(app, local_pages=False)
    guard = RequestGuard(web)

    guard._count({"type": "http", "app": web, "method": "POST", "path": path}, status)
    web.state.liveness.record(app)

    assert (wanted(app) is not None) is is_noted
