"""The law's arithmetic: the worked cases of tests/data/expiry_cases.csv and the traps around them."""

import csv
from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reminder.domain import validity
from reminder.domain.validity import work_out
from reminder.errors import RefusedInputError, UnknownChoiceError

CASES = Path(__file__).parents[1] / "data" / "expiry_cases.csv"
CARD, USER, SIGNATURE = validity.COMPUTED_KINDS

# The one case whose application was received earlier than its card was made says so only in its text.
RECEIVED = {"mynumber_applied_under_age": date(2025, 6, 25)}


def cases(*kinds: str) -> list:
    with CASES.open(encoding="utf-8", newline="") as file:
        return [pytest.param(row, id=row["why"]) for row in csv.DictReader(file) if row["kind"].startswith(kinds)]


def day(cell: str) -> date | None:
    return date.fromisoformat(cell) if cell else None


@pytest.mark.parametrize("row", [case for case in cases("mynumber") if case.values[0]["issued_on"]])
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
    assert validity.special_period_ends_on(day(row["residence_expiry"])) == day(row["expected_card_expiry"])


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
def test_a_known_end_date_gives_the_window_and_the_grace(row):
    end = day(row["expected_certificate_expiry"])

    assert validity.opens_on(end) == day(row["renewal_opens_on"])
    assert validity.grace_ends_on(end) == day(row["health_grace_ends_on"])


def test_every_row_of_the_table_is_worked_by_a_test_here():
    worked = cases("mynumber", "certificate_renewal", "signature_certificate", "certificate_known")

    assert len(worked) == len(cases(""))


@pytest.mark.parametrize(
    ("end", "grace", "why"),
    [
        ("2026-04-30", "2026-07-31", "the month's end, not the same day"),
        ("2027-02-28", "2027-05-31", "the month's end, not the same day"),
        ("2027-11-01", "2028-02-29", "into a leap February"),
        ("2026-11-30", "2027-02-28", "into a common February"),
        ("2026-12-31", "2027-03-31", "over the new year"),
        ("2026-11-10", "2027-02-28", "a society says 02-10; the ministry's wording wins"),
    ],
)
def test_the_grace_ends_with_the_third_month(end, grace, why):
    assert validity.grace_ends_on(date.fromisoformat(end)) == date.fromisoformat(grace)


@pytest.mark.parametrize(
    ("end", "opens", "why"),
    [
        ("2023-11-20", "2023-08-21", "Ibaraki City's example"),
        ("2026-11-30", "2026-09-01", "31 August would be refused by a strict counter"),
        ("2027-02-28", "2026-12-01", "29 November would be refused"),
        ("2026-05-31", "2026-03-01", "three months before is no day"),
        ("2026-05-30", "2026-03-01", "28 February is one reading; the later wins"),
        ("2028-05-29", "2028-03-01", "a leap February"),
    ],
)
def test_renewal_opens_the_day_after_three_months_before(end, opens, why):
    assert validity.opens_on(date.fromisoformat(end)) == date.fromisoformat(opens)


@given(st.dates(date(2016, 1, 1), date(2100, 1, 1)), st.integers(1, 12))
def test_renewal_opens_when_strictly_less_is_left_and_never_sooner(end, months):
    opens = validity.opens_on(end, months)

    assert validity.plus_months(end, -months) < opens <= end
    assert opens - timedelta(days=5) < validity.plus_months(end, -months) + timedelta(days=1)


@given(st.dates(date(2016, 1, 1), date(2090, 1, 1)), st.dates(date(1920, 1, 1), date(2015, 12, 31)), st.integers(1, 10))
def test_the_nth_birthday_is_a_birthday_and_counts_from_the_next_day(issued, born, n):
    nth = validity.nth_birthday_after(issued, born, n)

    assert nth == validity.birthday(born, nth.year)
    assert n - 1 <= (nth - issued).days / 365 <= n + 0.1
    assert nth > issued


@pytest.mark.parametrize(
    ("issued", "received", "years", "why"),
    [
        ("2026-07-01", None, 10, "on the 18th birthday"),
        ("2026-06-30", None, 5, "the day before it"),
        ("2026-07-10", "2026-06-20", 5, "applied at 17, made at 18"),
        ("2022-04-01", "2022-03-31", 5, "received under the old law"),
    ],
)
def test_who_was_a_minor_when_the_application_came_gets_five_years(issued, received, years, why):
    born = date(2008, 7, 1) if issued > "2023" else date(2003, 1, 1)

    end = validity.card_expires_on(day(issued), born, day(received or ""))

    assert end == validity.nth_birthday_after(day(issued), born, years)


@pytest.mark.parametrize(
    ("issued", "end", "why"),
    [
        ("2026-08-15", "2031-11-14", "the first day of the window"),
        ("2026-08-14", "2030-11-14", "a day too early: the 5th birthday"),
        ("2026-11-13", "2031-11-14", "the last day but one"),
        ("2026-11-14", "2031-11-14", "the last day: the birthday of that day is not counted, the 5th is enough"),
        ("2026-11-15", "2031-11-14", "after the end: the 5th birthday"),
    ],
)
def test_the_edges_of_early_renewal(issued, end, why):
    born, old_end = date(1985, 11, 14), date(2026, 11, 14)

    found = validity.certificate_expires_on(day(issued), born, replaces=old_end)

    assert found == day(end)


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
        ({"card_expires_on": date(2024, 6, 9)}, "card_expires_on", "issued on a card that had ended"),
    ],
)
def test_dates_that_contradict_each_other_are_refused(given_dates, field, why):
    with pytest.raises(RefusedInputError) as refused:
        work_out(USER, **{"issued": date(2024, 6, 10), "born": date(1960, 1, 1), **given_dates})

    assert (refused.value.code, refused.value.field) == ("dates_contradict", field)


def test_a_kind_whose_rule_is_not_known_is_refused_with_those_that_are():
    with pytest.raises(UnknownChoiceError) as refused:
        work_out("passport", issued=date(2024, 6, 10), born=date(1960, 1, 1))

    assert refused.value.choices == validity.COMPUTED_KINDS


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
