"""Sessions in a home end sooner where the operator says so; those of households do not."""

from datetime import timedelta
from pathlib import Path

import pytest

from reminder.domain.model.people import GroupKind
from tests.village import Village, open_village
from tests.web.browsing import Browser

ME = "staff@example.jp"
HOUR = timedelta(hours=1)


def signed_in(village: Village, kind: GroupKind) -> Browser:
    village.group(kind, "さくら")
    village.member("職員", ME)
    browser = Browser(village)
    browser.sign_in(ME)
    return browser


@pytest.mark.parametrize(
    ("settings", "kind", "pauses", "is_in"),
    [
        ({}, GroupKind.HOME, [24 * HOUR] * 3, True),
        ({"home_session_hours": 12}, GroupKind.HOME, [HOUR] * 11, True),
        ({"home_session_hours": 12}, GroupKind.HOME, [HOUR] * 12, False),
        ({"home_session_hours": 12}, GroupKind.HOUSEHOLD, [HOUR] * 12, True),
        ({"home_idle_minutes": 30}, GroupKind.HOME, [HOUR / 3] * 9, True),
        ({"home_idle_minutes": 30}, GroupKind.HOME, [HOUR / 2], False),
        ({"home_idle_minutes": 30}, GroupKind.HOUSEHOLD, [24 * HOUR], True),
        ({"home_idle_minutes": 30, "home_session_hours": 2}, GroupKind.HOME, [HOUR / 3] * 6, False),
    ],
)
def test_a_session_in_a_home_ends_when_the_operator_says(
    sqlite_url: str,
    tmp_path: Path,
    settings: dict[str, int],
    kind: GroupKind,
    pauses: list[timedelta],
    is_in: bool,
) -> None:
    with open_village(sqlite_url, tmp_path, "2026-12-01 08:00", **settings) as village:
        browser = signed_in(village, kind)

        for pause in pauses:
            village.clock.move_to(village.now + pause)
            browser.get("/")

        assert (browser.path != "/sign-in") is is_in
