"""Commands for cards."""

from typing import TYPE_CHECKING, Annotated

import typer

from reminder.cli.options import Born, Computed, Id, Issued, Yes, storable_id
from reminder.cli.output import AsJson, print_answer, terminal_language

if TYPE_CHECKING:
    from reminder.domain.rulebook import Rulebook
    from reminder.enrolment.cards import CardAdded


def add_card(
    person: Annotated[int, typer.Option(callback=storable_id)],
    kind: Annotated[str, typer.Option(help="One of `reminder kinds`.")],
    expires: Annotated[
        str | None, typer.Option(help="The last valid day, as typed: 令和9年2月20日, 2027-02-20.")
    ] = None,
    issued: Issued = None,
    born: Born = None,
    label: Annotated[str | None, typer.Option(help="For the kind `other`: what you call it.")] = None,
    days: Annotated[
        str | None, typer.Option(help='Days before the end, in place of those of its group: "60 30 7".')
    ] = None,
    yes: Yes = False,
    computed: Computed = False,
    as_json: bool = AsJson,
) -> None:
    """Add a card or certificate with its end date, which can be worked out from --issued and --born.

    Example: reminder card add --person 1 --kind mynumber_card --expires 2031-11-14
    """
    from reminder.cli.app_context import opened_app
    from reminder.domain.parsing.days_before import read_days
    from reminder.enrolment.cards import TypedDates
    from reminder.enrolment.cards import add_card as add

    with opened_app() as app:
        with app.writing() as uow:
            added = add(
                uow,
                person_id=person,
                kind=kind,
                typed=TypedDates(expires, issued, born, is_computed=computed),
                label=label,
                own_days=read_days(days or ""),
                confirmed=yes,
            )
        print_card(app.rules, added, as_json=as_json, person_id=person)


def renew_card(card: Id, expires: Annotated[str | None, typer.Option()] = None, issued: Issued = None,
               born: Born = None, yes: Yes = False, computed: Computed = False, as_json: bool = AsJson,
) -> None:  # fmt: skip
    """Renew a card with its new date.

    Example: reminder card renew 4 --expires 2032-02-20
    """
    from reminder.cli.app_context import opened_app
    from reminder.enrolment.cards import TypedDates
    from reminder.enrolment.cards import renew_card as renew

    with opened_app() as app:
        with app.writing() as uow:
            renewed = renew(
                uow,
                card_id=card,
                typed=TypedDates(expires, issued, born, is_computed=computed),
                confirmed=yes,
            )
        print_card(app.rules, renewed, as_json=as_json)


def print_card(rules: "Rulebook", card: "CardAdded", *, as_json: bool, person_id: int | None = None) -> None:
    """Print a card with what to do next: cards to register too, and those whose new dates are asked for."""
    from reminder.domain.parsing.dates import in_both_calendars

    words = rules.wording.of(terminal_language())
    shown = words.section("shown")
    worked_out = shown["worked_out"] if card.is_computed else ""
    lines = [f"card {card.id}: {in_both_calendars(card.expires_on)}{worked_out}; next reminder {card.next_reminder_on}"]
    for offer in card.offers:
        day = "…" if offer.expires_on is None else offer.expires_on.isoformat()
        command = f"reminder card add --person {person_id} --kind {offer.kind} --expires {day}"
        lines.append(shown["offer"].format(name=words.kinds[offer.kind]["name"], command=command))
    asks = [{"card": one.id, "kind": one.kind, "expires_on": one.expires_on,
             "why": words.kinds[one.kind].get("carrier_renewed", "")} for one in card.asks]  # fmt: skip
    lines += [f"{one['why']} reminder card renew {one['card']} --expires …" for one in asks]
    print_answer(
        {
            "id": card.id,
            "expires_on": card.expires_on,
            "computed": card.is_computed,
            "next_reminder_on": card.next_reminder_on,
            "offers": [{"kind": offer.kind, "expires_on": offer.expires_on} for offer in card.offers],
            "asks": asks,
        },
        as_json=as_json,
        plain="\n".join(lines),
    )


def acknowledge_card(card: Id, as_json: bool = AsJson) -> None:
    """Record that a card is renewed but its new date is unknown: no reminders until the date is asked for.

    Example: reminder card acknowledge 4
    """
    from reminder.cli.app_context import opened_app
    from reminder.enrolment.cards import acknowledge_card

    with opened_app() as app, app.writing() as uow:
        acknowledge_card(uow, card_id=card)
    print_answer(
        {"id": card, "state": "done"}, as_json=as_json, plain=f"card {card} is done; its new date is asked for"
    )


def reopen_card(card: Id, as_json: bool = AsJson) -> None:
    """Record that a card was not renewed after all: reminders continue.

    Example: reminder card reopen 4
    """
    from reminder.cli.app_context import opened_app
    from reminder.enrolment.cards import reopen_card

    with opened_app() as app, app.writing() as uow:
        reopen_card(uow, card_id=card)
    print_answer({"id": card, "state": "open"}, as_json=as_json, plain=f"card {card} is reminded of again")


