"""Month two: whose row it is, and which of two dates is right, is never guessed."""

from collections.abc import Mapping

import pytest

from reminder.domain.model.imports import SheetAnswer, answers_to
from reminder.domain.model.people import ChannelName, ConsentHow, ContactState, GroupKind
from reminder.enrolment import card_days, register
from reminder.enrolment import cards as card_acts
from reminder.enrolment.cards import TypedDates
from reminder.enrolment.imports.service import RowAnswer
from reminder.enrolment.person_acts import PersonAct, act_on_person
from reminder.enrolment.register import PersonChanges
from reminder.errors import RefusedInputError
from reminder.storage.registry import cards, contacts, people
from reminder.storage.registry.imports import ImportRowView, ImportView
from tests.homes import checked, found, rows_of, saved
from tests.village import Village

HEAD = "居室,氏名,電子証明書期限"
CERTIFICATE, CARD = "mynumber_user_certificate", "mynumber_card"
SAME, KEEP, NEW, LEAVE = (RowAnswer(one) for one in list(SheetAnswer)[:4])


@pytest.fixture
def home(village: Village) -> Village:
    village.group(GroupKind.HOME, "見本の里")
    return village


def look(home: Village, *rows: str, head: str = HEAD) -> ImportView:
    return checked(home, "\n".join([head, *rows]).encode())


def send(home: Village, *rows: str, head: str = HEAD, answers: Mapping[int, RowAnswer] | None = None) -> ImportView:
    return saved(home, look(home, *rows, head=head), answers=answers)


def everybody(home: Village) -> list[tuple[str | None, str, str | None]]:
    """The room, the name and the end of the certificate of each."""
    with home.app.database.reading() as tx:
        known = people.of_group(tx, 1)
        ends = cards.ends_of_people(tx, [one.id for one in known])
    shown = {one.id: ends[one.id].get(CERTIFICATE) for one in known}
    return sorted(
        ((one.room, one.label, str(shown[one.id]) if shown[one.id] else None) for one in known),
        key=lambda one: (one[0] or "", one[1], one[2] or ""),
    )


def person_of(home: Village, label: str, room: str | None = None) -> int:
    with home.app.database.reading() as tx:
        return next(one.id for one in people.of_group(tx, 1) if one.label == label and room in (None, one.room))


def card_of(home: Village, label: str, kind: str = CERTIFICATE) -> int:
    with home.app.database.reading() as tx:
        return cards.current_of_people(tx, [person_of(home, label)])[person_of(home, label)][kind].id


def renew(home: Village, label: str, end: str, kind: str = CERTIFICATE) -> None:
    with home.app.writing() as uow:
        card_acts.renew_card(uow, card_id=card_of(home, label, kind), typed=TypedDates(end), confirmed=True)


def asked(home: Village, sheet_import: ImportView) -> dict[int, list[str]]:
    """The codes of the questions, by row."""
    rows = rows_of(home, sheet_import)
    return {
        number: [one.code for one in row.findings if one.level.name == "CONFIRM"]
        for number, row in rows.items()
        if answers_to(row.findings)
    }


def row(home: Village, sheet_import: ImportView, number: int) -> ImportRowView:
    return rows_of(home, sheet_import)[number]


def reached(home: Village, label: str) -> list[tuple[str, str, bool]]:
    """The address, the state, and whether it is the family's, of each contact."""
    with home.app.database.reading() as tx:
        theirs = contacts.of_person(tx, home.app.keys, person_of(home, label))
    return sorted((one.address, one.state.value, one.is_family) for one in theirs)


# ---- who is meant


def test_a_couple_in_one_room_are_two_people(home: Village) -> None:
    send(home, "301,佐藤 正,2027-02-20")

    both = look(home, "301,佐藤 正,2027-02-20", "301,佐藤 清,2029-09-09")
    saved(home, both, yes=True)

    assert asked(home, both) == {}
    assert everybody(home) == [("301", "佐藤 正", "2027-02-20"), ("301", "佐藤 清", "2029-09-09")]


