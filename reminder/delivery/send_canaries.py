"""Canaries: made when they are due, and proved by a receipt, by the mail pipe, or where neither exists by acceptance.

A canary is a message like any other: the same queue, dispatcher, breaker and limits. It belongs to no group.
"""

import logging
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import datetime

from reminder.domain.model.messages import (
    MessageKind,
    MessageState,
    ProviderReport,
    ReportingChannel,
    Urgency,
)
from reminder.domain.model.people import Audience, ChannelName, Language
from reminder.domain.rules import canary_schedule as rules
from reminder.domain.rules.canary_schedule import CanaryProof
from reminder.domain.text import sms_segments
from reminder.errors import ChannelError
from reminder.storage.crypto.references import MESSAGE
from reminder.storage.db.unit_of_work import UnitOfWork, UnitsOfWork
from reminder.storage.outbox import queue, receipts
from reminder.storage.outbox.queue import MessageDraft
from reminder.storage.runtime import canaries
from reminder.storage.runtime.canaries import SentCanary

log = logging.getLogger(__name__)

_ACCEPTED = (MessageState.ACCEPTED, MessageState.DELIVERED)


@dataclass(frozen=True)
class CanarySettings:
    """Where canaries are sent, by channel, and the address to which mail comes back, where there is one."""

    addresses: Mapping[ChannelName, str]
    bounce_address: str | None = None

    @classmethod
    def of(cls, *, sms: str | None, email: str | None, bounce_address: str | None) -> "CanarySettings":
        """Return those that are set."""
        found = {ChannelName.SMS: sms, ChannelName.EMAIL: email}
        return cls({channel: address for channel, address in found.items() if address}, bounce_address)

    def ends_in_pipe(self, address: str) -> bool:
        """Return whether the address is our own bounce address, or a part of it: the mail pipe reads what it gets."""
        local, _, domain = address.lower().rpartition("@")
        ours, _, our_domain = (self.bounce_address or "").lower().rpartition("@")
        return bool(our_domain) and domain == our_domain and local.partition("+")[0] == ours


def keep_canaries(
    units: UnitsOfWork,
    now: datetime,
    settings: CanarySettings,
    reporting: Mapping[ChannelName, ReportingChannel],
    run: Callable[[Coroutine[None, None, ProviderReport | None]], ProviderReport | None],
) -> int:
    """Make the canaries that are due and record which have come back; return the number of both.

    `reporting`: the channels whose provider can be asked whether a message has arrived.
    """
    done = 0
    for channel, address in settings.addresses.items():
        done += _make(units, now, settings, channel, address, can_report=channel in reporting)
    with units.reading(now) as uow:
        awaited = canaries.awaited(uow.tx, now - rules.CAME_BACK_FOR)
    for one in awaited:
        proof = _proof(one)
        if proof is not None:
            with units.writing(now) as uow:
                canaries.prove(uow.tx, one.channel, one.due_at, proof, _proved_at(one, now))
            done += 1
        elif _is_to_be_asked(units, one, now) and one.channel in reporting:
            _ask(units, now, one, reporting[ChannelName(one.channel)], run)
    return done


def _make(
    units: UnitsOfWork, now: datetime, settings: CanarySettings, channel: ChannelName, address: str, *, can_report: bool
) -> int:
    due = rules.last_due(now, channel, units.rules.canary_every)
    if due is None or not rules.may_leave(now, channel):
        return 0
    with units.reading(now) as uow:
        newest = canaries.latest(uow.tx, channel, 1)
    if newest and newest[0].due_at >= due:
        return 0
    with units.writing(now) as uow:
        index = uow.keys.consent_index(address)
        back_by = now + rules.back_within(channel)
        if not canaries.add(uow.tx, channel, due, address_index=index, now=now, back_by=back_by):
            return 0  # another worker has made it
        needs_arrival = can_report
        if channel.is_mail:
            came_back = canaries.has_come_back(uow.tx, channel, index, now - rules.CAME_BACK_FOR)
            needs_arrival = came_back or settings.ends_in_pipe(address)
        [message_id] = queue.add(uow.tx, uow.keys, [_draft(uow, channel, address, due)], now)
        canaries.set_message(uow.tx, channel, due, message_id, needs_arrival=needs_arrival)
        canaries.delete_old(uow.tx, now - 3 * rules.CAME_BACK_FOR)
    return 1


