"""The long runs, with a table of what became of every text: `python -m tests.chaos [--texts N] [--seed N] [--only …]`."""

import argparse
import logging
import sys
import time
from pathlib import Path

from tests.chaos import attack
from tests.chaos.attack import AttackPlan, run_attack
from tests.chaos.run import ALL_HAZARDS, Hazard, Outcome, Plan, run

RUNS = ("postgresql", "failover", "sqlite")
# The same attack on each database.
ATTACK = "attack"
ATTACK_TEXTS, ATTACK_PER_SECOND = 500, 6.0


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--texts", type=int, default=20_000, help="on PostgreSQL; a tenth of it on SQLite")
    arguments.add_argument("--workers", type=int, default=4)
    arguments.add_argument("--seed", type=int, default=int(time.time()))
    arguments.add_argument("--factor", type=float, default=30)
    arguments.add_argument("--give-up-after", type=float, default=1800)
    arguments.add_argument("--only", choices=(*RUNS, ATTACK))
    arguments.add_argument("--kill-for", type=float, default=180, help="the machine's seconds")
    arguments.add_argument("--log", type=Path, help="what the processes say is kept there")
    arguments.add_argument("--attack-for", type=float, default=100, help="the machine's seconds, on each database")
    arguments.add_argument("--attack-on", choices=("postgresql", "sqlite"), help="only on this database")
    arguments.add_argument(
        "--hazards",
        type=lambda written: frozenset(Hazard(name) for name in written.split(",") if name),
        default=ALL_HAZARDS,
        help=f"what goes wrong besides, by commas, all by default: {', '.join(Hazard)}; '' is nothing",
    )
    chosen = arguments.parse_args()
    alike = {"seed": chosen.seed, "factor": chosen.factor, "give_up_after": chosen.give_up_after, "log": chosen.log}
    alike["hazards"] = chosen.hazards
    # The second server of a fail-over is its standby, so that nothing is restored into it.
    stays = alike | {"hazards": chosen.hazards - {Hazard.RESTORE}}
    plans = {
        "postgresql": Plan(chosen.texts, chosen.workers, restarts=2, kill_for=chosen.kill_for, **alike),
        "failover": Plan(chosen.texts, chosen.workers, kill_every=None, failover=True, **stays),
        "sqlite": Plan(chosen.texts // 10, 1, on_sqlite=True, kill_for=chosen.kill_for, **alike),
    }
    # The provider tears its own connections down; that is no news.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    right = True
    for name in RUNS if chosen.only is None else {chosen.only} - {ATTACK}:
        print(f"{name}: {plans[name]}", flush=True)
        outcome = run(plans[name], say=lambda said: print(f"  {said}", flush=True))
        show(outcome)
        right = right and outcome.is_right
    if chosen.only in (None, ATTACK):
        for on in ("postgresql", "sqlite") if chosen.attack_on is None else (chosen.attack_on,):
            lasts, is_on_sqlite = chosen.attack_for, on == "sqlite"
            plan = AttackPlan(ATTACK_TEXTS, ATTACK_PER_SECOND, lasts, is_on_sqlite, seed=chosen.seed, log=chosen.log)
            right = under_attack(plan) and right
    sys.exit(0 if right else 1)


def under_attack(plan: AttackPlan) -> bool:
    print(f"{ATTACK}: {plan}", flush=True)
    outcome = run_attack(plan, say=lambda said: print(f"  {said}", flush=True))
    wrong = outcome.wrong(signing_in=plan.signing_in, asks_for_speed=True)
    attack.show(outcome, wrong)
    return not wrong


def show(outcome: Outcome) -> None:
    found = outcome.account
    rows = {
        "reminders": found.cards,
        "messages": found.messages,
        "texts that the provider took": found.texts,
        "arrived": found.arrived,
        "ended, and the family was told": found.ended,
        "ended, and a human or the operator knows": found.handed,
        "untold, which a lost callback hides": found.untold_unheard,
        "lost": len(found.wrong["lost"]),
        "doubled": len(found.wrong["doubled"]),
        "marked as possibly double": found.marked,
        "of these doubled": found.doubled_and_marked,
        "states that are wrong": len(found.wrong["state"]),
        "accepted, and the provider knows more": found.unheard,
        "equal texts taken for each other": found.swapped,
        "unknown: not told apart": found.not_told_apart,
        "promises left open": len(found.wrong["open promise"]),
        "texts after stop, done, erased": len(found.wrong["after an act"]),
        "workers killed": outcome.kills,
        "workers that ended by themselves": outcome.ended_by_themselves,
    }
    for name, count in rows.items():
        print(f"  {name:42} {count:7}")
    print(f"  possibly double: {found.marked / max(1, found.texts):.2%} of the texts")
    print(
        f"  people: { {str(kind): count for kind, count in found.acts.items()} }; web server killed {outcome.web_kills}; mails that hung {outcome.mails_that_hung}"
    )
    print(f"  states: {dict(found.states)}")
    print(f"  faults: {outcome.faults}")
    print(f"  {'; '.join(outcome.happened) or 'the database stayed'}")
    print(f"  {outcome.took:.0f} s, until {outcome.until:%d %H:%M} of the run")
    for error, count in outcome.errors.most_common(12):
        print(f"  logged {count:5} times: {error}")
    for what, whom in found.wrong.items():
        for one in whom[:10]:
            print(f"  WRONG, {what}: {one}")
    if not outcome.settled:
        print("  WRONG: it was not settled in time")
    print("  right" if outcome.is_right else "  WRONG", flush=True)


if __name__ == "__main__":
    main()
