"""Pages of cards: adding one (its kind, its date, what belongs to it, the plan), renewing and assigning it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from markupsafe import Markup
from starlette.datastructures import FormData

from reminder.domain.model.access import Actor
from reminder.domain.model.card_kinds import OTHER
from reminder.domain.model.card_states import NOT_BEGUN, EndReason
from reminder.domain.model.own_kinds import own_id
from reminder.domain.parsing import dates
from reminder.domain.parsing.days_before import read_days
from reminder.enrolment import card_acts, card_days
from reminder.enrolment import cards as enrolment
from reminder.enrolment.card_acts import CardAct
from reminder.enrolment.cards import NewCard, TypedDates
from reminder.errors import DateError, NeedsConfirmationError, NotFoundError, RefusedInputError
from reminder.planning.forecast import ForecastCard, forecast, forecasts
from reminder.storage.auth import authorized
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.registry import card_lives, contacts, groups, own_kinds
from reminder.storage.registry.own_kinds import OwnKindView
from reminder.upkeep.privacy import erasure
from reminder.web.declared import Asks, declares, page_router
from reminder.web.drawing import card_pictures
from reminder.web.pages.people import planned
from reminder.web.support.authorization import Anyone, Changes, Filled, OpenApp, Owns, Sees
from reminder.web.support.confirmation import Confirmed
from reminder.web.support.day_fields import day_text
from reminder.web.support.rendering import both_calendars, go, kept, page, problem_of, typed, words_of
from reminder.wiring import App

router = page_router()

# The kinds that nearly every family has; the others appear after one more press.
FIRST_KINDS = (
    "mynumber_user_certificate",
    "mynumber_signature_certificate",
    "mynumber_card",
    "shikaku_kakuninsho_75plus",
    "care_certification",
    "driving_licence",
    "residence_card",
)


@router.get("/people/{person_id}/cards/new")
def ask_for_card(request: Request, app: OpenApp, who: Changes, person_id: int, kind: str | None = None) -> Response:
    """Show the choice of kinds or, with `kind`, the form for its date."""
    if kind is None:
        return _kinds_page(request, app, who, person_id)
    return _date_page(request, app, who, person_id, kind, {})


def _kinds_page(request: Request, app: App, who: Actor, person_id: int) -> HTMLResponse:
    with app.reading() as uow:
        person = authorized.person(uow.tx, who, person_id)
        own = own_kinds.of_group(uow.tx, who.group_id)
    first = [kind for kind in FIRST_KINDS if kind in app.rules.kinds]
    others = [kind for kind in app.rules.kinds if kind not in first]
    return page(request, app, "card_kinds.html", person=person, first=first, others=others, own=own)


def _date_page(
    request: Request,
    app: App,
    who: Actor,
    person_id: int,
    kind: str,
    shown: Mapping[str, str],
    refused: RefusedInputError | None = None,
) -> HTMLResponse:
    with app.reading() as uow:
        person = authorized.person(uow.tx, who, person_id)
        own = _own_kind(uow, who, kind)
    key = own.key if own else kind
    if key not in app.rules.kinds or (own is None and own_id(kind) is not None):
        raise NotFoundError("page_not_found")
    words = words_of(request)
    said = app.rules.wording.of(words.language).in_mail.kinds[key]
    return page(
        request,
        app,
        "card_date.html",
        status=422 if refused else 200,
        person=person,
        kind=kind,
        own_name=own.name if own else "",
        said=said,
        needs_label=kind == OTHER,
        picture=Markup(card_pictures.draw(app.rules, key, words.language)),  # noqa: S704  # its words are escaped
        typed=shown,
        asks_yes=isinstance(refused, NeedsConfirmationError),
        choices=refused.choices if isinstance(refused, DateError) else (),
        problems=[problem_of(request, app, refused)] if refused else (),
    )


def _own_kind(uow: UnitOfWork, who: Actor, kind: str) -> OwnKindView | None:
    """Return the kind of the reader's group that is called like this, None where it has none."""
    kind_id = own_id(kind)
    return None if kind_id is None else own_kinds.find(uow.tx, who.group_id, kind_id)


@router.get("/dates")
def read_date(request: Request, app: OpenApp, _found: Anyone) -> HTMLResponse:
    """Return a typed day in both calendars with its weekday; nothing while it is no date yet."""
    names = {name.rsplit("_", 1)[0] for name in request.query_params if "_" in name}
    words = words_of(request)
    said = ""
    if len(names) == 1:
        try:
            day = dates.read_date(day_text(request.query_params, names.pop()))
            said = both_calendars(app.rules.wording.of(words.language), day)
        except DateError:
            said = ""
    return HTMLResponse(str(Markup.escape(said)))


