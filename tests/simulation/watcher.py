"""The watcher: it knows what has really happened outside, reads what is committed, and says what must not be.

It shares no rule with the program but the table of states. What it finds is a `Wrong`: a kind, and a sentence.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from reminder.channels.line.client import retry_key
from reminder.clock import JAPAN
from reminder.domain.model.messages import MESSAGE_STATES, MessageState, Outgoing
from reminder.domain.model.people import Mode
from reminder.domain.rules.hours import is_sending_day
from reminder.errors import DatabaseNotReadyError
from reminder.guard.logs import Scrubbing
from reminder.storage.crypto.references import MESSAGE
from tests.simulation.machines import InjectedError
from tests.simulation.providers import Taken, text_of_mail

if TYPE_CHECKING:
    from tests.simulation.world import World


@dataclass(frozen=True)
class Wrong:
    """Something that must not be."""

    kind: str
    what: str


class Row(NamedTuple):
    """A message as it is committed."""

    id: int
    made: str
    kind: str
    contact_id: int | None
    audience: str
    channel: str
    state: str
    reason: str | None
    scheduled_at: Any
    expires_at: Any
    lease_until: Any
    attempts: int
    possibly_double: bool
    provider_id: str | None
    handed_at: Any
    ended_at: Any

    @property
    def name(self) -> tuple[int, int]:
        """The id, and the second in which it was made: ids may be given again."""
        return self.id, int(instant(self.made).timestamp())


MESSAGES = (
    f"SELECT {', '.join(('created_at' if name == 'made' else name) for name in Row._fields)} FROM messages ORDER BY id"
)
CARDS = "SELECT id, created_at, expires_on, acknowledged_on, retired_at FROM cards ORDER BY id"
CONTACTS = "SELECT id, created_at, state, address_index FROM contacts ORDER BY id"
SPOKEN_OF = "SELECT message_id, person_id FROM mentions ORDER BY message_id, person_id"
CARD_OWNERS = """SELECT message_id, person_id FROM message_reminders
JOIN reminders ON reminders.id = reminder_id JOIN cards ON cards.id = card_id ORDER BY message_id, person_id"""
HANDED_TO_THE_OPERATOR = """SELECT person_id FROM promises JOIN reminders ON reminders.id = reminder_id
JOIN cards ON cards.id = card_id WHERE promises.state = 'operator'"""
AROUND = "SELECT person_id FROM contacts WHERE state = 'confirmed' AND (is_family OR member_id IS NOT NULL)"
# What tells a human that somebody was not told: a copy only says that a text is on its way.
HANDED_ON = ("failure_notice", "notice", "escalation")
ABOUT = "SELECT message_id, card_id FROM message_reminders JOIN reminders ON reminders.id = reminder_id"
PROMISES = "SELECT id, created_at, state, closed_at, audience, reminder_id FROM promises ORDER BY id"
OPEN_PROMISES = "SELECT id, ends_at, audience FROM promises WHERE state = 'open' ORDER BY id"
OF_REMINDERS = "SELECT message_id, reminder_id FROM message_reminders"
TOLD_ONCE = ("reminder", "copy", "failure_notice", "escalation")
# Virtual seconds in which the list of a provider is read after a restore.
READS_LISTS_WITHIN = 900.0
ASKED_FOR = ("answer", "login_code", "consent_request", "test_call", "invitation")
TRUE_END = {"delivered": "delivered", "completed": "delivered"}


def instant(value: Any) -> datetime:
    """Return a stored instant, aware UTC."""
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def each(raised: BaseException) -> Iterator[BaseException]:
    """Yield the exceptions of a group, of which a task group makes one; else the exception itself."""
    if isinstance(raised, BaseExceptionGroup):
        for one in raised.exceptions:
            yield from each(one)
    else:
        yield raised


class Watcher(logging.Handler):
    """What is known of the world, and what is wrong with it. It also reads the log: nothing unforeseen may be there."""

    def __init__(self, world: "World") -> None:
        super().__init__(logging.WARNING)
        # So that `logs.install` adds no other.
        self.setFormatter(Scrubbing())
        self.world = world
        self.wrongs: list[Wrong] = []
        self.rows: dict[tuple[int, int], Row] = {}
        self._cards: dict[Any, Any] = {}
        self._contacts: dict[Any, Any] = {}
        self._handing_over: set[tuple[int, int]] = set()
        self._marks, self._arrivals = Counter[tuple[int, int]](), Counter[tuple[int, int]]()
        self.taken: dict[tuple[str, str], list[Taken]] = defaultdict(list)
        # Messages that must not be handed over any more, and why.
        self.untrue: dict[tuple[int, int], str] = {}
        self._kept: list[tuple[str, str]] = []
        self._adopted: dict[tuple[int, int], list[Taken]] = {}
        self._pressed: set[str] = set()
        self._address_of: dict[int, bytes] = {}
        # By which process the last hand-over of a message was begun.
        self._begun_by: dict[tuple[int, int], Any] = {}
        # Numbers whose owner has said stop, and since when (virtual seconds).
        self._stopped_by_owner: dict[str, float] = {}
        # How LINE's reader knows a message, also one that was erased on its way.
        self._by_retry_key: dict[str, tuple[int, int]] = {}
        # Messages that a back-up did not have which was restored.
        self._left_behind: set[tuple[int, int]] = set()
        self._restored_at: datetime | None = None
        self._promises: dict[tuple[int, str], tuple[str, Any]] = {}

    def wrong(self, kind: str, what: str) -> None:
        """Note what must not be, once for each kind and sentence."""
        found = Wrong(kind, what)
        if found not in self.wrongs:
            self.wrongs.append(found)
            self.world.note(f"WRONG {kind}: {what}")

    def emit(self, record: logging.LogRecord) -> None:
        """Read a record of the program's log."""
        raised = record.exc_info[1] if record.exc_info else None
        # A database that is away stops no dispatcher, so that it must not be in the group of one.
        if raised is None or isinstance(raised, DatabaseNotReadyError):
            return
        if not all(isinstance(one, InjectedError) for one in each(raised)):
            self.wrong("unforeseen", f"{record.getMessage()} ({type(raised).__name__}: {raised})"[:300])

    # ── what is committed ──

    def restored(self, untrue: dict[tuple[int, int], str]) -> None:
        """Read another database, which was restored: much of what was there before is not there any more."""
        before = self.rows
        self._restored_at = self.world.now()
        self.rows = {row.name: row for row in (Row(*one) for one in self.world.storage.rows(MESSAGES))}
        self._left_behind |= before.keys() - self.rows.keys()
        self._cards, self._contacts, self._promises = {}, {}, {}
        self.untrue = {}
        self._facts(self.rows)
        self.untrue = {**untrue}
        # What was said since the back-up is in the provider's list, which is read within minutes.
        heard_by = self.world.loop.time() + READS_LISTS_WITHIN
        self._stopped_by_owner = {
            number: max(since, heard_by) for number, since in self._stopped_by_owner.items()
        } if not self.world.are_lists_bad() else {}  # fmt: skip

    def look(self, process: object) -> None:
        """Read what this process has committed, and compare it with what was before."""
        rows = {row.name: row for row in (Row(*one) for one in self.world.storage.rows(MESSAGES))}
        before, self.rows = self.rows, rows
        self._facts(rows)
        # In one commit the outcomes of some are recorded, and then the hand-overs of others begin.
        moved = [name for name, row in rows.items() if row != before.get(name)]
        for name in sorted(moved, key=lambda name: rows[name].state == "sending"):
            self._moved(name, before.get(name), rows[name], process)
        self._look_at_promises()
        for name in before.keys() - rows.keys():
            self.world.note(f"message {name[0]} is gone")
        ids = Counter(row.provider_id for row in rows.values() if row.provider_id and row.channel in ("sms", "voice"))
        for provider_id, times in ids.items():
            if times > 1:
                self.wrong("provider id twice", f"{provider_id} belongs to {times} messages")

    def _facts(self, rows: dict[tuple[int, int], Row]) -> None:
        """Note since when messages are no longer true or wanted."""
        found = self.world.storage.rows(CONTACTS)
        contacts = {one[:2]: one[2] for one in found}
        self._address_of = {one[0]: bytes(one[3]) for one in found}
        cards = {one[:2]: one[2:] for one in self.world.storage.rows(CARDS)}
        if contacts == self._contacts and cards == self._cards:
            return
        stopped = {key[0] for key, state in contacts.items() if state == "opted_out" != self._contacts.get(key)}
        over = {key[0]: self._why(self._cards.get(key), now) for key, now in cards.items()}
        self._contacts, self._cards = contacts, cards
        about: dict[int, set[int]] = defaultdict(set)
        for message_id, card_id in self.world.storage.rows(ABOUT):
            about[message_id].add(card_id)
        for name, row in rows.items():
            if row.contact_id in stopped and row.kind not in ASKED_FOR:
                self.untrue[name] = "stop"
            why = next((over[card] for card in sorted(about[row.id]) if over.get(card)), None)
            if why:
                self.untrue[name] = why

    @staticmethod
    def _why(before: Any, now: Any) -> str | None:
        if before is None or before == now:
            return None
        if now[0] != before[0]:
            return "renewed"
        if now[1] and not before[1]:
            return "done"
        return "retired" if now[2] and not before[2] else None

    def _moved(self, name: tuple[int, int], known: Row | None, row: Row, process: object) -> None:
        was = known.state if known is not None else None
        if known is None or was != row.state or known.attempts != row.attempts:
            self.world.note(
                f"message {row.id} {row.kind} by {row.channel}: {was} -> {row.state} {row.reason or ''} {row.attempts}"
            )
        if known is not None and was != row.state and row.state not in MESSAGE_STATES.allowed[MessageState(was)]:
            self.wrong("impossible move", f"message {row.id}: {was} -> {row.state}")
        if known is None and row.state != "queued":
            self.wrong("impossible start", f"message {row.id} begins as {row.state}")
        marks = row.attempts - (known.attempts if known is not None else 0)
        if marks:
            self._marks[name] += marks
            if row.state != "sending" or marks != 1:
                self.wrong("attempts", f"message {row.id} has {marks} attempts more and is {row.state}")
        if row.state == "sending" and was != "sending":
            self._begins(name, row, process)
            if not marks:
                self.wrong("attempts", f"message {row.id} is handed over without an attempt")
        elif row.state != "sending":
            self._handing_over.discard(name)
        if row.state in ("accepted", "delivered") and was != row.state:
            self._said_to_have_arrived(row)

    def _begins(self, name: tuple[int, int], row: Row, worker: object) -> None:
        """A hand-over begins: is the message still true, in its day, and the only one to its reader?"""
        self.world.happened("marked", row.channel)
        if name in self.untrue:
            self.wrong("handed over after " + self.untrue[name], f"message {row.id} ({row.kind})")
        if instant(row.expires_at) <= instant(row.handed_at):
            self.wrong("after its day", f"message {row.id} is handed over after {row.expires_at}")
        address = self._address_of.get(row.contact_id or 0)
        for other in sorted(self._handing_over):
            its = self.rows.get(other)
            is_beside = its is not None and its.channel == row.channel and self._begun_by.get(other) is worker
            if is_beside and its is not None and address and self._address_of.get(its.contact_id or 0) == address:
                self.wrong("side by side", f"messages {its.id} and {row.id} go to one address at the same time")
        self._handing_over.add(name)
        self._begun_by[name] = worker
        if row.channel == "line":
            self._by_retry_key[self.key_of(row)] = name

    def latest_person(self) -> int | None:
        """Return the person to whom, or about whom, the message is whose hand-over began last."""
        if not self._begun_by:
            return None
        message_id = next(reversed(self._begun_by))[0]
        rows = self.world.storage.rows(CARD_OWNERS) + self.world.storage.rows(SPOKEN_OF)
        return next((person for one, person in rows if one == message_id), None)

    def taken_of(self, row: Row) -> list[Taken]:
        """Return what providers have taken of a message."""
        return self.taken.get((row.channel, self.key_of(row))) or self._adopted.get(row.name, [])

    def _adopts(self, row: Row) -> bool:
        """Return whether a message stands for a text that its reader has already, from a message that was erased."""
        known = [one for some in self.taken.values() for one in some if row.provider_id in (one.sid, one.mail_id)]
        gone = [one for one in known if self._named(one.channel, one.key)[1] is None]
        if gone:
            self._adopted[row.name] = gone
        return bool(gone)

    def _said_to_have_arrived(self, row: Row) -> None:
        taken = self.taken_of(row)
        # A mail that came back before its answer was heard has a name of our own.
        is_named = row.channel == "line" or row.provider_id in (None, "", f"mail-{row.id}")
        is_its_own = is_named or row.provider_id in {name for one in taken for name in (one.sid, one.mail_id)}
        if not (taken and is_its_own) and not self._adopts(row):
            if not taken:
                self.wrong("never taken", f"message {row.id} is {row.state}, and its provider has never had it")
            else:
                self.wrong("somebody else's", f"message {row.id} is {row.state} as {row.provider_id}, another's name")
            return
        taken = self.taken_of(row) if taken and is_its_own else self._adopted[row.name]
        if row.state == "delivered" and not any(TRUE_END.get(one.status) == "delivered" for one in taken):
            self.wrong(
                "said to have arrived", f"message {row.id} is delivered; in truth {[one.status for one in taken]}"
            )

    def key_of(self, row: Row) -> str:
        """Return the name under which a provider knows a message."""
        made = instant(row.made)
        reference = self.world.references.make(MESSAGE, [row.id], made)
        if row.channel != "line":
            return reference
        return retry_key(Outgoing(row.id, "", "", None, made, made, reference=reference))

    # ── what arrives at providers ──

    def handed(self, channel: str, key: str, to: str, by: Any) -> None:
        """A message has arrived at its provider, which may take it or not; `by`: the process that has sent it."""
        name, row = self._named(channel, key)
        if name is None:
            self.wrong("unknown to us", f"{channel} to {to}: no message is called so")
            return
        if by.storage is not self.world.storage:
            # It was on its way when its database was closed.
            self._arrivals[name] += 1
            return
        self._arrivals[name] += 1
        self.world.happened("handed", channel)
        stopped = self._stopped_by_owner.get(to)
        is_asked_for = row is not None and row.kind in ASKED_FOR
        if channel == "sms" and stopped is not None and self.world.loop.time() > stopped + 30 and not is_asked_for:
            self.wrong("after the owner's stop", f"message {name[0]} goes to {to}, whose owner has said stop")
        if name not in self._handing_over:
            state = row.state if row is not None else "gone"
            self.wrong("not being handed over", f"message {name[0]} arrives at its provider while it is {state}")
        if self._arrivals[name] > self._marks[name]:
            self.wrong("more hand-overs than attempts", f"message {name[0]}: {self._arrivals[name]}")
        if row is not None and row.kind not in ("answer", "login_code"):
            self._hours(channel, row)

    def _hours(self, channel: str, row: Row) -> None:
        at = self.world.worker_now().astimezone(JAPAN)
        minutes = at.hour * 60 + at.minute
        low, high = (
            (7 * 60, 21 * 60 + 2) if channel in ("email",) and row.audience != "person" else (9 * 60, 18 * 60 + 2)
        )
        if channel == "voice":
            low, high = 10 * 60, 16 * 60 + 2
        if not low <= minutes < high:
            self.wrong("outside hours", f"message {row.id} ({row.kind}, {row.audience}) by {channel} at {at:%H:%M}")
        if row.audience == "person" and row.kind == "reminder" and not is_sending_day(at.date(), Mode.STANDARD):
            self.wrong("closed day", f"message {row.id} on {at:%Y-%m-%d}")

    def took(self, taken: Taken) -> None:
        """A provider has taken a message."""
        self.world.happened("taken", taken.channel)
        self.taken[taken.channel, taken.key].append(taken)
        times = len(self.taken[taken.channel, taken.key])
        name, row = self._named(taken.channel, taken.key)
        self.world.note(f"{taken.channel} to {taken.to} taken as {taken.sid}, message {name and name[0]}, time {times}")
        if times > 1 and row is not None and not row.possibly_double:
            self.wrong("doubled", f"message {row.id} was taken {times} times and is not marked")
        before = self.taken[taken.channel, taken.key][:-1]
        taken.kind = row.kind if row is not None else ""
        is_heard = any(one.is_heard and one.worker is taken.worker for one in before)
        if is_heard and not self.world.was_away_for_long() and not self.world.has_faults():
            self.wrong("doubled though its answer was heard", f"message {name and name[0]}")

    def _named(self, channel: str, key: str) -> tuple[tuple[int, int] | None, Row | None]:
        if channel == "line":
            begun = self._by_retry_key.get(key)
            return begun, self.rows.get(begun) if begun is not None else None
        referred = self.world.references.read(MESSAGE, key)
        if referred is None:
            return None, None
        name = (referred.ids[0], referred.second)
        return name, self.rows.get(name)

    def heard(self, about: str, fields: Mapping[str, str], *, is_kept: bool) -> None:
        """The web server has answered a webhook; what it has said to have kept must not be lost."""
        if is_kept and about == "inbound":
            text, number = fields["Body"], fields["From"]
            if text in ("停止", "STOP"):
                self._stopped_by_owner.setdefault(number, self.world.loop.time())
            elif text in ("再開", "START"):
                self._stopped_by_owner.pop(number, None)
        if is_kept and about == "call" and fields.get("Digits"):
            self._pressed.add(fields["CallSid"])
        if is_kept and about == "receipt":
            self._kept.append((fields.get("MessageSid", fields.get("CallSid", "")), fields.get("MessageStatus", "")))

    # ── promises ──

    def _look_at_promises(self) -> None:
        """Each promise is closed once, by what is true."""
        rows = self.world.storage.rows(PROMISES)
        found = {(one[0], str(one[1])): one for one in rows}
        for key, one in found.items():
            state, closed_at = one[2], one[3]
            was = self._promises.get(key)
            if was == (state, closed_at):
                continue
            if was is not None and was[0] != "open":
                self.wrong("closed twice", f"promise {key[0]} was {was[0]} and is {state}")
            if state == "open" and closed_at is not None:
                self.wrong("closed twice", f"promise {key[0]} is open and was closed at {closed_at}")
            self._promises[key] = (state, closed_at)
            if state != "open":
                self.world.note(f"promise {key[0]} to {one[4]} is {state}")
                self._closed_by(*one)

    def _closed_by(self, promise: int, _made: Any, state: str, _at: Any, audience: str, reminder: int) -> None:
        about = {message for message, of in self.world.storage.rows(OF_REMINDERS) if of == reminder}
        if state in ("proven", "other_way"):
            mine = [row for row in self.rows.values() if row.id in about and row.audience == audience]
            if not any(self._is_proof(row) for row in mine):
                states = [(row.id, row.channel, row.state) for row in mine]
                self.wrong("promise without proof", f"promise {promise} is {state}: {states}")
        elif state in ("family", "staff") and not any(
            row.kind in (*HANDED_ON, "copy") and row.state in ("accepted", "delivered") for row in self.rows.values()
        ):
            self.wrong("promise without proof", f"promise {promise} is {state}, and nobody was told anything")

    def _is_proof(self, row: Row) -> bool:
        """Return whether a message was truly told, as far as its provider can say."""
        if row.channel in ("email", "line"):
            return row.state in ("accepted", "delivered", "undelivered") and bool(self.taken_of(row))
        return row.state == "delivered"

    # ── at the end of a day ──

    def end_of_day(self) -> None:
        """Look at what must be true once the day is over and everything has had its time."""
        self._each_reminder_once()
        self._each_second_one_is_marked()
        self._nothing_of_before_is_told_again()
        self._everybody_is_told()
        for query, what in (
            ("SELECT count(*) FROM receipts WHERE applied_at IS NULL", "receipts"),
            ("SELECT count(*) FROM replies WHERE handled_at IS NULL", "replies"),
        ):
            ((left,),) = self.world.storage.rows(query)
            if left:
                self.wrong("dropped", f"{left} {what} are not worked on")
        # One installation runs here, whatever is restored, erased or lost: the other copy would be a false alarm.
        if self.world.storage.rows("SELECT value FROM service_state WHERE name = 'other_copy'"):
            self.wrong("false alarm", "another copy of the installation is said to be at work")
        ((acted_on,),) = self.world.storage.rows("SELECT count(*) FROM replies")
        # Those that were not reported are fetched from the provider's list.
        said = len(self._pressed) + sum(one.is_inbound for one in self.world.twilio.texts)
        if acted_on > said:
            self.wrong("acts twice", f"{said} texts came in, and {acted_on} are kept")
        now = self.world.worker_now()
        for row in self.rows.values():
            if row.state == "queued" and instant(row.expires_at) < now - timedelta(minutes=30):
                self.wrong("never ended", f"message {row.id} is queued after its day")
            if row.state == "sending" and instant(row.lease_until) < now - timedelta(minutes=30):
                self.wrong("never settled", f"message {row.id} is being handed over for ever")
        for promise, ends_at, audience in self.world.storage.rows(OPEN_PROMISES):
            if instant(ends_at) < now - timedelta(minutes=30):
                self.wrong("never closed", f"promise {promise} to {audience} is open after its day")
        by_sid = {one.sid: one for taken in self.taken.values() for one in taken}
        for sid, status in self._kept:
            taken = by_sid.get(sid)
            row = self._named(taken.channel, taken.key)[1] if taken is not None else None
            if row is None or status not in ("delivered", "undelivered", "failed"):
                continue
            if row.provider_id == sid and row.state not in ("delivered", "undelivered"):
                self.wrong("dropped", f"message {row.id} is {row.state} though its {status} was heard")

    def _everybody_is_told(self) -> None:
        """By six in the evening whoever was due has the text, or a human knows that they have not."""
        by = self.world.began + timedelta(hours=12, minutes=5)
        if self.world.now() > by + timedelta(hours=12) or self.world.was_off_for_long() or self.world.was_set_back():
            return
        operators = {person_id for (person_id,) in self.world.storage.rows(HANDED_TO_THE_OPERATOR)}
        around = {person_id for (person_id,) in self.world.storage.rows(AROUND)}
        about: dict[int, set[int]] = defaultdict(set)
        for query in (SPOKEN_OF, CARD_OWNERS):
            for message_id, person_id in self.world.storage.rows(query):
                about[message_id].add(person_id)
        for name in sorted(self.world.due - self.world.touched):
            person = self.world.residents[name]
            theirs = [row for row in self.rows.values() if row.contact_id in person.contacts.values()]
            others = [row for row in self.rows.values() if person.id in about[row.id] and row.kind in HANDED_ON]
            has_it = any(self._has_arrived(row, by) for row in theirs if row.kind == "reminder")
            # Nobody around them can be told.
            is_left_to_the_operator = person.id in operators and not around & {person.id, None}
            if not has_it and not is_left_to_the_operator and not any(self._has_arrived(row, by) for row in others):
                states = [(row.id, row.kind, row.state, row.reason) for row in theirs]
                self.wrong("not told", f"{name} was due, and neither they nor anybody else was told: {states}")

    def _has_arrived(self, row: Row, by: datetime) -> bool:
        """Return whether a message has truly arrived by then."""
        taken = self.taken_of(row)
        is_proof = row.channel in ("email", "line")
        return any(one.at <= by and (is_proof or TRUE_END.get(one.status) == "delivered") for one in taken)

    def _each_second_one_is_marked(self) -> None:
        for row in self.rows.values():
            times = len(self.taken.get((row.channel, self.key_of(row)), ()))
            # LINE and its readers see a push of the same key once.
            if times > 1 and not row.possibly_double:
                self.wrong("doubled", f"message {row.id} was taken {times} times and is not marked in the evening")

    def _nothing_of_before_is_told_again(self) -> None:
        """What a restored database does not know is not told again in the same words, unless it is marked."""
        since = self._restored_at
        if since is None:
            return
        alike = defaultdict(list)
        for (channel, key), taken in self.taken.items():
            name, row = self._named(channel, key)
            text = text_of_mail(taken[0].raw) if taken[0].raw else taken[0].text
            if taken[0].kind in TOLD_ONCE and (row is not None or name in self._left_behind):
                alike[channel, taken[0].to, text].append((taken[0].at, taken[0].kind, row))
        for (channel, to, _), told in alike.items():
            kinds = {kind for _, kind, _ in told}
            left = sum(row is None for *_, row in told)
            # Who shares a label, shares the words.
            most = max(Counter(one.label or one.name for one in self.world.scenario.people).values())
            is_marked = [row is not None and row.possibly_double for *_, row in told]
            # Twice before the restore is no matter of the restore.
            is_again = any(at >= since and not mark for (at, *_), mark in zip(told, is_marked, strict=True))
            if left and is_again and len(told) > most + sum(is_marked):
                self.wrong("told again", f"{channel} to {to}: {sorted(kinds)} {len(told)} times")

    def _each_reminder_once(self) -> None:
        told, marked = Counter[tuple[str, Any]](), Counter[tuple[str, Any]]()
        for (channel, key), taken in self.taken.items():
            name, row = self._named(channel, key)
            if taken[0].kind != "reminder" or (row is None and name not in self._left_behind):
                continue
            if channel == "sms" or self._left_behind:
                to_day = f"{channel} {taken[0].to}", taken[0].at.astimezone(JAPAN).date()
                told[to_day] += 1
                marked[to_day] += bool(row is not None and row.possibly_double and self._left_behind)
        for (to, day), times in told.items():
            if times > self.world.sharing(to.partition(" ")[2]) + marked[to, day]:
                self.wrong("twice a day", f"{to} was reminded {times} times on {day}")
