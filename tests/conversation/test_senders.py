"""Who writes to a telephone: its owner learns it by one text and leaves any of them by another."""

from datetime import date

import pytest
from sqlalchemy import select, update

from reminder.conversation import inbox
from reminder.conversation.senders import LIST_OPEN_FOR, MOST_LISTS
from reminder.domain.model.people import ChannelName, ContactState, Mode
from reminder.domain.text import sms_segments
from reminder.domain.text.sms import MOST_SEGMENTS_OF_LIST
from reminder.storage.db.tables import Contact, Group, Message
from reminder.storage.registry import consents, group_standing
from reminder.upkeep.privacy import erasure
from tests.village import Village

PHONE, AT = "090-1212-3434", "+819012123434"
SOON, LATE = date(2026, 12, 7), date(2029, 3, 31)


def family(village: Village, name: str, label: str, expires_on: date = SOON) -> int:
    group = village.group(name=name)
    village.member(f"member {group}", f"m{group}@example.jp")
    village.person(label, phone=PHONE, mode=Mode.ELDERLY)
    village.card(label, expires_on, "passport")
    return group


def say(village: Village, text: str, at: str | None = None) -> list[str]:
    """What is texted back."""
    village._addresses["sender"] = {AT}
    before = len(village.words_to("sender"))
    village.answers("sender", text, at=at)
    return village.words_to("sender")[before:]


def states(village: Village) -> list[ContactState]:
    with village.app.database.reading() as tx:
        return list(tx.scalars(select(Contact.state).where(Contact.channel != "email").order_by(Contact.id)))


ON, OFF = ContactState.CONFIRMED, ContactState.OPTED_OUT


def test_the_list_names_who_has_texted_and_nobody_who_has_only_registered_the_number(talking_village: Village) -> None:
    village = talking_village
    family(village, "田中家", "母")
    family(village, "秘密家", "祖母", LATE)
    family(village, "鈴木家", "叔母")
    village.run_until("2026-12-01 11:00")

    (said,) = say(village, "だれから")

    assert "1＝田中家のお母さん、2＝鈴木家の叔母さん" in said
    assert "秘密" not in said
    assert "祖母" not in said
    assert "2 停止" not in said
    assert "「1 停止」" in said


@pytest.mark.parametrize("text", ["2 停止", "STOP 2", "２番をとめてください", "停止２", "2 ﾃｲｼ"])
def test_one_text_leaves_one_of_them_and_touches_no_other(talking_village: Village, text: str) -> None:
    village = talking_village
    family(village, "田中家", "母")
    family(village, "鈴木家", "叔母")
    village.run_until("2026-12-01 11:00")
    say(village, "WHO")

    (said,) = say(village, text)

    assert "鈴木家の叔母さんからのお知らせを止めました" in said
    assert states(village) == [ON, OFF]
    assert "鈴木家" not in say(village, "WHO")[0]
    village.run_until("2026-12-04 18:00")
    assert not any("鈴木" in one for one in village.words_to("sender")[-1:])


def test_two_digits_leave_two(talking_village: Village) -> None:
    village = talking_village
    for name, label in (("田中家", "母"), ("鈴木家", "叔母"), ("山田家", "祖母")):
        family(village, name, label)
    village.run_until("2026-12-01 11:00")
    say(village, "WHO")

    say(village, "1と3 停止")

    assert states(village) == [OFF, ON, OFF]


def test_digits_mean_what_they_meant_in_the_list_whoever_texts_meanwhile(talking_village: Village) -> None:
    village = talking_village
    family(village, "田中家", "母", LATE)
    family(village, "鈴木家", "叔母")
    family(village, "山田家", "祖母")
    village.run_until("2026-12-01 11:00")
    say(village, "WHO")
    village._group = 1
    village.card("母", SOON, "driving_licence")
    village.run_until("2026-12-02 11:00")

    say(village, "1 停止")

    assert states(village) == [ON, OFF, ON]


@pytest.mark.parametrize("text", ["3 停止", "12 停止"])
def test_a_digit_that_the_list_has_not_is_not_guessed(talking_village: Village, text: str) -> None:
    village = talking_village
    family(village, "田中家", "母")
    family(village, "鈴木家", "叔母")
    village.run_until("2026-12-01 11:00")
    say(village, "WHO")

    say(village, text)

    assert states(village) == [ON, ON]


