"""How a group and its members want to be told: what is chosen holds from that moment on, and nothing is lost by it."""

from datetime import date, timedelta

import pytest

from reminder.domain.model.people import ChannelName, Copies, GroupKind, Mode, Role
from reminder.domain.rules.preferences import DEFAULT_PREFERENCES, Preferences
from reminder.enrolment import preferences as preference_settings
from reminder.errors import NotFoundError, PermanentChannelError, RefusedInputError, TemporaryChannelError
from reminder.storage.registry import groups
from tests.village import USER_CERTIFICATE, Village

END = date(2027, 6, 30)  # a Wednesday; opens on 1 April
LOST, ASKED = "届きませんでした", "「済んだ」の連絡がまだありません"


def choose(village: Village, preferences: Preferences, group_id: int = 1) -> None:
    with village.app.writing() as uow:
        preference_settings.set_preferences(uow, group_id=group_id, preferences=preferences)


def choose_copies(village: Village, member_id: int, copies: Copies) -> None:
    with village.app.writing() as uow:
        preference_settings.set_copies(uow, member_id=member_id, copies=copies)


def preferences_of(village: Village) -> Preferences:
    with village.app.database.reading() as tx:
        group = groups.find(tx, 1)
    assert group is not None
    return group.preferences


def written(village: Village) -> list[str]:
    with village.app.database.reading() as tx:
        return [row[0] for row in tx.connection().exec_driver_sql("SELECT act FROM activity_log ORDER BY id").all()]


@pytest.mark.parametrize(
    "preferences",
    [
        Preferences("few"),
        Preferences(own_days=(60, 30, 7)),
        Preferences(own_days=(365, 300, 240, 180, 130, 90, 60, 30)),
        Preferences(send_hour=17, on_holidays=True),
        DEFAULT_PREFERENCES,
    ],
)
def test_a_preferences_is_kept_as_it_was_chosen(village: Village, preferences: Preferences) -> None:
    village.group()
    choose(village, Preferences("often", (9,), 9, on_holidays=True))

    choose(village, preferences)

    assert preferences_of(village) == preferences
    assert written(village).count("preferences_changed") == 2


def test_a_preferences_that_cannot_be_kept_is_refused_and_changes_nothing(village: Village) -> None:
    village.group()

    with pytest.raises(RefusedInputError):
        choose(village, Preferences(preset="daily"))
    with pytest.raises(NotFoundError):
        choose(village, Preferences("few"), group_id=99)
    choose(village, DEFAULT_PREFERENCES)

    assert preferences_of(village) == DEFAULT_PREFERENCES
    assert "preferences_changed" not in written(village), "nothing was changed"


@pytest.mark.parametrize(
    ("preferences", "texts", "why"),
    [
        (DEFAULT_PREFERENCES, ["04-01 09:00", "05-01 09:00", "05-31 09:00", "06-16 09:00"], "as everybody"),
        (
            Preferences(own_days=(60, 35, 15)),
            ["04-01 09:00", "05-01 09:00", "05-26 09:00", "06-15 09:00"],
            "its own days",
        ),
        (Preferences("few"), ["04-01 09:00", "05-31 09:00"], "fewer"),
        (Preferences(send_hour=17), ["04-01 17:00", "05-01 17:00", "05-31 17:00", "06-16 17:00"], "in the evening"),
        (
            Preferences(own_days=(87, 59, 31, 3)),
            ["04-03 09:00", "05-01 09:00", "05-29 09:00"],
            "no Sunday and no holiday",
        ),
        (
            Preferences(own_days=(87, 59, 31, 3), on_holidays=True),
            ["04-04 09:00", "05-02 09:00", "05-30 09:00"],
            "Sundays, too",
        ),
    ],
)
def test_a_card_that_is_registered_then_is_told_in_its_group_s_preferences(
    village: Village, preferences: Preferences, texts: list[str], why: str
) -> None:
    village.group()
    choose(village, preferences)
    village.person("父", phone="090-0000-0002")
    village.card("父", END)

    village.run_until("2027-06-16 23:00")

    assert village.texts_to("父") == texts, why