def _new_card(form: FormData, kind: str) -> NewCard:
    """Return the card with the end that is printed on it, or what the end is worked out from."""
    expires = day_text(form, "expires")
    dated = TypedDates(
        expires=expires or None,
        issued=day_text(form, "issued") or None,
        born=day_text(form, "born") or None,
    )
    if not expires and dated.issued is None:
        raise RefusedInputError("date_needed", field="expires")
    return NewCard(kind, dated, typed(form, "card_label") or None)


@router.post("/people/{person_id}/cards/date")
@declares()
def take_date(request: Request, app: OpenApp, who: Changes, person_id: int, form: Filled) -> Response:
    """Check the date, then offer what belongs to the card or show the plan."""
    kind = typed(form, "kind")
    try:
        with app.reading() as uow:
            person = authorized.person(uow.tx, who, person_id)
            if kind not in app.rules.kinds and _own_kind(uow, who, kind) is None:
                raise NotFoundError("page_not_found")
            draft = enrolment.draft(
                uow,
                person_id=person.id,
                wanted=_new_card(form, kind),
                confirmed=typed(form, "confirmed") == "yes",
            )
    except NotFoundError:
        raise
    except RefusedInputError as refused:
        return _date_page(request, app, who, person_id, kind, kept(form), refused)
    offered = [
        Wanted(one.kind, "", one.expires_on, is_computed=True) for one in draft.offers if one.expires_on is not None
    ]
    if offered:
        return page(request, app, "card_linked.html", person=person, draft=draft, offered=offered)
    wanted = [Wanted(draft.kind, draft.label, draft.expires_on, is_computed=draft.is_computed)]
    return _plan_page(request, app, who, person_id, wanted)


@dataclass(frozen=True)
class Wanted:
    """A card on its way through the pages, in hidden fields: nothing is stored before the last button."""

    kind: str
    label: str
    expires_on: date
    is_computed: bool

    @property
    def new_card(self) -> NewCard:
        """Return the card for the use case."""
        dated = TypedDates(expires=self.expires_on.isoformat(), is_computed=self.is_computed)
        return NewCard(self.kind, dated, self.label or None)


def _wanted(app: App, form: FormData) -> list[Wanted]:
    """Return the cards in the hidden fields. Raises NotFoundError for fields that no page of ours has written."""
    found = [_wanted_card(app, form, str(number)) for number in form.getlist("card")]
    if not found:
        raise NotFoundError("page_not_found")
    return found


def _wanted_card(app: App, form: FormData, number: str) -> Wanted:
    """Return the card with this number on the page; macros.html, card_fields, has written its fields."""
    kind, computed = typed(form, f"kind{number}"), typed(form, f"computed{number}")
    try:
        expires_on = date.fromisoformat(typed(form, f"expires{number}"))
    except ValueError:
        raise NotFoundError("page_not_found") from None
    if expires_on.year not in dates.CALENDAR or kind not in app.rules.kinds or computed not in ("yes", ""):
        raise NotFoundError("page_not_found")
    return Wanted(kind, typed(form, f"label{number}"), expires_on, is_computed=computed == "yes")


@router.post("/people/{person_id}/cards/plan")
@declares()
def show_plan(request: Request, app: OpenApp, who: Changes, person_id: int, form: Filled) -> Response:
    """Show the plan of the cards."""
    return _plan_page(request, app, who, person_id, _wanted(app, form))


def _plan_page(
    request: Request,
    app: App,
    who: Actor,
    person_id: int,
    wanted: Sequence[Wanted],
    refused: RefusedInputError | None = None,
) -> HTMLResponse:
    with app.reading() as uow:
        person = authorized.person(uow.tx, who, person_id)
        drafts = [
            ForecastCard(one.kind, one.expires_on, is_computed=one.is_computed, label=one.label or None)
            for one in wanted
        ]
        plans = forecasts(uow, person=person, wanted=drafts)
        known = contacts.by_ids(uow.tx, uow.keys, {one for plan in plans for one in plan.contact_ids})
        names = groups.names_by_contact(uow.tx, who.group_id)
    return page(
        request,
        app,
        "plan.html",
        status=422 if refused else 200,
        person=person,
        plans=list(zip(wanted, plans, strict=True)),
        contacts=known,
        names=names,
        card=None,
        problems=[problem_of(request, app, refused)] if refused else (),
    )


