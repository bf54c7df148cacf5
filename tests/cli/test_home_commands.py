"""What an office asks the console for: Monday's e-mail before it is sent, and the plan for the city's visit."""

from pathlib import Path

import pytest
from python_calamine import CalamineWorkbook

from tests.cli.terminal import Terminal

ROW = [
    "person", "unit", "room", "label", "kinds", "expires_on", "opens_on", "last_counter_day", "needs_form", "is_over"
]  # fmt: skip


@pytest.fixture
def home(reminder: Terminal) -> Terminal:
    """1 December 2026: a home with one resident whose certificate ends in January."""
    reminder.answer("group", "add", "--name", "さくら苑", "--kind", "home")
    reminder.answer("member", "add", "--group", "1", "--email", "jimu@example.jp", "--role", "owner")
    reminder.answer("person", "add", "--group", "1", "--label", "タケさん", "--room", "202", "--unit", "2階")
    reminder.answer("card", "add", "--person", "1", "--kind", "mynumber_user_certificate", "--expires", "2027-01-29")
    return reminder


def test_the_digest_of_now_is_shown_and_nothing_is_sent(home: Terminal) -> None:
    before = home.rows()

    found = home.answer("digest", "--group", "1")

    assert found["subject"] == "さくら苑の今週の一覧（1件）12月1日（火）"
    assert "1月29日（金）　2階 202　電子証明書" in found["text"]
    assert home.rows() == before


@pytest.mark.parametrize(
    ("week", "said"),
    [
        ("2027-W05", "■ 期限の日を過ぎたもの（1件）"),
        ("2027-02-03", "■ 期限の日を過ぎたもの（1件）"),
        ("2026-W50", "窓口が開いている最後の日"),
    ],
)
def test_the_digest_of_another_week_is_as_things_will_stand_on_its_monday(home: Terminal, week: str, said: str) -> None:
    assert said in home.run("digest", "--group", "1", "--week", week).out


def test_the_digest_is_read_in_any_language(home: Terminal) -> None:
    assert "Last day on which the counter is open (1)" in home.run("digest", "--group", "1", "--lang", "en").out


def test_a_home_without_cards_is_told_nothing(home: Terminal) -> None:
    home.answer("card", "retire", "1")

    assert home.answer("digest", "--group", "1") is None


def test_the_plan_of_a_month_is_listed_and_written_as_a_sheet(home: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "visits.xlsx"

    (row,) = home.answer("visits", "--group", "1", "--month", "2027-01", "--out", str(file))

    assert list(row) == ROW
    assert (row["room"], row["kinds"], row["expires_on"]) == ("202", ["mynumber_user_certificate"], "2027-01-29")
    assert "2027-01" in CalamineWorkbook.from_path(file).sheet_names
    assert home.answer("visits", "--group", "1", "--unit", "3階") == []


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (["digest", "--group", "2"], "home_only", "a family has no staff"),
        (["digest", "--group", "3"], "not_found", "no such group"),
        (["digest", "--group", "1", "--week", "2027-W60"], "week_unreadable", "no year is so long"),
        (["digest", "--group", "1", "--lang", "fr"], "unknown_choice", "nobody has written it"),
        (["visits", "--group", "1", "--month", "2027-13"], "month_unreadable", "no such month"),
        (["visits", "--group", "1", "--out", "/no/such/folder/visits.xlsx"], "usage_value", "nowhere to write"),
    ],
)
def test_what_cannot_be_shown_is_refused(home: Terminal, arguments: list[str], code: str, why: str) -> None:
    home.answer("group", "add", "--name", "田中家", "--kind", "household")

    assert home.refusal(*arguments)["error"] == code, why
