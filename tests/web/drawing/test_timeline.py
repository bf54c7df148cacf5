"""The drawing of one card's plan: what was told, what is still to come, and where today stands."""

from collections.abc import Sequence
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reminder.domain.model.people import Audience, Language
from reminder.domain.rules.schedule_model import CardDates
from reminder.web.drawing.timeline import MarkState, Timeline, TimelineMark, document, draw
from tests.rules import LANGUAGES, WORDING
from tests.web.drawn import ELEMENTS, Drawn, contrast

PERSON, CARER, STAFF = Audience
TOLD, COMING = MarkState
OPENS, COUNTER, END, GRACE = date(2026, 11, 21), date(2027, 2, 19), date(2027, 2, 20), date(2027, 5, 31)
DATES = CardDates(OPENS, END, END, GRACE, COUNTER)
TODAY = date(2027, 1, 10)
TEXTS = (
    TimelineMark(date(2026, 11, 24), PERSON, TOLD, "keep the envelope"),
    TimelineMark(date(2026, 11, 24), CARER, TOLD, "a copy"),
    TimelineMark(date(2027, 1, 19), PERSON, COMING, "take it to the office"),
    TimelineMark(date(2027, 2, 17), CARER, COMING, "three days"),
)
LINE = Timeline("電子証明書", DATES, TEXTS, TODAY)
JAPANESE, ENGLISH = WORDING.of(Language.JAPANESE), WORDING.of(Language.ENGLISH)


def shown(timeline: Timeline) -> list[str]:
    """From top to bottom."""
    letters = Drawn(draw(timeline, JAPANESE)).letters()
    return [one.words for one in sorted(letters, key=lambda one: one.box.top)]


def in_order(words: Sequence[str], *parts: str) -> bool:
    places = [next(n for n, line in enumerate(words) if part in line) for part in parts]
    return places == sorted(places)


def test_it_tells_from_top_to_bottom_when_it_opens_where_today_is_when_it_ends_and_until_when_it_helps() -> None:
    words = shown(LINE)

    assert in_order(
        words, "ご本人へ", "更新できる日", "11月24日", "今日 2027年1月10日", "1月19日", "窓口が開いている最後の日",
        "期限　2027年2月20日", "マイナ保険証として使える最後の日", "2027年5月31日",
    )  # fmt: skip


def test_what_was_told_is_filled_with_a_tick_and_what_is_to_come_is_hollow() -> None:
    dots = {title: attributes for _, attributes, title in Drawn(draw(LINE, JAPANESE)).recipient_sets() if title}

    assert {title for title, dot in dots.items() if dot["fill"] == dot["stroke"]} == {"keep the envelope", "a copy"}
    assert {title for title, dot in dots.items() if dot["fill"] == "#ffffff"} == {"take it to the office", "three days"}
    assert draw(LINE, JAPANESE).count("l3 3l5 -6") == 2 + 1, "a tick for each that was told, and one in the key below"


def test_the_key_below_explains_only_the_signs_that_are_there() -> None:
    words = JAPANESE.section("timeline")
    told = Timeline("電子証明書", DATES, TEXTS[:2], TODAY)

    assert {words["told"], words["coming"]} <= set(shown(LINE))
    assert words["told"] in shown(told)
    assert words["coming"] not in shown(told)


def test_whoever_is_told_has_a_column_of_their_own_under_their_name() -> None:
    drawn = Drawn(draw(LINE, JAPANESE))

    heads = {one.words: one.box for one in drawn.letters() if one.words in ("ご本人へ", "ご家族へ", "職員へ")}
    columns = {title: box for box, _, title in drawn.recipient_sets()}

    assert set(heads) == {"ご本人へ", "ご家族へ"}
    assert heads["ご本人へ"].left < columns["keep the envelope"].left < heads["ご本人へ"].right
    assert heads["ご家族へ"].left < columns["three days"].left < heads["ご家族へ"].right


def test_two_texts_to_one_reader_on_one_day_are_one_dot_that_is_told_once_both_are() -> None:
    again = TimelineMark(TEXTS[0].on, PERSON, COMING, "by e-mail")

    dots = Drawn(draw(Timeline("電子証明書", DATES, (TEXTS[0], again), TODAY), JAPANESE)).recipient_sets()

    [dot] = [(attributes["fill"], title) for _, attributes, title in dots if title]
    assert dot == ("#ffffff", "keep the envelope\nby e-mail")


@pytest.mark.parametrize(
    ("timeline", "missing", "why"),
    [
        (Timeline("x", CardDates(None, END, END, GRACE, COUNTER), TEXTS), "更新できる日", "nobody knows the day"),
        (Timeline("x", CardDates(OPENS, END, END, None, COUNTER), TEXTS), "マイナ保険証として", "there is no grace"),
        (Timeline("x", CardDates(OPENS, END, END, GRACE, END), TEXTS), "窓口が", "it is open on the day itself"),
        (Timeline("x", DATES, TEXTS, at_counter=False), "窓口が", "it comes by itself"),
        (Timeline("x", DATES, TEXTS), "今日", "a plan has no today"),
        (Timeline("x", DATES, TEXTS), "これからお知らせする日", "nor anything told"),
    ],
)
def test_what_is_not_known_is_not_drawn(timeline: Timeline, missing: str, why: str) -> None:
    assert not any(missing in line for line in shown(timeline)), why