@pytest.mark.parametrize(
    ("before", "after", "next_on", "why"),
    [
        (
            DEFAULT_PREFERENCES,
            Preferences(own_days=(80, 20)),
            date(2027, 4, 10),
            "sooner: eighty days before, a Sunday is next",
        ),
        (DEFAULT_PREFERENCES, Preferences(own_days=(20,)), date(2027, 6, 10), "later"),
        (Preferences(own_days=(20,)), DEFAULT_PREFERENCES, date(2027, 5, 1), "as usual again"),
        (DEFAULT_PREFERENCES, Preferences("few"), date(2027, 5, 31), "fewer"),
    ],
)
def test_the_next_text_is_that_of_the_new_plan_whether_it_is_sooner_or_later(
    village: Village, before: Preferences, after: Preferences, next_on: date, why: str
) -> None:
    village.group()
    choose(village, before)
    village.person("父", phone="090-0000-0002")
    card = village.card("父", END)
    village.run_until("2027-04-05 12:00")

    choose(village, after)
    village.run_until("2027-04-05 23:00")  # what was told already is looked at once more, and not told twice

    assert village.card_of(card).next_reminder_on == next_on, why
    assert village.texts_to("父") == ["04-01 09:00"]


def test_what_waits_goes_at_the_new_hour_and_once(village: Village) -> None:
    village.group()
    village.member("娘", "musume@example.jp")
    village.person("父", phone="090-0000-0002")
    village.card("父", END)
    village.run_until("2027-05-31 08:00")
    assert village.states().count("queued") == 2

    choose(village, Preferences(send_hour=15))
    village.run_until("2027-05-31 23:00")

    assert village.texts_to("父")[-1] == village.texts_to("娘")[-1] == "05-31 15:00"
    assert village.states().count("cancelled") == 2
    assert [message.reason for message in village.messages() if message.state == "cancelled"] == ["superseded"] * 2
    assert "queued" not in village.states()


def test_what_waits_for_a_day_that_is_no_longer_one_is_not_sent(village: Village) -> None:
    village.group()
    village.person("父", phone="090-0000-0002")
    village.card("父", END)
    village.run_until("2027-05-31 08:00")

    choose(village, Preferences(own_days=(20, 10)))
    village.run_until("2027-06-12 00:00")

    assert village.texts_to("父") == ["04-01 09:00", "05-01 09:00", "06-10 09:00"]


def test_what_is_being_tried_goes_on(village: Village) -> None:
    village.group()
    village.person("父", phone="090-0000-0002")
    village.card("父", END)
    village.run_until("2027-05-30 23:00")
    village.sms.fail_when(lambda _: TemporaryChannelError("503"))
    village.run_until("2027-05-31 09:00")
    village.sms.fail_when(lambda _: None)

    choose(village, Preferences(send_hour=15))
    village.run_until("2027-05-31 23:00")

    assert village.texts_to("父")[-1] == "05-31 09:01", "it had been handed over once, and may have arrived"
    assert village.texts_to("父").count("05-31 15:00") == 0


def test_turned_back_and_forth_it_sends_nothing_twice(village: Village) -> None:
    village.group()
    village.member("娘", "musume@example.jp")
    village.person("母", phone="090-0000-0001", mode=Mode.ELDERLY)
    village.card("母", END)
    for day in range(48):
        now = date(2027, 5, 14) + timedelta(days=day)
        village.run_until(f"{now} 10:30")
        choose(
            village,
            [DEFAULT_PREFERENCES, Preferences("few"), Preferences(own_days=(60, 30, 7)), Preferences(send_hour=11)][
                day % 4
            ],
        )
        village.run_until(f"{now} 23:00")

    texts = village.texts_to("母")
    told = [
        (one.contact_id, one.text) for one in village.messages() if one.kind in ("reminder", "copy") and one.handed_at
    ]

    assert len({text[:5] for text in texts}) == len(texts), "one a day"
    assert len(texts) <= 12
    assert len(set(told)) == len(told)


