"""People who answer, or do not: whole stories on both databases, where texts can be answered."""

from datetime import date

import pytest

from reminder.domain.model.people import ChannelName, ConsentHow, ContactState, Language, Mode, StoppedBy
from reminder.enrolment import consent
from reminder.errors import ConflictError
from tests.village import SIGNATURE_CERTIFICATE, Village

# As in test_stories: opens 01-04, d60 01-29, d30 02-22, d14 03-17, d7 03-24, d1 03-30, a7 04-07.
END = date(2027, 3, 31)
MOTHER = "090-0000-0001"


def a_family(village: Village, *, consent: bool = True) -> int:
    """An elderly mother, her daughter, and a certificate."""
    village.member("娘", "musume@example.jp")
    village.person("母", phone=MOTHER, mode=Mode.ELDERLY, mark="つばめ", consent=consent)
    return village.card("母", END)


def told(village: Village, name: str, holding: str) -> list[str]:
    return [words for words in village.words_to(name) if holding in words]


def test_a_mother_who_answers_1_hears_no_more_and_her_daughter_is_asked_for_the_new_date(
    talking_village: Village,
) -> None:
    village = talking_village
    card = a_family(village)
    village.run_until("2027-01-29 15:00")

    village.answers("母", "１")

    assert village.words_to("母")[-1] == (
        "【期限だより・つばめ】お母さん、ご連絡ありがとうございます。手続き、おつかれさまでした。"
    )
    assert village.texts_to("母")[-1] == "01-29 15:00", "an answer goes at once"
    assert len(told(village, "娘", "「済んだ」と返事がありました")) == 1
    texts = len(village.texts_to("母"))
    village.run_until("2027-03-31 23:00")
    assert len(village.texts_to("母")) == texts
    asked_again = told(village, "娘", "「済んだ」とうかがいました")
    assert len(asked_again) == 4, "every fortnight until the end"

    village.renew(card, date(2032, 3, 31))
    village.run_until("2027-12-31 00:00")
    assert len(village.texts_to("母")) == texts
    assert told(village, "娘", "「済んだ」とうかがいました") == asked_again


def test_without_a_new_date_the_schedule_goes_on_after_the_end_for_a_1_may_have_been_a_mistake(
    talking_village: Village,
) -> None:
    village = talking_village
    a_family(village)
    village.run_until("2027-01-29 15:00")
    village.answers("母", "はい")

    village.run_until("2027-04-08 00:00")

    assert village.texts_to("母")[-1] == "04-07 10:00"


def test_later_is_three_days_later_and_sooner_near_the_end(talking_village: Village) -> None:
    village = talking_village
    a_family(village)
    village.run_until("2027-02-22 11:00")

    village.answers("母", "あとで")
    village.run_until("2027-03-01 00:00")

    assert "2月25日（木）に、もう一度お知らせします" in told(village, "母", "もう一度")[0]
    assert village.texts_to("母")[-1] == "02-25 10:00"
    assert "電子証明書の更新" in village.words_to("母")[-1]

    village.answers("母", "２", at="2027-03-24 11:00")
    village.run_until("2027-03-30 00:00")
    assert village.texts_to("母")[-1] == "03-29 10:00", "seven days are left: three days later is a Saturday"


def test_who_will_go_and_does_not_is_reminded_again(talking_village: Village) -> None:
    village = talking_village
    a_family(village)
    village.run_until("2027-01-29 11:00")

    village.answers("母", "来週行きます")
    village.run_until("2027-02-10 00:00")

    assert village.texts_to("母")[-1] == "02-05 10:00"


def test_who_asks_for_the_family_is_heard_by_the_family(talking_village: Village) -> None:
    village = talking_village
    a_family(village)
    village.run_until("2027-01-29 11:00")

    village.answers("母", "９")

    assert "ご家族にお伝えしました" in village.words_to("母")[-1]
    assert len(told(village, "娘", "「家族に聞きたい」")) == 1


def test_who_asks_who_this_is_reads_that_it_is_no_office(talking_village: Village) -> None:
    village = talking_village
    a_family(village)
    village.run_until("2027-01-29 11:00")

    village.answers("母", "だれですか？")

    assert "役所ではありません" in village.words_to("母")[-1]


def test_a_reply_that_no_rule_knows_goes_to_the_daughter_in_its_own_words(talking_village: Village) -> None:
    village = talking_village
    a_family(village)
    village.run_until("2027-01-29 11:00")

    village.answers("母", "ねこがにげた")

    assert "「ねこがにげた」" in told(village, "娘", "返事がありました")[0]


