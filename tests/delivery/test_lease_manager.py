"""Who goes first, at what pace, and how much: whatever waits, no family waits for a chain, and no mistake floods anybody."""

import asyncio
import threading
from collections.abc import Sequence
from datetime import date, timedelta

import pytest

from reminder.delivery.lease_manager import AHEAD, LeaseBatch, LeaseManager
from reminder.delivery.sender import Sender
from reminder.domain.model.messages import (
    LEASE,
    OUTCOME_WITHIN,
    Accepted,
    MessageKind,
    MessageState,
    Outgoing,
    Urgency,
)
from reminder.domain.model.people import Audience, ChannelName, ConsentHow, GroupKind, StoppedBy
from reminder.domain.rules.sending_limits import (
    BETWEEN_CALLS,
    FIRST_BOUND_OF,
    LEAST_BOUND,
    LEAST_KNOWN_DAYS,
    MOST_ALIKE,
    MOST_OF_A_GROUP,
    PRESSING_TIMES,
)
from reminder.enrolment import register
from reminder.enrolment.register import NewContact, NewPerson
from reminder.storage.outbox import group_limits, leases, queue, rate_limits, unknown_outcomes
from reminder.storage.outbox.queue import MessageDraft
from reminder.storage.registry import contacts
from reminder.storage.runtime import heartbeats
from reminder.upkeep.health import assess
from reminder.worker.jobs import run_once
from tests.village import Village, japan

TEN_A_SECOND = 10
MORNING = "2026-12-01 10:00"


def draft(village: Village, number: int, **more: object) -> MessageDraft:
    return MessageDraft(
        **{
            "key": f"told:{number}",
            "kind": MessageKind.REMINDER,
            "group_id": 1,
            "contact_id": 1,
            "audience": Audience.PERSON,
            "channel": ChannelName.SMS,
            "subject": None,
            "text": f"お知らせ {number}",
            "segments": 1,
            "scheduled_at": village.now,
            "expires_at": village.now + timedelta(hours=8),
            **more,
        }
    )  # type: ignore[arg-type]


def add(village: Village, drafts: Sequence[MessageDraft]) -> list[int]:
    with village.app.database.writing() as tx:
        return queue.add(tx, village.app.keys, drafts, village.now)


def lease_manager(village: Village, per_second: float | None = TEN_A_SECOND) -> LeaseManager:
    return LeaseManager(village.app.database, village.app.keys, village.clock, per_second=per_second)


def claim(village: Village, per_second: float | None = TEN_A_SECOND) -> LeaseBatch:
    return lease_manager(village, per_second).claim(ChannelName.SMS, can_send=True)


@pytest.fixture
def crowd(village: Village) -> Village:
    """At ten in the morning a chain of homes, its contacts 1 to 100, and a family, its contact 101."""
    village.sleep_until(MORNING)
    chain = village.group(GroupKind.HOME)
    with village.app.writing() as uow:
        residents = register.add_people(
            uow, group_id=chain, wanted=[NewPerson(f"入居者{place}") for place in range(100)]
        )
        phones = [
            NewContact(
                ChannelName.SMS,
                f"090-0000-{place:04}",
                person_id=person,
                consent_how=ConsentHow.SPOKEN,
                consent_by="長女",
            )
            for place, person in enumerate(residents)
        ]
        assert register.add_contacts(uow, wanted=phones) == [*range(1, 101)]
    village.group()
    village.person("母", phone="090-0000-9001")
    return village


def of_the_chain(village: Village, count: int, **more: object) -> list[int]:
    return add(village, [draft(village, place, contact_id=1 + place % 100, **more) for place in range(count)])


def ids(claimed: LeaseBatch) -> list[int]:
    return [one.outgoing.message_id for one in claimed.leased]


def test_two_workers_share_the_turns_of_one_sender(crowd: Village) -> None:
    of_the_chain(crowd, 200)

    first = claim(crowd)
    second = claim(crowd)
    crowd.clock.move_to(crowd.now + AHEAD / 2)
    third = claim(crowd)

    assert [one.starts_in for one in first.leased] == pytest.approx([place / 10 for place in range(50)])
    assert (second.leased, second.is_all, second.wait) == ([] or (), False, 2.5)
    assert third.leased[0].starts_in == pytest.approx(2.5), "the first turn behind those the other worker has"


