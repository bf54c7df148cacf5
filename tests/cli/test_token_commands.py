"""Tokens at the command line: made once, listed without themselves, and revoked."""

from tests.cli.terminal import Terminal


def test_a_token_is_shown_when_it_is_made_and_never_again(family: Terminal) -> None:
    made = family.answer("token", "make", "--group", "1", "--name", "表計算", "--scope", "write")

    assert made["token"].startswith("kigen_")
    assert made["scope"] == "write"
    listed = family.run("token", "list", "--group", "1", "--json")
    assert [(one["id"], one["name"], one["scopes"]) for one in listed.answer] == [(1, "表計算", "read write")]
    assert made["token"] not in listed.out
    assert made["token"].removeprefix("kigen_").encode() not in family.bytes_kept(), "only a hash of it is kept"


def test_a_revoked_token_is_listed_no_more_and_cannot_be_revoked_again(family: Terminal) -> None:
    family.answer("token", "make", "--group", "1", "--name", "表計算")

    assert family.answer("token", "revoke", "1") == {"id": 1, "state": "revoked"}

    assert family.answer("token", "list", "--group", "1") == []
    assert family.refusal("token", "revoke", "1")["error"] == "not_found"


def test_a_group_without_an_owner_gets_no_token(reminder: Terminal) -> None:
    reminder.answer("group", "add", "--name", "田中家", "--kind", "household")
    reminder.answer("member", "add", "--group", "1", "--email", "musume@example.jp", "--role", "editor")

    assert reminder.refusal("token", "make", "--group", "1", "--name", "表計算")["error"] == "no_owner"


def test_no_token_is_made_for_a_group_that_is_not_there(reminder: Terminal) -> None:
    assert reminder.refusal("token", "make", "--group", "7", "--name", "表計算")["error"] == "not_found"
    assert reminder.refusal("token", "revoke", "7")["error"] == "not_found"