def test_a_couple_is_two_people_also_where_the_new_one_stands_first(home: Village) -> None:
    send(home, "301,佐藤 正,2027-02-20")

    send(home, "301,佐藤 清,2029-09-09", "301,佐藤 正,2027-02-20")

    assert everybody(home) == [("301", "佐藤 正", "2027-02-20"), ("301", "佐藤 清", "2029-09-09")]


def test_namesakes_of_two_rooms_are_two_people(home: Village) -> None:
    send(home, "101,田中 ヨシ,2027-02-20")

    both = look(home, "205,田中 ヨシ,2029-09-09", "101,田中 ヨシ,2027-02-20")
    saved(home, both)

    assert asked(home, both) == {}
    assert everybody(home) == [("101", "田中 ヨシ", "2027-02-20"), ("205", "田中 ヨシ", "2029-09-09")]


def test_rows_of_two_batches_are_matched_together(home: Village, monkeypatch: pytest.MonkeyPatch) -> None:
    from reminder.enrolment.imports import service

    monkeypatch.setattr(service, "BATCH", 2)
    monkeypatch.setattr(service, "WAITING", 2)
    send(home, "301,佐藤 正,2027-02-20", "302,ハナ,2027-02-20", "303,キヨ,2027-02-20")

    sheet = look(
        home,
        "301,佐藤 清,2029-09-09",
        "401,ハナ,2029-09-09",
        "302,トミ,2028-01-05",
        "303,キヨ,2027-02-20",
        "301,佐藤 正,2027-02-20",
    )

    assert asked(home, sheet) == {3: ["maybe_moved"]}
    assert (sheet.done, sheet.counts.checked) == (5, 5)


@pytest.mark.parametrize("answer", [SAME, NEW, LEAVE])
def test_who_may_have_moved_is_the_same_or_somebody_else_or_left_out(home: Village, answer: RowAnswer) -> None:
    send(home, "201,ハナ,2027-11-16")

    sheet = look(home, "305,ハナ,2028-11-16")
    assert asked(home, sheet) == {2: ["maybe_moved"]}
    saved(home, sheet, answers={2: answer})

    assert (
        everybody(home)
        == {
            SheetAnswer.SAME: [("305", "ハナ", "2028-11-16")],
            SheetAnswer.NEW: [("201", "ハナ", "2027-11-16"), ("305", "ハナ", "2028-11-16")],
            SheetAnswer.LEAVE: [("201", "ハナ", "2027-11-16")],
        }[answer.answer]
    )
    # Next month asks nothing again.
    after = look(home, "305,ハナ,2028-11-16")
    assert asked(home, after) == {}
    before = everybody(home)
    saved(home, after)
    assert everybody(home) == before


def test_a_row_that_was_left_out_is_asked_about_again_once_it_says_something_else(home: Village) -> None:
    send(home, "201,ハナ,2027-11-16")
    send(home, "201,ハル,2028-11-16", answers={2: LEAVE})
    assert asked(home, look(home, "201,ハル,2028-11-16")) == {}

    send(home, "202,トミ,2020-01-05", answers={2: LEAVE})

    assert asked(home, look(home, "202,トミ,2020-01-05")) == {}
    assert asked(home, look(home, "202,トミ,2020-01-06")) == {2: ["date_past"]}


def test_a_yes_to_all_says_not_who_somebody_is_nor_which_date_is_right(home: Village) -> None:
    send(home, "201,ハナ,2027-11-16", "202,キヨ,2027-12-01")

    saved(home, look(home, "305,ハナ,2027-11-16", "202,キヨ,2026-12-20"), yes=True)

    assert everybody(home) == [("201", "ハナ", "2027-11-16"), ("202", "キヨ", "2027-12-01")]


