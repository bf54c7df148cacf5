"""Whole days and years: what people get, and when, on both databases."""

from datetime import date

import pytest

from reminder.domain.model.people import ChannelName, GroupKind, Mode, Role
from reminder.errors import PermanentChannelError, SetupChannelError, TemporaryChannelError
from tests.village import CARD, SIGNATURE_CERTIFICATE, USER_CERTIFICATE, Village

# A Wednesday. Its days: opens 01-04, d60 01-30, d30 02-25, d14 03-17, d7 03-24, d3 03-27, d1 03-30, d0 03-31, a7 04-07.
END = date(2027, 3, 31)


def test_a_text_that_fails_once_goes_out_a_minute_later(village: Village) -> None:
    village.person("母", phone="090-0000-0001")
    village.card("母", END)
    village.run_until("2027-01-05 00:00")
    before = len(village.texts_to("母"))
    village.sms.fail_next(TemporaryChannelError("503"))

    village.run_until("2027-01-31 00:00")

    assert village.texts_to("母")[before:] == ["01-30 09:01"]


def test_a_whole_certificate_is_told_at_shrinking_intervals_and_then_through_its_grace(village: Village) -> None:
    village.person("父", phone="090-0000-0002")
    village.card("父", END)

    village.run_until("2027-12-31 00:00")

    assert village.texts_to("父") == [
        "01-04 09:00", "01-30 09:00", "02-25 09:00", "03-17 09:00", "03-24 09:00", "03-27 09:00", "03-30 09:00",
        "03-31 09:00", "04-07 09:00", "05-31 09:00", "06-23 09:00", "07-01 09:00",
    ]  # fmt: skip


def test_an_elder_is_told_on_weekdays_at_ten_and_the_carer_gets_a_copy_of_each(village: Village) -> None:
    village.member("娘", "musume@example.jp")
    village.person("母", phone="090-0000-0001", mode=Mode.ELDERLY, mark="つばめ")
    village.card("母", END)

    village.run_until("2027-04-01 00:00")

    texts = village.texts_to("母")
    assert texts == ["01-04 10:00", "01-29 10:00", "02-22 10:00", "03-17 10:00", "03-24 10:00", "03-30 10:00"]
    assert set(texts) <= set(village.texts_to("娘"))
    assert all("つばめ" in text for text in village.words_to("母"))


def test_after_an_outage_only_the_most_urgent_step_is_told(village: Village) -> None:
    village.person("母", phone="090-0000-0001")
    village.card("母", END)
    village.run_until("2027-01-10 00:00")
    told = len(village.texts_to("母"))

    village.sleep_until("2027-03-26 11:30")
    village.run_until("2027-03-26 23:59")

    assert village.texts_to("母")[told:] == ["03-26 11:30"]


def test_an_outage_that_ends_at_night_is_caught_up_with_in_the_morning(village: Village) -> None:
    village.person("母", phone="090-0000-0001")
    village.card("母", END)

    village.sleep_until("2027-03-18 22:00")
    village.run_until("2027-03-19 12:00")

    assert village.texts_to("母") == ["03-19 09:00"]


def test_an_outage_over_the_end_is_followed_at_once_by_the_first_text_that_is_still_true(village: Village) -> None:
    village.person("母", phone="090-0000-0001")
    village.card("母", END)

    village.sleep_until("2027-04-02 08:00")
    village.run_until("2027-04-08 00:00")

    assert village.texts_to("母") == ["04-02 09:00"]
    assert "期限が過ぎました" in village.words_to("母")[0]


def test_two_certificates_on_one_date_are_told_in_one_text(village: Village) -> None:
    village.person("母", phone="090-0000-0001")
    village.card("母", END, USER_CERTIFICATE)
    village.card("母", END, SIGNATURE_CERTIFICATE)

    village.run_until("2027-01-31 00:00")

    assert village.texts_to("母") == ["01-04 09:00", "01-30 09:00"]


def test_cards_with_different_dates_due_on_one_day_are_told_in_one_text(village: Village) -> None:
    village.person("母", phone="090-0000-0001")
    village.card("母", date(2027, 3, 31), USER_CERTIFICATE)
    village.card("母", date(2027, 4, 7), SIGNATURE_CERTIFICATE)  # 24 March: d7 and d14

    village.run_until("2027-03-24 23:00")

    assert village.texts_to("母")[-1] == "03-24 09:00"
    assert len(set(village.texts_to("母"))) == len(village.texts_to("母"))
    assert "3月31日" in village.words_to("母")[-1]
    assert "4月7日" in village.words_to("母")[-1]


def test_a_carer_of_two_parents_gets_one_mail_a_day(village: Village) -> None:
    village.member("娘", "musume@example.jp")
    village.person("母", phone="090-0000-0001", mode=Mode.ELDERLY)
    village.person("父", phone="090-0000-0002", mode=Mode.ELDERLY)
    village.card("母", END)
    village.card("父", END)

    village.run_until("2027-04-30 00:00")

    days = [text.split()[0] for text in village.texts_to("娘")]
    assert len(days) == len(set(days))
    assert any("お母" in words and "お父" in words for words in village.words_to("娘"))


