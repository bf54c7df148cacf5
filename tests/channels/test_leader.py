"""Asking the managers of a fail-over which server leads."""

import pytest

from reminder.channels.leader import LeaderClient
from reminder.clock import monotonic
from reminder.errors import DatabaseNotReadyError
from tests.fakes.patroni import FakePatroni


def test_the_one_whose_server_leads_is_believed_and_for_less_than_its_key_lasts() -> None:
    with FakePatroni(1, leads=False) as one, FakePatroni(2) as two:
        asked_at = monotonic()
        timeline, until = LeaderClient([one.url, f"{two.url}/"]).ask()

        assert timeline == 2
        assert asked_at < until <= monotonic() + 3, "Patroni's key lasts for 20 seconds and more"
        assert one.asked == two.asked == ["/primary"]


def test_one_that_stands_still_is_not_waited_for_and_another_is_asked() -> None:
    with FakePatroni(1) as frozen, FakePatroni(2) as two:
        frozen.is_frozen = True
        client = LeaderClient([frozen.url, two.url], timeout=0.2)

        assert client.ask()[0] == 2
        assert client.ask()[0] == 2
        assert frozen.asked == ["/primary"], "the one that answered is asked first the next time"


@pytest.mark.parametrize("what", ["frozen", "replica", "gone", "no json"])
def test_nothing_is_believed_without_a_clear_answer(what: str) -> None:
    with FakePatroni(1) as manager:
        manager.is_frozen, manager.leads = what == "frozen", what != "replica"
        if what == "no json":
            manager.timeline = None  # type: ignore[assignment]
        url = "http://127.0.0.1:9" if what == "gone" else manager.url

        with pytest.raises(DatabaseNotReadyError) as refused:
            LeaderClient([url], timeout=0.2).ask()
        assert refused.value.code == "database_not_leader"
        assert refused.value.is_short


def test_an_address_with_a_path_is_asked_as_it_is() -> None:
    with FakePatroni(7) as manager:
        assert LeaderClient([f"{manager.url}/leader"]).ask()[0] == 7
        assert manager.asked == ["/leader"]
