"""Still reachable in five years: proof once a year, and a human who is told where there is none."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from reminder.domain.model.people import ChannelName, Mode
from reminder.enrolment import consent
from reminder.storage.outbox import receipts
from reminder.upkeep.sender_change import note_sender_change
from tests.village import Village, open_village

FAR = date(2031, 12, 1)  # nothing is told of it in the years of these stories


@pytest.fixture
def far_village(database_url: str, tmp_path: Path) -> Iterator[Village]:
    """A mother and a daughter of whom nothing is due for years, where links are allowed and receipts come back."""
    with open_village(
        database_url, tmp_path, "2026-12-01 08:00", public_url="https://kigen.example.jp", links_in_carer_mail=True
    ) as village:
        village.member("娘", "musume@example.jp")
        village.person("母", phone="090-0000-0001", mode=Mode.ELDERLY, mark="つばめ")
        village.card("母", FAR)
        yield village


def arrives(village: Village) -> None:
    """The provider says that the latest text arrived."""
    provider_id = f"memory-{village.sms.sent[-1].message_id}"
    with village.app.database.writing() as tx:
        receipts.keep(
            tx, provider_id=provider_id, status="delivered", error_code=None, message_id=None, now=village.now
        )


def holding(village: Village, name: str, words: str) -> int:
    return sum(words in text for text in village.words_to(name))


def test_a_quiet_telephone_is_greeted_once_a_year_in_one_text_that_asks_nothing(far_village: Village) -> None:
    village = far_village
    village.run_until("2027-07-31 00:00")
    assert village.texts_to("母") == ["07-26 10:00"], "the first Monday of the season"
    [greeting] = village.words_to("母")
    assert "暑中お見舞い" in greeting
    assert "お返事はいりません" in greeting
    arrives(village)

    village.run_until("2028-06-30 00:00")
    assert len(village.texts_to("母")) == 1

    village.run_until("2028-08-31 00:00")
    assert len(village.texts_to("母")) == 2


def test_a_telephone_that_proved_itself_by_reminders_is_not_greeted(database_url: str, tmp_path: Path) -> None:
    with open_village(database_url, tmp_path, "2026-12-01 08:00", public_url="https://kigen.example.jp") as village:
        village.person("母", phone="090-0000-0001", mode=Mode.ELDERLY)
        card = village.card("母", date(2027, 3, 31))
        village.run_until("2027-01-29 12:00")
        arrives(village)
        village.renew(card, FAR)

        village.run_until("2027-08-15 00:00")

        assert holding(village, "母", "お見舞い") == 0


def test_a_telephone_without_proof_for_fourteen_months_is_the_family_s_matter_once(far_village: Village) -> None:
    village = far_village

    village.run_until("2028-01-25 00:00")
    assert holding(village, "娘", "1年以上確かめられていません") == 0

    village.run_until("2028-12-01 00:00")
    assert holding(village, "娘", "1年以上確かめられていません") == 1


def test_a_carer_is_asked_once_a_year_for_one_press_of_a_button(far_village: Village) -> None:
    village = far_village

    village.run_until("2028-06-01 00:00")

    asked = [text for text in village.words_to("娘") if "https://kigen.example.jp/reached/" in text]
    assert len(asked) == 2, "in summer, and again in the next year for nothing came of it"


def test_where_links_are_not_allowed_carers_are_not_asked(database_url: str, tmp_path: Path) -> None:
    with open_village(database_url, tmp_path, "2026-12-01 08:00", public_url="https://kigen.example.jp") as village:
        village.member("娘", "musume@example.jp")
        village.person("母")
        village.card("母", FAR)

        village.run_until("2028-01-31 00:00")

        assert village.texts_to("娘") == []


def test_a_landline_is_checked_by_the_family_once_a_year(far_village: Village) -> None:
    village = far_village
    village.contact("母", ChannelName.VOICE, "03-3000-0001".replace("3000", "3500"))

    village.run_until("2027-08-10 00:00")
    assert holding(village, "娘", "電話番号は、変わっていませんか") == 1

    with village.app.writing() as uow:
        consent.verify(uow, contact_id=3)
    village.run_until("2028-06-30 00:00")
    assert holding(village, "娘", "電話番号は、変わっていませんか") == 1
    village.run_until("2028-08-10 00:00")
    assert holding(village, "娘", "電話番号は、変わっていませんか") == 2


def test_where_receipts_cannot_come_nobody_is_asked_or_flagged(village: Village) -> None:
    village.member("娘", "musume@example.jp")
    village.person("母", phone="090-0000-0001", mode=Mode.ELDERLY)
    village.card("母", FAR)

    village.run_until("2028-12-01 00:00")

    assert village.texts_to("母") == []
    assert village.texts_to("娘") == []


def test_another_sender_is_told_to_the_carers_and_never_to_the_person(database_url: str, tmp_path: Path) -> None:
    with open_village(database_url, tmp_path, "2026-12-01 08:00") as village:
        village.member("娘", "musume@example.jp")
        village.person("母", phone="090-0000-0001", mode=Mode.ELDERLY)
        for sender, told in (("KIGEN", 0), ("KIGEN", 0), ("TAYORI", 1), ("TAYORI", 0)):
            with village.app.writing() as uow:
                assert note_sender_change(uow, sender) == told

        village.run_until("2026-12-02 12:00")

        assert holding(village, "娘", "お知らせの番号が変わります") == 1
        assert village.texts_to("母") == []
