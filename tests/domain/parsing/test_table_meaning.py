"""Whose end a column holds is concluded from what stands around it, or asked; it is never guessed."""

from collections.abc import Sequence
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reminder.domain.model.imports import CARD, ColumnUse
from reminder.domain.parsing import dates
from reminder.domain.parsing.table_meaning import (
    AT_MONTH_ENDS,
    ON_31_JULY,
    ON_BIRTHDAYS,
    Ask,
    Conclusion,
    SeenColumn,
    SeenTable,
    Why,
    memory_of,
    understand,
)
from tests.rules import HEADINGS

BORN = [date(1935 + n, 1 + n % 12, 3 + 2 * n) for n in range(10)]
BIRTHDAYS = [date(2027 + n % 5, one.month, one.day) for n, one in enumerate(BORN)]
MONTH_ENDS = [dates.month_end(2027 + n % 3, 1 + n) for n in range(10)]
JULY = [date(2027, 7, 31)] * 10
ANY_DAYS = [date(2027, 2, 3) + timedelta(days=37 * n) for n in range(10)]
UNNAMED = ("有効期限", "期限", "満了日", "expiry", "有効期間満了日", "期日", "次回更新日")


def written(days: Sequence[date]) -> list[str]:
    return [f"R{day.year - 2018}.{day.month}.{day.day}" for day in days]


def table(
    *headings: str, cells: Sequence[str] = (), title: str = "", name: str = "", born: Sequence[date] = ()
) -> SeenTable:
    """A table whose last column holds the cells."""
    columns = [SeenColumn(place, heading, {}) for place, heading in enumerate(headings)]
    last = SeenColumn(len(headings) - 1, headings[-1], dict(enumerate(cells, 2)))
    return SeenTable([title] if title else [], name, [*columns[:-1], last], dict(enumerate(born, 2)))


def last(seen: SeenTable) -> Conclusion:
    return understand(HEADINGS, seen)[-1]


@pytest.mark.parametrize("heading", UNNAMED)
@pytest.mark.parametrize("days", [BIRTHDAYS, MONTH_ENDS, JULY, ANY_DAYS, []])
@pytest.mark.parametrize("born", [BORN, []])
def test_an_end_that_nothing_explains_is_asked_about_whatever_its_days(
    heading: str, days: list[date], born: list[date]
) -> None:
    found = last(table("居室", "氏名", heading, cells=written(days), born=born))

    assert (found.use, found.field, found.ask) == (ColumnUse.UNKNOWN, "", Ask.WHICH_CARD)


@pytest.mark.parametrize("heading", UNNAMED)
@pytest.mark.parametrize(
    ("title", "name", "why"),
    [
        ("要介護認定 更新管理表", "", Why.TITLE),
        ("", "介護保険証", Why.SHEET_NAME),
        ("介護保険被保険者証 預り一覧", "介護保険証", Why.TITLE),
    ],
)
def test_a_title_or_the_name_of_the_sheet_says_whose_end_it_is(heading: str, title: str, name: str, why: Why) -> None:
    found = last(table("居室", "氏名", heading, cells=written(MONTH_ENDS), title=title, name=name))

    assert (found.field, found.why, found.ask) == ("card:care_certification", why, None)


def test_columns_beside_it_say_so_only_together_with_the_days() -> None:
    beside = ("居室", "氏名", "要介護度", "開始日", "満了日")

    sure, other = (last(table(*beside, cells=written(days))) for days in (MONTH_ENDS, ANY_DAYS))

    assert (sure.field, sure.why) == ("card:care_certification", Why.NEIGHBOURS)
    assert (other.field, other.ask) == ("", Ask.WHICH_CARD)


@pytest.mark.parametrize(
    ("title", "days"),
    [
        ("要介護認定 更新管理表", BIRTHDAYS),
        ("電子証明書 更新一覧", MONTH_ENDS),
        ("負担割合証 一覧", MONTH_ENDS),
        ("マイナンバーカード 一覧", BIRTHDAYS),
        ("マイナンバーカード・電子証明書", BIRTHDAYS),
        ("介護保険証・資格確認書 一覧", MONTH_ENDS),
        ("保険証 一覧", JULY),
    ],
)
def test_a_title_that_the_days_contradict_or_that_may_mean_two_is_asked_about(title: str, days: list[date]) -> None:
    assert last(table("居室", "氏名", "有効期限", cells=written(days), title=title, born=BORN)).field == ""


KINDS = st.sampled_from(sorted({*HEADINGS.names.values()}))
DAYS = st.one_of(
    *(st.just(days) for days in (BIRTHDAYS, MONTH_ENDS, JULY)),
    st.lists(st.dates(date(2026, 1, 1), date(2037, 12, 31)), max_size=12),
)
TEXTS = st.one_of(st.sampled_from(["", "一覧", "令和8年12月現在"]), st.sampled_from(sorted(HEADINGS.names)))