def test_a_card_added_late_is_told_the_same_day_if_today_is_still_open(village: Village) -> None:
    village.person("母", phone="090-0000-0001")
    village.sleep_until("2027-03-12 14:00")

    village.card("母", END)
    village.run_until("2027-03-12 23:00")

    assert village.texts_to("母") == ["03-12 14:00"]


def test_a_second_card_added_after_todays_text_waits_for_tomorrow(village: Village) -> None:
    village.person("母", phone="090-0000-0001")
    village.card("母", END)
    village.run_until("2027-01-30 10:00")
    assert village.texts_to("母")[-1] == "01-30 09:00"

    village.card("母", date(2027, 2, 20), SIGNATURE_CERTIFICATE)
    village.run_until("2027-02-01 23:00")

    # 31 January is a Sunday.
    assert village.texts_to("母")[-2:] == ["01-30 09:00", "02-01 09:00"]


def test_a_renewed_card_is_silent_about_its_old_date_and_starts_a_fresh_schedule(village: Village) -> None:
    village.person("母", phone="090-0000-0001")
    card = village.card("母", END)
    village.run_until("2027-03-17 08:00")
    told = len(village.texts_to("母"))

    village.renew(card, date(2032, 3, 31))
    village.run_until("2031-12-31 00:00")
    assert len(village.texts_to("母")) == told

    village.run_until("2032-04-01 00:00")
    assert len(village.texts_to("母")) > told + 5
    assert "2032" not in village.words_to("母")[0]


def test_a_text_already_queued_when_the_card_is_renewed_is_cancelled(village: Village) -> None:
    village.person("母", phone="090-0000-0001")
    card = village.card("母", END)
    village.run_until("2027-03-17 08:00")
    assert village.states()[-1] == "queued"

    village.renew(card, date(2032, 3, 31))
    village.run_until("2027-03-18 00:00")

    assert village.messages()[-1].state == "cancelled"
    assert village.messages()[-1].reason == "renewed"


def test_of_two_cards_in_a_cancelled_text_the_other_is_still_told_that_day(village: Village) -> None:
    village.person("母", phone="090-0000-0001")
    user = village.card("母", END, USER_CERTIFICATE)
    village.card("母", END, SIGNATURE_CERTIFICATE)
    village.run_until("2027-03-17 08:00")

    village.renew(user, date(2032, 3, 31))
    village.run_until("2027-03-18 00:00")

    assert village.texts_to("母")[-1] == "03-17 09:00"


def test_a_retired_card_is_told_of_no_more(village: Village) -> None:
    village.person("母", phone="090-0000-0001")
    card = village.card("母", END)
    village.run_until("2027-02-01 00:00")
    told = len(village.texts_to("母"))

    village.retire(card)
    village.run_until("2028-01-01 00:00")

    assert len(village.texts_to("母")) == told


def test_without_consent_only_the_carer_is_told(village: Village) -> None:
    village.member("娘", "musume@example.jp")
    village.person("母", phone="090-0000-0001", mode=Mode.ELDERLY, consent=False)
    village.card("母", END)

    village.run_until("2027-12-31 00:00")

    assert village.texts_to("母") == []
    assert len(village.texts_to("娘")) >= 10


def test_a_landline_is_kept_and_never_texted(village: Village) -> None:
    village.member("娘", "musume@example.jp")
    village.person("母", mode=Mode.ELDERLY)
    village.contact("母", ChannelName.VOICE, "03-0000-0000".replace("0000-0000", "3500-0001"))
    village.card("母", END)

    village.run_until("2027-12-31 00:00")

    assert village.sms.sent == []
    assert len(village.texts_to("娘")) >= 10


def test_a_viewer_is_told_nothing(village: Village) -> None:
    village.member("孫", "mago@example.jp", role=Role.VIEWER)
    village.person("母", phone="090-0000-0001", mode=Mode.ELDERLY)
    village.card("母", END)

    village.run_until("2027-12-31 00:00")

    assert village.texts_to("孫") == []


def test_a_person_with_an_address_and_no_mobile_is_told_by_mail(village: Village) -> None:
    village.person("父")
    village.contact("父", ChannelName.EMAIL, "chichi@example.jp")
    village.card("父", END)

    village.run_until("2027-02-01 00:00")

    assert village.texts_to("父") == ["01-04 09:00", "01-30 09:00"]


def test_a_phone_that_refuses_texts_for_good_is_replaced_by_mail_the_same_day_and_the_family_learns_of_it(
    village: Village,
) -> None:
    village.member("娘", "musume@example.jp")
    village.person("父", phone="090-0000-0002")
    village.contact("父", ChannelName.EMAIL, "chichi@example.jp")
    village.sms.fail_next(PermanentChannelError("21614"))
    village.card("父", END)

    village.run_until("2027-01-05 00:00")

    assert village.sms.sent == []
    assert village.texts_to("父") == ["01-04 09:01"]
    assert len(village.texts_to("娘")) == 1


