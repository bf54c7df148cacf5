"""The preview: what it shows is what is sent."""

import re
from datetime import date
from itertools import product

import pytest

from reminder.clock import JAPAN
from reminder.domain.model.people import Audience, ChannelName, GroupKind, Language, Mode
from reminder.planning.preview import PreviewedCard, Sample, preview
from reminder.wiring import read_rulebook, read_settings
from tests.rules import KINDS, LANGUAGES
from tests.village import CARD, SIGNATURE_CERTIFICATE, USER_CERTIFICATE, Village

END = date(2027, 6, 30)


@pytest.mark.parametrize(
    "kind",
    [CARD, USER_CERTIFICATE, SIGNATURE_CERTIFICATE, "licence_senior_test", "care_certification", "care_burden_ratio"],
)
@pytest.mark.parametrize("mode", [Mode.STANDARD, Mode.ELDERLY])
def test_a_preview_shows_every_text_a_family_will_get_with_its_minute(village: Village, kind: str, mode: Mode) -> None:
    village.group(GroupKind.HOUSEHOLD, "田中")
    village.member("娘", "musume@example.jp")
    village.person("花子さん", phone="090-0000-0001", mode=mode, mark="つばめ")
    village.card("花子さん", END, kind)

    village.run_until("2028-01-31 00:00")

    # What became of earlier texts is known only when the day has come.
    got = {
        name: [
            re.sub(r"\n\n■ これまでのお知らせ\n.*?(?=\n\n)", "", text, flags=re.DOTALL)
            for text in village.words_to(name)
        ]
        for name in ("花子さん", "娘")
    }
    got["娘"] = [text for text in got["娘"] if "「済んだ」の連絡がまだありません" not in text]
    shown = preview(village.app.rules, PreviewedCard(kind, END), mode=mode, language=Language.JAPANESE, sample=Sample())
    assert {
        name: [(f"{row.send_at.astimezone(JAPAN):%m-%d %H:%M}", row.text) for row in shown if row.audience is audience]
        for name, audience in (("花子さん", Audience.PERSON), ("娘", Audience.CARER))
    } == {name: list(zip(village.texts_to(name), got[name], strict=True)) for name in ("花子さん", "娘")}


def test_with_a_day_in_the_middle_only_the_most_urgent_of_what_was_missed_is_shown(village: Village) -> None:
    whole = preview(
        village.app.rules, PreviewedCard(USER_CERTIFICATE, END), mode=Mode.STANDARD, language=Language.JAPANESE
    )
    person = [row for row in whole if row.audience is Audience.PERSON]
    between = person[3].on.replace(day=person[3].on.day + 1)

    shown = preview(
        village.app.rules,
        PreviewedCard(USER_CERTIFICATE, END),
        mode=Mode.STANDARD,
        language=Language.JAPANESE,
        today=between,
    )

    steps = [row.step for row in shown if row.audience is Audience.PERSON]
    assert steps == [row.step for row in person[3:]]


def test_a_preview_of_a_card_under_a_label_of_its_owner_s_is_what_is_sent(village: Village) -> None:
    village.person("花子さん", phone="090-0000-0001", mark="つばめ")
    village.card("花子さん", END, "other", label="老人パス", is_computed=True)

    village.run_until("2028-01-31 00:00")

    card = PreviewedCard("other", END, computed=True, label="老人パス")
    shown = preview(village.app.rules, card, mode=Mode.STANDARD, language=Language.JAPANESE)
    assert [row.text for row in shown if row.audience is Audience.PERSON] == village.words_to("花子さん")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_preview_in_every_mode_and_language_within_the_hours(kind: str) -> None:
    rules = read_rulebook(read_settings())
    opens = {Mode.STANDARD: 9, Mode.ELDERLY: 10, Mode.HOME: 10}
    label = "老人パス" if kind == "other" else None
    for mode, language, end in product(Mode, LANGUAGES, (END, date(2028, 2, 29), date(2029, 1, 3))):
        shown = preview(rules, PreviewedCard(kind, end, label=label), mode=mode, language=language)

        assert {row.audience for row in shown} >= {Audience.CARER}
        assert [row.send_at for row in shown] == sorted(row.send_at for row in shown)
        for row in shown:
            at = row.send_at.astimezone(JAPAN)
            assert opens[mode] <= at.hour < 18
            assert at.date() == row.on
            assert row.text.strip()
            assert (row.segments > 0) == (row.channel is ChannelName.SMS)
