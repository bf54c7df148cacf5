"""The jobs of the worker: one pass runs those that are due, in the order of the table JOBS."""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from reminder.channels.heartbeat import HeartbeatClient
from reminder.conversation.inbox import act_on_replies
from reminder.delivery import apply_receipts, ask_arrivals, reconciliation
from reminder.delivery.send_canaries import CanarySettings, keep_canaries
from reminder.delivery.sender import Sender
from reminder.delivery.try_mail import try_mail
from reminder.domain.model.people import ChannelName
from reminder.domain.rules.digest_week import digest_is_due
from reminder.enrolment.imports.service import process_next_batch
from reminder.errors import DatabaseNotReadyError
from reminder.planning.escalation import escalate
from reminder.planning.notify import notify_failures, notify_holds, notify_notices
from reminder.planning.planner import plan_due
from reminder.planning.promise_keeping import keep_promises
from reminder.planning.weekly_digest import make_digests, make_some
from reminder.storage.auth.signed_links import SignedLinks
from reminder.storage.db.session import Tx
from reminder.storage.outbox import failures, receipts
from reminder.storage.reminders import notices, promises, replies, unclear_replies
from reminder.storage.runtime import heartbeats, set_aside, work_conditions
from reminder.storage.runtime.work_conditions import WorkCondition
from reminder.upkeep import clock_step
from reminder.upkeep.audit_job import run_audit
from reminder.upkeep.contact_verification import verify_contacts, verify_some
from reminder.upkeep.daily_balance import count_days, mail_week
from reminder.upkeep.operator_alerts import OperatorContacts
from reminder.upkeep.privacy.retention import apply_retention
from reminder.upkeep.proof_of_effect import count_ends
from reminder.upkeep.sender_change import note_sender_change
from reminder.upkeep.word_check import check_some, check_words
from reminder.wiring import App

log = logging.getLogger(__name__)


class PassReport(Mapping[str, int]):
    """How much each job of one pass did, by the name of the job, in the order in which they ran."""

    def __init__(self, counts: Mapping[str, int]) -> None:
        self._counts = dict(counts)

    def __getitem__(self, name: str) -> int:
        return self._counts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._counts)

    def __len__(self) -> int:
        return len(self._counts)

    def __repr__(self) -> str:
        return f"PassReport({self._counts})"

    def __str__(self) -> str:
        """Return what was done, without the jobs that did nothing."""
        return " ".join(f"{name}={count}" for name, count in self._counts.items() if count)

    @property
    def total(self) -> int:
        """The sum over all jobs; 0 if nothing was due."""
        return sum(self._counts.values())


@dataclass(frozen=True)
class DueRule:
    """What makes a job due: one of `conditions` holds as the pass begins, or one of the jobs `after` did something.

    `after`: names of jobs that stand earlier in the table. `only_if`: what must be true besides, of the settings or of
    the hour.
    """

    conditions: tuple[WorkCondition, ...] = ()
    after: tuple[str, ...] = ()
    only_if: Callable[[App, datetime], bool] | None = None
    is_always: bool = False

    def holds(self, app: App, now: datetime, found: Collection[WorkCondition], done: Mapping[str, int]) -> bool:
        """Return whether the job is due; `found`: the conditions that hold, `done`: the counts of earlier jobs."""
        is_due = (
            self.is_always
            or any(condition in found for condition in self.conditions)
            or any(done[name] for name in self.after)
        )
        return is_due and (self.only_if is None or self.only_if(app, now))


def when(
    *conditions: WorkCondition, after: tuple[str, ...] = (), only_if: Callable[[App, datetime], bool] | None = None
) -> DueRule:
    """Return the rule by which a job is due."""
    return DueRule(conditions, after, only_if)


ALWAYS = DueRule(is_always=True)


@dataclass(frozen=True)
class Job:
    """One kind of work of a pass. `name` is its key in the report; `run` returns how much was done.

    `run` is called only if the job is due, with no transaction open. It opens its own, and none while a provider is
    called. What it leaves undone, the next pass does.
    """

    name: str
    is_due: DueRule
    run: Callable[[App, datetime], int]