def test_namesakes_who_swap_rooms_are_asked_about_and_keep_their_dates(home: Village) -> None:
    send(home, "101,田中 ヨシ,2027-02-20", "205,田中 ヨシ,2029-09-09")

    sheet = look(home, "101,田中 ヨシ,2029-09-09", "205,田中 ヨシ,2027-02-20")
    saved(home, sheet)

    assert asked(home, sheet) == {2: ["maybe_swapped"] * 2, 3: ["maybe_swapped"] * 2}
    assert everybody(home) == [("101", "田中 ヨシ", "2027-02-20"), ("205", "田中 ヨシ", "2029-09-09")]
    first, second = person_of(home, "田中 ヨシ", "101"), person_of(home, "田中 ヨシ", "205")
    send(home, "101,田中 ヨシ,2029-09-09", "205,田中 ヨシ,2027-02-20", answers={2: SAME, 3: SAME})
    assert (person_of(home, "田中 ヨシ", "205"), person_of(home, "田中 ヨシ", "101")) == (first, second)
    assert everybody(home) == [("101", "田中 ヨシ", "2029-09-09"), ("205", "田中 ヨシ", "2027-02-20")]


def test_of_several_who_may_be_meant_the_answer_names_one(home: Village) -> None:
    send(home, "101,田中 ヨシ,2027-02-20", "205,田中 ヨシ,2029-09-09")
    second = person_of(home, "田中 ヨシ", "205")

    sheet = look(home, "301,田中 ヨシ,2030-01-05")
    assert asked(home, sheet) == {2: ["maybe_moved"] * 2}
    saved(home, sheet, answers={2: RowAnswer(SheetAnswer.SAME, second)})

    assert person_of(home, "田中 ヨシ", "301") == second
    with pytest.raises(RefusedInputError) as refused:
        send(home, "302,田中 ヨシ,2028-01-05", answers={2: RowAnswer(SheetAnswer.SAME, 999)})
    assert refused.value.code == "answer_unfit"


def test_two_rows_cannot_both_be_one_person(home: Village) -> None:
    send(home, "201,ハナ,2027-11-16")

    sheet = look(home, "305,ハナ,2027-11-16", "306,ハナ,2027-11-16")

    assert asked(home, sheet) == {2: ["maybe_moved"], 3: ["maybe_moved"]}
    with pytest.raises(RefusedInputError) as refused:
        saved(home, sheet, answers={2: SAME, 3: SAME})
    assert refused.value.code == "answers_clash"
    saved(home, sheet, answers={2: NEW, 3: SAME})
    assert everybody(home) == [("305", "ハナ", "2027-11-16"), ("306", "ハナ", "2027-11-16")]


def test_who_was_moved_or_renamed_here_is_known_by_the_old_words_of_the_sheet(home: Village) -> None:
    send(home, "201,ハナ,2027-11-16")
    with home.app.writing() as uow:
        changes = PersonChanges(label="花子さん", room="305")
        register.edit_person(uow, person_id=person_of(home, "ハナ"), changes=changes)

    sheet = look(home, "201,ハナ,2028-11-16")
    saved(home, sheet)

    assert asked(home, sheet) == {}
    assert everybody(home) == [("305", "花子さん", "2028-11-16")]


def test_a_second_row_with_the_old_words_of_somebody_is_asked_about(home: Village) -> None:
    send(home, "201,ハナ,2027-11-16")
    with home.app.writing() as uow:
        register.edit_person(uow, person_id=person_of(home, "ハナ"), changes=PersonChanges(room="305"))

    sheet = look(home, "201,ハナ,2027-11-16", "305,ハナ,2027-11-16")

    assert asked(home, sheet) == {2: ["maybe_twice"]}
    assert answers_to(row(home, sheet, 2).findings) == [SheetAnswer.NEW, SheetAnswer.LEAVE]


