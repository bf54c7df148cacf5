"""`reminder effect`: a year of ends as a table that may be passed on."""

import sqlite3
from itertools import product

import pytest

from tests.cli.terminal import Terminal

COLUMNS = "month, kind, group_kind, mode, step, channel, outcome, reason, ends"


@pytest.fixture
def counted(family: Terminal) -> Terminal:
    """What was counted of a year's ends: 60 certificates, 25 passports, 4 licences; and 10 passports long ago."""
    rows = [
        ("2026-11-01", "mynumber_user_certificate", "d30", "before", 40),
        ("2026-10-01", "mynumber_user_certificate", "a7", "in_grace", 5),
        ("2026-10-01", "mynumber_user_certificate", "post", "unknown", 10),
        ("2026-10-01", "mynumber_user_certificate", "d60", "ended", 5),
        ("2026-11-01", "passport", "", "before", 25),
        ("2026-11-01", "driving_licence", "d7", "after", 4),
        ("2025-11-01", "passport", "d30", "unknown", 10),
    ]
    with sqlite3.connect(family.data / "kigen.db") as database:
        for month, kind, step, outcome, ends in rows:
            reason = "died" if outcome == "ended" else ""
            values = (month, kind, "home", "home", step, "sms" if step else "", outcome, reason, ends)
            database.execute(f"INSERT INTO effect_counts ({COLUMNS}) VALUES ({', '.join('?' * 9)})", values)
    database.close()
    return family


def test_the_sum_is_told_with_the_limits_of_its_share(counted: Terminal) -> None:
    found = counted.answer("effect")

    assert (found["from"], found["to"], found["by"]) == ("2026-01", "2026-12", None)
    total = found["total"]
    assert {name: total[name] for name in ("ends", "before", "in_grace", "after", "ended", "unknown")} == {
        "ends": 89, "before": 65, "in_grace": 5, "after": 4, "ended": 5, "unknown": 10,
    }  # fmt: skip
    assert total["in_time"] == {"of": 84, "share": 0.7738, "low": 0.6735, "high": 0.8501}
    assert total["in_time_or_grace"]["share"] == 0.8333
    assert (found["rows"], found["hidden_rows"]) == ([], 0)


def test_what_is_too_few_is_hidden_with_what_would_tell_it_and_named_nowhere(counted: Terminal) -> None:
    found = counted.answer("effect", "--by", "kind")

    assert [(row["name"], row["ends"]) for row in found["rows"]] == [("mynumber_user_certificate", 60)]
    assert found["hidden_rows"] == 2
    said = counted.run("effect", "--by", "kind").out
    for hidden in ("passport", "licence"):
        assert hidden not in said
        assert hidden not in str(found)
    assert "2 rows are hidden" in said


@pytest.mark.parametrize(("by", "names"), [("group-kind", {"home"}), ("mode", {"home"}), ("channel", {"sms", ""})])
def test_ends_can_be_told_apart_by_everything_that_is_counted(counted: Terminal, by: str, names: set[str]) -> None:
    assert {row["name"] for row in counted.answer("effect", "--by", by)["rows"]} == names


def test_months_may_be_named_and_too_few_ends_are_not_shown_at_all(counted: Terminal) -> None:
    earlier = counted.answer("effect", "--from", "2025-11", "--to", "2025-11")
    assert earlier["total"]["ends"] == 10
    none = counted.answer("effect", "--from", "2026-12", "--by", "step")
    assert (none["total"], none["rows"], none["hidden_rows"]) == (None, [], 0)
    assert "fewer than 10 ends" in counted.run("effect", "--from", "2026-12").out
    assert counted.answer("effect", "--to", "2025-12")["from"] == "2025-12"
    assert counted.answer("effect", "--from", "2027-05")["to"] == "2027-05"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--from", "2026-11", "--to", "2026-10"], "months_reversed"),
        (["--from", "February"], "month_unreadable"),
        (["--to", "2026-10-05"], "month_unreadable"),
        (["--by", "person"], "usage_value"),
    ],
)
def test_what_cannot_be_meant_is_refused(counted: Terminal, arguments: list[str], code: str) -> None:
    assert counted.refusal("effect", *arguments)["error"] == code


def test_nobody_is_named(counted: Terminal) -> None:
    for by, form in product(("step", "kind", "mode", "channel", "group-kind"), ([], ["--json"])):
        said = counted.run("effect", "--by", by, *form).out
        assert "died" not in said
        assert "田中" not in said