def test_a_text_on_a_sunday_that_fails_once_still_goes_on_that_sunday(village: Village) -> None:
    village.group()
    choose(village, Preferences(own_days=(31,), on_holidays=True))  # 30 May is a Sunday
    village.person("父", phone="090-0000-0002")
    village.card("父", END)
    village.run_until("2027-05-30 08:00")
    village.sms.fail_next(TemporaryChannelError("503"))

    village.run_until("2027-05-30 23:00")

    assert village.texts_to("父")[-1] == "05-30 09:01"


def test_an_elder_keeps_counter_days_and_ten_o_clock_whatever_is_chosen(village: Village) -> None:
    village.group()
    choose(village, Preferences(own_days=(31, 10), send_hour=9, on_holidays=True))
    village.person("母", phone="090-0000-0001", mode=Mode.ELDERLY)
    village.card("母", END)

    village.run_until("2027-06-29 00:00")

    assert village.texts_to("母") == ["04-01 10:00", "05-28 10:00", "06-18 10:00"]


def test_a_carer_s_copy_comes_at_the_group_s_hour_and_quotes_the_text_of_its_day(village: Village) -> None:
    village.group()
    choose(village, Preferences(own_days=(20, 8), send_hour=13))
    village.member("娘", "musume@example.jp")
    village.person("父", phone="090-0000-0002")
    village.card("父", END)

    village.run_until("2027-06-29 00:00")

    assert village.texts_to("娘") == ["06-10 13:00", "06-22 13:00"]
    assert village.words_to("父")[-1] in village.words_to("娘")[-1]


def test_a_home_is_told_on_the_days_that_it_has_chosen(village: Village) -> None:
    village.group(GroupKind.HOME, "さくら苑")
    choose(village, Preferences(own_days=(50, 22)))
    village.member("事務", "jimu@example.jp")
    village.person("佐藤")
    village.card("佐藤", END)

    village.run_until("2027-06-29 23:00")

    assert village.reminders_to("事務") == ["04-01 10:00", "05-11 10:00", "06-08 10:00"]


def test_what_somebody_must_act_on_does_not_wait_for_the_hour(village: Village) -> None:
    village.group()
    choose(village, Preferences(send_hour=10))
    village.member("娘", "musume@example.jp")
    village.person("父", phone="090-0000-0002")
    village.card("父", END)
    village.run_until("2027-05-31 09:59")
    choose(village, Preferences(send_hour=17))
    contact = next(one.contact_id for one in village.messages() if one.audience == "person")
    assert contact is not None
    village.stop(contact)

    village.run_until("2027-05-31 10:30")

    assert "05-31 09:59" in village.texts_to("娘")


def a_family(village: Village, *copies: Copies, mode: Mode = Mode.STANDARD) -> int:
    village.group()
    for place, wanted in enumerate(copies):
        role = Role.EDITOR if place else Role.OWNER
        choose_copies(village, village.member(f"娘{place}", f"musume{place}@example.jp", role), wanted)
    village.person("母", phone="090-0000-0001", mode=mode)
    return village.card("母", END)


