"""What the operations of the API take and answer: shapes, pages of lists, and refusals that say what to do."""

import json
import re
from datetime import date

import pytest

from reminder.domain.model.people import ChannelName, Language
from reminder.web import api
from reminder.web.api import document
from reminder.web.app import LONGEST_BODY
from tests.rules import WORDING
from tests.village import Village
from tests.web.asking import visitor
from tests.web.calling import API, Program, described, program, token_of

ENGLISH = {"accept-language": "en"}


@pytest.fixture
def sheet(village: Village) -> Program:
    """A program of a household with a daughter, who has signed up her mother."""
    daughter = village.member("娘", "musume@example.jp")
    village.person("母", phone="090-0000-0001", mark="つばめ")
    return program(village, token_of(village, daughter))


# Lists.


def test_a_list_is_read_part_by_part_in_the_order_of_ids(village: Village, sheet: Program) -> None:
    for label in ("父", "祖母", "祖父", "義母"):
        village.person(label)

    parts, after = [], 0
    while after is not None:
        part = sheet.get(f"/people?after={after}&limit=2").json
        parts.append([one["label"] for one in part["items"]])
        after = part["next"]

    assert parts == [["母", "父"], ["祖母", "祖父"], ["義母"]]


def test_a_part_that_ends_with_the_list_names_nothing_behind_it(village: Village, sheet: Program) -> None:
    village.person("父")

    assert sheet.get("/people?limit=2").json["next"] is None


def test_who_comes_meanwhile_is_not_missed_and_nobody_comes_twice(village: Village, sheet: Program) -> None:
    village.person("父")
    first = sheet.get("/people?limit=1").json

    village.person("祖母")

    rest = sheet.get(f"/people?after={first['next']}").json
    assert [one["label"] for one in (*first["items"], *rest["items"])] == ["母", "父", "祖母"]


@pytest.mark.parametrize(
    ("query", "field", "code"),
    [
        ("limit=0", "limit", "out_of_range"),
        ("limit=201", "limit", "out_of_range"),
        ("limit=many", "limit", "wrong_type"),
        ("after=-1", "after", "out_of_range"),
        ("limti=2", "query", "unknown_field"),
    ],
)
def test_a_list_refuses_what_it_does_not_know(sheet: Program, query: str, field: str, code: str) -> None:
    answer = sheet.get(f"/people?{query}")

    assert (answer.status, answer.json["code"]) == (422, "request_malformed")
    assert answer.json["errors"] == [{"field": field, "code": code}]


# Addresses.


def test_an_address_is_masked_wherever_it_stands_but_in_its_own_place(village: Village, sheet: Program) -> None:
    added = sheet.post("/people/1/contacts", {"channel": "email", "address": "hanako@example.jp"})
    contact = added.json["id"]

    elsewhere = [
        added,
        sheet.get("/people/1/contacts"),
        sheet.post(f"/contacts/{contact}/confirm", {"consent": "written", "consent_by": "長女"}),
        sheet.post(f"/contacts/{contact}/verify"),
        sheet.post(f"/contacts/{contact}/stop"),
        sheet.get("/group"),
    ]

    assert sheet.get(f"/contacts/{contact}").json["address"] == "hanako@example.jp"
    assert [answer.status for answer in elsewhere] == [201, 200, 200, 200, 200, 200]
    assert not any(
        whole in answer.text for answer in elsewhere for whole in ("hanako@", "musume@", "9000000001", "0000-0001")
    )


def test_a_contact_goes_from_unconfirmed_to_confirmed_to_stopped(village: Village, sheet: Program) -> None:
    states = [sheet.post("/people/1/contacts", {"channel": "email", "address": "hanako@example.jp"}).json["state"]]
    states.append(sheet.post("/contacts/3/confirm", {"consent": "spoken", "consent_by": "長女"}).json["state"])
    states.append(sheet.post("/contacts/3/stop").json["state"])
    states.append(sheet.post("/contacts/3/stop").json["state"])

    assert states == ["unconfirmed", "confirmed", "opted_out", "opted_out"]
    refused = sheet.post("/contacts/3/confirm", {"consent": "spoken", "consent_by": "長女"})
    assert (refused.status, refused.json["code"]) == (409, "contact_said_no")


