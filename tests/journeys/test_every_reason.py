"""Every channel, every reason for which a message does not arrive, with and without a second way, a family and a home:
whatever happens, each promise of the day is closed once, rightly, and nothing is said that nobody knows."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import date
from itertools import product

import pytest
from sqlalchemy import select

from reminder.channels.memory import MemoryChannel
from reminder.clock import JAPAN
from reminder.domain.model.messages import Accepted, Outgoing, ProviderReport
from reminder.domain.model.people import ChannelName, GroupKind, Mode
from reminder.errors import (
    ChannelError,
    PermanentChannelError,
    SetupChannelError,
    TemporaryChannelError,
    UnknownOutcomeError,
)
from reminder.storage.db.tables import Card, Person, Promise, Reminder
from tests.village import Village, japan

END = date(2027, 3, 31)
SMS, EMAIL, VOICE, LINE = map(ChannelName, ("sms", "email", "voice", "line"))
CHANNELS = (SMS, LINE, EMAIL, VOICE)
# Of each broken channel the next of the same person, and the one by which families are told.
WAYS = {SMS: (EMAIL, LINE), LINE: (EMAIL, SMS), EMAIL: (VOICE, SMS), VOICE: (VOICE, SMS)}
# By name: what the provider answers to each message of the one channel; None: it takes it, and never says that it
# arrived.
REASONS: dict[str, ChannelError | None] = {
    "suspended": SetupChannelError("20003"),
    "spent": SetupChannelError("monthly_limit"),
    "out_of_reach": TemporaryChannelError("connect"),
    "busy": TemporaryChannelError("20429"),
    "one_code_for_ever": TemporaryChannelError("21635"),
    "no_such_address": PermanentChannelError("21614"),
    "these_words": PermanentChannelError("21617", address_is_gone=False),
    "no_answer": UnknownOutcomeError("timeout"),
    "never_said": None,
}


@dataclass(frozen=True)
class Case:
    """A person whose own channel is the broken one."""

    label: str
    has_second: bool
    has_family: bool
    in_home: bool

    @property
    def expected(self) -> set[str]:
        if self.has_second:
            return {"other_way"}
        if self.has_family:
            return {"family"}
        return {"staff"} if self.in_home else {"operator"}


CASES = [Case(f"人{'あいうえおかきく'[place]}", *which) for place, which in enumerate(product((True, False), repeat=3))]


class Silent(MemoryChannel):
    """It takes everything, and its provider says nothing of it later."""

    async def look_up(self, address: str, provider_id: str) -> ProviderReport | None:
        del address, provider_id
        return None

    async def ask(self, outgoing: Outgoing, others: object) -> Accepted:  # type: ignore[override]
        del outgoing, others
        raise TemporaryChannelError("500")


def address(channel: ChannelName, number: int) -> str:
    return {
        SMS: f"090-0000-00{number:02}",
        VOICE: f"03-3500-00{number:02}",
        # Letters only: a long run of digits looks like a number that is never kept.
        LINE: "U" + "cafe" * 7 + "".join("abcdef"[number // 6**place % 6] for place in range(4)),
        EMAIL: f"person{number}@example.jp",
    }[channel]


Fresh = Callable[..., AbstractContextManager[Village]]


def settled(village: Village, broken: ChannelName) -> None:
    """One person for each case, each in a group of their own. Around them everybody has a way that works."""
    second, around = WAYS[broken]
    for number, case in enumerate(CASES):
        village.group(GroupKind.HOME if case.in_home else GroupKind.HOUSEHOLD, f"組{number}")
        village.person(case.label, mode=Mode.ELDERLY)
        village.contact(case.label, broken, address(broken, number))
        # Nothing comes after a call: who has another way is not called first.
        if case.has_second and broken is not VOICE:
            village.contact(case.label, second, address(second, number + 20))
        if case.has_family:
            village.contact(case.label, around, address(around, number + 40), family=f"家族{number}")
        if case.in_home:
            # A member always has an e-mail address; where mail is what is broken, staff cannot be told.
            village.member(f"職員{number}", f"staff{number}@example.jp")
        village.card(case.label, END)


def states(village: Village) -> dict[str, set[str]]:
    with village.app.database.reading() as tx:
        rows = tx.execute(
            select(Person.id, Promise.state)
            .join(Card, Card.person_id == Person.id)
            .join(Reminder, Reminder.card_id == Card.id)
            .join(Promise, Promise.reminder_id == Reminder.id)
            .where(Promise.audience == "person", Promise.day == date(2027, 3, 24))
        ).all()
    found: dict[str, set[str]] = {}
    for person_id, state in rows:
        found.setdefault(CASES[person_id - 1].label, set()).add(str(state))
    return found


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (broken, reason)
        for broken, reason in product(CHANNELS, REASONS)
        # LINE and mail prove by acceptance.
        if reason != "never_said" or broken in (SMS, VOICE)
    ],
)
def test_everybody_is_told_or_a_human_is_told_that_they_were_not(
    fresh_village_factory: Fresh, broken: ChannelName, reason: str
) -> None:
    with fresh_village_factory(voice_enabled=True, line_token="invented") as village:
        settled(village, broken)
        village.sleep_until("2027-03-24 00:01")
        channel, error = village.world.channels[broken], REASONS[reason]
        if error is None or isinstance(error, UnknownOutcomeError):
            channel.__class__ = Silent
        if error is not None:
            own = {one.address for one in village_contacts(village, broken)}
            channel.fail_when(lambda outgoing: error if outgoing.address in own else None)

        village.run_until("2027-03-24 18:30")

        found = states(village)
        for case in CASES:
            # A mail of unknown outcome is given up at five, when nobody is called any more.
            has_second = case.has_second and broken is not VOICE and (broken, reason) != (EMAIL, "no_answer")
            expected = replace(case, has_second=has_second).expected
            if broken is EMAIL and expected == {"staff"}:
                # Staff of a home have only mail.
                expected = {"staff", "operator"}
            assert found[case.label] <= expected, (case, found[case.label])
        assert len([one for one in village.messages() if one.kind == "reminder" and not one.possibly_double]) >= len(
            CASES
        )
        told = [
            one for one in village.messages() if one.audience == "person" and one.state in ("accepted", "delivered")
        ]
        assert all(one.handed_at.astimezone(JAPAN) <= japan("2027-03-24 18:00") for one in told if one.handed_at)
        by_contact = [one.contact_id for one in told]
        assert len(by_contact) == len(set(by_contact)), "nobody is told twice by one address"


def village_contacts(village: Village, channel: ChannelName) -> list[object]:
    from reminder.storage.registry import contacts

    with village.app.database.reading() as tx:
        return [
            one for one in contacts.of_group(tx, village.app.keys, None) if one.channel == channel and not one.is_family
        ]
