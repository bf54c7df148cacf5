"""A service that many strangers attack at once tells every honest person of their cards, and the operator of the attack."""

import pytest

from tests import databases
from tests.chaos.attack import AttackPlan, run_attack

# Times are judged by `python -m tests.chaos --only attack`, on a machine that does nothing else.
PLAN = AttackPlan(texts=60, per_second=10, lasts=12, signing_in=3, give_up_after=150)


def assert_withstood(plan: AttackPlan) -> None:
    outcome = run_attack(plan)

    assert outcome.wrong(signing_in=plan.signing_in, asks_for_speed=False) == []
    assert outcome.told == plan.texts
    assert outcome.visits
    assert {"malformed", "forged_messages", "wrong_tokens"} <= outcome.counted.keys()


def test_an_attack_on_sqlite_costs_no_honest_person_a_text_or_their_page() -> None:
    assert_withstood(AttackPlan(**{**vars(PLAN), "on_sqlite": True}))


@pytest.mark.usefixtures("postgres_programs")
def test_an_attack_on_postgresql_costs_no_honest_person_a_text_or_their_page() -> None:
    assert_withstood(PLAN)


@pytest.fixture
def postgres_programs(postgres: databases.Server) -> None:
    """A run has a server of its own; where none can be started, it is skipped as every other."""
    return