@pytest.mark.parametrize(
    ("copies", "mode", "texts", "why"),
    [
        (Copies.ALL, Mode.STANDARD, 3, "a month and a week before, and on the last day"),
        (Copies.NEAR, Mode.STANDARD, 3, "they all are near"),
        (Copies.NONE, Mode.STANDARD, 0, "the person acts"),
        (Copies.ALL, Mode.ELDERLY, 10, "a copy of each, and calls to act"),
        (Copies.NEAR, Mode.ELDERLY, 6, "from a month before"),
        (Copies.NONE, Mode.ELDERLY, 0, "none"),
    ],
)
def test_a_member_gets_the_copies_that_they_want(
    village: Village, copies: Copies, mode: Mode, texts: int, why: str
) -> None:
    a_family(village, copies, mode=mode)

    village.run_until("2027-06-30 23:00")

    mail = [one for one in village.messages() if one.kind in ("reminder", "copy") and one.audience == "carer"]
    assert len(mail) == texts, why
    assert len(village.texts_to("母")) >= 6, "the person's own texts are as ever"


def test_a_member_who_wants_no_copies_is_told_where_nobody_else_can_be(village: Village) -> None:
    village.group()
    choose_copies(village, village.member("娘", "musume@example.jp"), Copies.NONE)
    village.person("母", mode=Mode.ELDERLY)
    village.card("母", END)

    village.run_until("2027-06-30 23:00")

    assert len(village.texts_to("娘")) >= 6


def test_a_copy_that_waits_for_somebody_who_wants_none_any_more_is_not_sent(village: Village) -> None:
    a_family(village, Copies.ALL)
    village.run_until("2027-05-31 08:00")

    choose_copies(village, 1, Copies.NONE)
    village.run_until("2027-05-31 23:00")

    assert village.texts_to("娘0") == []
    assert village.texts_to("母")[-1] == "05-31 09:00"
    assert written(village)[-1] == "member_changed"


@pytest.mark.parametrize(
    ("copies", "told", "why"),
    [
        ((Copies.ALL, Copies.NONE), ["娘0"], "who wants to hear does"),
        ((Copies.NONE, Copies.NEAR), ["娘1"], "near or far"),
        ((Copies.NONE, Copies.NONE), ["娘0", "娘1"], "somebody must hear of it"),
    ],
)
def test_what_did_not_arrive_reaches_somebody_whatever_they_chose(
    village: Village, copies: tuple[Copies, ...], told: list[str], why: str
) -> None:
    a_family(village, *copies)
    village.sms.fail_next(PermanentChannelError("21211"))

    village.run_until("2027-04-01 23:00")

    lost = [name for name in ("娘0", "娘1") if any(LOST in words for words in village.words_to(name))]
    assert lost == told, why


@pytest.mark.parametrize(
    ("copies", "first", "why"),
    [
        ((Copies.ALL, Copies.ALL), "娘1", "the first has had the copies"),
        ((Copies.NONE, Copies.ALL), "娘0", "the other has had the copies"),
        ((Copies.NONE, Copies.NONE), "娘0", "nobody has heard of it: the first is asked first"),
    ],
)
def test_of_an_elder_s_silence_somebody_hears_whatever_they_chose(
    village: Village, copies: tuple[Copies, ...], first: str, why: str
) -> None:
    a_family(village, *copies, mode=Mode.ELDERLY)

    village.run_until("2027-05-10 23:00")

    asked = [name for name in ("娘0", "娘1") if any(ASKED in words for words in village.words_to(name))]
    assert asked == [first], why


def test_copies_of_a_member_that_there_is_not_are_refused(village: Village) -> None:
    with pytest.raises(NotFoundError):
        choose_copies(village, 9, Copies.NEAR)


def test_an_own_day_s_reminder_can_be_read_in_every_list(village: Village) -> None:
    village.group()
    choose(village, Preferences(own_days=(20, 8)))
    village.person("父", phone="090-0000-0002")
    village.contact("父", ChannelName.EMAIL, "chichi@example.jp")
    card = village.card("父", END, USER_CERTIFICATE)
    village.run_until("2027-06-29 00:00")

    with village.app.database.reading() as tx:
        rows = tx.connection().exec_driver_sql(f"SELECT step FROM reminders WHERE card_id = {card} ORDER BY id").all()
    assert [row[0] for row in rows] == ["opens", "d20", "d8"]
