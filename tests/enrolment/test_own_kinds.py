"""Kinds of a group's own: as complete as those of the file, and never seen by another group."""

from datetime import date

import pytest

from reminder.domain.model.card_kinds import RenewalPlace
from reminder.domain.model.own_kinds import MOST_KINDS
from reminder.domain.model.people import GroupKind, Mode
from reminder.enrolment.cards import NewCard, TypedDates, add_card, draft
from reminder.enrolment.own_kinds import OwnKindDraft, add_own_kind, change_own_kind, remove_own_kind
from reminder.enrolment.register import add_person
from reminder.errors import ConflictError, NotFoundError, RefusedInputError, UnknownChoiceError
from reminder.storage.registry import own_kinds
from reminder.storage.registry.own_kinds import OwnKindView
from tests.homes import checked, rows_of, saved
from tests.village import Village

END = date(2027, 6, 30)
SHOP = OwnKindDraft("会員証", "shop", opens_days=45, lead_days=7)


def add(village: Village, wanted: OwnKindDraft = SHOP, group_id: int = 1) -> OwnKindView:
    with village.app.writing() as uow:
        return add_own_kind(uow, group_id=group_id, wanted=wanted)


def change(village: Village, kind: OwnKindView, wanted: OwnKindDraft) -> OwnKindView:
    with village.app.writing() as uow:
        return change_own_kind(uow, group_id=kind.group_id, kind_id=kind.id, wanted=wanted)


def card(village: Village, kind: str, person_id: int = 1) -> int:
    with village.app.writing() as uow:
        return add_card(uow, person_id=person_id, kind=kind, typed=TypedDates(END.isoformat())).id


@pytest.fixture
def father(village: Village) -> Village:
    village.group()
    village.person("父", phone="090-0000-0002")
    return village


def test_a_card_of_an_own_kind_is_called_like_it_and_told_from_the_day_it_can_be_renewed(father: Village) -> None:
    kind = add(father)

    number = card(father, kind.public_name)
    father.run_until("2027-07-08 23:00")

    assert father.card_of(number).label == "会員証"
    assert father.texts_to("父")[0] == "05-17 09:00", "45 days before is a Sunday"
    words = father.words_to("父")
    assert all("会員証" in text for text in words)
    assert "お店で、手続きをしてください" in words[0]


def test_its_own_days_come_before_the_group_s_and_a_card_s_before_these(father: Village) -> None:
    kind = add(father, OwnKindDraft("会員証", "shop", own_days=(20,)))
    number = card(father, kind.public_name)

    assert father.card_of(number).next_reminder_on == date(2027, 6, 10)
    other = add(father, OwnKindDraft("回数券", "shop", own_days=(20,)))
    with father.app.writing() as uow:
        typed = TypedDates(END.isoformat())
        own = add_card(uow, person_id=1, kind=other.public_name, typed=typed, own_days=(10,))
    assert own.next_reminder_on == date(2027, 6, 19), "the tenth day before is a Sunday"


@pytest.mark.parametrize(
    ("place", "mode"),
    [*((place, Mode.ELDERLY) for place in RenewalPlace), ("post", Mode.STANDARD), ("arrives_by_itself", Mode.HOME)],
)
def test_wherever_it_is_done_and_however_somebody_lives_every_step_is_told(
    village: Village, place: str, mode: Mode
) -> None:
    village.group()
    village.member("娘", "musume@example.jp")
    village.person("母", phone="090-0000-0003", mode=mode)
    kind = add(village, OwnKindDraft("会員証", place))

    number = card(village, kind.public_name)
    village.run_until("2027-07-10 23:00")

    assert len(village.texts_to("母")) >= 3
    assert village.card_of(number).kind == kind.key
    assert "set_aside" not in str(village.states())


def test_what_cannot_be_kept_is_refused(father: Village) -> None:
    for wanted, code in (
        (OwnKindDraft(""), "label_empty"),
        (OwnKindDraft("1234567890123456"), "label_too_many_digits"),
        (OwnKindDraft("とても長い名前の会員証とても長い名前"), "label_too_long"),
        (OwnKindDraft("会員証", "moon"), "unknown_choice"),
        (OwnKindDraft("会員証", stand_in="excused"), "unknown_choice"),
        (OwnKindDraft("会員証", opens_days=0), "days_out_of_range"),
        (OwnKindDraft("会員証", opens_days=731), "days_out_of_range"),
        (OwnKindDraft("会員証", lead_days=-1), "days_out_of_range"),
        (OwnKindDraft("会員証", lead_days=366), "days_out_of_range"),
        (OwnKindDraft("会員証", "arrives_by_itself", lead_days=3), "own_kind_arrives"),
        (OwnKindDraft("会員証", own_days=(60, 50)), "own_days_gaps_grow"),
    ):
        with pytest.raises(RefusedInputError) as refused:
            add(father, wanted)
        assert refused.value.code in (code, "forbidden_number"), wanted
    with father.app.reading() as uow:
        assert own_kinds.of_group(uow.tx, 1) == []
    with pytest.raises(NotFoundError):
        add(father, group_id=99)