def test_a_reference_goes_before_a_name_and_a_room_wherever_the_row_stands(home: Village) -> None:
    head = "整理番号,居室,氏名,電子証明書期限"
    send(home, "A1,201,ハナ,2027-11-16", head=head)

    send(home, ",201,ハナ,2029-01-05", "A1,305,ハナ,2028-11-16", head=head, answers={2: NEW})

    assert everybody(home) == [("201", "ハナ", "2029-01-05"), ("305", "ハナ", "2028-11-16")]


# ---- which date is right


def test_a_stale_sheet_reverts_no_renewal(home: Village) -> None:
    send(home, "201,ハナ,2027-02-20")
    renew(home, "ハナ", "2032-02-20")

    sheet = look(home, "201,ハナ,2027-02-20")
    saved(home, sheet, yes=True)

    assert [one.code for one in row(home, sheet, 2).findings] == ["kept_ours"]
    assert everybody(home) == [("201", "ハナ", "2032-02-20")]


def test_what_only_the_sheet_has_changed_is_taken(home: Village) -> None:
    send(home, "201,ハナ,2027-02-20")

    send(home, "201,ハナ,2031-02-20")

    assert everybody(home) == [("201", "ハナ", "2031-02-20")]


@pytest.mark.parametrize(("answer", "end"), [(SAME, "2031-02-21"), (KEEP, "2031-02-20"), (LEAVE, "2031-02-20")])
def test_what_both_have_changed_is_asked_about_once(home: Village, answer: RowAnswer, end: str) -> None:
    send(home, "201,ハナ,2027-02-20")
    renew(home, "ハナ", "2031-02-20")

    sheet = look(home, "201,ハナ,2031-02-21")
    assert asked(home, sheet) == {2: ["changed_on_both"]}
    (question,) = row(home, sheet, 2).findings
    assert question.details == {"ours": "2031-02-20", "theirs": "2031-02-21"}
    saved(home, sheet, answers={2: answer})

    assert everybody(home) == [("201", "ハナ", end)]
    assert asked(home, look(home, "201,ハナ,2031-02-21")) == {}


@pytest.mark.parametrize(
    ("end", "code"), [("2026-12-20", "date_goes_back"), ("2036-02-20", "date_jumps"), ("2028-03-31", "date_of_another")]
)
def test_a_date_that_can_hardly_be_the_next_is_asked_about(home: Village, end: str, code: str) -> None:
    head = "居室,氏名,電子証明書期限,認定期限"
    send(home, "201,ハナ,2027-02-20,2028-03-31", head=head)

    sheet = look(home, f"201,ハナ,{end},2028-03-31", head=head)
    saved(home, sheet, yes=True)

    assert asked(home, sheet) == {2: [code]}
    assert everybody(home) == [("201", "ハナ", "2027-02-20")]


def test_a_first_sheet_about_somebody_typed_here_does_not_turn_a_date_back(home: Village) -> None:
    with home.app.writing() as uow:
        person = register.add_person(uow, group_id=1, label="ハナ", room="201")
        card_acts.add_card(uow, person_id=person, kind=CERTIFICATE, typed=TypedDates("2032-02-20"), confirmed=True)

    assert asked(home, look(home, "201,ハナ,2027-02-20")) == {2: ["date_goes_back"]}
    assert asked(home, look(home, "201,ハナ,2032-02-21")) == {}


def test_a_card_that_was_ended_here_does_not_come_back(home: Village) -> None:
    send(home, "201,ハナ,2027-02-20")
    with home.app.writing() as uow:
        card_acts.retire_card(uow, card_id=card_of(home, "ハナ"))

    send(home, "201,ハナ,2027-02-20")
    assert everybody(home) == [("201", "ハナ", None)]
    sheet = look(home, "201,ハナ,2032-02-20")
    assert asked(home, sheet) == {2: ["was_ended"]}
    saved(home, sheet, answers={2: SAME})
    assert everybody(home) == [("201", "ハナ", "2032-02-20")]


