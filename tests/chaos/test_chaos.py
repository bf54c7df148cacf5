"""Workers are killed, the database dies, the provider does its worst: nothing is lost and nothing is told twice."""

import pytest

from tests import databases
from tests.chaos.account import Account
from tests.chaos.run import ALL_HAZARDS, Hazard, Outcome, Plan, run

# A lease of six minutes in eighteen seconds, a time-out of ten seconds in half a one: a busy machine still keeps it.
FACTOR = 20
SEED = 20270317


@pytest.fixture
def postgres_programs(postgres: databases.Server) -> None:
    """A run has servers of its own; where none can be started, it is skipped as every other."""
    return


def assert_right(outcome: Outcome) -> Account:
    assert outcome.settled, f"not settled after {outcome.took:.0f} s: {outcome}"
    wrong = [f"{kind}: {what}" for kind, some in outcome.account.wrong.items() for what in some]
    assert outcome.is_right, "\n".join([*wrong, str(outcome)])
    return outcome.account


@pytest.mark.usefixtures("postgres_programs")
def test_two_workers_that_are_killed_on_a_database_that_restarts_lose_and_double_nothing() -> None:
    plan = Plan(200, 2, FACTOR, SEED, kill_for=5, restarts=1)

    outcome = run(plan)

    told = assert_right(outcome)
    assert told.arrived + told.ended == plan.texts
    assert outcome.kills >= 3
    assert outcome.happened


@pytest.mark.usefixtures("postgres_programs")
def test_workers_go_on_with_the_standby_when_the_primary_is_killed_in_mid_run() -> None:
    plan = Plan(200, 2, FACTOR, SEED, kill_every=None, failover=True)

    outcome = run(plan)

    told = assert_right(outcome)
    assert told.arrived + told.ended == plan.texts
    assert outcome.happened
    assert outcome.ended_by_themselves == 0


def test_one_worker_on_sqlite_that_is_killed_again_and_again_loses_and_doubles_nothing() -> None:
    plan = Plan(152, 1, FACTOR, SEED, on_sqlite=True, kill_for=4)

    outcome = run(plan)

    told = assert_right(outcome)
    assert told.arrived + told.ended == plan.texts
    assert outcome.kills >= 2


@pytest.mark.usefixtures("postgres_programs")
def test_people_act_and_share_telephones_while_callbacks_are_lost_mail_hangs_and_the_clock_is_set() -> None:
    plan = Plan(
        120, 2, FACTOR, SEED, kill_every=2, kill_for=6, give_up_after=400, hazards=ALL_HAZARDS - {Hazard.RESTORE}
    )

    outcome = run(plan)

    told = assert_right(outcome)
    assert sum(told.acts.values()) == len(told.acts) * 2
    assert len(told.acts) == 5
    assert outcome.web_kills
    assert told.promises["open"] == 0


def test_what_a_back_up_did_not_have_is_asked_about_after_it_is_restored_elsewhere() -> None:
    plan = Plan(
        80, 1, FACTOR, SEED, on_sqlite=True, kill_every=None, give_up_after=400,
        hazards=frozenset({Hazard.RESTORE, Hazard.PEOPLE}),
    )  # fmt: skip

    outcome = run(plan)

    assert_right(outcome)
    assert [what.partition(" after ")[0] for what in outcome.happened] == [
        "a back-up is made",
        "it is restored elsewhere",
    ]
