"""The simulation: years in seconds, with the worker's own pass on a stepped clock, from one due moment to the next."""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from reminder.channels.memory import MemoryChannel
from reminder.clock import SteppedClock, japan_date
from reminder.domain.model.card_kinds import CARD, SIGNATURE_CERTIFICATE, USER_CERTIFICATE
from reminder.domain.model.channels import registered
from reminder.domain.model.messages import Outgoing
from reminder.domain.model.people import ChannelName, ConsentHow, GroupKind, Language, Mode, Role
from reminder.domain.rules import digest_week, hours
from reminder.enrolment import register
from reminder.enrolment.cards import TypedDates, add_card
from reminder.settings import Settings
from reminder.storage.crypto import private_files
from reminder.storage.crypto.keyring import new_key
from reminder.storage.maintenance import moving
from reminder.storage.outbox import queue
from reminder.storage.registry import cards, groups
from reminder.storage.reminders import promises, unclear_replies
from reminder.storage.runtime import work_conditions
from reminder.upkeep.contact_verification import first_moment_of_week
from reminder.wiring import App, build_app, read_settings
from reminder.worker.jobs import PassReport, run_once

# News that a pass takes up at once, whatever the hour.
NEWS = (
    work_conditions.RECEIPT_WAITS,
    work_conditions.FAILURE_UNREPORTED,
    work_conditions.REPLY_WAITS,
    work_conditions.NOTICE_WAITS,
    work_conditions.GROUP_HOLD_UNTOLD,
)
CONDITIONS = (*NEWS, work_conditions.VERIFICATION_DUE, work_conditions.DIGEST_MISSING)
# What cannot be done yet (a paused channel) is tried again after this time, as the real scheduler does.
AT_LEAST = timedelta(minutes=1)


@dataclass(frozen=True)
class SimulatedMessage:
    """A message that arrived; `at` is aware UTC."""

    at: datetime
    channel: ChannelName
    outgoing: Outgoing


class SimulatedWorld:
    """An App on a stepped clock whose providers only record what they get."""

    def __init__(self, app: App, clock: SteppedClock, channels: Mapping[ChannelName, MemoryChannel]) -> None:
        self.app, self.clock, self.channels = app, clock, channels
        self._last_pass: datetime | None = None

    def run_until(self, until: datetime) -> Iterator[PassReport]:
        """Run one pass at each moment at which something is due, and yield its report.

        The clock stands still while the caller does not ask for the next report.
        """
        while (moment := self._next_moment()) is not None and moment <= until:
            self.clock.move_to(moment)
            self._last_pass = moment
            yield run_once(self.app, moment)
        self.clock.move_to(max(until, self.clock.now()))

    def _next_moment(self) -> datetime | None:
        now = self.clock.now()
        with self.app.database.reading() as tx:
            message, day, silent = queue.next_moment(tx), cards.next_due_on(tx), cards.next_silence_on(tx)
            unclear, promise = unclear_replies.next_moment(tx), promises.next_moment(tx)
            found, has_homes = work_conditions.work_due(tx, CONDITIONS, now), groups.has_homes(tx)
        if self.app.settings.can_verify_contacts:
            # Contacts are verified once a week.
            is_due = work_conditions.VERIFICATION_DUE in found
            week = now if is_due else first_moment_of_week(japan_date(now) + timedelta(days=7))
        else:
            week = None
        days = [hours.instant(one, time(0)) for one in (day, silent) if one is not None]
        is_made = work_conditions.DIGEST_MISSING not in found
        digest = max(now, digest_week.next_digest_at(now, is_made=is_made)) if has_homes else None
        news = now if found.intersection(NEWS) else None
        moments = [*days, *(one for one in (news, message, unclear, promise, week, digest) if one is not None)]
        first = min(moments, default=None)
        if first is None:
            return None
        if first > now:
            return first
        return now if self._last_pass != now else now + AT_LEAST

    def all_sent(self) -> list[SimulatedMessage]:
        """Return everything that arrived, in order of time."""
        channels = self.channels.items()
        sent = [
            SimulatedMessage(outgoing.handed_at, name, outgoing)
            for name, channel in channels
            for outgoing in channel.sent
        ]
        return sorted(sent, key=lambda one: (one.at, one.outgoing.message_id))


