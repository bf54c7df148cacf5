"""Dates as people type them: what is taken, what is asked, what is refused."""

from datetime import date, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from japanera import EraDate

from reminder.domain.parsing import dates
from reminder.domain.parsing.dates import read_date, read_typed
from reminder.errors import DateError

ALL_DAYS = st.dates(date(1926, 1, 1), date(2100, 12, 31))
LAST_OF_MARCH = date(2026, 3, 31)


@pytest.mark.parametrize(
    "text",
    [
        "令和8年3月31日",
        "令和八年三月三十一日",
        "令和08年03月31日",
        "R8.3.31",
        "r8.3.31",
        "R08/3/31",
        "R.8.3.31",
        "R080331",
        "Ｒ８．３．３１",
        "㋿8年3月31日",
        "令8.3.31",
        "2026年(令和08年)3月31日",
        "2026年（令和8年）3月31日まで有効",
        "2026(令和8)年3月31日",
        "令和8年(2026年)3月31日",
        "2026年3月31日（令和8年3月31日）",
        "2026年3月31日",
        "二〇二六年三月三十一日",
        "2026/3/31",
        "2026-03-31",
        "2026－03－31",
        "2026.3.31",
        "20260331",
        "２０２６年３月３１日",
        "２０２６０３３１",
        "2026 3 31",
        "令和 8 年　3 月 31 日",
        " 2026/3/31\n",
        "\u200b2026/3/31\ufeff",
        "'2026/3/31",
        "2026年3月31日まで",
        "2026年3月31日まで有効",
        "2026年3月31日（火）",
        "2026年3月31日(火)まで",
        "2026年3月31日火曜日",
        "2026年3月末日",
        "2026-03-31 00:00:00",
        "2026/3/31 0:00",
        "2026-03-31T00:00:00",
        "2026-03-31T00:00:00Z",
        "2026-03-30T15:00:00.000Z",
        "2026-03-31T00:00:00+09:00",
        "西暦2026年3月31日",
        "(西暦) 2026年3月31日",
        "AD2026.3.31",
        "2026(R8)/3/31",
        "～2026.3.31",
        "〜R8.3.31",
        "2026年3月31日 満了",
        "2026年3月31日限り",
        "2026年3月31日までです",
        "2026年3月31日に切れます",
        "2026年3月31日に終わる。",
        "有効期間満了日　2026年3月31日",
        "満了年月日：R8.3.31",
        "有効年月日 2026/3/31",
    ],
)
def test_each_of_these_is_the_last_of_march_2026(text):
    assert read_date(text) == LAST_OF_MARCH


@pytest.mark.parametrize(
    ("text", "day", "why"),
    [
        ("令和元年5月1日", date(2019, 5, 1), "the first year is written 元"),
        ("R1.5.1", date(2019, 5, 1), "or 1"),
        ("令和元年4月30日", date(2019, 4, 30), "the last day of Heisei, by arithmetic"),
        ("H31/5/1", date(2019, 5, 1), "the first day of Reiwa, by arithmetic"),
        ("平成31年6月1日", date(2019, 6, 1), "the same"),
        ("平成39年2月1日", date(2027, 2, 1), "old licences are printed so and still valid"),
        ("㍻39年2月1日", date(2027, 2, 1), "the era as one character"),
        ("昭和64年1月7日", date(1989, 1, 7), "the last day of Showa"),
        ("昭和102年8月1日", date(2027, 8, 1), "counted on by someone who never changed"),
        ("S15.8.1", date(1940, 8, 1), "a birth date"),
        ("大正15年1月2日", date(1926, 1, 2), "a birth date of someone of a hundred"),
        ("令和10年2月29日", date(2028, 2, 29), "a leap day that exists"),
        ("令和十年十二月二十日", date(2028, 12, 20), "tens alone and before units"),
    ],
)
def test_an_era_is_counted_by_arithmetic(text, day, why):
    assert read_date(text) == day


