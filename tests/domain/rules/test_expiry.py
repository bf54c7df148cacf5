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
from reminder.domain.rules.expiry import (
    Expiry,
    KnownDates,
    check_plausibility,
    first_certificate_ends_on,
    refuse_unused,
)
from reminder.domain.rules.expiry import work_out as by_the_rules
from reminder.errors import NeedsConfirmationError, RefusedInputError, UnknownChoiceError

ROOT = Path(__file__).parents[3]
KINDS = read_kinds(tomllib.loads((ROOT / "config" / "cards.toml").read_text(encoding="utf-8")))
CASES = ROOT / "tests" / "data" / "expiry_cases.csv"
CARD, USER, SIGNATURE = MY_NUMBER

# The one case whose application was received earlier than its card was made says so only in its text.
RECEIVED = {"mynumber_applied_under_age": date(2025, 6, 25)}


def received(row: dict[str, str]) -> date | None:
    """Return when an application was received; of a minor's card its day of issue stands for that day."""
    same = day(row["issued_on"]) if row["kind"] == "mynumber_minor" else None
    return RECEIVED.get(row["kind"], same)


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
        received=received(row),
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


def asks_for_received(**known: object) -> bool:
    """Whether the day of the application decides: around a birthday that counts."""
    try:
        work_out(CARD, **known)
    except RefusedInputError as refused:
        return refused.code == "received_date_needed"
    return False


@given(
    issued=st.dates(date(2016, 1, 1), date(2060, 1, 1)),
    born=st.dates(date(1920, 1, 1), date(2015, 12, 31)),
    residence=st.none() | st.integers(0, 4000),
)
def test_no_certificate_outlives_its_card_nor_a_residence_period(issued, born, residence):
    until = issued + timedelta(days=residence) if residence is not None else None

    known = {"issued": issued, "born": born, "residence_until": until}
    if asks_for_received(**known):
        known["received"] = issued

    found = work_out(CARD, **known)

    assert found.last_counter_day <= found.certificate_expires_on <= found.card_expires_on
    assert until is None or found.card_expires_on <= until
    assert found.opens_on is None or found.opens_on < found.certificate_expires_on
    assert found.grace_ends_on is None or found.grace_ends_on > found.certificate_expires_on


def test_the_birth_date_is_not_in_what_comes_back():
    born = date(1977, 1, 2)

    found = work_out(CARD, issued=date(2024, 6, 10), born=born)

    assert born not in asdict(found).values()


# Which date an issue date gives under which condition; None: it is asked. Each was a wrong date once, or a guess.
CONDITIONS = [
    ("driving_licence", {"issued": "2024-10-20", "born": "2000-11-14", "years": 3}, "2026-12-14",
     "a first licence in the month before a birthday: that birthday counts"),
    ("driving_licence", {"issued": "2024-10-20", "born": "2000-11-14", "is_first": True}, "2026-12-14", "the same, said"),
    ("driving_licence", {"issued": "2024-10-20", "born": "2000-11-14", "years": 3, "is_first": False}, "2027-12-14",
     "a renewal counts from the birthday that is to come"),
    ("driving_licence", {"issued": "2024-08-01", "born": "1980-06-17", "is_first": True}, "2027-07-20",
     "a first licence far from a birthday"),
    ("driving_licence", {"issued": "2024-11-14", "born": "2000-11-14", "is_first": True}, "2027-12-14",
     "on the birthday itself: it does not count"),
    ("care_burden_ratio", {"issued": "2026-07-15"}, "2027-07-31", "posted in July for August"),
    ("care_burden_ratio", {"issued": "2026-07-01"}, "2027-07-31", "likewise on the first of July"),
    ("care_burden_ratio", {"issued": "2026-06-30"}, "2026-07-31", "of the period that is about to end"),
    ("care_burden_ratio", {"issued": "2026-08-01"}, "2027-07-31", "on its first day"),
    ("shikaku_kakuninsho_75plus", {"issued": "2026-07-10"}, "2027-07-31", "posted in July for August"),
    ("silver_pass", {"issued": "2026-09-10"}, "2027-09-30", "bought in September for October"),
    ("silver_pass", {"issued": "2026-08-20"}, None, "of either year: the pass tells"),
    ("silver_pass", {"issued": "2026-10-01"}, "2027-09-30", "on its first day"),
    ("care_burden_limit", {"issued": "2026-07-20"}, None, "of either year: the paper tells"),
    ("care_burden_limit", {"issued": "2026-08-01"}, "2027-07-31", "on its first day"),
    ("passport", {"issued": "2026-08-01", "born": "2015-01-01"}, "2031-08-01", "a child's lasts five years"),
    ("passport", {"issued": "2026-08-01", "born": "2008-08-01"}, "2036-08-01", "18 on the day"),
    ("passport", {"issued": "2026-08-01", "born": "2008-08-02"}, "2031-08-01", "17 on the day"),
    ("passport", {"issued": "2022-03-31", "born": "2003-01-01"}, "2027-03-31", "19 by the law before April 2022"),
    ("passport", {"issued": "2022-04-01", "born": "2003-01-01"}, "2032-04-01", "19 by the law since April 2022"),
    ("residence_card_permanent", {"issued": "2023-12-01", "born": "2012-05-05"}, "2028-05-04",
     "to the day before the sixteenth birthday"),
    ("residence_card_permanent", {"issued": "2023-12-01", "born": "2008-02-29"}, "2024-02-28", "born on a leap day"),
    ("residence_card_permanent", {"issued": "2023-12-01", "born": "2007-12-01"}, "2030-12-01", "16 on the day"),
    ("residence_card_permanent", {"issued": "2023-12-01", "born": "2020-01-01"}, "2030-12-01", "seven years come first"),
    ("mynumber_signature_certificate", {"issued": "2023-01-01", "born": "2012-03-03"}, None, "not issued under 15"),
    ("mynumber_signature_certificate", {"issued": "2027-03-03", "born": "2012-03-03"}, "2032-03-03", "15 on the day"),
    ("licence_senior_course", {"issued": "2024-01-01", "born": "1951-01-01"}, None, "they will be 76: the test"),
    ("licence_senior_test", {"issued": "2024-01-01", "born": "1955-01-01"}, None, "they will be 72: the course"),
    ("mynumber_card", {"issued": "2023-07-20", "born": "2005-07-01"}, None, "applied for at 17 or at 18?"),
    ("mynumber_card", {"issued": "2023-07-20", "born": "2005-07-01", "received": "2023-07-02"}, "2033-07-01", "at 18"),
    ("mynumber_card", {"issued": "2023-07-20", "born": "2005-07-01", "received": "2023-06-02"}, "2028-07-01", "at 17"),
    ("mynumber_card", {"issued": "2022-05-20", "born": "2003-07-01"}, None, "by the law before April 2022 or since?"),
    ("mynumber_card", {"issued": "2023-10-20", "born": "2005-07-01"}, "2033-07-01", "no card takes so long"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "known", "end", "why"), CONDITIONS)