def test_a_family_s_text_leaves_at_once_however_many_a_chain_has_waiting(crowd: Village) -> None:
    of_the_chain(crowd, 2000)
    crowd.clock.move_to(crowd.now + timedelta(minutes=1))
    (of_the_family,) = add(crowd, [draft(crowd, 9001, group_id=2, contact_id=101)])

    assert ids(claim(crowd)).index(of_the_family) <= 1


def test_what_is_pressing_goes_before_what_is_not_and_an_answer_before_both(crowd: Village) -> None:
    usual = of_the_chain(crowd, 60)
    (pressing,) = add(crowd, [draft(crowd, 8001, urgency=Urgency.PRESSING)])
    (answer,) = add(crowd, [draft(crowd, 8002, key="answer:1", kind=MessageKind.ANSWER, urgency=Urgency.ANSWER)])
    (greeting,) = add(crowd, [draft(crowd, 8003, urgency=Urgency.ROUTINE)])

    claimed = ids(claim(crowd))

    assert claimed[:3] == [answer, pressing, usual[0]]
    assert greeting not in claimed


def test_a_sender_slower_than_one_a_second_still_sends(crowd: Village) -> None:
    of_the_chain(crowd, 3)

    assert len(claim(crowd, per_second=0.1).leased) == 1


def test_nobody_is_sent_more_than_a_day_s_worth_and_the_operator_sees_it(crowd: Village) -> None:
    add(crowd, [draft(crowd, place) for place in range(ChannelName.SMS.can.most_a_day + 2)])

    claimed = claim(crowd, per_second=None)

    assert len(claimed.leased) == ChannelName.SMS.can.most_a_day
    rest = [one for one in crowd.messages() if one.state == "stale"]
    assert [(one.reason, one.handed_at) for one in rest] == [("daily_cap", None)] * 2, "their day would be over"
    assert held(crowd) == [(1, "sms", "daily_cap")]
    (concern,) = [one for one in assess(crowd.app.units, crowd.now).concerns if one.code == "group_over_limit"]
    assert concern.name == "1 (sms, daily_cap)"
    with crowd.app.database.reading() as tx:
        assert heartbeats.pauses(tx, crowd.now) == [], "it is that group's own matter"


def held(village: Village) -> list[tuple[int, str, str]]:
    with village.app.database.reading() as tx:
        return [(one.group_id, one.channel, one.reason) for one in group_limits.holds(tx, village.now, 99)]


def test_what_is_still_true_tomorrow_is_told_tomorrow(crowd: Village) -> None:
    lasts = crowd.now + timedelta(days=7)
    add(crowd, [draft(crowd, place, expires_at=lasts) for place in range(ChannelName.SMS.can.most_a_day + 1)])

    leased = ids(claim(crowd, per_second=None))

    (kept,) = [one for one in crowd.messages() if one.id not in leased]
    assert kept.scheduled_at == japan("2026-12-02 10:00"), "as for an elder, at whose hour everybody may be written to"


def test_two_contacts_at_one_telephone_are_one_address(crowd: Village) -> None:
    crowd.person("父", phone="090-0000-9001")
    add(crowd, [draft(crowd, place, group_id=2, contact_id=101) for place in range(ChannelName.SMS.can.most_a_day - 1)])
    claim(crowd, per_second=None)
    add(crowd, [draft(crowd, 50 + place, group_id=2, contact_id=102) for place in range(2)])

    assert len(claim(crowd, per_second=None).leased) == 1


def test_the_same_words_reach_one_telephone_five_times_and_no_sixth_time(crowd: Village) -> None:
    add(crowd, [draft(crowd, place, text="同じ文") for place in range(MOST_ALIKE + 1)])
    add(crowd, [draft(crowd, 50, contact_id=2, text="同じ文"), draft(crowd, 51, text="別の文")])

    claimed = claim(crowd, per_second=None)

    assert len(claimed.leased) == MOST_ALIKE + 2
    assert [one.reason for one in crowd.messages() if one.state == "stale"] == ["repeated"]


def usual_days(village: Village, handed: int) -> None:
    with village.app.database.writing() as tx:
        for back in range(1, LEAST_KNOWN_DAYS + 1):
            rate_limits.count(tx, ChannelName.SMS, date(2026, 12, 1) - timedelta(days=back), handed)


