"""The outlook: what it shows before a card is registered is what everybody is then sent, word for word."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reminder.clock import JAPAN
from reminder.domain.people import Audience, ChannelName, GroupKind, Mode, Role
from reminder.domain.rhythm import Rhythm
from reminder.planning.outlook import Outlook, OutlookCard, outlook
from reminder.storage import groups, people
from tests.rules import KINDS, LANGUAGES
from tests.village import Village

END = date(2027, 3, 31)
Villages = Callable[..., AbstractContextManager[Village]]

RHYTHMS = [
    Rhythm(),
    Rhythm(preset="few"),
    Rhythm(preset="often"),
    Rhythm(own_days=(60, 30, 7)),
    Rhythm(own_days=(100, 45, 20, 10, 4, 1), send_hour=17),
    Rhythm(own_days=(5,), on_holidays=True, send_hour=9),
    Rhythm(on_holidays=True, send_hour=13),
]


def look_ahead(village: Village, card: OutlookCard, person_id: int = 1) -> Outlook:
    app = village.app
    with app.database.reading() as tx:
        person = people.find(tx, person_id)
        assert person is not None
        return outlook(tx, app.keys, app.rules, village.now, person=person, card=card)


def set_rhythm(village: Village, rhythm: Rhythm) -> None:
    with village.app.database.writing() as tx:
        groups.set_rhythm(tx, 1, rhythm)


def sent(village: Village, audiences: set[str]) -> list[tuple[int | None, str, str | None, str | None, int]]:
    """To whom, at which minute, in which words: as they arrived, for the database forgets words after 90 days."""
    arrived = {one.outgoing.message_id: one.outgoing for one in village.world.all_sent()}
    return sorted(
        (
            one.contact_id,
            f"{one.handed_at.astimezone(JAPAN):%Y-%m-%d %H:%M}",
            arrived[one.id].subject,
            arrived[one.id].text,
            one.segments,
        )
        for one in village.messages()
        if one.key.startswith("told:") and one.handed_at and one.audience in audiences
    )


def shown(planned: Outlook, audiences: set[str]) -> list[tuple[int | None, str, str | None, str | None, int]]:
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


def settle(village: Village, house: dict[str, object]) -> OutlookCard:
    village.sleep_until(f"2026-12-01 {max(8, house['hour']):02}:00")
    village.group(GroupKind.HOUSEHOLD, "田中家")
    set_rhythm(village, house["rhythm"])
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
    return OutlookCard(house["kind"], end, house["is_computed"], label)


@given(house=households())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_the_outlook_shows_is_what_everybody_is_sent(
    fresh_village_factory: Villages, house: dict[str, object]
) -> None:
    with fresh_village_factory(calls=True) as village:
        card = settle(village, house)
        # Of an elder, what became of earlier texts stands in the copies, and silence brings others in.
        audiences = {*Audience} if house["mode"] is Mode.STANDARD else {Audience.PERSON}

        before = look_ahead(village, card)
        label = {"label": card.label} if card.label else {}
        card_id = village.card("母", card.expires_on, card.kind, is_computed=card.is_computed, confirmed=True, **label)
        village.run_until((village.now + timedelta(days=house["look_again_in"])).strftime("%Y-%m-%d %H:%M"))
        until_then = sent(village, audiences)
        between = look_ahead(village, OutlookCard(card.kind, card.expires_on, card.is_computed, card.label, card_id))
        village.run_until("2029-06-01 00:00")

        whole = sent(village, audiences)
        assert shown(before, audiences) == whole
        assert shown(between, audiences) == [one for one in whole if one not in until_then]
