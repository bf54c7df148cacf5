"""Years of a whole town through the real tick, with a provider that often fails, and the account of what must hold."""

import random
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from reminder.clock import JAPAN, japan_date
from reminder.domain.model.card_kinds import MY_NUMBER, OTHER
from reminder.domain.model.people import Audience, ChannelName, ConsentHow, GroupKind, Language, Mode, Role
from reminder.domain.rules import hours
from reminder.domain.rules.escalation_policy import MONTH, MOST_EARLY_TEXTS_A_MONTH
from reminder.domain.rules.steps import step_due
from reminder.enrolment import register
from reminder.enrolment.cards import TypedDates, add_card
from reminder.errors import TemporaryChannelError
from reminder.simulate import SimulatedWorld, simulated_world, start_of
from tests.rules import KINDS, LANGUAGES
from tests.village import CARD, SIGNATURE_CERTIFICATE, USER_CERTIFICATE

START = date(2026, 12, 1)


# A residence card that ends with the My Number Card changes what is told of it; stories tell of that.
OTHER_KINDS = sorted(set(KINDS) - {*MY_NUMBER, "residence_card"})


@dataclass
class Account:
    """What was expected and what came; everything that must not be is counted by name."""

    people: int
    cards: int
    sent: int = 0
    attempts_refused: int = 0
    ticks: int = 0
    held_back: int = 0  # told later, or not at all, since an elder had been told enough that month
    enrolled_in: float = 0.0  # seconds
    simulated_in: float = 0.0
    wrong: Counter[str] = field(default_factory=Counter)


@dataclass
class Townsman:
    phone: str
    mode: Mode
    expected: set[date] = field(default_factory=set)


def run_years(people: int, years: int, *, refused: float = 0.2, seed: int = 1) -> Account:
    """A My Number Card, its certificates and two other kinds a person, each end within ten years of the start."""
    chance = random.Random(seed)
    with simulated_world(start_of(START)) as town:
        began = time.perf_counter()
        townsmen = _enrol(town, people, chance, START + timedelta(days=365 * years))
        account = Account(people=people, cards=5 * people, enrolled_in=time.perf_counter() - began)

        def sometimes_refuse(_: object) -> TemporaryChannelError | None:
            if chance.random() >= refused:
                return None
            account.attempts_refused += 1
            return TemporaryChannelError("503")

        for channel in town.channels.values():
            channel.fail_when(sometimes_refuse)
        began = time.perf_counter()
        for _ in town.run_until(start_of(START) + timedelta(days=365 * years)):
            account.ticks += 1
        account.simulated_in = time.perf_counter() - began
        _settle(town, townsmen, account)
    return account


def _enrol(town: SimulatedWorld, people: int, chance: random.Random, until: date) -> list[Townsman]:
    app, now = town.app, town.clock.now()
    townsmen: list[Townsman] = []
    group = 0
    for place in range(people):
        if place % 4 == 0:
            with app.units.writing(now) as uow:
                group = register.add_group(uow, name=f"第{place // 4}組"[:6], kind=GroupKind.HOUSEHOLD)
                register.add_member(
                    uow, group_id=group, email=f"kazoku{place}@example.jp", role=Role.OWNER, language=Language.JAPANESE
                )
        mode = chance.choice([Mode.STANDARD, Mode.ELDERLY])
        language = chance.choice(LANGUAGES)
        with app.units.writing(now) as uow:
            person = register.add_person(
                uow, group_id=group, label=chance.choice(["母", "父", "祖母"]), mode=mode, language=language
            )
        phone = f"090-0000-{place:04d}" if place < 10_000 else f"080-0000-{place - 10_000:04d}"
        with app.units.writing(now) as uow:
            register.add_contact(
                uow,
                person_id=person,
                channel=ChannelName.SMS,
                address=phone,
                consent_how=ConsentHow.SPOKEN,
                consent_by="家族",
            )
        townsman = Townsman("+81" + phone.replace("-", "")[1:], mode)
        ends = START + timedelta(days=chance.randrange(120, 3650))
        both = chance.random() < 0.8  # most people's two certificates end on one day
        card_ends = START + timedelta(days=chance.randrange(120, 3650))
        others = chance.sample(OTHER_KINDS, 2)
        for kind, end in (
            (USER_CERTIFICATE, ends),
            (SIGNATURE_CERTIFICATE, ends if both else START + timedelta(days=chance.randrange(120, 3650))),
            (CARD, card_ends),
            *((other, START + timedelta(days=chance.randrange(120, 3650))) for other in others),
        ):
            label = "バスの券" if kind == OTHER else None
            typed = TypedDates(end.isoformat())
            with app.units.writing(now) as uow:
                add_card(uow, person_id=person, kind=kind, typed=typed, label=label)
            carrier_ends_on = card_ends if kind == USER_CERTIFICATE else None
            _, plan = app.rules.plan(kind, end, mode, insurance=True, carrier_ends_on=carrier_ends_on)
            townsman.expected |= {
                step.on for step in plan if Audience.PERSON in step.audiences and START <= step.on < until
            }
            if step_due(plan, {Audience.PERSON}, end, START):  # what opened before it was enrolled is told at once
                townsman.expected.add(START)
        townsmen.append(townsman)
    return townsmen


def _told_enough_by(day: date, days: Counter[date], townsman: Townsman) -> bool:
    """An elder who has been told six times in a month waits for what is not near its end."""
    lately = sum(count for told, count in days.items() if day - MONTH <= told < day)
    return townsman.mode is not Mode.STANDARD and lately >= MOST_EARLY_TEXTS_A_MONTH


def _reminders(town: SimulatedWorld) -> set[int]:
    """The ids of messages that remind; not those that ask a carer what has become of it."""
    with town.app.database.reading() as tx:
        rows = tx.connection().exec_driver_sql("SELECT id FROM messages WHERE kind IN ('reminder', 'copy')").all()
    return {row[0] for row in rows}


def _settle(town: SimulatedWorld, townsmen: list[Townsman], account: Account) -> None:
    by_address: dict[str, list[datetime]] = defaultdict(list)
    reminders = _reminders(town)
    for sent in town.all_sent():
        account.sent += 1
        if sent.outgoing.message_id in reminders:
            by_address[sent.outgoing.address].append(sent.at.astimezone(JAPAN))
    for townsman in townsmen:
        instants = by_address.pop(townsman.phone, [])
        days = Counter(japan_date(at) for at in instants)
        held_back = {day for day in townsman.expected - set(days) if _told_enough_by(day, days, townsman)}
        later = {day for day in days if any(held < day <= held + MONTH for held in held_back)}
        account.held_back += len(held_back)
        account.wrong["missing"] += len(townsman.expected - set(days) - held_back)
        account.wrong["on a wrong day"] += len(set(days) - townsman.expected - later)
        account.wrong["more than eight a month"] += sum(
            townsman.mode is not Mode.STANDARD and sum(day <= other < day + MONTH for other in days) > 8 for day in days
        )
        account.wrong["twice"] += sum(count - 1 for count in days.values())
        opens = 9 if townsman.mode is Mode.STANDARD else 10
        account.wrong["outside hours"] += sum(not opens <= at.hour < 18 for at in instants)
        account.wrong["on a closed day"] += sum(
            not hours.is_sending_day(japan_date(at), townsman.mode) for at in instants
        )
    for instants in by_address.values():  # carers' mail
        days = Counter(japan_date(at) for at in instants)
        account.wrong["carer twice"] += sum(count - 1 for count in days.values())
        account.wrong["carer outside hours"] += sum(not 7 <= at.hour < 21 for at in instants)
    account.wrong = +account.wrong