def test_an_old_list_is_sent_anew_instead_of_being_guessed(talking_village: Village) -> None:
    village = talking_village
    family(village, "田中家", "母")
    family(village, "鈴木家", "叔母")
    village.run_until("2026-12-01 11:00")
    say(village, "WHO")
    village.sleep_until(f"{(village.now + LIST_OPEN_FOR).date()} 12:00")

    said = say(village, "2 停止")

    assert states(village) == [ON, ON]
    assert any("2＝" in one for one in said)


def test_a_couple_is_listed_as_two_and_one_of_them_can_be_left_with_their_calls(talking_village: Village) -> None:
    village = talking_village
    family(village, "田中家", "母")
    village.person("父", phone=PHONE, mode=Mode.ELDERLY)
    village.card("父", SOON, "passport")
    village.contact("父", ChannelName.VOICE, PHONE)
    village.run_until("2026-12-01 11:00")

    (said,) = say(village, "だれですか")
    assert "1＝田中家のお母さん、2＝田中家のお父さん" in said
    say(village, "2 停止")

    assert states(village) == [ON, OFF, OFF]


def test_the_owner_s_relatives_and_members_may_ask_from_their_telephones_too(talking_village: Village) -> None:
    village = talking_village
    village.group(name="田中家")
    village.person("母")
    village.contact("母", ChannelName.SMS, PHONE, family="長女")
    village.card("母", SOON, "passport")
    village.run_until("2026-12-01 11:00")

    (said,) = say(village, "WHO")

    assert "1＝田中家です" in said


def test_a_list_of_many_long_names_has_three_segments_at_most_and_says_how_many_more(talking_village: Village) -> None:
    village = talking_village
    for number in range(12):
        family(
            village,
            f"特別養護老人ホームひまわりの丘の里別館の{'一二三四五六七八九十甲乙'[number]}",
            f"山田花子{'あいうえおかきくけこさし'[number]}",
        )
    village.run_until("2026-12-01 15:00")

    (said,) = say(village, "WHO")

    assert sms_segments.count(said) <= MOST_SEGMENTS_OF_LIST
    assert "ほか" in said
    assert "1＝" in said


def test_a_telephone_that_answers_by_itself_gets_three_lists_a_day(talking_village: Village) -> None:
    village = talking_village
    family(village, "田中家", "母")
    family(village, "鈴木家", "叔母")
    village.run_until("2026-12-01 11:00")

    said = [one for _ in range(9) for one in say(village, "だれですか")]

    assert len(said) == MOST_LISTS
    assert say(village, "だれですか", at="2026-12-02 13:00")


@pytest.mark.parametrize("name", ["evil.jp", "至急 090-1111-2222", "口座へ振込"])
def test_a_name_that_may_not_leave_us_and_one_of_a_group_on_trial_are_replaced(
    talking_village: Village, name: str
) -> None:
    village = talking_village
    family(village, "田中家", "母")
    of_stranger = family(village, "市民課", "叔母")
    village.run_until("2026-12-01 11:00")
    with village.app.database.writing() as tx:
        tx.execute(update(Group).where(Group.id == 1).values(name=name))
        group_standing.begin_trial(tx, of_stranger, village.now)

    (said,) = say(village, "WHO")

    assert name not in said
    assert "市民課" not in said
    assert "お申し込みの方のお母さん" in said
    assert "確認前の申込者" in said


def test_no_group_sees_the_list_and_it_is_erased_with_whom_it_names(talking_village: Village) -> None:
    village = talking_village
    family(village, "田中家", "母")
    family(village, "鈴木家", "叔母")
    village.run_until("2026-12-01 11:00")
    say(village, "WHO")

    (listed,) = [one for one in village.messages() if "1＝" in (one.text or "")]
    assert (listed.group_id, listed.contact_id, listed.state) == (None, None, "accepted")

    erasure.erase_person(village.app.units, village.now, person_id=village._people["叔母"])
    with village.app.database.reading() as tx:
        assert tx.scalars(select(Message.id).where(Message.id == listed.id)).all() == []


