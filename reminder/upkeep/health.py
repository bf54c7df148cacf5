"""The health check: finds what is due and not sent, what is stuck, what waits, and what a human must do about it.

It queries the database on its own (storage/maintenance/audit.py) and never relies on what the worker reports.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from threading import Lock

from reminder.clock import japan_date
from reminder.domain.model.card_kinds import Grace
from reminder.domain.model.channels import AddressKind
from reminder.domain.model.people import Audience, ChannelName, Mode
from reminder.domain.rulebook import Rulebook
from reminder.domain.rules import hours
from reminder.domain.rules.canary_schedule import CanaryView, is_missing
from reminder.domain.rules.circuit_breaker import Breaker
from reminder.domain.rules.sending_limits import HoldReason
from reminder.errors import DatabaseNotReadyError, SettingsError
from reminder.storage.db import fence, row_security, schema
from reminder.storage.db.row_security import Access, AccessScope
from reminder.storage.db.session import Database, Tx
from reminder.storage.db.unit_of_work import UnitOfWork, UnitsOfWork
from reminder.storage.maintenance import activity_chain, audit, counters, settlement
from reminder.storage.outbox import group_limits, monitoring
from reminder.storage.outbox.monitoring import OpenMessages
from reminder.storage.registry import cards, groups
from reminder.storage.registry.cards import DueCard
from reminder.storage.reminders.card_plan import plan_of
from reminder.storage.runtime import activity_log, breakers, canaries, copy_notice, heartbeats, service_state, set_aside
from reminder.upkeep import clock_step, request_floods

# Several missed passes in a row; a restart or a slow pass is shorter.
QUIET_FOR_TOO_LONG = timedelta(minutes=5)
# A pass takes what waits within seconds; with a limited sending rate, within minutes.
LATE = timedelta(minutes=15)
# With the rate of one sender a morning's messages may take this long, and a provider may recover within it.
LONG_AGO = timedelta(hours=1)
# Cards are planned on their day; those typed in its last minute a little later.
AFTER_MIDNIGHT = timedelta(hours=1)
# After a pause the channel is tried. Until one attempt has ended nobody knows whether it works.
BEING_TRIED = timedelta(minutes=2)
# With more difference than this, one of the two clocks is wrong.
CLOCKS_APART = timedelta(minutes=1)
# How long after its end a card may still have reminders: a week, or until the end of the grace period, moved by
# holidays.
AFTER_END, AFTER_GRACE = timedelta(days=14), timedelta(days=110)
SOON = timedelta(days=7)
# So many of the latest rows of the activity log are checked each time, all others one after another by the auditor.
LATEST_ACTS = 200
CHANGED_ACT, NEXT_ACT = "activity_changed", "activity_next"
# A message that waits for its key is looked at again within this time.
SOON_LOOKED_AT = timedelta(minutes=10)
# A few on a day are returned mails of an earlier version, or of another service under the same address.
MANY_REFUSED_BOUNCES = 20

# What was set aside is not worked on again; the operator has a week to read of it.
SHOWN_FOR = timedelta(days=7)
MOST_GROUPS_SHOWN = 20
# A fault of a day is shown for so long, unless the operator says earlier that they have seen to it.
LEFT_TO_OPERATOR_FOR = timedelta(days=3)

# Of an hourly one the newest may still be under way, and the one before too.
CANARIES_LOOKED_AT = 3

PAUSED, FAILING = "channel_paused", "channel_failing"
# The due cards of the audit before, to see whether a whole pass has left them.
SEEN_DUE, SEEN_AT_MOST, SEEN_LATELY = "seen_due", 3, timedelta(minutes=15)


@dataclass(frozen=True)
class Trouble:
    """A finding.

    `code` is stable. `count`: a thousand means that many or more. `since`: aware UTC, if known. `name` and `reason`: of
    a channel that waits, which one and what its provider says.
    """

    code: str
    count: int = 1
    since: datetime | None = None
    name: str = ""
    reason: str = ""

    def said(self, sentences: Mapping[str, str]) -> str:
        """Return what it means and what to do, from [trouble] of config/wording/*.toml."""
        general = sentences.get(FAILING if self.code.startswith(FAILING) else PAUSED if self.name else "", self.code)
        return sentences.get(self.code, general).format(n=self.count, name=self.name)


@dataclass(frozen=True)
class Health:
    """The result of an audit.

    `found`: faults; the service works if there are none. `concerns`: no fault of the service, but a human must act.
    `messages`: those that are not finished, by state. `canaries`: the newest of each channel. `failing`: the channels
    by which nothing has succeeded since a failure. Instants are aware UTC.
    """

    found: tuple[Trouble, ...]
    concerns: tuple[Trouble, ...] = ()
    last_pass: datetime | None = None
    last_audit: datetime | None = None
    messages: tuple[OpenMessages, ...] = ()
    canaries: tuple[CanaryView, ...] = ()
    failing: tuple[Breaker, ...] = ()

    @property
    def troubles(self) -> tuple[str, ...]:
        """Return the codes of the faults."""
        return tuple(trouble.code for trouble in self.found)

    @property
    def is_ready(self) -> bool:
        """Return whether there is no fault."""
        return not self.found

    @property
    def pauses(self) -> Mapping[str, str]:
        """Return the provider's reason by channel that waits or fails."""
        return {trouble.name: trouble.reason for trouble in self.found if trouble.name}

    @property
    def has_other_troubles(self) -> bool:
        """Return whether there are faults besides channels that wait."""
        return any(not trouble.name for trouble in self.found)


class RecentHealth:
    """The latest audit, kept for a few seconds, so that pages that many open need not run one each time.

    `kept_for` is measured by the instants that `look` gets. Several threads may use it. It remembers one database: the
    last one it was asked about.
    """

    def __init__(self, kept_for: timedelta = timedelta(seconds=5)) -> None:
        self._kept_for = kept_for
        self._lock = Lock()
        self._kept: tuple[Database, datetime, Health] | None = None

    def look(self, units: UnitsOfWork, now: datetime, *, keeps_time: bool = False) -> Health:
        """Return an audit that is at most `kept_for` old. If several ask at once, one of them audits."""
        with self._lock:
            if self._kept is not None:
                of, at, found = self._kept
                if of is units.database and timedelta(0) <= now - at < self._kept_for:
                    return found
            found = assess(units, now, keeps_time=keeps_time)
            self._kept = units.database, now, found
            return found


def assess(units: UnitsOfWork, now: datetime, *, keeps_time: bool = False) -> Health:
    """Run an audit; nothing is changed. `keeps_time`: `now` is this machine's clock and not that of a rehearsal."""
    try:
        schema.require_newest(units.database)
        with units.acting_for(Access(scope=AccessScope.MONITORING)).reading(now) as uow:
            last_pass = heartbeats.last(uow.tx, heartbeats.PASS)
            return Health(
                found=(
                    *_storing(uow.tx, units.database),
                    *_troubles(uow.tx, uow.rules, now, last_pass, keeps_time=keeps_time),
                    *_activity(uow),
                    *_other_copy(uow.tx),
                ),
                concerns=tuple(_concerns(uow.tx, uow.rules, now)),
                last_pass=last_pass,
                last_audit=heartbeats.last(uow.tx, heartbeats.AUDIT),
                messages=tuple(monitoring.open_messages(uow.tx, now)),
                canaries=tuple(one for name in uow.rules.canary_channels for one in canaries.latest(uow.tx, name, 1)),
                failing=tuple(breakers.failing(uow.tx)),
            )
    except DatabaseNotReadyError as not_ready:
        return Health((Trouble(not_ready.code),))


def _storing(tx: Tx, database: Database) -> Iterator[Trouble]:
    """Find why nothing can be stored, although everything can be read."""
    if fence.find(tx.connection()) is not None:
        yield Trouble("database_moved")
    elif database.write_trouble is not None:
        yield Trouble(database.write_trouble)


def _troubles(
    tx: Tx, rules: Rulebook, now: datetime, last_pass: datetime | None, *, keeps_time: bool
) -> Iterator[Trouble]:
    if last_pass is None or now - last_pass > QUIET_FOR_TOO_LONG:
        yield Trouble("worker_silent", since=last_pass)
    elif last_pass - now > CLOCKS_APART:
        yield Trouble("pass_in_future", since=last_pass)
    stepped = clock_step.lately(tx, now)
    if stepped is not None:
        at, by = stepped
        yield Trouble("clock_stepped", max(1, abs(by) // timedelta(minutes=1)), at)
    if keeps_time and abs(audit.database_clock(tx) - now) > CLOCKS_APART:
        yield Trouble("clocks_apart")
    yield from _cards(tx, rules, now, last_pass)
    pauses = heartbeats.pauses(tx, now - BEING_TRIED)
    # A channel that waits for the operator is said to wait, with what its provider says.
    waiting = {pause.channel for pause in pauses}
    failing = [one for one in breakers.failing(tx) if one.is_trouble(now) and one.channel not in waiting]
    late = _late_messages(tx, now, waiting | {one.channel for one in failing})
    if late is not None:
        yield late
    for code, found in audit.waiting(tx, late=now - LATE, long_ago=now - LONG_AGO).items():
        yield Trouble(code, found.count, found.since)
    promised = audit.open_promises(tx, late=now - LATE, since=now - LEFT_TO_OPERATOR_FOR)
    if promised.count:
        yield Trouble("promises_open", promised.count, promised.since)
    yield from _canaries(tx, rules, now)
    silent = _without_receipts(tx, rules, now)
    if silent.count:
        yield Trouble("receipts_silent", silent.count, silent.since)
    unreadable = audit.unreadable_messages(tx, rules.channels, now + SOON_LOOKED_AT)
    if unreadable.count:
        yield Trouble("messages_unreadable", unreadable.count, unreadable.since)
    if not settlement.are_sealed(tx):
        yield Trouble("rows_unsealed")
    for pause in pauses:
        code = HoldReason.UNUSUAL_DAY if pause.reason == HoldReason.UNUSUAL_DAY else f"{PAUSED}_{pause.channel}"
        yield Trouble(code, since=pause.since, name=pause.channel, reason=pause.reason)
    for one in failing:
        yield Trouble(f"{FAILING}_{one.channel}", since=one.failing_since, name=one.channel, reason=one.reason)


def _other_copy(tx: Tx) -> Iterator[Trouble]:
    """Find another copy of this installation that is at work."""
    other = copy_notice.noticed(tx)
    if other is not None:
        yield Trouble("other_copy", since=other.since)


def _canaries(tx: Tx, rules: Rulebook, now: datetime) -> Iterator[Trouble]:
    """Find the channels whose canary has not come back in time, or was not even sent."""
    for channel in rules.canary_channels:
        latest = canaries.latest(tx, channel, CANARIES_LOOKED_AT)
        since = is_missing(latest, now, channel, rules.canary_every)
        if since is not None:
            yield Trouble(f"canary_missing_{channel}", since=since)


def _without_receipts(tx: Tx, rules: Rulebook, now: datetime) -> audit.LateWork:
    """Return the texts of which the provider, who calls about each, has said nothing."""
    if not rules.expects_receipts:
        return audit.LateWork(0, None)
    reported = [one for one in rules.channels if one.can.gives_receipts and one.can.address is AddressKind.PHONE]
    today = hours.instant(japan_date(now), time(0))
    return audit.without_receipts(tx, reported, today=today, week=now - SOON, before=now - LONG_AGO)


def _activity(uow: UnitOfWork) -> Iterator[Trouble]:
    """Find a change in the latest rows of the activity log, or one that an audit has found further back."""
    try:
        found = activity_chain.check(uow.tx, uow.keys, limit=LATEST_ACTS)
    except SettingsError:
        return  # without its key nothing can be said of the chain; the missing key is a fault of its own
    if found.wrong is not None or service_state.find(uow.tx, CHANGED_ACT):
        yield Trouble("activity_log_changed")


def check_activity(uow: UnitOfWork) -> None:
    """Check the next stretch of the activity log, from the beginning again after its end, and chain new rows.

    What is found stays a fault until the same place is right again, or the chain is begun anew.
    """
    try:
        known = service_state.find(uow.tx, CHANGED_ACT)
        if known and activity_chain.check(uow.tx, uow.keys, first=int(known), limit=1).wrong is None:
            service_state.replace(uow.tx, CHANGED_ACT, "")
        first = int(service_state.find(uow.tx, NEXT_ACT) or 1)
        found = activity_chain.check(uow.tx, uow.keys, first=first)
        if found.wrong is not None:
            service_state.replace(uow.tx, CHANGED_ACT, str(found.wrong))
        following = first + activity_chain.AT_ONCE
        service_state.replace(uow.tx, NEXT_ACT, str(1 if following > found.last else following))
        activity_chain.extend(uow.tx, uow.keys, uow.now)
    except SettingsError:
        return  # a key is missing, which is a fault of its own


def accept_activity(uow: UnitOfWork) -> int:
    """Chain the whole activity log anew, and log that; return the number of its rows."""
    activity_log.write(uow.tx, "activity_log_accepted", uow.now)
    activity_chain.restart(uow.tx)
    rows = 0
    while chained := activity_chain.extend(uow.tx, uow.keys, uow.now):
        rows += chained
    for name in (CHANGED_ACT, NEXT_ACT):
        service_state.replace(uow.tx, name, "")
    return rows


def _cards(tx: Tx, rules: Rulebook, now: datetime, last_pass: datetime | None) -> Iterator[Trouble]:
    day_before = japan_date(now - AFTER_MIDNIGHT)
    passed, seen = audit.overdue_cards(tx, day_before), _left_by_a_pass(tx, now, last_pass)
    first = min((one.since for one in (passed, seen) if one.since is not None), default=None)
    if first is not None:
        yield Trouble("cards_overdue", max(passed.count, seen.count), _begin_of(first))
    silent = audit.overdue_escalations(tx, day_before)
    if silent.since is not None:
        yield Trouble("silences_overdue", silent.count, _begin_of(silent.since))
    forgotten = _forgotten(tx, rules, japan_date(now))
    if forgotten:
        yield Trouble("cards_forgotten", forgotten)


def _begin_of(day: date) -> datetime:
    return hours.instant(day, time(0))


def _left_by_a_pass(tx: Tx, now: datetime, last_pass: datetime | None) -> audit.LateCards:
    """Return the cards that were due before a whole pass and still are: their group cannot be planned.

    A card that has become due since is left to the next pass.
    """
    seen_at, *card_ids = (service_state.find(tx, SEEN_DUE) or "").split() or [""]
    if not card_ids or last_pass is None:
        return audit.LateCards(0, None)
    seen = datetime.fromisoformat(seen_at)
    if not seen < last_pass <= now <= seen + SEEN_LATELY:
        return audit.LateCards(0, None)
    return audit.still_due(tx, [int(card_id) for card_id in card_ids], japan_date(now))


def record_due_cards(tx: Tx, now: datetime) -> None:
    """Store the due cards for the next audit."""
    card_ids = audit.cards_due(tx, japan_date(now), SEEN_AT_MOST)
    service_state.replace(tx, SEEN_DUE, " ".join([now.isoformat(), *map(str, card_ids)]))


def _forgotten(tx: Tx, rules: Rulebook, today: date) -> int:
    """Return the number of cards that have no next planning day although their plan goes on."""
    with_grace = [name for name, kind in rules.kinds.items() if kind.grace is not Grace.NONE]
    suspects = {
        *audit.without_next_day(tx, list(rules.kinds), today - AFTER_END, insured=False),
        *audit.without_next_day(tx, with_grace, today - AFTER_GRACE, insured=True),
    }
    return sum(_goes_on(tx, rules, card, today) for card in cards.as_due(tx, suspects))


def _goes_on(tx: Tx, rules: Rulebook, card: DueCard, today: date) -> bool:
    group = groups.find(tx, card.person.group_id)
    if group is None:
        return False
    ends = cards.ends_of_people(tx, [card.person.id])[card.person.id]
    _, plan = plan_of(rules, card, ends, group.preferences)
    return any(step.on > today for step in plan)


def _late_messages(tx: Tx, now: datetime, waiting: set[str]) -> Trouble | None:
    """Return the messages that are late at an hour at which they might be sent, by a channel that does not wait."""
    late = [
        one
        for one in audit.late_messages(tx, now - LONG_AGO, waiting, monitoring.accepting_channels(tx, now - LONG_AGO))
        if hours.next_allowed(now, Mode.STANDARD, Audience(one.audience), ChannelName(one.channel)) <= now
    ]
    if not late:
        return None
    return Trouble("messages_overdue", sum(one.count for one in late), min(one.since for one in late))


def _concerns(tx: Tx, rules: Rulebook, now: datetime) -> Iterator[Trouble]:
    if not row_security.has_web_role(tx.connection()):
        yield Trouble("row_security_off")
    held = group_limits.holds(tx, now, MOST_GROUPS_SHOWN)
    if held:
        named = ", ".join(f"{one.group_id} ({one.channel}, {one.reason})" for one in held)
        yield Trouble("group_over_limit", len(held), min(one.since for one in held), name=named)
    aside = set_aside.lately(tx, now - SHOWN_FOR)
    if aside:
        yield Trouble("rows_set_aside", sum(aside.values()), name=" ".join(aside))
    not_told = audit.people_not_told(tx, now - SHOWN_FOR)
    if not_told.count:
        yield Trouble("people_not_told", not_told.count, not_told.since)
    out_of_reach = audit.people_out_of_reach(tx, japan_date(now) + SOON, rules.channels)
    if out_of_reach:
        yield Trouble("people_out_of_reach", out_of_reach)
    floods = request_floods.lately(tx, now)
    if floods:
        named = ", ".join(f"{one.cause} {one.count}" for one in floods)
        yield Trouble("request_flood", sum(one.count for one in floods), min(one.since for one in floods), name=named)
    refused = counters.bounces_refused_on(tx, japan_date(now))
    if refused >= MANY_REFUSED_BOUNCES:
        yield Trouble("bounces_refused", refused)
