"""From what somebody knows of a card to its dates: every worked case of tests/data/expiry_cases.csv, and what is refused."""

import csv
import tomllib
from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reminder.domain.model.card_kinds import MY_NUMBER, OnlyTheCardSays, read_kinds
from reminder.domain.rules import validity
from reminder.domain.rules.expiry import Expiry, KnownDates, check_plausibility, first_certificate_ends_on
from reminder.domain.rules.expiry import work_out as by_the_rules
from reminder.errors import NeedsConfirmationError, RefusedInputError, UnknownChoiceError

ROOT = Path(__file__).parents[3]
KINDS = read_kinds(tomllib.loads((ROOT / "config" / "cards.toml").read_text(encoding="utf-8")))
CASES = ROOT / "tests" / "data" / "expiry_cases.csv"
CARD, USER, SIGNATURE = MY_NUMBER

# The one case whose application was received earlier than its card was made says so only in its text.
RECEIVED = {"mynumber_applied_under_age": date(2025, 6, 25)}


def work_out(kind: str, **known: object) -> Expiry:
    return by_the_rules(KINDS, kind, KnownDates(**known))


def rows(*kinds: str) -> list:
    with CASES.open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    return [row for row in found if not kinds or row["kind"].startswith(kinds)]


def cases(*kinds: str) -> list:
    return [pytest.param(row, id=f"{row['kind']}: {row['why']}") for row in rows(*kinds)]


def day(cell: str) -> date | None:
    return date.fromisoformat(cell) if cell else None


OF_MY_NUMBER = [case for case in cases("mynumber") if case.values[0]["issued_on"]]
OF_OTHERS = [case for case in cases() if case.values[0]["kind"] in set(KINDS) - set(MY_NUMBER)]


@pytest.mark.parametrize("row", OF_MY_NUMBER)
def test_a_card_and_its_certificates_end(row):
    found = work_out(
        CARD,
        issued=day(row["issued_on"]),
        born=day(row["born_on"]),
        received=RECEIVED.get(row["kind"]),
        residence_until=day(row["residence_expiry"]),
    )

    assert found.card_expires_on == day(row["expected_card_expiry"])
    assert found.certificate_expires_on == day(row["expected_certificate_expiry"])
    assert found.opens_on == day(row["renewal_opens_on"])
    if row["health_grace_ends_on"]:
        assert found.grace_ends_on == day(row["health_grace_ends_on"])
    else:
        # The table leaves it empty where the certificate ends with its card.
        assert found.grace_unconfirmed


@pytest.mark.parametrize("row", cases("mynumber_foreign_special_period"))
def test_the_special_period_adds_two_months(row):
    found = work_out(CARD, residence_until=day(row["residence_expiry"]), special_period=True)

    assert found.card_expires_on == day(row["expected_card_expiry"])
    assert found.certificate_expires_on == day(row["expected_certificate_expiry"])
    assert (found.opens_on, found.grace_ends_on) == (None, None)


@pytest.mark.parametrize("row", cases("certificate_renewal"))
def test_a_certificate_renewed_in_its_last_three_months_loses_no_time(row):
    card_end = day(row["expected_card_expiry"])

    found = work_out(USER, issued=day(row["issued_on"]), born=day(row["born_on"]), card_expires_on=card_end)

    assert found.certificate_expires_on == day(row["expected_certificate_expiry"])
    assert found.opens_on == day(row["renewal_opens_on"])
    assert found.grace_ends_on == day(row["health_grace_ends_on"])


@pytest.mark.parametrize("row", cases("certificate_renewal"))
def test_the_old_certificate_s_date_gives_the_same_without_the_card_s(row):
    old_end = day(row["expected_card_expiry"]).replace(year=day(row["expected_card_expiry"]).year - 5)

    found = work_out(USER, issued=day(row["issued_on"]), born=day(row["born_on"]), replaces=old_end)

    assert found.certificate_expires_on == day(row["expected_certificate_expiry"])


@pytest.mark.parametrize("row", cases("signature_certificate"))
def test_a_signature_certificate_ends_with_the_user_certificate_and_has_no_grace(row):
    card_end = day(row["expected_card_expiry"])

    found = work_out(
        SIGNATURE,
        issued=day(row["issued_on"]),
        born=day(row["born_on"]),
        card_expires_on=card_end,
        user_certificate_expires_on=card_end.replace(year=card_end.year - 5),
    )

    assert found.certificate_expires_on == day(row["expected_certificate_expiry"])
    assert found.opens_on == day(row["renewal_opens_on"])
    assert found.grace_ends_on is None