def _reconcile(app: App, _now: datetime) -> int:
    return reconciliation.settle_unknown(
        app.database, app.keys, app.clock, app.channels, app.loop.run, goes_on=app.goes_on
    )


def _begin_week(app: App, now: datetime) -> int:
    """Record that the yearly checks of this week have begun: where one of them fails, it waits for the next week."""
    with app.database.writing() as tx:
        heartbeats.record(tx, heartbeats.VERIFICATION, now)
    return 1


def _note_sender_change(app: App, now: datetime) -> int:
    sender_now = app.settings.twilio_from or app.settings.twilio_messaging_service_sid
    if not sender_now:
        return 0
    with app.units.writing(now) as uow:
        return note_sender_change(uow, sender_now)


# What puts rows back into their queue, in the transaction in which they are no longer set aside.
_PUT_BACK: Mapping[str, Callable[[Tx, Sequence[int]], None]] = {
    set_aside.REPLIES: replies.mark_waiting,
    set_aside.UNCLEAR_REPLIES: unclear_replies.mark_waiting,
    set_aside.RECEIPTS: receipts.mark_waiting,
    set_aside.NOTICES: notices.mark_waiting,
    set_aside.FAILURES: failures.mark_unreported,
    set_aside.PROMISES: promises.mark_waiting,
}
# What tries rows again at once, because their queue is worked off once a week, or once.
_WORK_AGAIN: Mapping[str, Callable[[App, datetime, Sequence[int]], object]] = {
    set_aside.VERIFICATIONS: lambda app, now, ids: verify_some(app.units, now, links_of(app), ids),
    set_aside.DIGESTS: lambda app, now, ids: make_some(app.units, now, links_of(app), ids),
    set_aside.WORDS: lambda app, now, ids: check_some(app.units, now, ids),
}


def _try_again(app: App, now: datetime) -> int:
    """Try the rows again that were set aside an hour ago, and return their number: somebody may have mended them.

    Rows of the other queues are in them as soon as they are no longer set aside.
    """
    count = 0
    for queue in sorted(set_aside.QUEUES):
        with app.database.writing() as tx:
            row_ids = set_aside.take_back(tx, queue, now - set_aside.TRIED_AGAIN_AFTER)
            if row_ids and queue in _PUT_BACK:
                _PUT_BACK[queue](tx, row_ids)
        if row_ids and queue in _WORK_AGAIN:
            _WORK_AGAIN[queue](app, now, row_ids)
        count += len(row_ids)
    return count


def _has_canaries(app: App, _now: datetime) -> bool:
    return bool(app.rules.canary_channels)


def _canaries(app: App, now: datetime) -> int:
    settings = CanarySettings.of(
        sms=app.settings.canary_sms, email=app.settings.canary_email, bounce_address=app.settings.bounce_address
    )
    return keep_canaries(app.units, now, settings, ask_arrivals.reporting(app.channels), app.loop.run)


def _writes_to_operator(app: App) -> bool:
    return app.settings.operator_email is not None


def _mail_balance(app: App, now: datetime) -> int:
    return mail_week(app.units, now, app.settings.operator_email or "")


