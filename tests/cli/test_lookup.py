"""The commands that only look: kinds, dates, plans and texts. They keep nothing and need nothing."""

import json
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.cli.terminal import TWELVE, WIDE, Terminal

USER, SIGNATURE, CARD = "mynumber_user_certificate", "mynumber_signature_certificate", "mynumber_card"
FIVE = ["card_expires_on", "certificate_expires_on", "opens_on", "grace_ends_on", "last_counter_day"]


def to_person(plan: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in plan if row["audience"] == "person"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["kinds"],
        ["read-date", "R8.3.31"],
        ["expiry", CARD, "--issued", "2021-11-20", "--born", "1985-11-14"],
        ["preview", USER, "2027-03-31"],
        ["check-text"],
        ["read-reply"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_looking_keeps_nothing(reminder: Terminal, arguments: list[str]) -> None:
    done = reminder.run(*arguments, given=b"203\n")

    assert done.code == 0
    assert done.out
    assert not reminder.data.exists()


def test_the_kinds_begin_with_the_card_and_its_two_certificates_and_have_a_name_in_each_language(
    reminder: Terminal,
) -> None:
    kinds = reminder.answer("kinds")

    assert [kind["kind"] for kind in kinds[:3]] == [CARD, USER, SIGNATURE]
    assert all(kind["ja"] and kind["en"] for kind in kinds)
    assert len({kind["kind"] for kind in kinds}) == len(kinds)


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("2026-03-31", "as machines write"),
        ("2026年3月31日", "as the card says"),
        ("令和8年3月31日", "as the office says"),
        ("R8.3.31", "in short"),
        ("令和８年３月３１日", "in full width"),
        ("2026年3月31日（火）まで有効", "copied whole"),
        ("平成38年3月31日", "an old card counts on in its era"),
    ],
)
def test_one_day_may_be_typed_in_either_calendar(reminder: Terminal, typed: str, why: str) -> None:
    assert reminder.answer("read-date", typed) == {"date": "2026-03-31"}, why


def test_without_json_a_date_is_shown_in_both_calendars(reminder: Terminal) -> None:
    assert reminder.run("read-date", "20260331").out == "2026-03-31  2026年3月31日（令和8年3月31日）\n"


@pytest.mark.parametrize(
    ("typed", "code", "choices", "why"),
    [
        ("27/3/31", "date_ambiguous", ["2027-03-31", "2031-03-27"], "which end is the year?"),
        ("令和9年2月29日", "date_impossible", ["2027-02-28", "2027-03-01"], "the days around the one that is none"),
        ("令和9年2月", "date_incomplete", ["2027-02-28"], "the last day of the month is a fair guess"),
        ("3月31日", "date_incomplete", [], "of which year?"),
        ("らいねん", "date_unreadable", [], "no date at all"),
        ("2026/31/3", "date_impossible", ["2026-03-31"], "day and month changed places, which is no card's number"),
        ("03/04/2027", "date_ambiguous", ["2027-03-04", "2027-04-03"], "March or April? it is no card's number either"),
    ],
)
def test_a_date_that_is_not_sure_is_asked_back_with_what_it_may_be(
    reminder: Terminal, typed: str, code: str, choices: list[str], why: str
) -> None:
    refused = reminder.refusal("read-date", typed)

    assert (refused["error"], refused["choices"][:2]) == (code, choices), why
    assert all(choice in refused["message"] for choice in choices)


@pytest.mark.parametrize("typed", [TWELVE, WIDE], ids=["plain", "full-width"])
def test_a_cards_number_in_a_dates_place_is_refused_in_the_same_shape(reminder: Terminal, typed: str) -> None:
    refused = reminder.refusal("read-date", typed)

    assert (refused["error"], refused["choices"]) == ("forbidden_number", [])