def assign_card(
    card: Id,
    contact: Annotated[
        int,
        typer.Option(help="A contact of the one who takes it on: a relative's or a member's.", callback=storable_id),
    ],
    as_json: bool = AsJson,
) -> None:
    """Assign a card to somebody of the family or the home; the others are not asked any more.

    Example: reminder card assign 4 --contact 1
    """
    from reminder.cli.app_context import opened_app
    from reminder.enrolment.cards import assign_card as take

    with opened_app() as app, app.writing() as uow:
        take(uow, card_id=card, contact_id=contact)
    print_answer(
        {"id": card, "assigned_to": contact}, as_json=as_json, plain=f"card {card} is assigned to contact {contact}"
    )


def retire_card(
    card: Id,
    reason: Annotated[str, typer.Option(help="not_needed, returned, lost, died or moved_away.")] = "not_needed",
    as_json: bool = AsJson,
) -> None:
    """Retire a card: it is not reminded of any more.

    Example: reminder card retire 4 --reason returned
    """
    _act(card, "end", reason=reason)
    print_answer({"id": card, "state": "retired"}, as_json=as_json, plain=f"card {card} is reminded of no more")


def set_days(
    card: Id,
    days: Annotated[str, typer.Argument(help='Days before the end: "60 30 7"; "" for those of its group.')],
    as_json: bool = AsJson,
) -> None:
    """Set the days before its end on which a card is reminded of, in place of those of its group.

    Example: reminder card days 4 "60 30 7"
    """
    from reminder.cli.app_context import opened_app
    from reminder.domain.parsing.days_before import kept_form, read_days
    from reminder.enrolment.card_days import set_card_days

    own = read_days(days)
    with opened_app() as app, app.writing() as uow:
        set_card_days(uow, card_id=card, own_days=own)
    said = kept_form(own) or "as its group"
    print_answer({"id": card, "days": list(own)}, as_json=as_json, plain=f"card {card}: days before the end: {said}")


Day = Annotated[str | None, typer.Option("--by", help="As typed: 令和9年2月20日, 2027-02-20.")]


def apply_for_card(card: Id, by: Day = None, as_json: bool = AsJson) -> None:
    """Record that somebody has applied for a new card; --by: the day by which it, or a notice about it, is expected.

    Example: reminder card apply 4
    """
    _act(card, "apply", day=by)
    _print_life(card, as_json=as_json)


def make_card_ready(card: Id, by: Day = None, as_json: bool = AsJson) -> None:
    """Record that a new card can be collected; --by: the last day on which it is kept.

    Example: reminder card ready 4
    """
    _act(card, "ready", day=by)
    _print_life(card, as_json=as_json)


def book_card(
    card: Id,
    on: Annotated[
        str | None,
        typer.Option(
            help="The day of the appointment, as typed: 令和9年2月20日, 2027-02-20; without it, there is none."
        ),
    ] = None,
    as_json: bool = AsJson,
) -> None:
    """Record the day of an appointment for a card.

    Example: reminder card book 4
    """
    _act(card, "appointment", day=on)
    _print_life(card, as_json=as_json)


def take_back(card: Id, as_json: bool = AsJson) -> None:
    """Take back the last act on a card, also a renewal, within 24 hours.

    Example: reminder card take-back 4
    """
    _act(card, "step_back")
    _print_life(card, as_json=as_json)


def show_life(card: Id, as_json: bool = AsJson) -> None:
    """Show how far a card is: applied, ready to collect, booked, done.

    Example: reminder card life 4
    """
    _print_life(card, as_json=as_json)


def _act(card: int, act: str, *, day: str | None = None, reason: str | None = None) -> None:
    from reminder.cli.app_context import opened_app
    from reminder.domain.model.card_states import EndReason
    from reminder.enrolment.card_acts import CardAct, act_on_card
    from reminder.errors import UnknownChoiceError

    if reason is not None and reason not in list(EndReason):
        raise UnknownChoiceError(field="reason", choices=list(EndReason))
    with opened_app() as app, app.writing() as uow:
        act_on_card(uow, card_id=card, act=CardAct(act), day=day, reason=None if reason is None else EndReason(reason))


def _print_life(card: int, *, as_json: bool) -> None:
    from reminder.cli.app_context import opened_app
    from reminder.domain.model.card_states import NOT_BEGUN
    from reminder.errors import NotFoundError
    from reminder.storage.registry import card_lives, cards

    with opened_app() as app, app.reading() as uow:
        if cards.find(uow.tx, card) is None:
            raise NotFoundError(field="card")
        life = card_lives.of_cards(uow.tx, [card]).get(card)
    days = NOT_BEGUN if life is None else life.days
    shown = {
        "id": card,
        "state": days.state,
        "expected_by": days.expected_by,
        "collect_by": days.collect_by,
        "appointment_on": days.appointment_on,
    }
    said = [f"{name} {value}" for name, value in shown.items() if name not in ("id", "state") and value is not None]
    print_answer(shown, as_json=as_json, plain=", ".join([f"card {card}: {days.state}", *said]))