@contextmanager
def simulated_world(
    start: datetime, *, settings: Settings | None = None, copy_of: Path | None = None, with_answers: bool = False
) -> Iterator[SimulatedWorld]:
    """Yield a world on a temporary SQLite file, or on a temporary copy of one; the file is deleted at the end.

    `settings` provides the rules and, with `copy_of`, the keys. Its database and providers are not used.
    `with_answers`: people can answer their texts, whatever the settings say.
    """
    folder = Path(tempfile.mkdtemp(prefix="kigen-"))
    try:
        given = settings.model_dump() if settings is not None else {}
        if copy_of is not None:
            _copy(copy_of, folder / "kigen.db")
            if settings is not None and (settings.data_dir / "keys").exists():
                private_files.create(folder / "keys")
                shutil.copyfile(settings.data_dir / "keys", folder / "keys")
        else:
            given["secret_keys"] = (new_key(),)
        thrown_away: dict[str, object] = {
            "data_dir": folder,
            "database_url": None,
            "twilio_account_sid": None,
            "twilio_auth_token": (),
        }
        thrown_away["leader_url"] = ()
        thrown_away |= {"canary_sms": None, "canary_email": None}
        if with_answers:
            thrown_away["two_way_sms"] = True
        clock, channels = SteppedClock(start), {name: MemoryChannel() for name in registered()}
        given_up = read_settings(**{**given, **thrown_away, "smtp_url": None})
        with build_app(given_up, clock=clock, channels=channels, durable=False) as app:
            # Of a database that is closed, too, one may ask what it would have sent.
            moving.take_back(app.database)
            yield SimulatedWorld(app, clock, channels)
    finally:
        shutil.rmtree(folder)


def _copy(source: Path, target: Path) -> None:
    """Copy the whole database, even while others write to it."""
    private_files.create(target)
    with sqlite3.connect(source) as here, sqlite3.connect(target) as there:
        here.backup(there)
    here.close()
    there.close()


class Village:
    """The invented people of the demo; `names` says who answers to which invented address."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._now = app.clock.now()
        self._today = japan_date(self._now)
        self.names: dict[str, str] = {}

    def settle_family(self) -> None:
        """Enrol two parents and a daughter."""
        family = self._group("田中家", GroupKind.HOUSEHOLD)
        self._member(family, "musume@example.jp", "娘")
        mother = self._person(family, "母", Mode.ELDERLY, "090-0000-0001", mark="つばめ")
        father = self._person(family, "父", Mode.STANDARD, "090-0000-0002")
        first_end = _years_on(self._today, 0, months=4)
        for kind in (USER_CERTIFICATE, SIGNATURE_CERTIFICATE):
            self._card(mother, kind, first_end)
            self._card(father, kind, _years_on(self._today, 2))
        self._card(mother, CARD, _years_on(first_end, 5))
        self._card(father, CARD, _years_on(self._today, 2))
        self._card(mother, "care_certification", _years_on(self._today, 1))
        self._card(father, "driving_licence", _years_on(self._today, 1, months=6))

    def settle_home(self) -> None:
        """Enrol three residents, the son of one of them, and the office."""
        home = self._group("さくら苑", GroupKind.HOME)
        self._member(home, "jimu@example.jp", "さくら苑 事務")
        for room, label, months in (("201", "キヨさん", 5), ("202", "タケさん", 14), ("203", "ハナさん", 26)):
            resident = self._person(home, label, Mode.HOME, None, room=room)
            self._card(resident, USER_CERTIFICATE, _years_on(self._today, 0, months=months))
            if room == "202":
                self._contact(resident, ChannelName.EMAIL, "musuko@example.jp", "タケさんの息子", is_family=True)

    def _group(self, name: str, kind: GroupKind) -> int:
        with self._app.units.writing(self._now) as uow:
            return register.add_group(uow, name=name, kind=kind)

    def _member(self, group: int, email: str, name: str) -> None:
        with self._app.units.writing(self._now) as uow:
            register.add_member(uow, group_id=group, email=email, role=Role.OWNER, language=Language.JAPANESE)
        self.names[email] = name

    def _person(
        self, group: int, label: str, mode: Mode, phone: str | None, *, mark: str | None = None,
        room: str | None = None,
    ) -> int:  # fmt: skip
        with self._app.units.writing(self._now) as uow:
            person = register.add_person(uow, group_id=group, label=label, mode=mode, mark=mark, room=room)
        if phone:
            self._contact(person, ChannelName.SMS, phone, label)
        return person

    def _contact(self, person: int, channel: ChannelName, address: str, name: str, *, is_family: bool = False) -> None:
        with self._app.units.writing(self._now) as uow:
            register.add_contact(
                uow,
                person_id=person,
                channel=channel,
                address=address,
                is_family=is_family,
                consent_how=ConsentHow.SPOKEN,
                consent_by="家族",
            )
        arrives_at = address if channel is ChannelName.EMAIL else "+81" + address.replace("-", "")[1:]
        self.names[arrives_at] = name

    def _card(self, person: int, kind: str, ends: date) -> None:
        typed = TypedDates(ends.isoformat())
        with self._app.units.writing(self._now) as uow:
            add_card(uow, person_id=person, kind=kind, typed=typed)


def settle_village(app: App) -> Village:
    """Enrol an invented family and an invented care home."""
    village = Village(app)
    village.settle_family()
    village.settle_home()
    return village


def _years_on(day: date, years: int, months: int = 0) -> date:
    whole = day.year * 12 + day.month - 1 + years * 12 + months
    return date(whole // 12, whole % 12 + 1, min(day.day, 28))


def start_of(day: date) -> datetime:
    """Return 8:00 of that day in Japan as an instant, aware UTC."""
    return hours.instant(day, time(8)).astimezone(UTC)