@pytest.mark.parametrize(
    ("arguments", "found", "why"),
    [
        (
            [CARD, "--issued", "2021-11-20", "--born", "1985-11-14"],
            ["2031-11-14", "2026-11-14", "2026-08-15", "2027-02-28", "2026-11-13"],
            "the last three are the certificate's; it ends on a Saturday",
        ),
        (
            [CARD, "--issued", "令和3年11月20日", "--born", "昭和60年11月14日"],
            ["2031-11-14", "2026-11-14", "2026-08-15", "2027-02-28", "2026-11-13"],
            "the same in the other calendar",
        ),
        (
            [CARD, "--issued", "2022-05-10", "--received", "2022-03-31", "--born", "2003-01-01"],
            ["2027-01-01", "2027-01-01", "2026-10-02", "2027-04-30", "2026-12-28"],
            "19 before adulthood came at 18: five years; the counters close for the New Year",
        ),
        (
            [USER, "--issued", "2024-05-01", "--born", "1950-03-03"],
            [None, "2029-03-03", "2028-12-04", "2029-06-30", "2029-03-02"],
            "of the card nothing was said",
        ),
        (
            [SIGNATURE, "--issued", "2024-05-01", "--born", "1950-03-03", "--card-expires", "2029-03-03"],
            ["2029-03-03", "2029-03-03", "2028-12-04", None, "2029-03-02"],
            "health insurance does not go by it",
        ),
        (
            [CARD, "--issued", "2025-05-01", "--born", "1990-03-03", "--residence-until", "2027-06-30"],
            ["2027-06-30", "2027-06-30", None, None, "2027-06-30"],
            "never longer than the stay, and renewed with it",
        ),
        (
            [USER, "--issued", "2026-10-01", "--born", "1985-11-14"],
            [None, "2030-11-14", "2030-08-15", "2031-02-28", "2030-11-14"],
            "so near a birthday that it may last a year longer, which only the plain answer says",
        ),
        (
            [CARD, "--issued", "2021-11-20", "--born", "1985-11-14", "--today", "2027-01-10"],
            ["2031-11-14", "2026-11-14", "2026-08-15", "2027-02-28", "2026-11-13"],
            "past, and perhaps renewed, which only the plain answer says",
        ),
    ],
)  # fmt: skip
def test_end_dates_are_worked_out_under_fixed_names_and_no_others(
    reminder: Terminal, arguments: list[str], found: list[str | None], why: str
) -> None:
    answer = reminder.answer("expiry", *arguments)

    assert list(answer) == FIVE
    assert list(answer.values()) == found, why


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        ([USER, "--issued", "2026-10-01", "--born", "1985-11-14"], "if_renewed_early: 2031-11-14"),
        ([CARD, "--issued", "2021-11-20", "--born", "1985-11-14", "--today", "2027-01-10"], "may_already_be_renewed: True"),
    ],
)  # fmt: skip
def test_the_plain_answer_adds_what_else_may_be_true(reminder: Terminal, arguments: list[str], hint: str) -> None:
    assert hint in reminder.run("expiry", *arguments).out.splitlines()


@pytest.mark.parametrize(
    ("arguments", "code", "field", "why"),
    [
        ([CARD, "--issued", "2021-11-20"], "birth_date_needed", "born", "it counts birthdays"),
        ([CARD, "--issued", "2021-11-20", "--born", "2022-01-01"], "dates_contradict", "born", "born after it was made"),
        ([CARD, "--issued", "2015-12-31", "--born", "1985-11-14"], "dates_contradict", "issued", "before there were any"),
        ([CARD, "--issued", "2021年11月", "--born", "1985-11-14"], "date_incomplete", "issued", "which day?"),
        ([CARD, "--issued", "2021-11-20", "--born", "昭和60年"], "date_incomplete", "born", "which day?"),
        (["library_card", "--issued", "2021-11-20"], "unknown_choice", "kind", "no such kind"),
        (["care_certification", "--issued", "2021-11-20"], "only_the_card_says", "expires", "its end is printed"),
        (["passport"], "issue_date_needed", "issued", "nothing to go by"),
        (["passport", "--issued", "2021-11-20", "--years", "0"], "usage_value", None, "no passport lasts that long"),
        ([CARD, "--expires", "2031-11-20", "--born", "2005-11-20"], "age_impossible", "expires", "no card ends at 26"),
    ],
)  # fmt: skip
def test_end_dates_that_cannot_be_worked_out_are_refused_by_place(
    reminder: Terminal, arguments: list[str], code: str, field: str, why: str
) -> None:
    refused = reminder.refusal("expiry", *arguments)

    assert (refused["error"], refused.get("field")) == (code, field), why


