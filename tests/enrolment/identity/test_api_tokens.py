"""Tokens for programs: shown once, never able to do more than who makes them, and over when they are revoked."""

import re
from dataclasses import replace

import pytest

from reminder.domain.model.access import Actor, Scope
from reminder.domain.model.people import Language, Role
from reminder.enrolment.identity import api_tokens
from reminder.errors import ForbiddenNumberError, NotFoundError, RefusedInputError, UnknownChoiceError
from reminder.guard.logs import scrubbed
from reminder.guard.numbers import forbidden
from tests.village import Village


@pytest.fixture
def daughter(village: Village) -> Actor:
    return Actor(1, village.member("娘", "musume@example.jp"), Role.OWNER, Language.JAPANESE)


def make(village: Village, who: Actor, *scopes: str, name: str = "表計算") -> str:
    with village.app.writing() as uow:
        return api_tokens.make_token(uow, who=who, name=name, scopes=scopes or ("read",))


def test_a_token_is_letters_that_no_guard_takes_for_a_number(village: Village, daughter: Actor) -> None:
    made = [make(village, daughter) for _ in range(20)]

    assert len(set(made)) == 20
    assert all(re.fullmatch("kigen_[a-p]{64}", token) for token in made)
    assert {forbidden(token) for token in made} == {None}


@pytest.mark.parametrize(
    ("role", "scope", "allowed"),
    [
        (Role.VIEWER, "read", True),
        (Role.VIEWER, "write", False),
        (Role.VIEWER, "erase", False),
        (Role.EDITOR, "write", True),
        (Role.EDITOR, "erase", False),
        (Role.OWNER, "erase", True),
    ],
)
def test_nobody_makes_a_token_that_may_do_more_than_they(
    village: Village, daughter: Actor, role: Role, scope: str, allowed: bool
) -> None:
    who = replace(daughter, role=role)

    if allowed:
        assert make(village, who, scope)
    else:
        with pytest.raises(RefusedInputError, match="scope_above_role"):
            make(village, who, "read", scope)


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        (("read",), (Scope.READ,)),
        (("write",), (Scope.READ, Scope.WRITE)),
        (("erase", "read"), (Scope.READ, Scope.WRITE, Scope.ERASE)),
    ],
)
def test_a_wider_scope_holds_the_narrower_ones(
    village: Village, daughter: Actor, asked: tuple[str, ...], kept: tuple[Scope, ...]
) -> None:
    make(village, daughter, *asked)

    with village.app.reading() as uow:
        assert [one.scopes for one in api_tokens.tokens_of(uow, daughter)] == [kept]


@pytest.mark.parametrize("scopes", [(), ("read", "everything"), ("",)])
def test_a_scope_that_is_none_is_refused_with_those_there_are(
    village: Village, daughter: Actor, scopes: tuple[str, ...]
) -> None:
    with pytest.raises(UnknownChoiceError) as refused, village.app.writing() as uow:
        api_tokens.make_token(uow, who=daughter, name="表計算", scopes=scopes)

    assert refused.value.choices == ("read", "write", "erase")


def test_a_name_with_a_number_is_refused(village: Village, daughter: Actor) -> None:
    with pytest.raises(ForbiddenNumberError):
        make(village, daughter, name="3074" + "18529630")


def test_a_revoked_token_is_gone_from_the_list_and_opens_nothing(village: Village, daughter: Actor) -> None:
    units, now = village.app.units, village.now
    first, second = make(village, daughter, name="一"), make(village, daughter, name="二")

    with village.app.writing() as uow:
        api_tokens.revoke_token(uow, who=daughter, token_id=1)

    with village.app.reading() as uow:
        assert [one.name for one in api_tokens.tokens_of(uow, daughter)] == ["二"]
    assert api_tokens.shown(units, now, first) is None
    assert api_tokens.shown(units, now, second) is not None
    with pytest.raises(NotFoundError), village.app.writing() as uow:
        api_tokens.revoke_token(uow, who=daughter, token_id=1)


def test_another_groups_token_is_not_found(village: Village, daughter: Actor) -> None:
    make(village, daughter)
    village.group(name="他人家")
    stranger = Actor(2, village.member("他人", "tanin@example.jp"), Role.OWNER, Language.JAPANESE)

    with pytest.raises(NotFoundError), village.app.writing() as uow:
        api_tokens.revoke_token(uow, who=stranger, token_id=1)
    with village.app.reading() as uow:
        assert api_tokens.tokens_of(uow, stranger) == []


@pytest.mark.parametrize("said", ["{}", "header authorization: Bearer {}", "token={};", "bearer {} was shown"])
def test_no_token_is_written_into_a_log(village: Village, daughter: Actor, said: str) -> None:
    token = make(village, daughter)

    assert token.removeprefix("kigen_") not in scrubbed(said.format(token))