@router.post("/people/{person_id}/cards")
@declares(logs=["card_added"])
def add_cards(request: Request, app: OpenApp, who: Changes, person_id: int, form: Filled) -> Response:
    """Register what the plan has shown, all of it or nothing."""
    wanted = _wanted(app, form)
    try:
        with app.writing() as uow:
            authorized.person(uow.tx, who, person_id)
            enrolment.add_cards(
                uow,
                person_id=person_id,
                wanted=[one.new_card for one in wanted],
                # The page of the date has asked for the confirmation.
                confirmed=True,
                by=who.member_id,
            )
    except RefusedInputError as refused:
        return _plan_page(request, app, who, person_id, wanted, refused)
    return go(f"/people/{person_id}")


# Pages of a registered card.


@router.get("/cards/{card_id}")
def show_card(request: Request, app: OpenApp, who: Sees, card_id: int) -> Response:
    """Show every future text about one card: day, hour, channel, reader, words and cost."""
    return _card_page(request, app, who, card_id)


def _card_page(
    request: Request,
    app: App,
    who: Actor,
    card_id: int,
    shown: Mapping[str, str] | None = None,
    refused: RefusedInputError | None = None,
) -> HTMLResponse:
    with app.reading() as uow:
        card, person = authorized.card(uow.tx, who, card_id)
        if card.retired_at is not None or card.kind not in uow.rules.kinds:
            raise NotFoundError("page_not_found")
        plan = forecast(uow, person=person, card=planned(card))
        known = contacts.by_ids(uow.tx, uow.keys, plan.contact_ids)
        names = groups.names_by_contact(uow.tx, who.group_id)
    wanted = Wanted(card.kind, card.label, card.expires_on, is_computed=card.is_computed)
    return page(
        request,
        app,
        "plan.html",
        status=422 if refused else 200,
        person=person,
        plans=[(wanted, plan)],
        contacts=known,
        names=names,
        card=card,
        typed={"own_days": card.own_days} if shown is None else shown,
        problems=[problem_of(request, app, refused)] if refused else (),
    )


@router.post("/cards/{card_id}/days")
@declares(logs=["card_days_changed"])
def change_days(request: Request, app: OpenApp, who: Changes, card_id: int, form: Filled) -> Response:
    """Set the days before its end on which this card is reminded of; none: those of its group."""
    try:
        own_days = read_days(typed(form, "own_days"))
        with app.writing() as uow:
            card, _ = authorized.card(uow.tx, who, card_id)
            card_days.set_card_days(uow, card_id=card.id, own_days=own_days, by=who.member_id)
    except RefusedInputError as refused:
        return _card_page(request, app, who, card_id, kept(form), refused)
    return go(f"/cards/{card_id}")


@router.get("/cards/{card_id}/renew")
def ask_for_new_date(request: Request, app: OpenApp, who: Changes, card_id: int) -> Response:
    """Show the form for the new date."""
    return _renew_page(request, app, who, card_id, {})


def _renew_page(
    request: Request,
    app: App,
    who: Actor,
    card_id: int,
    shown: Mapping[str, str],
    refused: RefusedInputError | None = None,
) -> HTMLResponse:
    with app.reading() as uow:
        card, person = authorized.card(uow.tx, who, card_id)
    if card.kind not in app.rules.kinds or card.retired_at is not None:
        raise NotFoundError("page_not_found")
    words = words_of(request)
    return page(
        request,
        app,
        "card_renewed.html",
        status=422 if refused else 200,
        card=card,
        person=person,
        said=app.rules.wording.of(words.language).in_mail.kinds[card.kind],
        picture=Markup(card_pictures.draw(app.rules, card.kind, words.language)),  # noqa: S704  # its words are escaped
        typed=shown,
        asks_yes=isinstance(refused, NeedsConfirmationError),
        problems=[problem_of(request, app, refused)] if refused else (),
    )


@router.post("/cards/{card_id}/renew")
@declares(logs=["card_renewed"])
def renew(request: Request, app: OpenApp, who: Changes, card_id: int, form: Filled) -> Response:
    """Renew the card; then ask for those that depended on it, one after another."""
    try:
        with app.writing() as uow:
            card, person = authorized.card(uow.tx, who, card_id)
            renewed = enrolment.renew_card(
                uow,
                card_id=card.id,
                typed=_new_card(form, card.kind).typed,
                confirmed=typed(form, "confirmed") == "yes",
                by=who.member_id,
            )
    except RefusedInputError as refused:
        return _renew_page(request, app, who, card_id, kept(form), refused)
    if renewed.asks:
        return page(request, app, "card_asks.html", person=person, card=card, asks=renewed.asks)
    return go(f"/people/{person.id}")


