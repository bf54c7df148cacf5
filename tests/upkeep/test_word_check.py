"""Words that were stored before messages refused them: reminders go on in neutral words, and the group learns it once."""

from datetime import date

import pytest
from sqlalchemy import text

from reminder.domain.model.people import ChannelName, GroupKind, Language, Mode
from reminder.enrolment import register
from reminder.enrolment.register import PersonChanges
from reminder.guard import outgoing
from reminder.guard.outgoing import foreign_parts
from reminder.storage.runtime import service_state
from reminder.storage.runtime.work_conditions import WORDS_CHECKED
from reminder.upkeep import word_check
from reminder.upkeep.word_check import check_words
from tests.storage.unsealed import unseal
from tests.village import Village

END = date(2026, 12, 20)


def stored_before(village: Village, table: str, column: str, row_id: int, word: str) -> None:
    """As an earlier version would have stored it."""
    with village.app.database.writing() as tx:
        unseal(tx, village.app.keys)
        tx.execute(text(f"UPDATE {table} SET {column} = :word WHERE id = :id"), {"word": word, "id": row_id})


def state(village: Village) -> str | None:
    with village.app.database.reading() as tx:
        return service_state.find(tx, WORDS_CHECKED)


@pytest.fixture
def family(village: Village) -> Village:
    """A mother whose words an earlier version has taken, and a daughter who gets mail."""
    group = village.group()
    village.member("娘", "musume@example.jp")
    mother = village.person("母", phone="090-0000-0001", mode=Mode.ELDERLY, mark="つばめ")
    card = village.card("母", END, "other", label="老人パス")
    stored_before(village, "groups", "name", group, "至急 https://evil.jp/x を開く")
    stored_before(village, "people", "mark", mother, "evil.jp/a")
    stored_before(village, "cards", "label", card, "t.co/abcd")
    return village


def notices(village: Village) -> list[str]:
    return [said for said in village.words_to("娘") if "載せられない言葉" in said or "載せられず" in said]


def test_the_group_learns_once_which_words_to_change(family: Village) -> None:
    family.run_until("2026-12-05 12:00")

    [said] = notices(family)
    assert "3件" in said
    assert "・このグループ　グループの名前" in said
    assert "・母　しるしの言葉" in said
    assert "・母　カードの呼び名" in said
    assert "evil" not in said
    assert "t.co" not in said


def test_the_reminders_go_out_all_the_same_without_the_words(family: Village) -> None:
    family.run_until("2026-12-25 12:00")

    texts = family.words_to("母")
    assert texts
    assert [said for said in texts if "カード" not in said and "12月" not in said] == []
    for said in [*texts, *family.words_to("娘")]:
        assert foreign_parts(said) == frozenset(), said
        assert "至急" not in said


def test_a_group_that_has_changed_its_words_hears_nothing_more(family: Village) -> None:
    family.run_until("2026-12-05 12:00")
    with family.app.writing() as uow:
        register.edit_person(uow, person_id=1, changes=PersonChanges(mark="つばめ"))
        service_state.replace(uow.tx, WORDS_CHECKED, "0-before")

    family.run_until("2026-12-07 12:00")

    assert len(notices(family)) == 1
    assert state(family) == outgoing.version()


def test_ordinary_words_cause_no_message(village: Village) -> None:
    village.member("娘", "musume@example.jp")
    village.person("母", phone="090-0000-0001", mode=Mode.ELDERLY, mark="つばめ", room="1203")

    village.pass_once()

    assert state(village) == outgoing.version()
    assert village.messages() == []


def test_the_check_goes_on_where_it_stopped(village: Village, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(word_check, "AT_ONCE", 2)
    monkeypatch.setattr(word_check, "IN_A_PASS", 1)
    for place in range(5):
        group = village.group(name=f"田中家{place}")
        village.member(f"娘{place}", f"m{place}@example.jp")
        stored_before(village, "groups", "name", group, "evil.jp")

    made = []
    for _ in range(3):
        made.append(check_words(village.app.units, village.now))
        if len(made) < 3:
            assert (state(village) or "").startswith(f"{outgoing.version()}:")

    assert made == [2, 2, 1]
    assert state(village) == outgoing.version()


def test_a_home_learns_of_rooms_and_not_of_names(village: Village) -> None:
    village.group(GroupKind.HOME, "さくら苑")
    village.member("事務", "office@example.jp", language=Language.ENGLISH)
    hana = village.person("ハナさん", mode=Mode.HOME, room="203", unit="2階")
    ume = village.person("ウメさん", mode=Mode.HOME)
    stored_before(village, "people", "mark", hana, "evil.jp")
    stored_before(village, "people", "label", ume, "evil.jp")

    village.pass_once()
    village.run_until("2026-12-02 12:00")

    [said] = village.words_to("事務")
    assert "- 2階 203: the mark word" in said
    assert "- The person concerned: the label" in said
    assert "ハナ" not in said


def test_a_family_without_members_is_told_by_its_own_contacts(village: Village) -> None:
    mother = village.person("母", phone="090-0000-0001", mode=Mode.ELDERLY)
    village.contact("母", ChannelName.SMS, "090-0000-0002", family="息子")
    stored_before(village, "people", "mark", mother, "evil.jp")

    village.pass_once()
    village.run_until("2026-12-02 12:00")

    [said] = village.words_to("息子")
    assert (
        said
        == "【期限だより】登録された言葉のうち1件はお知らせに載せられず、かわりの言葉で送っています。画面で書きなおしてください。"
    )
    assert village.words_to("母") == []
