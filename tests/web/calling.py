"""A program that calls the API of a village with a token."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from reminder.domain.access import Actor, Scope
from reminder.domain.people import Language, Role
from reminder.enrolment import tokens
from tests.village import Village
from tests.web.asking import Answer, Visitor, visitor

API = "/api/v1"


@dataclass(frozen=True)
class Program:
    """`token` None shows none."""

    browser: Visitor
    token: str | None

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        return self.ask("GET", path, headers=headers)

    def post(self, path: str, given: object = None, headers: Mapping[str, str] | None = None) -> Answer:
        return self.ask("POST", path, given, headers)

    def patch(self, path: str, given: object) -> Answer:
        return self.ask("PATCH", path, given)

    def delete(self, path: str) -> Answer:
        return self.ask("DELETE", path)

    def ask(self, method: str, path: str, given: object = None, headers: Mapping[str, str] | None = None) -> Answer:
        """`given` as JSON; bytes as they are."""
        body = given if isinstance(given, bytes) else b"" if given is None else json.dumps(given).encode()
        said = {"content-type": "application/json"} if body else {}
        if self.token is not None:
            said["authorization"] = f"Bearer {self.token}"
        return self.browser.ask(method, API + path, body, {**said, **(headers or {})})


def actor(village: Village, member_id: int, role: Role = Role.OWNER) -> Actor:
    with village.app.database.reading() as tx:
        from reminder.storage import groups

        group_id = groups.group_of_member(tx, member_id)
    assert group_id is not None
    return Actor(group_id, member_id, role, Language.JAPANESE)


def token_of(
    village: Village, member_id: int, scopes: Collection[Scope] = (Scope.ERASE,), role: Role = Role.OWNER
) -> str:
    who = actor(village, member_id, role)
    return tokens.make_token(village.app.database, village.now, who=who, name="表計算", scopes=scopes)


def program(village: Village, token: str | None) -> Program:
    return Program(visitor(village, local_pages=False), token)