def test_a_mother_who_sends_twelve_digits_is_told_not_to_and_nothing_of_it_is_kept(talking_village: Village) -> None:
    village = talking_village
    a_family(village)
    village.run_until("2027-01-29 11:00")

    village.answers("母", "わたしのは 1234 5678 9018 です")  # invented

    assert "番号は送らないでください" in village.words_to("母")[-1]
    assert len(told(village, "娘", "番号のような返事")) == 1
    everything = village.words_to("母") + village.words_to("娘")
    assert not any("9018" in words or "5678" in words for words in everything)
    with village.app.database.reading() as tx:
        kept = tx.connection().exec_driver_sql("SELECT intent, body_sealed FROM replies").all()
    assert [tuple(row) for row in kept] == [("number", None)]


@pytest.mark.parametrize("word", ["停止", "とめて", "ＳＴＯＰ", "配信停止", "やめてください"])
def test_a_mother_who_says_stop_hears_nothing_until_she_says_start(talking_village: Village, word: str) -> None:
    village = talking_village
    a_family(village)
    village.run_until("2027-01-29 11:00")

    village.answers("母", word)

    assert "お知らせを止めました" in village.words_to("母")[-1]
    assert "ご本人へのお知らせを止めました" in told(village, "娘", "止めました")[-1]
    texts = len(village.texts_to("母"))
    village.answers("母", word)
    village.run_until("2027-03-01 12:00")
    assert len(village.texts_to("母")) == texts, "it is confirmed once"
    for how in (ConsentHow.SPOKEN, ConsentHow.WRITTEN):
        with pytest.raises(ConflictError), village.app.writing() as uow:
            consent.confirm(uow, contact_id=2, how=how, said_by="長女")

    village.answers("母", "再開")
    village.run_until("2027-03-18 00:00")

    assert "お知らせを再開しました" in village.words_to("母")[texts]
    assert village.texts_to("母")[-1] == "03-17 10:00"


def test_a_stop_through_the_family_is_taken_back_by_a_signed_form(village: Village) -> None:
    a_family(village)
    village.stop(2)

    with pytest.raises(ConflictError), village.app.writing() as uow:
        consent.confirm(uow, contact_id=2, how=ConsentHow.SPOKEN, said_by="長女")
    with village.app.writing() as uow:
        consent.confirm(uow, contact_id=2, how=ConsentHow.WRITTEN, said_by="長女")

    assert village.contacts()["+819000000001"] is ContactState.CONFIRMED


def test_a_stop_by_the_provider_s_word_is_told_to_the_family_and_is_the_owner_s_to_take_back(
    talking_village: Village,
) -> None:
    village = talking_village
    a_family(village)
    village.stop(2, StoppedBy.PROVIDER)

    with pytest.raises(ConflictError), village.app.writing() as uow:
        consent.confirm(uow, contact_id=2, how=ConsentHow.WRITTEN, said_by="長女")
    village.answers("母", "START")

    assert village.contacts()["+819000000001"] is ContactState.CONFIRMED


def test_a_wrong_number_hears_no_more_and_the_family_looks_for_the_right_one(talking_village: Village) -> None:
    village = talking_village
    a_family(village)
    village.run_until("2027-01-29 11:00")

    village.answers("母", "人違いです")

    assert "もうお送りしません" in village.words_to("母")[-1]
    assert village.contacts()["+819000000001"] is ContactState.UNREACHABLE
    assert len(told(village, "娘", "人ちがい")) == 1
    texts = len(village.texts_to("母"))
    village.run_until("2027-12-31 00:00")
    assert len(village.texts_to("母")) == texts


def test_thanks_are_answered_once(talking_village: Village) -> None:
    village = talking_village
    a_family(village)
    village.run_until("2027-01-29 11:00")
    texts = len(village.texts_to("母"))

    for _ in range(4):
        village.answers("母", "ありがとう")

    assert len(village.texts_to("母")) == texts + 1


def test_a_telephone_that_answers_everything_by_itself_is_left_alone(talking_village: Village) -> None:
    village = talking_village
    a_family(village)
    village.run_until("2027-01-29 11:00")
    texts = len(village.texts_to("母"))

    for _ in range(30):
        village.answers("母", "ただいま電話に出られません。")

    assert len(village.texts_to("母")) == texts + 3


