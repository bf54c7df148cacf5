"""What people do, and what befalls our processes: the acts that a scenario names."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from reminder.clock import japan_date
from reminder.domain.model.people import ConsentHow, StoppedBy
from reminder.enrolment import cards, consent, register
from reminder.enrolment.cards import TypedDates
from reminder.enrolment.register import PersonChanges
from reminder.errors import KigenError
from reminder.upkeep.privacy import erasure
from reminder.wiring import App
from tests.simulation.providers import text_of_mail

if TYPE_CHECKING:
    from tests.simulation.world import Resident, World

ACTS: dict[str, Callable[..., None]] = {}


def _act(act: Callable[..., None]) -> Callable[..., None]:
    ACTS[act.__name__] = act
    return act


def _on_a_page(world: "World", what: Callable[[App], Any]) -> None:
    """Let somebody do something on our pages: in a thread of the web server, if it is there."""
    web = world.web
    if not web.is_alive or not web.is_ready:
        world.note("the page cannot be reached")
        return

    def asked() -> None:
        try:
            what(web.app)
        except KigenError as refused:
            world.note(f"refused: {refused.code}")
        else:
            world.note("done on a page")

    web.in_thread(asked)


def _of_person(world: "World", who: str, what: Callable[[App, "Resident"], Any]) -> None:
    resident = world.residents[who]
    _on_a_page(world, lambda app: what(app, resident))


def _first_card(resident: "Resident") -> int:
    return next(iter(resident.cards.values()))


def _each(app: App, ids: Any, what: Callable[[Any, int], Any]) -> None:
    for one in ids:
        with app.writing() as uow:
            what(uow, one)


@_act
def answer(world: "World", who: str, text: str) -> None:
    """A person texts us."""
    from tests.simulation.world import in_full

    number = world.residents[who].somebody.sms
    if number:
        world.twilio.says(in_full(number), "+815000000001", text)


@_act
def done(world: "World", who: str) -> None:
    """The family says on a page that it is done."""
    _of_person(world, who, lambda app, one: _each(app, one.cards.values(), _acknowledge))


def _acknowledge(uow: Any, card: int) -> None:
    cards.acknowledge_card(uow, card_id=card)


@_act
def reopen(world: "World", who: str) -> None:
    """It was not done after all."""
    _of_person(
        world,
        who,
        lambda app, one: _each(app, one.cards.values(), lambda uow, card: cards.reopen_card(uow, card_id=card)),
    )


@_act
def renew(world: "World", who: str, days: int = 3000) -> None:
    """The family enters the new date of the first card."""

    def renewed(app: App, one: "Resident") -> None:
        with app.writing() as uow:
            typed = TypedDates((japan_date(uow.now) + timedelta(days=days)).isoformat())
            cards.renew_card(uow, card_id=_first_card(one), typed=typed, confirmed=True)

    _of_person(world, who, renewed)


@_act
def retire(world: "World", who: str) -> None:
    """The first card is not needed any more."""
    _of_person(
        world,
        who,
        lambda app, one: _each(app, [_first_card(one)], lambda uow, card: cards.retire_card(uow, card_id=card)),
    )


@_act
def stop(world: "World", who: str) -> None:
    """The family stops the texts to a person."""
    _of_person(world, who, lambda app, one: _each(app, one.contacts.values(), _stopped))


def _stopped(uow: Any, contact: int) -> None:
    consent.stop(uow, contact_id=contact, whose_word=StoppedBy.FAMILY)


@_act
def confirm(world: "World", who: str) -> None:
    """The person agrees again."""

    def confirmed(uow: Any, contact: int) -> None:
        consent.confirm(uow, contact_id=contact, how=ConsentHow.WRITTEN, said_by="長女")

    _of_person(world, who, lambda app, one: _each(app, one.contacts.values(), confirmed))


@_act
def edit(world: "World", who: str) -> None:
    """The family gives a person another mark."""

    def edited(app: App, one: "Resident") -> None:
        with app.writing() as uow:
            register.edit_person(uow, person_id=one.id, changes=PersonChanges(mark="すずめ"))

    _of_person(world, who, edited)


@_act
def erase(world: "World", who: str) -> None:
    """A person is erased, with all that is known of them."""
    _of_person(world, who, lambda app, one: erasure.erase_person(app.units, app.clock.now(), person_id=one.id))


@_act
def erase_contact(world: "World", who: str) -> None:
    """One telephone is erased, and the same number entered again a minute later."""

    def erased(app: App, one: "Resident") -> None:
        channel, contact = next(iter(one.contacts.items()))
        erasure.erase_contact(app.units, app.clock.now(), contact_id=contact)
        world.loop.wait(60.0)
        with app.writing() as uow:
            one.contacts[channel] = world.add_contact(uow, one.id, channel, getattr(one.somebody, channel))

    _of_person(world, who, erased)


@_act
def enter_again(world: "World", who: str) -> None:
    """A person is erased, and entered again a minute later."""

    def entered(app: App, one: "Resident") -> None:
        erasure.erase_person(app.units, app.clock.now(), person_id=one.id)
        world.loop.wait(60.0)
        world.enter(app, one.somebody, one.group)

    _of_person(world, who, entered)


@_act
def take(world: "World", who: str) -> None:
    """A carer follows the link "I do it" of the latest mail that has one."""
    _follow(world, "take", who)


@_act
def stop_link(world: "World", who: str) -> None:
    """A carer's mail program presses "stop" for the latest mail."""
    _follow(world, "stop", who)


