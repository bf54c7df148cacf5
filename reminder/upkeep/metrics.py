"""Metrics for Prometheus: counts at this moment and counters since the beginning, without personal data."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, time

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from reminder.domain.model.end_outcomes import EndOutcome
from reminder.domain.rules import hours
from reminder.domain.rules.effect import By, EffectRow, EndCount, last_year, table_of
from reminder.domain.rules.evening_balance import DayBalance, Fate
from reminder.errors import DatabaseNotReadyError
from reminder.storage.db.row_security import Access, AccessScope
from reminder.storage.db.unit_of_work import UnitsOfWork
from reminder.storage.maintenance import audit, counters
from reminder.storage.reminders import counted_ends, daily_balances
from reminder.upkeep.health import Health, assess

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4


def exposition(units: UnitsOfWork, now: datetime, *, keeps_time: bool = False) -> bytes:
    """Return the metrics in the text format of Prometheus; if the database is away, only that."""
    found = assess(units, now, keeps_time=keeps_time)
    counted: Mapping[str, int] = {}
    cards_due = 0
    balances: Sequence[DayBalance] = ()
    ends: Sequence[EndCount] = ()
    try:
        with units.acting_for(Access(scope=AccessScope.MONITORING)).reading(now) as uow:
            counted = counters.all_of(uow.tx)
            cards_due = len(audit.cards_due(uow.tx, uow.today, audit.AT_MOST))
            balances = daily_balances.latest(uow.tx)
            ends = counted_ends.counts(uow.tx, *last_year(now))
    except DatabaseNotReadyError:
        pass  # the audit has reported it
    registry = CollectorRegistry()
    shown = (*_balance(balances), *_effect(ends), *_since_the_beginning(counted))
    registry.register(_Moment([*_gauges(found, cards_due, now), *shown]))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


class _Moment(Collector):
    """The values of one moment, read once."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = list(metrics)

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def _gauges(found: Health, cards_due: int, now: datetime) -> Iterator[Metric]:
    yield GaugeMetricFamily("kigen_ready", "1 while the audit finds nothing wrong", int(found.is_ready))
    for name, help_text, some in (
        ("kigen_troubles", "What keeps the service from its work, by code; 1000: that many or more", found.found),
        ("kigen_concerns", "What needs a human and is no fault of the service, by code", found.concerns),
    ):
        by_code = GaugeMetricFamily(name, help_text, labels=["code"])
        for one in some:
            by_code.add_metric([one.code], one.count)
        yield by_code
    for name, help_text, at in (
        ("kigen_last_pass_age_seconds", "Since the last pass that ended well began", found.last_pass),
        ("kigen_last_audit_age_seconds", "Since the worker's auditor last looked", found.last_audit),
    ):
        if at is not None:
            yield GaugeMetricFamily(name, help_text, (now - at).total_seconds())
    waiting = GaugeMetricFamily("kigen_messages", "Messages that are not over", labels=["channel", "state"])
    due = GaugeMetricFamily("kigen_messages_due", "Messages whose moment has come", labels=["channel"])
    for row in found.messages:
        waiting.add_metric([row.channel, row.state], row.count)
        if row.due:
            due.add_metric([row.channel], row.due)
    oldest = min((row.due_since for row in found.messages if row.due_since), default=now)
    yield waiting
    yield due
    yield GaugeMetricFamily(
        "kigen_oldest_due_age_seconds", "How long the oldest of those has been due", (now - oldest).total_seconds()
    )
    yield GaugeMetricFamily("kigen_cards_due", "Cards for the next pass; 1000: that many or more", cards_due)
    paused = GaugeMetricFamily("kigen_channel_paused", "1 while this waits for the operator", labels=["channel"])
    for channel in found.pauses:
        paused.add_metric([channel], 1)
    yield paused
    opened = GaugeMetricFamily(
        "kigen_channel_breaker_open", "1 while nothing but a probe leaves by this channel", labels=["channel"]
    )
    failing = GaugeMetricFamily(
        "kigen_channel_failing_seconds", "How long nothing has succeeded by this channel", labels=["channel"]
    )
    for state in found.failing:
        opened.add_metric([state.channel], int(state.is_open))
        failing.add_metric([state.channel], max(0.0, (now - state.failing_since).total_seconds()))
    yield opened
    yield failing
    made = GaugeMetricFamily("kigen_canary_age_seconds", "Since the newest canary was made", labels=["channel"])
    back = GaugeMetricFamily(
        "kigen_canary_back_seconds", "How long the newest canary took until it was proved", labels=["channel", "how"]
    )
    for canary in found.canaries:
        made.add_metric([canary.channel], (now - canary.made_at).total_seconds())
        if canary.returned_at is not None and canary.how is not None:
            back.add_metric([canary.channel, canary.how], (canary.returned_at - canary.made_at).total_seconds())
    yield made
    yield back


