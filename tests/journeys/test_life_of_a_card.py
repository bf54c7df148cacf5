"""The life of a card: whoever has applied is asked whether it has come, then to collect it, and never to apply again."""

from datetime import date

import pytest

from reminder.domain.model.card_states import NOT_BEGUN, CardState, LifeDays
from reminder.domain.model.people import ChannelName, GroupKind, Mode
from reminder.enrolment import card_acts
from reminder.enrolment import cards as enrolment
from reminder.enrolment.cards import TypedDates
from reminder.errors import ConflictError
from reminder.storage.registry import card_lives
from tests.village import CARD, Village

MOTHER, DAUGHTER = "母", "musume@example.jp"
# What asks for an act that is done.
APPLY_WORDS = ("申請", "手続きに行", "行く日を決め", "窓口で", "更新に行", "窓口へ行く日")


@pytest.fixture
def family(village: Village) -> Village:
    """1 December 2026: a mother with a ten-year card that ends on 20 March, and her daughter."""
    village.group()
    village.member(DAUGHTER, DAUGHTER)
    village.person(MOTHER, phone="090-0000-0001", mode=Mode.ELDERLY)
    village.card(MOTHER, date(2027, 3, 20), CARD)
    return village


def act(village: Village, what: str, **more: object) -> None:
    with village.app.writing() as uow:
        getattr(card_acts, what)(uow, card_id=1, **more)


def words_after(village: Village, name: str, before: int) -> list[str]:
    return village.words_to(name)[before:]


def test_whoever_has_applied_is_asked_whether_it_has_come_and_not_to_apply(family: Village) -> None:
    family.run_until("2026-12-28 12:00")
    told = len(family.words_to(MOTHER))
    assert told
    act(family, "apply_for_card", expected_by=date(2027, 1, 29))

    family.run_until("2027-01-28 23:00")
    assert words_after(family, MOTHER, told) == []
    family.run_until("2027-03-20 23:00")

    said = words_after(family, MOTHER, told)
    assert len(said) >= 2
    assert all("申し込んだマイナンバーカード" in text for text in said)
    assert not [word for word in APPLY_WORDS for text in said if word in text]


def test_what_is_ready_is_collected_by_its_day_and_then_asked_for_no_more(family: Village) -> None:
    act(family, "apply_for_card")
    act(family, "make_card_ready", collect_by=date(2027, 2, 10))

    family.run_until("2027-02-10 23:00")

    said = [text for text in family.words_to(MOTHER) if "新しいマイナンバーカード" in text]
    assert "2月10日（水）までに受け取ってください" in said[0]
    # A week after it was said, a fortnight later and so on, a week and a day before the last day.
    assert family.texts_to(MOTHER) == [
        "12-08 10:00",
        "12-22 10:00",
        "01-05 10:00",
        "01-19 10:00",
        "02-02 10:00",
        "02-03 10:00",
        "02-09 10:00",
    ]


def test_an_appointment_is_reminded_of_a_week_and_a_day_before_and_nothing_else_is(family: Village) -> None:
    act(family, "make_appointment", on=date(2026, 12, 21))

    family.run_until("2026-12-24 23:00")

    said = family.words_to(MOTHER)
    assert family.texts_to(MOTHER) == ["12-14 10:00", "12-18 10:00"], "the day before is a Sunday"
    assert all("予約の日は、12月21日（月）です" in text for text in said)


def test_once_it_is_renewed_the_next_life_begins(family: Village) -> None:
    act(family, "apply_for_card")
    act(family, "make_card_ready")
    family.renew(1, date(2037, 1, 20))

    family.run_until("2027-06-30 23:00")

    assert family.texts_to(MOTHER) == []


@pytest.mark.parametrize(
    "what", ["apply_for_card", "make_card_ready", "make_appointment", "acknowledge", "renew", "retire"]
)
def test_every_act_can_be_taken_back_within_a_day_and_the_schedule_goes_on_as_if_nothing_had_been_said(
    family: Village, what: str
) -> None:
    family.run_until("2026-12-28 12:00")
    before = family.card_of(1)
    with family.app.writing() as uow:
        match what:
            case "acknowledge":
                enrolment.acknowledge_card(uow, card_id=1)
            case "renew":
                enrolment.renew_card(uow, card_id=1, typed=TypedDates("2036-12-03"))
            case "retire":
                enrolment.retire_card(uow, card_id=1)
            case "make_appointment":
                card_acts.make_appointment(uow, card_id=1, on=date(2027, 1, 20))
            case _:
                getattr(card_acts, what)(uow, card_id=1)
    family.run_until("2026-12-29 12:00")

    act(family, "step_back")

    after = family.card_of(1)
    assert (after.expires_on, after.acknowledged_on, after.retired_at) == (before.expires_on, None, None)
    with pytest.raises(ConflictError):
        act(family, "step_back")
    told = len(family.words_to(MOTHER))
    family.run_until("2027-03-20 23:00")
    assert any("3月20日（土）" in text for text in words_after(family, MOTHER, told))


def test_after_a_day_nothing_is_taken_back(family: Village) -> None:
    act(family, "apply_for_card")
    family.run_until("2026-12-02 08:01")

    with pytest.raises(ConflictError) as refused:
        act(family, "step_back")

    assert refused.value.code == "too_late_to_take_back"


