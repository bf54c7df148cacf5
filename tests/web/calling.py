"""A program that calls the API of a village with a token."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from reminder.domain.model.access import Actor, Scope
from reminder.domain.model.people import Language, Role
from reminder.enrolment.identity import api_tokens
from reminder.storage.registry import groups
from reminder.web import api
from reminder.web.api import document
from tests.village import Village
from tests.web.asking import Answer, Visitor, visitor

API = "/api/v1"
SHEET = "居室,氏名,電子証明書期限\n203,ハナ,2027-11-16\n".encode()


@dataclass(frozen=True)
class Described:
    """An operation as the document describes it. `example`: a body of `media` that it takes, where it takes one."""

    id: str
    method: str
    path: str  # with {person_id}
    example: Mapping[str, object] | bytes | None
    texts: Collection[str]  # the names of the body's fields that take text
    media: str = "application/json"

    def at(self, **ids: int) -> str:
        return self.path.format(**ids)


def described() -> list[Described]:
    """Every operation of the API."""
    shown = document.made_of(api.router.routes)
    schemas = shown["components"]["schemas"]
    found = []
    for path, methods in shown["paths"].items():
        for method, one in methods.items():
            takes = one.get("requestBody", {}).get("content", {})
            content = takes.get("application/json", {})
            body = schemas[content["schema"]["$ref"].rpartition("/")[2]] if content else {"properties": {}}
            texts = [name for name, field in body["properties"].items() if _takes_text(field)]
            example = body["examples"][0] if content else None
            media = "application/octet-stream" if "application/octet-stream" in takes else "application/json"
            if media != "application/json":
                example = SHEET
            found.append(Described(one["operationId"], method.upper(), path.removeprefix(API), example, texts, media))
    return found


def _takes_text(field: Mapping[str, object]) -> bool:
    choices = field.get("anyOf", [field])
    assert isinstance(choices, list)
    return any(one.get("type") == "string" or "$ref" in one for one in choices)


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
        group_id = groups.group_of_member(tx, member_id)
    assert group_id is not None
    return Actor(group_id, member_id, role, Language.JAPANESE)


def token_of(
    village: Village, member_id: int, scopes: Collection[Scope] = (Scope.ERASE,), role: Role = Role.OWNER
) -> str:
    who = actor(village, member_id, role)
    with village.app.writing() as uow:
        return api_tokens.make_token(uow, who=who, name="表計算", scopes=scopes)


def program(village: Village, token: str | None) -> Program:
    return Program(visitor(village, local_pages=False), token)
