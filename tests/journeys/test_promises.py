"""Each step is told by the end of its day: by its usual way, by another, or a human is told that it was not."""

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import select

from reminder.channels.memory import MemoryChannel
from reminder.clock import JAPAN
from reminder.domain.model.messages import Outgoing, ProviderReport
from reminder.domain.model.people import ChannelName, GroupKind, Mode
from reminder.errors import ChannelError, SetupChannelError, TemporaryChannelError, UnknownOutcomeError
from reminder.planning.reports.status import group_status
from reminder.storage.db.tables import Message, Promise
from reminder.storage.outbox import receipts
from reminder.storage.registry import groups
from reminder.upkeep.health import assess
from tests.village import Village, japan, open_village

END = date(2027, 3, 31)
LINE = ChannelName("line")
HER_LINE = "U" + "5e" * 16
MOTHER = "090-0000-0001"


@pytest.fixture
def village(database_url: str, tmp_path: Path) -> Iterator[Village]:
    """The morning of 24 March, a week before the end of each card."""
    with open_village(database_url, tmp_path, "2026-12-01 08:00", voice_enabled=True, line_token="invented") as village:
        reports(village, "delivered")
        yield village


class Reporting(MemoryChannel):
    """A channel whose provider can be asked what has become of a message."""

    said: ProviderReport | None = None

    async def look_up(self, address: str, provider_id: str) -> ProviderReport | None:
        assert any(one.address == address for one in self.sent)
        assert provider_id
        return self.said


def reports(village: Village, status: str | None, code: str | None = None) -> None:
    """What the provider of texts says from now on of each that it has accepted."""
    village.sms.__class__ = Reporting
    village.sms.said = None if status is None else ProviderReport(status, code)  # type: ignore[attr-defined]


def household(village: Village, *, family: bool = True, mode: Mode = Mode.ELDERLY) -> None:
    if family:
        village.member("娘", "musume@example.jp")
    village.person("母", phone=MOTHER, mode=mode)
    village.card("母", END)
    village.sleep_until("2027-03-24 00:01")


def told(village: Village, name: str, day: str = "03-24") -> list[str]:
    return [at for at in village.texts_to(name) if at.startswith(day)]


def promises(village: Village, audience: str = "person") -> list[tuple[str, str]]:
    """Of each promise to this audience the day and how it stands."""
    with village.app.database.reading() as tx:
        rows = tx.execute(
            select(Promise.day, Promise.state).where(Promise.audience == audience).order_by(Promise.day, Promise.id)
        ).all()
    return [(f"{day:%m-%d}", str(state)) for day, state in rows]


def notices(village: Village, name: str = "娘") -> list[str]:
    words = ("まだ届いていません", "確かめられません", "届きませんでした")
    return [said for said in village.words_to(name) if any(one in said for one in words)]


def always(error: ChannelError) -> Callable[[Outgoing], ChannelError]:
    return lambda _: error


SUSPENDED, SPENT = SetupChannelError("20003"), SetupChannelError("monthly_limit")


def test_a_suspended_account_takes_the_other_way_on_the_same_day(village: Village) -> None:
    household(village)
    village.contact("母", ChannelName.EMAIL, "haha@example.jp")
    village.sms.fail_when(always(SUSPENDED))

    village.run_until("2027-03-24 23:00")

    assert told(village, "母") == ["03-24 11:00"]
    assert promises(village) == [("03-24", "other_way")]
    assert "promises_open" not in assess(village.app.units, village.now).troubles


def test_a_spent_budget_of_line_takes_the_other_way_on_the_same_day(village: Village) -> None:
    village.member("娘", "musume@example.jp")
    village.person("母", mode=Mode.ELDERLY)
    village.contact("母", LINE, HER_LINE)
    village.contact("母", ChannelName.EMAIL, "haha@example.jp")
    village.card("母", END)
    village.sleep_until("2027-03-24 00:01")
    village.world.channels[LINE].fail_when(always(SPENT))

    village.run_until("2027-03-24 23:00")

    assert told(village, "母") == ["03-24 11:00"]
    assert promises(village) == [("03-24", "other_way")]


def test_an_elder_without_a_second_way_is_told_of_to_her_family(village: Village) -> None:
    household(village)
    village.sms.fail_when(always(SUSPENDED))

    village.run_until("2027-03-24 23:00")

    assert told(village, "母") == []
    assert len(notices(village)) == 1
    assert "送る側の不具合で" in notices(village)[0]
    assert promises(village) == [("03-24", "family")]


def test_an_elder_without_anybody_is_left_to_the_operator(village: Village) -> None:
    household(village, family=False)
    village.sms.fail_when(always(SUSPENDED))

    village.run_until("2027-03-24 18:30")

    assert promises(village) == [("03-24", "operator")]
    assert "promises_open" in assess(village.app.units, village.now).troubles