def test_nobody_is_asked_why_nothing_happens_while_something_is_waited_for(family: Village) -> None:
    family.contact(MOTHER, ChannelName.EMAIL, "musuko@example.jp", family="息子")
    act(family, "apply_for_card", expected_by=date(2027, 3, 10))

    family.run_until("2027-03-09 23:00")

    assert family.words_to("息子") == []
    assert family.words_to(DAUGHTER) == []


def test_a_home_lists_what_is_waited_for_booked_and_to_be_collected(village: Village) -> None:
    from tests.journeys.test_nothing_to_do import digest

    village.group(GroupKind.HOME, "さくら苑")
    village.member("office@example.jp", "office@example.jp")
    for room in ("201", "202", "203"):
        village.person(room, mode=Mode.HOME, room=room)
        village.card(room, date(2027, 1, 14), CARD)
    with village.app.writing() as uow:
        card_acts.apply_for_card(uow, card_id=1)
        card_acts.make_card_ready(uow, card_id=2, collect_by=date(2026, 12, 25))
        card_acts.make_appointment(uow, card_id=3, on=date(2026, 12, 16))

    text = digest(village, "2026-12-07")

    assert "■ 受け取りに行くもの（1件）\n12月25日（金）　202" in text
    assert "■ 予約の日（1件）\n12月16日（水）　203" in text
    assert "■ 申し込んだもの（届くのを待つ）（1件）\n1月15日（金）　201" in text
    assert "始める" not in text


# What people text.


@pytest.fixture
def asked(talking_village: Village) -> Village:
    """The same family, where texts can be answered, on the day after the mother was told that she may apply."""
    talking_village.group()
    talking_village.member(DAUGHTER, DAUGHTER)
    talking_village.person(MOTHER, phone="090-0000-0001", mode=Mode.ELDERLY)
    talking_village.card(MOTHER, date(2027, 3, 20), CARD)
    talking_village.run_until("2026-12-22 12:00")
    assert talking_village.words_to(MOTHER)
    return talking_village


def life_of(village: Village, card_id: int = 1) -> LifeDays:
    with village.app.database.reading() as tx:
        found = card_lives.of_cards(tx, [card_id])
    return found[card_id].days if found else NOT_BEGUN


@pytest.mark.parametrize("said", ["申し込みました", "もうしこみました。", "申請しました", "i applied"])
def test_she_texts_that_she_has_applied_then_that_the_postcard_came_then_that_she_has_collected_it(
    asked: Village, said: str
) -> None:
    asked.answers(MOTHER, said)
    assert life_of(asked).state is CardState.APPLIED
    assert asked.words_to(MOTHER)[-1] == "【期限だより】お母さん、申し込みですね。届いたころに、お知らせします。"

    asked.run_until("2027-02-05 12:00")
    assert "届いたら1と返信" in asked.words_to(MOTHER)[-1]
    asked.answers(MOTHER, "1")
    assert life_of(asked).state is CardState.READY_TO_COLLECT

    asked.run_until("2027-02-20 12:00")
    assert "新しいマイナンバーカードができています" in asked.words_to(MOTHER)[-1]
    asked.answers(MOTHER, "受け取りました")
    assert asked.card_of(1).acknowledged_on == date(2027, 2, 20)
    assert life_of(asked).state is CardState.DONE


def test_she_texts_the_day_on_which_she_goes_and_is_reminded_of_it(asked: Village) -> None:
    asked.answers(MOTHER, "１０日に行きます")

    assert life_of(asked).appointment_on == date(2027, 1, 10)
    assert "1月10日（日）ですね" in asked.words_to(MOTHER)[-1]
    asked.run_until("2027-01-09 12:00")
    assert "予約の日は、1月10日（日）です" in asked.words_to(MOTHER)[-1]


def test_going_without_a_day_is_asked_again_as_before(asked: Village) -> None:
    asked.answers(MOTHER, "来週行きます")

    assert life_of(asked) == NOT_BEGUN
    assert "お気をつけて" in asked.words_to(MOTHER)[-1]


def test_that_something_came_before_anybody_applied_is_read_by_a_human(asked: Village) -> None:
    asked.answers(MOTHER, "届きました")

    assert life_of(asked) == NOT_BEGUN
    assert asked.card_of(1).acknowledged_on is None
    assert any("届きました" in text for text in asked.words_to(DAUGHTER))


@pytest.mark.parametrize(
    ("kind", "said"), [("mynumber_user_certificate", "申請しました"), ("care_burden_ratio", "届きました")]
)
def test_of_what_is_done_at_once_or_comes_by_itself_the_same_words_mean_that_it_is_done(
    talking_village: Village, kind: str, said: str
) -> None:
    talking_village.member(DAUGHTER, DAUGHTER)
    talking_village.person(MOTHER, phone="090-0000-0001", mode=Mode.STANDARD)
    talking_village.card(MOTHER, date(2027, 1, 20), kind)
    talking_village.run_until("2027-01-18 12:00")

    talking_village.answers(MOTHER, said)

    assert talking_village.card_of(1).acknowledged_on is not None
