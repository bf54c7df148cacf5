"""The jobs of the worker: one pass over everything that is due."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, time

from reminder.channels.heartbeat import HeartbeatClient
from reminder.clock import japan_date
from reminder.conversation.inbox import act_on_replies
from reminder.delivery import apply_receipts, reconciliation
from reminder.delivery.sender import Sender
from reminder.domain.rules import hours
from reminder.domain.rules.digest_week import digest_is_due
from reminder.enrolment.imports.service import process_next_batch
from reminder.planning.escalation import escalate
from reminder.planning.notify import notify_failures, notify_notices
from reminder.planning.planner import plan_due
from reminder.planning.weekly_digest import make_digests
from reminder.storage.auth.signed_links import SignedLinks
from reminder.storage.db.session import Tx
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.runtime import heartbeats
from reminder.storage.runtime.heartbeats import Work
from reminder.upkeep.audit_job import run_audit
from reminder.upkeep.contact_verification import first_moment_of_week, verify_contacts
from reminder.upkeep.privacy.retention import apply_retention
from reminder.upkeep.sender_change import note_sender_change
from reminder.wiring import App

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PassReport:
    """How much each step of one pass did."""

    receipts: int = 0
    asked: int = 0
    answered: int = 0
    planned: int = 0
    escalated: int = 0
    greeted: int = 0  # to see whether they can still be reached
    told: int = 0  # notices to those around a person
    sent: int = 0
    forgotten: int = 0  # words and rows that have had their time
    digests: int = 0  # to the staff of homes, once a week


def run_once(app: App, now: datetime) -> PassReport:
    """One pass at one instant. Cheap when nothing is due; what it leaves undone the next one does.

    A step that fails keeps none of the others from their work; at the end its error is raised, and the pass leaves no
    sign of life, so that /readyz shows what the log says.
    """
    report, failed = _prepare(app, now)
    try:
        report = replace(report, sent=sender(app).send_due(app.loop.run))
    except Exception as error:
        log.exception("sending failed")
        failed.append(error)
    if failed:
        raise failed[0]
    _record_pass(app, now)
    return report


def prepare(app: App, now: datetime) -> PassReport:
    """A pass without its sending, which goes on beside it: a slow provider keeps nobody's answer waiting."""
    report, failed = _prepare(app, now)
    if failed:
        raise failed[0]
    _record_pass(app, now)
    return report


def send(app: App, goes_on: Callable[[], bool]) -> int:
    """What is due; how many were handed over or tried."""
    return sender(app, goes_on).send_due(app.loop.run)


def _record_pass(app: App, now: datetime) -> None:
    with app.database.writing() as tx:
        heartbeats.record_pass(tx, app.keys.ids[0], now)


def _prepare(app: App, now: datetime) -> tuple[PassReport, list[Exception]]:
    """Everything but sending; and what failed."""
    with app.database.reading() as tx:
        work = work_due(tx, now)
    failed: list[Exception] = []

    def step(is_due: object, work_off: Callable[[], int]) -> int:
        if not is_due:
            return 0
        try:
            return work_off()
        except Exception as error:
            log.exception("a step of this pass failed; the others go on")
            failed.append(error)
            return 0

    applied = step(work.receipts, lambda: apply_receipts.apply_waiting(app.database, now))
    asked = step(
        work.unknown,
        lambda: reconciliation.settle_unknown(app.database, app.keys, app.clock, app.channels, app.loop.run),
    )
    is_week_s_look = work.reach and app.settings.can_look_after_reach
    if is_week_s_look:
        with app.database.writing() as tx:
            heartbeats.record(tx, heartbeats.VERIFICATION, now)
    links = links_of(app)

    def in_one_unit(act: Callable[[UnitOfWork], int]) -> Callable[[], int]:
        def work_off() -> int:
            with app.units.writing(now) as uow:
                return act(uow)

        return work_off

    answered = step(work.replies, lambda: act_on_replies(app.units, now))
    planned = step(work.cards or applied or asked or answered, lambda: plan_due(app.units, now, links))
    escalated = step(work.silences, in_one_unit(lambda uow: escalate(uow, links)))
    sender_now = app.settings.twilio_from or app.settings.twilio_messaging_service_sid
    if is_week_s_look and sender_now:
        step(True, in_one_unit(lambda uow: note_sender_change(uow, sender_now)))
    can_prove = is_week_s_look and app.settings.public_url is not None
    greeted = step(can_prove, in_one_unit(lambda uow: verify_contacts(uow, links)))
    told = step(work.failures or applied, in_one_unit(notify_failures))
    told += step(work.notices or applied or answered or is_week_s_look, in_one_unit(notify_notices))
    digests = step(work.digest and digest_is_due(now), lambda: make_digests(app.units, now, links))
    forgotten = step(work.forget, lambda: apply_retention(app.database, now, app.settings.keep_messages_days))
    done = PassReport(applied, asked, answered, planned, escalated, greeted, told, 0, forgotten, digests)
    return done, failed


def work_due(tx: Tx, now: datetime) -> Work:
    today = japan_date(now)
    day, week = hours.instant(today, time(0)), first_moment_of_week(today)
    return heartbeats.work_due(tx, now, today, day=day, week=week)


def links_of(app: App) -> SignedLinks:
    return SignedLinks(app.keys, app.settings.public_url, app.settings.links_in_carer_mail)


def sender(app: App, goes_on: Callable[[], bool] = lambda: True) -> Sender:
    return Sender(
        app.database,
        app.keys,
        app.clock,
        app.channels,
        per_second=app.settings.sms_per_second if app.settings.has_twilio else None,
        stop_url=links_of(app).stop,
        goes_on=goes_on,
    )


def work_on_imports(app: App, goes_on: Callable[[], bool] = lambda: True) -> int:
    """Checks and saves what homes have sent in, a batch of rows at a time; how many batches."""
    batches = 0
    while goes_on() and process_next_batch(app.units, app.clock.now()):
        batches += 1
    return batches


def audit_once(app: App) -> tuple[str, ...]:
    """The auditor's round; the codes of what it has found, none where it was another worker's turn."""
    heartbeat = HeartbeatClient(app.settings.heartbeat_url, app.settings.heartbeat_fail_url)
    found = run_audit(app.units, app.clock.now(), heartbeat, keeps_time=app.keeps_time)
    return found.troubles if found else ()
