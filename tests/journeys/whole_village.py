"""A varied village through years, every message kept, and one digest over them all: a restructuring must not change it.

`python -m tests.journeys.whole_village --out FILE [--years 5]` writes one line a message, sorted, and prints their count
and SHA-256. Everybody is invented. Nothing is drawn by chance: who is refused, who answers and what is a hash of who it
is and which day, so that another order of work gives the same years. A line holds no name that is internal to the
program: the day and hour at which a message arrived (or would have been due), reader, channel, final state, words. In
the words each link reads <link> and each code <code>, since both are made from keys and chance.
"""

import argparse
import hashlib
import heapq
import logging
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from itertools import count
from pathlib import Path

from reminder.clock import JAPAN, japan_date
from reminder.conversation import call_flow, inbox
from reminder.domain.model.card_kinds import OTHER
from reminder.domain.model.channels import registered
from reminder.domain.model.messages import Outgoing
from reminder.domain.model.people import ChannelName, ConsentHow, Copies, GroupKind, Language, Mode, Role
from reminder.domain.rules.preferences import Preferences
from reminder.enrolment import cards, consent, preferences, register
from reminder.enrolment.cards import TypedDates
from reminder.enrolment.identity import membership, sign_in
from reminder.enrolment.identity.sign_up import SignUp
from reminder.enrolment.register import PersonChanges
from reminder.errors import (
    ChannelError,
    ConflictError,
    PermanentChannelError,
    SetupChannelError,
    TemporaryChannelError,
    UnknownOutcomeError,
)
from reminder.storage.auth.sessions import SignedIn
from reminder.storage.outbox import queries, receipts
from reminder.storage.outbox.queries import MessageView
from reminder.storage.registry import contacts
from reminder.upkeep.privacy import erasure
from tests.homes import SHEETS, checked, saved
from tests.rules import KINDS, LANGUAGES
from tests.village import SIGNATURE_CERTIFICATE, USER_CERTIFICATE, Village, open_village

START = date(2026, 12, 1)
# As REMINDER_SECRET_KEYS holds one: links and marks are made from it.
KEY = "A" * 43 + "="
LINK = re.compile(r"(https?://[^\s/]+)/\S+")
CODE = re.compile(r"(?<![0-9])[0-9]{6}(?![0-9])|[a-p]{4}-[a-p]{4}-[a-p]{4}")
# When cards end, so that most days of the years between have little to do: from these days on, for so many days.
SEASONS = tuple(timedelta(days=days) for days in (30, 700, 1500, 2200, 2900))
SEASON = 50
LATEST = 400  # more messages than change within a week

ANSWERS = {
    Language.JAPANESE: (
        "1",
        "あとで",
        "９",
        "だれですか？",
        "来週行きます",
        "ありがとう",
        "今日は雨でした",
        "違います",
    ),
    Language.EASY_JAPANESE: (
        "１",
        "まだです",
        "家族に聞いて",
        "なに？",
        "あした行きます",
        "はい",
        "1234 5678 9012",
        "2",
    ),
    Language.ENGLISH: ("1", "later", "help me", "who is this?", "thanks", "It rains a lot here", "2", "done"),
}
SURNAMES = ("山田", "佐藤", "鈴木", "高橋", "伊藤", "渡辺", "中村", "小林", "加藤", "吉田", "松本", "井上")
RHYTHMS = (
    Preferences(),
    Preferences(own_days=(60, 30, 7, 1), send_hour=11),
    Preferences(send_hour=15, on_holidays=True),
    Preferences(preset="few"),
    Preferences(preset="often", send_hour=9),
    Preferences(own_days=(90, 45, 14, 3, 0), on_holidays=True),
)


def roll(*parts: object) -> float:
    """Return a number from 0 to 1 that is always the same for the same parts."""
    return int.from_bytes(hashlib.sha256("|".join(map(str, parts)).encode()).digest()[:8]) / 2**64


