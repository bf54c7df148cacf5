"""When nobody answers: the next human, one after the other, until somebody acts or it stands in red."""

from datetime import date, timedelta
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reminder.clock import JAPAN
from reminder.domain.model.people import ChannelName, GroupKind, Mode, Role
from reminder.domain.rules.escalation_policy import NOBODY_LEFT
from reminder.enrolment import cards
from reminder.errors import ConflictError, NotFoundError, PermanentChannelError, TemporaryChannelError
from reminder.storage.outbox import receipts
from reminder.storage.registry import cards as kept
from tests.village import Village

END = date(2027, 3, 31)
ASKED = "「済んだ」の連絡がまだありません"
MOTHER = "090-0000-0001"


def a_family_with_two_daughters(village: Village, **more: bool) -> int:
    village.member("長女", "chojo@example.jp")
    village.member("次女", "jijo@example.jp", role=Role.EDITOR)
    village.person("母", phone=MOTHER, mode=Mode.ELDERLY, mark="つばめ", **more)
    return village.card("母", END)


def asked(village: Village, name: str) -> list[str]:
    return [when for when, words in zip(village.texts_to(name), village.words_to(name), strict=True) if ASKED in words]


def take(village: Village, card: int, contact: int) -> None:
    with village.app.writing() as uow:
        cards.assign_card(uow, card_id=card, contact_id=contact)


def red(village: Village) -> list[int]:
    with village.app.database.reading() as tx:
        return [card.id for card in kept.unanswered(tx, NOBODY_LEFT)]


def test_one_who_never_answers_is_the_first_daughter_s_until_silence_brings_in_the_second(village: Village) -> None:
    card = a_family_with_two_daughters(village)
    village.run_until("2027-02-02 00:00")
    assert asked(village, "次女") == []
    assert village.texts_to("次女") == [], "the copies are the first daughter's"
    assert len(village.texts_to("長女")) >= 2

    village.run_until("2027-02-05 00:00")
    assert asked(village, "次女") == ["02-03 07:00"], "thirty days after the first text"

    village.run_until("2027-03-01 00:00")
    assert "02-22 10:00" in village.texts_to("次女"), "from then on she has the copies, too"
    village.renew(card, date(2032, 3, 31))
    texts = len(village.texts_to("母"))
    village.run_until("2027-12-31 00:00")
    assert len(village.texts_to("母")) == texts
    assert red(village) == []


def test_a_family_with_one_carer_stands_in_red_only_when_the_end_is_near(village: Village) -> None:
    village.member("長女", "chojo@example.jp")
    village.person("母", phone=MOTHER, mode=Mode.ELDERLY)
    card = village.card("母", END)
    village.run_until("2027-03-16 23:00")
    assert red(village) == []

    village.run_until("2027-03-17 12:00")
    assert red(village) == [card]


def test_when_everybody_was_asked_and_nobody_answered_it_stands_in_red(village: Village) -> None:
    card = a_family_with_two_daughters(village)

    village.run_until("2027-03-20 00:00")

    assert red(village) == [card]
    village.renew(card, date(2032, 3, 31))
    assert red(village) == []


def test_who_takes_it_on_is_the_only_one_that_hears_and_is_reminded_of_it(village: Village) -> None:
    card = a_family_with_two_daughters(village)
    village.run_until("2027-02-05 00:00")
    before = len(village.texts_to("長女"))

    take(village, card, 2)
    village.run_until("2027-02-20 00:00")

    assert len(village.texts_to("長女")) == before
    assert any("引き受けてくださった" in words for words in village.words_to("次女"))


def test_a_taker_who_is_not_heard_of_gives_it_back(village: Village) -> None:
    card = a_family_with_two_daughters(village)
    village.run_until("2027-02-05 00:00")
    take(village, card, 2)
    before = len(village.texts_to("長女"))

    village.run_until("2027-03-25 00:00")

    assert len(village.texts_to("長女")) > before
    assert red(village) == [card]


def test_of_two_daughters_in_the_same_minute_one_takes_it_and_the_other_is_told_so(village: Village) -> None:
    card = a_family_with_two_daughters(village)
    take(village, card, 1)
    take(village, card, 1)

    with pytest.raises(ConflictError) as refused:
        take(village, card, 2)

    assert refused.value.code == "card_assigned"


@pytest.mark.parametrize("contact", [3, 99])
def test_neither_the_person_nor_a_stranger_takes_it_on(village: Village, contact: int) -> None:
    card = a_family_with_two_daughters(village)

    with pytest.raises(NotFoundError):
        take(village, card, contact)


