"""What an operator sees and does about abuse: usage, approval, suspension and limits."""

import pytest

from tests.cli.terminal import Terminal


def test_the_operator_sees_what_each_group_holds_and_uses(family: Terminal) -> None:
    family.answer("group", "add", "--name", "他人家", "--kind", "home")

    mine, other = family.answer("group", "list", "--usage")

    assert (mine["id"], mine["state"], mine["people"]["used"], mine["cards"]["used"]) == (1, "active", 1, 1)
    assert mine["contacts"] == {"used": 2, "limit": 500}
    assert mine["contacts_of_person"] == {"limit": 12}
    assert mine["messages_a_day"]["used"] == 0
    assert (other["people"]["used"], other["messages_this_month"]) == (0, 0)
    assert "people=1/120" in family.run("group", "list", "--usage").out
    assert family.answer("group", "list") == [
        {"id": 1, "name": "田中家", "kind": "household", "state": "active"},
        {"id": 2, "name": "他人家", "kind": "home", "state": "active"},
    ]


def test_a_group_is_suspended_with_a_reason_and_resumed(family: Terminal) -> None:
    family.answer("group", "suspend", "1", "--why", "問い合わせのため")
    (listed,) = family.answer("group", "list", "--usage")
    assert (listed["state"], listed["why"]) == ("suspended", "問い合わせのため")
    assert family.refusal("group", "suspend", "1", "--why", "x")["error"] == "group_suspended_already"

    family.answer("group", "resume", "1")

    assert family.answer("group", "list")[0]["state"] == "active"
    assert family.refusal("group", "resume", "1")["error"] == "group_not_suspended"


def test_the_reason_may_hold_no_number(family: Terminal) -> None:
    assert family.refusal("group", "suspend", "1", "--why", "1234" * 3)["error"] == "forbidden_number"
    assert family.answer("group", "list")[0]["state"] == "active"


def test_a_limit_is_raised_and_taken_back(family: Terminal) -> None:
    assert family.answer("group", "quota", "1", "people=500", "cards=100000")["quotas"] == {
        "people": 500,
        "cards": 100000,
    }
    assert family.answer("group", "list", "--usage")[0]["people"]["limit"] == 500

    assert family.answer("group", "quota", "1", "people=")["quotas"] == {"cards": 100000}


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("people=many", "quota_unreadable"),
        ("people=-1", "quota_unreadable"),
        ("people=99999999999", "quota_unreadable"),
        ("guests=1", "unknown_choice"),
        ("people=1.5", "quota_unreadable"),
    ],
)
def test_a_limit_that_is_none_is_refused(family: Terminal, typed: str, code: str) -> None:
    assert family.refusal("group", "quota", "1", typed)["error"] == code


@pytest.mark.parametrize(
    "command", [["approve", "9"], ["suspend", "9", "--why", "x"], ["resume", "9"], ["quota", "9", "people=1"]]
)
def test_a_group_that_is_not_there_is_not_found(family: Terminal, command: list[str]) -> None:
    assert family.refusal("group", *command)["error"] == "not_found"


def test_a_group_that_the_operator_added_is_not_on_trial(family: Terminal) -> None:
    assert family.refusal("group", "approve", "1")["error"] == "group_not_on_trial"


@pytest.mark.parametrize(
    ("quota", "command"),
    [
        ("people", ["person", "add", "--group", "1", "--label", "父"]),
        ("contacts", ["contact", "add", "--person", "1", "--channel", "sms", "--address", "090-0000-0002"]),
        ("contacts_of_person", ["contact", "add", "--person", "1", "--channel", "sms", "--address", "090-0000-0002"]),
        ("cards", ["card", "add", "--person", "1", "--kind", "passport", "--expires", "2030-01-01"]),
        ("members", ["member", "add", "--group", "1", "--email", "ane@example.jp"]),
        ("tokens", ["token", "make", "--group", "1", "--name", "表計算"]),
    ],
)
def test_the_command_line_is_bound_by_the_limits_too(family: Terminal, quota: str, command: list[str]) -> None:
    family.answer("group", "quota", "1", f"{quota}=0")

    assert family.refusal(*command)["error"] == f"quota_{quota}"

    family.answer("group", "quota", "1", f"{quota}=")
    family.answer(*command)


def test_a_sheet_beyond_the_limit_is_refused_before_anybody_is_saved(family: Terminal) -> None:
    family.answer("group", "quota", "1", "people=2")
    sheet = family.data.parent / "r.csv"
    sheet.write_text("居室,氏名,電子証明書期限\n201,ハナ,2027-11-16\n202,キヨ,2027-11-16\n", encoding="utf-8")

    refused = family.refusal("enrol", str(sheet), "--group", "1")

    assert refused["error"] == "quota_people"
    assert "2" in refused["message"]
    assert len(family.answer("list", "people")) == 1


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"REMINDER_SIGN_UP": "open"}, "can text nobody before you approve it"),
        ({"REMINDER_SIGN_UP": "open", "REMINDER_TWO_WAY_SMS": "on"}, "on trial until"),
    ],
)
def test_the_doctor_says_what_open_sign_up_means(reminder: Terminal, settings: dict[str, str], said: str) -> None:
    assert not any("trial" in note for note in reminder.answer("doctor")["notes"])
    reminder.set(**settings)

    assert any(said in note for note in reminder.answer("doctor")["notes"])


def test_every_act_of_the_operator_is_in_the_activity_log(family: Terminal) -> None:
    family.answer("group", "quota", "1", "people=500")
    family.answer("group", "suspend", "1", "--why", "調査")
    family.answer("group", "resume", "1")

    acts = [row for row in family.rows() if "activity_log" in row]
    for act in ("group_quotas_changed", "group_suspended", "group_resumed"):
        assert any(f"'{act}'" in row for row in acts)