def test_both_ways_broken_is_told_to_the_family(village: Village) -> None:
    household(village)
    village.contact("母", LINE, HER_LINE)
    village.sms.fail_when(always(SUSPENDED))
    village.world.channels[LINE].fail_when(always(SPENT))

    village.run_until("2027-03-24 23:00")

    assert promises(village) == [("03-24", "family")]
    assert len(notices(village)) == 1


def test_a_home_hears_of_a_resident_and_a_daughter_who_were_not_told(village: Village) -> None:
    village.group(GroupKind.HOME, "さくら苑")
    village.member("事務", "jimu@example.jp")
    village.person("キヨさん", phone=MOTHER, room="201")
    village.contact("キヨさん", ChannelName.SMS, "090-0000-0007", family="娘")
    village.card("キヨさん", END)
    village.sleep_until("2027-03-24 00:01")
    village.sms.fail_when(always(SUSPENDED))

    village.run_until("2027-03-29 12:00")

    assert notices(village, "事務"), "the daughter's texts do not leave either"
    digest = next(words for words in village.words_to("事務") if "届いていない方" in words)
    assert "201" in digest
    assert not any("連絡がまだありません" in words for words in village.words_to("事務")), "nobody was told"


def test_a_week_of_a_suspended_account_is_told_every_day(village: Village) -> None:
    household(village)
    village.contact("母", ChannelName.EMAIL, "haha@example.jp")
    village.sms.fail_when(always(SUSPENDED))

    village.run_until("2027-03-31 23:00")

    assert [at[:5] for at in village.texts_to("母")] == ["03-24", "03-30"]
    assert {state for _, state in promises(village)} == {"other_way"}
    assert not any("お送りした文" in words for words in village.words_to("娘"))


def test_one_address_that_never_takes_it_gives_way_within_the_day(village: Village) -> None:
    household(village)
    village.contact("母", ChannelName.EMAIL, "haha@example.jp")
    village.person("父", phone="090-0000-0002")
    village.card("父", END)
    refused = TemporaryChannelError("21635")
    village.sms.fail_when(lambda outgoing: refused if outgoing.address == "+819000000001" else None)

    village.run_until("2027-03-24 23:00")

    assert told(village, "母") == ["03-24 11:00"]
    assert told(village, "父") == ["03-24 09:00"]
    assert "promises_open" not in assess(village.app.units, village.now).troubles


def test_one_address_that_never_takes_it_and_no_other_is_told_to_the_family(village: Village) -> None:
    household(village)
    village.person("父", phone="090-0000-0002")
    village.card("父", END)
    refused = TemporaryChannelError("21635")
    village.sms.fail_when(lambda outgoing: refused if outgoing.address == "+819000000001" else None)

    village.run_until("2027-03-24 23:00")

    assert len(notices(village)) == 1
    assert "受け取れない状態" in notices(village)[0], "the fault is not the service's"
    assert ("03-24", "family") in promises(village)


def test_a_text_that_is_only_accepted_at_five_is_asked_about_and_told_another_way(village: Village) -> None:
    household(village)
    village.contact("母", ChannelName.EMAIL, "haha@example.jp")
    reports(village, "sent")

    village.run_until("2027-03-24 23:00")

    assert told(village, "母") == ["03-24 10:00", "03-24 17:00"]
    assert promises(village) == [("03-24", "other_way")]
    first, second = (one for one in village.messages() if one.audience == "person")
    assert (first.state, second.possibly_double) == ("accepted", True), "its row says what is known"


def test_a_text_of_which_the_provider_says_that_it_arrived_is_proof(village: Village) -> None:
    household(village)
    village.contact("母", ChannelName.EMAIL, "haha@example.jp")

    village.run_until("2027-03-24 23:00")

    assert told(village, "母") == ["03-24 10:00"]
    assert promises(village) == [("03-24", "proven")]
    assert [one.state for one in village.messages() if one.audience == "person"] == ["delivered"]


def test_a_text_of_which_nobody_can_say_whether_it_arrived_is_told_to_the_family(village: Village) -> None:
    household(village)
    reports(village, None)

    village.run_until("2027-03-24 23:00")

    assert len(notices(village)) == 1
    assert "確かめられません" in notices(village)[0]
    assert promises(village) == [("03-24", "family")]
    village.run_until("2027-03-25 23:00")
    assert told(village, "母", "03-25") == [], "what may have arrived is not sent again"


def test_a_text_of_unknown_outcome_is_not_told_and_its_row_stays_honest(village: Village) -> None:
    household(village)
    village.contact("母", ChannelName.EMAIL, "haha@example.jp")
    village.sms.fail_when(always(UnknownOutcomeError("timeout")))

    async def cannot_say(_outgoing: Outgoing, _others: object) -> object:
        raise TemporaryChannelError("500")

    village.sms.ask = cannot_say  # type: ignore[method-assign,assignment]

    village.run_until("2027-03-24 23:00")

    assert promises(village) == [("03-24", "other_way")]
    assert told(village, "母") == ["03-24 17:00"]
    assert [one.state for one in village.messages() if one.channel == "sms"] == ["unknown"]