@pytest.mark.parametrize("language", ["ja", "ja-easy", "en"])
@pytest.mark.parametrize(("mode", "audiences"), [
    ("standard", {"person", "carer"}),
    ("elderly", {"person", "carer"}),
    ("home", {"person", "carer", "staff"}),
])  # fmt: skip
@pytest.mark.parametrize("kind", [USER, CARD])
def test_a_plan_shows_every_text_with_its_moment_in_order(
    reminder: Terminal, kind: str, mode: str, audiences: set[str], language: str
) -> None:
    plan = reminder.answer("preview", kind, "2027-03-31", "--mode", mode, "--lang", language)

    assert {audience["audience"] for audience in plan} == audiences
    for row in plan:
        assert list(row)[:7] == ["step", "on", "send_at", "audience", "channel", "text", "segments"]
        assert row["send_at"].startswith(row["on"] + "T")
        assert row["send_at"].endswith("+09:00")
        assert row["channel"] == ("sms" if row["audience"] == "person" else "email")
        assert row["segments"] == (1 if row["channel"] == "sms" else 0)
        assert row["text"].strip()
    moments = [datetime.fromisoformat(row["send_at"]) for row in plan]
    assert moments == sorted(moments)
    days = [date.fromisoformat(row["on"]) for row in to_person(plan)]
    assert len(days) == len(set(days)), "one text a day at most"


def test_modes_and_languages_speak_differently(reminder: Terminal) -> None:
    spoken = [("standard", "ja"), ("elderly", "ja"), ("standard", "en"), ("elderly", "en"), ("standard", "ja-easy")]

    plans = {
        (mode, language): to_person(reminder.answer("preview", USER, "2027-03-31", "--mode", mode, "--lang", language))
        for mode, language in spoken
    }

    assert len({plan[0]["text"] for plan in plans.values()}) == len(spoken)
    assert plans["elderly", "ja"][0]["text"].startswith("【期限だより・つばめ】花子さん、")
    assert all(row["text"].isascii() for row in plans["standard", "en"])


def test_elders_are_told_at_ten_and_others_from_nine(reminder: Terminal) -> None:
    hours = {
        mode: {
            row["send_at"][11:16] for row in to_person(reminder.answer("preview", USER, "2027-03-31", "--mode", mode))
        }
        for mode in ("standard", "elderly")
    }

    assert hours == {"standard": {"09:00"}, "elderly": {"10:00"}}


def test_a_plan_can_be_seen_in_a_group_s_own_preferences(reminder: Terminal) -> None:
    preferences = ["--days", "３１ 12", "--hour", "13", "--holidays"]

    plan = to_person(reminder.answer("preview", USER, "2027-06-30", *preferences))
    few = to_person(reminder.answer("preview", USER, "2027-06-30", "--preset", "few", "--today", "2027-05-30"))

    assert [f"{row['step']} {row['send_at'][:16]}" for row in plan[:3]] == [
        "opens 2027-04-01T13:00",
        "d31 2027-05-30T13:00",
        "d12 2027-06-18T13:00",
    ]
    assert [row["step"] for row in few][:3] == ["d30", "d7", "d1"]


@pytest.mark.parametrize(
    ("today", "first", "why"),
    [
        ("2026-12-01", "2027-01-04 opens", "nothing is past"),
        ("2027-02-25", "2027-02-25 d30", "today still counts"),
        ("令和9年3月12日", "2027-03-12 d30", "of what was missed only the most urgent, today"),
        ("2027-03-14", "2027-03-15 d30", "today is a Sunday"),
        ("2027-04-01", "2027-04-07 a7", "nothing said before the end is true after it"),
    ],
)
def test_with_a_today_the_plan_begins_there(reminder: Terminal, today: str, first: str, why: str) -> None:
    row = to_person(reminder.answer("preview", USER, "2027-03-31", "--today", today))[0]

    assert f"{row['on']} {row['step']}" == first, why


def test_without_json_a_plan_is_shown_as_texts_with_their_segments(reminder: Terminal) -> None:
    shown = reminder.run("preview", USER, "2027-03-31", "--mode", "elderly").out

    assert "2027年1月29日（金） 10:00  d60" in shown
    assert "SMS 1通" in shown
    assert "    【期限だより・つばめ】花子さん、" in shown
    assert "件名: " in shown


@pytest.mark.parametrize("language", ["ja", "en"])
@pytest.mark.parametrize("mode", ["standard", "elderly", "home"])
def test_a_plan_can_be_drawn_as_a_picture_that_stands_alone(
    reminder: Terminal, tmp_path: Path, mode: str, language: str
) -> None:
    file = tmp_path / "plan.svg"

    plan = reminder.answer("preview", USER, "2027-03-31", "--mode", mode, "--lang", language, "--svg", str(file))

    picture = ElementTree.fromstring(file.read_text(encoding="utf-8"))
    assert picture.tag == "{http://www.w3.org/2000/svg}svg"
    titles = [dot[0].text or "" for dot in picture.iter("{http://www.w3.org/2000/svg}circle")]
    assert sorted(title.split(":")[0] for title in titles) == sorted(f"{row['on']} {row['step']}" for row in plan)