def test_a_member_leaves_with_their_contacts_and_not_by_one_of_them(sheet: Program) -> None:
    assert sheet.get("/contacts/1").json["member_id"] == 1

    assert sheet.delete("/contacts/1").status == 404


# Persons.


def test_only_what_is_named_is_changed_and_null_takes_away(sheet: Program) -> None:
    sheet.patch("/people/1", {"reference": "203"})
    before = sheet.get("/people/1").json

    changed = sheet.patch("/people/1", {"mark": None, "mode": "elderly", "label": None})

    assert before["mark"] == "つばめ"
    assert changed.json == {**before, "mark": None, "mode": "elderly"}
    assert sheet.patch("/people/1", {}).json == changed.json


def test_a_language_that_there_is_not_is_refused_with_those_there_are(sheet: Program) -> None:
    for answer in (
        sheet.post("/people", {"label": "父", "language": "tlh"}),
        sheet.patch("/people/1", {"language": "tlh"}),
    ):
        assert (answer.status, answer.json["code"], answer.json["field"]) == (422, "unknown_choice", "language")
        assert {"ja", "ja-easy", "en"} <= set(answer.json["choices"])
        assert "tlh" not in answer.everything


# Cards and dates.


@pytest.mark.parametrize("typed", ["令和9年3月31日", "2027-03-31", "R9.3.31", "２０２７年３月３１日（水）まで有効"])
def test_a_date_is_taken_as_people_type_it_and_given_back_in_one_form(sheet: Program, typed: str) -> None:
    card = {"kind": "mynumber_user_certificate", "expires": typed}

    added = sheet.post("/people/1/cards", card)

    assert added.json["expires_on"] == "2027-03-31"
    assert sheet.post("/dates", {"text": typed}).json == {
        "date": "2027-03-31",
        "both_calendars": "2027年3月31日（令和9年3月31日）",
        "weekday": "水",
    }


def test_a_date_that_could_be_several_days_is_asked_back_with_them(sheet: Program) -> None:
    answer = sheet.post("/dates", {"text": "2027-02-30"})

    assert (answer.status, answer.json["code"], answer.json["field"]) == (422, "date_impossible", "text")
    assert answer.json["choices"] == ["2027-02-28", "2027-03-01"]
    assert "2027-02-30" not in answer.text


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"expires": "2020-03-31"}, "date_past"),
        ({"expires": "2060-03-31"}, "date_far"),
        ({"expires": "2031-03-31", "born": "1950-11-14"}, "not_a_birthday"),
    ],
)
def test_an_unusual_date_is_asked_about_and_taken_with_a_yes(
    sheet: Program, given: dict[str, object], code: str
) -> None:
    card = {"kind": "mynumber_card", **given}

    asked = [sheet.post(path, {**card, **more}, ENGLISH) for path, more in ASKING]

    for answer in asked:
        assert (answer.status, answer.json["code"]) == (422, code)
        assert answer.json["confirm"] == {"confirmed": True}
        assert '"confirmed": true' in answer.json["detail"]
    assert sheet.post("/plans", {**card, "person_id": 1, **asked[0].json["confirm"]}).status == 200
    assert sheet.post("/people/1/cards", {**card, **asked[0].json["confirm"]}).status == 201


ASKING = [("/people/1/cards", {}), ("/plans", {"person_id": 1})]


def test_the_end_is_worked_out_and_the_birth_date_kept_nowhere(village: Village, sheet: Program) -> None:
    added = sheet.post("/people/1/cards", {"kind": "mynumber_card", "issued": "2021-11-20", "born": "1985-11-14"})

    assert (added.json["expires_on"], added.json["computed"]) == ("2031-11-14", True)
    assert "1985" not in "".join(sheet.get(path).text for path in ("/people/1", "/cards/1", "/activity"))