def test_an_issue_date_gives_an_end_under_its_conditions_or_is_asked_about(kind, known, end, why):
    given_facts = {name: day(value) if isinstance(value, str) else value for name, value in known.items()}

    if end is None:
        with pytest.raises(RefusedInputError) as asked:
            work_out(kind, **given_facts)
        assert asked.value.code in {"only_the_card_says", "age_not_of_kind", "received_date_needed"}, why
        return
    assert work_out(kind, **given_facts).ends_on(kind) == day(end), why


def test_of_a_licence_that_may_be_the_first_the_later_end_of_a_renewal_is_shown_too():
    found = work_out("driving_licence", issued=date(2024, 10, 20), born=date(2000, 11, 14), years=3)

    assert (found.card_expires_on, found.if_a_renewal) == (date(2026, 12, 14), date(2027, 12, 14))


def test_a_date_that_was_read_is_asked_about_where_its_holder_is_of_another_age():
    with pytest.raises(NeedsConfirmationError) as asked:
        work_out("licence_senior_course", expires_on=date(2027, 2, 1), born=date(1951, 1, 1))

    assert asked.value.code == "age_not_of_kind"


def test_a_rule_that_no_source_confirms_says_so():
    assert work_out("passport", issued=date(2026, 7, 1), years=5).rule_unconfirmed
    assert not work_out("passport", issued=date(2026, 6, 30), years=5).rule_unconfirmed


GIVEN = {
    "born": date(2000, 1, 2), "received": date(2024, 1, 2), "residence_until": date(2026, 1, 2),
    "special_period": True, "card_expires_on": date(2031, 1, 2), "user_certificate_expires_on": date(2026, 1, 2),
    "replaces": date(2024, 3, 2), "years": 3, "is_first": True,
}  # fmt: skip
BIRTHS = (
    date(2000, 1, 2), date(2005, 12, 25), date(2012, 5, 5), date(1954, 1, 25), date(1953, 1, 20), date(1949, 1, 25),
)  # fmt: skip


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("field", sorted(GIVEN))
def test_every_known_fact_matters_for_some_end_of_the_kind_or_is_refused(kind, field):
    """A fact that is taken can change the end, or what is refused, of some card of the kind."""
    known = KnownDates(issued=date(2024, 1, 10), **{field: GIVEN[field]})
    try:
        refuse_unused(KINDS, kind, known)
    except RefusedInputError:
        return

    def outcome(**facts: object) -> object:
        try:
            return asdict(work_out(kind, **facts))
        except (RefusedInputError, NeedsConfirmationError) as refused:
            return refused.code

    bases = [
        {"issued": issued, **more}
        for issued in (date(2019, 1, 10), date(2023, 12, 20), date(2024, 1, 10))
        for more in ({}, *({"born": born} for born in BIRTHS))
    ]
    values = [*BIRTHS] if field == "born" else [GIVEN[field]]
    differs = [
        outcome(**{**base, field: value}) != outcome(**{name: one for name, one in base.items() if name != field})
        for base in bases
        for value in values
    ]
    assert any(differs), f"{field} changes nothing about {kind}"
