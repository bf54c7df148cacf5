"""Cards that belong together."""

import tomllib
from datetime import date
from pathlib import Path

import pytest

from reminder.domain.model.card_kinds import read_kinds
from reminder.domain.rules.linked_cards import Offered, offers

KINDS = read_kinds(tomllib.loads((Path(__file__).parents[3] / "config" / "cards.toml").read_text(encoding="utf-8")))
TODAY = date(2026, 11, 23)


def offered(kind: str, end: date, *, has: set[str] = frozenset(), elderly: bool = False, born: date | None = None):
    return offers(KINDS, kind, end, has=has, is_elderly=elderly, today=TODAY, born=born)


def test_a_card_offers_its_certificates_with_the_date_five_years_before_its_own():
    end, first = date(2033, 3, 10), date(2028, 3, 10)

    assert offered("mynumber_card", end) == [
        Offered("mynumber_user_certificate", first),
        Offered("mynumber_signature_certificate", first),
        Offered("smartphone_certificate", first),
        Offered("mynumber_licence", None),
    ]


def test_a_certificate_whose_first_date_is_past_is_offered_with_the_card_s():
    assert offered("mynumber_card", date(2030, 3, 10))[0].expires_on == date(2030, 3, 10)


def test_a_minor_s_certificates_end_with_the_card():
    assert offered("mynumber_card", date(2031, 3, 10), born=date(2012, 3, 10))[0].expires_on == date(2031, 3, 10)


def test_what_is_registered_already_is_not_offered_again():
    kinds = [one.kind for one in offered("mynumber_card", date(2033, 3, 10), has={"mynumber_user_certificate"})]

    assert "mynumber_user_certificate" not in kinds
    assert "mynumber_signature_certificate" in kinds


def test_a_residence_card_offers_the_my_number_card_that_ends_with_it():
    assert offered("residence_card", date(2027, 9, 30)) == [Offered("mynumber_card", date(2027, 9, 30))]


def test_a_handbook_offers_the_paper_that_ends_with_it():
    assert Offered("shikaku_kakuninsho_75plus", date(2027, 5, 31)) in offered(
        "mental_health_handbook", date(2027, 5, 31)
    )


@pytest.mark.parametrize(
    ("age", "progress", "why"),
    [
        (69, None, "no course yet"),
        (70, "licence_senior_course", "the course"),
        (74, "licence_senior_course", "the course still"),
        (75, "licence_senior_test", "the test too"),
    ],
)
def test_a_licence_offers_the_course_or_the_test_by_age(age, progress, why):
    end = date(2028, 7, 17)

    kinds = {one.kind for one in offered("driving_licence", end, born=date(2028 - age, 6, 17))}

    assert kinds & {"licence_senior_course", "licence_senior_test"} == ({progress} if progress else set())


def test_without_a_birth_date_courses_are_offered_to_elders_only():
    end = date(2028, 7, 17)

    assert "licence_senior_test" in {one.kind for one in offered("driving_licence", end, elderly=True)}
    assert "licence_senior_test" not in {one.kind for one in offered("driving_licence", end)}
