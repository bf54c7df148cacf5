"""Planning: each group is planned by one worker, and one that cannot be planned keeps nobody waiting."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest
from sqlalchemy import text

from reminder.domain.model.people import ChannelName, GroupKind
from reminder.planning.planner import plan_due
from reminder.storage.registry import cards
from tests.patience import PATIENCE
from tests.village import Village

END = date(2027, 3, 31)


def families(village: Village, count: int) -> None:
    for place in range(count):
        village.group(GroupKind.HOUSEHOLD, f"家{place}")
        village.person(f"父{place}", phone=f"090-0000-{place:04}")
        village.card(f"父{place}", END)


def plan(village: Village) -> int:
    return plan_due(village.app.units, village.now)


def test_workers_that_plan_at_once_make_each_text_once(village: Village) -> None:
    families(village, 30)
    village.sleep_until("2027-03-17 01:00")
    together = threading.Barrier(4)

    def one_worker(_: int) -> int:
        together.wait()
        return plan(village)

    with ThreadPoolExecutor(4) as workers:
        made = list(workers.map(one_worker, range(4)))
    made.append(plan(village))

    assert sum(made) == len(village.messages()) == 30
    assert len({message.key for message in village.messages()}) == 30


def test_a_card_of_a_kind_that_is_gone_keeps_nobody_else_of_its_home_waiting(village: Village, caplog) -> None:
    village.group(GroupKind.HOME, "さくら苑")
    for place in range(3):
        village.person(f"入居者{place}", phone=f"090-0000-000{place}")
        village.card(f"入居者{place}", END)
    with village.app.database.writing() as tx:
        tx.execute(text("UPDATE cards SET kind = 'a kind of another year' WHERE id = 2"))
    village.sleep_until("2027-03-17 01:00")

    assert plan(village) == 2

    assert "card 2 is of a kind" in caplog.text
    assert plan(village) == 0, "until tomorrow"


def test_a_group_whose_rows_make_no_sense_keeps_nobody_else_waiting(village: Village, caplog) -> None:
    families(village, 3)
    with village.app.database.writing() as tx:
        tx.execute(text("UPDATE groups SET own_days = 'no days' WHERE id = 2"))
    village.sleep_until("2027-03-17 01:00")

    assert plan(village) == 2

    assert "group 2 could not be planned" in caplog.text
    assert plan(village) == 0, "what was planned is not planned again"


def test_a_second_pass_on_the_same_day_has_nothing_to_add(village: Village) -> None:
    families(village, 2)
    village.sleep_until("2027-03-17 01:00")

    assert [plan(village), plan(village)] == [2, 0]


@pytest.mark.parametrize("change", ["a contact is added", "the card is renewed"])
def test_what_changes_while_it_is_being_planned_has_the_last_word(village: Village, change: str) -> None:
    village.person("父", phone="090-0000-0002")
    card = village.card("父", END)
    village.sleep_until("2027-03-17 01:00")
    app, today = village.app, date(2027, 3, 17)
    changes = {
        "a contact is added": lambda: village.contact("父", ChannelName.EMAIL, "musuko@example.jp", family="息子"),
        "the card is renewed": lambda: village.renew(card, date(2032, 3, 31)),
    }
    changing = threading.Thread(target=changes[change])

    with app.database.writing() as tx:
        groups_due = cards.groups_due(tx, today, limit=10)
        assert len(cards.due(tx, groups_due, today)) == 1
        changing.start()
        changing.join(0.3)
        cards.set_next(tx, {card: None})
    changing.join(PATIENCE)

    with app.database.reading() as tx:
        kept = cards.find(tx, card)
    assert kept is not None
    assert kept.next_reminder_on == (today if change == "a contact is added" else date(2032, 1, 5))