@given(
    heading=st.sampled_from(UNNAMED),
    title=TEXTS,
    name=TEXTS,
    more=st.lists(st.sampled_from(["要介護度", "保険者", "備考", "年齢", "生年月日", "満了日"]), max_size=3),
    days=DAYS,
    born=st.booleans(),
)
def test_what_is_taken_without_a_question_is_named_somewhere_and_fits_its_days(
    heading: str, title: str, name: str, more: list[str], days: list[date], born: bool
) -> None:
    found = last(
        table("居室", "氏名", *more, heading, cells=written(days), title=title, name=name, born=BORN if born else ())
    )

    if found.field:
        kind = found.field.removeprefix(CARD)
        named = {one.kind for text in (title, name) for one in HEADINGS.kinds_named(text)}
        assert named == {kind} or (not named and kind == "care_certification" and found.why is Why.NEIGHBOURS)
        assert "満了日" not in more
        if days and kind in AT_MONTH_ENDS:
            assert sum(day == dates.month_end(day.year, day.month) for day in days) >= 0.9 * len(days)
        if days and kind in ON_31_JULY:
            assert sum((day.month, day.day) == (7, 31) for day in days) >= 0.5 * len(days)
        if kind in ON_BIRTHDAYS:
            assert days not in (MONTH_ENDS, JULY)


@pytest.mark.parametrize(
    ("heading", "days"), [("電子証明書期限", MONTH_ENDS), ("カード期限", JULY), ("認定期限", BIRTHDAYS)]
)
def test_many_days_of_another_kind_than_the_heading_names_are_asked_about(heading: str, days: list[date]) -> None:
    found = last(table("居室", "氏名", heading, cells=written(days), born=BORN))

    assert (found.field, found.ask, bool(found.guess)) == ("", Ask.VALUES_DIFFER, True)


@pytest.mark.parametrize("heading", ["認定有効期間", "認定期限", "要介護認定の有効期間"])
def test_a_column_of_periods_is_asked_about_once(heading: str) -> None:
    found = last(table("居室", "氏名", heading, cells=["R6.4.1～R9.3.31", "R7.1.1～R9.12.31"]))

    assert (found.field, found.ask, found.guess) == ("", Ask.WHETHER_END, "card:care_certification")


@pytest.mark.parametrize(
    ("heading", "cells"),
    [
        ("負担割合証", ["1割", "2割", "1割"]),
        ("負担限度額認定証", ["第2段階", "第3段階①", ""]),
        ("身体障害者手帳", ["2種3級", "なし", "1種1級"]),
        ("資格確認書", ["保管", "保管", "家族"]),
        ("マイナンバーカード", ["有", "無", "○"]),
    ],
)
def test_a_column_that_says_whether_somebody_has_a_card_holds_no_ends(heading: str, cells: list[str]) -> None:
    found = last(table("居室", "氏名", heading, cells=[one for one in cells if one]))

    assert (found.use, found.field, found.why, found.ask) == (ColumnUse.UNKNOWN, "", Why.NO_DATES, None)


def test_two_columns_that_would_mean_the_same_are_asked_about() -> None:
    one = SeenColumn(1, "有効期限", {2: "R9.3.31", 3: "R9.6.30", 4: "R9.8.31"})
    two = SeenColumn(2, "期限", {2: "R9.3.31", 3: "R9.6.30", 4: "R9.8.31"})

    found = understand(HEADINGS, SeenTable(["要介護認定"], "", [SeenColumn(0, "氏名", {}), one, two], {}))

    assert [(said.field, bool(said.ask)) for said in found[1:]] == [("", True), ("", True)]


def test_an_answer_is_kept_for_the_next_month_and_not_for_another_list() -> None:
    def memory(title: str, name: str, *headings: str) -> list[str]:
        return list(memory_of(HEADINGS, table(*headings, title=title, name=name)))

    november = memory("預り一覧 令和8年11月", "R8.11", "居室", "氏名", "有効期限")

    assert memory("預り一覧 令和8年12月1日", "R8.12", "居室", "氏名", "有効期限") == november
    assert memory("電子証明書", "R8.12", "居室", "氏名", "有効期限")[-1] != november[-1]
    assert memory("預り一覧 令和8年11月", "R8.11", "居室", "氏名", "要介護度", "有効期限")[-1] != november[-1]
    assert memory("預り一覧 令和8年11月", "R8.11", "居室", "氏名", "要介護度", "有効期限")[0] == november[0]
