"""Tokens of programs: what they may do, and until when."""

from reminder.domain.model.access import Scope
from reminder.domain.model.people import Role
from reminder.storage.auth import accounts, api_tokens
from reminder.storage.auth.api_tokens import TokenView
from reminder.storage.registry import groups
from tests.storage.conftest import HOUR, NOW, Rows


def test_a_token_is_found_by_its_secret_until_it_is_revoked(rows: Rows) -> None:
    group, other = rows.group(), rows.group("鈴木家")
    member = rows.member(group)
    groups.name_member(rows.tx, member, "長女")
    scopes = (Scope.READ, Scope.WRITE)
    token = api_tokens.add(
        rows.tx, rows.keys, group_id=group, made_by=member, name="台帳", token_hash=b"s", scopes=scopes, now=NOW
    )

    shown = api_tokens.find(rows.tx, rows.keys, b"s")
    assert shown is not None
    assert (shown.token_id, shown.scopes, shown.who.group_id, shown.used_at) == (token, scopes, group, None)
    assert api_tokens.find(rows.tx, rows.keys, b"other") is None
    api_tokens.used(rows.tx, token, NOW + HOUR)
    (view,) = api_tokens.of_group(rows.tx, group)
    assert view == TokenView(token, "台帳", scopes, member, "長女", NOW, NOW + HOUR)
    assert [api_tokens.group_of(rows.tx, one) for one in (token, 999)] == [group, None]
    assert not api_tokens.revoke(rows.tx, other, token, NOW)
    assert api_tokens.revoke(rows.tx, group, token, NOW)
    assert not api_tokens.revoke(rows.tx, group, token, NOW)
    assert (api_tokens.find(rows.tx, rows.keys, b"s"), api_tokens.of_group(rows.tx, group)) == (None, [])


def test_a_token_acts_with_no_more_than_the_present_role_of_who_made_it(rows: Rows) -> None:
    group = rows.group()
    member = rows.member(group, role=Role.OWNER)
    rows.token(member, group, b"s", (Scope.READ, Scope.WRITE))

    as_owner = api_tokens.find(rows.tx, rows.keys, b"s")
    accounts.set_role(rows.tx, rows.keys, member, Role.VIEWER)
    as_viewer = api_tokens.find(rows.tx, rows.keys, b"s")

    assert as_owner is not None
    assert as_viewer is not None
    assert (as_owner.who.role, as_viewer.who.role) == (Role.EDITOR, Role.VIEWER)