@pytest.mark.parametrize("row", cases("certificate_known"))
def test_a_date_that_was_read_gives_the_window_and_the_grace(row):
    found = work_out(USER, expires_on=day(row["expected_certificate_expiry"]))

    assert found.certificate_expires_on == day(row["expected_certificate_expiry"])
    assert found.opens_on == day(row["renewal_opens_on"])
    assert found.grace_ends_on == day(row["health_grace_ends_on"])


@pytest.mark.parametrize("row", OF_OTHERS)
def test_every_other_kind_ends_and_opens(row):
    end = day(row["expected_card_expiry"])
    kind = KINDS[row["kind"]]
    is_worked_out = row["issued_on"] and not isinstance(kind.on(day(row["issued_on"])).lasts, OnlyTheCardSays)

    found = work_out(
        row["kind"],
        issued=day(row["issued_on"]),
        born=day(row["born_on"]),
        expires_on=None if is_worked_out else end,
    )

    assert found.card_expires_on == end
    assert found.opens_on == day(row["renewal_opens_on"])
    assert (found.certificate_expires_on, found.grace_ends_on) == (None, None)


@pytest.mark.parametrize("row", cases("driving_licence", "licence_senior"))
def test_a_licence_s_end_also_follows_from_its_last_renewal(row):
    born, end = day(row["born_on"]), day(row["expected_card_expiry"])
    at_end = validity.age(born, end)
    renewed_on = validity.birthday(born, end.year - (3 if at_end >= 74 else 5))

    found = work_out(row["kind"], issued=renewed_on, born=born)

    assert found.card_expires_on == end
    assert found.opens_on == day(row["renewal_opens_on"])


def test_every_row_of_the_table_is_worked_by_a_test_here():
    special = cases("mynumber_foreign_special_period", "certificate_renewal", "signature_cert", "certificate_known")

    assert len(OF_MY_NUMBER) + len(special) + len(OF_OTHERS) == len(rows())


def test_a_certificate_never_outlives_its_card():
    found = work_out(USER, issued=date(2029, 1, 10), born=date(1985, 11, 14), card_expires_on=date(2031, 11, 14))

    assert found.certificate_expires_on == date(2031, 11, 14)


def test_a_certificate_issued_shortly_before_a_birthday_may_last_a_year_longer_and_the_earlier_date_is_given():
    found = work_out(USER, issued=date(2026, 9, 1), born=date(1985, 11, 14))

    assert found.certificate_expires_on == date(2030, 11, 14)
    assert found.if_renewed_early == date(2031, 11, 14)


def test_a_certificate_issued_long_before_a_birthday_has_one_date_only():
    assert work_out(USER, issued=date(2026, 3, 1), born=date(1985, 11, 14)).if_renewed_early is None


def test_what_ends_with_the_residence_period_has_no_window_and_no_grace():
    found = work_out(CARD, issued=date(2026, 4, 1), born=date(1990, 3, 3), residence_until=date(2027, 6, 30))

    assert found.card_expires_on == found.certificate_expires_on == date(2027, 6, 30)
    assert found.opens_on is None
    assert found.grace_ends_on is None
    assert found.last_counter_day == date(2027, 6, 30)


def test_the_last_counter_day_is_the_friday_before_a_holiday():
    found = work_out(CARD, issued=date(2022, 1, 5), born=date(1960, 11, 23))

    assert found.certificate_expires_on == date(2026, 11, 23)
    assert found.last_counter_day == date(2026, 11, 20)


@pytest.mark.parametrize(
    ("today", "flag", "why"),
    [
        ("2026-11-14", False, "its last day"),
        ("2026-11-15", True, "its holder may have renewed it"),
        ("2031-11-14", True, "the card still lives"),
        ("2031-11-15", False, "the card has ended too"),
    ],
)
def test_a_first_certificate_that_is_past_may_already_be_renewed(today, flag, why):
    found = work_out(CARD, issued=date(2021, 11, 20), born=date(1985, 11, 14), today=day(today))

    assert found.may_already_be_renewed is flag