def test_who_has_stopped_everything_is_sent_nothing_more(talking_village: Village) -> None:
    village = talking_village
    family(village, "田中家", "母")
    family(village, "鈴木家", "叔母")
    village.run_until("2026-12-01 11:00")
    say(village, "停止")

    assert say(village, "WHO") == []
    assert say(village, "1 停止") == []


def test_where_texts_cannot_be_answered_there_is_no_list(village: Village) -> None:
    family(village, "田中家", "母")
    village.run_until("2026-12-01 11:00")

    assert say(village, "WHO") == []


def test_what_was_left_is_known_even_if_the_contact_is_erased_before_the_next_pass(talking_village: Village) -> None:
    village = talking_village
    family(village, "田中家", "母")
    group = family(village, "鈴木家", "叔母")
    village.run_until("2026-12-01 11:00")
    say(village, "WHO")
    with village.app.writing() as uow:
        inbox.keep(uow, inbox.InboundText("SM9", AT, "2 停止"))
    erasure.erase_person(village.app.units, village.now, person_id=village._people["叔母"])

    village._group = group
    village.person("叔母", phone=PHONE)

    assert states(village) == [ON, OFF]


def test_a_choice_after_leaving_one_is_no_stop_for_all(talking_village: Village) -> None:
    village = talking_village
    family(village, "田中家", "母")
    family(village, "鈴木家", "叔母")
    village.run_until("2026-12-01 11:00")
    say(village, "WHO")
    say(village, "済んだよ")
    with village.app.writing() as uow:
        inbox.keep(uow, inbox.InboundText("SM8", AT, "2 停止"))
        inbox.keep(uow, inbox.InboundText("SM9", AT, "お母さんです"))
    village.run_until("2026-12-01 12:00")

    assert states(village) == [ON, OFF]


def test_the_same_text_twice_leaves_once(talking_village: Village) -> None:
    village = talking_village
    family(village, "田中家", "母")
    family(village, "鈴木家", "叔母")
    village.run_until("2026-12-01 11:00")
    say(village, "WHO")
    for _ in range(2):
        with village.app.writing() as uow:
            inbox.keep(uow, inbox.InboundText("SM9", AT, "2 停止"))
    village.run_until("2026-12-01 12:00")

    assert sum("止めました" in one for one in village.words_to("sender")) == 1
    with village.app.database.reading() as tx:
        acts = [one.act for one in consents.of_contacts(tx, [4])[4] if one.act == "withdrew"]
    assert len(acts) <= 1


@pytest.mark.parametrize(
    ("text", "who"),
    [
        ("両方", "both"), ("りょうほう", "both"), ("二人とも", "both"), ("ふたりとも", "both"), ("２人とも", "both"),
        ("both", "both"), ("BOTH of them", "both"), ("全部", "both"), ("1と2", "both"), ("1、2です", "both"),
        ("ふたりとも済みました", "both"), ("両方です", "both"), ("みんな", "both"),
        ("どちらも違います", ""), ("お母さんじゃないです", ""), ("12", ""), ("両方まだ", ""),
    ],
)  # fmt: skip
def test_both_of_a_couple_are_meant_by_words_and_nobody_by_guessing(
    talking_village: Village, text: str, who: str
) -> None:
    village = talking_village
    family(village, "田中家", "母")
    village.person("父", phone=PHONE, mode=Mode.ELDERLY)
    village.card("父", SOON, "passport")
    village.run_until("2026-12-01 11:00")
    (question,) = say(village, "済んだよ")
    assert "「両方」" in question

    say(village, text)

    done = [village.card_of(one).acknowledged_on for one in (1, 2)]
    assert done == ([date(2026, 12, 1)] * 2 if who else [None, None])


def test_both_of_three_is_not_understood_but_all_is(talking_village: Village) -> None:
    village = talking_village
    family(village, "田中家", "母")
    for label in ("父", "祖母"):
        village.person(label, phone=PHONE, mode=Mode.ELDERLY)
        village.card(label, SOON, "passport")
    village.run_until("2026-12-01 11:00")
    say(village, "済んだよ")

    say(village, "両方")
    assert [village.card_of(one).acknowledged_on for one in (1, 2, 3)] == [None] * 3
    say(village, "みんな")
    assert [village.card_of(one).acknowledged_on for one in (1, 2, 3)] == [date(2026, 12, 1)] * 3