@_act
def scan_links(world: "World", who: str) -> None:
    """A scanner opens every link of the latest mail to the carers of a person: it asks, and presses nothing."""
    theirs = {*world.residents[who].somebody.carers, *world.scenario.members}
    for mail in [one for one in world.mail.mails if one.to in theirs][-1:]:
        words = f"{mail.raw.decode('ascii')} {text_of_mail(mail.raw)}"
        for link in dict.fromkeys(re.findall(r"https://kigen\.example\.jp(/[^\s>]+)", words)):
            world.ask("GET", link, b"", [("accept", "text/html")], lambda s: world.note(f"scanned: {s}"))


def _follow(world: "World", act: str, who: str) -> None:
    theirs = {*world.residents[who].somebody.carers, *world.scenario.members}
    for mail in reversed([one for one in world.mail.mails if one.to in theirs]):
        where = mail.raw.decode("ascii") if act == "stop" else text_of_mail(mail.raw)
        found = re.search(rf"https://kigen\.example\.jp(/{act}/[^\s>]+)", where)
        if found:
            form = [("content-type", "application/x-www-form-urlencoded"), ("accept", "text/html")]
            world.ask("POST", found[1], b"List-Unsubscribe=One-Click", form, lambda s: world.note(f"{act}: {s}"))
            return
    world.note("no mail has such a link")


# ── what befalls us ──


@_act
def kill(world: "World", back_after: float = 20, which: str = "worker") -> None:
    """A worker is killed now."""
    if which in world.processes:
        world.processes[which].kill()
        world.start_again(which, back_after)


@_act
def kill_later(world: "World", commits: int = 0, back_after: float = 20, which: str = "worker") -> None:
    """A worker is killed behind one of its next commits."""
    worker = world.processes[which]
    worker.dies_after = commits
    world.later(120.0, lambda: worker.kill() if worker.dies_after is not None else None)
    world.start_again(which, 121.0 + back_after)


@_act
def kill_web(world: "World", back_after: float = 20) -> None:
    """The web server is killed now."""
    world.web.kill()
    world.start_again("web", back_after)


@_act
def terminate(world: "World", back_after: float = 20) -> None:
    """The worker is told to end, and ends within its time."""
    world.worker.stop()
    world.start_again("worker", 26.0 + back_after)


@_act
def clock(world: "World", by: float) -> None:
    """The clock of our machine is set."""
    for process in world.processes.values():
        process.clock.offset += timedelta(seconds=by)
    for event in world._wakes.values():
        event.set()


@_act
def back_up(world: "World", takes: float = 1.0) -> None:
    """The operator makes a back-up; so long after it is dated it reads the database."""
    world.operator.in_thread(lambda: world.back_up(takes))


@_act
def restore(world: "World", live: bool = True, closes_after: float = 1.0, back_after: float = 20) -> None:
    """The latest back-up is restored into another database.

    `live`: the service goes on until its database is closed, `closes_after` the restore. Else everything was lost.
    `back_after`: when the service is started again, with the restored one.
    """
    world.operator.in_thread(lambda: world.restore(is_live=live, closes_after=closes_after, back_after=back_after))