def test_a_resident_of_a_home_without_a_phone_is_told_to_family_and_staff(village: Village) -> None:
    village.group(GroupKind.HOME, "さくら苑")
    village.member("事務", "jimu@example.jp")
    village.person("タケさん", reference="202")
    village.contact("タケさん", ChannelName.EMAIL, "musuko@example.jp", family="息子")
    village.card("タケさん", END)

    village.run_until("2027-12-31 00:00")

    assert len(village.texts_to("息子")) == 3
    asked = [words for words in village.words_to("事務") if "「済んだ」の連絡がまだありません" in words]
    assert len(village.reminders_to("事務")) - len(asked) == 3
    assert len(asked) == 1, "the son did nothing, so the home was asked once"


def test_staff_hear_of_many_residents_in_one_mail_a_day(village: Village) -> None:
    village.group(GroupKind.HOME, "さくら苑")
    village.member("事務", "jimu@example.jp")
    for place in range(12):
        village.person(f"入居者{place}")
        village.card(f"入居者{place}", END)

    village.run_until("2027-12-31 00:00")

    days = village.reminders_to("事務")
    assert len(days) == len({day.split()[0] for day in days})
    assert all(f"入居者{place}" in village.words_to("事務")[0] for place in range(12))


def test_a_stopped_contact_hears_nothing_more_and_cannot_be_reached_by_a_queued_text(village: Village) -> None:
    village.person("父")
    contact = village.contact("父", ChannelName.SMS, "090-0000-0002")
    village.card("父", END)
    village.run_until("2027-01-30 08:00")
    told = len(village.texts_to("父"))
    assert village.states()[-1] == "queued"

    village.stop(contact)
    village.run_until("2027-12-31 00:00")

    assert list(village.words_to("父")[told:]) == [
        "【期限だより】お知らせを止めました。また受け取りたい時は、ご家族に言ってください。"
    ], "it is confirmed once, and nothing follows"


def test_a_channel_whose_account_is_at_fault_pauses_and_loses_nothing(village: Village) -> None:
    village.person("父", phone="090-0000-0002")
    village.card("父", END)
    broken = True
    village.sms.fail_when(lambda _: SetupChannelError("20003") if broken else None)
    village.run_until("2027-01-04 12:00")
    assert village.texts_to("父") == []

    broken = False
    village.run_until("2027-01-04 23:00")

    assert village.texts_to("父") == ["01-04 12:15"]


def test_what_fails_all_day_is_told_the_next_day_once(village: Village) -> None:
    village.person("父", phone="090-0000-0002")
    village.card("父", END)
    failing = True
    village.sms.fail_when(lambda _: TemporaryChannelError("503") if failing else None)
    village.run_until("2027-01-04 23:00")
    assert "stale" in village.states()

    failing = False
    village.run_until("2027-01-06 00:00")

    assert village.texts_to("父") == ["01-05 09:00"]


def test_an_answer_that_was_lost_is_asked_for_and_not_sent_again(village: Village) -> None:
    village.person("父", phone="090-0000-0002")
    village.card("父", END)
    village.sms.lose_answer_next()

    village.run_until("2027-01-05 00:00")

    assert village.texts_to("父") == ["01-04 09:00"]
    assert village.states() == ["accepted"]


def test_a_computed_date_is_never_said_to_have_passed(village: Village) -> None:
    village.person("父", phone="090-0000-0002")
    village.card("父", END, is_computed=True)

    village.run_until("2027-04-10 00:00")

    after_the_end = village.words_to("父")[-1]
    assert village.texts_to("父")[-1] == "04-07 09:00"
    assert "過ぎました" not in after_the_end
    assert "すぎました" not in after_the_end


@pytest.mark.parametrize("kind", [USER_CERTIFICATE, SIGNATURE_CERTIFICATE, CARD])
def test_nobody_gets_two_texts_on_one_day_whatever_ends(village: Village, kind: str) -> None:
    village.person("母", phone="090-0000-0001", mode=Mode.STANDARD)
    for other in (USER_CERTIFICATE, SIGNATURE_CERTIFICATE, CARD):
        village.card("母", END if other == kind else date(2027, 4, 5), other)

    village.run_until("2027-09-01 00:00")

    days = [text.split()[0] for text in village.texts_to("母")]
    assert len(days) == len(set(days))


@pytest.mark.parametrize(("card_ends", "grace"), [(END, False), (date(2027, 5, 1), False), (date(2032, 3, 31), True)])
def test_no_grace_is_promised_that_would_outlast_the_card_itself(
    village: Village, card_ends: date, grace: bool
) -> None:
    village.person("父", phone="090-0000-0002")
    village.card("父", END)
    village.card("父", card_ends, CARD)

    village.run_until("2027-08-01 00:00")

    assert any("6月30日" in words for words in village.words_to("父")) is grace


def test_a_renewed_card_gives_its_certificate_the_grace_it_could_not_promise_before(village: Village) -> None:
    village.person("父", phone="090-0000-0002")
    village.card("父", END)
    card = village.card("父", END, CARD)
    village.run_until("2027-04-20 00:00")

    village.renew(card, date(2037, 3, 31))
    village.run_until("2027-08-01 00:00")

    assert any("6月30日" in words for words in village.words_to("父"))
