"""Who may call the API: only a token opens it, what is another group's is not found, and no token does more than its
scope and the present role of who made it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest
from fastapi import APIRouter
from sqlalchemy import inspect

from reminder.domain.model.access import Right, Scope
from reminder.domain.model.people import ChannelName, Role
from reminder.enrolment.identity import api_tokens, membership
from reminder.web.api import router
from reminder.web.api.operation import Operation
from tests.village import Village, open_village
from tests.web.browsing import Browser
from tests.web.calling import API, SHEET, Described, Program, actor, described, program, token_of

OPERATIONS = described()
WITH_AN_ID = [one for one in OPERATIONS if "{" in one.path]
# What only looks, although it takes a body.
LOOKS = ("plan_card", "read_date")
WRITES = [one for one in OPERATIONS if one.method != "GET" and one.id not in LOOKS]
OWNERS_ONLY = {"erase_person", "erase_contact", "erase_card", "rename_group", "list_activity"}


@dataclass(frozen=True)
class Town:
    """A household with an owner (member 1) and an editor (2), and a program that may do everything in it; and a
    stranger's program that may do everything in another household."""

    village: Village
    owners: Program
    strangers: Program

    def call(self, one: Described, by: Program, ids: dict[str, int]) -> tuple[int, str]:
        answer = by.ask(one.method, one.at(**ids), one.example, {"content-type": one.media})
        return answer.status, answer.json["code"] if answer.status >= 400 else ""

    def rows(self) -> str:
        """Everything that is kept, but for when and how often tokens were used, and who read an address."""
        which = {"activity_log": "WHERE act <> 'address_read'"}
        with self.village.app.database.engine.connect() as connection:
            tables = sorted(inspect(connection).get_table_names())
            return "\n".join(
                f"{table}: {sorted(map(str, connection.exec_driver_sql(f'SELECT * FROM {table} {which.get(table, str())}')))}"
                for table in tables
                if table not in ("api_tokens", "request_rates")
            )


@pytest.fixture
def town(database_url: str, tmp_path: Path) -> Iterator[Town]:
    with open_village(database_url, tmp_path, "2026-12-01 08:00", two_way_sms=True) as village:
        daughter = village.member("娘", "musume@example.jp")
        village.member("息子", "musuko@example.jp", Role.EDITOR)
        village.person("母", phone="090-0000-0001")
        village.contact("母", ChannelName.SMS, "090-0000-0002", consent=False)
        village.card("母", date(2027, 3, 31))
        village.own_kind("会員証")
        owners = program(village, token_of(village, daughter))
        program(village, token_of(village, daughter)).ask("POST", "/imports", SHEET, {"content-type": "text/csv"})
        village.group(name="他人家")
        strangers = program(village, token_of(village, village.member("他人", "tanin@example.jp")))
        yield Town(village, owners, strangers)


MOTHERS = {"person_id": 1, "contact_id": 4, "card_id": 1, "import_id": 1, "kind_id": 1}


@pytest.mark.parametrize("contact", [1, 4], ids=["of a member", "of a person"])
def test_what_is_another_groups_is_not_found_and_nothing_happens_to_it(
    town: Town, contact: int, caplog: pytest.LogCaptureFixture
) -> None:
    before = town.rows()

    for operation in WITH_AN_ID:
        found = town.call(operation, town.strangers, {**MOTHERS, "contact_id": contact})

        assert found == (404, "not_found"), operation.id
        assert town.rows() == before, operation.id
        assert "access refused (not_found): program " in caplog.messages[-1], operation.id


@pytest.mark.parametrize(
    ("method", "path", "given"),
    [
        ("POST", "/plans", {"person_id": 1, "kind": "mynumber_card", "expires": "2031-03-31"}),
        ("GET", "/messages?person=1", None),
    ],
)
def test_an_id_of_another_group_is_not_found_where_it_is_not_in_the_path_either(
    town: Town, method: str, path: str, given: object
) -> None:
    assert town.owners.ask(method, path, given).status == 200

    assert town.strangers.ask(method, path, given).status == 404


def test_nobody_of_another_group_takes_a_card_on(town: Town) -> None:
    """Contact 5 is the stranger's own."""
    assert town.owners.post("/cards/1/assign", {"contact_id": 5}).status == 404
    assert town.owners.post("/cards/1/assign", {"contact_id": 1}).status == 200


def test_a_list_holds_nothing_of_another_group(town: Town) -> None:
    town.village.stop(3)
    for path in ("/people", "/messages"):
        assert town.owners.get(path).json["items"]

        assert town.strangers.get(path).json["items"] == []
    assert [one["id"] for one in town.strangers.get("/group").json["members"]] == [3]
    assert {one["member_id"] for one in town.strangers.get("/activity").json["items"]} == {None, 3}


def test_a_token_that_reads_changes_nothing(town: Town) -> None:
    reads = program(town.village, token_of(town.village, 1, [Scope.READ]))
    before = town.rows()

    for operation in WRITES:
        assert town.call(operation, reads, MOTHERS) == (403, "scope_too_small"), operation.id
        assert town.rows() == before, operation.id