def test_a_text_that_came_back_unheard_of_is_found_by_asking(village: Village) -> None:
    household(village)
    village.contact("母", ChannelName.EMAIL, "haha@example.jp")
    reports(village, "undelivered", "30006")

    village.run_until("2027-03-24 23:00")

    assert [one.state for one in village.messages() if one.channel == "sms"] == ["undelivered"]
    assert promises(village) == [("03-24", "other_way")]


def test_a_card_that_is_done_or_renewed_is_promised_nothing_more(village: Village) -> None:
    household(village)
    village.sms.fail_when(always(SUSPENDED))
    village.run_until("2027-03-24 12:00")
    village.renew(1, date(2032, 3, 31))

    village.run_until("2027-03-24 23:00")

    assert promises(village) == [("03-24", "not_needed")]
    assert notices(village) == []


def test_an_elder_is_told_from_ten_on_and_caught_up_with_until_six(village: Village) -> None:
    household(village)
    village.sms.fail_when(always(TemporaryChannelError("connect")))
    village.run_until("2027-03-24 17:20")
    village.sms.fail_when(None)

    village.run_until("2027-03-24 18:00")

    assert len(told(village, "母")) == 1
    assert "03-24 17:20" <= told(village, "母")[0] < "03-24 18:00"


def test_after_an_outage_over_the_end_the_missed_end_is_told_at_once(village: Village) -> None:
    household(village)
    village.sleep_until("2027-04-05 08:00")

    village.run_until("2027-04-06 23:00")

    assert told(village, "母", "04-05") == ["04-05 10:00"]
    village.run_until("2027-04-13 23:00")
    assert told(village, "母", "04-07") == [], "once"


def test_who_was_told_before_the_end_hears_of_it_on_the_usual_day(village: Village) -> None:
    household(village)
    village.run_until("2027-04-01 12:00")
    village.sleep_until("2027-04-05 08:00")
    with village.app.writing() as uow:
        from reminder.storage.registry import cards as kept

        kept.schedule_replan_of_person(uow.tx, 1, date(2027, 4, 5))

    village.run_until("2027-04-08 23:00")

    assert [at[:5] for at in village.texts_to("母") if at > "04-01"] == ["04-07"]


def test_when_a_message_was_due_never_changes(village: Village) -> None:
    household(village)
    village.sms.fail_when(always(TemporaryChannelError("21635")))

    village.run_until("2027-03-24 11:30")

    with village.app.database.reading() as tx:
        due, scheduled = tx.execute(
            select(Message.due_at, Message.scheduled_at).where(Message.audience == "person")
        ).one()
    assert due.astimezone(JAPAN) == japan("2027-03-24 10:00")
    assert scheduled.astimezone(JAPAN) > japan("2027-03-24 11:00")
    late = next(one for one in assess(village.app.units, village.now).found if one.code == "messages_overdue")
    assert (late.count, late.since) == (1, japan("2027-03-24 10:00"))


def test_a_receipt_is_proof_whenever_it_comes(village: Village) -> None:
    household(village)
    reports(village, None)
    village.run_until("2027-03-24 12:00")
    sent = village.sms.sent[-1]
    with village.app.database.writing() as tx:
        receipts.keep(
            tx,
            provider_id=f"memory-{sent.message_id}",
            status="delivered",
            error_code=None,
            message_id=None,
            now=village.now,
        )

    village.run_until("2027-03-24 23:00")

    assert promises(village) == [("03-24", "proven")]
    assert notices(village) == []


def test_a_copy_never_says_that_a_text_which_never_left_is_unanswered(village: Village) -> None:
    household(village)
    village.sms.fail_when(always(SUSPENDED))

    village.run_until("2027-03-30 23:00")

    copies = [words for words in village.words_to("娘") if "これまでのお知らせ" in words]
    assert copies
    assert not any(
        "返事はまだ" in line for words in copies for line in words.splitlines() if "送りませんでした" in line
    )


def test_the_home_page_names_who_was_not_told_until_they_have_been(village: Village) -> None:
    household(village)
    village.sms.fail_when(always(SUSPENDED))
    village.run_until("2027-03-24 23:00")

    def untold() -> list[date | None]:
        with village.app.units.reading(village.now) as uow:
            group = groups.find(uow.tx, 1)
            assert group is not None
            return [card.untold_on for row in group_status(uow, group) for card in row.cards]

    assert untold() == [date(2027, 3, 24)]
    village.sms.fail_when(None)
    village.run_until("2027-03-30 23:00")
    assert untold() == [None]
