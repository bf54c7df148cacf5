"""The outlook: what it shows before a card is registered is what everybody is then sent, word for word."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reminder.clock import JAPAN
from reminder.domain.model.people import Audience, ChannelName, ContactState, GroupKind, Mode, Role
from reminder.domain.rules.escalation_policy import MOST_CALLS
from reminder.domain.rules.preferences import Preferences
from reminder.errors import KigenError, NotFoundError, UnknownChoiceError
from reminder.planning.forecast import Forecast, ForecastCard, forecast
from reminder.storage.registry import contacts, groups, people
from tests.rules import KINDS, LANGUAGES
from tests.village import USER_CERTIFICATE, Village

END = date(2027, 3, 31)
Villages = Callable[..., AbstractContextManager[Village]]

RHYTHMS = [
    Preferences(),
    Preferences(preset="few"),
    Preferences(preset="often"),
    Preferences(own_days=(60, 30, 7)),
    Preferences(own_days=(100, 45, 20, 10, 4, 1), send_hour=17),
    Preferences(own_days=(5,), on_holidays=True, send_hour=9),
    Preferences(on_holidays=True, send_hour=13),
]


def look_ahead(village: Village, card: ForecastCard, person_id: int = 1) -> Forecast:
    with village.app.reading() as uow:
        person = people.find(uow.tx, person_id)
        assert person is not None
        return forecast(uow, person=person, card=card)


def set_preferences(village: Village, preferences: Preferences) -> None:
    with village.app.database.writing() as tx:
        groups.set_preferences(tx, 1, preferences)


Text = tuple[int | None, str, str | None, str, int]


def sent(village: Village, audiences: set[str]) -> list[Text]:
    """To whom, at which minute, in which words. The words are those that arrived: our own are forgotten in time."""
    by_id = {one.id: one for one in village.messages()}
    rows = [(by_id[one.outgoing.message_id], one) for one in village.world.all_sent()]
    return sorted(
        (row.contact_id, f"{one.at.astimezone(JAPAN):%Y-%m-%d %H:%M}", one.outgoing.subject, one.outgoing.text, row.segments)
        for row, one in rows
        if row.kind in ("reminder", "copy") and row.audience in audiences
    )  # fmt: skip


def shown(planned: Forecast, audiences: set[str]) -> list[Text]:
    return sorted(
        (one.contact_id, f"{one.send_at.astimezone(JAPAN):%Y-%m-%d %H:%M}", one.subject, one.text, one.segments)
        for one in planned.texts
        if one.audience in audiences
    )


@st.composite
def households(draw: st.DrawFn) -> dict[str, object]:
    """Somebody, whoever may be told of them, and a card."""
    return {
        "mode": draw(st.sampled_from([Mode.STANDARD, Mode.ELDERLY])),
        "language": draw(st.sampled_from(LANGUAGES)),
        "mark": draw(st.sampled_from([None, "つばめ"])),
        "insurance": draw(st.booleans()),
        "own": draw(st.lists(st.sampled_from([ChannelName.SMS, ChannelName.EMAIL, ChannelName.VOICE]), max_size=2, unique=True)),
        "consent": draw(st.booleans()),
        "members": draw(st.lists(st.sampled_from(list(Role)), max_size=2)),
        "family": draw(st.sampled_from([None, ChannelName.SMS, ChannelName.EMAIL])),
        "kind": draw(st.sampled_from(sorted(KINDS))),
        "ends_in": draw(st.integers(-40, 420)),
        "is_computed": draw(st.booleans()),
        "rhythm": draw(st.sampled_from(RHYTHMS)),
        "hour": draw(st.integers(0, 23)),
        "look_again_in": draw(st.integers(1, 300)),
    }  # fmt: skip


def settle(village: Village, house: dict[str, object]) -> ForecastCard:
    village.sleep_until(f"2026-12-01 {max(8, house['hour']):02}:00")
    village.group(GroupKind.HOUSEHOLD, "田中家")
    set_preferences(village, house["rhythm"])
    for place, role in enumerate(house["members"]):
        village.member(f"家族{place}", f"kazoku{place}@example.jp", role)
    village.person(
        "母", mode=house["mode"], language=house["language"], mark=house["mark"], insurance=house["insurance"]
    )
    for channel in house["own"]:
        address = "haha@example.jp" if channel is ChannelName.EMAIL else "090-0000-0001"
        village.contact("母", channel, address, consent=house["consent"])
    if house["family"] is not None:
        address = "ane@example.jp" if house["family"] is ChannelName.EMAIL else "090-0000-0002"
        village.contact("母", house["family"], address, family="姉")
    end = date(2026, 12, 1) + timedelta(days=house["ends_in"])
    label = "バスの券" if house["kind"] == "other" else None
    return ForecastCard(house["kind"], end, house["is_computed"], label)


@given(house=households())
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_the_forecast_shows_is_what_everybody_is_sent(
    fresh_village_factory: Villages, house: dict[str, object]
) -> None:
    with fresh_village_factory(voice_enabled=True) as village:
        card = settle(village, house)
        # Of an elder, what became of earlier texts stands in the copies, and silence brings others in.
        audiences = {*Audience} if house["mode"] is Mode.STANDARD else {Audience.PERSON}

        before = look_ahead(village, card)
        label = {"label": card.label} if card.label else {}
        card_id = village.card("母", card.expires_on, card.kind, is_computed=card.is_computed, confirmed=True, **label)
        village.run_until((village.now + timedelta(days=house["look_again_in"])).strftime("%Y-%m-%d %H:%M"))
        until_then = sent(village, audiences)
        between = look_ahead(village, ForecastCard(card.kind, card.expires_on, card.is_computed, card.label, card_id))
        village.run_until("2029-06-01 00:00")

        whole = sent(village, audiences)
        assert shown(before, audiences) == whole
        assert shown(between, audiences) == [one for one in whole if one not in until_then]


def test_it_says_who_is_not_told_and_why(village: Village) -> None:
    village.person("母", phone="090-0000-0001", consent=False)
    village.contact("母", ChannelName.EMAIL, "haha@example.jp")
    gone = village.contact("母", ChannelName.EMAIL, "ane@example.jp", family="姉")
    village.stop(gone)
    with village.app.database.writing() as tx:
        contacts.mark_unreachable(tx, [2])

    planned = look_ahead(village, ForecastCard(USER_CERTIFICATE, END))

    assert planned.texts == ()
    assert set(planned.waiting) == {
        (1, ContactState.UNCONFIRMED),
        (2, ContactState.UNREACHABLE),
        (3, ContactState.OPTED_OUT),
    }


def test_a_new_date_of_a_card_is_shown_as_if_it_were_registered(village: Village) -> None:
    village.person("父", phone="090-0000-0002")
    card_id = village.card("父", END)
    village.run_until("2027-03-31 23:00")

    planned = look_ahead(village, ForecastCard(USER_CERTIFICATE, date(2032, 3, 31), card_id=card_id))
    village.renew(card_id, date(2032, 3, 31))
    village.run_until("2032-12-31 00:00")

    assert shown(planned, {*Audience}) == [one for one in sent(village, {*Audience}) if one[1] > "2027-04-01"]
    assert planned.dates.expires_on == date(2032, 3, 31)


def test_what_is_said_to_be_done_is_asked_for_and_what_was_asked_for_later_comes_then(talking_village: Village) -> None:
    village = talking_village
    village.member("娘", "musume@example.jp")
    village.person("父", phone="090-0000-0002")
    card_id = village.card("父", END)
    village.answers("父", "あとで", at="2027-03-17 12:00")
    after_later = look_ahead(village, ForecastCard(USER_CERTIFICATE, END, card_id=card_id))
    village.answers("父", "1", at="2027-03-17 13:00")
    after_done = look_ahead(village, ForecastCard(USER_CERTIFICATE, END, card_id=card_id))
    so_far = sent(village, {*Audience})

    village.run_until("2027-12-31 00:00")

    assert after_later.texts[0].step[:5] == "again"
    assert shown(after_done, {*Audience}) == [one for one in sent(village, {*Audience}) if one not in so_far]


def test_what_waits_to_be_sent_today_is_shown_as_it_will_be_sent(village: Village) -> None:
    village.person("父", phone="090-0000-0002")
    card_id = village.card("父", END)
    village.run_until("2027-03-17 08:00")
    assert village.states()[-1] == "queued"

    planned = look_ahead(village, ForecastCard(USER_CERTIFICATE, END, card_id=card_id))

    assert (planned.texts[0].step, f"{planned.texts[0].send_at.astimezone(JAPAN):%m-%d %H:%M}") == (
        "d14",
        "03-17 09:00",
    )
    assert planned.texts[0].text == village.messages()[-1].text


def test_a_call_is_shown_at_the_hour_at_which_it_may_ring(fresh_village_factory: Villages) -> None:
    with fresh_village_factory(voice_enabled=True) as village:
        village.person("母", mode=Mode.ELDERLY)
        village.contact("母", ChannelName.VOICE, "03-0000-0001")
        village.sleep_until("2027-03-17 12:00")

        planned = look_ahead(village, ForecastCard(USER_CERTIFICATE, date(2027, 4, 16)))

        first = planned.texts[0]
        assert (first.step, first.channel, f"{first.send_at.astimezone(JAPAN):%m-%d %H:%M}") == (
            "d30",
            ChannelName.VOICE,
            "03-17 13:30",
        )
        assert len(planned.texts) == MOST_CALLS


def test_what_it_would_cost_is_the_sum_of_its_texts(village: Village) -> None:
    village.member("娘", "musume@example.jp")
    village.person("父", phone="090-0000-0002")

    planned = look_ahead(village, ForecastCard(USER_CERTIFICATE, END))

    own = [text for text in planned.texts if text.channel is ChannelName.SMS]
    assert planned.segments == sum(text.segments for text in own) >= len(own) > 5


def test_looking_changes_nothing(village: Village) -> None:
    village.person("父", phone="090-0000-0002")
    card_id = village.card("父", END)
    before = village.card_of(card_id)

    for card in (ForecastCard(USER_CERTIFICATE, END, card_id=card_id), ForecastCard("passport", END)):
        look_ahead(village, card)

    assert village.card_of(card_id) == before
    assert village.messages() == []


@pytest.mark.parametrize(
    ("card", "refusal", "why"),
    [
        (ForecastCard("a kind of another year", END), UnknownChoiceError, "no such kind"),
        (ForecastCard(USER_CERTIFICATE, END, card_id=9), NotFoundError, "no such card"),
        (ForecastCard(USER_CERTIFICATE, END, card_id=1), NotFoundError, "another person's"),
    ],
)
def test_what_cannot_be_looked_at_is_refused(
    village: Village, card: ForecastCard, refusal: type[KigenError], why: str
) -> None:
    village.person("母")
    village.card("母", END)
    other = village.person("父")

    with pytest.raises(refusal):
        look_ahead(village, card, person_id=other)

    assert why


def test_a_page_waits_for_it_no_longer_than_for_a_hundredth_of_a_second(fresh_village_factory: Villages) -> None:
    with fresh_village_factory() as village:
        village.member("娘", "musume@example.jp")
        village.person("母", phone="090-0000-0001", mode=Mode.ELDERLY)
        look_ahead(village, ForecastCard(USER_CERTIFICATE, END))
        taken = []
        for day in range(20):
            began = time.process_time()
            look_ahead(village, ForecastCard(USER_CERTIFICATE, END + timedelta(days=day)))
            taken.append(time.process_time() - began)

    # Of processor time, and five times as much as it takes: other work on this machine must not fail it.
    assert min(taken) < 0.05
