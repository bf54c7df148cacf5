"""A village for stories: invented people on a real database, memory channels and a stepped clock."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path

from reminder.channels.memory import MemoryChannel
from reminder.clock import JAPAN, SteppedClock
from reminder.conversation import inbox
from reminder.domain.model.channels import registered
from reminder.domain.model.people import (
    ChannelName,
    ConsentHow,
    ContactState,
    GroupKind,
    Language,
    Mode,
    Role,
    StoppedBy,
)
from reminder.domain.rules.quotas import Quota
from reminder.enrolment import cards, consent, own_kinds, register, standing
from reminder.enrolment.cards import TypedDates
from reminder.enrolment.own_kinds import OwnKindDraft
from reminder.simulate import SimulatedWorld
from reminder.storage.crypto.keyring import new_key
from reminder.storage.outbox import queries
from reminder.storage.outbox.queries import MessageView
from reminder.storage.registry import cards as cards_kept
from reminder.storage.registry import contacts, groups
from reminder.storage.registry.cards import CardView
from reminder.wiring import build_app, read_settings
from reminder.worker.jobs import run_once

USER_CERTIFICATE = "mynumber_user_certificate"
SIGNATURE_CERTIFICATE = "mynumber_signature_certificate"
CARD = "mynumber_card"


def japan(text: str) -> datetime:
    """'2026-12-01 09:01' on a wall in Japan."""
    return datetime.fromisoformat(text).replace(tzinfo=JAPAN)


class Village:
    def __init__(self, world: SimulatedWorld) -> None:
        self.world = world
        self.app, self.clock = world.app, world.clock
        self.sms, self.email = world.channels[ChannelName.SMS], world.channels[ChannelName.EMAIL]
        self.calls = world.channels[ChannelName.VOICE]
        self._group: int | None = None
        self._heard = 0
        self._people: dict[str, int] = {}
        self._addresses: dict[str, set[str]] = {}

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def group(self, kind: GroupKind = GroupKind.HOUSEHOLD, name: str = "田中家") -> int:
        with self.app.writing() as uow:
            self._group = register.add_group(uow, name=name, kind=kind)
        return self._group

    def limit(self, group_id: int, **quotas: int) -> None:
        """What `reminder group quota` does."""
        with self.app.writing() as uow:
            standing.set_quotas(uow, group_id=group_id, changes={Quota(name): n for name, n in quotas.items()})

    def approve_all(self) -> None:
        """Whoever signed up is somebody the operator knows."""
        with self.app.writing() as uow:
            for group in groups.everyone(uow.tx):
                if group.is_on_trial:
                    standing.approve(uow, group_id=group.id)

    def member(self, name: str, email: str, role: Role = Role.OWNER, language: Language = Language.JAPANESE) -> int:
        self._addresses[name] = {email}
        group_id = self._in_group()
        with self.app.writing() as uow:
            return register.add_member(uow, group_id=group_id, email=email, role=role, language=language)

    def person(
        self, label: str, *, phone: str | None = None, mode: Mode | None = None, consent: bool = True, **more: object
    ) -> int:
        group_id = self._in_group()
        with self.app.writing() as uow:
            person_id = register.add_person(uow, group_id=group_id, label=label, mode=mode, **more)
        self._people[label] = person_id
        if phone is not None:
            self.contact(label, ChannelName.SMS, phone, consent=consent)
        return person_id

    def contact(
        self, label: str, channel: ChannelName, address: str, *, consent: bool = True, family: str | None = None
    ) -> int:
        arrives_at = address if "@" in address else "+81" + address.replace("-", "")[1:]
        self._addresses.setdefault(family or label, set()).add(arrives_at)
        with self.app.writing() as uow:
            return register.add_contact(
                uow,
                person_id=self._people[label],
                channel=channel,
                address=address,
                is_family=family is not None,
                consent_how=ConsentHow.SPOKEN if consent else None,
                consent_by="長女" if consent else None,
            )

    def card(
        self,
        label: str,
        /,
        expires_on: date,
        kind: str = USER_CERTIFICATE,
        *,
        is_computed: bool = False,
        **more: object,
    ) -> int:
        with self.app.writing() as uow:
            added = cards.add_card(
                uow,
                person_id=self._people[label],
                kind=kind,
                typed=TypedDates(expires_on.isoformat(), is_computed=is_computed),
                **more,
            )
        return added.id

    def own_kind(self, name: str) -> int:
        """Add a kind of the last group's own."""
        with self.app.writing() as uow:
            return own_kinds.add_own_kind(uow, group_id=self._in_group(), wanted=OwnKindDraft(name)).id

    def renew(self, card_id: int, expires_on: date) -> None:
        with self.app.writing() as uow:
            cards.renew_card(uow, card_id=card_id, typed=TypedDates(expires_on.isoformat()))

    def stop(self, contact_id: int, by: StoppedBy = StoppedBy.FAMILY) -> None:
        app = self.app
        with app.units.writing(self.now) as uow:
            consent.stop(uow, contact_id=contact_id, whose_word=by)

    def answers(self, name: str, text: str, *, at: str | None = None) -> bool:
        """`name` texts us, at once or at an instant, and a minute passes."""
        if at is not None:
            self.run_until(at)
        self._heard += 1
        phone = next(address for address in self._addresses[name] if address.startswith("+"))
        heard = inbox.InboundText(f"SM{self._heard:032x}", phone, text)
        with self.app.writing() as uow:
            kept = inbox.keep(uow, heard)
        self.run_until(f"{self.now.astimezone(JAPAN) + timedelta(minutes=1):%Y-%m-%d %H:%M}")
        return kept

    def contacts(self) -> dict[str, ContactState]:
        """The state of each contact, by its address."""
        with self.app.database.reading() as tx:
            return {contact.address: contact.state for contact in contacts.of_group(tx, self.app.keys, None)}

    def card_of(self, card_id: int) -> CardView:
        with self.app.database.reading() as tx:
            card = cards_kept.find(tx, card_id)
        assert card is not None
        return card

    def retire(self, card_id: int) -> None:
        with self.app.writing() as uow:
            cards.retire_card(uow, card_id=card_id)

    def run_until(self, text: str) -> None:
        for _ in self.world.run_until(japan(text)):
            pass

    def sleep_until(self, text: str) -> None:
        """Nothing runs meanwhile: an outage."""
        self.clock.move_to(japan(text))

    def pass_once(self) -> None:
        """What is due at this very moment is worked off."""
        run_once(self.app, self.now)

    def code_to(self, email: str) -> str:
        """The code in the latest e-mail to this address that held one."""
        sent = self.app.channels[ChannelName.EMAIL].sent
        texts = (one.text for one in reversed(sent) if one.address == email)
        codes = (re.search(r"(?<![0-9])[0-9]{6}(?![0-9])", text) for text in texts)
        return next(found[0] for found in codes if found is not None)

    def texts_to(self, name: str) -> list[str]:
        """When each arrived: '12-01 09:00'."""
        return [
            f"{sent.at.astimezone(JAPAN):%m-%d %H:%M}"
            for sent in self.world.all_sent()
            if sent.outgoing.address in self._addresses.get(name, ())
        ]

    def reminders_to(self, name: str) -> list[str]:
        """As texts_to, without what a home's staff reads every Monday."""
        with self.app.database.reading() as tx:
            weekly = {one.id for one in queries.of_group(tx, self.app.keys) if one.kind == "digest"}
        return [
            f"{sent.at.astimezone(JAPAN):%m-%d %H:%M}"
            for sent in self.world.all_sent()
            if sent.outgoing.address in self._addresses.get(name, ()) and sent.outgoing.message_id not in weekly
        ]

    def words_to(self, name: str) -> list[str]:
        return [
            sent.outgoing.text
            for sent in self.world.all_sent()
            if sent.outgoing.address in self._addresses.get(name, ())
        ]

    def messages(self, **which: object) -> list[MessageView]:
        with self.app.database.reading() as tx:
            return queries.of_group(tx, self.app.keys, **which)

    def states(self) -> list[str]:
        return [message.state for message in self.messages()]

    def _in_group(self) -> int:
        return self.group() if self._group is None else self._group


@contextmanager
def open_village(
    database_url: str, folder: Path, start: str, *, durable: bool = True, **settings_given: object
) -> Iterator[Village]:
    # Strangers may sign up, so that a test needs no setup code.
    given = {"secret_keys": (new_key(),), "sign_up": "open", **settings_given}
    settings = read_settings(database_url=database_url, data_dir=folder, **given)
    clock, channels = SteppedClock(japan(start)), {name: MemoryChannel() for name in registered()}
    with build_app(settings, clock=clock, channels=channels, durable=durable) as app:
        yield Village(SimulatedWorld(app, clock, channels))