def test_without_consent_the_next_people_are_asked_all_the_same(village: Village) -> None:
    a_family_with_two_daughters(village, consent=False)

    village.run_until("2027-03-25 00:00")

    assert village.texts_to("母") == []
    assert len(asked(village, "次女")) == 1


def test_a_home_is_asked_after_the_family_and_in_one_mail_for_many(village: Village) -> None:
    village.group(GroupKind.HOME, "さくら苑")
    village.member("園長", "encho@example.jp")
    village.member("事務", "jimu@example.jp", role=Role.EDITOR)
    for place in range(5):
        village.person(f"入居者{place}")
        village.contact(f"入居者{place}", ChannelName.EMAIL, f"musuko{place}@example.jp", family=f"息子{place}")
        village.card(f"入居者{place}", END)

    village.run_until("2027-03-31 23:00")

    assert len(asked(village, "事務")) == 1
    assert all(f"入居者{place}" in next(w for w in village.words_to("事務") if ASKED in w) for place in range(5))
    assert len(asked(village, "園長")) == 1
    assert asked(village, "事務") < asked(village, "園長")
    assert red(village) == [1, 2, 3, 4, 5]


def test_a_provider_that_brings_every_text_back_is_told_to_the_family_at_once(village: Village) -> None:
    a_family_with_two_daughters(village)
    bring_back = []

    def keep_receipts() -> None:
        with village.app.database.writing() as tx:
            for sent in village.sms.sent[len(bring_back) :]:
                bring_back.append(sent)
                receipts.keep(
                    tx,
                    provider_id=f"memory-{sent.message_id}",
                    status="undelivered",
                    error_code="30003",
                    message_id=None,
                    now=village.now,
                )

    for day in range(1, 31):
        village.run_until(f"2027-01-{day:02} 11:00")
        keep_receipts()
        village.run_until(f"2027-01-{day:02} 12:00")

    assert any("届きませんでした" in words for words in village.words_to("長女"))
    assert len(village.texts_to("母")) <= 6


# --- whatever happens


KINDS = (
    "mynumber_user_certificate",
    "passport",
    "driving_licence",
    "residence_card",
    "care_certification",
    "jiritsu_iryo",
)
WORDS = (
    "１",
    "あとで",
    "まだ",
    "行きます",
    "家族",
    "だれ",
    "ありがとう",
    "ねこ",
    "停止",
    "再開",
    "済んだ",
    "人ちがいかな",
)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32))
def test_no_elder_gets_more_than_one_text_a_day_and_eight_a_month(fresh_village_factory: "object", seed: int) -> None:
    """Besides answers to what she texted herself, of which there are no more than three a day."""
    random = Random(seed)
    with fresh_village_factory() as village:  # type: ignore[operator]
        village.member("娘", "musume@example.jp")
        village.person("母", phone=MOTHER, mode=random.choice([Mode.ELDERLY, Mode.HOME]), mark="つばめ")
        for kind in random.sample(KINDS, random.randint(1, 6)):
            village.card("母", END + timedelta(days=random.randint(0, 60)), kind)

        def moody(_: object) -> Exception | None:
            chance = random.random()
            if chance < 0.1:
                return TemporaryChannelError("503")
            return PermanentChannelError("30007", address_is_gone=False) if chance < 0.12 else None

        village.sms.fail_when(moody)  # type: ignore[arg-type]
        day = date(2026, 12, 1)
        while day < date(2027, 7, 1):
            day += timedelta(days=random.randint(1, 9))
            if random.random() < 0.3:
                village.sleep_until(f"{day} 17:00")
            village.run_until(
                f"{day} {random.randint(8, 19):02}:00" if village.now.astimezone(JAPAN).date() < day else f"{day} 20:00"
            )
            if random.random() < 0.4:
                village.answers("母", random.choice(WORDS))

        unasked = [m for m in village.messages() if m.channel == "sms" and m.handed_at and m.state == "accepted"]
        days = [m.handed_at.astimezone(JAPAN).date() for m in unasked if m.kind != "answer"]
        answers = [m.handed_at.astimezone(JAPAN).date() for m in unasked if m.kind == "answer"]
    assert len(days) == len(set(days)), "one a day"
    assert all(sum(one <= other < one + timedelta(days=31) for other in days) <= 8 for one in days), "eight a month"
    assert all(answers.count(one) <= 6 for one in answers)


def test_a_person_of_a_standard_mode_has_all_carers_told_as_before(village: Village) -> None:
    village.member("長女", "chojo@example.jp")
    village.member("次女", "jijo@example.jp")
    village.person("父", phone="090-0000-0002")
    village.card("父", END)

    village.run_until("2027-12-31 00:00")

    assert village.texts_to("長女") == village.texts_to("次女")