@pytest.mark.parametrize(
    ("text", "first_choices", "why"),
    [
        ("8/3/31", ["2026-03-31", "2031-08-03", "2031-03-08"], "Reiwa 8, or the month or the day first"),
        ("8.3.31", ["2026-03-31", "2031-08-03", "2031-03-08"], "the same with dots"),
        ("８／３／３１", ["2026-03-31", "2031-08-03", "2031-03-08"], "the same in full width"),
        ("080331", ["2026-03-31", "2031-08-03"], "the same without signs between"),
        ("26.3.31", ["2026-03-31", "2031-03-26"], "2026, or the day first"),
        ("8年3月31日", ["2026-03-31", "2008-03-31"], "a year without an era"),
        ("00/3/31", ["2000-03-31"], "one day alone is possible, and it is still asked"),
        ("3/31/2026", ["2026-03-31"], "the American order"),
        ("31/3/2026", ["2026-03-31"], "the European order"),
        ("3/4/2026", ["2026-03-04", "2026-04-03"], "the American or the European order"),
        ("2026年(令和9年)3月31日", ["2026-03-31", "2027-03-31"], "two years that are not one"),
        ("2026年3月31日（令和8年3月30日）", ["2026-03-31", "2026-03-30"], "two days that are not one"),
        ("2026年3月31日（水）", ["2026-03-31"], "it is a Tuesday"),
    ],
)
def test_what_could_mean_several_days_is_asked_the_likelier_first(text, first_choices, why):
    refused = refusal(text)

    assert refused.code == "date_ambiguous"
    assert [day.isoformat() for day in refused.choices][: len(first_choices)] == first_choices


@pytest.mark.parametrize(
    ("text", "choices", "why"),
    [
        ("R8年3月", ["2026-03-31"], "handbooks end with the month"),
        ("R9.6", ["2027-06-30"], "the same with a dot"),
        ("2026年3月", ["2026-03-31"], "the same in Western years"),
        ("2028-02", ["2028-02-29"], "the end of a leap February"),
        ("202603", ["2026-03-31"], "no day, month or year of two digits fits"),
        ("3月31日", [], "any year"),
        ("3/31", [], "any year"),
        ("５／１０まで", [], "any year"),
        ("令和8年", [], "any day"),
        ("2026", [], "any day"),
    ],
)
def test_a_date_that_lacks_a_part_is_asked_and_offered_the_end_of_the_month(text, choices, why):
    refused = refusal(text)

    assert refused.code == "date_incomplete"
    assert [day.isoformat() for day in refused.choices] == choices


@pytest.mark.parametrize(
    ("text", "choices", "why"),
    [
        ("令和8年2月29日", ["2026-02-28", "2026-03-01"], "no leap year"),
        ("2026/2/30", ["2026-02-28", "2026-03-01"], "no February is so long"),
        ("2027.4.31", ["2027-04-30", "2027-05-01"], "nor April"),
        ("2026/12/32", ["2026-12-31", "2027-01-01"], "over the year's end"),
        ("2026/3/0", ["2026-02-28", "2026-03-01"], "no day 0"),
        ("2026/31/3", ["2026-03-31"], "day and month exchanged"),
        ("R9.13.1", ["2027-01-13"], "day and month exchanged"),
        ("令和0年3月31日", ["2019-05-01"], "Reiwa began with the year 1"),
        ("令和0年", ["2019-05-01"], "Reiwa began with the year 1"),
        ("2/30/2026", ["2026-02-28", "2026-03-01"], "in no order of its parts"),
        ("270931", ["2027-09-30", "2027-10-01"], "in no order of its parts"),
        ("99999999", [], "how spreadsheets of care insurers write 'never'"),
        ("2926/3/31", [], "a slip of a digit"),
    ],
)
def test_a_day_that_does_not_exist_is_refused_with_the_nearest_that_do(text, choices, why):
    refused = refusal(text)

    assert refused.code == "date_impossible"
    assert [day.isoformat() for day in refused.choices] == choices


@pytest.mark.parametrize(
    "text",
    [
        "",
        "不明",
        "〃",
        "更新中",
        "8",
        "46432",
        "5080331",
        "123/4/5",
        "3/4/202",
        "R8.3.31.5",
        "R8.12.31→更新申請中",
        "2026年(年)3月31日",
    ],
)
def test_what_is_no_date_is_unreadable(text):
    refused = refusal(text)

    assert refused.code == "date_unreadable"
    assert refused.choices == ()


def test_a_refusal_never_repeats_what_was_typed():
    assert "R8" not in str(refusal("R8年13月45日"))


def test_a_very_long_text_is_refused_at_once():
    assert refusal("1" + " " * 1_000_000 + "2").code == "date_unreadable"


@given(ALL_DAYS)
def test_era_years_agree_with_an_independent_library(day):
    oracle = EraDate.from_date(day)
    year = day.year - oracle.era.since.year + 1

    assert dates.era_date(day) == f"{oracle.era.kanji}{'元' if year == 1 else year}年{day.month}月{day.day}日"


KANJI = "〇一二三四五六七八九"


def in_kanji(number: int) -> str:
    tens, ones = divmod(number, 10)
    return ("" if tens == 0 else "十" if tens == 1 else KANJI[tens] + "十") + (KANJI[ones] if ones else "")


