"""A home's sheet becomes residents: checked first, good rows saved, bad ones returned, and twice is as once."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from reminder.domain.model.imports import ColumnUse, ImportState, Level, RowEffect, RowStatus
from reminder.domain.model.people import ChannelName, ContactState, GroupKind, Language
from reminder.enrolment.cards import NewCard, TypedDates, add_cards
from reminder.enrolment.imports import service
from reminder.enrolment.imports.reader import SheetRow, read_sheet
from reminder.errors import ConflictError, RefusedInputError
from reminder.planning.planner import plan_due
from reminder.storage.db.tables import ImportRow
from reminder.storage.registry import cards, contacts, imports, people
from tests.homes import EXPECTED, SHEETS, begun, checked, found, rejected, rows_of, saved, start_saving
from tests.rules import HEADINGS
from tests.village import Village

SAID = {"error": Level.REFUSE, "fixed": Level.NOTE, "info": Level.NOTE}
HEAD = "居室,氏名,電子証明書期限"


def sheet_of(*rows: str, head: str = HEAD) -> bytes:
    return "\n".join([head, *rows]).encode()


def a_home(village: Village) -> None:
    village.group(GroupKind.HOME, "見本の里")


def residents(village: Village) -> list[tuple[str, str | None]]:
    with village.app.database.reading() as tx:
        return sorted((one.label, one.room) for one in people.of_group(tx, 1))


def ends(village: Village, label: str) -> dict[str, str]:
    with village.app.database.reading() as tx:
        person = next(one for one in people.of_group(tx, 1) if one.label == label)
        return {card.kind: card.expires_on.isoformat() for card in cards.current_of_person(tx, person.id)}


def planted() -> list[object]:
    return [
        pytest.param(name, case, id=f"{name}-{case.get('row') or case['excel_row']}-{case['expect']}")
        for name, sheet in EXPECTED.items()
        for case in sheet["rows"]
    ]


@pytest.fixture(scope="module")
def looked_at(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[object, dict[int, object]]]:
    from tests.village import open_village

    found = {}
    for name in EXPECTED:
        folder = tmp_path_factory.mktemp("home")
        with open_village(f"sqlite:///{folder}/kigen.db", folder, "2026-11-23 10:00") as village:
            a_home(village)
            sheet_import = checked(village, (SHEETS / name).read_bytes())
            found[name] = sheet_import, rows_of(village, sheet_import)
    return found


@pytest.mark.parametrize(("name", "case"), planted())
def test_what_stands_in_the_sheets_of_homes_is_judged_as_expected(
    name: str, case: dict[str, str], looked_at: dict[str, tuple[object, dict[int, object]]]
) -> None:
    sheet_import, rows = looked_at[name]
    number = int(case.get("row") or case["excel_row"])
    if case["expect"] == "total_row_ignored":
        assert number not in rows
        assert sheet_import.counts.ignored == 1
        return
    heading = case["column"].replace(" ", "")
    places = {c.place for c in sheet_import.columns if c.heading.rpartition("/")[2].replace(" ", "") == heading}

    weights = [one.level for one in rows[number].findings if one.place in places or one.place is None]

    worst = max(weights, default=Level.NOTE)
    assert worst is SAID[case["level"]] if case["level"] in SAID else worst in (Level.WARN, Level.CONFIRM)


@pytest.mark.parametrize("name", EXPECTED)
def test_columns_of_numbers_are_not_read_and_are_named(
    name: str, looked_at: dict[str, tuple[object, dict[int, object]]]
) -> None:
    sheet_import, rows = looked_at[name]

    refused = {column.heading: column.place for column in sheet_import.columns if column.use is ColumnUse.REFUSED}

    assert set(refused) == {heading.removesuffix(" (hidden)") for heading in EXPECTED[name]["refused_columns"]}
    assert not any(row.cells.keys() & set(refused.values()) for row in rows.values())
    assert sheet_import.rows == EXPECTED[name]["data_rows"] == len(rows)
    assert sheet_import.counts.refused + sheet_import.counts.accepted + sheet_import.counts.warned == sheet_import.rows


@pytest.mark.parametrize("name", EXPECTED)
def test_no_digit_of_a_column_of_numbers_is_left_anywhere(name: str, tmp_path: Path) -> None:
    from tests.village import open_village

    with open_village(f"sqlite:///{tmp_path}/kigen.db", tmp_path, "2026-11-23 10:00") as village:
        a_home(village)
        sheet_import = saved(village, checked(village, (SHEETS / name).read_bytes()), yes=True)
        returned = rejected(village, sheet_import).encode()
        opened = json.dumps([dict(row.cells) for row in rows_of(village, sheet_import).values()], ensure_ascii=False)

        kept = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
        for digits in ("999900000012", "9999 0000 0021", "123456789018", "1234 5678 9018", "0000000005"):
            assert digits.encode() not in kept + returned + opened.encode()


def test_an_imported_row_is_told_as_a_typed_one(village: Village) -> None:
    a_home(village)
    village.member("事務", "office@example.jp")
    head = "居室,呼び名,携帯電話,電子証明書期限,カード期限,資格確認書,同意日"
    row = "203,花子さん,090-0000-0001,R10.3.31,R15.3.31,2027/7/31,2026/11/1"
    saved(village, checked(village, sheet_of(row, head=head)))
    imported = ends(village, "花子さん")

    typed = village.person("キヨさん", phone="090-0000-0002")
    wanted = [NewCard(kind, TypedDates(end)) for kind, end in imported.items()]
    with village.app.writing() as uow:
        add_cards(uow, person_id=typed, wanted=wanted, confirmed=True)

    with village.app.database.reading() as tx:
        hanako = next(one for one in people.of_group(tx, 1) if one.label == "花子さん")
        first = {c.kind: (c.next_reminder_on, c.carried_by is None) for c in cards.current_of_person(tx, hanako.id)}
        second = {c.kind: (c.next_reminder_on, c.carried_by is None) for c in cards.current_of_person(tx, typed)}
        own = contacts.of_person(tx, village.app.keys, hanako.id)
    assert {kind: carried for kind, (_, carried) in first.items()} == {kind: c for kind, (_, c) in second.items()}
    assert [(one.channel, one.state) for one in own] == [(ChannelName.SMS, ContactState.CONFIRMED)]
    while plan_due(village.app.units, village.now):
        pass
    with village.app.database.reading() as tx:
        first = {c.kind: c.next_reminder_on for c in cards.current_of_person(tx, hanako.id)}
        second = {c.kind: c.next_reminder_on for c in cards.current_of_person(tx, typed)}
    assert first == second


def test_good_rows_are_saved_and_bad_ones_come_back_to_be_mended(village: Village) -> None:
    a_home(village)
    sheet_import = saved(village, checked(village, sheet_of("201,ハナ,2027-11-16", "202,キヨ,2027-02-30")))

    returned = rejected(village, sheet_import)

    assert residents(village) == [("ハナ", "201")]
    assert "ない日です" in returned
    assert "ハナ" not in returned
    mended = returned.replace("2027-02-30", "2027-02-28").encode()
    saved(village, checked(village, mended))
    assert residents(village) == [("キヨ", "202"), ("ハナ", "201")]


def test_a_row_that_asked_and_was_saved_does_not_come_back(village: Village) -> None:
    a_home(village)
    sheet_import = checked(village, sheet_of("201,ハナ,2020-01-05", "202,キヨ,2020-01-06", "203,トミ,2027-02-30"))
    sheet_import = saved(village, sheet_import, confirmed=[2])

    returned = rejected(village, sheet_import)

    assert [row[2] for row in csv.reader(io.StringIO(returned))] == ["氏名", "キヨ", "トミ"]


def test_a_sheet_whose_end_cannot_be_read_leaves_nothing_of_its_beginning(village: Village) -> None:
    a_home(village)
    rows = [f"{number},ハナ{number % 10},2027-11-16" for number in range(1, 700)]

    with pytest.raises(RefusedInputError) as refused:
        checked(village, sheet_of(*rows, '"203,トミ,2027-11-16'))

    assert refused.value.code == "sheet_quote_open"
    with village.app.database.reading() as tx:
        assert imports.of_group(tx, 1) == []
        assert imports.rows_after(tx, village.app.keys, 1, 0, 10) == []


def test_while_a_sheet_is_read_others_may_write_and_one_that_is_given_up_is_read_no_further(village: Village) -> None:
    a_home(village)
    app = village.app
    sheet = read_sheet(sheet_of(*(f"{number},ハナ,2027-11-16" for number in range(1, 1200))), HEADINGS)

    def rows() -> Iterator[SheetRow]:
        for number, row in enumerate(sheet.rows):
            if number == 600:
                village.person("途中の方")
                service.cancel_import(village.app.units, village.now, import_id=1, by=None)
            yield row

    with pytest.raises(ConflictError):
        service.begin_import(app.units, village.now, group_id=1, sheet=replace(sheet, rows=rows()), by=None)

    assert residents(village) == [("途中の方", None)]
    with app.database.reading() as tx:
        assert imports.rows_after(tx, app.keys, 1, 0, 10) == []


def test_a_second_time_changes_nothing_and_a_corrected_sheet_only_what_differs(village: Village) -> None:
    a_home(village)
    first = sheet_of("201,ハナ,2027-11-16", "202,キヨ,2027-12-01")
    saved(village, checked(village, first))
    again = checked(village, first)
    corrected = checked(village, sheet_of("201,ハナ,2027-11-16", "202,キヨ,2032-12-01", "203,トミ,2028-01-05"))

    effects = [row.effect for row in rows_of(village, corrected).values()]
    saved(village, again)
    saved(village, corrected)

    assert again.counts.unchanged == 2
    assert effects == [RowEffect.UNCHANGED, RowEffect.CHANGED, RowEffect.NEW]
    assert ends(village, "キヨ") == {"mynumber_user_certificate": "2032-12-01"}
    assert residents(village) == [("キヨ", "202"), ("トミ", "203"), ("ハナ", "201")]


def test_whoever_may_be_somebody_else_is_asked_about(village: Village) -> None:
    a_home(village)
    saved(village, checked(village, sheet_of("201,ハナさん,2027-11-16")))

    sheet_import = checked(village, sheet_of("305,ハナさん,2027-11-16", "201,ハナ,2027-11-16"))

    codes = [[one.code for one in row.findings] for row in rows_of(village, sheet_import).values()]
    assert [("maybe_moved" in some, "maybe_renamed" in some) for some in codes] == [(True, False), (False, True)]
    saved(village, sheet_import)
    assert residents(village) == [("ハナさん", "201")]


def test_a_resident_is_found_again_by_the_home_s_own_reference(village: Village) -> None:
    a_home(village)
    head = "整理番号,居室,氏名,電子証明書期限"
    saved(village, checked(village, sheet_of("A17,201,ハナ,2027-11-16", head=head)))

    saved(village, checked(village, sheet_of("A17,305,花,2027-11-16", head=head)))

    assert residents(village) == [("花", "305")]


def test_the_same_person_twice_in_a_sheet_is_registered_once(village: Village) -> None:
    a_home(village)

    sheet_import = saved(village, checked(village, sheet_of("201,ハナ,2027-11-16", "201,ハナ,2027-11-16")))

    assert sheet_import.counts.refused == 1
    assert residents(village) == [("ハナ", "201")]


def test_what_a_home_said_of_its_columns_is_kept(village: Village) -> None:
    a_home(village)
    head = "部屋のなまえ,氏名,電子証明書期限"
    checked(village, sheet_of("201,ハナ,2027-11-16", head=head), mapping={0: "room", 1: "name", 2: "card:passport"})

    again = checked(village, sheet_of("201,ハナ,2027-11-16", head=head))

    assert again.mapping.by_place == {0: "room", 1: "name", 2: "card:passport"}


@pytest.mark.parametrize(
    ("mapping", "code"),
    [
        ({0: "room", 2: "card:passport"}, "column_name_needed"),
        ({0: "room", 1: "name"}, "column_date_needed"),
        ({0: "name", 1: "name", 2: "card:passport"}, "column_twice"),
        ({1: "name", 2: "card:passport", 7: "room"}, "column_unknown"),
    ],
)
def test_columns_that_make_no_sense_are_refused(village: Village, mapping: dict[int, str], code: str) -> None:
    a_home(village)

    with pytest.raises(RefusedInputError) as refused:
        checked(village, sheet_of("201,ハナ,2027-11-16"), mapping=mapping)

    assert refused.value.code == code


def test_who_goes_on_after_a_kill_begins_behind_the_last_batch(
    village: Village, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "BATCH", 10)
    a_home(village)
    app = village.app
    sheet_import = checked(village, sheet_of(*(f"{n},ハナ,2027-11-16" for n in range(1, 35))))
    start_saving(village, sheet_import)
    service.process_next_batch(app.units, village.now)
    service.process_next_batch(app.units, village.now)
    half = found(village, sheet_import.id)

    service.process_to_end(app.units, village.now, import_id=sheet_import.id)

    assert (half.state, half.done) == (ImportState.SAVING, 20)
    assert len(residents(village)) == 34


def test_a_row_that_stricter_rules_refuse_after_it_was_checked_is_said_to_be_refused(village: Village) -> None:
    a_home(village)
    sheet_import = checked(village, sheet_of("201,ハナ,2027-11-16", "202,トミ,2027-11-16"))
    # As it would have been accepted by a version whose rules are less strict.
    number = next(iter(rows_of(village, sheet_import)))
    cells = json.dumps({0: "201", 1: "1234" * 3, 2: "2027-11-16"})  # invented
    with village.app.database.writing() as tx:
        row_token = tx.scalars(select(ImportRow.row_token).where(ImportRow.number == number)).one()
        sealed = village.app.keys.seal(cells, imports.CELLS, row_token)
        tx.execute(update(ImportRow).where(ImportRow.number == number).values(cells_sealed=sealed))

    start_saving(village, sheet_import)
    service.process_to_end(village.app.units, village.now, import_id=sheet_import.id)

    assert residents(village) == [("トミ", "202")]
    row, counts = rows_of(village, sheet_import)[number], found(village, sheet_import.id).counts
    assert (row.status, [one.code for one in row.findings]) == (RowStatus.REFUSED, ["forbidden_number"])
    assert (counts.accepted, counts.refused, counts.saved, counts.new) == (1, 1, 1, 1)


def test_a_cancelled_sheet_is_forgotten_and_cannot_be_saved(village: Village) -> None:
    a_home(village)
    sheet_import = checked(village, sheet_of("201,ハナ,2027-11-16"))

    service.cancel_import(village.app.units, village.now, import_id=sheet_import.id, by=None)

    assert rows_of(village, sheet_import) == {}
    with pytest.raises(ConflictError):
        start_saving(village, sheet_import, yes=True)


CELLS = st.text(alphabet="0123456789ー-年月日RH.〃=＝ 　,\"'\n番号ﾏｲﾅ①９", max_size=18)
HEADINGS_SEEN = st.sampled_from(["カード期限", "備考", "個人番号", "携帯", "なにか", "", "整理番号", "生年月日"])


@given(
    more=st.lists(HEADINGS_SEEN, max_size=4, unique=True),
    rows=st.lists(st.lists(CELLS, max_size=8), max_size=6),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    delimiter=st.sampled_from([",", ";", "\t"]),
)
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_sheet_crashes_the_reader_and_no_row_is_lost(
    more: list[str], rows: list[list[str]], encoding: str, delimiter: str
) -> None:
    written = io.StringIO()
    writer = csv.writer(written, delimiter=delimiter)
    writer.writerows([["居室", "氏名", "電子証明書期限", *more], *rows])
    held = [row for row in rows if any(cell.strip() for cell in row)]

    try:
        found = list(read_sheet(written.getvalue().encode(encoding), HEADINGS).rows)
    except RefusedInputError as refused:
        found, code = [], refused.code
    else:
        code = ""

    assert (len(found), code) == (len(held), "") if held else code == "sheet_empty"
    for row in found:
        assert not any(sum(map(str.isdigit, cell)) >= 12 for cell in row.cells.values())


def test_the_template_is_read_back_as_it_is_meant(village: Village) -> None:
    from reminder.enrolment.imports.template import template

    a_home(village)
    for language in (Language.JAPANESE, Language.ENGLISH):
        sheet = read_sheet(template(village.app.rules, language), HEADINGS)
        fields = {column.field for column in sheet.columns}
        assert {"room", "name", "card:mynumber_card", "card:mynumber_user_certificate", "family_email"} <= fields
        assert not [column for column in sheet.columns if not column.field]


def test_a_hundred_thousand_rows_are_the_most() -> None:
    row = "201,ハナ,2027-11-16"
    assert read_sheet(sheet_of(*[row] * 100_000), HEADINGS).rows

    with pytest.raises(RefusedInputError) as refused:
        read_sheet(sheet_of(*[row] * 100_001), HEADINGS)

    assert (refused.value.code, refused.value.details["most"]) == ("sheet_too_many_rows", 100_000)


def test_a_file_is_never_written_to_the_folder_for_temporary_files(
    village: Village, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    a_home(village)

    checked(village, (SHEETS / "residents.xlsx").read_bytes())

    assert list(folder.iterdir()) == []


CARE = "居室,氏名,要介護度,開始日,満了日"


def test_an_end_that_names_no_card_is_asked_about_and_nothing_is_checked_before(village: Village) -> None:
    a_home(village)
    sheet_import = begun(village, sheet_of("201,ハナ,R9.3.31", "202,キヨ,R9.6.30", head="居室,氏名,有効期限"))

    with village.app.units.writing(village.now) as uow, pytest.raises(RefusedInputError) as refused:
        service.set_mapping(uow, import_id=sheet_import.id, by_place=sheet_import.mapping.by_place)

    assert (refused.value.code, refused.value.details["columns"]) == ("column_asked", "C 有効期限")
    assert sheet_import.mapping.by_place == {0: "room", 1: "name"}


def test_a_list_of_care_certifications_is_known_by_its_title(village: Village) -> None:
    a_home(village)
    rows = ("201,ハナ,要介護3,R6.4.1,R9.3.31", "202,キヨ,要介護1,R6.7.1,R9.6.30")
    content = "\n".join(["要介護認定 更新管理表,,,,", CARE, *rows]).encode()

    saved(village, checked(village, content))

    assert ends(village, "ハナ") == {"care_certification": "2027-03-31"}


def test_what_was_said_of_an_end_is_kept_for_such_a_list_and_asked_again_for_another(village: Village) -> None:
    a_home(village)
    care = sheet_of("201,ハナ,要介護3,R6.4.1,R9.3.3", head=CARE)
    said = {0: "room", 1: "name", 4: "card:care_certification"}
    checked(village, care, mapping=said)

    again = begun(village, care)
    other = begun(village, sheet_of("201,ハナ,R9.3.3", head="居室,氏名,有効期限"))
    same_heading = begun(village, sheet_of("201,ハナ,R9.3.3", head="居室,氏名,満了日"))

    assert (again.mapping.by_place, again.columns[4].why) == (said, "said_before")
    assert [one.columns[2].asked for one in (other, same_heading)] == ["which_card", "which_card"]


def test_an_answer_that_the_days_of_the_next_sheet_contradict_is_asked_for_again(village: Village) -> None:
    a_home(village)
    head = "居室,氏名,生年月日,有効期限"
    days = [("S10.2.3", "R9.2.3"), ("S11.4.5", "R10.4.5"), ("S12.6.7", "R11.6.7"), ("S13.8.9", "R12.8.9")]
    ended = [f"{n},ハナ{n},{born},{end}" for n, (born, end) in enumerate(days)]
    certified = [f"{n},ハナ{n},{born},R{9 + n}.3.31" for n, (born, _) in enumerate(days)]
    said = {0: "room", 1: "name", 3: "card:mynumber_user_certificate"}
    checked(village, sheet_of(*ended, head=head), mapping=said)

    again = begun(village, sheet_of(*certified, head=head))

    assert (again.columns[3].asked, again.columns[3].guess) == ("values_differ", "card:mynumber_user_certificate")
    assert begun(village, sheet_of(*ended, head=head)).mapping.by_place == said