JOBS = (
    # Before everything else: it may have put off what the others look for.
    Job(
        "clock_mended",
        when(work_conditions.PASS_IN_FUTURE),
        lambda app, now: clock_step.mend_after_restart(app.units, now),
    ),
    Job("tried_again", when(work_conditions.ROW_SET_ASIDE), _try_again),
    Job(
        "receipts",
        when(work_conditions.RECEIPT_WAITS, after=("tried_again",)),
        lambda app, now: apply_receipts.apply_waiting(app.database, now),
    ),
    Job(
        "strays_explained",
        when(work_conditions.STRAY_REFERENCE),
        lambda app, now: apply_receipts.explain_strays(app.database, now),
    ),
    Job("reconciled", when(work_conditions.LEASE_EXPIRED), _reconcile),
    Job(
        "weeks_begun",
        when(work_conditions.VERIFICATION_DUE, only_if=lambda app, _now: app.settings.can_verify_contacts),
        _begin_week,
    ),
    Job(
        "answered",
        when(work_conditions.REPLY_WAITS, work_conditions.UNCLEAR_REPLY_DUE, after=("tried_again",)),
        lambda app, now: act_on_replies(app.units, now),
    ),
    Job(
        "arrivals_asked",
        when(work_conditions.PROMISE_DUE),
        lambda app, now: ask_arrivals.ask_arrivals(app.database, app.keys, now, app.channels, app.loop.run),
    ),
    Job(
        "promises",
        when(work_conditions.PROMISE_DUE, after=("tried_again",)),
        lambda app, now: keep_promises(app.units, now, ask_arrivals.reporting(app.channels).keys()),
    ),
    Job(
        "planned",
        when(work_conditions.REMINDER_DUE, after=("receipts", "reconciled", "answered", "arrivals_asked", "promises")),
        lambda app, now: plan_due(app.units, now, links_of(app)),
    ),
    Job(
        "escalated",
        when(work_conditions.ESCALATION_DUE),
        lambda app, now: escalate(app.units, now, links_of(app)),
    ),
    Job("sender_changed", when(after=("weeks_begun",)), _note_sender_change),
    Job(
        "verified",
        when(after=("weeks_begun",), only_if=lambda app, _now: app.settings.public_url is not None),
        lambda app, now: verify_contacts(app.units, now, links_of(app)),
    ),
    Job("words_checked", when(work_conditions.WORDS_UNCHECKED), lambda app, now: check_words(app.units, now)),
    Job(
        "failures_reported",
        when(work_conditions.FAILURE_UNREPORTED, after=("tried_again", "receipts", "arrivals_asked")),
        lambda app, now: notify_failures(app.units, now),
    ),
    Job(
        "notified",
        when(
            work_conditions.NOTICE_WAITS, after=("tried_again", "receipts", "arrivals_asked", "answered", "weeks_begun")
        ),
        lambda app, now: notify_notices(app.units, now),
    ),
    Job(
        "limits_told",
        when(work_conditions.GROUP_HOLD_UNTOLD),
        lambda app, now: notify_holds(app.units, now),
    ),
    Job(
        "digests",
        when(work_conditions.DIGEST_MISSING, only_if=lambda _app, now: digest_is_due(now)),
        lambda app, now: make_digests(app.units, now, links_of(app)),
    ),
    Job("canaries", DueRule(is_always=True, only_if=_has_canaries), _canaries),
    Job(
        "balanced",
        when(work_conditions.BALANCE_MISSING, work_conditions.BALANCE_UNSETTLED),
        lambda app, now: count_days(app.units, now, ask_arrivals.reporting(app.channels).keys()),
    ),
    # After it, so that the last day of the week is in it.
    Job(
        "balance_mailed",
        when(work_conditions.BALANCE_UNSENT, only_if=lambda app, now: _writes_to_operator(app) and digest_is_due(now)),
        _mail_balance,
    ),
    # Before messages are deleted, which tell by what somebody was told.
    Job(
        "effect_counted",
        when(work_conditions.EFFECT_DUE),
        lambda app, now: count_ends(app.units, now, ask_arrivals.reporting(app.channels).keys()),
    ),
    Job(
        "deleted",
        when(work_conditions.RETENTION_DUE),
        lambda app, now: apply_retention(app.database, now, app.settings.keep_messages_days),
    ),
)

# The worker sends beside its passes; a single pass ends with it. Which messages are due the sender asks itself.
SENDING = Job("sent", ALWAYS, lambda app, _now: send(app))


