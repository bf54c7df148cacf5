"""config/cards.toml: what is said of each kind, and how a mistake in it is told."""

import tomllib
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from reminder.domain.model.card_kinds import Confidence, OpensDaysBefore, read_kinds
from reminder.errors import SettingsError

SHIPPED = Path(__file__).parents[3] / "config" / "cards.toml"


def shipped() -> dict[str, dict[str, object]]:
    return tomllib.loads(SHIPPED.read_text(encoding="utf-8"))


def test_the_card_and_its_two_certificates_come_first_and_in_this_order():
    kinds = read_kinds(shipped())

    assert list(kinds)[:3] == ["mynumber_card", "mynumber_user_certificate", "mynumber_signature_certificate"]


def test_every_dated_card_of_a_family_s_drawer_is_in_the_catalogue():
    everything = """
        smartphone_certificate mynumber_licence shikaku_kakuninsho_employer shikaku_kakuninsho_national
        shikaku_kakuninsho_75plus residence_card residence_card_permanent special_permanent_certificate
        driving_licence licence_senior_course licence_senior_test passport care_certification care_burden_ratio
        care_burden_limit high_cost_limit disability_handbook rehabilitation_handbook mental_health_handbook
        jiritsu_iryo intractable_disease disability_service silver_pass other
    """

    assert list(read_kinds(shipped()))[3:] == everything.split()


@pytest.mark.parametrize(
    ("kind", "field", "value", "why"),
    [
        ("mynumber_card", "schedule", "slow", "a new card takes a month or two"),
        ("mynumber_user_certificate", "schedule", "renewal", "a certificate is renewed the same day"),
        ("mynumber_user_certificate", "grace", "health_insurance", "three months more at hospitals"),
        ("mynumber_card", "grace", "health_insurance_unconfirmed", "no source says whether the card itself has it"),
        ("mynumber_signature_certificate", "grace", "none", "hospitals never read it"),
        ("mynumber_signature_certificate", "told_to_elders", False, "only tax returns on the net need it"),
        ("shikaku_kakuninsho_75plus", "comes_by_itself", True, "nobody applies for it"),
        ("driving_licence", "proxy_may_go", False, "the holder's eyes are tested"),
        ("driving_licence", "moves_past_holidays", True, "the law says so"),
        ("care_certification", "replacement_days", 38, "36 to 40 days on average, as the ministry has measured"),
        ("mynumber_card", "first_act", "apply", "the new one is made for a month or two"),
        ("mynumber_user_certificate", "first_act", "go", "it is written at the counter"),
        ("shikaku_kakuninsho_national", "first_act", "wait", "the city sends it"),
        ("high_cost_limit", "first_act", "ask", "the insurer decides"),
        ("licence_senior_test", "first_act", "book", "places are booked out for months"),
        ("smartphone_certificate", "first_act", "set_up", "on the holder's own telephone"),
        ("mynumber_user_certificate", "moves_past_holidays", False, "the day is the day"),
    ],
)
def test_a_kind_says(kind, field, value, why):
    assert getattr(read_kinds(shipped())[kind], field) == value


def test_only_what_was_read_somewhere_is_called_verified():
    kinds = read_kinds(shipped()).values()

    assert [kind.key for kind in kinds if kind.confidence is Confidence.VERIFIED and not kind.source] == []


def test_a_new_kind_is_one_more_table_and_keeps_its_place():
    table = shipped()
    table["library_card"] = {**table["passport"], "opens": {"days": 30}}

    kinds = read_kinds(table)

    assert list(kinds)[-1] == "library_card"
    assert kinds["library_card"].opens == OpensDaysBefore(days=30)


@pytest.mark.parametrize(
    ("day", "adult_at", "why"),
    [
        (date(2022, 3, 31), 20, "the last day of the old law"),
        (date(2022, 4, 1), 18, "the first day of the new one"),
    ],
)
def test_a_rule_is_that_of_its_time(day, adult_at, why):
    assert read_kinds(shipped())["mynumber_card"].on(day).lasts.adult_at == adult_at


def test_a_change_to_come_is_entered_ahead_of_its_day():
    table = shipped()
    longer = {"from": date(2028, 10, 1), "lasts": {"birthdays": 10, "renewed_early": 11}}
    table["mynumber_user_certificate"]["versions"] = [longer]

    kind = read_kinds(table)["mynumber_user_certificate"]

    assert kind.on(date(2028, 9, 30)) == kind
    assert kind.on(date(2028, 10, 1)).lasts.birthdays == 10
    assert kind.on(date(2028, 10, 1)).opens == kind.opens


@pytest.mark.parametrize(
    ("version", "why"),
    [
        ({"grace": "none"}, "without a day it would always be in force"),
        ({"from": "2028-10-01"}, "a text is no date"),
        ("2028-10-01", "no table"),
    ],
)
def test_a_version_without_its_days_refuses_to_start(version, why):
    table = shipped()
    table["passport"]["versions"] = [version]

    with pytest.raises(SettingsError) as refused:
        read_kinds(table)

    assert refused.value.setting == "config/cards.toml: passport.versions"