def test_a_certificate_that_would_outlive_its_card_is_asked_about(home: Village) -> None:
    head = "居室,氏名,電子証明書期限,カード期限"

    sheet = look(home, "201,ハナ,2031-02-20,2029-02-20", "202,キヨ,2029-02-20,2034-02-20", head=head)

    assert asked(home, sheet) == {2: ["outlives_carrier"]}
    saved(home, sheet, answers={2: SAME})
    assert asked(home, look(home, "201,ハナ,2031-02-20,2029-02-20", head=head)) == {}


def test_a_question_that_arises_after_the_check_keeps_the_row_from_being_saved(home: Village) -> None:
    send(home, "201,ハナ,2027-02-20")
    sheet = look(home, "201,ハナ,2031-02-20")
    assert asked(home, sheet) == {}
    renew(home, "ハナ", "2032-02-20")

    after = saved(home, sheet)

    assert everybody(home) == [("201", "ハナ", "2032-02-20")]
    assert asked(home, after) == {2: ["changed_on_both"]}
    assert (after.counts.saved, after.counts.needs_confirmation, after.counts.warned) == (0, 1, 1)


# ---- contacts and consents

WITH_FAMILY = "居室,氏名,電子証明書期限,家族携帯,同意日"


def test_a_consent_that_the_next_sheet_has_counts(home: Village) -> None:
    send(home, "201,ハナ,2027-02-20,090-0000-0001,", head=WITH_FAMILY)
    assert reached(home, "ハナ") == [("+819000000001", "unconfirmed", True)]

    sheet = look(home, "201,ハナ,2027-02-20,090-0000-0001,2026-11-01", head=WITH_FAMILY)
    assert sheet.counts.changed == 1
    saved(home, sheet)

    assert reached(home, "ハナ") == [("+819000000001", "confirmed", True)]


def test_a_consent_of_a_sheet_lifts_no_refusal(home: Village) -> None:
    from reminder.enrolment import consent

    send(home, "201,ハナ,2027-02-20,090-0000-0001,", head=WITH_FAMILY)
    with home.app.database.reading() as tx:
        (contact,) = contacts.of_person(tx, home.app.keys, person_of(home, "ハナ"))
    with home.app.writing() as uow:
        consent.stop(uow, contact_id=contact.id)

    send(home, "201,ハナ,2027-02-20,090-0000-0001,2026-11-01", head=WITH_FAMILY)

    assert reached(home, "ハナ") == [("+819000000001", "opted_out", True)]


def test_a_corrected_number_replaces_the_one_it_corrects(home: Village) -> None:
    send(home, "201,ハナ,2027-02-20,090-0000-0001,2026-11-01", head=WITH_FAMILY)

    sheet = look(home, "201,ハナ,2027-02-20,090-0000-0002,2026-11-01", head=WITH_FAMILY)
    saved(home, sheet)

    assert "contact_replaced" in [one.code for one in row(home, sheet, 2).findings]
    assert reached(home, "ハナ") == [
        ("+819000000001", "unreachable", True),
        ("+819000000002", "confirmed", True),
    ]


def test_a_contact_that_was_entered_here_is_never_replaced(home: Village) -> None:
    send(home, "201,ハナ,2027-02-20,,", head=WITH_FAMILY)
    with home.app.writing() as uow:
        register.add_contact(
            uow,
            channel=ChannelName.SMS,
            address="090-0000-0001",
            person_id=person_of(home, "ハナ"),
            is_family=True,
            consent_how=ConsentHow.SPOKEN,
            consent_by="職員",
        )
    send(home, "201,ハナ,2027-02-20,090-0000-0001,2026-11-01", head=WITH_FAMILY)

    sheet = look(home, "201,ハナ,2027-02-20,090-0000-0002,2026-11-01", head=WITH_FAMILY)
    saved(home, sheet, answers={2: SAME})

    assert asked(home, sheet) == {2: ["changed_on_both"]}
    assert ("+819000000001", ContactState.CONFIRMED.value, True) in reached(home, "ハナ")