def test_the_life_of_a_card(village: Village, sheet: Program) -> None:
    village.card("母", date(2027, 3, 31))

    acts = [
        (sheet.post("/cards/1/acknowledge"), "done", "2027-03-31"),
        (sheet.post("/cards/1/reopen"), "current", "2027-03-31"),
        (sheet.post("/cards/1/assign", {"contact_id": 1}), "current", "2027-03-31"),
        (sheet.post("/cards/1/renew", {"expires": "2032-03-31"}), "current", "2032-03-31"),
        (sheet.post("/cards/1/retire"), "retired", "2032-03-31"),
    ]

    assert [(answer.json["state"], answer.json["expires_on"]) for answer, *_ in acts] == [
        tuple(row[1:]) for row in acts
    ]
    assert acts[2][0].json["assigned_to"] == 1
    assert acts[3][0].json["assigned_to"] is None
    for path in ("renew", "acknowledge", "retire"):
        again = sheet.post(f"/cards/1/{path}", {"expires": "2033-03-31"} if path == "renew" else None)
        assert (again.status, again.json["code"]) == (409, "card_retired")
    assert sheet.get("/cards/1/plan").status == 409


def test_what_belongs_to_a_card_is_offered_and_what_lived_in_a_renewed_one_is_asked_for(sheet: Program) -> None:
    sheet.post("/people/1/cards", {"kind": "mynumber_card", "expires": "2031-03-31"})

    added = sheet.post("/people/1/cards", {"kind": "mynumber_user_certificate", "expires": "2027-03-31"})
    renewed = sheet.post("/cards/1/renew", {"expires": "2036-03-31"})

    assert {"kind": "mynumber_signature_certificate", "expires_on": "2027-03-31"} in added.json["offers"]
    assert renewed.json["asks"] == [{"card_id": 2, "kind": "mynumber_user_certificate", "expires_on": "2027-03-31"}]


def test_the_plan_before_a_card_is_registered_is_that_of_the_registered_one(sheet: Program) -> None:
    card = {"kind": "mynumber_user_certificate", "expires": "2027-03-31"}

    before = sheet.post("/plans", {**card, "person_id": 1})
    assert sheet.get("/people/1/cards").json["items"] == [], "nothing was kept"
    sheet.post("/people/1/cards", card)
    after = sheet.get("/cards/1/plan")

    assert len(before.json["items"]) > 5
    assert after.json == before.json
    assert [row["send_at"] for row in after.json["items"]] == sorted(row["send_at"] for row in after.json["items"])


# Messages and the journal.


def test_messages_are_found_by_state_person_and_day(village: Village, sheet: Program) -> None:
    sheet.patch("/people/1", {"mode": "elderly"})
    village.card("母", date(2027, 3, 31))
    village.person("父")
    village.run_until("2027-01-06 00:00")
    everything = sheet.get("/messages").json["items"]

    def ids(query: str) -> list[int]:
        return [one["id"] for one in sheet.get(f"/messages?{query}").json["items"]]

    assert {(one["audience"], one["state"], tuple(one["card_ids"])) for one in everything} == {
        ("person", "accepted", (1,)),
        ("carer", "accepted", (1,)),
    }
    assert ids("state=accepted") == ids("person=1") == [one["id"] for one in everything]
    assert ids("state=queued") == ids("person=2") == []
    assert ids("since=2027-01-04") == ids("since=令和9年1月4日") == [one["id"] for one in everything]
    assert ids("since=2027-01-05") == []
    assert all(re.fullmatch(r"2027-01-\d\dT\d\d:\d\d:\d\dZ", one["handed_at"]) for one in everything)


def test_a_message_to_the_family_about_somebody_is_found_under_them(village: Village, sheet: Program) -> None:
    """Their mother wants no more texts: the daughter is told, in no reminder of any card."""
    village.stop(2)
    village.run_until("2026-12-02 00:00")

    told = [one for one in sheet.get("/messages?person=1").json["items"] if one["contact_id"] == 1]

    assert [(one["audience"], one["card_ids"]) for one in told] == [("carer", [])]


@pytest.mark.parametrize(
    ("query", "code"),
    [("state=lost", "request_malformed"), ("since=yesterday", "date_unreadable"), ("person=9", "not_found")],
)
def test_messages_of_what_there_is_not_are_refused(sheet: Program, query: str, code: str) -> None:
    answer = sheet.get(f"/messages?{query}")

    assert answer.json["code"] == code
    assert not re.search("lost|yesterday", answer.everything)


