"""What a simulation is made of: who lives there, what happens when, how providers behave. All of it is data.

A seed draws one; a row of the museum, and a failure that is kept, say one in TOML.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from random import Random
from typing import Any

from tests.simulation.weather import Spell

HOUR = 3600.0
# Everything begins at this instant, an hour before the earliest mail of a day.
START = "2026-12-01T06:00+09:00"
# In place of a name: the person to whom, or about whom, the latest message is.
READER = "*"


@dataclass(frozen=True)
class Somebody:
    """A person. `ends_in`: the days until each card ends, by kind. `carers`: mail addresses of relatives.

    `label`: what the family calls them; "": a word of their own. Who shares it and a telephone gets equal texts.
    """

    name: str
    household: str = "A"
    mode: str = "elderly"
    sms: str | None = None
    email: str | None = None
    line: str | None = None
    voice: str | None = None
    carers: Sequence[str] = ()
    ends_in: Mapping[str, int] = field(default_factory=lambda: {"mynumber_user_certificate": 60})
    label: str = ""


@dataclass(frozen=True)
class Happening:
    """Something that somebody does, or that befalls us, `at` so many seconds after the beginning.

    `on`: not then, but in the moment in which something comes for the so-and-so-manyth time: `marked:3` (a hand-over is
    committed), `handed:3` (a message comes to its provider), `taken:3` (a provider takes one), `committed:3`; of one
    channel only: `marked sms:3`.
    """

    at: float
    do: str
    args: Mapping[str, Any] = field(default_factory=dict)
    on: str = ""

    def __str__(self) -> str:
        said = " ".join(f"{name}={value}" for name, value in self.args.items())
        return f"{self.on or f'{self.at / HOUR + 6:05.2f} h'} {self.do} {said}"


@dataclass(frozen=True)
class Scenario:
    """One simulation. `workers`: how many work on one database. `audits`: the job that audits runs, too."""

    seed: int
    people: Sequence[Somebody]
    happenings: Sequence[Happening] = ()
    spells: Sequence[Spell] = ()
    phones: Mapping[str, str] = field(default_factory=dict)
    mailboxes: Mapping[str, str] = field(default_factory=dict)
    days: int = 1
    start: str = START
    members: Sequence[str] = ("musume@example.jp",)
    workers: int = 1
    audits: bool = False

    def without(self, number: int) -> "Scenario":
        """Return the scenario with one happening or spell less."""
        if number < len(self.happenings):
            rest = [*self.happenings[:number], *self.happenings[number + 1 :]]
            return replace(self, happenings=rest)
        number -= len(self.happenings)
        if number < len(self.spells):
            return replace(self, spells=[*self.spells[:number], *self.spells[number + 1 :]])
        number -= len(self.spells)
        phones = dict(self.phones)
        del phones[sorted(phones)[number]]
        return replace(self, phones=phones)

    @property
    def parts(self) -> int:
        """How many happenings, spells and odd phones there are."""
        return len(self.happenings) + len(self.spells) + len(self.phones)


PHONES = (
    "delivered",
    "undelivered:30006",
    "undelivered:30003",
    "lost",
    "late:900",
    "failed:30008",
    "late:7200:undelivered:30005",
)
SMS_WEATHER = (
    "refuse:500", "refuse:503", "refuse:429:20429:30", "refuse:408", "refuse:400:21635", "refuse:401:20003",
    "reset", "hang", "accept_reset", "accept_hang", "accept_then:500", "truncate", "slow:8", "slow:40",
)  # fmt: skip
HURDLES = ("refuse:429:20429", "refuse:503", "refuse:400:30001", "accept_reset", "accept_hang", "reset", "truncate")
MAIL_WEATHER = (
    "refuse:greeting:421 4.3.2 later", "refuse:RCPT:451 4.7.1 later", "refuse:RCPT:550 5.1.1 nobody",
    "refuse:DATA:452 4.3.1 full", "silent:greeting", "silent:RCPT", "reset", "accept_reset", "accept_hang",
    "accept_then:451 4.3.0 later", "slow:DATA:15",
)  # fmt: skip
LINE_WEATHER = (
    "refuse:500",
    "refuse:429",
    "refuse:400",
    "refuse:401",
    "reset",
    "hang",
    "accept_reset",
    "accept_then:500",
)
LIST_WEATHER = ("refuse:403:20003", "refuse:500:20500", "lag:120", "hang", "reset")
RECEIPTS = ("lost", "twice", "late:600")
ANSWERS = ("1", "１", "2", "停止", "STOP", "再開", "あとで", "だれですか", "ありがとう", "1234 5678 9012", "9")
STORAGE = ("full", "read_only", "locked", "away")
JOBS = ("prepare", "send by sms", "send by email", "fetch", "audit")


# What a seed brings in each way of drawing: a seed that found something is lived again in the way of then.
FIRST, NEWEST = 1, 2


def drawn(seed: int, days: int = 1, drawing: int = NEWEST) -> Scenario:
    """Return the scenario of a seed: a few people, and what the day brings them.

    `drawing`: FIRST knows neither restores, nor two workers, nor equal texts, nor faults of jobs, nor bounces.
    """
    scenario = _first_drawn(seed, days)
    return scenario if drawing == FIRST else _with_more(scenario, Random(f"more {seed}"))


def _with_more(scenario: Scenario, chance: Random) -> Scenario:
    """Return the scenario with what only some days have; each has a source of chance of its own."""
    people, happenings, spells = list(scenario.people), list(scenario.happenings), list(scenario.spells)
    workers, mailboxes, phones = 1, dict(scenario.mailboxes), dict(scenario.phones)
    if chance.random() < 0.25:
        workers = 2
        for _ in range(chance.randint(0, 2)):
            args = {"which": "worker2", "back_after": chance.choice((2, 20, 400))}
            happenings.append(Happening(_moment(chance, 0), "kill", args, _turn(chance)))
    if chance.random() < 0.25 and people[0].sms is not None:
        first = people[0]
        twin = replace(people[1], household=first.household, mode=first.mode, sms=first.sms, email=None, line=None)
        people[0] = replace(first, label="祖母", email=None, line=None)
        people[1] = replace(twin, voice=None, label="祖母", ends_in=dict(first.ends_in))
    if chance.random() < 0.25:
        happenings += _restore(chance)
    if chance.random() < 0.2:
        spells.append(_fault(chance))
    for address in sorted({carer for one in people for carer in (one.email, *one.carers) if carer}):
        if chance.random() < 0.1:
            mailboxes[address] = chance.choice(("bounced:5.1.1", "bounced:5.2.2", "bounced:4.4.7"))
    return replace(
        scenario,
        people=people,
        happenings=sorted(happenings, key=lambda one: one.at),
        spells=spells,
        mailboxes=mailboxes,
        phones=phones,
        workers=workers,
        audits=chance.random() < 0.1,
    )


def _restore(chance: Random) -> list[Happening]:
    """Return a back-up, and its restore in the hours after it."""
    at = HOUR * chance.choice((0.05, 1.0, 2.9, 3.0, 4.0, 4.0, 4.0)) + chance.random() * chance.choice((5, 60, 600))
    later = at + chance.choice((30, 120, 900, 2 * HOUR, 3 * HOUR)) * (0.5 + chance.random())
    how = {
        "live": chance.random() < 0.6,
        "closes_after": chance.choice((0.1, 2, 30)),
        "back_after": chance.choice((1, 20, 300, 1800)),
    }
    return [
        Happening(
            at, "back_up", {"takes": chance.choice((0.05, 1, 5))}, _turn(chance) if chance.random() < 0.3 else ""
        ),
        Happening(later, "restore", how),
    ]


def _fault(chance: Random) -> Spell:
    """Return a fault of the scheduler: a job that raises, comes late, or finds a statement that fails."""
    begin = HOUR * chance.choice((2.9, 4.0, 5.0)) + chance.random() * 600
    if chance.random() < 0.4:
        return Spell("statements", "raise", begin, begin + chance.choice((60, 600)), chance.choice((0.02, 0.1)))
    job = chance.choice(JOBS)
    how, lasts = chance.choice((("raise", 600), ("raise", HOUR), ("late:900", 60), (f"late:{2 * HOUR}", 60)))
    return Spell("jobs", how, begin, begin + lasts, 1.0, job)


def _first_drawn(seed: int, days: int) -> Scenario:
    chance = Random(f"scenario {seed}")
    people = _people(chance)
    phones = {
        one.sms: chance.choice(PHONES) for one in people if one.sms and chance.random() < 0.3
    }  # those of the others work
    phones |= {one.voice: chance.choice(("human:1", "machine", "busy", "no-answer")) for one in people if one.voice}
    happenings, spells = [], []
    for day in range(days):
        happenings += _acts(chance, people, day)
        happenings += _blows(chance, day)
        spells += _spells(chance, day)
    return Scenario(seed, people, sorted(happenings, key=lambda one: one.at), spells, phones, days=days)


def _people(chance: Random) -> list[Somebody]:
    people: list[Somebody] = []
    for number in range(chance.randint(2, 5)):
        household = "AB"[number % 2] if chance.random() < 0.5 else "A"
        own = f"090-0000-{number + 1:04d}"
        shares = number and chance.random() < 0.25
        kinds = chance.sample(("mynumber_user_certificate", "driving_licence", "passport", "care_certification"), 2)
        way = chance.random()
        people.append(
            Somebody(
                name=f"p{number}",
                household=household,
                mode=chance.choice(("elderly", "standard")),
                sms=None if way > 0.9 else (people[0].sms or own) if shares else own,
                email=f"hon-nin{number}@example.jp" if way > 0.7 else None,
                line=f"U{number:032x}" if 0.5 < way < 0.7 else None,
                voice=f"03-3500-{number:04d}" if way < 0.15 else None,
                carers=(f"shinseki{number}@example.jp",) if chance.random() < 0.4 else (),
                ends_in={kind: chance.choice((7, 14, 30, 31, 45, 60, 90)) for kind in kinds[: chance.randint(1, 2)]},
            )
        )
    return people


def _moment(chance: Random, day: int) -> float:
    """Most of what matters happens while texts are sent: from nine to half past ten."""
    hour = chance.choice((3.0, 4.0, 4.0, 4.1, 4.3, 5.0, 8.0, 11.0)) + chance.random() * chance.choice((0.02, 0.2, 1.0))
    return day * 24 * HOUR + hour * HOUR


def _acts(chance: Random, people: Sequence[Somebody], day: int) -> list[Happening]:
    acts = []
    for _ in range(chance.randint(1, 6)):
        who = chance.choice(people)
        do = chance.choice(
            ("answer", "answer", "answer", "done", "renew", "stop", "stop_link", "take", "erase", "erase_contact",
             "retire", "reopen", "confirm", "enter_again", "edit")
        )  # fmt: skip
        on = _turn(chance)
        # Who is just being written to is who matters most.
        args: dict[str, Any] = {"who": READER if on and chance.random() < 0.7 else who.name}
        if do == "answer":
            args["text"] = chance.choice(ANSWERS)
        acts.append(Happening(_moment(chance, day), do, args, on))
    return acts


def _turn(chance: Random) -> str:
    """Half of what is done is done in the moment in which a message leaves."""
    if chance.random() < 0.5:
        return ""
    return f"{chance.choice(('marked', 'handed', 'taken'))}:{chance.randint(1, 12)}"


def _blows(chance: Random, day: int) -> list[Happening]:
    blows = []
    for _ in range(chance.choice((0, 0, 1, 2, 3))):
        at = _moment(chance, day)
        do = chance.choice(("kill", "kill", "kill_later", "kill_later", "kill_web", "clock", "terminate"))
        args: dict[str, Any] = {}
        if do in ("kill", "kill_later", "kill_web", "terminate"):
            args["back_after"] = chance.choice((2, 20, 90, 400, 1800))
        if do == "kill_later":
            args["commits"] = chance.randint(0, 6)
        if do == "clock":
            args["by"] = chance.choice((-480, -60, 60, 480, -3600))
        on = "" if do == "clock" else _turn(chance)
        blows.append(Happening(at, do, args, on))
    return blows


def _spells(chance: Random, day: int) -> list[Spell]:
    spells = [Spell("inbound", "twice:3", day * 24 * HOUR, (day + 1) * 24 * HOUR, 0.3)]
    if chance.random() < 0.4:
        # A short hurdle while most texts leave.
        begin = (day * 24 + chance.choice((3, 4))) * HOUR
        spells.append(Spell("sms", chance.choice(HURDLES), begin, begin + chance.choice((2, 30, 90)), 0.7))
    kinds = (
        ("sms", SMS_WEATHER), ("email", MAIL_WEATHER), ("line", LINE_WEATHER), ("sms_list", LIST_WEATHER),
        ("receipts", RECEIPTS), ("inbound", ("twice:3", "twice:200")), ("sms_network", ("refused", "silent")),
        ("email_network", ("refused", "silent")), ("web_network", ("refused",)), ("storage", STORAGE),
    )  # fmt: skip
    for _ in range(chance.choice((0, 1, 2, 3, 5))):
        about, ways = chance.choice(kinds)
        begin = day * 24 * HOUR + chance.choice((0.0, 2.9, 3.9, 4.0, 4.05, 6.0)) * HOUR + chance.random() * 600
        lasts = chance.choice((20, 90, 300, 1800, 2 * HOUR))
        if about == "storage":
            lasts = min(lasts, 300)
        spells.append(Spell(about, chance.choice(ways), begin, begin + lasts, chance.choice((0.3, 0.7, 1.0))))
    return spells


def as_toml(scenario: Scenario, *, finds: str) -> str:
    """Return the scenario as an entry of kept.toml."""
    import json

    def value(of: Any) -> str:
        if of is None:
            raise TypeError("TOML has no nothing")
        if isinstance(of, dict):
            return (
                "{ "
                + ", ".join(f"{json.dumps(str(name))} = {value(one)}" for name, one in of.items() if one is not None)
                + " }"
            )
        if isinstance(of, list | tuple):
            return "[" + ", ".join(map(value, of)) + "]"
        if of == float("inf"):
            return "inf"
        return json.dumps(of, ensure_ascii=False)

    lines = ["[[kept]]", f"finds = {value(finds)}"]
    for name, of in asdict(scenario).items():
        if isinstance(of, list) and of and isinstance(of[0], dict):
            lines += [f"{name} = ["] + [f"    {value(one)}," for one in of] + ["]"]
        else:
            lines.append(f"{name} = {value(of)}")
    return "\n".join(lines) + "\n"


def from_toml(entry: Mapping[str, Any]) -> Scenario:
    """Return the scenario of an entry."""
    given = {name: of for name, of in entry.items() if name in Scenario.__dataclass_fields__}
    given["people"] = [Somebody(**one) for one in entry["people"]]
    given["happenings"] = [Happening(**one) for one in entry.get("happenings", ())]
    given["spells"] = [Spell(**one) for one in entry.get("spells", ())]
    return Scenario(**given)