@pytest.mark.parametrize(
    ("today", "before", "after", "why"),
    [
        (OPENS, "更新できる日", "今日", "it has opened"),
        (TEXTS[2].on, "今日", "1月19日（火）", "what is told today is below the line"),
        (END, "今日", "期限", "it ends with the day"),
        (GRACE, "今日", "マイナ保険証として", "so does the grace"),
        (OPENS - timedelta(days=2000), "今日", "更新できる日", "years before"),
        (GRACE + timedelta(days=2000), "マイナ保険証として", "今日", "years after"),
    ],
)
def test_today_stands_between_what_is_past_and_what_is_not(today: date, before: str, after: str, why: str) -> None:
    words = shown(Timeline("x", DATES, TEXTS, today))

    assert in_order([line for line in words if "年" in line or "：" in line or "日" in line], before, after), why


WAITS = (10, 40, 60, 61, 2000)


def test_a_longer_wait_takes_more_room_and_years_are_cut_short() -> None:
    only_the_end = CardDates(None, END, END, None, END)
    svgs = {days: draw(Timeline("x", only_the_end, (), END - timedelta(days=days)), JAPANESE) for days in WAITS}

    heights = {days: Drawn(svg).frame.bottom for days, svg in svgs.items()}
    assert heights[10] < heights[40] < heights[60] == heights[61] == heights[2000]
    # Where the line is cut, two slanting strokes say so.
    assert [days for days, svg in svgs.items() if "l16 -6m0 8l-16 6" in svg] == [61, 2000]


def test_whatever_a_text_says_is_shown_and_never_obeyed() -> None:
    line = Timeline("<b>老人パス</b>", DATES, (TimelineMark(TODAY, PERSON, TOLD, "<script>alert(1)</script>"),), TODAY)

    drawn = Drawn(draw(line, JAPANESE))

    assert "<b>老人パス</b>" in drawn.title
    assert [title for _, _, title in drawn.recipient_sets() if title] == ["<script>alert(1)</script>"]


def test_a_document_stands_alone_with_a_heading_a_ground_and_a_line_below() -> None:
    drawn = Drawn(document(LINE, ENGLISH))

    words = " ".join(one.words for one in drawn.letters())
    assert ENGLISH.section("timeline")["title"].format(kind="電子証明書") in words
    assert ENGLISH.section("timeline")["footer"] in words
    assert "BIZ UDPGothic" in drawn.root.attrib["font-family"]
    assert {name for name, _ in drawn.elements()} <= ELEMENTS


days = st.dates(date(2026, 1, 1), date(2028, 12, 31))
texts = st.builds(
    TimelineMark, days, st.sampled_from(Audience), st.sampled_from(MarkState), st.text(max_size=9, alphabet="あa<&")
)


@st.composite
def timelines(draw_: st.DrawFn) -> Timeline:
    end = draw_(days)
    dates = CardDates(
        opens_on=draw_(st.none() | st.integers(1, 400).map(lambda before: end - timedelta(days=before))),
        expires_on=end,
        over_after=end,
        grace_ends_on=draw_(st.none() | st.integers(1, 130).map(lambda after: end + timedelta(days=after))),
        last_counter_day=end - timedelta(days=draw_(st.integers(0, 6))),
    )
    told = draw_(st.lists(texts, max_size=30))
    name = draw_(st.sampled_from([words.kinds[kind]["name"] for words in (JAPANESE, ENGLISH) for kind in words.kinds]))
    return Timeline(name, dates, tuple(told), draw_(st.none() | st.dates(date(2020, 1, 1), date(2036, 12, 31))))


@given(timeline=timelines(), language=st.sampled_from(LANGUAGES))
def test_whatever_the_dates_nothing_leaves_the_drawing_and_no_words_lie_on_each_other(
    timeline: Timeline, language: Language
) -> None:
    for drawn in (Drawn(draw(timeline, WORDING.of(language))), Drawn(document(timeline, WORDING.of(language)))):
        letters = drawn.letters()

        assert all(box.is_within(drawn.frame) for box in (*drawn.shapes(), *(one.box for one in letters)))
        assert drawn.overlapping() == []
        assert [one.words for one in letters if not one.is_whole] == []
        assert not any(dot.touches(one.box) for dot, _, _ in drawn.recipient_sets() for one in letters)
        assert min(contrast(one.fill, one.behind) for one in letters) >= 4.5


@given(timeline=timelines(), language=st.sampled_from(LANGUAGES))
def test_a_page_s_drawing_is_as_wide_as_a_telephone_and_as_the_content_policy_allows(
    timeline: Timeline, language: Language
) -> None:
    drawn = Drawn(draw(timeline, WORDING.of(language)))

    # Of a telephone's 320 pixels a page leaves 288 between its margins.
    assert min(one.size for one in drawn.letters()) * 288 / drawn.frame.right >= 12
    assert drawn.root.attrib["role"] == "img"
    assert timeline.name in drawn.title
    assert {name for name, _ in drawn.elements()} <= ELEMENTS
    assert [names for _, names in drawn.elements() if any(n == "style" or n.startswith("on") for n in names)] == []


@given(timeline=timelines())
def test_every_day_and_reader_has_its_dot(timeline: Timeline) -> None:
    dots = [dot for dot in Drawn(draw(timeline, JAPANESE)).recipient_sets() if dot[1]["stroke"] != "#1f2a24"]

    assert len(dots) == len({(text.on, text.audience) for text in timeline.texts})