def test_the_grace_of_a_certificate_that_ends_with_its_card_is_marked_unconfirmed():
    child = work_out(CARD, issued=date(2024, 6, 10), born=date(2018, 6, 1))
    adult = work_out(CARD, issued=date(2024, 6, 10), born=date(1960, 6, 1))

    assert child.grace_unconfirmed
    assert not adult.grace_unconfirmed


def test_without_a_birth_date_it_is_asked_for():
    with pytest.raises(RefusedInputError) as refused:
        work_out(CARD, issued=date(2024, 6, 10))

    assert (refused.value.code, refused.value.field) == ("birth_date_needed", "born")


@pytest.mark.parametrize(
    ("given_dates", "field", "why"),
    [
        ({"born": date(2024, 6, 11)}, "born", "born after the card was made"),
        ({"received": date(2024, 6, 11)}, "received", "applied for after it was made"),
        ({"born": date(2024, 6, 5), "received": date(2024, 6, 1)}, "born", "born after the application"),
        ({"today": date(2024, 6, 9)}, "issued", "made tomorrow"),
        ({"issued": date(2015, 12, 31)}, "issued", "there were no cards yet"),
        ({"residence_until": date(2024, 6, 9)}, "residence_until", "no card is made for who may not stay"),
        ({"card_expires_on": date(2024, 6, 9)}, "card_expires", "issued on a card that had ended"),
        ({"expires_on": date(2024, 6, 9)}, "expires", "it ended before it was made"),
    ],
)
def test_dates_that_contradict_each_other_are_refused(given_dates, field, why):
    with pytest.raises(RefusedInputError) as refused:
        work_out(USER, **{"issued": date(2024, 6, 10), "born": date(1960, 1, 1), **given_dates})

    assert (refused.value.code, refused.value.field) == ("dates_contradict", field)


def test_a_kind_that_is_not_known_is_refused_with_those_that_are():
    with pytest.raises(UnknownChoiceError) as refused:
        work_out("library_card", issued=date(2024, 6, 10), born=date(1960, 1, 1))

    assert refused.value.choices == tuple(KINDS)


def test_what_only_the_card_says_is_not_worked_out():
    with pytest.raises(RefusedInputError) as refused:
        work_out("care_certification", issued=date(2024, 6, 10))

    assert refused.value.code == "only_the_card_says"


@pytest.mark.parametrize(
    ("kind", "known", "code", "field"),
    [
        ("passport", {}, "issue_date_needed", "issued"),
        (CARD, {"born": date(1960, 1, 1)}, "issue_date_needed", "issued"),
        ("driving_licence", {"issued": date(2024, 6, 10)}, "birth_date_needed", "born"),
        (CARD, {"special_period": True}, "residence_needed", "residence_until"),
    ],
)
def test_what_is_missing_is_asked_for(kind, known, code, field):
    with pytest.raises(RefusedInputError) as refused:
        work_out(kind, **known)

    assert (refused.value.code, refused.value.field) == (code, field)


def test_a_permanent_resident_s_card_is_no_longer_worked_out_since_the_rule_changed():
    assert work_out("residence_card_permanent", issued=date(2026, 6, 13)).card_expires_on == date(2033, 6, 13)
    with pytest.raises(RefusedInputError):
        work_out("residence_card_permanent", issued=date(2026, 6, 14))


@pytest.mark.parametrize("age", [25, 26, 27])
def test_a_card_that_would_end_at_25_to_27_is_looked_at_twice(age):
    end = date(2030, 5, 10)

    with pytest.raises(NeedsConfirmationError) as doubt:
        work_out(CARD, expires_on=end, born=end.replace(year=end.year - age))

    assert (doubt.value.code, doubt.value.field) == ("age_impossible", "expires")


@pytest.mark.parametrize("age", [19, 22, 24, 28, 80])
def test_a_card_that_ends_at_another_age_is_believed(age):
    end = date(2030, 5, 10)

    assert work_out(CARD, expires_on=end, born=end.replace(year=end.year - age)).card_expires_on == end