def _draft(uow: UnitOfWork, channel: ChannelName, address: str, due: datetime) -> MessageDraft:
    said = uow.rules.composer.canary(Language.JAPANESE, due)
    return MessageDraft(
        key=f"canary:{channel}:{due.isoformat()}",
        kind=MessageKind.NOTICE,
        group_id=None,
        contact_id=None,
        address=address,
        audience=Audience.CARER,
        channel=channel,
        subject=said.subject if channel.is_mail else None,
        text=said.text,
        segments=0 if channel.is_mail else sms_segments.count(said.text),
        scheduled_at=uow.now,
        expires_at=uow.now + rules.TRUE_FOR,
        urgency=Urgency.ANSWER,
        language=Language.JAPANESE if channel.is_mail else None,
    )


def _proof(one: SentCanary) -> CanaryProof | None:
    if one.state is MessageState.DELIVERED:
        return CanaryProof.DELIVERED
    if one.state is MessageState.ACCEPTED and not one.needs_arrival:
        return CanaryProof.ACCEPTED
    return None


def _proved_at(one: SentCanary, now: datetime) -> datetime:
    at = one.ended_at if one.state is MessageState.DELIVERED else one.handed_at
    return now if at is None else at


def _is_to_be_asked(units: UnitsOfWork, one: SentCanary, now: datetime) -> bool:
    """Return whether the provider is asked: where it calls us, its call is part of what a canary proves."""
    is_waiting = one.state is MessageState.ACCEPTED and one.provider_id is not None and one.handed_at is not None
    if not is_waiting or units.rules.expects_receipts or one.address is None or one.handed_at is None:
        return False
    last = one.asked_at
    return now - one.handed_at >= rules.ASKED_AFTER and (last is None or now - last >= rules.ASKED_AGAIN)


def _ask(
    units: UnitsOfWork,
    now: datetime,
    one: SentCanary,
    channel: ReportingChannel,
    run: Callable[[Coroutine[None, None, ProviderReport | None]], ProviderReport | None],
) -> None:
    """Ask, with no transaction open, and store what is said as a receipt."""
    with units.reading(now) as uow:
        sealed = one.address
        address = uow.keys.open(sealed) if sealed is not None and uow.keys.can_open(sealed) else None
    report = None
    if address is not None and one.provider_id is not None:
        try:
            report = run(channel.look_up(address, one.provider_id))
        except ChannelError as failed:
            log.warning("the %s canary cannot be asked about: %s", one.channel, failed.reason)
    with units.writing(now) as uow:
        canaries.mark_asked(uow.tx, [one], now)
        if report is not None and one.provider_id is not None:
            receipts.keep(
                uow.tx,
                provider_id=one.provider_id,
                status=report.status,
                error_code=report.error_code,
                message_id=one.message_id,
                seconds=report.seconds,
                now=now,
            )


def keep_return(uow: UnitOfWork, mail_ids: frozenset[str]) -> bool:
    """Record the return of a canary that a mail is by its Message-ID; False for any other mail.

    The reference in it is sealed: whoever has not got the mail cannot write it.
    """
    for mail_id in mail_ids:
        named = uow.keys.references.read(MESSAGE, mail_id)
        made_at = None if named is None else canaries.made_at(uow.tx, named.ids[0])
        if named is not None and made_at is not None and named.was_made(made_at):
            return canaries.record_return(uow.tx, named.ids[0], made_at, uow.now)
    return False