def test_a_token_that_writes_does_everything_but_what_only_an_owner_may(town: Town) -> None:
    writes = program(town.village, token_of(town.village, 2, [Scope.WRITE], Role.EDITOR))

    for operation in OPERATIONS:
        # What one has changed may leave the next nothing to do; that it may not do it, is said before that is seen.
        answered = town.call(operation, writes, MOTHERS)

        if operation.id in OWNERS_ONLY:
            assert answered == (403, "scope_too_small"), operation.id
        else:
            assert answered[0] != 403, operation.id


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.id)
def test_the_example_of_every_operation_is_taken_from_an_owner(town: Town, operation: Described) -> None:
    status, code = town.call(operation, town.owners, MOTHERS)

    # These are there already.
    taken = {"add_card": (409, "card_known"), "plan_card": (409, "card_known"), "add_contact": (409, "contact_known"),
             "save_sheet": (409, "import_state")}  # fmt: skip
    assert (status, code) == taken.get(operation.id, (status if 200 <= status < 300 else 0, ""))


def test_a_token_of_somebody_who_became_a_viewer_only_reads(town: Town) -> None:
    app = town.village.app
    with app.units.writing(town.village.now) as uow:
        membership.set_role(uow, who=actor(town.village, 1), member_id=2, role=Role.OWNER)
    theirs = program(town.village, token_of(town.village, 2))
    with app.units.writing(town.village.now) as uow:
        membership.set_role(uow, who=actor(town.village, 1), member_id=2, role=Role.VIEWER)
    before = town.rows()

    assert theirs.get("/people").status == 200
    for operation in WRITES:
        assert town.call(operation, theirs, MOTHERS) == (403, "role_too_small"), operation.id
        assert town.rows() == before, operation.id


def test_a_token_ends_with_its_maker(town: Town) -> None:
    app = town.village.app
    theirs = program(town.village, token_of(town.village, 2, [Scope.WRITE], Role.EDITOR))
    assert theirs.get("/people").status == 200

    with app.units.writing(town.village.now) as uow:
        membership.remove(uow, who=actor(town.village, 1), member_id=2)

    assert theirs.get("/people").status == 401


def test_without_a_token_nothing_is_answered_and_the_way_to_show_one_is(town: Town) -> None:
    for operation in OPERATIONS:
        answer = program(town.village, None).ask(operation.method, operation.at(**MOTHERS), b'{"not": json')

        assert (answer.status, answer.json["code"]) == (401, "token_needed"), operation.id
        assert answer.headers["www-authenticate"] == 'Bearer realm="kigen"'
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "shown",
    ["Bearer kigen_nothing", "Bearer x", "Basic a2lnZW46", "Bearer", "Bearer ", "kigen_nothing", "Bearer kigen_\u00e9"],
)
def test_what_nobody_has_made_opens_nothing(town: Town, shown: str) -> None:
    answer = program(town.village, None).get("/people", {"authorization": shown})

    assert answer.status == 401
    assert "nothing" not in answer.everything


def test_a_revoked_token_opens_nothing(town: Town) -> None:
    with town.village.app.writing() as uow:
        api_tokens.revoke_token(uow, who=actor(town.village, 1), token_id=1)

    answer = town.owners.get("/people")

    assert (answer.status, answer.json["code"]) == (401, "token_wrong")
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


def test_somebody_who_is_signed_in_with_a_browser_is_not_let_in(town: Town) -> None:
    browser = Browser(town.village)
    browser.sign_in("musume@example.jp")
    assert browser.cookies

    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    assert browser.visitor.get(f"{API}/people", {"cookie": cookie}).status == 401


def test_an_operation_that_names_no_right_cannot_be_made() -> None:
    part = APIRouter(route_class=Operation)

    with pytest.raises(TypeError, match="/open: name the one right"):
        part.get("/open")(lambda: {})


def test_every_operation_of_the_router_is_in_the_document() -> None:
    rules = {route.operation_id: route.rule.right for part in router.routes for route in operations_below(part)}

    assert rules.keys() == {one.id for one in OPERATIONS}
    assert {name for name, right in rules.items() if right is Right.OWN} == OWNERS_ONLY
    # What stands in a sheet is seen by who may send one in.
    of_sheets = {"list_imports", "get_import", "list_rows", "get_not_taken"}
    changes = {one.id for one in WRITES} - OWNERS_ONLY | of_sheets
    assert {name for name, right in rules.items() if right is Right.CHANGE} == changes


def operations_below(part: object) -> list[Operation]:
    inner = getattr(part, "original_router", None)
    below = [] if inner is None else inner.routes
    return [part] if isinstance(part, Operation) else [found for one in below for found in operations_below(one)]


def test_that_a_token_is_used_is_written_once_an_hour(town: Town) -> None:
    def used() -> object:
        with town.village.app.reading() as uow:
            return api_tokens.tokens_of(uow, actor(town.village, 1))[0].used_at

    start = town.village.now
    town.owners.get("/people")
    town.village.clock.move_to(start + timedelta(minutes=59))
    town.owners.get("/people")
    assert used() == start

    town.village.clock.move_to(start + timedelta(hours=1))
    town.owners.get("/people")

    assert used() == start + timedelta(hours=1)