def of_many_families(village: Village, families: int, each: int) -> None:
    """`each` messages of each of so many families."""
    for place in range(families):
        group = village.group(name=f"家{place}")
        person = village.person("母")
        contact = village.contact("母", ChannelName.SMS, f"080-1234-{place:04}")
        assert person
        numbers = range(10_000 + each * place, 10_000 + each * (place + 1))
        add(village, [draft(village, number, group_id=group, contact_id=contact) for number in numbers])


def flooding_family(village: Village, count: int, **more: object) -> int:
    """A household without history that sends so many messages to 40 persons; return its id."""
    group = village.group(name="だれか")
    with village.app.writing() as uow:
        persons = register.add_people(uow, group_id=group, wanted=[NewPerson(f"人{place}") for place in range(40)])
        phones = [
            NewContact(
                ChannelName.SMS,
                f"080-2345-{place:04}",
                person_id=person,
                consent_how=ConsentHow.SPOKEN,
                consent_by="長女",
            )
            for place, person in enumerate(persons)
        ]
        contacts = register.add_contacts(uow, wanted=phones)
    numbers = range(50_000, 50_000 + count)
    add(village, [draft(village, n, group_id=group, contact_id=contacts[n % 40], **more) for n in numbers])
    return group


def test_a_day_unlike_any_other_stops_is_kept_and_goes_on_when_the_operator_says_so(crowd: Village) -> None:
    usual_days(crowd, 20)
    of_many_families(crowd, 104, 5)
    (answer,) = add(
        crowd, [draft(crowd, 8002, key="answer:1", kind=MessageKind.ANSWER, contact_id=101, urgency=Urgency.ANSWER)]
    )

    claimed = [*ids(claim(crowd, per_second=None)), *ids(claim(crowd, per_second=None))]

    assert len(claimed) == LEAST_BOUND
    assert answer in claimed
    with crowd.app.database.reading() as tx:
        assert [(one.channel, one.reason) for one in heartbeats.pauses(tx, crowd.now)] == [("sms", "unusual_day")]
    assert claim(crowd, per_second=None).leased == []
    (late,) = add(
        crowd, [draft(crowd, 8004, key="answer:2", kind=MessageKind.ANSWER, contact_id=101, urgency=Urgency.ANSWER)]
    )
    assert ids(claim(crowd, per_second=None)) == [late], "who asks something is answered all the same"

    with crowd.app.database.writing() as tx:
        assert rate_limits.lift_daily_bound(tx, ChannelName.SMS, date(2026, 12, 1))

    assert len(claim(crowd, per_second=None).leased) == 21


@pytest.mark.parametrize("kind", [MessageKind.REMINDER, MessageKind.INVITATION])
@pytest.mark.parametrize("urgency", [Urgency.ANSWER, Urgency.PRESSING, Urgency.USUAL])
def test_one_group_s_flood_waits_and_delays_nobody_else(crowd: Village, kind: MessageKind, urgency: Urgency) -> None:
    usual_days(crowd, 30)
    bound = FIRST_BOUND_OF[GroupKind.HOUSEHOLD]
    flooding = flooding_family(crowd, 3 * bound, kind=kind, urgency=urgency)
    (of_the_family,) = add(crowd, [draft(crowd, 9001, group_id=2, contact_id=101, urgency=Urgency.ROUTINE)])

    leased = [one for _ in range(3) for one in ids(claim(crowd, per_second=None))]

    assert of_the_family in leased, "a greeting of another family leaves on the same day"
    assert len(leased) - 1 == (bound if urgency is Urgency.USUAL else PRESSING_TIMES * bound)
    assert held(crowd) == [(flooding, "sms", "unusual_day")]
    with crowd.app.database.reading() as tx:
        assert heartbeats.pauses(tx, crowd.now) == []
        totals = rate_limits.days(tx, ChannelName.SMS, date(2026, 12, 1))
    assert (totals.handed, totals.counted) == (len(leased), MOST_OF_A_GROUP + 1)


def test_five_hundred_of_a_new_household_leave_the_service_s_own_breaker_alone(crowd: Village) -> None:
    usual_days(crowd, 30)
    flooding_family(crowd, 1, kind=MessageKind.INVITATION, urgency=Urgency.ANSWER)
    (greeting,) = add(crowd, [draft(crowd, 9001, group_id=2, contact_id=101, urgency=Urgency.ROUTINE)])
    with crowd.app.database.writing() as tx:
        group_limits.count(tx, ChannelName.SMS, date(2026, 12, 1), {3: LEAST_BOUND})
        rate_limits.count(tx, ChannelName.SMS, date(2026, 12, 1), LEAST_BOUND, MOST_OF_A_GROUP)

    assert greeting in ids(claim(crowd, per_second=None))