@router.get("/cards/{card_id}/life")
def ask_how_far(request: Request, app: OpenApp, who: Changes, card_id: int) -> Response:
    """Show how far a card is, with the acts that can be recorded or taken back."""
    return _life_page(request, app, who, card_id, {})


def _life_page(
    request: Request,
    app: App,
    who: Actor,
    card_id: int,
    shown: Mapping[str, str],
    refused: RefusedInputError | None = None,
) -> HTMLResponse:
    with app.reading() as uow:
        card, person = authorized.card(uow.tx, who, card_id)
        life = card_lives.of_cards(uow.tx, [card_id]).get(card_id)
        until = card_acts.taken_back_until(card_lives.last_of(uow.tx, card_id), uow.now)
    if card.kind not in app.rules.kinds:
        raise NotFoundError("page_not_found")
    return page(
        request,
        app,
        "card_life.html",
        status=422 if refused else 200,
        card=card,
        person=person,
        life=NOT_BEGUN if life is None else life.days,
        until=until,
        reasons=list(EndReason),
        typed=shown,
        problems=[problem_of(request, app, refused)] if refused else (),
    )


@router.post("/cards/{card_id}/life")
@declares(
    logs=["card_applied", "card_ready", "card_booked", "card_unbooked", "card_retired", "card_taken_back"],
)
def record_act(request: Request, app: OpenApp, who: Changes, card_id: int, form: Filled) -> Response:
    """Record an act, or take the last one back; `act`: of CardAct, each with a day of its own name."""
    act, reason = typed(form, "act"), typed(form, "reason")
    field = _DAY_FIELDS.get(act)
    try:
        if act not in list(CardAct) or reason not in ("", *EndReason):
            raise RefusedInputError("nothing_chosen")
        with app.writing() as uow:
            card, person = authorized.card(uow.tx, who, card_id)
            day = day_text(form, field) if field else ""
            if act == CardAct.APPOINTMENT and not day and typed(form, "none") != "yes":
                raise RefusedInputError("date_needed", field=field)
            card_acts.act_on_card(
                uow,
                card_id=card.id,
                act=CardAct(act),
                day=day or None,
                reason=EndReason(reason) if reason else None,
                by=who.member_id,
            )
    except RefusedInputError as refused:
        return _life_page(request, app, who, card_id, kept(form), refused)
    return go(f"/people/{person.id}")


_DAY_FIELDS: Mapping[str, str] = {
    CardAct.APPLY: "expected_by",
    CardAct.READY: "collect_by",
    CardAct.APPOINTMENT: "appointment_on",
}


@router.get("/cards/{card_id}/erase")
def ask_whether_to_erase(request: Request, app: OpenApp, who: Owns, card_id: int) -> Response:
    """Ask whether to erase the card."""
    with app.reading() as uow:
        card, person = authorized.card(uow.tx, who, card_id)
    words = app.rules.wording.of(words_of(request).language)
    name = card.label or words.kinds[card.kind]["name"]
    return page(request, app, "sure.html", what="erase_card", name=name, back=f"/people/{person.id}")


@router.post("/cards/{card_id}/erase")
@declares(asks=Asks.ERASE, logs=["card_erased"])
def erase_card(app: OpenApp, who: Owns, card_id: int, _form: Confirmed) -> Response:
    """Erase the card."""
    with app.reading() as uow:
        card, _ = authorized.card(uow.tx, who, card_id)
    erasure.erase_card(app.units, app.clock.now(), card_id=card.id, by=who.member_id)
    return go(f"/people/{card.person_id}")


@router.post("/cards/{card_id}/{act}")
@declares(logs=["card_acknowledged", "card_reopened", "card_assigned", "card_retired"])
def act_on_card(app: OpenApp, who: Changes, card_id: int, act: str, _form: Filled) -> Response:
    """Acknowledge, reopen, assign or retire a card; `act`: acknowledge, reopen, assign or retire."""
    by = who.member_id
    with app.writing() as uow:
        card, person = authorized.card(uow.tx, who, card_id)
        mine = contacts.first_of_member(uow.tx, who.member_id)
        match act:
            case "acknowledge":
                enrolment.acknowledge_card(uow, card_id=card.id, by=by)
            case "reopen":
                enrolment.reopen_card(uow, card_id=card.id, by=by)
            case "retire":
                enrolment.retire_card(uow, card_id=card.id, by=by)
            case "assign" if mine is not None:
                enrolment.assign_card(uow, card_id=card.id, contact_id=mine, by=by)
            case _:
                raise NotFoundError("page_not_found")
    return go(f"/people/{person.id}")
