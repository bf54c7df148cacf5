"""The API keeps its word: what its document says of every operation holds for requests that somebody else thought of,
well-formed and not."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, settings
from schemathesis.config import SchemathesisConfig
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance
from starlette.types import ASGIApp

from reminder.domain.model.people import ChannelName
from reminder.web import api
from tests.village import open_village
from tests.web.asking import web_of
from tests.web.calling import token_of

# The same requests in every run. What is well-formed may still be refused for what it says, but never as malformed.
CONFIG = {
    "generation": {"deterministic": True, "max-examples": 5},
    "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", "403", "404", "409", "422"]}},
}
HOLDER = FastAPI(openapi_url=None)
HOLDER.include_router(api.router)


def documented(**config: object) -> BaseSchema:
    return schemathesis.openapi.from_asgi(
        f"{api.PREFIX}/openapi.json", HOLDER, config=SchemathesisConfig.from_dict({**CONFIG, **config})
    )


EVERYTHING = documented()
# Whoever shows no token is turned away before anything is looked at: a few of each will do.
A_FEW = documented(
    phases={"coverage": {"enabled": False}}, generation={"deterministic": True, "max-examples": 2, "mode": "positive"}
)


@dataclass(frozen=True)
class Served:
    web: ASGIApp
    token: str


@contextmanager
def serving(url: str, folder: Path) -> Iterator[Served]:
    """One group with somebody of everything, so that an example's id is found."""
    with open_village(url, folder, "2026-12-01 08:00", durable=False, two_way_sms=True) as village:
        village.member("娘", "musume@example.jp")
        village.person("母", phone="090-0000-0001")
        village.contact("母", ChannelName.EMAIL, "musuko@example.jp", family="息子")
        village.card("母", date(2027, 3, 31))
        village.stop(2)
        yield Served(web_of(village, local_pages=False), token_of(village, 1))


@pytest.fixture
def served(sqlite_url: str, tmp_path: Path) -> Iterator[Served]:
    with serving(sqlite_url, tmp_path) as opened:
        yield opened


@pytest.fixture(scope="module")
def closed(_migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The same; nobody who comes without a token changes it."""
    folder = tmp_path_factory.mktemp("closed")
    with serving(f"sqlite:///{shutil.copy(_migrated_sqlite, folder / 'kigen.db')}", folder) as opened:
        yield opened


# One group for all requests to an operation: what one has erased is not there for the next.
ONE_GROUP = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def never_called_malformed(_ctx: Any, response: Any, case: Any) -> None:
    if case.meta.generation.mode.is_positive and response.status_code == 422:
        assert response.json()["code"] != "request_malformed", response.text


@EVERYTHING.parametrize()
@ONE_GROUP
def test_every_answer_is_one_that_the_document_names(case: schemathesis.Case, served: Served) -> None:
    headers = {"Authorization": f"Bearer {served.token}"}

    case.call_and_validate(app=served.web, headers=headers, additional_checks=[never_called_malformed])


@A_FEW.parametrize()
@ONE_GROUP
def test_nobody_comes_in_without_a_token(case: schemathesis.Case, closed: Served) -> None:
    case.headers.pop("Authorization", None)

    response = case.call(app=closed.web)

    assert response.status_code == 401
    assert response.headers["www-authenticate"][0].startswith("Bearer ")
    case.validate_response(response, checks=[status_code_conformance, response_schema_conformance])