def test_a_group_whose_day_the_operator_has_confirmed_sends_the_rest(crowd: Village) -> None:
    bound = FIRST_BOUND_OF[GroupKind.HOUSEHOLD]
    flooding = flooding_family(crowd, bound + 50, expires_at=crowd.now + timedelta(days=7))
    first = ids(claim(crowd, per_second=None))
    with crowd.app.database.writing() as tx:
        group_limits.lift_daily_bound(tx, ChannelName.SMS, flooding, date(2026, 12, 1))
        assert len(first) == bound
        assert group_limits.release(tx, ChannelName.SMS, flooding, crowd.now) == 50

    assert len(claim(crowd, per_second=None).leased) == 50
    assert held(crowd) == []


@pytest.mark.parametrize("urgency", list(Urgency))
@pytest.mark.parametrize("channel", [ChannelName.SMS, ChannelName.EMAIL])
@pytest.mark.parametrize("are_alike", [False, True], ids=["other words", "the same words"])
def test_what_one_group_sends_to_an_address_takes_nothing_from_another_s(
    crowd: Village, channel: ChannelName, urgency: Urgency, are_alike: bool
) -> None:
    to = "haha@example.jp" if channel.is_mail else "090-0000-9001"
    family = crowd.contact("母", channel, to) if channel.is_mail else 101
    flooding = crowd.group()
    crowd.person("だれか")
    theirs = crowd.contact("だれか", channel, to)

    def message(number: int, **more: object) -> MessageDraft:
        words = "同じ文" if are_alike else f"お知らせ {number}"
        return draft(crowd, number, channel=channel, text=words, **more)

    most = channel.can.most_a_day
    add(crowd, [message(n, group_id=flooding, contact_id=theirs) for n in range(most + 4)])
    lease_manager(crowd, None).claim(channel, can_send=True)
    mine = [message(9000 + n, group_id=2, contact_id=family, urgency=urgency) for n in range(2)]
    of_the_family = add(crowd, mine)

    leased = ids(lease_manager(crowd, None).claim(channel, can_send=True))

    assert leased == of_the_family
    assert {group_id for group_id, *_ in held(crowd)} == {flooding}
    with crowd.app.database.reading() as tx:
        assert heartbeats.pauses(tx, crowd.now) == []


def test_who_is_new_may_write_as_much_as_there_is(crowd: Village) -> None:
    of_the_chain(crowd, LEAST_BOUND + 50)

    claimed = [*ids(claim(crowd, per_second=None)), *ids(claim(crowd, per_second=None))]

    assert len(claimed) == LEAST_BOUND + 50


def test_what_a_worker_leased_and_did_not_hand_over_is_another_s_after_seconds_and_counts_once(crowd: Village) -> None:
    of_the_chain(crowd, 40)
    first = claim(crowd, per_second=None)
    assert ids(claim(crowd, per_second=None)) == []

    crowd.clock.move_to(crowd.now + LEASE)
    again = claim(crowd, per_second=None)

    assert ids(again) == ids(first)
    assert {one.attempts for one in again.leased} == {1}, "nothing has been handed over"
    with crowd.app.database.reading() as tx:
        assert rate_limits.days(tx, ChannelName.SMS, date(2026, 12, 1)).handed == 40
        assert group_limits.days(tx, ChannelName.SMS, 1, date(2026, 12, 2)).before == [40]


def test_a_worker_whose_clock_is_minutes_ahead_takes_nothing_out_of_another_s_hands(crowd: Village) -> None:
    of_the_chain(crowd, 2)
    held = claim(crowd).leased
    with crowd.app.database.writing() as tx:
        assert len(leases.begin_hand_over(tx, held, crowd.now)) == 2
        assert unknown_outcomes.mark_lost_unknown(tx, crowd.now + timedelta(minutes=5)) == []
        assert unknown_outcomes.mark_lost_unknown(tx, crowd.now + OUTCOME_WITHIN) != []