def test_a_stranger_gets_nothing_and_nothing_of_it_is_kept(talking_village: Village) -> None:
    village = talking_village
    a_family(village)
    village.run_until("2027-01-29 11:00")
    village._addresses["だれか"] = {"+819000000099"}
    village._addresses["会社"] = {"+15005550006"}

    assert not village.answers("だれか", "１")
    assert not village.answers("会社", "１")
    assert village.texts_to("だれか") == []


def test_two_cards_in_one_text_are_both_done_by_one_answer(talking_village: Village) -> None:
    village = talking_village
    first = a_family(village)
    second = village.card("母", END, SIGNATURE_CERTIFICATE)
    village.run_until("2027-01-29 11:00")

    village.answers("母", "済みました")

    assert village.card_of(first).acknowledged_on == date(2027, 1, 29)
    # What elders are not told of is not asked of them either.
    assert village.card_of(second).acknowledged_on is None


def test_where_two_questions_are_open_each_has_its_own_digit(talking_village: Village) -> None:
    village = talking_village
    first = a_family(village)
    second = village.card("母", date(2027, 6, 30), "passport")
    village.run_until("2027-01-05 11:00")
    texts = village.words_to("母")
    assert any("済んだら1と返信" in text for text in texts)
    assert any("済んだら3と返信" in text for text in texts)

    village.answers("母", "済んだよ")
    assert village.card_of(first).acknowledged_on is None
    assert village.card_of(second).acknowledged_on is None
    assert len(told(village, "娘", "どのカードのことか")) == 1

    village.answers("母", "３")
    assert [village.card_of(card).acknowledged_on is not None for card in (first, second)].count(True) == 1
    village.answers("母", "1")
    assert village.card_of(first).acknowledged_on is not None
    assert village.card_of(second).acknowledged_on is not None


def test_parents_who_share_a_telephone_each_have_their_digit(talking_village: Village) -> None:
    village = talking_village
    village.member("娘", "musume@example.jp")
    for label, end in (("母", END), ("父", date(2027, 4, 5))):
        village.person(label, phone=MOTHER, mode=Mode.ELDERLY)
        village.card(label, end, "passport")
    cards = (1, 2)
    village.run_until("2027-03-10 11:00")

    village.answers("父", "３")

    done = [village.card_of(card).acknowledged_on is not None for card in cards]
    assert done == [False, True]


def test_parents_who_are_told_in_the_same_minute_on_one_telephone_have_two_digits(talking_village: Village) -> None:
    village = talking_village
    village.member("娘", "musume@example.jp")
    for label in ("母", "父"):
        village.person(label, phone=MOTHER, mode=Mode.ELDERLY)
        village.card(label, END, "passport")

    village.run_until("2027-03-24 11:00")

    last = village.words_to("母")[-2:]
    assert [next(digit for digit in "13" if f"済んだら{digit}と" in text) for text in last] == ["1", "3"]


# --- consent


def ask(village: Village, contact_id: int = 2) -> None:
    app = village.app
    with app.units.writing(village.now) as uow:
        consent.ask(uow, contact_id=contact_id, told_by="長女")


def test_nothing_goes_to_who_was_not_told_by_the_family_first(talking_village: Village) -> None:
    village = talking_village
    a_family(village, consent=False)

    village.run_until("2027-12-31 00:00")

    assert village.texts_to("母") == []
    assert len(village.texts_to("娘")) >= 10


@pytest.mark.parametrize("word", ["１", "はい", "お願いします"])
def test_a_yes_to_the_text_that_asks_is_consent(talking_village: Village, word: str) -> None:
    village = talking_village
    a_family(village, consent=False)
    ask(village)
    village.run_until("2026-12-01 12:00")
    assert village.words_to("母") == [
        "【期限だより・つばめ】お母さん、田中家から期限のお知らせの申し込みがありました。受け取る時は1、いらない時は2と返信してください。"
    ]

    village.answers("母", word)
    village.run_until("2027-01-05 00:00")

    assert "ありがとうございます" in village.words_to("母")[1]
    assert village.texts_to("母")[2:] == ["01-04 10:00"]


@pytest.mark.parametrize("word", ["２", "いいえ", "いらない", "停止"])
def test_a_no_to_it_is_final_until_the_person_says_otherwise(talking_village: Village, word: str) -> None:
    village = talking_village
    a_family(village, consent=False)
    ask(village)
    village.run_until("2026-12-01 12:00")

    village.answers("母", word)
    village.run_until("2027-12-31 00:00")

    assert len(village.texts_to("母")) == 2
    assert "お送りしません" in village.words_to("母")[-1]
    assert len(told(village, "娘", "「いらない」と返事")) == 1
    with pytest.raises(ConflictError):
        ask(village)


