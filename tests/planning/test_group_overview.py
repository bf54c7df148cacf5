"""The overview of a large group says of everybody what the status of the group says."""

from datetime import date

import pytest

from reminder.clock import japan_date
from reminder.domain.model.people import ChannelName, GroupKind, Mode
from reminder.domain.rules.escalation_policy import NOBODY_LEFT
from reminder.enrolment import cards as enrolment
from reminder.planning.reports.group_overview import GroupOverview, group_overview
from reminder.planning.reports.monthly_plan import due, due_cards, year
from reminder.planning.reports.status import PersonStatus, group_status
from reminder.storage.db.tables import Card
from reminder.storage.registry import groups
from tests.village import CARD, Village

USER, CARE, RESIDENCE = "mynumber_user_certificate", "care_certification", "residence_card"


def both(village: Village) -> tuple[list[PersonStatus], GroupOverview]:
    with village.app.reading() as uow:
        group = groups.find(uow.tx, 1)
        assert group is not None
        return group_status(uow, group), group_overview(uow, group)


@pytest.fixture
def home(village: Village) -> Village:
    """1 December 2026: ended, silent, acknowledged, bound, carried, far and no cards at all."""
    village.group(GroupKind.HOME, "見本の里")
    for number in range(9):
        village.person(f"さん{number}", mode=Mode.HOME, room=str(number), unit="2階" if number % 2 else None)
    village.card("さん0", date(2030, 5, 5))
    village.card("さん1", date(2026, 11, 1), CARE, confirmed=True)
    village.card("さん2", date(2027, 2, 28))
    silent = village.card("さん3", date(2027, 2, 28))
    said = village.card("さん4", date(2027, 2, 28))
    village.card("さん5", date(2027, 3, 31), RESIDENCE)
    village.card("さん5", date(2027, 3, 31), CARD)
    village.card("さん6", date(2027, 2, 28), CARD)
    village.card("さん6", date(2027, 2, 28))
    village.card("さん7", date(2027, 2, 20))
    village.card("さん7", date(2027, 1, 31), CARE)
    with village.app.writing() as uow:
        enrolment.acknowledge_card(uow, card_id=said)
        row = uow.tx.get(Card, silent)
        assert row is not None
        row.escalation_level = NOBODY_LEFT
    return village


def test_everybody_stands_in_the_same_order(home: Village) -> None:
    rows, overview = both(home)

    assert overview.worst_first() == [row.person.id for row in rows]
    assert overview.red == {row.person.id for row in rows if row.is_red}
    assert overview.units == ["2階"]


def test_nobody_is_out_of_reach_where_a_member_hears(home: Village) -> None:
    home.contact("さん2", ChannelName.SMS, "090-0000-0002")
    rows, overview = both(home)
    assert set(overview.out_of_reach) == {row.person.id for row in rows if row.is_out_of_reach} != set()

    home.member("事務", "office@example.jp")
    rows, overview = both(home)

    assert set(overview.out_of_reach) == {row.person.id for row in rows if row.is_out_of_reach} == set()


def test_every_card_has_the_same_dates_and_the_same_next_step(home: Village) -> None:
    rows, overview = both(home)

    of_status = {
        one.card.id: (one.dates, one.next, one.is_silent, one.is_acknowledged) for row in rows for one in row.cards
    }
    assert {
        card.card_id: (card.dates, card.next, card.is_silent, card.is_acknowledged) for card in overview.cards
    } == of_status


def test_the_same_is_due_in_every_month_and_in_the_year(home: Village) -> None:
    rows, overview = both(home)
    today, rules = japan_date(home.now), home.app.rules

    for first, last in ((today, date(2026, 12, 31)), (date(2027, 1, 1), date(2027, 3, 1)), (today, date(2030, 5, 1))):
        of_status = due(rules, rows, first, last, today)
        of_overview = due_cards(rules, overview.cards, first, last, today)
        assert [(one.what, one.day, one.one.card.id) for one in of_status] == [
            (one.what, one.day, one.card.card_id) for one in of_overview
        ]
        assert of_overview
    assert year(overview.cards, today) == year((one for row in rows for one in row.cards), today)