class Slow:
    """A provider that answers when it is told to, and counts what reaches it."""

    def __init__(self) -> None:
        self.took: list[int] = []
        self.has_one, self.may_answer = threading.Event(), threading.Event()

    async def send(self, outgoing: Outgoing) -> Accepted:
        self.took.append(outgoing.message_id)
        self.has_one.set()
        await asyncio.to_thread(self.may_answer.wait)
        return Accepted(f"slow-{outgoing.message_id}")

    async def ask(self, outgoing: Outgoing, others: object) -> Accepted:
        raise AssertionError("nothing is unknown here")

    async def close(self) -> None:
        """Nothing was opened."""


class Quick(Slow):
    """One that lets the slow one answer once it has everything."""

    def __init__(self, expects: int, other: Slow) -> None:
        super().__init__()
        self.expects, self.other = expects, other

    async def send(self, outgoing: Outgoing) -> Accepted:
        self.took.append(outgoing.message_id)
        if len(self.took) == self.expects:
            self.other.may_answer.set()
        return Accepted(f"quick-{outgoing.message_id}")


def send(village: Village, channels: dict[ChannelName, Slow], **more: object) -> int:
    app = village.app
    sender = Sender(app.database, app.keys, village.clock, channels, per_second=None, stop_url=lambda *_: None, **more)  # type: ignore[arg-type]
    return sender.send_due(app.loop.run)


def test_mail_that_hangs_holds_up_no_text(crowd: Village) -> None:
    crowd.contact("母", ChannelName.EMAIL, "haha@example.jp")
    of_the_chain(crowd, 700)
    add(crowd, [draft(crowd, 9002, group_id=2, contact_id=102, channel=ChannelName.EMAIL)])
    mail = Slow()
    texts = Quick(700, mail)

    assert send(crowd, {ChannelName.SMS: texts, ChannelName.EMAIL: mail}) == 701

    assert len(set(texts.took)) == 700
    assert crowd.states().count("accepted") == 701


def test_a_worker_that_is_stopped_finishes_what_is_leaving_and_gives_the_rest_back(crowd: Village) -> None:
    of_the_chain(crowd, 300)
    other = Slow()
    provider = Quick(10, other)

    send(crowd, {ChannelName.SMS: provider}, goes_on=lambda: not other.may_answer.is_set())

    states = crowd.states()
    assert states.count("accepted") == len(provider.took)
    assert states.count("queued") == 300 - len(provider.took)
    assert states.count("sending") == 0
    assert len(ids(claim(crowd, per_second=None))) == 300 - len(provider.took), "without waiting for a lease to end"


def test_no_more_are_in_hand_than_the_channel_takes_at_a_time(crowd: Village) -> None:
    of_the_chain(crowd, 300)
    provider, counted = Slow(), list[int]()

    def goes_on() -> bool:
        if len(provider.took) == ChannelName.SMS.can.concurrency and not counted:
            counted.append(crowd.states().count("sending"))
            provider.may_answer.set()
        return True

    send(crowd, {ChannelName.SMS: provider}, goes_on=goes_on)

    assert counted == [ChannelName.SMS.can.concurrency]
    assert crowd.states().count("accepted") == 300


def test_who_says_stop_while_others_are_told_gets_nothing(crowd: Village) -> None:
    """However long before the hand-over the message was leased."""
    of_the_chain(crowd, 100)
    provider, has_stopped = Slow(), list[bool]()

    def goes_on() -> bool:
        if len(provider.took) == ChannelName.SMS.can.concurrency and not has_stopped:
            with crowd.app.database.writing() as tx:
                contacts.stop(tx, range(1, 101), StoppedBy.REPLY, crowd.now)
            has_stopped.append(True)
            provider.may_answer.set()
        return True

    send(crowd, {ChannelName.SMS: provider}, goes_on=goes_on)

    assert len(provider.took) == ChannelName.SMS.can.concurrency
    later = [one for one in crowd.messages() if one.handed_at is None]
    assert len(later) == 100 - ChannelName.SMS.can.concurrency
    run_once(crowd.app, crowd.now)
    assert {one.reason for one in crowd.messages() if one.handed_at is None} == {"opted_out"}
    assert len(provider.took) == ChannelName.SMS.can.concurrency


def test_a_channel_that_is_switched_off_sends_nothing_and_its_texts_end_with_their_day(crowd: Village) -> None:
    of_the_chain(crowd, 2)

    assert send(crowd, {}) == 0
    assert crowd.states() == ["queued", "queued"]
    crowd.clock.move_to(crowd.now + timedelta(hours=9))
    assert send(crowd, {}) == 0

    assert crowd.states() == [MessageState.STALE, MessageState.STALE]