def _balance(balances: Sequence[DayBalance]) -> Iterator[Metric]:
    due = GaugeMetricFamily(
        "kigen_balance_due",
        "Promises of the last day that was counted, each of one step to one human",
        labels=["channel"],
    )
    fates = GaugeMetricFamily(
        "kigen_balance", "What became of these; over all fates they are what was due", labels=["channel", "fate"]
    )
    people = GaugeMetricFamily("kigen_balance_people", "Whom these concern", labels=["channel"])
    for one in balances:
        due.add_metric([one.channel], one.due)
        people.add_metric([one.channel], one.people)
        for fate in Fate:
            fates.add_metric([one.channel, fate], getattr(one, fate))
    yield due
    yield fates
    yield people
    if balances:
        day = hours.instant(balances[0].day, time(0)).timestamp()
        yield GaugeMetricFamily("kigen_balance_day_seconds", "When the day that was counted last began, in UTC", day)


# The rows that are too few together, under one name.
_FEWER = "fewer"


def _effect(counts: Sequence[EndCount]) -> Iterator[Metric]:
    ends = GaugeMetricFamily(
        "kigen_effect_ends",
        "End dates of the last twelve months that have passed, by what became of them; fewer: kinds of few ends",
        labels=["kind", "outcome"],
    )
    share = GaugeMetricFamily(
        "kigen_effect_in_time_ratio",
        "The share of those still needed that was renewed in time, with its 95 % limits",
        labels=["limit"],
    )
    table = table_of(counts, By.KIND)
    if table.total is not None:
        shown = list(table.rows)
        if table.hidden:
            rest = {
                outcome: table.total.count(outcome) - sum(row.count(outcome) for row in table.rows)
                for outcome in EndOutcome
            }
            shown.append(EffectRow(_FEWER, rest))
        for row in shown:
            for outcome in EndOutcome:
                ends.add_metric([row.name, outcome], row.count(outcome))
        in_time = table.total.in_time
        for limit, value in (("share", in_time.share), ("low", in_time.low), ("high", in_time.high)):
            share.add_metric([limit], value)
    yield ends
    yield share


def _since_the_beginning(counted: Mapping[str, int]) -> Iterator[Metric]:
    handed = CounterMetricFamily(
        "kigen_handed_over",
        "Messages handed over, by what was known two minutes later; queued: it is tried again",
        labels=["channel", "state"],
    )
    waited = HistogramMetricFamily(
        "kigen_due_to_handed_seconds", "From the moment a message was due until it was handed over", labels=["channel"]
    )
    refused = CounterMetricFamily(
        "kigen_bounces_refused", "Bounces that named no mail of ours with a reference that we have made"
    )
    requests = CounterMetricFamily(
        "kigen_requests_refused", "Requests of strangers that were refused, by cause", labels=["cause"]
    )
    channels = set()
    for name, count in counted.items():
        what, channel, detail = name.split(".")
        if what == counters.HANDED:
            handed.add_metric([channel, detail], count)
        elif what == counters.BOUNCES:
            refused.add_metric([], count)
        elif what == counters.REQUESTS:
            requests.add_metric([channel], count)
        elif what == counters.WAITED:
            channels.add(channel)
    for channel in sorted(channels):
        below, buckets = 0, []
        for place, bound in enumerate([*map(str, counters.BUCKETS), "+Inf"]):
            below += counted.get(f"{counters.WAITED}.{channel}.{place}", 0)
            buckets.append((bound, float(below)))
        waited.add_metric([channel], buckets, counted.get(f"{counters.WAITED}.{channel}.{counters.SECONDS}", 0))
    yield handed
    yield waited
    yield refused
    yield requests