def test_a_contact_that_was_removed_here_is_not_added_again(home: Village) -> None:
    from reminder.upkeep.privacy import erasure

    send(home, "201,ハナ,2027-02-20,090-0000-0001,2026-11-01", head=WITH_FAMILY)
    with home.app.database.reading() as tx:
        (contact,) = contacts.of_person(tx, home.app.keys, person_of(home, "ハナ"))
    erasure.erase_contact(home.app.units, home.now, contact_id=contact.id)

    send(home, "201,ハナ,2027-02-20,090-0000-0001,2026-11-01", head=WITH_FAMILY)

    assert reached(home, "ハナ") == []


# ---- those who have gone


@pytest.mark.parametrize(
    ("act", "code", "offered"),
    [
        (PersonAct.MOVE_OUT, "known_as_moved_out", [SheetAnswer.SAME, SheetAnswer.NEW, SheetAnswer.LEAVE]),
        (PersonAct.DIED, "known_as_dead", [SheetAnswer.NEW, SheetAnswer.LEAVE]),
    ],
)
def test_who_has_gone_is_not_enrolled_again_without_a_question(
    home: Village, act: PersonAct, code: str, offered: list[SheetAnswer]
) -> None:
    send(home, "201,ハナ,2027-02-20")
    with home.app.writing() as uow:
        act_on_person(uow, person_id=person_of(home, "ハナ"), act=act)

    sheet = look(home, "201,ハナ,2027-02-20")
    saved(home, sheet, yes=True)

    assert asked(home, sheet) == {2: [code]}
    assert list(answers_to(row(home, sheet, 2).findings)) == offered
    assert everybody(home) == [("201", "ハナ", None)]
    send(home, "201,ハナ,2027-02-20", answers={2: LEAVE})
    assert asked(home, look(home, "201,ハナ,2027-02-20")) == {}


def test_who_is_back_has_their_cards_again(home: Village) -> None:
    send(home, "201,ハナ,2027-02-20")
    with home.app.writing() as uow:
        act_on_person(uow, person_id=person_of(home, "ハナ"), act=PersonAct.MOVE_OUT)

    send(home, "201,ハナ,2027-02-20", answers={2: SAME})

    assert everybody(home) == [("201", "ハナ", "2027-02-20")]
    assert asked(home, look(home, "201,ハナ,2027-02-20")) == {}


def test_nobody_is_lost_while_a_sheet_is_checked_twice(home: Village) -> None:
    from reminder.enrolment.imports import service

    send(home, "301,佐藤 正,2027-02-20")
    sheet = look(home, "301,佐藤 清,2029-09-09", "305,佐藤 正,2027-02-20")
    with home.app.writing() as uow:
        service.set_mapping(uow, import_id=sheet.id, by_place=sheet.mapping.by_place)
    service.process_to_end(home.app.units, home.now, import_id=sheet.id)

    again = found(home, sheet.id)

    assert again.counts == sheet.counts
    assert asked(home, again) == asked(home, sheet) == {2: ["maybe_renamed"], 3: ["maybe_moved"]}


def test_days_of_reminders_are_merged_as_dates_are(home: Village) -> None:
    head = "居室,氏名,電子証明書期限,お知らせの日"
    send(home, "201,ハナ,2028-02-20,60 30", head=head)
    with home.app.writing() as uow:
        card_days.set_card_days(uow, card_id=card_of(home, "ハナ"), own_days=[90, 30])

    stale = look(home, "201,ハナ,2028-02-20,60 30", head=head)
    assert [one.code for one in row(home, stale, 2).findings] == ["kept_ours"]
    assert asked(home, look(home, "201,ハナ,2028-02-20,40 20", head=head)) == {2: ["changed_on_both"]}