def test_a_name_is_given_once_in_a_group_and_so_many_kinds_fit(father: Village) -> None:
    father.group(name="鈴木家")
    add(father)
    with pytest.raises(ConflictError) as twice:
        add(father)
    add(father, group_id=2)
    for number in range(MOST_KINDS - 1):
        add(father, OwnKindDraft("券" + "あいうえおかきくけこ"[number % 10] + "たちつてと"[number // 10]))

    with pytest.raises(ConflictError) as full:
        add(father, OwnKindDraft("もう一つ"))

    assert (twice.value.code, full.value.code) == ("own_kind_known", "own_kinds_full")


def test_a_change_gives_every_card_of_it_the_new_name_and_plan(father: Village) -> None:
    kind = add(father)
    number = card(father, kind.public_name)

    change(father, kind, OwnKindDraft("新しい会員証", "post", opens_days=20))

    kept = father.card_of(number)
    assert (kept.label, kept.next_reminder_on) == ("新しい会員証", date(2027, 6, 10))
    father.run_until("2027-06-10 23:00")
    assert "新しい会員証" in father.words_to("父")[0]


def test_a_new_name_that_somebody_calls_another_card_is_refused(father: Village) -> None:
    kind, other = add(father), add(father, OwnKindDraft("回数券"))
    card(father, kind.public_name)
    with father.app.writing() as uow:
        add_card(uow, person_id=1, kind="other", label="診察券", typed=TypedDates(END.isoformat()))

    with pytest.raises(ConflictError) as of_card:
        change(father, kind, OwnKindDraft("診察券"))
    with pytest.raises(ConflictError) as of_kind:
        change(father, kind, OwnKindDraft(other.name))
    with pytest.raises(ConflictError) as twice:
        card(father, kind.public_name)

    codes = (of_card.value.code, of_kind.value.code, twice.value.code)
    assert codes == ("own_kind_name_of_card", "own_kind_known", "card_known")


def test_a_kind_is_removed_once_no_card_is_of_it_and_what_is_retired_can_still_be_read(father: Village) -> None:
    kind = add(father)
    number = card(father, kind.public_name)

    with pytest.raises(ConflictError) as used, father.app.writing() as uow:
        remove_own_kind(uow, group_id=1, kind_id=kind.id)
    father.retire(number)
    with father.app.writing() as uow:
        remove_own_kind(uow, group_id=1, kind_id=kind.id)

    assert used.value.code == "own_kind_in_use"
    assert father.card_of(number).kind in father.app.rules.kinds
    with pytest.raises(UnknownChoiceError):
        card(father, kind.public_name)


def test_no_other_group_registers_changes_or_removes_it(father: Village) -> None:
    kind = add(father)
    father.group(name="鈴木家")
    with father.app.writing() as uow:
        stranger = add_person(uow, group_id=2, label="祖父")

    for typed in (kind.public_name, kind.key):
        with pytest.raises(UnknownChoiceError) as refused:
            card(father, typed, stranger)
        assert kind.name not in str(refused.value.details)
        with pytest.raises(UnknownChoiceError), father.app.reading() as uow:
            draft(uow, person_id=stranger, wanted=NewCard(typed, TypedDates(END.isoformat())))
    for act in (change_own_kind, remove_own_kind):
        with pytest.raises(NotFoundError), father.app.writing() as uow:
            act(uow, group_id=2, kind_id=kind.id, **({"wanted": SHOP} if act is change_own_kind else {}))  # type: ignore[operator]


def test_facts_that_somebody_makes_up_are_those_that_the_group_has_set(father: Village) -> None:
    kind = add(father)

    number = card(father, kind.key.replace(":45:", ":730:"))

    assert father.card_of(number).kind == kind.key


HEAD = "居室,氏名,会員証の期限"


def test_a_column_with_the_name_of_a_kind_holds_the_ends_of_its_cards(village: Village) -> None:
    village.group(GroupKind.HOME, "見本の里")
    kind = add(village)

    saved(village, checked(village, f"{HEAD}\n201,ハナ,2027-06-30\n".encode()))
    saved(village, checked(village, f"{HEAD}\n201,ハナ,2028-06-30\n".encode()))

    kept = village.card_of(1)
    assert (kept.kind, kept.label, kept.expires_on) == (kind.key, "会員証", date(2028, 6, 30))


def test_a_row_of_a_kind_that_was_removed_meanwhile_is_refused_and_not_lost(village: Village) -> None:
    village.group(GroupKind.HOME, "見本の里")
    kind = add(village)
    sheet = checked(village, f"{HEAD}\n201,ハナ,2027-06-30\n".encode())
    with village.app.writing() as uow:
        remove_own_kind(uow, group_id=1, kind_id=kind.id)

    sheet = saved(village, sheet)

    (row,) = rows_of(village, sheet).values()
    assert [one.code for one in row.findings][-1] == "own_kind_gone"
    assert sheet.counts.refused == 1


def test_a_program_of_the_version_before_takes_its_card_for_one_with_a_name_of_its_own(father: Village) -> None:
    kind = add(father)
    card(father, kind.public_name)

    with father.app.database.reading() as tx:
        row = tx.connection().exec_driver_sql("SELECT kind, next_reminder_on FROM cards").one()

    assert row[0] == "other"
    assert row[1] is not None