def era_letter(day: date, form: str) -> str:
    era = next(era for era in dates.ERAS if day >= era.starts)
    return form.format(era.letter, day.year - era.year_zero, day.month, day.day)


WRITTEN = {
    "both calendars": dates.in_both_calendars,
    "era": dates.era_date,
    "Western": dates.year_month_day,
    "weekday": lambda day: f"{dates.year_month_day(day)}（{dates.WEEKDAYS[day.weekday()]}）まで有効",
    "kanji": lambda day: (
        f"{''.join(KANJI[int(n)] for n in str(day.year))}年{in_kanji(day.month)}月{in_kanji(day.day)}日"
    ),
    "era letter": lambda day: era_letter(day, "{}{}.{}.{}"),
    "era letter, padded": lambda day: era_letter(day, "{}{:02}/{:02}/{:02}"),
    "era letter, digits": lambda day: era_letter(day, "{}{:02}{:02}{:02}"),
    "slashes": lambda day: f"{day.year}/{day.month}/{day.day}",
    "dots": lambda day: f"{day.year}.{day.month}.{day.day}",
    "ISO": date.isoformat,
    "digits": lambda day: f"{day:%Y%m%d}",
    "spreadsheet": lambda day: f"{day.isoformat()} 00:00:00",
}
FULL_WIDTH = str.maketrans("0123456789/.-()", "０１２３４５６７８９／．－（）")


@pytest.mark.parametrize("form", WRITTEN)
@given(day=ALL_DAYS)
@example(day=date(1926, 12, 24))
@example(day=date(1926, 12, 25))
@example(day=date(1989, 1, 7))
@example(day=date(1989, 1, 8))
@example(day=date(2019, 4, 30))
@example(day=date(2019, 5, 1))
def test_every_day_comes_back_from_every_form_in_either_width(form, day):
    written = WRITTEN[form](day)

    assert read_date(written) == day
    assert read_date(written.translate(FULL_WIDTH)) == day


def test_every_single_day_of_the_cards_there_are_comes_back_from_both_calendars():
    for days in range((date(2050, 1, 1) - date(2016, 1, 1)).days):
        day = date(2016, 1, 1) + timedelta(days)
        assert read_date(dates.in_both_calendars(day)) == day


DATE_LIKE = st.text("0123456789年月日元令和平成昭大正RHST.・/-（）() 　三十一〇末まで有効火曜'㋿Ｒ８:ー", max_size=30)


@given(st.text() | DATE_LIKE)
def test_no_text_of_any_kind_does_worse_than_be_refused(text):
    try:
        found = [read_date(text)]
    except DateError as refused:
        found = list(refused.choices)

    assert all(dates.FIRST_YEAR <= day.year <= dates.LAST_YEAR for day in found)
    assert len(set(found)) == len(found)


@given(*[st.integers(0, 99)] * 3, st.sampled_from("/.-"))
def test_three_short_numbers_are_never_taken_as_one_day(one, two, three, sign):
    refused = refusal(f"{one}{sign}{two}{sign}{three}")

    assert refused.code in {"date_ambiguous", "date_impossible"}


@pytest.mark.parametrize(
    ("show", "shown"),
    [
        (dates.in_both_calendars, "2026年3月31日（令和8年3月31日）"),
        (dates.era_date, "令和8年3月31日"),
        (dates.year_month_day, "2026年3月31日"),
        (dates.with_weekday, "3月31日（火）"),
    ],
)
def test_a_day_is_shown(show, shown):
    assert show(LAST_OF_MARCH) == shown


def test_the_first_year_of_an_era_is_shown_as_people_say_it():
    assert dates.era_date(date(2019, 5, 1)) == "令和元年5月1日"


def test_a_day_before_taisho_is_shown_in_western_years_only():
    assert dates.era_date(date(1911, 1, 1)) == "1911年1月1日"


def refusal(text: str) -> DateError:
    with pytest.raises(DateError) as refused:
        read_date(text)
    return refused.value


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("31 March 2027", date(2027, 3, 31)),
        ("March 31, 2027", date(2027, 3, 31)),
        ("31 Mar 2027", date(2027, 3, 31)),
        ("Mar. 31st, 2027", date(2027, 3, 31)),
        ("Wed 31 March 2027", date(2027, 3, 31)),
        ("Wednesday, March 31, 2027", date(2027, 3, 31)),
        ("31-Mar-2027", date(2027, 3, 31)),
        ("1 September 2027", date(2027, 9, 1)),
        ("有効期限:2029年2月20日", date(2029, 2, 20)),
        ("有効期限：令和11年2月20日", date(2029, 2, 20)),
        ("期限は2029/2/20", date(2029, 2, 20)),
        ("満了日 2029-02-20", date(2029, 2, 20)),
    ],
)
def test_a_day_as_people_abroad_write_it_or_as_it_is_pasted_is_read(text: str, day: date) -> None:
    assert read_date(text) == day
    assert read_typed(text, field="expires") == day