def test_the_journal_names_who_made_the_token_for_what_a_program_did(sheet: Program) -> None:
    sheet.post("/people", {"label": "父"})

    last = sheet.get("/activity").json["items"][-1]

    assert (last["act"], last["member_id"], last["person_id"]) == ("person_added", 1, 2)


# Refusals.


@pytest.mark.parametrize(
    ("given", "errors"),
    [
        ({}, [("label", "missing")]),
        ({"label": 7}, [("label", "wrong_type")]),
        ({"label": "", "mark": "あ" * 11}, [("label", "too_short"), ("mark", "too_long")]),
        ({"label": "母", "mode": "namazu"}, [("mode", "unknown_choice")]),
        ({"label": "母", "insurance": "yes"}, [("insurance", "wrong_type")]),
        ({"label": "母", "namazu": "namazu"}, [("body", "unknown_field")]),
        ([], [("body", "wrong_type")]),
        (b"namazu", [("body", "not_json")]),
        (b"", [("body", "missing")]),
    ],
)
def test_what_is_malformed_is_named_by_our_words_and_never_repeated(
    sheet: Program, given: object, errors: list[tuple[str, str]]
) -> None:
    answer = sheet.post("/people", given)

    assert (answer.status, answer.json["code"]) == (422, "request_malformed")
    assert [(one["field"], one["code"]) for one in answer.json["errors"]] == errors
    assert "namazu" not in answer.everything


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"label": "\xff"}', id="no text"),
        pytest.param(b'{"label": "\\ud83d"}', id="half a character"),
        pytest.param(b"[" * 60_000, id="nested too deeply"),
        pytest.param(b'{"label": ' + b"9" * 6000 + b"}", id="too long a number"),
        pytest.param(b'{"label": NaN}', id="not even JSON"),
    ],
)
def test_what_cannot_even_be_read_is_refused(sheet: Program, body: bytes) -> None:
    answer = sheet.post("/people", body)

    assert (answer.status, answer.headers["content-type"]) == (422, "application/problem+json")


@pytest.mark.parametrize("in_pieces", [False, True], ids=["at once", "in pieces"])
@pytest.mark.parametrize("key", [{}, {"idempotency-key": "row-17"}], ids=["without a key", "with a key"])
def test_a_body_that_is_too_long_is_refused_however_it_comes(
    sheet: Program, in_pieces: bool, key: dict[str, str]
) -> None:
    body = b'{"label": "' + b"x" * LONGEST_BODY + b'"}'
    pieces = [body[start : start + 1000] for start in range(0, len(body), 1000)]
    headers = {"content-type": "application/json", "authorization": f"Bearer {sheet.token}", **key}

    answer = sheet.browser.post(f"{API}/people", pieces if in_pieces else body, headers)

    assert (answer.status, answer.json["code"]) == (413, "body_too_long")


def test_json_under_another_name_is_not_taken(sheet: Program) -> None:
    answer = sheet.ask("POST", "/people", {"label": "父"}, {"content-type": "text/plain"})

    assert answer.status == 422


@pytest.mark.parametrize(
    ("path", "methods"),
    [("/people", "GET, POST"), ("/people/1", "DELETE, GET, PATCH"), ("/cards/1/retire", "POST"), ("/kinds", "GET")],
)
def test_a_refused_method_names_all_that_work(sheet: Program, path: str, methods: str) -> None:
    answer = sheet.ask("PUT", path)

    assert (answer.status, answer.json["code"], answer.headers["allow"]) == (405, "method_not_allowed", methods)


@pytest.mark.parametrize("path", ["/nowhere", "/people/", "/people/one", "/people/0", "/docs"])
def test_what_there_is_not_is_a_problem_too(sheet: Program, path: str) -> None:
    answer = sheet.get(path)

    assert answer.status in (404, 422)
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_refusal_speaks_the_language_that_is_asked_for(sheet: Program) -> None:
    japanese, english = sheet.get("/people/9"), sheet.get("/people/9", ENGLISH)

    assert japanese.json["detail"] == "ご本人が見つかりません。番号（id）を確かめてください。"
    assert english.json["detail"] == "Not found: the person. Check its id."


