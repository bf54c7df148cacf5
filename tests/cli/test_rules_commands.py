"""The claims about the rules: each is shown by its cases, and the commands say which the data contradict."""

from datetime import date

import pytest

from reminder.cli.rule_claims import FRESH_FOR, changes_page, checked
from reminder.domain.model.card_kinds import Confidence
from reminder.domain.model.claims import Case, read_claims
from reminder.domain.rulebook import Rulebook
from reminder.errors import SettingsError
from reminder.settings import read_table
from reminder.wiring import read_claims_of_rules, read_rulebook, read_settings
from tests.cli.terminal import Terminal
from tests.rules import CONFIG, KINDS

CLAIMS = read_claims(read_table(CONFIG / "claims.toml"), KINDS)
VERIFIED = max(claim.verified for claim in CLAIMS.values())


@pytest.fixture(scope="module")
def rules() -> Rulebook:
    return read_rulebook(read_settings())


@pytest.mark.parametrize("key", sorted(CLAIMS))
def test_the_data_agree_with_every_claim_now_and_when_it_began(rules: Rulebook, key: str) -> None:
    claim = CLAIMS[key]
    for day in {VERIFIED, claim.since or VERIFIED, claim.until or VERIFIED}:
        (found,) = checked(rules, {key: claim}, day)

        assert found.failed == []


def test_no_claim_is_without_a_case_or_a_source() -> None:
    assert [claim.key for claim in CLAIMS.values() if not claim.cases or not claim.source] == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"known": {"expires_on": date(2023, 11, 20)}, "opens_on": date(2023, 8, 20)},
        {"known": {"expires_on": date(2027, 11, 30)}, "grace_ends_on": date(2028, 2, 28)},
        {"known": {"issued": date(2026, 9, 1)}, "ends_on": date(2031, 9, 1)},
        {"known": {"expires_on": date(2027, 11, 30)}, "asks": "only_the_card_says"},
        {"fact": "lead_time.days", "value": 30},
        {"fact": "no_such_field", "value": 30},
        {"words": "proxy", "contains": "行けません"},
        {"words": "no_such_word", "contains": "x"},
    ],
)
def test_a_case_that_the_data_contradict_fails_and_says_how(rules: Rulebook, wrong: dict[str, object]) -> None:
    claim = replace_cases(CLAIMS["certificate_opens"], Case.model_validate(wrong))

    (found,) = checked(rules, {"x": claim}, VERIFIED)

    assert found.is_wrong
    assert all(found.failed)


def replace_cases(claim, *cases: Case):
    return claim.model_copy(update={"cases": cases})


def test_a_claim_that_nobody_has_read_again_for_a_year_is_stale_and_one_without_a_case_weak(rules: Rulebook) -> None:
    claim = CLAIMS["certificate_opens"]
    fresh, later = claim.verified + FRESH_FOR, claim.verified.replace(year=claim.verified.year + 2)

    assert not checked(rules, {"x": claim}, fresh)[0].is_weak
    assert checked(rules, {"x": claim}, later)[0].is_stale
    assert checked(rules, {"x": replace_cases(claim)}, fresh)[0].is_weak


def test_the_commands_answer_and_fail_where_a_claim_is_old(reminder: Terminal) -> None:
    fine = reminder.run("rules", "check", "--strict", "--today", VERIFIED.isoformat(), "--json")
    old = reminder.run("rules", "check", "--strict", "--today", "2030-01-01")
    only_old = reminder.run("rules", "check", "--today", "2026-12-02")

    assert (fine.code, old.code, only_old.code) == (0, 1, 0)
    assert reminder.run("rules", "changes").out == changes_page(CLAIMS)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", "purse"), ("source", []), ("source", ["hearsay"]), ("verified", "today"), ("colour", "red"),
        ("cases", [{"fact": "law", "words": "proxy", "contains": "x"}]), ("cases", [{"known": {}}]), ("cases", [{}]),
        ("cases", [{"words": "proxy"}]),
    ],
)  # fmt: skip
def test_a_claim_that_is_none_is_named(field: str, value: object) -> None:
    table = {**read_table(CONFIG / "claims.toml")}
    table["certificate_opens"] = {**table["certificate_opens"], field: value}

    with pytest.raises(SettingsError) as refused:
        read_claims(table, KINDS)

    assert refused.value.setting.startswith("config/claims.toml: certificate_opens")


def test_a_change_that_is_dated_ahead_takes_effect_on_its_day_by_itself(rules: Rulebook) -> None:
    ahead = next(one for one in rules.kinds["passport"].versions if one.first == date(2026, 7, 1))

    assert rules.kinds["passport"].on(date(2026, 6, 30)).confidence is not Confidence.UNCONFIRMED
    assert rules.kinds["passport"].on(ahead.first).confidence is Confidence.UNCONFIRMED
    claim = CLAIMS["passport_five_years_of_adults"]
    assert checked(rules, {"x": claim}, date(2026, 6, 30))[0].is_ahead
    assert not checked(rules, {"x": claim}, date(2026, 7, 1))[0].is_ahead


def test_the_claims_are_read_from_the_folder_of_the_rules(rules: Rulebook) -> None:
    assert read_claims_of_rules(rules) == CLAIMS