@dataclass
class Somebody:
    """A person of the village, their group, and the ways by which they are reached themselves."""

    id: int
    label: str
    group: int
    language: Language
    carers: Sequence[int] = ()  # contact ids of their family


class Years:
    """The village, what is to happen in it, and every message as it was last seen."""

    def __init__(self, village: Village, days: int, *, is_short: bool) -> None:
        self.village, self.app = village, village.app
        self.until = START + timedelta(days=days)
        self.is_short = is_short
        self._agenda: list[tuple[datetime, int, Callable[[], None]]] = []
        self._order = count()
        self._heard = dict.fromkeys(registered(), 0)
        self._told = count(1)
        self._people: dict[int, Somebody] = {}
        self._ends: dict[int, tuple[Somebody, str, date]] = {}  # by card, while it is in use
        self._own_phone: dict[str, Somebody] = {}
        self._tries: dict[tuple[str, date], int] = {}
        self._addresses: dict[int, str] = {}  # by contact
        self._seen: dict[int, MessageView] = {}
        self._arrived: list[tuple[int, ChannelName, Outgoing]] = []
        self._gone: dict[str, date] = {}  # addresses that are given up some day
        for name, channel in village.world.channels.items():
            channel.fail_when(lambda outgoing, name=name: self._refusal(name, outgoing))

    # ---- what providers do

    def _refusal(self, channel: ChannelName, outgoing: Outgoing) -> ChannelError | None:
        address, today = outgoing.address, japan_date(self.village.now)
        tries = self._tries[address, today] = self._tries.get((address, today), 0) + 1
        if address in self._gone and today >= self._gone[address]:
            return PermanentChannelError("21211")
        if channel is not ChannelName.EMAIL and (today.month, today.day) in ((2, 3), (9, 14)) and tries <= 2:
            return SetupChannelError("20003")
        chance = roll("refused", channel, address, today)
        if chance < 0.003:
            return TemporaryChannelError("503")  # the whole day
        if chance < 0.03:
            return TemporaryChannelError("503") if tries <= int(chance * 200) else None
        if chance < 0.045:
            return UnknownOutcomeError("timeout") if tries == 1 else None
        if chance < 0.05:
            return PermanentChannelError("30007", address_is_gone=False)
        return None

    def _hear(self) -> bool:
        """Take note of what has arrived since; whether anything follows from it at an instant to come."""
        planned = len(self._agenda)
        for name, channel in self.village.world.channels.items():
            for outgoing in channel.sent[self._heard[name] :]:
                self._arrived.append((outgoing.message_id, name, outgoing))
                self._came_of(name, outgoing)
            self._heard[name] = len(channel.sent)
        return len(self._agenda) > planned

    def _came_of(self, channel: ChannelName, outgoing: Outgoing) -> None:
        """The provider's word on it, and an answer of who reads it."""
        address, today = outgoing.address, japan_date(self.village.now)
        chance = roll("became", channel, address, today)
        if channel is ChannelName.SMS:
            became = ("undelivered", "30003") if chance < 0.06 else ("undelivered", "30008") if chance < 0.09 else None
            if chance < 0.9:
                self._receipt(outgoing, *(became or ("delivered", None)))
            if became is None and (reader := self._own_phone.get(address)) is not None:
                self._may_answer(reader, address, today)
        elif channel is ChannelName.EMAIL and chance < 0.02:
            self._receipt(outgoing, "bounced", "5.2.2" if chance < 0.015 else "5.1.1")
        elif channel is ChannelName.VOICE:
            became_of_call = "completed" if chance < 0.5 else "no_answer" if chance < 0.8 else "machine"
            if became_of_call == "completed":
                self._speak(outgoing, str(int(roll("key", address, today) * 10)))
            self._receipt(outgoing, became_of_call, None)

    def _receipt(self, outgoing: Outgoing, status: str, code: str | None) -> None:
        """It comes at the full hour, together with the others: each pass takes its time."""
        provider_id = f"memory-{outgoing.message_id}"

        def keep() -> None:
            with self.app.database.writing() as tx:
                receipts.keep(
                    tx, provider_id=provider_id, status=status, error_code=code, message_id=None, now=self.village.now
                )

        self._in(timedelta(minutes=1), keep)

    def _speak(self, outgoing: Outgoing, key: str) -> None:
        """A human answers a call, and presses a key."""
        call_id = f"memory-{outgoing.message_id}"
        for turn, pressed in ((0, ""), (1, key)):
            asked = call_flow.CallEvent(outgoing.reference, call_id, is_machine=False, turn=turn, key=pressed)
            call_flow.answer(self.app.units, self.village.now, asked)

    def _may_answer(self, reader: Somebody, address: str, today: date) -> None:
        chance = roll("answers", address, today)
        if chance >= 0.25:
            return
        texts = ANSWERS[reader.language]
        text = texts[int(chance / 0.25 * len(texts))]
        if chance < 0.006:
            text = "停止" if reader.language is not Language.ENGLISH else "STOP"
            self._in(timedelta(days=70), lambda: self._say(address, "再開" if text == "停止" else "START"))
        self._in(timedelta(minutes=int(5 + 2000 * roll("after", address, today))), lambda: self._say(address, text))

    def _say(self, address: str, text: str) -> None:
        heard = inbox.InboundText(f"SM{next(self._told):032x}", address, text)
        with self.app.units.writing(self.village.now) as uow:
            inbox.keep(uow, heard)

    # ---- time

    def _in(self, after: timedelta, act: Callable[[], None]) -> None:
        """Let it happen at the next full hour."""
        moment = self.village.now + after
        moment += timedelta(seconds=-moment.timestamp() % 3600)
        heapq.heappush(self._agenda, (moment, next(self._order), act))

    def on(self, day: date, act: Callable[[], None], at: time = time(20, 15)) -> None:
        """Let it happen on a day to come; nothing where that is past."""
        moment = datetime.combine(day, at, JAPAN)
        if moment > self.village.now:
            heapq.heappush(self._agenda, (moment, next(self._order), act))

    def pass_by(self) -> None:
        """Live until the end."""
        end = datetime.combine(self.until, time(0), JAPAN)
        while True:
            next_at = self._agenda[0][0] if self._agenda else end
            for _ in self.village.world.run_until(min(next_at, end)):
                if self._hear():
                    break
            else:
                if next_at >= end:
                    return
                while self._agenda and self._agenda[0][0] <= self.village.now:
                    heapq.heappop(self._agenda)[2]()

    # ---- who lives here

    def settle(self, combinations: Sequence[tuple[Mode, Language]]) -> None:
        """Households and a home with each way to be told in each language, and a home whose residents come in a sheet."""
        kinds = sorted(KINDS)
        for place, (mode, language) in enumerate(combinations):
            is_home = mode is Mode.HOME
            name = SURNAMES[place % len(SURNAMES)]
            kind = GroupKind.HOME if is_home else GroupKind.HOUSEHOLD
            group = self.village.group(kind, f"{name}苑" if is_home else f"{name}家")
            self._settle_members(group, place, language)
            chosen = RHYTHMS[place % len(RHYTHMS)]
            with self.app.units.writing(self.village.now) as uow:
                preferences.set_preferences(uow, group_id=group, preferences=chosen)
            for number, channel in enumerate(registered()):
                if self.is_short and number % 2 == place % 2:
                    continue
                self._settle_person(group, f"{name}の{'父母兄姉'[number]}", place * 4 + number, mode, language, channel)
                # Neighbours by name: what lives in a My Number Card belongs to who has one.
                chunk = (number + place) % 4 * 8
                mine = [*kinds[chunk : chunk + 8], *([USER_CERTIFICATE] if chunk == 24 else [])]
                for kind_of_card in mine[-3:] if self.is_short else mine:
                    self._enrol(self._people[max(self._people)], kind_of_card)
        self._settle_sheet()
        for half_year in range(1, 2 * (self.until - START).days // 365 + 1):
            self.on(START + timedelta(days=180 * half_year - 20), lambda n=half_year: self._found(n), time(19, 5))
        for week in range((self.until - START).days // 7 + 1):
            self.on(START + timedelta(days=7 * week + 3), self._look, time(23, 30))
        for month in range(1, (self.until - START).days // 30):
            self.on(START + timedelta(days=30 * month), lambda n=month: self._month(n), time(12, 40))

    def _settle_members(self, group: int, place: int, language: Language) -> None:
        for number, role in enumerate((Role.OWNER, Role.EDITOR, Role.VIEWER)[: (1, 3, 1)[place % 3]]):
            spoken = language if number == 1 else Language.JAPANESE
            member = self.village.member(f"m{place}-{number}", f"kazoku{place}-{number}@example.jp", role, spoken)
            if number:
                copies = list(Copies)[place % 3]
                with self.app.units.writing(self.village.now) as uow:
                    preferences.set_copies(uow, member_id=member, copies=copies)

    def _settle_person(
        self, group: int, label: str, place: int, mode: Mode, language: Language, channel: ChannelName
    ) -> None:
        is_asked = channel is ChannelName.SMS and place % 8 == 4
        room = {"room": f"{200 + place}"} if mode is Mode.HOME else {}
        person = self.village.person(label, mode=mode, language=language, mark=("つばめ", None)[place % 2], **room)
        address = {
            # The two last ones share a telephone.
            ChannelName.SMS: f"090-0000-{place:04d}",
            ChannelName.EMAIL: f"hon-nin{place}@example.jp",
            ChannelName.VOICE: f"03-3500-{place:04d}",
            ChannelName("line"): f"U{place:032x}",
        }
        somebody = self._people[person] = Somebody(person, label, group, language)
        own = self.village.contact(label, channel, address[channel], consent=not is_asked)
        if channel is ChannelName.SMS:
            self._own_phone[self._in_full(address[channel])] = somebody
            self.village.contact(label, ChannelName.VOICE, address[ChannelName.VOICE])
        if channel is ChannelName.VOICE:
            with self.app.units.writing(self.village.now) as uow:
                consent.make_test_call(uow, contact_id=own)
        if channel is ChannelName.EMAIL:  # who shares the telephone of the one before
            self.village.contact(label, ChannelName.SMS, f"090-0000-{place - 1:04d}")
        if is_asked:
            self._ask_consent(own, address[channel], place)
        if place % 3 == 0:
            by_phone = (ChannelName.SMS, f"090-0000-{2000 + place}")
            by_mail = (ChannelName.EMAIL, f"shinseki{place}@example.jp")
            way = by_phone if place % 2 else by_mail
            somebody.carers = (self.village.contact(label, *way, family=f"{label}の親戚"),)
        if place % 5 == 1:
            self._gone[self._in_full(address[channel])] = START + timedelta(days=200 + 40 * place)
        if place % 7 == 5:
            changes = PersonChanges(mark="すずめ", language=Language.EASY_JAPANESE)
            self.on(START + timedelta(days=150 + 9 * place), lambda: self._edit(person, changes))

    @staticmethod
    def _in_full(address: str) -> str:
        return "+81" + address.replace("-", "")[1:] if address.startswith("0") else address

    def _edit(self, person: int, changes: PersonChanges) -> None:
        with self.app.units.writing(self.village.now) as uow:
            register.edit_person(uow, person_id=person, changes=changes)

    def _ask_consent(self, contact: int, address: str, place: int) -> None:
        """Asked twice at most; who says nothing is told nothing."""

        def ask() -> None:
            app, now = self.app, self.village.now
            try:
                with app.units.writing(now) as uow:
                    consent.ask(uow, contact_id=contact, told_by="長女")
            except ConflictError:
                return  # answered already

        for days in (0, 20):
            self.on(START + timedelta(days=days + 1), ask, time(13, 0))
        said = ("1", "2", "はい", "")[place // 8 % 4]
        if said:
            self.on(START + timedelta(days=24), lambda: self._say(self._in_full(address), said))

    def _settle_sheet(self) -> None:
        """A home whose residents come in a sheet, with a second sheet a year later."""
        home = self.village.group(GroupKind.HOME, "さくら苑")
        self.village.member("office", "jimu@example.jp")
        lines = (SHEETS / "residents_utf8bom.csv").read_bytes().splitlines(keepends=True)
        sheet = b"".join(lines[: 4 if self.is_short else None])
        saved(self.village, checked(self.village, sheet, home), yes=True)

        def again() -> None:
            later = sheet.decode("utf-8-sig").replace("2027-", "2032-").replace("2026-11-30", "2028-11-30")
            saved(self.village, checked(self.village, later.encode(), home), yes=True)

        self.on(START + timedelta(days=300), again)

    # ---- cards

    def _enrol(self, somebody: Somebody, kind: str) -> None:
        together = "certificates" if kind in (USER_CERTIFICATE, SIGNATURE_CERTIFICATE) else kind
        first = SEASONS[int(len(self._seasons()) * roll("season", somebody.label, together))]
        ends = START + first + timedelta(days=int(SEASON * roll("ends", somebody.label, together)))
        ends = max(ends, japan_date(self.village.now) + timedelta(days=30))
        typed = TypedDates(ends.isoformat())
        label = "バスの券" if kind == OTHER else None
        with self.app.units.writing(self.village.now) as uow:
            added = cards.add_card(uow, person_id=somebody.id, kind=kind, typed=typed, label=label, confirmed=True)
        self._ends[added.id] = (somebody, kind, added.expires_on)
        self._plan(added.id)

    def _seasons(self) -> Sequence[timedelta]:
        return [season for season in SEASONS if START + season < self.until] or SEASONS[:1]

    def _plan(self, card: int) -> None:
        """What its family will do about it, and when."""
        somebody, kind, ends = self._ends[card]
        chance, day = roll("does", somebody.label, kind, ends), roll("when", somebody.label, kind, ends)
        act = self._renew if chance < 0.6 else self._retire if chance < 0.68 else self._done if chance < 0.78 else None
        if act is not None:
            self.on(ends - timedelta(days=int(80 * day) - 25), lambda: self._if_current(card, ends, act))
        if roll("takes", somebody.label, kind, ends) < 0.2:
            self.on(ends - timedelta(days=12), lambda: self._if_current(card, ends, self._take), time(21, 0))

    def _if_current(self, card: int, ends: date, act: Callable[[int], None]) -> None:
        if card in self._ends and self._ends[card][2] == ends:
            act(card)

    def _renew(self, card: int) -> None:
        somebody, kind, ends = self._ends[card]
        coming = [START + season for season in SEASONS if START + season > ends + timedelta(days=200)]
        later = coming[0] + timedelta(days=int(SEASON * roll("renewed", somebody.label, kind, ends)))
        with self.app.units.writing(self.village.now) as uow:
            cards.renew_card(
                uow, card_id=card, typed=TypedDates(later.isoformat()),
                confirmed=True
            )  # fmt: skip
        self._ends[card] = (somebody, kind, later)
        self._plan(card)

    def _retire(self, card: int) -> None:
        self.village.retire(card)
        del self._ends[card]

    def _done(self, card: int) -> None:
        """Said to be done; in every third case it was not after all, in the others the new date comes later."""
        somebody, kind, ends = self._ends[card]
        with self.app.units.writing(self.village.now) as uow:
            cards.acknowledge_card(uow, card_id=card)
        undone = roll("undone", somebody.label, kind, ends) < 0.35
        act = self._undone if undone else self._renew
        self._in(timedelta(days=5 if undone else 33), lambda: self._if_current(card, ends, act))

    def _undone(self, card: int) -> None:
        with self.app.units.writing(self.village.now) as uow:
            cards.reopen_card(uow, card_id=card)

    def _take(self, card: int) -> None:
        """A carer says 'I do it'."""
        for contact in self._ends[card][0].carers:
            try:
                with self.app.units.writing(self.village.now) as uow:
                    cards.assign_card(uow, card_id=card, contact_id=contact)
            except ConflictError:
                return  # another carer has

    # ---- what else happens

    def _confirm(self, contact: int) -> None:
        with self.app.units.writing(self.village.now) as uow:
            consent.confirm(uow, contact_id=contact, how=ConsentHow.WRITTEN, said_by="長女")

    def _month(self, number: int) -> None:
        """A preference, a lost answer, another sender, somebody who is forgotten."""
        app, now = self.app, self.village.now
        list(self.village.world.channels.values())[number % 2].lose_answer_next()
        if number % 9 == 4:
            groups = sorted({one.group for one in self._people.values()})
            group, chosen = groups[number % len(groups)], RHYTHMS[(number // 9 + 2) % len(RHYTHMS)]
            with app.units.writing(now) as uow:
                preferences.set_preferences(uow, group_id=group, preferences=chosen)
        if number % 11 == 7:
            with app.database.reading() as tx:
                known = contacts.of_group(tx, app.keys, None)
            chosen_contact = known[int(roll("stops", number) * len(known))].id
            self.village.stop(chosen_contact)
            self._in(timedelta(days=55), lambda: self._confirm(chosen_contact))
        if number % 13 == 8:
            person = sorted(self._people)[int(roll("erased", number) * len(self._people))]
            del self._people[person]
            self._ends = {card: one for card, one in self._ends.items() if one[0].id != person}
            erasure.erase_person(app.units, now, person_id=person)
        if number == 7:
            settings = app.settings.model_copy(update={"twilio_from": "+815000000009"})
            self.app = self.village.app = self.village.world.app = replace(app, settings=settings)

    def _found(self, number: int) -> None:
        """Somebody signs up, founds a household, and invites two, of whom one comes."""
        app, language = self.app, LANGUAGES[number % len(LANGUAGES)]
        owner = self._sign_in(f"atarashii{number}@example.jp", language)
        with app.units.writing(self.village.now) as uow:
            group = membership.found_household(
                uow, signed_in=owner, name=f"{SURNAMES[-number % 12]}家", member_name="娘"
            )
        who = self._sign_in(f"atarashii{number}@example.jp", language).who
        assert who is not None
        for guest, role in (("ane", Role.EDITOR), ("otouto", Role.VIEWER)):
            email = f"{guest}{number}@example.jp"
            with app.units.writing(self.village.now) as uow:
                invited = membership.invite(uow, who=who, email=email, role=role)
            if guest == "ane":
                came = self._sign_in(email, language)
                with app.units.writing(self.village.now) as uow:
                    membership.answer(uow, signed_in=came, invitation_id=invited, accepts=True)
        with app.units.writing(self.village.now) as uow:
            person = register.add_person(
                uow, group_id=group, label=f"祖母{number}", mode=Mode.ELDERLY, language=language
            )
        phone = f"090-0000-{5000 + number}"
        with app.units.writing(self.village.now) as uow:
            register.add_contact(
                uow,
                person_id=person,
                channel=ChannelName.SMS,
                address=phone,
                consent_how=ConsentHow.SPOKEN,
                consent_by="娘",
            )
        somebody = self._people[person] = Somebody(person, f"祖母{number}", group, language)
        self._own_phone[self._in_full(phone)] = somebody
        for kind in sorted(KINDS)[number % 7 :: 7]:
            self._enrol(somebody, kind)

    def _sign_in(self, email: str, language: Language) -> SignedIn:
        """With the code that an e-mail brings, two minutes after the one before."""
        app, village = self.app, self.village
        village.sleep_until(f"{village.now.astimezone(JAPAN) + timedelta(minutes=2):%Y-%m-%d %H:%M}")
        with app.units.writing(village.now) as uow:
            browser = sign_in.ask_for_code(
                uow, email=email, network="192.0.2.1", browser=None, language=language, sign_up=True
            )
        village.world.channels[ChannelName.EMAIL].fail_when(None)  # nobody waits for a code a day long
        village.pass_once()
        village.world.channels[ChannelName.EMAIL].fail_when(lambda one: self._refusal(ChannelName.EMAIL, one))
        self._hear()
        entered = sign_in.enter_code(
            app.units, village.now, browser=browser, code=village.code_to(email), device="a browser",
            language=language, sign_up=SignUp.OPEN
        )  # fmt: skip
        signed_in = sign_in.session_of(app.units, village.now, entered.token)
        assert signed_in is not None
        return signed_in

    # ---- what is kept

    def _look(self, limit: int | None = LATEST) -> None:
        """How the latest messages stand, before words are forgotten and people erased."""
        with self.app.database.reading() as tx:
            self._addresses |= {one.id: one.address for one in contacts.of_group(tx, self.app.keys, None)}
            for one in queries.of_group(tx, self.app.keys, limit=limit):
                known = self._seen.get(one.id)
                self._seen[one.id] = one if known is None or one.text is not None else replace(
                    one, subject=known.subject, text=known.text
                )  # fmt: skip

    def lines(self) -> Iterator[str]:
        """One for each arrival, and one for each message that has never arrived."""
        self._look(None)
        arrived = {message_id for message_id, _, _ in self._arrived}
        for message_id, channel, outgoing in self._arrived:
            seen = self._seen.get(message_id)
            state = "forgotten" if seen is None else f"{seen.state}{', perhaps twice' if seen.possibly_double else ''}"
            yield _line(outgoing.handed_at, outgoing.address, channel, state, outgoing.subject, outgoing.text)
        for one in self._seen.values():
            if one.id not in arrived:
                reader = self._addresses.get(one.contact_id or 0, "a stranger")
                yield _line(
                    one.scheduled_at,
                    reader,
                    ChannelName(one.channel),
                    f"{one.state}, never arrived",
                    one.subject,
                    one.text,
                )


def _line(at: datetime, reader: str, channel: ChannelName, state: str, subject: str | None, words: str | None) -> str:
    said = CODE.sub("<code>", LINK.sub(r"\1/<link>", f"{subject or ''} | {words or ''}"))
    return f"{at.astimezone(JAPAN):%Y-%m-%d %H} | {reader} | {channel} | {state} | {said}".replace("\n", "\\n")


@contextmanager
def _opened(database_url: str, folder: Path) -> Iterator[Village]:
    account = {"twilio_account_sid": "AC" + "0" * 32, "twilio_auth_token": ("t" * 32,), "twilio_from": "+815000000001"}
    with open_village(
        database_url, folder, f"{START} 08:00", durable=False, secret_keys=(KEY,), two_way_sms=True, voice_enabled=True,
        twilio_voice_from="+815000000002", public_url="https://kigen.example.jp", links_in_carer_mail=True,
        line_token="t", sms_per_second=100_000, **account,
    ) as village:  # fmt: skip
        yield village


def whole(database_url: str, folder: Path, years: float = 5, *, is_short: bool = False) -> list[str]:
    """Return every line of these years, sorted. `is_short`: a part of the village."""
    logging.disable(logging.ERROR)  # refusals are what is wanted
    combinations = [(mode, language) for mode in Mode for language in LANGUAGES]
    try:
        with _opened(database_url, folder) as village:
            lived = Years(village, int(365 * years), is_short=is_short)
            lived.settle(combinations[::4] if is_short else combinations)
            lived.pass_by()
            return sorted(lived.lines())
    finally:
        logging.disable(logging.NOTSET)


def digest(lines: Sequence[str]) -> str:
    """Return the SHA-256, in hexadecimal, of a file of these lines."""
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--out", type=Path, required=True)
    asked.add_argument("--years", type=float, default=5)
    asked.add_argument("--short", action="store_true", help="a part of the village, as the test lives it")
    asked.add_argument("--database", help="an empty database instead of a SQLite file that is thrown away")
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = given.database or f"sqlite:///{folder}/kigen.db"
        lines = whole(url, Path(folder), given.years, is_short=given.short)
    given.out.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    print(digest(lines), len(lines))


if __name__ == "__main__":
    main()