def run_once(app: App, now: datetime, jobs: tuple[Job, ...] = (*JOBS, SENDING)) -> PassReport:
    """Run one pass at one instant (aware UTC), and return its report. Cheap when nothing is due.

    A job that fails keeps none of the others from their work. At the end its error is raised, the first where several
    failed, and the pass leaves no sign of life, so that /readyz shows what the log says. Nor does one that
    was told to end before all of them had run.
    """
    with app.database.reading() as tx:
        found = work_conditions.work_due(tx, conditions_of(jobs), now)
    done: dict[str, int] = {}
    failed: list[Exception] = []
    for job in jobs:
        done[job.name] = 0
        if not app.goes_on():
            continue
        try:
            if job.is_due.holds(app, now, found, done):
                done[job.name] = job.run(app, now)
        except DatabaseNotReadyError as not_ready:
            if not_ready.is_final:
                raise
            # Its cause is known, and the same for all jobs.
            log.warning("the database cannot be used (%s); the other jobs of this pass are tried", not_ready)
            failed.append(not_ready)
        except Exception as error:
            log.exception("the job %s of this pass failed; the others go on", job.name)
            failed.append(error)
    if failed:
        raise failed[0]
    if not app.goes_on():
        return PassReport(done)
    with app.database.writing() as tx:
        heartbeats.record_pass(tx, app.keys.ids[0], now)
    return PassReport(done)


def conditions_of(jobs: tuple[Job, ...]) -> tuple[WorkCondition, ...]:
    """Return every condition that makes one of the jobs due, each once."""
    return tuple(dict.fromkeys(condition for job in jobs for condition in job.is_due.conditions))


def prepare(app: App, now: datetime) -> PassReport:
    """Run a pass without its sending, which goes on beside it: a slow provider delays nobody's answer."""
    return run_once(app, now, JOBS)


def send(
    app: App,
    goes_on: Callable[[], bool] = lambda: True,
    channels: Sequence[ChannelName] | None = None,
    *,
    codes: bool | None = None,
) -> int:
    """Send what is due by these channels (None: by all), and return how many messages were accepted.

    `codes`: only login codes, or (False) all but those.
    """
    if codes is None:
        try_mail_server(app)
    sending = sender(app, goes_on)
    sending.send_due(app.loop.run, channels, codes=codes)
    return sending.accepted


def try_mail_server(app: App) -> bool:
    """Find out whether mail leaves, if somebody waits for a login code; return whether it was tried."""
    channels = app.channels if app.code_channels is None else app.code_channels
    return try_mail(app.database, app.clock, channels.get(ChannelName.EMAIL), app.loop.run)


def links_of(app: App) -> SignedLinks:
    """Return what makes the links of messages, by the settings of this app."""
    return SignedLinks(app.keys, app.settings.public_url, app.settings.links_in_carer_mail)


def sender(app: App, goes_on: Callable[[], bool] = lambda: True) -> Sender:
    """Return a sender over the channels of this app that stops between messages once `goes_on` returns False."""
    return Sender(
        app.database,
        app.keys,
        app.clock,
        app.channels,
        per_second=app.settings.sms_per_second if app.settings.has_twilio else None,
        stop_url=links_of(app).stop,
        goes_on=goes_on,
        code_channels=app.code_channels,
    )


def work_on_imports(app: App, goes_on: Callable[[], bool] = lambda: True) -> int:
    """Check and save the sheets that homes sent in, a batch of rows at a time; return the number of batches."""
    batches = 0
    while goes_on() and process_next_batch(app.units, app.clock.now()):
        batches += 1
    return batches


def audit_once(app: App) -> tuple[str, ...]:
    """Run one audit, and return the codes of what it found; none where it was another worker's turn."""
    heartbeat = HeartbeatClient(app.settings.heartbeat_url, app.settings.heartbeat_fail_url)
    operator = OperatorContacts.of(email=app.settings.operator_email, phone=app.settings.operator_phone)
    found = run_audit(app.units, app.clock.now(), heartbeat, keeps_time=app.keeps_time, operator=operator)
    return found.troubles if found else ()