def test_a_picture_that_cannot_be_written_is_refused_and_nothing_is_shown(reminder: Terminal, tmp_path: Path) -> None:
    refused = reminder.refusal("preview", USER, "2027-03-31", "--svg", str(tmp_path / "nowhere" / "plan.svg"))

    assert "--svg" in refused["message"]


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (["passports", "2027-03-31"], "unknown_choice", "no such kind; the sentence lists them"),
        ([USER, "2027-02-29"], "date_impossible", "no such day"),
        ([USER, "2027-03-31", "--today", "らいねん"], "date_unreadable", "no day"),
        ([USER, "2027-03-31", "--mode", "young"], "usage_value", "no such mode"),
        (["other", "2027-03-31", "--label", "1234" * 3], "forbidden_number", "a number as label"),
        ([USER, "2027-03-31", "--label", "わたしの"], "card_label_unwanted", "its kind says what it is"),
        ([USER, "2027-03-31", "--lang", "fr"], "unknown_choice", "no such language; the sentence lists them"),
        ([USER], "usage_missing", "no date"),
        ([USER, "2027-03-31", "2027-04-01"], "usage", "one date at a time"),
    ],
)
def test_a_plan_of_what_does_not_exist_is_refused(
    reminder: Terminal, arguments: list[str], code: str, why: str
) -> None:
    assert reminder.refusal("preview", *arguments)["error"] == code, why


def test_an_unknown_kind_is_answered_with_those_there_are(reminder: Terminal) -> None:
    refused = reminder.refusal("preview", "passports", "2027-03-31")

    assert refused["choices"] == [kind["kind"] for kind in reminder.answer("kinds")]


LINES = [
    (b"203", None, "a room"),
    ("母".encode(), None, "a name"),
    (b"090-0000-0001", None, "a phone"),
    (b"", None, "nothing"),
    (TWELVE.encode(), "long_number", "twelve digits"),
    (WIDE.encode(), "long_number", "in full width"),
    (" ".join(["1234"] * 3).encode(), "long_number", "in fours"),
    (b"\r".join([b"1234"] * 3), "long_number", "a carriage return ends no line"),
    (b"1234\xff1234\xff1234", "long_number", "bytes that are no letters hide nothing"),
    (WIDE.encode("cp932"), "long_number", "as Windows in Japan saves it"),
    ("暗証番号は1234".encode(), "passcode", "a passcode"),
    (b"\xff\xfe", None, "bytes that are nothing"),
    (b"\x00", None, "nor is that"),
    (b"\xef\xbb\xbf203", None, "a byte order mark before a room"),
    ("あ".encode() * 300_000, "too_long", "a very long line is not read"),
    (b"a" * 300_000 + TWELVE.encode(), "too_long", "whatever stands at its end"),
]


def test_each_line_gets_one_answer_that_never_holds_the_line(reminder: Terminal) -> None:
    done = reminder.run("check-text", "--json", given=b"".join(line + b"\n" for line, _, _ in LINES))

    answers = [json.loads(line) for line in done.out.splitlines()]
    assert done.code == 0
    for answer, (_, looks_like, why) in zip(answers, LINES, strict=True):
        assert answer == {"ok": looks_like is None, "looks_like": looks_like}, why
    assert "1234" not in done.out + done.err
    assert "203" not in done.out


def test_without_json_each_line_gets_a_word(reminder: Terminal) -> None:
    done = reminder.run("check-text", given=b"203\n" + TWELVE.encode())

    assert done.out.splitlines() == ["ok", "refused: long_number"]


@pytest.mark.parametrize(
    ("given", "count", "why"),
    [
        (b"", 0, "no line"),
        (b"\n\n\n", 3, "three empty ones"),
        (b"a\r\nb\r\n", 2, "as Windows ends them"),
        (b"a\nb", 2, "the last has no end"),
        ("a\u2028b\x0bc\x0cd\u0085e\n".encode(), 1, "what only looks like the end of a line"),
    ],
)
def test_there_are_as_many_answers_as_lines(reminder: Terminal, given: bytes, count: int, why: str) -> None:
    assert len(reminder.run("check-text", "--json", given=given).out.splitlines()) == count, why


def test_a_reply_is_read_line_by_line_and_never_printed(reminder: Terminal) -> None:
    done = reminder.run("read-reply", "--json", given=f"まだ済んでない\n済みました\n{TWELVE}\n今日は雨です\n".encode())

    assert [json.loads(line)["intent"] for line in done.out.splitlines()] == ["later", "done", "number", "unknown"]
    assert TWELVE not in done.out + done.err
    assert "雨" not in done.out + done.err
