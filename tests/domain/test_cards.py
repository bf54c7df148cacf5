"""config/cards.toml: what is said of each kind, and how a mistake in it is told."""

import tomllib
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from reminder.domain.cards import read_kinds
from reminder.domain.people import Language
from reminder.errors import SettingsError

SHIPPED = Path(__file__).parents[2] / "config" / "cards.toml"


def shipped() -> dict[str, dict[str, object]]:
    return tomllib.loads(SHIPPED.read_text(encoding="utf-8"))


def test_the_card_and_its_two_certificates_come_first_and_in_this_order():
    kinds = read_kinds(shipped())

    assert list(kinds)[:3] == ["mynumber_card", "mynumber_user_certificate", "mynumber_signature_certificate"]


def test_every_kind_has_a_name_and_a_place_for_its_date_in_every_language():
    for kind in read_kinds(shipped()).values():
        assert set(kind.names) == set(Language)
        assert set(kind.date_stands) == set(Language)


@pytest.mark.parametrize(
    ("kind", "field", "value", "why"),
    [
        ("mynumber_card", "is_slow", True, "a new card takes a month or two"),
        ("mynumber_user_certificate", "is_slow", False, "a certificate is renewed the same day"),
        ("mynumber_user_certificate", "health_grace", True, "three months more at hospitals"),
        ("mynumber_user_certificate", "grace_unconfirmed", False, "the ministry says so"),
        ("mynumber_card", "grace_unconfirmed", True, "no source says whether the card itself has the grace"),
        ("mynumber_signature_certificate", "health_grace", False, "hospitals never read it"),
        ("mynumber_signature_certificate", "told_to_elders", False, "only tax returns on the net need it"),
    ],
)
def test_a_kind_says(kind, field, value, why):
    assert getattr(read_kinds(shipped())[kind], field) is value


def test_a_new_kind_is_one_more_table_and_keeps_its_place():
    table = shipped()
    table["passport"] = {**table["mynumber_card"], "opens_months_before": 12, "health_grace": False}

    kinds = read_kinds(table)

    assert list(kinds)[-1] == "passport"
    assert kinds["passport"].opens_months_before == 12


@pytest.mark.parametrize("field", sorted(shipped()["mynumber_card"]))
def test_a_missing_field_is_named_with_what_to_write(field):
    table = shipped()
    del table["mynumber_card"][field]

    with pytest.raises(SettingsError) as refused:
        read_kinds(table)

    assert refused.value.setting == f"config/cards.toml: mynumber_card.{field}"
    assert refused.value.fix.startswith("add it: ")


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("opens_months_before", "3", "a text is no number"),
        ("opens_months_before", True, "true is not one month"),
        ("opens_months_before", -1, "renewal does not open after the end"),
        ("health_grace", 1, "1 is not a yes"),
        ("grace_unconfirmed", "no", "a word is not a yes or no"),
        ("replacement_days", 3.5, "days are whole"),
        ("told_to_elders", None, "nothing is not a yes or no"),
        ("names", {"ja": "カード"}, "two languages are missing"),
        ("names", {"ja": "カード", "ja-easy": "", "en": "card"}, "an empty name"),
        ("date_stands", "表", "a text instead of a table"),
        ("source", [], "a rule without a source"),
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


@pytest.mark.parametrize("table", [{}, {"mynumber_card": "soon"}])
def test_a_file_without_tables_refuses_to_start(table):
    with pytest.raises(SettingsError):
        read_kinds(table)


def test_the_rules_say_when_they_were_checked():
    assert all(kind.checked_on >= date(2026, 11, 23) for kind in read_kinds(shipped()).values())
