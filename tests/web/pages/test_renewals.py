"""What became of end dates: a home sees its own, the operator sees all, nobody is named, and few are hidden."""

import re
from datetime import date, timedelta

import pytest

from reminder.domain.model.end_outcomes import EndOutcome
from reminder.domain.model.people import GroupKind, Language, Mode
from reminder.domain.rules.effect import EffectRow, wilson
from reminder.storage.reminders import counted_ends
from reminder.storage.reminders.counted_ends import CardEnd, CountedView, EndCounting
from reminder.web.drawing import effect_bars
from reminder.web.drawing.effect_bars import Bar
from reminder.web.support.effect_tables import ShownRow, picture, step_name
from tests.upkeep.test_metrics import measured
from tests.village import USER_CERTIFICATE, Village
from tests.web.asking import visitor
from tests.web.browsing import Browser

PASSED = date(2026, 10, 31)
BEFORE, UNKNOWN = EndOutcome.BEFORE, EndOutcome.UNKNOWN


def counted(village: Village, group: int, *ends: tuple[str, str, EndOutcome], first: int = 1) -> None:
    """Count ends of this group's cards: of which kind, told by which step, and what became of each."""
    with village.app.database.writing() as tx:
        countings = []
        for place, (kind, step, outcome) in enumerate(ends):
            view = CountedView(
                0, PASSED, None, kind, GroupKind.HOME, Mode.HOME, step, "email" if step else "", outcome, None, None
            )
            # One card may have had several ends.
            end = CardEnd(PASSED - timedelta(days=place), first)
            countings.append(EndCounting(end, group, None, view))
        counted_ends.count(tx, countings, village.now)


@pytest.fixture
def home(village: Village) -> Village:
    """A home with 32 ends, few of them of passports and licences, and another home with two."""
    here = village.group(GroupKind.HOME, "見本の里")
    village.member("事務", "office@example.jp")
    village.person("ハナさん", mode=Mode.HOME)
    village.card("ハナさん", date(2027, 5, 1), USER_CERTIFICATE)
    rows = [(USER_CERTIFICATE, "d30", BEFORE)] * 18 + [(USER_CERTIFICATE, "post", UNKNOWN)] * 4
    counted(village, here, *rows, *[("passport", "opens", BEFORE)] * 6, *[("driving_licence", "d7", BEFORE)] * 4)
    other = village.group(GroupKind.HOME, "よその里")
    village.member("よその人", "stranger@example.jp")
    village.person("トミさん", mode=Mode.HOME)
    second = village.card("トミさん", date(2027, 5, 1), USER_CERTIFICATE)
    counted(village, other, *[(USER_CERTIFICATE, "d7", UNKNOWN)] * 2, first=second)
    return village


def at(village: Village, email: str) -> Browser:
    browser = Browser(village)
    browser.sign_in(email)
    return browser


def table(page: str) -> dict[str, list[str]]:
    found = re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', page)
    return {name: re.findall(r"<td>(.*?)</td>", cells) for name, cells in found}


def test_a_home_sees_its_own_ends_as_a_sentence_a_picture_and_a_table(home: Village) -> None:
    page = at(home, "office@example.jp").get("/renewals").text

    assert "32件のうち、期限までに更新したものは88%" in page
    assert re.search(r'<svg [^>]*role="img".*<title>', page)
    [(name, cells)] = table(page).items()
    assert "電子証明書" in name
    assert cells == ["22", "18", "0", "0", "0", "4", "82% (61–93%)"]
    assert "10件より少ない行は出していません" in page
    for hidden in ("パスポート", "運転免許", "ハナ", "トミ"):
        assert hidden not in page.split("<main", 1)[1]


def test_another_home_sees_nothing_of_it(home: Village) -> None:
    page = at(home, "stranger@example.jp").get("/renewals").text

    assert "10件になると" in page
    assert table(page) == {}
    assert "<svg" not in page.split("<main", 1)[1]


@pytest.mark.parametrize(("by", "first"), [("step", "期限の30日前"), ("channel", "メール"), ("nonsense", "電子証明書")])
def test_ends_can_be_told_apart_by_step_and_channel(home: Village, by: str, first: str) -> None:
    names = list(table(at(home, "office@example.jp").get(f"/renewals?by={by}").text))

    assert first in names[0]


def test_it_is_reached_from_the_months(home: Village) -> None:
    office = at(home, "office@example.jp")

    assert '<a href="/renewals">' in office.get("/months").text


def test_the_operator_sees_all_homes_together_and_nobody_is_named(home: Village) -> None:
    browser = visitor(home)

    for by in ("kind", "step", "mode", "channel", "group-kind"):
        page = browser.get(f"/effect?by={by}").text
        assert "34件のうち、期限までに更新 82%" in page
        assert not re.search("見本の里|よその里|ハナ|トミ", page)
    assert table(page) == {"施設": ["34", "28", "0", "0", "0", "6", "82%（66〜92%）"]}


def test_before_enough_has_passed_the_operator_sees_no_number(village: Village) -> None:
    assert "何も出せません" in visitor(village).get("/effect").text


def test_metrics_have_few_labels_and_hide_what_is_few(home: Village) -> None:
    found = measured(home)

    assert found[f"kigen_effect_ends kind={USER_CERTIFICATE} outcome=before"] == 18
    assert found[f"kigen_effect_ends kind={USER_CERTIFICATE} outcome=unknown"] == 6
    assert found["kigen_effect_ends kind=fewer outcome=before"] == 10
    assert round(found["kigen_effect_in_time_ratio limit=share"], 4) == 0.8235
    kinds = {name for name in found if name.startswith("kigen_effect_ends")}
    assert len(kinds) == 2 * len(EndOutcome)
    assert not [name for name in kinds if "passport" in name or "licence" in name]


def test_metrics_tell_nothing_where_all_are_too_few(village: Village) -> None:
    assert not [name for name in measured(village) if name.startswith("kigen_effect")]


# ── the picture ──


def test_the_picture_says_in_words_what_it_shows_and_no_name_breaks_out_of_it() -> None:
    drawn = effect_bars.draw("割合<script>", [Bar("<b>とても長い名前のカードの種類", wilson(1, 20))])

    assert "<script>" not in drawn
    assert "<b>" not in drawn
    assert "style" not in drawn
    assert drawn.count("<title>") == 1


def test_a_row_of_which_nothing_was_needed_any_more_has_no_bar() -> None:
    row = EffectRow("passport", {EndOutcome.ENDED: 12})

    assert picture("x", [ShownRow.of("旅券", row)]) == ""


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("d30", "step_d 30"),
        ("a7", "step_a 7"),
        ("g30", "step_g 30"),
        ("opens", "step_opens"),
        ("", "step_nothing"),
        ("boat", "boat"),
    ],
)
def test_steps_have_the_names_that_readers_know(step: str, said: str) -> None:
    assert step_name(step, lambda entry, **values: " ".join(map(str, (entry, *values.values())))) == said


@pytest.mark.parametrize("language", [Language.EASY_JAPANESE, Language.ENGLISH])
def test_the_page_is_there_in_each_language(home: Village, language: Language) -> None:
    office = at(home, "office@example.jp")
    office.post("/language", {"language": str(language), "to": "/renewals"})

    assert office.get("/renewals").status == 200