@pytest.mark.parametrize(
    ("kind", "born", "end", "more", "why"),
    [
        (CARD, "1950-05-10", "2030-05-11", {}, "a day beside the birthday"),
        (USER, "1950-05-10", "2030-06-10", {}, "a month beside it"),
        ("driving_licence", "1950-06-17", "2027-07-19", {}, "neither the day nor the day it moves to"),
    ],
)
def test_an_end_that_follows_from_no_birthday_is_looked_at_twice(kind, born, end, more, why):
    with pytest.raises(NeedsConfirmationError) as doubt:
        check_plausibility(kind, KnownDates(expires_on=day(end), born=day(born), **more))

    assert doubt.value.code == "not_a_birthday"


@pytest.mark.parametrize(
    ("kind", "born", "end", "more", "why"),
    [
        (CARD, "1950-05-10", "2030-05-10", {}, "its birthday"),
        (CARD, "1948-02-29", "2033-02-28", {}, "a leap-day birthday read as 28 February"),
        (CARD, "1948-02-29", "2033-03-01", {}, "or as 1 March: no source settles it"),
        (CARD, "1990-05-10", "2027-09-30", {"residence_until": date(2027, 9, 30)}, "it ends with the stay"),
        (USER, "1950-05-10", "2027-09-30", {"card_expires_on": date(2027, 9, 30)}, "it ends with its card"),
        ("driving_licence", "1950-06-17", "2027-07-17", {}, "the day printed"),
        ("driving_licence", "1950-06-17", "2027-07-20", {}, "the day it moves to"),
        ("driving_licence", "1950-12-05", "2027-01-05", {}, "over the turn of the year"),
        ("passport", "1950-06-17", "2027-01-05", {}, "birthdays do not matter"),
    ],
)
def test_an_end_that_may_be_right_is_believed(kind, born, end, more, why):
    check_plausibility(kind, KnownDates(expires_on=day(end), born=day(born), **more))


def test_the_date_on_the_card_wins_and_the_other_is_mentioned():
    found = work_out(CARD, issued=date(2021, 11, 20), born=date(1985, 11, 14), expires_on=date(2030, 11, 14))

    assert found.card_expires_on == date(2030, 11, 14)
    assert found.worked_out == date(2031, 11, 14)


def test_a_card_s_end_alone_gives_the_first_certificate_s():
    assert work_out(CARD, expires_on=date(2031, 11, 14)).certificate_expires_on == date(2026, 11, 14)


@pytest.mark.parametrize(
    ("born", "first", "why"),
    [
        (None, date(2026, 11, 14), "the earlier of the two readings"),
        (date(1950, 11, 14), date(2026, 11, 14), "a grown-up's outlives it by five years"),
        (date(2012, 11, 14), date(2031, 11, 14), "a minor's ends with it"),
    ],
)
def test_the_first_certificate_of_a_card(born, first, why):
    assert first_certificate_ends_on(KINDS, date(2031, 11, 14), born) == first


def test_a_longer_certificate_of_a_coming_rule_reaches_everything_that_is_worked_out():
    longer = KINDS[USER].model_copy(update={"lasts": KINDS[USER].lasts.model_copy(update={"birthdays": 10})})
    kinds = {**KINDS, USER: longer}

    found = by_the_rules(kinds, CARD, KnownDates(issued=date(2028, 11, 20), born=date(1985, 11, 14)))

    assert found.certificate_expires_on == found.card_expires_on == date(2038, 11, 14)
    assert first_certificate_ends_on(kinds, date(2038, 11, 14)) == date(2038, 11, 14)


@given(
    issued=st.dates(date(2016, 1, 1), date(2060, 1, 1)),
    born=st.dates(date(1920, 1, 1), date(2015, 12, 31)),
    residence=st.none() | st.integers(0, 4000),
)
def test_no_certificate_outlives_its_card_nor_a_residence_period(issued, born, residence):
    until = issued + timedelta(days=residence) if residence is not None else None

    found = work_out(CARD, issued=issued, born=born, residence_until=until)

    assert found.last_counter_day <= found.certificate_expires_on <= found.card_expires_on
    assert until is None or found.card_expires_on <= until
    assert found.opens_on is None or found.opens_on < found.certificate_expires_on
    assert found.grace_ends_on is None or found.grace_ends_on > found.certificate_expires_on


def test_the_birth_date_is_not_in_what_comes_back():
    born = date(1977, 1, 2)

    found = work_out(CARD, issued=date(2024, 6, 10), born=born)

    assert born not in asdict(found).values()