def test_a_mistake_inside_a_version_is_named_like_any_other():
    table = shipped()
    table["passport"]["versions"] = [{"from": date(2028, 10, 1), "opens": {"months": 0}}]

    with pytest.raises(SettingsError) as refused:
        read_kinds(table)

    assert refused.value.setting == "config/cards.toml: passport.opens"


@pytest.mark.parametrize("field", sorted({*shipped()["passport"]} - {"versions"}))
def test_a_missing_field_is_named_with_what_to_write(field):
    table = shipped()
    del table["passport"][field]

    with pytest.raises(SettingsError) as refused:
        read_kinds(table)

    assert refused.value.setting == f"config/cards.toml: passport.{field}"
    assert refused.value.fix.startswith("add it: ")


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("opens", {"months": "3"}, "a text is no number"),
        ("opens", {"months": True}, "true is not one month"),
        ("opens", {"months": -1}, "renewal does not open after the end"),
        ("opens", {"months": 3, "days": 2}, "two rules at once"),
        ("opens", {"month": 2, "day": 30}, "a day that never comes"),
        ("opens", {"month": 2, "day": 29}, "a day that does not come every year"),
        ("lasts", {"weeks": 3}, "a rule that is none"),
        ("lasts", {"until": "07-31"}, "a text is no day of the year"),
        ("grace", "some", "not one of the words"),
        ("lead_time", {"days": 3.5, "basis": "stated"}, "days are whole"),
        ("lead_time", {"days": 3}, "nobody knows how well it is known"),
        ("lead_time", {"days": 3, "basis": "felt"}, "not one of the words"),
        ("done_at", "moon", "no place"),
        ("stages", ["asleep"], "no stage"),
        ("closes_with_counters", "yes", "a text is no yes"),
        ("sealed_form", None, "nothing is not a yes or no"),
        ("stand_in", {"apply": "cat"}, "no one"),
        ("stand_in", {"apply": "excused"}, "no reason is named"),
        ("stand_in", {"apply": "anybody", "papers": ["poem"]}, "no paper"),
        ("ends_use_of", ["flying"], "no use"),
        ("law", 3, "no name"),
        ("told_to_elders", None, "nothing is not a yes or no"),
        ("carried_by", "purse", "no kind of this file"),
        ("bound_by", "purse", "likewise"),
        ("offers", [{"kind": "purse", "ends": "same"}], "likewise"),
        ("offers", [{"kind": "passport", "ends": "sometime"}], "not one of the words"),
        ("texts", 3, "no word"),
        ("source", ["hearsay"], "not an address"),
        ("checked_on", "2026-11-23", "a text is no date"),
        ("checked_on", datetime(2026, 11, 23, tzinfo=UTC), "a moment is no date"),
        ("confidence", "certain", "not one of the words"),
        ("confidence", ["verified"], "a list of words"),
        ("number", "anything", "a field for a number must never exist"),
    ],
)
def test_a_wrong_or_unknown_field_refuses_to_start(field, value, why):
    table = shipped()
    table["mynumber_card"][field] = value

    with pytest.raises(SettingsError) as refused:
        read_kinds(table)

    assert refused.value.setting == f"config/cards.toml: mynumber_card.{field}"


@pytest.mark.parametrize(
    ("kind", "changed", "why"),
    [
        ("mynumber_card", {"sealed_form": True}, "no sealed form is among its papers"),
        ("mynumber_user_certificate", {"sealed_form": False}, "the sealed form is among its papers"),
        ("mynumber_card", {"stages": ["ready_to_collect", "applied"]}, "nothing is ready before it was applied for"),
        ("mynumber_card", {"stages": ["applied"]}, "nothing lies ready that somebody could collect"),
        ("driving_licence", {"closes_with_counters": True}, "licence centres are open on Sundays"),
        ("passport", {"done_at": "arrives_by_itself"}, "its texts ask for an application"),
        ("care_burden_ratio", {"done_at": "municipal_counter"}, "its texts say that it comes"),
    ],
)
def test_facts_that_contradict_each_other_refuse_to_start(kind, changed, why):
    table = shipped()
    table[kind].update(changed)

    with pytest.raises(SettingsError) as refused:
        read_kinds(table)

    assert refused.value.setting == f"config/cards.toml: {kind}", why
    assert refused.value.fix.startswith("its facts contradict each other: ")


def test_only_the_certificates_are_renewed_by_a_proxy_with_the_sealed_form():
    sealed = [kind.key for kind in read_kinds(shipped()).values() if kind.sealed_form]

    assert sealed == ["mynumber_user_certificate", "mynumber_signature_certificate"]


@pytest.mark.parametrize("table", [{}, {"mynumber_card": "soon"}])
def test_a_file_without_tables_refuses_to_start(table):
    with pytest.raises(SettingsError):
        read_kinds(table)


def test_the_rules_say_when_they_were_checked():
    assert all(kind.checked_on >= date(2026, 11, 23) for kind in read_kinds(shipped()).values())