@pytest.mark.parametrize(
    ("text", "code", "choices"),
    [
        ("03/2027", "date_incomplete", [date(2027, 3, 31)]),
        ("March 2027", "date_incomplete", [date(2027, 3, 31)]),
        ("31 April 2027", "date_impossible", [date(2027, 4, 30), date(2027, 5, 1)]),
        ("Tue 31 March 2027", "date_ambiguous", [date(2027, 3, 31)]),
        ("31 Marchember 2027", "date_unreadable", []),
        ("March 31, 27", "date_ambiguous", [date(2027, 3, 31), date(2031, 3, 27)]),
        ("31 March 2027 2028", "date_unreadable", []),
        ("有効期限", "date_unreadable", []),
    ],
)
def test_an_english_date_that_is_none_is_asked_about_and_never_taken_for_a_number(
    text: str, code: str, choices: list[date]
) -> None:
    with pytest.raises(DateError) as refused:
        read_date(text)

    assert refused.value.code == code
    assert list(refused.value.choices) == choices


@pytest.mark.parametrize(
    "text",
    [
        "31st of March 2027", "the 31st of March, 2027", "31 March 2027 (Wed)", "Wed., Mar. 31, 2027", "31 Mar '27",
        "valid until 31 March 2027", "Expires: March 31, 2027", "expiry date 31-MAR-2027", "until 31.Mar.2027",
        "2027/3/31 (Wed)", "2027-03-31 Wednesday", "2027年3月31日 (Wed)", "Weds 31 March 2027",
    ],
)  # fmt: skip
def test_a_date_is_read_as_people_abroad_write_it(text: str) -> None:
    assert read_typed(text, field="expires") == date(2027, 3, 31)


@pytest.mark.parametrize(
    ("text", "choices"),
    [
        ("31-Mar-27", [date(2027, 3, 31), date(2031, 3, 27)]),
        ("Mar 31 27", [date(2027, 3, 31), date(2031, 3, 27)]),
        ("31032027", [date(2027, 3, 31)]),
        ("03312027", [date(2027, 3, 31)]),
        ("0331 2027", [date(2027, 3, 31)]),
        ("12,10,2027", [date(2027, 12, 10), date(2027, 10, 12)]),
        ("12102027", [date(2027, 12, 10), date(2027, 10, 12)]),
    ],
)
def test_a_date_that_may_be_another_is_asked_about_and_never_called_a_number(text: str, choices: list[date]) -> None:
    with pytest.raises(DateError) as asked:
        read_typed(text, field="expires")

    assert asked.value.code == "date_ambiguous"
    assert sorted(asked.value.choices) == sorted(choices)


@given(day=st.dates(date(2017, 1, 1), date(2040, 12, 31)), form=st.sampled_from([
    "%d %B %Y", "%B %d, %Y", "%d-%b-%Y", "%b %d %Y", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d%m%Y", "%m%d%Y",
    "%d %m %Y", "%m-%d-%Y", "%d, %m, %Y", "%a %d %b %Y", "%d %b '%y", "%d %b %y", "%Y-%m-%d", "%Y%m%d",
]))  # fmt: skip
@settings(deadline=None)
def test_no_date_in_any_usual_form_is_called_a_number_or_read_as_another_day(day: date, form: str) -> None:
    try:
        means = [read_typed(day.strftime(form), field="expires")]
    except DateError as asked:
        means = [*asked.choices]
    assert day in means, day.strftime(form)


def test_an_instant_that_is_another_day_in_japan_is_asked_about() -> None:
    with pytest.raises(DateError) as asked:
        read_date("2026-03-30T18:30Z")

    assert (asked.value.code, asked.value.choices) == ("date_ambiguous", (date(2026, 3, 30), date(2026, 3, 31)))


@pytest.mark.parametrize("written", ["2026-13-31T00:00:00Z", "9999-12-31T23:00:00Z", "2026-03-31T25:00:00+09:00"])
def test_an_instant_that_does_not_exist_names_no_day(written: str) -> None:
    with pytest.raises(DateError):
        read_date(written)
