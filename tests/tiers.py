"""The two tiers of the tests: `make test` runs one every day, `make test-all` the rest, and `.ci/run` both.

A test is of the rest if it is slow by nature, or if it needs PostgreSQL and is of a package that is tested on one
database every day: there each statement is proved on both by tests/storage, and what runs at the same time by
tests/delivery and tests/worker.
"""

from collections.abc import Collection, Mapping
from enum import StrEnum

import pytest

# Real browsers, real processes that are killed or asked for long, years, what tries thousands of strangers' inputs, and
# what compares all of something with all of something else: packages, and files and tests of other packages.
SLOW = (
    "browser",
    "chaos",
    "checks",
    "cli/test_commands.py::test_a_reader_that_has_seen_enough_is_no_failure",
    "cli/test_commands.py::test_the_example_of_the_help_works_as_it_stands",
    "cli/test_moved_database.py",
    "cli/test_new.py",
    "cli/test_setup_code.py",
    "cli/test_simulate.py",
    "conversation/test_consent_ledger.py::test_a_number_that_was_erased_and_is_entered_again_is_not_written_to_before_its_owner_says_so",
    "conversation/test_senders.py::test_both_of_a_couple_are_meant_by_words_and_nobody_by_guessing",
    "conversation/test_whose_replies.py::test_each_group_hears_of_its_own_and_nothing_else",
    "delivery/test_channel_breakers.py::test_a_whole_day_of_any_outage_is_a_trouble_within_ten_minutes_and_fails_no_text",
    "delivery/test_codes_of_their_own.py::test_a_code_leaves_at_once_beside_ten_thousand_mails_that_were_due_before_it",
    "delivery/test_lease_manager.py::test_one_group_s_flood_waits_and_delays_nobody_else",
    "delivery/test_lease_manager.py::test_what_one_group_sends_to_an_address_takes_nothing_from_another_s",
    "domain/rules/test_schedule.py::test_on_a_group_s_own_days_gaps_never_grow_and_nothing_else_is_told_but_what_hangs_on_other_days",
    "domain/rules/test_schedule.py::test_the_same_holds_for_what_a_group_may_choose",
    "domain/text/test_audience.py",
    "domain/text/test_composer.py",
    "domain/text/test_letters.py::test_a_letter_of_every_kind_keeps_to_the_house_s_rules_at_every_stage",
    "domain/text/test_media_agree.py",
    "domain/text/test_nearness.py",
    "domain/text/test_safe_words.py::test_an_e_mail_about_an_act_holds_no_word_of_anybody_that_may_not_leave_us",
    "domain/text/test_safe_words.py::test_every_hostile_word_is_replaced_by_neutral_words_in_everything_that_we_write",
    "enrolment/imports/test_any_sheet.py",
    "enrolment/imports/test_bounded_reader.py",
    "enrolment/imports/test_heavy_workbooks.py",
    "enrolment/imports/test_reader.py::test_a_workbook_that_was_made_by_hand_is_read_or_refused_and_never_crashes",
    "enrolment/imports/test_service.py::test_no_digit_of_a_column_of_numbers_is_left_anywhere",
    "enrolment/test_free_words.py",
    "enrolment/test_preferences.py",
    "enrolment/test_standing.py::test_nobody_is_told_on_the_word_of_a_stranger",
    "guard/test_linear.py",
    "journeys/test_a_day_without_providers.py",
    "journeys/test_calls.py",
    "journeys/test_elders.py",
    "journeys/test_escalation.py::test_no_elder_gets_more_than_one_text_a_day_and_eight_a_month",
    "journeys/test_every_reason.py",
    "journeys/test_identity.py",
    "journeys/test_life_of_a_card.py::test_every_act_can_be_taken_back_within_a_day_and_the_schedule_goes_on_as_if_nothing_had_been_said",
    "journeys/test_life_of_a_person.py::test_about_who_has_died_nobody_is_told_anything_and_every_list_is_without_them",
    "journeys/test_nothing_leaks.py",
    "journeys/test_over_sockets.py",
    "journeys/test_promises.py",
    "journeys/test_references.py",
    "journeys/test_restored.py",
    "journeys/test_sheets_leave_no_number.py",
    "journeys/test_sheets_through_kills.py",
    "journeys/test_slow_clients.py",
    "journeys/test_stopping.py",
    "journeys/test_stories.py::test_what_fails_all_day_is_told_the_next_day_once",
    "journeys/test_two_primaries.py",
    "journeys/test_whole_village.py",
    "journeys/test_years.py",
    "museum",
    "planning/test_added_steps.py",
    "planning/test_forecast.py::test_what_the_forecast_shows_is_what_everybody_is_sent",
    "planning/test_preview.py::test_a_preview_shows_every_text_a_family_will_get_with_its_minute",
    "simulation/test_simulation.py::test_a_seed_lives_the_same_day_again_in_another_process",
    "simulation/test_simulation.py::test_a_seed_lives_the_same_day_on_postgresql",
    "simulation/test_simulation.py::test_nothing_is_wrong_on_the_days_of_five_hundred_seeds",
    "simulation/test_simulation.py::test_nothing_is_wrong_on_the_days_of_twenty_seeds_on_postgresql",
    "simulation/test_simulation.py::test_what_was_found_once_stays_mended",
    "simulation/test_taken_back.py",
    "storage/db/test_schema.py",
    "storage/outbox/test_every_move.py",
    "storage/test_every_function.py",
    "storage/test_no_scans.py",
    "test_bench.py",
    "test_strangers_bytes.py",
    "test_wheel.py",
    "upkeep/test_backup.py",
    "upkeep/test_daily_balance.py::test_what_cannot_leave_all_day_is_handed_to_humans_by_the_evening",
    "upkeep/test_installation_of_0009.py",
    "web/pages/test_card_life.py::test_a_page_offers_the_stages_that_its_kind_has_and_the_home_page_leads_there",
    "web/pages/test_large_groups.py",
    "web/test_api_contract.py",
    "web/test_api_docs.py",
    "web/test_api_rights.py",
    "web/test_app.py::test_no_random_letters_of_a_reference_or_a_token_are_taken_for_a_number",
    "web/test_calendar_ends.py",
    "web/test_codes_that_cannot_leave.py",
    "web/test_head.py",
    "web/test_logged_routes.py",
    "web/test_no_lockout.py",
    "web/test_passkey_ceremonies.py",
    "web/test_request_limits.py",
    "web/test_rights.py",
    "web/test_suspended.py",
    "web/test_unsigned_writes.py",
)
ON_ONE_DATABASE = (
    "cli",
    "conversation",
    "delivery/test_apply_receipts.py",
    "delivery/test_channel_breakers.py",
    "delivery/test_codes_of_their_own.py",
    "delivery/test_provider_lists.py",
    "delivery/test_sender.py",
    "enrolment",
    "journeys",
    "planning",
    "upkeep",
    "web",
    "worker/test_clock_steps.py",
)


# The tier of each test that was collected, by its name, also of those that then were left out.
TIERS = pytest.StashKey[dict[str, "Tier"]]()


class Tier(StrEnum):
    """When a test runs."""

    EVERYDAY = "everyday"
    REST = "rest"


def tier_of(test: str, fixtures: Collection[str] = (), parameters: Mapping[str, object] | None = None) -> Tier:
    """Return the tier of one test.

    `test` is its name as pytest writes it, relative to tests/. `fixtures`: the names of what it asks for. `parameters`:
    of those with several; `database_url` says which database a test has that has one of each.
    """
    if _is_of(SLOW, test):
        return Tier.REST
    needs_postgresql = "postgres" in fixtures or (parameters or {}).get("database_url") == "postgresql"
    return Tier.REST if needs_postgresql and _is_of(ON_ONE_DATABASE, test) else Tier.EVERYDAY


def _is_of(places: Collection[str], test: str) -> bool:
    """Return whether the test stands in one of these packages or files, or is one of these tests."""
    file, _, name = test.partition("::")
    return any(place in places for place in (file.partition("/")[0], file, f"{file}::{name.partition('[')[0]}"))