def test_silence_is_not_consent_and_nobody_is_asked_more_than_twice(talking_village: Village) -> None:
    village = talking_village
    a_family(village, consent=False)
    ask(village)
    with pytest.raises(ConflictError):
        ask(village)
    village.run_until("2026-12-20 12:00")
    ask(village)
    village.run_until("2027-01-10 12:00")

    with pytest.raises(ConflictError):
        ask(village)
    village.run_until("2027-12-31 00:00")

    assert len(village.texts_to("母")) == 2
    assert village.contacts()["+819000000001"] is ContactState.UNCONFIRMED


def test_a_doubt_about_consent_goes_to_the_family_and_is_no_yes(talking_village: Village) -> None:
    village = talking_village
    a_family(village, consent=False)
    ask(village)
    village.run_until("2026-12-01 12:00")

    village.answers("母", "これは詐欺ですか")
    village.answers("母", "むずかしくてわからん")

    assert village.contacts()["+819000000001"] is ContactState.UNCONFIRMED
    assert "役所ではありません" in village.words_to("母")[1]
    assert len(told(village, "娘", "返事がありました")) == 1


def test_on_a_telephone_that_two_share_the_answer_is_that_of_who_was_asked(talking_village: Village) -> None:
    village = talking_village
    village.member("娘", "musume@example.jp")
    for label, consent_given in (("父", True), ("母", False)):
        village.person(label, phone=MOTHER, mode=Mode.ELDERLY, consent=consent_given)
        village.card(label, END)
    ask(village, contact_id=3)
    village.run_until("2026-12-01 12:00")

    village.answers("母", "はい")
    village.run_until("2027-01-05 00:00")

    assert sum("受け取る時は1" in words for words in village.words_to("母")) == 1
    assert sum("お母さん、マイナンバーカード" in words for words in village.words_to("母")) == 1


def test_where_texts_cannot_be_answered_nobody_is_asked_by_one(village: Village) -> None:
    a_family(village, consent=False)

    with pytest.raises(ConflictError) as refused:
        ask(village)

    assert refused.value.code == "replies_off"


def test_where_texts_cannot_be_answered_they_say_whom_to_ask_and_the_daughter_enters_the_date(village: Village) -> None:
    card = a_family(village)
    village.run_until("2027-02-01 00:00")
    assert not any("返信" in words for words in village.words_to("母"))
    assert any("家族" in words for words in village.words_to("母"))

    village.renew(card, date(2032, 3, 31))
    village.run_until("2027-12-31 00:00")

    assert village.texts_to("母") == ["01-04 10:00", "01-29 10:00"]


def test_an_answer_from_a_relative_s_telephone_is_no_answer_of_the_person_s(talking_village: Village) -> None:
    village = talking_village
    card = a_family(village)
    village.contact("母", ChannelName.SMS, "090-0000-0007", family="孫")
    village.run_until("2027-01-29 11:00")

    village.answers("孫", "１")
    village.answers("孫", "停止")

    assert village.card_of(card).acknowledged_on is None
    assert village.contacts()["+819000000007"] is ContactState.OPTED_OUT
    assert village.contacts()["+819000000001"] is ContactState.CONFIRMED


@pytest.mark.parametrize("mode", [Mode.STANDARD, Mode.ELDERLY])
@pytest.mark.parametrize(
    ("language", "names"),
    [("ja", ("お母さん", "お父さん")), ("en", ("母", "父")), ("ja-easy", ("お母さん", "お父さん"))],
)
def test_a_couple_at_one_telephone_reads_whose_card_it_is_and_is_answered_by_name(
    talking_village: Village, mode: Mode, language: str, names: tuple[str, str]
) -> None:
    village = talking_village
    village.member("娘", "musume@example.jp")
    for label in ("母", "父"):
        village.person(label, phone=MOTHER, mode=mode, language=Language(language))
        village.card(label, date(2026, 12, 4), "passport")

    village.run_until("2026-12-01 12:00")
    village.answers("母", "3")
    village.run_until("2026-12-04 20:00")

    texts = village.words_to("母")
    assert [names[0] in texts[0], names[1] in texts[1]] == [True, True]
    assert ["1" in texts[0].rpartition("日")[2], "3" in texts[1]] == [True, True], "each has a digit"
    assert names[1] in texts[2], "the answer names whose card is done"
    assert sum(names[0] in text for text in texts) > sum(names[1] in text for text in texts) - 1