LANDLINE = "03-0000-0001"


def couple(village: Village, *, groups: int = 1) -> list[int]:
    """A couple with one landline, of one family or each of another, and somebody else; return their calls' contacts."""
    village.sleep_until(MORNING)
    found = []
    for place, label in enumerate(("母", "父")):
        if place < groups:
            village.group(name=f"{label}の家")
        village.person(label)
        found.append(village.contact(label, ChannelName.VOICE, LANDLINE))
    village.person("叔母")
    return [*found, village.contact("叔母", ChannelName.VOICE, "03-0000-0002")]


def call(village: Village, number: int, contact_id: int, **more: object) -> MessageDraft:
    return draft(village, number, channel=ChannelName.VOICE, contact_id=contact_id, segments=0, **more)


def called(village: Village) -> list[int | None]:
    """Whose calls a worker makes at this moment."""
    batch = lease_manager(village, None).claim(ChannelName.VOICE, can_send=True)
    with village.app.database.writing() as tx:
        return [one.contact_id for one in leases.begin_hand_over(tx, batch.leased, village.now)]


@pytest.mark.parametrize("groups", [1, 2])
def test_two_calls_to_one_landline_are_made_one_after_the_other(village: Village, groups: int) -> None:
    mother, father, aunt = couple(village, groups=groups)
    add(village, [call(village, number, one) for number, one in enumerate((mother, father, aunt))])

    assert called(village) == [mother, aunt]
    village.clock.move_to(village.now + BETWEEN_CALLS - timedelta(seconds=1))
    assert called(village) == []
    village.clock.move_to(village.now + timedelta(seconds=1))
    assert called(village) == [father]


def test_a_third_call_waits_for_the_second(village: Village) -> None:
    mother, father, _ = couple(village)
    add(village, [call(village, number, one) for number, one in enumerate((mother, father, mother))])
    assert called(village) == [mother]

    village.clock.move_to(village.now + BETWEEN_CALLS)
    assert called(village) == [father]
    village.clock.move_to(village.now + BETWEEN_CALLS)
    assert called(village) == [mother]


def test_a_call_that_comes_due_while_another_goes_on_waits_too(village: Village) -> None:
    mother, father, _ = couple(village)
    add(village, [call(village, 1, mother)])
    assert called(village) == [mother]

    village.clock.move_to(village.now + timedelta(minutes=1))
    add(village, [call(village, 2, father, urgency=Urgency.ANSWER, kind=MessageKind.TEST_CALL)])

    assert called(village) == [], "whoever sits beside the telephone hears it ring a moment later"


def test_a_call_that_has_to_wait_does_not_ring_at_lunch_and_not_after_its_day(village: Village) -> None:
    mother, father, _ = couple(village)
    village.sleep_until("2026-12-01 11:27")
    add(village, [call(village, 1, mother), call(village, 2, father, expires_at=village.now + timedelta(hours=5))])
    assert called(village) == [mother]
    village.clock.move_to(japan("2026-12-01 11:40"))
    assert called(village) == []
    village.clock.move_to(japan("2026-12-01 13:30"))
    assert called(village) == [father]

    village.clock.move_to(japan("2026-12-01 15:57"))
    today = {"expires_at": japan("2026-12-01 16:00")}
    add(village, [call(village, 3, mother, **today), call(village, 4, father, **today)])
    assert called(village) == [mother]
    assert [one.state for one in village.messages() if one.contact_id == father][-1] == MessageState.STALE


def test_two_workers_do_not_call_one_landline_at_once(village: Village) -> None:
    mother, father, _ = couple(village)
    add(village, [call(village, number, one) for number, one in enumerate((mother, father))])
    together, found = threading.Barrier(2), list[int | None]()

    def work() -> None:
        together.wait()
        batch = lease_manager(village, None).claim(ChannelName.VOICE, can_send=True, most=1)
        found.extend(one.contact_id for one in batch.leased)

    workers = [threading.Thread(target=work) for _ in range(2)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()

    assert len(found) == 1


def test_texts_to_one_telephone_are_not_kept_apart(village: Village) -> None:
    village.sleep_until(MORNING)
    for label in ("母", "父"):
        village.person(label, phone="090-0000-0001")
    add(village, [draft(village, number, contact_id=number) for number in (1, 2)])

    assert len(claim(village).leased) == 2