# What only commands and pages can meet.
NOT_BY_PROGRAMS = {
    "activity_log_changed", "addresses_divided", "rows_unsealed", "key_not_missing", "keys_missing", "roles_unproved", "sessions_of_whom", "promises_unnamed",
    "backup_key_missing", "backup_key_unreadable", "backup_unknown", "keys_in_settings", "restore_keys_missing",
    "calls_off", "cannot_listen", "channel_failed", "channel_setup", "database_behind", "database_not_begun", "database_role_confined", "database_without_roles", "database_damaged", "database_moved", "database_open", "restore_not_exact", "erase_needs_yes", "erase_one_thing", "instant_unreadable", "letter_needs_card",
    "no_consent_yet", "no_owner", "nothing_enrolled", "one_owner_needed", "setting_wrong", "simulate_needs_sqlite",
    "group_not_on_trial", "group_not_suspended", "group_suspended_already", "quota_unreadable",
    "setup_code_needed", "setup_code_not_used", "setup_code_over", "setup_code_wrong", "setup_done", "home_only", "usage", "usage_missing", "usage_option", "usage_value",
}  # fmt: skip


def test_what_is_said_to_programs_speaks_of_no_command() -> None:
    for words in WORDING.languages.values():
        own, console = words.table.get("errors_api", {}), words.table["errors"]
        said = {**console, **own}

        of_commands = {code for code, sentence in said.items() if re.search(r"--[a-z]|`?reminder |contact c", sentence)}

        assert of_commands <= NOT_BY_PROGRAMS


def test_what_is_said_to_programs_is_said_in_both_languages() -> None:
    japanese, english = (WORDING.languages[Language(code)].table["errors_api"] for code in ("ja", "en"))

    assert list(japanese) == list(english)


# The document.


def test_the_document_needs_no_token_and_describes_every_operation(village: Village) -> None:
    answer = visitor(village, local_pages=False).get(f"{API}/openapi.json")

    shown = answer.json
    assert (answer.status, shown["openapi"]) == (200, "3.1.0")
    operations = [one for methods in shown["paths"].values() for one in methods.values()]
    assert len(operations) == len(described()) > 25
    assert len({one["operationId"] for one in operations}) == len(operations)
    assert all(path.startswith(f"{API}/") for path in shown["paths"])
    assert all(one["description"] and "401" in one["responses"] for one in operations)
    assert shown["security"] == [{"token": []}]
    assert shown["components"]["securitySchemes"]["token"]["scheme"] == "bearer"


def test_every_shape_that_goes_in_is_closed_bounded_and_has_an_example() -> None:
    schemas = document.made_of(api.router.routes)["components"]["schemas"]
    shapes = {name: schema for name, schema in schemas.items() if name.endswith(("In", "Change"))}

    assert len(shapes) == 18
    for name, schema in shapes.items():
        assert schema["additionalProperties"] is False, name
        assert schema["examples"], name
        unbounded = [
            field
            for field, said in schema["properties"].items()
            for one in said.get("anyOf", [said])
            if one.get("type") == "string" and "maxLength" not in one and "enum" not in one
        ]
        assert unbounded == [], name


def test_no_field_anywhere_is_for_a_number() -> None:
    schemas = document.made_of(api.router.routes)["components"]["schemas"]

    fields = {field for schema in schemas.values() for field in schema.get("properties", {})}

    assert not [field for field in fields if re.search("number|pin|code_|passcode|birth", field)]
    assert json.dumps(schemas).count("born") <= 12, (
        "the birth date is only taken where dates are, and given back nowhere"
    )


def test_texts_that_can_be_answered_are_asked_for_by_the_api(talking_village: Village) -> None:
    village = talking_village
    daughter = village.member("娘", "musume@example.jp")
    village.person("母")
    village.contact("母", ChannelName.SMS, "090-0000-0001", consent=False)
    sheet = program(village, token_of(village, daughter))

    asked = sheet.post("/contacts/2/ask", {"told_by": "長女"})
    again = sheet.post("/contacts/2/ask", {"told_by": "長女"})

    assert (asked.status, asked.json["send_at"], asked.json["state"]) == (200, "2026-12-01T00:00:00Z", "unconfirmed")
    assert (again.status, again.json["code"]) == (409, "asked_enough")
